//! Where requests may go.

use url::Url;

/// Makes requests to providers.
#[derive(Clone)]
pub struct Outgoing {}

/// Why an address cannot be used. The texts are for the admin who typed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlFault {
    /// It is no address.
    #[error("this is not an address such as https://api.example.com/v1")]
    Malformed,
}

impl Outgoing {
    /// Hosts in `local_hosts` (`host` or `host:port`) may be reached over http and inside the network.
    #[must_use]
    pub fn new(_local_hosts: Vec<String>) -> Self {
        Self {}
    }
}

/// The address of a provider's API as an admin typed it.
///
/// # Errors
/// With what is wrong with it.
pub fn check_url(text: &str, _outgoing: &Outgoing) -> Result<Url, UrlFault> {
    Url::parse(text).map_err(|_| UrlFault::Malformed)
}
