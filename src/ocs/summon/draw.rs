//! What is decided by rule or by lot: colours, moods, how seldom a thing is, how a name begins.
//!
//! Everything here is the same for the same seed. The asker's words decide first, a model may choose among a few words,
//! and the rest is drawn, so that two summons of the same sentence differ.

use super::vocabulary::words;
use crate::ocs::{
    Rarity,
    style::{Atmosphere, Colour, Mood, Paint, Seeded, VisualStyle},
};

/// A word for a colour: hue in degrees, saturation and lightness of 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hue {
    /// The word, as a model or a person says it.
    pub word: &'static str,
    hue: f64,
    saturation: f64,
    lightness: f64,
}

const fn hue(word: &'static str, hue: f64, saturation: f64, lightness: f64) -> Hue {
    Hue { word, hue, saturation, lightness }
}

/// The words that a model may choose from.
pub const HUES: &[Hue] = &[
    hue("red", 2.0, 0.66, 0.44),
    hue("rust", 17.0, 0.62, 0.42),
    hue("amber", 36.0, 0.82, 0.5),
    hue("gold", 46.0, 0.76, 0.5),
    hue("green", 138.0, 0.4, 0.37),
    hue("moss", 88.0, 0.34, 0.37),
    hue("teal", 176.0, 0.56, 0.34),
    hue("sky", 201.0, 0.66, 0.5),
    hue("blue", 220.0, 0.6, 0.46),
    hue("indigo", 244.0, 0.5, 0.46),
    hue("violet", 272.0, 0.48, 0.5),
    hue("plum", 310.0, 0.4, 0.4),
    hue("rose", 340.0, 0.6, 0.52),
    hue("silver", 212.0, 0.16, 0.55),
    hue("bone", 40.0, 0.28, 0.62),
    hue("copper", 24.0, 0.6, 0.46),
];

/// The asker's words that speak of a colour.
const COLOUR_OF: &[(&str, &str)] = &[
    ("red", "red"),
    ("blood", "red"),
    ("vampire", "red"),
    ("crimson", "red"),
    ("scarlet", "red"),
    ("heart", "red"),
    ("rust", "rust"),
    ("fire", "rust"),
    ("dragon", "rust"),
    ("forge", "rust"),
    ("smith", "rust"),
    ("volcano", "rust"),
    ("fox", "copper"),
    ("bread", "amber"),
    ("bakery", "amber"),
    ("baker", "amber"),
    ("lantern", "amber"),
    ("lanterns", "amber"),
    ("honey", "amber"),
    ("bees", "amber"),
    ("autumn", "amber"),
    ("market", "amber"),
    ("candle", "amber"),
    ("gold", "gold"),
    ("golden", "gold"),
    ("sun", "gold"),
    ("desert", "gold"),
    ("sand", "gold"),
    ("king", "gold"),
    ("queen", "gold"),
    ("forest", "green"),
    ("garden", "green"),
    ("gardener", "green"),
    ("plants", "green"),
    ("tomatoes", "green"),
    ("green", "green"),
    ("orc", "moss"),
    ("goblin", "moss"),
    ("moss", "moss"),
    ("swamp", "moss"),
    ("frog", "moss"),
    ("river", "teal"),
    ("rivers", "teal"),
    ("mermaid", "teal"),
    ("drowned", "teal"),
    ("swim", "teal"),
    ("lake", "teal"),
    ("sky", "sky"),
    ("wind", "sky"),
    ("cloud", "sky"),
    ("snow", "sky"),
    ("ice", "sky"),
    ("winter", "sky"),
    ("storm", "blue"),
    ("storms", "blue"),
    ("sea", "blue"),
    ("ocean", "blue"),
    ("lighthouse", "blue"),
    ("rain", "blue"),
    ("blue", "blue"),
    ("ship", "blue"),
    ("night", "indigo"),
    ("star", "indigo"),
    ("stars", "indigo"),
    ("space", "indigo"),
    ("jazz", "indigo"),
    ("dream", "violet"),
    ("dreams", "violet"),
    ("witch", "violet"),
    ("magic", "violet"),
    ("wizard", "violet"),
    ("purple", "violet"),
    ("neon", "violet"),
    ("cyberpunk", "violet"),
    ("poison", "plum"),
    ("wine", "plum"),
    ("theatre", "plum"),
    ("love", "rose"),
    ("pink", "rose"),
    ("flower", "rose"),
    ("flowers", "rose"),
    ("ghost", "silver"),
    ("moon", "silver"),
    ("robot", "silver"),
    ("knight", "silver"),
    ("steel", "silver"),
    ("clock", "copper"),
    ("clockmaker", "copper"),
    ("mechanical", "copper"),
    ("inventor", "copper"),
    ("bone", "bone"),
    ("bones", "bone"),
    ("skeleton", "bone"),
    ("library", "bone"),
    ("librarian", "bone"),
    ("dead", "bone"),
    ("paper", "bone"),
    ("books", "bone"),
];

/// The asker's words that speak of a mood.
const MOOD_OF: &[(&str, Mood)] = &[
    ("shy", Mood::Gentle),
    ("kind", Mood::Warm),
    ("happy", Mood::Cheerful),
    ("sad", Mood::Melancholic),
    ("lonely", Mood::Wistful),
    ("tired", Mood::Wistful),
    ("retired", Mood::Warm),
    ("angry", Mood::Fierce),
    ("grumpy", Mood::Brooding),
    ("clever", Mood::Mischievous),
    ("thief", Mood::Mischievous),
    ("lies", Mood::Mischievous),
    ("stern", Mood::Stoic),
    ("afraid", Mood::Melancholic),
    ("fears", Mood::Melancholic),
    ("detective", Mood::Curious),
    ("explorer", Mood::Curious),
    ("knight", Mood::Heroic),
    ("king", Mood::Dignified),
    ("queen", Mood::Dignified),
    ("blind", Mood::Serene),
    ("dreams", Mood::Mystical),
    ("witch", Mood::Mystical),
    ("vampire", Mood::Dramatic),
    ("pirate", Mood::Rebellious),
    ("ghost", Mood::Eerie),
    ("funny", Mood::Playful),
    ("jester", Mood::Playful),
    ("young", Mood::Hopeful),
    ("searching", Mood::Hopeful),
    ("secret", Mood::Mysterious),
    ("evil", Mood::Cold),
    ("assassin", Mood::Cold),
];

/// The asker's words that speak of an atmosphere.
const ATMOSPHERE_OF: &[(&str, Atmosphere)] = &[
    ("sea", Atmosphere::Nautical),
    ("lighthouse", Atmosphere::Nautical),
    ("ship", Atmosphere::Nautical),
    ("mermaid", Atmosphere::Nautical),
    ("pirate", Atmosphere::Nautical),
    ("sailor", Atmosphere::Nautical),
    ("drowned", Atmosphere::Nautical),
    ("space", Atmosphere::Cosmic),
    ("moon", Atmosphere::Cosmic),
    ("star", Atmosphere::Cosmic),
    ("stars", Atmosphere::Cosmic),
    ("astronaut", Atmosphere::Cosmic),
    ("planet", Atmosphere::Cosmic),
    ("bakery", Atmosphere::Cosy),
    ("baker", Atmosphere::Cosy),
    ("tea", Atmosphere::Cosy),
    ("library", Atmosphere::Ancient),
    ("librarian", Atmosphere::Ancient),
    ("god", Atmosphere::Ancient),
    ("temple", Atmosphere::Ancient),
    ("desert", Atmosphere::Ancient),
    ("ghost", Atmosphere::Gothic),
    ("vampire", Atmosphere::Gothic),
    ("grave", Atmosphere::Gothic),
    ("castle", Atmosphere::Gothic),
    ("cyberpunk", Atmosphere::Cyberpunk),
    ("hacker", Atmosphere::Cyberpunk),
    ("neon", Atmosphere::Cyberpunk),
    ("android", Atmosphere::Cyberpunk),
    ("detective", Atmosphere::Noir),
    ("jazz", Atmosphere::Noir),
    ("spy", Atmosphere::Noir),
    ("witch", Atmosphere::Arcane),
    ("wizard", Atmosphere::Arcane),
    ("magic", Atmosphere::Arcane),
    ("dragon", Atmosphere::Fantasy),
    ("knight", Atmosphere::Fantasy),
    ("elf", Atmosphere::Fantasy),
    ("orc", Atmosphere::Fantasy),
    ("fairy", Atmosphere::Fantasy),
    ("dream", Atmosphere::Dreamy),
    ("dreams", Atmosphere::Dreamy),
    ("clouds", Atmosphere::Dreamy),
    ("market", Atmosphere::Festive),
    ("circus", Atmosphere::Festive),
    ("city", Atmosphere::Urban),
    ("courier", Atmosphere::Urban),
    ("bees", Atmosphere::Pastoral),
    ("farm", Atmosphere::Pastoral),
    ("garden", Atmosphere::Pastoral),
    ("village", Atmosphere::Pastoral),
    ("river", Atmosphere::Peaceful),
    ("rivers", Atmosphere::Peaceful),
    ("storm", Atmosphere::Stormy),
    ("storms", Atmosphere::Stormy),
    ("thunder", Atmosphere::Stormy),
    ("forest", Atmosphere::Wild),
    ("wolf", Atmosphere::Wild),
    ("fox", Atmosphere::Wild),
    ("snow", Atmosphere::Wintry),
    ("ice", Atmosphere::Wintry),
    ("winter", Atmosphere::Wintry),
    ("war", Atmosphere::Intense),
];

/// What the asker's words already say about the look.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    /// Colours, at most two.
    pub hues: Vec<Hue>,
    /// The mood.
    pub mood: Option<Mood>,
    /// The atmosphere.
    pub atmosphere: Option<Atmosphere>,
}

impl Look {
    /// Reads a sentence (and the wished setting behind it).
    pub fn of(sentence: &str) -> Self {
        let all = words(sentence);
        let mut hues: Vec<Hue> = Vec::new();
        for word in &all {
            let found = COLOUR_OF.iter().find(|(w, _)| w == word).and_then(|(_, c)| HUES.iter().find(|h| h.word == *c));
            if let Some(hue) = found
                && hues.len() < 2
                && !hues.iter().any(|h| h.word == hue.word)
            {
                hues.push(*hue);
            }
        }
        let mood = Mood::find(sentence)
            .or_else(|| all.iter().find_map(|w| MOOD_OF.iter().find(|(m, _)| m == w).map(|(_, m)| *m)));
        let atmosphere = Atmosphere::find(sentence)
            .or_else(|| all.iter().find_map(|w| ATMOSPHERE_OF.iter().find(|(a, _)| a == w).map(|(_, a)| *a)));
        Self { hues, mood, atmosphere }
    }

    /// Takes what a model said where the asker said nothing.
    pub fn fill(&mut self, said: &str) {
        for word in words(said) {
            if let Some(hue) = HUES.iter().find(|h| h.word == word)
                && self.hues.len() < 2
                && !self.hues.iter().any(|h| h.word == hue.word)
            {
                self.hues.push(*hue);
            }
        }
        self.mood = self.mood.or_else(|| Mood::find(said));
        self.atmosphere = self.atmosphere.or_else(|| Atmosphere::find(said));
    }

    /// The style: the colours near their words, each a little off, so that no two are the same.
    pub fn style(&self, seed: &str) -> VisualStyle {
        let mut pick = Seeded::new(seed, "summon-style");
        let draw = |pick: &mut Seeded| pick.of(HUES).copied().unwrap_or(hue("blue", 220.0, 0.6, 0.46));
        let first = self.hues.first().copied().unwrap_or_else(|| draw(&mut pick));
        let mut second = self.hues.get(1).copied().unwrap_or_else(|| draw(&mut pick));
        if apart(first.hue, second.hue) < 25.0 {
            // Too near to answer the first colour: its warm or cold opposite does.
            second = hue("answer", first.hue + pick.between(130.0, 200.0), 0.62, 0.55);
        }
        let dark = pick.chance(0.68);
        let hue_1 = first.hue + pick.between(-11.0, 11.0);
        let hue_2 = second.hue + pick.between(-14.0, 14.0);
        let primary =
            hsl(hue_1, first.saturation + pick.between(-0.06, 0.1), first.lightness + pick.between(-0.05, 0.05));
        let accent = hsl(
            hue_2,
            (second.saturation + 0.12).clamp(0.3, 0.9),
            if dark { pick.between(0.64, 0.76) } else { pick.between(0.42, 0.54) },
        );
        let turn = hue_1 + pick.between(-24.0, 24.0);
        let background = if dark {
            hsl(turn, (first.saturation * 0.75).clamp(0.12, 0.55), pick.between(0.08, 0.14))
        } else {
            hsl(turn, (first.saturation * 0.5).clamp(0.14, 0.42), pick.between(0.88, 0.94))
        };
        VisualStyle {
            background: Paint::Solid(background),
            primary_color: primary,
            accent_color: accent,
            mood: self.mood.or_else(|| pick.of(Mood::ALL).copied()).unwrap_or(Mood::Calm),
            atmosphere: self.atmosphere.or_else(|| pick.of(Atmosphere::ALL).copied()).unwrap_or(Atmosphere::Peaceful),
        }
    }
}

fn apart(a: f64, b: f64) -> f64 {
    let d = (a - b).rem_euclid(360.0);
    d.min(360.0 - d)
}

/// Hue in degrees, saturation and lightness of 0 to 1.
fn hsl(hue: f64, saturation: f64, lightness: f64) -> Colour {
    let (s, l) = (saturation.clamp(0.0, 1.0), lightness.clamp(0.0, 1.0));
    let channel = |n: f64| {
        let k = (n + hue.rem_euclid(360.0) / 30.0).rem_euclid(12.0);
        let value = l - s * l.min(1.0 - l) * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
        let byte = (value * 255.0).round().clamp(0.0, 255.0) as u8;
        byte
    };
    Colour::new(channel(0.0), channel(8.0), channel(4.0))
}

/// How seldom a thing is: drawn, never chosen by a model.
pub fn rarity(seed: &str, index: usize) -> Rarity {
    let odds = [(Rarity::Common, 58), (Rarity::Rare, 28), (Rarity::Epic, 11), (Rarity::Legendary, 3)];
    Seeded::new(seed, &format!("rarity-{index}")).weighted(&odds).unwrap_or_default()
}

/// How many things a character starts with: one to three.
pub fn item_count(seed: &str) -> usize {
    Seeded::new(seed, "items").weighted(&[(1, 20), (2, 55), (3, 25)]).unwrap_or(2)
}

/// Some of a list in an order drawn from the seed, without repetition.
pub fn some<T: Copy>(seed: &str, part: &str, list: &[T], count: usize) -> Vec<T> {
    let mut pick = Seeded::new(seed, part);
    let mut left = list.to_vec();
    let mut out = Vec::new();
    while out.len() < count && !left.is_empty() {
        let at = usize::try_from(pick.below(u32::try_from(left.len()).unwrap_or(u32::MAX))).unwrap_or(0);
        out.push(left.swap_remove(at.min(left.len() - 1)));
    }
    out
}

/// One of a list, drawn from the seed.
pub fn one<'a>(seed: &str, part: &str, list: &[&'a str]) -> &'a str {
    Seeded::new(seed, part).of(list).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_same_sentence_looks_different_each_time_and_the_same_for_one_seed() {
        let look = Look::of("a shy lighthouse keeper who collects storms in glass jars");
        assert_eq!(look.hues.first().map(|h| h.word), Some("blue"));
        assert_eq!(look.atmosphere, Some(Atmosphere::Nautical));
        let styles: HashSet<String> = (0..40).map(|n| look.style(&n.to_string()).to_json().to_string()).collect();
        assert_eq!(styles.len(), 40);
        assert_eq!(look.style("x"), look.style("x"));
    }

    #[test]
    fn every_word_of_the_lists_is_known() {
        for (word, colour) in COLOUR_OF {
            assert!(HUES.iter().any(|h| h.word == *colour), "{word}: {colour}");
        }
    }

    #[test]
    fn rarities_follow_their_odds() {
        let all: Vec<Rarity> = (0..2000).map(|n| rarity(&n.to_string(), 0)).collect();
        let count = |r: Rarity| all.iter().filter(|x| **x == r).count();
        assert!((1000..1300).contains(&count(Rarity::Common)), "{}", count(Rarity::Common));
        assert!((20..110).contains(&count(Rarity::Legendary)), "{}", count(Rarity::Legendary));
        assert!((0..200).all(|n| (1..=3).contains(&item_count(&n.to_string()))));
    }
}
