//! Signing in.

use super::{
    Script,
    field::{self, Line},
    first_button, given, head, next_of,
};
use crate::{
    accounts::{
        Purpose,
        gate::Given,
        store,
        view::{refused, with_next},
    },
    server::ctx,
    ui::{PageTitle, load},
};
use leptos::prelude::*;

/// `/sign-in`
#[component]
pub fn SignInPage() -> impl IntoView {
    let form = given();
    let next = next_of(&form);
    let to = next.clone();
    let purpose = load(
        || (),
        move |()| {
            let to = to.clone();
            async move { store::purpose(&ctx()?, &to).await }
        },
    );
    view! {
        <PageTitle text="Sign in" />
        <Suspense fallback=|| ()>
            {move || {
                let (form, next) = (form.clone(), next.clone());
                Suspend::new(async move {
                    match purpose.await {
                        Ok(purpose) => page(&form, purpose, next),
                        Err(error) => refused(error, "/sign-in"),
                    }
                })
            }}
        </Suspense>
        <Script />
    }
    .into_any()
}

fn page(form: &Given, purpose: Purpose, next: String) -> AnyView {
    let other = with_next("/sign-up", &next);
    let lead =
        if purpose.to.is_empty() { "With your username or e-mail.".to_owned() } else { format!("To {}.", purpose.to) };
    view! {
        <section class="narrow door-page">
            {head(purpose, "Sign in".to_owned(), lead)}
            <div class="card form">
                <form method="post" action="/sign-in" novalidate=true>
                    {first_button()}
                    {field::note(form, &[("login", "Username or e-mail"), ("password", "Password")])}
                    <input type="hidden" name="next" value=next />
                    {Line { name: "login", label: "Username or e-mail", hint: "", kind: "text", autocomplete: "username", max: 254 }
                        .show(form)}
                    {field::password(form, "Password", false)}
                    <button class="btn" type="submit">"Sign in"</button>
                    <p><a class="link" href="/forgot">"Forgot your password?"</a></p>
                </form>
            </div>
            <p class="aside">"New here? " <a href=other>"Create an account"</a></p>
        </section>
    }
    .into_any()
}
