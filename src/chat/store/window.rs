//! Where a window of lines ends, when it is not at the newest line.

use super::read::WINDOW;
use crate::{
    chat::At,
    error::{AppError, AppResult},
    ids::{ConversationId, MessageId},
    server::Tx,
};

/// Longest branch that is followed, in lines.
const LONGEST: i32 = 50_000;

/// The last line of a window, and the line that follows it.
///
/// # Errors
/// `NotFound` for a message of another conversation, or somebody else's.
pub async fn end(
    tx: &mut Tx,
    conversation: ConversationId,
    leaf: Option<MessageId>,
    at: At,
) -> AppResult<(Option<MessageId>, Option<MessageId>)> {
    let (from, steps) = match at {
        At::Newest => return Ok((leaf, None)),
        At::Before(message) => return Ok((parent(tx, conversation, message).await?, Some(message))),
        At::From(message) => (message, WINDOW - 1),
        At::Around(message) => (message, WINDOW / 3),
    };
    parent(tx, conversation, from).await?;
    let mut below = newest_below(tx, from, steps + 1).await?;
    if let Some(leaf) = leaf
        && below.iter().any(|(_, is_fork)| *is_fork)
        && let Some(shown) = shown_below(tx, leaf, from, steps + 2).await?
    {
        below = shown.into_iter().map(|m| (m, false)).collect();
    }
    let steps = usize::try_from(steps).unwrap_or(0);
    let last = below.get(steps).or(below.last()).map_or(from, |(m, _)| *m);
    Ok((Some(last), below.get(steps + 1).map(|(m, _)| *m)))
}

async fn parent(tx: &mut Tx, conversation: ConversationId, message: MessageId) -> AppResult<Option<MessageId>> {
    let found = sqlx::query_scalar!(
        "select parent_id from messages where message_id = $1 and conversation_id = $2",
        message.0,
        conversation.0
    );
    Ok(found.fetch_optional(&mut **tx).await?.ok_or(AppError::NotFound)?.map(MessageId))
}

/// A message and the newest answers below it, with whether there was another one.
async fn newest_below(tx: &mut Tx, from: MessageId, steps: i32) -> AppResult<Vec<(MessageId, bool)>> {
    let rows = sqlx::query!(
        r#"with recursive down as (
               select $1::uuid as message_id, false as is_fork, 0 as step
               union all
               select next.message_id, next.is_fork, down.step + 1
               from down cross join lateral (
                   select m.message_id, count(*) over () > 1 as is_fork from messages m
                   where m.parent_id = down.message_id order by m.message_id desc limit 1
               ) next
               where down.step < $2
           )
           select message_id as "message_id!", is_fork as "is_fork!" from down order by step"#,
        from.0,
        steps
    );
    Ok(rows.fetch_all(&mut **tx).await?.into_iter().map(|r| (MessageId(r.message_id), r.is_fork)).collect())
}

/// A message and what follows it on the branch that is shown; `None` if it is on another one. Only asked for where the newest
/// answers are not the only ones: it walks the whole way up from the branch's end, 25 ms for ten thousand lines.
async fn shown_below(tx: &mut Tx, leaf: MessageId, from: MessageId, most: i32) -> AppResult<Option<Vec<MessageId>>> {
    let rows = sqlx::query_scalar!(
        r#"with recursive path as (
               select message_id, parent_id, 1 as depth from messages where message_id = $1
               union all
               select m.message_id, m.parent_id, path.depth + 1 from messages m join path on m.message_id = path.parent_id
               where path.message_id <> $2 and path.depth < $3
           )
           select message_id as "message_id!" from path order by depth desc limit $4"#,
        leaf.0,
        from.0,
        LONGEST,
        i64::from(most)
    );
    let found: Vec<MessageId> = rows.fetch_all(&mut **tx).await?.into_iter().map(MessageId).collect();
    Ok(Some(found).filter(|f| f.first() == Some(&from)))
}
