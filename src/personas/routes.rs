//! Plain routes of the personas room: the public JSON contract.

use super::{PersonaForm, UserPersona, store};
use crate::{
    error::AppError,
    ids::PersonaId,
    server::{
        AppState, Ctx,
        api::{ApiResult, ErrorBody, JsonBody, Page},
    },
};
use axum::{
    Json, Router,
    extract::Path,
    http::StatusCode,
    routing::{get, put},
};
use utoipa::OpenApi;

/// The room's part of the public contract.
#[derive(OpenApi)]
#[openapi(
    paths(list_personas, add_persona, change_persona, delete_persona),
    components(schemas(UserPersona, PersonaForm)),
    tags((name = "personas", description = "Who you are to characters"))
)]
pub struct Api;

/// The room's routes.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/personas", get(list_personas).post(add_persona))
        .route("/api/personas/{id}", put(change_persona).delete(delete_persona))
}

fn id(text: &str) -> ApiResult<PersonaId> {
    text.parse().map_err(|_| AppError::NotFound.into())
}

/// Your personas, the default first. There are at most 50, so they come as one page.
#[utoipa::path(
    get, path = "/api/personas", tag = "personas",
    responses((status = 200, body = Page<UserPersona>), (status = 401, body = ErrorBody))
)]
pub async fn list_personas(ctx: Ctx) -> ApiResult<Json<Page<UserPersona>>> {
    let me = ctx.require()?.id;
    let mut tx = ctx.begin().await?;
    Ok(Json(Page { items: store::list(&mut tx, me).await?, next: None }))
}

/// Make a persona. As default it takes the place of the one before.
#[utoipa::path(
    post, path = "/api/personas", tag = "personas", request_body = PersonaForm,
    responses(
        (status = 201, body = UserPersona), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, description = "There are 50 already", body = ErrorBody), (status = 422, body = ErrorBody)
    )
)]
pub async fn add_persona(
    ctx: Ctx,
    JsonBody(form): JsonBody<PersonaForm>,
) -> ApiResult<(StatusCode, Json<UserPersona>)> {
    ctx.require_write()?;
    Ok((StatusCode::CREATED, Json(store::save(&ctx, None, &form.check()?).await?)))
}

/// Change a persona. Fields that are absent are emptied.
#[utoipa::path(
    put, path = "/api/personas/{id}", tag = "personas", request_body = PersonaForm,
    params(("id" = Uuid, Path, description = "The persona")),
    responses(
        (status = 200, body = UserPersona), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)
    )
)]
pub async fn change_persona(
    ctx: Ctx,
    Path(persona): Path<String>,
    JsonBody(form): JsonBody<PersonaForm>,
) -> ApiResult<Json<UserPersona>> {
    ctx.require_write()?;
    Ok(Json(store::save(&ctx, Some(id(&persona)?), &form.check()?).await?))
}

/// Delete a persona. Conversations that chose it go on with the default.
#[utoipa::path(
    delete, path = "/api/personas/{id}", tag = "personas",
    params(("id" = Uuid, Path, description = "The persona")),
    responses((status = 204, description = "It is gone"), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub async fn delete_persona(ctx: Ctx, Path(persona): Path<String>) -> ApiResult<StatusCode> {
    store::delete(&ctx, id(&persona)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
