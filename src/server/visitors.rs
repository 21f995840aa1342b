//! Pages for visitors, kept for a moment: when a link is passed around, a crowd without accounts asks for the same few pages,
//! and each is drawn and compressed once for all of them.
//!
//! Only what nobody can be told by is kept: the answer to a request that carried no cookie but the theme's, for a page from
//! a short list, which set no cookie itself. What is kept is forgotten after a moment, and at once when anybody changes
//! something by this process.

use super::{AppState, pages, request::RequestInfo};
use crate::{accounts::Theme, app::shell};
use axum::{
    body::{Body, to_bytes},
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use dashmap::DashMap;
use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::OnceCell;

/// The pages that are kept, by route.
const PAGES: [&str; 4] = ["/", "/characters", "/c/{slug}", "/u/{username}"];
/// What changes nothing that a visitor sees, by the beginning of its path: talks, which are the most of all changes.
const UNSEEN: [&str; 5] = ["/api/chat/", "/api/conversations", "/api/runs", "/fn/chat/", "/chat/"];
/// Most pages that are kept.
const MOST: usize = 128;
/// Largest page that is kept, bytes.
const LARGEST: usize = 384 * 1024;
/// Longest address that is kept, bytes.
const LONGEST: usize = 300;
/// How hard the kept form is compressed, 0 to 11.
const QUALITY: u32 = 6;

/// What tells one kept page from another: host, path with query, and theme.
type Key = (String, String, Theme);
type Cell = Arc<OnceCell<Option<Kept>>>;

/// The pages that visitors asked for last.
#[derive(Default)]
pub struct Visitors {
    /// Counts changes.
    version: AtomicU64,
    pages: DashMap<Key, (u64, Instant, Cell)>,
}

/// A page as it was drawn.
struct Kept {
    headers: HeaderMap,
    plain: Bytes,
    brotli: OnceCell<Bytes>,
}

/// Draws a page, or gives a visitor the one that was drawn a moment ago.
pub async fn page(State(state): State<AppState>, request: Request) -> Response {
    let moment = Duration::from_millis(state.config.visitor_pages);
    let Some(key) = key(&request).filter(|_| !moment.is_zero()) else {
        return pages::draw(&state, request, shell).await;
    };
    let takes_brotli = takes_brotli(request.headers());
    let cell = state.visitors.cell(key, moment);
    let mut request = Some(request);
    // The first one draws, and whoever comes meanwhile waits for it. One that cannot be kept is the first one's alone.
    let mut own = None;
    let kept = cell
        .get_or_init(|| async {
            let request = request.take()?;
            let drawn = pages::draw(&state, request, shell).await;
            match keepable(drawn).await {
                Ok(kept) => Some(kept),
                Err(response) => {
                    own = Some(*response);
                    None
                }
            }
        })
        .await;
    match (kept, own, request) {
        (Some(kept), ..) => kept.response(takes_brotli).await,
        (None, Some(response), _) => response,
        (None, None, Some(request)) => pages::draw(&state, request, shell).await,
        (None, None, None) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Middleware: whatever may have changed what visitors see makes all kept pages old.
pub async fn forget(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let changes = !reads && !UNSEEN.iter().any(|start| request.uri().path().starts_with(start));
    let response = next.run(request).await;
    if changes {
        state.visitors.changed();
    }
    response
}

/// Under what an answer may be kept; `None` if it is for one person, or no page of the list.
fn key(request: &Request) -> Option<Key> {
    let headers = request.headers();
    let route = request.extensions().get::<MatchedPath>()?;
    let info = request.extensions().get::<RequestInfo>()?;
    let nobodys = info.viewer.is_none() && info.draft.is_empty() && info.holder.is_empty() && info.device.is_empty();
    let bare = headers.get_all(header::COOKIE).iter().all(|cookie| {
        cookie.to_str().is_ok_and(|text| text.split(';').all(|pair| pair.trim().starts_with("sf_theme=")))
    });
    let address = request.uri().path_and_query()?.as_str();
    let is_page = request.method() == Method::GET
        && PAGES.contains(&route.as_str())
        && address.len() <= LONGEST
        && !headers.contains_key(header::AUTHORIZATION);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    (nobodys && bare && is_page).then(|| (host.to_owned(), address.to_owned(), info.theme))
}

fn takes_brotli(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').any(|part| {
            let (name, weight) = part.split_once(';').unwrap_or((part, ""));
            name.trim() == "br" && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
        })
    })
}

/// What can be kept of an answer, or the answer as it is.
async fn keepable(response: Response) -> Result<Kept, Box<Response>> {
    let headers = response.headers();
    let is_page = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if response.status() != StatusCode::OK || !is_page || headers.contains_key(header::SET_COOKIE) {
        return Err(Box::new(response));
    }
    let (parts, body) = response.into_parts();
    // A page comes whole, so that reading it again costs nothing.
    let Ok(plain) = to_bytes(body, usize::MAX).await else {
        return Err(Box::new(StatusCode::INTERNAL_SERVER_ERROR.into_response()));
    };
    if plain.len() > LARGEST {
        return Err(Box::new(Response::from_parts(parts, Body::from(plain))));
    }
    let mut headers = parts.headers;
    headers.remove(header::CONTENT_LENGTH);
    Ok(Kept { headers, plain, brotli: OnceCell::new() })
}

impl Visitors {
    /// Something changed that a visitor may see.
    pub fn changed(&self) {
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// The place of a page: what was kept a moment ago, or an empty one.
    fn cell(&self, key: Key, moment: Duration) -> Cell {
        let version = self.version.load(Ordering::Acquire);
        let is_new = |kept: u64, since: &Instant| kept == version && since.elapsed() < moment;
        if let Some(found) = self.pages.get(&key).filter(|found| is_new(found.0, &found.1)) {
            return Arc::clone(&found.2);
        }
        if self.pages.len() >= MOST {
            self.pages.retain(|_, (kept, since, _)| is_new(*kept, since));
        }
        let cell = Cell::default();
        if self.pages.len() < MOST {
            // Two may come here at once; each draws its page, and the later one's is kept.
            self.pages.insert(key, (version, Instant::now(), Arc::clone(&cell)));
        }
        cell
    }
}

impl Kept {
    async fn response(&self, takes_brotli: bool) -> Response {
        let mut headers = self.headers.clone();
        let mut body = self.plain.clone();
        if takes_brotli {
            body = self.brotli.get_or_init(|| std::future::ready(brotli(&self.plain))).await.clone();
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
        }
        headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
        let mut response = Response::new(Body::from(body));
        *response.headers_mut() = headers;
        response
    }
}

fn brotli(plain: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(plain.len() / 4);
    let mut writer = brotli::CompressorWriter::new(&mut out, 4096, QUALITY, 20);
    // A vector takes whatever is written to it.
    let _ = writer.write_all(plain).and_then(|()| writer.flush());
    drop(writer);
    Bytes::from(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn what_is_kept_is_forgotten_in_time_and_at_changes() {
        let visitors = Visitors::default();
        let moment = Duration::from_secs(60);
        let key = |n: usize| ("host".to_owned(), format!("/{n}"), Theme::default());
        let first = visitors.cell(key(0), moment);
        assert!(Arc::ptr_eq(&first, &visitors.cell(key(0), moment)), "the next one finds it");
        assert!(!Arc::ptr_eq(&first, &visitors.cell(key(1), moment)), "another page is another one");
        assert!(!Arc::ptr_eq(&first, &visitors.cell(key(0), Duration::ZERO)), "and after a moment, too");
        let first = visitors.cell(key(0), moment);
        visitors.changed();
        assert!(!Arc::ptr_eq(&first, &visitors.cell(key(0), moment)), "after a change it is drawn anew");
        for n in 0..1000 {
            visitors.cell(key(n), moment);
        }
        assert!(visitors.pages.len() <= MOST, "{} are kept", visitors.pages.len());
    }

    #[test]
    fn brotli_is_sent_to_whoever_reads_it() {
        for (accepts, takes) in [
            ("gzip, deflate, br, zstd", true),
            ("br;q=1.0, gzip", true),
            ("br;q=0", false),
            ("gzip", false),
            ("brx", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accepts));
            assert_eq!(takes_brotli(&headers), takes, "{accepts}");
        }
        let text = "a page ".repeat(1000);
        let small = brotli(text.as_bytes());
        assert!(small.len() < text.len() / 20);
        let mut again = String::new();
        brotli::Decompressor::new(&small[..], 4096).read_to_string(&mut again).unwrap();
        assert_eq!(again, text);
    }
}
