//! What is read of a conversation that is written into a file, some hundred messages at a time.

use crate::{
    chat::Sender,
    error::{AppError, AppResult},
    ids::{ConversationId, MessageId, OcId},
    server::{Ctx, Tx},
};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// Messages that are read at a time.
const BATCH: usize = 400;
/// Bytes of text that are read at a time. A message is read whatever its length.
const BATCH_BYTES: i64 = 512 * 1024;

/// What stands above the messages.
pub struct Head {
    /// Which.
    pub id: ConversationId,
    /// As given; empty means the character's name.
    pub title: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// What is shown last.
    pub leaf: Option<MessageId>,
    /// The character: id, name, slug.
    pub oc: (OcId, String, String),
    /// The person's name as shown.
    pub person: String,
}

/// A message as it is exported.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Which.
    pub id: MessageId,
    /// What it answers.
    pub parent_id: Option<MessageId>,
    /// Who said it.
    pub sender: Sender,
    /// As written.
    pub content: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
    /// Which model wrote it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// 1 to 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rating: Option<i16>,
    /// Whether it helped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helpful: Option<bool>,
    /// Tokens of the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_tokens: Option<i32>,
    /// Tokens of the reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_tokens: Option<i32>,
}

/// A message as the database has it.
struct Found {
    message_id: uuid::Uuid,
    parent_id: Option<uuid::Uuid>,
    sender_type: String,
    content: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    model: String,
    user_rating: Option<i16>,
    was_helpful: Option<bool>,
    prompt_tokens: Option<i32>,
    reply_tokens: Option<i32>,
}

impl From<Found> for Row {
    fn from(r: Found) -> Self {
        Self {
            id: MessageId(r.message_id),
            parent_id: r.parent_id.map(MessageId),
            sender: if r.sender_type == "user" { Sender::User } else { Sender::Oc },
            content: r.content,
            created_at: r.created_at,
            updated_at: r.updated_at,
            model: r.model,
            rating: r.user_rating,
            helpful: r.was_helpful,
            prompt_tokens: r.prompt_tokens,
            reply_tokens: r.reply_tokens,
        }
    }
}

/// What stands above the messages.
///
/// # Errors
/// `NotFound`, also for somebody else's.
pub async fn head(tx: &mut Tx, id: ConversationId) -> AppResult<Head> {
    let row = sqlx::query!(
        "select c.title, c.created_at, c.active_leaf_id, o.oc_id, o.name, o.slug, p.display_name
         from conversations c join ocs o using (oc_id) join profiles p on p.user_id = c.user_id
         where c.conversation_id = $1",
        id.0
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(AppError::NotFound)?;
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

/// The messages of the branch that is shown, oldest first, in batches of a bounded number of messages and of bytes with all
/// their wordings.
///
/// # Errors
/// When the database cannot be reached.
pub async fn branch(ctx: &Ctx, head: &Head) -> AppResult<Vec<Vec<MessageId>>> {
    let mut tx = ctx.begin().await?;
    let sizes = sqlx::query!(
        r#"with recursive path as (
               select message_id, parent_id, conversation_id, 1 as depth from messages where message_id = $1
               union all
               select m.message_id, m.parent_id, m.conversation_id, path.depth + 1
               from messages m join path on m.message_id = path.parent_id
           )
           select message_id as "message_id!", coalesce((
               select sum(octet_length(s.content)) from messages s
               where s.parent_id = path.parent_id
                   or (path.parent_id is null and s.parent_id is null and s.conversation_id = path.conversation_id)
           ), 0)::bigint as "bytes!"
           from path order by depth desc"#,
        head.leaf.map(|m| m.0)
    );
    let mut batches: Vec<Vec<MessageId>> = Vec::new();
    let mut bytes = 0;
    for row in sizes.fetch_all(&mut *tx).await? {
        bytes += row.bytes;
        let id = MessageId(row.message_id);
        match batches.last_mut() {
            Some(batch) if bytes <= BATCH_BYTES && batch.len() < BATCH => batch.push(id),
            _ => {
                bytes = row.bytes;
                batches.push(vec![id]);
            }
        }
    }
    Ok(batches)
}

/// These messages and their other wordings.
///
/// # Errors
/// When the database cannot be reached.
pub async fn with_siblings(ctx: &Ctx, conversation: ConversationId, ids: &[MessageId]) -> AppResult<Vec<Row>> {
    let ids: Vec<uuid::Uuid> = ids.iter().map(|m| m.0).collect();
    let mut tx = ctx.begin().await?;
    let rows = sqlx::query_as!(
        Found,
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
    Ok(rows.fetch_all(&mut *tx).await?.into_iter().map(Row::from).collect())
}

/// The next messages in the order in which they were made; none at the end.
///
/// # Errors
/// When the database cannot be reached.
pub async fn all(ctx: &Ctx, id: ConversationId, after: Option<MessageId>) -> AppResult<Vec<Row>> {
    let mut tx = ctx.begin().await?;
    let rows = sqlx::query_as!(
        Found,
        "select m.message_id, m.parent_id, m.sender_type, m.content, m.created_at, m.updated_at, m.model, m.user_rating,
             m.was_helpful, m.prompt_tokens, m.reply_tokens
         from (
             select message_id, sum(octet_length(content)) over (order by message_id) - octet_length(content) as before
             from (
                 select message_id, content from messages
                 where conversation_id = $1 and ($2::uuid is null or message_id > $2) order by message_id limit $3
             ) next
         ) sized join messages m using (message_id) where sized.before < $4 order by m.message_id",
        id.0,
        after.map(|m| m.0),
        i64::try_from(BATCH).unwrap_or(400),
        BATCH_BYTES
    );
    Ok(rows.fetch_all(&mut *tx).await?.into_iter().map(Row::from).collect())
}
