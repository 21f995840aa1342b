//! `/summon`: the sentence that it begins with.

use super::{
    Hints, SENTENCE_MAX, SETTING_MAX,
    api::{Summon, summon_hints},
};
use crate::{
    app::FrameResource,
    models::notice::ModelNotice,
    ocs::style::Mood,
    ui::{Choice, Form, FormNote, PageTitle, Select, Submit, TextArea, TextInput, load},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// Sentences that show what can be asked.
const EXAMPLES: &[&str] = &[
    "A shy lighthouse keeper who collects storms in glass jars",
    "An old dragon who runs a small bakery and is terrible at arithmetic",
    "A ghost librarian who is afraid of silence",
    "A fox spirit who sells lies at the night market",
];

/// `/summon`: one sentence, and two wishes that may stay empty. Whoever is not signed in writes it first and signs up with
/// it.
#[component]
pub fn NewSummonPage() -> impl IntoView {
    let frame = expect_context::<FrameResource>();
    let query = use_query_map();
    let action = ServerAction::<Summon>::new();
    let hints = load(|| (), |()| summon_hints());
    view! {
        <PageTitle text="Summon a character" />
        <div class="wrap summon">
            <h1>"Who do you want to meet?"</h1>
            <p class="lead">
                "Describe them in a sentence. We'll draw and write the rest. It's private until you publish. "
                <a class="quiet" rel="external" href="/characters/import">"Import a character card"</a>
            </p>
            <Suspense fallback=|| ()>
                {move || {
                    let given = query.with(|q| q.get("idea").unwrap_or_default());
                    Suspend::new(async move {
                        let signed_in = frame.await.is_ok_and(|f| f.me.is_some());
                        let hints = hints.await.unwrap_or_default();
                        let status = hints.status.clone();
                        let form = if signed_in {
                            view! { <SentenceForm action=action given=given hints=hints /> }.into_any()
                        } else {
                            view! { <SentenceFirst given=given hints=hints /> }.into_any()
                        };
                        view! {
                            <ModelNotice status=status summons=true />
                            {form}
                        }
                    })
                }}
            </Suspense>
            <section class="ideas" aria-labelledby="ideas">
                <h2 id="ideas">"For example"</h2>
                <ul>
                    {EXAMPLES
                        .iter()
                        .map(|idea| {
                            let href = format!("/summon?idea={}", idea.replace(' ', "+"));
                            view! { <li><a class="voice" href=href>{*idea}</a></li> }
                        })
                        .collect_view()}
                </ul>
            </section>
        </div>
    }
}

/// What the writer is weak at, said before it is asked.
#[component]
fn Weak(hints: Hints) -> impl IntoView {
    let words = if hints.status.small {
        "Small built-in model: simple characters, and in English only. "
    } else {
        "The built-in model writes in English. In other languages what it writes often makes no sense. "
    };
    hints.is_built_in.then(|| {
        view! {
            <p class="meta weak">
                {words}
                {hints.may_choose.then(|| view! { <a href="/admin/models" rel="external">"Choose a better model"</a> })}
            </p>
        }
    })
}

/// The sentence of somebody who has not signed in: an ordinary form, so that it works everywhere.
#[component]
fn SentenceFirst(given: String, hints: Hints) -> impl IntoView {
    view! {
        <form class="form sentence" method="get" action="/summon/join">
            <TextArea
                name="idea"
                label="Your sentence"
                hint="Say what they are and what they do. You can give a name: “Nyx, a clever thief with a mechanical cat”."
                value=given
                rows=3
                required=true
                max=u32::try_from(SENTENCE_MAX).unwrap_or(500)
            />
            <p class="row-actions">
                <button class="btn" type="submit">"Sign up to summon"</button>
                <button class="btn ghost" type="submit" name="known" value="1">"Sign in"</button>
            </p>
            <p class="meta">"Your sentence is kept while you sign up."</p>
            <Weak hints=hints />
        </form>
    }
}

#[component]
fn SentenceForm(action: ServerAction<Summon>, given: String, hints: Hints) -> impl IntoView {
    let moods = std::iter::once(Choice::new("", "Surprise me"))
        .chain(Mood::ALL.iter().map(|m| Choice::new(m.as_str(), crate::ui::capital(m.as_str()))))
        .collect::<Vec<_>>();
    view! {
        <Form action=action class="sentence">
            <TextArea
                name="form[description]"
                label="Your sentence"
                hint="Say what they are and what they do. You can give a name: “Nyx, a clever thief with a mechanical cat”."
                value=given
                rows=3
                required=true
                max=u32::try_from(SENTENCE_MAX).unwrap_or(500)
            />
            <div class="wishes">
                <Select name="form[mood]" label="Mood" choices=moods />
                <TextInput
                    name="form[setting]"
                    label="Where they live"
                    placeholder="anywhere"
                    max=u32::try_from(SETTING_MAX).unwrap_or(120)
                />
            </div>
            <FormNote />
            <Submit label="Summon" />
            <p class="meta">"Takes about 40 seconds. "<a href="/characters/mine">"Your drafts"</a></p>
            <Weak hints=hints />
        </Form>
    }
}
