//! Getting back in: recovery codes, each good once, and the one-time link that an admin makes.

use super::{BORN, Client, PASSWORD, TestApp};
use crate::ids::UserId;
use axum::http::Method;
use serde_json::json;
use sqlx::Row;

const OTHER: &str = "amber thicket whistles softly";
const THIRD: &str = "crimson otter paints the harbour";

/// Joins by the form; the browser, and the codes as the page shows them.
async fn join(app: &TestApp, name: &str) -> (Client, Vec<String>) {
    let client = app.client();
    let email = format!("{name}@example.org");
    let fields =
        [("username", name), ("email", &email), ("password", PASSWORD), ("birth_date", BORN), ("terms", "true")];
    let answer = client.post_form_from("/sign-up", "/sign-up", &fields).await;
    assert_eq!((answer.status, answer.location()), (303, "/welcome"), "{}", answer.text);
    let page = client.get("/welcome").await;
    let codes: Vec<String> = page
        .text
        .split("<code>")
        .skip(1)
        .filter_map(|part| part.split_once("</code>"))
        // Leptos marks the borders of texts.
        .map(|(code, _)| code.replace("<!>", ""))
        .collect();
    assert_eq!(codes.len(), 10, "{}", page.text);
    (client, codes)
}

async fn recover(client: &Client, login: &str, code: &str, password: &str) -> super::Answer {
    client.post_form_from("/forgot", "/forgot", &[("login", login), ("code", code), ("password", password)]).await
}

async fn signs_in(app: &TestApp, password: &str) -> bool {
    let answer = app.client().post_json("/api/sessions", &json!({"login": "ada", "password": password})).await;
    assert!(matches!(answer.status, 201 | 422), "{}", answer.text);
    answer.status == 201
}

#[tokio::test]
async fn codes_are_shown_once_and_kept_as_hashes() {
    let app = TestApp::new().await;
    let (client, codes) = join(&app, "ada").await;
    // A reload, and the file, as long as the page is not left.
    assert!(client.get("/welcome").await.text.contains(&codes[9]));
    let file = client.get("/welcome/codes.txt").await;
    assert!(file.header("content-disposition").starts_with("attachment"));
    assert!(codes.iter().all(|code| file.text.contains(code)), "{}", file.text);
    let left = client.post_form_from("/welcome", "/welcome", &[("next", "/talk/lumina")]).await;
    assert_eq!((left.status, left.location()), (303, "/talk/lumina"));
    assert!(!client.get("/welcome").await.text.contains(&codes[0]));
    assert_eq!(client.get("/welcome/codes.txt").await.status, 404);
    let dump: String = sqlx::query("select coalesce(string_agg(t::text, ' '), '') as d from recovery_codes t")
        .fetch_one(&mut app.sql().await)
        .await
        .unwrap()
        .get("d");
    for code in &codes {
        assert!(!dump.contains(code.as_str()) && !dump.contains(&code.replace('-', "")));
    }
    // What a cookie carries is shown to nobody whose codes they are not.
    let (eve, _) = app.person("eve").await;
    let carried = {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json!(codes).to_string())
    };
    eve.set_cookie("sf_made", &carried);
    assert!(!eve.get("/welcome").await.text.contains(&codes[0]));
    assert_eq!(eve.get("/welcome/codes.txt").await.status, 404);
    assert!(client.get("/settings/account").await.text.contains("You have 10 recovery codes left."));
}

#[tokio::test]
async fn a_code_sets_a_new_password_once_and_ends_everything_else() {
    let app = TestApp::new().await;
    let (first, codes) = join(&app, "ada").await;
    let token = first.post_json("/api/tokens", &json!({"name": "script", "scopes": ["write"]})).await.json();
    let mut program = app.client();
    program.bearer = Some(token["token"].as_str().unwrap().to_owned());
    assert_eq!(program.get_json("/api/me").await.status, 200);

    let phone = app.client();
    // A password that will not do spends nothing.
    let refused = recover(&phone, "ada", &codes[0], "too short").await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("at least 15 characters") && refused.text.contains(&codes[0]));
    let typed = codes[0].replace('-', " ").to_lowercase();
    let done = recover(&phone, "ADA@example.org", &typed, OTHER).await;
    assert_eq!((done.status, done.location()), (303, "/settings/account?saved=recovered"), "{}", done.text);
    assert_eq!(phone.get_json("/api/me").await.json()["username"], "ada");
    assert!(phone.get("/settings/account?saved=recovered").await.text.contains("Your new password is set."));
    assert_eq!((first.get_json("/api/me").await.status, program.get_json("/api/me").await.status), (401, 401));
    assert_eq!((signs_in(&app, PASSWORD).await, signs_in(&app, OTHER).await), (false, true));
    // Once.
    let again = recover(&app.client(), "ada", &codes[0], THIRD).await;
    assert!(again.status == 422 && again.text.contains("Wrong username or recovery code."), "{}", again.text);
    assert!(signs_in(&app, OTHER).await);
    // Two at once with one code: one of them.
    let (a, b) = (app.client(), app.client());
    let (a, b) = tokio::join!(recover(&a, "ada", &codes[1], OTHER), recover(&b, "ada", &codes[1], THIRD));
    let mut both = [a.status, b.status];
    both.sort_unstable();
    assert_eq!(both, [303, 422]);
    // Somebody else's code, and nobody's.
    let (_, eves) = join(&app, "eve").await;
    for (login, code) in [("ada", eves[0].as_str()), ("nobody_here", &codes[2]), ("ada", "0000-0000-0000-0000")] {
        let answer = recover(&app.client(), login, code, THIRD).await;
        assert!(answer.status == 422 && answer.text.contains("Wrong username or recovery code."), "{login}");
    }
    let noted: i64 = sqlx::query_scalar("select count(*) from activity_log where action = 'recover'")
        .fetch_one(&mut app.sql().await)
        .await
        .unwrap();
    assert_eq!(noted, 2);
}

#[tokio::test]
async fn new_codes_replace_the_old_ones_and_want_the_password() {
    let app = TestApp::new().await;
    let (client, old) = join(&app, "ada").await;
    let stale = "update sessions set authenticated_at = now() - interval '6 minutes'";
    sqlx::query(stale).execute(&mut app.sql().await).await.unwrap();
    let asked = client.post_form_from("/welcome/codes", "/settings/account", &[]).await;
    assert_eq!(asked.location(), "/confirm?next=/settings/account");
    client.post_form_from("/fn/accounts/confirm_password", "/confirm", &[("form[password]", PASSWORD)]).await;
    let made = client.post_form_from("/welcome/codes", "/settings/account", &[]).await;
    assert_eq!((made.status, made.location()), (303, "/welcome?next=%2Fsettings%2Faccount"));
    let page = client.get("/welcome").await.text;
    assert!(page.contains("<code>") && !page.contains(&old[0]));
    assert_eq!(recover(&app.client(), "ada", &old[0], OTHER).await.status, 422);
    assert_eq!(
        app.client().post_form_from("/welcome/codes", "/", &[]).await.location(),
        "/sign-in?next=/settings/account"
    );
}

#[tokio::test]
async fn guessing_codes_is_slow() {
    let app = TestApp::with(&["--limit-factor", "0.5"]).await;
    join(&app, "ada").await;
    let client = app.client();
    let mut statuses = Vec::new();
    for n in 0..7 {
        statuses.push(recover(&client, "ada", &format!("0000-0000-0000-000{n}"), OTHER).await.status);
    }
    assert_eq!(statuses, [422, 422, 422, 422, 422, 429, 429]);
}

/// An admin, whose password is fresh.
async fn admin(app: &TestApp) -> Client {
    let (client, _) = app.person("keeper").await;
    let link = crate::accounts::store::first_admin_link(&app.state).await.unwrap().unwrap();
    let token = link.rsplit('/').next().unwrap();
    client.post_form("/fn/accounts/claim_admin", &[("token", token)]).await;
    client
}

/// Makes a link; its path.
async fn link(keeper: &Client, id: UserId) -> String {
    let made = keeper.post_form_from("/fn/accounts/make_reset_link", "/admin/people", &[("id", &id.to_string())]).await;
    assert_eq!(made.location(), "/admin/people", "{}", made.text);
    let page = keeper.get("/admin/people").await.text;
    let (_, rest) = page.split_once("http://127.0.0.1:3000/reset/").unwrap_or_else(|| panic!("{page}"));
    format!("/reset/{}", rest.split_once('<').unwrap().0)
}

#[tokio::test]
async fn an_admins_link_works_once_for_a_day() {
    let app = TestApp::new().await;
    let keeper = admin(&app).await;
    let (ada, id) = app.person("ada").await;
    let first = link(&keeper, id).await;
    assert!(!keeper.get("/admin/people").await.text.contains("/reset/"), "shown once");
    let second = link(&keeper, id).await;
    let anybody = app.client();
    assert_eq!(anybody.get(&first).await.status, 404, "a newer link replaces the older");
    let page = anybody.get(&second).await;
    assert!(page.status == 200 && page.text.contains("@ada"), "{}", page.text);
    assert_eq!(ada.get_json("/api/me").await.status, 200, "looking changes nothing");
    let refused = anybody.post_form_from(&second, &second, &[("password", "too short")]).await;
    assert!(refused.status == 422 && refused.text.contains("at least 15 characters"), "{}", refused.text);
    let done = anybody.post_form_from(&second, &second, &[("password", OTHER)]).await;
    assert_eq!((done.status, done.location()), (303, "/settings/account?saved=recovered"), "{}", done.text);
    assert_eq!(ada.get_json("/api/me").await.status, 401, "all devices are out");
    assert_eq!((signs_in(&app, PASSWORD).await, signs_in(&app, OTHER).await), (false, true));
    let thief = app.client();
    assert_eq!(thief.get(&second).await.status, 404);
    assert_eq!(thief.post_form_from(&second, &second, &[("password", THIRD)]).await.status, 404);
    assert!(signs_in(&app, OTHER).await);

    let third = link(&keeper, id).await;
    let mut sql = app.sql().await;
    let age =
        "update one_time_tokens set expires_at = expires_at - interval '24 hours' where purpose = 'reset_password'";
    sqlx::query(age).execute(&mut sql).await.unwrap();
    assert_eq!(thief.get(&third).await.status, 404);
    assert_eq!(thief.post_form_from(&third, &third, &[("password", THIRD)]).await.status, 404);
    let noted: i64 =
        sqlx::query_scalar("select count(*) from audit_log where action = 'accounts.reset_link' and subject = 'ada'")
            .fetch_one(&mut sql)
            .await
            .unwrap();
    assert_eq!(noted, 3);
}

#[tokio::test]
async fn only_admins_with_a_fresh_password_make_links() {
    let app = TestApp::new().await;
    let keeper = admin(&app).await;
    let ((ada, id), (eve, _)) = (app.person("ada").await, app.person("eve").await);
    let fields = [("id", id.to_string())];
    let ask = async |client: &Client| {
        let fields = [("id", fields[0].1.as_str())];
        client.post_form_from("/fn/accounts/make_reset_link", "/admin/people", &fields).await.location().to_owned()
    };
    for client in [&ada, &eve, &app.client()] {
        assert!(ask(client).await.contains("__err="));
        assert_ne!(client.get("/admin/people").await.status, 200);
    }
    let stale = "update sessions set authenticated_at = now() - interval '6 minutes'";
    sqlx::query(stale).execute(&mut app.sql().await).await.unwrap();
    assert!(ask(&keeper).await.contains("__err="));
    let page = keeper.get("/admin/people").await.text;
    assert!(page.contains("/confirm?next=/admin/people") && !page.contains("Make a one-time link</button>"), "{page}");
    let made: i64 = sqlx::query_scalar("select count(*) from one_time_tokens where purpose = 'reset_password'")
        .fetch_one(&mut app.sql().await)
        .await
        .unwrap();
    assert_eq!(made, 0);
    // A token of an admin has no fresh password.
    let body = json!({"id": id.to_string()});
    assert_ne!(keeper.json(Method::POST, "/fn/accounts/make_reset_link", &body, &[]).await.status, 200);
}

#[tokio::test]
async fn admins_find_people() {
    let app = TestApp::new().await;
    let keeper = admin(&app).await;
    app.person("ada").await;
    app.person("grace").await;
    let all = keeper.get("/admin/people").await.text;
    assert!(["@ada", "@grace", "@keeper", "ada@example.org"].iter().all(|name| all.contains(name)), "{all}");
    for (q, found, missing) in
        [("GRA", "@grace", "@ada"), ("ada%40example", "@ada", "@grace"), ("%25", "Nobody found", "@ada")]
    {
        let page = keeper.get(&format!("/admin/people?q={q}")).await.text;
        assert!(page.contains(found) && !page.contains(missing), "{q}: {page}");
    }
    let evil = "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    assert!(!keeper.get(&format!("/admin/people?q={evil}")).await.text.contains("<script>alert"));
}
