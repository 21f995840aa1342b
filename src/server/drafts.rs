//! What was typed into a plain form that was refused, and what the page says about it.
//!
//! Without scripts the framework answers a refused form with a redirect to the page it came from, with the refusal in the
//! address, and the fields would be empty there. Their values are kept for ten minutes under a random id that the redirect
//! carries. Passwords and addresses of servers are not: nobody should send a key to an address that they did not type.
//!
//! A draft is bound to the browser that sent the form and to the page that the form stands on. An address with somebody
//! else's id fills in nothing, and a sentence in an address is believed only when it stands in the draft as well: otherwise
//! it would be a way to put words into our mouth.

use super::{
    AppState, Ctx,
    api::{self, ApiError},
    config::Config,
    db::Tx,
    limits::{self, Action},
    request::{RequestInfo, cookie_value},
    session,
};
use crate::{
    accounts::rules::own_path,
    error::AppError,
    ids::{SessionId, UserId},
    kit::jobs::{Job, JobCtx, Lane, Outcome},
};
use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Bytes of a refused form that are kept for somebody who is signed in: a message in any script.
const KEPT: usize = 48 * 1024;
/// The same for visitors, whose first message may be as long as everybody's.
const KEPT_OF_VISITORS: usize = 34 * 1024;
/// Most fields of a form, and the longest name of one, bytes.
const FIELDS: (usize, usize) = (80, 100);
/// Names the browser of a visitor whose form was refused, for as long as the form is kept.
const COOKIE: &str = "sf_form";
/// Parts of an address that say something about a form.
const SAYS: [&str; 4] = ["__path", "__err", "refused", "__draft"];

/// Fields by name.
pub type Fields = BTreeMap<String, String>;

/// What names the browser that asks: its session, or the cookie of a visitor. Empty when there is neither.
#[must_use]
pub fn holder(headers: &HeaderMap, viewer: Option<&session::Viewer>) -> Vec<u8> {
    if let Some(session) = viewer.and_then(|v| v.session) {
        return of_session(session);
    }
    cookie_value(headers, COOKIE).filter(|c| c.len() >= 32).map(|c| session::hash_token(&c)).unwrap_or_default()
}

fn of_session(session: SessionId) -> Vec<u8> {
    session::hash_token(&format!("session {session}"))
}

/// A new holder for a visitor, and the cookie that names it.
fn new_holder(config: &Config) -> (Vec<u8>, String) {
    let (token, hash) = session::new_token();
    let secure = if config.secure() { "; Secure" } else { "" };
    (hash, format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age=600{secure}"))
}

/// Middleware: when a plain form is refused, what was typed comes back with the page.
pub async fn keep_refused_forms(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let info = request.extensions().get::<RequestInfo>().cloned();
    let (true, Some(info)) = (is_plain_form(&request), info) else { return next.run(request).await };
    let (parts, body) = request.into_parts();
    let bytes = match to_bytes(body, super::guard::BODY_LIMIT).await {
        Ok(bytes) => bytes,
        Err(_) => return super::guard::too_large(),
    };
    let mut response = next.run(Request::from_parts(parts, Body::from(bytes.clone()))).await;
    let location = response.headers().get(header::LOCATION).and_then(|v| v.to_str().ok()).map(str::to_owned);
    if let Some(location) = location.filter(|l| response.status().is_redirection() && l.contains("__err=")) {
        let info = match arrived(&app, info, response.headers()).await {
            Ok(info) => info,
            Err(error) => return api::unavailable(&html(), &error),
        };
        let back = Back::read(&location);
        match keep(&app, &info, &back, &typed(&bytes, info.viewer.is_some())).await {
            Ok(kept) => kept.lead(&mut response, &back),
            Err(error) => return api::unavailable(&html(), &error),
        }
    }
    response
}

/// Who asks from now on: a refused form may have made a guest all the same, and the page is asked for by them.
async fn arrived(app: &AppState, mut info: RequestInfo, answer: &HeaderMap) -> Result<RequestInfo, AppError> {
    let name = session::cookie_name(&app.config);
    let cookies = answer.get_all(header::SET_COOKIE).iter().filter_map(|v| v.to_str().ok());
    let token =
        cookies.filter_map(|v| cookie::Cookie::parse(v).ok()).find(|c| c.name() == name && !c.value().is_empty());
    if let Some(token) = token
        && let Some(viewer) = session::find_by_cookie(&app.db, token.value()).await?
    {
        info.sign_in(viewer);
    }
    Ok(info)
}

fn is_plain_form(request: &Request) -> bool {
    let contains = |name: &header::HeaderName, part: &str| {
        request.headers().get(name).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains(part))
    };
    request.method() == Method::POST
        && request.uri().path().starts_with("/fn/")
        && contains(&header::ACCEPT, "text/html")
        && contains(&header::CONTENT_TYPE, "application/x-www-form-urlencoded")
}

/// Where a refused form leads back to: a page of this site, whatever the browser says where it came from.
struct Back {
    path: String,
    /// What the address says, without an earlier draft.
    query: Vec<(String, String)>,
    fragment: String,
}

impl Back {
    fn read(location: &str) -> Self {
        let (rest, fragment) = location.split_once('#').unwrap_or((location, ""));
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        // A whole address has a scheme and a host before its path.
        let path = path
            .split_once("://")
            .map_or(path, |(_, rest)| rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"));
        let pairs = url::form_urlencoded::parse(query.as_bytes()).into_owned().filter(|(name, _)| name != "__draft");
        let fragment = fragment.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
        Self { path: own_path(path), query: pairs.collect(), fragment }
    }

    /// What the page will be allowed to say.
    fn told(&self) -> String {
        told(self.query.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    fn address(&self, draft: Option<Uuid>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.query);
        if let Some(draft) = draft {
            query.append_pair("__draft", &draft.to_string());
        }
        let query = query.finish();
        let fragment = if self.fragment.is_empty() { String::new() } else { format!("#{}", self.fragment) };
        format!("{}{}{query}{fragment}", self.path, if query.is_empty() { "" } else { "?" })
    }
}

/// What an address says about a form, in one text.
fn told<'a>(query: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut said: Vec<String> =
        query.filter(|(name, _)| *name != "__draft" && SAYS.contains(name)).map(|(n, v)| format!("{n}={v}")).collect();
    said.sort();
    said.join("\n")
}

/// A draft that was kept.
struct Kept {
    id: Uuid,
    cookie: Option<String>,
}

impl Kept {
    fn lead(&self, response: &mut Response, back: &Back) {
        if let Ok(value) = HeaderValue::try_from(back.address(Some(self.id))) {
            response.headers_mut().insert(header::LOCATION, value);
        }
        if let Some(cookie) = self.cookie.as_ref().and_then(|c| HeaderValue::try_from(c).ok()) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
}

async fn keep(app: &AppState, info: &RequestInfo, back: &Back, typed: &Fields) -> Result<Kept, AppError> {
    let user = info.viewer.as_ref().map(|v| v.id);
    match user {
        Some(user) => limits::take(app, Action::Draft, &user.to_string()).await?,
        None => limits::take_address(app, Action::Draft, info).await?,
    }
    let (holder, cookie) = if info.holder.is_empty() {
        let (holder, cookie) = new_holder(&app.config);
        (holder, Some(cookie))
    } else {
        (info.holder.clone(), None)
    };
    let id = save(app, user, &holder, &back.path, &back.told(), typed).await?;
    Ok(Kept { id, cookie })
}

/// A page, without its address: some have a secret in it.
fn page_of(path: &str) -> String {
    session::hash_token(path).iter().map(|b| format!("{b:02x}")).collect()
}

async fn save(
    app: &AppState,
    user: Option<UserId>,
    holder: &[u8],
    path: &str,
    told: &str,
    typed: &Fields,
) -> Result<Uuid, AppError> {
    let id = Uuid::new_v4();
    let fields = serde_json::to_value(typed).map_err(|_| AppError::Internal)?;
    let mut tx = app.db.system().await?;
    sqlx::query!(
        "insert into form_drafts (form_draft_id, user_id, holder, path, told, fields) values ($1, $2, $3, $4, left($5, 8000), $6)",
        id,
        user.map(|u| u.0),
        holder,
        page_of(path),
        told,
        fields
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(id)
}

/// Fields for the page that somebody who is signed in is led to next; the id goes into its address as `__draft`, and the
/// fields of that page begin with them.
///
/// # Errors
/// When they could not be kept.
pub async fn keep_for(ctx: &Ctx, page: &str, typed: &Fields) -> Result<Uuid, AppError> {
    save(&ctx.app, ctx.user_id(), &ctx.info.holder, &Back::read(page).path, "", typed).await
}

/// What this browser typed and was refused goes along to its new session, so that it stands in the form again after signing in or
/// joining.
///
/// # Errors
/// When the database cannot be reached.
pub async fn carry(tx: &mut Tx, info: &RequestInfo, token: &str, user: UserId) -> Result<(), AppError> {
    // What somebody else typed at this browser, who is signed in there, stays theirs.
    let is_anothers = info.viewer.as_ref().is_some_and(|viewer| !viewer.is_guest && viewer.id != user);
    if info.holder.is_empty() || is_anothers {
        return Ok(());
    }
    let hash = session::hash_token(token);
    let new = sqlx::query_scalar!("select session_id from sessions where token_hash = $1", hash);
    let new = of_session(SessionId(new.fetch_one(&mut **tx).await?));
    sqlx::query!("update form_drafts set holder = $2, user_id = $3 where holder = $1", info.holder, new, user.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Leads somebody whose upload was refused back to its page, which says why.
pub async fn refused(ctx: &Ctx, page: &str, error: &AppError) -> Response {
    let mut back = Back::read(page);
    back.query.push(("refused".to_owned(), error.to_string()));
    let mut response = StatusCode::SEE_OTHER.into_response();
    match keep(&ctx.app, &ctx.info, &back, &Fields::new()).await {
        Ok(kept) => kept.lead(&mut response, &back),
        Err(error) => return api::unavailable(&html(), &error),
    }
    response
}

fn html() -> HeaderMap {
    HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("text/html"))])
}

/// Whether a field of a form is never kept, not even for the ten minutes of a draft.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with("token")
        || name.ends_with("token]")
        || ["password", "secret", "url", "key"].iter().any(|word| name.contains(word))
}

/// The name of a field as our own forms have it: `content`, `form[name]`, `items[0][name]`.
fn is_field(name: &str) -> bool {
    name.len() <= FIELDS.1
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'[' | b']'))
}

/// The fields of a form that are kept; none when they are too many or too long.
fn typed(body: &[u8], is_signed_in: bool) -> Fields {
    let room = if is_signed_in { KEPT } else { KEPT_OF_VISITORS };
    let fields: Fields = url::form_urlencoded::parse(body)
        .take(FIELDS.0)
        .filter(|(name, _)| is_field(name) && !is_secret(name))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let size: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size <= room { fields } else { Fields::new() }
}

/// The draft of an address: its fields for the page, or where to go instead when the address says what nobody told it to say.
///
/// # Errors
/// The redirect to the same page without those words.
pub async fn of_address(app: &AppState, method: &Method, uri: &Uri, holder: &[u8]) -> Result<Fields, Box<Response>> {
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    if !query.iter().any(|(name, _)| SAYS.contains(&name.as_str())) {
        return Ok(Fields::new());
    }
    let said = told(query.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let id = query.iter().find(|(name, _)| name == "__draft").and_then(|(_, id)| id.parse().ok());
    let draft = match id {
        Some(id) if !holder.is_empty() => find(app, id, holder, uri.path()).await,
        _ => None,
    };
    match draft {
        Some((fields, told)) if said.is_empty() || said == told => Ok(fields),
        _ if said.is_empty() || !matches!(*method, Method::GET | Method::HEAD) => Ok(Fields::new()),
        _ => {
            let back = Back {
                path: own_path(uri.path()),
                query: query.into_iter().filter(|(name, _)| !SAYS.contains(&name.as_str())).collect(),
                fragment: String::new(),
            };
            let mut response = StatusCode::SEE_OTHER.into_response();
            match HeaderValue::try_from(back.address(None)) {
                Ok(location) => response.headers_mut().insert(header::LOCATION, location),
                Err(_) => return Err(Box::new(ApiError(AppError::NotFound).into_response())),
            };
            Err(Box::new(response))
        }
    }
}

async fn find(app: &AppState, id: Uuid, holder: &[u8], path: &str) -> Option<(Fields, String)> {
    let mut tx = app.db.system().await.ok()?;
    let row = sqlx::query!(
        "select fields, told from form_drafts
         where form_draft_id = $1 and holder = $2 and path = $3 and created_at > now() - interval '10 minutes'",
        id,
        holder,
        page_of(path)
    );
    let row = row.fetch_optional(&mut *tx).await.ok().flatten()?;
    Some((serde_json::from_value(row.fields).ok()?, row.told))
}

/// Deletes drafts that are over, every minute.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetDrafts;

impl Job for ForgetDrafts {
    const NAME: &'static str = "forms.forget_drafts";
    const LABEL: &'static str = "Delete expired form drafts";
    const LANE: Lane = Lane::UPKEEP;

    async fn run(self, ctx: JobCtx) -> Outcome {
        ctx.after(async { sweep(&ctx.app).await.map(drop) }).await
    }
}

/// Deletes drafts that are over.
///
/// # Errors
/// When the database cannot be reached.
pub async fn sweep(app: &AppState) -> Result<u64, AppError> {
    let mut tx = app.db.system().await?;
    let gone = sqlx::query!("delete from form_drafts where created_at < now() - interval '10 minutes'")
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(gone.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_back_to_this_site() {
        for (location, path) in [
            ("http://127.0.0.1:3000/sign-up?__err=x", "/sign-up"),
            ("/settings/profile?__err=x#name", "/settings/profile"),
            ("https://evil.example/sign-up?__err=x", "/sign-up"),
            ("https://evil.example", "/"),
            ("//evil.example/x?__err=x", "/"),
            ("/fn/accounts/sign_out?__err=x", "/"),
        ] {
            assert_eq!(Back::read(location).path, path, "{location}");
        }
        let back = Back::read("/a?x=1&__draft=2&__path=%2Ffn%2Fb&__err=c#d");
        assert_eq!(back.address(None), "/a?x=1&__path=%2Ffn%2Fb&__err=c#d");
        assert_eq!(back.told(), "__err=c\n__path=/fn/b");
    }

    #[test]
    fn what_is_kept_is_small_and_no_secret() {
        let body = b"form%5Bname%5D=Ada&form%5Bpassword%5D=x&form%5Bbase_url%5D=https://evil.example&token=x&<b>=1&content=hi&form%5Bapi_key%5D=sk";
        let kept = typed(body, false);
        assert_eq!(kept.keys().map(String::as_str).collect::<Vec<_>>(), ["content", "form[name]"]);
        let long = format!("content={}", "x".repeat(KEPT_OF_VISITORS));
        assert!(typed(long.as_bytes(), false).is_empty());
        assert_eq!(typed(long.as_bytes(), true).len(), 1);
    }
}
