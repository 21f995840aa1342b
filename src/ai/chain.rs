//! Several models as one: the next one answers when the one before cannot.
//!
//! Only before the first word, since half a reply of one model and half of another is none. A model that declines is
//! not gone around: what one will not write, no other is asked for. What happened is said by [`Chunk::Via`], for the
//! receipt.

use super::{
    Capabilities, ChatModel, Chunk, FinishReason, Message, ModelError, ModelInfo, Reply, Request, Sampling, SharedModel,
};
use std::sync::Arc;
use tokio::sync::mpsc::{self, Sender};
use tokio_util::sync::CancellationToken;

/// The models as one, the first one first.
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
                capabilities: Capabilities::default(),
                sampling: Sampling::talk(),
            },
            |first| first.info(),
        )
    }

    fn reply(&self, request: Request, cancel: CancellationToken) -> Reply {
        let (out, reply) = mpsc::channel(64);
        if self.models.is_empty() {
            let _ = out.try_send(Err(ModelError::Unavailable("no model is set up".to_owned())));
        } else {
            tokio::spawn(run(self.models.clone(), request, cancel, out));
        }
        reply
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

/// Whether another model may do what this one could not.
const fn goes_on(error: &ModelError) -> bool {
    !matches!(error, ModelError::Refused { .. })
}

async fn run(
    models: Vec<SharedModel>,
    request: Request,
    cancel: CancellationToken,
    out: Sender<Result<Chunk, ModelError>>,
) {
    let mut notes: Vec<String> = Vec::new();
    let mut left = models.into_iter().peekable();
    while let Some(model) = left.next() {
        let info = model.info();
        let error = match relay(&model, &info, request.clone(), &cancel, &out, &notes).await {
            Ended::Told => return,
            Ended::Silent(error) => error,
        };
        if left.peek().is_none() || !goes_on(&error) || cancel.is_cancelled() {
            let _ = out.send(Err(error)).await;
            return;
        }
        tracing::info!(provider = %info.provider, model = %info.name, kind = error.kind(), "the next model of the chain is asked");
        notes.push(format!("{} ({}) {}.", info.name, info.provider, error.past()));
    }
}

/// How a model's part ended.
enum Ended {
    /// The receiver knows it.
    Told,
    /// It failed before its first word, and nobody knows yet.
    Silent(ModelError),
}

/// Passes a reply on.
async fn relay(
    model: &SharedModel,
    info: &ModelInfo,
    request: Request,
    cancel: &CancellationToken,
    out: &Sender<Result<Chunk, ModelError>>,
    notes: &[String],
) -> Ended {
    // Where a reply goes on, nothing more is an answer, too.
    let wants_words = request.prefill.trim().is_empty();
    let mut reply = model.reply(request, cancel.clone());
    let mut via = (!notes.is_empty()).then(|| Chunk::Via {
        provider: info.provider.clone(),
        model: info.name.clone(),
        note: notes.join(" "),
    });
    let mut spoken = false;
    loop {
        let heard = tokio::select! {
            heard = reply.recv() => heard,
            // Dropping the reply cancels it.
            () = out.closed() => return Ended::Told,
        };
        let chunk = match heard {
            None if spoken => {
                let broken = ModelError::Failed("it went away in the middle of a word".to_owned());
                let _ = out.send(Err(broken)).await;
                return Ended::Told;
            }
            None => return Ended::Silent(ModelError::Failed("it said nothing".to_owned())),
            Some(Err(error)) if spoken => {
                let _ = out.send(Err(error)).await;
                return Ended::Told;
            }
            Some(Err(error)) => return Ended::Silent(error),
            Some(Ok(chunk)) => chunk,
        };
        let chunk = match chunk {
            // As if it had said nothing: another one may still answer.
            Chunk::TakeBack => {
                spoken = false;
                chunk
            }
            Chunk::Done(finish) if !spoken && wants_words && finish.reason != FinishReason::Cancelled => {
                return Ended::Silent(ModelError::NoWords { provider: info.provider.clone(), in_thoughts: false });
            }
            // What the model says about itself belongs behind what happened before.
            Chunk::Via { provider, model, note } => {
                let all = notes.iter().map(String::as_str).chain([note.as_str()]).collect::<Vec<_>>().join(" ");
                via = Some(Chunk::Via { provider, model, note: all });
                continue;
            }
            chunk => chunk,
        };
        let is_last = matches!(chunk, Chunk::Done(_));
        if is_last || matches!(chunk, Chunk::Text(_) | Chunk::ToolCall(_)) {
            spoken = true;
            if let Some(via) = via.take()
                && out.send(Ok(via)).await.is_err()
            {
                return Ended::Told;
            }
        }
        if out.send(Ok(chunk)).await.is_err() || is_last {
            return Ended::Told;
        }
    }
}
