//! Tokens and who gets them.
//!
//! The rules, in order:
//! 1. The reply's own length is set aside first; what is left of the context is the room.
//! 2. A share of the room is kept back for the talk ([`TALK`] percent); only the newest line may break into more, and it
//!    always goes in.
//! 3. Each other part may take its share (the constants below, percent of the room) and never the talk's. Texts are cut at
//!    the end of a sentence, lists after an entry.
//! 4. What is not used is the talk's as well: it takes newest lines as long as they fit.
//!
//! Nothing is sent that was not counted.

use super::{
    NoteLine,
    receipt::{Left, Section, Why, first_words, kept},
};

/// Tokens around each message that the model's chat template adds, at most.
pub(super) const TEMPLATE: u32 = 6;
/// Kept back for the talk.
const TALK: u32 = 30;
/// Who the character is.
pub(super) const IDENTITY: u32 = 40;
/// How it sounds and what it never says.
pub(super) const STYLE: u32 = 10;
/// How it speaks, shown by examples.
pub(super) const EXAMPLES: u32 = 35;
/// What it carries.
pub(super) const ITEMS: u32 = 12;
/// Who the person is.
pub(super) const PERSON: u32 = 8;
/// Instructions for this conversation.
pub(super) const CONVERSATION: u32 = 12;
/// What happened in the world.
pub(super) const WORLD: u32 = 8;
/// What the character remembers.
pub(super) const MEMORIES: u32 = 12;
/// What was said before.
pub(super) const SUMMARY: u32 = 14;
/// What the character's maker wants to be told after the newest line.
pub(super) const AFTER: u32 = 10;
/// The author's note.
pub(super) const NOTE: u32 = 8;
/// Things left out that a part names one by one; the rest only count.
const NAMED: usize = 12;

/// The tokens of one prompt while it is put together.
pub(super) struct Budget<'a> {
    count: &'a dyn Fn(&str) -> u32,
    room: u32,
    used: u32,
    /// Kept back for the talk.
    talk: u32,
    sections: Vec<Section>,
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Things that were left out for one reason.
fn named<'t>(texts: impl IntoIterator<Item = &'t str>, why: Why) -> Vec<Left> {
    texts.into_iter().take(NAMED).map(|t| Left { what: first_words(t), why }).collect()
}

impl<'a> Budget<'a> {
    pub(super) fn new(count: &'a dyn Fn(&str) -> u32, room: u32) -> Self {
        Self { count, room, used: 0, talk: percent(room, TALK), sections: Vec::new() }
    }

    /// Tokens of a text, with one for the seam to what stands before it.
    pub(super) fn cost(&self, text: &str) -> u32 {
        if text.is_empty() { 0 } else { (self.count)(text).saturating_add(1) }
    }

    /// Tokens taken so far.
    pub(super) const fn used(&self) -> u32 {
        self.used
    }

    /// Tokens that the talk may take: its own and whatever the others did not use.
    pub(super) const fn left(&self) -> u32 {
        self.room.saturating_sub(self.used)
    }

    pub(super) fn into_sections(self) -> Vec<Section> {
        self.sections
    }

    /// What a part may take: its share, as far as it is not the talk's.
    pub(super) fn share(&self, share: u32) -> u32 {
        percent(self.room, share).min(self.left().saturating_sub(self.talk))
    }

    fn push(&mut self, name: &'static str, tokens: u32, text: &str, entries: usize, left_out: usize, left: Vec<Left>) {
        self.used = self.used.saturating_add(tokens);
        self.sections.push(Section {
            name: name.into(),
            tokens,
            entries: number(entries),
            left_out: number(left_out),
            left,
            text: kept(text),
            ..Section::default()
        });
    }

    /// A part that goes in as it is: the rules of the house, a few words.
    pub(super) fn whole(&mut self, name: &'static str, text: &str, messages: usize) {
        let tokens = self.cost(text).saturating_add(TEMPLATE * number(messages));
        self.push(name, tokens, text, usize::from(!text.is_empty()), 0, Vec::new());
    }

    /// Moves a part that was set aside first to where it is sent: after all that came until now.
    pub(super) fn sent_here(&mut self, name: &str) {
        if let Some(at) = self.sections.iter().position(|s| s.name == name) {
            let section = self.sections.remove(at);
            self.sections.push(section);
        }
    }

    /// Adds what a part costs as a message of its own: the marks around it.
    pub(super) fn envelope(&mut self, name: &str) {
        if let Some(section) = self.sections.iter_mut().find(|s| s.name == name) {
            section.tokens = section.tokens.saturating_add(TEMPLATE);
            self.used = self.used.saturating_add(TEMPLATE);
        }
    }

    /// One text, cut at the end of a sentence where its share ends. Gives what goes in.
    pub(super) fn clip(&mut self, name: &'static str, text: &str, share: u32) -> String {
        if text.is_empty() {
            return String::new();
        }
        let most = self.share(share);
        let cut = self.fitting(text, most);
        let tokens = self.cost(&cut);
        let rest = text.get(cut.len()..).unwrap_or_default().trim();
        let left = named((!rest.is_empty()).then_some(rest), Why::NoRoom);
        self.push(name, tokens, &cut, usize::from(!cut.is_empty()), left.len(), left);
        cut
    }

    /// Entries in order, as many as fit, after `head`. Gives the text that goes in, entries joined by
    /// `between`.
    pub(super) fn list(
        &mut self,
        name: &'static str,
        head: &str,
        entries: &[String],
        between: &str,
        share: u32,
    ) -> String {
        if entries.is_empty() {
            return String::new();
        }
        let room = self.share(share);
        let mut text = String::new();
        let mut taken = 0;
        for entry in entries {
            let longer = if text.is_empty() { format!("{head}{entry}") } else { format!("{text}{between}{entry}") };
            if self.cost(&longer) > room {
                break;
            }
            text = longer;
            taken += 1;
        }
        let left = named(entries.iter().skip(taken).map(String::as_str), Why::NoRoom);
        self.push(name, self.cost(&text), &text, taken, entries.len() - taken, left);
        text
    }

    /// A list of messages with their cost, as many from the beginning as fit. Gives how many.
    pub(super) fn messages(&mut self, name: &'static str, groups: &[[&str; 2]], share: u32) -> usize {
        if groups.is_empty() {
            return 0;
        }
        let room = self.share(share);
        let (mut tokens, mut taken) = (0_u32, 0);
        for group in groups {
            let cost: u32 = group.iter().map(|line| self.cost(line).saturating_add(TEMPLATE)).sum();
            if tokens.saturating_add(cost) > room {
                break;
            }
            tokens = tokens.saturating_add(cost);
            taken += 1;
        }
        let text = groups.iter().take(taken).map(|g| g.join("\n")).collect::<Vec<_>>().join("\n\n");
        let left = named(groups.iter().skip(taken).map(|[_, said]| *said), Why::NoRoom);
        self.push(name, tokens, &text, taken, groups.len() - taken, left);
        taken
    }

    /// A part of which nothing goes in.
    pub(super) fn nothing(&mut self, name: &'static str, entries: &[String], why: Why) {
        if !entries.is_empty() {
            self.push(name, 0, "", 0, entries.len(), named(entries.iter().map(String::as_str), why));
        }
    }

    /// The talk: what it took, how many lines were not read at all.
    pub(super) fn talk(&mut self, tokens: u32, text: &str, entries: usize, left_out: usize, why: Vec<(String, Why)>) {
        let left = why.into_iter().map(|(what, why)| Left { what, why }).collect();
        self.push("history", tokens, text, entries, left_out, left);
    }

    /// The author's note among the lines.
    pub(super) fn note(&mut self, note: &NoteLine) {
        if note.fits {
            self.push("note", note.tokens, &note.text, 1, 0, Vec::new());
        } else {
            self.nothing("note", std::slice::from_ref(&note.text), Why::NoRoom);
        }
    }

    /// The longest beginning of a text that costs at most `most`: whole sentences, or words if not even one fits.
    fn fitting(&self, text: &str, most: u32) -> String {
        if self.cost(text) <= most {
            return text.to_owned();
        }
        let sentence_ends: Vec<usize> = text
            .char_indices()
            .filter(|(_, c)| matches!(c, '.' | '!' | '?' | '…' | '。' | '！' | '？' | '\n'))
            .map(|(at, c)| at + c.len_utf8())
            .filter(|end| text.get(*end..).is_some_and(|rest| rest.starts_with(char::is_whitespace)))
            .collect();
        let word_ends: Vec<usize> =
            text.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(at, _)| at).filter(|at| *at > 0).collect();
        let longest = |ends: &[usize]| {
            let fits = ends.partition_point(|end| text.get(..*end).is_some_and(|t| self.cost(t) <= most));
            fits.checked_sub(1).and_then(|i| ends.get(i)).and_then(|end| text.get(..*end))
        };
        longest(&sentence_ends).or_else(|| longest(&word_ends)).unwrap_or_default().trim_end().to_owned()
    }
}

/// `share` percent of a number of tokens.
const fn percent(room: u32, share: u32) -> u32 {
    // Contexts have millions of tokens at most, so this does not overflow for any that exists.
    room / 100 * share + room % 100 * share / 100
}
