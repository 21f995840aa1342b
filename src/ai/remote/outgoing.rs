//! Where requests may go, and the clients that make them.
//!
//! A provider's address is text that somebody typed, and its name is answered by somebody else's server. So it is parsed
//! once, must be https unless the operator listed the host, and each connection is made to an address that was checked
//! in the very look-up it comes from: a name that changes its answer between check and use gains nothing. Redirects are
//! not followed, proxies of the environment are not used.

use super::{
    Endpoint,
    address::{is_public, is_usable},
    standing::{Standing, Standings},
};
use crate::ai::ModelError;
use dashmap::DashMap;
use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use url::{Host, Url};

/// Longest address in bytes.
const URL_MAX: usize = 1000;

/// Finds the addresses of a name; tests put their own in.
pub trait Lookup: Send + Sync {
    /// All addresses of a name.
    fn lookup(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let name = name.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.map(|a| a.ip()).collect()) })
    }
}

/// Makes requests to providers, and remembers how they stand. Cheap to clone; one serves the whole process.
#[derive(Clone)]
pub struct Outgoing {
    shared: Arc<Shared>,
}

struct Shared {
    local_hosts: RwLock<Vec<String>>,
    lookup: Arc<dyn Lookup>,
    clients: DashMap<(bool, Duration), reqwest::Client>,
    standings: Standings,
}

/// Why an address cannot be used. The texts are for the admin who typed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlFault {
    /// It is no address.
    #[error("This is not an address such as https://api.example.com/v1.")]
    Malformed,
    /// It is longer than anybody's.
    #[error("This address is too long.")]
    TooLong,
    /// Not https, and the host is not listed.
    #[error("The address must begin with https://. Plain http is only for hosts that the server's operator listed.")]
    NotHttps,
    /// A name or password in it.
    #[error("Leave names and passwords out of the address; the key has a field of its own.")]
    Credentials,
    /// Something behind the path.
    #[error("Leave out everything from the first ? or # on.")]
    Extras,
    /// A port on which no provider listens.
    #[error("This port is not one for web addresses.")]
    Port,
    /// It leads inside.
    #[error("This address is inside the server's own network. The server's operator can list its host as a local one.")]
    Inside,
    /// Nobody knows the name.
    #[error("There is no server of this name.")]
    Unknown,
}

impl Outgoing {
    /// Hosts in `local_hosts` (`host` or `host:port`) may be reached over http and inside the network.
    #[must_use]
    pub fn new(local_hosts: Vec<String>) -> Self {
        Self::with_lookup(local_hosts, Arc::new(SystemLookup))
    }

    /// The same with names answered by somebody else than the system.
    #[must_use]
    pub fn with_lookup(local_hosts: Vec<String>, lookup: Arc<dyn Lookup>) -> Self {
        // Whoever came first has installed the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let outgoing = Self {
            shared: Arc::new(Shared {
                local_hosts: RwLock::default(),
                lookup,
                clients: DashMap::new(),
                standings: Standings::default(),
            }),
        };
        outgoing.set_local_hosts(local_hosts);
        outgoing
    }

    /// Changes which hosts are local. Replies under way go on.
    pub fn set_local_hosts(&self, hosts: Vec<String>) {
        let hosts = hosts.iter().map(|h| h.trim().to_ascii_lowercase()).filter(|h| !h.is_empty()).collect();
        *self.shared.local_hosts.write().unwrap_or_else(PoisonError::into_inner) = hosts;
    }

    /// Seconds for which a provider is left alone because it failed again and again; `None` while it is asked.
    #[must_use]
    pub fn resting(&self, endpoint: &Endpoint) -> Option<u32> {
        self.standing(endpoint).breaker.resting()
    }

    pub(super) fn standing(&self, endpoint: &Endpoint) -> Arc<Standing> {
        self.shared.standings.of(endpoint)
    }

    /// Whether the operator listed the host of an address.
    fn is_local(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let port = url.port_or_known_default().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let forms = [host.to_owned(), bare.to_owned(), format!("{host}:{port}")];
        let listed = self.shared.local_hosts.read().unwrap_or_else(PoisonError::into_inner);
        listed.iter().any(|entry| forms.contains(entry))
    }

    /// Everything about an address that can be said without asking for its name. True for a local one.
    pub(super) fn check(&self, url: &Url) -> Result<bool, UrlFault> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlFault::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(UrlFault::Extras);
        }
        let local = self.is_local(url);
        match url.scheme() {
            "https" => {}
            "http" if local => {}
            "http" => return Err(UrlFault::NotHttps),
            _ => return Err(UrlFault::Malformed),
        }
        let port = url.port_or_known_default().unwrap_or_default();
        if port == 0 || (!local && port != 443 && port < 1024) {
            return Err(UrlFault::Port);
        }
        match url.host() {
            None => return Err(UrlFault::Malformed),
            Some(Host::Ipv4(ip)) if !allows(local, ip.into()) => return Err(UrlFault::Inside),
            Some(Host::Ipv6(ip)) if !allows(local, ip.into()) => return Err(UrlFault::Inside),
            Some(Host::Domain(name)) if !local && is_inside_name(name) => return Err(UrlFault::Inside),
            Some(_) => {}
        }
        Ok(local)
    }

    /// Whether somebody answers to the name of a checked address, outside of the own network. For the form of an admin;
    /// each request looks again.
    ///
    /// # Errors
    /// With what is wrong.
    pub async fn check_name(&self, url: &Url) -> Result<(), UrlFault> {
        let local = self.check(url)?;
        let Some(Host::Domain(name)) = url.host() else { return Ok(()) };
        let found = self.shared.lookup.lookup(name).await.map_err(|_| UrlFault::Unknown)?;
        if found.is_empty() {
            return Err(UrlFault::Unknown);
        }
        if found.into_iter().any(|ip| allows(local, ip)) { Ok(()) } else { Err(UrlFault::Inside) }
    }

    /// A client for a checked address.
    pub(super) fn client(&self, url: &Url, connect: Duration) -> Result<reqwest::Client, ModelError> {
        let local = self.check(url).map_err(|fault| ModelError::Unavailable(fault.to_string()))?;
        let key = (local, connect);
        if let Some(client) = self.shared.clients.get(&key) {
            return Ok(client.clone());
        }
        let client = build(local, connect, &self.shared.lookup).map_err(|error| {
            tracing::error!(%error, "no client for providers; are the system's certificates installed?");
            ModelError::Unavailable("this server has no certificates to check providers with".to_owned())
        })?;
        // As many as there are different waits; more would be somebody playing with them.
        if self.shared.clients.len() > 32 {
            self.shared.clients.clear();
        }
        self.shared.clients.insert(key, client.clone());
        Ok(client)
    }
}

/// The address of a provider's API as an admin typed it.
///
/// # Errors
/// With what is wrong with it.
pub fn check_url(text: &str, outgoing: &Outgoing) -> Result<Url, UrlFault> {
    let text = text.trim();
    if text.len() > URL_MAX {
        return Err(UrlFault::TooLong);
    }
    // Parsers disagree about these, and none belongs into an address.
    if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err(UrlFault::Malformed);
    }
    let url = Url::parse(text).map_err(|_| UrlFault::Malformed)?;
    outgoing.check(&url)?;
    Ok(url)
}

fn allows(local: bool, ip: IpAddr) -> bool {
    if local { is_usable(ip) } else { is_public(ip) }
}

/// Names that only the own network knows.
fn is_inside_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let inside = ["localhost", "local", "internal", "lan", "home", "corp", "intranet", "private", "test", "arpa"];
    !name.contains('.') || name.rsplit('.').next().is_some_and(|last| inside.contains(&last))
}

fn build(local: bool, connect: Duration, lookup: &Arc<dyn Lookup>) -> Result<reqwest::Client, reqwest::Error> {
    let plain = || {
        reqwest::Client::builder()
            .user_agent(concat!("SoulForge/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(connect)
            .pool_idle_timeout(Duration::from_secs(60))
            .tcp_keepalive(Duration::from_secs(30))
            .dns_resolver(CheckedNames { local, lookup: Arc::clone(lookup) })
    };
    let client = plain().https_only(!local).build();
    // A machine without certificates can still talk to a model beside it.
    if local { client.or_else(|_| plain().tls_certs_only([]).build()) } else { client }
}

/// Answers names with addresses that may be used, and with no others.
struct CheckedNames {
    local: bool,
    lookup: Arc<dyn Lookup>,
}

/// A name that leads inside.
#[derive(Debug, thiserror::Error)]
#[error("the name leads inside the own network")]
pub(super) struct LeadsInside;

impl Resolve for CheckedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let (local, found) = (self.local, self.lookup.lookup(name.as_str()));
        Box::pin(async move {
            let usable: Vec<SocketAddr> =
                found.await?.into_iter().filter(|ip| allows(local, *ip)).map(|ip| SocketAddr::new(ip, 0)).collect();
            if usable.is_empty() {
                return Err(LeadsInside.into());
            }
            let addresses: Addrs = Box::new(usable.into_iter());
            Ok(addresses)
        })
    }
}
