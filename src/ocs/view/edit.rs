//! Changing a character: its words, its plate, what it carries, and letting it go.

use super::{
    fields::{OcFields, Preview},
    new::rarities,
    slug_param,
};
use crate::{
    ids::OcId,
    ocs::{
        Oc, OcForm, OcItem,
        api::{AddItem, ChangeItem, DeleteOc, RemovePlate, UpdateOc, get_editable},
        form::MAX_ITEMS,
    },
    ui::{
        Check, ErrorView, Form, FormNote, Icon, IconName, PageTitle, Select, Submit, TextArea, TextInput, load,
        load_later,
    },
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// `/c/{slug}/edit`
#[component]
pub fn EditPage() -> impl IntoView {
    let slug = slug_param();
    let oc = load(move || slug.get(), get_editable);
    view! {
        <Suspense fallback=|| ()>
            {move || Suspend::new(async move {
                match oc.await {
                    Ok(oc) => view! { <Page oc=oc /> }.into_any(),
                    Err(error) => view! { <ErrorView error=error /> }.into_any(),
                }
            })}
        </Suspense>
    }
    .into_any()
}

#[component]
fn Page(oc: Oc) -> impl IntoView {
    let action = ServerAction::<UpdateOc>::new();
    let refused = Signal::derive(move || action.value().get().and_then(Result::err));
    let form = OcForm::from(&oc);
    let live = RwSignal::new(form.clone());
    let conflict = move || refused.get().is_some_and(|e| e.field() == "overwrite");
    let uploaded = oc.has_avatar.then(|| oc.portrait_url.clone());
    view! {
        <PageTitle text=format!("Edit {}", oc.name) />
        <div class="wrap">
            <div class="head">
                <h1>{format!("Edit {}", oc.name)}</h1>
                <p class="row-actions">
                    <a class="quiet" href=oc.url.clone()>"Back to the character"</a>
                    <a class="quiet" href=format!("{}/versions", oc.url)><Icon name=IconName::History />"Versions"</a>
                </p>
            </div>
            <div class="bench">
                <div>
                    // What was typed over an older version is not put over a newer one.
                    <Form action=action keep=format!("character-{}-{}", oc.id, oc.version) long=true>
                        <input type="hidden" name="oc_id" value=oc.id.to_string() />
                        <input type="hidden" name="form[version]" value=oc.version.to_string() />
                        <OcFields form=form live=live refused=refused is_draft=!oc.is_public />
                        <FormNote />
                        {move || conflict().then(|| view! { <Check name="form[overwrite]" label="Save my version anyway" /> })}
                        <Submit label="Save" />
                    </Form>
                    <PlatePart oc=oc.clone() />
                    <Items oc=oc.clone() />
                    <Goodbye oc=oc.clone() />
                </div>
                <Preview live=live seed=oc.id.to_string() uploaded=uploaded />
            </div>
        </div>
    }
    .into_any()
}

/// An uploaded picture in place of the drawn plate.
#[component]
fn PlatePart(oc: Oc) -> impl IntoView {
    let remove = ServerAction::<RemovePlate>::new();
    let query = use_query_map();
    let refused = move || query.with(|q| q.get("refused")).map(|m| view! { <p class="note bad" role="alert">{m}</p> });
    let saved = move || {
        query
            .with(|q| q.get("saved").is_some_and(|s| s == "plate"))
            .then(|| view! { <p class="note good" role="status">"Portrait saved."</p> })
    };
    view! {
        <section class="part" id="plate">
            <h2>"Portrait"</h2>
            <p class="hint">"Upload a picture to replace the generated portrait: JPEG, PNG, WebP or GIF, up to 5 MB. It is cropped to 4:5, and location and camera data are removed."</p>
            {refused}
            {saved}
            <form class="upload" action=format!("{}/avatar", oc.url) method="post" enctype="multipart/form-data">
                <label class="visually-hidden" for="plate-file">"Picture"</label>
                <input id="plate-file" name="file" type="file" accept="image/jpeg,image/png,image/webp,image/gif" required=true />
                <button class="btn ghost small" type="submit"><Icon name=IconName::Upload />"Upload"</button>
            </form>
            {oc
                .has_avatar
                .then(|| {
                    view! {
                        <Form action=remove class="inline">
                            <input type="hidden" name="oc_id" value=oc.id.to_string() />
                            <Submit label="Use the generated portrait" class="ghost small" />
                            <FormNote />
                        </Form>
                    }
                })}
        </section>
    }
}

/// What it carries.
#[component]
fn Items(oc: Oc) -> impl IntoView {
    let add = ServerAction::<AddItem>::new();
    let change = ServerAction::<ChangeItem>::new();
    let (id, slug) = (oc.id, oc.slug.clone());
    let items = RwSignal::new(oc.items);
    // Read again after each change; the words above stay as they are typed.
    let fresh = load_later(
        move || (add.version().get(), change.version().get()),
        move |(added, changed)| {
            let slug = slug.clone();
            async move { if added + changed == 0 { None } else { get_editable(slug).await.ok().map(|oc| oc.items) } }
        },
    );
    Effect::new(move |_| {
        if let Some(Some(now)) = fresh.get() {
            items.set(now);
        }
    });
    view! {
        <section class="part" id="things">
            <h2>"Items"</h2>
            {move || items.with(Vec::is_empty).then(|| view! { <p class="hint">"No items yet. Equipped items change how the character behaves."</p> })}
            <div class="items">
                {move || items.get().into_iter().map(|i| carried(id, i, change)).collect_view()}
            </div>
            {move || {
                items
                    .with(|i| i.len() < MAX_ITEMS)
                    .then(|| {
                        view! {
                            <details class="add-thing" open=add.value().get().is_some_and(|r| r.is_err())>
                                <summary class="quiet"><Icon name=IconName::Plus />"Add item"</summary>
                                <Form action=add>
                                    <input type="hidden" name="oc_id" value=id.to_string() />
                                    <TextInput name="item[name]" label="Name" max=80 required=true />
                                    <TextArea name="item[description]" label="Description" rows=2 max=500 />
                                    <TextInput name="item[effects]" label="Effect" max=300 required=true hint="Braver when the lamp is lit." />
                                    <Select name="item[rarity]" label="Rarity" choices=rarities() />
                                    <FormNote />
                                    <Submit label="Add item" class="small" />
                                </Form>
                            </details>
                        }
                    })
            }}
        </section>
    }
}

fn carried(oc: OcId, item: OcItem, change: ServerAction<ChangeItem>) -> impl IntoView {
    let OcItem { id, name, personality_effects, rarity, is_equipped, .. } = item;
    let (what, label) = if is_equipped { ("keep", "Unequip") } else { ("carry", "Equip") };
    let button = move |what: &'static str, label: &'static str, thing: String| {
        view! {
            <Form action=change class="inline">
                <input type="hidden" name="oc_id" value=oc.to_string() />
                <input type="hidden" name="item_id" value=id.to_string() />
                <input type="hidden" name="change" value=what />
                <button class="quiet" type="submit" aria-label=format!("{label}: {thing}")>{label}</button>
            </Form>
        }
    };
    view! {
        <div class="item" class:kept=!is_equipped>
            <span class="rare">{rarity.label()}</span>
            <b>{name.clone()}</b>
            <p>{personality_effects}</p>
            <div class="row-actions">
                {button(what, label, name.clone())}
                {button("remove", "Remove", name)}
            </div>
        </div>
    }
}

/// Deleting it, with plain words about what goes and what stays.
#[component]
fn Goodbye(oc: Oc) -> impl IntoView {
    let delete = ServerAction::<DeleteOc>::new();
    let posts =
        if oc.is_public { "Its posts are deleted, too." } else { "It was never published, so everything is deleted." };
    view! {
        <section class="part danger-zone" id="goodbye">
            <h2>"Delete character"</h2>
            <p>
                {format!(
                    "Deleting {} also deletes your chats with it, its memories and its versions. What others talked about with it stays theirs, \
                     with “A character who left”. {posts} This cannot be undone.",
                    oc.name,
                )}
            </p>
            <Form action=delete>
                <input type="hidden" name="oc_id" value=oc.id.to_string() />
                <TextInput name="confirm" label=format!("Type the name to confirm: {}", oc.name) max=80 required=true />
                <FormNote />
                <Submit label="Delete character" class="danger" />
            </Form>
        </section>
    }
}
