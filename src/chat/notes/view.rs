//! The notes of a conversation (`/chat/{id}/notes`) and the receipt of a reply (`/chat/{id}/receipt/{run}`).

use super::{
    INSTRUCTIONS_MAX, NOTE_MAX, NotesView, SUMMARY_MAX,
    api::{SaveNotes, SaveSummary, get_notes, get_receipt},
};
use crate::{
    accounts::view::refused,
    ocs,
    ui::{Choice, Form, FormNote, PageTitle, Select, Submit, TextArea, TextInput, load},
};
use leptos::prelude::*;
use leptos_meta::Stylesheet;
use leptos_router::hooks::{use_params_map, use_query_map};

/// Said after a summary was asked for.
pub const ANEW: &str = "The summary is being written. Load this page again in a moment.";

/// `/chat/{id}/notes`
#[component]
pub fn NotesPage() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|p| p.get("id").unwrap_or_default()));
    let notes = load(move || id.get(), get_notes);
    view! {
        <Suspense fallback=|| ()>
            {move || Suspend::new(async move {
                let id = id.get_untracked();
                match notes.await {
                    Ok(notes) => page(id, notes).into_any(),
                    Err(error) => refused(error, &format!("/chat/{id}/notes")),
                }
            })}
        </Suspense>
    }
    .into_any()
}

fn page(id: String, notes: NotesView) -> impl IntoView {
    let save = ServerAction::<SaveNotes>::new();
    let sum_up = ServerAction::<SaveSummary>::new();
    let query = use_query_map();
    let saved = move |key: &str| query.with(|q| q.get("saved").is_some_and(|s| s == key));
    let kept = Signal::derive(move || {
        let now = save.value().with(|v| matches!(v, Some(Ok(()))));
        (now || (save.value().with(Option::is_none) && saved("notes")))
            .then(|| "Saved. Applies from the next reply.".to_owned())
    });
    let summed = Signal::derive(move || match sum_up.value().get() {
        Some(Ok(words)) => Some(words),
        Some(Err(_)) => None,
        None if saved("anew") => Some(ANEW.to_owned()),
        None => saved("summary").then(|| "Saved.".to_owned()),
    });
    let personas = notes.personas.into_iter().map(|(value, label)| Choice::new(value, label)).collect::<Vec<_>>();
    let modes = [("auto", "Automatic"), ("off", "Never")];
    let modes = modes.map(|(value, label)| Choice::new(value, label)).to_vec();
    let max = |n: usize| u32::try_from(n).unwrap_or(0);
    let (for_summary, back) = (id.clone(), format!("/chat/{id}"));
    let (keep_notes, keep_summary) = (format!("notes-{id}"), format!("summary-{id}"));
    view! {
        <PageTitle text=format!("Notes · {}", notes.oc_name) />
        <Stylesheet href=ocs::theme_url(notes.oc_id) />
        <section class=format!("wrap notes {}", ocs::theme_class(notes.oc_id))>
            <p><a class="quiet" href=back>{format!("Back to chat with {}", notes.oc_name)}</a></p>
            <h1>"Notes"</h1>
            <p class="lead">"What the model is told in this chat besides the messages. Only you can see it."</p>
            <div class="card settings-card">
                <h2>"For this chat"</h2>
                <Form action=save keep=keep_notes>
                    <FormNote done=kept />
                    <input type="hidden" name="conversation_id" value=id />
                    <Select name="form[persona]" label="Your persona" value=notes.persona choices=personas />
                    <p class="hint"><a class="link" href="/settings/personas">"Your personas"</a></p>
                    <TextArea
                        name="form[instructions]"
                        label="Instructions"
                        value=notes.instructions
                        max=max(INSTRUCTIONS_MAX)
                        hint=format!("Scenario, your role, and what {} should or shouldn't do.", notes.oc_name)
                    />
                    <TextArea name="form[note]" label="Author's note" value=notes.note max=max(NOTE_MAX) rows=2 hint=notes.note_hint />
                    <TextInput
                        name="form[note_depth]"
                        label="Messages after the note"
                        value=notes.note_depth.to_string()
                        max=2
                        hint="0 to 20. With 0 the note comes last and has most effect."
                    />
                    <Submit label="Save" />
                </Form>
            </div>
            <div class="card settings-card" id="older-lines">
                <h2>"Summary of earlier messages"</h2>
                <Form action=sum_up keep=keep_summary>
                    <FormNote done=summed />
                    <input type="hidden" name="conversation_id" value=for_summary />
                    <TextArea
                        name="summary"
                        label="Summary"
                        value=notes.summary
                        max=max(SUMMARY_MAX)
                        rows=6
                        hint=notes.summary_hint
                    />
                    <Select name="summary_mode" label="Summarize earlier messages" value=notes.summary_mode choices=modes />
                    <div class="row-actions">
                        <Submit label="Save summary" />
                        <button class="btn ghost" type="submit" name="act" value="anew">"Regenerate"</button>
                    </div>
                </Form>
            </div>
        </section>
    }
}

/// `/chat/{id}/receipt/{run}`
#[component]
pub fn ReceiptPage() -> impl IntoView {
    let params = use_params_map();
    let ids = Memo::new(move |_| params.with(|p| (p.get("id").unwrap_or_default(), p.get("run").unwrap_or_default())));
    let receipt = load(move || ids.get(), |(id, run)| get_receipt(id, run));
    view! {
        <Suspense fallback=|| ()>
            {move || Suspend::new(async move {
                let (id, run) = ids.get_untracked();
                match receipt.await {
                    Ok(html) => {
                        view! {
                            <PageTitle text="Prompt of this reply" />
                            <section class="wrap receipt">
                                <p><a class="quiet" href=format!("/chat/{id}")>"Back to chat"</a></p>
                                <h1>"Prompt of this reply"</h1>
                                <div inner_html=html></div>
                                <p><a class="quiet" href=format!("/chat/{id}/notes")>"Notes of this chat"</a></p>
                            </section>
                        }
                            .into_any()
                    }
                    Err(error) => refused(error, &format!("/chat/{id}/receipt/{run}")),
                }
            })}
        </Suspense>
    }
    .into_any()
}
