//! How jobs end that do not simply end: tried again, given up, taken back, moved elsewhere.

use super::*;

/// Ends as it is told.
#[derive(Serialize, Deserialize)]
pub(super) struct Fated(pub(super) String);

impl Job for Fated {
    const NAME: &'static str = "test.fated";
    const LABEL: &'static str = "Fated";
    const LANE: Lane = Lane { name: "fates", places: 4, per_person: 4 };
    const LIMIT: Duration = Duration::from_millis(300);
    const RETRIES: i16 = 3;

    async fn run(self, ctx: JobCtx) -> Outcome {
        let began = chrono::Utc::now();
        let mut tx = ctx.app.db.queue().await.unwrap();
        // Attempts are written down in any case.
        effect(&mut tx, &ctx, &format!("try {}", self.0), began).await;
        tx.commit().await.unwrap();
        match self.0.as_str() {
            "third" if ctx.attempt < 3 => return Outcome::retry("Not yet."),
            "always" => return Outcome::retry("Never works."),
            "never" => return Outcome::never("Refused."),
            "panic" => panic!("as the test wants"),
            "hang" => std::future::pending().await,
            "later" => {
                let text = "select count(*) from effects where what = 'try later'";
                let mut tx = ctx.begin().await.unwrap();
                let tries: i64 = sqlx::query_scalar(text).fetch_one(&mut *tx).await.unwrap();
                if tries < 6 {
                    return Outcome::later(Duration::from_millis(20), "Somebody is busy.");
                }
            }
            _ => {}
        }
        let mut tx = ctx.begin().await.unwrap();
        effect(&mut tx, &ctx, &self.0, began).await;
        ctx.finish(tx).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_tried_again_or_given_up() {
    let app = site(&Kinds::default().with::<Fated>()).await;
    for fate in ["plain", "third", "always", "never", "panic", "hang", "later"] {
        queued(&app.state, None, &Fated(fate.to_owned()), How::default()).await;
    }
    let nonsense = "select app.queue_job(gen_random_uuid(), null, 'fates', 'test.fated', '{\"no\": 1}', 0::smallint, 0, 60, 3::smallint, null, null)";
    app.sql().await.execute(nonsense).await.unwrap();
    // What no process knows stays where it is.
    let unknown = nonsense.replace("'test.fated'", "'test.newer'");
    app.sql().await.execute(sqlx::AssertSqlSafe(unknown)).await.unwrap();
    jobs::start(&app.state);
    until(&app, "(select count(*) from job_queue) = 1 and (select count(*) from dead_jobs) = 5").await;

    let mut sql = app.sql().await;
    let done: Vec<String> = sqlx::query_scalar("select what from effects where what not like 'try%' order by 1")
        .fetch_all(&mut sql)
        .await
        .unwrap();
    assert_eq!(done, ["later", "plain", "third"]);
    let dead = sqlx::query(
        "select coalesce(payload #>> '{}', '') as fate, attempts, error, jsonb_array_length(history) as told from dead_jobs order by 1",
    );
    let dead: Vec<(String, i16, String, i32)> = dead
        .fetch_all(&mut sql)
        .await
        .unwrap()
        .iter()
        .map(|r| (r.get("fate"), r.get("attempts"), r.get("error"), r.get("told")))
        .collect();
    let wanted = |fate: &str, attempts, error: &str| (fate.to_owned(), attempts, error.to_owned(), i32::from(attempts));
    assert_eq!(dead[0], wanted("always", 3, "Never works."));
    assert_eq!(dead[1], wanted("hang", 3, "It took longer than 0 seconds."));
    assert_eq!(dead[2], wanted("never", 1, "Refused."));
    assert_eq!(dead[3], wanted("panic", 3, "Something broke while this was done."));
    assert!(dead[4].1 == 1 && dead[4].2.starts_with("It cannot be read: "), "{:?}", dead[4]);
    let kept = number(&app, "select count(*) from job_queue where kind = 'test.newer' and attempts = 0").await;
    assert_eq!(kept, 1);
}

/// Asks somebody else, and does not ask twice.
#[derive(Serialize, Deserialize)]
struct Calls;

impl Job for Calls {
    const NAME: &'static str = "test.calls";
    const LABEL: &'static str = "Calls";
    const LANE: Lane = Lane { name: "fates", places: 4, per_person: 4 };

    async fn run(self, ctx: JobCtx) -> Outcome {
        let call = ctx.call("picture").await.unwrap();
        let Some(theirs) = call.provider_id else {
            assert_eq!(ctx.attempt, 1, "the first attempt has called");
            ctx.called("picture", "prediction-1").await.unwrap();
            return Outcome::retry("The connection was lost.");
        };
        let mut tx = ctx.begin().await.unwrap();
        effect(&mut tx, &ctx, &format!("{theirs} {}", call.key), chrono::Utc::now()).await;
        ctx.finish(tx).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_to_somebody_else_is_made_once() {
    let app = site(&Kinds::default().with::<Calls>()).await;
    let person = people(&app, 1).await[0];
    queued(&app.state, Some(person), &Calls, How::default()).await;
    jobs::start(&app.state);
    until(&app, "(select count(*) from effects) = 1").await;
    let same = "select count(*) from effects e join job_calls c using (job_id)
                where e.what = 'prediction-1 ' || c.call_key and c.user_id = e.user_id and c.step = 'picture'";
    assert_eq!(number(&app, same).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_taken_back_ends_wherever_it_is() {
    let kinds = Kinds::default().with::<Note>();
    let app = site(&kinds).await;
    let there = knowing(app.again(), kinds, QUICK);
    crate::server::serve::hear_others(&app.state);
    crate::server::serve::hear_others(&there.state);
    let [ada, eve] = people(&app, 2).await.try_into().unwrap();
    let long = queued(&app.state, Some(ada), &Note::new("long", 60_000), How::default()).await.unwrap();
    jobs::start(&there.state);
    until(&app, "(select count(*) from job_queue where running) = 1").await;
    let take_back = async |whom: UserId| {
        let mut tx = app.state.db.begin(whom).await.unwrap();
        let taken = jobs::take_back(&mut tx, long).await.unwrap();
        tx.commit().await.unwrap();
        taken
    };
    assert!(!take_back(eve).await, "somebody else's");
    assert!(take_back(ada).await && !take_back(ada).await);
    // Its lease is a minute, and renewed every 20 seconds: only the bell is so quick.
    app.state.jobs.ring_gone(long);
    let began = Instant::now();
    while there.state.jobs.count() > 0 {
        assert!(began.elapsed() < Duration::from_secs(8), "it goes on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(number(&app, "select (select count(*) from effects) + (select count(*) from dead_jobs)").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_ends_leaves_its_jobs_to_others() {
    let kinds = Kinds::default().with::<Note>();
    let app = site(&kinds).await;
    jobs::start(&app.state);
    queued(&app.state, None, &Note::new("long", 4000), How::default()).await;
    until(&app, "(select count(*) from job_queue where running) = 1").await;
    // Draining: what is under way goes on, nothing new is begun.
    app.state.draining.cancel();
    queued(&app.state, None, &Note::new("new", 0), How::default()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(number(&app, "select count(*) from job_queue where running").await, 1);
    assert_eq!(app.state.jobs.count(), 1);
    // The end: it goes back at once, and the attempt is not held against it.
    app.state.shutdown.cancel();
    until(
        &app,
        "(select count(*) from job_queue where not running and attempts = 0 and run_at < now() + interval '1 s') = 2",
    )
    .await;
    let next = knowing(app.again(), kinds, QUICK);
    jobs::start(&next.state);
    until(&app, "(select count(*) from effects) = 2 and not exists (select from job_queue)").await;
}
