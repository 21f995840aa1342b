//! Migrations: run at start, by the owner only.

use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};

/// The files of `migrations/`, compiled in.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Checks the server, makes missing roles, and applies what has not been applied.
///
/// # Errors
/// A sentence that says what is missing.
pub async fn run(owner: &mut PgConnection) -> Result<(), String> {
    prepare(owner).await?;
    MIGRATIONS.run(&mut *owner).await.map_err(|e| format!("the migrations could not be applied: {e}"))?;
    // A table that the framework makes and no migration can grant; and sequences, of which `app.wall` knows nothing.
    // Nobody needs temporary tables, and types among them would be found before our own: the owner may do without a grant.
    sqlx::raw_sql(
        "grant select on _sqlx_migrations to sf_backup; grant select on all sequences in schema public to sf_backup;
         do $$ begin execute format('revoke temporary on database %I from public', current_database()); end $$",
    )
    .execute(owner)
    .await
    .map(drop)
    .map_err(|e| e.to_string())
}

/// The tables that the migrations make, as `public.users`. Other tables in the database are somebody else's.
#[must_use]
pub fn known_tables() -> BTreeSet<String> {
    MIGRATIONS
        .iter()
        .flat_map(|migration| migration.sql.as_str().lines())
        .filter_map(|line| line.strip_prefix("create table "))
        .filter_map(|rest| rest.split([' ', '(']).next())
        .map(|name| format!("public.{name}"))
        .collect()
}

/// The tables in `public` with the columns that are written (not those that are computed), quoted, in the order of their names;
/// without those of extensions and the framework's own.
///
/// # Errors
/// When the database cannot be reached.
pub async fn columns(connection: &mut PgConnection) -> Result<BTreeMap<String, Vec<String>>, sqlx::Error> {
    let found: Vec<(String, Vec<String>)> = sqlx::query_as(
        "select format('%I.%I', n.nspname, c.relname), array_agg(quote_ident(a.attname) order by a.attnum)
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
         join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
         where c.relkind in ('r', 'p') and n.nspname = 'public' and c.relname <> '_sqlx_migrations'
           and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
         group by 1",
    )
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().collect())
}

/// The tables of ours, quoted, in the order of their names; without those of extensions.
///
/// # Errors
/// When the database cannot be reached.
pub async fn tables(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('r', 'p') and n.nspname in ('public', 'app')
           and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
         order by 1",
    )
    .fetch_all(connection)
    .await
}

/// Checks version and extension, makes missing roles.
///
/// # Errors
/// A sentence that says what is missing.
pub async fn prepare(owner: &mut PgConnection) -> Result<(), String> {
    let version: i32 = sqlx::query_scalar("select current_setting('server_version_num')::int")
        .fetch_one(&mut *owner)
        .await
        .map_err(|e| e.to_string())?;
    if version < 160_000 {
        return Err(format!(
            "PostgreSQL 16 or newer is needed, this is {}; set DATABASE_URL to another",
            version / 10_000
        ));
    }
    let vector: bool = sqlx::query_scalar("select exists (select from pg_available_extensions where name = 'vector')")
        .fetch_one(&mut *owner)
        .await
        .map_err(|e| e.to_string())?;
    if !vector {
        return Err(
            "the database lacks the extension pgvector; install it, or set DATABASE_URL to a server that has it".into(),
        );
    }
    for role in ["sf_app", "sf_worker", "sf_backup"] {
        make_role(owner, role).await.map_err(|e| {
            format!("the role {role} could not be made: {e}; docs/database.md says how to make it by hand")
        })?;
    }
    Ok(())
}

async fn make_role(owner: &mut PgConnection, role: &'static str) -> Result<(), sqlx::Error> {
    let there: bool = sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)")
        .bind(role)
        .fetch_one(&mut *owner)
        .await?;
    if !there {
        // `role` is one of three constants above.
        sqlx::query(sqlx::AssertSqlSafe(format!("create role {role} nosuperuser nobypassrls nologin")))
            .execute(&mut *owner)
            .await?;
    }
    let may: bool = sqlx::query_scalar("select pg_has_role($1, 'set')").bind(role).fetch_one(&mut *owner).await?;
    if !may {
        sqlx::query(sqlx::AssertSqlSafe(format!("grant {role} to current_user with set true, inherit false")))
            .execute(owner)
            .await?;
    }
    Ok(())
}
