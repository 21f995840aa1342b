//! A file that becomes a character.

use super::{
    Fate, Note, Refused, Report, colours,
    read::Card,
    sheet::{self, EXTENSION, Mapped},
    store::{self, Kept},
};
use crate::{
    error::{AppError, AppResult},
    ids::{OcId, UserId},
    ocs::{self, ItemForm, Rarity, Sheet, plates},
    server::{
        Ctx, Tx,
        files::sweep::PLATES,
        images::{self, Picture},
        limits::{self, Action},
        quota,
    },
};
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::Semaphore;

/// Reading a file holds much memory, so few at a time.
static READERS: Semaphore = Semaphore::const_new(2);

/// A character that came out of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The character.
    pub id: OcId,
    /// Its name in addresses.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// What became of each part of the card.
    pub report: Report,
}

impl From<Refused> for AppError {
    fn from(refused: Refused) -> Self {
        Self::invalid("file", refused.to_string())
    }
}

/// Makes a draft of a file.
///
/// # Errors
/// `Invalid` on `file` for what is no card, or holds what is not allowed here; `TooMany`, `TooLarge` as other uploads.
pub async fn import(ctx: &Ctx, file: &str, bytes: Bytes) -> AppResult<Imported> {
    let me = ctx.require_write()?.id;
    limits::take(&ctx.app, Action::Import, &me.to_string()).await?;
    let card = read(bytes).await?;
    let Mapped { mut sheet, has_style, mut notes } = sheet::to_sheet(&card.shape, &stem(file));
    notes.splice(0..0, card.notes.iter().chain(&card.shape.notes).cloned());
    let picture = face(&card, &mut notes).await;
    if let Some((_, small)) = picture.as_ref().filter(|_| !has_style)
        && let Some(style) = colours::of_picture(small, &sheet.visual_style)
    {
        sheet.visual_style = style;
        notes.push(Note::new(Fate::Mapped, "picture", "The colours of the page are drawn from it."));
    }
    let sheet = sheet.check().map_err(|error| AppError::invalid("file", error.to_string()))?;
    let mut tx = ctx.begin().await?;
    let (made, name) = named(&mut tx, me, sheet, &mut notes).await?;
    items(&mut tx, me, made.id, &card, &mut notes).await?;
    store::keep(&mut tx, me, made.id, &Kept { name: name.clone(), data: card.original.clone() }).await?;
    if let Some((picture, _)) = picture {
        keep_face(ctx, &mut tx, me, made.id, picture).await?;
    }
    tx.commit().await?;
    let report = Report::new(card.shape.spec, card.carrier, notes);
    Ok(Imported { id: made.id, slug: made.slug, name, report })
}

async fn read(bytes: Bytes) -> AppResult<Card> {
    let _permit = READERS.acquire().await.map_err(|_| AppError::Internal)?;
    let read = tokio::task::spawn_blocking(move || super::read::read(&bytes)).await.map_err(|error| {
        tracing::error!(%error, "reading a card panicked");
        AppError::invalid("file", "This file cannot be read.")
    })?;
    Ok(read?)
}

/// The name of a file without its ending and folders.
fn stem(file: &str) -> String {
    let name = file.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    name.replace('_', " ")
}

/// The picture of a card as a portrait. One that cannot be used is no reason to refuse the character.
async fn face(card: &Card, notes: &mut Vec<Note>) -> Option<(Picture, image::RgbImage)> {
    let bytes = card.picture.clone()?;
    match images::carrier(bytes.into(), plates::PLATE.0, plates::PLATE.1).await {
        Ok(face) => {
            notes.push(Note::new(Fate::Kept, "picture", "Portrait"));
            Some(face)
        }
        Err(error) => {
            notes.push(Note::new(Fate::Refused, "picture", format!("{error} A portrait was drawn.")));
            None
        }
    }
}

/// Makes the character, under another name if its own is taken.
async fn named(tx: &mut Tx, me: UserId, sheet: Sheet, notes: &mut Vec<Note>) -> AppResult<(ocs::store::Made, String)> {
    match ocs::store::create(tx, me, &sheet).await {
        Err(AppError::Conflict { .. }) => {
            let name = ocs::store::offer_name(tx, &sheet.name).await?;
            let words = format!("You have a character called {} already, so this one is called {name}.", sheet.name);
            notes.push(Note::new(Fate::Mapped, "name", words));
            let sheet = Sheet { name: name.clone(), ..sheet };
            Ok((ocs::store::create(tx, me, &sheet).await?, name))
        }
        made => {
            notes.push(Note::new(Fate::Kept, "name", ""));
            Ok((made?, sheet.name))
        }
    }
}

/// What the character carries, as our own export wrote it.
async fn items(tx: &mut Tx, me: UserId, id: OcId, card: &Card, notes: &mut Vec<Note>) -> AppResult<()> {
    let own = card.shape.extension(EXTENSION).and_then(|e| e.get("items")).and_then(Value::as_array);
    for item in own.into_iter().flatten().take(ocs::form::MAX_ITEMS) {
        let text = |field: &str| item.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let rarity = text("rarity").parse::<Rarity>().unwrap_or_default().as_str().to_owned();
        let form = ItemForm {
            name: text("name"),
            description: text("description"),
            effects: text("personality_effects"),
            rarity,
        };
        if let Err(why) = form.check() {
            notes.push(Note::new(Fate::Refused, "items", why.to_string()));
            continue;
        }
        let made = ocs::store::add_item(tx, me, id, &form).await?;
        if item.get("is_equipped") == Some(&Value::Bool(false)) {
            ocs::store::equip_item(tx, id, made, false).await?;
        }
    }
    Ok(())
}

async fn keep_face(ctx: &Ctx, tx: &mut Tx, me: UserId, id: OcId, picture: Picture) -> AppResult<()> {
    let key = format!("{}.{}", uuid::Uuid::new_v4().simple(), picture.extension);
    let file = format!("{PLATES}/{key}");
    quota::keep_file(tx, &ctx.app.files, me, "plate", &file, picture.bytes).await?;
    store::set_face(tx, id, &key).await
}
