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
    let OcVersion { version, name, description, personality, greeting, replaced_at, replaced_by } = version;
    let by = if replaced_by.is_empty() { String::new() } else { format!(" by {replaced_by}") };
    let parts = [
        ("Name", &oc.name, name.clone()),
        ("Description", &oc.description, description),
        ("Personality", &oc.personality, personality),
        ("Greeting", &oc.greeting, greeting),
    ];
    let differ = parts.iter().filter(|(_, now, then)| **now != *then).count();
    let summary = match differ {
        0 => "Same text as now; colours or details differ".to_owned(),
        _ => {
            let names: Vec<&str> = parts.iter().filter(|(_, now, then)| **now != *then).map(|(n, ..)| *n).collect();
            format!("Different: {}", names.join(", ").to_lowercase())
        }
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
                        let changed = *now != then;
                        view! { <dt>{label}</dt><dd class="voice" class:changed=changed>{then}</dd> }
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
