//! A person's talk with a character, for tests that go on from there.

use super::{Answer, Client, Step, TestApp};
use axum::http::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A person's talk with a character of the house.
pub struct Talk<'a> {
    /// The site.
    pub app: &'a TestApp,
    /// The person's browser.
    pub client: Client,
    /// The character's id.
    pub oc: String,
    /// The conversation's id.
    pub id: String,
}

impl<'a> Talk<'a> {
    /// A talk in which one line was said and answered.
    pub async fn begun(app: &'a TestApp, name: &str, slug: &str) -> Self {
        let (client, _) = app.person(name).await;
        let oc = app.oc(slug).await;
        let mut talk = Self { app, client, oc, id: String::new() };
        let sent = talk.send("Hello", json!({})).await;
        talk.id = word(&sent, "conversation_id");
        talk.rest().await;
        talk
    }

    /// Says something, with these further fields of the request.
    pub async fn send(&self, content: &str, more: Value) -> Value {
        let mut body = json!({ "content": content });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = self.client.post_json(&format!("/api/chat/{}/message", self.oc), &body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        answer.json()
    }

    /// Says something and waits for the whole reply.
    pub async fn say(&self, content: &str) {
        self.send(content, json!({ "conversation_id": self.id })).await;
        self.rest().await;
    }

    /// What is shown.
    pub async fn lines(&self) -> Vec<Value> {
        lines(&self.client, &self.id).await
    }

    /// The id of one of the lines that are shown.
    pub async fn line(&self, at: usize) -> String {
        word(&self.lines().await[at], "id")
    }

    /// Waits until nothing is being written.
    pub async fn rest(&self) {
        let began = Instant::now();
        while self.lines().await.iter().any(|l| matches!(l["status"].as_str(), Some("queued" | "streaming"))) {
            assert!(began.elapsed() < Duration::from_secs(20), "a reply ends");
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    /// A request about one of its lines.
    pub async fn to(&self, method: Method, path: &str, body: Value) -> Answer {
        self.client.json(method, &format!("/api/messages/{path}"), &body, &[]).await
    }

    /// As [`Self::to`], by POST.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.to(Method::POST, path, body).await
    }

    /// The model says this from now on.
    pub fn answers(&self, text: &'static str) {
        self.app.model.script(move |_| vec![Step::text(text)]);
    }
}

/// A field that is a text.
pub fn word(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value}")).to_owned()
}

/// What is shown of a conversation.
pub async fn lines(client: &Client, conversation: &str) -> Vec<Value> {
    let answer = client.get_json(&format!("/api/conversations/{conversation}/messages")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["items"].as_array().unwrap().clone()
}

/// The words of lines.
pub fn said(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|l| l["content"].as_str().unwrap()).collect()
}

/// A page as readers see it.
pub async fn page(client: &Client, path: &str) -> String {
    let page = client.get(path).await;
    assert_eq!(page.status, 200, "{path} {}", page.location());
    // Leptos marks the borders of texts.
    page.text.replace("<!>", "")
}
