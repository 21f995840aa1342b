//! Asking the model and keeping the best of what it says.

use super::{
    check::Seen,
    craft::{Form, Line, Turn, Wish},
    vocabulary::words,
};
use crate::{
    ai::{Chunk, FinishReason, Likelihood, Message, ModelError, Request, Sampling, SharedModel},
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

/// Points for a unit of a sentence's mean log-probability.
const LIKELY: f32 = 1.0;
/// Points for a unit by which it is likelier of this character than of nobody, up to so many.
const CLOSE: f32 = 0.15;
const CLOSE_MOST: f32 = 2.0;
/// Points for a unit of the mean log-probability of what stands in a list; a unit by which it is likelier of this character counts one.
const LISTED: f32 = 0.5;
/// The least mean log-probability of a sentence that is asked for no more: below it, many make no sense (docs/voice.md).
const SOUND: f32 = -1.8;
/// The log-probability of a token at which a sentence is torn.
const TORN: f32 = -5.0;
/// Points that a sentence loses which is unsound or torn, when all are.
const DOUBT: f64 = 2.0;
/// Tokens of a word that no vocabulary has whole. Small models put such words together that do not exist: "porcakes".
const COINED: u32 = 3;
/// Points that each such word costs.
const COINAGE: f64 = 1.0;

/// Candidates for each sentence.
const CANDIDATES: u32 = 8;
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

/// A way in which the model went on.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its words.
    pub text: String,
    /// How likely they were, if the model says so.
    pub likelihood: Option<Likelihood>,
}

/// Points for what the model itself thinks of a sentence; `None` when it is not worth keeping while others can be asked for.
fn worth_of(form: &Form, likelihood: Likelihood, is_last: bool) -> Option<f64> {
    let Likelihood { mean, least, gain } = likelihood;
    // What stands in a list is whole; what matters is how well it goes with this character.
    if matches!(form, Form::OneOf(_)) {
        return Some(f64::from(LISTED * mean + gain));
    }
    let worth = f64::from(LIKELY * mean + CLOSE * gain.min(CLOSE_MOST));
    match (mean >= SOUND && least >= TORN, is_last) {
        (true, _) => Some(worth),
        (false, true) => Some(worth - DOUBT),
        (false, false) => None,
    }
}

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
    pub async fn turn(&mut self, turn: &Turn) -> Result<Option<String>, Halt> {
        self.history.push(Message::user(turn.question.clone()));
        let mut text = turn.start.clone();
        for (i, line) in turn.lines.iter().enumerate() {
            match self.line(&text, line).await {
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
    async fn line(&mut self, before: &str, line: &Line) -> Result<Option<String>, Halt> {
        for round in 0..ROUNDS {
            let lead = line.leads.get(round % line.leads.len().max(1)).map(String::as_str).unwrap_or_default();
            let temperature = if round == 0 { 0.7 } else { 0.85 };
            let prefill = format!("{before}{lead}").trim_start().to_owned();
            let wish = Wish::Sentence(line.form.clone(), line.rule);
            let said = self.candidates(&prefill, &wish, 40, temperature).await?;
            let is_last = round + 1 == ROUNDS;
            let best = said
                .iter()
                .filter_map(|said| {
                    let text = first_sentence(&said.text)?;
                    let worth = match &line.form {
                        Form::OneOf(list) => {
                            list.iter().any(|one| one == text.trim().trim_end_matches('.')).then_some(0.0)?
                        }
                        _ => self.seen.judge(lead, text, line.rule).ok()? - COINAGE * self.coined(text),
                    };
                    Some((worth + said.likelihood.map_or(Some(0.0), |l| worth_of(&line.form, l, is_last))?, text))
                })
                .max_by(|a, b| a.0.total_cmp(&b.0));
            if let Some((_, text)) = best {
                return Ok(Some(join(lead, text)));
            }
        }
        Ok(None)
    }

    /// How many words of a sentence its model had to put together. Those of the asker do not count.
    fn coined(&self, text: &str) -> f64 {
        if !self.model.info().local {
            return 0.0;
        }
        let all = words(text);
        let new = all.iter().filter(|word| !self.seen.is_of_topic(word));
        let coined = new.filter(|word| self.model.count_tokens(&format!(" {word}")) >= COINED).count();
        f64::from(u32::try_from(coined).unwrap_or(u32::MAX))
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
    ) -> Result<Vec<Said>, Halt> {
        let asked = match wish {
            // Each by itself, so that the model weighs them whole; drawing words, it sees no further than their first letters.
            Wish::Sentence(Form::OneOf(list), rule) if self.model.info().local => {
                let one = |one: &String| Wish::Sentence(Form::OneOf(vec![one.clone()]), *rule);
                list.iter().map(|each| (prefill.to_owned(), one(each))).collect()
            }
            _ => {
                let count = if self.model.info().local { CANDIDATES } else { REMOTE_CANDIDATES };
                (0..count).map(|_| (prefill.to_owned(), wish.clone())).collect()
            }
        };
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
        Ok(said?.into_iter().map(|said| said.text).collect())
    }

    async fn many(
        &mut self,
        asked: Vec<(String, Wish)>,
        max_tokens: u32,
        sampling: &Sampling,
    ) -> Result<Vec<Said>, Halt> {
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
) -> Result<Option<Said>, ModelError> {
    let mut waited = 0;
    loop {
        let mut reply = model.reply(request.clone(), cancel.clone());
        let mut text = String::new();
        let busy = loop {
            match reply.recv().await {
                Some(Ok(Chunk::Queued { place })) => on_queue(place),
                Some(Ok(Chunk::TakeBack)) => text.clear(),
                Some(Ok(Chunk::Started | Chunk::Via { .. } | Chunk::ToolCall(_) | Chunk::Spent(_))) => {}
                Some(Ok(Chunk::Text(more))) => {
                    text.push_str(&more);
                    if text.len() > 2_000 {
                        return Ok(None);
                    }
                }
                Some(Ok(Chunk::Done(finish))) => {
                    let whole = matches!(finish.reason, FinishReason::End | FinishReason::Stop);
                    let is_whole = whole || first_sentence(&text).is_some();
                    return Ok(is_whole.then_some(Said { text, likelihood: finish.likelihood }));
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
    fn what_the_model_doubts_is_asked_for_again() {
        let likelihood = |mean, least, gain| Likelihood { mean, least, gain };
        let sound = likelihood(-1.2, -3.0, 0.5);
        assert!(worth_of(&Form::Own, sound, false) > worth_of(&Form::Own, likelihood(-1.4, -3.0, 0.5), false));
        for torn in [likelihood(-1.2, -7.0, 0.5), likelihood(-2.4, -4.0, 0.5)] {
            assert_eq!(worth_of(&Form::Own, torn, false), None);
            assert!(worth_of(&Form::Own, torn, true) < worth_of(&Form::Own, sound, true));
        }
        // Of a list, what is likelier of this character than of others, however rare its words are.
        let list = Form::OneOf(vec!["a wax seal".into(), "a small teapot".into()]);
        let (rare, usual) = (likelihood(-5.0, -12.0, 2.0), likelihood(-4.0, -9.0, 0.5));
        assert!(worth_of(&list, rare, false) > worth_of(&list, usual, false));
    }

    #[test]
    fn sentences_end_where_they_end() {
        assert_eq!(first_sentence(" a house. And more"), Some(" a house."));
        assert_eq!(first_sentence("no end"), None);
        assert_eq!(join(" She lives in", "a house."), " She lives in a house.");
        assert_eq!(join(" She lives in", " a house."), " She lives in a house.");
        assert_eq!(sentence_of(&ModelError::Unavailable("there is no model".into())), "There is no model.");
    }
}
