//! JSON as other programs write it: half an emoji as an escape (`"\ud83d"`), which JavaScript writes when a text is cut
//! inside one, is refused by strict readers and no reason to lose the rest.

use serde::de::DeserializeOwned;
use std::borrow::Cow;

/// Reads JSON; where the strict reader refuses it, once more with halves of surrogate pairs replaced by U+FFFD.
///
/// # Errors
/// What the strict reader said about the text as it came.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text).or_else(|refused| match mended(text) {
        Cow::Borrowed(_) => Err(refused),
        Cow::Owned(text) => serde_json::from_str(&text).map_err(|_| refused),
    })
}

/// The text with every escape of half a surrogate pair replaced by the one of U+FFFD; two halves in their order stay.
#[must_use]
pub fn mended(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    // What stands before this place is in `out`.
    let mut copied = 0;
    // Past this place escapes are looked for: the sign after a backslash is no beginning of another escape.
    let mut free = 0;
    for (at, _) in text.match_indices('\\') {
        if at < free {
            continue;
        }
        free = at + 2;
        let Some(unit) = unit_at(text, at) else { continue };
        free = at + 6;
        let is_pair =
            (0xd800..0xdc00).contains(&unit) && unit_at(text, free).is_some_and(|low| (0xdc00..0xe000).contains(&low));
        if is_pair {
            free += 6;
        } else if (0xd800..0xe000).contains(&unit) {
            out.push_str(text.get(copied..at).unwrap_or_default());
            out.push_str("\\ufffd");
            copied = at + 6;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// The UTF-16 unit of an escape `\uXXXX` that begins there.
fn unit_at(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..)?.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn half_an_emoji_is_one_sign_that_cannot_be_read() {
        for (text, expected) in [
            (r#""Good \ud83d evening""#, "Good \u{fffd} evening"),
            (r#""\ude0a\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\ude0a \uD83D\uDE0A""#, "😊 😊"),
            (r#""\ud83d\ud83d\ude0a""#, "\u{fffd}😊"),
            (r#""\\ud83d""#, r"\ud83d"),
            (r#""\\\ud83d""#, "\\\u{fffd}"),
            (r#""\ud83d\\ude0a""#, "\u{fffd}\\ude0a"),
        ] {
            assert_eq!(from_str::<Value>(text).unwrap(), Value::from(expected), "{text}");
        }
        for broken in [r#""\ud83""#, r#""\ud83"#, r#"{"a":"\ud83d""#, r#""\q\ud83d""#, "\\", "\\ud83d"] {
            assert!(from_str::<Value>(broken).is_err(), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn what_was_readable_stays_as_it_was(text in ".{0,80}") {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(from_str::<String>(&json).unwrap(), text);
            prop_assert!(matches!(mended(&json), Cow::Borrowed(_)));
        }

        #[test]
        fn every_text_of_units_is_read(units in proptest::collection::vec(any::<u16>(), 0..40)) {
            let json: String = units.iter().map(|u| format!("\\u{u:04x}")).collect();
            prop_assert_eq!(from_str::<String>(&format!("\"{json}\"")).unwrap(), String::from_utf16_lossy(&units));
        }
    }
}
