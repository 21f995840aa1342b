//! Typing the password again before something sensitive, and the page after leaving for good.

use super::{follow, next_path, refused};
use crate::{
    accounts::api::ConfirmPassword,
    app::FrameResource,
    error::AppError,
    ui::{Form, FormNote, PageTitle, PasswordInput, Submit},
};
use leptos::prelude::*;

/// `/confirm?next=...`
#[component]
pub fn ConfirmPage() -> impl IntoView {
    let action = ServerAction::<ConfirmPassword>::new();
    follow(action.value());
    let next = next_path();
    let frame = expect_context::<FrameResource>();
    view! {
        <PageTitle text="Confirm your password" />
        <Suspense fallback=|| ()>
            {move || {
                let next = next.clone();
                Suspend::new(async move {
                    match frame.await.map(|f| f.me) {
                        Ok(Some(me)) => form(action, next, me.username).into_any(),
                        Ok(None) => refused(AppError::SignInRequired, &next),
                        Err(error) => refused(error, &next),
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}

fn form(action: ServerAction<ConfirmPassword>, next: String, username: String) -> impl IntoView {
    view! {
        <section class="narrow">
            <h1>"Confirm your password"</h1>
            <p class="lead">"For security, enter your password again. You can then make this change within five minutes."</p>
            <div class="card">
                <Form action=action>
                    <FormNote />
                    <input type="hidden" name="form[next]" value=next />
                    <input type="text" name="username" value=username autocomplete="username" readonly hidden />
                    <PasswordInput name="form[password]" label="Password" />
                    <Submit label="Confirm" />
                </Form>
            </div>
        </section>
    }
}

/// `/goodbye`
#[component]
pub fn GoodbyePage() -> impl IntoView {
    view! {
        <PageTitle text="Goodbye" />
        <section class="narrow">
            <h1>"Your account is deleted"</h1>
            <p class="lead">"Everything private in it was deleted with it. Thank you for your time here."</p>
            <p class="row-actions"><a class="btn ghost" href="/">"Go home"</a></p>
        </section>
    }
    .into_any()
}
