//! `soulforge backup`.

use super::{BackupArgs, FORMAT, KEY_FILE, Manifest, about, archive, archive::Writer, blocking, table_file};
use crate::server::{database::Database, erased, migrate, vault::Vault};
use futures::TryStreamExt;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};
use tokio::io::AsyncWriteExt;

/// Writes database and files into one archive.
///
/// # Errors
/// A sentence; no archive is left behind then.
pub async fn backup(args: BackupArgs) -> Result<(), String> {
    let began = Instant::now();
    let target = target(&args)?;
    let database = Database::open(&args.place).await?;
    let done = write(&args, &database, &target).await;
    let listed = list_erased(&args, &database, &target).await;
    database.close().await;
    let (size, manifest) = done?;
    listed?;
    tracing::info!(
        tables = manifest.rows.len(),
        rows = manifest.rows.values().sum::<i64>(),
        files = manifest.entries.iter().filter(|entry| entry.name.starts_with("files/")).count(),
        bytes = size,
        seconds = began.elapsed().as_secs(),
        "backup written: {}",
        target.display()
    );
    Ok(())
}

/// Brings the list of what was erased beside the archive up to date, for the day on which this archive is all that is left.
async fn list_erased(args: &BackupArgs, database: &Database, target: &Path) -> Result<(), String> {
    let mut reader = database.reader().await?;
    let gone = erased::listed(&mut reader).await.map_err(|e| format!("the list of what was erased: {e}"))?;
    reader.close().await.map_err(|e| e.to_string())?;
    let vault = Vault::open(&args.place.data, args.master_key.as_ref())?;
    let folder = target.parent().map(Path::to_owned).unwrap_or_default();
    blocking(move || erased::add_to_file(&folder, &vault, &gone).map(drop)).await
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
    let vault = Vault::open(&args.place.data, args.master_key.as_ref())?;
    let tables = Leftover(target.with_extension("tables.part"));
    let part = Leftover(target.with_extension("tar.part"));
    let mut writer = Writer::create(target)?;
    // First round: what somebody deletes from here on is in.
    let (mut writer, files) = blocking(move || {
        writer.add_folder("files", &files)?;
        Ok((writer, files))
    })
    .await?;

    let manifest = snapshot(database, &tables.0).await?;
    if let Some(key) = &keys
        && !key.exists()
    {
        return Err(format!(
            "{} is not there. Keys that come from SOULFORGE_MASTER_KEY are not in the data folder: keep them yourself, and leave out --with-keys",
            key.display()
        ));
    }
    let written = tables.0.clone();
    let done = blocking(move || {
        // Second round: what came before the snapshot is in.
        writer.add_folder("files", &files)?;
        if let Some(key) = keys {
            writer.add(&format!("keys/{KEY_FILE}"), &key)?;
        }
        for table in manifest.columns.keys() {
            writer.add(&table_file(table), &written.join(table))?;
        }
        let size = writer.finish(manifest.clone(), &vault)?;
        Ok((size, manifest))
    })
    .await?;
    drop((tables, part));
    Ok(done)
}

/// A file or a folder that is removed in the end, whatever happens.
struct Leftover(PathBuf);

impl Drop for Leftover {
    fn drop(&mut self) {
        let _ = if self.0.is_dir() { fs::remove_dir_all(&self.0) } else { fs::remove_file(&self.0) };
    }
}

/// Writes the rows of all tables of one snapshot into a folder.
async fn snapshot(database: &Database, folder: &Path) -> Result<Manifest, String> {
    let mut reader = database.reader().await?;
    let manifest = read_snapshot(&mut reader, folder).await?;
    reader.close().await.map_err(|e| e.to_string())?;
    Ok(manifest)
}

async fn read_snapshot(reader: &mut PgConnection, folder: &Path) -> Result<Manifest, String> {
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
    let (postgresql, owner): (String, String) = sqlx::query_as(
        "select current_setting('server_version'), pg_get_userbyid(c.relowner)::text
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

    fs::create_dir_all(folder).map_err(about(folder))?;
    let known = migrate::known_tables();
    let (mut rows, mut columns) = (BTreeMap::new(), BTreeMap::new());
    for (table, its_columns) in migrate::columns(reader).await.map_err(sql)? {
        if !known.contains(&table) {
            tracing::warn!("{table} is no table of SoulForge's and is not in the archive");
            continue;
        }
        copy_out(reader, &table, &its_columns, &folder.join(&table)).await?;
        // The names come from the catalogue, quoted there.
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {table}")))
            .fetch_one(&mut *reader)
            .await
            .map_err(sql)?;
        rows.insert(table.clone(), count);
        columns.insert(table, its_columns);
    }
    let sequences: Vec<(String, i64)> = sqlx::query_as(
        "select format('%I.%I', schemaname, sequencename), last_value from pg_sequences
         where schemaname = 'public' and last_value is not null",
    )
    .fetch_all(&mut *reader)
    .await
    .map_err(sql)?;
    Ok(Manifest {
        format: FORMAT,
        soulforge: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: chrono::Utc::now(),
        postgresql,
        owner,
        migrations: migrations.into_iter().collect(),
        rows,
        columns,
        sequences: sequences.into_iter().collect(),
        entries: Vec::new(),
    })
}

/// Writes the rows of a table into a file, one a line.
async fn copy_out(reader: &mut PgConnection, table: &str, columns: &[String], file: &Path) -> Result<(), String> {
    let failed = |error: sqlx::Error| format!("{table} could not be read: {error}");
    let mut out = tokio::io::BufWriter::new(tokio::fs::File::from_std(archive::private_file(file)?));
    let mut pieces =
        reader.copy_out_raw(&format!("copy {table} ({}) to stdout", columns.join(", "))).await.map_err(failed)?;
    while let Some(piece) = pieces.try_next().await.map_err(failed)? {
        out.write_all(&piece).await.map_err(about(file))?;
    }
    out.flush().await.map_err(about(file))
}
