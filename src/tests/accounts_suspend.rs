//! Admins suspend people and let them in again.

use super::{Answer, Client, PASSWORD, Step, TestApp};
use serde_json::json;
use sqlx::Executor;
use std::time::Duration;

async fn suspend(client: &Client, id: &str, lift: &str) -> Answer {
    client.post_form_from("/fn/accounts/suspend", "/admin/people", &[("id", id), ("lift", lift)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_person_is_out_until_they_are_let_in_again() {
    let app = TestApp::new().await;
    let (ada, ada_id) = app.person("ada").await;
    let (keeper, keeper_id) = app.person("keeper").await;
    let (ada_id, keeper_id) = (ada_id.to_string(), keeper_id.to_string());
    assert!(suspend(&keeper, &ada_id, "false").await.location().contains("__err"), "only admins");
    assert_eq!(ada.get_json("/api/me").await.status, 200);
    let role = format!("insert into user_roles (user_id, role) values ('{keeper_id}', 'admin')");
    app.sql().await.execute(sqlx::AssertSqlSafe(role)).await.unwrap();

    // A reply that is being written for them stops.
    app.model.script(|_| vec![Step::text("One moment."), Step::Wait(Duration::from_secs(60))]);
    let lumina = app.oc("lumina").await;
    let sent = ada.post_json(&format!("/api/chat/{lumina}/message"), &json!({"content": "Hello"})).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    let oc = json!({"name": "Pip Marrow", "description": "d", "personality": "p", "is_public": true});
    assert_eq!(ada.post_json("/api/ocs", &oc).await.status, 201);
    assert_eq!(app.client().get("/c/pip-marrow").await.status, 200);
    let done = suspend(&keeper, &ada_id, "false").await;
    assert_eq!(done.location(), "/admin/people", "{}", done.text);
    assert_eq!(ada.get_json("/api/me").await.status, 401);
    for path in ["/u/ada", "/c/pip-marrow"] {
        assert_eq!(app.client().get(path).await.status, 404, "{path}");
    }
    let began = std::time::Instant::now();
    while app.state.runs.count() > 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "the reply stops");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let again = app.client();
    let fields = [("login", "ada"), ("password", PASSWORD)];
    let refused = again.post_form_from("/sign-in", "/sign-in", &fields).await;
    assert!(!again.cookies().contains_key("sf"), "{} {}", refused.status, refused.location());
    let page = keeper.get("/admin/people").await.text;
    assert!(page.contains("suspended") && page.contains("Reinstate ada"), "{page}");
    assert!(keeper.get("/admin").await.text.contains("Suspended"), "it is written down");

    assert_eq!(suspend(&keeper, &ada_id, "true").await.location(), "/admin/people");
    assert_eq!(ada.get_json("/api/me").await.status, 200, "everything is as it was");
    assert_eq!(app.client().get("/u/ada").await.status, 200);
    assert!(ada.get("/characters/mine").await.text.contains("Pip Marrow"), "a draft now");
    // Admins, guests and nobody are not suspended.
    assert!(suspend(&keeper, &keeper_id, "false").await.location().contains("__err"));
    assert_eq!(keeper.get_json("/api/me").await.status, 200);
    assert!(suspend(&keeper, "00000000-0000-7000-8000-000000000001", "false").await.location().contains("__err"));
}
