//! Fingers in the room: a swipe over the last reply turns to another version of it, a tap on a message shows its tools.
//!
//! A swipe begins away from the edges, where browsers go back and forth, and styles leave only the vertical way to the browser there
//! (`touch-action`). It presses the buttons that are on the page, so it can do nothing that they cannot.

use super::{keys, room::Shared};
use leptos::{ev, prelude::*};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

/// Pixels at each side that belong to the browser.
const EDGE: i32 = 36;
/// Pixels that make a move a swipe, and that make a swipe a turn.
const BEGINS: i32 = 14;
const TURNS: i32 = 64;

/// A finger on the last reply.
#[derive(Clone, Default)]
struct Finger {
    id: i32,
    from: (i32, i32),
    moved: i32,
    is_swipe: bool,
    /// Id of the reply.
    on: String,
}

/// Watches fingers over the lines.
#[derive(Clone, Copy)]
pub struct Fingers {
    shared: Shared,
    finger: StoredValue<Option<Finger>>,
}

impl Fingers {
    /// None is there.
    pub fn new(shared: Shared) -> Self {
        Self { shared, finger: StoredValue::new(None) }
    }

    /// A finger was put down.
    pub fn down(self, event: &ev::PointerEvent) {
        self.lift();
        if event.pointer_type() != "touch" || !event.is_primary() {
            return;
        }
        let width = window().inner_width().ok().and_then(|w| w.as_f64()).unwrap_or_default();
        let at = event.target().and_then(|t| t.dyn_into::<Element>().ok());
        let reply = at.filter(|at| within(at, "pre, textarea, input, .menu").is_none());
        let reply = reply.and_then(|at| within(&at, ".lines > article.oc:last-of-type")).map(|reply| reply.id());
        let (x, y) = (event.client_x(), event.client_y());
        if let Some(on) = reply.filter(|_| x >= EDGE && f64::from(x + EDGE) <= width) {
            self.finger.set_value(Some(Finger { id: event.pointer_id(), from: (x, y), on, ..Finger::default() }));
        }
    }

    /// It moves.
    pub fn moved(self, event: &ev::PointerEvent) {
        let Some(mut finger) = self.finger.get_value().filter(|f| f.id == event.pointer_id()) else { return };
        finger.moved = event.client_x() - finger.from.0;
        let down = event.client_y() - finger.from.1;
        if !finger.is_swipe && finger.moved.abs() > BEGINS && finger.moved.abs() > down.abs() * 2 {
            finger.is_swipe = true;
        }
        if finger.is_swipe {
            follow(&finger.on, Some(finger.moved));
        }
        self.finger.set_value(Some(finger));
    }

    /// It is taken up: a swipe to the left asks for the version after, one to the right for the one before.
    pub fn up(self, event: &ev::PointerEvent) {
        let finger = self.lift().filter(|f| f.id == event.pointer_id() && f.is_swipe && f.moved.abs() > TURNS);
        let Some(finger) = finger else { return };
        let Some(reply) = document().get_element_by_id(&finger.on) else { return };
        let _nothing_there = if finger.moved < 0 { keys::press_next(&reply) } else { keys::press_before(&reply) };
    }

    /// The browser took it for something else.
    pub fn lost(self) {
        self.lift();
    }

    fn lift(self) -> Option<Finger> {
        let finger = self.finger.try_update_value(Option::take).flatten();
        if let Some(finger) = &finger {
            follow(&finger.on, None);
        }
        finger
    }

    /// A message was tapped: its tools come, and those of another one go.
    pub fn tapped(self, event: &ev::MouseEvent) {
        let coarse = window().match_media("(hover: none)").ok().flatten().is_some_and(|m| m.matches());
        let at = event.target().and_then(|t| t.dyn_into::<Element>().ok());
        let Some(at) = at.filter(|at| coarse && within(at, "a, button, input, textarea, summary, .menu").is_none())
        else {
            return;
        };
        let Some(line) = within(&at, ".lines > article") else { return };
        self.shared.opened.update(|opened| {
            let id = line.id();
            *opened = if *opened == id { String::new() } else { id };
        });
    }
}

/// The reply goes along with the finger, a little.
fn follow(reply: &str, moved: Option<i32>) {
    let reply = document().get_element_by_id(reply).and_then(|r| r.dyn_into::<HtmlElement>().ok());
    let Some(reply) = reply else { return };
    let style = reply.style();
    let _ = match moved {
        Some(moved) => style.set_property("translate", &format!("{}px", (moved / 2).clamp(-80, 80))),
        None => style.remove_property("translate").map(|_| ()),
    };
}

fn within(at: &Element, selector: &str) -> Option<Element> {
    at.closest(selector).ok().flatten()
}
