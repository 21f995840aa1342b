//! The room's pages, which the server draws alone.

use crate::server::AppState;
use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::get,
};

/// The room's routes.
pub fn routes() -> Router<AppState> {
    Router::new().route("/admin/jobs", get(page))
}

async fn page(State(state): State<AppState>, request: Request) -> Response {
    crate::server::router::plain_page(&state, request).await
}
