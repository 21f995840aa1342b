//! The queue: jobs by several processes on one database.

mod admin;
mod chaos;
mod fates;
mod turns;

use super::{TestApp, database::Database};
use crate::{
    ids::{JobId, UserId},
    kit::jobs::{self, How, Job, JobCtx, Jobs, Kinds, Lane, Outcome, Pace},
    server::AppState,
};
use serde::{Deserialize, Serialize};
use sqlx::{Executor, PgConnection, Row};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// The queue's part of the fixture of `walls`.
pub(super) const FIXTURE: &str = r"
insert into job_queue (job_id, lane, kind, user_id, lease_seconds, max_attempts) values ('{row}', 'row', 'row', '{owner}', 60, 5);
insert into dead_jobs (job_id, lane, kind, user_id, priority, lease_seconds, attempts, max_attempts, payload, history, created_at)
    values ('{row}', 'row', 'row', '{owner}', 0, 60, 5, 5, '{}', '[]', now());
insert into job_calls (job_id, step, user_id, call_key) values ('{row}', 'row', '{owner}', '{row}');
insert into schedules (name, every) values ('row', interval '1 hour');
insert into paused_lanes (lane) values ('row');
";

/// Nobody rings here, unless the test is about it.
const QUICK: Pace =
    Pace { poll: Duration::from_millis(30), sweep: Duration::from_millis(80), backoff: Duration::from_millis(10) };

/// What jobs leave behind. Nothing in it forbids doubles: the queue alone does.
const EFFECTS: &str = "create table effects (job_id uuid, user_id uuid, what text, began timestamptz, node uuid,
                           ended timestamptz default clock_timestamp());
                       grant select, insert on effects to sf_worker, sf_app";

/// A process that knows these kinds and has not begun.
fn knowing(mut app: TestApp, kinds: Kinds, pace: Pace) -> TestApp {
    app.state.jobs = Arc::new(Jobs::new(app.state.hub.bell.clone(), kinds, pace));
    app
}

/// A site with a place for effects.
async fn site(kinds: &Kinds) -> TestApp {
    let app = TestApp::new().await;
    app.sql().await.execute(EFFECTS).await.unwrap();
    knowing(app, kinds.clone(), QUICK)
}

/// So many people.
async fn people(app: &TestApp, n: usize) -> Vec<UserId> {
    let mut sql = app.sql().await;
    let mut made = Vec::new();
    for _ in 0..n {
        let id = Uuid::now_v7();
        let text = "insert into users (user_id, email) values ($1, $1::text || '@example.org')";
        sqlx::query(text).bind(id).execute(&mut sql).await.unwrap();
        made.push(UserId(id));
    }
    made
}

/// Queues a job for somebody or the house.
async fn queued<J: Job>(state: &AppState, whom: Option<UserId>, job: &J, how: How) -> Option<JobId> {
    let mut tx = state.db.queue().await.unwrap();
    let queued = jobs::queue_for(&mut tx, whom, job, how).await.unwrap();
    tx.commit().await.unwrap();
    state.jobs.ring(queued);
    queued.id
}

/// Writes that a job did something, within its transaction.
async fn effect(tx: &mut PgConnection, ctx: &JobCtx, what: &str, began: chrono::DateTime<chrono::Utc>) {
    sqlx::query("insert into effects (job_id, user_id, what, began, node) values ($1, $2, $3, $4, $5)")
        .bind(ctx.id.0)
        .bind(ctx.user.map(|user| user.0))
        .bind(what)
        .bind(began)
        .bind(ctx.app.node.0)
        .execute(tx)
        .await
        .unwrap();
}

/// Waits until so many rows are in a table that is asked in this way.
async fn until(app: &TestApp, condition: &str) {
    let mut sql = app.sql().await;
    let began = Instant::now();
    loop {
        let text = format!("select {condition}");
        let row = sqlx::query(sqlx::AssertSqlSafe(text)).fetch_one(&mut sql).await.unwrap();
        if row.get::<bool, _>(0) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(90), "still not {condition}: {}", told(&mut sql).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn told(sql: &mut PgConnection) -> String {
    let text = "select coalesce(json_agg(q), '[]')::text from (select kind, running, attempts, run_at - now() as due, error from job_queue limit 20) q";
    sqlx::query_scalar(text).fetch_one(sql).await.unwrap()
}

async fn number(app: &TestApp, question: &str) -> i64 {
    sqlx::query_scalar(sqlx::AssertSqlSafe(question.to_owned())).fetch_one(&mut app.sql().await).await.unwrap()
}

/// Takes some time and leaves one effect.
#[derive(Serialize, Deserialize)]
struct Note {
    what: String,
    takes: u64,
}

impl Note {
    fn new(what: impl Into<String>, takes: u64) -> Self {
        Self { what: what.into(), takes }
    }
}

impl Job for Note {
    const NAME: &'static str = "test.note";
    const LABEL: &'static str = "Note";
    const LANE: Lane = Lane { name: "test", places: 3, per_person: 2 };

    async fn run(self, ctx: JobCtx) -> Outcome {
        let began = chrono::Utc::now();
        tokio::time::sleep(Duration::from_millis(self.takes)).await;
        let mut tx = ctx.begin().await.unwrap();
        effect(&mut tx, &ctx, &self.what, began).await;
        ctx.finish(tx).await
    }
}

/// A job and its cause are one transaction; people queue their own work and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_there_when_its_cause_is() {
    let app = site(&Kinds::default().with::<Note>()).await;
    let [ada, eve] = people(&app, 2).await.try_into().unwrap();
    let mut tx = app.state.db.begin(ada).await.unwrap();
    let _ = jobs::queue(&mut tx, &Note::new("undone", 0), How::default()).await.unwrap();
    drop(tx);
    let mut tx = app.state.db.begin(ada).await.unwrap();
    let kept = jobs::queue(&mut tx, &Note::new("kept", 0), How::once("k")).await.unwrap();
    let twice = jobs::queue(&mut tx, &Note::new("twice", 0), How::once("k")).await.unwrap();
    tx.commit().await.unwrap();
    assert!(kept.id.is_some() && twice.id.is_none());
    // The key is the person's own.
    let mut tx = app.state.db.begin(eve).await.unwrap();
    let hers = jobs::queue(&mut tx, &Note::new("hers", 0), How::once("k")).await.unwrap();
    tx.commit().await.unwrap();
    assert!(hers.id.is_some());
    // Nobody, and what only the house does.
    let mut tx = app.state.db.begin(crate::server::Identity::Anonymous).await.unwrap();
    assert!(jobs::queue(&mut tx, &Note::new("nobody", 0), How::default()).await.is_err());
    let mut tx = app.state.db.begin(ada).await.unwrap();
    assert!(jobs::queue(&mut tx, &turns::Tick, How::default()).await.is_err());

    jobs::start(&app.state);
    until(&app, "(select count(*) from effects) = 2 and not exists (select from job_queue)").await;
    let done: String = sqlx::query_scalar("select string_agg(what, ' ' order by what) from effects")
        .fetch_one(&mut app.sql().await)
        .await
        .unwrap();
    assert_eq!(done, "hers kept");
    assert!(queued(&app.state, Some(ada), &Note::new("again", 0), How::once("k")).await.is_some(), "it is done");
    until(&app, "(select count(*) from effects) = 3").await;
}

/// The doorbell: nobody waits for the next look.
#[tokio::test(flavor = "multi_thread")]
async fn another_process_hears_of_a_job_at_once() {
    let kinds = Kinds::default().with::<Note>();
    let here = site(&kinds).await;
    let slow = Pace { poll: Duration::from_secs(600), ..QUICK };
    let there = knowing(here.again(), kinds, slow);
    crate::server::serve::hear_others(&here.state);
    crate::server::serve::hear_others(&there.state);
    jobs::start(&there.state);
    // The line is open when the first one was heard, by the look that follows its opening or by itself.
    queued(&here.state, None, &Note::new("first", 0), How::default()).await;
    until(&here, "(select count(*) from effects) = 1").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let began = Instant::now();
    queued(&here.state, None, &Note::new("second", 0), How::default()).await;
    until(&here, "(select count(*) from effects) = 2").await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
