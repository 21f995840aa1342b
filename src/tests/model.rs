//! A model that says what a test wrote for it.

use crate::ai::local::LocalModel;
use crate::ai::{Capabilities, ChatModel, Chunk, Finish, FinishReason, Message, ModelError, ModelInfo, Reply, Request};
use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// One thing that the model does.
#[derive(Clone)]
pub enum Step {
    /// Reports a place in the queue.
    Queued(u32),
    /// Says this.
    Text(String),
    /// Waits.
    Wait(Duration),
    /// Waits until the test lets it go on.
    Gate(Arc<Notify>),
    /// Fails.
    Fail(ModelError),
    /// Ends for this reason; without it the reply ends with [`FinishReason::End`].
    End(FinishReason),
}

impl Step {
    /// Says this.
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

type Script = Box<dyn Fn(&Request) -> Vec<Step> + Send + Sync>;

/// Answers by script, remembers what it was asked, counts who cancelled.
pub struct ScriptedModel {
    script: Mutex<Arc<Script>>,
    /// Everything it was asked.
    pub requests: Mutex<Vec<Request>>,
    /// Prompts it was asked to read ahead.
    pub warmed: Mutex<Vec<Vec<Message>>>,
    /// Whether it runs in this process, as it says.
    pub local: AtomicBool,
    /// Replies that were cancelled before their end.
    pub cancelled: Arc<AtomicUsize>,
    /// Tokens it says it can hold.
    pub context: AtomicU32,
    /// The engine of this process, for tests about its files.
    pub engine: OnceLock<LocalModel>,
}

impl Default for ScriptedModel {
    fn default() -> Self {
        let script: Script =
            Box::new(|_| vec![Step::text("The lamp "), Step::text("is lit. "), Step::text("Come in.")]);
        Self {
            script: Mutex::new(Arc::new(script)),
            requests: Mutex::default(),
            warmed: Mutex::default(),
            local: AtomicBool::new(true),
            cancelled: Arc::default(),
            context: AtomicU32::new(4096),
            engine: OnceLock::new(),
        }
    }
}

impl ScriptedModel {
    /// What it does from now on.
    pub fn script(&self, script: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Arc::new(Box::new(script));
    }
}

impl ChatModel for ScriptedModel {
    fn info(&self) -> ModelInfo {
        ModelInfo {
            provider: "scripted".into(),
            name: "Scripted".into(),
            context: self.context.load(Ordering::SeqCst),
            local: self.local.load(Ordering::SeqCst),
            capabilities: Capabilities::default(),
            sampling: crate::ai::Sampling::talk(),
        }
    }

    fn reply(&self, request: Request, cancel: CancellationToken) -> Reply {
        let steps = (self.script.lock().unwrap().clone())(&request);
        let prompt_tokens = request.messages.iter().map(|m| self.count_tokens(&m.content)).sum();
        self.requests.lock().unwrap().push(request);
        let cancelled = Arc::clone(&self.cancelled);
        let (sender, receiver) = mpsc::channel(16);
        tokio::spawn(async move {
            let mut reason = FinishReason::End;
            let mut reply_tokens = 0;
            let _ = sender.send(Ok(Chunk::Started)).await;
            for step in steps {
                let work = async {
                    match step {
                        Step::Queued(place) => drop(sender.send(Ok(Chunk::Queued { place })).await),
                        Step::Text(text) => {
                            reply_tokens += 1;
                            drop(sender.send(Ok(Chunk::Text(text))).await);
                        }
                        Step::Wait(time) => tokio::time::sleep(time).await,
                        Step::Gate(gate) => gate.notified().await,
                        Step::Fail(error) => return Some(Err(error)),
                        Step::End(wanted) => return Some(Ok(wanted)),
                    }
                    None
                };
                tokio::select! {
                    ended = work => match ended {
                        None => {}
                        Some(Ok(wanted)) => { reason = wanted; break; }
                        Some(Err(error)) => { let _ = sender.send(Err(error)).await; return; }
                    },
                    () = async { tokio::select! { () = cancel.cancelled() => {}, () = sender.closed() => {} } } => {
                        cancelled.fetch_add(1, Ordering::SeqCst);
                        reason = FinishReason::Cancelled;
                        break;
                    }
                }
            }
            let _ = sender
                .send(Ok(Chunk::Done(Finish {
                    reason,
                    prompt_tokens,
                    cached_tokens: 0,
                    cache_write_tokens: 0,
                    reply_tokens,
                })))
                .await;
        });
        receiver
    }

    fn warm(&self, messages: Vec<Message>) {
        self.warmed.lock().unwrap().push(messages);
    }

    fn engine(&self) -> Option<&LocalModel> {
        self.engine.get()
    }

    fn count_tokens(&self, text: &str) -> u32 {
        u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX)
    }
}
