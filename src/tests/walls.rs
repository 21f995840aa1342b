//! Row level security, proved: a catalogue of what must hold for every table, a matrix of table, command and identity,
//! a mutation of every policy that the matrix must notice, and a storm of dropped transactions that must not leak.

use super::TestApp;
use crate::{ids::UserId, server::Db};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use std::{collections::BTreeSet, time::Duration};
use uuid::Uuid;

/// Who may do what to one row of the owner's. Letters: `o` its owner, `s` a stranger, `m` a moderator, `a` an admin,
/// `n` nobody signed in, `g` a guest. Updates and deletes are sent without a condition, so that no other policy helps.
struct Cell {
    table: &'static str,
    /// Condition that finds the fixture row.
    key: &'static str,
    select: &'static str,
    insert: &'static str,
    update: &'static str,
    delete: &'static str,
    /// Assignment for the update, which the row does not satisfy before.
    set: &'static str,
    /// What a second row must differ in, as JSON.
    other: &'static str,
}

const fn cell(table: &'static str, key: &'static str, may: [&'static str; 4], set: &'static str) -> Cell {
    let [select, insert, update, delete] = may;
    Cell { table, key, select, insert, update, delete, set, other: "{}" }
}

const fn other(cell: Cell, json: &'static str) -> Cell {
    Cell { other: json, ..cell }
}

pub(super) const OWNER: &str = "00000000-0000-7000-8000-00000000000a";
pub(super) const STRANGER: &str = "00000000-0000-7000-8000-00000000000b";
const MODERATOR: &str = "00000000-0000-7000-8000-00000000000c";
const ADMIN: &str = "00000000-0000-7000-8000-00000000000d";
/// A person without an account.
pub(super) const GUEST: &str = "00000000-0000-7000-8000-00000000009a";
/// A row of each kind that guests may not make.
const OF_GUEST: &str = "00000000-0000-7000-8000-00000000009b";
const OF_NOCTURNE: &str = r#"{"oc_id": "00000000-0000-7000-8000-0000000000f3"}"#;
/// Every fixture row has this id where it has one of its own.
pub(super) const ROW: &str = "00000000-0000-7000-8000-0000000000f0";

/// The matrix. A table that is missing here fails the catalogue test.
fn matrix() -> Vec<Cell> {
    vec![
        cell("users", "user_id = '{owner}'", ["oa", "", "o", ""], "timezone = 'Mars'"),
        cell("identities", "identity_id = '{row}'", ["o", "", "", "o"], "issuer = 'x'"),
        cell("profiles", "user_id = '{owner}'", ["osmang", "", "o", ""], "bio = 'x'"),
        // A guest's is seen by nobody else.
        cell("profiles", "user_id = '{guest}'", ["mag", "", "g", ""], "bio = 'x'"),
        cell("profiles", "user_id = '00000000-0000-7000-8000-00000000000e'", ["ma", "", "", ""], "bio = 'x'"),
        cell("profile_private", "user_id = '{owner}'", ["o", "", "o", ""], "birth_date = '2001-02-28'"),
        cell("user_roles", "user_id = '{moderator}'", ["ma", "", "", ""], "role = 'admin'"),
        cell("sessions", "session_id = '{row}'", ["o", "", "o", "o"], "authenticated_at = 'epoch'"),
        other(
            cell("api_tokens", "api_token_id = '{row}'", ["o", "o", "", "o"], "name = 'x'"),
            r#"{"token_hash": "\\x0202020202020202020202020202020202020202020202020202020202020202"}"#,
        ),
        cell("one_time_tokens", "user_id = '{owner}'", ["", "", "", ""], "purpose = 'verify_email'"),
        cell("activity_log", "activity_id = '{row}'", ["oma", "o", "", ""], "action = 'x'"),
        cell("audit_log", "audit_id = '{row}'", ["a", "", "", ""], "action = 'x'"),
        cell("limit_buckets", "key = 'row'", ["", "", "", ""], "tokens = -1"),
        cell("form_drafts", "form_draft_id = '{row}'", ["", "", "", ""], "fields = '[]'"),
        other(
            cell("ocs", "oc_id = '{row}'", ["oma", "o", "o", ""], "title = 'x'"),
            r#"{"name": "Second", "slug": "second"}"#,
        ),
        // Mature, and seen by people of age only; nobody here has said when they were born.
        other(
            cell("ocs", "oc_id = '00000000-0000-7000-8000-0000000000f3'", ["oma", "o", "o", ""], "title = 'x'"),
            r#"{"name": "Third", "slug": "third"}"#,
        ),
        cell("oc_slugs", "oc_id = '{row}'", ["oma", "", "", ""], "created_at = 'epoch'"),
        other(
            cell("featured_ocs", "oc_id = '{row}'", ["osmang", "a", "a", "a"], "sort = 7"),
            r#"{"oc_id": "00000000-0000-7000-8000-0000000000f2", "chosen_by": "00000000-0000-7000-8000-00000000000d"}"#,
        ),
        cell("seeded_ocs", "oc_id = '{row}'", ["", "", "", ""], "seeded_at = 'epoch'"),
        other(cell("oc_cards", "oc_id = '{row}'", ["o", "o", "", ""], "name = 'x'"), OF_NOCTURNE),
        other(
            cell("oc_versions", "oc_id = '{row}'", ["o", "o", "", ""], "content = '1'"),
            r#"{"version": 99, "edited_by": "00000000-0000-7000-8000-00000000000a"}"#,
        ),
        cell("items", "item_id = '{row}'", ["oma", "o", "", ""], "description = 'x'"),
        other(
            cell("oc_items", "oc_item_id = '{row}'", ["oma", "o", "o", "o"], "is_equipped = false"),
            r#"{"item_id": "00000000-0000-7000-8000-0000000000f1"}"#,
        ),
        other(cell("jobs", "job_id = '{row}'", ["o", "o", "", ""], "prompt = 'x'"), r#"{"idempotency_key": null}"#),
        cell("forum_posts", "forum_post_id = '{row}'", ["oma", "o", "oma", ""], "title = 'x'"),
        cell("world_events", "world_event_id = '{row}'", ["oma", "", "", ""], "description = 'x'"),
        cell("conversations", "conversation_id = '{row}'", ["o", "o", "o", "o"], "title = 'x'"),
        cell(
            "conversation_participants",
            "conversation_participant_id = '{row}'",
            ["o", "o", "", ""],
            "left_at = now()",
        ),
        cell("messages", "message_id = '{row}'", ["o", "o", "o", "o"], "content = 'x'"),
        other(
            cell("runs", "run_id = '{row}'", ["o", "o", "o", ""], "stop_requested = true"),
            r#"{"idempotency_key": null}"#,
        ),
        cell("memories", "memory_id = '{row}'", ["o", "", "", "o"], "content = 'x'"),
        cell("personas", "persona_id = '{row}'", ["o", "o", "o", "o"], "description = 'x'"),
        other(
            cell("conversation_summaries", "conversation_summary_id = '{row}'", ["o", "o", "o", "o"], "content = 'x'"),
            r#"{"covers_message_id": "00000000-0000-7000-8000-0000000000f1"}"#,
        ),
        other(
            cell("providers", "provider_id = '{row}'", ["a", "a", "a", "a"], "base_url = 'x'"),
            r#"{"name": "Second"}"#,
        ),
        other(
            cell("models", "model_id = '{row}'", ["osmag", "a", "a", "a"], "sort = 9"),
            r#"{"remote_name": "second"}"#,
        ),
        other(
            cell("models", "model_id = '00000000-0000-7000-8000-0000000000f1'", ["a", "a", "a", "a"], "sort = 9"),
            r#"{"remote_name": "third"}"#,
        ),
        cell("system_config", "key = 'row'", ["a", "a", "a", "a"], "value = '2'"),
        cell("crisis_cards", "day = '2026-01-01'", ["a", "", "", ""], "cards = 7"),
        // What every visitor's page must know.
        other(
            cell("system_config", "key = 'accounts'", ["osmang", "a", "a", "a"], "value = '2'"),
            r#"{"key": "accounts2"}"#,
        ),
        cell("recovery_codes", "recovery_code_id = '{row}'", ["", "", "", ""], "created_at = 'epoch'"),
        other(
            cell("invitations", "invitation_id = '{row}'", ["a", "a", "", "a"], "note = 'x'"),
            r#"{"token_hash": "\\x0202020202020202020202020202020202020202020202020202020202020202"}"#,
        ),
        other(
            cell("site_pages", "site_page_id = '{row}'", ["osmang", "a", "", ""], "body = 'x'"),
            r#"{"changed_by": "00000000-0000-7000-8000-00000000000d"}"#,
        ),
        // A guest's own rows of what guests may not make: another one of theirs is refused.
        other(
            cell("ocs", "oc_id = '{of_guest}'", ["mag", "", "g", ""], "title = 'x'"),
            r#"{"name": "Fourth", "slug": "fourth"}"#,
        ),
        cell("items", "item_id = '{of_guest}'", ["ga", "", "", "ga"], "description = 'x'"),
        other(cell("jobs", "job_id = '{of_guest}'", ["g", "", "", ""], "prompt = 'x'"), r#"{"idempotency_key": null}"#),
        cell("forum_posts", "forum_post_id = '{of_guest}'", ["mag", "", "mag", ""], "title = 'x'"),
        cell("world_events", "world_event_id = '{of_guest}'", ["mag", "", "", ""], "description = 'x'"),
        other(
            cell("api_tokens", "api_token_id = '{of_guest}'", ["g", "", "", "g"], "name = 'x'"),
            r#"{"token_hash": "\\x0303030303030303030303030303030303030303030303030303030303030303"}"#,
        ),
        cell("personas", "persona_id = '{of_guest}'", ["g", "", "g", "g"], "description = 'x'"),
        other(
            cell("user_keys", "user_key_id = '{of_guest}'", ["g", "", "g", "g"], "model = 'x'"),
            r#"{"kind": "anthropic"}"#,
        ),
        other(
            cell("user_keys", "user_key_id = '{row}'", ["o", "o", "o", "o"], "model = 'x'"),
            r#"{"kind": "anthropic"}"#,
        ),
        cell("stored_files", "key = 'row'", ["o", "o", "", "o"], "bytes = 9"),
        cell("storage_limits", "kind = 'pictures' and tier = 'explorer'", ["osmang", "", "a", ""], "bytes = 9"),
        cell("job_queue", "job_id = '{row}'", ["", "", "", ""], "priority = 7"),
        cell("dead_jobs", "job_id = '{row}'", ["", "", "", ""], "priority = 7"),
        cell("job_calls", "job_id = '{row}'", ["", "", "", ""], "provider_id = 'x'"),
        cell("schedules", "name = 'row'", ["", "", "", ""], "next_at = 'epoch'"),
        cell("paused_lanes", "lane = 'row'", ["", "", "", ""], "paused_at = 'epoch'"),
        cell("erased", "id = '{row}'", ["", "", "", ""], "erased_at = 'epoch'"),
        cell("chores", "name = 'row'", ["", "", "", ""], "done_at = 'epoch'"),
        cell("usage_log", "usage_id = '{row}'", ["oa", "", "", ""], "model = 'x'"),
        cell("daily_usage", "user_id = '{owner}'", ["oa", "", "", ""], "used = 7"),
    ]
}

fn fill(text: &str) -> String {
    text.replace("{owner}", OWNER)
        .replace("{stranger}", STRANGER)
        .replace("{moderator}", MODERATOR)
        .replace("{guest}", GUEST)
        .replace("{of_guest}", OF_GUEST)
        .replace("{row}", ROW)
}

const FIXTURE: &str = r"
insert into users (user_id, email, timezone) select id::uuid, name || '@example.org', 'UTC' from (values
    ('00000000-0000-7000-8000-00000000000a', 'wall_owner'), ('00000000-0000-7000-8000-00000000000b', 'wall_stranger'),
    ('00000000-0000-7000-8000-00000000000c', 'wall_moderator'), ('00000000-0000-7000-8000-00000000000d', 'wall_admin'),
    ('00000000-0000-7000-8000-00000000000e', 'wall_gone')) v(id, name);
insert into profiles (user_id, username, display_name, is_active)
    select user_id, split_part(email, '@', 1), email, email not like 'wall_gone%' from users where email like 'wall%';
insert into user_roles (user_id, role) values ('{moderator}', 'moderator'), ('00000000-0000-7000-8000-00000000000d', 'admin');
insert into identities (identity_id, user_id, issuer, subject) values ('{row}', '{owner}', 'i', 's');
insert into sessions (session_id, user_id, token_hash, expires_at) values ('{row}', '{owner}', sha256('1'), now() + interval '1 day');
insert into api_tokens (api_token_id, user_id, name, token_hash, hint, scopes) values ('{row}', '{owner}', 'n', sha256('1'), 'h', '{read}');
insert into one_time_tokens (token_hash, purpose, user_id) values (sha256('1'), 'reset_password', '{owner}');
insert into activity_log (activity_id, user_id, action) values ('{row}', '{owner}', 'a');
insert into audit_log (audit_id, actor_id, action) values ('{row}', '{owner}', 'a');
insert into limit_buckets (key, tokens) values ('row', 1); insert into form_drafts (form_draft_id, user_id, fields) values ('{row}', '{owner}', '{}');
insert into ocs (oc_id, owner_id, name, slug, description, personality) values
    ('{row}', '{owner}', 'Walled', 'walled', 'd', 'p'), ('00000000-0000-7000-8000-0000000000f2', '{stranger}', 'Beyond', 'beyond', 'd', 'p');
insert into ocs (oc_id, owner_id, name, slug, description, personality, is_public, content_rating) values
    ('00000000-0000-7000-8000-0000000000f3', '{owner}', 'Nocturne', 'nocturne', 'd', 'p', true, 'mature');
insert into oc_slugs (slug, oc_id) values ('once-walled', '{row}');
insert into seeded_ocs (oc_id) values ('{row}'); insert into featured_ocs (oc_id, chosen_by) values ('{row}', '{moderator}');
insert into oc_versions (oc_id, version, content) values ('{row}', 1, '{}');
insert into items (item_id, created_by, name, personality_effects, rarity) values ('{row}', '{owner}', 'i', 'e', 'common'),
    ('00000000-0000-7000-8000-0000000000f1', '{owner}', 'j', 'e', 'common');
insert into oc_items (oc_item_id, oc_id, item_id) values ('{row}', '{row}', '{row}');
insert into jobs (job_id, user_id, job_type) values ('{row}', '{owner}', 'summon');
insert into forum_posts (forum_post_id, author_id, oc_id, title, content) values ('{row}', '{owner}', '{row}', 't', 'c');
insert into world_events (world_event_id, event_type, description, actor_id, oc_id) values ('{row}', 'oc_summoned', 'd', '{owner}', '{row}');
insert into conversations (conversation_id, user_id, oc_id) values ('{row}', '{owner}', '{row}');
insert into conversation_participants (conversation_participant_id, conversation_id, user_id) values ('{row}', '{row}', '{owner}');
insert into messages (message_id, conversation_id, user_id, sender_type) values ('{row}', '{row}', '{owner}', 'user');
insert into runs (run_id, user_id, conversation_id, message_id) values ('{row}', '{owner}', '{row}', '{row}');
insert into messages (message_id, conversation_id, user_id, sender_type)
    values ('00000000-0000-7000-8000-0000000000f1', '{row}', '{owner}', 'user');
insert into personas (persona_id, user_id, name) values ('{row}', '{owner}', 'n');
insert into conversation_summaries (conversation_summary_id, conversation_id, user_id, covers_message_id, content)
    values ('{row}', '{row}', '{owner}', '{row}', 'c');
insert into memories (memory_id, oc_id, user_id, content) values ('{row}', '{row}', '{owner}', 'c');
insert into providers (provider_id, kind, name, sealed_key, wrapped_key, master_key_id) values ('{row}', 'openai', 'Row', 's', 'w', 'k');
insert into models (model_id, provider_id, remote_name, name, context_tokens, max_output_tokens, enabled) values
    ('{row}', '{row}', 'first', 'First', 4096, 512, true), ('00000000-0000-7000-8000-0000000000f1', '{row}', 'other', 'Other', 4096, 512, false);
insert into system_config (key, value) values ('row', '1');
insert into user_keys (user_key_id, user_id, kind, base_url, model, context_tokens, sealed_key, wrapped_key, master_key_id, key_last_four)
    values ('{row}', '{owner}', 'openai', 'https://example.org', 'm', 4096, 's', 'w', 'k', '1234');
insert into stored_files (key, user_id, kind, bytes) values ('row', '{owner}', 'plate', 1); insert into erased (kind, id) values ('character', '{row}');
insert into chores (name) values ('row');
insert into usage_log (usage_id, user_id, kind, provider, model, status) values ('{row}', '{owner}', 'chat', 'p', 'm', 'done');
insert into daily_usage (user_id, day, used) values ('{owner}', '2026-01-01', 1);
insert into crisis_cards (day, cards) values ('2026-01-01', 1); insert into system_config (key, value) values ('accounts', '{}');
insert into recovery_codes (recovery_code_id, user_id, code_hash) values ('{row}', '{owner}', sha256('1'));
insert into invitations (invitation_id, token_hash, uses_left, expires_at, created_by)
    values ('{row}', sha256('1'), 1, now() + interval '1 day', '00000000-0000-7000-8000-00000000000d');
insert into site_pages (site_page_id, page, body) values ('{row}', 'terms', 'b');
insert into users (user_id, kind, email) values ('{guest}', 'guest', '~0123456789abcdef0123456789ab');
insert into profiles (user_id, username, display_name) values ('{guest}', '~0123456789abcdef0123456789ab', 'Guest');
insert into ocs (oc_id, owner_id, name, slug, description, personality) values ('{of_guest}', '{guest}', 'Fleeting', 'fleeting', 'd', 'p');
insert into oc_cards (oc_id, user_id, name, data) values ('{row}', '{owner}', 'n', 'c');
insert into items (item_id, created_by, name, personality_effects, rarity) values ('{of_guest}', '{guest}', 'k', 'e', 'common');
insert into jobs (job_id, user_id, job_type) values ('{of_guest}', '{guest}', 'summon');
insert into forum_posts (forum_post_id, author_id, oc_id, title, content) values ('{of_guest}', '{guest}', '{of_guest}', 't', 'c');
insert into world_events (world_event_id, event_type, description, actor_id, oc_id) values ('{of_guest}', 'oc_summoned', 'd', '{guest}', '{of_guest}');
insert into api_tokens (api_token_id, user_id, name, token_hash, hint, scopes) values ('{of_guest}', '{guest}', 'n', sha256('2'), 'h', '{read}');
insert into personas (persona_id, user_id, name) values ('{of_guest}', '{guest}', 'n');
insert into user_keys (user_key_id, user_id, kind, base_url, model, context_tokens, sealed_key, wrapped_key, master_key_id, key_last_four)
    values ('{of_guest}', '{guest}', 'openai', 'https://example.org', 'm', 4096, 's', 'w', 'k', '1234');
";

/// Asks for one command under one identity inside the open transaction and undoes it; whether it took effect.
async fn may(sql: &mut PgConnection, identity: char, statement: &str, effect: Option<&str>) -> bool {
    let id = match identity {
        'o' => OWNER,
        's' => STRANGER,
        'm' => MODERATOR,
        'a' => ADMIN,
        'g' => GUEST,
        _ => "",
    };
    let start = format!("savepoint s; set local role sf_app; select set_config('app.user_id', '{id}', true)");
    sql.execute(AssertSqlSafe(start)).await.unwrap();
    let done = match effect {
        None => sqlx::query(AssertSqlSafe(statement.to_owned())).fetch_all(&mut *sql).await.map(|r| !r.is_empty()),
        Some(effect) => match sql.execute(AssertSqlSafe(statement.to_owned())).await {
            Ok(_) => {
                sql.execute("reset role").await.unwrap();
                sqlx::query_scalar(AssertSqlSafe(format!("select {effect}"))).fetch_one(&mut *sql).await
            }
            Err(e) => Err(e),
        },
    };
    sql.execute("rollback to savepoint s; reset role").await.unwrap();
    match done {
        Ok(done) => done,
        Err(sqlx::Error::Database(e)) if e.code().as_deref() == Some("42501") => false,
        Err(e) => panic!("{identity}: {statement}: {e}"),
    }
}

/// The columns that people may fill; all of them where they may fill none, so that trying is refused.
pub(super) async fn columns(sql: &mut PgConnection, table: &str) -> String {
    sqlx::query_scalar(
        "select coalesce(string_agg(quote_ident(attname), ', ') filter (where has_column_privilege('sf_app', attrelid, attnum, 'INSERT')),
                         string_agg(quote_ident(attname), ', ')) from pg_attribute
         where attrelid = ('public.' || $1)::regclass and attnum > 0 and not attisdropped and attgenerated = '' and attidentity = ''",
    )
    .bind(table)
    .fetch_one(sql)
    .await
    .unwrap()
}

pub(super) async fn primary_key(sql: &mut PgConnection, table: &str) -> String {
    sqlx::query_scalar(
        "select a.attname::text from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
         where i.indrelid = ('public.' || $1)::regclass and i.indisprimary",
    )
    .bind(table)
    .fetch_one(sql)
    .await
    .unwrap()
}

/// What differs between the expected letters of a cell and the database.
async fn differences(sql: &mut PgConnection, cell: &Cell) -> Vec<String> {
    let (table, key) = (cell.table, fill(cell.key));
    let columns = columns(sql, table).await;
    let primary = primary_key(sql, table).await;
    let patch = if cell.other == "{}" || !cell.other.contains("version") {
        format!("jsonb_build_object('{primary}', gen_random_uuid()) || '{}'", cell.other)
    } else {
        format!("'{}'::jsonb", cell.other)
    };
    let second: String = sqlx::query_scalar(AssertSqlSafe(format!(
        "select (to_jsonb(t) || ({patch}))::text from {table} t where {key}"
    )))
    .fetch_one(&mut *sql)
    .await
    .unwrap_or_else(|e| panic!("fixture of {table}: {e}"));
    let second = second.replace('\'', "''");
    let statements = vec![
        ("select", cell.select, format!("select 1 from {table} where {key}"), None),
        (
            "insert",
            cell.insert,
            format!(
                "insert into {table} ({columns}) select {columns} from jsonb_populate_record(null::{table}, '{second}')"
            ),
            Some("true".to_owned()),
        ),
        (
            "update",
            cell.update,
            format!("update {table} set {}", cell.set),
            Some(format!(
                "exists (select from {table} where {key} and {})",
                cell.set.replacen(" = ", " is not distinct from ", 1)
            )),
        ),
        (
            "delete",
            cell.delete,
            format!("delete from {table}"),
            Some(format!("not exists (select from {table} where {key})")),
        ),
    ];
    let mut found = Vec::new();
    for (command, letters, statement, effect) in statements {
        for identity in "osmang".chars() {
            let expected = letters.contains(identity);
            if may(sql, identity, &statement, effect.as_deref()).await != expected {
                let verb = if expected { "may not" } else { "may" };
                found.push(format!("{table}: {identity} {verb} {command}"));
            }
        }
    }
    found
}

/// One person with one of everything, a stranger, a moderator, an admin, and the owner's connection.
pub(super) async fn fixture(app: &TestApp) -> PgConnection {
    let mut sql = app.sql().await;
    let text = fill(&[FIXTURE, super::jobs::FIXTURE].concat().replace("'{read}'", "array['read']"));
    sql.execute(AssertSqlSafe(text)).await.expect("the fixture");
    sql
}

#[tokio::test]
async fn every_table_stands_behind_the_wall() {
    let app = TestApp::new().await;
    let mut sql = app.sql().await;
    let tables = sqlx::query(
        "select c.relname, c.relrowsecurity and c.relforcerowsecurity as walled, pg_get_userbyid(c.relowner) as owner,
                (select count(*) from pg_policy p where p.polrelid = c.oid) as policies
         from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname <> '_sqlx_migrations'",
    )
    .fetch_all(&mut sql)
    .await
    .unwrap();
    assert!(tables.len() > 20);
    let listed: BTreeSet<&str> = matrix().iter().map(|c| c.table).collect();
    for table in tables {
        let name: String = table.get("relname");
        assert!(table.get::<bool, _>("walled"), "{name} has row level security neither enabled nor forced");
        assert!(table.get::<i64, _>("policies") > 0, "{name} has no policy");
        assert!(!table.get::<String, _>("owner").starts_with("sf_app"), "{name} belongs to the app");
        assert!(listed.contains(name.as_str()), "{name} has no line in the matrix");
    }
    // An identity read once per row instead of once per statement makes lists slow.
    let policies = sqlx::query(
        "select polrelid::regclass::text || '.' || polname as name,
                coalesce(pg_get_expr(polqual, polrelid), '') || ' ' || coalesce(pg_get_expr(polwithcheck, polrelid), '') as text from pg_policy",
    );
    for policy in policies.fetch_all(&mut sql).await.unwrap() {
        let (name, text): (String, String) = (policy.get("name"), policy.get("text"));
        for function in ["app.user_id()", "app.has_role(", "app.is_guest()"] {
            let all = text.matches(function).count();
            let wrapped = text.matches(&format!("SELECT {function}")).count();
            assert_eq!(all, wrapped, "{name} calls {function} for every row");
        }
    }
    // A column that policies compare with the asker must lead an index.
    let slow = sqlx::query(
        "select c.relname || '.' || a.attname as name from pg_class c join pg_attribute a on a.attrelid = c.oid
         where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attname in ('user_id', 'owner_id', 'author_id', 'created_by', 'actor_id')
         and not exists (select from pg_index i where i.indrelid = c.oid and i.indkey[0] = a.attnum)",
    );
    let slow: Vec<String> = slow.fetch_all(&mut sql).await.unwrap().iter().map(|r| r.get("name")).collect();
    assert!(slow.is_empty(), "without an index: {slow:?}");
    // Functions that run with their owner's rights.
    let open = sqlx::query(
        "select p.oid::regprocedure::text as name from pg_proc p where p.prosecdef and p.pronamespace = 'app'::regnamespace
         and (p.proconfig is null or not p.proconfig @> array['search_path=pg_catalog, pg_temp']
              or exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee = 0))",
    );
    let open: Vec<String> = open.fetch_all(&mut sql).await.unwrap().iter().map(|r| r.get("name")).collect();
    assert!(open.is_empty(), "definer functions that are open to all or search a path: {open:?}");
    // Whoever may make temporary things may put types before ours. A copy of a database has not its grants, hence once more.
    crate::server::migrate::run(&mut sql).await.unwrap();
    let lent: Vec<String> = sqlx::query_scalar(
        "select rolname::text from pg_roles where rolname in ('sf_app', 'sf_worker', 'sf_backup')
         and has_database_privilege(rolname, current_database(), 'TEMPORARY')",
    )
    .fetch_all(&mut sql)
    .await
    .unwrap();
    assert!(lent.is_empty(), "{lent:?} may make temporary tables and types");
    let strong: Vec<String> = sqlx::query_scalar(
        "select rolname::text from pg_roles where rolname in ('sf_app', 'sf_worker') and (rolsuper or rolbypassrls)",
    )
    .fetch_all(&mut sql)
    .await
    .unwrap();
    assert!(strong.is_empty(), "{strong:?} can see past the wall");
}

#[tokio::test]
async fn each_identity_may_do_what_the_matrix_says() {
    let app = TestApp::new().await;
    let mut sql = fixture(&app).await;
    sql.execute("begin").await.unwrap();
    let mut found = Vec::new();
    for cell in matrix() {
        found.extend(differences(&mut sql, &cell).await);
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// The measure of the matrix: it must notice when any policy is dropped or opened.
#[tokio::test]
async fn the_matrix_notices_every_changed_policy() {
    let app = TestApp::new().await;
    let mut sql = fixture(&app).await;
    let policies = sqlx::query(
        "select polname::text as name, polrelid::regclass::text as \"table\",
                pg_get_expr(polqual, polrelid) as qual, pg_get_expr(polwithcheck, polrelid) as checked
         from pg_policy where polroles = array['sf_app'::regrole::oid] order by 2, 1",
    )
    .fetch_all(&mut sql)
    .await
    .unwrap();
    assert!(policies.len() > 30);
    let cells = matrix();
    let (mut tried, mut survived) = (0, Vec::new());
    for policy in &policies {
        let (name, table): (String, String) = (policy.get("name"), policy.get("table"));
        let (qual, checked): (Option<String>, Option<String>) = (policy.get("qual"), policy.get("checked"));
        let mut mutations = vec![format!("drop policy {name} on {table}")];
        match (&qual, &checked) {
            (Some(q), None) if q != "true" => mutations.push(format!("alter policy {name} on {table} using (true)")),
            (None, Some(_)) => mutations.push(format!("alter policy {name} on {table} with check (true)")),
            (Some(_), Some(_)) => {
                mutations.push(format!("alter policy {name} on {table} using (true) with check (true)"));
            }
            _ => {}
        }
        for mutation in mutations {
            tried += 1;
            sql.execute("begin").await.unwrap();
            sql.execute(AssertSqlSafe(mutation.clone())).await.unwrap();
            let mut noticed = false;
            for cell in cells.iter().filter(|c| c.table == table) {
                noticed = noticed || !differences(&mut sql, cell).await.is_empty();
            }
            sql.execute("rollback").await.unwrap();
            if !noticed {
                survived.push(mutation);
            }
        }
    }
    assert!(survived.is_empty(), "{} of {tried} mutations went unnoticed: {survived:#?}", survived.len());
}

/// A page whose reader hangs up drops its future anywhere, also between BEGIN and the first row.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_transactions_never_lend_their_identity() {
    let app = TestApp::new().await;
    let mut sql = app.sql().await;
    sql.execute(
        "insert into users (user_id, email) select ('00000000-0000-7000-9000-' || lpad(n::text, 12, '0'))::uuid, 'storm' || n || '@example.org' from generate_series(1, 50) n;
         insert into profiles (user_id, username, display_name) select user_id, split_part(email, '@', 1), 'x' from users where email like 'storm%';
         insert into api_tokens (user_id, name, token_hash, hint, scopes) select user_id, 'n', sha256(email::bytea), 'h', array['read'] from users where email like 'storm%'",
    )
    .await
    .unwrap();
    sql.close().await.unwrap();
    let db = app.state.db.clone();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..6_u64 {
        let db = db.clone();
        tasks.spawn(async move {
            let (mut finished, mut dropped) = (0, 0);
            for i in 0..250_u64 {
                let n = 1 + (i * 7 + task * 13) % 50;
                let user = UserId(format!("00000000-0000-7000-9000-{n:012}").parse::<Uuid>().unwrap());
                // Dropped after so many looks at it and not after a time: how fast the machine is makes no difference.
                let mut asked = Box::pin(seen(&db, Some(user)));
                let mut answer = None;
                for _ in 0..i * 5 % 16 {
                    if let std::task::Poll::Ready(owners) = futures::poll!(asked.as_mut()) {
                        answer = Some(owners);
                        break;
                    }
                    std::thread::sleep(Duration::from_micros(20));
                    tokio::task::yield_now().await;
                }
                drop(asked);
                match answer {
                    Some(owners) => {
                        finished += 1;
                        assert!(owners.iter().all(|o| *o == user.0), "{user} saw rows of others");
                    }
                    None => dropped += 1,
                }
                if i % 10 == 0 {
                    let owners = seen(&db, None).await;
                    assert!(owners.is_empty(), "nobody saw rows of {owners:?}");
                }
            }
            (finished, dropped)
        });
    }
    let (mut finished, mut dropped) = (0, 0);
    while let Some(result) = tasks.join_next().await {
        let (f, d) = result.expect("no leak");
        finished += f;
        dropped += d;
    }
    assert!(dropped > 100, "only {dropped} were dropped ({finished} finished): the test tests nothing");
}

async fn seen(db: &Db, who: Option<UserId>) -> Vec<Uuid> {
    use crate::server::Identity;
    let mut tx = db.begin(who.map_or(Identity::Anonymous, Identity::User)).await.unwrap();
    sqlx::query_scalar("select user_id from api_tokens").fetch_all(&mut *tx).await.unwrap()
}
