//! Moods and atmospheres: closed lists of words, so that a style can be offered in a menu, demanded by a grammar and
//! acted upon by the portrait.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Writes an enum whose values are known words, with everything a form, a grammar and the wire need.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident, $what:literal, { $($variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[doc = concat!("The word “", $word, "”.")] $variant,)+
        }

        impl $name {
            /// Every value, in the order of a menu.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word itself: lower-case ASCII.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The first known word in a text.
            pub fn find(text: &str) -> Option<Self> {
                text.split(|c: char| !c.is_alphabetic())
                    .take(64)
                    .find_map(|word| Self::ALL.iter().copied().find(|known| word.eq_ignore_ascii_case(known.as_str())))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let word = text.trim();
                Self::ALL.iter().copied().find(|known| word.eq_ignore_ascii_case(known.as_str())).ok_or_else(|| {
                    let known: Vec<&str> = Self::ALL.iter().map(|known| known.as_str()).collect();
                    format!(concat!("{} is not ", $what, " we know. Choose one of: {}."), $crate::ocs::style::quote(text), known.join(", "))
                })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

words!(
    /// How a character feels. It sets the set of the mouth, the eyes and the brows in the portrait.
    Mood, "a mood", {
        Calm = "calm",
        Cheerful = "cheerful",
        Cold = "cold",
        Curious = "curious",
        Dignified = "dignified",
        Dramatic = "dramatic",
        Brooding = "brooding",
        Eerie = "eerie",
        Energetic = "energetic",
        Fierce = "fierce",
        Gentle = "gentle",
        Heroic = "heroic",
        Hopeful = "hopeful",
        Melancholic = "melancholic",
        Mischievous = "mischievous",
        Mysterious = "mysterious",
        Mystical = "mystical",
        Playful = "playful",
        Rebellious = "rebellious",
        Romantic = "romantic",
        Serene = "serene",
        Stoic = "stoic",
        Warm = "warm",
        Wistful = "wistful",
    }
);

words!(
    /// How the place around a character feels. It sets the air of the portrait: rain, embers, petals, stars.
    Atmosphere, "an atmosphere", {
        Ancient = "ancient",
        Arcane = "arcane",
        Cosmic = "cosmic",
        Cosy = "cosy",
        Cyberpunk = "cyberpunk",
        Dreamy = "dreamy",
        Fantasy = "fantasy",
        Festive = "festive",
        Gothic = "gothic",
        Intense = "intense",
        Nautical = "nautical",
        Noir = "noir",
        Pastoral = "pastoral",
        Peaceful = "peaceful",
        Stormy = "stormy",
        Urban = "urban",
        Wild = "wild",
        Wintry = "wintry",
    }
);

#[cfg(feature = "ssr")]
pub(crate) use words;
