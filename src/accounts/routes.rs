//! Plain routes of the accounts room: JSON API, avatars, uploads.

use crate::server::AppState;
use axum::Router;

/// The room's routes.
pub fn routes() -> Router<AppState> {
    Router::new()
}
