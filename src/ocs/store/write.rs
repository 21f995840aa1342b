//! Making, changing, publishing and deleting characters.

use super::names::{free_slug, is_taken, moved_slug, taken_message};
use crate::{
    error::{AppError, AppResult, OnConstraint},
    ids::{OcId, UserId},
    ocs::{CleanOc, OcForm, short_name},
};
use sqlx::PgConnection;

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

fn taken() -> AppError {
    AppError::conflict("name", "Somebody took this name a moment ago. Please choose another.")
}

/// Makes a draft.
///
/// # Errors
/// `Invalid` for a field, `Conflict` for a taken name, with one that is free.
pub async fn create(tx: &mut PgConnection, owner: UserId, form: &OcForm) -> AppResult<Made> {
    let oc = form.check()?;
    if is_taken(tx, &oc.name).await? {
        return Err(taken_message(tx, &oc.name).await?);
    }
    let (id, slug) = (OcId::new(), free_slug(tx, &oc.name).await?);
    // The row first and then its texts, so that making and changing write them by one statement.
    sqlx::query!(
        "insert into ocs (oc_id, owner_id, name, slug, description, personality) values ($1, $2, $3, $4, '', '')",
        id.0,
        owner.0,
        oc.name,
        slug
    )
    .execute(&mut *tx)
    .await
    .on_constraint("ocs_name_key", taken)?;
    let version = write(tx, id, &oc, &slug, 0).await?;
    Ok(Made { id, slug, version })
}

/// Writes everything that a form holds; the version grows by `step`.
async fn write(tx: &mut PgConnection, id: OcId, oc: &CleanOc, slug: &str, step: i32) -> AppResult<i32> {
    sqlx::query_scalar!(
        "update ocs set name = $2, slug = $3, title = $4, description = $5, personality = $6, greeting = $7,
             alternate_greetings = $8, scenario = $9, example_dialogue = $10, system_prompt = $11, voice_tone = $12,
             visual_style = $13, appearance_tags = $14, tags = $15, quick_start = $16, content_rating = $17,
             introduction = case when published_at is null then $18::jsonb end, version = version + $19
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
        json(&oc.examples)?,
        oc.system_prompt,
        oc.voice_tone,
        oc.style.to_json(),
        &oc.appearance_tags,
        &oc.tags,
        &oc.quick_start,
        oc.content_rating.as_str(),
        introduction(oc),
        step
    )
    .fetch_one(tx)
    .await
    .on_constraint("ocs_name_key", taken)
}

fn json(value: &impl serde::Serialize) -> AppResult<serde_json::Value> {
    serde_json::to_value(value).map_err(|error| {
        tracing::error!(%error, "a value could not be written as JSON");
        AppError::Internal
    })
}

fn introduction(oc: &CleanOc) -> Option<serde_json::Value> {
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
             to_jsonb(o) - array['search', 'like_count', 'interaction_count', 'rating_sum', 'rating_count', 'card', 'is_public',
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
/// `Invalid` for a field, `Conflict` for a taken name or when somebody else has saved since `form.version` was read,
/// `NotFound` if it is not the asker's to change.
pub async fn update(tx: &mut PgConnection, by: UserId, id: OcId, form: &OcForm) -> AppResult<Made> {
    let oc = form.check()?;
    let row = sqlx::query!("select name, slug, version, published_at from ocs where oc_id = $1 for update", id.0)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(AppError::NotFound)?;
    if row.version != form.version && !form.overwrite {
        return Err(AppError::conflict(
            "overwrite",
            "Another version was saved while you were writing. Your text is still here. Tick “Save mine anyway” to put it in \
             place; the other one stays among the versions.",
        ));
    }
    let renamed = oc.name != row.name;
    if renamed
        && sqlx::query_scalar!(r#"select app.oc_name_taken($1, $2) as "t!""#, oc.name, id.0).fetch_one(&mut *tx).await?
    {
        return Err(taken_message(tx, &oc.name).await?);
    }
    let slug =
        if renamed { moved_slug(tx, id, row.slug, &oc.name, row.published_at.is_some()).await? } else { row.slug };
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

/// Shows a character to everybody. The first time, its introduction becomes a post and the world hears of it.
///
/// # Errors
/// `NotFound` if it is not the asker's to change.
pub async fn publish(tx: &mut PgConnection, by: UserId, id: OcId) -> AppResult<Made> {
    let row = sqlx::query!(
        r#"select name, slug, title, greeting, description, introduction, published_at, owner_id, version
           from ocs where oc_id = $1 for update"#,
        id.0
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(AppError::NotFound)?;
    sqlx::query!(
        "update ocs set is_public = true, published_at = coalesce(published_at, now()), introduction = null where oc_id = $1",
        id.0
    )
    .execute(&mut *tx)
    .await?;
    let made = Made { id, slug: row.slug, version: row.version };
    if row.published_at.is_some() {
        return Ok(made);
    }
    let text =
        |field: &str| row.introduction.as_ref().and_then(|i| i.get(field)).and_then(|v| v.as_str()).map(str::to_owned);
    let title = text("title").unwrap_or_else(|| format!("{} is here", short_name(&row.name)));
    let content = text("content").unwrap_or(if row.greeting.is_empty() { row.description } else { row.greeting });
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
    let what = if row.title.is_empty() { String::new() } else { format!(", {},", row.title) };
    sqlx::query!(
        "insert into world_events (event_type, description, actor_id, oc_id) values ('oc_summoned', $1, $2, $3)",
        format!("{}{what} woke up.", row.name),
        by.0,
        id.0
    )
    .execute(tx)
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

/// Deletes a character with everything that is only its own: versions, events, memories and all conversations with it.
/// Its public posts stay without it. Answers with the key of its uploaded plate.
///
/// # Errors
/// `NotFound` if it is not the asker's to delete.
pub async fn delete(tx: &mut PgConnection, id: OcId) -> AppResult<Option<String>> {
    // Posts of a character that is not shown must not come to light by its going.
    sqlx::query!(
        "update forum_posts p set deleted_at = now() from ocs o
         where o.oc_id = $1 and p.oc_id = o.oc_id and not o.is_public and p.deleted_at is null",
        id.0
    )
    .execute(&mut *tx)
    .await?;
    let gone = sqlx::query!("delete from ocs where oc_id = $1 returning avatar_key", id.0).fetch_optional(tx).await?;
    Ok(gone.ok_or(AppError::NotFound)?.avatar_key)
}
