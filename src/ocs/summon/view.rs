//! The page of a summon: the character as it arrives, and what can be redrawn of it.

pub use super::start::NewSummonPage;
use super::{
    Arrived, JobStatus, Part, SummonPage,
    api::{ContinueSummon, Redraw, SetPronoun, StopSummon, WakeSummoned, get_summon},
    label,
};
use crate::{
    ocs::{ExampleLine, Pronoun, page_url, portrait_url, style::VisualStyle, theme_class, theme_url},
    ui::{ErrorView, Form, FormNote, PageTitle, Plate, Submit, load},
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// `/summon/{id}`: each part as it arrives.
#[component]
pub fn SummonJobPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|p| p.get("id").unwrap_or_default()));
    let acts = Acts {
        stop: ServerAction::new(),
        go_on: ServerAction::new(),
        redraw: ServerAction::new(),
        pronoun: ServerAction::new(),
    };
    let job = load(move || (id.get(), acts.versions()), |(id, _)| get_summon(id));
    view! {
        <Suspense fallback=|| ()>
            {move || Suspend::new(async move {
                match job.await {
                    Ok(page) => view! { <Arriving page=page acts=acts /> }.into_any(),
                    Err(error) => view! { <ErrorView error=error /> }.into_any(),
                }
            })}
        </Suspense>
    }
}

/// What can be done on a summon's page.
#[derive(Clone, Copy)]
struct Acts {
    stop: ServerAction<StopSummon>,
    go_on: ServerAction<ContinueSummon>,
    redraw: ServerAction<Redraw>,
    pronoun: ServerAction<SetPronoun>,
}

impl Acts {
    /// Changes whenever one of them was done.
    fn versions(self) -> [usize; 4] {
        [
            self.stop.version().get(),
            self.go_on.version().get(),
            self.redraw.version().get(),
            self.pronoun.version().get(),
        ]
    }
}

/// What the browser knows about a summon; the server's page is its beginning.
#[derive(Clone, Copy)]
struct Live {
    page: RwSignal<SummonPage>,
    step: RwSignal<String>,
    /// Percent that is written, and the seconds that the rest takes.
    progress: RwSignal<Option<(u32, u32)>>,
}

impl Live {
    /// Takes an event of the stream. `true` when it was the last one.
    #[cfg_attr(not(feature = "hydrate"), expect(dead_code, reason = "events come in the browser only"))]
    fn take(self, name: &str, data: &str) -> bool {
        let value = serde_json::from_str::<serde_json::Value>(data).unwrap_or_default();
        let text = |field: &str| {
            value.get(field).map(|f| f.as_str().map_or_else(|| f.to_string(), str::to_owned)).unwrap_or_default()
        };
        let number = |field: &str| text(field).parse::<u32>().unwrap_or_default();
        let ends = |status: JobStatus| {
            self.page.update(|p| p.status = status);
            true
        };
        match name {
            "field" => {
                if let Ok(part) = serde_json::from_str::<Part>(data) {
                    self.page.update(|p| drop(p.arrived.take(&part)));
                }
            }
            "draft" => self.page.update(|p| {
                p.oc_id = text("oc_id").parse().ok();
                p.slug = text("slug");
            }),
            "step" => self.step.set(text("text")),
            "queued" => self.step.set(in_line(number("place"), number("seconds"))),
            "progress" => self.progress.set(Some((number("percent"), number("seconds")))),
            "done" => {
                self.page.update(|p| {
                    p.oc_id = text("oc_id").parse().ok();
                    p.slug = text("slug");
                });
                return ends(JobStatus::Done);
            }
            "failed" => {
                self.page.update(|p| p.error = text("message"));
                return ends(JobStatus::Failed);
            }
            "stopped" => return ends(JobStatus::Stopped),
            "interrupted" => return ends(JobStatus::Interrupted),
            _ => {}
        }
        false
    }
}

/// A place in the queue in plain words; the place counts from 1.
fn in_line(place: u32, seconds: u32) -> String {
    let end = match (place % 10, place % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    match seconds {
        0 => "Next in line".to_owned(),
        s if s < 90 => format!("{place}{end} in line, about {s} seconds"),
        s => format!("{place}{end} in line, about {} minutes", s.div_ceil(60)),
    }
}

/// The time that is left, rounded so that it does not flicker.
fn left(seconds: u32) -> String {
    match seconds {
        0..=6 => "almost done".to_owned(),
        s @ 7..=90 => format!("about {} seconds left", s.div_ceil(5) * 5),
        s => format!("about {} minutes left", s.div_ceil(60)),
    }
}

#[component]
fn Arriving(page: SummonPage, acts: Acts) -> impl IntoView {
    let id = page.id;
    let open = page.status.is_open();
    let first = page.clone();
    let live = Live { page: RwSignal::new(page), step: RwSignal::new(String::new()), progress: RwSignal::new(None) };
    if open {
        watch(id, live);
    }
    let arrived = Memo::new(move |_| live.page.with(|p| p.arrived.clone()));
    let status = Memo::new(move |_| live.page.with(|p| p.status));
    let oc = Memo::new(move |_| live.page.with(|p| p.oc_id));
    let slug = Memo::new(move |_| live.page.with(|p| p.slug.clone()));
    // What is not there yet is drawn as a place for it, as long as it may still come.
    let waits = move |field: &'static str| status.get().is_open() && arrived.with(|a| !a.has(field));
    let may_redraw = Memo::new(move |_| status.get() == JobStatus::Done && live.page.with(|p| !p.is_public));
    let again = move |part: &'static str| {
        move || {
            oc.get()
                .filter(|_| may_redraw.get())
                .map(|oc| view! { <Again action=acts.redraw oc=oc.to_string() part=part /> })
        }
    };
    let class = move || format!("summoned {}", oc.get().map(theme_class).unwrap_or_default());
    let plate = move || match (oc.get(), live.page.with(|p| p.version)) {
        (Some(id), version) => view! { <Plate src=portrait_url(id, version) eager=true class="rise" /> }.into_any(),
        (None, _) => view! { <span class="plate waiting" aria-hidden="true"></span> }.into_any(),
    };
    let title = move || {
        Some(arrived.with(|a| a.sheet.name.clone())).filter(|n| !n.is_empty()).unwrap_or_else(|| match status.get() {
            JobStatus::Queued | JobStatus::Running => "Somebody is coming".to_owned(),
            _ => "Nobody yet".to_owned(),
        })
    };
    let said = move || match status.get() {
        JobStatus::Queued | JobStatus::Running => {
            let step = Some(live.step.get())
                .filter(|s| !s.is_empty())
                .unwrap_or_else(|| arrived.with(|a| a.next_step().to_owned()));
            match live.progress.get() {
                Some((_, seconds)) => format!("{step}: {}", left(seconds)),
                None => step,
            }
        }
        JobStatus::Done => "Ready".to_owned(),
        JobStatus::Failed => "It did not work out".to_owned(),
        JobStatus::Stopped => "Stopped".to_owned(),
        JobStatus::Interrupted => "Interrupted".to_owned(),
    };
    let percent = move || live.progress.get().map_or(4, |(percent, _)| percent.max(4)).to_string();
    let text = move |field: &'static str, read: fn(&Arrived) -> String, lines: u8, show: fn(String) -> AnyView| {
        move || {
            if waits(field) {
                return Some(view! { <Skeleton lines=lines /> }.into_any());
            }
            Some(arrived.with(read)).filter(|text| !text.is_empty()).map(show)
        }
    };
    let missing = move || {
        let names = arrived.with(|a| a.filled.iter().map(|field| label(field).to_lowercase()).collect::<Vec<_>>());
        (status.get() == JobStatus::Done && !names.is_empty()).then(|| {
            let names = names.join(", ");
            view! {
                <p class="note filled">
                    {format!("The model did not write: {names}. This was filled in from your sentence or left empty. Redraw it, or edit it.")}
                </p>
            }
        })
    };
    view! {
        <PageTitle text="Summoning" />
        {open.then(|| view! { <noscript inner_html="<meta http-equiv=\"refresh\" content=\"3\">"></noscript> })}
        {move || oc.get().map(|id| view! { <link rel="stylesheet" href=theme_address(id, live.page.with(|p| p.version)) /> })}
        <article class=class>
            <div class="wrap">
                <p class="asked"><span class="meta">"You asked for "</span><q class="voice">{first.form.description.clone()}</q></p>
                <div class="parts">
                    <aside>
                        {plate}
                        {again("appearance_tags")}
                        {move || {
                            arrived
                                .with(|a| a.has("visual_style").then(|| a.sheet.visual_style.clone()))
                                .map(|style| view! { <Palette look=style /> })
                        }}
                        {again("visual_style")}
                    </aside>
                    <section>
                        <h1>{title}</h1>
                        {again("name")}
                        {text("title", |a| a.sheet.title.clone(), 1, |t| view! { <p class="meta rise">{t}</p> }.into_any())}
                        {move || oc.get().filter(|_| may_redraw.get()).map(|oc| view! {
                            <Spoken action=acts.pronoun oc=oc.to_string() now=arrived.with(|a| a.sheet.pronoun) />
                        })}
                        <p class="progress" role="status" data-status=move || status.with(|s| s.as_str())>{said}</p>
                        {move || status.get().is_open().then(|| view! {
                            <progress class="bar" max="100" value=percent aria-label="How much is written"></progress>
                        })}
                        {missing}
                        {move || view! { <Doors status=status.get() page=live.page acts=acts slug=slug.get() /> }}
                        {text("greeting", |a| a.sheet.greeting.clone(), 2, |t| view! { <p class="say rise">{t}</p> }.into_any())}
                        {again("greeting")}
                        {text("description", |a| a.sheet.description.clone(), 3, |t| view! { <p class="prose rise">{t}</p> }.into_any())}
                        {again("description")}
                        {text("personality", |a| a.sheet.personality.clone(), 3, |t| {
                            view! { <div class="rise"><h2>"Personality"</h2><p class="prose">{t}</p></div> }.into_any()
                        })}
                        {again("personality")}
                        {text("voice_tone", |a| a.sheet.voice_tone.clone(), 1, |t| {
                            view! { <div class="rise"><h2>"Voice"</h2><p class="prose">{t}</p></div> }.into_any()
                        })}
                        {again("voice_tone")}
                        {text("scenario", |a| a.sheet.scenario.clone(), 1, |t| {
                            view! { <div class="rise"><h2>"Scenario"</h2><p class="prose">{t}</p></div> }.into_any()
                        })}
                        {again("scenario")}
                        <Talk lines=Memo::new(move |_| arrived.with(|a| a.sheet.example_dialogue.clone())) />
                        {again("example_dialogue")}
                        <Carried items=Memo::new(move |_| arrived.with(|a| a.items.clone())) />
                        {move || arrived.with(|a| a.sheet.introduction.clone()).map(|(title, content)| {
                            view! {
                                <div class="rise first-post">
                                    <h2>"Introduction"</h2>
                                    <h3>{title}</h3>
                                    <p class="prose">{content}</p>
                                </div>
                            }
                        })}
                        {again("introduction")}
                        <p class="meta made-by">{format!("Written by {}. Portrait drawn from the name, colours and appearance.", first.model)}</p>
                    </section>
                </div>
            </div>
        </article>
    }
}

/// Colours change when the palette is redrawn.
fn theme_address(id: crate::ids::OcId, version: i32) -> String {
    format!("{}?v={version}", theme_url(id))
}

/// The place of a text that is still being written.
#[component]
fn Skeleton(lines: u8) -> impl IntoView {
    view! { <div class="skeleton" aria-hidden="true">{(0..lines).map(|_| view! { <span></span> }).collect_view()}</div> }
}

/// A button that draws one part again.
#[component]
fn Again(action: ServerAction<Redraw>, oc: String, part: &'static str) -> impl IntoView {
    let name = label(part);
    view! {
        <Form action=action class="again">
            <input type="hidden" name="oc_id" value=oc />
            <input type="hidden" name="part" value=part />
            <button type="submit" class="quiet" aria-label=format!("Redraw: {name}")>
                {if part == "appearance_tags" { "Redraw face".to_owned() } else { format!("Redraw {}", name.to_lowercase()) }}
            </button>
            <FormNote />
        </Form>
    }
}

/// How they are spoken of, and the other ways at one click.
#[component]
fn Spoken(action: ServerAction<SetPronoun>, oc: String, now: Pronoun) -> impl IntoView {
    view! {
        <Form action=action class="pronouns">
            <input type="hidden" name="oc_id" value=oc />
            <span class="meta">"Pronoun: "</span>
            {Pronoun::ALL
                .iter()
                .map(|p| {
                    let chosen = *p == now;
                    view! {
                        <button
                            type="submit"
                            class="quiet"
                            name="pronoun"
                            value=p.as_str()
                            aria-pressed=if chosen { "true" } else { "false" }
                        >
                            {p.label()}
                        </button>
                    }
                })
                .collect_view()}
        </Form>
    }
}

/// What can be done now.
#[component]
fn Doors(status: JobStatus, page: RwSignal<SummonPage>, acts: Acts, slug: String) -> impl IntoView {
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
                <ActionForm action=acts.stop>
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
                    <Submit label="Publish" />
                    <FormNote />
                </Form>
                <a class="btn ghost" href=edit>"Review and edit"</a>
            </div>
            <p class="meta">"Only you can see this draft. Publishing makes the page public and posts their introduction."</p>
        }
        .into_any(),
        JobStatus::Failed | JobStatus::Stopped | JobStatus::Interrupted => view! {
            {(!error.is_empty()).then(|| view! { <p class="note bad">{error}</p> })}
            <div class="row-actions">
                <Form action=acts.go_on>
                    <input type="hidden" name="id" value=id />
                    <Submit label=if status == JobStatus::Failed { "Try again" } else { "Continue" } />
                    <FormNote />
                </Form>
                {has_draft.then(|| view! { <a class="btn ghost" href=edit>"Finish it by hand"</a> })}
                <a class="btn ghost" href=again>"Change the sentence"</a>
            </div>
            <p class="meta">"What was written is saved."</p>
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
fn Talk(lines: Memo<Vec<ExampleLine>>) -> impl IntoView {
    view! {
        <Show when=move || lines.with(|l| !l.is_empty())>
            <div class="spoken">
                <h2>"Example chat"</h2>
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
            <h2>"Items"</h2>
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
    const NAMES: &[&str] =
        &["field", "draft", "step", "queued", "progress", "done", "failed", "stopped", "interrupted"];
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

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::{in_line, left};

    #[test]
    fn waits_are_said_in_plain_words() {
        assert_eq!(in_line(1, 0), "Next in line");
        assert_eq!(in_line(2, 8), "2nd in line, about 8 seconds");
        assert_eq!(in_line(3, 16), "3rd in line, about 16 seconds");
        assert_eq!(in_line(12, 88), "12th in line, about 88 seconds");
        assert_eq!(in_line(21, 160), "21st in line, about 3 minutes");
        assert_eq!(
            (left(3).as_str(), left(28).as_str(), left(200).as_str()),
            ("almost done", "about 30 seconds left", "about 4 minutes left")
        );
    }
}
