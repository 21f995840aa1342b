//! The frame around every page: rail, tabs, account menu, theme, "Lately with".

use leptos::prelude::*;

/// Rail at the left (wide), tabs at the bottom (narrow), the page between them.
#[component]
pub fn PageFrame(
    /// The page.
    children: Children,
) -> impl IntoView {
    view! {
        <a class="skip" href="#main">"Skip to the page"</a>
        <div class="shell">
            <main id="main">{children()}</main>
        </div>
    }
}
