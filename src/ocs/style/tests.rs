//! The laws of a style: nothing but numbers leaves it, and what it colours can be read.

#![expect(clippy::string_slice, reason = "a test fails by panicking")]

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Texts that would do harm if they reached a style sheet.
const HOSTILE: [&str; 14] = [
    "red;}body{display:none",
    "</style><script>alert(1)</script>",
    "url(https://example.org/x)",
    "@import 'x'",
    "expression(alert(1))",
    "\\23 fff",
    "#fff;--x:1",
    "#ffff",
    "#12345g",
    "linear-gradient(105deg, #fff, url(x))",
    "linear-gradient(105deg, #fff)",
    "linear-gradient(1e3deg, #fff, #000)",
    "linear-gradient(105deg, #fff 90%, #000 10%)",
    "linear-gradient(-5deg, #fff, #000) , x",
];

fn any_colour() -> impl Strategy<Value = Colour> {
    any::<(u8, u8, u8)>().prop_map(|(r, g, b)| Colour::new(r, g, b))
}

fn any_paint() -> impl Strategy<Value = Paint> {
    let stop = (any_colour(), proptest::option::of(0..=100_u8)).prop_map(|(colour, at)| Stop { colour, at });
    let gradient = (0..=360_u16, proptest::collection::vec(stop, 2..=4)).prop_map(|(angle, mut stops)| {
        let mut places: Vec<u8> = stops.iter().filter_map(|stop| stop.at).collect();
        places.sort_unstable();
        let mut places = places.into_iter();
        for stop in stops.iter_mut().filter(|stop| stop.at.is_some()) {
            stop.at = places.next();
        }
        Paint::Gradient(Gradient::new(angle, stops).expect("built in range"))
    });
    prop_oneof![any_colour().prop_map(Paint::Solid), gradient]
}

fn any_style() -> impl Strategy<Value = VisualStyle> {
    let mood = proptest::sample::select(Mood::ALL);
    let atmosphere = proptest::sample::select(Atmosphere::ALL);
    (any_paint(), any_colour(), any_colour(), mood, atmosphere).prop_map(
        |(background, primary_color, accent_color, mood, atmosphere)| VisualStyle {
            background,
            primary_color,
            accent_color,
            mood,
            atmosphere,
        },
    )
}

/// A value a stranger might send: text of any kind, or JSON of the wrong kind.
fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<String>().prop_map(Value::String),
        "#[0-9a-fA-F]{3,6}".prop_map(Value::String),
        "linear-gradient\\([0-9]{1,3}deg, #[0-9a-f]{6}, #[0-9a-f]{6}( [0-9]{1,3}%)?\\)".prop_map(Value::String),
        proptest::sample::select(&HOSTILE[..]).prop_map(|text| Value::String(text.to_owned())),
        any::<i64>().prop_map(Value::from),
        Just(Value::Null),
        Just(json!({"angle": 5, "stops": ["#fff", "}"]})),
    ]
}

/// Checks `name:value` by hand: the grammar a page relies on.
fn declaration_is_plain(declaration: &str) -> bool {
    let hex = |text: &str| {
        text.len() == 7 && text.starts_with('#') && text[1..].bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let Some((name, value)) = declaration.split_once(':') else { return false };
    let named = name.starts_with("--") && name[2..].bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    let gradient = |text: &str| {
        let Some(inner) = text.strip_prefix("linear-gradient(").and_then(|t| t.strip_suffix(')')) else { return false };
        let mut parts = inner.split(',').map(str::trim);
        let angle = parts.next().and_then(|p| p.strip_suffix("deg")).is_some_and(|a| a.parse::<u16>().is_ok());
        angle
            && parts.all(|part| match part.split_once(' ') {
                None => hex(part),
                Some((colour, at)) => hex(colour) && at.strip_suffix('%').is_some_and(|a| a.parse::<u8>().is_ok()),
            })
    };
    named && (hex(value) || gradient(value))
}

fn sheet_is_plain(css: &str, scope: &str) -> bool {
    let Some(rest) = css.strip_prefix(scope).and_then(|rest| rest.strip_prefix('{')) else { return false };
    let Some((light, rest)) = rest.split_once('}') else { return false };
    let Some(rest) = rest.strip_prefix(&format!(":root[data-theme=dark] {scope}{{")) else { return false };
    let Some((dark, rest)) = rest.split_once('}') else { return false };
    let opening = format!("@media (prefers-color-scheme:dark){{:root[data-theme=system] {scope}{{");
    let Some(system) = rest.strip_prefix(&opening).and_then(|rest| rest.strip_suffix("}}")) else { return false };
    [light, dark, system].iter().all(|block| block.split(';').all(declaration_is_plain))
}

proptest! {
    #[test]
    fn whatever_comes_in_only_the_grammar_comes_out(
        background in any_value(), primary in any_value(), accent in any_value(),
        mood in any_value(), atmosphere in any_value(),
    ) {
        let value = json!({"background": background, "primaryColor": primary, "accentColor": accent,
            "mood": mood, "atmosphere": atmosphere});
        let (style, refused) = VisualStyle::from_json_lenient(&value);
        prop_assert!(sheet_is_plain(&style.css(".oc-1"), ".oc-1"));
        // The strict reader agrees with the lenient one, but for words within a text and for what is missing.
        if let Ok(strict) = VisualStyle::from_json(&value) {
            prop_assert!(refused.is_empty());
            prop_assert_eq!(strict, style);
        }
    }

    #[test]
    fn a_scope_is_plain_or_nothing_is_written(scope in any::<String>()) {
        let css = VisualStyle::default().css(&scope);
        prop_assert!(css.is_empty() || scope.is_empty() || sheet_is_plain(&css, &scope));
    }

    #[test]
    fn contrast_holds_in_both_themes(style in any_style()) {
        for theme in [Theme::Light, Theme::Dark] {
            let tokens = style.tokens(theme);
            prop_assert!(contrast(tokens.oc, theme.bg()) >= 3.0);
            prop_assert!(contrast(tokens.oc, theme.surface()) >= 3.0);
            prop_assert!(contrast(tokens.oc_on, tokens.oc) >= 4.5);
            for ground in [theme.bg(), theme.surface(), theme.sunk(), tokens.oc_wash] {
                prop_assert!(contrast(tokens.oc_ink, ground) >= 4.5);
            }
            let [from, over, to] = tokens.band;
            for step in 0..=100_u8 {
                let at = f64::from(step) / 100.0;
                prop_assert!(contrast(from.mix(over, at), tokens.band_ink) >= 4.5);
                prop_assert!(contrast(over.mix(to, at), tokens.band_ink) >= 4.5);
            }
        }
    }

    #[test]
    fn every_style_survives_the_wire(style in any_style()) {
        let wire = serde_json::to_value(&style).expect("plain data");
        prop_assert_eq!(&wire, &style.to_json());
        prop_assert_eq!(serde_json::from_value::<VisualStyle>(wire).expect("own output"), style);
    }

    #[test]
    fn colours_read_back(colour in any_colour()) {
        prop_assert_eq!(colour.to_string().parse::<Colour>(), Ok(colour));
        prop_assert_eq!(colour.to_string().to_uppercase().parse::<Colour>(), Ok(colour));
    }
}

#[test]
fn the_style_of_the_seeds_is_read() {
    let seed = json!({"background": "#1a1a2e", "primaryColor": "#16213e", "accentColor": "#0f4c75",
        "mood": "mysterious", "atmosphere": "fantasy"});
    let style = VisualStyle::from_json(&seed).expect("the seed's own example");
    assert_eq!(style.to_json(), seed);
    assert_eq!((style.mood, style.atmosphere), (Mood::Mysterious, Atmosphere::Fantasy));
}

#[test]
fn the_words_of_the_seeds_are_known() {
    for word in ["mysterious", "mystical", "energetic", "melancholic"] {
        assert!(word.parse::<Mood>().is_ok(), "{word}");
    }
    for word in ["fantasy", "dreamy", "intense", "peaceful"] {
        assert!(word.parse::<Atmosphere>().is_ok(), "{word}");
    }
}

#[test]
fn hostile_text_is_refused_and_the_field_named() {
    let megabyte = "#".repeat(1_000_000);
    for text in HOSTILE.iter().copied().chain([megabyte.as_str(), ""]) {
        let refused = VisualStyle::from_form(text, text, text, text, text).expect_err(text);
        let fields: Vec<&str> = refused.iter().map(|refused| refused.field.as_str()).collect();
        assert_eq!(fields, FIELDS, "{text}");
        assert!(refused.iter().all(|refused| refused.message.len() < 600));
    }
}

#[test]
fn gradients_are_kept_as_data() {
    let text = "linear-gradient(105deg, #aabbcc, #DEF 70%)";
    let paint: Paint = text.parse().expect("as documented");
    assert_eq!(paint.to_string(), "linear-gradient(105deg, #aabbcc, #ddeeff 70%)");
    let data = json!({"angle": 105, "stops": [{"colour": "#aabbcc"}, {"colour": "#ddeeff", "at": 70}]});
    assert_eq!(Paint::from_json(&data).expect("as documented"), paint);
    assert_eq!(paint.colours().len(), 2);
}

#[test]
fn lenient_reading_takes_what_is_right_and_reports_the_rest() {
    let value = json!({"primary_color": "#ABC", "accentColor": "gold", "mood": "Mystical, calm", "extra": 1});
    let (style, refused) = VisualStyle::from_json_lenient(&value);
    assert_eq!(style.primary_color, Colour::new(0xaa, 0xbb, 0xcc));
    assert_eq!(style.mood, Mood::Mystical);
    assert_eq!(style.accent_color, VisualStyle::default().accent_color);
    assert_eq!(refused.len(), 1);
    assert!(refused[0].to_string().starts_with("accentColor: “gold” is not a colour."));
}

#[test]
fn contrast_is_the_formula_of_wcag() {
    assert!((contrast(Colour::WHITE, Colour::BLACK) - 21.0).abs() < 1e-9);
    assert!((contrast(Colour::from_rgb24(0x777777), Colour::WHITE) - 4.478).abs() < 0.01);
}

#[test]
fn a_good_colour_is_left_alone() {
    let style = VisualStyle { primary_color: Colour::from_rgb24(0x3d5a99), ..VisualStyle::default() };
    assert_eq!(style.tokens(Theme::Light).oc, style.primary_color);
}

#[test]
fn a_suggestion_is_the_same_every_time() {
    assert_eq!(VisualStyle::suggest("Mira"), VisualStyle::suggest("Mira"));
    let several: std::collections::HashSet<VisualStyle> =
        ["Mira", "Thorne", "Pim", "Lyra", "Old Moth", "Elara"].iter().map(|name| VisualStyle::suggest(name)).collect();
    assert!(several.len() >= 5);
}
