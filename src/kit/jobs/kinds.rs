//! Which jobs this process can do.

use super::{Job, JobCtx, Lane, Outcome};
use futures::{FutureExt, future::BoxFuture};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// The kinds of jobs that a process knows, and what comes round by itself. Others are left to processes that know them.
#[derive(Clone, Default)]
pub struct Kinds {
    by_name: BTreeMap<&'static str, Kind>,
    plans: Vec<Plan>,
}

/// One kind of job.
#[derive(Clone)]
pub(super) struct Kind {
    pub(super) label: &'static str,
    pub(super) lane: Lane,
    pub(super) lease: Duration,
    pub(super) limit: Duration,
    run: Arc<dyn Fn(Value, JobCtx) -> BoxFuture<'static, Outcome> + Send + Sync>,
}

impl Kind {
    /// Does what the payload says.
    pub(super) fn run(&self, payload: Value, ctx: JobCtx) -> BoxFuture<'static, Outcome> {
        (self.run)(payload, ctx)
    }
}

/// A job that comes round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) name: &'static str,
    pub(super) lane: Lane,
    pub(super) lease: Duration,
    pub(super) retries: i16,
    pub(super) every: Duration,
}

impl Kinds {
    /// And this kind.
    #[must_use]
    pub fn with<J: Job>(mut self) -> Self {
        let run = |payload: Value, ctx: JobCtx| match serde_json::from_value::<J>(payload) {
            Ok(job) => job.run(ctx).boxed(),
            Err(error) => std::future::ready(Outcome::never(format!("It cannot be read: {error}"))).boxed(),
        };
        let kind = Kind { label: J::LABEL, lane: J::LANE, lease: J::LEASE, limit: J::LIMIT, run: Arc::new(run) };
        self.by_name.insert(J::NAME, kind);
        self
    }

    /// And this kind, which the house does so often: once over all processes, and never while the one before is open. Its
    /// payload is empty.
    #[must_use]
    pub fn every<J: Job>(mut self, every: Duration) -> Self {
        self.plans.push(Plan { name: J::NAME, lane: J::LANE, lease: J::LEASE, retries: J::RETRIES, every });
        self.with::<J>()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Kind> {
        self.by_name.get(name)
    }

    pub(super) fn plans(&self) -> &[Plan] {
        &self.plans
    }

    /// Names of the kinds in a lane.
    pub(super) fn of_lane(&self, lane: Lane) -> Vec<String> {
        let here = self.by_name.iter().filter(|(_, kind)| kind.lane.name == lane.name);
        here.map(|(name, _)| (*name).to_owned()).collect()
    }

    /// Every lane that a kind is in, once.
    pub(super) fn lanes(&self) -> impl Iterator<Item = Lane> {
        let lanes: BTreeMap<&str, Lane> = self.by_name.values().map(|kind| (kind.lane.name, kind.lane)).collect();
        lanes.into_values()
    }

    /// How often leases are renewed: three times within the shortest.
    pub(super) fn renew_every(&self) -> Duration {
        self.by_name.values().map(|kind| kind.lease).min().unwrap_or(super::LEASE) / 3
    }
}
