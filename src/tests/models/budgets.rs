//! Daily budgets: what is left is what may be used, however many ask at once.

use super::{far, line_of, set_budgets, set_defaults, talk};
use crate::{
    error::AppError,
    ids::ModelId,
    models::{
        meter::{self, Ending, Purpose, Spent},
        store::LOCAL_MODEL,
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

    // A call whose process went away gives back what was set aside.
    let lost = meter::begin(&app.state, user, Purpose::Chat, None, &candidate, 900, 100).await.unwrap();
    drop(lost);
    assert!(meter::begin(&app.state, user, Purpose::Chat, None, &candidate, 900, 100).await.is_err());
    let mut sql = app.sql().await;
    sql.execute("update usage_log set created_at = now() - interval '31 minutes' where status = 'open'").await.unwrap();
    assert_eq!(crate::models::store::close_abandoned(&app.state.db).await.unwrap(), 1);
    let after = meter::begin(&app.state, user, Purpose::Chat, None, &candidate, 900, 100).await.unwrap();
    after.settle(&app.state, Ending::Failed, Spent::Nothing, None).await;
}
