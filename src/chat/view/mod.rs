//! Pages of the chat room.
//!
//! Everything is there without scripts: messages are posted as forms, and the page comes again by itself until the reply
//! is done. With scripts the words appear as they come, over one stream per tab: the reply's while one is being written,
//! the conversation's pulse otherwise.

mod announce;
mod composer;
mod drafts;
mod edit;
mod guest;
mod head;
mod import;
mod keys;
mod line;
mod list;
mod menu;
mod opening;
mod parts;
mod room;
mod search;
mod side;
mod touch;

pub use import::ImportPage;
pub use list::ConversationsPage;

use super::{Talk, api};
use crate::{
    error::AppError,
    ocs,
    ui::{ErrorView, PageTitle, load},
};
use leptos::prelude::*;
use leptos_meta::Stylesheet;
use leptos_router::{
    components::Redirect,
    hooks::{use_params_map, use_query_map},
};
use room::Room;
use search::Searched;

/// A conversation: `/chat/{id}`.
#[component]
pub fn ChatPage() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let id = Memo::new(move |_| params.with(|p| p.get("id").unwrap_or_default()));
    let of = move |name: &'static str| Memo::new(move |_| query.with(|q| q.get(name).unwrap_or_default()));
    let (before, from, at, q) = (of("before"), of("from"), of("at"), of("q"));
    let talk = load(
        move || (id.get(), before.get(), from.get(), at.get()),
        |(id, before, from, at)| api::get_talk(id, before, from, at),
    );
    view! {
        <Suspense fallback=Loading>
            {move || {
                let is_search = !q.get().trim().is_empty();
                Suspend::new(async move {
                    match talk.await {
                        Ok(talk) if is_search => view! { <Searched talk=talk /> }.into_any(),
                        Ok(talk) => view! { <Shown talk=talk /> }.into_any(),
                        Err(error) => refused(error, format!("/chat/{}", id.get_untracked())),
                    }
                })
            }}
        </Suspense>
    }
}

/// A talk with a character: `/talk/{slug}`. Looking changes nothing; the first message makes the conversation.
#[component]
pub fn TalkPage() -> impl IntoView {
    let params = use_params_map();
    let slug = Memo::new(move |_| params.with(|p| p.get("slug").unwrap_or_default()));
    let talk = load(move || slug.get(), api::get_talk_with);
    view! {
        <Suspense fallback=Loading>
            {move || Suspend::new(async move {
                match talk.await {
                    Ok(Talk { lines: Some(lines), .. }) => {
                        let path = carried(format!("/chat/{}", lines.conversation_id)).await;
                        view! { <Redirect path=path /> }.into_any()
                    }
                    Ok(talk) => view! { <Shown talk=talk /> }.into_any(),
                    Err(error) => refused(error, format!("/talk/{}", slug.get_untracked())),
                }
            })}
        </Suspense>
    }
}

/// The address of a chat to which somebody is led on, with what came back to this page in a refused form.
#[cfg(feature = "ssr")]
async fn carried(path: String) -> String {
    use crate::server::{ctx, drafts};
    let Ok(ctx) = ctx() else { return path };
    if ctx.info.draft.is_empty() {
        return path;
    }
    match drafts::keep_for(&ctx, &path, &ctx.info.draft).await {
        Ok(kept) => format!("{path}?__draft={kept}"),
        Err(_) => path,
    }
}

#[cfg(not(feature = "ssr"))]
async fn carried(path: String) -> String {
    path
}

#[component]
fn Shown(talk: Talk) -> impl IntoView {
    let title = match talk.lines.as_ref().map(|l| l.title.clone()).filter(|t| !t.is_empty()) {
        Some(title) => title,
        None => talk.oc.name.clone(),
    };
    let id = talk.oc.id;
    view! {
        <PageTitle text=title />
        <Stylesheet href=ocs::theme_url(id) />
        <div class=format!("chat {}", ocs::theme_class(id))>
            <Room talk=talk />
        </div>
    }
}

fn refused(error: AppError, path: String) -> AnyView {
    if error == AppError::SignInRequired {
        use crate::accounts::view::{door_to, with_draft};
        view! { <Redirect path=door_to(&with_draft(&path)) /> }.into_any()
    } else {
        view! { <ErrorView error=error /> }.into_any()
    }
}

#[component]
fn Loading() -> impl IntoView {
    view! { <div class="chat-loading" role="status"><span class="sr">"Loading the chat"</span></div> }
}
