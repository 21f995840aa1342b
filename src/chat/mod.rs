//! Conversations with characters.
//!
//! A message makes a reply row and a run, in one transaction; the run is a task of the server that asks the model and
//! keeps what it writes (`run.rs`). Browsers only watch it, over server-sent events (`stream.rs`), as many as like. What
//! the model is told is put together in `prompt.rs`, and the receipt of it stays with the run.

pub mod api;
pub mod draft;
pub mod history;
#[cfg(feature = "ssr")]
pub mod impersonate;
pub mod live;
pub mod long;
pub mod notes;
#[cfg(feature = "ssr")]
pub mod prompt;
#[cfg(feature = "ssr")]
pub mod routes;
#[cfg(feature = "ssr")]
pub mod run;
#[cfg(feature = "ssr")]
pub mod store;
#[cfg(feature = "ssr")]
pub mod stream;
pub mod tree_api;
#[cfg(feature = "ssr")]
pub mod tree_routes;
pub mod view;
#[cfg(feature = "ssr")]
pub mod voice;

use crate::{
    error::AppResult,
    ids::{ConversationId, MessageId, OcId, RunId, Stamp},
    text::{clean_line, clean_text},
};
use serde::{Deserialize, Serialize};

/// Longest message, in characters.
pub const MESSAGE_MAX: usize = 8000;

/// Longest reply that somebody may write in a character's place, in characters.
pub const REPLY_MAX: usize = 60_000;

/// Longest title of a conversation, in characters.
pub const TITLE_MAX: usize = 120;

/// What somebody typed, as it may be kept.
///
/// # Errors
/// `Invalid` at the field `content`.
pub fn check_message(content: &str) -> AppResult<String> {
    clean_text("content", content, 1, MESSAGE_MAX)
}

/// Changed words of a line as they may be kept: a person's own are as short as a message, a character's as long as a reply.
///
/// # Errors
/// `Invalid` at `field`.
pub fn check_words(field: &str, sender: Sender, words: &str) -> AppResult<String> {
    clean_text(field, words, 1, if sender == Sender::User { MESSAGE_MAX } else { REPLY_MAX })
}

/// A title as it may be kept; empty takes the character's name again.
///
/// # Errors
/// `Invalid` at the field `title`.
pub fn check_title(title: &str) -> AppResult<String> {
    clean_line("title", title, 0, TITLE_MAX)
}

/// Who said a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Sender {
    /// The person.
    User,
    /// The character.
    Oc,
}

/// Where a reply is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Waits for the model.
    Queued,
    /// Being written.
    Streaming,
    /// Complete.
    Done,
    /// The model could not.
    Failed,
    /// Somebody stopped it.
    Stopped,
    /// The process that wrote it went away.
    Interrupted,
}

impl RunStatus {
    /// As in the database and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Streaming => "streaming",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
        }
    }

    /// From the database.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word {
            "queued" => Self::Queued,
            "streaming" => Self::Streaming,
            "done" => Self::Done,
            "stopped" => Self::Stopped,
            "interrupted" => Self::Interrupted,
            _ => Self::Failed,
        }
    }

    /// More may come.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Streaming)
    }
}

/// The newest run of a reply, as its line shows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LineRun {
    /// The run.
    pub id: RunId,
    /// Where it is.
    pub status: RunStatus,
    /// Why it failed, or what else there is to say about it; empty for most.
    pub error: String,
    /// The model reached its length before its end.
    pub cut: bool,
}

/// One line of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The message.
    pub id: MessageId,
    /// Who said it.
    pub sender: Sender,
    /// As written, for copying.
    pub content: String,
    /// For showing; sanitised by the server.
    pub html: String,
    /// It is the card with help lines, which the house shows in place of a reply.
    #[serde(default)]
    pub is_card: bool,
    /// When, on the viewer's clock: `Today 14:05`.
    pub at: Stamp,
    /// The day alone: `Today`.
    pub day: String,
    /// The time alone: `14:05`.
    pub clock: String,
    /// For replies of the model.
    pub run: Option<LineRun>,
    /// Which of its wordings this is, from 1.
    pub place: u32,
    /// How many wordings there are.
    pub places: u32,
    /// The first line of the conversation: nothing comes before it.
    pub is_first: bool,
    /// Somebody changed its words.
    pub is_edited: bool,
    /// What the person thinks of it, 1 to 5; 0 while they have not said.
    pub rating: u8,
    /// Whether it helped, if the person has said.
    pub helpful: Option<bool>,
}

impl Line {
    /// The run, while it is being written.
    #[must_use]
    pub fn open_run(&self) -> Option<RunId> {
        self.run.as_ref().filter(|r| r.status.is_open()).map(|r| r.id)
    }
}

/// Something that the character carries, in the side panel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// What it is called.
    pub name: String,
    /// What it does to its carrier.
    pub effects: String,
}

/// The character one talks with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partner {
    /// The character.
    pub id: OcId,
    /// Its name.
    pub name: String,
    /// Its name in addresses.
    pub slug: String,
    /// What it is, in two or three words.
    pub title: String,
    /// Address of its plate.
    pub portrait_url: String,
    /// What it carries.
    pub carries: Vec<Carried>,
    /// What happened in its world in the last seven days.
    pub events: Vec<String>,
    /// Things to say first.
    pub quick_start: Vec<String>,
}

impl Partner {
    /// The name to call it by: the first word of a longer name.
    #[must_use]
    pub fn short_name(&self) -> String {
        short_name(&self.name)
    }
}

/// The name to call somebody by: `Mira` of `Mira of the Glass Storms`, but `The Lamplighter` stays whole.
#[must_use]
pub fn short_name(name: &str) -> String {
    match name.split_once(' ') {
        Some((first, _))
            if first.chars().count() > 1
                && ![
                    "the", "a", "an", "of", "dr", "dr.", "mr", "mr.", "mrs", "mrs.", "ms", "ms.", "old", "lady", "lord",
                ]
                .contains(&first.to_lowercase().as_str()) =>
        {
            first.trim_end_matches(',').to_owned()
        }
        _ => name.to_owned(),
    }
}

/// The lines of a conversation, a window of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Its title; empty means the character's name.
    pub title: String,
    /// Put away.
    pub is_archived: bool,
    /// Which model answers from the next reply on, as in [`Talk`]; `None` where nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Answering>,
    /// The conversation that this one branched off from, while it is there.
    pub origin: Option<Origin>,
    /// Changes with everything that happens in the conversation.
    pub revision: String,
    /// Oldest first.
    pub lines: Vec<Line>,
    /// Older lines come before this message; `None` when there are none.
    pub earlier: Option<MessageId>,
    /// Younger lines begin with this message; `None` at the end.
    pub later: Option<MessageId>,
    /// The window ends with the newest line.
    pub is_newest: bool,
}

impl Lines {
    /// These lines, read just now, with the older ones that `known` has already. A window slides along as a talk grows, and what
    /// somebody has scrolled up to must not vanish. What comes before a line never changes, so it can be kept as it is.
    #[must_use]
    pub fn after_those_of(mut self, known: Option<Self>) -> Self {
        let first = self.lines.first().map(|l| l.id);
        if let Some(known) = known.filter(|k| k.conversation_id == self.conversation_id)
            && let Some(older) = known.lines.iter().position(|l| Some(l.id) == first).filter(|at| *at > 0)
        {
            let mut lines = known.lines;
            lines.truncate(older);
            lines.append(&mut self.lines);
            (self.lines, self.earlier) = (lines, known.earlier);
        }
        self
    }
}

/// Which lines of a conversation are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The newest.
    Newest,
    /// Those before this one.
    Before(MessageId),
    /// This one and those that follow it.
    From(MessageId),
    /// This one and those around it, on the branch that it is on.
    Around(MessageId),
}

/// Where a branch left another conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// That conversation.
    pub id: ConversationId,
    /// What it is called.
    pub title: String,
}

/// Which model answers from the next reply on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answering {
    /// For reading, for example `SmolLM2, on this machine`.
    pub name: String,
    /// A built-in model so small that its talk is simple, and that it forgets soon.
    #[serde(default)]
    pub is_small: bool,
    /// It is still being downloaded: megabytes that are here, and all of them.
    #[serde(default)]
    pub download: Option<(u32, u32)>,
}

/// Everything the chat page shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Talk {
    /// With whom.
    pub oc: Partner,
    /// Which model answers.
    pub model: Answering,
    /// The viewer may decide which models there are.
    pub manages_models: bool,
    /// Which models may be chosen instead.
    pub choices: crate::models::Choices,
    /// What was said; `None` while nothing has been.
    pub lines: Option<Lines>,
    /// What the character may say first, as HTML, while nothing has been said; the first one is its greeting.
    pub openings: Vec<String>,
    /// Makes sending twice send once; a fresh one for every message.
    pub key: String,
}

/// What sending did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The person's message.
    pub user_message_id: MessageId,
    /// The reply, empty as yet.
    pub message_id: MessageId,
    /// The run that writes it.
    pub run_id: RunId,
    /// The reply is the card with help lines: it stands there already, and no model was asked.
    pub is_card: bool,
    /// For the next message.
    pub next_key: String,
}

/// What the page is told about a message that it sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// The conversation with the message in it, and the reply begun.
    pub lines: Lines,
    /// For the next message.
    pub next_key: String,
}

/// A conversation in the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ConversationCard {
    /// The conversation.
    pub id: ConversationId,
    /// The character.
    pub oc_id: OcId,
    /// Its name.
    pub oc_name: String,
    /// Title given by the person; empty means the character's name.
    pub title: String,
    /// Address of the small plate.
    pub portrait_url: String,
    /// First words of the newest message.
    pub last_line: String,
    /// When it was written.
    pub last_message_at: Stamp,
    /// Put away.
    pub is_archived: bool,
}

/// A page of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationList {
    /// At most 24, the one last written in first.
    pub cards: Vec<ConversationCard>,
    /// What to ask for as `after`; `None` on the last page.
    pub next: Option<String>,
    /// Whom to talk with, while there is no conversation.
    pub suggestions: Vec<Suggestion>,
}

/// Somebody to talk with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// Its name.
    pub name: String,
    /// Its name in addresses.
    pub slug: String,
    /// What it is.
    pub title: String,
    /// Address of its plate.
    pub portrait_url: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names() {
        for (name, short) in [
            ("Mira of the Glass Storms", "Mira"),
            ("Lumina", "Lumina"),
            ("The Lamplighter", "The Lamplighter"),
            ("Dr. Vesper", "Dr. Vesper"),
            ("Ash, the Last", "Ash"),
        ] {
            assert_eq!(short_name(name), short);
        }
    }

    #[test]
    fn a_window_that_slides_keeps_what_was_read() {
        let line = |n: u128| Line {
            id: MessageId(uuid::Uuid::from_u128(n)),
            sender: Sender::User,
            content: String::new(),
            html: String::new(),
            is_card: false,
            at: Stamp { iso: String::new(), text: String::new() },
            day: String::new(),
            clock: String::new(),
            run: None,
            place: 1,
            places: 1,
            is_first: n == 1,
            is_edited: false,
            rating: 0,
            helpful: None,
        };
        let lines = |range: std::ops::RangeInclusive<u128>, earlier: Option<u128>| Lines {
            conversation_id: ConversationId(uuid::Uuid::nil()),
            title: String::new(),
            is_archived: false,
            model: None,
            origin: None,
            revision: String::new(),
            lines: range.map(line).collect(),
            earlier: earlier.map(|n| MessageId(uuid::Uuid::from_u128(n))),
            later: None,
            is_newest: true,
        };
        let ids = |lines: &Lines| lines.lines.iter().map(|l| l.id.0.as_u128()).collect::<Vec<_>>();
        let slid = lines(5..=9, Some(5)).after_those_of(Some(lines(2..=7, Some(2))));
        assert_eq!(ids(&slid), (2..=9).collect::<Vec<_>>());
        assert_eq!(slid.earlier.map(|m| m.0.as_u128()), Some(2));
        // Another branch: nothing in common, nothing kept.
        let other = lines(20..=22, None).after_those_of(Some(lines(2..=7, Some(2))));
        assert_eq!((ids(&other), other.earlier), ((20..=22).collect(), None));
        assert_eq!(ids(&lines(2..=3, None).after_those_of(None)), [2, 3]);
    }

    #[test]
    fn messages_are_checked() {
        assert_eq!(check_message("  hi\r\nthere ").ok().as_deref(), Some("hi\nthere"));
        assert_eq!(check_message(" \n ").err().map(|e| e.field().to_owned()).as_deref(), Some("content"));
        assert!(check_message(&"x".repeat(MESSAGE_MAX + 1)).is_err());
        assert_eq!(check_message("a\u{202e}b").ok().as_deref(), Some("ab"));
        let long = "x".repeat(MESSAGE_MAX + 1);
        assert!(check_words("text", Sender::Oc, &long).is_ok());
        assert_eq!(
            check_words("text", Sender::User, &long).err().map(|e| e.field().to_owned()).as_deref(),
            Some("text")
        );
    }
}
