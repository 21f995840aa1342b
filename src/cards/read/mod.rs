//! Files that become cards: told apart by their first bytes, never by their names.

mod bytes;
mod picture;
mod png;
pub mod shape;
mod text;
mod yaml;
mod zip;

pub use shape::{Shape, shape};

use super::{Carrier, ENTRY_MAX, FILE_MAX, Fate, Note, Refused, TEXT_MAX};
use serde_json::Value;

/// A card as a file told it.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// What it came in.
    pub carrier: Carrier,
    /// Its text exactly as it was carried: JSON, or YAML.
    pub original: String,
    /// What the text says.
    pub shape: Shape,
    /// The picture that it came with, as a file.
    pub picture: Option<Vec<u8>>,
    /// What became of its carrier.
    pub notes: Vec<Note>,
}

/// The text of a card inside its carrier.
struct Found {
    text: String,
    notes: Vec<Note>,
}

/// Reads a file of any kind.
///
/// # Errors
/// With a sentence that says what is wrong with the file.
pub fn read(file: &[u8]) -> Result<Card, Refused> {
    if file.len() > FILE_MAX {
        return Err(Refused::because("The file is too large: the limit is 32 MB."));
    }
    if file.iter().all(u8::is_ascii_whitespace) {
        return Err(Refused::because("The file is empty."));
    }
    if file.starts_with(png::SIGNATURE) {
        return pictured(Carrier::Png, png::find(file)?, file);
    }
    if file.starts_with(b"\xff\xd8") {
        return match zip::Archive::open(file) {
            Ok(archive) => charx(&archive),
            Err(_) => pictured(Carrier::Jpeg, picture::in_jpeg(file)?, file),
        };
    }
    if file.starts_with(b"RIFF") && file.get(8..12) == Some(b"WEBP") {
        return pictured(Carrier::Webp, picture::in_webp(file)?, file);
    }
    if file.starts_with(b"PK") {
        return charx(&zip::Archive::open(file)?);
    }
    written(file)
}

/// Reads the text of a card that is kept: what [`Card::original`] was.
///
/// # Errors
/// As [`read`].
pub fn reread(original: &str) -> Result<Shape, Refused> {
    let (_, value) = text::value(original)?;
    shape(value)
}

fn pictured(carrier: Carrier, found: Found, file: &[u8]) -> Result<Card, Refused> {
    let shape = shape(text::json(&found.text)?)?;
    Ok(Card { carrier, original: found.text, shape, picture: Some(file.to_vec()), notes: found.notes })
}

fn written(file: &[u8]) -> Result<Card, Refused> {
    if file.len() > TEXT_MAX {
        return Err(text::too_long());
    }
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    let words = String::from_utf8(file.to_vec())
        .map_err(|_| Refused::because("This is no character card: neither a picture, an archive nor text."))?;
    let (carrier, value) = text::value(&words)?;
    Ok(Card { carrier, original: words, shape: shape(value)?, picture: None, notes: Vec::new() })
}

/// The card and the face of an archive.
fn charx(archive: &zip::Archive<'_>) -> Result<Card, Refused> {
    let Some(entry) = archive.entries.iter().find(|e| e.name.eq_ignore_ascii_case("card.json")) else {
        return Err(Refused::because(if archive.entries.iter().any(|e| e.name.ends_with("/character.json")) {
            "This is a Voxta package; only its characters as cards can be imported."
        } else {
            "There is no card.json in this archive."
        }));
    };
    let bytes = archive.unpack(entry, TEXT_MAX)?;
    let words = String::from_utf8(bytes).map_err(|_| Refused::because("The card.json of this archive is no text."))?;
    let original = words.trim_start_matches('\u{feff}').to_owned();
    let mut shape = shape(text::json(&original)?)?;
    let mut notes = Vec::new();
    let face = shape.embedded.iter().find(|asset| asset.is_face).and_then(|asset| archive.find(&asset.path));
    let picture = face.and_then(|entry| {
        archive
            .unpack(entry, ENTRY_MAX)
            .map_err(|why| notes.push(Note::new(Fate::Refused, "picture", why.to_string())))
            .ok()
    });
    shape.embedded.clear();
    let others = archive.entries.iter().filter(|e| {
        let is_known = e.name == entry.name || face.is_some_and(|f| f.name == e.name) || e.name.ends_with('/');
        !is_known && !e.name.starts_with("x_meta/")
    });
    let (modules, files): (Vec<_>, Vec<_>) = others.partition(|e| e.name.ends_with(".risum"));
    if !modules.is_empty() {
        notes.push(Note::new(Fate::Refused, "module.risum", "Scripts of RisuAI are not run here and not kept."));
    }
    if !files.is_empty() {
        let words = format!("{} more files of the archive are not kept.", files.len());
        notes.push(Note::new(Fate::Refused, "assets", words));
    }
    Ok(Card { carrier: Carrier::Charx, original, shape, picture, notes })
}

/// Whether a value has what a character card has, and not only the look of JSON.
fn looks_like_a_card(value: &Value) -> bool {
    shape(value.clone()).is_ok()
}
