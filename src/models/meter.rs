//! Every call of a model written down, and people held to their daily budgets.
//!
//! A call that counts is admitted before it begins: what it may use is set aside under a lock on the person's day, so
//! that many calls at once cannot use more than one after the other. After it, what it did use is counted instead. A
//! call of the local model (unless admins count it) or with somebody's own key is only written down, at its end.
//!
//! Days are UTC for everybody: whoever moves to another time zone gains no second day. People are told the moment on
//! their own clock.

use super::{
    calls::{self, Held},
    registry::Candidate,
    store::{self, Line, Standing, Sum, Tokens},
};
use crate::{
    ai::{ChatModel, Chunk, Finish, Message, ModelError, ModelInfo, Reply, Request, SharedModel},
    error::{AppError, AppResult},
    ids::{ConversationId, ProviderId, UserId},
    kit::jobs::{Job, JobCtx, Lane, Outcome},
    server::{AppState, Tx},
};
use chrono::{DateTime, NaiveDate, Utc};
use dashmap::DashMap;
use serde::{Deserialize, Serialize};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Tokens set aside for a summon: one request with two examples, its answer, and now and then a repair.
pub const SUMMON_TOKENS: i64 = 3_000;
/// Tokens set aside for one field that is redrawn.
pub const REDRAW_TOKENS: i64 = 2_000;
/// How often the same health of a provider is written again.
const HEALTH_EVERY: Duration = Duration::from_secs(60);

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A reply in a conversation.
    Chat,
    /// A new character.
    Summon,
    /// An admin tries a model.
    Trial,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Summon => "summon",
            Self::Trial => "try",
        }
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Whole.
    Done,
    /// Somebody stopped it.
    Stopped,
    /// The model could not.
    Failed,
    /// The process went away.
    Interrupted,
}

impl Ending {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What a call has used.
#[derive(Clone, Copy, Debug)]
pub enum Spent<'a> {
    /// The model was not asked, or sent the request back unread.
    Nothing,
    /// As the model says itself.
    Told(&'a Finish),
    /// The prompt, which had left for the model when somebody stopped it, and this reply: both are counted here.
    About(&'a str),
}

impl<'a> Spent<'a> {
    /// By what was heard of a reply: the account of it, whether it had begun, and what it said.
    #[must_use]
    pub const fn of(account: Option<&'a Finish>, was_sent: bool, said: &'a str) -> Self {
        match account {
            Some(finish) => Self::Told(finish),
            None if was_sent || !said.is_empty() => Self::About(said),
            None => Self::Nothing,
        }
    }
}

/// A call that was admitted and is under way.
#[must_use = "a call that is not settled counts as one of a process that went away"]
pub struct Ticket {
    id: Uuid,
    /// Its lease, if it was written down.
    lease: Option<Held>,
    user: UserId,
    purpose: Purpose,
    subject: Option<Uuid>,
    candidate: Candidate,
    counted: bool,
    day: Option<NaiveDate>,
    prompt_estimate: i64,
    began: Instant,
}

/// Tokens of a prompt, about: by the model's own count where it matters.
#[must_use]
pub fn estimate(candidate: &Candidate, messages: &[Message]) -> i64 {
    let of = |text: &str| {
        if candidate.counted {
            i64::from(candidate.model.count_tokens(text))
        } else {
            i64::try_from(text.len() / 4).unwrap_or(i64::MAX)
        }
    };
    messages.iter().map(|m| of(&m.content) + 4).sum()
}

/// Admits a call, with what its prompt has (about) and what its reply may have in tokens.
///
/// # Errors
/// `TooMany` with the moment from which the person may ask again.
pub async fn begin(
    app: &AppState,
    user: UserId,
    purpose: Purpose,
    subject: Option<Uuid>,
    candidate: &Candidate,
    prompt_estimate: i64,
    reply_limit: i64,
) -> AppResult<Ticket> {
    let mut ticket = Ticket {
        id: Uuid::now_v7(),
        lease: None,
        user,
        purpose,
        subject,
        candidate: candidate.clone(),
        counted: candidate.counted && purpose != Purpose::Trial,
        day: None,
        prompt_estimate,
        began: Instant::now(),
    };
    if !ticket.counted {
        return Ok(ticket);
    }
    let budgets = app.models.current().await?.settings.budgets;
    let wanted = prompt_estimate.saturating_add(reply_limit);
    let mut tx = app.db.system().await?;
    let day = store::lock_day(&mut tx, user).await?;
    let standing = store::standing(&mut tx, user).await?;
    if let Some(budget) = budgets.of(standing.tier) {
        let left = budget.saturating_sub(standing.used).saturating_sub(standing.reserved);
        if wanted > left {
            return Err(refusal(&standing, budget, wanted));
        }
    }
    // Before it can be seen: what nobody holds is closed.
    ticket.lease = Some(app.models.calls().hold(ticket.id));
    store::open_line(&mut tx, &ticket.line(), prompt_estimate, wanted).await?;
    tx.commit().await?;
    ticket.day = Some(day);
    // Reading the row may have waited for others; the call begins now.
    ticket.began = Instant::now();
    Ok(ticket)
}

/// Refuses at once what would be refused in any case, while nothing has been kept yet: the day's budget is used up and
/// the model that would answer counts against it.
///
/// # Errors
/// `TooMany` with the moment from which the person may ask again.
pub async fn refuse_if_spent(app: &AppState, tx: &mut Tx, user: UserId, conversation: ConversationId) -> AppResult<()> {
    let settings_budgets = app.models.current().await?.settings.budgets;
    // Whether there is a model at all is for the run to say, where the message is kept and can be tried again.
    let counts = match app.models.for_conversation(user, conversation).await {
        Ok(candidates) => candidates.first().is_some_and(|c| c.counted),
        Err(_) => false,
    };
    if !counts {
        return Ok(());
    }
    let standing = store::standing(tx, user).await?;
    match settings_budgets.of(standing.tier) {
        Some(budget) if standing.used + standing.reserved >= budget => Err(refusal(&standing, budget, 0)),
        _ => Ok(()),
    }
}

/// The moment the next day begins.
fn next_day(now: DateTime<Utc>) -> DateTime<Utc> {
    now.date_naive().succ_opt().and_then(|d| d.and_hms_opt(0, 0, 0)).map_or(now, |d| d.and_utc())
}

/// When the budget begins anew, on a person's own clock, and in how many seconds.
#[must_use]
pub fn renewal(timezone: &str) -> (String, u32) {
    renewal_at(Utc::now(), timezone)
}

fn renewal_at(now: DateTime<Utc>, timezone: &str) -> (String, u32) {
    let then = next_day(now);
    let seconds = u32::try_from((then - now).num_seconds()).unwrap_or(0).max(1);
    let zone: chrono_tz::Tz = timezone.parse().unwrap_or(chrono_tz::UTC);
    let place = zone.name().replace('_', " ");
    let left = match seconds {
        0..=119 => "in a minute".to_owned(),
        120..=7199 => format!("in {} minutes", seconds / 60),
        _ => format!("in {} hours", seconds / 3600),
    };
    (format!("at {} ({place}), {left}", then.with_timezone(&zone).format("%H:%M")), seconds)
}

/// A number as people write it: `200,000`.
#[must_use]
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if number < 0 { format!("-{out}") } else { out }
}

fn refusal(standing: &Standing, budget: i64, wanted: i64) -> AppError {
    let (when, retry_after) = renewal(&standing.timezone);
    let left = (budget - standing.used - standing.reserved).max(0);
    let message = if left > 0 && wanted > left {
        format!(
            "Of your {} tokens for today {} are left, and this reply may need {}. You get new ones {when}.",
            grouped(budget),
            grouped(left),
            grouped(wanted)
        )
    } else {
        format!("You have used your {} tokens for today. You get new ones {when}.", grouped(budget))
    };
    AppError::TooMany { message, retry_after }
}

impl Ticket {
    fn line(&self) -> Line<'_> {
        Line {
            id: self.id,
            user: self.user,
            kind: self.purpose.as_str(),
            subject: self.subject,
            model_id: self.candidate.model_id,
            provider: clip(&self.candidate.provider, 80),
            model: clip(&self.candidate.name, 200),
            own_key: self.candidate.own_key,
            counted: self.counted,
        }
    }

    /// Which model was asked.
    #[must_use]
    pub const fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    /// Writes down how it ended, by what left the house. Gives the tokens and the cost.
    pub async fn settle(self, app: &AppState, ending: Ending, spent: Spent<'_>, first_token_ms: Option<i32>) -> Sum {
        let tokens = match spent {
            Spent::Nothing => Tokens::default(),
            Spent::Told(finish) => Tokens::from(finish),
            Spent::About(said) => Tokens {
                prompt: self.prompt_estimate,
                reply: self.candidate.model.count_tokens(said).into(),
                ..Tokens::default()
            },
        };
        self.close(app, ending, tokens, 1, first_token_ms).await
    }

    /// Writes down what many calls came to.
    pub async fn settle_tally(self, app: &AppState, ending: Ending, tally: &Tally) -> Sum {
        let (tokens, calls, first) = {
            let sum = tally.0.lock().unwrap_or_else(PoisonError::into_inner);
            (sum.tokens, sum.calls, sum.first_token_ms)
        };
        self.close(app, ending, tokens, calls, first).await
    }

    async fn close(
        self,
        app: &AppState,
        ending: Ending,
        tokens: Tokens,
        calls: u32,
        first_token_ms: Option<i32>,
    ) -> Sum {
        let sum = Sum {
            tokens,
            calls,
            cost_micros: self.candidate.cost(&tokens),
            first_token_ms,
            duration_ms: i32::try_from(self.began.elapsed().as_millis()).unwrap_or(i32::MAX),
        };
        if let Err(error) = store::close_line(&app.db, &self.line(), self.day, ending.as_str(), &sum).await {
            tracing::warn!(usage = %self.id, %error, "a call of a model was not written down");
        }
        sum
    }
}

fn clip(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

/// Closes the calls of processes that went away, every minute.
#[derive(Debug, Serialize, Deserialize)]
pub struct CloseCalls;

impl Job for CloseCalls {
    const NAME: &'static str = "models.close_calls";
    const LABEL: &'static str = "Close unfinished model calls";
    const LANE: Lane = Lane::UPKEEP;

    async fn run(self, ctx: JobCtx) -> Outcome {
        let close = async {
            match calls::look_after(&ctx.app).await? {
                0 => {}
                calls => tracing::info!(calls, "calls of models that nobody finished were closed"),
            }
            Ok(())
        };
        ctx.after(close).await
    }
}

/// How providers did last, so that the rows are written only when something changes.
#[derive(Default)]
pub struct Health(DashMap<ProviderId, (Option<String>, Instant)>);

impl Health {
    /// Notes how a call went; what is the person's own doing says nothing about the provider.
    pub fn note(&self, app: &AppState, candidate: &Candidate, trouble: Option<&ModelError>) {
        let Some(provider) = candidate.provider_id else { return };
        if matches!(
            trouble,
            Some(ModelError::TooLong { .. } | ModelError::Refused { .. } | ModelError::Busy | ModelError::Enough)
        ) {
            return;
        }
        let note = trouble.map(|t| super::registry::sentence(&t.to_string()));
        if self.0.get(&provider).is_some_and(|before| before.0 == note && before.1.elapsed() < HEALTH_EVERY) {
            return;
        }
        self.0.insert(provider, (note.clone(), Instant::now()));
        let db = app.db.clone();
        app.tasks.spawn(async move {
            if let Err(error) = store::note_health(&db, provider, note.as_deref()).await {
                tracing::debug!(%error, "the health of a provider was not noted");
            }
        });
    }
}

/// What the calls of one piece of work come to.
#[derive(Default)]
pub struct Tally(Mutex<TallySum>);

impl Tally {
    fn add(&self, more: &Tokens) {
        let mut sum = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sum.calls += 1;
        sum.tokens.prompt += more.prompt;
        sum.tokens.cached += more.cached;
        sum.tokens.cache_write += more.cache_write;
        sum.tokens.reply += more.reply;
    }
}

#[derive(Default)]
struct TallySum {
    tokens: Tokens,
    calls: u32,
    first_token_ms: Option<i32>,
}

/// The model, with an account of all its calls.
#[must_use]
pub fn counting(model: SharedModel) -> (SharedModel, Arc<Tally>) {
    let tally = Arc::new(Tally::default());
    (Arc::new(Counting { model, tally: Arc::clone(&tally) }), tally)
}

struct Counting {
    model: SharedModel,
    tally: Arc<Tally>,
}

impl ChatModel for Counting {
    fn info(&self) -> ModelInfo {
        self.model.info()
    }

    fn reply(&self, request: Request, cancel: CancellationToken) -> Reply {
        let began = Instant::now();
        let prompt = request.messages.iter().map(|m| i64::from(self.model.count_tokens(&m.content)) + 4).sum();
        let model = Arc::clone(&self.model);
        let mut inner = self.model.reply(request, cancel);
        let (out, reply) = mpsc::channel(16);
        let tally = Arc::clone(&self.tally);
        tokio::spawn(async move {
            // What has left for the model and is not accounted for: somebody may go away before it is.
            let (mut is_open, mut said) = (false, String::new());
            loop {
                let chunk = tokio::select! {
                    chunk = inner.recv() => chunk,
                    // Dropping the inner reply cancels it.
                    () = out.closed() => break,
                };
                let Some(chunk) = chunk else { break };
                match &chunk {
                    Ok(Chunk::Started) => is_open = true,
                    Ok(Chunk::Text(text)) => {
                        said.push_str(text);
                        let elapsed = || i32::try_from(began.elapsed().as_millis()).unwrap_or(i32::MAX);
                        let mut sum = tally.0.lock().unwrap_or_else(PoisonError::into_inner);
                        sum.first_token_ms.get_or_insert_with(elapsed);
                    }
                    Ok(Chunk::Done(finish) | Chunk::Spent(finish)) => {
                        is_open = false;
                        tally.add(&Tokens::from(finish));
                    }
                    // Whoever fails has said what it cost.
                    Err(_) => is_open = false,
                    Ok(_) => {}
                }
                if out.send(chunk).await.is_err() {
                    break;
                }
            }
            if is_open {
                tally.add(&Tokens { prompt, reply: model.count_tokens(&said).into(), ..Tokens::default() });
            }
        });
        reply
    }

    fn warm(&self, messages: Vec<Message>) {
        self.model.warm(messages);
    }

    fn count_tokens(&self, text: &str) -> u32 {
        self.model.count_tokens(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"), (-20_000, "-20,000")]
        {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn the_day_ends_on_the_persons_clock() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap_or_default();
        let (words, seconds) = renewal_at(at("2026-11-21T16:30:00Z"), "Europe/Berlin");
        assert_eq!((words.as_str(), seconds), ("at 01:00 (Europe/Berlin), in 7 hours", 27_000));
        let (words, seconds) = renewal_at(at("2026-11-21T23:59:30Z"), "nonsense");
        assert_eq!((words.as_str(), seconds), ("at 00:00 (UTC), in a minute", 30));
        let (words, _) = renewal_at(at("2026-12-31T23:00:00Z"), "America/New_York");
        assert_eq!(words, "at 19:00 (America/New York), in 60 minutes");
    }

    #[test]
    fn long_names_are_clipped_between_characters() {
        assert_eq!(clip("héllo", 2), "hé");
        assert_eq!(clip("hi", 2), "hi");
    }
}
