//! All SQL about help lines, but for the card itself (chat/store/card.rs).

use super::{
    HelpForm, SafetyPage,
    help::{self, Setting},
};
use crate::{error::AppResult, models::store::audit, server::Ctx};
use serde_json::json;

/// Key of what is set.
const KEY: &str = "trust.help";
/// Days on the admin's page.
const DAYS: i64 = 30;

async fn setting(ctx: &Ctx) -> AppResult<Setting> {
    let mut tx = ctx.begin().await?;
    let value =
        sqlx::query_scalar!("select value from system_config where key = $1", KEY).fetch_optional(&mut *tx).await?;
    Ok(value.map(Setting::read).unwrap_or_default())
}

/// What the admin's page shows.
///
/// # Errors
/// `NotFound` for everybody but admins; `SignInRequired`.
pub async fn page(ctx: &Ctx) -> AppResult<SafetyPage> {
    let viewer = ctx.require()?;
    viewer.require_admin()?;
    let setting = setting(ctx).await?;
    let mut tx = ctx.begin().await?;
    let days = sqlx::query!(r#"select day::text as "day!", cards from crisis_cards order by day desc limit $1"#, DAYS)
        .fetch_all(&mut *tx)
        .await?;
    Ok(SafetyPage {
        sample: help::html(&help::card("en", &setting, &viewer.timezone)),
        known_until: help::known_until(),
        form: setting.form(),
        countries: help::countries(),
        days: days.into_iter().map(|row| (row.day, row.cards)).collect(),
    })
}

/// Sets the country and the lines of one's own.
///
/// # Errors
/// As [`page`]; `ConfirmPassword`; `Invalid` with the field.
pub async fn save(ctx: &Ctx, form: &HelpForm) -> AppResult<()> {
    let viewer = ctx.require_admin_change()?;
    let after = Setting::check(form)?;
    let before = setting(ctx).await?;
    if before == after {
        return Ok(());
    }
    let mut tx = ctx.begin().await?;
    sqlx::query!(
        "insert into system_config (key, value, updated_by) values ($1, $2, $3)
         on conflict (key) do update set value = $2, updated_by = $3",
        KEY,
        json!(after),
        viewer.id.0
    )
    .execute(&mut *tx)
    .await?;
    audit(&mut tx, viewer.id, "trust.set", KEY, json!({ "before": before, "after": after })).await?;
    tx.commit().await
}
