//! Summoning over HTTP, with a model that says what the test wrote for it.

mod written;

use super::{Answer, Client, ScriptedModel, Step, TestApp};
use crate::{
    ai::{
        ModelError, Request,
        schema::{Field, Shape},
    },
    ids::{JobId, UserId},
    ocs::summon::run,
};
use axum::{body::Body, http::Method};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

const SENTENCE: &str = "A shy lighthouse keeper who collects storms in glass jars";

/// A person with a token of their own, made behind the site's back so that these tests need no other room.
async fn person(app: &TestApp, name: &str) -> (Client, UserId) {
    let id = UserId::new();
    let mut sql = app.sql().await;
    let token = format!("token-of-{name}");
    sqlx::query("insert into users (user_id, email) values ($1, $2)")
        .bind(id.0)
        .bind(format!("{name}@example.org"))
        .execute(&mut sql)
        .await
        .unwrap();
    sqlx::query("insert into profiles (user_id, username, display_name) values ($1, $2, $2)")
        .bind(id.0)
        .bind(name)
        .execute(&mut sql)
        .await
        .unwrap();
    sqlx::query(
        "insert into api_tokens (user_id, name, token_hash, hint, scopes) values ($1, 't', sha256($2::text::bytea), 't', '{read,write}')",
    )
    .bind(id.0)
    .bind(&token)
    .execute(&mut sql)
    .await
    .unwrap();
    let mut client = app.client();
    client.bearer = Some(token);
    (client, id)
}

/// An object of the wished form, as a model that does its work well would write it. `count` makes each a little different.
pub fn well_said(request: &Request, count: u32) -> String {
    const NOUNS: [&str; 7] = ["harbour", "kettle", "meadow", "ladder", "orchard", "window", "garden"];
    fn value(field: &Field, count: u32) -> Value {
        let noun = NOUNS[count as usize % NOUNS.len()];
        match &field.shape {
            Shape::OneOf(words) => json!(words[count as usize % words.len()]),
            Shape::Object(fields) => object(fields, count),
            Shape::List { of, max, .. } => {
                let Shape::Object(fields) = &**of else { panic!("only lists of objects are asked for") };
                json!((0..*max).map(|n| object(fields, count * 7 + n)).collect::<Vec<_>>())
            }
            Shape::Text(_) if field.name == "name" && field.about.contains("own") => {
                json!(format!("Mara {}", NOUNS[count as usize % 7]))
            }
            Shape::Text(_) if ["name", "title", "voice_tone"].contains(&field.name) => {
                json!(format!("{noun} keeper {count}"))
            }
            Shape::Text(_) => {
                let name = field.name.replace('_', " ");
                json!(format!("The {noun} is quiet at number {count}. It’s never in a hurry, as {name} goes."))
            }
        }
    }
    fn object(fields: &[Field], count: u32) -> Value {
        fields
            .iter()
            .map(|field| (field.name.to_owned(), value(field, count)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
    let Some(schema) = &request.schema else { return "Yes.".to_owned() };
    // In the order that was asked for, which a map has not.
    let members: Vec<String> =
        schema.fields.iter().map(|field| format!("{}:{}", json!(field.name), value(field, count))).collect();
    format!("{{{}}}", members.join(","))
}

/// A text in pieces, as it comes from a model.
fn pieces(text: &str) -> Vec<Step> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(23).map(|piece| Step::Text(piece.iter().collect())).collect()
}

/// Lets the model do its work well.
fn behaves(model: &ScriptedModel) {
    let count = AtomicU32::new(0);
    model.script(move |request| pieces(&well_said(request, count.fetch_add(1, Ordering::SeqCst))));
}

/// The object of a request with some fields said otherwise; `null` leaves one out.
fn said_with(request: &Request, count: u32, other: &Value) -> String {
    let Ok(Value::Object(mut object)) = serde_json::from_str(&well_said(request, count)) else { panic!("an object") };
    for (name, value) in other.as_object().unwrap() {
        if object.contains_key(name) {
            if value.is_null() { drop(object.remove(name)) } else { drop(object.insert(name.clone(), value.clone())) }
        }
    }
    let schema = request.schema.as_ref().unwrap();
    let members: Vec<String> = schema
        .fields
        .iter()
        .filter_map(|field| object.get(field.name).map(|value| format!("{}:{value}", json!(field.name))))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// Fields that a request asks for.
fn wanted(request: &Request) -> Vec<&'static str> {
    request.schema.as_ref().unwrap().fields.iter().map(|field| field.name).collect()
}

async fn summon(client: &Client, sentence: &str) -> Answer {
    client.post_json("/api/oc/summon", &json!({"description": sentence})).await
}

/// Events of a stream: id, name, data.
fn events(text: &str) -> Vec<(u64, String, Value)> {
    text.split("\n\n")
        .filter_map(|block| {
            let field = |name: &str| block.lines().find_map(|l| l.strip_prefix(name)).map(|v| v.trim().to_owned());
            let data = field("data:")?;
            Some((field("id:")?.parse().ok()?, field("event:")?, serde_json::from_str(&data).unwrap()))
        })
        .collect()
}

async fn status(app: &TestApp, job: JobId) -> String {
    use sqlx::Row;
    let row = sqlx::query("select status from jobs where job_id = $1")
        .bind(job.0)
        .fetch_one(&mut app.sql().await)
        .await
        .unwrap();
    row.get(0)
}

async fn until(app: &TestApp, job: JobId, wanted: &str) {
    for _ in 0..200 {
        if status(app, job).await == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the job is {} and not {wanted}", status(app, job).await);
}

async fn only_job(app: &TestApp) -> JobId {
    use sqlx::Row;
    for _ in 0..100 {
        if let Some(row) = sqlx::query("select job_id from jobs").fetch_optional(&mut app.sql().await).await.unwrap() {
            return JobId(row.get(0));
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    panic!("no job was begun");
}

#[tokio::test]
async fn a_sentence_becomes_a_whole_character() {
    let app = TestApp::new().await;
    behaves(&app.model);
    let (wren, _) = person(&app, "wren").await;
    let answer = summon(&wren, SENTENCE).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let oc = answer.json();
    assert!(answer.location().ends_with(oc["id"].as_str().unwrap()));
    assert!(oc["url"].as_str().unwrap().starts_with("http://127.0.0.1:3000/c/"));
    assert_eq!(oc["title"], "harbour keeper 0");
    assert_eq!(oc["description"], "The harbour is quiet at number 0. It’s never in a hurry, as description goes.");
    assert_eq!(oc["pronoun"], "she");
    assert_eq!(oc["age_band"], "child", "the first of the list");
    assert_eq!(oc["example_dialogue"].as_array().unwrap().len(), 2);
    assert_eq!(oc["quick_start"].as_array().unwrap().len(), 2, "what was said first can be said again");
    assert!(oc["appearance_tags"].as_array().unwrap().len() > 6, "the face is settled");
    let items = oc["items"].as_array().unwrap();
    assert!((1..=3).contains(&items.len()));
    for item in items {
        assert!(!item["personality_effects"].as_str().unwrap().is_empty());
        assert!(["common", "rare", "epic", "legendary"].contains(&item["rarity"].as_str().unwrap()));
        assert_eq!(item["is_equipped"], true);
    }
    for field in ["greeting", "description", "personality"] {
        let text = oc[field].as_str().unwrap();
        assert!(text.ends_with(['.', '?', '!']), "{field} ends in the middle: {text}");
    }
    assert!(oc["post"]["content"].as_str().unwrap().ends_with('.'));
    assert_eq!(oc["visual_style"]["primaryColor"], "#3d5a99", "the first palette");
    // By default the API shows the character at once: the post and the event are there.
    assert_eq!(oc["is_public"], true);
    let mut sql = app.sql().await;
    use sqlx::Row;
    let post = sqlx::query("select title, content from forum_posts where oc_id = $1::text::uuid")
        .bind(oc["id"].as_str().unwrap());
    let post = post.fetch_one(&mut sql).await.unwrap();
    assert_eq!(post.get::<String, _>(1), oc["post"]["content"].as_str().unwrap());
    let event =
        sqlx::query("select count(*) from world_events where event_type = 'oc_summoned' and oc_id = $1::text::uuid");
    let event: i64 = event.bind(oc["id"].as_str().unwrap()).fetch_one(&mut sql).await.unwrap().get(0);
    assert_eq!(event, 1);
    // It is one line of the account.
    let line = sqlx::query(
        "select calls, prompt_tokens, reply_tokens, counted, model from usage_log where kind = 'summon' and status = 'done'",
    );
    let line = line.fetch_one(&mut sql).await.unwrap();
    assert!(line.get::<i32, _>(0) == 1 && line.get::<i64, _>(1) > 0 && line.get::<i64, _>(2) > 0);
    assert_eq!((line.get::<bool, _>(3), line.get::<String, _>(4)), (false, "Scripted".to_owned()));
}

#[tokio::test]
async fn a_draft_stays_a_draft_and_is_its_owners_alone() {
    let app = TestApp::new().await;
    behaves(&app.model);
    let (wren, _) = person(&app, "wren").await;
    let body = json!({"description": "Nyx, a clever thief with a mechanical cat", "publish": false, "mood": "stoic", "setting": "a drowned city"});
    let answer = wren.post_json("/api/oc/summon", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let oc = answer.json();
    assert_eq!((oc["name"].as_str().unwrap(), oc["is_public"].as_bool().unwrap()), ("Nyx", false));
    assert_eq!(oc["visual_style"]["mood"], "stoic");
    let asked = app.model.requests.lock().unwrap()[0].messages.last().unwrap().content.clone();
    assert!(asked.contains("a drowned city") && asked.contains("stoic"), "{asked}");
    let mut sql = app.sql().await;
    use sqlx::Row;
    let posts: i64 = sqlx::query("select count(*) from forum_posts where oc_id = $1::text::uuid")
        .bind(oc["id"].as_str().unwrap())
        .fetch_one(&mut sql)
        .await
        .unwrap()
        .get(0);
    assert_eq!(posts, 0);
    // The same name again: another one is offered, nothing fails.
    let again = wren.post_json("/api/oc/summon", &body).await.json();
    assert_ne!(again["name"], "Nyx");
    assert!(again["name"].as_str().unwrap().starts_with("Nyx "), "{}", again["name"]);
}

#[tokio::test]
async fn names_are_never_given_twice() {
    let app = TestApp::new().await;
    behaves(&app.model);
    let (wren, _) = person(&app, "wren").await;
    let (finch, _) = person(&app, "finch").await;
    let (a, b, c) = tokio::join!(
        summon(&wren, SENTENCE),
        summon(&finch, SENTENCE),
        summon(&wren, "Nyx, a clever thief with a cat")
    );
    let names: std::collections::HashSet<String> =
        [a, b, c].iter().map(|x| x.json()["name"].as_str().unwrap_or(&x.text).to_lowercase()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[tokio::test]
async fn the_stream_shows_each_part_in_order_and_can_be_resumed() {
    let app = TestApp::new().await;
    behaves(&app.model);
    let (wren, _) = person(&app, "wren").await;
    let accept = [("accept", "text/event-stream")];
    let answer = wren.json(Method::POST, "/api/oc/summon", &json!({"description": SENTENCE}), &accept).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream"));
    let all = events(&answer.text);
    let fields: Vec<String> =
        all.iter().filter(|e| e.1 == "field").map(|e| e.2["name"].as_str().unwrap().to_owned()).collect();
    let mut order = fields.clone();
    order.dedup();
    assert_eq!(order.first().map(String::as_str), Some("name"));
    let at = |name: &str| order.iter().position(|f| f == name).unwrap_or_else(|| panic!("{name} in {order:?}"));
    for pair in [
        "name",
        "visual_style",
        "appearance_tags",
        "description",
        "personality",
        "greeting",
        "example_dialogue",
        "items",
        "introduction",
    ]
    .windows(2)
    {
        assert!(at(pair[0]) < at(pair[1]), "{pair:?} in {order:?}");
    }
    assert!(all.iter().enumerate().all(|(i, e)| e.0 == i as u64 + 1), "ids count from 1");
    let last = all.last().unwrap();
    assert_eq!(last.1, "done");
    assert!(last.2["url"].as_str().unwrap().starts_with("/c/"));
    // A browser that reconnects gets what it has not seen, and nothing twice.
    let job = answer.header("x-job-id").to_owned();
    let path = format!("/api/jobs/{job}/events");
    let rest = wren.json(Method::GET, &path, &json!({}), &[("last-event-id", "5")]).await;
    assert_eq!(events(&rest.text), all[5..].to_vec());
    // Another process has no memory of it: the row tells the same parts.
    let other = app.again();
    let mut there = other.client();
    there.bearer = wren.bearer.clone();
    let told = events(&there.get_json(&path).await.text);
    let names: Vec<&str> = told.iter().filter(|e| e.1 == "field").map(|e| e.2["name"].as_str().unwrap()).collect();
    assert_eq!(names.first(), Some(&"name"));
    assert_eq!(told.last().unwrap().1, "done");
}

#[tokio::test]
async fn what_is_somebody_elses_does_not_exist() {
    let app = TestApp::new().await;
    behaves(&app.model);
    let (wren, _) = person(&app, "wren").await;
    let (finch, _) = person(&app, "finch").await;
    let id = summon(&wren, SENTENCE).await.json()["job_id"].as_str().unwrap().to_owned();
    for id in [id.as_str(), "01a1fe6d-99bd-725e-948b-0c864314f745", "nonsense"] {
        assert_eq!(finch.get_json(&format!("/api/jobs/{id}/events")).await.status, 404, "{id}");
        assert_eq!(finch.post_json(&format!("/api/jobs/{id}/stop"), &json!({})).await.status, 404, "{id}");
        assert_eq!(finch.get_json(&format!("/fn/ocs/get_summon?id={id}")).await.status, 401, "tokens are for the API");
    }
    let nobody = app.client();
    assert_eq!(nobody.get_json(&format!("/api/jobs/{id}/events")).await.status, 401);
    assert_eq!(nobody.post_json("/api/oc/summon", &json!({"description": SENTENCE})).await.status, 401);
}

#[tokio::test]
async fn bad_input_is_refused_at_its_field() {
    let app = TestApp::new().await;
    let (wren, _) = person(&app, "wren").await;
    for (body, field) in [
        (json!({}), "description"),
        (json!({"description": "short"}), "description"),
        (json!({"description": "x".repeat(501)}), "description"),
        (json!({"description": "0123456789 0123456789"}), "description"),
        (json!({"description": SENTENCE, "mood": "angryish"}), "mood"),
        (json!({"description": SENTENCE, "setting": "y".repeat(121)}), "setting"),
    ] {
        let answer = wren.post_json("/api/oc/summon", &body).await;
        assert_eq!(answer.status, 422, "{body}: {}", answer.text);
        assert_eq!(answer.json()["error"]["field"], field, "{body}");
    }
    let huge = json!({"description": "z".repeat(1 << 20)});
    assert_eq!(wren.post_json("/api/oc/summon", &huge).await.status, 413);
    assert!(app.model.requests.lock().unwrap().is_empty(), "nothing was asked of the model");
}

#[tokio::test]
async fn the_same_key_summons_once() {
    let app = TestApp::new().await;
    behaves(&app.model);
    let (wren, _) = person(&app, "wren").await;
    let key = [("idempotency-key", "k1")];
    let body = json!({"description": SENTENCE});
    let first = wren.json(Method::POST, "/api/oc/summon", &body, &key).await.json();
    let again = wren.json(Method::POST, "/api/oc/summon", &body, &key).await.json();
    assert_eq!((&first["id"], &first["job_id"]), (&again["id"], &again["job_id"]));
    let other =
        wren.json(Method::POST, "/api/oc/summon", &json!({"description": "another sentence altogether"}), &key).await;
    assert_eq!(other.status, 409);
    let (a, b) = tokio::join!(
        wren.json(Method::POST, "/api/oc/summon", &body, &[("idempotency-key", "k2")]),
        wren.json(Method::POST, "/api/oc/summon", &body, &[("idempotency-key", "k2")])
    );
    assert_eq!(a.json()["job_id"], b.json()["job_id"]);
}

#[tokio::test]
async fn too_many_summons_wait() {
    let app = TestApp::with(&["--limit-factor", "0.125"]).await;
    behaves(&app.model);
    let (wren, _) = person(&app, "wren").await;
    assert_eq!(summon(&wren, SENTENCE).await.status, 201);
    let refused = summon(&wren, SENTENCE).await;
    assert_eq!((refused.status, refused.json()["error"]["code"].as_str().unwrap()), (429, "too_many_requests"));
    assert!(refused.header("retry-after").parse::<u32>().unwrap() > 0);
}

#[tokio::test]
async fn without_a_model_the_sentence_is_kept() {
    let app = TestApp::new().await;
    let (wren, id) = person(&app, "wren").await;
    app.model.script(|_| vec![Step::Fail(ModelError::Unavailable("there is no model here".into()))]);
    let answer = summon(&wren, SENTENCE).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["error"]["message"], "There is no model here.");
    let job = only_job(&app).await;
    assert_eq!(status(&app, job).await, "failed");
    // One click later, with a model, the same job becomes a character.
    behaves(&app.model);
    run::start(&app.state, job).await.unwrap();
    until(&app, job, "done").await;
    use sqlx::Row;
    let owned: i64 = sqlx::query("select count(*) from ocs where owner_id = $1")
        .bind(id.0)
        .fetch_one(&mut app.sql().await)
        .await
        .unwrap()
        .get(0);
    assert_eq!(owned, 1);
}

/// A model that waits at the greeting until it is let go.
fn waits_at_the_greeting(app: &TestApp) -> Arc<Notify> {
    let gate = Arc::new(Notify::new());
    let (inside, count) = (Arc::clone(&gate), AtomicU32::new(0));
    app.model.script(move |request| {
        let text = well_said(request, count.fetch_add(1, Ordering::SeqCst));
        let (before, after) = text.split_at(text.find("\"greeting\"").expect("a greeting is asked for"));
        let mut steps = pieces(before);
        steps.push(Step::Gate(Arc::clone(&inside)));
        steps.extend(pieces(after));
        steps
    });
    gate
}

async fn has_part(app: &TestApp, job: JobId, part: &str) {
    use sqlx::Row;
    for _ in 0..200 {
        let row = sqlx::query("select coalesce(result->'arrived'->'sheet'->>$2, '') <> '' from jobs where job_id = $1")
            .bind(job.0)
            .bind(part);
        if row.fetch_one(&mut app.sql().await).await.unwrap().get(0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{part} never came");
}

/// A summon whose greeting is being written: who asked, the request that waits for it, its job.
async fn half_done(app: &TestApp) -> (Client, tokio::task::JoinHandle<Answer>, JobId) {
    let (wren, _) = person(app, "wren").await;
    waits_at_the_greeting(app);
    let asking = tokio::spawn({
        let wren = wren.clone();
        async move { summon(&wren, SENTENCE).await }
    });
    let job = only_job(app).await;
    has_part(app, job, "personality").await;
    (wren, asking, job)
}

#[tokio::test]
async fn stop_reaches_the_model_and_the_rest_can_follow() {
    let app = TestApp::new().await;
    let (wren, asking, job) = half_done(&app).await;
    assert_eq!(wren.post_json(&format!("/api/jobs/{job}/stop"), &json!({})).await.status, 204);
    let answer = asking.await.unwrap();
    assert_eq!(answer.status, 409, "{}", answer.text);
    until(&app, job, "stopped").await;
    assert!(app.model.cancelled.load(Ordering::SeqCst) > 0, "the model was told");
    assert_eq!(
        wren.post_json(&format!("/api/jobs/{job}/stop"), &json!({})).await.status,
        204,
        "stopping twice is no error"
    );
    let before = app.model.requests.lock().unwrap().len();
    behaves(&app.model);
    run::start(&app.state, job).await.unwrap();
    until(&app, job, "done").await;
    let requests = app.model.requests.lock().unwrap();
    assert_eq!(
        requests[before..].iter().map(wanted).collect::<Vec<_>>(),
        [["scenario", "greeting", "example_dialogue", "items", "introduction"]],
        "what was there is not asked for again"
    );
}

#[tokio::test]
async fn a_closed_tab_loses_nothing() {
    let app = TestApp::new().await;
    let (wren, _) = person(&app, "wren").await;
    let gate = waits_at_the_greeting(&app);
    let request = axum::http::Request::post("/api/oc/summon")
        .header("content-type", "application/json")
        .header("accept", "text/event-stream")
        .body(Body::from(json!({"description": SENTENCE}).to_string()))
        .unwrap();
    let response = wren.send_raw(request).await;
    let mut body = response.into_body();
    let first = body.frame().await.unwrap().unwrap();
    assert!(first.is_data());
    drop(body);
    let job = only_job(&app).await;
    has_part(&app, job, "personality").await;
    for _ in 0..200 {
        gate.notify_waiters();
        if status(&app, job).await == "done" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the work did not go on");
}

#[tokio::test]
async fn a_crash_leaves_an_interrupted_job_that_goes_on() {
    let app = TestApp::new().await;
    let (_, asking, job) = half_done(&app).await;
    // Another process, after this one is gone and its lease has run out.
    let other = app.again();
    behaves(&other.model);
    sqlx::query("update jobs set lease_until = now() - interval '1 second', node_id = gen_random_uuid()")
        .execute(&mut app.sql().await)
        .await
        .unwrap();
    crate::ocs::summon::store::sweep(&other.state).await.unwrap();
    assert_eq!(status(&other, job).await, "interrupted");
    run::start(&other.state, job).await.unwrap();
    until(&other, job, "done").await;
    let asked = other.model.requests.lock().unwrap();
    assert!(asked.iter().all(|r| !wanted(r).contains(&"description")));
    drop(asked);
    asking.abort();
}

#[tokio::test]
async fn shutting_down_interrupts_and_keeps() {
    let app = TestApp::new().await;
    let (_, asking, job) = half_done(&app).await;
    app.state.shutdown.cancel();
    until(&app, job, "interrupted").await;
    assert_eq!(asking.await.unwrap().status, 503);
}
