//! The right by which a stream was opened, looked at again while the stream is open.
//!
//! A request is let in once; a stream lives on. Signing out, ending a device, a new password, a closed account, a revoked
//! token or another role take effect on open streams within [`CHECK_EVERY`] and the time of one query, which asks for all
//! streams of the process.
//!
//! A stream has no task and no queue of its own: whoever writes to its connection asks it for the next event, and what it
//! waits for tells it over a receiver. An open stream in which nothing happens costs little more than its connection.

use super::{
    AppState, Ctx,
    api::ApiError,
    crowd::{Held, Kind},
    lookout::{Followed, Lookout},
    session,
    telemetry::figures::OpenStream,
};
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
use futures::{Stream, StreamExt, stream};
use std::{convert::Infallible, pin::Pin, time::Duration};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often the rights of all open streams are looked at.
pub const CHECK_EVERY: Duration = Duration::from_secs(3);

/// By what the right was had.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    /// A signed-in device. By its id: its token changes when the password is typed again, and the device stays.
    Session(SessionId),
    /// The hash of a personal API token.
    Bearer(Vec<u8>),
}

/// The right by which a stream was opened. Streams of one device share it.
#[derive(Clone, PartialEq, Eq, Hash)]
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

/// The rights by which streams are open.
pub type Passes = Lookout<Pass>;

impl Pass {
    /// Of a request that was let in.
    ///
    /// # Errors
    /// `SignInRequired` if nobody is signed in.
    pub fn of(ctx: &Ctx, headers: &HeaderMap) -> AppResult<Self> {
        let viewer = ctx.talker()?;
        let key = match viewer.session {
            Some(session) => Key::Session(session),
            None => {
                let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
                let token = bearer.and_then(|v| v.strip_prefix("Bearer ")).unwrap_or_default();
                Key::Bearer(session::hash_token(token))
            }
        };
        Ok(Self { key, user: viewer.id, role: viewer.role })
    }
}

impl Followed for Pass {
    type News = Standing;
    const EVERY: Duration = CHECK_EVERY;

    async fn look(app: &AppState, passes: &[Self]) -> AppResult<Vec<(Self, Standing)>> {
        let (mut sessions, mut tokens) = (Vec::new(), Vec::new());
        for pass in passes {
            match &pass.key {
                Key::Session(id) => sessions.push(*id),
                Key::Bearer(hash) => tokens.push(hash.clone()),
            }
        }
        let devices = session::roles_of_sessions(&app.db, &sessions).await?;
        let programs = session::roles_of_tokens(&app.db, &tokens).await?;
        let standing = |pass: &Self| {
            let found = match &pass.key {
                Key::Session(id) => devices.get(id),
                Key::Bearer(hash) => programs.get(hash),
            };
            match found {
                Some((user, role)) if *user == pass.user && *role == pass.role => Standing::Good,
                Some((user, _)) if *user == pass.user => Standing::Changed,
                _ => Standing::Ended,
            }
        };
        Ok(passes.iter().map(|pass| (pass.clone(), standing(pass))).collect())
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

/// An open stream.
struct Guarded {
    /// The place among the streams of this person, until the end.
    #[expect(dead_code, reason = "it is dropped with the stream")]
    held: Held,
    events: Pin<Box<dyn Stream<Item = Event> + Send>>,
    standing: watch::Receiver<Standing>,
    shutdown: CancellationToken,
    open: OpenStream,
}

impl Guarded {
    /// The next event and whether more may follow; `None` at the end.
    async fn next(&mut self) -> Option<(Event, bool)> {
        let (last, reason) = loop {
            match *self.standing.borrow_and_update() {
                Standing::Good => {}
                Standing::Changed => break (reconnect(), "session"),
                Standing::Ended => break (Event::default().event("signed_out").data("{}"), "session"),
            }
            tokio::select! {
                biased;
                event = self.events.next() => {
                    if event.is_some() {
                        self.open.sent();
                    } else {
                        self.open.ends("complete");
                    }
                    return event.map(|event| (event, true));
                }
                () = self.shutdown.cancelled() => break (reconnect(), "shutdown"),
                changed = self.standing.changed() => if changed.is_err() {
                    // Nobody looks any more, as at the end of the process.
                    break (reconnect(), "shutdown");
                },
            }
        };
        self.open.ends(reason);
        Some((last, false))
    }
}

/// Sends events as long as `pass` stands and the process lives, tells the reader which of the two it was, and keeps the
/// connection alive; proxies pass each event on at once.
pub fn guarded(
    app: &AppState,
    pass: Pass,
    kind: &'static str,
    events: impl Stream<Item = Event> + Send + 'static,
) -> Response {
    let most = app.config.most(app.config.bounds.streams_per_person);
    let words = "Too many of your pages are open at once. Close some of them.";
    let held = match app.crowd.take(Kind::Stream, pass.user, most, words) {
        Ok(held) => held,
        Err(error) => return ApiError(error).into_response(),
    };
    let guarded = Guarded {
        held,
        events: Box::pin(events),
        standing: app.passes.follow(app, pass, Standing::Good),
        shutdown: app.shutdown.clone(),
        open: OpenStream::new(kind),
    };
    let events = stream::unfold(Some(guarded), |guarded| async move {
        let mut guarded = guarded?;
        let (event, goes_on) = guarded.next().await?;
        Some((Ok::<_, Infallible>(event), goes_on.then_some(guarded)))
    });
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15)).text("still here");
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    let out = response.headers_mut();
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    out.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}
