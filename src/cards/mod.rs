//! Character cards: files that carry a character from one program to another.
//!
//! Reading is pure and knows no database: a file becomes a [`read::Card`], whatever it came in, with a report of what became of
//! each part of it. What other programs wrote and nobody here knows is kept and written again.

mod colours;
mod examples;
pub mod export;
#[cfg(test)]
pub(crate) mod fixture;
pub mod import;
pub mod read;
pub mod routes;
pub mod sheet;
pub mod store;
#[cfg(test)]
mod tests;
pub mod view;
pub mod write;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Largest file that is read, bytes.
pub const FILE_MAX: usize = 32 * 1024 * 1024;
/// Largest text of a card, bytes: its JSON with all lore.
pub const TEXT_MAX: usize = 4 * 1024 * 1024;
/// Most files inside of a CHARX.
pub const ENTRIES_MAX: usize = 512;
/// Largest file inside of a CHARX, and largest picture that is taken out of one, bytes.
pub const ENTRY_MAX: usize = 32 * 1024 * 1024;
/// Largest sum of what a CHARX unpacks to, bytes.
pub const UNPACKED_MAX: u64 = 200 * 1024 * 1024;
/// How much larger than its packed form anything may be.
pub const RATIO_MAX: u64 = 100;
/// Most entries of a lorebook.
pub const LORE_MAX: usize = 5_000;

/// Why a file was not taken: a sentence for the person who sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub String);

impl Refused {
    fn because(words: impl Into<String>) -> Self {
        Self(words.into())
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// What a card came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Carrier {
    /// A picture with text chunks.
    Png,
    /// A picture with metadata.
    Webp,
    /// A picture with metadata.
    Jpeg,
    /// A ZIP archive, also behind a JPEG.
    Charx,
    /// Text.
    Json,
    /// Text, as text-generation-webui writes it.
    Yaml,
}

impl Carrier {
    /// For reading.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Webp => "WebP",
            Self::Jpeg => "JPEG",
            Self::Charx => "CHARX",
            Self::Json => "JSON",
            Self::Yaml => "YAML",
        }
    }
}

/// Which rules a card was written by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Spec {
    /// Flat, six texts.
    V1,
    /// `chara_card_v2`.
    V2,
    /// `chara_card_v3`, and what is newer.
    V3,
    /// `char_name`, `char_persona` and their kin.
    Pygmalion,
    /// `name`, `context`, `greeting`.
    WebUi,
}

impl Spec {
    /// For reading.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::V1 => "Character Card V1",
            Self::V2 => "Character Card V2",
            Self::V3 => "Character Card V3",
            Self::Pygmalion => "Pygmalion",
            Self::WebUi => "text-generation-webui",
        }
    }
}

/// What became of a part of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is a field of the character now.
    Kept,
    /// It is a field of the character, in another form.
    Mapped,
    /// Nothing here uses it; it is kept as it is and exported again.
    Verbatim,
    /// It was left out.
    Refused,
}

/// One line of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Note {
    /// What became of it.
    pub fate: Fate,
    /// The part of the card, by its name in the file.
    pub part: String,
    /// What was done, and why; empty where there is nothing to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub words: String,
}

impl Note {
    /// A line of a report.
    #[must_use]
    pub fn new(fate: Fate, part: impl Into<String>, words: impl Into<String>) -> Self {
        Self { fate, part: part.into(), words: words.into() }
    }
}

/// Most lines of a report; a card with more surprises than that is told by the first.
const LINES_MAX: usize = 120;

/// What became of a card, part by part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// The rules that it was written by.
    pub spec: Spec,
    /// What it came in.
    pub carrier: Carrier,
    /// Its parts: first what was kept, then what was changed, kept for export only, and left out.
    pub lines: Vec<Note>,
}

impl Report {
    /// A report of these lines, in order and each of them once.
    #[must_use]
    pub fn new(spec: Spec, carrier: Carrier, notes: Vec<Note>) -> Self {
        let mut lines: Vec<Note> = Vec::new();
        for note in notes {
            if lines.len() < LINES_MAX && !lines.contains(&note) {
                lines.push(note);
            }
        }
        lines.sort_by_key(|note| note.fate);
        Self { spec, carrier, lines }
    }
}
