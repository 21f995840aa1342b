//! Where one is signed in.

use super::{super::refused, SettingsFrame};
use crate::{
    accounts::{
        Device,
        api::{EndDevice, EndOtherDevices, get_devices},
    },
    ui::{Form, FormNote, Icon, IconName, Submit, Time, load},
};
use leptos::prelude::*;

const HERE: &str = "/settings/devices";

/// `/settings/devices`
#[component]
pub fn DevicesPage() -> impl IntoView {
    let end = ServerAction::<EndDevice>::new();
    let end_others = ServerAction::<EndOtherDevices>::new();
    let versions = move || (end.version().get(), end_others.version().get());
    let devices = load(versions, |_| get_devices());
    view! {
        <Transition fallback=|| ()>
            {move || Suspend::new(async move {
                match devices.await {
                    Ok(devices) => page(end, end_others, devices).into_any(),
                    Err(error) => refused(error, HERE),
                }
            })}
        </Transition>
    }
    .into_any()
}

fn page(
    end: ServerAction<EndDevice>,
    end_others: ServerAction<EndOtherDevices>,
    devices: Vec<Device>,
) -> impl IntoView {
    let alone = devices.len() < 2;
    view! {
        <SettingsFrame here=HERE>
            <p>"If you do not know one of these, end it and change your password."</p>
            <ul class="list settings-card">{devices.into_iter().map(|d| view! { <Row device=d end=end /> }).collect_view()}</ul>
            {(!alone)
                .then(|| {
                    view! {
                        <Form action=end_others>
                            <FormNote />
                            <Submit label="Sign out all other devices" class="ghost" />
                        </Form>
                    }
                })}
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
