//! What is asked of a model: one object of known fields, with two characters of the house as examples.

use super::{Arrived, given::Given};
use crate::{
    ai::{
        Message, Request, Sampling,
        schema::{Field, Schema},
    },
    ocs::{
        AgeBand, Pronoun,
        portrait::{Garb, Hair, HairColour, Headgear, Skin},
        style::{Atmosphere, Mood, VisualStyle},
    },
};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What the model is told before anything else.
const SYSTEM: &str = "You invent characters for a community of storytellers. From one sentence you write the whole character as one JSON \
    object. Keep everything that the sentence says, and add what it does not say: a place, a habit, something that went wrong \
    once. Be concrete and a little surprising. A name that the sentence gives to somebody else or to an animal stays theirs. In \
    `greeting` and `oc` the character itself speaks to a visitor, in its own voice; what it does stands between asterisks. Never \
    copy the examples.";

/// The first example, whatever the language, so that models that remember what they have read remember it.
const FIRST: &str = include_str!("examples/lumina.txt");

/// The second, in the language of the sentence where there is one.
const SECOND: [(&str, &str); 6] = [
    ("en", include_str!("examples/en.txt")),
    ("de", include_str!("examples/de.txt")),
    ("fr", include_str!("examples/fr.txt")),
    ("es", include_str!("examples/es.txt")),
    ("it", include_str!("examples/it.txt")),
    ("ja", include_str!("examples/ja.txt")),
];

/// Names of the examples, which are nobody else's.
pub const TAKEN: [&str; 3] = ["Lumina", "Thorne", "ソーン"];

/// What else may be seen of a face: worn, grown or drawn on it.
pub const EXTRAS: [&str; 10] =
    ["none", "glasses", "monocle", "eyepatch", "moustache", "stubble", "beard", "freckles", "scar", "earring"];

/// Fields of the look, which come first so that the portrait can be drawn while the rest is written.
pub const LOOK: [&str; 8] = ["palette", "mood", "atmosphere", "hair", "hair_colour", "skin", "garb", "extra"];

/// What is asked of a summon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The sentence.
    pub sentence: String,
    /// A mood that was chosen.
    pub mood: Option<Mood>,
    /// Where they should live; may be empty.
    pub setting: String,
    /// The same words for the same seed, where the model allows it.
    pub seed: String,
}

fn words<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().copied().map(word).collect()
}

/// The object that is asked for. What is known already can only be written as it is.
#[must_use]
pub fn schema(asked: &Asked, given: &Given) -> Schema {
    let name = match &given.name {
        Some(name) => Field::one_of("name", "its name", [name.as_str()]),
        None => Field::text("name", "a name of its own", 40),
    };
    let pronoun = match given.pronoun {
        Some(pronoun) => vec![pronoun.as_str()],
        None => words(Pronoun::ALL, Pronoun::as_str),
    };
    let age = match given.age {
        Some(age) => vec![age.as_str()],
        None => words(AgeBand::ALL, AgeBand::as_str),
    };
    let mood = match asked.mood {
        Some(mood) => vec![mood.as_str()],
        None => words(Mood::ALL, Mood::as_str),
    };
    let extras = EXTRAS.into_iter().chain(words(Headgear::ALL, Headgear::as_str));
    Schema {
        name: "character",
        fields: vec![
            name,
            Field::text("title", "what it is, in two or three words", 50),
            Field::one_of("pronoun", "how it is spoken of", pronoun),
            Field::one_of("age_band", "its age", age),
            Field::one_of("palette", "its colours", VisualStyle::palettes()),
            Field::one_of("mood", "its mood", mood),
            Field::one_of("atmosphere", "the air about it", words(Atmosphere::ALL, Atmosphere::as_str)),
            Field::one_of("hair", "its hair", words(Hair::ALL, Hair::as_str)),
            Field::one_of("hair_colour", "the colour of its hair", words(HairColour::ALL, HairColour::as_str)),
            Field::one_of("skin", "its skin", words(Skin::ALL, Skin::as_str)),
            Field::one_of("garb", "what it wears", words(Garb::ALL, Garb::as_str)),
            Field::one_of("extra", "what else is seen of its face or head", extras),
            Field::text("description", "who it is and where it lives, for a reader, two or three sentences", 420),
            Field::text("personality", "what it is like, with habits, two or three sentences", 360),
            Field::text("voice_tone", "how it speaks, in a few words", 80),
            Field::text("scenario", "where one meets it, one sentence", 200),
            Field::text("greeting", "the first thing it says to a visitor", 320),
            Field::list(
                "example_dialogue",
                "how it answers",
                (2, 2),
                vec![Field::text("user", "what a visitor says", 90), Field::text("oc", "what it answers", 240)],
            ),
            Field::list(
                "items",
                "what it carries",
                (1, 2),
                vec![
                    Field::text("name", "a thing", 60),
                    Field::text("description", "what it looks like", 140),
                    Field::text("personality_effects", "how carrying it changes its carrier", 140),
                ],
            ),
            Field {
                name: "introduction",
                about: "its first post to everybody".to_owned(),
                shape: crate::ai::schema::Shape::Object(vec![
                    Field::text("title", "a headline", 60),
                    Field::text("content", "two or three sentences, said by the character", 320),
                ]),
            },
        ],
    }
}

/// The example in the language of a sentence.
fn second(given: &Given) -> &'static str {
    let second = SECOND.iter().find(|(code, _)| *code == given.tongue.code);
    second.or(SECOND.first()).map_or("", |(_, text)| text)
}

/// The texts of the examples that a model is shown, in which nothing of its own is found.
#[must_use]
pub fn examples(given: &Given) -> String {
    format!("{FIRST}\n{}", second(given))
}

/// System, examples and the sentence.
fn prompt(asked: &Asked, given: &Given) -> Vec<Message> {
    let mut messages = vec![Message::system(SYSTEM)];
    for example in [FIRST, second(given)] {
        let (sentence, object) = example.split_once('\n').unwrap_or((example, ""));
        messages.push(Message::user(sentence));
        messages.push(Message::assistant(object.trim()));
    }
    let mut line = asked.sentence.clone();
    if !asked.setting.is_empty() {
        line.push_str(&format!("\n(They live here: {})", asked.setting));
    }
    if let Some(mood) = asked.mood {
        line.push_str(&format!("\n(Mood: {mood})"));
    }
    if given.name.is_none() {
        for other in &given.others {
            line.push_str(&format!("\n({other} is somebody else. The character has a name of its own.)"));
        }
    }
    if given.tongue.code != "en" {
        let tongue = given.tongue.english;
        line.push_str(&format!("\n(Write every text in {tongue}; only words of fixed lists stay English.)"));
    }
    messages.push(Message::user(line));
    messages
}

/// A seed for the sampler out of a text.
fn number(seed: &str) -> u32 {
    u32::try_from(crate::ocs::style::Seeded::new(seed, "summon").bits() >> 32).unwrap_or(1)
}

fn request(messages: Vec<Message>, schema: Schema, seed: &str, max_tokens: u32) -> Request {
    let sampling = Sampling {
        temperature: 0.7,
        top_p: 0.92,
        min_p: 0.06,
        // Penalties for what was said before fall on the form as well: names begin with a comma then.
        repeat_penalty: 1.0,
        seed: Some(number(seed)),
    };
    Request { sampling, max_tokens, schema: Some(Arc::new(schema)), ..Request::new(messages) }
}

/// The first request: everything that is not there yet.
#[must_use]
pub fn whole(asked: &Asked, given: &Given, missing: &[&str], note: Option<&str>) -> Request {
    let schema = schema(asked, given).only(|name| missing.contains(&name));
    let mut messages = prompt(asked, given);
    if let Some(last) = messages.last_mut()
        && let Some(note) = note
    {
        last.content.push_str(&format!("\n({note})"));
    }
    request(messages, schema, &asked.seed, 1400)
}

/// A repair: these fields again, after what is there.
#[must_use]
pub fn again(
    asked: &Asked,
    given: &Given,
    known: &Map<String, Value>,
    faults: &[(&str, String)],
    round: u32,
) -> Request {
    let schema = schema(asked, given).only(|name| faults.iter().any(|(field, _)| *field == name));
    let why: Vec<String> = faults.iter().map(|(field, why)| format!("`{field}`: {why}")).collect();
    let ask = format!("Write only these fields again, as one JSON object: {}", why.join(" "));
    ask_after(asked, given, known, schema, &ask, &format!("{}-{round}", asked.seed))
}

/// Another value for one field of a character that is there.
#[must_use]
pub fn another(asked: &Asked, given: &Given, known: &Map<String, Value>, field: &str, why: &str) -> Request {
    let schema = schema(asked, given).only(|name| name == field);
    let before = known.get(field).map(Value::to_string).unwrap_or_default();
    let ask = format!("Write another `{field}` for this character, as one JSON object, quite unlike {before}. {why}");
    ask_after(asked, given, known, schema, ask.trim(), &asked.seed)
}

fn ask_after(
    asked: &Asked,
    given: &Given,
    known: &Map<String, Value>,
    schema: Schema,
    ask: &str,
    seed: &str,
) -> Request {
    let mut messages = prompt(asked, given);
    // In the order of the examples, which a map has not.
    let order = self::schema(asked, given);
    let members: Vec<String> = order
        .fields
        .iter()
        .filter_map(|field| known.get(field.name).map(|value| format!("{}:{value}", json!(field.name))))
        .collect();
    messages.push(Message::assistant(format!("{{{}}}", members.join(","))));
    messages.push(Message::user(ask));
    let count = u32::try_from(schema.fields.len()).unwrap_or(20);
    request(messages, schema, seed, 140 + 140 * count)
}

/// The fields as the model writes them, of a character that is there.
#[must_use]
pub fn known(arrived: &Arrived) -> Map<String, Value> {
    let sheet = &arrived.sheet;
    let mut known = Map::new();
    for name in
        ["name", "title", "pronoun", "age_band", "description", "personality", "voice_tone", "scenario", "greeting"]
    {
        if arrived.has(name) {
            known.insert(name.to_owned(), sheet.get(name));
        }
    }
    if arrived.has("example_dialogue") {
        known.insert("example_dialogue".to_owned(), json!(sheet.example_dialogue.iter().take(3).collect::<Vec<_>>()));
    }
    if arrived.has("visual_style") {
        known.insert("mood".to_owned(), json!(sheet.visual_style.mood));
        known.insert("atmosphere".to_owned(), json!(sheet.visual_style.atmosphere));
    }
    if let Some((title, content)) = &sheet.introduction {
        known.insert("introduction".to_owned(), json!({"title": title, "content": content}));
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ai::partial;

    #[test]
    fn the_examples_have_all_fields_in_their_order() {
        let asked = Asked { sentence: "A fox".into(), ..Asked::default() };
        let schema = schema(&asked, &Given::read("A fox"));
        for example in std::iter::once(FIRST).chain(SECOND.iter().map(|(_, text)| *text)) {
            let (sentence, object) = example.split_once('\n').unwrap();
            assert!(sentence.chars().count() >= 10 && object.trim().lines().count() == 1);
            let read = partial::read(object);
            assert!(read.is_whole && serde_json::from_str::<Value>(object).is_ok());
            let names: Vec<&str> = read.members.iter().map(|(name, _)| name.as_str()).collect();
            let wanted: Vec<&str> = schema.fields.iter().map(|f| f.name).collect();
            assert_eq!(names, wanted);
            for (field, (_, value)) in schema.fields.iter().zip(&read.members) {
                match &field.shape {
                    crate::ai::schema::Shape::OneOf(words) => {
                        assert!(words.iter().any(|w| json!(w) == *value), "{value}")
                    }
                    crate::ai::schema::Shape::Text(max) => {
                        assert!(value.as_str().unwrap().chars().count() <= *max as usize, "{}: {value}", field.name);
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn what_is_given_can_only_be_written_as_it_is() {
        let sentence = "Captain Isolde Marrow keeps a heron called Minister";
        let asked = Asked { sentence: sentence.into(), mood: Some(Mood::Stoic), ..Asked::default() };
        let given = Given::read(sentence);
        let grammar = schema(&asked, &given).grammar();
        assert!(
            grammar.contains("\"\\\"Captain Isolde Marrow\\\"\"") && grammar.contains("\"\\\"stoic\\\"\""),
            "{grammar}"
        );
        assert!(!grammar.contains("cheerful"));
        let missing: Vec<&str> = vec!["greeting"];
        let request = whole(&asked, &given, &missing, None);
        assert_eq!(request.schema.unwrap().fields.len(), 1);
    }
}
