//! Several models as one: the next one answers when the one before cannot.

use super::{ChatModel, Message, ModelError, ModelInfo, Reply, Request, SharedModel};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The models as one. The first is asked; when it fails before its first word, the next one is, and the reply says so
/// by [`super::Chunk::Via`].
#[must_use]
pub fn chain(mut models: Vec<SharedModel>) -> SharedModel {
    if models.len() == 1
        && let Some(only) = models.pop()
    {
        return only;
    }
    Arc::new(Chain { models })
}

struct Chain {
    models: Vec<SharedModel>,
}

impl ChatModel for Chain {
    fn info(&self) -> ModelInfo {
        self.models.first().map_or_else(
            || ModelInfo {
                provider: "none".to_owned(),
                name: "none".to_owned(),
                context: 0,
                local: false,
                capabilities: super::Capabilities::default(),
            },
            |first| first.info(),
        )
    }

    fn reply(&self, request: Request, cancel: CancellationToken) -> Reply {
        match self.models.first() {
            Some(first) => first.reply(request, cancel),
            None => {
                let (out, reply) = mpsc::channel(1);
                let _ = out.try_send(Err(ModelError::Unavailable("no model is set up".to_owned())));
                reply
            }
        }
    }

    fn warm(&self, messages: Vec<Message>) {
        if let Some(first) = self.models.first() {
            first.warm(messages);
        }
    }

    fn count_tokens(&self, text: &str) -> u32 {
        self.models.first().map_or_else(|| super::remote::count_tokens(text), |first| first.count_tokens(text))
    }
}
