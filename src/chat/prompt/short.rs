//! The short layout, for models of a few hundred million parameters: a few plain sentences, examples as if they had been
//! said, the last few lines. Everything here was found by reading replies (docs/voice.md).

use super::{
    Said, Scene, Why,
    budget::{self, Budget},
    choice::Choice,
    near::nearness,
    text::{fill, first_sentences, lower_first, sentences, spoken},
};
use crate::{
    ai::{Message, Sampling, Takes},
    chat::Sender,
};
use std::sync::Arc;

/// Tokens that the prompt may fill: what a small model can hold in mind.
pub(super) const ROOM: u32 = 600;
/// Longest reply, in tokens: about three sentences, after which it loses itself.
pub(super) const REPLY: u32 = 60;
/// Lines of the talk that are shown, the new one included; with more it feeds on its own.
pub(super) const LINES: usize = 3;
/// Sentences of an own reply that are shown again; long replies breed longer ones.
const SENTENCES: usize = 1;
/// Example exchanges that are shown: the strongest lever on the voice.
const EXAMPLES: usize = 6;
/// How many of them stand between the talk and the new line, so that the last words before a reply are the character's own.
const CLOSING: usize = 2;
/// Questions for example lines that have none of their own. None that people really ask first: the model keeps off what
/// it was shown.
const QUESTIONS: [&str; 6] = [
    "What do you do?",
    "Do you like the winter?",
    "I lost my map.",
    "Are you ever sad?",
    "Thank you.",
    "Do you like music?",
];

/// Guidance, away from what a plain greeting would be answered with, does more for the voice than any wording.
pub(super) const SAMPLING: Sampling =
    Sampling { temperature: 0.6, top_p: 0.95, min_p: 0.1, repeat_penalty: 1.1, guidance: 1.2, seed: None };

/// How often each sentence is drawn; the best stays.
const TAKES: u32 = 6;
/// Sentences of a reply; the third one seldom belongs to the first.
const REPLY_SENTENCES: u32 = 2;

/// How the sentences of a reply are chosen.
pub(super) fn takes(scene: &Scene) -> Takes {
    Takes { count: TAKES, sentences: REPLY_SENTENCES, judge: Arc::new(Choice::new(scene)) }
}

/// A small model says what it has in one breath.
pub(super) fn stops() -> Vec<String> {
    vec!["\n".to_owned()]
}

/// Everything before the talk, and what stands between the talk and the new line.
pub(super) fn opening(scene: &Scene, budget: &mut Budget<'_>) -> (Vec<Message>, Vec<Message>) {
    let mut messages = vec![Message::system(system(scene, budget))];
    messages.extend(examples(scene, budget));
    // The system line and at least one exchange stay at the beginning, where they are kept from reply to reply.
    let closing = messages.split_off(messages.len().saturating_sub(2 * CLOSING).max(messages.len().min(3)));
    (messages, closing)
}

/// A few plain sentences in the second person: all that a very small model keeps to.
fn system(scene: &Scene, budget: &mut Budget<'_>) -> String {
    let p = &scene.persona;
    let say = |text: &str| fill(text, &p.name, &scene.person);
    let title = p.title.trim().trim_end_matches('.');
    let clause = if title.is_empty() { String::new() } else { format!(", {}", lower_first(title)) };
    let mut parts = Vec::new();
    let identity = format!("You are {}{clause}. {}", p.name, sentences(&say(&p.personality), 300));
    parts.push(budget.clip("identity", identity.trim(), budget::IDENTITY));

    let rule = format!("You talk with {}. Answer in one to three short sentences, always as {}.", scene.person, p.name);
    budget.whole("instructions", &rule, 1);

    let items: Vec<String> = p.items.iter().map(|i| format!("{}: {}", i.name, say(&i.personality_effects))).collect();
    parts.push(budget.list("items", "You carry ", &items, "; ", (budget::ITEMS, 2)));

    // What happened to others says nothing about how this one talks, and a small model takes up every name it reads.
    let (own, others): (Vec<_>, Vec<_>) = scene.events.iter().partition(|e| e.is_own);
    let texts = |events: Vec<&super::Happening>| events.into_iter().map(|e| e.text.clone()).collect::<Vec<_>>();
    if own.is_empty() {
        budget.nothing("world", &texts(others), Why::SmallModel);
    } else {
        let all: Vec<String> = texts(own).into_iter().chain(texts(others)).collect();
        parts.push(budget.list("world", "Lately: ", &all, " ", (budget::WORLD, 1)));
    }
    parts.push(budget.list("memories", "You remember: ", &scene.memories, " ", (budget::MEMORIES, 2)));

    let summary = scene.notes.summary.split_whitespace().collect::<Vec<_>>().join(" ");
    if !summary.is_empty() && scene.notes.summary_is_off {
        budget.nothing("summary", &[summary], Why::SwitchedOff);
    } else {
        parts.push(budget.clip("summary", &summary, budget::SUMMARY));
    }
    let instructions = say(&scene.notes.instructions).split_whitespace().collect::<Vec<_>>().join(" ");
    parts.push(budget.clip("conversation", &instructions, budget::CONVERSATION));
    // In the last line it would be quoted back, so the note stands here, whatever its depth.
    let note = say(&scene.notes.note).split_whitespace().collect::<Vec<_>>().join(" ");
    parts.push(budget.clip("note", &note, budget::NOTE));
    parts.push(budget.clip("person", &person(scene), budget::PERSON));
    parts.push(rule);
    budget.sent_here("instructions");
    parts.retain(|p| !p.is_empty());
    parts.join(" ")
}

/// One sentence about the person.
fn person(scene: &Scene) -> String {
    let about = fill(scene.guest.description.trim(), &scene.persona.name, &scene.person);
    first_sentences(&about.split_whitespace().collect::<Vec<_>>().join(" "), 1)
}

/// Exchanges in the character's voice, as if they had been said: small models learn from these, not from rules.
fn examples(scene: &Scene, budget: &mut Budget<'_>) -> Vec<Message> {
    let p = &scene.persona;
    let say = |text: &str| fill(text, &p.name, &scene.person);
    let good = p.example_dialogue.iter().filter(|l| !l.oc.trim().is_empty());
    let mut exchanges: Vec<(String, String)> = good
        .zip(QUESTIONS.iter().cycle())
        .map(|(line, question)| {
            let asked = if line.user.trim().is_empty() { question } else { line.user.trim() };
            (say(asked), spoken(&say(line.oc.trim())))
        })
        .collect();
    closing_last(&mut exchanges, newest(scene));
    let groups: Vec<Vec<&str>> = exchanges.iter().map(|(asked, said)| vec![asked.as_str(), said.as_str()]).collect();
    let taken = budget.messages("examples", &groups, (budget::STYLE, EXAMPLES));
    let taken = exchanges.into_iter().take(taken);
    taken.flat_map(|(asked, said)| [Message::user(asked), Message::assistant(said)]).collect()
}

/// The line of the person that is to be answered; empty for a prompt that is read ahead.
fn newest(scene: &Scene) -> &str {
    scene.history.last().filter(|turn| turn.by == Sender::User).map_or("", |turn| &turn.content)
}

/// Puts the examples that stand nearest to the reply in their places: of those after the opening ones, which always stay
/// the same, the two whose questions are like the person's line, the nearest last.
fn closing_last(exchanges: &mut [(String, String)], line: &str) {
    let Some(later) = exchanges.get_mut(EXAMPLES - CLOSING..).filter(|later| later.len() >= CLOSING) else { return };
    // Stable: of equals, those come first that the character's maker put first.
    later.sort_by_cached_key(|(asked, _)| std::cmp::Reverse(nearness(asked, line)));
    if let Some(closing) = later.get_mut(..CLOSING)
        && !line.is_empty()
    {
        closing.reverse();
    }
}

/// What was said, without actions, in few sentences.
pub(super) fn said(scene: &Scene) -> Vec<Said> {
    let turns = scene.history.iter().filter(|t| !t.content.trim().is_empty());
    turns
        .map(|turn| match turn.by {
            Sender::User => Said { message: Message::user(turn.content.clone()), name: scene.person.clone() },
            Sender::Oc => Said {
                message: Message::assistant(first_sentences(&spoken(&turn.content), SENTENCES)),
                name: scene.persona.name.clone(),
            },
        })
        .collect()
}
