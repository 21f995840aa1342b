//! Conversations over HTTP: messages and replies, the plain forms, what is refused. Streams are in `chat_stream`.

use super::{
    Answer, Client, ScriptedModel, Step, TestApp,
    sse::{Event, Events},
};
use crate::ai::{FinishReason, ModelError, Role};
use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::{Value, json};
use sqlx::Row;
use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use tokio::sync::Notify;

pub(super) async fn say(client: &Client, oc: &str, content: &str, key: Option<&str>) -> Answer {
    let headers: Vec<(&str, &str)> = key.map(|k| ("idempotency-key", k)).into_iter().collect();
    client.json(Method::POST, &format!("/api/chat/{oc}/message"), &json!({ "content": content }), &headers).await
}

pub(super) fn id(answer: &Answer, field: &str) -> String {
    answer.json()[field].as_str().unwrap_or_else(|| panic!("{field} in {}", answer.text)).to_owned()
}

pub(super) async fn finish(client: &Client, run: &str) -> (String, Event) {
    Events::open(client, &format!("/api/runs/{run}/events"), None).await.until_end().await
}

pub(super) async fn messages(client: &Client, conversation: &str) -> Vec<Value> {
    let answer = client.get_json(&format!("/api/conversations/{conversation}/messages")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["items"].as_array().unwrap().clone()
}

pub(super) async fn eventually<F: Future<Output = bool>>(what: &str, check: impl Fn() -> F) {
    let began = Instant::now();
    while !check().await {
        assert!(began.elapsed() < Duration::from_secs(15), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_gets_a_reply() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let lumina = app.oc("lumina").await;
    app.model.script(|_| vec![Step::Queued(2), Step::text("  *She looks up.* "), Step::text("Oh, **you**.")]);
    let sent = say(&client, &lumina, "Hello there", None).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    let (conversation, run) = (id(&sent, "conversation_id"), id(&sent, "run_id"));
    let (text, end) = finish(&client, &run).await;
    assert_eq!(text, "*She looks up.* Oh, **you**.");
    assert_eq!(end.name, "done");
    assert_eq!(end.data["message_id"], id(&sent, "message_id"));
    assert_eq!(end.data["html"], "<p><em>She looks up.</em> Oh, <strong>you</strong>.</p>\n");
    let said = messages(&client, &conversation).await;
    assert_eq!(said.len(), 3, "greeting, message, reply: {said:?}");
    assert_eq!(said[0]["sender"], "oc");
    assert_eq!(said[1]["content"], "Hello there");
    assert_eq!(said[2]["status"], "done");
    // A finished run is told from its row, to whoever comes late.
    let (text, end) = finish(&client, &run).await;
    assert_eq!((text.as_str(), end.name.as_str()), ("*She looks up.* Oh, **you**.", "done"));

    let request = app.model.requests.lock().unwrap().last().unwrap().clone();
    assert_eq!(request.messages[0].role, Role::System);
    assert!(request.messages[0].content.starts_with("You are Lumina"), "{}", request.messages[0].content);
    assert_eq!(request.messages.last().unwrap().content, "Hello there");
    let receipt = sqlx::query("select receipt from runs").fetch_one(&mut app.sql().await).await.unwrap();
    assert!(receipt.get::<Value, _>(0)["sections"].as_array().is_some_and(|s| s.len() > 4));

    // The next message goes into the same conversation and knows what was said.
    let again = say(&client, &lumina, "And now?", None).await;
    assert_eq!(id(&again, "conversation_id"), conversation);
    finish(&client, &id(&again, "run_id")).await;
    let request = app.model.requests.lock().unwrap().last().unwrap().clone();
    assert!(request.messages.iter().any(|m| m.content.contains("Oh, **you**")));
    let list = client.get_json("/api/conversations").await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["last_line"], "She looks up. Oh, you.");
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_reaches_the_model_and_continuing_keeps_the_words() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let lumina = app.oc("lumina").await;
    app.model.script(|_| vec![Step::text("The lamp is "), Step::Wait(Duration::from_secs(60))]);
    let sent = say(&client, &lumina, "Hi", None).await;
    let (conversation, run) = (id(&sent, "conversation_id"), id(&sent, "run_id"));
    let mut events = Events::open(&client, &format!("/api/runs/{run}/events"), None).await;
    while events.next().await.unwrap().name != "delta" {}
    assert_eq!(say(&client, &lumina, "Wait", None).await.status, 409, "one reply at a time");
    let stopped = client.json(Method::POST, &format!("/api/runs/{run}/stop"), &json!({}), &[]).await;
    assert_eq!(stopped.status, 204);
    assert_eq!(events.until_end().await.1.name, "stopped");
    eventually("the model is told", || async { app.model.cancelled.load(Ordering::SeqCst) == 1 }).await;
    let said = messages(&client, &conversation).await;
    assert_eq!(said[2]["content"], "The lamp is ");
    assert_eq!(said[2]["status"], "stopped");

    app.model.script(|request| {
        assert_eq!(request.prefill, "The lamp is ");
        vec![Step::text("lit.")]
    });
    let message = id(&sent, "message_id");
    let answer = client.post_form("/fn/chat/continue_reply", &[("message_id", &message)]).await;
    assert_eq!(answer.status, 302, "{}", answer.text);
    eventually("continued", || async { messages(&client, &conversation).await[2]["status"] == "done" }).await;
    let said = messages(&client, &conversation).await;
    assert_eq!(said.len(), 3);
    assert_eq!(said[2]["content"], "The lamp is lit.");
    // Stopping what has ended is fine; it changes nothing.
    assert_eq!(client.json(Method::POST, &format!("/api/runs/{run}/stop"), &json!({}), &[]).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn sending_twenty_times_sends_once() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let lumina = app.oc("lumina").await;
    let copies = (0..20).map(|_| say(&client, &lumina, "Once", Some("the same key")));
    let answers = futures::future::join_all(copies).await;
    let ids = answers[0].json();
    for answer in &answers {
        assert!(matches!(answer.status, 200 | 202), "{}", answer.text);
        assert_eq!(answer.json(), ids);
    }
    assert_eq!(answers.iter().filter(|a| a.status == 202).count(), 1);
    let row = sqlx::query(
        "select (select count(*) from conversations), (select count(*) from runs), (select count(*) from messages)",
    );
    let row = row.fetch_one(&mut app.sql().await).await.unwrap();
    assert_eq!(
        (row.get::<i64, _>(0), row.get::<i64, _>(1), row.get::<i64, _>(2)),
        (1, 1, 5),
        "three first lines, message, reply"
    );
    finish(&client, ids["run_id"].as_str().unwrap()).await;
    assert_eq!(app.model.requests.lock().unwrap().len(), 1);
    assert_eq!(say(&client, &lumina, "Something else", Some("the same key")).await.status, 409);
    // Somebody else's key is their own.
    let (other, _) = app.person("bob").await;
    assert_eq!(say(&other, &lumina, "Once", Some("the same key")).await.status, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_fails_says_why_and_can_be_asked_again() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let lumina = app.oc("lumina").await;
    app.model.script(|_| vec![Step::Fail(ModelError::Unavailable("the model file is missing".into()))]);
    let sent = say(&client, &lumina, "Keep this", None).await;
    let conversation = id(&sent, "conversation_id");
    let (_, end) = finish(&client, &id(&sent, "run_id")).await;
    assert_eq!((end.name.as_str(), end.data["message"].as_str()), ("failed", Some("The model file is missing.")));
    let page = client.get(&format!("/chat/{conversation}")).await;
    assert!(page.text.contains("could not answer. The model file is missing.") && page.text.contains("Try again"));
    assert!(page.text.contains("Keep this"));

    app.model.script(|_| vec![Step::text("Here I am.")]);
    let message = id(&sent, "message_id");
    assert_eq!(client.post_form("/fn/chat/retry", &[("message_id", &message)]).await.status, 302);
    eventually("asked again", || async { messages(&client, &conversation).await[2]["content"] == "Here I am." }).await;

    // A model without a word failed, too.
    app.model.script(|_| vec![]);
    let sent = say(&client, &lumina, "And again", None).await;
    assert_eq!(finish(&client, &id(&sent, "run_id")).await.1.name, "failed");
    // And one that panics: last, since it poisons the script.
    app.model.script(|_| panic!("a bug in the model"));
    let sent = say(&client, &lumina, "Again", None).await;
    assert_eq!(finish(&client, &id(&sent, "run_id")).await.1.name, "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_peoples_talks_do_not_exist() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let (bob, _) = app.person("bob").await;
    let lumina = app.oc("lumina").await;
    let sent = say(&ada, &lumina, "Secret", None).await;
    let (conversation, run, message) = (id(&sent, "conversation_id"), id(&sent, "run_id"), id(&sent, "message_id"));
    finish(&ada, &run).await;
    let nobody = app.client();
    for (client, status) in [(&bob, 404), (&nobody, 401)] {
        for path in [
            format!("/api/runs/{run}/events"),
            format!("/api/conversations/{conversation}/messages"),
            format!("/api/conversations/{conversation}/events"),
        ] {
            let answer = client.get_json(&path).await;
            assert_eq!(answer.status, status, "{path}: {}", answer.text);
        }
        assert_eq!(client.json(Method::POST, &format!("/api/runs/{run}/stop"), &json!({}), &[]).await.status, status);
        let path = format!("/api/conversations/{conversation}");
        assert_eq!(client.json(Method::DELETE, &path, &json!({}), &[]).await.status, status);
        let into = json!({ "content": "Let me in", "conversation_id": conversation });
        assert_eq!(client.post_json(&format!("/api/chat/{lumina}/message"), &into).await.status, status);
        for verb in ["regenerate", "continue_reply", "retry", "delete_message"] {
            let body = format!("message_id={message}");
            let request = Request::post(format!("/fn/chat/{verb}"))
                .header("content-type", "application/x-www-form-urlencoded")
                .header("sec-fetch-site", "same-origin");
            let answer = client.send(request.body(Body::from(body)).unwrap()).await;
            assert_eq!(answer.status, status, "{verb}: {}", answer.text);
        }
    }
    assert_eq!(bob.get(&format!("/chat/{conversation}")).await.status, 404);
    assert_eq!(bob.get(&format!("/chat/{}", uuid::Uuid::now_v7())).await.status, 404);
    assert_eq!(bob.get("/chat/nonsense").await.status, 404);
    let page = nobody.get(&format!("/chat/{conversation}")).await;
    assert!(page.location().starts_with("/sign-up?next="), "{} {}", page.status, page.location());
    assert_eq!(messages(&ada, &conversation).await.len(), 3);
    // One's own conversation, but with somebody else's character in the address.
    let thorne = app.oc("thorne").await;
    let into = json!({ "content": "Hm", "conversation_id": conversation });
    assert_eq!(ada.post_json(&format!("/api/chat/{thorne}/message"), &into).await.status, 404);
    assert_eq!(say(&ada, "nonsense", "Hm", None).await.status, 404);
    assert_eq!(say(&ada, &uuid::Uuid::now_v7().to_string(), "Hm", None).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_at_the_field() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let lumina = app.oc("lumina").await;
    for bad in ["", "  \n ", "\u{202e}\u{200b}", "\u{0}", &"x".repeat(8001)] {
        let answer = say(&client, &lumina, bad, None).await;
        assert_eq!(answer.status, 422, "{}", answer.text);
        assert_eq!(answer.json()["error"]["field"], "content");
    }
    assert_eq!(say(&client, &lumina, &"x".repeat(1 << 20), None).await.status, 413);
    assert_eq!(client.post_json(&format!("/api/chat/{lumina}/message"), &json!({})).await.status, 422);
    assert_eq!(say(&client, &lumina, "x", Some(&"k".repeat(201))).await.status, 422);
    assert_eq!(client.get_json("/api/conversations?after=nonsense").await.status, 422);

    let nasty = "<script>alert(1)</script><img src=x onerror=alert(1)> [x](javascript:alert(1))";
    app.model.script(move |_| vec![Step::text(nasty)]);
    let sent = say(&client, &lumina, nasty, None).await;
    finish(&client, &id(&sent, "run_id")).await;
    let page = client.get(&format!("/chat/{}", id(&sent, "conversation_id"))).await;
    assert_eq!(page.status, 200);
    for bad in ["<script>alert", "<img src=x", "href=\"javascript:"] {
        assert!(!page.text.contains(bad), "{bad}");
    }
    assert!(page.text.contains("&lt;script&gt;alert(1)"));
    assert!(!page.text.contains(" style=\""), "the policy forbids style attributes");

    // A refused plain form comes back with its words and the reason.
    let conversation = id(&sent, "conversation_id");
    let back = client
        .post_form_from(
            "/fn/chat/send_message",
            &format!("/chat/{conversation}"),
            &[
                ("conversation_id", &conversation),
                ("content", "kept a\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301} words"),
            ],
        )
        .await;
    assert_eq!(back.status, 302);
    let page = client.get(back.location().trim_start_matches("http://127.0.0.1:3000")).await;
    assert!(page.text.contains("Too many accents") && page.text.contains("kept "), "{}", back.location());
}

#[tokio::test(flavor = "multi_thread")]
async fn writing_faster_than_anybody_answers_is_slowed_down() {
    let app = TestApp::with(&["--limit-factor", "1"]).await;
    let (client, _) = app.person("ada").await;
    let lumina = app.oc("lumina").await;
    let mut last = None;
    for i in 0..40 {
        let answer = say(&client, &lumina, &format!("Message {i}"), None).await;
        if answer.status == 429 {
            last = Some(answer);
            break;
        }
    }
    let last = last.expect("a limit");
    assert!(last.header("retry-after").parse::<u32>().unwrap() > 0);
    assert_eq!(last.json()["error"]["code"], "too_many_requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_works_as_a_plain_form() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let lumina = app.oc("lumina").await;
    let page = client.get("/talk/lumina").await;
    assert_eq!(page.status, 200, "{}", page.location());
    assert!(page.text.contains("Say something to Lumina"));
    let count = || async {
        let row = sqlx::query("select count(*) from conversations").fetch_one(&mut app.sql().await).await.unwrap();
        row.get::<i64, _>(0)
    };
    assert_eq!(count().await, 0, "looking changes nothing");
    assert!(client.get("/conversations").await.text.contains("No chats yet"));
    assert_eq!(client.get("/talk/nobody-here").await.status, 404);

    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    app.model.script(move |_| vec![Step::text("Wait for "), Step::Gate(Arc::clone(&held)), Step::text("it.")]);
    let sent =
        client.post_form("/fn/chat/send_message", &[("oc_id", &lumina), ("content", "Hello"), ("key", "k1")]).await;
    assert_eq!(sent.status, 302, "{}", sent.text);
    let chat = sent.location().to_owned();
    assert!(chat.starts_with("/chat/"), "{chat}");
    let page = client.get(&chat).await;
    assert!(page.text.contains("http-equiv=\"refresh\""), "the page comes again until the reply is done");
    assert!(page.text.contains("Stop"));
    // The same form again, as after a second click, makes nothing new.
    let twice =
        client.post_form("/fn/chat/send_message", &[("oc_id", &lumina), ("content", "Hello"), ("key", "k1")]).await;
    assert_eq!(twice.location(), chat);
    gate.notify_one();
    let conversation = chat.trim_start_matches("/chat/").to_owned();
    eventually("done", || async { messages(&client, &conversation).await[2]["status"] == "done" }).await;
    let page = client.get(&chat).await;
    assert!(page.text.contains("Wait for it.") && !page.text.contains("http-equiv=\"refresh\""));
    assert_eq!(client.get("/talk/lumina").await.location(), chat);

    // Another wording, back to the first, and away with it.
    app.model.script(|_| vec![Step::text("Or this.")]);
    let said = messages(&client, &conversation).await;
    let first = said[2]["id"].as_str().unwrap().to_owned();
    client.post_form("/fn/chat/regenerate", &[("message_id", &first)]).await;
    eventually("again", || async { messages(&client, &conversation).await[2]["content"] == "Or this." }).await;
    let second = messages(&client, &conversation).await[2]["id"].as_str().unwrap().to_owned();
    let page = client.get(&chat).await;
    assert!(page.text.contains("2<!> of <!>2") || page.text.contains("2 of 2"), "which wording this is");
    client.post_form("/fn/chat/show_sibling", &[("message_id", &second), ("step", "-1")]).await;
    assert_eq!(messages(&client, &conversation).await[2]["id"], first);
    client.post_form("/fn/chat/delete_message", &[("message_id", &first)]).await;
    assert_eq!(messages(&client, &conversation).await[2]["id"], second, "the other wording is shown");
    client.post_form("/fn/chat/delete_message", &[("message_id", &second)]).await;
    assert_eq!(messages(&client, &conversation).await.len(), 2);

    // Title, away, back, new, deleted.
    client
        .post_form("/fn/chat/rename_conversation", &[("conversation_id", &conversation), ("title", "The lamp")])
        .await;
    assert!(client.get("/conversations").await.text.contains("The lamp"));
    client
        .post_form("/fn/chat/archive_conversation", &[("conversation_id", &conversation), ("archived", "true")])
        .await;
    assert!(!client.get("/conversations").await.text.contains("The lamp"));
    assert!(client.get("/conversations?archived=true").await.text.contains("The lamp"));
    let fresh = client.post_form("/fn/chat/start_conversation", &[("oc_id", &lumina)]).await;
    assert!(fresh.location().starts_with("/chat/") && fresh.location() != chat);
    let gone = client.post_form("/fn/chat/delete_conversation", &[("conversation_id", &conversation)]).await;
    assert_eq!(gone.location(), "/conversations");
    assert_eq!(client.get(&chat).await.status, 404);
    assert_eq!(count().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_reply_can_go_on_and_long_talks_come_in_windows() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let lumina = app.oc("lumina").await;
    app.model.script(|_| vec![Step::text("One. Two and th"), Step::End(FinishReason::Length)]);
    let sent = say(&client, &lumina, "Hi", None).await;
    let (_, end) = finish(&client, &id(&sent, "run_id")).await;
    assert_eq!((end.data["content"].as_str(), end.data["finish"].as_str()), (Some("One. Two and th"), Some("length")));
    let conversation = id(&sent, "conversation_id");
    assert!(client.get(&format!("/chat/{conversation}")).await.text.contains("Continue"));

    app.model.script(|_| vec![Step::text("Yes.")]);
    for i in 0..45 {
        let sent = say(&client, &lumina, &format!("Line {i}"), None).await;
        finish(&client, &id(&sent, "run_id")).await;
    }
    let path = format!("/api/conversations/{conversation}/messages");
    let newest = client.get_json(&path).await.json();
    let oldest = client.get_json(&format!("{path}?after={}", newest["next"].as_str().unwrap())).await.json();
    let count = |page: &Value| page["items"].as_array().unwrap().len();
    assert_eq!((count(&newest), count(&oldest)), (60, 33));
    assert!(oldest["next"].is_null());
    assert_eq!(newest["items"][59]["content"], "Yes.");
    let before = newest["next"].as_str().unwrap();
    let page = client.get(&format!("/chat/{conversation}?before={before}")).await;
    assert!(page.text.contains("Line 3") && page.text.contains("Back to the latest messages"));
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_a_page_has_the_model_read_ahead() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    client.get("/talk/lumina").await;
    let model: &ScriptedModel = &app.model;
    eventually("warmed", || async { !model.warmed.lock().unwrap().is_empty() }).await;
    let warmed = model.warmed.lock().unwrap()[0].clone();
    let lumina = app.oc("lumina").await;
    let sent = say(&client, &lumina, "Hi", None).await;
    finish(&client, &id(&sent, "run_id")).await;
    let asked = model.requests.lock().unwrap()[0].messages.clone();
    assert!(warmed.len() >= 9, "{warmed:?}");
    assert_eq!(asked[..asked.len() - 1], warmed[..], "all but the new line was read ahead");
}
