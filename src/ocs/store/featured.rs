//! Characters that admins chose for the home page.

use crate::{
    error::{AppError, AppResult},
    ids::{OcId, UserId},
    ocs::{FeaturedOc, portrait_url},
};
use sqlx::PgConnection;
use uuid::Uuid;

/// Most characters that can be chosen.
pub const FEATURED_MAX: i64 = 12;

/// All that are chosen, in their order.
///
/// # Errors
/// When the database cannot be reached.
pub async fn featured(tx: &mut PgConnection) -> AppResult<Vec<FeaturedOc>> {
    let rows = sqlx::query!(
        r#"select f.oc_id, o.name, o.slug, o.version, o.is_public, coalesce(p.username, '') as "owner!"
           from featured_ocs f join ocs o using (oc_id) left join profiles p on p.user_id = o.owner_id
           order by f.sort, f.oc_id limit $1"#,
        FEATURED_MAX
    )
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| FeaturedOc {
            id: OcId(r.oc_id),
            portrait_url: portrait_url(OcId(r.oc_id), r.version),
            name: r.name,
            slug: r.slug,
            owner: r.owner,
            is_public: r.is_public,
        })
        .collect())
}

/// Puts a public character at the end of the list and returns its name; does nothing when it stands there already.
///
/// # Errors
/// `Invalid` on `character` when nothing public is called so, or the list is full.
pub async fn feature(tx: &mut PgConnection, by: UserId, named: &str) -> AppResult<String> {
    let found = sqlx::query!(
        r#"select o.oc_id, o.name, (select count(*) from featured_ocs) as "chosen!"
           from ocs o where o.is_public and o.oc_id = (select coalesce((select s.oc_id from ocs s where s.slug = $1),
               (select n.oc_id from ocs n where n.is_public and n.name_key = lower($1))))"#,
        named
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or_else(|| AppError::invalid("character", "No public character has this name or address."))?;
    if found.chosen >= FEATURED_MAX {
        return Err(AppError::invalid("character", format!("The list is full: {FEATURED_MAX} characters at most.")));
    }
    sqlx::query!(
        "insert into featured_ocs (oc_id, sort, chosen_by)
         values ($1, (select coalesce(max(sort), 0) + 1 from featured_ocs), $2) on conflict do nothing",
        found.oc_id,
        by.0
    )
    .execute(tx)
    .await?;
    Ok(found.name)
}

/// Takes a character off the list.
///
/// # Errors
/// `NotFound` when it is not on it.
pub async fn unfeature(tx: &mut PgConnection, id: OcId) -> AppResult<()> {
    let gone = sqlx::query!("delete from featured_ocs where oc_id = $1", id.0).execute(tx).await?;
    if gone.rows_affected() == 0 { Err(AppError::NotFound) } else { Ok(()) }
}

/// Moves a character one place up the list; the first one stays.
///
/// # Errors
/// `NotFound` when it is not on it.
pub async fn move_featured(tx: &mut PgConnection, id: OcId) -> AppResult<()> {
    let mut order: Vec<Uuid> = sqlx::query_scalar!("select oc_id from featured_ocs order by sort, oc_id for update")
        .fetch_all(&mut *tx)
        .await?;
    let at = order.iter().position(|o| *o == id.0).ok_or(AppError::NotFound)?;
    if at > 0 {
        order.swap(at - 1, at);
    }
    sqlx::query!(
        "update featured_ocs f set sort = w.place
         from unnest($1::uuid[]) with ordinality as w (oc_id, place) where f.oc_id = w.oc_id",
        &order
    )
    .execute(tx)
    .await?;
    Ok(())
}
