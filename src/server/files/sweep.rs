//! Files that nothing names any more, and other left-overs, are swept once a day.
//!
//! A file is written before the row that names it and deleted after it, so that a row always finds its file; what goes wrong in
//! between leaves a file without a row. Earlier plates of a character stay as long as a version names them.

use super::Found;
use crate::{
    error::AppResult,
    kit::jobs::{Job, JobCtx, Lane, Outcome},
    server::AppState,
};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Folder of the pictures of people in the file store.
pub const AVATARS: &str = "avatars";
/// Folder of uploaded plates in the file store.
pub const PLATES: &str = "plates";
/// Files younger than this may belong to a row that is not there yet.
const YOUNG: chrono::Duration = chrono::Duration::hours(24);

/// What a sweep found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Files that were deleted.
    pub files: usize,
    /// Files that were there before files were written down.
    pub adopted: usize,
    /// API tokens, sessions and form drafts past their time.
    pub rows: u64,
}

/// Sweeps, once a day.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sweep;

impl Job for Sweep {
    const NAME: &'static str = "files.sweep";
    const LABEL: &'static str = "Delete expired records and unused files";
    const LANE: Lane = Lane::UPKEEP;

    async fn run(self, ctx: JobCtx) -> Outcome {
        let sweep = async {
            let swept = sweep(&ctx.app).await?;
            tracing::info!(files = swept.files, rows = swept.rows, "swept");
            Ok(())
        };
        ctx.after(sweep).await
    }
}

/// Sweeps now.
///
/// # Errors
/// When database or file store cannot be reached; what was swept until then is.
pub async fn sweep(app: &AppState) -> AppResult<Swept> {
    let rows = expired(app).await? + left(app).await?;
    // Listed first and asked for then: a file that is named meanwhile is kept.
    let mut found = app.files.list(AVATARS).await?;
    found.extend(app.files.list(PLATES).await?);
    let mut tx = app.db.system().await?;
    let named = sqlx::query!(
        r#"select n.key as "key!", (array_agg(n.user_id) filter (where n.user_id is not null))[1] as user_id,
               bool_or(f.key is not null) as "known!"
           from (select 'avatars/' || avatar_key as key, user_id from profiles where avatar_key is not null
                 union all
                 select 'plates/' || avatar_key, owner_id from ocs where avatar_key is not null
                 union all
                 select 'plates/' || (v.content ->> 'avatar_key'), o.owner_id from oc_versions v join ocs o using (oc_id)
                 where v.content ->> 'avatar_key' is not null) n
           left join stored_files f on f.key = n.key group by n.key"#
    )
    .fetch_all(&mut *tx)
    .await?;
    let keys: HashSet<&str> = named.iter().map(|n| n.key.as_str()).collect();
    let old = chrono::Utc::now() - YOUNG;
    let (kept, gone): (Vec<&Found>, Vec<&Found>) =
        found.iter().filter(|f| f.written_at < old).partition(|f| keys.contains(f.key.as_str()));
    let mut swept = Swept { files: gone.len(), rows, ..Swept::default() };
    for file in &kept {
        let Some(owner) = named.iter().find(|n| n.key == file.key && !n.known) else { continue };
        let kind = if file.key.starts_with(AVATARS) { "avatar" } else { "plate" };
        swept.adopted += 1;
        sqlx::query!(
            "insert into stored_files (key, user_id, kind, bytes) values ($1, $2, $3, $4) on conflict do nothing",
            file.key,
            owner.user_id,
            kind,
            i64::try_from(file.bytes).unwrap_or(i64::MAX)
        )
        .execute(&mut *tx)
        .await?;
    }
    let still: Vec<String> = found.iter().filter(|f| !gone.contains(f)).map(|f| f.key.clone()).collect();
    sqlx::query!("delete from stored_files where created_at < now() - interval '1 day' and key <> all($1)", &still)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    for file in gone {
        app.files.delete(&file.key).await;
    }
    Ok(swept)
}

/// Rows of one transaction.
const SLICE: u64 = 1000;

/// What characters that left had in numbers, in slices, and their places where nobody's talk needs them any more.
async fn left(app: &AppState) -> AppResult<u64> {
    let mut rows = 0;
    loop {
        let mut tx = app.db.system().await?;
        let gone = sqlx::query!(
            "delete from memories where memory_id in (
                 select m.memory_id from ocs o join memories m on m.oc_id = o.oc_id
                 where o.deleted_at is not null and m.user_id is null limit 1000)"
        );
        let gone = gone.execute(&mut *tx).await?.rows_affected();
        tx.commit().await?;
        rows += gone;
        if gone < SLICE {
            break;
        }
    }
    let mut tx = app.db.system().await?;
    let gone = sqlx::query!(
        "delete from ocs where oc_id in (
             select o.oc_id from ocs o where o.deleted_at is not null
             and not exists (select from conversations c where c.oc_id = o.oc_id) limit 1000)"
    );
    rows += gone.execute(&mut *tx).await?.rows_affected();
    tx.commit().await?;
    Ok(rows)
}

/// Takes away what is past its time.
async fn expired(app: &AppState) -> AppResult<u64> {
    let mut tx = app.db.system().await?;
    let mut rows = 0;
    let tokens = sqlx::query!("delete from api_tokens where expires_at <= now()");
    rows += tokens.execute(&mut *tx).await?.rows_affected();
    let sessions = sqlx::query!("delete from sessions where expires_at <= now()");
    rows += sessions.execute(&mut *tx).await?.rows_affected();
    let drafts = sqlx::query!("delete from form_drafts where created_at < now() - interval '10 minutes'");
    rows += drafts.execute(&mut *tx).await?.rows_affected();
    let links = sqlx::query!("delete from one_time_tokens where expires_at <= now()");
    rows += links.execute(&mut *tx).await?.rows_affected();
    let buckets = sqlx::query!("delete from limit_buckets where updated_at < now() - interval '1 day'");
    rows += buckets.execute(&mut *tx).await?.rows_affected();
    tx.commit().await?;
    Ok(rows)
}
