//! Models of providers, over HTTP.
//!
//! Two protocols, one event stream: [`anthropic`] speaks the Messages API, [`openai`] the Chat Completions of any
//! compatible server (OpenAI, vLLM, Ollama, llama.cpp, LM Studio, OpenRouter). What a provider may be, and how it is
//! reached, is the business of [`Outgoing`]; how a call is made, repeated, timed and ended that of `call`; the
//! protocols themselves are pure functions from a [`Request`] to a body and from frames to events. The promises to the
//! outside are in docs/models.md.

mod address;
mod anthropic;
mod call;
mod calls;
mod download;
mod estimate;
mod event;
mod fault;
mod frames;
mod list;
mod openai;
mod outgoing;
mod standing;
mod thoughts;
mod turns;
mod voice;
mod wire;

pub use address::is_public;
pub use download::{DownloadFault, Opened};
pub use estimate::count_tokens;
pub use list::{Catalogue, Listed, ListedPrices, anthropic_models, openai_models};
pub use outgoing::{Lookup, Outgoing, UrlFault, check_url};

use super::{Capabilities, ChatModel, Message, ModelInfo, Reply, Request, Sampling, SharedModel};
use secrecy::SecretString;
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

/// How long a provider may be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands, TLS included.
    pub connect: Duration,
    /// From the request to the first word, to the first thought of a model that thinks, or to the first part of a tool
    /// call.
    pub first_token: Duration,
    /// Between two of them.
    pub between_tokens: Duration,
    /// For the whole reply, tries included.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_token: Duration::from_secs(90),
            between_tokens: Duration::from_secs(45),
            total: Duration::from_secs(600),
        }
    }
}

/// One model of one provider.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The provider's name as people read it.
    pub provider: String,
    /// Where its API is, as [`check_url`] gave it: `https://api.openai.com/v1`, `https://api.anthropic.com`.
    pub base_url: Url,
    /// Its key, if it wants one.
    pub key: Option<SecretString>,
    /// The model's name in the provider's API.
    pub model: String,
    /// Context in tokens, prompt and reply together.
    pub context: u32,
    /// Longest reply in tokens.
    pub max_output: u32,
    /// What the model can do.
    pub capabilities: Capabilities,
    /// How long it may be silent.
    pub timeouts: Timeouts,
}

#[cfg(test)]
impl Endpoint {
    /// A model of no provider in particular.
    fn example(base: &str, capabilities: Capabilities) -> Self {
        Self {
            provider: "Acme".into(),
            base_url: base.parse().expect("an address"),
            key: None,
            model: "m-1".into(),
            context: 8000,
            max_output: 1000,
            capabilities,
            timeouts: Timeouts::default(),
        }
    }
}

/// A model behind Anthropic's Messages API. Cheap: may be made for each reply.
#[must_use]
pub fn anthropic(outgoing: &Outgoing, endpoint: Endpoint) -> SharedModel {
    Arc::new(RemoteModel { outgoing: outgoing.clone(), endpoint: Arc::new(endpoint), protocol: Protocol::Anthropic })
}

/// A model behind Chat Completions. Cheap: may be made for each reply.
#[must_use]
pub fn openai(outgoing: &Outgoing, endpoint: Endpoint) -> SharedModel {
    Arc::new(RemoteModel { outgoing: outgoing.clone(), endpoint: Arc::new(endpoint), protocol: Protocol::OpenAi })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Anthropic,
    OpenAi,
}

struct RemoteModel {
    outgoing: Outgoing,
    endpoint: Arc<Endpoint>,
    protocol: Protocol,
}

impl ChatModel for RemoteModel {
    fn info(&self) -> ModelInfo {
        ModelInfo {
            provider: self.endpoint.provider.clone(),
            name: self.endpoint.model.clone(),
            context: self.endpoint.context,
            local: false,
            capabilities: self.endpoint.capabilities,
            sampling: Sampling::talk(),
        }
    }

    fn reply(&self, request: Request, cancel: CancellationToken) -> Reply {
        // Little room: a reader that is slow slows the provider down instead of filling the memory.
        let (out, reply) = mpsc::channel(64);
        let call = call::Call {
            outgoing: self.outgoing.clone(),
            endpoint: Arc::clone(&self.endpoint),
            protocol: self.protocol,
            request,
        };
        tokio::spawn(call::run(call, cancel, out));
        reply
    }

    /// A provider reads nothing ahead; what it has read for one reply it keeps for the next by itself.
    fn warm(&self, _messages: Vec<Message>) {}

    fn count_tokens(&self, text: &str) -> u32 {
        count_tokens(text)
    }
}
