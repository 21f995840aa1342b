//! Grammars in GBNF for what SoulForge asks of a model: JSON objects of a known shape, single lines, and prose of a few
//! whole sentences. A grammar cannot make a small model clever, but it makes it impossible to answer in the wrong form.

use std::fmt::Write as _;

/// Characters a text may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chars {
    /// Letters, digits, spaces and the punctuation of prose; no quotes, no brackets, no line breaks.
    Prose,
    /// Letters, spaces, apostrophes and hyphens.
    Name,
}

impl Chars {
    fn class(self) -> &'static str {
        match self {
            Self::Prose => "[a-zA-Z0-9À-ÖØ-öø-ÿ ,.;:!?'’-]",
            Self::Name => "[a-zA-ZÀ-ÖØ-öø-ÿ '-]",
        }
    }
}

/// Shape of a JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A string of `min` to `max` characters.
    Text {
        /// Fewest characters.
        min: u32,
        /// Most characters.
        max: u32,
        /// Which characters.
        chars: Chars,
    },
    /// One of these strings.
    OneOf(Vec<String>),
    /// `#rrggbb`.
    Colour,
    /// A whole number from 0 to 999.
    Number,
    /// `min` to `max` values of one shape.
    List {
        /// Shape of each value.
        of: Box<Shape>,
        /// Fewest values.
        min: u32,
        /// Most values.
        max: u32,
    },
    /// These members in this order.
    Object(Vec<(String, Shape)>),
}

/// The grammar of one JSON value without needless spaces.
pub fn json(shape: &Shape) -> String {
    let mut rules = Rules::default();
    let root = rules.of(shape);
    rules.finish(&root)
}

/// The grammar of one of these texts and nothing else.
pub fn one_of(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| literal(word)).collect();
    format!("root ::= {}\n", words.join(" | "))
}

/// Whole sentences on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prose {
    /// Fewest and most sentences.
    pub sentences: (u32, u32),
    /// Fewest and most words of each.
    pub words: (u32, u32),
}

impl Prose {
    /// Sentences of 4 to 36 words. The upper bound is a guard: a model that comes near it has lost the thread.
    pub fn sentences(min: u32, max: u32) -> Self {
        Self { sentences: (min, max), words: (4, 36) }
    }

    /// The grammar: each sentence begins with a capital and ends with a mark; no quotes, brackets or line breaks.
    pub fn grammar(&self) -> String {
        let (min, max) = at_least(self.sentences, 1);
        let (few, many) = at_least(self.words, 2);
        format!(
            "root ::= sentence (\" \" sentence){{{},{}}}\n\
             sentence ::= first (gap word){{{},{}}} [.!?]\n\
             first ::= [A-ZÀ-ÖØ-Þ] {LETTER}{{0,15}}\n\
             word ::= [a-zA-Z0-9À-ÖØ-öø-ÿ] {LETTER}{{0,17}}\n\
             gap ::= \" \" | \", \" | \"; \"\n",
            min - 1,
            max - 1,
            few - 1,
            many - 1,
        )
    }
}

/// A line of a few words without a mark at its end: a name, a title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Fewest and most words.
    pub words: (u32, u32),
    /// Each word begins with a capital, small words like `of` excepted.
    pub capitals: bool,
}

impl Line {
    /// The grammar.
    pub fn grammar(&self) -> String {
        let (few, many) = at_least(self.words, 1);
        let next = if self.capitals { "(first | small \" \" first)" } else { "word" };
        format!(
            "root ::= first (\" \" {next}){{{},{}}}\n\
             first ::= [A-ZÀ-ÖØ-Þ] {LETTER}{{1,15}}\n\
             word ::= [a-zA-ZÀ-ÖØ-öø-ÿ] {LETTER}{{0,15}}\n\
             small ::= \"of\" | \"of the\" | \"the\" | \"and\" | \"in\" | \"with\" | \"for\" | \"from\"\n",
            few - 1,
            many - 1,
        )
    }
}

/// What follows the first letter of a word.
const LETTER: &str = "[a-zA-Z0-9À-ÖØ-öø-ÿ'’-]";

fn at_least((min, max): (u32, u32), floor: u32) -> (u32, u32) {
    let min = min.max(floor);
    (min, max.max(min))
}

/// A GBNF literal.
fn literal(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A JSON string as a GBNF literal.
fn quoted(text: &str) -> String {
    literal(&serde_json::Value::from(text).to_string())
}

#[derive(Default)]
struct Rules {
    text: String,
    count: u32,
}

impl Rules {
    /// The expression of a shape; composed ones become rules.
    fn of(&mut self, shape: &Shape) -> String {
        match shape {
            Shape::Text { min, max, chars } => {
                format!("\"\\\"\" {}{{{min},{}}} \"\\\"\"", chars.class(), max.max(min))
            }
            Shape::OneOf(words) => {
                let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
                self.rule(&words.join(" | "))
            }
            Shape::Colour => "\"\\\"#\" [0-9a-f]{6} \"\\\"\"".to_owned(),
            Shape::Number => "(\"0\" | [1-9] [0-9]{0,2})".to_owned(),
            Shape::List { of, min, max } => {
                let of = self.of(of);
                let max = (*max).max(*min);
                let body = match (*min, max) {
                    (_, 0) => String::new(),
                    (0, max) => format!("({of} (\",\" {of}){{0,{}}})?", max - 1),
                    (min, max) => format!("{of} (\",\" {of}){{{},{}}}", min - 1, max - 1),
                };
                self.rule(&format!("\"[\" {body} \"]\""))
            }
            Shape::Object(members) => {
                let members: Vec<String> = members
                    .iter()
                    .map(|(name, shape)| {
                        let value = self.of(shape);
                        format!("{} {value}", literal(&format!("{}:", serde_json::Value::from(name.as_str()))))
                    })
                    .collect();
                self.rule(&format!("\"{{\" {} \"}}\"", members.join(" \",\" ")))
            }
        }
    }

    fn rule(&mut self, body: &str) -> String {
        self.count += 1;
        let name = format!("r{}", self.count);
        let _ = writeln!(self.text, "{name} ::= {body}");
        name
    }

    fn finish(self, root: &str) -> String {
        format!("root ::= {root}\n{}", self.text)
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn an_object_becomes_rules() {
        let shape = Shape::Object(vec![
            ("name".to_owned(), Shape::Text { min: 1, max: 20, chars: Chars::Name }),
            ("mood".to_owned(), Shape::OneOf(vec!["calm".to_owned(), "wild \"one\"".to_owned()])),
            ("colours".to_owned(), Shape::List { of: Box::new(Shape::Colour), min: 1, max: 3 }),
        ]);
        let text = json(&shape);
        assert_eq!(
            text,
            "root ::= r3\n\
             r1 ::= \"\\\"calm\\\"\" | \"\\\"wild \\\\\\\"one\\\\\\\"\\\"\"\n\
             r2 ::= \"[\" \"\\\"#\" [0-9a-f]{6} \"\\\"\" (\",\" \"\\\"#\" [0-9a-f]{6} \"\\\"\"){0,2} \"]\"\n\
             r3 ::= \"{\" \"\\\"name\\\":\" \"\\\"\" [a-zA-ZÀ-ÖØ-öø-ÿ '-]{1,20} \"\\\"\" \",\" \"\\\"mood\\\":\" r1 \",\" \
             \"\\\"colours\\\":\" r2 \"}\"\n"
        );
    }

    #[test]
    fn an_empty_list_may_be_wished() {
        let list = |min, max| json(&Shape::List { of: Box::new(Shape::Number), min, max });
        assert!(list(0, 0).contains("\"[\"  \"]\""));
        assert!(list(0, 2).contains(")?"));
        assert!(list(2, 2).contains("{1,1}"));
    }

    #[test]
    fn prose_counts_sentences_and_words() {
        let text = Prose::sentences(2, 3).grammar();
        assert!(text.starts_with("root ::= sentence (\" \" sentence){1,2}\n"), "{text}");
        assert!(text.contains("(gap word){3,35}"), "{text}");
        let one = Prose { sentences: (0, 0), words: (0, 0) }.grammar();
        assert!(one.contains("sentence){0,0}") && one.contains("(gap word){1,1}"), "{one}");
    }

    #[test]
    fn words_are_escaped() {
        assert_eq!(one_of(&["a\"b", "c\\d\n"]), "root ::= \"a\\\"b\" | \"c\\\\d\\n\"\n");
    }
}
