//! A circuit breaker: a provider that fails again and again is left alone for a while.
//!
//! After [`FAILURES`] failures in a row nobody is sent to it for a rest, then a single reply tries. When that fails, too,
//! the rest is twice as long, up to [`LONGEST_REST`]. Whoever is turned away hears so at once instead of after a
//! time-out, and a chain goes on to its next model.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Failures in a row after which it opens.
pub const FAILURES: u32 = 5;
/// The first rest.
pub const FIRST_REST: Duration = Duration::from_secs(20);
/// No rest is longer.
pub const LONGEST_REST: Duration = Duration::from_secs(300);
/// A try that says nothing for so long was forgotten.
const PROBE: Duration = Duration::from_secs(900);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// Open until then; afterwards one may try.
    open: Option<(Instant, Duration)>,
    /// Since when one tries.
    probing: Option<Instant>,
}

/// How a provider stands.
#[derive(Debug, Default)]
pub struct Breaker {
    state: Mutex<State>,
}

/// Permission to ask. Tells the breaker how it went; dropping it says nothing.
#[derive(Debug)]
pub struct Permit<'a> {
    breaker: &'a Breaker,
    probe: bool,
}

impl Breaker {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Permission to ask.
    ///
    /// # Errors
    /// The seconds to wait, while it is left alone.
    pub fn enter(&self) -> Result<Permit<'_>, u32> {
        self.enter_at(Instant::now())
    }

    fn enter_at(&self, now: Instant) -> Result<Permit<'_>, u32> {
        let mut state = self.state();
        let Some((until, _)) = state.open else { return Ok(Permit { breaker: self, probe: false }) };
        if now < until {
            return Err(seconds(until - now));
        }
        if state.probing.is_some_and(|since| now < since + PROBE) {
            return Err(1);
        }
        state.probing = Some(now);
        Ok(Permit { breaker: self, probe: true })
    }

    /// Seconds of rest that are left; `None` when it may be asked.
    pub fn resting(&self) -> Option<u32> {
        self.resting_at(Instant::now())
    }

    fn resting_at(&self, now: Instant) -> Option<u32> {
        let (until, _) = self.state().open?;
        (now < until).then(|| seconds(until - now))
    }
}

impl Permit<'_> {
    /// It answered.
    pub fn well(mut self) {
        self.probe = false;
        *self.breaker.state() = State::default();
    }

    /// It failed in a way that others would meet, too.
    pub fn badly(self) {
        self.badly_at(Instant::now());
    }

    fn badly_at(mut self, now: Instant) {
        let probe = std::mem::take(&mut self.probe);
        let mut state = self.breaker.state();
        state.failures = state.failures.saturating_add(1);
        let rest = match state.open {
            Some((_, rest)) if probe => (rest * 2).min(LONGEST_REST),
            None if state.failures >= FAILURES => FIRST_REST,
            // Others that were under way when it opened.
            _ => return,
        };
        state.probing = None;
        state.open = Some((now + rest, rest));
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.probe {
            self.breaker.state().probing = None;
        }
    }
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Breaker, now: Instant, times: u32) {
        for _ in 0..times {
            breaker.enter_at(now).expect("a permit").badly_at(now);
        }
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_tries_one() {
        let breaker = Breaker::default();
        let start = Instant::now();
        fail(&breaker, start, FAILURES - 1);
        breaker.enter_at(start).expect("a permit").well();
        fail(&breaker, start, FAILURES - 1);
        assert_eq!(breaker.resting_at(start), None);
        let late = breaker.enter_at(start).expect("a permit");
        fail(&breaker, start, 1);
        late.badly_at(start);
        assert_eq!(breaker.enter_at(start).err(), Some(20), "one more that was under way changes nothing");
        assert_eq!(breaker.resting_at(start), Some(20));

        let then = start + FIRST_REST;
        assert_eq!(breaker.resting_at(then), None);
        let probe = breaker.enter_at(then).expect("one may try");
        assert_eq!(breaker.enter_at(then).err(), Some(1), "the others wait for it");
        drop(probe);
        breaker.enter_at(then).expect("a try that was given up lets the next one in").badly_at(then);
        assert_eq!(breaker.enter_at(then).err(), Some(40), "twice as long");

        let then = then + Duration::from_secs(40);
        breaker.enter_at(then).expect("one may try").well();
        breaker.enter_at(then).expect("all may").badly_at(then);
        assert_eq!(breaker.resting_at(then), None, "one failure is none in a row");
    }

    #[test]
    fn rests_grow_to_a_limit() {
        let breaker = Breaker::default();
        let mut now = Instant::now();
        fail(&breaker, now, FAILURES);
        for _ in 0..10 {
            now += LONGEST_REST;
            breaker.enter_at(now).expect("one may try").badly_at(now);
        }
        assert_eq!(breaker.resting_at(now), Some(300));
    }

    #[test]
    fn a_try_that_was_forgotten_does_not_lock_it() {
        let breaker = Breaker::default();
        let start = Instant::now();
        fail(&breaker, start, FAILURES);
        let then = start + FIRST_REST;
        let forgotten = breaker.enter_at(then).expect("one may try");
        assert!(breaker.enter_at(then + PROBE).is_ok());
        drop(forgotten);
    }
}
