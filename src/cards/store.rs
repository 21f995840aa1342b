//! SQL of cards.

use crate::{
    error::{AppError, AppResult},
    ids::{OcId, UserId},
    server::quota,
};
use sqlx::PgConnection;

/// The card that a character came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The name that it got here then.
    pub name: String,
    /// Its text, word for word.
    pub data: String,
}

/// Keeps the card of a character that was just made.
///
/// # Errors
/// As [`quota::must_fit`].
pub async fn keep(tx: &mut PgConnection, by: UserId, id: OcId, card: &Kept) -> AppResult<()> {
    quota::must_fit(tx, by, quota::Kind::Characters, card.data.len()).await?;
    sqlx::query!(
        "insert into oc_cards (oc_id, user_id, name, data) values ($1, $2, $3, $4)",
        id.0,
        by.0,
        card.name,
        card.data
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The card that a character of the asker's came from, if it came from one.
///
/// # Errors
/// When the database cannot be reached.
pub async fn find(tx: &mut PgConnection, id: OcId) -> AppResult<Option<Kept>> {
    let card = sqlx::query_as!(Kept, "select name, data from oc_cards where oc_id = $1", id.0);
    Ok(card.fetch_optional(tx).await?)
}

/// Gives a character that was just made the portrait that came with it; it is no change of anything.
///
/// # Errors
/// When the database cannot be reached.
pub async fn set_face(tx: &mut PgConnection, id: OcId, key: &str) -> AppResult<()> {
    let set = sqlx::query!("update ocs set avatar_key = $2 where oc_id = $1 returning oc_id", id.0, key);
    set.fetch_optional(tx).await?.map(drop).ok_or(AppError::NotFound)
}
