//! Joining over HTTP: everything that is wrong is told at once and at its place, ages, invitations, words as passwords.

use super::{BORN, Client, PASSWORD, TestApp};
use serde_json::json;
use sqlx::Row;

/// The whole form, with some fields otherwise.
async fn post(client: &Client, other: &[(&str, &str)]) -> super::Answer {
    let mut fields = vec![
        ("username", "grace"),
        ("email", "grace@example.org"),
        ("password", PASSWORD),
        ("birth_date", BORN),
        ("terms", "true"),
        ("next", "/talk/lumina"),
    ];
    for (name, value) in other {
        fields.retain(|(n, _)| n != name);
        fields.push((name, value));
    }
    client.post_form_from("/sign-up", "/sign-up", &fields).await
}

/// What a page says is wrong with a field.
fn told<'a>(page: &'a str, field: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("id=\"{field}-error\"")).unwrap_or_else(|| panic!("{field}: {page}"));
    let rest = rest.split_once('>').unwrap().1;
    rest.split_once("</p>").unwrap().0.trim_end_matches("<!>")
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let app = TestApp::new().await;
    app.person("ada").await;
    let client = app.client();
    let good = json!({
        "username": "grace", "email": "grace@example.org", "password": PASSWORD, "birth_date": BORN,
    });
    for (field, value, status) in [
        ("username", json!("ab"), 422),
        ("username", json!("ada lovelace"), 422),
        ("username", json!("admin"), 422),
        ("username", json!("Ada"), 409),
        ("username", json!("gr\u{202E}ace"), 422),
        ("username", json!("<script>"), 422),
        ("username", json!("~0123456789abcdef0123456789ab"), 422),
        ("username", json!("g".repeat(1000)), 422),
        ("email", json!("grace"), 422),
        ("email", json!("ADA@example.org"), 409),
        ("email", json!("grace@example.org\u{0}"), 422),
        ("password", json!("too short"), 422),
        ("password", json!("passwordpassword"), 422),
        ("password", json!("aaaaaaaaaaaaaaaaaaaa"), 422),
        ("password", json!("grace is my own name"), 422),
        ("password", json!("soulforge forever and a day"), 422),
        ("display_name", json!("gr\u{200B}ace"), 422),
        ("display_name", json!("x".repeat(61)), 422),
        ("display_name", json!("a\u{7}b"), 422),
        ("birth_date", json!(""), 422),
        ("birth_date", json!("31.1.1990"), 422),
        ("birth_date", json!("2999-01-01"), 422),
    ] {
        let mut body = good.clone();
        body[field] = value.clone();
        let answer = client.post_json("/api/accounts", &body).await;
        assert_eq!(answer.status, status, "{field} = {value}: {}", answer.text);
        assert_eq!(answer.json()["error"]["field"].as_str(), Some(field), "{value}");
        assert!(!answer.text.contains("grace is my own"), "no password comes back");
    }
    let answer = client.post_json("/api/accounts", &json!({"username": "grace"})).await;
    assert_eq!((answer.status, answer.json()["error"]["field"].as_str()), (422, Some("email")));
    assert_eq!(client.post_json("/api/accounts", &json!([1])).await.status, 422);
    let made = client.post_json("/api/accounts", &good).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.json()["recovery_codes"].as_array().map(Vec::len), Some(10));
    assert!(client.get_json("/api/me").await.json().get("recovery_codes").is_none(), "told once");
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_at_once_and_nothing_typed_is_lost() {
    let app = TestApp::new().await;
    app.person("ada").await;
    let client = app.client();
    let typed = "a secret & <kept>";
    let wrong =
        [("username", "Ada"), ("email", "nonsense"), ("password", typed), ("birth_date", "2999-01-01"), ("terms", "")];
    let page = post(&client, &wrong).await;
    assert_eq!(page.status, 422, "as the first fault says");
    assert_eq!((page.location(), page.header("cache-control")), ("", "no-store"));
    assert!(told(&page.text, "username").contains("taken"));
    assert!(told(&page.text, "email").contains("name@example.org"));
    assert!(told(&page.text, "birth_date").contains("year"));
    assert!(told(&page.text, "terms").contains("accept"));
    assert_eq!(told(&page.text, "password"), "", "a good password is not blamed");
    for link in ["#username", "#email", "#birth_date", "#terms"] {
        assert!(page.text.contains(&format!("href=\"{link}\"")), "the note leads to {link}");
    }
    for kept in
        ["value=\"Ada\"", "value=\"nonsense\"", "value=\"a secret &amp; &lt;kept&gt;\"", "value=\"/talk/lumina\""]
    {
        assert!(page.text.contains(kept), "{kept}: {}", page.text);
    }
    let whole = page.text.matches("Enter an e-mail address, like name@example.org.").count();
    assert_eq!(whole, 1, "each message is told once");
    // A short one has its message; nothing of any try is in the database.
    let page = post(&client, &[("password", "too short")]).await;
    assert_eq!(page.status, 422);
    assert!(told(&page.text, "password").contains("15 characters"));
    assert_eq!(told(&page.text, "username"), "");
    let n = sqlx::query("select count(*) as n from form_drafts").fetch_one(&mut app.sql().await).await.unwrap();
    assert_eq!(n.get::<i64, _>("n"), 0);
    assert_eq!(client.get_json("/api/me").await.status, 401);
    // What is no form at all is a form with nothing in it.
    let request = axum::http::Request::post("/sign-up").header("sec-fetch-site", "same-origin");
    let answer = client.send(request.body(axum::body::Body::from(vec![0xff; 100])).unwrap()).await;
    assert_eq!(answer.status, 422);
    assert!(told(&answer.text, "username").contains("3 to 30"));
    // The same form, mended.
    let done = post(&client, &[]).await;
    assert_eq!((done.status, done.location()), (303, "/welcome?next=%2Ftalk%2Flumina"));
}

#[tokio::test]
async fn an_address_cannot_put_words_into_our_mouth() {
    let app = TestApp::new().await;
    let client = app.client();
    let error = "eyJjb2RlIjoiaW52YWxpZCIsImZpZWxkIjoiIiwibWVzc2FnZSI6IllvdXIgYWNjb3VudCB3YXMgbG9ja2VkIn0";
    for page in ["/sign-in", "/sign-up", "/forgot"] {
        let path = format!("{page}?__path=/fn/accounts/save_profile&__err={error}&login=eve&faults=x&code=1");
        let refused = client.get(&path).await;
        assert_eq!(refused.status, 303, "what the address says is taken out of it");
        let answer = client.get(refused.location()).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.text.contains("was locked"), "{page}");
        assert!(!answer.text.contains("value=\"eve\""), "{page}");
    }
}

#[tokio::test]
async fn four_words_are_proposed_and_shown() {
    let app = TestApp::new().await;
    let client = app.client();
    let page = post(&client, &[("do", "propose"), ("password", "")]).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let (_, rest) = page.text.split_once("id=\"password\"").unwrap();
    let field = rest.split_once('>').unwrap().0;
    assert!(field.contains("type=\"text\""), "readable: {field}");
    let words = field.split_once("value=\"").unwrap().1.split_once('"').unwrap().0;
    assert_eq!(words.split(' ').count(), 4, "{words}");
    assert!(page.text.contains("value=\"grace@example.org\""), "the rest is kept");
    let hidden = post(&client, &[("do", "hide"), ("password", words)]).await.text;
    assert!(hidden.split_once("id=\"password\"").unwrap().1.split_once('>').unwrap().0.contains("type=\"password\""));
    assert_eq!(post(&client, &[("password", words)]).await.status, 303);
}

#[tokio::test]
async fn names_are_checked_while_one_types() {
    let app = TestApp::with(&["--limit-factor", "1"]).await;
    app.person("ada").await;
    let client = app.client();
    for (name, available) in [("grace", true), ("ADA", false), ("ab", false), ("admin", false), ("%3Cb%3E", false)] {
        let answer = client.get_json(&format!("/api/usernames/{name}")).await;
        assert_eq!((answer.status, answer.json()["available"].as_bool()), (200, Some(available)), "{name}");
        assert_eq!(answer.json()["message"] == "", available, "{name}");
    }
    let mut last = 200;
    for _ in 0..70 {
        last = client.get_json("/api/usernames/grace").await.status;
    }
    assert_eq!(last, 429, "nobody reads the register this way");
}

#[tokio::test]
async fn the_young_are_refused_kindly_and_adult_characters_are_for_the_grown() {
    let app = TestApp::new().await;
    let (owner, _) = app.person("ada").await;
    let body = json!({
        "name": "Nocturne", "description": "She keeps the lamp.", "personality": "Listens.", "greeting": "You again.",
        "content_rating": "mature", "is_public": true,
    });
    let made = owner.post_json("/api/ocs", &body).await;
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let born = |years: i32| format!("{}-01-01", chrono::Datelike::year(&chrono::Utc::now()) - years);
    let client = app.client();
    let child = born(12);
    let page = post(&client, &[("birth_date", &child)]).await;
    assert_eq!(page.status, 422);
    assert!(told(&page.text, "birth_date").contains("aged 13 or older"), "{}", told(&page.text, "birth_date"));
    assert_eq!(client.get_json("/api/me").await.status, 401);
    let teen = born(15);
    assert_eq!(post(&client, &[("birth_date", &teen)]).await.status, 303);
    assert_eq!(client.get_json(&format!("/api/ocs/{id}")).await.status, 404);
    let grown = app.client();
    let fields = [("username", "hedy"), ("email", "hedy@example.org")];
    assert_eq!(post(&grown, &fields).await.status, 303);
    assert_eq!(grown.get_json(&format!("/api/ocs/{id}")).await.status, 200);
}

#[tokio::test]
async fn the_page_says_what_the_account_is_for() {
    let app = TestApp::new().await;
    let client = app.client();
    let page = client.get("/sign-up?next=/talk/lumina").await.text;
    assert!(page.contains("Create an account to chat with Lumina"), "{page}");
    assert!(page.contains(&format!("/portraits/{}", app.oc("lumina").await)), "her face is there");
    let page = client.get("/sign-up?next=/summon%3Fidea%3Da%2Bgrumpy%2Bbaker").await.text;
    assert!(page.contains("Create an account to make this character") && page.contains("a grumpy baker"), "{page}");
    let page = client.get("/sign-up?next=/summon%3Fidea%3D%253Cscript%253Ealert%25281%2529").await.text;
    assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script>alert"), "text stays text");
    for (next, words) in
        [("/conversations", "to keep your chats"), ("/talk/nobody-of-this-name", "Create your account")]
    {
        let page = client.get(&format!("/sign-up?next={next}")).await.text;
        assert!(page.contains(words), "{next}");
    }
    for (path, to) in [
        ("/conversations", "/sign-up?next=/conversations"),
        ("/settings/account", "/sign-in?next=/settings/account"),
        ("/characters/new", "/sign-up?next=/characters/new"),
    ] {
        assert_eq!(client.get(path).await.location(), to);
    }
    let page = client.get("/sign-in").await.text;
    assert!(page.contains("<h1>Sign in") && !page.contains("Welcome back"), "a stranger is no old friend");
}
