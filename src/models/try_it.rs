//! An admin tries a model: one question, the reply as it comes, and how fast it came.

use super::{
    meter::{self, Ending, Purpose, Spent},
    money,
    registry::{Candidate, sentence},
    store,
};
use crate::{
    ai::{Chunk, Finish, FinishReason, Message, Request},
    error::{AppError, AppResult},
    ids::{ModelId, UserId},
    server::{
        AppState, Ctx,
        api::ApiResult,
        pass::{self, Pass},
    },
    text::clean_text,
};
use axum::{
    body::Bytes,
    extract::Path,
    http::{HeaderMap, header},
    response::{IntoResponse, Redirect, Response, sse::Event},
};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// Longest question, in characters.
const PROMPT_MAX: usize = 2000;
/// Longest reply, in tokens.
const REPLY_TOKENS: u32 = 200;
/// Longest wait for the whole reply.
const LONGEST: Duration = Duration::from_secs(180);
/// What is asked when nothing is.
pub const QUESTION: &str = "Say in two sentences what the sea is like in winter.";

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// What was asked.
    pub prompt: String,
    /// What the model said.
    pub text: String,
    /// Why it did not, or not to its end; empty otherwise.
    pub error: String,
    /// Until the first word, milliseconds.
    pub first_token_ms: Option<i32>,
    /// Until the end, milliseconds.
    pub duration_ms: i32,
    /// Tokens read.
    pub prompt_tokens: i64,
    /// Of those, read before.
    pub cached_tokens: i64,
    /// Tokens written.
    pub reply_tokens: i64,
    /// What it cost, for reading; empty when nothing was counted.
    pub cost: String,
    /// Tokens written in a second, after the first word; `None` when there were too few to say.
    pub tokens_per_second: Option<f64>,
}

/// Tries a model until `cancel`; `say` is called with each piece of the reply, and with nothing when all before was a thought.
async fn attempt(
    app: &AppState,
    user: UserId,
    candidate: &Candidate,
    prompt: &str,
    cancel: CancellationToken,
    mut say: impl FnMut(Option<&str>),
) -> Trial {
    let messages = vec![
        Message::system("You are tried out by the person who runs this site. Answer in a few plain sentences."),
        Message::user(prompt),
    ];
    let estimate = meter::estimate(candidate, &messages);
    let mut trial = Trial { prompt: prompt.to_owned(), ..Trial::default() };
    let ticket = match meter::begin(app, user, Purpose::Trial, None, candidate, estimate, REPLY_TOKENS.into()).await {
        Ok(ticket) => ticket,
        Err(error) => return Trial { error: error.to_string(), ..trial },
    };
    let began = Instant::now();
    let elapsed = || i32::try_from(began.elapsed().as_millis()).unwrap_or(i32::MAX);
    let request = Request { max_tokens: REPLY_TOKENS, ..Request::new(messages) };
    let _ends_with_us = cancel.clone().drop_guard();
    let mut reply = candidate.model.reply(request, cancel);
    let mut finish: Option<Finish> = None;
    let mut was_sent = false;
    let read = async {
        loop {
            match reply.recv().await {
                Some(Ok(Chunk::Text(text))) => {
                    trial.first_token_ms.get_or_insert_with(elapsed);
                    trial.text.push_str(&text);
                    say(Some(&text));
                }
                Some(Ok(Chunk::TakeBack)) => {
                    trial.text.clear();
                    say(None);
                }
                Some(Ok(Chunk::Started)) => was_sent = true,
                Some(Ok(Chunk::Spent(spent))) => finish = Some(spent),
                Some(Ok(Chunk::Done(done))) => {
                    finish = Some(done);
                    return None;
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Some(error),
                None => return Some(crate::ai::ModelError::Failed("it ended without a word of why".to_owned())),
            }
        }
    };
    let trouble = tokio::time::timeout(LONGEST, read).await;
    was_sent &= trouble.is_err();
    let ending = match &trouble {
        Ok(None) if finish.as_ref().is_some_and(|f| f.reason == FinishReason::Cancelled) => Ending::Stopped,
        Ok(None) => Ending::Done,
        Ok(Some(_)) => Ending::Failed,
        Err(_) => Ending::Stopped,
    };
    match trouble {
        Ok(trouble) => {
            app.models.health().note(app, candidate, trouble.as_ref());
            trial.error = trouble.map(|e| sentence(&e.to_string())).unwrap_or_default();
        }
        Err(_) => trial.error = "It was not done after three minutes.".to_owned(),
    }
    trial.duration_ms = elapsed();
    let sum = ticket.settle(app, ending, Spent::of(finish.as_ref(), was_sent, &trial.text), trial.first_token_ms).await;
    trial.prompt_tokens = sum.tokens.prompt;
    trial.cached_tokens = sum.tokens.cached;
    trial.reply_tokens = sum.tokens.reply;
    if sum.tokens.total() > 0 {
        trial.cost = money::cost(sum.cost_micros, candidate.model.info().local);
    }
    let writing = trial.first_token_ms.map(|first| f64::from(trial.duration_ms - first) / 1000.0);
    #[expect(clippy::cast_precision_loss, reason = "a few hundred tokens")]
    let tokens = (trial.reply_tokens - 1) as f64;
    trial.tokens_per_second = writing.filter(|s| *s > 0.001 && tokens > 0.5).map(|seconds| tokens / seconds);
    trial
}

/// `POST /admin/models/model/{id}/try`: as a stream where that is asked for, else waits and leads back to the page.
///
/// # Errors
/// `NotFound` for everybody but admins; `ConfirmPassword`, because it spends what the provider asks.
pub async fn try_model(ctx: Ctx, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> ApiResult<Response> {
    let html = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"));
    let user = match ctx.require_admin_change() {
        Ok(viewer) => viewer.id,
        Err(AppError::ConfirmPassword) if html => {
            let id: ModelId = id.parse().map_err(|_| AppError::NotFound)?;
            return Ok(Redirect::to(&format!("/confirm?next=/admin/models/model/{id}")).into_response());
        }
        Err(error) => return Err(error.into()),
    };
    let id: ModelId = id.parse().map_err(|_| AppError::NotFound)?;
    let typed = url::form_urlencoded::parse(&body).find(|(name, _)| name == "prompt").map(|(_, v)| v.into_owned());
    let typed = typed.filter(|t| !t.trim().is_empty()).unwrap_or_else(|| QUESTION.to_owned());
    let streams =
        headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/event-stream"));
    let ready: AppResult<(Candidate, String)> = async {
        let prompt = clean_text("prompt", &typed, 1, PROMPT_MAX)?;
        Ok((ctx.app.models.for_trial(id).await?, prompt))
    }
    .await;
    if streams {
        let (candidate, prompt) = ready?;
        let pass = Pass::of(&ctx, &headers)?;
        return Ok(stream(ctx.app, pass, user, candidate, prompt));
    }
    let trial = match ready {
        Ok((candidate, prompt)) => {
            attempt(&ctx.app, user, &candidate, &prompt, ctx.app.shutdown.child_token(), |_| {}).await
        }
        Err(AppError::NotFound) => return Err(AppError::NotFound.into()),
        Err(error) => Trial { prompt: typed, error: error.to_string(), ..Trial::default() },
    };
    let kept = store::keep_for_page(&ctx.app.db, user, &trial).await?;
    Ok(Redirect::to(&format!("/admin/models/model/{id}?tried={kept}#try")).into_response())
}

/// The trial as it goes on. It ends with the admin's right, and with the reader; what was asked is written down all the same.
fn stream(app: AppState, pass: Pass, user: UserId, candidate: Candidate, prompt: String) -> Response {
    let (sender, receiver) = mpsc::channel::<Event>(64);
    let cancel = app.shutdown.child_token();
    let task = app.clone();
    app.tasks.spawn(async move {
        let (pieces, mut pieces_in) = mpsc::unbounded_channel::<Event>();
        let work = attempt(&task, user, &candidate, &prompt, cancel.clone(), move |text| {
            let event = match text {
                Some(text) => Event::default().event("delta").data(serde_json::json!({ "text": text }).to_string()),
                None => Event::default().event("reset").data("{}"),
            };
            let _ = pieces.send(event);
        });
        let forward = async {
            while let Some(event) = pieces_in.recv().await {
                let _gone = sender.send(event).await;
            }
        };
        let watch = async {
            sender.closed().await;
            // Nobody reads it any more.
            cancel.cancel();
        };
        let both = async { tokio::join!(work, forward).0 };
        tokio::pin!(both);
        let trial = tokio::select! {
            trial = &mut both => trial,
            () = watch => both.await,
        };
        let data = serde_json::to_string(&trial).unwrap_or_default();
        let _gone = sender.send(Event::default().event("done").data(data)).await;
    });
    pass::guarded(&app, pass, "try", ReceiverStream::new(receiver))
}
