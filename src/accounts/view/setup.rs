//! The first admin's link.

use super::{follow, with_next};
use crate::{
    accounts::{
        Setup,
        api::{ClaimAdmin, get_setup},
    },
    ui::{ErrorView, Form, FormNote, PageTitle, Submit, load},
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// `/setup/{token}`
#[component]
pub fn SetupPage() -> impl IntoView {
    let params = use_params_map();
    let token = Memo::new(move |_| params.with(|p| p.get("token")).unwrap_or_default());
    let action = ServerAction::<ClaimAdmin>::new();
    follow(action.value());
    let setup = load(move || token.get(), get_setup);
    view! {
        <PageTitle text="First admin" />
        <Suspense fallback=|| ()>
            {move || Suspend::new(async move {
                match setup.await {
                    Ok(setup) => page(action, token.get_untracked(), setup).into_any(),
                    Err(error) => view! { <ErrorView error=error /> }.into_any(),
                }
            })}
        </Suspense>
    }
    .into_any()
}

fn page(action: ServerAction<ClaimAdmin>, token: String, setup: Setup) -> impl IntoView {
    let here = format!("/setup/{token}");
    view! {
        <section class="narrow">
            <h1>"Become the first admin"</h1>
            <p class="lead">"This link makes one person the admin of this site. It works once, and only while there is no admin."</p>
            <div class="card">
                {match setup.me {
                    Some(name) => {
                        view! {
                            <Form action=action>
                                <FormNote />
                                <p>"You are signed in as "<b>{name}</b>"."</p>
                                <input type="hidden" name="token" value=token />
                                <Submit label="Become the first admin" />
                            </Form>
                        }
                            .into_any()
                    }
                    None => {
                        view! {
                            <p>"Create an account or sign in first. You come back here."</p>
                            <p class="row-actions mt-4">
                                <a class="btn" href=with_next("/sign-up", &here) rel="external">"Create an account"</a>
                                <a class="btn ghost" href=with_next("/sign-in", &here) rel="external">"Sign in"</a>
                            </p>
                        }
                            .into_any()
                    }
                }}
            </div>
        </section>
    }
}
