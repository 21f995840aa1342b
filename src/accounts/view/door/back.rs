//! Getting back in without the password: by a recovery code, or by a link that an admin made.

use super::{
    Script,
    field::{self, Line},
    first_button, given,
};
use crate::{
    accounts::{gate::Given, store},
    server::ctx,
    ui::{ErrorView, PageTitle, load},
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// `/forgot`
#[component]
pub fn ForgotPage() -> impl IntoView {
    let form = given();
    let labels = [("login", "Username or e-mail"), ("code", "Recovery code"), ("password", "New password")];
    view! {
        <PageTitle text="Forgot your password?" />
        <section class="narrow door-page">
            <h1>"Forgot your password?"</h1>
            <p class="lead">
                "Use one of the ten recovery codes that you were given when you created your account. Every device is signed out."
            </p>
            <div class="card form">
                <form method="post" action="/forgot" novalidate=true>
                    {first_button()}
                    {field::note(&form, &labels)}
                    {Line { name: "login", label: "Username or e-mail", hint: "", kind: "text", autocomplete: "username", max: 254 }
                        .show(&form)}
                    {Line {
                        name: "code",
                        label: "Recovery code",
                        hint: "Like 7KQ2-M9XD-04HT-RRBE. Each code works once.",
                        kind: "text",
                        autocomplete: "one-time-code",
                        max: 40,
                    }
                        .show(&form)}
                    {field::password(&form, "New password", true)}
                    <button class="btn" type="submit">"Set new password"</button>
                </form>
            </div>
            <p class="aside">
                "No codes left? " <a href="/contact">"Write to the people who run this site"</a> ": they can make a one-time link for you."
            </p>
        </section>
        <Script />
    }
    .into_any()
}

/// `/reset/{token}`
#[component]
pub fn ResetPage() -> impl IntoView {
    let form = given();
    let token = use_params_map().with_untracked(|p| p.get("token")).unwrap_or_default();
    let asked = token.clone();
    let whose = load(
        || (),
        move |()| {
            let token = asked.clone();
            async move { store::link_of(&ctx()?.app, &token).await }
        },
    );
    view! {
        <PageTitle text="Set a new password" />
        <Suspense fallback=|| ()>
            {move || {
                let (form, token) = (form.clone(), token.clone());
                Suspend::new(async move {
                    match whose.await {
                        Ok(name) => page(&form, &token, name),
                        Err(error) => view! { <ErrorView error=error /> }.into_any(),
                    }
                })
            }}
        </Suspense>
        <Script />
    }
    .into_any()
}

fn page(form: &Given, token: &str, name: String) -> AnyView {
    view! {
        <section class="narrow door-page">
            <h1>"Set a new password"</h1>
            <p class="lead">"For " <b>{format!("@{name}")}</b> ". This link works once, and every device is signed out."</p>
            <div class="card form">
                <form method="post" action=format!("/reset/{token}") novalidate=true>
                    {first_button()}
                    {field::note(form, &[("password", "New password")])}
                    <input type="text" name="username" value=name autocomplete="username" readonly=true hidden=true />
                    {field::password(form, "New password", true)}
                    <button class="btn" type="submit">"Set new password"</button>
                </form>
            </div>
        </section>
    }
    .into_any()
}
