//! What operators rely on: the log, the figures, limits of connections, streams that end when their right does.

use super::{
    Client, PASSWORD, Step, TestApp,
    log::{self, Kept},
};
use crate::{
    error::AppResult,
    ids::UserId,
    server::{
        AppState,
        lookout::{Followed, Lookout},
        telemetry::{self, figures},
    },
};
use axum::{
    body::{Body, BodyDataStream},
    http::{Method, Request},
};
use futures::StreamExt;
use serde_json::json;
use sqlx::Row;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::Notify;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

/// An open stream, as text.
struct Stream {
    body: BodyDataStream,
    text: String,
}

impl Stream {
    async fn open(client: &Client, path: &str) -> Self {
        let request = Request::get(path).header("accept", "text/event-stream").body(Body::empty()).unwrap();
        let response = client.send_raw(request).await;
        assert_eq!(response.status(), 200, "{path}");
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// Reads until these words have come.
    async fn until(&mut self, words: &str) {
        while !self.text.contains(words) {
            let more = tokio::time::timeout(Duration::from_secs(15), self.body.next()).await;
            let Some(bytes) = more.unwrap_or_else(|_| panic!("{words} in {}", self.text)) else {
                panic!("the stream ended without {words}: {}", self.text)
            };
            self.text.push_str(&String::from_utf8_lossy(&bytes.unwrap()));
        }
    }

    /// Reads to the end, which must come within five seconds.
    async fn end(mut self) -> String {
        let rest = async {
            while let Some(bytes) = self.body.next().await {
                self.text.push_str(&String::from_utf8_lossy(&bytes.unwrap()));
            }
        };
        tokio::time::timeout(Duration::from_secs(5), rest).await.expect("the stream's end within five seconds");
        self.text
    }

    /// Nothing but signs of life for a while.
    async fn goes_on(&mut self) {
        let more = tokio::time::timeout(Duration::from_secs(4), self.body.next()).await;
        if let Ok(more) = more {
            let text = more.map(|bytes| String::from_utf8_lossy(&bytes.unwrap()).into_owned());
            assert!(text.as_ref().is_some_and(|t| !t.contains("signed_out")), "the stream went on with {text:?}");
        }
    }
}

async fn run_sql(app: &TestApp, statement: &'static str, user: UserId) {
    sqlx::query(statement).bind(user.0).execute(&mut app.sql().await).await.unwrap();
}

/// Another device of the same person.
async fn device(app: &TestApp, name: &str) -> Client {
    let client = app.client();
    let answer = client.post_json("/api/sessions", &json!({"login": name, "password": PASSWORD})).await;
    assert!((200..300).contains(&answer.status), "{}", answer.text);
    client
}

/// Opens each kind of stream that stays open: a reply, a conversation, a summon.
async fn streams(app: &TestApp, client: &Client, talk: &Talk) -> Vec<Stream> {
    let mut streams = Vec::new();
    for (path, first) in [
        (format!("/api/runs/{}/events", talk.run), "event: delta"),
        (format!("/api/conversations/{}/events", talk.conversation), "event: changed"),
        (format!("/api/jobs/{}/events", talk.job), "event: step"),
    ] {
        let mut stream = Stream::open(client, &path).await;
        stream.until(first).await;
        streams.push(stream);
    }
    assert!(app.state.runs.count() > 0);
    streams
}

/// A reply and a summon that do not end.
struct Talk {
    run: String,
    conversation: String,
    job: String,
}

async fn talk(app: &TestApp, client: &Client) -> Talk {
    app.model.script(|request| match request.schema {
        Some(_) => vec![Step::Wait(Duration::from_secs(120))],
        None => vec![Step::text("Half a "), Step::Wait(Duration::from_secs(120))],
    });
    let path = format!("/api/chat/{}/message", app.oc("lumina").await);
    let sent = client.post_json(&path, &json!({"content": "Hi"})).await.json();
    let request = Request::post("/api/oc/summon")
        .header("accept", "text/event-stream")
        .header("content-type", "application/json")
        .body(Body::from(json!({"description": "A shy lighthouse keeper who collects storms"}).to_string()))
        .unwrap();
    let summon = client.send_raw(request).await;
    let job = summon.headers().get("x-job-id").expect("a job").to_str().unwrap().to_owned();
    let word = |field: &str| sent[field].as_str().unwrap_or_else(|| panic!("{field} in {sent}")).to_owned();
    Talk { run: word("run_id"), conversation: word("conversation_id"), job }
}

async fn all_signed_out(streams: Vec<Stream>) {
    for stream in streams {
        let text = stream.end().await;
        assert!(text.contains("event: signed_out"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_with_the_session() {
    let app = TestApp::new().await;
    let (first, ada) = app.person("ada").await;
    let talk = talk(&app, &first).await;

    // Signing out ends the streams of this device and of no other.
    let second = device(&app, "ada").await;
    let (mine, mut other) = (streams(&app, &first, &talk).await, streams(&app, &second, &talk).await);
    assert_eq!(first.post_form("/fn/accounts/sign_out", &[]).await.status, 302);
    all_signed_out(mine).await;
    futures::future::join_all(other.iter_mut().map(Stream::goes_on)).await;

    // Ending a device from another one.
    let third = device(&app, "ada").await;
    let row = sqlx::query("select session_id::text from sessions where user_id = $1 order by session_id limit 1");
    let id: String = row.bind(ada.0).fetch_one(&mut app.sql().await).await.unwrap().get(0);
    let ended = third.post_form_from("/fn/accounts/end_device", "/settings/devices", &[("id", &id)]).await;
    assert!(ended.status == 302 && !ended.location().contains("__err"), "{}", ended.location());
    all_signed_out(other).await;

    // A new password ends the other devices; the one that changed it stays, under a new token.
    let fourth = device(&app, "ada").await;
    let (mut mine, other) = (streams(&app, &third, &talk).await, streams(&app, &fourth, &talk).await);
    let new = "amber thicket whistles softly";
    let fields = [("form[password]", new), ("form[password_again]", new)];
    let changed = third.post_form_from("/fn/accounts/change_password", "/settings/account", &fields).await;
    assert!(changed.status == 302 && !changed.location().contains("__err"), "{}", changed.location());
    all_signed_out(other).await;
    futures::future::join_all(mine.iter_mut().map(Stream::goes_on)).await;

    // An account that is closed.
    run_sql(&app, "update profiles set is_active = false where user_id = $1", ada).await;
    all_signed_out(mine).await;
    assert_eq!(third.get_json(&format!("/api/runs/{}/events", talk.run)).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_with_the_token_and_with_the_role() {
    let app = TestApp::new().await;
    let (first, ada) = app.person("ada").await;
    let talk = talk(&app, &first).await;
    let made = first.post_json("/api/tokens", &json!({"name": "t", "scopes": ["read"]})).await.json();
    let mut program = app.client();
    program.bearer = Some(made["token"].as_str().unwrap().to_owned());
    let (mut mine, theirs) = (streams(&app, &first, &talk).await, streams(&app, &program, &talk).await);
    run_sql(&app, "delete from api_tokens where user_id = $1", ada).await;
    all_signed_out(theirs).await;
    futures::future::join_all(mine.iter_mut().map(Stream::goes_on)).await;

    // Another role: the stream ends, and whoever comes back is looked at anew.
    run_sql(&app, "insert into user_roles (user_id, role) values ($1, 'moderator')", ada).await;
    for stream in mine {
        let text = stream.end().await;
        assert!(text.contains("event: reconnect") && text.contains("retry: "), "{text}");
    }
    drop(streams(&app, &first, &talk).await);
}

/// Something to follow whose news is how often it was looked at.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Thing(u32);

static LOOKS: AtomicU32 = AtomicU32::new(0);

impl Followed for Thing {
    type News = u32;
    const EVERY: Duration = Duration::from_millis(300);

    async fn look(_: &AppState, things: &[Self]) -> AppResult<Vec<(Self, u32)>> {
        let looks = LOOKS.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(things.iter().map(|thing| (thing.clone(), looks)).collect())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_many_streams_follow_is_looked_at_once() {
    let app = TestApp::new().await;
    let things = Arc::new(Lookout::<Thing>::default());
    let mut streams: Vec<_> = (0..1000).map(|i| things.follow(&app.state, Thing(i % 2), 0)).collect();
    things.touch(&Thing(7));
    things.touch(&Thing(0));
    streams[0].changed().await.unwrap();
    let looks = *streams[998].borrow();
    assert!((1..5).contains(&looks), "{looks} looks for 500 streams");
    // Now and then everything is looked at; nobody is asked for once the last stream has gone.
    streams[1].changed().await.unwrap();
    assert!(LOOKS.load(Ordering::SeqCst) < 10);
    drop(streams);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let looks = LOOKS.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(LOOKS.load(Ordering::SeqCst), looks);
    // Whoever comes later is seen to as the first was.
    let mut late = things.follow(&app.state, Thing(3), 0);
    tokio::time::timeout(Duration::from_secs(10), late.changed()).await.expect("a look").unwrap();
    assert!(*late.borrow() > looks);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_process_tells_every_stream_to_come_back() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let talk = talk(&app, &client).await;
    let open = streams(&app, &client, &talk).await;
    assert_eq!(client.get("/readyz").await.status, 200);
    app.state.draining.cancel();
    let ready = client.get("/readyz").await;
    assert_eq!((ready.status, ready.header("retry-after")), (503, "5"));
    assert_eq!(client.get("/livez").await.status, 200);
    assert_eq!(client.get("/sign-in").await.status, 200, "what is asked is still answered");
    app.state.shutdown.cancel();
    for stream in open {
        let text = stream.end().await;
        let hint = text.rsplit("retry: ").next().unwrap();
        let pause: u64 = hint.lines().next().unwrap().parse().unwrap_or_else(|_| panic!("a pause in {text}"));
        assert!((1000..=3000).contains(&pause), "{pause}");
        assert!(text.contains("event: reconnect") || text.contains("event: interrupted"), "{text}");
    }
    // Both are kept as interrupted.
    app.state.tasks.close();
    tokio::time::timeout(Duration::from_secs(5), app.state.tasks.wait()).await.expect("all work ends");
    let row = sqlx::query("select (select status from runs), (select status from jobs)");
    let row = row.fetch_one(&mut app.sql().await).await.unwrap();
    assert_eq!((row.get::<&str, _>(0), row.get::<&str, _>(1)), ("interrupted", "interrupted"));
}

/// The value of a series whose line begins so and holds all of these labels; the sum if there are several.
pub(super) fn value(figures: &str, name: &str, labels: &[&str]) -> f64 {
    let is_ours = |line: &&str| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
            && labels.iter().all(|label| line.contains(label))
    };
    figures.lines().filter(is_ours).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_count_what_happens() {
    let app = TestApp::new().await;
    let (client, ada) = app.person("ada").await;
    let before = figures::render(&app.state).await.unwrap();
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    app.model.script(move |_| vec![Step::text("One "), Step::Gate(Arc::clone(&held)), Step::text("two.")]);
    let path = format!("/api/chat/{}/message", app.oc("lumina").await);
    let sent = client.post_json(&path, &json!({"content": "Hi"})).await.json();
    let mut stream = Stream::open(&client, &format!("/api/runs/{}/events", sent["run_id"].as_str().unwrap())).await;
    stream.until("One ").await;
    let during = figures::render(&app.state).await.unwrap();
    assert_eq!(value(&during, "soulforge_runs", &["phase=\"writing\""]), 1.0, "{during}");
    assert!(value(&during, "soulforge_streams_open", &["kind=\"run\""]) >= 1.0);
    gate.notify_one();
    stream.until("event: done").await;
    drop(stream);
    let ended = Instant::now();
    while app.state.runs.count() > 0 {
        assert!(ended.elapsed() < Duration::from_secs(5), "the run ends");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(client.get("/no/such/page").await.status, 404);
    let after = figures::render(&app.state).await.unwrap();
    let grown = |name: &str, labels: &[&str]| value(&after, name, labels) - value(&before, name, labels);
    for (name, labels) in [
        (
            "soulforge_http_requests_total",
            &["route=\"/api/chat/{oc_id}/message\"", "status=\"202\"", "method=\"POST\""] as &[&str],
        ),
        ("soulforge_http_requests_total", &["route=\"unmatched\"", "status=\"404\""]),
        ("soulforge_http_request_seconds_count", &["route=\"/api/chat/{oc_id}/message\""]),
        ("soulforge_http_request_seconds_bucket", &["route=\"/api/chat/{oc_id}/message\"", "le=\"+Inf\""]),
        ("soulforge_runs_total", &["model=\"Scripted\"", "outcome=\"done\""]),
        ("soulforge_run_seconds_count", &["model=\"Scripted\""]),
        ("soulforge_first_token_seconds_count", &["model=\"Scripted\""]),
        ("soulforge_tokens_total", &["model=\"Scripted\"", "kind=\"prompt\""]),
        ("soulforge_tokens_total", &["model=\"Scripted\"", "kind=\"reply\""]),
        ("soulforge_stream_events_total", &["kind=\"run\""]),
        ("soulforge_streams_total", &["kind=\"run\""]),
        ("soulforge_database_wait_seconds_count", &["pool=\"app\""]),
        ("soulforge_database_wait_seconds_count", &["pool=\"worker\""]),
    ] {
        assert!(grown(name, labels) >= 1.0, "{name} {labels:?} grew by {}", grown(name, labels));
    }
    assert!(!after.contains(&ada.to_string()) && !after.contains("/no/such/page"), "labels are ours alone");
    for (name, least) in [
        ("soulforge_database_up", 1.0),
        ("soulforge_database_connections_max", 8.0),
        ("soulforge_build_info", 1.0),
        ("soulforge_resident_bytes", 1e6),
        ("soulforge_start_time_seconds", 1e9),
    ] {
        assert!(value(&after, name, &[]) >= least, "{name}: {}", value(&after, name, &[]));
    }
    for name in [
        "soulforge_jobs",
        "soulforge_open_runs",
        "soulforge_http_in_flight",
        "soulforge_draining",
        "soulforge_queue_jobs",
    ] {
        assert!(after.contains(&format!("# TYPE {name} gauge")), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_for_admins_and_operators() {
    let app = TestApp::new().await;
    let (client, ada) = app.person("ada").await;
    for reader in [&app.client(), &client] {
        let answer = reader.get_json("/metrics").await;
        assert_eq!(answer.status, 404);
        assert!(!answer.text.contains("soulforge_"));
    }
    run_sql(&app, "insert into user_roles (user_id, role) values ($1, 'admin')", ada).await;
    let answer = client.get("/metrics").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/plain; version=0.0.4; charset=utf-8"));
    assert!(answer.text.contains("soulforge_http_requests_total"));
    // The listener of its own asks nobody for a name, and has nothing else.
    let operators = Client::new(figures::operators(app.state.clone()));
    assert!(operators.get("/metrics").await.text.contains("soulforge_build_info"));
    assert_eq!(operators.get("/readyz").await.status, 200);
    assert_eq!(operators.get("/sign-in").await.status, 404);
}

// One thread: what a request logs is logged where this test listens.
#[tokio::test(flavor = "current_thread")]
async fn every_line_of_a_request_has_its_id_and_no_secret() {
    let app = TestApp::new().await;
    let (client, ada) = app.person("ada").await;
    let lines = Kept::default();
    let filter = EnvFilter::new("soulforge=debug");
    let log = tracing_subscriber::registry().with(filter).with(telemetry::lines(true, lines.clone()));
    let guard = log::dispatch(log).set_default();
    let (token, _) = crate::server::session::new_token();
    let request = Request::get("/c/lumina?next=/secret-query").header("x-request-id", "my-word-1");
    let answer = client.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.header("x-request-id")), (200, "my-word-1"));
    client.get(&format!("/setup/{token}")).await;
    let wrong = json!({"login": "ada", "password": "secret-password-typed"});
    client.post_json("/api/sessions", &wrong).await;
    let odd = Request::get("/sign-in").header("x-request-id", "a\"b c".repeat(40));
    let odd = client.send(odd.body(Body::empty()).unwrap()).await;
    assert!(odd.header("x-request-id").parse::<uuid::Uuid>().is_ok(), "a strange id is replaced");
    client.json(Method::POST, "/api/chat/x/message", &json!({"content": "secret-words"}), &[]).await;
    drop(guard);

    let log = lines.text();
    let cookies = client.cookies();
    for secret in
        ["secret-query", "secret-password", "secret-words", &token, &cookies["sf"], "ada@example.org", "a\\\"b"]
    {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    let entries: Vec<serde_json::Value> = log.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let ours: Vec<_> = entries.iter().filter(|e| e["spans"][0]["request_id"] == "my-word-1").collect();
    let last =
        ours.iter().find(|e| e["message"] == "answered").unwrap_or_else(|| panic!("the request's line in {log}"));
    let span = &last["spans"][0];
    assert_eq!((&span["route"], &span["path"]), (&json!("/c/{slug}"), &json!("/c/lumina")), "{span}");
    assert_eq!((&span["status"], &span["method"]), (&json!(200), &json!("GET")));
    assert_eq!(span["user"], json!(ada.to_string()));
    assert!(span["latency_ms"].is_u64());
    assert!(log.contains("/setup/…"), "the place of a token is left out");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_have_limits_on_a_database_of_somebody_elses() {
    let app = TestApp::new().await;
    let shown = |name: &'static str| {
        let db = app.state.db.clone();
        async move {
            let mut page = db.begin(crate::server::Identity::Anonymous).await.unwrap();
            let mut work = db.system().await.unwrap();
            let mut found = Vec::new();
            for tx in [&mut page, &mut work] {
                let row = sqlx::query("select current_setting($1), current_user::text").bind(name);
                let row = row.fetch_one(&mut **tx).await.unwrap();
                found.push((row.get::<String, _>(0), row.get::<String, _>(1)));
            }
            found
        }
    };
    // More often than there are connections: each has been reset since.
    for _ in 0..20 {
        for (name, page, work) in [
            ("statement_timeout", "5s", "1min"),
            ("lock_timeout", "2s", "2s"),
            ("idle_in_transaction_session_timeout", "5s", "1min"),
            ("transaction_timeout", "30s", "0"),
        ] {
            let found = shown(name).await;
            let wanted = [(page.to_owned(), "sf_app".to_owned()), (work.to_owned(), "sf_worker".to_owned())];
            assert_eq!(found, wanted, "{name}");
        }
    }
    // A lock that somebody else holds is waited for two seconds, not for ever.
    let mut holder = app.sql().await;
    let mut held = sqlx::Connection::begin(&mut holder).await.unwrap();
    sqlx::query("lock table form_drafts in access exclusive mode").execute(&mut *held).await.unwrap();
    let mut tx = app.state.db.system().await.unwrap();
    let began = Instant::now();
    let refused = sqlx::query("select 1 from form_drafts").execute(&mut *tx).await.unwrap_err();
    assert!(refused.to_string().contains("lock timeout"), "{refused}");
    assert!((Duration::from_millis(1500)..Duration::from_secs(10)).contains(&began.elapsed()), "{:?}", began.elapsed());
}
