//! Whether a line tells of suicide or self-harm: pure rules over text, in the languages of `crisis_rules.toml`.
//!
//! Words are compared without accents, signs and tricks of spelling. A pattern says what must stand together; where something
//! else was meant ("kill myself laughing"), other patterns say so. Sentences that tell of a book or a game, and what somebody
//! else says between quotation marks, are left alone. No rule reads minds: docs/safety.md says what is missed.

use serde::Deserialize;
use std::{collections::HashMap, sync::LazyLock};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Words of any kind that `..` stands for, at most.
const GAP: usize = 3;
/// Words around a find in which another meaning is looked for.
const AROUND: usize = 5;
/// Characters around a find, in languages without blanks.
const NEAR: usize = 12;
/// Longest text that is looked at, in characters; a message has at most 8,000.
const LOOKED_AT: usize = 20_000;

#[derive(Deserialize)]
struct File {
    language: Vec<Written>,
}

#[derive(Deserialize)]
struct Written {
    code: String,
    find: Vec<String>,
    unless: Vec<String>,
    story: Vec<String>,
    serious: Vec<String>,
}

/// The rules of one language.
struct Language {
    code: String,
    /// It is written without blanks between words.
    is_joined: bool,
    find: Patterns,
    unless: Patterns,
    story: Patterns,
    serious: Patterns,
}

/// Many patterns, found by the word that they begin with: a line is looked at in a time that grows with its length alone.
struct Patterns {
    all: Vec<Pattern>,
    by_word: HashMap<String, Vec<usize>>,
    /// Those that begin with part of a word.
    others: Vec<usize>,
}

/// Words in order; in a language without blanks, one piece of text.
struct Pattern(Vec<Token>);

/// One place of a pattern.
enum Token {
    /// Up to [`GAP`] words.
    Gap,
    /// One of these words.
    Word { any: Vec<Stem>, is_optional: bool },
}

/// One word or several in a row; the last may be the beginning of a longer one.
struct Stem {
    words: Vec<String>,
    is_beginning: bool,
}

static LANGUAGES: LazyLock<Vec<Language>> = LazyLock::new(|| {
    let file: Result<File, _> = toml::from_str(include_str!("crisis_rules.toml"));
    match file {
        Ok(file) => file.language.into_iter().map(Language::new).collect(),
        Err(error) => {
            // A test reads the file, so this never leaves the house.
            tracing::error!(%error, "the rules about help lines cannot be read");
            Vec::new()
        }
    }
});

impl Language {
    fn new(written: Written) -> Self {
        let is_joined = matches!(written.code.as_str(), "ja" | "zh" | "ko");
        let read =
            |texts: Vec<String>| Patterns::new(texts.iter().map(|text| Pattern::read(text, is_joined)).collect());
        Self {
            code: written.code,
            is_joined,
            find: read(written.find),
            unless: read(written.unless),
            story: read(written.story),
            serious: read(written.serious),
        }
    }
}

impl Patterns {
    fn new(all: Vec<Pattern>) -> Self {
        let mut by_word: HashMap<String, Vec<usize>> = HashMap::new();
        let mut others = Vec::new();
        for (number, pattern) in all.iter().enumerate() {
            for token in &pattern.0 {
                let Token::Word { any, is_optional } = token else {
                    others.push(number);
                    break;
                };
                for stem in any {
                    match stem.words.as_slice() {
                        [_] if stem.is_beginning => others.push(number),
                        [first, ..] => by_word.entry(first.clone()).or_default().push(number),
                        [] => {}
                    }
                }
                if !is_optional {
                    break;
                }
            }
        }
        Self { all, by_word, others }
    }

    /// The lengths of those that begin at the first of these words.
    fn at<'a>(&'a self, words: &'a [String]) -> impl Iterator<Item = usize> + 'a {
        let first = words.first().map_or("", String::as_str);
        // A star may be any letter.
        let numbers: Box<dyn Iterator<Item = usize> + 'a> = if first.contains('*') {
            Box::new(0..self.all.len())
        } else {
            let listed = self.by_word.get(first).into_iter().flatten();
            Box::new(listed.chain(&self.others).copied())
        };
        numbers.filter_map(|number| fits(&self.all.get(number)?.0, words, 0))
    }

    /// Whether one is anywhere in these words.
    fn are_in(&self, words: &[String]) -> bool {
        (0..words.len()).any(|at| self.at(words.get(at..).unwrap_or_default()).next().is_some())
    }

    /// Whether one is anywhere in a text without blanks.
    fn are_in_text(&self, text: &str) -> bool {
        self.all.iter().any(|pattern| text.contains(pattern.piece()))
    }
}

impl Pattern {
    fn read(text: &str, is_joined: bool) -> Self {
        if is_joined {
            let stem = Stem { words: vec![joined(text)], is_beginning: false };
            return Self(vec![Token::Word { any: vec![stem], is_optional: false }]);
        }
        let token = |token: &str| {
            if token == ".." {
                return Token::Gap;
            }
            let (token, is_optional) = token.strip_suffix('?').map_or((token, false), |rest| (rest, true));
            let any = token.split('|').map(|word| {
                let (word, is_beginning) = word.strip_suffix('~').map_or((word, false), |rest| (rest, true));
                let words = word.split('_').map(folded).filter(|word| !word.is_empty()).collect();
                Stem { words, is_beginning }
            });
            Token::Word { any: any.filter(|stem| !stem.words.is_empty()).collect(), is_optional }
        };
        Self(text.split_whitespace().map(token).collect())
    }

    /// The piece of text of a language without blanks.
    fn piece(&self) -> &str {
        match self.0.first() {
            Some(Token::Word { any, .. }) => any.first().and_then(|stem| stem.words.first()).map_or("", String::as_str),
            _ => "",
        }
    }
}

fn fits(pattern: &[Token], words: &[String], at: usize) -> Option<usize> {
    let Some((token, rest)) = pattern.split_first() else { return Some(at) };
    match token {
        Token::Gap => (0..=GAP).find_map(|gap| fits(rest, words, at + gap)),
        Token::Word { any, is_optional } => {
            let here = any.iter().find_map(|stem| fits(rest, words, at + stem.length_at(words, at)?));
            here.or_else(|| if *is_optional { fits(rest, words, at) } else { None })
        }
    }
}

impl Stem {
    /// How many words it takes, if it stands here.
    fn length_at(&self, words: &[String], at: usize) -> Option<usize> {
        let is_here = self.words.iter().enumerate().all(|(i, wanted)| {
            let may_go_on = self.is_beginning && i + 1 == self.words.len();
            words.get(at + i).is_some_and(|word| is_written(wanted, word, may_go_on))
        });
        is_here.then_some(self.words.len())
    }
}

/// A star stands for any letter: people write `k*ll`.
fn is_written(wanted: &str, word: &str, may_go_on: bool) -> bool {
    let mut letters = word.chars();
    wanted.chars().all(|letter| letters.next().is_some_and(|c| c == letter || c == '*'))
        && (may_go_on || letters.next().is_none())
}

/// Letters as they are compared: small, without accents; nothing that is neither a letter, a digit nor a star.
fn folded(word: &str) -> String {
    let plain = word.nfkc().flat_map(char::to_lowercase).flat_map(|c| -> Vec<char> {
        match c {
            'ß' => vec!['s', 's'],
            'ł' => vec!['l'],
            'ø' => vec!['o'],
            'œ' => vec!['o', 'e'],
            'æ' => vec!['a', 'e'],
            'ё' => vec!['е'],
            'đ' => vec!['d'],
            // Latin letters alone: elsewhere the marks make other letters.
            '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => {
                c.nfd().filter(|mark| !is_combining_mark(*mark)).collect()
            }
            c => vec![c],
        }
    });
    plain.filter(|c| c.is_alphanumeric() || *c == '*').collect()
}

/// Digits and signs that stand for letters in a word that has letters.
fn unmasked(word: &str) -> String {
    if !word.chars().any(char::is_alphabetic)
        || !word.chars().any(|c| matches!(c, '0' | '1' | '3' | '4' | '5' | '@' | '$' | '!'))
    {
        return word.to_owned();
    }
    let letter = |c| match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        c => c,
    };
    word.chars().map(letter).collect()
}

/// The same letter three times or more is written once.
fn unstretched(word: &str) -> String {
    let mut out: Vec<char> = Vec::new();
    let letters: Vec<char> = word.chars().collect();
    for run in letters.chunk_by(|a, b| a == b) {
        let keep = if run.len() > 2 { 1 } else { run.len() };
        out.extend(run.iter().take(keep));
    }
    out.into_iter().collect()
}

/// The words of a sentence.
fn words(sentence: &str) -> Vec<String> {
    let is_inside = |c: char| {
        c.is_alphanumeric()
            || is_combining_mark(c)
            || matches!(c, '\'' | '’' | '‘' | '`' | '´' | '@' | '$' | '*' | '\u{200b}'..='\u{200f}' | '\u{ad}')
    };
    let pieces = sentence.split(|c: char| !is_inside(c)).map(|word| word.trim_matches('*'));
    pieces.map(|word| unstretched(&folded(&unmasked(word)))).filter(|word| !word.is_empty()).collect()
}

/// A text of a language without blanks, without whatever is no letter.
fn joined(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).filter(|c| c.is_alphanumeric()).collect()
}

/// Whether a line tells of suicide or self-harm, and in which language, as two letters.
#[must_use]
pub fn language_of(text: &str) -> Option<&'static str> {
    let text: String = text.chars().take(LOOKED_AT).collect();
    let text = unquoted(&text);
    let sentences: Vec<&str> =
        text.split(['.', '!', '?', '\n', ';', '…', '。', '！', '？']).filter(|s| !s.trim().is_empty()).collect();
    let spaced: Vec<Vec<String>> = sentences.iter().map(|sentence| words(sentence)).collect();
    let pieces: Vec<String> = sentences.iter().map(|sentence| joined(sentence)).collect();
    let found = LANGUAGES.iter().find(|language| {
        if language.is_joined {
            pieces.iter().any(|piece| language.tells_joined(piece))
        } else {
            spaced.iter().any(|sentence| language.tells(sentence))
        }
    });
    found.map(|language| language.code.as_str())
}

impl Language {
    fn tells(&self, words: &[String]) -> bool {
        let is_found = (0..words.len()).any(|at| {
            self.find.at(words.get(at..).unwrap_or_default()).any(|length| {
                let from = at.saturating_sub(AROUND);
                let to = (at + length + AROUND).min(words.len());
                !self.unless.are_in(words.get(from..to).unwrap_or_default())
            })
        });
        is_found && (!self.story.are_in(words) || self.serious.are_in(words))
    }

    fn tells_joined(&self, text: &str) -> bool {
        let is_found = self.find.all.iter().any(|pattern| {
            text.match_indices(pattern.piece()).any(|(at, piece)| {
                let from = text.get(..at).unwrap_or_default().char_indices().rev().nth(NEAR).map_or(0, |(at, _)| at);
                let after = text.get(at + piece.len()..).unwrap_or_default();
                let to = after.char_indices().nth(NEAR).map_or(text.len(), |(end, _)| at + piece.len() + end);
                !self.unless.are_in_text(text.get(from..to).unwrap_or_default())
            })
        });
        is_found && (!self.story.are_in_text(text) || self.serious.are_in_text(text))
    }
}

/// Quotation marks that open, with those that close.
const QUOTES: [(char, char); 7] =
    [('“', '”'), ('„', '“'), ('«', '»'), ('»', '«'), ('「', '」'), ('『', '』'), ('"', '"')];
/// Whoever says so of themselves means it.
const OWN: [&str; 16] = [
    "i said",
    "i told",
    "i say",
    "i wrote",
    "i feel",
    "i think",
    "ich sag",
    "ich habe",
    "j'ai dit",
    "je dis",
    "dije",
    "ho detto",
    "eu disse",
    "ik zei",
    "powiedzial",
    "я сказал",
];

/// The text without what somebody else says between quotation marks. A line that is nothing but a quotation is the person's own.
fn unquoted(text: &str) -> String {
    let mut outside = String::new();
    let mut rest = text;
    while let Some((at, open, close)) = rest
        .char_indices()
        .find_map(|(at, c)| QUOTES.iter().find(|(open, _)| *open == c).map(|(open, close)| (at, *open, *close)))
    {
        let after = rest.get(at + open.len_utf8()..).unwrap_or_default();
        let Some(end) = after.find(close) else { break };
        outside.push_str(rest.get(..at).unwrap_or_default());
        outside.push(' ');
        rest = after.get(end + close.len_utf8()..).unwrap_or_default();
    }
    outside.push_str(rest);
    let lower = outside.to_lowercase();
    let tells = outside.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic)).count() >= 2
        || outside.chars().filter(|c| *c as u32 >= 0x3040 && c.is_alphabetic()).count() >= 3;
    if !tells || OWN.iter().any(|own| lower.contains(own)) { text.to_owned() } else { outside }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written for the rules, and read by people; one line each.
    const HARMLESS: &str = include_str!("lines/harmless.txt");
    const ALARM: &str = include_str!("lines/alarm.txt");

    #[test]
    fn the_rules_can_be_read_and_say_something() {
        let codes: Vec<&str> = LANGUAGES.iter().map(|language| language.code.as_str()).collect();
        assert_eq!(codes, ["en", "de", "fr", "es", "it", "pt", "nl", "pl", "ru", "ja", "zh", "ko"]);
        for language in LANGUAGES.iter() {
            let all = [&language.find, &language.unless, &language.story, &language.serious];
            for pattern in all.into_iter().flat_map(|patterns| &patterns.all) {
                let says =
                    pattern.0.iter().any(|t| matches!(t, Token::Word { any, is_optional: false } if !any.is_empty()));
                assert!(says, "an empty pattern of {}", language.code);
            }
        }
    }

    #[test]
    fn none_of_the_harmless_lines_is_taken_for_an_alarm() {
        assert!(HARMLESS.lines().count() >= 200);
        let wrong: Vec<&str> = HARMLESS.lines().filter(|line| language_of(line).is_some()).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn none_of_the_others_is_missed() {
        assert!(ALARM.lines().count() >= 100);
        let missed: Vec<&str> = ALARM.lines().filter(|line| language_of(line).is_none()).collect();
        assert!(missed.is_empty(), "{missed:#?}");
    }

    #[test]
    fn tricks_of_spelling_and_what_stands_around_make_no_difference() {
        for line in ALARM.lines() {
            let changed = format!("Hello. {} ok?\n", line.trim_end_matches('.').to_uppercase());
            assert!(language_of(&changed).is_some(), "{changed}");
        }
        for line in [
            "I want to k*ll myself",
            "i want to kiiiill myself",
            "I want to k1ll mys3lf",
            "i don\u{2019}t want to live anymore",
        ] {
            assert_eq!(language_of(line), Some("en"), "{line}");
        }
    }

    #[test]
    fn the_language_is_known() {
        for (line, code) in
            [("Ich will nicht mehr leben", "de"), ("Je veux mourir", "fr"), ("死にたい", "ja"), ("죽고 싶어", "ko")]
        {
            assert_eq!(language_of(line), Some(code));
        }
    }

    #[test]
    fn a_long_line_costs_little() {
        let began = std::time::Instant::now();
        for text in
            ["i want to ".repeat(800), "die ".repeat(2000), "“".repeat(8000), "死".repeat(8000), "k1ll ".repeat(1600)]
        {
            let _ = language_of(&text);
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    }
}
