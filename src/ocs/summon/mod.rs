//! Summoning: one sentence becomes a character.
//!
//! The sentence is kept as a job before anything is asked of a model, and the work belongs to the server: closing the tab
//! loses nothing. One request asks for the whole sheet as one JSON object ([`ask`]); each field is judged ([`judge`]) and
//! shown as it closes, those that do not hold are asked for again by name ([`write`]), and what still fails is filled in by
//! rule and said so. The character begins as a draft under a name that is already its own, with a face that is settled
//! there and then. After a crash or a stop the fields that exist are kept, and one click goes on with the rest.

pub mod api;
#[cfg(feature = "ssr")]
pub mod ask;
#[cfg(feature = "ssr")]
mod attempt;
#[cfg(feature = "ssr")]
mod face;
#[cfg(feature = "ssr")]
pub mod given;
#[cfg(feature = "ssr")]
pub mod judge;
#[cfg(feature = "ssr")]
pub mod redraw;
#[cfg(feature = "ssr")]
pub mod routes;
#[cfg(feature = "ssr")]
pub mod run;
mod start;
#[cfg(feature = "ssr")]
pub mod store;
#[cfg(feature = "ssr")]
pub mod tongue;
#[cfg(feature = "ssr")]
pub mod trial;
pub mod view;
#[cfg(feature = "ssr")]
pub mod write;

use crate::{
    error::{AppError, AppResult},
    ids::{JobId, OcId},
    models::ModelStatus,
    ocs::{Rarity, Sheet, style::Mood},
    text::clean_text,
    trust::minors,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Shortest sentence, in characters.
pub const SENTENCE_MIN: usize = 10;
/// Fewest letters among them; scripts in which a word is one or two need no more.
const SENTENCE_LETTERS: usize = 5;
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
        if description.chars().filter(|c| c.is_alphabetic()).count() < SENTENCE_LETTERS {
            return Err(AppError::invalid("description", "Please write a few words about who it should be."));
        }
        let mood = self.mood.trim().to_lowercase();
        if !mood.is_empty() {
            mood.parse::<Mood>().map_err(|message| AppError::invalid("mood", message))?;
        }
        let setting = clean_text("setting", &one_line(&self.setting), 0, SETTING_MAX)?;
        if minors::sexualises(&format!("{description} {setting}"), false) {
            return Err(AppError::invalid("description", minors::REFUSAL));
        }
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

/// One field as it arrives: its name on the sheet, or `items`, or `filled` (the names of those that were filled in by
/// rule), and its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Which field.
    pub name: String,
    /// Its value as JSON.
    pub value: Value,
}

impl Part {
    /// A field and its value.
    #[must_use]
    pub fn new(name: &str, value: Value) -> Self {
        Self { name: name.to_owned(), value }
    }
}

/// What has arrived so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Arrived {
    /// The fields that are there; others are empty.
    pub sheet: Sheet,
    /// What they carry.
    pub items: Vec<SummonedItem>,
    /// Names of what is there, in the order in which it came.
    pub fields: Vec<String>,
    /// Fields that no model wrote and that were filled in by rule.
    pub filled: Vec<String>,
}

impl Arrived {
    /// Everything of a character that is there.
    #[must_use]
    pub fn whole(sheet: Sheet, items: Vec<SummonedItem>, filled: Vec<String>) -> Self {
        let mut arrived = Self { sheet, items, fields: Vec::new(), filled };
        for name in FIELDS {
            let value = arrived.sheet.get(name);
            let there = match &value {
                Value::Null => *name == "items" && !arrived.items.is_empty(),
                Value::String(text) => !text.is_empty(),
                Value::Array(list) => !list.is_empty(),
                _ => true,
            };
            if there {
                arrived.fields.push((*name).to_owned());
            }
        }
        arrived
    }

    /// Whether a field is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field == name)
    }

    /// Puts a part in its place.
    ///
    /// # Errors
    /// `Invalid` when it is no field, or not such a value.
    pub fn take(&mut self, part: &Part) -> AppResult<()> {
        let wrong = || AppError::invalid(&part.name, "This does not belong there.");
        match part.name.as_str() {
            "items" => self.items = serde_json::from_value(part.value.clone()).map_err(|_| wrong())?,
            "filled" => {
                self.filled = serde_json::from_value(part.value.clone()).map_err(|_| wrong())?;
                return Ok(());
            }
            name => self.sheet.set(name, part.value.clone())?,
        }
        if !self.has(&part.name) {
            self.fields.push(part.name.clone());
        }
        Ok(())
    }

    /// What is being done, by what is missing.
    #[must_use]
    pub fn next_step(&self) -> &'static str {
        if !self.has("name") {
            "Finding a name"
        } else if !self.has("visual_style") || !self.has("appearance_tags") {
            "Drawing the portrait"
        } else if !self.has("description") {
            "Writing their story"
        } else if !self.has("personality") {
            "Getting to know them"
        } else if !self.has("greeting") {
            "Waiting for the first word"
        } else if !self.has("example_dialogue") {
            "Trying out their voice"
        } else if !self.has("items") {
            "Looking into the pockets"
        } else {
            "Writing the introduction"
        }
    }

    /// The parts that are there, in the order in which they came.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        let value = |name: &String| if name == "items" { json!(self.items) } else { self.sheet.get(name) };
        let mut parts: Vec<Part> = self.fields.iter().map(|name| Part::new(name, value(name))).collect();
        if !self.filled.is_empty() {
            parts.push(Part::new("filled", json!(self.filled)));
        }
        parts
    }
}

/// What a summon brings, in the order in which it is asked for.
pub const FIELDS: &[&str] = &[
    "name",
    "title",
    "pronoun",
    "age_band",
    "visual_style",
    "appearance_tags",
    "description",
    "personality",
    "voice_tone",
    "scenario",
    "greeting",
    "example_dialogue",
    "items",
    "introduction",
];

/// How a field is called on pages.
#[must_use]
pub fn label(field: &str) -> &'static str {
    match field {
        "name" => "Name",
        "title" => "Title",
        "pronoun" => "Pronoun",
        "age_band" => "Age",
        "visual_style" => "Palette",
        "appearance_tags" => "Face",
        "description" => "Description",
        "personality" => "Personality",
        "voice_tone" => "Voice",
        "scenario" => "Scenario",
        "greeting" => "Greeting",
        "example_dialogue" => "Example chat",
        "items" => "Items",
        "introduction" => "Introduction",
        _ => "Field",
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
    pub arrived: Arrived,
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

/// Who writes summons here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hints {
    /// The model's name; empty when there is none.
    pub model: String,
    /// It is the built-in model, which writes in English.
    pub is_built_in: bool,
    /// How it stands.
    pub status: ModelStatus,
    /// The asker may choose another one for everybody.
    pub may_choose: bool,
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
    fn what_must_not_be_asked_for_is_refused() {
        let form = SummonForm { description: "A naked 15-year-old girl at the lake".into(), ..SummonForm::default() };
        let refused = form.check().unwrap_err();
        assert_eq!((refused.field(), refused.to_string().as_str()), ("description", minors::REFUSAL));
    }

    #[test]
    fn parts_put_together_are_the_whole_again() {
        let mut sheet = Sheet { name: "Mira".into(), greeting: "Come in.".into(), ..Sheet::default() };
        sheet.introduction = Some(("Hello".into(), "I am here.".into()));
        let items = vec![SummonedItem { name: "Lamp".into(), ..SummonedItem::default() }];
        let arrived = Arrived::whole(sheet, items, vec!["title".into()]);
        assert!(arrived.has("items") && arrived.has("introduction") && !arrived.has("description"));
        let mut again = Arrived::default();
        for part in arrived.parts() {
            let wire = serde_json::to_string(&part).unwrap();
            again.take(&serde_json::from_str(&wire).unwrap()).unwrap();
        }
        assert_eq!(again, arrived);
        assert!(again.take(&Part::new("owner", json!("me"))).is_err());
    }
}
