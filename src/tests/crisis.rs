//! The card with help lines: before a model is asked, on every way a line is sent, and nothing of it is known to others.

use super::{Client, Step, TestApp};
use crate::{ai::Role, trust::help::GENTLY};
use axum::http::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const LINE: &str = "I want to kill myself. CANARYLINE";

async fn send(client: &Client, oc: &str, content: &str, conversation: Option<&str>) -> Value {
    let body = json!({ "content": content, "conversation_id": conversation });
    let answer = client.post_json(&format!("/api/chat/{oc}/message"), &body).await;
    assert!(answer.status < 300, "{}", answer.text);
    answer.json()
}

async fn items(client: &Client, conversation: &str) -> Vec<Value> {
    let path = format!("/api/conversations/{conversation}/messages");
    client.get_json(&path).await.json()["items"].as_array().unwrap().clone()
}

fn word<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value}"))
}

async fn settled(client: &Client, run: &str) {
    let began = Instant::now();
    while client.get_json(&format!("/api/runs/{run}/receipt")).await.json()["status"] != "done" {
        assert!(began.elapsed() < Duration::from_secs(20), "the reply does not end");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

async fn cards(app: &TestApp) -> i64 {
    let mut sql = app.sql().await;
    sqlx::query_scalar("select coalesce(sum(cards), 0)::bigint from crisis_cards").fetch_one(&mut sql).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_comes_before_any_model() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let oc = app.oc("lumina").await;
    let sent = send(&client, &oc, LINE, None).await;
    assert_eq!(sent["kind"], "crisis");
    let (conversation, card) = (word(&sent, "conversation_id"), word(&sent, "message_id"));
    assert!(app.model.requests.lock().unwrap().is_empty(), "no model was asked");
    let lines = items(&client, conversation).await;
    let last = lines.last().unwrap();
    assert_eq!((word(last, "kind"), word(last, "id"), word(last, "status")), ("crisis", card, "done"));
    assert!(last["content"].as_str().unwrap().contains("https://findahelpline.com"));
    assert_eq!(lines[lines.len() - 2]["content"], LINE, "the line is kept as always");
    // Whoever follows the reply finds it whole.
    let events = client.get(&format!("/api/runs/{}/events", word(&sent, "run_id"))).await;
    assert!(events.text.contains("event: done"), "{}", events.text);

    // The page has it without scripts: a note, numbers to call, and the way on.
    let page = client.get(&format!("/chat/{conversation}")).await.text;
    for part in ["role=\"note\"", "findahelpline.com", "Continue the chat", "/fn/chat/regenerate"] {
        assert!(page.contains(part), "{part}");
    }

    // Then the character answers, gently, below the card, which stays.
    let more = client.post_json(&format!("/api/messages/{card}/regenerate"), &json!({})).await;
    assert_eq!((more.status, more.json()["kind"].as_str()), (202, Some("reply")), "{}", more.text);
    settled(&client, more.json()["run_id"].as_str().unwrap()).await;
    let asked = app.model.requests.lock().unwrap().first().cloned().expect("now it was asked");
    let system: String = asked.messages.iter().filter(|m| m.role == Role::System).map(|m| m.content.as_str()).collect();
    assert!(system.contains(GENTLY), "{system}");
    assert!(asked.messages.iter().all(|m| !m.content.contains("findahelpline")), "the card is nobody's line");
    let lines = items(&client, conversation).await;
    assert_eq!(lines[lines.len() - 2]["kind"], "crisis");
    assert!(lines.last().unwrap().get("kind").is_none());
    // And later lines are told the same, with no card for what is harmless.
    let next = send(&client, &oc, "This deadline is killing me", Some(conversation)).await;
    assert_eq!(next["kind"], "reply");
    settled(&client, word(&next, "run_id")).await;
    let asked = app.model.requests.lock().unwrap().last().cloned().unwrap();
    assert!(asked.messages.iter().any(|m| m.role == Role::System && m.content.contains(GENTLY)));
    assert_eq!(cards(&app).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_way_of_sending_leads_around_it() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let oc = app.oc("thorne").await;
    app.model.script(|_| vec![Step::text("Good evening.")]);
    let sent = send(&client, &oc, "Hello", None).await;
    assert_eq!(sent["kind"], "reply");
    settled(&client, word(&sent, "run_id")).await;
    let (conversation, own) = (word(&sent, "conversation_id").to_owned(), word(&sent, "user_message_id").to_owned());
    let asked = app.model.requests.lock().unwrap().len();

    // Other words beside the first ones, which are sent.
    let beside = client
        .post_json(&format!("/api/messages/{own}/wordings"), &json!({ "content": "ich will nicht mehr leben" }))
        .await;
    assert_eq!(beside.json()["kind"], "crisis", "{}", beside.text);
    let lines = items(&client, &conversation).await;
    assert!(
        lines.last().unwrap()["content"].as_str().unwrap().starts_with("Du bist wichtig"),
        "in the language of the line"
    );
    // By the page's form.
    let form = [
        ("oc_id", oc.as_str()),
        ("conversation_id", conversation.as_str()),
        ("content", "je veux mourir"),
        ("key", "form-1"),
    ];
    let posted = client.post_form("/fn/chat/send_message", &form).await;
    assert!(posted.status < 400, "{} {}", posted.status, posted.text);
    assert_eq!(items(&client, &conversation).await.last().unwrap()["kind"], "crisis");
    // Words changed in their place, and then asked for again.
    let other = send(&client, &oc, "Good evening", Some(&conversation)).await;
    settled(&client, word(&other, "run_id")).await;
    let (line, reply) = (word(&other, "user_message_id"), word(&other, "message_id"));
    let changed =
        client.json(Method::PATCH, &format!("/api/messages/{line}"), &json!({ "content": "quiero morir" }), &[]).await;
    assert!(changed.status < 300, "{}", changed.text);
    let again = client.post_json(&format!("/api/messages/{reply}/regenerate"), &json!({})).await.json();
    assert_eq!(again["kind"], "crisis");
    let card = word(&again, "message_id").to_owned();
    let requests = app.model.requests.lock().unwrap().len();
    assert!(requests <= asked + 1, "only \"Good evening\" was answered");
    assert_eq!(cards(&app).await, 3);

    // A key that is used twice sends once, and says the same.
    let body = json!({ "content": "voglio morire", "conversation_id": conversation });
    let path = format!("/api/chat/{oc}/message");
    let key = [("idempotency-key", "k-1")];
    let (first, second) =
        (client.json(Method::POST, &path, &body, &key).await, client.json(Method::POST, &path, &body, &key).await);
    assert_eq!((first.json(), second.status), (second.json(), 200));
    assert_eq!(first.json()["kind"], "crisis");
    assert_eq!(cards(&app).await, 4);

    // The card is the house's: neither changed nor rated nor gone on with.
    for (method, path, body) in [
        (Method::PATCH, format!("/api/messages/{card}"), json!({ "content": "x" })),
        (Method::POST, format!("/api/messages/{card}/wordings"), json!({ "content": "x" })),
        (Method::POST, format!("/api/messages/{card}/continue"), json!({})),
        (Method::PUT, format!("/api/messages/{card}/rating"), json!({ "rating": 5 })),
    ] {
        let answer = client.json(method, &path, &body, &[]).await;
        assert_eq!(answer.status, 422, "{path}: {}", answer.text);
    }
    // A branch keeps it as what it is.
    let leaf = items(&client, &conversation).await.last().unwrap()["id"].as_str().unwrap().to_owned();
    let branch = client.post_json(&format!("/api/messages/{leaf}/branch"), &json!({})).await.json();
    assert_eq!(items(&client, word(&branch, "conversation_id")).await.last().unwrap()["kind"], "crisis");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_set_the_lines_and_see_numbers_alone() {
    let app = TestApp::new().await;
    let (keeper, _) = app.person("keeper").await;
    let link = crate::accounts::store::first_admin_link(&app.state).await.unwrap().unwrap();
    keeper.post_form("/fn/accounts/claim_admin", &[("token", link.rsplit('/').next().unwrap())]).await;
    let (client, _) = app.person("ada").await;
    assert_eq!(client.get("/admin/safety").await.status, 404);
    let refused = client.post_form("/fn/trust/save_help", &[("form[region]", "DE")]).await;
    assert!(!refused.location().contains("saved"), "{} {}", refused.status, refused.location());

    let fields = [("form[region]", "AU"), ("form[extra]", "Campus counselling: 555 0100 · https://help.example")];
    let saved = keeper.post_form_from("/fn/trust/save_help", "/admin/safety", &fields).await;
    assert_eq!(saved.location(), "/admin/safety?saved=help", "{} {}", saved.status, saved.text);
    let wrong = keeper
        .post_form_from("/fn/trust/save_help", "/admin/safety", &[("form[region]", "XX"), ("form[extra]", "")])
        .await;
    assert!(!wrong.location().contains("saved"), "{}", wrong.location());

    let oc = app.oc("lyra").await;
    let sent = send(&client, &oc, LINE, None).await;
    let lines = items(&client, word(&sent, "conversation_id")).await;
    let html = word(lines.last().unwrap(), "html");
    for part in ["tel:5550100", "https://help.example", "tel:131114", "tel:000"] {
        assert!(html.contains(part), "{part} in {html}");
    }
    let page = keeper.get("/admin/safety").await;
    assert_eq!(page.status, 200);
    for part in ["Campus counselling", "13 11 14", "Cards by day", "role=\"note\""] {
        assert!(page.text.contains(part), "{part}");
    }
    for secret in ["CANARYLINE", "@ada"] {
        assert!(!page.text.contains(secret), "{secret}");
    }
    let figures = keeper.get("/metrics").await;
    assert!(figures.text.contains("soulforge_crisis_cards_total"), "{}", figures.status);
    assert!(!figures.text.contains("CANARYLINE"));
}
