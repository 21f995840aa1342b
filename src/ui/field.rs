//! Forms and their fields.
//!
//! [`Form`] wraps an `ActionForm` and tells the fields inside what the server refused; a field shows the message that
//! names it. What was typed into a form that was refused without scripts comes back through [`Draft`].

use super::kept::Kept;
use crate::error::AppError;
use leptos::{
    html,
    prelude::*,
    server_fn::{Http, ServerFn, client::Client, codec::PostUrl, request::ClientReq},
};
use leptos_router::hooks::use_location;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// Fields of a refused plain form, by name; given once by the app.
#[derive(Clone, Debug, Default)]
pub struct Draft(pub BTreeMap<String, String>);

/// What the fields inside a form know about it.
#[derive(Clone, Copy)]
struct FormState {
    error: Signal<Option<AppError>>,
    pending: Signal<bool>,
}

/// A form that posts to a server function, with or without scripts.
#[component]
pub fn Form<F, O, T>(
    /// The action it runs.
    action: ServerAction<F>,
    /// Classes to add.
    #[prop(optional, into)]
    class: String,
    /// What is typed and not saved is kept in the browser under this name, for example `notes-{id}`; empty keeps nothing.
    #[prop(optional, into)]
    keep: String,
    /// It is longer than a screen: a bar with "Save changes" stays in sight while something is unsaved.
    #[prop(optional)]
    long: bool,
    /// Fields and buttons.
    children: Children,
) -> impl IntoView
where
    F: DeserializeOwned
        + ServerFn<Protocol = Http<PostUrl, O>, Output = T, Error = AppError>
        + Clone
        + Send
        + Sync
        + 'static,
    <<F::Client as Client<AppError>>::Request as ClientReq<AppError>>::FormData: From<web_sys::FormData>,
    <F as ServerFn>::Client: Client<AppError>,
    T: Clone + Send + Sync + 'static,
    O: 'static,
{
    let error = Signal::derive(move || action.value().with(|v| v.as_ref().and_then(|r| r.as_ref().err().cloned())));
    provide_context(FormState { error, pending: action.pending().into() });
    let root = NodeRef::<html::Div>::new();
    // Changes with every answer, so that saving twice tells twice.
    let done = Signal::derive(move || {
        action.version().track();
        action.value().with(|v| v.as_ref().map(Result::is_ok))
    });
    let kept = Kept::new(root, keep, done);
    view! {
        <div class=format!("form {class}") node_ref=root on:input=move |_| kept.typed() on:submit=move |_| kept.sent()>
            <ActionForm action=action>
                {children()}
                {move || kept.is_changed.get().then(|| view! { <Unsaved kept=kept long=long /> })}
            </ActionForm>
        </div>
    }
}

/// Says that something is not saved, and throws it away.
#[component]
fn Unsaved(kept: Kept, long: bool) -> impl IntoView {
    let words =
        move || if kept.is_restored.get() { "Unsaved changes from before are back." } else { "Unsaved changes." };
    view! {
        <div class=if long { "unsaved" } else { "changed" } role="status">
            <span>{words}</span>
            <button class="quiet" type="button" on:click=move |_| kept.discard()>"Discard"</button>
            {long.then(|| view! { <button class="btn small" type="submit">"Save changes"</button> })}
        </div>
    }
}

/// `form[name]` is called `name` in messages.
fn short(name: &str) -> &str {
    name.rsplit_once('[').map_or(name, |(_, rest)| rest.trim_end_matches(']'))
}

/// What ties an input to its label, its hint and its message.
struct Wiring {
    id: String,
    message: Signal<Option<String>>,
    /// Ids of what describes the input.
    described: String,
}

impl Wiring {
    fn of(name: &str) -> Self {
        let state = use_context::<FormState>();
        let (id, field) = (id_of(name), short(name).to_owned());
        let described = format!("{id}-hint {id}-error {id}-count");
        let message = Signal::derive(move || {
            state.and_then(|s| s.error.get()).filter(|e| e.field() == field).map(|e| e.to_string())
        });
        Self { id, message, described }
    }
}

/// The value to start with: what was typed before a refusal, else what is known.
fn initial(name: &str, value: String) -> String {
    use_context::<Draft>().and_then(|d| d.0.get(name).cloned()).unwrap_or(value)
}

/// Id of the input made from its name: `form[name]` gives `form-name`.
fn id_of(name: &str) -> String {
    name.replace('[', "-").replace(']', "")
}

#[component]
fn Wrapped(
    id: String,
    label: String,
    hint: String,
    message: Signal<Option<String>>,
    #[prop(optional)] bare: bool,
    children: Children,
) -> impl IntoView {
    let (hint_id, error_id) = (format!("{id}-hint"), format!("{id}-error"));
    view! {
        <div class="field" class:bare=bare class:bad=move || message.get().is_some()>
            <label for=id>{label}</label>
            {(!hint.is_empty()).then(|| view! { <p class="hint" id=hint_id>{hint}</p> })}
            {children()}
            <p class="error" id=error_id aria-live="polite">{move || message.get()}</p>
        </div>
    }
}

/// A line of text.
#[component]
pub fn TextInput(
    /// Name in the form, for example `form[name]`.
    #[prop(into)]
    name: String,
    /// What it is.
    #[prop(into)]
    label: String,
    /// What is known already.
    #[prop(optional, into)]
    value: String,
    /// One sentence of help.
    #[prop(optional, into)]
    hint: String,
    /// `text`, `email`, `search`, `url`, `date`, `password`.
    #[prop(default = "text", into)]
    kind: &'static str,
    /// For password managers and address books.
    #[prop(default = "off", into)]
    autocomplete: &'static str,
    /// Must not be empty.
    #[prop(optional)]
    required: bool,
    /// Longest text in characters.
    #[prop(default = 200)]
    max: u32,
    /// Shown while empty; never the only explanation.
    #[prop(optional, into)]
    placeholder: String,
) -> impl IntoView {
    let Wiring { id, message, described } = Wiring::of(&name);
    let value = (kind != "password").then(|| initial(&name, value));
    view! {
        <Wrapped id=id.clone() label=label hint=hint message=message>
            <input
                id=id
                name=name
                type=kind
                value=value
                autocomplete=autocomplete
                required=required
                maxlength=max
                placeholder=placeholder
                aria-describedby=described
                aria-invalid=move || message.get().is_some().then_some("true")
            />
        </Wrapped>
    }
}

/// A password; its value never comes back from the server.
#[component]
pub fn PasswordInput(
    /// Name in the form; contains `password` or `secret`, so that it is never kept.
    #[prop(into)]
    name: String,
    /// What it is.
    #[prop(into)]
    label: String,
    /// One sentence of help.
    #[prop(optional, into)]
    hint: String,
    /// `current-password` or `new-password`.
    #[prop(default = "current-password")]
    autocomplete: &'static str,
    /// Must not be empty.
    #[prop(default = true)]
    required: bool,
) -> impl IntoView {
    view! { <TextInput name=name label=label hint=hint kind="password" autocomplete=autocomplete required=required max=1000 /> }
}

/// Several lines of text. The only place that may write `<textarea>`: Leptos 0.8 does not escape its children.
#[component]
pub fn TextArea(
    /// Name in the form.
    #[prop(into)]
    name: String,
    /// What it is.
    #[prop(into)]
    label: String,
    /// What is known already.
    #[prop(optional, into)]
    value: String,
    /// One sentence of help.
    #[prop(optional, into)]
    hint: String,
    /// Height in lines.
    #[prop(default = 4)]
    rows: u32,
    /// Must not be empty.
    #[prop(optional)]
    required: bool,
    /// Longest text in characters.
    #[prop(default = 4000)]
    max: u32,
    /// Shown while empty.
    #[prop(optional, into)]
    placeholder: String,
    /// Visually hidden label, for a lone field whose purpose is plain to see.
    #[prop(optional)]
    bare: bool,
    /// Has the focus as soon as it is there.
    #[prop(optional)]
    autofocus: bool,
    /// What it is called where it is too long.
    #[prop(default = "This text")]
    noun: &'static str,
    /// The element, for scripts that need it.
    #[prop(optional)]
    node_ref: NodeRef<html::Textarea>,
) -> impl IntoView {
    let Wiring { id, message, described } = Wiring::of(&name);
    // No `maxlength`: browsers cut what is pasted without a word. All of it stays, is counted, and is not sent while it is too long.
    let (length, most) = (RwSignal::new(0_usize), usize::try_from(max).unwrap_or(usize::MAX));
    let measure = move || {
        let Some(area) = node_ref.get() else { return };
        let now = area.value().chars().count();
        length.set(now);
        area.set_custom_validity(&too_long(noun, now, most).unwrap_or_default());
    };
    Effect::new(move |_| measure());
    let count_id = format!("{id}-count");
    let text = escape(&initial(&name, value));
    // The parser of a whole page swallows a first newline after the tag; a script that sets the content keeps it.
    let value = if cfg!(feature = "ssr") { format!("\n{text}") } else { text };
    view! {
        <Wrapped id=id.clone() label=label hint=hint message=message bare=bare>
            <textarea
                id=id
                name=name
                rows=rows
                required=required
                placeholder=placeholder
                aria-describedby=described
                aria-invalid=move || (message.get().is_some() || length.get() > most).then_some("true")
                autofocus=autofocus
                inner_html=value
                node_ref=node_ref
                on:input=move |_| untrack(measure)
            ></textarea>
            <p class="count" id=count_id class:bad=move || { length.get() > most }>
                <span role="alert">{move || too_long(noun, length.get(), most)}</span>
                {move || is_near(length.get(), most).then(|| format!("{} of {}", grouped(length.get()), grouped(most)))}
            </p>
        </Wrapped>
    }
}

/// What is said about a text of so many characters where fewer are allowed.
fn too_long(noun: &str, length: usize, most: usize) -> Option<String> {
    (length > most).then(|| format!("{noun} has {} characters; the limit is {}.", grouped(length), grouped(most)))
}

/// From nine tenths of the limit on it is counted in sight.
const fn is_near(length: usize, most: usize) -> bool {
    length <= most && length > most / 10 * 9
}

/// A number with commas: `100,000`.
#[must_use]
pub fn grouped(number: usize) -> String {
    if number < 1000 { number.to_string() } else { format!("{},{:03}", grouped(number / 1000), number % 1000) }
}

/// A word of a closed list as a label: `dramatic` is shown as `Dramatic`.
#[must_use]
pub fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// One entry of a [`Select`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is read.
    pub label: String,
}

impl Choice {
    /// A choice.
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into() }
    }
}

/// One of several.
#[component]
pub fn Select(
    /// Name in the form.
    #[prop(into)]
    name: String,
    /// What it is.
    #[prop(into)]
    label: String,
    /// What is chosen already.
    #[prop(optional, into)]
    value: String,
    /// One sentence of help.
    #[prop(optional, into)]
    hint: String,
    /// The entries.
    choices: Vec<Choice>,
) -> impl IntoView {
    let Wiring { id, message, described } = Wiring::of(&name);
    let value = initial(&name, value);
    view! {
        <Wrapped id=id.clone() label=label hint=hint message=message>
            <select id=id name=name aria-describedby=described>
                {choices
                    .into_iter()
                    .map(|c| {
                        let selected = c.value == value;
                        view! { <option value=c.value selected=selected>{c.label}</option> }
                    })
                    .collect_view()}
            </select>
        </Wrapped>
    }
}

/// Yes or no; sends `true` when ticked and nothing otherwise.
#[component]
pub fn Check(
    /// Name in the form.
    #[prop(into)]
    name: String,
    /// What it is.
    #[prop(into)]
    label: String,
    /// Ticked already.
    #[prop(optional)]
    checked: bool,
) -> impl IntoView {
    let id = id_of(&name);
    // An unticked box sends nothing: when a refused form comes back, its absence there means unticked.
    let checked = match use_context::<Draft>() {
        Some(draft) if !draft.0.is_empty() => draft.0.get(&name).is_some_and(|v| v == "true"),
        _ => checked,
    };
    view! {
        <div class="field check">
            <input id=id.clone() name=name type="checkbox" value="true" checked=checked />
            <label for=id>{label}</label>
        </div>
    }
}

/// What the server refused about the form as a whole, and a word when it went well.
#[component]
pub fn FormNote(
    /// Shown after success; empty for forms that lead elsewhere.
    #[prop(optional, into)]
    done: Signal<Option<String>>,
) -> impl IntoView {
    let state = use_context::<FormState>();
    let error = Signal::derive(move || state.and_then(|s| s.error.get()));
    let here = use_location().pathname;
    // What helps stands beside what is missing.
    let help = move |e: &AppError| {
        (*e == AppError::ConfirmPassword).then(|| {
            let next = here.get_untracked();
            view! { " "<a class="link" rel="external" href=format!("/confirm?next={next}")>"Confirm your password"</a> }
        })
    };
    view! {
        <div class="form-note" aria-live="polite">
            {move || error.get().map(|e| view! { <p class="note bad">{e.to_string()}{help(&e)}</p> })}
            {move || done.get().filter(|_| error.get().is_none()).map(|d| view! { <p class="note good">{d}</p> })}
        </div>
    }
}

/// The button that sends the form.
#[component]
pub fn Submit(
    /// What it does.
    #[prop(into)]
    label: String,
    /// Classes to add, for example `ghost` or `danger`.
    #[prop(optional, into)]
    class: String,
) -> impl IntoView {
    let state = use_context::<FormState>();
    let pending = move || state.is_some_and(|s| s.pending.get());
    view! { <button type="submit" class=format!("btn {class}") aria-busy=move || pending().then_some("true")>{label}</button> }
}

/// Text for inside an element or a quoted attribute.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_counted_and_refused_in_words() {
        assert_eq!(
            too_long("This message", 100_000, 8000).as_deref(),
            Some("This message has 100,000 characters; the limit is 8,000.")
        );
        assert_eq!(too_long("This message", 8000, 8000), None);
        assert!(is_near(7201, 8000) && is_near(8000, 8000) && !is_near(7200, 8000) && !is_near(8001, 8000));
        assert_eq!([0, 999, 1000, 1_000_001].map(grouped), ["0", "999", "1,000", "1,000,001"]);
    }
}
