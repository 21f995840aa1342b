//! What stands before every handler: same-origin check, security headers, limits of bodies, one shape of errors.

use super::{
    AppState,
    api::{ApiError, ErrorBody, ErrorDetail},
    hosts,
};
use crate::error::AppError;
use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::convert::Infallible;
use tower::{Layer, ServiceExt};
use tower_http::compression::CompressionLayer;

/// Largest body of a form or a JSON request, bytes. Uploads have their own limit.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// Longest path of an address, bytes. Ours are far shorter, and a file system has a limit of its own.
const PATH_MAX: usize = 2000;

/// The policy of a page, with the nonce that its own scripts carry, and whether somebody wants to hear what it has stopped.
#[must_use]
pub fn page_policy(nonce: &str, is_reported: bool) -> String {
    let report = if is_reported { "; report-to csp" } else { "" };
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; style-src 'self' 'nonce-{nonce}'; \
         img-src 'self' blob:; font-src 'self'; connect-src 'self'; media-src 'self'; manifest-src 'self'; form-action 'self'; \
         base-uri 'none'; object-src 'none'; frame-ancestors 'none'{report}"
    )
}

/// Middleware: security headers on every response, errors and files included.
pub async fn headers(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let is_file = request.uri().path().starts_with("/pkg/") || request.uri().path().starts_with("/fonts/");
    // The same address for every version, asked for by every page, some of them several times at once.
    let is_shared = matches!(
        request.uri().path(),
        "/icons.svg" | "/favicon.svg" | "/site.webmanifest" | "/door.js" | "/try.js" | "/words.txt"
    );
    // No address of ours is like this, and the file system says so with an error.
    let is_long = request.uri().path().len() > PATH_MAX;
    let is_absurd =
        is_long || request.uri().path().split('/').any(|part| part.contains("%00") || decoded_length(part) > 255);
    let mut response = if is_long {
        let mut response = ApiError(AppError::NotFound).into_response();
        *response.status_mut() = StatusCode::URI_TOO_LONG;
        response
    } else if is_absurd {
        ApiError(AppError::NotFound).into_response()
    } else {
        next.run(request).await
    };
    let out = response.headers_mut();
    let set = |out: &mut HeaderMap, name: HeaderName, value: &'static str| {
        if !out.contains_key(&name) {
            out.insert(name, HeaderValue::from_static(value));
        }
    };
    set(out, header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; sandbox");
    set(out, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(out, header::REFERRER_POLICY, "strict-origin-when-cross-origin");
    set(out, HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(out, HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(
        out,
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    );
    if let Some(to) = &app.config.csp_report
        && let Ok(value) = HeaderValue::try_from(format!("csp=\"{to}\""))
    {
        out.insert(HeaderName::from_static("reporting-endpoints"), value);
    }
    if app.config.secure() {
        set(out, header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains");
    }
    if is_file && response.status().is_success() {
        // Names under these two folders carry a hash of their content or never change.
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    } else if is_shared && response.status().is_success() {
        set(response.headers_mut(), header::CACHE_CONTROL, "public, max-age=600");
    } else {
        set(response.headers_mut(), header::CACHE_CONTROL, "no-store");
    }
    response
}

/// Bytes of a part of a path once its `%..` are read.
fn decoded_length(part: &str) -> usize {
    part.len().saturating_sub(2 * part.matches('%').count())
}

/// Middleware: a request that changes something must come from our own pages, or carry a bearer token.
///
/// Leptos has no such check by design. `Sec-Fetch-Site` is set by the browser and cannot be forged by a page; older
/// browsers send `Origin`. A request with neither does not come from a browser's page; it is let through only when it
/// carries no cookie either, since without one it has nobody's rights.
pub async fn same_origin(State(app): State<AppState>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return next.run(request).await;
    }
    if is_own(&app, request.uri(), request.headers()) {
        next.run(request).await
    } else {
        let came = "This request came from another site. Please use the form on this one.";
        let is_page = header_contains(request.headers(), &header::ACCEPT, "text/html");
        if is_page {
            hosts::expected(&app.config, request.headers(), came)
        } else {
            ApiError(AppError::forbidden(came)).into_response()
        }
    }
}

fn is_own(app: &AppState, uri: &Uri, headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
    if uri.path().starts_with("/api/") && text(header::AUTHORIZATION).is_some_and(|v| v.starts_with("Bearer ")) {
        return true;
    }
    match (text(HeaderName::from_static("sec-fetch-site")), text(header::ORIGIN)) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => hosts::is_own_origin(&app.config, uri, headers, origin),
        // No browser: programs that keep the session cookie may use the JSON routes, but not with a body that a form of
        // another site could send.
        (None, None) if uri.path().starts_with("/api/") => !text(header::CONTENT_TYPE).is_some_and(|t| {
            ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]
                .iter()
                .any(|form| t.starts_with(form))
        }),
        (None, None) => !headers.contains_key(header::COOKIE),
    }
}

fn header_contains(headers: &HeaderMap, name: &HeaderName, part: &str) -> bool {
    headers.get(name).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains(part))
}

/// The answer to a body over [`BODY_LIMIT`].
pub fn too_large() -> Response {
    ApiError(AppError::TooLarge { message: "This is too much text: the limit is 1 MB.".into() }).into_response()
}

/// Middleware: a body over the limit is refused with 413 before anything reads it, in our own words. Uploads, whose
/// routes end in `/avatar` and `/import`, have their own limit.
pub async fn limit_body(request: Request, next: Next) -> Response {
    let length = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse::<usize>().ok());
    if ["/avatar", "/import"].iter().any(|end| request.uri().path().ends_with(end)) {
        return next.run(request).await;
    }
    if length.is_some_and(|l| l > BODY_LIMIT) {
        return too_large();
    }
    if length.is_none() && !matches!(*request.method(), Method::GET | Method::HEAD) {
        // A body of unknown length is read here, up to the limit.
        let (parts, body) = request.into_parts();
        return match to_bytes(body, BODY_LIMIT).await {
            Ok(bytes) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
            Err(_) => too_large(),
        };
    }
    next.run(request).await
}

/// Middleware: errors that come from the framework get the status and the shape that our own have.
///
/// Leptos 0.8 answers 500 when the arguments of a server function cannot be read, and axum's extractors and its router
/// refuse in plain text.
pub async fn one_shape_of_errors(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let (is_api, is_fn) = (path == "/api" || path.starts_with("/api/"), path.starts_with("/fn/"));
    let response = next.run(request).await;
    let status = response.status();
    let is_json = header_contains(response.headers(), &header::CONTENT_TYPE, "json");
    if is_fn && status == StatusCode::INTERNAL_SERVER_ERROR && response.headers().contains_key("serverfnerror") {
        let (mut parts, body) = response.into_parts();
        let bytes = to_bytes(body, BODY_LIMIT).await.unwrap_or_default();
        if let Ok(error) = serde_json::from_slice::<AppError>(&bytes) {
            parts.status = StatusCode::from_u16(error.status()).unwrap_or(status);
        }
        return Response::from_parts(parts, Body::from(bytes));
    }
    if !is_api || is_json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let said = to_bytes(body, 4096).await.ok().and_then(|b| String::from_utf8(b.to_vec()).ok()).unwrap_or_default();
    let (code, message) = match status {
        StatusCode::NOT_FOUND => ("not_found", AppError::NotFound.to_string()),
        StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "This address does not take that method.".to_owned()),
        StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "The body is too large: the limit is 1 MB.".to_owned()),
        _ if status.is_server_error() => ("internal", AppError::Internal.to_string()),
        _ if said.is_empty() => ("invalid", "The request could not be read.".to_owned()),
        _ => ("invalid", said),
    };
    let body = ErrorBody { error: ErrorDetail { code, message, field: None } };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, Body::from(serde_json::to_vec(&body).unwrap_or_default()))
}

/// Middleware: compresses what gains by it, in what the client reads.
///
/// Streams of events go around the layer and not only uncompressed through it: its body has room for a compressor's state in
/// any case, eleven kilobytes that each open stream would hold and never use.
pub async fn compress(request: Request, next: Next) -> Response {
    let mut asked = axum::http::Request::new(());
    for accepted in request.headers().get_all(header::ACCEPT_ENCODING) {
        asked.headers_mut().append(header::ACCEPT_ENCODING, accepted.clone());
    }
    let response = next.run(request).await;
    if header_contains(response.headers(), &header::CONTENT_TYPE, "text/event-stream") {
        return response;
    }
    let mut response = Some(response);
    let given = tower::service_fn(move |_| std::future::ready(Ok(response.take().unwrap_or_default())));
    let compressed: Result<_, Infallible> = CompressionLayer::new().layer(given).oneshot(asked).await;
    match compressed {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    }
}

/// What a caught panic becomes; the panic itself is in the log.
#[must_use]
pub fn panic_response(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let mut response = ApiError(AppError::Internal).into_response();
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
