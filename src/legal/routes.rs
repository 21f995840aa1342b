//! Addresses of the pages; the server draws them alone.

use super::Page;
use crate::server::AppState;
use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::get,
};

/// The room's routes.
pub fn routes() -> Router<AppState> {
    let mut router = Router::new().route("/admin/pages", get(page)).route("/admin/pages/{name}", get(page));
    for one in Page::ALL {
        router = router.route(&one.path(), get(page));
    }
    router
}

async fn page(State(state): State<AppState>, request: Request) -> Response {
    crate::server::router::plain_page(&state, request).await
}
