//! Characters under the search beside every page, as markup that the server writes.

use crate::{
    ocs::{GalleryPage, page_url},
    ui::Mini,
};
use leptos::prelude::*;

/// How many are shown.
pub const SHOWN: u32 = 6;

/// Links to the characters that were found.
#[must_use]
pub fn written(found: GalleryPage) -> String {
    let GalleryPage { cards, meant, .. } = found;
    if cards.is_empty() {
        return String::new();
    }
    view! {
        {meant.map(|meant| view! { <p class="meta">{format!("Did you mean “{meant}”?")}</p> })}
        {cards
            .into_iter()
            .map(|c| {
                view! {
                    <a class="door suggested-one" href=page_url(&c.slug)>
                        <Mini src=c.portrait_url />
                        <span class="who"><b>{c.name}</b><span>{c.title}</span></span>
                    </a>
                }
            })
            .collect_view()}
    }
    .to_html()
}
