//! Fingers in the room: a swipe over the last reply turns to another version of it, a tap on a message shows its tools, and a long
//! press opens its menu.
//!
//! A long press counts when the finger is taken up: what it does in browsers by itself, marking a word, it still does, and whoever
//! draws on from there to mark more gets no menu.
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

/// Milliseconds that make a press long, and pixels by which it may stray.
const LONG: f64 = 450.0;
const STRAYS: i32 = 10;
/// For so many milliseconds after a long press a tap is the end of it.
const SAME_PRESS: f64 = 600.0;

/// A finger on a message.
#[derive(Clone, Default)]
struct Finger {
    id: i32,
    from: (i32, i32),
    /// When it was put down, as events count time.
    since: f64,
    moved: i32,
    has_strayed: bool,
    /// The browser takes it for a long press.
    is_long: bool,
    /// It may swipe: it is on the last reply and away from the edges.
    may_swipe: bool,
    is_swipe: bool,
    /// Id of the message on the page.
    on: String,
}

/// Watches fingers over the lines.
#[derive(Clone, Copy)]
pub struct Fingers {
    shared: Shared,
    finger: StoredValue<Option<Finger>>,
    /// When the last long press ended.
    pressed: StoredValue<f64>,
}

impl Fingers {
    /// None is there.
    pub fn new(shared: Shared) -> Self {
        Self { shared, finger: StoredValue::new(None), pressed: StoredValue::new(-SAME_PRESS) }
    }

    /// A finger was put down.
    pub fn down(self, event: &ev::PointerEvent) {
        self.lift();
        if event.pointer_type() != "touch" || !event.is_primary() {
            return;
        }
        let at = event.target().and_then(|t| t.dyn_into::<Element>().ok());
        let at = at.filter(|at| within(at, "a, button, summary, textarea, input, .menu").is_none());
        let Some((at, line)) = at.and_then(|at| within(&at, ".lines > article").map(|line| (at, line))) else { return };
        let width = window().inner_width().ok().and_then(|w| w.as_f64()).unwrap_or_default();
        let (x, y) = (event.client_x(), event.client_y());
        let is_inside = x >= EDGE && f64::from(x + EDGE) <= width;
        // Blocks of code scroll sideways themselves.
        let is_last = line.matches(".oc:last-of-type").unwrap_or_default() && within(&at, "pre").is_none();
        self.finger.set_value(Some(Finger {
            id: event.pointer_id(),
            from: (x, y),
            since: event.time_stamp(),
            may_swipe: is_inside && is_last,
            on: line.id(),
            ..Finger::default()
        }));
    }

    /// It moves.
    pub fn moved(self, event: &ev::PointerEvent) {
        let Some(mut finger) = self.finger.get_value().filter(|f| f.id == event.pointer_id()) else { return };
        finger.moved = event.client_x() - finger.from.0;
        let down = event.client_y() - finger.from.1;
        finger.has_strayed |= finger.moved.abs().max(down.abs()) > STRAYS;
        if finger.may_swipe && finger.moved.abs() > BEGINS && finger.moved.abs() > down.abs() * 2 {
            finger.is_swipe = true;
        }
        if finger.is_swipe {
            follow(&finger.on, Some(finger.moved));
        }
        self.finger.set_value(Some(finger));
    }

    /// The browser would show its own menu now, or has marked a word.
    pub fn held(self) {
        self.finger.update_value(|finger| {
            if let Some(finger) = finger {
                finger.is_long = true;
            }
        });
    }

    /// It is taken up: a swipe to the left asks for the version after, one to the right for the one before; a long press opens the
    /// menu.
    pub fn up(self, event: &ev::PointerEvent) {
        let Some(finger) = self.lift().filter(|f| f.id == event.pointer_id()) else { return };
        let is_long = finger.is_long || event.time_stamp() - finger.since >= LONG;
        if is_long && !finger.has_strayed {
            return self.open_menu(finger.on, event.time_stamp());
        }
        let Some(reply) = document().get_element_by_id(&finger.on) else { return };
        if finger.is_swipe && finger.moved.abs() > TURNS {
            let _nothing_there = if finger.moved < 0 { keys::press_next(&reply) } else { keys::press_before(&reply) };
        }
    }

    /// The browser took it for something else: its own long press, or a scroll.
    pub fn lost(self, event: &ev::PointerEvent) {
        if let Some(finger) = self.lift().filter(|f| f.is_long && !f.has_strayed) {
            self.open_menu(finger.on, event.time_stamp());
        }
    }

    /// Shows the tools of a message, and opens its menu once the browser is done with the press, which would close it again.
    fn open_menu(self, line: String, now: f64) {
        self.pressed.set_value(now);
        self.shared.opened.set(line.clone());
        let open = move || {
            let line = document().get_element_by_id(&line);
            let _has_none = keys::press(&line, ".dots");
        };
        set_timeout(open, std::time::Duration::from_millis(30));
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
        if event.time_stamp() - self.pressed.get_value() < SAME_PRESS {
            return;
        }
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
