//! What streams follow: one run or conversation when a stream begins, under the identity of the person who asks, and from
//! then on many at once, as the process itself.

use super::read::{effective, revision};
use crate::{
    chat::RunStatus,
    error::{AppError, AppResult},
    ids::{ConversationId, MessageId, RunId},
    server::{Db, Tx},
};
use std::collections::HashMap;
use uuid::Uuid;

/// What a tab must know to see whether it shows the present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// Changes with the conversation, as `Lines::revision` does.
    pub revision: String,
    /// The run that is being written.
    pub run_id: Option<RunId>,
}

/// The conversation's pulse.
///
/// # Errors
/// `NotFound`, also for somebody else's.
pub async fn pulse(tx: &mut Tx, id: ConversationId) -> AppResult<Pulse> {
    let row = sqlx::query!(
        r#"select c.updated_at,
               (select r.run_id from runs r where r.conversation_id = c.conversation_id and r.status in ('queued', 'streaming')
                and r.lease_until > now() order by r.run_id desc limit 1) as run_id
           from conversations c where c.conversation_id = $1"#,
        id.0
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(AppError::NotFound)?;
    Ok(Pulse { revision: revision(row.updated_at), run_id: row.run_id.map(RunId) })
}

/// The pulses of many conversations, as the process sees them; without those that are no more.
///
/// # Errors
/// When the database cannot be reached.
pub async fn pulses(db: &Db, conversations: &[ConversationId]) -> AppResult<HashMap<ConversationId, Pulse>> {
    let ids: Vec<Uuid> = conversations.iter().map(|id| id.0).collect();
    let mut tx = db.system().await?;
    let rows = sqlx::query!(
        r#"select c.conversation_id, c.updated_at,
               (select r.run_id from runs r where r.conversation_id = c.conversation_id and r.status in ('queued', 'streaming')
                and r.lease_until > now() order by r.run_id desc limit 1) as run_id
           from conversations c where c.conversation_id = any($1)"#,
        &ids
    )
    .fetch_all(&mut *tx)
    .await?;
    let pulse = |updated_at, run_id: Option<Uuid>| Pulse { revision: revision(updated_at), run_id: run_id.map(RunId) };
    Ok(rows.into_iter().map(|row| (ConversationId(row.conversation_id), pulse(row.updated_at, row.run_id))).collect())
}

/// A run as its row shows it: after its end, or while another process writes it.
#[derive(Clone, Debug)]
pub struct RunRow {
    /// Where it is.
    pub status: RunStatus,
    /// The reply.
    pub message_id: MessageId,
    /// Its words so far.
    pub content: String,
    /// Why it failed, or what else there is to say about it.
    pub error: String,
    /// Why the model wrote no more.
    pub finish: String,
}

/// A row as it is read.
struct Found {
    run_id: Uuid,
    status: String,
    message_id: Uuid,
    error: Option<String>,
    finish: Option<String>,
    lapsed: Option<bool>,
    content: String,
}

impl From<Found> for RunRow {
    fn from(found: Found) -> Self {
        Self {
            status: effective(RunStatus::parse(&found.status), found.lapsed),
            message_id: MessageId(found.message_id),
            content: found.content,
            error: found.error.unwrap_or_default(),
            finish: found.finish.unwrap_or_default(),
        }
    }
}

/// Many runs, as the process sees them.
///
/// # Errors
/// When the database cannot be reached.
pub async fn run_rows(db: &Db, runs: &[RunId]) -> AppResult<HashMap<RunId, RunRow>> {
    let ids: Vec<Uuid> = runs.iter().map(|run| run.0).collect();
    let mut tx = db.system().await?;
    let rows = sqlx::query_as!(
        Found,
        r#"select r.run_id, r.status, r.message_id, r.error, r.finish, r.lease_until < now() as lapsed, m.content
           from runs r join messages m using (message_id) where r.run_id = any($1)"#,
        &ids
    )
    .fetch_all(&mut *tx)
    .await?;
    Ok(rows.into_iter().map(|found| (RunId(found.run_id), found.into())).collect())
}

/// A run, as far as the transaction's identity may see it.
///
/// # Errors
/// `NotFound`, also for somebody else's.
pub async fn run_row(tx: &mut Tx, run: RunId) -> AppResult<RunRow> {
    let found = sqlx::query_as!(
        Found,
        r#"select r.run_id, r.status, r.message_id, r.error, r.finish, r.lease_until < now() as lapsed, m.content
           from runs r join messages m using (message_id) where r.run_id = $1"#,
        run.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    found.map(RunRow::from).ok_or(AppError::NotFound)
}
