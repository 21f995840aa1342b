//! One line: a character's words stand on the page beside its small plate, one's own in a tinted bubble.

use super::{
    edit::EditLine,
    menu::{More, Rate},
    room::Shared,
};
use crate::{
    chat::{Line, Lines, Partner, RunStatus, Sender},
    error::AppError,
    trust::view::HelpCard,
    ui::{Icon, IconName, Mini},
};
use leptos::{
    prelude::*,
    server_fn::{Http, ServerFn, client::Client, codec::PostUrl, request::ClientReq},
};
use serde::de::DeserializeOwned;

/// A line and what can be done with it.
#[component]
pub fn LineView(
    /// What was said.
    line: Line,
    /// Nothing follows it.
    is_last: bool,
    /// With whom.
    oc: StoredValue<Partner>,
) -> impl IntoView {
    if line.is_card {
        return view! { <Card line=line is_last=is_last /> }.into_any();
    }
    match line.sender {
        Sender::User => view! { <Own line=line /> }.into_any(),
        Sender::Oc => view! { <Reply line=line is_last=is_last oc=oc /> }.into_any(),
    }
}

/// Help lines in place of a reply. Nothing of it can be changed; the talk can go on below it.
#[component]
fn Card(line: Line, is_last: bool) -> impl IntoView {
    let shared = expect_context::<Shared>();
    let id = line.id.to_string();
    let anchor = format!("m-{id}");
    view! {
        <article class="help" id=anchor>
            <h2 class="sr">"Help lines"</h2>
            <HelpCard html=line.html>
                {is_last
                    .then(|| view! { <div class="row-actions">{act(shared.again, &id, "btn small", "Continue the chat")}</div> })}
            </HelpCard>
        </article>
    }
}

#[component]
fn Own(line: Line) -> impl IntoView {
    let id = line.id.to_string();
    let anchor = format!("m-{id}");
    let is_open = use_editing(&id);
    let (html, for_edit) = (said(&line.html), StoredValue::new(line.clone()));
    let shows = use_opened(&anchor);
    view! {
        <article class="mine" id=anchor class:shows=shows>
            <h2 class="sr">"You"</h2>
            {move || {
                if is_open.get() {
                    view! { <EditLine line=for_edit.get_value() /> }.into_any()
                } else {
                    view! { <div class="me said" inner_html=html.clone()></div> }.into_any()
                }
            }}
            <div class="under quiet-until-near" class:gone=is_open>
                {(line.places > 1).then(|| view! { <Turn id=id.clone() place=line.place places=line.places can_again=false /> })}
                <Clock line=line.clone() />
                <Edited is_edited=line.is_edited />
                <CopyButton content=line.content.clone() />
                <EditLink id=id />
                <More line=line can_continue=false can_again=false receipt=None deletes="Delete this and all later messages" />
            </div>
        </article>
    }
}

#[component]
fn Reply(line: Line, is_last: bool, oc: StoredValue<Partner>) -> impl IntoView {
    let shared = expect_context::<Shared>();
    let id = line.id.to_string();
    let name = oc.with_value(Partner::short_name);
    let is_open = line.open_run().is_some();
    let status = line.run.as_ref().map(|r| r.status);
    let is_cut = line.run.as_ref().is_some_and(|r| r.cut);
    let error = line.run.as_ref().map(|r| r.error.clone()).unwrap_or_default();
    let has_words = !line.content.trim().is_empty();
    // Words that somebody has put right since are neither stopped nor cut.
    let has_ended_badly =
        !line.is_edited && matches!(status, Some(RunStatus::Stopped | RunStatus::Interrupted | RunStatus::Failed));
    let note = match status {
        _ if line.is_edited => String::new(),
        Some(RunStatus::Failed) => format!("{name} could not answer. {error}"),
        Some(RunStatus::Stopped) => "Stopped.".to_owned(),
        Some(RunStatus::Done) => error,
        Some(RunStatus::Interrupted) => "Interrupted. What was written is saved.".to_owned(),
        _ => String::new(),
    };
    let can_continue = is_last && has_words && !is_open && !line.is_first;
    let wants_more = can_continue && !line.is_edited && (is_cut || has_ended_badly);
    let can_retry = is_last && !has_words && status.is_some_and(|s| !s.is_open() && s != RunStatus::Done);
    let can_again = !is_open && !can_retry && !line.is_first;
    let is_bad = status == Some(RunStatus::Failed);
    let deletes = if is_last { "Delete this reply" } else { "Delete this and all later messages" };
    let editing = use_editing(&id);
    let for_edit = StoredValue::new(line.clone());
    let conversation = shared.lines.with_untracked(|l| l.as_ref().map(|l| l.conversation_id));
    let receipt = line.run.as_ref().zip(conversation).map(|(r, c)| format!("/chat/{c}/receipt/{}", r.id));
    let acts = (!is_open).then(|| {
        let line = line.clone();
        view! {
            <div class="under" class:quiet-until-near=!is_last class:gone=editing>
                {(line.places > 1 || (can_again && is_last))
                    .then(|| {
                        view! { <Turn id=id.clone() place=line.place places=line.places can_again=can_again && is_last /> }
                    })}
                {can_retry.then(|| act(shared.retry, &id, "do strong", "Try again"))}
                {wants_more.then(|| act(shared.go_on, &id, "do strong", "Continue"))}
                {(can_again && is_last).then(|| act(shared.again, &id, "do again", "Regenerate"))}
                <Edited is_edited=line.is_edited />
                {(has_words && !line.is_first).then(|| view! { <Rate line=line.clone() /> })}
                {has_words.then(|| view! { <CopyButton content=line.content.clone() /> })}
                {has_words.then(|| view! { <EditLink id=id.clone() /> })}
                <More
                    line=line
                    can_continue=can_continue && !wants_more
                    can_again=can_again && !is_last
                    receipt=receipt
                    deletes=deletes
                />
                {(can_again && is_last).then(|| view! { <span class="swipe">"Swipe for another version"</span> })}
            </div>
        }
    });
    let html = said(&line.html);
    let anchor = format!("m-{id}");
    let shows = use_opened(&anchor);
    view! {
        <article class="oc" id=anchor class:shows=shows aria-busy=is_open.then_some("true")>
            <Mini src=oc.with_value(|o| o.portrait_url.clone()) />
            <div>
                <div class="by">
                    <h2>{name}</h2>
                    <Clock line=line.clone() />
                </div>
                {move || {
                    if is_open {
                        view! { <Writing html=html.clone() /> }.into_any()
                    } else if editing.get() {
                        view! { <EditLine line=for_edit.get_value() /> }.into_any()
                    } else {
                        view! { <div class="said" inner_html=html.clone()></div> }.into_any()
                    }
                }}
                {(!note.is_empty()).then(|| view! { <p class="ended" class:bad=is_bad>{note}</p> })}
                {acts}
            </div>
        </article>
    }
}

/// Whether this line is the one that is being changed.
fn use_editing(id: &str) -> Memo<bool> {
    let (shared, id) = (expect_context::<Shared>(), id.to_owned());
    Memo::new(move |_| shared.editing.with(|e| e.as_ref() == Some(&id)))
}

/// Whether the tools of the line with this id on the page were called by a tap.
fn use_opened(anchor: &str) -> Memo<bool> {
    let (shared, anchor) = (expect_context::<Shared>(), anchor.to_owned());
    Memo::new(move |_| shared.opened.with(|opened| *opened == anchor))
}

/// When a line was said; the day stands above the first line of each.
#[component]
fn Clock(line: Line) -> impl IntoView {
    view! { <time class="clock" datetime=line.at.iso title=line.at.text>{line.clock}</time> }
}

/// A line as the page shows it: each block of code with a button that copies it (`keys.rs`), and in reach of the Tab key,
/// since it may scroll. The server has made sure that these are its own marks: those of others are text.
fn said(html: &str) -> String {
    html.replace("<pre>", "<button type=\"button\" class=\"copy-code\">Copy code</button><pre tabindex=\"0\">")
}

/// Leads to the form that changes a line.
#[component]
fn EditLink(id: String) -> impl IntoView {
    let shared = expect_context::<Shared>();
    view! { <a class="do edit-link" href=move || shared.address(Some(&id)) data-noscroll="">"Edit"</a> }
}

/// Says that the words are not as they were said.
#[component]
fn Edited(is_edited: bool) -> impl IntoView {
    is_edited.then(|| view! { <span class="was-edited">"Edited"</span> })
}

/// A button that does something with a line.
pub fn act<F, O>(action: ServerAction<F>, id: &str, class: &'static str, label: &'static str) -> AnyView
where
    F: DeserializeOwned
        + ServerFn<Protocol = Http<PostUrl, O>, Output = Lines, Error = AppError>
        + Clone
        + Send
        + Sync
        + 'static,
    <<F::Client as Client<AppError>>::Request as ClientReq<AppError>>::FormData: From<web_sys::FormData>,
    F::Client: Client<AppError>,
    O: 'static,
{
    let id = id.to_owned();
    view! {
        <ActionForm action=action>
            <input type="hidden" name="message_id" value=id />
            <button class=class type="submit">{label}</button>
        </ActionForm>
    }
    .into_any()
}

/// Words as they come, with a soft caret. Until the first one: who is waited for.
#[component]
fn Writing(html: String) -> impl IntoView {
    let shared = expect_context::<Shared>();
    let waiting = move || match shared.place.get() {
        0 | 1 => None,
        2 => Some("Next in line".to_owned()),
        n => Some(format!("{} in line", ordinal(n))),
    };
    let has_spoken = Memo::new(move |_| shared.spoken.with(|s| !s.is_empty()));
    view! {
        <div class="said live">
            {move || {
                if has_spoken.get() {
                    view! { <p>{move || pieces(&shared.spoken.get())}<span class="caret"></span></p> }.into_any()
                } else if html.is_empty() {
                    view! { <p><span class="caret waiting"></span><span class="meta">{waiting}</span></p> }.into_any()
                } else {
                    view! { <div inner_html=html.clone()></div><span class="caret"></span> }.into_any()
                }
            }}
        </div>
    }
}

/// `3rd`.
fn ordinal(n: u32) -> String {
    let end = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{end}")
}

/// Text with `*actions*` set apart while it is still coming; the server's own rendering takes over at the end.
fn pieces(text: &str) -> Vec<AnyView> {
    text.replace("**", "")
        .split('*')
        .enumerate()
        .map(|(i, piece)| {
            let piece = piece.to_owned();
            if i % 2 == 1 { view! { <em>{piece}</em> }.into_any() } else { piece.into_any() }
        })
        .collect()
}

/// Back and forth between the versions of a message; where another one can be asked for, forth does so at the end.
#[component]
fn Turn(id: String, place: u32, places: u32, can_again: bool) -> impl IntoView {
    let shared = expect_context::<Shared>();
    let at_end = place >= places;
    let for_back = id.clone();
    let forth = if at_end && can_again {
        view! {
            <ActionForm action=shared.again>
                <input type="hidden" name="message_id" value=id />
                <button class="do" type="submit" data-step="1" aria-label="New version"><Icon name=IconName::ChevronRight /></button>
            </ActionForm>
        }
            .into_any()
    } else {
        view! {
            <ActionForm action=shared.turn>
                <input type="hidden" name="message_id" value=id />
                <button class="do" type="submit" name="step" value="1" data-step="1" disabled=at_end aria-label="Next version"><Icon name=IconName::ChevronRight /></button>
            </ActionForm>
        }
            .into_any()
    };
    view! {
        <span class="turn">
            <ActionForm action=shared.turn>
                <input type="hidden" name="message_id" value=for_back />
                <button class="do" type="submit" name="step" value="-1" data-step="-1" disabled=place <= 1 aria-label="Previous version"><Icon name=IconName::ChevronLeft /></button>
            </ActionForm>
            <span>{place}" of "{places}</span>
            {forth}
        </span>
    }
}

#[component]
fn CopyButton(content: String) -> impl IntoView {
    let shared = expect_context::<Shared>();
    let copied = RwSignal::new(false);
    let content = StoredValue::new(content);
    let copy = move |_| {
        // Without a secure address browsers have no clipboard to offer.
        if !window().is_secure_context() {
            return;
        }
        let _ = window().navigator().clipboard().write_text(&content.get_value());
        copied.set(true);
        set_timeout(
            move || {
                let _gone_with_the_line = copied.try_set(false);
            },
            std::time::Duration::from_secs(2),
        );
    };
    view! {
        <Show when=move || shared.alive.get()>
            <button class="do" type="button" on:click=copy>{move || if copied.get() { "Copied" } else { "Copy" }}</button>
        </Show>
    }
}

/// Asks first, since nothing brings it back.
#[component]
pub fn Delete(id: String, what: &'static str) -> impl IntoView {
    let shared = expect_context::<Shared>();
    view! {
        <details class="sure">
            <summary class="entry">"Delete"</summary>
            <ActionForm action=shared.delete>
                <input type="hidden" name="message_id" value=id />
                <button class="entry danger" type="submit">{what}</button>
            </ActionForm>
        </details>
    }
}
