//! One's own keys.

use super::{frame::ConfirmFirst, loaded, saved};
use crate::{
    accounts::view::settings::SettingsFrame,
    models::{
        api::{DeleteOwnKey, SaveOwnKey},
        meter::grouped,
        store::{self, Kind, OwnKey, OwnKeys},
    },
    ui::{Choice, Form, FormNote, PasswordInput, Select, Submit, TextInput},
};
use leptos::prelude::*;

const HERE: &str = "/settings/models";

/// `/settings/models`
#[component]
pub fn OwnKeysPage() -> impl IntoView {
    loaded(
        HERE.to_owned(),
        |ctx| async move { store::own_keys_page(&ctx).await },
        |page: OwnKeys| {
            let save = ServerAction::<SaveOwnKey>::new();
            let delete = ServerAction::<DeleteOwnKey>::new();
            let done = Signal::derive({
                let (kept, gone) =
                    (saved("key", "Saved. Choose it beside a conversation."), saved("gone", "Key removed."));
                move || kept.get().or_else(|| gone.get())
            });
            let OwnKeys { allowed, fresh, keys } = page;
            let kinds = [Kind::Anthropic, Kind::OpenAi].map(|k| Choice::new(k.as_str(), k.words())).to_vec();
            let form = move || {
                view! {
                    <div class="card settings-card">
                        <h2>"A key of your own"</h2>
                        <Form action=save>
                            <Select name="form[kind]" label="API" value="anthropic" choices=kinds
                                hint="One key for each. A new one takes the place of the old one." />
                            <TextInput name="form[base_url]" label="Address" max=500 placeholder="https://api.anthropic.com"
                                hint="Empty is api.anthropic.com or api.openai.com. Others must be public and https." />
                            <TextInput name="form[model]" label="Model" required=true max=200 hint="As the provider writes it, for example claude-sonnet-4-6." />
                            <TextInput name="form[context_tokens]" label="Context, tokens" max=12 hint="Empty is a careful guess." />
                            <PasswordInput name="form[secret_key]" label="Key" hint="Sealed when you save, and never shown again. Leave it empty to keep the one that is set." autocomplete="off" required=false />
                            <FormNote />
                            <Submit label="Save the key" />
                        </Form>
                    </div>
                }
            };
            view! {
            <SettingsFrame here=HERE>
                <p>
                    "With a key of your own you choose a model of your own for a conversation. What is said there goes to your provider and to no other; "
                    "it costs what your provider asks, and nothing of your daily budget."
                </p>
                <FormNote done=done />
                {(!keys.is_empty())
                    .then(|| view! { <ul class="list settings-card">{keys.into_iter().map(|k| view! { <Row key=k delete=delete /> }).collect_view()}</ul> })}
                {if allowed && fresh {
                    form().into_any()
                } else if allowed {
                    view! { <div class="card settings-card"><ConfirmFirst what="To add or change a key, confirm your password first." here=HERE /></div> }.into_any()
                } else {
                    view! { <p class="note">"Personal API keys are turned off on this site."</p> }.into_any()
                }}
            </SettingsFrame>
        }
        .into_any()
        },
    )
}

#[component]
fn Row(key: OwnKey, delete: ServerAction<DeleteOwnKey>) -> impl IntoView {
    let OwnKey { id, kind, base_url, model, context, last_four } = key;
    let label = format!("Remove the key for {model}");
    let four = if last_four.is_empty() { "a key".to_owned() } else { format!("key …{last_four}") };
    view! {
        <li class="list-row">
            <span class="grow">
                <b>{model}</b>
                <span class="meta block">{kind.words()}" · "<code>{base_url}</code>" · "{four}" · "{grouped(context.into())}" tokens of context"</span>
            </span>
            <ActionForm action=delete>
                <input type="hidden" name="id" value=id.to_string() />
                <button type="submit" class="quiet danger" aria-label=label>"Remove"</button>
            </ActionForm>
        </li>
    }
}
