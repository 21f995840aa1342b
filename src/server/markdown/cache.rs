//! Rendered once, read many times: long messages are drawn on a thread of their own and kept for a while.
//!
//! A page shows sixty lines, and most of them are the ones that it showed before. What is kept is found by the hash of the
//! text, so it can be nobody's but that text's.

use super::render;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};
use tokio::sync::Semaphore;

/// Texts up to this many bytes are drawn at once and not kept: that takes less than finding them.
const SHORT: usize = 512;
/// Most bytes of text that are drawn on an async thread; more goes to a thread of its own.
const AT_ONCE: usize = 4 * 1024;
/// Bytes of HTML in one half of what is kept. The older half goes when the newer one is full.
const HALF: usize = 8 * 1024 * 1024;

/// Half of the cores, at least one: the rest serves.
static THREADS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(1, |n| (n.get() / 2).max(1))));

static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);

type Key = [u8; 32];

/// What was drawn lately, in two halves.
#[derive(Default)]
struct Kept {
    newer: HashMap<Key, Arc<str>>,
    older: HashMap<Key, Arc<str>>,
    /// Bytes in the newer half.
    size: usize,
}

impl Kept {
    fn find(&mut self, key: &Key) -> Option<Arc<str>> {
        if let Some(html) = self.newer.get(key) {
            return Some(Arc::clone(html));
        }
        let html = self.older.remove(key)?;
        self.keep(*key, Arc::clone(&html));
        Some(html)
    }

    fn keep(&mut self, key: Key, html: Arc<str>) {
        if self.size + html.len() > HALF {
            self.older = std::mem::take(&mut self.newer);
            self.size = 0;
        }
        self.size += html.len();
        if let Some(old) = self.newer.insert(key, html) {
            self.size -= old.len();
        }
    }
}

fn key_of(text: &str) -> Key {
    Sha256::digest(text).into()
}

fn found(key: &Key) -> Option<String> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).find(key).map(|html| html.to_string())
}

/// [`render`], and keeps what was long.
fn render_and_keep(text: &str) -> String {
    let html = render(text);
    if text.len() > SHORT {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        kept.keep(key_of(text), html.as_str().into());
    }
    html
}

/// [`render`] for pages and streams: in no open transaction, please, since it may wait for a thread.
pub async fn drawn(text: &str) -> String {
    drawn_all(&[text]).await.pop().unwrap_or_default()
}

/// The HTML of each of these texts. What is known already costs nothing; a lot of the rest is drawn beside the async threads.
pub async fn drawn_all(texts: &[&str]) -> Vec<String> {
    let mut out: Vec<Option<String>> =
        texts.iter().map(|text| if text.len() > SHORT { found(&key_of(text)) } else { None }).collect();
    let open = |out: &[Option<String>]| {
        out.iter().enumerate().filter(|(_, o)| o.is_none()).map(|(n, _)| n).collect::<Vec<_>>()
    };
    let missing: Vec<String> =
        open(&out).into_iter().filter_map(|n| texts.get(n)).map(|text| (*text).to_owned()).collect();
    let html = if missing.iter().map(String::len).sum::<usize>() <= AT_ONCE {
        missing.iter().map(|text| render_and_keep(text)).collect()
    } else {
        let permit = THREADS.acquire().await;
        let work = move || {
            // Held to the end of the work, whether or not anybody still waits for it.
            let _permit = permit;
            missing.iter().map(|text| render_and_keep(text)).collect::<Vec<_>>()
        };
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
            tracing::error!(%error, "drawing a message panicked");
            Vec::new()
        })
    };
    let mut html = html.into_iter();
    for place in out.iter_mut().filter(|o| o.is_none()) {
        *place = html.next();
    }
    out.into_iter().map(Option::unwrap_or_default).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn long_and_short_come_back_in_their_order() {
        let long = "*She counts the lamps.* One more.\n\n".repeat(400);
        let texts = ["a", long.as_str(), "b", long.as_str()];
        for _ in 0..2 {
            let drawn = drawn_all(&texts).await;
            assert_eq!(
                drawn.iter().map(String::as_str).collect::<Vec<_>>(),
                [render("a").as_str(), render(&long).as_str(), render("b").as_str(), render(&long).as_str()]
            );
        }
        assert!(found(&key_of(&long)).is_some(), "it is kept");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut kept = Kept::default();
        let html: Arc<str> = "x".repeat(1024 * 1024).into();
        for n in 0..64_u8 {
            kept.keep([n; 32], Arc::clone(&html));
        }
        assert!(kept.newer.len() + kept.older.len() <= 16, "{} and {}", kept.newer.len(), kept.older.len());
        assert!(kept.find(&[63; 32]).is_some());
        assert!(kept.find(&[0; 32]).is_none());
    }
}
