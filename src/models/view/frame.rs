//! The frame of the admin's part: its sections beside one of them.

use crate::ui::{IconName, PageTitle, Sections};
use leptos::prelude::*;

/// The sections: path, name, icon.
const SECTIONS: &[(&str, &str, IconName)] = &[
    ("/admin", "Overview", IconName::Shield),
    ("/admin/models", "Models", IconName::Message),
    ("/admin/accounts", "Accounts and guests", IconName::Key),
    ("/admin/people", "People", IconName::Users),
    ("/admin/safety", "Safety", IconName::Warning),
    ("/admin/home", "Home page", IconName::Home),
    ("/admin/pages", "Legal pages", IconName::Info),
    ("/admin/jobs", "Background jobs", IconName::Refresh),
];

/// The sections of the admin's part beside one of them.
#[component]
pub fn AdminFrame(
    /// Path of the section.
    here: &'static str,
    /// What the page is called.
    #[prop(into)]
    title: String,
    /// The page.
    children: Children,
) -> impl IntoView {
    view! {
        <PageTitle text=title.clone() />
        <Sections
            label="Administration"
            class="wrap settings admin"
            links=SECTIONS.iter().map(|(path, name, icon)| (*path, *name, *icon, Some("external"))).collect()
            here=here
            title=title
        >
            {children()}
        </Sections>
    }
}

/// A table that scrolls sideways by itself where the screen is narrow, also by keyboard.
#[component]
pub fn Figures(
    /// What is in it.
    #[prop(into)]
    label: String,
    /// Names of the columns; those after the first two bars `|` hold numbers.
    columns: &'static [&'static str],
    /// How many columns at the left hold words.
    words: usize,
    /// Row by row.
    rows: Vec<Vec<String>>,
) -> impl IntoView {
    let class = move |i: usize| if i < words { "" } else { "number" };
    view! {
        <div class="figures" role="region" aria-label=label tabindex="0">
            <table>
                <thead>
                    <tr>{columns.iter().enumerate().map(|(i, name)| view! { <th scope="col" class=class(i)>{*name}</th> }).collect_view()}</tr>
                </thead>
                <tbody>
                    {rows
                        .into_iter()
                        .map(|row| {
                            view! {
                                <tr>
                                    {row.into_iter().enumerate().map(|(i, cell)| view! { <td class=class(i)>{cell}</td> }).collect_view()}
                                </tr>
                            }
                        })
                        .collect_view()}
                </tbody>
            </table>
        </div>
    }
}

/// What to do first when the password was not typed lately.
#[component]
pub fn ConfirmFirst(
    /// What needs it.
    #[prop(into)]
    what: String,
    /// The page to come back to.
    #[prop(into)]
    here: String,
) -> impl IntoView {
    view! {
        <p>{what}</p>
        <p class="row-actions"><a class="btn" rel="external" href=format!("/confirm?next={here}")>"Confirm your password"</a></p>
    }
}
