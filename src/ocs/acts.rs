//! What can be done with the home page's list of characters. Server functions translate these.

use super::{FeaturedOc, store};
use crate::{
    error::{AppError, AppResult},
    ids::{OcId, UserId},
    server::{Ctx, audit},
};
use serde_json::json;

fn admin(ctx: &Ctx) -> AppResult<UserId> {
    Ok(ctx.require_admin_change()?.id)
}

/// The list, for admins.
///
/// # Errors
/// `SignInRequired`; `NotFound` for everybody else.
pub async fn list_featured(ctx: &Ctx) -> AppResult<Vec<FeaturedOc>> {
    ctx.require()?.require_admin()?;
    let mut tx = ctx.begin().await?;
    store::featured(&mut tx).await
}

/// Puts a character on the list, by its name or its address.
///
/// # Errors
/// As [`list_featured`]; `Invalid` on `character`.
pub async fn feature(ctx: &Ctx, character: &str) -> AppResult<()> {
    let me = admin(ctx)?;
    // An address that was copied whole is as good as the name.
    let name = character.trim().trim_end_matches('/').rsplit("/c/").next().unwrap_or_default();
    if name.is_empty() || name.chars().count() > 120 {
        return Err(AppError::invalid("character", "Type the name of a public character."));
    }
    let mut tx = ctx.begin().await?;
    let name = store::feature(&mut tx, me, name).await?;
    audit(&mut tx, "home.feature", &name, json!({})).await?;
    tx.commit().await
}

/// Takes a character off the list.
///
/// # Errors
/// As [`list_featured`]; `NotFound` when it is not on it.
pub async fn unfeature(ctx: &Ctx, id: OcId) -> AppResult<()> {
    admin(ctx)?;
    let mut tx = ctx.begin().await?;
    store::unfeature(&mut tx, id).await?;
    audit(&mut tx, "home.unfeature", &id.to_string(), json!({})).await?;
    tx.commit().await
}

/// Moves a character one place up.
///
/// # Errors
/// As [`unfeature`].
pub async fn move_featured(ctx: &Ctx, id: OcId) -> AppResult<()> {
    admin(ctx)?;
    let mut tx = ctx.begin().await?;
    store::move_featured(&mut tx, id).await?;
    tx.commit().await
}
