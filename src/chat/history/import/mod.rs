//! Files that become conversations: our own JSON, and the JSONL of SillyTavern.
//!
//! Reading is pure and comes first; nothing is written before the whole file was understood. A file is somebody else's text:
//! what is too much, broken or of another kind is refused with the line it stands in, and what cannot be seen is left out.

mod date;
mod sillytavern;
mod soulforge;

use super::IMPORT_MAX;
use crate::{
    chat::Sender,
    error::{AppError, AppResult},
    text::is_refused,
};
use chrono::{DateTime, Utc};
use unicode_normalization::UnicodeNormalization;

/// What our JSON calls itself.
pub const FORMAT: &str = "soulforge.conversation";
/// The version of it that is written, and the newest that is read.
pub const VERSION: u32 = 1;

/// Lines of a file, at most.
pub const LINES_MAX: usize = 20_000;
/// Messages in a file with all wordings, at most.
pub const MESSAGES_MAX: usize = 40_000;
/// Wordings of one message, at most.
const WORDINGS_MAX: usize = 200;
/// Longest message, in characters; the database refuses more.
pub const CONTENT_MAX: usize = 60_000;
/// Longest title that is taken over, in characters.
const TITLE_MAX: usize = 120;

/// A conversation as a file told it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chat {
    /// Its title; empty if the file has none.
    pub title: String,
    /// The character's name in addresses, for files of our own.
    pub slug: String,
    /// The character's name.
    pub name: String,
    /// The messages; each after the one that it answers.
    pub nodes: Vec<Node>,
    /// The message that was shown last.
    pub leaf: Option<usize>,
    /// Names are written as `{{user}}` and `{{char}}` here and there.
    pub has_macros: bool,
    /// Lines that are no part of the talk: notes of the program, empty ones.
    pub left_out: usize,
}

/// A message as a file told it.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it answers: its place in the list.
    pub parent: Option<usize>,
    /// Who said it.
    pub by: Sender,
    /// What was said.
    pub content: String,
    /// When, if the file says so.
    pub at: Option<DateTime<Utc>>,
    /// The model that wrote it; empty if unknown.
    pub model: String,
    /// 1 to 5.
    pub rating: Option<i16>,
    /// Whether it helped.
    pub helpful: Option<bool>,
}

/// Reads a file of either kind.
///
/// # Errors
/// `TooLarge`; `Invalid` at `file`, with the line where there is one.
pub fn read(bytes: &[u8]) -> AppResult<Chat> {
    if bytes.len() > IMPORT_MAX {
        return Err(too_large());
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let before = bytes.get(..e.valid_up_to()).unwrap_or_default();
        at_line(before.iter().filter(|b| **b == b'\n').count() + 1, "this is not text in UTF-8.")
    })?;
    if text.trim().is_empty() {
        return Err(wrong("The file is empty."));
    }
    let chat = if soulforge::is_ours(text) { soulforge::read(text)? } else { sillytavern::read(text)? };
    if chat.nodes.is_empty() {
        return Err(wrong("There is no message in this file."));
    }
    Ok(chat)
}

/// The refusal of a file that is too large.
#[must_use]
pub fn too_large() -> AppError {
    AppError::TooLarge { message: "The file is too large: the limit is 20 MB.".into() }
}

fn wrong(message: impl Into<String>) -> AppError {
    AppError::invalid("file", message)
}

fn at_line(line: usize, what: &str) -> AppError {
    wrong(format!("Line {line}: {what}"))
}

/// Words as they may be kept: without what cannot be seen, which is no reason to refuse a whole chat.
fn clean(text: &str) -> String {
    let lines = text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}'], "\n");
    lines.nfc().filter(|c| !is_refused(*c)).collect::<String>().trim().to_owned()
}

/// A name or a title: in one line, cut to [`TITLE_MAX`].
fn short(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TITLE_MAX).collect()
}

/// The words of a message, or what is wrong with them.
fn content(text: &str) -> Result<String, String> {
    let content = clean(text);
    if content.chars().count() > CONTENT_MAX {
        return Err(format!("this is longer than {CONTENT_MAX} characters."));
    }
    Ok(content)
}

#[cfg(test)]
mod tests;
