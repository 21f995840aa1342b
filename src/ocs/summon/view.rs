//! The two pages of summoning: the sentence, and the character as it arrives.

use super::{
    JobStatus, Part, SENTENCE_MAX, SETTING_MAX, SummonPage,
    api::{ContinueSummon, StopSummon, Summon, WakeSummoned, get_summon},
};
use crate::{
    app::FrameResource,
    ocs::{
        page_url, portrait_url,
        style::{Mood, VisualStyle},
        theme_class, theme_url,
    },
    ui::{Choice, ErrorView, Form, FormNote, PageTitle, Plate, Select, Submit, TextArea, TextInput, load},
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

/// Sentences that show what can be asked.
const EXAMPLES: &[&str] = &[
    "A shy lighthouse keeper who collects storms in glass jars",
    "An old dragon who runs a small bakery and is terrible at arithmetic",
    "A ghost librarian who is afraid of silence",
    "A fox spirit who sells lies at the night market",
];

/// `/summon`: one sentence, and two wishes that may stay empty.
#[component]
pub fn NewSummonPage() -> impl IntoView {
    let frame = expect_context::<FrameResource>();
    let query = use_query_map();
    let action = ServerAction::<Summon>::new();
    view! {
        <PageTitle text="Summon a character" />
        <div class="wrap summon">
            <h1>"Who should it be?"</h1>
            <p class="lead">
                "One sentence is enough. A name, a home, a voice and a thing or two to carry will follow, and nothing is shown to others before you say so."
            </p>
            <Suspense fallback=|| ()>
                {move || {
                    let given = query.with(|q| q.get("idea").unwrap_or_default());
                    Suspend::new(async move {
                        let signed_in = frame.await.is_ok_and(|f| f.me.is_some());
                        if signed_in {
                            view! { <SentenceForm action=action given=given /> }.into_any()
                        } else {
                            view! {
                                <p class="row-actions">
                                    <a class="btn" href="/sign-up?next=/summon" rel="external">"Sign up to summon"</a>
                                    <a class="btn ghost" href="/sign-in?next=/summon" rel="external">"Sign in"</a>
                                </p>
                            }
                                .into_any()
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

#[component]
fn SentenceForm(action: ServerAction<Summon>, given: String) -> impl IntoView {
    let moods = std::iter::once(Choice::new("", "As it comes"))
        .chain(Mood::ALL.iter().map(|m| Choice::new(m.as_str(), m.as_str())))
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
            <p class="meta">"It takes about half a minute. You can summon eight in a row, then one every two minutes."</p>
        </Form>
    }
}

/// `/summon/{id}`: each part as it arrives.
#[component]
pub fn SummonJobPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|p| p.get("id").unwrap_or_default()));
    let stop = ServerAction::<StopSummon>::new();
    let go_on = ServerAction::<ContinueSummon>::new();
    let job = load(move || (id.get(), go_on.version().get(), stop.version().get()), |(id, _, _)| get_summon(id));
    view! {
        <Suspense fallback=|| ()>
            {move || Suspend::new(async move {
                match job.await {
                    Ok(page) => view! { <Arriving page=page stop=stop go_on=go_on /> }.into_any(),
                    Err(error) => view! { <ErrorView error=error /> }.into_any(),
                }
            })}
        </Suspense>
    }
}

/// What the browser knows about a summon; the server's page is its beginning.
#[derive(Clone, Copy)]
struct Live {
    page: RwSignal<SummonPage>,
    step: RwSignal<String>,
}

impl Live {
    /// Takes an event of the stream. `true` when it was the last one.
    #[cfg_attr(not(feature = "hydrate"), expect(dead_code, reason = "events come in the browser only"))]
    fn take(self, name: &str, data: &str) -> bool {
        let text = |field: &str| {
            serde_json::from_str::<serde_json::Value>(data)
                .ok()
                .and_then(|v| v.get(field).map(|f| f.as_str().map_or_else(|| f.to_string(), str::to_owned)))
                .unwrap_or_default()
        };
        match name {
            "field" => {
                if let Ok(part) = serde_json::from_str::<Part>(data) {
                    self.page.update(|p| p.sheet.take(part));
                }
            }
            "draft" => self.page.update(|p| {
                p.oc_id = text("oc_id").parse().ok();
                p.slug = text("slug");
            }),
            "step" => self.step.set(text("text")),
            "queued" => self.step.set(format!("Waiting for the model, place {}", text("place"))),
            "done" => {
                self.page.update(|p| {
                    p.status = JobStatus::Done;
                    p.oc_id = text("oc_id").parse().ok();
                    p.slug = text("slug");
                });
                return true;
            }
            "failed" => {
                self.page.update(|p| {
                    p.status = JobStatus::Failed;
                    p.error = text("message");
                });
                return true;
            }
            "stopped" => {
                self.page.update(|p| p.status = JobStatus::Stopped);
                return true;
            }
            "interrupted" => {
                self.page.update(|p| p.status = JobStatus::Interrupted);
                return true;
            }
            _ => {}
        }
        false
    }
}

#[component]
fn Arriving(page: SummonPage, stop: ServerAction<StopSummon>, go_on: ServerAction<ContinueSummon>) -> impl IntoView {
    let id = page.id;
    let open = page.status.is_open();
    let first = page.clone();
    let live = Live { page: RwSignal::new(page), step: RwSignal::new(String::new()) };
    if open {
        watch(id, live);
    }
    let sheet = Memo::new(move |_| live.page.with(|p| p.sheet.clone()));
    let status = Memo::new(move |_| live.page.with(|p| p.status));
    let oc = Memo::new(move |_| live.page.with(|p| p.oc_id));
    let slug = Memo::new(move |_| live.page.with(|p| p.slug.clone()));
    let class = move || format!("summoned {}", oc.get().map(theme_class).unwrap_or_default());
    let plate = move || match (oc.get(), live.page.with(|p| p.version)) {
        (Some(id), version) => view! { <Plate src=portrait_url(id, version) eager=true class="rise" /> }.into_any(),
        (None, _) => view! { <span class="plate waiting" aria-hidden="true"></span> }.into_any(),
    };
    let title = move || {
        Some(sheet.with(|s| s.name.clone()))
            .filter(|n| !n.is_empty())
            .unwrap_or_else(|| "Somebody is coming".to_owned())
    };
    let said = move || match status.get() {
        JobStatus::Queued | JobStatus::Running => {
            Some(live.step.get()).filter(|s| !s.is_empty()).unwrap_or_else(|| sheet.with(|s| s.next_step().to_owned()))
        }
        JobStatus::Done => "Everything is here".to_owned(),
        JobStatus::Failed => "It did not work out".to_owned(),
        JobStatus::Stopped => "Stopped".to_owned(),
        JobStatus::Interrupted => "Interrupted".to_owned(),
    };
    view! {
        <PageTitle text="Summoning" />
        {open.then(|| view! { <noscript inner_html="<meta http-equiv=\"refresh\" content=\"3\">"></noscript> })}
        {move || oc.get().map(|id| view! { <link rel="stylesheet" href=theme_url(id) /> })}
        <article class=class>
            <div class="wrap">
                <p class="asked"><span class="meta">"You asked for "</span><q class="voice">{first.form.description.clone()}</q></p>
                <div class="parts">
                    <aside>
                        {plate}
                        {move || sheet.with(|s| s.visual_style.clone()).map(|style| view! { <Palette look=style /> })}
                    </aside>
                    <section>
                        <h1>{title}</h1>
                        {move || part(sheet.with(|s| s.title.clone()), |t| view! { <p class="meta rise">{t}</p> }.into_any())}
                        <p class="progress" role="status" data-status=move || status.with(|s| s.as_str())>{said}</p>
                        {move || view! { <Doors status=status.get() page=live.page stop=stop go_on=go_on slug=slug.get() /> }}
                        {move || part(sheet.with(|s| s.greeting.clone()), |t| view! { <p class="say rise">{t}</p> }.into_any())}
                        {move || part(sheet.with(|s| s.description.clone()), |t| view! { <p class="prose rise">{t}</p> }.into_any())}
                        {move || part(sheet.with(|s| s.personality.clone()), |t| {
                            view! { <div class="rise"><h2>"What they are like"</h2><p class="prose">{t}</p></div> }.into_any()
                        })}
                        <Spoken lines=Memo::new(move |_| sheet.with(|s| s.example_dialogue.clone())) />
                        <Carried items=Memo::new(move |_| sheet.with(|s| s.items.clone())) />
                        {move || sheet.with(|s| s.introduction.clone()).map(|post| {
                            view! {
                                <div class="rise first-post">
                                    <h2>"First post"</h2>
                                    <h3>{post.title}</h3>
                                    <p class="prose">{post.content}</p>
                                </div>
                            }
                        })}
                        <p class="meta made-by">{format!("Written by {} on this server.", first.model)}</p>
                    </section>
                </div>
            </div>
        </article>
    }
}

fn part(text: String, show: impl FnOnce(String) -> AnyView) -> Option<AnyView> {
    (!text.is_empty()).then(|| show(text))
}

/// What can be done now.
#[component]
fn Doors(
    status: JobStatus,
    page: RwSignal<SummonPage>,
    stop: ServerAction<StopSummon>,
    go_on: ServerAction<ContinueSummon>,
    slug: String,
) -> impl IntoView {
    let wake = ServerAction::<WakeSummoned>::new();
    let (id, public, error, sentence) =
        page.with_untracked(|p| (p.id.to_string(), p.is_public, p.error.clone(), p.form.description.clone()));
    let again = format!(
        "/summon?idea={}",
        sentence.replace('%', "%25").replace('&', "%26").replace('#', "%23").replace('+', "%2B").replace(' ', "+")
    );
    let has_draft = !slug.is_empty();
    let edit = format!("{}/edit", page_url(&slug));
    match status {
        JobStatus::Queued | JobStatus::Running => view! {
            <div class="row-actions">
                <ActionForm action=stop>
                    <input type="hidden" name="id" value=id />
                    <button class="btn ghost small" type="submit">"Stop"</button>
                </ActionForm>
                <span class="meta">"You can close this page. It goes on."</span>
            </div>
        }
        .into_any(),
        JobStatus::Done if public => {
            view! { <p class="row-actions"><a class="btn" href=page_url(&slug)>"Go to their page"</a></p> }.into_any()
        }
        JobStatus::Done => view! {
            <div class="row-actions">
                <Form action=wake>
                    <input type="hidden" name="id" value=id />
                    <Submit label="Wake them" />
                    <FormNote />
                </Form>
                <a class="btn ghost" href=edit>"Look at it and edit"</a>
            </div>
            <p class="meta">"A draft is yours alone. Waking them shows the page to everybody and sends the first post."</p>
        }
        .into_any(),
        JobStatus::Failed | JobStatus::Stopped | JobStatus::Interrupted => view! {
            {(!error.is_empty()).then(|| view! { <p class="note bad">{error}</p> })}
            <div class="row-actions">
                <Form action=go_on>
                    <input type="hidden" name="id" value=id />
                    <Submit label=if status == JobStatus::Failed { "Try again" } else { "Go on" } />
                    <FormNote />
                </Form>
                {has_draft.then(|| view! { <a class="btn ghost" href=edit>"Finish it by hand"</a> })}
                <a class="btn ghost" href=again>"Change the sentence"</a>
            </div>
            <p class="meta">"What has arrived is kept."</p>
        }
        .into_any(),
    }
}

/// The colours as swatches with their values, and the notes beside them.
#[component]
fn Palette(look: VisualStyle) -> impl IntoView {
    let first = look.background.colours().first().map(ToString::to_string).unwrap_or_default();
    let swatch = |name: &'static str, colour: String| {
        view! {
            <div>
                <svg viewBox="0 0 10 4" preserveAspectRatio="none" aria-hidden="true"><rect width="10" height="4" fill=colour.clone() /></svg>
                <span>{name}</span>
                <span>{colour}</span>
            </div>
        }
    };
    view! {
        <div class="colours rise">
            {swatch("background", first)}
            {swatch("primary", look.primary_color.to_string())}
            {swatch("accent", look.accent_color.to_string())}
        </div>
        <dl class="facts rise">
            <dt>"Mood"</dt>
            <dd>{look.mood.as_str()}</dd>
            <dt>"Atmosphere"</dt>
            <dd>{look.atmosphere.as_str()}</dd>
        </dl>
    }
}

#[component]
fn Spoken(lines: Memo<Vec<crate::ocs::ExampleLine>>) -> impl IntoView {
    view! {
        <Show when=move || lines.with(|l| !l.is_empty())>
            <div class="spoken">
                <h2>"How they speak"</h2>
                <For each=move || lines.get() key=|line| line.user.clone() let:line>
                    <div class="rise">
                        <p class="meta">{line.user}</p>
                        <p class="prose">{line.oc}</p>
                    </div>
                </For>
            </div>
        </Show>
    }
}

#[component]
fn Carried(items: Memo<Vec<super::SummonedItem>>) -> impl IntoView {
    view! {
        <Show when=move || items.with(|i| !i.is_empty())>
            <h2>"What they carry"</h2>
            <div class="items">
                <For each=move || items.get() key=|item| item.name.clone() let:item>
                    <div class="item rise">
                        <span class="rare">{item.rarity.label()}</span>
                        <b>{item.name}</b>
                        <p>{item.description}</p>
                        <p>{item.personality_effects}</p>
                    </div>
                </For>
            </div>
        </Show>
    }
}

/// Follows the stream in the browser until its last event.
#[cfg(feature = "hydrate")]
fn watch(id: crate::ids::JobId, live: Live) {
    use crate::chat::live::{BACK, LOST, Source, open};
    use std::{cell::RefCell, rc::Rc};
    const NAMES: &[&str] = &["field", "draft", "step", "queued", "done", "failed", "stopped", "interrupted"];
    let held: StoredValue<Option<Rc<RefCell<Option<Source>>>>, LocalStorage> = StoredValue::new_local(None);
    Effect::new(move |_| {
        let source = Rc::new(RefCell::new(None));
        let inside = Rc::clone(&source);
        let opened = open(&format!("/api/jobs/{id}/events"), NAMES, move |name, data| {
            if name == LOST || name == BACK {
                live.step.set(if name == LOST { "Connection lost, trying again".to_owned() } else { String::new() });
            } else if live.take(name, data) {
                // Dropped in the next turn: the handler that runs now belongs to it.
                let inside = Rc::clone(&inside);
                leptos::task::spawn_local(async move { drop(inside.borrow_mut().take()) });
            }
        });
        *source.borrow_mut() = opened;
        held.set_value(Some(source));
    });
    on_cleanup(move || {
        if let Some(source) = held.try_update_value(Option::take).flatten() {
            drop(source.borrow_mut().take());
        }
    });
}

#[cfg(not(feature = "hydrate"))]
const fn watch(_: crate::ids::JobId, _: Live) {}
