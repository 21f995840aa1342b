//! Files that become conversations: our own JSON, and the JSONL of SillyTavern.
//!
//! Reading is pure and comes first; nothing is written before the whole file was understood. A file is somebody else's text:
//! what is too much, broken or of another kind is refused with the line it stands in, and what cannot be seen is left out.

use super::IMPORT_MAX;
use crate::{
    chat::Sender,
    error::{AppError, AppResult},
    text::is_refused,
};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use unicode_normalization::UnicodeNormalization;

/// What our JSON calls itself.
pub const FORMAT: &str = "soulforge.conversation";
/// The version of it that is written, and the newest that is read.
pub const VERSION: u32 = 1;

/// Lines of a file, at most.
pub const LINES_MAX: usize = 20_000;
/// Messages in a file with all wordings, at most.
pub const MESSAGES_MAX: usize = 40_000;
/// Wordings of one message, at most.
const WORDINGS_MAX: usize = 200;
/// Longest message, in characters; the database refuses more.
pub const CONTENT_MAX: usize = 60_000;
/// Longest title that is taken over, in characters.
const TITLE_MAX: usize = 120;

/// A conversation as a file told it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chat {
    /// Its title; empty if the file has none.
    pub title: String,
    /// The character's name in addresses, for files of our own.
    pub slug: String,
    /// The character's name.
    pub name: String,
    /// The messages; each after the one that it answers.
    pub nodes: Vec<Node>,
    /// The message that was shown last.
    pub leaf: Option<usize>,
    /// Names are written as `{{user}}` and `{{char}}` here and there.
    pub has_macros: bool,
    /// Lines that are no part of the talk: notes of the program, empty ones.
    pub left_out: usize,
}

/// A message as a file told it.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it answers: its place in the list.
    pub parent: Option<usize>,
    /// Who said it.
    pub by: Sender,
    /// What was said.
    pub content: String,
    /// When, if the file says so.
    pub at: Option<DateTime<Utc>>,
    /// The model that wrote it; empty if unknown.
    pub model: String,
    /// 1 to 5.
    pub rating: Option<i16>,
    /// Whether it helped.
    pub helpful: Option<bool>,
}

/// Reads a file of either kind.
///
/// # Errors
/// `TooLarge`; `Invalid` at `file`, with the line where there is one.
pub fn read(bytes: &[u8]) -> AppResult<Chat> {
    if bytes.len() > IMPORT_MAX {
        return Err(too_large());
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let before = bytes.get(..e.valid_up_to()).unwrap_or_default();
        at_line(before.iter().filter(|b| **b == b'\n').count() + 1, "this is not text in UTF-8.")
    })?;
    if text.trim().is_empty() {
        return Err(wrong("The file is empty."));
    }
    let chat = if is_ours(text) { ours(text)? } else { sillytavern(text)? };
    if chat.nodes.is_empty() {
        return Err(wrong("There is no message in this file."));
    }
    Ok(chat)
}

/// The refusal of a file that is too large.
#[must_use]
pub fn too_large() -> AppError {
    AppError::TooLarge { message: "The file is too large: the limit is 20 MB.".into() }
}

fn wrong(message: impl Into<String>) -> AppError {
    AppError::invalid("file", message)
}

fn at_line(line: usize, what: &str) -> AppError {
    wrong(format!("Line {line}: {what}"))
}

/// Words as they may be kept: without what cannot be seen, which is no reason to refuse a whole chat.
fn clean(text: &str) -> String {
    let lines = text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}'], "\n");
    lines.nfc().filter(|c| !is_refused(*c)).collect::<String>().trim().to_owned()
}

fn short(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TITLE_MAX).collect()
}

fn is_ours(text: &str) -> bool {
    let start = text.trim_start();
    start.starts_with('{') && start.chars().take(400).collect::<String>().contains(FORMAT)
}

#[derive(Deserialize)]
struct Ours {
    format: String,
    version: u32,
    conversation: OurHead,
    messages: Vec<OurMessage>,
}

#[derive(Deserialize)]
struct OurHead {
    #[serde(default)]
    title: String,
    #[serde(default)]
    character: OurCharacter,
    #[serde(default)]
    shown_until: Option<String>,
}

#[derive(Default, Deserialize)]
struct OurCharacter {
    #[serde(default)]
    name: String,
    #[serde(default)]
    slug: String,
}

#[derive(Deserialize)]
struct OurMessage {
    id: String,
    #[serde(default)]
    parent_id: Option<String>,
    sender: Sender,
    content: String,
    #[serde(default)]
    created_at: Option<String>,
    #[serde(default)]
    model: String,
    #[serde(default)]
    rating: Option<i16>,
    #[serde(default)]
    helpful: Option<bool>,
}

fn ours(text: &str) -> AppResult<Chat> {
    let file: Ours = serde_json::from_str(text).map_err(|e| at_line(e.line(), &format!("{e}.")))?;
    if file.format != FORMAT {
        return Err(wrong("This is not a conversation that was exported here."));
    }
    if file.version > VERSION {
        return Err(wrong("This file was made by a newer version. It can be imported there."));
    }
    if file.messages.len() > MESSAGES_MAX {
        return Err(wrong(format!("There are more than {MESSAGES_MAX} messages in this file.")));
    }
    let mut places = HashMap::new();
    for (i, message) in file.messages.iter().enumerate() {
        if places.insert(message.id.as_str(), i).is_some() {
            return Err(wrong(format!("Message {}: its id stands in the file twice.", i + 1)));
        }
    }
    // Each after its parent, whatever the order in the file.
    let mut answers: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
    for (i, message) in file.messages.iter().enumerate() {
        let parent = match message.parent_id.as_deref() {
            None => None,
            Some(id) => Some(
                *places
                    .get(id)
                    .ok_or_else(|| wrong(format!("Message {}: what it answers is not in the file.", i + 1)))?,
            ),
        };
        answers.entry(parent).or_default().push(i);
    }
    let mut chat = Chat {
        title: short(&file.conversation.title),
        slug: file.conversation.character.slug,
        name: short(&file.conversation.character.name),
        ..Chat::default()
    };
    let mut kept: HashMap<usize, usize> = HashMap::new();
    let mut next: Vec<(usize, Option<usize>)> = Vec::new();
    let push = |next: &mut Vec<(usize, Option<usize>)>, of: Option<usize>, parent: Option<usize>| {
        next.extend(answers.get(&of).into_iter().flatten().rev().map(|i| (*i, parent)));
    };
    push(&mut next, None, None);
    while let Some((i, parent)) = next.pop() {
        let Some(message) = file.messages.get(i) else { continue };
        let content = content(&message.content).map_err(|what| wrong(format!("Message {}: {what}", i + 1)))?;
        kept.insert(i, chat.nodes.len());
        push(&mut next, Some(i), Some(chat.nodes.len()));
        chat.nodes.push(Node {
            parent,
            by: message.sender,
            content,
            at: message.created_at.as_deref().and_then(|at| date(&Value::from(at))),
            model: short(&message.model),
            rating: message.rating.filter(|r| (1..=5).contains(r)),
            helpful: message.helpful,
        });
    }
    if chat.nodes.len() < file.messages.len() {
        return Err(wrong("Some messages of this file answer each other in a circle."));
    }
    let shown = file.conversation.shown_until.as_deref().and_then(|id| places.get(id)).and_then(|i| kept.get(i));
    chat.leaf = shown.copied().or_else(|| chat.nodes.len().checked_sub(1));
    Ok(chat)
}

fn content(text: &str) -> Result<String, String> {
    let content = clean(text);
    if content.chars().count() > CONTENT_MAX {
        return Err(format!("this is longer than {CONTENT_MAX} characters."));
    }
    Ok(content)
}

/// A chat of SillyTavern: a head, then a line a message. Lenient where its versions differ: heads without metadata, dates as
/// numbers, words or ISO, `swipe_id` out of range, fields that are absent.
fn sillytavern(text: &str) -> AppResult<Chat> {
    let mut chat = Chat { has_macros: true, ..Chat::default() };
    let mut lines = 0;
    let mut said: Vec<(usize, Value)> = Vec::new();
    for (number, line) in text.lines().enumerate().map(|(i, l)| (i + 1, l.trim())) {
        if line.is_empty() {
            continue;
        }
        lines += 1;
        if lines > LINES_MAX {
            return Err(at_line(number, &format!("a chat may have {LINES_MAX} lines.")));
        }
        let value: Value = serde_json::from_str(line).map_err(|_| {
            let what = if number == 1 {
                "this is neither a SillyTavern chat (.jsonl) nor a conversation exported here."
            } else {
                "this is not JSON. The file may have been cut off."
            };
            at_line(number, what)
        })?;
        let Some(fields) = value.as_object() else {
            return Err(at_line(number, "a line of a SillyTavern chat is an object in braces."));
        };
        if fields.contains_key("mes") {
            said.push((number, value));
        } else if lines == 1 {
            head(&mut chat, &value)?;
        } else {
            return Err(at_line(number, "the message (`mes`) is missing."));
        }
    }
    let others = speakers(&said);
    if chat.name.is_empty() {
        chat.name = others.first().map(|n| short(n)).unwrap_or_default();
    }
    for (number, line) in &said {
        add(&mut chat, *number, line, &others)?;
    }
    Ok(chat)
}

fn text_of<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn head(chat: &mut Chat, value: &Value) -> AppResult<()> {
    let is_head =
        ["chat_metadata", "user_name", "character_name", "create_date"].iter().any(|f| value.get(f).is_some());
    if !is_head {
        let what = "this is neither the head nor a message of a SillyTavern chat; the message (`mes`) is missing.";
        return Err(at_line(1, what));
    }
    // Newer versions write the word instead of a name.
    let name = text_of(value, "character_name");
    if name != "unused" {
        chat.name = short(name);
    }
    if let Some(own) = value.pointer("/chat_metadata/soulforge") {
        chat.title = short(text_of(own, "title"));
        chat.slug = text_of(own, "slug").to_owned();
    }
    Ok(())
}

/// Everybody but the person, who spoke most first: in a group's chat the others are named in their lines.
fn speakers(said: &[(usize, Value)]) -> Vec<String> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    let names = said.iter().map(|(_, l)| l).filter(|l| l.get("is_user") != Some(&Value::Bool(true)) && !is_note(l));
    for name in names.map(|l| text_of(l, "name").trim()).filter(|n| !n.is_empty()) {
        if let Some((_, count)) = counts.iter_mut().find(|(n, _)| n == name) {
            *count += 1;
        } else if counts.len() < 100 {
            counts.push((name.to_owned(), 1));
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.into_iter().map(|(name, _)| name).collect()
}

/// Lines that the program wrote about itself. Lines that somebody has hidden are part of the talk.
fn is_note(line: &Value) -> bool {
    let kind = line.pointer("/extra/type").and_then(Value::as_str).unwrap_or_default();
    line.get("is_system") == Some(&Value::Bool(true)) && !kind.is_empty()
}

fn add(chat: &mut Chat, number: usize, line: &Value, others: &[String]) -> AppResult<()> {
    let Some(mes) = line.get("mes").and_then(Value::as_str) else {
        return Err(at_line(number, "the message (`mes`) is not a text."));
    };
    if is_note(line) {
        chat.left_out += 1;
        return Ok(());
    }
    let is_user = match line.get("is_user") {
        Some(Value::Bool(is_user)) => *is_user,
        None | Some(Value::Null) => false,
        Some(_) => return Err(at_line(number, "`is_user` is neither true nor false.")),
    };
    let by = if is_user { Sender::User } else { Sender::Oc };
    let name = text_of(line, "name").trim();
    let named = (!is_user && others.len() > 1 && !name.is_empty() && others.first().is_none_or(|o| o != name))
        .then(|| format!("**{}:** ", short(name)));
    let swipes: Vec<&str> = match line.get("swipes") {
        Some(Value::Array(swipes)) if !is_user => swipes.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if swipes.len() > WORDINGS_MAX {
        return Err(at_line(number, &format!("there are more than {WORDINGS_MAX} swipes.")));
    }
    // What is shown counts; swipes may lag behind an edit.
    let chosen = line.get("swipe_id").and_then(Value::as_u64).and_then(|i| usize::try_from(i).ok());
    let chosen = chosen.filter(|i| *i < swipes.len()).or_else(|| swipes.iter().position(|s| *s == mes));
    let mut wordings: Vec<(usize, &str)> = swipes.into_iter().enumerate().collect();
    match chosen.and_then(|i| wordings.get_mut(i)) {
        Some(shown) => shown.1 = mes,
        None => wordings.push((wordings.len(), mes)),
    }
    let chosen = chosen.unwrap_or(wordings.len().saturating_sub(1));
    let parent = chat.leaf;
    let mut seen = HashSet::new();
    let mut kept = false;
    for (i, wording) in wordings {
        let words = content(wording).map_err(|what| at_line(number, &what))?;
        if words.is_empty() || (!seen.insert(words.clone()) && i != chosen) {
            continue;
        }
        if chat.nodes.len() >= MESSAGES_MAX {
            return Err(at_line(number, &format!("a chat may have {MESSAGES_MAX} messages, other wordings included.")));
        }
        let info = line.pointer(&format!("/swipe_info/{i}"));
        let at = info.and_then(|i| i.get("send_date")).and_then(date).or_else(|| line.get("send_date").and_then(date));
        let model = info.and_then(|i| i.pointer("/extra/model")).or_else(|| line.pointer("/extra/model"));
        if i == chosen {
            chat.leaf = Some(chat.nodes.len());
            kept = true;
        }
        let words = match &named {
            Some(name) => format!("{name}{words}"),
            None => words,
        };
        let model = model.and_then(Value::as_str).map(short).unwrap_or_default();
        chat.nodes.push(Node { parent, by, content: words, at, model, rating: None, helpful: None });
    }
    if !kept {
        // An empty message: what follows answers its other wording, if there is one, or what came before.
        chat.left_out += 1;
        if chat.nodes.last().is_some_and(|n| n.parent == parent && n.by == by)
            && chat.nodes.len() > parent.map_or(0, |p| p + 1)
        {
            chat.leaf = chat.nodes.len().checked_sub(1);
        }
    }
    Ok(())
}

/// A date in any of the ways in which SillyTavern has written it; without a zone it is taken for UTC.
fn date(value: &Value) -> Option<DateTime<Utc>> {
    if let Some(number) = value.as_f64() {
        return from_number(number);
    }
    let text = value.as_str()?.trim();
    if let Ok(number) = text.parse::<f64>() {
        return from_number(number);
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    let spaced = text.to_ascii_lowercase().replace("am", " am").replace("pm", " pm");
    let spaced = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    let formats =
        ["%B %d, %Y %I:%M %p", "%B %d, %Y %I:%M:%S %p", "%B %d, %Y %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dt%H:%M:%S"];
    if let Some(at) = formats.iter().find_map(|f| NaiveDateTime::parse_from_str(&spaced, f).ok()) {
        return Some(at.and_utc());
    }
    // `2024-7-12@01h31m37s`, `2023-5-12 @15h 45m 30s 123ms`.
    let mut parts = text.split(|c: char| !c.is_ascii_digit()).filter(|p| !p.is_empty()).map(str::parse::<u32>);
    let mut part = || parts.next().and_then(Result::ok);
    let day = NaiveDate::from_ymd_opt(i32::try_from(part()?).ok()?, part()?, part()?)?;
    let time = NaiveTime::from_hms_opt(part().unwrap_or(0), part().unwrap_or(0), part().unwrap_or(0))?;
    Some(day.and_time(time).and_utc())
}

/// Seconds or milliseconds since 1970.
fn from_number(number: f64) -> Option<DateTime<Utc>> {
    #[expect(clippy::cast_possible_truncation, reason = "bounded by the condition")]
    let milliseconds = if (1e11..1e14).contains(&number) {
        number as i64
    } else if (1e8..1e11).contains(&number) {
        (number * 1000.0) as i64
    } else {
        return None;
    };
    DateTime::from_timestamp_millis(milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        assert_eq!(
            words,
            [(None, "First"), (Some(0), "other"), (Some(0), "shown"), (Some(2), "hidden"), (Some(3), "abc")]
        );
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
            read(b"{\"mes\":\"a\"}\n{\"mes\":\"\xff\"}")
                .unwrap_err()
                .to_string()
                .starts_with("Line 2: this is not text")
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
}
