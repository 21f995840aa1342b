//! What the model is told before it replies: a pure function from a scene to a request, with a receipt.
//!
//! Stable parts come first (who the character is, what it carries, how it speaks), then what changes by the day (the
//! world, memories, the summary), then the talk itself, newest kept. So the beginning of a prompt stays the same from
//! message to message, and models that keep their state read only what is new.
//!
//! Every part has a share of the room (`budget.rs`), counted by the model's own tokenizer; what does not fit is left out
//! and the receipt says what and why. Small models get a layout of their own (`short.rs`), all others the whole sheet
//! (`full.rs`).

mod budget;
mod choice;
mod full;
mod history;
mod near;
mod receipt;
mod short;
mod text;

#[cfg(test)]
mod tests;

pub use receipt::{Left, Receipt, SamplingNote, Section, Why};
pub use text::{fill, finished};

use super::Sender;
use crate::{
    ai::{Message, ModelInfo, Request, Sampling},
    ocs::store::Persona,
};
use budget::Budget;

/// Everything a prompt is made of.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Who speaks.
    pub persona: Persona,
    /// Name of the person, as the character knows it.
    pub person: String,
    /// What else the character knows about the person.
    pub guest: Guest,
    /// What the person wrote about this conversation.
    pub notes: Notes,
    /// What happened in the world in the last seven days, the character's own first, newest first.
    pub events: Vec<Happening>,
    /// What the character remembers, most important first.
    pub memories: Vec<String>,
    /// What was said, oldest first, up to the message to be answered.
    pub history: Vec<Turn>,
    /// Older lines exist that were not even read.
    pub has_older: bool,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// What, in one sentence.
    pub text: String,
    /// To the character itself.
    pub is_own: bool,
}

/// Who the person is in this conversation, beyond the name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guest {
    /// For example `she/her`; may be empty.
    pub pronouns: String,
    /// In their own words; may be empty.
    pub description: String,
}

/// What the person wrote about a conversation; all of it may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// What the character is told for this conversation only.
    pub instructions: String,
    /// The author's note.
    pub note: String,
    /// How many lines follow the note; 0 puts it after the newest.
    pub note_depth: u32,
    /// What was said before the lines that are shown, in few words.
    pub summary: String,
    /// The person has switched the summary off.
    pub summary_is_off: bool,
}

/// One thing that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// By whom.
    pub by: Sender,
    /// What, as written.
    pub content: String,
}

/// A request and the account of what is in it.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// For the model.
    pub request: Request,
    /// Kept with the run.
    pub receipt: Receipt,
}

/// Contexts up to this many tokens, on this machine, get the short layout.
pub const SHORT_CONTEXT: u32 = 4096;
/// Longest reply of a large model, in tokens.
const FULL_REPLY: u32 = 700;

/// Whether a model gets the short layout.
#[must_use]
pub const fn is_small(info: &ModelInfo) -> bool {
    info.local && info.context <= SHORT_CONTEXT
}

/// Puts the prompt together. `count` gives the tokens of a text; `prefill` is kept text that the reply goes on from.
pub fn build(scene: &Scene, info: &ModelInfo, count: &dyn Fn(&str) -> u32, prefill: &str) -> Prompt {
    let is_short = is_small(info);
    let max_tokens = if is_short { short::REPLY } else { FULL_REPLY }.min(info.context / 3);
    let prefill_tokens = if prefill.is_empty() { 0 } else { count(prefill) };
    let most = info.context.saturating_sub(max_tokens);
    let room = if is_short { most.min(short::ROOM) } else { most }.saturating_sub(prefill_tokens);
    let mut budget = Budget::new(count, room);

    let ((mut messages, closing), said) = if is_short {
        (short::opening(scene, &mut budget), short::said(scene))
    } else {
        ((full::opening(scene, &mut budget), Vec::new()), full::said(scene))
    };
    // A prompt that is read ahead lacks the person's new line.
    let is_ahead = scene.history.last().is_some_and(|l| l.by == Sender::Oc);
    let lines = if is_short { short::LINES - usize::from(is_ahead) } else { usize::MAX };
    // The note of the full layout stands among the lines: it is chosen before them and told after them.
    let note = if is_short { None } else { full::note(scene, &budget) };
    let talk = history::keep(scene, said, lines, note.as_ref().map_or(0, |n| n.tokens), &mut budget);
    if let Some(note) = &note {
        budget.note(note);
    }
    let mut talk = history::join(talk, is_short, note);
    let newest = if is_ahead { None } else { talk.pop() };
    messages.extend(talk.into_iter().chain(closing).chain(newest));

    let sampling = if is_short { short::SAMPLING } else { Sampling::default() };
    let request = Request {
        messages,
        prefill: prefill.to_owned(),
        max_tokens,
        sampling,
        stop: if is_short { short::stops() } else { vec![format!("\n{}:", scene.person)] },
        grammar: None,
        tools: Vec::new(),
        takes: is_short.then(|| short::takes(scene)),
    };
    let receipt = Receipt {
        layout: if is_short { "short" } else { "full" }.into(),
        model: info.name.clone(),
        provider: info.provider.clone(),
        context: info.context,
        room,
        tokens: budget.used(),
        reply: max_tokens,
        prefill: prefill_tokens,
        sampling: SamplingNote::from(&request),
        sections: budget.into_sections(),
        via: None,
        fallback: None,
    };
    Prompt { request, receipt }
}

/// The author's note as a line of the talk.
struct NoteLine {
    text: String,
    /// How many lines follow it.
    depth: u32,
    /// What it costs; nothing if there is no room for it.
    tokens: u32,
    fits: bool,
}

/// A line of the talk as the model sees it, with the name for the receipt.
struct Said {
    message: Message,
    name: String,
}
