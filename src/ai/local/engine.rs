//! The engine's thread: loads the model, serves, and when something broke says so and tries again at the next request.

use super::job::{Command, Job};
use super::serve::Serve;
use super::{Shared, load};
use crate::ai::{Message, ModelError};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// Prompts that wait to be read ahead; the oldest wish gives way.
const WARM_LIMIT: usize = 8;

/// The life of the thread.
pub(super) fn run(shared: &Shared, commands: Receiver<Command>) {
    be_nice();
    let mut inbox = Inbox { commands, waiting: VecDeque::new(), warm: VecDeque::new(), closed: false };
    let mut patience = Patience::new();
    while !shared.stop.load(Ordering::Acquire) && (!inbox.closed || !inbox.is_empty()) {
        let served = catch_unwind(AssertUnwindSafe(|| serve(shared, &mut inbox, &mut patience)));
        *shared.loaded.write().unwrap_or_else(PoisonError::into_inner) = None;
        let error = match served {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => error,
            Err(_) => "the local model stopped unexpectedly; please try again".to_owned(),
        };
        patience.failed();
        tracing::warn!(retry_ms = patience.wait.as_millis(), "{error}");
        for job in inbox.waiting.drain(..) {
            job.fail(ModelError::Unavailable(error.clone()));
        }
        inbox.warm.clear();
        inbox.refuse_until_due(shared, &patience, &error);
    }
}

/// Loads and serves until told to stop. The error is a sentence for those who wait.
fn serve(shared: &Shared, inbox: &mut Inbox, patience: &mut Patience) -> Result<(), String> {
    let begun = Instant::now();
    let loaded = load::open(&shared.config)?;
    let model = Arc::clone(&loaded.model);
    let per_reply = loaded.context;
    let ctx = load::context(&model, &shared.config, per_reply)?;
    *shared.loaded.write().unwrap_or_else(PoisonError::into_inner) = Some(loaded);
    patience.recovered();
    tracing::info!(
        path = %shared.config.path.display(),
        threads = shared.config.threads,
        context = per_reply,
        duration_ms = begun.elapsed().as_millis(),
        "the local model is loaded"
    );
    Serve::new(&model, ctx, &shared.config, per_reply).run(shared, inbox)
}

/// Pages come before words: the thread, and those llama.cpp starts from it, give way to everything else.
fn be_nice() {
    // Elsewhere than on Linux this would slow down the whole process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, 5) {
        tracing::debug!(%error, "the local model's thread could not lower its priority");
    }
}

/// What callers want and has not begun.
pub(super) struct Inbox {
    commands: Receiver<Command>,
    pub waiting: VecDeque<Job>,
    pub warm: VecDeque<Vec<Message>>,
    /// Nobody can ask any more.
    pub closed: bool,
}

impl Inbox {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.warm.is_empty()
    }

    /// Takes what has arrived; sleeps until something does when `wait`.
    pub(super) fn take(&mut self, wait: bool) {
        if wait {
            match self.commands.recv() {
                Ok(command) => self.sort(command),
                Err(_) => self.closed = true,
            }
        }
        loop {
            match self.commands.try_recv() {
                Ok(command) => self.sort(command),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.closed = true;
                    return;
                }
            }
        }
    }

    /// Lets go of those who do not want to wait any more and tells the others their place.
    pub(super) fn tidy(&mut self) {
        if self.waiting.iter().any(Job::unwanted) {
            for job in std::mem::take(&mut self.waiting) {
                if job.unwanted() { job.cancelled() } else { self.waiting.push_back(job) }
            }
        }
        for (place, job) in (1..).zip(&mut self.waiting) {
            job.queued(place);
        }
    }

    fn sort(&mut self, command: Command) {
        match command {
            Command::Reply(job) => self.waiting.push_back(*job),
            Command::Warm(lines) => {
                self.warm.push_back(lines);
                if self.warm.len() > WARM_LIMIT {
                    self.warm.pop_front();
                }
            }
            Command::Wake => {}
        }
    }

    /// Answers with the error until it is time to try again and somebody asks.
    fn refuse_until_due(&mut self, shared: &Shared, patience: &Patience, error: &str) {
        loop {
            match self.commands.recv() {
                Ok(Command::Reply(job)) if patience.is_over() => {
                    self.waiting.push_back(*job);
                    return;
                }
                Ok(Command::Reply(job)) => job.fail(ModelError::Unavailable(error.to_owned())),
                Ok(Command::Warm(_)) => {}
                Ok(Command::Wake) => {
                    if shared.stop.load(Ordering::Acquire) {
                        return;
                    }
                }
                Err(_) => {
                    self.closed = true;
                    return;
                }
            }
        }
    }
}

/// When to try again after a failure: after a second, then twice as long each time, at most half a minute.
struct Patience {
    wait: Duration,
    since: Instant,
}

impl Patience {
    fn new() -> Self {
        Self { wait: Duration::ZERO, since: Instant::now() }
    }

    fn failed(&mut self) {
        self.wait = (self.wait * 2).clamp(Duration::from_secs(1), Duration::from_secs(30));
        self.since = Instant::now();
    }

    fn recovered(&mut self) {
        self.wait = Duration::ZERO;
    }

    fn is_over(&self) -> bool {
        self.since.elapsed() >= self.wait
    }
}
