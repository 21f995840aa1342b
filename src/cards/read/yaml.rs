//! YAML of characters, as text-generation-webui writes it. References (`*name`) are refused: they multiply what is read.

use crate::cards::Refused;
use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Number, Value};

/// How deep lists may stand in lists.
const DEPTH_MAX: usize = 32;
/// Most values of a text.
const VALUES_MAX: usize = 20_000;

/// A list or a table that is not closed yet.
enum Open {
    List(Vec<Value>),
    Table(Map<String, Value>, Option<String>),
}

/// Reads the first document of a text; only a table can be a card.
///
/// # Errors
/// When it is no YAML, or no table, or too deep.
pub(super) fn read(text: &str) -> Result<Value, Refused> {
    let mut open: Vec<Open> = Vec::new();
    let mut values = 0_usize;
    for event in Parser::new_from_str(text) {
        let Ok((event, _)) = event else {
            return Err(Refused::because("This is no character card: neither JSON nor YAML."));
        };
        values += 1;
        if open.len() > DEPTH_MAX || values > VALUES_MAX {
            return Err(Refused::because("This YAML is nested too deeply, or has too many values."));
        }
        let done = match event {
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                None
            }
            Event::MappingStart(..) => {
                open.push(Open::Table(Map::new(), None));
                None
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().map(|closed| match closed {
                Open::List(list) => Value::Array(list),
                Open::Table(table, _) => Value::Object(table),
            }),
            Event::Scalar(text, style, _, _) => Some(scalar(&text, style)),
            Event::Alias(_) => return Err(Refused::because("This YAML has references, which are not read.")),
            _ => None,
        };
        if let Some(value) = done {
            match open.last_mut() {
                Some(inside) => put(inside, value),
                None if value.is_object() => return Ok(value),
                None => break,
            }
        }
    }
    Err(Refused::because("This is no character card: neither JSON nor YAML with its fields."))
}

fn put(inside: &mut Open, value: Value) {
    match inside {
        Open::List(list) => list.push(value),
        Open::Table(table, name) => match name.take() {
            Some(name) => drop(table.insert(name, value)),
            None => {
                *name = Some(match value {
                    Value::String(text) => text,
                    other => other.to_string(),
                });
            }
        },
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::String(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => text.parse::<Number>().map_or_else(|_| Value::String(text.to_owned()), Value::Number),
    }
}
