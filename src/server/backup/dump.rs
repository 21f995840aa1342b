//! `soulforge backup`.

use super::{BackupArgs, DUMP, FORMAT, KEY_FILE, Manifest, about, archive::Writer, blocking};
use crate::server::{database::Database, migrate};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

/// Writes database and files into one archive.
///
/// # Errors
/// A sentence; no archive is left behind then.
pub async fn backup(args: BackupArgs) -> Result<(), String> {
    let began = Instant::now();
    let target = target(&args)?;
    let database = Database::open(&args.place).await?;
    let done = write(&args, &database, &target).await;
    database.close().await;
    let (size, manifest) = done?;
    tracing::info!(
        tables = manifest.rows.len(),
        rows = manifest.rows.values().sum::<i64>(),
        files = manifest.entries.len().saturating_sub(1),
        bytes = size,
        seconds = began.elapsed().as_secs(),
        "backup written: {}",
        target.display()
    );
    Ok(())
}

/// The archive's name: the given one, or one with the time in the given folder.
fn target(args: &BackupArgs) -> Result<PathBuf, String> {
    let given = args.to.clone().unwrap_or_else(|| args.place.data.join("backups"));
    let is_file = given.extension().is_some_and(|e| e == "tar") && !given.is_dir();
    let folder = if is_file { given.parent().map(Path::to_owned).unwrap_or_default() } else { given.clone() };
    if !folder.as_os_str().is_empty() {
        fs::create_dir_all(&folder).map_err(about(&folder))?;
    }
    let name = || folder.join(format!("soulforge-{}.tar", chrono::Utc::now().format("%Y%m%dT%H%M%SZ")));
    let target = if is_file { given } else { name() };
    std::path::absolute(&target).map_err(about(&target))
}

async fn write(args: &BackupArgs, database: &Database, target: &Path) -> Result<(u64, Manifest), String> {
    let files = args.place.data.join("files");
    let keys = args.with_keys.then(|| args.place.data.join(KEY_FILE));
    let dump = Leftover(target.with_extension("dump.part"));
    let part = Leftover(target.with_extension("tar.part"));
    let mut writer = Writer::create(target)?;
    // First round: what somebody deletes from here on is in.
    let (mut writer, files) = blocking(move || {
        writer.add_folder("files", &files)?;
        Ok((writer, files))
    })
    .await?;

    let manifest = snapshot(database, &dump.0).await?;
    if let Some(key) = &keys
        && !key.exists()
    {
        return Err(format!(
            "{} is not there. Keys that come from SOULFORGE_MASTER_KEY are not in the data folder: keep them yourself, and leave out --with-keys",
            key.display()
        ));
    }
    let dumped = dump.0.clone();
    let done = blocking(move || {
        // Second round: what came before the snapshot is in.
        writer.add_folder("files", &files)?;
        if let Some(key) = keys {
            writer.add(&format!("keys/{KEY_FILE}"), &key)?;
        }
        writer.add(DUMP, &dumped)?;
        let size = writer.finish(manifest.clone())?;
        Ok((size, manifest))
    })
    .await?;
    drop((dump, part));
    Ok(done)
}

/// A file that is removed in the end, whatever happens.
struct Leftover(PathBuf);

impl Drop for Leftover {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Has `pg_dump` write one snapshot, whose rows are counted beside it.
async fn snapshot(database: &Database, dump: &Path) -> Result<Manifest, String> {
    let mut reader = database.reader().await?;
    let manifest = read_snapshot(database, &mut reader, dump).await?;
    reader.close().await.map_err(|e| e.to_string())?;
    Ok(manifest)
}

async fn read_snapshot(database: &Database, reader: &mut PgConnection, dump: &Path) -> Result<Manifest, String> {
    let sql = |error: sqlx::Error| format!("the database could not be read: {error}");
    // Limits that suit pages do not suit a backup, which holds its snapshot as long as it takes.
    reader
        .execute(
            "set statement_timeout = 0; set idle_in_transaction_session_timeout = 0;
             begin isolation level repeatable read, read only",
        )
        .await
        .map_err(sql)?;
    let is_ours: bool = sqlx::query_scalar("select to_regclass('public._sqlx_migrations') is not null")
        .fetch_one(&mut *reader)
        .await
        .map_err(sql)?;
    if !is_ours {
        return Err("there is no SoulForge in this database yet: nothing to back up".into());
    }
    let snapshot: String =
        sqlx::query_scalar("select pg_export_snapshot()").fetch_one(&mut *reader).await.map_err(sql)?;
    let (postgresql, owner, bypasses): (String, String, bool) = sqlx::query_as(
        "select current_setting('server_version'), pg_get_userbyid(c.relowner)::text,
                (select r.rolbypassrls or r.rolsuper from pg_roles r where r.rolname = current_user)
         from pg_class c where c.oid = 'public._sqlx_migrations'::regclass",
    )
    .fetch_one(&mut *reader)
    .await
    .map_err(sql)?;
    let migrations: Vec<(i64, String)> =
        sqlx::query_as("select version, encode(checksum, 'hex') from public._sqlx_migrations where success")
            .fetch_all(&mut *reader)
            .await
            .map_err(sql)?;

    let mut command = database.program("pg_dump")?;
    command.args(["--format=custom", "--no-password", "--role=sf_backup"]).arg(format!("--snapshot={snapshot}"));
    if !bypasses {
        // The policy `backup_read` of every table lets this role see all rows; the counts below are compared at a restore.
        command.arg("--enable-row-security");
    }
    command.arg("--file").arg(dump);
    drop(super::archive::private_file(dump)?);
    run(command, "pg_dump").await?;

    let rows = count_rows(reader).await?;
    Ok(Manifest {
        format: FORMAT,
        soulforge: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: chrono::Utc::now(),
        postgresql,
        owner,
        migrations: migrations.into_iter().collect(),
        rows,
        entries: Vec::new(),
    })
}

/// Rows of every table of ours, as far as the connection's role sees them.
pub(super) async fn count_rows(connection: &mut PgConnection) -> Result<BTreeMap<String, i64>, String> {
    let sql = |error: sqlx::Error| format!("rows could not be counted: {error}");
    let mut rows = BTreeMap::new();
    for table in migrate::tables(connection).await.map_err(sql)? {
        // The name comes from the catalogue, quoted there.
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {table}")))
            .fetch_one(&mut *connection)
            .await
            .map_err(sql)?;
        rows.insert(table, count);
    }
    Ok(rows)
}

/// Runs one of PostgreSQL's programs to its end; what it complains of is the error.
pub(super) async fn run(mut command: tokio::process::Command, name: &str) -> Result<(), String> {
    let done = command
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| format!("{name} cannot be run: {error}; it belongs to PostgreSQL's client programs"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let said: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).take(4).collect();
    Err(format!("{name} failed: {}", said.join(" ")))
}
