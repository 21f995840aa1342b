//! How much one person may keep, by kind: counted from the rows themselves, so that the figure is what is there. Of the words of
//! conversations, which come line by line, a count is kept with the account, and made anew once a day.
//!
//! The limits stand in the table `storage_limits`, by kind and by what somebody has grown into. Asked before anything is written;
//! the row of the account is locked meanwhile, so that two uploads at once cannot both take the last place.

use super::files::Files;
use crate::{
    accounts::StorageUse,
    error::{AppError, AppResult},
    ids::{ConversationId, UserId},
};
use sqlx::PgConnection;

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The words of all conversations, with their notes and summaries.
    Conversations,
    /// Characters with all their versions, and the cards that they came from.
    Characters,
    /// Uploaded pictures: of oneself, and the plates of characters and of their versions.
    Pictures,
}

impl Kind {
    /// All kinds, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Conversations, Self::Characters, Self::Pictures];

    /// As in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Conversations => "conversations",
            Self::Characters => "characters",
            Self::Pictures => "pictures",
        }
    }

    /// What it is called before people, as the subject of a sentence.
    const fn name(self) -> &'static str {
        match self {
            Self::Conversations => "Chats",
            Self::Characters => "Characters",
            Self::Pictures => "Pictures",
        }
    }
}

/// Bytes that a person keeps of one kind.
async fn used(tx: &mut PgConnection, user: UserId, kind: Kind) -> AppResult<i64> {
    Ok(match kind {
        Kind::Conversations => match kept_words(tx, user).await? {
            Some(bytes) => bytes,
            // Whoever only looks writes nothing.
            None => sum_words(tx, user).await?,
        },
        // As they are stored, which is what they cost.
        Kind::Characters => {
            sqlx::query_scalar!(
                r#"select ((select coalesce(sum(pg_column_size(o.*)), 0) from ocs o where o.owner_id = $1)
                       + (select coalesce(sum(pg_column_size(k.data)), 0) from oc_cards k where k.user_id = $1)
                       + (select coalesce(sum(pg_column_size(v.content)), 0) from oc_versions v join ocs o using (oc_id)
                          where o.owner_id = $1))::bigint as "bytes!""#,
                user.0
            )
            .fetch_one(&mut *tx)
            .await?
        }
        Kind::Pictures => {
            sqlx::query_scalar!(
                r#"select coalesce(sum(bytes), 0)::bigint as "bytes!" from stored_files where user_id = $1"#,
                user.0
            )
            .fetch_one(&mut *tx)
            .await?
        }
    })
}

/// What a person may keep of one kind; an account that is gone may keep nothing.
async fn limit(tx: &mut PgConnection, user: UserId, kind: Kind) -> AppResult<i64> {
    let bytes = sqlx::query_scalar!(
        "select l.bytes from storage_limits l join profiles p on p.tier = l.tier where p.user_id = $1 and l.kind = $2",
        user.0,
        kind.as_str()
    );
    Ok(bytes.fetch_optional(&mut *tx).await?.unwrap_or(0))
}

/// Makes sure that `more` bytes of a kind still fit. Holds the account's row until the transaction ends.
///
/// # Errors
/// `TooLarge` with a sentence that says what is full and what helps.
pub async fn must_fit(tx: &mut PgConnection, user: UserId, kind: Kind, more: usize) -> AppResult<()> {
    // Not so strong that messages of the same person, whose rows refer to the account, would wait.
    sqlx::query!("select user_id from users where user_id = $1 for no key update", user.0)
        .fetch_optional(&mut *tx)
        .await?;
    let (used, limit) = (used(tx, user, kind).await?, limit(tx, user, kind).await?);
    let more = i64::try_from(more).unwrap_or(i64::MAX);
    if used.saturating_add(more) <= limit {
        return Ok(());
    }
    Err(full(kind, used, limit, more))
}

fn full(kind: Kind, used: i64, limit: i64, more: i64) -> AppError {
    let more = if more > 0 { format!(", and this needs {} more", size(more)) } else { String::new() };
    AppError::TooLarge {
        message: format!(
            "{} take {} of the {} that your account may store{more}. Delete some first; Settings, Account shows what is stored.",
            kind.name(),
            size(used),
            size(limit)
        ),
    }
}

/// Bytes of all words that a person keeps, as counted within a day, with what came since.
async fn kept_words(tx: &mut PgConnection, user: UserId) -> AppResult<Option<i64>> {
    let kept = sqlx::query_scalar!(
        "select text_bytes from profile_private where user_id = $1 and text_counted_at > now() - interval '1 day'",
        user.0
    );
    Ok(kept.fetch_optional(&mut *tx).await?)
}

/// The same, counted now.
async fn sum_words(tx: &mut PgConnection, user: UserId) -> AppResult<i64> {
    let bytes = sqlx::query_scalar!(
        r#"select ((select coalesce(sum(octet_length(content)), 0) from messages where user_id = $1)
               + (select coalesce(sum(octet_length(title) + octet_length(instructions) + octet_length(note)), 0)
                  from conversations where user_id = $1)
               + (select coalesce(sum(octet_length(content)), 0) from conversation_summaries where user_id = $1))::bigint as "bytes!""#,
        user.0
    );
    Ok(bytes.fetch_one(&mut *tx).await?)
}

/// Counts them and keeps the count.
async fn count_words(tx: &mut PgConnection, user: UserId) -> AppResult<i64> {
    // Whoever adds words meanwhile waits, and adds them to the new count.
    sqlx::query!("select user_id from profile_private where user_id = $1 for no key update", user.0)
        .fetch_optional(&mut *tx)
        .await?;
    let bytes = sum_words(&mut *tx, user).await?;
    sqlx::query!(
        "update profile_private set text_bytes = $2, text_counted_at = now() where user_id = $1",
        user.0,
        bytes
    )
    .execute(&mut *tx)
    .await?;
    Ok(bytes)
}

/// Makes sure that so many bytes of words still fit, and counts them; to be asked before they are written. Nobody who has reached the
/// limit says or asks for anything more. Holds the person's count until the transaction ends.
///
/// # Errors
/// `TooLarge` with a sentence that says what is full and what helps.
pub async fn take_words(tx: &mut PgConnection, user: UserId, more: usize) -> AppResult<()> {
    let more = i64::try_from(more).unwrap_or(i64::MAX);
    let limit = limit(tx, user, Kind::Conversations).await?;
    let fits = |used: i64| used.saturating_add(more.max(1)) <= limit;
    let mut used = match kept_words(tx, user).await? {
        Some(bytes) => bytes,
        None => count_words(tx, user).await?,
    };
    if !fits(used) {
        // What went in other ways, as with a character that somebody deleted, is not in the count.
        used = count_words(tx, user).await?;
    }
    if !fits(used) {
        return Err(full(Kind::Conversations, used, limit, more));
    }
    add_words(tx, user, more).await
}

/// Counts bytes of words that were written, or that are gone when there are fewer than none.
///
/// # Errors
/// When the database cannot be reached.
pub async fn add_words(tx: &mut PgConnection, user: UserId, bytes: i64) -> AppResult<()> {
    sqlx::query!(
        "update profile_private set text_bytes = greatest(text_bytes + $2::bigint, 0) where user_id = $1",
        user.0,
        bytes
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Bytes of a text.
#[must_use]
pub fn bytes(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

/// Bytes of the words of one conversation.
///
/// # Errors
/// When the database cannot be reached.
pub async fn words_in(tx: &mut PgConnection, conversation: ConversationId) -> AppResult<i64> {
    let bytes = sqlx::query_scalar!(
        r#"select coalesce(sum(octet_length(content)), 0)::bigint as "bytes!" from messages where conversation_id = $1"#,
        conversation.0
    );
    Ok(bytes.fetch_one(tx).await?)
}

/// Keeps an uploaded picture of this person under a key and writes it down, if it still fits. When the transaction is not
/// committed, the file is one that nothing names, and is swept.
///
/// # Errors
/// As [`must_fit`]; when the file cannot be written.
pub async fn keep_file(
    tx: &mut PgConnection,
    files: &Files,
    user: UserId,
    kind: &str,
    key: &str,
    bytes: bytes::Bytes,
) -> AppResult<()> {
    must_fit(tx, user, Kind::Pictures, bytes.len()).await?;
    sqlx::query!(
        "insert into stored_files (key, user_id, kind, bytes) values ($1, $2, $3, $4)",
        key,
        user.0,
        kind,
        i64::try_from(bytes.len()).unwrap_or(i64::MAX)
    )
    .execute(&mut *tx)
    .await?;
    files.put(key, bytes).await
}

/// Forgets pictures of the asker's that are about to be deleted.
///
/// # Errors
/// When the database cannot be reached.
pub async fn forget_files(tx: &mut PgConnection, keys: &[String]) -> AppResult<()> {
    sqlx::query!("delete from stored_files where key = any($1)", keys).execute(tx).await?;
    Ok(())
}

/// What a person keeps of everything, for showing.
///
/// # Errors
/// When the database cannot be reached.
pub async fn all(tx: &mut PgConnection, user: UserId) -> AppResult<Vec<StorageUse>> {
    let mut found = Vec::new();
    for kind in Kind::ALL {
        let (used, limit) = (used(tx, user, kind).await?, limit(tx, user, kind).await?);
        found.push(StorageUse {
            kind: kind.name().to_owned(),
            used,
            limit,
            words: format!("{} of {}", size(used), size(limit)),
        });
    }
    Ok(found)
}

/// Bytes as people read them: `640 kB`, `1.5 MB`, `20 MB`.
fn size(bytes: i64) -> String {
    let bytes = bytes.max(0);
    let (whole, unit) = match bytes {
        0..1_000 => return format!("{bytes} bytes"),
        1_000..1_000_000 => (1_000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    let (main, tenth) = (bytes / whole, bytes % whole * 10 / whole);
    if main < 10 && tenth > 0 { format!("{main}.{tenth} {unit}") } else { format!("{main} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_as_people_read_them() {
        for (bytes, words) in [
            (-1, "0 bytes"),
            (999, "999 bytes"),
            (1_000, "1 kB"),
            (1_540, "1.5 kB"),
            (640_000, "640 kB"),
            (20_900_000, "20 MB"),
            (5_000_000_000, "5 GB"),
        ] {
            assert_eq!(size(bytes), words);
        }
    }
}
