//! Guests: they look and talk without an account, within limits, and do nothing else; joining and signing in keep their
//! talks, and whoever does not come back is erased.

use super::{
    Answer, BORN, Client, PASSWORD, Step, TestApp,
    endpoints::guest_answers,
    talk::{lines, said},
};
use axum::http::Method;
use serde_json::{Value, json};
use sqlx::{Executor, Row};
use std::time::{Duration, Instant};

/// Sends a line as a browser without scripts does.
async fn send(client: &Client, oc: &str, conversation: &str, content: &str) -> Answer {
    let fields = [("oc_id", oc), ("conversation_id", conversation), ("content", content), ("opening", "0")];
    client.post_form_from("/fn/chat/send_message", "/talk/lumina", &fields).await
}

/// The first line of a stranger; the conversation that it made.
async fn begin(client: &Client, oc: &str, content: &str) -> String {
    let answer = send(client, oc, "", content).await;
    let id =
        answer.location().strip_prefix("/chat/").unwrap_or_else(|| panic!("{} {}", answer.location(), answer.text));
    rest(client, id).await;
    id.to_owned()
}

/// Waits until nothing is being written.
async fn rest(client: &Client, conversation: &str) {
    let began = Instant::now();
    while lines(client, conversation).await.iter().any(|l| matches!(l["status"].as_str(), Some("queued" | "streaming")))
    {
        assert!(began.elapsed() < Duration::from_secs(20), "a reply ends");
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

async fn guests(app: &TestApp) -> i64 {
    let row = sqlx::query("select count(*) as n from users where kind = 'guest'").fetch_one(&mut app.sql().await).await;
    row.unwrap().get("n")
}

async fn set(app: &TestApp, doors: Value) {
    let text =
        "insert into system_config (key, value) values ('accounts', $1) on conflict (key) do update set value = $1";
    sqlx::query(text).bind(doors).execute(&mut app.sql().await).await.unwrap();
}

async fn sign_up(client: &Client, name: &str) -> Answer {
    let email = format!("{name}@example.org");
    let fields =
        [("username", name), ("email", &email), ("password", PASSWORD), ("birth_date", BORN), ("terms", "true")];
    client.post_form_from("/sign-up", "/sign-up", &fields).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_looks_and_talks_and_keeps_it_by_joining() {
    let app = TestApp::new().await;
    app.model.script(|_| vec![Step::text("Come closer to the light.")]);
    let lumina = app.oc("lumina").await;
    let client = app.client();
    let page = client.get("/talk/lumina").await;
    assert_eq!(page.status, 200, "{}", page.location());
    assert!(page.text.contains("Say something to") && page.text.contains("You can try this without an account."));
    assert_eq!((client.cookies().len(), guests(&app).await), (0, 0), "looking makes nobody");

    let conversation = begin(&client, &lumina, "Are you made of light?").await;
    assert_eq!(guests(&app).await, 1);
    assert!(client.cookies().contains_key("sf"));
    let talk = lines(&client, &conversation).await;
    assert_eq!(said(&talk)[1..], ["Are you made of light?", "Come closer to the light."]);
    let page = client.get(&format!("/chat/{conversation}")).await;
    assert!(page.text.contains("free messages left today"), "{}", page.text);
    assert!(page.text.contains("Sign in"), "the rail still offers the door");
    // What belongs to a reply works as for everybody.
    let reply = talk[2]["id"].as_str().unwrap();
    let again = client.post_json(&format!("/api/messages/{reply}/regenerate"), &json!({})).await;
    assert_eq!(again.status, 202, "{}", again.text);
    rest(&client, &conversation).await;
    assert_eq!(send(&client, &lumina, &conversation, "And warm?").await.location(), format!("/chat/{conversation}"));
    rest(&client, &conversation).await;
    // Nobody else sees the talk or the guest.
    let other = app.client();
    begin(&other, &lumina, "Hello").await;
    assert_eq!(other.get(&format!("/chat/{conversation}")).await.status, 404);
    let row = sqlx::query("select user_id::text as id, username from profiles where username like '~%' limit 1");
    let row = row.fetch_one(&mut app.sql().await).await.unwrap();
    let (id, name): (String, String) = (row.get("id"), row.get("username"));
    assert_eq!(app.person("eve").await.0.get(&format!("/u/{name}")).await.status, 404);
    assert!(!client.get("/characters").await.text.contains(&name));

    let before = client.cookies()["sf"].clone();
    assert!(client.get("/sign-up?next=/chat/x").await.text.contains("your chat so far is kept"));
    let joined = sign_up(&client, "ada").await;
    assert_eq!(joined.status, 303, "{}", joined.text);
    assert_ne!(client.cookies()["sf"], before, "more rights, new token");
    assert_eq!(lines(&client, &conversation).await.len(), 5);
    assert_eq!(client.get_json("/api/me").await.json()["username"], "ada");
    assert_eq!(guests(&app).await, 1, "the other one");
    let kind: String =
        sqlx::query_scalar("select u.kind from users u join profiles p using (user_id) where p.username = 'ada'")
            .fetch_one(&mut app.sql().await)
            .await
            .unwrap();
    assert_eq!(kind, "person", "{id}");
    assert_eq!(client.get("/u/ada").await.status, 200);
    let old = app.client();
    old.set_cookie("sf", &before);
    assert_eq!(old.get_json(&format!("/api/conversations/{conversation}/messages")).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_takes_the_talks_along() {
    let app = TestApp::new().await;
    app.model.script(|_| vec![Step::text("Yes.")]);
    let lumina = app.oc("lumina").await;
    let (ada, ada_id) = app.person("ada").await;
    let sent = ada.post_json(&format!("/api/chat/{lumina}/message"), &json!({"content": "I am Ada"})).await.json();
    let own = sent["conversation_id"].as_str().unwrap().to_owned();
    rest(&ada, &own).await;

    let phone = app.client();
    let conversation = begin(&phone, &lumina, "Who is there?").await;
    // A reply that is being written when somebody signs in is stopped, and what it said comes along.
    app.model.script(|_| {
        let mut steps = vec![Step::text("One moment")];
        steps.extend((0..200).map(|_| Step::text(" more")).collect::<Vec<_>>());
        steps
    });
    let fields = [("login", "ada"), ("password", PASSWORD), ("next", "/conversations")];
    let entered = phone.post_form_from("/sign-in", "/sign-in", &fields).await;
    assert_eq!((entered.status, entered.location()), (303, "/conversations"), "{}", entered.text);
    let list = phone.get_json("/api/conversations").await.json();
    let ids: Vec<&str> = list["items"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2, "a second talk with the same character: {ids:?}");
    assert!(ids.contains(&own.as_str()) && ids.contains(&conversation.as_str()));
    assert_eq!(said(&lines(&phone, &conversation).await)[1..], ["Who is there?", "Yes."]);
    assert_eq!(guests(&app).await, 0);
    // Everything in it is the account's: it can be gone on with, searched and deleted.
    let more = phone
        .post_json(
            &format!("/api/chat/{lumina}/message"),
            &json!({"content": "Go on", "conversation_id": conversation}),
        )
        .await;
    assert_eq!(more.status, 202, "{}", more.text);
    rest(&phone, &conversation).await;
    assert!(phone.get("/conversations?q=there").await.text.contains(&conversation));
    let mut sql = app.sql().await;
    for table in ["conversations", "messages", "runs", "usage_log"] {
        let text = format!("select count(*) as n from {table} where user_id <> $1");
        let n: i64 = sqlx::query(sqlx::AssertSqlSafe(text)).bind(ada_id.0).fetch_one(&mut sql).await.unwrap().get("n");
        assert_eq!(n, 0, "{table} has rows of somebody else");
    }
    let gone = phone.json(Method::DELETE, &format!("/api/conversations/{conversation}"), &json!({}), &[]).await;
    assert_eq!(gone.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_under_way_is_stopped_before_its_talk_moves() {
    let app = TestApp::new().await;
    let lumina = app.oc("lumina").await;
    app.person("ada").await;
    app.model.script(|_| {
        let mut steps = vec![Step::text("First words.")];
        steps.push(Step::Wait(Duration::from_secs(30)));
        steps.push(Step::text(" Never said."));
        steps
    });
    let guest = app.client();
    let answer = send(&guest, &lumina, "", "Tell me all").await;
    let conversation = answer.location().strip_prefix("/chat/").unwrap().to_owned();
    let began = Instant::now();
    while !lines(&guest, &conversation).await.iter().any(|l| l["status"] == "streaming") {
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
    let fields = [("login", "ada"), ("password", PASSWORD)];
    assert_eq!(guest.post_form_from("/sign-in", "/sign-in", &fields).await.status, 303);
    let after = lines(&guest, &conversation).await;
    assert_eq!(after.last().unwrap()["status"], "stopped", "{after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_day_of_a_guest_and_of_an_address_end() {
    let app = TestApp::with(&["--limit-factor", "1"]).await;
    app.model.script(|_| vec![Step::text("Hm.")]);
    set(&app, json!({"guest_lines": 3, "guest_lines_address": 5})).await;
    let lumina = app.oc("lumina").await;
    let guest = app.client();
    let conversation = begin(&guest, &lumina, "One").await;
    for line in ["Two", "Three"] {
        assert!(send(&guest, &lumina, &conversation, line).await.location().starts_with("/chat/"));
        rest(&guest, &conversation).await;
    }
    // The line that is too much is not lost: it comes back in the box, with the way on beside it.
    let refused = send(&guest, &lumina, &conversation, "Four is too much").await;
    assert!(refused.location().contains("__err="), "{}", refused.location());
    let page = guest.get(refused.location().trim_start_matches("http://127.0.0.1:3000")).await;
    assert!(page.text.contains("Four is too much"), "{}", page.text);
    let page = guest.get(&format!("/chat/{conversation}")).await.text;
    assert!(page.contains("Create a free account to keep chatting"), "{page}");
    assert_eq!(lines(&guest, &conversation).await.len(), 7);
    let json = guest
        .post_json(&format!("/api/chat/{lumina}/message"), &json!({"content": "Five", "conversation_id": conversation}))
        .await;
    assert_eq!(json.status, 429, "{}", json.text);
    assert!(json.text.contains("Create a free account to keep chatting"));
    let reply = lines(&guest, &conversation).await[2]["id"].as_str().unwrap().to_owned();
    let again = guest.post_json(&format!("/api/messages/{reply}/regenerate"), &json!({})).await;
    assert_eq!(again.status, 429, "another wording costs as much: {}", again.text);

    // The address has two left, whoever asks; then nobody is made for nothing.
    let second = app.client();
    let talk = begin(&second, &lumina, "A").await;
    assert!(send(&second, &lumina, &talk, "B").await.location().starts_with("/chat/"));
    rest(&second, &talk).await;
    assert!(send(&second, &lumina, &talk, "C").await.location().contains("__err="));
    let before = guests(&app).await;
    let third = app.client();
    assert!(send(&third, &lumina, "", "D").await.location().contains("__err="));
    assert_eq!((guests(&app).await, third.cookies().contains_key("sf")), (before, false));
    // Nobody in danger is turned away because a day is used up.
    for (client, conversation) in [(&second, talk.as_str()), (&third, "")] {
        let answer = send(client, &lumina, conversation, "I want to kill myself").await;
        let path = answer.location().to_owned();
        assert!(path.starts_with("/chat/") && !path.contains("__err="), "{path} {}", answer.text);
        assert!(client.get(&path).await.text.contains("findahelpline.com"), "the card with help lines is there");
    }
    // With an account the day goes on.
    assert_eq!(sign_up(&guest, "ada").await.status, 303);
    assert!(send(&guest, &lumina, &conversation, "Four is too much").await.location().starts_with("/chat/"));
    rest(&guest, &conversation).await;
    assert_eq!(lines(&guest, &conversation).await.len(), 9);
}

/// The address of a page, as a refused form leads back to it.
fn way(answer: &Answer) -> String {
    answer.location().trim_start_matches("http://127.0.0.1:3000").to_owned()
}

/// What the box of a chat page holds.
async fn in_the_box(client: &Client, path: &str) -> String {
    let page = client.get(path).await;
    let found = page.text.split("name=\"content\"").find_map(|part| part.split_once("</textarea>"));
    let (area, _) = found.unwrap_or_else(|| panic!("{path}: {} {}", page.status, page.location()));
    area.split_once('>').map(|(_, text)| text.trim().to_owned()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_suggested_a_line_as_a_guest() {
    let app = TestApp::with(&["--limit-factor", "1"]).await;
    app.model.script(|_| vec![Step::text("What is in the bottle?")]);
    let lumina = app.oc("lumina").await;
    set(&app, json!({"guest_lines": 3, "guest_lines_address": 5})).await;
    let path = format!("/api/chat/{lumina}/impersonate");
    let client = app.client();
    assert_eq!(client.post_json(&path, &json!({})).await.status, 401, "programs need an account");
    let ask = async |client: &Client, body: Value| {
        client.json(Method::POST, &path, &body, &[("sec-fetch-site", "same-origin")]).await
    };
    for _ in 0..2 {
        let line = ask(&client, json!({})).await;
        assert_eq!(
            (line.status, line.json()["content"].as_str()),
            (200, Some("What is in the bottle?")),
            "{}",
            line.text
        );
    }
    assert_eq!((guests(&app).await, client.cookies().contains_key("sf")), (1, true), "they are a guest by it");
    assert!(
        client.get("/talk/lumina").await.text.contains("1 free message left today"),
        "each costs as much as a line"
    );
    begin(&client, &lumina, "What is in the bottle?").await;
    assert_eq!(ask(&client, json!({})).await.status, 429);

    // Without scripts it stands in the box.
    let plain = app.client();
    let back = plain.post_form("/fn/chat/draft_line", &[("oc_id", &lumina)]).await;
    assert!(back.location().starts_with("/talk/lumina?opening=0&__draft="), "{} {}", back.location(), back.text);
    assert_eq!(in_the_box(&plain, back.location()).await, "What is in the bottle?");
    // Talks of others are none of a stranger's, and where guests may not talk, nothing is suggested to them.
    let other = app.client();
    let theirs = json!({"conversation_id": "00000000-0000-7000-8000-000000000001"});
    assert_eq!(ask(&other, theirs).await.status, 401);
    set(&app, json!({"guest_lines": 0})).await;
    assert_eq!(ask(&other, json!({})).await.status, 401);
    assert_eq!(guests(&app).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_line_stands_in_the_box_again_also_behind_the_door() {
    let app = TestApp::with(&["--limit-factor", "1"]).await;
    app.model.script(|_| vec![Step::text("Hm.")]);
    let lumina = app.oc("lumina").await;
    set(&app, json!({"guest_lines": 1, "guest_lines_address": 1})).await;
    // Too long, from a stranger in another script than ours.
    let client = app.client();
    let long = "ж".repeat(8001);
    let refused = send(&client, &lumina, "", &long).await;
    assert!(in_the_box(&client, &way(&refused)).await == long, "a message that is too long is there to be cut");
    // A form that is refused after it has made a guest.
    let fields = [("oc_id", lumina.as_str()), ("content", "Is it cold?"), ("key", &"k".repeat(201))];
    let refused = client.post_form_from("/fn/chat/send_message", "/talk/lumina", &fields).await;
    assert_eq!(guests(&app).await, 1, "{}", refused.location());
    assert_eq!(in_the_box(&client, &way(&refused)).await, "Is it cold?");

    // Too many: the way to an account carries it.
    let conversation = begin(&client, &lumina, "Hello").await;
    let page = format!("/chat/{conversation}");
    let say = async |client: &Client, conversation: &str, page: &str, content: &str| {
        let fields = [("oc_id", lumina.as_str()), ("conversation_id", conversation), ("content", content)];
        client.post_form_from("/fn/chat/send_message", page, &fields).await
    };
    let draft_of = |answer: &Answer| answer.location().split("__draft=").nth(1).unwrap_or_default().to_owned();
    let too_many = say(&client, &conversation, &page, "Are you still there?").await;
    let shown = client.get(&way(&too_many)).await.text;
    let draft = draft_of(&too_many);
    assert!(shown.contains("Are you still there?") && shown.contains("free messages"), "{shown}");
    assert!(shown.contains(&format!("/sign-up?next={page}%3F__draft%3D{draft}")), "{shown}");
    assert_eq!(sign_up(&client, "ada").await.status, 303);
    let next = format!("{page}?__draft={draft}");
    assert_eq!(in_the_box(&client, &next).await, "Are you still there?", "the guest's is the account's");

    // Signed out meanwhile: the page leads to the door, and from there back to the words.
    app.sql().await.execute("delete from sessions").await.unwrap();
    let refused = say(&client, &conversation, &page, "Not said yet").await;
    let door = client.get(&way(&refused)).await;
    let draft = draft_of(&refused);
    assert_eq!(door.location(), format!("/sign-up?next={page}%3F__draft%3D{draft}"));
    let next = format!("{page}?__draft={draft}");
    let enter = async |client: &Client, next: &str| {
        let fields = [("login", "ada"), ("password", PASSWORD), ("next", next)];
        let entered = client.post_form_from("/sign-in", "/sign-in", &fields).await;
        assert_eq!(entered.location(), next, "{}", entered.text);
    };
    enter(&client, &next).await;
    assert_eq!(in_the_box(&client, &next).await, "Not said yet");
    // Elsewhere, where nobody is left a message: who has talked with the character before is led on to that chat.
    let other = app.client();
    let refused = say(&other, "", "/talk/lumina", "A word from the ferry").await;
    assert!(!other.cookies().contains_key("sf"), "{}", refused.location());
    let next = format!("/talk/lumina?__draft={}", draft_of(&refused));
    enter(&other, &next).await;
    let led = other.get(&next).await.location().to_owned();
    assert!(led.starts_with(&format!("{page}?__draft=")), "{led}");
    assert_eq!(in_the_box(&other, &led).await, "A word from the ferry");
    // Somebody else at the same address is shown nothing.
    let (eve, _) = app.person("eve").await;
    assert_eq!(in_the_box(&eve, &format!("/talk/lumina?__draft={draft}")).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_guests_are_switched_off_the_door_says_why() {
    let app = TestApp::new().await;
    let lumina = app.oc("lumina").await;
    set(&app, json!({"guest_lines": 0})).await;
    let client = app.client();
    assert_eq!(client.get("/talk/lumina").await.location(), "/sign-up?next=/talk/lumina");
    assert!(client.get("/sign-up?next=/talk/lumina").await.text.contains("Create an account to chat with Lumina"));
    send(&client, &lumina, "", "Hello").await;
    assert_eq!((guests(&app).await, client.cookies().contains_key("sf")), (0, false));
    // Empty and broken lines make nobody either.
    set(&app, json!({})).await;
    for bad in ["", "  ", "x".repeat(8001).as_str()] {
        send(&client, &lumina, "", bad).await;
    }
    send(&client, "00000000-0000-7000-8000-000000000001", "", "Who?").await;
    assert_eq!(guests(&app).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_who_do_not_come_back_are_erased() {
    let app = TestApp::new().await;
    app.model.script(|_| vec![Step::text("Hm.")]);
    let lumina = app.oc("lumina").await;
    let (gone, here) = (app.client(), app.client());
    let old = begin(&gone, &lumina, "I shall not return").await;
    let mut sql = app.sql().await;
    sql.execute("update users set created_at = now() - interval '8 days'; update profile_private set last_active_at = now() - interval '8 days'")
        .await
        .unwrap();
    let new = begin(&here, &lumina, "I am here").await;
    let (person, _) = app.person("ada").await;
    sql.execute("update profile_private set last_active_at = now() - interval '80 days' where user_id = (select user_id from profiles where username = 'ada')")
        .await
        .unwrap();
    assert_eq!(crate::accounts::store::sweep_guests(&app.state).await.unwrap(), 1);
    assert_eq!(crate::accounts::store::sweep_guests(&app.state).await.unwrap(), 0);
    assert_eq!(gone.get_json(&format!("/api/conversations/{old}/messages")).await.status, 401);
    let left: i64 = sqlx::query_scalar("select count(*) from messages where content = 'I shall not return'")
        .fetch_one(&mut sql)
        .await
        .unwrap();
    assert_eq!(left, 0);
    assert_eq!(lines(&here, &new).await.len(), 3);
    assert_eq!(person.get_json("/api/me").await.status, 200, "people stay");
}

/// What a guest is answered otherwise than a stranger, endpoint by endpoint: talking, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_may_talk_and_do_nothing_else() {
    let open = guest_answers().await;
    let expected = [
        "DELETE /api/conversations/{id}",
        "DELETE /api/messages/{id}",
        "GET /api/conversations",
        "GET /api/conversations/{id}/events",
        "GET /api/conversations/{id}/export.md",
        "GET /api/conversations/{id}/messages",
        "GET /api/messages/{id}/wordings",
        "GET /api/runs/{id}/events",
        "GET /api/search/messages",
        "GET /chat/{id}",
        "GET /conversations",
        "GET /fn/chat/get_lines",
        "GET /fn/chat/get_talk",
        "GET /fn/chat/list_conversations",
        "PATCH /api/conversations/{id}",
        "PATCH /api/messages/{id}",
        "POST /api/chat/{oc_id}/impersonate",
        "POST /api/chat/{oc_id}/message",
    ];
    for name in expected {
        assert!(open.iter().any(|o| o == name), "{name} is closed to guests: {open:#?}");
    }
    for name in &open {
        let talks = name.contains("/chat")
            || name.contains("/conversations")
            || name.contains("/messages/")
            || name.contains("/runs/")
            || name.ends_with("/search/messages");
        assert!(talks, "{name} is open to guests");
        for closed in ["/notes", "/import", "/summary", "/model", "choose_model", "receipt", "/personas"] {
            assert!(!name.contains(closed), "{name} is open to guests");
        }
    }
}
