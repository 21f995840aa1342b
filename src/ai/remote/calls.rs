//! Tool calls put together from the pieces in which servers send them, by nine rules that real servers taught.
//!
//! 1. A piece belongs to its `index`; without one, to the open call of the same `id`, to a new call when it brings a new
//!    id or name, else to the last. 2. A call without an id gets one. 3. Arguments may be an object, empty, or whole in one
//!    piece. 4. One index with two ids is two calls. 5. That there are calls decides, not what `finish_reason` says.
//!    6 to 8 are about the stream and live in `call` and `openai`. 9. Arguments are checked against the schema before
//!    anybody acts on them.

use crate::ai::{ToolCall, ToolSpec};
use serde_json::Value;

/// Calls in one reply; more are a model that went astray.
const MOST: usize = 32;
/// Longest arguments in bytes.
const ARGUMENTS_MAX: usize = 200_000;

/// A call while it comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Open {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
}

/// One piece of a call.
#[derive(Clone, Debug, Default)]
pub(super) struct Piece<'a> {
    pub index: Option<u64>,
    pub id: &'a str,
    pub name: &'a str,
    /// Text to add, or a whole object.
    pub arguments: Option<&'a Value>,
}

/// More calls, or longer ones, than any reply has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMuch;

/// All calls of a reply.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    open: Vec<Open>,
}

impl Calls {
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes one piece.
    pub fn add(&mut self, piece: &Piece<'_>) -> Result<(), TooMuch> {
        let at = self.slot(piece);
        let at = match at {
            Some(at) => at,
            None if self.open.len() >= MOST => return Err(TooMuch),
            None => {
                self.open.push(Open { index: piece.index, ..Open::default() });
                self.open.len() - 1
            }
        };
        let Some(open) = self.open.get_mut(at) else { return Ok(()) };
        if open.id.is_empty() {
            open.id.push_str(piece.id);
        }
        // Some servers send the name again with every piece, none sends it in pieces.
        if open.name.is_empty() {
            open.name.push_str(piece.name);
        }
        match piece.arguments {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => open.arguments.push_str(text),
            Some(other) => open.arguments.push_str(&other.to_string()),
        }
        if open.arguments.len() > ARGUMENTS_MAX { Err(TooMuch) } else { Ok(()) }
    }

    /// The call that a piece belongs to; `None` for a new one.
    fn slot(&self, piece: &Piece<'_>) -> Option<usize> {
        let same_id = |open: &Open| piece.id.is_empty() || open.id.is_empty() || open.id == piece.id;
        if piece.index.is_some() {
            // The last one of this index, since an index may be used twice.
            let at = self.open.iter().rposition(|open| open.index == piece.index)?;
            return self.open.get(at).is_some_and(same_id).then_some(at);
        }
        if !piece.id.is_empty() {
            return self.open.iter().position(|open| open.id == piece.id);
        }
        if !piece.name.is_empty() && self.open.last().is_some_and(|open| open.name != piece.name) {
            return None;
        }
        self.open.len().checked_sub(1)
    }

    /// The calls, checked against the tools that there are.
    pub fn finish(self, tools: &[ToolSpec]) -> Vec<ToolCall> {
        let mut done: Vec<ToolCall> = Vec::new();
        for (n, open) in self.open.into_iter().enumerate() {
            let mut id = open.id;
            if id.is_empty() || done.iter().any(|call| call.id == id) {
                id = format!("call_{n}");
            }
            let text = open.arguments.trim();
            let read =
                if text.is_empty() { Ok(Value::Object(serde_json::Map::new())) } else { serde_json::from_str(text) };
            let (arguments, fault) = match read {
                Ok(arguments) => {
                    let fault = fault(tools, &open.name, &arguments);
                    (arguments, fault)
                }
                Err(error) => (
                    Value::Null,
                    Some(format!(
                        "The arguments are not valid JSON (line {}, column {}).",
                        error.line(),
                        error.column()
                    )),
                ),
            };
            done.push(ToolCall { id, name: open.name, arguments, fault });
        }
        done
    }
}

/// What keeps a call from being carried out, as a sentence for the model.
fn fault(tools: &[ToolSpec], name: &str, arguments: &Value) -> Option<String> {
    let Some(tool) = tools.iter().find(|tool| tool.name == name) else {
        let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
        return Some(format!("There is no tool of this name. There are: {}.", names.join(", ")));
    };
    let Value::Object(given) = arguments else { return Some("The arguments must be an object.".to_owned()) };
    let required = tool.parameters.get("required").and_then(Value::as_array);
    let missing = required.into_iter().flatten().filter_map(Value::as_str).find(|field| !given.contains_key(*field));
    if let Some(field) = missing {
        return Some(format!("“{field}” is missing."));
    }
    let known = tool.parameters.get("properties").and_then(Value::as_object);
    let closed = tool.parameters.get("additionalProperties") == Some(&Value::Bool(false));
    for (field, value) in given {
        match known.and_then(|known| known.get(field)) {
            Some(schema) => {
                if let Some(wanted) = misfit(schema, value) {
                    return Some(format!("“{field}” must be {wanted}."));
                }
            }
            None if closed => {
                return Some(format!("There is no argument “{}”.", field.chars().take(60).collect::<String>()));
            }
            None => {}
        }
    }
    None
}

/// What a value should have been; the tool itself checks the rest.
fn misfit(schema: &Value, value: &Value) -> Option<String> {
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        return Some(format!("one of {}", allowed.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")));
    }
    let fits = |wanted: &str| match wanted {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    };
    match schema.get("type")? {
        Value::String(wanted) if !fits(wanted) => Some(format!("of the type {wanted}")),
        Value::Array(all) if !all.iter().filter_map(Value::as_str).any(fits) => {
            Some(format!("of one of the types {}", all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tools() -> Vec<ToolSpec> {
        let tool = |name: &str| ToolSpec {
            name: name.into(),
            description: String::new(),
            parameters: json!({
                "type": "object",
                "properties": { "to": { "type": "string" }, "n": { "type": "integer" }, "how": { "enum": ["soft", "loud"] } },
                "required": ["to"],
                "additionalProperties": false
            }),
        };
        vec![tool("gift"), tool("say")]
    }

    fn put(pieces: &[(Option<u64>, &str, &str, Value)]) -> Vec<ToolCall> {
        let mut calls = Calls::default();
        for (index, id, name, arguments) in pieces {
            calls.add(&Piece { index: *index, id, name, arguments: Some(arguments) }).expect("few");
        }
        calls.finish(&tools())
    }

    fn short(calls: &[ToolCall]) -> Vec<(&str, &str, String)> {
        calls.iter().map(|c| (c.id.as_str(), c.name.as_str(), c.arguments.to_string())).collect()
    }

    #[test]
    fn pieces_are_joined_by_index() {
        let calls = put(&[
            (Some(0), "a", "gift", json!("")),
            (Some(1), "b", "say", json!("{\"to\"")),
            (Some(0), "", "", json!("{\"to\":")),
            (Some(1), "", "", json!(":\"Io\"}")),
            (Some(0), "", "", json!("\"Mira\"}")),
        ]);
        assert_eq!(short(&calls), [("a", "gift", "{\"to\":\"Mira\"}".into()), ("b", "say", "{\"to\":\"Io\"}".into())]);
        assert!(calls.iter().all(|c| c.fault.is_none()));
    }

    #[test]
    fn pieces_without_an_index_find_their_call() {
        let calls = put(&[
            (None, "a", "gift", json!("{\"to\":")),
            (None, "a", "", json!("\"Mi")),
            (None, "", "", json!("ra\"}")),
            (None, "b", "gift", json!("{\"to\":\"Io\"}")),
            (None, "", "say", json!({ "to": "Ann" })),
        ]);
        assert_eq!(
            short(&calls),
            [
                ("a", "gift", "{\"to\":\"Mira\"}".into()),
                ("b", "gift", "{\"to\":\"Io\"}".into()),
                ("call_2", "say", "{\"to\":\"Ann\"}".into()),
            ]
        );
    }

    #[test]
    fn one_index_with_two_ids_is_two_calls() {
        let calls = put(&[
            (Some(0), "a", "gift", json!("{\"to\":\"x\"}")),
            (Some(0), "b", "gift", json!("{\"to\":")),
            (Some(0), "b", "", json!("\"y\"}")),
        ]);
        assert_eq!(short(&calls), [("a", "gift", "{\"to\":\"x\"}".into()), ("b", "gift", "{\"to\":\"y\"}".into())]);
    }

    #[test]
    fn ids_are_made_and_never_shared() {
        let calls = put(&[
            (Some(0), "", "gift", json!({"to": "x"})),
            (Some(1), "", "gift", json!({"to": "y"})),
            (Some(2), "c", "say", json!({"to": "z"})),
            (Some(3), "c", "say", json!({"to": "z"})),
        ]);
        assert_eq!(calls.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(), ["call_0", "call_1", "c", "call_3"]);
    }

    #[test]
    fn what_cannot_be_carried_out_says_why() {
        let why =
            |name: &str, arguments: Value| put(&[(None, "a", name, arguments)]).remove(0).fault.unwrap_or_default();
        assert_eq!(why("gift", json!("")), "“to” is missing.");
        assert!(why("gift", json!("{\"to\": \"x\"")).starts_with("The arguments are not valid JSON"));
        assert_eq!(why("gift", json!("[1]")), "The arguments must be an object.");
        assert_eq!(why("gift", json!({ "to": 5 })), "“to” must be of the type string.");
        assert_eq!(why("gift", json!({ "to": "x", "n": 1.5 })), "“n” must be of the type integer.");
        assert_eq!(why("gift", json!({ "to": "x", "how": "hard" })), "“how” must be one of \"soft\", \"loud\".");
        assert_eq!(why("gift", json!({ "to": "x", "who": 1 })), "There is no argument “who”.");
        assert_eq!(why("give", json!({ "to": "x" })), "There is no tool of this name. There are: gift, say.");
        assert_eq!(why("gift", json!({ "to": "x", "n": 2.0 })), "");
    }

    #[test]
    fn there_is_an_end_to_it() {
        let mut calls = Calls::default();
        for n in 0..MOST {
            let id = n.to_string();
            assert_eq!(calls.add(&Piece { index: None, id: &id, name: "x", arguments: None }), Ok(()));
        }
        assert_eq!(calls.add(&Piece { index: None, id: "z", name: "x", arguments: None }), Err(TooMuch));
        let long = Value::String("a".repeat(ARGUMENTS_MAX + 1));
        assert_eq!(calls.add(&Piece { index: None, id: "0", name: "", arguments: Some(&long) }), Err(TooMuch));
    }
}
