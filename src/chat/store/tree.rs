//! What people do to the tree of a conversation: turn to another wording, change words, branch off, rate, take away.
//!
//! Every message but an opening answers another, its parent; messages with the same parent are wordings of the same turn.
//! What is shown is the path from the conversation's leaf up to an opening. Nothing here changes it while a reply is
//! being written, so the path never runs through a line that is not there.

use super::{
    card,
    change::{Locked, add_reply, lock_conversation, open_runs, refuse_while_open, touch},
    runs::Start,
};
use crate::{
    chat::{Sender, check_words, prompt, run},
    error::{AppError, AppResult},
    ids::{ConversationId, MessageId, RunId, UserId},
    ocs::store::Persona,
    server::{Ctx, Tx, markdown, quota},
};
use uuid::Uuid;

/// Longest title of a branch without the word that says so, in characters.
const BRANCH_TITLE: usize = 100;

/// A wording of a turn.
#[derive(Clone, Debug)]
pub struct Wording {
    /// The message.
    pub id: MessageId,
    /// As written.
    pub content: String,
    /// It is the one that the conversation shows.
    pub is_shown: bool,
}

/// A line, where it stands.
struct Placed {
    parent: Option<Uuid>,
    sender: Sender,
    content: String,
    /// It is the card with help lines.
    is_card: bool,
}

impl Placed {
    /// What the card says is the house's, and stays.
    fn must_not_be_card(&self) -> AppResult<()> {
        if self.is_card { Err(AppError::invalid("", "This card stays as it is.")) } else { Ok(()) }
    }
}

/// Finds a line and locks its conversation.
async fn lock_line(tx: &mut Tx, message: MessageId) -> AppResult<(Placed, Locked)> {
    let row = sqlx::query!("select conversation_id from messages where message_id = $1", message.0)
        .fetch_optional(&mut **tx)
        .await?
        .ok_or(AppError::NotFound)?;
    let conversation = lock_conversation(tx, ConversationId(row.conversation_id)).await?;
    // Read under the lock: what it says may have been changed a moment ago.
    let row =
        sqlx::query!("select parent_id, sender_type, content, kind from messages where message_id = $1", message.0)
            .fetch_optional(&mut **tx)
            .await?
            .ok_or(AppError::NotFound)?;
    let placed = Placed {
        parent: row.parent_id,
        sender: if row.sender_type == "user" { Sender::User } else { Sender::Oc },
        content: row.content,
        is_card: row.kind == card::KIND,
    };
    Ok((placed, conversation))
}

/// Shows the wording before (-1) or after (1) a message, with everything that followed it last.
///
/// # Errors
/// `NotFound`, also for somebody else's; `Conflict` while the character is still answering.
pub async fn show_sibling(ctx: &Ctx, message: MessageId, step: i32) -> AppResult<ConversationId> {
    ctx.talker_write()?;
    let mut tx = ctx.begin().await?;
    let (line, conversation) = lock_line(&mut tx, message).await?;
    refuse_while_open(&mut tx, &conversation).await?;
    let sibling = sqlx::query_scalar!(
        "select message_id from messages
         where (parent_id = $1 or ($1::uuid is null and parent_id is null and conversation_id = $4))
           and case when $3 < 0 then message_id < $2 else message_id > $2 end
         order by case when $3 < 0 then message_id end desc, message_id asc limit 1",
        line.parent,
        message.0,
        step,
        conversation.id.0
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(AppError::NotFound)?;
    let leaf = newest_leaf(&mut tx, MessageId(sibling)).await?;
    show(&mut tx, conversation.id, Some(leaf)).await?;
    tx.commit().await?;
    Ok(conversation.id)
}

/// Shows a message, with everything that followed it last.
///
/// # Errors
/// As [`show_sibling`].
pub async fn show_message(ctx: &Ctx, message: MessageId) -> AppResult<ConversationId> {
    ctx.talker_write()?;
    let mut tx = ctx.begin().await?;
    let (_, conversation) = lock_line(&mut tx, message).await?;
    refuse_while_open(&mut tx, &conversation).await?;
    let leaf = newest_leaf(&mut tx, message).await?;
    show(&mut tx, conversation.id, Some(leaf)).await?;
    tx.commit().await?;
    Ok(conversation.id)
}

/// All wordings of the turn that a message is one of, oldest first.
///
/// # Errors
/// `NotFound`, also for somebody else's.
pub async fn wordings(tx: &mut Tx, message: MessageId) -> AppResult<Vec<Wording>> {
    let rows = sqlx::query!(
        r#"with recursive turn as (
               select m.conversation_id, m.parent_id, c.active_leaf_id
               from messages m join conversations c using (conversation_id) where m.message_id = $1
           ), path as (
               select m.message_id, m.parent_id from messages m join turn on m.message_id = turn.active_leaf_id
               union all
               select m.message_id, m.parent_id from messages m join path on m.message_id = path.parent_id
           )
           select s.message_id, s.content, s.message_id in (select path.message_id from path) as "is_shown!"
           from turn join messages s on s.conversation_id = turn.conversation_id
               and s.parent_id is not distinct from turn.parent_id
           order by s.message_id limit 200"#,
        message.0
    )
    .fetch_all(&mut **tx)
    .await?;
    if rows.is_empty() {
        return Err(AppError::NotFound);
    }
    let wording = |id: Uuid, content, is_shown| Wording { id: MessageId(id), content, is_shown };
    Ok(rows.into_iter().map(|r| wording(r.message_id, r.content, r.is_shown)).collect())
}

/// Changes the words of a line where they stand; what follows it stays. The words before are gone.
///
/// # Errors
/// `NotFound`, also for somebody else's; `Invalid` at `field`; `Conflict` while the character is still answering.
pub async fn edit_in_place(ctx: &Ctx, message: MessageId, field: &str, words: &str) -> AppResult<ConversationId> {
    let me = ctx.talker_write()?;
    let mut tx = ctx.begin().await?;
    let (line, conversation) = lock_line(&mut tx, message).await?;
    line.must_not_be_card()?;
    let words = check_words(field, line.sender, words)?;
    refuse_while_open(&mut tx, &conversation).await?;
    if words == line.content {
        return Ok(conversation.id);
    }
    match words.len().checked_sub(line.content.len()) {
        Some(more @ 1..) => quota::take_words(&mut tx, me.id, more).await?,
        _ => quota::add_words(&mut tx, me.id, quota::bytes(&words) - quota::bytes(&line.content)).await?,
    }
    // What was found by its meaning is found by its new meaning.
    sqlx::query!(
        "update messages set content = $2, edited_at = now(), embedding = null, embedding_model = null where message_id = $1",
        message.0,
        words
    )
    .execute(&mut *tx)
    .await?;
    if conversation.leaf == Some(message) {
        show(&mut tx, conversation.id, conversation.leaf).await?;
    } else {
        touch(&mut tx, conversation.id).await?;
    }
    tx.commit().await?;
    Ok(conversation.id)
}

/// Keeps a line as it is and puts other words beside it, which are shown from now on. A person's own line is sent: the
/// second part is the run that answers it.
///
/// # Errors
/// As [`edit_in_place`].
pub async fn edit_as_wording(
    ctx: &Ctx,
    message: MessageId,
    field: &str,
    words: &str,
) -> AppResult<(ConversationId, MessageId, Option<Start>)> {
    let me = ctx.talker_write()?;
    let mut tx = ctx.begin().await?;
    let (line, conversation) = lock_line(&mut tx, message).await?;
    line.must_not_be_card()?;
    let words = check_words(field, line.sender, words)?;
    refuse_while_open(&mut tx, &conversation).await?;
    quota::take_words(&mut tx, me.id, words.len()).await?;
    let id = MessageId::new();
    // Words that a person put into a character's mouth say so.
    sqlx::query!(
        "insert into messages (message_id, conversation_id, user_id, parent_id, sender_type, oc_id, content, edited_at)
         select $1, conversation_id, user_id, parent_id, sender_type, oc_id, $3, case when sender_type = 'oc' then now() end
         from messages where message_id = $2",
        id.0,
        message.0,
        words
    )
    .execute(&mut *tx)
    .await?;
    let start = match line.sender {
        Sender::User => Some(add_reply(ctx, &mut tx, &conversation, me.id, id, None).await?),
        Sender::Oc => None,
    };
    if start.is_none() {
        show(&mut tx, conversation.id, Some(id)).await?;
    } else {
        sqlx::query!(
            "update conversations set last_line = $2, last_message_at = now(), archived_at = null where conversation_id = $1",
            conversation.id.0,
            markdown::plain(&words, 180)
        )
        .execute(&mut *tx)
        .await?;
    }
    match &start {
        Some(start) => run::commit(&ctx.app, tx, start).await?,
        None => tx.commit().await?,
    }
    Ok((conversation.id, id, start))
}

/// A new conversation with what was said up to a message, and with what the person wrote about it; the old one stays as it is.
///
/// # Errors
/// `NotFound`, also for somebody else's; `Invalid` for a line without words; `Conflict` while the character is still
/// answering.
pub async fn branch(ctx: &Ctx, message: MessageId) -> AppResult<ConversationId> {
    let me = ctx.talker_write()?;
    let mut tx = ctx.begin().await?;
    let (line, conversation) = lock_line(&mut tx, message).await?;
    refuse_while_open(&mut tx, &conversation).await?;
    if line.content.trim().is_empty() {
        return Err(AppError::invalid("", "This message is still empty, so nothing can branch off."));
    }
    // Replies that never found words are left behind.
    let path = sqlx::query!(
        r#"with recursive path as (
               select message_id, parent_id, content, 1 as depth from messages where message_id = $1
               union all
               select m.message_id, m.parent_id, m.content, path.depth + 1
               from messages m join path on m.message_id = path.parent_id
           )
           select message_id as "id!", octet_length(content) as "bytes!" from path where content !~ '^\s*$' order by depth desc"#,
        message.0
    )
    .fetch_all(&mut *tx)
    .await?;
    let bytes = path.iter().map(|line| usize::try_from(line.bytes).unwrap_or(0)).sum();
    quota::take_words(&mut tx, me.id, bytes).await?;
    let old: Vec<Uuid> = path.iter().map(|line| line.id).collect();
    let new: Vec<Uuid> = old.iter().map(|_| MessageId::new().0).collect();
    let title = sqlx::query_scalar!(
        r#"select coalesce(nullif(c.title, ''), o.name) as "title!" from conversations c join ocs o using (oc_id)
           where c.conversation_id = $1"#,
        conversation.id.0
    )
    .fetch_one(&mut *tx)
    .await?;
    let id = ConversationId::new();
    sqlx::query!(
        "insert into conversations (conversation_id, user_id, oc_id, title, memory_tier, instructions, note, note_depth,
             persona_id, as_myself, summary_mode, branched_from_id, branched_at_id)
         select $2, user_id, oc_id, $3, memory_tier, instructions, note, note_depth,
             persona_id, as_myself, summary_mode, conversation_id, $4 from conversations where conversation_id = $1",
        conversation.id.0,
        id.0,
        branch_title(&title),
        message.0
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "insert into conversation_participants (conversation_id, user_id, oc_id)
         select $2, user_id, oc_id from conversation_participants where conversation_id = $1 and left_at is null",
        conversation.id.0,
        id.0
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "insert into messages (message_id, conversation_id, user_id, parent_id, sender_type, oc_id, content, tool_calls,
             tool_results, model, edited_at, created_at, kind)
         select p.new, $1, m.user_id, lag(p.new) over (order by p.place), m.sender_type, m.oc_id, m.content, m.tool_calls,
             m.tool_results, m.model, m.edited_at, m.created_at, m.kind
         from unnest($2::uuid[], $3::uuid[]) with ordinality as p (old, new, place) join messages m on m.message_id = p.old",
        id.0,
        &old,
        &new
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "insert into conversation_summaries (conversation_id, user_id, covers_message_id, content, is_edited, model)
         select $1, s.user_id, p.new, s.content, s.is_edited, s.model
         from unnest($2::uuid[], $3::uuid[]) as p (old, new) join conversation_summaries s on s.covers_message_id = p.old",
        id.0,
        &old,
        &new
    )
    .execute(&mut *tx)
    .await?;
    show(&mut tx, id, new.last().copied().map(MessageId)).await?;
    tx.commit().await?;
    Ok(id)
}

/// `The lamp (branch)`; a branch of a branch is called the same.
fn branch_title(title: &str) -> String {
    let base = title.strip_suffix(" (branch)").unwrap_or(title);
    let base: String = base.chars().take(BRANCH_TITLE).collect();
    format!("{} (branch)", base.trim_end())
}

/// What a person thinks of a reply; the outer `None` leaves it as it is, the inner one takes it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opinion {
    /// 1 to 5.
    pub rating: Option<Option<i16>>,
    /// Whether it helped.
    pub helpful: Option<Option<bool>>,
}

/// Keeps what a person thinks of a reply.
///
/// # Errors
/// `NotFound`, also for somebody else's; `Invalid` for one's own lines and for ratings that are none.
pub async fn rate(ctx: &Ctx, message: MessageId, opinion: Opinion) -> AppResult<ConversationId> {
    ctx.talker_write()?;
    if opinion.rating.flatten().is_some_and(|r| !(1..=5).contains(&r)) {
        return Err(AppError::invalid("rating", "A rating is a number from 1 to 5."));
    }
    let mut tx = ctx.begin().await?;
    let (line, conversation) = lock_line(&mut tx, message).await?;
    if line.sender == Sender::User || line.is_card {
        return Err(AppError::invalid("", "Only what a character said can be rated."));
    }
    sqlx::query!(
        "update messages set user_rating = case when $2 then $3 else user_rating end,
             was_helpful = case when $4 then $5 else was_helpful end where message_id = $1",
        message.0,
        opinion.rating.is_some(),
        opinion.rating.flatten(),
        opinion.helpful.is_some(),
        opinion.helpful.flatten()
    )
    .execute(&mut *tx)
    .await?;
    touch(&mut tx, conversation.id).await?;
    tx.commit().await?;
    Ok(conversation.id)
}

/// Removes a message and everything that answers it; gives the conversation and the runs that were writing there.
///
/// # Errors
/// `NotFound`, also for somebody else's.
pub async fn delete_message(ctx: &Ctx, message: MessageId) -> AppResult<(ConversationId, Vec<RunId>)> {
    let me = ctx.talker_write()?;
    let mut tx = ctx.begin().await?;
    let (line, conversation) = lock_line(&mut tx, message).await?;
    let open = open_runs(&mut tx, conversation.id).await?;
    let before = quota::words_in(&mut tx, conversation.id).await?;
    sqlx::query!("delete from messages where message_id = $1", message.0).execute(&mut *tx).await?;
    let after = quota::words_in(&mut tx, conversation.id).await?;
    quota::add_words(&mut tx, me.id, after - before).await?;
    // If what was shown has gone with it, the newest other wording is shown, or what came before.
    let shown = sqlx::query_scalar!(
        r#"select exists (select from messages where message_id = $1) as "shown!""#,
        conversation.leaf.map(|l| l.0)
    )
    .fetch_one(&mut *tx)
    .await?;
    if shown {
        touch(&mut tx, conversation.id).await?;
    } else {
        let sibling = sqlx::query_scalar!(
            "select message_id from messages
             where parent_id = $1 or ($1::uuid is null and parent_id is null and conversation_id = $2)
             order by message_id desc limit 1",
            line.parent,
            conversation.id.0
        )
        .fetch_optional(&mut *tx)
        .await?;
        let leaf = match sibling {
            Some(sibling) => Some(newest_leaf(&mut tx, MessageId(sibling)).await?),
            None => line.parent.map(MessageId),
        };
        show(&mut tx, conversation.id, leaf).await?;
    }
    tx.commit().await?;
    Ok((conversation.id, open))
}

/// The line that a conversation shows last, once no reply is being written.
///
/// # Errors
/// `NotFound`, also for somebody else's; `Conflict` while the character is still answering.
pub async fn leaf_at_rest(tx: &mut Tx, id: ConversationId) -> AppResult<Option<MessageId>> {
    let conversation = lock_conversation(tx, id).await?;
    refuse_while_open(tx, &conversation).await?;
    Ok(conversation.leaf)
}

/// Down from a message along the newest answers.
async fn newest_leaf(tx: &mut Tx, from: MessageId) -> AppResult<MessageId> {
    let leaf = sqlx::query_scalar!(
        r#"with recursive down as (
               select $1::uuid as message_id, 1 as depth
               union all
               select (select m.message_id from messages m where m.parent_id = down.message_id order by m.message_id desc limit 1),
                   down.depth + 1
               from down where down.message_id is not null
           )
           select message_id as "message_id!" from down where message_id is not null order by depth desc limit 1"#,
        from.0
    );
    Ok(MessageId(leaf.fetch_one(&mut **tx).await?))
}

/// Makes a message the end of what the conversation shows.
pub(super) async fn show(tx: &mut Tx, conversation: ConversationId, leaf: Option<MessageId>) -> AppResult<()> {
    let content = sqlx::query_scalar!("select content from messages where message_id = $1", leaf.map(|l| l.0))
        .fetch_optional(&mut **tx)
        .await?
        .unwrap_or_default();
    sqlx::query!(
        "update conversations set active_leaf_id = $2, last_line = $3 where conversation_id = $1",
        conversation.0,
        leaf.map(|l| l.0),
        markdown::plain(&content, 180)
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What a character may say first: its greeting, then the other ones that its maker wrote. Empty if it waits.
#[must_use]
pub fn openings(persona: &Persona, person: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::with_capacity(1 + persona.alternate_greetings.len());
    for text in std::iter::once(&persona.greeting).chain(&persona.alternate_greetings) {
        let text = prompt::fill(text.trim(), persona.called(), person);
        if !text.is_empty() && !all.contains(&text) {
            all.push(text);
        }
    }
    all
}

/// Puts the openings into a new conversation as each other's wordings and shows the chosen one, or else the first.
pub(super) async fn add_openings(
    tx: &mut Tx,
    user: UserId,
    conversation: &mut Locked,
    persona: &Persona,
    person: &str,
    chosen: u32,
) -> AppResult<()> {
    let texts = openings(persona, person);
    let ids: Vec<Uuid> = texts.iter().map(|_| MessageId::new().0).collect();
    let chosen = usize::try_from(chosen).unwrap_or(0);
    let Some(leaf) = ids.get(chosen).or_else(|| ids.first()).copied().map(MessageId) else { return Ok(()) };
    quota::take_words(tx, user, texts.iter().map(String::len).sum()).await?;
    sqlx::query!(
        "insert into messages (message_id, conversation_id, user_id, sender_type, oc_id, content)
         select o.id, c.conversation_id, c.user_id, 'oc', c.oc_id, o.content
         from unnest($2::uuid[], $3::text[]) as o (id, content), conversations c where c.conversation_id = $1",
        conversation.id.0,
        &ids,
        &texts
    )
    .execute(&mut **tx)
    .await?;
    conversation.leaf = Some(leaf);
    show(tx, conversation.id, conversation.leaf).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_say_what_they_are_once() {
        assert_eq!(branch_title("The lamp"), "The lamp (branch)");
        assert_eq!(branch_title("The lamp (branch)"), "The lamp (branch)");
        assert!(branch_title(&"x".repeat(200)).chars().count() <= crate::chat::TITLE_MAX);
    }
}
