//! The card with help lines that stands in place of a reply.

use super::{
    change::{Locked, put_reply},
    runs::Start,
};
use crate::{
    error::AppResult,
    ids::MessageId,
    server::{Ctx, Tx},
    trust::{crisis, help},
};

/// The kind of a message that is such a card.
pub(super) const KIND: &str = "crisis";

/// Keeps the card as the answer to a line that tells of suicide or self-harm, and counts it; `None` for every other line, and where
/// the line has its card already. No model is asked, and no budget stands in its way.
pub(super) async fn instead(
    ctx: &Ctx,
    tx: &mut Tx,
    conversation: &Locked,
    parent: MessageId,
    key: Option<&str>,
) -> AppResult<Option<Start>> {
    let me = ctx.talker_write()?;
    let line = sqlx::query!(
        r#"select sender_type, content, exists (select from messages c where c.parent_id = m.message_id and c.kind = $2) as "has_card!"
           from messages m where message_id = $1"#,
        parent.0,
        KIND
    )
    .fetch_one(&mut **tx)
    .await?;
    if line.sender_type != "user" || line.has_card {
        return Ok(None);
    }
    let Some(language) = crisis::language_of(&line.content) else { return Ok(None) };
    let setting = sqlx::query_scalar!(r#"select app.count_crisis_card() as "setting!""#).fetch_one(&mut **tx).await?;
    let text = help::card(language, &help::Setting::read(setting), &me.timezone);
    let start = put_reply(tx, conversation, me.id, parent, Some(&text)).await?;
    // A run that is over: whoever follows the reply finds it whole.
    sqlx::query!(
        "insert into runs (run_id, user_id, conversation_id, message_id, idempotency_key, status, finish)
         values ($1, $2, $3, $4, $5, 'done', 'end')",
        start.run_id.0,
        me.id.0,
        conversation.id.0,
        start.message_id.0,
        key
    )
    .execute(&mut **tx)
    .await?;
    Ok(Some(start))
}
