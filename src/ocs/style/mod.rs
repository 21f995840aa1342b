//! `visual_style`: how a character looks, as data.
//!
//! A style is two colours, a background (one colour, or a gradient of up to four), a mood and an atmosphere. It comes
//! from people, from imported cards and from models, so nothing in it is ever pasted into a page: text is parsed into
//! these types, anything that is not a colour or a known word is refused with a message, and the page receives what
//! [`VisualStyle::css`] writes out again from the numbers. Both sides of the wire compile this module, so a form shows
//! the same refusal before and after it is sent.

mod colour;
mod paint;
mod seeded;
mod tokens;
mod words;

#[cfg(test)]
mod tests;

pub use colour::{Colour, contrast};
#[cfg(feature = "ssr")]
pub(crate) use colour::{linear, to_byte};
pub use paint::{Gradient, Paint, Stop};
pub use seeded::Seeded;
pub use tokens::{Theme, Tokens};
#[cfg(feature = "ssr")]
pub(crate) use words::words;
pub use words::{Atmosphere, Mood};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// Why one field of a style was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The field as it is named in JSON (`primaryColor`), or `visualStyle` for the whole.
    pub field: String,
    /// A sentence for the person who wrote the value.
    pub message: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl std::error::Error for Refused {}

/// The look of one character.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VisualStyle {
    /// What stands behind the character.
    pub background: Paint,
    /// The character's own colour: its buttons, links and cloak.
    pub primary_color: Colour,
    /// The colour that answers the first: light, eyes, ornaments.
    pub accent_color: Colour,
    /// How the character feels.
    pub mood: Mood,
    /// How the place around it feels.
    pub atmosphere: Atmosphere,
}

impl Default for VisualStyle {
    fn default() -> Self {
        Self {
            background: Paint::Solid(Colour::new(0x1a, 0x1c, 0x2e)),
            primary_color: Colour::new(0x4a, 0x5f, 0xa5),
            accent_color: Colour::new(0xe9, 0xc4, 0x6a),
            mood: Mood::Calm,
            atmosphere: Atmosphere::Peaceful,
        }
    }
}

impl VisualStyle {
    /// Reads the five fields of a form. Every refusal is reported, not only the first.
    pub fn from_form(
        background: &str,
        primary_color: &str,
        accent_color: &str,
        mood: &str,
        atmosphere: &str,
    ) -> Result<Self, Vec<Refused>> {
        let mut refused = Vec::new();
        let base = Self::default();
        let style = Self {
            background: keep(background.parse(), "background", base.background, &mut refused),
            primary_color: keep(primary_color.parse(), "primaryColor", base.primary_color, &mut refused),
            accent_color: keep(accent_color.parse(), "accentColor", base.accent_color, &mut refused),
            mood: keep(mood.parse(), "mood", base.mood, &mut refused),
            atmosphere: keep(atmosphere.parse(), "atmosphere", base.atmosphere, &mut refused),
        };
        if refused.is_empty() { Ok(style) } else { Err(refused) }
    }

    /// Reads JSON that must be right: all five fields, no others.
    pub fn from_json(value: &Value) -> Result<Self, Vec<Refused>> {
        let Value::Object(map) = value else {
            return Err(vec![not_an_object()]);
        };
        let mut refused = Vec::new();
        for key in map.keys().filter(|key| !FIELDS.contains(&key.as_str())) {
            refused.push(Refused {
                field: "visualStyle".to_owned(),
                message: format!("{} is not part of a style. It has {}.", quote(key), FIELDS.join(", ")),
            });
        }
        let base = Self::default();
        let style = Self {
            background: strict(map, "background", Paint::from_json, base.background, &mut refused),
            primary_color: strict(map, "primaryColor", parse_text, base.primary_color, &mut refused),
            accent_color: strict(map, "accentColor", parse_text, base.accent_color, &mut refused),
            mood: strict(map, "mood", parse_text, base.mood, &mut refused),
            atmosphere: strict(map, "atmosphere", parse_text, base.atmosphere, &mut refused),
        };
        if refused.is_empty() { Ok(style) } else { Err(refused) }
    }

    /// Reads JSON from a card or a model: takes what is right, fills the rest from [`VisualStyle::default`] and says
    /// what was refused. A field that is missing is filled without a word.
    pub fn from_json_lenient(value: &Value) -> (Self, Vec<Refused>) {
        Self::from_json_or(value, Self::default())
    }

    /// As [`VisualStyle::from_json_lenient`], with the style to fill from, for example [`VisualStyle::suggest`].
    pub fn from_json_or(value: &Value, fallback: Self) -> (Self, Vec<Refused>) {
        let map = match value {
            Value::Object(map) => map,
            Value::Null => return (fallback, Vec::new()),
            _ => return (fallback, vec![not_an_object()]),
        };
        let mut refused = Vec::new();
        let out = &mut refused;
        let style = Self {
            background: lenient(map, "background", "background", Paint::from_json, fallback.background, out),
            primary_color: lenient(map, "primaryColor", "primary_color", parse_text, fallback.primary_color, out),
            accent_color: lenient(map, "accentColor", "accent_color", parse_text, fallback.accent_color, out),
            mood: lenient(map, "mood", "mood", first_word(Mood::find), fallback.mood, out),
            atmosphere: lenient(
                map,
                "atmosphere",
                "atmosphere",
                first_word(Atmosphere::find),
                fallback.atmosphere,
                out,
            ),
        };
        (style, refused)
    }

    /// A palette for somebody who brought none, always the same for the same seed (a name or an id).
    pub fn suggest(seed: &str) -> Self {
        let mut pick = Seeded::new(seed, "style");
        let palette = pick.of(&PALETTES).unwrap_or(&PALETTE_0);
        let mood = pick.of(Mood::ALL).copied().unwrap_or(Mood::Calm);
        Self::of(palette, mood, pick.of(Atmosphere::ALL).copied().unwrap_or(Atmosphere::Peaceful))
    }

    fn of(&(_, background, primary, accent): &Palette, mood: Mood, atmosphere: Atmosphere) -> Self {
        Self {
            background: Paint::Solid(Colour::from_rgb24(background)),
            primary_color: Colour::from_rgb24(primary),
            accent_color: Colour::from_rgb24(accent),
            mood,
            atmosphere,
        }
    }

    /// The names of all palettes, for a list that somebody or a model chooses from.
    pub fn palettes() -> impl Iterator<Item = &'static str> {
        PALETTES.iter().map(|(name, ..)| *name)
    }

    /// The palette of this name with a mood and an atmosphere; `None` for an unknown name.
    #[must_use]
    pub fn named(palette: &str, mood: Mood, atmosphere: Atmosphere) -> Option<Self> {
        let palette = PALETTES.iter().find(|(name, ..)| name.eq_ignore_ascii_case(palette.trim()))?;
        Some(Self::of(palette, mood, atmosphere))
    }

    /// The same mood and atmosphere in other colours, the same ones for the same seed.
    #[must_use]
    pub fn recoloured(&self, seed: &str) -> Self {
        let mut pick = Seeded::new(seed, "palette");
        let first = usize::try_from(pick.below(28)).unwrap_or(0);
        let others = PALETTES.iter().cycle().skip(first).take(PALETTES.len());
        others
            .map(|palette| Self::of(palette, self.mood, self.atmosphere))
            .find(|style| style.primary_color != self.primary_color)
            .unwrap_or_else(|| self.clone())
    }

    /// The style as JSON, in the names and the order of the database column.
    pub fn to_json(&self) -> Value {
        serde_json::json!({
            "background": self.background.to_string(),
            "primaryColor": self.primary_color.to_string(),
            "accentColor": self.accent_color.to_string(),
            "mood": self.mood.as_str(),
            "atmosphere": self.atmosphere.as_str(),
        })
    }
}

/// Wire and database hold only what was checked before, so reading them is strict.
impl<'de> Deserialize<'de> for VisualStyle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_json(&value).map_err(|refused| {
            let lines: Vec<String> = refused.iter().map(ToString::to_string).collect();
            serde::de::Error::custom(lines.join(" "))
        })
    }
}

const FIELDS: [&str; 5] = ["background", "primaryColor", "accentColor", "mood", "atmosphere"];

fn not_an_object() -> Refused {
    Refused { field: "visualStyle".to_owned(), message: format!("A style is an object with {}.", FIELDS.join(", ")) }
}

/// Takes the value or notes the refusal and takes the stand-in.
fn keep<T>(read: Result<T, String>, field: &str, stand_in: T, refused: &mut Vec<Refused>) -> T {
    read.unwrap_or_else(|message| {
        refused.push(Refused { field: field.to_owned(), message });
        stand_in
    })
}

fn strict<T>(
    map: &Map<String, Value>,
    field: &str,
    read: impl Fn(&Value) -> Result<T, String>,
    stand_in: T,
    refused: &mut Vec<Refused>,
) -> T {
    let result = map.get(field).map_or_else(|| Err("is missing.".to_owned()), read);
    keep(result, field, stand_in, refused)
}

fn lenient<T>(
    map: &Map<String, Value>,
    field: &str,
    other_name: &str,
    read: impl Fn(&Value) -> Result<T, String>,
    fallback: T,
    refused: &mut Vec<Refused>,
) -> T {
    match map.get(field).or_else(|| map.get(other_name)) {
        None | Some(Value::Null) => fallback,
        Some(value) => keep(read(value), field, fallback, refused),
    }
}

fn parse_text<T: std::str::FromStr<Err = String>>(value: &Value) -> Result<T, String> {
    match value {
        Value::String(text) => text.parse(),
        _ => Err("must be text.".to_owned()),
    }
}

/// Models write "mystical, calm" where one word is wanted: the first known one counts.
fn first_word<T: std::str::FromStr<Err = String>>(find: fn(&str) -> Option<T>) -> impl Fn(&Value) -> Result<T, String> {
    move |value| match value {
        Value::String(text) => find(text).map_or_else(|| text.parse(), Ok),
        _ => Err("must be text.".to_owned()),
    }
}

/// A refused value as it may be shown again: short, on one line.
pub(crate) fn quote(text: &str) -> String {
    let mut short: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
    if text.chars().nth(40).is_some() {
        short.push('…');
    }
    format!("“{short}”")
}

/// Name, background, primary and accent, chosen by eye, so that any draw looks meant.
type Palette = (&'static str, u32, u32, u32);
const PALETTE_0: Palette = ("night blue", 0x1a1a2e, 0x3d5a99, 0x9fd8ff);
const PALETTES: [Palette; 28] = [
    PALETTE_0,
    ("electric blue and gold", 0x10124a, 0x4444ff, 0xffd166),
    ("neon pink and cyan", 0x3a0a2c, 0xff44aa, 0x7df9ff),
    ("emerald and lime", 0x06281c, 0x1fae76, 0xf6ff5c),
    ("sage and clay", 0xefe6d8, 0x7a9e6d, 0xd0743c),
    ("violet and rose", 0x221238, 0x8a5cd6, 0xff9ec7),
    ("rust and amber", 0x1b1512, 0x8a4b2a, 0xf29f3d),
    ("teal and honey", 0xd9efec, 0x2a8c8c, 0xf2b950),
    ("plum and gold", 0x33204a, 0xa23e6b, 0xffcf5c),
    ("old paper", 0x2a261f, 0x6b5f4a, 0xe8dcb5),
    ("orange and slate", 0xfbead1, 0xd9622b, 0x2f4858),
    ("crimson and bone", 0x1c0d12, 0xb3122f, 0xf4e3d7),
    ("pale blue and coral", 0xe8ecf6, 0x4c63b6, 0xf08a8a),
    ("deep sea", 0x0d2230, 0x12708f, 0x8de4c9),
    ("rose and indigo", 0xf6e4e6, 0xb6476f, 0x3c3a63),
    ("brass and verdigris", 0x241a12, 0xb5832f, 0x9cc5b0),
    ("forest and straw", 0x12201b, 0x4d7c4a, 0xe6d690),
    ("spring meadow", 0xeaf3e2, 0x3f7d58, 0xe8a33d),
    ("purple and mint", 0x1e1230, 0x5b3fa8, 0x6ff0d2),
    ("leather and teal", 0xf3ede1, 0x8c5a3c, 0x2e6f75),
    ("cobalt and blush", 0x0b1f3a, 0x2f6fd0, 0xf7b2ad),
    ("wine and peach", 0x2b0f1c, 0xc2385a, 0xffd9a0),
    ("fog and brick", 0xdfe9f2, 0x5d7f9e, 0xc9503f),
    ("steel and lichen", 0x151b1f, 0x5f7a86, 0xe0e6a8),
    ("sunlight and denim", 0xfdf1dc, 0xe0a526, 0x3d5a80),
    ("heather and frost", 0x301b28, 0x9b5c8f, 0xb8e0d2),
    ("moonlight and coral", 0x0f1626, 0x8796b8, 0xff7f50),
    ("lavender and mustard", 0xe9e3f3, 0x6f57a5, 0xe5b83b),
];
