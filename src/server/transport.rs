//! Connections: how they are accepted, how long they may take, and how many there are.
//!
//! A connection is cheap for whoever opens it and holds memory and a file here, so nothing about it lasts for ever: a head
//! that does not arrive, a body that does not come on, an answer that nobody reads and a line that nobody uses are given up
//! (the seconds are in `Config`). Streams of events stay open as long as they like, since their readers read.
//!
//! Only HTTP/1.1 is spoken: what comes here in clear text comes from a proxy or from this machine, and neither needs more.

use super::{
    config::Config,
    crowd::{Crowd, Held, Kind},
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, Request},
};
use hyper::{
    body::{Body as HttpBody, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::{Instant, Sleep, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

/// Bytes of a body that must come within the seconds for a body.
const BODY_STEP: u64 = 256 * 1024;
/// Files that are not for connections: the database, the log, what is being read.
const OTHER_FILES: u64 = 100;
/// Most open files that are asked for; the hard limit may be a million, and nobody needs that.
const MOST_FILES: u64 = 65_536;
/// What those hear who are too many.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// What holds for each connection of a listener.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Until the head of a request is there; also for a new connection that is silent.
    pub head: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// For each [`BODY_STEP`] of a body.
    pub body: Duration,
    /// Until a reader takes something.
    pub reader: Duration,
    /// Connections from one address.
    pub per_address: u32,
    /// Connections in all.
    pub most: usize,
    /// Addresses that are not counted: what stands in front counts there.
    pub uncounted: Vec<IpAddr>,
}

impl Limits {
    /// From the settings, and from how many files this process may open.
    #[must_use]
    pub fn new(config: &Config, files: u64) -> Self {
        let bounds = &config.bounds;
        Self {
            head: Duration::from_secs(bounds.head_seconds),
            idle: Duration::from_secs(bounds.idle_seconds),
            body: Duration::from_secs(bounds.body_seconds),
            reader: Duration::from_secs(bounds.reader_seconds),
            per_address: config.most(bounds.connections_per_address),
            most: usize::try_from(files.saturating_sub(OTHER_FILES).max(16)).unwrap_or(usize::MAX),
            uncounted: config.trusted_proxies.clone(),
        }
    }
}

/// Lets this process open as many files as it may, and says how many: a shell's limit is often 1,024, one for each reader.
#[must_use]
pub fn raise_open_files() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    let current = now.current.unwrap_or(u64::MAX);
    let wanted = now.maximum.unwrap_or(u64::MAX).min(MOST_FILES);
    if wanted <= current {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: now.maximum }) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::warn!(%error, current, "the limit of open files could not be raised");
            current
        }
    }
}

/// Serves until `shutdown`, and then until what was begun has been answered.
pub async fn serve(listener: TcpListener, app: Router, limits: Limits, shutdown: CancellationToken) {
    let (limits, crowd, open) = (Arc::new(limits), Arc::new(Crowd::default()), TaskTracker::new());
    let mut quiet = Instant::now();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_the_other_side(&error) => continue,
            Err(error) => {
                tracing::error!(%error, "no connection could be accepted");
                sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let is_full = open.len() >= limits.most;
        let address = peer.ip().to_canonical();
        let most = if limits.uncounted.contains(&address) { u32::MAX } else { limits.per_address };
        let held =
            if is_full { None } else { crowd.hold(Kind::Connection, super::limits::address_block(address), most) };
        let Some(held) = held else {
            refuse(socket);
            if quiet <= Instant::now() {
                quiet = Instant::now() + Duration::from_secs(60);
                tracing::warn!(%address, connections = open.len(), is_full, "a connection was refused: there are too many");
            }
            continue;
        };
        // A word that is small waits for nothing: without this the kernel holds it back until the one before has been confirmed.
        if let Err(error) = socket.set_nodelay(true) {
            tracing::debug!(%error, "a connection gathers small answers");
        }
        open.spawn(connection(socket, peer, app.clone(), Arc::clone(&limits), shutdown.clone(), held));
    }
    drop(listener);
    open.close();
    open.wait().await;
}

/// Says that there are too many. What does not fit into the buffer of a new connection is not missed.
fn refuse(socket: TcpStream) {
    use std::io::Write;
    let _ = socket.into_std().and_then(|mut socket| socket.write(FULL));
}

fn is_of_the_other_side(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

async fn connection(
    socket: TcpStream,
    peer: SocketAddr,
    app: Router,
    limits: Arc<Limits>,
    shutdown: CancellationToken,
    _held: Held,
) {
    let phase = Arc::new(Phase::new(&limits));
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let busy = phase.busy();
        let mut request: Request = request.map(|body| Body::new(Arriving::new(body, limits.body)));
        request.extensions_mut().insert(ConnectInfo(peer));
        let app = app.clone();
        async move {
            let response = app.oneshot(request).await.unwrap_or_else(|never| match never {});
            Ok::<_, Infallible>(response.map(|body| Leaving { body, _busy: busy }))
        }
    });
    let socket = Watched::new(socket, Arc::clone(&phase), limits.reader);
    let mut builder = http1::Builder::new();
    // The time of a head is counted here: the library's own would count the silence before it as well.
    builder.timer(TokioTimer::new()).header_read_timeout(None);
    let mut served = pin!(builder.serve_connection(TokioIo::new(socket), service));
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = shutdown.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection ended");
    }
}

/// What a connection waits for.
#[derive(Clone, Copy)]
enum Waits {
    /// For the first byte of a request, since then.
    Request(Instant, Duration),
    /// For the rest of its head, since then.
    Head(Instant),
    /// For nothing: a request is being answered.
    Nothing,
}

struct Phase {
    state: Mutex<State>,
    head: Duration,
    idle: Duration,
}

struct State {
    waits: Waits,
    /// Whoever reads while a request is being answered; woken when there is a deadline again.
    reader: Option<Waker>,
}

impl Phase {
    fn new(limits: &Limits) -> Self {
        let state = State { waits: Waits::Request(Instant::now(), limits.head), reader: None };
        Self { state: Mutex::new(state), head: limits.head, idle: limits.idle }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something arrived.
    fn heard(&self) {
        let mut state = self.state();
        let waits = state.waits;
        if matches!(waits, Waits::Request(..)) {
            state.waits = Waits::Head(Instant::now());
        }
    }

    /// A request is being answered until this is dropped.
    fn busy(self: &Arc<Self>) -> Busy {
        self.state().waits = Waits::Nothing;
        Busy(Arc::clone(self))
    }

    /// When to give up, if ever; if never, the reader is woken when that changes.
    fn deadline(&self, cx: &Context<'_>) -> Option<Instant> {
        let mut state = self.state();
        let waits = state.waits;
        match waits {
            Waits::Request(since, limit) => Some(since + limit),
            Waits::Head(since) => Some(since + self.head),
            Waits::Nothing => {
                state.reader = Some(cx.waker().clone());
                None
            }
        }
    }
}

struct Busy(Arc<Phase>);

impl Drop for Busy {
    fn drop(&mut self) {
        let reader = {
            let mut state = self.0.state();
            state.waits = Waits::Request(Instant::now(), self.0.idle);
            state.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

/// A socket that fails when the other side lets us wait.
struct Watched {
    socket: TcpStream,
    phase: Arc<Phase>,
    reads: Pin<Box<Sleep>>,
    writes: Option<Pin<Box<Sleep>>>,
    reader: Duration,
}

impl Watched {
    fn new(socket: TcpStream, phase: Arc<Phase>, reader: Duration) -> Self {
        Self { socket, reads: Box::pin(sleep(phase.head)), phase, writes: None, reader }
    }

    /// What a write came to; one that waits fails in the end.
    fn written(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if write.is_ready() {
            self.writes = None;
            return write;
        }
        let reader = self.reader;
        ready!(self.writes.get_or_insert_with(|| Box::pin(sleep(reader))).as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.socket).poll_read(cx, buffer);
        if read.is_ready() {
            if buffer.filled().len() > before {
                this.phase.heard();
            }
            return read;
        }
        let Some(deadline) = this.phase.deadline(cx) else { return Poll::Pending };
        if this.reads.deadline() != deadline {
            this.reads.as_mut().reset(deadline);
        }
        ready!(this.reads.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let write = Pin::new(&mut this.socket).poll_write(cx, bytes);
        this.written(cx, write)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let write = Pin::new(&mut this.socket).poll_write_vectored(cx, bytes);
        this.written(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

/// A body on its way to us. Only the time counts in which we wait for it.
struct Arriving {
    body: Incoming,
    /// What may still be waited.
    left: Duration,
    step: Duration,
    arrived: u64,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Arriving {
    const fn new(body: Incoming, step: Duration) -> Self {
        Self { body, left: step, step, arrived: 0, waiting: None }
    }

    fn came(&mut self, bytes: u64) {
        let steps = |arrived: u64| u32::try_from(arrived / BODY_STEP).unwrap_or(u32::MAX);
        let more = steps(self.arrived + bytes) - steps(self.arrived);
        self.arrived += bytes;
        if more > 0 {
            self.left = self.step;
        }
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(frame) => {
                if let Some((since, _)) = this.waiting.take() {
                    this.left = this.left.saturating_sub(since.elapsed());
                }
                let bytes =
                    frame.as_ref().and_then(|f| f.as_ref().ok()).and_then(Frame::data_ref).map_or(0, Bytes::len);
                this.came(u64::try_from(bytes).unwrap_or(u64::MAX));
                Poll::Ready(frame.map(|f| f.map_err(Into::into)))
            }
            Poll::Pending => {
                let left = this.left;
                let (_, limit) = this.waiting.get_or_insert_with(|| (Instant::now(), Box::pin(sleep(left))));
                ready!(limit.as_mut().poll(cx));
                Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer on its way out; when it is gone, the connection waits for the next request.
struct Leaving {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Leaving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
