//! The search in the rail: a form that leads to the gallery, and with scripts the characters that are meant while one types.

use crate::{
    ocs::api::suggest,
    ui::{Icon, IconName},
};
use leptos::{ev, html, prelude::*, task::spawn_local};
use std::time::Duration;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

/// How long it waits for the next key.
const PAUSE: Duration = Duration::from_millis(200);
/// Id of the list under the field.
const LIST: &str = "suggested";

/// The search, opened with `/` or Ctrl-K. The arrows walk through what is found, Escape closes it.
#[component]
pub fn Find() -> impl IntoView {
    let input = NodeRef::<html::Input>::new();
    let found = RwSignal::new(String::new());
    let path = leptos_router::hooks::use_location().pathname;
    Effect::new(move |_| {
        // Arrived somewhere.
        path.track();
        found.set(String::new());
    });
    Effect::new(move |_| {
        let handle = window_event_listener(ev::keydown, move |event| {
            let typing = event.target().is_some_and(|t| is_field(&t));
            let wanted =
                (event.key() == "/" && !typing) || (event.key() == "k" && (event.ctrl_key() || event.meta_key()));
            if wanted && let Some(input) = input.get_untracked() {
                event.prevent_default();
                let _ = input.focus();
            }
        });
        on_cleanup(move || handle.remove());
    });
    let timer = StoredValue::new(None::<TimeoutHandle>);
    let typed = move || {
        if let Some(timer) = timer.get_value() {
            timer.clear();
        }
        timer.set_value(set_timeout_with_handle(move || look(input, found), PAUSE).ok());
    };
    let press = move |event: ev::KeyboardEvent| {
        let key = event.key();
        if key == "Escape" && found.with_untracked(|f| !f.is_empty()) {
            found.set(String::new());
            if let Some(input) = input.get_untracked() {
                let _ = input.focus();
            }
        } else if !((key == "ArrowDown" || key == "ArrowUp") && walk(key == "ArrowDown")) {
            return;
        }
        event.prevent_default();
    };
    let left = move |event: ev::FocusEvent| {
        let to = event.related_target().and_then(|t| t.dyn_into::<Element>().ok());
        if to.is_none_or(|to| to.closest(".find").ok().flatten().is_none()) {
            found.set(String::new());
        }
    };
    let is_open = move || found.with(|f| !f.is_empty());
    view! {
        // Where the gallery is, the Tab key begins with the characters.
        <form class="find" action="/characters#found" method="get" role="search" on:keydown=press on:focusout=left>
            <Icon name=IconName::Search />
            <input
                name="q"
                type="search"
                placeholder="Find a character"
                aria-label="Find a character"
                aria-controls=LIST
                autocomplete="off"
                maxlength="100"
                node_ref=input
                on:input=move |_| typed()
            />
            <kbd aria-hidden="true">"/"</kbd>
            <div class="suggested" id=LIST role="group" aria-label="Characters" hidden=move || !is_open() inner_html=move || found.get()></div>
            <p class="sr" role="status">{move || is_open().then_some("Characters found. Press the down arrow to choose one.")}</p>
        </form>
    }
}

/// Shows what is found for the words in the field, if they are still the same then.
fn look(input: NodeRef<html::Input>, found: RwSignal<String>) {
    let words = move || input.get_untracked().map(|i| i.value().trim().to_owned()).unwrap_or_default();
    let asked = words();
    if asked.chars().count() < 2 {
        return found.set(String::new());
    }
    spawn_local(async move {
        // A search that cannot be made now is still a form.
        let answer = suggest(asked.clone()).await.unwrap_or_default();
        let is_here = document().active_element().is_some_and(|at| at.closest(".find").ok().flatten().is_some());
        if is_here && words() == asked {
            let _gone_with_the_page = found.try_set(answer);
        }
    });
}

/// Moves the focus to the next of the characters that are found, or to the one before; at its ends it stays.
fn walk(down: bool) -> bool {
    let links = document().get_elements_by_class_name("suggested-one");
    let at = document().active_element();
    let all: Vec<HtmlElement> = (0..links.length()).filter_map(|n| links.item(n)?.dyn_into().ok()).collect();
    let now = all.iter().position(|link| at.as_ref() == Some(link.as_ref()));
    let next = match (now, down) {
        (None, true) => 0,
        (Some(n), true) => n + 1,
        (Some(n), false) if n > 0 => n - 1,
        _ => return false,
    };
    all.get(next).is_some_and(|link| link.focus().is_ok())
}

/// Whether a key pressed there is meant as text.
fn is_field(target: &web_sys::EventTarget) -> bool {
    target.dyn_ref::<Element>().is_some_and(|e| {
        ["INPUT", "TEXTAREA", "SELECT"].contains(&e.tag_name().as_str()) || e.has_attribute("contenteditable")
    })
}
