//! Secrets: whatever is done with them, no line of the log, no answer, no event and no row tells them.
//!
//! The site runs in a runtime whose threads all write into one log, at its most talkative level and in both forms, and
//! behind a wall that keeps every answer. Then people and admins do everything that needs a secret, well and badly.

use super::{
    Answer, Client, TestApp,
    log::{self, Kept},
    models::{Fake, add_model, add_provider, dump, hex, reach, save_provider, set_defaults, talk},
};
use crate::server::{
    config::{Cli, Command},
    database::Database,
    telemetry,
};
use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{Method, header},
    middleware::{self, Next},
    response::Response,
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use clap::Parser;
use futures::StreamExt;
use serde_json::json;
use std::{
    io::Write,
    sync::{Arc, Mutex},
};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

/// How much of a secret is already too much, in characters.
const TOO_MUCH: usize = 12;

/// Everything that was answered: by which path, and what.
#[derive(Clone, Default)]
struct Answers {
    all: Arc<Mutex<Vec<(String, Kept)>>>,
    /// Values of cookies that open something.
    cookies: Arc<Mutex<Vec<String>>>,
}

impl Answers {
    /// The site, with every answer kept: its head but for the cookies, whose purpose is to carry a secret, and its body.
    fn of(&self, router: Router) -> Router {
        let answers = self.clone();
        router.layer(middleware::from_fn(move |request: Request, next: Next| {
            let answers = answers.clone();
            async move {
                let path = request.uri().path().to_owned();
                let (head, body) = next.run(request).await.into_parts();
                let mut kept = Kept::default();
                for (name, value) in &head.headers {
                    if name == header::SET_COOKIE {
                        let cookie = value.to_str().unwrap().split(['=', ';']).nth(1).unwrap().to_owned();
                        if cookie.len() > TOO_MUCH {
                            answers.cookies.lock().unwrap().push(cookie);
                        }
                    } else {
                        writeln!(kept, "{name}: {}", String::from_utf8_lossy(value.as_bytes())).unwrap();
                    }
                }
                answers.all.lock().unwrap().push((path, kept.clone()));
                let body = body.into_data_stream().inspect(move |bytes| {
                    if let Ok(bytes) = bytes {
                        let _ = kept.clone().write(bytes);
                    }
                });
                Response::from_parts(head, Body::from_stream(body))
            }
        }))
    }
}

/// A secret, and the paths whose answers may tell it.
struct Secret {
    name: &'static str,
    value: String,
    told_by: &'static [&'static str],
}

impl Secret {
    /// A secret that nothing may tell.
    fn new(name: &'static str, value: &str) -> Self {
        Self { name, value: value.to_owned(), told_by: &[] }
    }

    /// The ways in which it could be written, all in one.
    fn forms(&self) -> Vec<String> {
        let bytes = self.value.as_bytes();
        let plain: String = url::form_urlencoded::byte_serialize(bytes).collect();
        let numbers = bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
        let mut forms = vec![
            self.value.chars().take(TOO_MUCH).collect(),
            plain.chars().take(TOO_MUCH).collect(),
            plain.replace('+', "%20").chars().take(TOO_MUCH).collect(),
            hex(&self.value),
            numbers,
        ];
        // In base64 it looks different behind one or two other bytes; what depends on the bytes around it is left out.
        for (before, skipped) in [0, 2, 3].into_iter().enumerate() {
            let padded = [vec![0; before], bytes.to_vec()].concat();
            for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                let whole = engine.encode(&padded);
                forms.push(whole[skipped..whole.len() - 2].to_owned());
            }
        }
        forms.sort();
        forms.dedup();
        forms
    }
}

/// The piece of a text around what should not be in it.
fn found(text: &str, forms: &[String]) -> Option<String> {
    forms.iter().find_map(|form| {
        let at = text.find(form.as_str())?;
        let from = text[..at].char_indices().rev().nth(200).map_or(0, |(i, _)| i);
        Some(text[from..].chars().take(400).collect())
    })
}

/// Fails with every place that tells a secret.
async fn nothing_tells(secrets: &[Secret], app: &TestApp, answers: &Answers, log: &str) {
    let rows = dump(app).await;
    let all = answers.all.lock().unwrap();
    let mut told = Vec::new();
    for secret in secrets {
        assert!(secret.value.len() > TOO_MUCH, "{} is too short to be looked for", secret.name);
        let forms = secret.forms();
        told.extend(found(log, &forms).map(|piece| format!("{} in the log: {piece}", secret.name)));
        told.extend(found(&rows, &forms).map(|piece| format!("{} in the database: {piece}", secret.name)));
        for (path, answer) in all.iter().filter(|(path, _)| !secret.told_by.iter().any(|p| path.starts_with(p))) {
            let piece = found(&answer.text(), &forms);
            told.extend(piece.map(|piece| format!("{} in an answer of {path}: {piece}", secret.name)));
        }
    }
    assert!(told.is_empty(), "{}", told.join("\n\n"));
}

/// A form that is refused or not, and the page that it comes back to.
async fn form(client: &Client, path: &str, page: &str, fields: &[(&str, &str)]) -> Answer {
    let answer = client.post_form_from(path, page, fields).await;
    let back = answer.location().trim_start_matches("http://127.0.0.1:3000").to_owned();
    if back.starts_with('/') {
        client.get(back.split('#').next().unwrap()).await;
    }
    answer
}

/// Passwords: of a sign-up, of a wrong sign-in, of a change.
async fn passwords(app: &TestApp) -> (Vec<Secret>, Client) {
    let [weak, first, second, wrong] =
        ["canaryshort", "Perlmutt canary kiosk 71", "Quarzit canary fjord 28", "Wrongly canary typed 55"];
    let client = app.client();
    let sign_up = |password| {
        [
            ("username", "ada"),
            ("email", "ada@example.org"),
            ("password", password),
            ("birth_date", super::BORN),
            ("terms", "true"),
        ]
    };
    form(&client, "/sign-up", "/sign-up", &sign_up(weak)).await;
    form(&client, "/sign-up", "/sign-up", &sign_up(first)).await;
    assert_eq!(client.get_json("/api/me").await.status, 200, "signed up");
    // A name that is taken, with a password that would do.
    form(&app.client(), "/sign-up", "/sign-up", &sign_up(wrong)).await;
    for password in [wrong, first] {
        form(&client, "/fn/accounts/confirm_password", "/confirm", &[("form[password]", password)]).await;
    }
    for again in [wrong, second] {
        let fields = [("form[password]", second), ("form[password_again]", again)];
        form(&client, "/fn/accounts/change_password", "/settings/account", &fields).await;
    }
    for password in [first, wrong, second] {
        let other = app.client();
        form(&other, "/sign-in", "/sign-in", &[("login", "ada"), ("password", password)]).await;
        other.post_json("/api/sessions", &json!({"login": "ada", "password": password})).await;
        form(&other, "/fn/accounts/sign_out", "/", &[]).await;
    }
    // Requests that are broken where the password is: whoever reads them must not repeat it.
    for body in [
        json!(wrong),
        json!([wrong]),
        json!({"login": "ada", "password": {wrong: wrong}}),
        json!({wrong: 1}),
        json!({"login": 1, "password": [wrong]}),
    ] {
        for path in ["/api/sessions", "/api/accounts"] {
            let answer = client.post_json(path, &body).await;
            assert!((400..500).contains(&answer.status), "{}", answer.text);
        }
    }
    let secrets = vec![
        Secret { name: "the first password", value: first.to_owned(), told_by: &["/sign-in"] },
        // Typed before it was set, or after: a wrong one comes back at the door.
        Secret { name: "the new password", value: second.to_owned(), told_by: &["/sign-in"] },
        // A form that is refused comes back as it was filled in, to whoever filled it in.
        Secret { name: "a wrong password", value: wrong.to_owned(), told_by: &["/sign-up", "/sign-in"] },
    ];
    (secrets, client)
}

/// API tokens: made both ways, used, wrong.
async fn tokens(client: &Client) -> Vec<Secret> {
    let told_by: &[&str] = &["/api/tokens", "/settings/tokens"];
    let made = client.post_json("/api/tokens", &json!({"name": "script", "scopes": ["read", "write"]})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let token = made.json()["token"].as_str().expect("the token").to_owned();
    let fields = [("form[name]", "other"), ("form[access]", "read")];
    client.post_form_from("/fn/accounts/create_token", "/settings/tokens", &fields).await;
    let mut program = client.clone();
    program.bearer = Some(token.clone());
    assert_eq!(program.get_json("/api/me").await.status, 200);
    program.post_json("/api/tokens", &json!({"name": "one more", "scopes": ["read"]})).await;
    let wrong = format!("{}zzzz", &token[..token.len() - 4]);
    program.bearer = Some(wrong);
    assert_eq!(program.get_json("/api/me").await.status, 401);
    vec![Secret { name: "an API token", value: token, told_by }]
}

/// The one-time link of the first admin, and the admin.
async fn first_admin(app: &TestApp) -> (Vec<Secret>, Client) {
    let password = "Regent canary obelisk 93";
    let client = app.client();
    let account = json!({
        "username": "keeper", "email": "keeper@example.org", "password": password, "birth_date": super::BORN,
    });
    let made = client.post_json("/api/accounts", &account).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let code = made.json()["recovery_codes"][0].as_str().expect("a code").to_owned();
    form(&app.client(), "/forgot", "/forgot", &[("login", "keeper"), ("code", &code), ("password", "short")]).await;
    let link = crate::accounts::store::first_admin_link(&app.state).await.unwrap().unwrap();
    let token = link.rsplit('/').next().unwrap().to_owned();
    let path = format!("/setup/{token}");
    app.client().get(&path).await;
    client.get(&path).await;
    let wrong: String = token.chars().rev().collect();
    client.get(&format!("/setup/{wrong}")).await;
    form(&client, "/fn/accounts/claim_admin", &format!("/setup/{wrong}"), &[("token", &wrong)]).await;
    let done = client.post_form_from("/fn/accounts/claim_admin", &path, &[("token", &token)]).await;
    assert_eq!(done.location(), "/settings?admin=1");
    // Once more, with a link that has been used.
    form(&client, "/fn/accounts/claim_admin", &path, &[("token", &token)]).await;
    let secrets = vec![
        Secret::new("the admin's password", password),
        Secret { name: "a recovery code", value: code, told_by: &["/api/accounts", "/forgot"] },
        // Whoever opens the link knows it: the page is its own.
        Secret { name: "the one-time link", value: token, told_by: &["/setup/", "/sign-", "/fn/accounts/claim_admin"] },
    ];
    (secrets, client)
}

/// Keys of providers and of people: kept, used, refused by a provider who repeats them, mistyped.
async fn keys(app: &TestApp, keeper: &Client, ada: &Client) -> Vec<Secret> {
    let [key, own, typed] =
        ["sk-provider-canary-4711-abcd", "sk-ownkey-canary-0815-wxyz", "sk-mistyped-canary-2222-efgh"];
    let fake = Fake::default();
    let host = fake.listen().await;
    reach(keeper, &host, "yes").await;
    let provider = add_provider(keeper, "Far", &format!("http://{host}/v1"), key).await;
    let model = add_model(keeper, &provider, "far-1").await;
    set_defaults(keeper, &model, "").await;
    for refused in
        [("form[base_url]", "nowhere"), ("form[kind]", "abacus"), ("form[enabled]", "perhaps"), ("form[id]", "x")]
    {
        save_provider(keeper, &[("form[secret_key]", typed), ("form[name]", "Wrong"), refused]).await;
    }
    let (oc, try_it) = (app.oc("lumina").await, format!("/admin/models/model/{model}/try"));
    let (sent, run) = talk(app, ada, &oc, None).await;
    assert_eq!(run["status"], "done", "{run}");
    let conversation = sent["conversation_id"].as_str().unwrap().to_owned();
    form(keeper, &try_it, "/admin/models", &[("prompt", "Hello")]).await;
    fake.set_broken(true);
    let (_, run) = talk(app, ada, &oc, Some(&conversation)).await;
    assert_eq!(run["status"], "failed", "{run}");
    let run = run["run_id"].as_str().unwrap().to_owned();
    form(keeper, &try_it, "/admin/models", &[("prompt", "Hello")]).await;
    ada.post_json(&format!("/api/chat/{oc}/impersonate"), &json!({"conversation_id": conversation})).await;
    ada.post_json("/api/oc/summon", &json!({"description": "A shy lighthouse keeper who collects storms"})).await;

    // One's own key: at an address that nobody has, and at one that is inside the network.
    let own_key =
        |url| [("form[kind]", "openai"), ("form[base_url]", url), ("form[model]", "mine"), ("form[secret_key]", own)];
    form(ada, "/fn/models/save_own_key", "/settings/models", &own_key("not an address")).await;
    form(ada, "/fn/models/save_own_key", "/settings/models", &own_key("https://own-key.invalid/v1")).await;
    let mut sql = app.sql().await;
    let id: uuid::Uuid = sqlx::query_scalar("select user_key_id from user_keys").fetch_one(&mut sql).await.unwrap();
    let path = format!("/api/conversations/{conversation}/model");
    assert_eq!(ada.json(Method::PUT, &path, &json!({"model": format!("own:{id}")}), &[]).await.status, 204);
    assert_eq!(talk(app, ada, &oc, Some(&conversation)).await.1["status"], "failed");
    let inside = format!("http://{host}/v1");
    sqlx::query("update user_keys set base_url = $1").bind(&inside).execute(&mut sql).await.unwrap();
    assert_eq!(talk(app, ada, &oc, Some(&conversation)).await.1["status"], "failed");

    for path in ["/settings/usage", "/settings/models", "/api/usage", "/api/models", "/api/conversations"] {
        assert_eq!(ada.get(path).await.status, 200, "{path}");
    }
    for path in [
        format!("/chat/{conversation}"),
        format!("/chat/{conversation}/receipt/{run}"),
        format!("/api/runs/{run}/receipt"),
        format!("/api/runs/{run}/events"),
        format!("/api/conversations/{conversation}/messages"),
    ] {
        assert_eq!(ada.get(&path).await.status, 200, "{path}");
    }
    for path in [
        "/admin".to_owned(),
        "/admin/models".to_owned(),
        format!("/admin/models/provider/{provider}"),
        format!("/admin/models/model/{model}"),
        "/metrics".to_owned(),
    ] {
        assert_eq!(keeper.get(&path).await.status, 200, "{path}");
    }
    vec![
        Secret::new("a provider's key", key),
        Secret::new("somebody's own key", own),
        Secret::new("a key in a refused form", typed),
    ]
}

/// What the operator sets: the database's password, keys of the environment, the master key.
async fn settings(app: &TestApp) -> Vec<Secret> {
    let (password, key) = ("Databank-canary-3141", "sk-operator-canary-6666-ijkl");
    let cluster: url::Url = std::env::var("TEST_DATABASE_URL").unwrap().parse().unwrap();
    let with_password = |mut url: url::Url| {
        url.set_password(Some(password)).unwrap();
        url.to_string()
    };
    let nowhere = "postgres://nobody@127.0.0.1:1/nothing?host=%2Fnowhere&frobnicate=yes".parse().unwrap();
    let broken = with_password(cluster.clone()).replacen("postgres://", "postgres://[", 1);
    for url in [with_password(cluster), with_password(nowhere), broken] {
        let data = std::env::temp_dir().join("sf-never-made").display().to_string();
        let flags = ["soulforge", "serve", "--data", &data, "--database-url", &url, "--openai-api-key", key];
        let Ok(cli) = Cli::try_parse_from(flags) else { panic!("flags") };
        let Command::Serve(config) = cli.command else { panic!("asked for serve") };
        tracing::info!(?config, "settings can be printed");
        let reached = match Database::open(&config.place).await {
            Ok(database) => database.owner().await.map(drop),
            Err(error) => Err(error),
        };
        // As the process ends when it cannot begin.
        if let Err(error) = reached {
            tracing::error!("{error}");
        }
    }
    let file = app.state.config.place.data.join(crate::server::vault::FILE);
    let before = std::fs::read_to_string(&file).unwrap();
    crate::models::rotate(&app.state.db, &app.state.vault, true).await.unwrap();
    let after = std::fs::read_to_string(&file).unwrap();
    assert_ne!(before, after);
    vec![
        Secret::new("the database's password", password),
        Secret::new("the operator's key", key),
        Secret::new("the master key", before.trim()),
        Secret::new("the new master key", after.trim()),
    ]
}

#[test]
fn no_secret_is_written_or_told() {
    let (words, lines) = (Kept::default(), Kept::default());
    let log = log::dispatch(
        tracing_subscriber::registry()
            .with(EnvFilter::new("trace"))
            .with(telemetry::lines(false, words.clone()))
            .with(telemetry::lines(true, lines.clone())),
    );
    let on_each_thread = log.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        // For as long as the thread is there; other tests' threads have none and write nothing.
        .on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&on_each_thread)))
        .build()
        .unwrap();
    let _here = log.set_default();
    runtime.block_on(async {
        let mut app = TestApp::new().await;
        let answers = Answers::default();
        app.router = answers.of(app.router.clone());

        let (mut secrets, ada) = passwords(&app).await;
        secrets.extend(tokens(&ada).await);
        let (found, keeper) = first_admin(&app).await;
        secrets.extend(found);
        secrets.extend(keys(&app, &keeper, &ada).await);
        secrets.extend(settings(&app).await);
        let cookies = answers.cookies.lock().unwrap().clone();
        assert!(cookies.len() > 5, "{cookies:?}");
        secrets.extend(cookies.iter().map(|value| Secret::new("a session's cookie", value)));

        // What is looked for would be found, on every kind of thread.
        tokio::spawn(async { tracing::trace!("on a worker") }).await.unwrap();
        tokio::task::spawn_blocking(|| tracing::trace!("beside the workers")).await.unwrap();
        let log = words.text() + &lines.text();
        for part in
            ["on a worker", "beside the workers", "answered", "select ", "\"route\":\"/setup/{token}\"", "/setup/…"]
        {
            assert!(log.contains(part), "{part} is not in the log");
        }
        assert!(
            answers
                .all
                .lock()
                .unwrap()
                .iter()
                .any(|(path, answer)| path == "/api/tokens" && answer.text().contains("\"token\""))
        );
        nothing_tells(&secrets, &app, &answers, &log).await;
    });
}

#[test]
fn a_secret_is_found_in_every_form() {
    let secret = Secret::new("a password", "Perl mutt/canary+kiosk 71");
    let forms = secret.forms();
    let value = &secret.value;
    let encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    for text in [
        format!("password={value}"),
        format!("cut off: {}…", &value[..TOO_MUCH]),
        encoded.clone(),
        encoded.replace('+', "%20"),
        hex(value),
        format!("{:?}", value.as_bytes()),
        STANDARD_NO_PAD.encode(value),
        STANDARD_NO_PAD.encode(format!("a{value}b")),
        URL_SAFE_NO_PAD.encode(format!("ab{value}")),
        URL_SAFE_NO_PAD.encode(format!("{{\"password\":\"{value}\"}}")),
    ] {
        assert!(found(&text, &forms).is_some(), "{text}");
    }
    assert!(found("Perl mutt", &forms).is_none());
}
