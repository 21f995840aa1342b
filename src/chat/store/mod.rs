//! All SQL of the chat room, one file a purpose: what is read, what people change, what they do to the tree, what runs
//! write, what streams follow, where a window of lines ends, what goes into files.

mod card;
mod change;
pub mod export;
mod follow;
mod read;
mod runs;
mod tree;
mod window;

pub use change::{
    To, archive, continue_reply, delete_conversation, new_key, regenerate, rename, retry, send, start, stop,
};
pub use follow::{Pulse, RunRow, pulse, pulses, run_row, run_rows};
pub(in crate::chat) use read::CardRow;
pub use read::{
    conversation_of, conversations, lines, newest_with, partner, partner_by_slug, scene, suggestions, window,
};
pub use runs::{Ended, Keep, Start, Words, expire, finish, keep, note_fall, note_receipt};
pub use tree::{
    Opinion, Wording, branch, delete_message, edit_as_wording, edit_in_place, leaf_at_rest, openings, rate,
    show_message, show_sibling, wordings,
};
