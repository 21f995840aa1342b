//! Drawing the next token.
//!
//! The order is llama.cpp's: penalties, the likeliest few, the grammar, then the shape of the distribution. The grammar is
//! asked about the likeliest tokens only; asking about the whole vocabulary costs milliseconds and is the way out when
//! none of them fits.

use crate::ai::{ModelError, Sampling};
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token::data::LlamaTokenData;
use llama_cpp_2::token::data_array::LlamaTokenDataArray;

/// Tokens that the repeat penalty looks back on.
const LOOK_BACK: usize = 128;

/// Candidates that the grammar and the distribution are asked about.
const CANDIDATES: i32 = 128;

/// Draws the tokens of one reply.
pub(super) struct Picker {
    penalties: LlamaSampler,
    narrow: LlamaSampler,
    draw: LlamaSampler,
    grammar: Option<LlamaSampler>,
    scratch: LlamaTokenDataArray,
}

impl Picker {
    /// `prompt` ends with what the reply follows; its last tokens count as seen.
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
        let look_back = i32::try_from(LOOK_BACK).unwrap_or(0);
        let mut penalties = LlamaSampler::penalties(model.n_vocab(), look_back, repeat, 0.0, 0.0);
        let vocab = model.vocab();
        let seen = prompt.get(prompt.len().saturating_sub(LOOK_BACK)..).unwrap_or_default();
        penalties.accept_many(seen.iter().filter(|&&token| !vocab.is_control(token)));
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
            narrow: LlamaSampler::top_k(CANDIDATES),
            draw,
            grammar,
            scratch: LlamaTokenDataArray::new(Vec::new(), false),
        })
    }

    /// The next token after row `row` of the last batch. `None` when nothing fits the grammar.
    pub(super) fn pick(&mut self, ctx: &LlamaContext<'_>, row: i32) -> Option<LlamaToken> {
        fill(&mut self.scratch, ctx, row);
        self.scratch.apply_sampler(&mut self.penalties);
        self.scratch.apply_sampler(&mut self.narrow);
        if let Some(grammar) = &mut self.grammar {
            self.scratch.apply_sampler(grammar);
            if !possible(&self.scratch) {
                fill(&mut self.scratch, ctx, row);
                self.scratch.apply_sampler(grammar);
                if !possible(&self.scratch) {
                    return None;
                }
                self.scratch.apply_sampler(&mut self.penalties);
            }
            self.scratch.data.retain(|token| token.logit() > f32::NEG_INFINITY);
            self.scratch.sorted = false;
        }
        self.scratch.apply_sampler(&mut self.draw);
        self.scratch.selected_token()
    }

    /// Notes the token that was drawn; not to be called with one that ends the reply.
    pub(super) fn accept(&mut self, token: LlamaToken) {
        self.penalties.accept(token);
        if let Some(grammar) = &mut self.grammar {
            // llama.cpp ends the process when a token does not fit; `pick` gave this one, so it does.
            grammar.accept(token);
        }
    }
}

fn fill(scratch: &mut LlamaTokenDataArray, ctx: &LlamaContext<'_>, row: i32) {
    let tokens = (0_i32..).zip(ctx.get_logits_ith(row));
    scratch.data.clear();
    scratch.data.extend(tokens.map(|(id, logit)| LlamaTokenData::new(LlamaToken(id), *logit, 0.0)));
    scratch.selected = None;
    scratch.sorted = false;
}

fn possible(tokens: &LlamaTokenDataArray) -> bool {
    tokens.data.iter().any(|token| token.logit() > f32::NEG_INFINITY)
}
