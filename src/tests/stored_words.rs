//! How much people may store of what they say and are told, and who sets it.

use super::{TestApp, accounts_doors::admin, talk::Talk};
use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::json;
use sqlx::Executor;

impl Talk<'_> {
    /// The count that is kept with the account, and the bytes of all messages that are there.
    async fn counted(&self) -> (i64, i64) {
        sqlx::query_as(
            "select p.text_bytes, (select sum(octet_length(m.content))::bigint from messages m where m.user_id = p.user_id)
             from profile_private p join profiles f using (user_id) where f.username = 'ada'",
        )
        .fetch_one(&mut self.app.sql().await)
        .await
        .unwrap()
    }

    async fn must_agree(&self, after: &str) -> i64 {
        let (kept, there) = self.counted().await;
        assert_eq!(kept, there, "after {after}");
        kept
    }
}

async fn limit(app: &TestApp, bytes: i64) {
    let set = "update storage_limits set bytes = $1 where kind = 'conversations' and tier = 'explorer'";
    sqlx::query(set).bind(bytes).execute(&mut app.sql().await).await.unwrap();
}

/// Every way in which words come and go, one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn words_are_counted_whatever_is_done_with_them() {
    let app = TestApp::new().await;
    let talk = Talk::begun(&app, "ada", "lumina").await;
    talk.must_agree("the greeting, a message and its reply").await;
    talk.answers("The lamps are lit. 🏮");
    talk.say("Tell me of the harbour, and of the old keeper.").await;
    talk.must_agree("another one").await;
    let lines = talk.lines().await.len();
    let (said, reply) = (talk.line(lines - 2).await, talk.line(lines - 1).await);
    talk.post(&format!("{reply}/regenerate"), json!({})).await;
    talk.rest().await;
    talk.must_agree("another version of a reply").await;
    let reply = talk.line(lines - 1).await;
    assert_eq!(talk.post(&format!("{reply}/continue"), json!({})).await.status, 202);
    talk.rest().await;
    talk.must_agree("going on").await;
    for words in ["Longer than it was, by quite a bit: the lamps, the keeper, the cat.", "Short."] {
        let changed = talk.to(Method::PATCH, &said, json!({ "content": words })).await;
        assert!(changed.status < 300, "{}", changed.text);
        talk.must_agree("a change in place").await;
    }
    let branched = talk.post(&format!("{said}/branch"), json!({})).await;
    assert!(branched.status < 300, "{}", branched.text);
    let before = talk.must_agree("a branch").await;
    assert_eq!(talk.to(Method::DELETE, &reply, json!({})).await.status, 204);
    let after = talk.must_agree("a message that was deleted").await;
    assert!(after < before);
    let gone = talk.client.json(Method::DELETE, &format!("/api/conversations/{}", talk.id), &json!({}), &[]).await;
    assert!(gone.status < 300, "{}", gone.text);
    assert!(talk.must_agree("a chat that was deleted").await < after);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_reached_the_limit_says_nothing_more_until_they_delete() {
    let app = TestApp::new().await;
    let talk = Talk::begun(&app, "ada", "lumina").await;
    let used = talk.must_agree("the first message").await;
    limit(&app, used + 100).await;
    let long = json!({ "content": "word ".repeat(40), "conversation_id": talk.id });
    let refused = talk.client.post_json(&format!("/api/chat/{}/message", talk.oc), &long).await;
    assert_eq!(refused.status, 413, "{}", refused.text);
    assert!(refused.text.contains("Chats take ") && refused.text.contains("needs 199 bytes more"), "{}", refused.text);
    talk.must_agree("a refusal").await;
    let (_, there) = talk.counted().await;
    assert_eq!(there, used, "what was refused is not kept");
    talk.say("Something short").await;

    limit(&app, talk.must_agree("a short one").await).await;
    let lines = talk.lines().await.len();
    let (said, reply) = (talk.line(lines - 2).await, talk.line(lines - 1).await);
    for (path, body) in [
        (format!("{reply}/regenerate"), json!({})),
        (format!("{reply}/continue"), json!({})),
        (format!("{said}/branch"), json!({})),
    ] {
        let refused = talk.post(&path, body).await;
        assert_eq!(refused.status, 413, "{path}: {}", refused.text);
    }
    let edited = talk.to(Method::PATCH, &said, json!({ "content": "Something much longer than before" })).await;
    assert_eq!(edited.status, 413, "{}", edited.text);
    assert!(talk.to(Method::PATCH, &said, json!({ "content": "Less" })).await.status < 300, "less always fits");
    let line = r#"{"user_name":"a","character_name":"Lumina"}
{"name":"a","is_user":true,"mes":"Hello from another place"}"#;
    let request = Request::post("/api/conversations/import?with=lumina").header("content-type", "application/x-ndjson");
    assert_eq!(talk.client.send(request.body(Body::from(line)).unwrap()).await.status, 413);
    // A count that is out of date refuses nobody.
    app.sql().await.execute("update profile_private set text_bytes = 1000000000").await.unwrap();
    assert_eq!(talk.to(Method::DELETE, &reply, json!({})).await.status, 204);
    talk.say("Again").await;
    talk.must_agree("a count made anew").await;
}

#[tokio::test]
async fn admins_set_how_much_people_may_store() {
    let app = TestApp::new().await;
    let keeper = admin(&app).await;
    let (ada, _) = app.person("ada").await;
    let fields = |chats: &'static str| {
        let of = |name: &'static str, value: &'static str| (name, value);
        [
            of("form[explorer_conversations]", chats),
            of("form[explorer_characters]", "50"),
            of("form[explorer_pictures]", "3"),
            of("form[creator_conversations]", "1000"),
            of("form[creator_characters]", "200"),
            of("form[creator_pictures]", "500"),
            of("form[realm_builder_conversations]", "5000"),
            of("form[realm_builder_characters]", "1000"),
            of("form[realm_builder_pictures]", "2000"),
        ]
    };
    let save = async |client: &super::Client, chats: &'static str| {
        client
            .post_form_from("/fn/accounts/save_storage", "/admin/accounts", &fields(chats))
            .await
            .location()
            .to_owned()
    };
    assert!(keeper.get("/admin/accounts").await.text.contains("name=\"form[explorer_conversations]\""));
    assert!(save(&keeper, "many").await.contains("__err="));
    assert!(save(&ada, "9").await.contains("__err="));
    assert_eq!(save(&keeper, "9").await, "/admin/accounts?saved=storage#storage");
    let page = ada.get("/settings/account").await.text;
    assert!(page.contains("of 9 MB") && page.contains("of 3 MB"), "{page}");
    // Only what changed is in the log, with what it was.
    let noted: Vec<(String, serde_json::Value)> = sqlx::query_as(
        "select subject, metadata from audit_log where action = 'accounts.set_storage' order by subject",
    )
    .fetch_all(&mut app.sql().await)
    .await
    .unwrap();
    assert_eq!(
        noted,
        [
            ("explorer conversations".to_owned(), json!({ "before": 200_000_000, "after": 9_000_000 })),
            ("explorer pictures".to_owned(), json!({ "before": 100_000_000, "after": 3_000_000 })),
        ]
    );
    let stale = "update sessions set authenticated_at = now() - interval '6 minutes'";
    app.sql().await.execute(stale).await.unwrap();
    assert!(save(&keeper, "10").await.contains("__err="), "the password comes first");
    let page = keeper.get("/admin/accounts").await.text;
    assert!(page.contains("Explorers: Chats 9 MB, Characters 50 MB, Pictures 3 MB."), "{page}");
}
