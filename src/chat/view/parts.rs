//! What to do with a text that is longer than one message: send it as several, keep it as a file, or cut it.

use super::drafts::Keeping;
use crate::{
    chat::{MESSAGE_MAX, long},
    ui::grouped,
};
use leptos::{html, prelude::*};
use wasm_bindgen::JsCast;

/// The choice, for as long as the text in the box is too long.
#[component]
pub fn TooLong(
    /// What the composer remembers.
    keeping: Keeping,
    /// The box.
    input: NodeRef<html::Textarea>,
) -> impl IntoView {
    let text = move || input.get_untracked().map(|area| area.value()).unwrap_or_default();
    let parts = Memo::new(move |_| {
        let is_long = keeping.length.get() > MESSAGE_MAX;
        if is_long { long::parts(&text(), MESSAGE_MAX) } else { 0 }
    });
    view! {
        <Show when=move || { parts.get() > 1 }>
            <div class="too-long" role="group" aria-label="This text is too long for one message">
                <button class="btn small" type="button" on:click=move |_| keeping.send_in_parts()>
                    {move || format!("Send as {} messages", parts.get())}
                </button>
                <button class="btn ghost small" type="button" on:click=move |_| keep_as_file(&text())>"Save as text file"</button>
                <button class="quiet" type="button" on:click=move |_| keeping.put(&text().trim().chars().take(MESSAGE_MAX).collect::<String>())>
                    {format!("Keep the first {} characters", grouped(MESSAGE_MAX))}
                </button>
            </div>
        </Show>
    }
}

/// Saves a text where the browser saves files.
fn keep_as_file(text: &str) {
    let Ok(link) = document().create_element("a") else { return };
    let text = String::from(web_sys::js_sys::encode_uri_component(text));
    let _ = link.set_attribute("href", &format!("data:text/plain;charset=utf-8,{text}"));
    let _ = link.set_attribute("download", "message.txt");
    if let Some(link) = link.dyn_ref::<web_sys::HtmlElement>() {
        link.click();
    }
}
