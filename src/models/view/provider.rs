//! One provider: its address, its key, whether it is used.

use super::{
    frame::{AdminFrame, ConfirmFirst},
    loaded, saved,
};
use crate::{
    error::AppError,
    models::{
        api::{DeleteProvider, SaveProvider},
        store::{self, Kind, ProviderView},
    },
    ui::{Check, Choice, Form, FormNote, PasswordInput, Select, Submit, Sure, TextInput},
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// `/admin/models/provider/{id}`, with `new` as id for another one.
#[component]
pub fn ProviderPage() -> impl IntoView {
    let id = use_params_map().with_untracked(|p| p.get("id").unwrap_or_default());
    let here = format!("/admin/models/provider/{id}");
    let back = here.clone();
    let fetch = move |ctx: crate::server::Ctx| {
        let id = id.clone();
        async move {
            let fresh = store::admin(&ctx)?.is_fresh();
            let provider = match id.as_str() {
                "new" => None,
                id => Some(store::provider(&ctx, id.parse().map_err(|_| AppError::NotFound)?).await?),
            };
            Ok((provider, fresh))
        }
    };
    loaded(here, fetch, move |(provider, fresh): (Option<ProviderView>, bool)| {
        let title = provider.as_ref().map_or_else(|| "A new provider".to_owned(), |p| p.name.clone());
        let back = back.clone();
        let add = provider.as_ref().filter(|p| p.source == "admin").map(|p| (p.id, p.models.is_empty()));
        view! {
            <AdminFrame here="/admin/models" title=title>
                <p class="row-actions"><a class="quiet" rel="external" href="/admin/models">"All models"</a></p>
                {if fresh { form(provider).into_any() } else { view! { <div class="card settings-card"><ConfirmFirst what="An address and a key decide where conversations go. Confirm your password first." here=back.clone() /></div> }.into_any() }}
                {add
                    .map(|(id, none)| {
                        let class = if none { "btn" } else { "btn ghost" };
                        view! { <p class="row-actions"><a class=class rel="external" href=format!("/admin/models/model/new?provider={id}")>"Add a model"</a></p> }
                    })}
            </AdminFrame>
        }
        .into_any()
    })
}

fn form(provider: Option<ProviderView>) -> impl IntoView {
    let save = ServerAction::<SaveProvider>::new();
    let delete = ServerAction::<DeleteProvider>::new();
    let done = Signal::derive({
        let (kept, removed) = (saved("provider", "Saved."), saved("removed", "The model is removed."));
        move || kept.get().or_else(|| removed.get())
    });
    let is_new = provider.is_none();
    let own = provider.as_ref().is_none_or(|p| p.source == "admin");
    let id = provider.as_ref().map(|p| p.id.to_string()).unwrap_or_default();
    let enabled = provider.as_ref().is_none_or(|p| p.enabled);
    let has_key = provider.as_ref().is_some_and(|p| p.has_key);
    let four = provider.as_ref().map(|p| p.last_four.clone()).unwrap_or_default();
    let gone = id.clone();
    let can_go = !is_new && provider.as_ref().is_some_and(|p| p.source != "built_in");
    let kinds = [Kind::Anthropic, Kind::OpenAi].map(|k| Choice::new(k.as_str(), k.words())).to_vec();
    let key_hint = match (has_key, four.is_empty()) {
        (true, false) => {
            format!(
                "A key that ends in {four} is set. Leave this empty to keep it; another address needs the key again."
            )
        }
        (true, true) => "A key is set. Leave this empty to keep it; another address needs the key again.".to_owned(),
        _ => "Sealed when you save, and never shown again. Leave it empty for servers that want none.".to_owned(),
    };
    view! {
        <div class="card settings-card">
            <Form action=save>
                <FormNote done=done />
                <input type="hidden" name="form[id]" value=id.clone() />
                {own
                    .then(|| {
                        let p = provider.clone();
                        let text = |f: fn(&ProviderView) -> &str| p.as_ref().map(|p| f(p).to_owned()).unwrap_or_default();
                        let kind = p.as_ref().map_or(Kind::OpenAi, |p| p.kind);
                        view! {
                            <Select name="form[kind]" label="API" value=kind.as_str() choices=kinds.clone()
                                hint="OpenAI-compatible: OpenAI, OpenRouter, vLLM, Ollama, llama.cpp, LM Studio." />
                            <TextInput name="form[name]" label="Name" value=text(|p| &p.name) required=true max=60 hint="People see it beside the names of its models." />
                            <TextInput name="form[base_url]" label="Address" value=text(|p| &p.base_url) required=true max=500 placeholder="https://api.openai.com/v1"
                                hint="For example https://api.openai.com/v1 or https://api.anthropic.com. A server inside your network must be listed first." />
                            <p class="hint"><a class="link" rel="external" href="/admin/models#reach">"Servers inside your network"</a></p>
                            <PasswordInput name="form[secret_key]" label="Key" hint=key_hint.clone() autocomplete="off" required=false />
                            {has_key.then(|| view! { <Check name="form[forget_key]" label="Remove key" /> })}
                        }
                    })}
                {(!own).then(|| view! { <p>{provider.as_ref().map(about)}</p> })}
                <Check name="form[enabled]" label="Enabled" checked=enabled />
                <Submit label=if is_new { "Add the provider" } else { "Save" } />
            </Form>
            {can_go
                .then(|| {
                    view! {
                        <Sure
                            label="Remove"
                            warning="Its models and its key go with it. Conversations that chose one of them get the default."
                        >
                            <Form action=delete>
                                <FormNote />
                                <input type="hidden" name="id" value=gone />
                                <Submit label="Remove the provider" class="danger small" />
                            </Form>
                        </Sure>
                    }
                })}
        </div>
    }
}

fn about(p: &ProviderView) -> String {
    if p.source == "built_in" {
        return "The model of this process, without a key and without a network. Its file is chosen on the page about models."
            .to_owned();
    }
    format!(
        "Named by the environment of the process: {} at {}. Its address, key and models are changed there.",
        p.kind.words(),
        p.base_url
    )
}
