//! All SQL of the models room.

mod admin;
mod kept;
mod own;
mod rows;
mod usage;

pub use admin::*;
pub use kept::*;
pub use own::*;
pub use rows::*;
pub use usage::*;

use crate::ids::{ModelId, ProviderId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The provider that is this process.
pub const LOCAL_PROVIDER: ProviderId = ProviderId(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));
/// The model of this process.
pub const LOCAL_MODEL: ModelId = ModelId(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0002));

/// What a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// llama.cpp in this process.
    Local,
    /// Anthropic's Messages API.
    Anthropic,
    /// Chat Completions of any compatible server.
    #[serde(rename = "openai")]
    OpenAi,
}

impl Kind {
    /// As in the database and in forms.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Anthropic => "anthropic",
            Self::OpenAi => "openai",
        }
    }

    /// From the database or a form.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "local" => Some(Self::Local),
            "anthropic" => Some(Self::Anthropic),
            "openai" => Some(Self::OpenAi),
            _ => None,
        }
    }

    /// For reading.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Local => "In this process",
            Self::Anthropic => "Anthropic Messages API",
            Self::OpenAi => "OpenAI-compatible",
        }
    }

    /// Where it usually is.
    #[must_use]
    pub const fn usual_url(self) -> &'static str {
        match self {
            Self::Local => "",
            Self::Anthropic => "https://api.anthropic.com",
            Self::OpenAi => "https://api.openai.com/v1",
        }
    }
}

/// Prices in millionths of a US dollar per million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prices {
    /// Of what is read.
    pub prompt: i64,
    /// Of what was read before.
    pub cached: i64,
    /// Of what is kept for the next time.
    pub cache_write: i64,
    /// Of what is written.
    pub reply: i64,
}

impl Prices {
    /// What a call costs, in millionths of a US dollar, rounded up.
    #[must_use]
    pub fn cost(&self, tokens: &Tokens) -> i64 {
        let fresh = (tokens.prompt - tokens.cached - tokens.cache_write).max(0);
        let sum = i128::from(fresh) * i128::from(self.prompt)
            + i128::from(tokens.cached) * i128::from(self.cached)
            + i128::from(tokens.cache_write) * i128::from(self.cache_write)
            + i128::from(tokens.reply) * i128::from(self.reply);
        i64::try_from((sum + 999_999) / 1_000_000).unwrap_or(i64::MAX)
    }
}

/// Tokens of one call or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Of the prompt, all of them.
    pub prompt: i64,
    /// Of those, read before.
    pub cached: i64,
    /// Of those, kept for the next time.
    pub cache_write: i64,
    /// Of the reply.
    pub reply: i64,
}

impl Tokens {
    /// What counts against a budget.
    #[must_use]
    pub const fn total(&self) -> i64 {
        self.prompt.saturating_add(self.reply)
    }
}

impl From<&crate::ai::Finish> for Tokens {
    fn from(finish: &crate::ai::Finish) -> Self {
        Self {
            prompt: finish.prompt_tokens.into(),
            cached: finish.cached_tokens.into(),
            cache_write: finish.cache_write_tokens.into(),
            reply: finish.reply_tokens.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_by_kind_of_token() {
        // 3 $ to read, 0.30 $ read before, 3.75 $ kept, 15 $ to write, each per million.
        let prices = Prices { prompt: 3_000_000, cached: 300_000, cache_write: 3_750_000, reply: 15_000_000 };
        let tokens = Tokens { prompt: 10_000, cached: 6_000, cache_write: 1_000, reply: 500 };
        // 3,000 at 3 + 6,000 at 0.3 + 1,000 at 3.75 + 500 at 15 millionths each.
        assert_eq!(prices.cost(&tokens), 9_000 + 1_800 + 3_750 + 7_500);
        assert_eq!(prices.cost(&Tokens::default()), 0);
        assert_eq!(prices.cost(&Tokens { prompt: 1, ..Tokens::default() }), 3);
        assert_eq!(Prices { reply: 1, ..Prices::default() }.cost(&Tokens { reply: 1, ..Tokens::default() }), 1);
        let much = Tokens { prompt: i64::MAX, ..Tokens::default() };
        assert!(prices.cost(&much) > 0);
    }
}
