//! Who is next: fair shares of the local model.
//!
//! Whoever asks for many replies waits for their own first. Of those who wait, the one with the fewest replies being
//! written comes next; among equals, whoever had the last turn longest ago. Nobody has more than [`MOST`] waiting.

use std::collections::{HashMap, VecDeque};
use uuid::Uuid;

/// Replies of one person that may wait at the same time.
pub(super) const MOST: usize = 4;

/// People whose last turn is remembered.
const REMEMBERED: usize = 1000;

/// Somebody; `None` for the house itself, which shares one place.
pub(super) type Who = Option<Uuid>;

/// Those who wait, by person, whoever waited longest for a turn first.
pub(super) struct Line<T> {
    people: VecDeque<(Who, VecDeque<T>)>,
    /// When somebody had the last turn.
    turns: HashMap<Who, u64>,
    clock: u64,
}

impl<T> Line<T> {
    pub(super) fn new() -> Self {
        Self { people: VecDeque::new(), turns: HashMap::new(), clock: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// Joins the line.
    ///
    /// # Errors
    /// Gives back what was to wait, when this person has enough waiting already.
    pub(super) fn push(&mut self, who: Who, item: T) -> Result<(), T> {
        match self.people.iter_mut().find(|(person, _)| *person == who) {
            Some((_, items)) if who.is_some() && items.len() >= MOST => return Err(item),
            Some((_, items)) => items.push_back(item),
            None => self.people.push_back((who, VecDeque::from([item]))),
        }
        Ok(())
    }

    /// The next one, where `running` says how many replies somebody is being written at the moment.
    pub(super) fn pop(&mut self, running: impl Fn(Who) -> usize) -> Option<T> {
        let rank = |who: &Who| (running(*who), self.turns.get(who).copied().unwrap_or(0));
        let (at, _) = self.people.iter().enumerate().min_by_key(|(_, (who, _))| rank(who))?;
        let (who, mut items) = self.people.remove(at)?;
        if self.turns.len() >= REMEMBERED {
            self.turns.clear();
        }
        self.clock += 1;
        self.turns.insert(who, self.clock);
        let item = items.pop_front();
        if !items.is_empty() {
            // Its next turn comes after everybody else's.
            self.people.push_back((who, items));
        }
        item
    }

    /// Everybody in the order in which they would be served if nobody came and nobody left.
    pub(super) fn in_order(&mut self, running: impl Fn(Who) -> usize) -> Vec<&mut T> {
        let turn = |who: &Who| self.turns.get(who).copied().unwrap_or(0);
        let mut served: HashMap<Who, (usize, u64)> =
            self.people.iter().map(|(who, _)| (*who, (running(*who), turn(who)))).collect();
        let mut clock = self.clock;
        let mut rows: VecDeque<(Who, _)> =
            self.people.iter_mut().map(|(who, items)| (*who, items.iter_mut())).collect();
        let mut order = Vec::new();
        loop {
            let first =
                rows.iter().enumerate().min_by_key(|(_, (who, _))| served.get(who).copied().unwrap_or_default());
            let Some((who, mut items)) = first.map(|(at, _)| at).and_then(|at| rows.remove(at)) else { return order };
            if let Some(item) = items.next() {
                order.push(item);
                clock += 1;
                let standing = served.entry(who).or_default();
                *standing = (standing.0 + 1, clock);
                rows.push_back((who, items));
            }
        }
    }

    /// Takes out everything for which `leaves` says so.
    pub(super) fn take_if(&mut self, leaves: impl Fn(&T) -> bool) -> Vec<T> {
        let mut gone = Vec::new();
        for (_, items) in &mut self.people {
            for item in std::mem::take(items) {
                if leaves(&item) { gone.push(item) } else { items.push_back(item) }
            }
        }
        self.people.retain(|(_, items)| !items.is_empty());
        gone
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    const A: Who = Some(Uuid::from_u128(1));
    const B: Who = Some(Uuid::from_u128(2));
    const C: Who = Some(Uuid::from_u128(3));

    fn line(items: &[(Who, u32)]) -> Line<u32> {
        let mut line = Line::new();
        for (who, item) in items {
            line.push(*who, *item).unwrap();
        }
        line
    }

    fn rest(line: &mut Line<u32>, running: impl Fn(Who) -> usize) -> Vec<u32> {
        std::iter::from_fn(|| line.pop(&running)).collect()
    }

    #[test]
    fn people_take_turns() {
        let mut all = line(&[(A, 10), (A, 11), (A, 12), (B, 20), (C, 30), (C, 31)]);
        assert_eq!(rest(&mut all, |_| 0), [10, 20, 30, 11, 31, 12]);
        assert!(all.is_empty());
    }

    #[test]
    fn whoever_has_fewest_being_written_comes_first() {
        let mut all = line(&[(A, 10), (A, 11), (B, 20)]);
        let running = |who| if who == A { 3 } else { 0 };
        assert_eq!(all.pop(running), Some(20));
        assert_eq!(all.pop(running), Some(10));
    }

    #[test]
    fn whoever_had_the_last_turn_comes_after_the_others() {
        let mut all = line(&[(A, 10)]);
        assert_eq!(all.pop(|_| 0), Some(10));
        for (who, item) in [(A, 11), (A, 12), (B, 20)] {
            all.push(who, item).unwrap();
        }
        let told: Vec<u32> = all.in_order(|_| 0).into_iter().map(|item| *item).collect();
        assert_eq!(told, [20, 11, 12]);
        assert_eq!(rest(&mut all, |_| 0), told);
    }

    #[test]
    fn nobody_fills_the_line() {
        let mut all = line(&[(A, 1), (A, 2), (A, 3), (A, 4)]);
        assert_eq!(all.push(A, 5), Err(5));
        assert_eq!(all.push(B, 6), Ok(()));
        assert_eq!(all.pop(|who| usize::from(who == B)), Some(1));
        assert_eq!(all.push(A, 7), Ok(()), "there is room again");
        let mut house = line(&[]);
        assert!((0..20).all(|n| house.push(None, n).is_ok()), "the house is not held back");
    }

    #[test]
    fn places_are_told_in_the_order_of_service() {
        let mut all = line(&[(A, 10), (A, 11), (A, 12), (B, 20), (C, 30), (C, 31)]);
        let running = |who| if who == A { 2 } else { 0 };
        let told: Vec<u32> = all.in_order(running).into_iter().map(|item| *item).collect();
        assert_eq!(told, [20, 30, 31, 10, 11, 12]);
        let gone = all.take_if(|item| *item == 20 || *item == 11);
        assert_eq!(gone, [11, 20]);
        assert_eq!(all.in_order(|_| 0).len(), 4);
    }
}
