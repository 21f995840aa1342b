//! The front page of the admin's part, and the page about models.

use super::{
    files::FilesCard,
    frame::{AdminFrame, Figures},
    loaded, saved,
    settings::{BudgetsCard, DefaultsCard, ReachCard},
};
use crate::{
    models::{
        meter::grouped,
        money,
        store::{
            self, AuditLine, DaySum, Fault, Kind, ModelUse, ModelView, ModelsPage, Overview, PersonUse, ProviderView,
        },
    },
    ui::{FormNote, Icon, IconName, Time},
};
use leptos::prelude::*;

/// `/admin`
#[component]
pub fn AdminPage() -> impl IntoView {
    loaded(
        "/admin".to_owned(),
        |ctx| async move { store::overview(&ctx).await },
        |page: Overview| {
            let Overview { people, ocs, replies, week, by_person, by_day, faults, audit } = page;
            view! {
                <AdminFrame here="/admin" title="Overview">
                    <p>
                        {format!(
                            "{}, {}, {} in the last seven days.",
                            counted(people, "person", "people"),
                            counted(ocs, "character", "characters"),
                            counted(replies, "reply", "replies"),
                        )}
                    </p>
                    <h2>"Errors, the last seven days"</h2>
                    {fault_list(faults)}
                    <h2>"Models, the last seven days"</h2>
                    {week_table(week)}
                    <h2>"People, the last seven days"</h2>
                    {people_table(by_person)}
                    <h2>"Days"</h2>
                    {days_table(by_day)}
                    <h2>"What admins did"</h2>
                    {audit_list(audit)}
                </AdminFrame>
            }
            .into_any()
        },
    )
}

fn week_table(week: Vec<ModelUse>) -> AnyView {
    if week.is_empty() {
        return view! { <p>"No model was asked yet."</p> }.into_any();
    }
    let rows = week
        .into_iter()
        .map(|u| {
            let own = if u.own_key { ", own keys" } else { "" };
            vec![
                u.model,
                format!("{}{own}", u.provider),
                grouped(u.people),
                grouped(u.calls),
                grouped(u.failed),
                grouped(u.tokens),
                u.first_token_ms.map(|ms| format!("{ms} ms")).unwrap_or_default(),
                money::cost(u.cost_micros, u.local),
            ]
        })
        .collect();
    const COLUMNS: &[&str] = &["Model", "Provider", "People", "Requests", "Failed", "Tokens", "First word", "Cost"];
    view! { <Figures label="Use by model" columns=COLUMNS words=2 rows=rows /> }.into_any()
}

/// A number and the thing that is counted.
fn counted(number: i64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

fn people_table(people: Vec<PersonUse>) -> AnyView {
    if people.is_empty() {
        return view! { <p>"Nobody asked a model yet."</p> }.into_any();
    }
    let who = |u: &PersonUse| match u.people {
        _ if !u.who.is_empty() => format!("@{}", u.who),
        1 => "1 guest".to_owned(),
        n => format!("{} guests", grouped(n)),
    };
    let rows = people
        .into_iter()
        .map(|u| {
            let cost = money::cost(u.cost_micros, u.local);
            vec![who(&u), grouped(u.calls), grouped(u.failed), grouped(u.tokens), cost]
        })
        .collect();
    const COLUMNS: &[&str] = &["Person", "Requests", "Failed", "Tokens", "Cost"];
    view! { <Figures label="Use by person" columns=COLUMNS words=1 rows=rows /> }.into_any()
}

fn days_table(days: Vec<DaySum>) -> AnyView {
    if days.is_empty() {
        return view! { <p>"Nothing yet."</p> }.into_any();
    }
    let rows = days
        .into_iter()
        .map(|d| {
            let cost = money::cost(d.cost_micros, d.local);
            vec![d.day, grouped(d.people), grouped(d.calls), grouped(d.failed), grouped(d.tokens), cost]
        })
        .collect();
    const COLUMNS: &[&str] = &["Day", "People", "Requests", "Failed", "Tokens", "Cost"];
    view! { <Figures label="Use by day" columns=COLUMNS words=1 rows=rows /> }.into_any()
}

fn fault_list(faults: Vec<Fault>) -> AnyView {
    if faults.is_empty() {
        return view! { <p>"No model failed."</p> }.into_any();
    }
    let what = |kind: &str| match kind {
        "summon" => "Summon",
        "try" => "Trial",
        _ => "Reply",
    };
    view! {
        <ul class="list settings-card" aria-label="Errors">
            {faults
                .into_iter()
                .map(|f| {
                    let error = if f.error.is_empty() { "No reason was kept.".to_owned() } else { f.error };
                    view! {
                        <li class="list-row">
                            <span class="grow">
                                <b>{what(&f.kind)}" by "{f.model}</b>
                                <span class="block">{error}</span>
                                <span class="meta block"><Time at=f.at /></span>
                            </span>
                        </li>
                    }
                })
                .collect_view()}
        </ul>
    }
    .into_any()
}

fn audit_list(audit: Vec<AuditLine>) -> AnyView {
    if audit.is_empty() {
        return view! { <p>"Nothing yet."</p> }.into_any();
    }
    view! {
        <ul class="list settings-card">
            {audit
                .into_iter()
                .map(|line| {
                    let who = if line.who.is_empty() { "Somebody who left".to_owned() } else { format!("@{}", line.who) };
                    view! {
                        <li class="list-row">
                            <span class="grow">
                                <b>{action_words(&line.action)}</b>
                                " "
                                {line.subject}
                                <span class="meta block">{who}", "<Time at=line.at /></span>
                            </span>
                        </li>
                    }
                })
                .collect_view()}
        </ul>
    }
    .into_any()
}

/// What an entry of the audit log means.
fn action_words(action: &str) -> String {
    match action {
        "home.feature" => "Put on the home page:",
        "home.unfeature" => "Took off the home page:",
        "accounts.suspend" => "Suspended",
        "accounts.reinstate" => "Reinstated",
        "first_admin" => "Became the first admin:",
        "models.add_provider" => "Added the provider",
        "models.change_provider" => "Changed the provider",
        "models.remove_provider" => "Removed the provider",
        "models.add_model" => "Added the model",
        "models.change_model" => "Changed the model",
        "models.remove_model" => "Removed the model",
        "models.set" | "trust.set" => "Set",
        "models.fetch_file" => "Fetched the model file",
        "models.discard_file" => "Discarded the model file",
        "models.delete_file" => "Deleted the model file",
        "jobs.retry" => "Retried the job",
        "jobs.cancel" => "Cancelled the job",
        "jobs.pause" => "Paused the queue",
        "jobs.resume" => "Resumed the queue",
        other => return other.replace(['.', '_'], " "),
    }
    .to_owned()
}

/// `/admin/models`
#[component]
pub fn ModelsAdminPage() -> impl IntoView {
    loaded(
        "/admin/models".to_owned(),
        |ctx| async move { store::models_page(&ctx).await },
        |page: ModelsPage| {
            let removed = saved("removed", "Removed.");
            let ModelsPage { providers, settings, files, fresh } = page;
            let options = model_options(&providers);
            view! {
                <AdminFrame here="/admin/models" title="Models">
                    <FormNote done=removed />
                    <p>
                        "Conversations are answered by " <b>{settings.answers.clone()}</b> ", summons are written by "
                        <b>{settings.summons.clone()}</b> "."
                    </p>
                    <div class="admin-head">
                        <h2>"Providers"</h2>
                        <a class="btn small" rel="external" href="/admin/models/provider/new">"Add a provider"</a>
                    </div>
                    {providers.into_iter().map(|p| view! { <ProviderCard provider=p /> }).collect_view()}
                    <FilesCard files=files fresh=fresh />
                    <DefaultsCard settings=settings.clone() options=options />
                    <BudgetsCard settings=settings.clone() />
                    <ReachCard settings=settings fresh=fresh />
                </AdminFrame>
            }
            .into_any()
        },
    )
}

/// What a select of models offers: id and name, those that cannot answer marked.
fn model_options(providers: &[ProviderView]) -> Vec<(String, String)> {
    providers
        .iter()
        .flat_map(|p| {
            p.models.iter().map(move |m| {
                let works = p.enabled && m.enabled && m.trouble.is_empty();
                (
                    m.id.to_string(),
                    format!("{}, by {}{}", m.name, p.name, if works { "" } else { " (cannot answer now)" }),
                )
            })
        })
        .collect()
}

#[component]
fn ProviderCard(
    /// Whom it shows.
    provider: ProviderView,
) -> impl IntoView {
    let p = provider;
    let key = match (p.kind, p.has_key, p.source.as_str()) {
        (Kind::Local, ..) => "No key and no network".to_owned(),
        (_, true, "environment") => "Key from the environment".to_owned(),
        (_, true, _) if p.last_four.is_empty() => "Key is set".to_owned(),
        (_, true, _) => format!("Key …{}", p.last_four),
        (_, false, _) => "No key".to_owned(),
    };
    let health = match p.health.as_str() {
        "well" => view! { <span class="tag good">"Answers"</span> }.into_any(),
        "failing" => view! { <span class="tag bad">"Fails"</span> }.into_any(),
        _ => ().into_any(),
    };
    let can_add = p.source == "admin";
    let page = format!("/admin/models/provider/{}", p.id);
    view! {
        <section class="card provider">
            <header>
                <h3>{p.name.clone()}</h3>
                {(!p.enabled).then(|| view! { <span class="tag">"Off"</span> })}
                {(p.source == "environment").then(|| view! { <span class="tag">"From the environment"</span> })}
                {health}
                <a class="quiet" rel="external" href=page aria-label=format!("Change {}", p.name)>"Change"</a>
            </header>
            <p class="meta">
                {p.kind.words()} " · " {key}
                {(!p.base_url.is_empty()).then(|| view! { " · " <code>{p.base_url.clone()}</code> })}
            </p>
            {(p.health == "failing").then(|| view! { <p class="note bad">{p.health_note.clone()} {p.health_at.clone().map(|at| view! { " (" <Time at=at /> ")" })}</p> })}
            {(!p.models.is_empty())
                .then(|| view! { <ul class="models">{p.models.into_iter().map(model_row).collect_view()}</ul> })}
            {can_add
                .then(|| {
                    view! {
                        <p class="row-actions">
                            <a class="btn ghost small" rel="external" href=format!("/admin/models/model/new?provider={}", p.id) aria-label=format!("Add a model of {}", p.name)>
                                "Add a model"
                            </a>
                        </p>
                    }
                })}
        </section>
    }
}

fn model_row(m: ModelView) -> impl IntoView {
    let abilities: Vec<&str> = [
        (m.tools, "tools"),
        (m.vision, "pictures"),
        (m.thinking, "thinks"),
        (m.prompt_cache, "cache"),
        (m.prefill, "continues"),
    ]
    .into_iter()
    .filter_map(|(can, word)| can.then_some(word))
    .collect();
    let price = |n: i64| crate::models::forms::shown_price(n);
    let priced = m.prices.prompt > 0 || m.prices.reply > 0;
    let facts = [
        format!("{} tokens of context", grouped(m.context.into())),
        abilities.join(", "),
        if priced {
            format!("${} in, ${} out per million", price(m.prices.prompt), price(m.prices.reply))
        } else {
            String::new()
        },
    ];
    let facts: Vec<String> = facts.into_iter().filter(|f| !f.is_empty()).collect();
    view! {
        <li>
            <a class="list-row" rel="external" href=format!("/admin/models/model/{}", m.id)>
                <span class="grow">
                    <b>{m.name}</b>
                    {(!m.enabled).then(|| view! { " " <span class="tag">"Off"</span> })}
                    <span class="meta block">{facts.join(" · ")}</span>
                    {(!m.trouble.is_empty()).then(|| view! { <span class="trouble block">{m.trouble.clone()}</span> })}
                </span>
                <Icon name=IconName::ChevronRight />
            </a>
        </li>
    }
}
