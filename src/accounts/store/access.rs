//! Where somebody is signed in, and the API tokens they made.

use crate::{
    accounts::{Credentials, Device, NewToken, Token},
    error::{AppError, AppResult},
    ids::{ApiTokenId, SessionId, Stamp, UserId},
    server::{
        Ctx, Tx,
        session::{self, IDLE_DAYS},
    },
};
use chrono::{DateTime, Datelike, Utc};

/// Most API tokens of one person that work at the same time.
const MOST_TOKENS: i64 = 50;

/// A moment on the viewer's own clock.
fn moment(at: DateTime<Utc>, timezone: &str) -> Stamp {
    let zone: chrono_tz::Tz = timezone.parse().unwrap_or(chrono_tz::UTC);
    let local = at.with_timezone(&zone);
    let text = if local.year() == Utc::now().with_timezone(&zone).year() {
        local.format("%-d %B, %H:%M")
    } else {
        local.format("%-d %B %Y, %H:%M")
    };
    Stamp { text: text.to_string(), ..Stamp::from(at) }
}

/// The viewer's signed-in devices, last used first.
///
/// # Errors
/// `SignInRequired`.
pub async fn devices(ctx: &Ctx) -> AppResult<Vec<Device>> {
    let viewer = ctx.require()?;
    let mut tx = ctx.begin().await?;
    let rows = sqlx::query!(
        r#"select session_id, user_agent, last_seen_at, created_at from sessions
           where user_id = $1 and expires_at > now() and last_seen_at > now() - make_interval(days => $2)
           order by last_seen_at desc, session_id limit 100"#,
        viewer.id.0,
        i32::try_from(IDLE_DAYS).unwrap_or(30)
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Device {
            id: SessionId(r.session_id),
            name: session::device_words(&r.user_agent),
            last_seen: moment(r.last_seen_at, &viewer.timezone),
            since: moment(r.created_at, &viewer.timezone),
            current: viewer.session == Some(SessionId(r.session_id)),
        })
        .collect())
}

/// Signs one device out.
///
/// # Errors
/// `NotFound` for somebody else's.
pub async fn end_device(ctx: &Ctx, id: SessionId) -> AppResult<()> {
    let viewer = ctx.require_write()?;
    let mut tx = ctx.begin().await?;
    let gone = sqlx::query!("delete from sessions where user_id = $1 and session_id = $2", viewer.id.0, id.0)
        .execute(&mut *tx)
        .await?;
    if gone.rows_affected() == 0 {
        return Err(AppError::NotFound);
    }
    tx.commit().await
}

/// Everything that opens the viewer's account.
///
/// # Errors
/// `SignInRequired`.
pub async fn credentials(ctx: &Ctx) -> AppResult<Credentials> {
    Ok(Credentials { devices: devices(ctx).await?, tokens: tokens(ctx).await? })
}

/// Revokes all API tokens of a person.
pub(super) async fn revoke_all(tx: &mut Tx, id: UserId) -> AppResult<()> {
    sqlx::query!("delete from api_tokens where user_id = $1", id.0).execute(&mut **tx).await?;
    Ok(())
}

/// Signs all other devices out, and revokes the API tokens when asked; answers how many devices.
///
/// # Errors
/// `SignInRequired`.
pub async fn end_other_devices(ctx: &Ctx, tokens_too: bool) -> AppResult<u32> {
    let viewer = ctx.require_write()?;
    let this = viewer.session.ok_or(AppError::SignInRequired)?;
    let mut tx = ctx.begin().await?;
    let gone = sqlx::query!("delete from sessions where user_id = $1 and session_id <> $2", viewer.id.0, this.0)
        .execute(&mut *tx)
        .await?;
    if tokens_too {
        revoke_all(&mut tx, viewer.id).await?;
    }
    tx.commit().await?;
    Ok(u32::try_from(gone.rows_affected()).unwrap_or(u32::MAX))
}

/// The viewer's API tokens, newest first, all of them: what is not seen is not revoked.
///
/// # Errors
/// `SignInRequired`.
pub async fn tokens(ctx: &Ctx) -> AppResult<Vec<Token>> {
    let viewer = ctx.require()?;
    let mut tx = ctx.begin().await?;
    let rows = sqlx::query!(
        "select api_token_id, name, hint, scopes, created_at, last_used_at, expires_at from api_tokens
         where user_id = $1 order by created_at desc, api_token_id desc",
        viewer.id.0
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Token {
            id: ApiTokenId(r.api_token_id),
            name: r.name,
            hint: r.hint,
            scopes: r.scopes,
            created_at: r.created_at.into(),
            last_used_at: r.last_used_at.map(|at| moment(at, &viewer.timezone)),
            expired: r.expires_at <= Utc::now(),
            expires_at: moment(r.expires_at, &viewer.timezone),
        })
        .collect())
}

/// Makes an API token that works for so many days. Only somebody who signed in may: a token cannot make others, or revoking it
/// would not end it. The password must be fresh, or a minute at somebody's unlocked computer would be access for months.
///
/// # Errors
/// `Forbidden` for a token; `ConfirmPassword`; `Invalid` when there are too many already.
pub async fn create_token(ctx: &Ctx, name: &str, scopes: &[String], days: u16) -> AppResult<NewToken> {
    let viewer = ctx.require_write()?;
    if viewer.session.is_none() {
        return Err(AppError::forbidden("A token cannot make tokens. Please sign in for this."));
    }
    viewer.require_fresh()?;
    let (secret, _) = session::new_token();
    // The prefix lets scanners of public code recognise a leaked one.
    let token = format!("sf_{secret}");
    let hash = session::hash_token(&token);
    let hint: String = token.chars().take(9).collect();
    let id = ApiTokenId::new();
    let mut tx = ctx.begin().await?;
    // One after the other: of many requests at once, each counts what the ones before it made.
    sqlx::query!("select user_id from users where user_id = $1 for update", viewer.id.0).fetch_one(&mut *tx).await?;
    let there = sqlx::query_scalar!(
        r#"select count(*) as "n!" from api_tokens where user_id = $1 and expires_at > now()"#,
        viewer.id.0
    )
    .fetch_one(&mut *tx)
    .await?;
    if there >= MOST_TOKENS {
        return Err(AppError::invalid(
            "name",
            format!("There are {MOST_TOKENS} tokens already. Please revoke one first."),
        ));
    }
    let expires_at = sqlx::query_scalar!(
        "insert into api_tokens (api_token_id, user_id, name, token_hash, hint, scopes, expires_at)
         values ($1, $2, $3, $4, $5, $6, now() + make_interval(days => $7)) returning expires_at",
        id.0,
        viewer.id.0,
        name,
        hash,
        hint,
        scopes,
        i32::from(days)
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    let expires_at = moment(expires_at, &viewer.timezone);
    Ok(NewToken { id, name: name.to_owned(), scopes: scopes.to_vec(), expires_at, token })
}

/// Revokes an API token.
///
/// # Errors
/// `NotFound` for somebody else's.
pub async fn revoke_token(ctx: &Ctx, id: ApiTokenId) -> AppResult<()> {
    let viewer = ctx.require_write()?;
    let mut tx = ctx.begin().await?;
    let gone = sqlx::query!("delete from api_tokens where user_id = $1 and api_token_id = $2", viewer.id.0, id.0)
        .execute(&mut *tx)
        .await?;
    if gone.rows_affected() == 0 {
        return Err(AppError::NotFound);
    }
    tx.commit().await
}
