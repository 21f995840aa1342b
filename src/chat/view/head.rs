//! The head of a talk: with whom, and which model answers. The model's name is the button that changes it, on phones too; what it
//! opens is a popover, so that it needs no script.

use super::{room::Shared, side::OpenSide};
use crate::{
    app::FrameResource,
    chat::{Answering, Talk, api},
    models::Choices,
    ui::{Choice, Form, FormNote, Icon, IconName, Mini, Select, Submit, grouped},
};
use leptos::prelude::*;

/// Id of what the model's name opens.
const MODELS: &str = "choose-model";

/// The head of the room.
#[component]
pub fn Head(
    /// The talk.
    talk: Talk,
) -> impl IntoView {
    let shared = expect_context::<Shared>();
    let start = ServerAction::<api::StartConversation>::new();
    // What it is called and who answers may be changed beside it, or in another tab.
    let title = Memo::new(move |_| shared.lines.with(|l| l.as_ref().map(|l| l.title.clone()).unwrap_or_default()));
    let begun = talk.lines.is_some();
    let name = talk.oc.name.clone();
    let id = talk.lines.as_ref().map(|l| l.conversation_id.to_string());
    view! {
        <header class="top">
            <a class="back" href="/conversations" aria-label="All chats"><Icon name=IconName::ChevronLeft /></a>
            <a class="face" href=crate::ocs::page_url(&talk.oc.slug) tabindex="-1" aria-hidden="true"><Mini src=talk.oc.portrait_url.clone() /></a>
            <div class="with">
                <h1>{name.clone()}</h1>
                <p class="meta">
                    {move || Some(title.get()).filter(|t| !t.is_empty()).map(|t| view! { <span class="titled">{t}" · "</span> })}
                    <button class="model" type="button" popovertarget=MODELS>
                        <span class="sr">"Model: "</span>
                        <span class="model-name">{move || shared.model.with(|m| m.name.clone())}</span>
                        <Icon name=IconName::ChevronDown />
                    </button>
                </p>
            </div>
            {begun
                .then(|| {
                    view! {
                        <ActionForm action=start>
                            <input type="hidden" name="oc_id" value=talk.oc.id.to_string() />
                            <button class="btn ghost small" type="submit"><span class="wide">"New chat"</span><span class="thin">"New"</span></button>
                        </ActionForm>
                    }
                })}
            <OpenSide />
        </header>
        <Weak can_choose=talk.manages_models || !talk.choices.options.is_empty() />
        <Models id=id choices=talk.choices manages=talk.manages_models />
    }
}

/// What the model's name opens: what answers now, and what may answer instead.
#[component]
fn Models(id: Option<String>, choices: Choices, manages: bool) -> impl IntoView {
    let shared = expect_context::<Shared>();
    let frame = expect_context::<FrameResource>();
    let has_choice = !choices.options.is_empty();
    let hint = match (&id, has_choice) {
        (None, _) => "You can choose another model after your first message.",
        (Some(_), false) => "This site offers one model.",
        _ => "",
    };
    view! {
        <div class="menu models" id=MODELS popover="auto" role="group" aria-label="Model">
            <p class="menu-head">
                <b>"Model"</b>
                <button class="do" type="button" popovertarget=MODELS popovertargetaction="hide" aria-label="Close"><Icon name=IconName::Close /></button>
            </p>
            <p class="answers">{move || shared.model.with(|m| m.name.clone())}</p>
            {id.filter(|_| has_choice).map(|id| view! { <Choose id=id choices=choices /> })}
            {(!hint.is_empty()).then(|| view! { <p class="meta">{hint}</p> })}
            <Transition fallback=|| ()>
                {move || Suspend::new(async move {
                    let may = frame.await.is_ok_and(|f| f.own_keys);
                    may.then(|| view! { <p><a class="quiet" href="/settings/models" rel="external">"Use your own API key"</a></p> })
                })}
            </Transition>
            {manages.then(|| view! { <p><a class="quiet" href="/admin/models" rel="external">"Manage models"</a></p> })}
        </div>
    }
}

/// Which model answers from the next reply on.
#[component]
fn Choose(id: String, choices: Choices) -> impl IntoView {
    let choose = ServerAction::<api::ChooseModel>::new();
    let model = expect_context::<Shared>().model;
    Effect::new(move |_| {
        if let Some(Ok(now)) = choose.value().get() {
            model.set(now);
        }
    });
    let chosen = Signal::derive(move || {
        choose.value().with(|v| v.as_ref().and_then(|v| v.as_ref().ok()).map(|now| format!("Now using {}.", now.name)))
    });
    let options = choices.options.into_iter().map(|(value, label)| Choice::new(value, label)).collect::<Vec<_>>();
    view! {
        <Form action=choose>
            <input type="hidden" name="conversation_id" value=id />
            <Select name="model" label="Use for this chat" value=choices.chosen choices=options hint="Applies from the next reply." />
            <Submit label="Choose" class="small" />
            <FormNote done=chosen />
        </Form>
    }
}

/// What a person should know about the model before they judge the character by it.
#[component]
fn Weak(can_choose: bool) -> impl IntoView {
    let shared = expect_context::<Shared>();
    move || {
        let Answering { is_small, download, .. } = shared.model.get();
        if let Some((here, all)) = download {
            let [done, whole] = [here, all].map(|n| grouped(usize::try_from(n).unwrap_or_default()));
            let told = format!("The model is being downloaded: {done} of {whole} MB");
            return Some(view! { <p class="weak" role="status">{told}<progress value=here max=all aria-hidden="true"></progress></p> }.into_any());
        }
        is_small.then(|| {
            view! {
                <p class="weak">
                    "Small built-in model: short memory, simple answers. "
                    {can_choose.then(|| view! { <button class="quiet" type="button" popovertarget=MODELS>"Choose a better one"</button> })}
                </p>
            }
            .into_any()
        })
    }
}
