//! A character's fields, once: what a form fills in, the API changes, versions keep, a prompt reads and a model writes.

use super::{AgeBand, ContentRating, ExampleLine, Pronoun, form::refused_field, style::VisualStyle};
use crate::{
    error::{AppError, AppResult},
    text::{clean_line, clean_text},
    trust::minors,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Bytes of a whole sheet.
const MAX_ALL: usize = 2 * 1024 * 1024;

/// Longest text of a field, in characters. How much of it a model is shown is for the prompt's budget to say.
pub const MAX_TEXT: usize = 32_000;
/// Most example exchanges of a character.
pub const MAX_EXAMPLES: usize = 60;
/// Longest line that is said to it in an example, and longest answer, in characters.
pub const MAX_EXAMPLE: (usize, usize) = (4_000, 8_000);
/// Most alternate greetings.
pub const MAX_GREETINGS: usize = 32;
/// Most things to say first.
pub const MAX_STARTS: usize = 4;
/// Most words of appearance.
pub const MAX_WORDS: usize = 12;
/// Most tags.
pub const MAX_TAGS: usize = 40;

/// What a character is, without what the site adds to it. Empty fields are missing fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Sheet {
    /// Its name: 1 to 60 characters, unique here.
    #[cfg_attr(feature = "ssr", schema(example = "Mira of the Glass Storms"))]
    pub name: String,
    /// What it is called in talk, where texts say `{{char}}`; its name where this is empty.
    pub nickname: String,
    /// What it is, in two or three words.
    pub title: String,
    /// How it is spoken of: `she`, `he`, `they` or `it`.
    pub pronoun: Pronoun,
    /// How old it is, about.
    pub age_band: AgeBand,
    /// Who it is, for a reader.
    #[cfg_attr(
        feature = "ssr",
        schema(example = "She keeps the lamp at Harrow Point and collects storms in glass jars.")
    )]
    pub description: String,
    /// What it is like; goes into the prompt.
    #[cfg_attr(
        feature = "ssr",
        schema(example = "She listens before she answers. She counts things when she is nervous.")
    )]
    pub personality: String,
    /// The first thing it says; actions between asterisks.
    pub greeting: String,
    /// Other first things it might say, at most 32.
    pub alternate_greetings: Vec<String>,
    /// Where one meets it.
    pub scenario: String,
    /// How it speaks, by example, at most 60 exchanges.
    pub example_dialogue: Vec<ExampleLine>,
    /// Instructions of its maker to the model; empty for those who may not change the character.
    pub system_prompt: String,
    /// Instructions of its maker that come after the newest message; as private as the system prompt.
    pub post_history_instructions: String,
    /// Notes of its maker for people; no model sees them.
    pub creator_notes: String,
    /// How its voice sounds, in a few words.
    pub voice_tone: String,
    /// How it looks, as data: `background`, `primaryColor`, `accentColor`, `mood`, `atmosphere`.
    #[cfg_attr(feature = "ssr", schema(value_type = Object))]
    pub visual_style: VisualStyle,
    /// Words that the drawn portrait takes up, at most 12.
    pub appearance_tags: Vec<String>,
    /// Words to find it by, at most 40.
    pub tags: Vec<String>,
    /// Things to say first, offered to people who meet it, at most 4.
    pub quick_start: Vec<String>,
    /// For whom it is.
    pub content_rating: ContentRating,
    /// Its introductory post while it is a draft: title, then text.
    #[cfg_attr(feature = "ssr", schema(value_type = Option<Vec<String>>, min_items = 2, max_items = 2))]
    pub introduction: Option<(String, String)>,
}

impl Sheet {
    /// What it is called in talk.
    #[must_use]
    pub fn called(&self) -> &str {
        called(&self.name, &self.nickname)
    }

    /// Takes out what only its owner may read.
    pub fn keep_private(&mut self) {
        self.system_prompt.clear();
        self.post_history_instructions.clear();
        self.introduction = None;
    }

    /// Puts a value into the field of this name, as JSON gives it; `null` changes nothing.
    ///
    /// # Errors
    /// `Invalid` with the field that is unknown or does not take this value.
    pub fn set(&mut self, name: &str, value: Value) -> AppResult<()> {
        if value.is_null() {
            return Ok(());
        }
        if name == "visual_style" {
            self.visual_style = VisualStyle::from_json(&value)
                .map_err(|refused| refused.into_iter().next().map_or(AppError::Internal, refused_field))?;
            return Ok(());
        }
        let Ok(Value::Object(mut all)) = serde_json::to_value(&*self) else { return Err(AppError::Internal) };
        let Some(field) = all.get_mut(name) else {
            return Err(AppError::invalid(name, format!("`{name}` is not a field of a character.")));
        };
        *field = value;
        *self = serde_json::from_value(Value::Object(all))
            .map_err(|_| AppError::invalid(name, format!("`{name}` does not take this value.")))?;
        Ok(())
    }

    /// Puts several values in, one after the other.
    ///
    /// # Errors
    /// As [`Sheet::set`], for the first one that does not fit.
    pub fn merge(&mut self, fields: Map<String, Value>) -> AppResult<()> {
        fields.into_iter().try_for_each(|(name, value)| self.set(&name, value))
    }

    /// The value of a field as JSON; `null` for an unknown one.
    #[must_use]
    pub fn get(&self, name: &str) -> Value {
        serde_json::to_value(self).ok().and_then(|mut all| all.get_mut(name).map(Value::take)).unwrap_or_default()
    }

    /// The sheet as it may be stored: trimmed, without empty entries.
    ///
    /// # Errors
    /// `Invalid` with the first field that is not as it must be.
    pub fn check(&self) -> AppResult<Self> {
        let introduction = match &self.introduction {
            None => None,
            Some((title, content)) => {
                let title = clean_line("intro_title", title, 0, 200)?;
                let content = clean_text("intro_content", content, 0, 4000)?;
                match (title.is_empty(), content.is_empty()) {
                    (true, true) => None,
                    (false, true) => return Err(AppError::invalid("intro_content", "A title needs words under it.")),
                    (true, false) => Some(("Introducing myself".to_owned(), content)),
                    (false, false) => Some((title, content)),
                }
            }
        };
        let clean = Self {
            name: clean_line("name", &self.name, 1, 60)?,
            nickname: clean_line("nickname", &self.nickname, 0, 60)?,
            title: clean_line("title", &self.title, 0, 60)?,
            pronoun: self.pronoun,
            age_band: self.age_band,
            description: clean_text("description", &self.description, 1, MAX_TEXT)?,
            personality: clean_text("personality", &self.personality, 0, MAX_TEXT)?,
            greeting: clean_text("greeting", &self.greeting, 0, MAX_TEXT)?,
            alternate_greetings: lines("alternate_greetings", &self.alternate_greetings, MAX_GREETINGS, MAX_TEXT)?,
            scenario: clean_text("scenario", &self.scenario, 0, MAX_TEXT)?,
            example_dialogue: examples(&self.example_dialogue)?,
            system_prompt: clean_text("system_prompt", &self.system_prompt, 0, MAX_TEXT)?,
            post_history_instructions: clean_text(
                "post_history_instructions",
                &self.post_history_instructions,
                0,
                MAX_TEXT,
            )?,
            creator_notes: clean_text("creator_notes", &self.creator_notes, 0, MAX_TEXT)?,
            voice_tone: clean_line("voice_tone", &self.voice_tone, 0, 200)?,
            visual_style: self.visual_style.clone(),
            appearance_tags: words("appearance", &self.appearance_tags, MAX_WORDS)?,
            tags: words("tags", &self.tags, MAX_TAGS)?,
            quick_start: lines("quick_start", &self.quick_start, MAX_STARTS, 120)?,
            content_rating: self.content_rating,
            introduction,
        };
        clean.is_decent()?;
        // What is kept of it as a version has this size, too.
        if serde_json::to_vec(&clean).is_ok_and(|all| all.len() > MAX_ALL) {
            return Err(AppError::invalid(
                "alternate_greetings",
                "All texts together are longer than a character can keep. Please shorten the greetings or the example exchanges.",
            ));
        }
        Ok(clean)
    }

    /// Nobody young stands beside anything sexual.
    fn is_decent(&self) -> AppResult<()> {
        let young = matches!(self.age_band, AgeBand::Child | AgeBand::Teen);
        if young && self.content_rating == ContentRating::Mature {
            return Err(AppError::invalid("content_rating", "A character who is a minor cannot be for adults only."));
        }
        let fields = [
            ("description", &self.description),
            ("personality", &self.personality),
            ("greeting", &self.greeting),
            ("scenario", &self.scenario),
            ("system_prompt", &self.system_prompt),
            ("post_history_instructions", &self.post_history_instructions),
            ("creator_notes", &self.creator_notes),
        ];
        let greetings = self.alternate_greetings.iter().map(|text| ("alternate_greetings", text));
        let examples = self.example_dialogue.iter().flat_map(|e| [("examples", &e.user), ("examples", &e.oc)]);
        for (field, text) in fields.into_iter().chain(greetings).chain(examples) {
            if minors::sexualises(text, young) {
                return Err(AppError::invalid(field, minors::REFUSAL));
            }
        }
        Ok(())
    }
}

/// What somebody of this name and nickname is called.
pub(super) fn called<'a>(name: &'a str, nickname: &'a str) -> &'a str {
    if nickname.is_empty() { name } else { nickname }
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
                user: clean_text("examples", &e.user, 0, MAX_EXAMPLE.0)?,
                oc: clean_text("examples", &e.oc, 1, MAX_EXAMPLE.1)?,
            })
        })
        .collect()
}

/// Words in lower case, without twins; a comma parts two of them.
fn words(field: &str, typed: &[String], most: usize) -> AppResult<Vec<String>> {
    let mut kept: Vec<String> = Vec::new();
    for word in typed.iter().flat_map(|t| t.split([',', '\n', ';'])) {
        let word = clean_line(field, word, 0, 40)?.to_lowercase();
        if !word.is_empty() && !kept.contains(&word) {
            kept.push(word);
        }
    }
    if kept.len() > most {
        return Err(AppError::invalid(field, format!("At most {most} words, please.")));
    }
    Ok(kept)
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use serde_json::json;

    fn mira() -> Sheet {
        Sheet { name: "Mira".into(), description: "A keeper.".into(), personality: "Shy.".into(), ..Sheet::default() }
    }

    #[test]
    fn fields_are_set_by_name_and_refused_by_name() {
        let mut sheet = mira();
        sheet.set("title", json!("lighthouse keeper")).unwrap();
        sheet.set("pronoun", json!("she")).unwrap();
        sheet.set("tags", json!(["Sea", "sea", " "])).unwrap();
        sheet.set("greeting", Value::Null).unwrap();
        assert_eq!((sheet.title.as_str(), sheet.pronoun), ("lighthouse keeper", Pronoun::She));
        assert_eq!(sheet.get("pronoun"), json!("she"));
        assert_eq!(sheet.check().unwrap().tags, ["sea"]);
        for (name, value) in [("nmae", json!("x")), ("title", json!(3)), ("pronoun", json!("xe")), ("tags", json!("a"))]
        {
            let before = sheet.clone();
            assert_eq!(sheet.set(name, value).unwrap_err().field(), name);
            assert_eq!(sheet, before, "nothing of it stays");
        }
        let red = json!({"background": "red", "primaryColor": "#112233", "accentColor": "#445566", "mood": "calm", "atmosphere": "cosy"});
        assert_eq!(sheet.set("visual_style", red).unwrap_err().field(), "background");
    }

    #[test]
    fn nobody_young_is_for_adults_only() {
        for age_band in [AgeBand::Child, AgeBand::Teen] {
            let sheet = Sheet { age_band, content_rating: ContentRating::Mature, ..mira() };
            assert_eq!(sheet.check().unwrap_err().field(), "content_rating");
            let sheet = Sheet { age_band, personality: "She is horny.".into(), ..mira() };
            assert_eq!(sheet.check().unwrap_err().field(), "personality");
        }
        let grown = Sheet { content_rating: ContentRating::Mature, personality: "She is horny.".into(), ..mira() };
        grown.check().unwrap();
    }
}
