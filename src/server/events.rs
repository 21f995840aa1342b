//! Live topics: a short log of events per topic that any number of streams follow, from the start or from where they left.

use super::bell::Bell;
use axum::response::sse;
use dashmap::DashMap;
use futures::Stream;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;
use uuid::Uuid;

/// How long a finished topic can still be followed.
const LINGER: Duration = Duration::from_secs(60);

/// One event; `id` counts from 1 within its topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Position in the topic's log.
    pub id: u64,
    /// Name of the event as the browser listens for it.
    pub name: &'static str,
    /// JSON.
    pub data: String,
}

impl From<Event> for sse::Event {
    fn from(event: Event) -> Self {
        Self::default().id(event.id.to_string()).event(event.name).data(event.data)
    }
}

/// A log that grows until it is closed.
pub struct Topic {
    log: Mutex<Vec<Event>>,
    /// Length of the log, and whether it is complete.
    length: watch::Sender<(usize, bool)>,
}

impl Topic {
    /// Adds an event and wakes everybody who follows.
    pub fn push(&self, name: &'static str, data: String) {
        let length = {
            let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            let id = log.len() as u64 + 1;
            log.push(Event { id, name, data });
            log.len()
        };
        self.length.send_modify(|s| s.0 = length);
    }

    /// Nothing will follow; streams end when they have read the rest.
    pub fn close(&self) {
        self.length.send_modify(|s| s.1 = true);
    }

    fn after(&self, seen: usize) -> Vec<Event> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.get(seen..).unwrap_or_default().to_vec()
    }

    /// The events after the one with id `seen` (0: all), then those to come, until the topic is closed.
    pub fn follow(self: &Arc<Self>, seen: u64) -> impl Stream<Item = Event> + Send + 'static + use<> {
        let topic = Arc::clone(self);
        let receiver = topic.length.subscribe();
        let seen = usize::try_from(seen).unwrap_or(usize::MAX);
        futures::stream::unfold(
            (topic, receiver, seen, Vec::new().into_iter()),
            |(topic, mut receiver, mut seen, mut ready)| async move {
                loop {
                    if let Some(event) = ready.next() {
                        return Some((event, (topic, receiver, seen, ready)));
                    }
                    let (length, closed) = *receiver.borrow_and_update();
                    if length > seen {
                        ready = topic.after(seen).into_iter();
                        seen = length;
                        continue;
                    }
                    if closed || receiver.changed().await.is_err() {
                        return None;
                    }
                }
            },
        )
    }
}

/// The topics of this process, and the bell that other processes hear.
#[derive(Default)]
pub struct Hub {
    topics: DashMap<Uuid, Arc<Topic>>,
    /// Rung when something has changed.
    pub bell: Bell,
}

impl Hub {
    /// Opens a topic, or gives the one that is open under this id.
    pub fn open(&self, id: Uuid) -> Arc<Topic> {
        Arc::clone(
            &self
                .topics
                .entry(id)
                .or_insert_with(|| Arc::new(Topic { log: Mutex::default(), length: watch::Sender::new((0, false)) })),
        )
    }

    /// The topic, if this process has it.
    #[must_use]
    pub fn get(&self, id: Uuid) -> Option<Arc<Topic>> {
        self.topics.get(&id).map(|t| Arc::clone(&t))
    }

    /// Closes a topic and forgets it a minute later.
    pub fn close(self: &Arc<Self>, id: Uuid) {
        if let Some(topic) = self.get(id) {
            topic.close();
        }
        let hub = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(LINGER).await;
            hub.topics.remove(&id);
        });
    }
}
