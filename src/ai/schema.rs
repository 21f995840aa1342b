//! What a reply must look like: one JSON object of known fields.
//!
//! A [`Schema`] is said to each kind of model in the way that it understands: as a grammar that it cannot leave (the
//! local engine), as a JSON schema (`response_format`, or the arguments of a tool that it must use), or in words. However
//! it was said, the reply is read by [`super::partial`], which forgives what models do to JSON.

use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// One JSON object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Name for protocols that want one: `a-z` and `_`.
    pub name: &'static str,
    /// Its fields, in the order in which they are to be written.
    pub fields: Vec<Field>,
}

/// A field of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What belongs into it, in a few words.
    pub about: String,
    /// Its shape.
    pub shape: Shape,
}

/// Shape of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Text of at most so many characters, not empty.
    Text(u32),
    /// One of these texts.
    OneOf(Vec<String>),
    /// A list of values.
    List {
        /// Shape of each.
        of: Box<Self>,
        /// Fewest.
        min: u32,
        /// Most.
        max: u32,
    },
    /// An object.
    Object(Vec<Field>),
}

impl Field {
    /// Text.
    pub fn text(name: &'static str, about: impl Into<String>, max: u32) -> Self {
        Self { name, about: about.into(), shape: Shape::Text(max) }
    }

    /// One of some words.
    pub fn one_of(
        name: &'static str,
        about: impl Into<String>,
        words: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self { name, about: about.into(), shape: Shape::OneOf(words.into_iter().map(Into::into).collect()) }
    }

    /// A list of objects.
    pub fn list(name: &'static str, about: impl Into<String>, (min, max): (u32, u32), of: Vec<Self>) -> Self {
        Self { name, about: about.into(), shape: Shape::List { of: Box::new(Shape::Object(of)), min, max } }
    }
}

impl Schema {
    /// The object with only those of its fields for which `keep` says so.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self { name: self.name, fields: self.fields.iter().filter(|f| keep(f.name)).cloned().collect() }
    }

    /// As JSON schema in the subset that OpenAI's strict mode takes: every field is required, nothing else is allowed, and
    /// lengths are said in words.
    #[must_use]
    pub fn json_schema(&self) -> Value {
        object(&self.fields)
    }

    /// In words, for a model that nothing holds to it: the object with what belongs into each field.
    #[must_use]
    pub fn in_words(&self) -> String {
        let mut text = String::from("Answer with one JSON object and nothing else, with exactly these fields:\n{");
        members(&mut text, &self.fields);
        text.push('}');
        text
    }

    /// As GBNF without needless blanks, root rule `root`.
    #[must_use]
    pub fn grammar(&self) -> String {
        let mut rules = Rules::default();
        let root = rules.of(&Shape::Object(self.fields.clone()));
        rules.finish(&root)
    }
}

fn object(fields: &[Field]) -> Value {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|field| {
            let mut shape = json_shape(&field.shape);
            if let Some(shape) = shape.as_object_mut() {
                shape.insert("description".to_owned(), json!(about(field)));
            }
            (field.name.to_owned(), shape)
        })
        .collect();
    let required: Vec<&str> = fields.iter().map(|field| field.name).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn json_shape(shape: &Shape) -> Value {
    match shape {
        Shape::Text(_) => json!({ "type": "string" }),
        Shape::OneOf(words) => json!({ "type": "string", "enum": words }),
        Shape::List { of, .. } => json!({ "type": "array", "items": json_shape(of) }),
        Shape::Object(fields) => object(fields),
    }
}

fn about(field: &Field) -> String {
    match &field.shape {
        Shape::Text(max) => format!("{}; at most {max} characters", field.about),
        Shape::List { min, max, .. } if min == max => format!("{}; {max} of them", field.about),
        Shape::List { min, max, .. } => format!("{}; {min} to {max} of them", field.about),
        Shape::OneOf(_) | Shape::Object(_) => field.about.clone(),
    }
}

fn members(text: &mut String, fields: &[Field]) {
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            text.push_str(", ");
        }
        let _ = write!(text, "{}: ", json!(field.name));
        match &field.shape {
            Shape::Text(_) => {
                let _ = write!(text, "{}", json!(about(field)));
            }
            Shape::OneOf(words) => {
                let _ = write!(text, "{}", json!(format!("{}; one of: {}", field.about, words.join(", "))));
            }
            Shape::List { of, .. } => {
                text.push('[');
                if let Shape::Object(fields) = &**of {
                    text.push('{');
                    members(text, fields);
                    text.push('}');
                }
                let _ = write!(text, "] ({})", about(field));
            }
            Shape::Object(fields) => {
                text.push('{');
                members(text, fields);
                text.push('}');
            }
        }
    }
}

#[derive(Default)]
struct Rules {
    text: String,
    count: u32,
}

/// What stands inside of a string: anything but quotes, back strokes and control characters.
const CHAR: &str = "[^\"\\\\\\x00-\\x1F\\x7F]";

impl Rules {
    /// The expression of a shape; composed ones become rules.
    fn of(&mut self, shape: &Shape) -> String {
        match shape {
            Shape::Text(max) => format!("\"\\\"\" {CHAR}{{1,{}}} \"\\\"\"", (*max).max(1)),
            Shape::OneOf(words) => {
                let words: Vec<String> = words.iter().map(|word| literal(&json!(word).to_string())).collect();
                self.rule(&words.join(" | "))
            }
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
            Shape::Object(fields) => {
                let members: Vec<String> = fields
                    .iter()
                    .map(|field| {
                        let value = self.of(&field.shape);
                        format!("{} {value}", literal(&format!("{}:", json!(field.name))))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        Schema {
            name: "sheet",
            fields: vec![
                Field::text("name", "how it is called", 20),
                Field::one_of("mood", "how it feels", ["calm", "wild \"one\""]),
                Field::list("items", "what it carries", (1, 2), vec![Field::text("name", "what", 9)]),
            ],
        }
    }

    #[test]
    fn it_is_a_grammar_without_blanks() {
        assert_eq!(
            schema().grammar(),
            "root ::= r4\n\
             r1 ::= \"\\\"calm\\\"\" | \"\\\"wild \\\\\\\"one\\\\\\\"\\\"\"\n\
             r2 ::= \"{\" \"\\\"name\\\":\" \"\\\"\" [^\"\\\\\\x00-\\x1F\\x7F]{1,9} \"\\\"\" \"}\"\n\
             r3 ::= \"[\" r2 (\",\" r2){0,1} \"]\"\n\
             r4 ::= \"{\" \"\\\"name\\\":\" \"\\\"\" [^\"\\\\\\x00-\\x1F\\x7F]{1,20} \"\\\"\" \",\" \"\\\"mood\\\":\" r1 \",\" \
             \"\\\"items\\\":\" r3 \"}\"\n"
        );
    }

    #[test]
    fn it_is_a_schema_of_the_strict_kind() {
        let schema = schema().json_schema();
        assert_eq!(schema["required"], json!(["name", "mood", "items"]));
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["mood"]["enum"], json!(["calm", "wild \"one\""]));
        assert_eq!(schema["properties"]["items"]["items"]["required"], json!(["name"]));
        assert_eq!(schema["properties"]["name"]["description"], "how it is called; at most 20 characters");
    }

    #[test]
    fn it_is_said_in_words_with_its_lists() {
        let words = schema().in_words();
        assert!(words.contains("\"mood\": \"how it feels; one of: calm, wild"), "{words}");
        assert!(words.contains("\"items\": [{\"name\":") && words.contains("1 to 2 of them"), "{words}");
        let only = schema().only(|name| name == "mood").in_words();
        assert!(!only.contains("items") && only.contains("mood"));
    }

    #[test]
    fn an_empty_list_may_be_wished() {
        let list = |min, max| Schema {
            name: "list",
            fields: vec![Field {
                name: "x",
                about: String::new(),
                shape: Shape::List { of: Box::new(Shape::Text(3)), min, max },
            }],
        };
        assert!(list(0, 0).grammar().contains("\"[\"  \"]\""));
        assert!(list(0, 2).grammar().contains(")?"));
        assert!(list(2, 2).grammar().contains("{1,1}"));
    }
}
