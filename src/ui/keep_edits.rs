//! Edits of a long form that are not saved yet: they survive a reload and a walk to another page, and leaving is warned of.
//!
//! Kept in this browser, like what is typed in a chat: it must work without a network, and signing out clears it
//! (`Clear-Site-Data`). Without scripts the form works as forms do.

use leptos::{ev, html, prelude::*};
use std::{collections::BTreeMap, time::Duration};
use wasm_bindgen::JsCast;

/// After a form was sent this long, it was refused if it still stands there: what was typed is kept again.
const REFUSED_AFTER: Duration = Duration::from_secs(3);

/// Stands in a form and keeps what is typed into its named fields. Shows a bar with "Save" while there is something unsaved.
#[component]
pub fn KeepEdits(
    /// What is edited, and in which state: what was typed on an older one is not put over a newer one.
    #[prop(into)]
    name: String,
) -> impl IntoView {
    let place = StoredValue::new(format!("edits:{name}"));
    let bar = NodeRef::<html::Div>::new();
    let edits = RwSignal::new(BTreeMap::<String, String>::new());
    let restored = RwSignal::new(false);
    let unsaved = move || edits.with(|e| !e.is_empty());
    Effect::new(move |begun: Option<bool>| {
        if begun == Some(true) {
            return true;
        }
        let Some(form) = bar.get().and_then(|bar| bar.closest("form").ok().flatten()) else { return false };
        let found = load(&place.get_value());
        if !found.is_empty() && put_back(&form, &found) {
            edits.set(found);
            restored.set(true);
        }
        listen(&form, place, edits);
        true
    });
    Effect::new(move |_| {
        let leaving = window_event_listener(ev::beforeunload, move |event| {
            if edits.with_untracked(|e| !e.is_empty()) {
                event.prevent_default();
            }
        });
        on_cleanup(move || leaving.remove());
    });
    let discard = move |_| {
        keep(&place.get_value(), &BTreeMap::new());
        edits.set(BTreeMap::new());
        let _ = window().location().reload();
    };
    view! {
        <div class="unsaved" role="status" node_ref=bar hidden=move || !unsaved()>
            <span>{move || if restored.get() { "Unsaved changes were restored." } else { "Unsaved changes" }}</span>
            <button class="quiet" type="button" on:click=discard>"Discard"</button>
            <button class="btn small" type="submit">"Save changes"</button>
        </div>
    }
}

/// Follows what is typed, and forgets it when the form is sent.
fn listen(form: &web_sys::Element, place: StoredValue<String>, edits: RwSignal<BTreeMap<String, String>>) {
    let Ok(form) = form.clone().dyn_into::<web_sys::HtmlElement>() else { return };
    let typed = move |event: web_sys::Event| {
        let Some(field) = event.target().and_then(|t| t.dyn_into::<web_sys::Element>().ok()) else { return };
        let kind = field.get_attribute("type").unwrap_or_default();
        let Some(name) = field.get_attribute("name") else { return };
        if ["file", "password", "checkbox", "radio", "hidden"].contains(&kind.as_str()) {
            return;
        }
        edits.update(|e| drop(e.insert(name, event_target_value(&event))));
        edits.with_untracked(|e| keep(&place.get_value(), e));
    };
    let sent = move |_: web_sys::Event| {
        let now = edits.get_untracked();
        keep(&place.get_value(), &BTreeMap::new());
        edits.set(BTreeMap::new());
        set_timeout(
            move || {
                // The page is another one when it was saved, and what belonged to this one is gone.
                if edits.try_with_untracked(BTreeMap::is_empty) == Some(true) && !now.is_empty() {
                    keep(&place.get_value(), &now);
                    edits.set(now);
                }
            },
            REFUSED_AFTER,
        );
    };
    for (name, hear) in [("input", Box::new(typed) as Box<dyn FnMut(web_sys::Event)>), ("submit", Box::new(sent))] {
        let hear = wasm_bindgen::closure::Closure::wrap(hear);
        let _ = form.add_event_listener_with_callback(name, hear.as_ref().unchecked_ref());
        // It lives as long as the form, which the page throws away with it.
        hear.forget();
    }
}

/// Writes what was kept into the fields; whether any of them was there.
fn put_back(form: &web_sys::Element, found: &BTreeMap<String, String>) -> bool {
    let mut any = false;
    for (name, value) in found {
        let quoted = name.replace(['"', '\\'], "");
        let Ok(Some(field)) = form.query_selector(&format!("[name=\"{quoted}\"]")) else { continue };
        any = true;
        // Every kind of field has a `value`.
        field.unchecked_ref::<web_sys::HtmlInputElement>().set_value(value);
        if let Ok(event) = document().create_event("Event") {
            event.init_event_with_bubbles("input", true);
            let _ = field.dispatch_event(&event);
        }
    }
    any
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

fn load(place: &str) -> BTreeMap<String, String> {
    let stored = storage().and_then(|s| s.get_item(place).ok().flatten()).unwrap_or_default();
    serde_json::from_str(&stored).unwrap_or_default()
}

fn keep(place: &str, edits: &BTreeMap<String, String>) {
    let Some(storage) = storage() else { return };
    let _full_or_forbidden = match serde_json::to_string(edits) {
        Ok(text) if !edits.is_empty() => storage.set_item(place, &text),
        _ => storage.remove_item(place),
    };
}
