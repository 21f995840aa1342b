//! Which of several drafts of a sentence a small model's character says.
//!
//! The model's own probabilities speak first. They know nothing of who speaks to whom, so plain rules count against what
//! confuses the two, goes in circles or says again what was said. Words of the character's own sheet count for a draft.
//! Nothing is ever put into a draft: the choice is among what the model wrote. The figures were found by reading
//! (docs/voice.md). The rules know English; in other languages the probabilities decide.

use super::{
    Scene,
    text::{fill, spoken},
};
use crate::{
    ai::{Draft, Judge},
    chat::Sender,
};
use std::collections::HashSet;

/// Where a draft that is neither liked nor disliked stands, so that the worst are below 0.
const BASE: f32 = 2.0;
/// Worth of the model's own probability.
const FIT: f32 = 1.2;
/// Worth of being likelier here than anywhere, up to [`GAIN_MOST`]; what is far likelier was taken from an example.
const GAIN: f32 = 0.2;
const GAIN_MOST: f32 = 2.0;
/// What a further sentence must be better than the first: more often than not it is beside the point.
const MORE: f32 = 0.5;
/// A word of the character's own, for the first two.
const OWN: f32 = 0.35;
/// A word that takes up what the person said, for the first.
const TOPIC: f32 = 0.25;
/// A fault that nobody makes who knows who is who.
const GRAVE: f32 = 3.0;
/// A fault that mostly makes no sense.
const BAD: f32 = 1.2;
/// A fault that can be right.
const SLIGHT: f32 = 0.6;

/// Judges drafts of one reply.
pub(super) struct Choice {
    name: String,
    person: String,
    /// Words of the newest line of the person.
    asked: Vec<String>,
    /// It is a question to the character itself.
    asks_you: bool,
    /// It is a question that is answered with yes or no.
    asks_whether: bool,
    /// The character's own words.
    own: HashSet<String>,
    /// What the character said before in this talk and in its examples, sentence by sentence.
    said: HashSet<String>,
    /// Runs of words of the examples.
    shown: HashSet<String>,
}

impl Choice {
    pub(super) fn new(scene: &Scene) -> Self {
        let p = &scene.persona;
        let newest = scene.history.last().filter(|t| t.by == Sender::User).map_or("", |t| t.content.as_str());
        let asked = words(newest);
        let asks_you = newest.contains('?') && has(&asked, &["you", "your", "yours"]);
        const WHETHER: [&str; 16] = [
            "do", "does", "did", "are", "is", "am", "was", "were", "can", "could", "would", "will", "should", "have",
            "has", "may",
        ];
        let asks_whether = newest.contains('?') && starts(&asked, &WHETHER);
        let sheet = [&p.title, &p.personality, &p.scenario, &p.description, &p.greeting];
        let lines = p.example_dialogue.iter().map(|l| &l.oc);
        let shown = lines.clone().flat_map(|l| runs(&words(&fill(l, &p.name, &scene.person)))).collect();
        let effects = p.items.iter().map(|i| &i.name);
        let own = sheet.into_iter().chain(lines.clone()).chain(effects).flat_map(|t| words(t));
        let history = scene.history.iter().filter(|t| t.by == Sender::Oc).map(|t| &t.content);
        let said = history.chain(lines).flat_map(|t| sentences(&spoken(&fill(t, &p.name, &scene.person)))).collect();
        Self {
            name: p.name.to_lowercase(),
            person: scene.person.to_lowercase(),
            asked,
            asks_you,
            asks_whether,
            own: own.filter(|w| is_telling(w)).map(|w| stem(&w)).collect(),
            said,
            shown,
        }
    }

    /// What speaks against a draft.
    fn faults(&self, draft: &Draft<'_>, said: &[String]) -> f32 {
        let mut sum = 0.0;
        let mut count = |is_so: bool, weight: f32| sum += if is_so { weight } else { 0.0 };
        // Who is who.
        count(self.misuses_names(said), GRAVE);
        count(is_a_machine(said), GRAVE);
        count(self.makes_the_person_the_character(said), BAD);
        count(self.gives_away_its_own(said), SLIGHT);
        count(self.asks_you && starts(said, &["you", "your", "you're"]), BAD);
        count(self.asks_you && !has(said, &FIRST_PERSON) && !said.iter().any(|w| self.is_own(w)), SLIGHT);
        // Going in circles.
        count(sentences(draft.text).iter().any(|s| self.said.contains(s)), GRAVE);
        count(sentences(draft.before).iter().any(|s| *s == said.join(" ")), GRAVE);
        count(has_twice(said), BAD);
        count(self.is_echo(said), BAD);
        count(runs(said).iter().any(|run| self.shown.contains(run)), SLIGHT);
        // Says nothing.
        count(has(said, &["thing", "things"]), SLIGHT);
        // Half a sentence.
        count(said.len() < 3, SLIGHT);
        count(draft.text.starts_with(|c: char| c.is_lowercase() || matches!(c, ',' | ';' | ':' | ')')), BAD);
        count(draft.text.matches('"').count() % 2 == 1, BAD);
        sum
    }

    fn is_own(&self, word: &str) -> bool {
        is_telling(word) && self.own.contains(&stem(word))
    }

    /// The character's own name for somebody else, or the person's for itself.
    fn misuses_names(&self, said: &[String]) -> bool {
        said.iter().enumerate().any(|(i, word)| {
            let before = |back: usize| i.checked_sub(back).and_then(|at| said.get(at)).map_or("", String::as_str);
            let names_itself = matches!(before(1), "i'm" | "me" | "it's" | "this's")
                || (before(1) == "am" && before(2) == "i")
                || (before(1) == "is" && matches!(before(2), "name" | "this" | "it"));
            if *word == self.name { !names_itself } else { *word == self.person && names_itself && before(1) != "me" }
        })
    }

    /// “You are a smith”, said by the smith.
    fn makes_the_person_the_character(&self, said: &[String]) -> bool {
        let you_are = said.windows(3).position(|w| match w {
            [a, b, c] => {
                (a == "you" && b == "are" || a == "you're")
                    && matches!(if a == "you" { c } else { b }.as_str(), "a" | "an" | "the" | "my")
            }
            _ => false,
        });
        you_are.is_some_and(|at| said.iter().skip(at + 2).take(5).any(|w| self.is_own(w)))
    }

    /// “You have nine whites”, said by the painter of the whites.
    fn gives_away_its_own(&self, said: &[String]) -> bool {
        let has = said.windows(2).position(|w| matches!(w, [a, b] if a == "you" && b == "have"));
        has.is_some_and(|at| said.iter().skip(at + 2).take(4).any(|w| self.is_own(w)))
    }

    /// Little more than the person's words.
    fn is_echo(&self, said: &[String]) -> bool {
        let telling: Vec<&String> = said.iter().filter(|w| is_telling(w)).collect();
        let taken = telling.iter().filter(|w| self.asked.contains(w)).count();
        taken > 0 && taken == telling.len()
    }
}

impl Judge for Choice {
    fn judge(&self, draft: &Draft<'_>) -> f32 {
        let said = words(draft.text);
        let distinct: HashSet<&String> = said.iter().collect();
        let own = distinct.iter().filter(|w| self.is_own(w)).take(2).map(|_| OWN).sum::<f32>();
        let topic = if distinct.iter().any(|w| is_telling(w) && self.asked.iter().any(|a| stem(a) == stem(w))) {
            TOPIC
        } else {
            0.0
        };
        let answer =
            if self.asks_whether && starts(&said, &["yes", "no", "i", "sometimes", "of"]) { TOPIC } else { 0.0 };
        let more = if draft.before.is_empty() { 0.0 } else { MORE };
        BASE + FIT * draft.fit + GAIN * draft.gain.min(GAIN_MOST) + own + topic + answer
            - more
            - self.faults(draft, &said)
    }
}

const FIRST_PERSON: [&str; 12] = ["i", "i'm", "i've", "i'd", "i'll", "me", "my", "mine", "we", "we're", "our", "us"];

/// Lower-case words with their apostrophes.
fn words(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace('’', "'");
    text.split(|c: char| !c.is_alphanumeric() && c != '\'')
        .map(|w| w.trim_matches('\'').to_owned())
        .filter(|w| !w.is_empty())
        .collect()
}

/// All runs of four words.
fn runs(words: &[String]) -> Vec<String> {
    words.windows(4).map(|run| run.join(" ")).collect()
}

/// Each sentence as its words.
fn sentences(text: &str) -> Vec<String> {
    let parts = text.split_inclusive(['.', '!', '?', '…', '*']);
    parts.map(|s| words(s).join(" ")).filter(|s| s.contains(' ')).collect()
}

fn has(words: &[String], wanted: &[&str]) -> bool {
    words.iter().any(|w| wanted.contains(&w.as_str()))
}

fn starts(words: &[String], wanted: &[&str]) -> bool {
    words.first().is_some_and(|w| wanted.contains(&w.as_str()))
}

/// A word that says what a sentence is about.
fn is_telling(word: &str) -> bool {
    const OTHERS: [&str; 60] = [
        "about",
        "after",
        "again",
        "always",
        "because",
        "been",
        "before",
        "come",
        "could",
        "does",
        "doing",
        "don't",
        "each",
        "every",
        "from",
        "give",
        "going",
        "have",
        "here",
        "into",
        "just",
        "know",
        "like",
        "little",
        "look",
        "make",
        "mean",
        "more",
        "most",
        "much",
        "never",
        "nobody",
        "only",
        "other",
        "over",
        "really",
        "said",
        "same",
        "some",
        "somebody",
        "something",
        "still",
        "take",
        "tell",
        "than",
        "that",
        "that's",
        "them",
        "then",
        "there",
        "they",
        "thing",
        "things",
        "think",
        "this",
        "very",
        "want",
        "what",
        "when",
        "with",
    ];
    word.chars().count() >= 4 && !OTHERS.contains(&word) && !word.starts_with("you") && !word.starts_with("i'")
}

/// The word without the commonest endings.
fn stem(word: &str) -> String {
    let cut =
        ["ing", "ed", "es", "s"].iter().find_map(|end| word.strip_suffix(end).filter(|rest| rest.chars().count() >= 3));
    cut.unwrap_or(word).to_owned()
}

/// A telling word that comes twice, or one short word three times.
fn has_twice(said: &[String]) -> bool {
    let times = |word: &String| said.iter().filter(|w| *w == word).count();
    said.iter().any(|w| is_telling(w) && times(w) > 1 || times(w) > 3)
        || said.windows(2).any(|w| matches!(w, [a, b] if a == b))
}

/// Words of an assistant, which none of the characters is.
fn is_a_machine(said: &[String]) -> bool {
    let line = said.join(" ");
    [
        "an ai",
        "language model",
        "ai assistant",
        "assist you",
        "virtual assistant",
        "how can i help",
        "artificial intelligence",
    ]
    .iter()
    .any(|phrase| line.contains(phrase))
}

#[cfg(test)]
mod unit {
    use super::{super::tests::scene, *};
    use crate::chat::prompt::Turn;

    /// What a draft is worth after Mira, keeper of storms, was told `line`.
    fn worth(line: &str, text: &str) -> f32 {
        after(line, "", text)
    }

    fn after(line: &str, before: &str, text: &str) -> f32 {
        let mut scene = scene(3);
        scene.history.push(Turn { by: Sender::User, content: line.into() });
        Choice::new(&scene).judge(&Draft { before, text, fit: -1.0, gain: 0.0 })
    }

    #[test]
    fn names_belong_to_their_owners() {
        for (good, bad) in [
            ("I am Mira, and I keep the lamp.", "You are Mira, and you keep it."),
            ("My name is Mira.", "Nice to meet you, Mira."),
            ("Come in, Ada.", "I am Ada."),
            ("They call me Mira.", "Ask Mira about it."),
        ] {
            assert!(worth("Hello.", good) > worth("Hello.", bad) + BAD, "{good} / {bad}");
        }
    }

    #[test]
    fn questions_about_the_character_are_answered_for_itself() {
        let line = "Do you like the sea?";
        assert!(worth(line, "I like it very much today.") > worth(line, "You like it very much today."));
        assert!(worth(line, "I like it very much today.") > worth(line, "It is very good for a friend."));
    }

    #[test]
    fn the_person_is_not_the_character() {
        assert!(worth("Hello.", "You are a friend of mine.") > worth("Hello.", "You are a keeper of storms."));
        assert!(worth("Hello.", "You're the best of all.") > worth("Hello.", "You're the keeper of them all."));
    }

    #[test]
    fn circles_echoes_and_machines_lose() {
        let line = "It is raining on my bicycle.";
        let good = worth(line, "Then leave it under the roof, and come in.");
        for bad in [
            "It is raining on the bicycle.",
            "No, no, that is how it is.",
            "The rain is rain and nothing else.",
            "As an AI I have no roof for it.",
            "Only in the third jar, Ada.",
            ", and then we left it there.",
        ] {
            assert!(good > worth(line, bad) + BAD / 2.0, "{bad}");
        }
        assert!(after(line, "We have a roof for it.", "We have a roof for it.") < 0.0);
    }

    #[test]
    fn own_words_and_likelier_ones_win() {
        assert!(worth("Hello.", "The storms are quiet.") > worth("Hello.", "The people are quiet."));
        let choice = Choice::new(&scene(2));
        let judge = |fit, gain| choice.judge(&Draft { before: "", text: "It is quiet now.", fit, gain });
        assert!(judge(-0.5, 0.0) > judge(-1.5, 0.0));
        assert!(judge(-1.0, 1.0) > judge(-1.0, 0.0));
    }

    #[test]
    fn other_languages_are_left_to_the_model() {
        for text in ["猫が好きです。", "Привет, заходи к огню.", "", "…"] {
            assert!(worth("你好", text).is_finite(), "{text}");
        }
    }
}
