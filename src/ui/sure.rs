//! What cannot be taken back.

use leptos::prelude::*;

/// A step that nothing brings back: folded away until somebody means it.
#[component]
pub fn Sure(
    /// What it does, on the fold.
    label: &'static str,
    /// What goes with it.
    warning: &'static str,
    /// The form that does it.
    children: Children,
) -> impl IntoView {
    view! {
        <details class="sure">
            <summary class="quiet danger">{label}</summary>
            <p>{warning}</p>
            {children()}
        </details>
    }
}
