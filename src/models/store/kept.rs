//! What one plain form found out for the page that it leads to: kept for minutes, beside refused forms and for the same reason.

use crate::{error::AppResult, ids::UserId, server::Db};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

/// Keeps something of a person for the page that shows it next; gives where.
///
/// # Errors
/// When the database cannot be reached.
pub async fn keep_for_page<T: Serialize>(db: &Db, user: UserId, found: &T) -> AppResult<Uuid> {
    let id = Uuid::new_v4();
    let fields = serde_json::to_value(found).unwrap_or_default();
    let mut tx = db.system().await?;
    sqlx::query!("insert into form_drafts (form_draft_id, user_id, fields) values ($1, $2, $3)", id, user.0, fields)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(id)
}

/// What was kept, if it still is, and if it is of this kind.
///
/// # Errors
/// When the database cannot be reached.
pub async fn kept_for_page<T: DeserializeOwned>(db: &Db, id: &str) -> AppResult<Option<T>> {
    let Ok(id) = id.parse::<Uuid>() else { return Ok(None) };
    let mut tx = db.system().await?;
    let found = sqlx::query_scalar!(
        "select fields from form_drafts where form_draft_id = $1 and created_at > now() - interval '10 minutes'",
        id
    );
    Ok(found.fetch_optional(&mut *tx).await?.and_then(|fields| serde_json::from_value(fields).ok()))
}
