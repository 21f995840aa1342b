//! Guests in the database: made, moved to an account, erased.

use crate::{
    accounts::{
        doors::{Doors, KEY},
        guests::{KEPT_DAYS, NAME},
    },
    error::AppResult,
    ids::UserId,
    server::{AppState, Ctx, Tx, session, settings},
};

/// What is set about who may come in.
///
/// # Errors
/// When the database cannot be reached.
pub async fn doors(tx: &mut Tx) -> AppResult<Doors> {
    settings::read(tx, KEY).await
}

/// Guests whom one transaction erases.
const SWEPT_AT_ONCE: i64 = 500;

/// Makes a guest, and gives the token of their device.
///
/// # Errors
/// When the database cannot be reached.
pub async fn make_guest(ctx: &Ctx) -> AppResult<String> {
    let mut tx = ctx.app.db.system().await?;
    let id = add_guest(&mut tx, ctx).await?;
    let token = session::create(&mut tx, id, &ctx.info.user_agent).await?;
    tx.commit().await?;
    Ok(token)
}

/// A new person with nothing but a place: the rows of a guest, which joining fills in.
pub(super) async fn add_guest(tx: &mut Tx, ctx: &Ctx) -> AppResult<UserId> {
    let id = UserId::new();
    // A place in the indexes of names and addresses that nobody can type.
    let nobody: String = format!("~{}", uuid::Uuid::new_v4().simple()).chars().take(29).collect();
    sqlx::query!(
        "insert into users (user_id, kind, email, theme_preference) values ($1, 'guest', $2, $3)",
        id.0,
        nobody,
        ctx.info.theme.as_str()
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!("insert into profiles (user_id, username, display_name) values ($1, $2, $3)", id.0, nobody, NAME)
        .execute(&mut **tx)
        .await?;
    Ok(id)
}

/// Gives everything that a guest said and was told to an account, and forgets the guest. Talks stay apart: one with a
/// character that the account talks with already is another one.
///
/// # Errors
/// When the database cannot be reached.
pub async fn move_guest(tx: &mut Tx, guest: UserId, account: UserId) -> AppResult<()> {
    let (from, to) = (guest.0, account.0);
    // A key that makes sending twice send once belongs to whoever chose it.
    sqlx::query!("update runs set idempotency_key = null where user_id = $1", from).execute(&mut **tx).await?;
    // Lines, runs and summaries name their talk with its person, and go along; their ids stay.
    sqlx::query!("update conversations set user_id = $2 where user_id = $1", from, to).execute(&mut **tx).await?;
    sqlx::query!("update conversation_participants set user_id = $2 where user_id = $1", from, to)
        .execute(&mut **tx)
        .await?;
    sqlx::query!("update job_queue set user_id = $2 where user_id = $1", from, to).execute(&mut **tx).await?;
    sqlx::query!("update dead_jobs set user_id = $2 where user_id = $1", from, to).execute(&mut **tx).await?;
    sqlx::query!("update memories set user_id = $2 where user_id = $1", from, to).execute(&mut **tx).await?;
    sqlx::query!("update usage_log set user_id = $2 where user_id = $1", from, to).execute(&mut **tx).await?;
    sqlx::query!(
        "insert into daily_usage as d (user_id, day, used) select $2, day, used from daily_usage where user_id = $1
         on conflict (user_id, day) do update set used = d.used + excluded.used",
        from,
        to
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!("delete from users where user_id = $1 and kind = 'guest'", from).execute(&mut **tx).await?;
    sqlx::query!("update profile_private set text_counted_at = null where user_id = $1", to).execute(&mut **tx).await?;
    Ok(())
}

/// Asks the replies that are being written for a guest to stop, and gives them.
///
/// # Errors
/// When the database cannot be reached.
pub async fn stop_runs_of(app: &AppState, guest: UserId) -> AppResult<Vec<crate::ids::RunId>> {
    let mut tx = app.db.system().await?;
    let open = sqlx::query_scalar!(
        "update runs set stop_requested = true where user_id = $1 and status in ('queued', 'streaming') returning run_id",
        guest.0
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(open.into_iter().map(crate::ids::RunId).collect())
}

/// Whether a reply is being written for somebody.
///
/// # Errors
/// When the database cannot be reached.
pub async fn is_answered(app: &AppState, user: UserId) -> AppResult<bool> {
    let mut tx = app.db.system().await?;
    let open = sqlx::query_scalar!(
        r#"select exists (select from runs where user_id = $1 and status in ('queued', 'streaming') and lease_until > now()) as "open!""#,
        user.0
    );
    Ok(open.fetch_one(&mut *tx).await?)
}

/// Erases guests who were last here more than a week ago, with everything they said; gives how many.
///
/// # Errors
/// When the database cannot be reached.
pub async fn sweep_guests(app: &AppState) -> AppResult<u64> {
    let mut all = 0;
    loop {
        let mut tx = app.db.system().await?;
        let gone = sqlx::query!(
            "delete from users where user_id in (
                 select u.user_id from users u join profile_private p using (user_id) where u.kind = 'guest'
                   and u.created_at < now() - make_interval(days => $1) and p.last_active_at < now() - make_interval(days => $1)
                 limit $2)",
            KEPT_DAYS,
            SWEPT_AT_ONCE
        )
        .execute(&mut *tx)
        .await?
        .rows_affected();
        tx.commit().await?;
        all += gone;
        if gone < SWEPT_AT_ONCE.unsigned_abs() {
            return Ok(all);
        }
    }
}
