//! The account of a prompt: what was sent, part by part, with tokens, and what was left out and why.

use crate::ai::Request;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use utoipa::ToSchema;

/// Longest text of a part that is kept, in characters; of a longer one, its beginning and its end.
const TEXT_MAX: usize = 8000;

/// Name of the part that only the character's owner may read: the instructions of its maker.
pub(super) const PRIVATE: &str = "private";
/// The same, of those that come after the newest line.
pub(super) const PRIVATE_AFTER: &str = "private_after";

/// What went into a prompt, and what did not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Receipt {
    /// `full`; receipts of earlier versions may say `short`.
    pub layout: Cow<'static, str>,
    /// Name of the model that was meant to answer.
    pub model: String,
    /// Who runs it: `local` or the provider's name.
    pub provider: String,
    /// Tokens that prompt and reply may fill together.
    pub context: u32,
    /// Tokens that the prompt was allowed.
    pub room: u32,
    /// Tokens that it took: the sum of its parts.
    pub tokens: u32,
    /// Longest reply that was asked for, in tokens.
    pub reply: u32,
    /// Tokens of kept words that the reply went on from.
    pub prefill: u32,
    /// How words were drawn.
    pub sampling: SamplingNote,
    /// Part by part, in the order in which they were sent.
    pub sections: Vec<Section>,
    /// The model that really answered, when it was another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// Why the first choice did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
}

/// One part of a prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Section {
    /// What it is: `private` (its maker's own instructions), `identity`, `items`, `style`, `examples`, `person`, `conversation`, `instructions`, `world`, `heard` (of other people's characters), `memories`,
    /// `summary`, `history`, `note` or `private_after` (its maker's instructions after the newest line).
    pub name: Cow<'static, str>,
    /// What it costs, the marks around its lines included.
    pub tokens: u32,
    /// How many entries are in it.
    pub entries: u32,
    /// How many entries are not in it.
    pub left_out: u32,
    /// What they are, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Left>,
    /// As it was sent; of a very long one, the beginning and the end. Empty for what is not yours to read.
    pub text: String,
    /// SHA-256 of what is not yours to read, in hexadecimal letters: whether it is still the same, and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl Receipt {
    /// Takes out what only the owner of the character may read. Its tokens and its hash stay.
    pub fn keep_private(&mut self) {
        for section in self.sections.iter_mut().filter(|s| [PRIVATE, PRIVATE_AFTER].contains(&&*s.name)) {
            let text = std::mem::take(&mut section.text);
            section.left.clear();
            section.sha256 = Some(Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect());
        }
    }
}

/// Something that was not sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Left {
    /// What, in its first words.
    pub what: String,
    /// Why.
    pub why: Why,
}

/// Why something was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The part had used up its share, or the prompt its room.
    NoRoom,
    /// A small model kept to few things; only in receipts of earlier versions.
    SmallModel,
    /// Older lines go many at a time, so that the model need not read the whole talk again with every message.
    Together,
    /// The person has switched it off.
    SwitchedOff,
    /// It is older than the lines that are looked at.
    NotRead,
    #[serde(other)]
    /// A reason that this version does not know.
    Other,
}

impl Why {
    /// The reason, before a list of what was left out.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoRoom => "No room was left for:",
            Self::SmallModel => "Left out to keep this small model on track:",
            Self::Together => "Left out together with them, so that not all is read again with every message:",
            Self::SwitchedOff => "You switched this off:",
            Self::NotRead => "Older than the lines that are looked at:",
            Self::Other => "Not sent:",
        }
    }
}

/// How words were drawn, as numbers for people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct SamplingNote {
    /// 0 takes the likeliest token every time.
    pub temperature: f64,
    /// Share of probability that is kept.
    pub top_p: f64,
    /// Above 1, said words are avoided.
    pub repeat_penalty: f64,
}

impl From<&Request> for SamplingNote {
    fn from(request: &Request) -> Self {
        let sampling = &request.sampling;
        // 1.1 as a short float is 1.10000002 as a long one.
        let tidy = |n: f32| (f64::from(n) * 1000.0).round() / 1000.0;
        Self {
            temperature: tidy(sampling.temperature),
            top_p: tidy(sampling.top_p),
            repeat_penalty: tidy(sampling.repeat_penalty),
        }
    }
}

/// A text as a receipt keeps it.
pub(super) fn kept(text: &str) -> String {
    let length = text.chars().count();
    if length <= TEXT_MAX {
        return text.to_owned();
    }
    let half = TEXT_MAX / 2;
    let start: String = text.chars().take(half).collect();
    let end: String = text.chars().skip(length - half).collect();
    format!("{start}\n[{} characters are not shown]\n{end}", length - 2 * half)
}

/// The first words of something that was left out.
pub(super) fn first_words(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= 80 {
        return line;
    }
    let cut: String = line.chars().take(80).collect();
    format!("{}…", cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words))
}
