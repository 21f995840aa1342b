//! Chats of SillyTavern: JSONL with a head, then a line a message.

use super::{Chat, LINES_MAX, MESSAGES_MAX, Node, Unread, WORDINGS_MAX, at_line, content, date::date, escaped, short};
use crate::{chat::Sender, error::AppResult, lenient};
use serde_json::Value;
use std::collections::HashSet;

/// Reads a chat. Lenient where its versions differ: heads without metadata, dates as
/// numbers, words or ISO, `swipe_id` out of range, fields that are absent. Lines that cannot be read are skipped.
pub(super) fn read(bytes: &[u8]) -> AppResult<Chat> {
    let mut chat = Chat { has_macros: true, ..Chat::default() };
    let mut lines = 0;
    let mut said: Vec<(usize, Value)> = Vec::new();
    for (number, line) in bytes.split(|b| *b == b'\n').enumerate().map(|(i, l)| (i + 1, l.trim_ascii())) {
        if line.is_empty() {
            continue;
        }
        lines += 1;
        if lines > LINES_MAX {
            return Err(at_line(number, &format!("A chat may have {LINES_MAX} lines.")));
        }
        match parsed(line) {
            Ok(value) if value.get("mes").is_some() => said.push((number, value)),
            Ok(value) if lines == 1 && is_head(&value) => head(&mut chat, &value),
            Ok(_) => chat.skip(number, Unread::NoMessage),
            Err(reason) => chat.skip(number, reason),
        }
    }
    let others = speakers(&said);
    if chat.name.is_empty() {
        chat.name = others.first().map(|n| short(n)).unwrap_or_default();
    }
    for (number, line) in &said {
        match message(line) {
            Ok(message) => add(&mut chat, *number, line, message, &others)?,
            Err(reason) => chat.skip(*number, reason),
        }
    }
    chat.skipped.sort_by_key(|s| s.line);
    Ok(chat)
}

fn parsed(line: &[u8]) -> Result<Value, Unread> {
    let text = std::str::from_utf8(line).map_err(|_| Unread::NotText)?;
    let value: Value = lenient::read(text).map_err(|_| Unread::NotJson)?;
    if value.is_object() { Ok(value) } else { Err(Unread::NotObject) }
}

fn text_of<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn is_head(value: &Value) -> bool {
    ["chat_metadata", "user_name", "character_name", "create_date"].iter().any(|f| value.get(f).is_some())
}

fn head(chat: &mut Chat, value: &Value) {
    // Newer versions write the word instead of a name.
    let name = text_of(value, "character_name");
    if name != "unused" {
        chat.name = short(name);
    }
    if let Some(own) = value.pointer("/chat_metadata/soulforge") {
        chat.title = short(text_of(own, "title"));
        chat.slug = text_of(own, "slug").to_owned();
    }
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

/// Lines that the program wrote about itself. Lines that somebody has hidden are part of the talk: those of a speaker, whose kind is
/// empty, and those of a narrator.
fn is_note(line: &Value) -> bool {
    let kind = line.pointer("/extra/type").and_then(Value::as_str).unwrap_or_default();
    line.get("is_system") == Some(&Value::Bool(true)) && !matches!(kind, "" | "narrator" | "assistant_message")
}

/// Wordings with their numbers.
type Wordings<'a> = Vec<(usize, &'a str)>;

/// All wordings of a message, and the number of the one that is shown.
fn wordings<'a>(line: &'a Value, mes: &'a str, is_user: bool) -> Result<(Wordings<'a>, usize), Unread> {
    let swipes: Vec<&str> = match line.get("swipes") {
        Some(Value::Array(swipes)) if !is_user => swipes.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if swipes.len() > WORDINGS_MAX {
        return Err(Unread::TooManySwipes);
    }
    let told = line.get("swipe_id").and_then(Value::as_u64).and_then(|i| usize::try_from(i).ok());
    let known = told.filter(|i| *i < swipes.len()).or_else(|| swipes.iter().position(|s| *s == mes));
    let mut wordings: Vec<(usize, &str)> = swipes.into_iter().enumerate().collect();
    // What is shown counts; swipes may lag behind an edit.
    match known.and_then(|i| wordings.get_mut(i)) {
        Some(shown) => shown.1 = mes,
        None => wordings.push((wordings.len(), mes)),
    }
    let chosen = known.unwrap_or(wordings.len().saturating_sub(1));
    Ok((wordings, chosen))
}

/// A message as its line tells it.
struct Message {
    is_user: bool,
    /// Numbers and words of its wordings, cleaned.
    wordings: Vec<(usize, String)>,
    /// The one that is shown.
    chosen: usize,
}

/// Reads a line; nothing of it is kept yet.
fn message(line: &Value) -> Result<Message, Unread> {
    let mes = line.get("mes").and_then(Value::as_str).ok_or(Unread::WrongType)?;
    let is_user = match line.get("is_user") {
        Some(Value::Bool(is_user)) => *is_user,
        None | Some(Value::Null) => false,
        Some(_) => return Err(Unread::WrongType),
    };
    let (told, chosen) = wordings(line, mes, is_user)?;
    let mut wordings = Vec::with_capacity(told.len());
    for (i, wording) in told {
        match content(wording) {
            Ok(words) => wordings.push((i, words)),
            // Another wording that is too long is no reason to lose the one that was shown.
            Err(_) if i != chosen => {}
            Err(reason) => return Err(reason),
        }
    }
    Ok(Message { is_user, wordings, chosen })
}

/// Takes a line over: a message with all its wordings, or nothing where it is a note of the program.
fn add(chat: &mut Chat, number: usize, line: &Value, message: Message, others: &[String]) -> AppResult<()> {
    if is_note(line) {
        chat.left_out += 1;
        return Ok(());
    }
    let Message { is_user, wordings, chosen } = message;
    let by = if is_user { Sender::User } else { Sender::Oc };
    let name = text_of(line, "name").trim();
    let named = (!is_user && others.len() > 1 && !name.is_empty() && others.first().is_none_or(|o| o != name))
        .then(|| format!("**{}:** ", escaped(&short(name))));
    let parent = chat.leaf;
    let mut seen = HashSet::new();
    let mut kept = false;
    for (i, words) in wordings {
        if words.is_empty() || (!seen.insert(words.clone()) && i != chosen) {
            continue;
        }
        if chat.nodes.len() >= MESSAGES_MAX {
            return Err(at_line(number, &format!("A chat may have {MESSAGES_MAX} messages, swipes included.")));
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
