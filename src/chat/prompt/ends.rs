//! How replies end: what a cut one loses, and what is closed in it.
//!
//! A reply that the model ended itself is kept as it is, letter for letter. One that reached its length may lose the
//! sentence begun last, and only where that is little beside the rest: what somebody saw being written does not vanish.

use pulldown_cmark::{Event, Options, Parser, Tag};

/// What is dropped is at most one part in so many of what stays.
const SMALL: usize = 8;
/// Words with a point behind them that end no sentence, in small letters.
const SHORTENED: &[&str] = &[
    "dr", "mr", "mrs", "ms", "st", "sr", "jr", "prof", "rev", "hon", "capt", "lt", "col", "gen", "sgt", "vs", "etc",
    "cf", "approx", "dept", "est", "fig", "no", "nos", "vol", "pp", "ed", "jan", "feb", "mar", "apr", "jun", "jul",
    "aug", "sept", "sep", "oct", "nov", "dec", "mon", "tue", "wed", "thu", "fri", "nr", "bzw", "ca", "str", "usw",
    "vgl", "evtl", "ggf", "hr", "fr", "mme", "mlle", "sra", "srta", "dra", "ud", "uds", "av",
];

/// A reply as it is kept: without blanks at its end; when its length cut it, without a little that was begun last and
/// with an open action closed. `kept` is how many bytes of it were there before and stay in any case.
#[must_use]
pub fn finished(text: &str, kept: usize, was_cut: bool) -> String {
    let text = text.trim_end();
    if !was_cut {
        return text.to_owned();
    }
    closed(whole(text, kept).unwrap_or(text))
}

/// A cut reply as it goes on: an action that [`finished`] closed in the middle is open again.
#[must_use]
pub fn reopened(text: &str) -> &str {
    match text.strip_suffix('*') {
        Some(open) if !ends_whole(open) && closed(open) == text => open,
        _ => text,
    }
}

/// A cut text without the sentence or line begun last; `None` if it may not be dropped.
fn whole(text: &str, kept: usize) -> Option<&str> {
    if ends_whole(text) || is_in_code(text) || closed(text).len() > text.len() {
        return None;
    }
    let begin = text.rfind('\n').map_or(0, |at| at + 1);
    let (before, line) = (text.get(..begin)?, text.get(begin..)?);
    // An entry of a list or a line of verse may be whole without a point, and a half quotation reads worse than a half
    // sentence.
    if is_entry(line) || has_open_quote(line) {
        return None;
    }
    let end = match last_end(line) {
        Some(end) => begin + end,
        // Where every line ends with a point, one without has only begun.
        None if !before.trim().is_empty() && before.lines().filter(|l| !l.trim().is_empty()).all(ends_whole) => {
            before.trim_end().len()
        }
        None => return None,
    };
    let (stays, goes) = text.split_at_checked(end)?;
    let little = goes.trim().chars().count().saturating_mul(SMALL) <= stays.chars().count();
    (end >= kept && little).then_some(stays)
}

/// Where the last whole sentence of a line ends, with the quotation marks behind it.
fn last_end(line: &str) -> Option<usize> {
    line.char_indices().rev().find_map(|(at, stop)| {
        let after = line.get(at + stop.len_utf8()..)?;
        let closing: usize = after.chars().take_while(|c| is_closing(*c)).map(char::len_utf8).sum();
        let rest = after.get(closing..)?;
        let is_end = match stop {
            '。' | '！' | '？' | '｡' | '।' | '؟' | '۔' => true,
            '!' | '?' | '…' => rest.starts_with(char::is_whitespace) && !goes_on(rest),
            '.' => rest.starts_with(char::is_whitespace) && !goes_on(rest) && !is_shortened(line.get(..at)?),
            _ => false,
        };
        is_end.then_some(at + stop.len_utf8() + closing)
    })
}

/// Whether a text ends with a sentence.
fn ends_whole(text: &str) -> bool {
    let bare = text.trim_end().trim_end_matches(is_closing);
    match bare.chars().next_back() {
        Some('.') => bare.get(..bare.len() - 1).is_some_and(|before| !is_shortened(before)),
        Some(last) => matches!(last, '!' | '?' | '…' | '。' | '！' | '？' | '｡' | '।' | '؟' | '۔'),
        None => false,
    }
}

/// Whether the next word begins small, so that a point before it ended nothing.
fn goes_on(rest: &str) -> bool {
    rest.trim_start().chars().next().is_some_and(char::is_lowercase)
}

/// Whether a point after this text belongs to its last word: `Dr`, `a.m`, `e.g`, an initial, the number of an entry.
fn is_shortened(before: &str) -> bool {
    let start = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let word = before.get(start..).unwrap_or_default().trim_start_matches(|c: char| !c.is_alphanumeric());
    let is_first = before.get(..start).is_none_or(|b| b.trim().is_empty());
    word.contains('.')
        || (word.chars().count() == 1 && word != "I" && word.chars().all(char::is_alphabetic))
        || (is_first && !word.is_empty() && word.chars().all(|c| c.is_ascii_digit()))
        || SHORTENED.contains(&word.to_lowercase().as_str())
}

/// Marks that may stand behind the end of a sentence.
const fn is_closing(c: char) -> bool {
    matches!(c, '"' | '”' | '’' | '\'' | '*' | '_' | ')' | ']' | '»' | '«' | '“' | '」' | '』' | '）')
}

/// Whether a line is an entry of a list, a quotation, a heading, a table or a rule.
fn is_entry(line: &str) -> bool {
    let line = line.trim_start();
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    line.starts_with(['-', '+', '•', '>', '#', '|', '–', '—'])
        || line.starts_with("* ")
        || (number.len() < line.len() && number.starts_with(['.', ')']))
}

/// Whether a quotation is begun in a line and not ended.
fn has_open_quote(line: &str) -> bool {
    let count = |c: char| line.matches(c).count();
    count('"') % 2 == 1 || count('“') > count('”') || count('«') > count('»') || count('「') > count('」')
}

/// Whether the end of a text stands in a block of code.
fn is_in_code(text: &str) -> bool {
    let marked = format!("{text}x");
    Parser::new_ext(&marked, Options::empty())
        .into_offset_iter()
        .any(|(event, range)| matches!(event, Event::Start(Tag::CodeBlock(_))) && range.end >= marked.len())
}

/// A text with a star behind it, if that ends an action that is open at its end as Markdown reads it: bullets, sums,
/// code and footnotes open none.
fn closed(text: &str) -> String {
    let longer = format!("{text}*");
    let is_open = Parser::new_ext(&longer, Options::empty()).into_offset_iter().any(|(event, range)| {
        let before = longer.get(..range.start).unwrap_or_default();
        // Code that was begun and not ended is no code to Markdown yet, but the person reads it as such.
        let is_code = before.rsplit('\n').next().is_some_and(|line| line.matches('`').count() % 2 == 1);
        matches!(event, Event::Start(Tag::Emphasis))
            && range.end == longer.len()
            && !is_code
            && before.chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '*')
    });
    if is_open { longer } else { text.to_owned() }
}

#[cfg(test)]
mod unit {
    use super::*;
    use proptest::prelude::*;

    fn cut(text: &str) -> String {
        finished(text, 0, true)
    }

    #[test]
    fn whole_replies_stay_as_they_are() {
        for text in [
            "*She nods",
            "Here you are.\n\n```c\nint *lamp;\n```",
            "* a storm\n* a calm\n* a tide",
            "5 * 3 is 15",
            "One. Two",
            "A lamp*\n\n*not lit",
        ] {
            assert_eq!(finished(text, 0, false), text);
        }
        assert_eq!(finished("One. Two \n", 0, false), "One. Two");
    }

    #[test]
    fn lists_verse_and_code_lose_nothing() {
        let song = (1..=40).map(|i| format!("{i} lamps along the harbour wall")).collect::<Vec<_>>().join("\n");
        let jars = (1..=30).map(|i| format!("- jar {i} holds a storm")).collect::<Vec<_>>().join("\n");
        let steps = (1..=30).map(|i| format!("{i}. Turn the jar. Wait and")).collect::<Vec<_>>().join("\n");
        let code = "let lamp = 1; // Lit. Never\n".repeat(30);
        for text in [
            format!("Here is the song you asked for.\n\n{song}"),
            format!("Sure. Here is my list:\n\n{jars}"),
            format!("Sure.\n\n{steps}"),
            format!("Sure. Here it is.\n\n```rust\n{code}let wall"),
            "Dr. Harrow keeps the lamps in the old tower and counts each ship".into(),
            "她抬起头。\n\n“晚上好，”她说，“请进。外面下着雨，那个来自南方，还有一个".into(),
            "no end in sight".into(),
        ] {
            assert_eq!(cut(&text), text);
        }
    }

    #[test]
    fn only_a_little_is_dropped_and_only_after_a_sentence() {
        let long = "The lamp at Harrow Point turns all night and nobody has ever seen who turns it.";
        assert_eq!(cut(&format!("{long} And th")), long);
        assert_eq!(cut(&format!("{long}\n\nAnd th")), long);
        assert_eq!(cut(&format!("“{long}” And th")), format!("“{long}”"));
        let short = "One. Two and three and four and";
        assert_eq!(cut(short), short);
        for open in [
            "We met at 3 a.m. Then",
            "Ask for Dr. Harrow",
            "It costs 3.5 co",
            "Take a lamp, e.g. mine",
            "He said “Wait. I",
        ] {
            let text = format!("{long} {open}");
            assert!(cut(&text) == text || cut(&text) == long, "{}", cut(&text));
        }
        assert_eq!(cut(&format!("{} 我", "她抬起头看着外面的雨。".repeat(9))), "她抬起头看着外面的雨。".repeat(9));
        assert_eq!(finished(&format!("{long} And th"), long.len() + 4, true), format!("{long} And th"), "it was there");
    }

    #[test]
    fn an_open_action_is_closed_and_opened_again_to_go_on() {
        let first = cut("*She looks out at the sea. The gulls are");
        assert_eq!(first, "*She looks out at the sea. The gulls are*");
        let open = reopened(&first);
        assert_eq!(open, "*She looks out at the sea. The gulls are");
        let second = format!("{open} loud.*");
        assert_eq!(finished(&second, open.len(), false), "*She looks out at the sea. The gulls are loud.*");
        assert_eq!(cut("Hm. *She tu"), "Hm. *She tu*");
        for text in [
            "* a storm\n* a ti",
            "**Mind: the st",
            "5 * 3 and 2*3 and",
            "`int *la",
            "*She waits.*",
            "*She waits.* Then",
            "f**k it",
        ] {
            assert_eq!(closed(text), text);
        }
        for whole in ["*She waits.*", "No star", "2 * 3*", "She *waits.*"] {
            assert_eq!(reopened(whole), whole);
        }
    }

    fn piece() -> impl Strategy<Value = String> {
        let pieces = [
            "She waits. ",
            "Dr. ",
            "a.m. ",
            "*She nods* ",
            "*",
            "**",
            "`",
            "```\n",
            "\n",
            "\n\n",
            "- a jar\n",
            "* a jar\n",
            "1. ",
            "雨だ。",
            "“",
            "”",
            "word ",
            "No! ",
            "e.g. ",
            "5 * 3 ",
            "> ",
            "| a | b |\n",
            "é",
            "👋 ",
        ];
        proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..60).prop_map(|p| p.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        /// What was written stays: whole replies letter for letter, cut ones but for a small end, and one star at most is
        /// added, which going on takes away again.
        #[test]
        fn what_was_written_stays(text in piece(), at in any::<prop::sample::Index>()) {
            let bare = text.trim_end();
            prop_assert_eq!(finished(&text, 0, false), bare);
            let kept = bare.floor_char_boundary(at.index(bare.len() + 1));
            let out = finished(&text, kept, true);
            let stays = if bare.starts_with(&out) { out.as_str() } else { out.strip_suffix('*').unwrap_or_default() };
            prop_assert!(bare.starts_with(stays), "{:?} became {:?}", bare, out);
            prop_assert!(stays.len() >= kept.min(bare.len()));
            let gone = bare.strip_prefix(stays).unwrap_or_default().trim();
            let lost = gone.chars().count();
            prop_assert!(lost * SMALL <= stays.chars().count(), "{} of {:?} lost", lost, bare);
            prop_assert!(!gone.contains('\n'), "more than a line: {:?}", bare);
            prop_assert!(out.starts_with(reopened(&out)) && out.len() - reopened(&out).len() <= 1);
        }
    }
}
