//! All SQL of the chat room, one file a purpose: what is read, what people change, what runs write.

mod change;
mod read;
mod runs;

pub use change::{
    To, archive, continue_reply, delete_conversation, delete_message, new_key, regenerate, rename, retry, send,
    show_sibling, start, stop,
};
pub use read::{
    Pulse, conversation_of, conversations, lines, newest_with, partner, partner_by_slug, pulse, scene, suggestions,
};
pub use runs::{Ended, Keep, RunRow, Start, expire, finish, keep, note_receipt, run_row};
