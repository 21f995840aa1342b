//! The models of providers: what they can do and what they cost.

use super::providers::providers;
use crate::{
    error::{AppError, AppResult, OnConstraint},
    ids::{ModelId, ProviderId},
    models::{
        environment::EnvProvider,
        forms::ModelForm,
        registry::Loaded,
        store::{Kind, Prices},
    },
    server::{Ctx, Tx, audit},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

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

/// All models in the order of lists, with what is known of those that are loaded.
pub(super) async fn models(tx: &mut Tx, loaded: &Loaded) -> AppResult<Vec<ModelView>> {
    let rows = sqlx::query!(
        "select model_id, provider_id, remote_name, name, tools, vision, thinking, prompt_cache, prefill, context_tokens,
             max_output_tokens, prompt_price, cached_price, cache_write_price, reply_price, enabled, sort
         from models order by sort, name, model_id"
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows
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
        .collect())
}

/// Adds or changes a model.
///
/// # Errors
/// As [`admin`](super::admin); `ConfirmPassword`; `Invalid` or `Conflict` with the field.
pub async fn save_model(ctx: &Ctx, form: &ModelForm) -> AppResult<ModelId> {
    ctx.require_admin_change()?;
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
        return switch_model(ctx, tx, &before.ok_or(AppError::NotFound)?, form.enabled).await;
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
    audit(&mut tx, action, &checked.name, change).await?;
    tx.commit().await?;
    ctx.app.models.forget();
    Ok(id)
}

/// The model of this machine is what its file says; only whether it may be chosen is for admins to say.
async fn switch_model(ctx: &Ctx, mut tx: Tx, before: &ModelView, enabled: bool) -> AppResult<ModelId> {
    sqlx::query!("update models set enabled = $2 where model_id = $1", before.id.0, enabled).execute(&mut *tx).await?;
    let change = json!({"before": {"enabled": before.enabled}, "after": {"enabled": enabled}});
    audit(&mut tx, "models.change_model", &before.name, change).await?;
    tx.commit().await?;
    ctx.app.models.forget();
    Ok(before.id)
}

/// Removes a model. Conversations that chose it get the default.
///
/// # Errors
/// As [`admin`](super::admin); `ConfirmPassword`; `Invalid` for what is there by itself.
pub async fn delete_model(ctx: &Ctx, id: &str) -> AppResult<ProviderId> {
    ctx.require_admin_change()?;
    let id: ModelId = id.trim().parse().map_err(|_| AppError::NotFound)?;
    let mut tx = ctx.begin().await?;
    let found = providers(ctx, &mut tx).await?;
    let provider = found.iter().find(|p| p.models.iter().any(|m| m.id == id)).ok_or(AppError::NotFound)?;
    let model = provider.models.iter().find(|m| m.id == id).ok_or(AppError::NotFound)?;
    let named = |p: &EnvProvider| p.models.contains(&model.remote_name);
    if provider.source == "built_in" || ctx.app.models.environment().get(provider.id).is_some_and(named) {
        return Err(AppError::invalid("", "This model would come back by itself. Switch it off instead."));
    }
    sqlx::query!("delete from models where model_id = $1", id.0).execute(&mut *tx).await?;
    let gone = json!({"provider": provider.name, "before": {"remote_name": model.remote_name}});
    audit(&mut tx, "models.remove_model", &model.name, gone).await?;
    tx.commit().await?;
    ctx.app.models.forget();
    Ok(provider.id)
}
