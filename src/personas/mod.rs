//! Personas: who a person is to the characters they talk with.
//!
//! A persona has a name, which characters use instead of the profile's, and a few words that go into the prompt. One of
//! them may be the default; a conversation may choose another, or none. Nobody but their owner sees them.

pub mod api;
#[cfg(feature = "ssr")]
pub mod routes;
#[cfg(feature = "ssr")]
pub mod store;
pub mod view;

use crate::{
    error::{AppError, AppResult},
    ids::PersonaId,
    text::{clean_line, clean_text},
};
use serde::{Deserialize, Serialize};

/// Longest name, in characters.
pub const NAME_MAX: usize = 60;
/// Longest pronouns, in characters.
pub const PRONOUNS_MAX: usize = 40;
/// Longest description, in characters.
pub const DESCRIPTION_MAX: usize = 1000;
/// Most personas of one person.
pub const MOST: i64 = 50;

/// Who a person is to characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct UserPersona {
    /// The persona.
    pub id: PersonaId,
    /// What characters call the person.
    pub name: String,
    /// For example `she/her`; may be empty.
    pub pronouns: String,
    /// Goes into the prompt; may be empty.
    pub description: String,
    /// Used where a conversation chooses nothing else.
    pub is_default: bool,
}

/// What is typed about a persona.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct PersonaForm {
    /// Which one is changed; empty makes a new one. Not needed in the API, whose address says it.
    #[cfg_attr(feature = "ssr", schema(ignore))]
    pub id: String,
    /// What characters call the person, 1 to 60 characters.
    pub name: String,
    /// At most 40 characters.
    pub pronouns: String,
    /// At most 1000 characters.
    pub description: String,
    /// To be used where a conversation chooses nothing else.
    pub is_default: bool,
}

impl PersonaForm {
    /// The form as it may be kept.
    ///
    /// # Errors
    /// `Invalid` at the field.
    pub fn check(&self) -> AppResult<Self> {
        // Names and brackets that cards use as blanks would be filled in again.
        if self.name.contains(['{', '}', '<', '>']) {
            return Err(AppError::invalid("name", "Please write the name without brackets."));
        }
        Ok(Self {
            id: self.id.trim().to_owned(),
            name: clean_line("name", &self.name, 1, NAME_MAX)?,
            pronouns: clean_line("pronouns", &self.pronouns, 0, PRONOUNS_MAX)?,
            description: clean_text("description", &self.description, 0, DESCRIPTION_MAX)?,
            is_default: self.is_default,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_checked() {
        let form = |name: &str| PersonaForm { name: name.into(), ..PersonaForm::default() };
        assert_eq!(form(" Wren ").check().map(|f| f.name).ok().as_deref(), Some("Wren"));
        for bad in ["", "  ", "{{char}}", "two\nlines", &"x".repeat(NAME_MAX + 1)] {
            assert_eq!(form(bad).check().err().map(|e| e.field().to_owned()).as_deref(), Some("name"), "{bad:?}");
        }
        let long = PersonaForm { description: "x".repeat(DESCRIPTION_MAX + 1), ..form("Wren") };
        assert_eq!(long.check().err().map(|e| e.field().to_owned()).as_deref(), Some("description"));
    }
}
