//! From token bytes to text that may be shown: whole characters, and nothing that could still become a stop text.

/// Text on its way out.
#[derive(Clone, Debug)]
pub(super) struct Outlet {
    bytes: Vec<u8>,
    held: String,
    stops: Vec<String>,
    /// Whitespace is dropped until the first word.
    at_start: bool,
}

/// What became of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// May be empty.
    pub text: String,
    /// A stop text was met; nothing after it is shown.
    pub stopped: bool,
}

impl Outlet {
    /// `trim_start` drops whitespace before the first word.
    pub(super) fn new(stops: &[String], trim_start: bool) -> Self {
        let stops = stops.iter().filter(|stop| !stop.is_empty()).cloned().collect();
        Self { bytes: Vec::new(), held: String::new(), stops, at_start: trim_start }
    }

    /// Takes the bytes of one token.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Piece {
        self.bytes.extend_from_slice(bytes);
        self.decode();
        if self.at_start {
            self.held = self.held.trim_start().to_owned();
            self.at_start = self.held.is_empty();
        }
        let stop = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min();
        if let Some(at) = stop {
            self.held.truncate(at);
            return Piece { text: std::mem::take(&mut self.held), stopped: true };
        }
        let kept = self.stops.iter().map(|stop| overlap(&self.held, stop)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - kept);
        Piece { text: std::mem::replace(&mut self.held, rest), stopped: false }
    }

    /// What was held back, when nothing follows. Half a character is dropped.
    pub(super) fn finish(&mut self) -> String {
        self.bytes.clear();
        std::mem::take(&mut self.held)
    }

    /// Moves whole characters from `bytes` to `held`. Bytes that can never be a character are dropped.
    fn decode(&mut self) {
        loop {
            let bad = match std::str::from_utf8(&self.bytes) {
                Ok(text) => {
                    self.held.extend(text.chars().filter(|&c| c != '\0'));
                    self.bytes.clear();
                    return;
                }
                Err(bad) => bad,
            };
            let rest = self.bytes.split_off(bad.valid_up_to());
            let good = std::mem::replace(&mut self.bytes, rest);
            self.held.extend(String::from_utf8_lossy(&good).chars().filter(|&c| c != '\0'));
            match bad.error_len() {
                None => return,
                Some(len) => drop(self.bytes.drain(..len)),
            }
        }
    }
}

/// Length of the longest end of `text` that is a beginning of `stop`.
fn overlap(text: &str, stop: &str) -> usize {
    stop.char_indices()
        .map(|(at, _)| at)
        .skip(1)
        .filter(|&len| stop.get(..len).is_some_and(|start| text.ends_with(start)))
        .last()
        .unwrap_or(0)
}

#[cfg(test)]
mod unit {
    use super::*;

    fn all(outlet: &mut Outlet, parts: &[&[u8]]) -> (String, bool) {
        let mut text = String::new();
        for part in parts {
            let piece = outlet.push(part);
            text.push_str(&piece.text);
            if piece.stopped {
                return (text, true);
            }
        }
        text.push_str(&outlet.finish());
        (text, false)
    }

    #[test]
    fn characters_are_never_halved() {
        let wave = "👋é".as_bytes();
        let mut outlet = Outlet::new(&[], false);
        for byte in &wave[..3] {
            assert_eq!(outlet.push(&[*byte]), Piece { text: String::new(), stopped: false });
        }
        assert_eq!(outlet.push(&wave[3..4]).text, "👋");
        assert_eq!(outlet.push(&wave[4..5]).text, "");
        assert_eq!(outlet.finish(), "");
    }

    #[test]
    fn bytes_that_are_no_text_are_dropped() {
        let mut outlet = Outlet::new(&[], false);
        assert_eq!(all(&mut outlet, &[b"a\xff", b"b\xf0\x9f", b"c\0"]), ("abc".to_owned(), false));
    }

    #[test]
    fn a_stop_text_over_several_tokens_is_never_shown() {
        let stops = ["\nUser:".to_owned(), "###".to_owned()];
        let mut outlet = Outlet::new(&stops, false);
        assert_eq!(all(&mut outlet, &[b"Hi", b"\n", b"Us", b"er", b": x"]), ("Hi".to_owned(), true));
        let mut outlet = Outlet::new(&stops, false);
        assert_eq!(all(&mut outlet, &[b"Hi", b"\n", b"Us", b"ed #", b"#"]), ("Hi\nUsed ##".to_owned(), false));
        let mut outlet = Outlet::new(&stops, false);
        assert_eq!(all(&mut outlet, &[b"a####b"]), ("a".to_owned(), true));
    }

    #[test]
    fn the_earliest_stop_wins() {
        let stops = ["b".to_owned(), "ab".to_owned()];
        let mut outlet = Outlet::new(&stops, false);
        assert_eq!(all(&mut outlet, &[b"xxab"]), ("xx".to_owned(), true));
    }

    #[test]
    fn whitespace_before_the_first_word_goes() {
        let mut outlet = Outlet::new(&["\n".to_owned()], true);
        assert_eq!(
            all(&mut outlet, &[b"\n", b" ", b" Hello", b" you", b"\n", b"more"]),
            ("Hello you".to_owned(), true)
        );
    }
}
