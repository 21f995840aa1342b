//! Where the focus goes when the app shows another page: to its heading, so that whoever hears the page hears where they are, and
//! the Tab key begins there.

use leptos::prelude::*;
use std::time::Duration;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

/// How often the new page is looked for, and how many times: its part of the module may have to come first.
const LOOK: Duration = Duration::from_millis(60);
const LOOKS: u32 = 100;

/// Watches the address. Call it once, where the pages are.
pub fn focus_heading_on_arrival(path: Memo<String>) {
    Effect::new(move |before: Option<(String, u32)>| {
        let now = path.get();
        match before {
            Some((known, arrivals)) if known != now => {
                look(path, now.clone(), heading(), LOOKS);
                (now, arrivals + 1)
            }
            Some(same) => same,
            // The first page was loaded by the browser, which begins at its top.
            None => (now, 0),
        }
    });
}

fn heading() -> Option<Element> {
    document().query_selector("main h1").ok().flatten()
}

fn look(path: Memo<String>, wanted: String, old: Option<Element>, left: u32) {
    set_timeout(
        move || {
            // Gone on, or gone altogether.
            if path.try_get_untracked().is_none_or(|now| now != wanted) {
                return;
            }
            let new = heading().filter(|h| old.as_ref() != Some(h));
            match new.and_then(|h| h.dyn_into::<HtmlElement>().ok()) {
                Some(heading) if !is_writing() => {
                    let _ = heading.set_attribute("tabindex", "-1");
                    let _ = heading.focus();
                }
                None if left > 0 => look(path, wanted, old, left - 1),
                _ => {}
            }
        },
        LOOK,
    );
}

/// Whether somebody writes already, or the page has put them where they will.
fn is_writing() -> bool {
    document().active_element().is_some_and(|at| ["INPUT", "TEXTAREA", "SELECT"].contains(&at.tag_name().as_str()))
}
