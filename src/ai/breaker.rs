//! A circuit breaker: a provider that fails again and again is left alone for a while.
