//! All SQL of the accounts room.

mod access;
mod admin;
mod birth;
mod entry;
mod erase;
mod guests;
mod join;
mod people;
mod purpose;
mod recovery;
mod settings;
mod storage;

pub use access::*;
pub use admin::*;
pub use birth::*;
pub use entry::*;
pub use erase::finish as finish_leaving;
pub use erase::{Again, erase_again};
pub use guests::*;
pub use join::*;
pub use people::*;
pub use purpose::*;
pub use recovery::*;
pub use settings::*;
pub use storage::*;

use super::{Frame, Lately, Me};
use crate::{
    error::AppResult,
    ids::{ConversationId, OcId},
    server::Ctx,
};

/// What the frame of the page shows, in one query.
///
/// # Errors
/// When the database cannot be reached.
pub async fn frame(ctx: &Ctx) -> AppResult<Frame> {
    let mut frame = Frame { theme: ctx.info.theme, draft: ctx.info.draft.clone(), ..Frame::default() };
    let mut tx = ctx.begin().await?;
    let Some(viewer) = &ctx.info.viewer else {
        // Signed out, the chrome takes the featured character's colours.
        let featured =
            sqlx::query_scalar!("select oc_id from ocs where is_public and kind = 'luminor' order by oc_id limit 1");
        frame.accent = featured.fetch_optional(&mut *tx).await?.map(OcId);
        return Ok(frame);
    };
    if viewer.is_guest {
        frame.guest = Some(super::guests::lines_left(ctx, viewer.id).await?);
    } else {
        frame.own_keys = ctx.app.models.current().await?.settings.own_keys;
        frame.me = Some(Me {
            id: viewer.id,
            username: viewer.username.clone(),
            display_name: viewer.display_name.clone(),
            avatar_url: avatar_url(viewer.avatar_key.as_ref()),
            role: viewer.role,
        });
    }
    // Two chats with one character are told apart by their titles, else by the first words that the person said in them.
    let rows = sqlx::query!(
        r#"select c.conversation_id, c.oc_id, c.last_line, c.title, o.name, o.version,
               (select left(m.content, 60) from messages m
                where m.conversation_id = c.conversation_id and m.sender_type = 'user' order by m.message_id limit 1) as first_words
           from conversations c join ocs o using (oc_id)
           where c.user_id = $1 and c.archived_at is null
           order by c.last_message_at desc, c.conversation_id desc limit 3"#,
        viewer.id.0
    )
    .fetch_all(&mut *tx)
    .await?;
    frame.accent = rows.first().map(|r| OcId(r.oc_id));
    let with: Vec<uuid::Uuid> = rows.iter().map(|r| r.oc_id).collect();
    frame.lately = rows
        .into_iter()
        .map(|r| {
            let is_one_of_several = with.iter().filter(|oc| **oc == r.oc_id).count() > 1;
            let first_words = r.first_words.filter(|_| is_one_of_several);
            Lately {
                conversation_id: ConversationId(r.conversation_id),
                portrait_url: crate::ocs::portrait_url(OcId(r.oc_id), r.version),
                name: match first_words {
                    _ if !r.title.is_empty() => r.title,
                    Some(words) => format!("{}: {}", r.name, crate::server::markdown::plain(&words, 40)),
                    None => r.name,
                },
                last_line: r.last_line,
            }
        })
        .collect();
    Ok(frame)
}

/// Address of an avatar from its key in the file store.
fn avatar_url(key: Option<&String>) -> Option<String> {
    key.map(|k| format!("/avatars/{k}"))
}
