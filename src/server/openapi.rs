//! The public contract as a document, put together from the rooms' own descriptions.

use super::{
    AppState,
    api::{ApiError, ErrorBody},
};
use crate::error::AppError;
use axum::{
    Json, Router,
    extract::State,
    routing::{any, get},
};
use std::sync::LazyLock;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Server,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};

/// What holds for all rooms.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "SoulForge",
        description = "Characters that live here, for your own programs. Send a personal API token as \
            `Authorization: Bearer sf_...`; make one under Settings, API tokens, or with `POST /api/tokens` while signed in. \
            Errors are `{\"error\": {\"code\", \"message\", \"field\"}}`; lists are `{\"items\", \"next\"}`, and `next` \
            goes into the next request as `after`."
    ),
    components(schemas(ErrorBody)),
    modifiers(&Security),
    security(("token" = []), ("session" = [])),
    tags(
        (name = "Accounts", description = "Joining, signing in and out, and who one is"),
        (name = "Tokens", description = "Personal API tokens")
    )
)]
struct Base;

/// How a request says who asks.
struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        let cookie = ApiKey::Cookie(ApiKeyValue::with_description("sf", "Set by signing in; `__Host-sf` over https"));
        components.add_security_scheme("session", SecurityScheme::ApiKey(cookie));
    }
}

/// The whole document.
pub static DOCUMENT: LazyLock<utoipa::openapi::OpenApi> = LazyLock::new(|| {
    let mut document = Base::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document.merge(crate::accounts::routes::Api::openapi());
    document.merge(crate::ocs::routes::Api::openapi());
    document.merge(crate::models::routes::Api::openapi());
    document.merge(crate::ocs::summon::routes::Api::openapi());
    document.merge(crate::chat::routes::Api::openapi());
    document.merge(crate::chat::history::routes::Api::openapi());
    document.merge(crate::chat::notes::routes::Api::openapi());
    document.merge(crate::personas::routes::Api::openapi());
    document.merge(crate::chat::tree_routes::Api::openapi());
    document
});

/// The document, and a JSON answer for every path of the API that does not exist.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/openapi.json", get(openapi))
        .route("/api", any(no_such_path))
        .route("/api/{*rest}", any(no_such_path))
}

async fn openapi(State(app): State<AppState>) -> Json<utoipa::openapi::OpenApi> {
    let mut document = DOCUMENT.clone();
    document.servers = Some(vec![Server::new(app.config.origin())]);
    Json(document)
}

async fn no_such_path() -> ApiError {
    ApiError(AppError::NotFound)
}
