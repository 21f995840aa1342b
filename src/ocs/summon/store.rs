//! The SQL of summoning: the job, and the draft that it fills.

use super::{Arrived, JobStatus, SummonForm, SummonPage, SummonedItem};
use crate::{
    error::{AppError, AppResult},
    ids::{JobId, OcId, UserId},
    ocs::{
        ItemForm, Sheet,
        store::{Made, add_item, create, find, offer_name},
    },
    server::{AppState, Tx},
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

/// Seconds after which a job whose worker says nothing counts as interrupted.
pub const LEASE_SECONDS: f64 = 30.0;

/// What a job was asked, beside the sentence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wishes {
    /// A mood, or empty.
    pub mood: String,
    /// A setting, or empty.
    pub setting: String,
    /// Show the character to everybody as soon as it is done.
    pub publish: bool,
}

/// What a job has so far, as its row holds it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Progress {
    arrived: Arrived,
}

/// A job that was taken up.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The job.
    pub id: JobId,
    /// Whose it is.
    pub user: UserId,
    /// How often it was taken up, this time included.
    pub attempt: i32,
    /// What was asked.
    pub sentence: String,
    /// The wishes beside it.
    pub wishes: Wishes,
    /// What is there already.
    pub arrived: Arrived,
    /// The draft, if there is one.
    pub oc: Option<OcId>,
}

/// A job's id, whether it was made now, and how it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The job.
    pub id: JobId,
    /// It was not there before.
    pub is_new: bool,
}

fn json<T: Serialize>(value: &T) -> AppResult<serde_json::Value> {
    serde_json::to_value(value).map_err(|error| {
        tracing::error!(%error, "a value could not be written as JSON");
        AppError::Internal
    })
}

/// The job that was begun with this key before, if it was asked the same.
///
/// # Errors
/// `Conflict` if the key was used for another sentence.
pub async fn begun_with(tx: &mut PgConnection, user: UserId, form: &SummonForm, key: &str) -> AppResult<Option<Begun>> {
    let row = sqlx::query!("select job_id, prompt from jobs where user_id = $1 and idempotency_key = $2", user.0, key)
        .fetch_optional(tx)
        .await?;
    match row {
        Some(row) if row.prompt == form.description => Ok(Some(Begun { id: JobId(row.job_id), is_new: false })),
        Some(_) => Err(AppError::conflict("", "This idempotency key was used for another sentence.")),
        None => Ok(None),
    }
}

/// Writes the sentence down as a job.
///
/// # Errors
/// `Conflict` if the key was used for another sentence.
pub async fn begin(
    tx: &mut PgConnection,
    user: UserId,
    form: &SummonForm,
    publish: bool,
    key: Option<&str>,
) -> AppResult<Begun> {
    let wishes = Wishes { mood: form.mood.clone(), setting: form.setting.clone(), publish };
    let id = JobId::new();
    let made = sqlx::query_scalar!(
        "insert into jobs (job_id, user_id, job_type, prompt, input, idempotency_key, lease_until)
         values ($1, $2, 'summon', $3, $4, $5, now() + make_interval(secs => $6))
         on conflict on constraint jobs_idempotency_key do nothing returning job_id",
        id.0,
        user.0,
        form.description,
        json(&wishes)?,
        key,
        LEASE_SECONDS
    )
    .fetch_optional(&mut *tx)
    .await?;
    match (made, key) {
        (Some(_), _) => Ok(Begun { id, is_new: true }),
        (None, Some(key)) => begun_with(tx, user, form, key).await?.ok_or(AppError::Internal),
        (None, None) => Err(AppError::Internal),
    }
}

/// Takes up a job that nobody works on. `None` if somebody does, or there is nothing left to do.
///
/// # Errors
/// When the database cannot be reached.
pub async fn claim(app: &AppState, id: JobId) -> AppResult<Option<Claim>> {
    let mut tx = app.db.system().await?;
    let row = sqlx::query!(
        "update jobs set status = 'running', node_id = $2, attempts = attempts + 1, error = null,
             lease_until = now() + make_interval(secs => $3)
         where job_id = $1 and (status in ('queued', 'failed', 'stopped', 'interrupted') or lease_until < now()) and status <> 'done'
         returning user_id, attempts, prompt, input, result, oc_id",
        id.0,
        app.node.0,
        LEASE_SECONDS
    )
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(row.map(|r| Claim {
        id,
        user: UserId(r.user_id),
        attempt: r.attempts,
        sentence: r.prompt,
        wishes: serde_json::from_value(r.input).unwrap_or_default(),
        arrived: serde_json::from_value::<Progress>(r.result).unwrap_or_default().arrived,
        oc: r.oc_id.map(OcId),
    }))
}

/// Keeps what is there and renews the lease. `false` if the job is no longer this process's to work on.
///
/// # Errors
/// When the database cannot be reached.
pub async fn keep(app: &AppState, claim: &Claim) -> AppResult<bool> {
    let mut tx = app.db.system().await?;
    let done = sqlx::query!(
        "update jobs set result = $4, oc_id = $5, lease_until = now() + make_interval(secs => $6)
         where job_id = $1 and status = 'running' and node_id = $2 and attempts = $3",
        claim.id.0,
        app.node.0,
        claim.attempt,
        serde_json::json!({"arrived": claim.arrived}),
        claim.oc.map(|o| o.0),
        LEASE_SECONDS
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(done.rows_affected() == 1)
}

/// Renews the lease alone. `false` if the job is no longer this process's to work on.
///
/// # Errors
/// When the database cannot be reached.
pub async fn renew(app: &AppState, id: JobId, attempt: i32) -> AppResult<bool> {
    let mut tx = app.db.system().await?;
    let done = sqlx::query!(
        "update jobs set lease_until = now() + make_interval(secs => $4)
         where job_id = $1 and status = 'running' and node_id = $2 and attempts = $3",
        id.0,
        app.node.0,
        attempt,
        LEASE_SECONDS
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(done.rows_affected() == 1)
}

/// Ends this process's work on a job.
///
/// # Errors
/// When the database cannot be reached.
pub async fn end(app: &AppState, id: JobId, attempt: i32, status: JobStatus, error: &str) -> AppResult<()> {
    let error: String = error.chars().take(1000).collect();
    let mut tx = app.db.system().await?;
    sqlx::query!(
        "update jobs set status = $4, error = nullif($5, ''), lease_until = null
         where job_id = $1 and status = 'running' and node_id = $2 and attempts = $3",
        id.0,
        app.node.0,
        attempt,
        status.as_str(),
        error
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

/// Stops a job of this person's, whoever works on it. `false` if it has ended already.
///
/// # Errors
/// `NotFound` for somebody else's.
pub async fn stop(app: &AppState, user: UserId, id: JobId) -> AppResult<bool> {
    let mut tx = app.db.system().await?;
    let row = sqlx::query_scalar!(
        r#"with old as (select status from jobs where job_id = $1 and user_id = $2 for update),
                done as (update jobs set status = 'stopped', lease_until = null
                         where job_id = $1 and user_id = $2 and status in ('queued', 'running'))
           select status as "status!" from old"#,
        id.0,
        user.0
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(AppError::NotFound)?;
    tx.commit().await?;
    Ok(JobStatus::of(&row).is_open())
}

/// Marks jobs whose worker has gone as interrupted.
///
/// # Errors
/// When the database cannot be reached.
pub async fn sweep(app: &AppState) -> AppResult<()> {
    let mut tx = app.db.system().await?;
    let gone = sqlx::query!(
        "update jobs set status = 'interrupted', lease_until = null where status in ('queued', 'running') and lease_until < now()"
    )
    .execute(&mut *tx)
    .await?;
    if gone.rows_affected() > 0 {
        tracing::warn!(jobs = gone.rows_affected(), "jobs were left behind and are marked as interrupted");
    }
    tx.commit().await
}

/// A job as its owner sees it.
///
/// # Errors
/// `NotFound`, also for somebody else's.
pub async fn page(tx: &mut PgConnection, id: JobId, model: String) -> AppResult<(SummonPage, i32)> {
    let row = sqlx::query!(
        r#"select j.status, j.prompt, j.input, j.result, j.error, j.attempts, j.lease_until < now() as "late",
               o.oc_id as "oc_id?", o.slug as "slug?", o.version as "version?", o.is_public as "is_public?"
           from jobs j left join ocs o on o.oc_id = j.oc_id where j.job_id = $1 and j.job_type = 'summon'"#,
        id.0
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(AppError::NotFound)?;
    let wishes: Wishes = serde_json::from_value(row.input).unwrap_or_default();
    let progress: Progress = serde_json::from_value(row.result).unwrap_or_default();
    let mut status = JobStatus::of(&row.status);
    if status.is_open() && row.late.unwrap_or(false) {
        status = JobStatus::Interrupted;
    }
    let mut arrived = progress.arrived;
    // A finished character is its draft: what was redrawn or edited since is what its page shows.
    if let (JobStatus::Done, Some(oc)) = (status, row.oc_id) {
        let oc = find(tx, OcId(oc)).await?;
        let items = oc.items.into_iter().map(|i| SummonedItem {
            name: i.name,
            description: i.description,
            personality_effects: i.personality_effects,
            rarity: i.rarity,
        });
        let (sheet, introduction) = (oc.sheet, arrived.sheet.introduction.take());
        let sheet = Sheet { introduction: sheet.introduction.clone().or(introduction), ..sheet };
        arrived = Arrived::whole(sheet, items.collect(), arrived.filled);
    }
    let page = SummonPage {
        id,
        status,
        form: SummonForm { description: row.prompt, mood: wishes.mood, setting: wishes.setting },
        arrived,
        oc_id: row.oc_id.map(OcId),
        slug: row.slug.unwrap_or_default(),
        version: row.version.unwrap_or(1),
        is_public: row.is_public.unwrap_or(false),
        error: row.error.unwrap_or_default(),
        model,
    };
    Ok((page, row.attempts))
}

/// Makes the draft under a name that is free: the wished one, or one near it.
///
/// # Errors
/// When the database cannot be reached.
pub async fn reserve(app: &AppState, user: UserId, sheet: &Sheet) -> AppResult<(Made, String)> {
    let mut sheet = sheet.clone();
    let wished = sheet.name.clone();
    for _ in 0..5 {
        let mut tx = app.db.begin(user).await?;
        sheet.name = offer_name(&mut tx, &wished).await?;
        match create(&mut tx, user, &sheet).await {
            Ok(made) => {
                tx.commit().await?;
                return Ok((made, sheet.name));
            }
            // Somebody was faster; the next round sees it.
            Err(AppError::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Err(AppError::conflict("name", "This name was taken again and again. Please try once more."))
}

/// Fills the draft with what has arrived, unless its owner has written in it meanwhile: then their words stay. Name and look
/// are the draft's own since it was made, and its version stays: nothing changes under an address that is known.
///
/// # Errors
/// `NotFound` if the draft was deleted.
pub async fn complete(tx: &mut Tx, user: UserId, oc: OcId, arrived: &Arrived) -> AppResult<()> {
    let row = sqlx::query!("select version, published_at from ocs where oc_id = $1 for update", oc.0)
        .fetch_optional(&mut **tx)
        .await?
        .ok_or(AppError::NotFound)?;
    if row.version == 1 && row.published_at.is_none() {
        let style = &arrived.sheet.visual_style;
        let starts = arrived.sheet.example_dialogue.iter().map(|line| line.user.chars().take(120).collect::<String>());
        let sheet = Sheet {
            quick_start: starts.filter(|line| !line.is_empty()).take(3).collect(),
            tags: vec![style.mood.as_str().to_owned(), style.atmosphere.as_str().to_owned()],
            ..arrived.sheet.clone()
        }
        .check()?;
        let introduction =
            sheet.introduction.as_ref().map(|(title, content)| serde_json::json!({"title": title, "content": content}));
        sqlx::query!(
            "update ocs set title = $2, description = $3, personality = $4, greeting = $5, example_dialogue = $6, introduction = $7,
                 quick_start = $8, tags = $9, voice_tone = $10, scenario = $11, pronoun = $12, age_band = $13
             where oc_id = $1",
            oc.0,
            sheet.title,
            sheet.description,
            sheet.personality,
            sheet.greeting,
            json(&sheet.example_dialogue)?,
            introduction,
            &sheet.quick_start,
            &sheet.tags,
            sheet.voice_tone,
            sheet.scenario,
            sheet.pronoun.as_str(),
            sheet.age_band.as_str()
        )
        .execute(&mut **tx)
        .await?;
    }
    let carried = sqlx::query_scalar!(r#"select count(*) as "count!" from oc_items where oc_id = $1"#, oc.0)
        .fetch_one(&mut **tx)
        .await?;
    if carried == 0 {
        for item in &arrived.items {
            add_item(tx, user, oc, &form_of(item)).await?;
        }
    }
    Ok(())
}

/// The sentence that a character was made from, with its wishes and its job, if its owner summoned it.
///
/// # Errors
/// When the database cannot be reached.
pub async fn sentence_of(tx: &mut PgConnection, oc: OcId) -> AppResult<Option<(JobId, String, Wishes)>> {
    let row = sqlx::query!(
        "select job_id, prompt, input from jobs where oc_id = $1 and job_type = 'summon' order by job_id desc limit 1",
        oc.0
    )
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|r| (JobId(r.job_id), r.prompt, serde_json::from_value(r.input).unwrap_or_default())))
}

fn form_of(item: &SummonedItem) -> ItemForm {
    ItemForm {
        name: item.name.clone(),
        description: item.description.clone(),
        effects: item.personality_effects.clone(),
        rarity: item.rarity.as_str().to_owned(),
    }
}
