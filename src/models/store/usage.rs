//! The account of calls: what was admitted, what it came to, and what a person sees of it.

use super::{LOCAL_MODEL, Tokens};
use crate::{
    error::AppResult,
    ids::{ModelId, UserId},
    models::{calls::LEASE_SECONDS, settings::Tier},
    server::{Db, Tx},
};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Minutes after which an open call without a lease counts as interrupted: no reply lasts as long.
const OPEN_MINUTES: i32 = 30;

/// Where a person stands today.
#[derive(Clone, Debug)]
pub struct Standing {
    /// What they have grown into.
    pub tier: Tier,
    /// Their time zone.
    pub timezone: String,
    /// Counted today.
    pub used: i64,
    /// Set aside for calls under way.
    pub reserved: i64,
}

/// Where a person stands today, as far as the transaction may see it.
///
/// # Errors
/// `NotFound` for an account that is gone.
pub async fn standing(tx: &mut Tx, user: UserId) -> AppResult<Standing> {
    let row = sqlx::query!(
        r#"select p.tier, u.timezone, coalesce(d.used, 0) as "used!",
               (select coalesce(sum(l.reserved_tokens), 0)::bigint from usage_log l
                where l.user_id = $1 and l.status = 'open') as "reserved!"
           from profiles p join users u using (user_id)
           left join daily_usage d on d.user_id = p.user_id and d.day = (now() at time zone 'utc')::date
           where p.user_id = $1"#,
        user.0
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(crate::error::AppError::NotFound)?;
    Ok(Standing { tier: Tier::parse(&row.tier), timezone: row.timezone, used: row.used, reserved: row.reserved })
}

/// Locks a person's day, so that calls are admitted one after the other; gives the day. The transaction should be short.
///
/// # Errors
/// When the database cannot be reached.
pub async fn lock_day(tx: &mut Tx, user: UserId) -> AppResult<NaiveDate> {
    let day = sqlx::query_scalar!(
        "insert into daily_usage (user_id, day) values ($1, (now() at time zone 'utc')::date)
         on conflict (user_id, day) do update set used = daily_usage.used returning day",
        user.0
    );
    Ok(day.fetch_one(&mut **tx).await?)
}

/// A line of the account.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// Its id.
    pub id: Uuid,
    /// Who asked.
    pub user: UserId,
    /// `chat`, `summon` or `try`.
    pub kind: &'static str,
    /// The run or the job.
    pub subject: Option<Uuid>,
    /// The model's row.
    pub model_id: Option<ModelId>,
    /// Whose model.
    pub provider: &'a str,
    /// Which model.
    pub model: &'a str,
    /// Asked with the person's own key.
    pub own_key: bool,
    /// Against the person's budget.
    pub counted: bool,
}

/// What a call came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    /// Tokens.
    pub tokens: Tokens,
    /// How often the model was asked.
    pub calls: u32,
    /// Millionths of a US dollar.
    pub cost_micros: i64,
    /// Until the first word, milliseconds.
    pub first_token_ms: Option<i32>,
    /// Until the end, milliseconds.
    pub duration_ms: i32,
}

/// Writes a call down that begins, with the tokens of its prompt, about, and all that it may use.
///
/// # Errors
/// When the database cannot be reached.
pub async fn open_line(tx: &mut Tx, line: &Line<'_>, prompt: i64, reserved: i64) -> AppResult<()> {
    sqlx::query!(
        "insert into usage_log (usage_id, user_id, kind, subject_id, model_id, provider, model, own_key, counted, status, reserved_tokens,
             prompt_tokens, lease_until)
         values ($1, $2, $3, $4, (select m.model_id from models m where m.model_id = $5), $6, $7, $8, $9, 'open', $10, $11,
             now() + make_interval(secs => $12))",
        line.id,
        line.user.0,
        line.kind,
        line.subject,
        line.model_id.map(|m| m.0),
        line.provider,
        line.model,
        line.own_key,
        line.counted,
        reserved,
        prompt,
        LEASE_SECONDS
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes down how a call ended, and counts it on its day if it counts.
///
/// # Errors
/// When the database cannot be reached.
pub async fn close_line(db: &Db, line: &Line<'_>, day: Option<NaiveDate>, status: &str, sum: &Sum) -> AppResult<()> {
    let mut tx = db.system().await?;
    // Whoever was silent for longer than a lease was taken for dead, and what was charged for it then is taken off.
    let charged = sqlx::query_scalar!(
        r#"select prompt_tokens + reply_tokens as "charged!" from usage_log where usage_id = $1 and status <> 'open' for update"#,
        line.id
    );
    let charged = charged.fetch_optional(&mut *tx).await?.unwrap_or(0);
    // The account may be gone meanwhile; then there is nobody to write it down for. So may the model be.
    sqlx::query!(
        "insert into usage_log (usage_id, user_id, kind, subject_id, model_id, provider, model, own_key, counted, status, calls,
             prompt_tokens, cached_tokens, cache_write_tokens, reply_tokens, cost_micros, first_token_ms, duration_ms)
         select $1, u.user_id, $3, $4, (select m.model_id from models m where m.model_id = $5), $6, $7, $8, $9, $10, $11, $12, $13,
             $14, $15, $16, $17, $18
         from users u where u.user_id = $2
         on conflict (usage_id) do update set status = excluded.status, reserved_tokens = 0, calls = excluded.calls,
             prompt_tokens = excluded.prompt_tokens, cached_tokens = excluded.cached_tokens,
             cache_write_tokens = excluded.cache_write_tokens, reply_tokens = excluded.reply_tokens,
             cost_micros = excluded.cost_micros, first_token_ms = excluded.first_token_ms, duration_ms = excluded.duration_ms",
        line.id,
        line.user.0,
        line.kind,
        line.subject,
        line.model_id.map(|m| m.0),
        line.provider,
        line.model,
        line.own_key,
        line.counted,
        status,
        i32::try_from(sum.calls).unwrap_or(i32::MAX),
        sum.tokens.prompt,
        sum.tokens.cached,
        sum.tokens.cache_write,
        sum.tokens.reply,
        sum.cost_micros,
        sum.first_token_ms,
        sum.duration_ms
    )
    .execute(&mut *tx)
    .await?;
    if let Some(day) = day.filter(|_| line.counted) {
        sqlx::query!(
            "insert into daily_usage (user_id, day, used) select u.user_id, $2, $3 from users u where u.user_id = $1
             on conflict (user_id, day) do update set used = greatest(daily_usage.used + $3, 0)",
            line.user.0,
            day,
            sum.tokens.total().saturating_sub(charged)
        )
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await
}

/// Renews the leases of calls that are under way.
///
/// # Errors
/// When the database cannot be reached.
pub async fn renew_lines(db: &Db, ids: &[Uuid]) -> AppResult<()> {
    let mut tx = db.system().await?;
    sqlx::query!(
        "update usage_log set lease_until = now() + make_interval(secs => $2) where usage_id = any($1) and status = 'open'",
        ids,
        LEASE_SECONDS
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

/// Closes calls that nobody will close any more, because their process went away; gives how many. Whether their prompts had left the
/// house, nobody can say any more: they are charged, with as much of the reply as was kept, and never more than was set aside.
///
/// # Errors
/// When the database cannot be reached.
pub async fn close_abandoned(db: &Db) -> AppResult<u64> {
    let mut tx = db.system().await?;
    let closed = sqlx::query_scalar!(
        r#"with gone as (
               select l.usage_id, l.user_id, l.counted, (l.created_at at time zone 'utc')::date as day, l.prompt_tokens,
                   least(greatest(l.reserved_tokens - l.prompt_tokens, 0),
                         coalesce((select octet_length(m.content) / 4 from runs r join messages m using (message_id)
                                   where r.run_id = l.subject_id), 0))::bigint as reply_tokens,
                   coalesce(m.prompt_price, 0) as prompt_price, coalesce(m.reply_price, 0) as reply_price
               from usage_log l left join models m using (model_id)
               where l.status = 'open' and coalesce(l.lease_until, l.created_at + make_interval(mins => $1)) < now()
               for update of l skip locked
           ), closed as (
               update usage_log l set status = 'interrupted', reserved_tokens = 0, reply_tokens = gone.reply_tokens,
                   cost_micros = ceil((gone.prompt_tokens::numeric * gone.prompt_price
                                       + gone.reply_tokens::numeric * gone.reply_price) / 1000000)::bigint
               from gone where l.usage_id = gone.usage_id returning l.usage_id
           ), days as (
               insert into daily_usage (user_id, day, used)
               select user_id, day, sum(prompt_tokens + reply_tokens)::bigint from gone where counted group by user_id, day
               on conflict (user_id, day) do update set used = daily_usage.used + excluded.used
           )
           select count(*) as "closed!" from closed"#,
        OPEN_MINUTES
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(u64::try_from(closed).unwrap_or(0))
}

/// What somebody used on one day of one model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DayUse {
    /// The day, UTC in the API and where the person is on their page: `2026-11-21`.
    pub day: String,
    /// Which model.
    pub model: String,
    /// Whose model.
    pub provider: String,
    /// Asked with one's own key.
    pub own_key: bool,
    /// How often it was asked.
    pub calls: i64,
    /// Tokens that were read.
    pub prompt_tokens: i64,
    /// Of those, read before.
    pub cached_tokens: i64,
    /// Tokens that were written.
    pub reply_tokens: i64,
    /// Millionths of a US dollar, by the prices that were set then.
    pub cost_micros: i64,
    /// The model of this machine, which costs nobody anything.
    pub local: bool,
    /// Of all tokens, those that counted against the daily budget.
    pub counted_tokens: i64,
}

/// Days that a person sees.
pub const SHOWN_DAYS: i32 = 30;

/// A person's use of the last thirty days, by day of a time zone and by model, newest first.
///
/// # Errors
/// When the database cannot be reached.
pub async fn use_of(tx: &mut Tx, user: UserId, timezone: &str) -> AppResult<Vec<DayUse>> {
    let rows = sqlx::query!(
        r#"select (l.created_at at time zone $4)::date as "day!", l.model, l.provider, l.own_key,
               sum(l.calls)::bigint as "calls!", sum(l.prompt_tokens)::bigint as "prompt!", sum(l.cached_tokens)::bigint as "cached!",
               sum(l.reply_tokens)::bigint as "reply!", sum(l.cost_micros)::bigint as "cost!",
               coalesce(bool_or(l.model_id = $3), false) as "local!",
               coalesce(sum(l.prompt_tokens + l.reply_tokens) filter (where l.counted), 0)::bigint as "counted!"
           from usage_log l
           where l.user_id = $1 and l.status <> 'open' and l.created_at > now() - make_interval(days => $2)
           group by 1, 2, 3, 4 order by 1 desc, sum(l.prompt_tokens + l.reply_tokens) desc, 2 limit 400"#,
        user.0,
        SHOWN_DAYS,
        LOCAL_MODEL.0,
        timezone
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| DayUse {
            day: r.day.to_string(),
            model: r.model,
            provider: r.provider,
            own_key: r.own_key,
            calls: r.calls,
            prompt_tokens: r.prompt,
            cached_tokens: r.cached,
            reply_tokens: r.reply,
            cost_micros: r.cost,
            local: r.local,
            counted_tokens: r.counted,
        })
        .collect())
}

/// What the whole site used of one model in the last seven days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelUse {
    /// Which model.
    pub model: String,
    /// Whose model.
    pub provider: String,
    /// Asked with people's own keys.
    pub own_key: bool,
    /// By how many people.
    pub people: i64,
    /// How often it was asked.
    pub calls: i64,
    /// Calls that failed.
    pub failed: i64,
    /// Tokens read and written.
    pub tokens: i64,
    /// Millionths of a US dollar.
    pub cost_micros: i64,
    /// The model of this machine.
    pub local: bool,
    /// Middle of the times until the first word, milliseconds.
    pub first_token_ms: Option<i32>,
}

/// The site's use of the last seven days, by model. For admins.
///
/// # Errors
/// When the database cannot be reached.
pub async fn use_of_all(tx: &mut Tx) -> AppResult<Vec<ModelUse>> {
    let rows = sqlx::query!(
        r#"select model, provider, own_key, count(distinct user_id) as "people!", sum(calls)::bigint as "calls!",
               count(*) filter (where status = 'failed') as "failed!",
               sum(prompt_tokens + reply_tokens)::bigint as "tokens!", sum(cost_micros)::bigint as "cost!",
               coalesce(bool_or(model_id = $1), false) as "local!",
               (percentile_disc(0.5) within group (order by first_token_ms) filter (where kind = 'chat')) as first_token_ms
           from usage_log where created_at > now() - interval '7 days' and status <> 'open'
           group by 1, 2, 3 order by sum(prompt_tokens + reply_tokens) desc, 1 limit 50"#,
        LOCAL_MODEL.0
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| ModelUse {
            model: r.model,
            provider: r.provider,
            own_key: r.own_key,
            people: r.people,
            calls: r.calls,
            failed: r.failed,
            tokens: r.tokens,
            cost_micros: r.cost,
            local: r.local,
            first_token_ms: r.first_token_ms,
        })
        .collect())
}
