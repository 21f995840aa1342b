//! The pages themselves, and the forms in which an operator edits them.

use super::{BODY_MAX, Edited, Page, Shown, Version, api::SavePage, store};
use crate::{
    error::AppError,
    models::view::{AdminFrame, ConfirmFirst, loaded, saved},
    ui::{ErrorView, Form, FormNote, PageTitle, Submit, TextArea, TextInput, Time},
};
use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_params_map};

/// `/terms`, `/privacy`, `/contact`, `/about-ai`
#[component]
pub fn LegalPage() -> impl IntoView {
    let path = use_location().pathname.get_untracked();
    let Some(page) = Page::parse(path.trim_matches('/')) else {
        return view! { <ErrorView error=AppError::NotFound /> }.into_any();
    };
    let fetch = move |ctx: crate::server::Ctx| async move { store::shown(&ctx, page).await };
    loaded(path, fetch, |shown: Shown| {
        let Shown { page, html, effective } = shown;
        view! {
            <PageTitle text=page.title() />
            <article class="wrap legal">
                <h1>{page.title()}</h1>
                {(!effective.is_empty()).then(|| view! { <p class="meta">{format!("Effective {effective}")}</p> })}
                <div class="md prose" inner_html=html></div>
            </article>
        }
        .into_any()
    })
}

const HERE: &str = "/admin/pages";

/// `/admin/pages`
#[component]
pub fn PagesPage() -> impl IntoView {
    let fetch = |ctx: crate::server::Ctx| async move {
        let mut pages = Vec::new();
        for page in Page::ALL {
            pages.push(store::edited(&ctx, page).await?);
        }
        Ok(pages)
    };
    loaded(HERE.to_owned(), fetch, |pages: Vec<Edited>| {
        view! {
            <AdminFrame here=HERE title="Legal pages">
                <p>"Linked at the foot of every page and on sign-up. The texts that come with SoulForge describe what the program does; have them checked for your country."</p>
                <div class="list settings-card">
                    {pages
                        .into_iter()
                        .map(|edited| {
                            let page = edited.page;
                            let state = if edited.is_default { "Text of the program" } else { "Your own text" };
                            view! {
                                <a class="list-row" rel="external" href=format!("{HERE}/{}", page.as_str())>
                                    <span class="grow"><b>{page.title()}</b><span class="meta">{state}</span></span>
                                </a>
                            }
                        })
                        .collect_view()}
                </div>
            </AdminFrame>
        }
        .into_any()
    })
}

/// `/admin/pages/{name}`
#[component]
pub fn EditPage() -> impl IntoView {
    let name = use_params_map().with_untracked(|p| p.get("page")).unwrap_or_default();
    let here = format!("{HERE}/{name}");
    let back = here.clone();
    let fetch = move |ctx: crate::server::Ctx| {
        let name = name.clone();
        async move {
            let fresh = ctx.require()?.is_fresh();
            Ok((store::edited(&ctx, Page::parse(&name).ok_or(AppError::NotFound)?).await?, fresh))
        }
    };
    loaded(here, fetch, move |(edited, fresh): (Edited, bool)| {
        let Edited { page, body, versions, .. } = edited;
        let back = back.clone();
        view! {
            <AdminFrame here=HERE title=page.title()>
                <p class="row-actions">
                    <a class="quiet" rel="external" href=HERE>"All pages"</a>
                    <a class="quiet" rel="external" href=page.path()>"See the page"</a>
                </p>
                <div class="card settings-card">
                    {if fresh {
                        form(page, body).into_any()
                    } else {
                        view! { <ConfirmFirst what="What holds for everybody is changed here. Confirm your password first." here=back /> }.into_any()
                    }}
                </div>
                {(!versions.is_empty()).then(|| view! { <h2>"Versions"</h2>{versions.into_iter().map(version).collect_view()} })}
            </AdminFrame>
        }
        .into_any()
    })
}

fn form(page: Page, body: String) -> impl IntoView {
    let save = ServerAction::<SavePage>::new();
    view! {
        <Form action=save>
            <FormNote done=saved("page", "Saved.") />
            <input type="hidden" name="form[page]" value=page.as_str() />
            <TextArea
                name="form[body]"
                label="Text"
                value=body
                hint="Markdown. Leave it empty to use the text that comes with SoulForge."
                rows=24
                max=u32::try_from(BODY_MAX).unwrap_or(60_000)
            />
            <TextInput name="form[effective_on]" label="Effective from" kind="date" max=10 hint="Empty: today. Until that day the version before is shown." />
            <Submit label="Save" />
        </Form>
    }
}

fn version(version: Version) -> impl IntoView {
    let Version { at, effective, who, body } = version;
    let who = if who.is_empty() { "an account that is gone".to_owned() } else { format!("@{who}") };
    let body = if body.is_empty() { "The text that comes with SoulForge.".to_owned() } else { body };
    view! {
        <details class="fold">
            <summary>"Written "<Time at=at />{format!(" by {who}, effective {effective}")}</summary>
            <pre class="legal-old">{body}</pre>
        </details>
    }
}
