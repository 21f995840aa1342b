//! What of a model's stream is the reply: without thoughts, without what was already said, without stop texts.

use super::thoughts::Thoughts;
use crate::{ai::text::Outlet, lenient::Halves};

/// A repetition at the beginning is looked for in this many characters of what was begun.
const ECHO_MAX: usize = 400;

/// Text on its way to the person.
pub(super) struct Voice {
    halves: Halves,
    thoughts: Thoughts,
    stops: Vec<String>,
    begun: String,
    mouth: bool,
    rest: Rest,
}

/// What stands between thoughts and the person; begun anew when all so far was a thought.
struct Rest {
    /// Words that were asked for and may be repeated.
    begun: Option<String>,
    held: String,
    outlet: Outlet,
}

/// What became of some text.
pub(super) struct Said {
    /// May be empty.
    pub text: String,
    /// A stop text was met.
    pub stopped: bool,
    /// What was given before was a thought.
    pub takes_back: bool,
}

impl Voice {
    /// `begun` are words that the model was asked to go on from; with `mouth` they were put into its mouth.
    pub fn new(stops: &[String], begun: &str, mouth: bool) -> Self {
        Self {
            halves: Halves::default(),
            thoughts: Thoughts::default(),
            stops: stops.to_vec(),
            begun: begun.to_owned(),
            mouth,
            rest: Rest::new(stops, begun, mouth),
        }
    }

    /// Something was thought in the text.
    pub const fn has_thought(&self) -> bool {
        self.thoughts.were_there
    }

    /// Takes text as it comes.
    pub fn push(&mut self, text: &str) -> Said {
        let text = self.halves.push(text);
        let sifted = self.thoughts.push(&text, false);
        if sifted.takes_back {
            self.rest = Rest::new(&self.stops, &self.begun, self.mouth);
        }
        let text = self.rest.unrepeated(&sifted.text, false);
        let piece = self.rest.outlet.push(text.as_bytes());
        Said { text: piece.text, stopped: piece.stopped, takes_back: sifted.takes_back }
    }

    /// What was held back, when nothing follows.
    pub fn finish(&mut self) -> String {
        let text = self.halves.finish();
        // The last letters close no thought: a mark that were whole would have been seen.
        let sifted = self.thoughts.push(text, true);
        let text = self.rest.unrepeated(&sifted.text, true);
        let piece = self.rest.outlet.push(text.as_bytes());
        if piece.stopped { piece.text } else { piece.text + &self.rest.outlet.finish() }
    }
}

impl Rest {
    fn new(stops: &[String], begun: &str, mouth: bool) -> Self {
        let asked = !begun.trim().is_empty() && !mouth;
        Self {
            begun: asked.then(|| begun.to_owned()),
            held: String::new(),
            outlet: Outlet::new(stops, begun.is_empty() || begun.ends_with(char::is_whitespace)),
        }
    }

    /// Leaves out what the model repeats of the words it was to go on from, and sees to the space between both.
    fn unrepeated(&mut self, text: &str, is_last: bool) -> String {
        let Some(begun) = &self.begun else { return text.to_owned() };
        self.held.push_str(text);
        let start = begun.len().saturating_sub(ECHO_MAX);
        let tail = begun.get(begun.ceil_char_boundary(start)..).unwrap_or_default().trim_end();
        let seen = self.held.trim_start();
        // Still a piece of what is there: from its beginning, or from one of its words.
        if !is_last && (seen.is_empty() || could_be_echo(begun.trim(), tail, seen)) {
            return String::new();
        }
        let rest = match echo(begun.trim(), tail, seen) {
            Some(length) => seen.get(length..).unwrap_or_default().to_owned(),
            // A line break before the first word is a habit, not a wish.
            None if self.held.len() != seen.len()
                && self.held.trim_start_matches([' ', '\t']).starts_with(['\n', '\r']) =>
            {
                join(begun, seen)
            }
            None => join(begun, &self.held),
        };
        self.begun = None;
        self.held.clear();
        rest
    }
}

/// Starts of words in a text, from the first to the last.
fn word_starts(text: &str) -> impl Iterator<Item = usize> {
    let starts = text
        .char_indices()
        .zip(text.chars().skip(1))
        .filter(|((_, c), next)| c.is_whitespace() && !next.is_whitespace());
    std::iter::once(0).chain(starts.map(|((at, c), _)| at + c.len_utf8()))
}

/// Whether everything so far may be a repetition that is still under way.
fn could_be_echo(begun: &str, tail: &str, seen: &str) -> bool {
    begun.starts_with(seen) || word_starts(tail).any(|at| tail.get(at..).is_some_and(|end| end.starts_with(seen)))
}

/// Bytes at the beginning of `seen` that repeat the end of what was begun: all of it, or at least two words.
fn echo(begun: &str, tail: &str, seen: &str) -> Option<usize> {
    if seen.starts_with(begun) {
        return Some(begun.len());
    }
    word_starts(tail)
        .filter_map(|at| tail.get(at..))
        .find(|end| end.split_whitespace().nth(1).is_some() && seen.starts_with(*end))
        .map(str::len)
}

/// What follows, with a space before it where two words would touch.
fn join(begun: &str, text: &str) -> String {
    let touches = begun.chars().next_back().is_some_and(|c| {
        c.is_alphanumeric() || matches!(c, '.' | ',' | '!' | '?' | ';' | ':' | '…' | '"' | '”' | '*' | ')')
    }) && text.chars().next().is_some_and(|c| c.is_alphanumeric() || matches!(c, '“' | '('));
    if touches { format!(" {text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(stops: &[&str], begun: &str, mouth: bool, text: &str) -> String {
        let stops: Vec<String> = stops.iter().map(|s| (*s).to_owned()).collect();
        let mut last = None;
        for size in [1, 2, 3, 7, 1000] {
            let mut voice = Voice::new(&stops, begun, mouth);
            let chars: Vec<char> = text.chars().collect();
            let mut out = String::new();
            let mut stopped = false;
            for part in chars.chunks(size) {
                let piece = voice.push(&part.iter().collect::<String>());
                if piece.takes_back {
                    out.clear();
                }
                out.push_str(&piece.text);
                if piece.stopped {
                    stopped = true;
                    break;
                }
            }
            if !stopped {
                out.push_str(&voice.finish());
            }
            if let Some(last) = last.replace(out.clone()) {
                assert_eq!(last, out, "in pieces of {size}");
            }
        }
        last.unwrap_or_default()
    }

    #[test]
    fn thoughts_are_left_out() {
        assert_eq!(said(&[], "", false, "<think>hm</think>\n\nHello"), "Hello");
        assert_eq!(said(&[], "", false, " \n<think>a < b </thin </think>Hello <think>x</think>"), "Hello ");
        assert_eq!(said(&["\nAnn:"], "", false, "Ann asks me. </think>\nHello.\nAnn: hi"), "Hello.");
        assert_eq!(said(&[], "She bought", false, "They want more.</think> a fish."), " a fish.");
        assert_eq!(said(&[], "", false, "<th"), "<th");
    }

    #[test]
    fn what_was_begun_is_not_said_again() {
        let begun = "She went to the market and bought";
        assert_eq!(said(&[], begun, false, "a fish."), " a fish.");
        assert_eq!(said(&[], begun, false, " a fish."), " a fish.");
        assert_eq!(said(&[], begun, false, ", of course, a fish."), ", of course, a fish.");
        assert_eq!(said(&[], begun, false, "She went to the market and bought a fish."), " a fish.");
        assert_eq!(said(&[], begun, false, "and bought a fish."), " a fish.");
        assert_eq!(said(&[], begun, false, "She smiled."), " She smiled.");
        assert_eq!(said(&["\n"], begun, false, "\n\na fish.\nMore"), " a fish.");
        assert_eq!(said(&[], begun, false, "and"), " and");
        assert_eq!(said(&[], "One. ", false, "Two."), "Two.");
        assert_eq!(said(&[], "One. ", true, " Two."), "Two.");
        assert_eq!(said(&[], "une fenê", false, ""), "");
        assert_eq!(said(&[], begun, true, " a fish."), " a fish.");
    }

    #[test]
    fn stop_texts_end_it() {
        assert_eq!(said(&["\nAnn:"], "", false, "  Hello\nthere\nAnn: hi"), "Hello\nthere");
        assert_eq!(said(&["\n"], "It is", false, "It is a cat.\nMore"), " a cat.");
    }
}
