//! Two rules about what a request may cost: little before it is let in, and no time at all for whoever lets us wait.

use super::{Site, ask, from_here, list::Endpoint, start};
use crate::tests::{
    Client, TestApp,
    transport::{self, until_closed},
};
use axum::http::Method;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// Most processor time of a refused call; all but a few forms stay below one millisecond. More in a build without optimisation.
const COST: Duration = Duration::from_millis(if cfg!(debug_assertions) { 30 } else { 5 });

/// Processor time of this thread so far.
fn spent() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("what the thread has spent");
    Duration::from_nanos(text.split(' ').next().and_then(|n| n.parse().ok()).expect("nanoseconds"))
}

/// The least that this request costs of a few tries, and what it was answered.
async fn cost(client: &Client, endpoint: &Endpoint) -> (Duration, u16) {
    let (mut least, mut status) = (Duration::MAX, 0);
    for _ in 0..4 {
        let begun = spent();
        status = ask(client, from_here(endpoint.plausible(super::UNKNOWN, super::NOBODY))).await.status;
        least = least.min(spent().saturating_sub(begun));
    }
    (least, status)
}

/// On one thread, so that everything that a request does is done on it; what is given to other threads (passwords, pictures,
/// imports) waits there for its turn and stands behind the limit of its action.
#[tokio::test]
async fn a_refused_call_costs_next_to_nothing() {
    let site = Site::new().await;
    let mut dear = Vec::new();
    let mut refused = 0;
    // Nobody is signed in: whatever is for people only says so at once.
    for endpoint in site.endpoints.iter().filter(|e| e.route.starts_with("/api/") || e.route.starts_with("/fn/")) {
        let (least, status) = cost(&site.app.client(), endpoint).await;
        if matches!(status, 401 | 403 | 404) {
            refused += 1;
            if least > COST {
                dear.push(format!("{} {status}: {least:?}", endpoint.name()));
            }
        }
    }
    assert!(refused > 50, "only {refused} endpoints refused a stranger");
    assert!(dear.is_empty(), "a refused call costs more than {COST:?}:\n{}", dear.join("\n"));
}

/// Endpoints behind a limit: when it has been reached, the refusal is all that is done.
#[tokio::test]
async fn a_limited_call_costs_next_to_nothing() {
    // Buckets of less than one: every limited action is refused.
    let app = TestApp::with(&["--limit-factor", "0.0001"]).await;
    let sql = super::walls::fixture(&app).await;
    let endpoints = super::list::all(&app).await;
    let mut site = Site { app, sql, endpoints };
    let (mut dear, mut limited) = (Vec::new(), Vec::new());
    let owner = site.signed_in(super::walls::OWNER).await;
    for endpoint in site.endpoints.iter().filter(|e| e.method != Method::GET) {
        // Signing in or out makes another client of this one.
        let client = if endpoint.route.contains("session") || endpoint.route.contains("sign") {
            site.app.client()
        } else {
            owner.clone()
        };
        let (least, status) = cost(&client, endpoint).await;
        if status == 429 {
            limited.push(endpoint.name());
            if least > COST {
                dear.push(format!("{}: {least:?}", endpoint.name()));
            }
        }
    }
    for name in ["POST /api/accounts", "POST /api/sessions", "POST /api/chat/{oc_id}/message", "POST /api/ocs"] {
        assert!(limited.iter().any(|l| l == name), "{name} has a limit that comes first: {limited:?}");
    }
    assert!(dear.is_empty(), "a limited call costs more than {COST:?}:\n{}", dear.join("\n"));
}

/// Every endpoint, asked by somebody who sends half of what they promised, is done with them in the configured time.
#[tokio::test(flavor = "multi_thread")]
async fn half_a_request_is_given_up() {
    let site = Site::new().await;
    let served = transport::serve(&site.app, transport::short()).await;
    let tries = site.endpoints.iter().flat_map(|endpoint| {
        let served = &served;
        let path = endpoint.plausible(super::UNKNOWN, super::NOBODY).uri().to_string();
        let head = format!(
            "{} {path} HTTP/1.1\r\nhost: 127.0.0.1:3000\r\nsec-fetch-site: same-origin\r\naccept: application/json\r\n",
            endpoint.method
        );
        let kind = if endpoint.is_api() { "application/json" } else { "application/x-www-form-urlencoded" };
        let ways = [
            ("half a head", head.clone()),
            ("half a body", format!("{head}content-type: {kind}\r\ncontent-length: 200\r\n\r\n{{\"")),
            (
                "half of a body of unknown length",
                format!("{head}content-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{{\"\r\n"),
            ),
            (
                "a broken upload",
                format!("{head}content-type: multipart/form-data; boundary=x\r\ncontent-length: 900\r\n\r\n--x\r\n"),
            ),
        ];
        ways.into_iter().map(move |(what, sent)| async move {
            let mut socket = served.connect().await;
            socket.write_all(sent.as_bytes()).await.expect("it is sent");
            // A second for the body, one and a half for the next request, and time for everybody at once.
            let (said, _) = until_closed(&mut socket, Duration::from_secs(20)).await;
            let status = said.split(' ').nth(1).unwrap_or_default();
            (!said.is_empty() && status.starts_with('5') && status != "503")
                .then(|| format!("{} {what}: {}", endpoint.name(), start(&said)))
        })
    });
    let faults: Vec<String> = futures::future::join_all(tries).await.into_iter().flatten().collect();
    assert!(faults.is_empty(), "half a request is a fault of ours:\n{}", faults.join("\n"));
}
