//! Secrets that a page shows once, carried over a redirect by a cookie that only that page gets, for minutes.

use crate::server::{Ctx, request::cookie_value};
use axum::http::{HeaderMap, HeaderValue, header, request::Parts};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use serde::{Serialize, de::DeserializeOwned};

/// Name of the cookie; its path tells the pages apart.
const NAME: &str = "sf_made";
/// Seconds for which it lives.
const SECONDS: u32 = 600;

/// The `Set-Cookie` value that carries something to the page at `path`.
#[must_use]
pub fn carry<T: Serialize>(ctx: &Ctx, path: &str, what: &T) -> String {
    let value = serde_json::to_vec(what).map(|json| URL_SAFE_NO_PAD.encode(json)).unwrap_or_default();
    cookie(ctx, path, &value, SECONDS)
}

/// The `Set-Cookie` value that forgets it.
#[must_use]
pub fn forget(ctx: &Ctx, path: &str) -> String {
    cookie(ctx, path, "", 0)
}

fn cookie(ctx: &Ctx, path: &str, value: &str, seconds: u32) -> String {
    let secure = if ctx.app.config.secure() { "; Secure" } else { "" };
    format!("{NAME}={value}; Path={path}; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}")
}

/// What a request carries.
#[must_use]
pub fn carried<T: DeserializeOwned>(headers: &HeaderMap) -> Option<T> {
    let value = cookie_value(headers, NAME)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(value).ok()?).ok()
}

/// Inside a server function: carries something to the page at `path`.
pub fn send<T: Serialize>(ctx: &Ctx, path: &str, what: &T) {
    set(&carry(ctx, path, what));
}

/// Inside a page: what was carried to it; forgotten with this.
#[must_use]
pub fn take<T: DeserializeOwned>(ctx: &Ctx, path: &str) -> Option<T> {
    let found = carried(&use_context::<Parts>()?.headers)?;
    set(&forget(ctx, path));
    Some(found)
}

/// Inside a page: what was carried to it, left where it is.
#[must_use]
pub fn look<T: DeserializeOwned>() -> Option<T> {
    carried(&use_context::<Parts>()?.headers)
}

fn set(cookie: &str) {
    if let (Some(response), Ok(value)) = (use_context::<ResponseOptions>(), HeaderValue::try_from(cookie)) {
        response.append_header(header::SET_COOKIE, value);
    }
}
