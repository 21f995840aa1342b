//! Plates for characters, circles for people.

use leptos::prelude::*;

/// A character's upright 4:5 plate. Decorative beside the name, so its alternative text is empty unless `alt` says more.
#[component]
pub fn Plate(
    /// Address of the picture.
    #[prop(into)]
    src: String,
    /// Alternative text where the plate stands alone.
    #[prop(optional, into)]
    alt: String,
    /// Classes to add.
    #[prop(optional, into)]
    class: String,
    /// Above the fold: load at once.
    #[prop(optional)]
    eager: bool,
) -> impl IntoView {
    view! {
        <span class=format!("plate {class}")>
            <img src=src alt=alt width="400" height="500" loading=if eager { "eager" } else { "lazy" } decoding="async" />
        </span>
    }
}

/// The small plate, 30 by 38 unless a class says otherwise.
#[component]
pub fn Mini(
    /// Address of the picture.
    #[prop(into)]
    src: String,
    /// Classes to add.
    #[prop(optional, into)]
    class: String,
) -> impl IntoView {
    view! {
        <span class=format!("mini {class}")>
            <img src=src alt="" width="60" height="75" loading="lazy" decoding="async" />
        </span>
    }
}

/// A person: their picture in a circle, or the first letters of their name.
#[component]
pub fn Initials(
    /// Name as shown.
    #[prop(into)]
    name: String,
    /// Address of the picture.
    #[prop(optional_no_strip)]
    src: Option<String>,
    /// Classes to add.
    #[prop(optional, into)]
    class: String,
) -> impl IntoView {
    // The style makes them capitals: the alphabet's tables stay out of the browser.
    let letters: String = name.split_whitespace().filter_map(|w| w.chars().next()).take(2).collect();
    view! {
        <span class=format!("person {class}") aria-hidden="true">
            {match src {
                Some(src) => view! { <img src=src alt="" width="40" height="40" /> }.into_any(),
                None => letters.into_any(),
            }}
        </span>
    }
}
