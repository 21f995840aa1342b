//! One character, whole.

use super::items::items_of;
use crate::{
    error::{AppError, AppResult},
    ids::{ForumPostId, OcId},
    ocs::{Oc, OcPage, Sheet, Trace, banner_url, page_url, portrait_url, spoken_line, style::VisualStyle},
    text::fill,
};
use sqlx::PgConnection;
use uuid::Uuid;

/// What a plate or a stylesheet is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Its name, which the drawing depends on.
    pub name: String,
    /// How it looks.
    pub style: VisualStyle,
    /// What the drawing takes up: words of appearance, or else the description.
    pub appearance: String,
    /// Seen by everybody, whatever they set for themselves, so that a shared cache may keep it.
    pub is_public: bool,
    /// Key of an uploaded plate.
    pub avatar_key: Option<String>,
    /// Counts the changes.
    pub version: i32,
}

/// How a character looks.
///
/// # Errors
/// `NotFound`, also for somebody else's draft.
pub async fn look(tx: &mut PgConnection, id: OcId) -> AppResult<Look> {
    let row = sqlx::query!(
        r#"select name, description, visual_style, appearance_tags, avatar_key, version,
                   is_public and content_rating = 'general' as "is_public!"
               from ocs where oc_id = $1"#,
        id.0
    )
    .fetch_optional(tx)
    .await?
    .ok_or(AppError::NotFound)?;
    Ok(Look {
        name: row.name,
        style: VisualStyle::from_json_lenient(&row.visual_style).0,
        appearance: if row.appearance_tags.is_empty() { row.description } else { row.appearance_tags.join(", ") },
        is_public: row.is_public,
        avatar_key: row.avatar_key,
        version: row.version,
    })
}

struct Found {
    oc: Oc,
    owner_name: String,
    may_edit: bool,
}

/// Makes sure that the asker may see a character, and that it is still here.
///
/// # Errors
/// `NotFound` if there is none, or it is hidden from them; `Forbidden` for one that left.
pub async fn must_see(tx: &mut PgConnection, id: OcId) -> AppResult<()> {
    let seen = sqlx::query_scalar!(r#"select deleted_at is not null as "left!" from ocs where oc_id = $1"#, id.0);
    match seen.fetch_optional(tx).await? {
        Some(false) => Ok(()),
        Some(true) => Err(AppError::forbidden("This character has left. What was said stays.")),
        None => Err(AppError::NotFound),
    }
}

/// The id behind an address, also behind an earlier one.
///
/// # Errors
/// `NotFound`, also for somebody else's draft.
pub async fn find_id(tx: &mut PgConnection, slug: &str) -> AppResult<OcId> {
    let id = sqlx::query_scalar!(
        "select oc_id from ocs where oc_id = (select s.oc_id from oc_slugs s where s.slug = $1)",
        slug
    )
    .fetch_optional(tx)
    .await?;
    id.map(OcId).ok_or(AppError::NotFound)
}

async fn fetch(tx: &mut PgConnection, slug: Option<&str>, id: Option<Uuid>) -> AppResult<Found> {
    let r = sqlx::query!(
        r#"select o.oc_id, o.name, o.slug, o.kind, o.title, o.specialty, o.description, o.personality, o.greeting, o.alternate_greetings,
               o.scenario, o.example_dialogue, o.system_prompt, o.post_history_instructions, o.creator_notes,
               o.nickname, o.voice_tone, o.visual_style, o.appearance_tags, o.tags, o.quick_start, o.content_rating, o.pronoun, o.age_band,
               o.introduction, o.avatar_key, o.is_public, o.version, o.created_at,
               o.shown_at as "awake_since!", o.updated_at, p.username as "username?",
               p.display_name as "display_name?", app.owns_oc(o.oc_id) as "may_edit!"
           from ocs o left join profiles p on p.user_id = o.owner_id
           where o.deleted_at is null and o.oc_id = (select coalesce($2, (select s.oc_id from oc_slugs s where s.slug = $1)))"#,
        slug,
        id
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(AppError::NotFound)?;
    let id = OcId(r.oc_id);
    let items = items_of(tx, id).await?;
    let text =
        |field: &str| r.introduction.as_ref().and_then(|i| i.get(field)).and_then(|v| v.as_str()).map(str::to_owned);
    let mut sheet = Sheet {
        name: r.name,
        nickname: r.nickname,
        title: r.title,
        pronoun: r.pronoun.parse().unwrap_or_default(),
        age_band: r.age_band.parse().unwrap_or_default(),
        description: r.description,
        personality: r.personality,
        greeting: r.greeting,
        alternate_greetings: r.alternate_greetings,
        scenario: r.scenario,
        example_dialogue: serde_json::from_value(r.example_dialogue).unwrap_or_default(),
        system_prompt: r.system_prompt,
        post_history_instructions: r.post_history_instructions,
        creator_notes: r.creator_notes,
        voice_tone: r.voice_tone,
        visual_style: VisualStyle::from_json_lenient(&r.visual_style).0,
        appearance_tags: r.appearance_tags,
        tags: r.tags,
        quick_start: r.quick_start,
        content_rating: r.content_rating.parse().unwrap_or_default(),
        introduction: text("title").zip(text("content")),
    };
    if !r.may_edit {
        sheet.keep_private();
    }
    let oc = Oc {
        id,
        url: page_url(&r.slug),
        kind: r.kind.parse().unwrap_or_default(),
        slug: r.slug,
        specialty: r.specialty,
        sheet,
        items,
        portrait_url: portrait_url(id, r.version),
        has_avatar: r.avatar_key.is_some(),
        is_public: r.is_public,
        owner: r.username.unwrap_or_default(),
        version: r.version,
        created_at: r.awake_since.into(),
        updated_at: r.updated_at.into(),
    };
    Ok(Found { oc, owner_name: r.display_name.unwrap_or_default(), may_edit: r.may_edit })
}

/// A whole character.
///
/// # Errors
/// `NotFound`, also for somebody else's draft.
pub async fn find(tx: &mut PgConnection, id: OcId) -> AppResult<Oc> {
    Ok(fetch(tx, None, Some(id.0)).await?.oc)
}

/// A whole character that the asker may change, by its address.
///
/// # Errors
/// `NotFound` for an unknown address and for a draft that is not theirs, `Forbidden` for a public one that is not theirs.
pub async fn editable(tx: &mut PgConnection, slug: &str) -> AppResult<Oc> {
    let found = fetch(tx, Some(slug), None).await?;
    if found.may_edit { Ok(found.oc) } else { Err(AppError::forbidden("Only its owner changes a character.")) }
}

/// Everything a character's page shows. `origin` is the site's, for links that leave it.
///
/// # Errors
/// `NotFound`, also for somebody else's draft.
pub async fn page(tx: &mut PgConnection, slug: &str, origin: &str) -> AppResult<OcPage> {
    let Found { mut oc, owner_name, may_edit } = fetch(tx, Some(slug), None).await?;
    let rows = sqlx::query!(
        r#"(select forum_post_id as "post?", title as "title!", left(content, 400) as "content!", created_at as "at!"
            from forum_posts where oc_id = $1 and deleted_at is null order by created_at desc limit 5)
           union all
           (select null, '', description, created_at from world_events where oc_id = $1 order by created_at desc limit 5)
           order by 4 desc limit 6"#,
        oc.id.0
    )
    .fetch_all(tx)
    .await?;
    let traces = rows
        .into_iter()
        .map(|r| match r.post {
            Some(id) => {
                Trace::Post { id: ForumPostId(id), title: r.title, content: r.content, at: super::home::ago(r.at) }
            }
            None => Trace::Event { description: r.content, at: super::home::ago(r.at) },
        })
        .collect();
    // Only the edit page shows these.
    oc.sheet.keep_private();
    read_aloud(&mut oc.sheet);
    let canonical = format!("{origin}{}", oc.url);
    Ok(OcPage {
        line: line_of(&oc),
        json_ld: json_ld(&oc, &owner_name, origin),
        oc,
        owner_name,
        traces,
        may_edit,
        canonical,
    })
}

/// A sheet as a reader should see it: with the names that cards leave open.
fn read_aloud(sheet: &mut Sheet) {
    let name = sheet.called().to_owned();
    let texts = [
        &mut sheet.creator_notes,
        &mut sheet.description,
        &mut sheet.personality,
        &mut sheet.scenario,
        &mut sheet.greeting,
    ];
    let lines = sheet.example_dialogue.iter_mut().flat_map(|line| [&mut line.user, &mut line.oc]);
    for text in texts.into_iter().chain(lines) {
        if text.contains(['{', '<']) {
            *text = fill(text, &name, "you");
        }
    }
}

fn line_of(oc: &Oc) -> String {
    let line = spoken_line(&oc.greeting);
    if line.is_empty() { oc.example_dialogue.first().map(|e| spoken_line(&e.oc)).unwrap_or_default() } else { line }
}

/// What machines read, safe inside a script element.
fn json_ld(oc: &Oc, owner_name: &str, origin: &str) -> String {
    let origin_url = |path: &str| format!("{origin}{path}");
    let mut data = serde_json::json!({
        "@context": "https://schema.org",
        "@type": "ProfilePage",
        "url": origin_url(&oc.url),
        "dateCreated": oc.created_at.iso,
        "dateModified": oc.updated_at.iso,
        "mainEntity": {
            "@type": "Thing",
            "additionalType": "https://schema.org/FictionalCharacter",
            "name": oc.name,
            "description": oc.description,
            "image": [origin_url(&banner_url(oc.id, oc.version)), origin_url(&oc.portrait_url)],
        },
    });
    if !owner_name.is_empty()
        && let Some(map) = data.as_object_mut()
    {
        map.insert("creator".to_owned(), serde_json::json!({"@type": "Person", "name": owner_name}));
    }
    data.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}
