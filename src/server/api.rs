//! The public JSON contract: errors as `{"error": {"code", "message", "field"}}`, pages as `{"items", "next"}`.

use crate::error::AppError;
use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, Request, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};
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
        if let Some(seconds) = self.0.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A JSON body. What cannot be read is refused in our own words: 413 when it is too large, 422 with the field otherwise.
#[derive(Clone, Copy, Debug)]
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let is_json = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).is_some_and(|t| {
            let mime = t.split(';').next().unwrap_or_default().trim();
            mime.eq_ignore_ascii_case("application/json") || mime.to_ascii_lowercase().ends_with("+json")
        });
        if !is_json {
            return Err(
                AppError::invalid("", "Please send the body as JSON, with `content-type: application/json`.").into()
            );
        }
        let bytes = Bytes::from_request(request, state).await.map_err(unread)?;
        parse_json(&bytes).map(Self).map_err(ApiError)
    }
}

fn unread(rejection: BytesRejection) -> ApiError {
    ApiError(if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        AppError::TooLarge { message: "The body is too large: the limit is 1 MB.".into() }
    } else {
        AppError::invalid("", "The body could not be read to its end.")
    })
}

/// Reads JSON; serde's messages name the field in backticks, and so does the answer.
fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, AppError> {
    let bytes = if bytes.is_empty() { b"{}".as_slice() } else { bytes };
    serde_json::from_slice(bytes).map_err(|error| {
        let text = without_values(&error.to_string());
        let field = text
            .split_once("missing field `")
            .and_then(|(_, rest)| rest.split_once('`'))
            .map(|(name, _)| name.to_owned());
        match field {
            Some(field) => {
                let message = format!("`{field}` is missing.");
                AppError::Invalid { field, message }
            }
            None if error.is_data() => AppError::invalid("", format!("The body does not fit: {text}.")),
            None => AppError::invalid("", format!("The body is not JSON: {text}.")),
        }
    })
}

/// What serde says of a body, without the texts that it repeats: one of them may be a password in the wrong place.
fn without_values(text: &str) -> String {
    for (begin, end, instead) in
        [("string \"", "\", expected", "a string, expected"), ("variant `", "`, expected", "variant, expected")]
    {
        // A text may hold such marks of its own; what was expected comes last.
        let parts = text.split_once(begin).and_then(|(before, rest)| Some((before, rest.rsplit_once(end)?.1)));
        if let Some((before, after)) = parts {
            return format!("{before}{instead}{after}");
        }
    }
    text.to_owned()
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// Give it as `after` to get the next page; absent on the last one.
    pub next: Option<String>,
}

/// The answer when there is no page: JSON for programs, a small page for people.
pub fn unavailable(headers: &HeaderMap, error: &AppError) -> Response {
    let html = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"));
    if !html {
        return ApiError(error.clone()).into_response();
    }
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let title = match error {
        AppError::Unavailable { .. } => "Back in a moment",
        _ => "Something went wrong",
    };
    let said = crate::ui::escape(&error.to_string());
    let page = Html(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{title}</title><h1>{title}</h1>\
         <p>{said}</p><p>Nothing you sent before was lost. <a href=\"\">Reload the page</a></p>",
    ));
    (status, [(header::RETRY_AFTER, "5")], page).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_not_repeated() {
        for (said, told) in [
            (
                "invalid type: string \"a \\\"secret\\\", expected\", expected struct New at line 1 column 9",
                "invalid type: a string, expected struct New at line 1 column 9",
            ),
            ("unknown variant `secret`, expected `read` or `write`", "unknown variant, expected `read` or `write`"),
            ("missing field `name` at line 1 column 2", "missing field `name` at line 1 column 2"),
        ] {
            assert_eq!(without_values(said), told);
        }
    }
}
