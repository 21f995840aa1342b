//! Who works on a summon: tasks of the server with a lease, and who hears of them. What is done is in `attempt`.

use super::{JobStatus, attempt::Attempt, store, write::Halt};
use crate::{
    error::AppResult,
    ids::JobId,
    server::{
        AppState,
        bell::{Bell, Heard, Ring},
        telemetry::figures,
    },
};
use dashmap::DashMap;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Rung when a job has come further.
const JOB: char = 'j';
/// Rung when a job of another process should stop.
const STOP: char = 'k';

/// The summons of this process, by job, and who watches those of others.
#[derive(Default)]
pub struct Summons {
    live: DashMap<JobId, CancellationToken>,
    watchers: DashMap<JobId, watch::Sender<()>>,
    bell: Bell,
}

impl Summons {
    /// None yet; other processes hear of them over the bell.
    #[must_use]
    pub fn new(bell: Bell) -> Self {
        Self { bell, ..Self::default() }
    }

    /// Another process did something, or may have.
    pub fn hear(&self, heard: Heard) {
        match heard {
            Heard::Ring(Ring(JOB, id)) => {
                if let Some(watcher) = self.watchers.get(&JobId(id)) {
                    watcher.send_replace(());
                }
            }
            Heard::Ring(Ring(STOP, id)) => {
                if let Some(token) = self.live.get(&JobId(id)) {
                    token.cancel();
                }
            }
            Heard::Ring(_) => {}
            Heard::Anything => self.watchers.iter().for_each(|w| w.send_replace(())),
        }
    }

    /// Lets other processes know that a job has come further.
    pub(super) fn tell(&self, id: JobId) {
        self.bell.ring(JOB, id.0);
    }

    /// How many this process works on.
    #[must_use]
    pub fn count(&self) -> usize {
        self.live.len()
    }

    /// Wakes whenever another process has come further with a job.
    #[must_use]
    pub fn watch(&self, id: JobId) -> watch::Receiver<()> {
        self.watchers.retain(|_, sender| sender.receiver_count() > 0);
        self.watchers.entry(id).or_insert_with(|| watch::Sender::new(())).subscribe()
    }
}

/// The topic of one attempt at a job. Each attempt has its own, so that an ended stream is never taken up again.
#[must_use]
pub const fn topic_id(job: JobId, attempt: i32) -> Uuid {
    Uuid::from_u128(job.0.as_u128() ^ (attempt.unsigned_abs() as u128))
}

/// Starts the work on a job. Does nothing if somebody works on it already.
///
/// # Errors
/// When the database cannot be reached.
pub async fn start(app: &AppState, id: JobId) -> AppResult<()> {
    let Some(claim) = store::claim(app, id).await? else { return Ok(()) };
    let cancel = app.shutdown.child_token();
    app.summons.live.insert(id, cancel.clone());
    let topic = app.hub.open(topic_id(id, claim.attempt));
    let app_ = app.clone();
    app.tasks.spawn(async move {
        let app = app_;
        let (id, attempt) = (claim.id, claim.attempt);
        let began = std::time::Instant::now();
        let lease = hold_lease(app.clone(), id, attempt, cancel.clone());
        let done = cancel.clone();
        let result = tokio::select! {
            result = Attempt::new(app.clone(), claim, Arc::clone(&topic), cancel.clone()).run() => result,
            // Never ends before the work unless the lease is lost.
            () = lease => Err(Halt::Stopped),
        };
        done.cancel();
        let seconds = began.elapsed().as_secs_f32();
        let (status, message, event) = match result {
            Ok(finished) => {
                tracing::info!(job = %id, seconds, "summoned");
                (JobStatus::Done, String::new(), ("done", json!(finished)))
            }
            Err(Halt::Stopped) if app.shutdown.is_cancelled() => interrupted(),
            Err(Halt::Shutdown) => interrupted(),
            Err(Halt::Stopped) => (JobStatus::Stopped, String::new(), ("stopped", json!({}))),
            Err(Halt::Failed(message)) => {
                tracing::warn!(job = %id, seconds, message, "a summon failed");
                let data = json!({"message": message});
                (JobStatus::Failed, message, ("failed", data))
            }
        };
        if let Err(error) = store::end(&app, id, attempt, status, &message).await {
            tracing::error!(job = %id, %error, "the end of a summon could not be written down");
        }
        figures::summon_ended(status.as_str(), began.elapsed());
        topic.push(event.0, event.1.to_string());
        app.summons.tell(id);
        app.summons.live.remove_if(&id, |_, token| token.is_cancelled());
        app.hub.close(topic_id(id, attempt));
    });
    Ok(())
}

fn interrupted() -> (JobStatus, String, (&'static str, serde_json::Value)) {
    (JobStatus::Interrupted, String::new(), ("interrupted", json!({})))
}

/// Stops a job at once, here or in the process that works on it.
pub fn cancel(app: &AppState, id: JobId) {
    match app.summons.live.get(&id) {
        Some(token) => token.cancel(),
        None => app.summons.bell.ring(STOP, id.0),
    }
}

/// Renews the lease until the work ends; returns when it was lost.
async fn hold_lease(app: AppState, id: JobId, attempt: i32, cancel: CancellationToken) {
    let every = Duration::from_secs_f64(store::LEASE_SECONDS / 4.0);
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = cancel.cancelled() => std::future::pending().await,
        }
        // A database that is away for a moment is no reason to stop.
        if let Ok(false) = store::renew(&app, id, attempt).await {
            cancel.cancel();
            return;
        }
    }
}

/// Looks for jobs that were left behind, at the start and now and then.
pub fn watch(app: &AppState) {
    let app_ = app.clone();
    app.tasks.spawn(async move {
        loop {
            if let Err(error) = store::sweep(&app_).await {
                tracing::warn!(%error, "left-behind jobs could not be looked for");
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(20)) => {}
                () = app_.shutdown.cancelled() => return,
            }
        }
    });
}
