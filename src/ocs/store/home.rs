//! The home page: what a visitor is shown first, and what is one's own.

use super::gallery::Row;
use crate::{
    error::AppResult,
    ids::{ConversationId, OcId, Stamp, UserId},
    ocs::{FeedEntry, HomeChat, HomeOwn, HomePage, OcCard, portrait_url, sheet::called},
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Plates beside the title of a visitor's page.
const FAN: usize = 3;
/// Cards on a page, at most; always whole rows of four.
const CARDS: usize = 8;

/// What the home page shows. For somebody who is signed in, `own` has what is theirs. Three queries at most.
///
/// # Errors
/// When the database cannot be reached.
pub async fn home(tx: &mut PgConnection, viewer: Option<(UserId, &str)>) -> AppResult<HomePage> {
    let mut cards = chosen(tx).await?;
    let featured = cards.first().cloned();
    let own = match viewer {
        None => None,
        Some((id, name)) => Some(own(tx, id, name).await?),
    };
    let feed = feed(tx, if own.is_some() { 4 } else { 8 }).await?;
    let rest = if own.is_some() { Vec::new() } else { cards.split_off(cards.len().min(FAN)) };
    let fan = if own.is_some() { Vec::new() } else { std::mem::take(&mut cards) };
    let mut cards = if own.is_some() { cards } else { rest };
    cards.truncate(CARDS);
    if cards.len() > 4 {
        cards.truncate(cards.len() / 4 * 4);
    }
    Ok(HomePage { featured, fan, cards, own, feed })
}

/// Whom everybody is shown: admins' choice in their order, then the house's own, turned by the day, then the most
/// talked with.
async fn chosen(tx: &mut PgConnection) -> AppResult<Vec<OcCard>> {
    let rows = sqlx::query_as!(
        Row,
        r#"with chosen as (
               (select oc_id, 0 as rank, sort::bigint as place, '' as turn from featured_ocs order by sort, oc_id limit 12)
               union all
               (select oc_id, 1, 0, md5(oc_id::text || current_date::text) from ocs
                where owner_id is null and is_public and kind in ('luminor', 'companion') order by oc_id limit 12)
               union all
               (select oc_id, 2, -interaction_count, '' from ocs where is_public order by interaction_count desc, oc_id desc limit 12)
           ), best as (
               select distinct on (oc_id) oc_id, rank, place, turn from chosen order by oc_id, rank
           )
           select o.oc_id, o.name, o.nickname, o.slug, o.title, o.kind, o.greeting, o.mood as "mood!",
               o.version, o.is_public, p.username as "username?", o.interaction_count,
               o.shown_at as "at!"
           from best join ocs o using (oc_id) left join profiles p on p.user_id = o.owner_id
           where o.is_public order by best.rank, best.place, best.turn, o.oc_id limit 12"#
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(OcCard::from).collect())
}

/// What is the viewer's: the chats to continue, their characters with drafts first, and who is new here.
async fn own(tx: &mut PgConnection, me: UserId, name: &str) -> AppResult<HomeOwn> {
    let chats = sqlx::query!(
        r#"select c.conversation_id, c.oc_id, c.last_line, c.last_message_at, c.title, o.name, o.nickname, o.version,
               o.greeting
           from conversations c join ocs o using (oc_id)
           where c.user_id = $1 and c.archived_at is null
           order by c.last_message_at desc, c.conversation_id desc limit 4"#,
        me.0
    )
    .fetch_all(&mut *tx)
    .await?;
    let rows = sqlx::query!(
        r#"select o.oc_id, o.name, o.nickname, o.slug, o.title, o.kind, o.greeting, o.mood as "mood!",
               o.version, o.is_public, p.username as "username?", o.interaction_count,
               o.shown_at as "at!", l.is_mine as "is_mine!"
           from (
               (select oc_id, true as is_mine, row_number() over (order by is_public, oc_id desc) as place
                from ocs where owner_id = $1 order by is_public, oc_id desc limit 5)
               union all
               (select oc_id, false, row_number() over (order by shown_at desc, oc_id desc)
                from ocs where is_public and owner_id is not null and owner_id <> $1
                order by shown_at desc, oc_id desc limit 4)
           ) l join ocs o using (oc_id) left join profiles p on p.user_id = o.owner_id
           order by l.is_mine desc, l.place"#,
        me.0
    )
    .fetch_all(&mut *tx)
    .await?;
    let (mut mine, mut new) = (Vec::new(), Vec::new());
    for r in rows {
        let card = OcCard::from(Row {
            oc_id: r.oc_id,
            name: r.name,
            nickname: r.nickname,
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
        });
        if r.is_mine { mine.push(card) } else { new.push(card) }
    }
    let more_of_mine = mine.len() > 4;
    mine.truncate(4);
    Ok(HomeOwn {
        name: name.to_owned(),
        chats: chats
            .into_iter()
            .map(|r| (crate::text::fill(&r.greeting, called(&r.name, &r.nickname), name), r))
            .map(|(greeting, r)| HomeChat {
                id: ConversationId(r.conversation_id),
                portrait_url: portrait_url(OcId(r.oc_id), r.version),
                name: r.name,
                title: r.title,
                last_line: if r.last_line.is_empty() { crate::ocs::spoken_line(&greeting) } else { r.last_line },
                at: ago(r.last_message_at),
            })
            .collect(),
        mine,
        more_of_mine,
        new,
    })
}

async fn feed(tx: &mut PgConnection, most: i64) -> AppResult<Vec<FeedEntry>> {
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
           where o.is_public order by l.created_at desc, o.oc_id desc limit $1"#,
        most
    )
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| FeedEntry {
            portrait_url: portrait_url(OcId(r.oc_id), r.version),
            byline: match r.username {
                Some(name) => format!("by @{name}"),
                None => "by SoulForge".to_owned(),
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
