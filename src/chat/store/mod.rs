//! All SQL of the chat room, one file a purpose: what is read, what people change, what they do to the tree, what runs
//! write, where a window of lines ends, what goes into files.

mod change;
pub mod export;
mod read;
mod runs;
mod tree;
mod window;

pub use change::{
    To, archive, continue_reply, delete_conversation, new_key, regenerate, rename, retry, send, start, stop,
};
pub(in crate::chat) use read::CardRow;
pub use read::{
    Pulse, conversation_of, conversations, lines, newest_with, partner, partner_by_slug, pulse, scene, suggestions,
    window,
};
pub use runs::{Ended, Keep, RunRow, Start, expire, finish, keep, note_fall, note_receipt, run_row};
pub use tree::{
    Opinion, Wording, branch, delete_message, edit_as_wording, edit_in_place, leaf_at_rest, openings, rate,
    show_message, show_sibling, wordings,
};
