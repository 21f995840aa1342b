//! Whether a field that a model wrote can stay. Typography is folded, never judged; what is refused here would be wrong on
//! anybody's page: a cut sentence, another language, somebody else's name, words about the task instead of the character.

use super::{SummonedItem, ask::TAKEN, given::Given, tongue};
use crate::{
    ocs::{AgeBand, ExampleLine, Pronoun, Rarity},
    trust::minors,
};
use serde_json::{Value, json};

/// Words that speak of the task and not of the character.
const TASK: &[&str] = &[
    "language model",
    "as an ai",
    "i'm sorry, but",
    "i am sorry, but",
    "i can't assist",
    "i cannot assist",
    "json",
    "at most",
    "lorem ipsum",
    "the user",
    "placeholder",
    "insert ",
    "{{",
    "as an assistant",
    "how can i help you today",
    "how can i assist",
];

/// What every field is judged by.
#[derive(Clone, Debug)]
pub struct Judge<'a> {
    /// The sentence that was asked.
    pub sentence: &'a str,
    /// What it says for certain.
    pub given: &'a Given,
    /// What the character is called for short; empty as long as it has no name.
    pub name: &'a str,
    /// How the character is spoken of, once that is settled.
    pub pronoun: Pronoun,
    /// How old it is, once that is settled.
    pub age: AgeBand,
    /// Sentences of the examples would be found here if they were copied.
    pub examples: &'a str,
}

/// A text without what models wrap it in: fences, stars, quotes, its own name before it.
#[must_use]
pub fn unwrapped(text: &str) -> String {
    let mut text = text.trim().trim_start_matches("```json").trim_matches('`').trim();
    for _ in 0..3 {
        let before = text;
        for (open, close) in
            [("**", "**"), ("\"", "\""), ("“", "”"), ("„", "“"), ("«", "»"), ("「", "」"), ("__", "__")]
        {
            if let Some(inner) = text.strip_prefix(open).and_then(|t| t.strip_suffix(close))
                && !inner.contains(open)
                && !inner.contains(close)
            {
                text = inner.trim();
            }
        }
        if text == before {
            break;
        }
    }
    let lines: Vec<&str> = text.split('\n').map(str::trim).filter(|l| !l.is_empty()).collect();
    lines.join("\n").replace("**", "").replace("\\\"", "\"").chars().filter(|c| !crate::text::is_refused(*c)).collect()
}

/// Marks after which a text may end.
fn ends(text: &str) -> bool {
    text.trim_end_matches(['"', '”', '“', '»', '」', '』', '*', ')', '\'', '’'])
        .ends_with(['.', '!', '?', '…', '。', '！', '？', '।', '~', '—'])
}

/// A text of sentences, without one that was cut at its end. `None` when nothing whole is left.
#[must_use]
pub fn whole_sentences(text: &str) -> Option<String> {
    if ends(text) {
        return Some(balanced(text));
    }
    let at = text.char_indices().rev().find(|(_, c)| matches!(c, '.' | '!' | '?' | '…' | '。' | '！' | '？'))?;
    let end = at.0 + at.1.len_utf8();
    let kept = text.get(..end)?;
    (kept.chars().count() * 3 > text.chars().count()).then(|| balanced(kept))
}

/// Closes an action whose second asterisk was left out.
fn balanced(text: &str) -> String {
    if text.matches('*').count().is_multiple_of(2) { text.to_owned() } else { format!("{text}*") }
}

/// Small models tell what somebody does instead of marking it: "Andrea looks up. Come in." is "*Andrea looks up.* Come in."
fn acted(text: &str, name: &str) -> String {
    let told = |sentence: &str| {
        let verb =
            sentence.strip_prefix(name).and_then(|rest| rest.strip_prefix(' ')).and_then(|rest| rest.split(' ').next());
        verb.is_some_and(|v| v.len() > 3 && v.ends_with('s') && v.chars().all(|c| c.is_ascii_lowercase()))
    };
    if name.is_empty() || !told(text) {
        return text.to_owned();
    }
    let end = text.char_indices().find(|(_, c)| matches!(c, '.' | '!' | '?')).map(|(at, c)| at + c.len_utf8());
    match end.and_then(|end| text.split_at_checked(end)) {
        Some((action, rest)) if !action.contains('*') => format!("*{action}*{rest}"),
        _ => text.to_owned(),
    }
}

impl Judge<'_> {
    /// The value as it is kept, or what is wrong with it, said so that a model can mend it.
    ///
    /// # Errors
    /// The fault.
    pub fn field(&self, name: &str, value: &Value) -> Result<Value, String> {
        match name {
            "name" => self.name(&line(value)?).map(Value::String),
            "title" => {
                let title = line(value)?.trim_end_matches(['.', '。']).chars().take(60).collect::<String>();
                self.decent(&title)?;
                Ok(json!(title))
            }
            "voice_tone" => {
                let tone = line(value)?.trim_end_matches('.').chars().take(200).collect::<String>();
                self.decent(&tone)?;
                Ok(json!(tone))
            }
            "description" | "personality" | "scenario" | "greeting" => self.prose(name, value, 400).map(Value::String),
            "example_dialogue" => self.examples(value),
            "items" => self.items(value),
            "introduction" => self.introduction(value),
            _ => Err("it is not a field.".to_owned()),
        }
    }

    fn name(&self, text: &str) -> Result<String, String> {
        let name = text.trim_end_matches(['.', ',', '。']).trim();
        let name = name.split(['(', '\n', ',']).next().unwrap_or(name).trim();
        if let Some(given) = &self.given.name {
            return if same(name, given) { Ok(given.clone()) } else { Err(format!("it must be {given}.")) };
        }
        let letters = name.chars().filter(|c| c.is_alphabetic()).count();
        let taken = self.given.others.iter().any(|o| same(name, o) || name.split(' ').any(|w| same(w, o)));
        if taken {
            return Err(format!("{name} is somebody else in the sentence; give the character another name."));
        }
        if TAKEN.iter().any(|t| same(t, name)) {
            return Err("it is the name of an example; give the character another name.".to_owned());
        }
        if letters == 0
            || name.chars().count() > 60
            || ["unknown", "n/a", "none", "character"].iter().any(|w| same(w, name))
        {
            return Err("it is no name.".to_owned());
        }
        self.decent(name)?;
        Ok(name.to_owned())
    }

    /// Whole sentences in the right language about the right one.
    fn prose(&self, name: &str, value: &Value, max: usize) -> Result<String, String> {
        let text = unwrapped(value.as_str().ok_or("it must be text.")?);
        let text: String = text.chars().take(max).collect();
        let length = text.chars().count();
        // A line that simply has no full stop is whole.
        let is_a_line = length < max.min(190) && length > 2 && !text.ends_with([',', ';', '-']);
        let text = match whole_sentences(&text) {
            Some(whole) => whole,
            None if is_a_line => text,
            None => return Err("it ends in the middle of a sentence; write it shorter.".to_owned()),
        };
        self.decent(&text)?;
        let long = text.chars().filter(|c| c.is_alphabetic()).count();
        if name == "description" && (same(&text, self.sentence) || long < 12) {
            return Err("it says no more than the sentence; add a place and a habit.".to_owned());
        }
        if long > 24
            && let Some(heard) = tongue::of(&text)
            && heard.code != self.given.tongue.code
        {
            return Err(format!("it must be written in {}.", self.given.tongue.english));
        }
        if copied(&text, self.examples) {
            return Err("it is copied from an example; write something of your own.".to_owned());
        }
        if name == "description" || name == "personality" {
            self.spoken_of(&text)?;
        }
        Ok(if name == "greeting" { acted(&text, self.name) } else { text })
    }

    /// In English, a character is not spoken of as somebody else.
    fn spoken_of(&self, text: &str) -> Result<(), String> {
        if self.given.tongue.code != "en" {
            return Ok(());
        }
        let lower = text.to_lowercase();
        let words: Vec<&str> = lower.split(|c: char| !c.is_alphabetic()).collect();
        let count = |list: &[&str]| words.iter().filter(|w| list.contains(w)).count();
        let (she, he) = (count(&["she", "her", "hers"]), count(&["he", "him", "his"]));
        let wrong = match self.pronoun {
            Pronoun::She => he > 1 && she == 0,
            Pronoun::He => she > 1 && he == 0,
            Pronoun::They | Pronoun::It => false,
        };
        if wrong { Err(format!("the character is spoken of as “{}”.", self.pronoun.label())) } else { Ok(()) }
    }

    /// Nothing about the task, nothing that must not be written.
    fn decent(&self, text: &str) -> Result<(), String> {
        let lower = text.to_lowercase().replace('’', "'");
        let sentence = self.sentence.to_lowercase();
        if let Some(word) = TASK.iter().find(|w| lower.contains(**w) && !sentence.contains(**w)) {
            return Err(format!("it speaks of the task (“{}”) and not as the character.", word.trim()));
        }
        let young = matches!(self.age, AgeBand::Child | AgeBand::Teen);
        if minors::sexualises(text, young) {
            return Err("it must not be sexual.".to_owned());
        }
        Ok(())
    }

    fn examples(&self, value: &Value) -> Result<Value, String> {
        let mut kept: Vec<ExampleLine> = Vec::new();
        for line in value.as_array().ok_or("it must be a list.")? {
            let text = |field: &str| unwrapped(line.get(field).and_then(Value::as_str).unwrap_or_default());
            let user: String = text("user").chars().take(300).collect();
            let Some(oc) =
                whole_sentences(&text("oc")).or_else(|| Some(text("oc")).filter(|t| t.chars().count() < 120))
            else {
                continue;
            };
            let good =
                !user.is_empty() && !oc.is_empty() && !same(&user, &oc) && !kept.iter().any(|k| same(&k.oc, &oc));
            let heard = tongue::of(&oc).filter(|_| oc.chars().count() > 40);
            let foreign = heard.is_some_and(|t| t.code != self.given.tongue.code);
            if good && !foreign && self.decent(&oc).is_ok() && self.decent(&user).is_ok() && !copied(&oc, self.examples)
            {
                kept.push(ExampleLine { user, oc: acted(&oc, self.name).chars().take(600).collect() });
            }
        }
        if kept.is_empty() {
            Err("its answers are not whole, or not the character's own.".to_owned())
        } else {
            Ok(json!(kept))
        }
    }

    fn items(&self, value: &Value) -> Result<Value, String> {
        let list = value.as_array().ok_or("it must be a list.")?;
        let mut kept: Vec<SummonedItem> = Vec::new();
        for (at, item) in list.iter().take(3).enumerate() {
            let text = |field: &str, most: usize| -> String {
                let text = unwrapped(item.get(field).and_then(Value::as_str).unwrap_or_default());
                text.chars().take(most).collect()
            };
            let (name, description) = (text("name", 80).replace('\n', " "), text("description", 500));
            let personality_effects = text("personality_effects", 300);
            let texts = [&name, &description, &personality_effects];
            let good = !name.is_empty()
                && !personality_effects.is_empty()
                && texts.iter().all(|t| self.decent(t).is_ok() && !copied(t, self.examples));
            if good {
                let rarity = [Rarity::Common, Rarity::Rare, Rarity::Epic].get(at).copied().unwrap_or_default();
                kept.push(SummonedItem { name, description, personality_effects, rarity });
            }
        }
        if kept.is_empty() { Err("it is nothing of the character's own.".to_owned()) } else { Ok(json!(kept)) }
    }

    /// The model writes an object, or a list of two; the sheet holds a pair.
    fn introduction(&self, value: &Value) -> Result<Value, String> {
        let text = |field: &str, at: usize| value.get(field).or_else(|| value.get(at)).cloned().unwrap_or_default();
        let title = line(&text("title", 0)).unwrap_or_default();
        let title: String = title.trim_end_matches('.').chars().take(200).collect();
        let content = self.prose("introduction", &text("content", 1), 700)?;
        self.decent(&title)?;
        Ok(json!([title, content]))
    }
}

/// One line of text.
fn line(value: &Value) -> Result<String, String> {
    let text = unwrapped(value.as_str().ok_or("it must be text.")?).replace('\n', " ");
    if text.is_empty() { Err("it is empty.".to_owned()) } else { Ok(text) }
}

/// The same words, whatever their case and marks.
fn same(a: &str, b: &str) -> bool {
    let bare =
        |text: &str| -> String { text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect() };
    bare(a) == bare(b)
}

/// Whether a sentence of some length stands in the examples.
fn copied(text: &str, examples: &str) -> bool {
    text.split(['.', '!', '?', '。', '！', '？'])
        .map(str::trim)
        .filter(|s| s.chars().count() > 24 || (s.chars().count() > 12 && !s.is_ascii() && !s.contains(' ')))
        .any(|s| examples.contains(s))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(sentence: &str, name: &str, value: Value) -> Result<Value, String> {
        let given = Given::read(sentence);
        let pronoun = given.pronoun.unwrap_or_default();
        let age = given.age.unwrap_or_default();
        let examples = "A thing that cooled is not a thing that broke.";
        Judge { sentence, given: &given, name: "Andrea", pronoun, age, examples }.field(name, &value)
    }

    const KEEPER: &str = "A shy lighthouse keeper who lost her shadow";

    #[test]
    fn typography_is_never_a_reason_to_refuse() {
        for text in [
            "She keeps the lamp at Harrow Point. It’s hers.",
            "**She keeps the lamp at Harrow Point. It’s hers.**",
            "“She keeps the lamp at Harrow Point. It’s hers.”",
            "```\nShe keeps the lamp at Harrow Point. It’s hers.\n```",
            "She keeps the lamp at Harrow Point…",
            "She keeps the café lamp at Harrow Point — and “more”.",
        ] {
            let kept = judged(KEEPER, "description", json!(text)).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert!(kept.as_str().unwrap().starts_with("She keeps the"), "{kept}");
        }
        assert_eq!(judged(KEEPER, "name", json!("**“Mara Vey.”**")), Ok(json!("Mara Vey")));
        assert_eq!(
            judged(KEEPER, "greeting", json!("*She looks up. Oh. You came back.")).unwrap(),
            "*She looks up. Oh. You came back.*"
        );
    }

    #[test]
    fn names_are_whose_they_are() {
        let sentence = "An exiled queen who keeps a heron called Minister";
        assert!(judged(sentence, "name", json!("Minister")).is_err());
        assert!(judged(sentence, "name", json!("Lady Minister")).is_err());
        assert_eq!(judged(sentence, "name", json!("Ysolde the Plain")), Ok(json!("Ysolde the Plain")));
        let captain = "Captain Isolde Marrow keeps a tide clock";
        assert_eq!(judged(captain, "name", json!("captain isolde marrow")), Ok(json!("Captain Isolde Marrow")));
        assert!(judged(captain, "name", json!("Isolde")).is_err());
        assert!(judged(KEEPER, "name", json!("Thorne")).is_err(), "an example's");
    }

    #[test]
    fn what_is_wrong_on_anybodys_page_is_refused() {
        let cut = "She keeps the lamp at Harrow Point and walks along the wall every evening until the light has come and gone and \
                   then she walks back again along the wall and counts the stones that the sea has left there for her and";
        for (field, value) in [
            ("description", json!(KEEPER)),
            ("description", json!(cut)),
            ("description", json!("He keeps his lamp. He walks along the wall.")),
            ("description", json!("Sie hütet die Lampe und geht jeden Abend auf der Mauer spazieren.")),
            ("greeting", json!("As an AI language model, I am happy to meet you.")),
            ("greeting", json!("Hello! How can I help you today?")),
            ("greeting", json!("A thing that cooled is not a thing that broke.")),
            ("greeting", json!(7)),
            ("items", json!([])),
            ("example_dialogue", json!([{"user": "Hi", "oc": "Hi"}])),
        ] {
            assert!(judged(KEEPER, field, value.clone()).is_err(), "{field}: {value}");
        }
        let cut =
            judged(KEEPER, "description", json!("She keeps the lamp at Harrow Point. She walks along the wall and"));
        assert_eq!(cut.unwrap(), "She keeps the lamp at Harrow Point.", "what is whole of it stays");
    }

    #[test]
    fn what_somebody_does_is_marked_as_done() {
        let kept = |text: &str| judged(KEEPER, "greeting", json!(text)).unwrap();
        assert_eq!(kept("Andrea looks at the jar. What is inside?"), "*Andrea looks at the jar.* What is inside?");
        for text in ["Andrea is my name. Come in.", "Come in. Andrea waits for nobody.", "*Andrea looks up.* Come in."]
        {
            assert_eq!(kept(text), text);
        }
    }

    #[test]
    fn lists_keep_what_is_good_in_them() {
        let lines = json!([{"user": "Hi", "oc": "Mind the step."}, {"user": "", "oc": "x"}, {"user": "And?", "oc": "As an AI, no."}]);
        assert_eq!(judged(KEEPER, "example_dialogue", lines).unwrap(), json!([{"user": "Hi", "oc": "Mind the step."}]));
        let post =
            judged(KEEPER, "introduction", json!({"title": "Lamp.", "content": "I keep the lamp. Come and see."}));
        assert_eq!(post.unwrap(), json!(["Lamp", "I keep the lamp. Come and see."]));
    }
}
