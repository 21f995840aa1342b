//! Looks after the queue: brings back what dead processes left, and queues what comes round.

use super::{
    Job, JobCtx, Lane, Outcome, Queued,
    runner::jittered,
    store::{self, Back, New},
};
use crate::{error::AppResult, server::AppState, server::telemetry::figures};
use serde::{Deserialize, Serialize};

/// What is said of a job whose process has not been heard of.
const LEFT: &str = "The process that did it went away.";

/// Looks now and every few seconds until the process ends: every process does, and each finds what the others do not.
pub(super) async fn run(app: AppState) {
    let mut has_planned = false;
    loop {
        if let Err(error) = bring_back(&app).await {
            tracing::warn!(%error, "jobs of dead processes were not looked for");
        }
        if !has_planned {
            has_planned =
                plan(&app).await.inspect_err(|error| tracing::warn!(%error, "plans are not written down yet")).is_ok();
        }
        if !app.draining.is_cancelled()
            && let Err(error) = come_round(&app).await
        {
            tracing::warn!(%error, "what comes round was not looked for");
        }
        tokio::select! {
            () = tokio::time::sleep(jittered(app.jobs.pace.sweep)) => {}
            () = app.shutdown.cancelled() => return,
        }
    }
}

async fn bring_back(app: &AppState) -> AppResult<()> {
    let mut tx = app.db.queue().await?;
    let tokens = store::left_behind(&mut tx).await?;
    if tokens.is_empty() {
        return Ok(());
    }
    let (back, dead) = store::give_back(&mut tx, &tokens, LEFT, Back::Retry(app.jobs.pace.backoff)).await?;
    tx.commit().await?;
    tracing::warn!(back, dead, "jobs were left behind by a process that went away");
    figures::jobs_left_behind(back + dead);
    Ok(())
}

async fn plan(app: &AppState) -> AppResult<()> {
    if app.jobs.kinds.plans().is_empty() {
        return Ok(());
    }
    let mut tx = app.db.queue().await?;
    for plan in app.jobs.kinds.plans() {
        store::plan(&mut tx, plan).await?;
    }
    tx.commit().await
}

/// Queues what is due, in the transaction that says when it is due next.
async fn come_round(app: &AppState) -> AppResult<()> {
    let plans = app.jobs.kinds.plans();
    if plans.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = plans.iter().map(|plan| plan.name.to_owned()).collect();
    let mut tx = app.db.queue().await?;
    let due = store::due(&mut tx, &names).await?;
    let mut queued = Vec::new();
    for plan in plans.iter().filter(|plan| due.iter().any(|name| name == plan.name)) {
        queued.push(Queued { id: store::add(&mut tx, None, &New::planned(plan)).await?, lane: plan.lane });
    }
    tx.commit().await?;
    queued.into_iter().for_each(|queued| app.jobs.ring(queued));
    Ok(())
}

/// Forgets what was given up long ago, and calls that nobody will ask about any more.
#[derive(Debug, Serialize, Deserialize)]
pub struct Tidy;

impl Job for Tidy {
    const NAME: &'static str = "jobs.tidy";
    const LABEL: &'static str = "Delete old records of jobs";
    const LANE: Lane = Lane::UPKEEP;

    async fn run(self, ctx: JobCtx) -> Outcome {
        ctx.after(store::forget(&ctx.app.db)).await
    }
}
