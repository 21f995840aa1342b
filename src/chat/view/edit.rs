//! Changing a message: a form in its place. Escape or Cancel leaves it, Ctrl and Enter send it (`keys.rs`).

use super::room::Shared;
use crate::{
    chat::{Line, MESSAGE_MAX, REPLY_MAX, Sender},
    ui::{Form, FormNote, TextArea},
};
use leptos::{html, prelude::*};

/// The words of a line to change, and what becomes of them.
#[component]
pub fn EditLine(
    /// The line.
    line: Line,
) -> impl IntoView {
    let shared = expect_context::<Shared>();
    let input = NodeRef::<html::Textarea>::new();
    // A browser minds `autofocus` only while it reads a page.
    Effect::new(move |_| {
        if let Some(area) = input.get() {
            let _ = area.focus();
            let end = u32::try_from(area.value().encode_utf16().count()).unwrap_or(0);
            let _ = area.set_selection_range(end, end);
        }
    });
    let is_own = line.sender == Sender::User;
    let (label, max, hint) = if is_own {
        ("Your message", MESSAGE_MAX, "“Save and regenerate” keeps the old version. “Save” only changes the text.")
    } else {
        ("Reply", REPLY_MAX, "“Save” only changes the text. “Save as new version” keeps the old one, too.")
    };
    let buttons = if is_own {
        view! {
            <button class="btn small" type="submit" name="how" value="beside">"Save and regenerate"</button>
            <button class="btn ghost small" type="submit" name="how" value="place">"Save"</button>
        }
        .into_any()
    } else {
        view! {
            <button class="btn small" type="submit" name="how" value="place">"Save"</button>
            <button class="btn ghost small" type="submit" name="how" value="beside">"Save as new version"</button>
        }
        .into_any()
    };
    view! {
        <Form action=shared.edit class="edit" keep=format!("message-{}", line.id)>
            <input type="hidden" name="message_id" value=line.id.to_string() />
            <input type="hidden" name="before" value=move || shared.before.get() />
            <TextArea
                name="text"
                label=label
                value=line.content
                rows=3
                max=u32::try_from(max).unwrap_or(8000)
                required=true
                bare=true
                noun="This message"
                autofocus=true
                node_ref=input
            />
            <div class="row-actions">
                {buttons}
                <a class="quiet cancel" href=move || shared.address(None) data-noscroll="">"Cancel"</a>
            </div>
            <p class="meta">{hint}</p>
            <FormNote />
        </Form>
    }
}
