//! The public JSON contract: errors as `{"error": {"code", "message", "field"}}`, pages as `{"items", "next"}`.

use crate::error::AppError;
use axum::{
    Json,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// An [`AppError`] on its way to a client of the API.
#[derive(Clone, Debug)]
pub struct ApiError(pub AppError);

impl From<AppError> for ApiError {
    fn from(error: AppError) -> Self {
        Self(error)
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        Self(error.into())
    }
}

/// Result of a JSON route.
pub type ApiResult<T> = Result<T, ApiError>;

/// Body of every error.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorDetail {
    /// Stable word for machines, for example `not_found`.
    pub code: &'static str,
    /// Sentence for people.
    pub message: String,
    /// The field of the request it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let field = Some(self.0.field().to_owned()).filter(|f| !f.is_empty());
        let detail = ErrorDetail { code: self.0.code(), message: self.0.to_string(), field };
        let mut response = (status, Json(ErrorBody { error: detail })).into_response();
        if let AppError::TooMany { retry_after, .. } = self.0 {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
        }
        if matches!(self.0, AppError::Unavailable { .. }) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(5));
        }
        response
    }
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// Give it as `after` to get the next page; absent on the last one.
    pub next: Option<String>,
}

/// The answer when the database is away: JSON for programs, a small page for people.
pub fn unavailable(headers: &HeaderMap, error: &AppError) -> Response {
    let html = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"));
    if !html {
        return ApiError(error.clone()).into_response();
    }
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let page = Html(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Back in a moment</title><h1>Back in a moment</h1>\
         <p>The database is busy or restarting. Nothing you sent before was lost. Please reload the page.</p>",
    );
    (status, [(header::RETRY_AFTER, "5")], page).into_response()
}
