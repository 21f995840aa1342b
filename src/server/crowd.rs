//! How many of a kind are open for one person or address in this process: streams, files, connections.
//!
//! A limit per request says nothing about what stays open. A place is taken for as long as the thing lives and given back
//! by dropping it.

use crate::error::{AppError, AppResult};
use dashmap::DashMap;
use std::{fmt::Display, sync::Arc};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Connections from one address.
    Connection,
    /// Streams of events of one person.
    Stream,
    /// Files that are being written for one person.
    Export,
}

/// Who holds how many.
#[derive(Debug, Default)]
pub struct Crowd {
    held: DashMap<(Kind, String), u32>,
}

/// One place. Dropping it gives it back.
#[derive(Debug)]
pub struct Held {
    crowd: Arc<Crowd>,
    key: (Kind, String),
}

impl Drop for Held {
    fn drop(&mut self) {
        self.crowd.held.remove_if_mut(&self.key, |_, count| {
            *count = count.saturating_sub(1);
            *count == 0
        });
    }
}

impl Crowd {
    /// A place for `whom`, unless they hold `most` already.
    #[must_use]
    pub fn hold(self: &Arc<Self>, kind: Kind, whom: impl Display, most: u32) -> Option<Held> {
        let key = (kind, whom.to_string());
        let mut count = self.held.entry(key.clone()).or_insert(0);
        if *count >= most {
            return None;
        }
        *count += 1;
        drop(count);
        Some(Held { crowd: Arc::clone(self), key })
    }

    /// As [`Crowd::hold`].
    ///
    /// # Errors
    /// `TooMany` with these words.
    pub fn take(self: &Arc<Self>, kind: Kind, whom: impl Display, most: u32, words: &str) -> AppResult<Held> {
        self.hold(kind, whom, most).ok_or_else(|| AppError::TooMany { message: words.to_owned(), retry_after: 5 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back() {
        let crowd = Arc::new(Crowd::default());
        let (first, second) = (crowd.hold(Kind::Stream, "ada", 2), crowd.hold(Kind::Stream, "ada", 2));
        assert!(first.is_some() && second.is_some());
        assert!(crowd.hold(Kind::Stream, "ada", 2).is_none());
        assert!(crowd.hold(Kind::Stream, "eve", 2).is_some(), "another person's are others");
        assert!(crowd.hold(Kind::Export, "ada", 2).is_some(), "another kind's are others");
        drop(first);
        let third = crowd.hold(Kind::Stream, "ada", 2);
        assert!(third.is_some());
        drop((second, third));
        assert!(crowd.held.is_empty(), "nothing is kept of those who left");
    }
}
