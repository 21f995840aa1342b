//! Changing the file while the process runs, fair shares, and what is said about files that cannot be used. The tests whose
//! names begin with `model_` need `SOULFORGE_MODEL`.

use super::tests::{Heard, file, listen, talk};
use super::{LocalConfig, LocalModel, Progress, Standing, now};
use crate::ai::{ChatModel, Chunk, FinishReason, ModelError, Reply, SharedModel};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A folder that goes away with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("sf-change-{}", Uuid::now_v7().simple()));
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    /// The model's file under another name.
    fn model(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        if fs::hard_link(file(), &path).is_err() {
            fs::copy(file(), &path).expect("a copy of the model");
        }
        path
    }

    fn with(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).expect("a file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn ask(model: &LocalModel, text: &str) -> Heard {
    listen(model.reply(talk(text), CancellationToken::new())).await
}

async fn until(model: &LocalModel, wanted: impl Fn(&Standing) -> bool) -> Standing {
    let begun = Instant::now();
    loop {
        let standing = model.standing();
        if wanted(&standing) {
            return standing;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{standing:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The head of a model file of an architecture that nobody knows.
fn stranger() -> Vec<u8> {
    let mut out = b"GGUF".to_vec();
    out.extend(3_u32.to_le_bytes());
    out.extend(0_u64.to_le_bytes());
    out.extend(1_u64.to_le_bytes());
    for text in ["general.architecture", "wolpertinger"] {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.as_bytes());
        if text.starts_with("general") {
            out.extend(8_u32.to_le_bytes());
        }
    }
    out
}

#[tokio::test]
async fn the_true_reason_is_for_admins_only() {
    let folder = Folder::new();
    let cases = [
        (folder.with("strange.gguf", &stranger()), "wolpertinger"),
        (folder.with("m-00002-of-00002.gguf", &stranger()), "part 2 of 2"),
        (folder.with("page.gguf", b"<!doctype html>"), "no GGUF file"),
        (folder.with("cut.gguf", &stranger()[..40]), "damaged"),
    ];
    for (path, reason) in cases {
        let model = LocalModel::load(LocalConfig::new(&path));
        let standing = until(&model, |s| *s != Standing::Loading).await;
        let Standing::Failed { reason: told } = standing else { panic!("{standing:?}") };
        assert!(told.contains(reason) && told.contains(&path.display().to_string()), "{told}");
        let end = ask(&model, "Hello").await.end;
        let Err(ModelError::Unavailable(text)) = end else { panic!("{end:?}") };
        assert!(!text.contains('/') && !text.contains("gguf") && text.contains("whoever runs this site"), "{text}");
    }
}

#[tokio::test]
async fn model_changes_while_it_runs() {
    let folder = Folder::new();
    let (one, two) = (folder.model("one.gguf"), folder.model("two.gguf"));
    let model = LocalModel::load(LocalConfig { parallel: 1, ..LocalConfig::new(&one) });
    let mut long = talk("Tell me about bread.");
    long.max_tokens = 40;
    let mut begun = model.reply(long, CancellationToken::new());
    while !matches!(begun.recv().await, Some(Ok(Chunk::Text(_))) | None) {}
    model.use_file(&two);
    let waiting = model.reply(talk("And tomorrow?"), CancellationToken::new());
    let (begun, waiting) = tokio::join!(listen(begun), listen(waiting));
    let finish = begun.end.expect("what was begun is finished");
    assert_ne!(finish.reason, FinishReason::Cancelled);
    assert!(waiting.end.is_ok(), "{:?}", waiting.end);
    assert_eq!((model.path(), model.info().name.as_str()), (two, "two"));
    assert_eq!((model.standing(), model.trouble()), (Standing::Ready, None));
}

#[tokio::test]
async fn model_goes_on_when_the_new_file_cannot_be_loaded() {
    let folder = Folder::new();
    let good = folder.model("good.gguf");
    let bad = folder.with("bad.gguf", &stranger());
    let model = LocalModel::load(LocalConfig::new(&good));
    assert!(ask(&model, "Hello").await.end.is_ok());
    model.use_file(&bad);
    let heard = ask(&model, "Hello again").await;
    assert!(heard.end.is_ok(), "{:?}", heard.end);
    until(&model, |s| *s == Standing::Ready).await;
    assert_eq!((model.path(), model.refused()), (good, Some(bad)));
    assert!(model.trouble().is_some_and(|why| why.contains("wolpertinger")));
}

#[tokio::test]
async fn model_is_put_away_and_taken_again() {
    let model = LocalModel::load(LocalConfig::new(file()));
    assert!(ask(&model, "Hello").await.end.is_ok());
    model.use_file("");
    until(&model, |s| *s == Standing::Absent).await;
    let end = ask(&model, "Hello").await.end;
    assert!(matches!(&end, Err(ModelError::Unavailable(text)) if text.contains("no model")), "{end:?}");
    model.use_file(file());
    assert!(ask(&model, "Hello").await.end.is_ok());
}

#[tokio::test]
async fn model_is_waited_for_while_it_is_fetched() {
    let folder = Folder::new();
    let path = folder.0.join("late.gguf");
    let progress = |done| {
        let text = serde_json::to_vec(&Progress { done, total: 1000, at: now(), failed: None }).expect("JSON");
        fs::write(Progress::beside(&path), text).expect("a file");
    };
    progress(420);
    let model = LocalModel::load(LocalConfig::new(&path));
    until(&model, |s| *s == Standing::Downloading { done: 420, total: 1000 }).await;
    let mut reply = model.reply(talk("Hello"), CancellationToken::new());
    assert_eq!(reply.recv().await, Some(Ok(Chunk::Queued { place: 1 })));
    progress(900);
    assert_eq!(model.standing(), Standing::Downloading { done: 900, total: 1000 });
    folder.model("late.gguf");
    let heard = listen(reply).await;
    assert!(heard.end.is_ok(), "{:?}", heard.end);
    // When the fetch fails, nobody waits any longer.
    let path = folder.0.join("never.gguf");
    model.use_file(&path);
    fs::write(Progress::beside(&path), r#"{"done":1,"total":2,"at":1,"failed":"The disk is full."}"#).expect("a file");
    until(&model, |s| matches!(s, Standing::Ready)).await;
    assert!(ask(&model, "Hello").await.end.is_ok(), "the file before it goes on");
    let failed = Path::new(&path);
    let model = LocalModel::load(LocalConfig::new(failed));
    let standing = until(&model, |s| matches!(s, Standing::Failed { .. })).await;
    assert_eq!(standing, Standing::Failed { reason: "The disk is full.".to_owned() });
    assert!(matches!(ask(&model, "Hello").await.end, Err(ModelError::Unavailable(_))));
}

/// Asks, and notes a name when the reply is there.
async fn noted(reply: Reply, name: &'static str, order: Arc<Mutex<Vec<&'static str>>>) -> Heard {
    let heard = listen(reply).await;
    order.lock().expect("no panic").push(name);
    heard
}

#[tokio::test]
async fn model_is_shared_fairly() {
    let engine = LocalModel::load(LocalConfig { parallel: 1, ..LocalConfig::new(file()) });
    let (greedy, other) = (engine.for_person(Uuid::from_u128(1)), engine.for_person(Uuid::from_u128(2)));
    let start = |model: &SharedModel, text: &str| {
        let mut request = talk(text);
        request.max_tokens = 24;
        model.reply(request, CancellationToken::new())
    };
    let mut first = start(&greedy, "Tell me of bread.");
    while !matches!(first.recv().await, Some(Ok(Chunk::Started)) | None) {}
    let order = Arc::default();
    let waiting: Vec<Reply> = (0..4).map(|n| start(&greedy, &format!("And bread number {n}?"))).collect();
    let too_many = start(&greedy, "And one more?");
    let late = start(&other, "What do you bake?");
    let greedy = waiting.into_iter().map(|reply| noted(reply, "greedy", Arc::clone(&order)));
    let (first, rest, too_many, late) = tokio::join!(
        noted(first, "first", Arc::clone(&order)),
        futures::future::join_all(greedy),
        listen(too_many),
        noted(late, "other", Arc::clone(&order)),
    );
    assert_eq!(too_many.end, Err(ModelError::Enough));
    assert!(first.end.is_ok() && late.end.is_ok() && rest.iter().all(|heard| heard.end.is_ok()));
    let order = order.lock().expect("no panic").clone();
    assert_eq!(order, ["first", "other", "greedy", "greedy", "greedy", "greedy"]);
    assert_eq!(late.places.first(), Some(&1), "the place in line is told: {:?}", late.places);
    assert!(rest.iter().all(|heard| !heard.places.is_empty()));
}
