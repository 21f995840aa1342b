//! By which names this site is reached, and which of them are ours.
//!
//! A page of another site can lead its own name to this machine (DNS rebinding) and read what anybody may read here. It can
//! do so only with a name that it owns. So these are fine in any case, because nobody outside can own them: numbers
//! (`192.168.1.5`, `[::1]`), `localhost`, names without a dot (`server`, a container's), and names under endings that are
//! never given out in public (`.lan`, `.local`, `.home.arpa`, …). Every other name must be the one in `SOULFORGE_URL`.
//! Without that setting a site that listens to this machine alone refuses other names (421), and one that listens to a
//! network serves them, but takes no forms from them.
//!
//! The same names decide about forms where the browser does not say by itself where a form comes from (over plain http it
//! does so for `localhost` only): an `Origin` is ours when it is the address that the request was sent to, and that has one
//! of our names.

use super::{AppState, api::ApiError, config::Config};
use crate::error::AppError;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    middleware::Next,
    response::{Html, IntoResponse, Response},
};
use std::{
    net::{IpAddr, Ipv6Addr},
    sync::atomic::{AtomicBool, Ordering},
};

/// Endings of names that are never given out in public.
const PRIVATE: [&str; 9] =
    [".localhost", ".local", ".lan", ".home.arpa", ".home", ".internal", ".intranet", ".localdomain", ".test"];

/// The host that a request was sent to, without a port and in small letters; `None` when it says none.
fn host_of<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    headers.get(header::HOST).and_then(|v| v.to_str().ok()).or_else(|| uri.authority().map(|a| a.as_str()))
}

/// Without the port.
fn name_of(host: &str) -> String {
    let bare = host.trim();
    let bare = match bare.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|b| b.is_ascii_digit()) && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        _ => bare,
    };
    bare.trim_end_matches('.').to_ascii_lowercase()
}

/// Whether nobody outside can own this name.
fn is_private(name: &str) -> bool {
    let number = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
    let is_name =
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    number.is_some_and(|n| n.parse::<Ipv6Addr>().is_ok())
        || name.parse::<IpAddr>().is_ok()
        || (is_name && (!name.contains('.') || PRIVATE.iter().any(|end| name.ends_with(end))))
}

/// Whether the site is reached by this name as it should be.
fn is_ours(config: &Config, host: &str) -> bool {
    let name = name_of(host);
    let set = config.url.as_ref().and_then(|url| url.host_str()).is_some_and(|h| name_of(h) == name);
    set || is_private(&name)
}

/// Whether an `Origin` is this site.
#[must_use]
pub fn is_own_origin(config: &Config, uri: &Uri, headers: &HeaderMap, origin: &str) -> bool {
    if origin == config.origin() {
        return true;
    }
    // An operator who has set the address gets that one.
    let Some(host) = host_of(uri, headers).filter(|_| config.url.is_none()) else { return false };
    is_ours(config, host) && origin.split_once("://").is_some_and(|(_, from)| from.eq_ignore_ascii_case(host.trim()))
}

/// Middleware: names that are not ours get nothing. What watches the process may call it as it likes.
pub async fn known(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let is_watched = matches!(request.uri().path(), "/livez" | "/readyz");
    let must_be_ours = app.config.url.is_some() || app.config.addr.ip().is_loopback();
    let host = host_of(request.uri(), request.headers());
    if is_watched || !must_be_ours || host.is_none_or(|host| is_ours(&app.config, host)) {
        return next.run(request).await;
    }
    let mut response = expected(&app.config, request.headers(), "This site does not have that address.");
    *response.status_mut() = StatusCode::MISDIRECTED_REQUEST;
    response
}

/// The answer to a request that was sent to another address than the site's, or from another site: which one is expected.
#[must_use]
pub fn expected(config: &Config, headers: &HeaderMap, what: &str) -> Response {
    static SAID: AtomicBool = AtomicBool::new(false);
    // "Every address of this machine" is none that a browser could open.
    let any = config.url.is_none() && config.addr.ip().is_unspecified();
    let origin = if any { format!("http://localhost:{}", config.addr.port()) } else { config.origin() };
    if !SAID.swap(true, Ordering::Relaxed) {
        let host = headers.get(header::HOST).and_then(|v| v.to_str().ok()).unwrap_or_default();
        tracing::warn!(
            host,
            expected = origin,
            "somebody reaches the site by a name that it does not know: set SOULFORGE_URL to the address that people use"
        );
    }
    let html = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"));
    if !html {
        return ApiError(AppError::forbidden(format!("{what} Use {origin} instead."))).into_response();
    }
    let origin = crate::ui::escape(&origin);
    let page = Html(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Another address</title><h1>Another address</h1>\
         <p>{what} Open <a href=\"{origin}/\">{origin}</a> instead.</p>\
         <p>If you run this site: set <code>SOULFORGE_URL</code> to the address that people use.</p>"
    ));
    (StatusCode::FORBIDDEN, page).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_outside_can_own() {
        for name in [
            "localhost",
            "LOCALHOST:3000",
            "127.0.0.1:3000",
            "[::1]:3000",
            "192.168.1.5",
            "myserver",
            "myserver.lan:3111",
            "box.local",
            "soulforge:3000",
            "nas.home.arpa",
            "a.b.internal.",
        ] {
            assert!(is_private(&name_of(name)), "{name}");
        }
        for name in [
            "evil.example",
            "evil.example:3000",
            "lan.evil.com",
            "127.0.0.1.evil.com",
            "",
            "[evil]",
            "a b",
            "evil.com:80@localhost",
        ] {
            assert!(!is_private(&name_of(name)), "{name}");
        }
    }
}
