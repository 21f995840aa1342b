//! What becomes of a reply on its way from the model to its row: thoughts that are taken back, pieces that are too long, models that
//! find no words.

use super::{
    TestApp,
    models::{add_model, add_provider, reach, set_defaults},
    provider::{Act, ScriptedProvider},
    sse::Events,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A site whose conversations are answered by models `a` and then `b` of a scripted provider.
struct Site {
    app: TestApp,
    provider: ScriptedProvider,
    client: super::Client,
    oc: String,
}

impl Site {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let provider = ScriptedProvider::start().await;
        let (keeper, _) = app.person("keeper").await;
        let link = crate::accounts::store::first_admin_link(&app.state).await.unwrap().unwrap();
        keeper.post_form("/fn/accounts/claim_admin", &[("token", link.rsplit('/').next().unwrap())]).await;
        reach(&keeper, &provider.address.to_string(), "no").await;
        let far = add_provider(&keeper, "Far", &format!("http://{}/v1", provider.address), "sk-x").await;
        let (a, b) = (add_model(&keeper, &far, "a").await, add_model(&keeper, &far, "b").await);
        set_defaults(&keeper, &a, &b).await;
        let (client, _) = app.person("ada").await;
        let oc = app.oc("lumina").await;
        Self { app, provider, client, oc }
    }

    /// Says something; the run and the conversation.
    async fn say(&self) -> (String, String) {
        let sent =
            self.client.post_json(&format!("/api/chat/{}/message", self.oc), &json!({ "content": "Hello" })).await;
        assert_eq!(sent.status, 202, "{}", sent.text);
        let sent = sent.json();
        let word = |field: &str| sent[field].as_str().unwrap().to_owned();
        (word("run_id"), word("conversation_id"))
    }

    async fn ended(&self, run: &str) -> Value {
        let began = Instant::now();
        loop {
            let row = self.client.get_json(&format!("/api/runs/{run}/receipt")).await.json();
            if !matches!(row["status"].as_str(), Some("queued" | "streaming")) {
                return row;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{row}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    async fn last(&self, conversation: &str) -> Value {
        let lines = self.client.get_json(&format!("/api/conversations/{conversation}/messages")).await.json();
        lines["items"].as_array().unwrap().last().unwrap().clone()
    }
}

fn piece(text: &str) -> Act {
    let frame = json!({ "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": null }] });
    Act::raw(format!("data: {frame}\n\n"))
}

fn end(reason: &str) -> Act {
    let frame = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] });
    Act::raw(format!("data: {frame}\n\ndata: [DONE]\n\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn thoughts_that_were_shown_are_taken_back_everywhere() {
    let site = Site::new().await;
    site.provider.openai(|_, _| {
        let wait = Act::Wait(Duration::from_millis(700));
        vec![piece("The visitor greets me. "), wait, piece("</think>"), piece("\n\nGood evening."), end("stop")]
    });
    let (run, conversation) = site.say().await;
    let mut events = Events::open(&site.client, &format!("/api/runs/{run}/events"), None).await;
    let (mut seen, mut was_reset) = (String::new(), false);
    loop {
        let event = events.next().await.expect("an end");
        match event.name.as_str() {
            "delta" => seen.push_str(event.text()),
            "reset" => (seen, was_reset) = (event.text().to_owned(), true),
            "done" => break assert_eq!(event.data["content"], "Good evening."),
            _ => {}
        }
    }
    assert!(was_reset && seen == "Good evening.", "{seen}");
    site.ended(&run).await;
    assert_eq!(site.last(&conversation).await["content"], "Good evening.");

    // The same in a line that is written in one's own place.
    let path = format!("/api/chat/{}/impersonate", site.oc);
    let line = site.client.post_json(&path, &json!({ "conversation_id": conversation, "content": "" })).await;
    assert_eq!(line.json()["content"], "Good evening.", "{}", line.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_that_is_too_long_is_cut_and_kept() {
    let site = Site::new().await;
    // 102,000 letters of one byte, and as many as fit of two.
    for (text, wanted) in [("The sea is wide. ".repeat(6000), 60_000), ("é".repeat(59_000), 59_000)] {
        site.provider.openai(move |_, _| vec![piece(&text), end("stop")]);
        let (run, conversation) = site.say().await;
        assert_eq!(site.ended(&run).await["status"], "done");
        let kept = site.last(&conversation).await["content"].as_str().unwrap().chars().count();
        // The end of a reply that was cut may be tidied.
        assert!(kept <= wanted && kept > wanted - 200, "{kept} of {wanted}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_without_words_is_followed_by_the_next() {
    let site = Site::new().await;
    site.provider.openai(|asked, _| match asked.body["model"].as_str() {
        Some("a") => {
            let thought = json!({ "choices": [{ "index": 0, "delta": { "reasoning_content": "Hm." } }] });
            vec![Act::raw(format!("data: {thought}\n\n")), end("length")]
        }
        _ => vec![piece("Good evening."), end("stop")],
    });
    let (run, conversation) = site.say().await;
    let row = site.ended(&run).await;
    assert_eq!((row["status"].as_str(), row["prompt"]["via"].is_string()), (Some("done"), true), "{row}");
    assert!(row["prompt"]["fallback"].as_str().unwrap().contains("thinking"), "{row}");
    assert_eq!(site.last(&conversation).await["content"], "Good evening.");

    site.provider.openai(|_, _| vec![end("stop")]);
    let (run, _) = site.say().await;
    let row = site.ended(&run).await;
    assert_eq!(row["status"], "failed");
    assert_eq!(row["error"], "The model found no words; please try again.");
    drop(site.app);
}
