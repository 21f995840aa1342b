//! Credentials end, tries are counted by the account, admins type their password, and what people keep has a measure.

use super::{
    Answer, BORN, Client, PASSWORD, TestApp,
    avatars::{png, upload},
    ocs::{made, mira, with},
};
use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::{Value, json};
use sqlx::{Executor, Row};
use std::{collections::BTreeSet, os::unix::fs::PermissionsExt};

const OTHER: &str = "amber thicket whistles softly";

async fn sign_in(client: &Client, login: &str, password: &str) -> u16 {
    client.post_json("/api/sessions", &json!({"login": login, "password": password})).await.status
}

async fn token(client: &Client) -> Answer {
    client.post_json("/api/tokens", &json!({"name": "script", "scopes": ["read", "write"]})).await
}

/// A program that has a token.
async fn program(app: &TestApp, client: &Client) -> Client {
    let made = token(client).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let mut program = app.client();
    program.bearer = made.json()["token"].as_str().map(str::to_owned);
    assert_eq!(program.get_json("/api/me").await.status, 200);
    program
}

async fn make_stale(app: &TestApp) {
    app.sql().await.execute("update sessions set authenticated_at = now() - interval '1 hour'").await.unwrap();
}

/// Every spelling that signs in to an account takes from the same tries; it is the account that is guessed at.
#[tokio::test]
async fn all_spellings_of_an_account_share_their_tries() {
    let app = TestApp::new().await;
    let body =
        json!({"username": "mississippi_v", "email": "river@example.org", "password": PASSWORD, "birth_date": BORN});
    assert_eq!(app.client().post_json("/api/accounts", &body).await.status, 201);
    let spellings = [
        "mississippi_v",
        "MISSISSIPPI_V",
        "Mississippi_v",
        "mİssissippi_v",
        "mİssİssİppİ_v",
        "river@example.org",
        "RİVER@Example.org",
    ];
    let buckets = async || -> BTreeSet<String> {
        let keys = sqlx::query_scalar(r"select key from limit_buckets where key like 'sign\_in\_%'");
        keys.fetch_all(&mut app.sql().await).await.unwrap().into_iter().collect()
    };
    let (mut signs_in, mut seen) = (0, BTreeSet::new());
    for spelling in spellings {
        app.sql().await.execute("delete from limit_buckets").await.unwrap();
        if sign_in(&app.client(), spelling, PASSWORD).await == 201 {
            signs_in += 1;
            seen.extend(buckets().await);
        }
    }
    // How letters fold is the database's business; the plain ones fold everywhere.
    assert!(signs_in >= 4, "{signs_in}");
    assert_eq!(seen.len(), 2, "one bucket for this network and one for all: {seen:?}");
    app.sql().await.execute("delete from limit_buckets").await.unwrap();
    sign_in(&app.client(), "nobody_of_this_name", PASSWORD).await;
    let unknown = buckets().await;
    assert!(unknown.iter().all(|key| !key.contains("nobody") && !seen.contains(key)), "{unknown:?}");
}

/// Strangers spend an account's tries from anywhere; the browser that has been signed in before has its own.
#[tokio::test]
async fn strangers_do_not_keep_the_owner_out() {
    let app = TestApp::with(&["--limit-factor", "0.5"]).await;
    let (owner, _) = app.person("ada").await;
    assert!(owner.cookies().contains_key("sf_device"), "the browser is remembered");
    let full = "insert into limit_buckets (key, tokens)
                select 'sign_in_target:' || user_id, 0 from users on conflict (key) do update set tokens = 0, updated_at = now()";
    app.sql().await.execute(full).await.unwrap();
    owner.post_form("/fn/accounts/sign_out", &[]).await;
    assert!(owner.cookies().contains_key("sf_device"), "also after signing out");
    assert_eq!(sign_in(&app.client(), "ada", PASSWORD).await, 429, "somebody else's browser");
    let forger = app.client();
    forger.set_cookie("sf_device", "AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(sign_in(&forger, "ada", PASSWORD).await, 429, "a cookie that somebody made up");
    assert_eq!(sign_in(&owner, "ada", PASSWORD).await, 201);
    // Its own tries are few as well, or a stolen cookie would be a way round.
    let mut last = 0;
    for _ in 0..7 {
        last = sign_in(&owner, "ada", OTHER).await;
    }
    assert_eq!(last, 429);
    // And it is a cookie for this account alone.
    let (eve, _) = app.person("eve").await;
    app.sql().await.execute("delete from limit_buckets").await.unwrap();
    app.sql().await.execute(full).await.unwrap();
    assert_eq!(sign_in(&eve, "ada", PASSWORD).await, 429);
}

/// Each answer about a name or an address tells whether somebody has it: there are not many of them.
#[tokio::test]
async fn nobody_asks_for_addresses_without_end() {
    let app = TestApp::new().await;
    app.person("known").await;
    let strict = app.again_with(&["--limit-factor", "0.5"]);
    let (ada, _) = app.person("ada").await;
    let ada = strict.as_client(&ada);
    for (path, fields) in [
        ("/fn/accounts/change_email", [("form[email]", "known@example.org"), ("x", "")]),
        ("/fn/accounts/save_profile", [("form[username]", "known"), ("form[display_name]", "Ada")]),
    ] {
        strict.sql().await.execute("delete from limit_buckets").await.unwrap();
        let mut statuses = Vec::new();
        for _ in 0..7 {
            statuses.push(ask(&ada, path, &fields).await.status);
        }
        assert_eq!(statuses, [409, 409, 409, 409, 409, 429, 429], "{path}");
    }
    let mut statuses = BTreeSet::new();
    for n in 0..12 {
        let body = json!({"username": format!("new_{n}"), "email": "known@example.org", "password": PASSWORD, "birth_date": BORN});
        statuses.insert(strict.client().post_json("/api/accounts", &body).await.status);
    }
    assert_eq!(statuses, BTreeSet::from([409, 429]));
}

/// Posts a form as a page with scripts does.
async fn ask(client: &Client, path: &str, fields: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept", "application/json")
        .header("sec-fetch-site", "same-origin");
    client.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn a_token_is_made_by_somebody_who_just_typed_the_password() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    assert_eq!(token(&ada).await.status, 201);
    make_stale(&app).await;
    let refused = token(&ada).await;
    assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (403, Some("confirm_password")));
    let fields = [("form[name]", "x"), ("form[access]", "write")];
    assert_eq!(ask(&ada, "/fn/accounts/create_token", &fields).await.status, 403);
    let page = ada.get("/settings/tokens").await.text;
    assert!(page.contains("/confirm?next=/settings/tokens") && !page.contains("Create token"), "{page}");
    let confirm = [("form[password]", PASSWORD), ("form[next]", "/settings/tokens")];
    ada.post_form_from("/fn/accounts/confirm_password", "/confirm", &confirm).await;
    assert!(ada.get("/settings/tokens").await.text.contains("Create token"));
    assert_eq!(token(&ada).await.status, 201);
}

#[tokio::test]
async fn tokens_end_by_themselves_by_one_button_and_with_the_password() {
    let app = TestApp::new().await;
    let (ada, id) = app.person("ada").await;
    // By themselves: ninety days, or as many as were chosen.
    let days = async |made: Answer| -> i64 {
        assert_eq!(made.status, 201, "{}", made.text);
        let at: chrono::DateTime<chrono::Utc> = made.json()["expires_at"]["iso"].as_str().unwrap().parse().unwrap();
        (at - chrono::Utc::now()).num_hours().div_euclid(24) + 1
    };
    assert_eq!(days(token(&ada).await).await, 90);
    let chosen = json!({"name": "short", "scopes": ["read"], "expires_in_days": 7});
    assert_eq!(days(ada.post_json("/api/tokens", &chosen).await).await, 7);
    for wrong in [0, 366] {
        let body = json!({"name": "long", "scopes": ["read"], "expires_in_days": wrong});
        let refused = ada.post_json("/api/tokens", &body).await;
        assert_eq!((refused.status, refused.json()["error"]["field"].as_str()), (422, Some("expires_in_days")));
    }
    let old = program(&app, &ada).await;
    let expire = "update api_tokens set expires_at = now() - interval '1 second' where last_used_at is not null";
    app.sql().await.execute(expire).await.unwrap();
    assert_eq!(old.get_json("/api/me").await.status, 401, "past its time");
    let page = ada.get("/settings/devices").await.text;
    assert!(
        page.contains("· expired ") && page.contains("· expires ") && page.contains("This device"),
        "all on one page"
    );

    // By one button, which asks; by a new password, which asks.
    let new = [("form[password]", OTHER), ("form[password_again]", OTHER)];
    let again = [("form[password]", PASSWORD), ("form[password_again]", PASSWORD)];
    let too = ("form[tokens_too]", "true");
    for (path, kept, ended) in [
        ("/fn/accounts/end_other_devices", vec![], vec![("tokens_too", "true")]),
        ("/fn/accounts/change_password", new.to_vec(), [again.as_slice(), &[too]].concat()),
    ] {
        let works = program(&app, &ada).await;
        assert_eq!(ask(&ada, path, &kept).await.status, 200, "{path}");
        assert_eq!(works.get_json("/api/me").await.status, 200, "{path}: the box was not ticked");
        assert_eq!(ask(&ada, path, &ended).await.status, 200, "{path}");
        assert_eq!(works.get_json("/api/me").await.status, 401, "{path}");
        let left: i64 = sqlx::query_scalar("select count(*) from api_tokens where user_id = $1")
            .bind(id.0)
            .fetch_one(&mut app.sql().await)
            .await
            .unwrap();
        assert_eq!(left, 0, "{path}");
    }
    program(&app, &ada).await;
    for page in ["/settings/devices", "/settings/account"] {
        let text = ada.get(page).await.text;
        let (_, rest) = text.split_once("tokens_too").expect("the box");
        assert!(
            rest.split_once('>').is_some_and(|(tag, _)| tag.contains("checked")),
            "{page}: the box is ticked before"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_make_no_more_than_fifty_tokens_and_all_are_shown() {
    let app = TestApp::new().await;
    let (ada, id) = app.person("ada").await;
    let fill = "insert into api_tokens (user_id, name, token_hash, hint, scopes)
                select $1, 'n' || n, sha256(n::text::bytea), 'sf_', array['read'] from generate_series(1, 45) n";
    sqlx::query(fill).bind(id.0).execute(&mut app.sql().await).await.unwrap();
    let made = futures::future::join_all((0..20).map(|_| token(&ada))).await;
    assert_eq!(made.iter().filter(|a| a.status == 201).count(), 5);
    assert!(
        made.iter().all(|a| matches!(a.status, 201 | 422)),
        "{:?}",
        made.iter().map(|a| a.status).collect::<Vec<_>>()
    );
    // Whatever came there once is seen, also above the limit.
    let more = "insert into api_tokens (user_id, name, token_hash, hint, scopes) values ($1, 'beyond', sha256('b'), 'sf_', array['read'])";
    sqlx::query(more).bind(id.0).execute(&mut app.sql().await).await.unwrap();
    assert_eq!(ada.get_json("/api/tokens").await.json()["items"].as_array().unwrap().len(), 51);
    // Tokens past their time take nobody's place.
    app.sql().await.execute("update api_tokens set expires_at = now() where name <> 'beyond'").await.unwrap();
    assert_eq!(token(&ada).await.status, 201);
}

/// The sweep takes what is past its time, and files that nothing names.
#[tokio::test]
async fn what_nothing_names_is_swept() {
    use crate::server::files::sweep::sweep;
    let app = TestApp::new().await;
    let (ada, id) = app.person("ada").await;
    let oc = made(&ada, &mira()).await;
    let slug = oc["slug"].as_str().unwrap();
    for side in [16, 24] {
        assert_eq!(plate(&ada, slug, side).await.status, 204);
    }
    upload(&ada, &png(16), "a.png", "image/png", "application/json").await;
    let files = async || -> BTreeSet<String> {
        let mut keys = BTreeSet::new();
        for folder in ["plates", "avatars"] {
            keys.extend(app.state.files.list(folder).await.unwrap().into_iter().map(|f| f.key));
        }
        keys
    };
    let named = files().await;
    assert_eq!(named.len(), 3, "the plate before belongs to a version");
    // As a process leaves it that is killed between file and row, and as older programs left it.
    for orphan in ["plates/lost.jpg", "avatars/lost.jpg"] {
        app.state.files.put(orphan, b"x".as_slice().into()).await.unwrap();
    }
    app.sql().await.execute("delete from stored_files; update api_tokens set expires_at = now()").await.unwrap();
    assert_eq!(sweep(&app.state).await.unwrap().files, 0, "what is young may belong to a row that is not there yet");
    for key in files().await {
        let file = std::fs::File::open(app.state.config.place.data.join("files").join(key)).unwrap();
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(90_000)).unwrap();
    }
    let swept = sweep(&app.state).await.unwrap();
    assert_eq!((swept.files, swept.adopted), (2, 3));
    assert_eq!(files().await, named);
    let used: (i64, i64) = sqlx::query_as("select count(*), sum(bytes)::bigint from stored_files where user_id = $1")
        .bind(id.0)
        .fetch_one(&mut app.sql().await)
        .await
        .unwrap();
    assert!(used.0 == 3 && used.1 > 100, "{used:?}");
    // A character that goes takes all its plates along.
    assert_eq!(
        ada.json(Method::DELETE, &format!("/api/ocs/{}", oc["id"].as_str().unwrap()), &json!({}), &[]).await.status,
        204
    );
    assert_eq!(files().await.len(), 1, "the avatar is left");
}

/// Uploads a plate as a program does.
pub(super) async fn plate(client: &Client, slug: &str, side: u32) -> Answer {
    let mut body =
        b"--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.png\"\r\ncontent-type: image/png\r\n\r\n"
            .to_vec();
    body.extend(png(side));
    body.extend(b"\r\n--b--\r\n");
    let request = Request::post(format!("/c/{slug}/avatar"))
        .header("content-type", "multipart/form-data; boundary=b")
        .header("origin", "http://127.0.0.1:3000")
        .header("sec-fetch-site", "same-origin");
    client.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn what_people_keep_has_a_measure_by_kind_and_tier() {
    let app = TestApp::new().await;
    let (ada, id) = app.person("ada").await;
    let set = async |kind: &str, bytes: i64| {
        sqlx::query("update storage_limits set bytes = $2 where kind = $1 and tier = 'explorer'")
            .bind(kind)
            .bind(bytes)
            .execute(&mut app.sql().await)
            .await
            .unwrap();
    };
    let oc = made(&ada, &mira()).await;
    let slug = oc["slug"].as_str().unwrap();
    assert_eq!(plate(&ada, slug, 16).await.status, 204);
    let page = ada.get("/settings/account").await.text;
    assert!(page.contains("Storage used") && page.contains("of 100 MB") && page.contains("of 200 MB"), "{page}");

    set("pictures", 400).await;
    for refused in [plate(&ada, slug, 64).await, upload(&ada, &png(64), "a.png", "image/png", "application/json").await]
    {
        assert_eq!(refused.status, 413, "{}", refused.text);
        let message = refused.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with("Pictures take ") && message.contains("400 bytes"), "{message}");
    }
    let count: i64 =
        sqlx::query_scalar("select count(*) from stored_files").fetch_one(&mut app.sql().await).await.unwrap();
    assert_eq!(count, 1, "what was refused is not kept");
    assert_eq!(app.state.files.list("plates").await.unwrap().len(), 1);

    let talk = format!(
        "{{\"user_name\":\"a\",\"character_name\":\"Lumina\"}}\n{{\"name\":\"a\",\"is_user\":true,\"mes\":\"{}\"}}",
        "word ".repeat(310)
    );
    let import = async || {
        let request =
            Request::post("/api/conversations/import?with=lumina").header("content-type", "application/x-ndjson");
        ada.send(request.body(Body::from(talk.clone())).unwrap()).await
    };
    set("conversations", 2000).await;
    assert_eq!(import().await.status, 201);
    let refused = import().await;
    assert_eq!(refused.status, 413, "{}", refused.text);
    assert!(refused.text.contains("Chats take 1.5 kB of the 2 kB"), "{}", refused.text);

    set("characters", 1000).await;
    let refused = ada.post_json("/api/ocs", &with(mira(), "name", json!("One more"))).await;
    assert_eq!(refused.status, 413, "{}", refused.text);
    let refused =
        ada.json(Method::PATCH, &format!("/api/ocs/{}", oc["id"].as_str().unwrap()), &json!({"title": "x"}), &[]).await;
    assert_eq!(refused.status, 413, "versions count: {}", refused.text);
    // Who has grown into more may keep more.
    sqlx::query("update profiles set tier = 'creator' where user_id = $1")
        .bind(id.0)
        .execute(&mut app.sql().await)
        .await
        .unwrap();
    assert_eq!(import().await.status, 201);
    assert_eq!(plate(&ada, slug, 64).await.status, 204);
}

/// Uploads at the same time do not both take the last place.
#[tokio::test(flavor = "multi_thread")]
async fn two_uploads_at_once_do_not_pass_the_limit_together() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let oc = made(&ada, &mira()).await;
    let slug = oc["slug"].as_str().unwrap();
    assert_eq!(plate(&ada, slug, 48).await.status, 204);
    let mut sql = app.sql().await;
    sql.execute(
        "update storage_limits set bytes = (select 2.5 * max(s.bytes) from stored_files s) where kind = 'pictures'",
    )
    .await
    .unwrap();
    let statuses: Vec<u16> =
        futures::future::join_all((0..4).map(|_| plate(&ada, slug, 48))).await.iter().map(|a| a.status).collect();
    assert_eq!(statuses.iter().filter(|s| **s == 204).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|s| matches!(s, 204 | 413)), "{statuses:?}");
}

/// A browser in which somebody signed in an hour ago.
async fn long_signed_in(app: &TestApp, user: crate::ids::UserId) -> Client {
    let token = uuid::Uuid::new_v4().to_string();
    sqlx::query(
        "insert into sessions (user_id, token_hash, expires_at, authenticated_at)
         values ($1, $2, now() + interval '1 day', now() - interval '1 hour')",
    )
    .bind(user.0)
    .bind(crate::server::session::hash_token(&token))
    .execute(&mut app.sql().await)
    .await
    .unwrap();
    let client = app.client();
    client.set_cookie("sf", &token);
    client
}

/// What only admins change asks for the password, all of it.
#[tokio::test(flavor = "multi_thread")]
async fn admins_type_the_password_for_every_change() {
    let app = TestApp::new().await;
    let (_, ada_id) = app.person("ada").await;
    let (_, id) = app.person("carol").await;
    let admin = "insert into user_roles (user_id, role) values ($1, 'admin')";
    sqlx::query(admin).bind(id.0).execute(&mut app.sql().await).await.unwrap();
    let mut only_admins = 0;
    for endpoint in super::endpoints::all(&app).await.iter().filter(|e| !e.is_read()) {
        let ask = async |user| {
            // A session each: some of them end it.
            let client = long_signed_in(&app, user).await;
            let asked = endpoint.plausible("00000000-0000-7000-8000-00000000009e", "nobody-of-this-name");
            client.send(super::endpoints::from_here(asked)).await
        };
        // Who is nobody in particular is told that there is no such thing; an admin is asked for the password first.
        let (theirs, admins) = (ask(ada_id).await, ask(id).await);
        if theirs.status == 404 && admins.status != 404 {
            only_admins += 1;
            let is_asked = admins.status == 403 && admins.text.contains("confirm_password")
                || admins.status == 303 && admins.location().starts_with("/confirm?next=/");
            assert!(is_asked, "{}: {} {}", endpoint.name(), admins.status, admins.text);
        }
    }
    assert!(only_admins >= 7, "only {only_admins} endpoints are for admins: the test looks at the wrong ones");
    let ada = long_signed_in(&app, ada_id).await;
    // One's own keys are no admin's matter, and decide who reads one's conversations.
    let own: Value = json!([("form[kind]", "openai"), ("form[secret_key]", "sk-x"), ("form[model]", "m")]);
    let fields: Vec<(String, String)> = serde_json::from_value(own).unwrap();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let refused = ask(&ada, "/fn/models/save_own_key", &fields).await;
    assert!(refused.status == 403 && refused.text.contains("confirm_password"), "{}", refused.text);
}

#[tokio::test]
async fn files_are_closed_to_other_accounts_of_the_machine() {
    let app = TestApp::new().await;
    let files = app.state.config.place.data.join("files");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&files), 0o700);
    std::fs::set_permissions(&files, std::fs::Permissions::from_mode(0o755)).unwrap();
    crate::server::files::Files::local(&files).unwrap();
    assert_eq!(mode(&files), 0o700, "also one that was open before");
    std::fs::set_permissions(&files, std::fs::Permissions::from_mode(0o500)).unwrap();
    crate::server::files::close_folder(&files, 0o711);
    assert_eq!(mode(&files), 0o500, "never opened");
}

/// The second wall: with anybody's identity, the application's own role sees nothing of others that is not on their page.
#[tokio::test]
async fn profiles_have_no_private_columns() {
    let app = TestApp::new().await;
    let (_, ada) = app.person("ada").await;
    let (_, eve) = app.person("eve").await;
    let mut tx = app.state.db.begin(eve).await.unwrap();
    let row = sqlx::query("select to_jsonb(p) as p from profiles p where user_id = $1")
        .bind(ada.0)
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    let public: Value = row.get("p");
    let known = [
        "user_id",
        "username",
        "username_key",
        "display_name",
        "bio",
        "avatar_key",
        "arcanean_number",
        "arcanean_id",
        "tier",
        "oc_count",
        "post_count",
        "creation_count",
        "follower_count",
        "following_count",
        "is_active",
        "is_verified",
        "created_at",
        "updated_at",
    ];
    let columns: BTreeSet<&str> = public.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(columns, BTreeSet::from(known), "a column that everybody reads: is it everybody's business?");
    let private: i64 = sqlx::query_scalar("select count(*) from profile_private").fetch_one(&mut *tx).await.unwrap();
    assert_eq!(private, 1, "one's own");
}

/// A backup takes the tables that the migrations make, found by reading them: none is forgotten.
#[tokio::test]
async fn every_table_is_in_a_backup() {
    use crate::server::migrate;
    let app = TestApp::new().await;
    let tables = migrate::columns(&mut app.sql().await).await.unwrap();
    assert_eq!(migrate::known_tables(), tables.into_keys().collect::<BTreeSet<_>>());
}
