//! What admins set for the whole site, and the log of what they did.
//!
//! A setting is a row of `system_config`: a key and one value with a type of its own. Who may read and write it, the policies of
//! the table say.

use crate::{error::AppResult, ids::UserId};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

/// The value under a key; its default where nothing is set, or nothing that can be read.
///
/// # Errors
/// When the database cannot be reached.
pub async fn read<T: DeserializeOwned + Default>(tx: &mut PgConnection, key: &str) -> AppResult<T> {
    let kept = sqlx::query_scalar!("select value from system_config where key = $1", key);
    let Some(value) = kept.fetch_optional(&mut *tx).await? else { return Ok(T::default()) };
    Ok(serde_json::from_value(value).unwrap_or_else(|error| {
        tracing::warn!(key, %error, "a setting cannot be read and keeps its default");
        T::default()
    }))
}

/// Keeps a value under a key; `by` is nobody when the process itself does.
///
/// # Errors
/// When the database cannot be reached.
pub async fn keep(tx: &mut PgConnection, by: Option<UserId>, key: &str, value: &Value) -> AppResult<()> {
    sqlx::query!(
        "insert into system_config (key, value, updated_by) values ($1, $2, $3)
         on conflict (key) do update set value = $2, updated_by = $3",
        key,
        value,
        by.map(|by| by.0)
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Keeps what an admin set, with a line in the log that says what it was before; nothing where that is the same.
///
/// # Errors
/// When the database cannot be reached.
pub async fn set<T: Serialize + ?Sized>(
    tx: &mut PgConnection,
    by: UserId,
    action: &str,
    key: &str,
    before: &T,
    after: &T,
) -> AppResult<()> {
    let (before, after) = (json!(before), json!(after));
    if before == after {
        return Ok(());
    }
    keep(tx, Some(by), key, &after).await?;
    super::audit(tx, action, key, json!({ "before": before, "after": after })).await
}

/// As [`super::audit`], in a transaction of the process itself, where nobody asks.
///
/// # Errors
/// When the database cannot be reached.
pub async fn audit_by(
    tx: &mut PgConnection,
    actor: UserId,
    action: &str,
    subject: &str,
    metadata: Value,
) -> AppResult<()> {
    let subject: String = subject.chars().take(200).collect();
    sqlx::query!(
        "insert into audit_log (audit_id, actor_id, action, subject, metadata) values ($1, $2, $3, $4, $5)",
        Uuid::now_v7(),
        actor.0,
        action,
        subject,
        metadata
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}
