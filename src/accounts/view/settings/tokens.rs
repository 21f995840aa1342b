//! API tokens.

use super::{super::refused, SettingsFrame};
use crate::{
    accounts::{
        NewToken, Token, Tokens,
        api::{CreateToken, RevokeToken, get_tokens},
    },
    ui::{Choice, Form, FormNote, Icon, IconName, Select, Submit, TextInput, Time, load},
};
use leptos::prelude::*;

const HERE: &str = "/settings/tokens";

/// `/settings/tokens`
#[component]
pub fn TokensPage() -> impl IntoView {
    let create = ServerAction::<CreateToken>::new();
    let revoke = ServerAction::<RevokeToken>::new();
    let versions = move || (create.version().get(), revoke.version().get());
    let tokens = load(versions, |_| get_tokens());
    view! {
        <Transition fallback=|| ()>
            {move || Suspend::new(async move {
                match tokens.await {
                    Ok(tokens) => page(create, revoke, tokens).into_any(),
                    Err(error) => refused(error, HERE),
                }
            })}
        </Transition>
    }
    .into_any()
}

fn page(create: ServerAction<CreateToken>, revoke: ServerAction<RevokeToken>, tokens: Tokens) -> impl IntoView {
    let Tokens { tokens, fresh } = tokens;
    // With scripts the action has it, without them the page.
    let fresh = move || create.value().get().and_then(Result::ok).or_else(|| fresh.clone());
    let access = vec![Choice::new("read", "Read"), Choice::new("write", "Read and write")];
    view! {
        <SettingsFrame here=HERE>
            <p>"With a token your own programs can do here what you can. "<a class="link" href="/developers">"How the API works"</a></p>
            <div aria-live="polite">{move || fresh().map(|t| view! { <Fresh token=t /> })}</div>
            <div class="card settings-card">
                <h2>"New token"</h2>
                <Form action=create>
                    <FormNote />
                    <TextInput name="form[name]" label="What it is for" required=true max=60 />
                    <Select name="form[access]" label="It may" choices=access />
                    <Submit label="Make a token" />
                </Form>
            </div>
            {(!tokens.is_empty())
                .then(|| {
                    view! { <ul class="list settings-card">{tokens.into_iter().map(|t| view! { <Row token=t revoke=revoke /> }).collect_view()}</ul> }
                })}
        </SettingsFrame>
    }
}

#[component]
fn Fresh(token: NewToken) -> impl IntoView {
    view! {
        <div class="note good settings-card">
            <p><b>{token.name}</b>" is ready. Copy it now: it is not shown again."</p>
            <p><code class="secret">{token.token}</code></p>
        </div>
    }
}

#[component]
fn Row(token: Token, revoke: ServerAction<RevokeToken>) -> impl IntoView {
    let Token { id, name, hint, scopes, created_at, last_used_at } = token;
    let may = if scopes.iter().any(|s| s == "write") { "read and write" } else { "read" };
    let label = format!("Revoke {name}");
    view! {
        <li class="list-row">
            <Icon name=IconName::Key />
            <span class="grow">
                <b>{name}</b>
                <span class="meta block">
                    {format!("{hint}… · {may} · made ")} <Time at=created_at />
                    {match last_used_at {
                        Some(at) => view! { " · last used " <Time at=at /> }.into_any(),
                        None => " · never used".into_any(),
                    }}
                </span>
            </span>
            <ActionForm action=revoke>
                <input type="hidden" name="id" value=id.to_string() />
                <button type="submit" class="quiet danger" aria-label=label>"Revoke"</button>
            </ActionForm>
        </li>
    }
}
