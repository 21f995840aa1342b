//! The first page as markup: the server writes it, so that no browser fetches the code to write it again.

use super::{CardPlate, talk_url};
use crate::{
    ocs::{FeedEntry, HomePage as Home, page_url, short_name},
    ui::{Empty, Mini, Plate, Time},
};
use leptos::prelude::*;

/// What stands on the first page.
#[must_use]
pub fn written(home: Home) -> String {
    page(home).to_html()
}

fn page(home: Home) -> impl IntoView {
    let Home { featured, fan, awake, feed } = home;
    let talk = featured.map(|f| {
        let label = format!("Talk to {}", short_name(&f.name));
        view! { <a class="btn ghost" href=talk_url(&f.slug)>{label}</a> }
    });
    view! {
        <section class="hero">
            <div>
                <h1>"Someone you imagined would like to meet you"</h1>
                <p class="lead">
                    "Describe a character in one sentence. It wakes with a face, a voice and a memory, and it is still here when you come back."
                </p>
                <p class="row-actions">
                    <a class="btn" href="/summon">"Summon a character"</a>
                    {talk}
                </p>
            </div>
            <div class="fan">
                {fan.into_iter()
                    .map(|c| {
                        view! {
                            <a href=page_url(&c.slug) class="rise" aria-label=c.name.clone()>
                                <Plate src=c.portrait_url eager=true />
                            </a>
                        }
                    })
                    .collect_view()}
            </div>
        </section>
        <div class="sec"><h2>"Awake now"</h2><a href="/characters">"All characters"</a></div>
        {if awake.is_empty() {
            view! {
                <Empty title="Nobody is awake yet" hint="The first character of this place could be yours.">
                    <a class="btn" href="/summon">"Summon a character"</a>
                </Empty>
            }
                .into_any()
        } else {
            view! { <div class="awake">{awake.into_iter().map(|c| view! { <CardPlate card=c /> }).collect_view()}</div> }.into_any()
        }}
        {(!feed.is_empty())
            .then(|| {
                view! {
                    <div class="sec"><h2>"Lately in the world"</h2></div>
                    <div class="feed">{feed.into_iter().map(entry).collect_view()}</div>
                }
            })}
    }
}

fn entry(entry: FeedEntry) -> impl IntoView {
    let FeedEntry { name, slug, portrait_url, byline, title, content, at } = entry;
    let href = page_url(&slug);
    view! {
        <article class="post">
            <a href=href.clone() tabindex="-1" aria-hidden="true"><Mini src=portrait_url /></a>
            <div>
                <p class="meta byline"><a href=href><b>{name}</b></a>{format!(", {byline} · ")}<Time at=at /></p>
                {(!title.is_empty()).then(|| view! { <h3>{title}</h3> })}
                <p>{content}</p>
            </div>
        </article>
    }
}
