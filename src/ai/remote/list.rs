//! What models a provider says it has: `GET {base}/models`, for the admin who adds one.
//!
//! Both protocols answer with a list of ids; servers add what they know, each under a name of its own. What is missing, or
//! is no sensible figure, is left to be typed.

use super::{
    Endpoint, Outgoing, Protocol,
    fault::{Said, causes, judge, redact, unreachable},
    wire::{Shape, headers, list_address, read_failure, text_of},
};
use crate::{
    ai::ModelError,
    lenient,
    text::{clean_line, is_refused},
};
use reqwest::header::{ACCEPT, HeaderValue};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashSet;
use tokio::time::timeout;
use url::Url;

/// Longest list that is read, in bytes, all its pages together. The longest known has half a megabyte.
const LIST_MAX: usize = 4 << 20;
/// Models that are kept of a list.
const MODELS_MAX: usize = 2000;
/// Parts of a list that are asked for; the Messages API gives it in parts of a thousand.
const PARTS_MAX: usize = 5;
/// Said of what cannot be understood.
const NO_LIST: &str = "sent something that is no list of models";
/// Longest id of a model, in characters.
const ID_MAX: usize = 200;
/// Longest name for people, in characters.
const NAME_MAX: usize = 80;

/// A model as its provider describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// What the provider calls it.
    pub id: String,
    /// A name for people; empty when the provider has none.
    pub name: String,
    /// Prompt and reply together, in tokens.
    pub context: Option<u32>,
    /// Longest reply, in tokens.
    pub max_output: Option<u32>,
    /// It can use tools.
    pub tools: Option<bool>,
    /// It can see pictures.
    pub vision: Option<bool>,
    /// What it costs.
    pub prices: Option<ListedPrices>,
}

/// Prices as a provider tells them, in millionths of a US dollar per million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedPrices {
    /// Of what is read.
    pub prompt: i64,
    /// Of what was read before.
    pub cached: i64,
    /// Of what is kept for the next time.
    pub cache_write: i64,
    /// Of what is written.
    pub reply: i64,
}

/// The models of a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalogue {
    /// By id.
    pub models: Vec<Listed>,
    /// There are more than are kept.
    pub is_cut: bool,
    /// Entries without a name that could be used: none at all, one too long, one with signs that no name has.
    #[serde(default)]
    pub left_out: u32,
}

/// The models that a server of the Messages API says it has. The endpoint's model plays no part; its whole time is the
/// limit for all of it.
///
/// # Errors
/// With a word for the admin who asks.
pub async fn anthropic_models(outgoing: &Outgoing, endpoint: &Endpoint) -> Result<Catalogue, ModelError> {
    models(outgoing, endpoint, Protocol::Anthropic).await
}

/// The models that a server of Chat Completions says it has; otherwise as [`anthropic_models`].
///
/// # Errors
/// With a word for the admin who asks.
pub async fn openai_models(outgoing: &Outgoing, endpoint: &Endpoint) -> Result<Catalogue, ModelError> {
    models(outgoing, endpoint, Protocol::OpenAi).await
}

async fn models(outgoing: &Outgoing, endpoint: &Endpoint, protocol: Protocol) -> Result<Catalogue, ModelError> {
    let patience = endpoint.timeouts.total;
    let read = timeout(patience, read(outgoing, endpoint, protocol)).await;
    read.unwrap_or_else(|_| {
        tracing::warn!(provider = %endpoint.provider, "a provider did not send its list of models in time");
        Err(ModelError::Timeout { provider: endpoint.provider.clone(), seconds: patience.as_secs().max(1) })
    })
}

async fn read(outgoing: &Outgoing, endpoint: &Endpoint, protocol: Protocol) -> Result<Catalogue, ModelError> {
    let base = list_address(endpoint, protocol);
    let bad = |what: &'static str| {
        tracing::warn!(provider = %endpoint.provider, what, "a provider's list of models cannot be read");
        ModelError::BadResponse { provider: endpoint.provider.clone(), what }
    };
    let (mut found, mut known, mut received) = (Catalogue::default(), HashSet::new(), 0);
    let mut after: Option<String> = None;
    for _ in 0..PARTS_MAX {
        let bytes = part(outgoing, endpoint, protocol, &base, after.as_deref(), &mut received).await?;
        if let Err(what) = Shape::of(&bytes) {
            return Err(bad(what));
        }
        // Strictly: a name with a letter that was none could not be asked for.
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let text = std::str::from_utf8(text).map_err(|_| bad(NO_LIST))?;
        let value: Value = lenient::read(text.trim()).map_err(|_| bad(NO_LIST))?;
        let Some(items) = items(&value) else {
            // Some servers tell their failures with the status of success.
            let said = Said::of(value.get("error").unwrap_or(&Value::Null));
            let detail = redact(&said.message, endpoint.key.as_ref().map(ExposeSecret::expose_secret));
            let error = if said == Said::default() { bad(NO_LIST) } else { judge(&said, endpoint, 0).error };
            tracing::warn!(provider = %endpoint.provider, detail, "a provider did not give its list of models");
            return Err(error);
        };
        for item in items {
            let Some(model) = listed(item) else {
                found.left_out = found.left_out.saturating_add(1);
                continue;
            };
            if found.models.len() >= MODELS_MAX {
                found.is_cut = true;
                break;
            }
            if known.insert(model.id.clone()) {
                found.models.push(model);
            }
        }
        // The next part begins after the last id; whoever says so without one, or again and again the same, has no next part.
        let next = value.get("last_id").and_then(Value::as_str).filter(|_| value.get("has_more") == Some(&true.into()));
        let next = next.filter(|id| after.as_deref() != Some(*id) && is_id(id)).map(str::to_owned);
        after = next;
        if after.is_none() || found.is_cut {
            break;
        }
    }
    found.is_cut |= after.is_some();
    found.models.sort_by_key(|m| m.id.to_lowercase());
    Ok(found)
}

/// One answer, as it came.
async fn part(
    outgoing: &Outgoing,
    endpoint: &Endpoint,
    protocol: Protocol,
    base: &Url,
    after: Option<&str>,
    received: &mut usize,
) -> Result<Vec<u8>, ModelError> {
    let client = outgoing.client(base, endpoint.timeouts.connect)?;
    let mut url = base.clone();
    if protocol == Protocol::Anthropic {
        url.query_pairs_mut().append_pair("limit", "1000");
        if let Some(after) = after {
            url.query_pairs_mut().append_pair("after_id", after);
        }
    }
    let mut headers = headers(endpoint, protocol)?;
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let broken = |what: &'static str, detail: &str| {
        tracing::warn!(provider = %endpoint.provider, what, detail, "a provider's list of models cannot be read");
        ModelError::BadResponse { provider: endpoint.provider.clone(), what }
    };
    let mut response = client.get(url).headers(headers).send().await.map_err(|error| {
        let trouble = unreachable(&error, endpoint);
        tracing::warn!(provider = %endpoint.provider, detail = %trouble.detail, "a provider was not reached for its models");
        trouble.error
    })?;
    let status = response.status().as_u16();
    if !response.status().is_success() {
        let head = response.headers().clone();
        let body = read_failure(response).await;
        return Err(refused(status, &head, &body, endpoint));
    }
    let mut bytes = Vec::new();
    let cut =
        |e: reqwest::Error| broken("broke off in the middle of its list; please try again", &causes(&e, endpoint));
    while let Some(packet) = response.chunk().await.map_err(cut)? {
        *received += packet.len();
        if *received > LIST_MAX {
            return Err(broken("sent more than any list of models has", ""));
        }
        bytes.extend_from_slice(&packet);
    }
    Ok(bytes)
}

/// What it means that there is no list.
fn refused(status: u16, head: &reqwest::header::HeaderMap, body: &[u8], endpoint: &Endpoint) -> ModelError {
    let said = lenient::read::<Value>(&text_of(body)).map(|v| Said::of(&v)).unwrap_or_default().with_head(status, head);
    let key = endpoint.key.as_ref().map(ExposeSecret::expose_secret);
    let detail = redact(&said.message, key);
    tracing::warn!(provider = %endpoint.provider, status, detail, "a provider did not give its list of models");
    if matches!(status, 404 | 405 | 501) {
        let what = "has no list of models at this address; type the name of the model, or look at the address";
        return ModelError::BadResponse { provider: endpoint.provider.clone(), what };
    }
    judge(&said, endpoint, 0).error
}

/// The list in an answer: `data` of both protocols, `models` of some servers, or the answer itself. Servers without a model
/// write null.
fn items(value: &Value) -> Option<&[Value]> {
    let keys = ["data", "models"];
    let named = keys.iter().find_map(|key| value.get(*key).and_then(Value::as_array));
    let is_empty = || keys.iter().any(|key| value.get(*key).is_some_and(Value::is_null));
    match named.or_else(|| value.as_array()) {
        Some(items) => Some(items),
        None if value.get("error").is_none_or(Value::is_null) && is_empty() => Some(&[]),
        None => None,
    }
}

fn is_id(text: &str) -> bool {
    clean_line("id", text, 1, ID_MAX).is_ok_and(|clean| clean == text)
}

fn listed(item: &Value) -> Option<Listed> {
    // A model that its provider would not know again by this name cannot be asked for.
    let id =
        item.get("id").or_else(|| item.get("name")).and_then(Value::as_str).map(str::trim).filter(|id| is_id(id))?;
    let name = ["/display_name", "/name"].iter().find_map(|at| item.pointer(at).and_then(Value::as_str));
    let name: String = name.unwrap_or_default().chars().filter(|c| !is_refused(*c)).take(NAME_MAX).collect();
    let name = clean_line("name", &name, 0, NAME_MAX).unwrap_or_default();
    let number = |places: &[&str], least: u32, most: u32| {
        let found = places.iter().find_map(|at| item.pointer(at).and_then(Value::as_u64));
        found.and_then(|n| u32::try_from(n).ok()).filter(|n| (least..=most).contains(n))
    };
    Some(Listed {
        name: if name == id { String::new() } else { name },
        id: id.to_owned(),
        context: number(
            &[
                // OpenRouter, Together; Groq; vLLM; Mistral and LM Studio; the Messages API; llama.cpp.
                "/context_length",
                "/context_window",
                "/max_model_len",
                "/max_context_length",
                "/max_input_tokens",
                "/meta/n_ctx",
                "/meta/n_ctx_train",
            ],
            512,
            10_000_000,
        ),
        max_output: number(
            &["/top_provider/max_completion_tokens", "/max_completion_tokens", "/max_output_tokens", "/max_tokens"],
            16,
            1_000_000,
        ),
        tools: words(item, "/supported_parameters").map(|all| all.contains(&"tools")),
        vision: words(item, "/architecture/input_modalities")
            .map(|all| all.contains(&"image"))
            .or_else(|| item.pointer("/capabilities/image_input/supported").and_then(Value::as_bool)),
        prices: item.get("pricing").and_then(prices),
    })
}

fn words<'a>(item: &'a Value, at: &str) -> Option<Vec<&'a str>> {
    Some(item.pointer(at)?.as_array()?.iter().filter_map(Value::as_str).collect())
}

/// Prices as OpenRouter tells them: US dollars per token, as text. Both sides of a talk must have one.
fn prices(pricing: &Value) -> Option<ListedPrices> {
    if pricing.get("unit").is_some() {
        return None;
    }
    let price = |key: &str| pricing.get(key).and_then(per_million);
    Some(ListedPrices {
        prompt: price("prompt")?,
        reply: price("completion")?,
        cached: price("input_cache_read").unwrap_or(0),
        cache_write: price("input_cache_write").unwrap_or(0),
    })
}

/// Dollars per token as millionths of a dollar per million tokens. A cent for one token is no price but another unit.
fn per_million(value: &Value) -> Option<i64> {
    let dollars = match value {
        Value::String(text) => text.trim().parse::<f64>().ok()?,
        Value::Number(number) => number.as_f64()?,
        _ => return None,
    };
    #[expect(clippy::cast_possible_truncation, reason = "at most ten thousand million")]
    (0.0..0.01).contains(&dollars).then(|| (dollars * 1e12).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_servers_tell_of_a_model() {
        let router = json!({
            "id": "acme/large", "name": "Acme: Large", "context_length": 131_072,
            "architecture": { "input_modalities": ["text", "image"] },
            "pricing": { "prompt": "0.0000025", "completion": "0.00001", "request": "0", "input_cache_read": "0.00000025" },
            "top_provider": { "max_completion_tokens": 16_384, "context_length": 131_072 },
            "supported_parameters": ["tools", "temperature"]
        });
        let expected = Listed {
            id: "acme/large".into(),
            name: "Acme: Large".into(),
            context: Some(131_072),
            max_output: Some(16_384),
            tools: Some(true),
            vision: Some(true),
            prices: Some(ListedPrices { prompt: 2_500_000, cached: 250_000, cache_write: 0, reply: 10_000_000 }),
        };
        assert_eq!(listed(&router), Some(expected));
        for (item, context) in [
            (json!({ "id": "m", "object": "model", "owned_by": "acme" }), None),
            (json!({ "id": "m", "max_model_len": 32_768 }), Some(32_768)),
            (json!({ "id": "m", "context_window": 8192 }), Some(8192)),
            (json!({ "id": "m", "max_input_tokens": 200_000, "max_tokens": 64_000 }), Some(200_000)),
            (json!({ "id": "m", "meta": { "n_ctx_train": 40_960 } }), Some(40_960)),
            (json!({ "name": "m", "context_length": -1 }), None),
            (json!({ "id": "m", "context_length": 1e300 }), None),
            (json!({ "id": "m", "context_length": 3 }), None),
        ] {
            let found = listed(&item).unwrap();
            assert_eq!((found.id.as_str(), found.name.as_str(), found.context), ("m", "", context), "{item}");
        }
        for item in [
            json!({}),
            json!("m"),
            json!({ "id": 7 }),
            json!({ "id": "" }),
            json!({ "id": "a\u{202e}b" }),
            json!({ "id": "x".repeat(201) }),
        ] {
            assert_eq!(listed(&item), None, "{item}");
        }
        let long = listed(&json!({ "id": "m", "display_name": "N".repeat(500) })).unwrap();
        assert_eq!(long.name.chars().count(), 80);
    }

    #[test]
    fn prices_are_taken_only_where_their_unit_is_known() {
        let of = |pricing: Value| listed(&json!({ "id": "m", "pricing": pricing })).unwrap().prices;
        assert_eq!(of(json!({ "prompt": "0", "completion": "0" })), Some(ListedPrices::default()));
        assert_eq!(
            of(json!({ "prompt": 0.000_003, "completion": 1.5e-5 })).map(|p| (p.prompt, p.reply)),
            Some((3_000_000, 15_000_000))
        );
        for unknown in [
            json!({ "prompt": "-1", "completion": "-1" }),
            json!({ "prompt": "0.15", "completion": "0.6" }),
            json!({ "prompt": "0.001", "completion": "0.001", "unit": "per_million_tokens" }),
            json!({ "prompt": "much", "completion": "0" }),
            json!({ "prompt": "NaN", "completion": "0" }),
            json!({ "prompt": "0.000001" }),
            json!({ "input": 3, "output": 15 }),
            json!("free"),
        ] {
            assert_eq!(of(unknown.clone()), None, "{unknown}");
        }
    }
}
