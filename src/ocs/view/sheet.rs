//! What is to be read on a character's page, as markup: the server writes it, so that no browser fetches the code to
//! write it again.

use super::{gallery, paragraphs, talk_url};
use crate::{
    ocs::{Leaf, Oc, OcItem, OcPage, Trace, banner_url, short_name, theme_class, theme_url},
    ui::{Icon, IconName, Plate, Time},
};
use leptos::prelude::*;

/// The page of a character.
#[must_use]
pub fn written(page: OcPage) -> Leaf {
    let OcPage { oc, line, owner_name, traces, may_edit, canonical, json_ld } = page;
    let origin = canonical.strip_suffix(&oc.url).unwrap_or_default();
    let aside = view! {
        <Plate src=oc.portrait_url.clone() alt=plate_alt(&oc) eager=true />
        <Notes oc=oc.clone() owner_name=owner_name />
        {(may_edit && !oc.is_public).then(|| redraw(&oc))}
    };
    Leaf {
        id: oc.id,
        is_public: oc.is_public,
        may_edit,
        title: if oc.title.is_empty() { oc.name.clone() } else { format!("{}, {}", oc.name, oc.title) },
        description: oc.description.chars().take(180).collect(),
        image: format!("{origin}{}", banner_url(oc.id, oc.version)),
        image_alt: plate_alt(&oc),
        theme: format!("{}?v={}", theme_url(oc.id), oc.version),
        class: theme_class(oc.id),
        aside: aside.to_html(),
        top: top(&oc, &canonical).to_html(),
        text: text(&oc, &line, traces).to_html(),
        url: oc.url,
        canonical,
        json_ld,
    }
}

/// One part of a draft again; an ordinary form, since this is markup.
fn redraw(oc: &Oc) -> impl IntoView + use<> {
    let parts = crate::ocs::summon::redraw::menu();
    view! {
        <form class="redraw" method="post" action="/fn/ocs/redraw">
            <input type="hidden" name="oc_id" value=oc.id.to_string() />
            <input type="hidden" name="page" value="true" />
            <label for="redraw-part">"Redraw a part"</label>
            <div class="row-actions">
                <select id="redraw-part" name="part">
                    {parts.into_iter().map(|(part, label)| view! { <option value=part>{label}</option> }).collect_view()}
                </select>
                <button class="btn ghost small" type="submit">"Redraw"</button>
            </div>
        </form>
    }
}

/// Name, and what one can do.
fn top(oc: &Oc, canonical: &str) -> impl IntoView + use<> {
    let short = short_name(&oc.name);
    view! {
        <h1 class=name_size(&oc.name)>{oc.name.clone()}</h1>
        <div class="sub">
            <a class="btn" href=talk_url(&oc.slug)>{format!("Chat with {short}")}</a>
            <Share name=oc.name.clone() canonical=canonical.to_owned() />
            {export(oc)}
            <span class="tag">{oc.kind.label()}</span>
            {(!oc.title.is_empty()).then(|| view! { <span class="meta">{oc.title.clone()}</span> })}
        </div>
    }
}

fn text(oc: &Oc, line: &str, traces: Vec<Trace>) -> impl IntoView + use<> {
    view! {
        {(!line.is_empty()).then(|| view! { <p class="say">{format!("“{line}”")}</p> })}
        {prose(&oc.description)}
        {(!oc.creator_notes.is_empty()).then(|| view! { <h2>"Creator's notes"</h2>{prose(&oc.creator_notes)} })}
        {(!oc.personality.is_empty()).then(|| view! { <h2>{"Personality"}</h2>{prose(&oc.personality)} })}
        {(!oc.items.is_empty())
            .then(|| {
                view! {
                    <h2>{"Items"}</h2>
                    <div class="items">{oc.items.iter().cloned().map(item).collect_view()}</div>
                }
            })}
        {(!oc.example_dialogue.is_empty())
            .then(|| {
                let lines = oc.example_dialogue.iter().take(3).cloned();
                view! {
                    <h2>"Example chat"</h2>
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
            {(!is_equipped).then(|| view! { <p class="meta">"Not equipped"</p> })}
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
                <dd>{crate::ui::capital(style.mood.as_str())}</dd>
                <dt>"Atmosphere"</dt>
                <dd>{crate::ui::capital(style.atmosphere.as_str())}</dd>
                {(!oc.nickname.is_empty()).then(|| view! { <dt>"Nickname"</dt><dd>{oc.nickname.clone()}</dd> })}
                {(!oc.specialty.is_empty()).then(|| view! { <dt>"Specialty"</dt><dd>{oc.specialty.clone()}</dd> })}
                {(!oc.scenario.is_empty()).then(|| view! { <dt>"Setting"</dt><dd>{oc.scenario.clone()}</dd> })}
                <dt>"Created by"</dt>
                <dd>
                    {if oc.owner.is_empty() {
                        "SoulForge".into_any()
                    } else {
                        view! { <a href=format!("/u/{}", oc.owner) title=owner_name>{format!("@{}", oc.owner)}</a> }.into_any()
                    }}
                </dd>
                <dt>{if oc.is_public { "Public since" } else { "Created" }}</dt>
                <dd><Time at=oc.created_at.clone() /></dd>
                {mature.then(|| view! { <dt>"Rating"</dt><dd>{oc.content_rating.label()}</dd> })}
            </dl>
            {(!oc.tags.is_empty())
                .then(|| {
                    view! {
                        <p class="tags">
                            {oc.tags
                                .iter()
                                .map(|t| view! { <a class="tag" href=format!("/characters?q={}", gallery::encode(t))>{t.clone()}</a> })
                                .collect_view()}
                        </p>
                    }
                })}
            {(!oc.has_avatar).then(|| view! { <p class="meta drawn">"Portrait generated from the name, colours and appearance."</p> })}
        </div>
    }
}

/// The character as files that other programs read. Whoever sees the page may have it as they see it; its owner gets all of it.
fn export(oc: &Oc) -> impl IntoView + use<> {
    let id = oc.id;
    let file = |format: &'static str, label: &'static str, words: &'static str| {
        let href = format!("/api/ocs/{id}/export?format={format}");
        view! { <li><a class="quiet" href=href rel="external nofollow" download="">{label}</a>" "<span class="meta">{words}</span></li> }
    };
    view! {
        <details class="share">
            <summary class="btn ghost"><Icon name=IconName::Download />"Export"</summary>
            <div class="card">
                <ul class="formats">
                    {file("png", "PNG card", "Works almost everywhere")}
                    {file("charx", "CHARX", "Card V3 with the picture")}
                    {file("json", "JSON V3", "Text only")}
                    {file("json-v2", "JSON V2", "Text only, for older apps")}
                </ul>
            </div>
        </details>
    }
}

/// The address of the page, to give to somebody. The page's code answers the button that copies it.
#[component]
fn Share(name: String, canonical: String) -> impl IntoView {
    let mail = format!("mailto:?subject={}&body={}", gallery::encode(&name), gallery::encode(&canonical));
    view! {
        <details class="share">
            <summary class="btn ghost"><Icon name=IconName::Share />"Share"</summary>
            <div class="card">
                <label for="share-link">"Link to this page"</label>
                <input id="share-link" type="text" readonly=true value=canonical />
                <p class="row-actions">
                    <button class="btn small copy-link" type="button">
                        <Icon name=IconName::Copy />
                        "Copy link"
                    </button>
                    <a class="btn ghost small" href=mail>"By e-mail"</a>
                </p>
                <p class="meta" role="status" id="share-copied"></p>
            </div>
        </details>
    }
}

/// What it wrote and what happened to it.
#[component]
fn Life(traces: Vec<Trace>) -> impl IntoView {
    (!traces.is_empty()).then(|| {
        view! {
            <h2>"Latest"</h2>
            <div class="life">
                {traces
                    .into_iter()
                    .map(|trace| match trace {
                        Trace::Post { title, content, at, .. } => {
                            view! {
                                <article class="card">
                                    <p class="meta">"Posted "<Time at=at /></p>
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
