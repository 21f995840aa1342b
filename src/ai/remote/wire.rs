//! What goes over the wire, either protocol: where to, with which head, and in what form the answer comes.

use super::{
    Endpoint, Protocol, anthropic, count_tokens,
    event::{Event, Garbled, Usage},
    frames::Frames,
    openai,
};
use crate::ai::{ModelError, Request, ToolCall, ToolSpec};
use reqwest::{
    Response,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue},
};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::{borrow::Cow, time::Duration};
use tokio::time::timeout;
use url::Url;

/// Said of an answer that is packed although nothing of the kind was asked for.
pub(super) const COMPRESSED: &str =
    "sent a compressed answer, which was not asked for; switch compression off there, or in the proxy before it";

/// Longest body of a failure that is read.
const FAILURE_MAX: usize = 64 << 10;

/// In what form an answer comes, whatever its head says.
pub(super) enum Shape {
    Unknown,
    Stream(Frames),
    Whole,
}

impl Shape {
    /// What is wrong with it, when it is a web page, or compressed.
    pub fn of(bytes: &[u8]) -> Result<Self, &'static str> {
        let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
        match start {
            [] => Ok(Self::Unknown),
            [b'<', ..] => Err("answered with a web page; its address is probably not right"),
            [0x1f, 0x8b, ..] => Err(COMPRESSED),
            [b'{' | b'[', ..] => Ok(Self::Whole),
            _ => Ok(Self::Stream(Frames::default())),
        }
    }
}

/// Either protocol.
pub(super) enum Reader {
    Anthropic(anthropic::Reader),
    OpenAi(openai::Reader),
}

impl Reader {
    /// `form`: what a tool is called with is the reply itself.
    pub fn of(protocol: Protocol, form: bool) -> Self {
        match protocol {
            Protocol::Anthropic => Self::Anthropic(anthropic::Reader::of(form)),
            Protocol::OpenAi => Self::OpenAi(openai::Reader::default()),
        }
    }

    pub fn frame(&mut self, data: &str) -> Result<Vec<Event>, Garbled> {
        match self {
            Self::Anthropic(reader) => reader.frame(data),
            Self::OpenAi(reader) => reader.frame(data),
        }
    }

    pub fn whole(&mut self, value: &Value) -> Result<Vec<Event>, Garbled> {
        match self {
            Self::Anthropic(reader) => reader.whole(value),
            Self::OpenAi(reader) => reader.whole(value),
        }
    }

    pub const fn usage(&self) -> Usage {
        match self {
            Self::Anthropic(reader) => reader.usage,
            Self::OpenAi(reader) => reader.usage,
        }
    }

    pub fn has_no_calls(&self) -> bool {
        match self {
            Self::Anthropic(reader) => reader.calls.is_empty(),
            Self::OpenAi(reader) => reader.calls.is_empty(),
        }
    }

    pub fn calls(self, tools: &[ToolSpec]) -> Vec<ToolCall> {
        match self {
            Self::Anthropic(reader) => reader.calls.finish(tools),
            Self::OpenAi(reader) => reader.calls.finish(tools),
        }
    }
}

/// About as many tokens as the prompt has, tools included.
pub(super) fn prompt_tokens(request: &Request) -> u32 {
    let lines = request.messages.iter().map(|m| {
        let calls = m.tool_calls.iter().map(|call| call.arguments.to_string().len()).sum::<usize>() / 3;
        count_tokens(&m.content).saturating_add(4).saturating_add(u32::try_from(calls).unwrap_or(u32::MAX))
    });
    let tools = request
        .tools
        .iter()
        .map(|t| count_tokens(&t.description).saturating_add(count_tokens(&t.parameters.to_string())));
    let form = request.schema.as_ref().map_or(0, |schema| {
        count_tokens(&schema.in_words()).saturating_add(count_tokens(&schema.json_schema().to_string()))
    });
    lines.chain(tools).chain([form]).fold(count_tokens(&request.prefill), u32::saturating_add)
}

/// Where requests go: the base address and the protocol's path, whether or not the base holds a piece of it.
pub(super) fn address(endpoint: &Endpoint, protocol: Protocol) -> Url {
    let mut url = endpoint.base_url.clone();
    let path = url.path().trim_end_matches('/');
    let path = match protocol {
        Protocol::OpenAi if path.ends_with("/chat/completions") => path.to_owned(),
        Protocol::OpenAi => format!("{path}/chat/completions"),
        Protocol::Anthropic if path.ends_with("/messages") => path.to_owned(),
        Protocol::Anthropic if path.ends_with("/v1") => format!("{path}/messages"),
        Protocol::Anthropic => format!("{path}/v1/messages"),
    };
    url.set_path(&path);
    url
}

/// Where the list of models is: beside the place where requests go.
pub(super) fn list_address(endpoint: &Endpoint, protocol: Protocol) -> Url {
    let mut url = address(endpoint, protocol);
    let end = if protocol == Protocol::OpenAi { "/chat/completions" } else { "/messages" };
    let path = format!("{}/models", url.path().strip_suffix(end).unwrap_or_default());
    url.set_path(&path);
    url
}

pub(super) fn headers(endpoint: &Endpoint, protocol: Protocol) -> Result<HeaderMap, ModelError> {
    let mut headers = HeaderMap::new();
    if protocol == Protocol::Anthropic {
        headers.insert(HeaderName::from_static("anthropic-version"), HeaderValue::from_static(anthropic::VERSION));
    }
    let key = endpoint.key.as_ref().map(|key| key.expose_secret().trim()).filter(|key| !key.is_empty());
    let Some(key) = key else { return Ok(headers) };
    let (name, value) = match protocol {
        Protocol::Anthropic => (HeaderName::from_static("x-api-key"), HeaderValue::from_str(key)),
        Protocol::OpenAi => (AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {key}"))),
    };
    let mut value = value.map_err(|_| ModelError::Auth { provider: endpoint.provider.clone() })?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(headers)
}

/// A body as text, without the mark that some put before it.
pub(super) fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes))
}

/// The beginning of a failure's body, if it comes soon.
pub(super) async fn read_failure(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(packet)) = response.chunk().await {
            body.extend_from_slice(&packet);
            if body.len() > FAILURE_MAX {
                break;
            }
        }
    };
    let _ = timeout(Duration::from_secs(5), read).await;
    body.truncate(FAILURE_MAX);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_may_hold_a_piece_of_the_path() {
        let path = |base: &str, protocol| {
            let endpoint = Endpoint {
                provider: "Acme".into(),
                base_url: base.parse().unwrap(),
                key: None,
                model: "m".into(),
                context: 0,
                max_output: 0,
                capabilities: Default::default(),
                timeouts: Default::default(),
            };
            let path = address(&endpoint, protocol).to_string();
            let beside = path.trim_end_matches("/chat/completions").trim_end_matches("/messages");
            assert_eq!(list_address(&endpoint, protocol).as_str(), format!("{beside}/models"));
            path
        };
        for base in ["https://a.example/v1", "https://a.example/v1/", "https://a.example/v1/chat/completions"] {
            assert_eq!(path(base, Protocol::OpenAi), "https://a.example/v1/chat/completions");
        }
        for base in ["https://a.example", "https://a.example/v1/", "https://a.example/v1/messages"] {
            assert_eq!(path(base, Protocol::Anthropic), "https://a.example/v1/messages");
        }
        assert_eq!(path("https://a.example/proxy/", Protocol::Anthropic), "https://a.example/proxy/v1/messages");
    }
}
