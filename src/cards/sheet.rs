//! A card's fields as ours, and ours as a card's.
//!
//! Into a character everything goes that it has a field for, cut to the field and with a line in the report where something is
//! lost. Out of a character the imported card comes back, with what was changed here since in its place.

use super::{Fate, Note, examples, read::Shape};
use crate::{
    ocs::{
        ContentRating, Pronoun, Sheet,
        sheet::{MAX_GREETINGS, MAX_TAGS, MAX_TEXT},
        style::VisualStyle,
    },
    text::readable,
};
use serde_json::{Map, Value, json};
use unicode_normalization::UnicodeNormalization;

/// Our own extension of cards.
pub const EXTENSION: &str = "soulforge";
/// Longest name here, in characters, and longest tag.
const SHORT: (usize, usize) = (60, 40);
/// Most accents on one letter; more of them paint over other lines.
const ACCENTS: usize = 6;
/// Fields of ours that cards have no place for.
const OWN: [&str; 8] =
    ["title", "pronoun", "age_band", "voice_tone", "visual_style", "appearance_tags", "quick_start", "content_rating"];
/// Fields that are the same here, and what they are called on cards.
const SAME: [(&str, &str); 7] = [
    ("description", "description"),
    ("personality", "personality"),
    ("scenario", "scenario"),
    ("greeting", "first_mes"),
    ("system_prompt", "system_prompt"),
    ("post_history_instructions", "post_history_instructions"),
    ("creator_notes", "creator_notes"),
];
/// Tags that say for whom a character is.
const MATURE: [&str; 6] = ["nsfw", "18+", "explicit", "smut", "erotica", "adults only"];

/// A card as a sheet.
#[derive(Clone, Debug)]
pub struct Mapped {
    /// The sheet.
    pub sheet: Sheet,
    /// Its colours are the card's own, and not suggested by its name.
    pub has_style: bool,
    /// What became of each part.
    pub notes: Vec<Note>,
}

/// Fills in a sheet from a card. A card without a name gets `stem`, the name of its file.
#[must_use]
pub fn to_sheet(shape: &Shape, stem: &str) -> Mapped {
    let mut notes = Vec::new();
    let mut sheet = Sheet { name: name(shape.text("name"), stem, &mut notes), ..Sheet::default() };
    sheet.visual_style = VisualStyle::suggest(&sheet.name);
    for (field, part) in SAME {
        let told = notes.len();
        let text = fitted(shape.text(part), part, MAX_TEXT, &mut notes);
        if !text.is_empty() && notes.len() == told {
            let words = if field == part { "" } else { "Greeting" };
            notes.push(Note::new(Fate::Kept, part, words));
        }
        let _ = sheet.set(field, Value::String(text));
    }
    sheet.nickname = nickname(shape.text("nickname"), &mut notes);
    described(&mut sheet, &mut notes);
    sheet.alternate_greetings = greetings(shape, &mut notes);
    sheet.example_dialogue = examples::read(shape.text("mes_example"), &sheet.name, &mut notes);
    tags(shape, &mut sheet, &mut notes);
    let has_style = own(shape, &mut sheet, &mut notes);
    verbatim(shape, &mut notes);
    Mapped { sheet, has_style, notes }
}

/// A name as it may stand here.
fn name(said: &str, stem: &str, notes: &mut Vec<Note>) -> String {
    let line = |text: &str| clean(text).split_whitespace().collect::<Vec<_>>().join(" ");
    let (mut name, stem) = (line(said), line(stem));
    if name.chars().all(|c| !c.is_alphanumeric()) && name.chars().count() < 2 {
        let taken = if stem.is_empty() { "Unnamed".to_owned() } else { stem };
        notes.push(Note::new(Fate::Mapped, "name", "The card has no name; the name of the file stands for it."));
        name = taken;
    }
    if name.chars().count() > SHORT.0 {
        let words = format!("The name was cut to {} characters.", SHORT.0);
        notes.push(Note::new(Fate::Mapped, "name", words));
        name = name.chars().take(SHORT.0).collect::<String>().trim_end().to_owned();
    }
    name
}

fn nickname(said: &str, notes: &mut Vec<Note>) -> String {
    let line = clean(said).split_whitespace().collect::<Vec<_>>().join(" ");
    let name: String = line.chars().take(SHORT.0).collect::<String>().trim_end().to_owned();
    if !name.is_empty() {
        notes.push(Note::new(Fate::Kept, "nickname", ""));
    }
    name
}

/// Text without what nobody can see, in the form in which it is kept.
pub(super) fn clean(text: &str) -> String {
    let mut accents = 0;
    let kept = readable(text, None);
    let kept = kept.nfc().filter(|c| {
        let is_accent = unicode_normalization::char::is_combining_mark(*c);
        accents = if is_accent { accents + 1 } else { 0 };
        accents <= ACCENTS
    });
    kept.collect::<String>().trim().to_owned()
}

/// A text of at most so many characters; what is cut off is told.
fn fitted(text: &str, part: &str, most: usize, notes: &mut Vec<Note>) -> String {
    let text = clean(text);
    let length = text.chars().count();
    if length <= most {
        return text;
    }
    let words = format!("The first {most} of {length} characters are used; an export has all of them.");
    notes.push(Note::new(Fate::Mapped, part, words));
    text.chars().take(most).collect::<String>().trim_end().to_owned()
}

/// A character needs a description; cards have put it elsewhere.
fn described(sheet: &mut Sheet, notes: &mut Vec<Note>) {
    if !sheet.description.is_empty() {
        return;
    }
    for (from, part) in
        [(&mut sheet.personality, "personality"), (&mut sheet.scenario, "scenario"), (&mut sheet.greeting, "first_mes")]
    {
        if !from.is_empty() {
            let words = format!("The card has none; its {part} stands there.");
            notes.push(Note::new(Fate::Mapped, "description", words));
            sheet.description = if part == "personality" { std::mem::take(from) } else { from.clone() };
            return;
        }
    }
}

fn greetings(shape: &Shape, notes: &mut Vec<Note>) -> Vec<String> {
    let part = "alternate_greetings";
    let all: Vec<&str> = shape.list(part).filter(|g| !g.trim().is_empty()).collect();
    if all.is_empty() {
        return Vec::new();
    }
    if all.len() > MAX_GREETINGS {
        let words = format!("{MAX_GREETINGS} of {} are used; an export has all of them.", all.len());
        notes.push(Note::new(Fate::Mapped, part, words));
    }
    notes.push(Note::new(Fate::Kept, part, counted(all.len().min(MAX_GREETINGS), "greeting")));
    let fitting = all.into_iter().take(MAX_GREETINGS).map(|g| fitted(g, part, MAX_TEXT, notes));
    fitting.filter(|g| !g.is_empty()).collect()
}

fn tags(shape: &Shape, sheet: &mut Sheet, notes: &mut Vec<Note>) {
    let mut kept: Vec<String> = Vec::new();
    let mut lost = 0;
    for tag in shape.list("tags").flat_map(|t| t.split([',', '\n', ';'])) {
        let tag = clean(tag).split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        match tag.as_str() {
            "" => continue,
            "female" if sheet.pronoun == Pronoun::They => sheet.pronoun = Pronoun::She,
            "male" if sheet.pronoun == Pronoun::They => sheet.pronoun = Pronoun::He,
            _ => {}
        }
        if kept.contains(&tag) {
            continue;
        }
        if tag.chars().count() > SHORT.1 || kept.len() == MAX_TAGS {
            lost += 1;
        } else {
            kept.push(tag);
        }
    }
    if !kept.is_empty() {
        notes.push(Note::new(Fate::Kept, "tags", counted(kept.len(), "tag")));
    }
    if lost > 0 {
        notes.push(Note::new(Fate::Mapped, "tags", format!("{lost} more are on an export only.")));
    }
    if kept.iter().any(|tag| MATURE.contains(&tag.as_str())) {
        sheet.content_rating = ContentRating::Mature;
        notes.push(Note::new(
            Fate::Mapped,
            "tags",
            "They say that this character is for adults only, and so it is rated.",
        ));
    }
    sheet.tags = kept;
}

/// What our own export wrote that cards have no field for. Gives whether there were colours among it.
fn own(shape: &Shape, sheet: &mut Sheet, notes: &mut Vec<Note>) -> bool {
    let Some(Value::Object(fields)) = shape.extension(EXTENSION) else { return false };
    let mut has_style = false;
    for field in OWN {
        let Some(value) = fields.get(field) else { continue };
        let before = sheet.clone();
        let set = sheet.set(field, value.clone()).and_then(|()| match sheet.check() {
            Err(why) if field.starts_with(why.field()) && !why.field().is_empty() => Err(why),
            _ => Ok(()),
        });
        match set {
            Ok(()) => has_style |= field == "visual_style",
            Err(why) => {
                *sheet = before;
                notes.push(Note::new(Fate::Refused, format!("extensions.{EXTENSION}.{field}"), why.to_string()));
            }
        }
    }
    notes.push(Note::new(Fate::Kept, format!("extensions.{EXTENSION}"), "Fields of SoulForge"));
    has_style
}

/// What is kept for the export and used by nobody here.
fn verbatim(shape: &Shape, notes: &mut Vec<Note>) {
    let mut keep = |part: &str, words: String| notes.push(Note::new(Fate::Verbatim, part, words));
    for part in ["creator", "character_version"] {
        if !shape.text(part).is_empty() {
            keep(part, String::new());
        }
    }
    for part in ["group_only_greetings", "source"] {
        match shape.list(part).count() {
            0 => {}
            n => keep(part, counted(n, "entry")),
        }
    }
    for part in ["creation_date", "modification_date", "creator_notes_multilingual", "assets"] {
        if shape.data.contains_key(part) {
            keep(part, String::new());
        }
    }
    if let Some(entries) = shape.data.get("character_book").and_then(|b| b.get("entries")).and_then(Value::as_array) {
        keep("character_book", format!("A lorebook of {}. Chats do not use it yet.", counted(entries.len(), "entry")));
    }
    let extensions = shape.data.get("extensions").and_then(Value::as_object).into_iter().flatten();
    for (name, _) in extensions.filter(|(name, _)| *name != EXTENSION) {
        keep(&format!("extensions.{}", short(name)), String::new());
    }
    let known = super::read::shape::blank().data;
    let others = ["nickname", "source", "creation_date", "modification_date", "creator_notes_multilingual", "assets"];
    let is_known = |name: &str| known.contains_key(name) || others.contains(&name) || name == "character_book";
    for name in shape.data.keys().filter(|name| !is_known(name)).chain(shape.root.keys()) {
        keep(&short(name), String::new());
    }
}

/// `1 entry`, `2 entries`.
fn counted(n: usize, one: &str) -> String {
    match (n, one.strip_suffix('y')) {
        (1, _) => format!("1 {one}"),
        (n, Some(stem)) => format!("{n} {stem}ies"),
        (n, None) => format!("{n} {one}s"),
    }
}

/// A name of somebody else's as it may stand in a report.
fn short(name: &str) -> String {
    clean(name).chars().take(60).collect()
}

/// What is written on a card besides the sheet.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// Who made it; for characters that came from no card.
    pub creator: String,
    /// When it was made, Unix seconds; for those as well.
    pub created_at: i64,
    /// What it carries, as our extension has it.
    pub items: Value,
}

/// A sheet as a card. `from` is the card that it was imported from, with the sheet that the import made of it: what is still as it
/// was then is written as it stood on the card.
#[must_use]
pub fn to_shape(sheet: &Sheet, from: Option<(Shape, Sheet)>, beside: &Beside) -> Shape {
    let (mut shape, was) = match from {
        Some((shape, was)) => (shape, Some(was)),
        None => {
            let mut shape = super::read::shape::blank();
            shape.data.insert("creator".to_owned(), json!(beside.creator));
            shape.data.insert("creation_date".to_owned(), json!(beside.created_at));
            (shape, None)
        }
    };
    let is_changed = |field: &str| was.as_ref().is_none_or(|was| was.get(field) != sheet.get(field));
    let mut put = |part: &str, value: Value| drop(shape.data.insert(part.to_owned(), value));
    for (field, part) in
        SAME.into_iter().chain([("name", "name"), ("alternate_greetings", "alternate_greetings"), ("tags", "tags")])
    {
        if is_changed(field) {
            put(part, sheet.get(field));
        }
    }
    // Cards of most characters have none.
    if is_changed("nickname") && (was.is_some() || !sheet.nickname.is_empty()) {
        put("nickname", sheet.get("nickname"));
    }
    if is_changed("example_dialogue") {
        put("mes_example", Value::String(examples::write(&sheet.example_dialogue)));
    }
    let mut fields: Map<String, Value> = OWN.into_iter().map(|field| (field.to_owned(), sheet.get(field))).collect();
    if beside.items.as_array().is_some_and(|items| !items.is_empty()) {
        fields.insert("items".to_owned(), beside.items.clone());
    }
    if let Some(Value::Object(extensions)) = shape.data.get_mut("extensions") {
        extensions.insert(EXTENSION.to_owned(), Value::Object(fields));
    }
    shape
}
