//! The one way in which those with power leave a trace.

use crate::error::AppResult;
use serde_json::Value;
use sqlx::PgConnection;

/// Writes down what the asker did by their power: in their name, now, and for good. `subject` is cut at 200 letters.
///
/// # Errors
/// `NotFound` for somebody without power; when the database cannot be reached.
pub async fn audit(tx: &mut PgConnection, action: &str, subject: &str, metadata: Value) -> AppResult<()> {
    sqlx::query!("select app.audit($1, $2, $3)", action, subject, metadata).execute(tx).await?;
    Ok(())
}
