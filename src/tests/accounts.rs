//! People over HTTP: joining, signing in and out, devices, tokens, the first admin, and what is refused.

use super::{
    Answer, BORN, Client, PASSWORD, TestApp,
    avatars::{png, upload},
};
use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::json;
use sqlx::Row;

const OTHER: &str = "amber thicket whistles softly";

async fn sign_in(client: &Client, login: &str, password: &str) -> Answer {
    client.post_json("/api/sessions", &json!({"login": login, "password": password})).await
}

/// The message that a refused plain form shows on the page it leads back to.
async fn shown(client: &Client, answer: &Answer) -> String {
    assert_eq!(answer.status, 302, "{}", answer.text);
    let path = answer.location().trim_start_matches("http://127.0.0.1:3000").to_owned();
    client.get(&path).await.text
}

#[tokio::test]
async fn from_sign_up_to_sign_out_with_plain_forms() {
    let app = TestApp::new().await;
    let client = app.client();
    assert_eq!(client.get("/sign-up").await.status, 200);
    let fields = [
        ("username", "ada_l"),
        ("email", "ada@example.org"),
        ("password", PASSWORD),
        ("birth_date", BORN),
        ("timezone", "Europe/Vienna"),
        ("terms", "true"),
        ("next", "/settings"),
    ];
    let answer = client.post_form_from("/sign-up", "/sign-up?next=/settings", &fields).await;
    assert_eq!((answer.status, answer.location()), (303, "/welcome?next=%2Fsettings"), "{}", answer.text);
    let cookie = answer.header("set-cookie").to_owned();
    for part in ["sf=", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let name = [("form[username]", "ada_l"), ("form[display_name]", "Ada <b>L</b>")];
    client.post_form_from("/fn/accounts/save_profile", "/settings/profile", &name).await;
    let page = client.get("/settings").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("Ada &lt;b&gt;L"), "markup must show as text");
    assert!(!page.text.contains("Ada <b>L"), "markup must not become markup");
    assert_eq!(page.header("cache-control"), "no-store");

    let old = client.cookies();
    let out = client.post_form("/fn/accounts/sign_out", &[]).await;
    assert_eq!((out.status, out.location()), (302, "/"));
    assert!(out.header("clear-site-data").contains("storage"));
    assert!(!client.cookies().contains_key("sf"));
    // The row is gone: the old cookie is worth nothing.
    client.set_cookie("sf", &old["sf"]);
    assert_eq!(client.get_json("/api/me").await.status, 401);

    for login in ["ADA_L", "Ada@Example.org"] {
        let client = app.client();
        let fields = [("login", login), ("password", PASSWORD)];
        let answer = client.post_form_from("/sign-in", "/sign-in", &fields).await;
        assert_eq!((answer.status, answer.location()), (303, "/"), "{}", answer.text);
        let me = client.get_json("/api/me").await.json();
        assert_eq!((me["username"].as_str(), me["timezone"].as_str()), (Some("ada_l"), Some("Europe/Vienna")));
    }
}

#[tokio::test]
async fn over_https_the_cookie_is_pinned_to_the_host() {
    let app = TestApp::new().await;
    let mut config = (*app.state.config).clone();
    config.url = "https://soulforge.example".parse().ok();
    let cookie = crate::server::session::cookie(&config, "token");
    assert!(cookie.starts_with("__Host-sf=token; Path=/; HttpOnly; SameSite=Lax;"), "{cookie}");
    assert!(cookie.ends_with("; Secure"), "{cookie}");
}

#[tokio::test]
async fn unknown_names_and_wrong_passwords_look_alike() {
    let app = TestApp::new().await;
    app.person("ada").await;
    let client = app.client();
    let (mut unknown, mut wrong) = (Vec::new(), Vec::new());
    for round in 0..6 {
        for (login, times) in [("ada", &mut wrong), ("nobody_here", &mut unknown)] {
            let start = std::time::Instant::now();
            let answer = sign_in(&client, login, "not the right password").await;
            // The first round makes the dummy hash.
            if round > 0 {
                times.push(start.elapsed().as_micros());
            }
            assert_eq!(answer.status, 422);
            assert_eq!(answer.json()["error"]["message"], "Wrong username or password.");
            assert!(answer.header("set-cookie").is_empty());
        }
    }
    unknown.sort_unstable();
    wrong.sort_unstable();
    // A wide band, because test machines are busy: without the dummy hash the ratio is above ten.
    let (a, b) = (unknown[2] as f64, wrong[2] as f64);
    assert!(a / b < 3.0 && b / a < 3.0, "{unknown:?} {wrong:?}");
}

#[tokio::test]
async fn tokens_are_kept_as_hashes_only() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let token = client.post_json("/api/tokens", &json!({"name": "script", "scopes": ["write"]})).await;
    assert_eq!(token.status, 201);
    let secret = token.json()["token"].as_str().unwrap().to_owned();
    let cookie = client.cookies()["sf"].clone();
    let mut sql = app.sql().await;
    let rows = sqlx::query("select encode(token_hash, 'hex') as h, session_id::text as i from sessions")
        .fetch_all(&mut sql)
        .await
        .unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        for value in [row.get::<String, _>("h"), row.get::<String, _>("i")] {
            assert_ne!(value, cookie);
            let thief = app.client();
            thief.set_cookie("sf", &value);
            assert_eq!(thief.get_json("/api/me").await.status, 401);
        }
    }
    for table in ["sessions", "api_tokens", "one_time_tokens"] {
        let dump = sqlx::query(sqlx::AssertSqlSafe(format!(
            "select coalesce(string_agg(t::text, ' '), '') as d from {table} t"
        )));
        let dump: String = dump.fetch_one(&mut sql).await.unwrap().get("d");
        assert!(!dump.contains(&secret) && !dump.contains(&cookie), "{table}");
    }
}

#[tokio::test]
async fn a_new_sign_in_ends_the_session_before_it() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let old = client.cookies()["sf"].clone();
    assert_eq!(sign_in(&client, "ada", PASSWORD).await.status, 201);
    assert_ne!(client.cookies()["sf"], old);
    let thief = app.client();
    thief.set_cookie("sf", &old);
    assert_eq!(thief.get_json("/api/me").await.status, 401);
}

#[tokio::test]
async fn devices_are_listed_and_ended() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let (phone, tablet, stranger) = (app.client(), app.client(), app.person("eve").await.0);
    for device in [&phone, &tablet] {
        assert_eq!(sign_in(device, "ada", PASSWORD).await.status, 201);
    }
    let page = client.get("/settings/devices").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("This device"));
    let mut sql = app.sql().await;
    let hash = crate::server::session::hash_token(&phone.cookies()["sf"]);
    let id: uuid::Uuid = sqlx::query("select session_id from sessions where token_hash = $1")
        .bind(hash)
        .fetch_one(&mut sql)
        .await
        .unwrap()
        .get(0);
    // Somebody else's device is as unknown as any other.
    stranger.post_form_from("/fn/accounts/end_device", "/settings/devices", &[("id", &id.to_string())]).await;
    assert_eq!(phone.get_json("/api/me").await.status, 200);
    client.post_form_from("/fn/accounts/end_device", "/settings/devices", &[("id", &id.to_string())]).await;
    assert_eq!(phone.get_json("/api/me").await.status, 401);
    client.post_form_from("/fn/accounts/end_other_devices", "/settings/devices", &[]).await;
    assert_eq!(tablet.get_json("/api/me").await.status, 401);
    assert_eq!(client.get_json("/api/me").await.status, 200);
    assert_eq!(stranger.get_json("/api/me").await.status, 200);
}

async fn make_stale(app: &TestApp) {
    let mut sql = app.sql().await;
    sqlx::query("update sessions set authenticated_at = now() - interval '6 minutes'").execute(&mut sql).await.unwrap();
}

#[tokio::test]
async fn sensitive_changes_want_the_password_again() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let elsewhere = app.client();
    assert_eq!(sign_in(&elsewhere, "ada", PASSWORD).await.status, 201);
    make_stale(&app).await;
    for (path, fields) in [
        ("/fn/accounts/change_email", vec![("form[email]", "new@example.org")]),
        ("/fn/accounts/change_password", vec![("form[password]", OTHER), ("form[password_again]", OTHER)]),
        ("/fn/accounts/delete_account", vec![("form[username]", "ada")]),
    ] {
        // A page with scripts gets the status and the code.
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
        let request = Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .header("sec-fetch-site", "same-origin");
        let answer = client.send(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.text);
        assert!(answer.text.contains("confirm_password"), "{path}: {}", answer.text);
        // A plain form comes back to the page with the message.
        let answer = client.post_form_from(path, "/settings/account", &fields).await;
        assert!(answer.location().contains("__err="), "{path}: {}", answer.location());
    }
    assert!(client.get("/settings/account").await.text.contains("/confirm?next=/settings/account"));
    assert_eq!(client.get_json("/api/me").await.json()["email"], "ada@example.org");

    let wrong = [("form[password]", OTHER), ("form[next]", "/settings/account")];
    let answer = client.post_form_from("/fn/accounts/confirm_password", "/confirm", &wrong).await;
    assert!(shown(&client, &answer).await.contains("not your password"));
    let before = client.cookies()["sf"].clone();
    let right = [("form[password]", PASSWORD), ("form[next]", "/settings/account")];
    let answer = client.post_form_from("/fn/accounts/confirm_password", "/confirm", &right).await;
    assert_eq!((answer.status, answer.location()), (302, "/settings/account"));
    assert_ne!(client.cookies()["sf"], before, "more rights, new token");

    let answer = client
        .post_form_from("/fn/accounts/change_email", "/settings/account", &[("form[email]", "new@example.org")])
        .await;
    assert_eq!(answer.location(), "/settings/account?saved=email");
    assert_eq!(client.get_json("/api/me").await.json()["email"], "new@example.org");
    let fields = [("form[password]", OTHER), ("form[password_again]", OTHER)];
    let answer = client.post_form_from("/fn/accounts/change_password", "/settings/account", &fields).await;
    assert_eq!(answer.location(), "/settings/account?saved=password");
    assert_eq!(client.get_json("/api/me").await.status, 200);
    assert_eq!(elsewhere.get_json("/api/me").await.status, 401, "all other devices are out");
    assert_eq!(sign_in(&app.client(), "ada", PASSWORD).await.status, 422);
    assert_eq!(sign_in(&app.client(), "ada", OTHER).await.status, 201);
}

#[tokio::test]
async fn old_and_idle_sessions_end() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let mut sql = app.sql().await;
    for change in
        ["last_seen_at = now() - interval '31 days'", "last_seen_at = now(), expires_at = now() - interval '1 second'"]
    {
        sqlx::query(sqlx::AssertSqlSafe(format!("update sessions set {change}"))).execute(&mut sql).await.unwrap();
        assert_eq!(client.get_json("/api/me").await.status, 401, "{change}");
    }
}

#[tokio::test]
async fn api_tokens_do_what_their_scope_says() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let make = async |scopes| {
        let answer = client.post_json("/api/tokens", &json!({"name": "script", "scopes": scopes})).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        let body = answer.json();
        (body["id"].as_str().unwrap().to_owned(), body["token"].as_str().unwrap().to_owned())
    };
    let (read_id, read) = make(json!(["read"])).await;
    let (write_id, write) = make(json!(["read", "write"])).await;
    let mut program = app.client();
    program.bearer = Some(read);
    assert_eq!(program.get_json("/api/me").await.json()["username"], "ada");
    let delete = |id: &str| format!("/api/tokens/{id}");
    let answer = program.json(Method::DELETE, &delete(&write_id), &json!({}), &[]).await;
    assert_eq!(answer.status, 403, "{}", answer.text);
    program.bearer = Some(write);
    let answer = program.post_json("/api/tokens", &json!({"name": "child", "scopes": ["read"]})).await;
    assert_eq!(answer.status, 403, "a token makes no tokens: {}", answer.text);
    let list = program.get_json("/api/tokens").await;
    assert_eq!(list.json()["items"].as_array().unwrap().len(), 2);
    assert!(list.json()["items"][0].get("token").is_none(), "told once");
    // Somebody else's token is as unknown as any other.
    let (eve, _) = app.person("eve").await;
    assert_eq!(eve.json(Method::DELETE, &delete(&read_id), &json!({}), &[]).await.status, 404);
    assert_eq!(program.json(Method::DELETE, &delete(&write_id), &json!({}), &[]).await.status, 204);
    assert_eq!(program.get_json("/api/me").await.status, 401, "revoked");
    program.bearer = Some("sf_nonsense".into());
    assert_eq!(program.get_json("/api/me").await.status, 401);
    for scopes in [json!([]), json!(["admin"]), json!("write")] {
        assert_eq!(client.post_json("/api/tokens", &json!({"name": "x", "scopes": scopes})).await.status, 422);
    }
    // A bearer token counts for the public API only.
    program.bearer = Some(make(json!(["write"])).await.1);
    let page = program.get("/settings/tokens").await;
    assert_ne!(page.status, 200);
}

#[tokio::test]
async fn a_token_made_without_scripts_is_shown_once() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let fields = [("form[name]", "my script"), ("form[access]", "write")];
    let answer = client.post_form_from("/fn/accounts/create_token", "/settings/tokens", &fields).await;
    assert_eq!(answer.status, 302, "{}", answer.text);
    assert!(!answer.location().contains("sf_"));
    let page = client.get("/settings/tokens").await;
    assert!(page.text.contains("Copy it now"), "{}", page.text);
    let page = client.get("/settings/tokens").await;
    assert!(!page.text.contains("Copy it now"));
    assert!(page.text.contains("my script"));
}

#[tokio::test]
async fn requests_of_other_sites_are_refused() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let sent = async |headers: &[(&str, &str)], path: &str| {
        let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        client
            .send(request.body(Body::from("form%5Bdisplay_name%5D=Evil&form%5Busername%5D=ada")).unwrap())
            .await
            .status
    };
    for path in ["/fn/accounts/save_profile", "/fn/accounts/sign_out", "/settings/avatar", "/api/tokens"] {
        assert_eq!(sent(&[("sec-fetch-site", "cross-site")], path).await, 403, "{path}");
        assert_eq!(sent(&[("sec-fetch-site", "same-site")], path).await, 403, "{path}");
        assert_eq!(sent(&[("origin", "https://evil.example")], path).await, 403, "{path}");
        assert_eq!(sent(&[("origin", "null")], path).await, 403, "{path}");
        assert_eq!(sent(&[], path).await, 403, "{path}");
    }
    let me = client.get_json("/api/me").await.json();
    assert_eq!(me["display_name"], "ada");
    // Reads change nothing and need no origin; mutations cannot be reached by GET.
    assert_ne!(client.get("/fn/accounts/sign_out").await.status, 200);
    assert_eq!(client.get_json("/api/me").await.status, 200);
    let answer = client
        .send(Request::get("/api/me").header("origin", "https://evil.example").body(Body::empty()).unwrap())
        .await;
    assert!(answer.header("access-control-allow-origin").is_empty());
}

#[tokio::test]
async fn oversize_bodies_are_refused() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let large = "a".repeat(1024 * 1024);
    let answer = client.post_json("/api/tokens", &json!({"name": large, "scopes": ["read"]})).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (413, Some("too_large")));
    let answer =
        client.post_form_from("/fn/accounts/save_profile", "/settings/profile", &[("form[bio]", &large)]).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn too_many_tries_are_slowed_down() {
    let app = TestApp::with(&["--limit-factor", "0.5"]).await;
    let client = app.client();
    let mut statuses = Vec::new();
    for _ in 0..7 {
        let answer = sign_in(&client, "ada", "not the right password").await;
        if answer.status == 429 {
            let wait: u32 = answer.header("retry-after").parse().unwrap();
            assert!((1..=3600).contains(&wait), "{wait}");
            assert_eq!(answer.json()["error"]["code"], "too_many_requests");
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [422, 422, 422, 422, 422, 429, 429]);
    // The counters are in the database: another process knows them.
    let other = TestApp::again(&app);
    assert_eq!(other.state.config.limit_factor, 1000.0);
    let mut sql = app.sql().await;
    let keys = sqlx::query("select count(*) as n from limit_buckets where key like '%ada%'")
        .fetch_one(&mut sql)
        .await
        .unwrap();
    assert_eq!(keys.get::<i64, _>("n"), 0, "names are kept as hashes");
}

#[tokio::test]
async fn the_first_admin_comes_by_a_link_that_works_once() {
    let app = TestApp::new().await;
    let first = crate::accounts::store::first_admin_link(&app.state).await.unwrap().unwrap();
    let second = crate::accounts::store::first_admin_link(&app.state).await.unwrap().unwrap();
    let path = |link: &str| link.trim_start_matches("http://127.0.0.1:3000").to_owned();
    let token = |link: &str| link.rsplit('/').next().unwrap().to_owned();
    let client = app.client();
    assert_eq!(client.get(&path(&first)).await.status, 404, "a newer link replaces the older");
    let page = client.get(&path(&second)).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("/sign-up?next=/setup/"));
    let claim = async |client: &Client, token: &str| {
        client.post_form_from("/fn/accounts/claim_admin", "/", &[("token", token)]).await.location().to_owned()
    };
    assert!(claim(&client, &token(&second)).await.contains("__err="), "somebody must be signed in");
    let ((ada, _), (eve, _)) = (app.person("ada").await, app.person("eve").await);
    assert!(claim(&eve, &token(&first)).await.contains("__err="));
    let before = ada.cookies()["sf"].clone();
    assert_eq!(claim(&ada, &token(&second)).await, "/settings?admin=1");
    assert_ne!(ada.cookies()["sf"], before, "more rights, new token");
    assert_eq!(ada.get_json("/api/me").await.json()["role"], "admin");
    assert!(claim(&eve, &token(&second)).await.contains("__err="), "once");
    assert_eq!(eve.get_json("/api/me").await.json()["role"], "user");
    assert_eq!(eve.get(&path(&second)).await.status, 404);
    assert!(crate::accounts::store::first_admin_link(&app.state).await.unwrap().is_none(), "there is one now");
    let mut sql = app.sql().await;
    let noted = sqlx::query("select count(*) as n from audit_log where action = 'first_admin'")
        .fetch_one(&mut sql)
        .await
        .unwrap();
    assert_eq!(noted.get::<i64, _>("n"), 1);
    assert!(sqlx::query("delete from audit_log").execute(&mut sql).await.is_err(), "append-only");
}

#[tokio::test]
async fn profiles_show_text_as_text_and_nothing_private() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let evil = "</title><script>alert(1)</script>";
    let fields = [
        ("form[username]", "ada"),
        ("form[display_name]", evil),
        ("form[bio]", "</textarea><img src=x onerror=alert(1)>\n\nSecond."),
    ];
    let answer = client.post_form_from("/fn/accounts/save_profile", "/settings/profile", &fields).await;
    assert_eq!(answer.location(), "/settings/profile?saved=profile");
    for (who, path) in
        [(&app.client(), "/u/ADA"), (&client, "/u/ada"), (&client, "/settings/profile"), (&client, "/settings")]
    {
        let page = who.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.text.contains("<script>alert"), "{path}");
        assert!(!page.text.contains("<img src=x"), "{path}");
        assert!(!page.text.contains(" style=\""), "{path}");
    }
    let page = app.client().get("/u/ada").await.text;
    assert!(page.contains("Second."));
    for private in ["ada@example.org", "argon2", "password_hash", "timezone"] {
        assert!(!page.contains(private), "{private}");
    }
    assert_eq!(client.get("/u/nobody_here").await.status, 404);
    let fields = [("form[username]", "ada"), ("form[display_name]", "A\u{202E}da"), ("form[bio]", "kept text")];
    let answer = client.post_form_from("/fn/accounts/save_profile", "/settings/profile", &fields).await;
    let page = shown(&client, &answer).await;
    assert!(page.contains("hidden character") && page.contains("kept text"));
}

#[tokio::test]
async fn leaving_takes_everything_private_along() {
    let app = TestApp::new().await;
    let (client, id) = app.person("ada").await;
    upload(&client, &png(16), "a.png", "image/png", "application/json").await;
    let avatar = client.get_json("/api/me").await.json()["avatar_url"].as_str().unwrap().to_owned();
    let wrong =
        client.post_form_from("/fn/accounts/delete_account", "/settings/account", &[("form[username]", "eve")]).await;
    assert!(wrong.location().contains("__err="));
    let answer =
        client.post_form_from("/fn/accounts/delete_account", "/settings/account", &[("form[username]", "ada")]).await;
    assert_eq!((answer.status, answer.location()), (302, "/goodbye"), "{}", answer.text);
    assert_eq!(client.get("/goodbye").await.status, 200);
    assert_eq!(client.get_json("/api/me").await.status, 401);
    assert_eq!(client.get(&avatar).await.status, 404);
    assert_eq!(client.get("/u/ada").await.status, 404);
    let mut sql = app.sql().await;
    for table in ["users", "profiles", "sessions", "api_tokens", "activity_log", "recovery_codes"] {
        let n = sqlx::query(sqlx::AssertSqlSafe(format!("select count(*) as n from {table} where user_id = $1")))
            .bind(id.0);
        assert_eq!(n.fetch_one(&mut sql).await.unwrap().get::<i64, _>("n"), 0, "{table}");
    }
}

#[tokio::test]
async fn themes_are_right_from_the_first_byte() {
    let app = TestApp::new().await;
    let client = app.client();
    assert!(client.get("/sign-in").await.text.contains(r#"data-theme="system""#));
    client.post_form_from("/fn/accounts/set_theme", "/sign-in", &[("theme", "dark")]).await;
    assert!(client.get("/sign-in").await.text.contains(r#"data-theme="dark""#));
    // It goes with the account to the next device.
    let body = json!({"username": "ada", "email": "ada@example.org", "password": PASSWORD, "birth_date": BORN});
    assert_eq!(client.post_json("/api/accounts", &body).await.status, 201);
    let phone = app.client();
    sign_in(&phone, "ada", PASSWORD).await;
    assert!(phone.get("/settings").await.text.contains(r#"data-theme="dark""#));
}

#[tokio::test]
async fn ways_back_stay_on_this_site() {
    let app = TestApp::new().await;
    app.person("ada").await;
    for (next, to) in [
        ("/c/lumina", "/c/lumina"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/a\r\nx: y", "/"),
    ] {
        let client = app.client();
        let fields = [("login", "ada"), ("password", PASSWORD), ("next", next)];
        let answer = client.post_form_from("/sign-in", "/sign-in", &fields).await;
        assert_eq!((answer.status, answer.location()), (303, to), "{next}");
    }
    let signed_out = app.client().get("/settings/account").await;
    assert_eq!((signed_out.status, signed_out.location()), (302, "/sign-in?next=/settings/account"));
}

#[tokio::test]
async fn the_api_answers_in_json_and_describes_itself() {
    let app = TestApp::new().await;
    let client = app.client();
    for path in ["/api", "/api/no/such/path"] {
        let answer = client.get_json(path).await;
        assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (404, Some("not_found")), "{path}");
    }
    let document = client.get_json("/api/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for path in ["/api/accounts", "/api/tokens", "/api/me"] {
        assert!(document["paths"].get(path).is_some(), "{path}");
    }
    let page = client.get("/developers").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("/api/tokens/{id}"));
    let head = client.send(Request::head("/sign-in").body(Body::empty()).unwrap()).await;
    assert_eq!((head.status, head.text.len()), (200, 0));
    let answer = client
        .send(Request::post("/api/me").header("content-type", "application/json").body(Body::from("{}")).unwrap())
        .await;
    assert_eq!(answer.status, 405);
}
