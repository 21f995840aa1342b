//! Joining.

use super::{follow, next_path, with_next};
use crate::{
    accounts::api::SignUp,
    ui::{Form, FormNote, PageTitle, PasswordInput, Submit, TextInput},
};
use leptos::prelude::*;

/// `/sign-up`
#[component]
pub fn SignUpPage() -> impl IntoView {
    let action = ServerAction::<SignUp>::new();
    follow(action.value());
    let next = next_path();
    let other = with_next("/sign-in", &next);
    // The browser knows where it is; without scripts the time zone can be set later.
    let (zone, set_zone) = signal(String::new());
    Effect::new(move |_| set_zone.set(time_zone()));
    view! {
        <PageTitle text="Join" />
        <section class="narrow">
            <h1>"Join SoulForge"</h1>
            <p class="lead">"A name, an address and a password, and you can talk with everybody here."</p>
            <div class="card">
                <Form action=action>
                    <FormNote />
                    <input type="hidden" name="form[next]" value=next />
                    <input type="hidden" name="form[timezone]" prop:value=zone />
                    <TextInput
                        name="form[username]"
                        label="Username"
                        hint="3 to 30 letters, digits and underscores. It is part of your page's address."
                        autocomplete="username"
                        required=true
                        max=30
                    />
                    <TextInput name="form[display_name]" label="Name shown to others (optional)" autocomplete="nickname" max=60 />
                    <TextInput name="form[email]" label="E-mail" hint="Only for signing in. Nobody else sees it." kind="email" autocomplete="email" required=true max=254 />
                    <PasswordInput
                        name="form[password]"
                        label="Password"
                        hint="At least 15 characters. A few words that only you would put together do well."
                        autocomplete="new-password"
                    />
                    <Submit label="Create my account" />
                </Form>
            </div>
            <p class="aside">"Already here? " <a href=other>"Sign in"</a></p>
        </section>
    }
    .into_any()
}

/// IANA name of the browser's time zone.
#[cfg(feature = "hydrate")]
fn time_zone() -> String {
    let format = js_sys::Intl::DateTimeFormat::new(&js_sys::Array::new(), &js_sys::Object::new());
    let options = format.resolved_options();
    js_sys::Reflect::get(&options, &"timeZone".into()).ok().and_then(|z| z.as_string()).unwrap_or_default()
}

#[cfg(not(feature = "hydrate"))]
fn time_zone() -> String {
    String::new()
}
