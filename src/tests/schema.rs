//! The rules of the schema, read from the catalogue: what can be seen in it is looked at here and not by eye. Each rule has a
//! list of exceptions with their reasons, and an exception that is none any more fails as well.

use super::TestApp;
use sqlx::{AssertSqlSafe, PgConnection};
use std::collections::{BTreeMap, BTreeSet};

/// A rule: what it says, the query that names what breaks it, and what may.
struct Rule {
    says: &'static str,
    broken: &'static str,
    but: &'static [(&'static str, &'static str)],
}

/// Tables in which each row is one person's: they name the person, and no row is anybody else's.
const PRIVATE: &str =
    "'conversations', 'messages', 'runs', 'conversation_summaries', 'memories', 'personas', 'user_keys', 'jobs',
    'sessions', 'api_tokens', 'usage_log', 'daily_usage', 'activity_log', 'recovery_codes', 'identities'";

const BY_WORKER: &str = "only the process itself writes it, and a character's public life has no owner";
const SAME_BEFORE: &str = "older than the rule; to be partitioned before it has a hundred million rows";

const RULES: &[Rule] = &[
    Rule {
        says: "a reference to a private table carries its owner",
        broken: "select c.relname || '.' || k.conname from pg_constraint k join pg_class c on c.oid = k.conrelid
                 join pg_class f on f.oid = k.confrelid
                 where k.contype = 'f' and f.relname in ({private}) and not exists (
                     select from unnest(k.conkey) n (num) join pg_attribute a on a.attrelid = k.conrelid and a.attnum = n.num
                     where a.attname = 'user_id')",
        but: &[
            (
                "conversation_participants.conversation_participants_conversation_id_fkey",
                "whose user_id is who takes part; its policy asks for the talk",
            ),
            ("memories.memories_conversation_id_fkey", BY_WORKER),
            ("memories.memories_source_message_id_fkey", BY_WORKER),
            ("memories.memories_superseded_by_fkey", BY_WORKER),
        ],
    },
    Rule {
        says: "what becomes null when a referred row goes is named, and is never the owner",
        broken: "select c.relname || '.' || k.conname from pg_constraint k join pg_class c on c.oid = k.conrelid
                 where k.contype = 'f' and k.confdeltype = 'n' and cardinality(k.conkey) > 1
                 and (k.confdelsetcols is null or exists (
                     select from unnest(k.confdelsetcols) n (num) join pg_attribute a on a.attrelid = k.conrelid and a.attnum = n.num
                     where a.attname = 'user_id'))",
        but: &[],
    },
    Rule {
        says: "ids grow with time",
        broken: "select d.adrelid::regclass || '.' || a.attname from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid
                 and a.attnum = d.adnum where pg_get_expr(d.adbin, d.adrelid) like '%gen_random_uuid%'",
        but: &[],
    },
    Rule {
        says: "every reference has an index that begins with its columns, the owner's aside",
        broken: "select c.relname || '.' || k.conname from pg_constraint k join pg_class c on c.oid = k.conrelid
                 where k.contype = 'f' and c.relnamespace = 'public'::regnamespace and not exists (
                     select from pg_index i where i.indrelid = k.conrelid and i.indisvalid
                     and (i.indkey::smallint[])[0:cardinality(k.conkey) - 1] <@ k.conkey
                         and (k.conkey <@ (i.indkey::smallint[])[0:cardinality(k.conkey) - 1])
                     or i.indrelid = k.conrelid and cardinality(k.conkey) > 1 and exists (
                         select from pg_attribute a where a.attrelid = k.conrelid and a.attnum = i.indkey[0]
                         and a.attnum = any (k.conkey) and a.attname <> 'user_id'))",
        but: &[],
    },
    Rule {
        says: "a policy on update says what the row may become, and nobody changes whose it is",
        broken: "select c.relname || '.' || p.polname from pg_policy p join pg_class c on c.oid = p.polrelid
                 where p.polcmd = 'w' and p.polwithcheck is null and 'sf_app'::regrole = any (p.polroles)
                 union all
                 select c.relname || '.' || a.attname from pg_constraint k join pg_class c on c.oid = k.conrelid
                 join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
                 where k.contype = 'f' and k.confrelid = 'public.users'::regclass
                 and has_column_privilege('sf_app', c.oid, a.attnum, 'UPDATE')",
        but: &[("system_config.updated_by", "who changed a setting last; only admins may")],
    },
    Rule {
        says: "what people may write is granted by column",
        broken: "select c.relname || ' ' || x.privilege_type from pg_class c, aclexplode(c.relacl) x
                 where c.relnamespace = 'public'::regnamespace and x.grantee = 'sf_app'::regrole
                 and x.privilege_type in ('INSERT', 'UPDATE', 'TRUNCATE', 'REFERENCES', 'TRIGGER')",
        but: &[],
    },
    Rule {
        says: "secrets are nobody's to read but the process's",
        broken: "select c.relname || '.' || a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid
                 where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
                 and a.attname in ('password_hash', 'sealed_key', 'wrapped_key', 'code_hash')
                 and has_column_privilege('sf_app', c.oid, a.attnum, 'SELECT')",
        but: &[],
    },
    Rule {
        says: "functions with their owner's rights look for nothing in anybody's path, and are open to whom they are for",
        broken: "select p.proname::text from pg_proc p where p.pronamespace = 'app'::regnamespace and p.prosecdef
                 and (p.proconfig is null or not p.proconfig @> array['search_path=pg_catalog, pg_temp']
                      or exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x where x.grantee = 0))",
        but: &[],
    },
    Rule {
        says: "no index on a column that a heartbeat writes",
        broken: "select distinct i.indexrelid::regclass::text from pg_index i join pg_attribute a on a.attrelid = i.indrelid
                 and a.attnum = any (i.indkey::smallint[])
                 where i.indrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace)
                 and a.attname in ('lease_until', 'last_seen_at', 'last_used_at', 'last_active_at', 'updated_at')",
        but: &[
            ("limit_buckets_updated_at_idx", "read once a day; buckets are swept by it and live for minutes"),
        ],
    },
    Rule {
        says: "logs that only grow are partitioned by time, and nothing refers to them",
        broken: "select c.relname::text from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
                 and not c.relispartition and c.relname ~ '(_log|_events|notifications|deliveries)$'
                 union all
                 select c.relname || '.' || k.conname from pg_constraint k join pg_class c on c.oid = k.conrelid
                 join pg_class f on f.oid = k.confrelid where k.contype = 'f' and f.relname ~ '(_log|_events|notifications|deliveries)$'",
        but: &[
            ("activity_log", SAME_BEFORE),
            ("audit_log", SAME_BEFORE),
            ("usage_log", SAME_BEFORE),
            ("world_events", SAME_BEFORE),
            ("memories.memories_source_event_id_fkey", "goes when world_events is partitioned"),
        ],
    },
    Rule {
        says: "JSON has a size",
        broken: "select c.relname || '.' || a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
                 where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname <> '_sqlx_migrations'
                 and a.atttypid = 'jsonb'::regtype and not a.attisdropped and not exists (
                     select from pg_constraint k where k.conrelid = c.oid and k.contype = 'c' and a.attnum = any (k.conkey)
                     and pg_get_constraintdef(k.oid) like '%pg_column_size(%')",
        but: &[],
    },
    Rule {
        says: "nothing that cannot be spread over servers: deferred or excluding constraints, inheritance, sequences",
        broken: "select c.relname || '.' || k.conname from pg_constraint k join pg_class c on c.oid = k.conrelid
                 where c.relnamespace = 'public'::regnamespace and (k.condeferrable or k.contype = 'x')
                 union all
                 select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid where not c.relispartition
                 union all
                 select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind = 'S'",
        but: &[
            ("conversations.conversations_active_leaf_fkey", "a talk and its lines name each other, and move together"),
            ("conversations.conversations_branched_at_fkey", "moves together with the talk it left"),
            ("conversations.conversations_branched_from_fkey", "moves together with the talk it left"),
            ("profiles_arcanean_number_seq", "one number a person, given once at sign-up"),
        ],
    },
];

async fn named(sql: &mut PgConnection, query: &str) -> BTreeSet<String> {
    let query = query.replace("{private}", PRIVATE);
    sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(sql).await.expect("the catalogue").into_iter().collect()
}

#[tokio::test]
async fn the_schema_keeps_its_rules() {
    let app = TestApp::new().await;
    let mut sql = app.sql().await;
    let mut found = BTreeMap::new();
    for rule in RULES {
        let broken = named(&mut sql, rule.broken).await;
        let but: BTreeSet<String> = rule.but.iter().map(|(name, _)| (*name).to_owned()).collect();
        let new: Vec<_> = broken.difference(&but).cloned().collect();
        let stale: Vec<_> = but.difference(&broken).map(|name| format!("{name} keeps it by now")).collect();
        if !(new.is_empty() && stale.is_empty()) {
            found.insert(rule.says, [new, stale].concat());
        }
        assert!(rule.but.iter().all(|(_, reason)| reason.len() > 20), "{}: an exception needs a reason", rule.says);
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// The measure of the rules: each notices what it is against.
#[tokio::test]
async fn every_rule_notices_what_it_is_against() {
    let app = TestApp::new().await;
    let mut sql = app.sql().await;
    let mut before = Vec::new();
    for rule in RULES {
        before.push(named(&mut sql, rule.broken).await);
    }
    let against = "
        create table sin (sin_id serial primary key, other uuid default gen_random_uuid(), user_id uuid references users, talk uuid references conversations,
            about jsonb, lease_until timestamptz, code_hash bytea, unique (user_id, sin_id) deferrable,
            model uuid references personas on delete set null,
            constraint sin_wide foreign key (user_id, model) references personas (user_id, persona_id) on delete set null);
        create index sin_lease on sin (lease_until);
        create table sin_log (at timestamptz);
        alter table sin enable row level security;
        create policy sin_change on sin for update to sf_app using (true);
        grant select, insert, update on sin to sf_app;
        create function app.sin() returns integer language sql security definer return 1;";
    sqlx::raw_sql(against).execute(&mut sql).await.expect("a sinful table");
    for (rule, before) in RULES.iter().zip(before) {
        let after = named(&mut sql, rule.broken).await;
        assert!(after.len() > before.len(), "unnoticed: {}", rule.says);
    }
}
