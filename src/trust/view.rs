//! The card in a talk, and the admin's page about it.

use leptos::prelude::*;

/// The card with help lines: a fixed text of the house. `html` is made by the server.
#[component]
pub fn HelpCard(
    /// What is on it.
    html: String,
    /// What can be done below it.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="card help-card" role="note" aria-label="Help lines">
            <div class="help-lines" inner_html=html></div>
            {children.map(|children| children())}
        </div>
    }
}

/// `/admin/safety`
#[cfg(feature = "ssr")]
#[component]
pub fn SafetyAdminPage() -> impl IntoView {
    use super::{SafetyPage, store};
    use crate::models::view::loaded;
    loaded(
        "/admin/safety".to_owned(),
        |ctx| async move { store::page(&ctx).await },
        |page: SafetyPage| view! { <Safety page=page /> }.into_any(),
    )
}

#[cfg(feature = "ssr")]
#[component]
fn Safety(page: super::SafetyPage) -> impl IntoView {
    use super::api::SaveHelp;
    use crate::{
        models::{
            meter::grouped,
            view::{AdminFrame, Figures, saved},
        },
        ui::{Choice, Form, FormNote, Select, Submit, TextArea},
    };
    let save = ServerAction::<SaveHelp>::new();
    let done = saved("help", "Saved.");
    let super::SafetyPage { form, countries, days, known_until, sample } = page;
    let choices = std::iter::once(Choice::new("", "By each person's time zone"))
        .chain(countries.into_iter().map(|(code, name)| Choice::new(code, name)))
        .collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = days.into_iter().map(|(day, cards)| vec![day, grouped(cards)]).collect();
    const COLUMNS: &[&str] = &["Day (UTC)", "Cards"];
    view! {
        <AdminFrame here="/admin/safety" title="Safety">
            <p>
                "Whoever writes about suicide or self-harm gets a card with help lines, and no model is asked. They may go on with the chat afterwards; the model is then told to be gentle."
            </p>
            <section class="card settings-card" id="help">
                <h2>"Help lines"</h2>
                <Form action=save>
                    <FormNote done=done />
                    <Select name="form[region]" label="Country of the help lines" value=form.region choices=choices
                        hint="Where a time zone is not known, the language of the message and the international line are used." />
                    <TextArea name="form[extra]" label="Lines of your own" value=form.extra rows=3 max=1200
                        placeholder="Campus counselling: 555 0100 · https://example.org"
                        hint="At most five, one per line, before the others: a name, a colon and a number, then a middle dot and an address." />
                    <Submit label="Save help lines" />
                </Form>
            </section>
            <h2>"The card as you would see it"</h2>
            <p>{format!("The numbers of the house are known to have been right in {known_until}. Numbers change; call them before you rely on them.")}</p>
            <HelpCard html=sample />
            <h2>"Cards by day"</h2>
            {if rows.is_empty() {
                view! { <p>"No card was shown yet."</p> }.into_any()
            } else {
                view! { <Figures label="Cards by day" columns=COLUMNS words=1 rows=rows /> }.into_any()
            }}
            <p class="meta">"Counted without text and without people: nobody can see here who wrote what."</p>
        </AdminFrame>
    }
}
