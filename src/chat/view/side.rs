//! Beside the talk: who it is with, what it carries, what happened in its world, and what can be done with the talk.

use crate::{
    chat::{Talk, api},
    ocs,
    ui::{Form, FormNote, Plate, Submit, TextInput},
};
use leptos::prelude::*;

/// The panel at the right; under 1100 pixels it folds away under the talk's head.
#[component]
pub fn Side(
    /// The talk.
    talk: Talk,
) -> impl IntoView {
    let oc = talk.oc;
    let page = ocs::page_url(&oc.slug);
    let manage = talk
        .lines
        .map(|l| view! { <Manage id=l.conversation_id.to_string() title=l.title is_archived=l.is_archived /> });
    view! {
        <aside class="side" aria-label=format!("About {}", oc.name)>
            <a href=page.clone() class="portrait" aria-label=format!("The page of {}", oc.name)>
                <Plate src=oc.portrait_url eager=true />
            </a>
            {(!oc.title.is_empty()).then(|| view! { <p class="title">{oc.title.clone()}</p> })}
            {(!oc.carries.is_empty())
                .then(|| {
                    view! {
                        <h2>"Carries"</h2>
                        <ul>
                            {oc
                                .carries
                                .into_iter()
                                .map(|item| view! { <li><b>{item.name}</b>": "{item.effects}</li> })
                                .collect_view()}
                        </ul>
                    }
                })}
            {(!oc.events.is_empty())
                .then(|| {
                    view! {
                        <h2>"In the world this week"</h2>
                        <ul>{oc.events.into_iter().map(|event| view! { <li>{event}</li> }).collect_view()}</ul>
                    }
                })}
            <p class="to-page"><a class="quiet" href=page>"See the whole page"</a></p>
            {manage}
        </aside>
    }
}

#[component]
fn Manage(id: String, title: String, is_archived: bool) -> impl IntoView {
    let rename = ServerAction::<api::RenameConversation>::new();
    let archive = ServerAction::<api::ArchiveConversation>::new();
    let delete = ServerAction::<api::DeleteConversation>::new();
    let renamed =
        Signal::derive(move || rename.value().with(|v| matches!(v, Some(Ok(()))).then(|| "Kept.".to_owned())));
    let now_archived = Signal::derive(move || match archive.value().get() {
        Some(Ok(())) => !is_archived,
        _ => is_archived,
    });
    let (for_rename, for_archive) = (id.clone(), id.clone());
    view! {
        <details class="manage">
            <summary>"This conversation"</summary>
            <Form action=rename>
                <input type="hidden" name="conversation_id" value=for_rename />
                <TextInput name="title" label="Title" value=title max=120 />
                <Submit label="Rename" class="ghost small" />
                <FormNote done=renamed />
            </Form>
            <ActionForm action=archive>
                <input type="hidden" name="conversation_id" value=for_archive />
                <input type="hidden" name="archived" value=move || if now_archived.get() { "false" } else { "true" } />
                <button class="quiet" type="submit">
                    {move || if now_archived.get() { "Take it out again" } else { "Put it away" }}
                </button>
            </ActionForm>
            <details class="sure">
                <summary class="quiet danger">"Delete"</summary>
                <p>"Everything said here is deleted for good."</p>
                <ActionForm action=delete>
                    <input type="hidden" name="conversation_id" value=id />
                    <button class="btn danger small" type="submit">"Delete the conversation"</button>
                </ActionForm>
            </details>
        </details>
    }
}
