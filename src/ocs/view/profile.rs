//! A character's page: a reference sheet in its own colours. What is to be read comes as markup from `sheet.rs`.

use super::slug_param;
use crate::{
    ids::OcId,
    ocs::{
        Leaf,
        api::{PublishOc, get_page},
    },
    ui::{ErrorView, Form, FormNote, Icon, IconName, PageTitle, Submit, load},
};
use leptos::{ev, prelude::*};
use leptos_meta::{Link, Meta};
use wasm_bindgen::JsCast;

/// `/c/{slug}`
#[component]
pub fn ProfilePage() -> impl IntoView {
    let slug = slug_param();
    let publish = ServerAction::<PublishOc>::new();
    let page = load(move || (slug.get(), publish.version().get()), |(slug, _)| get_page(slug));
    view! {
        <Transition fallback=|| ()>
            {move || Suspend::new(async move {
                match page.await {
                    Ok(page) => sheet(page, publish).into_any(),
                    Err(error) => view! { <ErrorView error=error /> }.into_any(),
                }
            })}
        </Transition>
    }
    .into_any()
}

fn sheet(page: Leaf, publish: ServerAction<PublishOc>) -> impl IntoView {
    let Leaf { id, url, is_public, may_edit, theme, class, aside, top, text, json_ld, .. } = page.clone();
    view! {
        <Head page=page />
        <link rel="stylesheet" href=theme />
        <article class=format!("sheet {class}")>
            <div class="band"></div>
            <div class="cols">
                <aside inner_html=aside></aside>
                <section>
                    <div class="contents" inner_html=top on:click=copy></div>
                    {may_edit.then(|| view! { <Care id=id url=url is_public=is_public publish=publish /> })}
                    <div class="contents" inner_html=text></div>
                </section>
            </div>
        </article>
        <script type="application/ld+json" inner_html=json_ld></script>
    }
}

/// Copies the page's address when its button was pressed.
fn copy(event: ev::MouseEvent) {
    let at = event.target().and_then(|t| t.dyn_into::<web_sys::Element>().ok());
    if !at.is_some_and(|at| at.closest(".copy-link").is_ok_and(|button| button.is_some())) {
        return;
    }
    let field = document().get_element_by_id("share-link").and_then(|f| f.dyn_into::<web_sys::HtmlInputElement>().ok());
    let (Some(field), Some(told)) = (field, document().get_element_by_id("share-copied")) else { return };
    // Without a secure address browsers have no clipboard to offer.
    let words = if window().is_secure_context() {
        let _ = window().navigator().clipboard().write_text(&field.value());
        "Copied."
    } else {
        field.select();
        "Selected. Press Ctrl and C to copy it."
    };
    told.set_text_content(Some(words));
}

/// What stands in the head: for tabs, search machines and previews of links.
#[component]
fn Head(page: Leaf) -> impl IntoView {
    let Leaf { is_public, title, description, canonical, image, image_alt, .. } = page;
    view! {
        <PageTitle text=title.clone() />
        <Meta name="description" content=description.clone() />
        <Link rel="canonical" href=canonical.clone() />
        <Meta property="og:type" content="profile" />
        <Meta property="og:site_name" content="SoulForge" />
        <Meta property="og:title" content=title />
        <Meta property="og:description" content=description />
        <Meta property="og:url" content=canonical />
        <Meta property="og:image" content=image />
        <Meta property="og:image:type" content="image/png" />
        <Meta property="og:image:width" content="1200" />
        <Meta property="og:image:height" content="630" />
        <Meta property="og:image:alt" content=image_alt />
        <Meta name="twitter:card" content="summary_large_image" />
        {(!is_public).then(|| view! { <Meta name="robots" content="noindex" /> })}
    }
}

/// What only those see who may change the character.
#[component]
fn Care(id: OcId, url: String, is_public: bool, publish: ServerAction<PublishOc>) -> impl IntoView {
    let edit = format!("{url}/edit");
    let versions = format!("{url}/versions");
    let id = id.to_string();
    let state = if is_public {
        view! {
            <Form action=publish class="inline">
                <input type="hidden" name="oc_id" value=id />
                <input type="hidden" name="hide" value="true" />
                <button class="quiet" type="submit">"Unpublish"</button>
            </Form>
        }
        .into_any()
    } else {
        view! {
            <div class="note draft">
                <p><b>"This is a draft. "</b>"Only you can see it. Publishing makes the page public and posts their introduction on the home page."</p>
                <Form action=publish class="inline">
                    <input type="hidden" name="oc_id" value=id />
                    <Submit label="Publish" class="small" />
                    <FormNote />
                </Form>
            </div>
        }
        .into_any()
    };
    view! {
        <div class="care">
            <a class="quiet" href=edit><Icon name=IconName::Edit />"Edit"</a>
            <a class="quiet" href=versions><Icon name=IconName::History />"Versions"</a>
            {state}
        </div>
    }
}
