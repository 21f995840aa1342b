//! Four random words as a password: easy to type and to remember, hard to guess.
//!
//! The list is the project's own. The browser reads the same one (`public/words.txt`) and draws by its own generator, so
//! that the password is made where it is used; without scripts the server draws.

/// One word a line, each of four letters or more.
const WORDS: &str = include_str!("../../public/words.txt");

/// Four words that follow from nothing, with spaces between them.
#[must_use]
pub fn propose() -> String {
    let words: Vec<&str> = WORDS.lines().collect();
    let draw = || {
        // As many draws as it takes to favour none of the words.
        loop {
            let drawn = usize::from(rand::random::<u16>());
            let even = usize::from(u16::MAX) / words.len().max(1) * words.len();
            if drawn < even {
                return words.get(drawn % words.len()).copied().unwrap_or_default();
            }
        }
    };
    [draw(), draw(), draw(), draw()].join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::rules;

    #[test]
    fn what_is_proposed_is_accepted() {
        let list: Vec<&str> = WORDS.lines().collect();
        let mut sorted = list.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), list.len(), "no word stands there twice");
        assert!(list.len() >= 650, "{} words", list.len());
        assert!(list.iter().all(|w| w.len() >= 4 && w.bytes().all(|b| b.is_ascii_lowercase())));
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..60 {
            let password = propose();
            assert_eq!(password.split(' ').count(), 4);
            let judged = rules::password("password", &password, "ada", "ada@example.org")
                .and_then(|()| rules::hard_to_guess("password", &password, "ada", "ada@example.org"));
            assert!(judged.is_ok(), "{password}: {judged:?}");
            seen.insert(password);
        }
        assert_eq!(seen.len(), 60);
    }
}
