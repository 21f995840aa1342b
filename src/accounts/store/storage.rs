//! How much people may store, as admins see and set it.

use crate::{
    accounts::storage::{StorageForm, StorageLimit},
    error::AppResult,
    server::{Ctx, Tx, audit},
};
use serde_json::json;

/// All limits.
///
/// # Errors
/// When the database cannot be reached.
pub async fn storage_limits(tx: &mut Tx) -> AppResult<Vec<StorageLimit>> {
    let rows = sqlx::query_as!(StorageLimit, "select tier, kind, bytes from storage_limits order by tier, kind");
    Ok(rows.fetch_all(&mut **tx).await?)
}

/// Sets what people may store. What they store already stays, also where it is more.
///
/// # Errors
/// `NotFound` for everybody but admins; `ConfirmPassword`; `Invalid` with the field.
pub async fn save_storage(ctx: &Ctx, form: &StorageForm) -> AppResult<()> {
    ctx.require_admin_change()?;
    let limits = form.check()?;
    let mut tx = ctx.begin().await?;
    let before = storage_limits(&mut tx).await?;
    for limit in limits.iter().filter(|limit| !before.contains(limit)) {
        let (tier, kind, bytes) = (&limit.tier, &limit.kind, limit.bytes);
        sqlx::query!("update storage_limits set bytes = $3 where tier = $1 and kind = $2", tier, kind, bytes)
            .execute(&mut *tx)
            .await?;
        let was = before.iter().find(|old| old.tier == *tier && old.kind == *kind).map(|old| old.bytes);
        audit(&mut tx, "accounts.set_storage", &format!("{tier} {kind}"), json!({ "before": was, "after": bytes }))
            .await?;
    }
    tx.commit().await
}
