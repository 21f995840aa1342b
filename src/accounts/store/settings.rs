//! What people set: profile, avatar, e-mail, password, time zone, theme, and leaving for good.

use super::{
    access::revoke_all, avatar_url, birth_date, entry::note, entry::timezone, erase, join::email_taken,
    join::username_taken, keep_birth_date,
};
use crate::{
    accounts::{AccountSettings, ProfileSettings, Theme, forms, rules},
    error::{AppError, AppResult, OnConstraint},
    server::{
        Ctx,
        files::sweep::AVATARS,
        images::Picture,
        limits::{self, Action},
        passwords, quota, session,
    },
};

/// One's own profile, for editing.
///
/// # Errors
/// `SignInRequired`.
pub async fn profile(ctx: &Ctx) -> AppResult<ProfileSettings> {
    let viewer = ctx.require()?;
    let mut tx = ctx.begin().await?;
    let row =
        sqlx::query!("select username, display_name, bio, avatar_key from profiles where user_id = $1", viewer.id.0)
            .fetch_one(&mut *tx)
            .await?;
    Ok(ProfileSettings {
        username: row.username,
        display_name: row.display_name,
        bio: row.bio,
        avatar_url: avatar_url(row.avatar_key.as_ref()),
    })
}

/// Changes names and bio.
///
/// # Errors
/// `Invalid` or `Conflict` with the field; `TooMany`.
pub async fn save_profile(ctx: &Ctx, form: forms::ProfileForm) -> AppResult<()> {
    let viewer = ctx.require_write()?;
    limits::take(&ctx.app, Action::Identity, &viewer.id.to_string()).await?;
    let form = form.check(&viewer.username)?;
    let mut tx = ctx.begin().await?;
    sqlx::query!(
        "update profiles set username = $2, display_name = $3, bio = $4 where user_id = $1",
        viewer.id.0,
        form.username,
        form.display_name,
        form.bio
    )
    .execute(&mut *tx)
    .await
    .on_constraint("profiles_username_key", username_taken)?;
    tx.commit().await
}

/// Sets the avatar, or removes it; the file of the one before goes.
///
/// # Errors
/// `TooLarge` when the person's pictures are full; when file store or database cannot be reached. Nothing has changed then.
pub async fn set_avatar(ctx: &Ctx, picture: Option<Picture>) -> AppResult<()> {
    let viewer = ctx.require_write()?;
    let mut tx = ctx.begin().await?;
    let key = match picture {
        None => None,
        Some(picture) => {
            let key = format!("{}.{}", uuid::Uuid::new_v4().simple(), picture.extension);
            let file = format!("{AVATARS}/{key}");
            quota::keep_file(&mut tx, &ctx.app.files, viewer.id, "avatar", &file, picture.bytes).await?;
            Some(key)
        }
    };
    let old = sqlx::query_scalar!("select avatar_key from profiles where user_id = $1 for update", viewer.id.0)
        .fetch_one(&mut *tx)
        .await?;
    sqlx::query!("update profiles set avatar_key = $2 where user_id = $1", viewer.id.0, key).execute(&mut *tx).await?;
    let gone: Vec<String> = old.into_iter().map(|old| format!("{AVATARS}/{old}")).collect();
    quota::forget_files(&mut tx, &gone).await?;
    tx.commit().await?;
    for file in gone {
        ctx.app.files.delete(&file).await;
    }
    Ok(())
}

/// One's own account, for editing.
///
/// # Errors
/// `SignInRequired`.
pub async fn account(ctx: &Ctx) -> AppResult<AccountSettings> {
    let viewer = ctx.require()?;
    let mut tx = ctx.begin().await?;
    let row =
        sqlx::query!("select email, timezone from users where user_id = $1", viewer.id.0).fetch_one(&mut *tx).await?;
    let born = birth_date(&mut tx, viewer.id).await?;
    let storage = quota::all(&mut tx, viewer.id).await?;
    // What was counted is kept.
    tx.commit().await?;
    Ok(AccountSettings {
        storage,
        username: viewer.username.clone(),
        email: row.email,
        timezone: row.timezone,
        zones: zones(),
        fresh: viewer.is_fresh(),
        birth_date: born.map(|day| day.to_string()).unwrap_or_default(),
        codes_left: super::codes_left(ctx).await?,
    })
}

/// Keeps the day of birth, or forgets it. It decides which characters the database shows to them (`app.ratings`).
///
/// # Errors
/// `Invalid` for a day that is none, in the future, or too long ago; `Forbidden` when somebody would make themselves
/// grown up with it.
pub async fn set_birth_date(ctx: &Ctx, date: &str) -> AppResult<()> {
    let viewer = ctx.require_write()?;
    let today = chrono::Utc::now().date_naive();
    let day = match date.trim() {
        "" => None,
        text => Some(rules::birth_date("date", text, today)?),
    };
    let mut tx = ctx.begin().await?;
    rules::may_change_birth(birth_date(&mut tx, viewer.id).await?, day, today)?;
    keep_birth_date(&mut tx, viewer.id, day).await?;
    tx.commit().await
}

/// Time zones named after places; the database of zones also has aliases that nobody looks for.
fn zones() -> Vec<String> {
    const PLACES: [&str; 9] =
        ["Africa/", "America/", "Antarctica/", "Arctic/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/"];
    let is_place =
        |name: &str| PLACES.iter().any(|p| name.starts_with(p)) || name.starts_with("Pacific/") || name == "UTC";
    chrono_tz::TZ_VARIANTS.iter().map(|z| z.name()).filter(|n| is_place(n)).map(str::to_owned).collect()
}

/// Changes the address. The password must be fresh.
///
/// # Errors
/// `ConfirmPassword`; `TooMany`, because each try tells whether an address has an account; `Invalid` or `Conflict` with the field.
pub async fn change_email(ctx: &Ctx, form: &forms::EmailForm) -> AppResult<()> {
    let viewer = ctx.require_write()?;
    viewer.require_fresh()?;
    limits::take(&ctx.app, Action::Identity, &viewer.id.to_string()).await?;
    let email = rules::email("email", &form.email)?;
    let mut tx = ctx.begin().await?;
    sqlx::query!("update users set email = $2 where user_id = $1", viewer.id.0, email)
        .execute(&mut *tx)
        .await
        .on_constraint("users_email_key", email_taken)?;
    note(&mut tx, viewer.id, "change_email").await?;
    tx.commit().await
}

/// Changes the password, ends all other sessions and, when asked, revokes all API tokens; this device gets a new token. The password
/// must be fresh.
///
/// # Errors
/// `ConfirmPassword`; `Invalid` with the field; `TooMany`.
pub async fn change_password(ctx: &Ctx, form: &forms::PasswordForm) -> AppResult<String> {
    let viewer = ctx.require_write()?;
    viewer.require_fresh()?;
    let session = viewer.session.ok_or(AppError::SignInRequired)?;
    limits::take(&ctx.app, Action::Password, &viewer.id.to_string()).await?;
    if form.password != form.password_again {
        return Err(AppError::invalid("password_again", "The two are not the same. Please type it again."));
    }
    let mut tx = ctx.begin().await?;
    let email =
        sqlx::query_scalar!("select email from users where user_id = $1", viewer.id.0).fetch_one(&mut *tx).await?;
    drop(tx);
    rules::password("password", &form.password, &viewer.username, &email)?;
    passwords::judge("password", &form.password, &viewer.username, &email).await?;
    let hash = passwords::hash(&form.password).await?;
    let mut tx = ctx.app.db.system().await?;
    sqlx::query!("update users set password_hash = $2 where user_id = $1", viewer.id.0, hash).execute(&mut *tx).await?;
    sqlx::query!("delete from sessions where user_id = $1 and session_id <> $2", viewer.id.0, session.0)
        .execute(&mut *tx)
        .await?;
    if form.tokens_too {
        revoke_all(&mut tx, viewer.id).await?;
    }
    note(&mut tx, viewer.id, "change_password").await?;
    let token = session::refresh(&mut tx, session).await?;
    tx.commit().await?;
    Ok(token)
}

/// Changes the time zone.
///
/// # Errors
/// `Invalid` for a name that is none.
pub async fn change_timezone(ctx: &Ctx, name: &str) -> AppResult<()> {
    let viewer = ctx.require_write()?;
    let zone = timezone(name);
    if zone != name {
        return Err(AppError::invalid("timezone", "Please choose a time zone from the list."));
    }
    let mut tx = ctx.begin().await?;
    sqlx::query!("update users set timezone = $2 where user_id = $1", viewer.id.0, zone).execute(&mut *tx).await?;
    tx.commit().await
}

/// Keeps the theme with the account, for the next device. Nothing to do for somebody who is not signed in.
///
/// # Errors
/// When the database cannot be reached.
pub async fn set_theme(ctx: &Ctx, theme: Theme) -> AppResult<()> {
    let Some(id) = ctx.user_id() else { return Ok(()) };
    let mut tx = ctx.begin().await?;
    sqlx::query!("update users set theme_preference = $2 where user_id = $1", id.0, theme.as_str())
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}

/// Deletes the account with everything private in it. Published characters go along when asked, and otherwise stay
/// without an owner. The password must be fresh.
///
/// # Errors
/// `ConfirmPassword`; `Invalid` on the field `username` when it was not typed right.
pub async fn delete_account(ctx: &Ctx, form: &forms::DeleteForm) -> AppResult<()> {
    let viewer = ctx.require_write()?;
    viewer.require_fresh()?;
    if !form.username.trim().eq_ignore_ascii_case(&viewer.username) {
        return Err(AppError::invalid("username", format!("Please type {} to delete the account.", viewer.username)));
    }
    let files = erase::erase(&ctx.app, viewer.id, form.characters_too).await?;
    for file in files {
        ctx.app.files.delete(&file).await;
    }
    tracing::info!(user.id = %viewer.id, "an account was deleted by its owner");
    Ok(())
}
