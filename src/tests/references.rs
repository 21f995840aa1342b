//! No row of one person names a row of another: every reference that people may write is read from the catalogue, and a stranger
//! tries each of them, in a row of their own that is good otherwise, when making it and when changing it.

use super::{
    TestApp,
    ocs::{made, mira, with},
    walls::{OWNER, ROW, STRANGER, columns, fixture, primary_key},
};
use axum::http::Method;
use serde_json::{Map, Value, json};
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row};

/// A reference of the catalogue, as far as people may write it.
struct Reference {
    name: String,
    table: String,
    target: String,
    columns: Vec<String>,
    targets: Vec<String>,
    /// Those of `columns` that people may fill.
    made: Vec<String>,
    /// Those of `columns` that people may change.
    changed: Vec<String>,
}

async fn references(sql: &mut PgConnection) -> Vec<Reference> {
    let rows = sqlx::query(
        "select * from (
             select k.conname::text as name, c.relname::text as held, f.relname::text as target,
                 (select array_agg(a.attname::text order by n.place) from unnest(k.conkey) with ordinality n (num, place)
                  join pg_attribute a on a.attrelid = k.conrelid and a.attnum = n.num) as columns,
                 (select array_agg(a.attname::text order by n.place) from unnest(k.confkey) with ordinality n (num, place)
                  join pg_attribute a on a.attrelid = k.confrelid and a.attnum = n.num) as targets,
                 (select coalesce(array_agg(a.attname::text), '{}') from unnest(k.conkey) n (num)
                  join pg_attribute a on a.attrelid = k.conrelid and a.attnum = n.num
                  where has_column_privilege('sf_app', a.attrelid, a.attnum, 'UPDATE')) as changed,
                 (select coalesce(array_agg(a.attname::text), '{}') from unnest(k.conkey) n (num)
                  join pg_attribute a on a.attrelid = k.conrelid and a.attnum = n.num
                  where has_column_privilege('sf_app', a.attrelid, a.attnum, 'INSERT')) as made
             from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_class f on f.oid = k.confrelid
             where k.contype = 'f' and c.relnamespace = 'public'::regnamespace
         ) found where made <> '{}' or changed <> '{}' order by held, name",
    );
    let rows = rows.fetch_all(sql).await.expect("the catalogue");
    rows.into_iter()
        .map(|r| Reference {
            name: r.get("name"),
            table: r.get("held"),
            target: r.get("target"),
            columns: r.get("columns"),
            targets: r.get("targets"),
            made: r.get("made"),
            changed: r.get("changed"),
        })
        .collect()
}

/// The owner's rows once more, as the stranger's.
async fn twins(sql: &mut PgConnection) {
    sql.execute("set session_replication_role = replica").await.expect("a superuser");
    let tables: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
         and relname not in ('users', 'profiles', 'profile_private', 'user_roles', '_sqlx_migrations')",
    )
    .fetch_all(&mut *sql)
    .await
    .expect("tables");
    for table in tables {
        let all = sqlx::query_scalar::<_, String>(
            "select string_agg(quote_ident(attname), ', ') from pg_attribute where attrelid = $1::regclass and attnum > 0
             and not attisdropped and attgenerated = '' and attidentity = ''",
        );
        let all = all.bind(&table).fetch_one(&mut *sql).await.expect("columns");
        let copy = format!(
            r#"insert into {table} ({all}) select {all} from (
                   select (jsonb_populate_record(null::{table}, j.twin || jsonb_strip_nulls(jsonb_build_object(
                       'name', j.twin ->> 'name' || '-twin', 'slug', j.twin ->> 'slug' || '-twin', 'key', j.twin ->> 'key' || '-twin',
                       'subject', j.twin ->> 'subject' || '-twin', 'remote_name', j.twin ->> 'remote_name' || '-twin',
                       'edited_by', case when j.twin ? 'edited_by' then '{STRANGER}' end, 'day', case when j.twin ? 'day' then '2026-01-02' end,
                       'token_hash', case when j.twin ? 'token_hash' then '\x' || repeat('07', 32) end)))).*
                   from (select replace(replace(to_jsonb(t)::text, '{OWNER}', '{STRANGER}'), '0000000000f', '0000000000e')::jsonb as twin
                         from {table} t where to_jsonb(t)::text like '%{OWNER}%' or to_jsonb(t)::text like '%{ROW}%') j
               ) made on conflict do nothing"#
        );
        sql.execute(AssertSqlSafe(copy)).await.unwrap_or_else(|e| panic!("twins of {table}: {e}"));
    }
    sql.execute("set session_replication_role = origin").await.expect("a superuser");
}

/// The first row that holds this id anywhere.
async fn row_with(sql: &mut PgConnection, table: &str, id: &str) -> Option<Map<String, Value>> {
    let query =
        format!("select to_jsonb(t)::text from {table} t where to_jsonb(t)::text like '%{id}%' order by 1 limit 1");
    let text: Option<String> = sqlx::query_scalar(AssertSqlSafe(query)).fetch_optional(sql).await.expect("a look");
    text.map(|text| serde_json::from_str(&text).expect("a row"))
}

/// Runs a statement of the stranger's and undoes it; whether it took effect, deferred references included.
async fn does(sql: &mut PgConnection, before: &str, statement: String) -> bool {
    let start = format!("begin; {before}; set local role sf_app; set local app.user_id = '{STRANGER}'");
    sql.execute(AssertSqlSafe(start)).await.expect("a transaction");
    let done = match sql.execute(AssertSqlSafe(statement.clone())).await {
        Ok(done) if done.rows_affected() > 0 => sql.execute("set constraints all immediate").await.map(|_| true),
        Ok(_) => Ok(false),
        Err(error) => Err(error),
    };
    sql.execute("rollback").await.expect("a rollback");
    match done {
        Ok(done) => done,
        Err(sqlx::Error::Database(e))
            if matches!(e.code().as_deref(), Some("42501" | "23503" | "23505" | "23514" | "23502")) =>
        {
            false
        }
        Err(error) => panic!("{statement}: {error}"),
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        other => other.to_string(),
    }
}

/// Makes the stranger's row anew, with these columns changed.
async fn makes(sql: &mut PgConnection, table: &str, row: &Map<String, Value>, change: &[(String, Value)]) -> bool {
    let whole = Value::Object(row.clone()).to_string().replace('\'', "''");
    let away = format!(
        "set local session_replication_role = replica; delete from {table} t where to_jsonb(t) = '{whole}'::jsonb;
         set local session_replication_role = origin"
    );
    let mut wanted = row.clone();
    wanted.extend(change.iter().cloned());
    let wanted = Value::Object(wanted).to_string().replace('\'', "''");
    let columns = columns(sql, table).await;
    let insert = format!(
        "insert into {table} ({columns}) select {columns} from jsonb_populate_record(null::{table}, '{wanted}')"
    );
    does(sql, &away, insert).await
}

/// Whether the stranger sees the row that a reference would lead to.
async fn seen(sql: &mut PgConnection, reference: &Reference, row: &Map<String, Value>) -> bool {
    let key: Vec<String> = reference.targets.iter().map(|t| format!("{t} = {}", literal(&row[t]))).collect();
    let query = format!("select count(*) from {} where {}", reference.target, key.join(" and "));
    sql.execute(AssertSqlSafe(format!("begin; set local role sf_app; set local app.user_id = '{STRANGER}'")))
        .await
        .expect("a look");
    let found: Result<i64, _> = sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut *sql).await;
    sql.execute("rollback").await.expect("a rollback");
    found.is_ok_and(|n| n > 0)
}

/// What was tried, and what of it went through.
#[derive(Default)]
struct Tried {
    made: u32,
    changed: u32,
    found: Vec<String>,
}

async fn tries(sql: &mut PgConnection) -> Tried {
    let twin = ROW.replace("0000000000f", "0000000000e");
    let mut tried = Tried::default();
    for reference in references(sql).await {
        let (table, name) = (&reference.table, &reference.name);
        // Whose row it would be: the owner's own, or the first thing of theirs.
        let id = if reference.target == "users" { OWNER } else { ROW };
        let Some(victim) = row_with(sql, &reference.target, id).await else { continue };
        if reference.target != "users" && seen(sql, &reference, &victim).await {
            continue;
        }
        let own = match row_with(sql, table, &twin).await {
            None => row_with(sql, table, STRANGER).await,
            own => own,
        };
        let Some(own) = own else { continue };
        let change: Vec<(String, Value)> =
            reference.columns.iter().cloned().zip(reference.targets.iter().map(|t| victim[t].clone())).collect();
        // All of it, and each part alone: a row of one's own that names another's.
        if makes(sql, table, &own, &[]).await {
            let filled: Vec<_> = change.iter().filter(|(column, _)| reference.made.contains(column)).cloned().collect();
            let parts = filled.iter().map(std::slice::from_ref).filter(|_| filled.len() > 1);
            for change in std::iter::once(filled.as_slice()).chain(parts).filter(|c| !c.is_empty()) {
                tried.made += 1;
                if makes(sql, table, &own, change).await {
                    tried.found.push(format!("{table}: a new row by {name}"));
                }
            }
        }
        let set: Vec<String> = change
            .iter()
            .filter(|(column, _)| reference.changed.contains(column))
            .map(|(column, value)| format!("{column} = {}", literal(value)))
            .collect();
        if !set.is_empty() {
            tried.changed += 1;
            let key = primary_key(sql, table).await;
            let update = format!("update {table} set {} where {key} = {}", set.join(", "), literal(&own[&key]));
            if does(sql, "select", update).await {
                tried.found.push(format!("{table}: a changed row by {name}"));
            }
        }
    }
    tried
}

#[tokio::test]
async fn nobodys_row_names_a_strangers() {
    let app = TestApp::new().await;
    let mut sql = fixture(&app).await;
    twins(&mut sql).await;
    let tried = tries(&mut sql).await;
    assert!(tried.found.is_empty(), "{:#?}", tried.found);
    assert!(tried.made >= 15 && tried.changed >= 3, "only {} and {} were tried", tried.made, tried.changed);
    // The measure of this test: it notices a reference that does not carry its owner.
    let weaker = "alter table messages drop constraint messages_parent_fkey,
                      add constraint messages_parent_fkey foreign key (parent_id) references messages;
                  alter table conversations drop constraint conversations_user_key_fkey,
                      add constraint conversations_user_key_fkey foreign key (user_key_id) references user_keys";
    sql.execute(weaker).await.expect("weaker references");
    let tried = tries(&mut sql).await;
    assert_eq!(tried.found.len(), 2, "{:#?}", tried.found);
}

/// Columns with consequences, which only the database and the process itself write: by whom they are filled (`I`) or changed (`U`).
const NOT_BY_PEOPLE: &[(&str, &str, &str)] = &[
    ("ocs", "interaction_count", "IU"),
    ("ocs", "like_count", "IU"),
    ("ocs", "kind", "IU"),
    ("ocs", "published_at", "IU"),
    ("ocs", "deleted_at", "IU"),
    ("ocs", "created_at", "IU"),
    ("ocs", "owner_id", "U"),
    ("items", "personality_effects", "U"),
    ("oc_items", "gifted_by", "IU"),
    ("forum_posts", "created_at", "IU"),
    ("forum_posts", "oc_id", "U"),
    ("forum_posts", "author_id", "U"),
    ("jobs", "status", "IU"),
    ("jobs", "oc_id", "IU"),
    ("messages", "conversation_id", "U"),
    ("messages", "parent_id", "U"),
    ("conversations", "user_id", "U"),
    ("runs", "lease_until", "U"),
    ("audit_log", "created_at", "IU"),
    ("world_events", "description", "IU"),
    ("oc_slugs", "slug", "IU"),
    ("users", "password_hash", "IU"),
    ("users", "leaving_at", "IU"),
    ("profiles", "tier", "IU"),
    ("profile_private", "token_balance", "IU"),
    ("profile_private", "age_verified", "IU"),
];

#[tokio::test]
async fn nobody_writes_what_has_consequences() {
    let app = TestApp::new().await;
    let mut sql = app.sql().await;
    let mut found = Vec::new();
    for (table, column, ways) in NOT_BY_PEOPLE {
        for (way, privilege) in [('I', "INSERT"), ('U', "UPDATE")] {
            let may = sqlx::query_scalar("select has_column_privilege('sf_app', $1, $2, $3)");
            let may: bool = may.bind(table).bind(column).bind(privilege).fetch_one(&mut sql).await.expect("the column");
            if may && ways.contains(way) {
                found.push(format!("{privilege} {table}.{column}"));
            }
        }
    }
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test]
async fn no_character_takes_an_address_that_another_had() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let (bob, bob_id) = app.person("bob").await;
    let oc = made(&ada, &with(mira(), "is_public", json!(true))).await;
    let path = format!("/api/ocs/{}", oc["id"].as_str().unwrap());
    let renamed = ada.json(Method::PATCH, &path, &json!({"name": "Mira the Late"}), &[]).await;
    assert_eq!(renamed.json()["slug"], "mira-the-late", "{}", renamed.text);
    let draft = made(&bob, &with(mira(), "name", json!("Walrus"))).await;
    for slug in ["mira-of-the-glass-storms", "mira-the-late"] {
        let mut tx = app.state.db.begin(bob_id).await.expect("a transaction");
        let taken = sqlx::query("update ocs set slug = $1 where oc_id = $2::text::uuid");
        let taken = taken.bind(slug).bind(draft["id"].as_str().unwrap()).execute(&mut *tx).await;
        let error = taken.expect_err("it is another's");
        assert_eq!(error.as_database_error().and_then(|e| e.constraint()), Some("ocs_slug_key"), "{error}");
    }
    // Its own earlier one it may have back, and the links to both lead to it.
    let back = ada.json(Method::PATCH, &path, &json!({"name": "Mira of the Glass Storms"}), &[]).await;
    assert_eq!(back.json()["slug"], "mira-of-the-glass-storms", "{}", back.text);
    let moved = app.client().get("/c/mira-the-late").await;
    assert!(moved.status == 200 || moved.location().ends_with("/c/mira-of-the-glass-storms"), "{}", moved.status);
}
