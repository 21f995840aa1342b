//! What admins see of the queue and do to it. The queue is the process's alone, so its transactions are those of the process;
//! who may ask stands here.

use super::{JobState, JobView, JobsPage, LaneView};
use crate::{
    error::{AppError, AppResult},
    ids::{JobId, Stamp},
    kit::jobs::{self, Jobs},
    server::{Ctx, Tx, settings},
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;

/// Jobs that are listed, of the open and of the dead.
const SHOWN: i64 = 50;

/// A moment to the second: what happens here happens quickly.
fn moment(at: DateTime<Utc>) -> Stamp {
    Stamp { text: at.format("%-d %B, %H:%M:%S UTC").to_string(), ..at.into() }
}

/// Everything on the page.
///
/// # Errors
/// `SignInRequired`; `NotFound` for everybody but admins.
pub async fn page(ctx: &Ctx) -> AppResult<JobsPage> {
    let viewer = ctx.require()?;
    viewer.require_admin()?;
    let mut tx = ctx.app.db.system().await?;
    let plans = sqlx::query!("select name, next_at from schedules order by next_at, name").fetch_all(&mut *tx).await?;
    Ok(JobsPage {
        lanes: lanes(&mut tx, &ctx.app.jobs).await?,
        open: open(&mut tx, &ctx.app.jobs).await?,
        dead: dead(&mut tx, &ctx.app.jobs).await?,
        plans: plans.into_iter().map(|row| (ctx.app.jobs.label(&row.name), moment(row.next_at))).collect(),
        fresh: viewer.is_fresh(),
    })
}

/// Those of this process, and those that others have put something into.
async fn lanes(tx: &mut Tx, jobs: &Jobs) -> AppResult<Vec<LaneView>> {
    let paused = sqlx::query_scalar!("select lane from paused_lanes").fetch_all(&mut **tx).await?;
    let mut lanes: Vec<LaneView> = jobs::figures(tx)
        .await?
        .into_iter()
        .map(|lane| LaneView {
            ready: lane.ready,
            waiting: lane.waiting,
            running: lane.running,
            dead: lane.dead,
            oldest: std::time::Duration::from_secs_f64(lane.oldest.max(0.0)).as_secs(),
            name: lane.lane,
            is_paused: false,
        })
        .collect();
    for name in jobs.lanes().map(|lane| lane.name.to_owned()).chain(paused.iter().cloned()) {
        if lanes.iter().all(|lane| lane.name != name) {
            lanes.push(LaneView { name, ..LaneView::default() });
        }
    }
    lanes.sort_by(|a, b| a.name.cmp(&b.name));
    lanes.iter_mut().for_each(|lane| lane.is_paused = paused.contains(&lane.name));
    Ok(lanes)
}

/// A line of a job's history, as its row holds it.
#[derive(Deserialize)]
struct Ended {
    at: DateTime<Utc>,
    error: String,
}

fn history(value: serde_json::Value) -> Vec<(Stamp, String)> {
    let lines: Vec<Ended> = serde_json::from_value(value).unwrap_or_default();
    lines.into_iter().map(|line| (moment(line.at), line.error)).collect()
}

async fn open(tx: &mut Tx, jobs: &Jobs) -> AppResult<Vec<JobView>> {
    let rows = sqlx::query!(
        r#"select q.job_id, q.kind, q.lane, q.running, q.attempts, q.max_attempts, q.history, q.error is not null as "failed!",
               case when q.running then coalesce(q.started_at, q.run_at) else q.run_at end as "at!", p.username as "username?"
           from job_queue q left join profiles p on p.user_id = q.user_id
           order by q.running desc, q.error is null, q.run_at, q.job_id limit $1"#,
        SHOWN
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| JobView {
            id: JobId(row.job_id),
            label: jobs.label(&row.kind),
            kind: row.kind,
            lane: row.lane,
            whose: row.username.unwrap_or_default(),
            state: match (row.running, row.failed) {
                (true, _) => JobState::Running,
                (false, true) => JobState::Failed,
                (false, false) => JobState::Waiting,
            },
            at: moment(row.at),
            attempts: row.attempts,
            most: row.max_attempts,
            history: history(row.history),
        })
        .collect())
}

async fn dead(tx: &mut Tx, jobs: &Jobs) -> AppResult<Vec<JobView>> {
    let rows = sqlx::query!(
        r#"select d.job_id, d.kind, d.lane, d.attempts, d.max_attempts, d.history, d.died_at, p.username as "username?"
           from dead_jobs d left join profiles p on p.user_id = d.user_id
           order by d.died_at desc, d.job_id desc limit $1"#,
        SHOWN
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| JobView {
            id: JobId(row.job_id),
            label: jobs.label(&row.kind),
            kind: row.kind,
            lane: row.lane,
            whose: row.username.unwrap_or_default(),
            state: JobState::Dead,
            at: moment(row.died_at),
            attempts: row.attempts,
            most: row.max_attempts,
            history: history(row.history),
        })
        .collect())
}

/// Tries a failed job at once, or a dead one from the beginning.
///
/// # Errors
/// `NotFound` when there is none to try, and for everybody but admins; `ConfirmPassword`; `Conflict` when the same work is
/// in the queue again.
pub async fn retry(ctx: &Ctx, id: JobId) -> AppResult<()> {
    let viewer = ctx.require_admin_change()?;
    let mut tx = ctx.app.db.system().await?;
    let kind = jobs::control::retry(&mut tx, id).await?;
    settings::audit_by(&mut tx, viewer.id, "jobs.retry", &kind, json!({ "job": id })).await?;
    tx.commit().await?;
    ctx.app.jobs.ring_all();
    Ok(())
}

/// Takes a job out of the queue or from among the dead.
///
/// # Errors
/// `NotFound` when it is gone, and for everybody but admins; `ConfirmPassword`.
pub async fn cancel(ctx: &Ctx, id: JobId) -> AppResult<()> {
    let viewer = ctx.require_admin_change()?;
    let mut tx = ctx.app.db.system().await?;
    let kind = jobs::control::cancel(&mut tx, id).await?;
    settings::audit_by(&mut tx, viewer.id, "jobs.cancel", &kind, json!({ "job": id })).await?;
    tx.commit().await?;
    ctx.app.jobs.ring_gone(id);
    Ok(())
}

/// Pauses a queue, or resumes it.
///
/// # Errors
/// `NotFound` for an unknown queue, and for everybody but admins; `ConfirmPassword`.
pub async fn set_paused(ctx: &Ctx, lane: &str, is_paused: bool) -> AppResult<()> {
    let viewer = ctx.require_admin_change()?;
    let mut tx = ctx.app.db.system().await?;
    if lanes(&mut tx, &ctx.app.jobs).await?.iter().all(|known| known.name != lane) {
        return Err(AppError::NotFound);
    }
    jobs::control::set_paused(&mut tx, lane, is_paused).await?;
    let action = if is_paused { "jobs.pause" } else { "jobs.resume" };
    settings::audit_by(&mut tx, viewer.id, action, lane, json!({})).await?;
    tx.commit().await?;
    ctx.app.jobs.ring_all();
    Ok(())
}
