//! Thoughts that servers leave in the text, in the spellings of the families of models.
//!
//! Most write them between marks. Templates of some (R1, QwQ, Qwen3) put the opening mark into the prompt, so that only the
//! closing one comes: what stood before it is taken back then. gpt-oss writes channels, of which only `final` is said. Marks
//! inside code are what somebody wrote about marks, and stay.

/// Opening and closing marks. Those in angle brackets are the same in small and large letters.
const PAIRS: [(&str, &str); 12] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<thoughts>", "</thoughts>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel>thought", "<channel|>"),
    ("◁think▷", "◁/think▷"),
    ("<unused94>thought", "<unused95>"),
];
/// Marks around what is said, which are nothing themselves.
const WRAPPERS: [&str; 6] =
    ["<|begin_of_solution|>", "<|end_of_solution|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|end|>", "<|return|>"];
/// gpt-oss: a message begins.
const START: &str = "<|start|>";
/// Its channel is named.
const CHANNEL: &str = "<|channel|>";
/// Its text begins.
const MESSAGE: &str = "<|message|>";
/// A tool is called with it.
const CALL: &str = "<|call|>";
/// The beginning of its thoughts where a server has dropped the marks.
const BARE: &str = "analysis";
/// The end of such thoughts.
const BARE_END: &str = "assistantfinal";

/// What a mark does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// A thought begins that ends with this.
    Open(&'static str),
    /// A thought ends.
    Close,
    /// A head follows, until the text of a message.
    Head,
    /// Nothing.
    Nothing,
}

/// Where the stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Too little has come to know.
    Beginning,
    /// What comes is said.
    Said,
    /// Inside a thought that ends with this.
    Thought(&'static str),
    /// Inside a thought of a channel.
    Channel,
    /// Inside the head of a message.
    Head,
}

/// What came out of a piece.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sifted {
    /// What is said; may be empty.
    pub text: String,
    /// All that was said before was a thought.
    pub takes_back: bool,
}

/// Separates what is said from what is thought.
#[derive(Debug)]
pub(super) struct Thoughts {
    place: Place,
    held: String,
    /// A thought was opened, so that a lone closing mark closes nothing.
    was_opened: bool,
    /// Something was thought.
    pub were_there: bool,
    /// Something was said that is no blank.
    has_said: bool,
    /// What was said last is a blank, or nothing.
    at_blank: bool,
    /// Blanks are left out until the next word.
    skips_blanks: bool,
    code: Code,
}

/// Whether text stands inside code.
#[derive(Debug, Default)]
struct Code {
    ticks: usize,
    in_fence: bool,
    in_line: bool,
}

impl Code {
    fn read(&mut self, text: &str) {
        for c in text.chars() {
            if c == '`' {
                self.ticks += 1;
                continue;
            }
            self.settle();
            if c == '\n' {
                self.in_line = false;
            }
        }
    }

    fn settle(&mut self) {
        match std::mem::take(&mut self.ticks) {
            0 => {}
            1 | 2 if self.in_fence => {}
            1 | 2 => self.in_line = !self.in_line,
            _ => self.in_fence = !self.in_fence,
        }
    }

    fn is_inside(&mut self) -> bool {
        self.settle();
        self.in_fence || self.in_line
    }
}

impl Default for Thoughts {
    fn default() -> Self {
        Self {
            place: Place::Beginning,
            held: String::new(),
            was_opened: false,
            were_there: false,
            has_said: false,
            at_blank: true,
            skips_blanks: false,
            code: Code::default(),
        }
    }
}

impl Thoughts {
    /// Takes a piece. With `is_last`, nothing is held back.
    pub fn push(&mut self, text: &str, is_last: bool) -> Sifted {
        self.held.push_str(text);
        let mut out = Sifted::default();
        while self.step(&mut out, is_last) {}
        out
    }

    /// One step; false when more text is needed.
    fn step(&mut self, out: &mut Sifted, is_last: bool) -> bool {
        match self.place {
            Place::Beginning => {
                let seen = self.held.trim_start();
                if BARE.starts_with(seen) && !is_last {
                    return false;
                }
                let next = seen.strip_prefix(BARE).and_then(|rest| rest.chars().next());
                let is_bare = next.is_some_and(|c| c.is_uppercase() || matches!(c, '"' | '*'));
                self.place = if is_bare { self.think(BARE_END) } else { Place::Said };
                true
            }
            Place::Said => self.said(out, is_last),
            Place::Thought(end) => self.skip(&[end], is_last, |_| Place::Said),
            Place::Channel => self.skip(&["<|end|>", "<|return|>", START, CHANNEL, CALL], is_last, |mark| match mark {
                START | CHANNEL => Place::Head,
                _ => Place::Said,
            }),
            Place::Head => {
                let Some((at, length)) = first(&self.held, &[MESSAGE]) else {
                    self.held.clear_but(MESSAGE.len() + 40, is_last);
                    return false;
                };
                let head = self.held.get(..at).unwrap_or_default();
                let channel = head.rsplit_once(CHANNEL).map_or(head, |(_, name)| name).trim();
                let is_said = channel.starts_with("final") || channel.eq_ignore_ascii_case("assistant");
                self.held.drain(..at + length);
                self.place = if is_said { Place::Said } else { Place::Channel };
                self.were_there |= !is_said;
                self.skips_blanks = self.at_blank;
                true
            }
        }
    }

    fn think(&mut self, end: &'static str) -> Place {
        self.was_opened = true;
        self.were_there = true;
        Place::Thought(end)
    }

    /// Leaves out everything until one of some marks.
    fn skip(&mut self, ends: &[&'static str], is_last: bool, then: fn(&str) -> Place) -> bool {
        let Some((at, length)) = first(&self.held, ends) else {
            let longest = ends.iter().map(|end| end.len()).max().unwrap_or_default();
            self.held.clear_but(longest, is_last);
            return false;
        };
        let end = self.held.get(at..at + length).unwrap_or_default();
        self.place = then(end);
        self.held.drain(..at + length);
        self.skips_blanks = self.at_blank;
        true
    }

    /// Says what is there up to the next mark.
    fn said(&mut self, out: &mut Sifted, is_last: bool) -> bool {
        let Some((at, length, mark)) = next_mark(&self.held) else {
            let keep = if is_last { self.held.len() } else { begun_mark(&self.held).unwrap_or(self.held.len()) };
            let text: String = self.held.drain(..keep).collect();
            self.say(out, &text);
            return false;
        };
        let text: String = self.held.drain(..at).collect();
        self.say(out, &text);
        if self.code.is_inside() {
            let literal: String = self.held.drain(..length).collect();
            self.say(out, &literal);
            return true;
        }
        self.held.drain(..length);
        match mark {
            Mark::Open(end) => self.place = self.think(end),
            Mark::Head => self.place = Place::Head,
            Mark::Close => {
                self.were_there = true;
                if !std::mem::replace(&mut self.was_opened, true) && self.has_said {
                    *out = Sifted { text: String::new(), takes_back: true };
                    self.has_said = false;
                    self.at_blank = true;
                    self.code = Code::default();
                }
                self.skips_blanks = self.at_blank;
            }
            Mark::Nothing => self.skips_blanks = self.at_blank,
        }
        true
    }

    fn say(&mut self, out: &mut Sifted, text: &str) {
        let text = if self.skips_blanks { text.trim_start() } else { text };
        let Some(last) = text.chars().next_back() else { return };
        self.skips_blanks = false;
        self.has_said |= !text.trim().is_empty();
        self.at_blank = last.is_whitespace();
        self.code.read(text);
        out.text.push_str(text);
    }
}

/// Shortens a text to its end.
trait ClearBut {
    fn clear_but(&mut self, keep: usize, is_last: bool);
}

impl ClearBut for String {
    fn clear_but(&mut self, keep: usize, is_last: bool) {
        let at = if is_last { self.len() } else { self.floor_char_boundary(self.len().saturating_sub(keep)) };
        self.drain(..at);
    }
}

fn is_same(text: &str, mark: &str) -> bool {
    if mark.starts_with('<') { text.eq_ignore_ascii_case(mark) } else { text == mark }
}

/// Where the first of some marks is, and its length.
fn first(text: &str, marks: &[&str]) -> Option<(usize, usize)> {
    text.char_indices().find_map(|(at, _)| {
        let mark = marks.iter().find(|mark| text.get(at..at + mark.len()).is_some_and(|seen| is_same(seen, mark)))?;
        Some((at, mark.len()))
    })
}

/// All marks with what they do.
fn marks() -> impl Iterator<Item = (&'static str, Mark)> {
    let pairs = PAIRS.iter().flat_map(|(open, close)| [(*open, Mark::Open(close)), (*close, Mark::Close)]);
    let heads = [(START, Mark::Head), (CHANNEL, Mark::Head)];
    let nothing = [(MESSAGE, Mark::Nothing), (CALL, Mark::Nothing)];
    pairs.chain(heads).chain(nothing).chain(WRAPPERS.iter().map(|mark| (*mark, Mark::Nothing)))
}

/// Places at which a mark may begin.
fn starts(text: &str) -> impl Iterator<Item = usize> {
    text.char_indices().filter(|(_, c)| matches!(c, '<' | '[' | '◁')).map(|(at, _)| at)
}

fn next_mark(text: &str) -> Option<(usize, usize, Mark)> {
    starts(text).find_map(|at| {
        let (mark, what) =
            marks().find(|(mark, _)| text.get(at..at + mark.len()).is_some_and(|seen| is_same(seen, mark)))?;
        Some((at, mark.len(), what))
    })
}

/// Where a mark begins that is not whole yet.
fn begun_mark(text: &str) -> Option<usize> {
    starts(text).find(|at| {
        let rest = text.get(*at..).unwrap_or_default();
        marks().any(|(mark, _)| {
            mark.get(..rest.len()).is_some_and(|start| rest.len() < mark.len() && is_same(rest, start))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In pieces of all sizes, always the same.
    fn sifted(text: &str) -> String {
        let chars: Vec<char> = text.chars().collect();
        let mut last: Option<String> = None;
        for size in (1..=9).chain([1000]) {
            let mut thoughts = Thoughts::default();
            let mut out = String::new();
            let mut take = |sifted: Sifted| {
                if sifted.takes_back {
                    out.clear();
                }
                out.push_str(&sifted.text);
            };
            for part in chars.chunks(size) {
                take(thoughts.push(&part.iter().collect::<String>(), false));
            }
            take(thoughts.push("", true));
            if let Some(last) = last.replace(out.clone()) {
                assert_eq!(last, out, "{text} in pieces of {size}");
            }
        }
        last.unwrap_or_default()
    }

    #[test]
    fn thoughts_in_every_spelling_are_left_out() {
        for (open, close) in PAIRS {
            assert_eq!(sifted(&format!("{open}hm, a < b [x]{close}\n\nGood evening.")), "Good evening.", "{open}");
            assert_eq!(sifted(&format!("The visitor greets me. {close}\n\nGood evening.")), "Good evening.", "{close}");
            assert_eq!(sifted(&format!("One. {open}hm{close} Two.")), "One. Two.", "{open}");
            assert_eq!(sifted(&format!("{open}it never ends")), "", "{open}");
        }
        assert_eq!(sifted("<THINK>hm</Think>Good evening."), "Good evening.");
        assert_eq!(sifted("<think>a</think>One. <think>b</think>Two. </think>Three."), "One. Two. Three.");
    }

    #[test]
    fn of_channels_only_the_last_is_said() {
        for text in [
            "<|channel|>analysis<|message|>They greet me.<|end|><|start|>assistant<|channel|>final<|message|>Good evening.",
            "<|start|>assistant<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final <|constrain|>text<|message|>Good evening.<|return|>",
            "<|channel|>analysis<|message|>Hm.<|channel|>commentary<|message|>Hm.<|call|><|start|>assistant<|channel|>final<|message|>Good evening.<|end|>",
            "<|channel|>final<|message|>Good evening.",
            "<|start|>assistant<|message|>Good evening.<|end|>",
            "analysisThey greet me. So I greet.assistantfinalGood evening.",
            "<|begin_of_thought|>Hm.<|end_of_thought|>\n<|begin_of_solution|>Good evening.<|end_of_solution|>",
        ] {
            assert_eq!(sifted(text).trim_start(), "Good evening.", "{text}");
        }
        assert_eq!(sifted("<|channel|>analysis<|message|>never ends"), "");
    }

    #[test]
    fn what_is_no_thought_stays() {
        for text in [
            "Use `<think>` to open and `</think>` to close.",
            "```xml\n<think>x</think>\n```\nDone.",
            "``` \n</think>",
            "<thin ice",
            "<th",
            "a < b, [THIN] and [thinks], <thoughtful> </thinly>",
            "analysis of the sea",
            "analysis",
            "I think: 1 <2> 3 ◁",
        ] {
            assert_eq!(sifted(text), text);
        }
    }
}
