//! The public JSON contract for the tree of a conversation: wordings, changed words, branches, ratings, drafted lines.

use super::{
    impersonate::{self, Draft, Talk, Words as Drafted},
    routes::{id, kind, wants_stream},
    store::{self, Opinion, Start},
};
use crate::{
    ids::{ConversationId, MessageId, OcId, RunId},
    server::{
        AppState, Ctx,
        api::{ApiResult, ErrorBody, JsonBody, Page},
        pass::{self, Pass},
    },
};
use axum::{
    Json, Router,
    extract::Path,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response, sse::Event},
    routing::{patch, post, put},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

/// This part of the public contract.
#[derive(OpenApi)]
#[openapi(
    paths(
        regenerate,
        continue_reply,
        list_wordings,
        add_wording,
        show_message,
        edit_message,
        delete_message,
        branch,
        rate_reply,
        draft_line
    ),
    components(schemas(Writing, ApiWording, Words, NewWording, Branched, Rating, NewDraft, DraftedLine))
)]
pub struct Api;

/// Its routes.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/messages/{id}", patch(edit_message).delete(delete_message))
        .route("/api/messages/{id}/regenerate", post(regenerate))
        .route("/api/messages/{id}/continue", post(continue_reply))
        .route("/api/messages/{id}/wordings", post(add_wording).get(list_wordings))
        .route("/api/messages/{id}/show", post(show_message))
        .route("/api/messages/{id}/branch", post(branch))
        .route("/api/messages/{id}/rating", put(rate_reply))
        .route("/api/chat/{oc_id}/impersonate", post(draft_line))
}

/// A reply on its way.
#[derive(Debug, Serialize, ToSchema)]
pub struct Writing {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The reply.
    pub message_id: MessageId,
    /// The run that writes it.
    pub run_id: RunId,
    /// `reply`, or `crisis` for a card with help lines, as in `POST /api/chat/{oc_id}/message`.
    #[schema(example = "reply")]
    pub kind: &'static str,
}

/// A wording of a turn.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApiWording {
    /// The message.
    pub id: MessageId,
    /// As written, Markdown.
    pub content: String,
    /// It is the one that the conversation shows.
    pub is_shown: bool,
}

/// Words of a line.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Words {
    /// At most 8000 characters for your own lines, 60,000 for a character's.
    pub content: String,
}

/// A wording that was put beside another.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewWording {
    /// The conversation, which shows it from now on.
    pub conversation_id: ConversationId,
    /// The new wording.
    pub message_id: MessageId,
    /// The reply to it, on its way; for your own lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_id: Option<MessageId>,
    /// The run that writes that reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// `reply`, or `crisis` for a card with help lines, as in `POST /api/chat/{oc_id}/message`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
}

/// A branch.
#[derive(Debug, Serialize, ToSchema)]
pub struct Branched {
    /// The new conversation.
    pub conversation_id: ConversationId,
}

/// What you think of a reply. What is absent or null is taken back.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Rating {
    /// 1 to 5.
    #[serde(default)]
    pub rating: Option<i16>,
    /// Whether it helped you.
    #[serde(default)]
    pub helpful: Option<bool>,
}

/// Where your next line is to be written.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewDraft {
    /// Words that it goes on from.
    #[serde(default)]
    pub content: String,
    /// The conversation; without it, a talk that has not begun.
    #[serde(default)]
    pub conversation_id: Option<ConversationId>,
    /// Without a conversation: which of its first lines the character has said, from 0.
    #[serde(default)]
    pub opening: u32,
}

/// Your next line, as the model would say it.
#[derive(Debug, Serialize, ToSchema)]
pub struct DraftedLine {
    /// Nothing is sent until you send it.
    pub content: String,
}

fn begun(start: &Start) -> (StatusCode, Json<Writing>) {
    let writing = Writing {
        conversation_id: start.conversation_id,
        message_id: start.message_id,
        run_id: start.run_id,
        kind: kind(start.is_card),
    };
    (StatusCode::ACCEPTED, Json(writing))
}

async fn limit(ctx: &Ctx) -> ApiResult<()> {
    Ok(crate::accounts::guests::take_line(ctx).await?)
}

/// Ask for another wording of a reply. It is shown from now on; what followed the old one stays with it.
#[utoipa::path(
    post, path = "/api/messages/{id}/regenerate", tag = "chat",
    params(("id" = Uuid, Path, description = "The reply")),
    responses(
        (status = 202, description = "The new wording is on its way", body = Writing),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "The last reply is still being written", body = ErrorBody),
        (status = 413, description = "Your account may not store more", body = ErrorBody),
        (status = 422, description = "No model wrote this", body = ErrorBody), (status = 429, body = ErrorBody)
    )
)]
pub async fn regenerate(ctx: Ctx, Path(message): Path<String>) -> ApiResult<Response> {
    limit(&ctx).await?;
    let start = store::regenerate(&ctx, id(&message)?).await?;
    Ok(begun(&start).into_response())
}

/// Go on with the last reply of a conversation from the words it has.
#[utoipa::path(
    post, path = "/api/messages/{id}/continue", tag = "chat",
    params(("id" = Uuid, Path, description = "The reply")),
    responses(
        (status = 202, description = "More words are on their way", body = Writing),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "A reply is still being written, or this is not the last one", body = ErrorBody),
        (status = 413, description = "Your account may not store more", body = ErrorBody),
        (status = 422, description = "No model wrote this", body = ErrorBody), (status = 429, body = ErrorBody)
    )
)]
pub async fn continue_reply(ctx: Ctx, Path(message): Path<String>) -> ApiResult<Response> {
    limit(&ctx).await?;
    let start = store::continue_reply(&ctx, id(&message)?).await?;
    Ok(begun(&start).into_response())
}

/// All wordings of the turn that a message is one of, oldest first, at most 200.
#[utoipa::path(
    get, path = "/api/messages/{id}/wordings", tag = "chat",
    params(("id" = Uuid, Path, description = "Any of them")),
    responses((status = 200, body = Page<ApiWording>), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub async fn list_wordings(ctx: Ctx, Path(message): Path<String>) -> ApiResult<Json<Page<ApiWording>>> {
    ctx.talker()?;
    let mut tx = ctx.begin().await?;
    let found = store::wordings(&mut tx, id(&message)?).await?;
    let items = found.into_iter().map(|w| ApiWording { id: w.id, content: w.content, is_shown: w.is_shown }).collect();
    Ok(Json(Page { items, next: None }))
}

/// Put other words beside a line; they are shown from now on. Your own line is sent with them, and answered.
#[utoipa::path(
    post, path = "/api/messages/{id}/wordings", tag = "chat",
    params(("id" = Uuid, Path, description = "The line")),
    request_body = Words,
    responses(
        (status = 201, description = "A character's line says this now", body = NewWording),
        (status = 202, description = "Your line is sent, and the reply is on its way", body = NewWording),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "The last reply is still being written", body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 422, body = ErrorBody), (status = 429, body = ErrorBody)
    )
)]
pub async fn add_wording(
    ctx: Ctx,
    Path(message): Path<String>,
    JsonBody(body): JsonBody<Words>,
) -> ApiResult<Response> {
    limit(&ctx).await?;
    let (conversation_id, message_id, start) =
        store::edit_as_wording(&ctx, id(&message)?, "content", &body.content).await?;
    let mut made = NewWording { conversation_id, message_id, reply_id: None, run_id: None, kind: None };
    let status = match start {
        Some(start) => {
            (made.reply_id, made.run_id) = (Some(start.message_id), Some(start.run_id));
            made.kind = Some(kind(start.is_card));
            StatusCode::ACCEPTED
        }
        None => {
            ctx.app.runs.touch(conversation_id);
            StatusCode::CREATED
        }
    };
    Ok((status, Json(made)).into_response())
}

/// Show a message, with everything that followed it last.
#[utoipa::path(
    post, path = "/api/messages/{id}/show", tag = "chat",
    params(("id" = Uuid, Path, description = "The message")),
    responses(
        (status = 204, description = "It is shown"), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "The last reply is still being written", body = ErrorBody)
    )
)]
pub async fn show_message(ctx: Ctx, Path(message): Path<String>) -> ApiResult<StatusCode> {
    ctx.talker_write()?;
    let conversation = store::show_message(&ctx, id(&message)?).await?;
    ctx.app.runs.touch(conversation);
    Ok(StatusCode::NO_CONTENT)
}

/// Change the words of a line where they stand. The words before are gone; what follows stays.
#[utoipa::path(
    patch, path = "/api/messages/{id}", tag = "chat",
    params(("id" = Uuid, Path, description = "The line")),
    request_body = Words,
    responses(
        (status = 204, description = "It says this now"), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "The last reply is still being written", body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 422, body = ErrorBody), (status = 429, body = ErrorBody)
    )
)]
pub async fn edit_message(
    ctx: Ctx,
    Path(message): Path<String>,
    JsonBody(body): JsonBody<Words>,
) -> ApiResult<StatusCode> {
    limit(&ctx).await?;
    let conversation = store::edit_in_place(&ctx, id(&message)?, "content", &body.content).await?;
    ctx.app.runs.touch(conversation);
    Ok(StatusCode::NO_CONTENT)
}

/// Delete a line and everything that followed it.
#[utoipa::path(
    delete, path = "/api/messages/{id}", tag = "chat",
    params(("id" = Uuid, Path, description = "The line")),
    responses((status = 204, description = "It is gone"), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub async fn delete_message(ctx: Ctx, Path(message): Path<String>) -> ApiResult<StatusCode> {
    ctx.talker_write()?;
    let (conversation, open) = store::delete_message(&ctx, id(&message)?).await?;
    open.into_iter().for_each(|run| ctx.app.runs.stop(run));
    ctx.app.runs.touch(conversation);
    Ok(StatusCode::NO_CONTENT)
}

/// Begin a new conversation with what was said up to a message. The old one stays as it is.
#[utoipa::path(
    post, path = "/api/messages/{id}/branch", tag = "chat",
    params(("id" = Uuid, Path, description = "The last line of the new conversation")),
    responses(
        (status = 201, description = "The new conversation", body = Branched),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "The last reply is still being written", body = ErrorBody),
        (status = 413, description = "Your account may not store more", body = ErrorBody),
        (status = 422, description = "Nothing is said there", body = ErrorBody), (status = 429, body = ErrorBody)
    )
)]
pub async fn branch(ctx: Ctx, Path(message): Path<String>) -> ApiResult<Response> {
    limit(&ctx).await?;
    let conversation_id = store::branch(&ctx, id(&message)?).await?;
    Ok((StatusCode::CREATED, Json(Branched { conversation_id })).into_response())
}

/// Say what you think of a reply.
#[utoipa::path(
    put, path = "/api/messages/{id}/rating", tag = "chat",
    params(("id" = Uuid, Path, description = "The reply")),
    request_body = Rating,
    responses(
        (status = 204, description = "It is kept"), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 422, description = "Not 1 to 5, or your own line", body = ErrorBody)
    )
)]
pub async fn rate_reply(
    ctx: Ctx,
    Path(message): Path<String>,
    JsonBody(body): JsonBody<Rating>,
) -> ApiResult<StatusCode> {
    ctx.talker_write()?;
    let opinion = Opinion { rating: Some(body.rating), helpful: Some(body.helpful) };
    let conversation = store::rate(&ctx, id(&message)?, opinion).await?;
    ctx.app.runs.touch(conversation);
    Ok(StatusCode::NO_CONTENT)
}

/// Have your own next line written. Nothing is sent or kept.
///
/// As `text/event-stream`: `delta {text}`, `reset {text}` when all before was a thought of the model, and at the end
/// `done {content}` or `failed {message}`. On our own pages a stranger becomes a guest by it, as by a first message. Going away stops the model, and so does signing out.
#[utoipa::path(
    post, path = "/api/chat/{oc_id}/impersonate", tag = "chat",
    params(("oc_id" = Uuid, Path, description = "The character you talk with")),
    request_body = NewDraft,
    responses(
        (status = 200, description = "The line; as `text/event-stream`, the stream", body = DraftedLine),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "The last reply is still being written", body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 422, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, description = "The model cannot", body = ErrorBody)
    )
)]
pub async fn draft_line(
    ctx: Ctx,
    Path(oc_id): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<NewDraft>,
) -> ApiResult<Response> {
    let oc: OcId = id(&oc_id)?;
    // Strangers come by our pages; programs have an account.
    if headers.get("sec-fetch-site").is_none_or(|site| site != "same-origin") {
        ctx.talker_write()?;
    }
    let (ctx, cookie, talk) = match body.conversation_id {
        Some(conversation) => (ctx, None, Talk::Conversation(conversation, Some(oc))),
        None => {
            let (ctx, cookie) = impersonate::enter(ctx, oc, "content", &body.content).await?;
            (ctx, cookie, Talk::Beginning(oc, body.opening))
        }
    };
    let draft = impersonate::ask(&ctx, talk, "content", &body.content).await?;
    let mut answer = if wants_stream(&headers) {
        streamed(&ctx.app, Pass::of(&ctx, &headers)?, draft)
    } else {
        Json(DraftedLine { content: draft.whole().await? }).into_response()
    };
    if let Some(cookie) = cookie {
        answer.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(answer)
}

/// The words of a draft as they come. The stream owns the draft: when nobody reads it any more, or nobody may, the model stops.
fn streamed(app: &AppState, pass: Pass, draft: Draft) -> Response {
    let event = |name: &str, data: serde_json::Value| Event::default().event(name).data(data.to_string());
    let events = futures::stream::unfold(Some(draft), move |draft| async move {
        let mut draft = draft?;
        Some(match draft.next().await {
            Ok(Some(Drafted::More(text))) => (event("delta", json!({ "text": text })), Some(draft)),
            Ok(Some(Drafted::Anew(text))) => (event("reset", json!({ "text": text })), Some(draft)),
            Ok(None) => match draft.finished() {
                line if line.is_empty() => (event("failed", json!({ "message": impersonate::NO_WORDS })), None),
                line => (event("done", json!({ "content": line })), None),
            },
            Err(error) => (event("failed", json!({ "message": error.to_string() })), None),
        })
    });
    pass::guarded(app, pass, "draft", events)
}
