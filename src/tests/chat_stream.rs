//! Streams of replies over HTTP: broken, taken up again, ended by a crash, a shutdown or the end of a session.

use super::{
    Step, TestApp,
    chat::{eventually, id, messages, say},
    sse::Events,
};
use crate::{
    chat::{
        RunStatus, run,
        store::{Keep, Words, keep},
    },
    ids::{MessageId, RunId},
};
use axum::{body::Body, http::Request};
use serde_json::json;
use sqlx::{Executor, PgConnection, Row};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Notify;

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_stream_goes_on_at_the_byte() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let lumina = app.oc("lumina").await;
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    app.model.script(move |_| {
        vec![Step::text("héllo ☂ "), Step::Gate(Arc::clone(&held)), Step::text("世界 👩‍🚀"), Step::text(" end.")]
    });
    let run = id(&say(&client, &lumina, "Hi", None).await, "run_id");
    let path = format!("/api/runs/{run}/events");
    let mut first = Events::open(&client, &path, None).await;
    let mut other = Events::open(&client, &path, None).await;
    let mut seen = String::new();
    let mut last = None;
    while seen != "héllo ☂ " {
        let event = first.next().await.unwrap();
        seen.push_str(event.text());
        last = event.id.or(last);
    }
    assert_eq!(last, Some(seen.len() as u64));
    drop(first);
    gate.notify_one();
    let mut second = Events::open(&client, &path, last).await;
    let (rest, end) = second.until_end().await;
    assert_eq!(format!("{seen}{rest}"), "héllo ☂ 世界 👩‍🚀 end.");
    assert_eq!(end.name, "done");
    // Another tab saw all of it, and whoever asks from the middle of a character gets the whole character.
    assert_eq!(other.until_end().await.0, "héllo ☂ 世界 👩‍🚀 end.");
    let (rest, _) = Events::open(&client, &format!("{path}?after=2"), None).await.until_end().await;
    assert_eq!(rest, "éllo ☂ 世界 👩‍🚀 end.");
    let (rest, _) = Events::open(&client, &path, Some(99_999)).await.until_end().await;
    assert_eq!(rest, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_interrupts_and_the_words_stay() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let lumina = app.oc("lumina").await;
    app.model.script(|_| vec![Step::text("Half a "), Step::Wait(Duration::from_secs(60))]);
    let sent = say(&client, &lumina, "Hi", None).await;
    let (conversation, run) = (id(&sent, "conversation_id"), id(&sent, "run_id"));
    eventually("words are kept", || async { messages(&client, &conversation).await[2]["content"] == "Half a " }).await;

    // Another process, which reads the row while the first one writes.
    let other = app.again();
    let elsewhere = other.client();
    for (name, value) in client.cookies() {
        elsewhere.set_cookie(&name, &value);
    }
    let mut events = Events::open(&elsewhere, &format!("/api/runs/{run}/events"), None).await;
    let mut text = String::new();
    while text != "Half a " {
        text.push_str(events.next().await.unwrap().text());
    }
    // The first one dies: nobody renews its lease.
    let dead = "update runs set node_id = gen_random_uuid(), lease_until = now() - interval '1 second'";
    app.sql().await.execute(dead).await.unwrap();
    assert_eq!(events.until_end().await.1.name, "interrupted");
    run::recover(&other.state).await.unwrap();
    let said = messages(&elsewhere, &conversation).await;
    assert_eq!((said[2]["status"].as_str(), said[2]["content"].as_str()), (Some("interrupted"), Some("Half a ")));

    other.model.script(|request| {
        assert_eq!(request.prefill, "Half a ");
        vec![Step::text("moon.")]
    });
    let message = id(&sent, "message_id");
    let answer = elsewhere.post_form("/fn/chat/continue_reply", &[("message_id", &message)]).await;
    assert_eq!(answer.status, 302, "{}", answer.text);
    eventually("continued", || async { messages(&elsewhere, &conversation).await[2]["content"] == "Half a moon." })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_ends_says_so_and_keeps_the_words() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let lumina = app.oc("lumina").await;
    app.model.script(|_| vec![Step::text("Half a "), Step::Wait(Duration::from_secs(60))]);
    let sent = say(&client, &lumina, "Hi", None).await;
    let run = id(&sent, "run_id");
    let mut events = Events::open(&client, &format!("/api/runs/{run}/events"), None).await;
    let mut pulse =
        Events::open(&client, &format!("/api/conversations/{}/events", id(&sent, "conversation_id")), None).await;
    assert_eq!(pulse.next().await.unwrap().name, "changed");
    while events.next().await.unwrap().name != "delta" {}
    app.state.shutdown.cancel();
    let (_, end) = events.until_end().await;
    assert!(matches!(end.name.as_str(), "interrupted" | "reconnect"), "{end:?}");
    assert_eq!(pulse.until_end().await.1.name, "reconnect");
    app.state.tasks.close();
    tokio::time::timeout(Duration::from_secs(5), app.state.tasks.wait()).await.expect("all runs end in time");
    let row = sqlx::query("select r.status, m.content from runs r join messages m using (message_id)");
    let row = row.fetch_one(&mut app.sql().await).await.unwrap();
    assert_eq!((row.get::<&str, _>(0), row.get::<&str, _>(1)), ("interrupted", "Half a "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_ends_its_streams() {
    let app = TestApp::new().await;
    let (client, user) = app.person("ada").await;
    let lumina = app.oc("lumina").await;
    app.model.script(|_| vec![Step::text("Half a "), Step::Wait(Duration::from_secs(60))]);
    let sent = say(&client, &lumina, "Hi", None).await;
    let run = format!("/api/runs/{}/events", id(&sent, "run_id"));
    let mut events = Events::open(&client, &run, None).await;
    let mut pulse =
        Events::open(&client, &format!("/api/conversations/{}/events", id(&sent, "conversation_id")), None).await;
    assert_eq!(pulse.next().await.unwrap().name, "changed");
    while events.next().await.unwrap().name != "delta" {}
    let began = Instant::now();
    sqlx::query("delete from sessions where user_id = $1").bind(user.0).execute(&mut app.sql().await).await.unwrap();
    for stream in [&mut events, &mut pulse] {
        assert_eq!(stream.until_end().await.1.name, "signed_out");
        assert!(stream.next().await.is_none());
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(Events::open(&client, &run, None).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_can_be_the_answer_and_tabs_hear_of_each_other() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let lumina = app.oc("lumina").await;
    let request = || {
        Request::post(format!("/api/chat/{lumina}/message"))
            .header("content-type", "application/json")
            .header("accept", "text/event-stream")
            .body(Body::from(json!({ "content": "Hi" }).to_string()))
            .unwrap()
    };
    let response = client.send_raw(request()).await;
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let mut events = Events::of(response);
    let accepted = events.next().await.unwrap();
    assert_eq!(accepted.name, "accepted");
    let conversation = accepted.data["conversation_id"].as_str().unwrap().to_owned();
    assert_eq!(events.until_end().await.0, "The lamp is lit. Come in.");
    assert!(events.next().await.is_none());

    let mut tab = Events::open(&client, &format!("/api/conversations/{conversation}/events"), None).await;
    let before = tab.next().await.unwrap();
    assert!(before.data["run_id"].is_null());
    app.model.script(|_| vec![Step::Wait(Duration::from_millis(800)), Step::text("Yes.")]);
    let sent = say(&client, &lumina, "There?", None).await;
    let began = Instant::now();
    let heard = tab.next().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!((heard.name.as_str(), heard.data["run_id"].as_str()), ("changed", Some(id(&sent, "run_id").as_str())));
    let after = tab.next().await.unwrap();
    assert!(after.data["run_id"].is_null() && after.data["revision"] != heard.data["revision"]);
}

/// Who writes is said by the reply: ids carry the clock of whoever made them.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_clock_is_behind_takes_a_reply_over_for_good() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let lumina = app.oc("lumina").await;
    app.model.script(|_| vec![Step::text("Half a "), Step::Wait(Duration::from_secs(60))]);
    let sent = say(&client, &lumina, "Hi", None).await;
    let run: uuid::Uuid = id(&sent, "run_id").parse().unwrap();
    let message: uuid::Uuid = id(&sent, "message_id").parse().unwrap();
    eventually("words are kept", || async {
        messages(&client, &id(&sent, "conversation_id")).await[2]["content"] == "Half a "
    })
    .await;
    let other = app.again();
    // An id from a minute ago, and before it nothing but time.
    let earlier = uuid::Uuid::from_u128(run.as_u128() - (60_000_u128 << 80));
    let taken = "insert into runs (run_id, user_id, conversation_id, message_id, status, node_id, lease_until)
                 select $1, user_id, conversation_id, message_id, 'streaming', $2, now() + interval '12 s' from runs where run_id = $3";
    let taken = sqlx::query(taken).bind(earlier).bind(other.state.node.0).bind(run);
    taken.execute(&mut app.sql().await).await.unwrap();
    let verdict = async |process: &TestApp, run: uuid::Uuid| {
        let words = Words { run: RunId(run), message: MessageId(message), status: RunStatus::Streaming, text: None };
        // A row that is locked just now is left for the next time.
        for _ in 0..200 {
            if let Some((_, verdict)) = keep(&process.state, std::slice::from_ref(&words)).await.unwrap().first() {
                return *verdict;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never")
    };
    assert_eq!(verdict(&app, run).await, Keep::Gone, "the one before");
    assert_eq!(verdict(&other, earlier).await, Keep::On, "the one that has it now");
}

/// How often rows of a table were changed, and how often that touched no index, since statistics were last written down.
async fn changes(sql: &mut PgConnection, table: &str) -> (i64, i64) {
    let row =
        sqlx::query("select n_tup_upd, n_tup_hot_upd from pg_stat_xact_user_tables where relname = $1").bind(table);
    let row = row.fetch_one(sql).await.unwrap();
    (row.get(0), row.get(1))
}

/// Renewing a lease writes no index: neither of replies nor of jobs.
#[tokio::test]
async fn renewals_stay_within_the_page() {
    let app = TestApp::new().await;
    let mut sql = super::walls::fixture(&app).await;
    sql.execute("update runs set status = 'streaming'").await.unwrap();
    let running =
        "update job_queue set running = true, lease_token = gen_random_uuid(), lease_until = now() + interval '1 hour'";
    sql.execute(running).await.unwrap();
    sql.execute("begin").await.unwrap();
    for table in ["runs", "job_queue"] {
        let (all, within) = changes(&mut sql, table).await;
        for _ in 0..5 {
            let renew = format!("update {table} set lease_until = now() + interval '1 minute'");
            sql.execute(sqlx::AssertSqlSafe(renew)).await.unwrap();
        }
        let after = changes(&mut sql, table).await;
        assert_eq!((after.0 - all, after.1 - within), (5, 5), "{table}: all, and within the page");
    }
}
