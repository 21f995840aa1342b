//! What people do to their conversations. Each function is one transaction; a model is never called inside one.

use super::{card, runs::Start, tree};
use crate::{
    chat::{Sent, prompt, run},
    error::{AppError, AppResult, OnConstraint},
    ids::{ConversationId, MessageId, OcId, RunId, UserId},
    ocs::store::Persona,
    server::{Ctx, Tx, db::whole, markdown, quota},
};
use uuid::Uuid;

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// Into this conversation; with a character given, it must be theirs.
    Conversation(ConversationId, Option<OcId>),
    /// Into the newest conversation with this character, or a new one that begins with this of its first lines, from 0.
    Character(OcId, u32),
}

/// A conversation that is locked for a change.
pub(super) struct Locked {
    pub(super) id: ConversationId,
    pub(super) oc: OcId,
    pub(super) leaf: Option<MessageId>,
}

/// The message that was sent under this key before, and what it said.
///
/// # Errors
/// When the database cannot be reached.
pub async fn find_by_key(tx: &mut Tx, user: UserId, key: &str) -> AppResult<Option<(Sent, String)>> {
    let row = sqlx::query!(
        "select r.run_id, r.conversation_id, r.message_id, u.message_id as user_message_id, u.content, m.kind
         from runs r join messages m on m.message_id = r.message_id join messages u on u.message_id = m.parent_id
         where r.user_id = $1 and r.idempotency_key = $2",
        user.0,
        key
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(|r| {
        let sent = Sent {
            conversation_id: ConversationId(r.conversation_id),
            user_message_id: MessageId(r.user_message_id),
            message_id: MessageId(r.message_id),
            run_id: RunId(r.run_id),
            is_card: r.kind == card::KIND,
            next_key: new_key(),
        };
        (sent, r.content)
    }))
}

/// A key for the next message.
pub fn new_key() -> String {
    Uuid::new_v4().simple().to_string()
}

/// Keeps a message and prepares its reply. The second part is the run that began; `None` when the key was used before.
///
/// # Errors
/// `NotFound`; `Conflict` while the character is still answering, or when the key belongs to another message.
pub async fn send(ctx: &Ctx, to: To, content: &str, key: &str) -> AppResult<(Sent, Option<Start>)> {
    whole(|| send_once(ctx, to, content, key)).await
}

async fn send_once(ctx: &Ctx, to: To, content: &str, key: &str) -> AppResult<(Sent, Option<Start>)> {
    let me = ctx.talker_write()?;
    let mut tx = ctx.begin().await?;
    // Copies of the same request wait here for the first one, and then find what it did.
    lock(&mut tx, &format!("key:{}:{key}", me.id)).await?;
    if let Some((sent, before)) = find_by_key(&mut tx, me.id, key).await? {
        if before != content {
            return Err(AppError::conflict(
                "",
                "This key was used for another message. Please send it with a new one.",
            ));
        }
        return Ok((sent, None));
    }
    let conversation = match to {
        To::Conversation(id, oc) => {
            let found = lock_conversation(&mut tx, id).await?;
            if oc.is_some_and(|oc| oc != found.oc) {
                return Err(AppError::NotFound);
            }
            found
        }
        To::Character(oc, opening) => {
            lock(&mut tx, &format!("talk:{}:{oc}", me.id)).await?;
            match super::newest_with(&mut tx, me.id, oc).await? {
                Some(id) => lock_conversation(&mut tx, id).await?,
                None => {
                    let persona = crate::ocs::store::persona(&mut tx, oc).await?;
                    create(&mut tx, me.id, &me.display_name, &persona, opening).await?
                }
            }
        }
    };
    // What was said stays, but nobody goes on with a character that is hidden from them.
    crate::ocs::store::must_see(&mut tx, conversation.oc).await?;
    refuse_while_open(&mut tx, &conversation).await?;
    quota::take_words(&mut tx, me.id, content.len()).await?;

    let message = MessageId::new();
    sqlx::query!(
        "insert into messages (message_id, conversation_id, user_id, parent_id, sender_type, content)
         values ($1, $2, $3, $4, 'user', $5)",
        message.0,
        conversation.id.0,
        me.id.0,
        conversation.leaf.map(|l| l.0),
        content
    )
    .execute(&mut *tx)
    .await?;
    let start = add_reply(ctx, &mut tx, &conversation, me.id, message, Some(key)).await?;
    let line = markdown::plain(content, 180);
    sqlx::query!(
        "update conversations set last_line = $2, last_message_at = now(), archived_at = null where conversation_id = $1",
        conversation.id.0,
        line
    )
    .execute(&mut *tx)
    .await?;
    run::commit(&ctx.app, tx, &start).await?;
    let sent = Sent {
        conversation_id: conversation.id,
        user_message_id: message,
        message_id: start.message_id,
        run_id: start.run_id,
        is_card: start.is_card,
        next_key: new_key(),
    };
    Ok((sent, Some(start)))
}

/// Begins a new conversation with the character's greeting.
///
/// # Errors
/// `NotFound`, also for somebody else's draft.
pub async fn start(ctx: &Ctx, oc: OcId) -> AppResult<ConversationId> {
    let me = ctx.talker_write()?;
    let mut tx = ctx.begin().await?;
    lock(&mut tx, &format!("talk:{}:{oc}", me.id)).await?;
    // A conversation in which nothing has been said yet is new enough: pressing twice makes one.
    if let Some(id) = super::newest_with(&mut tx, me.id, oc).await? {
        let said = sqlx::query_scalar!(
            r#"select exists (select from messages where conversation_id = $1 and sender_type = 'user') as "said!""#,
            id.0
        );
        if !said.fetch_one(&mut *tx).await? {
            return Ok(id);
        }
    }
    let persona = crate::ocs::store::persona(&mut tx, oc).await?;
    let made = create(&mut tx, me.id, &me.display_name, &persona, 0).await?;
    tx.commit().await?;
    Ok(made.id)
}

/// `opening`: which of the character's first lines is shown.
async fn create(tx: &mut Tx, user: UserId, person: &str, persona: &Persona, opening: u32) -> AppResult<Locked> {
    let id = ConversationId::new();
    let oc = persona.id;
    sqlx::query!("insert into conversations (conversation_id, user_id, oc_id) values ($1, $2, $3)", id.0, user.0, oc.0)
        .execute(&mut **tx)
        .await?;
    sqlx::query!(
        "insert into conversation_participants (conversation_id, user_id, oc_id) values ($1, $2, null), ($1, null, $3)",
        id.0,
        user.0,
        oc.0
    )
    .execute(&mut **tx)
    .await?;
    let known_as = crate::personas::store::default_name(tx, user).await?;
    let mut made = Locked { id, oc, leaf: None };
    tree::add_openings(tx, user, &mut made, persona, known_as.as_deref().unwrap_or(person), opening).await?;
    Ok(made)
}

/// Another wording of a reply; it becomes the one that is shown.
///
/// # Errors
/// `NotFound`; `Conflict` while the character is still answering; `Invalid` for lines that no model wrote.
pub async fn regenerate(ctx: &Ctx, message: MessageId) -> AppResult<Start> {
    let me = ctx.talker_write()?;
    let mut tx = ctx.begin().await?;
    let (conversation, parent) = lock_reply(&mut tx, message).await?;
    quota::take_words(&mut tx, me.id, 0).await?;
    let start = add_reply(ctx, &mut tx, &conversation, me.id, parent, None).await?;
    run::commit(&ctx.app, tx, &start).await?;
    Ok(start)
}

/// Goes on with a reply that was cut, stopped or interrupted, from the words it has.
///
/// # Errors
/// As [`regenerate`].
pub async fn continue_reply(ctx: &Ctx, message: MessageId) -> AppResult<Start> {
    again(ctx, message, true).await
}

/// Writes a reply anew that failed, in its place.
///
/// # Errors
/// As [`regenerate`].
pub async fn retry(ctx: &Ctx, message: MessageId) -> AppResult<Start> {
    again(ctx, message, false).await
}

async fn again(ctx: &Ctx, message: MessageId, keep: bool) -> AppResult<Start> {
    let me = ctx.talker_write()?;
    let mut tx = ctx.begin().await?;
    let (conversation, parent) = lock_reply(&mut tx, message).await?;
    if parent == message {
        return Err(AppError::invalid("", "This card stays as it is."));
    }
    if conversation.leaf != Some(message) {
        return Err(AppError::conflict(
            "",
            "This chat has continued since; only its last reply can be changed this way.",
        ));
    }
    quota::take_words(&mut tx, me.id, 0).await?;
    let (before, cut) = going_on(&mut tx, message).await?;
    let kept = if keep { cut } else { String::new() };
    quota::add_words(&mut tx, me.id, quota::bytes(&kept) - quota::bytes(&before)).await?;
    sqlx::query!(
        "update messages set content = $3,
             user_rating = case when $2 then user_rating end, was_helpful = case when $2 then was_helpful end,
             edited_at = case when $2 then edited_at end
         where message_id = $1",
        message.0,
        keep,
        kept
    )
    .execute(&mut *tx)
    .await?;
    let start = Start { kept, ..start_of(&conversation, me.id, message, parent) };
    add_run(ctx, &mut tx, &start, None).await?;
    touch(&mut tx, conversation.id).await?;
    run::commit(&ctx.app, tx, &start).await?;
    Ok(start)
}

/// The run of a reply that has no words yet.
fn start_of(conversation: &Locked, user: UserId, message: MessageId, answers: MessageId) -> Start {
    Start {
        run_id: RunId::new(),
        user_id: user,
        conversation_id: conversation.id,
        oc_id: conversation.oc,
        message_id: message,
        answers: Some(answers),
        kept: String::new(),
        is_card: false,
    }
}

/// The words of a reply, and those from which it goes on: an action that was closed where the reply's length cut it is open again.
async fn going_on(tx: &mut Tx, message: MessageId) -> AppResult<(String, String)> {
    let row = sqlx::query!(
        r#"select content, (select finish from runs where message_id = $1 order by run_id desc limit 1) as finish
           from messages where message_id = $1"#,
        message.0
    )
    .fetch_one(&mut **tx)
    .await?;
    let was_cut = row.finish.as_deref() == Some("length");
    let cut = if was_cut { prompt::reopened(&row.content).to_owned() } else { row.content.clone() };
    Ok((row.content, cut))
}

/// Locks the conversation of a reply that may be written again, and gives what it answers. After a card with help lines the
/// character answers below it, so that the card stays in sight.
async fn lock_reply(tx: &mut Tx, message: MessageId) -> AppResult<(Locked, MessageId)> {
    let row = sqlx::query!(
        "select conversation_id, parent_id, sender_type, kind from messages where message_id = $1",
        message.0
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(AppError::NotFound)?;
    let conversation = lock_conversation(tx, ConversationId(row.conversation_id)).await?;
    refuse_while_open(tx, &conversation).await?;
    match row.parent_id {
        Some(_) if row.kind == card::KIND => Ok((conversation, message)),
        Some(parent) if row.sender_type == "oc" => Ok((conversation, MessageId(parent))),
        _ => Err(AppError::invalid("", "Only a reply can be regenerated.")),
    }
}

pub(super) async fn add_reply(
    ctx: &Ctx,
    tx: &mut Tx,
    conversation: &Locked,
    user: UserId,
    parent: MessageId,
    key: Option<&str>,
) -> AppResult<Start> {
    // Before any model: whatever is sent, edited or asked for again comes through here.
    if let Some(card) = card::instead(ctx, tx, conversation, parent, key).await? {
        return Ok(card);
    }
    // One that has left answers nobody.
    crate::ocs::store::must_see(tx, conversation.oc).await?;
    let start = put_reply(tx, conversation, user, parent, None).await?;
    add_run(ctx, tx, &start, key).await?;
    Ok(start)
}

/// Puts a reply below the line that it answers, where it is shown: one without words yet, or the text of a card.
pub(super) async fn put_reply(
    tx: &mut Tx,
    conversation: &Locked,
    user: UserId,
    parent: MessageId,
    card: Option<&str>,
) -> AppResult<Start> {
    let message = MessageId::new();
    sqlx::query!(
        "insert into messages (message_id, conversation_id, user_id, parent_id, sender_type, oc_id, content, kind)
         values ($1, $2, $3, $4, 'oc', $5, $6, $7)",
        message.0,
        conversation.id.0,
        user.0,
        parent.0,
        conversation.oc.0,
        card.unwrap_or_default(),
        if card.is_some() { card::KIND } else { "" }
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "update conversations set active_leaf_id = $2 where conversation_id = $1",
        conversation.id.0,
        message.0
    )
    .execute(&mut **tx)
    .await?;
    Ok(Start { is_card: card.is_some(), ..start_of(conversation, user, message, parent) })
}

async fn add_run(ctx: &Ctx, tx: &mut Tx, start: &Start, key: Option<&str>) -> AppResult<()> {
    crate::models::meter::refuse_if_spent(&ctx.app, tx, start.user_id, start.conversation_id).await?;
    sqlx::query!(
        "insert into runs (run_id, user_id, conversation_id, message_id, idempotency_key, node_id, lease_until)
         values ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))",
        start.run_id.0,
        start.user_id.0,
        start.conversation_id.0,
        start.message_id.0,
        key,
        ctx.app.node.0,
        crate::chat::run::LEASE_SECONDS
    )
    .execute(&mut **tx)
    .await
    .on_constraint("runs_idempotency_key", || AppError::conflict("", "This message is being sent already."))?;
    Ok(())
}

/// Asks a run to stop. The writer looks at this with every flush; the same process is told at once by the caller.
///
/// # Errors
/// `NotFound`, also for somebody else's.
pub async fn stop(ctx: &Ctx, run: RunId) -> AppResult<ConversationId> {
    ctx.talker_write()?;
    let mut tx = ctx.begin().await?;
    let found =
        sqlx::query_scalar!("update runs set stop_requested = true where run_id = $1 returning conversation_id", run.0)
            .fetch_optional(&mut *tx)
            .await?;
    tx.commit().await?;
    found.map(ConversationId).ok_or(AppError::NotFound)
}

/// Gives a conversation a title; empty takes it away.
///
/// # Errors
/// `NotFound`, also for somebody else's.
pub async fn rename(ctx: &Ctx, id: ConversationId, title: &str) -> AppResult<()> {
    ctx.talker_write()?;
    let mut tx = ctx.begin().await?;
    let done = sqlx::query!("update conversations set title = $2 where conversation_id = $1", id.0, title)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    if done.rows_affected() == 0 { Err(AppError::NotFound) } else { Ok(()) }
}

/// Puts a conversation away, or takes it out again.
///
/// # Errors
/// `NotFound`, also for somebody else's.
pub async fn archive(ctx: &Ctx, id: ConversationId, archived: bool) -> AppResult<()> {
    ctx.talker_write()?;
    let mut tx = ctx.begin().await?;
    let done = sqlx::query!(
        "update conversations set archived_at = case when $2 then coalesce(archived_at, now()) end where conversation_id = $1",
        id.0,
        archived
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    if done.rows_affected() == 0 { Err(AppError::NotFound) } else { Ok(()) }
}

/// Deletes a conversation and everything said in it; gives the runs that were writing there.
///
/// # Errors
/// `NotFound`, also for somebody else's.
pub async fn delete_conversation(ctx: &Ctx, id: ConversationId) -> AppResult<Vec<RunId>> {
    let me = ctx.talker_write()?;
    let mut tx = ctx.begin().await?;
    let open = open_runs(&mut tx, id).await?;
    let words = quota::words_in(&mut tx, id).await?;
    let done = sqlx::query!("delete from conversations where conversation_id = $1", id.0).execute(&mut *tx).await?;
    if done.rows_affected() == 0 {
        return Err(AppError::NotFound);
    }
    quota::add_words(&mut tx, me.id, -words).await?;
    tx.commit().await?;
    Ok(open)
}

pub(super) async fn open_runs(tx: &mut Tx, id: ConversationId) -> AppResult<Vec<RunId>> {
    let rows = sqlx::query_scalar!(
        "select run_id from runs where conversation_id = $1 and status in ('queued', 'streaming')",
        id.0
    );
    Ok(rows.fetch_all(&mut **tx).await?.into_iter().map(RunId).collect())
}

async fn lock(tx: &mut Tx, what: &str) -> AppResult<()> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended($1, 0))", what).execute(&mut **tx).await?;
    Ok(())
}

pub(super) async fn lock_conversation(tx: &mut Tx, id: ConversationId) -> AppResult<Locked> {
    let row = sqlx::query!(
        "select c.oc_id, c.active_leaf_id from conversations c where c.conversation_id = $1 for update",
        id.0
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(AppError::NotFound)?;
    Ok(Locked { id, oc: OcId(row.oc_id), leaf: row.active_leaf_id.map(MessageId) })
}

pub(super) async fn refuse_while_open(tx: &mut Tx, conversation: &Locked) -> AppResult<()> {
    let open = sqlx::query_scalar!(
        r#"select exists (select from runs where conversation_id = $1 and status in ('queued', 'streaming')
           and lease_until > now()) as "open!""#,
        conversation.id.0
    );
    if open.fetch_one(&mut **tx).await? {
        return Err(AppError::conflict(
            "content",
            "The last reply is still being written. Wait for it, or stop it first.",
        ));
    }
    Ok(())
}

pub(super) async fn touch(tx: &mut Tx, id: ConversationId) -> AppResult<()> {
    sqlx::query!("update conversations set updated_at = now() where conversation_id = $1", id.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
