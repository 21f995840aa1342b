//! `soulforge summons`: summons characters from a set of sentences and prints them, for judging a model by reading. What can
//! be told by rule is told: names, pronouns, languages, refusals, repairs.

use super::{
    Arrived, Part,
    ask::Asked,
    tongue,
    write::{Halt, Hear, Writer},
};
use crate::{
    ai::{
        SharedModel,
        local::{LocalConfig, LocalModel},
    },
    ocs::short_name,
};
use clap::Args;
use futures::{StreamExt, stream};
use serde::Deserialize;
use std::{
    fmt::Write as _,
    io::Write as _,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// The sentences.
const SENTENCES: &str = include_str!("sentences.toml");

#[derive(Deserialize)]
struct Set {
    case: Vec<Case>,
}

/// A sentence, and what must come out right.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    sentence: String,
    name: Option<String>,
    #[serde(default)]
    others: Vec<String>,
    pronoun: Option<String>,
    language: Option<String>,
}

/// What the command takes.
#[derive(Clone, Debug, Args)]
pub struct SummonsArgs {
    /// GGUF file of the model.
    #[arg(long, env = "SOULFORGE_MODEL")]
    pub model: PathBuf,
    /// Threads that it computes with.
    #[arg(long, env = "SOULFORGE_MODEL_THREADS")]
    pub threads: Option<u32>,
    /// Context in tokens.
    #[arg(long, env = "SOULFORGE_MODEL_CONTEXT", default_value_t = 4096)]
    pub context: u32,
    /// How many sentences.
    #[arg(long, default_value_t = 100)]
    pub count: usize,
    /// Sentences to leave out at the beginning.
    #[arg(long, default_value_t = 0)]
    pub skip: usize,
    /// Repeats the same words each time; another number gives others.
    #[arg(long, default_value_t = 1)]
    pub seed: u32,
    /// How many are summoned at the same time: quicker in all, though each takes longer.
    #[arg(long, default_value_t = 1)]
    pub together: u32,
    /// A sentence of your own instead of the set.
    #[arg(long)]
    pub sentence: Option<String>,
}

/// Counts the time to the portrait.
struct Watch {
    began: Instant,
    drawn: Option<Duration>,
}

impl Hear for Watch {
    fn queued(&mut self, _: u32) {}
    fn progress(&mut self, _: u32, _: Duration) {}
    async fn part(&mut self, part: Part) -> Result<(), Halt> {
        if part.name == "appearance_tags" {
            self.drawn = Some(self.began.elapsed());
        }
        Ok(())
    }
}

/// Summons them and prints each when it is done.
///
/// # Errors
/// A sentence that says what is missing.
pub async fn run(args: SummonsArgs) -> Result<(), String> {
    let cases = match &args.sentence {
        Some(sentence) => {
            vec![Case { sentence: sentence.clone(), name: None, others: Vec::new(), pronoun: None, language: None }]
        }
        None => toml::from_str::<Set>(SENTENCES).map_err(|e| e.to_string())?.case,
    };
    let defaults = LocalConfig::new(&args.model);
    let model: SharedModel = Arc::new(LocalModel::load(LocalConfig {
        threads: args.threads.unwrap_or(defaults.threads),
        context_per_reply: args.context,
        parallel: args.together.clamp(1, 16),
        ..defaults
    }));
    let (mut faulty, mut seconds, mut done) = (0, 0.0, 0);
    let model = &model;
    let summons = cases.iter().enumerate().skip(args.skip).take(args.count);
    let summons = summons.map(|(number, case)| summoned(model, case, number, args.seed));
    let mut summoned = stream::iter(summons).buffered(args.together.max(1) as usize);
    while let Some((text, took, is_faulty)) = summoned.next().await {
        faulty += usize::from(is_faulty);
        seconds += took;
        done += 1;
        print(&text)?;
    }
    print(&format!(
        "---\n{done} summons, {faulty} with a fault that a rule sees, {:.1} s in the mean.\n",
        seconds / done.max(1) as f32
    ))
}

/// One of them as Markdown, the seconds it took, and whether a rule sees a fault.
async fn summoned(model: &SharedModel, case: &Case, number: usize, seed: u32) -> (String, f32, bool) {
    let asked = Asked { sentence: case.sentence.clone(), seed: format!("{seed}-{number}"), ..Asked::default() };
    let mut writer = Writer::new(model.clone(), CancellationToken::new(), asked);
    let mut arrived = Arrived::default();
    let mut watch = Watch { began: Instant::now(), drawn: None };
    let result = writer.write(&mut arrived, &mut watch).await;
    let took = watch.began.elapsed().as_secs_f32();
    let mut faults = match result {
        Ok(()) => faults(case, &arrived),
        Err(halt) => vec![format!("failed: {halt:?}")],
    };
    if !arrived.filled.is_empty() {
        faults.push(format!("filled by rule: {}", arrived.filled.join(", ")));
    }
    let drawn = watch.drawn.map_or(0.0, |d| d.as_secs_f32());
    (markdown(number + 1, case, &arrived, &faults, took, drawn), took, !faults.is_empty())
}

fn print(text: &str) -> Result<(), String> {
    writeln!(std::io::stdout(), "{text}").map_err(|e| e.to_string())
}

/// What a rule sees.
fn faults(case: &Case, arrived: &Arrived) -> Vec<String> {
    let sheet = &arrived.sheet;
    let mut faults = Vec::new();
    if case.name.as_ref().is_some_and(|name| *name != sheet.name) {
        faults.push(format!("the name is {}", sheet.name));
    }
    for other in &case.others {
        if sheet.name.to_lowercase().contains(&other.to_lowercase()) {
            faults.push(format!("{other} is somebody else"));
        }
    }
    if case.pronoun.as_ref().is_some_and(|pronoun| *pronoun != sheet.pronoun.as_str()) {
        faults.push(format!("spoken of as {}", sheet.pronoun.as_str()));
    }
    let language = case.language.as_deref().unwrap_or("en");
    for (field, text) in
        [("description", &sheet.description), ("personality", &sheet.personality), ("greeting", &sheet.greeting)]
    {
        if tongue::of(text).is_some_and(|heard| heard.code != language) {
            faults.push(format!("{field} is not in {language}"));
        }
        let lower = text.to_lowercase();
        for word in ["as an ai", "i'm sorry", "language model", "how can i help you", "how can i assist"] {
            if lower.contains(word) {
                faults.push(format!("{field} says “{word}”"));
            }
        }
    }
    faults
}

fn markdown(number: usize, case: &Case, arrived: &Arrived, faults: &[String], took: f32, drawn: f32) -> String {
    let sheet = &arrived.sheet;
    let style = &sheet.visual_style;
    let mut out = format!("## {number}. {}\n\n", case.sentence);
    let _ = writeln!(
        out,
        "**{}** ({}), {}, {}, {}. {took:.1} s, portrait after {drawn:.1} s.\n",
        sheet.name,
        short_name(&sheet.name),
        sheet.title,
        sheet.pronoun.as_str(),
        sheet.age_band.as_str()
    );
    let _ =
        writeln!(out, "> {}\n\n{}\n\n{}\n", sheet.greeting.replace('\n', "\n> "), sheet.description, sheet.personality);
    let _ = writeln!(out, "Voice: {}. Scenario: {}\n", sheet.voice_tone, sheet.scenario);
    for line in &sheet.example_dialogue {
        let _ = writeln!(out, "- {} — {}", line.user, line.oc);
    }
    for item in &arrived.items {
        let _ = writeln!(out, "- **{}**: {} {}", item.name, item.description, item.personality_effects);
    }
    if let Some((title, content)) = &sheet.introduction {
        let _ = writeln!(out, "\n*{title}*: {content}");
    }
    let _ = writeln!(
        out,
        "\n{} {} {}; {}, {}; {}",
        style.background,
        style.primary_color,
        style.accent_color,
        style.mood,
        style.atmosphere,
        sheet.appearance_tags.join(", ")
    );
    if !faults.is_empty() {
        let _ = writeln!(out, "\n**Faults: {}**", faults.join("; "));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocs::summon::{SummonForm, given::Given};

    #[test]
    fn the_set_is_large_and_can_be_asked() {
        let set = toml::from_str::<Set>(SENTENCES).unwrap();
        assert!(set.case.len() >= 40);
        for case in &set.case {
            let form = SummonForm { description: case.sentence.clone(), ..SummonForm::default() };
            assert_eq!(form.check().unwrap().description, case.sentence);
            let given = Given::read(&case.sentence);
            assert_eq!(given.name, case.name, "{}", case.sentence);
            assert_eq!(given.tongue.code, case.language.as_deref().unwrap_or("en"), "{}", case.sentence);
            assert!(case.others.iter().all(|o| given.name.as_ref() != Some(o)));
            // What is read for certain is what is right.
            if let (Some(read), Some(right)) = (given.pronoun, &case.pronoun) {
                assert_eq!(read.as_str(), right, "{}", case.sentence);
            }
        }
    }
}
