//! Drawing the next token.
//!
//! The order: the likeliest few, penalties, the grammar, then the shape of the distribution. Penalties and the grammar are
//! asked about the likeliest tokens only; asking about the whole vocabulary costs milliseconds and is the way out when
//! none of them fits.

use super::manner::Manner;
use crate::ai::{ModelError, Request, Role};
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token::data_array::LlamaTokenDataArray;

/// Tokens that the repeat penalty looks back on. Those of the prompt do not count: a small model that may not say again
/// what it was asked about says something beside the point.
const LOOK_BACK: i32 = 128;

/// How strongly a run of words that was there before is avoided (DRY's multiplier). Without it a small model in a long
/// conversation says its own last line again and again.
const ECHO: f32 = 0.8;

/// Tokens that may be the same as before: enough to say back what somebody told, names in four syllables included. With six,
/// "un chien qui s'appelle Filou" came back as "Filiou".
const ECHO_LENGTH: i32 = 9;

/// How often a token is drawn again that would end in something that is never said.
const REDRAWS: usize = 8;

/// Tokens of the prompt and the reply that are searched for the same words.
const ECHO_LOOK_BACK: i32 = 1024;

/// Candidates that the grammar and the distribution are asked about.
const CANDIDATES: i32 = 128;

/// Draws the tokens of one reply.
pub(super) struct Picker {
    penalties: LlamaSampler,
    echo: LlamaSampler,
    narrow: LlamaSampler,
    draw: LlamaSampler,
    grammar: Option<LlamaSampler>,
    scratch: LlamaTokenDataArray,
    manner: Option<Manner>,
}

impl Picker {
    /// `prompt` are the tokens that the reply follows.
    pub(super) fn new(model: &LlamaModel, request: &Request, prompt: &[LlamaToken]) -> Result<Self, ModelError> {
        let sampling = &request.sampling;
        let grammar = request.schema.as_ref().map(|schema| schema.grammar());
        let grammar = grammar
            .map(|text| LlamaSampler::grammar(model, &text, "root"))
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
            // What has a form is read by programs, and its words are judged there.
            manner: request.schema.is_none().then(|| {
                let sheet = request.messages.iter().filter(|line| line.role == Role::System);
                let sheet: String = sheet.map(|line| line.content.as_str()).collect();
                Manner::new(&request.never, model.n_params(), &sheet)
            }),
        })
    }

    /// The next token after row `row` of the last batch. `None` when nothing fits the grammar.
    pub(super) fn pick(&mut self, model: &LlamaModel, ctx: &LlamaContext<'_>, row: i32) -> Option<LlamaToken> {
        self.scratch = ctx.token_data_array_ith(row);
        self.scratch.apply_sampler(&mut self.narrow);
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
        self.drawn(model)
    }

    /// Draws among the candidates, and again while the text would say what it never says.
    fn drawn(&mut self, model: &LlamaModel) -> Option<LlamaToken> {
        let Some(manner) = &mut self.manner else {
            self.scratch.apply_sampler(&mut self.draw);
            return self.scratch.selected_token();
        };
        let mut left = self.scratch.data.clone();
        for _ in 0..REDRAWS {
            self.scratch.apply_sampler(&mut self.draw);
            let token = self.scratch.selected_token()?;
            let piece = model.vocab().token_to_piece(token, false, None);
            if manner.allows(&piece) {
                manner.note(&piece);
                return Some(token);
            }
            left.retain(|candidate| candidate.id() != token);
            self.scratch = LlamaTokenDataArray::new(left.clone(), false);
        }
        self.scratch.apply_sampler(&mut self.draw);
        self.scratch.selected_token()
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

fn possible(tokens: &LlamaTokenDataArray) -> bool {
    tokens.data.iter().any(|token| token.logit() > f32::NEG_INFINITY)
}
