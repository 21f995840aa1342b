//! A character's page: a reference sheet in its own colours.

use super::{paragraphs, slug_param, talk_url};
use crate::{
    ocs::{
        Oc, OcItem, OcPage, Trace,
        api::{PublishOc, get_page},
        banner_url, short_name, theme_class, theme_url,
    },
    ui::{ErrorView, Form, FormNote, Icon, IconName, PageTitle, Plate, Submit, Time, load},
};
use leptos::prelude::*;
use leptos_meta::{Link, Meta};

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
                    Ok(page) => view! { <Sheet page=page publish=publish /> }.into_any(),
                    Err(error) => view! { <ErrorView error=error /> }.into_any(),
                }
            })}
        </Transition>
    }
    .into_any()
}

#[component]
fn Sheet(page: OcPage, publish: ServerAction<PublishOc>) -> impl IntoView {
    let OcPage { oc, line, owner_name, traces, may_edit, canonical, json_ld } = page;
    let short = short_name(&oc.name).to_owned();
    let theme = format!("{}?v={}", theme_url(oc.id), oc.version);
    view! {
        <Head oc=oc.clone() canonical=canonical.clone() />
        <link rel="stylesheet" href=theme />
        <article class=format!("sheet {}", theme_class(oc.id))>
            <div class="band"></div>
            <div class="cols">
                <aside>
                    <Plate src=oc.portrait_url.clone() alt=plate_alt(&oc) eager=true />
                    <Notes oc=oc.clone() owner_name=owner_name />
                </aside>
                <section>
                    <h1 class=name_size(&oc.name)>{oc.name.clone()}</h1>
                    <div class="sub">
                        <a class="btn" href=talk_url(&oc.slug)>{format!("Talk with {short}")}</a>
                        <Share name=oc.name.clone() canonical=canonical />
                        <span class="tag">{oc.kind.label()}</span>
                        {(!oc.title.is_empty()).then(|| view! { <span class="meta">{oc.title.clone()}</span> })}
                    </div>
                    {may_edit.then(|| view! { <Care oc=oc.clone() publish=publish /> })}
                    {(!line.is_empty()).then(|| view! { <p class="say">{format!("“{line}”")}</p> })}
                    {prose(&oc.description)}
                    <h2>{format!("What {short} is like")}</h2>
                    {prose(&oc.personality)}
                    {(!oc.items.is_empty())
                        .then(|| {
                            view! {
                                <h2>{format!("{short} carries")}</h2>
                                <div class="items">{oc.items.iter().cloned().map(item).collect_view()}</div>
                            }
                        })}
                    {(!oc.example_dialogue.is_empty())
                        .then(|| {
                            let lines = oc.example_dialogue.iter().take(3).cloned();
                            view! {
                                <h2>"How that sounds"</h2>
                                <div class="sounds">
                                    {lines
                                        .map(|e| {
                                            view! {
                                                <div>
                                                    {(!e.user.is_empty()).then(|| view! { <p class="says">{e.user}</p> })}
                                                    <p class="replies">{spoken(&e.oc)}</p>
                                                </div>
                                            }
                                        })
                                        .collect_view()}
                                </div>
                            }
                        })}
                    <Life traces=traces />
                </section>
            </div>
        </article>
        <script type="application/ld+json" inner_html=json_ld></script>
    }
}

/// What stands in the head: for tabs, search machines and previews of links.
#[component]
fn Head(oc: Oc, canonical: String) -> impl IntoView {
    let title = if oc.title.is_empty() { oc.name.clone() } else { format!("{}, {}", oc.name, oc.title) };
    let words: String = oc.description.chars().take(180).collect();
    let origin = canonical.strip_suffix(&oc.url).unwrap_or_default().to_owned();
    view! {
        <PageTitle text=title.clone() />
        <Meta name="description" content=words.clone() />
        <Link rel="canonical" href=canonical.clone() />
        <Meta property="og:type" content="profile" />
        <Meta property="og:site_name" content="SoulForge" />
        <Meta property="og:title" content=title />
        <Meta property="og:description" content=words />
        <Meta property="og:url" content=canonical />
        <Meta property="og:image" content=format!("{origin}{}", banner_url(oc.id, oc.version)) />
        <Meta property="og:image:type" content="image/png" />
        <Meta property="og:image:width" content="1200" />
        <Meta property="og:image:height" content="630" />
        <Meta property="og:image:alt" content=plate_alt(&oc) />
        <Meta name="twitter:card" content="summary_large_image" />
        {(!oc.is_public).then(|| view! { <Meta name="robots" content="noindex" /> })}
    }
}

/// The name stands on the band, so a long one is set smaller.
fn name_size(name: &str) -> &'static str {
    match name.chars().count() {
        ..=26 => "",
        27..=42 => "long",
        _ => "longer",
    }
}

fn plate_alt(oc: &Oc) -> String {
    if oc.has_avatar { format!("Portrait of {}", oc.name) } else { format!("Drawn portrait of {}", oc.name) }
}

fn prose(text: &str) -> impl IntoView + use<> {
    view! { <div class="prose">{paragraphs(text).into_iter().map(|p| view! { <p>{p}</p> }).collect_view()}</div> }
}

/// Words with the actions between asterisks set apart.
fn spoken(text: &str) -> Vec<AnyView> {
    let parts = text.split('*').enumerate().filter(|(_, part)| !part.is_empty());
    parts
        .map(|(n, part)| {
            let part = part.to_owned();
            if n % 2 == 1 { view! { <em>{part}</em> }.into_any() } else { part.into_any() }
        })
        .collect()
}

fn item(item: OcItem) -> impl IntoView {
    let OcItem { name, description, personality_effects, rarity, is_equipped, .. } = item;
    view! {
        <div class="item" class:kept=!is_equipped>
            <span class="rare">{rarity.label()}</span>
            <b>{name}</b>
            {(!description.is_empty()).then(|| view! { <p class="voice">{description}</p> })}
            <p>{personality_effects}</p>
            {(!is_equipped).then(|| view! { <p class="meta">"Kept, not carried"</p> })}
        </div>
    }
}

/// Palette and facts, beside the plate.
#[component]
fn Notes(oc: Oc, owner_name: String) -> impl IntoView {
    let style = oc.visual_style.clone();
    let background = match &style.background {
        crate::ocs::style::Paint::Solid(colour) => colour.to_string(),
        crate::ocs::style::Paint::Gradient(_) => "gradient".to_owned(),
    };
    let mature = oc.content_rating != crate::ocs::ContentRating::General;
    view! {
        <div class="card-notes">
            <div class="swatches">
                <div class="sw-background">"background"<br />{background}</div>
                <div class="sw-primary">"primary"<br />{style.primary_color.to_string()}</div>
                <div class="sw-accent">"accent"<br />{style.accent_color.to_string()}</div>
            </div>
            <dl class="facts">
                <dt>"Mood"</dt>
                <dd>{style.mood.as_str()}</dd>
                <dt>"Atmosphere"</dt>
                <dd>{style.atmosphere.as_str()}</dd>
                {(!oc.specialty.is_empty()).then(|| view! { <dt>"Good with"</dt><dd>{oc.specialty.clone()}</dd> })}
                {(!oc.scenario.is_empty()).then(|| view! { <dt>"Found at"</dt><dd>{oc.scenario.clone()}</dd> })}
                <dt>"Made by"</dt>
                <dd>
                    {if oc.owner.is_empty() {
                        "the house".into_any()
                    } else {
                        view! { <a href=format!("/u/{}", oc.owner) title=owner_name>{format!("@{}", oc.owner)}</a> }.into_any()
                    }}
                </dd>
                <dt>{if oc.is_public { "Awake since" } else { "Begun" }}</dt>
                <dd><Time at=oc.created_at.clone() /></dd>
                {mature.then(|| view! { <dt>"For"</dt><dd>{oc.content_rating.label()}</dd> })}
            </dl>
            {(!oc.tags.is_empty())
                .then(|| {
                    view! {
                        <p class="tags">
                            {oc.tags
                                .iter()
                                .map(|t| view! { <a class="tag" href=format!("/characters?q={}", super::gallery::encode(t))>{t.clone()}</a> })
                                .collect_view()}
                        </p>
                    }
                })}
            {(!oc.has_avatar).then(|| view! { <p class="meta drawn">"The plate is drawn by rule, from name, palette and a few words."</p> })}
        </div>
    }
}

/// The address of the page, to give to somebody.
#[component]
fn Share(name: String, canonical: String) -> impl IntoView {
    let copied = RwSignal::new(false);
    let alive = RwSignal::new(false);
    // Without a secure address browsers have no clipboard to offer.
    Effect::new(move |_| alive.set(window().is_secure_context()));
    let mail = format!("mailto:?subject={}&body={}", super::gallery::encode(&name), super::gallery::encode(&canonical));
    let link = StoredValue::new(canonical.clone());
    let copy = move |_| {
        let _ = window().navigator().clipboard().write_text(&link.get_value());
        copied.set(true);
    };
    view! {
        <details class="share">
            <summary class="btn ghost"><Icon name=IconName::Share />"Share"</summary>
            <div class="card">
                <label for="share-link">"Link to this page"</label>
                <input id="share-link" type="text" readonly=true value=canonical />
                <p class="row-actions">
                    {move || alive.get().then(|| view! {
                        <button class="btn small" type="button" on:click=copy>
                            <Icon name=IconName::Copy />
                            "Copy link"
                        </button>
                    })}
                    <a class="btn ghost small" href=mail>"By e-mail"</a>
                </p>
                <p class="meta" role="status">{move || copied.get().then_some("Copied.")}</p>
            </div>
        </details>
    }
}

/// What only those see who may change the character.
#[component]
fn Care(oc: Oc, publish: ServerAction<PublishOc>) -> impl IntoView {
    let edit = format!("{}/edit", oc.url);
    let versions = format!("{}/versions", oc.url);
    let id = oc.id.to_string();
    let state = if oc.is_public {
        view! {
            <Form action=publish class="inline">
                <input type="hidden" name="oc_id" value=id />
                <input type="hidden" name="hide" value="true" />
                <button class="quiet" type="submit">"Hide from everybody"</button>
            </Form>
        }
        .into_any()
    } else {
        view! {
            <div class="note draft">
                <p><b>"This is a draft. "</b>"Only you see it. When you publish it, its introduction appears in the forum and everybody can talk with it."</p>
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

/// What it wrote and what happened to it.
#[component]
fn Life(traces: Vec<Trace>) -> impl IntoView {
    (!traces.is_empty()).then(|| {
        view! {
            <h2>"Lately"</h2>
            <div class="life">
                {traces
                    .into_iter()
                    .map(|trace| match trace {
                        Trace::Post { title, content, at, .. } => {
                            view! {
                                <article class="card">
                                    <p class="meta">"Wrote · "<Time at=at /></p>
                                    <h3>{title}</h3>
                                    <p class="voice">{content}</p>
                                </article>
                            }
                                .into_any()
                        }
                        Trace::Event { description, at } => {
                            view! { <p class="meta event">{description}" · "<Time at=at /></p> }.into_any()
                        }
                    })
                    .collect_view()}
            </div>
        }
    })
}
