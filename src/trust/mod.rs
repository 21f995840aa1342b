//! What people are protected by, whatever a character says.
//!
//! A line about suicide or self-harm gets a card with help lines, and no model is asked (`crisis`, `help`; kept by
//! chat/store/card.rs). What it does and what it cannot do is in docs/safety.md.

pub mod api;
pub mod minors;
pub mod view;

#[cfg(feature = "ssr")]
pub mod crisis;
#[cfg(feature = "ssr")]
pub mod help;
#[cfg(feature = "ssr")]
pub mod store;

use serde::{Deserialize, Serialize};

/// Most lines that an operator may add to the card.
pub const EXTRA_MAX: usize = 5;
/// Longest of them, in characters.
pub const EXTRA_LENGTH: usize = 200;

/// What admins set about help lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelpForm {
    /// Country of the lines, two letters; empty: by the person's time zone.
    #[serde(default)]
    pub region: String,
    /// Lines of the operator's own, one a line: `Name: number · address`.
    #[serde(default)]
    pub extra: String,
}

/// The admin's page about safety.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SafetyPage {
    /// What is set.
    pub form: HelpForm,
    /// Codes and names of the countries whose lines are known.
    pub countries: Vec<(String, String)>,
    /// Cards by day (UTC), the newest day first, at most thirty days that had some.
    pub days: Vec<(String, i64)>,
    /// The month up to which all numbers are known to have been right.
    pub known_until: String,
    /// The card as somebody sees it who writes in English, as HTML.
    pub sample: String,
}
