//! Many characters: the gallery, and one's own.

use super::near;
use crate::{
    error::{AppError, AppResult},
    ids::{OcId, UserId},
    ocs::{GalleryPage, GalleryQuery, OcCard, OcKind, Sort, portrait_url, sheet::called, spoken_line, style::Mood},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Characters on a page of the gallery.
pub const PAGE: u32 = 24;

pub(super) struct Row {
    pub oc_id: Uuid,
    pub name: String,
    pub nickname: String,
    pub slug: String,
    pub title: String,
    pub kind: String,
    pub greeting: String,
    pub mood: String,
    pub version: i32,
    pub is_public: bool,
    pub username: Option<String>,
    pub interaction_count: i64,
    pub at: DateTime<Utc>,
}

impl From<Row> for OcCard {
    fn from(r: Row) -> Self {
        Self {
            id: OcId(r.oc_id),
            portrait_url: portrait_url(OcId(r.oc_id), r.version),
            line: spoken_line(&crate::text::fill(&r.greeting, called(&r.name, &r.nickname), "you")),
            kind: r.kind.parse().unwrap_or_default(),
            name: r.name,
            slug: r.slug,
            title: r.title,
            mood: r.mood,
            is_public: r.is_public,
            owner: r.username.unwrap_or_default(),
        }
    }
}

/// Where a page ended: the key it was sorted by, and the last character.
struct Cursor {
    key: String,
    id: Uuid,
}

impl Cursor {
    fn read(text: &str) -> AppResult<Option<Self>> {
        if text.is_empty() {
            return Ok(None);
        }
        let wrong = || AppError::invalid("after", "This page mark is not one of ours. Start from the first page.");
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        let text = String::from_utf8(bytes).map_err(|_| wrong())?;
        let (id, key) = text.split_once(' ').ok_or_else(wrong)?;
        Ok(Some(Self { key: key.to_owned(), id: id.parse().map_err(|_| wrong())? }))
    }

    /// With the key as the database reads it in this order.
    fn of(self, sort: Sort) -> AppResult<Self> {
        let number = self.key.parse::<i64>().ok();
        let key = match sort {
            Sort::Newest => number.and_then(DateTime::<Utc>::from_timestamp_micros).map(|at| at.to_rfc3339()),
            Sort::Popular => number.map(|n| n.to_string()),
            Sort::Name => Some(self.key),
        };
        let wrong =
            || AppError::invalid("after", "This page mark belongs to another order. Start from the first page.");
        Ok(Self { key: key.ok_or_else(wrong)?, id: self.id })
    }

    fn write(row: &Row, sort: Sort) -> String {
        let key = match sort {
            Sort::Newest => row.at.timestamp_micros().to_string(),
            Sort::Popular => row.interaction_count.to_string(),
            Sort::Name => row.name.to_lowercase(),
        };
        URL_SAFE_NO_PAD.encode(format!("{} {key}", row.oc_id))
    }
}

/// What [`gallery`] asks for, as `app.list_ocs` takes it.
struct Filter<'a> {
    words: String,
    start: String,
    kind: &'a str,
    mood: &'a str,
    owner: Option<Uuid>,
    drafts: bool,
    sort: Sort,
    after: Option<Cursor>,
    limit: u32,
}

/// Finds the page's characters first, and then reads them through the wall.
async fn listed(tx: &mut PgConnection, f: Filter<'_>) -> AppResult<Vec<Row>> {
    let (key, last) = f.after.map(|c| (c.key, c.id)).unzip();
    let rows = sqlx::query_as!(
        Row,
        r#"select o.oc_id, o.name, o.nickname, o.slug, o.title, o.kind, o.greeting, o.mood as "mood!", o.version, o.is_public,
               p.username as "username?", o.interaction_count, o.shown_at as "at!"
           from app.list_ocs($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) with ordinality l (oc_id, place)
           join ocs o on o.oc_id = l.oc_id left join profiles p on p.user_id = o.owner_id
           order by l.place"#,
        f.words,
        f.start,
        f.kind,
        f.mood,
        f.owner,
        f.drafts,
        f.sort.as_str(),
        key,
        last,
        i32::try_from(f.limit).unwrap_or(i32::MAX)
    )
    .fetch_all(tx)
    .await?;
    Ok(rows)
}

/// A page of characters, at most `limit` (1 to 100). Drafts are among them only for their owner who searches, or asks for their own.
///
/// # Errors
/// `Invalid` for a kind, a mood, an order or a page mark that is not known.
pub async fn gallery(
    tx: &mut PgConnection,
    viewer: Option<(UserId, &str)>,
    query: &GalleryQuery,
    limit: u32,
) -> AppResult<GalleryPage> {
    let sort: Sort = if query.sort.is_empty() {
        Sort::Newest
    } else {
        query.sort.parse().map_err(|m: String| AppError::invalid("sort", m))?
    };
    if !query.kind.is_empty() {
        query.kind.parse::<OcKind>().map_err(|m| AppError::invalid("kind", m))?;
    }
    if !query.mood.is_empty() {
        query.mood.parse::<Mood>().map_err(|m| AppError::invalid("mood", m))?;
    }
    let after = Cursor::read(&query.after)?.map(|cursor| cursor.of(sort)).transpose()?;
    let limit = limit.clamp(1, 100);
    let name: String = query.owner.trim().chars().take(40).collect();
    let owner = if name.is_empty() { None } else { owner_called(tx, &name).await? };
    if !name.is_empty() && owner.is_none() {
        return Ok(GalleryPage::default());
    }
    let words = words(&query.q);
    // Drafts are found by their owner who looks for something, or for what is theirs; nobody else ever sees them.
    let drafts = viewer.is_some_and(|(id, _)| !query.q.trim().is_empty() || owner == Some(id.0));
    let filter = Filter {
        start: query.q.trim().chars().filter(|c| !c.is_control()).take(80).collect::<String>().to_lowercase(),
        kind: query.kind.trim(),
        mood: query.mood.trim(),
        limit: limit + 1,
        words,
        owner,
        drafts,
        sort,
        after,
    };
    let mut rows = listed(tx, filter).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next = rows.last().filter(|_| more).map(|r| Cursor::write(r, sort));
    Ok(GalleryPage { cards: rows.into_iter().map(OcCard::from).collect(), next, meant: None })
}

/// As [`gallery`], for people: where nobody answers to the words, a mistyped one is put right, and the page says so.
///
/// # Errors
/// As [`gallery`].
pub async fn search(
    tx: &mut PgConnection,
    viewer: Option<(UserId, &str)>,
    query: &GalleryQuery,
    limit: u32,
) -> AppResult<GalleryPage> {
    let found = gallery(tx, viewer, query, limit).await?;
    if !found.cards.is_empty() || !query.after.is_empty() {
        return Ok(found);
    }
    let Some(meant) = near::meant(tx, &query.q).await? else { return Ok(found) };
    let near = gallery(tx, viewer, &GalleryQuery { q: meant.clone(), ..query.clone() }, limit).await?;
    Ok(if near.cards.is_empty() { found } else { GalleryPage { meant: Some(meant), ..near } })
}

/// Who has this username, whatever its case, if the asker may see them.
async fn owner_called(tx: &mut PgConnection, name: &str) -> AppResult<Option<Uuid>> {
    let found = sqlx::query_scalar!("select user_id from profiles where username_key = lower($1)", name);
    Ok(found.fetch_optional(tx).await?)
}

/// What was typed as a query of PostgreSQL: all words, the last of them perhaps unfinished. Only letters and digits are
/// left, so it is always well formed.
fn words(typed: &str) -> String {
    let words: Vec<String> = typed
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .take(8)
        .map(|w| format!("{}:*", w.chars().take(40).collect::<String>().to_lowercase()))
        .collect();
    words.join(" & ")
}

/// A page of one's own characters, drafts first, then the newest; at most [`PAGE`]. `after` is what the page before said.
///
/// # Errors
/// `Invalid` for a page mark that is not known.
pub async fn mine(tx: &mut PgConnection, owner: UserId, after: &str) -> AppResult<GalleryPage> {
    let cursor = Cursor::read(after)?;
    let public = cursor.as_ref().map(|c| c.key == "public");
    // Two lists, each of which goes on where its index stands, and not one with a condition for both.
    let mut rows = sqlx::query_as!(
        Row,
        r#"select o.oc_id as "oc_id!", o.name as "name!", o.nickname as "nickname!", o.slug as "slug!", o.title as "title!",
               o.kind as "kind!", o.greeting as "greeting!", o.mood as "mood!", o.version as "version!", o.is_public as "is_public!",
               null::text as username, o.interaction_count as "interaction_count!", o.created_at as "at!"
           from (
               (select * from ocs where owner_id = $1 and not is_public and $2::boolean is not true
                   and oc_id < coalesce($3::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff') order by oc_id desc limit $4)
               union all
               (select * from ocs where owner_id = $1 and is_public
                   and oc_id < case when $2 then $3 else 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid end order by oc_id desc limit $4)
           ) o order by o.is_public, o.oc_id desc limit $4"#,
        owner.0,
        public,
        cursor.map(|c| c.id),
        i64::from(PAGE) + 1
    )
    .fetch_all(tx)
    .await?;
    let more = rows.len() > PAGE as usize;
    rows.truncate(PAGE as usize);
    let mark = |r: &Row| {
        let key = if r.is_public { "public" } else { "draft" };
        URL_SAFE_NO_PAD.encode(format!("{} {key}", r.oc_id))
    };
    let next = rows.last().filter(|_| more).map(mark);
    Ok(GalleryPage { cards: rows.into_iter().map(OcCard::from).collect(), next, meant: None })
}
