//! What runs write, as the process itself: a run outlives the request that began it.

use crate::{
    ai::Finish,
    chat::{RunStatus, prompt::Receipt, run::LEASE_SECONDS},
    error::AppResult,
    ids::{ConversationId, MessageId, OcId, RunId, UserId},
    server::{AppState, Db, quota},
};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// A run that is to begin.
#[derive(Clone, Debug)]
pub struct Start {
    /// The run.
    pub run_id: RunId,
    /// For whom.
    pub user_id: UserId,
    /// Where.
    pub conversation_id: ConversationId,
    /// Who answers.
    pub oc_id: OcId,
    /// The reply that is written.
    pub message_id: MessageId,
    /// The message that is answered.
    pub answers: Option<MessageId>,
    /// Words that the reply has already and goes on from.
    pub kept: String,
    /// The reply is the card with help lines and stands there already: no model is asked.
    pub is_card: bool,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its last state.
    pub status: RunStatus,
    /// The reply as it stays.
    pub content: String,
    /// First words, for lists.
    pub last_line: String,
    /// `end`, `stop`, `length` or `cancelled`.
    pub finish: Option<&'static str>,
    /// Why it failed, or what else there is to say about it.
    pub error: Option<String>,
    /// Name of the model.
    pub model: String,
    /// What it cost, if the model said so.
    pub cost: Option<Finish>,
    /// The same in millionths of a US dollar.
    pub cost_micros: Option<i64>,
    /// From the start of the run to the first word, milliseconds.
    pub first_token_ms: Option<i32>,
}

/// Whether a run may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Go on.
    On,
    /// Somebody asked it to stop.
    Stop,
    /// The reply is gone, or somebody else writes it.
    Gone,
}

/// Notes what went into the prompt.
///
/// # Errors
/// When the database cannot be reached.
pub async fn note_receipt(db: &Db, run: RunId, receipt: &Receipt) -> AppResult<()> {
    let receipt = serde_json::to_value(receipt).unwrap_or_default();
    let mut tx = db.system().await?;
    sqlx::query!("update runs set receipt = $2 where run_id = $1", run.0, receipt).execute(&mut *tx).await?;
    tx.commit().await
}

/// Notes in a run's receipt that another model answers than the one that was asked, and why.
///
/// # Errors
/// When the database cannot be reached.
pub async fn note_fall(db: &Db, run: RunId, via: &str, why: &str) -> AppResult<()> {
    let why: String = why.chars().take(1000).collect();
    let mut tx = db.system().await?;
    sqlx::query!(
        "update runs set receipt = receipt || jsonb_build_object('via', $2::text, 'fallback', $3::text) where run_id = $1",
        run.0,
        via,
        why
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

/// What is to be kept of a run that is being written.
#[derive(Clone, Debug)]
pub struct Words {
    /// The run.
    pub run: RunId,
    /// The reply that it writes.
    pub message: MessageId,
    /// Whether it waits or writes.
    pub status: RunStatus,
    /// The reply so far; absent if there is nothing new.
    pub text: Option<String>,
}

/// Renews the leases of runs, keeps their words so far, and looks whether somebody asked to stop. A run whose reply somebody
/// changes at this moment is left out, and is for the next time.
///
/// # Errors
/// When the database cannot be reached; the runs go on and try again.
pub async fn keep(app: &AppState, some: &[Words]) -> AppResult<Vec<(RunId, Keep)>> {
    let messages: Vec<Uuid> = some.iter().map(|words| words.message.0).collect();
    let mut tx = app.db.keeper().await?;
    // Locks are always taken in this order: conversation, message, run. Deleting cascades in it, too. Nobody is waited for, since
    // many are locked at once. The words of a reply that is not whole stay out of the index of words.
    let held: HashSet<Uuid> = sqlx::query!(
        "select message_id, set_config('app.unfinished', 'on', true) as unfinished from messages
         where message_id = any($1) order by message_id for update skip locked",
        &messages
    )
    .fetch_all(&mut *tx)
    .await?
    .into_iter()
    .map(|row| row.message_id)
    .collect();
    let free: Vec<&Words> = some.iter().filter(|words| held.contains(&words.message.0)).collect();
    let mut verdicts = Vec::new();
    if free.len() < some.len() {
        let there: HashSet<Uuid> =
            sqlx::query_scalar!("select message_id from messages where message_id = any($1)", &messages)
                .fetch_all(&mut *tx)
                .await?
                .into_iter()
                .collect();
        verdicts
            .extend(some.iter().filter(|words| !there.contains(&words.message.0)).map(|words| (words.run, Keep::Gone)));
    }
    let runs: Vec<Uuid> = free.iter().map(|words| words.run.0).collect();
    let states: Vec<String> = free.iter().map(|words| words.status.as_str().to_owned()).collect();
    // A run that was taken for dead comes back to life here, unless another run has begun on the same reply.
    let stops: HashMap<Uuid, bool> = sqlx::query!(
        "update runs set status = k.status, lease_until = now() + make_interval(secs => $4)
         from unnest($1::uuid[], $2::text[]) as k (run_id, status)
         where runs.run_id = k.run_id and runs.node_id = $3 and runs.status in ('queued', 'streaming', 'interrupted')
           and exists (select from messages m where m.message_id = runs.message_id and m.writer_run_id = runs.run_id)
         returning runs.run_id, runs.stop_requested",
        &runs,
        &states,
        app.node.0,
        LEASE_SECONDS
    )
    .fetch_all(&mut *tx)
    .await?
    .into_iter()
    .map(|row| (row.run_id, row.stop_requested))
    .collect();
    let (mut messages, mut texts) = (Vec::new(), Vec::new());
    for words in &free {
        let verdict = match stops.get(&words.run.0) {
            Some(true) => Keep::Stop,
            Some(false) => Keep::On,
            None => Keep::Gone,
        };
        verdicts.push((words.run, verdict));
        if let Some(text) = words.text.clone().filter(|_| verdict != Keep::Gone) {
            messages.push(words.message.0);
            texts.push(text);
        }
    }
    if !messages.is_empty() {
        sqlx::query!(
            "update messages set content = k.content from unnest($1::uuid[], $2::text[]) as k (message_id, content)
             where messages.message_id = k.message_id",
            &messages,
            &texts
        )
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    Ok(verdicts)
}

/// Writes the end of a run. `false` when the reply is gone or somebody else writes it.
///
/// # Errors
/// When the database cannot be reached.
pub async fn finish(app: &AppState, start: &Start, end: &Ended) -> AppResult<bool> {
    let mut tx = app.db.keeper().await?;
    sqlx::query!(
        "select conversation_id from conversations where conversation_id = $1 for update",
        start.conversation_id.0
    )
    .fetch_optional(&mut *tx)
    .await?;
    sqlx::query!("select message_id from messages where message_id = $1 for update", start.message_id.0)
        .fetch_optional(&mut *tx)
        .await?;
    let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    let prompt_tokens = end.cost.as_ref().map(|c| number(c.prompt_tokens));
    let reply_tokens = end.cost.as_ref().map(|c| number(c.reply_tokens));
    // Nobody writes it any more: words that were taken up to be kept before this do not bring it back to life.
    let found = sqlx::query_scalar!(
        "update runs set status = $3, finish = $4, error = $5, prompt_tokens = $6, cached_tokens = $7, reply_tokens = $8,
             first_token_ms = $9, cost_micros = $10, lease_until = null, node_id = null
         where run_id = $1 and node_id = $2 and status in ('queued', 'streaming', 'interrupted')
           and exists (select from messages m where m.message_id = runs.message_id and m.writer_run_id = runs.run_id)
         returning run_id",
        start.run_id.0,
        app.node.0,
        end.status.as_str(),
        end.finish,
        end.error,
        prompt_tokens,
        end.cost.as_ref().map(|c| number(c.cached_tokens)),
        reply_tokens,
        end.first_token_ms,
        end.cost_micros
    )
    .fetch_optional(&mut *tx)
    .await?;
    if found.is_none() {
        return Ok(false);
    }
    sqlx::query!(
        "update messages set content = $2, model = $3, prompt_tokens = $4, reply_tokens = $5, cost_micros = $6 where message_id = $1",
        start.message_id.0,
        end.content,
        end.model,
        prompt_tokens,
        reply_tokens,
        end.cost_micros
    )
    .execute(&mut *tx)
    .await?;
    let more = quota::bytes(&end.content) - quota::bytes(&start.kept);
    quota::add_words(&mut tx, start.user_id, more).await?;
    // Touches the conversation in any case, so that every tab sees that something ended.
    sqlx::query!(
        "update conversations set last_line = case when $2 = '' then last_line else $2 end, last_message_at = now()
         where conversation_id = $1",
        start.conversation_id.0,
        end.last_line
    )
    .execute(&mut *tx)
    .await?;
    if end.status == RunStatus::Done {
        sqlx::query!("update ocs set interaction_count = interaction_count + 1 where oc_id = $1", start.oc_id.0)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// Marks runs as interrupted whose writer has not been heard of; gives their conversations. `calmly`: nobody, while the database
/// itself has just come back, since nobody could renew a lease before.
///
/// # Errors
/// When the database cannot be reached.
pub async fn expire(db: &Db, calmly: bool) -> AppResult<Vec<ConversationId>> {
    let mut tx = db.keeper().await?;
    let rows = sqlx::query!(
        "update runs set status = 'interrupted', lease_until = null
         where status in ('queued', 'streaming') and lease_until < now()
             and not ($1 and pg_postmaster_start_time() > now() - interval '15 seconds')
         returning conversation_id, message_id",
        calmly
    )
    .fetch_all(&mut *tx)
    .await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    tx.commit().await?;
    // By itself, since everybody else locks the conversation before the run.
    let (conversations, messages): (Vec<_>, Vec<_>) =
        rows.into_iter().map(|r| (r.conversation_id, r.message_id)).unzip();
    let mut tx = db.keeper().await?;
    sqlx::query!("update conversations set updated_at = now() where conversation_id = any($1)", &conversations)
        .execute(&mut *tx)
        .await?;
    // The words that stay are words that can be found.
    sqlx::query!("update messages set content = content where message_id = any($1)", &messages)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(conversations.into_iter().map(ConversationId).collect())
}
