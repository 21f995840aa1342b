//! What the model is told before it replies: a pure function from a scene to a request, with a receipt.
//!
//! What never changes comes first: who the character is, how it speaks, what it carries, and its example lines as turns of
//! a talk. It is the same for everybody who talks with the character, so a model that keeps its state reads it once. Then
//! comes who enters and what is known that day (`sheet.rs`), then the talk itself, newest kept (`history.rs`).
//!
//! Every part has a share of the room (`budget.rs`), counted by the model's own tokenizer; what does not fit is left out
//! and the receipt says what and why. All models get the same prompt; docs/voice.md says how it was found.

mod budget;
mod ends;
mod heard;
mod history;
mod recall;
mod receipt;
mod sheet;
mod text;

#[cfg(test)]
mod tests;

pub use ends::{finished, reopened};
pub use heard::plain_name;
pub use receipt::{Left, Receipt, SamplingNote, Section, Why};
pub use text::{fill, stops};

use super::Sender;
use crate::{
    ai::{Message, ModelInfo, Request},
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
    /// To the character itself, to one of the house or of the person: nobody else chose its words.
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

/// Longest reply, in tokens: a long story. Most end by themselves long before.
const REPLY: u32 = 1200;

/// Longest reply of a model with this context, in tokens.
const fn longest(context: u32) -> u32 {
    let quarter = context / 4;
    if quarter < REPLY { quarter } else { REPLY }
}

/// Puts the prompt together. `count` gives the tokens of a text; `prefill` is kept text that the reply goes on from.
pub fn build(scene: &Scene, info: &ModelInfo, count: &dyn Fn(&str) -> u32, prefill: &str) -> Prompt {
    let max_tokens = longest(info.context);
    let prefill_tokens = if prefill.is_empty() { 0 } else { count(prefill) };
    let room = info.context.saturating_sub(max_tokens).saturating_sub(prefill_tokens);
    let mut budget = Budget::new(count, room);

    let mut messages = sheet::opening(scene, &mut budget);
    let after = sheet::after(scene, &mut budget);
    let news = heard::news(scene, &mut budget);
    // The note stands among the lines: it is chosen before them and told after them.
    let note = sheet::note(scene, &budget);
    let talk = history::keep(scene, note.as_ref().map_or(0, |n| n.tokens), &mut budget);
    if let Some(note) = &note {
        budget.note(note);
    }
    let talk = news.into_iter().chain(talk).collect();
    messages.extend(history::join(talk, note));
    if let Some(after) = after {
        budget.sent_here(receipt::PRIVATE_AFTER);
        history::add(&mut messages, after);
    }

    let request = Request {
        messages,
        prefill: prefill.to_owned(),
        max_tokens,
        sampling: info.sampling.clone(),
        stop: stops(&scene.person),
        never: scene.persona.forbidden_phrases.clone(),
        schema: None,
        tools: Vec::new(),
    };
    let receipt = Receipt {
        layout: "full".into(),
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
