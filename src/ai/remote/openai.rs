//! Chat Completions of any compatible server: bodies and chunks.

use super::{
    Endpoint,
    calls::{Calls, Piece},
    event::{Event, Garbled, Usage, count},
    standing::{Quirk, Quirks},
    turns::{Turn, Turns},
};
use crate::{
    ai::{FinishReason, Message, Request, Role},
    lenient,
};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// Stop texts that all servers take.
const STOPS_MAX: usize = 4;

/// What is sent. Only what every server knows, or what it was not yet found not to know.
pub(super) fn body(request: &Request, endpoint: &Endpoint, quirks: Quirks, max_tokens: u32) -> Value {
    let can = endpoint.capabilities;
    let mouth = can.prefill && !quirks.has(Quirk::NoPrefill);
    let turns = Turns::of(&told(request), can.tools, &request.prefill, mouth);
    let mut messages = Vec::new();
    let mut told = turns.system.join("\n\n");
    if !told.is_empty() && !quirks.has(Quirk::NoSystem) {
        messages.push(json!({ "role": "system", "content": std::mem::take(&mut told) }));
    }
    for turn in &turns.turns {
        match turn {
            // Templates without a place for the application get its words with the first line.
            Turn::User(text) if !told.is_empty() => {
                messages.push(json!({ "role": "user", "content": format!("{}\n\n{text}", std::mem::take(&mut told)) }));
            }
            Turn::User(text) => messages.push(json!({ "role": "user", "content": text })),
            Turn::Assistant { text, calls } if calls.is_empty() => {
                messages.push(json!({ "role": "assistant", "content": text }));
            }
            Turn::Assistant { text, calls } => {
                let calls: Vec<Value> = calls
                    .iter()
                    .map(|call| {
                        let arguments = if call.arguments.is_object() { call.arguments.to_string() } else { "{}".to_owned() };
                        json!({ "id": call.id, "type": "function", "function": { "name": call.name, "arguments": arguments } })
                    })
                    .collect();
                let content = if text.is_empty() { Value::Null } else { json!(text) };
                messages.push(json!({ "role": "assistant", "content": content, "tool_calls": calls }));
            }
            Turn::Results(results) => {
                let result =
                    |(id, text): &(String, String)| json!({ "role": "tool", "tool_call_id": id, "content": text });
                messages.extend(results.iter().map(result));
            }
        }
    }

    let mut body = Map::new();
    body.insert("model".to_owned(), json!(endpoint.model));
    body.insert("messages".to_owned(), Value::Array(messages));
    body.insert("stream".to_owned(), json!(true));
    if !quirks.has(Quirk::NoStreamOptions) {
        body.insert("stream_options".to_owned(), json!({ "include_usage": true }));
    }
    // The old name is what local servers know; OpenAI's own models want the new one.
    let new_name = endpoint.base_url.host_str() == Some("api.openai.com");
    let length = if new_name == quirks.has(Quirk::OtherLength) { "max_tokens" } else { "max_completion_tokens" };
    body.insert(length.to_owned(), json!(max_tokens));
    // Models that think take no samplers and no stop texts.
    if !can.thinking && !quirks.has(Quirk::NoSampling) {
        body.insert("temperature".to_owned(), rounded(request.sampling.temperature));
        body.insert("top_p".to_owned(), rounded(request.sampling.top_p));
        if let Some(seed) = request.sampling.seed.filter(|_| !quirks.has(Quirk::NoSeed)) {
            body.insert("seed".to_owned(), json!(seed));
        }
    }
    // Blanks stand in thoughts, too: those are watched for here, behind them.
    let stops: Vec<&String> = request.stop.iter().filter(|stop| !stop.trim().is_empty()).take(STOPS_MAX).collect();
    if !stops.is_empty() && !can.thinking && !quirks.has(Quirk::NoStops) {
        body.insert("stop".to_owned(), json!(stops));
    }
    if let Some(schema) = &request.schema {
        if !quirks.has(Quirk::NoSchema) {
            let form = json!({ "name": schema.name, "strict": true, "schema": schema.json_schema() });
            body.insert("response_format".to_owned(), json!({ "type": "json_schema", "json_schema": form }));
        } else if !quirks.has(Quirk::NoJson) {
            body.insert("response_format".to_owned(), json!({ "type": "json_object" }));
        }
    }
    if can.tools && !request.tools.is_empty() {
        let tools = request.tools.iter();
        let tools = tools
            .map(|t| {
                json!({ "type": "function", "function": { "name": t.name, "description": t.description, "parameters": t.parameters } })
            })
            .collect();
        body.insert("tools".to_owned(), Value::Array(tools));
    }
    Value::Object(body)
}

/// The prompt, with the form of the answer in words where one is wished: many servers take a schema and forget it.
pub(super) fn told(request: &Request) -> Cow<'_, [Message]> {
    let Some(schema) = &request.schema else { return Cow::Borrowed(&request.messages) };
    let mut messages = request.messages.clone();
    match messages.last_mut() {
        Some(last) if last.role == Role::User => last.content = format!("{}\n\n{}", last.content, schema.in_words()),
        _ => messages.push(Message::user(schema.in_words())),
    }
    Cow::Owned(messages)
}

/// A number as people write it: an `f32` as JSON has seventeen digits otherwise.
fn rounded(number: f32) -> Value {
    json!((f64::from(number) * 1000.0).round() / 1000.0)
}

/// Reads chunks.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub usage: Usage,
    pub calls: Calls,
    /// Pieces of a reply have come.
    has_pieces: bool,
}

impl Reader {
    /// What a chunk says.
    pub fn frame(&mut self, data: &str) -> Result<Vec<Event>, Garbled> {
        if data.trim() == "[DONE]" {
            return Ok(vec![Event::Over]);
        }
        let value: Value = lenient::piece(data).map_err(|_| Garbled("sent something that is no JSON"))?;
        self.read(&value, &["delta"])
    }

    /// What an answer says that was not streamed.
    pub fn whole(&mut self, value: &Value) -> Result<Vec<Event>, Garbled> {
        let mut events = self.read(value, &["message", "delta"])?;
        if value.get("choices").is_none() && !matches!(events.as_slice(), [Event::Fails(_)]) {
            return Err(Garbled("sent an answer without a choice"));
        }
        if !events.iter().any(|e| matches!(e, Event::Ends(_) | Event::Refuses | Event::Fails(_))) {
            events.push(Event::Ends(FinishReason::End));
        }
        events.push(Event::Over);
        Ok(events)
    }

    fn read(&mut self, value: &Value, parts: &[&str]) -> Result<Vec<Event>, Garbled> {
        // Google answers with a list of one.
        let first = value.get(0).unwrap_or(value);
        if first.get("error").is_some_and(|e| !e.is_null()) {
            return Ok(vec![Event::Fails(super::fault::Said::of(value))]);
        }
        if value.get("object").and_then(Value::as_str) == Some("error") {
            return Ok(vec![Event::Fails(super::fault::Said::of(value))]);
        }
        self.count(value.get("usage"));
        let mut events = Vec::new();
        // One reply is asked for; whatever else comes is not it.
        let choices = value.get("choices").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let Some(choice) = choices.iter().find(|c| c.get("index").and_then(Value::as_u64).unwrap_or_default() == 0)
        else {
            return Ok(events);
        };
        // Some servers send the other name, and old ones plain text. In a stream, a message after pieces is all of it again.
        let delta = parts.iter().find_map(|key| choice.get(*key).filter(|d| d.is_object()));
        let whole = choice.get("message").filter(|d| d.is_object() && delta.is_none() && !self.has_pieces);
        if let Some(delta) = delta.or(whole) {
            self.has_pieces = true;
            self.delta(delta, &mut events)?;
        } else if let Some(text) = choice.get("text").and_then(Value::as_str).filter(|t| !t.is_empty()) {
            events.push(Event::Text(text.to_owned()));
        }
        self.count(choice.get("usage"));
        match choice.get("finish_reason").and_then(Value::as_str) {
            None | Some("") => {}
            Some("length" | "max_tokens") => events.push(Event::Ends(FinishReason::Length)),
            Some("content_filter") => events.push(Event::Refuses),
            Some("tool_calls" | "function_call") => events.push(Event::Ends(FinishReason::ToolUse)),
            // OpenRouter says this when the model behind it broke off.
            Some("error") => events.push(Event::Fails(super::fault::Said::default())),
            Some(_) => events.push(Event::Ends(FinishReason::End)),
        }
        Ok(events)
    }

    fn delta(&mut self, delta: &Value, events: &mut Vec<Event>) -> Result<(), Garbled> {
        for key in ["reasoning_content", "reasoning", "reasoning_details", "thinking", "thinking_blocks", "thought"] {
            if delta.get(key).is_some_and(|thought| !thought.is_null() && thought.as_str() != Some("")) {
                events.push(Event::Thinks);
            }
        }
        // A refusal is what the model says instead.
        for key in ["content", "refusal"] {
            match delta.get(key) {
                Some(Value::String(text)) if !text.is_empty() => events.push(Event::Text(text.clone())),
                Some(Value::Array(parts)) => events.extend(parts.iter().filter_map(part)),
                _ => {}
            }
        }
        let old = delta.get("function_call").filter(|call| call.is_object());
        let calls = delta.get("tool_calls").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (call, function) in calls.iter().map(|c| (c, c.get("function"))).chain(old.map(|c| (c, Some(c)))) {
            let word = |value: Option<&Value>, key: &str| {
                value.and_then(|v| v.get(key)).and_then(Value::as_str).unwrap_or_default().to_owned()
            };
            let (id, name) = (word(Some(call), "id"), word(function, "name"));
            let index = call.get("index").and_then(Value::as_u64);
            let arguments = function.and_then(|f| f.get("arguments"));
            self.calls
                .add(&Piece { index, id: &id, name: &name, arguments })
                .map_err(|_| Garbled("sent more tool calls than one reply can hold"))?;
            events.push(Event::Work);
        }
        Ok(())
    }

    fn count(&mut self, usage: Option<&Value>) {
        let Some(usage) = usage.filter(|u| u.is_object()) else { return };
        self.usage.prompt = count(usage.get("prompt_tokens")).or(self.usage.prompt);
        self.usage.reply = count(usage.get("completion_tokens")).or(self.usage.reply);
        let cached =
            usage.pointer("/prompt_tokens_details/cached_tokens").or_else(|| usage.get("prompt_cache_hit_tokens"));
        self.usage.cached = count(cached).unwrap_or(self.usage.cached);
        let written = usage.pointer("/prompt_tokens_details/cache_write_tokens");
        self.usage.cache_write = count(written).unwrap_or(self.usage.cache_write);
    }
}

/// A part of a text that has parts: Mistral's thoughts are parts of their own kind.
fn part(part: &Value) -> Option<Event> {
    match part.get("type").and_then(Value::as_str).unwrap_or("text") {
        "text" | "output_text" | "refusal" => {
            let text = part.get("text").and_then(Value::as_str).filter(|text| !text.is_empty())?;
            Some(Event::Text(text.to_owned()))
        }
        _ => Some(Event::Thinks),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ai::{Capabilities, Message, ToolCall, ToolSpec};

    #[test]
    fn only_what_every_server_knows_is_sent() {
        let can = Capabilities { tools: true, prefill: true, ..Default::default() };
        let call = ToolCall { id: "t1".into(), name: "look".into(), arguments: json!({ "a": 1 }), fault: None };
        let mut request = Request::new(vec![
            Message::system("You are Mira."),
            Message::user("Hello"),
            Message::calling("", vec![call]),
            Message::tool("t1", "a door"),
        ]);
        request.prefill = "I see".into();
        request.stop = ["a", "b", "c", "d", "e"].map(String::from).to_vec();
        request.sampling.seed = Some(7);
        request.tools = vec![ToolSpec {
            name: "look".into(),
            description: "Looks.".into(),
            parameters: json!({ "type": "object" }),
        }];
        assert_eq!(
            body(&request, &Endpoint::example("http://127.0.0.1:1/v1", can), Quirks::default(), 300),
            json!({
                "model": "m-1", "stream": true, "stream_options": { "include_usage": true }, "max_tokens": 300,
                "temperature": 0.5, "top_p": 0.92, "seed": 7, "stop": ["a", "b", "c", "d"],
                "messages": [
                    { "role": "system", "content": "You are Mira." },
                    { "role": "user", "content": "Hello" },
                    { "role": "assistant", "content": null, "tool_calls": [
                        { "id": "t1", "type": "function", "function": { "name": "look", "arguments": "{\"a\":1}" } }
                    ] },
                    { "role": "tool", "tool_call_id": "t1", "content": "a door" },
                    { "role": "assistant", "content": "I see" }
                ],
                "tools": [{ "type": "function", "function":
                    { "name": "look", "description": "Looks.", "parameters": { "type": "object" } } }]
            })
        );

        let thinking = Capabilities { thinking: true, ..Default::default() };
        let own = body(&request, &Endpoint::example("https://api.openai.com/v1", thinking), Quirks::default(), 300);
        assert_eq!(own["max_completion_tokens"], 300);
        for absent in ["max_tokens", "temperature", "top_p", "stop", "tools"] {
            assert!(own.get(absent).is_none(), "{absent}");
        }
        let one = |quirk| body(&request, &Endpoint::example("http://127.0.0.1:1/v1", can), Quirks::of(&[quirk]), 300);
        assert!(one(Quirk::NoSeed).get("seed").is_none() && one(Quirk::NoSeed)["temperature"] == 0.5);
        let first = &one(Quirk::NoSystem)["messages"][0];
        assert_eq!(*first, json!({ "role": "user", "content": "You are Mira.\n\nHello" }));
        let all = [Quirk::NoStreamOptions, Quirk::OtherLength, Quirk::NoSampling, Quirk::NoPrefill, Quirk::NoStops];
        let odd = body(&request, &Endpoint::example("http://127.0.0.1:1/v1", can), Quirks::of(&all), 300);
        assert_eq!(odd["max_completion_tokens"], 300);
        for absent in ["max_tokens", "temperature", "seed", "stop", "stream_options"] {
            assert!(odd.get(absent).is_none(), "{absent}");
        }
        assert_eq!(odd["messages"].as_array().unwrap().last().unwrap()["role"], "user");
    }

    #[test]
    fn a_wished_form_is_a_schema_then_json_then_words() {
        let mut request = Request::new(vec![Message::user("Who?")]);
        let fields = vec![crate::ai::schema::Field::text("name", "a name", 9)];
        request.schema = Some(std::sync::Arc::new(crate::ai::Schema { name: "sheet", fields }));
        let of = |quirks: &[Quirk]| {
            body(
                &request,
                &Endpoint::example("http://127.0.0.1:1/v1", Capabilities::default()),
                Quirks::of(quirks),
                300,
            )
        };
        let first = of(&[]);
        assert_eq!(first["response_format"]["json_schema"]["schema"]["required"], json!(["name"]));
        assert_eq!(first["response_format"]["json_schema"]["strict"], true);
        assert_eq!(of(&[Quirk::NoSchema])["response_format"], json!({ "type": "json_object" }));
        let words = of(&[Quirk::NoSchema, Quirk::NoJson]);
        assert!(words.get("response_format").is_none());
        for body in [first, words] {
            let asked = body["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap();
            assert!(asked.starts_with("Who?") && asked.contains("one JSON object"), "{asked}");
        }
    }

    fn read(chunks: &[Value]) -> (Vec<Event>, Reader) {
        let mut reader = Reader::default();
        let mut events = Vec::new();
        for chunk in chunks {
            events.extend(reader.frame(&chunk.to_string()).expect("a chunk"));
        }
        events.retain(|event| !matches!(event, Event::Work | Event::Thinks));
        (events, reader)
    }

    #[test]
    fn chunks_of_all_habits_are_read() {
        let (events, reader) = read(&[
            json!({ "choices": [{ "index": 0, "delta": { "role": "assistant", "content": null, "reasoning_content": "hm" } }] }),
            json!({ "choices": [{ "index": 0, "delta": null }] }),
            json!({ "choices": [{ "delta": { "content": "Hi" }, "finish_reason": null }], "usage": null, "obfuscation": "x" }),
            json!({ "choices": [{ "index": 1, "delta": { "content": "other" } }] }),
            json!({ "choices": [{ "index": 0, "delta": { "content": [{ "type": "text", "text": " there" }] } }] }),
            json!({ "choices": [{ "index": 0, "delta": { "content": "" }, "finish_reason": "length" }] }),
            json!({ "choices": [], "usage": { "prompt_tokens": 50, "completion_tokens": 7, "prompt_tokens_details": { "cached_tokens": 40 } } }),
        ]);
        assert_eq!(events, [Event::Text("Hi".into()), Event::Text(" there".into()), Event::Ends(FinishReason::Length)]);
        assert_eq!(reader.usage, Usage { prompt: Some(50), cached: 40, cache_write: 0, reply: Some(7) });
        assert_eq!(Reader::default().frame(" [DONE]"), Ok(vec![Event::Over]));
        assert!(Reader::default().frame("data").is_err());
    }

    #[test]
    fn failures_inside_a_good_answer_are_seen() {
        for body in [
            json!({ "error": { "message": "no", "code": 502 } }),
            json!({ "object": "error", "message": "no", "code": 400 }),
            json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "error" }] }),
        ] {
            assert!(matches!(read(&[body]).0.as_slice(), [Event::Fails(_)]));
        }
        assert_eq!(
            read(&[json!({ "choices": [{ "delta": {}, "finish_reason": "content_filter" }] })]).0,
            [Event::Refuses]
        );
    }

    #[test]
    fn answers_that_are_not_streamed_are_read() {
        let mut reader = Reader::default();
        let whole = json!({
            "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": "Hi",
                "tool_calls": [{ "id": "a", "type": "function", "function": { "name": "look", "arguments": {} } }] } }],
            "usage": { "prompt_tokens": 5, "completion_tokens": 2 }
        });
        let events = reader.whole(&whole).expect("an answer");
        assert_eq!(events.first(), Some(&Event::Text("Hi".into())));
        assert_eq!(events.get(events.len() - 2..), Some([Event::Ends(FinishReason::End), Event::Over].as_slice()));
        assert_eq!(reader.calls.finish(&[]).len(), 1);
        assert!(Reader::default().whole(&json!({ "hello": 1 })).is_err());
        assert!(Reader::default().whole(&json!([])).is_err());
    }
}
