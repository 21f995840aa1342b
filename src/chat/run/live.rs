//! A run of this process as whoever reads it sees it.

use crate::{
    chat::{
        RunStatus,
        store::{RunRow, Start},
    },
    ids::MessageId,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What a run is doing, as streams see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Others are before it; 1 is next, 0 is unknown.
    Queued(u32),
    /// The model has begun.
    Started,
    /// Nothing will follow.
    Ended(End),
}

/// How a run ended, as streams see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Complete.
    Done {
        /// The reply as it stays.
        content: String,
        /// `end`, `stop` or `length`.
        finish: String,
        /// What there is to say about it; mostly nothing.
        note: String,
    },
    /// The model could not.
    Failed(String),
    /// Somebody stopped it.
    Stopped,
    /// The process goes away.
    Interrupted,
    /// The reply was deleted, or somebody else writes it.
    Gone,
}

impl End {
    /// One word for the figures.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Done { .. } => "done",
            Self::Failed(_) => "failed",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
            Self::Gone => "gone",
        }
    }
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The words so far.
    pub text: String,
    /// How often words were taken back: they were thoughts.
    pub taken_back: u32,
    /// What it is doing.
    pub phase: Phase,
}

impl Default for Progress {
    fn default() -> Self {
        Self { text: String::new(), taken_back: 0, phase: Phase::Queued(0) }
    }
}

impl From<RunRow> for Progress {
    fn from(row: RunRow) -> Self {
        let phase = match row.status {
            RunStatus::Queued => Phase::Queued(0),
            RunStatus::Streaming => Phase::Started,
            RunStatus::Done => {
                Phase::Ended(End::Done { content: row.content.clone(), finish: row.finish, note: row.error })
            }
            RunStatus::Failed => Phase::Ended(End::Failed(row.error)),
            RunStatus::Stopped => Phase::Ended(End::Stopped),
            RunStatus::Interrupted => Phase::Ended(End::Interrupted),
        };
        Self { text: row.content, taken_back: 0, phase }
    }
}

/// A run of this process while it lasts.
pub struct Live {
    /// Which reply it writes.
    pub message_id: MessageId,
    /// Bytes that the reply had before.
    pub(super) begun: usize,
    progress: watch::Sender<Progress>,
    /// Somebody wants it to end.
    pub(super) stop: CancellationToken,
    /// Its reply is no longer for it to write.
    pub(super) gone: CancellationToken,
}

impl Live {
    pub(super) fn new(start: &Start) -> Self {
        Self {
            message_id: start.message_id,
            begun: start.kept.len(),
            progress: watch::Sender::new(Progress { text: start.kept.clone(), ..Progress::default() }),
            stop: CancellationToken::new(),
            gone: CancellationToken::new(),
        }
    }

    pub(super) fn set(&self, phase: Phase) {
        self.progress.send_modify(|progress| progress.phase = phase);
    }

    /// Adds words; the length before and after them.
    pub(super) fn add(&self, text: &str) -> (usize, usize) {
        let mut before = 0;
        self.progress.send_modify(|progress| {
            before = progress.text.len();
            progress.text.push_str(text);
        });
        (before, before + text.len())
    }

    /// Forgets all words after this many bytes: they were a thought.
    pub(super) fn take_back(&self, length: usize) {
        self.progress.send_modify(|progress| {
            progress.text.truncate(progress.text.floor_char_boundary(length));
            progress.taken_back += 1;
        });
    }

    /// What it is doing.
    pub(super) fn phase(&self) -> Phase {
        self.progress.borrow().phase.clone()
    }

    /// Bytes of the reply so far.
    pub(super) fn length(&self) -> usize {
        self.progress.borrow().text.len()
    }

    /// The last character of the reply so far.
    pub(super) fn last(&self) -> Option<char> {
        self.progress.borrow().text.chars().next_back()
    }

    /// Nothing will follow.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.progress.borrow().phase, Phase::Ended(_))
    }

    /// The words so far.
    #[must_use]
    pub fn text(&self) -> String {
        self.progress.borrow().text.clone()
    }

    /// Wakes with every change, and shows it.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }
}

/// What a text says after an offset in bytes, and the offset of its end; an offset inside a character or past the end counts
/// as the place before.
#[must_use]
pub fn tail(text: &str, offset: usize) -> (String, usize) {
    let start = text.floor_char_boundary(offset.min(text.len()));
    (text.get(start..).unwrap_or_default().to_owned(), text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_never_cut_a_character() {
        let text = "héllo ☂ 世界";
        for offset in 0..=text.len() + 3 {
            let (rest, end) = tail(text, offset);
            assert_eq!(end, text.len());
            assert!(text.ends_with(&rest));
            assert!(rest.len() <= text.len().saturating_sub(offset) + 3);
        }
        assert_eq!(tail(text, 2).0, "éllo ☂ 世界");
    }
}
