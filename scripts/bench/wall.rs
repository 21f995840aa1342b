//! The same queries behind the wall and past it: as the role that serves people, with a person's identity, and as the role
//! that makes backups, which row level security does not hold.
#![expect(clippy::indexing_slicing, reason = "there are two roles")]

use crate::{Flags, Outcome, summary};
use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};
use std::time::Instant;

/// The gallery's first page and a conversation's newest window, as the site asks for them.
const QUERIES: [(&str, &str); 3] = [
    (
        "gallery",
        "select o.oc_id, o.name, o.slug, o.title, o.kind, o.greeting, coalesce(o.visual_style ->> 'mood', ''), o.version,
             o.is_public, p.username, o.interaction_count, coalesce(o.published_at, o.created_at)
         from ocs o left join profiles p on p.user_id = o.owner_id
         where (o.is_public or o.owner_id = $1) and $2::uuid is not null
         order by coalesce(o.published_at, o.created_at) desc, o.oc_id desc limit 25",
    ),
    (
        "conversation list",
        "select c.conversation_id, c.title, c.last_line, o.name, o.slug, o.version from conversations c join ocs o using (oc_id)
         where c.user_id = $1 and c.archived_at is null and $2::uuid is not null
         order by c.last_message_at desc, c.conversation_id desc limit 31",
    ),
    (
        "messages",
        "with recursive path as (
             select message_id, parent_id, 1 as depth from messages where conversation_id = $2
                 and message_id = (select active_leaf_id from conversations where conversation_id = $2 and user_id = $1)
             union all
             select m.message_id, m.parent_id, path.depth + 1 from messages m join path on m.message_id = path.parent_id
             where path.depth < 60
         )
         select m.message_id, m.parent_id, m.sender_type, m.content, m.created_at from path join messages m using (message_id)
         order by path.depth desc",
    ),
];

/// `wall --database URL --user UUID --conversation UUID [--rounds 20]`.
pub async fn measure(flags: &Flags) -> Outcome {
    let user: uuid::Uuid = flags.text("user").parse()?;
    let conversation: uuid::Uuid = flags.text("conversation").parse()?;
    let rounds = flags.number("rounds", 24)?;
    let mut figures = serde_json::Map::new();
    for (name, text) in QUERIES {
        let mut times: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
        let mut rows = [0, 0];
        for role in [0, 1] {
            // A connection each, so that each keeps the plan for its own role.
            rows[role] = round(flags, role, text, user, conversation, 20).await?.1;
        }
        for n in 0..rounds * 2 {
            let role = usize::try_from(n % 2)?;
            let (mut spent, _) = round(flags, role, text, user, conversation, 60).await?;
            times[role].append(&mut spent);
        }
        if rows[0] != rows[1] || rows[0] == 0 {
            return Err(format!("{name}: {} rows behind the wall, {} past it", rows[0], rows[1]).into());
        }
        let [with, without] = times.map(summary);
        let ratio = without["p50"].as_f64().unwrap_or_default() / with["p50"].as_f64().unwrap_or(1.0);
        figures.insert(name.to_owned(), json!({ "with": with, "without": without, "ratio": ratio, "rows": rows[0] }));
    }
    println!("{}", json!(figures));
    Ok(())
}

async fn round(
    flags: &Flags,
    role: usize,
    text: &'static str,
    user: uuid::Uuid,
    conversation: uuid::Uuid,
    times: usize,
) -> Outcome<(Vec<f64>, usize)> {
    let mut sql = PgConnection::connect(flags.text("database")).await?;
    sql.execute(if role == 0 { "set role sf_app" } else { "set role sf_backup" }).await?;
    let (mut spent, mut rows) = (Vec::new(), 0);
    for n in 0..times + 5 {
        let began = Instant::now();
        let mut tx = sql.begin().await?;
        // Both pay for the identity, so that the wall alone makes the difference.
        sqlx::query("select set_config('app.user_id', $1, true)").bind(user.to_string()).execute(&mut *tx).await?;
        rows = sqlx::query(text).bind(user).bind(conversation).fetch_all(&mut *tx).await?.len();
        tx.rollback().await?;
        // The first ones parse and plan.
        if n >= 5 {
            spent.push(began.elapsed().as_secs_f64() * 1000.0);
        }
    }
    sql.close().await?;
    Ok((spent, rows))
}
