//! Coming back, and the page after leaving.

use super::{follow, next_path, with_next};
use crate::{
    accounts::api::SignIn,
    ui::{Form, FormNote, PageTitle, PasswordInput, Submit, TextInput},
};
use leptos::prelude::*;

/// `/sign-in`
#[component]
pub fn SignInPage() -> impl IntoView {
    let action = ServerAction::<SignIn>::new();
    follow(action.value());
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
    }
    .into_any()
}

/// `/goodbye`
#[component]
pub fn GoodbyePage() -> impl IntoView {
    view! {
        <PageTitle text="Goodbye" />
        <section class="narrow">
            <h1>"Your account is gone"</h1>
            <p class="lead">"Everything private in it was deleted with it. Thank you for the time you spent here."</p>
            <p class="row-actions"><a class="btn ghost" href="/">"Go home"</a></p>
        </section>
    }
    .into_any()
}
