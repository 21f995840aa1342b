//! The right by which a stream was opened, looked at again while the stream is open.
//!
//! A request is let in once; a stream lives on. Signing out, ending a device, a new password, a closed account, a revoked
//! token or another role take effect on open streams within [`CHECK_EVERY`] and the time of one query.

use super::{AppState, Ctx, session, telemetry::figures::OpenStream};
use crate::{
    accounts::Role,
    error::AppResult,
    ids::{SessionId, UserId},
};
use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{Stream, StreamExt};
use std::{convert::Infallible, time::Duration};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// How often a stream makes sure that its right still stands.
pub const CHECK_EVERY: Duration = Duration::from_secs(3);

/// By what the right was had.
#[derive(Clone)]
enum Key {
    /// A signed-in device. By its id: its token changes when the password is typed again, and the device stays.
    Session(SessionId),
    /// A personal API token.
    Bearer(String),
}

/// The right by which a stream was opened.
#[derive(Clone)]
pub struct Pass {
    key: Key,
    user: UserId,
    role: Role,
}

/// What has become of a right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It stands.
    Good,
    /// It is another one now: whoever comes back is looked at anew.
    Changed,
    /// It is over.
    Ended,
}

impl Pass {
    /// Of a request that was let in.
    ///
    /// # Errors
    /// `SignInRequired` if nobody is signed in.
    pub fn of(ctx: &Ctx, headers: &HeaderMap) -> AppResult<Self> {
        let viewer = ctx.require()?;
        let key = match viewer.session {
            Some(session) => Key::Session(session),
            None => {
                let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
                let token = bearer.and_then(|v| v.strip_prefix("Bearer ")).unwrap_or_default();
                Key::Bearer(token.to_owned())
            }
        };
        Ok(Self { key, user: viewer.id, role: viewer.role })
    }

    /// Whether it still stands. A database that is away ends nothing.
    pub async fn standing(&self, app: &AppState) -> Standing {
        let role = match &self.key {
            Key::Session(id) => session::role_of(&app.db, self.user, *id).await,
            Key::Bearer(token) => {
                let found = session::find_by_bearer(&app.db, token).await;
                found.map(|viewer| viewer.filter(|v| v.id == self.user).map(|v| v.role))
            }
        };
        match role {
            Ok(Some(role)) if role == self.role => Standing::Good,
            Ok(Some(_)) => Standing::Changed,
            Ok(None) => Standing::Ended,
            Err(_) => Standing::Good,
        }
    }
}

/// The last event of a stream whose process ends: come back in a moment, to this address or to another process behind it.
///
/// The pause differs from stream to stream, so that not everybody comes back at once. A browser sends the id of the last
/// event along, and the stream goes on from there.
pub fn reconnect() -> Event {
    let pause = 1000 + u64::from(rand::random::<u16>() % 2000);
    let hint = serde_json::json!({ "retry_ms": pause });
    Event::default().event("reconnect").retry(Duration::from_millis(pause)).data(hint.to_string())
}

/// A response of server-sent events, kept alive and passed on at once by proxies.
pub fn response(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15)).text("still here");
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    let out = response.headers_mut();
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    out.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// Sends events as long as `pass` stands and the process lives; tells the reader which of the two it was.
pub fn guarded(
    app: AppState,
    pass: Pass,
    kind: &'static str,
    events: impl Stream<Item = Event> + Send + 'static,
) -> Response {
    let (sender, receiver) = mpsc::channel(16);
    tokio::spawn(async move {
        let mut open = OpenStream::new(kind);
        let mut events = std::pin::pin!(events);
        let mut check = tokio::time::interval(CHECK_EVERY);
        // The first tick is at once, and the request was looked at just now.
        check.tick().await;
        let (last, reason) = loop {
            tokio::select! {
                biased;
                () = sender.closed() => break (None, "left"),
                _ = check.tick() => match pass.standing(&app).await {
                    Standing::Good => {}
                    Standing::Changed => break (Some(reconnect()), "session"),
                    Standing::Ended => break (Some(Event::default().event("signed_out").data("{}")), "session"),
                },
                event = events.next() => match event {
                    Some(event) => {
                        open.sent();
                        if sender.send(Ok(event)).await.is_err() {
                            break (None, "left");
                        }
                    }
                    None => break (None, "complete"),
                },
                () = app.shutdown.cancelled() => break (Some(reconnect()), "shutdown"),
            }
        };
        open.ends(reason);
        if let Some(last) = last {
            let _ = sender.send(Ok(last)).await;
        }
    });
    response(ReceiverStream::new(receiver))
}
