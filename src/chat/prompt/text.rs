//! What prompts do to text: names filled in, actions taken out, cut at sentences.

/// Fills in the two names that cards leave open.
#[must_use]
pub fn fill(text: &str, character: &str, person: &str) -> String {
    let mut out = text.to_owned();
    for (wanted, name) in [
        ("{{char}}", character),
        ("{{Char}}", character),
        ("{{user}}", person),
        ("{{User}}", person),
        ("<BOT>", character),
        ("<USER>", person),
    ] {
        if out.contains(wanted) {
            out = out.replace(wanted, name);
        }
    }
    out
}

/// What a character says, on one line, without what it does: a small model that is shown `*She turns.*` goes on in the third
/// person, and ends a reply with a new line. A line that is nothing but actions keeps them.
pub(super) fn spoken(text: &str) -> String {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = words(&text.replace("**", "").split('*').step_by(2).collect::<Vec<_>>().join(" "));
    if said.is_empty() { words(text) } else { said }
}

pub(super) fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// The first `most` sentences of a line.
pub(super) fn first_sentences(text: &str, most: usize) -> String {
    let mut ends = text.match_indices(['.', '!', '?', '…']).filter_map(|(at, mark)| {
        let after = text.get(at + mark.len()..)?;
        let closing: usize = after.chars().take_while(|c| matches!(c, '"' | '”' | '*' | ')')).map(char::len_utf8).sum();
        let end = at + mark.len() + closing;
        text.get(end..).filter(|rest| rest.is_empty() || rest.starts_with(' ')).map(|_| end)
    });
    match ends.nth(most.saturating_sub(1)).and_then(|end| text.get(..end)) {
        Some(whole) => whole.to_owned(),
        None => text.to_owned(),
    }
}

/// The first whole sentences of a text, at most `max` characters; a longer first sentence is cut at a word.
pub(super) fn sentences(text: &str, max: usize) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= max {
        return text;
    }
    let cut: String = text.chars().take(max).collect();
    let end = cut
        .rmatch_indices(['.', '!', '?'])
        .map(|(at, mark)| at + mark.len())
        .find(|at| cut.get(*at..).is_some_and(|rest| rest.is_empty() || rest.starts_with(' ')));
    match end.and_then(|at| cut.get(..at)) {
        Some(whole) => whole.to_owned(),
        None => cut.rsplit_once(' ').map_or_else(|| cut.clone(), |(words, _)| format!("{words}.")),
    }
}

/// A reply as it is kept: without blanks around it; when it was cut by its length, without the sentence begun last.
/// `kept` is how many bytes of it were there before and stay in any case.
#[must_use]
pub fn finished(text: &str, kept: usize, was_cut: bool) -> String {
    let text = text.trim_end();
    let mut out = text.to_owned();
    if was_cut {
        let end = text.char_indices().rev().find_map(|(at, c)| {
            if !matches!(c, '.' | '!' | '?' | '…' | '。' | '！' | '？') {
                return None;
            }
            let after = text.get(at + c.len_utf8()..).unwrap_or_default();
            let closing: usize = after
                .chars()
                .take_while(|c| matches!(c, '"' | '”' | '’' | '\'' | '*' | ')' | '»'))
                .map(char::len_utf8)
                .sum();
            let rest = after.get(closing..).unwrap_or_default();
            // The point inside "3.14" or "e.g" ends nothing.
            (rest.is_empty() || rest.starts_with(char::is_whitespace)).then_some(at + c.len_utf8() + closing)
        });
        if let Some(whole) = end.filter(|end| *end > kept).and_then(|end| text.get(..end)) {
            out = whole.to_owned();
        }
    }
    if out.matches('*').count() % 2 == 1 && !out.contains("**") {
        out.push('*');
    }
    out
}
