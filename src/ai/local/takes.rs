//! A sentence drawn several times at once: what each take has come to, when it is time to choose, and which one stays.
//!
//! A very small model often says something senseless where its second choice would have made sense. Takes share what was read, so six
//! cost far less than six replies. The words of the sentence that stays go out one by one while the next one is drawn.

use super::sample::Pick;
use crate::ai::{Draft, FinishReason, Likelihood, Takes};
use llama_cpp_2::token::LlamaToken;
use std::collections::VecDeque;

/// Takes of all replies together: who is alone gets all that were asked for, four at once get two each.
pub(super) const TOGETHER: usize = 8;

/// Parameters up to which a model's first choice is worth doubting. Larger ones would be several times slower for little.
pub(super) const SMALL: u64 = 500_000_000;

/// Tokens after which a sentence that has no end yet is given up, if another has one.
const PATIENCE: usize = 24;

/// Takes that a reply gets that asked for `count` while `running` replies are written.
pub(super) fn share(count: u32, running: usize) -> usize {
    usize::try_from(count).unwrap_or(1).min(TOGETHER / running.max(1)).max(1)
}

/// Cells of the context that takes can need at most, beyond those of the one that stays.
pub(super) fn cells(count: u32) -> usize {
    2 * PATIENCE * share(count, 1)
}

/// How a take came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Its sentence is whole; another may follow.
    Sentence,
    /// So is the reply.
    Reply(FinishReason),
}

/// What one take has drawn of the sentence.
#[derive(Clone, Debug, Default)]
pub(super) struct Drawn {
    pub tokens: Vec<LlamaToken>,
    /// Its text as it will be sent.
    pub pieces: Vec<String>,
    pub text: String,
    pub fit: f32,
    pub gain: f32,
    pub least: f32,
    pub end: Option<End>,
}

impl Drawn {
    pub(super) fn note(&mut self, pick: Pick) {
        self.tokens.push(pick.token);
        self.fit += pick.fit;
        self.gain += pick.gain;
        self.least = self.least.min(pick.fit);
    }

    pub(super) fn likelihood(&self) -> Option<Likelihood> {
        let Self { fit, gain, least, .. } = *self;
        (!self.tokens.is_empty()).then(|| Likelihood { mean: self.mean(fit), least, gain: self.mean(gain) })
    }

    pub(super) fn say(&mut self, piece: String) {
        self.text.push_str(&piece);
        if !piece.is_empty() {
            self.pieces.push(piece);
        }
    }

    /// Whether the text is a sentence, as far as one can tell without what follows.
    pub(super) fn is_sentence(&self) -> bool {
        let text = self.text.trim_end_matches(['"', '”', '’', ')', '*']);
        text.ends_with(['.', '!', '?', '…', '。', '！', '？'])
            // "3." and "p.m." go on.
            && text.chars().filter(|c| c.is_alphabetic()).count() > 1
    }

    fn is_whole(&self) -> bool {
        matches!(self.end, Some(End::Sentence | End::Reply(FinishReason::End | FinishReason::Stop)))
    }

    fn mean(&self, sum: f32) -> f32 {
        let count = u16::try_from(self.tokens.len().max(1)).unwrap_or(u16::MAX);
        sum / f32::from(count)
    }
}

/// What to do with the takes of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Draw on.
    Wait,
    /// Draw on with this one only.
    Only(usize),
    /// This one stays.
    Keep(usize),
    /// The reply was whole before.
    Enough,
}

/// A reply whose sentences are chosen.
pub(super) struct Choosing {
    pub takes: Takes,
    /// The sentence is being drawn; otherwise the model is about to be asked for it.
    pub open: bool,
    /// Chosen and on its way out.
    pub held: VecDeque<String>,
    /// Tokens that were chosen.
    pub tokens: Vec<LlamaToken>,
    said: String,
    sentences: u32,
}

impl Choosing {
    pub(super) fn new(takes: Takes) -> Self {
        Self { takes, open: false, held: VecDeque::new(), tokens: Vec::new(), said: String::new(), sentences: 0 }
    }

    /// Looks at the takes after each of their tokens.
    pub(super) fn verdict(&self, takes: &[&Drawn]) -> Verdict {
        let is_late = takes.iter().any(|t| t.tokens.len() >= PATIENCE);
        let ended = takes.iter().filter(|t| t.end.is_some()).count();
        // Nobody waits for the longest ones: two thirds are enough to choose from.
        if 3 * ended < 2 * takes.len() && !is_late {
            return Verdict::Wait;
        }
        let best = |wanted: &dyn Fn(&Drawn) -> bool| {
            let judged = takes.iter().enumerate().filter(|(_, t)| wanted(t)).map(|(i, t)| (i, self.judge(t)));
            judged.max_by(|a, b| a.1.total_cmp(&b.1))
        };
        if ended == 0 {
            return best(&|_| true).map_or(Verdict::Enough, |(i, _)| Verdict::Only(i));
        }
        let silent = takes.iter().filter(|t| t.end.is_some() && t.text.trim().is_empty()).count();
        let whole = best(&|t| t.is_whole() && !t.text.trim().is_empty());
        if self.said.is_empty() {
            // Better a sentence without an end than none.
            let any = whole.or_else(|| best(&|t| t.end.is_some()));
            return any.map_or(Verdict::Enough, |(i, _)| Verdict::Keep(i));
        }
        match whole {
            Some((i, worth)) if worth >= 0.0 && 2 * silent <= ended => Verdict::Keep(i),
            _ => Verdict::Enough,
        }
    }

    /// Takes over a sentence. Gives how the reply ends if it does.
    pub(super) fn keep(&mut self, drawn: Drawn) -> Option<FinishReason> {
        self.open = false;
        self.sentences += 1;
        self.said.push_str(&drawn.text);
        self.tokens.extend(drawn.tokens);
        self.held.extend(drawn.pieces);
        match drawn.end {
            Some(End::Reply(reason)) => Some(reason),
            _ => (self.sentences >= self.takes.sentences).then_some(FinishReason::End),
        }
    }

    fn judge(&self, drawn: &Drawn) -> f32 {
        self.takes.judge.judge(&Draft {
            before: self.said.trim(),
            text: drawn.text.trim(),
            fit: drawn.mean(drawn.fit),
            gain: drawn.mean(drawn.gain),
        })
    }
}

#[cfg(test)]
mod unit {
    use super::*;
    use crate::ai::Judge;
    use std::sync::Arc;

    /// Likes long sentences; below four letters nothing is worth saying.
    struct Length;

    impl Judge for Length {
        fn judge(&self, draft: &Draft<'_>) -> f32 {
            f32::from(u16::try_from(draft.text.len()).unwrap_or(u16::MAX)) - 4.0
        }
    }

    fn choosing(sentences: u32) -> Choosing {
        Choosing::new(Takes { count: 3, sentences, judge: Arc::new(Length) })
    }

    fn drawn(text: &str, tokens: usize, end: Option<End>) -> Drawn {
        let mut drawn = Drawn { tokens: vec![LlamaToken(1); tokens], end, ..Drawn::default() };
        drawn.say(text.to_owned());
        drawn
    }

    const SENTENCE: Option<End> = Some(End::Sentence);
    const DONE: Option<End> = Some(End::Reply(FinishReason::End));
    const CUT: Option<End> = Some(End::Reply(FinishReason::Length));

    #[test]
    fn who_is_alone_gets_more() {
        assert_eq!([1, 2, 3, 4, 8, 100].map(|running| share(5, running)), [5, 4, 2, 2, 1, 1]);
        assert_eq!(share(0, 1), 1);
        assert_eq!(share(2, 0), 2);
    }

    #[test]
    fn sentences_are_known_by_their_end() {
        for (text, is_one) in [
            ("Rain again.", true),
            ("Rain again?\"", true),
            ("Rain again", false),
            ("8.", false),
            ("…", false),
            ("No.", true),
            (" \"Come in.\"", true),
        ] {
            assert_eq!(drawn(text, 3, None).is_sentence(), is_one, "{text}");
        }
    }

    #[test]
    fn the_best_whole_one_stays() {
        let choosing = choosing(2);
        let (short, long, cut) =
            (drawn("Tea.", 2, SENTENCE), drawn("Tea and rain.", 4, DONE), drawn("Tea and rain and so on", 9, CUT));
        let begun = drawn("Tea and", 2, None);
        assert_eq!(choosing.verdict(&[&short, &begun]), Verdict::Wait);
        assert_eq!(choosing.verdict(&[&short, &long, &begun]), Verdict::Keep(1), "two thirds are enough");
        assert_eq!(choosing.verdict(&[&short, &long, &cut]), Verdict::Keep(1));
        assert_eq!(choosing.verdict(&[&cut]), Verdict::Keep(0), "better than nothing");
        assert_eq!(choosing.verdict(&[&drawn("", 0, DONE)]), Verdict::Keep(0));
    }

    #[test]
    fn late_ones_are_given_up() {
        let choosing = choosing(2);
        let (late, later) = (drawn("On and on and", PATIENCE, None), drawn("On and on and on and", PATIENCE, None));
        assert_eq!(choosing.verdict(&[&late, &drawn("Tea, please.", 4, SENTENCE)]), Verdict::Keep(1));
        assert_eq!(choosing.verdict(&[&late, &later]), Verdict::Only(1));
        assert_eq!(choosing.verdict(&[&later]), Verdict::Only(0));
    }

    #[test]
    fn a_reply_ends_when_nothing_good_follows() {
        let mut choosing = choosing(3);
        assert_eq!(choosing.keep(drawn("Tea, please.", 4, SENTENCE)), None);
        let (good, poor, silent) = (drawn(" With milk.", 3, SENTENCE), drawn(" No.", 2, SENTENCE), drawn("", 0, DONE));
        assert_eq!(choosing.verdict(&[&good, &poor, &silent]), Verdict::Keep(0));
        assert_eq!(choosing.verdict(&[&poor]), Verdict::Enough);
        assert_eq!(choosing.verdict(&[&silent, &silent, &good]), Verdict::Enough, "most were done");
        assert_eq!(choosing.verdict(&[&drawn(" And then there", 5, CUT)]), Verdict::Enough, "never cut");
        assert_eq!(choosing.keep(drawn(" With milk.", 3, SENTENCE)), None);
        assert_eq!(choosing.keep(drawn(" With cake.", 3, SENTENCE)), Some(FinishReason::End), "three are enough");
        assert_eq!(choosing.held.iter().map(String::as_str).collect::<String>(), "Tea, please. With milk. With cake.");
        assert_eq!(choosing.tokens.len(), 10);
    }

    #[test]
    fn how_a_kept_one_ended_ends_the_reply() {
        assert_eq!(choosing(2).keep(drawn("Tea.", 2, DONE)), Some(FinishReason::End));
        assert_eq!(choosing(2).keep(drawn("Tea and", 2, CUT)), Some(FinishReason::Length));
        assert_eq!(choosing(1).keep(drawn("Tea.", 2, SENTENCE)), Some(FinishReason::End));
    }
}
