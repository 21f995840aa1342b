//! Terms, privacy, contact, and what AI means here: pages that an operator edits, with plain texts that hold until then.

pub mod api;
#[cfg(feature = "ssr")]
pub mod routes;
#[cfg(feature = "ssr")]
pub mod store;
#[cfg(feature = "ssr")]
pub mod view;

use serde::{Deserialize, Serialize};

/// Longest text of a page, in characters.
pub const BODY_MAX: usize = 60_000;

/// One of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Page {
    /// What holds between the site and its people.
    Terms,
    /// What is kept, and who gets it.
    Privacy,
    /// Who runs the site.
    Contact,
    /// That characters are AI.
    AboutAi,
}

impl Page {
    /// All of them, in the order of lists.
    pub const ALL: [Self; 4] = [Self::Terms, Self::Privacy, Self::Contact, Self::AboutAi];

    /// As in addresses and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Terms => "terms",
            Self::Privacy => "privacy",
            Self::Contact => "contact",
            Self::AboutAi => "about-ai",
        }
    }

    /// From an address.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == word)
    }

    /// What it is called.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Terms => "Terms",
            Self::Privacy => "Privacy",
            Self::Contact => "Contact",
            Self::AboutAi => "About AI",
        }
    }

    /// Its address.
    #[must_use]
    pub fn path(self) -> String {
        format!("/{}", self.as_str())
    }

    /// The text that holds until an operator writes another, Markdown.
    #[cfg(feature = "ssr")]
    #[must_use]
    pub const fn default_text(self) -> &'static str {
        match self {
            Self::Terms => include_str!("texts/terms.md"),
            Self::Privacy => include_str!("texts/privacy.md"),
            Self::Contact => include_str!("texts/contact.md"),
            Self::AboutAi => include_str!("texts/about-ai.md"),
        }
    }
}

/// A page's text, as the operator's form sends it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PageForm {
    /// Which page.
    pub page: String,
    /// Markdown; empty takes the program's own text again.
    pub body: String,
    /// From which day on it holds, `2026-01-31`; empty is today.
    pub effective_on: String,
}

/// A page as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Which page.
    pub page: Page,
    /// Sanitised HTML.
    pub html: String,
    /// Since when it holds, in words; empty for the program's own text.
    pub effective: String,
}

/// A page as an operator edits it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edited {
    /// Which page.
    pub page: Page,
    /// Markdown.
    pub body: String,
    /// It is the program's own text.
    pub is_default: bool,
    /// Earlier versions, newest first: when they were written, since when they held, by whom.
    pub versions: Vec<Version>,
}

/// An earlier version of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// When it was written.
    pub at: crate::ids::Stamp,
    /// Since when it held.
    pub effective: String,
    /// Who wrote it; empty for an account that is gone.
    pub who: String,
    /// Its text.
    pub body: String,
}
