//! Anthropic's Messages API: bodies and events.
//!
//! No sampling is sent: newer versions of the API refuse it, and its models need none. The version is pinned to the one
//! that every server of the protocol knows.

use super::{
    Endpoint,
    calls::{Calls, Piece},
    event::{Event, Garbled, Usage, count},
    openai::told,
    standing::{Quirk, Quirks},
    turns::{Turn, Turns},
};
use crate::{
    ai::{FinishReason, Request},
    lenient,
};
use serde_json::{Map, Value, json};

/// Version of the API.
pub(super) const VERSION: &str = "2023-06-01";
/// Stop texts that the API takes.
const STOPS_MAX: usize = 8;

/// What is sent.
pub(super) fn body(request: &Request, endpoint: &Endpoint, quirks: Quirks, max_tokens: u32) -> Value {
    let can = endpoint.capabilities;
    let mouth = can.prefill && !quirks.has(Quirk::NoPrefill);
    let turns = Turns::of(&told(request), can.tools, &request.prefill, mouth);
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(endpoint.model));
    body.insert("max_tokens".to_owned(), json!(max_tokens));
    body.insert("stream".to_owned(), json!(true));

    // The first block is who the character is; it stays the same from line to line. Later ones may not.
    let system: Vec<Value> =
        turns.system.iter().enumerate().map(|(i, text)| block(text, can.prompt_cache && i == 0)).collect();
    if !system.is_empty() {
        body.insert("system".to_owned(), Value::Array(system));
    }
    // The second mark: what was said before the newest line is read again with the next one.
    let marked = turns.turns.iter().take(turns.settled).rposition(|turn| matches!(turn, Turn::Assistant { .. }));
    let marked = marked.filter(|_| can.prompt_cache);
    let messages =
        turns.turns.iter().enumerate().map(|(i, turn)| message(turn, marked == Some(i))).fold(Vec::new(), merge);
    body.insert("messages".to_owned(), Value::Array(messages));

    let form = request.schema.as_ref().filter(|_| !quirks.has(Quirk::NoSchema));
    if let Some(form) = form {
        let tool =
            json!({ "name": form.name, "description": "Writes the answer down.", "input_schema": form.json_schema() });
        body.insert("tools".to_owned(), json!([tool]));
        body.insert("tool_choice".to_owned(), json!({ "type": "tool", "name": form.name }));
    } else if can.tools && !request.tools.is_empty() {
        let tools = request.tools.iter();
        let tools = tools
            .map(|t| json!({ "name": t.name, "description": t.description, "input_schema": t.parameters }))
            .collect();
        body.insert("tools".to_owned(), Value::Array(tools));
    }
    // Whitespace alone is refused; those are watched for here.
    let stops: Vec<&String> = request.stop.iter().filter(|stop| !stop.trim().is_empty()).take(STOPS_MAX).collect();
    if !stops.is_empty() && !quirks.has(Quirk::NoStops) {
        body.insert("stop_sequences".to_owned(), json!(stops));
    }
    Value::Object(body)
}

fn block(text: &str, mark: bool) -> Value {
    let mut block = json!({ "type": "text", "text": text });
    set_mark(&mut block, mark);
    block
}

fn set_mark(block: &mut Value, mark: bool) {
    if mark && let Some(block) = block.as_object_mut() {
        block.insert("cache_control".to_owned(), json!({ "type": "ephemeral" }));
    }
}

fn message(turn: &Turn, mark: bool) -> Value {
    let (role, mut blocks) = match turn {
        Turn::User(text) => ("user", vec![block(text, false)]),
        Turn::Assistant { text, calls } => {
            let mut blocks = if text.is_empty() { Vec::new() } else { vec![block(text, false)] };
            for call in calls {
                let input = if call.arguments.is_object() { call.arguments.clone() } else { json!({}) };
                blocks.push(json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": input }));
            }
            ("assistant", blocks)
        }
        Turn::Results(results) => {
            let result =
                |(id, text): &(String, String)| json!({ "type": "tool_result", "tool_use_id": id, "content": text });
            ("user", results.iter().map(result).collect())
        }
    };
    if let Some(last) = blocks.last_mut() {
        set_mark(last, mark);
    }
    json!({ "role": role, "content": blocks })
}

/// Results and the person's next line are one message, results first.
fn merge(mut all: Vec<Value>, next: Value) -> Vec<Value> {
    if let Some(last) = all.last_mut()
        && last.get("role") == next.get("role")
        && let Some(known) = last.get_mut("content").and_then(Value::as_array_mut)
        && let Some(more) = next.get("content").and_then(Value::as_array)
    {
        known.extend(more.iter().cloned());
    } else {
        all.push(next);
    }
    all
}

/// Reads events.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub usage: Usage,
    pub calls: Calls,
    /// What a tool is called with is the reply itself.
    pub form: bool,
    /// Counts of the prompt, of which the API gives three.
    parts: [Option<u32>; 3],
}

impl Reader {
    /// `form`: what a tool is called with is the reply itself.
    pub fn of(form: bool) -> Self {
        Self { form, ..Self::default() }
    }

    /// What an event says.
    pub fn frame(&mut self, data: &str) -> Result<Vec<Event>, Garbled> {
        // Gateways end it as they end the other protocol.
        if data.trim() == "[DONE]" {
            return Ok(vec![Event::Over]);
        }
        let value: Value = lenient::piece(data).map_err(|_| Garbled("sent something that is no JSON"))?;
        let index = value.get("index").and_then(Value::as_u64);
        let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
        Ok(match kind {
            "message_start" => {
                self.count(value.pointer("/message/usage"));
                Vec::new()
            }
            "content_block_start" => self.start(index, value.get("content_block"))?,
            "content_block_delta" => self.delta(index, value.get("delta"))?,
            "message_delta" => {
                self.count(value.get("usage"));
                ends(value.pointer("/delta/stop_reason"))
            }
            "message_stop" => vec![Event::Over],
            "error" => vec![Event::Fails(super::fault::Said::of(&value))],
            // Some gateways send a failure without its kind.
            _ if value.get("error").is_some_and(|e| !e.is_null()) => vec![Event::Fails(super::fault::Said::of(&value))],
            // Pings, ends of blocks, and whatever is added to the protocol.
            _ => Vec::new(),
        })
    }

    /// What an answer says that was not streamed.
    pub fn whole(&mut self, value: &Value) -> Result<Vec<Event>, Garbled> {
        if value.get("error").is_some_and(|e| !e.is_null()) {
            return Ok(vec![Event::Fails(super::fault::Said::of(value))]);
        }
        let Some(blocks) = value.get("content").and_then(Value::as_array) else {
            return Err(Garbled("sent an answer without content"));
        };
        self.count(value.get("usage"));
        let mut events = Vec::new();
        for (at, block) in (0..).zip(blocks) {
            events.extend(self.start(Some(at), Some(block))?);
        }
        let end = ends(value.get("stop_reason"));
        events.extend(if end.is_empty() { vec![Event::Ends(FinishReason::End)] } else { end });
        events.push(Event::Over);
        Ok(events)
    }

    fn start(&mut self, index: Option<u64>, block: Option<&Value>) -> Result<Vec<Event>, Garbled> {
        let Some(block) = block else { return Ok(Vec::new()) };
        let word = |key: &str| block.get(key).and_then(Value::as_str).unwrap_or_default();
        match word("type") {
            "text" if word("text").is_empty() => Ok(Vec::new()),
            "text" => Ok(vec![Event::Text(word("text").to_owned())]),
            "tool_use" => {
                // Streamed, the input is an empty object here and comes in pieces.
                let input = block.get("input").filter(|input| input.as_object().is_some_and(|o| !o.is_empty()));
                if self.form {
                    return Ok(input.map_or_else(|| vec![Event::Work], |input| vec![Event::Text(input.to_string())]));
                }
                self.add(&Piece { index, id: word("id"), name: word("name"), arguments: input })
            }
            "thinking" | "redacted_thinking" => Ok(vec![Event::Thinks]),
            _ => Ok(vec![Event::Work]),
        }
    }

    fn delta(&mut self, index: Option<u64>, delta: Option<&Value>) -> Result<Vec<Event>, Garbled> {
        let Some(delta) = delta else { return Ok(Vec::new()) };
        match delta.get("type").and_then(Value::as_str).unwrap_or_default() {
            "text_delta" => {
                let text = delta.get("text").and_then(Value::as_str).unwrap_or_default();
                Ok(if text.is_empty() { Vec::new() } else { vec![Event::Text(text.to_owned())] })
            }
            "input_json_delta" if self.form => {
                let piece = delta.get("partial_json").and_then(Value::as_str).filter(|piece| !piece.is_empty());
                Ok(piece.map_or_else(Vec::new, |piece| vec![Event::Text(piece.to_owned())]))
            }
            "input_json_delta" => self.add(&Piece { index, id: "", name: "", arguments: delta.get("partial_json") }),
            "thinking_delta" => Ok(vec![Event::Thinks]),
            _ => Ok(Vec::new()),
        }
    }

    fn add(&mut self, piece: &Piece<'_>) -> Result<Vec<Event>, Garbled> {
        self.calls.add(piece).map_err(|_| Garbled("sent more tool calls than one reply can hold"))?;
        Ok(vec![Event::Work])
    }

    /// Counts are cumulative: a later one replaces an earlier one, an absent one changes nothing.
    fn count(&mut self, usage: Option<&Value>) {
        let Some(usage) = usage else { return };
        let keys = ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"];
        for (part, key) in self.parts.iter_mut().zip(keys) {
            *part = count(usage.get(key)).or(*part);
        }
        let [fresh, read, written] = self.parts;
        self.usage.cached = read.unwrap_or_default();
        self.usage.cache_write = written.unwrap_or_default();
        self.usage.prompt = fresh.map(|n| n.saturating_add(self.usage.cached).saturating_add(self.usage.cache_write));
        self.usage.reply = count(usage.get("output_tokens")).or(self.usage.reply);
    }
}

fn ends(reason: Option<&Value>) -> Vec<Event> {
    let Some(reason) = reason.and_then(Value::as_str) else { return Vec::new() };
    vec![match reason {
        "max_tokens" | "model_context_window_exceeded" => Event::Ends(FinishReason::Length),
        "stop_sequence" => Event::Ends(FinishReason::Stop),
        "tool_use" => Event::Ends(FinishReason::ToolUse),
        "refusal" => Event::Refuses,
        _ => Event::Ends(FinishReason::End),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ai::{Capabilities, Message, ToolCall, ToolSpec};

    #[test]
    fn the_prompt_is_in_order_and_marked() {
        let can = Capabilities { prompt_cache: true, tools: true, prefill: true, ..Default::default() };
        let call = ToolCall { id: "t1".into(), name: "look".into(), arguments: Value::Null, fault: Some("x".into()) };
        let mut request = Request::new(vec![
            Message::system("You are Mira."),
            Message::system("It rains."),
            Message::assistant("Come in."),
            Message::user("Hello"),
            Message::calling("Wait.", vec![call]),
            Message::tool("t1", "a door"),
            Message::user("Well?"),
        ]);
        request.prefill = "I see ".into();
        request.stop = vec!["\n".into(), "\nAnn:".into()];
        request.tools = vec![ToolSpec {
            name: "look".into(),
            description: "Looks.".into(),
            parameters: json!({ "type": "object" }),
        }];
        let mark = json!({ "type": "ephemeral" });
        assert_eq!(
            body(&request, &Endpoint::example("https://api.acme.example", can), Quirks::default(), 300),
            json!({
                "model": "m-1", "max_tokens": 300, "stream": true,
                "system": [
                    { "type": "text", "text": "You are Mira.", "cache_control": mark },
                    { "type": "text", "text": "It rains." }
                ],
                "messages": [
                    { "role": "user", "content": [{ "type": "text", "text": "(The conversation begins.)" }] },
                    { "role": "assistant", "content": [{ "type": "text", "text": "Come in." }] },
                    { "role": "user", "content": [{ "type": "text", "text": "Hello" }] },
                    { "role": "assistant", "content": [
                        { "type": "text", "text": "Wait." },
                        { "type": "tool_use", "id": "t1", "name": "look", "input": {}, "cache_control": mark }
                    ] },
                    { "role": "user", "content": [
                        { "type": "tool_result", "tool_use_id": "t1", "content": "a door" },
                        { "type": "text", "text": "Well?" }
                    ] },
                    { "role": "assistant", "content": [{ "type": "text", "text": "I see" }] }
                ],
                "tools": [{ "name": "look", "description": "Looks.", "input_schema": { "type": "object" } }],
                "stop_sequences": ["\nAnn:"]
            })
        );
        let plain = body(
            &request,
            &Endpoint::example("https://api.acme.example", Capabilities::default()),
            Quirks::of(&[Quirk::NoStops]),
            300,
        )
        .to_string();
        for absent in ["cache_control", "tool", "stop_sequences", "temperature"] {
            assert!(!plain.contains(absent), "{absent} in {plain}");
        }
        assert!(plain.contains("<begun>I see</begun>"), "{plain}");
    }

    #[test]
    fn a_wished_form_is_a_tool_that_must_be_used() {
        let mut request = Request::new(vec![Message::user("Who?")]);
        let fields = vec![crate::ai::schema::Field::text("name", "a name", 9)];
        request.schema = Some(std::sync::Arc::new(crate::ai::Schema { name: "sheet", fields }));
        let endpoint = Endpoint::example("https://api.acme.example", Capabilities::default());
        let forced = body(&request, &endpoint, Quirks::default(), 300);
        assert_eq!(forced["tool_choice"], json!({ "type": "tool", "name": "sheet" }));
        assert_eq!(forced["tools"][0]["input_schema"]["required"], json!(["name"]));
        let told = body(&request, &endpoint, Quirks::of(&[Quirk::NoSchema]), 300).to_string();
        assert!(!told.contains("tool_choice") && told.contains("one JSON object"), "{told}");

        // What the tool is called with is the reply.
        let mut reader = Reader::of(true);
        let mut said = String::new();
        for data in [
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"sheet","input":{}}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"name\":"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"\"Mira\"}"}}"#,
        ] {
            for event in reader.frame(data).expect("an event") {
                if let Event::Text(text) = event {
                    said.push_str(&text);
                }
            }
        }
        assert_eq!(said, r#"{"name":"Mira"}"#);
        assert!(reader.calls.is_empty());
        let whole = json!({ "content": [{ "type": "tool_use", "id": "t", "name": "sheet", "input": { "name": "Mira" } }], "stop_reason": "tool_use" });
        let mut reader = Reader::of(true);
        assert_eq!(reader.whole(&whole).expect("an answer").first(), Some(&Event::Text(r#"{"name":"Mira"}"#.into())));
    }

    #[test]
    fn events_are_read_and_costs_replaced() {
        let mut reader = Reader::default();
        let mut events = Vec::new();
        for data in [
            r#"{"type":"message_start","message":{"id":"m","content":[],"usage":{"input_tokens":10,"cache_creation_input_tokens":5,"cache_read_input_tokens":100,"output_tokens":1}}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"secret"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"xx"}}"#,
            r#"{"type":"ping"}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hi"}}"#,
            r#"{"type":"content_block_stop","index":1}"#,
            r#"{"type":"something_new","index":1}"#,
            r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"look","input":{}}}"#,
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}"#,
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}"#,
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1}"}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":20}}"#,
            r#"{"type":"message_stop"}"#,
        ] {
            events.extend(reader.frame(data).expect("an event"));
        }
        events.retain(|event| !matches!(event, Event::Work | Event::Thinks));
        assert_eq!(events, [Event::Text("Hi".into()), Event::Ends(FinishReason::ToolUse), Event::Over]);
        assert_eq!(reader.usage, Usage { prompt: Some(115), cached: 100, cache_write: 5, reply: Some(20) });
        let calls = reader.calls.finish(&[]);
        assert_eq!((calls[0].id.as_str(), calls[0].arguments.clone()), ("t", json!({ "a": 1 })));
    }

    #[test]
    fn other_ends() {
        let mut reader = Reader::default();
        let mut end = |reason: &str| {
            let data = json!({ "type": "message_delta", "delta": { "stop_reason": reason }, "usage": {} });
            reader.frame(&data.to_string()).expect("an event")
        };
        assert_eq!(end("end_turn"), [Event::Ends(FinishReason::End)]);
        assert_eq!(end("max_tokens"), [Event::Ends(FinishReason::Length)]);
        assert_eq!(end("model_context_window_exceeded"), [Event::Ends(FinishReason::Length)]);
        assert_eq!(end("stop_sequence"), [Event::Ends(FinishReason::Stop)]);
        assert_eq!(end("refusal"), [Event::Refuses]);
        assert_eq!(end("invented_later"), [Event::Ends(FinishReason::End)]);
        let failed = reader.frame(r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#);
        assert!(matches!(failed.as_deref(), Ok([Event::Fails(said)]) if said.kind == "overloaded_error"));
        assert!(reader.frame("<html>").is_err());
    }
}
