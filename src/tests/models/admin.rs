//! The admin's pages about models: who gets in, and the trial.

use super::{base, dump, far, set_defaults, talk};
use crate::{
    models::store::LOCAL_MODEL,
    tests::{Step, TestApp, sse::Events},
};
use axum::{body::Body, http::Request};
use serde_json::Value;
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_admins_gets_in() {
    let app = TestApp::new().await;
    let (_, _, provider, model) = far(&app).await;
    let (client, _) = app.person("ada").await;
    let stranger = app.client();
    let before = dump(&app).await;
    let address = base(&app, &provider).await;
    for path in [
        "/admin".to_owned(),
        "/admin/models".to_owned(),
        "/admin/models/provider/new".to_owned(),
        format!("/admin/models/provider/{provider}"),
        format!("/admin/models/model/{model}"),
        format!("/admin/models/model/new?provider={provider}"),
        "/admin/safety".to_owned(),
    ] {
        let answer = client.get(&path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.text.contains("far-1") && !answer.text.contains(&address), "{path}: {}", answer.text);
        let answer = stranger.get(&path).await;
        assert!(
            answer.location().starts_with("/sign-in?next=/admin"),
            "{path}: {} {}",
            answer.status,
            answer.location()
        );
    }
    let forms: [(&str, &[(&str, &str)]); 8] = [
        (
            "save_provider",
            &[("form[kind]", "openai"), ("form[name]", "Mine"), ("form[base_url]", "https://example.org/v1")],
        ),
        ("delete_provider", &[("id", &provider)]),
        ("fetch_list", &[("id", &provider)]),
        (
            "save_model",
            &[
                ("form[id]", &model),
                ("form[remote_name]", "x"),
                ("form[context_tokens]", "9000"),
                ("form[max_output_tokens]", "100"),
            ],
        ),
        ("delete_model", &[("id", &model)]),
        ("save_defaults", &[("form[chat_model]", &model)]),
        ("save_budgets", &[("form[explorer]", "1")]),
        ("save_reach", &[("form[own_keys]", "yes"), ("form[local_hosts]", "localhost")]),
    ];
    for (name, fields) in forms {
        for who in [&client, &stranger] {
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            let request = Request::post(format!("/fn/models/{name}"))
                .header("content-type", "application/x-www-form-urlencoded")
                .header("sec-fetch-site", "same-origin")
                .body(Body::from(body));
            let answer = who.send(request.unwrap()).await;
            assert!([401, 404].contains(&answer.status), "{name}: {} {}", answer.status, answer.text);
        }
    }
    let tried = client.post_form(&format!("/admin/models/model/{model}/try"), &[("prompt", "Hello")]).await;
    assert_eq!(tried.status, 404, "{}", tried.text);
    let strip = |text: String| text.lines().filter(|l| !l.contains("last_seen")).count();
    let after = dump(&app).await;
    assert_eq!(strip(before), strip(after.clone()), "nothing was added");
    assert!(!after.contains("example.org/v1"));
    assert_eq!(stranger.get_json("/api/models").await.status, 401);
    assert_eq!(stranger.get_json("/api/usage").await.status, 401);
    assert!(stranger.get("/settings/usage").await.location().starts_with("/sign-in?next=/settings/usage"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_streams_and_waits() {
    let app = TestApp::new().await;
    let (fake, keeper, _, model) = far(&app).await;
    let request = Request::post(format!("/admin/models/model/{model}/try"))
        .header("accept", "text/event-stream")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .body(Body::from("prompt=Say+something"));
    let answer = keeper.send(request.unwrap()).await;
    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert!(answer.text.contains("event: delta\ndata: {\"text\":\"From \"}"), "{}", answer.text);
    let done = answer.text.split("event: done\ndata: ").nth(1).expect("an end").trim();
    let done: Value = serde_json::from_str(done).unwrap();
    assert_eq!((done["text"].as_str(), done["reply_tokens"].as_i64()), (Some("From afar."), Some(50)));
    assert!(done["first_token_ms"].is_i64() && done["duration_ms"].is_i64(), "{done}");

    // Whoever is no admin any more tries nothing any longer, and the model hears of it.
    app.model.script(|_| vec![Step::text("Grey "), Step::Wait(Duration::from_secs(60))]);
    let (cancelled, began) = (app.model.cancelled.load(Ordering::SeqCst), Instant::now());
    let request = Request::post(format!("/admin/models/model/{LOCAL_MODEL}/try"))
        .header("accept", "text/event-stream")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .body(Body::from("prompt=The+sea"));
    let mut stream = Events::of(keeper.send_raw(request.unwrap()).await);
    assert_eq!(stream.next().await.unwrap().name, "delta");
    let mut sql = app.sql().await;
    sqlx::query("create temporary table was as select * from user_roles").execute(&mut sql).await.unwrap();
    sqlx::query("delete from user_roles").execute(&mut sql).await.unwrap();
    assert_eq!(stream.next().await.unwrap().name, "reconnect");
    drop(stream);
    while app.model.cancelled.load(Ordering::SeqCst) == cancelled {
        assert!(began.elapsed() < Duration::from_secs(6), "the model is told");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    sqlx::query("insert into user_roles select * from was").execute(&mut sql).await.unwrap();

    // This machine's model, without scripts.
    app.model.script(|_| vec![Step::text("Grey "), Step::Wait(Duration::from_millis(50)), Step::text("and loud.")]);
    let sent = keeper.post_form(&format!("/admin/models/model/{LOCAL_MODEL}/try"), &[("prompt", "The sea?")]).await;
    assert_eq!(sent.status, 303);
    let page = keeper.get(sent.location().split('#').next().unwrap()).await;
    for part in ["Grey and loud.", "first word after", "tokens per second", "The sea?"] {
        assert!(page.text.contains(part), "{part} in {}", page.text);
    }
    fake.set_broken(true);
    let sent = keeper.post_form(&format!("/admin/models/model/{model}/try"), &[("prompt", "Hello")]).await;
    let page = keeper.get(sent.location().split('#').next().unwrap()).await;
    assert!(page.text.contains("Far does not accept the key") && !page.text.contains("canary"), "{}", page.text);
    let mut sql = app.sql().await;
    let counted: i64 = sqlx::query_scalar("select count(*) from usage_log where kind = 'try' and not counted")
        .fetch_one(&mut sql)
        .await
        .unwrap();
    assert_eq!(counted, 4, "trials are written down and count for nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_says_who_used_what_and_what_failed() {
    let app = TestApp::new().await;
    let (fake, keeper, _, model) = far(&app).await;
    set_defaults(&keeper, &model, "").await;
    let empty = keeper.get("/admin").await.text;
    assert!(empty.contains("No model failed."), "{empty}");
    let (client, _) = app.person("ada").await;
    let oc = app.oc("lumina").await;
    let (sent, run) = talk(&app, &client, &oc, None).await;
    assert_eq!(run["status"], "done");
    fake.set_broken(true);
    let (_, run) = talk(&app, &client, &oc, sent["conversation_id"].as_str()).await;
    assert_eq!(run["status"], "failed");
    let page = keeper.get("/admin").await.text;
    let (errors, rest) = page.split_once("Models, the last seven days").unwrap();
    let told = run["error"].as_str().unwrap();
    assert!(errors.contains("Far Model (Far)") && errors.contains(told), "{told}: {errors}");
    let (_, people) = rest.split_once("People, the last seven days").unwrap();
    let (people, days) = people.split_once(">Days<").unwrap();
    assert!(people.contains("@ada") && people.contains("1,050"), "{people}");
    let mut sql = app.sql().await;
    let today: String =
        sqlx::query_scalar("select to_char(now() at time zone 'UTC', 'YYYY-MM-DD')").fetch_one(&mut sql).await.unwrap();
    assert!(days.contains(&today), "{days}");
    assert!(page.contains("2 people, "), "the admin and ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn days_of_use_are_those_of_the_person() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let oc = app.oc("lumina").await;
    talk(&app, &client, &oc, None).await;
    assert!(client.get("/settings/usage").await.text.contains("midnight UTC"));
    let mut sql = app.sql().await;
    sqlx::query("update users set timezone = 'Asia/Tokyo'").execute(&mut sql).await.unwrap();
    // Late in the evening in UTC is the next day there.
    sqlx::query("update usage_log set created_at = date_trunc('day', now() at time zone 'UTC') at time zone 'UTC' - interval '1 hour'")
        .execute(&mut sql)
        .await
        .unwrap();
    let days: (String, String) = sqlx::query_as(
        "select to_char(created_at at time zone 'Asia/Tokyo', 'YYYY-MM-DD'), to_char(created_at at time zone 'UTC', 'YYYY-MM-DD') from usage_log limit 1",
    )
    .fetch_one(&mut sql)
    .await
    .unwrap();
    assert_ne!(days.0, days.1);
    let page = client.get("/settings/usage").await.text;
    assert!(page.contains("midnight in Tokyo") && page.contains(&format!(">{}<", days.0)), "{page}");
    assert_eq!(client.get_json("/api/usage").await.json()["days"][0]["day"], days.1.as_str());
}
