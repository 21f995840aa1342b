//! The rest of what can be done with a line: a popover, so that it needs no script, closes with Escape or a press
//! elsewhere, and is never cut off by what scrolls.

use super::{
    line::{Delete, act},
    room::Shared,
};
use crate::{
    chat::Line,
    ui::{Icon, IconName},
};
use leptos::prelude::*;

/// What a line offers besides its buttons. Each entry of the menu is a form or a link of its own; add yours here.
#[component]
pub fn More(
    /// The line.
    line: Line,
    /// The reply can go on from its last word.
    can_continue: bool,
    /// Another version can be asked for, and no button in sight does it.
    can_again: bool,
    /// The page that says what the model was told.
    receipt: Option<String>,
    /// What deleting it takes along.
    deletes: &'static str,
) -> impl IntoView {
    let shared = expect_context::<Shared>();
    let id = line.id.to_string();
    let menu = format!("menu-{id}");
    let has_words = !line.content.trim().is_empty();
    view! {
        <button class="do dots" type="button" popovertarget=menu.clone()><Icon name=IconName::More /><span class="sr">"More"</span></button>
        <div class="menu" id=menu popover="auto" role="group" aria-label="More for this message">
            {can_continue.then(|| act(shared.go_on, &id, "entry", "Continue"))}
            {can_again.then(|| act(shared.again, &id, "entry", "Regenerate from here"))}
            {has_words
                .then(|| {
                    let id = id.clone();
                    view! {
                        <ActionForm action=shared.branch>
                            <input type="hidden" name="message_id" value=id />
                            <button class="entry" type="submit">"Branch from here"</button>
                        </ActionForm>
                    }
                })}
            {receipt.map(|href| view! { <a class="entry" href=href>"View prompt"</a> })}
            {(!line.is_first).then(|| view! { <Delete id=id.clone() what=deletes /> })}
        </div>
    }
}

/// A thumb up or down. Pressing what is pressed takes it back. Nobody but the person sees it.
#[component]
pub fn Rate(
    /// The reply.
    line: Line,
) -> impl IntoView {
    let shared = expect_context::<Shared>();
    let (id, before) = (line.id, line.helpful);
    let opinion = Memo::new(move |_| {
        let now = |l: &crate::chat::Lines| l.lines.iter().find(|l| l.id == id).map(|l| l.helpful);
        shared.lines.with(|l| l.as_ref().and_then(now)).unwrap_or(before)
    });
    let thumb = move |said: bool, value: &'static str, label: &'static str, icon: IconName| {
        let is_pressed = move || opinion.get() == Some(said);
        view! {
            <button
                class="do thumb"
                type="submit"
                name="helpful"
                value=move || if is_pressed() { "unsaid" } else { value }
                aria-pressed=move || if is_pressed() { "true" } else { "false" }
                aria-label=label
                title=format!("{label}. Only you see your rating.")
            >
                <Icon name=icon />
            </button>
        }
    };
    view! {
        <ActionForm action=shared.rate attr:class="rate" attr:role="group" attr:aria-label="Your rating">
            <input type="hidden" name="message_id" value=id.to_string() />
            {thumb(true, "yes", "Good reply", IconName::ThumbUp)}
            {thumb(false, "no", "Bad reply", IconName::ThumbDown)}
        </ActionForm>
    }
}
