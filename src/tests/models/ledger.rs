//! What is charged is what left the house: the account of a day against what the provider was sent, for every way to end.

use super::{KEY, add_model, add_provider, admin, reach, set_budgets, set_defaults};
use crate::tests::{
    Client, TestApp,
    provider::{Act, ScriptedProvider},
};
use serde_json::json;
use std::time::{Duration, Instant};

/// What the person's day has used, once no call is under way.
async fn used(app: &TestApp, client: &Client, more_than: i64) -> i64 {
    let began = Instant::now();
    let mut sql = app.sql().await;
    loop {
        // In this order: while a call is open, what is set aside for it is in the sum.
        let open: i64 = sqlx::query_scalar("select count(*) from usage_log where status = 'open'")
            .fetch_one(&mut sql)
            .await
            .unwrap();
        let usage = client.get_json("/api/usage").await.json();
        let used = usage["used"].as_i64().unwrap_or_else(|| panic!("{usage}"));
        if open == 0 && (used > more_than || began.elapsed() > Duration::from_secs(2)) {
            return used;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "a call stays open");
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
}

async fn until(what: &str, check: impl Fn() -> bool) {
    let began = Instant::now();
    while !check() {
        assert!(began.elapsed() < Duration::from_secs(10), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_ending_is_charged_by_what_left_the_house() {
    let app = TestApp::with(&["--limit-factor", "1000", "--model-wait", "2"]).await;
    let provider = ScriptedProvider::start().await;
    let (keeper, _) = admin(&app).await;
    reach(&keeper, &provider.address.to_string(), "no").await;
    let id = add_provider(&keeper, "Far", &format!("http://{}/v1", provider.address), KEY).await;
    set_budgets(&keeper, "").await;
    let (client, _) = app.person("ada").await;
    let oc = app.oc("lumina").await;
    let wait = || Act::Wait(Duration::from_secs(30));
    let long = "The harbour lamps are lit one after the other. ".repeat(40);
    let mut before = 0;
    for (ending, acts, is_stopped, is_charged) in [
        ("done", vec![Act::text("Good evening."), Act::End("stop")], false, true),
        ("stopped before the first word", vec![wait()], true, true),
        ("stopped after the first word", vec![Act::text("Good "), wait()], true, true),
        ("refused with 400", vec![Act::Status(400), Act::Fail("invalid_request_error", "no".into())], false, false),
        (
            "refused with 500",
            vec![Act::Status(500), Act::Header("x-should-retry", "false".into()), Act::Fail("api_error", "no".into())],
            false,
            false,
        ),
        ("an answer without words", vec![Act::End("stop")], false, true),
        ("a web page", vec![Act::raw("<html>no</html>")], false, true),
        ("silence until the time is up", vec![wait()], false, true),
    ] {
        // A model each, so that none is left alone for what the one before did.
        let model = add_model(&keeper, &id, &format!("m {ending}")).await;
        set_defaults(&keeper, &model, "").await;
        let count = provider.count();
        provider.openai(move |_, _| acts.clone());
        let sent = client.post_json(&format!("/api/chat/{oc}/message"), &json!({ "content": long })).await.json();
        let run = sent["run_id"].as_str().unwrap_or_else(|| panic!("{sent}")).to_owned();
        until("it is asked", || provider.count() > count).await;
        if is_stopped {
            tokio::time::sleep(Duration::from_millis(300)).await;
            client.post_json(&format!("/api/runs/{run}/stop"), &json!({})).await;
        }
        let began = Instant::now();
        while !matches!(
            client.get_json(&format!("/api/runs/{run}/receipt")).await.json()["status"].as_str(),
            Some("done" | "failed" | "stopped")
        ) {
            assert!(began.elapsed() < Duration::from_secs(15), "{ending} does not end");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        let after = used(&app, &client, if is_charged { before } else { i64::MAX }).await;
        let sent_out = provider.asked().iter().skip(count).map(|a| a.body.to_string().len()).sum::<usize>();
        let charged = after - before;
        if is_charged {
            // Some four letters are a token; the account is not far from what went over the wire.
            // Where the provider says itself what it cost, that counts.
            let is_told = matches!(ending, "done" | "an answer without words");
            let least = if is_told { 1 } else { i64::try_from(sent_out / 8).unwrap() };
            assert!(charged >= least, "{ending}: {sent_out} bytes were sent and {charged} tokens charged");
        } else {
            assert_eq!(charged, 0, "{ending}");
        }
        before = after;
    }

    // A line written in one's own place, and the person goes away.
    provider.openai(|_, _| vec![Act::Wait(Duration::from_secs(30))]);
    let model = add_model(&keeper, &id, "m hang-up").await;
    set_defaults(&keeper, &model, "").await;
    let count = provider.count();
    let body = json!({ "content": "" });
    let path = format!("/api/chat/{oc}/impersonate");
    let asked = client.post_json(&path, &body);
    let _ = tokio::time::timeout(Duration::from_millis(1500), asked).await;
    assert!(provider.count() > count, "it was asked");
    assert!(used(&app, &client, before).await > before, "a hang-up is charged by what was sent");
}
