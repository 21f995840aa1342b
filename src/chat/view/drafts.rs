//! The composer's memory: what is typed survives a reload, what could not be sent waits for the network, and a message whose answer
//! was lost on the way is sent again under its own key.
//!
//! A text of several messages waits here, too: its next part stands in the box and goes out when the reply is whole, and the rest
//! is kept beside it with how the part before it began. Where that part does not stand in the talk, nothing is sent by itself.

use super::room::Shared;
use crate::{
    chat::{
        Delivered, MESSAGE_MAX, Sender,
        draft::{self, Draft},
        long,
    },
    error::AppError,
};
use leptos::{ev, html, prelude::*};
use std::time::Duration;

/// How often a waiting message is tried by itself before a person has to.
const TRIES: u32 = 5;

/// Characters of a part by which it is known again.
const MARK: usize = 60;

/// What the composer remembers.
#[derive(Clone, Copy)]
pub struct Keeping {
    shared: Shared,
    input: NodeRef<html::Textarea>,
    /// Before the conversation there is one, the character.
    oc: StoredValue<String>,
    /// What was sent last, and is not answered for.
    sent: StoredValue<String>,
    tries: StoredValue<u32>,
    /// It is on its way.
    in_flight: StoredValue<bool>,
    /// Counts the times that a waiting message may be tried.
    nudge: RwSignal<u32>,
    /// There is no network.
    pub offline: RwSignal<bool>,
    /// The message in the box is to be sent as soon as it can be.
    pub waiting: RwSignal<bool>,
    /// What comes after it, of a text that is sent as several messages.
    rest: StoredValue<String>,
    /// Characters in the box.
    pub length: RwSignal<usize>,
}

impl Keeping {
    /// Begins to remember.
    pub fn new(shared: Shared, oc: String, input: NodeRef<html::Textarea>) -> Self {
        let keeping = Self {
            shared,
            input,
            oc: StoredValue::new(format!("with-{oc}")),
            sent: StoredValue::new(String::new()),
            tries: StoredValue::new(0),
            in_flight: StoredValue::new(false),
            nudge: RwSignal::new(0),
            offline: RwSignal::new(false),
            waiting: RwSignal::new(false),
            rest: StoredValue::new(String::new()),
            length: RwSignal::new(0),
        };
        keeping.begin();
        keeping
    }

    fn place(self) -> String {
        let conversation = self.shared.lines.with_untracked(|l| l.as_ref().map(|l| l.conversation_id.to_string()));
        conversation.unwrap_or_else(|| self.oc.get_value())
    }

    /// Where it may have been kept: a conversation that has just begun was none before.
    fn places(self) -> [String; 2] {
        [self.place(), self.oc.get_value()]
    }

    fn keep(self, text: String) {
        let was_sent = self.sent.with_value(|s| !s.is_empty() && *s == text);
        let key =
            if was_sent || self.waiting.get_untracked() { self.shared.key.get_untracked() } else { String::new() };
        draft::keep(&self.place(), &Draft { text, key, is_waiting: self.waiting.get_untracked() });
    }

    fn forget(self) {
        for place in self.places() {
            draft::keep(&place, &Draft::default());
        }
        self.sent.set_value(String::new());
        self.waiting.set(false);
    }

    /// A key that no message has.
    fn new_key(self) {
        self.shared.key.update(|key| key.push('+'));
    }

    /// Whether these words stand among one's last lines: they arrived before the page could hear of it.
    fn has_arrived(self, text: &str) -> bool {
        self.shared.lines.with_untracked(|lines| {
            let mine = lines.iter().flat_map(|l| l.lines.iter().rev().filter(|l| l.sender == Sender::User));
            mine.take(3).any(|l| l.content.trim() == text.trim())
        })
    }

    fn begin(self) {
        let restored = StoredValue::new(false);
        Effect::new(move |_| {
            let Some(area) = self.input.get() else { return };
            if restored.get_value() {
                return;
            }
            restored.set_value(true);
            self.offline.set(!draft::is_online());
            for place in self.places() {
                let Some(found) = draft::load(&place) else { continue };
                if (!found.key.is_empty() || place != self.place()) && self.has_arrived(&found.text) {
                    draft::keep(&place, &Draft::default());
                } else if area.value().is_empty() && place == self.place() {
                    if !found.key.is_empty() {
                        self.shared.key.set(found.key);
                        self.sent.set_value(found.text.clone());
                    }
                    self.waiting.set(found.is_waiting);
                    self.put(&found.text);
                }
            }
            self.find_rest();
        });
        Effect::new(move |_| {
            let next_key =
                |r: &Result<Delivered, AppError>| r.as_ref().map(|d| d.next_key.clone()).map_err(Clone::clone);
            if let Some(answer) = self.shared.send.value().with(|v| v.as_ref().map(next_key)) {
                self.answered(answer);
            }
        });
        let run = self.shared.open_run();
        let is_busy = self.shared.send.pending();
        // A waiting message goes out when it can: with a network, and when the reply before it is whole.
        Effect::new(move |_| {
            self.nudge.track();
            let may = self.waiting.get() && !self.offline.get() && run.get().is_none() && !is_busy.get();
            if may && !self.in_flight.get_value() {
                self.submit();
            }
        });
        Effect::new(move |_| {
            let gone = window_event_listener(ev::offline, move |_| self.offline.set(true));
            let back = window_event_listener(ev::online, move |_| {
                self.tries.set_value(0);
                self.offline.set(false);
                self.shared.reopen.update(|n| *n += 1);
            });
            // Browsers tell every other tab what one of them keeps.
            let typed = window_event_listener(ev::storage, move |event| {
                if event.key().is_some_and(|name| name == draft::name(&self.place())) {
                    self.follow(event.old_value().as_deref(), event.new_value().as_deref());
                }
            });
            on_cleanup(move || {
                gone.remove();
                back.remove();
                typed.remove();
            });
        });
    }

    /// Another tab typed or sent: the box says the same, unless somebody types in it, or it says something of its own.
    fn follow(self, before: Option<&str>, now: Option<&str>) {
        let Some(area) = self.input.get_untracked() else { return };
        let has_focus =
            document().has_focus().unwrap_or(true) && document().active_element().is_some_and(|e| e.id() == area.id());
        let text = area.value();
        let is_same = text.is_empty() || before.and_then(Draft::read).is_some_and(|d| d.text == text);
        if has_focus || !is_same || self.waiting.get_untracked() || self.in_flight.get_value() {
            return;
        }
        let found = now.and_then(Draft::read).unwrap_or_default();
        area.set_value(&found.text);
        if !found.key.is_empty() {
            // It is tried over there; sent from here, too, it is still one message.
            self.shared.key.set(found.key);
            self.sent.set_value(found.text);
        } else if self.sent.with_value(|s| !s.is_empty()) {
            self.sent.set_value(String::new());
            self.shared.key.update(|key| key.push('~'));
        }
    }

    /// Writes into the box as if it had been typed, for whoever counts it.
    pub fn put(self, text: &str) {
        let Some(area) = self.input.get_untracked() else { return };
        area.set_value(text);
        if let Ok(typed) = web_sys::Event::new("input") {
            let _ = area.dispatch_event(&typed);
        }
    }

    /// Sends a text that is too long for one message as several, one after each reply.
    pub fn send_in_parts(self) {
        let Some(text) = self.input.get_untracked().map(|area| area.value()) else { return };
        self.go_on(&text);
    }

    /// The next part stands in the box and goes out when it can.
    fn go_on(self, text: &str) {
        let (part, rest) = long::cut(text, MESSAGE_MAX);
        self.rest.set_value(rest.to_owned());
        self.put(part);
        self.waiting.set(true);
        self.keep(part.to_owned());
        self.nudge.update(|n| *n += 1);
    }

    /// Keeps the rest of a text, with how the part before it began.
    fn keep_rest(self, said: &str) {
        let rest = Draft { text: self.rest.get_value(), key: mark(said), is_waiting: false };
        for (place, rest) in self.places().iter().rev().zip([Draft::default(), rest]) {
            draft::keep(&rest_of(place), &rest);
        }
    }

    /// The rest of a text that was being sent when the page went: it goes on if the part before it has arrived, and stands in the
    /// box otherwise.
    fn find_rest(self) {
        let Some(found) = self.places().iter().find_map(|place| draft::load(&rest_of(place))) else { return };
        let in_box = self.input.get_untracked().map(|area| area.value()).unwrap_or_default();
        let has_arrived = self.shared.lines.with_untracked(|lines| {
            let mine = lines.iter().flat_map(|l| l.lines.iter().rev().filter(|l| l.sender == Sender::User));
            mine.take(3).any(|l| mark(&l.content) == found.key)
        });
        self.rest.set_value(found.text.clone());
        match (has_arrived, in_box.is_empty()) {
            (true, true) => self.go_on(&found.text),
            (true, false) if self.waiting.get_untracked() => {}
            _ => self.give_up(),
        }
        self.keep_rest(&found.key);
    }

    /// The server has answered what was sent, or could not be reached.
    fn answered(self, next_key: Result<String, AppError>) {
        match next_key {
            Ok(next_key) => {
                self.shared.key.set(next_key);
                let sent = self.sent.get_value();
                self.tries.set_value(0);
                self.forget();
                self.in_flight.set_value(false);
                let rest = self.rest.get_value();
                // Words that were typed meanwhile stay.
                if let Some(area) = self.input.get_untracked() {
                    match (area.value() == sent, rest.is_empty()) {
                        (true, true) => self.put(""),
                        (true, false) => self.go_on(&rest),
                        (false, true) => self.keep(area.value()),
                        (false, false) => self.give_up(),
                    }
                }
                self.keep_rest(&sent);
            }
            Err(error) => {
                self.in_flight.set_value(false);
                match error {
                    // It may have arrived all the same: the key stays with it.
                    AppError::Transport { .. } if !draft::is_online() => self.wait(),
                    AppError::Transport { .. } if self.waiting.get_untracked() => self.try_later(),
                    AppError::Internal | AppError::Unavailable { .. } if self.waiting.get_untracked() => self.give_up(),
                    AppError::Transport { .. } | AppError::Internal | AppError::Unavailable { .. } => {}
                    // It was refused, and is not there.
                    _ => {
                        self.give_up();
                        self.new_key();
                    }
                }
            }
        }
    }

    fn try_later(self) {
        let tries = self.tries.get_value() + 1;
        self.tries.set_value(tries);
        if tries > TRIES {
            return self.give_up();
        }
        let wait = Duration::from_secs(u64::from(tries * tries));
        set_timeout(
            move || {
                let _gone_with_the_page = self.nudge.try_update(|n| *n += 1);
            },
            wait,
        );
    }

    /// Somebody typed.
    pub fn typed(self) {
        let Some(area) = self.input.get_untracked() else { return };
        let text = area.value();
        self.length.set(text.trim().chars().count());
        // Other words than those that were tried are another message.
        if self.sent.with_value(|s| !s.is_empty() && *s != text) && !self.shared.send.pending().get_untracked() {
            self.sent.set_value(String::new());
            self.new_key();
        }
        self.keep(text);
    }

    /// Before the form is sent: without a network it waits.
    pub fn submitting(self, event: &ev::SubmitEvent) {
        use leptos::wasm_bindgen::JsCast;
        let form = event.target().and_then(|t| t.dyn_into::<web_sys::HtmlFormElement>().ok());
        let Some(area) = self.input.get_untracked().filter(|a| form.is_some() && a.form() == form) else { return };
        let text = area.value();
        if text.trim().is_empty() {
            return;
        }
        if draft::is_online() {
            self.offline.set(false);
            self.sent.set_value(text.clone());
            self.in_flight.set_value(true);
            self.keep_rest(&text);
            self.keep(text);
        } else {
            event.prevent_default();
            event.stop_propagation();
            self.wait();
        }
    }

    fn wait(self) {
        self.offline.set(true);
        self.waiting.set(true);
        if let Some(area) = self.input.get_untracked() {
            self.keep(area.value());
        }
    }

    /// It is not sent by itself any more; the words stay in the box.
    pub fn give_up(self) {
        self.waiting.set(false);
        self.tries.set_value(0);
        let Some(area) = self.input.get_untracked() else { return };
        let rest = self.rest.get_value();
        if !rest.is_empty() {
            self.rest.set_value(String::new());
            self.put(&format!("{}\n\n{rest}", area.value()));
            self.keep_rest("");
        }
        self.keep(area.value());
    }

    /// Sends what stands in the box.
    pub fn submit(self) {
        if let Some(form) = self.input.get_untracked().and_then(|a| a.form()) {
            let _ = form.request_submit();
        }
    }
}

/// By what a part is known again, in one line.
fn mark(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MARK).collect()
}

/// Under which name the rest of a text is kept.
fn rest_of(place: &str) -> String {
    format!("{place}-rest")
}

/// What the composer says about the network.
#[component]
pub fn Network(
    /// What it remembers.
    keeping: Keeping,
) -> impl IntoView {
    let run = keeping.shared.open_run();
    let said = move || match (keeping.offline.get(), keeping.waiting.get()) {
        (true, true) => Some("You are offline; this will be sent when you are back."),
        (true, false) => Some("You are offline. Messages will be sent when you are back."),
        (false, true) if run.get().is_some() => Some("This will be sent after the reply."),
        (false, true) => Some("Sending…"),
        (false, false) => keeping.shared.lost.get().then_some("Connection lost, trying again."),
    };
    let is_lost = move || {
        let lost =
            |e: &AppError| matches!(e, AppError::Transport { .. } | AppError::Internal | AppError::Unavailable { .. });
        keeping.shared.send.value().with(|v| v.as_ref().is_some_and(|r| r.as_ref().is_err_and(lost)))
            && !keeping.waiting.get()
    };
    view! {
        <div class="network" role="status">
            {move || said().map(|text| view! { <span>{text}</span> })}
            {move || {
                keeping.waiting.get().then(|| view! { <button class="quiet" type="button" on:click=move |_| keeping.give_up()>"Don't send"</button> })
            }}
            {move || is_lost().then(|| view! { <button class="quiet" type="button" on:click=move |_| keeping.submit()>"Try again"</button> })}
        </div>
    }
}
