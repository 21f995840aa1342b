//! Characters in the public JSON API.

use super::{GalleryQuery, ItemForm, Oc, OcKind, Sheet, page_url, plates, store, style::VisualStyle};
use crate::{
    error::{AppError, AppResult},
    ids::OcId,
    server::{
        AppState, Ctx,
        api::{ApiResult, ErrorBody, JsonBody, Page},
        limits::{self, Action},
    },
};
use axum::{
    Json, Router,
    extract::{Path, Query},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, OpenApi, ToSchema};

/// The room's part of the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(list_ocs, get_oc, create_oc, change_oc, delete_oc), components(schemas(ErrorBody, Sheet)))]
pub struct Api;

/// The room's routes.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/ocs", get(list_ocs).post(create_oc))
        .route("/api/ocs/{id}", get(get_oc).patch(change_oc).delete(delete_oc))
        .merge(plates::routes())
}

/// A character in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OcSummary {
    /// Its id.
    pub id: OcId,
    /// Its name, unique here.
    pub name: String,
    /// Its name in addresses.
    pub slug: String,
    /// Address of its page.
    pub url: String,
    /// What it is, in two or three words.
    pub title: String,
    /// What it is to people here.
    pub kind: OcKind,
    /// Something it would say.
    pub line: String,
    /// Mood of its style.
    pub mood: String,
    /// Address of its plate.
    pub portrait_url: String,
    /// Username of its owner; empty if it belongs to the house.
    pub owner: String,
    /// Seen by everybody.
    pub is_public: bool,
}

/// Which characters to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListOcs {
    /// Words to look for in names, titles, descriptions and personalities.
    q: String,
    /// `oc`, `luminor` or `companion`.
    kind: String,
    /// A mood, for example `calm`.
    mood: String,
    /// Username of the owner; with your own, your drafts are among them.
    owner: String,
    /// `newest`, `popular` or `name`.
    sort: String,
    /// `next` of the page before.
    after: String,
    /// At most this many, 1 to 100; 24 if absent.
    limit: Option<u32>,
}

/// Lists characters.
#[utoipa::path(
    get, path = "/api/ocs", tag = "Characters", params(ListOcs),
    responses(
        (status = 200, body = Page<OcSummary>, description = "A page of characters"),
        (status = 422, body = ErrorBody, description = "A filter that is not known")
    )
)]
pub async fn list_ocs(ctx: Ctx, Query(list): Query<ListOcs>) -> ApiResult<Json<Page<OcSummary>>> {
    let limit = list.limit.unwrap_or(store::PAGE);
    if !(1..=100).contains(&limit) {
        return Err(AppError::invalid("limit", "A page has 1 to 100 characters.").into());
    }
    let ListOcs { q, kind, mood, owner, sort, after, .. } = list;
    let query = GalleryQuery { q, kind, mood, owner, sort, after };
    let viewer = ctx.info.viewer.as_ref().map(|v| (v.id, v.username.as_str()));
    let mut tx = ctx.begin().await?;
    let page = store::gallery(&mut tx, viewer, &query, limit).await?;
    let origin = ctx.app.config.origin();
    let items = page.cards.into_iter().map(|c| OcSummary {
        url: format!("{origin}{}", page_url(&c.slug)),
        portrait_url: format!("{origin}{}", c.portrait_url),
        id: c.id,
        name: c.name,
        slug: c.slug,
        title: c.title,
        kind: c.kind,
        line: c.line,
        mood: c.mood,
        owner: c.owner,
        is_public: c.is_public,
    });
    Ok(Json(Page { items: items.collect(), next: page.next }))
}

fn id_of(text: &str) -> AppResult<OcId> {
    text.parse().map_err(|_| AppError::NotFound)
}

/// The whole character as the API gives it.
///
/// # Errors
/// `NotFound`, also for somebody else's draft.
pub async fn whole(ctx: &Ctx, id: OcId) -> AppResult<Oc> {
    let mut tx = ctx.begin().await?;
    let mut oc = store::find(&mut tx, id).await?;
    let origin = ctx.app.config.origin();
    oc.url = format!("{origin}{}", oc.url);
    oc.portrait_url = format!("{origin}{}", oc.portrait_url);
    Ok(oc)
}

/// Gives a whole character, with what it carries and how it looks.
#[utoipa::path(
    get, path = "/api/ocs/{id}", tag = "Characters", params(("id" = OcId, Path, description = "Id of the character")),
    responses(
        (status = 200, body = Oc, description = "The character"),
        (status = 404, body = ErrorBody, description = "There is none, or it is somebody else's draft")
    )
)]
pub async fn get_oc(ctx: Ctx, Path(id): Path<String>) -> ApiResult<Json<Oc>> {
    Ok(Json(whole(&ctx, id_of(&id)?).await?))
}

/// A character to make, or the fields of one to change. What is absent stays as it is.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct OcInput {
    /// Fields of the sheet.
    #[serde(flatten)]
    #[schema(value_type = Sheet)]
    fields: Map<String, Value>,
    /// When making one: what it carries, at most 12 things.
    items: Option<Vec<ItemInput>>,
    /// Seen by everybody. Drafts are their owner's alone.
    is_public: Option<bool>,
    /// When changing one: the version that was read. If another was saved since, the answer is 409.
    version: Option<i32>,
}

/// A thing to carry.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ItemInput {
    /// 1 to 80 characters.
    name: String,
    /// What it looks like.
    description: String,
    /// How carrying it changes its carrier.
    personality_effects: String,
    /// `common`, `rare`, `epic` or `legendary`.
    rarity: String,
}

/// Makes a character, as a draft unless `is_public` is true.
#[utoipa::path(
    post, path = "/api/ocs", tag = "Characters", request_body = OcInput,
    responses(
        (status = 201, body = Oc, description = "The character; its address is in `location`"),
        (status = 409, body = ErrorBody, description = "The name is taken; the message offers another"),
        (status = 422, body = ErrorBody, description = "A field does not hold what it must")
    )
)]
pub async fn create_oc(ctx: Ctx, JsonBody(input): JsonBody<OcInput>) -> ApiResult<Response> {
    let viewer = ctx.require_write()?;
    limits::take(&ctx.app, Action::EditOc, &viewer.id.to_string()).await?;
    let seed = input.fields.get("name").and_then(Value::as_str).unwrap_or_default();
    let mut sheet = Sheet { visual_style: VisualStyle::suggest(seed), ..Sheet::default() };
    sheet.merge(input.fields)?;
    let sheet = sheet.check()?;
    let mut tx = ctx.begin().await?;
    let made = store::create(&mut tx, viewer.id, &sheet).await?;
    for item in input.items.unwrap_or_default() {
        let ItemInput { name, description, personality_effects, rarity } = item;
        let item = ItemForm { name, description, effects: personality_effects, rarity };
        store::add_item(&mut tx, viewer.id, made.id, &item).await?;
    }
    if input.is_public == Some(true) {
        store::publish(&mut tx, made.id).await?;
    }
    tx.commit().await?;
    let oc = whole(&ctx, made.id).await?;
    Ok((StatusCode::CREATED, [(header::LOCATION, format!("/api/ocs/{}", oc.id))], Json(oc)).into_response())
}

/// Changes the given fields of a character.
#[utoipa::path(
    patch, path = "/api/ocs/{id}", tag = "Characters", params(("id" = OcId, Path, description = "Id of the character")),
    request_body = OcInput,
    responses(
        (status = 200, body = Oc, description = "The character as it is now"),
        (status = 404, body = ErrorBody, description = "There is none, or it is not yours"),
        (status = 409, body = ErrorBody, description = "The name is taken, or another version was saved since"),
        (status = 422, body = ErrorBody, description = "A field does not hold what it must")
    )
)]
pub async fn change_oc(ctx: Ctx, Path(id): Path<String>, JsonBody(input): JsonBody<OcInput>) -> ApiResult<Json<Oc>> {
    let viewer = ctx.require_write()?;
    let id = id_of(&id)?;
    if input.items.is_some() {
        return Err(AppError::invalid("items", "What a character carries is changed on its page.").into());
    }
    limits::take(&ctx.app, Action::EditOc, &viewer.id.to_string()).await?;
    let mut tx = ctx.begin().await?;
    let oc = store::find(&mut tx, id).await?;
    let mut sheet = oc.sheet.clone();
    sheet.merge(input.fields)?;
    // Showing and hiding alone makes no new version.
    if sheet != oc.sheet || input.version.is_some_and(|v| v != oc.version) || input.is_public.is_none() {
        let read = input.version.unwrap_or(oc.version);
        store::update(&mut tx, viewer.id, id, &sheet, Some(read)).await?;
    }
    match input.is_public {
        Some(true) => drop(store::publish(&mut tx, id).await?),
        Some(false) => drop(store::unpublish(&mut tx, id).await?),
        None => {}
    }
    tx.commit().await?;
    Ok(Json(whole(&ctx, id).await?))
}

/// Deletes a character with its posts, its memories and its owner's conversations. In those of others, what was said stays.
#[utoipa::path(
    delete, path = "/api/ocs/{id}", tag = "Characters", params(("id" = OcId, Path, description = "Id of the character")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, body = ErrorBody, description = "There is none, or it is not yours")
    )
)]
pub async fn delete_oc(ctx: Ctx, Path(id): Path<String>) -> ApiResult<StatusCode> {
    ctx.require_write()?;
    let id = id_of(&id)?;
    let mut tx = ctx.begin().await?;
    let plates = store::delete(&mut tx, id).await?;
    tx.commit().await?;
    plates::forget(&ctx.app, plates).await;
    crate::server::erased::write_down(&ctx.app);
    Ok(StatusCode::NO_CONTENT)
}
