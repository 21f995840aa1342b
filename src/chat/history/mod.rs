//! Looking back: search through what was said, conversations that leave as files and files that become conversations.
//!
//! Three formats go out: Markdown to read, JSON with everything (the format below, which comes in again as well), and the
//! JSONL of SillyTavern. JSON and JSONL come in (`import` reads, `store` keeps).

pub mod api;
#[cfg(feature = "ssr")]
pub mod export;
#[cfg(feature = "ssr")]
pub mod import;
#[cfg(feature = "ssr")]
pub mod routes;
#[cfg(feature = "ssr")]
pub mod search;
#[cfg(feature = "ssr")]
pub mod store;

use super::{ConversationCard, Sender};
use crate::ids::{ConversationId, MessageId, Stamp};
use serde::{Deserialize, Serialize};

/// Longest text to look for, in characters.
pub const QUERY_MAX: usize = 200;

/// Largest file that is taken in, in bytes.
pub const IMPORT_MAX: usize = 20 * 1024 * 1024;

/// A message in which something was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Hit {
    /// The message.
    pub message_id: MessageId,
    /// Where it was said.
    pub conversation_id: ConversationId,
    /// Title given by the person; empty means the character's name.
    pub title: String,
    /// The character of the conversation.
    pub oc_name: String,
    /// Address of its small plate.
    pub portrait_url: String,
    /// Who said it.
    pub sender: Sender,
    /// When.
    pub created_at: Stamp,
    /// It is on the branch that the conversation shows.
    pub is_shown: bool,
    /// The words around what was found, as HTML with nothing in it but `<mark>`.
    pub html: String,
}

impl Hit {
    /// The page that shows the message among its neighbours.
    #[must_use]
    pub fn url(&self) -> String {
        format!("/chat/{}?at={}#m-{}", self.conversation_id, self.message_id, self.message_id)
    }
}

/// A page of what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Conversations whose title or character is called so; on the first page only.
    pub conversations: Vec<ConversationCard>,
    /// Messages, the newest first.
    pub hits: Vec<Hit>,
    /// What to ask for as `after`; `None` on the last page.
    pub next: Option<String>,
    /// Nothing was found for what was typed, and this was looked for instead; empty for most.
    #[serde(default)]
    pub corrected: String,
}

/// Why a line of a file, or a message of our own format, could not be taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Unread {
    /// Not text in UTF-8.
    NotText,
    /// Not JSON.
    NotJson,
    /// JSON, but no object.
    NotObject,
    /// Without a message.
    NoMessage,
    /// A field has another type than it should.
    WrongType,
    /// Longer than a message may be.
    TooLong,
    /// More wordings than are kept.
    TooManySwipes,
    /// Its id stands in the file twice.
    Twice,
    /// What it answers is not in the file, or answers it.
    Orphan,
}

impl Unread {
    const ALL: [(Self, char); 9] = [
        (Self::NotText, 'u'),
        (Self::NotJson, 'j'),
        (Self::NotObject, 'o'),
        (Self::NoMessage, 'm'),
        (Self::WrongType, 't'),
        (Self::TooLong, 'l'),
        (Self::TooManySwipes, 's'),
        (Self::Twice, 'd'),
        (Self::Orphan, 'p'),
    ];

    /// For people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NotText => "This is not text in UTF-8.",
            Self::NotJson => "This is not JSON. The file may have been cut off.",
            Self::NotObject => "This is not a JSON object.",
            Self::NoMessage => "The message (mes) is missing.",
            Self::WrongType => "A field has the wrong type, for example text instead of true or false.",
            Self::TooLong => "The message is longer than 60,000 characters.",
            Self::TooManySwipes => "The message has more than 200 swipes.",
            Self::Twice => "Another message has the same id.",
            Self::Orphan => "The message it replies to is not in the file.",
        }
    }
}

/// A line that was skipped while the rest was taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Skipped {
    /// Its number in the file, from 1; of a message in our own JSON, its place among the messages.
    pub line: u32,
    /// Why.
    pub reason: Unread,
}

/// Skipped lines that are told one by one; more are only counted.
pub const SKIPPED_TOLD: usize = 100;

impl Skipped {
    /// Skipped lines as they stand in an address: `3j-17m`.
    #[must_use]
    pub fn write(all: &[Self]) -> String {
        let one = |s: &Self| {
            let letter = Unread::ALL.iter().find(|(reason, _)| *reason == s.reason).map_or('j', |(_, letter)| *letter);
            format!("{}{letter}", s.line)
        };
        all.iter().map(one).collect::<Vec<_>>().join("-")
    }

    /// From an address; what is no such thing is left out.
    #[must_use]
    pub fn read(text: &str) -> Vec<Self> {
        let one = |piece: &str| {
            let letter = piece.chars().last()?;
            let (reason, _) = Unread::ALL.into_iter().find(|(_, l)| *l == letter)?;
            Some(Self { line: piece.strip_suffix(letter)?.parse().ok()?, reason })
        };
        text.split('-').filter_map(one).take(SKIPPED_TOLD).collect()
    }
}

/// A character that a chat can be brought to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partner {
    /// Its name in addresses.
    pub slug: String,
    /// Its name.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_lines_travel_in_an_address() {
        let all: Vec<Skipped> =
            Unread::ALL.iter().zip(1..).map(|((reason, _), line)| Skipped { line, reason: *reason }).collect();
        let text = Skipped::write(&all);
        assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{text}");
        assert_eq!(Skipped::read(&text), all);
        assert_eq!(
            Skipped::read("3j-x-7-9?-<b>-4m"),
            [Skipped { line: 3, reason: Unread::NotJson }, Skipped { line: 4, reason: Unread::NoMessage }]
        );
    }
}
