//! What somebody looks for, and the words around it.

use super::{Found, QUERY_MAX, store};
use crate::{
    error::{AppError, AppResult},
    ids::{ConversationId, MessageId},
    server::{
        Ctx,
        limits::{self, Action},
        markdown,
    },
    text::is_refused,
    ui::escape,
};
use unicode_normalization::UnicodeNormalization;

/// Words and phrases that are looked for at most.
const TERMS: usize = 12;
/// Characters of a message that are shown before the first find, and in all.
const BEFORE: usize = 70;
const SHOWN: usize = 220;

/// Finds messages; conversations by name too, on the first page of a search through all of them.
///
/// # Errors
/// `SignInRequired`; `Invalid` at `q` or `after`; `TooMany`; `NotFound` for somebody else's conversation.
pub async fn find(ctx: &Ctx, q: &str, within: &str, after: &str) -> AppResult<Found> {
    let me = ctx.talker()?.id;
    if q.trim().is_empty() {
        return Ok(Found::default());
    }
    limits::take(&ctx.app, Action::Search, &me.to_string()).await?;
    let terms = Terms::read(q)?;
    let wrong = |_| AppError::invalid("after", "This is not a place in the list.");
    let before = if after.is_empty() { None } else { Some(after.parse::<MessageId>().map_err(wrong)?) };
    let within = match within.trim() {
        "" => None,
        id => Some(id.parse::<ConversationId>().map_err(|_| AppError::NotFound)?),
    };
    if terms.is_empty() {
        return Ok(Found::default());
    }
    let mut tx = ctx.begin().await?;
    if let Some(conversation) = within {
        crate::chat::store::conversation_of(&mut tx, conversation).await?;
    }
    let (hits, next) = store::search(&mut tx, &terms, within, before).await?;
    let conversations = match (within, before) {
        (None, None) => store::conversations_called(&mut tx, me, q.trim()).await?,
        _ => Vec::new(),
    };
    Ok(Found { conversations, hits, next, corrected: String::new() })
}

/// As [`find`]; where nothing is found on the first page, words that nobody said are replaced by the nearest ones that were.
///
/// # Errors
/// As [`find`].
pub async fn find_or_nearest(ctx: &Ctx, q: &str, within: &str, after: &str) -> AppResult<Found> {
    let found = find(ctx, q, within, after).await?;
    if !after.is_empty() || !found.hits.is_empty() || !found.conversations.is_empty() {
        return Ok(found);
    }
    let Some(me) = ctx.info.viewer.as_ref().map(|v| v.id) else { return Ok(found) };
    let terms = Terms::read(q)?;
    let mut changed = false;
    let mut words = Vec::with_capacity(terms.words.len());
    let mut tx = ctx.begin().await?;
    for word in &terms.words {
        let wanted: Vec<char> = word.chars().flat_map(fold).collect();
        let (length, most) = (wanted.len(), reach(wanted.len()));
        if most == 0 || wanted.iter().any(|c| !c.is_alphanumeric() || stands_alone(*c)) {
            words.push(word.clone());
            continue;
        }
        let said = store::words_said(&mut tx, me, length - most, length + most).await?;
        let is_near = |said: &String| {
            let near = distance(&wanted, &said.chars().collect::<Vec<_>>());
            (near <= most).then_some(near)
        };
        // As often said words come first, the first of the nearest is the one that is meant.
        let nearest = said.iter().filter_map(|s| is_near(s).map(|near| (near, s))).min_by_key(|(near, _)| *near);
        changed |= nearest.is_some_and(|(near, _)| near > 0);
        words.push(nearest.map_or_else(|| word.clone(), |(_, said)| said.clone()));
    }
    drop(tx);
    if !changed {
        return Ok(found);
    }
    words.extend(terms.phrases.iter().map(|p| format!("\"{p}\"")));
    let corrected = words.join(" ");
    let nearest = find(ctx, &corrected, within, "").await?;
    Ok(if nearest.hits.is_empty() { found } else { Found { corrected, ..nearest } })
}

/// How many letters of a word may be wrong: in a short one each of them makes another word.
const fn reach(length: usize) -> usize {
    match length {
        0..4 => 0,
        4..8 => 1,
        _ => 2,
    }
}

/// Letters that have to be put in, left out, changed, or swapped with their neighbour to make one word of the other
/// (Damerau and Levenshtein, in the form of the optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    let mut last = None;
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let mut least = (at(&row, j) + usize::from(x != y)).min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            let left = j.checked_sub(1);
            if let (Some(w), Some(left)) = (last, left)
                && b.get(left) == Some(x)
                && w == *y
            {
                least = least.min(at(&before, left) + 1);
            }
            next.push(least);
        }
        (before, row, last) = (row, next, Some(*x));
    }
    row.last().copied().unwrap_or(0)
}

/// What somebody typed, taken apart: words, "phrases", and those of either whose script has no blanks between words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Words, or beginnings of words.
    pub words: Vec<String>,
    /// What stood between quotation marks.
    pub phrases: Vec<String>,
    /// Those whose letters must stand together, since each is indexed alone.
    pub exact: Vec<String>,
}

impl Terms {
    /// Reads a query. Signs alone find nothing.
    ///
    /// # Errors
    /// `Invalid` at `q` when it is too long.
    pub fn read(q: &str) -> AppResult<Self> {
        if q.chars().count() > QUERY_MAX {
            return Err(AppError::invalid("q", format!("This is too long: the limit is {QUERY_MAX} characters.")));
        }
        let clean: String = q.nfc().filter(|c| !is_refused(*c)).collect();
        let mut terms = Self::default();
        // Every second piece stands between marks; a mark that was not closed ends with the query.
        for (i, piece) in clean.split(['"', '“', '”', '„']).enumerate() {
            if i % 2 == 1 && tokens(piece).len() > 1 {
                terms.phrases.push(piece.trim().to_owned());
            } else {
                terms.words.extend(piece.split_whitespace().filter(|w| !tokens(w).is_empty()).map(str::to_owned));
            }
        }
        terms.words.truncate(TERMS);
        terms.phrases.truncate(TERMS);
        terms.exact =
            terms.words.iter().chain(&terms.phrases).filter(|t| t.chars().any(stands_alone)).cloned().collect();
        Ok(terms)
    }

    /// Nothing that could be found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && self.phrases.is_empty()
    }

    /// The part of a message around the first find, every find marked.
    #[must_use]
    pub fn snippet(&self, content: &str) -> String {
        let text: Vec<char> = markdown::plain(content, usize::MAX).chars().collect();
        let marks = self.marks(&text);
        let first = marks.iter().position(|m| *m).unwrap_or(0);
        let mut start = first.saturating_sub(BEFORE);
        // Not in the middle of a word, if one begins soon.
        if start > 0 {
            let blank = text.iter().skip(start).take(20).position(|c| c.is_whitespace());
            start += blank.map_or(0, |b| b + 1);
        }
        let end = (start + SHOWN).min(text.len());
        let mut html = String::from(if start > 0 { "…" } else { "" });
        let mut piece = String::new();
        let mut inside = false;
        let shown = text.iter().zip(&marks).skip(start).take(end - start);
        for (c, mark) in shown {
            if *mark != inside {
                html.push_str(&escape(&piece));
                html.push_str(if *mark { "<mark>" } else { "</mark>" });
                piece.clear();
                inside = *mark;
            }
            piece.push(*c);
        }
        html.push_str(&escape(&piece));
        if inside {
            html.push_str("</mark>");
        }
        if end < text.len() {
            html.push('…');
        }
        html
    }

    /// Which characters belong to a find.
    fn marks(&self, text: &[char]) -> Vec<bool> {
        // The folded text, and for each of its characters the one it came from.
        let folded: Vec<(char, usize)> =
            text.iter().enumerate().flat_map(|(i, c)| fold(*c).into_iter().map(move |f| (f, i))).collect();
        let mut marks = vec![false; text.len()];
        let needles = self.words.iter().chain(&self.phrases).flat_map(|t| {
            if t.chars().any(stands_alone) { vec![t.chars().flat_map(fold).collect()] } else { tokens(t) }
        });
        for needle in needles {
            let needle: Vec<char> = needle;
            for (at, window) in folded.windows(needle.len().max(1)).enumerate() {
                let is_same = window.iter().map(|(c, _)| c).eq(needle.iter());
                let is_letter = |place: Option<usize>| {
                    place.and_then(|p| folded.get(p)).is_some_and(|(c, _)| c.is_alphanumeric() && !stands_alone(*c))
                };
                let is_whole = needle.first().is_some_and(|c| stands_alone(*c))
                    || (!is_letter(at.checked_sub(1)) && (needle.len() > 2 || !is_letter(Some(at + needle.len()))));
                if is_same && is_whole {
                    for (_, from) in window {
                        if let Some(mark) = marks.get_mut(*from) {
                            *mark = true;
                        }
                    }
                }
            }
        }
        marks
    }
}

/// A character as the index knows it: small, without accents. The same rule stands in the database (`app.search_fold`).
fn fold(c: char) -> Vec<char> {
    let parts = c.to_lowercase().nfd().filter(|c| !matches!(c, '\u{300}'..='\u{36f}'));
    parts.nfc().collect()
}

/// The words of a text as the index knows them.
fn tokens(text: &str) -> Vec<Vec<char>> {
    let folded: Vec<char> = text.chars().flat_map(fold).collect();
    folded.split(|c| !c.is_alphanumeric()).filter(|t| !t.is_empty()).map(<[char]>::to_vec).collect()
}

/// Letters of scripts that are written without blanks.
const fn stands_alone(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn terms(q: &str) -> Terms {
        Terms::read(q).unwrap()
    }

    #[test]
    fn queries_are_taken_apart() {
        let read = terms("lamp  \"the glass storm\" 日本語 -- \u{202e}x\u{0}");
        assert_eq!(read.words, ["lamp", "日本語", "x"]);
        assert_eq!(read.phrases, ["the glass storm"]);
        assert_eq!(read.exact, ["日本語"]);
        assert_eq!(terms("\"lamp\"").words, ["lamp"], "one word needs no marks");
        assert_eq!(terms("open \"never closed here").phrases, ["never closed here"]);
        assert!(terms(" \"\" -- ...").is_empty());
        assert_eq!(Terms::read(&"x".repeat(201)).unwrap_err().field(), "q");
    }

    #[test]
    fn words_are_near_by_what_fingers_do() {
        for (a, b, apart) in [
            ("umbrela", "umbrella", 1),
            ("ubmrella", "umbrella", 1),
            ("umbrella", "umbrella", 0),
            ("umbrelka", "umbrella", 1),
            ("harbor", "harbour", 1),
            ("lamp", "", 4),
            ("", "lamp", 4),
            ("kitten", "sitting", 3),
        ] {
            let letters = |word: &str| word.chars().collect::<Vec<_>>();
            assert_eq!(distance(&letters(a), &letters(b)), apart, "{a} {b}");
            assert_eq!(distance(&letters(b), &letters(a)), apart, "{b} {a}");
        }
        assert_eq!([3, 4, 7, 8].map(reach), [0, 1, 1, 2]);
    }

    #[test]
    fn finds_are_marked() {
        assert_eq!(terms("cafe").snippet("In the *Café* by the sea"), "In the <mark>Café</mark> by the sea");
        assert_eq!(terms("LAMP").snippet("lamps and a clamp"), "<mark>lamp</mark>s and a clamp");
        assert_eq!(terms("a").snippet("a cat"), "<mark>a</mark> cat");
        assert_eq!(terms("本語").snippet("これは日本語です"), "これは日<mark>本語</mark>です");
        assert_eq!(
            terms("script").snippet("<script>&</script>"),
            "&lt;<mark>script</mark>&gt;&amp;&lt;/<mark>script</mark>&gt;"
        );
        let long = format!("{} needle {}", "word ".repeat(100), "tail ".repeat(100));
        let found = terms("needle").snippet(&long);
        assert!(
            found.starts_with("…word ") && found.contains("<mark>needle</mark>") && found.ends_with('…'),
            "{found}"
        );
        assert!(found.chars().count() < 260);
        // Nothing to mark (the words were in what is not shown): the beginning.
        assert!(terms("zzz").snippet(&long).starts_with("word word"));
    }

    proptest! {
        #[test]
        fn snippets_are_safe_and_lose_nothing(q in ".{0,40}", text in ".{0,200}") {
            let Ok(terms) = Terms::read(&q) else { return Ok(()) };
            let html = terms.snippet(&text);
            let bare = html.replace("<mark>", "").replace("</mark>", "");
            prop_assert!(!bare.contains('<') && !bare.contains('>'));
            prop_assert_eq!(html.matches("<mark>").count(), html.matches("</mark>").count());
        }
    }
}
