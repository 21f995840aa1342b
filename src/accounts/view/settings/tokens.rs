//! API tokens.

use super::{
    super::{refused, with_next},
    SettingsFrame,
};
use crate::{
    accounts::{
        NewToken, Token, Tokens,
        api::{CreateToken, RevokeToken, get_tokens},
        forms::TOKEN_DAYS,
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
    let Tokens { tokens, fresh, confirmed } = tokens;
    // With scripts the action has it, without them the page.
    let fresh = move || create.value().get().and_then(Result::ok).or_else(|| fresh.clone());
    let access = vec![Choice::new("read", "Read"), Choice::new("write", "Read and write")];
    let days = [(7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "A year")];
    let days = days.map(|(n, words)| Choice::new(n.to_string(), words)).to_vec();
    view! {
        <SettingsFrame here=HERE>
            <p>"With a token your own programs can do here what you can. "<a class="link" href="/developers">"How the API works"</a></p>
            <div aria-live="polite">{move || fresh().map(|t| view! { <Fresh token=t /> })}</div>
            <div class="card settings-card">
                <h2>"New token"</h2>
                {if confirmed {
                    view! {
                        <Form action=create>
                            <FormNote />
                            <TextInput name="form[name]" label="What it is for" required=true max=60 />
                            <Select name="form[access]" label="It may" choices=access />
                            <Select name="form[days]" label="It works for" value=TOKEN_DAYS.to_string() choices=days hint="After that it stops by itself." />
                            <Submit label="Create token" />
                        </Form>
                    }
                        .into_any()
                } else {
                    view! {
                        <p>"To create a token, confirm your password first."</p>
                        <p class="row-actions"><a class="btn" href=with_next("/confirm", HERE)>"Confirm your password"</a></p>
                    }
                        .into_any()
                }}
            </div>
            {(!tokens.is_empty())
                .then(|| {
                    view! { <ul class="list settings-card">{tokens.into_iter().map(|t| view! { <TokenRow token=t revoke=revoke /> }).collect_view()}</ul> }
                })}
        </SettingsFrame>
    }
}

#[component]
fn Fresh(token: NewToken) -> impl IntoView {
    view! {
        <div class="note good settings-card">
            <p><b>{token.name}</b>" is ready and works until "<Time at=token.expires_at />". Copy it now: it is not shown again."</p>
            <p><code class="secret">{token.token}</code></p>
        </div>
    }
}

/// A token with what it may and when it ends; also on the page of everything that opens the account.
#[component]
pub(super) fn TokenRow(token: Token, revoke: ServerAction<RevokeToken>) -> impl IntoView {
    let Token { id, name, hint, scopes, created_at, last_used_at, expires_at, expired } = token;
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
                    {if expired { " · expired " } else { " · expires " }} <Time at=expires_at />
                </span>
            </span>
            <ActionForm action=revoke>
                <input type="hidden" name="id" value=id.to_string() />
                <button type="submit" class="quiet danger" aria-label=label>"Revoke"</button>
            </ActionForm>
        </li>
    }
}
