//! JSON as other programs write it.
//!
//! The standard lets a text be cut inside a character that takes two escapes, and JavaScript does so whenever it cuts one: half an
//! emoji is `"\ud83d"`. Python writes `NaN`, and hand-made servers write line breaks into strings. Other parsers take all of
//! this; here it is made good before the strict parser reads it.

use serde::de::DeserializeOwned;
use std::borrow::Cow;

/// What stands for a value of half a character: `0x100000` more, in the last plane, where nothing is assigned.
const HALF: u32 = 0x0010_0000;

/// Reads JSON. Half characters become U+FFFD, unless the other half follows directly.
///
/// # Errors
/// When it is not JSON even so: what the strict parser said about the text as it came, with the line in which it is wrong.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    parse(text, false)
}

/// Reads JSON that is a piece of a stream: half a character is kept as a sign of its own, for [`Halves`] to join with the
/// other half, which may be in the next piece.
///
/// # Errors
/// As [`read`].
pub fn piece<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    parse(text, true)
}

fn parse<T: DeserializeOwned>(text: &str, keeps_halves: bool) -> Result<T, serde_json::Error> {
    serde_json::from_str(text).or_else(|refused| match mended(text, keeps_halves) {
        Cow::Owned(mended) => serde_json::from_str(&mended).map_err(|_| refused),
        Cow::Borrowed(_) => Err(refused),
    })
}

/// The same JSON as the strict parser takes it.
fn mended(text: &str, keeps_halves: bool) -> Cow<'_, str> {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    let mut is_inside = false;
    let mut is_changed = false;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '"' => {
                is_inside = !is_inside;
                out.push(c);
                rest = after;
            }
            '\\' if is_inside => {
                let (taken, written) = escape(rest, keeps_halves);
                let taken = rest.get(..taken).unwrap_or(rest);
                is_changed |= taken != written;
                out.push_str(&written);
                rest = rest.get(taken.len()..).unwrap_or_default();
            }
            // Line breaks and the like belong into strings as escapes only.
            '\u{0}'..='\u{1f}' if is_inside => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
                is_changed = true;
                rest = after;
            }
            'N' | 'I' | '-' if !is_inside => {
                match ["-Infinity", "Infinity", "NaN"].iter().find(|w| rest.starts_with(**w)) {
                    Some(word) => {
                        out.push_str("null");
                        is_changed = true;
                        rest = rest.get(word.len()..).unwrap_or_default();
                    }
                    None => {
                        out.push(c);
                        rest = after;
                    }
                }
            }
            c => {
                out.push(c);
                rest = after;
            }
        }
    }
    if is_changed { Cow::Owned(out) } else { Cow::Borrowed(text) }
}

/// An escape at the beginning of a text: how many bytes it has, and how it is to be written.
fn escape(text: &str, keeps_halves: bool) -> (usize, Cow<'_, str>) {
    let as_it_is = |length: usize| {
        let length = text.ceil_char_boundary(length.min(text.len()));
        (length, Cow::Borrowed(text.get(..length).unwrap_or(text)))
    };
    let Some(unit) = unit(text) else { return as_it_is(2) };
    match unit {
        0xd800..=0xdbff if text.get(6..).and_then(self::unit).is_some_and(|next| (0xdc00..=0xdfff).contains(&next)) => {
            as_it_is(12)
        }
        0xd800..=0xdfff => {
            let sign = if keeps_halves { char::from_u32(HALF + unit) } else { None };
            (6, Cow::Owned(sign.unwrap_or(char::REPLACEMENT_CHARACTER).to_string()))
        }
        _ => as_it_is(6),
    }
}

/// The number of an escape `\uXXXX` at the beginning of a text.
fn unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

/// Joins halves of characters that came in several pieces.
#[derive(Debug, Default)]
pub struct Halves {
    /// The first half of a character whose second one may follow.
    first: Option<u32>,
}

impl Halves {
    /// Takes a piece; half a character at its end is held back.
    pub fn push(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            let half = u32::from(c).checked_sub(HALF).filter(|unit| (0xd800..=0xdfff).contains(unit));
            match (self.first.take(), half) {
                (Some(first), Some(second @ 0xdc00..=0xdfff)) => {
                    let whole = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                    out.push(char::from_u32(whole).unwrap_or(char::REPLACEMENT_CHARACTER));
                    continue;
                }
                (Some(_), _) => out.push(char::REPLACEMENT_CHARACTER),
                (None, _) => {}
            }
            match half {
                Some(unit @ 0xd800..=0xdbff) => self.first = Some(unit),
                Some(_) => out.push(char::REPLACEMENT_CHARACTER),
                None => out.push(c),
            }
        }
        out
    }

    /// What is left when nothing follows.
    pub fn finish(&mut self) -> &'static str {
        if self.first.take().is_some() { "\u{fffd}" } else { "" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn what_other_parsers_take_is_taken() {
        for (text, value) in [
            (r#"{"a":"Good \ud83d evening"}"#, json!({ "a": "Good \u{fffd} evening" })),
            (r#"{"a":"\ude0a"}"#, json!({ "a": "\u{fffd}" })),
            (r#"{"a":"\ud83d\ude0a","b":"\ud83d"}"#, json!({ "a": "😊", "b": "\u{fffd}" })),
            (r#"["\\ud83d", "\ud83d\\"]"#, json!(["\\ud83d", "\u{fffd}\\"])),
            (
                r#"{"p":NaN,"q":[-Infinity,Infinity,-1],"r":"NaN"}"#,
                json!({ "p": null, "q": [null, null, -1], "r": "NaN" }),
            ),
            ("{\"a\":\"one\ntwo\tthree\"}", json!({ "a": "one\ntwo\tthree" })),
            (r#"{"a":"plain"}"#, json!({ "a": "plain" })),
            (r#""\ude0a\ud83d""#, json!("\u{fffd}\u{fffd}")),
            (r#""\ud83d\ude0a \uD83D\uDE0A""#, json!("😊 😊")),
            (r#""\ud83d\ud83d\ude0a""#, json!("\u{fffd}😊")),
            (r#""\\\ud83d""#, json!("\\\u{fffd}")),
            (r#""\ud83d\\ude0a""#, json!("\u{fffd}\\ude0a")),
        ] {
            assert_eq!(read::<Value>(text).ok(), Some(value), "{text}");
        }
        for text in
            ["", "{", "nonsense", r#"{"a":"\u12"}"#, r#"{"a":"\ud83d}"#, "\"\\", "[1,]", r#""\q\ud83d""#, "\\ud83d"]
        {
            assert!(read::<Value>(text).is_err(), "{text}");
        }
        // What is told is about the text as it came, and not about the one that was made good.
        let text = "{\"a\":NaN,\n\"b\":\"one\ntwo\",\n\"c\":}";
        let (told, strict) = (read::<Value>(text).unwrap_err(), serde_json::from_str::<Value>(text).unwrap_err());
        assert_eq!((told.line(), told.to_string()), (strict.line(), strict.to_string()));
    }

    #[test]
    fn halves_in_two_pieces_are_one_character() {
        let texts: Vec<String> = [r#""\ud83d""#, r#""\ude0a friend \ud83d""#, r#""x\udc00""#, r#""\ud83d""#]
            .iter()
            .map(|t| piece(t).unwrap())
            .collect();
        let mut halves = Halves::default();
        let mut said: String = texts.iter().map(|text| halves.push(text)).collect();
        said.push_str(halves.finish());
        assert_eq!(said, "😊 friend \u{fffd}x\u{fffd}\u{fffd}");
    }

    proptest! {
        #[test]
        fn good_json_stays_as_it_is(text in ".{0,40}", cut in 0_usize..200) {
            let good = serde_json::to_string(&json!({ "a": text })).unwrap();
            prop_assert_eq!(mended(&good, true), Cow::Borrowed(good.as_str()));
            // Whatever is cut off, nothing panics.
            let _ = read::<Value>(good.get(..good.floor_char_boundary(cut)).unwrap());
        }

        #[test]
        fn every_text_of_units_is_read(units in proptest::collection::vec(any::<u16>(), 0..40)) {
            let json: String = units.iter().map(|u| format!("\\u{u:04x}")).collect();
            prop_assert_eq!(read::<String>(&format!("\"{json}\"")).unwrap(), String::from_utf16_lossy(&units));
        }

        #[test]
        fn any_cut_of_utf16_is_joined(text in "[a-z😊🏴é世]{0,12}") {
            let mut halves = Halves::default();
            let mut said = String::new();
            for unit in text.encode_utf16() {
                said.push_str(&halves.push(&piece::<String>(&format!("\"\\u{unit:04x}\"")).unwrap()));
            }
            said.push_str(halves.finish());
            prop_assert_eq!(said, text);
        }
    }
}
