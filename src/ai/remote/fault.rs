//! What a failure of a provider means: what the person is told, whether another try helps, whether others would meet it.
//!
//! What a provider writes about its own failure is never shown, for it may repeat the key, the address or the prompt. The
//! log gets it shortened and with everything that looks like a secret blacked out.

use super::{Endpoint, outgoing::LeadsInside, standing::Quirk};
use crate::{ai::ModelError, lenient};
use reqwest::header::HeaderMap;
use secrecy::ExposeSecret;
use serde_json::Value;
use std::time::Duration;

/// Objects in objects that are looked into.
const DEPTH_MAX: usize = 8;
/// Entries of a list that are looked at.
const ITEMS_MAX: usize = 20;
/// Bytes of what is said that are looked at.
const MORE_MAX: usize = 8000;

/// A failure and what follows from it.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    /// What the person is told.
    pub error: ModelError,
    /// Another try may help, now or after this wait.
    pub again: Option<Option<Duration>>,
    /// Others would meet it, too.
    pub counts: bool,
    /// Wishes that the model may not know, the likeliest first; without one of them the request may do.
    pub quirks: Vec<Quirk>,
    /// For the log: no key, no prompt, short.
    pub detail: String,
}

impl Trouble {
    /// A failure that another try does not mend.
    pub fn lasting(error: ModelError, detail: impl Into<String>) -> Self {
        Self { error, again: None, counts: false, quirks: Vec::new(), detail: detail.into() }
    }

    /// A failure of the provider that another try does not mend, at once.
    pub fn broken(error: ModelError, detail: impl Into<String>) -> Self {
        Self { counts: true, ..Self::lasting(error, detail) }
    }

    /// A failure of the provider that may pass.
    pub fn passing(error: ModelError, detail: impl Into<String>) -> Self {
        Self { error, again: Some(None), counts: true, quirks: Vec::new(), detail: detail.into() }
    }
}

/// What a provider says about a failure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Status of the answer, or a number in its place.
    pub status: Option<u16>,
    /// `type` and `code`, in small letters.
    pub kind: String,
    /// The sentence.
    pub message: String,
    /// Everything else that is said anywhere, in small letters.
    pub more: String,
    /// Whether the provider asks for another try.
    pub should_retry: Option<bool>,
    /// When.
    pub retry_after: Option<Duration>,
}

impl Said {
    /// Reads what a body or an event says, wherever it stands: OpenAI and Anthropic have an object `error`, Google a list of them,
    /// pydantic a list of details, gateways a message that is an object or a text with JSON in it.
    pub fn of(value: &Value) -> Self {
        let mut said = Self::default();
        said.read(None, value, 0);
        if said.message.is_empty() {
            said.message = said.more.lines().next().unwrap_or_default().to_owned();
        }
        said.kind = said.kind.trim().to_lowercase();
        said.more = said.more.to_lowercase();
        said
    }

    fn read(&mut self, key: Option<&str>, value: &Value, depth: usize) {
        // What was sent comes back in some refusals; it says nothing about why.
        let is_ours =
            matches!(key, Some("input" | "ctx" | "body" | "request" | "messages" | "traceback" | "stack" | "url"));
        if is_ours || depth > DEPTH_MAX || self.more.len() > MORE_MAX {
            return;
        }
        match value {
            Value::Object(fields) => {
                // The innermost reason first: a gateway's own words stand around it.
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_by_key(|(key, _)| !matches!(key.as_str(), "error" | "message" | "msg"));
                for (key, value) in fields {
                    self.read(Some(key), value, depth + 1);
                }
            }
            Value::Array(items) => {
                for item in items.iter().take(ITEMS_MAX) {
                    self.read(key, item, depth + 1);
                }
            }
            Value::Number(number) if matches!(key, Some("code" | "status" | "status_code" | "statusCode")) => {
                let status = number.as_u64().and_then(|n| u16::try_from(n).ok()).filter(|n| (300..600).contains(n));
                self.status = self.status.or(status);
            }
            Value::String(text) => self.word(key.unwrap_or_default(), text, depth),
            _ => {}
        }
    }

    fn word(&mut self, key: &str, text: &str, depth: usize) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        if text.starts_with(['{', '['])
            && let Ok(inner) = lenient::read::<Value>(text)
        {
            return self.read(None, &inner, depth + 1);
        }
        match key {
            // That it is one is known.
            "type" if text == "error" => {}
            "type" | "code" | "status" | "reason" | "error_type" => {
                self.kind.push(' ');
                self.kind.push_str(text);
            }
            // Names of fields of a request: where the fault is.
            "loc" | "param" | "parameter" | "field" | "path" => self.more.push_str(&format!("'{text}'\n")),
            _ => {
                if self.message.is_empty() && matches!(key, "message" | "error" | "msg" | "detail" | "error_message") {
                    self.message = text.to_owned();
                }
                self.more.push_str(text);
                self.more.push('\n');
            }
        }
    }

    /// Everything that is said.
    fn text(&self) -> String {
        format!("{}\n{}", self.message.to_lowercase(), self.more)
    }

    /// Adds what the head of an answer says.
    pub fn with_head(mut self, status: u16, headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim);
        self.status = Some(status);
        self.should_retry = text("x-should-retry").and_then(|v| v.parse().ok());
        self.retry_after = text("retry-after-ms")
            .and_then(|v| v.parse::<f64>().ok())
            .map(|ms| ms / 1000.0)
            .or_else(|| text("retry-after").and_then(seconds_of))
            .and_then(|s| Duration::try_from_secs_f64(s.clamp(0.0, 604_800.0)).ok());
        self
    }
}

/// `Retry-After` as seconds: a number, or a date.
fn seconds_of(value: &str) -> Option<f64> {
    if let Ok(seconds) = value.parse::<f64>() {
        return seconds.is_finite().then_some(seconds);
    }
    let at = chrono::DateTime::parse_from_rfc2822(value).ok()?;
    let wait = at.signed_duration_since(chrono::Utc::now()).num_milliseconds().max(0);
    Some(std::time::Duration::from_millis(u64::try_from(wait).ok()?).as_secs_f64())
}

/// What follows from what a provider says. `needed` are the tokens that were asked for.
pub(super) fn judge(said: &Said, endpoint: &Endpoint, needed: u32) -> Trouble {
    let provider = || endpoint.provider.clone();
    let text = said.text();
    let kind = said.kind.as_str();
    let has = |words: &[&str]| words.iter().any(|word| kind.contains(word) || text.contains(word));
    let detail = detail(said, endpoint);
    let lasting = |error: ModelError| Trouble::lasting(error, detail.clone());
    let rejected = |what: &'static str| lasting(ModelError::Rejected { provider: provider(), what });

    // An event in mid-stream has no status; its kind says the same.
    let status = said.status.unwrap_or(match kind {
        k if ["authentication", "invalid_api_key", "unauthenticated", "unauthorized"].iter().any(|w| k.contains(w)) => {
            401
        }
        k if k.contains("billing") => 402,
        k if k.contains("permission") => 403,
        k if k.contains("not_found") => 404,
        k if k.contains("too_large") => 413,
        k if k.contains("rate_limit") => 429,
        k if k.contains("overloaded") => 529,
        k if k.contains("invalid_request") || k.contains("context_length") => 400,
        _ => 500,
    });
    if has(&["insufficient_quota", "billing", "credit balance", "payment"]) || status == 402 {
        return rejected("its account has no credit left");
    }
    if has(&["content_filter", "content_policy", "content management policy"]) {
        return lasting(ModelError::Refused { provider: provider() });
    }
    let too_long = has(&[
        "context_length",
        "context length",
        "context size",
        "context window",
        "maximum context",
        "prompt is too long",
        "exceeds the available context",
        "too many tokens",
        "reduce the length",
        "exceeds the maximum number of tokens",
        "exceed_context_size",
        "input token count",
        "max_model_len",
    ]);
    match status {
        401 => lasting(ModelError::Auth { provider: provider() }),
        403 if has(&["key", "credential", "token", "auth"]) => lasting(ModelError::Auth { provider: provider() }),
        403 => rejected("it does not allow the use of this model"),
        413 => lasting(ModelError::TooLong { needed, context: endpoint.context }),
        _ if too_long && (400..500).contains(&status) && status != 429 => {
            lasting(ModelError::TooLong { needed, context: endpoint.context })
        }
        404 => rejected("it knows no model of this name, or its address is not right"),
        408 | 409 | 425 | 500..=599 => {
            let retry_after = said.retry_after.map(whole_seconds);
            let mut trouble = Trouble::passing(ModelError::Overloaded { provider: provider(), retry_after }, detail);
            trouble.again = (said.should_retry != Some(false)).then_some(said.retry_after);
            trouble
        }
        429 => {
            let retry_after = said.retry_after.map(whole_seconds);
            let mut trouble = Trouble::passing(ModelError::RateLimited { provider: provider(), retry_after }, detail);
            trouble.again = (said.should_retry != Some(false)).then_some(said.retry_after);
            // A limit belongs to a key; others may have keys of their own.
            trouble.counts = false;
            trouble
        }
        300..=399 => lasting(ModelError::BadResponse {
            provider: provider(),
            what: "answers that it has moved; its address must be set to where it is now",
        }),
        400 | 422 => {
            let mut trouble = rejected("a setting does not fit this model");
            trouble.quirks = quirks(&text);
            trouble
        }
        _ => rejected("it does not say why"),
    }
}

/// Which of our wishes a refusal speaks of.
fn quirks(text: &str) -> Vec<Quirk> {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let names = |words: &[&str]| words.iter().any(|word| has_word(text, word));
    let is_unknown =
        has(&["unsupported", "not supported", "unknown", "unrecognized", "instead", "not permitted", "extra"]);
    let no_json = has(&["json_object"]) && !has(&["json_schema"]);
    let all = [
        (Quirk::NoStreamOptions, has(&["stream_options", "include_usage"])),
        (Quirk::NoSeed, names(&["seed"])),
        (Quirk::NoJson, no_json),
        (
            Quirk::NoSchema,
            !no_json && has(&["response_format", "json_schema", "output_format", "tool_choice", "guided_json"]),
        ),
        (Quirk::OtherLength, has(&["max_tokens", "max_completion_tokens"]) && is_unknown),
        (
            Quirk::NoPrefill,
            has(&["prefill", "final position", "last message must", "must end with a user", "final assistant"]),
        ),
        (Quirk::NoSampling, names(&["temperature", "top_p"])),
        (
            Quirk::NoStops,
            has(&["'stop'", "\"stop\"", "`stop`", "stop sequence", "stop_sequences"]) || supplied(text, "stop"),
        ),
        (
            Quirk::NoSystem,
            has(&[
                "system role",
                "role system",
                "role 'system'",
                "role: system",
                "system message",
                "system instruction",
                "developer instruction",
            ]) && has(&["not support", "unsupported", "not enabled", "not allowed", "invalid", "only"]),
        ),
    ];
    all.into_iter().filter(|(_, is_meant)| *is_meant).map(|(quirk, _)| quirk).collect()
}

/// Whether a text has a word by itself: `seed`, and not `seeded`.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|t| t.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|t| t.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// Whether a text ends a sentence about what was supplied with a word: "Unrecognized request argument supplied: stop".
fn supplied(text: &str, word: &str) -> bool {
    ["supplied: ", "parameter: ", "parameters: ", "argument: ", "field: "].iter().any(|head| {
        text.match_indices(head).any(|(at, _)| {
            let rest = text.get(at + head.len()..).unwrap_or_default();
            let names = rest.lines().next().unwrap_or_default();
            names.split([',', ' ', '.']).any(|name| name.trim() == word)
        })
    })
}

/// What it means that no connection stands, or that it broke.
pub(super) fn unreachable(error: &reqwest::Error, endpoint: &Endpoint) -> Trouble {
    let gone = ModelError::Unreachable { provider: endpoint.provider.clone() };
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    let inside = std::iter::from_fn(|| {
        let this = cause?;
        cause = this.source();
        Some(this)
    })
    .any(|e| e.is::<LeadsInside>());
    if inside {
        return Trouble::lasting(gone, "its name leads inside the own network");
    }
    Trouble::passing(gone, causes(error, endpoint))
}

/// An error with its causes, without the address.
pub(super) fn causes(error: &reqwest::Error, endpoint: &Endpoint) -> String {
    let mut text = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(this) = cause {
        text.push_str(&format!("{this}; "));
        cause = this.source();
    }
    redact(&text, endpoint.key.as_ref().map(ExposeSecret::expose_secret))
}

fn whole_seconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
}

fn detail(said: &Said, endpoint: &Endpoint) -> String {
    let status = said.status.map(|s| s.to_string()).unwrap_or_default();
    let key = endpoint.key.as_ref().map(ExposeSecret::expose_secret);
    let message = redact(&said.message, key);
    format!("{status} {} {message}", redact(&said.kind, key)).trim().to_owned()
}

/// A text of a provider for the log: in one line, short, and without anything that may be a secret: the key itself,
/// pieces of it, and every word that looks like one.
pub(super) fn redact(text: &str, key: Option<&str>) -> String {
    let key = key.map(str::trim).filter(|key| !key.is_empty());
    let text = key.map_or_else(|| text.to_owned(), |key| text.replace(key, "[key]"));
    let mut out = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(if is_secret(word, key) { "[…]" } else { word });
        if out.len() > 300 {
            out.truncate(out.floor_char_boundary(300));
            out.push('…');
            break;
        }
    }
    out
}

fn is_secret(word: &str, key: Option<&str>) -> bool {
    let lower = word.to_lowercase();
    if lower.contains("sk-") || lower.contains("key-") || lower.contains("***") || lower.contains('@') {
        return true;
    }
    // Six letters of the key's beginning or end, as providers like to show them.
    if let Some(key) = key.filter(|key| key.is_ascii() && key.len() >= 8) {
        let ends = [key.get(..6), key.get(key.len() - 6..)];
        if ends.into_iter().flatten().any(|end| word.contains(end)) {
            return true;
        }
    }
    let plain = word.trim_matches(|c: char| !c.is_alphanumeric());
    let digits = plain.chars().filter(char::is_ascii_digit).count();
    let letters = plain.chars().filter(char::is_ascii_alphabetic).count();
    plain.len() >= 20 && digits >= 3 && letters >= 3 && !plain.contains("://")
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;
    use serde_json::json;

    fn endpoint() -> Endpoint {
        let plain = Endpoint::example("https://api.acme.example", Default::default());
        Endpoint { key: Some("sk-canary-0123456789abcdef".to_owned().into()), ..plain }
    }

    fn of(status: u16, body: Value) -> Trouble {
        judge(&Said::of(&body).with_head(status, &HeaderMap::new()), &endpoint(), 9000)
    }

    #[test]
    fn statuses_mean_what_they_mean() {
        let kind = |status: u16| of(status, json!({})).error.kind();
        let table = [
            (301, "bad_response"),
            (400, "rejected"),
            (401, "auth"),
            (402, "rejected"),
            (403, "rejected"),
            (404, "rejected"),
            (408, "overloaded"),
            (409, "overloaded"),
            (413, "too_long"),
            (418, "rejected"),
            (422, "rejected"),
            (429, "rate_limited"),
            (500, "overloaded"),
            (502, "overloaded"),
            (503, "overloaded"),
            (504, "overloaded"),
            (529, "overloaded"),
        ];
        for (status, wanted) in table {
            assert_eq!(kind(status), wanted, "{status}");
        }
        assert!(of(529, json!({})).counts && !of(429, json!({})).counts && !of(401, json!({})).counts);
        assert!(of(429, json!({})).again.is_some() && of(400, json!({})).again.is_none());
    }

    #[test]
    fn what_is_said_counts_more_than_the_number() {
        let openai = |kind: &str, code: Value| json!({ "error": { "message": "x", "type": kind, "code": code } });
        assert_eq!(of(429, openai("insufficient_quota", json!("insufficient_quota"))).error.kind(), "rejected");
        assert!(of(429, openai("insufficient_quota", Value::Null)).again.is_none());
        assert_eq!(of(400, openai("invalid_request_error", json!("context_length_exceeded"))).error.kind(), "too_long");
        let long = json!({ "type": "error", "error": { "type": "invalid_request_error", "message": "prompt is too long: 9 > 8" } });
        assert_eq!(of(400, long).error, ModelError::TooLong { needed: 9000, context: 8000 });
        assert_eq!(of(403, json!({ "error": "Your API key is blocked" })).error.kind(), "auth");

        let event = |value: Value| judge(&Said::of(&value), &endpoint(), 1).error.kind();
        assert_eq!(
            event(json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } })),
            "overloaded"
        );
        assert_eq!(event(json!({ "error": { "code": 429, "message": "slow down" } })), "rate_limited");
        assert_eq!(event(json!({ "error": { "code": "content_filter", "message": "no" } })), "refused");
        assert_eq!(event(json!({ "error": "boom" })), "overloaded");
    }

    #[test]
    fn waits_are_read_in_all_forms() {
        let wait = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
            Said::default().with_head(429, &headers).retry_after
        };
        assert_eq!(wait("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        assert_eq!(wait("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("retry-after", "-3"), Some(Duration::ZERO));
        assert_eq!(wait("retry-after", "soon"), None);
        assert_eq!(wait("retry-after", "1e300"), Some(Duration::from_secs(604_800)));
        assert_eq!(wait("retry-after", "NaN"), None);
        let soon =
            (chrono::Utc::now() + chrono::TimeDelta::seconds(90)).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let seconds = wait("retry-after", &soon).unwrap().as_secs();
        assert!((85..=90).contains(&seconds), "{seconds}");
    }

    #[test]
    fn wishes_that_a_model_does_not_know_are_named() {
        let quirks = |body: Value| of(400, body).quirks;
        let message = |text: &str| quirks(json!({ "error": { "message": text } }));
        let max = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
        for (text, wanted) in [
            ("Unknown field: stream_options", Some(Quirk::NoStreamOptions)),
            (max, Some(Quirk::OtherLength)),
            ("temperature does not support 0.5 with this model", Some(Quirk::NoSampling)),
            ("This model does not support assistant message prefill.", Some(Quirk::NoPrefill)),
            ("Unsupported parameter: 'stop'", Some(Quirk::NoStops)),
            ("Unrecognized request argument supplied: stop", Some(Quirk::NoStops)),
            ("Unrecognized request argument supplied: seed", Some(Quirk::NoSeed)),
            ("Unrecognized request arguments supplied: response_format", Some(Quirk::NoSchema)),
            ("response_format.type must be json_object or text, not json_schema", Some(Quirk::NoSchema)),
            ("'json_object' is not one of ['text']", Some(Quirk::NoJson)),
            ("System role not supported", Some(Quirk::NoSystem)),
            ("Developer instruction is not enabled for models/gemma-3", Some(Quirk::NoSystem)),
            ("messages: at least one message is required", None),
            ("the request was exceeded by seeded data; stop it", None),
        ] {
            assert_eq!(message(text), Vec::from_iter(wanted), "{text}");
        }
        for body in [
            json!([{ "error": { "code": 400, "message": "Invalid JSON payload. Unknown name \"stream_options\": Cannot find field.", "status": "INVALID_ARGUMENT" } }]),
            json!({ "detail": [{ "type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted", "input": { "temperature": 1 } }] }),
            json!({ "message": { "error": "unknown field stream_options" } }),
            json!({ "error": { "message": "Provider returned error", "metadata": { "raw": "{\"error\":{\"message\":\"stream_options?\"}}" } } }),
            json!("stream_options is unknown"),
            json!({ "errors": ["no", { "title": "stream_options" }] }),
        ] {
            assert_eq!(quirks(body.clone()), [Quirk::NoStreamOptions], "{body}");
        }
        let two = json!({ "detail": [
            { "loc": ["body", "stop"], "msg": "Extra inputs are not permitted" },
            { "loc": ["body", "seed"], "msg": "Extra inputs are not permitted" }
        ] });
        assert_eq!(quirks(two), [Quirk::NoSeed, Quirk::NoStops]);
    }

    #[test]
    fn the_reason_is_found_wherever_it_stands() {
        for body in [
            json!([{ "error": { "code": 400, "message": "The input token count (9000) exceeds the maximum number of tokens allowed (8000)." } }]),
            json!({ "detail": "This model's maximum context length is 8000 tokens" }),
            json!({ "object": "error", "message": { "text": "prompt is too long" } }),
            json!({ "code": 400, "message": "the request exceeds the available context size", "type": "invalid_request_error" }),
        ] {
            assert_eq!(of(400, body.clone()).error.kind(), "too_long", "{body}");
        }
        let event = |value: Value| judge(&Said::of(&value), &endpoint(), 1).error.kind();
        assert_eq!(event(json!({ "error": { "message": "Invalid API key", "code": "invalid_api_key" } })), "auth");
        assert_eq!(event(json!([{ "error": { "code": 401, "status": "UNAUTHENTICATED" } }])), "auth");
        assert_eq!(event(json!({ "detail": { "error": { "code": 429 } } })), "rate_limited");
        let deep = (0..200).fold(json!("end"), |inner, _| json!({ "error": inner }));
        assert_eq!(Said::of(&deep), Said::default());
    }

    #[test]
    fn secrets_are_blacked_out() {
        let key = "sk-canary-0123456789abcdef";
        for text in [
            "Incorrect API key provided: sk-canary-0123456789abcdef.",
            "Incorrect API key provided: sk-ca******cdef",
            "key=sk-canary-0123456789abcdef&x=1",
            "your key ends in abcdef",
            "your key begins with sk-can",
            "https://user:pass@host.example/ failed",
            "Bearer abc0123456789def0123456789",
        ] {
            let said = redact(text, Some(key));
            for secret in ["canary", "cdef", "sk-", "pass", "0123456789"] {
                assert!(!said.contains(secret), "{text} became {said}");
            }
        }
        assert_eq!(
            redact("The model `m-20250101` does\nnot exist", Some(key)),
            "The model `m-20250101` does not exist"
        );
        assert!(redact(&"long ".repeat(500), None).len() < 310);
        let trouble = of(401, json!({ "error": { "message": format!("bad {key}"), "type": key } }));
        assert!(!format!("{trouble:?}{}", trouble.error).contains("canary"), "{trouble:?}");
    }
}
