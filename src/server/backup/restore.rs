//! `soulforge restore`.

use super::{FORMAT, KEY_FILE, Manifest, RestoreArgs, about, archive, blocking, load::load, signature};
use crate::{
    accounts::store::erase_again,
    error::AppError,
    server::{
        database::Database,
        db::Db,
        erased::{self, Erased},
        files::Files,
        migrate::{self, MIGRATIONS},
        vault::Vault,
    },
};
use sqlx::{Connection, Executor, PgConnection};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How long other connections may take to end.
const LEAVING: Duration = Duration::from_secs(3);

/// Brings an archive back.
///
/// # Errors
/// A sentence. The database is as it was before then.
pub async fn restore(args: RestoreArgs) -> Result<(), String> {
    let began = Instant::now();
    // Before anything is put there: a key that comes with the archive vouches for nothing.
    let vault = Vault::find(&args.place.data, args.master_key.as_ref())?;
    if args.check {
        let file = args.file.clone();
        let said = blocking(move || archive::read(&file, None)).await?;
        let signed = trusted(&args, vault.as_ref(), &said)?;
        fits(&said.manifest)?;
        let manifest = said.manifest;
        tracing::info!(made_at = %manifest.made_at, soulforge = manifest.soulforge, signed, "the archive is whole");
        return Ok(());
    }
    let data = &args.place.data;
    fs::create_dir_all(data).map_err(about(data))?;
    let scratch = Scratch(data.join(format!("restore-{}", std::process::id())));
    make_private(&scratch.0)?;
    let (file, into) = (args.file.clone(), scratch.0.clone());
    let said = blocking(move || archive::read(&file, Some(&into))).await?;
    trusted(&args, vault.as_ref(), &said)?;
    let manifest = said.manifest;
    fits(&manifest)?;

    let database = Database::open(&args.place).await?;
    let done = bring_back(&args, &database, &manifest, &scratch.0, vault.as_ref()).await;
    database.close().await;
    done?;
    tracing::info!(
        made_at = %manifest.made_at,
        rows = manifest.rows.values().sum::<i64>(),
        files = manifest.entries.iter().filter(|e| e.name.starts_with("files/")).count(),
        seconds = began.elapsed().as_secs(),
        "restored: {}",
        args.file.display()
    );
    Ok(())
}

/// Whether somebody with a master key of ours vouches for the archive; with `--unsigned`, it may also be nobody.
fn trusted(args: &RestoreArgs, vault: Option<&Vault>, said: &archive::Said) -> Result<bool, String> {
    match signature::verify(vault, &said.text, said.signature.as_ref()) {
        Ok(()) => Ok(true),
        Err(why) if args.unsigned => {
            let why = why.split(". ").next().unwrap_or_default();
            tracing::warn!(
                "{why}. It is taken all the same, because of --unsigned: whoever wrote it decides what everybody reads here, who may \
                 sign in and who is an admin"
            );
            Ok(false)
        }
        Err(why) => Err(why),
    }
}

/// A folder that is removed in the end, whatever happens.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn make_private(folder: &Path) -> Result<(), String> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(folder).map_err(about(folder))
}

/// Whether this program can work with what is in the archive.
fn fits(manifest: &Manifest) -> Result<(), String> {
    if manifest.format != FORMAT {
        return Err(format!("the archive has form {}, this program reads form {FORMAT}", manifest.format));
    }
    for (version, checksum) in &manifest.migrations {
        let ours = MIGRATIONS.iter().find(|m| m.version == *version);
        let same = ours.map(|m| m.checksum.iter().map(|byte| format!("{byte:02x}")).collect::<String>() == *checksum);
        match same {
            Some(true) => {}
            None => {
                return Err(format!(
                    "the archive was written by SoulForge {} with schema version {version}, which this program ({}) does \
                     not know. Use a newer program; nothing was changed",
                    manifest.soulforge,
                    env!("CARGO_PKG_VERSION")
                ));
            }
            Some(false) => {
                return Err(format!(
                    "the archive's schema version {version} is not the one of this program: it was written by another \
                     build. Use that one; nothing was changed"
                ));
            }
        }
    }
    Ok(())
}

async fn bring_back(
    args: &RestoreArgs,
    database: &Database,
    manifest: &Manifest,
    scratch: &Path,
    vault: Option<&Vault>,
) -> Result<(), String> {
    if database.cluster().is_some_and(|cluster| !cluster.is_owner()) {
        return Err("SoulForge is running on this data folder: stop it first. Nothing was changed".into());
    }
    let mut owner = database.owner().await?;
    may_be_replaced(&mut owner, args.force).await?;
    let gone = gone(args, &mut owner, vault).await?;
    // Roles stand outside of databases, and the migrations grant to them.
    migrate::prepare(&mut owner).await?;
    let mut tx = owner.begin().await.map_err(|e| e.to_string())?;
    load(&mut tx, manifest, scratch).await?;
    walls_stand(&mut tx).await?;
    tx.commit().await.map_err(|e| format!("the database refused the archive: {e}. Nothing was changed"))?;
    owner.execute("analyze").await.map_err(|e| e.to_string())?;
    owner.close().await.map_err(|e| e.to_string())?;
    // An archive of an older program gets what has been added since.
    database.migrate().await?;
    replay(database, &gone, &scratch.join("files")).await.map_err(|error| {
        format!(
            "the archive is back, and so is whoever was erased since it was written: {error}. Do not start the site; say the same \
             again with --force"
        )
    })?;
    put_files(&args.place.data, scratch, manifest)
}

/// What was erased, by all lists that there are: of the database that is about to be replaced, of the data folder, and beside the
/// archive.
async fn gone(args: &RestoreArgs, owner: &mut PgConnection, vault: Option<&Vault>) -> Result<Vec<Erased>, String> {
    let sql = |error: sqlx::Error| error.to_string();
    let is_listed: bool = sqlx::query_scalar("select to_regclass('public.erased') is not null")
        .fetch_one(&mut *owner)
        .await
        .map_err(sql)?;
    let mut gone = if is_listed { erased::listed(owner).await.map_err(sql)? } else { Vec::new() };
    let beside = args.file.parent().map(Path::to_owned).unwrap_or_default();
    for folder in [args.place.data.join("backups"), beside] {
        gone.extend(erased::read_file(&folder, vault)?);
    }
    Ok(gone)
}

/// Erases again what was erased since the archive was written; what of its files came with the archive does not get in.
async fn replay(database: &Database, gone: &[Erased], files: &Path) -> Result<(), String> {
    let db = Db::new(database.connections(), 2);
    let again = async {
        let mut tx = db.system().await?;
        // Nobody else is connected, and large accounts take their time.
        sqlx::query("set local statement_timeout = 0").execute(&mut *tx).await?;
        let again = erase_again(&mut tx, gone).await?;
        tx.commit().await?;
        Ok::<_, AppError>(again)
    };
    let again = again.await.map_err(|error| error.to_string());
    db.close().await;
    let again = again?;
    let store = Files::local(files)?;
    for file in &again.files {
        store.delete(file).await;
    }
    if again.accounts + again.characters > 0 {
        tracing::info!(
            accounts = again.accounts,
            characters = again.characters,
            "erased again what was erased after the backup"
        );
    }
    Ok(())
}

/// Refuses while somebody uses the database, or when it holds something and nobody said `--force`.
async fn may_be_replaced(owner: &mut PgConnection, force: bool) -> Result<(), String> {
    let sql = |error: sqlx::Error| error.to_string();
    let began = Instant::now();
    loop {
        let others: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'",
        )
        .fetch_one(&mut *owner)
        .await
        .map_err(sql)?;
        match others {
            0 => break,
            // Those that were closed just now are still seen for a moment.
            _ if began.elapsed() < LEAVING => tokio::time::sleep(Duration::from_millis(50)).await,
            _ => {
                return Err(format!(
                    "{others} other connections use this database: stop SoulForge on every machine first. Nothing was changed"
                ));
            }
        }
    }
    let tables = migrate::tables(owner).await.map_err(sql)?.len();
    if tables == 0 || force {
        return Ok(());
    }
    let people: Option<i64> = match sqlx::query_scalar("select to_regclass('public.users') is not null")
        .fetch_one(&mut *owner)
        .await
        .map_err(sql)?
    {
        true => sqlx::query_scalar("select count(*) from public.users").fetch_one(&mut *owner).await.ok(),
        false => None,
    };
    let people = people.map(|n| format!(", {n} accounts")).unwrap_or_default();
    Err(format!(
        "the database is not empty ({tables} tables{people}), and nothing was changed. To replace all of it by the archive, \
         take a backup of it first, then say --force"
    ))
}

/// Row level security is enabled and forced on every table, as before.
async fn walls_stand(owner: &mut PgConnection) -> Result<(), String> {
    let open: Vec<String> = sqlx::query_scalar(
        "select c.relname::text from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
           and c.relname <> '_sqlx_migrations' and not (c.relrowsecurity and c.relforcerowsecurity)
           and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')",
    )
    .fetch_all(owner)
    .await
    .map_err(|e| e.to_string())?;
    if open.is_empty() {
        return Ok(());
    }
    Err(format!("row level security is not forced on {}: nothing was changed", open.join(", ")))
}

/// Puts the uploaded files in their place; those that were there are kept beside them.
fn put_files(data: &Path, scratch: &Path, manifest: &Manifest) -> Result<(), String> {
    let (files, fresh) = (data.join("files"), scratch.join("files"));
    fs::create_dir_all(&fresh).map_err(about(&fresh))?;
    if files.exists() && fs::read_dir(&files).map_err(about(&files))?.next().is_some() {
        let aside = data.join(format!("files.before-{}", chrono::Utc::now().format("%Y%m%dT%H%M%SZ")));
        fs::rename(&files, &aside).map_err(about(&files))?;
        tracing::info!("the files that were here are kept in {}", aside.display());
    } else if files.exists() {
        fs::remove_dir(&files).map_err(about(&files))?;
    }
    fs::rename(&fresh, &files).map_err(about(&files))?;
    let (key, ours) = (scratch.join("keys").join(KEY_FILE), data.join(KEY_FILE));
    if key.exists() {
        if ours.exists() {
            let aside = data.join(format!("{KEY_FILE}.before-{}", chrono::Utc::now().format("%Y%m%dT%H%M%SZ")));
            fs::rename(&ours, &aside).map_err(about(&ours))?;
        }
        return fs::rename(&key, &ours).map_err(about(&ours));
    }
    tracing::info!(
        soulforge = manifest.soulforge,
        "the archive has no {KEY_FILE}: put the one that belongs to it into {}, or providers' keys must be entered again",
        data.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_of_a_newer_schema_is_refused() {
        let ours =
            |version: i64| MIGRATIONS.iter().find(|m| m.version == version).expect("one of ours").checksum.clone();
        let sum = ours(1).iter().map(|b| format!("{b:02x}")).collect::<String>();
        let manifest = |version: i64, sum: &str| Manifest {
            format: FORMAT,
            soulforge: "9.0.0".into(),
            made_at: chrono::Utc::now(),
            postgresql: "18".into(),
            owner: "sf_owner".into(),
            migrations: [(version, sum.to_owned())].into(),
            rows: Default::default(),
            columns: Default::default(),
            sequences: Default::default(),
            entries: Vec::new(),
        };
        assert_eq!(fits(&manifest(1, &sum)), Ok(()));
        assert!(fits(&manifest(1, "00")).expect_err("another build").contains("another build"));
        assert!(fits(&manifest(9999, &sum)).expect_err("newer").contains("SoulForge 9.0.0"));
        assert!(fits(&Manifest { format: 3, ..manifest(1, &sum) }).is_err());
    }
}
