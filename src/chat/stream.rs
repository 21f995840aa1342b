//! Server-sent events: a reply as it is written, and a conversation's pulse.
//!
//! A stream only reads; whether anybody listens makes no difference to the run. Event ids are offsets in bytes of UTF-8,
//! so `Last-Event-ID` goes on exactly where a connection broke. A run of this process is read from memory, any other from
//! its row. Streams end with the session that opened them, and at shutdown with `reconnect`.

use super::{
    RunStatus,
    run::{End, Live, Phase, tail},
    store,
};
use crate::{
    error::AppResult,
    ids::{ConversationId, MessageId, RunId},
    server::{
        Ctx, markdown,
        pass::{self, CHECK_EVERY, Standing},
        telemetry::figures::OpenStream,
    },
};
use axum::{
    http::HeaderMap,
    response::{Response, sse::Event},
};
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

pub use crate::server::pass::Pass;

/// How often the row of another process's run is read.
const POLL_EVERY: Duration = Duration::from_millis(500);
/// How often a conversation is looked at for what other processes did.
const PULSE_EVERY: Duration = Duration::from_secs(4);

/// Where a client wants to go on: the header of a browser that reconnects, or else the query.
#[must_use]
pub fn offset(headers: &HeaderMap, after: Option<u64>) -> usize {
    let header = headers.get("last-event-id").and_then(|v| v.to_str().ok()).and_then(|v| v.trim().parse().ok());
    usize::try_from(header.or(after).unwrap_or(0)).unwrap_or(usize::MAX)
}

/// One stream on its way out.
struct Out {
    ctx: Ctx,
    pass: Pass,
    sender: mpsc::Sender<Result<Event, Infallible>>,
    checked: Instant,
    open: OpenStream,
}

/// Why a stream is woken.
enum Wake {
    News,
    Closed,
}

impl Out {
    /// `false` when nobody listens any more.
    async fn send(&self, name: &str, data: &Value, id: Option<usize>) -> bool {
        let event = Event::default().event(name).data(data.to_string());
        let event = match id {
            Some(id) => event.id(id.to_string()),
            None => event,
        };
        self.open.sent();
        self.sender.send(Ok(event)).await.is_ok()
    }

    /// The last event before this process ends.
    async fn reconnect(&self) {
        let _ = self.sender.send(Ok(pass::reconnect())).await;
    }

    /// Waits for news or at most `longest`; closes at shutdown, when nobody listens, or when the session has ended.
    async fn wait(&mut self, news: impl Future<Output = ()>, longest: Duration) -> Wake {
        let until_check = CHECK_EVERY.saturating_sub(self.checked.elapsed());
        tokio::select! {
            biased;
            () = self.ctx.app.shutdown.cancelled() => {
                self.reconnect().await;
                self.open.ends("shutdown");
                return Wake::Closed;
            }
            () = self.sender.closed() => {
                self.open.ends("left");
                return Wake::Closed;
            }
            () = news => {}
            () = tokio::time::sleep(longest.min(until_check)) => {}
        }
        if self.checked.elapsed() >= CHECK_EVERY {
            match self.pass.standing(&self.ctx.app).await {
                Standing::Good => self.checked = Instant::now(),
                over => {
                    match over {
                        Standing::Changed => self.reconnect().await,
                        _ => drop(self.send("signed_out", &json!({}), None).await),
                    }
                    self.open.ends("session");
                    return Wake::Closed;
                }
            }
        }
        Wake::News
    }
}

fn open(ctx: Ctx, pass: Pass, kind: &'static str) -> (Out, Response) {
    let (sender, receiver) = mpsc::channel(32);
    let out = Out { ctx, pass, sender, checked: Instant::now(), open: OpenStream::new(kind) };
    (out, pass::response(ReceiverStream::new(receiver)))
}

/// The events of one run, from an offset. `accepted` comes first, if given.
///
/// # Errors
/// `NotFound`, also for somebody else's run.
pub async fn run(ctx: Ctx, pass: Pass, id: RunId, offset: usize, accepted: Option<Value>) -> AppResult<Response> {
    let mut tx = ctx.begin().await?;
    store::run_row(&mut tx, id).await?;
    drop(tx);
    let (out, response) = open(ctx, pass, "run");
    tokio::spawn(async move {
        if let Some(data) = accepted
            && !out.send("accepted", &data, None).await
        {
            return;
        }
        follow(out, id, offset).await;
    });
    Ok(response)
}

async fn follow(mut out: Out, id: RunId, mut offset: usize) {
    if let Some(live) = out.ctx.app.runs.get(id)
        && !follow_live(&mut out, &live, &mut offset).await
    {
        return;
    }
    follow_row(&mut out, id, offset).await;
}

/// From memory. `true` when the row knows the rest.
async fn follow_live(out: &mut Out, live: &Arc<Live>, offset: &mut usize) -> bool {
    let mut changed = live.watch();
    let mut told: Option<Phase> = None;
    loop {
        changed.mark_unchanged();
        let fresh = live.after(*offset);
        if told.as_ref() != Some(&fresh.phase) {
            let sent = match &fresh.phase {
                Phase::Queued(0) | Phase::Ended(_) => true,
                Phase::Queued(place) => out.send("queued", &json!({ "place": place }), None).await,
                Phase::Started => out.send("started", &json!({}), None).await,
            };
            if !sent {
                return false;
            }
        }
        if !fresh.text.is_empty() {
            *offset = fresh.offset;
            if !out.send("delta", &json!({ "text": fresh.text }), Some(fresh.offset)).await {
                return false;
            }
        }
        if let Phase::Ended(end) = &fresh.phase {
            match end {
                End::Done { content, finish, note } => {
                    done(out, live.message_id, content, finish, note.unwrap_or_default()).await
                }
                End::Failed(message) => {
                    out.send("failed", &json!({ "message": message }), None).await;
                }
                End::Stopped => {
                    out.send("stopped", &json!({}), None).await;
                }
                End::Interrupted => {
                    out.send("interrupted", &json!({}), None).await;
                    if out.ctx.app.shutdown.is_cancelled() {
                        out.reconnect().await;
                    }
                }
                End::Gone => return true,
            }
            return false;
        }
        told = Some(fresh.phase);
        let news = async {
            let _ = changed.changed().await;
        };
        if matches!(out.wait(news, CHECK_EVERY).await, Wake::Closed) {
            return false;
        }
    }
}

/// From the row: the run has ended, or another process writes it.
async fn follow_row(out: &mut Out, id: RunId, mut offset: usize) {
    let mut started = false;
    loop {
        let read = async {
            let mut tx = out.ctx.begin().await?;
            store::run_row(&mut tx, id).await
        };
        match read.await {
            Ok(row) => {
                if row.status == RunStatus::Streaming && !started {
                    started = true;
                    if !out.send("started", &json!({}), None).await {
                        return;
                    }
                }
                let (text, end) = tail(&row.content, offset);
                if !text.is_empty() {
                    offset = end;
                    if !out.send("delta", &json!({ "text": text }), Some(end)).await {
                        return;
                    }
                }
                match row.status {
                    RunStatus::Queued | RunStatus::Streaming => {}
                    RunStatus::Done => return done(out, row.message_id, &row.content, &row.finish, &row.error).await,
                    RunStatus::Failed => {
                        out.send("failed", &json!({ "message": row.error }), None).await;
                        return;
                    }
                    RunStatus::Stopped | RunStatus::Interrupted => {
                        out.send(row.status.as_str(), &json!({}), None).await;
                        return;
                    }
                }
            }
            Err(crate::error::AppError::NotFound) => return,
            // The database comes back, and the stream with it.
            Err(_) => {}
        }
        if matches!(out.wait(tokio::time::sleep(POLL_EVERY), POLL_EVERY).await, Wake::Closed) {
            return;
        }
    }
}

async fn done(out: &Out, message: MessageId, content: &str, finish: &str, note: &str) {
    let data = json!({
        "message_id": message,
        "html": markdown::render(content),
        "content": content,
        "finish": finish,
        "note": note,
    });
    out.send("done", &data, Some(content.len())).await;
}

/// The pulse of a conversation: `changed` at once and whenever something happens in it.
///
/// # Errors
/// `NotFound`, also for somebody else's conversation.
pub async fn conversation(ctx: Ctx, pass: Pass, id: ConversationId) -> AppResult<Response> {
    let mut changed = ctx.app.runs.watch(id);
    let mut tx = ctx.begin().await?;
    let mut pulse = store::pulse(&mut tx, id).await?;
    drop(tx);
    let (mut out, response) = open(ctx, pass, "conversation");
    tokio::spawn(async move {
        loop {
            let data = json!({ "revision": pulse.revision, "run_id": pulse.run_id });
            if !out.send("changed", &data, None).await {
                return;
            }
            // Until there is something that this tab does not know.
            loop {
                let news = async {
                    if changed.changed().await.is_err() {
                        std::future::pending::<()>().await;
                    }
                };
                if matches!(out.wait(news, PULSE_EVERY).await, Wake::Closed) {
                    return;
                }
                let read = async {
                    let mut tx = out.ctx.begin().await?;
                    store::pulse(&mut tx, id).await
                };
                match read.await {
                    Ok(now) if now == pulse => {}
                    Ok(now) => {
                        pulse = now;
                        break;
                    }
                    Err(crate::error::AppError::NotFound) => {
                        out.send("deleted", &json!({}), None).await;
                        return;
                    }
                    Err(_) => {}
                }
            }
        }
    });
    Ok(response)
}
