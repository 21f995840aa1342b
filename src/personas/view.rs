//! `/settings/personas`: the list, and one form: for a new one, or with `?edit=` for the one that is named there.

use super::{
    DESCRIPTION_MAX, NAME_MAX, PRONOUNS_MAX, UserPersona,
    api::{DeletePersona, SavePersona, list_personas},
};
use crate::{
    accounts::view::{refused, settings::SettingsFrame},
    ui::{Check, Form, FormNote, Icon, IconName, Submit, Sure, TextArea, TextInput, load},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

const HERE: &str = "/settings/personas";

/// `/settings/personas`
#[component]
pub fn PersonasPage() -> impl IntoView {
    let save = ServerAction::<SavePersona>::new();
    let delete = ServerAction::<DeletePersona>::new();
    // A refused form keeps what was typed, so only what was kept is read again.
    let kept = Memo::new(move |before: Option<&usize>| {
        let ok = save.value().with(|v| matches!(v, Some(Ok(())))) || delete.value().with(|v| matches!(v, Some(Ok(()))));
        let version = save.version().get() + delete.version().get();
        if ok { version } else { before.copied().unwrap_or(0) }
    });
    let personas = load(move || kept.get(), |_| list_personas());
    view! {
        <Transition fallback=|| ()>
            {move || Suspend::new(async move {
                match personas.await {
                    Ok(personas) => page(save, delete, personas).into_any(),
                    Err(error) => refused(error, HERE),
                }
            })}
        </Transition>
    }
    .into_any()
}

fn page(
    save: ServerAction<SavePersona>,
    delete: ServerAction<DeletePersona>,
    personas: Vec<UserPersona>,
) -> impl IntoView {
    let query = use_query_map();
    let wanted = query.with_untracked(|q| q.get("edit").unwrap_or_default());
    let edited = personas.iter().find(|p| p.id.to_string() == wanted).cloned();
    let is_first = personas.is_empty();
    let heading = edited.as_ref().map_or_else(|| "New persona".to_owned(), |p| format!("Change {}", p.name));
    view! {
        <SettingsFrame here=HERE>
            <p>
                "A persona is who you are to the characters: they call you by its name and know what you write here. "
                "Choose one for a conversation under its notes. Without one they know your display name."
            </p>
            {(!is_first)
                .then(|| view! { <ul class="list settings-card">{personas.into_iter().map(row).collect_view()}</ul> })}
            <div class="card settings-card" id="form">
                <h2>{heading}</h2>
                <Fields save=save persona=edited.clone() is_first=is_first />
                {edited.map(|p| view! { <Delete delete=delete id=p.id.to_string() /> })}
            </div>
        </SettingsFrame>
    }
}

fn row(persona: UserPersona) -> impl IntoView {
    let default = persona.is_default.then(|| "your default".to_owned());
    let known: Vec<String> = Some(persona.pronouns).filter(|p| !p.is_empty()).into_iter().chain(default).collect();
    let known = (!known.is_empty()).then(|| format!(" ({})", known.join(", ")));
    let label = format!("Change {}", persona.name);
    view! {
        <li class="list-row">
            <Icon name=IconName::User />
            <span class="grow">
                <b>{persona.name}</b>
                {known}
                {(!persona.description.is_empty()).then(|| view! { <span class="meta block">{persona.description}</span> })}
            </span>
            // The whole page anew: its one form belongs to another persona then.
            <a class="quiet" href=format!("{HERE}?edit={}#form", persona.id) rel="external" aria-label=label>"Change"</a>
        </li>
    }
}

#[component]
fn Fields(save: ServerAction<SavePersona>, persona: Option<UserPersona>, is_first: bool) -> impl IntoView {
    let is_new = persona.is_none();
    let id = persona.as_ref().map(|p| p.id.to_string()).unwrap_or_default();
    let checked = persona.as_ref().map_or(is_first, |p| p.is_default);
    let (name, pronouns, description) = persona.map(|p| (p.name, p.pronouns, p.description)).unwrap_or_default();
    let done = Signal::derive(move || save.value().with(|v| matches!(v, Some(Ok(()))).then(|| "Saved.".to_owned())));
    let max = |n: usize| u32::try_from(n).unwrap_or(0);
    let keep = format!("persona-{id}");
    view! {
        <Form action=save keep=keep>
            <FormNote done=done />
            <input type="hidden" name="form[id]" value=id />
            <TextInput name="form[name]" label="Name" value=name required=true max=max(NAME_MAX) />
            <TextInput name="form[pronouns]" label="Pronouns" value=pronouns max=max(PRONOUNS_MAX) hint="If you like, for example she/her." />
            <TextArea
                name="form[description]"
                label="Who you are"
                value=description
                max=max(DESCRIPTION_MAX)
                rows=3
                hint="A sentence or two, for example: Wren is a night nurse who keeps bees. Small models read the first sentence."
            />
            <Check name="form[is_default]" label="Use it wherever I choose nothing else" checked=checked />
            <div class="row-actions">
                <Submit label=if is_new { "Add" } else { "Save" } />
                {(!is_new).then(|| view! { <a class="btn ghost" href=HERE rel="external">"Back to all"</a> })}
            </div>
        </Form>
    }
}

#[component]
fn Delete(delete: ServerAction<DeletePersona>, id: String) -> impl IntoView {
    view! {
        <Sure label="Delete this persona" warning="Conversations that chose it go on with your default.">
            <ActionForm action=delete>
                <input type="hidden" name="id" value=id />
                <button class="btn danger small" type="submit">"Delete it"</button>
            </ActionForm>
        </Sure>
    }
}
