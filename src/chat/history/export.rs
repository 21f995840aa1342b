//! Conversations as files: Markdown to read, JSON with everything, SillyTavern's JSONL.
//!
//! A file is written while it is sent, some hundred messages at a time, so that a long conversation needs no memory. When the
//! database fails in the middle, the connection breaks: half a file must not pass for a whole one.

use super::import::{FORMAT, VERSION};
use crate::{
    chat::Sender,
    error::AppResult,
    ids::{ConversationId, MessageId, OcId},
    server::{Ctx, Tx},
};
use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Messages that are read at a time.
const BATCH: usize = 400;

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

/// What stands above the messages.
struct Head {
    id: ConversationId,
    title: String,
    created_at: DateTime<Utc>,
    leaf: Option<MessageId>,
    oc: (OcId, String, String),
    person: String,
}

/// A message as it is exported.
#[derive(Clone, Debug, Serialize)]
struct Row {
    id: MessageId,
    parent_id: Option<MessageId>,
    sender: Sender,
    content: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "String::is_empty")]
    model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rating: Option<i16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    helpful: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_tokens: Option<i32>,
}

/// A conversation as a file to keep.
///
/// # Errors
/// `NotFound`, also for somebody else's.
pub async fn file(ctx: Ctx, id: ConversationId, kind: Kind) -> AppResult<Response> {
    ctx.require()?;
    let mut tx = ctx.begin().await?;
    let head = head(&mut tx, id).await?;
    let name = format!("{}-{}.{}", head.oc.2, head.created_at.format("%Y-%m-%d"), kind.extension());
    drop(tx);
    let (sender, receiver) = mpsc::channel::<Result<Bytes, std::io::Error>>(4);
    tokio::spawn(async move {
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

async fn head(tx: &mut Tx, id: ConversationId) -> AppResult<Head> {
    let row = sqlx::query!(
        "select c.title, c.created_at, c.active_leaf_id, o.oc_id, o.name, o.slug, p.display_name
         from conversations c join ocs o using (oc_id) join profiles p on p.user_id = c.user_id
         where c.conversation_id = $1",
        id.0
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(crate::error::AppError::NotFound)?;
    let person = if row.display_name.trim().is_empty() { "You".to_owned() } else { row.display_name };
    Ok(Head {
        id,
        title: row.title,
        created_at: row.created_at,
        leaf: row.active_leaf_id.map(MessageId),
        oc: (OcId(row.oc_id), row.name, row.slug),
        person,
    })
}

/// The messages of the branch that is shown, oldest first.
async fn branch(ctx: &Ctx, head: &Head) -> AppResult<Vec<MessageId>> {
    let mut tx = ctx.begin().await?;
    let ids = sqlx::query_scalar!(
        r#"with recursive path as (
               select message_id, parent_id, 1 as depth from messages where message_id = $1
               union all
               select m.message_id, m.parent_id, path.depth + 1 from messages m join path on m.message_id = path.parent_id
           )
           select message_id as "message_id!" from path order by depth desc"#,
        head.leaf.map(|m| m.0)
    );
    Ok(ids.fetch_all(&mut *tx).await?.into_iter().map(MessageId).collect())
}

/// These messages and their other wordings.
async fn with_siblings(ctx: &Ctx, conversation: ConversationId, ids: &[MessageId]) -> AppResult<Vec<Row>> {
    let ids: Vec<uuid::Uuid> = ids.iter().map(|m| m.0).collect();
    let mut tx = ctx.begin().await?;
    let rows = sqlx::query!(
        r#"select s.message_id as "message_id!", s.parent_id, s.sender_type as "sender_type!", s.content as "content!",
               s.created_at as "created_at!", s.updated_at as "updated_at!", s.model as "model!", s.user_rating, s.was_helpful,
               s.prompt_tokens, s.reply_tokens
           from (
               select message_id from messages where message_id = any($1)
               union
               select o.message_id from messages m join messages o on o.parent_id = m.parent_id where m.message_id = any($1)
               union
               select o.message_id from messages o where o.conversation_id = $2 and o.parent_id is null
               and exists (select from messages m where m.message_id = any($1) and m.parent_id is null)
           ) w join messages s using (message_id) order by s.message_id"#,
        &ids,
        conversation.0
    );
    Ok(rows
        .fetch_all(&mut *tx)
        .await?
        .into_iter()
        .map(|r| Row {
            id: MessageId(r.message_id),
            parent_id: r.parent_id.map(MessageId),
            sender: sender(&r.sender_type),
            content: r.content,
            created_at: r.created_at,
            updated_at: r.updated_at,
            model: r.model,
            rating: r.user_rating,
            helpful: r.was_helpful,
            prompt_tokens: r.prompt_tokens,
            reply_tokens: r.reply_tokens,
        })
        .collect())
}

/// All messages, in the order in which they were made.
async fn all(ctx: &Ctx, id: ConversationId, after: Option<MessageId>) -> AppResult<Vec<Row>> {
    let mut tx = ctx.begin().await?;
    let rows = sqlx::query!(
        "select message_id, parent_id, sender_type, content, created_at, updated_at, model, user_rating, was_helpful,
             prompt_tokens, reply_tokens
         from messages where conversation_id = $1 and ($2::uuid is null or message_id > $2) order by message_id limit $3",
        id.0,
        after.map(|m| m.0),
        i64::try_from(BATCH).unwrap_or(400)
    );
    Ok(rows
        .fetch_all(&mut *tx)
        .await?
        .into_iter()
        .map(|r| Row {
            id: MessageId(r.message_id),
            parent_id: r.parent_id.map(MessageId),
            sender: sender(&r.sender_type),
            content: r.content,
            created_at: r.created_at,
            updated_at: r.updated_at,
            model: r.model,
            rating: r.user_rating,
            helpful: r.was_helpful,
            prompt_tokens: r.prompt_tokens,
            reply_tokens: r.reply_tokens,
        })
        .collect())
}

fn sender(word: &str) -> Sender {
    if word == "user" { Sender::User } else { Sender::Oc }
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
        head.title().replace('\n', " "),
        head.person,
        head.oc.1,
        minute(head.created_at)
    );
    out.send(begun).await?;
    for ids in branch(ctx, head).await?.chunks(BATCH) {
        let rows = with_siblings(ctx, head.id, ids).await?;
        let mut text = String::new();
        for row in ids.iter().filter_map(|id| rows.iter().find(|r| r.id == *id)) {
            let (name, at) = (head.name_of(row.sender), minute(row.created_at));
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
        let mut text = String::new();
        for row in &rows {
            text.push_str(if after.is_none() && text.is_empty() { "\n" } else { ",\n" });
            text.push_str(&serde_json::to_string(row).unwrap_or_default());
        }
        out.send(text).await?;
        after = rows.last().map(|r| r.id).or(after);
        if rows.len() < BATCH {
            return out.send("\n]}\n".to_owned()).await;
        }
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
    for ids in branch(ctx, head).await?.chunks(BATCH) {
        let rows = with_siblings(ctx, head.id, ids).await?;
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
