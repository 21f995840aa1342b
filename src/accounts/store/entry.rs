//! Coming in and going out: signing in, confirming, the first admin.

use crate::{
    accounts::{forms, rules},
    error::{AppError, AppResult},
    ids::UserId,
    server::{
        AppState, Ctx, Tx, Viewer, device, drafts,
        limits::{self, Action},
        passwords::{self, Check},
        session, settings,
    },
};

/// A device that has just been signed in.
#[derive(Debug)]
pub struct Entered {
    /// Who.
    pub id: UserId,
    /// For the cookie.
    pub token: String,
    /// For the cookie that remembers the browser.
    pub device: String,
}

/// Somebody who is in: what their browser keeps.
pub(super) fn entered(ctx: &Ctx, id: UserId, token: String) -> Entered {
    Entered { id, token, device: device::remember(&ctx.app.vault, &ctx.info.device, id) }
}

/// A known time zone, or UTC.
pub(super) fn timezone(name: &str) -> String {
    name.parse::<chrono_tz::Tz>().map_or("UTC", |z| z.name()).to_owned()
}

/// Signs a device in. An unknown name and a wrong password take the same time and get the same answer.
///
/// Tries are counted by the account and not by what was typed: name, e-mail and every spelling of them that the database takes for
/// the same are one. A browser that has been signed in to the account before has tries of its own.
///
/// # Errors
/// `Invalid` without a field when name or password is wrong; `TooMany`.
pub async fn sign_in(ctx: &Ctx, form: forms::SignInForm) -> AppResult<Entered> {
    let app = &ctx.app;
    limits::take_address(app, Action::SignIn, &ctx.info).await?;
    let form = form.check()?;
    let mut tx = app.db.system().await?;
    let row = sqlx::query!(
        r#"select u.user_id, u.password_hash, p.is_active from users u join profiles p using (user_id) where u.user_id = $1"#,
        account_called(&mut tx, &form.login).await?
    )
    .fetch_optional(&mut *tx)
    .await?;
    // The connection goes back while the password is compared.
    drop(tx);
    take_tries(ctx, row.as_ref().map(|r| UserId(r.user_id)), &form.login).await?;
    let kept = row.as_ref().and_then(|r| r.password_hash.clone());
    let found = passwords::check(&form.password, kept).await?;
    let row = match (row, found) {
        (Some(row), Check::Right | Check::RightButOld) => row,
        _ => return Err(AppError::invalid("", "Wrong username or password.")),
    };
    if !row.is_active {
        return Err(super::recovery::closed());
    }
    settle_guest(ctx).await?;
    let renewed = if found == Check::RightButOld { Some(passwords::hash(&form.password).await?) } else { None };
    let mut tx = app.db.system().await?;
    if let Some(hash) = renewed {
        sqlx::query!("update users set password_hash = $2 where user_id = $1", row.user_id, hash)
            .execute(&mut *tx)
            .await?;
    }
    let id = UserId(row.user_id);
    let token = enter(ctx, &mut tx, id, "sign_in").await?;
    tx.commit().await?;
    Ok(entered(ctx, id, token))
}

/// Whose username or address this is, whatever its case: two looks, since a condition over both tables reads all of them.
pub(crate) async fn account_called(tx: &mut Tx, login: &str) -> AppResult<Option<uuid::Uuid>> {
    let found = sqlx::query_scalar!(
        "select coalesce((select user_id from profiles where username_key = lower($1)),
             (select user_id from users where lower(email) = lower($1)))",
        login
    );
    Ok(found.fetch_one(&mut **tx).await?)
}

/// Takes one of the tries to sign in to an account, or to what somebody typed and nobody is called.
pub(super) async fn take_tries(ctx: &Ctx, found: Option<UserId>, login: &str) -> AppResult<()> {
    let app = &ctx.app;
    if let Some(browser) = found.and_then(|id| device::known(&app.vault, &ctx.info.device, id)) {
        return limits::take(app, Action::SignInDevice, &browser).await;
    }
    let whom = found.map_or_else(
        // People type passwords into the wrong field, so the buckets know it by its hash only.
        || session::hash_token(&login.to_lowercase()).iter().take(12).map(|b| format!("{b:02x}")).collect(),
        |id| id.to_string(),
    );
    limits::take(app, Action::SignInAccount, &format!("{whom}:{}", limits::address_block(ctx.info.client))).await?;
    limits::take(app, Action::SignInTarget, &whom).await
}

/// How long a guest's replies may take to stop before their talks move.
const SETTLE: std::time::Duration = std::time::Duration::from_secs(3);

/// Ends what is being written for the guest who is about to sign in, so that their talks can move whole.
pub(super) async fn settle_guest(ctx: &Ctx) -> AppResult<()> {
    let Some(guest) = ctx.info.viewer.as_ref().filter(|v| v.is_guest) else { return Ok(()) };
    for run in super::stop_runs_of(&ctx.app, guest.id).await? {
        ctx.app.runs.stop(run);
    }
    let began = std::time::Instant::now();
    while began.elapsed() < SETTLE && super::is_answered(&ctx.app, guest.id).await? {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    Ok(())
}

/// A new session; the one that this browser had before is over, and what a guest said in it is the account's.
pub(super) async fn enter(ctx: &Ctx, tx: &mut Tx, id: UserId, action: &str) -> AppResult<String> {
    let token = session::create(tx, id, &ctx.info.user_agent).await?;
    drafts::carry(tx, &ctx.info, &token, id).await?;
    if let Some(viewer) = &ctx.info.viewer {
        if viewer.is_guest && viewer.id != id {
            super::move_guest(tx, viewer.id, id).await?;
        }
        if let Some(old) = viewer.session {
            sqlx::query!("delete from sessions where session_id = $1", old.0).execute(&mut **tx).await?;
        }
    }
    note(tx, id, action).await?;
    Ok(token)
}

/// Notes what somebody did with their account, for themselves and for moderators.
pub(super) async fn note(tx: &mut Tx, id: UserId, action: &str) -> AppResult<()> {
    sqlx::query!("insert into activity_log (user_id, action) values ($1, $2)", id.0, action).execute(&mut **tx).await?;
    Ok(())
}

/// Ends the session that asks; somebody who is signed out already stays so.
///
/// # Errors
/// When the database cannot be reached.
pub async fn sign_out(ctx: &Ctx) -> AppResult<()> {
    let Some(session) = ctx.info.viewer.as_ref().and_then(|v| v.session) else { return Ok(()) };
    let mut tx = ctx.begin().await?;
    sqlx::query!("delete from sessions where session_id = $1", session.0).execute(&mut *tx).await?;
    tx.commit().await
}

/// Compares the password of somebody who is signed in; sensitive changes are open for five minutes then.
///
/// # Errors
/// `Invalid` on the field `password`; `TooMany`.
pub async fn confirm(ctx: &Ctx, password: &str) -> AppResult<String> {
    let viewer = ctx.require()?;
    let session = viewer.session.ok_or(AppError::SignInRequired)?;
    limits::take(&ctx.app, Action::Password, &viewer.id.to_string()).await?;
    let mut tx = ctx.app.db.system().await?;
    let kept = sqlx::query_scalar!("select password_hash from users where user_id = $1", viewer.id.0)
        .fetch_one(&mut *tx)
        .await?;
    drop(tx);
    if passwords::check(password, kept).await? == Check::Wrong {
        return Err(AppError::invalid("password", "This is not your password."));
    }
    let mut tx = ctx.app.db.system().await?;
    let token = session::refresh(&mut tx, session).await?;
    tx.commit().await?;
    Ok(token)
}

/// A one-time link for the first admin, as long as there is none. Each start makes a new one and forgets the older.
///
/// # Errors
/// When the database cannot be reached.
pub async fn first_admin_link(app: &AppState) -> AppResult<Option<String>> {
    let mut tx = app.db.system().await?;
    let there = sqlx::query_scalar!(r#"select exists (select from user_roles where role = 'admin') as "there!""#)
        .fetch_one(&mut *tx)
        .await?;
    sqlx::query!("delete from one_time_tokens where purpose = 'first_admin'").execute(&mut *tx).await?;
    if there {
        tx.commit().await?;
        return Ok(None);
    }
    let (token, hash) = session::new_token();
    sqlx::query!("insert into one_time_tokens (token_hash, purpose) values ($1, 'first_admin')", hash)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(Some(format!("{}/setup/{token}", app.config.origin())))
}

/// Whether a first admin's link is still good.
///
/// # Errors
/// When the database cannot be reached.
pub async fn is_setup_open(app: &AppState, token: &str) -> AppResult<bool> {
    let hash = session::hash_token(token);
    let mut tx = app.db.system().await?;
    let open = sqlx::query_scalar!(
        r#"select exists (select from one_time_tokens where token_hash = $1 and purpose = 'first_admin') as "open!""#,
        hash
    );
    Ok(open.fetch_one(&mut *tx).await?)
}

/// Makes the viewer the first admin. The link works once, and their device gets a new token with its new rights.
///
/// # Errors
/// `NotFound` for a link that was used or replaced; `SignInRequired`.
pub async fn claim_admin(ctx: &Ctx, viewer: &Viewer, token: &str) -> AppResult<String> {
    let session = viewer.session.ok_or(AppError::SignInRequired)?;
    let hash = session::hash_token(token);
    let mut tx = ctx.app.db.system().await?;
    // Two people at once: the row goes to one of them.
    let gone = sqlx::query!("delete from one_time_tokens where token_hash = $1 and purpose = 'first_admin'", hash)
        .execute(&mut *tx)
        .await?;
    let there = sqlx::query_scalar!(r#"select exists (select from user_roles where role = 'admin') as "there!""#)
        .fetch_one(&mut *tx)
        .await?;
    if gone.rows_affected() == 0 || there {
        return Err(AppError::NotFound);
    }
    sqlx::query!("insert into user_roles (user_id, role) values ($1, 'admin')", viewer.id.0).execute(&mut *tx).await?;
    settings::audit_by(&mut tx, viewer.id, "first_admin", &viewer.username, serde_json::json!({})).await?;
    let token = session::refresh(&mut tx, session).await?;
    tx.commit().await?;
    tracing::info!(user.id = %viewer.id, "the first admin is here");
    Ok(token)
}

/// Where to go after signing in or confirming.
#[must_use]
pub fn way_back(next: &str) -> String {
    rules::own_path(next)
}
