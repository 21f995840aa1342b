//! Drawing the next token.
//!
//! The order: the likeliest few, penalties, the grammar, then the shape of the distribution. Penalties and the grammar are
//! asked about the likeliest tokens only; asking about the whole vocabulary costs milliseconds and is the way out when
//! none of them fits.

use crate::ai::{Likelihood, ModelError, Sampling};
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token::data::LlamaTokenData;
use llama_cpp_2::token::data_array::LlamaTokenDataArray;

/// Tokens that the repeat penalty looks back on. Those of the prompt do not count: a small model that may not say again
/// what it was asked about says something beside the point.
const LOOK_BACK: i32 = 128;

/// How strongly a run of words that was there before is avoided (DRY's multiplier). Without it a small model in a long
/// conversation says its own last line again and again.
const ECHO: f32 = 0.8;

/// Tokens that may be the same as before: enough to say back what somebody told, "your cat is called Pixel".
const ECHO_LENGTH: i32 = 6;

/// Tokens of the prompt and the reply that are searched for the same words.
const ECHO_LOOK_BACK: i32 = 1024;

/// Candidates that the grammar and the distribution are asked about.
const CANDIDATES: i32 = 128;

/// Logarithm of the share of the best token's probability that a token needs to take part in guidance: one tenth.
const LIKELY_ENOUGH: f32 = -2.3;

/// A token that was drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pick {
    pub token: LlamaToken,
    /// Logarithm of its probability before penalties and guidance, among the candidates.
    pub fit: f32,
    /// How much larger that is than for the plain reply; 0 without one.
    pub gain: f32,
}

/// How likely the tokens of a reply were.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    tokens: usize,
    fit: f32,
    gain: f32,
    least: f32,
}

impl Tally {
    pub(super) fn note(&mut self, pick: Pick) {
        self.tokens += 1;
        self.fit += pick.fit;
        self.gain += pick.gain;
        self.least = self.least.min(pick.fit);
    }

    pub(super) fn likelihood(&self) -> Option<Likelihood> {
        let Self { tokens, fit, gain, least } = *self;
        let count = f32::from(u16::try_from(tokens).unwrap_or(u16::MAX));
        (tokens > 0).then(|| Likelihood { mean: fit / count, least, gain: gain / count })
    }
}

/// Draws the tokens of one reply.
pub(super) struct Picker {
    penalties: LlamaSampler,
    echo: LlamaSampler,
    narrow: LlamaSampler,
    draw: LlamaSampler,
    grammar: Option<LlamaSampler>,
    scratch: LlamaTokenDataArray,
    /// The candidates as the model gave them.
    raw: Vec<LlamaTokenData>,
    guidance: f32,
}

impl Picker {
    /// `prompt` are the tokens that the reply follows.
    pub(super) fn new(
        model: &LlamaModel,
        sampling: &Sampling,
        grammar: Option<&str>,
        prompt: &[LlamaToken],
    ) -> Result<Self, ModelError> {
        let grammar = grammar
            .map(|text| LlamaSampler::grammar(model, text, "root"))
            .transpose()
            .map_err(|_| ModelError::Failed("the grammar of the wished form is not valid".to_owned()))?;
        let repeat = if sampling.repeat_penalty > 0.0 { sampling.repeat_penalty } else { 1.0 };
        let penalties = LlamaSampler::penalties(model.n_vocab(), LOOK_BACK, repeat, 0.0, 0.0);
        let strength = if repeat > 1.0 { ECHO } else { 0.0 };
        let mut echo =
            LlamaSampler::dry(model, strength, 1.75, ECHO_LENGTH, ECHO_LOOK_BACK, std::iter::empty::<&[u8]>());
        echo.accept_many(prompt);
        let draw = if sampling.temperature <= 0.0 {
            LlamaSampler::greedy()
        } else {
            let seed = sampling.seed.unwrap_or_else(rand::random);
            LlamaSampler::chain(
                [
                    LlamaSampler::top_p(sampling.top_p, 1),
                    LlamaSampler::min_p(sampling.min_p, 1),
                    LlamaSampler::temp(sampling.temperature),
                    LlamaSampler::dist(seed),
                ],
                true,
            )
        };
        Ok(Self {
            penalties,
            echo,
            narrow: LlamaSampler::top_k(CANDIDATES),
            draw,
            grammar,
            scratch: LlamaTokenDataArray::new(Vec::new(), false),
            raw: Vec::new(),
            guidance: sampling.guidance,
        })
    }

    /// The next token after row `row` of the last batch, led away from what row `plain` expects. `None` when nothing fits
    /// the grammar.
    pub(super) fn pick(&mut self, ctx: &LlamaContext<'_>, row: i32, plain: Option<i32>) -> Option<Pick> {
        self.scratch = ctx.token_data_array_ith(row);
        self.scratch.apply_sampler(&mut self.narrow);
        self.raw.clone_from(&self.scratch.data);
        self.scratch.apply_sampler(&mut self.penalties);
        self.scratch.apply_sampler(&mut self.echo);
        if let Some(grammar) = &mut self.grammar {
            self.scratch.apply_sampler(grammar);
            if !possible(&self.scratch) {
                self.scratch = ctx.token_data_array_ith(row);
                self.scratch.apply_sampler(grammar);
                if !possible(&self.scratch) {
                    return None;
                }
                self.scratch.apply_sampler(&mut self.penalties);
            }
            self.scratch.data.retain(|token| token.logit() > f32::NEG_INFINITY);
            self.scratch.sorted = false;
        }
        if let Some(plain) = plain {
            guide(&mut self.scratch, ctx.get_logits_ith(row), ctx.get_logits_ith(plain), self.guidance);
        }
        self.scratch.apply_sampler(&mut self.draw);
        let token = self.scratch.selected_token()?;
        let fit = share(token, self.raw.iter().map(|t| (t.id(), t.logit())));
        let gain = plain.map_or(0.0, |plain| {
            let plain = ctx.get_logits_ith(plain);
            let logit = |id: LlamaToken| usize::try_from(id.0).ok().and_then(|id| plain.get(id)).copied();
            fit - share(token, self.raw.iter().filter_map(|t| Some((t.id(), logit(t.id())?))))
        });
        Some(Pick { token, fit, gain })
    }

    /// Notes the token that was drawn; not to be called with one that ends the reply.
    pub(super) fn accept(&mut self, token: LlamaToken) {
        self.penalties.accept(token);
        self.echo.accept(token);
        if let Some(grammar) = &mut self.grammar {
            // llama.cpp ends the process when a token does not fit; `pick` gave this one, so it does.
            grammar.accept(token);
        }
    }
}

/// Moves the odds away from what the model would say in any case. Only tokens that were likely before take part, as the
/// difference of two small numbers says nothing.
fn guide(tokens: &mut LlamaTokenDataArray, asked: &[f32], plain: &[f32], guidance: f32) {
    let best = tokens.data.iter().map(LlamaTokenData::logit).fold(f32::NEG_INFINITY, f32::max);
    tokens.data.retain(|token| token.logit() >= best + LIKELY_ENOUGH);
    for token in &mut tokens.data {
        let index = usize::try_from(token.id().0).unwrap_or(usize::MAX);
        if let (Some(asked), Some(plain)) = (asked.get(index), plain.get(index)) {
            token.set_logit(token.logit() + (guidance - 1.0) * (asked - plain));
        }
    }
    tokens.sorted = false;
}

/// Logarithm of the share that a token has of the probability of all that are given; of one that is not among them, what
/// a share too small to matter has.
fn share(token: LlamaToken, logits: impl Iterator<Item = (LlamaToken, f32)> + Clone) -> f32 {
    const LEAST: f32 = -12.0;
    let best = logits.clone().map(|(_, logit)| logit).fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.clone().map(|(_, logit)| (logit - best).exp()).sum();
    let own = logits.filter(|(id, _)| *id == token).map(|(_, logit)| logit - best - sum.ln()).next();
    own.filter(|own| own.is_finite()).map_or(LEAST, |own| own.max(LEAST))
}

fn possible(tokens: &LlamaTokenDataArray) -> bool {
    tokens.data.iter().any(|token| token.logit() > f32::NEG_INFINITY)
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn a_share_is_of_all_that_are_given() {
        let logits = [(LlamaToken(3), 1.0_f32), (LlamaToken(5), 1.0), (LlamaToken(9), f32::NEG_INFINITY)];
        assert!((share(LlamaToken(5), logits.into_iter()) - 0.5_f32.ln()).abs() < 1e-5);
        assert!((share(LlamaToken(9), logits.into_iter()) + 12.0).abs() < 1e-5);
        assert!((share(LlamaToken(7), logits.into_iter()) + 12.0).abs() < 1e-5);
        assert!((share(LlamaToken(7), std::iter::empty()) + 12.0).abs() < 1e-5);
    }
}
