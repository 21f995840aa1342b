//! Work that outlives its request: one queue for the whole house, in the database, shared by all processes.
//!
//! A room writes a [`Job`]: a small serializable value that says what is to be done, and an async function that does it. It
//! goes into the queue in the transaction of what caused it ([`queue`] for the person who asks, [`queue_for`] for the process
//! itself), so that there is never one without the other. Some process claims it, does it under a lease, and ends it with
//! [`JobCtx::finish`], in the transaction of its effects: whatever dies, pauses or is done twice meanwhile, the effects are
//! there exactly once. `docs/architecture.md` tells the whole life of a job.

mod ctx;
mod kinds;
mod runner;
mod store;
mod upkeep;

pub use ctx::{Call, JobCtx};
pub use kinds::Kinds;
pub use runner::start;
pub use store::{LaneFigures, control, figures};
pub use upkeep::Tidy;

use crate::{
    error::{AppError, AppResult},
    ids::{JobId, UserId},
    server::{
        Tx,
        bell::{Bell, Heard, Ring},
    },
};
use dashmap::DashMap;
use kinds::Kind;
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long a process may be silent before somebody else does its jobs.
const LEASE: Duration = Duration::from_secs(60);
/// Rung when there is something in a lane.
const LANE: char = 'q';
/// Rung when a job was taken back.
const GONE: char = 'x';

/// Jobs that share the places of a process, and among which people take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// At most 16 letters of ASCII.
    pub name: &'static str,
    /// How many of its jobs one process does at the same time.
    pub places: usize,
    /// How many of them may be one person's, over all processes. Two processes that claim at the same moment may exceed it.
    pub per_person: i64,
}

impl Lane {
    /// Small work that follows replies: nobody waits for it.
    pub const CHAT_SIDE: Self = Self { name: "chat-side", places: 2, per_person: 1 };
    /// The house's own: sweeps and whatever comes round.
    pub const UPKEEP: Self = Self { name: "upkeep", places: 2, per_person: 2 };

    /// The lane as it is rung: its name, in the place of an id.
    fn id(&self) -> Uuid {
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(self.name.bytes()).for_each(|(to, from)| *to = from);
        Uuid::from_bytes(bytes)
    }
}

/// Something to be done: a value that fits into 8 kB of JSON. Ids belong into it, texts do not.
pub trait Job: Serialize + DeserializeOwned + Send + 'static {
    /// What it is called in the database: a room and a verb, `chat.sum_up`. Never changes while such jobs are open.
    const NAME: &'static str;
    /// What it does, for admins: `Sum up a chat`.
    const LABEL: &'static str;
    /// With which jobs it shares places.
    const LANE: Lane;
    /// How long a process may be silent before somebody else does the job. Renewed while it lives.
    const LEASE: Duration = LEASE;
    /// How long one attempt may take.
    const LIMIT: Duration = Duration::from_secs(600);
    /// How often it is tried before it is given up.
    const RETRIES: i16 = 5;

    /// Does it, and ends with [`JobCtx::finish`]. May be dropped at any `.await`, and begun again elsewhere.
    fn run(self, ctx: JobCtx) -> impl Future<Output = Outcome> + Send;
}

/// How an attempt ended. `Done` is only to be had from [`JobCtx::finish`].
#[derive(Debug)]
pub struct Outcome(End);

#[derive(Debug)]
enum End {
    Done,
    Retry(String),
    Later(Duration, String),
    Never(String),
    Lost,
}

impl Outcome {
    /// Went wrong, and may go well next time: tried again after a while, and given up after so many times.
    pub fn retry(why: impl Into<String>) -> Self {
        Self(End::Retry(why.into()))
    }

    /// Somebody said when to come again (429 with `Retry-After`). The attempt is not counted.
    pub fn later(wait: Duration, why: impl Into<String>) -> Self {
        Self(End::Later(wait, why.into()))
    }

    /// Cannot go well: given up at once.
    pub fn never(why: impl Into<String>) -> Self {
        Self(End::Never(why.into()))
    }

    /// For figures.
    const fn word(&self) -> &'static str {
        match self.0 {
            End::Done => "done",
            End::Retry(_) => "retry",
            End::Later(..) => "later",
            End::Never(_) => "never",
            End::Lost => "lost",
        }
    }
}

/// What is our fault or passes by itself is tried again; what was refused stays refused.
impl From<AppError> for Outcome {
    fn from(error: AppError) -> Self {
        let why = error.to_string();
        match error {
            AppError::TooMany { retry_after, .. } => Self::later(Duration::from_secs(u64::from(retry_after)), why),
            AppError::Unavailable { .. }
            | AppError::Internal
            | AppError::Transport { .. }
            | AppError::Conflict { .. } => Self::retry(why),
            _ => Self::never(why),
        }
    }
}

impl From<AppResult<Self>> for Outcome {
    fn from(result: AppResult<Self>) -> Self {
        result.unwrap_or_else(Self::from)
    }
}

/// How a job goes into the queue, where it does not go at once and by itself.
#[derive(Clone, Debug, Default)]
pub struct How {
    /// One open job of the person and the kind with this key: another one is not queued.
    pub dedupe: Option<String>,
    /// One running job with this key, of whatever kind and person.
    pub mutex: Option<String>,
    /// Less comes first; 0 is usual.
    pub priority: i16,
    /// Not before so long.
    pub delay: Duration,
}

impl How {
    /// Once at a time, by this key.
    pub fn once(key: impl Into<String>) -> Self {
        Self { dedupe: Some(key.into()), ..Self::default() }
    }
}

/// A job that is in the queue as soon as the transaction is committed; [`Jobs::ring`] then says so.
#[derive(Clone, Copy, Debug)]
#[must_use = "ring it after the commit, or it waits for somebody to look"]
pub struct Queued {
    /// The job; absent when the same one was open already.
    pub id: Option<JobId>,
    lane: Lane,
}

/// Queues a job for whoever asks, in their transaction.
///
/// # Errors
/// `TooMany` when they have too many open jobs of this kind; `NotFound` for nobody and for the house's own jobs.
pub async fn queue<J: Job>(tx: &mut Tx, job: &J, how: How) -> AppResult<Queued> {
    let id = store::add_own(tx, &store::New::of(job, how)?).await?;
    Ok(Queued { id, lane: J::LANE })
}

/// Queues a job in a transaction of the process: for somebody, or for the house.
///
/// # Errors
/// `TooMany` when they have too many open jobs of this kind.
pub async fn queue_for<J: Job>(tx: &mut Tx, whom: Option<UserId>, job: &J, how: How) -> AppResult<Queued> {
    let id = store::add(tx, whom, &store::New::of(job, how)?).await?;
    Ok(Queued { id, lane: J::LANE })
}

/// Whether a job of whoever asks is open that was queued [`How::once`] with this key.
///
/// # Errors
/// When the database cannot be reached.
pub async fn is_open<J: Job>(tx: &mut Tx, key: &str) -> AppResult<bool> {
    store::is_open(tx, J::NAME, key).await
}

/// Takes back a job of whoever asks, also while it is done: nothing of it will hold. [`Jobs::ring_gone`] after the commit ends it
/// soon. `false`: it is done already, or not theirs.
///
/// # Errors
/// When the database cannot be reached.
pub async fn take_back(tx: &mut Tx, id: JobId) -> AppResult<bool> {
    store::cancel_own(tx, id).await
}

/// How quickly the queue moves where nothing rings. Tests are quicker.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between looks into an empty lane.
    pub poll: Duration,
    /// Between looks for what dead processes left, and for what is due.
    pub sweep: Duration,
    /// What is waited after the first failure is twice this, then four times, and so on.
    pub backoff: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { poll: Duration::from_secs(2), sweep: Duration::from_secs(5), backoff: Duration::from_secs(1) }
    }
}

/// The queue as one process sees it.
pub struct Jobs {
    kinds: Kinds,
    pace: Pace,
    bell: Bell,
    /// By name; the bell of a lane.
    lanes: BTreeMap<&'static str, (Lane, Notify)>,
    /// What this process does, by the token of its lease.
    running: DashMap<Uuid, Running>,
}

/// A job that this process does.
struct Running {
    id: JobId,
    /// Until when others leave it alone, as far as this process knows.
    until: std::time::Instant,
    lease: Duration,
    /// It is somebody else's now, or nobody's.
    gone: CancellationToken,
}

impl Jobs {
    /// For these kinds.
    #[must_use]
    pub fn new(bell: Bell, kinds: Kinds, pace: Pace) -> Self {
        let lanes = kinds.lanes().map(|lane| (lane.name, (lane, Notify::new()))).collect();
        Self { kinds, pace, bell, lanes, running: DashMap::new() }
    }

    /// Says that there is something to do, here and elsewhere. After the commit.
    pub fn ring(&self, queued: Queued) {
        if queued.id.is_some() {
            self.wake(queued.lane.id());
            self.bell.ring(LANE, queued.lane.id());
        }
    }

    /// Ends a job that was taken back, wherever it is done. After the commit.
    pub fn ring_gone(&self, id: JobId) {
        self.stop(id);
        self.bell.ring(GONE, id.0);
    }

    /// Another process did something, or may have.
    pub fn hear(&self, heard: Heard) {
        match heard {
            Heard::Ring(Ring(LANE, lane)) => self.wake(lane),
            Heard::Ring(Ring(GONE, id)) => self.stop(JobId(id)),
            Heard::Ring(_) => {}
            Heard::Anything => self.lanes.values().for_each(|(_, bell)| bell.notify_one()),
        }
    }

    /// How many jobs this process does.
    #[must_use]
    pub fn count(&self) -> usize {
        self.running.len()
    }

    /// Something changed that more than one job may have waited for. After the commit.
    pub fn ring_all(&self) {
        for (lane, bell) in self.lanes.values() {
            bell.notify_one();
            self.bell.ring(LANE, lane.id());
        }
    }

    /// What a kind of job does, in words; its own name where this process does not know it.
    #[must_use]
    pub fn label(&self, kind: &str) -> String {
        self.kinds.get(kind).map_or(kind, |known| known.label).to_owned()
    }

    /// The lanes of this process.
    pub fn lanes(&self) -> impl Iterator<Item = Lane> + '_ {
        self.lanes.values().map(|(lane, _)| *lane)
    }

    fn wake(&self, id: Uuid) {
        if let Some((_, bell)) = self.lanes.values().find(|(lane, _)| lane.id() == id) {
            bell.notify_one();
        }
    }

    fn stop(&self, id: JobId) {
        self.running.iter().filter(|running| running.id == id).for_each(|running| running.gone.cancel());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_not_tried_again() {
        let later = AppError::TooMany { message: "Slowly.".to_owned(), retry_after: 7 };
        for (error, word) in [
            (AppError::NotFound, "never"),
            (AppError::invalid("x", "No."), "never"),
            (AppError::Internal, "retry"),
            (AppError::unavailable("Away."), "retry"),
            (later, "later"),
        ] {
            assert_eq!(Outcome::from(error.clone()).word(), word, "{error:?}");
        }
    }

    #[test]
    fn lanes_are_rung_by_name() {
        assert_ne!(Lane::CHAT_SIDE.id(), Lane::UPKEEP.id());
        let jobs = Jobs::new(Bell::default(), Kinds::default(), Pace::default());
        jobs.hear(Heard::Ring(Ring(LANE, Lane::UPKEEP.id())));
        assert_eq!(jobs.lanes().count(), 0, "a process that does not know a lane leaves it alone");
    }
}
