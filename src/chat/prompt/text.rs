//! What prompts do to text: the two names that cards leave open, and where a reply would speak for the person.

pub use crate::text::fill;

/// Words that begin lines of lists, letters, recipes and status boards, in small letters: `Note: bring a lamp`.
const LABELS: &[&str] = &[
    "note",
    "notes",
    "warning",
    "caution",
    "tip",
    "tips",
    "hint",
    "hints",
    "example",
    "examples",
    "answer",
    "question",
    "title",
    "name",
    "names",
    "story",
    "summary",
    "chorus",
    "verse",
    "bridge",
    "intro",
    "outro",
    "time",
    "date",
    "day",
    "place",
    "location",
    "mood",
    "weather",
    "status",
    "state",
    "hp",
    "mp",
    "xp",
    "ps",
    "pps",
    "p.s",
    "re",
    "from",
    "to",
    "subject",
    "dear",
    "step",
    "steps",
    "day one",
    "first",
    "second",
    "third",
    "last",
    "total",
    "result",
    "results",
    "recipe",
    "ingredients",
    "method",
    "serves",
    "you",
    "me",
    "i",
    "we",
    "he",
    "she",
    "they",
    "user",
    "assistant",
    "character",
    "narrator",
    "scene",
    "act",
    "setting",
    "goal",
    "rules",
    "rule",
    "inventory",
    "items",
    "gold",
    "level",
    "health",
    "thought",
    "thoughts",
    "edit",
    "update",
    "hinweis",
    "achtung",
    "tipp",
    "beispiel",
    "frage",
    "antwort",
    "zutaten",
    "ort",
    "zeit",
    "remarque",
    "exemple",
    "nota",
    "ejemplo",
    "consejo",
];

/// Texts before which a reply ends: a line that begins with the person's name speaks for the person. Not where that name
/// is a word that such lines begin with anyway: then nothing tells a label from a speaker, and a lost end would be worse.
#[must_use]
pub fn stops(person: &str) -> Vec<String> {
    let name = person.trim();
    let is_word = LABELS.contains(&name.to_lowercase().as_str());
    let is_name = !is_word && name.chars().filter(|c| c.is_alphabetic()).count() > 1;
    if is_name { vec![format!("\n{name}:")] } else { Vec::new() }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn nobody_speaks_for_the_person_and_labels_stay() {
        assert_eq!(stops("Ada"), ["\nAda:"]);
        assert_eq!(stops(" Ada Lovelace "), ["\nAda Lovelace:"]);
        for label in ["Note", "note", "HP", "PS", "Mood", "Hinweis", "1", "A", "", "7:30"] {
            assert!(stops(label).is_empty(), "{label}");
        }
    }
}
