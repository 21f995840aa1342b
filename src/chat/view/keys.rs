//! Keys of the room, and what one handler does for all lines.
//!
//! Left and Right turn to another version: of the message that has the focus, or else of the last reply; at the end of its
//! versions they ask for another one. Up in an empty box changes one's last line. In a line that is being changed, Escape
//! leaves and Ctrl with Enter sends. All of them press what is on the page, so they can do nothing that is not there.

use super::room::Shared;
use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, HtmlTextAreaElement};

/// After an input method has put its words in, an Enter within this many milliseconds was meant for it.
const COMPOSED: f64 = 60.0;

/// Whether a key belongs to an input method: it picks or ends words there. Safari tells of the end of the words first and of the
/// Enter that ended them afterwards, as of a key like any other but for its code.
pub fn is_for_input_method(shared: Shared, event: &ev::KeyboardEvent) -> bool {
    let since = event.time_stamp() - shared.composed.get_value();
    event.is_composing() || event.key_code() == 229 || (event.key() == "Enter" && (0.0..COMPOSED).contains(&since))
}

/// Listens while the room is there.
pub fn listen(shared: Shared) {
    Effect::new(move |_| {
        let composed =
            window_event_listener(ev::compositionend, move |event| shared.composed.set_value(event.time_stamp()));
        on_cleanup(move || composed.remove());
        let handle = window_event_listener(ev::keydown, move |event| {
            let held = event.shift_key() || event.alt_key() || is_for_input_method(shared, &event);
            let control = event.ctrl_key() || event.meta_key();
            let Some(at) = event.target().and_then(|t| t.dyn_into::<Element>().ok()) else { return };
            if event.default_prevented() || held {
                return;
            }
            let pressed = match (event.key().as_str(), control) {
                ("ArrowLeft", false) if may_turn(&at) => turned(&at).is_some_and(|line| press_before(&line)),
                ("ArrowRight", false) if may_turn(&at) => turned(&at).is_some_and(|line| press_next(&line)),
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

/// Turns a line to the version before.
pub fn press_before(line: &Element) -> bool {
    press(&Some(line.clone()), ".turn [data-step='-1']:not([disabled])")
}

/// Turns a line to the version after, or asks for another one at the end.
pub fn press_next(line: &Element) -> bool {
    let line = Some(line.clone());
    press(&line, ".turn [data-step='1']:not([disabled])") || press(&line, ".under > form .again")
}

/// Changes the lines, and gives the focus back to the line that had it if its elements were replaced meanwhile: to the same line, or
/// to the one that stands in its place.
pub fn hold_focus(change: impl FnOnce()) {
    if !cfg!(feature = "hydrate") {
        return change();
    }
    let Some(line) = closest_of(document().active_element(), ".lines > article") else { return change() };
    let (id, place) = (line.id(), place_of(&line));
    change();
    request_animation_frame(move || {
        let is_lost = document().active_element().is_none_or(|at| at.tag_name() == "BODY");
        let same = document().get_element_by_id(&id);
        let there = || document().query_selector(&format!(".lines > article:nth-of-type({place})")).ok().flatten();
        if let Some(line) = same.or_else(there).filter(|_| is_lost) {
            focus(&line);
        }
    });
}

/// Takes up the lines after another reply was asked for; who asked with a key in a line finds the focus on the reply.
pub fn take_up_reply<F>(shared: Shared, action: ServerAction<F>)
where
    F: leptos::server_fn::ServerFn<Output = crate::chat::Lines, Error = crate::error::AppError>
        + Clone
        + Send
        + Sync
        + 'static,
{
    Effect::new(move |_| {
        let Some(Ok(lines)) = action.value().get() else { return };
        let was_in_line = closest_of(document().active_element(), ".lines > article").is_some();
        shared.take(lines);
        if was_in_line {
            request_animation_frame(move || {
                if let Ok(Some(reply)) = document().query_selector(".lines > article:last-of-type") {
                    focus(&reply);
                }
            });
        }
    });
}

/// Gives an element the focus without moving the page.
fn focus(element: &Element) {
    if let Some(element) = element.dyn_ref::<HtmlElement>() {
        let _ = element.set_attribute("tabindex", "-1");
        let _ = element.focus();
    }
}

/// Which of the lines it is, from 1.
fn place_of(line: &Element) -> u32 {
    let mut place = 1;
    let mut before = line.previous_element_sibling();
    while let Some(line) = before {
        place += u32::from(line.tag_name() == "ARTICLE");
        before = line.previous_element_sibling();
    }
    place
}

/// Takes up the lines after a turn. The version that comes is another line; the focus goes to its button.
pub fn take_up_turn(shared: Shared) {
    Effect::new(move |_| {
        let Some(Ok(lines)) = shared.turn.value().get() else { return };
        let held = closest_of(document().active_element(), ".turn [data-step]").and_then(|button| {
            let step = button.get_attribute("data-step")?;
            let place = place_of(&button.closest("article").ok().flatten()?);
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
pub fn press(within: &Option<Element>, selector: &str) -> bool {
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
