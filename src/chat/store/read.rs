//! What pages, prompts and streams read. Always under the identity of the person who asks.

use crate::{
    chat::{
        At, Carried, ConversationCard, Line, LineRun, Lines, Origin, Partner, RunStatus, Sender, Suggestion, notes,
        prompt::{self, Happening, Scene, Turn},
    },
    error::{AppError, AppResult},
    ids::{ConversationId, MessageId, OcId, RunId, UserId},
    ocs::{self, store::Persona},
    server::{Tx, markdown, moments},
    trust::help,
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Lines in one window.
pub(super) const WINDOW: i32 = 60;
/// Bytes of text in one window: when the lines have more, the window begins later. A line is shown whatever its length.
const WINDOW_BYTES: i64 = 1024 * 1024;
/// Lines that a prompt looks back at most; its budget keeps fewer.
const HISTORY: i32 = 200;
/// Conversations on one page of the list.
const PAGE: i64 = 24;

/// The character of a conversation.
///
/// # Errors
/// `NotFound`, also for somebody else's.
pub async fn conversation_of(tx: &mut Tx, id: ConversationId) -> AppResult<OcId> {
    let found = sqlx::query_scalar!("select oc_id from conversations where conversation_id = $1", id.0);
    found.fetch_optional(&mut **tx).await?.map(OcId).ok_or(AppError::NotFound)
}

/// The conversation with a character that was last written in, if there is one.
///
/// # Errors
/// When the database cannot be reached.
pub async fn newest_with(tx: &mut Tx, user: UserId, oc: OcId) -> AppResult<Option<ConversationId>> {
    let found = sqlx::query_scalar!(
        "select conversation_id from conversations where user_id = $1 and oc_id = $2 and archived_at is null
         order by last_message_at desc, conversation_id desc limit 1",
        user.0,
        oc.0
    );
    Ok(found.fetch_optional(&mut **tx).await?.map(ConversationId))
}

/// The character with this name in addresses.
///
/// # Errors
/// `NotFound`, also for somebody else's draft.
pub async fn partner_by_slug(tx: &mut Tx, slug: &str) -> AppResult<OcId> {
    let found = sqlx::query_scalar!("select oc_id from ocs where slug = $1", slug.trim().to_lowercase());
    found.fetch_optional(&mut **tx).await?.map(OcId).ok_or(AppError::NotFound)
}

/// A character as the chat page shows it, and as a prompt sees it.
///
/// # Errors
/// `NotFound`, also for somebody else's draft.
pub async fn partner(tx: &mut Tx, id: OcId) -> AppResult<(Partner, Persona)> {
    let persona = ocs::store::persona(tx, id).await?;
    let events = events(tx, id, 3).await?;
    let partner = Partner {
        id,
        name: persona.name.clone(),
        slug: persona.slug.clone(),
        title: persona.title.clone(),
        portrait_url: ocs::portrait_url(id, persona.version),
        carries: persona
            .items
            .iter()
            .map(|i| Carried { name: i.name.clone(), effects: i.personality_effects.clone() })
            .collect(),
        events,
        quick_start: persona.quick_start.iter().take(3).cloned().collect(),
    };
    Ok((partner, persona))
}

/// What happened in the last seven days: the character's own events first, then the world's. That it woke up itself is
/// no news to it.
async fn events(tx: &mut Tx, oc: OcId, limit: i64) -> AppResult<Vec<String>> {
    let rows = sqlx::query_scalar!(
        r#"select description as "description!" from (
               (select description, true as is_own, created_at from world_events
                where oc_id = $1 and event_type <> 'oc_summoned' and created_at > now() - interval '7 days'
                order by created_at desc limit $2)
               union all
               (select description, false, created_at from world_events
                where oc_id is distinct from $1 and created_at > now() - interval '7 days'
                order by created_at desc, world_event_id desc limit $2)
           ) lately order by is_own desc, created_at desc limit $2"#,
        oc.0,
        limit
    );
    Ok(rows.fetch_all(&mut **tx).await?)
}

/// What a character has heard in the last seven days of those whom its partner knows: the newest ten of the house's characters and
/// of their own, and the ten they talked with last. In our own words with nothing but a name in it: what strangers write is no part of a prompt.
async fn news(tx: &mut Tx, user: UserId, oc: OcId) -> AppResult<Vec<Happening>> {
    let rows = sqlx::query!(
        r#"with known as (
               (select oc_id from ocs where owner_id = $2 and is_public order by oc_id desc limit 10)
               union
               (select oc_id from ocs where owner_id is null and is_public order by oc_id desc limit 10)
               union
               (select t.oc_id from (select oc_id from conversations where user_id = $2
                    order by last_message_at desc, conversation_id desc limit 10) t)
           )
           select o.name, (o.owner_id is null or o.owner_id = $2) as "is_own!"
           from known k join ocs o using (oc_id) cross join lateral (
               select e.created_at, e.world_event_id from world_events e
               where e.oc_id = k.oc_id and e.event_type = 'oc_summoned' and e.created_at > now() - interval '7 days'
               order by e.created_at desc limit 1
           ) woke
           where k.oc_id <> $1 order by woke.created_at desc, woke.world_event_id desc limit 5"#,
        oc.0,
        user.0
    );
    let rows = rows.fetch_all(&mut **tx).await?;
    let named = rows.into_iter().map(|row| (prompt::plain_name(&row.name), row.is_own));
    let named = named.filter(|(name, _)| !name.is_empty());
    Ok(named.map(|(name, is_own)| Happening { text: format!("“{name}” woke up."), is_own }).collect())
}

/// Lines as they were read. Their words are drawn when no transaction is open any more: that may take a while.
#[must_use]
pub struct Undrawn(Lines);

impl Undrawn {
    /// The lines with their HTML.
    pub async fn drawn(self) -> Lines {
        let mut lines = self.0;
        let texts: Vec<&str> = lines.lines.iter().map(|l| l.content.as_str()).collect();
        let html = markdown::drawn_all(&texts).await;
        for (line, html) in lines.lines.iter_mut().zip(html) {
            line.html = if line.is_card { help::html(&line.content) } else { html };
        }
        lines
    }
}

/// The lines of a conversation: those that end with `before`'s predecessor, or the newest.
///
/// # Errors
/// `NotFound`, also for somebody else's.
pub async fn lines(tx: &mut Tx, id: ConversationId, before: Option<MessageId>) -> AppResult<Undrawn> {
    window(tx, id, before.map_or(At::Newest, At::Before)).await
}

/// A window of a conversation's lines. Costs the same in a talk of ten lines and in one of ten thousand: it walks up from its last
/// line, and no further than it shows.
///
/// # Errors
/// `NotFound`, also for somebody else's.
pub async fn window(tx: &mut Tx, id: ConversationId, at: At) -> AppResult<Undrawn> {
    let head = sqlx::query!(
        r#"select c.title, c.archived_at, c.active_leaf_id, c.updated_at, f.conversation_id as "from_id?",
               coalesce(nullif(f.title, ''), o.name) as "from_title?", u.timezone
           from conversations c join users u on u.user_id = c.user_id left join conversations f on f.conversation_id = c.branched_from_id
               left join ocs o on o.oc_id = f.oc_id
           where c.conversation_id = $1"#,
        id.0
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(AppError::NotFound)?;
    let leaf = head.active_leaf_id.map(MessageId);
    let (last, later) = super::window::end(tx, id, leaf, at).await?;
    let rows = sqlx::query!(
        r#"with recursive path as (
               select message_id, parent_id, 1 as depth, octet_length(content) as bytes, 0::bigint as below
               from messages where message_id = $1 and conversation_id = $2
               union all
               select m.message_id, m.parent_id, path.depth + 1, octet_length(m.content), path.below + path.bytes
               -- One line after the other: the planner expects few lines of a person, and would read all of them instead.
               from path cross join lateral (
                   select u.message_id, u.parent_id, u.content from messages u where u.message_id = path.parent_id offset 0
               ) m
               -- Not only so many lines, but also so many bytes of them: the page of a talk of enormous messages holds fewer.
               where path.depth < $3 and path.below + path.bytes < $4
           )
           select m.message_id, m.parent_id, m.sender_type, m.content, m.kind, m.created_at, m.edited_at, m.user_rating, m.was_helpful,
               r.run_id as "run_id?", r.status as "status?", r.error, r.finish, r.lease_until < now() as lapsed,
               w.places as "places!", w.place as "place!"
           from path cross join lateral (
               select l.message_id, l.conversation_id, l.parent_id, l.sender_type, l.content, l.kind, l.created_at, l.edited_at,
                   l.user_rating, l.was_helpful
               from messages l where l.message_id = path.message_id offset 0
           ) m
           cross join lateral (
               select count(*) as places, count(*) filter (where s.message_id <= m.message_id) as place from (
                   select message_id from messages where parent_id = m.parent_id
                   union all
                   select message_id from messages
                   where m.parent_id is null and parent_id is null and conversation_id = m.conversation_id
               ) s
           ) w
           left join lateral (
               select run_id, status, error, finish, lease_until from runs where runs.message_id = m.message_id
               order by run_id desc limit 1
           ) r on true
           order by path.depth desc"#,
        last.map(|m| m.0),
        id.0,
        WINDOW,
        WINDOW_BYTES
    )
    .fetch_all(&mut **tx)
    .await?;
    let now = Utc::now();
    let earlier = rows.first().filter(|r| r.parent_id.is_some()).map(|r| MessageId(r.message_id));
    let lines = rows
        .into_iter()
        .map(|r| {
            let run = r.run_id.zip(r.status).map(|(run, status)| LineRun {
                id: RunId(run),
                status: effective(RunStatus::parse(&status), r.lapsed),
                error: r.error.unwrap_or_default(),
                cut: r.finish.as_deref() == Some("length"),
            });
            let moments::Said { stamp, day, clock } = moments::said(r.created_at, &head.timezone, now);
            Line {
                id: MessageId(r.message_id),
                sender: if r.sender_type == "user" { Sender::User } else { Sender::Oc },
                html: String::new(),
                is_card: r.kind == super::card::KIND,
                content: r.content,
                at: stamp,
                day,
                clock,
                run,
                place: u32::try_from(r.place).unwrap_or(1).max(1),
                places: u32::try_from(r.places).unwrap_or(1).max(1),
                is_first: r.parent_id.is_none(),
                is_edited: r.edited_at.is_some(),
                rating: r.user_rating.and_then(|r| u8::try_from(r).ok()).unwrap_or(0),
                helpful: r.was_helpful,
            }
        })
        .collect();
    Ok(Undrawn(Lines {
        conversation_id: id,
        title: head.title,
        is_archived: head.archived_at.is_some(),
        model: None,
        origin: head.from_id.map(|id| Origin { id: ConversationId(id), title: head.from_title.unwrap_or_default() }),
        revision: revision(head.updated_at),
        lines,
        earlier,
        later,
        is_newest: last == leaf,
    }))
}

/// A run whose writer has not been heard of for a while is interrupted, whether or not somebody has noted it.
pub fn effective(status: RunStatus, lapsed: Option<bool>) -> RunStatus {
    if status.is_open() && lapsed == Some(true) { RunStatus::Interrupted } else { status }
}

pub(super) fn revision(at: DateTime<Utc>) -> String {
    at.timestamp_micros().to_string()
}

/// A conversation in a list, as the database tells it.
pub(in crate::chat) struct CardRow {
    pub(in crate::chat) conversation_id: Uuid,
    pub(in crate::chat) oc_id: Uuid,
    pub(in crate::chat) name: String,
    pub(in crate::chat) version: i32,
    pub(in crate::chat) title: String,
    pub(in crate::chat) last_line: String,
    pub(in crate::chat) last_message_at: DateTime<Utc>,
    pub(in crate::chat) archived_at: Option<DateTime<Utc>>,
    pub(in crate::chat) timezone: String,
}

impl From<CardRow> for ConversationCard {
    fn from(r: CardRow) -> Self {
        Self {
            id: ConversationId(r.conversation_id),
            oc_id: OcId(r.oc_id),
            portrait_url: ocs::portrait_url(OcId(r.oc_id), r.version),
            oc_name: r.name,
            title: r.title,
            last_line: r.last_line,
            last_message_at: moments::ago(r.last_message_at, &r.timezone, Utc::now()),
            is_archived: r.archived_at.is_some(),
        }
    }
}

/// A page of a person's conversations, the one last written in first, and where the next page begins.
///
/// # Errors
/// `Invalid` for a cursor that is not ours.
pub async fn conversations(
    tx: &mut Tx,
    user: UserId,
    archived: bool,
    after: &str,
) -> AppResult<(Vec<ConversationCard>, Option<String>)> {
    let (at, id) = cursor(after)?;
    let mut rows = sqlx::query_as!(
        CardRow,
        r#"select c.conversation_id, c.oc_id, o.name, o.version, c.title, c.last_line, c.last_message_at, c.archived_at, u.timezone
           from conversations c join ocs o using (oc_id) join users u on u.user_id = c.user_id
           where c.user_id = $1
             and (c.last_message_at, c.conversation_id) < (coalesce($3, 'infinity'::timestamptz), coalesce($4, $1))
             and case when $2 then c.archived_at is not null else c.archived_at is null end
           order by c.last_message_at desc, c.conversation_id desc limit $5"#,
        user.0,
        archived,
        at,
        id,
        PAGE + 1
    )
    .fetch_all(&mut **tx)
    .await?;
    let more = rows.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
    if more {
        rows.pop();
    }
    let next = rows
        .last()
        .filter(|_| more)
        .map(|r| format!("{}_{}", r.last_message_at.timestamp_micros(), r.conversation_id.simple()));
    Ok((rows.into_iter().map(ConversationCard::from).collect(), next))
}

fn cursor(after: &str) -> AppResult<(Option<DateTime<Utc>>, Option<Uuid>)> {
    if after.is_empty() {
        return Ok((None, None));
    }
    let parsed = after.split_once('_').and_then(|(at, id)| {
        let at = DateTime::from_timestamp_micros(at.parse().ok()?)?;
        Some((Some(at), Some(id.parse().ok()?)))
    });
    parsed.ok_or_else(|| AppError::invalid("after", "This is not a place in the list."))
}

/// Characters of the house to begin with.
///
/// # Errors
/// When the database cannot be reached.
pub async fn suggestions(tx: &mut Tx) -> AppResult<Vec<Suggestion>> {
    let rows = sqlx::query!(
        "select oc_id, name, slug, title, version from ocs where is_public and owner_id is null
         order by interaction_count desc, oc_id limit 4"
    );
    Ok(rows
        .fetch_all(&mut **tx)
        .await?
        .into_iter()
        .map(|r| Suggestion {
            portrait_url: ocs::portrait_url(OcId(r.oc_id), r.version),
            name: r.name,
            slug: r.slug,
            title: r.title,
        })
        .collect())
}

/// Everything a prompt is made of: the character, its world and memories, the person and their notes, and the talk up to
/// `until`, inclusive.
///
/// # Errors
/// `NotFound` when the character has left or the message is somebody else's.
pub async fn scene(tx: &mut Tx, user: UserId, persona: Persona, until: Option<MessageId>) -> AppResult<Scene> {
    let (as_persona, guest, mut notes) = notes::store::of_message(tx, user, until).await?;
    let person = match as_persona {
        Some(name) => name,
        None => sqlx::query_scalar!("select display_name from profiles where user_id = $1", user.0)
            .fetch_optional(&mut **tx)
            .await?
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "the visitor".to_owned()),
    };
    if let Some(until) = until {
        notes.summary = notes::store::summary_before(tx, until).await?.map(|s| s.content).unwrap_or_default();
        let was_shown = sqlx::query_scalar!(
            r#"select exists (select from messages m join messages c using (conversation_id)
                   where m.message_id = $1 and c.kind = $2) as "was_shown!""#,
            until.0,
            super::card::KIND
        );
        if was_shown.fetch_one(&mut **tx).await? {
            // First, so that it is there whatever else has no room.
            notes.instructions = format!("{}\n{}", help::GENTLY, notes.instructions).trim_end().to_owned();
        }
    }
    let events = news(tx, user, persona.id).await?;
    let memories = sqlx::query_scalar!(
        "select m.content from app.list_memories($1, 10) l join memories m on m.memory_id = l.memory_id
         order by m.importance desc, m.created_at desc limit 10",
        persona.id.0
    )
    .fetch_all(&mut **tx)
    .await?;
    let rows = sqlx::query!(
        r#"with recursive path as (
               select message_id, parent_id, 1 as depth from messages where message_id = $1
               union all
               select m.message_id, m.parent_id, path.depth + 1
               from path cross join lateral (
                   select u.message_id, u.parent_id from messages u where u.message_id = path.parent_id offset 0
               ) m
               where path.depth < $2
           )
           select m.sender_type, m.content, m.parent_id, m.kind
           from path cross join lateral (
               select l.sender_type, l.content, l.parent_id, l.kind from messages l where l.message_id = path.message_id offset 0
           ) m
           order by path.depth desc"#,
        until.map(|m| m.0),
        HISTORY
    )
    .fetch_all(&mut **tx)
    .await?;
    let has_older = rows.first().is_some_and(|r| r.parent_id.is_some());
    let history = rows
        .into_iter()
        // The card is the house's word, and no example of how the character talks.
        .filter(|r| r.kind != super::card::KIND)
        .map(|r| Turn { by: if r.sender_type == "user" { Sender::User } else { Sender::Oc }, content: r.content })
        .collect();
    let fill = |text: &str| prompt::fill(text, persona.called(), &person);
    let memories = memories.iter().map(|m| fill(m)).collect();
    Ok(Scene { persona, person, guest, notes, events, memories, history, has_older })
}
