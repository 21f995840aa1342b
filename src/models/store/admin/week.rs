//! What the site used in the last seven days, by person and by day, and what went wrong.

use crate::{error::AppResult, ids::Stamp, models::store::LOCAL_MODEL, server::Tx};
use serde::{Deserialize, Serialize};

/// Lines of each list.
const SHOWN: i64 = 30;

/// What a person used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonUse {
    /// Username; empty for all guests together.
    pub who: String,
    /// How many they are; 1 for a person.
    pub people: i64,
    /// How often a model was asked.
    pub calls: i64,
    /// Calls that failed.
    pub failed: i64,
    /// Tokens read and written.
    pub tokens: i64,
    /// Millionths of a US dollar.
    pub cost_micros: i64,
    /// All of it came from the model of this machine.
    pub local: bool,
}

/// What was used on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaySum {
    /// The day where the asker is: `2026-11-21`.
    pub day: String,
    /// By how many people and guests.
    pub people: i64,
    /// How often a model was asked.
    pub calls: i64,
    /// Calls that failed.
    pub failed: i64,
    /// Tokens read and written.
    pub tokens: i64,
    /// Millionths of a US dollar.
    pub cost_micros: i64,
    /// All of it came from the model of this machine.
    pub local: bool,
}

/// A call of a model that failed. What was said in it is nobody's business, and not in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// When.
    pub at: Stamp,
    /// `chat`, `summon` or `try`.
    pub kind: String,
    /// Which model was asked, and whose it is.
    pub model: String,
    /// Why, as people were told; empty where nobody was.
    pub error: String,
}

/// Use by person, who used most first; guests are one line.
///
/// # Errors
/// When the database cannot be reached.
pub async fn use_by_person(tx: &mut Tx) -> AppResult<Vec<PersonUse>> {
    let rows = sqlx::query_as!(
        PersonUse,
        r#"select case when u.kind = 'guest' then '' else p.username end as "who!", count(distinct l.user_id) as "people!",
               sum(l.calls)::bigint as "calls!", count(*) filter (where l.status = 'failed') as "failed!",
               sum(l.prompt_tokens + l.reply_tokens)::bigint as "tokens!", sum(l.cost_micros)::bigint as "cost_micros!",
               coalesce(bool_and(l.model_id = $1), false) as "local!"
           from usage_log l join users u using (user_id) join profiles p using (user_id)
           where l.created_at > now() - interval '7 days' and l.status <> 'open'
           group by 1 order by sum(l.prompt_tokens + l.reply_tokens) desc, 1 limit $2"#,
        LOCAL_MODEL.0,
        SHOWN
    );
    Ok(rows.fetch_all(&mut **tx).await?)
}

/// Use by day in a time zone, the newest first.
///
/// # Errors
/// When the database cannot be reached.
pub async fn use_by_day(tx: &mut Tx, timezone: &str) -> AppResult<Vec<DaySum>> {
    let rows = sqlx::query_as!(
        DaySum,
        r#"select to_char(created_at at time zone $2, 'YYYY-MM-DD') as "day!", count(distinct user_id) as "people!",
               sum(calls)::bigint as "calls!", count(*) filter (where status = 'failed') as "failed!",
               sum(prompt_tokens + reply_tokens)::bigint as "tokens!", sum(cost_micros)::bigint as "cost_micros!",
               coalesce(bool_and(model_id = $1), false) as "local!"
           from usage_log where created_at > now() - interval '7 days' and status <> 'open'
           group by 1 order by 1 desc"#,
        LOCAL_MODEL.0,
        timezone
    );
    Ok(rows.fetch_all(&mut **tx).await?)
}

/// What failed last, in the last seven days. Whoever asked is not said: why it failed is about the model.
///
/// # Errors
/// When the database cannot be reached.
pub async fn faults(tx: &mut Tx) -> AppResult<Vec<Fault>> {
    let rows = sqlx::query!(
        r#"select l.created_at, l.kind, l.model || ' (' || l.provider || ')' as "model!", coalesce(r.error, j.error, '') as "error!"
           from usage_log l left join runs r on r.run_id = l.subject_id left join jobs j on j.job_id = l.subject_id
           where l.status = 'failed' and l.created_at > now() - interval '7 days'
           order by l.created_at desc limit $1"#,
        SHOWN
    );
    let rows = rows.fetch_all(&mut **tx).await?;
    Ok(rows
        .into_iter()
        .map(|r| Fault { at: r.created_at.into(), kind: r.kind, model: r.model, error: r.error })
        .collect())
}
