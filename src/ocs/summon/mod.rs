//! Summoning: one sentence becomes a character.
//!
//! The sentence is kept as a job before anything is asked of a model, and the work belongs to the server: closing the tab
//! loses nothing. Each part (a name, where they live, a greeting, ...) is asked for by itself, several times at once; what
//! comes back is judged by plain rules (`check`), and the best is kept and shown. The character begins as a draft under
//! a name that is already its own, so that nothing fails late. After a crash or a stop the parts that exist are kept, and
//! one click goes on with the rest.

pub mod api;
#[cfg(feature = "ssr")]
mod attempt;
#[cfg(feature = "ssr")]
pub mod check;
#[cfg(feature = "ssr")]
pub mod craft;
#[cfg(feature = "ssr")]
pub mod draw;
#[cfg(feature = "ssr")]
pub mod idea;
#[cfg(feature = "ssr")]
pub mod lists;
#[cfg(feature = "ssr")]
pub mod names;
#[cfg(feature = "ssr")]
mod own_words;
#[cfg(feature = "ssr")]
pub mod routes;
#[cfg(feature = "ssr")]
pub mod run;
#[cfg(feature = "ssr")]
pub mod store;
pub mod view;
#[cfg(feature = "ssr")]
mod vocabulary;
#[cfg(feature = "ssr")]
pub mod write;

use crate::{
    error::{AppError, AppResult},
    ids::{JobId, OcId},
    ocs::{
        ExampleLine, Rarity,
        style::{Mood, VisualStyle},
    },
    text::clean_text,
};
use serde::{Deserialize, Serialize};

/// Shortest sentence, in characters.
pub const SENTENCE_MIN: usize = 10;
/// Longest sentence, in characters.
pub const SENTENCE_MAX: usize = 500;
/// Longest wish for a setting, in characters.
pub const SETTING_MAX: usize = 120;

/// What is asked of a summon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummonForm {
    /// Who it should be, in a sentence or two.
    #[serde(default)]
    pub description: String,
    /// A [`Mood`], or empty.
    #[serde(default)]
    pub mood: String,
    /// Where they should live, or empty.
    #[serde(default)]
    pub setting: String,
}

impl SummonForm {
    /// The form as it will be kept: trimmed, in one line.
    ///
    /// # Errors
    /// `Invalid` with the name of the field.
    pub fn check(&self) -> AppResult<Self> {
        let description = clean_text("description", &one_line(&self.description), SENTENCE_MIN, SENTENCE_MAX)?;
        if description.chars().filter(|c| c.is_alphabetic()).count() < SENTENCE_MIN / 2 {
            return Err(AppError::invalid("description", "Please write a few words about who it should be."));
        }
        let mood = self.mood.trim().to_lowercase();
        if !mood.is_empty() {
            mood.parse::<Mood>().map_err(|message| AppError::invalid("mood", message))?;
        }
        let setting = clean_text("setting", &one_line(&self.setting), 0, SETTING_MAX)?;
        Ok(Self { description, mood, setting })
    }
}

fn one_line(text: &str) -> String {
    text.split(['\n', '\r', '\t', ' ']).filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
}

/// How far a summon is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Nobody works on it yet.
    #[default]
    Queued,
    /// Under way.
    Running,
    /// The character is there.
    Done,
    /// It could not be done; the sentence is kept.
    Failed,
    /// Its owner stopped it.
    Stopped,
    /// The server went away meanwhile.
    Interrupted,
}

impl JobStatus {
    /// The word in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
        }
    }

    /// From the word in the database.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word {
            "running" => Self::Running,
            "done" => Self::Done,
            "failed" => Self::Failed,
            "stopped" => Self::Stopped,
            "interrupted" => Self::Interrupted,
            _ => Self::Queued,
        }
    }

    /// Whether more will come by itself.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}

/// Something the character brings along.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct SummonedItem {
    /// What it is called.
    pub name: String,
    /// What it looks like.
    pub description: String,
    /// How carrying it changes its carrier.
    pub personality_effects: String,
    /// How seldom it is.
    pub rarity: Rarity,
}

/// The first words a character writes to everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Introduction {
    /// Its title.
    pub title: String,
    /// Its text.
    pub content: String,
}

/// The parts that have arrived. A part that has not is empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sheet {
    /// Name; its own from the moment it is here.
    pub name: String,
    /// What they are, in two or three words.
    pub title: String,
    /// How they look, as data.
    pub visual_style: Option<VisualStyle>,
    /// Words that the drawn portrait takes up.
    pub appearance_tags: Vec<String>,
    /// Who they are, for a reader.
    pub description: String,
    /// What they are like.
    pub personality: String,
    /// The first thing they say.
    pub greeting: String,
    /// How they speak, by example.
    pub example_dialogue: Vec<ExampleLine>,
    /// What they carry.
    pub items: Vec<SummonedItem>,
    /// Their first post.
    pub introduction: Option<Introduction>,
}

/// One part as it arrives: a name of [`Sheet`]'s fields and its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", content = "value", rename_all = "snake_case")]
pub enum Part {
    /// [`Sheet::name`].
    Name(String),
    /// [`Sheet::title`].
    Title(String),
    /// [`Sheet::visual_style`].
    VisualStyle(VisualStyle),
    /// [`Sheet::appearance_tags`].
    AppearanceTags(Vec<String>),
    /// [`Sheet::description`].
    Description(String),
    /// [`Sheet::personality`].
    Personality(String),
    /// [`Sheet::greeting`].
    Greeting(String),
    /// [`Sheet::example_dialogue`], all that has arrived.
    ExampleDialogue(Vec<ExampleLine>),
    /// [`Sheet::items`], all that have arrived.
    Items(Vec<SummonedItem>),
    /// [`Sheet::introduction`].
    Introduction(Introduction),
}

impl Sheet {
    /// Puts a part in its place.
    pub fn take(&mut self, part: Part) {
        match part {
            Part::Name(v) => self.name = v,
            Part::Title(v) => self.title = v,
            Part::VisualStyle(v) => self.visual_style = Some(v),
            Part::AppearanceTags(v) => self.appearance_tags = v,
            Part::Description(v) => self.description = v,
            Part::Personality(v) => self.personality = v,
            Part::Greeting(v) => self.greeting = v,
            Part::ExampleDialogue(v) => self.example_dialogue = v,
            Part::Items(v) => self.items = v,
            Part::Introduction(v) => self.introduction = Some(v),
        }
    }

    /// What is being done, by what is missing.
    #[must_use]
    pub fn next_step(&self) -> &'static str {
        if self.name.is_empty() {
            "Listening for a name"
        } else if self.description.is_empty() {
            "Finding where they live"
        } else if self.personality.is_empty() {
            "Getting to know them"
        } else if self.greeting.is_empty() {
            "Waiting for the first word"
        } else if self.example_dialogue.len() < 3 {
            "Asking a question or two"
        } else if self.items.is_empty() {
            "Looking into the pockets"
        } else {
            "Writing the first post"
        }
    }

    /// The parts that have arrived, in the order in which they do.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        let text = |v: &String| Some(v.clone()).filter(|v| !v.is_empty());
        let mut parts = Vec::new();
        parts.extend(text(&self.name).map(Part::Name));
        parts.extend(text(&self.title).map(Part::Title));
        parts.extend(self.visual_style.clone().map(Part::VisualStyle));
        parts.extend(Some(self.appearance_tags.clone()).filter(|v| !v.is_empty()).map(Part::AppearanceTags));
        parts.extend(text(&self.description).map(Part::Description));
        parts.extend(text(&self.personality).map(Part::Personality));
        parts.extend(text(&self.greeting).map(Part::Greeting));
        parts.extend(Some(self.example_dialogue.clone()).filter(|v| !v.is_empty()).map(Part::ExampleDialogue));
        parts.extend(Some(self.items.clone()).filter(|v| !v.is_empty()).map(Part::Items));
        parts.extend(self.introduction.clone().map(Part::Introduction));
        parts
    }
}

/// A summon as its owner sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SummonPage {
    /// The job.
    pub id: JobId,
    /// How far it is.
    pub status: JobStatus,
    /// What was asked.
    pub form: SummonForm,
    /// What has arrived.
    pub sheet: Sheet,
    /// The draft, as soon as it has a name.
    pub oc_id: Option<OcId>,
    /// Its name in addresses; empty without a draft.
    pub slug: String,
    /// Counts the draft's changes; its plate's address carries it.
    pub version: i32,
    /// Seen by everybody already.
    pub is_public: bool,
    /// What went wrong; empty if nothing did.
    pub error: String,
    /// Which model writes.
    pub model: String,
}

/// The end of a summon, as the stream tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Finished {
    /// The character.
    pub oc_id: OcId,
    /// Its name in addresses.
    pub slug: String,
    /// Address of its page.
    pub url: String,
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn the_form_says_what_is_wrong_and_where() {
        let form = |description: &str, mood: &str, setting: &str| SummonForm {
            description: description.to_owned(),
            mood: mood.to_owned(),
            setting: setting.to_owned(),
        };
        assert_eq!(form("too short", "", "").check().unwrap_err().field(), "description");
        assert_eq!(form("1 2 3 4 5 6 7 8 9", "", "").check().unwrap_err().field(), "description");
        assert_eq!(form(&"long ".repeat(101), "", "").check().unwrap_err().field(), "description");
        assert_eq!(form("a shy lighthouse keeper", "angryish", "").check().unwrap_err().field(), "mood");
        assert_eq!(form("a shy lighthouse keeper", "", &"x".repeat(121)).check().unwrap_err().field(), "setting");
        let kept = form("  a shy\n lighthouse   keeper ", " Calm ", "").check().unwrap();
        assert_eq!((kept.description.as_str(), kept.mood.as_str()), ("a shy lighthouse keeper", "calm"));
    }

    #[test]
    fn parts_put_together_are_the_sheet_again() {
        let mut sheet = Sheet { name: "Mira".into(), greeting: "Come in.".into(), ..Sheet::default() };
        sheet.items.push(SummonedItem { name: "Lamp".into(), ..SummonedItem::default() });
        sheet.visual_style = Some(VisualStyle::suggest("Mira"));
        let mut again = Sheet::default();
        for part in sheet.parts() {
            let wire = serde_json::to_string(&part).unwrap();
            again.take(serde_json::from_str(&wire).unwrap());
        }
        assert_eq!(again, sheet);
    }
}
