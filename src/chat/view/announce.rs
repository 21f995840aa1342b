//! What a reader of the screen hears of a reply: that it begins, then its sentences as they come, each whole and not more than one
//! announcement in a while, then that it has ended.

use super::room::Shared;
use leptos::prelude::*;
use std::time::Duration;

/// Between two announcements: a voice needs about as long for a sentence.
const PAUSE: Duration = Duration::from_millis(1500);

/// How far the reply that is being written has been told.
#[derive(Clone, Copy)]
pub struct Telling {
    /// Bytes of the streamed words that were told.
    told: StoredValue<usize>,
    /// An announcement was made a moment ago; what comes meanwhile waits.
    is_pausing: StoredValue<bool>,
}

impl Telling {
    /// Nothing has been told.
    pub fn new() -> Self {
        Self { told: StoredValue::new(0), is_pausing: StoredValue::new(false) }
    }
}

impl Shared {
    /// A reply is being written.
    pub fn tell_start(self) {
        self.telling.told.set_value(0);
        self.announced.set(format!("{} is writing.", self.name.get_value()));
        self.pause();
    }

    /// Words came: whole sentences are told, unless that was done a moment ago.
    pub fn tell_more(self) {
        if self.telling.is_pausing.get_value() {
            return;
        }
        let from = self.telling.told.get_value();
        let sentences = self.spoken.with_untracked(|spoken| {
            let rest = spoken.get(from..).unwrap_or_default();
            rest.get(..whole(rest)).unwrap_or_default().to_owned()
        });
        if !sentences.trim().is_empty() {
            self.telling.told.set_value(from + sentences.len());
            self.announced.set(plain(&sentences));
            self.pause();
        }
    }

    /// The reply is whole: what was not told yet, and that this was all.
    pub fn tell_end(self, content: &str) {
        let told = self.telling.told.get_value();
        let heard = self.spoken.with_untracked(|spoken| spoken.get(..told).unwrap_or_default().to_owned());
        // The kept words may differ from those that came, at their end.
        let rest = content.strip_prefix(heard.trim_start()).unwrap_or(if told == 0 { content } else { "" });
        self.announced.set(format!("{} End of message.", plain(rest)).trim_start().to_owned());
    }

    fn pause(self) {
        self.telling.is_pausing.set_value(true);
        set_timeout(
            move || {
                // Gone with the page.
                if self.telling.is_pausing.try_set_value(false).is_none() {
                    self.tell_more();
                }
            },
            PAUSE,
        );
    }
}

/// Words without the marks that only the eye needs.
fn plain(text: &str) -> String {
    text.replace(['*', '`', '#'], "").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Bytes of the whole sentences at the beginning of a text that is still coming.
fn whole(text: &str) -> usize {
    let mut end = 0;
    let mut letters = text.char_indices().peekable();
    while let Some((at, c)) = letters.next() {
        let after = at + c.len_utf8();
        match c {
            '。' | '！' | '？' | '\n' => end = after,
            // A sign at the end of what came may belong to a number, or to more signs.
            '.' | '!' | '?' | '…' | '"' | '”' | '*' | '»' if letters.peek().is_some_and(|(_, n)| n.is_whitespace()) =>
            {
                let before = text.get(..after).unwrap_or_default().trim_end_matches(['"', '”', '*', '»']);
                if before.ends_with(['.', '!', '?', '…']) && !is_abbreviation(before) {
                    end = after;
                }
            }
            _ => {}
        }
    }
    end
}

/// Whether the point at the end belongs to the word before it: a single letter, `a.m.`, a title.
fn is_abbreviation(text: &str) -> bool {
    let Some(before) = text.strip_suffix('.') else { return false };
    let word = before.rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
    let is_letter = |part: &str| part.chars().count() == 1 && part.chars().all(char::is_alphabetic);
    word.split('.').all(is_letter) && word != "I"
        || ["Mr", "Mrs", "Ms", "Dr", "St", "Prof", "Capt", "vs", "etc", "No"].contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_told_when_they_are_whole() {
        for (text, told) in [
            ("", ""),
            ("The sea", ""),
            ("The sea is calm.", ""),
            ("The sea is calm. The g", "The sea is calm."),
            ("It is 3.5 miles", ""),
            ("At 3 a.m. Dr. Vesper woke. She", "At 3 a.m. Dr. Vesper woke."),
            ("*She nods.* \"Yes!\" he", "*She nods.* \"Yes!\""),
            ("It was I. And then", "It was I."),
            ("她抬起头。请进", "她抬起头。"),
            ("one\ntwo", "one\n"),
            ("Wait… what?! No", "Wait… what?!"),
        ] {
            assert_eq!(text.get(..whole(text)), Some(told), "{text}");
        }
        assert_eq!(plain("*She  nods.*\n\n**Yes**"), "She nods. Yes");
    }
}
