//! Server functions of the chat room: the private contract of our own pages. Each works as a plain form, too.

#![expect(missing_docs, reason = "the functions document their own arguments")]

use super::{Answering, ConversationList, Delivered, Lines, Talk};
use crate::error::AppError;
use leptos::{prelude::*, server_fn::codec::GetUrl};

/// The chat page of a conversation: its newest lines, or those before, from or around a message.
#[server(prefix = "/fn", endpoint = "chat/get_talk", input = GetUrl)]
pub async fn get_talk(
    conversation_id: String,
    #[server(default)] before: String,
    #[server(default)] from: String,
    #[server(default)] at: String,
) -> Result<Talk, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        server::talk(&ctx, server::id(&conversation_id)?, server::at(&before, &from, &at)?).await
    })
    .await
}

/// Where a talk with a character goes on: its newest conversation, or a page on which nothing has been said yet.
#[server(prefix = "/fn", endpoint = "chat/get_talk_with", input = GetUrl)]
pub async fn get_talk_with(slug: String) -> Result<Talk, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        server::talk_with(&ctx, &slug).await
    })
    .await
}

/// The newest lines of a conversation, or those before a message, for a page that is open already.
#[server(prefix = "/fn", endpoint = "chat/get_lines", input = GetUrl)]
pub async fn get_lines(conversation_id: String, #[server(default)] before: String) -> Result<Lines, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let me = ctx.talker()?.id;
        let id = server::id(&conversation_id)?;
        let mut tx = ctx.begin().await?;
        let read = super::store::window(&mut tx, id, server::at(&before, "", "")?).await?;
        drop(tx);
        let mut lines = read.drawn().await;
        // Another tab may have chosen another model.
        if before.is_empty() {
            lines.model = Some(server::answering(&ctx, me, Some(id)).await);
        }
        Ok(lines)
    })
    .await
}

/// A page of the conversations.
#[server(prefix = "/fn", endpoint = "chat/list_conversations", input = GetUrl)]
pub async fn list_conversations(
    #[server(default)] archived: bool,
    #[server(default)] after: String,
) -> Result<ConversationList, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        server::list(&ctx, archived, &after).await
    })
    .await
}

/// Sends a message: into `conversation_id`, or without one to the character `oc_id`, who said the `opening`th of its first
/// lines (from 0).
#[server(prefix = "/fn", endpoint = "chat/send_message")]
pub async fn send_message(
    #[server(default)] oc_id: String,
    #[server(default)] conversation_id: String,
    #[server(default)] content: String,
    #[server(default)] key: String,
    #[server(default)] opening: u32,
) -> Result<Delivered, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        // The first line of a stranger makes them a guest.
        let to = if conversation_id.is_empty() { oc_id.as_str() } else { "" };
        let ctx = crate::accounts::guests::enter(ctx()?, to, &content).await?;
        let sent = server::send(&ctx, &oc_id, &conversation_id, &content, &key, opening).await?;
        if conversation_id.is_empty() || server::is_plain_form() {
            server::show(sent.conversation_id);
        }
        Ok(Delivered { lines: server::lines(&ctx, sent.conversation_id).await?, next_key: sent.next_key })
    })
    .await
}

/// Begins a new conversation with a character.
#[server(prefix = "/fn", endpoint = "chat/start_conversation")]
pub async fn start_conversation(oc_id: String) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let made = super::store::start(&ctx, server::id(&oc_id)?).await?;
        server::show(made);
        Ok(())
    })
    .await
}

/// Asks for another wording of a reply.
#[server(prefix = "/fn", endpoint = "chat/regenerate")]
pub async fn regenerate(message_id: String) -> Result<Lines, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        server::limit(&ctx).await?;
        let start = super::store::regenerate(&ctx, server::id(&message_id)?).await?;
        server::lines(&ctx, start.conversation_id).await
    })
    .await
}

/// Goes on with a reply that was cut, stopped or interrupted.
#[server(prefix = "/fn", endpoint = "chat/continue_reply")]
pub async fn continue_reply(message_id: String) -> Result<Lines, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        server::limit(&ctx).await?;
        let start = super::store::continue_reply(&ctx, server::id(&message_id)?).await?;
        server::lines(&ctx, start.conversation_id).await
    })
    .await
}

/// Writes a failed reply anew.
#[server(prefix = "/fn", endpoint = "chat/retry")]
pub async fn retry(message_id: String) -> Result<Lines, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        server::limit(&ctx).await?;
        let start = super::store::retry(&ctx, server::id(&message_id)?).await?;
        server::lines(&ctx, start.conversation_id).await
    })
    .await
}

/// Stops a reply; its words stay.
#[server(prefix = "/fn", endpoint = "chat/stop")]
pub async fn stop(run_id: String) -> Result<Lines, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let run = server::id(&run_id)?;
        let conversation = super::store::stop(&ctx, run).await?;
        ctx.app.runs.stop(run);
        server::settle(&ctx, run).await;
        server::lines(&ctx, conversation).await
    })
    .await
}

/// Deletes a message and everything that followed it.
#[server(prefix = "/fn", endpoint = "chat/delete_message")]
pub async fn delete_message(message_id: String) -> Result<Lines, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let (conversation, open) = super::store::delete_message(&ctx, server::id(&message_id)?).await?;
        open.into_iter().for_each(|run| ctx.app.runs.stop(run));
        ctx.app.runs.touch(conversation);
        server::lines(&ctx, conversation).await
    })
    .await
}

/// Shows the wording before (-1) or after (1) a reply.
#[server(prefix = "/fn", endpoint = "chat/show_sibling")]
pub async fn show_sibling(message_id: String, step: i32) -> Result<Lines, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let conversation = super::store::show_sibling(&ctx, server::id(&message_id)?, step).await?;
        ctx.app.runs.touch(conversation);
        server::lines(&ctx, conversation).await
    })
    .await
}

/// Gives a conversation a title; empty takes it away.
#[server(prefix = "/fn", endpoint = "chat/rename_conversation")]
pub async fn rename_conversation(conversation_id: String, #[server(default)] title: String) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let title = super::check_title(&title)?;
        let id = server::id(&conversation_id)?;
        super::store::rename(&ctx, id, &title).await?;
        ctx.app.runs.touch(id);
        Ok(())
    })
    .await
}

/// Chooses which model answers in a conversation; empty is the site's default.
#[server(prefix = "/fn", endpoint = "chat/choose_model")]
pub async fn choose_model(conversation_id: String, #[server(default)] model: String) -> Result<Answering, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let id = server::id(&conversation_id)?;
        crate::models::store::choose(&ctx, id, &model).await?;
        ctx.app.runs.touch(id);
        if server::is_plain_form() {
            server::show(id);
        }
        Ok(server::answering(&ctx, ctx.require()?.id, Some(id)).await)
    })
    .await
}

/// Puts a conversation away, or takes it out again.
#[server(prefix = "/fn", endpoint = "chat/archive_conversation")]
pub async fn archive_conversation(conversation_id: String, #[server(default)] archived: bool) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        super::store::archive(&ctx, server::id(&conversation_id)?, archived).await
    })
    .await
}

/// Deletes a conversation and everything said in it. From its own page it leads to the list; with `stay`, from a row of the list,
/// nowhere.
#[server(prefix = "/fn", endpoint = "chat/delete_conversation")]
pub async fn delete_conversation(conversation_id: String, #[server(default)] stay: bool) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let id = server::id(&conversation_id)?;
        for run in super::store::delete_conversation(&ctx, id).await? {
            ctx.app.runs.stop(run);
        }
        ctx.app.runs.touch(id);
        if !stay {
            leptos_axum::redirect("/conversations");
        }
        Ok(())
    })
    .await
}

/// What the functions above share.
#[cfg(feature = "ssr")]
pub(super) mod server {
    use crate::{
        accounts::{Role, guests},
        chat::{Answering, At, ConversationList, Lines, Sent, Talk, check_message, run, store},
        error::{AppError, AppResult},
        ids::{ConversationId, RunId, UserId},
        server::{Ctx, markdown},
    };
    use leptos::prelude::use_context;
    use std::str::FromStr;

    /// An id that cannot be read is one that does not exist.
    pub fn id<T: FromStr>(text: &str) -> AppResult<T> {
        text.trim().parse().map_err(|_| AppError::NotFound)
    }

    /// Which lines an address asks for.
    pub fn at(before: &str, from: &str, around: &str) -> AppResult<At> {
        Ok(match (before, from, around) {
            ("", "", "") => At::Newest,
            (before, "", "") => At::Before(id(before)?),
            (_, from, "") => At::From(id(from)?),
            (_, _, around) => At::Around(id(around)?),
        })
    }

    /// Whether a form was posted by a browser that runs no script.
    pub fn is_plain_form() -> bool {
        use_context::<axum::http::request::Parts>().is_some_and(|p| {
            p.headers.get("accept").and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"))
        })
    }

    /// Leads to a conversation.
    pub fn show(id: ConversationId) {
        leptos_axum::redirect(&format!("/chat/{id}"));
    }

    pub async fn limit(ctx: &Ctx) -> AppResult<()> {
        guests::take_line(ctx).await
    }

    /// The newest lines.
    pub async fn lines(ctx: &Ctx, conversation: ConversationId) -> AppResult<Lines> {
        let mut tx = ctx.begin().await?;
        let read = store::lines(&mut tx, conversation, None).await?;
        drop(tx);
        Ok(read.drawn().await)
    }

    /// Waits a moment for a run that was told to stop, so that the answer shows it stopped.
    pub async fn settle(ctx: &Ctx, run: RunId) {
        let Some(live) = ctx.app.runs.get(run) else { return };
        let mut changed = live.watch();
        let ended = async { while !live.has_ended() && changed.changed().await.is_ok() {} };
        let _ = tokio::time::timeout(std::time::Duration::from_millis(800), ended).await;
    }

    pub async fn send(
        ctx: &Ctx,
        oc: &str,
        conversation: &str,
        content: &str,
        key: &str,
        opening: u32,
    ) -> AppResult<Sent> {
        ctx.talker_write()?;
        let content = check_message(content)?;
        let key = match key.trim() {
            "" => store::new_key(),
            key if key.len() <= 200 => key.to_owned(),
            _ => return Err(AppError::invalid("key", "The key is too long.")),
        };
        guests::take_line_for(ctx, &content).await?;
        let to = if conversation.is_empty() {
            store::To::Character(id(oc)?, opening)
        } else {
            store::To::Conversation(id(conversation)?, None)
        };
        let (sent, _) = store::send(ctx, to, &content, &key).await?;
        Ok(sent)
    }

    /// Who answers in a conversation, or in a new one.
    pub async fn answering(ctx: &Ctx, me: UserId, conversation: Option<ConversationId>) -> Answering {
        named(match conversation {
            Some(id) => ctx.app.models.for_conversation(me, id).await,
            None => ctx.app.models.for_new_conversation().await,
        })
    }

    /// Who answers in a new conversation.
    async fn answering_anew(ctx: &Ctx) -> Answering {
        named(ctx.app.models.for_new_conversation().await)
    }

    fn named(order: AppResult<Vec<crate::models::registry::Candidate>>) -> Answering {
        let first = match order {
            Ok(order) => {
                let status = crate::models::status::of(&order);
                order.first().map(|c| Answering {
                    name: c.label(),
                    is_small: status.small,
                    download: status.download(),
                })
            }
            // What is wrong is said where an answer is wanted.
            Err(_) => None,
        };
        first.unwrap_or_else(|| Answering { name: "No model".to_owned(), ..Answering::default() })
    }

    pub async fn talk(ctx: &Ctx, conversation: ConversationId, at: At) -> AppResult<Talk> {
        let viewer = ctx.talker()?;
        let (me, manages_models) = (viewer.id, viewer.role == Role::Admin);
        let mut tx = ctx.begin().await?;
        let oc = store::conversation_of(&mut tx, conversation).await?;
        let (oc, _) = store::partner(&mut tx, oc).await?;
        let read = store::window(&mut tx, conversation, at).await?;
        // A guest takes the model that the site gives.
        let mut choices = crate::models::store::choices(ctx, &mut tx, me, Some(conversation)).await?;
        if viewer.is_guest {
            choices.options.clear();
        }
        drop(tx);
        let lines = read.drawn().await;
        // The model reads ahead while the person does.
        let is_busy = lines.lines.iter().any(|l| l.open_run().is_some());
        if lines.is_newest && !is_busy {
            run::warm(&ctx.app, me, oc.id, Some(conversation), lines.lines.last().map(|l| l.id));
        }
        let model = answering(ctx, me, Some(conversation)).await;
        Ok(Talk { model, manages_models, choices, lines: Some(lines), openings: Vec::new(), key: store::new_key(), oc })
    }

    pub async fn talk_with(ctx: &Ctx, slug: &str) -> AppResult<Talk> {
        let me = ctx.info.viewer.as_ref();
        let mut tx = ctx.begin().await?;
        let oc = store::partner_by_slug(&mut tx, slug).await?;
        let mut known_as = guests::NAME.to_owned();
        if let Some(me) = me {
            if let Some(conversation) = store::newest_with(&mut tx, me.id, oc).await? {
                drop(tx);
                return talk(ctx, conversation, At::Newest).await;
            }
            let persona = crate::personas::store::default_name(&mut tx, me.id).await?;
            known_as = persona.unwrap_or_else(|| me.display_name.clone());
        } else {
            // A stranger may look and begin, where guests may talk at all.
            guests::may_come(&mut tx).await?;
        }
        let (oc, persona) = store::partner(&mut tx, oc).await?;
        drop(tx);
        // Nothing is read ahead for somebody who may only be passing.
        if let Some(me) = me {
            run::warm(&ctx.app, me.id, oc.id, None, None);
        }
        let openings = store::openings(&persona, &known_as);
        let texts: Vec<&str> = openings.iter().map(String::as_str).collect();
        let openings = markdown::drawn_all(&texts).await;
        Ok(Talk {
            model: answering_anew(ctx).await,
            manages_models: me.is_some_and(|me| me.role == Role::Admin),
            choices: crate::models::Choices {
                status: crate::models::status::here(ctx, None).await?,
                ..crate::models::Choices::default()
            },
            lines: None,
            openings,
            key: store::new_key(),
            oc,
        })
    }

    pub async fn list(ctx: &Ctx, archived: bool, after: &str) -> AppResult<ConversationList> {
        let me = ctx.talker()?.id;
        let mut tx = ctx.begin().await?;
        let (cards, next) = store::conversations(&mut tx, me, archived, after).await?;
        let suggestions = if cards.is_empty() && after.is_empty() && !archived {
            store::suggestions(&mut tx).await?
        } else {
            Vec::new()
        };
        Ok(ConversationList { cards, next, suggestions })
    }
}
