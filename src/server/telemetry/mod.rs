//! What the process tells of itself: a log with one span a request, and figures for Prometheus.
//!
//! Nothing that people wrote and nothing that opens a door goes into either: no bodies, no headers, no query strings, and
//! of a path only what is too short to be a token.

pub mod figures;

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, Response},
    middleware::Next,
};
use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};
use tracing::{Instrument, Span, Subscriber, field::Empty};
use tracing_subscriber::{
    EnvFilter, Layer, fmt::MakeWriter, layer::SubscriberExt, registry::LookupSpan, util::SubscriberInitExt,
};

/// Name of the header that carries a request's id, both ways.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Target of the line that each request ends with.
const ACCESS: &str = "soulforge::request";

/// A part of a path that is longer than this may be a token (they have 43 characters, ids have 36).
const LONGEST_PART: usize = 40;

/// Begins the log on standard error: `SOULFORGE_LOG` filters it. Requests have a line each when programs read it (JSON);
/// for people at a terminal only those that went wrong.
pub fn start_log(json: bool) {
    let access = if json { "info" } else { "warn" };
    let usual = format!("info,sqlx=warn,tower_http=warn,{ACCESS}={access}");
    let (filter, problem) = match std::env::var("SOULFORGE_LOG") {
        Ok(text) if !text.trim().is_empty() => match EnvFilter::try_new(&text) {
            Ok(filter) => (filter, None),
            Err(error) => (EnvFilter::new(&usual), Some(error.to_string())),
        },
        _ => (EnvFilter::new(&usual), None),
    };
    let log = tracing_subscriber::registry().with(filter).with(lines(json, std::io::stderr));
    // A second log in one process (tests) is refused, and the first one stays.
    let _ = log.try_init();
    if let Some(problem) = problem {
        tracing::warn!("SOULFORGE_LOG cannot be read, so the usual filter is used: {problem}");
    }
}

/// The lines of the log: JSON for programs, or words for people.
pub fn lines<S, W>(json: bool, out: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(out);
    if json {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(true).boxed()
    } else {
        lines.with_target(false).with_ansi(std::io::stderr().is_terminal()).boxed()
    }
}

/// The span of a request: every line that is written while it is answered carries these fields.
fn span<B>(request: &axum::http::Request<B>) -> Span {
    let id = request.headers().get(REQUEST_ID).and_then(|v| v.to_str().ok()).unwrap_or_default();
    // At the highest level, so that a filter for warnings does not take the ids from them.
    tracing::error_span!(
        "request",
        request_id = id,
        method = %request.method(),
        path = quiet_path(request.uri().path()),
        route = Empty,
        user = Empty,
        status = Empty,
        latency_ms = Empty
    )
}

/// Middleware: answers within the request's span, and writes its line. The span ends with the head of the answer, so that a
/// stream does not hold it for hours.
pub async fn trace(request: Request, next: Next) -> axum::response::Response {
    let (span, began) = (span(&request), Instant::now());
    let response = next.run(request).instrument(span.clone()).await;
    span.in_scope(|| answered(&response, began.elapsed(), &span));
    response
}

/// The line at a request's end; a stream's comes when it begins.
fn answered<B>(response: &Response<B>, latency: Duration, span: &Span) {
    let status = response.status().as_u16();
    let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
    span.record("status", status);
    span.record("latency_ms", latency_ms);
    // Files and health checks; a process that is about to end says 503 to each of the latter.
    let is_noise = response.extensions().get::<Route>().is_none() && status != 500;
    match status {
        _ if is_noise => tracing::debug!(target: ACCESS, "answered"),
        500.. => tracing::warn!(target: ACCESS, "answered with an error"),
        _ => tracing::info!(target: ACCESS, "answered"),
    }
}

/// A path without what may be a secret in it: the links of one-time tokens carry theirs as a part.
fn quiet_path(path: &str) -> String {
    let part = |part: &str| if part.len() > LONGEST_PART { "…".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/").chars().take(200).collect()
}

/// Which route answered, as it stands in the route table: `/c/{slug}`. Travels outwards with the response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route(pub String);

/// Middleware: gives the request's route to the span and to whoever stands further outside.
pub async fn name_route(request: Request, next: Next) -> axum::response::Response {
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    Span::current().record("route", &route);
    let mut response = next.run(request).await;
    response.extensions_mut().insert(Route(route));
    response
}

/// Middleware: an id that a client sends along is kept if it is a short word, and replaced otherwise.
pub async fn check_request_id(mut request: Request, next: Next) -> axum::response::Response {
    let is_word = |id: &HeaderValue| {
        (1..=64).contains(&id.len()) && id.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
    };
    if !request.headers().get(REQUEST_ID).is_some_and(is_word) {
        let id = uuid::Uuid::now_v7().to_string();
        if let Ok(id) = HeaderValue::try_from(id) {
            request.headers_mut().insert(REQUEST_ID, id);
        }
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_what_may_be_a_token() {
        assert_eq!(quiet_path("/c/lumina"), "/c/lumina");
        assert_eq!(
            quiet_path("/api/runs/01a1fe6d-99bd-725e-948b-0c864314f745/events"),
            "/api/runs/01a1fe6d-99bd-725e-948b-0c864314f745/events"
        );
        let (token, _) = crate::server::session::new_token();
        assert_eq!(quiet_path(&format!("/setup/{token}")), "/setup/…");
        assert!(quiet_path(&"/a".repeat(1000)).len() <= 200);
    }
}
