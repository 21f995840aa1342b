//! Plain routes of the chat room: the public JSON contract and the streams.

use super::{
    ConversationCard, Line, RunStatus, Sender, Sent, check_message, check_title,
    store::{self, To},
    stream::{self, Pass},
};
use crate::{
    accounts::guests,
    error::AppError,
    ids::{ConversationId, MessageId, OcId, RunId, Stamp},
    server::{
        AppState, Ctx,
        api::{ApiResult, ErrorBody, JsonBody, Page},
    },
};
use axum::{
    Json, Router,
    extract::{Path, RawQuery},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use utoipa::{OpenApi, ToSchema};

/// The room's part of the public contract.
#[derive(OpenApi)]
#[openapi(
    paths(
        send_message,
        run_events,
        stop_run,
        list_conversations,
        list_messages,
        conversation_events,
        change_conversation,
        delete_conversation
    ),
    components(schemas(NewMessage, Accepted, ApiMessage, ConversationCard, ConversationChange)),
    tags((name = "chat", description = "Conversations with characters"))
)]
pub struct Api;

/// The room's routes.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/chat/{oc_id}/message", post(send_message))
        .route("/api/runs/{id}/events", get(run_events))
        .route("/api/runs/{id}/stop", post(stop_run))
        .route("/api/conversations", get(list_conversations))
        .route("/api/conversations/{id}", delete(delete_conversation).patch(change_conversation))
        .route("/api/conversations/{id}/messages", get(list_messages))
        .route("/api/conversations/{id}/events", get(conversation_events))
}

/// A message to a character.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewMessage {
    /// What is said, at most 8000 characters.
    pub content: String,
    /// Where; without it the newest conversation with the character, or a new one.
    #[serde(default)]
    pub conversation_id: Option<ConversationId>,
    /// Where a conversation begins with it: which of its first lines the character has said, from 0.
    #[serde(default)]
    pub opening: u32,
}

/// What is to be changed of a conversation; what is absent stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ConversationChange {
    /// Its title, at most 120 characters; empty takes the character's name again.
    #[serde(default)]
    pub title: Option<String>,
    /// Whether it is put away.
    #[serde(default)]
    pub archived: Option<bool>,
}

/// What a message set going.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Accepted {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The reply, empty as yet.
    pub message_id: MessageId,
    /// The run that writes it.
    pub run_id: RunId,
    /// The message that was sent.
    pub user_message_id: MessageId,
    /// `reply`, or `crisis`: the message tells of suicide or self-harm, so no model was asked, and the reply is a fixed card
    /// with help lines. `POST /api/messages/{message_id}/regenerate` asks for the character's reply after it.
    #[schema(example = "reply")]
    pub kind: &'static str,
}

/// What a reply is, in a word.
pub(super) const fn kind(is_card: bool) -> &'static str {
    if is_card { "crisis" } else { "reply" }
}

impl From<&Sent> for Accepted {
    fn from(sent: &Sent) -> Self {
        Self {
            conversation_id: sent.conversation_id,
            message_id: sent.message_id,
            run_id: sent.run_id,
            user_message_id: sent.user_message_id,
            kind: kind(sent.is_card),
        }
    }
}

/// A message of a conversation.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiMessage {
    /// The message.
    pub id: MessageId,
    /// Who said it.
    pub sender: Sender,
    /// As written, Markdown.
    pub content: String,
    /// Sanitised HTML of it.
    pub html: String,
    /// `crisis` for the card with help lines that the site shows in place of a reply; absent for all else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// When.
    pub created_at: Stamp,
    /// The newest run that wrote it; absent for messages that no model wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// Where that run is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<RunStatus>,
    /// Why it failed, or what else there is to say about it: a reply that was whole may have had nothing added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Which of the turn's wordings this is, from 1.
    pub place: u32,
    /// How many wordings the turn has.
    pub places: u32,
    /// Somebody changed its words after they stood there.
    pub is_edited: bool,
    /// What you think of it, 1 to 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating: Option<u8>,
    /// Whether it helped you.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helpful: Option<bool>,
}

impl From<Line> for ApiMessage {
    fn from(line: Line) -> Self {
        Self {
            id: line.id,
            sender: line.sender,
            content: line.content,
            html: line.html,
            kind: line.is_card.then_some(kind(true)),
            created_at: line.at,
            run_id: line.run.as_ref().map(|r| r.id),
            status: line.run.as_ref().map(|r| r.status),
            error: line.run.map(|r| r.error).filter(|e| !e.is_empty()),
            place: line.place,
            places: line.places,
            is_edited: line.is_edited,
            rating: Some(line.rating).filter(|r| *r > 0),
            helpful: line.helpful,
        }
    }
}

/// An id in an address; one that cannot be read is one that does not exist.
pub(super) fn id<T: FromStr>(text: &str) -> ApiResult<T> {
    text.parse().map_err(|_| AppError::NotFound.into())
}

fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query?.as_bytes()).find(|(n, _)| n == name).map(|(_, v)| v.into_owned())
}

pub(super) fn wants_stream(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/event-stream"))
}

/// Say something to a character.
///
/// The reply is written by a run; follow it with `/api/runs/{id}/events`, or ask for `text/event-stream` here. The same
/// `Idempotency-Key` gives the same ids again (200) and never a second message.
#[utoipa::path(
    post, path = "/api/chat/{oc_id}/message", tag = "chat",
    params(
        ("oc_id" = Uuid, Path, description = "The character"),
        ("Idempotency-Key" = Option<String>, Header, description = "At most 200 characters; makes sending twice send once")
    ),
    request_body = NewMessage,
    responses(
        (status = 202, description = "The message is kept and the reply is on its way; as `text/event-stream`, the stream", body = Accepted),
        (status = 200, description = "This key was used before: the same ids, or the stream", body = Accepted),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "The last reply is still being written", body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 422, body = ErrorBody), (status = 429, body = ErrorBody)
    )
)]
pub async fn send_message(
    ctx: Ctx,
    Path(oc_id): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<NewMessage>,
) -> ApiResult<Response> {
    ctx.talker_write()?;
    let oc: OcId = id(&oc_id)?;
    guests::take_line_for(&ctx, &body.content).await?;
    let content = check_message(&body.content)?;
    let key = match headers.get("idempotency-key").map(|v| v.to_str().unwrap_or_default().trim()) {
        None => store::new_key(),
        Some(key) if (1..=200).contains(&key.len()) => key.to_owned(),
        Some(_) => {
            return Err(AppError::invalid("Idempotency-Key", "The key must be 1 to 200 characters of ASCII.").into());
        }
    };
    let to = body.conversation_id.map_or(To::Character(oc, body.opening), |c| To::Conversation(c, Some(oc)));
    let (sent, start) = store::send(&ctx, to, &content, &key).await?;
    let accepted = Accepted::from(&sent);
    if wants_stream(&headers) {
        let pass = Pass::of(&ctx, &headers)?;
        let data = serde_json::to_value(&accepted).unwrap_or_default();
        return Ok(stream::run(ctx, pass, sent.run_id, 0, Some(data)).await?);
    }
    let status = if start.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(accepted)).into_response())
}

/// Follow a reply as it is written.
///
/// Server-sent events: `queued {place}`, `started`, `delta {text}` with the offset in bytes as its id,
/// `reset {text}` when all before was a thought of the model and the reply begins anew, and at the end one of
/// `done {message_id, html, content, finish}`, `failed {message}`, `stopped`, `interrupted`. `reconnect` means that this
/// process is ending: connect again. `Last-Event-ID` or `after` resumes from an offset.
#[utoipa::path(
    get, path = "/api/runs/{id}/events", tag = "chat",
    params(
        ("id" = Uuid, Path, description = "The run"),
        ("after" = Option<u64>, Query, description = "Offset in bytes to resume from"),
        ("Last-Event-ID" = Option<u64>, Header, description = "As `after`; sent by browsers that reconnect")
    ),
    responses((status = 200, description = "The stream", content_type = "text/event-stream"), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub async fn run_events(
    ctx: Ctx,
    Path(run_id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> ApiResult<Response> {
    let pass = Pass::of(&ctx, &headers)?;
    let after = parameter(query.as_deref(), "after").and_then(|v| v.parse().ok());
    let offset = stream::offset(&headers, after);
    Ok(stream::run(ctx, pass, id(&run_id)?, offset, None).await?)
}

/// Stop a reply. The words written so far stay.
#[utoipa::path(
    post, path = "/api/runs/{id}/stop", tag = "chat",
    params(("id" = Uuid, Path, description = "The run")),
    responses((status = 204, description = "The run stops, or had ended"), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub async fn stop_run(ctx: Ctx, Path(run_id): Path<String>) -> ApiResult<StatusCode> {
    ctx.talker_write()?;
    let run: RunId = id(&run_id)?;
    store::stop(&ctx, run).await?;
    ctx.app.runs.stop(run);
    Ok(StatusCode::NO_CONTENT)
}

/// Your conversations, the one last written in first.
#[utoipa::path(
    get, path = "/api/conversations", tag = "chat",
    params(
        ("after" = Option<String>, Query, description = "`next` of the page before"),
        ("archived" = Option<bool>, Query, description = "Those that were put away")
    ),
    responses((status = 200, body = Page<ConversationCard>), (status = 401, body = ErrorBody), (status = 422, body = ErrorBody))
)]
pub async fn list_conversations(ctx: Ctx, RawQuery(query): RawQuery) -> ApiResult<Json<Page<ConversationCard>>> {
    let me = ctx.talker()?.id;
    let after = parameter(query.as_deref(), "after").unwrap_or_default();
    let archived = parameter(query.as_deref(), "archived").is_some_and(|v| v == "true");
    let mut tx = ctx.begin().await?;
    let (items, next) = store::conversations(&mut tx, me, archived, &after).await?;
    Ok(Json(Page { items, next }))
}

/// The messages of a conversation: a window of 60, newest last; `next` leads to older ones.
#[utoipa::path(
    get, path = "/api/conversations/{id}/messages", tag = "chat",
    params(
        ("id" = Uuid, Path, description = "The conversation"),
        ("after" = Option<String>, Query, description = "`next` of the window before")
    ),
    responses((status = 200, body = Page<ApiMessage>), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub async fn list_messages(
    ctx: Ctx,
    Path(conversation): Path<String>,
    RawQuery(query): RawQuery,
) -> ApiResult<Json<Page<ApiMessage>>> {
    ctx.talker()?;
    let before = match parameter(query.as_deref(), "after").filter(|a| !a.is_empty()) {
        Some(text) => Some(id::<MessageId>(&text)?),
        None => None,
    };
    let mut tx = ctx.begin().await?;
    let read = store::lines(&mut tx, id(&conversation)?, before).await?;
    drop(tx);
    let window = read.drawn().await;
    let next = window.earlier.map(|m| m.to_string());
    Ok(Json(Page { items: window.lines.into_iter().map(ApiMessage::from).collect(), next }))
}

/// Follow a conversation: `changed {revision, run_id}` at once and whenever something happens in it.
#[utoipa::path(
    get, path = "/api/conversations/{id}/events", tag = "chat",
    params(("id" = Uuid, Path, description = "The conversation")),
    responses((status = 200, description = "The stream", content_type = "text/event-stream"), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub async fn conversation_events(
    ctx: Ctx,
    Path(conversation): Path<String>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let pass = Pass::of(&ctx, &headers)?;
    Ok(stream::conversation(ctx, pass, id(&conversation)?).await?)
}

/// Rename a conversation, put it away, or take it out again.
#[utoipa::path(
    patch, path = "/api/conversations/{id}", tag = "chat",
    params(("id" = Uuid, Path, description = "The conversation")),
    request_body = ConversationChange,
    responses(
        (status = 204, description = "It is changed"), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 422, body = ErrorBody)
    )
)]
pub async fn change_conversation(
    ctx: Ctx,
    Path(conversation): Path<String>,
    JsonBody(change): JsonBody<ConversationChange>,
) -> ApiResult<StatusCode> {
    ctx.talker_write()?;
    let conversation: ConversationId = id(&conversation)?;
    // All of it is looked at before any of it is done.
    let title = change.title.as_deref().map(check_title).transpose()?;
    store::conversation_of(&mut ctx.begin().await?, conversation).await?;
    if let Some(title) = title {
        store::rename(&ctx, conversation, &title).await?;
    }
    if let Some(archived) = change.archived {
        store::archive(&ctx, conversation, archived).await?;
    }
    ctx.app.runs.touch(conversation);
    Ok(StatusCode::NO_CONTENT)
}

/// Delete a conversation and everything said in it.
#[utoipa::path(
    delete, path = "/api/conversations/{id}", tag = "chat",
    params(("id" = Uuid, Path, description = "The conversation")),
    responses((status = 204, description = "It is gone"), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub async fn delete_conversation(ctx: Ctx, Path(conversation): Path<String>) -> ApiResult<StatusCode> {
    ctx.talker_write()?;
    let conversation: ConversationId = id(&conversation)?;
    for run in store::delete_conversation(&ctx, conversation).await? {
        ctx.app.runs.stop(run);
    }
    ctx.app.runs.touch(conversation);
    Ok(StatusCode::NO_CONTENT)
}
