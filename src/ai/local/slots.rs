//! Which sequence of the context holds what, and which one a new prompt should use.
//!
//! Pure bookkeeping: the engine does to the context what a [`Plan`] says. A prompt takes over the sequence that begins
//! like it; when that sequence holds more than the common part (somebody else's conversation with the same character), the
//! common part is shared with another sequence instead, which costs no memory and keeps both.

/// Tokens that may be forgotten to go on in the same sequence, for example the end of a reply that was trimmed.
const FORGETTABLE: usize = 8;

/// What to do before a prompt is read.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) struct Plan {
    /// Sequence to read into.
    pub seq: usize,
    /// Tokens at its beginning that are already right.
    pub keep: usize,
    /// Where the kept tokens are now; `None` when they are in `seq` itself.
    pub from: Option<usize>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    tokens: Vec<i32>,
    busy: bool,
    used: u64,
}

/// All sequences.
#[derive(Debug)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    clock: u64,
    /// The model can only go on where a sequence ends (recurrent models): nothing can be cut off or shared.
    whole: bool,
}

impl Slots {
    pub(super) fn new(count: usize, whole: bool) -> Self {
        Self { slots: vec![Slot::default(); count], clock: 0, whole }
    }

    /// The cheapest way to read `prompt`. At least its last token is left to read, as that one's answer is wanted.
    /// `None` when every sequence is busy.
    pub(super) fn plan(&self, prompt: &[i32]) -> Option<Plan> {
        let readable = prompt.get(..prompt.len().saturating_sub(1)).unwrap_or_default();
        let best = self
            .slots
            .iter()
            .enumerate()
            .map(|(seq, slot)| (seq, slot, common(&slot.tokens, readable)))
            .filter(|(_, slot, keep)| *keep > 0 && (!self.whole || (!slot.busy && *keep == slot.tokens.len())))
            .max_by_key(|(_, slot, keep)| (*keep, !slot.busy, std::cmp::Reverse(slot.tokens.len())));
        let Some((seq, slot, keep)) = best else {
            return self.oldest(None).map(|seq| Plan { seq, keep: 0, from: None });
        };
        let here = Plan { seq, keep, from: None };
        if !slot.busy && slot.tokens.len() - keep <= FORGETTABLE {
            return Some(here);
        }
        match self.oldest(Some(seq)) {
            Some(other) => Some(Plan { seq: other, keep, from: Some(seq) }),
            None => (!slot.busy).then_some(here),
        }
    }

    /// Marks the plan's sequence as busy, holding the kept tokens only.
    pub(super) fn claim(&mut self, plan: Plan) {
        let from = plan.from.unwrap_or(plan.seq);
        let kept = self.slots.get(from).and_then(|slot| slot.tokens.get(..plan.keep)).unwrap_or_default().to_vec();
        self.clock += 1;
        let used = self.clock;
        if let Some(slot) = self.slots.get_mut(plan.seq) {
            *slot = Slot { tokens: kept, busy: true, used };
        }
    }

    /// Tokens of `prompt` that some sequence holds already.
    pub(super) fn known(&self, prompt: &[i32]) -> usize {
        self.slots.iter().map(|slot| common(&slot.tokens, prompt)).max().unwrap_or(0)
    }

    /// Notes tokens that were read into a sequence.
    pub(super) fn extend(&mut self, seq: usize, tokens: &[i32]) {
        if let Some(slot) = self.slots.get_mut(seq) {
            slot.tokens.extend_from_slice(tokens);
        }
    }

    /// How many tokens a sequence holds, which is where its next one goes.
    pub(super) fn len(&self, seq: usize) -> usize {
        self.slots.get(seq).map_or(0, |slot| slot.tokens.len())
    }

    /// The sequence is idle now; what it holds is remembered.
    pub(super) fn release(&mut self, seq: usize) {
        self.clock += 1;
        let used = self.clock;
        if let Some(slot) = self.slots.get_mut(seq) {
            slot.busy = false;
            slot.used = used;
        }
    }

    /// Forgets the sequence that was idle longest, to free its memory.
    pub(super) fn evict(&mut self) -> Option<usize> {
        let seq = self
            .slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| !slot.busy && !slot.tokens.is_empty())
            .min_by_key(|(_, slot)| slot.used)
            .map(|(seq, _)| seq)?;
        self.forget(seq);
        Some(seq)
    }

    /// Forgets what a sequence holds.
    pub(super) fn forget(&mut self, seq: usize) {
        if let Some(slot) = self.slots.get_mut(seq) {
            slot.tokens.clear();
            slot.used = 0;
        }
    }

    /// The sequence that is missed least: an empty one, else the one idle longest.
    fn oldest(&self, except: Option<usize>) -> Option<usize> {
        self.slots
            .iter()
            .enumerate()
            .filter(|(seq, slot)| !slot.busy && Some(*seq) != except)
            .min_by_key(|(_, slot)| (!slot.tokens.is_empty(), slot.used))
            .map(|(seq, _)| seq)
    }
}

fn common(a: &[i32], b: &[i32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod unit {
    use super::*;

    fn read(slots: &mut Slots, prompt: &[i32]) -> Plan {
        let plan = slots.plan(prompt).unwrap();
        slots.claim(plan);
        slots.extend(plan.seq, &prompt[plan.keep..]);
        plan
    }

    #[test]
    fn the_next_message_goes_on_in_place() {
        let mut slots = Slots::new(3, false);
        let first = read(&mut slots, &[1, 2, 3]);
        assert_eq!(first, Plan { seq: 0, keep: 0, from: None });
        slots.extend(first.seq, &[9, 9]);
        slots.release(first.seq);
        assert_eq!(read(&mut slots, &[1, 2, 3, 9, 9, 4]), Plan { seq: 0, keep: 5, from: None });
    }

    #[test]
    fn the_same_prompt_again_reads_its_last_token() {
        let mut slots = Slots::new(2, false);
        let first = read(&mut slots, &[1, 2, 3]);
        slots.release(first.seq);
        assert_eq!(slots.plan(&[1, 2, 3]), Some(Plan { seq: 0, keep: 2, from: None }));
    }

    #[test]
    fn a_common_beginning_is_shared_and_both_stay() {
        let mut slots = Slots::new(3, false);
        let a: Vec<i32> = (0..40).collect();
        let b: Vec<i32> = (0..20).chain(100..120).collect();
        let first = read(&mut slots, &a);
        assert_eq!(slots.plan(&b), Some(Plan { seq: 1, keep: 20, from: Some(0) }), "busy");
        slots.release(first.seq);
        let second = read(&mut slots, &b);
        assert_eq!(second, Plan { seq: 1, keep: 20, from: Some(0) }, "idle, but its end is worth keeping");
        slots.release(second.seq);
        let again: Vec<i32> = a.iter().copied().chain([7, 8]).collect();
        assert_eq!(slots.plan(&again), Some(Plan { seq: 0, keep: 40, from: None }));
    }

    #[test]
    fn the_longest_idle_goes_first() {
        let mut slots = Slots::new(2, false);
        for start in [10, 20] {
            let plan = read(&mut slots, &[start, 1, 2]);
            slots.release(plan.seq);
        }
        assert_eq!(slots.plan(&[30, 1]), Some(Plan { seq: 0, keep: 0, from: None }));
        assert_eq!(slots.evict(), Some(0));
        assert_eq!(slots.evict(), Some(1));
        assert_eq!(slots.evict(), None);
    }

    #[test]
    fn nothing_is_planned_when_all_are_busy() {
        let mut slots = Slots::new(1, false);
        read(&mut slots, &[1, 2]);
        assert_eq!(slots.plan(&[1, 2, 3]), None);
        assert_eq!(slots.plan(&[5]), None);
    }

    #[test]
    fn whole_sequences_are_only_gone_on_with() {
        let mut slots = Slots::new(2, true);
        let first = read(&mut slots, &[1, 2, 3]);
        slots.release(first.seq);
        assert_eq!(slots.plan(&[1, 2, 3, 4]), Some(Plan { seq: 0, keep: 3, from: None }));
        assert_eq!(slots.plan(&[1, 2, 5]), Some(Plan { seq: 1, keep: 0, from: None }));
    }
}
