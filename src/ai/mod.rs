//! Language models behind one trait.
//!
//! A [`ChatModel`] turns a [`Request`] into a stream of [`Chunk`]s. Everything that is the model's own business (chat
//! template, queue, batching, grammar) stays behind the trait; everything that is SoulForge's business (who speaks, what
//! the character knows, when to stop asking) stays in front of it.

pub mod local;

use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Who said a line of the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions of the application.
    System,
    /// The person.
    User,
    /// The character.
    Assistant,
}

/// One line of the prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who said it.
    pub role: Role,
    /// What was said, plain text.
    pub content: String,
}

impl Message {
    /// A line of the application.
    pub fn system(content: impl Into<String>) -> Self {
        Self { role: Role::System, content: content.into() }
    }

    /// A line of the person.
    pub fn user(content: impl Into<String>) -> Self {
        Self { role: Role::User, content: content.into() }
    }

    /// A line of the character.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self { role: Role::Assistant, content: content.into() }
    }
}

/// How words are drawn from the model's distribution. Models that take no such wishes ignore them.
#[derive(Clone, Debug)]
pub struct Sampling {
    /// 0 takes the likeliest token every time; 1 samples the distribution as it is.
    pub temperature: f32,
    /// Keeps the smallest set of tokens whose probabilities add up to this (0 to 1).
    pub top_p: f32,
    /// Drops tokens less likely than this share of the likeliest one (0 to 1).
    pub min_p: f32,
    /// Divides the logits of the reply's last 128 tokens; 1 does nothing.
    pub repeat_penalty: f32,
    /// How much more the prompt counts than what the model would say in any case; 1 does nothing, 1.5 is much.
    pub guidance: f32,
    /// Fixed for repeatable results; `None` draws one.
    pub seed: Option<u32>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 0.5, top_p: 0.92, min_p: 0.05, repeat_penalty: 1.12, guidance: 1.0, seed: None }
    }
}

/// What is asked of a model.
#[derive(Clone, Debug)]
pub struct Request {
    /// The prompt, oldest line first. The last line is usually the person's.
    pub messages: Vec<Message>,
    /// Words the reply must begin with; the model goes on from there (continuing a cut reply). Not repeated in the stream.
    pub prefill: String,
    /// The reply ends after this many tokens.
    pub max_tokens: u32,
    /// How words are drawn.
    pub sampling: Sampling,
    /// The reply ends before any of these texts.
    pub stop: Vec<String>,
    /// GBNF grammar that every token must satisfy, root rule `root`; `None` for free text.
    pub grammar: Option<String>,
}

impl Request {
    /// Free text with the default sampling and at most 220 tokens.
    pub fn new(messages: Vec<Message>) -> Self {
        Self {
            messages,
            prefill: String::new(),
            max_tokens: 220,
            sampling: Sampling::default(),
            stop: Vec::new(),
            grammar: None,
        }
    }
}

/// One thing that happened while a reply was made.
#[derive(Clone, Debug, PartialEq)]
pub enum Chunk {
    /// Others are before us; `place` 1 is next.
    Queued {
        /// How many replies start before this one, plus one.
        place: u32,
    },
    /// The prompt is being read.
    Started,
    /// More text, whole UTF-8 characters, never empty.
    Text(String),
    /// The reply is complete; nothing follows.
    Done(Finish),
}

/// How a reply ended and what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Finish {
    /// Why no more words came.
    pub reason: FinishReason,
    /// Tokens of the prompt, the cached ones included.
    pub prompt_tokens: u32,
    /// Tokens of the prompt that had been read before and were reused.
    pub cached_tokens: u32,
    /// Tokens of the reply.
    pub reply_tokens: u32,
}

/// Why a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model was done.
    End,
    /// A stop text was reached.
    Stop,
    /// `max_tokens` was reached.
    Length,
    /// Somebody cancelled it.
    Cancelled,
}

/// Why a model could not reply. The texts are made for the person who waits.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ModelError {
    /// The model file or the provider cannot be used at all at the moment.
    #[error("{0}")]
    Unavailable(String),
    /// The prompt is larger than the model's context, both in tokens.
    #[error("this is too long for the model: {needed} tokens of {context}")]
    TooLong {
        /// Tokens of the prompt and the wished reply.
        needed: u32,
        /// Tokens the model can hold.
        context: u32,
    },
    /// The queue is full.
    #[error("too many people are being answered at the moment; please try again in a minute")]
    Busy,
    /// Anything else that ended the reply.
    #[error("the model stopped: {0}")]
    Failed(String),
}

/// What a model is, as the UI shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelInfo {
    /// `local`, later the provider's name.
    pub provider: String,
    /// Name of the model, for example `SmolLM2-135M-Instruct`.
    pub name: String,
    /// Context in tokens, prompt and reply together.
    pub context: u32,
    /// Whether it runs in this process.
    pub local: bool,
}

/// Chunks of one reply. Dropping it cancels the reply.
pub type Reply = mpsc::Receiver<Result<Chunk, ModelError>>;

/// A language model that can hold a conversation.
pub trait ChatModel: Send + Sync {
    /// What it is.
    fn info(&self) -> ModelInfo;

    /// Starts a reply. Returns at once; queueing and errors come through the stream. `cancel` ends it within one token.
    fn reply(&self, request: Request, cancel: CancellationToken) -> Reply;

    /// Reads a prompt ahead, so that a reply that begins with the same lines starts at once. Best effort, returns at once.
    fn warm(&self, messages: Vec<Message>);

    /// Tokens of a text, by the model's own tokenizer where there is one.
    fn count_tokens(&self, text: &str) -> u32;
}

/// The model in use, shared by everybody.
pub type SharedModel = Arc<dyn ChatModel>;
