//! A text that is longer than one message may be, as several messages.

/// The first of the parts that a text is sent in, and the rest. It ends where the text does, or with a paragraph, a line, a sentence or
/// a word, in the second half of what fits; only where there is none of them, after the last character that fits.
#[must_use]
pub fn cut(text: &str, most: usize) -> (&str, &str) {
    let text = text.trim();
    let Some((end, _)) = text.char_indices().nth(most) else { return (text, "") };
    let (fits, _) = text.split_at(end);
    let middle = fits.char_indices().nth(most / 2).map_or(0, |(at, _)| at);
    let after = |mark: &str| fits.rfind(mark).map(|at| at + mark.len()).filter(|at| *at >= middle);
    let sentence = || [". ", "! ", "? ", "… ", "。", "！", "？"].into_iter().filter_map(after).max();
    let at = after("\n\n").or_else(|| after("\n")).or_else(sentence).or_else(|| after(" ")).unwrap_or(end);
    let (part, rest) = text.split_at(at);
    (part.trim_end(), rest.trim_start())
}

/// In how many messages a text is sent; 0 for nothing.
#[must_use]
pub fn parts(text: &str, most: usize) -> usize {
    let (mut rest, mut parts) = (text.trim(), 0);
    while !rest.is_empty() {
        rest = cut(rest, most).1;
        parts += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, most: usize) -> Vec<&str> {
        let (mut rest, mut all) = (text, vec![]);
        loop {
            let (part, next) = cut(rest, most);
            all.push(part);
            if next.is_empty() {
                assert_eq!(all.len(), parts(text, most));
                return all;
            }
            rest = next;
        }
    }

    #[test]
    fn a_text_is_cut_where_it_pauses() {
        assert_eq!(all("One two three.", 20), ["One two three."]);
        assert_eq!(all("First here.\n\nSecond. Third one.", 20), ["First here.", "Second. Third one."]);
        assert_eq!(all("Line one is\nhere and goes on", 20), ["Line one is", "here and goes on"]);
        assert_eq!(all("It rains today. Tomorrow it snows.", 20), ["It rains today.", "Tomorrow it snows."]);
        assert_eq!(all("words that go on without any end", 12), ["words that", "go on", "without any", "end"]);
        assert_eq!(all(&"ж".repeat(25), 10), ["ж".repeat(10), "ж".repeat(10), "ж".repeat(5)]);
        assert_eq!((parts("", 10), parts("  \n", 10)), (0, 0));
    }

    #[test]
    fn nothing_is_lost_and_every_part_fits() {
        let text = "Some words, then more. And a line\nor two\n\n".repeat(40);
        for most in [7, 16, 100, 333] {
            let parts = all(text.trim(), most);
            assert!(parts.iter().all(|p| !p.is_empty() && p.chars().count() <= most), "{most}");
            let words = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(parts.iter().map(|p| words(p)).collect::<String>(), words(&text), "{most}");
        }
    }
}
