//! Where a chat from elsewhere comes in: `/conversations/import`. A plain form with a file, with or without scripts.

use super::search::SearchBox;
use crate::{
    chat::history::{Partner, Skipped, api},
    error::AppError,
    ids::ConversationId,
    ui::{Choice, ErrorView, Icon, IconName, PageTitle, Select, load},
};
use leptos::prelude::*;
use leptos_router::{components::Redirect, hooks::use_query_map};

/// The page.
#[component]
pub fn ImportPage() -> impl IntoView {
    let query = use_query_map();
    let with = Memo::new(move |_| query.with(|q| q.get("with").unwrap_or_default()));
    let partners = load(move || with.get(), api::import_partners);
    let refused = move || query.with(|q| q.get("refused")).map(|m| view! { <p class="note bad" role="alert">{m}</p> });
    let done = move || {
        query.with(|q| Done::read(|name| q.get(name).unwrap_or_default())).map(|done| view! { <Told done=done /> })
    };
    view! {
        <PageTitle text="Import a chat" />
        <section class="wrap narrow-form">
            <div class="list-head">
                <h1>"Import a chat"</h1>
                <a class="quiet" href="/conversations"><Icon name=IconName::ChevronLeft />"All chats"</a>
            </div>
            <p class="lead">"Import a SillyTavern chat (.jsonl) or a SoulForge export (.json). Swipes and dates are kept."</p>
            {done}
            {refused}
            <Transition fallback=|| ()>
                {move || Suspend::new(async move {
                    match partners.await {
                        Ok(partners) => view! { <Fields partners=partners with=with.get_untracked() /> }.into_any(),
                        Err(AppError::SignInRequired) => view! { <Redirect path="/sign-up?next=/conversations/import" /> }.into_any(),
                        Err(error) => view! { <ErrorView error=error /> }.into_any(),
                    }
                })}
            </Transition>
        </section>
    }
}

#[component]
fn Fields(partners: Vec<Partner>, with: String) -> impl IntoView {
    let mut choices = vec![Choice::new("", "The character named in the file")];
    choices.extend(partners.into_iter().map(|p| Choice::new(p.slug, p.name)));
    view! {
        <form class="import" action="/conversations/import" method="post" enctype="multipart/form-data">
            <Select name="with" label="Character" value=with choices=choices hint="The character must already exist here." />
            <div class="field">
                <label for="import-file">"File"</label>
                <p class="hint" id="import-file-hint">"At most 20 MB and 20,000 lines. Lines that cannot be read are skipped and listed."</p>
                <input
                    id="import-file"
                    name="file"
                    type="file"
                    accept=".jsonl,.json,.ndjson,application/json,application/x-ndjson,application/jsonl"
                    required=true
                    aria-describedby="import-file-hint"
                />
            </div>
            <button class="btn" type="submit"><Icon name=IconName::Upload />"Import"</button>
        </form>
    }
}

/// A file that was taken over, but not whole.
struct Done {
    id: ConversationId,
    messages: u32,
    skipped: u32,
    lines: Vec<Skipped>,
}

impl Done {
    /// From the page's address. Ids and numbers only: nobody can make this page say something with a link.
    fn read(part: impl Fn(&'static str) -> String) -> Option<Self> {
        Some(Self {
            id: part("done").parse().ok()?,
            messages: part("messages").parse().ok()?,
            skipped: part("skipped").parse().ok()?,
            lines: Skipped::read(&part("lines")),
        })
    }
}

/// What was taken over and what was not.
#[component]
fn Told(done: Done) -> impl IntoView {
    let Done { id, messages, skipped, lines } = done;
    let count = |n: u32, one: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") };
    let more = usize::try_from(skipped).unwrap_or(0).saturating_sub(lines.len());
    view! {
        <div class="note skipped" role="status">
            <p>
                <b>{format!("{} imported, {} skipped. ", count(messages, "message"), count(skipped, "line"))}</b>
                <a class="quiet" href=format!("/chat/{id}")>"Open the chat"</a>
            </p>
            <ul>
                {lines
                    .into_iter()
                    .map(|s| view! { <li>{format!("Line {}: {}", s.line, s.reason.words())}</li> })
                    .collect_view()}
                {(more > 0).then(|| view! { <li>{format!("and {more} more")}</li> })}
            </ul>
        </div>
    }
}

/// Search in a conversation, and the conversation as files to keep.
#[component]
pub fn Files(
    /// The conversation.
    id: String,
) -> impl IntoView {
    let page = format!("/chat/{id}");
    let file = |end: &str, label: &'static str| {
        view! { <a class="quiet" href=format!("{page}/export.{end}") rel="external" download="">{label}</a> }
    };
    view! {
        <SearchBox action=page.clone() label="Search this chat" />
        <p class="files">"Export: "{file("md", "Markdown")}{file("json", "JSON")}{file("jsonl", "SillyTavern")}</p>
    }
}
