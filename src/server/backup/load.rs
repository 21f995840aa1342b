//! The rows of an archive into tables of our own making, in one transaction.
//!
//! First the migrations of this program run, up to the one that the archive has. Then the rows are copied into the tables that they
//! made: by the role `sf_worker`, which owns nothing, through the protocol of `copy`, which knows values and no statements. Triggers
//! and references stand aside meanwhile, since rows refer to each other in circles and were right when they were written; the
//! references are made anew afterwards, and rows that do not fit together fail there.

use super::{Manifest, about, table_file};
use crate::server::migrate::{self, MIGRATIONS};
use sqlx::{AssertSqlSafe, Executor, PgConnection, migrate::Migrator};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

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

/// Settings of the transaction: limits that suit pages do not suit a restore.
const SETTINGS: &str = "set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0;
    set local lock_timeout = 0; set local client_min_messages = warning;
    select set_config('transaction_timeout', '0', true) where current_setting('server_version_num')::int >= 170000";

fn sql(what: &'static str) -> impl Fn(sqlx::Error) -> String {
    move |error| format!("{what}: {error}. Nothing was changed")
}

/// Puts the archive in the place of what the database holds. `scratch` has the files of the archive.
///
/// # Errors
/// A sentence. The transaction must not be committed then.
pub(super) async fn load(tx: &mut PgConnection, manifest: &Manifest, scratch: &Path) -> Result<(), String> {
    tx.execute(SETTINGS).await.map_err(sql("the restore could not begin"))?;
    tx.execute(CLEAR).await.map_err(sql("what was there could not be taken away"))?;
    let theirs = MIGRATIONS.iter().filter(|m| manifest.migrations.contains_key(&m.version)).cloned().collect();
    Migrator::with_migrations(theirs)
        .run(&mut *tx)
        .await
        .map_err(|e| format!("the tables could not be made: {e}. Nothing was changed"))?;
    let ours = migrate::columns(tx).await.map_err(sql("the tables could not be listed"))?;
    same_tables(&ours, &manifest.columns)?;

    let references = take_references(tx).await.map_err(sql("references could not be set aside"))?;
    let names: Vec<&str> = ours.keys().map(String::as_str).collect();
    for table in &names {
        let aside = format!("alter table {table} disable trigger user; alter table {table} disable row level security");
        tx.execute(AssertSqlSafe(aside)).await.map_err(sql("a table could not be prepared"))?;
    }
    // What the migrations themselves put there is in the archive, too, as it is by now.
    tx.execute(AssertSqlSafe(format!("truncate {}", names.join(", "))))
        .await
        .map_err(sql("the tables could not be emptied"))?;
    tx.execute("set local role sf_worker").await.map_err(sql("the role sf_worker cannot be used"))?;
    for (table, columns) in &manifest.columns {
        let copied = copy_in(tx, table, columns, &scratch.join(table_file(table))).await?;
        let wanted = manifest.rows.get(table).copied().unwrap_or(-1);
        if i64::try_from(copied).ok() != Some(wanted) {
            return Err(format!("{table} has {copied} rows and not {wanted} as the archive says. Nothing was changed"));
        }
    }
    tx.execute("reset role").await.map_err(sql("the restore could not go on"))?;
    for table in &names {
        let back = format!("alter table {table} enable row level security; alter table {table} enable trigger user");
        tx.execute(AssertSqlSafe(back)).await.map_err(sql("a table could not be closed again"))?;
    }
    for (table, name, text) in references {
        tx.execute(AssertSqlSafe(format!("alter table {table} add constraint {name} {text}")))
            .await
            .map_err(sql("the rows do not fit together"))?;
    }
    set_sequences(tx, &manifest.sequences).await.map_err(sql("the sequences could not be set"))
}

/// The archive may hold exactly the tables and columns that the migrations made. Its names get into statements, so this is also what
/// keeps anything else out of them.
fn same_tables(ours: &BTreeMap<String, Vec<String>>, theirs: &BTreeMap<String, Vec<String>>) -> Result<(), String> {
    if let Some(table) = theirs.keys().find(|table| !ours.contains_key(*table)) {
        return Err(format!("the archive holds a table that this program does not know: {table}. Nothing was changed"));
    }
    for (table, columns) in ours {
        let Some(found) = theirs.get(table) else {
            return Err(format!("the archive does not hold the table {table}. Nothing was changed"));
        };
        let (wanted, given) = (columns.iter().collect::<BTreeSet<_>>(), found.iter().collect::<BTreeSet<_>>());
        if wanted != given || given.len() != found.len() {
            return Err(format!(
                "the archive's table {table} has other columns than this program's. Nothing was changed"
            ));
        }
    }
    Ok(())
}

/// Takes the references between tables away; gives table, name and text of each.
async fn take_references(tx: &mut PgConnection) -> Result<Vec<(String, String, String)>, sqlx::Error> {
    let found: Vec<(String, String, String)> = sqlx::query_as(
        "select format('%I.%I', n.nspname, c.relname), quote_ident(k.conname), pg_get_constraintdef(k.oid)
         from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
         where k.contype = 'f' and n.nspname = 'public' and k.conparentid = 0 order by 1, 2",
    )
    .fetch_all(&mut *tx)
    .await?;
    for (table, name, _) in &found {
        tx.execute(AssertSqlSafe(format!("alter table {table} drop constraint {name}"))).await?;
    }
    Ok(found)
}

/// Copies the rows of a file into a table; gives how many there were.
async fn copy_in(tx: &mut PgConnection, table: &str, columns: &[String], file: &Path) -> Result<u64, String> {
    let failed = |error: sqlx::Error| format!("the rows of {table} could not be read: {error}. Nothing was changed");
    let source = tokio::fs::File::open(file).await.map_err(about(file))?;
    // Table and columns are ours: `same_tables` has compared them.
    let statement = format!("copy {table} ({}) from stdin", columns.join(", "));
    let mut copy = tx.copy_in_raw(&statement).await.map_err(failed)?;
    if let Err(error) = copy.read_from(source).await {
        let _ = copy.abort("the file could not be read").await;
        return Err(failed(error));
    }
    copy.finish().await.map_err(failed)
}

/// Sequences go on where they were, and never below a number that is given already.
async fn set_sequences(tx: &mut PgConnection, last: &BTreeMap<String, i64>) -> Result<(), sqlx::Error> {
    let ours: Vec<(String, String, String)> = sqlx::query_as(
        "select pg_get_serial_sequence(c.oid::regclass::text, a.attname), c.oid::regclass::text, quote_ident(a.attname)
         from pg_class c join pg_attribute a on a.attrelid = c.oid and not a.attisdropped
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
           and pg_get_serial_sequence(c.oid::regclass::text, a.attname) is not null",
    )
    .fetch_all(&mut *tx)
    .await?;
    for (sequence, table, column) in ours {
        let reached = last.get(&sequence).copied().unwrap_or(0);
        sqlx::query(AssertSqlSafe(format!(
            "select setval($1::regclass, greatest(m.highest, $2, 1), greatest(m.highest, $2) > 0)
             from (select coalesce(max({column}), 0)::bigint as highest from {table}) m"
        )))
        .bind(&sequence)
        .bind(reached)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_tables_and_columns_pass() {
        let tables = |list: &[(&str, &[&str])]| -> BTreeMap<String, Vec<String>> {
            let words = |columns: &[&str]| columns.iter().map(|c| (*c).to_owned()).collect();
            list.iter().map(|(table, columns)| ((*table).to_owned(), words(columns))).collect()
        };
        let ours = tables(&[("public.a", &["x", "y"]), ("public.b", &["z"])]);
        let refused = |list: &[(&str, &[&str])]| same_tables(&ours, &tables(list)).expect_err("refused");
        assert_eq!(same_tables(&ours, &tables(&[("public.b", &["z"]), ("public.a", &["y", "x"])])), Ok(()));
        assert!(refused(&[("public.a", &["x", "y"])]).contains("does not hold the table public.b"));
        let strange = "public.a (x) from program 'id'; --";
        assert!(
            refused(&[("public.a", &["x", "y"]), ("public.b", &["z"]), (strange, &["x"])]).contains("does not know")
        );
        for columns in [&["x"][..], &["x", "y", "z"], &["x", "x", "y"], &["x", "y) from program 'id'"]] {
            assert!(refused(&[("public.a", columns), ("public.b", &["z"])]).contains("other columns"), "{columns:?}");
        }
    }
}
