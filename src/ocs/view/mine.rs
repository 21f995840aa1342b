//! One's own characters, drafts first: the page, and its contents as markup that the server writes.

#[cfg(feature = "ssr")]
use super::CardPlate;
#[cfg(feature = "ssr")]
use crate::{ocs::GalleryPage, ui::Empty};
use crate::{
    ocs::api::get_mine,
    ui::{PageTitle, load},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// `/characters/mine`
#[component]
pub fn MinePage() -> impl IntoView {
    let query = use_query_map();
    let after = Memo::new(move |_| query.with(|q| q.get("after")).unwrap_or_default());
    let page = load(move || after.get(), get_mine);
    view! {
        <PageTitle text="Your characters" />
        <div class="wrap">
            <div class="head">
                <h1>"Your characters"</h1>
                <p class="row-actions">
                    <a class="btn" href="/summon">"Summon a character"</a>
                    <a class="btn ghost" href="/characters/new">"Create by hand"</a>
                    <a class="btn ghost" rel="external" href="/characters/import">"Import"</a>
                </p>
            </div>
            <Transition fallback=|| ()>
                {move || Suspend::new(async move {
                    match page.await {
                        Ok(page) => view! { <div class="contents" inner_html=page></div> }.into_any(),
                        Err(error) => crate::accounts::view::refused(error, "/characters/mine"),
                    }
                })}
            </Transition>
        </div>
    }
    .into_any()
}

/// The cards of a page, and the way to the next one.
#[cfg(feature = "ssr")]
#[must_use]
pub fn written(page: GalleryPage, is_later: bool) -> String {
    let GalleryPage { cards, next, .. } = page;
    if cards.is_empty() {
        return view! {
            <Empty title="No characters yet" hint="Describe someone in a sentence, or fill in every field yourself. Only you can see a draft.">
                <a class="btn" href="/summon">"Summon a character"</a>
                <a class="quiet" rel="external" href="/characters/import">"Import characters"</a>
            </Empty>
        }
        .to_html();
    }
    view! {
        {is_later.then(|| view! { <p class="meta"><a href="/characters/mine">"Back to the first page"</a></p> })}
        <div class="awake gallery">
            {cards.into_iter().enumerate().map(|(n, c)| view! { <CardPlate card=c eager=n < 4 /> }).collect_view()}
        </div>
        {next.map(|after| view! { <p class="more"><a class="btn ghost" href=format!("/characters/mine?after={after}")>"Show more"</a></p> })}
    }
    .to_html()
}
