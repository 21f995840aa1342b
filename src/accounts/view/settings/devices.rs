//! Everything that opens the account: signed-in devices and API tokens, each with its end and all with one.

use super::{
    super::{done, refused},
    SettingsFrame,
    tokens::TokenRow,
};
use crate::{
    accounts::{
        Credentials, Device,
        api::{EndDevice, EndOtherDevices, RevokeToken, get_credentials},
    },
    ui::{Check, Form, FormNote, Icon, IconName, Submit, Time, load},
};
use leptos::prelude::*;

const HERE: &str = "/settings/devices";

/// The actions of the page.
#[derive(Clone, Copy)]
struct Actions {
    end: ServerAction<EndDevice>,
    end_others: ServerAction<EndOtherDevices>,
    revoke: ServerAction<RevokeToken>,
    ended: Signal<Option<String>>,
}

/// `/settings/devices`
#[component]
pub fn DevicesPage() -> impl IntoView {
    let end = ServerAction::<EndDevice>::new();
    let end_others = ServerAction::<EndOtherDevices>::new();
    let revoke = ServerAction::<RevokeToken>::new();
    let ended = done(end_others.value(), "ended", "All other devices are signed out.");
    let actions = Actions { end, end_others, revoke, ended };
    let versions = move || (end.version().get(), end_others.version().get(), revoke.version().get());
    let found = load(versions, |_| get_credentials());
    view! {
        <Transition fallback=|| ()>
            {move || Suspend::new(async move {
                match found.await {
                    Ok(found) => page(actions, found).into_any(),
                    Err(error) => refused(error, HERE),
                }
            })}
        </Transition>
    }
    .into_any()
}

fn page(actions: Actions, found: Credentials) -> impl IntoView {
    let Credentials { devices, tokens } = found;
    let Actions { end, end_others, revoke, ended } = actions;
    let alone = devices.len() < 2 && tokens.is_empty();
    view! {
        <SettingsFrame here=HERE>
            <p>"Don't recognise a device or a token? Sign it out and change your password."</p>
            <h2>"Devices"</h2>
            <ul class="list settings-card">{devices.into_iter().map(|d| view! { <Row device=d end=end /> }).collect_view()}</ul>
            <h2>"API tokens"</h2>
            {if tokens.is_empty() {
                view! { <p class="meta settings-card">"None. "<a class="link" href="/settings/tokens">"Create one"</a></p> }.into_any()
            } else {
                view! { <ul class="list settings-card">{tokens.into_iter().map(|t| view! { <TokenRow token=t revoke=revoke /> }).collect_view()}</ul> }.into_any()
            }}
            <Form action=end_others>
                <FormNote done=ended />
                {(!alone)
                    .then(|| {
                        view! {
                            <Check name="tokens_too" label="Revoke my API tokens as well" checked=true />
                            <Submit label="Sign out all other devices" class="ghost" />
                        }
                    })}
            </Form>
        </SettingsFrame>
    }
}

#[component]
fn Row(device: Device, end: ServerAction<EndDevice>) -> impl IntoView {
    let Device { id, name, last_seen, since, current } = device;
    let label = format!("Sign out {name}");
    view! {
        <li class="list-row">
            <Icon name=IconName::Device />
            <span class="grow">
                <b>{name}</b>
                <span class="meta block">"Last used "<Time at=last_seen />", signed in "<Time at=since /></span>
            </span>
            {if current {
                view! { <span class="tag">"This device"</span> }.into_any()
            } else {
                view! {
                    <ActionForm action=end>
                        <input type="hidden" name="id" value=id.to_string() />
                        <button type="submit" class="quiet danger" aria-label=label>"Sign out"</button>
                    </ActionForm>
                }
                    .into_any()
            }}
        </li>
    }
}
