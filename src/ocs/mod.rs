//! Characters: summoned or made by hand, each with a page in its own colours.

pub mod api;
#[cfg(feature = "ssr")]
pub mod routes;
#[cfg(feature = "ssr")]
pub mod seed;
#[cfg(feature = "ssr")]
pub mod store;
pub mod style;
pub mod view;

use crate::ids::OcId;

/// Address of a character's plate; changes with every version, so it may be cached for ever.
#[must_use]
pub fn portrait_url(id: OcId, version: i32) -> String {
    format!("/portraits/{id}?v={version}")
}

/// Address of a character's colours as a stylesheet; the class that carries them is [`theme_class`].
#[must_use]
pub fn theme_url(id: OcId) -> String {
    format!("/themes/{id}.css")
}

/// Class that puts a character's colours on everything inside.
#[must_use]
pub fn theme_class(id: OcId) -> String {
    format!("oc-{}", id.0.simple())
}
