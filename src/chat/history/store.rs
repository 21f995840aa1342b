//! The SQL of looking back.

use super::{
    Hit, Partner,
    import::{CONTENT_MAX, Chat, Node},
    search::Terms,
};
use crate::{
    chat::{ConversationCard, Sender, prompt, store::CardRow},
    error::{AppError, AppResult},
    ids::{ConversationId, MessageId, OcId, UserId},
    ocs,
    server::{Ctx, Tx, markdown, moments, quota},
};
use chrono::{DateTime, Utc};
use std::collections::HashMap;
use uuid::Uuid;

/// Finds on one page.
const PAGE: i32 = 20;

/// One's own messages that hold all terms, the newest first, and where the next page begins.
///
/// # Errors
/// When the database cannot be reached.
pub async fn search(
    tx: &mut Tx,
    terms: &Terms,
    within: Option<ConversationId>,
    before: Option<MessageId>,
) -> AppResult<(Vec<Hit>, Option<String>)> {
    // Which finds are shown: from the end of each shown branch up to the oldest find of its conversation, and no further. What
    // answers a line is younger than the line, and its id says so.
    let mut rows = sqlx::query!(
        r#"with recursive hit as materialized (
               select m.message_id, m.conversation_id, m.sender_type, m.content, m.created_at
               from app.search_messages($1, $2, $3, $4, $5, $6) f(message_id) join messages m on m.message_id = f.message_id
           ), path as (
               select c.active_leaf_id as message_id, h.oldest
               from (select conversation_id, (array_agg(message_id order by message_id))[1] as oldest from hit group by 1) h
               join conversations c on c.conversation_id = h.conversation_id where c.active_leaf_id is not null
               union all
               select m.parent_id, p.oldest from path p join messages m on m.message_id = p.message_id
               where m.parent_id is not null and p.message_id > p.oldest
           )
           select h.message_id as "message_id!", h.conversation_id as "conversation_id!", h.sender_type as "sender_type!",
               h.content as "content!", h.created_at as "created_at!", c.title as "title!", c.oc_id as "oc_id!",
               o.name as "name!", o.version as "version!", h.message_id in (select message_id from path) as "is_shown!", u.timezone as "timezone!"
           from hit h
           join conversations c on c.conversation_id = h.conversation_id
           join users u on u.user_id = c.user_id
           join ocs o on o.oc_id = c.oc_id
           order by h.message_id desc"#,
        &terms.words,
        &terms.phrases,
        &terms.exact,
        within.map(|c| c.0),
        before.map(|m| m.0),
        PAGE + 1
    )
    .fetch_all(&mut **tx)
    .await?;
    let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let more = rows.len() > page;
    rows.truncate(page);
    let next = rows.last().filter(|_| more).map(|r| r.message_id.to_string());
    let hits = rows
        .into_iter()
        .map(|r| Hit {
            message_id: MessageId(r.message_id),
            conversation_id: ConversationId(r.conversation_id),
            title: r.title,
            oc_name: r.name,
            portrait_url: ocs::portrait_url(OcId(r.oc_id), r.version),
            sender: if r.sender_type == "user" { Sender::User } else { Sender::Oc },
            created_at: moments::ago(r.created_at, &r.timezone, Utc::now()),
            is_shown: r.is_shown,
            html: terms.snippet(&r.content),
        })
        .collect();
    Ok((hits, next))
}

/// Words of so many letters in one's newest messages, as the index knows them, those that were said most first.
///
/// # Errors
/// When the database cannot be reached.
pub async fn words_said(tx: &mut Tx, user: UserId, from: usize, to: usize) -> AppResult<Vec<String>> {
    let letters = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let rows = sqlx::query_scalar!(
        r#"select w.lexeme as "lexeme!"
           from (select search from messages where user_id = $1 order by message_id desc limit 2000) m,
               unnest(m.search) w
           where length(w.lexeme) between $2 and $3
           group by w.lexeme order by count(*) desc, w.lexeme limit 5000"#,
        user.0,
        letters(from),
        letters(to)
    );
    Ok(rows.fetch_all(&mut **tx).await?)
}

/// One's conversations whose title or character is called so, at most six.
///
/// # Errors
/// When the database cannot be reached.
pub async fn conversations_called(tx: &mut Tx, user: UserId, name: &str) -> AppResult<Vec<ConversationCard>> {
    let rows = sqlx::query_as!(
        CardRow,
        "select c.conversation_id, c.oc_id, o.name, o.version, c.title, c.last_line, c.last_message_at, c.archived_at, u.timezone
         from conversations c join ocs o using (oc_id) join users u on u.user_id = c.user_id
         where c.user_id = $1 and btrim(app.search_fold($2)) <> ''
           and strpos(app.search_fold(c.title || ' ' || o.name), btrim(app.search_fold($2))) > 0
         order by c.last_message_at desc, c.conversation_id desc limit 6",
        user.0,
        name
    );
    Ok(rows.fetch_all(&mut **tx).await?.into_iter().map(ConversationCard::from).collect())
}

/// Characters that a chat can be brought to: the wanted one first, then those one talks with, one's own, the house's.
///
/// # Errors
/// When the database cannot be reached.
pub async fn partners(tx: &mut Tx, user: UserId, wanted: &str) -> AppResult<Vec<Partner>> {
    let rows = sqlx::query!(
        r#"with found as (
               (select oc_id, 0 as rank, null::timestamptz as at from ocs where slug = $2)
               union all
               (select t.oc_id, 1, max(t.last_message_at) from (
                    select oc_id, last_message_at from conversations where user_id = $1
                    order by last_message_at desc, conversation_id desc limit 500) t group by t.oc_id)
               union all
               (select oc_id, 2, null from ocs where owner_id = $1 order by is_public, oc_id desc limit 100)
               union all
               (select oc_id, 3, null from ocs where owner_id is null and is_public order by oc_id desc limit 100)
           ), best as (
               select distinct on (oc_id) oc_id, rank, at from found order by oc_id, rank
           )
           select o.slug, o.name from best join ocs o using (oc_id) where o.deleted_at is null
           order by best.rank, best.at desc nulls last, o.interaction_count desc, o.oc_id limit 100"#,
        user.0,
        wanted
    );
    Ok(rows.fetch_all(&mut **tx).await?.into_iter().map(|r| Partner { slug: r.slug, name: r.name }).collect())
}

/// Messages that are written in one statement.
const BATCH: usize = 500;

/// The character that a file means: the one that was chosen, or the one that the file names.
///
/// # Errors
/// `Invalid` at `with` when there is none of that name that the person may see.
pub async fn partner_of(tx: &mut Tx, wanted: &str, chat: &Chat) -> AppResult<OcId> {
    let wanted = wanted.trim();
    let found = sqlx::query_scalar!(
        r#"select oc_id from ocs where deleted_at is null and oc_id = (select case when $1 <> ''
               then coalesce((select s.oc_id from ocs s where s.slug = lower($1)), $4)
               else coalesce((select s.oc_id from ocs s where s.slug = $2),
                             (select n.oc_id from ocs n where n.name_key = lower($3) order by n.oc_id limit 1)) end)"#,
        wanted,
        chat.slug,
        chat.name,
        wanted.parse::<Uuid>().ok()
    );
    found.fetch_optional(&mut **tx).await?.map(OcId).ok_or_else(|| {
        let message = match (wanted, chat.name.as_str()) {
            ("", "") => "The file does not name the character. Please choose one.".to_owned(),
            ("", name) => format!("No character here is called {name}. Please choose one."),
            _ => "This character does not exist here. Please choose another.".to_owned(),
        };
        AppError::invalid("with", message)
    })
}

/// Keeps a chat as a new conversation. Message ids are made from the dates, so that what was said earlier sorts earlier.
///
/// # Errors
/// `NotFound` for a character that the person may not see.
pub async fn import(ctx: &Ctx, wanted: &str, mut chat: Chat) -> AppResult<ConversationId> {
    let me = ctx.require_write()?;
    let mut tx = ctx.begin().await?;
    let oc = partner_of(&mut tx, wanted, &chat).await?;
    let persona = ocs::store::persona(&mut tx, oc).await?;
    let now = Utc::now();
    let rows = places(&chat, now);
    if chat.has_macros {
        fill_macros(&mut chat, persona.called(), &me.display_name);
    }
    let bytes = chat.nodes.iter().map(|node| node.content.len()).sum();
    quota::take_words(&mut tx, me.id, bytes).await?;
    let id = ConversationId::new();
    let begun = rows.iter().map(|r| r.1).min().unwrap_or(now);
    let ended = rows.iter().map(|r| r.1).max().unwrap_or(now);
    sqlx::query!(
        "insert into conversations (conversation_id, user_id, oc_id, title, created_at, last_message_at) values ($1, $2, $3, $4, $5, $6)",
        id.0,
        me.id.0,
        oc.0,
        chat.title,
        begun,
        ended
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "insert into conversation_participants (conversation_id, user_id, oc_id, joined_at) values ($1, $2, null, $4), ($1, null, $3, $4)",
        id.0,
        me.id.0,
        oc.0,
        begun
    )
    .execute(&mut *tx)
    .await?;
    insert_messages(&mut tx, (id, me.id, oc), &chat, &rows).await?;
    let leaf = chat.leaf.and_then(|l| rows.get(l).zip(chat.nodes.get(l)));
    sqlx::query!(
        "update conversations set active_leaf_id = $2, last_line = $3 where conversation_id = $1",
        id.0,
        leaf.map(|(row, _)| row.0),
        leaf.map(|(_, node)| markdown::plain(&node.content, 180)).unwrap_or_default()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(id)
}

/// Id and time of each message. Along a branch and among wordings, what comes later has a later id; a date that is missing
/// is made up from its neighbours, and none lies in the future.
fn places(chat: &Chat, now: DateTime<Utc>) -> Vec<(Uuid, DateTime<Utc>)> {
    let count = i64::try_from(chat.nodes.len()).unwrap_or(i64::MAX);
    let newest = now.timestamp_millis() - count;
    let first = chat.nodes.iter().find_map(|n| n.at).unwrap_or(now).timestamp_millis().clamp(0, newest);
    let mut rows = Vec::with_capacity(chat.nodes.len());
    let mut placed: Vec<i64> = Vec::with_capacity(chat.nodes.len());
    let mut wordings: HashMap<Option<usize>, i64> = HashMap::new();
    for node in &chat.nodes {
        let before = node.parent.and_then(|p| placed.get(p)).copied().unwrap_or(first - 1);
        let before = before.max(wordings.get(&node.parent).copied().unwrap_or(before));
        let told = node.at.map(|at| at.timestamp_millis().clamp(0, newest));
        let place = told.unwrap_or(before).max(before + 1);
        placed.push(place);
        wordings.insert(node.parent, place);
        let id = uuid::Builder::from_unix_timestamp_millis(place.unsigned_abs(), &rand::random()).into_uuid();
        rows.push((id, DateTime::from_timestamp_millis(told.unwrap_or(place)).unwrap_or(now)));
    }
    rows
}

/// Puts names in place of the blanks that other programs leave for them; where a message would grow too long, they stay.
fn fill_macros(chat: &mut Chat, oc: &str, person: &str) {
    for node in &mut chat.nodes {
        let filled = prompt::fill(&node.content, oc, person);
        if filled.chars().count() <= CONTENT_MAX {
            node.content = filled;
        }
    }
}

/// Writes the messages in batches, so that no statement grows with the file.
async fn insert_messages(
    tx: &mut Tx,
    (id, user, oc): (ConversationId, UserId, OcId),
    chat: &Chat,
    rows: &[(Uuid, DateTime<Utc>)],
) -> AppResult<()> {
    let parent = |node: &Node| node.parent.and_then(|p| rows.get(p)).map(|r| r.0);
    let whole: Vec<(&Node, &(Uuid, DateTime<Utc>))> = chat.nodes.iter().zip(rows).collect();
    for batch in whole.chunks(BATCH) {
        let ids: Vec<Uuid> = batch.iter().map(|(_, r)| r.0).collect();
        let parents: Vec<Option<Uuid>> = batch.iter().map(|(n, _)| parent(n)).collect();
        let is_user: Vec<bool> = batch.iter().map(|(n, _)| n.by == Sender::User).collect();
        let contents: Vec<String> = batch.iter().map(|(n, _)| n.content.clone()).collect();
        let models: Vec<String> = batch.iter().map(|(n, _)| n.model.clone()).collect();
        let ratings: Vec<Option<i16>> = batch.iter().map(|(n, _)| n.rating).collect();
        let helpful: Vec<Option<bool>> = batch.iter().map(|(n, _)| n.helpful).collect();
        let times: Vec<DateTime<Utc>> = batch.iter().map(|(_, r)| r.1).collect();
        sqlx::query!(
            "insert into messages (message_id, conversation_id, user_id, parent_id, sender_type, oc_id, content, model, user_rating,
                 was_helpful, created_at)
             select n.id, $1, $2, n.parent, case when n.is_user then 'user' else 'oc' end, case when n.is_user then null else $3::uuid end,
                 n.content, n.model, n.rating, n.helpful, n.at
             from unnest($4::uuid[], $5::uuid[], $6::bool[], $7::text[], $8::text[], $9::smallint[], $10::bool[], $11::timestamptz[])
                 n(id, parent, is_user, content, model, rating, helpful, at)",
            id.0,
            user.0,
            oc.0,
            &ids,
            &parents as &[Option<Uuid>],
            &is_user,
            &contents,
            &models,
            &ratings as &[Option<i16>],
            &helpful as &[Option<bool>],
            &times
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}
