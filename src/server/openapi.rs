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
use serde_json::{Map, Value};
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
    document.merge(crate::cards::routes::Api::openapi());
    document.merge(crate::models::routes::Api::openapi());
    document.merge(crate::ocs::summon::routes::Api::openapi());
    document.merge(crate::chat::routes::Api::openapi());
    document.merge(crate::chat::history::routes::Api::openapi());
    document.merge(crate::chat::notes::routes::Api::openapi());
    document.merge(crate::personas::routes::Api::openapi());
    document.merge(crate::chat::tree_routes::Api::openapi());
    flat(&document).unwrap_or(document)
});

/// The document with each `allOf` of objects as one object: readers and programs want to see the fields of a thing, not
/// which of our types they stand in. `None` when it could not be read again.
fn flat(document: &utoipa::openapi::OpenApi) -> Option<utoipa::openapi::OpenApi> {
    let mut value = serde_json::to_value(document).ok()?;
    let schemas = value.pointer("/components/schemas")?.as_object()?.clone();
    let whole = |schema: &Value| merged(schema, &schemas);
    for (name, schema) in &schemas {
        if let Some(slot) = value.pointer_mut("/components/schemas").and_then(|all| all.get_mut(name)) {
            *slot = whole(schema);
        }
    }
    serde_json::from_value(value).ok()
}

/// One object of all parts of an `allOf`, those that are named looked up.
fn merged(schema: &Value, all: &Map<String, Value>) -> Value {
    let Some(parts) = schema.get("allOf").and_then(Value::as_array) else { return schema.clone() };
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for part in parts {
        let named = part.get("$ref").and_then(Value::as_str).and_then(|name| name.rsplit('/').next());
        let part = merged(named.and_then(|name| all.get(name)).unwrap_or(part), all);
        properties.extend(part.get("properties").and_then(Value::as_object).cloned().unwrap_or_default());
        required.extend(part.get("required").and_then(Value::as_array).cloned().unwrap_or_default());
    }
    let mut whole = schema.as_object().cloned().unwrap_or_default();
    whole.remove("allOf");
    whole.insert("type".to_owned(), "object".into());
    whole.insert("properties".to_owned(), properties.into());
    if !required.is_empty() {
        whole.insert("required".to_owned(), required.into());
    }
    whole.into()
}

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

#[cfg(test)]
mod tests {
    use super::DOCUMENT;

    #[test]
    fn a_character_shows_all_its_fields_at_once() {
        let document = serde_json::to_value(&*DOCUMENT).unwrap();
        for (schema, fields) in [
            ("Oc", &["id", "name", "greeting", "pronoun", "version", "owner"][..]),
            ("OcInput", &["name", "greeting", "tags", "items", "is_public", "version"]),
            ("Summoned", &["id", "name", "greeting", "job_id", "post"]),
        ] {
            let properties = &document["components"]["schemas"][schema]["properties"];
            for field in fields {
                assert!(properties.get(field).is_some(), "{schema} has no {field}: {properties}");
            }
        }
        assert!(!document["components"]["schemas"].to_string().contains("allOf"));
    }
}
