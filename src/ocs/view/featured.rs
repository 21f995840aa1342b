//! The admin's page about the home page: whom visitors are shown first.

use crate::{
    models::view::{AdminFrame, loaded, saved},
    ocs::{
        FeaturedOc, acts,
        api::{ChangeFeatured, FeatureOc},
        page_url,
    },
    ui::{Form, FormNote, Mini, Submit, TextInput},
};
use leptos::prelude::*;

/// `/admin/home`
#[component]
pub fn FeaturedPage() -> impl IntoView {
    loaded(
        "/admin/home".to_owned(),
        |ctx| async move { acts::list_featured(&ctx).await },
        |list: Vec<FeaturedOc>| {
            let add = ServerAction::<FeatureOc>::new();
            let done = saved("added", "Added.");
            view! {
                <AdminFrame here="/admin/home" title="Home page">
                    <p>
                        "Visitors see these characters first, in this order. If there are fewer than eleven, SoulForge's own characters and the most popular ones follow."
                    </p>
                    {if list.is_empty() {
                        view! { <p class="note">"No characters chosen yet."</p> }.into_any()
                    } else {
                        let rows = list.into_iter().enumerate().map(|(n, oc)| view! { <Row oc=oc is_first=n == 0 /> }).collect_view();
                        view! { <ul class="list settings-card">{rows}</ul> }.into_any()
                    }}
                    <section class="card settings-card">
                        <h2>"Add a character"</h2>
                        <Form action=add>
                            <FormNote done=done />
                            <TextInput name="character" label="Name or address" max=200 required=true hint="A public character, for example Lumina or /c/lumina." />
                            <Submit label="Add" />
                        </Form>
                    </section>
                </AdminFrame>
            }
            .into_any()
        },
    )
}

#[component]
fn Row(oc: FeaturedOc, is_first: bool) -> impl IntoView {
    let FeaturedOc { id, name, slug, portrait_url, owner, is_public } = oc;
    let change = ServerAction::<ChangeFeatured>::new();
    let by = if owner.is_empty() { "by SoulForge".to_owned() } else { format!("by @{owner}") };
    view! {
        <li class="list-row">
            <Mini src=portrait_url />
            <span class="grow">
                <a href=page_url(&slug) rel="external"><b>{name}</b></a>
                <span class="meta block">{by} {(!is_public).then_some(" · not public now, so not shown")}</span>
            </span>
            <Form action=change class="inline">
                <input type="hidden" name="oc_id" value=id.to_string() />
                {(!is_first).then(|| view! { <button class="quiet" type="submit" name="change" value="up">"Move up"</button> })}
                <button class="quiet danger" type="submit" name="change" value="remove">"Remove"</button>
            </Form>
        </li>
    }
}
