//! Pages of the accounts room, and its parts of the page frame.

#[cfg(feature = "ssr")]
pub mod admin;
mod confirm;
#[cfg(feature = "ssr")]
mod door;
mod menu;
mod person;
pub mod settings;
mod setup;

pub use confirm::{ConfirmPage, GoodbyePage};
#[cfg(feature = "ssr")]
pub use door::{ForgotPage, ResetPage, SignInPage, SignUpPage, WelcomePage};
pub use menu::{AccountMenu, ThemeSwitch};
pub use person::PersonPage;
pub use setup::SetupPage;

use super::rules::own_path;
use crate::{app::FrameResource, error::AppError, ui::ErrorView};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// The result of an action.
type Outcome<T> = MappedSignal<Option<Result<T, AppError>>>;

/// Goes where an action leads, as a whole new page: what was loaded for the old identity is stale.
fn follow(outcome: Outcome<String>) {
    Effect::new(move |_| {
        if let Some(Ok(path)) = outcome.get() {
            let _ = window().location().set_href(&path);
        }
    });
}

/// A word after success: told by the action with scripts, by `?saved=` in the address without.
fn done<T: Clone + Send + Sync + 'static>(
    outcome: Outcome<T>,
    key: &'static str,
    words: &'static str,
) -> Signal<Option<String>> {
    let query = use_query_map();
    Signal::derive(move || {
        let now = outcome.with(|o| o.as_ref().is_some_and(Result::is_ok));
        let before = outcome.with(Option::is_none) && query.with(|q| q.get("saved").is_some_and(|s| s == key));
        (now || before).then(|| words.to_owned())
    })
}

/// Reads the frame again after a change that it shows.
fn refresh_frame<T: Clone + Send + Sync + 'static>(outcome: Outcome<T>) {
    let frame = use_context::<FrameResource>();
    Effect::new(move |_| {
        if outcome.with(|o| o.as_ref().is_some_and(Result::is_ok))
            && let Some(frame) = frame
        {
            frame.refetch();
        }
    });
}

/// Where the address says to go afterwards; a path of this site.
fn next_path() -> String {
    use_query_map().with_untracked(|q| q.get("next")).map_or_else(|| "/".to_owned(), |n| own_path(&n))
}

/// An address with a way back.
fn with_next(page: &str, next: &str) -> String {
    if next == "/" { page.to_owned() } else { format!("{page}?next={}", escape_query(next)) }
}

fn escape_query(path: &str) -> String {
    path.bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => char::from(b).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// Where somebody without an account is led who wants to go to `here`. Who wants to talk or make something is new as a
/// rule and joins; whose own settings they are has an account already. Each of the two pages leads to the other.
#[must_use]
pub fn door_to(here: &str) -> String {
    let is_own = ["/settings", "/admin", "/confirm", "/setup", "/welcome"].iter().any(|own| here.starts_with(own));
    with_next(if is_own { "/sign-in" } else { "/sign-up" }, here)
}

/// The page at `path`, with what came back in a refused form, for as long as that is kept: it stands there again after the door.
pub fn with_draft(path: &str) -> String {
    let draft = use_query_map().with(|q| q.get("__draft")).filter(|d| d.len() <= 40);
    let separator = if path.contains('?') { '&' } else { '?' };
    draft.map_or_else(|| path.to_owned(), |draft| format!("{path}{separator}__draft={draft}"))
}

/// A page that somebody may not see: those without an account are led to the door and come back.
pub(crate) fn refused(error: AppError, here: &str) -> AnyView {
    let sign_in = (error == AppError::SignInRequired).then(|| door_to(&with_draft(here)));
    let view = view! { <ErrorView error=error /> }.into_any();
    #[cfg(feature = "ssr")]
    if let Some(path) = &sign_in {
        leptos_axum::redirect(path);
    }
    let _ = sign_in;
    view
}
