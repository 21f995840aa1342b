//! What every page has: a title, a way to fail, a way to be empty, times.

use crate::{error::AppError, ids::Stamp};
use leptos::prelude::*;
use leptos_meta::Title;

/// Title of the page. The only place that may use `<Title>`: Leptos 0.8 writes its text unescaped into the first HTML,
/// so a character named `</title><script>` would run. In the browser it becomes `document.title`, which is plain text.
#[component]
pub fn PageTitle(
    /// What the page is about; the site's name is added.
    #[prop(into)]
    text: String,
) -> impl IntoView {
    let full = if text.is_empty() { "SoulForge".to_owned() } else { format!("{text} · SoulForge") };
    let full = if cfg!(feature = "ssr") { super::escape(&full) } else { full };
    view! { <Title text=full /> }
}

/// A page that could not be shown, with the right status.
#[component]
pub fn ErrorView(
    /// What went wrong.
    error: AppError,
) -> impl IntoView {
    #[cfg(feature = "ssr")]
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>()
        && let Ok(status) = axum::http::StatusCode::from_u16(error.status())
    {
        response.set_status(status);
    }
    let (title, advice) = match &error {
        AppError::NotFound => ("Page not found", "Check the address. The page may have been moved or deleted."),
        AppError::SignInRequired => ("You need an account for this", "Create a free account, or sign in to yours."),
        AppError::Forbidden { .. } | AppError::ConfirmPassword => ("You can't open this page", ""),
        AppError::Unavailable { .. } | AppError::Transport { .. } => {
            ("Back in a moment", "Nothing you sent was lost. Reload the page to try again.")
        }
        _ => ("Something went wrong", ""),
    };
    let sign_in = matches!(error, AppError::SignInRequired);
    view! {
        <PageTitle text=title />
        <section class="wrap fault" role="alert">
            <p class="meta">{error.status()}</p>
            <h1>{title}</h1>
            <p class="lead">{if advice.is_empty() { error.to_string() } else { advice.to_owned() }}</p>
            <p class="row-actions">
                {sign_in
                    .then(|| {
                        view! {
                            <a class="btn" href="/sign-up" rel="external">"Create an account"</a>
                            <a class="btn ghost" href="/sign-in" rel="external">"Sign in"</a>
                        }
                    })}
                <a class="btn ghost" href="/">"Go home"</a>
                <a class="btn ghost" href="/characters">"Browse characters"</a>
            </p>
        </section>
    }
}

/// A list with nothing in it: what would be here, and what to do next.
#[component]
pub fn Empty(
    /// What is missing, for example "No conversations yet".
    #[prop(into)]
    title: String,
    /// What to do about it.
    #[prop(into)]
    hint: String,
    /// Links or buttons.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="empty">
            <h2>{title}</h2>
            <p>{hint}</p>
            {children.map(|c| view! { <p class="row-actions">{c()}</p> })}
        </div>
    }
}

/// A moment.
#[component]
pub fn Time(
    /// When.
    at: Stamp,
) -> impl IntoView {
    view! { <time datetime=at.iso>{at.text}</time> }
}
