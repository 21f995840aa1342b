//! Our own JSON, as `export` writes it.

use super::{Chat, FORMAT, MESSAGES_MAX, Node, Unread, VERSION, at_line, content, date::date, short, wrong};
use crate::{chat::Sender, error::AppResult, lenient};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;

/// Whether a file says that it is ours.
pub(super) fn is_ours(text: &str) -> bool {
    let start = text.trim_start();
    start.starts_with('{') && start.chars().take(400).collect::<String>().contains(FORMAT)
}

#[derive(Deserialize)]
struct Ours {
    format: String,
    version: u32,
    conversation: OurHead,
    messages: Vec<Value>,
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

/// Reads a file of ours. Messages may stand in any order; what they answer decides. One that cannot be read is skipped, and so is
/// what answered it: a branch without its middle would say something else than was said.
pub(super) fn read(text: &str) -> AppResult<Chat> {
    let file: Ours = lenient::read(text).map_err(|e| at_line(e.line(), &format!("{e}.")))?;
    if file.format != FORMAT {
        return Err(wrong("This is not a chat that was exported here."));
    }
    if file.version > VERSION {
        return Err(wrong("This file was made by a newer version. It can be imported there."));
    }
    if file.messages.len() > MESSAGES_MAX {
        return Err(wrong(format!("There are more than {MESSAGES_MAX} messages in this file.")));
    }
    let mut chat = Chat {
        title: short(&file.conversation.title),
        slug: file.conversation.character.slug,
        name: short(&file.conversation.character.name),
        ..Chat::default()
    };
    let mut messages: Vec<(usize, OurMessage)> = Vec::with_capacity(file.messages.len());
    let mut places: HashMap<String, usize> = HashMap::new();
    for (number, value) in file.messages.into_iter().enumerate().map(|(i, m)| (i + 1, m)) {
        let read = serde_json::from_value::<OurMessage>(value).map_err(|_| Unread::WrongType);
        match read.and_then(|m| content(&m.content).map(|words| OurMessage { content: words, ..m })) {
            Ok(message) if places.contains_key(&message.id) => chat.skip(number, Unread::Twice),
            Ok(message) => {
                places.insert(message.id.clone(), messages.len());
                messages.push((number, message));
            }
            Err(reason) => chat.skip(number, reason),
        }
    }
    // Each after its parent, whatever the order in the file; what answers nothing that is there is found by nobody.
    let mut answers: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
    for (i, (_, message)) in messages.iter().enumerate() {
        match message.parent_id.as_ref().map(|id| places.get(id).copied()) {
            None => answers.entry(None).or_default().push(i),
            Some(Some(parent)) => answers.entry(Some(parent)).or_default().push(i),
            Some(None) => {}
        }
    }
    let mut kept: HashMap<usize, usize> = HashMap::new();
    let mut next: Vec<(usize, Option<usize>)> = Vec::new();
    let push = |next: &mut Vec<(usize, Option<usize>)>, of: Option<usize>, parent: Option<usize>| {
        next.extend(answers.get(&of).into_iter().flatten().rev().map(|i| (*i, parent)));
    };
    push(&mut next, None, None);
    while let Some((i, parent)) = next.pop() {
        let Some((_, message)) = messages.get(i) else { continue };
        kept.insert(i, chat.nodes.len());
        push(&mut next, Some(i), Some(chat.nodes.len()));
        chat.nodes.push(Node {
            parent,
            by: message.sender,
            content: message.content.clone(),
            at: message.created_at.as_deref().and_then(|at| date(&Value::from(at))),
            model: short(&message.model),
            rating: message.rating.filter(|r| (1..=5).contains(r)),
            helpful: message.helpful,
        });
    }
    for (i, (number, _)) in messages.iter().enumerate() {
        if !kept.contains_key(&i) {
            chat.skip(*number, Unread::Orphan);
        }
    }
    chat.skipped.sort_by_key(|s| s.line);
    let shown = file.conversation.shown_until.as_deref().and_then(|id| places.get(id)).and_then(|i| kept.get(i));
    chat.leaf = shown.copied().or_else(|| chat.nodes.len().checked_sub(1));
    Ok(chat)
}
