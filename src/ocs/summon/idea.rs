//! Reading the asker's sentence: who is meant, what they are called, what they do.
//!
//! The sentence is the one thing about a character that is certain, so it is used as it stands: as the first sentence of
//! the description and, turned round, in the character's own mouth. Only plain grammar is read here, and whatever is not
//! understood is left alone.

use super::{
    own_words::own_words_of,
    vocabulary::{STOP_WORDS, stem, words},
};
use crate::ocs::style::Seeded;
use serde::{Deserialize, Serialize};

/// How a character is spoken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pronoun {
    /// She, her.
    She,
    /// He, him, his.
    He,
    /// They, them, their.
    They,
}

impl Pronoun {
    /// The word before a verb.
    pub const fn subject(self) -> &'static str {
        match self {
            Self::She => "she",
            Self::He => "he",
            Self::They => "they",
        }
    }

    /// The same at the beginning of a sentence.
    pub const fn capital(self) -> &'static str {
        match self {
            Self::She => "She",
            Self::He => "He",
            Self::They => "They",
        }
    }

    /// The word before a thing.
    pub const fn possessive(self) -> &'static str {
        match self {
            Self::She => "her",
            Self::He => "his",
            Self::They => "their",
        }
    }

    /// The word after a verb.
    pub const fn object(self) -> &'static str {
        match self {
            Self::She => "her",
            Self::He => "him",
            Self::They => "them",
        }
    }

    /// `lives` or `live`.
    pub fn verb(self, base: &str) -> String {
        match (self, base) {
            (Self::They, "be") => "are".to_owned(),
            (_, "be") => "is".to_owned(),
            (Self::They, _) => base.to_owned(),
            _ => format!("{base}s"),
        }
    }

    /// Words that would speak of somebody else.
    pub const fn foreign(self) -> &'static [&'static str] {
        match self {
            Self::She => &["he", "his", "him", "himself", "i", "me", "my", "you", "your", "we", "us", "our"],
            Self::He => &["she", "her", "hers", "herself", "i", "me", "my", "you", "your", "we", "us", "our"],
            Self::They => {
                &["she", "he", "his", "hers", "herself", "himself", "i", "me", "my", "you", "your", "we", "us"]
            }
        }
    }
}

/// What the sentence says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idea {
    /// The sentence as it was asked, without a full stop at its end.
    pub whole: String,
    /// The first sentence as something one can be: `a shy lighthouse keeper who collects storms in glass jars`.
    pub phrase: Option<String>,
    /// What follows the first sentence, as it was written.
    pub rest: String,
    /// The name that the asker gave.
    pub name: Option<String>,
    /// How the character is spoken of.
    pub pronoun: Pronoun,
    /// The sentence says so; otherwise it was drawn, and a name may say it better.
    pub pronoun_is_given: bool,
    /// What they are in two or three words: `Shy lighthouse keeper`.
    pub title: Option<String>,
    /// What they do, said by themselves after `I`: `collect storms in glass jars`.
    pub own_words: Option<String>,
    /// Stems of the words that carry meaning.
    pub topic: Vec<String>,
}

impl Idea {
    /// Reads a sentence. `seed` decides what the sentence leaves open.
    pub fn read(sentence: &str, seed: &str) -> Self {
        let (first, rest) = split_first(sentence.trim());
        let first = strip_asking(first.trim_end_matches(['.', '!', '?', ';', ' ']));
        let (name, first) = take_name(&first);
        let phrase = phrase_of(&first);
        let given = pronoun_of(sentence);
        let drawn = if Seeded::new(seed, "pronoun").chance(0.5) { Pronoun::She } else { Pronoun::He };
        let (pronoun, pronoun_is_given) = (given.unwrap_or(drawn), given.is_some());
        let title = phrase.as_deref().and_then(title_of);
        let own_words = phrase.as_deref().and_then(own_words_of);
        let mut topic: Vec<String> =
            words(sentence).iter().filter(|w| !STOP_WORDS.contains(&w.as_str())).map(|w| stem(w)).collect();
        topic.dedup();
        let whole = sentence.trim().trim_end_matches(['.', '!', ' ']).to_owned();
        Self { whole, phrase, rest: rest.trim().to_owned(), name, pronoun, pronoun_is_given, title, own_words, topic }
    }

    /// The sentence that introduces the character by what the asker said.
    pub fn opening(&self, name: &str) -> String {
        match &self.phrase {
            // A name takes the singular, also for somebody who goes by they.
            Some(phrase) => format!("{name} is {phrase}."),
            None => {
                let mut text = self.whole.clone();
                if !text.ends_with(['.', '?', '!', '…', '"', '”']) {
                    text.push('.');
                }
                text
            }
        }
    }
}

/// The first sentence and what follows.
fn split_first(text: &str) -> (&str, &str) {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if matches!(c, '.' | '!' | '?') && chars.peek().is_some_and(|(_, next)| next.is_whitespace()) {
            let end = at + c.len_utf8();
            // "Dr. Moth" and "St. Elm" go on.
            let before = text.get(..at).unwrap_or_default();
            let last = before.rsplit(' ').next().unwrap_or_default();
            if c == '.' && last.chars().count() <= 3 && last.starts_with(char::is_uppercase) {
                continue;
            }
            return (text.get(..end).unwrap_or(text), text.get(end..).unwrap_or_default());
        }
    }
    (text, "")
}

/// Words that ask for a character instead of being one.
const ASKING: &[&str] = &[
    "please",
    "summon",
    "create",
    "make",
    "give",
    "write",
    "design",
    "imagine",
    "invent",
    "generate",
    "build",
    "show",
    "me",
    "us",
    "i",
    "want",
    "need",
    "would",
    "like",
    "to",
    "meet",
    "have",
    "i'd",
    "character:",
    "oc:",
];

fn strip_asking(text: &str) -> String {
    let mut rest = text.trim();
    let first = rest.split(' ').next().unwrap_or_default().to_lowercase();
    if ASKING.contains(&first.as_str()) {
        let mut steps = 0;
        while let Some((word, after)) = rest.split_once(' ') {
            if steps > 6 || !ASKING.contains(&word.to_lowercase().trim_end_matches(',')) {
                break;
            }
            rest = after.trim_start();
            steps += 1;
        }
    }
    for start in [
        "a character who is ",
        "an oc who is ",
        "a character that is ",
        "somebody who is ",
        "someone who is ",
        "a person who is ",
        "an original character who is ",
        "a character, ",
        "character: ",
        "it is ",
        "it's ",
        "this is ",
        "she is ",
        "he is ",
        "they are ",
        "she's ",
        "he's ",
        "they're ",
    ] {
        if rest.get(..start.len()).is_some_and(|s| s.eq_ignore_ascii_case(start)) {
            rest = rest.get(start.len()..).unwrap_or(rest);
            break;
        }
    }
    rest.to_owned()
}

/// `Nyx, a clever thief`, `Nyx is a clever thief`, `a thief named Nyx Ardent with a cat`.
fn take_name(text: &str) -> (Option<String>, String) {
    for mark in [" named ", " called ", " by the name of ", " whose name is "] {
        if let Some((before, after)) = text.split_once(mark) {
            let (name, rest) = leading_name(after);
            if let Some(name) = name {
                let comma = if rest.starts_with([',', ';']) { "" } else { " " };
                return (Some(name), format!("{before}{comma}{}", rest.trim_start()).trim().to_owned());
            }
        }
    }
    let (name, rest) = leading_name(text);
    if let Some(name) = name {
        let rest = rest.trim_start();
        for link in [", ", "is ", "- ", "– ", "— ", ": "] {
            if let Some(after) = rest.strip_prefix(link)
                && starts_with_article(after)
            {
                return (Some(name), after.to_owned());
            }
        }
    }
    (None, text.to_owned())
}

/// Up to three capitalised words at the beginning that are no article, and what follows.
fn leading_name(text: &str) -> (Option<String>, &str) {
    let mut end = 0;
    let mut count = 0;
    let mut at = 0;
    for word in text.split(' ') {
        let bare = word.trim_end_matches([',', ';', ':', '.']);
        let is_name = bare.chars().next().is_some_and(char::is_uppercase)
            && bare.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | '’' | '-'))
            && !starts_with_article(&format!("{bare} "))
            && !matches!(bare, "She" | "He" | "They" | "It" | "I" | "One" | "Someone" | "Somebody");
        if !is_name || count == 3 {
            break;
        }
        count += 1;
        end = at + bare.len();
        if bare.len() < word.len() {
            break;
        }
        at += word.len() + 1;
    }
    let name = text.get(..end).unwrap_or_default();
    let fits = count > 0 && (2..=40).contains(&name.chars().count());
    (fits.then(|| name.to_owned()), text.get(end..).unwrap_or_default())
}

fn starts_with_article(text: &str) -> bool {
    ["a ", "an ", "the ", "one of ", "half ", "part ", "two ", "my ", "our "]
        .iter()
        .any(|a| text.get(..a.len()).is_some_and(|s| s.eq_ignore_ascii_case(a)))
}

/// The sentence as something one can be, if it is that.
fn phrase_of(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches([',', ';', ':']);
    let ascii = text.chars().filter(|c| c.is_ascii()).count() * 10 >= text.chars().count() * 9;
    if text.chars().count() < 4 || !ascii {
        return None;
    }
    if starts_with_article(text) {
        return Some(lower_first(text));
    }
    // "shy lighthouse keeper": an article is missing. Sentences and questions are left alone.
    let first = text.split(' ').next().unwrap_or_default().to_lowercase();
    let not_a_noun = [
        "she", "he", "they", "it", "her", "his", "their", "there", "who", "what", "when", "where", "why", "how", "if",
        "in", "on", "at", "by", "for", "with", "every", "all", "no", "nobody", "somebody", "someone", "once", "can",
        "could", "do", "does", "is", "are", "i", "we", "you", "let", "under", "after", "before", "and", "but",
    ];
    let proper = text.chars().next().is_some_and(char::is_uppercase)
        && text.split(' ').nth(1).is_some_and(|w| w.chars().next().is_some_and(char::is_uppercase));
    let all = words(text);
    if not_a_noun.contains(&first.as_str()) || proper || all.len() > 40 || !text.chars().next()?.is_alphabetic() {
        return None;
    }
    // A verb right behind the first words speaks for a sentence: "Dragons are back".
    if all.iter().take(3).any(|w| matches!(w.as_str(), "is" | "are" | "was" | "were" | "has" | "have")) {
        return None;
    }
    let article = if first.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    Some(format!("{article} {}", lower_first(text)))
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_lowercase().collect::<String>() + chars.as_str()).unwrap_or_default()
}

fn upper_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().collect::<String>() + chars.as_str()).unwrap_or_default()
}

/// Words that end the name of a thing.
const CUTS: &[&str] = &[
    "who",
    "that",
    "which",
    "whose",
    "where",
    "with",
    "without",
    "in",
    "on",
    "from",
    "at",
    "under",
    "behind",
    "living",
    "lives",
    "and",
    "but",
    "trying",
    "searching",
    "looking",
    "mapping",
    "working",
    "hiding",
    "about",
    "named",
    "made",
    "has",
    "is",
    "was",
    "can",
    "for",
    "to",
    "into",
    "near",
    "between",
    "beyond",
    "inside",
];

/// `a shy lighthouse keeper who …` gives `Shy lighthouse keeper`.
fn title_of(phrase: &str) -> Option<String> {
    let mut taken: Vec<&str> = Vec::new();
    let all: Vec<&str> = phrase.split(' ').collect();
    let start = usize::from(starts_with_article(phrase));
    for word in all.iter().skip(start) {
        let bare = word.trim_end_matches([',', ';', ':', '.']);
        let ends = bare.len() < word.len();
        if CUTS.contains(&bare.to_lowercase().as_str()) {
            break;
        }
        taken.push(bare);
        if ends || taken.len() == 6 {
            break;
        }
    }
    while taken.last().is_some_and(|w| matches!(*w, "of" | "the" | "a" | "an" | "very" | "old" | "young")) {
        taken.pop();
    }
    let title = upper_first(&taken.join(" "));
    let length = title.chars().count();
    (!taken.is_empty() && (3..=60).contains(&length)).then_some(title)
}

/// What the sentence says about it, if anything.
fn pronoun_of(sentence: &str) -> Option<Pronoun> {
    let all = words(sentence);
    let count = |list: &[&str]| all.iter().filter(|w| list.contains(&w.as_str())).count();
    let she = count(&[
        "she",
        "her",
        "hers",
        "herself",
        "woman",
        "girl",
        "lady",
        "queen",
        "princess",
        "mother",
        "daughter",
        "sister",
        "witch",
        "mermaid",
        "priestess",
        "goddess",
        "grandmother",
        "nun",
        "sorceress",
        "heroine",
        "duchess",
        "countess",
        "empress",
        "widow",
        "aunt",
        "bride",
        "waitress",
        "actress",
        "maid",
        "maiden",
        "valkyrie",
        "dryad",
        "nymph",
        "siren",
        "huntress",
        "catgirl",
    ]);
    let he = count(&[
        "he",
        "him",
        "his",
        "himself",
        "man",
        "boy",
        "king",
        "prince",
        "father",
        "son",
        "brother",
        "wizard",
        "monk",
        "god",
        "grandfather",
        "gentleman",
        "duke",
        "count",
        "emperor",
        "widower",
        "uncle",
        "groom",
        "lord",
        "actor",
        "waiter",
        "warlock",
        "sorcerer",
        "satyr",
        "fisherman",
        "catboy",
        "minotaur",
    ]);
    let they = count(&["they", "them", "their", "theirs", "themself", "themselves", "nonbinary", "genderless"]);
    if she > he {
        Some(Pronoun::She)
    } else if he > she {
        Some(Pronoun::He)
    } else {
        (they > 0).then_some(Pronoun::They)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Idea {
        Idea::read(text, "seed")
    }

    #[test]
    fn a_plain_sentence_is_taken_apart() {
        let idea = read("A shy lighthouse keeper who collects storms in glass jars.");
        assert_eq!(idea.phrase.as_deref(), Some("a shy lighthouse keeper who collects storms in glass jars"));
        assert_eq!(idea.title.as_deref(), Some("Shy lighthouse keeper"));
        assert_eq!(idea.own_words.as_deref(), Some("collect storms in glass jars"));
        assert_eq!(idea.opening("Mira"), "Mira is a shy lighthouse keeper who collects storms in glass jars.");
        assert_eq!(idea.name, None);
    }

    #[test]
    fn what_they_do_is_said_by_themselves() {
        for (sentence, own) in [
            (
                "An old dragon who runs a small bakery and is terrible at arithmetic",
                "run a small bakery and am terrible at arithmetic",
            ),
            ("A knight who lost her memory and writes everything down", "lost my memory and write everything down"),
            ("A cyberpunk courier who never opens the packages", "never open the packages"),
            ("A stern clockmaker who can stop time for seven seconds", "can stop time for seven seconds"),
            ("A retired space pirate who now teaches children to swim", "now teach children to swim"),
            ("A ghost who carries her own lamp", "carry my own lamp"),
            ("A god that watches over small rivers", "watch over small rivers"),
        ] {
            assert_eq!(read(sentence).own_words.as_deref(), Some(own), "{sentence}");
        }
        for sentence in
            ["A tired god of small rivers", "a thief that nobody ever saw", "a girl who follows him and he follows her"]
        {
            assert_eq!(read(sentence).own_words, None, "{sentence}");
        }
    }

    #[test]
    fn names_are_found() {
        for (sentence, name, phrase) in [
            ("Nyx, a clever thief with a mechanical cat", "Nyx", "a clever thief with a mechanical cat"),
            ("Captain Ardent is an old pirate", "Captain Ardent", "an old pirate"),
            (
                "An astronaut gardener named Ilse who talks to her tomatoes",
                "Ilse",
                "an astronaut gardener who talks to her tomatoes",
            ),
            ("please make me a wizard called Bram, who fears owls", "Bram", "a wizard, who fears owls"),
        ] {
            let idea = read(sentence);
            assert_eq!(idea.name.as_deref(), Some(name), "{sentence}");
            assert_eq!(idea.phrase.as_deref(), Some(phrase), "{sentence}");
        }
    }

    #[test]
    fn asking_words_and_missing_articles() {
        assert_eq!(read("I want a grumpy wizard").phrase.as_deref(), Some("a grumpy wizard"));
        assert_eq!(read("elderly vampire dentist").phrase.as_deref(), Some("an elderly vampire dentist"));
        assert_eq!(read("She is a nurse in a haunted ward").phrase.as_deref(), Some("a nurse in a haunted ward"));
        assert_eq!(read("Create a character who is a sleepy bear. He loves tea.").rest, "He loves tea.");
        assert_eq!(read("Dragons are back and one of them is sad").phrase, None);
        assert_eq!(read("Ein müder Gott der kleinen Flüsse, älter als die Brücken über ihnen").name, None);
        assert_eq!(read("雨の日にだけ現れる古い本屋の店主").phrase, None);
    }

    #[test]
    fn titles_are_short() {
        assert_eq!(read("A tired god of small rivers").title.as_deref(), Some("Tired god of small rivers"));
        assert_eq!(read("a blind cartographer mapping dreams").title.as_deref(), Some("Blind cartographer"));
        assert_eq!(read("A vampire who faints").title.as_deref(), Some("Vampire"));
    }

    #[test]
    fn nothing_that_is_typed_ends_it() {
        use proptest::prelude::*;
        proptest!(|(text in "\\PC{0,200}")| {
            let idea = Idea::read(&text, "x");
            let _ = idea.opening("Mira");
        });
        proptest!(|(text in "(a |An |The )?([A-Za-z,.' -]{1,12} ?){1,20}")| {
            let idea = Idea::read(&text, "x");
            if let Some(title) = idea.title { prop_assert!(title.chars().count() <= 60); }
        });
    }
}
