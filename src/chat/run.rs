//! Runs: tasks of the server that write replies.
//!
//! A run belongs to the process, not to a connection: closing a tab stops nothing. Its words are kept in memory, where
//! any number of streams read them, and twice a second in the database, under a lease. A process that dies leaves a lease
//! that runs out, and the reply is then `interrupted` with the words it has. No transaction is open while a model writes.

mod ask;
mod keeper;
mod live;

pub use live::{End, Live, Phase, Progress, tail};

use super::{
    RunStatus,
    notes::summary,
    prompt,
    store::{self, Ended, Start},
    stream::Beat,
};
use crate::{
    ai::{Finish, FinishReason, ModelError},
    error::{AppError, AppResult},
    ids::{ConversationId, MessageId, OcId, RunId, UserId},
    models::{
        meter::{Ending, Spent, Ticket},
        store::Tokens,
    },
    server::{
        AppState, Tx,
        bell::{Bell, Heard, Ring},
        lookout::Lookout,
        markdown,
        telemetry::figures,
    },
};
use dashmap::DashMap;
use futures::FutureExt;
use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};
use tokio::sync::{Notify, watch};
use tracing::Instrument;

/// How long a process may be silent before its runs count as interrupted.
pub const LEASE_SECONDS: f64 = 12.0;
/// How often words are kept while they come.
const FLUSH_EVERY: Duration = Duration::from_millis(500);
/// Words are kept earlier when this many bytes have come.
const FLUSH_BYTES: usize = 2048;
/// How often the lease is renewed while no words come.
const RENEW_EVERY: Duration = Duration::from_secs(2);
/// How often runs of dead processes are looked for.
const RECOVER_EVERY: Duration = Duration::from_secs(5);
/// How long after an outage everybody may renew their leases before anybody is called dead.
const CALM: Duration = Duration::from_secs(15);
/// Longest reply, in characters; the database refuses some more.
const REPLY_MAX: usize = 60_000;
/// Said of a reply that was to go on and did not.
pub const NOTHING_TO_ADD: &str = "The model had nothing to add.";
/// Waits between tries to write the end of a run while the database is away.
const FINISH_TRIES: [u64; 8] = [0, 100, 300, 1000, 2000, 4000, 8000, 15_000];

/// Rung when something happened in a conversation.
const TALK: char = 'c';
/// Rung when a run of another process should stop.
const STOP: char = 's';

/// The runs of this process, and what its streams follow.
#[derive(Default)]
pub struct Runs {
    live: DashMap<RunId, Arc<Live>>,
    /// Somebody keeps the words.
    keeping: AtomicBool,
    /// Wakes who keeps them before their time.
    bulk: Notify,
    talks: Arc<Lookout<ConversationId>>,
    /// Runs of other processes.
    others: Arc<Lookout<RunId>>,
    bell: Bell,
}

impl Runs {
    /// None yet; other processes hear of them over the bell.
    #[must_use]
    pub fn new(bell: Bell) -> Self {
        Self { bell, ..Self::default() }
    }

    /// Another process did something, or may have.
    pub fn hear(&self, heard: Heard) {
        match heard {
            Heard::Ring(Ring(TALK, id)) => self.talks.touch(&ConversationId(id)),
            Heard::Ring(Ring(STOP, id)) => {
                if let Some(live) = self.get(RunId(id)) {
                    live.stop.cancel();
                }
            }
            Heard::Ring(_) => {}
            Heard::Anything => self.talks.touch_all(),
        }
    }

    /// The run, while this process writes it.
    #[must_use]
    pub fn get(&self, id: RunId) -> Option<Arc<Live>> {
        self.live.get(&id).map(|l| Arc::clone(&l))
    }

    /// Tells the model to stop, here or in the process whose run it is.
    pub fn stop(&self, id: RunId) {
        match self.get(id) {
            Some(live) => live.stop.cancel(),
            None => self.bell.ring(STOP, id.0),
        }
    }

    /// How many replies this process writes or has waiting.
    #[must_use]
    pub fn count(&self) -> usize {
        self.live.len()
    }

    /// How many of them wait for the model, and how many it writes.
    #[must_use]
    pub fn phases(&self) -> (u32, u32) {
        self.live.iter().fold((0, 0), |(queued, writing), live| match live.phase() {
            Phase::Queued(_) => (queued + 1, writing),
            Phase::Started | Phase::Ended(_) => (queued, writing + 1),
        })
    }

    /// Tells everybody who watches a conversation, in every process.
    pub fn touch(&self, id: ConversationId) {
        self.talks.touch(&id);
        self.bell.ring(TALK, id.0);
    }

    /// Tells whenever something happens in a conversation.
    pub fn watch(&self, app: &AppState, id: ConversationId) -> watch::Receiver<Beat> {
        self.talks.follow(app, id, Beat::Unknown)
    }

    /// Follows a run that another process writes, of which this is known.
    pub fn follow(&self, app: &AppState, id: RunId, known: Progress) -> watch::Receiver<Progress> {
        self.others.follow(app, id, known)
    }
}

/// Makes a run durable, with all that belongs to it, and begins it: both happen, also when whoever asked goes away meanwhile.
///
/// # Errors
/// When the database refuses; nothing is begun then.
pub async fn commit(app: &AppState, tx: Tx, begun: &Start) -> AppResult<()> {
    let (app, begun, tasks) = (app.clone(), begun.clone(), app.tasks.clone());
    let both = async move {
        tx.commit().await?;
        start(&app, begun);
        Ok(())
    };
    tasks.spawn(both.in_current_span()).await.unwrap_or_else(|error| {
        tracing::error!(%error, "beginning a run panicked");
        Err(AppError::Internal)
    })
}

/// Begins a run whose rows are committed. Returns at once.
fn start(app: &AppState, start: Start) {
    if start.is_card {
        figures::crisis_card();
        return app.runs.touch(start.conversation_id);
    }
    let live = Arc::new(Live::new(&start));
    app.runs.live.insert(start.run_id, Arc::clone(&live));
    keeper::begin(app);
    app.runs.touch(start.conversation_id);
    let (app, tasks) = (app.clone(), app.tasks.clone());
    let task = async move {
        let began = Instant::now();
        let work = AssertUnwindSafe(write(&app, &start, &live, began)).catch_unwind();
        let mut outcome = work.await.unwrap_or_else(|_| {
            tracing::error!(run = %start.run_id, "a run panicked");
            Outcome::failed("Something broke while this was written. Please try again.")
        });
        let (first_token_ms, cost) = (outcome.first_token_ms, outcome.cost.clone());
        // What people call the models of their own keys is no name for figures.
        let own = outcome.ticket.as_ref().is_some_and(|t| t.candidate().own_key);
        let model = if own { "own key".to_owned() } else { outcome.model.clone() };
        let (account, was_sent) = (outcome.account(), outcome.was_sent);
        let cost_micros = account.as_ref().and_then(|a| Some(a.0.candidate().cost(&Tokens::from(a.2.as_ref()?))));
        let end = close(&app, &start, &live, outcome, cost_micros).await;
        figures::run_ended(&model, end.word(), began.elapsed(), first_token_ms, cost.as_ref());
        let is_done = matches!(end, End::Done { .. });
        live.set(Phase::Ended(end));
        app.runs.live.remove(&start.run_id);
        app.runs.touch(start.conversation_id);
        // Nobody waits for the account of it.
        if let Some((ticket, ending, cost, first_token_ms)) = account {
            let text = live.text();
            let said = text.get(start.kept.len()..).unwrap_or_default();
            ticket.settle(&app, ending, Spent::of(cost.as_ref(), was_sent, said), first_token_ms).await;
        }
        if is_done {
            let Start { user_id: user, conversation_id: conversation, oc_id: oc, message_id: leaf, .. } = start;
            summary::begin(&app, summary::Place { user, conversation, oc, leaf }).await;
        }
    };
    // What it logs carries the id of the request that asked for it.
    tasks.spawn(task.in_current_span());
}

/// How the writing went, before it is kept.
struct Outcome {
    end: Finished,
    cost: Option<Finish>,
    first_token_ms: Option<i32>,
    /// Name of the model that answered, or was asked last.
    model: String,
    /// The call that is to be settled.
    ticket: Option<Ticket>,
    /// The prompt had left for the model.
    was_sent: bool,
}

enum Finished {
    Written(FinishReason),
    Failed(String),
    Stopped,
    Interrupted,
    Gone,
}

impl Outcome {
    fn failed(message: impl Into<String>) -> Self {
        Self::of(Finished::Failed(message.into()))
    }

    const fn of(end: Finished) -> Self {
        Self { end, cost: None, first_token_ms: None, model: String::new(), ticket: None, was_sent: false }
    }

    /// What the account of the call is made of.
    fn account(&mut self) -> Option<(Ticket, Ending, Option<Finish>, Option<i32>)> {
        let ending = match &self.end {
            Finished::Written(_) => Ending::Done,
            Finished::Failed(_) => Ending::Failed,
            Finished::Stopped | Finished::Gone => Ending::Stopped,
            Finished::Interrupted => Ending::Interrupted,
        };
        self.ticket.take().map(|ticket| (ticket, ending, self.cost.clone(), self.first_token_ms))
    }
}

/// Who speaks, as far as it is known.
#[derive(Default)]
struct Speaker {
    /// The name that stays with the reply.
    model: String,
    /// The call under way.
    ticket: Option<Ticket>,
    /// Who was asked before and could not, as sentences.
    fell: Vec<String>,
    first_token_ms: Option<i32>,
    /// The prompt has left for the model.
    was_sent: bool,
    /// What it says that a reply cost which failed.
    spent: Option<Finish>,
}

/// Asks the models one after the other until one speaks, and collects its words, until the run may not go on.
async fn write(app: &AppState, start: &Start, live: &Live, began: Instant) -> Outcome {
    let candidates = match app.models.for_conversation(start.user_id, start.conversation_id).await {
        Ok(candidates) => candidates,
        Err(error) => return Outcome::failed(error.to_string()),
    };
    let mut speaker = Speaker::default();
    let collect = async {
        let mut last = None;
        for candidate in &candidates {
            match ask::ask(app, start, live, began, candidate, &mut speaker).await {
                ask::Asked::Ended(end, cost) => return (end, cost),
                ask::Asked::Passed(error) => {
                    tracing::warn!(run = %start.run_id, model = candidate.name, kind = error.kind(), "a model could not answer");
                    speaker.fell.push(ask::fell(candidate, &error));
                    last = Some(error);
                }
            }
        }
        let why = last.unwrap_or_else(|| ModelError::Unavailable("No model is set up.".to_owned()));
        (Finished::Failed(explain(&why)), None)
    };
    let (end, cost) = tokio::select! {
        biased;
        () = live.stop.cancelled() => (Finished::Stopped, None),
        () = app.shutdown.cancelled() => (Finished::Interrupted, None),
        ended = collect => ended,
        () = live.gone.cancelled() => (Finished::Gone, None),
    };
    // A model that says "cancelled" was told so by somebody.
    let end = match end {
        Finished::Written(FinishReason::Cancelled) => Finished::Stopped,
        Finished::Written(_) if live.text().trim().is_empty() => {
            Finished::Failed(explain(&ModelError::NoWords { provider: String::new(), in_thoughts: false }))
        }
        other => other,
    };
    let Speaker { model, ticket, first_token_ms, was_sent, .. } = speaker;
    Outcome { end, cost, first_token_ms, model, ticket, was_sent }
}

/// Writes the end of a run, again and again while the database is away, and gives what streams are told.
async fn close(app: &AppState, start: &Start, live: &Live, outcome: Outcome, cost_micros: Option<i64>) -> End {
    let text = live.text();
    let has_more = text.get(start.kept.len()..).is_some_and(|added| !added.trim().is_empty());
    let note = (!start.kept.is_empty() && !has_more).then_some(NOTHING_TO_ADD);
    let (status, finish, error) = match &outcome.end {
        Finished::Written(reason) => (RunStatus::Done, Some(word(*reason)), note.map(str::to_owned)),
        Finished::Failed(message) => (RunStatus::Failed, None, Some(message.chars().take(1000).collect::<String>())),
        Finished::Stopped => (RunStatus::Stopped, Some("cancelled"), None),
        Finished::Interrupted => (RunStatus::Interrupted, None, None),
        Finished::Gone => return End::Gone,
    };
    let content = match outcome.end {
        Finished::Written(reason) => prompt::finished(&text, start.kept.len(), reason == FinishReason::Length),
        _ => text,
    };
    let end = Ended {
        status,
        last_line: markdown::plain(&content, 180),
        content,
        finish,
        error: error.clone(),
        model: outcome.model,
        cost_micros,
        cost: outcome.cost,
        first_token_ms: outcome.first_token_ms,
    };
    for (round, wait) in FINISH_TRIES.into_iter().enumerate() {
        if round > 4 && app.shutdown.is_cancelled() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(wait)).await;
        match store::finish(app, start, &end).await {
            Ok(true) => {
                return match status {
                    RunStatus::Done => End::Done {
                        content: end.content,
                        finish: finish.unwrap_or("end").to_owned(),
                        note: note.unwrap_or_default().to_owned(),
                    },
                    RunStatus::Stopped => End::Stopped,
                    RunStatus::Interrupted => End::Interrupted,
                    _ => End::Failed(error.unwrap_or_default()),
                };
            }
            Ok(false) => return End::Gone,
            Err(error) => tracing::warn!(run = %start.run_id, %error, round, "the end of a run was not kept yet"),
        }
    }
    // The lease runs out, and the run is found as interrupted with what was kept last.
    End::Interrupted
}

const fn word(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::Cancelled => "cancelled",
        // Chats offer no tools.
        FinishReason::End | FinishReason::ToolUse => "end",
    }
}

/// What a model wrote without what nobody can see, and without blanks at its beginning.
/// `before` is the last character of what it goes on from.
fn readable(text: &str, before: Option<char>) -> String {
    let text = if before.is_none() { text.trim_start() } else { text };
    crate::text::readable(text, before)
}

/// An error of the model as a sentence for the person who waits.
fn explain(error: &ModelError) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let sentence = match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect::<String>(),
        None => "The model stopped".to_owned(),
    };
    if sentence.ends_with(['.', '!', '?']) { sentence } else { format!("{sentence}.") }
}

/// Has the model read what the next reply of a conversation begins with. Returns at once; best effort. Only the model of
/// this machine reads ahead: others read nothing before they are asked.
pub fn warm(app: &AppState, user: UserId, oc: OcId, conversation: Option<ConversationId>, until: Option<MessageId>) {
    let app = app.clone();
    tokio::spawn(async move {
        let read = async {
            let order = match conversation {
                Some(id) => app.models.for_conversation(user, id).await?,
                None => app.models.for_new_conversation().await?,
            };
            let Some(model) = order.into_iter().next().map(|c| c.model).filter(|m| m.info().local) else {
                return Ok(None);
            };
            let mut tx = app.db.begin(user).await?;
            let persona = crate::ocs::store::persona(&mut tx, oc).await?;
            let mut scene = store::scene(&mut tx, user, persona, until).await?;
            drop(tx);
            if until.is_none() {
                // A talk that has not begun will begin with the greeting.
                let greeting = prompt::fill(scene.persona.greeting.trim(), scene.persona.called(), &scene.person);
                scene.history.push(prompt::Turn { by: super::Sender::Oc, content: greeting });
            }
            let prompt = prompt::build(&scene, &model.info(), &|t: &str| model.count_tokens(t), "");
            Ok::<_, AppError>(Some((model, prompt)))
        };
        match read.await {
            Ok(Some((model, prompt))) => model.warm(prompt.request.messages),
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "a prompt was not read ahead"),
        }
    });
}

/// Marks runs of dead processes as interrupted, now and every few seconds until the process ends. A database that was away for
/// this process was so for others, which could not renew their leases: they get the time to before anybody is called dead.
///
/// # Errors
/// When the database cannot be reached.
pub async fn recover(app: &AppState) -> AppResult<()> {
    let found = store::expire(&app.db, false).await?;
    if !found.is_empty() {
        tracing::info!(
            conversations = found.len(),
            "replies of an earlier process were interrupted; their words are kept"
        );
    }
    let app = app.clone();
    app.tasks.clone().spawn(async move {
        let (mut wait, mut was_away) = (RECOVER_EVERY, false);
        loop {
            tokio::select! {
                () = app.shutdown.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            let looked =
                if was_away { app.db.keeper().await.map(|_| Vec::new()) } else { store::expire(&app.db, true).await };
            wait = if was_away && looked.is_ok() { CALM } else { RECOVER_EVERY };
            was_away = looked.is_err();
            match looked {
                Ok(found) => found.into_iter().for_each(|id| app.runs.touch(id)),
                Err(error) => tracing::warn!(%error, "runs of dead processes were not looked for"),
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_become_sentences() {
        assert_eq!(explain(&ModelError::Failed("out of memory".into())), "The model stopped: out of memory.");
        assert_eq!(explain(&ModelError::Unavailable("No model file.".into())), "No model file.");
    }

    #[test]
    fn only_what_can_be_read_is_kept() {
        assert_eq!(readable("\n\u{0}a\u{202e}b\n", None), "ab\n");
        assert_eq!(readable(" b", Some('a')), " b");
    }
}
