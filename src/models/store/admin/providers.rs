//! Providers, with their keys.

use super::{ModelView, admin, catalogue};
use crate::{
    ai::remote::check_url,
    error::{AppError, AppResult, OnConstraint},
    ids::{ProviderId, Stamp},
    models::{
        forms::{self, ProviderForm},
        registry::sentence,
        store::Kind,
    },
    server::{Ctx, Tx, audit},
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

/// All of them with their models: this machine first, then by name.
pub(super) async fn providers(ctx: &Ctx, tx: &mut Tx) -> AppResult<Vec<ProviderView>> {
    let loaded = ctx.app.models.current().await?;
    let rows = sqlx::query!(
        "select provider_id, kind, name, base_url, source, master_key_id, key_last_four, enabled, health, health_note, health_at
         from providers order by source <> 'built_in', lower(name)"
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut models = catalogue::models(tx, &loaded).await?;
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
/// As [`admin`](super::admin); `ConfirmPassword`; `Invalid` or `Conflict` with the field.
pub async fn save_provider(ctx: &Ctx, form: &ProviderForm) -> AppResult<ProviderId> {
    ctx.require_admin_change()?;
    let before = match form.id.trim() {
        "" => None,
        id => Some(provider(ctx, id.parse().map_err(|_| AppError::NotFound)?).await?),
    };
    if let Some(before) = before.as_ref().filter(|b| b.source != "admin") {
        return switch_provider(ctx, before, form.enabled).await;
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
    let base_url = url.as_str().trim_end_matches('/');
    sqlx::query!(
        "insert into providers (provider_id, kind, name, base_url, enabled) values ($1, $2, $3, $4, $5)
         on conflict (provider_id) do update set kind = $2, name = $3, base_url = $4, enabled = $5, health = 'unknown', health_note = ''",
        id.0,
        checked.kind.as_str(),
        checked.name,
        base_url,
        form.enabled
    )
    .execute(&mut *tx)
    .await
    .on_constraint("providers_name_key", || AppError::conflict("name", "There is a provider with this name already."))?;
    let key = write_key(ctx, &mut tx, id, checked.key, form.forget_key).await?;
    let action = if before.is_some() { "models.change_provider" } else { "models.add_provider" };
    let change = json!({
        "before": before.map(|b| json!({"kind": b.kind, "name": b.name, "base_url": b.base_url, "enabled": b.enabled})),
        "after": {"kind": checked.kind, "name": checked.name, "base_url": base_url, "enabled": form.enabled},
        "key": key,
    });
    audit(&mut tx, action, &checked.name, change).await?;
    tx.commit().await?;
    ctx.app.models.forget();
    Ok(id)
}

/// Seals and keeps a key, or forgets the one that is kept; what was done, for the audit log.
async fn write_key(
    ctx: &Ctx,
    tx: &mut Tx,
    id: ProviderId,
    key: Option<String>,
    forget: bool,
) -> AppResult<&'static str> {
    let Some(key) = key else {
        if !forget {
            return Ok("kept");
        }
        sqlx::query!(
            "update providers set sealed_key = null, wrapped_key = null, master_key_id = null, key_last_four = null where provider_id = $1",
            id.0
        )
        .execute(&mut **tx)
        .await?;
        return Ok("forgotten");
    };
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
    .execute(&mut **tx)
    .await?;
    Ok("set")
}

/// Of this machine and of the environment only whether they may be used is for admins to say.
async fn switch_provider(ctx: &Ctx, before: &ProviderView, enabled: bool) -> AppResult<ProviderId> {
    let mut tx = ctx.begin().await?;
    sqlx::query!("update providers set enabled = $2 where provider_id = $1", before.id.0, enabled)
        .execute(&mut *tx)
        .await?;
    let change = json!({"before": {"enabled": before.enabled}, "after": {"enabled": enabled}});
    audit(&mut tx, "models.change_provider", &before.name, change).await?;
    tx.commit().await?;
    ctx.app.models.forget();
    Ok(before.id)
}

/// Removes a provider with its models and its key.
///
/// # Errors
/// As [`admin`](super::admin); `ConfirmPassword`; `Invalid` for what is there by itself.
pub async fn delete_provider(ctx: &Ctx, id: &str) -> AppResult<()> {
    ctx.require_admin_change()?;
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
    audit(&mut tx, "models.remove_provider", &before.name, gone).await?;
    tx.commit().await?;
    ctx.app.models.forget();
    Ok(())
}
