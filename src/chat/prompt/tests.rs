//! What prompts must hold, whatever is in the scene.

use super::{text::sentences, *};
use crate::{
    ai::Role,
    ids::OcId,
    ocs::{ContentRating, ExampleLine, OcKind, store::PersonaItem},
};
use proptest::prelude::*;

fn mira() -> Persona {
    Persona {
        id: OcId(uuid::Uuid::nil()),
        owner_id: None,
        kind: OcKind::Oc,
        name: "Mira".into(),
        slug: "mira".into(),
        title: "keeper of storms".into(),
        description: "She keeps the lamp at Harrow Point.".into(),
        personality: "Shy in daylight, oddly brave after ten. Fond of {{user}}.".into(),
        greeting: String::new(),
        alternate_greetings: vec![],
        scenario: String::new(),
        example_dialogue: vec![
            ExampleLine {
                user: "Is it raining?".into(),
                oc: "Only in the **third** jar, {{user}}. *She nods.*".into(),
            },
            ExampleLine { user: String::new(), oc: "Mind the step.".into() },
        ],
        system_prompt: String::new(),
        voice_tone: "low, unhurried".into(),
        forbidden_phrases: vec!["as an AI".into()],
        items: vec![PersonaItem {
            name: "The Tuesday gale".into(),
            personality_effects: "braver when the lamp is lit".into(),
        }],
        quick_start: vec![],
        content_rating: ContentRating::General,
        is_public: true,
        version: 1,
    }
}

pub(super) fn scene(turns: usize) -> Scene {
    let history = (0..turns)
        .map(|i| Turn {
            by: if i % 2 == 0 { Sender::Oc } else { Sender::User },
            content: format!("line {i} of the talk"),
        })
        .collect();
    Scene {
        persona: mira(),
        person: "Ada".into(),
        guest: Guest::default(),
        notes: Notes::default(),
        events: vec![Happening { text: "Captain Vesper borrowed a squall.".into(), is_own: true }],
        memories: vec!["Ada's father worked on boats.".into()],
        history,
        has_older: false,
    }
}

fn info(context: u32, local: bool) -> ModelInfo {
    ModelInfo {
        provider: "test".into(),
        name: "Test".into(),
        context,
        local,
        capabilities: crate::ai::Capabilities::default(),
    }
}

fn words(text: &str) -> u32 {
    u32::try_from(text.split_whitespace().count()).unwrap()
}

#[test]
fn identity_first_and_names_filled_in() {
    for (context, local) in [(2048, true), (100_000, false)] {
        let prompt = build(&scene(4), &info(context, local), &words, "");
        let first = &prompt.request.messages[0];
        assert_eq!(first.role, Role::System);
        assert!(first.content.starts_with("You are Mira, keeper of storms."), "{}", first.content);
        for part in ["Fond of Ada", "braver when the lamp is lit", "Captain Vesper", "father worked on boats"] {
            assert!(first.content.contains(part), "{part} in {}", first.content);
        }
        assert!(prompt.request.messages.iter().all(|m| !m.content.contains("{{")));
        assert_eq!(prompt.request.messages.last().unwrap().content, "line 3 of the talk");
    }
}

#[test]
fn examples_are_said_to_small_models_and_shown_to_large_ones() {
    let small = build(&scene(2), &info(2048, true), &words, "").request.messages;
    assert_eq!(small[1], Message::user("Is it raining?"));
    assert_eq!(small[2], Message::assistant("Only in the third jar, Ada."));
    let large = build(&scene(2), &info(100_000, false), &words, "").request.messages;
    assert!(
        large[0]
            .content
            .contains("Ada: Is it raining?\nMira: Only in the **third** jar, Ada. *She nods.*\nMira: Mind the step.")
    );
    assert!(large[0].content.contains("never say: as an AI"));
    assert_eq!(large[1].role, Role::Assistant);
}

#[test]
fn newest_lines_are_kept_within_the_budget_and_the_receipt_says_so() {
    let prompt = build(&scene(400), &info(2048, true), &words, "");
    let total: u32 = prompt.receipt.sections.iter().map(|s| s.tokens).sum();
    assert!(total <= short::ROOM, "{total}");
    assert_eq!(total, prompt.receipt.tokens);
    let history = prompt.receipt.sections.last().unwrap();
    assert_eq!(history.name, "history");
    assert_eq!(history.entries + history.left_out, 400);
    assert_eq!(history.left, [Left { what: "397 older lines".into(), why: Why::SmallModel }]);
    assert_eq!(history.entries, 3);
    assert_eq!(prompt.request.messages.last().unwrap().content, "line 399 of the talk");
}

#[test]
fn the_newest_line_goes_in_even_if_it_fills_everything() {
    let mut scene = scene(3);
    scene.history.push(Turn { by: Sender::User, content: "word ".repeat(5000) });
    let prompt = build(&scene, &info(2048, true), &words, "");
    assert_eq!(prompt.receipt.sections.last().unwrap().entries, 1);
    assert!(prompt.request.messages.last().unwrap().content.starts_with("word"));
}

#[test]
fn empty_replies_vanish_and_neighbours_join() {
    let mut scene = scene(0);
    for (by, content) in [(Sender::User, "one"), (Sender::Oc, ""), (Sender::User, "two")] {
        scene.history.push(Turn { by, content: content.into() });
    }
    let messages = build(&scene, &info(100_000, false), &words, "").request.messages;
    assert_eq!(messages[1..], [Message::user("one\ntwo")]);
}

#[test]
fn small_models_see_few_short_lines_and_the_person_begins() {
    let mut scene = scene(2);
    scene.history[0].content = "*She waits.* One.\nTwo! Three? Four.".into();
    let messages = build(&scene, &info(2048, true), &words, "").request.messages;
    assert_eq!(
        messages[3..],
        [
            Message::user("Hello?"),
            Message::assistant("One."),
            // Examples stand between the talk and the new line: the last words before a reply are the character's own.
            Message::user("Do you like the winter?"),
            Message::assistant("Mind the step."),
            Message::user("line 1 of the talk")
        ]
    );
    assert_eq!(build(&scene, &info(2048, true), &words, "").request.stop, ["\n"]);
}

#[test]
fn what_is_read_ahead_is_how_the_next_prompt_begins() {
    for info in [info(2048, true), info(100_000, false)] {
        for turns in [3, 5, 21] {
            let ahead = build(&scene(turns), &info, &words, "").request.messages;
            let next = build(&scene(turns + 1), &info, &words, "").request.messages;
            assert_eq!(ahead[..], next[..ahead.len()]);
            assert_eq!(next.len(), ahead.len() + 1);
        }
    }
}

#[test]
fn the_beginning_stays_the_same_from_message_to_message() {
    let (a, b) = (build(&scene(2), &info(2048, true), &words, ""), build(&scene(4), &info(2048, true), &words, ""));
    assert_eq!(a.request.messages[..3], b.request.messages[..3]);
    let (a, b) =
        (build(&scene(2), &info(90_000, false), &words, ""), build(&scene(4), &info(90_000, false), &words, ""));
    assert_eq!(a.request.messages[..], b.request.messages[..a.request.messages.len()]);
}

#[test]
fn replies_end_with_a_whole_sentence_when_they_were_cut() {
    assert_eq!(finished("One. Two and th", 0, true), "One.");
    assert_eq!(finished("\"One.\" Two and th", 0, true), "\"One.\"");
    assert_eq!(finished("*She nods.* It is 3.1", 0, true), "*She nods.*");
    assert_eq!(finished("no end in sight", 0, true), "no end in sight");
    assert_eq!(finished("Kept. and more wor", 12, true), "Kept. and more wor");
    assert_eq!(finished("One. Two ", 0, false), "One. Two");
    assert_eq!(finished("*She nods", 0, false), "*She nods*");
    assert_eq!(finished("雨だ。そして", 0, true), "雨だ。そして");
}

#[test]
fn long_personalities_keep_whole_sentences() {
    assert_eq!(sentences("One two. Three four. Five six.", 22), "One two. Three four.");
    assert_eq!(sentences("one two three four", 9), "one two.");
}

fn section<'r>(prompt: &'r Prompt, name: &str) -> &'r Section {
    prompt.receipt.sections.iter().find(|s| s.name == name).unwrap_or_else(|| panic!("no {name} in {prompt:#?}"))
}

#[test]
fn what_happened_to_others_is_not_told_to_small_models() {
    let mut scene = scene(2);
    scene.events = vec![Happening { text: "Lyra woke up.".into(), is_own: false }];
    let small = build(&scene, &info(2048, true), &words, "");
    assert!(!small.request.messages[0].content.contains("Lyra"));
    assert_eq!(section(&small, "world").left, [Left { what: "Lyra woke up.".into(), why: Why::SmallModel }]);
    assert!(build(&scene, &info(100_000, false), &words, "").request.messages[0].content.contains("Lyra woke up."));
}

#[test]
fn notes_and_persona_reach_the_model() {
    let mut scene = scene(6);
    scene.person = "Wren".into();
    scene.guest =
        Guest { pronouns: "she/her".into(), description: "{{user}} is a night nurse. She keeps bees.".into() };
    scene.notes = Notes {
        instructions: "We are on a ferry.".into(),
        note: "It rains.".into(),
        note_depth: 2,
        summary: "They met in March.".into(),
        summary_is_off: false,
    };
    let small = build(&scene, &info(2048, true), &words, "");
    let system = &small.request.messages[0].content;
    for part in
        ["Wren is a night nurse.", "We are on a ferry.", "It rains.", "They met in March.", "You talk with Wren."]
    {
        assert!(system.contains(part), "{part} in {system}");
    }
    assert!(!system.contains("bees"), "one sentence is enough for a small model: {system}");

    let large = build(&scene, &info(100_000, false), &words, "").request.messages;
    for part in ["Whom you talk with: Wren (she/her). Wren is a night nurse. She keeps bees.", "We are on a ferry."] {
        assert!(large[0].content.contains(part), "{part} in {}", large[0].content);
    }
    // oc, user, oc, user, note, oc, user: joined to the person's line before the last two lines.
    assert_eq!(large[large.len() - 3].content, "line 3 of the talk\n[Author's note, not said aloud: It rains.]");
    scene.notes.note_depth = 0;
    let large = build(&scene, &info(100_000, false), &words, "").request.messages;
    assert!(large.last().unwrap().content.ends_with("line 5 of the talk\n[Author's note, not said aloud: It rains.]"));
    scene.notes.note_depth = 20;
    let large = build(&scene, &info(100_000, false), &words, "").request.messages;
    assert_eq!(large[1].content, "[Author's note, not said aloud: It rains.]");

    scene.notes.summary_is_off = true;
    for info in [info(2048, true), info(100_000, false)] {
        let prompt = build(&scene, &info, &words, "");
        assert!(!prompt.request.messages[0].content.contains("March"));
        let left = &section(&prompt, "summary").left;
        assert_eq!(left[..], [Left { what: "They met in March.".into(), why: Why::SwitchedOff }]);
    }
}

#[test]
fn long_sheets_are_cut_at_sentences_and_leave_room_for_the_talk() {
    let mut scene = scene(200);
    scene.persona.description = "She keeps the lamp at Harrow Point. ".repeat(2000);
    let prompt = build(&scene, &info(4000, false), &words, "");
    let identity = section(&prompt, "identity");
    assert!(identity.text.ends_with("Harrow Point."), "{}", identity.text);
    assert_eq!(identity.left[0].why, Why::NoRoom);
    assert!(section(&prompt, "history").entries > 50);
    assert!(prompt.receipt.tokens <= prompt.receipt.room);
}

#[test]
fn receipts_survive_the_database_and_say_what_was_sent() {
    let mut prompt = build(&scene(4), &info(2048, true), &words, "");
    assert!(section(&prompt, "history").text.ends_with("Ada: line 3 of the talk"));
    assert_eq!(prompt.receipt.sampling.repeat_penalty, 1.1);
    let value = serde_json::to_value(&prompt.receipt).unwrap();
    assert!(value.get("via").is_none());
    assert_eq!(serde_json::from_value::<Receipt>(value).unwrap(), prompt.receipt);
    prompt.receipt.via = Some("Other".into());
    let old = serde_json::json!({"layout": "short", "model": "M", "sections": [{"name": "history", "tokens": 3}]});
    assert_eq!(serde_json::from_value::<Receipt>(old).unwrap().sections[0].tokens, 3);
    let long = receipt::kept(&"x".repeat(50_000));
    assert!(long.len() < 8100 && long.contains("42000 characters are not shown"), "{}", long.len());
}

fn text() -> impl Strategy<Value = String> {
    proptest::string::string_regex("([a-zäöü雨]{1,9}[.!?]? ){0,60}").unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is in the scene: nothing is sent beyond the room unless the newest line alone is, the newest line is always
    /// last, the receipt's parts add up to its sum, and what is sent costs no more than the receipt says.
    #[test]
    fn the_budget_holds(
        parts in proptest::collection::vec(text(), 9),
        said in proptest::collection::vec(text(), 1..40),
        newest in "[a-z]{1,9}( [a-z]{1,9}){0,20}",
        context in 700_u32..9000,
        local in any::<bool>(),
        depth in 0_u32..30,
    ) {
        let mut scene = scene(0);
        let [personality, description, scenario, item, memory, event, instructions, note, summary] = &parts[..] else {
            unreachable!()
        };
        scene.persona.personality.clone_from(personality);
        scene.persona.description = description.repeat(20);
        scene.persona.scenario.clone_from(scenario);
        scene.persona.items[0].personality_effects.clone_from(item);
        scene.memories = vec![memory.clone(); 10];
        scene.events = vec![Happening { text: event.clone(), is_own: local }; 5];
        scene.notes = Notes {
            instructions: instructions.clone(),
            note: note.clone(),
            note_depth: depth,
            summary: summary.clone(),
            summary_is_off: false,
        };
        scene.history = said
            .iter()
            .enumerate()
            .map(|(i, s)| Turn { by: if i % 2 == 0 { Sender::Oc } else { Sender::User }, content: s.clone() })
            .collect();
        scene.history.push(Turn { by: Sender::User, content: newest.clone() });
        // Three characters a token: nothing like words, so that the rules cannot lean on them.
        let count = |t: &str| u32::try_from(t.chars().count().div_ceil(3)).unwrap();
        let prompt = build(&scene, &info(context, local), &count, "");
        let receipt = &prompt.receipt;
        let sum: u32 = receipt.sections.iter().map(|s| s.tokens).sum();
        prop_assert_eq!(sum, receipt.tokens);
        prop_assert!(sum <= receipt.room, "{} of {}", sum, receipt.room);
        prop_assert!(receipt.room + receipt.reply <= context);
        let sent: u32 = prompt.request.messages.iter().map(|m| count(&m.content)).sum();
        prop_assert!(sent <= receipt.tokens, "{} sent, {} told", sent, receipt.tokens);
        let last = prompt.request.messages.last().unwrap();
        prop_assert_eq!(last.role, Role::User);
        prop_assert!(last.content.contains(&newest));
        for section in &receipt.sections {
            prop_assert!(section.left_out == 0 || !section.left.is_empty(), "{:?}", section);
        }
        for (a, b) in prompt.request.messages.iter().zip(prompt.request.messages.iter().skip(1)) {
            prop_assert!(a.role != b.role, "two lines of one speaker");
        }
    }
}

#[test]
fn the_nearest_examples_stand_last_and_the_first_ones_stay() {
    let mut scene = scene(2);
    scene.persona.example_dialogue =
        ["one", "two", "three", "four", "Is it cold here?", "I am sad today.", "Do you like tea?"]
            .map(|user| ExampleLine { user: user.into(), oc: format!("About {user}") })
            .to_vec();
    let mut last = |line: &str| {
        scene.history.push(Turn { by: Sender::User, content: line.into() });
        let prompt = build(&scene, &info(2048, true), &words, "");
        scene.history.pop();
        let lines: Vec<String> = prompt.request.messages.iter().map(|m| m.content.clone()).collect();
        assert_eq!(lines[1..9].iter().step_by(2).collect::<Vec<_>>(), ["one", "two", "three", "four"]);
        assert_eq!(prompt.receipt.sections.iter().find(|s| s.name == "examples").unwrap().left_out, 1);
        lines[lines.len() - 3].clone()
    };
    assert_eq!(last("Do you like music?"), "Do you like tea?");
    assert_eq!(last("I had a rough day."), "I am sad today.");
    assert_eq!(last("Where is this place?"), "Is it cold here?");
}

#[test]
fn only_small_models_are_asked_several_times() {
    let small = build(&scene(2), &info(2048, true), &words, "");
    assert_eq!(small.request.takes.as_ref().map(|t| t.count), Some(small.receipt.sampling.takes));
    assert!(small.receipt.sampling.takes > 1);
    let large = build(&scene(2), &info(100_000, false), &words, "");
    assert!(large.request.takes.is_none());
    assert_eq!(large.receipt.sampling.takes, 1);
}
