//! Serving with a loaded model: fills the batch, hands out words.
//!
//! Each turn computes one batch: one token for every reply that is being written and a piece of the prompts that are being
//! read. The piece is small while somebody is reading along, so that words keep flowing.

use super::engine::Inbox;
use super::job::Job;
use super::line::Who;
use super::load::{self, BATCH};
use super::prompt::{self, Template};
use super::sample::Picker;
use super::slots::{Plan, Slots};
use super::{LocalConfig, Shared};
use crate::ai::text::Outlet;
use crate::ai::{Chunk, Finish, FinishReason, ModelError};
use llama_cpp_2::DecodeError;
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;
use std::sync::atomic::Ordering;

/// Prompt tokens of one batch while replies are being written.
const PIECE: usize = 32;

/// A reply in work.
struct Running {
    job: Job,
    seq: usize,
    prompt: Vec<LlamaToken>,
    /// Tokens of the prompt that the sequence holds.
    read: usize,
    /// Tokens of the prompt in the current batch.
    fed: usize,
    /// Where in the batch its answer is.
    row: i32,
    /// Drawn, not yet computed.
    next: Option<LlamaToken>,
    picker: Picker,
    outlet: Outlet,
    cached: usize,
    written: u32,
    limit: u32,
    /// The current batch answers what comes next.
    answered: bool,
}

impl Running {
    fn unread(&self) -> &[LlamaToken] {
        self.prompt.get(self.read..).unwrap_or_default()
    }

    /// Tokens of the prompt in the current batch.
    fn piece(&self) -> &[LlamaToken] {
        self.unread().get(..self.fed).unwrap_or_default()
    }

    const fn is_writing(&self) -> bool {
        self.next.is_some()
    }
}

/// The engine while it has a model.
pub(super) struct Serve<'m> {
    model: &'m LlamaModel,
    ctx: LlamaContext<'m>,
    template: Template,
    batch: LlamaBatch<'static>,
    slots: Slots,
    running: Vec<Running>,
    parallel: usize,
    context: u32,
}

impl<'m> Serve<'m> {
    pub(super) fn new(model: &'m LlamaModel, ctx: LlamaContext<'m>, config: &LocalConfig) -> Self {
        let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        let whole = model.is_recurrent() || model.is_hybrid();
        Self {
            model,
            ctx,
            template: Template::of(model),
            batch: LlamaBatch::new(size(BATCH), 1),
            slots: Slots::new(size(load::sequences(config)), whole),
            running: Vec::new(),
            parallel: size(config.parallel.clamp(1, 64)),
            context: config.context_per_reply,
        }
    }

    /// Serves until told to stop. The error is a sentence for those who wait.
    pub(super) fn run(mut self, shared: &Shared, inbox: &mut Inbox) -> Result<(), String> {
        loop {
            let idle = self.running.is_empty() && inbox.is_empty();
            if shared.stop.load(Ordering::Acquire) || (idle && inbox.closed) {
                return Ok(());
            }
            inbox.take(idle && !shared.is_wished());
            self.let_go();
            // Another file is wished for: what is being written is finished first, what waits is left to it.
            let leaving = shared.is_wished();
            if leaving && self.running.is_empty() {
                return Ok(());
            }
            while self.running.len() < self.parallel && !leaving {
                let Some(job) = inbox.waiting.pop(|who| self.written_for(who)) else { break };
                self.begin(job);
            }
            inbox.tidy(|who| self.written_for(who));
            let turn = if self.running.is_empty() { self.read_ahead(inbox) } else { self.turn() };
            if let Err(error) = turn {
                for running in self.running.drain(..) {
                    running.job.fail(ModelError::Failed(error.clone()));
                }
                return Err(error);
            }
        }
    }

    /// Replies that are being written for somebody.
    fn written_for(&self, who: Who) -> usize {
        self.running.iter().filter(|running| running.job.who == who).count()
    }

    /// Ends replies that nobody wants any more.
    fn let_go(&mut self) {
        for mut running in std::mem::take(&mut self.running) {
            if running.job.unwanted() {
                let rest = running.outlet.finish();
                self.end(running, rest, FinishReason::Cancelled);
            } else {
                self.running.push(running);
            }
        }
    }

    fn begin(&mut self, job: Job) {
        if job.unwanted() {
            return job.cancelled();
        }
        let (prompt, picker) = match self.prepare(&job) {
            Ok(prepared) => prepared,
            Err(error) => return job.fail(error),
        };
        let Some(plan) = self.slots.plan(&ids(&prompt)) else { return job.fail(ModelError::Busy) };
        let cached = self.place(plan);
        job.send(Chunk::Started);
        let request = &job.request;
        // After words that the reply begins with, a space belongs to it, unless the words brought it.
        let at_start = request.prefill.is_empty() || request.prefill.ends_with(char::is_whitespace);
        let outlet = Outlet::new(&request.stop, at_start && request.schema.is_none());
        let limit = request.max_tokens.max(1);
        self.running.push(Running {
            job,
            seq: plan.seq,
            prompt,
            read: cached,
            fed: 0,
            row: 0,
            next: None,
            picker,
            outlet,
            cached,
            written: 0,
            limit,
            answered: false,
        });
    }

    /// The prompt, and how tokens are drawn.
    fn prepare(&self, job: &Job) -> Result<(Vec<LlamaToken>, Picker), ModelError> {
        let request = &job.request;
        let too_long = |tokens: u32| {
            let needed = tokens.saturating_add(request.max_tokens);
            (needed > self.context).then_some(ModelError::TooLong { needed, context: self.context })
        };
        // Megabytes are refused without counting their tokens; no text has more than 32 bytes a token.
        let bytes = request.messages.iter().map(|line| line.content.len()).sum::<usize>();
        if bytes / 32 > usize::try_from(self.context).unwrap_or(usize::MAX)
            && let Some(error) = too_long(prompt::estimate_bytes(bytes))
        {
            return Err(error);
        }
        let prompt = self.template.reply(self.model, &request.messages, &request.prefill)?;
        if prompt.is_empty() {
            return Err(ModelError::Failed("there is nothing to answer".to_owned()));
        }
        if let Some(error) = too_long(u32::try_from(prompt.len()).unwrap_or(u32::MAX)) {
            return Err(error);
        }
        let picker = Picker::new(self.model, request, &prompt)?;
        Ok((prompt, picker))
    }

    /// Does to the context what the plan says; the number of tokens that could be kept.
    fn place(&mut self, mut plan: Plan) -> usize {
        let seq = seq_id(plan.seq);
        let keep = u32::try_from(plan.keep).unwrap_or(0);
        let kept = match plan.from {
            Some(from) => {
                self.ctx.clear_kv_cache_seq(Some(seq), None, None).is_ok()
                    && self.ctx.copy_kv_cache_seq(as_i32(seq_id(from)), as_i32(seq), Some(0), Some(keep)).is_ok()
            }
            None if plan.keep == self.slots.len(plan.seq) => true,
            None => matches!(self.ctx.clear_kv_cache_seq(Some(seq), Some(keep), None), Ok(true)),
        };
        if !kept {
            let _ = self.ctx.clear_kv_cache_seq(Some(seq), None, None);
            plan.keep = 0;
        }
        self.slots.claim(plan);
        plan.keep
    }

    /// Computes one batch for all replies in work.
    fn turn(&mut self) -> Result<(), String> {
        self.batch.clear();
        let writing = self.running.iter().any(Running::is_writing);
        let mut piece = if writing { PIECE } else { usize::try_from(BATCH).unwrap_or(PIECE) - self.parallel };
        for running in &mut self.running {
            let unread = running.unread().len();
            running.answered = running.is_writing() || unread <= piece;
            running.fed = unread.min(piece);
            piece = piece.saturating_sub(running.fed);
            let pos = self.slots.len(running.seq);
            let fed = running.piece();
            let last = fed.len() + usize::from(running.next.is_some());
            for (i, token) in (1..).zip(fed.iter().copied().chain(running.next)) {
                add(&mut self.batch, token, pos + i - 1, running.seq, running.answered && i == last)?;
            }
            running.row = self.batch.n_tokens() - 1;
        }
        self.compute()?;
        for mut running in std::mem::take(&mut self.running) {
            let next = running.next.take();
            let held: Vec<i32> = running.piece().iter().chain(&next).map(|token| token.0).collect();
            running.read += running.fed;
            running.fed = 0;
            self.slots.extend(running.seq, &held);
            if running.answered {
                self.advance(running);
            } else {
                self.running.push(running);
            }
        }
        Ok(())
    }

    /// Draws the next token of a reply and ends it when that was the last.
    fn advance(&mut self, mut running: Running) {
        let Some(token) = running.picker.pick(self.model, &self.ctx, running.row) else {
            self.slots.release(running.seq);
            return running.job.fail(ModelError::Failed("its words do not fit the wished form".to_owned()));
        };
        let vocab = self.model.vocab();
        if vocab.is_eog(token) || vocab.is_control(token) {
            let rest = running.outlet.finish();
            return self.end(running, rest, FinishReason::End);
        }
        running.picker.accept(token);
        running.written += 1;
        let piece = running.outlet.push(&vocab.token_to_piece(token, false, None));
        if piece.stopped {
            return self.end(running, piece.text, FinishReason::Stop);
        }
        if running.written >= running.limit {
            let rest = piece.text + &running.outlet.finish();
            return self.end(running, rest, FinishReason::Length);
        }
        if !piece.text.is_empty() {
            running.job.send(Chunk::Text(piece.text));
        }
        running.next = Some(token);
        self.running.push(running);
    }

    fn end(&mut self, running: Running, rest: String, reason: FinishReason) {
        self.slots.release(running.seq);
        if !rest.is_empty() {
            running.job.send(Chunk::Text(rest));
        }
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        running.job.done(Finish {
            reason,
            prompt_tokens: count(running.prompt.len()),
            cached_tokens: count(running.cached),
            cache_write_tokens: 0,
            reply_tokens: running.written,
        });
    }

    /// Reads a piece of a prompt that may be wanted soon.
    fn read_ahead(&mut self, inbox: &mut Inbox) -> Result<(), String> {
        let Some(lines) = inbox.warm.pop_front() else { return Ok(()) };
        let Ok(tokens) = self.template.start(self.model, &lines) else { return Ok(()) };
        let known = ids(&tokens);
        if tokens.len() > usize::try_from(self.context).unwrap_or(usize::MAX)
            || self.slots.known(&known) == tokens.len()
        {
            return Ok(());
        }
        let Some(plan) = self.slots.plan(&known) else { return Ok(()) };
        let kept = self.place(plan);
        self.batch.clear();
        let piece = tokens.iter().enumerate().skip(kept).take(usize::try_from(BATCH).unwrap_or(PIECE));
        for (pos, token) in piece {
            add(&mut self.batch, *token, pos, plan.seq, false)?;
        }
        let read = kept + usize::try_from(self.batch.n_tokens()).unwrap_or(0);
        let computed = self.compute();
        if computed.is_ok() {
            self.slots.extend(plan.seq, known.get(kept..read).unwrap_or_default());
        }
        self.slots.release(plan.seq);
        if read < tokens.len() {
            inbox.warm.push_front(lines);
        }
        computed
    }

    /// Computes the batch; when the memory is full, what was remembered longest goes first.
    fn compute(&mut self) -> Result<(), String> {
        loop {
            let error = match self.ctx.decode(&mut self.batch) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if let (DecodeError::NoKvCacheSlot, Some(seq)) = (&error, self.slots.evict()) {
                let _ = self.ctx.clear_kv_cache_seq(Some(seq_id(seq)), None, None);
                continue;
            }
            tracing::error!(%error, tokens = self.batch.n_tokens(), "the local model could not compute a batch");
            return Err("the local model ran out of memory or broke; please try again".to_owned());
        }
    }
}

fn add(batch: &mut LlamaBatch<'_>, token: LlamaToken, pos: usize, seq: usize, answer: bool) -> Result<(), String> {
    let pos = i32::try_from(pos).unwrap_or(i32::MAX);
    batch.add(token, pos, &[as_i32(seq_id(seq))], answer).map_err(|error| error.to_string())
}

fn ids(tokens: &[LlamaToken]) -> Vec<i32> {
    tokens.iter().map(|token| token.0).collect()
}

fn seq_id(seq: usize) -> u32 {
    u32::try_from(seq).unwrap_or(u32::MAX)
}

fn as_i32(seq: u32) -> i32 {
    i32::try_from(seq).unwrap_or(i32::MAX)
}
