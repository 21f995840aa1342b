//! All SQL about help lines, but for the card itself (chat/store/card.rs).

use super::{
    HelpForm, SafetyPage,
    help::{self, Setting},
};
use crate::{
    error::AppResult,
    server::{Ctx, settings},
};

/// Key of what is set.
const KEY: &str = "trust.help";
/// Days on the admin's page.
const DAYS: i64 = 30;

async fn setting(ctx: &Ctx) -> AppResult<Setting> {
    let mut tx = ctx.begin().await?;
    settings::read(&mut tx, KEY).await
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
    let mut tx = ctx.begin().await?;
    settings::set(&mut tx, viewer.id, "trust.set", KEY, &before, &after).await?;
    tx.commit().await
}
