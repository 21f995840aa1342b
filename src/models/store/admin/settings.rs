//! What is set: who answers, daily budgets, what may be reached.

use crate::{
    error::{AppError, AppResult},
    ids::ModelId,
    models::{
        forms::{BudgetsForm, DefaultsForm, ReachForm},
        settings::{self, Settings},
    },
    server::{self, Ctx, Viewer},
};

/// Writes settings that differ, each with a line in the audit log.
pub(super) async fn write_settings(ctx: &Ctx, viewer: &Viewer, keys: &[&str], after: &Settings) -> AppResult<()> {
    let before = ctx.app.models.current().await?.settings.clone();
    let mut tx = ctx.begin().await?;
    for key in keys {
        server::settings::set(&mut tx, viewer.id, "models.set", key, &before.value(key), &after.value(key)).await?;
    }
    tx.commit().await?;
    ctx.app.models.forget();
    Ok(())
}

/// Sets which models answer.
///
/// # Errors
/// As [`admin`](super::admin); `ConfirmPassword`; `Invalid` with the field.
pub async fn save_defaults(ctx: &Ctx, form: &DefaultsForm) -> AppResult<()> {
    let viewer = ctx.require_admin_change()?;
    let set = form.check()?;
    let loaded = ctx.app.models.current().await?;
    let known = |field: &str, id: Option<ModelId>| match id {
        Some(id) if loaded.get(id).is_none() => Err(AppError::invalid(field, "This model is not there any more.")),
        _ => Ok(()),
    };
    known("chat_model", set.chat)?;
    known("summon_model", set.summon)?;
    for (i, id) in set.fallbacks.iter().enumerate() {
        known(&format!("fallback_{}", i + 1), Some(*id))?;
    }
    let after = Settings {
        chat_model: set.chat,
        summon_model: set.summon,
        fallbacks: set.fallbacks,
        ..loaded.settings.clone()
    };
    write_settings(ctx, viewer, &[settings::CHAT, settings::SUMMON, settings::FALLBACKS], &after).await
}

/// Sets the daily budgets.
///
/// # Errors
/// As [`admin`](super::admin); `ConfirmPassword`; `Invalid` with the field.
pub async fn save_budgets(ctx: &Ctx, form: &BudgetsForm) -> AppResult<()> {
    let viewer = ctx.require_admin_change()?;
    let (budgets, count_local) = form.check()?;
    let loaded = ctx.app.models.current().await?;
    let after = Settings { budgets, count_local, ..loaded.settings.clone() };
    write_settings(ctx, viewer, &[settings::BUDGETS, settings::COUNT_LOCAL], &after).await
}

/// Sets whether people may use keys of their own, and which hosts of the network may be reached. The password must be
/// fresh, since a listed host is a door into the network.
///
/// # Errors
/// As [`admin`](super::admin); `ConfirmPassword`; `Invalid` with the field.
pub async fn save_reach(ctx: &Ctx, form: &ReachForm) -> AppResult<()> {
    let viewer = ctx.require_admin_change()?;
    let (own_keys, local_hosts) = form.check()?;
    let loaded = ctx.app.models.current().await?;
    let after = Settings { own_keys, local_hosts, ..loaded.settings.clone() };
    write_settings(ctx, viewer, &[settings::OWN_KEYS, settings::LOCAL_HOSTS], &after).await
}
