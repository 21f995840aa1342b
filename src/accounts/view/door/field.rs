//! Fields of the doors' forms: each says what is wrong with it, and the note above leads to it.

use crate::accounts::gate::Given;
use leptos::prelude::*;

/// A line of text.
pub struct Line {
    /// Name in the form, and id on the page.
    pub name: &'static str,
    /// What it is.
    pub label: &'static str,
    /// One sentence of help; may be empty.
    pub hint: &'static str,
    /// `text`, `email`, `date`.
    pub kind: &'static str,
    /// For password managers and address books.
    pub autocomplete: &'static str,
    /// Longest text in characters.
    pub max: u32,
}

/// What is wrong with a field.
fn fault(given: &Given, name: &str) -> Option<String> {
    given.faults.iter().find(|f| f.field() == name).map(ToString::to_string)
}

impl Line {
    /// The field as it was filled in.
    pub fn show(self, given: &Given) -> AnyView {
        let Self { name, label, hint, kind, autocomplete, max } = self;
        let fault = fault(given, name);
        let value = given.values.get(name).cloned().unwrap_or_default();
        let is_bad = fault.is_some();
        view! {
            <div class="field" class:bad=is_bad>
                <label for=name>{label}</label>
                {(!hint.is_empty()).then(|| view! { <p class="hint" id=format!("{name}-hint")>{hint}</p> })}
                <input
                    id=name
                    name=name
                    type=kind
                    value=value
                    autocomplete=autocomplete
                    autocapitalize="none"
                    spellcheck="false"
                    required=true
                    maxlength=max
                    aria-describedby=format!("{name}-hint {name}-error")
                    aria-invalid=is_bad.then_some("true")
                />
                <p class="error" id=format!("{name}-error") aria-live="polite">{fault}</p>
            </div>
        }
        .into_any()
    }
}

/// A password, with a button that shows it. A new one has a counter and a button that proposes one.
pub fn password(given: &Given, label: &'static str, is_new: bool) -> AnyView {
    let name = "password";
    let fault = fault(given, name);
    let value = given.values.get(name).cloned().unwrap_or_default();
    let (is_bad, shown) = (fault.is_some(), given.shown);
    let (turn, turned) = if shown { ("hide", "Hide") } else { ("show", "Show") };
    view! {
        <div class="field" class:bad=is_bad data-password=if is_new { "new" } else { "known" }>
            <label for=name>{label}</label>
            {is_new
                .then(|| {
                    view! { <p class="hint" id="password-hint">"At least 15 characters. Try four random words: “purple cat eats toast”."</p> }
                })}
            <div class="with-button">
                <input
                    id=name
                    name=name
                    type=if shown { "text" } else { "password" }
                    value=value
                    autocomplete=if is_new { "new-password" } else { "current-password" }
                    autocapitalize="none"
                    spellcheck="false"
                    required=true
                    maxlength="1000"
                    aria-describedby="password-hint password-error password-count"
                    aria-invalid=is_bad.then_some("true")
                />
                <button class="quiet" type="submit" name="do" value=turn formnovalidate=true data-show="" aria-label=format!("{turned} password")>
                    {turned}
                </button>
            </div>
            {is_new
                .then(|| {
                    view! {
                        <p class="under-field">
                            <button class="quiet" type="submit" name="do" value="propose" formnovalidate=true data-propose="">"Propose four words"</button>
                            <span class="meta" id="password-count" aria-live="polite"></span>
                        </p>
                    }
                })}
            <p class="error" id="password-error" aria-live="polite">{fault}</p>
        </div>
    }
    .into_any()
}

/// A box to tick, with words that may hold links.
pub fn tick(given: &Given, name: &'static str, words: AnyView) -> AnyView {
    let fault = fault(given, name);
    let is_bad = fault.is_some();
    let checked = given.values.get(name).is_some_and(|v| v == "true");
    view! {
        <div class="field check" class:bad=is_bad>
            <input
                id=name
                name=name
                type="checkbox"
                value="true"
                checked=checked
                required=true
                aria-describedby=format!("{name}-error")
                aria-invalid=is_bad.then_some("true")
            />
            <label for=name>{words}</label>
            <p class="error" id=format!("{name}-error") aria-live="polite">{fault}</p>
        </div>
    }
    .into_any()
}

/// What is wrong in all: which fields to look at, with links to them, and what is wrong with the whole.
pub fn note(given: &Given, labels: &[(&'static str, &'static str)]) -> AnyView {
    let whole: Vec<String> = given
        .faults
        .iter()
        .filter(|f| !labels.iter().any(|(name, _)| *name == f.field()))
        .map(ToString::to_string)
        .collect();
    let fields: Vec<(&str, &str)> =
        labels.iter().filter(|(name, _)| given.faults.iter().any(|f| f.field() == *name)).copied().collect();
    if whole.is_empty() && fields.is_empty() {
        return ().into_any();
    }
    let count = fields.len();
    view! {
        <div class="note bad" role="alert" tabindex="-1" id="faults">
            {whole.into_iter().map(|words| view! { <p>{words}</p> }).collect_view()}
            {(count > 0)
                .then(|| {
                    view! {
                        <p>
                            "Please check: "
                            {fields
                                .into_iter()
                                .enumerate()
                                .map(|(n, (name, label))| {
                                    let comma = if n + 1 < count { ", " } else { "" };
                                    view! { <a href=format!("#{name}")>{label}</a>{comma} }
                                })
                                .collect_view()}
                        </p>
                    }
                })}
        </div>
    }
    .into_any()
}
