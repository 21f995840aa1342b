//! Keys of the room, and what one handler does for all lines.
//!
//! Left and Right turn to another wording: of the line that has the focus, or else of the last reply; at the end of its
//! wordings they ask for another one. Up in an empty box changes one's last line. In a line that is being changed, Escape
//! leaves and Ctrl with Enter sends. All of them press what is on the page, so they can do nothing that is not there.

use super::room::Shared;
use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, HtmlTextAreaElement};

/// Listens while the room is there.
pub fn listen() {
    Effect::new(move |_| {
        let handle = window_event_listener(ev::keydown, |event| {
            let held = event.shift_key() || event.alt_key() || event.is_composing();
            let control = event.ctrl_key() || event.meta_key();
            let Some(at) = event.target().and_then(|t| t.dyn_into::<Element>().ok()) else { return };
            if event.default_prevented() || held {
                return;
            }
            let pressed = match (event.key().as_str(), control) {
                ("ArrowLeft", false) if may_turn(&at) => press(&turned(&at), ".turn [data-step='-1']:not([disabled])"),
                ("ArrowRight", false) if may_turn(&at) => {
                    let line = turned(&at);
                    press(&line, ".turn [data-step='1']:not([disabled])") || press(&line, ".under > form .again")
                }
                ("ArrowUp", false) if is_empty_box(&at) => {
                    let last = document().query_selector(".lines > :nth-last-child(1 of .mine)");
                    press(&last.ok().flatten(), ".edit-link")
                }
                ("Escape", false) => press(&closest(&at, ".edit"), ".cancel"),
                ("Enter", true) => press(&closest(&at, ".edit"), "button[type=submit]"),
                _ => false,
            };
            if pressed {
                event.prevent_default();
            }
        });
        on_cleanup(move || handle.remove());
    });
}

/// Copies the words of a block of code; the button stands before the block.
pub fn copy_code(event: &ev::MouseEvent) {
    let at = event.target().and_then(|t| t.dyn_into::<Element>().ok());
    let Some(button) = closest_of(at, ".copy-code") else { return };
    let Some(code) = button.next_element_sibling().and_then(|pre| pre.text_content()) else { return };
    if !window().is_secure_context() {
        return;
    }
    let _ = window().navigator().clipboard().write_text(&code);
    button.set_text_content(Some("Copied"));
    set_timeout(move || button.set_text_content(Some("Copy code")), std::time::Duration::from_secs(2));
}

/// Takes up the lines after a turn. The wording that comes is another line; the focus goes to its button.
pub fn take_up_turn(shared: Shared) {
    Effect::new(move |_| {
        let Some(Ok(lines)) = shared.turn.value().get() else { return };
        let held = closest_of(document().active_element(), ".turn [data-step]").and_then(|button| {
            let step = button.get_attribute("data-step")?;
            let mut place = 1;
            let mut line = button.closest("article").ok().flatten()?.previous_element_sibling();
            while let Some(before) = line {
                place += u32::from(before.tag_name() == "ARTICLE");
                line = before.previous_element_sibling();
            }
            Some(format!(".lines > article:nth-of-type({place}) .turn [data-step='{step}']"))
        });
        shared.take(lines);
        if let Some(held) = held {
            request_animation_frame(move || {
                if let Ok(Some(button)) = document().query_selector(&held) {
                    let _ = button.unchecked_into::<HtmlElement>().focus();
                }
            });
        }
    });
}

fn closest_of(at: Option<Element>, selector: &str) -> Option<Element> {
    at.and_then(|at| at.closest(selector).ok().flatten())
}

fn closest(at: &Element, selector: &str) -> Option<Element> {
    at.closest(selector).ok().flatten()
}

/// Presses what is there; `false` if nothing is.
fn press(within: &Option<Element>, selector: &str) -> bool {
    let found = within.as_ref().and_then(|e| e.query_selector(selector).ok().flatten());
    if let Some(found) = &found {
        found.unchecked_ref::<HtmlElement>().click();
    }
    found.is_some()
}

/// The box with nothing in it: keys that move the caret move nothing there.
fn is_empty_box(at: &Element) -> bool {
    at.dyn_ref::<HtmlTextAreaElement>().is_some_and(|area| area.name() == "content" && area.value().is_empty())
}

/// Whether an arrow pressed there would do nothing by itself.
fn may_turn(at: &Element) -> bool {
    is_empty_box(at) || (closest(at, "input, textarea, select, pre, .menu, .side, .rail").is_none())
}

/// The line that has the focus, or else the last one.
fn turned(at: &Element) -> Option<Element> {
    closest(at, ".lines > article")
        .or_else(|| document().query_selector(".lines > article:last-of-type").ok().flatten())
}
