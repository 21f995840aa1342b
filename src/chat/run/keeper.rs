//! Keeps the words and the leases of all replies that this process writes, together.
//!
//! Twice a second there is one transaction for all of them, and not one for each: with many replies at once, theirs would be
//! most of what the database does, on the processors that bring the words to people.

use super::{FLUSH_EVERY, Live, Phase, RENEW_EVERY};
use crate::{
    chat::{
        RunStatus,
        store::{self, Keep, Words},
    },
    error::AppError,
    ids::RunId,
    server::AppState,
};
use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

/// Most replies of one transaction.
const AT_ONCE: usize = 200;

/// What is in the row of a run.
struct Kept {
    /// Bytes of the reply.
    length: usize,
    /// When its lease was renewed.
    renewed: Instant,
}

/// Begins to keep, unless it does already. Ends after the last run.
pub(super) fn begin(app: &AppState) {
    if !app.runs.keeping.swap(true, Ordering::SeqCst) {
        app.tasks.spawn(keep(app.clone()));
    }
}

async fn keep(app: AppState) {
    let mut kept = HashMap::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(FLUSH_EVERY) => {}
            () = app.runs.bulk.notified() => {}
        }
        let live: HashMap<RunId, Arc<Live>> =
            app.runs.live.iter().map(|run| (*run.key(), Arc::clone(run.value()))).collect();
        if live.is_empty() {
            app.runs.keeping.store(false, Ordering::SeqCst);
            // Somebody who begins just now finds that nobody keeps, or is seen here.
            if app.runs.live.is_empty() || app.runs.keeping.swap(true, Ordering::SeqCst) {
                return;
            }
            continue;
        }
        kept.retain(|id, _| live.contains_key(id));
        let due: Vec<Words> = live.iter().filter_map(|(id, live)| due(*id, live, &mut kept)).collect();
        for some in due.chunks(AT_ONCE) {
            together(&app, some, &live, &mut kept).await;
        }
    }
}

/// What is to be written of a run: new words, or only that it lives.
fn due(id: RunId, live: &Live, kept: &mut HashMap<RunId, Kept>) -> Option<Words> {
    let kept = kept.entry(id).or_insert_with(|| Kept { length: live.begun, renewed: Instant::now() });
    let is_new = live.length() != kept.length;
    if live.has_ended() || (!is_new && kept.renewed.elapsed() < RENEW_EVERY) {
        return None;
    }
    let status = if live.phase() == Phase::Started { RunStatus::Streaming } else { RunStatus::Queued };
    Some(Words { run: id, message: live.message_id, status, text: is_new.then(|| live.text()) })
}

async fn together(app: &AppState, some: &[Words], live: &HashMap<RunId, Arc<Live>>, kept: &mut HashMap<RunId, Kept>) {
    match store::keep(app, some).await {
        Ok(found) => settle(found, some, live, kept),
        // The words stay in memory; the next round tries again.
        Err(error @ AppError::Unavailable { .. }) => {
            tracing::warn!(runs = some.len(), %error, "words of replies were not kept yet");
        }
        // One that cannot be kept shall not hold up the others.
        Err(_) => {
            for one in some {
                match store::keep(app, std::slice::from_ref(one)).await {
                    Ok(found) => settle(found, some, live, kept),
                    Err(error) => tracing::warn!(run = %one.run, %error, "words of a reply were not kept yet"),
                }
            }
        }
    }
}

fn settle(
    found: Vec<(RunId, Keep)>,
    some: &[Words],
    live: &HashMap<RunId, Arc<Live>>,
    kept: &mut HashMap<RunId, Kept>,
) {
    for (id, verdict) in found {
        let Some(live) = live.get(&id) else { continue };
        match verdict {
            Keep::On => {}
            Keep::Stop => live.stop.cancel(),
            Keep::Gone => live.gone.cancel(),
        }
        if let Some(kept) = kept.get_mut(&id) {
            kept.renewed = Instant::now();
            let text = some.iter().find(|words| words.run == id).and_then(|words| words.text.as_ref());
            kept.length = text.map_or(kept.length, String::len);
        }
    }
}
