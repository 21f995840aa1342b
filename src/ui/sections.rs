//! Pages that belong together.

use super::{Icon, IconName};
use leptos::prelude::*;

/// The list of pages that belong together beside one of them.
#[component]
pub fn Sections(
    /// What the list is called, for those who hear it.
    label: &'static str,
    /// Classes of the whole.
    class: &'static str,
    /// Address, name, icon and `rel` of each page.
    links: Vec<(&'static str, &'static str, IconName, Option<&'static str>)>,
    /// Address of the page that is shown.
    here: &'static str,
    /// Further links, which depend on something that must be read first.
    #[prop(optional)]
    more: Option<AnyView>,
    /// What it is called.
    title: String,
    /// The page.
    children: Children,
) -> impl IntoView {
    view! {
        <section class=class>
            <nav aria-label=label>
                {links
                    .into_iter()
                    .map(|(path, name, icon, rel)| {
                        view! {
                            <a class="door" href=path rel=rel aria-current=(path == here).then_some("page")>
                                <Icon name=icon />
                                {name}
                            </a>
                        }
                    })
                    .collect_view()}
                {more}
            </nav>
            <div class="settings-page">
                <h1>{title}</h1>
                {children()}
            </div>
        </section>
    }
}
