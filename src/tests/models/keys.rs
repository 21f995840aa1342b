//! Keys: where they may go, where they never are, and what opens them.

use super::{KEY, add_model, add_provider, base, dump, far, reach, save_provider, set_budgets, talk};
use crate::{
    ids::ModelId,
    tests::{PASSWORD, TestApp},
};
use axum::http::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn wrong_addresses_are_refused_at_their_field_and_keys_do_not_move() {
    let app = TestApp::new().await;
    let (_, keeper, provider, _) = far(&app).await;
    for url in [
        "ftp://example.org",
        "http://example.org/v1",
        "https://10.0.0.1/v1",
        "http://169.254.169.254/latest",
        "nonsense",
        "https://localhost/v1",
    ] {
        let fields = [
            ("form[kind]", "openai"),
            ("form[name]", "Somewhere else"),
            ("form[base_url]", url),
            ("form[secret_key]", "sk-refused-canary-000000"),
            ("form[enabled]", "true"),
        ];
        let refused = save_provider(&keeper, &fields).await;
        assert!(refused.location().contains("__err="), "{url}: {}", refused.location());
        let page = keeper.get(refused.location()).await;
        let at = page.text.find("id=\"form-base_url-error\"").expect("the field's message");
        let message: String = page.text[at..].chars().take(400).collect();
        assert!(message.contains("ddress"), "{url}: {message}");
        assert!(page.text.contains("Somewhere else"), "what was typed is still there");
        assert!(!page.text.contains("sk-refused-canary"), "but for the key");
    }
    assert!(!dump(&app).await.contains("sk-refused-canary"), "a refused key is kept nowhere");

    // The old key does not go to a new host.
    let mut moved = vec![
        ("form[id]", provider.as_str()),
        ("form[kind]", "openai"),
        ("form[name]", "Far"),
        ("form[base_url]", "https://example.org/v1"),
        ("form[enabled]", "true"),
    ];
    let refused = save_provider(&keeper, &moved).await;
    let page = keeper.get(refused.location()).await;
    assert!(page.text.contains("The address leads to another host now."), "{}", page.text);
    moved.push(("form[secret_key]", "sk-new-key-for-the-new-host"));
    assert!(save_provider(&keeper, &moved).await.location().ends_with("?saved=provider"));

    // A name that is taken is told at its field.
    let taken = save_provider(
        &keeper,
        &[("form[kind]", "openai"), ("form[name]", "FAR"), ("form[base_url]", "https://example.org")],
    )
    .await;
    let page = keeper.get(taken.location()).await;
    assert!(page.text.contains("There is a provider with this name already."));

    // What was done is in the audit log, without the keys.
    let mut sql = app.sql().await;
    let log: Vec<String> = sqlx::query_scalar(
        "select action || metadata::text from audit_log where action like 'models.%' order by created_at",
    )
    .fetch_all(&mut sql)
    .await
    .unwrap();
    let log = log.join("\n");
    for part in [
        "models.set",
        "models.add_provider",
        "models.add_model",
        "models.change_provider",
        "\"key\": \"set\"",
        "example.org",
    ] {
        assert!(log.contains(part), "{part} in {log}");
    }
    assert!(!log.contains("sk-"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_is_asked_for_before_keys_and_addresses() {
    let app = TestApp::new().await;
    let (_, keeper, provider, model) = far(&app).await;
    let mut sql = app.sql().await;
    sql.execute("update sessions set authenticated_at = now() - interval '1 hour'").await.unwrap();
    let fields = [
        ("form[id]", provider.as_str()),
        ("form[kind]", "openai"),
        ("form[name]", "Far"),
        ("form[base_url]", "https://example.org/v1"),
    ];
    let refused = save_provider(&keeper, &fields).await;
    assert!(refused.location().contains("__err="));
    let page = keeper.get(&format!("/admin/models/provider/{provider}")).await;
    assert!(page.text.contains("Confirm your password") && !page.text.contains("form[secret_key]"), "{}", page.text);
    assert!(keeper.get("/admin/models").await.text.contains("Confirm your password"));
    // Looking needs no password; prices and budgets do, and the page that a refused form leads back to says how.
    assert_eq!(keeper.get(&format!("/admin/models/model/{model}")).await.status, 200);
    let refused =
        keeper.post_form_from("/fn/models/save_budgets", "/admin/models", &[("form[explorer]", "7000")]).await;
    assert!(refused.location().contains("__err="), "{}", refused.location());
    let page = keeper.get(refused.location().trim_start_matches("http://127.0.0.1:3000")).await;
    assert!(page.text.contains("/confirm?next=/admin/models"), "{}", page.text);
    let confirmed = keeper
        .post_form("/fn/accounts/confirm_password", &[("form[password]", PASSWORD), ("form[next]", "/admin/models")])
        .await;
    assert_eq!(confirmed.location(), "/admin/models");
    assert!(keeper.get(&format!("/admin/models/provider/{provider}")).await.text.contains("form[secret_key]"));
    set_budgets(&keeper, "7000").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_agree_and_swapped_keys_do_not_open() {
    let app = TestApp::new().await;
    let (fake, keeper, provider, model) = far(&app).await;
    let id: ModelId = model.parse().unwrap();
    // Another node, whose master key is another one: it knows the rows all the same.
    let second = app.again();
    assert!(second.state.models.current().await.unwrap().get(id).is_some());
    let seen = || async { second.state.models.current().await.unwrap().get(id).is_some_and(|e| e.enabled) };
    assert!(seen().await);
    let mut sql = app.sql().await;
    sqlx::query("update models set enabled = false where model_id = $1").bind(id.0).execute(&mut sql).await.unwrap();
    let began = Instant::now();
    while seen().await {
        assert!(began.elapsed() < Duration::from_secs(5), "the other node sees the change");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    sqlx::query("update models set enabled = true where model_id = $1").bind(id.0).execute(&mut sql).await.unwrap();

    let host = base(&app, &provider).await;
    let other = add_provider(&keeper, "Second", &host, "sk-other-key-0123456789").await;
    let other_model = add_model(&keeper, &other, "far-2").await;
    sql.execute(AssertSqlSafe(format!(
        "update providers p set sealed_key = o.sealed_key, wrapped_key = o.wrapped_key, master_key_id = o.master_key_id
         from providers o where p.provider_id in ('{provider}', '{other}') and o.provider_id in ('{provider}', '{other}') and o.provider_id <> p.provider_id"
    )))
    .await
    .unwrap();
    app.state.models.forget();
    let page = keeper.get("/admin/models").await;
    assert!(page.text.matches("Its key cannot be opened").count() >= 2, "{}", page.text);
    for id in [&model, &other_model] {
        assert!(app.state.models.for_trial(id.parse().unwrap()).await.is_err());
    }
    assert!(fake.asked().is_empty(), "nothing was sent with a wrong key");
}

#[tokio::test(flavor = "multi_thread")]
async fn master_keys_are_rotated_while_the_site_runs() {
    let app = TestApp::new().await;
    let (fake, keeper, provider, model) = far(&app).await;
    let before = app.state.vault.current_id();
    let count = crate::models::rotate(&app.state.db, &app.state.vault, true).await.unwrap();
    assert_eq!(count, 1);
    let mut sql = app.sql().await;
    let now: String = sqlx::query_scalar("select master_key_id from providers where provider_id = $1::uuid")
        .bind(&provider)
        .fetch_one(&mut sql)
        .await
        .unwrap();
    assert_ne!(now, before);
    app.state.models.forget();
    let tried = keeper.post_form(&format!("/admin/models/model/{model}/try"), &[("prompt", "Hello")]).await;
    let page = keeper.get(tried.location().split('#').next().unwrap()).await;
    assert!(page.text.contains("From afar."), "{}", page.text);
    assert_eq!(fake.asked().pop().unwrap().0, format!("Bearer {KEY}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn own_keys_when_they_are_allowed() {
    let app = TestApp::new().await;
    let (fake, keeper, provider, _) = far(&app).await;
    let host = base(&app, &provider).await;
    let (client, user) = app.person("ada").await;
    let oc = app.oc("lumina").await;
    let fields = |url: &str| {
        vec![
            ("form[kind]".to_owned(), "openai".to_owned()),
            ("form[base_url]".to_owned(), url.to_owned()),
            ("form[model]".to_owned(), "my-model".to_owned()),
            ("form[secret_key]".to_owned(), KEY.to_owned()),
        ]
    };
    let save = |url: String| {
        let (client, fields) = (client.clone(), fields(&url));
        async move {
            let fields: Vec<(&str, &str)> = fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            client.post_form_from("/fn/models/save_own_key", "/settings/models", &fields).await
        }
    };
    assert!(save("https://api.example.com/v1".into()).await.location().contains("__err="), "they are not allowed yet");
    reach(&keeper, host.trim_start_matches("http://").trim_end_matches("/v1"), "yes").await;
    // Hosts that admins listed are for admins.
    let refused = save(host.clone()).await;
    assert!(refused.location().contains("__err="), "{}", refused.location());
    assert_eq!(save("https://api.example.com/v1".into()).await.location(), "/settings/models?saved=key");
    let page = client.get("/settings/models?saved=key").await;
    assert!(
        page.text.contains("my-model") && page.text.contains("…wxyz") && !page.text.contains("canary"),
        "{}",
        page.text
    );

    let (sent, _) = talk(&app, &client, &oc, None).await;
    let conversation = sent["conversation_id"].as_str().unwrap().to_owned();
    let mut sql = app.sql().await;
    let own: uuid::Uuid = sqlx::query_scalar("select user_key_id from user_keys where user_id = $1")
        .bind(user.0)
        .fetch_one(&mut sql)
        .await
        .unwrap();
    let path = format!("/api/conversations/{conversation}/model");
    let chosen = client.json(Method::PUT, &path, &json!({"model": format!("own:{own}")}), &[]).await;
    assert_eq!(chosen.status, 204, "{}", chosen.text);
    // It may not go to a listed host, even if the row says so; and nobody else answers in its place.
    sqlx::query("update user_keys set base_url = $1").bind(&host).execute(&mut sql).await.unwrap();
    let (_, run) = talk(&app, &client, &oc, Some(&conversation)).await;
    assert_eq!(run["status"], "failed", "{run}");
    assert!(run["error"].as_str().unwrap().starts_with("The address of your own key cannot be used"), "{run}");
    assert!(fake.asked().is_empty());

    // Somebody else's key cannot be chosen.
    let (other, _) = app.person("bea").await;
    let (sent, _) = talk(&app, &other, &oc, None).await;
    let theirs = format!("/api/conversations/{}/model", sent["conversation_id"].as_str().unwrap());
    assert_eq!(other.json(Method::PUT, &theirs, &json!({"model": format!("own:{own}")}), &[]).await.status, 422);
    assert_eq!(other.json(Method::PUT, &path, &json!({"model": ""}), &[]).await.status, 404);

    let gone =
        client.post_form_from("/fn/models/delete_own_key", "/settings/models", &[("id", &own.to_string())]).await;
    assert_eq!(gone.location(), "/settings/models?saved=gone");
    let (_, run) = talk(&app, &client, &oc, Some(&conversation)).await;
    assert_eq!(run["model"], "Scripted");
    assert!(!dump(&app).await.contains("canary"));
}
