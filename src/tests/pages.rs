//! Pages that come, pages that do not, and what the one who asked is told then.

use super::{
    Client, TestApp,
    log::{self, Kept},
    operations::value,
};
use crate::{
    server::{
        AppState, pages, router,
        telemetry::{self, figures},
    },
    ui::load,
};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    routing::get,
};
use leptos::prelude::*;
use serde_json::json;
use sqlx::Executor;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

/// Far longer than a page takes, far shorter than a page that never comes.
const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn pages_come_while_routers_are_made() {
    let app = TestApp::new().await;
    let done = Arc::new(AtomicBool::new(false));
    let (state, until) = (app.state.clone(), Arc::clone(&done));
    let maker = tokio::task::spawn_blocking(move || {
        while !until.load(Ordering::Relaxed) {
            drop(router::routes(&state));
        }
    });
    for round in 0..40 {
        for path in ["/", "/characters", "/c/lumina", "/sign-in", "/no/such/page"] {
            let page = tokio::time::timeout(LONG, app.client().get(path)).await;
            let came = page.is_ok_and(|page| page.status != 503);
            // Before anything can fail: the runtime waits for this thread.
            done.store(!came, Ordering::Relaxed);
            assert!(came, "{path} never came in round {round}");
        }
    }
    done.store(true, Ordering::Relaxed);
    maker.await.unwrap();
}

// One thread: what a request logs is logged where this test listens.
#[tokio::test(flavor = "current_thread")]
async fn a_page_that_takes_too_long_is_given_up() {
    let app = TestApp::with(&["--limit-factor", "1000", "--page-limit", "1"]).await;
    let client = app.client();
    let mut sql = app.sql().await;
    let slow = "create policy slow on ocs as restrictive for select using ((select pg_sleep(30)::text) is not null)";
    sql.execute(slow).await.unwrap();
    let before = figures::render(&app.state).await.unwrap();
    let ask = |accept: &'static str| {
        let request =
            Request::get("/characters?q=secret-query").header("accept", accept).header("x-request-id", "late-1");
        client.send(request.body(Body::empty()).unwrap())
    };
    let lines = Kept::default();
    let filter = EnvFilter::new("soulforge=debug");
    let log = tracing_subscriber::registry().with(filter).with(telemetry::lines(true, lines.clone()));
    let guard = log::dispatch(log).set_default();
    let began = Instant::now();
    let page = ask("text/html").await;
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!((page.status, page.header("retry-after"), page.header("x-request-id")), (503, "5", "late-1"));
    assert!(page.text.contains("Back in a moment") && page.text.contains("takes too long"), "{}", page.text);
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    assert_eq!(page.header("cache-control"), "no-store");
    let answer = ask("application/json").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"));
    assert_eq!(answer.json()["error"]["code"], "unavailable");
    drop(guard);

    let log = lines.text();
    let told: Vec<serde_json::Value> = log.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let told: Vec<_> = told.iter().filter(|e| e["message"].as_str().is_some_and(|m| m.contains("given up"))).collect();
    assert_eq!(told.len(), 2, "{log}");
    assert_eq!((&told[0]["level"], &told[0]["limit_s"]), (&json!("WARN"), &json!(1)));
    let span = &told[0]["spans"][0];
    assert_eq!((&span["request_id"], &span["path"]), (&json!("late-1"), &json!("/characters")));
    assert!(!log.contains("secret-query"));
    let after = figures::render(&app.state).await.unwrap();
    let given_up = |figures| value(figures, "soulforge_pages_given_up_total", &["route=\"/characters\"", "\"slow\""]);
    assert!(given_up(&after) - given_up(&before) >= 2.0, "{after}");

    // It was nothing that lasts.
    sql.execute("drop policy slow on ocs").await.unwrap();
    assert_eq!(client.get("/characters").await.status, 200);
}

/// A site of one page, drawn as all pages are.
fn one_page<V: IntoView + 'static>(app: &TestApp, page: fn() -> V) -> Client {
    let draw = move |State(state): State<AppState>, request: Request| async move {
        let shell = move |_| view! { <!DOCTYPE html><html><head></head><body>{page()}</body></html> };
        pages::draw(&state, request, shell).await
    };
    Client::new(Router::new().route("/", get(draw)).with_state(app.state.clone()))
}

/// How many of [`Alive`] there are.
static ALIVE: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

/// Something that a page holds.
struct Alive;

impl Alive {
    fn new() -> Arc<Self> {
        ALIVE.fetch_add(1, Ordering::SeqCst);
        Arc::new(Self)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_never_comes_is_given_up_and_dropped() {
    let app = TestApp::with(&["--page-limit", "1"]).await;
    // One waits in itself, one for what it loads, and one has come but for what may come later.
    let in_itself = one_page(&app, || {
        let alive = Alive::new();
        view! {
            <Suspense>
                {move || {
                    let alive = Arc::clone(&alive);
                    Suspend::new(async move {
                        std::future::pending::<()>().await;
                        drop(alive);
                    })
                }}
            </Suspense>
        }
    });
    let for_data = one_page(&app, || {
        let alive = Alive::new();
        let data = load(|| (), |()| std::future::pending::<()>());
        view! {
            <Suspense>
                {move || {
                    let alive = Arc::clone(&alive);
                    Suspend::new(async move {
                        data.await;
                        drop(alive);
                    })
                }}
            </Suspense>
        }
    });
    let later = one_page(&app, || {
        let alive = Alive::new();
        let data = crate::ui::load_later(|| (), |()| std::future::pending::<()>());
        on_cleanup(move || drop((alive, data)));
        view! { <p>"Here already"</p> }
    });
    for client in [in_itself, for_data, later] {
        let page = tokio::time::timeout(LONG, client.get("/")).await.expect("an answer");
        assert_eq!((page.status, page.header("retry-after")), (503, "5"), "{}", page.text);
    }
    let began = Instant::now();
    while ALIVE.load(Ordering::SeqCst) > 0 {
        assert!(began.elapsed() < LONG, "{} pages still held", ALIVE.load(Ordering::SeqCst));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_whose_data_panics_is_given_up_at_once() {
    let app = TestApp::with(&["--page-limit", "600"]).await;
    let client = one_page(&app, || {
        let data = load(
            || (),
            |()| async {
                tokio::task::yield_now().await;
                assert!(std::hint::black_box(false), "this panic is part of a test");
            },
        );
        view! { <Suspense>{move || Suspend::new(async move { data.await })}</Suspense> }
    });
    let before = figures::render(&app.state).await.unwrap();
    let page = tokio::time::timeout(LONG, client.get("/")).await.expect("an answer long before the limit");
    assert_eq!(page.status, 500);
    assert!(page.text.contains("Something went wrong") && !page.text.contains("part of a test"), "{}", page.text);
    let after = figures::render(&app.state).await.unwrap();
    let given_up = |figures| value(figures, "soulforge_pages_given_up_total", &["\"panic\""]);
    assert!(given_up(&after) - given_up(&before) >= 1.0);
}

/// Waits for a little, each time differently: not at all, for other tasks, or for a timer.
async fn a_little() {
    match rand::random::<u8>() % 8 {
        0..=2 => {}
        3 => std::thread::yield_now(),
        4 | 5 => tokio::task::yield_now().await,
        6 => tokio::time::sleep(Duration::from_micros(u64::from(rand::random::<u8>()))).await,
        _ => {
            for _ in 0..rand::random::<u8>() % 16 {
                tokio::task::yield_now().await;
            }
        }
    }
}

async fn one_of(name: &'static str) -> String {
    a_little().await;
    name.to_owned()
}

/// Parts that wait for the same data and for data of their own, inside each other, as the pages here do.
#[component]
fn Parts() -> impl IntoView {
    let frame = load(|| (), |()| one_of("frame"));
    let page = load(|| (), |()| one_of("page"));
    let later = crate::ui::load_later(|| (), |()| one_of("later"));
    view! {
        <header>
            <Transition fallback=|| ()>{move || Suspend::new(async move { frame.await })}</Transition>
        </header>
        <main>
            <Suspense fallback=|| "never seen">
                {move || Suspend::new(async move {
                    let words = format!("{}-{}", page.await, frame.await);
                    let inner = load(|| (), |()| one_of("inner"));
                    view! {
                        <h1>{words}</h1>
                        <Transition fallback=|| ()>
                            {move || Suspend::new(async move { format!("{}-{}", inner.await, page.await) })}
                        </Transition>
                    }
                })}
            </Suspense>
            <Suspense fallback=|| ()>{move || Suspend::new(async move { later.await })}</Suspense>
        </main>
    }
}

// `SOULFORGE_TEST_PAGES=1000000` looks for races of rendering for as long as that takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn pages_of_many_parts_come_whole() {
    let app = TestApp::with(&["--page-limit", "600"]).await;
    let client = one_page(&app, || view! { <Parts /> });
    let pages = std::env::var("SOULFORGE_TEST_PAGES").ok().and_then(|n| n.parse().ok()).unwrap_or(4_000_usize);
    let askers = (0..16).map(|_| {
        let client = client.clone();
        tokio::spawn(async move {
            for _ in 0..pages / 16 {
                let page = tokio::time::timeout(LONG, client.get("/")).await.expect("a page that comes");
                for words in ["<h1>page-frame", "inner-page", "later"] {
                    assert!(page.status == 200 && page.text.contains(words), "{words} in {}", page.text);
                }
                assert!(!page.text.contains("never seen"));
            }
        })
    });
    for asker in futures::future::join_all(askers).await {
        asker.unwrap();
    }
}
