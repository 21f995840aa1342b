//! What those may do to the queue who look after it. Who they are is for the rooms to know.

use crate::{
    error::{AppError, AppResult},
    ids::JobId,
    server::Tx,
};

/// Lets a waiting job begin at once, or puts a dead one back with all its attempts before it. Gives its kind.
///
/// # Errors
/// `NotFound` for a job that is being done or is over; `Conflict` when the same work is in the queue again.
pub async fn retry(tx: &mut Tx, id: JobId) -> AppResult<String> {
    let waiting = sqlx::query_scalar!(
        "update job_queue set run_at = now() where job_id = $1 and not running returning kind",
        id.0
    );
    if let Some(kind) = waiting.fetch_optional(&mut **tx).await? {
        return Ok(kind);
    }
    let dead = sqlx::query_scalar!("select kind from dead_jobs where job_id = $1 for update", id.0)
        .fetch_optional(&mut **tx)
        .await?
        .ok_or(AppError::NotFound)?;
    sqlx::query_scalar!(
        "insert into job_queue (job_id, lane, kind, user_id, priority, lease_seconds, max_attempts, dedupe_key, mutex_key, payload,
             error, history, created_at)
         select job_id, lane, kind, user_id, priority, lease_seconds, max_attempts, dedupe_key, mutex_key, payload,
             error, history, now() from dead_jobs where job_id = $1
         on conflict (user_id, kind, dedupe_key) where dedupe_key is not null do nothing returning job_id",
        id.0
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or_else(|| AppError::conflict("", "The same work is in the queue again already."))?;
    sqlx::query!("delete from dead_jobs where job_id = $1", id.0).execute(&mut **tx).await?;
    Ok(dead)
}

/// Takes a job out of the queue, also while it is done, or from among the dead. Gives its kind.
///
/// # Errors
/// `NotFound` for a job that is over.
pub async fn cancel(tx: &mut Tx, id: JobId) -> AppResult<String> {
    sqlx::query_scalar!(
        r#"with open as (delete from job_queue where job_id = $1 returning kind),
                dead as (delete from dead_jobs where job_id = $1 returning kind)
           select kind as "kind!" from open union all select kind from dead"#,
        id.0
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(AppError::NotFound)
}

/// Takes nothing from a lane any more, or again. What is being done goes on.
///
/// # Errors
/// When the database cannot be reached.
pub async fn set_paused(tx: &mut Tx, lane: &str, is_paused: bool) -> AppResult<()> {
    if is_paused {
        sqlx::query!("insert into paused_lanes (lane) values ($1) on conflict do nothing", lane)
            .execute(&mut **tx)
            .await?;
    } else {
        sqlx::query!("delete from paused_lanes where lane = $1", lane).execute(&mut **tx).await?;
    }
    Ok(())
}
