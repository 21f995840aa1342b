//! What was found: in all conversations, or in one. A plain GET form, so every search has an address.

use crate::{
    chat::{
        ConversationCard, Sender, Talk,
        history::{Found, Hit, QUERY_MAX, api},
        tree_api::ShowBranch,
    },
    error::AppError,
    ocs,
    ui::{Empty, ErrorView, Icon, IconName, Mini, PageTitle, Time, load},
};
use leptos::prelude::*;
use leptos_meta::Stylesheet;
use leptos_router::{components::Redirect, hooks::use_query_map};

/// Where one types what one looks for.
#[component]
pub fn SearchBox(
    /// The page that shows what was found.
    #[prop(into)]
    action: String,
    /// What it says while empty, and to those who do not see it.
    #[prop(into)]
    label: String,
    /// What is looked for now.
    #[prop(optional, into)]
    value: String,
) -> impl IntoView {
    view! {
        <form class="seek" action=action method="get" role="search">
            <Icon name=IconName::Search />
            <input name="q" type="search" placeholder=label.clone() aria-label=label value=value maxlength=QUERY_MAX.to_string() />
            <button class="btn ghost small" type="submit">"Search"</button>
        </form>
    }
}

/// What was found, for the `q` and `after` of the page's address.
#[component]
pub fn Results(
    /// Only in this conversation; empty for all.
    #[prop(optional, into)]
    conversation: String,
    /// Address of the page without its query.
    #[prop(into)]
    page: String,
    /// Name of the person one talks with, when all is in one conversation.
    #[prop(optional, into)]
    oc: String,
) -> impl IntoView {
    let query = use_query_map();
    let q = Memo::new(move |_| query.with(|m| m.get("q").unwrap_or_default()));
    let after = Memo::new(move |_| query.with(|m| m.get("after").unwrap_or_default()));
    let within = conversation.clone();
    let found = load(move || (q.get(), after.get()), move |(q, after)| api::search_messages(q, within.clone(), after));
    let is_one = !conversation.is_empty();
    let page = StoredValue::new(page);
    let oc = StoredValue::new(oc);
    view! {
        <Transition fallback=|| ()>
            {move || Suspend::new(async move {
                match found.await {
                    Ok(found) => {
                        view! { <Page found=found is_one=is_one q=q.get_untracked() page=page.get_value() oc=oc.get_value() /> }.into_any()
                    }
                    Err(AppError::SignInRequired) => view! { <Redirect path="/sign-up?next=/conversations" /> }.into_any(),
                    Err(error @ (AppError::Invalid { .. } | AppError::TooMany { .. })) => {
                        view! { <p class="note bad" role="alert">{error.to_string()}</p> }.into_any()
                    }
                    Err(error) => view! { <ErrorView error=error /> }.into_any(),
                }
            })}
        </Transition>
    }
}

#[component]
fn Page(found: Found, is_one: bool, q: String, page: String, oc: String) -> impl IntoView {
    if found.hits.is_empty() && found.conversations.is_empty() {
        let hint = "All words must be in one message. Use quotes for an exact phrase.";
        return view! { <Empty title="No results" hint=hint /> }.into_any();
    }
    let searched = if found.corrected.is_empty() { &q } else { &found.corrected };
    let next = found.next.map(|after| format!("{page}?q={}&after={after}", encoded(searched)));
    let show = ServerAction::<ShowBranch>::new();
    follow_shown(show);
    let refused = move || show.value().get().and_then(Result::err);
    let corrected = (!found.corrected.is_empty()).then(
        || view! { <p class="note">{format!("No results for “{q}”. Showing results for “{}”.", found.corrected)}</p> },
    );
    view! {
        {corrected}
        {move || refused().map(|e| view! { <p class="note bad" role="alert">{e.to_string()}</p> })}
        {(!found.conversations.is_empty())
            .then(|| {
                view! {
                    <h2 class="part-head">"Chats"</h2>
                    <ul class="list talks">{found.conversations.into_iter().map(|c| view! { <li><Called card=c /></li> }).collect_view()}</ul>
                }
            })}
        {(!found.hits.is_empty())
            .then(|| {
                view! {
                    {(!is_one).then(|| view! { <h2 class="part-head">"Messages"</h2> })}
                    <ol class="list talks hits">{found.hits.into_iter().map(|h| view! { <li><HitRow hit=h is_one=is_one oc=oc.clone() show=show /></li> }).collect_view()}</ol>
                }
            })}
        {next.map(|href| view! { <p class="more"><a class="btn ghost" href=href>"Older results"</a></p> })}
    }
    .into_any()
}

/// A conversation that is called so.
#[component]
fn Called(card: ConversationCard) -> impl IntoView {
    let (name, by) = if card.title.is_empty() { (card.oc_name, String::new()) } else { (card.title, card.oc_name) };
    view! {
        <a class="list-row" href=format!("/chat/{}", card.id)>
            <Mini src=card.portrait_url />
            <span class="what">
                <b>{name}</b>
                <span class="meta">{by}{card.is_archived.then_some(" · archived")}</span>
                <span class="last">{card.last_line}</span>
            </span>
            <span class="meta when"><Time at=card.last_message_at /></span>
        </a>
    }
}

/// A line in which something was found. The link is an ordinary one, so that the browser itself goes to the line.
#[component]
fn HitRow(hit: Hit, is_one: bool, oc: String, show: ServerAction<ShowBranch>) -> impl IntoView {
    let href = hit.url();
    let elsewhere = (!hit.is_shown).then(|| hit.message_id.to_string());
    let by = match (hit.sender, is_one) {
        (Sender::User, _) => "You".to_owned(),
        (Sender::Oc, true) => oc,
        (Sender::Oc, false) => hit.oc_name.clone(),
    };
    let place = if hit.title.is_empty() { hit.oc_name } else { hit.title };
    view! {
        <a class="list-row" href=href rel="external">
            <Mini src=hit.portrait_url />
            <span class="what">
                <b>{by}</b>
                {(!is_one).then(|| view! { <span class="meta">{place}</span> })}
                <span class="found" inner_html=hit.html></span>
            </span>
            <span class="meta when"><Time at=hit.created_at /></span>
        </a>
        {elsewhere.map(|id| view! { <div class="branch"><Elsewhere id=id show=show /></div> })}
    }
}

/// Says that a line is not on the branch that its conversation shows, and shows it with one press.
#[component]
pub fn Elsewhere(
    /// The line.
    #[prop(into)]
    id: String,
    /// What shows it; [`follow_shown`] leads there.
    show: ServerAction<ShowBranch>,
) -> impl IntoView {
    view! {
        <span class="meta">"In another branch."</span>
        <ActionForm action=show>
            <input type="hidden" name="message_id" value=id />
            <button class="quiet" type="submit">"Show this branch"</button>
        </ActionForm>
    }
}

/// Goes to a line whose branch is shown now. The browser itself goes there, so that it finds the line on the page.
pub fn follow_shown(show: ServerAction<ShowBranch>) {
    Effect::new(move |_| {
        let Some(Ok(address)) = show.value().get() else { return };
        let place = window().location();
        // The same address again would only be scrolled to.
        let _gone = match place.href() {
            Ok(here) if here.ends_with(&address) => place.reload(),
            _ => place.set_href(&address),
        };
    });
}

/// Search in one conversation: `/chat/{id}?q=`.
#[component]
pub fn Searched(
    /// The conversation.
    talk: Talk,
) -> impl IntoView {
    let q = use_query_map().with_untracked(|m| m.get("q").unwrap_or_default());
    let id = talk.lines.as_ref().map(|l| l.conversation_id.to_string()).unwrap_or_default();
    let title = talk.lines.map(|l| l.title).filter(|t| !t.is_empty()).unwrap_or_else(|| talk.oc.name.clone());
    let page = format!("/chat/{id}");
    view! {
        <PageTitle text=format!("Search in {title}") />
        <Stylesheet href=ocs::theme_url(talk.oc.id) />
        <section class=format!("wrap {}", ocs::theme_class(talk.oc.id))>
            <div class="list-head">
                <h1>{title.clone()}</h1>
                <a class="quiet" href=page.clone()><Icon name=IconName::ChevronLeft />"Back to chat"</a>
            </div>
            <SearchBox action=page.clone() label="Search this chat" value=q />
            <Results conversation=id page=page oc=talk.oc.short_name() />
        </section>
    }
}

/// Text as it stands in the query of an address.
pub fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, b| {
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(b));
        } else {
            out.push('%');
            for half in [b >> 4, b & 15] {
                out.extend(char::from_digit(u32::from(half), 16).map(|c| c.to_ascii_uppercase()));
            }
        }
        out
    })
}
