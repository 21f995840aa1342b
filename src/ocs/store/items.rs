//! What characters carry.

use crate::{
    error::{AppError, AppResult},
    ids::{ItemId, OcId, UserId},
    ocs::{ItemForm, OcItem, form::MAX_ITEMS},
};
use sqlx::PgConnection;

pub(super) async fn items_of(tx: &mut PgConnection, id: OcId) -> AppResult<Vec<OcItem>> {
    let rows = sqlx::query!(
        "select i.item_id, i.name, i.description, i.personality_effects, i.rarity, c.is_equipped
         from oc_items c join items i using (item_id) where c.oc_id = $1 order by c.received_at, i.item_id limit 24",
        id.0
    )
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| OcItem {
            id: ItemId(r.item_id),
            name: r.name,
            description: r.description,
            personality_effects: r.personality_effects,
            rarity: r.rarity.parse().unwrap_or_default(),
            is_equipped: r.is_equipped,
        })
        .collect())
}

/// Makes a thing and gives it to a character of the asker's, who carries it at once.
///
/// # Errors
/// `Invalid` for a field or for too many things, `NotFound` for somebody else's character.
pub async fn add_item(tx: &mut PgConnection, by: UserId, id: OcId, form: &ItemForm) -> AppResult<ItemId> {
    let (item, rarity) = form.check()?;
    let has = sqlx::query_scalar!(
        r#"select (select count(*) from oc_items c where c.oc_id = o.oc_id) as "count!" from ocs o where oc_id = $1 for update of o"#,
        id.0
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(AppError::NotFound)?;
    if has >= i64::try_from(MAX_ITEMS).unwrap_or(i64::MAX) {
        return Err(AppError::invalid(
            "name",
            format!("One can carry {MAX_ITEMS} things at most. Take something away first."),
        ));
    }
    let item_id = ItemId::new();
    sqlx::query!(
        "insert into items (item_id, created_by, name, description, personality_effects, rarity) values ($1, $2, $3, $4, $5, $6)",
        item_id.0,
        by.0,
        item.name,
        item.description,
        item.effects,
        rarity.as_str()
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("insert into oc_items (oc_id, item_id) values ($1, $2)", id.0, item_id.0).execute(tx).await?;
    Ok(item_id)
}

/// Takes a thing away from a character of the asker's.
///
/// # Errors
/// `NotFound` if it does not carry it, or belongs to somebody else.
pub async fn remove_item(tx: &mut PgConnection, id: OcId, item: ItemId) -> AppResult<()> {
    let done = sqlx::query!("delete from oc_items where oc_id = $1 and item_id = $2", id.0, item.0).execute(tx).await?;
    if done.rows_affected() == 0 { Err(AppError::NotFound) } else { Ok(()) }
}

/// Carry a thing, or only keep it.
///
/// # Errors
/// As [`remove_item`].
pub async fn equip_item(tx: &mut PgConnection, id: OcId, item: ItemId, equipped: bool) -> AppResult<()> {
    let done =
        sqlx::query!("update oc_items set is_equipped = $3 where oc_id = $1 and item_id = $2", id.0, item.0, equipped)
            .execute(tx)
            .await?;
    if done.rows_affected() == 0 { Err(AppError::NotFound) } else { Ok(()) }
}
