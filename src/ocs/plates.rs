//! Plates and colours of characters as files: drawn or uploaded pictures, stylesheets, previews of both.

use super::{
    portrait::{self, Traits},
    store::{self, Look},
    style::VisualStyle,
    theme_class,
};
use crate::{
    error::{AppError, AppResult},
    ids::OcId,
    server::{
        AppState, Ctx,
        api::{ApiError, ApiResult},
        images,
        limits::{self, Action},
    },
};
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Multipart, Path, Query},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Largest body of an upload that is read to its end, so that the refusal reaches the browser.
const UPLOAD_BODY: usize = 32 * 1024 * 1024;
/// Largest kept plate, pixels.
const PLATE: (u32, u32) = (800, 1000);
/// Folder of uploaded plates in the file store.
const PLATES: &str = "plates";

/// The routes of pictures and colours.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/portraits/preview.svg", get(preview_svg))
        .route("/portraits/{id}", get(plate))
        .route("/themes/preview.css", get(preview_css))
        .route("/themes/{file}", get(theme))
        .route("/c/{slug}/avatar", post(upload).layer(DefaultBodyLimit::max(UPLOAD_BODY)))
}

/// Version in an address: with it, the answer never changes. `as=shell` asks for the colours of the whole page.
#[derive(Deserialize)]
struct Versioned {
    v: Option<String>,
    r#as: Option<String>,
}

async fn look(ctx: &Ctx, id: &str) -> AppResult<(OcId, Look)> {
    let id: OcId = id.parse().map_err(|_| AppError::NotFound)?;
    let mut tx = ctx.begin().await?;
    Ok((id, store::look(&mut tx, id).await?))
}

/// A file that its address names with a version, or one to ask about again.
fn file(headers: &HeaderMap, kind: &'static str, body: Bytes, look: &Look, versioned: &Versioned) -> Response {
    let hash = Sha256::digest(&body);
    let tag: String = hash.iter().take(12).map(|b| format!("{b:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let who = if look.is_public { "public" } else { "private" };
    // The drawing has a version of its own, colours have only the character's.
    let current = match kind {
        "text/css; charset=utf-8" => look.version.to_string(),
        _ => format!("{}-{}", look.version, super::DRAWING),
    };
    let cache = if versioned.v.as_ref() == Some(&current) {
        format!("{who}, max-age=604800, immutable")
    } else {
        format!("{who}, no-cache")
    };
    let known = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains(&tag));
    let head = [(header::ETAG, tag), (header::CACHE_CONTROL, cache)];
    if known {
        return (StatusCode::NOT_MODIFIED, head).into_response();
    }
    // A picture that is opened by itself may load and run nothing.
    let policy = (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
    (head, [(header::CONTENT_TYPE, kind), policy], body).into_response()
}

async fn plate(
    ctx: Ctx,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(versioned): Query<Versioned>,
) -> ApiResult<Response> {
    let (id, look) = look(&ctx, id.trim_end_matches(".svg")).await?;
    if let Some(key) = &look.avatar_key {
        let kind = images::content_type(key);
        match ctx.app.files.get(&format!("{PLATES}/{key}")).await {
            Ok(bytes) => return Ok(file(&headers, kind, bytes, &look, &versioned)),
            // A lost file is no reason for a page without a face: the drawn plate takes its place.
            Err(AppError::NotFound) => tracing::warn!(%id, key, "an uploaded plate is missing"),
            Err(error) => return Err(error.into()),
        }
    }
    let svg = portrait::svg(&id.to_string(), &look.name, &look.style, &Traits::from_words(&look.appearance));
    Ok(file(&headers, "image/svg+xml", svg.into(), &look, &versioned))
}

async fn theme(
    ctx: Ctx,
    headers: HeaderMap,
    Path(name): Path<String>,
    Query(versioned): Query<Versioned>,
) -> ApiResult<Response> {
    let id = name.strip_suffix(".css").ok_or(AppError::NotFound)?;
    let (id, look) = look(&ctx, id).await?;
    let scope =
        if versioned.r#as.as_deref() == Some("shell") { String::new() } else { format!(".{}", theme_class(id)) };
    let css = look.style.css(&scope);
    Ok(file(&headers, "text/css; charset=utf-8", css.into(), &look, &versioned))
}

/// What a form holds while it is typed.
#[derive(Deserialize)]
#[serde(default)]
struct Preview {
    name: String,
    seed: String,
    background: String,
    primary: String,
    accent: String,
    mood: String,
    atmosphere: String,
    tags: String,
}

impl Default for Preview {
    fn default() -> Self {
        let style = VisualStyle::default();
        Self {
            name: String::new(),
            seed: String::new(),
            background: style.background.to_string(),
            primary: style.primary_color.to_string(),
            accent: style.accent_color.to_string(),
            mood: style.mood.to_string(),
            atmosphere: style.atmosphere.to_string(),
            tags: String::new(),
        }
    }
}

impl Preview {
    /// What is not a colour yet keeps the default until it is.
    fn style(&self) -> VisualStyle {
        let typed = serde_json::json!({
            "background": self.background, "primaryColor": self.primary, "accentColor": self.accent,
            "mood": self.mood, "atmosphere": self.atmosphere,
        });
        VisualStyle::from_json_lenient(&typed).0
    }
}

const PREVIEW_CACHE: (header::HeaderName, &str) = (header::CACHE_CONTROL, "private, max-age=600");

async fn preview_svg(Query(preview): Query<Preview>) -> Response {
    let name: String = preview.name.chars().take(80).collect();
    let seed = if preview.seed.is_empty() { &name } else { &preview.seed };
    let svg = portrait::svg(seed, &name, &preview.style(), &Traits::from_words(&preview.tags));
    ([(header::CONTENT_TYPE, "image/svg+xml"), PREVIEW_CACHE], svg).into_response()
}

async fn preview_css(Query(preview): Query<Preview>) -> Response {
    let css = preview.style().css(".oc-preview");
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), PREVIEW_CACHE], css).into_response()
}

/// Takes a plate. A browser's form is led back to the edit page, with a word about how it went; a program gets JSON.
async fn upload(ctx: Ctx, Path(slug): Path<String>, headers: HeaderMap, form: Multipart) -> Response {
    let result = keep_upload(&ctx, &slug, form).await;
    let html = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"));
    let slug: String = slug.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    match result {
        Err(error) if !html => ApiError(error).into_response(),
        Ok(()) if !html => StatusCode::NO_CONTENT.into_response(),
        Err(AppError::SignInRequired) => Redirect::to(&format!("/sign-in?next=/c/{slug}/edit")).into_response(),
        Err(error) => {
            let mut location = url::form_urlencoded::Serializer::new(format!("/c/{slug}/edit?"));
            location.append_pair("refused", &error.to_string());
            let mut response = Redirect::to("/characters").into_response();
            if let Ok(value) = HeaderValue::try_from(location.finish() + "#plate") {
                response.headers_mut().insert(header::LOCATION, value);
            }
            response
        }
        Ok(()) => Redirect::to(&format!("/c/{slug}/edit?saved=plate#plate")).into_response(),
    }
}

async fn keep_upload(ctx: &Ctx, slug: &str, form: Multipart) -> AppResult<()> {
    let viewer = ctx.require_write()?;
    let id = {
        let mut tx = ctx.begin().await?;
        store::editable(&mut tx, slug).await?.id
    };
    let bytes = read(form).await?;
    limits::take(&ctx.app, Action::Upload, &viewer.id.to_string()).await?;
    let picture = images::plate(bytes, PLATE.0, PLATE.1).await?;
    let key = format!("{}.{}", uuid::Uuid::new_v4().simple(), picture.extension);
    ctx.app.files.put(&format!("{PLATES}/{key}"), picture.bytes).await?;
    let mut tx = ctx.begin().await?;
    // The plate before stays in the store: an earlier version may be brought back.
    store::set_avatar(&mut tx, viewer.id, id, Some(&key)).await?;
    tx.commit().await
}

async fn read(mut form: Multipart) -> AppResult<Bytes> {
    let unread = |_| AppError::invalid("file", "The upload was cut off. Please try again.");
    let mut bytes = Vec::new();
    let mut size = 0;
    while let Some(mut field) = form.next_field().await.map_err(unread)? {
        if field.name() != Some("file") {
            continue;
        }
        while let Some(chunk) = field.chunk().await.map_err(unread)? {
            size += chunk.len();
            // What is too much is read, but not kept.
            if size <= images::UPLOAD_LIMIT {
                bytes.extend_from_slice(&chunk);
            }
        }
    }
    if size > images::UPLOAD_LIMIT {
        return Err(images::too_large());
    }
    if bytes.is_empty() {
        return Err(AppError::invalid("file", "Please choose a picture first."));
    }
    Ok(bytes.into())
}

/// Removes the file of a plate that nothing refers to any more.
pub async fn forget(app: &AppState, key: Option<String>) {
    if let Some(key) = key {
        app.files.delete(&format!("{PLATES}/{key}")).await;
    }
}
