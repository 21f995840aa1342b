//! The first page as markup: the server writes it, so that no browser fetches the code to write it again.

use super::{CardPlate, talk_url};
use crate::{
    ocs::{FeedEntry, HomeChat, HomeOwn, HomePage as Home, OcCard, page_url, short_name},
    ui::{Empty, Icon, IconName, Mini, Plate, Time},
};
use leptos::prelude::*;

/// What stands on the first page.
#[must_use]
pub fn written(home: Home) -> String {
    let Home { featured, fan, cards, own, feed } = home;
    match own {
        Some(own) => own_page(own, cards, feed).to_html(),
        None => public_page(featured, fan, cards, feed).to_html(),
    }
}

/// For visitors: what this place is, and whom one could meet.
fn public_page(featured: Option<OcCard>, fan: Vec<OcCard>, cards: Vec<OcCard>, feed: Vec<FeedEntry>) -> impl IntoView {
    let talk = featured.map(|f| {
        let label = format!("Talk to {}", short_name(&f.name));
        view! { <a class="btn ghost" href=talk_url(&f.slug)>{label}</a> }
    });
    let nobody = fan.is_empty();
    view! {
        <section class="hero">
            <div>
                <h1>"The character in your head would like to meet you"</h1>
                <p class="lead">
                    "Describe someone in a sentence. They get a face, a voice and a story, and your chat is saved for next time."
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
        <div class="sec"><h2>"Characters"</h2><a href="/characters">"All characters"</a></div>
        {if nobody {
            view! {
                <Empty title="Nobody is here yet" hint="The first character of this place could be yours.">
                    <a class="btn" href="/summon">"Summon a character"</a>
                </Empty>
            }
                .into_any()
        } else {
            row(cards).into_any()
        }}
        {latest(feed)}
    }
}

/// For somebody who is signed in: what is theirs, then what is new.
fn own_page(own: HomeOwn, cards: Vec<OcCard>, feed: Vec<FeedEntry>) -> impl IntoView {
    let HomeOwn { name, mut chats, mine, more_of_mine, new } = own;
    let first = (!chats.is_empty()).then(|| chats.remove(0));
    let is_new = first.is_none();
    let greeting = if is_new { format!("Welcome, {name}") } else { format!("Hello again, {name}") };
    let go_on = match first {
        Some(chat) => go_on(chat).into_any(),
        None => view! {
            <section class="card go-on start">
                <h2>"Meet someone"</h2>
                <p>"Choose a character below and write the first message. Chats are saved, and only you can read them."</p>
                <p class="row-actions"><a class="btn ghost" href="/characters">"Browse characters"</a></p>
            </section>
        }
        .into_any(),
    };
    view! {
        <h1 class="greeting">{greeting}</h1>
        <div class="own-top">{go_on} {summon_box()}</div>
        {(!chats.is_empty())
            .then(|| {
                view! {
                    <div class="sec"><h2>"Recent chats"</h2><a href="/conversations">"All chats"</a></div>
                    <div class="chats-row">{chats.into_iter().map(small_chat).collect_view()}</div>
                }
            })}
        {is_new
            .then(|| {
                view! {
                    <div class="sec"><h2>"Characters to meet"</h2><a href="/characters">"All characters"</a></div>
                    {row(cards)}
                }
            })}
        <div class="sec">
            <h2>"Your characters"</h2>
            {(!mine.is_empty())
                .then(|| view! { <a href="/characters/mine">{if more_of_mine { "All of them" } else { "Drafts and public" }}</a> })}
        </div>
        {if mine.is_empty() {
            view! {
                <p class="meta own-none">
                    "None yet. What you summon or create is listed here, drafts first. "
                    <a href="/characters/new">"Create one by hand"</a>
                </p>
            }
                .into_any()
        } else {
            row(mine).into_any()
        }}
        {(!new.is_empty())
            .then(|| {
                view! {
                    <div class="sec"><h2>"New here"</h2><a href="/characters">"All characters"</a></div>
                    {row(new)}
                }
            })}
        {latest(feed)}
    }
}

/// The newest chat, large.
fn go_on(chat: HomeChat) -> impl IntoView {
    let HomeChat { id, name, title, portrait_url, last_line, at } = chat;
    let href = format!("/chat/{id}");
    let label = format!("Continue with {}", short_name(&name));
    view! {
        <section class="card go-on">
            <a href=href.clone() tabindex="-1" aria-hidden="true"><Plate src=portrait_url eager=true /></a>
            <div>
                <p class="meta">"Last chat · "<Time at=at /></p>
                <h2>{name}</h2>
                {(!title.is_empty()).then(|| view! { <p class="meta">{title}</p> })}
                {(!last_line.is_empty()).then(|| view! { <p class="voice last">{last_line}</p> })}
                <p class="row-actions"><a class="btn" href=href>{label}</a></p>
            </div>
        </section>
    }
}

fn small_chat(chat: HomeChat) -> impl IntoView {
    let HomeChat { id, name, portrait_url, last_line, at, .. } = chat;
    view! {
        <a class="card small-chat" href=format!("/chat/{id}")>
            <Mini src=portrait_url />
            <span class="who"><b>{name}</b><span class="voice">{last_line}</span><span class="meta"><Time at=at /></span></span>
        </a>
    }
}

/// A sentence is enough: the summon's own page takes it from here.
fn summon_box() -> impl IntoView {
    view! {
        <form class="card summon-box" action="/summon" method="get">
            <h2><label for="home-idea">"Who do you want to meet?"</label></h2>
            <input
                id="home-idea"
                name="idea"
                maxlength="500"
                required=true
                autocomplete="off"
                placeholder="A shy lighthouse keeper who collects storms in jars"
            />
            <p class="meta">"Describe them in a sentence, in any language. They are private until you publish them."</p>
            <p class="row-actions">
                <button class="btn" type="submit"><Icon name=IconName::Wand />"Summon"</button>
                <a class="quiet" href="/characters/new">"Create by hand"</a>
            </p>
        </form>
    }
}

fn row(cards: Vec<OcCard>) -> impl IntoView {
    view! { <div class="awake">{cards.into_iter().map(|c| view! { <CardPlate card=c /> }).collect_view()}</div> }
}

fn latest(feed: Vec<FeedEntry>) -> Option<impl IntoView> {
    (!feed.is_empty()).then(|| {
        view! {
            <div class="sec"><h2>"Latest posts"</h2></div>
            <div class="feed">{feed.into_iter().map(entry).collect_view()}</div>
        }
    })
}

fn entry(entry: FeedEntry) -> impl IntoView {
    let FeedEntry { name, slug, portrait_url, byline, title, content, at } = entry;
    let href = page_url(&slug);
    view! {
        <article class="post">
            <a href=href.clone() tabindex="-1" aria-hidden="true"><Mini src=portrait_url /></a>
            <div>
                <p class="meta byline"><a href=href><b>{name}</b></a>{format!(" {byline} · ")}<Time at=at /></p>
                {(!title.is_empty()).then(|| view! { <h3>{title}</h3> })}
                <p>{content}</p>
            </div>
        </article>
    }
}
