//! Conversations as files: Markdown to read, JSON with everything, SillyTavern's JSONL.
//!
//! A file is written while it is sent, half a megabyte or a single message at a time, so that a long conversation needs no memory. When the
//! database fails in the middle, the connection breaks: half a file must not pass for a whole one.

use super::import::{FORMAT, VERSION, escaped};
use crate::{
    chat::{
        Sender,
        store::export::{Head, Row, all, branch, head, with_siblings},
    },
    error::AppResult,
    ids::ConversationId,
    server::{Ctx, crowd},
};
use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use std::fmt::Write;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// The kinds of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The branch that is shown, to read.
    Markdown,
    /// The whole tree.
    Json,
    /// The branch that is shown with all wordings, for SillyTavern.
    Jsonl,
}

impl Kind {
    /// End of the file's name.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Markdown => "md",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Json => "application/json",
            Self::Jsonl => "application/x-ndjson",
        }
    }
}

/// A conversation as a file to keep.
///
/// # Errors
/// `NotFound`, also for somebody else's.
pub async fn file(ctx: Ctx, id: ConversationId, kind: Kind) -> AppResult<Response> {
    let me = ctx.talker()?.id;
    let most = ctx.app.config.most(ctx.app.config.bounds.exports_per_person);
    let words = "Several files are being written for you already. Please wait until they are done.";
    let held = ctx.app.crowd.take(crowd::Kind::Export, me, most, words)?;
    let mut tx = ctx.begin().await?;
    let head = head(&mut tx, id).await?;
    let name = format!("{}-{}.{}", head.oc.2, head.created_at.format("%Y-%m-%d"), kind.extension());
    drop(tx);
    // One batch is read and one waits to be sent: nothing more is held for somebody who reads slowly.
    let (sender, receiver) = mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    tokio::spawn(async move {
        let _held = held;
        let out = Out(sender);
        let written = match kind {
            Kind::Markdown => markdown(&ctx, &head, &out).await,
            Kind::Json => json(&ctx, &head, &out).await,
            Kind::Jsonl => jsonl(&ctx, &head, &out).await,
        };
        if let Err(error) = written {
            let _ = out.0.send(Err(std::io::Error::other(error.to_string()))).await;
        }
    });
    let mut response = Body::from_stream(ReceiverStream::new(receiver)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind.content_type()));
    // Slugs are small letters, digits and hyphens; nothing of what people write gets into the name.
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    headers.insert(header::CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment")));
    Ok(response)
}

/// The way out; a reader who has gone ends the writing.
struct Out(mpsc::Sender<Result<Bytes, std::io::Error>>);

impl Out {
    async fn send(&self, text: String) -> AppResult<()> {
        self.0.send(Ok(text.into())).await.map_err(|_| crate::error::AppError::conflict("", "Nobody reads any more."))
    }
}

impl Head {
    fn name_of(&self, sender: Sender) -> &str {
        match sender {
            Sender::User => &self.person,
            Sender::Oc => &self.oc.1,
        }
    }

    fn title(&self) -> String {
        if self.title.is_empty() { self.oc.1.clone() } else { self.title.clone() }
    }
}

fn minute(at: DateTime<Utc>) -> impl std::fmt::Display {
    at.format("%-d %B %Y, %H:%M")
}

async fn markdown(ctx: &Ctx, head: &Head, out: &Out) -> AppResult<()> {
    let begun = format!(
        "# {}\n\n{} and {}, from {} (UTC)\n",
        escaped(&head.title().replace('\n', " ")),
        escaped(&head.person),
        escaped(&head.oc.1),
        minute(head.created_at)
    );
    out.send(begun).await?;
    for ids in branch(ctx, head).await? {
        let rows = with_siblings(ctx, head.id, &ids).await?;
        let mut text = String::new();
        for row in ids.iter().filter_map(|id| rows.iter().find(|r| r.id == *id)) {
            let (name, at) = (escaped(head.name_of(row.sender)), minute(row.created_at));
            let _ = write!(text, "\n**{name}**, {at}\n\n{}\n", row.content.trim());
        }
        out.send(text).await?;
    }
    Ok(())
}

async fn json(ctx: &Ctx, head: &Head, out: &Out) -> AppResult<()> {
    let conversation = json!({
        "id": head.id,
        "title": head.title,
        "created_at": stamp(head.created_at),
        "person": head.person,
        "character": { "id": head.oc.0, "name": head.oc.1, "slug": head.oc.2 },
        "shown_until": head.leaf,
    });
    let begun = format!(
        "{{\"format\":\"{FORMAT}\",\"version\":{VERSION},\"exported_at\":\"{}\",\n\"conversation\":{conversation},\n\"messages\":[",
        stamp(Utc::now())
    );
    out.send(begun).await?;
    let mut after = None;
    loop {
        let rows = all(ctx, head.id, after).await?;
        if rows.is_empty() {
            return out.send("\n]}\n".to_owned()).await;
        }
        let mut text = String::new();
        for row in &rows {
            text.push_str(if after.is_none() && text.is_empty() { "\n" } else { ",\n" });
            text.push_str(&serde_json::to_string(row).unwrap_or_default());
        }
        out.send(text).await?;
        after = rows.last().map(|r| r.id).or(after);
    }
}

/// SillyTavern's chats: a head, then a line a message, the other wordings of a reply as its swipes.
async fn jsonl(ctx: &Ctx, head: &Head, out: &Out) -> AppResult<()> {
    let first = json!({
        "user_name": head.person,
        "character_name": head.oc.1,
        "create_date": stamp(head.created_at),
        "chat_metadata": { "soulforge": { "title": head.title, "slug": head.oc.2 } },
    });
    out.send(format!("{first}\n")).await?;
    for ids in branch(ctx, head).await? {
        let rows = with_siblings(ctx, head.id, &ids).await?;
        let mut text = String::new();
        for row in ids.iter().filter_map(|id| rows.iter().find(|r| r.id == *id)) {
            let mut line = json!({
                "name": head.name_of(row.sender),
                "is_user": row.sender == Sender::User,
                "is_system": false,
                "send_date": stamp(row.created_at),
                "mes": row.content,
                "extra": {},
            });
            let swipes: Vec<&Row> =
                rows.iter().filter(|r| r.parent_id == row.parent_id && r.sender == row.sender).collect();
            if let (Sender::Oc, Some(fields)) = (row.sender, line.as_object_mut()) {
                let chosen = swipes.iter().position(|r| r.id == row.id).unwrap_or(0);
                fields.insert("swipe_id".into(), json!(chosen));
                fields.insert("swipes".into(), swipes.iter().map(|r| Value::from(r.content.clone())).collect());
                let info = swipes.iter().map(|r| json!({ "send_date": stamp(r.created_at), "extra": extra(r) }));
                fields.insert("swipe_info".into(), info.collect());
                fields.insert("extra".into(), extra(row));
            }
            let _ = writeln!(text, "{line}");
        }
        out.send(text).await?;
    }
    Ok(())
}

fn extra(row: &Row) -> Value {
    if row.model.is_empty() { json!({}) } else { json!({ "model": row.model }) }
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
