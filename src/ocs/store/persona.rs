//! A character as a prompt sees it.

use crate::{
    error::{AppError, AppResult},
    ids::{OcId, UserId},
    ocs::{OcKind, Sheet},
};
use sqlx::PgConnection;

/// What a model must know to speak as a character: its sheet, and what goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persona {
    /// The character.
    pub id: OcId,
    /// Whose it is; `None` for the house's own.
    pub owner_id: Option<UserId>,
    /// What it is to people here.
    pub kind: OcKind,
    /// Its name in addresses.
    pub slug: String,
    /// Its fields. How it looks, its tags, notes for people and its introduction say nothing to a model and are left empty.
    pub sheet: Sheet,
    /// What it must never say.
    pub forbidden_phrases: Vec<String>,
    /// What it carries now, oldest first.
    pub items: Vec<PersonaItem>,
    /// Seen by everybody.
    pub is_public: bool,
    /// Counts the changes of its words; items come and go without it.
    pub version: i32,
}

/// A persona is read through its sheet: `persona.name`.
impl std::ops::Deref for Persona {
    type Target = Sheet;
    fn deref(&self) -> &Sheet {
        &self.sheet
    }
}

impl std::ops::DerefMut for Persona {
    fn deref_mut(&mut self) -> &mut Sheet {
        &mut self.sheet
    }
}

/// A thing that is carried, as a prompt sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonaItem {
    /// What it is called.
    pub name: String,
    /// How carrying it changes its carrier.
    pub personality_effects: String,
}

/// The character with this id, as far as the transaction's identity may see it.
///
/// # Errors
/// `NotFound`, also for somebody else's draft.
pub async fn persona(tx: &mut PgConnection, id: OcId) -> AppResult<Persona> {
    let row = sqlx::query!(
        r#"select oc_id, owner_id, kind, name, slug, title, description, personality, greeting, alternate_greetings, scenario,
               example_dialogue, system_prompt, post_history_instructions, nickname, voice_tone, forbidden_phrases, quick_start,
               content_rating, pronoun, age_band, is_public, version
           from ocs where oc_id = $1"#,
        id.0
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(AppError::NotFound)?;
    let items = sqlx::query_as!(
        PersonaItem,
        "select i.name, i.personality_effects from oc_items c join items i using (item_id)
         where c.oc_id = $1 and c.is_equipped order by c.received_at, i.item_id limit 12",
        id.0
    )
    .fetch_all(tx)
    .await?;
    let sheet = Sheet {
        name: row.name,
        title: row.title,
        pronoun: row.pronoun.parse().unwrap_or_default(),
        age_band: row.age_band.parse().unwrap_or_default(),
        description: row.description,
        personality: row.personality,
        greeting: row.greeting,
        alternate_greetings: row.alternate_greetings,
        scenario: row.scenario,
        example_dialogue: serde_json::from_value(row.example_dialogue).unwrap_or_default(),
        system_prompt: row.system_prompt,
        post_history_instructions: row.post_history_instructions,
        nickname: row.nickname,
        voice_tone: row.voice_tone,
        quick_start: row.quick_start,
        content_rating: row.content_rating.parse().unwrap_or_default(),
        ..Sheet::default()
    };
    Ok(Persona {
        id,
        owner_id: row.owner_id.map(UserId),
        kind: row.kind.parse().unwrap_or_default(),
        slug: row.slug,
        sheet,
        forbidden_phrases: row.forbidden_phrases,
        items,
        is_public: row.is_public,
        version: row.version,
    })
}
