//! Leaving for good: what goes, and what stays of characters that others talk with.

use crate::{
    error::AppResult,
    ids::UserId,
    ocs::store::plates_of,
    server::{
        AppState,
        db::whole,
        erased::{self, Erased},
        files::sweep::{AVATARS, PLATES},
    },
};
use sqlx::PgConnection;
use uuid::Uuid;

/// Rows that one transaction deletes, so that none is long, holds many locks or is given up half-way.
const SLICE: i64 = 1000;

/// What somebody may have a lot of, the newest first: what answers a line is newer than the line.
const MANY: [&str; 4] = [
    "delete from memories where memory_id in (select memory_id from memories where user_id = $1 limit $2)",
    "delete from messages where message_id in
         (select message_id from messages where user_id = $1 order by message_id desc limit $2)",
    "delete from usage_log where usage_id in (select usage_id from usage_log where user_id = $1 limit $2)",
    "delete from activity_log where activity_id in (select activity_id from activity_log where user_id = $1 limit $2)",
];

/// Deletes an account with everything private in it; answers with the keys of all its files, to be deleted when this is done.
/// Published characters stay without an owner, with their posts and what they carry, unless they go along.
///
/// The account is out at once, and then emptied in slices. If the process dies meanwhile, another goes on ([`finish`]).
///
/// # Errors
/// When the database cannot be reached; what has gone until then is gone.
pub(super) async fn erase(app: &AppState, user: UserId, characters_too: bool) -> AppResult<Vec<String>> {
    close(app, user, characters_too).await?;
    for statement in MANY {
        loop {
            let mut tx = app.db.system().await?;
            let gone = sqlx::query(statement).bind(user.0).bind(SLICE).execute(&mut *tx).await?.rows_affected();
            tx.commit().await?;
            if i64::try_from(gone).unwrap_or(SLICE) < SLICE {
                break;
            }
        }
    }
    whole(|| last(app, user, characters_too)).await
}

/// Nobody is signed in to the account from here on.
async fn close(app: &AppState, user: UserId, characters_too: bool) -> AppResult<()> {
    let mut tx = app.db.system().await?;
    sqlx::query!(
        "update users set leaving_at = coalesce(leaving_at, now()), leaving_with_characters = $2 where user_id = $1",
        user.0,
        characters_too
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("update profiles set is_active = false where user_id = $1", user.0).execute(&mut *tx).await?;
    sqlx::query!("delete from sessions where user_id = $1", user.0).execute(&mut *tx).await?;
    sqlx::query!("delete from api_tokens where user_id = $1", user.0).execute(&mut *tx).await?;
    tx.commit().await
}

/// Goes on with accounts that began to leave an hour ago and are still there; gives how many.
///
/// # Errors
/// As [`erase`].
pub async fn finish(app: &AppState) -> AppResult<usize> {
    let mut tx = app.db.system().await?;
    let left = sqlx::query!(
        "select user_id, leaving_with_characters from users where leaving_at < now() - interval '1 hour' order by leaving_at limit 100"
    )
    .fetch_all(&mut *tx)
    .await?;
    drop(tx);
    let mut gone = 0;
    for account in &left {
        // One that cannot be erased today keeps nobody else waiting.
        match erase(app, UserId(account.user_id), account.leaving_with_characters).await {
            Ok(files) => {
                for file in files {
                    app.files.delete(&file).await;
                }
                gone += 1;
            }
            Err(error) => {
                tracing::error!(user = %account.user_id, %error, "an account that is leaving could not be erased")
            }
        }
    }
    Ok(gone)
}

/// What is left of an account that was emptied.
///
/// As the process itself: among the traces are rows that people may not touch, as buckets of limits and posts. What refers to the
/// account goes by the foreign keys; here stands what does not. The audit log keeps the bare id of somebody who had power.
async fn last(app: &AppState, user: UserId, characters_too: bool) -> AppResult<Vec<String>> {
    let mut tx = app.db.system().await?;
    let files = erase_rows(&mut tx, user, characters_too).await?;
    tx.commit().await?;
    erased::write_down(app);
    Ok(files)
}

async fn erase_rows(tx: &mut PgConnection, user: UserId, characters_too: bool) -> AppResult<Vec<String>> {
    sqlx::query!("select user_id from users where user_id = $1 for update", user.0).fetch_optional(&mut *tx).await?;
    let mine = sqlx::query!("select oc_id, is_public from ocs where owner_id = $1 for update", user.0)
        .fetch_all(&mut *tx)
        .await?;
    let (stays, goes): (Vec<_>, Vec<_>) = mine.into_iter().partition(|oc| oc.is_public && !characters_too);
    let stays: Vec<Uuid> = stays.into_iter().map(|oc| oc.oc_id).collect();
    let goes: Vec<Uuid> = goes.into_iter().map(|oc| oc.oc_id).collect();

    let named = |keys: Vec<String>| keys.into_iter().map(|key| format!("{PLATES}/{key}")).collect::<Vec<_>>();
    let (kept, mut files) = (named(plates_of(&mut *tx, &stays).await?), named(plates_of(&mut *tx, &goes).await?));
    let avatar = sqlx::query_scalar!("select avatar_key from profiles where user_id = $1", user.0);
    files.extend(avatar.fetch_optional(&mut *tx).await?.flatten().map(|key| format!("{AVATARS}/{key}")));
    files.extend(
        sqlx::query_scalar!("select key from stored_files where user_id = $1", user.0).fetch_all(&mut *tx).await?,
    );
    files.retain(|file| !kept.contains(file));
    sqlx::query!("delete from stored_files where key = any($1)", &files).execute(&mut *tx).await?;

    // A person's own posts; those of characters go or stay with the character.
    sqlx::query!("delete from forum_posts where author_id = $1 and oc_id is null", user.0).execute(&mut *tx).await?;
    sqlx::query!("select app.bury_oc(oc) from unnest($1::uuid[]) oc", &goes).execute(&mut *tx).await?;
    // What nobody carries any more.
    sqlx::query!(
        "delete from items i where created_by = $1 and not exists (select from oc_items c where c.item_id = i.item_id)",
        user.0
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("delete from limit_buckets where position($1 in key) > 0", user.0.to_string())
        .execute(&mut *tx)
        .await?;
    sqlx::query!("delete from users where user_id = $1", user.0).execute(&mut *tx).await?;
    Ok(files)
}

/// What a restore erased again.
#[derive(Debug, Default)]
pub struct Again {
    /// Accounts.
    pub accounts: usize,
    /// Characters, without those that went with an account.
    pub characters: usize,
    /// Keys of their files, to be deleted when this is done.
    pub files: Vec<String>,
}

/// Erases whatever of a list is there, as after a restore, and keeps the list.
///
/// # Errors
/// When the database cannot be reached; the transaction must not be committed then.
pub async fn erase_again(tx: &mut PgConnection, gone: &[Erased]) -> AppResult<Again> {
    let mut again = Again::default();
    for one in gone {
        sqlx::query!(
            "insert into erased (kind, id, erased_at) values ($1, $2, $3) on conflict do nothing",
            one.kind.as_str(),
            one.id,
            one.at
        )
        .execute(&mut *tx)
        .await?;
    }
    // Characters first: those that their owner took along are on the list, and those that stay stay.
    let characters = sqlx::query_scalar!(
        "select oc_id from ocs where deleted_at is null and oc_id in (select id from erased where kind = 'character')"
    )
    .fetch_all(&mut *tx)
    .await?;
    again.characters = characters.len();
    let plates = plates_of(&mut *tx, &characters).await?;
    again.files.extend(plates.into_iter().map(|key| format!("{PLATES}/{key}")));
    sqlx::query!("delete from stored_files where key = any($1)", &again.files).execute(&mut *tx).await?;
    sqlx::query!("select app.bury_oc(oc) from unnest($1::uuid[]) oc", &characters).execute(&mut *tx).await?;
    let accounts = sqlx::query_scalar!(
        "select user_id from users where user_id in (select id from erased where kind = 'account')"
    )
    .fetch_all(&mut *tx)
    .await?;
    again.accounts = accounts.len();
    for id in accounts {
        again.files.extend(erase_rows(&mut *tx, UserId(id), false).await?);
    }
    Ok(again)
}
