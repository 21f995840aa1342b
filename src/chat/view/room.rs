//! The room of a conversation: what was said, what is being said, and where one writes.

use super::{
    announce::Telling,
    composer::Composer,
    head::Head,
    keys,
    line::LineView,
    opening::Opening,
    search::{Elsewhere, follow_shown},
    side::Side,
    touch::Fingers,
};
use crate::{
    chat::{
        Answering, Line, LineRun, Lines, RunStatus, Talk, api,
        live::{self, Source},
        tree_api,
    },
    error::AppError,
    ids::{ConversationId, RunId},
    models::{ModelStatus, notice::ModelNotice},
};
use leptos::{ev, prelude::*};
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};
use serde_json::Value;

/// Lines that the server gives at a time, at most.
const WINDOW: usize = 60;

/// What the parts of the room share.
#[derive(Clone, Copy)]
pub struct Shared {
    /// The conversation as far as it is known here.
    pub lines: RwSignal<Option<Lines>>,
    /// The words of the reply that is being written.
    pub spoken: RwSignal<String>,
    /// How many replies come before this one; 0 is unknown.
    pub place: RwSignal<u32>,
    /// Which model answers from the next reply on.
    pub model: RwSignal<Answering>,
    /// What a reader of the screen is told.
    pub announced: RwSignal<String>,
    /// How far the reply has been told.
    pub telling: Telling,
    /// Who is talked with, for short.
    pub name: StoredValue<String>,
    /// Id of the line whose tools were called by a tap.
    pub opened: RwSignal<String>,
    /// When an input method last put its words in, as events count time.
    pub composed: StoredValue<f64>,
    /// A message that was sent and not yet answered for.
    pub send: ServerAction<api::SendMessage>,
    /// Makes sending twice send once.
    pub key: RwSignal<String>,
    /// Ends the reply.
    pub stop: ServerAction<api::Stop>,
    /// Another wording.
    pub again: ServerAction<api::Regenerate>,
    /// The rest.
    pub go_on: ServerAction<api::ContinueReply>,
    /// Once more.
    pub retry: ServerAction<api::Retry>,
    /// Away with it.
    pub delete: ServerAction<api::DeleteMessage>,
    /// The other wording.
    pub turn: ServerAction<api::ShowSibling>,
    /// Changed words.
    pub edit: ServerAction<tree_api::EditMessage>,
    /// What the person thinks of a reply.
    pub rate: ServerAction<tree_api::RateReply>,
    /// A new conversation from here.
    pub branch: ServerAction<tree_api::BranchConversation>,
    /// The branch that is looked at becomes the one that is shown.
    pub show: ServerAction<tree_api::ShowBranch>,
    /// The line that is being changed; in the address, so that it needs no script and Back ends it.
    pub editing: Memo<Option<String>>,
    /// The window begins before this message; empty for the newest.
    pub before: Memo<String>,
    /// Which of its first lines the character says, while nothing has been said.
    pub opening: Memo<u32>,
    /// Counts the times that the stream is to be opened anew.
    pub reopen: RwSignal<u32>,
    /// The stream's connection broke and is not back.
    pub lost: RwSignal<bool>,
    /// The page is alive: what needs scripts may be offered.
    pub alive: RwSignal<bool>,
}

impl Shared {
    fn new(talk: &Talk) -> Self {
        let query = use_query_map();
        let asked = move |name: &'static str| query.with(|q| q.get(name)).unwrap_or_default();
        let lines = RwSignal::new(talk.lines.clone());
        // A window that an address gave in another way ends before a line, too.
        let ends = move || lines.with(|l| l.as_ref().and_then(|l| l.later)).map(|m| m.to_string()).unwrap_or_default();
        Self {
            lines,
            spoken: RwSignal::new(String::new()),
            place: RwSignal::new(0),
            model: RwSignal::new(talk.model.clone()),
            announced: RwSignal::new(String::new()),
            telling: Telling::new(),
            name: StoredValue::new(talk.oc.short_name()),
            opened: RwSignal::new(String::new()),
            composed: StoredValue::new(0.0),
            send: ServerAction::new(),
            key: RwSignal::new(talk.key.clone()),
            stop: ServerAction::new(),
            again: ServerAction::new(),
            go_on: ServerAction::new(),
            retry: ServerAction::new(),
            delete: ServerAction::new(),
            turn: ServerAction::new(),
            edit: ServerAction::new(),
            rate: ServerAction::new(),
            branch: ServerAction::new(),
            show: ServerAction::new(),
            editing: Memo::new(move |_| Some(asked("edit")).filter(|e| !e.is_empty())),
            before: Memo::new(move |_| Some(asked("before")).filter(|b| !b.is_empty()).unwrap_or_else(ends)),
            opening: Memo::new(move |_| asked("opening").parse().unwrap_or(0)),
            reopen: RwSignal::new(0),
            lost: RwSignal::new(false),
            alive: RwSignal::new(false),
        }
    }

    /// The run that is being written.
    pub fn open_run(self) -> Memo<Option<RunId>> {
        Memo::new(move |_| self.lines.with(|l| l.as_ref().and_then(|l| l.lines.iter().rev().find_map(Line::open_run))))
    }

    /// What the server refused last, other than a message.
    fn refused(self) -> Signal<Option<AppError>> {
        fn of<T>(value: Option<Result<T, AppError>>) -> Option<AppError> {
            value.and_then(Result::err)
        }
        Signal::derive(move || {
            of(self.stop.value().get())
                .or_else(|| of(self.again.value().get()))
                .or_else(|| of(self.go_on.value().get()))
                .or_else(|| of(self.retry.value().get()))
                .or_else(|| of(self.delete.value().get()))
                .or_else(|| of(self.turn.value().get()))
                .or_else(|| of(self.rate.value().get()))
                .or_else(|| of(self.branch.value().get()))
                .or_else(|| of(self.show.value().get()))
        })
    }

    /// The address of this window, with a line to change or without.
    pub fn address(self, edit: Option<&str>) -> String {
        let id = self.lines.with(|l| l.as_ref().map(|l| l.conversation_id.to_string())).unwrap_or_default();
        let before = self.before.get();
        let mut address = format!("/chat/{id}");
        if !before.is_empty() {
            address.push_str(&format!("?before={before}"));
        }
        if let Some(edit) = edit {
            address.push_str(&format!("{}edit={edit}", if before.is_empty() { '?' } else { '&' }));
        }
        address
    }

    fn address_untracked(self) -> String {
        untrack(|| self.address(None))
    }

    /// Where this conversation came from, above its first line.
    fn origin(self) -> Option<AnyView> {
        self.lines.with(|l| l.as_ref().filter(|l| l.earlier.is_none()).and_then(|l| l.origin.clone())).map(|origin| {
            let href = format!("/chat/{}", origin.id);
            view! { <p class="meta origin">"Branched from "<a href=href>{origin.title}</a></p> }.into_any()
        })
    }

    /// Takes up the newest lines as they are now; what was scrolled up to stays.
    pub fn take(self, new: Lines) {
        if let Some(model) = new.model.clone().filter(|new| self.model.with_untracked(|known| known != new)) {
            self.model.set(model);
        }
        keys::hold_focus(|| self.lines.update(|lines| *lines = Some(new.after_those_of(lines.take()))));
    }

    /// Reads the lines before those that are there, in place: the column stays where it is, since it hangs from its end.
    fn read_earlier(self) {
        let wanted = self.lines.with_untracked(|l| l.as_ref().and_then(|l| l.earlier.map(|m| (l.conversation_id, m))));
        let Some((id, before)) = wanted else { return };
        leptos::task::spawn_local(async move {
            if let Ok(mut older) = api::get_lines(id.to_string(), before.to_string()).await {
                self.lines.update(|lines| {
                    if let Some(lines) = lines.as_mut().filter(|l| l.earlier == Some(before)) {
                        older.lines.append(&mut lines.lines);
                        (lines.lines, lines.earlier) = (older.lines, older.earlier);
                    }
                });
            }
        });
    }

    /// Reads the older lines again that were scrolled up to: one of them was changed.
    fn read_older_again(self) {
        let all =
            self.lines.get_untracked().map(|l| (l.conversation_id, l.lines.iter().map(|l| l.id).collect::<Vec<_>>()));
        let Some((id, known)) = all.filter(|(_, known)| known.len() > WINDOW) else { return };
        leptos::task::spawn_local(async move {
            let mut next = known.len().checked_sub(WINDOW).and_then(|at| known.get(at)).copied();
            while let Some(before) = next {
                let Ok(window) = api::get_lines(id.to_string(), before.to_string()).await else { return };
                next = window.lines.first().map(|l| l.id).filter(|first| known.iter().skip(1).any(|k| k == first));
                self.lines.update(|lines| {
                    for new in window.lines {
                        if let Some(old) = lines.as_mut().and_then(|l| l.lines.iter_mut().find(|l| l.id == new.id)) {
                            *old = new;
                        }
                    }
                });
            }
        });
    }

    /// Loads the page again while a reply is written, for browsers without scripts. With its address: a page that was opened at
    /// a line would otherwise only be scrolled to it again.
    fn refreshing(self) -> String {
        let id = self.lines.with(|l| l.as_ref().map(|l| l.conversation_id.to_string())).unwrap_or_default();
        format!("<meta http-equiv=\"refresh\" content=\"2;url=/chat/{id}\">")
    }

    /// Reads the newest lines again.
    fn refresh(self) {
        let newest = |l: &Lines| l.is_newest.then_some(l.conversation_id);
        let Some(id) = self.lines.with_untracked(|l| l.as_ref().and_then(newest)) else { return };
        leptos::task::spawn_local(async move {
            match api::get_lines(id.to_string(), String::new()).await {
                Ok(new) => self.take(new),
                Err(AppError::SignInRequired | AppError::NotFound) => {
                    // Signed out elsewhere, or deleted: the page says so when it is loaded anew.
                    let _ = window().location().reload();
                }
                // The stream tries again, and this with it.
                Err(_) => {}
            }
        });
    }

    /// Something came over the reply's stream.
    fn hear(self, run: RunId, name: &str, data: &str) {
        let data: Value = serde_json::from_str(data).unwrap_or_default();
        let text = |field: &str| data.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        match name {
            "queued" => {
                let place = data.get("place").and_then(Value::as_u64).unwrap_or(0);
                self.place.set(u32::try_from(place).unwrap_or(0));
            }
            "started" => self.place.set(0),
            "delta" => {
                self.spoken.update(|s| s.push_str(&text("text")));
                self.tell_more();
            }
            // What was there so far was a thought of the model.
            "reset" => self.spoken.set(text("text")),
            "done" => {
                let (html, content) = (text("html"), text("content"));
                let (cut, note) = (text("finish") == "length", text("note"));
                if note.is_empty() {
                    self.tell_end(&content);
                } else {
                    self.announced.set(note.clone());
                }
                keys::hold_focus(|| {
                    self.lines.update(|lines| {
                        let line = lines.as_mut().and_then(|l| l.lines.iter_mut().find(|l| l.open_run() == Some(run)));
                        if let Some(line) = line {
                            line.html = html;
                            line.content = content;
                            line.run = Some(LineRun { id: run, status: RunStatus::Done, error: note, cut });
                        }
                    })
                });
            }
            // The browser comes back by itself, from where it was.
            "reconnect" => {}
            live::LOST => self.lost.set(true),
            live::BACK => self.lost.set(false),
            _ => {
                match name {
                    "stopped" => self.announced.set("Stopped.".to_owned()),
                    "failed" => self.announced.set(format!("{} could not answer.", self.name.get_value())),
                    _ => {}
                }
                self.refresh();
            }
        }
    }

    /// Something came over the conversation's stream.
    fn notice(self, name: &str, data: &str) {
        match name {
            "changed" => {}
            live::LOST => return self.lost.set(true),
            live::BACK => return self.lost.set(false),
            _ => return self.refresh(),
        }
        let data: Value = serde_json::from_str(data).unwrap_or_default();
        let revision = data.get("revision").and_then(Value::as_str).unwrap_or_default();
        if self.lines.with_untracked(|l| l.as_ref().is_some_and(|l| l.revision != revision)) {
            self.refresh();
        }
    }

    /// Follows the reply that is being written, or else the conversation.
    fn listen(self) {
        let run = self.open_run();
        let conversation =
            Memo::new(move |_| self.lines.with(|l| l.as_ref().filter(|l| l.is_newest).map(|l| l.conversation_id)));
        // The stream of the turn before is dropped, and thereby closed, with each new turn.
        Effect::new(move |_: Option<Option<Source>>| {
            self.reopen.track();
            follow(self, conversation.get(), run.get())
        });
    }
}

fn follow(shared: Shared, conversation: Option<ConversationId>, run: Option<RunId>) -> Option<Source> {
    // A stream that is lost says so itself.
    shared.lost.set(false);
    let conversation = conversation?;
    shared.spoken.set(String::new());
    shared.place.set(0);
    if run.is_some() {
        shared.tell_start();
    }
    match run {
        Some(run) => live::open(
            &format!("/api/runs/{run}/events"),
            &[
                "queued",
                "started",
                "delta",
                "reset",
                "done",
                "failed",
                "stopped",
                "interrupted",
                "reconnect",
                "signed_out",
            ],
            move |name, data| shared.hear(run, name, data),
        ),
        None => live::open(
            &format!("/api/conversations/{conversation}/events"),
            &["changed", "deleted", "signed_out"],
            move |name, data| shared.notice(name, data),
        ),
    }
}

/// Takes up what an action answered: the lines as they are now.
fn take_up<F>(shared: Shared, action: ServerAction<F>)
where
    F: leptos::server_fn::ServerFn<Output = Lines, Error = AppError> + Clone + Send + Sync + 'static,
{
    Effect::new(move |_| {
        if let Some(Ok(lines)) = action.value().get() {
            shared.take(lines);
        }
    });
}

/// Takes up what every action of the room answers.
fn take_up_all(shared: Shared) {
    take_up(shared, shared.stop);
    keys::take_up_reply(shared, shared.again);
    keys::take_up_reply(shared, shared.go_on);
    keys::take_up_reply(shared, shared.retry);
    take_up(shared, shared.delete);
    keys::take_up_turn(shared);
    take_up(shared, shared.edit);
    take_up(shared, shared.rate);
    Effect::new(move |_| {
        let changed =
            matches!(shared.edit.value().get(), Some(Ok(_))) || matches!(shared.rate.value().get(), Some(Ok(_)));
        if changed {
            shared.read_older_again();
        }
    });
    Effect::new(move |_| {
        if let Some(Ok(delivered)) = shared.send.value().get() {
            shared.key.set(delivered.next_key);
            shared.take(delivered.lines);
        }
    });
}

/// A changed line is no longer being changed, and a window that shows the newest lines is called so.
fn leave(shared: Shared) {
    let navigate = use_navigate();
    let go = move |to: String| {
        navigate(&to, NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() });
    };
    let away = go.clone();
    Effect::new(move |_| {
        if let Some(Ok(_)) = shared.edit.value().get() {
            go(shared.address_untracked());
        }
    });
    Effect::new(move |_| {
        let newest = shared.lines.with(|l| l.as_ref().filter(|l| l.is_newest).map(|l| l.conversation_id));
        if let Some(id) = newest.filter(|_| !shared.before.get_untracked().is_empty()) {
            away(format!("/chat/{id}"));
        }
    });
    // What was refused about one line is not about the next.
    Effect::new(move |before: Option<Option<String>>| {
        let now = shared.editing.get();
        if before.is_some_and(|before| before != now) {
            shared.edit.clear();
        }
        now
    });
}

/// The talk and the panel beside it.
#[component]
pub fn Room(
    /// As the server read it.
    talk: Talk,
) -> impl IntoView {
    let shared = Shared::new(&talk);
    provide_context(shared);
    let run = shared.open_run();

    take_up_all(shared);
    keys::listen(shared);
    follow_shown(shared.show);
    leave(shared);
    shared.listen();
    Effect::new(move |_| shared.alive.set(true));
    // A page that the browser kept and shows again may be old.
    let shown = window_event_listener_untyped_on_client("pageshow", move || shared.refresh());
    on_cleanup(shown);

    let oc = StoredValue::new(talk.oc.clone());
    let is_newest = Memo::new(move |_| shared.lines.with(|l| l.as_ref().is_none_or(|l| l.is_newest)));
    let earlier = Memo::new(move |_| {
        shared
            .lines
            .with(|l| l.as_ref().and_then(|l| l.earlier.map(|m| format!("/chat/{}?before={m}", l.conversation_id))))
    });
    let later = Memo::new(move |_| {
        shared.lines.with(|l| l.as_ref().and_then(|l| l.later.map(|m| format!("/chat/{}?from={m}", l.conversation_id))))
    });
    // The end of a branch, and not of the one that is shown.
    let elsewhere = Memo::new(move |_| {
        let ends = |l: &&Lines| !l.is_newest && l.later.is_none();
        shared.lines.with(|l| l.as_ref().filter(ends).and_then(|l| l.lines.last().map(|l| l.id)))
    });
    let newest = talk.lines.as_ref().map(|l| format!("/chat/{}", l.conversation_id)).unwrap_or_default();
    let openings = StoredValue::new(talk.openings.clone());
    let slug = talk.oc.slug.clone();
    let quick_start = talk.oc.quick_start.clone();
    let nothing_said = Signal::derive(move || {
        shared.lines.with(|l| {
            l.as_ref().is_none_or(|l| l.lines.iter().all(|l| l.sender == crate::chat::Sender::Oc && l.is_first))
        })
    });
    let refused = shared.refused();
    let short = talk.oc.short_name();
    let label = format!("Chat with {short}");
    let fingers = Fingers::new(shared);

    view! {
        <section class="talk">
            <Head talk=talk.clone() />
            <div class="scroll" tabindex="0" role="region" aria-label=label>
                <div
                    class="lines"
                    on:click=move |event| {
                        keys::copy_code(&event);
                        fingers.tapped(&event);
                    }
                    on:pointerdown=move |event| fingers.down(&event)
                    on:pointermove=move |event| fingers.moved(&event)
                    on:pointerup=move |event| fingers.up(&event)
                    on:pointercancel=move |event| fingers.lost(&event)
                    on:contextmenu=move |_| fingers.held()
                >
                    {move || earlier.get().map(|href| view! { <Earlier href=href /> })}
                    {move || shared.origin()}
                    {openings.with_value(|o| !o.is_empty()).then(|| view! { <Opening openings=openings slug=slug.clone() oc=oc /> })}
                    <For
                        each=move || shared.lines.with(|l| l.as_ref().map(|l| rows(&l.lines)).unwrap_or_default())
                        key=|(line, is_last, day)| (key_of(line), *is_last, day.clone())
                        let((line, is_last, day))
                    >
                        {day.map(|day| view! { <p class="day"><span>{day}</span></p> })}
                        <LineView line=line is_last=is_last oc=oc />
                    </For>
                    {move || shared.send.input().get().map(|input| view! { <p class="me pending">{input.content}</p> })}
                    {move || refused.get().map(|e| view! { <p class="note bad" role="alert">{e.to_string()}</p> })}
                    {move || later.get().map(|href| view! { <a class="quiet earlier" href=href>"Later messages"</a> })}
                    {move || elsewhere.get().map(|id| view! { <div class="elsewhere"><Elsewhere id=id.to_string() show=shared.show /></div> })}
                    {move || (!is_newest.get()).then(|| view! { <a class="quiet earlier" href=newest.clone()>"Back to the latest messages"</a> })}
                </div>
            </div>
            {move || run.get().is_some().then(|| view! { <noscript inner_html=shared.refreshing()></noscript> })}
            <p class="sr" aria-live="polite">{move || shared.announced.get()}</p>
            <ModelNotice
                status=talk.choices.status.clone()
                conversation=talk.lines.as_ref().map(|l| l.conversation_id.to_string()).unwrap_or_default()
                changed=Callback::new(move |now: ModelStatus| {
                    let _ = shared.model.try_update(|model| model.download = now.download());
                })
            />
            {move || is_newest.get().then(|| view! { <Composer oc=oc quick_start=quick_start.clone() nothing_said=nothing_said /> })}
        </section>
        <Side talk=talk />
    }
}

/// What came before: read in place, or without scripts as a page of its own.
#[component]
fn Earlier(href: String) -> impl IntoView {
    let shared = expect_context::<Shared>();
    let href = StoredValue::new(href);
    view! {
        {move || {
            if shared.alive.get() {
                view! { <button class="quiet earlier" type="button" on:click=move |_| shared.read_earlier()>"Earlier messages"</button> }.into_any()
            } else {
                view! { <a class="quiet earlier" href=href.get_value()>"Earlier messages"</a> }.into_any()
            }
        }}
    }
}

/// Lines with whether they are the last, and with the day where it is another one than that of the line before.
fn rows(lines: &[Line]) -> Vec<(Line, bool, Option<String>)> {
    let last = lines.last().map(|l| l.id);
    let before = std::iter::once("").chain(lines.iter().map(|l| l.day.as_str()));
    lines
        .iter()
        .zip(before)
        .map(|(l, before)| (l.clone(), Some(l.id) == last, (l.day != before).then(|| l.day.clone())))
        .collect()
}

/// A line is drawn anew when something about it changed that shows.
/// What a person thinks of it is no reason: the menu in which they say so would close.
fn key_of(line: &Line) -> (uuid::Uuid, Option<LineRun>, u32, u32, String) {
    // While it is being written, the words come over the stream.
    let html = if line.open_run().is_some() { String::new() } else { line.html.clone() };
    (line.id.0, line.run.clone(), line.place, line.places, html)
}

/// Calls back when the window fires this event, in the browser; gives what takes the listener away again.
fn window_event_listener_untyped_on_client(
    name: &'static str,
    call: impl Fn() + 'static,
) -> impl FnOnce() + Send + Sync + 'static {
    let handle = StoredValue::new(None::<WindowListenerHandle>);
    let call = std::rc::Rc::new(call);
    Effect::new(move |_| {
        let call = std::rc::Rc::clone(&call);
        let listener = window_event_listener(ev::Custom::<ev::PageTransitionEvent>::new(name), move |event| {
            if event.persisted() {
                call();
            }
        });
        handle.set_value(Some(listener));
    });
    move || {
        if let Some(listener) = handle.try_update_value(Option::take).flatten() {
            listener.remove();
        }
    }
}
