//! How others see one: names, a few lines, a picture.

use super::{
    super::{done, refresh_frame, refused},
    SettingsFrame,
};
use crate::{
    accounts::{
        ProfileSettings,
        api::{RemoveAvatar, SaveProfile, get_profile_settings},
    },
    ui::{Form, FormNote, Initials, Submit, TextArea, TextInput, load},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// `/settings/profile`
#[component]
pub fn ProfilePage() -> impl IntoView {
    let save = ServerAction::<SaveProfile>::new();
    let remove = ServerAction::<RemoveAvatar>::new();
    let saved = done(save.value(), "profile", "Saved.");
    refresh_frame(save.value());
    refresh_frame(remove.value());
    let profile = load(move || remove.version().get(), |_| get_profile_settings());
    view! {
        <Transition fallback=|| ()>
            {move || Suspend::new(async move {
                match profile.await {
                    Ok(profile) => page(save, remove, saved, profile).into_any(),
                    Err(error) => refused(error, "/settings/profile"),
                }
            })}
        </Transition>
    }
    .into_any()
}

fn page(
    save: ServerAction<SaveProfile>,
    remove: ServerAction<RemoveAvatar>,
    saved: Signal<Option<String>>,
    profile: ProfileSettings,
) -> impl IntoView {
    let ProfileSettings { username, display_name, bio, avatar_url } = profile;
    let has_avatar = avatar_url.is_some();
    let query = use_query_map();
    let refusal = move || query.with(|q| q.get("refused"));
    let stored = move || query.with(|q| q.get("saved").is_some_and(|s| s == "picture"));
    view! {
        <SettingsFrame here="/settings/profile">
            <div class="card settings-card">
                <h2>"Picture"</h2>
                <div class="avatar-row">
                    <Initials name=display_name.clone() src=avatar_url class="large" />
                    <div class="avatar-forms">
                        {move || refusal().map(|r| view! { <p class="note bad" role="alert">{r}</p> })}
                        {move || stored().then(|| view! { <p class="note good" role="status">"Your picture is saved."</p> })}
                        // Plain on purpose: the browser sends files by itself, with and without scripts.
                        <form method="post" action="/settings/avatar" enctype="multipart/form-data" class="avatar-form">
                            <label for="avatar-file">"Choose a picture"</label>
                            <p class="hint">"JPEG, PNG, WebP or GIF, at most 5 MB. Cropped to a square; location and camera data are removed."</p>
                            <input id="avatar-file" type="file" name="file" accept="image/jpeg,image/png,image/webp,image/gif" required=true />
                            <button type="submit" class="btn ghost small">"Upload"</button>
                        </form>
                        {has_avatar.then(|| view! { <ActionForm action=remove><button type="submit" class="quiet danger">"Remove the picture"</button></ActionForm> })}
                    </div>
                </div>
            </div>
            <div class="card settings-card">
                <h2>"About you"</h2>
                <Form action=save>
                    <FormNote done=saved />
                    <TextInput name="form[display_name]" label="Display name" value=display_name autocomplete="nickname" required=true max=60 />
                    <TextInput
                        name="form[username]"
                        label="Username"
                        value=username
                        hint="Part of your page's address. When you change it, old links stop working."
                        autocomplete="username"
                        required=true
                        max=30
                    />
                    <TextArea name="form[bio]" label="About you" value=bio rows=5 max=2000 />
                    <Submit label="Save" />
                </Form>
            </div>
        </SettingsFrame>
    }
}
