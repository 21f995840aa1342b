//! What the cluster must hold before the application may use it: safe settings, our roles, our database.
//!
//! These statements run before a migration has made anything, and `create role` and `show` cannot be checked against a
//! schema, so they are the only unchecked SQL of the server.

use super::error::ClusterError;
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};

/// The database of the application.
pub(super) const DATABASE: &str = "soulforge";

/// Settings without which a crash can lose or spoil what was acknowledged.
const GUARDS: [&str; 4] = ["fsync", "full_page_writes", "synchronous_commit", "data_checksums"];

/// The roles. The application is weak on purpose: no superuser, no way round row level security.
const ROLES: &str = "
do $$
declare
    wanted text;
begin
    foreach wanted in array array['sf_app', 'sf_worker', 'sf_backup'] loop
        if not exists (select from pg_roles where rolname = wanted) then
            execute format('create role %I', wanted);
        end if;
    end loop;
end
$$;

alter role sf_app login nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
alter role sf_app set statement_timeout = '5s';
alter role sf_app set lock_timeout = '2s';
alter role sf_app set idle_in_transaction_session_timeout = '5s';
alter role sf_app set transaction_timeout = '30s';

alter role sf_worker login nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
alter role sf_worker set statement_timeout = '60s';
alter role sf_worker set lock_timeout = '2s';
alter role sf_worker set idle_in_transaction_session_timeout = '60s';

-- Reads everything and writes nothing: with row level security forced, even the owner's pg_dump is refused.
alter role sf_backup login nosuperuser nocreatedb nocreaterole replication bypassrls;
alter role sf_backup set default_transaction_read_only = on;
grant pg_read_all_data to sf_backup;
";

/// What the database needs. An upgrade of the programs may bring a newer vector.
const CONTENTS: &str = "
create extension if not exists vector;
create extension if not exists pg_trgm;
create extension if not exists citext;
alter extension vector update;
revoke all on database soulforge from public;
grant connect on database soulforge to sf_app, sf_worker, sf_backup;
";

/// Checks the settings and makes roles, database and extensions where they are missing. `owner` connects as
/// `sf_owner`; can be repeated.
pub(super) async fn bootstrap(owner: &PgConnectOptions) -> Result<(), ClusterError> {
    let mut connection = PgConnection::connect_with(&owner.clone().database("postgres")).await?;
    for setting in GUARDS {
        let value: String =
            sqlx::query_scalar("select current_setting($1)").bind(setting).fetch_one(&mut connection).await?;
        if value != "on" {
            return Err(ClusterError::Unsafe { setting, value });
        }
    }
    sqlx::raw_sql(ROLES).execute(&mut connection).await?;
    let found: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(DATABASE)
        .fetch_one(&mut connection)
        .await?;
    if !found {
        sqlx::raw_sql("create database soulforge owner sf_owner").execute(&mut connection).await?;
    }
    connection.close().await?;

    let mut connection = PgConnection::connect_with(owner).await?;
    // Another start may be at the same point; extensions already there are worth no notice in our log.
    sqlx::raw_sql("set client_min_messages = warning").execute(&mut connection).await?;
    sqlx::raw_sql(CONTENTS).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// Whether a process that only uses the cluster finds it ready: the last thing that [`bootstrap`] does is there.
pub(super) async fn is_ready(app: &PgConnectOptions) -> bool {
    let Ok(mut connection) = PgConnection::connect_with(app).await else { return false };
    let ready = sqlx::query_scalar("select exists (select from pg_extension where extname = 'citext')")
        .fetch_one(&mut connection)
        .await;
    let _ = connection.close().await;
    ready.unwrap_or(false)
}
