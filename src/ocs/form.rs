//! What people type to make or change a character, and the rules for it, the same on both sides of the wire.

use super::{
    ContentRating, ExampleLine, Oc, Rarity,
    style::{Refused, VisualStyle},
};
use crate::{
    error::{AppError, AppResult},
    text::{clean_line, clean_text},
};
use serde::{Deserialize, Serialize};

/// Most example exchanges of a character.
pub const MAX_EXAMPLES: usize = 12;
/// Most alternate greetings.
pub const MAX_GREETINGS: usize = 4;
/// Most things to say first.
pub const MAX_STARTS: usize = 4;
/// Most things that one character carries.
pub const MAX_ITEMS: usize = 12;
/// Most words of appearance, and most tags.
pub const MAX_WORDS: usize = 12;

/// A character as it is typed. Empty fields are missing fields, since addresses and forms cannot tell them apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OcForm {
    /// Its name, unique here.
    pub name: String,
    /// What it is, in two or three words.
    pub title: String,
    /// Who it is, for a reader.
    pub description: String,
    /// What it is like; goes into the prompt.
    pub personality: String,
    /// The first thing it says.
    pub greeting: String,
    /// Other first things it might say.
    pub alternate_greetings: Vec<String>,
    /// Where one meets it.
    pub scenario: String,
    /// How it speaks, by example.
    pub examples: Vec<ExampleLine>,
    /// Instructions to the model.
    pub system_prompt: String,
    /// How its voice sounds.
    pub voice_tone: String,
    /// Background of the style.
    pub background: String,
    /// Primary colour of the style.
    pub primary_color: String,
    /// Accent colour of the style.
    pub accent_color: String,
    /// Mood of the style.
    pub mood: String,
    /// Atmosphere of the style.
    pub atmosphere: String,
    /// Words for the drawn portrait, separated by commas.
    pub appearance: String,
    /// Words to find it by, separated by commas.
    pub tags: String,
    /// Things to say first, offered to people who meet it.
    pub quick_start: Vec<String>,
    /// A [`ContentRating`].
    pub content_rating: String,
    /// Title of its introductory post; for drafts.
    pub intro_title: String,
    /// Words of its introductory post; for drafts.
    pub intro_content: String,
    /// The version that was being changed.
    pub version: i32,
    /// Save although somebody else has saved meanwhile.
    pub overwrite: bool,
}

/// A character that was checked and may be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanOc {
    /// Its name.
    pub name: String,
    /// What it is, in two or three words.
    pub title: String,
    /// Who it is, for a reader.
    pub description: String,
    /// What it is like.
    pub personality: String,
    /// The first thing it says.
    pub greeting: String,
    /// Other first things it might say.
    pub alternate_greetings: Vec<String>,
    /// Where one meets it.
    pub scenario: String,
    /// How it speaks, by example.
    pub examples: Vec<ExampleLine>,
    /// Instructions to the model.
    pub system_prompt: String,
    /// How its voice sounds.
    pub voice_tone: String,
    /// How it looks.
    pub style: VisualStyle,
    /// Words for the drawn portrait.
    pub appearance_tags: Vec<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Things to say first.
    pub quick_start: Vec<String>,
    /// For whom it is.
    pub content_rating: ContentRating,
    /// Its introductory post: title and words.
    pub introduction: Option<(String, String)>,
}

impl OcForm {
    /// The form with nothing typed but a palette that looks meant.
    #[must_use]
    pub fn blank(seed: &str) -> Self {
        let mut form = Self { version: 1, ..Self::default() };
        form.set_style(&VisualStyle::suggest(seed));
        form
    }

    /// Fills in the five fields of a style.
    pub fn set_style(&mut self, style: &VisualStyle) {
        self.background = style.background.to_string();
        self.primary_color = style.primary_color.to_string();
        self.accent_color = style.accent_color.to_string();
        self.mood = style.mood.as_str().to_owned();
        self.atmosphere = style.atmosphere.as_str().to_owned();
    }

    /// The style of the five fields.
    ///
    /// # Errors
    /// `Invalid` with the field that is not a colour or a known word.
    pub fn style(&self) -> AppResult<VisualStyle> {
        VisualStyle::from_form(&self.background, &self.primary_color, &self.accent_color, &self.mood, &self.atmosphere)
            .map_err(|refused| refused.into_iter().next().map_or(AppError::Internal, refused_field))
    }

    /// Whether all is as it must be.
    ///
    /// # Errors
    /// `Invalid` with the first field that is not.
    pub fn check(&self) -> AppResult<CleanOc> {
        let intro_title = clean_line("intro_title", &self.intro_title, 0, 200)?;
        let intro_content = clean_text("intro_content", &self.intro_content, 0, 4000)?;
        let introduction = match (intro_title.is_empty(), intro_content.is_empty()) {
            (true, true) => None,
            (false, true) => return Err(AppError::invalid("intro_content", "A title needs words under it.")),
            (true, false) => Some(("Introducing myself".to_owned(), intro_content)),
            (false, false) => Some((intro_title, intro_content)),
        };
        Ok(CleanOc {
            name: clean_line("name", &self.name, 1, 60)?,
            title: clean_line("title", &self.title, 0, 60)?,
            description: clean_text("description", &self.description, 1, 2000)?,
            personality: clean_text("personality", &self.personality, 1, 2000)?,
            greeting: clean_text("greeting", &self.greeting, 0, 2000)?,
            alternate_greetings: lines("alternate_greetings", &self.alternate_greetings, MAX_GREETINGS, 2000)?,
            scenario: clean_text("scenario", &self.scenario, 0, 2000)?,
            examples: examples(&self.examples)?,
            system_prompt: clean_text("system_prompt", &self.system_prompt, 0, 4000)?,
            voice_tone: clean_line("voice_tone", &self.voice_tone, 0, 200)?,
            style: self.style()?,
            appearance_tags: words("appearance", &self.appearance)?,
            tags: words("tags", &self.tags)?,
            quick_start: lines("quick_start", &self.quick_start, MAX_STARTS, 120)?,
            content_rating: if self.content_rating.is_empty() {
                ContentRating::General
            } else {
                self.content_rating.parse().map_err(|m: String| AppError::invalid("content_rating", m))?
            },
            introduction,
        })
    }
}

impl From<&Oc> for OcForm {
    fn from(oc: &Oc) -> Self {
        let (intro_title, intro_content) = oc.introduction.clone().unwrap_or_default();
        let mut form = Self {
            name: oc.name.clone(),
            title: oc.title.clone(),
            description: oc.description.clone(),
            personality: oc.personality.clone(),
            greeting: oc.greeting.clone(),
            alternate_greetings: oc.alternate_greetings.clone(),
            scenario: oc.scenario.clone(),
            examples: oc.example_dialogue.clone(),
            system_prompt: oc.system_prompt.clone(),
            voice_tone: oc.voice_tone.clone(),
            appearance: oc.appearance_tags.join(", "),
            tags: oc.tags.join(", "),
            quick_start: oc.quick_start.clone(),
            content_rating: oc.content_rating.as_str().to_owned(),
            intro_title,
            intro_content,
            version: oc.version,
            ..Self::default()
        };
        form.set_style(&oc.visual_style);
        form
    }
}

/// Something to carry, as it is typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ItemForm {
    /// What it is called.
    pub name: String,
    /// What it looks like.
    pub description: String,
    /// How carrying it changes its carrier.
    pub effects: String,
    /// A [`Rarity`].
    pub rarity: String,
}

impl ItemForm {
    /// Whether nothing was typed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        [&self.name, &self.description, &self.effects].iter().all(|t| t.trim().is_empty())
    }

    /// Whether all is as it must be; the cleaned fields.
    ///
    /// # Errors
    /// `Invalid` with the first field that is not.
    pub fn check(&self) -> AppResult<(Self, Rarity)> {
        let rarity = if self.rarity.is_empty() { Ok(Rarity::Common) } else { self.rarity.parse() };
        let rarity = rarity.map_err(|m| AppError::invalid("rarity", m))?;
        let clean = Self {
            name: clean_line("name", &self.name, 1, 80)?,
            description: clean_text("description", &self.description, 0, 500)?,
            effects: clean_text("effects", &self.effects, 1, 300)?,
            rarity: rarity.as_str().to_owned(),
        };
        Ok((clean, rarity))
    }
}

/// A refusal of the style under the name of the form's field.
#[must_use]
pub fn refused_field(refused: Refused) -> AppError {
    let field = match refused.field.as_str() {
        "primaryColor" => "primary_color",
        "accentColor" => "accent_color",
        "visualStyle" => "visual_style",
        other => other,
    };
    AppError::invalid(field, refused.message)
}

/// Texts that were typed one below the other; empty ones fall away.
fn lines(field: &str, typed: &[String], most: usize, max: usize) -> AppResult<Vec<String>> {
    let kept: Vec<&String> = typed.iter().filter(|t| !t.trim().is_empty()).collect();
    if kept.len() > most {
        return Err(AppError::invalid(field, format!("At most {most}, please.")));
    }
    kept.into_iter().map(|t| clean_text(field, t, 1, max)).collect()
}

fn examples(typed: &[ExampleLine]) -> AppResult<Vec<ExampleLine>> {
    let kept: Vec<&ExampleLine> =
        typed.iter().filter(|e| !e.user.trim().is_empty() || !e.oc.trim().is_empty()).collect();
    if kept.len() > MAX_EXAMPLES {
        return Err(AppError::invalid("examples", format!("At most {MAX_EXAMPLES} exchanges, please.")));
    }
    kept.into_iter()
        .map(|e| {
            if e.oc.trim().is_empty() {
                return Err(AppError::invalid("examples", "Each exchange needs what the character answers."));
            }
            Ok(ExampleLine {
                user: clean_text("examples", &e.user, 0, 300)?,
                oc: clean_text("examples", &e.oc, 1, 600)?,
            })
        })
        .collect()
}

/// Words between commas, in lower case, without twins.
fn words(field: &str, typed: &str) -> AppResult<Vec<String>> {
    let mut kept: Vec<String> = Vec::new();
    for word in typed.split([',', '\n', ';']) {
        let word = clean_line(field, word, 0, 40)?.to_lowercase();
        if !word.is_empty() && !kept.contains(&word) {
            kept.push(word);
        }
    }
    if kept.len() > MAX_WORDS {
        return Err(AppError::invalid(field, format!("At most {MAX_WORDS} words, please.")));
    }
    Ok(kept)
}
