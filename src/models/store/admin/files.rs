//! Which file the model of this machine is read from, and what admins did with files.

use super::settings::write_settings;
use crate::{
    error::AppResult,
    models::settings::{self, Settings},
    server::{
        Ctx, Db, audit,
        settings::{keep, read},
    },
};
use serde_json::json;

/// Sets the file that is used from now on.
///
/// # Errors
/// As [`Ctx::require_admin_change`].
pub async fn save_local_file(ctx: &Ctx, name: &str) -> AppResult<()> {
    let viewer = ctx.require_admin_change()?;
    let loaded = ctx.app.models.current().await?;
    let after = Settings { local_file: Some(name.to_owned()), ..loaded.settings.clone() };
    write_settings(ctx, viewer, &[settings::LOCAL_FILE], &after).await
}

/// The same by the process itself: the first file on a machine that had none.
///
/// # Errors
/// When the database cannot be reached.
pub async fn keep_local_file(db: &Db, name: &str) -> AppResult<()> {
    let mut tx = db.system().await?;
    keep(&mut tx, None, settings::LOCAL_FILE, &json!(name)).await?;
    tx.commit().await
}

/// The file that is set; `None` for the one that the process was started with.
///
/// # Errors
/// When the database cannot be reached.
pub async fn local_file(db: &Db) -> AppResult<Option<String>> {
    let mut tx = db.system().await?;
    read(&mut tx, settings::LOCAL_FILE).await
}

/// Writes down what an admin did with a file.
///
/// # Errors
/// When the database cannot be reached.
pub async fn note_file(ctx: &Ctx, action: &str, name: &str, from: &str) -> AppResult<()> {
    ctx.require_admin_change()?;
    let mut tx = ctx.begin().await?;
    audit(&mut tx, action, name, json!({ "from": from })).await?;
    tx.commit().await
}
