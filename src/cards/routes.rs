//! Characters in and out, as files: the public API, and the page's form.

use super::{
    FILE_MAX, Report, export,
    import::{self, Imported},
    view::Told,
};
use crate::{
    error::{AppError, AppResult},
    ids::OcId,
    server::{
        AppState, Ctx,
        api::{ApiError, ApiResult, ErrorBody},
        drafts,
        limits::{self, Action},
        router,
    },
};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Multipart, Path, Query, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

/// Most files of one upload.
const FILES_MAX: usize = 50;
/// Largest upload of all files together, bytes; each is read, made a character and forgotten before the next.
const BODY_MAX: usize = 512 * 1024 * 1024;
/// The page.
const PAGE: &str = "/characters/import";

/// The part of the public contract.
#[derive(OpenApi)]
#[openapi(
    paths(import_ocs, export_oc),
    components(schemas(ImportedOcs, ImportedOc, Report, super::Note, super::Fate, super::Spec, super::Carrier))
)]
pub struct Api;

/// The routes.
pub fn routes() -> Router<AppState> {
    let upload = DefaultBodyLimit::max(BODY_MAX);
    Router::new()
        .route("/api/ocs/import", post(import_ocs).layer(upload))
        .route("/api/ocs/{id}/export", get(export_oc))
        .route(PAGE, get(page).post(import_form).layer(upload))
}

/// What became of the files.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ImportedOcs {
    /// One entry a file, in their order.
    pub items: Vec<ImportedOc>,
}

/// What became of one file: a character, or an error.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ImportedOc {
    /// A draft of yours.
    Made {
        /// Name of the file.
        file: String,
        /// The character.
        id: OcId,
        /// Its name in addresses.
        slug: String,
        /// Its name here.
        name: String,
        /// What became of each part of the card.
        report: Report,
    },
    /// Nothing.
    Refused {
        /// Name of the file.
        file: String,
        /// Why, in a sentence.
        error: String,
    },
}

/// Makes characters of files.
///
/// Multipart, with a part `file` for each file (PNG, WebP, JPEG, CHARX, JSON or YAML, at most 32 MB) or `text` with pasted JSON; at
/// most 50 of them. Every file becomes a draft of yours or an entry with an `error`; one that is bad does not stop the others. When
/// all are, the answer is 422 with the same `items` beside the error of the first.
#[utoipa::path(
    post, path = "/api/ocs/import", tag = "Characters",
    responses(
        (status = 201, body = ImportedOcs, description = "At least one file became a character"),
        (status = 401, body = ErrorBody, description = "You are not signed in"),
        (status = 422, body = ErrorBody, description = "None did; the reasons stand in `items`"),
        (status = 429, body = ErrorBody, description = "Many characters in a short time")
    )
)]
pub async fn import_ocs(ctx: Ctx, form: Result<Multipart, axum::extract::multipart::MultipartRejection>) -> Response {
    match all(&ctx, form).await {
        Err(error) => ApiError(error).into_response(),
        Ok(done) => answer(done),
    }
}

fn answer(done: Vec<(String, AppResult<Imported>)>) -> Response {
    let first = done.iter().find_map(|(_, result)| result.as_ref().err().cloned());
    let is_any = done.iter().any(|(_, result)| result.is_ok());
    let items = done.into_iter().map(|(file, result)| match result {
        Ok(Imported { id, slug, name, report }) => ImportedOc::Made { file, id, slug, name, report },
        Err(error) => ImportedOc::Refused { file, error: error.to_string() },
    });
    let items: Vec<_> = items.collect();
    match first {
        Some(error) if !is_any => {
            let head = ApiError(error.clone()).into_response();
            let error = serde_json::json!({"code": "invalid", "message": error.to_string(), "field": "file"});
            let status = if head.status().is_server_error() || head.status() == StatusCode::TOO_MANY_REQUESTS {
                head.status()
            } else {
                StatusCode::UNPROCESSABLE_ENTITY
            };
            (status, Json(serde_json::json!({"error": error, "items": items}))).into_response()
        }
        _ => (StatusCode::CREATED, Json(ImportedOcs { items })).into_response(),
    }
}

/// Reads the parts of an upload one after the other and makes a character of each.
async fn all(
    ctx: &Ctx,
    form: Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> AppResult<Vec<(String, AppResult<Imported>)>> {
    let me = ctx.require_write()?.id;
    limits::take(&ctx.app, Action::Upload, &me.to_string()).await?;
    let unread = || AppError::invalid("file", "The upload was cut off, or is no upload of files. Please try again.");
    let mut form = form.map_err(|_| unread())?;
    let mut done: Vec<(String, AppResult<Imported>)> = Vec::new();
    loop {
        // What came before a cut is done and told.
        let field = match form.next_field().await {
            Ok(Some(field)) => field,
            Ok(None) => break,
            Err(_) if done.is_empty() => return Err(unread()),
            Err(_) => {
                done.push(("the rest".to_owned(), Err(unread())));
                break;
            }
        };
        let is_text = field.name() == Some("text");
        if field.name() != Some("file") && !is_text {
            continue;
        }
        let name = field.file_name().map_or_else(|| "Pasted text".to_owned(), shown_name);
        let Some(bytes) = bytes_of(field).await.map_err(|()| unread())? else {
            let large = AppError::TooLarge { message: "The file is too large: the limit is 32 MB.".to_owned() };
            done.push((name, Err(large)));
            continue;
        };
        // Browsers send an empty part where nothing was chosen.
        if bytes.iter().all(u8::is_ascii_whitespace) && (is_text || name.is_empty()) {
            continue;
        }
        let result = if done.len() < FILES_MAX {
            import::import(ctx, if is_text { "" } else { &name }, bytes).await
        } else {
            Err(AppError::invalid("file", format!("At most {FILES_MAX} files at once, please.")))
        };
        done.push((name, result));
        if done.len() > 2 * FILES_MAX {
            break;
        }
    }
    if done.is_empty() {
        Err(AppError::invalid("file", "Please choose a file first, or paste a card."))
    } else {
        Ok(done)
    }
}

/// The bytes of a part; `None` when they are too many, and they are read to their end then.
async fn bytes_of(mut field: axum::extract::multipart::Field<'_>) -> Result<Option<Bytes>, ()> {
    let mut bytes = Vec::new();
    let mut size = 0;
    while let Some(chunk) = field.chunk().await.map_err(drop)? {
        size += chunk.len();
        if size <= FILE_MAX {
            bytes.extend_from_slice(&chunk);
        }
    }
    Ok((size <= FILE_MAX).then(|| bytes.into()))
}

/// The name of a file as it is told again.
fn shown_name(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    crate::text::readable(name, None).replace('\n', " ").chars().take(120).collect()
}

/// The page's form. It leads back to the page, which shows what became of each file.
async fn import_form(ctx: Ctx, form: Result<Multipart, axum::extract::multipart::MultipartRejection>) -> Response {
    let done = match all(&ctx, form).await {
        Ok(done) => done,
        Err(AppError::SignInRequired) => return Redirect::to(&format!("/sign-up?next={PAGE}")).into_response(),
        Err(error) => return drafts::refused(&ctx, PAGE, &error).await,
    };
    let told: Vec<Told> = done.into_iter().map(|(file, result)| Told::new(file, result)).collect();
    let kept = serde_json::to_string(&told).map_err(|_| AppError::Internal);
    let kept = match kept {
        Ok(told) => drafts::keep_for(&ctx, PAGE, &drafts::Fields::from([("told".to_owned(), told)])).await,
        Err(error) => Err(error),
    };
    match kept {
        Ok(id) => Redirect::to(&format!("{PAGE}?__draft={id}#told")).into_response(),
        // The characters are there in any case.
        Err(_) => Redirect::to("/characters/mine").into_response(),
    }
}

/// The page, which the server draws alone; it is for people who are signed in.
async fn page(ctx: Ctx, State(state): State<AppState>, request: Request) -> Response {
    match ctx.require() {
        Ok(_) => router::plain_page(&state, request).await,
        Err(_) => Redirect::to(&format!("/sign-up?next={PAGE}")).into_response(),
    }
}

/// What to write.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    format: String,
}

/// Gives a character as a file that other programs read.
///
/// `png`: its picture with the card in it, as Character Card V2 and V3. `json`: V3. `json-v2`: V2. `charx`: an archive with card and
/// picture. What it was imported with and nobody here knows is in it; of a public character of somebody else it is what the API shows.
#[utoipa::path(
    get, path = "/api/ocs/{id}/export", tag = "Characters",
    params(
        ("id" = OcId, Path, description = "Id of the character"),
        ("format" = Option<String>, Query, description = "`png`, `json`, `json-v2` or `charx`; `png` if absent")
    ),
    responses(
        (status = 200, description = "The file", content_type = "image/png"),
        (status = 404, body = ErrorBody, description = "There is none, or it is somebody else's draft"),
        (status = 422, body = ErrorBody, description = "A format that is not known"),
        (status = 429, body = ErrorBody, description = "Many exports in a short time")
    )
)]
pub async fn export_oc(ctx: Ctx, Path(id): Path<String>, Query(wanted): Query<Wanted>) -> ApiResult<Response> {
    let id: OcId = id.parse().map_err(|_| AppError::NotFound)?;
    let file = export::export(&ctx, id, &wanted.format).await?;
    let head = [
        (header::CONTENT_TYPE, file.kind.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}\"", file.name)),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((head, file.bytes).into_response())
}
