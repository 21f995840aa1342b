//! The files of this machine's model: the one in use, those on their way, and the catalogue of those that can be fetched.

use super::{frame::ConfirmFirst, megabytes, saved};
use crate::{
    models::{
        api::{ActOnFile, FetchAddress},
        files::{FetchView, FilesView, OfferView, catalogue::AS_OF},
        gguf::ModelFile,
    },
    ui::{Form, FormNote, Submit, Sure, TextInput},
};
use leptos::prelude::*;

/// Everything about the files. `fresh` says whether the password was typed lately.
#[component]
pub fn FilesCard(
    /// What there is.
    files: FilesView,
    /// Whether the password was typed within the last five minutes.
    fresh: bool,
) -> impl IntoView {
    let act = ServerAction::<ActOnFile>::new();
    let error =
        move || act.value().get().and_then(Result::err).map(|e| view! { <p class="note bad">{e.to_string()}</p> });
    let done = saved("file", "Done. Replies under way are finished first.");
    let FilesView { standing, is_ready, trouble, files, fetches, offers, folder, memory, disk } = files;
    let free = [(memory, "of memory"), (disk, "on the disk")]
        .into_iter()
        .filter(|(bytes, _)| *bytes > 0)
        .map(|(bytes, what)| format!("{} {what}", megabytes(bytes)))
        .collect::<Vec<_>>()
        .join(" and ");
    let is_busy = !is_ready || fetches.iter().any(|fetch| fetch.is_running);
    view! {
        <section class="card settings-card" id="files">
            <h2>"The model of this machine"</h2>
            <div aria-live="polite">
                {error}
                {move || done.get().map(|d| view! { <p class="note good">{d}</p> })}
            </div>
            <div id="files-live" data-busy=is_busy.then_some("yes")>
                <p class=if is_ready { "" } else { "note" }>{standing}</p>
                {(!trouble.is_empty()).then(|| view! { <p class="note bad">{trouble} " The file before it goes on."</p> })}
                {(!fetches.is_empty()).then(|| view! { <h3>"On their way"</h3> })}
                <ul class="files">{fetches.into_iter().map(|fetch| fetch_row(act, fetch)).collect_view()}</ul>
                {(!files.is_empty()).then(|| view! { <h3>"Here"</h3> })}
                <ul class="files">{files.into_iter().map(|file| file_row(act, file)).collect_view()}</ul>
            </div>
            <p class="hint">
                "Memory is for weights and context together, with the settings of this process. "
                {(!free.is_empty()).then(|| format!("Free now: {free}. "))}
                "A GGUF file that is put into " <code>{folder}</code> " appears here."
            </p>
            <h3>"Fetch another"</h3>
            <p class="hint">{format!("As of {AS_OF}. The largest one that this machine can hold usually writes best; each step up is slower.")}</p>
            <ul class="files">{offers.into_iter().map(|offer| offer_row(act, offer)).collect_view()}</ul>
            <details class="other-file">
                <summary>"From another address"</summary>
                {if fresh { other_form().into_any() } else { view! { <ConfirmFirst what="This server will ask another one for a file. Confirm your password first." here="/admin/models" /> }.into_any() }}
            </details>
            <script src="/try.js" defer nonce=leptos::nonce::use_nonce()></script>
        </section>
    }
}

/// A button that does something with a file.
fn button(
    act: ServerAction<ActOnFile>,
    what: &'static str,
    name: String,
    words: &'static str,
    class: &'static str,
) -> AnyView {
    view! {
        <ActionForm action=act>
            <input type="hidden" name="act" value=what />
            <input type="hidden" name="name" value=name.clone() />
            <button type="submit" class=format!("btn small {class}") aria-label=format!("{words} {name}")>{words}</button>
        </ActionForm>
    }
    .into_any()
}

fn fetch_row(act: ServerAction<ActOnFile>, fetch: FetchView) -> AnyView {
    let FetchView { name, url, done, total, is_running, note } = fetch;
    let share = done.saturating_mul(100).checked_div(total).unwrap_or(0);
    let far = match total {
        0 => megabytes(done),
        _ => format!("{} of {}, {share} %", megabytes(done), megabytes(total)),
    };
    let buttons = if is_running {
        button(act, "stop", name.clone(), "Stop", "ghost")
    } else {
        view! { {button(act, "resume", name.clone(), "Continue", "")} {button(act, "discard", name.clone(), "Discard", "ghost")} }
            .into_any()
    };
    view! {
        <li>
            <div class="grow">
                <b>{name.clone()}</b>
                <span class="meta block">{far} " · " <code>{url}</code></span>
                {(total > 0).then(|| view! { <progress max="100" value=share.to_string() aria-label=format!("Progress of {name}")></progress> })}
                {(!note.is_empty()).then(|| view! { <span class="trouble block">{note}</span> })}
            </div>
            <div class="row-actions">{buttons}</div>
        </li>
    }
    .into_any()
}

fn file_row(act: ServerAction<ActOnFile>, file: ModelFile) -> AnyView {
    let ModelFile { name, bytes, context_bytes, in_use, is_own, can_be_used } = file;
    let memory =
        context_bytes.map_or_else(|| "memory unknown".to_owned(), |c| format!("{} of memory", megabytes(c + bytes)));
    let use_it = (!in_use && can_be_used).then(|| button(act, "use", name.clone(), "Use", ""));
    let gone = name.clone();
    let delete = (is_own && !in_use).then(move || {
        view! {
            <Sure label="Delete" warning="The file is gone then; it can be fetched again.">
                {button(act, "delete", gone.clone(), "Delete", "danger")}
            </Sure>
        }
    });
    view! {
        <li>
            <div class="grow">
                <b>{name}</b>
                {in_use.then(|| view! { " " <span class="tag good">"In use"</span> })}
                <span class="meta block">{format!("{} on the disk · {memory}", megabytes(bytes))}</span>
                {(!can_be_used)
                    .then(|| view! { <span class="meta block">"A part of several, or a name with other than plain letters; it cannot be chosen by itself."</span> })}
            </div>
            <div class="row-actions">{use_it} {delete}</div>
        </li>
    }
    .into_any()
}

fn offer_row(act: ServerAction<ActOnFile>, offer: OfferView) -> AnyView {
    let OfferView { key, name, url, bytes, memory, context, licence, good_for, too_large, is_here, is_coming } = offer;
    let label = format!("Fetch {name}");
    let state = match (is_here, is_coming, too_large.is_empty()) {
        (true, ..) => view! { <span class="tag good">"Here"</span> }.into_any(),
        (_, true, _) => view! { <span class="tag">"On its way"</span> }.into_any(),
        (.., true) => view! {
            <ActionForm action=act>
                <input type="hidden" name="act" value="fetch" />
                <input type="hidden" name="name" value=key />
                <button type="submit" class="btn small" aria-label=label>"Fetch"</button>
            </ActionForm>
        }
        .into_any(),
        _ => view! { <span class="tag bad">"Too large"</span> }.into_any(),
    };
    let facts = format!(
        "{} to fetch · {} of memory · {} tokens of context · {licence}",
        megabytes(bytes),
        megabytes(memory),
        crate::models::meter::grouped(context.into())
    );
    let from = url.split("/resolve/").next().unwrap_or(&url).to_owned();
    view! {
        <li>
            <div class="grow">
                <b>{name.clone()}</b>
                <span class="block">{good_for}</span>
                <span class="meta block">
                    {facts} " · "
                    <a class="link" href=from rel="noopener noreferrer external" aria-label=format!("Where {name} is published")>"Where it is published"</a>
                </span>
                {(!too_large.is_empty() && !is_here).then(|| view! { <span class="meta block">{too_large}</span> })}
            </div>
            <div class="row-actions">{state}</div>
        </li>
    }
    .into_any()
}

fn other_form() -> impl IntoView {
    let fetch = ServerAction::<FetchAddress>::new();
    view! {
        <Form action=fetch>
            <FormNote />
            <TextInput name="address" label="Address of a GGUF file" required=true max=1000 placeholder="https://" hint="Only https, and only outside of this server's own network unless its host is listed below." />
            <TextInput name="sha256" label="Its SHA-256 sum" required=true max=80 hint="The page of the file shows it. A file with another sum is not kept." />
            <Submit label="Fetch" />
        </Form>
    }
}
