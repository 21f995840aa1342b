//! Recovery codes, shown once.

use super::{Script, next_of};
use crate::{
    accounts::{gate::Given, once, store, view::refused},
    error::AppResult,
    server::ctx,
    ui::{PageTitle, load},
};
use leptos::prelude::*;

/// The codes that were just made, if they still are the viewer's.
async fn read() -> AppResult<Vec<String>> {
    let ctx = ctx()?;
    ctx.require()?;
    let codes: Vec<String> = once::look().unwrap_or_default();
    Ok(if store::are_own_codes(&ctx, &codes).await? { codes } else { Vec::new() })
}

/// `/welcome`
#[component]
pub fn WelcomePage() -> impl IntoView {
    let next = next_of(&Given::default());
    let codes = load(|| (), |()| read());
    view! {
        <PageTitle text="Recovery codes" />
        <Suspense fallback=|| ()>
            {move || {
                let next = next.clone();
                Suspend::new(async move {
                    match codes.await {
                        Ok(codes) if codes.is_empty() => gone(next),
                        Ok(codes) => page(codes, next),
                        Err(error) => refused(error, "/welcome"),
                    }
                })
            }}
        </Suspense>
        <Script />
    }
    .into_any()
}

fn page(codes: Vec<String>, next: String) -> AnyView {
    let all = codes.join("\n");
    view! {
        <section class="narrow door-page">
            <h1>"Save your recovery codes"</h1>
            <p class="lead">"If you forget your password, one of these codes lets you set a new one. Each works once. They are not shown again."</p>
            <div class="card codes">
                <ul class="code-list">{codes.into_iter().map(|code| view! { <li><code>{code}</code></li> }).collect_view()}</ul>
                <p class="row-actions">
                    <button class="btn ghost small" type="button" data-copy=all hidden>"Copy"</button>
                    <a class="btn ghost small" href="/welcome/codes.txt" download="soulforge-recovery-codes.txt">"Download"</a>
                    <button class="btn ghost small" type="button" data-print="" hidden>"Print"</button>
                </p>
            </div>
            <form class="row-actions mt-6" method="post" action="/welcome">
                <input type="hidden" name="next" value=next />
                <button class="btn" type="submit">"I saved them"</button>
                <button class="quiet" type="submit">"Skip for now"</button>
            </form>
            <p class="aside">"You can make new ones in Settings, Account."</p>
        </section>
    }
    .into_any()
}

fn gone(next: String) -> AnyView {
    view! {
        <section class="narrow door-page">
            <h1>"Recovery codes are shown once"</h1>
            <p class="lead">"If you did not save yours, make new ones in Settings, Account. The old ones stop working then."</p>
            <p class="row-actions">
                <a class="btn" href=next>"Continue"</a>
                <a class="btn ghost" href="/settings/account">"Make new ones"</a>
            </p>
        </section>
    }
    .into_any()
}
