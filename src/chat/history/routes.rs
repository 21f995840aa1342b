//! Plain routes of looking back: search, and files that go out and come in.

use super::{
    Hit, IMPORT_MAX, SKIPPED_TOLD, Skipped, Unread,
    export::{self, Kind},
    import, search, store,
};
use crate::{
    error::{AppError, AppResult},
    ids::ConversationId,
    server::{
        AppState, Ctx,
        api::{ApiError, ApiResult, ErrorBody, Page},
        drafts,
        limits::{self, Action},
    },
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest, Multipart, Path, Query, Request},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

/// The part of the public contract.
#[derive(OpenApi)]
#[openapi(
    paths(search_messages, export_markdown, export_json, export_jsonl, import_conversation),
    components(schemas(Hit, Imported, Skipped, Unread))
)]
pub struct Api;

/// The routes; the files under the page's address as well, so that a link of the page is enough.
pub fn routes() -> Router<AppState> {
    // What the form says around the file needs some room, too.
    let upload = DefaultBodyLimit::max(IMPORT_MAX + 64 * 1024);
    Router::new()
        .route("/api/search/messages", get(search_messages))
        .route("/api/conversations/{id}/export.md", get(export_markdown))
        .route("/api/conversations/{id}/export.json", get(export_json))
        .route("/api/conversations/{id}/export.jsonl", get(export_jsonl))
        .route("/api/conversations/import", post(import_conversation).layer(upload))
        .route("/chat/{id}/export.md", get(export_markdown))
        .route("/chat/{id}/export.json", get(export_json))
        .route("/chat/{id}/export.jsonl", get(export_jsonl))
        .route("/conversations/import", post(import_form).layer(upload))
}

/// What is looked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    q: String,
    conversation_id: String,
    after: String,
}

/// Search your messages.
///
/// Finds messages that hold every word, whole or as a beginning; words between quotation marks must stand together. Case and
/// accents do not count. The newest come first.
#[utoipa::path(
    get, path = "/api/search/messages", tag = "chat",
    params(
        ("q" = String, Query, description = "At most 200 characters"),
        ("conversation_id" = Option<Uuid>, Query, description = "Only in this conversation"),
        ("after" = Option<String>, Query, description = "`next` of the page before")
    ),
    responses(
        (status = 200, body = Page<Hit>), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 422, body = ErrorBody), (status = 429, body = ErrorBody)
    )
)]
pub async fn search_messages(ctx: Ctx, Query(wanted): Query<Wanted>) -> ApiResult<Json<Page<Hit>>> {
    let found = search::find(&ctx, &wanted.q, &wanted.conversation_id, &wanted.after).await?;
    Ok(Json(Page { items: found.hits, next: found.next }))
}

fn id(text: &str) -> AppResult<ConversationId> {
    text.parse().map_err(|_| AppError::NotFound)
}

/// Export a conversation to read: the branch that is shown, as Markdown.
#[utoipa::path(
    get, path = "/api/conversations/{id}/export.md", tag = "chat",
    params(("id" = Uuid, Path, description = "The conversation")),
    responses((status = 200, description = "The file", content_type = "text/markdown"), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub async fn export_markdown(ctx: Ctx, Path(conversation): Path<String>) -> ApiResult<Response> {
    Ok(export::file(ctx, id(&conversation)?, Kind::Markdown).await?)
}

/// Export a conversation whole: every message of every branch, with times, models and ratings.
///
/// `{"format": "soulforge.conversation", "version": 1, "exported_at", "conversation": {"id", "title", "created_at", "person",
/// "character": {"id", "name", "slug"}, "shown_until"}, "messages": [{"id", "parent_id", "sender", "content", "created_at",
/// "updated_at", "model", "rating", "helpful", "prompt_tokens", "reply_tokens"}]}`. Messages with the same `parent_id` are other
/// wordings of one turn; the branch that is shown ends with `shown_until`. Fields without a value are absent. The file can be
/// imported again.
#[utoipa::path(
    get, path = "/api/conversations/{id}/export.json", tag = "chat",
    params(("id" = Uuid, Path, description = "The conversation")),
    responses((status = 200, description = "The file", content_type = "application/json"), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub async fn export_json(ctx: Ctx, Path(conversation): Path<String>) -> ApiResult<Response> {
    Ok(export::file(ctx, id(&conversation)?, Kind::Json).await?)
}

/// Export a conversation for SillyTavern: the branch that is shown as JSONL, other wordings as swipes.
#[utoipa::path(
    get, path = "/api/conversations/{id}/export.jsonl", tag = "chat",
    params(("id" = Uuid, Path, description = "The conversation")),
    responses((status = 200, description = "The file", content_type = "application/x-ndjson"), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub async fn export_jsonl(ctx: Ctx, Path(conversation): Path<String>) -> ApiResult<Response> {
    Ok(export::file(ctx, id(&conversation)?, Kind::Jsonl).await?)
}

/// A conversation that came out of a file.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Imported {
    /// The new conversation.
    pub conversation_id: ConversationId,
    /// Its messages, all wordings counted.
    pub messages: u32,
    /// Lines that are no part of the talk: empty ones, notes of the program.
    pub left_out: u32,
    /// Lines that could not be read.
    pub skipped: u32,
    /// The first hundred of them, with the reason.
    pub skipped_lines: Vec<Skipped>,
}

/// With whom a file is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct With {
    with: String,
}

/// Import a chat of SillyTavern (JSONL), or a conversation that was exported as JSON.
///
/// The body is the file, at most 20 MB. Swipes become other wordings of their turn. `with` names the character by its id or its
/// name in addresses; without it, the one that the file names. Lines that cannot be read are skipped and told with their numbers; a
/// file of which no line can be read is refused.
#[utoipa::path(
    post, path = "/api/conversations/import", tag = "chat",
    params(("with" = Option<String>, Query, description = "The character")),
    request_body(content = String, content_type = "application/x-ndjson"),
    responses(
        (status = 201, body = Imported, description = "The conversation; its address is in `location`"),
        (status = 401, body = ErrorBody), (status = 413, body = ErrorBody), (status = 422, body = ErrorBody), (status = 429, body = ErrorBody)
    )
)]
pub async fn import_conversation(ctx: Ctx, Query(with): Query<With>, request: Request) -> ApiResult<Response> {
    // Before the body is read: a stranger's twenty megabytes are nobody's.
    ctx.require_write()?;
    let bytes = Bytes::from_request(request, &()).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            import::too_large()
        } else {
            AppError::invalid("file", "The upload was cut off. Please try again.")
        }
    })?;
    let made = keep(&ctx, &with.with, bytes).await?;
    let location = [(header::LOCATION, format!("/api/conversations/{}/messages", made.conversation_id))];
    Ok((StatusCode::CREATED, location, Json(made)).into_response())
}

/// The page of imports, for the character that a chat was to be with.
fn import_page(with: &str) -> String {
    let mut page = url::form_urlencoded::Serializer::new("/conversations/import?".to_owned());
    if !with.is_empty() {
        page.append_pair("with", with);
    }
    page.finish()
}

async fn keep(ctx: &Ctx, with: &str, bytes: Bytes) -> AppResult<Imported> {
    let me = ctx.require_write()?.id;
    limits::take(&ctx.app, Action::Upload, &me.to_string()).await?;
    // Twenty megabytes of JSON are a second's work.
    let chat = tokio::task::spawn_blocking(move || import::read(&bytes)).await.map_err(|_| AppError::Internal)??;
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let (messages, left_out, skipped) = (count(chat.nodes.len()), count(chat.left_out), count(chat.skipped.len()));
    let skipped_lines = chat.skipped.iter().copied().take(SKIPPED_TOLD).collect();
    let conversation_id = store::import(ctx, with, chat).await?;
    Ok(Imported { conversation_id, messages, left_out, skipped, skipped_lines })
}

/// The page's form. It leads to the conversation, or back with a word about what was wrong.
async fn import_form(ctx: Ctx, headers: HeaderMap, form: Multipart) -> Response {
    let html = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"));
    let mut with = String::new();
    let result = keep_form(&ctx, form, &mut with).await;
    match result {
        Ok(made) if html && made.skipped > 0 => {
            // What is missing is told before one goes on; numbers and letters only, so that no address can put words here.
            let lines = Skipped::write(&made.skipped_lines);
            let (id, messages, count) = (made.conversation_id, made.messages, made.skipped);
            let to = format!("/conversations/import?done={id}&messages={messages}&skipped={count}&lines={lines}");
            Redirect::to(&to).into_response()
        }
        Ok(made) if html => Redirect::to(&format!("/chat/{}", made.conversation_id)).into_response(),
        Ok(made) => (StatusCode::CREATED, Json(made)).into_response(),
        Err(error) if !html => ApiError(error).into_response(),
        Err(AppError::SignInRequired) => Redirect::to("/sign-up?next=/conversations/import").into_response(),
        Err(error) => {
            let page = import_page(&with);
            drafts::refused(&ctx, &page, &error).await
        }
    }
}

async fn keep_form(ctx: &Ctx, mut form: Multipart, with: &mut String) -> AppResult<Imported> {
    ctx.require_write()?;
    let unread = |_| AppError::invalid("file", "The upload was cut off, or larger than 20 MB. Please try again.");
    let mut bytes = Vec::new();
    let mut size = 0;
    while let Some(mut field) = form.next_field().await.map_err(unread)? {
        let is_file = field.name() == Some("file");
        if !is_file && field.name() != Some("with") {
            continue;
        }
        let mut text = Vec::new();
        while let Some(chunk) = field.chunk().await.map_err(unread)? {
            size += chunk.len();
            // What is too much is read, but not kept.
            if is_file && size <= IMPORT_MAX {
                bytes.extend_from_slice(&chunk);
            } else if !is_file && text.len() + chunk.len() <= 200 {
                text.extend_from_slice(&chunk);
            }
        }
        if !is_file {
            *with = String::from_utf8_lossy(&text).trim().to_owned();
        }
    }
    if size > IMPORT_MAX {
        return Err(import::too_large());
    }
    if bytes.is_empty() {
        return Err(AppError::invalid("file", "Please choose a file first."));
    }
    keep(ctx, with, bytes.into()).await
}
