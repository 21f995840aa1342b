//! Models, keys and budgets over HTTP: what admins set, what people choose, what nobody sees.

mod admin;
mod budgets;
mod files;
mod keys;
mod ledger;
mod list;
mod told;

use super::{Answer, Client, TestApp};
use crate::{
    ids::UserId,
    models::{settings::Budgets, store::LOCAL_MODEL},
};
use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// A key that must be nowhere.
const KEY: &str = "sk-canary-0123456789abcdef-wxyz";

/// A server that speaks Chat Completions as a test wants it.
#[derive(Clone, Default)]
pub(super) struct Fake(Arc<Mutex<FakeState>>);

#[derive(Default)]
struct FakeState {
    broken: bool,
    asked: Vec<(String, Value)>,
}

impl Fake {
    /// Listens; gives its host and port.
    pub(super) async fn listen(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let app = Router::new().route("/v1/chat/completions", post(complete)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        host
    }

    pub(super) fn set_broken(&self, broken: bool) {
        self.0.lock().unwrap().broken = broken;
    }

    fn asked(&self) -> Vec<(String, Value)> {
        self.0.lock().unwrap().asked.clone()
    }
}

async fn complete(State(fake): State<Fake>, headers: HeaderMap, body: Bytes) -> Response {
    let key = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let broken = {
        let mut state = fake.0.lock().unwrap();
        state.asked.push((key.clone(), asked));
        state.broken
    };
    if broken {
        let body = json!({"error": {"message": format!("no good: {key}"), "type": "invalid_request_error"}});
        return (StatusCode::UNAUTHORIZED, Json(body)).into_response();
    }
    let piece = |text: &str| json!({"id": "1", "object": "chat.completion.chunk", "model": "m", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
    let end = json!({"id": "1", "object": "chat.completion.chunk", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    let usage = json!({"id": "1", "object": "chat.completion.chunk", "model": "m", "choices": [],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050, "prompt_tokens_details": {"cached_tokens": 600}}});
    let text: String = [piece("From "), piece("afar."), end, usage].iter().map(|c| format!("data: {c}\n\n")).collect();
    ([(header::CONTENT_TYPE, "text/event-stream")], format!("{text}data: [DONE]\n\n")).into_response()
}

/// The first admin.
async fn admin(app: &TestApp) -> (Client, UserId) {
    let (client, id) = app.person("keeper").await;
    let link = crate::accounts::store::first_admin_link(&app.state).await.unwrap().unwrap();
    let token = link.rsplit('/').next().unwrap();
    let done = client.post_form("/fn/accounts/claim_admin", &[("token", token)]).await;
    assert_eq!(done.location(), "/settings?admin=1");
    (client, id)
}

pub(super) async fn reach(client: &Client, hosts: &str, own_keys: &str) {
    let done = client
        .post_form_from(
            "/fn/models/save_reach",
            "/admin/models",
            &[("form[local_hosts]", hosts), ("form[own_keys]", own_keys)],
        )
        .await;
    assert_eq!(done.location(), "/admin/models?saved=reach#reach");
}

fn id_in(location: &str) -> String {
    location.split('?').next().unwrap().rsplit('/').next().unwrap().to_owned()
}

pub(super) async fn save_provider(client: &Client, fields: &[(&str, &str)]) -> Answer {
    client.post_form_from("/fn/models/save_provider", "/admin/models/provider/new", fields).await
}

pub(super) async fn add_provider(client: &Client, name: &str, url: &str, key: &str) -> String {
    let fields = [
        ("form[kind]", "openai"),
        ("form[name]", name),
        ("form[base_url]", url),
        ("form[secret_key]", key),
        ("form[enabled]", "true"),
    ];
    let done = save_provider(client, &fields).await;
    assert!(done.location().ends_with("?saved=provider"), "{} {}", done.status, done.location());
    id_in(done.location())
}

pub(super) async fn add_model(client: &Client, provider: &str, name: &str) -> String {
    let fields = [
        ("form[provider]", provider),
        ("form[remote_name]", name),
        ("form[name]", "Far Model"),
        ("form[context_tokens]", "32,768"),
        ("form[max_output_tokens]", "500"),
        ("form[prompt_price]", "3"),
        ("form[cached_price]", "0.3"),
        ("form[reply_price]", "15"),
        ("form[enabled]", "true"),
    ];
    let done = client.post_form_from("/fn/models/save_model", "/admin/models/model/new", &fields).await;
    assert!(done.location().ends_with("?saved=model"), "{} {}", done.status, done.location());
    id_in(done.location())
}

pub(super) async fn set_defaults(client: &Client, chat: &str, fallback: &str) {
    let fields = [("form[chat_model]", chat), ("form[fallback_1]", fallback)];
    let done = client.post_form_from("/fn/models/save_defaults", "/admin/models", &fields).await;
    assert_eq!(done.location(), "/admin/models?saved=defaults#defaults");
}

async fn set_budgets(client: &Client, explorer: &str) {
    let fields = [("form[explorer]", explorer), ("form[count_local]", "no")];
    let done = client.post_form_from("/fn/models/save_budgets", "/admin/models", &fields).await;
    assert_eq!(done.location(), "/admin/models?saved=budgets#budgets");
}

/// A site with a provider far away and one model of it; its server, the admin, the provider and the model.
async fn far(app: &TestApp) -> (Fake, Client, String, String) {
    let fake = Fake::default();
    let host = fake.listen().await;
    let (client, _) = admin(app).await;
    reach(&client, &host, "no").await;
    let provider = add_provider(&client, "Far", &format!("http://{host}/v1"), KEY).await;
    let model = add_model(&client, &provider, "far-1").await;
    (fake, client, provider, model)
}

/// Says something in a conversation, or in a new one, and waits for the end of the reply; the message and its run's row.
pub(super) async fn talk(app: &TestApp, client: &Client, oc: &str, conversation: Option<&str>) -> (Value, Value) {
    let sent = client
        .post_json(
            &format!("/api/chat/{oc}/message"),
            &json!({"content": "Hello there", "conversation_id": conversation}),
        )
        .await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    let sent = sent.json();
    let run = sent["run_id"].as_str().unwrap().to_owned();
    let began = Instant::now();
    loop {
        let mut sql = app.sql().await;
        let row: Value = sqlx::query_scalar(
            "select to_jsonb(r) || jsonb_build_object('content', m.content, 'model', m.model, 'message_cost', m.cost_micros)
             from runs r join messages m using (message_id) where run_id = $1::uuid",
        )
        .bind(&run)
        .fetch_one(&mut sql)
        .await
        .unwrap();
        if !["queued", "streaming"].contains(&row["status"].as_str().unwrap()) {
            return (sent, row);
        }
        assert!(began.elapsed() < Duration::from_secs(20), "the reply ends");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

/// The newest settled line of somebody's account.
async fn line_of(app: &TestApp, user: UserId, kind: &str) -> Value {
    let began = Instant::now();
    loop {
        let mut sql = app.sql().await;
        let found: Option<Value> = sqlx::query_scalar(
            "select to_jsonb(l) from usage_log l where user_id = $1 and kind = $2 and status <> 'open' order by created_at desc, usage_id desc limit 1",
        )
        .bind(user.0)
        .bind(kind)
        .fetch_optional(&mut sql)
        .await
        .unwrap();
        if let Some(found) = found {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "a call is written down");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

/// Everything in the database as text.
pub(super) async fn dump(app: &TestApp) -> String {
    let mut sql = app.sql().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')",
    )
    .fetch_all(&mut sql)
    .await
    .unwrap();
    let mut out = String::new();
    for table in tables {
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!("select t::text from {table} t")))
            .fetch_all(&mut sql)
            .await
            .unwrap();
        out.push_str(&rows.join("\n"));
    }
    out
}

pub(super) fn hex(text: &str) -> String {
    text.bytes().map(|b| format!("{b:02x}")).collect()
}

async fn base(app: &TestApp, provider: &str) -> String {
    let mut sql = app.sql().await;
    sqlx::query_scalar("select base_url from providers where provider_id = $1::uuid")
        .bind(provider)
        .fetch_one(&mut sql)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_added_chosen_metered_and_its_key_is_nowhere() {
    let app = TestApp::new().await;
    let (fake, keeper, provider, model) = far(&app).await;
    let (client, user) = app.person("ada").await;
    let oc = app.oc("lumina").await;

    // Nothing is chosen, so the model of this machine answers.
    let (sent, run) = talk(&app, &client, &oc, None).await;
    assert_eq!((run["content"].as_str(), run["model"].as_str()), (Some("The lamp is lit. Come in."), Some("Scripted")));
    let conversation = sent["conversation_id"].as_str().unwrap().to_owned();
    let line = line_of(&app, user, "chat").await;
    assert_eq!((line["counted"].clone(), line["model_id"].clone()), (json!(false), json!(LOCAL_MODEL)));

    let listed = client.get_json("/api/models").await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "{listed}");
    assert_eq!(listed["default"], json!(LOCAL_MODEL));
    let page = client.get(&format!("/chat/{conversation}")).await;
    assert!(page.text.contains("Far Model, by Far") && page.text.contains("Use for this chat"), "{}", page.text);
    let chosen = client
        .post_form_from(
            "/fn/chat/choose_model",
            &format!("/chat/{conversation}"),
            &[("conversation_id", &conversation), ("model", &model)],
        )
        .await;
    assert_eq!(chosen.location(), format!("/chat/{conversation}"));

    let (_, run) = talk(&app, &client, &oc, Some(&conversation)).await;
    assert_eq!(run["status"], "done", "{run}");
    assert_eq!((run["content"].as_str(), run["model"].as_str()), (Some("From afar."), Some("Far Model")));
    // 400 tokens at 3, 600 cached at 0.3 and 50 at 15 millionths of a dollar each.
    assert_eq!((run["cost_micros"].clone(), run["message_cost"].clone()), (json!(2130), json!(2130)));
    let (key, asked) = fake.asked().pop().unwrap();
    assert_eq!((key, asked["model"].as_str()), (format!("Bearer {KEY}"), Some("far-1")));
    let line = line_of(&app, user, "chat").await;
    let expected = json!({"counted": true, "status": "done", "model": "Far Model", "provider": "Far", "prompt_tokens": 1000,
        "cached_tokens": 600, "reply_tokens": 50, "cost_micros": 2130, "reserved_tokens": 0, "calls": 1});
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&line[field], value, "{field} of {line}");
    }
    let usage = client.get_json("/api/usage").await.json();
    assert_eq!(usage["used"], 1050);
    assert_eq!(usage["days"][0]["counted_tokens"], 1050);
    let page = client.get("/settings/usage").await;
    assert_eq!(page.status, 200);
    for part in ["Far Model (Far)", "198,950 of 200,000 tokens are left", "Scripted (scripted)"] {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }

    // The key: in no page, no answer, no row.
    let mut seen = dump(&app).await;
    assert!(seen.contains("far-1"), "the dump shows rows");
    for path in [
        "/admin".to_owned(),
        "/admin/models".to_owned(),
        format!("/admin/models/provider/{provider}"),
        format!("/admin/models/model/{model}"),
        "/api/models".to_owned(),
        "/settings/models".to_owned(),
    ] {
        let answer = keeper.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        seen.push_str(&answer.text);
    }
    assert!(seen.contains("…wxyz"), "its last four are shown");
    for hidden in [KEY, &hex(KEY), "canary"] {
        assert!(!seen.contains(hidden), "{hidden} is shown");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_model_answers_and_the_receipt_says_so() {
    let app = TestApp::new().await;
    let (fake, keeper, provider, model) = far(&app).await;
    set_defaults(&keeper, &model, &LOCAL_MODEL.to_string()).await;
    let (client, user) = app.person("ada").await;
    let oc = app.oc("lumina").await;
    let (sent, run) = talk(&app, &client, &oc, None).await;
    assert_eq!(run["content"], "From afar.");
    assert_eq!(run["receipt"].get("via"), None, "nobody fell back");

    fake.set_broken(true);
    let (_, run) = talk(&app, &client, &oc, sent["conversation_id"].as_str()).await;
    assert_eq!((run["content"].as_str(), run["model"].as_str()), (Some("The lamp is lit. Come in."), Some("Scripted")));
    assert_eq!(run["receipt"]["via"], "Scripted, on this machine");
    let why = run["receipt"]["fallback"].as_str().unwrap();
    assert!(why.starts_with("Fell back from Far Model, by Far because Far"), "{why}");
    // The prompt was made again for the small model.
    assert_eq!(run["receipt"]["model"], "Scripted");
    let line = line_of(&app, user, "chat").await;
    assert_eq!(line["model"], "Scripted");
    let mut sql = app.sql().await;
    let failed: i64 = sqlx::query_scalar(
        "select count(*) from usage_log where status = 'failed' and model = 'Far Model' and reserved_tokens = 0",
    )
    .fetch_one(&mut sql)
    .await
    .unwrap();
    assert_eq!(failed, 1);

    // The admin sees that it fails, and nothing that the provider said about the key.
    let began = Instant::now();
    loop {
        let page = keeper.get("/admin/models").await;
        if page.text.contains(">Fails<") {
            assert!(!page.text.contains("canary"));
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{}", page.text);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    // Without a fall-back the reply says what is wrong, and so it does for a model that was switched off meanwhile.
    set_defaults(&keeper, &model, "").await;
    let (_, run) = talk(&app, &client, &oc, sent["conversation_id"].as_str()).await;
    assert_eq!(run["status"], "failed");
    assert!(!run["error"].as_str().unwrap().contains("canary"), "{run}");
    let off = [
        ("form[id]", provider.as_str()),
        ("form[kind]", "openai"),
        ("form[name]", "Far"),
        ("form[base_url]", &base(&app, &provider).await),
    ];
    assert!(save_provider(&keeper, &off).await.location().ends_with("?saved=provider"));
    let (_, run) = talk(&app, &client, &oc, sent["conversation_id"].as_str()).await;
    assert_eq!(run["model"], "Scripted", "the default is gone, so this machine answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_is_a_quick_start() {
    let fake = Fake::default();
    let host = fake.listen().await;
    let url = format!("http://{host}/v1");
    let app = TestApp::with(&[
        "--limit-factor",
        "1000",
        "--openai-api-key",
        KEY,
        "--openai-base-url",
        &url,
        "--openai-model",
        "env-1,env-2",
    ])
    .await;
    assert!(!format!("{:?}", app.state.config).contains("canary"), "settings can be printed");
    crate::models::environment::write(&app.state).await.unwrap();
    crate::models::environment::write(&app.state).await.unwrap();
    let (client, _) = app.person("ada").await;
    let oc = app.oc("lumina").await;
    let (_, run) = talk(&app, &client, &oc, None).await;
    assert_eq!((run["content"].as_str(), run["model"].as_str()), (Some("From afar."), Some("env-1")), "{run}");
    assert_eq!(fake.asked().pop().unwrap().0, format!("Bearer {KEY}"));
    let (keeper, _) = admin(&app).await;
    let page = keeper.get("/admin/models").await;
    for part in ["From the environment", "Key from the environment", "env-2"] {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }
    assert!(!page.text.contains("canary") && !dump(&app).await.contains("canary"));
    // A process without these variables knows the rows, and cannot use them.
    let plain = app.again();
    assert!(plain.state.models.for_new_conversation().await.unwrap().iter().all(|c| c.model_id == Some(LOCAL_MODEL)));
    // What is set by an admin goes before the environment.
    set_defaults(&keeper, &LOCAL_MODEL.to_string(), "").await;
    let (other, _) = app.person("bea").await;
    let (_, run) = talk(&app, &other, &oc, None).await;
    assert_eq!(run["model"], "Scripted");
    assert_eq!(Budgets::default(), app.state.models.current().await.unwrap().settings.budgets);
}
