//! Server functions about notes, summaries and receipts. Each form works without scripts, too.

#![expect(missing_docs, reason = "the macro makes a struct of each function's arguments")]

use super::{NotesForm, NotesView};
use crate::error::AppError;
use leptos::{prelude::*, server_fn::codec::GetUrl};

/// What the notes page of a conversation shows.
#[server(prefix = "/fn", endpoint = "chat/get_notes", input = GetUrl)]
pub async fn get_notes(conversation_id: String) -> Result<NotesView, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        server::notes(&ctx, server::id(&conversation_id)?).await
    })
    .await
}

/// Keeps instructions, author's note and persona of a conversation.
#[server(prefix = "/fn", endpoint = "chat/save_notes")]
pub async fn save_notes(conversation_id: String, #[server(default)] form: NotesForm) -> Result<(), AppError> {
    use super::{MYSELF, store};
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        ctx.require_write()?;
        let (id, clean) = (server::id(&conversation_id)?, form.check()?);
        let as_myself = form.persona == MYSELF;
        let persona = match form.persona.trim() {
            "" | MYSELF => None,
            persona => Some(server::id(persona)?),
        };
        store::save_notes(&ctx, id, &clean, persona, as_myself).await?;
        server::saved(id, "notes");
        Ok(())
    })
    .await
}

/// Keeps the summary and when there is one; with `act` = `anew`, has it written anew. Answers with a word for the person.
#[server(prefix = "/fn", endpoint = "chat/save_summary")]
pub async fn save_summary(
    conversation_id: String,
    #[server(default)] summary: String,
    #[server(default)] summary_mode: String,
    #[server(default)] act: String,
) -> Result<String, AppError> {
    use super::{SummaryMode, check_summary};
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        ctx.require_write()?;
        let id = server::id(&conversation_id)?;
        let mode = SummaryMode::parse(&summary_mode);
        if act == "anew" {
            server::renew(&ctx, id, Some(mode)).await?;
            server::saved(id, "anew");
            return Ok(super::view::ANEW.to_owned());
        }
        server::save_summary(&ctx, id, &check_summary(&summary)?, mode).await?;
        server::saved(id, "summary");
        Ok("Saved.".to_owned())
    })
    .await
}

/// The receipt of a reply as a part of a page, made by the server.
#[server(prefix = "/fn", endpoint = "chat/get_receipt", input = GetUrl)]
pub async fn get_receipt(conversation_id: String, run_id: String) -> Result<String, AppError> {
    use super::{page, store};
    use crate::{error::reply, ids::ConversationId, server::ctx};
    reply(async {
        let ctx = ctx()?;
        ctx.require()?;
        let conversation: ConversationId = server::id(&conversation_id)?;
        let mut tx = ctx.begin().await?;
        let row = store::receipt(&mut tx, server::id(&run_id)?).await?;
        if row.conversation_id != conversation {
            return Err(AppError::NotFound);
        }
        Ok(page::receipt(&row))
    })
    .await
}

#[cfg(feature = "ssr")]
pub(super) mod server {
    //! What stands behind the server functions and the plain routes.

    use super::super::{
        MYSELF, NotesView, SummaryMode,
        store::{self, NewSummary, SummaryRow},
        summary::{self, Place},
    };
    use crate::{
        error::{AppError, AppResult},
        ids::ConversationId,
        personas,
        server::{
            Ctx,
            limits::{self, Action},
        },
    };
    use leptos::prelude::use_context;
    use std::str::FromStr;

    /// An id that cannot be read is one that does not exist.
    pub fn id<T: FromStr>(text: &str) -> AppResult<T> {
        text.trim().parse().map_err(|_| AppError::NotFound)
    }

    /// A plain form comes back to the page with a word that it went well.
    pub fn saved(id: ConversationId, key: &str) {
        let is_plain = use_context::<axum::http::request::Parts>().is_some_and(|p| {
            p.headers.get("accept").and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"))
        });
        if is_plain {
            leptos_axum::redirect(&format!("/chat/{id}/notes?saved={key}"));
        }
    }

    pub async fn notes(ctx: &Ctx, id: ConversationId) -> AppResult<NotesView> {
        let me = ctx.require()?.id;
        let mut tx = ctx.begin().await?;
        let row = store::notes(&mut tx, id).await?;
        let summary = match row.leaf {
            Some(leaf) => store::summary_before(&mut tx, leaf).await?,
            None => None,
        };
        let personas = personas::store::list(&mut tx, me).await?;
        let is_busy = summary::is_busy(&mut tx, id).await?;
        drop(tx);
        let default = personas.iter().find(|p| p.is_default).map(|p| p.name.clone());
        let mut choices = vec![(
            String::new(),
            match &default {
                Some(name) => format!("My default, {name}"),
                None => "As in my profile".to_owned(),
            },
        )];
        if default.is_some() {
            choices.push((MYSELF.to_owned(), "As in my profile".to_owned()));
        }
        choices.extend(personas.into_iter().map(|p| (p.id.to_string(), p.name)));
        let persona = match (row.persona_id, row.as_myself && default.is_some()) {
            (_, true) => MYSELF.to_owned(),
            (Some(id), false) => id.to_string(),
            (None, false) => String::new(),
        };
        Ok(NotesView {
            oc_id: row.oc_id,
            oc_name: row.oc_name,
            instructions: row.instructions,
            note: row.note,
            note_depth: row.note_depth,
            note_hint: NOTE_HINT.to_owned(),
            persona,
            personas: choices,
            summary_hint: summary_hint(summary.as_ref(), row.summary_mode, is_busy),
            summary: summary.map(|s| s.content).unwrap_or_default(),
            summary_mode: row.summary_mode.as_str().to_owned(),
        })
    }

    const NOTE_HINT: &str =
        "Inserted near the latest messages, where it has most effect, for example: It has begun to rain.";

    fn covers(since: i64) -> String {
        match since {
            0 => "Covers the whole chat.".to_owned(),
            1 => "Covers everything but the latest message.".to_owned(),
            n => format!("Covers everything but the latest {n} messages."),
        }
    }

    fn summary_hint(summary: Option<&SummaryRow>, mode: SummaryMode, is_busy: bool) -> String {
        if is_busy {
            return "It is being written. Reload the page to see it.".to_owned();
        }
        let now = match summary {
            Some(s) if s.is_edited => {
                format!("Your words. Later messages are added to them. {}", covers(s.since))
            }
            Some(s) => format!("{} You can edit it.", covers(s.since)),
            None => "No summary yet. One is made when the chat outgrows the context.".to_owned(),
        };
        let off = if mode == SummaryMode::Off { " Summaries are off; it is not sent." } else { "" };
        format!("{now}{off}")
    }

    /// Keeps a person's wording, if it is another one, and the mode.
    pub async fn save_summary(ctx: &Ctx, id: ConversationId, text: &str, mode: SummaryMode) -> AppResult<()> {
        let me = ctx.require_write()?.id;
        let mut tx = ctx.begin().await?;
        store::set_mode(&mut tx, id, mode).await?;
        let Some(leaf) = store::notes(&mut tx, id).await?.leaf else {
            return if text.is_empty() { tx.commit().await } else { Err(nothing_said()) };
        };
        let before = store::summary_before(&mut tx, leaf).await?;
        if text.is_empty() {
            store::forget_summaries(&mut tx, id).await?;
        } else if before.as_ref().is_none_or(|b| b.content != text) {
            // Without one before, what the person writes covers everything that was said.
            let covers = before.map_or(leaf, |b| b.covers);
            let new = NewSummary { content: text.to_owned(), is_edited: true, model: String::new(), tokens: None };
            store::add_summary(&mut tx, me, id, covers, &new).await?;
        }
        tx.commit().await
    }

    fn nothing_said() -> AppError {
        AppError::conflict("summary", "Nothing has been said here yet.")
    }

    /// Forgets the summary and has another written. Returns at once.
    pub async fn renew(ctx: &Ctx, id: ConversationId, mode: Option<SummaryMode>) -> AppResult<()> {
        let me = ctx.require_write()?.id;
        // It costs what messages cost.
        limits::take(&ctx.app, Action::Message, &me.to_string()).await?;
        let mut tx = ctx.begin().await?;
        if let Some(mode) = mode {
            store::set_mode(&mut tx, id, mode).await?;
        }
        let row = store::notes(&mut tx, id).await?;
        let leaf = row.leaf.ok_or_else(nothing_said)?;
        if row.summary_mode == SummaryMode::Off {
            return Err(AppError::conflict("summary_mode", "Switch the summary on first."));
        }
        let place = Place { user: me, conversation: id, oc: row.oc_id, leaf };
        let Some(queued) = summary::begin_anew(&mut tx, place).await? else {
            return Err(AppError::conflict("", "It is being written at this moment."));
        };
        store::forget_summaries(&mut tx, id).await?;
        tx.commit().await?;
        ctx.app.jobs.ring(queued);
        Ok(())
    }
}
