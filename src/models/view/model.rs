//! One model: its name, its shape, its prices, and a try.

use super::{frame::AdminFrame, list::ListCard, loaded, saved};
use crate::{
    ai::remote::Catalogue,
    error::AppError,
    models::{
        api::{DeleteModel, SaveModel},
        forms::shown_price,
        list,
        meter::grouped,
        store::{self, Kind, ModelView, ProviderView},
        try_it::{QUESTION, Trial},
    },
    ui::{Check, Form, FormNote, Submit, Sure, TextArea, TextInput},
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};
use serde::{Deserialize, Serialize};

/// What the page shows.
#[derive(Clone, Serialize, Deserialize)]
struct Shown {
    provider: ProviderView,
    model: Option<ModelView>,
    trial: Option<Trial>,
    /// For a new one: what the provider has, and what was chosen of it.
    list: Option<list::Shown>,
    chosen: Option<ModelView>,
}

/// `/admin/models/model/{id}`, with `new` as id and `?provider=` for another one.
#[component]
pub fn ModelPage() -> impl IntoView {
    let id = use_params_map().with_untracked(|p| p.get("id").unwrap_or_default());
    let asked = |name: &str| use_query_map().with_untracked(|q| q.get(name).unwrap_or_default());
    let (of, tried) = (asked("provider"), asked("tried"));
    let (kept, find, pick) = (asked("list"), asked("find"), asked("pick"));
    let here = format!("/admin/models/model/{id}");
    let fetch = move |ctx: crate::server::Ctx| {
        let (id, of, tried) = (id.clone(), of.clone(), tried.clone());
        let (kept, find, pick) = (kept.clone(), find.clone(), pick.clone());
        async move {
            let page = store::models_page(&ctx).await?;
            let found = |wanted: &dyn Fn(&ProviderView) -> bool| page.providers.iter().find(|p| wanted(p)).cloned();
            if id == "new" {
                let provider = found(&|p| p.id.to_string() == of && p.source == "admin").ok_or(AppError::NotFound)?;
                let found: Option<Catalogue> = store::kept_for_page(&ctx.app.db, &kept).await?;
                let picked = pick.parse().ok().and_then(|at: usize| found.as_ref()?.models.get(at));
                let chosen = picked.map(|m| list::begun(m, &provider));
                let list = found.as_ref().map(|f| list::Shown::of(f, &kept, find.trim(), &provider));
                return Ok(Shown { provider, model: None, trial: None, list, chosen });
            }
            let provider = found(&|p| p.models.iter().any(|m| m.id.to_string() == id)).ok_or(AppError::NotFound)?;
            let model = provider.models.iter().find(|m| m.id.to_string() == id).cloned();
            let trial = store::kept_for_page(&ctx.app.db, &tried).await?;
            Ok(Shown { provider, model, trial, list: None, chosen: None })
        }
    };
    loaded(here, fetch, |Shown { provider, model, trial, list, chosen }: Shown| {
        let title = model.as_ref().map_or_else(|| format!("A new model of {}", provider.name), |m| m.name.clone());
        let trouble = model.as_ref().map(|m| m.trouble.clone()).unwrap_or_default();
        let tryable = model.as_ref().filter(|m| m.trouble.is_empty()).map(|m| m.id.to_string());
        view! {
            <AdminFrame here="/admin/models" title=title>
                <p class="row-actions">
                    <a class="quiet" rel="external" href="/admin/models">"All models"</a>
                    <a class="quiet" rel="external" href=format!("/admin/models/provider/{}", provider.id)>{provider.name.clone()}</a>
                </p>
                {(!trouble.is_empty()).then(|| view! { <p class="note bad">{trouble.clone()}</p> })}
                {tryable.map(|id| view! { <TryCard id=id trial=trial /> })}
                {model.is_none().then(|| view! { <ListCard provider=provider.clone() list=list /> })}
                {form(provider, model, chosen)}
            </AdminFrame>
        }
        .into_any()
    })
}

/// Asks the model something. With scripts the words appear as they come (`public/try.js`).
#[component]
fn TryCard(
    /// The model.
    id: String,
    /// What came of it, when the page was sent again for it.
    trial: Option<Trial>,
) -> impl IntoView {
    let prompt = trial.as_ref().map_or_else(|| QUESTION.to_owned(), |t| t.prompt.clone());
    view! {
        <section class="card settings-card" id="try">
            <h2>"Try it"</h2>
            <form method="post" action=format!("/admin/models/model/{id}/try") class="form" data-try="">
                <TextArea name="prompt" label="Ask it something" value=prompt rows=2 max=2000 />
                <button type="submit" class="btn">"Ask"</button>
            </form>
            <div class="trial" data-trial="" aria-live="polite">{trial.map(trial_view)}</div>
            <script src="/try.js" defer nonce=leptos::nonce::use_nonce()></script>
        </section>
    }
}

fn trial_view(t: Trial) -> impl IntoView {
    view! {
        {(!t.text.is_empty()).then(|| view! { <p class="voice trial-text">{t.text.clone()}</p> })}
        {(!t.error.is_empty()).then(|| view! { <p class="note bad">{t.error.clone()}</p> })}
        <p class="meta">{figures(&t)}</p>
    }
}

/// How fast it was, in words; `public/try.js` says the same.
fn figures(t: &Trial) -> String {
    let mut out = Vec::new();
    out.extend(t.first_token_ms.map(|ms| format!("first word after {ms} ms")));
    out.extend(t.tokens_per_second.map(|n| format!("{n:.1} tokens per second")));
    if t.reply_tokens > 0 {
        out.push(format!("{} tokens read, {} written", grouped(t.prompt_tokens), grouped(t.reply_tokens)));
    }
    out.extend((!t.cost.is_empty()).then(|| t.cost.clone()));
    out.join(" · ")
}

/// The form of a model, or of a new one that begins with what was `chosen` of the provider's list.
fn form(provider: ProviderView, model: Option<ModelView>, chosen: Option<ModelView>) -> impl IntoView {
    let save = ServerAction::<SaveModel>::new();
    let delete = ServerAction::<DeleteModel>::new();
    let done = saved("model", "Saved.");
    let is_new = model.is_none();
    let is_local = provider.kind == Kind::Local;
    let from_environment = provider.source == "environment";
    let id = model.as_ref().map(|m| m.id.to_string()).unwrap_or_default();
    let enabled = model.as_ref().is_none_or(|m| m.enabled);
    let can_go = !is_new && !is_local;
    let gone = id.clone();
    let is_chosen = chosen.is_some();
    let m = model.clone().or(chosen);
    let number =
        |f: fn(&ModelView) -> i32, otherwise: &str| m.as_ref().map_or(otherwise.to_owned(), |m| f(m).to_string());
    let price = |f: fn(&ModelView) -> i64| m.as_ref().map(|m| shown_price(f(m))).unwrap_or_default();
    let can = |f: fn(&ModelView) -> bool, otherwise: bool| m.as_ref().map_or(otherwise, f);
    let anthropic = provider.kind == Kind::Anthropic;
    let fields = (!is_local).then(|| {
        view! {
            <TextInput name="form[remote_name]" label="Name at the provider" value=m.as_ref().map(|m| m.remote_name.clone()).unwrap_or_default()
                required=true max=200 hint=if from_environment { "Named by the environment." } else { "Exactly as the provider writes it." } />
            <TextInput name="form[name]" label="Name shown to people" value=m.as_ref().map(|m| m.name.clone()).unwrap_or_default() max=80
                hint="Empty takes the provider's name for it." />
            <div class="columns">
                <TextInput name="form[context_tokens]" label="Context, tokens" value=number(|m| m.context, if anthropic { "200000" } else { "32768" }) required=true max=12 />
                <TextInput name="form[max_output_tokens]" label="Longest reply, tokens" value=number(|m| m.max_output, "4096") required=true max=12 />
            </div>
            <fieldset>
                <legend>"It can"</legend>
                <Check name="form[tools]" label="Use tools" checked=can(|m| m.tools, anthropic) />
                <Check name="form[vision]" label="See pictures" checked=can(|m| m.vision, false) />
                <Check name="form[thinking]" label="Reasoning" checked=can(|m| m.thinking, false) />
                <Check name="form[prompt_cache]" label="Prompt caching" checked=can(|m| m.prompt_cache, anthropic) />
                <Check name="form[prefill]" label="Prefill" checked=can(|m| m.prefill, false) />
            </fieldset>
            <fieldset>
                <legend>"Prices"</legend>
                <p class="hint">"US dollars per million tokens. For the account only: nobody is charged here."</p>
                <div class="columns">
                    <TextInput name="form[prompt_price]" label="Read" value=price(|m| m.prices.prompt) max=14 placeholder="0" />
                    <TextInput name="form[cached_price]" label="Read from the cache" value=price(|m| m.prices.cached) max=14 placeholder="0" />
                    <TextInput name="form[cache_write_price]" label="Written to the cache" value=price(|m| m.prices.cache_write) max=14 placeholder="0" />
                    <TextInput name="form[reply_price]" label="Written" value=price(|m| m.prices.reply) max=14 placeholder="0" />
                </div>
            </fieldset>
            <TextInput name="form[sort]" label="Sort order" value=number(|m| m.sort, "0") max=5 hint="The smallest comes first." />
        }
    });
    view! {
        <div class="card settings-card" id="model">
            <h2>{if is_new { "The model" } else { "Change it" }}</h2>
            {is_chosen.then(|| view! { <p class="note good">"Filled in from the list. Look through it, and type what the list does not tell."</p> })}
            <Form action=save>
                <FormNote done=done />
                <input type="hidden" name="form[id]" value=id.clone() />
                <input type="hidden" name="form[provider]" value=provider.id.to_string() />
                {fields}
                {is_local.then(|| view! { <p>"Its file is chosen "<a class="link" rel="external" href="/admin/models#files">"on the page about models"</a>"."</p> })}
                <Check name="form[enabled]" label="Available to users" checked=enabled />
                <Submit label=if is_new { "Add the model" } else { "Save" } />
            </Form>
            {can_go
                .then(|| {
                    view! {
                        <Sure
                            label="Remove"
                            warning="Conversations that chose it get the default."
                        >
                            <Form action=delete>
                                <FormNote />
                                <input type="hidden" name="id" value=gone />
                                <Submit label="Remove the model" class="danger small" />
                            </Form>
                        </Sure>
                    }
                })}
        </div>
    }
}
