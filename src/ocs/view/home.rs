//! The first page. What stands on it comes as markup from `front.rs`.

use crate::{
    ocs::api::get_home,
    ui::{ErrorView, PageTitle, load},
};
use leptos::prelude::*;
use leptos_meta::Meta;

/// `/`
#[component]
pub fn HomePage() -> impl IntoView {
    let home = load(|| (), |()| get_home());
    view! {
        <PageTitle text="" />
        <Meta
            name="description"
            content="A home for original characters: describe one in a sentence, and it gets a face, a voice and a story of its own."
        />
        <Transition fallback=|| ()>
            {move || Suspend::new(async move {
                match home.await {
                    Ok(home) => view! { <div class="wrap" inner_html=home></div> }.into_any(),
                    Err(error) => view! { <ErrorView error=error /> }.into_any(),
                }
            })}
        </Transition>
    }
    .into_any()
}
