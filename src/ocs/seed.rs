//! The first characters: three Luminors and four companions, so that a new person can talk at once.
//!
//! Each is a file in `seed/`. A character is made once in the life of a database: if an admin deletes it, it stays deleted.

use super::{
    AgeBand, ExampleLine, Pronoun, Sheet,
    store::{Persona, PersonaItem},
    style::VisualStyle,
};
use crate::ids::OcId;
use serde::Deserialize;
use sqlx::{Acquire, PgConnection};
use uuid::Uuid;

const FILES: [&str; 7] = [
    include_str!("seed/lumina.toml"),
    include_str!("seed/harmonix.toml"),
    include_str!("seed/kinetix.toml"),
    include_str!("seed/eliza.toml"),
    include_str!("seed/lyra.toml"),
    include_str!("seed/thorne.toml"),
    include_str!("seed/elara.toml"),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seed {
    id: Uuid,
    kind: String,
    attribute_focus: Option<String>,
    name: String,
    title: String,
    pronoun: Pronoun,
    #[serde(default)]
    age_band: AgeBand,
    specialty: String,
    /// How long before the first start it is said to have woken, so that the gallery has an order.
    minutes_ago: i32,
    description: String,
    personality: String,
    greeting: String,
    alternate_greetings: Vec<String>,
    scenario: String,
    voice_tone: String,
    visual_style: VisualStyle,
    appearance: Vec<String>,
    tags: Vec<String>,
    expertise: Vec<String>,
    #[serde(default)]
    ai_tools: Vec<String>,
    quick_start: Vec<String>,
    post: Post,
    examples: Vec<ExampleLine>,
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Post {
    title: String,
    content: String,
}

#[derive(Deserialize)]
struct Item {
    id: Uuid,
    name: String,
    description: String,
    effects: String,
    rarity: String,
}

/// How one of them looks.
pub struct SeedFace {
    /// Its id, which decides what the rest leaves open.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its colours.
    pub style: VisualStyle,
    /// Words that the drawing takes up.
    pub appearance: Vec<String>,
}

/// How they look, in their order.
///
/// # Errors
/// When a file cannot be read as a character.
pub fn faces() -> Result<Vec<SeedFace>, toml::de::Error> {
    let face = |file: &&str| {
        let Seed { id, name, visual_style, appearance, .. } = toml::from_str(file)?;
        Ok(SeedFace { id: id.to_string(), name, style: visual_style, appearance })
    };
    FILES.iter().map(face).collect()
}

/// Makes those that were never made. Runs as the owner of the database.
///
/// # Errors
/// When the database refuses.
pub async fn run(owner: &mut PgConnection) -> Result<(), sqlx::Error> {
    for file in FILES {
        let seed: Seed = toml::from_str(file).map_err(|e| sqlx::Error::Decode(Box::new(e)))?;
        let mut tx = owner.begin().await?;
        add(&mut tx, seed).await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn add(tx: &mut PgConnection, seed: Seed) -> Result<(), sqlx::Error> {
    // The insert is the lock: of two processes that start together, one makes the character.
    let first = sqlx::query!("insert into seeded_ocs (oc_id) values ($1) on conflict do nothing", seed.id)
        .execute(&mut *tx)
        .await?;
    if first.rows_affected() == 0 {
        return Ok(());
    }
    let made = sqlx::query!(
        "insert into ocs (oc_id, kind, name, slug, title, specialty, description, personality, greeting, alternate_greetings,
             scenario, example_dialogue, visual_style, appearance_tags, expertise, ai_tools, tags, attribute_focus, voice_tone,
             quick_start, is_public, published_at, created_at, pronoun, age_band)
         values ($1, $2, $3, lower($3), $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, true,
             now() - make_interval(mins => $20), now() - make_interval(mins => $20), $21, $22)
         on conflict do nothing",
        seed.id,
        seed.kind,
        seed.name,
        seed.title,
        seed.specialty,
        seed.description,
        seed.personality,
        seed.greeting,
        &seed.alternate_greetings,
        seed.scenario,
        serde_json::to_value(&seed.examples).map_err(|e| sqlx::Error::Encode(Box::new(e)))?,
        seed.visual_style.to_json(),
        &seed.appearance,
        &seed.expertise,
        &seed.ai_tools,
        &seed.tags,
        seed.attribute_focus,
        seed.voice_tone,
        &seed.quick_start,
        seed.minutes_ago,
        seed.pronoun.as_str(),
        seed.age_band.as_str(),
    )
    .execute(&mut *tx)
    .await?;
    if made.rows_affected() == 0 {
        tracing::warn!(name = seed.name, "a character of the house was not made: somebody has its name");
        return Ok(());
    }
    for item in &seed.items {
        sqlx::query!(
            "insert into items (item_id, name, description, personality_effects, rarity) values ($1, $2, $3, $4, $5)",
            item.id,
            item.name,
            item.description,
            item.effects,
            item.rarity
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!("insert into oc_items (oc_id, item_id) values ($1, $2)", seed.id, item.id)
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query!(
        "insert into forum_posts (oc_id, title, content, created_at, updated_at)
         values ($1, $2, $3, now() - make_interval(mins => $4), now() - make_interval(mins => $4))",
        seed.id,
        seed.post.title,
        seed.post.content,
        seed.minutes_ago
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "insert into world_events (event_type, description, oc_id, created_at)
         values ('oc_summoned', $1, $2, now() - make_interval(mins => $3))",
        format!("{}, {}, woke up.", seed.name, seed.title),
        seed.id,
        seed.minutes_ago
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The characters of the house as prompts see them, without a database.
///
/// # Errors
/// When a file cannot be read as what it should be.
pub fn house() -> Result<Vec<Persona>, toml::de::Error> {
    FILES.iter().map(|file| toml::from_str::<Seed>(file).map(Persona::from)).collect()
}

impl From<Seed> for Persona {
    fn from(seed: Seed) -> Self {
        let sheet = Sheet {
            name: seed.name.clone(),
            title: seed.title,
            pronoun: seed.pronoun,
            age_band: seed.age_band,
            description: seed.description,
            personality: seed.personality,
            greeting: seed.greeting,
            alternate_greetings: seed.alternate_greetings,
            scenario: seed.scenario,
            example_dialogue: seed.examples,
            voice_tone: seed.voice_tone,
            quick_start: seed.quick_start,
            ..Sheet::default()
        };
        let items = seed.items.into_iter().map(|i| PersonaItem { name: i.name, personality_effects: i.effects });
        Self {
            id: OcId(seed.id),
            owner_id: None,
            kind: seed.kind.parse().unwrap_or_default(),
            slug: seed.name.to_lowercase(),
            sheet,
            forbidden_phrases: Vec::new(),
            items: items.collect(),
            is_public: true,
            version: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocs::{ItemForm, spoken_line};

    #[test]
    fn every_seed_can_be_read_and_speaks() {
        for file in FILES {
            let seed: Seed = toml::from_str(file).unwrap();
            assert!(
                seed.personality.split_whitespace().count() <= 60,
                "{}: the prompt of a small model is short",
                seed.name
            );
            assert!(!spoken_line(&seed.greeting).is_empty());
            assert_eq!(seed.greeting.matches('*').count(), 2, "{}: one action", seed.name);
            assert!(seed.examples.len() >= 3 && seed.quick_start.len() == 3 && seed.alternate_greetings.len() == 2);
            for item in seed.items {
                let form = ItemForm {
                    name: item.name,
                    description: item.description,
                    effects: item.effects,
                    rarity: item.rarity,
                };
                form.check().unwrap();
            }
        }
    }
}
