//! A character that becomes a file.

use super::{
    read,
    sheet::{self, Beside},
    store, write,
};
use crate::{
    error::{AppError, AppResult},
    ids::OcId,
    ocs::{self, Oc, plates},
    server::{
        Ctx,
        limits::{self, Action},
    },
};
use bytes::Bytes;
use serde_json::json;

/// In what a character is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Its picture with the card in it, as V2 and V3.
    #[default]
    Png,
    /// Character Card V3.
    Json,
    /// Character Card V2.
    JsonV2,
    /// An archive with card and picture.
    Charx,
}

impl Format {
    /// The format of this name.
    ///
    /// # Errors
    /// `Invalid` on `format`.
    pub fn named(name: &str) -> AppResult<Self> {
        match name {
            "" | "png" => Ok(Self::Png),
            "json" => Ok(Self::Json),
            "json-v2" => Ok(Self::JsonV2),
            "charx" => Ok(Self::Charx),
            _ => Err(AppError::invalid("format", "Choose one of: png, json, json-v2, charx.")),
        }
    }
}

/// A file to keep.
#[derive(Clone, Debug)]
pub struct File {
    /// What to call it: ASCII letters, digits and hyphens, with an ending.
    pub name: String,
    /// Its media type.
    pub kind: &'static str,
    /// Its bytes.
    pub bytes: Bytes,
}

/// Writes a character as a file. Its owner gets everything; others get what its page and the API show them.
///
/// # Errors
/// `NotFound`, also for somebody else's draft; `Invalid` on `format`; `TooMany`.
pub async fn export(ctx: &Ctx, id: OcId, format: &str) -> AppResult<File> {
    let mut tx = ctx.begin().await?;
    let oc = ocs::store::find(&mut tx, id).await?;
    let kept = store::find(&mut tx, id).await?;
    drop(tx);
    let format = Format::named(format)?;
    match ctx.user_id() {
        Some(user) => limits::take(&ctx.app, Action::Export, &user.to_string()).await?,
        None => limits::take_address(&ctx.app, Action::Export, &ctx.info).await?,
    }
    let shape = shape(&oc, kept);
    let picture = match format {
        Format::Png | Format::Charx => plates::png(ctx, id).await?,
        Format::Json | Format::JsonV2 => Bytes::new(),
    };
    let (bytes, kind, end) = match format {
        Format::Png => (write::png(&picture, &shape)?, "image/png", "png"),
        Format::Charx => (write::charx(&picture, &shape)?, "application/zip", "charx"),
        Format::Json => (write::readable(&write::v3(&shape)).into_bytes(), "application/json", "json"),
        Format::JsonV2 => (write::readable(&write::v2(&shape)).into_bytes(), "application/json", "v2.json"),
    };
    Ok(File { name: format!("{}.{end}", ocs::store::slug_of(&oc.name)), kind, bytes: bytes.into() })
}

/// A character as a card, over the one that it came from.
fn shape(oc: &Oc, kept: Option<store::Kept>) -> read::Shape {
    let from = kept.and_then(|kept| {
        let shape =
            read::reread(&kept.data).inspect_err(|why| tracing::error!(%why, "a kept card is not read")).ok()?;
        let mut was = sheet::to_sheet(&shape, &kept.name).sheet;
        was.name = kept.name;
        let was = was.check().unwrap_or(was);
        Some((shape, was))
    });
    let items = oc.items.iter().map(|item| {
        json!({"name": item.name, "description": item.description, "personality_effects": item.personality_effects,
               "rarity": item.rarity.as_str(), "is_equipped": item.is_equipped})
    });
    let made = chrono::DateTime::parse_from_rfc3339(&oc.created_at.iso).map(|at| at.timestamp());
    let beside = Beside { creator: oc.owner.clone(), created_at: made.unwrap_or(0), items: items.collect() };
    sheet::to_shape(&oc.sheet, from, &beside)
}
