//! The local model: llama.cpp in this process.
//!
//! One thread owns the model's context and serves everybody ([`engine`]): replies that run at the same time are sequences
//! of one batch, so eight cost far less than eight times one. What a sequence has read stays in memory as long as there is
//! room ([`slots`]), so the second message of a conversation costs only its own tokens. People take turns ([`line`]). A
//! model that cannot be loaded never ends the process: replies say so, the models page says why ([`fault`]), and the next
//! request tries again. Another file is taken while the process runs ([`LocalModel::use_file`]).

mod engine;
mod family;
mod fault;
mod job;
mod line;
mod load;
mod manner;
mod memory;
mod prompt;
mod quantize;
mod sample;
mod serve;
mod slots;
mod standing;

#[cfg(test)]
mod change_tests;
#[cfg(test)]
mod tests;

pub use fault::parts;
pub use memory::available as available_memory;
pub use quantize::quantize_q8;
pub use standing::{Progress, Standing, now};

use super::{Capabilities, ChatModel, Message, ModelError, ModelInfo, Reply, Request, Sampling, SharedModel};
use fault::Fault;
use job::{Command, Job, Ticket};
use line::Who;
use load::Loaded;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, mpsc as queue};
use std::thread::JoinHandle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

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
            context_per_reply: 4096,
            parallel: 4,
            threads: load::default_threads(),
            queue_limit: 64,
            cache_sequences: 24,
        }
    }
}

impl From<&crate::server::config::Config> for LocalConfig {
    fn from(config: &crate::server::config::Config) -> Self {
        let named = config.model.clone().filter(|path| path.as_os_str() != "none");
        let defaults = Self::new(named.unwrap_or_default());
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
    state: RwLock<State>,
    /// Replies that wait or run.
    outstanding: AtomicU32,
    /// Replies that are written at the same time, as set; the memory may hold fewer.
    parallel: u32,
    queue_limit: u32,
    stop: AtomicBool,
}

/// Which file is in use, and how it stands.
struct State {
    config: LocalConfig,
    loaded: Option<Loaded>,
    standing: Standing,
    /// The file that is to be used next.
    wished: Option<PathBuf>,
    /// The file that answered before this one.
    before: Option<PathBuf>,
    /// The file that was wished for last, and why it is not the one in use.
    trouble: Option<(PathBuf, String)>,
}

impl Shared {
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what is wished for; the settings to load with.
    fn begin(&self) -> LocalConfig {
        let mut state = self.write();
        if let Some(path) = state.wished.take() {
            state.before = Some(std::mem::replace(&mut state.config.path, path));
            state.trouble = None;
        }
        state.standing = Standing::Loading;
        state.config.clone()
    }

    fn is_wished(&self) -> bool {
        self.read().wished.is_some()
    }

    fn loaded(&self, loaded: Loaded) {
        let mut state = self.write();
        state.loaded = Some(loaded);
        state.standing = Standing::Ready;
        state.before = None;
    }

    fn unloaded(&self) {
        self.write().loaded = None;
    }

    fn stands(&self, standing: Standing) {
        self.write().standing = standing;
    }

    /// Returns to the file that answered before the one with this fault, if there was one.
    fn go_back(&self, fault: &Fault) -> bool {
        let mut state = self.write();
        let Some(before) = state.before.take().filter(|path| path.is_file()) else { return false };
        if state.config.path.as_os_str().is_empty() {
            // No model was wished for.
            return false;
        }
        let refused = std::mem::replace(&mut state.config.path, before);
        state.trouble = Some((refused, fault.reason.clone()));
        true
    }
}

/// A GGUF model in this process. Loading begins at once and in the background. Clones are the same engine, which ends with
/// the last of them.
#[derive(Clone)]
pub struct LocalModel(Arc<Engine>);

struct Engine {
    shared: Arc<Shared>,
    commands: queue::Sender<Command>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl LocalModel {
    /// Starts the engine. Never fails: whatever is wrong with the file is told by each reply.
    pub fn load(config: LocalConfig) -> Self {
        Self::start(config, None)
    }

    fn start(config: LocalConfig, before: Option<PathBuf>) -> Self {
        crate::server::telemetry::figures::local_model(0, config.parallel);
        let (commands, inbox) = queue::channel();
        let shared = Arc::new(Shared {
            parallel: config.parallel,
            queue_limit: config.queue_limit,
            state: RwLock::new(State {
                config,
                loaded: None,
                standing: Standing::Loading,
                wished: None,
                before,
                trouble: None,
            }),
            outstanding: AtomicU32::new(0),
            stop: AtomicBool::new(false),
        });
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("local-model".to_owned())
            .spawn(move || engine::run(&for_thread, inbox))
            .inspect_err(|error| tracing::error!(%error, "the local model's thread could not be started"))
            .ok();
        Self(Arc::new(Engine { shared, commands, thread: Mutex::new(thread) }))
    }

    /// As [`load`](Self::load), with another file to fall back to when this one cannot be used.
    pub fn load_or(config: LocalConfig, otherwise: PathBuf) -> Self {
        let before = (otherwise != config.path && !otherwise.as_os_str().is_empty()).then_some(otherwise);
        Self::start(config, before)
    }

    /// Takes another file, or none when the path is empty. Replies that are being written are finished by the file in use,
    /// those that wait are written by the new one; when that cannot be loaded, the file in use goes on, and
    /// [`trouble`](Self::trouble) says why. Nothing happens when the file is in use already.
    pub fn use_file(&self, path: impl Into<PathBuf>) {
        let path = path.into();
        {
            let mut state = self.0.shared.write();
            if *state.wished.as_ref().unwrap_or(&state.config.path) == path {
                return;
            }
            state.wished = (state.config.path != path).then_some(path);
        }
        let _ = self.0.commands.send(Command::Wake);
    }

    /// The file in use, or wished for; empty when there is none.
    pub fn path(&self) -> PathBuf {
        let state = self.0.shared.read();
        state.wished.as_ref().unwrap_or(&state.config.path).clone()
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        let state = self.0.shared.read();
        match (&state.standing, &state.wished) {
            // Fresher than what the thread looked up half a second ago.
            (Standing::Absent | Standing::Downloading { .. }, None) => standing::without_file(&state.config.path),
            (standing, None) => standing.clone(),
            (_, Some(_)) => Standing::Loading,
        }
    }

    /// Why the file that was wished for last is not the one in use, for admins.
    pub fn trouble(&self) -> Option<String> {
        self.0.shared.read().trouble.as_ref().map(|(_, reason)| reason.clone())
    }

    /// The file that [`trouble`](Self::trouble) is about.
    pub fn refused(&self) -> Option<PathBuf> {
        self.0.shared.read().trouble.as_ref().map(|(path, _)| path.clone())
    }

    /// Parameters of the model in use, once it is loaded.
    pub fn parameters(&self) -> Option<u64> {
        self.0.shared.read().loaded.as_ref().map(|loaded| loaded.model.n_params())
    }

    /// The model as one person asks it: each has a fair share of it.
    pub fn for_person(&self, person: Uuid) -> SharedModel {
        Arc::new(Seat { model: self.clone(), person })
    }

    /// Ends the engine: running replies stop at their next token. Returns when its memory is free.
    pub fn shutdown(&self) {
        self.0.shutdown();
    }

    fn ask(&self, who: Who, request: Request, cancel: CancellationToken) -> Reply {
        let shared = &self.0.shared;
        // Room for every chunk there can be, so that the engine never waits for a reader.
        let tokens = request.max_tokens.min(shared.read().config.context_per_reply);
        let room = tokens.saturating_add(shared.queue_limit).saturating_add(8);
        let (out, reply) = mpsc::channel(usize::try_from(room).unwrap_or(usize::MAX >> 4));
        let before = shared.outstanding.fetch_add(1, Ordering::AcqRel);
        crate::server::telemetry::figures::local_model(before.saturating_add(1), shared.parallel);
        let job = Job::new(request, who, cancel, out, Ticket(Arc::clone(shared)));
        if before >= shared.queue_limit.saturating_add(shared.parallel) {
            job.fail(ModelError::Busy);
        } else if let Err(refused) = self.0.commands.send(Command::Reply(Box::new(job)))
            && let Command::Reply(job) = refused.0
        {
            job.fail(ModelError::Unavailable("the local model is not running; please try again later".to_owned()));
        }
        reply
    }
}

impl Engine {
    fn shutdown(&self) {
        self.shared.stop.store(true, Ordering::Release);
        let _ = self.commands.send(Command::Wake);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl ChatModel for LocalModel {
    fn info(&self) -> ModelInfo {
        let state = self.0.shared.read();
        ModelInfo {
            provider: "local".to_owned(),
            name: load::display_name(&state.config.path),
            context: state.loaded.as_ref().map_or(state.config.context_per_reply, |loaded| loaded.context),
            local: true,
            capabilities: Capabilities { prefill: true, ..Capabilities::default() },
            sampling: state.loaded.as_ref().map_or_else(Sampling::talk, |loaded| loaded.sampling.clone()),
        }
    }

    fn reply(&self, request: Request, cancel: CancellationToken) -> Reply {
        self.ask(None, request, cancel)
    }

    fn warm(&self, messages: Vec<Message>) {
        let _ = self.0.commands.send(Command::Warm(messages));
    }

    fn count_tokens(&self, text: &str) -> u32 {
        match self.0.shared.read().loaded.as_ref() {
            Some(loaded) => prompt::count(&loaded.model, text),
            None => prompt::estimate(text),
        }
    }

    fn engine(&self) -> Option<&LocalModel> {
        Some(self)
    }
}

/// The model as one person asks it.
struct Seat {
    model: LocalModel,
    person: Uuid,
}

impl ChatModel for Seat {
    fn info(&self) -> ModelInfo {
        self.model.info()
    }

    fn reply(&self, request: Request, cancel: CancellationToken) -> Reply {
        self.model.ask(Some(self.person), request, cancel)
    }

    fn warm(&self, messages: Vec<Message>) {
        self.model.warm(messages);
    }

    fn count_tokens(&self, text: &str) -> u32 {
        self.model.count_tokens(text)
    }

    fn engine(&self) -> Option<&LocalModel> {
        Some(&self.model)
    }
}
