//! Model files: fetched from servers that do what servers do, chosen, remembered, and told about.

use super::{admin, reach};
use crate::{
    ai::{
        local::{LocalConfig, LocalModel, Progress, Standing},
        remote::Outgoing,
    },
    models::files::{
        Library, Record,
        fetch::{Ended, Pace, fetch},
        record::part_of,
    },
    tests::{Client, TestApp},
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use sha2::{Digest, Sha256};
use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A server with one file, which it hands out in many ways.
#[derive(Clone)]
struct FileServer {
    address: String,
    file: Bytes,
    /// Path and range of every request.
    asked: Arc<Mutex<Vec<(String, String)>>>,
    gate: watch::Sender<bool>,
    count: Arc<AtomicUsize>,
}

impl FileServer {
    async fn start(file: Vec<u8>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap().to_string(),
            file: file.into(),
            asked: Arc::default(),
            gate: watch::Sender::new(false),
            count: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    fn url(&self, way: &str) -> String {
        format!("http://{}/{way}/m.gguf", self.address)
    }

    fn outgoing(&self) -> Outgoing {
        Outgoing::new(vec![self.address.clone()])
    }

    fn sum(&self) -> String {
        sum(&self.file)
    }

    fn asked(&self) -> Vec<(String, String)> {
        self.asked.lock().unwrap().clone()
    }
}

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Where a `Range` begins.
fn begin(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::RANGE)?.to_str().ok()?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
}

async fn answer(State(server): State<FileServer>, uri: Uri, headers: HeaderMap) -> Response {
    let range = headers.get(header::RANGE).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    server.asked.lock().unwrap().push((uri.to_string(), range));
    let way = uri.path().split('/').nth(1).unwrap_or_default().to_owned();
    let count = server.count.fetch_add(1, Ordering::AcqRel);
    let (file, from) = (server.file.clone(), begin(&headers));
    let led = |to: &str| (StatusCode::FOUND, [(header::LOCATION, to.to_owned())]).into_response();
    match way.as_str() {
        "redirect" => led("/plain/m.gguf?signature=a%2Bb&expires=1"),
        "away" => led("http://169.254.169.254/latest/m.gguf"),
        "circle" => led("/circle/m.gguf"),
        "gone" => StatusCode::NOT_FOUND.into_response(),
        "busy" if count == 0 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        "page" => "<!doctype html><p>Sign in</p>".into_response(),
        "whole" => file.into_response(),
        // Half of what is missing, then the connection breaks.
        "cut" => {
            let rest = file.slice(from.unwrap_or(0)..);
            let half = rest.slice(..rest.len().div_ceil(2).max(rest.len().min(1000)));
            let breaks = half.len() < rest.len();
            send(&file, from, half, breaks, None)
        }
        // Half of it, and the rest when the test says so.
        "gate" => {
            let rest = file.slice(from.unwrap_or(0)..);
            send(&file, from, rest, false, Some(server.gate.subscribe()))
        }
        // Announces more than there is.
        "long" => {
            let stream = futures::stream::iter([Ok::<_, io::Error>(file.clone())]);
            let length = file.len() + 10;
            ([(header::CONTENT_LENGTH, length)], Body::from_stream(stream)).into_response()
        }
        // Announces nothing and does not stop.
        "endless" => {
            let stream = futures::stream::repeat_with(move || Ok::<_, io::Error>(file.clone()));
            Body::from_stream(stream).into_response()
        }
        // Says that it goes on in the middle, and means another place.
        "elsewhere" if from.is_some() => {
            let range = format!("bytes 1-{}/{}", file.len() - 1, file.len());
            (StatusCode::PARTIAL_CONTENT, [(header::CONTENT_RANGE, range)], file.slice(1..)).into_response()
        }
        _ => {
            let rest = file.slice(from.unwrap_or(0).min(file.len())..);
            send(&file, from, rest, false, None)
        }
    }
}

/// A part of the file, with the head that belongs to all that is missing.
fn send(file: &Bytes, from: Option<usize>, body: Bytes, breaks: bool, gate: Option<watch::Receiver<bool>>) -> Response {
    let whole = file.len() - from.unwrap_or(0);
    let middle = body.len() / 2;
    let pieces = [body.slice(..middle), body.slice(middle..)];
    let stream = futures::stream::iter(pieces.into_iter().enumerate()).then(move |(n, piece)| {
        let gate = gate.clone().filter(|_| n == 1);
        async move {
            if let Some(mut gate) = gate {
                let _ = gate.wait_for(|open| *open).await;
            }
            Ok::<_, io::Error>(piece)
        }
    });
    // Not before what came is on its way.
    let end = futures::stream::iter(breaks.then_some(())).then(|()| async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        Err(io::Error::other("cut"))
    });
    let stream = stream.chain(end);
    let mut response = Response::new(Body::from_stream(stream));
    let head = response.headers_mut();
    head.insert(header::CONTENT_LENGTH, whole.into());
    if let Some(from) = from {
        let range = format!("bytes {from}-{}/{}", file.len() - 1, file.len());
        head.insert(header::CONTENT_RANGE, range.parse().unwrap());
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response
}

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("sf-fetch-{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("m.gguf")
    }

    /// What is in it.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap().flatten();
        let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const PACE: Pace = Pace { silence: Duration::from_secs(5), pause: Duration::from_millis(5), tries: 3 };

/// A file that looks like a model.
fn toy() -> Vec<u8> {
    let mut file = b"GGUF".to_vec();
    file.extend((0..200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8));
    file
}

async fn take(server: &FileServer, way: &str, folder: &Folder, record: Record) -> Result<(), Ended> {
    let mut record = Record { url: server.url(way), ..record };
    fetch(&server.outgoing(), &mut record, &folder.file(), PACE, &CancellationToken::new()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_comes_whole_however_its_server_behaves() {
    let server = FileServer::start(toy()).await;
    for known in [None, Some(server.file.len() as u64)] {
        for way in ["plain", "redirect", "whole", "cut", "busy"] {
            let folder = Folder::new();
            server.count.store(0, Ordering::Release);
            let record = Record { sha256: server.sum(), bytes: known, ..Record::default() };
            take(&server, way, &folder, record).await.unwrap_or_else(|error| panic!("{way}: {error:?}"));
            assert_eq!(std::fs::read(folder.file()).unwrap(), toy(), "{way}");
            assert!(!folder.names().contains(&"m.gguf.part".to_owned()), "{way}: {:?}", folder.names());
        }
    }
    let asked = server.asked();
    assert!(asked.iter().any(|(path, _)| path.ends_with("?signature=a%2Bb&expires=1")), "{asked:?}");
    let ranges = asked.iter().filter(|(path, range)| path.starts_with("/cut") && range.starts_with("bytes=")).count();
    assert!(ranges > 4, "what broke off was gone on with: {asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_here_already_is_not_asked_for_again() {
    let server = FileServer::start(toy()).await;
    for (way, from) in [("plain", "bytes=5000-"), ("whole", "bytes=5000-"), ("elsewhere", "bytes=5000-")] {
        let folder = Folder::new();
        std::fs::write(part_of(&folder.file()), &toy()[..5000]).unwrap();
        let record = Record { sha256: server.sum(), ..Record::default() };
        take(&server, way, &folder, record).await.unwrap_or_else(|error| panic!("{way}: {error:?}"));
        assert_eq!(std::fs::read(folder.file()).unwrap(), toy(), "{way}");
        let asked = server.asked();
        assert!(asked.iter().any(|(path, range)| path.contains(way) && range == from), "{asked:?}");
    }
    // All of it was here, and only the sum was missing.
    let (folder, before) = (Folder::new(), server.asked().len());
    std::fs::write(part_of(&folder.file()), toy()).unwrap();
    let record = Record { sha256: server.sum(), bytes: Some(toy().len() as u64), ..Record::default() };
    take(&server, "plain", &folder, record).await.unwrap();
    assert_eq!(server.asked().len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_file_is_refused_and_said() {
    let server = FileServer::start(toy()).await;
    let size = server.file.len() as u64;
    let cases = [
        ("plain", Record { sha256: "0".repeat(64), ..Record::default() }, "not the file it should be"),
        ("plain", Record { bytes: Some(size + 1), ..Record::default() }, "It is another one"),
        ("page", Record::default(), "no GGUF file"),
        ("gone", Record::default(), "answered 404"),
        ("circle", Record::default(), "without an end"),
        ("away", Record::default(), "must begin with https"),
        ("long", Record::default(), "It was tried 3 times"),
        ("endless", Record { bytes: Some(size), ..Record::default() }, "more than it had announced"),
    ];
    for (way, record, said) in cases {
        let folder = Folder::new();
        let sha256 = if record.sha256.is_empty() { server.sum() } else { record.sha256.clone() };
        let ended = take(&server, way, &folder, Record { sha256, ..record }).await;
        assert!(matches!(&ended, Err(Ended::Failed(why)) if why.contains(said)), "{way}: {ended:?}");
        assert!(!folder.file().exists(), "{way}");
        if said.contains("should be") {
            assert!(!part_of(&folder.file()).exists(), "nothing of a wrong file is kept");
        }
    }
    // A server outside may not lead inside, even to a host that is listed.
    let folder = Folder::new();
    let mut record = Record { url: server.url("plain"), sha256: server.sum(), ..Record::default() };
    let nobody = Outgoing::new(Vec::new());
    let ended = fetch(&nobody, &mut record, &folder.file(), PACE, &CancellationToken::new()).await;
    assert!(matches!(&ended, Err(Ended::Failed(_))), "{ended:?}");
    assert_eq!(server.asked().iter().filter(|(path, _)| path.contains("169.254")).count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_fetch_goes_on_where_it_was() {
    let server = FileServer::start(toy()).await;
    let folder = Folder::new();
    let stop = CancellationToken::new();
    let mut record = Record { url: server.url("gate"), sha256: server.sum(), ..Record::default() };
    let (outgoing, file) = (server.outgoing(), folder.file());
    let (ended, ()) = tokio::join!(fetch(&outgoing, &mut record, &file, PACE, &stop), async {
        until(|| std::fs::metadata(part_of(&file)).is_ok_and(|m| m.len() > 50_000)).await;
        stop.cancel();
    });
    assert_eq!(ended, Err(Ended::Stopped));
    server.gate.send_replace(true);
    fetch(&outgoing, &mut record, &file, PACE, &CancellationToken::new()).await.unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), toy());
    let (_, range) = server.asked().pop().unwrap();
    assert!(range.starts_with("bytes=") && range != "bytes=0-", "{range}");
}

/// Waits until something is so.
async fn until(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never came");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn act(keeper: &Client, what: &str, name: &str) -> String {
    let fields = [("act", what), ("name", name)];
    let done = keeper.post_form_from("/fn/models/file", "/admin/models", &fields).await;
    done.location().to_owned()
}

const DONE: &str = "/admin/models?saved=file#files";

async fn ask_for(keeper: &Client, server: &FileServer, way: &str) -> String {
    let (url, sum) = (server.url(way), server.sum());
    let fields = [("address", url.as_str()), ("sha256", sum.as_str())];
    keeper.post_form_from("/fn/models/fetch_address", "/admin/models", &fields).await.location().to_owned()
}

fn folder_of(app: &TestApp) -> PathBuf {
    app.state.config.place.data.join("models")
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_fetch_stop_and_discard() {
    let app = TestApp::new().await;
    let server = FileServer::start(toy()).await;
    let (keeper, _) = admin(&app).await;
    reach(&keeper, &server.address, "no").await;
    let page = keeper.get("/admin/models").await.text;
    for part in ["Qwen2.5-Coder 1.5B Instruct", "Apache-2.0", "1,117 MB to fetch", "As of ", "From another address"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert_eq!(ask_for(&keeper, &server, "gate").await, DONE);
    let file = folder_of(&app).join("m.gguf");
    until(|| std::fs::metadata(part_of(&file)).is_ok_and(|m| m.len() > 50_000)).await;
    let page = keeper.get("/admin/models").await.text;
    for part in ["On their way", "m.gguf", "Stop", "<progress"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert_ne!(ask_for(&keeper, &server, "plain").await, DONE, "it is on its way already");
    assert_eq!(act(&keeper, "stop", "m.gguf").await, DONE);
    until(|| Record::read(&file).is_some_and(|r| r.progress.failed.as_deref() == Some("Stopped."))).await;
    let page = keeper.get("/admin/models").await.text;
    assert!(page.contains("Stopped.") && page.contains("Continue") && page.contains("Discard"), "{page}");
    server.gate.send_replace(true);
    until(|| app.state.library.stop("m.gguf").is_err()).await;
    assert_eq!(act(&keeper, "resume", "m.gguf").await, DONE);
    until(|| file.exists()).await;
    assert_eq!(std::fs::read(&file).unwrap(), toy());
    until(|| !Progress::beside(&file).exists()).await;
    assert_eq!(act(&keeper, "delete", "m.gguf").await, DONE);
    assert!(!file.exists());

    server.gate.send_replace(false);
    assert_eq!(ask_for(&keeper, &server, "gate").await, DONE);
    until(|| part_of(&file).exists()).await;
    assert_eq!(act(&keeper, "discard", "m.gguf").await, DONE);
    until(|| !part_of(&file).exists() && !Progress::beside(&file).exists()).await;
    for (what, name) in [("stop", "m.gguf"), ("use", "../m.gguf"), ("delete", "m.gguf"), ("fetch", "x"), ("x", "y")] {
        assert_ne!(act(&keeper, what, name).await, DONE, "{what} {name}");
    }

    // What the last process had begun goes on after a restart.
    let mut begun = Record { url: server.url("plain"), sha256: server.sum(), ..Record::default() };
    begun.write(&file).unwrap();
    std::fs::write(part_of(&file), &toy()[..7000]).unwrap();
    app.state.library.resume(&app.state, &server.outgoing());
    until(|| file.exists()).await;
    assert!(server.asked().iter().any(|(_, range)| range == "bytes=7000-"), "{:?}", server.asked());

    let (stranger, _) = app.person("passer").await;
    for what in ["use", "delete", "fetch", "stop", "resume", "discard"] {
        let done = stranger.post_form_from("/fn/models/file", "/", &[("act", what), ("name", "m.gguf")]).await;
        assert!(!done.location().contains("saved"), "{what}: {}", done.location());
    }
    assert!(file.exists());
}

/// The tests' model in a folder, under a name.
fn model_at(folder: &Path, name: &str) {
    std::fs::create_dir_all(folder).unwrap();
    let file = std::env::var_os("SOULFORGE_MODEL").map(PathBuf::from).expect("SOULFORGE_MODEL must name a GGUF file");
    if std::fs::hard_link(&file, folder.join(name)).is_err() {
        std::fs::copy(file, folder.join(name)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn model_is_chosen_from_the_page_and_remembered() {
    let app = TestApp::with(&["--limit-factor", "1000", "--model", "none"]).await;
    let engine = LocalModel::load(LocalConfig::new(""));
    app.model.engine.set(engine.clone()).ok().unwrap();
    let (keeper, _) = admin(&app).await;
    let client = app.client();
    let status = async || client.get_json("/api/models/status").await.json();
    until(|| engine.standing() == Standing::Absent).await;
    let told = status().await;
    assert_eq!((told["state"].as_str(), told["local"].as_bool()), (Some("absent"), Some(true)), "{told}");

    // The first file on a machine without a model is what it was fetched for.
    let folder = folder_of(&app);
    model_at(&folder, "first.gguf");
    crate::models::files::acts::arrived(&app.state, "first.gguf").await;
    until(|| engine.standing() == Standing::Ready).await;
    let told = status().await;
    assert_eq!((told["state"].as_str(), told["small"].as_bool()), (Some("ready"), Some(true)), "{told}");
    assert_eq!(told["sentence"], "");
    assert_eq!(engine.path(), folder.join("first.gguf"));

    model_at(&folder, "second.gguf");
    assert_eq!(act(&keeper, "use", "second.gguf").await, DONE);
    until(|| engine.path() == folder.join("second.gguf") && engine.standing() == Standing::Ready).await;
    assert_ne!(act(&keeper, "delete", "second.gguf").await, DONE, "it is in use");
    let chosen = crate::models::store::local_file(&app.state.db).await.unwrap();
    let after = Library::new(&app.state.config).wanted(chosen.as_deref());
    assert_eq!(after, folder.join("second.gguf"), "it is remembered");

    std::fs::write(folder.join("broken.gguf"), b"GGUF and nothing more").unwrap();
    assert_eq!(act(&keeper, "use", "broken.gguf").await, DONE);
    until(|| engine.refused().is_some() && engine.standing() == Standing::Ready).await;
    let page = keeper.get("/admin/models").await.text;
    assert!(page.contains("damaged") && page.contains("The file before it goes on"), "{page}");
    assert_eq!(engine.path(), folder.join("second.gguf"));
    let told = status().await;
    assert_eq!(told["state"], "ready");
    assert!(!told.to_string().contains("broken"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_say_how_far_the_model_is() {
    let app = TestApp::with(&["--limit-factor", "1000", "--model", "none"]).await;
    let folder = folder_of(&app);
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("late.gguf");
    let mut record = Record {
        progress: Progress { done: 420_000_000, total: 1_117_000_000, ..Progress::default() },
        ..Record::default()
    };
    record.write(&file).unwrap();
    app.model.engine.set(LocalModel::load(LocalConfig::new(&file))).ok().unwrap();
    let engine = app.model.engine.get().unwrap();
    until(|| matches!(engine.standing(), Standing::Downloading { .. })).await;
    let told = app.client().get_json("/api/models/status").await.json();
    assert_eq!((told["done"].as_u64(), told["total"].as_u64()), (Some(420_000_000), Some(1_117_000_000)));
    let sentence = "The model is being downloaded: 420 of 1,117 MB.";
    assert!(told["sentence"].as_str().is_some_and(|s| s.starts_with(sentence)), "{told}");
    let (person, _) = app.person("early").await;
    let page = person.get("/talk/lumina").await;
    assert!(page.text.contains("The model is being downloaded: 420 of 1,117 MB"), "{}", page.status);
    // Whoever is about to summon, or looks what it is about, is told as well, and the notice looks again.
    for page in [person.get("/summon").await, app.client().get("/summon").await] {
        assert!(page.text.contains("The model is being downloaded: 420 of 1,117 MB"), "{}", page.text);
    }
    let again = person.get_json("/fn/models/status?conversation=&summons=true").await.json();
    assert_eq!(again["done"], 420_000_000, "{again}");
}
