//! *Erasure*: somebody who has used every endpoint, or has a row in every table, and then deletes the account, leaves no trace in any
//! column of any table and in no file, but for the exceptions that stand here.

use super::{Site, ask, from_here, list::Kind, walls};
use crate::tests::{
    TestApp,
    avatars::{png, upload},
    ocs::{made, mira, with},
    rights::plate,
};
use axum::http::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};
use std::{collections::BTreeMap, path::Path};

/// A word that nobody but the one who leaves has written.
const CANARY: &str = "quokkaberry";

/// Tables in which a trace may stay, each with its reason.
const KEPT: &[(&str, &str)] = &[
    ("audit_log", "append-only: what those with power did, by their bare id"),
    ("erased", "the bare id, so that a restore of an older backup erases again"),
];

/// Rows of the fixture that are nobody's: the site's own, which carry the id that every row of the fixture has.
const OF_THE_SITE: &[&str] = &[
    "providers",
    "models",
    "system_config",
    "invitations",
    "site_pages",
    "seeded_ocs",
    "chores",
    "schedules",
    "paused_lanes",
    "storage_limits",
    "limit_buckets",
    "one_time_tokens",
    "audit_log",
];

/// How many rows of each table have one of these words anywhere.
async fn traces(sql: &mut PgConnection, words: &[&str]) -> BTreeMap<String, i64> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select c.relname::text from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') order by 1",
    )
    .fetch_all(&mut *sql)
    .await
    .expect("the tables");
    assert!(tables.len() > 20, "{tables:?}");
    let mut found = BTreeMap::new();
    for table in tables {
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(format!(
            "select count(*) from {table} t where exists (select from unnest($1::text[]) w where position(w in lower(to_jsonb(t)::text)) > 0)"
        )))
        .bind(words)
        .fetch_one(&mut *sql)
        .await
        .expect("a search");
        if rows > 0 {
            found.insert(table, rows);
        }
    }
    found
}

/// Files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries
        .flatten()
        .flat_map(|entry| match entry.path() {
            path if path.is_dir() => files(&path),
            path => vec![path.display().to_string()],
        })
        .collect()
}

fn without_kept(mut found: BTreeMap<String, i64>) -> BTreeMap<String, i64> {
    for (table, reason) in KEPT {
        assert!(reason.len() > 8, "{table} needs a reason");
        found.remove(*table);
    }
    found
}

/// Writes the word into every text of every row that is the owner's, wherever the table lets it.
async fn mark(sql: &mut PgConnection) -> usize {
    let columns = sqlx::query(
        "with theirs as (
             select c.relname, string_agg(format('%I in (%L, %L)', a.attname, $1::text, $2::text), ' or ') as is_theirs
             from pg_class c join pg_attribute a on a.attrelid = c.oid and a.atttypid = 'uuid'::regtype and not a.attisdropped
             where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' group by 1)
         select t.relname::text as name, t.is_theirs, quote_ident(a.attname) as column, a.atttypid::regtype::text as kind
         from theirs t join pg_class c on c.relname = t.relname and c.relnamespace = 'public'::regnamespace
         join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
             and a.atttypid::regtype::text in ('text', 'jsonb', 'text[]')
         where t.relname <> all($3)",
    )
    .bind(walls::OWNER)
    .bind(walls::ROW)
    .bind(OF_THE_SITE)
    .fetch_all(&mut *sql)
    .await
    .expect("the columns");
    let mut marked = 0;
    for column in columns {
        let (table, is_theirs): (String, String) = (column.get("name"), column.get("is_theirs"));
        let (name, kind): (String, String) = (column.get("column"), column.get("kind"));
        let value = match kind.as_str() {
            "jsonb" => format!("'{{\"a\": \"{CANARY}\"}}'"),
            "text[]" => format!("array['{CANARY}']"),
            // Unique where a name is.
            _ => format!("'{CANARY}' || substr(md5(ctid::text), 1, 4)"),
        };
        // What a check of the table or a reference does not let in, cannot be there either.
        sql.execute("savepoint s").await.expect("a savepoint");
        let written =
            sql.execute(AssertSqlSafe(format!("update {table} set {name} = {value} where {is_theirs}"))).await;
        match written {
            Ok(done) => marked += usize::try_from(done.rows_affected()).unwrap_or(0),
            Err(_) => drop(sql.execute("rollback to savepoint s").await.expect("undone")),
        }
    }
    marked
}

/// The person with one of everything: a table that joins the fixture of `walls` joins this test by itself.
#[tokio::test]
async fn rows_of_every_kind_go_with_the_account() {
    let mut site = Site::new().await;
    site.sql.execute("begin").await.unwrap();
    let marked = mark(&mut site.sql).await;
    site.sql.execute("commit").await.unwrap();
    let before = traces(&mut site.sql, &[CANARY, walls::OWNER]).await;
    assert!(marked > 60 && before.len() > 20, "{marked} texts in {} tables: {before:?}", before.len());
    // Made as one makes them, since only then there are files.
    let owner = site.signed_in(walls::OWNER).await;
    let name: String = sqlx::query_scalar("select username from profiles where user_id = $1::uuid")
        .bind(walls::OWNER)
        .fetch_one(&mut site.sql)
        .await
        .unwrap();
    let fields = [("form[username]", name.as_str()), ("form[characters_too]", "true")];
    let gone = owner.post_form_from("/fn/accounts/delete_account", "/settings/account", &fields).await;
    assert_eq!(gone.location(), "/goodbye", "{}", gone.text);
    let left = without_kept(traces(&mut site.sql, &[CANARY, walls::OWNER]).await);
    assert!(left.is_empty(), "somebody who left is still in {left:?}");
}

/// Endpoints that a person who stays for now does not ask.
const NOT_NOW: &[&str] = &[
    "POST /fn/accounts/delete_account",
    "POST /fn/accounts/sign_out",
    "DELETE /api/sessions/current",
    "POST /sign-up",
    "POST /sign-in",
    "POST /api/accounts",
    "POST /api/sessions",
    "POST /fn/accounts/change_email",
    "POST /fn/ocs/delete",
    "DELETE /api/ocs/{id}",
];

/// Everything that there is to use, used: by forms that are refused and kept, by programs, with files.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_used_everything_leaves_nothing() {
    let mut site = Site::new().await;
    // Nobody but the one who leaves: the fixture's people have their own rows.
    let (client, id) = site.app.person(CANARY).await;
    let id_text = id.to_string();
    let oc = made(&client, &with(mira(), "name", json!(format!("{CANARY} of the lamps")))).await;
    let shown =
        made(&client, &with(with(mira(), "name", json!(format!("{CANARY} shown"))), "is_public", json!(true))).await;
    for (oc, side) in [(&oc, 16), (&oc, 24), (&shown, 16), (&shown, 32)] {
        assert_eq!(plate(&client, oc["slug"].as_str().unwrap(), side).await.status, 204);
    }
    for side in [16, 24] {
        upload(&client, &png(side), "a.png", "image/png", "application/json").await;
    }
    let talk = json!({"content": format!("{CANARY}, hello")});
    let said = client.post_json(&format!("/api/chat/{}/message", shown["id"].as_str().unwrap()), &talk).await;
    assert_eq!(said.status, 202, "{}", said.text);
    let conversation = said.json()["conversation_id"].as_str().unwrap().to_owned();
    let (id_of_oc, slug) = (oc["id"].as_str().unwrap().to_owned(), oc["slug"].as_str().unwrap().to_owned());
    let mut used = 0;
    for endpoint in site.endpoints.clone().iter().filter(|e| !NOT_NOW.contains(&e.name().as_str())) {
        for thing in [&id_of_oc, &conversation] {
            let request = endpoint.request(|_, leaf| match leaf.kind {
                Kind::Text if leaf.value == "A keeper of small lamps" => CANARY.to_owned(),
                _ => leaf.naming(thing, &slug),
            });
            let mut request = from_here(request);
            // As a browser without scripts sends it: what is refused is kept for the page it goes back to.
            if endpoint.method == Method::POST && endpoint.route.starts_with("/fn/") {
                let html = "text/html,*/*;q=0.8".parse().expect("a value");
                request.headers_mut().insert("accept", html);
                request.headers_mut().insert("referer", "http://127.0.0.1:3000/settings".parse().expect("a value"));
            }
            ask(&client, request).await;
            used += 1;
        }
    }
    assert!(used > 150, "only {used} requests");
    let words = [CANARY, id_text.as_str()];
    let before = traces(&mut site.sql, &words).await;
    for table in [
        "users",
        "profiles",
        "ocs",
        "messages",
        "conversations",
        "form_drafts",
        "limit_buckets",
        "forum_posts",
        "stored_files",
    ] {
        assert!(before.contains_key(table), "nothing in {table}, so this proves nothing about it: {before:?}");
    }
    let folder = site.app.state.config.place.data.join("files");
    assert!(files(&folder).len() > 3, "{:?}", files(&folder));
    settled(&site.app).await;

    let name: String = sqlx::query_scalar("select username from profiles where user_id = $1")
        .bind(id.0)
        .fetch_one(&mut site.sql)
        .await
        .unwrap();
    // Some of it ended the session or changed the password.
    let client = site.signed_in(&id_text).await;
    let fields = [("form[username]", name.as_str()), ("form[characters_too]", "true")];
    let gone = client.post_form_from("/fn/accounts/delete_account", "/settings/account", &fields).await;
    assert_eq!(gone.location(), "/goodbye", "{}", gone.text);
    let left = without_kept(traces(&mut site.sql, &words).await);
    assert!(left.is_empty(), "somebody who left is still in {left:?}");
    assert_eq!(files(&folder), Vec::<String>::new());
}

/// Waits until no reply and no summon is under way.
async fn settled(app: &TestApp) {
    for _ in 0..200 {
        if app.state.runs.count() + app.state.summons.count() == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("replies are still under way");
}

/// Characters that stay are talked with by others: they keep their pictures and posts, and nothing says whose they were.
#[tokio::test]
async fn characters_that_stay_name_nobody() {
    let app = TestApp::new().await;
    let (ada, id) = app.person("ada").await;
    let shown = made(&ada, &with(mira(), "is_public", json!(true))).await;
    let draft = made(&ada, &with(mira(), "name", json!("Draft of mine"))).await;
    for oc in [&shown, &draft] {
        assert_eq!(plate(&ada, oc["slug"].as_str().unwrap(), 24).await.status, 204);
    }
    ada.post_form_from("/fn/accounts/delete_account", "/settings/account", &[("form[username]", "ada")]).await;
    let left = without_kept(traces(&mut app.sql().await, &[&id.to_string(), "draft of mine"]).await);
    assert!(left.is_empty(), "{left:?}");
    let page = app.client().get("/c/mira-of-the-glass-storms").await;
    assert_eq!(page.status, 200);
    assert!(!page.text.contains("@ada"), "{}", page.text);
    let plate = app.client().get(&format!("/portraits/{}", shown["id"].as_str().unwrap())).await;
    assert_eq!(plate.header("content-type"), "image/jpeg", "its plate stays");
    assert_eq!(files(&app.state.config.place.data.join("files")).len(), 1);
}
