//! Models that keep their own account: for whatever asks a model beside a run, such as a line written in a person's
//! place or a summary.

use super::{
    meter::{self, Ending, Purpose, Spent},
    registry::Candidate,
};
use crate::{
    ai::{ChatModel, Chunk, Message, ModelError, ModelInfo, Reply, Request, SharedModel, chain},
    error::AppResult,
    ids::{ConversationId, UserId},
    server::AppState,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The model that answers in a conversation, or in one that has not begun, its fall-backs behind it; every reply is
/// admitted, written down and counted.
///
/// # Errors
/// `Unavailable` when there is no model.
pub async fn answering(app: &AppState, user: UserId, conversation: Option<ConversationId>) -> AppResult<SharedModel> {
    let order = match conversation {
        Some(id) => app.models.for_conversation(user, id).await?,
        None => app.models.for_new_conversation().await?,
    };
    let subject = conversation.map(|c| c.0);
    let models = order.into_iter().map(|candidate| -> SharedModel {
        std::sync::Arc::new(Metered { app: app.clone(), user, subject, candidate })
    });
    Ok(chain(models.collect()))
}

struct Metered {
    app: AppState,
    user: UserId,
    subject: Option<uuid::Uuid>,
    candidate: Candidate,
}

impl ChatModel for Metered {
    fn info(&self) -> ModelInfo {
        self.candidate.model.info()
    }

    fn reply(&self, request: Request, cancel: CancellationToken) -> Reply {
        let (out, reply) = mpsc::channel(16);
        let (app, user, subject, candidate) = (self.app.clone(), self.user, self.subject, self.candidate.clone());
        tokio::spawn(async move {
            let size = meter::estimate(&candidate, &request.messages);
            let longest = i64::from(request.max_tokens);
            let begun = meter::begin(&app, user, Purpose::Chat, subject, &candidate, size, longest).await;
            let ticket = match begun {
                Ok(ticket) => ticket,
                Err(error) => {
                    let _ = out.send(Err(ModelError::Unavailable(error.to_string()))).await;
                    return;
                }
            };
            let began = std::time::Instant::now();
            let mut inner = candidate.model.reply(request, cancel);
            let (mut said, mut first, mut account, mut was_sent) = (String::new(), None, None, false);
            let mut ending = Ending::Stopped;
            loop {
                let chunk = tokio::select! {
                    chunk = inner.recv() => chunk,
                    () = out.closed() => break,
                };
                match &chunk {
                    Some(Ok(Chunk::Text(text))) => {
                        first.get_or_insert_with(|| i32::try_from(began.elapsed().as_millis()).unwrap_or(i32::MAX));
                        said.push_str(text);
                    }
                    Some(Ok(Chunk::Started)) => was_sent = true,
                    Some(Ok(Chunk::Spent(spent))) => account = Some(spent.clone()),
                    Some(Ok(Chunk::Done(done))) => {
                        ending = Ending::Done;
                        account = Some(done.clone());
                    }
                    Some(Err(error)) => {
                        ending = Ending::Failed;
                        // Whoever fails has said what it cost.
                        was_sent = false;
                        app.models.health().note(&app, &candidate, Some(error));
                    }
                    _ => {}
                }
                let Some(chunk) = chunk else { break };
                if out.send(chunk).await.is_err() {
                    break;
                }
            }
            drop(inner);
            drop(out);
            ticket.settle(&app, ending, Spent::of(account.as_ref(), was_sent, &said), first).await;
        });
        reply
    }

    fn warm(&self, messages: Vec<Message>) {
        self.candidate.model.warm(messages);
    }

    fn count_tokens(&self, text: &str) -> u32 {
        self.candidate.model.count_tokens(text)
    }
}
