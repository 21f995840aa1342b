//! Beside the talk: who it is with, what it carries, what happened in its world, and what can be done with the talk.
//!
//! On wide windows the panel stands at the right. Under 1100 pixels it is a popover that the button in the talk's head
//! opens: without a script, with Escape to close it, and with its own place in the order of the Tab key.

use crate::{
    chat::{Partner, Talk, api},
    ocs,
    ui::{Form, FormNote, Icon, IconName, Plate, Submit, Sure, TextInput},
};
use leptos::prelude::*;

/// Id of the panel, for the button that opens it.
const PANEL: &str = "about-talk";

/// Opens the panel where it is folded away. Belongs into the talk's head.
#[component]
pub fn OpenSide() -> impl IntoView {
    view! {
        <button class="to-side" type="button" popovertarget=PANEL aria-label="About this chat">
            <Icon name=IconName::More />
        </button>
    }
}

/// The panel: a list of sections, each of them a concern of its own.
#[component]
pub fn Side(
    /// The talk.
    talk: Talk,
) -> impl IntoView {
    let label = format!("About the chat with {}", talk.oc.short_name());
    let notes = talk.lines.as_ref().map(|l| format!("/chat/{}/notes", l.conversation_id));
    let manage = talk
        .lines
        .map(|l| view! { <Manage id=l.conversation_id.to_string() title=l.title is_archived=l.is_archived /> });
    view! {
        <aside class="side" id=PANEL popover="auto" aria-label=label>
            <p class="side-head">
                <b>"About this chat"</b>
                <button class="to-side" type="button" popovertarget=PANEL popovertargetaction="hide" aria-label="Close">
                    <Icon name=IconName::Close />
                </button>
            </p>
            <Who oc=talk.oc.clone() />
            <Life oc=talk.oc />
            {notes.map(|href| view! { <p><a class="quiet" href=href>"Notes, persona and summary"</a></p> })}
            {manage}
        </aside>
    }
}

/// A part of the panel that is folded until it is asked for.
#[component]
pub fn Folded(
    /// What is inside.
    #[prop(into)]
    title: String,
    /// Forms and words.
    children: Children,
) -> impl IntoView {
    view! {
        <details class="fold">
            <summary>{title}</summary>
            {children()}
        </details>
    }
}

/// Whom one talks with.
#[component]
fn Who(oc: Partner) -> impl IntoView {
    let page = ocs::page_url(&oc.slug);
    view! {
        <a href=page.clone() class="portrait" aria-label=format!("The page of {}", oc.name)>
            <Plate src=oc.portrait_url eager=true />
        </a>
        {(!oc.title.is_empty()).then(|| view! { <p class="title">{oc.title}</p> })}
        <p class="to-page"><a class="quiet" href=page>"View profile"</a></p>
    }
}

/// What it carries, and what happened around it.
#[component]
fn Life(oc: Partner) -> impl IntoView {
    view! {
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
    }
}

/// Title, away, deleted.
#[component]
fn Manage(id: String, title: String, is_archived: bool) -> impl IntoView {
    let rename = ServerAction::<api::RenameConversation>::new();
    let archive = ServerAction::<api::ArchiveConversation>::new();
    let delete = ServerAction::<api::DeleteConversation>::new();
    let renamed =
        Signal::derive(move || rename.value().with(|v| matches!(v, Some(Ok(()))).then(|| "Saved.".to_owned())));
    let now_archived = Signal::derive(move || match archive.value().get() {
        Some(Ok(())) => !is_archived,
        _ => is_archived,
    });
    let (for_rename, for_archive, for_files) = (id.clone(), id.clone(), id.clone());
    view! {
        <Folded title="This chat">
            <Form action=rename>
                <input type="hidden" name="conversation_id" value=for_rename />
                <TextInput name="title" label="Title" value=title max=120 />
                <Submit label="Rename" class="ghost small" />
                <FormNote done=renamed />
            </Form>
            <super::import::Files id=for_files />
            <ActionForm action=archive>
                <input type="hidden" name="conversation_id" value=for_archive />
                <input type="hidden" name="archived" value=move || if now_archived.get() { "false" } else { "true" } />
                <button class="quiet" type="submit">
                    {move || if now_archived.get() { "Unarchive" } else { "Archive" }}
                </button>
            </ActionForm>
            <Sure label="Delete" warning="All messages of this chat are deleted for good.">
                <ActionForm action=delete>
                    <input type="hidden" name="conversation_id" value=id />
                    <button class="btn danger small" type="submit">"Delete chat"</button>
                </ActionForm>
            </Sure>
        </Folded>
    }
}
