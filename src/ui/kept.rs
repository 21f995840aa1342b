//! What somebody changed in a form and has not saved: kept in this browser until it is saved, shown again when they come back, and
//! asked about when the page is closed. Signing out clears it, as all that is kept there (`Clear-Site-Data`).

use leptos::{ev, html, prelude::*};
use std::collections::BTreeMap;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlFormElement, HtmlInputElement, HtmlSelectElement, HtmlTextAreaElement};

/// Values of fields by their names.
type Values = BTreeMap<String, String>;

/// A form whose changes are kept.
#[derive(Clone, Copy)]
pub struct Kept {
    root: NodeRef<html::Div>,
    /// Under which name; empty keeps nothing.
    place: StoredValue<String>,
    /// As the server knows them.
    saved: StoredValue<Values>,
    /// They are on their way to the server.
    is_sent: StoredValue<bool>,
    /// Something differs from that.
    pub is_changed: RwSignal<bool>,
    /// What differs was typed before, and brought back.
    pub is_restored: RwSignal<bool>,
}

impl Kept {
    /// Begins to keep what is typed into the form inside `root`; `done` tells each time whether it was saved or refused.
    pub fn new(root: NodeRef<html::Div>, place: String, done: Signal<Option<bool>>) -> Self {
        let kept = Self {
            root,
            place: StoredValue::new(place),
            saved: StoredValue::default(),
            is_sent: StoredValue::new(false),
            is_changed: RwSignal::new(false),
            is_restored: RwSignal::new(false),
        };
        if kept.place.with_value(|p| !p.is_empty()) {
            kept.begin(done);
        }
        kept
    }

    fn begin(self, done: Signal<Option<bool>>) {
        let begun = StoredValue::new(false);
        Effect::new(move |_| {
            if self.root.get().is_none() || begun.get_value() {
                return;
            }
            begun.set_value(true);
            self.saved.set_value(self.now());
            if let Some(before) = self.load().filter(|before| self.differs(before)) {
                self.write(&before);
                self.is_changed.set(true);
                self.is_restored.set(true);
            }
        });
        Effect::new(move |_| {
            let Some(is_saved) = done.get() else { return };
            self.is_sent.set_value(false);
            if is_saved {
                self.saved.set_value(self.now());
                self.settle();
            } else {
                self.typed();
            }
        });
        Effect::new(move |_| {
            let leaving = window_event_listener(ev::beforeunload, move |event| {
                if self.is_changed.get_untracked() && !self.is_sent.get_value() {
                    event.prevent_default();
                }
            });
            on_cleanup(move || leaving.remove());
        });
    }

    /// Somebody changed something.
    pub fn typed(self) {
        if self.place.with_value(String::is_empty) {
            return;
        }
        let now = self.now();
        if self.differs(&now) {
            self.is_changed.set(true);
            if let (Some(storage), Ok(text)) = (storage(), serde_json::to_string(&now)) {
                let _full_or_forbidden = storage.set_item(&self.name(), &text);
            }
        } else {
            self.settle();
        }
    }

    /// The form is sent. What is saved may lead to another page at once, where nobody could forget it any more; what is refused is
    /// kept again.
    pub fn sent(self) {
        self.is_sent.set_value(true);
        self.forget();
    }

    /// Back to what is saved.
    pub fn discard(self) {
        self.write(&self.saved.get_value());
        self.settle();
    }

    fn settle(self) {
        self.is_changed.set(false);
        self.is_restored.set(false);
        self.forget();
    }

    fn forget(self) {
        if let Some(storage) = storage() {
            let _forbidden = storage.remove_item(&self.name());
        }
    }

    fn name(self) -> String {
        self.place.with_value(|place| format!("form:{place}"))
    }

    fn load(self) -> Option<Values> {
        serde_json::from_str(&storage()?.get_item(&self.name()).ok()??).ok()
    }

    /// Whether one of the fields says something else than what is saved.
    fn differs(self, values: &Values) -> bool {
        self.saved.with_value(|saved| saved.iter().any(|(name, value)| values.get(name).is_some_and(|v| v != value)))
    }

    fn fields(self) -> Vec<(String, Field)> {
        let root = self.root.get_untracked();
        let form = root.and_then(|root| root.query_selector("form").ok().flatten());
        let Some(form) = form.and_then(|form| form.dyn_into::<HtmlFormElement>().ok()) else { return Vec::new() };
        let all = form.elements();
        (0..all.length()).filter_map(|at| Field::of(&all.item(at)?)).collect()
    }

    fn now(self) -> Values {
        self.fields().into_iter().map(|(name, field)| (name, field.value())).collect()
    }

    fn write(self, values: &Values) {
        for (name, field) in self.fields() {
            if let Some(value) = values.get(&name).filter(|value| **value != field.value()) {
                field.set(value);
            }
        }
    }
}

/// Browsers that keep nothing answer with an error, or with none.
fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

/// Something that people write into.
enum Field {
    Line(HtmlInputElement),
    Text(HtmlTextAreaElement),
    Choice(HtmlSelectElement),
}

impl Field {
    /// A field with its name; buttons, hidden ones, marks and secrets are none.
    fn of(element: &Element) -> Option<(String, Self)> {
        let name = element.get_attribute("name")?;
        let field = if let Some(area) = element.dyn_ref::<HtmlTextAreaElement>() {
            Self::Text(area.clone())
        } else if let Some(select) = element.dyn_ref::<HtmlSelectElement>() {
            Self::Choice(select.clone())
        } else {
            let is_line =
                |i: &&HtmlInputElement| ["text", "url", "search", "number", "color"].contains(&i.type_().as_str());
            let line = element.dyn_ref::<HtmlInputElement>().filter(is_line)?;
            Self::Line(line.clone())
        };
        (!name.contains("password") && !name.contains("secret")).then_some((name, field))
    }

    fn value(&self) -> String {
        match self {
            Self::Line(line) => line.value(),
            Self::Text(area) => area.value(),
            Self::Choice(select) => select.value(),
        }
    }

    fn set(&self, value: &str) {
        let element: &Element = match self {
            Self::Line(line) => {
                line.set_value(value);
                line
            }
            Self::Text(area) => {
                area.set_value(value);
                area
            }
            Self::Choice(select) => {
                select.set_value(value);
                select
            }
        };
        // As if it had been typed, for whoever counts or shows it.
        if let Ok(typed) = document().create_event("Event") {
            typed.init_event_with_bubbles("input", true);
            let _ = element.dispatch_event(&typed);
        }
    }
}
