//! Where one writes. Enter sends, Shift and Enter begins a new line; while a reply is being written, the button stops it.

use super::room::Shared;
use crate::{
    chat::{MESSAGE_MAX, Partner},
    ui::{Icon, IconName, TextArea},
};
use leptos::{ev::KeyboardEvent, html, prelude::*};

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
    let conversation =
        move || shared.lines.with(|l| l.as_ref().map(|l| l.conversation_id.to_string()).unwrap_or_default());
    let refused = Signal::derive(move || {
        shared.send.value().with(|v| v.as_ref().and_then(|r| r.as_ref().err().map(ToString::to_string)))
    });
    let is_busy = Signal::derive(move || shared.send.pending().get());

    // What was sent leaves the box; what was refused stays.
    Effect::new(move |_| {
        if let (Some(Ok(_)), Some(area)) = (shared.send.value().get(), input.get_untracked()) {
            area.set_value("");
        }
    });
    Effect::new(move |_| {
        let is_wide =
            window().match_media("(min-width: 1100px) and (pointer: fine)").ok().flatten().is_some_and(|m| m.matches());
        if let Some(area) = input.get().filter(|_| is_wide) {
            let _ = area.focus();
        }
    });
    let press = move |event: KeyboardEvent| {
        let has_keys = window().match_media("(pointer: coarse)").ok().flatten().is_none_or(|m| !m.matches());
        if event.key() != "Enter" || event.shift_key() || event.is_composing() || !has_keys {
            return;
        }
        event.prevent_default();
        let Some(area) = input.get_untracked() else { return };
        if run.get_untracked().is_none()
            && !is_busy.get_untracked()
            && !area.value().trim().is_empty()
            && let Some(form) = area.form()
        {
            let _ = form.request_submit();
        }
    };
    let hidden = move || {
        view! {
            <input type="hidden" name="oc_id" value=oc.with_value(|o| o.id.to_string()) />
            <input type="hidden" name="conversation_id" value=conversation />
            <input type="hidden" name="key" value=move || shared.key.get() />
        }
    };
    let starts = StoredValue::new(quick_start);
    view! {
        <div class="compose">
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
            <ActionForm action=shared.send attr:class="box">
                {hidden()}
                <div class="write" on:keydown=press>
                    <TextArea
                        name="content"
                        label=format!("Say something to {short}")
                        placeholder=format!("Say something to {short}")
                        rows=1
                        max=u32::try_from(MESSAGE_MAX).unwrap_or(8000)
                        required=true
                        bare=true
                        node_ref=input
                    />
                </div>
                {move || {
                    if run.get().is_some() {
                        view! { <button class="btn" type="submit" form="stop-run"><Icon name=IconName::Stop />"Stop"</button> }.into_any()
                    } else {
                        view! {
                            <button class="btn" type="submit" aria-busy=move || is_busy.get().then_some("true")>
                                <Icon name=IconName::Send />
                                "Send"
                            </button>
                        }
                            .into_any()
                    }
                }}
            </ActionForm>
            <ActionForm action=shared.stop attr:id="stop-run">
                <input type="hidden" name="run_id" value=move || run.get().map(|r| r.to_string()).unwrap_or_default() />
            </ActionForm>
        </div>
    }
}
