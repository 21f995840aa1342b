//! From the page that the server drew to the one that lives in the browser.

use crate::app::App;
use leptos::{mount::hydrate_from_async, prelude::*};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Element, Event, HtmlElement};

/// On `<html>` when the whole page is alive. Styles and tests look for it.
const SIGN: &str = "data-hydrated";

/// Takes over the page. Until its own part of the module is here, links belong to the browser.
pub fn hydrate() {
    leave_links_to_the_browser();
    wasm_bindgen_futures::spawn_local(async {
        let Some(body) = document().body() else { return };
        hydrate_from_async(body.unchecked_into::<HtmlElement>(), App).await.forget();
        if let Some(root) = document().document_element() {
            let _ = root.set_attribute(SIGN, "");
        }
    });
}

/// The router goes to another page as soon as it is there, also while the part of the first page is on its way; that one then finds
/// another page than its own and stops everything. A link that is followed so early is followed by the browser.
fn leave_links_to_the_browser() {
    let early = Closure::<dyn Fn(Event)>::new(|event: Event| {
        let is_alive = document().document_element().is_some_and(|root| root.has_attribute(SIGN));
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let is_link = target.is_some_and(|target| target.closest("a[href]").ok().flatten().is_some());
        if is_link && !is_alive {
            // Before it reaches the router; what the browser does by itself is not stopped.
            event.stop_propagation();
        }
    });
    let _ = window().add_event_listener_with_callback_and_bool("click", early.as_ref().unchecked_ref(), true);
    early.forget();
}
