//! Whose turn it is: people, mutexes, and what comes round.

use super::*;

/// Does nothing but leave an effect, whenever it comes round.
#[derive(Serialize, Deserialize)]
pub(super) struct Tick;

impl Job for Tick {
    const NAME: &'static str = "test.tick";
    const LABEL: &'static str = "Tick";
    const LANE: Lane = Lane::UPKEEP;

    async fn run(self, ctx: JobCtx) -> Outcome {
        let mut tx = ctx.begin().await.unwrap();
        effect(&mut tx, &ctx, "tick", chrono::Utc::now()).await;
        ctx.finish(tx).await
    }
}

/// Most of one key's effects at the same time, as they began and ended.
const AT_ONCE: &str = "select coalesce(max(n), 0) from (select count(*) as n from effects a join effects b
    on b.what = a.what and b.began <= a.began and b.ended > a.began group by a.job_id) x";

#[tokio::test(flavor = "multi_thread")]
async fn one_greedy_person_delays_nobody() {
    let kinds = Kinds::default().with::<Note>();
    let app = site(&kinds).await;
    let other = knowing(app.again(), kinds, QUICK);
    let [greedy, others @ ..] = &people(&app, 21).await[..] else { panic!("people") };
    let mut tx = app.state.db.queue().await.unwrap();
    for _ in 0..1000 {
        let _ = jobs::queue_for(&mut tx, Some(*greedy), &Note::new("greedy", 15), How::default()).await.unwrap();
    }
    tx.commit().await.unwrap();
    // Everybody else comes later.
    for person in others {
        queued(&app.state, Some(*person), &Note::new("modest", 15), How::default()).await;
    }
    jobs::start(&app.state);
    jobs::start(&other.state);
    until(&app, "(select count(*) from effects where what = 'modest') = 20").await;
    let before = number(
        &app,
        "select count(*) from effects where what = 'greedy'
         and began < (select max(began) from effects where what = 'modest')",
    )
    .await;
    // One turn of theirs, and what the places of two processes held beside the last of the others.
    assert!(before <= 1 + 6, "{before} of the greedy one's jobs came before somebody's first");
    until(&app, "(select count(*) from effects where what = 'greedy') > 20").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_has_so_many_running_and_no_more() {
    let kinds = Kinds::default().with::<Note>();
    let app = site(&kinds).await;
    let person = people(&app, 1).await[0];
    for _ in 0..12 {
        queued(&app.state, Some(person), &Note::new("mine", 60), How::default()).await;
    }
    jobs::start(&app.state);
    until(&app, "(select count(*) from effects) = 12").await;
    assert_eq!(number(&app, AT_ONCE).await, Note::LANE.per_person, "of {} places", Note::LANE.places);
    // More than that many may not even wait.
    let mut tx = app.state.db.queue().await.unwrap();
    let mut refused = None;
    for n in 0..2500 {
        let how = How { delay: Duration::from_secs(3600), ..How::default() };
        if let Err(error) = jobs::queue_for(&mut tx, Some(person), &Note::new("much", 0), how).await {
            refused = Some((n, error.status()));
            break;
        }
    }
    assert_eq!(refused, Some((2000, 429)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mutex_is_held_by_one() {
    let kinds = Kinds::default().with::<Note>();
    let app = site(&kinds).await;
    let other = knowing(app.again(), kinds, QUICK);
    let people = people(&app, 30).await;
    for (n, person) in people.iter().enumerate() {
        let key = format!("oc:{}", n % 4);
        let how = How { mutex: Some(key.clone()), ..How::default() };
        queued(&app.state, Some(*person), &Note::new(key, 25), how).await;
    }
    jobs::start(&app.state);
    jobs::start(&other.state);
    until(&app, "(select count(*) from effects) = 30").await;
    assert_eq!(number(&app, AT_ONCE).await, 1);
    let both = number(&app, "select count(distinct node) from effects").await;
    let overlapping = number(
        &app,
        "select count(*) from effects a join effects b on b.what <> a.what and b.began <= a.began and b.ended > a.began",
    )
    .await;
    assert!(both == 2 && overlapping > 5, "{both} processes, {overlapping} at once: this proves nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_round_does_so_once_over_all_processes() {
    let kinds = Kinds::default().every::<Tick>(Duration::from_secs(3600));
    let pace = Pace { sweep: Duration::from_millis(10), ..QUICK };
    let app = knowing(site(&kinds).await, kinds.clone(), pace);
    let others: Vec<_> = (0..3).map(|_| knowing(app.again(), kinds.clone(), pace)).collect();
    for process in others.iter().chain([&app]) {
        jobs::start(&process.state);
    }
    for round in 1..=3 {
        until(&app, &format!("(select count(*) from effects) >= {round}")).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(number(&app, "select count(*) from effects").await, round);
        let next = number(&app, "select extract(epoch from next_at - now())::bigint from schedules").await;
        assert!((3500..=3600).contains(&next), "{next}");
        app.sql().await.execute("update schedules set next_at = now()").await.unwrap();
    }
}
