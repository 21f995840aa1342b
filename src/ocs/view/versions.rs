//! What a character was before, and the way back.

use super::slug_param;
use crate::{
    ocs::{
        Oc, OcVersion,
        api::{RestoreOc, get_versions},
    },
    ui::{Empty, ErrorView, Form, FormNote, PageTitle, Submit, Time, load},
};
use leptos::prelude::*;

/// `/c/{slug}/versions`
#[component]
pub fn VersionsPage() -> impl IntoView {
    let slug = slug_param();
    let restore = ServerAction::<RestoreOc>::new();
    let found = load(move || slug.get(), get_versions);
    view! {
        <Suspense fallback=|| ()>
            {move || Suspend::new(async move {
                match found.await {
                    Ok((oc, versions)) => view! { <Page oc=oc versions=versions restore=restore /> }.into_any(),
                    Err(error) => view! { <ErrorView error=error /> }.into_any(),
                }
            })}
        </Suspense>
    }
    .into_any()
}

#[component]
fn Page(oc: Oc, versions: Vec<OcVersion>, restore: ServerAction<RestoreOc>) -> impl IntoView {
    let empty = versions.is_empty();
    view! {
        <PageTitle text=format!("Versions of {}", oc.name) />
        <div class="wrap">
            <h1>{format!("Versions of {}", oc.name)}</h1>
            <p class="lead">
                {format!("This is version {}. Every change keeps the version before it; restoring one makes a new version. ", oc.version)}
                <a class="quiet" href=oc.url.clone()>"Back to the character"</a>
            </p>
            {if empty {
                view! {
                    <Empty title="No earlier versions" hint="When you edit the character, the version before is kept here.">
                        <a class="btn ghost" href=format!("{}/edit", oc.url)>"Edit"</a>
                    </Empty>
                }
                    .into_any()
            } else {
                view! {
                    <div class="list versions">
                        {versions.into_iter().map(|v| view! { <Row oc=oc.clone() version=v restore=restore /> }).collect_view()}
                    </div>
                }
                    .into_any()
            }}
        </div>
    }
    .into_any()
}

#[component]
fn Row(oc: Oc, version: OcVersion, restore: ServerAction<RestoreOc>) -> impl IntoView {
    let OcVersion { version, name, description, personality, greeting, replaced_at, replaced_by, differs } = version;
    let by = if replaced_by.is_empty() { String::new() } else { format!(" by {replaced_by}") };
    let parts = [
        ("Name", &oc.name, name.clone()),
        ("Description", &oc.description, description),
        ("Personality", &oc.personality, personality),
        ("Greeting", &oc.greeting, greeting),
    ];
    let summary = match told(&differs).as_slice() {
        [] => "The same as now".to_owned(),
        names => format!("Different: {}", names.join(", ")),
    };
    view! {
        <details class="version">
            <summary>
                <b>{format!("Version {version}")}</b>
                <span class="meta">"replaced "<Time at=replaced_at />{by}</span>
                <span class="meta">{summary}</span>
            </summary>
            <dl>
                {parts
                    .into_iter()
                    .filter(|(_, _, then)| !then.is_empty())
                    .map(|(label, now, then)| {
                        let now = Some(now.clone()).filter(|now| *now != then);
                        view! {
                            <dt>{label}</dt>
                            <dd class="voice" class:changed=now.is_some()>{then}</dd>
                            {now.map(|now| view! { <dd class="now"><b>"Now"</b>" "<span class="voice">{now}</span></dd> })}
                        }
                    })
                    .collect_view()}
            </dl>
            <Form action=restore class="inline">
                <input type="hidden" name="oc_id" value=oc.id.to_string() />
                <input type="hidden" name="version" value=version.to_string() />
                <FormNote />
                <Submit label=format!("Restore version {version}") class="small" />
            </Form>
        </details>
    }
}

/// Names of what differs, as the form that changes it calls them; the pieces of one thing are one.
fn told(columns: &[String]) -> Vec<&'static str> {
    const NAMES: &[(&str, &str)] = &[
        ("name", "name"),
        ("nickname", "nickname"),
        ("title", "title"),
        ("pronoun", "pronoun"),
        ("age_band", "age"),
        ("description", "description"),
        ("tags", "tags"),
        ("personality", "personality"),
        ("voice_tone", "voice"),
        ("greeting", "greeting"),
        ("alternate_greetings", "alternative greetings"),
        ("example_dialogue", "example chat"),
        ("visual_style", "look"),
        ("appearance_tags", "appearance"),
        ("scenario", "scenario"),
        ("quick_start", "conversation starters"),
        ("content_rating", "content rating"),
        ("system_prompt", "system prompt"),
        ("post_history_instructions", "post-history instructions"),
        ("creator_notes", "creator's notes"),
    ];
    NAMES.iter().filter(|(column, _)| columns.iter().any(|c| c == column)).map(|(_, name)| *name).collect()
}
