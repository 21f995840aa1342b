//! What a card says, brought into the form of Character Card V3: known fields in their types, unknown ones as they came.
//!
//! The law that tests hold: `shape(write(shape(x))) = shape(x)`, for every known field and every unknown key.

mod book;
mod field;

use crate::cards::{Fate, Note, Refused, Spec};
use serde_json::{Map, Value, json};

/// Texts that all versions have; V2 programs repeat them at the root.
pub(in crate::cards) const TEXTS: [&str; 6] =
    ["name", "description", "personality", "scenario", "first_mes", "mes_example"];
/// Texts that came with V2 and V3.
const MORE_TEXTS: [&str; 5] =
    ["creator_notes", "system_prompt", "post_history_instructions", "creator", "character_version"];
/// Lists of texts.
const LISTS: [&str; 4] = ["alternate_greetings", "group_only_greetings", "tags", "source"];
/// What a card has besides.
const OTHERS: [&str; 7] = [
    "nickname",
    "extensions",
    "character_book",
    "creator_notes_multilingual",
    "creation_date",
    "modification_date",
    "assets",
];
/// Fields of other programs, and what they are called here.
const PYGMALION: [(&str, &str); 5] = [
    ("char_name", "name"),
    ("char_persona", "description"),
    ("char_greeting", "first_mes"),
    ("world_scenario", "scenario"),
    ("example_dialogue", "mes_example"),
];
const WEB_UI: [(&str, &str); 3] =
    [("context", "description"), ("greeting", "first_mes"), ("example_dialogue", "mes_example")];
/// Older spellings of fields of V2.
const OLD_NAMES: [(&str, &str); 1] = [("creatorcomment", "creator_notes")];

/// A card in the form of V3.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// The rules that it was written by.
    pub spec: Spec,
    /// What stands beside `data` and is no copy of it.
    pub root: Map<String, Value>,
    /// V3's `data`.
    pub data: Map<String, Value>,
    /// Files that the card expects beside itself, which are no part of `data` any more.
    pub embedded: Vec<Embedded>,
    /// What was made good on the way.
    pub notes: Vec<Note>,
}

/// A file that stands beside a card in its archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embedded {
    /// Its name in the archive.
    pub path: String,
    /// It is the character's face.
    pub is_face: bool,
}

impl Shape {
    /// A text of `data`; empty where there is none.
    #[must_use]
    pub fn text(&self, field: &str) -> &str {
        self.data.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// A list of texts of `data`.
    pub fn list(&self, field: &str) -> impl Iterator<Item = &str> {
        self.data.get(field).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// An extension of `data`.
    #[must_use]
    pub fn extension(&self, name: &str) -> Option<&Value> {
        self.data.get("extensions").and_then(|e| e.get(name))
    }
}

/// Brings a card into the form of V3.
///
/// # Errors
/// When it is no card.
pub fn shape(value: Value) -> Result<Shape, Refused> {
    let Value::Object(root) = value else { return Err(no_card()) };
    let mut notes = Vec::new();
    let (spec, root, data) = parts(root, &mut notes)?;
    let mut shape = Shape { spec, root, data, embedded: Vec::new(), notes };
    field::settle(&mut shape)?;
    Ok(shape)
}

fn no_card() -> Refused {
    Refused::because("This is no character card: it has none of a card's fields.")
}

fn is_named(map: &Map<String, Value>, names: &[&str]) -> bool {
    names.iter().any(|name| map.get(*name).is_some_and(Value::is_string))
}

type Parts = (Spec, Map<String, Value>, Map<String, Value>);

/// Tells the rules of a card, and parts what is its data from what stands beside it.
fn parts(mut root: Map<String, Value>, notes: &mut Vec<Note>) -> Result<Parts, Refused> {
    let spec = root.get("spec").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    let is_card = spec.starts_with("chara_card");
    match root.remove("data") {
        Some(Value::Object(data)) if is_card || (spec.is_empty() && is_named(&data, &TEXTS)) => {
            let is_v3 = spec == "chara_card_v3" || (spec.is_empty() && data.contains_key("group_only_greetings"));
            let is_newer = is_card && !matches!(spec.as_str(), "chara_card_v1" | "chara_card_v2" | "chara_card_v3");
            version(&root, is_newer, notes);
            unmirrored(&mut root, &data, notes);
            return Ok((if is_v3 || is_newer { Spec::V3 } else { Spec::V2 }, root, data));
        }
        Some(_) => notes.push(Note::new(Fate::Refused, "data", "It is no card.")),
        None => {}
    }
    if spec.starts_with("lorebook") || (root.contains_key("entries") && !is_named(&root, &TEXTS[1..])) {
        return Err(Refused::because("This is a lorebook, not a character. Only characters can be imported here."));
    }
    if root.contains_key("chat_metadata") || root.contains_key("mes") {
        return Err(Refused::because("This is a chat, not a character. Chats are imported on the page of your chats."));
    }
    let (spec, renamed): (_, &[(&str, &str)]) = if is_named(&root, &["char_name", "char_persona", "char_greeting"]) {
        (Spec::Pygmalion, &PYGMALION)
    } else if is_named(&root, &TEXTS[1..]) || (is_card && is_named(&root, &TEXTS)) {
        (Spec::V1, &[])
    } else if is_named(&root, &["context", "greeting"]) {
        (Spec::WebUi, &WEB_UI)
    } else {
        return Err(no_card());
    };
    Ok(flat(spec, root, renamed, notes))
}

/// Parts a card that has no `data`: what V3 knows is its data, the rest stays where it was.
fn flat(spec: Spec, mut root: Map<String, Value>, renamed: &[(&str, &str)], notes: &mut Vec<Note>) -> Parts {
    let mut data = Map::new();
    for (from, to) in renamed.iter().chain(&OLD_NAMES) {
        let is_empty = root.get(*to).and_then(Value::as_str).is_none_or(str::is_empty);
        if is_empty && let Some(value) = root.remove(*from) {
            notes.push(Note::new(Fate::Mapped, *from, format!("It is called {to} on newer cards.")));
            root.insert((*to).to_owned(), value);
        }
    }
    for name in TEXTS.iter().chain(&MORE_TEXTS).chain(&LISTS).chain(&OTHERS) {
        if let Some(value) = root.remove(*name) {
            data.insert((*name).to_owned(), value);
        }
    }
    root.remove("spec");
    root.remove("spec_version");
    (spec, root, data)
}

/// Says when a card is newer than its reader.
fn version(root: &Map<String, Value>, is_newer: bool, notes: &mut Vec<Note>) {
    let said = match root.get("spec_version") {
        Some(Value::String(text)) => text.trim().parse().unwrap_or(0.0),
        Some(other) => other.as_f64().unwrap_or(0.0),
        None => 0.0,
    };
    if is_newer || said > 3.0 {
        let words =
            "This card is of a newer version than the one that is read here. What is new in it is kept as it is.";
        notes.push(Note::new(Fate::Verbatim, "spec_version", words));
    }
}

/// Takes away the copies that V2 programs keep at the root; where a copy says something else, `data` is right.
fn unmirrored(root: &mut Map<String, Value>, data: &Map<String, Value>, notes: &mut Vec<Note>) {
    root.remove("spec");
    root.remove("spec_version");
    for name in TEXTS {
        if let Some(copy) = root.remove(name)
            && data.get(name).is_some_and(|value| *value != copy)
        {
            notes.push(Note::new(
                Fate::Refused,
                name,
                "The copy for older programs says something else; it was left out.",
            ));
        }
    }
}

/// V3's `data` with nothing in it, for characters that came from no card.
#[must_use]
pub fn blank() -> Shape {
    let mut data = Map::new();
    for name in TEXTS.iter().chain(&MORE_TEXTS) {
        data.insert((*name).to_owned(), json!(""));
    }
    for name in ["alternate_greetings", "group_only_greetings", "tags"] {
        data.insert(name.to_owned(), json!([]));
    }
    data.insert("extensions".to_owned(), json!({}));
    Shape { spec: Spec::V3, root: Map::new(), data, embedded: Vec::new(), notes: Vec::new() }
}

/// Whether an asset is the face of the character.
pub(in crate::cards) fn face_of(asset: &Value) -> bool {
    let said = |field: &str| asset.get(field).and_then(Value::as_str).unwrap_or_default();
    said("type").eq_ignore_ascii_case("icon") && said("name") == "main"
}
