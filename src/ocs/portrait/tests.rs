//! What a portrait promises: the same every time, small, well formed, safe, and readable.

use std::collections::HashSet;

use proptest::prelude::*;

use super::oklch::{distance, lightness};
use super::*;

fn any_style() -> impl Strategy<Value = VisualStyle> {
    let colour = || any::<(u8, u8, u8)>().prop_map(|(r, g, b)| Colour::new(r, g, b));
    (
        colour(),
        colour(),
        colour(),
        0..super::super::style::Mood::ALL.len(),
        0..super::super::style::Atmosphere::ALL.len(),
    )
        .prop_map(|(background, primary_color, accent_color, mood, atmosphere)| VisualStyle {
            background: background.into(),
            primary_color,
            accent_color,
            mood: super::super::style::Mood::ALL.iter().copied().nth(mood).unwrap_or(super::super::style::Mood::Calm),
            atmosphere: super::super::style::Atmosphere::ALL
                .iter()
                .copied()
                .nth(atmosphere)
                .unwrap_or(super::super::style::Atmosphere::Peaceful),
        })
}

/// A few words of the vocabulary.
fn any_traits() -> impl Strategy<Value = Traits> {
    proptest::collection::vec(proptest::sample::select(Traits::vocabulary()), 0..6)
        .prop_map(|words| Traits::from_words(&words.join(", ")))
}

/// Walks the markup: every element closed, every attribute plain, every reference to an id of the document.
fn check_markup(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut ids = HashSet::new();
    let mut used = HashSet::new();
    for piece in svg.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect("every tag ends");
        assert!(text.is_empty() || tag.starts_with("title "), "stray text {text}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
            continue;
        }
        let alone = tag.ends_with('/');
        let name = tag.split([' ', '/']).next().expect("a name");
        let known = [
            "svg",
            "title",
            "g",
            "defs",
            "path",
            "circle",
            "use",
            "stop",
            "pattern",
            "clipPath",
            "linearGradient",
            "radialGradient",
        ];
        assert!(known.contains(&name), "unknown element {name}");
        for (at, part) in tag.split('"').enumerate() {
            if at % 2 == 0 {
                assert!(!part.trim_start().starts_with("on") && !part.contains("style"), "{part}");
            }
        }
        if let Some(id) = tag.split(" id=\"").nth(1).and_then(|rest| rest.split('"').next()) {
            assert!(ids.insert(id.to_owned()), "id {id} twice");
        }
        for reference in tag.split("href=\"").skip(1).chain(tag.split("url(").skip(1)) {
            let target = reference.strip_prefix('#').expect("only inside the document");
            used.insert(target.split(['"', ')']).next().expect("an id").to_owned());
        }
        if !alone {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "open at the end: {open:?}");
    assert!(used.is_subset(&ids), "missing {:?}", used.difference(&ids));
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_portrait_is_small_and_well_formed(
        seed in any::<String>(), label in any::<String>(), style in any_style(), traits in any_traits(),
    ) {
        let picture = svg(&seed, &label, &style, &traits);
        check_markup(&picture);
        prop_assert!(picture.len() < 12_288, "{} bytes for {traits:?}", picture.len());
        prop_assert_eq!(picture, svg(&seed, &label, &style, &traits));
    }

    #[test]
    fn face_hair_and_cloth_stay_apart(seed in "[a-z]{1,12}", style in any_style(), traits in any_traits()) {
        let chosen = Chosen::new(&seed, &style, &traits);
        let paints = Palette::mix(&seed, &style, &chosen);
        prop_assert!((lightness(paints.hair) - lightness(paints.skin)).abs() >= 0.13);
        prop_assert!(lightness(paints.skin) - lightness(paints.ink) >= 0.2);
        prop_assert!(distance(paints.skin, paints.skin_shade) >= 0.05);
        prop_assert!(distance(paints.halo, paints.sky[1]) >= 0.08);
    }

    #[test]
    fn any_text_is_read(text in any::<String>()) {
        let _ = Traits::from_words(&text);
    }
}

#[test]
fn every_word_of_the_vocabulary_says_something() {
    for word in Traits::vocabulary() {
        assert_ne!(Traits::from_words(word), Traits::default(), "{word}");
    }
}

#[test]
fn prose_is_read() {
    let traits = Traits::from_words(
        "Captain Vesper is a sky pirate with long silver hair and green eyes. She has a scar and keeps a fox.",
    );
    assert_eq!(traits.headgear, Some(Headgear::Tricorn));
    assert_eq!((traits.hair, traits.hair_colour), (Some(Hair::Long), Some(HairColour::Silver)));
    assert_eq!(traits.eye_colour, Some(HairColour::Green));
    assert_eq!(traits.marks, [Mark::Scar]);
    assert_eq!(traits.build, Some(Build::Soft));
    let fox = Traits::from_words("A courier fox with no beard.");
    assert_eq!((fox.headgear, fox.beard), (Some(Headgear::FoxEars), None));
    assert_eq!(Traits::from_words("A blue-skinned android").skin, Some(Skin::Azure));
}

#[test]
fn headgear_is_never_drawn_unasked() {
    for i in 0..200 {
        let chosen = Chosen::new(&format!("nobody {i}"), &VisualStyle::default(), &Traits::default());
        assert!(chosen.headgear.is_none() && chosen.wings.is_none());
    }
}

#[test]
fn a_gallery_of_a_hundred_has_no_twins() {
    let seen: HashSet<String> = (0..100)
        .map(|i| {
            let name = format!("character {i}");
            svg(&name, "x", &VisualStyle::suggest(&name), &Traits::default())
        })
        .collect();
    assert_eq!(seen.len(), 100);
}

#[test]
fn the_label_is_escaped() {
    let picture = svg("x", "</title><script>\"&'", &VisualStyle::default(), &Traits::default());
    assert!(picture.contains(">Procedural portrait of &lt;/title&gt;&lt;script&gt;&quot;&amp;&#39;</title>"));
    check_markup(&picture);
}

/// Addresses of plates carry `DRAWING`, and whoever keeps a plate keeps it for that version.
#[test]
fn a_changed_drawing_has_a_new_version() {
    use sha2::Digest;
    let mut sum = sha2::Sha256::new();
    for n in 0..40 {
        let words = Traits::vocabulary().into_iter().skip(n * 3).take(3).collect::<Vec<_>>().join(", ");
        sum.update(svg(
            &format!("seed-{n}"),
            "Mira of the Lamps",
            &VisualStyle::default(),
            &Traits::from_words(&words),
        ));
    }
    let sum: String = sum.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect();
    let kept = (crate::ocs::DRAWING, "6270c75cba29f02d");
    assert_eq!(
        (crate::ocs::DRAWING, sum.as_str()),
        kept,
        "the drawing has changed: raise DRAWING, and keep the new sum here"
    );
}
