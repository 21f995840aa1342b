//! All SQL of the queue. Deadlines are the server's `now()`; what fences is equality with the token in the row.

pub mod control;

use super::{Call, How, Job, Lane, kinds::Plan};
use crate::{
    error::{AppError, AppResult},
    ids::{JobId, UserId},
    server::{Db, Tx},
};
use serde_json::Value;
use std::time::Duration;
use uuid::Uuid;

/// A job on its way into the queue.
pub(super) struct New {
    id: Uuid,
    lane: &'static str,
    kind: &'static str,
    payload: Value,
    lease: f64,
    retries: i16,
    how: How,
}

impl New {
    pub(super) fn of<J: Job>(job: &J, how: How) -> AppResult<Self> {
        let payload = serde_json::to_value(job).map_err(|error| {
            tracing::error!(%error, kind = J::NAME, "a job cannot be written down");
            AppError::Internal
        })?;
        let lease = J::LEASE.as_secs_f64();
        Ok(Self { id: Uuid::now_v7(), lane: J::LANE.name, kind: J::NAME, payload, lease, retries: J::RETRIES, how })
    }

    pub(super) fn planned(plan: &Plan) -> Self {
        Self {
            id: Uuid::now_v7(),
            lane: plan.lane.name,
            kind: plan.name,
            payload: Value::Null,
            lease: plan.lease.as_secs_f64(),
            retries: plan.retries,
            how: How::once(plan.name),
        }
    }
}

/// Said of somebody who asks for more than can be done.
fn crowded(error: sqlx::Error) -> AppError {
    match &error {
        sqlx::Error::Database(db) if db.code().as_deref() == Some("53400") => AppError::TooMany {
            message: "You have a lot of work waiting already. Please wait until some of it is done.".to_owned(),
            retry_after: 60,
        },
        _ => error.into(),
    }
}

/// Queues a job of the process's choosing; `None` when the same one is open.
pub(super) async fn add(tx: &mut Tx, whom: Option<UserId>, new: &New) -> AppResult<Option<JobId>> {
    let id = sqlx::query_scalar!(
        "select app.queue_job($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        new.id,
        whom.map(|user| user.0) as Option<Uuid>,
        new.lane,
        new.kind,
        new.payload,
        new.how.priority,
        new.how.delay.as_secs_f64(),
        new.lease,
        new.retries,
        new.how.dedupe.as_deref() as Option<&str>,
        new.how.mutex.as_deref() as Option<&str>
    )
    .fetch_one(&mut **tx)
    .await
    .map_err(crowded)?;
    Ok(id.map(JobId))
}

/// Queues a job of whoever asks; `None` when the same one is open.
pub(super) async fn add_own(tx: &mut Tx, new: &New) -> AppResult<Option<JobId>> {
    let id = sqlx::query_scalar!(
        "select app.queue_own_job($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        new.id,
        new.lane,
        new.kind,
        new.payload,
        new.how.priority,
        new.how.delay.as_secs_f64(),
        new.lease,
        new.retries,
        new.how.dedupe.as_deref() as Option<&str>,
        new.how.mutex.as_deref() as Option<&str>
    )
    .fetch_one(&mut **tx)
    .await
    .map_err(crowded)?;
    Ok(id.map(JobId))
}

/// Whether a job of whoever asks is open.
pub(super) async fn is_open(tx: &mut Tx, kind: &str, key: &str) -> AppResult<bool> {
    let open = sqlx::query_scalar!(r#"select app.has_open_job($1, $2) as "open!""#, kind, key);
    Ok(open.fetch_one(&mut **tx).await?)
}

/// Deletes a job of whoever asks.
pub(super) async fn cancel_own(tx: &mut Tx, id: JobId) -> AppResult<bool> {
    let gone = sqlx::query_scalar!(r#"select app.cancel_own_job($1) as "gone!""#, id.0);
    Ok(gone.fetch_one(&mut **tx).await?)
}

/// A job that this process has now.
pub(super) struct Claimed {
    pub(super) id: JobId,
    pub(super) kind: String,
    pub(super) user: Option<UserId>,
    pub(super) payload: Value,
    pub(super) attempt: i16,
    pub(super) token: Uuid,
    pub(super) lease: Duration,
    /// How long it could have been begun.
    pub(super) waited: Duration,
}

/// Tries to claim, where two met at one mutex.
const TRIES: usize = 3;

/// Takes the next job of a lane. One at a time: only so does the count of what a person has running hold for the next one.
pub(super) async fn claim(db: &Db, lane: Lane, kinds: &[String], node: Uuid) -> AppResult<Option<Claimed>> {
    for _ in 0..TRIES {
        match claim_once(db, lane, kinds, node).await {
            Err(Missed::Mutex) => {}
            Err(Missed::Error(error)) => return Err(error),
            Ok(claimed) => return Ok(claimed),
        }
    }
    Ok(None)
}

enum Missed {
    /// Another process began a job with the same mutex in this moment.
    Mutex,
    Error(AppError),
}

impl From<AppError> for Missed {
    fn from(error: AppError) -> Self {
        Self::Error(error)
    }
}

async fn claim_once(db: &Db, lane: Lane, kinds: &[String], node: Uuid) -> Result<Option<Claimed>, Missed> {
    let mut tx = db.queue().await?;
    let found = sqlx::query!(
        r#"with next as (
               select j.job_id from job_queue j
               where j.lane = $1 and not j.running and j.run_at <= now() and j.kind = any($2)
                 and not exists (select from paused_lanes p where p.lane = $1)
                 and (j.user_id is null
                      or (select count(*) from job_queue r where r.lane = $1 and r.user_id = j.user_id and r.running) < $3)
                 and (j.mutex_key is null
                      or not exists (select from job_queue m where m.mutex_key = j.mutex_key and m.running))
               order by j.priority, j.turn, j.run_at, j.job_id limit 1 for update of j skip locked)
           update job_queue j set running = true, attempts = j.attempts + 1, node_id = $4, started_at = now(),
               lease_token = gen_random_uuid(), lease_until = now() + make_interval(secs => j.lease_seconds)
           from next where j.job_id = next.job_id
           returning j.job_id, j.kind, j.user_id, j.payload, j.attempts, j.lease_token as "token!", j.lease_seconds,
               greatest(extract(epoch from now() - j.run_at), 0)::float8 as "waited!""#,
        lane.name,
        kinds,
        lane.per_person,
        node
    )
    .fetch_optional(&mut *tx)
    .await;
    let found = match found {
        Ok(found) => found,
        Err(sqlx::Error::Database(e)) if e.constraint() == Some("job_queue_mutex") => return Err(Missed::Mutex),
        Err(error) => return Err(Missed::Error(error.into())),
    };
    let Some(row) = found else { return Ok(None) };
    tx.commit().await?;
    Ok(Some(Claimed {
        id: JobId(row.job_id),
        kind: row.kind,
        user: row.user_id.map(UserId),
        payload: row.payload,
        attempt: row.attempts,
        token: row.token,
        lease: Duration::from_secs_f64(row.lease_seconds),
        waited: Duration::from_secs_f64(row.waited),
    }))
}

/// Renews leases, all of a process in one statement, and gives the tokens that hold nothing any more. A job that is being
/// ended at this moment is locked, and still its holder's: nobody waits for it here.
pub(super) async fn renew(db: &Db, tokens: &[Uuid]) -> AppResult<Vec<Uuid>> {
    let mut tx = db.queue().await?;
    sqlx::query!(
        "with mine as (select job_id from job_queue where running and lease_token = any($1) for no key update skip locked)
         update job_queue j set lease_until = now() + make_interval(secs => j.lease_seconds)
         from mine where j.job_id = mine.job_id",
        tokens
    )
    .execute(&mut *tx)
    .await?;
    let lost = sqlx::query_scalar!(
        r#"select t as "token!" from unnest($1::uuid[]) t
           where not exists (select from job_queue j where j.running and j.lease_token = t)"#,
        tokens
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(lost)
}

/// Whether the token holds the job until the transaction ends.
pub(super) async fn hold(tx: &mut Tx, id: JobId, token: Uuid) -> AppResult<bool> {
    let held = sqlx::query_scalar!(r#"select app.hold_job($1, $2) as "held!""#, id.0, token);
    Ok(held.fetch_one(&mut **tx).await?)
}

/// The end of a job within the transaction of its effects; `false`: somebody else has it.
pub(super) async fn finish(tx: &mut Tx, id: JobId, token: Uuid) -> AppResult<bool> {
    let ended = sqlx::query_scalar!(r#"select app.finish_job($1, $2) as "ended!""#, id.0, token);
    Ok(ended.fetch_one(&mut **tx).await?)
}

pub(super) async fn call(tx: &mut Tx, id: JobId, user: Option<UserId>, step: &str) -> AppResult<Call> {
    sqlx::query!(
        "insert into job_calls (job_id, step, user_id, call_key) values ($1, $2, $3, gen_random_uuid()) on conflict do nothing",
        id.0,
        step,
        user.map(|user| user.0) as Option<Uuid>
    )
    .execute(&mut **tx)
    .await?;
    let row = sqlx::query!("select call_key, provider_id from job_calls where job_id = $1 and step = $2", id.0, step)
        .fetch_one(&mut **tx)
        .await?;
    Ok(Call { key: row.call_key, provider_id: row.provider_id })
}

pub(super) async fn called(tx: &mut Tx, id: JobId, step: &str, provider_id: &str) -> AppResult<()> {
    sqlx::query!("update job_calls set provider_id = $3 where job_id = $1 and step = $2", id.0, step, provider_id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// How jobs that were not done go back.
pub(super) enum Back {
    /// After a while that doubles with each attempt, beginning with twice this; or to the dead when it was the last one.
    Retry(Duration),
    /// After so long, and the attempt does not count, except for jobs that are a day old.
    Later(Duration),
    /// To the dead.
    Never,
    /// At once, and the attempt does not count: the process ends.
    Free,
}

impl Back {
    /// Whether it is the end, whether the attempt counts, whether it counts for old jobs, what is waited, and what is
    /// waited twice, four times, eight times.
    fn rule(self) -> (bool, bool, bool, f64, f64) {
        match self {
            Self::Retry(first) => (false, true, true, 0.0, first.as_secs_f64()),
            Self::Later(wait) => (false, false, true, wait.as_secs_f64(), 0.0),
            Self::Never => (true, true, true, 0.0, 0.0),
            Self::Free => (false, false, false, 0.0, 0.0),
        }
    }
}

/// Gives jobs back whose tokens these are; how many of them went back into the queue, and how many are dead.
pub(super) async fn give_back(tx: &mut Tx, tokens: &[Uuid], why: &str, back: Back) -> AppResult<(u64, u64)> {
    let why: String = why.chars().take(500).collect();
    let (is_end, counts, counts_when_old, wait, doubling) = back.rule();
    let dead = sqlx::query!(
        "with gone as (
             delete from job_queue where running and lease_token = any($1) and ($3 or (attempts >= max_attempts
                 and ($4 or ($5 and created_at < now() - interval '1 day'))))
             returning *)
         insert into dead_jobs (job_id, lane, kind, user_id, priority, lease_seconds, attempts, max_attempts, dedupe_key, mutex_key,
             payload, error, history, created_at)
         select job_id, lane, kind, user_id, priority, lease_seconds, attempts, max_attempts, dedupe_key, mutex_key,
             payload, $2, case when jsonb_array_length(history) >= 20 then history - 0 else history end
                 || jsonb_build_object('at', now(), 'error', left($2, 200)), created_at from gone",
        tokens,
        why,
        is_end,
        counts,
        counts_when_old
    )
    .execute(&mut **tx)
    .await?;
    // Twenty lines of history are enough for anybody, and small enough to stay in the row.
    let waiting = sqlx::query!(
        "update job_queue set running = false, lease_token = null, lease_until = null, node_id = null,
             attempts = attempts - case when $3 or ($4 and created_at < now() - interval '1 day') then 0 else 1 end,
             run_at = now() + make_interval(secs => $5 + least(300, $6 * power(2, attempts)) * (0.5 + random())),
             error = $2,
             history = case when jsonb_array_length(history) >= 20 then history - 0 else history end
                 || jsonb_build_object('at', now(), 'error', left($2, 200))
         where running and lease_token = any($1)",
        tokens,
        why,
        counts,
        counts_when_old,
        wait,
        doubling
    )
    .execute(&mut **tx)
    .await?;
    Ok((waiting.rows_affected(), dead.rows_affected()))
}

/// The tokens of jobs whose processes have not been heard of; locked until the transaction ends.
pub(super) async fn left_behind(tx: &mut Tx) -> AppResult<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        r#"select lease_token as "token!" from job_queue where running and lease_until < now()
           order by job_id limit 100 for update skip locked"#
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// Writes down what comes round. A plan keeps its next time when the process starts again.
pub(super) async fn plan(tx: &mut Tx, plan: &Plan) -> AppResult<()> {
    sqlx::query!(
        "insert into schedules (name, every) values ($1, make_interval(secs => $2))
         on conflict (name) do update set every = excluded.every, next_at = least(schedules.next_at, now() + excluded.every)
             where schedules.every <> excluded.every",
        plan.name,
        plan.every.as_secs_f64()
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Names of plans that are due. The update is the claim, and what it brings about stands in the same transaction.
pub(super) async fn due(tx: &mut Tx, names: &[String]) -> AppResult<Vec<String>> {
    Ok(sqlx::query_scalar!(
        "with due as (select name from schedules where next_at <= now() and name = any($1) for update skip locked)
         update schedules s set next_at = case when s.next_at + s.every > now() then s.next_at + s.every else now() + s.every end
         from due where s.name = due.name returning s.name",
        names
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// Deletes dead jobs after 90 days, and calls of jobs that are over after 30.
pub(super) async fn forget(db: &Db) -> AppResult<()> {
    let mut tx = db.queue().await?;
    sqlx::query!("delete from dead_jobs where died_at < now() - interval '90 days'").execute(&mut *tx).await?;
    sqlx::query!(
        "delete from job_calls c where created_at < now() - interval '30 days'
             and not exists (select from job_queue q where q.job_id = c.job_id)
             and not exists (select from dead_jobs d where d.job_id = c.job_id)"
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

/// How a lane stands, over all processes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LaneFigures {
    /// Name of the lane.
    pub lane: String,
    /// Jobs that could begin now.
    pub ready: i64,
    /// Jobs for later: planned, or to be tried again.
    pub waiting: i64,
    /// Jobs that are being done.
    pub running: i64,
    /// Seconds for which the oldest could have begun.
    pub oldest: f64,
    /// Jobs that were given up and are kept.
    pub dead: i64,
}

/// How all lanes stand that have anything in them.
///
/// # Errors
/// When the database cannot be reached.
pub async fn figures(tx: &mut Tx) -> AppResult<Vec<LaneFigures>> {
    Ok(sqlx::query_as!(
        LaneFigures,
        r#"select coalesce(q.lane, d.lane) as "lane!", coalesce(ready, 0) as "ready!", coalesce(waiting, 0) as "waiting!",
               coalesce(running, 0) as "running!", coalesce(oldest, 0) as "oldest!", coalesce(dead, 0) as "dead!"
           from (select lane, count(*) filter (where not running and run_at <= now()) as ready,
                     count(*) filter (where not running and run_at > now()) as waiting,
                     count(*) filter (where running) as running,
                     extract(epoch from max(now() - run_at) filter (where not running and run_at <= now()))::float8 as oldest
                 from job_queue group by lane) q
           full join (select lane, count(*) as dead from dead_jobs group by lane) d on d.lane = q.lane
           order by 1"#
    )
    .fetch_all(&mut **tx)
    .await?)
}
