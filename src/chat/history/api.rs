//! Server functions of looking back.

#![expect(missing_docs, reason = "the functions document their own arguments")]

use super::{Found, Partner};
use crate::error::AppError;
use leptos::{prelude::*, server_fn::codec::GetUrl};

/// Messages that hold every word of `q`, or where none does, of the nearest words that were said: one's own, or those of one
/// conversation.
#[server(prefix = "/fn", endpoint = "chat/search_messages", input = GetUrl)]
pub async fn search_messages(
    #[server(default)] q: String,
    #[server(default)] conversation_id: String,
    #[server(default)] after: String,
) -> Result<Found, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async { super::search::find_or_nearest(&ctx()?, &q, &conversation_id, &after).await }).await
}

/// Characters that a chat can be brought to: those one talks with or has made, and the house's.
#[server(prefix = "/fn", endpoint = "chat/import_partners", input = GetUrl)]
pub async fn import_partners(#[server(default)] with: String) -> Result<Vec<Partner>, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let me = ctx.require()?.id;
        let mut tx = ctx.begin().await?;
        super::store::partners(&mut tx, me, &with).await
    })
    .await
}
