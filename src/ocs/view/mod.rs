//! Pages of the ocs room, one file a page.

mod edit;
#[cfg(feature = "ssr")]
mod featured;
mod fields;
#[cfg(feature = "ssr")]
pub mod front;
mod gallery;
mod home;
pub mod mine;
mod new;
mod profile;
#[cfg(feature = "ssr")]
pub mod sheet;
#[cfg(feature = "ssr")]
pub mod suggest;
mod versions;

pub use edit::EditPage;
#[cfg(feature = "ssr")]
pub use featured::FeaturedPage;
pub use gallery::GalleryPage;
pub use home::HomePage;
pub use mine::MinePage;
pub use new::NewPage;
pub use profile::ProfilePage;
pub use versions::VersionsPage;

use super::{OcCard, OcKind, page_url};
use crate::ui::Plate;
use leptos::prelude::*;

/// A character in a row or a gallery: its plate, its name, a line in its voice.
#[component]
pub fn CardPlate(
    /// The character.
    card: OcCard,
    /// Above the fold: load at once.
    #[prop(optional)]
    eager: bool,
) -> impl IntoView {
    let OcCard { name, slug, title, kind, line, portrait_url, is_public, .. } = card;
    let title = if title.is_empty() && kind != OcKind::Oc { kind.label().to_owned() } else { title };
    view! {
        <a class="oc-card" href=page_url(&slug)>
            <figure>
                <Plate src=portrait_url eager=eager />
                <figcaption>
                    <h3 class="name">{name}</h3>
                    " "
                    <span class="meta">{title}</span>
                    {(!is_public).then(|| view! { " " <span class="tag">"Draft"</span> })}
                    {(!line.is_empty()).then(|| view! { <q>{line}</q> })}
                </figcaption>
            </figure>
        </a>
    }
}

/// Where one talks with a character.
#[must_use]
pub fn talk_url(slug: &str) -> String {
    format!("/talk/{slug}")
}

/// The slug in the address.
fn slug_param() -> Memo<String> {
    let params = leptos_router::hooks::use_params_map();
    Memo::new(move |_| params.with(|p| p.get("slug")).unwrap_or_default())
}

/// The page's paragraphs, as they were typed.
#[cfg(feature = "ssr")]
fn paragraphs(text: &str) -> Vec<String> {
    text.split("\n\n").map(str::trim).filter(|p| !p.is_empty()).map(str::to_owned).collect()
}
