//! The prompt in the order that providers insist on.
//!
//! The Messages API wants the application's words apart, a person's line first, and an answer to every tool call; the
//! templates of many open models fail when two lines of the same side follow each other. So both protocols get the same
//! tidy list.

use crate::ai::{Message, Role, ToolCall};

/// What stands for the person before a conversation that the character began.
const BEGINNING: &str = "(The conversation begins.)";
/// What stands for the person when the character spoke last.
const GO_ON: &str = "(Go on.)";
/// What came of a tool that nobody answered for.
const NO_RESULT: &str = "There is no result.";

/// One side's turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The person.
    User(String),
    /// The character, and the tools it used.
    Assistant {
        /// Its words, may be empty when it used tools.
        text: String,
        /// Its calls.
        calls: Vec<ToolCall>,
    },
    /// What came of the calls before: their ids and the texts, in the order of the calls.
    Results(Vec<(String, String)>),
}

/// A prompt in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Turns {
    /// What the application says before anything else, never empty texts.
    pub system: Vec<String>,
    /// Begins with the person. Ends with the person or with results, unless words are put into the character's mouth.
    pub turns: Vec<Turn>,
    /// How many turns are the history: what follows was added or changed for this reply.
    pub settled: usize,
}

impl Turns {
    /// Puts a prompt in order. With `tools` false, calls and their results are left out. `prefill` is put into the
    /// character's mouth where `can_prefill`, and asked for otherwise.
    pub fn of(messages: &[Message], tools: bool, prefill: &str, can_prefill: bool) -> Self {
        let mut system = Vec::new();
        let mut turns: Vec<Turn> = Vec::new();
        let mut at_start = true;
        for message in messages {
            let text = message.content.trim();
            at_start &= message.role == Role::System;
            match message.role {
                Role::System if at_start => {
                    if !text.is_empty() {
                        system.push(text.to_owned());
                    }
                }
                Role::System => {
                    add_user(&mut turns, &format!("<instructions>\n{text}\n</instructions>"), text.is_empty())
                }
                Role::User => add_user(&mut turns, text, text.is_empty()),
                Role::Assistant => {
                    let calls = if tools { message.tool_calls.clone() } else { Vec::new() };
                    add_assistant(&mut turns, text, calls);
                }
                Role::Tool if tools => add_result(&mut turns, message),
                Role::Tool => {}
            }
        }
        close_calls(&mut turns);
        if !matches!(turns.first(), Some(Turn::User(_))) {
            turns.insert(0, Turn::User(BEGINNING.to_owned()));
        }
        let settled = turns.len().saturating_sub(1);
        if matches!(turns.last(), Some(Turn::Assistant { .. })) {
            turns.push(Turn::User(GO_ON.to_owned()));
        }
        let begun = prefill.trim_end();
        if !begun.is_empty() {
            if can_prefill {
                turns.push(Turn::Assistant { text: begun.to_owned(), calls: Vec::new() });
            } else {
                add_user(&mut turns, &go_on_from(begun), false);
            }
        }
        Self { system, turns, settled }
    }
}

/// Asks a model to go on from words that cannot be put into its mouth.
fn go_on_from(begun: &str) -> String {
    format!(
        "<instructions>\nYour answer was begun and cut off. Here is how far it went:\n<begun>{begun}</begun>\nWrite what \
         follows directly, and only that: do not repeat what is there, do not comment, keep voice and form. If it was \
         cut off inside a sentence, finish that sentence first.\n</instructions>"
    )
}

fn add_user(turns: &mut Vec<Turn>, text: &str, is_empty: bool) {
    if is_empty {
        return;
    }
    if let Some(Turn::User(before)) = turns.last_mut() {
        before.push_str("\n\n");
        before.push_str(text);
    } else {
        close_calls(turns);
        turns.push(Turn::User(text.to_owned()));
    }
}

fn add_assistant(turns: &mut Vec<Turn>, text: &str, calls: Vec<ToolCall>) {
    if text.is_empty() && calls.is_empty() {
        return;
    }
    close_calls(turns);
    match turns.last_mut() {
        Some(Turn::Assistant { text: before, calls: known }) if known.is_empty() => {
            if !before.is_empty() && !text.is_empty() {
                before.push_str("\n\n");
            }
            before.push_str(text);
            *known = calls;
        }
        _ => turns.push(Turn::Assistant { text: text.to_owned(), calls }),
    }
}

fn add_result(turns: &mut Vec<Turn>, message: &Message) {
    let Some(id) = &message.tool_call_id else { return };
    if matches!(turns.last(), Some(Turn::Assistant { calls, .. }) if !calls.is_empty()) {
        turns.push(Turn::Results(Vec::new()));
    }
    // A result without its call is refused by providers, so it is left out.
    let [.., Turn::Assistant { calls, .. }, Turn::Results(results)] = turns.as_mut_slice() else { return };
    if calls.iter().any(|call| call.id == *id) && !results.iter().any(|(known, _)| known == id) {
        results.push((id.clone(), message.content.clone()));
    }
}

/// Gives every call of the last turns a result, in the order of the calls.
fn close_calls(turns: &mut Vec<Turn>) {
    if matches!(turns.last(), Some(Turn::Assistant { calls, .. }) if !calls.is_empty()) {
        turns.push(Turn::Results(Vec::new()));
    }
    let [.., Turn::Assistant { calls, .. }, Turn::Results(results)] = turns.as_mut_slice() else { return };
    let known = std::mem::take(results);
    *results = calls
        .iter()
        .map(|call| {
            let text = known.iter().find(|(id, _)| *id == call.id).map(|(_, text)| text.trim()).unwrap_or_default();
            (call.id.clone(), if text.is_empty() { NO_RESULT.to_owned() } else { text.to_owned() })
        })
        .collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn call(id: &str) -> ToolCall {
        ToolCall { id: id.into(), name: "look".into(), arguments: json!({}), fault: None }
    }

    fn user(text: &str) -> Turn {
        Turn::User(text.into())
    }

    fn assistant(text: &str) -> Turn {
        Turn::Assistant { text: text.into(), calls: Vec::new() }
    }

    #[test]
    fn sides_take_turns_and_the_person_begins() {
        let messages = [
            Message::system("You are Mira."),
            Message::system(" "),
            Message::system("The lamp is out."),
            Message::assistant("Come in."),
            Message::user("Hello"),
            Message::user("Are you there?"),
            Message::assistant(""),
            Message::system("Be brief."),
            Message::assistant("Yes."),
            Message::assistant("Sit down."),
        ];
        let turns = Turns::of(&messages, true, "", true);
        assert_eq!(turns.system, ["You are Mira.", "The lamp is out."]);
        assert_eq!(
            turns.turns,
            [
                user(BEGINNING),
                assistant("Come in."),
                user("Hello\n\nAre you there?\n\n<instructions>\nBe brief.\n</instructions>"),
                assistant("Yes.\n\nSit down."),
                user(GO_ON),
            ]
        );
        assert_eq!(Turns::of(&[], true, "", true).turns, [user(BEGINNING)]);
    }

    #[test]
    fn every_call_has_a_result_and_every_result_a_call() {
        let messages = [
            Message::user("Look around"),
            Message::calling("Wait.", vec![call("a"), call("b")]),
            Message::tool("b", "a door"),
            Message::tool("b", "twice"),
            Message::tool("x", "nobody asked"),
            Message::user("Well?"),
            Message::calling("", vec![call("c")]),
            Message::assistant("I see a door."),
        ];
        let turns = Turns::of(&messages, true, "", true).turns;
        assert_eq!(
            turns,
            [
                user("Look around"),
                Turn::Assistant { text: "Wait.".into(), calls: vec![call("a"), call("b")] },
                Turn::Results(vec![("a".into(), NO_RESULT.into()), ("b".into(), "a door".into())]),
                user("Well?"),
                Turn::Assistant { text: String::new(), calls: vec![call("c")] },
                Turn::Results(vec![("c".into(), NO_RESULT.into())]),
                assistant("I see a door."),
                user(GO_ON),
            ]
        );
        let without = Turns::of(&messages, false, "", true).turns;
        assert_eq!(
            without,
            [user("Look around"), assistant("Wait."), user("Well?"), assistant("I see a door."), user(GO_ON)]
        );
    }

    #[test]
    fn begun_words_are_put_in_or_asked_for() {
        let messages = [Message::user("Hello")];
        assert_eq!(Turns::of(&messages, true, "She went ", true).turns, [user("Hello"), assistant("She went")]);
        let asked = Turns::of(&messages, true, "She went ", false).turns;
        assert!(
            matches!(asked.as_slice(), [Turn::User(text)] if text.contains("<begun>She went</begun>")),
            "{asked:?}"
        );
    }
}
