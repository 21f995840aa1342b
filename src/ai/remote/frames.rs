//! From bytes to frames of an event stream, with a limit.
//!
//! Written for what servers really send: lines that end in LF or CRLF, `data:` with or without a space, comments, frames
//! without a blank line between them or after the last one, characters that are split over packets, bytes that are no
//! UTF-8. A crate that follows the standard to the letter would end the reply for most of these.

use crate::lenient;
use serde_json::Value;

/// Longest frame in bytes.
const FRAME_MAX: usize = 1 << 20;

/// One frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Kind of the event, empty when none was given.
    pub event: String,
    /// Its data, never empty.
    pub data: String,
}

/// A frame was longer than any frame is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// Takes bytes, gives frames.
#[derive(Debug, Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    /// Bytes before this are read.
    read: usize,
    /// No line ends between `read` and this.
    searched: usize,
    event: String,
    data: String,
}

impl Frames {
    /// Takes bytes as they come.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        self.bytes.drain(..self.read);
        self.searched -= self.read;
        self.read = 0;
        self.bytes.extend_from_slice(bytes);
        // What is already whole in here is taken out before the next push, so only an unfinished line can be long.
        let open = self.bytes.iter().rev().take_while(|b| **b != b'\n').count();
        if open + self.data.len() > FRAME_MAX { Err(TooLarge) } else { Ok(()) }
    }

    /// The next whole frame.
    pub fn next(&mut self) -> Option<Frame> {
        loop {
            let rest = self.bytes.get(self.searched..).unwrap_or_default();
            let Some(length) = rest.iter().position(|b| *b == b'\n') else {
                self.searched = self.bytes.len();
                return None;
            };
            let end = self.searched + length;
            let line = text(self.bytes.get(self.read..end).unwrap_or_default());
            self.read = end + 1;
            self.searched = self.read;
            if let Some(frame) = self.line(&line) {
                return Some(frame);
            }
        }
    }

    /// What is left when nothing follows: frames whose end was not sent.
    pub fn finish(&mut self) -> Vec<Frame> {
        let line = text(self.bytes.get(self.read..).unwrap_or_default());
        self.bytes.clear();
        self.read = 0;
        self.searched = 0;
        let before = self.line(&line);
        before.into_iter().chain(self.take()).collect()
    }

    fn line(&mut self, line: &str) -> Option<Frame> {
        if line.is_empty() {
            return self.take();
        }
        // Some servers send a failure as a line of plain JSON.
        let (field, value) =
            if line.starts_with('{') { ("data", line) } else { line.split_once(':').unwrap_or((line, "")) };
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => {
                let before = if self.data.is_empty() { None } else { self.take() };
                self.event = value.to_owned();
                before
            }
            // llama.cpp and what is built on it tell failures so.
            "error" => {
                let before = if self.data.is_empty() { None } else { self.take() };
                self.event = "error".to_owned();
                self.data = value.to_owned();
                before
            }
            "data" if self.data.is_empty() => {
                self.data = value.to_owned();
                None
            }
            "data" if is_whole(&self.data) => {
                let before = self.take();
                self.data = value.to_owned();
                before
            }
            "data" => {
                self.data.push('\n');
                self.data.push_str(value);
                None
            }
            _ => None,
        }
    }

    fn take(&mut self) -> Option<Frame> {
        let event = std::mem::take(&mut self.event);
        let data = std::mem::take(&mut self.data);
        (!data.is_empty()).then(|| {
            let data = if event == "error" { as_error(data) } else { data };
            Frame { event, data }
        })
    }
}

/// What an event called `error` says, as both protocols have it.
fn as_error(data: String) -> String {
    match lenient::read::<Value>(&data) {
        Ok(value) if value.get("error").is_some_and(|error| !error.is_null()) => data,
        Ok(value) => serde_json::json!({ "error": value }).to_string(),
        Err(_) => serde_json::json!({ "error": { "message": data } }).to_string(),
    }
}

/// Whether data need no further line.
fn is_whole(data: &str) -> bool {
    data == "[DONE]" || lenient::read::<serde::de::IgnoredAny>(data).is_ok()
}

/// A line as text; what is no UTF-8 becomes U+FFFD.
fn text(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    String::from_utf8_lossy(line).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(parts: &[&[u8]]) -> Vec<(String, String)> {
        let mut frames = Frames::default();
        let mut found = Vec::new();
        for part in parts {
            frames.push(part).expect("small");
            while let Some(frame) = frames.next() {
                found.push((frame.event, frame.data));
            }
        }
        found.extend(frames.finish().into_iter().map(|f| (f.event, f.data)));
        found
    }

    fn data(parts: &[&[u8]]) -> Vec<String> {
        all(parts).into_iter().map(|(_, data)| data).collect()
    }

    #[test]
    fn lines_of_all_habits_are_read() {
        let text: &[u8] = b"\xef\xbb\xbf: hello\r\nevent: ping\r\ndata: {\"a\":1}\r\n\r\nid: 7\ndata:{\"b\":2}\n\n\n\ndata: [DONE]\n\n";
        assert_eq!(
            all(&[text]),
            [
                ("ping".into(), "{\"a\":1}".into()),
                (String::new(), "{\"b\":2}".into()),
                (String::new(), "[DONE]".into())
            ]
        );
    }

    #[test]
    fn frames_need_no_blank_line_and_no_end() {
        assert_eq!(data(&[b"data: {\"a\":1}\ndata: {\"b\":2}\ndata: [DONE]"]), ["{\"a\":1}", "{\"b\":2}", "[DONE]"]);
        assert_eq!(data(&[b"data: {\"a\":\ndata: 1}\n\n"]), ["{\"a\":\n1}"], "and may have several lines");
    }

    #[test]
    fn failures_are_seen_on_whatever_line_they_stand() {
        for text in [
            "error: {\"code\":400,\"message\":\"no\"}\n\n",
            "data: {\"a\":1}\nerror: {\"code\":400,\"message\":\"no\"}\ndata: [DONE]\n\n",
            "event: error\ndata: {\"error\":{\"code\":400,\"message\":\"no\"}}\n\n",
            "event: error\ndata: {\"code\":400,\"message\":\"no\"}\n\n",
            "{\"error\":{\"code\":400,\"message\":\"no\"}}\n",
        ] {
            let found = data(&[text.as_bytes()]);
            assert!(
                found.contains(&"{\"error\":{\"code\":400,\"message\":\"no\"}}".to_owned()),
                "{text} gave {found:?}"
            );
        }
        assert_eq!(data(&[b"error: out of memory\n\n"]), ["{\"error\":{\"message\":\"out of memory\"}}"]);
    }

    #[test]
    fn bytes_that_are_no_text_do_not_end_the_stream() {
        assert_eq!(data(&[b"data: \"a\xffb\"\n\n", b"data: \"c\"\n\n"]), ["\"a\u{fffd}b\"", "\"c\""]);
    }

    #[test]
    fn a_frame_has_a_limit() {
        let mut frames = Frames::default();
        let piece = vec![b'a'; 300_000];
        assert_eq!(frames.push(b"data: "), Ok(()));
        for _ in 0..3 {
            assert_eq!(frames.push(&piece), Ok(()));
            assert_eq!(frames.next(), None);
        }
        assert_eq!(frames.push(&piece), Err(TooLarge));
    }

    proptest! {
        #[test]
        fn packets_change_nothing(texts in prop::collection::vec("[^\\r\\n]{1,30}", 1..6), cuts in prop::collection::vec(0_usize..400, 0..12)) {
            let json: Vec<String> = texts.iter().map(|t| serde_json::to_string(t).unwrap()).collect();
            let bytes: Vec<u8> = json.iter().flat_map(|j| format!("data: {j}\r\n\r\n").into_bytes()).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            prop_assert_eq!(data(&parts), json);
        }
    }
}
