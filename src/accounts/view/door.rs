//! Joining and coming back: pages that the server draws alone, since people arrive here who have fetched nothing yet.
//!
//! The forms are plain; a refused one comes back with what was typed. `public/door.js` adds the little that a browser
//! knows better.

use super::{next_path, with_next};
use crate::{
    accounts::api::{SignIn, SignUp},
    ui::{Form, FormNote, PageTitle, PasswordInput, Submit, TextInput},
};
use leptos::prelude::*;

/// `/sign-up`
#[component]
pub fn SignUpPage() -> impl IntoView {
    let action = ServerAction::<SignUp>::new();
    let next = next_path();
    let other = with_next("/sign-in", &next);
    view! {
        <PageTitle text="Join" />
        <section class="narrow">
            <h1>"Join SoulForge"</h1>
            <p class="lead">"A name, an address and a password, and you can talk with everybody here."</p>
            <div class="card">
                <Form action=action>
                    <FormNote />
                    <input type="hidden" name="form[next]" value=next />
                    // Without scripts the time zone can be set later.
                    <input type="hidden" name="form[timezone]" value="" data-zone="" />
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
        <Script />
    }
    .into_any()
}

/// `/sign-in`
#[component]
pub fn SignInPage() -> impl IntoView {
    let action = ServerAction::<SignIn>::new();
    let next = next_path();
    let other = with_next("/sign-up", &next);
    view! {
        <PageTitle text="Sign in" />
        <section class="narrow">
            <h1>"Welcome back"</h1>
            <p class="lead">"Your characters have been keeping your place."</p>
            <div class="card">
                <Form action=action>
                    <FormNote />
                    <input type="hidden" name="form[next]" value=next />
                    <TextInput name="form[login]" label="Username or e-mail" autocomplete="username" required=true max=254 />
                    <PasswordInput name="form[password]" label="Password" />
                    <Submit label="Sign in" />
                </Form>
            </div>
            <p class="aside">"New here? " <a href=other>"Join SoulForge"</a></p>
        </section>
        <Script />
    }
    .into_any()
}

#[component]
fn Script() -> impl IntoView {
    view! { <script src="/door.js" defer nonce=leptos::nonce::use_nonce()></script> }
}
