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
}

/// A character that a chat can be brought to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partner {
    /// Its name in addresses.
    pub slug: String,
    /// Its name.
    pub name: String,
}
