//! Files of every kind and version, whole and broken.

use super::{date::date, *};
use proptest::prelude::*;
use serde_json::Value;

const HEAD: &str = r#"{"user_name":"Ada","character_name":"Lumina","create_date":"2024-7-12@01h31m37s","chat_metadata":{"note_prompt":""}}"#;

fn file(lines: &[&str]) -> AppResult<Chat> {
    read(lines.join("\n").as_bytes())
}

fn told(chat: &Chat) -> Vec<(Option<usize>, Sender, &str)> {
    chat.nodes.iter().map(|n| (n.parent, n.by, n.content.as_str())).collect()
}

#[test]
fn halves_of_characters_refuse_nothing() {
    let line = r#"{"name":"Lumina","is_user":false,"mes":"Good \ud83d evening \ud83d\ude0a","extra":{}}"#;
    let chat = file(&[HEAD, line]).unwrap();
    assert_eq!(told(&chat), [(None, Sender::Oc, "Good \u{fffd} evening 😊")]);
}

#[test]
fn swipes_become_other_wordings() {
    let chat = file(&[
        HEAD,
        r#"{"name":"Lumina","is_user":false,"is_system":false,"send_date":"July 12, 2024 1:31am","mes":"Hello.","extra":{}}"#,
        r#"{"name":"Ada","is_user":true,"send_date":"July 12, 2024 1:32am","mes":"Hi","swipes":["ignored"]}"#,
        r#"{"name":"Lumina","is_user":false,"send_date":"July 12, 2024 1:33am","mes":"Two, edited","swipe_id":1,
            "swipes":["One","Two","Three"],"swipe_info":[{"send_date":"2024-07-12T01:32:30Z","extra":{"model":"m-1"}}],"extra":{"model":"m-2"}}"#
            .replace('\n', " ")
            .as_str(),
        "",
        r#"{"name":"Ada","is_user":true,"send_date":1720747980000,"mes":"And?"}"#,
    ])
    .unwrap();
    let (user, oc) = (Sender::User, Sender::Oc);
    let expected = [
        (None, oc, "Hello."),
        (Some(0), user, "Hi"),
        (Some(1), oc, "One"),
        (Some(1), oc, "Two, edited"),
        (Some(1), oc, "Three"),
        (Some(3), user, "And?"),
    ];
    assert_eq!(told(&chat), expected);
    assert_eq!((chat.leaf, chat.name.as_str(), chat.left_out), (Some(5), "Lumina", 0));
    let at = |i: usize| chat.nodes[i].at.unwrap().to_rfc3339();
    assert_eq!(at(0), "2024-07-12T01:31:00+00:00");
    assert_eq!(at(2), "2024-07-12T01:32:30+00:00");
    assert_eq!(at(3), "2024-07-12T01:33:00+00:00");
    assert_eq!((chat.nodes[2].model.as_str(), chat.nodes[3].model.as_str()), ("m-1", "m-2"));
}

#[test]
fn lenient_where_versions_differ() {
    // No head, no names, a swipe_id out of range, a hidden line, a note of the program, an empty message, a BOM, CRLF.
    let text = "\u{feff}{\"mes\":\"First\",\"is_user\":false}\r\n\
        {\"mes\":\"shown\",\"is_user\":false,\"swipe_id\":9,\"swipes\":[\"other\",7,null]}\r\n\
        {\"mes\":\"hidden\",\"is_user\":true,\"is_system\":true}\r\n\
        {\"mes\":\"A note\",\"is_system\":true,\"extra\":{\"type\":\"comment\"}}\r\n\
        {\"mes\":\"  \",\"is_user\":true}\r\n\
        {\"mes\":\"a\u{202e}b\\u0000c\",\"send_date\":\"some day\"}\r\n";
    let chat = read(text.as_bytes()).unwrap();
    let words: Vec<_> = told(&chat).into_iter().map(|(p, _, c)| (p, c)).collect();
    assert_eq!(words, [(None, "First"), (Some(0), "other"), (Some(0), "shown"), (Some(2), "hidden"), (Some(3), "abc")]);
    assert_eq!((chat.left_out, chat.nodes[4].at), (2, None));
    // A group: those who are not the main voice are named.
    let chat = file(&[
        HEAD,
        r#"{"name":"Lumina","mes":"One"}"#,
        r#"{"name":"Thorne","mes":"Two"}"#,
        r#"{"name":"Lumina","mes":"Three"}"#,
    ])
    .unwrap();
    assert_eq!(told(&chat)[1].2, "**Thorne:** Two");
    assert_eq!(told(&chat)[2].2, "Three");
    // The word that newer versions write instead of a name.
    let chat = file(&[
        r#"{"chat_metadata":{},"user_name":"unused","character_name":"unused"}"#,
        r#"{"name":"Mira","mes":"x"}"#,
    ]);
    assert_eq!(chat.unwrap().name, "Mira");
}

fn skipped(chat: &Chat) -> Vec<(u32, Unread)> {
    chat.skipped.iter().map(|s| (s.line, s.reason)).collect()
}

#[test]
fn a_line_that_cannot_be_read_costs_that_line_alone() {
    let long = format!(r#"{{"mes":"{}"}}"#, "x".repeat(60_001));
    let swipes = format!(r#"{{"mes":"a","swipes":[{}]}}"#, vec![r#""a""#; 201].join(","));
    let chat = file(&[
        HEAD,
        r#"{"mes":"one"}"#,
        r#"{"mes":"cut of"#,
        "{}",
        "[1]",
        r#"{"mes":7}"#,
        r#"{"mes":"x","is_user":"yes"}"#,
        &long,
        &swipes,
        r#"{"mes":"two","is_user":true}"#,
    ])
    .unwrap();
    assert_eq!(told(&chat), [(None, Sender::Oc, "one"), (Some(0), Sender::User, "two")]);
    let reasons = [
        (3, Unread::NotJson),
        (4, Unread::NoMessage),
        (5, Unread::NotObject),
        (6, Unread::WrongType),
        (7, Unread::WrongType),
        (8, Unread::TooLong),
        (9, Unread::TooManySwipes),
    ];
    assert_eq!(skipped(&chat), reasons);
    let chat = read(b"{\"mes\":\"a\"}\n{\"mes\":\"\xff\"}\n{\"mes\":\"b\"}").unwrap();
    assert_eq!((told(&chat).len(), skipped(&chat)), (2, vec![(2, Unread::NotText)]));
    // A swipe too long beside the one that was shown.
    let chat = file(&[&format!(r#"{{"mes":"ok","swipe_id":0,"swipes":["ok","{}"]}}"#, "x".repeat(60_001))]).unwrap();
    assert_eq!((told(&chat).len(), chat.skipped.len()), (1, 0));
    // Half an emoji.
    let chat = file(&[HEAD, r#"{"mes":"Good \ud83d evening"}"#]).unwrap();
    assert_eq!(told(&chat)[0].2, "Good \u{fffd} evening");
}

#[test]
fn a_file_without_a_readable_line_is_refused() {
    let of = |lines: &[&str]| file(lines).unwrap_err().to_string();
    assert!(of(&["hello"]).starts_with("Line 1: This is neither"));
    assert!(of(&["{}"]).starts_with("Line 1: The message"));
    assert!(of(&[HEAD, r#"{"mes":"cut of"#]).starts_with("Line 2: This is not JSON"));
    assert!(of(&[HEAD]).contains("no message"));
    assert!(of(&["  "]).contains("empty"));
    assert!(of(&[r#"{"spec":"chara_card_v2","data":{"name":"X"}}"#]).contains("character card"));
    assert!(
        of(&["{", r#""name": "X","first_mes": "Hi","#, r#""personality": "calm""#, "}"]).contains("character card")
    );
    assert!(read(b"\x89PNG\r\n\x1a\n\0\0").unwrap_err().to_string().contains("character card"));
    let many = vec![r#"{"mes":"x"}"#; LINES_MAX + 1].join("\n");
    assert!(read(many.as_bytes()).unwrap_err().to_string().starts_with(&format!("Line {}", LINES_MAX + 1)));
    assert!(matches!(read(&vec![b' '; IMPORT_MAX + 1]), Err(AppError::TooLarge { .. })));
}

#[test]
fn narrators_speak_and_programs_do_not() {
    let chat = file(&[
        r#"{"name":"Mira","mes":"Hello.","is_system":false}"#,
        r#"{"name":"Mira","mes":"Sit down.","is_system":true,"extra":{}}"#,
        r#"{"name":"Narrator","mes":"A gull passes.","is_system":true,"extra":{"type":"narrator"}}"#,
        r#"{"name":"System","mes":"Type /help.","is_system":true,"extra":{"type":"help"}}"#,
        r#"{"name":"Note","mes":"Remember the boat.","is_system":true,"extra":{"type":"comment"}}"#,
    ])
    .unwrap();
    let words: Vec<_> = told(&chat).into_iter().map(|(_, _, words)| words).collect();
    assert_eq!(words, ["Hello.", "Sit down.", "**Narrator:** A gull passes."]);
    assert_eq!((chat.left_out, chat.skipped.len()), (2, 0));
}

#[test]
fn names_are_shown_as_they_are() {
    for (name, text) in [
        ("x_y_z **loud", "x_y_z **loud:"),
        ("[a](https://evil.example)", "[a](https://evil.example):"),
        ("<b>`q`</b> &amp; \\ *s*", "<b>`q`</b> &amp; \\ *s*:"),
        ("~~Ned~~ #1", "~~Ned~~ #1:"),
    ] {
        let mes = |name: &str, mes: &str| serde_json::json!({ "name": name, "mes": mes }).to_string();
        let chat = file(&[&mes("Mira", "One."), &mes(name, "Two."), &mes("Mira", "Three.")]).unwrap();
        let said = told(&chat)[1].2.to_owned();
        assert_eq!(crate::server::markdown::plain(&said, 200), format!("{text} Two."), "{said}");
        let html = crate::server::markdown::render(&said);
        assert_eq!((html.matches("<strong>").count(), html.matches('<').count()), (1, 4), "{html}");
    }
}

fn json(messages: &str) -> AppResult<Chat> {
    let text = format!(
        r#"{{"format":"{FORMAT}","version":1,"conversation":{{"title":"T","character":{{"name":"Lumina","slug":"lumina"}},"shown_until":"b"}},"messages":[{messages}]}}"#
    );
    read(text.as_bytes())
}

#[test]
fn our_own_files_come_back() {
    let chat = json(
        r#"{"id":"c","parent_id":"a","sender":"oc","content":"C","rating":9},{"id":"a","sender":"oc","content":"A","created_at":"2026-01-02T03:04:05.678901Z"},
           {"id":"b","parent_id":"a","sender":"user","content":"B","rating":4,"helpful":true,"model":"m","unknown":1}"#,
    )
    .unwrap();
    let (user, oc) = (Sender::User, Sender::Oc);
    assert_eq!(told(&chat), [(None, oc, "A"), (Some(0), oc, "C"), (Some(0), user, "B")]);
    assert_eq!((chat.leaf, chat.slug.as_str(), chat.title.as_str()), (Some(2), "lumina", "T"));
    assert_eq!((chat.nodes[1].rating, chat.nodes[2].rating, chat.nodes[2].helpful), (None, Some(4), Some(true)));
    // What cannot be read goes, and with it what answered it; the rest stays.
    let chat = json(
        r#"{"id":"a","sender":"oc","content":"A"},{"id":"a","sender":"oc","content":"again"},{"id":"z","parent_id":"y","sender":"oc","content":"Z"},
           {"id":"c","sender":"cat","content":"C"},{"id":"d","parent_id":"c","sender":"user","content":"D"},7,
           {"id":"e","parent_id":"f","sender":"oc","content":"E"},{"id":"f","parent_id":"e","sender":"user","content":"F"},
           {"id":"b","parent_id":"a","sender":"user","content":"half \ude0a"}"#,
    )
    .unwrap();
    assert_eq!(told(&chat), [(None, oc, "A"), (Some(0), user, "half \u{fffd}")]);
    use Unread::{Orphan, Twice, WrongType};
    let reasons = [(2, Twice), (3, Orphan), (4, WrongType), (5, Orphan), (6, WrongType), (7, Orphan), (8, Orphan)];
    assert_eq!(skipped(&chat), reasons);
    for (messages, what) in [
        (r#"{"id":"a","sender":"oc","content":"A","parent_id":"z"}"#, "Line 1"),
        (r#"{"id":"a","sender":"cat","content":"A"}"#, "Line 1"),
        ("", "no message"),
        ("{", "Line 1"),
    ] {
        let error = json(messages).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
    let newer = format!(r#"{{"format":"{FORMAT}","version":2,"conversation":{{}},"messages":[]}}"#);
    assert!(read(newer.as_bytes()).unwrap_err().to_string().contains("newer version"));
}

#[test]
fn dates_of_all_versions() {
    for (text, iso) in [
        ("2025-06-01T12:00:00.250Z", "2025-06-01T12:00:00.250Z"),
        ("2025-06-01T12:00:00.250", "2025-06-01T12:00:00.250Z"),
        ("2025-06-01T12:00:00+0530", "2025-06-01T06:30:00.000Z"),
        ("2025-06-01 12:00:00 -0330", "2025-06-01T15:30:00.000Z"),
        ("2025-06-01T12:00:00+05:30", "2025-06-01T06:30:00.000Z"),
        ("September 28, 2024 3:45pm", "2024-09-28T15:45:00.000Z"),
        ("September 28, 2024 3:45 PM", "2024-09-28T15:45:00.000Z"),
        ("Sep 28, 2024 12:05am", "2024-09-28T00:05:00.000Z"),
        ("September 28, 2024 0:05am", "2024-09-28T00:05:00.000Z"),
        ("September 28, 2024 12:05pm", "2024-09-28T12:05:00.000Z"),
        ("Saturday, September 28, 2024 at 3:45:09 PM", "2024-09-28T15:45:09.000Z"),
        ("28 September 2024 15:45", "2024-09-28T15:45:00.000Z"),
        ("28th Sept 2024", ""),
        ("28th Sep 2024", "2024-09-28T00:00:00.000Z"),
        ("Sat, 28 Sep 2024 15:45:00 GMT", "2024-09-28T15:45:00.000Z"),
        ("Sat, 28 Sep 2024 15:45:00 +0200", "2024-09-28T13:45:00.000Z"),
        ("28.09.2024, 15:45", "2024-09-28T15:45:00.000Z"),
        ("5.6.24, 15:45", "2024-06-05T15:45:00.000Z"),
        ("2024/9/28 15:45", "2024-09-28T15:45:00.000Z"),
        ("9/28/24, 3:45\u{202f}PM", "2024-09-28T15:45:00.000Z"),
        ("6/5/2024, 3:45:01 PM", "2024-06-05T15:45:01.000Z"),
        ("28/09/2024, 15:45:00", "2024-09-28T15:45:00.000Z"),
        ("2023-5-12 @15h 45m 30s 123ms", "2023-05-12T15:45:30.123Z"),
        ("2024-7-12@01h31m37s", "2024-07-12T01:31:37.000Z"),
        ("1720747980000", "2024-07-12T01:33:00.000Z"),
        // Two readings, or none.
        ("06/05/2024, 15:45:00", ""),
        ("6/5/2024, 3:45 pm", ""),
        ("7/12/24", ""),
        ("scene 12 of 7, take 3", ""),
        ("12 7 2024", ""),
        ("September 28, 2024 3:45 of the clock", ""),
        ("September 31, 2024 3:45pm", ""),
        ("September 28, 2024 13:45pm", ""),
        ("2024-13-01 10:00", ""),
        ("yesterday", ""),
        ("", ""),
    ] {
        let at = date(&Value::from(text)).map(|d| d.to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
        assert_eq!(at.unwrap_or_default(), iso, "{text}");
    }
    assert_eq!(date(&Value::from(-5)), None);
    assert_eq!(date(&Value::Null), None);
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in ".{0,200}") {
        let _ = read(&bytes);
        let line = serde_json::json!({ "mes": text, "swipes": [text, "x"], "swipe_id": text.len(), "send_date": text });
        let chat = read(line.to_string().as_bytes());
        if let Ok(chat) = chat {
            prop_assert!(chat.nodes.iter().enumerate().all(|(i, n)| n.parent.is_none_or(|p| p < i)));
            prop_assert!(chat.leaf.is_none_or(|l| l < chat.nodes.len()));
        }
    }
}
