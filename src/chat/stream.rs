//! Server-sent events: a reply as it is written, and a conversation's pulse.
//!
//! A stream only reads; whether anybody listens makes no difference to the run. Event ids are offsets in bytes of UTF-8,
//! so `Last-Event-ID` goes on exactly where a connection broke. A run of this process is read from its memory, any other
//! from its row, which is read once for all who follow it. Streams end with the session that opened them, and at shutdown
//! with `reconnect`.

use super::{
    run::{End, Phase, Progress, tail},
    store::{self, Pulse},
};
use crate::{
    error::AppResult,
    ids::{ConversationId, MessageId, RunId},
    server::{
        AppState, Ctx,
        lookout::Followed,
        markdown,
        pass::{self, reconnect},
    },
};
use axum::{
    http::HeaderMap,
    response::{Response, sse::Event},
};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::{collections::VecDeque, time::Duration};
use tokio::sync::watch;

pub use crate::server::pass::Pass;

/// Where a client wants to go on: the header of a browser that reconnects, or else the query.
#[must_use]
pub fn offset(headers: &HeaderMap, after: Option<u64>) -> usize {
    let header = headers.get("last-event-id").and_then(|v| v.to_str().ok()).and_then(|v| v.trim().parse().ok());
    usize::try_from(header.or(after).unwrap_or(0)).unwrap_or(usize::MAX)
}

fn event(name: &str, data: &Value) -> Event {
    Event::default().event(name).data(data.to_string())
}

/// Runs that other processes write, by their rows. Whether somebody may follow one was asked when they began.
impl Followed for RunId {
    type News = Progress;
    const EVERY: Duration = Duration::from_millis(500);

    async fn look(app: &AppState, runs: &[Self]) -> AppResult<Vec<(Self, Progress)>> {
        let mut rows = store::run_rows(&app.db, runs).await?;
        let gone = || Progress { phase: Phase::Ended(End::Gone), ..Progress::default() };
        Ok(runs.iter().map(|run| (*run, rows.remove(run).map_or_else(gone, Progress::from))).collect())
    }
}

/// What a tab must know of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beat {
    /// It was not looked at yet.
    Unknown,
    /// As it is.
    At(Pulse),
    /// It was deleted.
    Deleted,
}

/// Conversations, for what happens in them here and elsewhere.
impl Followed for ConversationId {
    type News = Beat;
    const EVERY: Duration = Duration::from_secs(4);

    async fn look(app: &AppState, conversations: &[Self]) -> AppResult<Vec<(Self, Beat)>> {
        let mut pulses = store::pulses(&app.db, conversations).await?;
        Ok(conversations.iter().map(|id| (*id, pulses.remove(id).map_or(Beat::Deleted, Beat::At))).collect())
    }
}

/// The events of one run, from an offset. `accepted` comes first, if given: the run was begun by this very request.
///
/// # Errors
/// `NotFound`, also for somebody else's run.
pub async fn run(ctx: Ctx, pass: Pass, id: RunId, offset: usize, accepted: Option<Value>) -> AppResult<Response> {
    let begun_here = ctx.app.runs.get(id).filter(|_| accepted.is_some());
    let (message, from, is_here) = match begun_here {
        Some(live) => (live.message_id, live.watch(), true),
        None => {
            let mut tx = ctx.begin().await?;
            let row = store::run_row(&mut tx, id).await?;
            drop(tx);
            let message = row.message_id;
            match ctx.app.runs.get(id) {
                Some(live) => (message, live.watch(), true),
                None if row.status.is_open() => (message, ctx.app.runs.follow(&ctx.app, id, row.into()), false),
                None => (message, watch::channel(Progress::from(row)).1, false),
            }
        }
    };
    let waiting = accepted.iter().map(|data| event("accepted", data)).collect();
    let app = ctx.app;
    // Whoever begins to read has read no thoughts.
    let taken_back = if offset == 0 { from.borrow().taken_back } else { 0 };
    let reader = Reader {
        app: app.clone(),
        id,
        message,
        from,
        is_here,
        offset,
        taken_back,
        told: None,
        waiting,
        is_new: true,
        done: None,
        over: false,
    };
    let events = stream::unfold(reader, |mut reader| async move { Some((reader.next().await?, reader)) });
    Ok(pass::guarded(&app, pass, "run", events))
}

/// Who reads a run, and how far.
struct Reader {
    app: AppState,
    id: RunId,
    message: MessageId,
    from: watch::Receiver<Progress>,
    /// This process writes it.
    is_here: bool,
    /// Words before this have been told.
    offset: usize,
    /// How often words were taken back before.
    taken_back: u32,
    /// The phase that was told last.
    told: Option<Phase>,
    /// Events that were made and not yet given.
    waiting: VecDeque<Event>,
    /// Nothing has been read yet.
    is_new: bool,
    /// The end of a reply whose words have not been drawn yet.
    done: Option<End>,
    over: bool,
}

impl Reader {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            if let Some(done) = self.done.take() {
                self.finish(done).await;
                continue;
            }
            if self.over {
                return None;
            }
            let is_new = std::mem::take(&mut self.is_new);
            if !is_new && self.from.changed().await.is_err() {
                self.gone();
            } else {
                self.read();
            }
        }
    }

    /// Makes events of what is new.
    fn read(&mut self) {
        let (phase, reset, text, end) = {
            let now = self.from.borrow_and_update();
            // What was read so far was a thought, here or before a connection broke: all of it is told anew.
            let is_ahead = self.is_here && self.offset > now.text.len();
            let reset = now.taken_back != self.taken_back || is_ahead;
            self.taken_back = now.taken_back;
            let (text, end) = tail(&now.text, if reset { 0 } else { self.offset });
            ((self.told.as_ref() != Some(&now.phase)).then(|| now.phase.clone()), reset, text, end)
        };
        match &phase {
            Some(Phase::Queued(place)) if *place > 0 => self.tell("queued", &json!({ "place": place })),
            Some(Phase::Started) => self.tell("started", &json!({})),
            _ => {}
        }
        if reset {
            self.offset = end;
            self.waiting.push_back(event("reset", &json!({ "text": text })).id(end.to_string()));
        } else if !text.is_empty() {
            self.offset = end;
            let words = event("delta", &json!({ "text": text })).id(end.to_string());
            self.waiting.push_back(words);
        }
        match phase {
            Some(Phase::Ended(end)) => self.end(end),
            Some(phase) => self.told = Some(phase),
            None => {}
        }
    }

    fn tell(&mut self, name: &str, data: &Value) {
        self.waiting.push_back(event(name, data));
    }

    fn end(&mut self, end: End) {
        match end {
            done @ End::Done { .. } => self.done = Some(done),
            End::Failed(message) => self.tell("failed", &json!({ "message": message })),
            End::Stopped => self.tell("stopped", &json!({})),
            End::Interrupted => {
                self.tell("interrupted", &json!({}));
                if self.app.shutdown.is_cancelled() {
                    self.waiting.push_back(reconnect());
                }
            }
            End::Gone => return self.gone(),
        }
        self.over = true;
    }

    /// The last event of a reply, with its words as they are drawn.
    async fn finish(&mut self, done: End) {
        let End::Done { content, finish, note } = done else { return };
        let data = json!({
            "message_id": self.message,
            "html": markdown::drawn(&content).await,
            "content": content,
            "finish": finish,
            "note": note,
        });
        self.waiting.push_back(event("done", &data).id(content.len().to_string()));
    }

    /// This process does not write it any more; the row knows the rest, if there is one.
    fn gone(&mut self) {
        if !std::mem::take(&mut self.is_here) {
            self.over = true;
            return;
        }
        self.told = None;
        self.is_new = true;
        self.from = self.app.runs.follow(&self.app, self.id, Progress::default());
    }
}

/// The pulse of a conversation: `changed` at once and whenever something happens in it.
///
/// # Errors
/// `NotFound`, also for somebody else's conversation.
pub async fn conversation(ctx: Ctx, pass: Pass, id: ConversationId) -> AppResult<Response> {
    // First, so that nothing happens between the two.
    let beats = ctx.app.runs.watch(&ctx.app, id);
    let mut tx = ctx.begin().await?;
    let pulse = store::pulse(&mut tx, id).await?;
    drop(tx);
    let changed = |pulse: &Pulse| event("changed", &json!({ "revision": pulse.revision, "run_id": pulse.run_id }));
    let first = changed(&pulse);
    let events = stream::unfold(Some((beats, pulse)), move |talk| async move {
        let (mut beats, told) = talk?;
        loop {
            beats.changed().await.ok()?;
            let beat = beats.borrow_and_update().clone();
            match beat {
                Beat::At(now) if now != told => return Some((changed(&now), Some((beats, now)))),
                Beat::Deleted => return Some((event("deleted", &json!({})), None)),
                Beat::At(_) | Beat::Unknown => {}
            }
        }
    });
    Ok(pass::guarded(&ctx.app, pass, "conversation", stream::once(std::future::ready(first)).chain(events)))
}
