//! One part of a draft again: its name, its face, its colours, or any of its texts.

use super::{
    Arrived,
    ask::Asked,
    face, store,
    write::{Halt, Writer},
};
use crate::{
    ai::chain,
    error::{AppError, AppResult},
    ids::{JobId, OcId},
    models::meter::{self, Ending, Purpose},
    ocs::{
        self,
        store::{Made, offer_name},
    },
    server::{
        Ctx,
        limits::{self, Action},
    },
};
use serde_json::Value;

/// What can be redrawn, as forms name it.
pub const PARTS: &[&str] = &[
    "name",
    "appearance_tags",
    "visual_style",
    "title",
    "description",
    "personality",
    "voice_tone",
    "scenario",
    "greeting",
    "example_dialogue",
    "introduction",
];

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redrawn {
    /// The draft as it is now.
    pub made: Made,
    /// The summon that it came from, if it was summoned.
    pub job: Option<JobId>,
}

/// Draws a part of a draft anew. What it was is kept as a version.
///
/// # Errors
/// `NotFound` for somebody else's character, `Conflict` for a public one, `Invalid` for what cannot be redrawn, `TooMany`,
/// `Unavailable` when the model wrote nothing that fits.
pub async fn redraw(ctx: &Ctx, id: OcId, part: &str) -> AppResult<Redrawn> {
    let me = ctx.require_write()?.id;
    limits::take(&ctx.app, Action::Redraw, &me.to_string()).await?;
    let mut tx = ctx.begin().await?;
    let oc = ocs::store::find(&mut tx, id).await?;
    let part = PARTS.iter().copied().find(|known| *known == part);
    let part = part.ok_or_else(|| AppError::invalid("part", "This cannot be redrawn."))?;
    if !oc.owner.is_empty() && ctx.require()?.username != oc.owner {
        return Err(AppError::NotFound);
    }
    if oc.is_public {
        return Err(AppError::conflict("", "Only drafts can be redrawn. Edit the character, or unpublish it first."));
    }
    let from = store::sentence_of(&mut tx, id).await?;
    drop(tx);
    let seed = format!("{id}-{}", oc.version);
    let mut sheet = oc.sheet.clone();
    let job = from.as_ref().map(|(job, ..)| *job);
    match part {
        "appearance_tags" => {
            let tags = face::another(&seed, &sheet.visual_style, &sheet.appearance_tags, sheet.pronoun, sheet.age_band);
            sheet.appearance_tags = tags;
        }
        "visual_style" => sheet.visual_style = sheet.visual_style.recoloured(&seed),
        field => {
            let (sentence, wishes) = match from {
                Some((_, sentence, wishes)) => (sentence, wishes),
                None => (sheet.description.chars().take(super::SENTENCE_MAX).collect(), store::Wishes::default()),
            };
            let asked = Asked { sentence, mood: wishes.mood.parse().ok(), setting: wishes.setting, seed };
            let value = written(ctx, id, asked, Arrived::whole(sheet.clone(), Vec::new(), Vec::new()), field).await?;
            sheet.set(field, value)?;
        }
    }
    let mut tx = ctx.begin().await?;
    if part == "name" {
        sheet.name = offer_name(&mut tx, &sheet.name).await?;
    }
    // Whoever edits at the same time is not written over.
    let made = ocs::store::update(&mut tx, me, id, &sheet, Some(oc.version)).await?;
    tx.commit().await?;
    Ok(Redrawn { made, job })
}

/// Corrects how a draft is spoken of.
///
/// # Errors
/// `NotFound` for somebody else's character, `Invalid` for an unknown word, `TooMany`.
pub async fn set_pronoun(ctx: &Ctx, id: OcId, pronoun: &str) -> AppResult<Redrawn> {
    let me = ctx.require_write()?.id;
    limits::take(&ctx.app, Action::EditOc, &me.to_string()).await?;
    let mut tx = ctx.begin().await?;
    let oc = ocs::store::find(&mut tx, id).await?;
    let pronoun = pronoun.parse().map_err(|m: String| AppError::invalid("pronoun", m))?;
    let job = store::sentence_of(&mut tx, id).await?.map(|(job, ..)| job);
    let sheet = ocs::Sheet { pronoun, ..oc.sheet.clone() };
    let made = ocs::store::update(&mut tx, me, id, &sheet, Some(oc.version)).await?;
    tx.commit().await?;
    Ok(Redrawn { made, job })
}

/// Has the model write one field, and writes down what it took.
async fn written(ctx: &Ctx, id: OcId, asked: Asked, arrived: Arrived, field: &str) -> AppResult<Value> {
    let app = &ctx.app;
    let me = ctx.require_write()?.id;
    let order = app.models.for_summon().await?;
    let first = order.first().ok_or(AppError::Internal)?;
    let ticket = meter::begin(app, me, Purpose::Summon, Some(id.0), first, meter::REDRAW_TOKENS, 0).await?;
    let (model, tally) = meter::counting(chain(order.iter().map(|c| c.model.clone()).collect()));
    let cancel = app.shutdown.child_token();
    // A name that the sentence gives is kept in a summon; whoever redraws it wants another one.
    let mut writer = Writer::new(model, cancel, asked);
    if field == "name" {
        writer.forget_name(&arrived.sheet.name);
    }
    let result = writer.another(&arrived, field).await;
    let ending = if result.is_ok() { Ending::Done } else { Ending::Failed };
    ticket.settle_tally(app, ending, &tally).await;
    result.map_err(|halt| match halt {
        Halt::Failed(message) => AppError::unavailable(message),
        Halt::Stopped | Halt::Shutdown => {
            AppError::unavailable("The server is restarting. Please try again in a moment.")
        }
    })
}

/// The fields of a draft page's menu: what forms name them, and what people read.
#[must_use]
pub fn menu() -> Vec<(&'static str, &'static str)> {
    PARTS.iter().map(|part| (*part, super::label(part))).collect()
}
