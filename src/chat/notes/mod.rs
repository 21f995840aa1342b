//! What a person adds to the prompt of a conversation, and what they can see of it.
//!
//! Instructions for this conversation, an author's note among the newest lines, the persona they speak as, and the summary
//! of lines that the model is not shown any more (`summary.rs` writes it). The receipt of a reply says what was really sent.

pub mod api;
#[cfg(feature = "ssr")]
mod page;
#[cfg(feature = "ssr")]
pub mod routes;
#[cfg(feature = "ssr")]
pub mod store;
#[cfg(feature = "ssr")]
pub mod summary;
pub mod view;

use crate::{
    error::{AppError, AppResult},
    ids::OcId,
    text::clean_text,
};
use serde::{Deserialize, Serialize};

/// Longest instructions of a conversation, in characters.
pub const INSTRUCTIONS_MAX: usize = 2000;
/// Longest author's note, in characters.
pub const NOTE_MAX: usize = 1000;
/// Most lines that may follow the author's note.
pub const DEPTH_MAX: u32 = 20;
/// Longest summary, in characters.
pub const SUMMARY_MAX: usize = 4000;

/// The choice "as myself" among personas.
pub const MYSELF: &str = "myself";

/// Everything the notes page shows. Texts are made by the server, so that the page in the browser stays small.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotesView {
    /// The character, for its colours.
    pub oc_id: OcId,
    /// Its name.
    pub oc_name: String,
    /// What it is told in this conversation.
    pub instructions: String,
    /// The author's note.
    pub note: String,
    /// How many lines follow it.
    pub note_depth: u32,
    /// What the model does with the note.
    pub note_hint: String,
    /// The chosen persona: its id, [`MYSELF`], or empty for the default.
    pub persona: String,
    /// What can be chosen, value and label.
    pub personas: Vec<(String, String)>,
    /// What was said before, in few words.
    pub summary: String,
    /// `auto`, `on` or `off`.
    pub summary_mode: String,
    /// What the model does about it, and what it covers.
    pub summary_hint: String,
}

/// What is typed on the notes page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NotesForm {
    /// What the character is told in this conversation.
    pub instructions: String,
    /// The author's note.
    pub note: String,
    /// How many lines follow it.
    pub note_depth: String,
    /// Id of a persona, [`MYSELF`], or empty for the default.
    pub persona: String,
}

/// Notes as they may be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanNotes {
    /// At most [`INSTRUCTIONS_MAX`] characters.
    pub instructions: String,
    /// At most [`NOTE_MAX`] characters.
    pub note: String,
    /// At most [`DEPTH_MAX`].
    pub note_depth: u32,
}

impl CleanNotes {
    /// Checks notes from whatever side they come.
    ///
    /// # Errors
    /// `Invalid` at the field.
    pub fn check(instructions: &str, note: &str, note_depth: u32) -> AppResult<Self> {
        if note_depth > DEPTH_MAX {
            return Err(AppError::invalid("note_depth", format!("At most {DEPTH_MAX} messages may follow the note.")));
        }
        Ok(Self {
            instructions: clean_text("instructions", instructions, 0, INSTRUCTIONS_MAX)?,
            note: clean_text("note", note, 0, NOTE_MAX)?,
            note_depth,
        })
    }
}

impl NotesForm {
    /// The form as it may be kept.
    ///
    /// # Errors
    /// `Invalid` at the field.
    pub fn check(&self) -> AppResult<CleanNotes> {
        let depth = match self.note_depth.trim() {
            "" => 4,
            depth => depth.parse().map_err(|_| AppError::invalid("note_depth", "Please enter a number."))?,
        };
        CleanNotes::check(&self.instructions, &self.note, depth)
    }
}

/// A summary as it may be kept; empty takes it away.
///
/// # Errors
/// `Invalid` at the field `summary`.
pub fn check_summary(text: &str) -> AppResult<String> {
    clean_text("summary", text, 0, SUMMARY_MAX)
}

/// When older lines are summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SummaryMode {
    /// When lines no longer fit into what the model reads.
    #[default]
    Auto,
    /// The same, as earlier versions called it.
    On,
    /// Never, and a summary that exists is not sent.
    Off,
}

impl SummaryMode {
    /// As in the database and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::On => "on",
            Self::Off => "off",
        }
    }

    /// From the database or a form; what is unknown is [`SummaryMode::Auto`].
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word {
            "on" => Self::On,
            "off" => Self::Off,
            _ => Self::Auto,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_checked() {
        let form = NotesForm { note: " Rain. ".into(), ..NotesForm::default() };
        let clean = form.check().unwrap_or_default();
        assert_eq!((clean.note.as_str(), clean.note_depth), ("Rain.", 4));
        for (form, field) in [
            (NotesForm { note_depth: "21".into(), ..NotesForm::default() }, "note_depth"),
            (NotesForm { note_depth: "-1".into(), ..NotesForm::default() }, "note_depth"),
            (NotesForm { note: "x".repeat(NOTE_MAX + 1), ..NotesForm::default() }, "note"),
            (NotesForm { instructions: format!("a{}", "\u{301}".repeat(9)), ..NotesForm::default() }, "instructions"),
        ] {
            assert_eq!(form.check().err().map(|e| e.field().to_owned()).as_deref(), Some(field));
        }
    }
}
