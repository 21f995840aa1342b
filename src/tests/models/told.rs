//! What people meet of models and providers: each way to fail as the line tells it, budgets by tier, who writes summons, and the
//! other quick start.

use super::{KEY, add_model, admin, dump, far, id_in, reach, save_provider, set_budgets, talk};
use crate::{
    ids::ModelId,
    models::store::LOCAL_MODEL,
    tests::{
        TestApp,
        provider::{Act, BOTH, ScriptedProvider, Speaks},
    },
};
use axum::http::Method;
use serde_json::{Value, json};

/// A way to fail: what the provider does, what is kept of the reply, what the line says.
fn ways() -> Vec<(Vec<Act>, &'static str, &'static str)> {
    let echo = format!("Incorrect API key provided: {KEY}");
    let status = |status: u16, kind: &'static str| vec![Act::Status(status), Act::Fail(kind, echo.clone())];
    let page = "<!doctype html><title>Sign in to proxy-7.corp</title>";
    vec![
        (status(401, "authentication_error"), "", "Far does not accept the key that is set for this model"),
        (status(404, "not_found_error"), "", "it knows no model of this name, or its address is not right"),
        (status(402, "billing_error"), "", "its account has no credit left"),
        (
            vec![
                Act::Status(429),
                Act::Header("retry-after", "900".into()),
                Act::Fail("rate_limit_error", echo.clone()),
            ],
            "",
            "Far takes no more requests at the moment; please try again in 15 minutes.",
        ),
        (status(529, "overloaded_error"), "", "Far cannot answer at the moment"),
        (vec![Act::raw(page)], "", "Far answered with a web page; its address is probably not right."),
        (vec![Act::raw("data: hello\n\n")], "", "Far "),
        (
            vec![Act::text("The sea "), Act::Fail("api_error", echo.clone())],
            "The sea",
            "Far cannot answer at the moment",
        ),
        (vec![Act::text("The sea "), Act::raw("data: {\"cho"), Act::Break], "The sea", "Far broke off in the middle"),
        (vec![Act::text("I "), Act::End("refused")], "I", "Far declined to answer this"),
        (
            vec![
                Act::Status(400),
                Act::Fail("invalid_request_error", "This model's maximum context length is 8 tokens.".into()),
            ],
            "",
            "This is too long for the model",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_fail_is_told_in_the_line() {
    let app = TestApp::new().await;
    let provider = ScriptedProvider::start().await;
    let (keeper, _) = admin(&app).await;
    reach(&keeper, &provider.address.to_string(), "no").await;
    let (client, _) = app.person("ada").await;
    set_budgets(&keeper, "").await;
    let oc = app.oc("lumina").await;
    let (sent, _) = talk(&app, &client, &oc, None).await;
    let conversation = sent["conversation_id"].as_str().unwrap().to_owned();
    let choice = format!("/api/conversations/{conversation}/model");
    let mut seen = String::new();
    for speaks in BOTH {
        let (kind, name) = if speaks == Speaks::OpenAi { ("openai", "Far") } else { ("anthropic", "Far away") };
        let base = provider.base(speaks);
        let fields = [
            ("form[kind]", kind),
            ("form[name]", name),
            ("form[base_url]", base.as_str()),
            ("form[secret_key]", KEY),
            ("form[enabled]", "true"),
        ];
        let id = id_in(save_provider(&keeper, &fields).await.location());
        for (n, (acts, kept, said)) in ways().into_iter().enumerate() {
            // A model each, so that none is left alone for what the one before did.
            let model = add_model(&keeper, &id, &format!("{kind}-{n}")).await;
            assert_eq!(client.json(Method::PUT, &choice, &json!({ "model": model }), &[]).await.status, 204);
            provider.plays(acts);
            let (_, run) = talk(&app, &client, &oc, Some(&conversation)).await;
            assert_eq!(run["status"], "failed", "{kind} {said}: {run}");
            let error = run["error"].as_str().unwrap();
            assert!(error.contains(&said.replace("Far ", &format!("{name} "))), "{kind}: {error} instead of {said}");
            assert_eq!(run["content"].as_str().unwrap().trim(), kept, "{kind} {said}");
            let page = client.get(&format!("/chat/{conversation}")).await.text;
            assert!(page.contains("Lumina could not answer. "), "{page}");
            assert!(page.contains(if kept.is_empty() { "Try again" } else { "Continue" }), "{page}");
            seen.push_str(&page);
        }
        // What is only odd is no failure: bytes that are no text, and a reply without an end.
        let frame = match speaks {
            Speaks::OpenAi => "data: {\"choices\":[{\"delta\":{\"content\":\"Hi ? there.\"}}]}\n\n",
            Speaks::Anthropic => {
                "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi ? there.\"}}\n\n"
            }
        };
        let broken: Vec<u8> = frame.bytes().map(|b| if b == b'?' { 0xff } else { b }).collect();
        let odd = add_model(&keeper, &id, &format!("{kind}-odd")).await;
        assert_eq!(client.json(Method::PUT, &choice, &json!({ "model": odd }), &[]).await.status, 204);
        provider.plays(vec![Act::raw(broken), Act::End("stop")]);
        let (_, run) = talk(&app, &client, &oc, Some(&conversation)).await;
        assert_eq!((run["status"].as_str(), run["content"].as_str()), (Some("done"), Some("Hi \u{fffd} there.")));
        provider.plays(vec![Act::Endless("Words without end. ".repeat(40))]);
        let (_, run) = talk(&app, &client, &oc, Some(&conversation)).await;
        assert_eq!((run["status"].as_str(), run["finish"].as_str()), (Some("done"), Some("length")), "{run}");
        assert!(run["content"].as_str().unwrap().len() < 60_000);
    }
    seen.push_str(&dump(&app).await);
    for hidden in ["canary", "proxy-7"] {
        assert!(!seen.contains(hidden), "{hidden} is shown or kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tier_has_a_budget_of_its_own() {
    let app = TestApp::new().await;
    let (_, keeper, _, model) = far(&app).await;
    let fields = [("form[chat_model]", model.as_str())];
    let done = keeper.post_form_from("/fn/models/save_defaults", "/admin/models", &fields).await;
    assert!(done.location().contains("saved=defaults"));
    let (client, user) = app.person("ada").await;
    let oc = app.oc("lumina").await;
    // A reply uses 1,050 tokens.
    let (sent, run) = talk(&app, &client, &oc, None).await;
    assert_eq!(run["status"], "done", "{run}");
    let fields = [
        ("form[explorer]", "1,000"),
        ("form[creator]", "50,000"),
        ("form[realm_builder]", ""),
        ("form[count_local]", "no"),
    ];
    let done = keeper.post_form_from("/fn/models/save_budgets", "/admin/models", &fields).await;
    assert!(done.location().contains("saved=budgets"));
    let conversation = sent["conversation_id"].as_str().unwrap();
    let body = json!({ "content": "More", "conversation_id": conversation });
    for (tier, budget, status) in
        [("explorer", json!(1000), 429), ("creator", json!(50_000), 202), ("realm_builder", Value::Null, 202)]
    {
        sqlx::query("update profiles set tier = $2 where user_id = $1")
            .bind(user.0)
            .bind(tier)
            .execute(&mut app.sql().await)
            .await
            .unwrap();
        assert_eq!(client.get_json("/api/usage").await.json()["budget"], budget, "{tier}");
        if status == 429 {
            let refused = client.post_json(&format!("/api/chat/{oc}/message"), &body).await;
            assert_eq!(refused.status, 429, "{tier}: {}", refused.text);
        } else {
            let (_, run) = talk(&app, &client, &oc, Some(conversation)).await;
            assert_eq!(run["status"], "done", "{tier}: {run}");
        }
    }
    let page = client.get("/settings/usage").await.text;
    assert!(page.contains("There is no limit."), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_for_summons_is_set_apart() {
    let app = TestApp::new().await;
    let (_, keeper, provider, model) = far(&app).await;
    let second = add_model(&keeper, &provider, "far-2").await;
    let ids = async || {
        let of = |found: crate::error::AppResult<Vec<crate::models::registry::Candidate>>| {
            found.unwrap().iter().map(|c| c.model_id.unwrap()).collect::<Vec<_>>()
        };
        (of(app.state.models.for_new_conversation().await), of(app.state.models.for_summon().await))
    };
    assert_eq!(ids().await, (vec![LOCAL_MODEL], vec![LOCAL_MODEL]));
    let local = LOCAL_MODEL.to_string();
    let fields = [
        ("form[summon_model]", model.as_str()),
        ("form[fallback_1]", second.as_str()),
        ("form[fallback_3]", local.as_str()),
    ];
    keeper.post_form_from("/fn/models/save_defaults", "/admin/models", &fields).await;
    let (far, second): (ModelId, ModelId) = (model.parse().unwrap(), second.parse().unwrap());
    assert_eq!(ids().await, (vec![LOCAL_MODEL, second], vec![far, second, LOCAL_MODEL]));
    let page = keeper.get("/admin/models").await.text;
    assert!(page.contains("summons are written by <b>Far Model, by Far<"), "{page}");
    // What is switched off writes nothing.
    sqlx::query("update models set enabled = false where model_id = $1")
        .bind(far.0)
        .execute(&mut app.sql().await)
        .await
        .unwrap();
    app.state.models.forget();
    assert_eq!(ids().await.1, [LOCAL_MODEL, second]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_anthropic_in_the_environment_is_enough() {
    let app = TestApp::with(&["--limit-factor", "1000", "--anthropic-api-key", KEY]).await;
    crate::models::environment::write(&app.state).await.unwrap();
    let found = app.state.models.for_new_conversation().await.unwrap();
    let first = found.first().unwrap();
    assert_eq!(first.label(), "claude-sonnet-4-6, by Anthropic (environment)");
    let info = first.model.info();
    assert!(info.capabilities.tools && info.capabilities.prompt_cache && !info.local);
    let (client, _) = app.person("ada").await;
    let listed = client.get_json("/api/models").await;
    assert!(listed.text.contains("claude-sonnet-4-6") && !listed.text.contains("canary"), "{}", listed.text);
    assert!(!dump(&app).await.contains("canary"), "its key is not kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn model_files_are_listed_with_what_they_cost() {
    let folder = std::env::temp_dir().join(format!("sf-files-{}", uuid::Uuid::now_v7().simple()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in [("small.gguf", 3_000_000), ("large.gguf", 24_000_000), ("notes.txt", 10)] {
        std::fs::write(folder.join(name), vec![0_u8; bytes]).unwrap();
    }
    let used = folder.join("small.gguf").display().to_string();
    let app = TestApp::with(&["--limit-factor", "1000", "--model", &used]).await;
    let (keeper, _) = admin(&app).await;
    let page = keeper.get("/admin/models").await.text;
    for part in ["The model of this machine", "small.gguf", "In use", "3.0 MB", "large.gguf", "24 MB", "unknown"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("notes.txt") && !page.contains(&used), "neither other files nor where they are");
    let _ = std::fs::remove_dir_all(folder);
}
