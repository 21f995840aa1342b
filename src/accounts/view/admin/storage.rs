//! How much people may store, by tier and kind.

use crate::{
    accounts::{
        admin_api::SaveStorage,
        storage::{KINDS, MEGABYTE, StorageLimit, TIERS},
    },
    models::view::saved,
    ui::{Form, FormNote, Submit, TextInput},
};
use leptos::prelude::*;

/// What is set, in words: `Explorers: Chats 200 MB, Characters 50 MB, Pictures 100 MB.`
pub(super) fn told(limits: &[StorageLimit]) -> impl IntoView + use<> {
    let row = |(tier, name): &(&str, &str)| {
        let kinds = KINDS.map(|(kind, label)| format!("{label} {} MB", megabytes(limits, tier, kind)));
        view! { <li>{format!("{name}: {}.", kinds.join(", "))}</li> }
    };
    view! { <ul>{TIERS.iter().map(row).collect_view()}</ul> }
}

/// The form in which it is set.
pub(super) fn settings(limits: &[StorageLimit]) -> impl IntoView + use<> {
    let save = ServerAction::<SaveStorage>::new();
    let tiers = TIERS.map(|(tier, name)| {
        let fields = KINDS.map(|(kind, label)| {
            let name = format!("form[{tier}_{kind}]");
            let value = megabytes(limits, tier, kind).to_string();
            view! { <TextInput name=name label=format!("{label} (MB)") value=value max=7 required=true /> }
        });
        view! {
            <fieldset>
                <legend>{name}</legend>
                {fields.into_iter().collect_view()}
            </fieldset>
        }
    });
    view! {
        <div class="card settings-card">
            <Form action=save>
                <FormNote done=saved("storage", "Saved.") />
                {tiers.into_iter().collect_view()}
                <Submit label="Save storage limits" />
            </Form>
        </div>
    }
}

fn megabytes(limits: &[StorageLimit], tier: &str, kind: &str) -> i64 {
    limits.iter().find(|limit| limit.tier == tier && limit.kind == kind).map_or(0, |limit| limit.bytes / MEGABYTE)
}
