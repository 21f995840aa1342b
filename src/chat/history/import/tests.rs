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

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let of = |lines: &[&str]| file(lines).unwrap_err().to_string();
    assert!(of(&[HEAD, r#"{"mes":"ok"}"#, r#"{"mes":"cut of"#]).starts_with("Line 3: this is not JSON"));
    assert!(of(&["hello"]).starts_with("Line 1: this is neither"));
    assert!(of(&["{}"]).contains("Line 1"));
    assert!(of(&[HEAD, "{}"]).contains("Line 2: the message (`mes`) is missing"));
    assert!(of(&[HEAD, "[1]"]).contains("Line 2"));
    assert!(of(&[HEAD, r#"{"mes":7}"#]).contains("Line 2"));
    assert!(of(&[HEAD, r#"{"mes":"x","is_user":"yes"}"#]).contains("is_user"));
    assert!(of(&[HEAD]).contains("no message"));
    assert!(of(&["  "]).contains("empty"));
    let long = format!(r#"{{"mes":"{}"}}"#, "x".repeat(60_001));
    assert!(of(&[HEAD, &long]).starts_with("Line 2: this is longer"));
    assert!(
        read(b"{\"mes\":\"a\"}\n{\"mes\":\"\xff\"}").unwrap_err().to_string().starts_with("Line 2: this is not text")
    );
    let many = vec![r#"{"mes":"x"}"#; LINES_MAX + 1].join("\n");
    assert!(read(many.as_bytes()).unwrap_err().to_string().starts_with(&format!("Line {}", LINES_MAX + 1)));
    assert!(matches!(read(&vec![b' '; IMPORT_MAX + 1]), Err(AppError::TooLarge { .. })));
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
    for (messages, what) in [
        (r#"{"id":"a","sender":"oc","content":"A","parent_id":"z"}"#, "Message 1"),
        (r#"{"id":"a","sender":"oc","content":"A"},{"id":"a","sender":"oc","content":"A"}"#, "twice"),
        (
            r#"{"id":"a","sender":"oc","content":"A","parent_id":"b"},{"id":"b","sender":"oc","content":"A","parent_id":"a"}"#,
            "circle",
        ),
        (r#"{"id":"a","sender":"cat","content":"A"}"#, "Line 1"),
        ("", "no message"),
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
        ("September 28, 2024 3:45pm", "2024-09-28T15:45:00.000Z"),
        ("September 28, 2024 3:45 PM", "2024-09-28T15:45:00.000Z"),
        ("2023-5-12 @15h 45m 30s 123ms", "2023-05-12T15:45:30.000Z"),
        ("2024-7-12@01h31m37s", "2024-07-12T01:31:37.000Z"),
        ("1720747980000", "2024-07-12T01:33:00.000Z"),
    ] {
        let at = date(&Value::from(text)).map(|d| d.to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
        assert_eq!(at.as_deref(), Some(iso), "{text}");
    }
    assert_eq!(date(&Value::from("yesterday")), None);
    assert_eq!(date(&Value::from(-5)), None);
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
