//! The talk: the newest lines that fit, oldest first, and the author's note among them.

use super::{
    NoteLine, Said, Scene,
    budget::{Budget, TEMPLATE},
    receipt::Why,
    sheet,
};
use crate::ai::{Message, Role};

/// The newest lines within what the others left less `set_aside`. The newest always goes in, whatever it costs; a model
/// that cannot hold it says so itself.
pub(super) fn keep(scene: &Scene, set_aside: u32, budget: &mut Budget<'_>) -> Vec<Message> {
    let said = sheet::said(scene);
    let room = budget.left().saturating_sub(set_aside);
    let costs: Vec<u32> = said.iter().map(|line| budget.cost(&line.message.content).saturating_add(TEMPLATE)).collect();
    let (mut cost, mut fitting) = (0_u32, 0);
    for tokens in costs.iter().rev() {
        if fitting > 0 && cost.saturating_add(*tokens) > room {
            break;
        }
        cost = cost.saturating_add(*tokens);
        fitting += 1;
    }
    let earliest = said.len() - fitting;
    let start = if earliest == 0 && !scene.has_older { 0 } else { steady(&said, earliest) };
    let cost = costs.iter().skip(start).fold(0, |sum: u32, tokens| sum.saturating_add(*tokens));
    let mut why = Vec::new();
    let mut note = |count: usize, reason: Why| {
        if count > 0 {
            let what = if count == 1 { "1 older line".to_owned() } else { format!("{count} older lines") };
            why.push((what, reason));
        }
    };
    note(earliest, Why::NoRoom);
    note(start - earliest, Why::Together);
    if scene.has_older {
        why.push(("Everything before".to_owned(), Why::NotRead));
    }
    let kept_lines = || said.iter().skip(start);
    let text = kept_lines().map(|l| format!("{}: {}", l.name, l.message.content)).collect::<Vec<_>>().join("\n");
    budget.talk(cost, &text, said.len() - start, start, why);
    said.into_iter().skip(start).map(|l| l.message).collect()
}

/// The line that the talk begins with when not all of it fits: one between `earliest` and the middle of what fits that
/// stays the same from message to message, as long as it fits itself. Were it simply the earliest, the prompt would begin
/// anew with every message, and the model would have to read all of it again. The choice is that of winnowing (Schleimer,
/// Wilkerson, Aiken 2003): the line of the window whose hash is largest.
fn steady(said: &[Said], earliest: usize) -> usize {
    let most = earliest + (said.len() - earliest) / 2;
    let window = said.iter().enumerate().take(most + 1).skip(earliest);
    let of_person = |line: &Said| line.message.role == Role::User;
    window
        .map(|(at, line)| ((of_person(line), hash(&line.message.content)), at))
        .max_by_key(|(worth, at)| (*worth, std::cmp::Reverse(*at)))
        .map_or(earliest, |(_, at)| at)
}

/// FNV-1a: the same in every process and version.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Adds a line; one of the same speaker goes on with the last.
pub(super) fn add(messages: &mut Vec<Message>, message: Message) {
    match messages.last_mut() {
        Some(last) if last.role == message.role => {
            last.content.push('\n');
            last.content.push_str(&message.content);
        }
        _ => messages.push(message),
    }
}

/// Joins neighbours of the same speaker and puts the note in its place.
pub(super) fn join(talk: Vec<Message>, note: Option<NoteLine>) -> Vec<Message> {
    let note = note.filter(|n| n.fits);
    let place = note.as_ref().map(|n| talk.len().saturating_sub(usize::try_from(n.depth).unwrap_or(usize::MAX)));
    let mut note = note.map(|n| Message::user(n.text));
    let mut messages: Vec<Message> = Vec::with_capacity(talk.len() + 2);
    for (i, message) in talk.into_iter().enumerate() {
        if place == Some(i)
            && let Some(note) = note.take()
        {
            add(&mut messages, note);
        }
        add(&mut messages, message);
    }
    if let Some(note) = note {
        add(&mut messages, note);
    }
    messages
}
