//! Files that become conversations: our own JSON, and the JSONL of SillyTavern.
//!
//! Reading is pure and comes first; nothing is written before the whole file was read. A file is somebody else's text, and often
//! the only copy of it: a line that cannot be read is skipped and told with its number and the reason, and what cannot be seen is
//! left out. A file of which nothing can be read, or that is too much, is refused.

mod date;
mod sillytavern;
mod soulforge;

use super::{IMPORT_MAX, Skipped, Unread};
use crate::{
    chat::Sender,
    error::{AppError, AppResult},
    text::readable,
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
    /// Lines that could not be read, in their order.
    pub skipped: Vec<Skipped>,
}

impl Chat {
    fn skip(&mut self, line: usize, reason: Unread) {
        self.skipped.push(Skipped { line: u32::try_from(line).unwrap_or(u32::MAX), reason });
    }
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
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(wrong("The file is empty."));
    }
    let chat = match std::str::from_utf8(bytes) {
        Ok(text) if soulforge::is_ours(text) => soulforge::read(text)?,
        _ => sillytavern::read(bytes)?,
    };
    match (chat.nodes.is_empty(), chat.skipped.first()) {
        (false, _) => Ok(chat),
        (true, None) => Err(wrong("There is no message in this file.")),
        (true, Some(_)) if is_card(bytes) => {
            Err(wrong("This is a character card, not a chat. Here only chats can be imported."))
        }
        (true, Some(Skipped { line: 1, reason: Unread::NotJson | Unread::NotText })) => {
            Err(at_line(1, "This is neither a SillyTavern chat (.jsonl) nor a chat exported here."))
        }
        (true, Some(first)) => Err(at_line(usize::try_from(first.line).unwrap_or(0), first.reason.words())),
    }
}

/// Whether a file that holds no chat holds a character instead, which people try here, too.
fn is_card(bytes: &[u8]) -> bool {
    let start: Vec<u8> = bytes.iter().copied().take(200_000).collect();
    let text = String::from_utf8_lossy(&start);
    text.starts_with('\u{fffd}') && text.contains("PNG")
        || text.contains("chara_card_v")
        || (text.contains("\"first_mes\"") && text.contains("\"personality\""))
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
    readable(text, None).nfc().collect::<String>().trim().to_owned()
}

/// A name or a title: in one line, cut to [`TITLE_MAX`].
fn short(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TITLE_MAX).collect()
}

/// The words of a message.
fn content(text: &str) -> Result<String, Unread> {
    let content = clean(text);
    if content.chars().count() > CONTENT_MAX {
        return Err(Unread::TooLong);
    }
    Ok(content)
}

/// A name as Markdown that shows it as it is: signs that would begin something there are escaped.
#[must_use]
pub fn escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '<' | '>' | '~' | '&') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests;
