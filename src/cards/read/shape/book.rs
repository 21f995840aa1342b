//! The lorebook of a card: kept with the character, in the types that V3 asks for.

use super::field::{commas, text_of};
use crate::cards::{Fate, LORE_MAX, Note, Refused};
use serde_json::{Map, Value, json};

/// Names of SillyTavern's world files, and what they are called on cards.
const WORLD_NAMES: [(&str, &str); 4] =
    [("key", "keys"), ("keysecondary", "secondary_keys"), ("order", "insertion_order"), ("uid", "id")];

/// A book in its types; `None` when it is none.
pub(super) fn settle(value: Value, notes: &mut Vec<Note>) -> Result<Option<Map<String, Value>>, Refused> {
    let mut book = match value {
        Value::Object(book) => book,
        // Only the entries.
        Value::Array(entries) => Map::from_iter([("entries".to_owned(), Value::Array(entries))]),
        _ => return Ok(None),
    };
    if !book.get("extensions").is_some_and(Value::is_object) {
        book.insert("extensions".to_owned(), json!({}));
    }
    for name in ["name", "description"] {
        if let Some(text) = text_of(book.remove(name), "character_book", notes) {
            book.insert(name.to_owned(), Value::String(text));
        }
    }
    let entries = match book.remove("entries") {
        Some(Value::Array(entries)) => entries,
        // A world file has a table with numbers for names.
        Some(Value::Object(table)) => {
            notes.push(Note::new(Fate::Mapped, "character_book", "A world of SillyTavern became a lorebook."));
            let mut entries: Vec<(u64, Value)> =
                table.into_iter().map(|(name, entry)| (name.parse().unwrap_or(u64::MAX), entry)).collect();
            entries.sort_by_key(|(number, _)| *number);
            entries.into_iter().map(|(_, entry)| entry).collect()
        }
        _ => Vec::new(),
    };
    if entries.len() > LORE_MAX {
        let words = format!("Its lorebook has {} entries; the limit is {LORE_MAX}.", entries.len());
        return Err(Refused::because(words));
    }
    let count = entries.len();
    let entries: Vec<Value> = entries.into_iter().filter_map(|e| entry(e, notes)).collect();
    if entries.len() < count {
        let words = format!("{} entries are no lore.", count - entries.len());
        notes.push(Note::new(Fate::Refused, "character_book", words));
    }
    book.insert("entries".to_owned(), Value::Array(entries));
    Ok(Some(book))
}

fn entry(value: Value, notes: &mut Vec<Note>) -> Option<Value> {
    let Value::Object(mut entry) = value else { return None };
    for (from, to) in WORLD_NAMES {
        if !entry.contains_key(to)
            && let Some(value) = entry.remove(from)
        {
            entry.insert(to.to_owned(), value);
        }
    }
    if !entry.contains_key("enabled")
        && let Some(disabled) = entry.remove("disable")
    {
        entry.insert("enabled".to_owned(), Value::Bool(!truth(&disabled)));
    }
    let content = text_of(entry.remove("content"), "character_book", notes).unwrap_or_default();
    entry.insert("content".to_owned(), Value::String(content));
    entry.insert("keys".to_owned(), json!(keys(entry.get("keys"))));
    if let Some(found) = entry.remove("secondary_keys").filter(|v| !v.is_null()) {
        entry.insert("secondary_keys".to_owned(), json!(keys(Some(&found))));
    }
    let enabled = entry.get("enabled").is_none_or(|v| v.is_null() || truth(v));
    entry.insert("enabled".to_owned(), Value::Bool(enabled));
    let use_regex = entry.get("use_regex").is_some_and(truth);
    entry.insert("use_regex".to_owned(), Value::Bool(use_regex));
    let order = match entry.remove("insertion_order") {
        Some(Value::Number(number)) => Value::Number(number),
        Some(Value::String(text)) => text.trim().parse::<i64>().map_or(json!(100), |n| json!(n)),
        _ => json!(100),
    };
    entry.insert("insertion_order".to_owned(), order);
    if !entry.get("extensions").is_some_and(Value::is_object) {
        entry.insert("extensions".to_owned(), json!({}));
    }
    position(&mut entry);
    Some(Value::Object(entry))
}

/// Keys as a list; some programs write them between commas.
fn keys(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(list)) => list.iter().filter_map(|v| text_of(Some(v.clone()), "", &mut Vec::new())).collect(),
        Some(Value::String(text)) => commas(text),
        _ => Vec::new(),
    }
}

fn truth(value: &Value) -> bool {
    match value {
        Value::Bool(said) => *said,
        Value::Number(number) => number.as_f64().is_some_and(|n| n != 0.0),
        Value::String(text) => text.eq_ignore_ascii_case("true") || text == "1",
        _ => false,
    }
}

/// Where an entry goes: a word on cards, a number in SillyTavern, which keeps it among its extensions.
fn position(entry: &mut Map<String, Value>) {
    let word = match entry.remove("position") {
        Some(Value::String(word)) => (!word.is_empty()).then_some(word),
        Some(Value::Number(number)) => {
            let word = match number.as_i64() {
                Some(0) => Some("before_char".to_owned()),
                Some(1) => Some("after_char".to_owned()),
                _ => None,
            };
            if let Some(Value::Object(extensions)) = entry.get_mut("extensions") {
                extensions.entry("position").or_insert(Value::Number(number));
            }
            word
        }
        _ => None,
    };
    if let Some(word) = word {
        entry.insert("position".to_owned(), Value::String(word));
    }
}
