//! What a request carries: who asks, from where, under which id.

use super::{
    AppState,
    db::{Identity, Tx},
    drafts,
    session::{self, Viewer},
};
use crate::{
    accounts::Theme,
    error::{AppError, AppResult},
    ids::UserId,
};
use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use leptos::prelude::use_context;
use std::net::{IpAddr, SocketAddr};

/// Made once per request by [`load`]; found in the request's extensions.
#[derive(Clone, Debug)]
pub struct RequestInfo {
    /// Names the request in the log and in the `x-request-id` header.
    pub id: String,
    /// Address of the client.
    pub client: IpAddr,
    /// How the browser describes itself.
    pub user_agent: String,
    /// Who asks, if anybody.
    pub viewer: Option<Viewer>,
    /// What the browser shows of where it has been signed in before (see `device`).
    pub device: String,
    /// Theme for the first byte.
    pub theme: Theme,
    /// Names the browser, for drafts (see `drafts`); empty for a visitor of whom nothing is kept.
    pub holder: Vec<u8>,
    /// Fields of a plain form that was refused, by name (see `drafts`).
    pub draft: drafts::Fields,
}

impl RequestInfo {
    /// From here on the request is this viewer's, who has just come.
    pub fn sign_in(&mut self, viewer: Viewer) {
        self.holder = drafts::holder(&HeaderMap::new(), Some(&viewer));
        self.viewer = Some(viewer);
    }
}

/// What the body of a server function or a JSON route starts with.
#[derive(Clone)]
pub struct Ctx {
    /// The process.
    pub app: AppState,
    /// The request.
    pub info: RequestInfo,
}

impl Ctx {
    /// Somebody with an account. Whatever is for guests as well asks with [`Ctx::talker`] instead.
    ///
    /// # Errors
    /// `SignInRequired` if nobody is signed in, and for guests.
    pub fn require(&self) -> AppResult<&Viewer> {
        self.info.viewer.as_ref().filter(|v| !v.is_guest).ok_or(AppError::SignInRequired)
    }

    /// Somebody who talks: with an account, or a guest.
    ///
    /// # Errors
    /// `SignInRequired` if there is neither.
    pub fn talker(&self) -> AppResult<&Viewer> {
        self.info.viewer.as_ref().ok_or(AppError::SignInRequired)
    }

    /// As [`Ctx::talker`], for a change: a read-only API token may not.
    ///
    /// # Errors
    /// `SignInRequired`, or `Forbidden` for a token without the scope `write`.
    pub fn talker_write(&self) -> AppResult<&Viewer> {
        let viewer = self.talker()?;
        if viewer.can_write { Ok(viewer) } else { Err(AppError::forbidden("This token may only read.")) }
    }

    /// As [`Ctx::require`], for a change: a read-only API token may not.
    ///
    /// # Errors
    /// `SignInRequired`, or `Forbidden` for a token without the scope `write`.
    pub fn require_write(&self) -> AppResult<&Viewer> {
        let viewer = self.require()?;
        if viewer.can_write { Ok(viewer) } else { Err(AppError::forbidden("This token may only read.")) }
    }

    /// As [`Ctx::require_write`], for whatever only admins change: who runs the site types the password for it, so that a minute
    /// at an open computer does not lead keys, money or everybody's words elsewhere.
    ///
    /// # Errors
    /// `SignInRequired`; `NotFound` for everybody else; `ConfirmPassword`.
    pub fn require_admin_change(&self) -> AppResult<&Viewer> {
        let viewer = self.require_write()?;
        viewer.require_admin()?;
        viewer.require_fresh()?;
        Ok(viewer)
    }

    /// Id of the viewer, if anybody is signed in.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        self.info.viewer.as_ref().map(|v| v.id)
    }

    /// A transaction under the viewer's identity.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn begin(&self) -> AppResult<Tx> {
        self.app.db.begin(self.user_id().map_or(Identity::Anonymous, Identity::User)).await
    }
}

/// The context of the server function that is running.
///
/// # Errors
/// `Internal` outside a request.
pub fn ctx() -> AppResult<Ctx> {
    let app = use_context::<AppState>();
    let info = use_context::<Parts>().and_then(|p| p.extensions.get::<RequestInfo>().cloned());
    match (app, info) {
        (Some(app), Some(info)) => Ok(Ctx { app, info }),
        _ => {
            tracing::error!("a server function ran outside a request");
            Err(AppError::Internal)
        }
    }
}

impl FromRequestParts<AppState> for Ctx {
    type Rejection = super::api::ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Self::Rejection> {
        let info = parts.extensions.get::<RequestInfo>().cloned().ok_or(AppError::Internal)?;
        Ok(Self { app: state.clone(), info })
    }
}

/// Value of a cookie.
#[must_use]
pub fn cookie_value(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| cookie::Cookie::split_parse_encoded(v.to_owned()))
        .filter_map(Result::ok)
        .find(|c| c.name() == name)
        .map(|c| c.value().to_owned())
}

fn client_address(headers: &HeaderMap, peer: Option<IpAddr>, trusted: &[IpAddr]) -> IpAddr {
    let peer = peer.unwrap_or(IpAddr::from([127, 0, 0, 1]));
    if !trusted.contains(&peer) {
        return peer;
    }
    // The last address that is not itself a trusted proxy's: whatever stands before it the client may have written. An entry
    // that cannot be read is nobody's word, and what stands before it is not believed either.
    let entries: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().flat_map(|v| v.to_str().unwrap_or_default().split(',')).collect();
    for entry in entries.into_iter().rev() {
        match forwarded(entry) {
            Some(address) if trusted.contains(&address) => {}
            Some(address) => return address,
            None => return peer,
        }
    }
    peer
}

/// An address as proxies write it: with or without a port, and with brackets.
fn forwarded(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim().trim_matches('"');
    let bare = entry.strip_prefix('[').and_then(|e| e.strip_suffix(']')).unwrap_or(entry);
    let address = bare.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|a| a.ip()));
    address.map(|a: IpAddr| a.to_canonical())
}

/// Middleware: finds out who asks and keeps it with the request. Files need no identity and skip it.
pub async fn load(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    // Read before the first await: a borrowed body may not wait.
    let headers = request.headers().clone();
    let uri = request.uri().clone();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|c| c.0.ip());
    let client = client_address(&headers, peer, &app.config.trusted_proxies);
    let bearer =
        headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
    let found = match (bearer, cookie_value(&headers, session::cookie_name(&app.config))) {
        // A bearer token counts for the public API only, and then a cookie beside it does not.
        (Some(token), _) if uri.path().starts_with("/api/") => match session::find_by_bearer(&app.db, token).await {
            Ok(None) => return super::api::ApiError(AppError::SignInRequired).into_response(),
            other => other,
        },
        (_, Some(token)) if !token.is_empty() => session::find_by_cookie(&app.db, &token).await,
        _ => Ok(None),
    };
    let viewer = match found {
        Ok(viewer) => viewer,
        // Somebody may be signed in; telling them that they are not would be wrong.
        Err(error) => return super::api::unavailable(&headers, &error),
    };
    if let Some(viewer) = &viewer {
        tracing::Span::current().record("user", tracing::field::display(viewer.id));
    }
    let theme = cookie_value(&headers, "sf_theme").and_then(|t| t.parse().ok());
    let theme = theme.or_else(|| viewer.as_ref().map(|v| v.theme)).unwrap_or_default();
    let id = headers.get("x-request-id").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let user_agent = headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let holder = drafts::holder(&headers, viewer.as_ref());
    let draft = match drafts::of_address(&app, request.method(), &uri, &holder).await {
        Ok(draft) => draft,
        Err(elsewhere) => return *elsewhere,
    };
    let device = cookie_value(&headers, super::device::cookie_name(&app.config)).unwrap_or_default();
    request.extensions_mut().insert(RequestInfo { id, client, user_agent, viewer, device, theme, holder, draft });
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_entry_is_believed_or_none() {
        let proxy: IpAddr = [10, 0, 0, 1].into();
        let told = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", axum::http::HeaderValue::from_static(value));
            client_address(&headers, Some(proxy), &[proxy]).to_string()
        };
        for (value, client) in [
            ("203.0.113.10", "203.0.113.10"),
            ("198.51.100.1, 203.0.113.10", "203.0.113.10"),
            ("198.51.100.1, 203.0.113.10:4711", "203.0.113.10"),
            ("198.51.100.1, [2001:db8::1]", "2001:db8::1"),
            ("198.51.100.1, [2001:db8::1]:4711", "2001:db8::1"),
            ("198.51.100.1, 2001:db8::1", "2001:db8::1"),
            ("198.51.100.1, ::ffff:203.0.113.10", "203.0.113.10"),
            ("203.0.113.10, 10.0.0.1", "203.0.113.10"),
            ("198.51.100.1, unknown", "10.0.0.1"),
            ("198.51.100.1, _hidden", "10.0.0.1"),
            ("198.51.100.1,", "10.0.0.1"),
            ("", "10.0.0.1"),
        ] {
            assert_eq!(told(value), client, "{value:?}");
        }
        // Nobody but a trusted proxy is asked.
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", axum::http::HeaderValue::from_static("198.51.100.1"));
        let peer: IpAddr = [203, 0, 113, 9].into();
        assert_eq!(client_address(&headers, Some(peer), &[proxy]), peer);
    }
}
