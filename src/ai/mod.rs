//! Language models behind one trait.
//!
//! A [`ChatModel`] turns a [`Request`] into a stream of [`Chunk`]s. Everything that is the model's own business (chat
//! template, queue, batching, grammar) stays behind the trait; everything that is SoulForge's business (who speaks, what
//! the character knows, when to stop asking) stays in front of it.

mod breaker;
pub mod chain;
pub mod local;
pub mod partial;
pub mod remote;
pub mod schema;
mod text;

pub use chain::chain;
pub use schema::Schema;

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
    /// What came of a tool that the character used.
    Tool,
}

/// A tool that a model may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolSpec {
    /// Name, `a-z`, `0-9` and `_`, at most 64.
    pub name: String,
    /// When to use it, in a sentence or two.
    pub description: String,
    /// JSON schema of its arguments, an object.
    pub parameters: serde_json::Value,
}

/// A model's wish to use a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// Name of this call, unique in its reply.
    pub id: String,
    /// Which tool.
    pub name: String,
    /// The arguments, an object; `null` when they could not be read.
    pub arguments: serde_json::Value,
    /// Why the call must not be carried out: broken JSON, an unknown tool, arguments against the schema. It is to be
    /// answered with this text, so that the model can correct itself.
    pub fault: Option<String>,
}

/// One line of the prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who said it.
    pub role: Role,
    /// What was said, plain text.
    pub content: String,
    /// Tools that the character used after saying it; only for [`Role::Assistant`].
    pub tool_calls: Vec<ToolCall>,
    /// The call that this answers; only for [`Role::Tool`].
    pub tool_call_id: Option<String>,
}

impl Message {
    /// A line of the application.
    pub fn system(content: impl Into<String>) -> Self {
        Self::new(Role::System, content)
    }

    /// A line of the person.
    pub fn user(content: impl Into<String>) -> Self {
        Self::new(Role::User, content)
    }

    /// A line of the character.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self::new(Role::Assistant, content)
    }

    /// A line of the character after which it used tools.
    pub fn calling(content: impl Into<String>, tool_calls: Vec<ToolCall>) -> Self {
        Self { tool_calls, ..Self::new(Role::Assistant, content) }
    }

    /// What came of a tool.
    pub fn tool(call: impl Into<String>, content: impl Into<String>) -> Self {
        Self { tool_call_id: Some(call.into()), ..Self::new(Role::Tool, content) }
    }

    /// A line of anybody.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into(), tool_calls: Vec::new(), tool_call_id: None }
    }
}

/// How words are drawn from the model's distribution. Models that take no such wishes ignore them.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// 0 takes the likeliest token every time; 1 samples the distribution as it is.
    pub temperature: f32,
    /// Keeps the smallest set of tokens whose probabilities add up to this (0 to 1).
    pub top_p: f32,
    /// Drops tokens less likely than this share of the likeliest one (0 to 1).
    pub min_p: f32,
    /// Divides the logits of the reply's last 128 tokens; 1 does nothing.
    pub repeat_penalty: f32,
    /// Fixed for repeatable results; `None` draws one.
    pub seed: Option<u32>,
}

impl Sampling {
    /// For a talk with a model of which nothing is known.
    #[must_use]
    pub const fn talk() -> Self {
        Self { temperature: 0.8, top_p: 0.95, min_p: 0.05, repeat_penalty: 1.05, seed: None }
    }
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 0.5, top_p: 0.92, min_p: 0.05, repeat_penalty: 1.12, seed: None }
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
    /// Phrases that the reply must not hold, in any case of letters. The local model does not say them; others are told in words.
    pub never: Vec<String>,
    /// The JSON object that the reply must be; `None` for free text. The local model cannot leave it; others are held to it
    /// as far as their servers can, and told in words in any case. Read the reply with [`partial`].
    pub schema: Option<Arc<Schema>>,
    /// Tools that the model may use. Models without [`Capabilities::tools`] are not told of them.
    pub tools: Vec<ToolSpec>,
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
            never: Vec::new(),
            schema: None,
            tools: Vec::new(),
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
    /// The prompt is being read: it has left for the model, and is paid for whatever becomes of the reply.
    Started,
    /// Another model answers than the one that was asked, or the same one after several tries. Comes before the first
    /// text, at most once.
    Via {
        /// Whose model answers.
        provider: String,
        /// The model that answers.
        model: String,
        /// What happened before, as a sentence for the receipt.
        note: String,
    },
    /// More text, whole UTF-8 characters, never empty.
    Text(String),
    /// All text so far was a thought and is to be forgotten; what follows is the reply.
    TakeBack,
    /// What a reply cost that failed; an error follows. Without it nothing was spent.
    Spent(Finish),
    /// The model wants to use a tool; whole, after the text. The reply ends with [`FinishReason::ToolUse`].
    ToolCall(ToolCall),
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
    /// Tokens of the prompt that the provider wrote to its cache, for which some charge more.
    pub cache_write_tokens: u32,
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
    /// The model wants to use tools and waits for what comes of them.
    ToolUse,
}

/// Why a model could not reply. The texts are made for the person who waits: none holds a key, an address or what a
/// provider sent.
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
    /// This person has as many replies waiting as anybody may have.
    #[error("several of your messages wait for an answer already; please wait until one of them is answered")]
    Enough,
    /// The provider does not accept the key.
    #[error("{provider} does not accept the key that is set for this model; whoever runs this site can change it")]
    Auth {
        /// Whose model it is.
        provider: String,
    },
    /// The provider's limit is reached.
    #[error("{provider} takes no more requests at the moment; please try again in {}", span(*retry_after))]
    RateLimited {
        /// Whose model it is.
        provider: String,
        /// When it wants to be asked again, in seconds, if it said so.
        retry_after: Option<u32>,
    },
    /// The provider has too much to do, or is broken.
    #[error("{provider} cannot answer at the moment; please try again in {}", span(*retry_after))]
    Overloaded {
        /// Whose model it is.
        provider: String,
        /// When it may be asked again, in seconds, if that is known.
        retry_after: Option<u32>,
    },
    /// The provider could not be reached.
    #[error("{provider} could not be reached; please try again in a minute")]
    Unreachable {
        /// Whose model it is.
        provider: String,
    },
    /// The provider was silent for too long.
    #[error("{provider} was silent for {seconds} seconds; please try again")]
    Timeout {
        /// Whose model it is.
        provider: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The provider sent something that is no answer, or stopped in the middle of one.
    #[error("{provider} {what}")]
    BadResponse {
        /// Whose model it is.
        provider: String,
        /// What is wrong, in our words.
        what: &'static str,
    },
    /// The provider does not take the request as it is: no such model, a wish that the model does not know.
    #[error("{provider} does not take this request: {what}")]
    Rejected {
        /// Whose model it is.
        provider: String,
        /// What is wrong, in our words.
        what: &'static str,
    },
    /// The model or its provider declined to write this.
    #[error("{provider} declined to answer this; say it in another way, or choose another model")]
    Refused {
        /// Whose model it is.
        provider: String,
    },
    /// The reply ended before its first word.
    #[error("{}", no_words(provider, *in_thoughts))]
    NoWords {
        /// Whose model it is.
        provider: String,
        /// Its length went into thoughts.
        in_thoughts: bool,
    },
    /// Anything else that ended the reply.
    #[error("the model stopped: {0}")]
    Failed(String),
}

impl ModelError {
    /// One word for logs and figures.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::TooLong { .. } => "too_long",
            Self::Busy => "busy",
            Self::Enough => "enough",
            Self::Auth { .. } => "auth",
            Self::RateLimited { .. } => "rate_limited",
            Self::Overloaded { .. } => "overloaded",
            Self::Unreachable { .. } => "unreachable",
            Self::Timeout { .. } => "timeout",
            Self::BadResponse { .. } => "bad_response",
            Self::Rejected { .. } => "rejected",
            Self::Refused { .. } => "refused",
            Self::NoWords { .. } => "no_words",
            Self::Failed(_) => "failed",
        }
    }

    /// What the model or its provider did, for a note about what happened before: "it was silent for 90 seconds".
    #[must_use]
    pub fn past(&self) -> String {
        let text = match self {
            Self::Unavailable(_) => "could not be used",
            Self::TooLong { .. } => "had no room for the prompt",
            Self::Busy => "had too many people to answer",
            Self::Enough => "had several of your messages waiting",
            Self::Auth { .. } => "did not accept its key",
            Self::RateLimited { .. } => "took no more requests",
            Self::Overloaded { .. } => "had too much to do",
            Self::Unreachable { .. } => "could not be reached",
            Self::Timeout { seconds, .. } => return format!("was silent for {seconds} seconds"),
            Self::BadResponse { .. } => "sent no proper answer",
            Self::Rejected { .. } => "did not take the request",
            Self::Refused { .. } => "declined",
            Self::NoWords { in_thoughts: true, .. } => "spent the length of its reply on thinking",
            Self::NoWords { .. } => "found no words",
            Self::Failed(_) => "stopped",
        };
        text.to_owned()
    }
}

fn no_words(provider: &str, in_thoughts: bool) -> String {
    if in_thoughts {
        format!(
            "{provider} spent the whole length of the reply on thinking and wrote nothing; allow it longer replies, or choose another model"
        )
    } else {
        "the model found no words; please try again".to_owned()
    }
}

/// A wait in words: seconds up to two minutes, then minutes, then hours.
fn span(seconds: Option<u32>) -> String {
    match seconds {
        None | Some(0) => "a minute".to_owned(),
        Some(1) => "a second".to_owned(),
        Some(s @ ..=120) => format!("{s} seconds"),
        Some(s @ ..=7200) => format!("{} minutes", s.div_ceil(60)),
        Some(s) => format!("{} hours", s.div_ceil(3600)),
    }
}

/// What a model can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// It can use tools.
    pub tools: bool,
    /// It can see pictures.
    pub vision: bool,
    /// It thinks before it speaks; room for that is added to the length of a reply.
    pub thinking: bool,
    /// What it has read can be kept by the provider, if it is marked.
    pub prompt_cache: bool,
    /// It goes on from words put into its mouth. Others are asked to.
    pub prefill: bool,
}

/// What a model is, as the UI shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelInfo {
    /// `local`, or the provider's name.
    pub provider: String,
    /// Name of the model, for example `SmolLM2-135M-Instruct`.
    pub name: String,
    /// Context in tokens, prompt and reply together.
    pub context: u32,
    /// Whether it runs in this process.
    pub local: bool,
    /// What it can do.
    pub capabilities: Capabilities,
    /// How its words are best drawn in a talk, as far as that is known.
    pub sampling: Sampling,
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

    /// The engine of this process, if it is what answers.
    fn engine(&self) -> Option<&local::LocalModel> {
        None
    }
}

/// The model in use, shared by everybody.
pub type SharedModel = Arc<dyn ChatModel>;
