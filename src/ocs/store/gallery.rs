//! Many characters: the gallery, and the home page.

use crate::{
    error::{AppError, AppResult},
    ids::{OcId, Stamp, UserId},
    ocs::{
        FeedEntry, GalleryPage, GalleryQuery, HomePage, OcCard, OcKind, Sort, portrait_url, spoken_line, style::Mood,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Characters on a page of the gallery.
pub const PAGE: u32 = 24;

struct Row {
    oc_id: Uuid,
    name: String,
    slug: String,
    title: String,
    kind: String,
    greeting: String,
    mood: String,
    version: i32,
    is_public: bool,
    username: Option<String>,
    interaction_count: i64,
    at: DateTime<Utc>,
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

/// A page of characters, at most `limit` (1 to 100). Drafts are among them only for their owner who asks for their own.
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
    let own = viewer.filter(|(_, name)| name.eq_ignore_ascii_case(&query.owner));
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
    Ok(GalleryPage { cards: rows.into_iter().map(OcCard::from).collect(), next })
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

/// What the home page shows. `day` turns the plates.
///
/// # Errors
/// When the database cannot be reached.
pub async fn home(tx: &mut PgConnection, viewer: Option<UserId>) -> AppResult<HomePage> {
    // The newest and the most talked with; whom the viewer talked with last comes first.
    let rows = sqlx::query!(
        r#"with chosen as (
               (select oc_id from ocs where is_public order by coalesce(published_at, created_at) desc, oc_id desc limit 12)
               union (select oc_id from ocs where is_public order by interaction_count desc, oc_id desc limit 12)
               union (select oc_id from ocs where is_public and kind = 'luminor' order by oc_id limit 3)
           ), last as (
               select oc_id from conversations where user_id = $1 and archived_at is null order by last_message_at desc limit 1
           )
           select o.oc_id, o.name, o.slug, o.title, o.kind, o.greeting, coalesce(o.visual_style ->> 'mood', '') as "mood!",
               o.version, o.is_public, p.username as "username?", o.interaction_count,
               coalesce(o.published_at, o.created_at) as "at!", coalesce(o.oc_id = (select oc_id from last), false) as "last!"
           from ocs o left join profiles p on p.user_id = o.owner_id
           where o.oc_id in (select oc_id from chosen union select oc_id from last)
           order by md5(o.oc_id::text || current_date::text)"#,
        viewer.map(|v| v.0)
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut cards: Vec<(bool, OcCard)> = rows
        .into_iter()
        .map(|r| {
            let row = Row {
                oc_id: r.oc_id,
                name: r.name,
                slug: r.slug,
                title: r.title,
                kind: r.kind,
                greeting: r.greeting,
                mood: r.mood,
                version: r.version,
                is_public: r.is_public,
                username: r.username,
                interaction_count: r.interaction_count,
                at: r.at,
            };
            (r.last, OcCard::from(row))
        })
        .collect();
    let featured = cards.iter().find(|(last, _)| *last).map(|(_, c)| c.clone());
    let first_luminor = || cards.iter().filter(|(_, c)| c.kind == OcKind::Luminor).min_by_key(|(_, c)| c.id);
    let featured = featured.or_else(|| first_luminor().or(cards.first()).map(|(_, c)| c.clone()));
    cards.retain(|(_, c)| c.is_public);
    let mut cards: Vec<OcCard> = cards.into_iter().map(|(_, c)| c).collect();
    let awake = cards.split_off(cards.len().min(3)).into_iter().filter(|c| !c.line.is_empty()).take(8).collect();
    Ok(HomePage { featured, fan: cards, awake, feed: feed(tx).await? })
}

async fn feed(tx: &mut PgConnection) -> AppResult<Vec<FeedEntry>> {
    let rows = sqlx::query!(
        r#"with lately as (
               (select oc_id, title, left(content, 420) as content, created_at from forum_posts
                where deleted_at is null and oc_id is not null order by created_at desc, forum_post_id desc limit 8)
               union all
               (select oc_id, '', description, created_at from world_events
                where oc_id is not null and event_type <> 'oc_summoned' order by created_at desc, world_event_id desc limit 4)
           )
           select o.oc_id, o.name, o.slug, o.kind, o.version, p.username as "username?", l.title as "title!",
               l.content as "content!", l.created_at as "at!"
           from lately l join ocs o using (oc_id) left join profiles p on p.user_id = o.owner_id
           where o.is_public order by l.created_at desc, o.oc_id desc limit 8"#
    )
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| FeedEntry {
            portrait_url: portrait_url(OcId(r.oc_id), r.version),
            byline: match (r.username, r.kind.parse().unwrap_or_default()) {
                (Some(name), _) => format!("a character of @{name}"),
                (None, OcKind::Luminor) => "Luminor".to_owned(),
                (None, OcKind::Companion) => "companion".to_owned(),
                (None, OcKind::Oc) => "a character of its own".to_owned(),
            },
            name: r.name,
            slug: r.slug,
            title: r.title,
            content: r.content,
            at: ago(r.at),
        })
        .collect())
}

/// A moment in words that a reader counts in: `12 minutes ago`, later the date. Made on the server, so that page and
/// browser agree.
pub(super) fn ago(at: DateTime<Utc>) -> Stamp {
    let mut stamp = Stamp::from(at);
    let minutes = (Utc::now() - at).num_minutes();
    let count = |n: i64, unit: &str| format!("{n} {unit}{} ago", if n == 1 { "" } else { "s" });
    match minutes {
        ..1 => "just now".clone_into(&mut stamp.text),
        1..60 => stamp.text = count(minutes, "minute"),
        60..1440 => stamp.text = count(minutes / 60, "hour"),
        1440..10080 => stamp.text = count(minutes / 1440, "day"),
        _ => {}
    }
    stamp
}
