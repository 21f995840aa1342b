//! Making, changing, publishing and deleting characters.

use super::names::{hidden_slug, moved_slug, must_be_free, named, shown_slug};
use crate::{
    error::{AppError, AppResult},
    ids::{OcId, UserId},
    ocs::{Sheet, portrait, short_name},
    server::{files::sweep::PLATES, quota},
};
use sqlx::PgConnection;
use uuid::Uuid;

/// A character that was just made or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The character.
    pub id: OcId,
    /// Its name in addresses.
    pub slug: String,
    /// Its version now.
    pub version: i32,
}

/// Makes a draft.
///
/// # Errors
/// `Invalid` for a field, `Conflict` for a name that another of one's own has, with one that is free.
pub async fn create(tx: &mut PgConnection, owner: UserId, sheet: &Sheet) -> AppResult<Made> {
    let mut oc = sheet.check()?;
    quota::must_fit(tx, owner, quota::Kind::Characters, size(sheet)).await?;
    must_be_free(tx, &oc.name, None, false).await?;
    let (id, slug) = (OcId::new(), hidden_slug(&oc.name));
    settle(id, &mut oc, "");
    // The row first and then its texts, so that making and changing write them by one statement.
    let inserted = sqlx::query!(
        "insert into ocs (oc_id, owner_id, name, slug, description, personality) values ($1, $2, $3, $4, '', '')",
        id.0,
        owner.0,
        oc.name,
        slug
    );
    named(inserted.execute(&mut *tx).await)?;
    let version = write(tx, id, &oc, &slug, 0).await?;
    Ok(Made { id, slug, version })
}

/// Gives a face that was left to chance the words it is drawn from, so that it never changes by itself: not with the
/// description, and not with the rules. `before` is what it was drawn from until now.
fn settle(id: OcId, oc: &mut Sheet, before: &str) {
    if oc.appearance_tags.is_empty() {
        let text = if before.is_empty() { &oc.description } else { before };
        oc.appearance_tags = portrait::settled(&id.to_string(), &oc.visual_style, &portrait::Traits::from_words(text));
    }
}

/// Writes everything that a sheet holds; the version grows by `step`.
async fn write(tx: &mut PgConnection, id: OcId, oc: &Sheet, slug: &str, step: i32) -> AppResult<i32> {
    let written = sqlx::query_scalar!(
        "update ocs set name = $2, slug = $3, title = $4, description = $5, personality = $6, greeting = $7,
             alternate_greetings = $8, scenario = $9, example_dialogue = $10, system_prompt = $11, voice_tone = $12,
             visual_style = $13, appearance_tags = $14, tags = $15, quick_start = $16, content_rating = $17,
             introduction = case when published_at is null then $18::jsonb end, version = version + $19, pronoun = $20,
             age_band = $21, post_history_instructions = $22, creator_notes = $23, nickname = $24
         where oc_id = $1 returning version",
        id.0,
        oc.name,
        slug,
        oc.title,
        oc.description,
        oc.personality,
        oc.greeting,
        &oc.alternate_greetings,
        oc.scenario,
        json(&oc.example_dialogue)?,
        oc.system_prompt,
        oc.voice_tone,
        oc.visual_style.to_json(),
        &oc.appearance_tags,
        &oc.tags,
        &oc.quick_start,
        oc.content_rating.as_str(),
        introduction(oc),
        step,
        oc.pronoun.as_str(),
        oc.age_band.as_str(),
        oc.post_history_instructions,
        oc.creator_notes,
        oc.nickname
    );
    named(written.fetch_one(tx).await)
}

/// Longest post, in characters.
const POST_MAX: usize = 20_000;

/// About how many bytes a sheet takes when it is stored.
fn size(sheet: &Sheet) -> usize {
    serde_json::to_vec(sheet).map_or(0, |text| text.len())
}

fn json(value: &impl serde::Serialize) -> AppResult<serde_json::Value> {
    serde_json::to_value(value).map_err(|error| {
        tracing::error!(%error, "a value could not be written as JSON");
        AppError::Internal
    })
}

fn introduction(oc: &Sheet) -> Option<serde_json::Value> {
    oc.introduction.as_ref().map(|(title, content)| serde_json::json!({"title": title, "content": content}))
}

/// Keeps what the next change replaces. The row is locked until the transaction ends.
///
/// # Errors
/// `NotFound` if there is no such character, or it is not the asker's to change.
pub(super) async fn keep_version(tx: &mut PgConnection, by: UserId, id: OcId) -> AppResult<i32> {
    let version = sqlx::query_scalar!("select version from ocs where oc_id = $1 for update", id.0)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(AppError::NotFound)?;
    sqlx::query!(
        "insert into oc_versions (oc_id, version, edited_by, content)
         select o.oc_id, o.version, $2,
             to_jsonb(o) - array['search', 'name_key', 'shown_at', 'mood', 'like_count', 'interaction_count', 'rating_sum', 'rating_count', 'card', 'is_public',
                                 'published_at', 'owner_id']
         from ocs o where o.oc_id = $1",
        id.0,
        by.0
    )
    .execute(tx)
    .await?;
    Ok(version)
}

/// Changes a character. What it was before is kept as a version.
///
/// # Errors
/// `Invalid` for a field, `Conflict` for a taken name or when somebody else has saved since the version `read` was read
/// (`None`: save in any case), `NotFound` if it is not the asker's to change.
pub async fn update(tx: &mut PgConnection, by: UserId, id: OcId, sheet: &Sheet, read: Option<i32>) -> AppResult<Made> {
    let mut oc = sheet.check()?;
    let row = sqlx::query!(
        "select name, slug, description, appearance_tags, version, is_public, published_at from ocs where oc_id = $1 for update",
        id.0
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(AppError::NotFound)?;
    if read.is_some_and(|read| read != row.version) {
        return Err(AppError::conflict(
            "overwrite",
            "Another version was saved while you were writing. Your text is still here. Tick “Save mine anyway” to put it in \
             place; the other one stays among the versions.",
        ));
    }
    let renamed = oc.name != row.name;
    // What it was stays beside what it is.
    quota::must_fit(tx, by, quota::Kind::Characters, size(sheet)).await?;
    if renamed {
        must_be_free(tx, &oc.name, Some(id), row.is_public).await?;
    }
    let slug =
        if renamed { moved_slug(tx, id, row.slug, &oc.name, row.published_at.is_some()).await? } else { row.slug };
    settle(id, &mut oc, if row.appearance_tags.is_empty() { &row.description } else { "" });
    keep_version(tx, by, id).await?;
    let version = write(tx, id, &oc, &slug, 1).await?;
    Ok(Made { id, slug, version })
}

/// Puts an uploaded plate in place of the drawn one, or the drawn one back (`None`). Answers with the key that is no
/// longer used.
///
/// # Errors
/// `NotFound` if it is not the asker's to change.
pub async fn set_avatar(tx: &mut PgConnection, by: UserId, id: OcId, key: Option<&str>) -> AppResult<Made> {
    keep_version(tx, by, id).await?;
    let row = sqlx::query!(
        "update ocs set avatar_key = $2, version = version + 1 where oc_id = $1 returning slug, version",
        id.0,
        key
    )
    .fetch_one(tx)
    .await?;
    Ok(Made { id, slug: row.slug, version: row.version })
}

/// Shows a character to everybody. The first time, it gets an address without chance in it, its introduction becomes a post
/// and the world hears of it (the database notes that, and since when it is public).
///
/// # Errors
/// `NotFound` if it is not the asker's to change; `Conflict` on the field `name` when a public character is called so, with a
/// name that is free.
pub async fn publish(tx: &mut PgConnection, id: OcId) -> AppResult<Made> {
    let row = sqlx::query!(
        r#"select name, slug, greeting, description, introduction, is_public, published_at, owner_id, version
           from ocs where oc_id = $1 for update"#,
        id.0
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(AppError::NotFound)?;
    if !row.is_public {
        must_be_free(tx, &row.name, Some(id), true).await?;
    }
    let slug = match row.published_at {
        None => shown_slug(tx, id, row.slug, &row.name).await?,
        Some(_) => row.slug,
    };
    let shown =
        sqlx::query!("update ocs set is_public = true, introduction = null, slug = $2 where oc_id = $1", id.0, slug);
    named(shown.execute(&mut *tx).await)?;
    let made = Made { id, slug, version: row.version };
    if row.published_at.is_some() {
        return Ok(made);
    }
    let text =
        |field: &str| row.introduction.as_ref().and_then(|i| i.get(field)).and_then(|v| v.as_str()).map(str::to_owned);
    let title = text("title").unwrap_or_else(|| format!("{} is here", short_name(&row.name)));
    let content = text("content").unwrap_or(if row.greeting.is_empty() { row.description } else { row.greeting });
    // Greetings may be longer than posts.
    let content: String = content.chars().take(POST_MAX).collect();
    // The person behind it is named for their own characters; the house's own speak for themselves.
    sqlx::query!(
        "insert into forum_posts (author_id, oc_id, title, content) values ($1, $2, $3, $4)",
        row.owner_id,
        id.0,
        title,
        content
    )
    .execute(&mut *tx)
    .await?;
    Ok(made)
}

/// Hides a character from everybody but its owner. Its conversations stay.
///
/// # Errors
/// `NotFound` if it is not the asker's to change.
pub async fn unpublish(tx: &mut PgConnection, id: OcId) -> AppResult<Made> {
    let row = sqlx::query!("update ocs set is_public = false where oc_id = $1 returning slug, version", id.0)
        .fetch_optional(tx)
        .await?
        .ok_or(AppError::NotFound)?;
    Ok(Made { id, slug: row.slug, version: row.version })
}

/// Hides all characters of somebody, who may publish them again.
///
/// # Errors
/// When the database cannot be reached.
pub async fn hide_all_of(tx: &mut PgConnection, owner: UserId) -> AppResult<()> {
    sqlx::query!("update ocs set is_public = false where owner_id = $1 and is_public", owner.0).execute(tx).await?;
    Ok(())
}

/// Deletes a character with everything that is only its own: versions, posts, events, and its owner's conversations with it. Those of
/// others stay as they are, with a character who left. Answers with the keys of all plates that it ever had.
///
/// # Errors
/// `NotFound` if it is not the asker's to delete.
pub async fn delete(tx: &mut PgConnection, id: OcId) -> AppResult<Vec<String>> {
    let plates = plates_of(tx, &[id.0]).await?;
    if !sqlx::query_scalar!(r#"select app.delete_oc($1) as "done!""#, id.0).fetch_one(&mut *tx).await? {
        return Err(AppError::NotFound);
    }
    let files: Vec<String> = plates.iter().map(|key| format!("{PLATES}/{key}")).collect();
    quota::forget_files(tx, &files).await?;
    Ok(plates)
}

/// Keys of the plates of characters: those that they have, and those that their earlier versions had.
///
/// # Errors
/// When the database cannot be reached.
pub async fn plates_of(tx: &mut PgConnection, ids: &[Uuid]) -> AppResult<Vec<String>> {
    let keys = sqlx::query_scalar!(
        r#"select avatar_key as "key!" from ocs where oc_id = any($1) and avatar_key is not null
           union
           select content ->> 'avatar_key' from oc_versions where oc_id = any($1) and content ->> 'avatar_key' is not null"#,
        ids
    );
    Ok(keys.fetch_all(tx).await?)
}
