//! What a character may say first.

use super::room::Shared;
use crate::{
    chat::Partner,
    ui::{Icon, IconName, Mini},
};
use leptos::prelude::*;

/// What the character may say first, one of it at a time; looking through them changes nothing.
#[component]
pub fn Opening(
    /// As HTML.
    openings: StoredValue<Vec<String>>,
    /// The character's name in addresses.
    slug: String,
    /// Who speaks.
    oc: StoredValue<Partner>,
) -> impl IntoView {
    let shared = expect_context::<Shared>();
    let count = u32::try_from(openings.with_value(Vec::len)).unwrap_or(1);
    let at = move || shared.opening.get().min(count.saturating_sub(1));
    let html = move || {
        openings.with_value(|o| usize::try_from(at()).ok().and_then(|at| o.get(at).cloned()).unwrap_or_default())
    };
    let turn = move || {
        let to = |at: u32, label: &'static str, step: &'static str, icon: IconName| {
            if at < count {
                let href = format!("/talk/{slug}?opening={at}");
                view! { <a class="do" href=href data-noscroll="" data-step=step aria-label=label><Icon name=icon /></a> }.into_any()
            } else {
                view! { <span class="do none"><Icon name=icon /></span> }.into_any()
            }
        };
        view! {
            {to(at().wrapping_sub(1), "Previous greeting", "-1", IconName::ChevronLeft)}
            <span>{at() + 1}" of "{count}</span>
            {to(at() + 1, "Next greeting", "1", IconName::ChevronRight)}
        }
    };
    view! {
        <article class="oc" id="opening">
            <Mini src=oc.with_value(|o| o.portrait_url.clone()) />
            <div>
                <h2>{oc.with_value(Partner::short_name)}</h2>
                <div class="said" inner_html=html></div>
                {(count > 1).then(|| view! { <div class="under"><span class="turn">{turn}</span></div> })}
            </div>
        </article>
    }
}
