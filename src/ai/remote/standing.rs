//! What was learned about a model of a provider, for as long as the process runs.

use super::Endpoint;
use crate::ai::breaker::Breaker;
use dashmap::DashMap;
use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

/// Models that are remembered; more would be somebody making them up.
const MOST: usize = 2000;

/// How a model of a provider stands.
#[derive(Debug, Default)]
pub(super) struct Standing {
    pub breaker: Breaker,
    quirks: AtomicU16,
}

/// A wish that a model was found not to know. It is not told of it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quirk {
    /// Does not know `stream_options`, and so never tells the cost of a stream.
    NoStreamOptions,
    /// Wants the other name for the length of a reply.
    OtherLength,
    /// Takes no temperature.
    NoSampling,
    /// Takes no words into its mouth.
    NoPrefill,
    /// Takes no stop texts.
    NoStops,
    /// Takes no seed.
    NoSeed,
    /// Has no place for what the application says; it is told with the person's first line.
    NoSystem,
    /// Cannot be held to a JSON schema: no `response_format` of that kind, no tool that must be used.
    NoSchema,
    /// Cannot be held to JSON at all.
    NoJson,
}

/// Several quirks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Quirks(u16);

impl Quirks {
    #[cfg(test)]
    pub fn of(quirks: &[Quirk]) -> Self {
        Self(quirks.iter().fold(0, |all, quirk| all | quirk.bit()))
    }

    pub const fn has(self, quirk: Quirk) -> bool {
        self.0 & quirk.bit() != 0
    }
}

impl Quirk {
    const fn bit(self) -> u16 {
        match self {
            Self::NoStreamOptions => 1,
            Self::OtherLength => 2,
            Self::NoSampling => 4,
            Self::NoPrefill => 8,
            Self::NoStops => 16,
            Self::NoSeed => 32,
            Self::NoSystem => 64,
            Self::NoSchema => 128,
            Self::NoJson => 256,
        }
    }
}

impl Standing {
    pub fn quirks(&self) -> Quirks {
        Quirks(self.quirks.load(Ordering::Relaxed))
    }

    /// True when it was not known.
    pub fn learn(&self, quirk: Quirk) -> bool {
        self.quirks.fetch_or(quirk.bit(), Ordering::Relaxed) & quirk.bit() == 0
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Standings(DashMap<(String, String, String), Arc<Standing>>);

impl Standings {
    pub fn of(&self, endpoint: &Endpoint) -> Arc<Standing> {
        let key = (endpoint.provider.clone(), endpoint.base_url.to_string(), endpoint.model.clone());
        if self.0.len() > MOST && !self.0.contains_key(&key) {
            self.0.clear();
        }
        Arc::clone(&self.0.entry(key).or_default())
    }
}
