//! Who is signed in: a random token in a cookie, its SHA-256 in the database.

use super::{
    config::Config,
    db::{Db, Tx},
};
use crate::{
    accounts::{Role, Theme},
    error::{AppError, AppResult},
    ids::{SessionId, UserId},
};
use base64::Engine;
use chrono::{DateTime, Duration, Utc};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// A device that was not used for this long is signed out.
pub const IDLE_DAYS: i64 = 30;
/// A device is signed out after this long in any case.
pub const ABSOLUTE_DAYS: i64 = 180;
/// Minutes for which a typed password allows sensitive changes.
pub const FRESH_MINUTES: i64 = 5;

/// The person who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// The account.
    pub id: UserId,
    /// Name in addresses and mentions.
    pub username: String,
    /// Name as shown.
    pub display_name: String,
    /// What they may do beyond their own things.
    pub role: Role,
    /// Theme of their choice.
    pub theme: Theme,
    /// IANA name of their time zone.
    pub timezone: String,
    /// Key of the avatar in the file store.
    pub avatar_key: Option<String>,
    /// The signed-in device; `None` for an API token.
    pub session: Option<SessionId>,
    /// When the password was last typed on this device.
    pub authenticated_at: DateTime<Utc>,
    /// Whether this access may change things (API tokens may be read-only).
    pub can_write: bool,
    /// Without an account: they may talk and nothing else.
    pub is_guest: bool,
}

impl Viewer {
    /// Whether the password was typed within the last five minutes on this device.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.session.is_some() && Utc::now() - self.authenticated_at < Duration::minutes(FRESH_MINUTES)
    }

    /// # Errors
    /// `ConfirmPassword` unless the password was typed within the last five minutes.
    pub fn require_fresh(&self) -> AppResult<()> {
        if self.is_fresh() { Ok(()) } else { Err(AppError::ConfirmPassword) }
    }

    /// # Errors
    /// `NotFound` unless they are an admin: who may not enter need not know the door.
    pub fn require_admin(&self) -> AppResult<()> {
        if self.role == Role::Admin { Ok(()) } else { Err(AppError::NotFound) }
    }
}

/// A secret for a cookie, a link or an API token: 256 random bits, URL-safe base64. Only its hash is kept.
#[must_use]
pub fn new_token() -> (String, Vec<u8>) {
    let bytes: [u8; 32] = rand::random();
    let token = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let hash = hash_token(&token);
    (token, hash)
}

/// SHA-256 of a token, 32 bytes. Tokens carry 256 bits of their own, so no slow hash is needed.
#[must_use]
pub fn hash_token(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// Name of the session cookie: the `__Host-` prefix pins it to this host, but browsers take it over https only.
#[must_use]
pub fn cookie_name(config: &Config) -> &'static str {
    if config.secure() { "__Host-sf" } else { "sf" }
}

/// `Set-Cookie` value that signs a device in, or out when `token` is empty.
#[must_use]
pub fn cookie(config: &Config, token: &str) -> String {
    let name = cookie_name(config);
    let secure = if config.secure() { "; Secure" } else { "" };
    let age = if token.is_empty() { 0 } else { ABSOLUTE_DAYS * 24 * 3600 };
    format!("{name}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}")
}

/// Signs a device in: one more row, whose token goes into the cookie and nowhere else. Rows past their time leave with it.
///
/// # Errors
/// When the database cannot be reached.
pub async fn create(tx: &mut Tx, user: UserId, user_agent: &str) -> AppResult<String> {
    let (token, hash) = new_token();
    sqlx::query!(
        "delete from sessions where user_id = $1 and (expires_at <= now() or last_seen_at <= now() - make_interval(days => $2))",
        user.0,
        i32::try_from(IDLE_DAYS).unwrap_or(30)
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "insert into sessions (session_id, user_id, token_hash, user_agent, expires_at)
         values ($1, $2, $3, $4, now() + make_interval(days => $5))",
        SessionId::new().0,
        user.0,
        hash,
        user_agent.chars().filter(|c| !c.is_control()).take(300).collect::<String>(),
        i32::try_from(ABSOLUTE_DAYS).unwrap_or(180)
    )
    .execute(&mut **tx)
    .await?;
    Ok(token)
}

/// The password was typed again: fresh for five minutes, and a new token, because this device may now do more.
///
/// # Errors
/// When the database cannot be reached.
pub async fn refresh(tx: &mut Tx, session: SessionId) -> AppResult<String> {
    let (token, hash) = new_token();
    sqlx::query!(
        "update sessions set token_hash = $2, authenticated_at = now() where session_id = $1",
        session.0,
        hash
    )
    .execute(&mut **tx)
    .await?;
    Ok(token)
}

/// A browser's description of itself in words: `Firefox on Linux`.
#[must_use]
pub fn device_words(user_agent: &str) -> String {
    let first =
        |names: &[(&str, &'static str)]| names.iter().find(|(part, _)| user_agent.contains(part)).map(|(_, n)| *n);
    let browser = first(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser", "Samsung Internet"),
        ("Firefox", "Firefox"),
        ("FxiOS", "Firefox"),
        ("CriOS", "Chrome"),
        ("Chrom", "Chrome"),
        ("Safari", "Safari"),
        ("curl", "curl"),
    ]);
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(b), Some(s)) => format!("{b} on {s}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "An unknown device".to_owned(),
    }
}

/// What both ways of asking find about a person.
struct Found {
    user_id: uuid::Uuid,
    username: String,
    display_name: String,
    avatar_key: Option<String>,
    timezone: String,
    theme_preference: String,
    role: Option<i32>,
    /// The session or the token.
    access_id: uuid::Uuid,
    /// When the password was typed; only for sessions.
    authenticated_at: Option<DateTime<Utc>>,
    used_at: Option<DateTime<Utc>>,
    /// What a token may do; a session may do everything.
    scopes: Option<Vec<String>>,
    is_guest: bool,
}

impl Found {
    /// Whether the last visit was noted more than a minute ago.
    fn is_stale(&self) -> bool {
        self.used_at.is_none_or(|at| Utc::now() - at > Duration::minutes(1))
    }

    fn viewer(self) -> Viewer {
        Viewer {
            id: UserId(self.user_id),
            username: self.username,
            display_name: self.display_name,
            role: Role::from_rank(self.role),
            theme: self.theme_preference.parse().unwrap_or_default(),
            timezone: self.timezone,
            avatar_key: self.avatar_key,
            session: self.authenticated_at.map(|_| SessionId(self.access_id)),
            authenticated_at: self.authenticated_at.unwrap_or(DateTime::UNIX_EPOCH),
            can_write: self.scopes.is_none_or(|scopes| scopes.iter().any(|s| s == "write")),
            is_guest: self.is_guest,
        }
    }
}

/// The person behind a session cookie's token, if the session is still good. Notes the visit at most once a minute.
///
/// # Errors
/// When the database cannot be reached.
pub async fn find_by_cookie(db: &Db, token: &str) -> AppResult<Option<Viewer>> {
    let hash = hash_token(token);
    let mut tx = db.system().await?;
    let found = sqlx::query_as!(
        Found,
        r#"select s.session_id as access_id, s.user_id, s.authenticated_at as "authenticated_at?", s.last_seen_at as "used_at?",
               null::text[] as scopes, p.username, p.display_name, p.avatar_key, u.timezone, u.theme_preference,
               u.kind = 'guest' as "is_guest!",
               (select max(case r.role when 'admin' then 2 else 1 end) from user_roles r where r.user_id = u.user_id) as role
           from sessions s join users u using (user_id) join profiles p using (user_id)
           where s.token_hash = $1 and s.expires_at > now() and s.last_seen_at > now() - make_interval(days => $2) and p.is_active"#,
        hash,
        i32::try_from(IDLE_DAYS).unwrap_or(30)
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(found) = found else { return Ok(None) };
    if found.is_stale() {
        sqlx::query!("update sessions set last_seen_at = now() where session_id = $1", found.access_id)
            .execute(&mut *tx)
            .await?;
        sqlx::query!("update profile_private set last_active_at = now() where user_id = $1", found.user_id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
    }
    Ok(Some(found.viewer()))
}

/// Of these devices those that are still signed in to an account that is not closed, with the person and their role.
///
/// # Errors
/// When the database cannot be reached.
pub async fn roles_of_sessions(db: &Db, sessions: &[SessionId]) -> AppResult<HashMap<SessionId, (UserId, Role)>> {
    if sessions.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<uuid::Uuid> = sessions.iter().map(|id| id.0).collect();
    let mut tx = db.system().await?;
    let rows = sqlx::query!(
        "select s.session_id, s.user_id,
             (select max(case r.role when 'admin' then 2 else 1 end) from user_roles r where r.user_id = s.user_id) as role
         from sessions s join profiles p using (user_id)
         where s.session_id = any($1) and s.expires_at > now()
           and s.last_seen_at > now() - make_interval(days => $2) and p.is_active",
        &ids,
        i32::try_from(IDLE_DAYS).unwrap_or(30)
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (SessionId(row.session_id), (UserId(row.user_id), Role::from_rank(row.role))))
        .collect())
}

/// Of the personal API tokens with these hashes those that still open something, with the person and their role. Whoever
/// holds a stream open uses the token.
///
/// # Errors
/// When the database cannot be reached.
pub async fn roles_of_tokens(db: &Db, hashes: &[Vec<u8>]) -> AppResult<HashMap<Vec<u8>, (UserId, Role)>> {
    if hashes.is_empty() {
        return Ok(HashMap::new());
    }
    let mut tx = db.system().await?;
    let rows = sqlx::query!(
        r#"select t.token_hash, t.user_id, coalesce(t.last_used_at < now() - interval '1 minute', true) as "is_stale!",
             (select max(case r.role when 'admin' then 2 else 1 end) from user_roles r where r.user_id = t.user_id) as role
           from api_tokens t join profiles p using (user_id) where t.token_hash = any($1) and t.expires_at > now() and p.is_active"#,
        hashes
    )
    .fetch_all(&mut *tx)
    .await?;
    let stale: Vec<Vec<u8>> = rows.iter().filter(|row| row.is_stale).map(|row| row.token_hash.clone()).collect();
    if !stale.is_empty() {
        sqlx::query!("update api_tokens set last_used_at = now() where token_hash = any($1)", &stale)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
    }
    Ok(rows.into_iter().map(|row| (row.token_hash, (UserId(row.user_id), Role::from_rank(row.role)))).collect())
}

/// The person behind a personal API token.
///
/// # Errors
/// When the database cannot be reached.
pub async fn find_by_bearer(db: &Db, token: &str) -> AppResult<Option<Viewer>> {
    let hash = hash_token(token);
    let mut tx = db.system().await?;
    let found = sqlx::query_as!(
        Found,
        r#"select t.api_token_id as access_id, t.user_id, null::timestamptz as authenticated_at, t.last_used_at as used_at,
               t.scopes as "scopes?", p.username, p.display_name, p.avatar_key, u.timezone, u.theme_preference,
               u.kind = 'guest' as "is_guest!",
               (select max(case r.role when 'admin' then 2 else 1 end) from user_roles r where r.user_id = u.user_id) as role
           from api_tokens t join users u using (user_id) join profiles p using (user_id)
           where t.token_hash = $1 and t.expires_at > now() and p.is_active"#,
        hash
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(found) = found else { return Ok(None) };
    if found.is_stale() {
        sqlx::query!("update api_tokens set last_used_at = now() where api_token_id = $1", found.access_id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
    }
    Ok(Some(found.viewer()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_in_words() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1";
        assert_eq!(device_words(firefox), "Firefox on Linux");
        assert_eq!(device_words(safari), "Safari on iPhone");
        assert_eq!(device_words("curl/8.9"), "curl");
        assert_eq!(device_words(""), "An unknown device");
    }
}
