//! Reads the JSON object in a reply, while it comes and after it has come.
//!
//! Models wrap it in fences and prose, leave commas behind the last member, write “ ” for ", quote inside of quotes, break
//! lines inside of strings, or stop in the middle. Typography is never a reason to lose an answer, so all of that is
//! forgiven. A value counts when it has closed; what is still being written is not shown as if it were whole.

use serde_json::{Map, Value};

/// Deepest nesting that is followed.
const DEEPEST: u32 = 16;

/// What a reply holds so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Read {
    /// Members that have closed, in the order in which they came. Of a list that is still open, the entries that closed.
    pub members: Vec<(String, Value)>,
    /// The last of the members is a list that is still open.
    pub is_open: bool,
    /// The object has closed.
    pub is_whole: bool,
}

impl Read {
    /// The members that have closed for good, as an object.
    #[must_use]
    pub fn object(&self) -> Map<String, Value> {
        self.members.iter().cloned().collect()
    }
}

/// Reads the first object in a text.
#[must_use]
pub fn read(text: &str) -> Read {
    let chars: Vec<char> = text.chars().collect();
    // Prose before it may hold a brace: the first one that a name follows counts.
    let starts = chars.iter().enumerate().filter(|(_, c)| **c == '{').map(|(at, _)| at);
    let mut best = Read::default();
    for start in starts.take(8) {
        let mut reader = Reader { chars: &chars, at: start + 1, is_writing: false };
        let mut read = Read::default();
        reader.members(&mut read, 0);
        // One whose first member is still being written is the object, too: a brace inside of that is not another one.
        if !read.members.is_empty() || reader.is_writing {
            return read;
        }
        best.is_whole |= read.is_whole;
    }
    best
}

/// The object in a reply that has ended: as it stands if it is JSON, else as far as it can be made out.
#[must_use]
pub fn whole(text: &str) -> Option<Map<String, Value>> {
    let trimmed = text.trim();
    if let Ok(Value::Object(object)) = serde_json::from_str(trimmed) {
        return Some(object);
    }
    // Nothing follows any more: what only waited for that has closed.
    let read = read(&format!("{trimmed}}}"));
    (!read.members.is_empty()).then(|| read.object())
}

struct Reader<'a> {
    chars: &'a [char],
    at: usize,
    /// The text ended inside of a value that has a name.
    is_writing: bool,
}

/// Quotes and what closes each.
const fn closing(quote: char) -> Option<char> {
    Some(match quote {
        '"' => '"',
        '“' | '„' | '”' => '”',
        '‘' | '’' => '’',
        '\'' => '\'',
        '「' => '」',
        _ => return None,
    })
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn blank(&mut self) {
        while self.peek().is_some_and(|c| c.is_whitespace() || c == '\u{feff}') {
            self.at += 1;
        }
    }

    /// The next character that is not blank, from a place on.
    fn after(&self, from: usize) -> Option<char> {
        self.chars.get(from..)?.iter().copied().find(|c| !c.is_whitespace())
    }

    /// Whether nothing follows the next character but blanks.
    fn rest_is_blank(&self) -> bool {
        self.chars.get(self.at..).unwrap_or_default().iter().filter(|c| !c.is_whitespace()).count() <= 1
    }

    /// Members up to the closing brace, or to the end of the text.
    fn members(&mut self, read: &mut Read, depth: u32) {
        loop {
            self.blank();
            match self.peek() {
                Some('}') => {
                    self.at += 1;
                    read.is_whole = true;
                    return;
                }
                Some(',') => {
                    self.at += 1;
                    continue;
                }
                None => return,
                Some(_) => {}
            }
            let Some(name) = self.name() else { return };
            self.blank();
            let Some(value) = self.value(depth) else {
                // Behind a quote, its comma or nothing may stand so far.
                self.is_writing |= self.after(self.at).is_none_or(|c| c == ',' && self.rest_is_blank());
                return;
            };
            let open = matches!(value, Closed::NotYet(_));
            let (Closed::Yes(value) | Closed::NotYet(value)) = value;
            read.members.retain(|(known, _)| *known != name);
            read.members.push((name, value));
            if open {
                read.is_open = true;
                return;
            }
        }
    }

    /// A name and its colon.
    fn name(&mut self) -> Option<String> {
        let name = match self.peek().and_then(closing) {
            Some(_) => self.text(true)?,
            // Names without quotes.
            None => {
                let from = self.at;
                while self.peek().is_some_and(|c| c.is_alphanumeric() || c == '_') {
                    self.at += 1;
                }
                self.chars.get(from..self.at)?.iter().collect()
            }
        };
        self.blank();
        if name.is_empty() || self.peek() != Some(':') {
            return None;
        }
        self.at += 1;
        Some(name)
    }

    fn value(&mut self, depth: u32) -> Option<Closed> {
        if depth > DEEPEST {
            return None;
        }
        match self.peek()? {
            '{' => {
                self.at += 1;
                let mut inner = Read::default();
                self.members(&mut inner, depth + 1);
                inner.is_whole.then(|| Closed::Yes(Value::Object(inner.object())))
            }
            '[' => {
                self.at += 1;
                Some(self.list(depth))
            }
            c if closing(c).is_some() => self.text(false).map(|text| Closed::Yes(Value::String(text))),
            _ => self.plain(),
        }
    }

    fn list(&mut self, depth: u32) -> Closed {
        let mut values = Vec::new();
        loop {
            self.blank();
            match self.peek() {
                Some(']') => {
                    self.at += 1;
                    return Closed::Yes(Value::Array(values));
                }
                Some(',') => self.at += 1,
                // The object closes before its list does: somebody forgot the bracket.
                Some('}') => return Closed::Yes(Value::Array(values)),
                None => return Closed::NotYet(Value::Array(values)),
                Some(_) => match self.value(depth + 1) {
                    Some(Closed::Yes(value)) => values.push(value),
                    _ => return Closed::NotYet(Value::Array(values)),
                },
            }
        }
    }

    /// Numbers and words.
    fn plain(&mut self) -> Option<Closed> {
        let from = self.at;
        while self.peek().is_some_and(|c| !matches!(c, ',' | '}' | ']' | '\n')) {
            self.at += 1;
        }
        // Without what follows it nobody knows whether it has ended.
        self.peek()?;
        let word: String = self.chars.get(from..self.at)?.iter().collect();
        let word = word.trim();
        if word.is_empty() {
            return None;
        }
        Some(Closed::Yes(serde_json::from_str(word).unwrap_or_else(|_| Value::String(word.to_owned()))))
    }

    /// A text between quotes; `None` while it is open.
    fn text(&mut self, is_name: bool) -> Option<String> {
        let close = closing(self.peek()?)?;
        self.at += 1;
        let mut text = String::new();
        loop {
            let c = self.peek()?;
            self.at += 1;
            match c {
                '\\' => text.push(self.escaped()?),
                c if (c == close || (close == '”' && c == '"')) && self.ends_here(is_name)? => return Some(text),
                c => text.push(c),
            }
        }
    }

    /// Whether the quote that was just read ends its text: JSON goes on behind it. `None` while that cannot be known.
    fn ends_here(&self, is_name: bool) -> Option<bool> {
        let next = self.after(self.at)?;
        if is_name {
            return Some(next == ':');
        }
        Some(match next {
            '}' | ']' => true,
            // A comma may also go on with the sentence: “No”, she said.
            ',' => {
                let comma = self.chars.get(self.at..)?.iter().position(|c| *c == ',')?;
                let follows = self.after(self.at + comma + 1)?;
                closing(follows).is_some()
                    || matches!(follows, '{' | '[' | '}' | ']')
                    || self.unquoted_name(self.at + comma + 1)
            }
            // A comma was forgotten between two members.
            '"' | '“' => self.chars.get(self.at).is_some_and(|c| *c == '\n' || *c == '\r'),
            _ => false,
        })
    }

    /// Whether a name without quotes and its colon stand here, or a number or word of a list.
    fn unquoted_name(&self, from: usize) -> bool {
        let rest = self.chars.get(from..).unwrap_or_default();
        let mut rest =
            rest.iter().copied().skip_while(|c| c.is_whitespace()).skip_while(|c| c.is_ascii_lowercase() || *c == '_');
        rest.next() == Some(':')
    }

    fn escaped(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(match c {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'b' | 'f' => ' ',
            'u' => self.unicode()?,
            other => other,
        })
    }

    /// `\u2019`, and pairs of them.
    fn unicode(&mut self) -> Option<char> {
        let first = self.hex()?;
        let code = match (first, self.chars.get(self.at), self.chars.get(self.at + 1)) {
            (0xD800..=0xDBFF, Some('\\'), Some('u')) => {
                self.at += 2;
                let second = self.hex()?;
                if (0xDC00..=0xDFFF).contains(&second) {
                    0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)
                } else {
                    second
                }
            }
            (0xD800..=0xDBFF, None, _) | (0xD800..=0xDBFF, Some('\\'), None) => return None,
            _ => first,
        };
        Some(char::from_u32(code).unwrap_or('\u{fffd}'))
    }

    fn hex(&mut self) -> Option<u32> {
        let digits: String = self.chars.get(self.at..self.at + 4)?.iter().collect();
        self.at += 4;
        Some(u32::from_str_radix(&digits, 16).unwrap_or(0xFFFD))
    }
}

/// A value, and whether it has closed.
enum Closed {
    Yes(Value),
    NotYet(Value),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_models_do_to_json_is_forgiven() {
        let wanted = json!({"name": "Mira", "title": "keeper"});
        for text in [
            "{\"name\":\"Mira\",\"title\":\"keeper\"}",
            "```json\n{\n  \"name\": \"Mira\",\n  \"title\": \"keeper\",\n}\n```",
            "Sure! Here is {your} character:\n{“name”: “Mira”, “title”: “keeper”}\nHave fun!",
            "{'name': 'Mira', 'title': 'keeper'}",
            "{name: \"Mira\", title: \"keeper\"}",
            "{\"name\": \"Mira\"\n\"title\": \"keeper\"}",
            "\u{feff}{\"name\" : \"Mi\\u0072a\" , \"title\":\"keeper\"",
            "{\"title\":\"x\",\"name\":\"Mira\",\"title\":\"keeper\"}",
        ] {
            assert_eq!(Value::Object(whole(text).unwrap_or_default()), wanted, "{text}");
        }
        let said = whole("{\"greeting\": \"\"No\", she said. \"Yes\", said I.\", \"title\": \"keeper\"}").unwrap();
        assert_eq!(said["greeting"], "\"No\", she said. \"Yes\", said I.");
        let lines = whole("{\"greeting\": \"Come in.\n*She nods.*\", \"list\": [\"a\", \"b\",]}").unwrap();
        assert_eq!((lines["greeting"].as_str(), &lines["list"]), (Some("Come in.\n*She nods.*"), &json!(["a", "b"])));
        assert_eq!(whole("I cannot do that."), None);
        assert_eq!(whole(""), None);
        assert_eq!(
            whole("{\"a\":\"\\ud83d\\ude00\",\"b\":1,\"c\":null}").map(Value::Object),
            Some(json!({"a": "😀", "b": 1, "c": null}))
        );
    }

    #[test]
    fn what_is_open_is_not_shown() {
        let open = |text: &str| read(text).members;
        assert_eq!(open("{\"name\":\"Mi"), vec![]);
        assert_eq!(open("{\"name\":\"Mira\""), vec![], "a quote may stand inside of a text");
        assert_eq!(open("{\"name\":\"Mira\",\"ti"), vec![("name".to_owned(), json!("Mira"))]);
        let list = read("{\"list\":[{\"a\":\"1\"},{\"a\":\"2");
        assert_eq!((list.members, list.is_open), (vec![("list".to_owned(), json!([{"a": "1"}]))], true));
        assert_eq!(open("{\"n\": 12"), vec![], "more digits may follow");
    }

    fn text() -> impl Strategy<Value = String> {
        "[ a-zA-Zäé’“”,.:{}\\[\\]\"\\\\\n「」日本😀'-]{0,24}"
    }

    proptest! {
        /// Of every beginning of a JSON object, what is read is a beginning of what the whole object holds.
        #[test]
        fn every_beginning_is_a_beginning_of_the_whole(
            name in text(), list in prop::collection::vec((text(), text()), 0..4), last in text(), pretty: bool,
        ) {
            let list: Vec<Value> = list.into_iter().map(|(user, oc)| json!({"user": user, "oc": oc})).collect();
            let mut object = Map::new();
            object.insert("name".into(), json!(name));
            object.insert("lines".into(), json!(list));
            object.insert("zlast".into(), json!(last));
            let text = if pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) }.unwrap();
            prop_assert_eq!(whole(&text), Some(object));
            let end = text.chars().count();
            let all = read(&text);
            prop_assert!(all.is_whole || all.members.len() == 3);
            for cut in 0..end {
                let beginning: String = text.chars().take(cut).collect();
                let so_far = read(&beginning);
                prop_assert!(!so_far.is_whole || all.is_whole, "{}", beginning);
                prop_assert!(so_far.members.len() <= 3);
            }
        }

        /// Where texts hold no quotes of their own, what was shown never changes: fields only grow.
        #[test]
        fn what_was_shown_stays(values in prop::collection::vec("[ a-zäé’,.:{}\\[\\]日😀'-]{0,16}", 1..6)) {
            let object: Map<String, Value> =
                values.iter().enumerate().map(|(n, v)| (format!("field{n}"), json!(v))).collect();
            let text = serde_json::to_string(&object).unwrap();
            let all = read(&text).members;
            prop_assert_eq!(all.len(), values.len());
            let mut shown = 0;
            for cut in 0..=text.chars().count() {
                let beginning: String = text.chars().take(cut).collect();
                let now = read(&beginning).members;
                prop_assert!(now.len() >= shown);
                prop_assert_eq!(&now[..], &all[..now.len()]);
                shown = now.len();
            }
        }

        /// Nothing that a model writes ends the reader.
        #[test]
        fn no_text_is_too_odd(text in "\\PC{0,80}") {
            let _ = (read(&text), whole(&text));
        }
    }
}
