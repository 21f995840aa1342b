//! What operators set: who may join, by which invitation, and what the legal pages say.

use super::{BORN, Client, PASSWORD, TestApp};
use serde_json::json;

/// An admin, whose password is fresh.
pub(super) async fn admin(app: &TestApp) -> Client {
    let (client, _) = app.person("keeper").await;
    let link = crate::accounts::store::first_admin_link(&app.state).await.unwrap().unwrap();
    client.post_form("/fn/accounts/claim_admin", &[("token", link.rsplit('/').next().unwrap())]).await;
    client
}

async fn save(client: &Client, joining: &str, age: &str) -> String {
    let fields = [
        ("form[guest_lines]", "5"),
        ("form[guest_lines_address]", "50"),
        ("form[joining]", joining),
        ("form[minimum_age]", age),
    ];
    client.post_form_from("/fn/accounts/save_doors", "/admin/accounts", &fields).await.location().to_owned()
}

async fn join(app: &TestApp, name: &str, born: &str, invite: &str) -> super::Answer {
    let email = format!("{name}@example.org");
    let body = json!({
        "username": name, "email": email, "password": PASSWORD, "birth_date": born, "invite": invite,
    });
    app.client().post_json("/api/accounts", &body).await
}

#[tokio::test]
async fn sign_up_is_open_closed_or_by_invitation() {
    let app = TestApp::new().await;
    let keeper = admin(&app).await;
    assert_eq!(join(&app, "one", BORN, "").await.status, 201);
    assert_eq!(save(&keeper, "closed", "13").await, "/admin/accounts?saved=doors");
    let refused = join(&app, "two", BORN, "").await;
    assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (403, Some("forbidden")));
    let page = app.client().get("/sign-up").await.text;
    assert!(page.contains("not taking new accounts") && !page.contains("name=\"username\""), "{page}");

    save(&keeper, "invited", "13").await;
    let fields = [("form[note]", "Book club"), ("form[uses]", "2"), ("form[days]", "7")];
    let made = keeper.post_form_from("/fn/accounts/invite", "/admin/accounts", &fields).await;
    assert_eq!(made.location(), "/admin/accounts#invitations");
    let page = keeper.get("/admin/accounts").await.text;
    let (_, rest) = page.split_once("/sign-up?invite=").unwrap_or_else(|| panic!("{page}"));
    let token = rest.split_once('<').unwrap().0.to_owned();
    assert!(!keeper.get("/admin/accounts").await.text.contains(&token), "shown once");
    let page = app.client().get("/sign-up").await.text;
    assert!(page.contains("You need an invitation") && !page.contains("name=\"username\""));
    let page = app.client().get(&format!("/sign-up?invite={token}")).await.text;
    assert!(page.contains("name=\"username\"") && page.contains(&format!("value=\"{token}\"")), "{page}");
    assert_eq!(join(&app, "two", BORN, "nonsense").await.status, 403);
    // A form that is refused spends nothing.
    assert_eq!(join(&app, "x", BORN, &token).await.status, 422);
    assert_eq!(join(&app, "two", BORN, &token).await.status, 201);
    assert!(keeper.get("/admin/accounts").await.text.contains("1 left"));
    let (a, b) = tokio::join!(join(&app, "three", BORN, &token), join(&app, "four", BORN, &token));
    let mut both = [a.status, b.status];
    both.sort_unstable();
    assert_eq!(both, [201, 403], "the last place goes to one of two");
    // One that is over, and one that is taken back.
    for end in ["update invitations set uses_left = 5, expires_at = now()", "delete from invitations"] {
        sqlx::query(end).execute(&mut app.sql().await).await.unwrap();
        assert_eq!(join(&app, "five", BORN, &token).await.status, 403, "{end}");
    }
}

#[tokio::test]
async fn what_is_set_is_checked_audited_and_for_admins() {
    let app = TestApp::new().await;
    let keeper = admin(&app).await;
    for (joining, age) in [("perhaps", "13"), ("open", "9"), ("open", "old"), ("open", "")] {
        assert!(save(&keeper, joining, age).await.contains("__err="), "{joining} {age}");
    }
    assert_eq!(save(&keeper, "open", "16").await, "/admin/accounts?saved=doors");
    let young = format!("{}-01-01", chrono::Datelike::year(&chrono::Utc::now()) - 15);
    let refused = join(&app, "two", &young, "").await;
    assert!(refused.status == 422 && refused.text.contains("aged 16 or older"), "{}", refused.text);
    assert!(app.client().get("/sign-up").await.text.contains("For people aged 16 or older."));
    let (ada, _) = app.person("ada").await;
    for client in [&ada, &app.client()] {
        assert!(save(client, "closed", "13").await.contains("__err="));
        assert_ne!(client.get("/admin/accounts").await.status, 200);
    }
    let stale = "update sessions set authenticated_at = now() - interval '6 minutes'";
    sqlx::query(stale).execute(&mut app.sql().await).await.unwrap();
    assert!(save(&keeper, "closed", "13").await.contains("__err="));
    let page = keeper.get("/admin/accounts").await.text;
    assert!(page.contains("Guests may send 5 messages a day") && page.contains("Confirm your password"), "{page}");
    let noted: i64 = sqlx::query_scalar("select count(*) from audit_log where action = 'accounts.set'")
        .fetch_one(&mut app.sql().await)
        .await
        .unwrap();
    assert_eq!(noted, 1);
}

#[tokio::test]
async fn legal_pages_say_what_holds_and_what_an_operator_writes() {
    let app = TestApp::new().await;
    let keeper = admin(&app).await;
    let anybody = app.client();
    for (path, words) in [
        ("/terms", "Every character here is played by a language model"),
        ("/privacy", "seven days after your last visit"),
        ("/contact", "run by the people who installed it"),
        ("/about-ai", "There is no person behind the replies"),
    ] {
        let page = anybody.get(path).await;
        assert!(page.status == 200 && page.text.contains(words), "{path}: {}", page.text);
        assert!(page.text.contains("href=\"/privacy\""), "the small print is on every page");
    }
    for page in ["/", "/sign-up", "/characters", "/c/lumina"] {
        let text = anybody.get(page).await.text;
        assert!(text.contains("Characters are AI.") && text.contains("href=\"/terms\""), "{page}");
    }
    let write = async |client: &Client, page: &str, body: &str, day: &str| {
        let fields = [("form[page]", page), ("form[body]", body), ("form[effective_on]", day)];
        client.post_form_from("/fn/legal/save_page", "/admin/pages", &fields).await.location().to_owned()
    };
    let ours = "# Ours\n\n<script>alert(1)</script>\n\nWrite to *Ada*.";
    assert_eq!(write(&keeper, "contact", ours, "").await, "/admin/pages/contact?saved=page");
    let page = anybody.get("/contact").await.text;
    assert!(page.contains("<em>Ada</em>") && page.contains("Effective") && !page.contains("<script>alert"), "{page}");
    // One for later leaves what holds today; an empty one takes the program's text again; versions stay.
    write(&keeper, "contact", "From tomorrow on.", "2999-01-01").await;
    assert!(!anybody.get("/contact").await.text.contains("From tomorrow on."));
    sqlx::query("delete from site_pages where effective_on > current_date")
        .execute(&mut app.sql().await)
        .await
        .unwrap();
    write(&keeper, "contact", "", "").await;
    assert!(anybody.get("/contact").await.text.contains("run by the people who installed it"));
    assert!(keeper.get("/admin/pages/contact").await.text.contains("Write to *Ada*."));
    let long = "x".repeat(60_001);
    for (page, body, day) in [("nonsense", "x", ""), ("terms", long.as_str(), ""), ("terms", "x", "tomorrow")] {
        assert!(write(&keeper, page, body, day).await.contains("__err="), "{page} {day}");
    }
    let (ada, _) = app.person("ada").await;
    assert!(write(&ada, "terms", "Mine", "").await.contains("__err="));
    assert_eq!(ada.get("/admin/pages/terms").await.status, 404);
    assert_eq!(keeper.get("/admin/pages/nonsense").await.status, 404);
}
