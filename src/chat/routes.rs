//! Plain routes of the chat room.

use crate::server::AppState;
use axum::Router;

/// The room's routes.
pub fn routes() -> Router<AppState> {
    Router::new()
}
