//! What is set for the whole site, as cards of the page about models.

use super::{frame::ConfirmFirst, saved};
use crate::{
    ids::ModelId,
    models::{
        api::{SaveBudgets, SaveDefaults, SaveReach},
        meter::grouped,
        store::SettingsView,
    },
    ui::{Choice, Form, FormNote, Select, Submit, TextArea, TextInput},
};
use leptos::prelude::*;

/// Which models answer.
#[component]
pub fn DefaultsCard(
    /// What is set.
    settings: SettingsView,
    /// Ids and names of all models.
    options: Vec<(String, String)>,
) -> impl IntoView {
    let save = ServerAction::<SaveDefaults>::new();
    let done = saved("defaults", "Saved. All nodes follow within seconds.");
    let choices = move |nothing: &str| {
        let first = Choice::new("", nothing);
        std::iter::once(first)
            .chain(options.iter().map(|(id, name)| Choice::new(id.clone(), name.clone())))
            .collect::<Vec<_>>()
    };
    fn value(id: Option<ModelId>) -> String {
        id.map(|i| i.to_string()).unwrap_or_default()
    }
    let fallbacks = settings.fallbacks.clone();
    let fallback = move |i: usize| value(fallbacks.get(i).copied());
    view! {
        <section class="card settings-card" id="defaults">
            <h2>"Who answers"</h2>
            <Form action=save>
                <FormNote done=done />
                <Select name="form[chat_model]" label="In conversations" value=value(settings.chat_model)
                    choices=choices("Automatic (environment, then local)") hint="People may choose another for each conversation." />
                <Select name="form[summon_model]" label="In summons" value=value(settings.summon_model)
                    choices=choices("As in conversations") hint="A summon uses about 2,500 tokens." />
                <fieldset>
                    <legend>"When a model cannot answer"</legend>
                    <p class="hint">"The reply says who answered instead, and why. Nobody else is asked once the first word has come."</p>
                    <Select name="form[fallback_1]" label="Fallback 1" value=fallback(0) choices=choices("None") />
                    <Select name="form[fallback_2]" label="Fallback 2" value=fallback(1) choices=choices("None") />
                    <Select name="form[fallback_3]" label="Fallback 3" value=fallback(2) choices=choices("None") />
                </fieldset>
                <Submit label="Save who answers" />
            </Form>
        </section>
    }
}

/// How much people may use.
#[component]
pub fn BudgetsCard(
    /// What is set.
    settings: SettingsView,
) -> impl IntoView {
    let save = ServerAction::<SaveBudgets>::new();
    let done = saved("budgets", "Saved.");
    let shown = |n: Option<i64>| n.map(grouped).unwrap_or_default();
    let [explorer, creator, realm_builder] = settings.budgets.map(shown);
    let count = vec![Choice::new("no", "No: it costs nobody anything"), Choice::new("yes", "Yes")];
    view! {
        <section class="card settings-card" id="budgets">
            <h2>"Tokens per person and day"</h2>
            <p>"Read and written together. Days are UTC; empty is no limit. Own keys are counted for their owners and never held back."</p>
            <Form action=save>
                <FormNote done=done />
                <TextInput name="form[explorer]" label="Explorers" value=explorer max=20 />
                <TextInput name="form[creator]" label="Creators" value=creator max=20 />
                <TextInput name="form[realm_builder]" label="Realm builders" value=realm_builder max=20 />
                <Select name="form[count_local]" label="Count the model of this machine" value=if settings.count_local { "yes" } else { "no" } choices=count />
                <Submit label="Save budgets" />
            </Form>
        </section>
    }
}

/// Own keys, and hosts of the network.
#[component]
pub fn ReachCard(
    /// What is set.
    settings: SettingsView,
    /// Whether the password was typed within the last five minutes.
    fresh: bool,
) -> impl IntoView {
    let save = ServerAction::<SaveReach>::new();
    let done = saved("reach", "Saved.");
    let own = vec![Choice::new("no", "No"), Choice::new("yes", "Yes, in their settings")];
    let hosts = settings.local_hosts.join("\n");
    let form = move || {
        if !fresh {
            let own = if settings.own_keys {
                "People may use keys of their own."
            } else {
                "People may not use keys of their own."
            };
            let listed = if settings.local_hosts.is_empty() {
                "No host of the network is listed.".to_owned()
            } else {
                format!("Listed: {}.", settings.local_hosts.join(", "))
            };
            return view! { <ConfirmFirst what=format!("{own} {listed} To change this, confirm your password first.") here="/admin/models" /> }.into_any();
        }
        view! {
            <Form action=save>
                <FormNote done=done />
                <Select name="form[own_keys]" label="May people use keys of their own" value=if settings.own_keys { "yes" } else { "no" } choices=own.clone()
                    hint="Sealed like yours, used for them alone, and only for addresses outside of your network." />
                <TextArea name="form[local_hosts]" label="Hosts inside your network" value=hosts.clone() rows=3 max=4000 placeholder="127.0.0.1:11434"
                    hint="One per line, with a port or without. Providers of yours may have them as address, also over http. All other addresses must be public and https." />
                <Submit label="Save" />
            </Form>
        }
        .into_any()
    };
    view! {
        <section class="card settings-card" id="reach">
            <h2>"Own keys and your network"</h2>
            {form()}
        </section>
    }
}
