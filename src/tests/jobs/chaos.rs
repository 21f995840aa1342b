//! Processes that die and stand still at any moment: every effect is there exactly once.
//!
//! A process here is a runtime of its own on a thread of its own. Killed, all its tasks and connections are dropped where they
//! are; standing still, nothing of it moves for longer than its leases, and then it goes on as if nothing had been.

use super::*;
use std::{
    cell::RefCell,
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};
use tokio_util::sync::CancellationToken;

const JOBS: usize = 300;
const PROCESSES: usize = 3;
const LEASE: Duration = Duration::from_millis(700);

/// What has happened, over all processes.
#[derive(Debug, Default)]
struct Seen {
    killed_before: AtomicUsize,
    killed_within: AtomicUsize,
    killed_after: AtomicUsize,
    killed_anywhere: AtomicUsize,
    paused: AtomicUsize,
    /// Attempts that wrote everything and found that the job was somebody else's by now.
    fenced: AtomicUsize,
    done: AtomicBool,
}

thread_local! {
    /// The life of this thread's process.
    static LIFE: RefCell<Option<(CancellationToken, Arc<Seen>)>> = const { RefCell::new(None) };
}

fn seen() -> Arc<Seen> {
    LIFE.with_borrow(|life| Arc::clone(&life.as_ref().expect("a process").1))
}

async fn die(why: impl Fn(&Seen) -> &AtomicUsize) {
    why(&seen()).fetch_add(1, Ordering::Relaxed);
    LIFE.with_borrow(|life| life.as_ref().expect("a process").0.cancel());
    std::future::pending().await
}

/// The whole process stands still.
fn stand_still() {
    seen().paused.fetch_add(1, Ordering::Relaxed);
    std::thread::sleep(LEASE + Duration::from_millis(rand::random_range(100..500)));
}

#[derive(Serialize, Deserialize)]
struct Perilous(usize);

impl Job for Perilous {
    const NAME: &'static str = "test.perilous";
    const LABEL: &'static str = "Perilous";
    const LANE: Lane = Lane { name: "chaos", places: 4, per_person: 50 };
    const LEASE: Duration = LEASE;
    const RETRIES: i16 = 1000;

    async fn run(self, ctx: JobCtx) -> Outcome {
        let fate = rand::random_range(0..100);
        tokio::time::sleep(Duration::from_millis(rand::random_range(0..40))).await;
        if fate < 6 {
            die(|seen| &seen.killed_before).await;
        }
        if (6..10).contains(&fate) {
            stand_still();
        }
        let Ok(mut tx) = ctx.begin().await else { return Outcome::retry("no connection") };
        if (10..13).contains(&fate) && ctx.hold(&mut tx).await.is_ok() {
            // Locked: nobody can take it away, however long the lease has run out.
            stand_still();
        }
        effect(&mut tx, &ctx, &self.0.to_string(), chrono::Utc::now()).await;
        match fate {
            13..19 => die(|seen| &seen.killed_within).await,
            19..24 => stand_still(),
            _ => {}
        }
        let outcome = ctx.finish(tx).await;
        if format!("{outcome:?}").contains("Lost") {
            seen().fenced.fetch_add(1, Ordering::Relaxed);
        } else if (24..30).contains(&fate) {
            die(|seen| &seen.killed_after).await;
        }
        outcome
    }
}

/// Lives again and again until everything is done.
fn lives(database: &Arc<Database>, seen: &Arc<Seen>) {
    let kinds = Kinds::default().with::<Perilous>();
    while !seen.done.load(Ordering::Relaxed) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let killed = CancellationToken::new();
        LIFE.set(Some((killed.clone(), Arc::clone(seen))));
        let folder: PathBuf = runtime.block_on(async {
            let (mut state, _, folder) =
                super::super::parts(super::super::direct(database), &["--limit-factor", "1000"]);
            state.jobs = Arc::new(Jobs::new(state.hub.bell.clone(), kinds.clone(), QUICK));
            jobs::start(&state);
            tokio::select! {
                () = killed.cancelled() => {}
                () = tokio::time::sleep(Duration::from_millis(rand::random_range(300..4000))) => {
                    seen.killed_anywhere.fetch_add(1, Ordering::Relaxed);
                }
            }
            folder
        });
        runtime.shutdown_background();
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// What came of a storm: how often each effect is there, and what happened on the way.
async fn storm(app: &TestApp, jobs: usize) -> (Vec<(String, i64)>, Arc<Seen>) {
    let people = people(app, 10).await;
    let seen = Arc::new(Seen::default());
    let threads: Vec<_> = (0..PROCESSES)
        .map(|_| {
            let (database, seen) = (Arc::clone(&app.database), Arc::clone(&seen));
            std::thread::spawn(move || lives(&database, &seen))
        })
        .collect();
    for n in 0..jobs {
        // Causes come to nothing now and then, and their jobs with them.
        if n % 6 == 0 {
            let mut tx = app.state.db.queue().await.unwrap();
            let _ = jobs::queue_for(&mut tx, None, &Perilous(jobs + n), How::default()).await.unwrap();
            drop(tx);
        }
        let mutex = (n % 3 == 0).then(|| format!("thing {}", n % 12));
        queued(&app.state, Some(people[n % people.len()]), &Perilous(n), How { mutex, ..How::default() }).await;
    }
    until(app, "not exists (select from job_queue)").await;
    // Whoever stands still may yet wake up and try to write.
    tokio::time::sleep(LEASE * 2).await;
    seen.done.store(true, Ordering::Relaxed);
    tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| thread.join().expect("a process")))
        .await
        .unwrap();
    let rows = sqlx::query_as("select what, count(*) from effects group by what");
    (rows.fetch_all(&mut app.sql().await).await.unwrap(), seen)
}

fn count(n: &AtomicUsize) -> usize {
    n.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_effect_is_there_exactly_once() {
    let app = site(&Kinds::default()).await;
    let (rows, seen) = storm(&app, JOBS).await;
    let wrong: Vec<_> = rows.iter().filter(|(_, times)| *times != 1).collect();
    assert!(wrong.is_empty(), "not once: {wrong:?}; {seen:?}");
    let mut found: Vec<usize> = rows.iter().map(|(what, _)| what.parse().unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, (0..JOBS).collect::<Vec<_>>(), "{seen:?}");
    assert_eq!(number(&app, "select count(*) from dead_jobs").await, 0);
    for (what, least) in
        [(&seen.killed_before, 3), (&seen.killed_within, 3), (&seen.killed_after, 3), (&seen.paused, 5)]
    {
        assert!(count(what) >= least, "this proves little: {seen:?}");
    }
    assert!(count(&seen.fenced) > 0, "nobody was fenced off, so this proves little: {seen:?}");
}

/// The measure of the storm: without the fence it doubles effects.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_fence_there_are_doubles() {
    let app = site(&Kinds::default()).await;
    let open = "create or replace function app.finish_job(id uuid, token uuid) returns boolean
                    language plpgsql security definer set search_path = '' as $$
                begin
                    delete from public.job_queue where job_id = id;
                    return true;
                end $$";
    app.sql().await.execute(open).await.unwrap();
    let (rows, seen) = storm(&app, JOBS / 2).await;
    assert!(rows.iter().any(|(_, times)| *times > 1), "the storm does no harm: {seen:?}");
}
