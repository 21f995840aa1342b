//! Where one writes. Enter sends, Shift and Enter begins a new line; while a reply is being written, the button stops it.
//! "Suggest a reply" has the model write here what the person might say; nothing is sent by it.

use super::{
    drafts::{Keeping, Network},
    guest::GuestNote,
    keys::is_for_input_method,
    parts::TooLong,
    room::Shared,
};
use crate::{
    app::FrameResource,
    chat::{
        MESSAGE_MAX, Partner,
        live::{self, Asked},
        tree_api::DraftLine,
    },
    ids::RunId,
    ui::{Icon, IconName, TextArea},
};
use leptos::{
    ev::{KeyboardEvent, MouseEvent},
    html,
    prelude::*,
    server_fn::ServerFn,
};
use serde_json::{Value, json};

/// Id of the form that sends.
const BOX: &str = "say";

/// The box under the lines.
#[component]
pub fn Composer(
    /// To whom.
    oc: StoredValue<Partner>,
    /// Things to say first.
    quick_start: Vec<String>,
    /// Only the greeting stands there yet.
    nothing_said: Signal<bool>,
) -> impl IntoView {
    let shared = expect_context::<Shared>();
    let run = shared.open_run();
    let input = NodeRef::<html::Textarea>::new();
    let short = oc.with_value(Partner::short_name);
    let notice = format!("{short} is an AI character. What they say is made up.");
    let conversation =
        move || shared.lines.with(|l| l.as_ref().map(|l| l.conversation_id.to_string()).unwrap_or_default());
    let refused = Signal::derive(move || {
        shared.send.value().with(|v| v.as_ref().and_then(|r| r.as_ref().err().map(ToString::to_string)))
    });

    let keeping = Keeping::new(shared, oc.with_value(|o| o.id.to_string()), input);
    Effect::new(move |_| {
        let is_wide =
            window().match_media("(min-width: 1100px) and (pointer: fine)").ok().flatten().is_some_and(|m| m.matches());
        if let Some(area) = input.get().filter(|_| is_wide && shared.editing.get_untracked().is_none()) {
            let _ = area.focus();
        }
    });
    let press = move |event: KeyboardEvent| enter_sends(shared, run, input, &event);
    let hidden = move || {
        view! {
            <input type="hidden" name="oc_id" value=oc.with_value(|o| o.id.to_string()) />
            <input type="hidden" name="conversation_id" value=conversation />
            <input type="hidden" name="key" value=move || shared.key.get() />
            <input type="hidden" name="opening" value=move || shared.opening.get() />
        }
    };
    let starts = StoredValue::new(quick_start);
    view! {
        <div class="compose" on:submit:capture=move |event| keeping.submitting(&event)>
            <Show when=move || nothing_said.get() && run.get().is_none() && starts.with_value(|s| !s.is_empty())>
                <ActionForm action=shared.send attr:class="starts">
                    {hidden()}
                    {starts
                        .get_value()
                        .into_iter()
                        .map(|text| view! { <button class="start" type="submit" name="content" value=text.clone()>{text.clone()}</button> })
                        .collect_view()}
                </ActionForm>
            </Show>
            {move || refused.get().map(|message| view! { <p class="note bad" role="alert">{message}</p> })}
            <Network keeping=keeping />
            <TooLong keeping=keeping input=input />
            <GuestNote />
            <ActionForm action=shared.send attr:class="box" attr:id=BOX>
                {hidden()}
                <div class="write" on:keydown=press on:input:capture=move |_| keeping.typed()>
                    <TextArea
                        name="content"
                        label=format!("Say something to {short}")
                        placeholder=format!("Say something to {short}")
                        rows=1
                        max=u32::try_from(MESSAGE_MAX).unwrap_or(8000)
                        required=true
                        bare=true
                        noun="This message"
                        node_ref=input
                    />
                </div>
                <SendOrStop />
            </ActionForm>

            <div class="below">
                <Show when=move || run.get().is_none()>
                    <WriteForMe oc=oc input=input />
                </Show>
                <p class="ai-note">{notice}</p>
            </div>
            <ActionForm action=shared.stop attr:id="stop-run">
                <input type="hidden" name="run_id" value=move || run.get().map(|r| r.to_string()).unwrap_or_default() />
            </ActionForm>
        </div>
    }
}

/// Enter sends what is there, with a keyboard that is one; while a reply is being written it does nothing.
fn enter_sends(shared: Shared, run: Memo<Option<RunId>>, input: NodeRef<html::Textarea>, event: &KeyboardEvent) {
    let has_keys = window().match_media("(pointer: coarse)").ok().flatten().is_none_or(|m| !m.matches());
    if event.key() != "Enter" || event.shift_key() || !has_keys || is_for_input_method(shared, event) {
        return;
    }
    event.prevent_default();
    let Some(area) = input.get_untracked() else { return };
    if run.get_untracked().is_none()
        && !shared.send.pending().get_untracked()
        && !area.value().trim().is_empty()
        && let Some(form) = area.form()
    {
        let _ = form.request_submit();
    }
}

/// Sends, or stops the reply that is being written: one button for both, so that it keeps the focus.
#[component]
fn SendOrStop() -> impl IntoView {
    let shared = expect_context::<Shared>();
    let run = shared.open_run();
    view! {
        <button
            class="btn send"
            type="submit"
            form=move || if run.get().is_some() { "stop-run" } else { BOX }
            aria-busy=move || (shared.send.pending().get() && run.get().is_none()).then_some("true")
        >
            {move || {
                if run.get().is_some() {
                    view! { <Icon name=IconName::Stop /><span class="word">"Stop"</span> }.into_any()
                } else {
                    view! { <Icon name=IconName::Send /><span class="word">"Send"</span> }.into_any()
                }
            }}
        </button>
    }
}

/// Has the model write the person's next line into the box, from the words that stand there. Without a script the page
/// comes back with it.
#[component]
fn WriteForMe(oc: StoredValue<Partner>, input: NodeRef<html::Textarea>) -> impl IntoView {
    let shared = expect_context::<Shared>();
    // The words that the line goes on from, while it is written.
    let begun = RwSignal::new(None::<String>);
    let refused = RwSignal::new(None::<String>);
    let frame = expect_context::<FrameResource>();
    // A new question drops, and thereby ends, the one before; so does leaving.
    Effect::new(move |_: Option<Option<Asked>>| {
        let content = begun.get()?;
        let body = json!({
            "content": content,
            "conversation_id": shared.lines.with_untracked(|l| l.as_ref().map(|l| l.conversation_id)),
            "opening": shared.opening.get_untracked(),
        });
        let url = format!("/api/chat/{}/impersonate", oc.with_value(|o| o.id));
        live::ask(&url, &body.to_string(), move |name, data| {
            if begun.get_untracked().is_none() {
                return;
            }
            let data: Value = serde_json::from_str(data).unwrap_or_default();
            let text = |data: &Value, field: &str| data.get(field).and_then(Value::as_str).map(str::to_owned);
            let write = |words: &str| {
                if let Some(area) = input.get_untracked() {
                    area.set_value(words);
                }
            };
            match name {
                "delta" => {
                    let before = input.get_untracked().map(|area| area.value()).unwrap_or_default();
                    write(&(before + &text(&data, "text").unwrap_or_default()));
                    return;
                }
                // What was there so far was a thought of the model.
                "reset" => {
                    write(&text(&data, "text").unwrap_or_default());
                    return;
                }
                "done" => {
                    write(&text(&data, "content").unwrap_or_default());
                    shared.announced.set("A suggested reply is in the message box.".to_owned());
                    if let Some(area) = input.get_untracked() {
                        let _ = area.focus();
                        // As if it had been typed, for whoever listens to that.
                        if let Ok(typed) = web_sys::Event::new("input") {
                            let _ = area.dispatch_event(&typed);
                        }
                    }
                }
                "failed" => refused.set(text(&data, "message")),
                _ => {
                    let why = data.get("error").and_then(|e| text(e, "message"));
                    refused.set(why.or_else(|| Some("Connection lost. Please try again.".to_owned())));
                }
            }
            begun.set(None);
            // It counts among a guest's messages.
            frame.refetch();
        })
    });
    let press = move |event: MouseEvent| {
        event.prevent_default();
        refused.set(None);
        if begun.get_untracked().is_some() {
            begun.set(None);
            return;
        }
        if let Some(area) = input.get_untracked() {
            area.set_value(area.value().trim());
            begun.set(Some(area.value()));
        }
    };
    view! {
        <p class="aid">
            <button class="quiet" type="submit" form=BOX formaction=DraftLine::url() formnovalidate=true on:click=press>
                {move || if begun.get().is_some() { "Stop suggesting" } else { "Suggest a reply" }}
            </button>
            <span class="meta" role="status">{move || refused.get()}</span>
        </p>
    }
}
