//! Files from other servers, such as models: opened by the same checked way out as providers, redirects included.
//!
//! Places that keep large files answer with a redirect to a signed address, so redirects are followed here, by hand: each
//! one is checked as if an admin had typed it, but for its query, and none leads inside the own network that did not begin
//! there.

use super::{
    UrlFault,
    outgoing::{LeadsInside, Outgoing},
};
use reqwest::{
    Response, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, LOCATION, RANGE},
};
use std::time::Duration;
use tokio::time::timeout;
use url::Url;

/// Redirects that are followed.
const HOPS: usize = 6;
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// A file that is being sent.
pub struct Opened {
    /// Where in the file what comes begins; 0 also when the server sends all of it again.
    pub from: u64,
    /// How large the whole file is, if the server says so.
    pub total: Option<u64>,
    response: Response,
}

/// Why a file cannot be had. The texts are for the admin who wants it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DownloadFault {
    /// The address, or one that it leads to, cannot be used.
    #[error("{0}")]
    Address(#[from] UrlFault),
    /// The server refused.
    #[error("The server answered {0}.")]
    Status(u16),
    /// The server leads around in circles.
    #[error("The server sent us from one address to the next without an end.")]
    Hops,
    /// The server has nothing at that place of the file.
    #[error("The server has no such part of the file.")]
    Range,
    /// It could not be reached, or broke off. Another try may help.
    #[error("{0}")]
    Broken(&'static str),
}

impl DownloadFault {
    /// Whether another try may help.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Broken(_) | Self::Status(408 | 425 | 429 | 500..=599))
    }
}

impl Opened {
    /// The next bytes; `None` at the end. `silence` is the longest wait for them.
    ///
    /// # Errors
    /// When the connection breaks or is silent.
    pub async fn chunk(&mut self, silence: Duration) -> Result<Option<impl AsRef<[u8]> + use<>>, DownloadFault> {
        match timeout(silence, self.response.chunk()).await {
            Err(_) => Err(DownloadFault::Broken("The server fell silent.")),
            Ok(Err(_)) => Err(DownloadFault::Broken("The connection broke off.")),
            Ok(Ok(bytes)) => Ok(bytes),
        }
    }
}

impl Outgoing {
    /// Opens a file, from a place on if the server can do that. `silence` is the longest wait for its head.
    ///
    /// # Errors
    /// With a sentence for the admin.
    pub async fn open_file(&self, address: &Url, from: u64, silence: Duration) -> Result<Opened, DownloadFault> {
        let begins_inside = self.check(address)?;
        let mut url = address.clone();
        for _ in 0..HOPS {
            let mut bare = url.clone();
            bare.set_query(None);
            bare.set_fragment(None);
            if self.check(&bare)? && !begins_inside {
                return Err(UrlFault::Inside.into());
            }
            let client = self
                .client(&bare, CONNECT)
                .map_err(|_| DownloadFault::Broken("This server has no certificates to check others with."))?;
            // Compressed bytes would not be those of the sum.
            let mut request = client.get(url.clone()).header(ACCEPT_ENCODING, "identity");
            if from > 0 {
                request = request.header(RANGE, format!("bytes={from}-"));
            }
            let response = match timeout(silence, request.send()).await {
                Err(_) => return Err(DownloadFault::Broken("The server did not answer.")),
                Ok(Err(error)) if leads_inside(&error) => return Err(UrlFault::Inside.into()),
                Ok(Err(_)) => return Err(DownloadFault::Broken("The server could not be reached.")),
                Ok(Ok(response)) => response,
            };
            let status = response.status();
            if status.is_redirection() {
                let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
                url = to.and_then(|to| url.join(to).ok()).ok_or(DownloadFault::Status(status.as_u16()))?;
                continue;
            }
            return opened(response, from);
        }
        Err(DownloadFault::Hops)
    }
}

fn opened(response: Response, from: u64) -> Result<Opened, DownloadFault> {
    let head = response.headers();
    match response.status() {
        StatusCode::OK => Ok(Opened { from: 0, total: length(head), response }),
        StatusCode::PARTIAL_CONTENT => {
            let (start, total) = range(head).ok_or(DownloadFault::Range)?;
            if start != from {
                return Err(DownloadFault::Range);
            }
            Ok(Opened { from, total, response })
        }
        StatusCode::RANGE_NOT_SATISFIABLE => Err(DownloadFault::Range),
        status => Err(DownloadFault::Status(status.as_u16())),
    }
}

fn length(head: &HeaderMap) -> Option<u64> {
    head.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// `(begin, whole size)` of `bytes 100-199/200`.
fn range(head: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let text = head.get(CONTENT_RANGE)?.to_str().ok()?;
    let (span, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let begin = span.split_once('-')?.0.trim().parse().ok()?;
    Some((begin, total.trim().parse().ok()))
}

fn leads_inside(error: &reqwest::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(this) = cause {
        if this.is::<LeadsInside>() {
            return true;
        }
        cause = this.source();
    }
    false
}
