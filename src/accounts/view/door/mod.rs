//! Joining, coming back and getting back in: pages that the server draws alone, since people arrive here who have fetched
//! nothing yet.
//!
//! The forms are plain and are answered by `gate.rs` with these very pages. `public/door.js` adds what a browser knows
//! better: checks while one types, the time zone, copying and printing.

mod back;
mod field;
mod sign_in;
mod sign_up;
mod welcome;

pub use back::{ForgotPage, ResetPage};
pub use sign_in::SignInPage;
pub use sign_up::SignUpPage;
pub use welcome::WelcomePage;

use crate::{
    accounts::{Purpose, gate::Given, rules::own_path},
    ui::Plate,
};
use axum::http::request::Parts;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// The form that came back, or an empty one.
fn given() -> Given {
    use_context::<Parts>().and_then(|p| p.extensions.get::<Given>().cloned()).unwrap_or_default()
}

/// What a field of the form, or else the address, says under this name.
fn said(given: &Given, name: &str) -> String {
    let asked = || use_query_map().with_untracked(|q| q.get(name)).unwrap_or_default();
    given.values.get(name).cloned().unwrap_or_else(asked)
}

/// Where the form leads afterwards; a path of this site.
fn next_of(given: &Given) -> String {
    own_path(&said(given, "next"))
}

/// Why one is here: whom one wants to talk with, and what one wrote.
fn head(purpose: Purpose, title: String, lead: String) -> AnyView {
    let Purpose { face, line, place, .. } = purpose;
    // Without a script nobody can read what only the browser has kept.
    let kept = place.filter(|_| line.is_none()).map(|place| crate::chat::draft::name(&place));
    view! {
        <header class="door-head">
            {face.map(|face| view! { <span class="door-face"><Plate src=face.portrait_url eager=true /></span> })}
            <div>
                <h1>{title}</h1>
                <p class="lead">{lead}</p>
            </div>
        </header>
        {line.map(|line| view! { <blockquote class="door-line"><p class="meta">"You wrote"</p><p>{line}</p></blockquote> })}
        {kept
            .map(|name| {
                view! { <blockquote class="door-line" data-kept=name hidden><p class="meta">"You wrote"</p><p></p></blockquote> }
            })}
    }
    .into_any()
}

/// The button that Enter presses: the first one of a form is, and that would be one that only shows the password.
fn first_button() -> impl IntoView {
    view! { <button class="sr" type="submit" tabindex="-1" aria-hidden="true"></button> }
}

#[component]
fn Script() -> impl IntoView {
    view! { <script src="/door.js" defer nonce=leptos::nonce::use_nonce()></script> }
}
