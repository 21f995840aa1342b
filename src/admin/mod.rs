//! What admins look after that belongs to no other room: the work behind the scenes.

pub mod api;

#[cfg(feature = "ssr")]
pub mod routes;
#[cfg(feature = "ssr")]
pub mod store;
#[cfg(feature = "ssr")]
pub mod view;

use crate::ids::{JobId, Stamp};
use serde::{Deserialize, Serialize};

/// The admin's page about jobs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobsPage {
    /// The queues, by name.
    pub lanes: Vec<LaneView>,
    /// Jobs in the queue: running first, then failed ones, then those that wait longest.
    pub open: Vec<JobView>,
    /// Jobs that were given up, the newest first.
    pub dead: Vec<JobView>,
    /// What is done regularly, and when next.
    pub plans: Vec<(String, Stamp)>,
    /// Whether the password was typed within the last five minutes.
    pub fresh: bool,
}

/// How a queue stands, over all processes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LaneView {
    /// Its name.
    pub name: String,
    /// Jobs that could begin now.
    pub ready: i64,
    /// Jobs for later.
    pub waiting: i64,
    /// Jobs that are being done.
    pub running: i64,
    /// Jobs that were given up.
    pub dead: i64,
    /// Seconds for which the oldest could have begun.
    pub oldest: u64,
    /// Nothing is taken from it for now.
    pub is_paused: bool,
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobState {
    /// Being done since then.
    Running,
    /// Went wrong, and will be tried again then.
    Failed,
    /// Waits since then, or until then.
    Waiting,
    /// Was given up then.
    Dead,
}

/// A job as an admin sees it: what and for whom, never what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobView {
    /// Its id.
    pub id: JobId,
    /// What it does.
    pub label: String,
    /// What it is called in the code.
    pub kind: String,
    /// The queue.
    pub lane: String,
    /// Username of whose it is; empty for the site's own.
    pub whose: String,
    /// How it stands.
    pub state: JobState,
    /// Since or until when.
    pub at: Stamp,
    /// Attempts so far.
    pub attempts: i16,
    /// Attempts before it is given up.
    pub most: i16,
    /// What went wrong, attempt by attempt, the newest last.
    pub history: Vec<(Stamp, String)>,
}
