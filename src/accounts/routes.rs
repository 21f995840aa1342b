//! Plain routes of the accounts room: JSON API, avatars, uploads.

use super::{NewToken, Role, Token, forms, gate, rules, store};
use crate::{
    error::{AppError, AppResult},
    ids::{ApiTokenId, Stamp, UserId},
    server::{
        AppState, Ctx,
        api::{ApiError, ApiResult, ErrorBody, JsonBody},
        device, drafts,
        files::sweep::AVATARS,
        images,
        limits::{self, Action},
        session,
    },
    text::clean_line,
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Multipart, Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
    routing::{delete, get, post},
};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

/// Largest body of an avatar upload that is read to its end, so that the refusal reaches the browser.
const AVATAR_BODY: usize = 32 * 1024 * 1024;
/// Width and height of a kept avatar, pixels.
const AVATAR_SIDE: u32 = 512;

/// The room's part of the OpenAPI document.
#[derive(OpenApi)]
#[openapi(
    paths(
        create_account,
        create_session,
        delete_session,
        get_me,
        gate::check_name,
        create_token,
        list_tokens,
        delete_token
    ),
    components(schemas(ErrorBody))
)]
pub struct Api;

/// The room's routes.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/sign-up", get(page).post(gate::sign_up))
        .route("/sign-in", get(page).post(gate::sign_in))
        .route("/forgot", get(page).post(gate::forgot))
        .route("/reset/{token}", get(page).post(gate::reset))
        .route(gate::WELCOME, get(page).post(gate::welcomed))
        .route("/welcome/codes", post(gate::new_codes))
        .route("/welcome/codes.txt", get(gate::codes_file))
        .route("/admin/people", get(page))
        .route("/admin/accounts", get(page))
        .route("/api/accounts", post(create_account))
        .route("/api/sessions", post(create_session))
        .route("/api/sessions/current", delete(delete_session))
        .route("/api/me", get(get_me))
        .route("/api/usernames/{name}", get(gate::check_name))
        .route("/api/tokens", get(list_tokens).post(create_token))
        .route("/api/tokens/{id}", delete(delete_token))
        .route("/avatars/{key}", get(avatar))
        .route("/settings/avatar", post(upload_avatar).layer(DefaultBodyLimit::max(AVATAR_BODY)))
}

/// A page that the server draws alone.
async fn page(State(state): State<AppState>, request: Request) -> Response {
    crate::server::router::plain_page(&state, request).await
}

/// An account as its owner sees it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Account {
    /// Its id.
    pub id: UserId,
    /// Name in addresses and mentions.
    pub username: String,
    /// Name as shown.
    pub display_name: String,
    /// A few lines about its owner.
    pub bio: String,
    /// Address for getting back in; told to its owner only.
    pub email: String,
    /// What its owner may do.
    pub role: Role,
    /// IANA name of the time zone.
    pub timezone: String,
    /// Address of the avatar.
    pub avatar_url: Option<String>,
    /// Address of the public profile.
    pub url: String,
    /// When it was made.
    pub created_at: Stamp,
    /// Ten codes that each set a new password once, told with a new account and never again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recovery_codes: Vec<String>,
}

/// A new account.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct NewAccount {
    /// 3 to 30 letters, digits and underscores.
    #[schema(example = "ada_l")]
    username: String,
    /// Address for getting back in.
    #[schema(example = "ada@example.org")]
    email: String,
    /// 15 to 1000 characters.
    #[schema(example = "violet harbour lantern nine")]
    password: String,
    /// Name as shown; the username if absent.
    #[serde(default)]
    display_name: String,
    /// Day of birth. Accounts have a youngest age (13 unless the site says otherwise), and characters for adults are shown
    /// from eighteen years on.
    #[schema(example = "1990-01-31")]
    birth_date: String,
    /// IANA name of the time zone; UTC if absent.
    #[serde(default)]
    timezone: String,
    /// The token of an invitation, on sites where one is needed: the last part of its link.
    #[serde(default)]
    invite: String,
}

/// Makes an account and signs in: the answer carries the session cookie. By making one you accept the terms at `/terms`.
#[utoipa::path(
    post, path = "/api/accounts", tag = "Accounts", request_body = NewAccount,
    responses(
        (status = 201, body = Account, description = "The account; the session is in the cookie"),
        (status = 403, body = ErrorBody, description = "New accounts are closed, or need an invitation"),
        (status = 409, body = ErrorBody, description = "The username or the address is taken"),
        (status = 422, body = ErrorBody, description = "A field does not hold what it must"),
        (status = 429, body = ErrorBody, description = "Too many accounts from this network")
    ),
    security(())
)]
pub async fn create_account(ctx: Ctx, JsonBody(new): JsonBody<NewAccount>) -> ApiResult<Response> {
    let NewAccount { username, email, password, display_name, birth_date, timezone, invite } = new;
    let form = forms::SignUpForm { username, email, password, display_name, birth_date, timezone, invite, terms: true };
    let joined = store::sign_up(&ctx, form).await.map_err(AppError::from)?;
    signed_in(&ctx, &joined.entered, joined.codes).await
}

async fn signed_in(ctx: &Ctx, entered: &store::Entered, recovery_codes: Vec<String>) -> ApiResult<Response> {
    let account = Account { recovery_codes, ..store::account_of(ctx, entered.id.0).await? };
    let cookies = AppendHeaders([
        (header::SET_COOKIE, session::cookie(&ctx.app.config, &entered.token)),
        (header::SET_COOKIE, device::cookie(&ctx.app.config, &entered.device)),
    ]);
    Ok((StatusCode::CREATED, cookies, Json(account)).into_response())
}

/// Who signs in.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct NewSession {
    /// Username or e-mail.
    #[schema(example = "ada_l")]
    login: String,
    /// The password.
    #[schema(example = "violet harbour lantern nine")]
    password: String,
}

/// Signs in: the answer carries the session cookie.
#[utoipa::path(
    post, path = "/api/sessions", tag = "Accounts", request_body = NewSession,
    responses(
        (status = 201, body = Account, description = "The account; the session is in the cookie"),
        (status = 422, body = ErrorBody, description = "Name and password do not belong together"),
        (status = 429, body = ErrorBody, description = "Too many tries")
    ),
    security(())
)]
pub async fn create_session(ctx: Ctx, JsonBody(new): JsonBody<NewSession>) -> ApiResult<Response> {
    let form = forms::SignInForm { login: new.login, password: new.password };
    let entered = store::sign_in(&ctx, form).await?;
    signed_in(&ctx, &entered, Vec::new()).await
}

/// Signs out.
#[utoipa::path(
    delete, path = "/api/sessions/current", tag = "Accounts",
    responses((status = 204, description = "The session is over"))
)]
pub async fn delete_session(ctx: Ctx) -> ApiResult<Response> {
    store::sign_out(&ctx).await?;
    let cookie = session::cookie(&ctx.app.config, "");
    let headers = [
        (header::SET_COOKIE, cookie),
        (header::HeaderName::from_static("clear-site-data"), "\"cache\", \"storage\"".to_owned()),
    ];
    Ok((StatusCode::NO_CONTENT, headers).into_response())
}

/// The account behind the token or the session.
#[utoipa::path(
    get, path = "/api/me", tag = "Accounts",
    responses((status = 200, body = Account), (status = 401, body = ErrorBody, description = "Nobody is signed in"))
)]
pub async fn get_me(ctx: Ctx) -> ApiResult<Json<Account>> {
    let id = ctx.require()?.id;
    Ok(Json(store::account_of(&ctx, id.0).await?))
}

/// A new API token.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct NewApiToken {
    /// What it is for.
    #[schema(example = "my script")]
    name: String,
    /// `read`, or `read` and `write`.
    #[schema(example = json!(["read", "write"]))]
    scopes: Vec<String>,
    /// Days until it stops working, 1 to 365; 90 if absent.
    #[serde(default)]
    expires_in_days: Option<u16>,
}

/// Makes an API token. Needs a session in which the password was typed within the last five minutes; the answer is the only time
/// that the secret is told.
#[utoipa::path(
    post, path = "/api/tokens", tag = "Tokens", request_body = NewApiToken,
    responses(
        (status = 201, body = NewToken),
        (status = 401, body = ErrorBody, description = "Nobody is signed in"),
        (status = 403, body = ErrorBody, description = "Asked with a token instead of a session, or the password is not fresh"),
        (status = 422, body = ErrorBody, description = "A field does not hold what it must")
    )
)]
pub async fn create_token(ctx: Ctx, JsonBody(new): JsonBody<NewApiToken>) -> ApiResult<(StatusCode, Json<NewToken>)> {
    ctx.require_write()?;
    let name = clean_line("name", &new.name, 1, 60)?;
    let scopes = scopes(&new.scopes)?;
    let days = forms::token_days("expires_in_days", new.expires_in_days.unwrap_or(forms::TOKEN_DAYS))?;
    Ok((StatusCode::CREATED, Json(store::create_token(&ctx, &name, &scopes, days).await?)))
}

fn scopes(wanted: &[String]) -> AppResult<Vec<String>> {
    if wanted.is_empty() || wanted.iter().any(|s| s != "read" && s != "write") {
        return Err(AppError::invalid("scopes", "Please name one or both of: read, write."));
    }
    // Who may write may read.
    let write = wanted.iter().any(|s| s == "write");
    Ok(if write { vec!["read".to_owned(), "write".to_owned()] } else { vec!["read".to_owned()] })
}

/// API tokens, newest first, without their secrets. At most fifty of them work at the same time.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TokenList {
    /// The tokens.
    items: Vec<Token>,
}

/// Lists the API tokens.
#[utoipa::path(
    get, path = "/api/tokens", tag = "Tokens",
    responses((status = 200, body = TokenList), (status = 401, body = ErrorBody, description = "Nobody is signed in"))
)]
pub async fn list_tokens(ctx: Ctx) -> ApiResult<Json<TokenList>> {
    Ok(Json(TokenList { items: store::tokens(&ctx).await? }))
}

/// Revokes an API token.
#[utoipa::path(
    delete, path = "/api/tokens/{id}", tag = "Tokens", params(("id" = ApiTokenId, Path, description = "Id of the token")),
    responses(
        (status = 204, description = "It no longer works"),
        (status = 404, body = ErrorBody, description = "No such token of yours")
    )
)]
pub async fn delete_token(ctx: Ctx, Path(id): Path<String>) -> ApiResult<StatusCode> {
    ctx.require_write()?;
    let id: ApiTokenId = id.parse().map_err(|_| AppError::NotFound)?;
    store::revoke_token(&ctx, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An avatar. Its key changes with the picture, so it may be kept for ever.
async fn avatar(State(app): State<AppState>, Path(key): Path<String>) -> ApiResult<Response> {
    let is_key = key.len() <= 60 && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '.') && !key.contains("..");
    if !is_key {
        return Err(AppError::NotFound.into());
    }
    let bytes = app.files.get(&format!("{AVATARS}/{key}")).await?;
    let headers = [
        (header::CONTENT_TYPE, images::content_type(&key)),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ];
    Ok((headers, bytes).into_response())
}

/// Takes an avatar. A browser's form is led back to the page, with a word about how it went; a program gets JSON.
async fn upload_avatar(ctx: Ctx, headers: HeaderMap, form: Multipart) -> Response {
    let result = keep_avatar(&ctx, form).await;
    let html = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"));
    match result {
        Err(error) if !html => ApiError(error).into_response(),
        Ok(()) if !html => StatusCode::NO_CONTENT.into_response(),
        Err(AppError::SignInRequired) => Redirect::to("/sign-in?next=/settings/profile").into_response(),
        Err(error) => drafts::refused(&ctx, "/settings/profile", &error).await,
        Ok(()) => Redirect::to("/settings/profile?saved=picture").into_response(),
    }
}

async fn keep_avatar(ctx: &Ctx, mut form: Multipart) -> AppResult<()> {
    let viewer = ctx.require_write()?;
    let unread = |_| AppError::invalid("file", "The upload was cut off. Please try again.");
    let mut file = None;
    let mut size = 0;
    while let Some(mut field) = form.next_field().await.map_err(unread)? {
        if field.name() != Some("file") {
            continue;
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = field.chunk().await.map_err(unread)? {
            size += chunk.len();
            // What is too much is read, but not kept.
            if size <= images::UPLOAD_LIMIT {
                bytes.extend_from_slice(&chunk);
            }
        }
        file = Some(Bytes::from(bytes));
    }
    if size > images::UPLOAD_LIMIT {
        return Err(images::too_large());
    }
    let file =
        file.filter(|f| !f.is_empty()).ok_or_else(|| AppError::invalid("file", "Please choose a picture first."))?;
    limits::take(&ctx.app, Action::Upload, &viewer.id.to_string()).await?;
    let picture = images::square(file, AVATAR_SIDE).await?;
    store::set_avatar(ctx, Some(picture)).await
}

/// Whether a path may be led to; used by the routes of other rooms that redirect.
#[must_use]
pub fn own_path(next: &str) -> String {
    rules::own_path(next)
}
