//! From the words of a look to the traits of a face. A face is settled once, when the character is made; drawing another one
//! is something that its owner asks for.

use crate::ocs::{
    AgeBand, Pronoun,
    portrait::{self, Age, Beard, Build, Eyewear, Mark, Traits},
    style::{Seeded, VisualStyle},
};
use serde_json::{Map, Value};

/// Names for want of a better one.
const NAMES: [&str; 12] =
    ["Mara", "Juno", "Ilse", "Tamsin", "Odile", "Bastian", "Corin", "Emeric", "Noor", "Sanna", "Teo", "Vesna"];

/// A name that is drawn.
pub(super) fn name(seed: &str) -> &'static str {
    Seeded::new(seed, "name").of(&NAMES).copied().unwrap_or("Mara")
}

/// The face that the words of a look ask for, for somebody of this age who is spoken of so.
pub(super) fn traits(seed: &str, look: &Map<String, Value>, pronoun: Pronoun, age: AgeBand) -> Traits {
    let word = |field: &str| look.get(field).and_then(Value::as_str).unwrap_or_default();
    let extra = word("extra");
    let mut traits = Traits {
        hair: word("hair").parse().ok(),
        hair_colour: word("hair_colour").parse().ok(),
        skin: word("skin").parse().ok(),
        garb: word("garb").parse().ok(),
        headgear: extra.parse().ok(),
        eyewear: Some(extra.parse().unwrap_or(Eyewear::None)),
        marks: extra.parse::<Mark>().into_iter().collect(),
        earring: extra == "earring",
        beard: extra.parse().ok(),
        ..frame(seed, pronoun, age)
    };
    if !may_have_a_beard(pronoun, age) {
        traits.beard = Some(Beard::None);
    }
    traits
}

/// What pronoun and age say about a face.
fn frame(seed: &str, pronoun: Pronoun, age: AgeBand) -> Traits {
    let mut pick = Seeded::new(seed, "frame");
    let build = match pronoun {
        Pronoun::She => pick.weighted(&[(Build::Soft, 4), (Build::Even, 1)]),
        Pronoun::He => pick.weighted(&[(Build::Strong, 3), (Build::Even, 1)]),
        Pronoun::They | Pronoun::It => pick.weighted(&[(Build::Even, 3), (Build::Soft, 1)]),
    };
    let age = match age {
        AgeBand::Child | AgeBand::Teen => Some(Age::Young),
        AgeBand::Adult => Some(Age::Grown),
        AgeBand::Elder => Some(Age::Elder),
        AgeBand::Ageless => None,
    };
    Traits { build, age, ..Traits::default() }
}

fn may_have_a_beard(pronoun: Pronoun, age: AgeBand) -> bool {
    pronoun == Pronoun::He && !matches!(age, AgeBand::Child | AgeBand::Teen)
}

/// Another face for the same character: age, build, and what is worn or grown on the head stay, the rest is drawn anew.
pub(super) fn another(seed: &str, style: &VisualStyle, tags: &[String], pronoun: Pronoun, age: AgeBand) -> Vec<String> {
    let now = Traits::from_words(&tags.join(", "));
    let beard = if may_have_a_beard(pronoun, age) { None } else { Some(Beard::None) };
    let frame = frame(seed, pronoun, age);
    let traits = Traits { headgear: now.headgear, wings: now.wings, ears: now.ears, beard, ..frame };
    // By lot two faces may be the same; the next one is not.
    (0..8)
        .map(|n| portrait::settled(&format!("{seed}-{n}"), style, &traits))
        .find(|drawn| drawn != tags)
        .unwrap_or_else(|| tags.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn look(extra: &str) -> Map<String, Value> {
        let look = json!({"hair": "bun", "hair_colour": "grey", "skin": "olive", "garb": "coat", "extra": extra});
        look.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn a_face_is_what_was_asked_for_and_reads_back() {
        let style = VisualStyle::suggest("x");
        for seed in ["a", "b", "c", "d"] {
            let traits = traits(seed, &look("beard"), Pronoun::She, AgeBand::Elder);
            assert_eq!((traits.beard, traits.age), (Some(Beard::None), Some(Age::Elder)), "no beard for her");
            let tags = portrait::settled(seed, &style, &traits);
            assert!(tags.len() <= 12);
            let again = Traits::from_words(&tags.join(", "));
            assert_eq!(
                (again.hair, again.hair_colour, again.skin),
                (traits.hair, traits.hair_colour, traits.skin),
                "{tags:?}"
            );
            assert_eq!(
                (again.garb, again.beard, again.age, again.build),
                (traits.garb, Some(Beard::None), traits.age, traits.build)
            );
        }
        let he = traits("a", &look("beard"), Pronoun::He, AgeBand::Adult);
        assert_eq!(he.beard, Some(Beard::Full));
        let horns = traits("a", &look("horns"), Pronoun::They, AgeBand::Ageless);
        assert!(horns.headgear.is_some() && horns.age.is_none());
    }

    #[test]
    fn another_face_is_another_and_stays_of_its_age() {
        let style = VisualStyle::suggest("x");
        let tags = portrait::settled("a", &style, &traits("a", &look("horns"), Pronoun::She, AgeBand::Elder));
        let other = another("b", &style, &tags, Pronoun::She, AgeBand::Elder);
        assert_ne!(other, tags);
        let (before, after) = (Traits::from_words(&tags.join(", ")), Traits::from_words(&other.join(", ")));
        assert_eq!((before.age, before.headgear), (after.age, after.headgear));
        assert_eq!(after.beard, Some(Beard::None));
    }
}
