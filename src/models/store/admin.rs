//! What admins read and write: providers, models, what is set. Under their own identity, so that the wall judges, too.

use super::{Kind, ModelUse, Prices, audit, use_of_all};
use crate::{
    ai::remote::check_url,
    error::{AppError, AppResult, OnConstraint},
    ids::{ModelId, ProviderId, Stamp},
    models::{
        environment,
        forms::{self, BudgetsForm, DefaultsForm, ModelForm, ProviderForm, ReachForm},
        registry::sentence,
        settings::{self, Settings},
    },
    server::{Ctx, Tx, Viewer},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

/// A provider on the admin's pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderView {
    /// Its id.
    pub id: ProviderId,
    /// What it speaks.
    pub kind: Kind,
    /// As people read it.
    pub name: String,
    /// Where its API is.
    pub base_url: String,
    /// `built_in`, `environment` or `admin`.
    pub source: String,
    /// It has a key of its own.
    pub has_key: bool,
    /// The key's last four characters.
    pub last_four: String,
    /// It may be used.
    pub enabled: bool,
    /// `unknown`, `well` or `failing`.
    pub health: String,
    /// What the last failed call was told.
    pub health_note: String,
    /// When it was asked last.
    pub health_at: Option<Stamp>,
    /// Its models in the order of lists.
    pub models: Vec<ModelView>,
}

/// A model on the admin's pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelView {
    /// Its id.
    pub id: ModelId,
    /// Whose it is.
    pub provider_id: ProviderId,
    /// What the provider calls it.
    pub remote_name: String,
    /// What people choose by.
    pub name: String,
    /// It can use tools.
    pub tools: bool,
    /// It can see pictures.
    pub vision: bool,
    /// It thinks before it speaks.
    pub thinking: bool,
    /// What it has read can be kept.
    pub prompt_cache: bool,
    /// It goes on from words put into its mouth.
    pub prefill: bool,
    /// Prompt and reply together, in tokens.
    pub context: i32,
    /// Longest reply, in tokens.
    pub max_output: i32,
    /// What it costs.
    pub prices: Prices,
    /// It may be chosen.
    pub enabled: bool,
    /// Place in lists.
    pub sort: i32,
    /// Why it cannot be asked; empty when it can.
    pub trouble: String,
}

/// What is set, for the forms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsView {
    /// In conversations without a choice.
    pub chat_model: Option<ModelId>,
    /// In summons.
    pub summon_model: Option<ModelId>,
    /// In this order.
    pub fallbacks: Vec<ModelId>,
    /// People may use keys of their own.
    pub own_keys: bool,
    /// Hosts inside the network that providers may have.
    pub local_hosts: Vec<String>,
    /// Tokens per day: newcomers, creators, realm builders.
    pub budgets: [Option<i64>; 3],
    /// The model of this machine counts, too.
    pub count_local: bool,
    /// Who answers now where nothing was chosen.
    pub answers: String,
    /// Who writes summons now.
    pub summons: String,
}

/// Everything on the page about models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelsPage {
    /// This machine first, then by name.
    pub providers: Vec<ProviderView>,
    /// What is set.
    pub settings: SettingsView,
    /// The local model's files.
    pub files: Vec<crate::models::gguf::ModelFile>,
    /// Whether the password was typed within the last five minutes.
    pub fresh: bool,
}

/// The front page of the admin's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// People with an account.
    pub people: i64,
    /// Characters.
    pub ocs: i64,
    /// Replies of the last seven days.
    pub replies: i64,
    /// Use of the last seven days by model.
    pub week: Vec<ModelUse>,
    /// What admins did last.
    pub audit: Vec<AuditLine>,
}

/// A line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLine {
    /// When.
    pub at: Stamp,
    /// Who; empty for an account that is gone.
    pub who: String,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
}

/// The viewer, who must be an admin.
///
/// # Errors
/// `SignInRequired`; `NotFound` for everybody else.
pub fn admin(ctx: &Ctx) -> AppResult<&Viewer> {
    let viewer = ctx.require()?;
    viewer.require_admin()?;
    Ok(viewer)
}

/// As [`admin`], for a change.
fn admin_write(ctx: &Ctx) -> AppResult<&Viewer> {
    let viewer = ctx.require_write()?;
    viewer.require_admin()?;
    Ok(viewer)
}

/// The front page of the admin's part.
///
/// # Errors
/// As [`admin`].
pub async fn overview(ctx: &Ctx) -> AppResult<Overview> {
    admin(ctx)?;
    let mut tx = ctx.app.db.system().await?;
    let counts = sqlx::query!(
        r#"select (select count(*) from users) as "people!", (select count(*) from ocs) as "ocs!",
               (select count(*) from runs where created_at > now() - interval '7 days' and status = 'done') as "replies!""#
    )
    .fetch_one(&mut *tx)
    .await?;
    drop(tx);
    let mut tx = ctx.begin().await?;
    let week = use_of_all(&mut tx).await?;
    let audit = sqlx::query!(
        r#"select a.created_at, coalesce(p.username, '') as "who!", a.action, a.subject
           from audit_log a left join profiles p on p.user_id = a.actor_id
           order by a.created_at desc, a.audit_id desc limit 20"#
    )
    .fetch_all(&mut *tx)
    .await?;
    let audit = audit
        .into_iter()
        .map(|r| AuditLine { at: r.created_at.into(), who: r.who, action: r.action, subject: r.subject })
        .collect();
    Ok(Overview { people: counts.people, ocs: counts.ocs, replies: counts.replies, week, audit })
}

/// Everything on the page about models.
///
/// # Errors
/// As [`admin`].
pub async fn models_page(ctx: &Ctx) -> AppResult<ModelsPage> {
    let viewer = admin(ctx)?;
    let loaded = ctx.app.models.current().await?;
    let mut tx = ctx.begin().await?;
    let providers = providers(ctx, &mut tx).await?;
    drop(tx);
    let first = |found: AppResult<Vec<crate::models::registry::Candidate>>| match found {
        Ok(order) => order.first().map(crate::models::registry::Candidate::label).unwrap_or_default(),
        Err(error) => error.to_string(),
    };
    let set = &loaded.settings;
    let settings = SettingsView {
        chat_model: set.chat_model,
        summon_model: set.summon_model,
        fallbacks: set.fallbacks.clone(),
        own_keys: set.own_keys,
        local_hosts: set.local_hosts.clone(),
        budgets: [set.budgets.explorer, set.budgets.creator, set.budgets.realm_builder],
        count_local: set.count_local,
        answers: first(ctx.app.models.for_new_conversation().await),
        summons: first(ctx.app.models.for_summon().await),
    };
    let files = crate::models::gguf::files(&ctx.app.config).await;
    Ok(ModelsPage { providers, settings, files, fresh: viewer.is_fresh() })
}

async fn providers(ctx: &Ctx, tx: &mut Tx) -> AppResult<Vec<ProviderView>> {
    let loaded = ctx.app.models.current().await?;
    let rows = sqlx::query!(
        "select provider_id, kind, name, base_url, source, master_key_id, key_last_four, enabled, health, health_note, health_at
         from providers order by source <> 'built_in', lower(name)"
    )
    .fetch_all(&mut **tx)
    .await?;
    let models = sqlx::query!(
        "select model_id, provider_id, remote_name, name, tools, vision, thinking, prompt_cache, prefill, context_tokens,
             max_output_tokens, prompt_price, cached_price, cache_write_price, reply_price, enabled, sort
         from models order by sort, name, model_id"
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut models: Vec<ModelView> = models
        .into_iter()
        .map(|r| {
            let id = ModelId(r.model_id);
            let entry = loaded.get(id);
            let trouble = entry.and_then(|e| e.model.as_ref().err().cloned()).unwrap_or_default();
            // The local model says itself what it is, once it is loaded.
            let local = entry.filter(|e| e.kind == Kind::Local).and_then(|e| e.model.as_ref().ok()).map(|m| m.info());
            ModelView {
                id,
                provider_id: ProviderId(r.provider_id),
                remote_name: r.remote_name,
                name: local.as_ref().map_or(r.name, |i| i.name.clone()),
                tools: r.tools,
                vision: r.vision,
                thinking: r.thinking,
                prompt_cache: r.prompt_cache,
                prefill: r.prefill,
                context: local.map_or(r.context_tokens, |i| i32::try_from(i.context).unwrap_or(i32::MAX)),
                max_output: r.max_output_tokens,
                prices: Prices {
                    prompt: r.prompt_price,
                    cached: r.cached_price,
                    cache_write: r.cache_write_price,
                    reply: r.reply_price,
                },
                enabled: r.enabled,
                sort: r.sort,
                trouble,
            }
        })
        .collect();
    Ok(rows
        .into_iter()
        .map(|r| {
            let id = ProviderId(r.provider_id);
            let (own, rest) = models.drain(..).partition(|m| m.provider_id == id);
            models = rest;
            let named = ctx.app.models.environment().get(id);
            ProviderView {
                id,
                kind: Kind::parse(&r.kind).unwrap_or(Kind::OpenAi),
                name: r.name,
                base_url: r.base_url,
                has_key: r.master_key_id.is_some() || named.is_some_and(|p| p.key.is_some()),
                last_four: r.key_last_four.unwrap_or_default(),
                source: r.source,
                enabled: r.enabled,
                health: r.health,
                health_note: r.health_note,
                health_at: r.health_at.map(Stamp::from),
                models: own,
            }
        })
        .collect())
}

/// One provider.
///
/// # Errors
/// `NotFound`; as [`admin`].
pub async fn provider(ctx: &Ctx, id: ProviderId) -> AppResult<ProviderView> {
    admin(ctx)?;
    let mut tx = ctx.begin().await?;
    providers(ctx, &mut tx).await?.into_iter().find(|p| p.id == id).ok_or(AppError::NotFound)
}

/// Whether two addresses lead to the same host and port over the same protocol.
fn same_origin(a: &str, b: &Url) -> bool {
    Url::parse(a).is_ok_and(|a| a.origin() == b.origin())
}

/// Adds or changes a provider. The password must be fresh, since an address decides where keys go.
///
/// # Errors
/// As [`admin`]; `ConfirmPassword`; `Invalid` or `Conflict` with the field.
pub async fn save_provider(ctx: &Ctx, form: &ProviderForm) -> AppResult<ProviderId> {
    let viewer = admin_write(ctx)?;
    viewer.require_fresh()?;
    let before = match form.id.trim() {
        "" => None,
        id => Some(provider(ctx, id.parse().map_err(|_| AppError::NotFound)?).await?),
    };
    if let Some(before) = before.as_ref().filter(|b| b.source != "admin") {
        return switch_provider(ctx, viewer, before, form.enabled).await;
    }
    let checked = form.check()?;
    let outgoing = ctx.app.models.outgoing().await?;
    let url =
        check_url(&checked.base_url, &outgoing).map_err(|e| AppError::invalid("base_url", sentence(&e.to_string())))?;
    let id = before.as_ref().map_or_else(ProviderId::new, |b| b.id);
    let keeps_key = before.as_ref().is_some_and(|b| b.has_key) && checked.key.is_none() && !form.forget_key;
    if keeps_key && before.as_ref().is_some_and(|b| !same_origin(&b.base_url, &url)) {
        return Err(AppError::invalid(
            "secret_key",
            "The address leads to another host now. Please enter the key for it, so that the old one is not sent there.",
        ));
    }
    let mut tx = ctx.begin().await?;
    let taken = || AppError::conflict("name", "There is a provider with this name already.");
    let base_url = url.as_str().trim_end_matches('/');
    match &before {
        None => {
            sqlx::query!(
                "insert into providers (provider_id, kind, name, base_url, enabled) values ($1, $2, $3, $4, $5)",
                id.0,
                checked.kind.as_str(),
                checked.name,
                base_url,
                form.enabled
            )
            .execute(&mut *tx)
            .await
            .on_constraint("providers_name_key", taken)?;
        }
        Some(_) => {
            sqlx::query!(
                "update providers set kind = $2, name = $3, base_url = $4, enabled = $5, health = 'unknown', health_note = ''
                 where provider_id = $1",
                id.0,
                checked.kind.as_str(),
                checked.name,
                base_url,
                form.enabled
            )
            .execute(&mut *tx)
            .await
            .on_constraint("providers_name_key", taken)?;
        }
    }
    let key = if let Some(key) = checked.key {
        let four = forms::last_four(&key);
        let envelope = ctx.app.vault.seal("providers", id.0, &SecretString::from(key)).map_err(|error| {
            tracing::error!(%error, "a provider's key could not be sealed");
            AppError::Internal
        })?;
        sqlx::query!(
            "update providers set sealed_key = $2, wrapped_key = $3, master_key_id = $4, key_last_four = $5 where provider_id = $1",
            id.0,
            envelope.sealed,
            envelope.wrapped,
            envelope.key_id,
            four
        )
        .execute(&mut *tx)
        .await?;
        "set"
    } else if form.forget_key {
        sqlx::query!(
            "update providers set sealed_key = null, wrapped_key = null, master_key_id = null, key_last_four = null where provider_id = $1",
            id.0
        )
        .execute(&mut *tx)
        .await?;
        "forgotten"
    } else {
        "kept"
    };
    let action = if before.is_some() { "models.change_provider" } else { "models.add_provider" };
    let change = json!({
        "before": before.map(|b| json!({"kind": b.kind, "name": b.name, "base_url": b.base_url, "enabled": b.enabled})),
        "after": {"kind": checked.kind, "name": checked.name, "base_url": base_url, "enabled": form.enabled},
        "key": key,
    });
    audit(&mut tx, viewer.id, action, &checked.name, change).await?;
    tx.commit().await?;
    ctx.app.models.forget();
    Ok(id)
}

/// Of this machine and of the environment only whether they may be used is for admins to say.
async fn switch_provider(ctx: &Ctx, viewer: &Viewer, before: &ProviderView, enabled: bool) -> AppResult<ProviderId> {
    let mut tx = ctx.begin().await?;
    sqlx::query!("update providers set enabled = $2 where provider_id = $1", before.id.0, enabled)
        .execute(&mut *tx)
        .await?;
    let change = json!({"before": {"enabled": before.enabled}, "after": {"enabled": enabled}});
    audit(&mut tx, viewer.id, "models.change_provider", &before.name, change).await?;
    tx.commit().await?;
    ctx.app.models.forget();
    Ok(before.id)
}

/// Removes a provider with its models and its key.
///
/// # Errors
/// As [`admin`]; `ConfirmPassword`; `Invalid` for what is there by itself.
pub async fn delete_provider(ctx: &Ctx, id: &str) -> AppResult<()> {
    let viewer = admin_write(ctx)?;
    viewer.require_fresh()?;
    let before = provider(ctx, id.trim().parse().map_err(|_| AppError::NotFound)?).await?;
    if before.source == "built_in" {
        return Err(AppError::invalid("", "The model of this machine cannot be removed. Switch it off instead."));
    }
    if ctx.app.models.environment().get(before.id).is_some() {
        return Err(AppError::invalid(
            "",
            "The environment names this provider; it would come back. Switch it off instead.",
        ));
    }
    let mut tx = ctx.begin().await?;
    sqlx::query!("delete from providers where provider_id = $1", before.id.0).execute(&mut *tx).await?;
    let gone = json!({"before": {"kind": before.kind, "base_url": before.base_url, "models": before.models.len()}});
    audit(&mut tx, viewer.id, "models.remove_provider", &before.name, gone).await?;
    tx.commit().await?;
    ctx.app.models.forget();
    Ok(())
}

/// Adds or changes a model.
///
/// # Errors
/// As [`admin`]; `Invalid` or `Conflict` with the field.
pub async fn save_model(ctx: &Ctx, form: &ModelForm) -> AppResult<ModelId> {
    let viewer = admin_write(ctx)?;
    let mut tx = ctx.begin().await?;
    let found = providers(ctx, &mut tx).await?;
    let before = match form.id.trim() {
        "" => None,
        id => {
            let id: ModelId = id.parse().map_err(|_| AppError::NotFound)?;
            Some(found.iter().flat_map(|p| &p.models).find(|m| m.id == id).cloned().ok_or(AppError::NotFound)?)
        }
    };
    let provider = match &before {
        Some(before) => before.provider_id,
        None => form.provider.trim().parse().map_err(|_| AppError::NotFound)?,
    };
    let provider = found.iter().find(|p| p.id == provider).ok_or(AppError::NotFound)?;
    if provider.source == "built_in" {
        let before = before.ok_or(AppError::NotFound)?;
        sqlx::query!("update models set enabled = $2 where model_id = $1", before.id.0, form.enabled)
            .execute(&mut *tx)
            .await?;
        let change = json!({"before": {"enabled": before.enabled}, "after": {"enabled": form.enabled}});
        audit(&mut tx, viewer.id, "models.change_model", &before.name, change).await?;
        tx.commit().await?;
        ctx.app.models.forget();
        return Ok(before.id);
    }
    if provider.source == "environment" && before.is_none() {
        return Err(AppError::invalid("remote_name", "Models of this provider are named in the environment."));
    }
    let checked = form.check()?;
    if provider.source == "environment" && before.as_ref().is_some_and(|b| b.remote_name != checked.remote_name) {
        return Err(AppError::invalid("remote_name", "This name stands in the environment; change it there."));
    }
    let id = before.as_ref().map_or_else(ModelId::new, |b| b.id);
    let prices = checked.prices;
    sqlx::query!(
        "insert into models (model_id, provider_id, remote_name, name, tools, vision, thinking, prompt_cache, prefill, context_tokens,
             max_output_tokens, prompt_price, cached_price, cache_write_price, reply_price, enabled, sort)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
         on conflict (model_id) do update set remote_name = $3, name = $4, tools = $5, vision = $6, thinking = $7,
             prompt_cache = $8, prefill = $9, context_tokens = $10, max_output_tokens = $11, prompt_price = $12,
             cached_price = $13, cache_write_price = $14, reply_price = $15, enabled = $16, sort = $17",
        id.0,
        provider.id.0,
        checked.remote_name,
        checked.name,
        form.tools,
        form.vision,
        form.thinking,
        form.prompt_cache,
        form.prefill,
        checked.context,
        checked.max_output,
        prices.prompt,
        prices.cached,
        prices.cache_write,
        prices.reply,
        form.enabled,
        checked.sort
    )
    .execute(&mut *tx)
    .await
    .on_constraint("models_remote_name_key", || {
        AppError::conflict("remote_name", "This provider has a model with this name already.")
    })?;
    let action = if before.is_some() { "models.change_model" } else { "models.add_model" };
    let after = json!({
        "remote_name": checked.remote_name, "name": checked.name, "context": checked.context,
        "max_output": checked.max_output, "prices": prices, "enabled": form.enabled,
    });
    let change = json!({
        "provider": provider.name,
        "before": before.map(|b| json!({
            "remote_name": b.remote_name, "name": b.name, "context": b.context, "max_output": b.max_output,
            "prices": b.prices, "enabled": b.enabled,
        })),
        "after": after,
    });
    audit(&mut tx, viewer.id, action, &checked.name, change).await?;
    tx.commit().await?;
    ctx.app.models.forget();
    Ok(id)
}

/// Removes a model. Conversations that chose it get the default.
///
/// # Errors
/// As [`admin`]; `Invalid` for what is there by itself.
pub async fn delete_model(ctx: &Ctx, id: &str) -> AppResult<ProviderId> {
    let viewer = admin_write(ctx)?;
    let id: ModelId = id.trim().parse().map_err(|_| AppError::NotFound)?;
    let mut tx = ctx.begin().await?;
    let found = providers(ctx, &mut tx).await?;
    let provider = found.iter().find(|p| p.models.iter().any(|m| m.id == id)).ok_or(AppError::NotFound)?;
    let model = provider.models.iter().find(|m| m.id == id).ok_or(AppError::NotFound)?;
    let named = |p: &environment::EnvProvider| p.models.contains(&model.remote_name);
    if provider.source == "built_in" || ctx.app.models.environment().get(provider.id).is_some_and(named) {
        return Err(AppError::invalid("", "This model would come back by itself. Switch it off instead."));
    }
    sqlx::query!("delete from models where model_id = $1", id.0).execute(&mut *tx).await?;
    let gone = json!({"provider": provider.name, "before": {"remote_name": model.remote_name}});
    audit(&mut tx, viewer.id, "models.remove_model", &model.name, gone).await?;
    tx.commit().await?;
    ctx.app.models.forget();
    Ok(provider.id)
}

/// Writes settings that differ, each with a line in the audit log.
async fn write_settings(ctx: &Ctx, viewer: &Viewer, keys: &[&str], after: &Settings) -> AppResult<()> {
    let before = ctx.app.models.current().await?.settings.clone();
    let mut tx = ctx.begin().await?;
    for key in keys {
        let (old, new) = (before.value(key), after.value(key));
        if old == new {
            continue;
        }
        sqlx::query!(
            "insert into system_config (key, value, updated_by) values ($1, $2, $3)
             on conflict (key) do update set value = $2, updated_by = $3",
            key,
            new,
            viewer.id.0
        )
        .execute(&mut *tx)
        .await?;
        audit(&mut tx, viewer.id, "models.set", key, json!({"before": old, "after": new})).await?;
    }
    tx.commit().await?;
    ctx.app.models.forget();
    Ok(())
}

/// Sets which models answer.
///
/// # Errors
/// As [`admin`]; `Invalid` with the field.
pub async fn save_defaults(ctx: &Ctx, form: &DefaultsForm) -> AppResult<()> {
    let viewer = admin_write(ctx)?;
    let set = form.check()?;
    let loaded = ctx.app.models.current().await?;
    let known = |field: &str, id: Option<ModelId>| match id {
        Some(id) if loaded.get(id).is_none() => Err(AppError::invalid(field, "This model is not there any more.")),
        _ => Ok(()),
    };
    known("chat_model", set.chat)?;
    known("summon_model", set.summon)?;
    for (i, id) in set.fallbacks.iter().enumerate() {
        known(&format!("fallback_{}", i + 1), Some(*id))?;
    }
    let after = Settings {
        chat_model: set.chat,
        summon_model: set.summon,
        fallbacks: set.fallbacks,
        ..loaded.settings.clone()
    };
    write_settings(ctx, viewer, &[settings::CHAT, settings::SUMMON, settings::FALLBACKS], &after).await
}

/// Sets the daily budgets.
///
/// # Errors
/// As [`admin`]; `Invalid` with the field.
pub async fn save_budgets(ctx: &Ctx, form: &BudgetsForm) -> AppResult<()> {
    let viewer = admin_write(ctx)?;
    let (budgets, count_local) = form.check()?;
    let loaded = ctx.app.models.current().await?;
    let after = Settings { budgets, count_local, ..loaded.settings.clone() };
    write_settings(ctx, viewer, &[settings::BUDGETS, settings::COUNT_LOCAL], &after).await
}

/// Sets whether people may use keys of their own, and which hosts of the network may be reached. The password must be
/// fresh, since a listed host is a door into the network.
///
/// # Errors
/// As [`admin`]; `ConfirmPassword`; `Invalid` with the field.
pub async fn save_reach(ctx: &Ctx, form: &ReachForm) -> AppResult<()> {
    let viewer = admin_write(ctx)?;
    viewer.require_fresh()?;
    let (own_keys, local_hosts) = form.check()?;
    let loaded = ctx.app.models.current().await?;
    let after = Settings { own_keys, local_hosts, ..loaded.settings.clone() };
    write_settings(ctx, viewer, &[settings::OWN_KEYS, settings::LOCAL_HOSTS], &after).await
}
