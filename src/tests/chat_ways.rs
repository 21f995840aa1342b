//! Ways through conversations: from a row of the list, from a find to its branch, on with a reply that was whole, and who
//! answers as every tab knows it.

use super::{Answer, Client, Step, TestApp};
use crate::ids::UserId;
use axum::http::Method;
use serde_json::{Value, json};
use sqlx::Row;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// A person's talk with Lumina.
struct Talk<'a> {
    app: &'a TestApp,
    client: Client,
    user: UserId,
    oc: String,
    id: String,
}

impl<'a> Talk<'a> {
    /// One line was said and answered.
    async fn begun(app: &'a TestApp, name: &str) -> Self {
        let (client, user) = app.person(name).await;
        let row = sqlx::query("select oc_id::text from ocs where slug = 'lumina'");
        let oc = row.fetch_one(&mut app.sql().await).await.unwrap().get(0);
        let mut talk = Self { app, client, user, oc, id: String::new() };
        talk.id = talk.say("Hello").await["conversation_id"].as_str().unwrap().to_owned();
        talk
    }

    /// Says something and waits for the end of the reply.
    async fn say(&mut self, content: &str) -> Value {
        let mut body = json!({ "content": content });
        if !self.id.is_empty() {
            body["conversation_id"] = json!(self.id);
        }
        let answer = self.client.post_json(&format!("/api/chat/{}/message", self.oc), &body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let sent = answer.json();
        self.id = sent["conversation_id"].as_str().unwrap().to_owned();
        self.rest().await;
        sent
    }

    async fn rest(&self) {
        let began = Instant::now();
        while self.lines().await.iter().any(|l| matches!(l["status"].as_str(), Some("queued" | "streaming"))) {
            assert!(began.elapsed() < Duration::from_secs(20), "a reply ends");
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    async fn lines(&self) -> Vec<Value> {
        let answer = self.client.get_json(&format!("/api/conversations/{}/messages", self.id)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["items"].as_array().unwrap().clone()
    }

    async fn last(&self) -> Value {
        self.lines().await.pop().unwrap()
    }

    async fn page(&self) -> String {
        self.client.get(&format!("/chat/{}", self.id)).await.text
    }

    async fn go_on(&self) -> Value {
        let last = self.last().await["id"].as_str().unwrap().to_owned();
        let answer = self.client.post_json(&format!("/api/messages/{last}/continue"), &json!({})).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        answer.json()
    }

    /// The lines of a search and whether each is shown.
    async fn found(&self, q: &str) -> Vec<(String, bool)> {
        let answer = self.client.get_json(&format!("/api/search/messages?q={q}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let items = answer.json()["items"].as_array().unwrap().clone();
        items.iter().map(|i| (i["message_id"].as_str().unwrap().to_owned(), i["is_shown"].as_bool().unwrap())).collect()
    }
}

async fn post(client: &Client, function: &str, page: &str, fields: &[(&str, &str)]) -> Answer {
    client.post_form_from(&format!("/fn/chat/{function}"), page, fields).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_gains_nothing_says_so() {
    let app = TestApp::new().await;
    let talk = Talk::begun(&app, "ada").await;
    let words = "The model had nothing to add.";
    for steps in [vec![], vec![Step::text(" "), Step::text("\n\n")]] {
        app.model.script(move |request| {
            assert_eq!(request.prefill, "The lamp is lit. Come in.");
            steps.clone()
        });
        let run = talk.go_on().await["run_id"].as_str().unwrap().to_owned();
        let events = talk.client.get(&format!("/api/runs/{run}/events")).await.text;
        let done = events.split("event: done\ndata: ").nth(1).expect("an end").lines().next().unwrap();
        assert_eq!(serde_json::from_str::<Value>(done).unwrap()["note"], words, "{events}");
        talk.rest().await;
        let last = talk.last().await;
        assert_eq!(
            (last["content"].as_str(), last["status"].as_str(), last["error"].as_str()),
            (Some("The lamp is lit. Come in."), Some("done"), Some(words))
        );
        assert!(talk.page().await.contains(&format!(">{words}<")));
        // Told again to whoever comes later, and in the receipt.
        let again = talk.client.get(&format!("/api/runs/{run}/events")).await.text;
        assert!(again.contains(words), "{again}");
        let receipt = talk.client.get(&format!("/chat/{}/receipt/{run}", talk.id)).await.text;
        assert!(receipt.contains("<dt>Note</dt>") && !receipt.contains("<dt>Error</dt>"), "{receipt}");
    }
    // It may try again, and then the word is gone.
    app.model.script(|_| vec![Step::text(" Mind the step.")]);
    talk.go_on().await;
    talk.rest().await;
    let last = talk.last().await;
    assert_eq!((last["content"].as_str(), last.get("error")), (Some("The lamp is lit. Come in. Mind the step."), None));
    assert!(!talk.page().await.contains(words));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_the_list_is_put_away_and_deleted() {
    let app = TestApp::new().await;
    let talk = Talk::begun(&app, "ada").await;
    let id = talk.id.as_str();
    let list = async |path: &str| talk.client.get(path).await.text;
    let page = list("/conversations").await;
    let menu = format!("menu-{id}");
    for part in ["Archive", "Delete chat", &menu] {
        assert!(page.contains(part), "{part} in {page}");
    }
    // Each form leads back to the list that it was on.
    let done =
        post(&talk.client, "archive_conversation", "/conversations", &[("conversation_id", id), ("archived", "true")])
            .await;
    assert!(done.location().trim_end_matches('?').ends_with("/conversations"), "{} {}", done.status, done.location());
    assert!(!list("/conversations").await.contains(&menu));
    let away = "/conversations?archived=true";
    assert!(list(away).await.contains("Unarchive"));
    let done =
        post(&talk.client, "archive_conversation", away, &[("conversation_id", id), ("archived", "false")]).await;
    assert!(done.location().ends_with(away), "{}", done.location());
    assert!(list("/conversations").await.contains(&menu));
    // Nobody else does either.
    let (other, _) = app.person("bea").await;
    for (function, more) in [("archive_conversation", ("archived", "true")), ("delete_conversation", ("stay", "true"))]
    {
        let refused = post(&other, function, "/conversations", &[("conversation_id", id), more]).await;
        assert!(refused.location().contains("__err="), "{function}: {}", refused.location());
        let page = other.get(refused.location()).await.text;
        assert!(page.contains("We could not find that."), "{page}");
    }
    assert!(list("/conversations").await.contains(&menu));
    // The same for programs.
    let path = format!("/api/conversations/{id}");
    let change = async |who: &Client, body: Value| who.json(Method::PATCH, &path, &body, &[]).await.status;
    assert_eq!(change(&talk.client, json!({ "title": "A lantern", "archived": true })).await, 204);
    assert!(list(away).await.contains("A lantern"));
    assert_eq!(change(&talk.client, json!({ "archived": false })).await, 204);
    assert!(list("/conversations").await.contains("A lantern"), "what is absent stays");
    assert_eq!(change(&talk.client, json!({ "title": "x".repeat(121) })).await, 422);
    assert_eq!(change(&other, json!({ "title": "Mine" })).await, 404);
    assert_eq!(change(&app.client(), json!({})).await, 401);
    assert_eq!(change(&talk.client, json!({ "title": "" })).await, 204);
    assert!(!list("/conversations").await.contains("A lantern"));
    let fields = [("conversation_id", id), ("stay", "true")];
    let done = post(&talk.client, "delete_conversation", "/conversations?after=", &fields).await;
    assert!(done.location().ends_with("/conversations?after="), "{}", done.location());
    assert_eq!(talk.client.get(&format!("/chat/{id}")).await.status, 404);
    // From its own page it still leads to the list.
    let again = Talk::begun(&app, "cleo").await;
    let done =
        post(&again.client, "delete_conversation", &format!("/chat/{}", again.id), &[("conversation_id", &again.id)])
            .await;
    assert_eq!(done.location(), "/conversations");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_find_on_another_branch_leads_there() {
    let app = TestApp::new().await;
    let mut talk = Talk::begun(&app, "ada").await;
    app.model.script(|_| vec![Step::text("An owl on the mast.")]);
    talk.say("What do you see?").await;
    let owl = talk.last().await["id"].as_str().unwrap().to_owned();
    app.model.script(|_| vec![Step::text("A gull.")]);
    talk.say("And now?").await;
    let gull = talk.last().await["id"].as_str().unwrap().to_owned();
    assert_eq!(talk.found("owl").await, [(owl.clone(), true)]);
    // Another wording of the first answer: the owl and everything behind it is on another branch now.
    app.model.script(|_| vec![Step::text("Only fog, and a gull somewhere.")]);
    let asked = talk.client.post_json(&format!("/api/messages/{owl}/regenerate"), &json!({})).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    talk.rest().await;
    let fog = talk.last().await["id"].as_str().unwrap().to_owned();
    assert_eq!(talk.found("owl").await, [(owl.clone(), false)]);
    assert_eq!(talk.found("gull").await, [(fog.clone(), true), (gull.clone(), false)]);
    let before = talk.found("lamp").await;
    assert!(!before.is_empty() && before.iter().all(|f| f.1), "before the fork: {before:?}");
    let offers = "Show this branch";
    for page in ["/conversations?q=owl".to_owned(), format!("/chat/{}?q=owl", talk.id)] {
        assert_eq!(talk.client.get(&page).await.text.matches(offers).count(), 1, "{page}");
    }
    assert!(!talk.client.get("/conversations?q=fog").await.text.contains(offers));
    // So does the talk itself, where it is looked at without being shown.
    let looked = talk.client.get(&format!("/chat/{}?at={owl}", talk.id)).await.text;
    assert!(
        looked.contains("An owl on the mast.") && looked.contains("A gull.") && looked.contains(offers),
        "{looked}"
    );
    assert!(!talk.page().await.contains(offers));

    // While a reply is written the tree stands still, and the page says so.
    let gate = Arc::new(Notify::new());
    let held = Arc::clone(&gate);
    app.model.script(move |_| vec![Step::text("Wait"), Step::Gate(Arc::clone(&held))]);
    let body = json!({ "content": "Hm", "conversation_id": talk.id });
    assert_eq!(talk.client.post_json(&format!("/api/chat/{}/message", talk.oc), &body).await.status, 202);
    let refused = post(&talk.client, "show_branch", "/conversations?q=owl", &[("message_id", &owl)]).await;
    assert!(refused.location().contains("__err="), "{}", refused.location());
    let page = talk.client.get(refused.location()).await.text;
    assert!(page.contains("The last reply is still being written."), "{page}");
    gate.notify_one();
    talk.rest().await;

    let (other, _) = app.person("bea").await;
    let refused = post(&other, "show_branch", "/conversations?q=owl", &[("message_id", &owl)]).await;
    assert!(refused.location().contains("__err="));
    assert_eq!(talk.found("owl").await, [(owl.clone(), false)]);

    let done = post(&talk.client, "show_branch", "/conversations?q=owl", &[("message_id", &owl)]).await;
    assert_eq!(done.location(), format!("/chat/{}?at={owl}#m-{owl}", talk.id));
    assert_eq!(talk.found("owl").await, [(owl.clone(), true)]);
    assert_eq!(talk.found("gull").await, [(fog, false), (gull.clone(), true)]);
    assert_eq!(talk.last().await["id"], json!(gull), "with everything that followed it last");
    let shown = talk.client.get(done.location().split('#').next().unwrap()).await.text;
    assert!(shown.contains(&format!("id=\"m-{owl}\"")) && shown.contains("name=\"content\""), "{shown}");
    assert!(!shown.contains(offers));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_tab_knows_who_answers() {
    let address = "http://127.0.0.1:9/v1";
    let app = TestApp::with(&[
        "--limit-factor",
        "1000",
        "--openai-api-key",
        "sk-x",
        "--openai-base-url",
        address,
        "--openai-model",
        "env-1",
    ])
    .await;
    crate::models::environment::write(&app.state).await.unwrap();
    let local = crate::models::store::LOCAL_MODEL.to_string();
    let (keeper, user) = app.person("ada").await;
    let row = sqlx::query("select oc_id::text from ocs where slug = 'lumina'");
    let oc: String = row.fetch_one(&mut app.sql().await).await.unwrap().get(0);
    let done = keeper.post_form("/fn/chat/start_conversation", &[("oc_id", &oc)]).await;
    let id = done.location().rsplit('/').next().unwrap().to_owned();
    let talk = Talk { app: &app, client: keeper, user, oc, id };
    let known = async || {
        let answer = talk.client.get_json(&format!("/fn/chat/get_lines?conversation_id={}", talk.id)).await;
        answer.json()["model"]["name"].as_str().unwrap_or_default().to_owned()
    };
    assert!(known().await.starts_with("env-1, by "), "{}", known().await);
    let revision = async || {
        let mut sql = talk.app.sql().await;
        let row = sqlx::query("select updated_at::text from conversations where user_id = $1").bind(talk.user.0);
        row.fetch_one(&mut sql).await.unwrap().get::<String, _>(0)
    };
    let before = revision().await;
    let path = format!("/api/conversations/{}/model", talk.id);
    assert_eq!(talk.client.json(Method::PUT, &path, &json!({ "model": local }), &[]).await.status, 204);
    assert_eq!(known().await, "Scripted, on this machine");
    // Open pages look again when this changes.
    assert_ne!(revision().await, before);
}
