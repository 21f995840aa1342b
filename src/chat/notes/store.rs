//! All SQL about notes, summaries and receipts.

use super::{CleanNotes, SummaryMode};
use crate::{
    chat::{
        RunStatus, Sender,
        prompt::{Guest, Notes, Turn},
    },
    error::{AppError, AppResult, OnConstraint},
    ids::{ConversationId, MessageId, OcId, PersonaId, RunId, Stamp, UserId},
    server::{Ctx, Tx},
};
use serde_json::Value;

/// The notes of a conversation as they are kept.
#[derive(Clone, Debug)]
pub struct NotesRow {
    /// The character.
    pub oc_id: OcId,
    /// Its name.
    pub oc_name: String,
    /// What it is told in this conversation.
    pub instructions: String,
    /// The author's note.
    pub note: String,
    /// How many lines follow it.
    pub note_depth: u32,
    /// The persona that was chosen for it.
    pub persona_id: Option<PersonaId>,
    /// The person speaks as themselves.
    pub as_myself: bool,
    /// When older lines are summed up.
    pub summary_mode: SummaryMode,
    /// The message it shows last.
    pub leaf: Option<MessageId>,
}

fn depth(n: i16) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

/// The notes of a conversation.
///
/// # Errors
/// `NotFound`, also for somebody else's.
pub async fn notes(tx: &mut Tx, id: ConversationId) -> AppResult<NotesRow> {
    let row = sqlx::query!(
        "select c.oc_id, o.name, c.instructions, c.note, c.note_depth, c.persona_id, c.as_myself, c.summary_mode, c.active_leaf_id
         from conversations c join ocs o using (oc_id) where c.conversation_id = $1",
        id.0
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(AppError::NotFound)?;
    Ok(NotesRow {
        oc_id: OcId(row.oc_id),
        oc_name: row.name,
        instructions: row.instructions,
        note: row.note,
        note_depth: depth(row.note_depth),
        persona_id: row.persona_id.map(PersonaId),
        as_myself: row.as_myself,
        summary_mode: SummaryMode::parse(&row.summary_mode),
        leaf: row.active_leaf_id.map(MessageId),
    })
}

/// Keeps the notes of a conversation.
///
/// # Errors
/// `NotFound`, also for somebody else's conversation; `Invalid` for somebody else's persona.
pub async fn save_notes(
    ctx: &Ctx,
    id: ConversationId,
    notes: &CleanNotes,
    persona: Option<PersonaId>,
    as_myself: bool,
) -> AppResult<()> {
    ctx.require_write()?;
    let mut tx = ctx.begin().await?;
    let done = sqlx::query!(
        "update conversations set instructions = $2, note = $3, note_depth = $4, persona_id = $5, as_myself = $6
         where conversation_id = $1",
        id.0,
        notes.instructions,
        notes.note,
        i16::try_from(notes.note_depth).unwrap_or(4),
        persona.map(|p| p.0),
        as_myself
    )
    .execute(&mut *tx)
    .await
    .on_constraint("conversations_persona_fkey", || {
        AppError::invalid("persona", "This persona does not exist any more. Please choose another.")
    })?;
    tx.commit().await?;
    if done.rows_affected() == 0 { Err(AppError::NotFound) } else { Ok(()) }
}

/// What a prompt reads of the conversation that a message is in: who the person is, and their notes without the summary.
///
/// # Errors
/// When the database cannot be reached.
pub async fn of_message(
    tx: &mut Tx,
    user: UserId,
    message: Option<MessageId>,
) -> AppResult<(Option<String>, Guest, Notes)> {
    let Some(message) = message else {
        let row =
            sqlx::query!("select name, pronouns, description from personas where user_id = $1 and is_default", user.0);
        let row = row.fetch_optional(&mut **tx).await?;
        return Ok(match row {
            Some(r) => (Some(r.name), Guest { pronouns: r.pronouns, description: r.description }, Notes::default()),
            None => (None, Guest::default(), Notes::default()),
        });
    };
    let row = sqlx::query!(
        r#"select c.instructions, c.note, c.note_depth, c.summary_mode, p.name as "name?", p.pronouns as "pronouns?",
               p.description as "description?"
           from messages m join conversations c using (conversation_id)
           left join personas p on p.user_id = c.user_id and not c.as_myself
               and (p.persona_id = c.persona_id or (c.persona_id is null and p.is_default))
           where m.message_id = $1"#,
        message.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok((None, Guest::default(), Notes::default())) };
    let guest = Guest { pronouns: row.pronouns.unwrap_or_default(), description: row.description.unwrap_or_default() };
    let notes = Notes {
        instructions: row.instructions,
        note: row.note,
        note_depth: depth(row.note_depth),
        summary: String::new(),
        summary_is_off: SummaryMode::parse(&row.summary_mode) == SummaryMode::Off,
    };
    Ok((row.name, guest, notes))
}

/// A summary that holds on the path to a message.
#[derive(Clone, Debug)]
pub struct SummaryRow {
    /// The last message that it covers.
    pub covers: MessageId,
    /// What was said until then.
    pub content: String,
    /// The person's own words.
    pub is_edited: bool,
    /// The model that wrote it; empty if none did.
    pub model: String,
    /// How many lines of the path came since.
    pub since: i64,
    /// When it was written or changed.
    pub updated_at: Stamp,
}

/// The newest summary on the path from a message to the beginning; one of another branch is not seen.
///
/// # Errors
/// When the database cannot be reached.
pub async fn summary_before(tx: &mut Tx, message: MessageId) -> AppResult<Option<SummaryRow>> {
    // Walks up only as far as needed, and not at all where nothing was ever summed up.
    let row = sqlx::query!(
        r#"with recursive path as (
               select m.message_id, m.parent_id, 0::int8 as since,
                   (select s.conversation_summary_id from conversation_summaries s where s.covers_message_id = m.message_id) as found
               from messages m
               where m.message_id = $1
                 and exists (select from conversation_summaries s where s.conversation_id = m.conversation_id)
               union all
               select m.message_id, m.parent_id, path.since + 1,
                   (select s.conversation_summary_id from conversation_summaries s where s.covers_message_id = m.message_id)
               from messages m join path on m.message_id = path.parent_id
               where path.found is null and path.since < 20000
           )
           select s.covers_message_id, s.content, s.is_edited, s.model, s.updated_at, path.since as "since!"
           from path join conversation_summaries s on s.conversation_summary_id = path.found"#,
        message.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|r| SummaryRow {
        covers: MessageId(r.covers_message_id),
        content: r.content,
        is_edited: r.is_edited,
        model: r.model,
        since: r.since,
        updated_at: r.updated_at.into(),
    }))
}

/// A line of the path, with its id.
pub type PathLine = (MessageId, Turn);

/// The lines on the path to `until` that come after `after`, oldest first, at most `most` of the newest.
///
/// # Errors
/// When the database cannot be reached.
pub async fn lines_after(
    tx: &mut Tx,
    until: MessageId,
    after: Option<MessageId>,
    most: i32,
) -> AppResult<Vec<PathLine>> {
    let rows = sqlx::query!(
        r#"with recursive path as (
               select message_id, parent_id, 1 as depth from messages where message_id = $1
               union all
               select m.message_id, m.parent_id, path.depth + 1 from messages m join path on m.message_id = path.parent_id
               where path.depth < $3 and path.message_id is distinct from $2 and m.message_id is distinct from $2
           )
           select m.message_id, m.sender_type, m.content from path join messages m using (message_id)
           where m.message_id is distinct from $2 and m.kind = '' order by path.depth desc"#,
        until.0,
        after.map(|m| m.0),
        most
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| {
            let by = if r.sender_type == "user" { Sender::User } else { Sender::Oc };
            (MessageId(r.message_id), Turn { by, content: r.content })
        })
        .collect())
}

/// A summary to be kept.
#[derive(Clone, Debug)]
pub struct NewSummary {
    /// What was said.
    pub content: String,
    /// The person's own words are in it.
    pub is_edited: bool,
    /// The model that wrote it; empty if none did.
    pub model: String,
    /// What it read and wrote, in tokens.
    pub tokens: Option<(u32, u32)>,
}

/// Keeps what was said up to a message. What a person wrote meanwhile is not overwritten.
///
/// # Errors
/// When the message is gone or somebody else's, or the database cannot be reached.
pub async fn add_summary(
    tx: &mut Tx,
    user: UserId,
    conversation: ConversationId,
    covers: MessageId,
    new: &NewSummary,
) -> AppResult<()> {
    let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    sqlx::query!(
        "insert into conversation_summaries
             (conversation_id, user_id, covers_message_id, content, is_edited, model, prompt_tokens, reply_tokens)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict on constraint conversation_summaries_place do update
         set content = excluded.content, is_edited = excluded.is_edited, model = excluded.model,
             prompt_tokens = excluded.prompt_tokens, reply_tokens = excluded.reply_tokens
         where excluded.is_edited or not conversation_summaries.is_edited",
        conversation.0,
        user.0,
        covers.0,
        new.content,
        new.is_edited,
        new.model,
        new.tokens.map(|t| number(t.0)),
        new.tokens.map(|t| number(t.1))
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Keeps when older lines are summed up.
///
/// # Errors
/// `NotFound`, also for somebody else's.
pub async fn set_mode(tx: &mut Tx, id: ConversationId, mode: SummaryMode) -> AppResult<()> {
    let done =
        sqlx::query!("update conversations set summary_mode = $2 where conversation_id = $1", id.0, mode.as_str())
            .execute(&mut **tx)
            .await?;
    if done.rows_affected() == 0 { Err(AppError::NotFound) } else { Ok(()) }
}

/// Forgets every summary of a conversation.
///
/// # Errors
/// When the database cannot be reached.
pub async fn forget_summaries(tx: &mut Tx, id: ConversationId) -> AppResult<()> {
    sqlx::query!("delete from conversation_summaries where conversation_id = $1", id.0).execute(&mut **tx).await?;
    Ok(())
}

/// What is kept of a run, for its receipt.
#[derive(Clone, Debug)]
pub struct ReceiptRow {
    /// Where it was.
    pub conversation_id: ConversationId,
    /// The reply.
    pub message_id: MessageId,
    /// Who answered.
    pub oc_id: OcId,
    /// Its name.
    pub oc_name: String,
    /// Where the run is.
    pub status: RunStatus,
    /// When it began.
    pub created_at: Stamp,
    /// The prompt, as it was noted; empty before it was sent.
    pub receipt: Value,
    /// Why it failed, or what else there is to say about it.
    pub error: String,
    /// Why the model wrote no more.
    pub finish: String,
    /// As the model counted.
    pub prompt_tokens: Option<i32>,
    /// Tokens of the prompt that it knew already.
    pub cached_tokens: Option<i32>,
    /// Tokens it wrote.
    pub reply_tokens: Option<i32>,
    /// From the start to the first word, milliseconds.
    pub first_token_ms: Option<i32>,
    /// What it cost, in millionths of a US dollar.
    pub cost_micros: Option<i64>,
    /// From the start to the end, milliseconds.
    pub took_ms: Option<i64>,
}

/// What is kept of a run.
///
/// # Errors
/// `NotFound`, also for somebody else's.
pub async fn receipt(tx: &mut Tx, run: RunId) -> AppResult<ReceiptRow> {
    let row = sqlx::query!(
        r#"select r.conversation_id, r.message_id, c.oc_id, o.name, r.status, r.created_at, r.receipt, r.error, r.finish,
               r.prompt_tokens, r.cached_tokens, r.reply_tokens, r.first_token_ms, r.cost_micros, u.timezone,
               case when r.status in ('done', 'failed', 'stopped')
                    then (extract(epoch from r.updated_at - r.created_at) * 1000)::int8 end as took_ms
           from runs r join conversations c using (conversation_id) join ocs o using (oc_id)
               join users u on u.user_id = c.user_id
           where r.run_id = $1"#,
        run.0
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(AppError::NotFound)?;
    Ok(ReceiptRow {
        conversation_id: ConversationId(row.conversation_id),
        message_id: MessageId(row.message_id),
        oc_id: OcId(row.oc_id),
        oc_name: row.name,
        status: RunStatus::parse(&row.status),
        created_at: crate::server::moments::exact(row.created_at, &row.timezone),
        receipt: row.receipt,
        error: row.error.unwrap_or_default(),
        finish: row.finish.unwrap_or_default(),
        prompt_tokens: row.prompt_tokens,
        cached_tokens: row.cached_tokens,
        reply_tokens: row.reply_tokens,
        first_token_ms: row.first_token_ms,
        cost_micros: row.cost_micros,
        took_ms: row.took_ms,
    })
}
