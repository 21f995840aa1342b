//! What a character was before each change.

use super::{
    names::named,
    write::{Made, keep_version},
};
use crate::{
    error::{AppError, AppResult},
    ids::{OcId, UserId},
    ocs::OcVersion,
};
use sqlx::PgConnection;

/// The newest fifty earlier versions, newest first. Empty for somebody else's character.
///
/// # Errors
/// When the database cannot be reached.
pub async fn versions(tx: &mut PgConnection, id: OcId) -> AppResult<Vec<OcVersion>> {
    let rows = sqlx::query!(
        r#"select v.version, v.content ->> 'name' as "name!", v.content ->> 'description' as "description!",
               v.content ->> 'personality' as "personality!", v.content ->> 'greeting' as "greeting!", v.created_at,
               p.display_name as "by?",
               array(select a.key from jsonb_each(v.content) a join jsonb_each(to_jsonb(o)) b using (key)
                     where a.value is distinct from b.value) as "differs!"
           from oc_versions v join ocs o using (oc_id) left join profiles p on p.user_id = v.edited_by
           where v.oc_id = $1 order by v.version desc limit 50"#,
        id.0
    )
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| OcVersion {
            version: r.version,
            name: r.name,
            description: r.description,
            personality: r.personality,
            greeting: r.greeting,
            replaced_at: r.created_at.into(),
            replaced_by: r.by.unwrap_or_default(),
            differs: r.differs,
        })
        .collect())
}

/// Brings an earlier version back. What it replaces is kept like any other change.
///
/// # Errors
/// `NotFound` for an unknown version or somebody else's character, `Conflict` if its name was taken since.
pub async fn restore(tx: &mut PgConnection, by: UserId, id: OcId, version: i32) -> AppResult<Made> {
    keep_version(tx, by, id).await?;
    let restored = sqlx::query!(
        r#"update ocs o set name = r.name, title = r.title, specialty = r.specialty, description = r.description,
               personality = r.personality, greeting = r.greeting, alternate_greetings = r.alternate_greetings,
               scenario = r.scenario, example_dialogue = r.example_dialogue, system_prompt = r.system_prompt,
               voice_tone = r.voice_tone, visual_style = r.visual_style, appearance_tags = r.appearance_tags, tags = r.tags,
               quick_start = r.quick_start, content_rating = r.content_rating, expertise = r.expertise,
               forbidden_phrases = r.forbidden_phrases, voice_examples = r.voice_examples,
               scene_behavior_rules = r.scene_behavior_rules, base_prompt = r.base_prompt, version = o.version + 1,
               pronoun = coalesce(r.pronoun, o.pronoun), age_band = coalesce(r.age_band, o.age_band),
               post_history_instructions = coalesce(r.post_history_instructions, ''),
               creator_notes = coalesce(r.creator_notes, ''), nickname = coalesce(r.nickname, '')
           from oc_versions v, jsonb_populate_record(null::ocs, v.content) r
           where o.oc_id = $1 and v.oc_id = $1 and v.version = $2
           returning o.slug as "slug!", o.version as "version!""#,
        id.0,
        version
    );
    let row = named(restored.fetch_optional(tx).await)
        .map_err(|error| match error {
            AppError::Conflict { .. } => AppError::conflict(
                "",
                "Another character has the name of that version by now. Rename the other one, or copy the texts by hand.",
            ),
            other => other,
        })?
        .ok_or(AppError::NotFound)?;
    Ok(Made { id, slug: row.slug, version: row.version })
}
