//! What both protocols are translated to.

use super::fault::Said;
use crate::ai::FinishReason;
use serde_json::Value;

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Text of the reply.
    Text(String),
    /// The model is at work, but nothing is to be shown: a piece of a tool call.
    Work,
    /// The model thinks; nothing is to be shown.
    Thinks,
    /// Why the reply ends. The cost may follow.
    Ends(FinishReason),
    /// The model or its provider declines.
    Refuses,
    /// Nothing follows.
    Over,
    /// The provider fails.
    Fails(Said),
}

/// What a reply cost, as far as the provider said it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Tokens of the prompt, all of them.
    pub prompt: Option<u32>,
    pub cached: u32,
    pub cache_write: u32,
    pub reply: Option<u32>,
}

impl Usage {
    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        let sum = |a: Option<u32>, b: Option<u32>| match (a, b) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or_default().saturating_add(b.unwrap_or_default())),
        };
        Self {
            prompt: sum(self.prompt, other.prompt),
            cached: self.cached.saturating_add(other.cached),
            cache_write: self.cache_write.saturating_add(other.cache_write),
            reply: sum(self.reply, other.reply),
        }
    }
}

/// A frame that is no frame of the protocol.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Garbled(pub &'static str);

/// A count, however a server writes it.
pub(super) fn count(value: Option<&Value>) -> Option<u32> {
    let value = value?;
    let number = value
        .as_u64()
        .or_else(|| value.as_f64().filter(|n| *n >= 0.0).map(|n| format!("{n:.0}").parse().unwrap_or(u64::MAX)))?;
    Some(u32::try_from(number).unwrap_or(u32::MAX))
}
