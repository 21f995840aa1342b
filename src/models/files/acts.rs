//! What admins do with model files. Everything here asks first for an admin whose password is fresh, and leaves a line in the
//! audit log.

use super::{
    catalogue::{self, offer},
    record::{Record, check_sum, name_of},
};
use crate::{
    ai::{
        local::{Progress, Standing},
        remote::check_url,
    },
    error::{AppError, AppResult},
    models::store,
    server::{AppState, Ctx},
};

/// Fetches a model of the catalogue.
///
/// # Errors
/// As [`Ctx::require_admin_change`]; `NotFound` for another key; as [`super::Library::begin`].
pub async fn fetch_offer(ctx: &Ctx, key: &str) -> AppResult<()> {
    ctx.require_admin_change()?;
    let offer: &catalogue::Offer = offer(key.trim()).ok_or(AppError::NotFound)?;
    let record = Record {
        progress: Progress { total: offer.bytes, ..Progress::default() },
        url: offer.url.to_owned(),
        sha256: offer.sha256.to_owned(),
        bytes: Some(offer.bytes),
    };
    begin(ctx, offer.file, record).await
}

/// Fetches a file from any address that leads outside.
///
/// # Errors
/// As [`Ctx::require_admin_change`]; `Invalid` with the field; as [`super::Library::begin`].
pub async fn fetch_address(ctx: &Ctx, address: &str, sha256: &str) -> AppResult<()> {
    ctx.require_admin_change()?;
    let outgoing = ctx.app.models.outgoing().await?;
    let url = check_url(address, &outgoing).map_err(|fault| AppError::invalid("address", fault.to_string()))?;
    let name = name_of(&url)?;
    let sha256 = check_sum(sha256)?;
    outgoing.check_name(&url).await.map_err(|fault| AppError::invalid("address", fault.to_string()))?;
    begin(ctx, &name, Record { url: url.into(), sha256, ..Record::default() }).await
}

async fn begin(ctx: &Ctx, name: &str, record: Record) -> AppResult<()> {
    let outgoing = ctx.app.models.outgoing().await?;
    let from = record.url.clone();
    ctx.app.library.begin(&ctx.app, outgoing, name, record)?;
    store::note_file(ctx, "models.fetch_file", name, &from).await
}

/// Goes on with a fetch that stopped.
///
/// # Errors
/// As [`Ctx::require_admin_change`]; `NotFound`; as [`super::Library::begin`].
pub async fn resume(ctx: &Ctx, name: &str) -> AppResult<()> {
    ctx.require_admin_change()?;
    let record = ctx.app.library.waiting(name)?;
    begin(ctx, name, record).await
}

/// Stops a fetch; it can go on later.
///
/// # Errors
/// As [`Ctx::require_admin_change`]; `NotFound`.
pub fn stop(ctx: &Ctx, name: &str) -> AppResult<()> {
    ctx.require_admin_change()?;
    ctx.app.library.stop(name)
}

/// Forgets a fetch and what it brought.
///
/// # Errors
/// As [`Ctx::require_admin_change`]; `NotFound`.
pub async fn discard(ctx: &Ctx, name: &str) -> AppResult<()> {
    ctx.require_admin_change()?;
    ctx.app.library.discard(name)?;
    store::note_file(ctx, "models.discard_file", name, "").await
}

/// Uses a file from now on, also after a restart.
///
/// # Errors
/// As [`Ctx::require_admin_change`]; `NotFound`.
pub async fn use_file(ctx: &Ctx, name: &str) -> AppResult<()> {
    ctx.require_admin_change()?;
    let name = name.trim();
    let file = ctx.app.library.find(name).ok_or(AppError::NotFound)?;
    store::save_local_file(ctx, name).await?;
    ctx.app.models.current().await?;
    if let Some(engine) = ctx.app.model.engine() {
        // Also when it was chosen before and could not be loaded: whoever asks again wants it tried again.
        engine.use_file(file);
    }
    Ok(())
}

/// Deletes a file of the data folder that is not in use.
///
/// # Errors
/// As [`Ctx::require_admin_change`]; `NotFound`; `Invalid` for the file in use.
pub async fn delete(ctx: &Ctx, name: &str) -> AppResult<()> {
    ctx.require_admin_change()?;
    ctx.app.library.delete(&ctx.app.model, name)?;
    store::note_file(ctx, "models.delete_file", name, "").await
}

/// A file has come. The first one on a machine without a model is what it was fetched for.
pub async fn arrived(app: &AppState, name: &str) {
    let Some(file) = app.library.find(name) else { return };
    let Some(engine) = app.model.engine() else { return };
    let is_waited_for = engine.path() == file;
    let has_none = matches!(engine.standing(), Standing::Absent | Standing::Failed { .. });
    if !is_waited_for && !has_none {
        return;
    }
    engine.use_file(file);
    if let Err(error) = store::keep_local_file(&app.db, name).await {
        tracing::warn!(name, %error, "the model that is in use now was not remembered");
    }
    app.models.forget();
}
