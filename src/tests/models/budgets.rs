//! Daily budgets: what is left is what may be used, however many ask at once.

use super::{far, line_of, set_budgets, set_defaults, talk};
use crate::{
    error::AppError,
    ids::ModelId,
    models::{
        calls,
        meter::{self, Ending, Purpose, Spent},
        store::{LOCAL_MODEL, Tokens},
    },
    tests::TestApp,
};
use axum::http::Method;
use serde_json::json;
use sqlx::Executor;

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_refused_before_anything_is_kept() {
    let app = TestApp::new().await;
    let (fake, keeper, _, model) = far(&app).await;
    set_defaults(&keeper, &model, "").await;
    let (client, _) = app.person("ada").await;
    let oc = app.oc("lumina").await;
    // The first reply uses 1,050; a second one may begin while something is left.
    set_budgets(&keeper, "5,000").await;
    let (sent, run) = talk(&app, &client, &oc, None).await;
    assert_eq!(run["status"], "done", "{run}");
    let conversation = sent["conversation_id"].as_str().unwrap().to_owned();
    line_of(&app, client.get_json("/api/me").await.json()["id"].as_str().unwrap().parse().unwrap(), "chat").await;
    set_budgets(&keeper, "1000").await;
    let asked = fake.asked().len();
    let body = json!({"content": "More", "conversation_id": conversation});
    let refused = client.post_json(&format!("/api/chat/{oc}/message"), &body).await;
    assert_eq!(refused.status, 429, "{}", refused.text);
    let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(
        message.starts_with("You have used your 1,000 tokens for today. You get new ones at 00:00 (UTC), in "),
        "{message}"
    );
    let wait: u32 = refused.header("retry-after").parse().unwrap();
    assert!((1..=86_400).contains(&wait));
    let kept = client.get_json(&format!("/api/conversations/{conversation}/messages")).await.json();
    assert_eq!(kept["items"].as_array().unwrap().len(), 3, "greeting, message, reply");
    assert_eq!(fake.asked().len(), asked);
    // A reply that may need more than is left is refused in its place, where it can be tried again.
    set_budgets(&keeper, "1100").await;
    let (_, run) = talk(&app, &client, &oc, Some(&conversation)).await;
    assert_eq!(run["status"], "failed");
    assert!(run["error"].as_str().unwrap().starts_with("Of your 1,100 tokens for today 50 are left"), "{run}");
    // The model of this machine costs nobody anything.
    set_budgets(&keeper, "1000").await;
    let path = format!("/api/conversations/{conversation}/model");
    let chosen = client.json(Method::PUT, &path, &json!({"model": LOCAL_MODEL}), &[]).await;
    assert_eq!(chosen.status, 204, "{}", chosen.text);
    let (_, run) = talk(&app, &client, &oc, Some(&conversation)).await;
    assert_eq!((run["status"].as_str(), run["model"].as_str()), (Some("done"), Some("Scripted")));
    // Another person has a budget of their own.
    let (other, _) = app.person("bea").await;
    set_budgets(&keeper, "5000").await;
    let (_, run) = talk(&app, &other, &oc, None).await;
    assert_eq!(run["status"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once_use_no_more_than_the_budget() {
    let app = TestApp::new().await;
    let (_, keeper, _, model) = far(&app).await;
    let (_, user) = app.person("ada").await;
    set_budgets(&keeper, "1000").await;
    let model: ModelId = model.parse().unwrap();
    let candidate = app.state.models.for_trial(model).await.unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..60 {
        let (state, candidate) = (app.state.clone(), candidate.clone());
        calls.spawn(async move { meter::begin(&state, user, Purpose::Chat, None, &candidate, 60, 40).await });
    }
    let mut admitted = Vec::new();
    while let Some(result) = calls.join_next().await {
        match result.unwrap() {
            Ok(ticket) => admitted.push(ticket),
            Err(AppError::TooMany { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(admitted.len(), 10, "ten times a hundred tokens");
    for ticket in admitted {
        ticket.settle(&app.state, Ending::Failed, Spent::Nothing, None).await;
    }
    // What was not used comes back.
    let again = meter::begin(&app.state, user, Purpose::Chat, None, &candidate, 900, 100).await.unwrap();
    again.settle(&app.state, Ending::Failed, Spent::Nothing, None).await;
}

/// What a process that was killed had under way is charged by what had left the house, and the rest comes back; what another one
/// still waits for is left alone.
#[tokio::test(flavor = "multi_thread")]
async fn calls_of_a_killed_process_are_settled() {
    let app = TestApp::new().await;
    let (_, keeper, _, model) = far(&app).await;
    let (client, user) = app.person("ada").await;
    set_budgets(&keeper, "1000").await;
    let model: ModelId = model.parse().unwrap();
    let candidate = app.state.models.for_trial(model).await.unwrap();
    let begin =
        async |prompt, reply| meter::begin(&app.state, user, Purpose::Chat, None, &candidate, prompt, reply).await;
    let used = async || client.get_json("/api/usage").await.json()["used"].as_i64().unwrap();
    let mut sql = app.sql().await;

    let lost = begin(600, 100).await.unwrap();
    let late = begin(200, 100).await.unwrap();
    assert!(begin(1, 0).await.is_err(), "all is set aside");
    let silent = "update usage_log set lease_until = now() - interval '1 second' where status = 'open'";
    sql.execute(silent).await.unwrap();
    // Whoever lives renews before it looks.
    assert_eq!(calls::look_after(&app.state).await.unwrap(), 0);
    drop(lost);
    sql.execute(silent).await.unwrap();
    assert_eq!(calls::look_after(&app.state).await.unwrap(), 1, "nobody waits for the first any more");
    let (status, reserved, prompt, cost): (String, i64, i64, i64) = sqlx::query_as(
        "select status, reserved_tokens, prompt_tokens, cost_micros from usage_log where status <> 'open' and user_id = $1",
    )
    .bind(user.0)
    .fetch_one(&mut sql)
    .await
    .unwrap();
    assert_eq!((status.as_str(), reserved, prompt), ("interrupted", 0, 600));
    assert_eq!(cost, candidate.cost(&Tokens { prompt: 600, ..Tokens::default() }), "in money, too");
    assert!(cost > 0);
    // The tokens of its reply came back; those of the other are still set aside.
    assert!(begin(101, 0).await.is_err());
    begin(60, 40).await.unwrap().settle(&app.state, Ending::Failed, Spent::Nothing, None).await;

    // One that was only slow is taken for dead by another process, and charged once when it ends all the same.
    sql.execute(silent).await.unwrap();
    assert_eq!(calls::look_after(&app.again().state).await.unwrap(), 1);
    assert_eq!(used().await, 600 + 200);
    late.settle(&app.state, Ending::Stopped, Spent::About(""), None).await;
    assert_eq!(used().await, 600 + 200);
}
