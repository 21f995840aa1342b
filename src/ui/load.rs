//! What a page reads when it opens: on the server while the page is made, in the browser from what the server wrote into
//! the page, and over the wire after that.

use codee::{Decoder, Encoder};
use leptos::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

/// JSON, read from bytes as the answers of server functions are: the browser's module then holds one reader for each type
/// and not two, which is a tenth of its size.
#[derive(Clone, Copy, Debug)]
pub struct JsonBytes;

impl<T: Serialize> Encoder<T> for JsonBytes {
    type Error = serde_json::Error;
    type Encoded = String;

    fn encode(value: &T) -> Result<String, serde_json::Error> {
        serde_json::to_string(value)
    }
}

impl<T: DeserializeOwned> Decoder<T> for JsonBytes {
    type Error = serde_json::Error;
    type Encoded = str;

    fn decode(text: &str) -> Result<T, serde_json::Error> {
        serde_json::from_slice(text.as_bytes())
    }
}

/// Something that was read, or is being read.
pub type Loaded<T> = Resource<T, JsonBytes>;

/// Reads what a page cannot be shown without, again whenever `source` changes.
pub fn load<T, S, Fut>(
    source: impl Fn() -> S + Send + Sync + 'static,
    read: impl Fn(S) -> Fut + Send + Sync + 'static,
) -> Loaded<T>
where
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
    S: PartialEq + Clone + Send + Sync + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    Loaded::new_with_options(source, watched(read), true)
}

/// As [`load`], for what may come after the page.
pub fn load_later<T, S, Fut>(
    source: impl Fn() -> S + Send + Sync + 'static,
    read: impl Fn(S) -> Fut + Send + Sync + 'static,
) -> Loaded<T>
where
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
    S: PartialEq + Clone + Send + Sync + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    Loaded::new_with_options(source, watched(read), false)
}

/// On the server the page hears when what it waits for panics.
#[cfg(feature = "ssr")]
fn watched<T, S, Fut>(
    read: impl Fn(S) -> Fut + Send + Sync + 'static,
) -> impl Fn(S) -> futures::future::BoxFuture<'static, T> + Send + Sync + 'static
where
    T: 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    move |source| Box::pin(crate::server::pages::watched(read(source)))
}

#[cfg(not(feature = "ssr"))]
const fn watched<R>(read: R) -> R {
    read
}
