//! What is posted at the doors: joining, signing in, getting back in.
//!
//! These are plain forms of pages that the server draws alone, and so is the answer: a form that is refused comes back at
//! once, at the same address, with everything that was typed and a message at each field. Nothing of it is ever in an
//! address or in the database. A form that is accepted leads on.

use super::{
    forms::{RecoverForm, SignInForm, SignUpForm},
    once, rules, store,
    words::propose,
};
use crate::{
    error::AppError,
    server::{
        Ctx,
        api::{ApiResult, ErrorBody},
        device,
        guard::BODY_LIMIT,
        limits::{self, Action},
        router, session,
    },
};
use axum::{
    Json,
    body::{Body, to_bytes},
    extract::{Path, Request},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Path of the page that shows recovery codes.
pub const WELCOME: &str = "/welcome";

/// A form that comes back: found in the extensions of the request by the page.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// What was typed, by the name of the field.
    pub values: BTreeMap<String, String>,
    /// What is wrong with it.
    pub faults: Vec<AppError>,
    /// The password may be read on the screen.
    pub shown: bool,
}

/// The head of a form's request and its fields. What is no form has none.
async fn read(request: Request) -> (Parts, BTreeMap<String, String>) {
    let (parts, body) = request.into_parts();
    let is_form = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.starts_with("application/x-www-form-urlencoded"));
    let bytes = if is_form { to_bytes(body, BODY_LIMIT).await.unwrap_or_default() } else { Default::default() };
    let values = url::form_urlencoded::parse(&bytes).map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
    (parts, values)
}

/// The page of the form again.
async fn again(ctx: &Ctx, mut parts: Parts, given: Given) -> Response {
    let status = given.faults.first().map_or(StatusCode::OK, |fault| {
        StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY)
    });
    let wait = given.faults.iter().find_map(|fault| match fault {
        AppError::TooMany { retry_after, .. } => Some(*retry_after),
        _ => None,
    });
    parts.method = Method::GET;
    for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH] {
        parts.headers.remove(name);
    }
    parts.extensions.insert(given);
    let mut response = router::plain_page(&ctx.app, Request::from_parts(parts, Body::empty())).await;
    if response.status().is_success() {
        *response.status_mut() = status;
    }
    if let Some(seconds) = wait {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Leads on, with these cookies.
fn lead(to: &str, cookies: &[String]) -> Response {
    let mut response = Redirect::to(to).into_response();
    for cookie in cookies {
        if let Ok(value) = HeaderValue::try_from(cookie) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    response
}

fn field(values: &BTreeMap<String, String>, name: &str) -> String {
    values.get(name).cloned().unwrap_or_default()
}

/// The buttons that only change the page: propose a password, show it, hide it.
fn aside(values: &BTreeMap<String, String>) -> Option<Given> {
    let mut given = Given { values: values.clone(), ..Given::default() };
    match values.get("do").map(String::as_str) {
        Some("propose") => {
            given.values.insert("password".to_owned(), propose());
            given.shown = true;
        }
        Some("show") => given.shown = true,
        Some("hide") => {}
        _ => return None,
    }
    Some(given)
}

/// `POST /sign-up`
pub async fn sign_up(ctx: Ctx, request: Request) -> Response {
    let (parts, values) = read(request).await;
    if let Some(given) = aside(&values) {
        return again(&ctx, parts, given).await;
    }
    let form = SignUpForm {
        username: field(&values, "username"),
        email: field(&values, "email"),
        password: field(&values, "password"),
        display_name: String::new(),
        birth_date: field(&values, "birth_date"),
        timezone: field(&values, "timezone"),
        invite: field(&values, "invite"),
        terms: field(&values, "terms") == "true",
    };
    match store::sign_up(&ctx, form).await {
        Ok(joined) => {
            let next = rules::own_path(&field(&values, "next"));
            let mut cookies = kept_by(&ctx, &joined.entered).to_vec();
            cookies.push(once::carry(&ctx, WELCOME, &joined.codes));
            lead(&with_next(WELCOME, &next), &cookies)
        }
        Err(store::Refused(faults)) => again(&ctx, parts, Given { values, faults, shown: false }).await,
    }
}

/// `POST /sign-in`
pub async fn sign_in(ctx: Ctx, request: Request) -> Response {
    let (parts, values) = read(request).await;
    if let Some(given) = aside(&values) {
        return again(&ctx, parts, given).await;
    }
    let form = SignInForm { login: field(&values, "login"), password: field(&values, "password") };
    match store::sign_in(&ctx, form).await {
        Ok(entered) => {
            let next = rules::own_path(&field(&values, "next"));
            lead(&next, &kept_by(&ctx, &entered))
        }
        Err(fault) => again(&ctx, parts, Given { values, faults: vec![fault], shown: false }).await,
    }
}

/// `POST /forgot`: a recovery code and a new password.
pub async fn forgot(ctx: Ctx, request: Request) -> Response {
    let (parts, values) = read(request).await;
    if let Some(given) = aside(&values) {
        return again(&ctx, parts, given).await;
    }
    let form = RecoverForm {
        login: field(&values, "login"),
        code: field(&values, "code"),
        password: field(&values, "password"),
    };
    match store::recover(&ctx, &form).await {
        Ok(entered) => back_in(&ctx, &entered),
        Err(fault) => again(&ctx, parts, Given { values, faults: vec![fault], shown: false }).await,
    }
}

/// `POST /reset/{token}`: a new password by an admin's link.
pub async fn reset(ctx: Ctx, Path(token): Path<String>, request: Request) -> Response {
    let (parts, values) = read(request).await;
    if let Some(given) = aside(&values) {
        return again(&ctx, parts, given).await;
    }
    match store::reset(&ctx, &token, &field(&values, "password")).await {
        Ok(entered) => back_in(&ctx, &entered),
        Err(fault) => again(&ctx, parts, Given { values, faults: vec![fault], shown: false }).await,
    }
}

fn back_in(ctx: &Ctx, entered: &store::Entered) -> Response {
    lead("/settings/account?saved=recovered", &kept_by(ctx, entered))
}

/// What the browser of somebody who is in keeps: that they are, and that they were once.
fn kept_by(ctx: &Ctx, entered: &store::Entered) -> [String; 2] {
    let config = &ctx.app.config;
    [session::cookie(config, &entered.token), device::cookie(config, &entered.device)]
}

/// `POST /welcome`: the codes are kept somewhere, or not; they are not shown again.
pub async fn welcomed(ctx: Ctx, request: Request) -> Response {
    let (_, values) = read(request).await;
    lead(&rules::own_path(&field(&values, "next")), &[once::forget(&ctx, WELCOME)])
}

/// `POST /welcome/codes`: ten new codes instead of the ones before.
pub async fn new_codes(ctx: Ctx) -> Response {
    match store::renew_codes(&ctx).await {
        Ok(codes) => lead(&with_next(WELCOME, "/settings/account"), &[once::carry(&ctx, WELCOME, &codes)]),
        Err(AppError::SignInRequired) => lead("/sign-in?next=/settings/account", &[]),
        Err(_) => lead("/confirm?next=/settings/account", &[]),
    }
}

/// `GET /welcome/codes.txt`: the codes as a file, as long as the page shows them.
pub async fn codes_file(ctx: Ctx, headers: HeaderMap) -> ApiResult<Response> {
    ctx.require()?;
    let codes: Vec<String> = once::carried(&headers).ok_or(AppError::NotFound)?;
    if !store::are_own_codes(&ctx, &codes).await? {
        return Err(AppError::NotFound.into());
    }
    let site = ctx.app.config.origin();
    let name = ctx.require()?.username.clone();
    let text = format!(
        "Recovery codes for {name} at {site}\n\nEach of them sets a new password once: {site}/forgot\n\n{}\n",
        codes.join("\n")
    );
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"soulforge-recovery-codes.txt\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, text).into_response())
}

/// Whether a username can be taken.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NameCheck {
    /// It is well formed and nobody has it.
    pub available: bool,
    /// What is wrong with it; empty if nothing is.
    pub message: String,
}

/// Whether a username is free, for a form that says so while somebody types.
#[utoipa::path(
    get, path = "/api/usernames/{name}", tag = "Accounts",
    params(("name" = String, Path, description = "The username")),
    responses((status = 200, body = NameCheck), (status = 429, body = ErrorBody, description = "Asked too often")),
    security(())
)]
pub async fn check_name(ctx: Ctx, Path(name): Path<String>) -> ApiResult<Json<NameCheck>> {
    limits::take_address(&ctx.app, Action::CheckName, &ctx.info).await?;
    let fault = match rules::username("username", &name) {
        Err(fault) => Some(fault),
        Ok(name) if store::is_free(&ctx, &name).await? => None,
        Ok(_) => Some(store::username_taken()),
    };
    let message = fault.map(|f| f.to_string()).unwrap_or_default();
    Ok(Json(NameCheck { available: message.is_empty(), message }))
}

/// An address with a way on.
fn with_next(page: &str, next: &str) -> String {
    if next == "/" {
        return page.to_owned();
    }
    let next: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
    format!("{page}?next={next}")
}
