//! Where a chat from elsewhere comes in: `/conversations/import`. A plain form with a file, with or without scripts.

use super::search::SearchBox;
use crate::{
    chat::history::{Partner, api},
    error::AppError,
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
    view! {
        <PageTitle text="Import a chat" />
        <section class="wrap narrow-form">
            <div class="list-head">
                <h1>"Import a chat"</h1>
                <a class="quiet" href="/conversations"><Icon name=IconName::ChevronLeft />"All conversations"</a>
            </div>
            <p class="lead">"Bring a talk along: a SillyTavern chat (.jsonl), or a conversation that was exported here as JSON. Swipes become other wordings, dates stay."</p>
            {refused}
            <Transition fallback=|| ()>
                {move || Suspend::new(async move {
                    match partners.await {
                        Ok(partners) => view! { <Fields partners=partners with=with.get_untracked() /> }.into_any(),
                        Err(AppError::SignInRequired) => view! { <Redirect path="/sign-in?next=/conversations/import" /> }.into_any(),
                        Err(error) => view! { <ErrorView error=error /> }.into_any(),
                    }
                })}
            </Transition>
        </section>
    }
}

#[component]
fn Fields(partners: Vec<Partner>, with: String) -> impl IntoView {
    let mut choices = vec![Choice::new("", "The one that the file names")];
    choices.extend(partners.into_iter().map(|p| Choice::new(p.slug, p.name)));
    view! {
        <form class="import" action="/conversations/import" method="post" enctype="multipart/form-data">
            <Select name="with" label="With whom" value=with choices=choices hint="Somebody must be here already to go on talking with them." />
            <div class="field">
                <label for="import-file">"File"</label>
                <p class="hint" id="import-file-hint">"At most 20 MB and 20,000 lines."</p>
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
        <SearchBox action=page.clone() label="Search this conversation" />
        <p class="files">"Export: "{file("md", "Markdown")}{file("json", "JSON")}{file("jsonl", "SillyTavern")}</p>
    }
}
