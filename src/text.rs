//! What people may type into a field: one rule for all rooms, the same in the browser and on the server.
//!
//! In a line that names something (a name, a title, an address) characters are refused that nobody types on purpose and
//! that make text lie about itself: control characters, overrides of the direction of writing, invisible fillers. In talk and
//! other long texts they deceive nobody, and they come along with whatever is pasted: there they are taken away, and those
//! stay that some scripts and emoji are written with ([`readable`]). Joiners stay everywhere. Markup is plain text here; it
//! is escaped where it is shown.

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

/// Several lines: with line breaks (kept as `\n`) and tabs, and without what nobody can see ([`readable`]).
///
/// # Errors
/// `Invalid` with the name of the field.
pub fn clean_text(field: &str, value: &str, min: usize, max: usize) -> AppResult<String> {
    let text = normalise(readable(value, None).trim());
    length(field, &text, min, max)?;
    marks(field, &text)?;
    Ok(text)
}

/// Talk as it is kept: every kind of line break as `\n`, and without what nobody can see. The zero width space stays behind a
/// letter of a script that parts its words by it, and the letters of a flag stay behind the flag that they belong to.
///
/// `before` is what the text goes on from, when it comes in pieces: its last character.
#[must_use]
pub fn readable(text: &str, before: Option<char>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut last = before;
    // Letters of a flag that have been kept, from the flag on.
    let mut flag = before.filter(|c| is_tag(*c) || *c == FLAG).map(|_| 1);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let kept = match c {
            '\r' if chars.peek() == Some(&'\n') => None,
            '\r' | '\u{B}' | '\u{C}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
            ZERO_WIDTH_SPACE => {
                (last.is_some_and(parts_by_it) && chars.peek().is_none_or(|n| parts_by_it(*n))).then_some(c)
            }
            c if is_tag(c) => flag.is_some_and(|n| n <= FLAG_LETTERS).then_some(c),
            c => (!is_refused(c)).then_some(c),
        };
        flag = match kept {
            Some(FLAG) => Some(1),
            Some(c) if is_tag(c) => flag.map(|n| n + 1),
            _ => None,
        };
        last = kept.or(last);
        out.extend(kept);
    }
    out
}

/// Parts words in scripts that have no blanks between them.
const ZERO_WIDTH_SPACE: char = '\u{200B}';
/// The flag that letters behind it make one of a country or region.
const FLAG: char = '\u{1F3F4}';
/// Most letters of a flag, with the sign that ends it.
const FLAG_LETTERS: u32 = 7;

/// Letters of flags, and the sign that ends them.
const fn is_tag(c: char) -> bool {
    matches!(c, '\u{E0020}'..='\u{E007F}')
}

/// Thai, Lao, Tibetan, Burmese, Khmer, Tai and their kin.
const fn parts_by_it(c: char) -> bool {
    matches!(c, '\u{0E00}'..='\u{0FFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{1950}'..='\u{19FF}'
        | '\u{1A20}'..='\u{1AAF}' | '\u{A9E0}'..='\u{A9FF}' | '\u{AA60}'..='\u{AADF}')
}

/// Places that cards leave open for the character's name, and for the person's, in small letters.
const OPEN: [(&str, bool); 5] =
    [("{{char}}", true), ("<bot>", true), ("<char>", true), ("{{user}}", false), ("<user>", false)];

/// Fills in the two names that cards leave open, in whatever letters they are asked for.
#[must_use]
pub fn fill(text: &str, character: &str, person: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '<']) {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let is_here =
            |(place, _): &&(&str, bool)| from.get(..place.len()).is_some_and(|start| start.eq_ignore_ascii_case(place));
        let (name, length) = match OPEN.iter().find(is_here) {
            Some((place, is_character)) => (if *is_character { character } else { person }, place.len()),
            None => (from.get(..1).unwrap_or_default(), 1),
        };
        out.push_str(name);
        rest = from.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

fn check(field: &str, text: &str, min: usize, max: usize) -> AppResult<()> {
    length(field, text, min, max)?;
    if let Some(c) = text.chars().find(|c| is_refused(*c)) {
        let message = format!("This contains a hidden character (U+{:04X}). Please type the text again.", u32::from(c));
        return Err(AppError::invalid(field, message));
    }
    marks(field, text)
}

fn length(field: &str, text: &str, min: usize, max: usize) -> AppResult<()> {
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
    Ok(())
}

fn marks(field: &str, text: &str) -> AppResult<()> {
    let mut marks = 0;
    for c in text.chars() {
        marks = if is_mark(c) { marks + 1 } else { 0 };
        if marks > MARKS {
            return Err(AppError::invalid(field, "Too many accents are stacked on one letter here."));
        }
    }
    Ok(())
}

/// Whether a character may not stand in a name; [`readable`] says which of them may stand in talk. Line breaks and tabs are for the caller to judge.
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
            | '\u{FDD0}'..='\u{FDEF}' | '\u{FFF9}'..='\u{FFFC}' | '\u{FFFE}' | '\u{FFFF}' | '\u{E0000}'..='\u{E0FFF}')
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
            let cleaned = clean_text("bio", text, 1, 60).unwrap();
            assert!(!cleaned.chars().any(is_refused), "{text:?} became {cleaned:?}");
        }
        assert!(clean_text("bio", "\u{200B}\u{202E}", 1, 60).is_err(), "nothing is left");
        assert!(clean_line("name", "two\nlines", 1, 60).is_err());
        assert!(clean_line("name", &format!("a{}", "\u{301}".repeat(9)), 1, 60).is_err());
    }

    #[test]
    fn talk_keeps_the_letters_that_people_need() {
        let scotland = "I am from 🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}!";
        for text in ["សួស្តី\u{200B}អ្នក", "สวัสดี\u{200B}ครับ", scotland, "👩‍🚀", "نیم‌فاصله", "a\tb\nc"]
        {
            assert_eq!(clean_text("content", text, 1, 60).unwrap(), text, "{text:?}");
        }
        for (text, clean) in [
            ("pasted from a web\u{200B} page", "pasted from a web page"),
            ("call \u{2068}+49 30\u{2069}", "call +49 30"),
            ("page\u{C}page", "page\npage"),
            ("one\u{2028}two\r\nthree\rfour", "one\ntwo\nthree\nfour"),
            ("hid\u{E0064}\u{E0065}den", "hidden"),
            ("ខ\u{200B} x", "ខ x"),
        ] {
            assert_eq!(clean_text("content", text, 1, 60).unwrap(), clean, "{text:?}");
        }
        let smuggled = format!("🏴{}", "\u{E0061}".repeat(40));
        assert_eq!(clean_text("content", &smuggled, 1, 60).unwrap().chars().count(), 8, "a flag has few letters");
    }

    #[test]
    fn talk_in_pieces_is_cleaned_as_a_whole() {
        for text in ["សួស្តី\u{200B}អ្នក ខ្ញុំ", "from 🏴\u{E0067}\u{E0062}\u{E007F} and a\u{200B}b"]
        {
            let mut out = String::new();
            for c in text.chars() {
                let piece = readable(&c.to_string(), out.chars().next_back());
                out.push_str(&piece);
            }
            assert_eq!(out, readable(text, None), "{text:?}");
        }
    }

    #[test]
    fn names_are_filled_in_where_cards_leave_them_open() {
        for (text, filled) in [
            ("{{char}} and {{User}}, <BOT> and <user>", "Mira and Ada, Mira and Ada"),
            ("{{CHAR}}{{char}}<char>", "MiraMiraMira"),
            ("{{{char}}} {{random}} <b> {", "{Mira} {{random}} <b> {"),
            ("é{{user}}<", "éAda<"),
            ("{{char", "{{char"),
        ] {
            assert_eq!(fill(text, "Mira", "Ada"), filled);
        }
        assert_eq!(fill("{{char}}", "{{user}}", "{{char}}"), "{{user}}", "names are no places");
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
