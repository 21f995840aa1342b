//! What callers hand to the engine.

use super::Shared;
use super::line::Who;
use crate::{
    ai::{Chunk, Finish, FinishReason, Message, ModelError, Request},
    server::telemetry::figures,
};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// One wish of a caller.
pub(super) enum Command {
    /// Write a reply.
    Reply(Box<Job>),
    /// Read a prompt ahead when there is nothing else to do.
    Warm(Vec<Message>),
    /// Look at the stop flag.
    Wake,
}

/// Counts a reply as long as it waits or runs.
pub(super) struct Ticket(pub Arc<Shared>);

impl Drop for Ticket {
    fn drop(&mut self) {
        let before = self.0.outstanding.fetch_sub(1, Ordering::AcqRel);
        figures::local_model(before.saturating_sub(1), self.0.parallel);
    }
}

/// A reply somebody waits for. However it is dropped, its receiver hears how it ended.
pub(super) struct Job {
    pub request: Request,
    /// For whom it is.
    pub who: Who,
    cancel: CancellationToken,
    out: mpsc::Sender<Result<Chunk, ModelError>>,
    /// The place last told; 0 when none was.
    place: u32,
    ended: bool,
    _ticket: Ticket,
}

impl Job {
    pub(super) fn new(
        request: Request,
        who: Who,
        cancel: CancellationToken,
        out: mpsc::Sender<Result<Chunk, ModelError>>,
        ticket: Ticket,
    ) -> Self {
        Self { request, who, cancel, out, place: 0, ended: false, _ticket: ticket }
    }

    /// Whether nobody wants it any more.
    pub(super) fn unwanted(&self) -> bool {
        self.cancel.is_cancelled() || self.out.is_closed()
    }

    /// Tells the place in the queue if it changed.
    pub(super) fn queued(&mut self, place: u32) {
        if self.place != place {
            self.place = place;
            self.send(Chunk::Queued { place });
        }
    }

    pub(super) fn send(&self, chunk: Chunk) {
        // The channel has room for all chunks of a reply; a closed one is noticed by `unwanted`.
        let _ = self.out.try_send(Ok(chunk));
    }

    pub(super) fn fail(mut self, error: ModelError) {
        self.ended = true;
        let _ = self.out.try_send(Err(error));
    }

    pub(super) fn done(mut self, finish: Finish) {
        self.ended = true;
        self.send(Chunk::Done(finish));
    }

    /// Ends a reply that was cancelled before it began.
    pub(super) fn cancelled(self) {
        let finish = Finish {
            reason: FinishReason::Cancelled,
            prompt_tokens: 0,
            cached_tokens: 0,
            cache_write_tokens: 0,
            reply_tokens: 0,
        };
        self.done(finish);
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.out.try_send(Err(ModelError::Failed("it was interrupted; please try again".to_owned())));
        }
    }
}
