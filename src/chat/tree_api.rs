//! Server functions for the tree of a conversation: change words, branch off, rate, have one's own line written.

#![expect(missing_docs, reason = "the functions document their own arguments")]

use super::Lines;
use crate::error::AppError;
use leptos::prelude::*;

/// Changes the words of a line: in place, or with `how` = `beside` as another wording that is shown from now on. A
/// person's own other wording is sent, and answered. `before`: the window that the line was changed in.
#[server(prefix = "/fn", endpoint = "chat/edit_message")]
pub async fn edit_message(
    message_id: String,
    #[server(default)] text: String,
    #[server(default)] how: String,
    #[server(default)] before: String,
) -> Result<Lines, AppError> {
    use super::{api::server, store};
    use crate::{error::reply, ids::MessageId, server::ctx};
    reply(async {
        let ctx = ctx()?;
        server::limit(&ctx).await?;
        let id: MessageId = server::id(&message_id)?;
        if how == "beside" {
            let (conversation, shown, _) = store::edit_as_wording(&ctx, id, "text", &text).await?;
            ctx.app.runs.touch(conversation);
            if server::is_plain_form() {
                leptos_axum::redirect(&format!("/chat/{conversation}#m-{shown}"));
            }
            return server::lines(&ctx, conversation).await;
        }
        let conversation = store::edit_in_place(&ctx, id, "text", &text).await?;
        ctx.app.runs.touch(conversation);
        let before: Option<MessageId> = if before.is_empty() { None } else { Some(server::id(&before)?) };
        if server::is_plain_form() {
            let window = before.map(|b| format!("?before={b}")).unwrap_or_default();
            leptos_axum::redirect(&format!("/chat/{conversation}{window}#m-{id}"));
        }
        let mut tx = ctx.begin().await?;
        let read = store::lines(&mut tx, conversation, before).await?;
        drop(tx);
        Ok(read.drawn().await)
    })
    .await
}

/// Shows the branch that a line is on, and leads to the line; gives its address.
#[server(prefix = "/fn", endpoint = "chat/show_branch")]
pub async fn show_branch(message_id: String) -> Result<String, AppError> {
    use super::{api::server, store};
    use crate::{error::reply, ids::MessageId, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let id: MessageId = server::id(&message_id)?;
        let conversation = store::show_message(&ctx, id).await?;
        ctx.app.runs.touch(conversation);
        let address = format!("/chat/{conversation}?at={id}#m-{id}");
        if server::is_plain_form() {
            leptos_axum::redirect(&address);
        }
        Ok(address)
    })
    .await
}

/// Begins a new conversation with what was said up to a message, and leads there.
#[server(prefix = "/fn", endpoint = "chat/branch_conversation")]
pub async fn branch_conversation(message_id: String) -> Result<(), AppError> {
    use super::{api::server, store};
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        server::limit(&ctx).await?;
        server::show(store::branch(&ctx, server::id(&message_id)?).await?);
        Ok(())
    })
    .await
}

/// Keeps what a person thinks of a reply: `rating` 1 to 5, `helpful` `yes` or `no`. An empty one stays as it is, `0` and
/// `unsaid` take it back.
#[server(prefix = "/fn", endpoint = "chat/rate_reply")]
pub async fn rate_reply(
    message_id: String,
    #[server(default)] rating: String,
    #[server(default)] helpful: String,
) -> Result<Lines, AppError> {
    use super::{api::server, store};
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        ctx.talker_write()?;
        let rating = match rating.trim() {
            "" => None,
            "0" => Some(None),
            other => {
                Some(Some(other.parse().map_err(|_| AppError::invalid("rating", "A rating is a number from 1 to 5."))?))
            }
        };
        let helpful = match helpful.trim() {
            "" => None,
            "yes" => Some(Some(true)),
            "no" => Some(Some(false)),
            _ => Some(None),
        };
        let conversation = store::rate(&ctx, server::id(&message_id)?, store::Opinion { rating, helpful }).await?;
        ctx.app.runs.touch(conversation);
        server::lines(&ctx, conversation).await
    })
    .await
}

/// Has the model write the person's next line, from the words typed already. Nothing is kept: without scripts it comes
/// back in the box.
#[server(prefix = "/fn", endpoint = "chat/draft_line")]
pub async fn draft_line(
    #[server(default)] oc_id: String,
    #[server(default)] conversation_id: String,
    #[server(default)] content: String,
    #[server(default)] opening: u32,
) -> Result<String, AppError> {
    use super::{api::server, impersonate};
    use crate::{
        accounts::guests,
        error::reply,
        server::{ctx, drafts},
    };
    reply(async {
        let mut ctx = ctx()?;
        let talk = if conversation_id.is_empty() {
            let oc = server::id(&oc_id)?;
            let cookie;
            (ctx, cookie) = impersonate::enter(ctx, oc, "content", &content).await?;
            guests::keep_cookie(cookie);
            impersonate::Talk::Beginning(oc, opening)
        } else {
            impersonate::Talk::Conversation(server::id(&conversation_id)?, None)
        };
        let draft = impersonate::ask(&ctx, talk, "content", &content).await?;
        let page = draft.page.clone();
        let line = draft.whole().await?;
        if server::is_plain_form() {
            let fields = std::collections::BTreeMap::from([("content".to_owned(), line.clone())]);
            let kept = drafts::keep_for(&ctx, &page, &fields).await?;
            let separator = if page.contains('?') { '&' } else { '?' };
            leptos_axum::redirect(&format!("{page}{separator}__draft={kept}"));
        }
        Ok(line)
    })
    .await
}
