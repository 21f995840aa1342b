//! From the sentence to the fields: one request, each field judged as it closes, at most two repairs of those that do not
//! hold, and the rest by rule.

use super::{
    Arrived, Part,
    ask::{self, Asked, LOOK},
    face,
    given::Given,
    judge::Judge,
};
use crate::{
    ai::{Chunk, FinishReason, ModelError, Reply, Request, SharedModel, partial},
    ocs::{AgeBand, Pronoun, short_name, style::VisualStyle},
};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How often named fields are asked for again.
const REPAIRS: u32 = 2;
/// Longest wait for a place when the model's queue is full, in seconds.
const BUSY_LIMIT: u64 = 60;
/// Characters of a whole answer, about, for showing how far it is.
const EXPECTED: usize = 2300;
/// The same in scripts where a character is half a word.
const EXPECTED_DENSE: usize = 1300;

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

/// Who hears of each step.
pub trait Hear: Send {
    /// A place in the model's queue; 1 is next.
    fn queued(&mut self, place: u32);
    /// How much is written in percent, and how long the rest takes, about.
    fn progress(&mut self, percent: u32, left: Duration);
    /// A field is settled.
    fn part(&mut self, part: Part) -> impl Future<Output = Result<(), Halt>> + Send;
}

/// Nobody listens.
pub struct Nobody;

impl Hear for Nobody {
    fn queued(&mut self, _: u32) {}
    fn progress(&mut self, _: u32, _: Duration) {}
    async fn part(&mut self, _: Part) -> Result<(), Halt> {
        Ok(())
    }
}

/// Writes one character.
pub struct Writer {
    model: SharedModel,
    cancel: CancellationToken,
    asked: Asked,
    given: Given,
    examples: String,
    /// What of the look is there, as the model said it.
    look: Map<String, Value>,
}

/// What came of one request.
#[derive(Default)]
struct Round {
    /// Fields that do not hold, and why.
    faults: Vec<(String, String)>,
    /// The name does not hold, and all that follows it would be about somebody else.
    is_misnamed: bool,
}

impl Round {
    fn why(&self, field: &str) -> String {
        let said = self.faults.iter().find(|(name, _)| name == field);
        said.map_or_else(|| "it is missing.".to_owned(), |(_, why)| why.clone())
    }
}

impl Writer {
    /// Reads the sentence; asks nothing yet.
    #[must_use]
    pub fn new(model: SharedModel, cancel: CancellationToken, asked: Asked) -> Self {
        let given = Given::read(&asked.sentence);
        let examples = ask::examples(&given);
        Self { model, cancel, asked, given, examples, look: Map::new() }
    }

    /// What the sentence says for certain.
    #[must_use]
    pub const fn given(&self) -> &Given {
        &self.given
    }

    /// Lets go of the name that the sentence gives, so that another one can be written: `now` is nobody's any more.
    pub fn forget_name(&mut self, now: &str) {
        self.given.name = None;
        self.given.others.push(now.to_owned());
    }

    /// Writes what is not there yet.
    ///
    /// # Errors
    /// When it was stopped, or when the model cannot be used or wrote nothing of worth.
    pub async fn write(&mut self, arrived: &mut Arrived, hear: &mut impl Hear) -> Result<(), Halt> {
        let mut last = Round::default();
        for repair in 0..=REPAIRS {
            let missing = self.missing(arrived);
            if missing.is_empty() {
                return Ok(());
            }
            let request = if repair == 0 || last.is_misnamed {
                let note = last.is_misnamed.then(|| format!("About the name: {}", last.why("name")));
                ask::whole(&self.asked, &self.given, &missing, note.as_deref())
            } else {
                let wanted: Vec<(&str, String)> = missing.iter().map(|name| (*name, last.why(name))).collect();
                tracing::debug!(?wanted, "fields of a summon are asked for again");
                ask::again(&self.asked, &self.given, &ask::known(arrived), &wanted, repair)
            };
            match self.round(request, &missing, arrived, hear, repair == 0).await {
                Ok(round) => {
                    // Somebody else's name twice: a model that insists is given one, and writes the rest about that.
                    if round.is_misnamed && last.is_misnamed {
                        self.given.name = Some(face::name(&self.asked.seed).to_owned());
                    }
                    last = round;
                }
                // What is there is worth keeping; what is missing can be filled in.
                Err(Halt::Failed(message)) if enough(arrived) => {
                    tracing::warn!(message, "the model failed in the middle of a summon");
                    break;
                }
                Err(halt) => return Err(halt),
            }
        }
        self.fill(arrived, hear).await
    }

    /// Another value for one field of a whole character.
    ///
    /// # Errors
    /// When the model cannot be used, or wrote nothing that holds in two tries.
    pub async fn another(&mut self, arrived: &Arrived, field: &str) -> Result<Value, Halt> {
        let known = ask::known(arrived);
        let before = arrived.sheet.get(field);
        let mut why = String::new();
        for _ in 0..2 {
            let request = ask::another(&self.asked, &self.given, &known, field, &why);
            let mut ear = self.listen(request);
            let mut text = String::new();
            while let Some(piece) = ear.next(&mut Nobody).await? {
                text.push_str(&piece);
            }
            let said = partial::whole(&text).and_then(|mut said| said.remove(field)).unwrap_or_default();
            match self.judge(arrived).field(field, &said) {
                Ok(value) if value != before => return Ok(value),
                Ok(_) => why = "The last one was the same again.".to_owned(),
                Err(fault) => why = format!("The last one did not hold: {fault}"),
            }
            self.asked.seed.push('+');
        }
        Err(Halt::Failed("The model wrote nothing that fits. What was there is kept; please try again.".to_owned()))
    }

    /// Fields of the request that are not there.
    fn missing(&self, arrived: &Arrived) -> Vec<&'static str> {
        let drawn = arrived.has("visual_style") && arrived.has("appearance_tags");
        let there = |name: &str| {
            if LOOK.contains(&name) { drawn || self.look.contains_key(name) } else { arrived.has(name) }
        };
        ask::schema(&self.asked, &self.given).fields.iter().map(|f| f.name).filter(|name| !there(name)).collect()
    }

    fn judge<'a>(&'a self, arrived: &'a Arrived) -> Judge<'a> {
        Judge {
            sentence: &self.asked.sentence,
            given: &self.given,
            name: short_name(&arrived.sheet.name),
            pronoun: arrived.sheet.pronoun,
            age: arrived.sheet.age_band,
            examples: &self.examples,
        }
    }

    fn listen(&self, request: Request) -> Ear {
        let reply = self.model.reply(request.clone(), self.cancel.clone());
        Ear { model: self.model.clone(), cancel: self.cancel.clone(), request, reply, has_spoken: false, waited: 0 }
    }

    /// One request. Fields are settled as they close.
    async fn round(
        &mut self,
        request: Request,
        missing: &[&'static str],
        arrived: &mut Arrived,
        hear: &mut impl Hear,
        is_first: bool,
    ) -> Result<Round, Halt> {
        let mut round = Round::default();
        let mut ear = self.listen(request);
        let (mut text, mut seen, mut began) = (String::new(), 0, None);
        while let Some(piece) = ear.next(hear).await? {
            text.push_str(&piece);
            let began = *began.get_or_insert_with(Instant::now);
            if is_first {
                self.report(&text, began, hear);
            }
            let read = partial::read(&text);
            let closed = read.members.len().saturating_sub(usize::from(read.is_open));
            for (name, value) in read.members.iter().take(closed).skip(seen) {
                self.settle(name, value, missing, arrived, hear, &mut round).await?;
                if round.is_misnamed {
                    // Dropping the ear ends the reply.
                    return Ok(round);
                }
            }
            seen = seen.max(closed);
        }
        for (name, value) in partial::whole(&text).unwrap_or_default() {
            if !round.faults.iter().any(|(fault, _)| *fault == name) {
                self.settle(&name, &value, missing, arrived, hear, &mut round).await?;
            }
        }
        Ok(round)
    }

    /// Says how far it is.
    fn report(&self, text: &str, began: Instant, hear: &mut impl Hear) {
        let dense = ["ja", "zh", "ko"].contains(&self.given.tongue.code);
        let expected = if dense { EXPECTED_DENSE } else { EXPECTED };
        let (written, elapsed) = (text.chars().count(), began.elapsed().as_secs_f32());
        let share = (written as f32 / expected as f32).min(0.97);
        let left = if share > 0.02 { elapsed / share * (1.0 - share) } else { 35.0 };
        hear.progress(
            u32::try_from(written * 100 / expected).unwrap_or(97).min(97),
            Duration::from_secs_f32(left.clamp(1.0, 600.0)),
        );
    }

    /// Keeps a field if it holds.
    async fn settle(
        &mut self,
        name: &str,
        value: &Value,
        missing: &[&'static str],
        arrived: &mut Arrived,
        hear: &mut impl Hear,
        round: &mut Round,
    ) -> Result<(), Halt> {
        let Some(name) = missing.iter().copied().find(|wanted| *wanted == name && !arrived.has(wanted)) else {
            return Ok(());
        };
        if LOOK.contains(&name) {
            match self.word(name, value) {
                Some(word) => drop(self.look.insert(name.to_owned(), json!(word))),
                None => round.faults.push((name.to_owned(), "choose one of the list.".to_owned())),
            }
            if LOOK.iter().all(|field| self.look.contains_key(*field)) {
                self.draw(arrived, hear).await?;
            }
            return Ok(());
        }
        let judged = if matches!(name, "pronoun" | "age_band") {
            self.word(name, value).map(|word| json!(word)).ok_or_else(|| "choose one of the list.".to_owned())
        } else {
            self.judge(arrived).field(name, value)
        };
        match judged {
            Ok(value) => take(arrived, hear, Part::new(name, value)).await,
            Err(why) => {
                round.is_misnamed |= name == "name";
                round.faults.push((name.to_owned(), why));
                Ok(())
            }
        }
    }

    /// The word of a field's list that was meant.
    fn word(&self, name: &str, value: &Value) -> Option<String> {
        let said = value.as_str()?.trim().to_lowercase();
        let schema = ask::schema(&self.asked, &self.given);
        let field = schema.fields.into_iter().find(|field| field.name == name)?;
        let crate::ai::schema::Shape::OneOf(words) = field.shape else { return None };
        // What the sentence says for certain is not the model's to change.
        if let [only] = words.as_slice() {
            return Some(only.clone());
        }
        words.into_iter().find(|word| *word == said)
    }

    /// Colours and face, once all words of them are there.
    async fn draw(&mut self, arrived: &mut Arrived, hear: &mut impl Hear) -> Result<(), Halt> {
        let style = self.style();
        let traits = face::traits(&self.asked.seed, &self.look, arrived.sheet.pronoun, arrived.sheet.age_band);
        let tags = crate::ocs::portrait::settled(&self.asked.seed, &style, &traits);
        take(arrived, hear, Part::new("visual_style", style.to_json())).await?;
        take(arrived, hear, Part::new("appearance_tags", json!(tags))).await
    }

    /// The colours that were chosen, or some that look meant.
    fn style(&self) -> VisualStyle {
        let word = |field: &str| self.look.get(field).and_then(Value::as_str).unwrap_or_default();
        let other = VisualStyle::suggest(&self.asked.seed);
        let mood = self.asked.mood.or_else(|| word("mood").parse().ok()).unwrap_or(other.mood);
        let atmosphere = word("atmosphere").parse().unwrap_or(other.atmosphere);
        VisualStyle::named(word("palette"), mood, atmosphere).unwrap_or(VisualStyle { mood, atmosphere, ..other })
    }

    /// What no model wrote, by rule; and says so.
    async fn fill(&mut self, arrived: &mut Arrived, hear: &mut impl Hear) -> Result<(), Halt> {
        let missing = self.missing(arrived);
        if missing.is_empty() {
            return Ok(());
        }
        if !["description", "personality", "greeting"].iter().any(|field| arrived.has(field)) {
            return Err(Halt::Failed(
                "The model wrote no character that could be used. Your sentence is kept: try again, or choose another model.".to_owned(),
            ));
        }
        let mut filled: Vec<&str> = Vec::new();
        if !arrived.has("pronoun") {
            let pronoun = self.given.pronoun.unwrap_or(Pronoun::They);
            take(arrived, hear, Part::new("pronoun", json!(pronoun))).await?;
            filled.push("pronoun");
        }
        if !arrived.has("age_band") {
            let age = self.given.age.unwrap_or(AgeBand::Adult);
            take(arrived, hear, Part::new("age_band", json!(age))).await?;
            filled.push("age_band");
        }
        if !arrived.has("name") {
            let name = self.given.name.clone().unwrap_or_else(|| face::name(&self.asked.seed).to_owned());
            take(arrived, hear, Part::new("name", json!(name))).await?;
            filled.push("name");
        }
        if !arrived.has("visual_style") || !arrived.has("appearance_tags") {
            self.draw(arrived, hear).await?;
            filled.push("appearance_tags");
        }
        let name = short_name(&arrived.sheet.name).to_owned();
        let texts = [
            ("description", self.asked.sentence.clone()),
            ("personality", self.asked.sentence.clone()),
            ("greeting", hello(self.given.tongue.code, &name)),
        ];
        for (field, text) in texts {
            if !arrived.has(field) {
                take(arrived, hear, Part::new(field, json!(text))).await?;
                filled.push(field);
            }
        }
        // Nothing is made up for the rest: it stays empty.
        filled.extend(missing.into_iter().filter(|field| !LOOK.contains(field) && !arrived.has(field)));
        take(arrived, hear, Part::new("filled", json!(filled))).await
    }
}

/// A first line that is said for want of a better one.
fn hello(code: &str, name: &str) -> String {
    match code {
        "de" => format!("Guten Tag. Ich bin {name}."),
        "fr" => format!("Bonjour. Je suis {name}."),
        "es" => format!("Hola. Soy {name}."),
        "it" => format!("Buongiorno. Sono {name}."),
        "pt" => format!("Olá. Sou {name}."),
        "nl" => format!("Hallo. Ik ben {name}."),
        "ja" => format!("こんにちは。{name}です。"),
        "zh" => format!("你好，我是{name}。"),
        _ => format!("Hello. I am {name}."),
    }
}

/// Whether a character is there, though not all of it.
fn enough(arrived: &Arrived) -> bool {
    arrived.has("name") && arrived.has("description")
}

async fn take(arrived: &mut Arrived, hear: &mut impl Hear, part: Part) -> Result<(), Halt> {
    arrived.take(&part).map_err(|error| Halt::Failed(error.to_string()))?;
    hear.part(part).await
}

/// Listens to one reply, and waits for a place where the queue is full.
struct Ear {
    model: SharedModel,
    cancel: CancellationToken,
    request: Request,
    reply: Reply,
    has_spoken: bool,
    waited: u64,
}

impl Ear {
    /// The next piece of text; `None` at the end.
    async fn next(&mut self, hear: &mut impl Hear) -> Result<Option<String>, Halt> {
        loop {
            let chunk = tokio::select! {
                chunk = self.reply.recv() => chunk,
                () = self.cancel.cancelled() => return Err(Halt::Stopped),
            };
            match chunk {
                None => return Ok(None),
                Some(Ok(Chunk::Queued { place })) => hear.queued(place),
                Some(Ok(Chunk::Text(piece))) => {
                    self.has_spoken = true;
                    return Ok(Some(piece));
                }
                Some(Ok(Chunk::Done(finish))) if finish.reason == FinishReason::Cancelled => return Err(Halt::Stopped),
                Some(Ok(Chunk::Done(_))) => return Ok(None),
                Some(Ok(_)) => {}
                // Half an answer is better than none: the rest is asked for again.
                Some(Err(_)) if self.has_spoken => return Ok(None),
                Some(Err(ModelError::Busy)) if self.waited < BUSY_LIMIT => {
                    self.waited += 3;
                    tokio::time::sleep(Duration::from_secs(3)).await;
                    self.reply = self.model.reply(self.request.clone(), self.cancel.clone());
                }
                Some(Err(error)) => return Err(Halt::Failed(sentence(&error))),
            }
        }
    }
}

/// An error as a sentence for the person who waits.
fn sentence(error: &ModelError) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    format!("{first}{}.", chars.as_str().trim_end_matches('.'))
}
