//! Small readings of names and lines: what one calls a character, and what it says first.

/// Words before a name that are no part of it, in lower case and without a full stop.
const RANKS: &[&str] = &[
    "captain",
    "capt",
    "doctor",
    "dr",
    "professor",
    "prof",
    "lady",
    "lord",
    "sir",
    "dame",
    "madame",
    "madam",
    "mister",
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "father",
    "mother",
    "brother",
    "sister",
    "saint",
    "st",
    "general",
    "colonel",
    "major",
    "commander",
    "admiral",
    "sergeant",
    "lieutenant",
    "inspector",
    "detective",
    "king",
    "queen",
    "prince",
    "princess",
    "duke",
    "duchess",
    "count",
    "countess",
    "baron",
    "baroness",
    "judge",
    "master",
    "mistress",
    "uncle",
    "aunt",
    "auntie",
    "granny",
    "old",
    "kapitän",
    "herr",
    "frau",
    "fräulein",
    "meister",
    "gräfin",
    "graf",
    "capitaine",
    "monsieur",
    "mademoiselle",
    "docteur",
    "maître",
    "capitán",
    "don",
    "doña",
    "señor",
    "señora",
    "signor",
    "signora",
    "capitano",
    "dottore",
    "dottoressa",
    "maestro",
];

/// Whether a word is a rank or a form of address: "Captain", "Dr."
#[must_use]
pub fn is_rank(word: &str) -> bool {
    RANKS.contains(&word.trim_end_matches('.').to_lowercase().as_str())
}

/// How one calls a character in a sentence: `Mira` for `Mira of the Glass Storms`, `Isolde` for `Captain Isolde Marrow`.
#[must_use]
pub fn short_name(name: &str) -> &str {
    let whole = [" of ", " the ", " from ", ", ", " von ", " de "]
        .iter()
        .filter_map(|cut| name.split_once(cut).map(|(first, _)| first))
        .filter(|first| !first.is_empty())
        .min_by_key(|first| first.len())
        .unwrap_or(name);
    let mut rest = whole;
    while let Some((_, after)) = rest.split_once(' ').filter(|(word, _)| is_rank(word)) {
        rest = after.trim_start();
    }
    // Behind a rank stands how they are called, and perhaps how their family is.
    if rest.len() == whole.len() || rest.is_empty() { whole } else { rest.split(' ').next().unwrap_or(rest) }
}

/// The first thing somebody says in a text, without the actions between asterisks; at most about 120 characters.
#[must_use]
pub fn spoken_line(text: &str) -> String {
    let mut spoken = String::new();
    for (i, part) in text.split('*').enumerate() {
        if i % 2 == 0 {
            spoken.push_str(part);
        }
    }
    let words: Vec<&str> = spoken.split_whitespace().collect();
    let text = words.join(" ").replace(['“', '”', '"'], "");
    let mut line = String::new();
    for sentence in text.split_inclusive(['.', '?', '!', '…']) {
        let long = line.chars().count() + sentence.chars().count() > 90;
        if !line.is_empty() && long {
            break;
        }
        line.push_str(sentence);
        if line.chars().count() > 34 {
            break;
        }
    }
    if line.chars().count() > 130 {
        line = line.chars().take(120).collect::<String>();
        if let Some((whole, _)) = line.rsplit_once(' ') {
            line = whole.to_owned();
        }
        line.push('…');
    }
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{short_name, spoken_line};

    #[test]
    fn names_are_shortened_as_people_do() {
        for (name, short) in [
            ("Mira of the Glass Storms", "Mira"),
            ("Captain Vesper", "Vesper"),
            ("Captain Isolde Marrow", "Isolde"),
            ("Dr. Amara Okafor", "Amara"),
            ("Lady", "Lady"),
            ("Old Tom", "Tom"),
            ("Vesper Quill", "Vesper Quill"),
            ("Mira, the Loud", "Mira"),
            ("Elara", "Elara"),
            (" of nowhere", " of nowhere"),
        ] {
            assert_eq!(short_name(name), short);
        }
    }

    #[test]
    fn a_line_is_what_is_said_and_not_what_is_done() {
        assert_eq!(spoken_line("*She looks up.* Oh. You came back. *She nods.*"), "Oh. You came back.");
        assert_eq!(
            spoken_line(
                "Show me the picture in your head. I will not laugh at it. *She slides a matchbox.* Start with the light."
            ),
            "Show me the picture in your head. I will not laugh at it."
        );
        assert_eq!(spoken_line("*waves*"), "");
        assert!(spoken_line(&"word ".repeat(200)).chars().count() <= 131);
        assert!(spoken_line(&"雨".repeat(500)).chars().count() <= 131);
    }
}
