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
        drafts,
        files::sweep::PLATES,
        images,
        limits::{self, Action},
        quota,
    },
};
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Multipart, Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Largest body of an upload that is read to its end, so that the refusal reaches the browser.
const UPLOAD_BODY: usize = 32 * 1024 * 1024;
/// Largest kept plate, pixels.
pub const PLATE: (u32, u32) = (800, 1000);

/// The routes of pictures and colours.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/portraits/preview.svg", get(preview_svg))
        .route("/portraits/{id}", get(plate))
        .route("/portraits/{id}/banner.png", get(banner))
        .route("/banner.png", get(site_banner))
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

/// How long and by whom an answer may be kept: for long where its address names the `current` version.
fn keeping(is_public: bool, versioned: &Versioned, current: &str) -> String {
    let who = if is_public { "public" } else { "private" };
    let rest = if versioned.v.as_deref() == Some(current) { "max-age=604800, immutable" } else { "no-cache" };
    format!("{who}, {rest}")
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains(tag))
}

/// A file that its address names with a version, or one to ask about again.
fn file(headers: &HeaderMap, kind: &'static str, body: Bytes, look: &Look, versioned: &Versioned) -> Response {
    let hash = Sha256::digest(&body);
    let tag: String = hash.iter().take(12).map(|b| format!("{b:02x}")).collect();
    let tag = format!("\"{tag}\"");
    // The drawing has a version of its own, colours have only the character's.
    let current = match kind {
        "text/css; charset=utf-8" => look.version.to_string(),
        _ => format!("{}-{}", look.version, super::DRAWING),
    };
    let known = is_known(headers, &tag);
    let head = [(header::ETAG, tag), (header::CACHE_CONTROL, keeping(look.is_public, versioned, &current))];
    if known {
        return (StatusCode::NOT_MODIFIED, head).into_response();
    }
    // A picture that is opened by itself may load and run nothing.
    let policy = (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
    (head, [(header::CONTENT_TYPE, kind), policy], body).into_response()
}

/// The uploaded plate of a character, if it has one and the file is there.
async fn upload_of(ctx: &Ctx, id: OcId, look: &Look) -> AppResult<Option<Bytes>> {
    let Some(key) = &look.avatar_key else { return Ok(None) };
    match ctx.app.files.get(&format!("{PLATES}/{key}")).await {
        Ok(bytes) => Ok(Some(bytes)),
        // A lost file is no reason for a page without a face: the drawn plate takes its place.
        Err(AppError::NotFound) => {
            tracing::warn!(%id, key, "an uploaded plate is missing");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The plate of a character as a PNG, for files that carry a character.
///
/// # Errors
/// `NotFound`, also for somebody else's draft.
pub async fn png(ctx: &Ctx, id: OcId) -> AppResult<Bytes> {
    let (id, look) = look(ctx, &id.to_string()).await?;
    match upload_of(ctx, id, &look).await? {
        Some(bytes) => images::as_png(bytes).await,
        None => ctx.app.banners.plate(id, look).await,
    }
}

async fn plate(
    ctx: Ctx,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(versioned): Query<Versioned>,
) -> ApiResult<Response> {
    let (id, look) = look(&ctx, id.trim_end_matches(".svg")).await?;
    if let Some(bytes) = upload_of(&ctx, id, &look).await? {
        let kind = images::content_type(look.avatar_key.as_deref().unwrap_or_default());
        return Ok(file(&headers, kind, bytes, &look, &versioned));
    }
    let svg = portrait::svg(&id.to_string(), &look.name, &look.style, &Traits::from_words(&look.appearance));
    Ok(file(&headers, "image/svg+xml", svg.into(), &look, &versioned))
}

/// The picture beside links to a character on other sites. Whoever may see the character's page may see it.
async fn banner(
    ctx: Ctx,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(versioned): Query<Versioned>,
) -> ApiResult<Response> {
    let (id, look) = look(&ctx, &id).await?;
    let current = super::banner_version(look.version);
    let head = banner_head(look.is_public, &versioned, &current);
    if is_known(&headers, &format!("\"{current}\"")) {
        return Ok((StatusCode::NOT_MODIFIED, head).into_response());
    }
    let upload = upload_of(&ctx, id, &look).await?;
    let png = ctx.app.banners.of(id, &look, upload).await?;
    Ok((head, [(header::CONTENT_TYPE, "image/png")], png).into_response())
}

/// The picture beside links to pages that have none of their own.
async fn site_banner(
    State(app): State<AppState>,
    headers: HeaderMap,
    Query(versioned): Query<Versioned>,
) -> ApiResult<Response> {
    let current = super::banner_version(0);
    let head = banner_head(true, &versioned, &current);
    if is_known(&headers, &format!("\"{current}\"")) {
        return Ok((StatusCode::NOT_MODIFIED, head).into_response());
    }
    let png = app.banners.of_site().await?;
    Ok((head, [(header::CONTENT_TYPE, "image/png")], png).into_response())
}

/// What is said about a banner before it is drawn, so that nobody waits for one that he has. Other sites may show it.
fn banner_head(is_public: bool, versioned: &Versioned, current: &str) -> [(header::HeaderName, String); 3] {
    let readers = if is_public { "cross-origin" } else { "same-origin" };
    [
        // Weak: an upgrade may write the same picture in other bytes.
        (header::ETAG, format!("W/\"{current}\"")),
        (header::CACHE_CONTROL, keeping(is_public, versioned, current)),
        (header::HeaderName::from_static("cross-origin-resource-policy"), readers.to_owned()),
    ]
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
        Err(error) => drafts::refused(&ctx, &format!("/c/{slug}/edit#plate"), &error).await,
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
    let mut tx = ctx.begin().await?;
    let file = format!("{PLATES}/{key}");
    quota::keep_file(&mut tx, &ctx.app.files, viewer.id, "plate", &file, picture.bytes).await?;
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

/// Removes the files of plates that nothing refers to any more.
pub async fn forget(app: &AppState, keys: Vec<String>) {
    for key in keys {
        app.files.delete(&format!("{PLATES}/{key}")).await;
    }
}
