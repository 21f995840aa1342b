//! The engine's thread: loads the model, serves, changes to another file, and when something broke says so and tries again
//! at the next request.

use super::fault::Fault;
use super::job::{Command, Job};
use super::line::{Line, Who};
use super::serve::Serve;
use super::standing::{Standing, without_file};
use super::{LocalConfig, Shared, load};
use crate::ai::{Message, ModelError};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

/// Prompts that wait to be read ahead; the oldest wish gives way.
const WARM_LIMIT: usize = 8;
/// How often it is looked whether a file has come.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The life of the thread.
pub(super) fn run(shared: &Shared, commands: Receiver<Command>) {
    be_nice();
    let mut inbox = Inbox { commands, waiting: Line::new(), warm: VecDeque::new(), closed: false };
    let mut patience = Patience::new();
    while !shared.stop.load(Ordering::Acquire) && (!inbox.closed || !inbox.is_empty()) {
        let config = shared.begin();
        let served = catch_unwind(AssertUnwindSafe(|| serve(shared, &config, &mut inbox, &mut patience)));
        shared.unloaded();
        let fault = match served {
            Ok(Ok(())) => continue,
            Ok(Err(fault)) => fault,
            Err(_) => Fault::engine("The local model's engine stopped unexpectedly; the log says more."),
        };
        if shared.go_back(&fault) {
            tracing::warn!("{} The model before it goes on.", fault.reason);
            continue;
        }
        if fault.is_missing {
            inbox.wait_for_file(shared, &config.path, &fault);
            continue;
        }
        patience.failed();
        tracing::warn!(retry_ms = patience.wait.as_millis(), "{}", fault.reason);
        inbox.refuse_all(fault.people);
        inbox.refuse_until_due(shared, &patience, &fault);
    }
}

/// Loads and serves until told to stop or to take another file.
fn serve(shared: &Shared, config: &LocalConfig, inbox: &mut Inbox, patience: &mut Patience) -> Result<(), Fault> {
    let begun = Instant::now();
    let loaded = load::open(config)?;
    let (model, fitted) = (Arc::clone(&loaded.model), loaded.config.clone());
    let ctx = load::context(&model, &fitted)?;
    shared.loaded(loaded);
    patience.recovered();
    tracing::info!(
        path = %fitted.path.display(),
        threads = fitted.threads,
        context = fitted.context_per_reply,
        at_once = fitted.parallel,
        duration_ms = begun.elapsed().as_millis(),
        "the local model is loaded"
    );
    let served = Serve::new(&model, ctx, &fitted).run(shared, inbox);
    served.map_err(Fault::engine)
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
    pub waiting: Line<Job>,
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

    /// Lets go of those who do not want to wait any more and tells the others their place. `running` says how many replies
    /// somebody is being written.
    pub(super) fn tidy(&mut self, running: impl Fn(Who) -> usize) {
        for job in self.waiting.take_if(Job::unwanted) {
            job.cancelled();
        }
        for (place, job) in (1..).zip(self.waiting.in_order(running)) {
            job.queued(place);
        }
    }

    fn sort(&mut self, command: Command) {
        match command {
            Command::Reply(job) => {
                let who = job.who;
                if let Err(job) = self.waiting.push(who, *job) {
                    job.fail(ModelError::Enough);
                }
            }
            Command::Warm(lines) => {
                self.warm.push_back(lines);
                if self.warm.len() > WARM_LIMIT {
                    self.warm.pop_front();
                }
            }
            Command::Wake => {}
        }
    }

    fn refuse_all(&mut self, text: &str) {
        for job in self.waiting.take_if(|_| true) {
            job.fail(ModelError::Unavailable(text.to_owned()));
        }
        self.warm.clear();
    }

    /// Waits until the file is there, another one is wished for, or the end. As long as somebody fetches it, replies wait
    /// with us; otherwise they hear that there is none.
    fn wait_for_file(&mut self, shared: &Shared, path: &Path, fault: &Fault) {
        let mut said = None;
        loop {
            if shared.stop.load(Ordering::Acquire) || shared.is_wished() || self.closed || path.is_file() {
                return;
            }
            let standing = without_file(path);
            let is_coming = matches!(standing, Standing::Downloading { .. });
            if said != Some(is_coming) {
                said = Some(is_coming);
                if is_coming {
                    tracing::info!(path = %path.display(), "the local model is still being fetched");
                } else {
                    tracing::warn!("{}", fault.reason);
                }
            }
            shared.stands(standing);
            if is_coming {
                self.tidy(|_| 0);
            } else {
                self.refuse_all(fault.people);
            }
            match self.commands.recv_timeout(LOOK_EVERY) {
                Ok(command) => self.sort(command),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.closed = true,
            }
        }
    }

    /// Answers with the fault until it is time to try again and somebody asks, or until another file is wished for.
    fn refuse_until_due(&mut self, shared: &Shared, patience: &Patience, fault: &Fault) {
        shared.stands(Standing::Failed { reason: fault.reason.clone() });
        loop {
            match self.commands.recv() {
                Ok(Command::Reply(job)) if patience.is_over() => return self.sort(Command::Reply(job)),
                Ok(Command::Reply(job)) => job.fail(ModelError::Unavailable(fault.people.to_owned())),
                Ok(Command::Warm(_)) => {}
                Ok(Command::Wake) => {
                    if shared.stop.load(Ordering::Acquire) || shared.is_wished() {
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
