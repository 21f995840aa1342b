//! The list of conversations, and whom to talk with while there are none.

use super::search::{Results, SearchBox};
use crate::{
    app::FrameResource,
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
    let deeds = Deeds { archive: ServerAction::new(), delete: ServerAction::new() };
    provide_context(deeds);
    // The rail names whom one talked with lately.
    let frame = use_context::<FrameResource>();
    Effect::new(move |before: Option<(usize, usize)>| {
        let done = deeds.done();
        if let Some(frame) = frame.filter(|_| before.is_some_and(|b| b != done)) {
            frame.refetch();
        }
        done
    });
    let list = load(
        move || (archived.get(), after.get(), deeds.done()),
        |(archived, after, _)| api::list_conversations(archived, after),
    );
    let q = Memo::new(move |_| query.with(|q| q.get("q").unwrap_or_default()));
    let is_search = Memo::new(move |_| !q.get().trim().is_empty());
    view! {
        <PageTitle text="Chats" />
        <section class="wrap">
            <div class="list-head">
                <h1>"Chats"</h1>
                <nav class="switch" aria-label="Which chats">
                    <a href="/conversations" aria-current=move || (!archived.get() && !is_search.get()).then_some("page")>"Open"</a>
                    <a href="/conversations?archived=true" aria-current=move || archived.get().then_some("page")>"Archived"</a>
                </nav>
            </div>
            <div class="list-tools">
                {move || view! { <SearchBox action="/conversations" label="Search your chats" value=q.get() /> }}
                <p>
                    <a class="btn ghost small" href="/characters"><Icon name=IconName::Plus />"Choose a character"</a>
                    <a class="btn ghost small" href="/conversations/import"><Icon name=IconName::Upload />"Import"</a>
                </p>
            </div>
            {move || deeds.refused().map(|e| view! { <p class="note bad" role="alert">{e.to_string()}</p> })}
            <p class="sr" role="status">{move || deeds.told(archived.get())}</p>
            {move || {
                if is_search.get() {
                    return view! { <Results page="/conversations" /> }.into_any();
                }
                view! {
                    <Transition fallback=|| ()>
                        {move || Suspend::new(async move {
                            match list.await {
                                Ok(list) => view! { <Found list=list archived=archived.get_untracked() /> }.into_any(),
                                Err(AppError::SignInRequired) => view! { <Redirect path="/sign-up?next=/conversations" /> }.into_any(),
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

/// What can be done with a conversation from its row.
#[derive(Clone, Copy)]
struct Deeds {
    archive: ServerAction<api::ArchiveConversation>,
    delete: ServerAction<api::DeleteConversation>,
}

impl Deeds {
    /// Grows with everything that was done: the list is read again then.
    fn done(self) -> (usize, usize) {
        (self.archive.version().get(), self.delete.version().get())
    }

    /// What the server refused last.
    fn refused(self) -> Option<AppError> {
        let of = |value: Option<Result<(), AppError>>| value.and_then(Result::err);
        of(self.archive.value().get()).or_else(|| of(self.delete.value().get()))
    }

    /// What was done last, for whoever does not see the row go.
    fn told(self, archived: bool) -> &'static str {
        match (self.archive.value().get(), self.delete.value().get()) {
            (_, Some(Ok(()))) => "The chat is deleted.",
            (Some(Ok(())), _) if archived => "The chat is unarchived.",
            (Some(Ok(())), _) => "The chat is archived.",
            _ => "",
        }
    }
}

#[component]
fn Found(list: ConversationList, archived: bool) -> impl IntoView {
    if list.cards.is_empty() {
        return if archived {
            view! { <Empty title="Nothing archived" hint="Archived chats are kept here." /> }.into_any()
        } else {
            view! { <Nobody suggestions=list.suggestions /> }.into_any()
        };
    }
    let next = list.next.map(|n| {
        if archived { format!("/conversations?archived=true&after={n}") } else { format!("/conversations?after={n}") }
    });
    view! {
        <ul class="list talks">{list.cards.into_iter().map(|card| view! { <li><Row card=card /></li> }).collect_view()}</ul>
        {next.map(|href| view! { <p class="more"><a class="btn ghost" href=href>"Older chats"</a></p> })}
    }
        .into_any()
}

#[component]
fn Row(card: ConversationCard) -> impl IntoView {
    let deeds = expect_context::<Deeds>();
    let (name, title) = if card.title.is_empty() { (card.oc_name, String::new()) } else { (card.title, card.oc_name) };
    let (for_archive, for_delete, menu) = (card.id.to_string(), card.id.to_string(), format!("menu-{}", card.id));
    let label = format!("More for {name}");
    let (away, words) = if card.is_archived { ("false", "Unarchive") } else { ("true", "Archive") };
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
        <button class="do dots" type="button" popovertarget=menu.clone()><Icon name=IconName::More /><span class="sr">{label.clone()}</span></button>
        <div class="menu" id=menu popover="auto" role="group" aria-label=label>
            <ActionForm action=deeds.archive>
                <input type="hidden" name="conversation_id" value=for_archive />
                <input type="hidden" name="archived" value=away />
                <button class="entry" type="submit">{words}</button>
            </ActionForm>
            <details class="sure">
                <summary class="entry">"Delete"</summary>
                <p class="meta">"All messages of this chat are deleted for good."</p>
                <ActionForm action=deeds.delete>
                    <input type="hidden" name="conversation_id" value=for_delete />
                    <input type="hidden" name="stay" value="true" />
                    <button class="entry danger" type="submit">"Delete chat"</button>
                </ActionForm>
            </details>
        </div>
    }
}

#[component]
fn Nobody(suggestions: Vec<Suggestion>) -> impl IntoView {
    view! {
        <Empty title="No chats yet" hint="Choose a character and say something. They answer at once.">
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
