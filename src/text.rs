//! What people may type into a field: one rule for all rooms, the same in the browser and on the server.
//!
//! Refused are characters that nobody types on purpose and that make text lie about itself: control characters, overrides
//! of the direction of writing, invisible fillers. Joiners stay, since emoji and several scripts need them. Markup is
//! plain text here; it is escaped where it is shown.

use crate::error::{AppError, AppResult};

/// Most combining marks on one letter; more of them paint over the neighbouring lines.
const MARKS: u32 = 6;

/// One line: trimmed, normalised (NFC, on the server), `min` to `max` characters long.
///
/// # Errors
/// `Invalid` with the name of the field.
pub fn clean_line(field: &str, value: &str, min: usize, max: usize) -> AppResult<String> {
    let text = normalise(value.trim());
    if text.contains(['\n', '\r', '\u{2028}', '\u{2029}']) {
        return Err(AppError::invalid(field, "Please write this in one line."));
    }
    check(field, &text, min, max)?;
    Ok(text)
}

/// Several lines: as [`clean_line`], with line breaks (kept as `\n`) and tabs.
///
/// # Errors
/// `Invalid` with the name of the field.
pub fn clean_text(field: &str, value: &str, min: usize, max: usize) -> AppResult<String> {
    let lines = value.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}'], "\n");
    let text = normalise(lines.trim());
    check(field, &text, min, max)?;
    Ok(text)
}

fn check(field: &str, text: &str, min: usize, max: usize) -> AppResult<()> {
    let length = text.chars().count();
    let visible = text.chars().filter(|c| !is_blank(*c)).count();
    if min > 0 && visible == 0 {
        return Err(AppError::invalid(field, "Please fill this in."));
    }
    if length < min {
        return Err(AppError::invalid(field, format!("This is too short: at least {min} characters, please.")));
    }
    if length > max {
        return Err(AppError::invalid(
            field,
            format!("This is too long: {length} characters, and the limit is {max}."),
        ));
    }
    if let Some(c) = text.chars().find(|c| is_refused(*c)) {
        let message = format!("This contains a hidden character (U+{:04X}). Please type the text again.", u32::from(c));
        return Err(AppError::invalid(field, message));
    }
    let mut marks = 0;
    for c in text.chars() {
        marks = if is_mark(c) { marks + 1 } else { 0 };
        if marks > MARKS {
            return Err(AppError::invalid(field, "Too many accents are stacked on one letter here."));
        }
    }
    Ok(())
}

/// Whether a character may not stand in any text. Line breaks and tabs are for the caller to judge.
#[must_use]
pub fn is_refused(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c,
            // Overrides, embeddings and isolates of the direction of writing.
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
            // Invisible: zero width space, word joiner and its kin, byte order mark, deprecated format characters.
            | '\u{200B}' | '\u{2060}'..='\u{2064}' | '\u{206A}'..='\u{206F}' | '\u{FEFF}' | '\u{180E}'
            // Fillers that pass as letters and show nothing.
            | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{3164}' | '\u{FFA0}'
            // Annotations, objects, tags (text that only a machine sees), non-characters.
            | '\u{FFF9}'..='\u{FFFC}' | '\u{FFFE}' | '\u{FFFF}' | '\u{E0000}'..='\u{E0FFF}')
}

fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || is_mark(c)
        || matches!(c, '\u{200C}'..='\u{200F}' | '\u{FE00}'..='\u{FE0F}' | '\u{2800}' | '\u{00AD}')
}

const fn is_mark(c: char) -> bool {
    matches!(c, '\u{0300}'..='\u{036F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}' | '\u{20D0}'..='\u{20FF}')
}

/// NFC, so that a letter typed in two ways is the same letter in the database.
#[cfg(feature = "ssr")]
fn normalise(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    text.nfc().collect()
}

/// The browser leaves normalising to the server; its tables would cost every visitor their weight.
#[cfg(not(feature = "ssr"))]
fn normalise(text: &str) -> String {
    text.to_owned()
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_people_write() {
        for text in ["Zoë", "सूर्य", "עברית", "👩‍🚀 Lyra", "<script>alert(1)</script>", "a' or 1=1 --", "نیم‌فاصله"]
        {
            assert_eq!(clean_line("name", text, 1, 60).unwrap(), text);
        }
        assert_eq!(clean_line("name", "  Zoe\u{308} ", 1, 60).unwrap(), "Zoë");
        assert_eq!(clean_text("bio", "one\r\ntwo\tthree\n", 0, 60).unwrap(), "one\ntwo\tthree");
    }

    #[test]
    fn refuses_what_lies_about_itself() {
        for text in [
            "a\u{0}b",
            "a\u{7}b",
            "a\u{202E}b",
            "a\u{2067}b",
            "a\u{200B}b",
            "\u{3164}x",
            "a\u{E0041}",
            "a\u{9b}b",
            "a\tb\u{1b}[0m",
        ] {
            assert_eq!(clean_line("name", text, 1, 60).unwrap_err().field(), "name", "{text:?}");
            assert!(clean_text("name", text, 1, 60).is_err(), "{text:?}");
        }
        assert!(clean_line("name", "two\nlines", 1, 60).is_err());
        assert!(clean_line("name", &format!("a{}", "\u{301}".repeat(9)), 1, 60).is_err());
    }

    #[test]
    fn counts_characters_that_show() {
        assert!(clean_line("name", " \u{200D}\u{200D} ", 1, 60).is_err());
        assert!(clean_line("name", "", 1, 60).is_err());
        assert_eq!(clean_line("name", "", 0, 60).unwrap(), "");
        assert!(clean_line("name", &"ä".repeat(60), 1, 60).is_ok());
        assert!(clean_line("name", &"ä".repeat(61), 1, 60).is_err());
    }
}
