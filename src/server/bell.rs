//! A doorbell between processes: what one has changed, the others look at within moments.
//!
//! PostgreSQL carries it (`notify`, `listen`), ids only, and nothing depends on it: whoever misses a ring looks by itself some
//! seconds later. It is rung after the change is committed, many rings in one statement, and never by the transaction that
//! makes the change: PostgreSQL lets commits that notify through one at a time, which costs a busy server most of its writes.

use super::{AppState, Db};
use std::{
    collections::HashSet,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::sync::mpsc;
use uuid::Uuid;

/// The channel of `notify`.
const CHANNEL: &str = "soulforge";
/// Rings that wait to be sent, at most; more are left to those who look by themselves.
const WAITING: usize = 10_000;
/// How long rings are gathered for one statement.
const GATHER: Duration = Duration::from_millis(25);
/// Between tries to listen again.
const AGAIN: Duration = Duration::from_secs(1);
/// A line on which nobody has said anything for so long may be dead, and is opened anew.
const SILENCE: Duration = Duration::from_secs(120);

/// Something changed: what kind of thing, and which one. The rooms choose the letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ring(pub char, pub Uuid);

/// What comes over the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Another process rang.
    Ring(Ring),
    /// The line was opened (again): anything may have happened before.
    Anything,
}

/// The button; copies ring the same bell. Does nothing until [`start`].
#[derive(Clone, Default)]
pub struct Bell(Arc<OnceLock<mpsc::Sender<Ring>>>);

impl Bell {
    /// Tells the other processes. Returns at once.
    pub fn ring(&self, kind: char, id: Uuid) {
        if let Some(sender) = self.0.get() {
            let _ = sender.try_send(Ring(kind, id));
        }
    }
}

/// Sends this process's rings and listens for those of others, until shutdown. A second start of the same bell does nothing.
pub fn start(app: &AppState, heard: impl Fn(&AppState, Heard) + Send + Sync + 'static) {
    let (sender, receiver) = mpsc::channel(WAITING);
    if app.hub.bell.0.set(sender).is_err() {
        return;
    }
    let app = app.clone();
    app.tasks.clone().spawn(async move {
        tokio::select! {
            () = app.shutdown.cancelled() => {}
            () = send(&app, receiver) => {}
            () = listen(&app, heard) => {}
        }
    });
}

async fn send(app: &AppState, mut rings: mpsc::Receiver<Ring>) {
    let mut waiting = Vec::new();
    while rings.recv_many(&mut waiting, 500).await > 0 {
        tokio::time::sleep(GATHER).await;
        while waiting.len() < 2000
            && let Ok(ring) = rings.try_recv()
        {
            waiting.push(ring);
        }
        let once: HashSet<Ring> = waiting.drain(..).collect();
        let words: Vec<String> = once.into_iter().map(|ring| word(ring, app.node.0)).collect();
        if let Err(error) = notify(&app.db, &words).await {
            tracing::debug!(%error, "other processes were not told; they look by themselves");
        }
    }
}

async fn notify(db: &Db, words: &[String]) -> crate::error::AppResult<()> {
    let mut tx = db.system().await?;
    sqlx::query!("select pg_notify($1, word) from unnest($2::text[]) word", CHANNEL, words).execute(&mut *tx).await?;
    tx.commit().await
}

async fn listen(app: &AppState, heard: impl Fn(&AppState, Heard)) {
    loop {
        match app.db.listener(CHANNEL).await {
            Ok(mut line) => {
                heard(app, Heard::Anything);
                loop {
                    match tokio::time::timeout(SILENCE, line.try_recv()).await {
                        Ok(Ok(Some(said))) => {
                            if let Some((ring, _)) = read(said.payload()).filter(|(_, node)| *node != app.node.0) {
                                heard(app, Heard::Ring(ring));
                            }
                        }
                        // The line was cut and is open again.
                        Ok(Ok(None)) => heard(app, Heard::Anything),
                        Ok(Err(_)) | Err(_) => break,
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "other processes cannot be heard yet"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// A ring as it is sent: what, which, by whom.
fn word(Ring(kind, id): Ring, node: Uuid) -> String {
    format!("{kind} {} {}", id.simple(), node.simple())
}

fn read(word: &str) -> Option<(Ring, Uuid)> {
    let mut parts = word.split(' ');
    let mut kind = parts.next()?.chars();
    let ring = Ring(kind.next().filter(|_| kind.as_str().is_empty())?, parts.next()?.parse().ok()?);
    Some((ring, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_are_read_as_they_were_sent() {
        let (ring, node) = (Ring('c', Uuid::from_u128(7)), Uuid::from_u128(9));
        assert_eq!(read(&word(ring, node)), Some((ring, node)));
        for nonsense in ["", "c", "c x y", "cc 00000000000000000000000000000007 00000000000000000000000000000009"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }
}
