//! The talk: the newest lines that fit, oldest first, and the author's note among them.

use super::{
    NoteLine, Said, Scene,
    budget::{Budget, TEMPLATE},
    receipt::Why,
};
use crate::ai::{Message, Role};

/// What is said before a line that nothing came before, so that the talk begins with the person.
const OPENING: &str = "Hello?";

/// The newest of `said` within what the others left less `set_aside`, at most `lines` of them. The newest always goes in,
/// whatever it costs; a model that cannot hold it says so itself.
pub(super) fn keep(
    scene: &Scene,
    said: Vec<Said>,
    lines: usize,
    set_aside: u32,
    budget: &mut Budget<'_>,
) -> Vec<Message> {
    let room = budget.left().saturating_sub(set_aside);
    let (mut cost, mut kept) = (0_u32, 0);
    for line in said.iter().rev().take(lines) {
        let tokens = budget.cost(&line.message.content).saturating_add(TEMPLATE);
        if kept > 0 && cost.saturating_add(tokens) > room {
            break;
        }
        cost = cost.saturating_add(tokens);
        kept += 1;
    }
    let left_out = said.len() - kept;
    let mut why = Vec::new();
    if left_out > 0 {
        let what = if left_out == 1 { "1 older line".to_owned() } else { format!("{left_out} older lines") };
        why.push((what, if kept == lines { Why::SmallModel } else { Why::NoRoom }));
    }
    if scene.has_older {
        why.push(("Everything before".to_owned(), Why::NotRead));
    }
    let kept_lines = || said.iter().skip(left_out);
    let text = kept_lines().map(|l| format!("{}: {}", l.name, l.message.content)).collect::<Vec<_>>().join("\n");
    budget.talk(cost, &text, kept, left_out, why);
    said.into_iter().skip(left_out).map(|l| l.message).collect()
}

/// Joins neighbours of the same speaker, lets the person begin if `person_first`, and puts the note in its place.
pub(super) fn join(talk: Vec<Message>, person_first: bool, note: Option<NoteLine>) -> Vec<Message> {
    let note = note.filter(|n| n.fits);
    let place = note.as_ref().map(|n| talk.len().saturating_sub(usize::try_from(n.depth).unwrap_or(usize::MAX)));
    let mut note = note.map(|n| Message::user(n.text));
    let mut messages: Vec<Message> = Vec::with_capacity(talk.len() + 2);
    let add = |messages: &mut Vec<Message>, message: Message| match messages.last_mut() {
        Some(last) if last.role == message.role => {
            last.content.push('\n');
            last.content.push_str(&message.content);
        }
        _ => messages.push(message),
    };
    for (i, message) in talk.into_iter().enumerate() {
        if place == Some(i)
            && let Some(note) = note.take()
        {
            add(&mut messages, note);
        }
        if person_first && messages.is_empty() && message.role == Role::Assistant {
            messages.push(Message::user(OPENING));
        }
        add(&mut messages, message);
    }
    if let Some(note) = note {
        add(&mut messages, note);
    }
    messages
}
