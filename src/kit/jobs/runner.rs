//! Does jobs: claims them, renews their leases, and writes down how they ended.

use super::{
    End, JobCtx, Kind, Lane, Outcome, Running,
    store::{self, Back, Claimed},
    upkeep,
};
use crate::{error::AppResult, server::AppState, server::telemetry::figures};
use futures::FutureExt;
use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// What a job that was told to end has left for it.
const GRACE: Duration = Duration::from_secs(2);

/// Begins to do jobs, until the process drains: what is under way then goes on, and nothing new is begun.
pub fn start(app: &AppState) {
    for lane in app.jobs.lanes() {
        app.tasks.spawn(serve(app.clone(), lane));
    }
    app.tasks.spawn(keep_leases(app.clone()));
    app.tasks.spawn(upkeep::run(app.clone()));
}

/// Half again as long at most, so that processes that began together do not look together.
pub(super) fn jittered(time: Duration) -> Duration {
    time.mul_f64(rand::random_range(0.75..1.25))
}

async fn ending(app: &AppState) {
    tokio::select! {
        () = app.draining.cancelled() => {}
        () = app.shutdown.cancelled() => {}
    }
}

/// Takes jobs out of one lane, as many at a time as it has places.
async fn serve(app: AppState, lane: Lane) {
    let Some((_, bell)) = app.jobs.lanes.get(lane.name) else { return };
    let kinds = app.jobs.kinds.of_lane(lane);
    let places = Arc::new(Semaphore::new(lane.places));
    loop {
        let place = tokio::select! {
            biased;
            () = ending(&app) => return,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let Ok(place) = place else { return };
        match store::claim(&app.db, lane, &kinds, app.node.0).await {
            Ok(Some(claimed)) => {
                let span = tracing::info_span!("job", job = %claimed.id, kind = claimed.kind);
                app.tasks.spawn(attempt(app.clone(), lane, claimed, place).instrument(span));
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, lane = lane.name, "the queue could not be looked into"),
        }
        drop(place);
        tokio::select! {
            () = ending(&app) => return,
            () = bell.notified() => {}
            () = tokio::time::sleep(jittered(app.jobs.pace.poll)) => {}
        }
    }
}

/// One attempt at one job, from its claim to its end.
async fn attempt(app: AppState, lane: Lane, claimed: Claimed, place: OwnedSemaphorePermit) {
    let (began, token, gone) = (Instant::now(), claimed.token, CancellationToken::new());
    let running = Running { id: claimed.id, until: began + claimed.lease, lease: claimed.lease, gone: gone.clone() };
    app.jobs.running.insert(token, running);
    figures::job_began(lane.name, claimed.waited);
    let kind = claimed.kind.clone();
    let outcome = match app.jobs.kinds.get(&kind) {
        Some(known) => work(&app, known, claimed, gone).await,
        // Claims name the kinds that are known.
        None => Ended::Free,
    };
    let word = match settle(&app, token, outcome).await {
        Ok(word) => word,
        Err(error) => {
            // The lease runs out, and whoever looks then finds it.
            tracing::warn!(%error, "how a job ended could not be written down");
            "unknown"
        }
    };
    // Names of kinds are constants of the program, and those of the claim are among them.
    figures::job_ended(kind, word, began.elapsed());
    app.jobs.running.remove(&token);
    drop(place);
    // Somebody may have waited for the mutex, or for a place of the same person.
    app.jobs.wake(lane.id());
}

/// How an attempt came to its end.
enum Ended {
    /// By itself.
    Itself(Outcome),
    /// The process ends.
    Free,
    /// It took too long.
    Late(Duration),
    /// It is not this process's any more.
    Gone,
}

async fn work(app: &AppState, kind: &Kind, claimed: Claimed, gone: CancellationToken) -> Ended {
    let cancel = CancellationToken::new();
    let Claimed { id, user, attempt, token, payload, .. } = claimed;
    let ctx = JobCtx { app: app.clone(), id, user, attempt, cancel: cancel.clone(), token };
    let mut job = std::pin::pin!(AssertUnwindSafe(kind.run(payload, ctx)).catch_unwind());
    let told = tokio::select! {
        done = &mut job => return Ended::Itself(done.unwrap_or_else(|_| broke())),
        () = gone.cancelled() => Ended::Gone,
        () = app.shutdown.cancelled() => Ended::Free,
        () = tokio::time::sleep(kind.limit) => Ended::Late(kind.limit),
    };
    cancel.cancel();
    match tokio::time::timeout(GRACE, job).await {
        Ok(Ok(done @ Outcome(End::Done))) => Ended::Itself(done),
        _ => told,
    }
}

fn broke() -> Outcome {
    tracing::error!("a job panicked");
    Outcome::retry("Something broke while this was done.")
}

/// Writes down how an attempt ended, and gives the word for it.
async fn settle(app: &AppState, token: uuid::Uuid, ended: Ended) -> AppResult<&'static str> {
    let (word, why, back) = match ended {
        Ended::Itself(outcome) => {
            let word = outcome.word();
            match outcome.0 {
                End::Done | End::Lost => return Ok(word),
                End::Retry(why) => (word, why, Back::Retry(app.jobs.pace.backoff)),
                End::Later(wait, why) => (word, why, Back::Later(wait)),
                End::Never(why) => (word, why, Back::Never),
            }
        }
        Ended::Gone => return Ok("lost"),
        Ended::Late(limit) => {
            ("retry", format!("It took longer than {} seconds.", limit.as_secs()), Back::Retry(app.jobs.pace.backoff))
        }
        Ended::Free => ("free", "The process that did it was stopped.".to_owned(), Back::Free),
    };
    let mut tx = app.db.queue().await?;
    let settled = store::give_back(&mut tx, &[token], &why, back).await?;
    tx.commit().await?;
    Ok(match settled {
        (0, 0) => "lost",
        (0, _) => {
            tracing::error!(why, "a job was given up; an admin can try it again");
            "dead"
        }
        _ => {
            tracing::info!(why, "a job went back into the queue");
            word
        }
    })
}

/// Renews the leases of all jobs that this process does, together, until it ends.
async fn keep_leases(app: AppState) {
    let every = app.jobs.kinds.renew_every();
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = app.shutdown.cancelled() => return,
        }
        let tokens: Vec<_> = app.jobs.running.iter().map(|running| *running.key()).collect();
        if tokens.is_empty() {
            continue;
        }
        let asked = Instant::now();
        let lost = match store::renew(&app.db, &tokens).await {
            Ok(lost) => Some(lost),
            Err(error) => {
                tracing::warn!(%error, jobs = tokens.len(), "leases of jobs were not renewed yet");
                None
            }
        };
        for token in tokens {
            let Some(mut running) = app.jobs.running.get_mut(&token) else { continue };
            match &lost {
                Some(lost) if lost.contains(&token) => running.gone.cancel(),
                Some(_) => running.until = asked + running.lease,
                None if running.until < Instant::now() => running.gone.cancel(),
                None => {}
            }
        }
    }
}
