//! `/characters/import`: files in, and what became of each. A plain page: a field for files takes what is dropped on it in every
//! browser, so nothing here needs a script.

use super::{Fate, Note, Report, import::Imported};
use crate::{
    error::AppResult,
    ocs::page_url,
    ui::{Draft, Icon, IconName, PageTitle, TextArea},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use serde::{Deserialize, Serialize};

/// What became of a file, for the page that comes next.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Told {
    file: String,
    /// Address and name of the character; or else the error.
    made: Result<(String, String, Report), String>,
}

impl Told {
    /// Of a file and its result.
    #[must_use]
    pub fn new(file: String, result: AppResult<Imported>) -> Self {
        let made = result.map(|i| (page_url(&i.slug), i.name, i.report)).map_err(|error| error.to_string());
        Self { file, made }
    }
}

/// The page.
#[component]
pub fn ImportPage() -> impl IntoView {
    let refused = use_query_map().with_untracked(|q| q.get("refused"));
    let told: Vec<Told> = use_context::<Draft>()
        .and_then(|draft| draft.0.get("told").and_then(|text| serde_json::from_str(text).ok()))
        .unwrap_or_default();
    view! {
        <PageTitle text="Import characters" />
        <section class="wrap narrow-form">
            <div class="list-head">
                <h1>"Import characters"</h1>
                <a class="quiet" rel="external" href="/characters/mine"><Icon name=IconName::ChevronLeft />"Your characters"</a>
            </div>
            <p class="lead">"Bring character cards from SillyTavern, Chub, RisuAI and others. Each file becomes a draft that only you can see."</p>
            {refused.map(|message| view! { <p class="note bad" role="alert">{message}</p> })}
            {(!told.is_empty()).then(|| results(told))}
            <form class="import" action="/characters/import" method="post" enctype="multipart/form-data">
                <div class="field">
                    <label for="import-files">"Files"</label>
                    <p class="hint" id="import-files-hint">
                        "PNG, WebP, JPEG, CHARX, JSON or YAML; at most 50 files of 32 MB. You can drop them here."
                    </p>
                    <input
                        id="import-files"
                        class="drop"
                        name="file"
                        type="file"
                        multiple=true
                        accept=".png,.webp,.jpg,.jpeg,.charx,.zip,.json,.yaml,.yml,image/png,image/webp,image/jpeg,application/json"
                        aria-describedby="import-files-hint"
                    />
                </div>
                <TextArea name="text" label="Or paste a card" rows=4 max=4_000_000 hint="The JSON of one character." />
                <button class="btn" type="submit"><Icon name=IconName::Upload />"Import"</button>
            </form>
        </section>
    }
    .into_any()
}

/// What became of all files: a sentence, then each of them.
fn results(told: Vec<Told>) -> impl IntoView {
    let made = told.iter().filter(|t| t.made.is_ok()).count();
    let failed = told.len() - made;
    let count = |n: usize| if n == 1 { "1 character".to_owned() } else { format!("{n} characters") };
    let sum = match (made, failed) {
        (made, 0) => format!("{} imported.", count(made)),
        (0, failed) => format!("None of {failed} imported."),
        (made, failed) => format!("{} imported, {failed} failed.", count(made)),
    };
    view! {
        <div class="imported" id="told">
            <h2 role="status">{sum}</h2>
            {told.into_iter().map(result).collect_view()}
        </div>
    }
}

fn result(told: Told) -> impl IntoView {
    let Told { file, made } = told;
    match made {
        Err(error) => view! {
            <article class="card bad">
                <h3>{file}</h3>
                <p>{error}</p>
            </article>
        }
        .into_any(),
        Ok((address, name, report)) => {
            let from = format!("{}, {}, {}", file, report.carrier.label(), report.spec.label());
            view! {
                <article class="card">
                    <h3><a href=address rel="external">{name}</a></h3>
                    <p class="meta">{from}</p>
                    {parts(report)}
                </article>
            }
            .into_any()
        }
    }
}

/// The report of a card: what was changed or lost in sight, the rest folded.
fn parts(report: Report) -> impl IntoView {
    let of = |fate: Fate| report.lines.iter().filter(|n| n.fate == fate).cloned().collect::<Vec<_>>();
    view! {
        {list("Changed", of(Fate::Mapped), true)}
        {list("Left out", of(Fate::Refused), true)}
        {list("Kept", of(Fate::Kept), false)}
        {list("Kept for export only", of(Fate::Verbatim), false)}
    }
}

fn list(title: &'static str, notes: Vec<Note>, open: bool) -> impl IntoView {
    let count = notes.len();
    (count > 0).then(|| {
        view! {
            <details class="fold" open=open>
                <summary>{format!("{title} ({count})")}</summary>
                <ul>
                    {notes
                        .into_iter()
                        .map(|note| {
                            let words = if note.words.is_empty() { String::new() } else { format!(": {}", note.words) };
                            view! { <li><code>{note.part}</code>{words}</li> }
                        })
                        .collect_view()}
                </ul>
            </details>
        }
    })
}
