//! *Canary*: what a person keeps private is in no answer to anybody else, whatever they ask, also after they have used the very thing
//! that it belongs to: talked with the character, had the reply written, looked at what went into it.

use super::{Site, from_here, list::Kind};
use crate::tests::{
    Client, TestApp,
    ocs::{made, mira, with},
    rights::plate,
};
use axum::body::BodyDataStream;
use futures::StreamExt;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};
use std::{collections::BTreeMap, time::Duration};

/// Private things of the one who is looked at: where it is kept, and the word that stands there.
fn canaries() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        ("the e-mail address", "quollmail"),
        ("instructions of a public character", "quollsystem"),
        ("what a public character is told after the talk", "quollafter"),
        ("a public character's base prompt", "quollbase"),
        ("rules of a public character", "quollrules"),
        ("the imported card of a public character", "quollcard"),
        ("an earlier version of a public character", "quollversion"),
        // With its blanks: the address that it is asked by has none.
        ("a draft's name", "quolldraft the"),
        ("a draft's description", "quollhidden"),
        ("a draft's introduction", "quollintro"),
        ("a message", "quollmessage"),
        ("a conversation's title", "quolltitle"),
        ("a conversation's instructions", "quollorders"),
        ("a conversation's note", "quollnote"),
        ("a memory", "quollmemory"),
        ("a persona", "quollpersona"),
        ("an API token's name", "quolltoken"),
        ("the address of an own key", "quollkey"),
        ("what was typed into a refused form", "quolltyped"),
        ("preferences", "quollprefs"),
        ("the sentence of a summon", "quollsummon"),
        ("what was noted of the account", "quollnoted"),
        ("a device", "quollagent"),
        // A day that nobody else was born on.
        ("the day of birth", "1913-07-29"),
    ])
}

/// Gives a person everything private that there is.
async fn fill(app: &TestApp, ada: &Client, id: crate::ids::UserId) -> (Value, Value) {
    let public =
        with(with(mira(), "name", json!("Harrow Keeper")), "system_prompt", json!("Speak of quollversion only."));
    let public = made(ada, &with(public, "is_public", json!(true))).await;
    let change = json!({"system_prompt": "Speak of quollsystem only.", "title": "Keeper of lamps",
                        "post_history_instructions": "Never say quollafter."});
    let path = format!("/api/ocs/{}", public["id"].as_str().unwrap());
    let changed = ada.json(axum::http::Method::PATCH, &path, &change, &[]).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let draft =
        with(with(mira(), "name", json!("Quolldraft the Unseen")), "description", json!("A quollhidden keeper."));
    let draft = made(ada, &draft).await;
    assert_eq!(plate(ada, draft["slug"].as_str().unwrap(), 16).await.status, 204);
    let said = ada
        .post_json(
            &format!("/api/chat/{}/message", draft["id"].as_str().unwrap()),
            &json!({"content": "I am quollmessage."}),
        )
        .await;
    assert_eq!(said.status, 202, "{}", said.text);
    let refused = [("form[username]", "quolltyped !"), ("form[display_name]", "quolltyped")];
    ada.post_form_from("/fn/accounts/save_profile", "/settings/profile", &refused).await;
    let mut sql = app.sql().await;
    let (public_id, draft_id) = (public["id"].as_str().unwrap(), draft["id"].as_str().unwrap());
    for statement in [
        "update ocs set base_prompt = 'quollbase', scene_behavior_rules = 'quollrules' where oc_id = '{public}'",
        "insert into oc_cards (oc_id, user_id, name, data) values ('{public}', '{ada}', 'quollcard',
             '{\"name\": \"quollcard\", \"description\": \"quollcard\", \"note\": \"quollcard\"}')",
        "update ocs set introduction = '{\"title\": \"quollintro\", \"content\": \"quollintro\"}' where oc_id = '{draft}'",
        "update users set email = 'quollmail@example.org' where user_id = '{ada}'",
        "update profile_private set birth_date = '1913-07-29', preferences = '{\"a\": \"quollprefs\"}' where user_id = '{ada}'",
        "update conversations set title = 'quolltitle', instructions = 'quollorders', note = 'quollnote' where user_id = '{ada}'",
        "insert into memories (oc_id, user_id, content) values ('{public}', '{ada}', 'quollmemory')",
        "insert into personas (user_id, name, description, is_default) values ('{ada}', 'quollpersona', 'quollpersona', true)",
        "insert into api_tokens (user_id, name, token_hash, hint, scopes) values ('{ada}', 'quolltoken', sha256('q'), 'sf_q', array['read'])",
        "insert into user_keys (user_id, kind, base_url, model, context_tokens, sealed_key, wrapped_key, master_key_id, key_last_four)
             values ('{ada}', 'openai', 'https://quollkey.example', 'quollkey', 4096, 's', 'w', 'k', '1234')",
        "insert into jobs (user_id, job_type, status, prompt) values ('{ada}', 'summon', 'done', 'quollsummon')",
        "insert into activity_log (user_id, action) values ('{ada}', 'quollnoted')",
        "update sessions set user_agent = 'quollagent' where user_id = '{ada}'",
    ] {
        let text = statement.replace("{ada}", &id.to_string()).replace("{public}", public_id).replace("{draft}", draft_id);
        let done = sqlx::query(AssertSqlSafe(text)).execute(&mut sql).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
        assert!(done.rows_affected() > 0, "{statement}");
    }
    (public, draft)
}

/// Every id in a row of somebody's, or of what they have: what a stranger could have seen somewhere.
async fn ids_of(sql: &mut PgConnection, user: crate::ids::UserId) -> Vec<String> {
    let mut ids = vec![user.to_string()];
    for text in [
        "select oc_id::text from ocs where owner_id = $1",
        "select conversation_id::text from conversations where user_id = $1",
        "(select message_id::text from messages where user_id = $1 order by message_id desc limit 3)",
        "(select run_id::text from runs where user_id = $1 order by run_id desc limit 2)",
        "select persona_id::text from personas where user_id = $1",
        "select job_id::text from jobs where user_id = $1",
        "select form_draft_id::text from form_drafts where user_id = $1",
    ] {
        let found: Vec<String> = sqlx::query_scalar(text).bind(user.0).fetch_all(&mut *sql).await.expect("ids");
        ids.extend(found);
    }
    ids
}

/// Asks, and gives everything that was said: headers, the body, of a stream its first half second.
async fn heard(client: &Client, request: axum::http::Request<axum::body::Body>) -> String {
    let (parts, body) = client.send_raw(request).await.into_parts();
    let mut said = format!("{:?}\n", parts.headers);
    let is_stream = parts.headers.get("content-type").is_some_and(|t| t.as_bytes().starts_with(b"text/event-stream"));
    let mut pieces: BodyDataStream = body.into_data_stream();
    let wait = Duration::from_millis(if is_stream { 300 } else { 30_000 });
    while let Ok(Some(Ok(piece))) = tokio::time::timeout(wait, pieces.next()).await {
        said.push_str(&String::from_utf8_lossy(&piece));
    }
    said.to_lowercase()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_private_is_in_no_answer_to_others() {
    let mut site = Site::new().await;
    let (ada, ada_id) = site.app.person("ada").await;
    let (public, draft) = fill(&site.app, &ada, ada_id).await;
    // Everything is there for its owner: canaries that nobody could find would prove nothing.
    let own = [
        format!("/api/ocs/{}", public["id"].as_str().unwrap()),
        format!("/c/{}/versions", public["slug"].as_str().unwrap()),
        format!("/c/{}/edit", draft["slug"].as_str().unwrap()),
        "/api/me".to_owned(),
        "/settings/account".to_owned(),
        "/settings/devices".to_owned(),
        "/settings/personas".to_owned(),
        "/api/search/messages?q=quollmessage".to_owned(),
        "/api/conversations".to_owned(),
        "/settings/models".to_owned(),
        format!("/api/ocs/{}/export?format=json", public["id"].as_str().unwrap()),
    ];
    let mut seen = String::new();
    for path in &own {
        seen.push_str(&ada.get(path).await.text.to_lowercase());
    }
    for what in [
        "the e-mail address",
        "instructions of a public character",
        "what a public character is told after the talk",
        "the imported card of a public character",
        "a draft's name",
        "a draft's introduction",
        "a message",
        "a conversation's title",
        "a persona",
        "an API token's name",
        "the address of an own key",
        "the day of birth",
    ] {
        assert!(seen.contains(canaries()[what]), "{what} is not even shown to its owner");
    }

    // Ben uses the character: a talk, a reply, another wording of it, what went into it.
    // A large model gets all of it.
    site.app.model.context.store(50_000, std::sync::atomic::Ordering::SeqCst);
    let (ben, ben_id) = site.app.person("ben").await;
    let path = format!("/api/chat/{}/message", public["id"].as_str().unwrap());
    let said = ben.post_json(&path, &json!({"content": "Good evening"})).await;
    assert_eq!(said.status, 202, "{}", said.text);
    let run = said.json()["run_id"].as_str().unwrap().to_owned();
    for _ in 0..200 {
        if ben.get_json(&format!("/api/runs/{run}")).await.text.contains("done") || site.app.state.runs.count() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let asked: String = site.app.model.requests.lock().unwrap().iter().map(|r| format!("{r:?}")).collect();
    assert!(
        asked.contains("quollsystem") && asked.contains("quollafter"),
        "the character's instructions were not used, so their silence proves nothing: {asked}"
    );

    let mut ids = ids_of(&mut site.sql, ada_id).await;
    ids.extend(ids_of(&mut site.sql, ben_id).await);
    ids.push(run);
    let slugs = [public["slug"].as_str().unwrap(), draft["slug"].as_str().unwrap()];
    let mut endpoints = site.endpoints.clone();
    // What takes away comes last, so that what reads has something to read.
    endpoints.sort_by_key(|e| (!e.is_read(), e.method == axum::http::Method::DELETE || e.route.contains("delete")));
    let (mut questions, mut faults) = (0, Vec::new());
    let anybody = site.app.client();
    for endpoint in &endpoints {
        let things: Vec<&str> =
            if endpoint.has_ids() { ids.iter().map(String::as_str).collect() } else { vec![ids[0].as_str()] };
        for (n, thing) in things.iter().enumerate() {
            // Whoever is not signed in knows no more than somebody who is, so one thing of each kind of question is enough.
            for who in [&ben, &anybody].into_iter().take(if n == 0 { 2 } else { 1 }) {
                let request = endpoint.request(|_, leaf| match leaf.last() {
                    "username" if leaf.kind == Kind::Text && endpoint.is_read() => "ada".to_owned(),
                    _ => leaf.naming(thing, slugs[n % 2]),
                });
                let who = if endpoint.name().contains("sign_out")
                    || endpoint.name().contains("sessions")
                    || endpoint.name().contains("delete_account")
                {
                    &anybody
                } else {
                    who
                };
                let said = heard(who, from_here(request)).await;
                questions += 1;
                for (what, word) in canaries() {
                    if said.contains(word) {
                        faults.push(format!("{what} ({word}) in the answer to {} with {thing}", endpoint.name()));
                    }
                }
            }
        }
    }
    faults.sort();
    faults.dedup_by_key(|fault| fault.split(" with ").next().map(str::to_owned));
    assert!(questions > 500, "only {questions} questions");
    assert!(faults.is_empty(), "somebody else is told what is private:\n{}", faults.join("\n"));
    // The second page of a refused form is only for whoever typed it.
    let kept: Vec<String> = sqlx::query_scalar("select form_draft_id::text from form_drafts where user_id = $1")
        .bind(ada_id.0)
        .fetch_all(&mut site.sql)
        .await
        .unwrap();
    assert!(!kept.is_empty());
    for id in kept {
        for page in ["/settings/profile", "/sign-up", "/summon"] {
            let said = heard(
                &ben,
                from_here(
                    axum::http::Request::get(format!("{page}?__draft={id}")).body(axum::body::Body::empty()).unwrap(),
                ),
            )
            .await;
            assert!(!said.contains("quolltyped"), "{page} shows what somebody else typed");
        }
    }
}
