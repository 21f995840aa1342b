//! Asking the model and keeping the best of what it says.

use super::{
    check::{Rule, Seen},
    craft::{Line, Turn, Wish},
};
use crate::{
    ai::{Chunk, FinishReason, Message, ModelError, Request, Sampling, SharedModel},
    ocs::style::Seeded,
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How sentences are drawn. Guidance, away from what anybody would say, brings about half as many more that are about the
/// character and not about cottages (docs/voice.md); it costs a quarter more time.
const SENTENCE: Draw = Draw { min_p: 0.1, guidance: 1.4 };
/// How short answers are drawn: names, moods, colours.
const CHOICE: Draw = Draw { min_p: 0.05, guidance: 1.0 };

/// The part of sampling that does not change from round to round.
struct Draw {
    min_p: f32,
    guidance: f32,
}

impl Draw {
    fn at(&self, temperature: f32) -> Sampling {
        let Self { min_p, guidance } = *self;
        Sampling { temperature, min_p, guidance, repeat_penalty: 1.1, ..Sampling::default() }
    }
}

/// Candidates for each sentence.
const CANDIDATES: u32 = 6;
/// Candidates of a model that is paid by the word and writes well at once.
const REMOTE_CANDIDATES: u32 = 2;
/// Starts of names that such a model is given.
const REMOTE_ASIDES: usize = 3;
/// Its room, in tokens: it may say again what it goes on from.
const REMOTE_ROOM: u32 = 160;
/// How often a sentence is asked for before it is given up.
const ROUNDS: usize = 3;
/// Longest wait for a place when the model's queue is full, in seconds.
const BUSY_LIMIT: u32 = 60;

/// Why the work ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halt {
    /// Its owner stopped it, or somebody else has taken it over.
    Stopped,
    /// The process is ending.
    Shutdown,
    /// It cannot be done; the message is for the person who waits.
    Failed(String),
}

/// Called with the place in the model's queue.
pub type OnQueue = Arc<dyn Fn(u32) + Send + Sync>;

/// One conversation with the model about one character.
pub struct Writer {
    model: SharedModel,
    cancel: CancellationToken,
    on_queue: OnQueue,
    seed: String,
    history: Vec<Message>,
    asked: u32,
    /// What was said already.
    pub seen: Seen,
}

impl Writer {
    /// Begins with what the model is told.
    pub fn new(
        model: SharedModel,
        cancel: CancellationToken,
        on_queue: OnQueue,
        seed: String,
        system: &str,
        seen: Seen,
    ) -> Self {
        Self { model, cancel, on_queue, seed, history: vec![Message::system(system)], asked: 0, seen }
    }

    /// Takes up a turn that was finished before.
    pub fn recall(&mut self, question: &str, answer: &str) {
        self.history.push(Message::user(question));
        self.history.push(Message::assistant(answer));
        self.seen.note(answer);
    }

    /// Has one turn written. `None` when its first sentence could not be written well. The answer is without the spaces
    /// around it and becomes part of the conversation.
    ///
    /// # Errors
    /// When the work must end.
    pub async fn turn(&mut self, turn: &Turn, fits: impl Fn(&str) -> bool) -> Result<Option<String>, Halt> {
        self.history.push(Message::user(turn.question.clone()));
        let mut text = turn.start.clone();
        for (i, line) in turn.lines.iter().enumerate() {
            match self.line(&text, line, &fits).await {
                Ok(Some(sentence)) => {
                    self.seen.note(&sentence);
                    text.push_str(&sentence);
                }
                Ok(None) if i == 0 => {
                    self.history.pop();
                    return Ok(None);
                }
                // What is there stands by itself.
                Ok(None) => {}
                Err(halt) => {
                    self.history.pop();
                    return Err(halt);
                }
            }
        }
        let text = text.trim().to_owned();
        self.history.push(Message::assistant(text.clone()));
        Ok(Some(text))
    }

    /// The best sentence that begins with one of the line's leads.
    async fn line(&mut self, before: &str, line: &Line, fits: impl Fn(&str) -> bool) -> Result<Option<String>, Halt> {
        for round in 0..ROUNDS {
            let lead = line.leads.get(round % line.leads.len().max(1)).map(String::as_str).unwrap_or_default();
            let temperature = if round == 0 { 0.7 } else { 0.85 };
            let prefill = format!("{before}{lead}").trim_start().to_owned();
            let wish = Wish::Sentence(line.form, line.rule);
            let said = self.candidates(&prefill, &wish, 40, temperature).await?;
            let best = said
                .iter()
                .filter_map(|text| first_sentence(text))
                .filter(|text| fits(text))
                .filter_map(|text| self.points(lead, text, line.rule).map(|points| (points, text)))
                .max_by(|a, b| a.0.total_cmp(&b.0));
            if let Some((_, text)) = best {
                return Ok(Some(join(lead, text)));
            }
        }
        Ok(None)
    }

    fn points(&self, lead: &str, text: &str, rule: Rule) -> Option<f64> {
        self.seen.judge(lead, text, rule).ok()
    }

    /// Several ways in which the model goes on behind `prefill`.
    ///
    /// # Errors
    /// When the work must end.
    pub async fn candidates(
        &mut self,
        prefill: &str,
        wish: &Wish,
        max_tokens: u32,
        temperature: f32,
    ) -> Result<Vec<String>, Halt> {
        let count = if self.model.info().local { CANDIDATES } else { REMOTE_CANDIDATES };
        let asked = (0..count).map(|_| (prefill.to_owned(), wish.clone())).collect();
        self.many(asked, max_tokens, &SENTENCE.at(temperature)).await
    }

    /// Asks a question beside the conversation, which forgets it.
    ///
    /// # Errors
    /// When the work must end.
    pub async fn aside(
        &mut self,
        question: &str,
        mut asked: Vec<(String, Wish)>,
        max_tokens: u32,
        temperature: f32,
    ) -> Result<Vec<String>, Halt> {
        if !self.model.info().local {
            asked.truncate(REMOTE_ASIDES);
        }
        self.history.push(Message::user(question));
        let said = self.many(asked, max_tokens, &CHOICE.at(temperature)).await;
        self.history.pop();
        said
    }

    async fn many(
        &mut self,
        asked: Vec<(String, Wish)>,
        max_tokens: u32,
        sampling: &Sampling,
    ) -> Result<Vec<String>, Halt> {
        let local = self.model.info().local;
        let mut pending = Vec::new();
        for (prefill, wish) in asked {
            self.asked += 1;
            let seed =
                u32::try_from(Seeded::new(&self.seed, &format!("draw-{}", self.asked)).bits() >> 32).unwrap_or(1);
            let mut messages = self.history.clone();
            // A model of a provider knows no grammar; it is told.
            if let Some(question) = messages.last_mut().filter(|_| !local) {
                question.content = format!("{}\n\n{}", question.content, wish.in_words());
            }
            let request = Request {
                messages,
                prefill,
                max_tokens: if local { max_tokens } else { max_tokens.max(REMOTE_ROOM) },
                sampling: Sampling { seed: Some(seed), ..sampling.clone() },
                stop: vec!["\n".to_owned()],
                grammar: Some(wish.grammar()),
                tools: Vec::new(),
                takes: None,
            };
            pending.push(one(self.model.clone(), self.cancel.clone(), Arc::clone(&self.on_queue), request));
        }
        let mut said = Vec::new();
        let mut trouble = None;
        for result in futures::future::join_all(pending).await {
            match result {
                Ok(text) => said.extend(text),
                Err(error) => trouble = Some(error),
            }
        }
        if self.cancel.is_cancelled() {
            return Err(Halt::Stopped);
        }
        match trouble {
            Some(error) if said.is_empty() => Err(Halt::Failed(sentence_of(&error))),
            _ => Ok(said),
        }
    }
}

/// One reply to its end. `None` when it was cut off.
async fn one(
    model: SharedModel,
    cancel: CancellationToken,
    on_queue: OnQueue,
    request: Request,
) -> Result<Option<String>, ModelError> {
    let mut waited = 0;
    loop {
        let mut reply = model.reply(request.clone(), cancel.clone());
        let mut text = String::new();
        let busy = loop {
            match reply.recv().await {
                Some(Ok(Chunk::Queued { place })) => on_queue(place),
                Some(Ok(Chunk::Started | Chunk::Via { .. } | Chunk::ToolCall(_))) => {}
                Some(Ok(Chunk::Text(more))) => {
                    text.push_str(&more);
                    if text.len() > 2_000 {
                        return Ok(None);
                    }
                }
                Some(Ok(Chunk::Done(finish))) => {
                    let whole = matches!(finish.reason, FinishReason::End | FinishReason::Stop);
                    return Ok((whole || first_sentence(&text).is_some()).then_some(text));
                }
                Some(Err(ModelError::Busy)) => break true,
                Some(Err(error)) => return Err(error),
                None => return Err(ModelError::Failed("it went away in the middle of a word".to_owned())),
            }
        };
        waited += 1;
        if !busy || waited > BUSY_LIMIT {
            return Err(ModelError::Busy);
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            () = cancel.cancelled() => return Ok(None),
        }
    }
}

/// An error as a sentence of its own.
fn sentence_of(error: &ModelError) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    let mut out: String =
        chars.next().map(|c| c.to_uppercase().collect::<String>() + chars.as_str()).unwrap_or_default();
    if !out.ends_with('.') {
        out.push('.');
    }
    out
}

/// Up to and with the first end of a sentence; `None` if there is none.
pub fn first_sentence(text: &str) -> Option<&str> {
    let at = text.find(['.', '?', '!'])?;
    text.get(..=at)
}

/// The lead and what follows it, with exactly one space between words.
fn join(lead: &str, added: &str) -> String {
    let glued = added.starts_with([' ', ',', '.', '\'', '?']) || lead.is_empty();
    if glued { format!("{lead}{added}") } else { format!("{lead} {added}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_they_end() {
        assert_eq!(first_sentence(" a house. And more"), Some(" a house."));
        assert_eq!(first_sentence("no end"), None);
        assert_eq!(join(" She lives in", "a house."), " She lives in a house.");
        assert_eq!(join(" She lives in", " a house."), " She lives in a house.");
        assert_eq!(sentence_of(&ModelError::Unavailable("there is no model".into())), "There is no model.");
    }
}
