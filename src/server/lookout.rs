//! What open streams follow, looked at once for all of them.
//!
//! A stream that asked the database by itself would hold the state of its questions as long as it is open, and a thousand
//! streams would ask a thousand times. Here one task of the process asks about everything that anybody follows, and
//! streams hold a receiver. The task begins with the first stream and ends after the last.

use super::AppState;
use crate::error::AppResult;
use dashmap::DashMap;
use std::{
    collections::HashSet,
    hash::Hash,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until},
};

/// Most things of one question.
const AT_ONCE: usize = 500;

/// Something that can be followed, by its key.
pub trait Followed: Clone + Eq + Hash + Send + Sync + 'static {
    /// What is known about it.
    type News: PartialEq + Send + Sync + 'static;
    /// How often it is looked at when nobody says that it has changed.
    const EVERY: Duration;

    /// How these stand now. What is not in the answer is as it was.
    fn look(app: &AppState, keys: &[Self]) -> impl Future<Output = AppResult<Vec<(Self, Self::News)>>> + Send;
}

/// Everything of one kind that streams of this process follow.
pub struct Lookout<K: Followed> {
    followed: DashMap<K, watch::Sender<K::News>>,
    /// What is to be looked at before its time.
    due: Mutex<HashSet<K>>,
    called: Notify,
    looking: AtomicBool,
}

impl<K: Followed> Default for Lookout<K> {
    fn default() -> Self {
        Self { followed: DashMap::new(), due: Mutex::default(), called: Notify::new(), looking: AtomicBool::new(false) }
    }
}

impl<K: Followed> Lookout<K> {
    /// Follows something of which this is known; whoever follows it already may know more.
    pub fn follow(self: &Arc<Self>, app: &AppState, key: K, known: K::News) -> watch::Receiver<K::News> {
        let receiver = self.followed.entry(key).or_insert_with(|| watch::Sender::new(known)).subscribe();
        if !self.looking.swap(true, Ordering::SeqCst) {
            app.tasks.spawn(Arc::clone(self).keep_looking(app.clone()));
        }
        receiver
    }

    /// Has something looked at now, if anybody follows it.
    pub fn touch(&self, key: &K) {
        if self.followed.contains_key(key) {
            self.due().insert(key.clone());
            self.called.notify_one();
        }
    }

    /// Has everything looked at now.
    pub fn touch_all(&self) {
        let all: Vec<K> = self.keys();
        self.due().extend(all);
        self.called.notify_one();
    }

    fn keys(&self) -> Vec<K> {
        self.followed.iter().map(|entry| entry.key().clone()).collect()
    }

    fn due(&self) -> MutexGuard<'_, HashSet<K>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn keep_looking(self: Arc<Self>, app: AppState) {
        let mut round = Instant::now() + K::EVERY;
        loop {
            let keys = tokio::select! {
                biased;
                // Streams end with the process.
                () = app.shutdown.cancelled() => return,
                () = sleep_until(round) => {
                    round = Instant::now() + K::EVERY;
                    self.followed.retain(|_, news| news.receiver_count() > 0);
                    if self.is_over() {
                        return;
                    }
                    self.keys()
                }
                () = self.called.notified() => self.due().drain().collect(),
            };
            for some in keys.chunks(AT_ONCE) {
                match K::look(&app, some).await {
                    Ok(found) => found.into_iter().for_each(|(key, news)| self.tell(&key, news)),
                    // The database comes back, and what is new with it.
                    Err(error) => tracing::debug!(%error, "what streams follow was not looked at"),
                }
            }
        }
    }

    /// Whether nobody follows anything. Somebody who begins just now finds that nobody looks, or is seen here.
    fn is_over(&self) -> bool {
        if !self.followed.is_empty() {
            return false;
        }
        self.looking.store(false, Ordering::SeqCst);
        self.followed.is_empty() || self.looking.swap(true, Ordering::SeqCst)
    }

    fn tell(&self, key: &K, news: K::News) {
        if let Some(known) = self.followed.get(key) {
            known.send_if_modified(|known| {
                let is_new = *known != news;
                *known = news;
                is_new
            });
        }
    }
}
