//! What people type to make or change a character, and the rules for it, the same on both sides of the wire.

pub use super::sheet::{MAX_EXAMPLE, MAX_EXAMPLES, MAX_GREETINGS, MAX_STARTS, MAX_TEXT};
use super::{
    AgeBand, ContentRating, ExampleLine, Oc, Pronoun, Rarity, Sheet,
    style::{Refused, VisualStyle},
};
use crate::{
    error::{AppError, AppResult},
    text::{clean_line, clean_text},
};
use serde::{Deserialize, Serialize};

/// Most things that one character carries.
pub const MAX_ITEMS: usize = 12;
/// A [`Sheet`] as it is typed: lists of words as text between commas, the style as five fields, choices as their words.
/// Empty fields are missing fields, since addresses and forms cannot tell them apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OcForm {
    /// Its name, unique here.
    pub name: String,
    /// What it is called in talk.
    pub nickname: String,
    /// What it is, in two or three words.
    pub title: String,
    /// A [`Pronoun`].
    pub pronoun: String,
    /// An [`AgeBand`].
    pub age_band: String,
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
    /// Instructions to the model after the newest message.
    pub post_history_instructions: String,
    /// Notes for people.
    pub creator_notes: String,
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

impl OcForm {
    /// The form with nothing typed but a palette that looks meant.
    #[must_use]
    pub fn blank(seed: &str) -> Self {
        let (pronoun, age_band) = (Pronoun::default().as_str().to_owned(), AgeBand::default().as_str().to_owned());
        let mut form = Self { version: 1, pronoun, age_band, ..Self::default() };
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

    /// The sheet that was typed, if all is as it must be.
    ///
    /// # Errors
    /// `Invalid` with the first field that is not.
    pub fn check(&self) -> AppResult<Sheet> {
        let written = !(self.intro_title.trim().is_empty() && self.intro_content.trim().is_empty());
        Sheet {
            name: self.name.clone(),
            nickname: self.nickname.clone(),
            title: self.title.clone(),
            pronoun: chosen::<Pronoun>("pronoun", &self.pronoun)?,
            age_band: chosen::<AgeBand>("age_band", &self.age_band)?,
            description: self.description.clone(),
            personality: self.personality.clone(),
            greeting: self.greeting.clone(),
            alternate_greetings: self.alternate_greetings.clone(),
            scenario: self.scenario.clone(),
            example_dialogue: self.examples.clone(),
            system_prompt: self.system_prompt.clone(),
            post_history_instructions: self.post_history_instructions.clone(),
            creator_notes: self.creator_notes.clone(),
            voice_tone: self.voice_tone.clone(),
            visual_style: self.style()?,
            appearance_tags: vec![self.appearance.clone()],
            tags: vec![self.tags.clone()],
            quick_start: self.quick_start.clone(),
            content_rating: chosen::<ContentRating>("content_rating", &self.content_rating)?,
            introduction: written.then(|| (self.intro_title.clone(), self.intro_content.clone())),
        }
        .check()
    }
}

impl From<&Oc> for OcForm {
    fn from(oc: &Oc) -> Self {
        let (intro_title, intro_content) = oc.introduction.clone().unwrap_or_default();
        let mut form = Self {
            name: oc.name.clone(),
            nickname: oc.nickname.clone(),
            title: oc.title.clone(),
            pronoun: oc.pronoun.as_str().to_owned(),
            age_band: oc.age_band.as_str().to_owned(),
            description: oc.description.clone(),
            personality: oc.personality.clone(),
            greeting: oc.greeting.clone(),
            alternate_greetings: oc.alternate_greetings.clone(),
            scenario: oc.scenario.clone(),
            examples: oc.example_dialogue.clone(),
            system_prompt: oc.system_prompt.clone(),
            post_history_instructions: oc.post_history_instructions.clone(),
            creator_notes: oc.creator_notes.clone(),
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

/// The choice that a word stands for; nothing chosen is the usual one.
fn chosen<T: std::str::FromStr<Err = String> + Default>(field: &str, word: &str) -> AppResult<T> {
    if word.trim().is_empty() { Ok(T::default()) } else { word.parse().map_err(|m| AppError::invalid(field, m)) }
}
