//! The local model: llama.cpp in this process.
//!
//! One thread owns the model's context and serves everybody ([`engine`]): replies that run at the same time are sequences
//! of one batch, so eight cost far less than eight times one. What a sequence has read stays in memory as long as there is
//! room ([`slots`]), so the second message of a conversation costs only its own tokens. A model that cannot be loaded
//! never ends the process: replies say what is wrong and the next request tries again.

mod engine;
mod family;
pub mod gbnf;
mod job;
mod load;
mod prompt;
mod quantize;
mod sample;
mod serve;
mod slots;

#[cfg(test)]
mod tests;

pub use quantize::quantize_q8;

use super::{Capabilities, ChatModel, Message, ModelError, ModelInfo, Reply, Request, Sampling};
use job::{Command, Job, Ticket};
use load::Loaded;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, mpsc as queue};
use std::thread::JoinHandle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How the local model is run.
#[derive(Clone, Debug)]
pub struct LocalConfig {
    /// The GGUF file.
    pub path: PathBuf,
    /// Tokens one reply may use, prompt included; less when the model was trained for less.
    pub context_per_reply: u32,
    /// Replies that are written at the same time.
    pub parallel: u32,
    /// Threads that compute.
    pub threads: u32,
    /// Replies that may wait; more are told to come back later.
    pub queue_limit: u32,
    /// Conversations whose state is kept for their next message, as long as the memory of the context lasts.
    pub cache_sequences: u32,
}

impl LocalConfig {
    /// The defaults for a file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            context_per_reply: 2048,
            parallel: 4,
            threads: load::default_threads(),
            queue_limit: 64,
            cache_sequences: 24,
        }
    }
}

impl From<&crate::server::config::Config> for LocalConfig {
    fn from(config: &crate::server::config::Config) -> Self {
        let defaults = Self::new(config.model.clone().unwrap_or_default());
        Self {
            context_per_reply: config.model_context,
            parallel: config.model_parallel,
            threads: config.model_threads.unwrap_or(defaults.threads),
            ..defaults
        }
    }
}

/// What the engine's thread and the callers share.
struct Shared {
    config: LocalConfig,
    loaded: RwLock<Option<Loaded>>,
    /// Replies that wait or run.
    outstanding: AtomicU32,
    stop: AtomicBool,
}

/// A GGUF model in this process. Loading begins at once and in the background.
pub struct LocalModel {
    shared: Arc<Shared>,
    commands: queue::Sender<Command>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl LocalModel {
    /// Starts the engine. Never fails: whatever is wrong with the file is told by each reply.
    pub fn load(config: LocalConfig) -> Self {
        crate::server::telemetry::figures::local_model(0, config.parallel);
        let (commands, inbox) = queue::channel();
        let shared = Arc::new(Shared {
            config,
            loaded: RwLock::new(None),
            outstanding: AtomicU32::new(0),
            stop: AtomicBool::new(false),
        });
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("local-model".to_owned())
            .spawn(move || engine::run(&for_thread, inbox))
            .inspect_err(|error| tracing::error!(%error, "the local model's thread could not be started"))
            .ok();
        Self { shared, commands, thread: Mutex::new(thread) }
    }

    /// Ends the engine: running replies stop at their next token. Returns when its memory is free.
    pub fn shutdown(&self) {
        self.shared.stop.store(true, Ordering::Release);
        let _ = self.commands.send(Command::Wake);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Drop for LocalModel {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl ChatModel for LocalModel {
    fn info(&self) -> ModelInfo {
        let config = &self.shared.config;
        let loaded = self.shared.loaded.read().unwrap_or_else(PoisonError::into_inner);
        ModelInfo {
            provider: "local".to_owned(),
            name: load::display_name(&config.path),
            context: loaded.as_ref().map_or(config.context_per_reply, |loaded| loaded.context),
            local: true,
            capabilities: Capabilities { prefill: true, ..Capabilities::default() },
            sampling: loaded.as_ref().map_or_else(Sampling::talk, |loaded| loaded.sampling.clone()),
        }
    }

    fn reply(&self, request: Request, cancel: CancellationToken) -> Reply {
        let config = &self.shared.config;
        // Room for every chunk there can be, so that the engine never waits for a reader.
        let tokens = request.max_tokens.min(config.context_per_reply);
        let room = tokens.saturating_add(config.queue_limit).saturating_add(8);
        let (out, reply) = mpsc::channel(usize::try_from(room).unwrap_or(usize::MAX >> 4));
        let before = self.shared.outstanding.fetch_add(1, Ordering::AcqRel);
        crate::server::telemetry::figures::local_model(before.saturating_add(1), config.parallel);
        let job = Job::new(request, cancel, out, Ticket(Arc::clone(&self.shared)));
        if before >= config.queue_limit.saturating_add(config.parallel) {
            job.fail(ModelError::Busy);
        } else if let Err(refused) = self.commands.send(Command::Reply(Box::new(job)))
            && let Command::Reply(job) = refused.0
        {
            job.fail(ModelError::Unavailable("the local model is not running; please try again later".to_owned()));
        }
        reply
    }

    fn warm(&self, messages: Vec<Message>) {
        let _ = self.commands.send(Command::Warm(messages));
    }

    fn count_tokens(&self, text: &str) -> u32 {
        let loaded = self.shared.loaded.read().unwrap_or_else(PoisonError::into_inner);
        match loaded.as_ref() {
            Some(loaded) => prompt::count(&loaded.model, text),
            None => prompt::estimate(text),
        }
    }
}
