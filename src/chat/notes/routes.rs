//! Plain routes about notes, summaries and receipts: the public JSON contract.

use super::{CleanNotes, SummaryMode, api::server, check_summary, store};
use crate::{
    chat::{RunStatus, prompt::Receipt},
    error::AppError,
    ids::{ConversationId, MessageId, OcId, PersonaId, RunId, Stamp},
    server::{
        AppState, Ctx,
        api::{ApiResult, ErrorBody, JsonBody},
    },
};
use axum::{
    Json, Router,
    extract::Path,
    http::StatusCode,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

/// This part of the public contract.
#[derive(OpenApi)]
#[openapi(
    paths(get_notes, put_notes, get_summary, put_summary, renew_summary, get_receipt),
    components(schemas(ApiNotes, ApiSummary, NewSummary, ApiReceipt, Receipt))
)]
pub struct Api;

/// The routes.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/conversations/{id}/notes", get(get_notes).put(put_notes))
        .route("/api/conversations/{id}/summary", get(get_summary).put(put_summary))
        .route("/api/conversations/{id}/summary/renew", post(renew_summary))
        .route("/api/runs/{id}/receipt", get(get_receipt))
}

fn id<T: std::str::FromStr>(text: &str) -> ApiResult<T> {
    Ok(server::id(text)?)
}

/// What a person wrote about a conversation.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ApiNotes {
    /// What the character is told in this conversation, at most 2000 characters.
    pub instructions: String,
    /// The author's note, at most 1000 characters.
    pub note: String,
    /// How many lines follow the note, 0 to 20; without it, 4.
    pub note_depth: Option<u32>,
    /// The persona you speak as; without it the default one.
    pub persona_id: Option<PersonaId>,
    /// Speak as in your profile, even with a default persona.
    pub as_myself: bool,
}

/// Read the notes of a conversation.
#[utoipa::path(
    get, path = "/api/conversations/{id}/notes", tag = "chat",
    params(("id" = Uuid, Path, description = "The conversation")),
    responses((status = 200, body = ApiNotes), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub async fn get_notes(ctx: Ctx, Path(conversation): Path<String>) -> ApiResult<Json<ApiNotes>> {
    ctx.require()?;
    let mut tx = ctx.begin().await?;
    let row = store::notes(&mut tx, id(&conversation)?).await?;
    Ok(Json(ApiNotes {
        instructions: row.instructions,
        note: row.note,
        note_depth: Some(row.note_depth),
        persona_id: row.persona_id,
        as_myself: row.as_myself,
    }))
}

/// Replace the notes of a conversation. Fields that are absent are emptied. They count from the next reply on.
#[utoipa::path(
    put, path = "/api/conversations/{id}/notes", tag = "chat", request_body = ApiNotes,
    params(("id" = Uuid, Path, description = "The conversation")),
    responses(
        (status = 204, description = "They are kept"), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)
    )
)]
pub async fn put_notes(
    ctx: Ctx,
    Path(conversation): Path<String>,
    JsonBody(body): JsonBody<ApiNotes>,
) -> ApiResult<StatusCode> {
    ctx.require_write()?;
    let clean = CleanNotes::check(&body.instructions, &body.note, body.note_depth.unwrap_or(4))?;
    store::save_notes(&ctx, id(&conversation)?, &clean, body.persona_id, body.as_myself).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What was said before the lines that the model is shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiSummary {
    /// Empty while there is none.
    pub content: String,
    /// When older lines are summed up.
    pub mode: SummaryMode,
    /// The last message that it covers; on branches without that message it does not hold.
    pub covers_message_id: Option<MessageId>,
    /// Lines of the conversation that came since.
    pub lines_since: Option<i64>,
    /// It has your own words in it, which are only added to.
    pub is_edited: bool,
    /// The model that wrote it; empty if none did.
    pub model: String,
    /// When it was written or changed.
    pub updated_at: Option<Stamp>,
    /// Another one is being written at this moment, as far as this node knows.
    pub is_being_written: bool,
}

/// Read the summary of a conversation, on the branch that it shows.
#[utoipa::path(
    get, path = "/api/conversations/{id}/summary", tag = "chat",
    params(("id" = Uuid, Path, description = "The conversation")),
    responses((status = 200, body = ApiSummary), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub async fn get_summary(ctx: Ctx, Path(conversation): Path<String>) -> ApiResult<Json<ApiSummary>> {
    ctx.require()?;
    let conversation: ConversationId = id(&conversation)?;
    let mut tx = ctx.begin().await?;
    let row = store::notes(&mut tx, conversation).await?;
    let found = match row.leaf {
        Some(leaf) => store::summary_before(&mut tx, leaf).await?,
        None => None,
    };
    let is_being_written = super::summary::is_busy(&mut tx, conversation).await?;
    Ok(Json(ApiSummary {
        mode: row.summary_mode,
        covers_message_id: found.as_ref().map(|s| s.covers),
        lines_since: found.as_ref().map(|s| s.since),
        is_edited: found.as_ref().is_some_and(|s| s.is_edited),
        model: found.as_ref().map(|s| s.model.clone()).unwrap_or_default(),
        updated_at: found.as_ref().map(|s| s.updated_at.clone()),
        content: found.map(|s| s.content).unwrap_or_default(),
        is_being_written,
    }))
}

/// A summary in a person's own words.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct NewSummary {
    /// At most 4000 characters; empty takes it away.
    pub content: String,
    /// When older lines are summed up.
    pub mode: SummaryMode,
}

/// Write the summary yourself, or switch it on or off.
#[utoipa::path(
    put, path = "/api/conversations/{id}/summary", tag = "chat", request_body = NewSummary,
    params(("id" = Uuid, Path, description = "The conversation")),
    responses(
        (status = 204, description = "It is kept"), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, description = "Nothing has been said yet", body = ErrorBody),
        (status = 422, body = ErrorBody)
    )
)]
pub async fn put_summary(
    ctx: Ctx,
    Path(conversation): Path<String>,
    JsonBody(body): JsonBody<NewSummary>,
) -> ApiResult<StatusCode> {
    ctx.require_write()?;
    // The field of the page is called otherwise than that of the body.
    let content = check_summary(&body.content).map_err(|e| match e {
        AppError::Invalid { message, .. } => AppError::invalid("content", message),
        other => other,
    })?;
    server::save_summary(&ctx, id(&conversation)?, &content, body.mode).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Have the summary written anew by the model that answers.
#[utoipa::path(
    post, path = "/api/conversations/{id}/summary/renew", tag = "chat",
    params(("id" = Uuid, Path, description = "The conversation")),
    responses(
        (status = 202, description = "The old one is gone, another is being written"), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, description = "It is switched off, or the model is too small", body = ErrorBody),
        (status = 429, body = ErrorBody)
    )
)]
pub async fn renew_summary(ctx: Ctx, Path(conversation): Path<String>) -> ApiResult<StatusCode> {
    server::renew(&ctx, id(&conversation)?, None).await?;
    Ok(StatusCode::ACCEPTED)
}

/// What was sent for a reply, and what it cost.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiReceipt {
    /// The run.
    pub run_id: RunId,
    /// Where it was.
    pub conversation_id: ConversationId,
    /// The reply.
    pub message_id: MessageId,
    /// Who answered.
    pub oc_id: OcId,
    /// Where the run is.
    pub status: RunStatus,
    /// When it began.
    pub created_at: Stamp,
    /// What was sent, part by part; absent until it was.
    pub prompt: Option<Receipt>,
    /// Why it failed; absent if it did not.
    pub error: Option<String>,
    /// `end`, `stop`, `length` or `cancelled`.
    pub finish: Option<String>,
    /// Tokens of the prompt as the model counted them.
    pub prompt_tokens: Option<i32>,
    /// How many of them it knew already.
    pub cached_tokens: Option<i32>,
    /// Tokens of the reply.
    pub reply_tokens: Option<i32>,
    /// From the start to the first word, milliseconds.
    pub first_token_ms: Option<i32>,
    /// From the start to the end, milliseconds.
    pub took_ms: Option<i64>,
    /// Millionths of a US dollar, where the price is known.
    pub cost_micros: Option<i64>,
}

/// What was sent to the model for a reply, section by section, and what was left out and why.
#[utoipa::path(
    get, path = "/api/runs/{id}/receipt", tag = "chat",
    params(("id" = Uuid, Path, description = "The run")),
    responses((status = 200, body = ApiReceipt), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub async fn get_receipt(ctx: Ctx, Path(run): Path<String>) -> ApiResult<Json<ApiReceipt>> {
    ctx.require()?;
    let run_id: RunId = id(&run)?;
    let mut tx = ctx.begin().await?;
    let row = store::receipt(&mut tx, run_id).await?;
    let some = |text: String| Some(text).filter(|t| !t.is_empty());
    Ok(Json(ApiReceipt {
        run_id,
        conversation_id: row.conversation_id,
        message_id: row.message_id,
        oc_id: row.oc_id,
        status: row.status,
        created_at: row.created_at,
        prompt: serde_json::from_value::<Receipt>(row.receipt).ok().filter(|r| !r.sections.is_empty()),
        error: some(row.error),
        finish: some(row.finish),
        prompt_tokens: row.prompt_tokens,
        cached_tokens: row.cached_tokens,
        reply_tokens: row.reply_tokens,
        first_token_ms: row.first_token_ms,
        took_ms: row.took_ms,
        cost_micros: row.cost_micros,
    }))
}
