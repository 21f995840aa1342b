//! One's own line, drafted by the model: as an answer, as a stream, as a plain form.

use super::{
    Step, TestApp,
    talk::{Talk, page},
};
use crate::ai::Role;
use axum::{body::Body, http::Request};
use futures::StreamExt;
use serde_json::json;
use sqlx::Row;
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

#[tokio::test(flavor = "multi_thread")]
async fn ones_own_line_is_drafted_and_not_kept() {
    let app = TestApp::new().await;
    let talk = Talk::begun(&app, "ada", "lumina").await;
    app.model.script(|request| {
        let last = request.messages.last().unwrap();
        assert_eq!((last.role, request.prefill.as_str()), (Role::User, "Who lit"));
        assert!(last.content.contains("Lumina: The lamp is lit. Come in.\n"), "{}", last.content);
        vec![Step::text(" the "), Step::text("ha\u{202e}rbour?\n")]
    });
    let before = talk.lines().await;
    let runs = sqlx::query("select count(*) from runs").fetch_one(&mut app.sql().await).await.unwrap().get::<i64, _>(0);
    let path = format!("/api/chat/{}/impersonate", talk.oc);
    let body = json!({ "conversation_id": talk.id, "content": "Who lit" });
    let answer = talk.client.post_json(&path, &body).await;
    assert_eq!(
        (answer.status, answer.json()["content"].as_str()),
        (200, Some("Who lit the harbour?")),
        "{}",
        answer.text
    );

    // As a stream, and as a plain form, whose page comes back with the line in the box.
    let request = Request::post(&path).header("content-type", "application/json").header("accept", "text/event-stream");
    let response = talk.client.send_raw(request.body(Body::from(body.to_string())).unwrap()).await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.contains("event: delta\ndata: {\"text\":\" the \"}"), "{text}");
    assert!(text.contains("event: done\ndata: {\"content\":\"Who lit the harbour?\"}"), "{text}");
    let form = [("oc_id", talk.oc.as_str()), ("conversation_id", &talk.id), ("content", "Who lit"), ("key", "k")];
    let back = talk.client.post_form("/fn/chat/draft_line", &form).await;
    assert!(back.location().starts_with(&format!("/chat/{}?__draft=", talk.id)), "{}", back.location());
    assert!(page(&talk.client, back.location()).await.contains("Who lit the harbour?"));

    assert_eq!(talk.lines().await, before, "nothing is kept");
    let now = sqlx::query("select count(*) from runs").fetch_one(&mut app.sql().await).await.unwrap().get::<i64, _>(0);
    assert_eq!(now, runs);
    // Before anything was said, from the first line that was chosen.
    app.model.script(|_| vec![Step::text("Good evening.")]);
    let (bob, _) = app.person("bob").await;
    let back = bob.post_form("/fn/chat/draft_line", &[("oc_id", &talk.oc), ("opening", "1")]).await;
    assert!(back.location().starts_with("/talk/lumina?opening=1&__draft="), "{}", back.location());
    let shown = page(&bob, back.location()).await;
    assert!(shown.contains("Good evening.") && shown.contains("2 of 3"));
    // A model that cannot says so in words.
    app.model.script(|_| vec![Step::Fail(crate::ai::ModelError::Busy)]);
    let answer = talk.client.post_json(&path, &body).await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    app.model.script(|_| vec![]);
    let answer = talk.client.post_json(&path, &json!({ "conversation_id": talk.id })).await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert_eq!(talk.client.post_json(&path, &json!({ "content": "x".repeat(8001) })).await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn going_away_stops_the_draft() {
    let app = TestApp::new().await;
    let talk = Talk::begun(&app, "ada", "lumina").await;
    app.model.script(|_| vec![Step::text("I "), Step::Wait(Duration::from_secs(60))]);
    let request = Request::post(format!("/api/chat/{}/impersonate", talk.oc))
        .header("content-type", "application/json")
        .header("accept", "text/event-stream")
        .body(Body::from(json!({ "conversation_id": talk.id }).to_string()));
    let mut body = talk.client.send_raw(request.unwrap()).await.into_body().into_data_stream();
    let first = body.next().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("delta"));
    drop(body);
    let began = Instant::now();
    while app.model.cancelled.load(Ordering::SeqCst) == 0 {
        assert!(began.elapsed() < Duration::from_secs(5), "the model is told");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_out_is_written_for_no_longer() {
    let app = TestApp::new().await;
    let talk = Talk::begun(&app, "ada", "lumina").await;
    app.model.script(|_| vec![Step::text("I "), Step::Wait(Duration::from_secs(60))]);
    let request = Request::post(format!("/api/chat/{}/impersonate", talk.oc))
        .header("content-type", "application/json")
        .header("accept", "text/event-stream")
        .body(Body::from(json!({ "conversation_id": talk.id }).to_string()));
    let mut stream = super::sse::Events::of(talk.client.send_raw(request.unwrap()).await);
    assert_eq!(stream.next().await.unwrap().name, "delta");
    let began = Instant::now();
    sqlx::query("delete from sessions").execute(&mut app.sql().await).await.unwrap();
    assert_eq!(stream.next().await.unwrap().name, "signed_out");
    drop(stream);
    while app.model.cancelled.load(Ordering::SeqCst) == 0 {
        assert!(began.elapsed() < Duration::from_secs(6), "the model is told");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
