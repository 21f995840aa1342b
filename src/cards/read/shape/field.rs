//! Each known field of a card in its type, whatever a program wrote there.

use super::{Embedded, LISTS, MORE_TEXTS, Shape, TEXTS, book};
use crate::cards::{Fate, Note, Refused};
use serde_json::{Map, Number, Value, json};

/// Milliseconds are above this, seconds below: it is the year 5138 in seconds.
const MILLISECONDS: f64 = 1e11;
/// Most assets that are listed.
const ASSETS_MAX: usize = 512;
/// Ways to write that a file stands beside the card.
const BESIDE: [&str; 3] = ["embeded://", "embedded://", "__asset:"];

/// Brings all known fields into their types.
pub(super) fn settle(shape: &mut Shape) -> Result<(), Refused> {
    let (data, notes) = (&mut shape.data, &mut shape.notes);
    for name in TEXTS.iter().chain(&MORE_TEXTS) {
        let text = text_of(data.remove(*name), name, notes).unwrap_or_default();
        data.insert((*name).to_owned(), Value::String(text));
    }
    if let Some(text) = data.remove("nickname").and_then(|v| text_of(Some(v), "nickname", notes)) {
        data.insert("nickname".to_owned(), Value::String(text));
    }
    for name in LISTS {
        let list = list_of(data.remove(name), name, notes);
        // Only the source of a card may be unsaid.
        if !(list.is_empty() && name == "source") {
            data.insert(name.to_owned(), json!(list));
        }
    }
    extensions(data, notes);
    dates(data, notes);
    multilingual(data, notes);
    shape.embedded = assets(data, notes);
    match data.remove("character_book") {
        None | Some(Value::Null) => {}
        Some(found) => match book::settle(found, notes)? {
            Some(book) => drop(data.insert("character_book".to_owned(), Value::Object(book))),
            None => notes.push(Note::new(Fate::Refused, "character_book", "It is no lorebook.")),
        },
    }
    Ok(())
}

/// A text, of whatever can be read as one.
pub(super) fn text_of(value: Option<Value>, name: &str, notes: &mut Vec<Note>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text),
        Value::Null => None,
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(said) => Some(said.to_string()),
        Value::Array(parts) if parts.iter().all(Value::is_string) => {
            notes.push(Note::new(Fate::Mapped, name, "A list of texts became one text."));
            let parts: Vec<&str> = parts.iter().filter_map(Value::as_str).collect();
            Some(parts.join("\n"))
        }
        _ => {
            notes.push(Note::new(Fate::Refused, name, "It is no text."));
            None
        }
    }
}

fn list_of(value: Option<Value>, name: &str, notes: &mut Vec<Note>) -> Vec<String> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(entries)) => {
            let count = entries.len();
            let list: Vec<String> = entries.into_iter().filter_map(entry_of).collect();
            if list.len() < count {
                notes.push(Note::new(Fate::Refused, name, format!("{} entries are no text.", count - list.len())));
            }
            list
        }
        Some(Value::String(text)) if text.trim().is_empty() => Vec::new(),
        Some(Value::String(text)) => {
            notes.push(Note::new(Fate::Mapped, name, "A single text became a list."));
            if name == "tags" { commas(&text) } else { vec![text] }
        }
        Some(_) => {
            notes.push(Note::new(Fate::Refused, name, "It is no list of texts."));
            Vec::new()
        }
    }
}

fn entry_of(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Words between commas.
pub(super) fn commas(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned).collect()
}

fn extensions(data: &mut Map<String, Value>, notes: &mut Vec<Note>) {
    match data.get("extensions") {
        Some(Value::Object(_)) => {}
        other => {
            if other.is_some_and(|v| !v.is_null() && v.as_array().is_none_or(|a| !a.is_empty())) {
                notes.push(Note::new(Fate::Refused, "extensions", "They are no table."));
            }
            data.insert("extensions".to_owned(), json!({}));
        }
    }
}

/// Dates as seconds; one program writes milliseconds.
fn dates(data: &mut Map<String, Value>, notes: &mut Vec<Note>) {
    for name in ["creation_date", "modification_date"] {
        let number = match data.remove(name) {
            Some(Value::Number(number)) => Some(number),
            Some(Value::String(text)) => text.trim().parse::<Number>().ok(),
            _ => None,
        };
        let Some(number) = number.filter(|n| n.is_i64()) else { continue };
        let seconds = match number.as_i64() {
            Some(whole) if number.as_f64().is_some_and(|n| n > MILLISECONDS) => {
                notes.push(Note::new(Fate::Mapped, name, "Milliseconds became seconds."));
                let mut whole = whole;
                while whole > 100_000_000_000 {
                    whole /= 1000;
                }
                Number::from(whole)
            }
            Some(whole) => Number::from(whole),
            None => continue,
        };
        data.insert(name.to_owned(), Value::Number(seconds));
    }
}

fn multilingual(data: &mut Map<String, Value>, notes: &mut Vec<Note>) {
    let name = "creator_notes_multilingual";
    match data.remove(name) {
        Some(Value::Object(notes_by_language)) => {
            let kept: Map<String, Value> = notes_by_language.into_iter().filter(|(_, v)| v.is_string()).collect();
            data.insert(name.to_owned(), Value::Object(kept));
        }
        None | Some(Value::Null) => {}
        Some(_) => notes.push(Note::new(Fate::Refused, name, "It is no table of languages.")),
    }
}

/// The list of assets without those that stand beside the card; these are told apart.
fn assets(data: &mut Map<String, Value>, notes: &mut Vec<Note>) -> Vec<Embedded> {
    let list = match data.remove("assets") {
        Some(Value::Array(list)) => list,
        None | Some(Value::Null) => return Vec::new(),
        Some(_) => {
            notes.push(Note::new(Fate::Refused, "assets", "It is no list."));
            return Vec::new();
        }
    };
    let mut beside = Vec::new();
    let mut kept = Vec::new();
    let mut faces = 0;
    for asset in list.into_iter().take(ASSETS_MAX) {
        let Value::Object(mut asset) = asset else { continue };
        for (field, usual) in [("type", "x_unknown"), ("uri", ""), ("name", ""), ("ext", "unknown")] {
            let text = text_of(asset.remove(field), "assets", notes).unwrap_or_else(|| usual.to_owned());
            asset.insert(field.to_owned(), Value::String(text));
        }
        let said = |field: &str| asset.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (uri, kind, name) = (said("uri"), said("type"), said("name"));
        let Some(path) = BESIDE.iter().find_map(|start| uri.strip_prefix(start)) else {
            kept.push(Value::Object(asset));
            continue;
        };
        let is_icon = kind.eq_ignore_ascii_case("icon");
        let face = Embedded { path: path.trim_start_matches('/').to_owned(), is_face: is_icon };
        // The one called "main" is the face, else the first.
        if is_icon && name == "main" {
            beside.insert(0, face)
        } else {
            beside.push(face)
        }
        // Its place stays: whoever exports the card puts the picture of the character there.
        if is_icon && faces == 0 {
            faces += 1;
            kept.push(json!({"type": "icon", "uri": "ccdefault:", "name": "main", "ext": "png"}));
        }
    }
    if !kept.is_empty() {
        data.insert("assets".to_owned(), Value::Array(kept));
    }
    beside
}
