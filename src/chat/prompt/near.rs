//! Which examples are nearest to what the person says now: a small model answers by the pattern that it was shown last.

use std::collections::HashSet;

/// Words by which one sees what kind of line it is. A line may be of several kinds.
const KINDS: [&[&str]; 9] = [
    &["hello", "hi", "hey", "morning", "evening", "meet", "again", "back"],
    &["bye", "goodbye", "night", "bed", "tomorrow", "later", "leave"],
    &["thank", "thanks", "best", "better", "great", "funny", "kind", "nice"],
    &[
        "sad", "tired", "rough", "bad", "hard", "worry", "worried", "afraid", "scared", "hurt", "hurts", "fell",
        "fight", "fail", "failed", "lonely", "sick", "cry", "sleep", "stress", "angry", "lost", "can't", "didn't",
        "ugly", "hate", "nervous",
    ],
    &["should", "advice", "help", "begin", "start", "idea", "how", "try"],
    &["like", "favourite", "favorite", "love", "food", "music", "eat", "colour", "color", "enjoy"],
    &["where", "place", "live", "here", "home", "town", "city", "room"],
    &["story", "tell", "happened", "then", "once", "remember"],
    &["bought", "guess", "new", "news", "got", "finished", "visiting", "made", "today"],
];

/// How near two lines are: the kinds and words that they share, and whether both ask.
pub(super) fn nearness(a: &str, b: &str) -> usize {
    let (words_a, words_b) = (words(a), words(b));
    let kinds = KINDS.iter().filter(|kind| {
        let of = |words: &HashSet<String>| kind.iter().any(|w| words.contains(*w));
        of(&words_a) && of(&words_b)
    });
    let shared = words_a.intersection(&words_b).filter(|w| w.chars().count() > 3).count();
    let asks_self =
        |line: &str, words: &HashSet<String>| line.contains('?') && (words.contains("you") || words.contains("your"));
    let alike = usize::from(a.contains('?') == b.contains('?'));
    let asks = usize::from(asks_self(a, &words_a) && asks_self(b, &words_b));
    4 * kinds.count() + 4 * shared + alike + asks
}

fn words(line: &str) -> HashSet<String> {
    let line = line.to_lowercase().replace('’', "'");
    line.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn lines_of_a_kind_are_near() {
        for (line, near, far) in [
            ("I had a rough day at work.", "I am sad today.", "Do you like the winter?"),
            ("What is your favourite food?", "Do you like the winter?", "I am sad today."),
            ("Should I just give up?", "I want to give up.", "Is it always like this here?"),
            ("Good night!", "Goodbye.", "You look busy."),
            ("DO YOU LIKE MUSIC?", "Do you like the winter?", "What are you working on?"),
        ] {
            assert!(nearness(near, line) > nearness(far, line), "{line}: {near} / {far}");
            assert_eq!(nearness(near, line), nearness(line, near));
        }
    }

    #[test]
    fn nothing_is_near_to_nothing() {
        assert_eq!(nearness("", "I am sad."), nearness("", "Rain."));
        assert!(nearness("", "") <= 1);
    }
}
