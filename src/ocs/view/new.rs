//! A character made by hand.

use super::fields::{OcFields, Preview};
use crate::{
    ocs::{
        OcForm, Rarity,
        api::{CreateOc, get_blank},
    },
    ui::{Choice, Form, FormNote, PageTitle, Select, Submit, TextInput, load},
};
use leptos::prelude::*;

/// Items that a new character may begin with; more on its page.
const THINGS: u32 = 3;

/// `/characters/new`
#[component]
pub fn NewPage() -> impl IntoView {
    let blank = load(|| (), |()| get_blank());
    view! {
        <PageTitle text="Create a character" />
        <Suspense fallback=|| ()>
            {move || Suspend::new(async move {
                match blank.await {
                    Ok(form) => view! { <Page form=form /> }.into_any(),
                    Err(error) => crate::accounts::view::refused(error, "/characters/new"),
                }
            })}
        </Suspense>
    }
    .into_any()
}

#[component]
fn Page(form: OcForm) -> impl IntoView {
    let action = ServerAction::<CreateOc>::new();
    let refused = Signal::derive(move || action.value().get().and_then(Result::err));
    let live = RwSignal::new(form.clone());
    view! {
        <div class="wrap">
            <h1>"Create a character"</h1>
            <p class="lead">
                "Only you can see it until you publish it. Would you rather describe them in one sentence? "
                <a class="quiet" href="/summon">"Summon a character"</a>
                " Have you got a character card? "
                <a class="quiet" rel="external" href="/characters/import">"Import it"</a>
            </p>
            <div class="bench">
                <Form action=action keep="character-new" long=true>
                    <OcFields form=form live=live refused=refused is_draft=true />
                    <fieldset>
                        <legend>"Items"</legend>
                        <p class="hint">"Optional. Equipped items change how the character behaves."</p>
                        {(0..THINGS).map(|n| view! { <Thing n=n /> }).collect_view()}
                        <p class="error" aria-live="polite">
                            {move || refused.get().filter(|e| e.field() == "items").map(|e| e.to_string())}
                        </p>
                    </fieldset>
                    <FormNote />
                    <Submit label="Save draft" />
                </Form>
                <Preview live=live seed="" />
            </div>
        </div>
    }
    .into_any()
}

#[component]
fn Thing(n: u32) -> impl IntoView {
    let nth = n + 1;
    view! {
        <div class="thing">
            <TextInput name=format!("items[{n}][name]") label=format!("Item {nth}") max=80 />
            <TextInput name=format!("items[{n}][effects]") label=format!("Effect of item {nth}") max=300 />
            <Select name=format!("items[{n}][rarity]") label=format!("Rarity of item {nth}") choices=rarities() />
        </div>
    }
}

/// The rarities for a menu.
pub(super) fn rarities() -> Vec<Choice> {
    Rarity::ALL.iter().map(|r| Choice::new(r.as_str(), r.label())).collect()
}
