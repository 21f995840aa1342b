//! Leaving: a character that goes takes nobody else's talks along, and an account goes whole, however much it has.

use super::{
    TestApp,
    ocs::{made, mira, with},
    talk::lines,
};
use crate::{accounts::store::finish_leaving, error::AppResult, server::db::whole};
use axum::http::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use std::time::Duration;

async fn count(sql: &mut PgConnection, what: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {what}"))).fetch_one(sql).await.expect("a count")
}

#[tokio::test]
async fn a_character_that_leaves_leaves_talks_where_they_are() {
    let app = TestApp::new().await;
    let (ada, ada_id) = app.person("ada").await;
    let (bob, _) = app.person("bob").await;
    let mut oc = with(mira(), "is_public", json!(true));
    for field in ["nickname", "creator_notes", "post_history_instructions"] {
        oc[field] = json!("Mira");
    }
    let oc = made(&ada, &oc).await;
    let id = oc["id"].as_str().unwrap();
    let mut talks = Vec::new();
    for client in [&ada, &bob] {
        let sent = client.post_json(&format!("/api/chat/{id}/message"), &json!({"content": "Hello"})).await;
        assert_eq!(sent.status, 202, "{}", sent.text);
        talks.push(sent.json()["conversation_id"].as_str().unwrap().to_owned());
    }
    for (client, talk) in [&ada, &bob].into_iter().zip(&talks) {
        for _ in 0..400 {
            if lines(client, talk).await.iter().all(|l| !matches!(l["status"].as_str(), Some("queued" | "streaming"))) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let said = lines(&bob, &talks[1]).await;
    assert!(said.len() >= 2);
    assert_eq!(ada.json(Method::DELETE, &format!("/api/ocs/{id}"), &json!({}), &[]).await.status, 204);

    assert_eq!(lines(&bob, &talks[1]).await, said, "what was said stays");
    let listed = bob.get_json("/api/conversations").await;
    assert!(listed.text.contains("A character who left"), "{}", listed.text);
    assert!(!listed.text.contains("Mira"), "{}", listed.text);
    let more = bob.post_json(&format!("/api/chat/{id}/message"), &json!({"content": "Are you there?"})).await;
    assert_eq!(more.status, 403, "{}", more.text);
    assert!(more.text.contains("has left"), "{}", more.text);
    assert_eq!(bob.get_json(&format!("/api/ocs/{id}")).await.status, 404);
    assert_eq!(app.client().get("/c/mira-of-the-glass-storms").await.status, 404);

    let mut sql = app.sql().await;
    assert_eq!(
        count(&mut sql, &format!("conversations where user_id = '{ada_id}'")).await,
        0,
        "its owner's go with it"
    );
    let words = "ocs o where o.oc_id = $id and to_jsonb(o)::text ilike '%mira%'".replace("$id", &format!("'{id}'"));
    assert_eq!(count(&mut sql, &words).await, 0, "not a word of it stays");
    // Name and address are anybody's.
    let again = made(&bob, &with(mira(), "is_public", json!(true))).await;
    assert_eq!(again["slug"], "mira-of-the-glass-storms");

    // Its place goes when the last talk has gone.
    let place = format!("ocs where oc_id = '{id}'");
    crate::server::files::sweep::sweep(&app.state).await.expect("a sweep");
    assert_eq!(count(&mut sql, &place).await, 1);
    assert_eq!(
        bob.json(Method::DELETE, &format!("/api/conversations/{}", talks[1]), &json!({}), &[]).await.status,
        204
    );
    crate::server::files::sweep::sweep(&app.state).await.expect("a sweep");
    assert_eq!(count(&mut sql, &place).await, 0);
}

#[tokio::test]
async fn what_many_met_goes_in_slices() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let oc = made(&ada, &with(mira(), "is_public", json!(true))).await;
    let id = oc["id"].as_str().unwrap();
    let mut sql = app.sql().await;
    let many = format!("insert into memories (oc_id, content) select '{id}', 'a boat' from generate_series(1, 2500)");
    sql.execute(AssertSqlSafe(many)).await.unwrap();
    assert_eq!(ada.json(Method::DELETE, &format!("/api/ocs/{id}"), &json!({}), &[]).await.status, 204);
    assert_eq!(count(&mut sql, "memories").await, 2500, "no statement of a person deletes so many");
    assert_eq!(ada.get_json(&format!("/api/ocs/{id}")).await.status, 404);
    crate::server::files::sweep::sweep(&app.state).await.expect("a sweep");
    assert_eq!(count(&mut sql, &format!("ocs where oc_id = '{id}'")).await + count(&mut sql, "memories").await, 0);
}

/// Two and a half slices of lines and memories, in one talk.
async fn fill(sql: &mut PgConnection, user: &str) {
    let rows = format!(
        "insert into conversations (conversation_id, user_id, oc_id)
             select '00000000-0000-7000-8000-0000000000c1', '{user}', oc_id from ocs where slug = 'lumina';
         insert into messages (message_id, conversation_id, user_id, parent_id, sender_type, content)
             select ('00000000-0000-7000-9000-' || lpad(n::text, 12, '0'))::uuid, '00000000-0000-7000-8000-0000000000c1', '{user}',
                 case when n > 1 then ('00000000-0000-7000-9000-' || lpad((n - 1)::text, 12, '0'))::uuid end, 'user', 'w'
             from generate_series(1, 2500) n;
         insert into memories (oc_id, user_id, content) select oc_id, '{user}', 'm' from ocs, generate_series(1, 2500) where slug = 'lumina'"
    );
    sql.execute(AssertSqlSafe(rows)).await.expect("rows");
}

#[tokio::test]
async fn a_large_account_goes_in_slices_and_whoever_comes_later_goes_on() {
    let app = TestApp::new().await;
    let (ada, ada_id) = app.person("ada").await;
    let mut sql = app.sql().await;
    fill(&mut sql, &ada_id.to_string()).await;
    let gone =
        ada.post_form_from("/fn/accounts/delete_account", "/settings/account", &[("form[username]", "ada")]).await;
    assert_eq!(gone.location(), "/goodbye", "{}", gone.text);
    for table in ["users where email = 'ada@example.org'", "messages", "memories"] {
        assert_eq!(count(&mut sql, table).await, 0, "{table}");
    }

    // A process that closed the account and then died.
    let (bob, bob_id) = app.person("bob").await;
    fill(&mut sql, &bob_id.to_string()).await;
    let left = format!("update users set leaving_at = now() - interval '2 hours' where user_id = '{bob_id}'");
    sql.execute(AssertSqlSafe(left)).await.unwrap();
    assert_eq!(finish_leaving(&app.state).await.expect("the rest"), 1);
    assert_eq!(bob.get_json("/api/me").await.status, 401);
    for table in ["users where email = 'bob@example.org'", "messages", "memories"] {
        assert_eq!(count(&mut sql, table).await, 0, "{table}");
    }
    assert_eq!(finish_leaving(&app.state).await.expect("nothing"), 0);
}

#[tokio::test]
async fn what_the_database_gives_up_is_tried_once_more_and_then_told() {
    let app = TestApp::new().await;
    let raise = async |code: &'static str| -> AppResult<()> {
        let mut tx = app.state.db.system().await?;
        let statement = format!("do $$ begin raise exception using errcode = '{code}'; end $$");
        tx.execute(AssertSqlSafe(statement)).await?;
        tx.commit().await
    };
    for code in ["40001", "40P01", "55P03", "57014", "25006", "25P03", "57P05", "08006", "53300"] {
        let error = raise(code).await.expect_err(code);
        assert_eq!((error.status(), error.retry_after()), (503, Some(5)), "{code}: {error}");
    }
    // The one that was no primary any more is one, so its connections are kept.
    app.state.db.system().await.expect("a transaction");
    let mut tries = 0;
    let met = whole(|| {
        tries += 1;
        let code = if tries == 1 { "40P01" } else { "" };
        let raise = &raise;
        async move { if code.is_empty() { Ok(7) } else { raise(code).await.map(|()| 0) } }
    });
    assert_eq!(met.await.expect("the second try"), 7);
    let mut tries = 0;
    let other = whole(|| {
        tries += 1;
        raise("57014")
    });
    assert!(other.await.is_err());
    assert_eq!(tries, 1, "what took too long is not tried again");
}
