//! The list of conversations, and whom to talk with while there are none.

use super::search::{Results, SearchBox};
use crate::{
    chat::{ConversationCard, ConversationList, Suggestion, api},
    error::AppError,
    ui::{Empty, ErrorView, Icon, IconName, Mini, PageTitle, Plate, Time, load},
};
use leptos::prelude::*;
use leptos_router::{components::Redirect, hooks::use_query_map};

/// All conversations: `/conversations`, those put away with `?archived=true`, what was found in them with `?q=`.
#[component]
pub fn ConversationsPage() -> impl IntoView {
    let query = use_query_map();
    let archived = Memo::new(move |_| query.with(|q| q.get("archived").is_some_and(|v| v == "true")));
    let after = Memo::new(move |_| query.with(|q| q.get("after").unwrap_or_default()));
    let list =
        load(move || (archived.get(), after.get()), |(archived, after)| api::list_conversations(archived, after));
    let q = Memo::new(move |_| query.with(|q| q.get("q").unwrap_or_default()));
    let is_search = Memo::new(move |_| !q.get().trim().is_empty());
    view! {
        <PageTitle text="Conversations" />
        <section class="wrap">
            <div class="list-head">
                <h1>"Conversations"</h1>
                <nav class="switch" aria-label="Which conversations">
                    <a href="/conversations" aria-current=move || (!archived.get() && !is_search.get()).then_some("page")>"Open"</a>
                    <a href="/conversations?archived=true" aria-current=move || archived.get().then_some("page")>"Put away"</a>
                </nav>
            </div>
            <div class="list-tools">
                {move || view! { <SearchBox action="/conversations" label="Search what was said" value=q.get() /> }}
                <p>
                    <a class="btn ghost small" href="/characters"><Icon name=IconName::Plus />"New"</a>
                    <a class="btn ghost small" href="/conversations/import"><Icon name=IconName::Upload />"Import"</a>
                </p>
            </div>
            {move || {
                if is_search.get() {
                    return view! { <Results page="/conversations" /> }.into_any();
                }
                view! {
                    <Transition fallback=|| ()>
                        {move || Suspend::new(async move {
                            match list.await {
                                Ok(list) => view! { <Found list=list archived=archived.get_untracked() /> }.into_any(),
                                Err(AppError::SignInRequired) => view! { <Redirect path="/sign-in?next=/conversations" /> }.into_any(),
                                Err(error) => view! { <ErrorView error=error /> }.into_any(),
                            }
                        })}
                    </Transition>
                }
                    .into_any()
            }}
        </section>
    }
}

#[component]
fn Found(list: ConversationList, archived: bool) -> impl IntoView {
    if list.cards.is_empty() {
        return if archived {
            view! { <Empty title="Nothing put away" hint="Conversations that you put away wait here, whole." /> }
                .into_any()
        } else {
            view! { <Nobody suggestions=list.suggestions /> }.into_any()
        };
    }
    let next = list.next.map(|n| {
        if archived { format!("/conversations?archived=true&after={n}") } else { format!("/conversations?after={n}") }
    });
    view! {
        <ul class="list talks">{list.cards.into_iter().map(|card| view! { <li><Row card=card /></li> }).collect_view()}</ul>
        {next.map(|href| view! { <p class="more"><a class="btn ghost" href=href>"Older conversations"</a></p> })}
    }
        .into_any()
}

#[component]
fn Row(card: ConversationCard) -> impl IntoView {
    let (name, title) = if card.title.is_empty() { (card.oc_name, String::new()) } else { (card.title, card.oc_name) };
    view! {
        <a class="list-row" href=format!("/chat/{}", card.id)>
            <Mini src=card.portrait_url />
            <span class="what">
                <b>{name}</b>
                {(!title.is_empty()).then(|| view! { <span class="meta">{title.clone()}</span> })}
                <span class="last">{card.last_line}</span>
            </span>
            <span class="meta when"><Time at=card.last_message_at /></span>
        </a>
    }
}

#[component]
fn Nobody(suggestions: Vec<Suggestion>) -> impl IntoView {
    view! {
        <Empty title="No conversations yet" hint="Pick somebody and say something. They answer at once.">
            <a class="btn" href="/characters">"Meet the characters"</a>
        </Empty>
        <div class="awake">
            {suggestions
                .into_iter()
                .map(|s| {
                    view! {
                        <a href=format!("/talk/{}", s.slug)>
                            <figure>
                                <Plate src=s.portrait_url />
                                <figcaption>
                                    <b>{s.name}</b>
                                    <p class="meta">{s.title}</p>
                                </figcaption>
                            </figure>
                        </a>
                    }
                })
                .collect_view()}
        </div>
    }
}
