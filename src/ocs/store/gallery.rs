//! Many characters: the gallery, and one's own.

use super::near;
use crate::{
    error::{AppError, AppResult},
    ids::{OcId, UserId},
    ocs::{GalleryPage, GalleryQuery, OcCard, OcKind, Sort, portrait_url, spoken_line, style::Mood},
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
            line: spoken_line(&r.greeting),
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

    fn write(row: &Row, sort: Sort) -> String {
        let key = match sort {
            Sort::Newest => row.at.timestamp_micros().to_string(),
            Sort::Popular => row.interaction_count.to_string(),
            Sort::Name => row.name.to_lowercase(),
        };
        URL_SAFE_NO_PAD.encode(format!("{} {key}", row.oc_id))
    }
}

/// The gallery's query with one order. The three differ in their key only, so that each reads its own index.
macro_rules! listed {
    ($tx:ident, $key:tt, $order:tt, $cursor_key:expr, $cursor_id:expr, $f:ident) => {
        sqlx::query_as!(
            Row,
            r#"select o.oc_id, o.name, o.slug, o.title, o.kind, o.greeting, coalesce(o.visual_style ->> 'mood', '') as "mood!",
                   o.version, o.is_public, p.username as "username?", o.interaction_count,
                   coalesce(o.published_at, o.created_at) as "at!"
               from ocs o left join profiles p on p.user_id = o.owner_id
               where (o.is_public or o.owner_id = $1)
               and ($2 = '' or o.kind = $2) and ($3 = '' or o.visual_style ->> 'mood' = $3)
               and ($4 = '' or lower(p.username) = lower($4))
               and ($5 = '' or o.search @@ (to_tsquery('english', $5) || to_tsquery('simple', $5))
                   or starts_with(lower(o.name), $6) or position(' ' || $6 in lower(o.name)) > 0)
               and "# + $key + " order by " + $order + " limit $9",
            $f.drafts_of,
            $f.kind,
            $f.mood,
            $f.owner,
            $f.words,
            $f.start,
            $cursor_key as _,
            $cursor_id,
            $f.limit
        )
        .fetch_all($tx)
        .await?
    };
}

struct Filter {
    drafts_of: Option<Uuid>,
    kind: String,
    mood: String,
    owner: String,
    words: String,
    start: String,
    limit: i64,
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
    let cursor = Cursor::read(&query.after)?;
    let limit = limit.clamp(1, 100);
    // Drafts are found by their owner who looks for something, or for what is theirs; nobody else ever sees them.
    let own = viewer.filter(|(_, name)| !query.q.trim().is_empty() || name.eq_ignore_ascii_case(&query.owner));
    let f = Filter {
        drafts_of: own.map(|(id, _)| id.0),
        kind: query.kind.trim().to_owned(),
        mood: query.mood.trim().to_owned(),
        owner: query.owner.trim().chars().take(40).collect(),
        words: words(&query.q),
        start: query.q.trim().chars().filter(|c| !c.is_control()).take(80).collect::<String>().to_lowercase(),
        limit: i64::from(limit) + 1,
    };
    let id = cursor.as_ref().map(|c| c.id);
    let key = cursor.as_ref().map(|c| c.key.as_str());
    let wrong = |_| AppError::invalid("after", "This page mark belongs to another order. Start from the first page.");
    let mut rows = match sort {
        Sort::Newest => {
            let micros: Option<i64> = key.map(str::parse).transpose().map_err(wrong)?;
            let at = micros.and_then(DateTime::<Utc>::from_timestamp_micros);
            listed!(
                tx,
                "($8::uuid is null or (coalesce(o.published_at, o.created_at), o.oc_id) < ($7::timestamptz, $8))",
                "coalesce(o.published_at, o.created_at) desc, o.oc_id desc",
                at,
                id,
                f
            )
        }
        Sort::Popular => {
            let count: Option<i64> = key.map(str::parse).transpose().map_err(wrong)?;
            listed!(
                tx,
                "($8::uuid is null or (o.interaction_count, o.oc_id) < ($7::bigint, $8))",
                "o.interaction_count desc, o.oc_id desc",
                count,
                id,
                f
            )
        }
        Sort::Name => {
            listed!(
                tx,
                "($8::uuid is null or (lower(o.name), o.oc_id) > ($7::text, $8))",
                "lower(o.name), o.oc_id",
                key,
                id,
                f
            )
        }
    };
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
    let mut rows = sqlx::query_as!(
        Row,
        r#"select o.oc_id, o.name, o.slug, o.title, o.kind, o.greeting, coalesce(o.visual_style ->> 'mood', '') as "mood!",
               o.version, o.is_public, null::text as username, o.interaction_count, o.created_at as "at!"
           from ocs o
           where o.owner_id = $1 and ($2::boolean is null or o.is_public > $2 or (o.is_public = $2 and o.oc_id < $3))
           order by o.is_public, o.oc_id desc limit $4"#,
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
