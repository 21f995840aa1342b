//! The day of birth. Kept and read here and nowhere else in this room.

use crate::{error::AppResult, ids::UserId, server::Tx};
use chrono::NaiveDate;

/// When somebody was born, if they said.
///
/// # Errors
/// When the database cannot be reached.
pub async fn birth_date(tx: &mut Tx, user: UserId) -> AppResult<Option<NaiveDate>> {
    let found = sqlx::query_scalar!("select birth_date from profile_private where user_id = $1", user.0);
    Ok(found.fetch_optional(&mut **tx).await?.flatten())
}

/// Keeps when somebody was born, or forgets it. It decides which characters the database shows them (`app.ratings`).
///
/// # Errors
/// When the database cannot be reached.
pub async fn keep_birth_date(tx: &mut Tx, user: UserId, day: Option<NaiveDate>) -> AppResult<()> {
    sqlx::query!("update profile_private set birth_date = $2 where user_id = $1", user.0, day)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
