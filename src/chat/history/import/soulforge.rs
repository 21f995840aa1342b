//! Our own JSON, as `export` writes it.

use super::{Chat, FORMAT, MESSAGES_MAX, Node, VERSION, at_line, content, date::date, short, wrong};
use crate::{chat::Sender, error::AppResult};
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

/// Reads a file of ours. Messages may stand in any order; what they answer decides.
pub(super) fn read(text: &str) -> AppResult<Chat> {
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
