//! `soulforge restore`.

use super::{
    DUMP, FORMAT, KEY_FILE, Manifest, RestoreArgs, about, archive, blocking,
    dump::{count_rows, run},
};
use crate::server::{
    database::Database,
    migrate::{self, MIGRATIONS},
};
use sqlx::{Connection, Executor, PgConnection};
use std::{
    fs,
    io::{BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// How long other connections may take to end.
const LEAVING: Duration = Duration::from_secs(3);

/// Takes away what the database holds of ours, extensions excepted. Part of the transaction that brings the rest back.
const CLEAR: &str = r"
do $$
declare
    statement text;
begin
    for statement in
        select format('drop %s if exists %I.%I cascade',
                      case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
                                     when 'f' then 'foreign table' else 'table' end, n.nspname, c.relname)
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'public' and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
          and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('e', 'i', 'a'))
        union all
        select format('drop routine if exists %s cascade', p.oid::regprocedure)
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname = 'public'
          and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
        union all
        select format('drop type if exists %s cascade', t.oid::regtype)
        from pg_type t join pg_namespace n on n.oid = t.typnamespace
        where n.nspname = 'public' and t.typtype in ('e', 'd', 'r')
          and not exists (select from pg_depend d where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e')
    loop
        execute statement;
    end loop;
end
$$;
drop schema if exists app cascade;
";

/// Brings an archive back.
///
/// # Errors
/// A sentence. The database is as it was before then.
pub async fn restore(args: RestoreArgs) -> Result<(), String> {
    let began = Instant::now();
    if args.check {
        let manifest = blocking(move || archive::read(&args.file, None)).await?;
        fits(&manifest)?;
        tracing::info!(made_at = %manifest.made_at, soulforge = manifest.soulforge, "the archive is whole");
        return Ok(());
    }
    let data = &args.place.data;
    fs::create_dir_all(data).map_err(about(data))?;
    let scratch = Scratch(data.join(format!("restore-{}", std::process::id())));
    make_private(&scratch.0)?;
    let (file, into) = (args.file.clone(), scratch.0.clone());
    let manifest = blocking(move || archive::read(&file, Some(&into))).await?;
    fits(&manifest)?;

    let database = Database::open(&args.place).await?;
    let done = bring_back(&args, &database, &manifest, &scratch.0).await;
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
) -> Result<(), String> {
    if database.cluster().is_some_and(|cluster| !cluster.is_owner()) {
        return Err("SoulForge is running on this data folder: stop it first. Nothing was changed".into());
    }
    let mut owner = database.owner().await?;
    may_be_replaced(&mut owner, args.force).await?;
    // Roles stand outside of databases, and the grants and policies of the archive name them.
    migrate::prepare(&mut owner).await?;
    let role: String = sqlx::query_scalar("select quote_ident(current_user)")
        .fetch_one(&mut owner)
        .await
        .map_err(|e| e.to_string())?;

    let scripts = write_scripts(database, manifest, scratch, &role).await?;
    let mut command = database.program("psql")?;
    command.args(["--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--single-transaction"]);
    command.env(
        "PGOPTIONS",
        "-c client_min_messages=warning -c statement_timeout=0 -c idle_in_transaction_session_timeout=0",
    );
    for script in &scripts {
        command.arg("--file").arg(script);
    }
    run(command, "psql").await?;

    let found = count_rows(&mut owner).await?;
    if found != manifest.rows {
        let differs = manifest.rows.iter().find(|(table, rows)| found.get(*table) != Some(*rows));
        return Err(format!(
            "the rows were brought back, but not as the archive says; the first difference: {differs:?}"
        ));
    }
    walls_stand(&mut owner).await?;
    owner.execute("analyze").await.map_err(|e| e.to_string())?;
    owner.close().await.map_err(|e| e.to_string())?;
    // An archive of an older program gets what has been added since.
    database.migrate().await?;
    put_files(&args.place.data, scratch, manifest)
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

/// Has `pg_restore` write the archive's database as statements in three files, for our own role.
async fn write_scripts(
    database: &Database,
    manifest: &Manifest,
    scratch: &Path,
    role: &str,
) -> Result<Vec<PathBuf>, String> {
    let clear = scratch.join("clear.sql");
    fs::write(&clear, CLEAR).map_err(about(&clear))?;
    let mut scripts = vec![clear];
    for section in ["pre-data", "data", "post-data"] {
        let script = scratch.join(format!("{section}.sql"));
        let mut command = database.program("pg_restore")?;
        command.args(["--no-owner", "--no-comments"]).arg(format!("--section={section}"));
        command.arg("--file").arg(&script).arg(scratch.join(DUMP));
        run(command, "pg_restore").await?;
        if section == "data" {
            scripts.push(script);
            continue;
        }
        let (source, target) = (script.clone(), scratch.join(format!("{section}-ours.sql")));
        let (from, to) = (format!(" TO {} ", manifest.owner), format!(" TO {role} "));
        let written = target.clone();
        blocking(move || adapt(&source, &written, &from, &to)).await?;
        scripts.push(target);
    }
    Ok(scripts)
}

/// Policies of the owner are given to the role that owns the tables here; a setting that PostgreSQL 16 does not know is left
/// out. Statements only: rows are in another file.
fn adapt(source: &Path, target: &Path, from: &str, to: &str) -> Result<(), String> {
    let lines = BufReader::new(fs::File::open(source).map_err(about(source))?).lines();
    let mut out = BufWriter::new(archive::private_file(target)?);
    for line in lines {
        let line = line.map_err(about(source))?;
        let line = match line.as_str() {
            setting if setting.starts_with("SET transaction_timeout") => continue,
            policy if policy.starts_with("CREATE POLICY ") => policy.replacen(from, to, 1),
            _ => line,
        };
        writeln!(out, "{line}").map_err(about(target))?;
    }
    out.flush().map_err(about(target))
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
    Err(format!("row level security is not forced on {}: do not serve this database", open.join(", ")))
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
    fn policies_change_their_owner_and_nothing_else_does() {
        let folder = std::env::temp_dir().join(format!("sf-adapt-{}", uuid::Uuid::now_v7().simple()));
        fs::create_dir_all(&folder).expect("a folder");
        let (from, to) = (folder.join("a.sql"), folder.join("b.sql"));
        fs::write(
            &from,
            "SET statement_timeout = 0;\nSET transaction_timeout = 0;\n\
             CREATE POLICY owner_all ON public.users TO sf_owner USING (true) WITH CHECK (true);\n\
             CREATE POLICY worker_all ON public.users TO sf_worker USING (true);\nGRANT ALL ON TABLE a TO sf_owner ;\n",
        )
        .expect("written");
        adapt(&from, &to, " TO sf_owner ", " TO forge ").expect("adapted");
        assert_eq!(
            fs::read_to_string(&to).expect("read"),
            "SET statement_timeout = 0;\nCREATE POLICY owner_all ON public.users TO forge USING (true) WITH CHECK (true);\n\
             CREATE POLICY worker_all ON public.users TO sf_worker USING (true);\nGRANT ALL ON TABLE a TO sf_owner ;\n"
        );
        fs::remove_dir_all(folder).expect("tidy");
    }

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
            entries: Vec::new(),
        };
        assert_eq!(fits(&manifest(1, &sum)), Ok(()));
        assert!(fits(&manifest(1, "00")).expect_err("another build").contains("another build"));
        assert!(fits(&manifest(9999, &sum)).expect_err("newer").contains("SoulForge 9.0.0"));
        assert!(fits(&Manifest { format: 2, ..manifest(1, &sum) }).is_err());
    }
}
