//! The developers' page.

use super::{Answer, Docs, Endpoint, Field, Group, Shape, api::get_docs};
use crate::ui::{ErrorView, PageTitle, load};
use leptos::prelude::*;

/// `/developers`
#[component]
pub fn DevelopersPage() -> impl IntoView {
    let docs = load(|| (), |()| get_docs());
    view! {
        <PageTitle text="For developers" />
        <Suspense fallback=|| ()>
            {move || Suspend::new(async move {
                match docs.await {
                    Ok(docs) => page(docs).into_any(),
                    Err(error) => view! { <ErrorView error=error /> }.into_any(),
                }
            })}
        </Suspense>
    }
    .into_any()
}

/// Id of a heading made from its text.
fn anchor(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

/// Text in which backticks mark code.
fn marked(text: &str) -> impl IntoView + use<> {
    text.split('`')
        .enumerate()
        .map(|(i, part)| {
            let part = part.to_owned();
            if i % 2 == 1 { view! { <code>{part}</code> }.into_any() } else { part.into_any() }
        })
        .collect_view()
}

fn page(docs: Docs) -> impl IntoView {
    let names: Vec<String> = docs.shapes.iter().map(|s| s.name.clone()).collect();
    view! {
        <section class="wrap docs">
            <h1>"For developers"</h1>
            <p class="lead">{marked(&docs.description)}</p>
            <p class="row-actions">
                <a class="btn" href="/settings/tokens">"Make a token"</a>
                <a class="btn ghost" href="/api/openapi.json" rel="external">"OpenAPI 3.1 as JSON"</a>
            </p>
            <nav class="docs-nav" aria-label="On this page">
                {docs.groups.iter().map(|g| view! { <a href=format!("#{}", anchor(&g.name))>{g.name.clone()}</a> }).collect_view()}
                <a href="#shapes">"Shapes"</a>
            </nav>
            {docs.groups.into_iter().map(|g| group(g, &names)).collect_view()}
            <h2 id="shapes" class="docs-head">"Shapes"</h2>
            {docs.shapes.into_iter().map(|s| shape(s, &names)).collect_view()}
        </section>
    }
}

fn group(group: Group, names: &[String]) -> impl IntoView + use<> {
    let id = anchor(&group.name);
    view! {
        <h2 id=id class="docs-head">{group.name}</h2>
        <p>{group.description}</p>
        {group.endpoints.into_iter().map(|e| endpoint(e, names)).collect_view()}
    }
}

fn endpoint(endpoint: Endpoint, names: &[String]) -> impl IntoView + use<> {
    let Endpoint { method, path, description, params, body, answers, curl } = endpoint;
    view! {
        <article class="card docs-card">
            <h3><span class="tag">{method}</span>" "<code>{path}</code></h3>
            <p>{marked(&description)}</p>
            {(!params.is_empty()).then(|| fields("Parameters", params, names))}
            {body.map(|b| view! { <p>"Body: "{kind(&b, names)}</p> })}
            <ul class="docs-answers">{answers.into_iter().map(|a| answer(a, names)).collect_view()}</ul>
            <pre tabindex="0" aria-label="Example"><code>{curl}</code></pre>
        </article>
    }
}

fn answer(answer: Answer, names: &[String]) -> impl IntoView + use<> {
    view! {
        <li>
            <b>{answer.status}</b>" "
            {answer.shape.map(|s| view! { {kind(&s, names)}" " })}
            <span class="meta">{answer.description}</span>
        </li>
    }
}

fn shape(shape: Shape, names: &[String]) -> impl IntoView + use<> {
    let Shape { name, description, fields: all } = shape;
    let id = format!("shape-{}", anchor(&name));
    let only = all.first().filter(|f| f.name.is_empty()).map(|f| f.kind.clone());
    view! {
        <article class="card docs-card" id=id>
            <h3><code>{name}</code></h3>
            <p>{marked(&description)}</p>
            {match only {
                Some(words) => view! { <p>{kind(&words, names)}</p> }.into_any(),
                None => fields("Fields", all, names).into_any(),
            }}
        </article>
    }
}

fn fields(caption: &'static str, all: Vec<Field>, names: &[String]) -> impl IntoView + use<> {
    view! {
        <dl class="docs-fields" aria-label=caption>
            {all
                .into_iter()
                .map(|f| {
                    view! {
                        <div>
                            <dt><code>{f.name}</code>{(!f.required).then(|| view! { <span class="meta">" optional"</span> })}</dt>
                            <dd>{kind(&f.kind, names)}<span class="meta block">{marked(&f.description)}</span></dd>
                        </div>
                    }
                })
                .collect_view()}
        </dl>
    }
}

/// A type in words; the names of shapes lead to them.
fn kind(words: &str, names: &[String]) -> impl IntoView + use<> {
    let parts: Vec<AnyView> = words
        .split_inclusive(' ')
        .map(|word| {
            let bare = word.trim_end_matches(' ').trim_end_matches("[]");
            let text = word.to_owned();
            if names.iter().any(|n| n == bare) {
                view! { <a class="link" href=format!("#shape-{}", anchor(bare))>{text}</a> }.into_any()
            } else {
                text.into_any()
            }
        })
        .collect();
    view! { <span>{parts}</span> }
}
