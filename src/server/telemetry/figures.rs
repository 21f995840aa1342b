//! Figures for Prometheus: counted where things happen, or looked up when somebody asks.
//!
//! Labels are route templates, status codes and names of models, never what a client sent: their number stays small.
//! `docs/operations.md` lists all of them.

use super::Route;
use crate::{
    ai::Finish,
    kit::jobs::LaneFigures,
    server::{AppState, Ctx, Identity, api::ApiResult},
};
use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
    routing::get,
};
use metrics::{Counter, Gauge, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::{
    sync::OnceLock,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Borders of the histograms of quick things, seconds.
const QUICK: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Borders of the histograms of slow things, seconds.
const SLOW: [f64; 12] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 180.0];
/// Longest wait for what the database knows.
const PATIENCE: Duration = Duration::from_millis(500);

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Begins to count. Once a process; later calls change nothing.
pub fn start() -> Option<&'static PrometheusHandle> {
    RECORDER.get_or_init(install).as_ref()
}

fn install() -> Option<PrometheusHandle> {
    let builder = [
        ("soulforge_http_request_seconds", &QUICK),
        ("soulforge_database_wait_seconds", &QUICK),
        ("soulforge_first_token_seconds", &SLOW),
        ("soulforge_run_seconds", &SLOW),
        ("soulforge_summon_seconds", &SLOW),
        ("soulforge_job_seconds", &SLOW),
        ("soulforge_job_wait_seconds", &SLOW),
    ]
    .into_iter()
    .try_fold(PrometheusBuilder::new(), |builder, (name, borders)| {
        builder.set_buckets_for_metric(Matcher::Full(name.to_owned()), borders)
    });
    let handle = match builder.and_then(PrometheusBuilder::install_recorder) {
        Ok(handle) => handle,
        Err(error) => {
            tracing::error!(%error, "figures cannot be counted");
            return None;
        }
    };
    describe();
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    gauge!("soulforge_start_time_seconds").set(since.as_secs_f64());
    gauge!("soulforge_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Some(handle)
}

fn describe() {
    let seconds = Unit::Seconds;
    describe_counter!("soulforge_http_requests_total", "Requests answered, by method, route and status");
    describe_histogram!("soulforge_http_request_seconds", seconds, "Until the answer's first byte, by route");
    describe_gauge!("soulforge_http_in_flight", "Requests being answered");
    describe_counter!("soulforge_pages_given_up_total", "Pages that were not made, by route and reason");
    describe_counter!("soulforge_limited_total", "Requests refused by a rate limit, by action");
    describe_gauge!("soulforge_streams_open", "Open event streams, by kind");
    describe_counter!("soulforge_streams_total", "Event streams ended, by kind and reason");
    describe_counter!("soulforge_stream_events_total", "Events sent to streams, by kind");
    describe_gauge!("soulforge_runs", "Replies under way in this process, by phase");
    describe_counter!("soulforge_runs_total", "Replies that ended, by model and outcome");
    describe_histogram!("soulforge_run_seconds", seconds, "From a reply's start to its end, by model");
    describe_histogram!("soulforge_first_token_seconds", seconds, "From a reply's start to its first word, by model");
    describe_counter!("soulforge_tokens_total", "Tokens, by model and kind: prompt, cached (of the prompt), reply");
    describe_gauge!("soulforge_local_model_replies", "Replies that the local model writes or has waiting");
    describe_gauge!("soulforge_local_model_places", "Replies that the local model writes at the same time");
    describe_gauge!("soulforge_local_model_waiting", "Replies in the local model's queue");
    describe_counter!("soulforge_crisis_cards_total", "Cards with help lines that were shown in place of a reply");
    describe_counter!("soulforge_summons_total", "Summons that ended, by outcome");
    describe_histogram!("soulforge_summon_seconds", seconds, "From a summon's start to its end");
    describe_gauge!("soulforge_jobs", "Open summons of all nodes, by status");
    describe_gauge!("soulforge_jobs_oldest_seconds", seconds, "Age of the oldest open summon of all nodes");
    describe_gauge!("soulforge_queue_jobs", "Jobs of all nodes, by lane and state: ready, waiting, running, dead");
    describe_gauge!("soulforge_queue_oldest_seconds", seconds, "For how long the oldest job could have begun, by lane");
    describe_counter!("soulforge_job_attempts_total", "Attempts at jobs that ended, by kind and outcome");
    describe_counter!("soulforge_jobs_left_behind_total", "Jobs that were taken from processes that went away");
    describe_histogram!("soulforge_job_seconds", seconds, "From an attempt's start to its end, by kind");
    describe_histogram!(
        "soulforge_job_wait_seconds",
        seconds,
        "From when a job could have begun until it did, by lane"
    );
    describe_gauge!("soulforge_open_runs", "Open replies of all nodes, by status");
    describe_gauge!("soulforge_database_up", "1 when the database answered just now");
    describe_gauge!("soulforge_database_connections", "Connections of the pools, by pool and state");
    describe_gauge!("soulforge_database_connections_max", "Most connections of a pool");
    describe_histogram!("soulforge_database_wait_seconds", seconds, "Until a transaction had begun, by pool");
    describe_counter!("soulforge_database_timeouts_total", "Transactions that got no connection in time, by pool");
    describe_gauge!("soulforge_resident_bytes", Unit::Bytes, "Memory of this process");
    describe_gauge!("soulforge_start_time_seconds", seconds, "When this process began, since 1970");
    describe_gauge!("soulforge_draining", "1 when this process is about to end");
    describe_gauge!("soulforge_build_info", "1, with the version as a label");
}

/// Middleware: counts and times every request.
pub async fn measure(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = method(request.method());
    let here = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let in_flight = Counted::new(gauge!("soulforge_http_in_flight"));
    let response = next.run(request).await;
    drop(in_flight);
    let status = response.status();
    let route = match response.extensions().get::<Route>() {
        Some(Route(route)) => route.clone(),
        None => here.unwrap_or_else(|| if status.is_server_error() { "unmatched" } else { "files" }.to_owned()),
    };
    let code = status.as_str().to_owned();
    counter!("soulforge_http_requests_total", "method" => method, "route" => route.clone(), "status" => code)
        .increment(1);
    histogram!("soulforge_http_request_seconds", "route" => route).record(began.elapsed().as_secs_f64());
    response
}

fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::DELETE => "DELETE",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// One more of something as long as it lives, however it ends.
struct Counted(Gauge);

impl Counted {
    fn new(gauge: Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// An open stream of events; counted as long as it lives, with the reason for its end.
pub struct OpenStream {
    kind: &'static str,
    reason: &'static str,
    sent: Counter,
    _open: Counted,
}

impl OpenStream {
    /// A stream of this kind: `run`, `conversation`, `summon`.
    #[must_use]
    pub fn new(kind: &'static str) -> Self {
        let open = Counted::new(gauge!("soulforge_streams_open", "kind" => kind));
        let sent = counter!("soulforge_stream_events_total", "kind" => kind);
        Self { kind, reason: "left", sent, _open: open }
    }

    /// An event was sent.
    pub fn sent(&self) {
        self.sent.increment(1);
    }

    /// Why it is about to end: `complete`, `session` or `shutdown`. Without a word the reader has left.
    pub fn ends(&mut self, reason: &'static str) {
        self.reason = reason;
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        counter!("soulforge_streams_total", "kind" => self.kind, "reason" => self.reason).increment(1);
    }
}

/// A rate limit said no.
pub fn limited(action: &'static str) {
    counter!("soulforge_limited_total", "action" => action).increment(1);
}

/// A page was not made: it was `slow`, or what it waits for ended in a `panic`.
pub fn page_given_up(route: String, reason: &'static str) {
    counter!("soulforge_pages_given_up_total", "route" => route, "reason" => reason).increment(1);
}

/// A transaction has begun, or got no connection in time.
pub fn database_wait(pool: &'static str, waited: Duration, timed_out: bool) {
    histogram!("soulforge_database_wait_seconds", "pool" => pool).record(waited.as_secs_f64());
    if timed_out {
        counter!("soulforge_database_timeouts_total", "pool" => pool).increment(1);
    }
}

/// A reply has ended.
pub fn run_ended(
    model: &str,
    outcome: &'static str,
    took: Duration,
    first_token_ms: Option<i32>,
    cost: Option<&Finish>,
) {
    let model = model.to_owned();
    counter!("soulforge_runs_total", "model" => model.clone(), "outcome" => outcome).increment(1);
    histogram!("soulforge_run_seconds", "model" => model.clone()).record(took.as_secs_f64());
    if let Some(first) = first_token_ms {
        histogram!("soulforge_first_token_seconds", "model" => model.clone()).record(f64::from(first) / 1000.0);
    }
    if let Some(cost) = cost {
        for (kind, tokens) in
            [("prompt", cost.prompt_tokens), ("cached", cost.cached_tokens), ("reply", cost.reply_tokens)]
        {
            counter!("soulforge_tokens_total", "model" => model.clone(), "kind" => kind).increment(u64::from(tokens));
        }
    }
}

/// A card with help lines was shown in place of a reply.
pub fn crisis_card() {
    counter!("soulforge_crisis_cards_total").increment(1);
}

/// A summon has ended.
pub fn summon_ended(outcome: &'static str, took: Duration) {
    counter!("soulforge_summons_total", "outcome" => outcome).increment(1);
    histogram!("soulforge_summon_seconds").record(took.as_secs_f64());
}

/// A job was begun that could have been so long ago.
pub fn job_began(lane: &'static str, waited: Duration) {
    histogram!("soulforge_job_wait_seconds", "lane" => lane).record(waited.as_secs_f64());
}

/// An attempt at a job of this kind has ended.
pub fn job_ended(kind: String, outcome: &'static str, took: Duration) {
    histogram!("soulforge_job_seconds", "kind" => kind.clone()).record(took.as_secs_f64());
    counter!("soulforge_job_attempts_total", "kind" => kind, "outcome" => outcome).increment(1);
}

/// So many jobs were taken from processes that went away.
pub fn jobs_left_behind(jobs: u64) {
    counter!("soulforge_jobs_left_behind_total").increment(jobs);
}

/// How many replies the local model writes or has waiting, and its places.
pub fn local_model(replies: u32, places: u32) {
    gauge!("soulforge_local_model_replies").set(f64::from(replies));
    gauge!("soulforge_local_model_places").set(f64::from(places));
    gauge!("soulforge_local_model_waiting").set(f64::from(replies.saturating_sub(places)));
}

/// Everything as text, with what is looked up now.
pub async fn render(app: &AppState) -> Option<String> {
    let handle = start()?;
    let (queued, writing) = app.runs.phases();
    gauge!("soulforge_runs", "phase" => "queued").set(f64::from(queued));
    gauge!("soulforge_runs", "phase" => "writing").set(f64::from(writing));
    gauge!("soulforge_draining").set(if app.draining.is_cancelled() { 1.0 } else { 0.0 });
    if let Some(bytes) = resident_bytes() {
        #[expect(clippy::cast_precision_loss, reason = "memory is far below 2^53 bytes")]
        gauge!("soulforge_resident_bytes").set(bytes as f64);
    }
    for pool in app.db.pools() {
        let used = pool.size.saturating_sub(pool.idle);
        let connections = |state, n| {
            gauge!("soulforge_database_connections", "pool" => pool.name, "state" => state).set(f64::from(n));
        };
        connections("idle", pool.idle);
        connections("used", used);
        gauge!("soulforge_database_connections_max", "pool" => pool.name).set(f64::from(pool.max));
    }
    let looked = tokio::time::timeout(PATIENCE, look(app)).await;
    let is_up = matches!(looked, Ok(Ok(())));
    gauge!("soulforge_database_up").set(if is_up { 1.0 } else { 0.0 });
    Some(handle.render())
}

/// What only the database knows.
async fn look(app: &AppState) -> crate::error::AppResult<()> {
    let mut tx = app.db.system().await?;
    // Both conditions are those of partial indexes, so that only what is open is read.
    let row = sqlx::query!(
        r#"select (select count(*) filter (where status = 'queued') from jobs where status in ('queued', 'running')) as "queued!",
               (select count(*) filter (where status = 'running') from jobs where status in ('queued', 'running')) as "running!",
               (select coalesce(extract(epoch from now() - min(created_at)), 0)::float8 from jobs
                where status in ('queued', 'running')) as "oldest!",
               (select count(*) filter (where status = 'queued') from runs where status in ('queued', 'streaming')) as "waiting!",
               (select count(*) filter (where status = 'streaming') from runs where status in ('queued', 'streaming')) as "streaming!""#
    )
    .fetch_one(&mut *tx)
    .await?;
    #[expect(clippy::cast_precision_loss, reason = "counts of open work are small")]
    let number = |n: i64| n as f64;
    gauge!("soulforge_jobs", "status" => "queued").set(number(row.queued));
    gauge!("soulforge_jobs", "status" => "running").set(number(row.running));
    gauge!("soulforge_jobs_oldest_seconds").set(row.oldest);
    gauge!("soulforge_open_runs", "status" => "queued").set(number(row.waiting));
    gauge!("soulforge_open_runs", "status" => "streaming").set(number(row.streaming));
    let found = crate::kit::jobs::figures(&mut tx).await?;
    // Lanes with nothing in them are told as well: a figure that is not said any more would stay as it was.
    let empty = app.jobs.lanes().map(|lane| LaneFigures { lane: lane.name.to_owned(), ..LaneFigures::default() });
    for lane in empty.filter(|lane| found.iter().all(|f| f.lane != lane.lane)).chain(found.iter().cloned()) {
        let set =
            |state, n| gauge!("soulforge_queue_jobs", "lane" => lane.lane.clone(), "state" => state).set(number(n));
        set("ready", lane.ready);
        set("waiting", lane.waiting);
        set("running", lane.running);
        set("dead", lane.dead);
        gauge!("soulforge_queue_oldest_seconds", "lane" => lane.lane.clone()).set(lane.oldest);
    }
    Ok(())
}

/// Memory of this process that is in use, in bytes.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok().map(|kilobytes: u64| kilobytes * 1024)
}

fn text(figures: Option<String>) -> Response {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    match figures {
        Some(figures) => ([(header::CONTENT_TYPE, kind)], figures).into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// `/metrics` of the site: for admins who are signed in; nobody else learns that it is there.
pub async fn for_admins(ctx: Ctx) -> ApiResult<Response> {
    ctx.require().map_err(|_| crate::error::AppError::NotFound)?.require_admin()?;
    Ok(text(render(&ctx.app).await))
}

/// `/metrics` of the listener that only operators reach, and the two questions about health.
pub fn operators(state: AppState) -> Router {
    Router::new()
        .route("/metrics", get(|State(app): State<AppState>| async move { text(render(&app).await) }))
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .with_state(state)
}

/// Whether this process can serve: the database answers, and it is not about to end.
pub async fn ready(State(app): State<AppState>) -> Response {
    let retry = [(header::RETRY_AFTER, HeaderValue::from_static("5"))];
    if app.draining.is_cancelled() || app.shutdown.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, retry, "shutting down").into_response();
    }
    match tokio::time::timeout(PATIENCE, app.db.begin(Identity::Anonymous)).await {
        Ok(Ok(_)) => "ready".into_response(),
        _ => (StatusCode::SERVICE_UNAVAILABLE, retry, "the database does not answer").into_response(),
    }
}

/// Tidies the histograms now and then until the process ends.
pub async fn upkeep() {
    let Some(handle) = start() else { return };
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        handle.run_upkeep();
    }
}
