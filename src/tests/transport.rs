//! Connections over a real socket: what is slow or silent is closed, what is too much is refused, what works goes on.

use super::TestApp;
use crate::server::transport::{self, Limits};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A served site; it ends with the test.
pub struct Served {
    address: SocketAddr,
    _ends: DropGuard,
}

/// Limits of a second.
pub fn short() -> Limits {
    let second = Duration::from_secs(1);
    Limits {
        head: second,
        idle: Duration::from_millis(1500),
        body: second,
        reader: second,
        per_address: 1000,
        most: 1000,
        uncounted: Vec::new(),
    }
}

pub async fn serve(app: &TestApp, limits: Limits) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
    tokio::spawn(transport::serve(listener, app.router.clone(), limits, shutdown.clone()));
    Served { address, _ends: shutdown.drop_guard() }
}

impl Served {
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// What comes until the other side closes, and how long that took; fails after `limit`.
pub async fn until_closed(socket: &mut TcpStream, limit: Duration) -> (String, Duration) {
    let begun = Instant::now();
    let mut all = Vec::new();
    let read = tokio::time::timeout(limit, socket.read_to_end(&mut all)).await;
    assert!(read.is_ok(), "still open after {limit:?}, having said {:?}", String::from_utf8_lossy(&all));
    (String::from_utf8_lossy(&all).into_owned(), begun.elapsed())
}

const SOON: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn whoever_lets_us_wait_is_let_go() {
    let app = TestApp::new().await;
    let served = serve(&app, short()).await;
    let half_form = "POST /sign-in HTTP/1.1\r\nhost: 127.0.0.1:3000\r\nsec-fetch-site: same-origin\r\n\
                     content-type: application/x-www-form-urlencoded\r\n";
    let ways = [
        ("silence", String::new()),
        ("half a head", "GET / HTTP/1.1\r\nX: ".to_owned()),
        ("half a body", format!("{half_form}content-length: 100\r\n\r\nform")),
        ("half a chunked body", format!("{half_form}transfer-encoding: chunked\r\n\r\n4\r\nform\r\n")),
        (
            "half a JSON body",
            "POST /api/sessions HTTP/1.1\r\nhost: 127.0.0.1:3000\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"
                .to_owned(),
        ),
        ("an idle line", "GET /livez HTTP/1.1\r\nhost: 127.0.0.1:3000\r\n\r\n".to_owned()),
        ("HTTP/2 in clear text", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned()),
    ];
    let tries = ways.into_iter().map(|(what, sent)| {
        let served = &served;
        async move {
            let mut socket = served.connect().await;
            socket.write_all(sent.as_bytes()).await.unwrap();
            let (said, took) = until_closed(&mut socket, SOON).await;
            (what, said, took)
        }
    });
    for (what, said, took) in futures::future::join_all(tries).await {
        match what {
            "an idle line" => {
                assert!(said.starts_with("HTTP/1.1 200"), "{said}");
                assert!(took > Duration::from_millis(1200), "it could be used for a while: {took:?}");
            }
            "HTTP/2 in clear text" => assert!(!said.contains("HTTP/2"), "{said}"),
            "silence" | "half a head" => assert!(took > Duration::from_millis(700), "{what}: {took:?}"),
            _ => assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{what}: {said}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_sender_who_goes_on_is_served() {
    let app = TestApp::new().await;
    let served = serve(&app, short()).await;
    let mut socket = served.connect().await;
    // Each pause is shorter than the limit, and together they are longer than the one for the head: the body has its own.
    for part in [
        "POST /api/sessions HTTP/1.1\r\nhost: 127.0.0.1:3000\r\n",
        "content-type: application/json\r\ncontent-length: 32\r\n\r\n",
    ] {
        socket.write_all(part.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    socket.write_all(b"{\"login\":\"ada\",").await.unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    socket.write_all(b"\"password\":\"abc\"}").await.unwrap();
    let mut answer = [0; 12];
    tokio::time::timeout(SOON, socket.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 422");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_reads_nothing_is_let_go() {
    let app = TestApp::new().await;
    let long = axum::Router::new().route("/", axum::routing::get(|| async { "x".repeat(64 << 20) }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(transport::serve(listener, long, short(), app.state.shutdown.clone()));
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut socket = socket.connect(address).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    // What was on its way arrives, and then it is over, long before the end.
    let mut all = Vec::new();
    let end = tokio::time::timeout(SOON, socket.read_to_end(&mut all)).await.expect("it was closed");
    assert!(end.is_err() || all.len() < 64 << 20, "{} bytes came", all.len());
    // Who reads slowly, but reads, gets all of it.
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let (mut bytes, mut part) = (0, vec![0; 16 << 20]);
    while bytes < 64 << 20 {
        let read = tokio::time::timeout(SOON, socket.read(&mut part)).await.unwrap().unwrap();
        assert!(read > 0, "it ended after {bytes}");
        bytes += read;
        if bytes % 5 == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    app.state.shutdown.cancel();
    let _ = tokio::time::timeout(SOON, served).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_an_end_to_connections() {
    let app = TestApp::new().await;
    let head = Duration::from_secs(10);
    let served = serve(&app, Limits { per_address: 5, head, ..short() }).await;
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(served.connect().await);
    }
    let mut more = served.connect().await;
    let (said, _) = until_closed(&mut more, SOON).await;
    assert!(said.starts_with("HTTP/1.1 503"), "{said}");
    drop(held);
    // Their places are free again.
    let mut answered = String::new();
    for _ in 0..40 {
        let mut socket = served.connect().await;
        let _ = socket.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        answered = until_closed(&mut socket, SOON).await.0;
        if answered.starts_with("HTTP/1.1 200") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
    // A proxy speaks for many and is not counted, but there is an end to all of them together.
    let proxy = vec!["127.0.0.1".parse().unwrap()];
    let served = serve(&app, Limits { per_address: 1, most: 8, head, uncounted: proxy, ..short() }).await;
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(served.connect().await);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut more = served.connect().await;
    assert!(until_closed(&mut more, SOON).await.0.starts_with("HTTP/1.1 503"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_waits_for_what_was_begun() {
    let app = TestApp::new().await;
    let slow = axum::Router::new().route(
        "/",
        axum::routing::get(|| async {
            tokio::time::sleep(Duration::from_millis(600)).await;
            "done"
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
    let served = tokio::spawn(transport::serve(listener, slow, short(), shutdown.clone()));
    let mut idle = TcpStream::connect(address).await.unwrap();
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    shutdown.cancel();
    let (said, _) = until_closed(&mut socket, SOON).await;
    assert!(said.ends_with("done"), "{said}");
    until_closed(&mut idle, SOON).await;
    tokio::time::timeout(SOON, served).await.expect("the server ended").unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    drop(app);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_and_files_of_one_person_have_an_end() {
    let app = TestApp::with(&["--limit-factor", "1", "--streams-per-person", "3", "--exports-per-person", "2"]).await;
    let (client, _) = app.person("ada").await;
    let lumina = app.oc("lumina").await;
    let body = serde_json::json!({ "content": "Hi" });
    let sent = client.post_json(&format!("/api/chat/{lumina}/message"), &body).await;
    let conversation = sent.json()["conversation_id"].as_str().unwrap().to_owned();
    let open = |path: String, accept: &'static str| {
        let client = client.clone();
        async move {
            let request = axum::http::Request::get(path).header("accept", accept);
            client.send_raw(request.body(axum::body::Body::empty()).unwrap()).await
        }
    };
    for (path, accept, most) in [
        (format!("/api/conversations/{conversation}/events"), "text/event-stream", 3),
        (format!("/api/conversations/{conversation}/export.json"), "application/json", 2),
    ] {
        let mut held = Vec::new();
        for _ in 0..most {
            let response = open(path.clone(), accept).await;
            assert_eq!(response.status(), 200, "{path}");
            held.push(response);
        }
        let refused = open(path.clone(), accept).await;
        assert_eq!(refused.status(), 429, "{path}");
        assert!(refused.headers().contains_key("retry-after"));
        let (eve, _) = app.person(&format!("eve{most}")).await;
        assert_eq!(eve.get_json("/api/me").await.status, 200, "others are not concerned");
        drop(held);
        let mut status = 0;
        for _ in 0..40 {
            status = open(path.clone(), accept).await.status().as_u16();
            if status == 200 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(status, 200, "{path}: the places are free again");
    }
}

/// A shell's limit of open files is often 1,024, which is so many readers.
#[test]
fn as_many_files_as_the_machine_lets_us() {
    let said = crate::server::transport::raise_open_files();
    let now = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    assert_eq!(said, now.current.unwrap_or(u64::MAX), "what is said is what holds");
    assert!(said >= now.maximum.unwrap_or(u64::MAX).min(65_536), "{said} of {:?}", now.maximum);
}
