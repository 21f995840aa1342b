//! The card: which lines it names, what it says, and how it looks.

use super::{EXTRA_LENGTH, EXTRA_MAX, HelpForm};
use crate::{
    error::{AppError, AppResult},
    text::clean_line,
    ui::escape,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{fmt::Write as _, sync::LazyLock};

/// What the model is told once a card was shown, in the same words every time.
pub const GENTLY: &str = "The person has written about suicide or self-harm and was shown help lines. Be gentle and plain, take \
    it seriously, never play out, praise or describe harm, and remind them that people can help.";

#[derive(Deserialize)]
struct File {
    international: HelpLine,
    country: Vec<Country>,
    words: Vec<Words>,
}

/// One line that helps.
#[derive(Deserialize)]
struct HelpLine {
    name: String,
    #[serde(default)]
    number: String,
    web: String,
    /// When the number stood in the source: year and month.
    seen: String,
}

#[derive(Deserialize)]
struct Country {
    code: String,
    name: String,
    /// Time zones of people who live there; a star at the end stands for anything.
    zones: Vec<String>,
    emergency: String,
    lines: Vec<HelpLine>,
}

/// What the card says in one language.
#[derive(Deserialize)]
struct Words {
    language: String,
    /// Assumed where nothing else is known; empty where a language is at home in many.
    #[serde(default)]
    country: String,
    title: String,
    text: String,
    danger: String,
    danger_anywhere: String,
}

static FILE: LazyLock<Option<File>> = LazyLock::new(|| {
    let file = toml::from_str(include_str!("help_lines.toml"));
    // A test reads the file, so this never leaves the house.
    file.inspect_err(|error| tracing::error!(%error, "the help lines cannot be read")).ok()
});

/// What admins set, as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Setting {
    /// Country of the lines, two letters; empty: by the person's time zone.
    pub region: String,
    /// Lines of the operator's own, before the others.
    pub extra: Vec<String>,
}

impl Setting {
    /// From the database; what cannot be read counts as not set.
    #[must_use]
    pub fn read(value: Value) -> Self {
        serde_json::from_value(value).unwrap_or_default()
    }

    /// From the form.
    ///
    /// # Errors
    /// `Invalid` with the field.
    pub fn check(form: &HelpForm) -> AppResult<Self> {
        let region = form.region.trim().to_uppercase();
        let is_known = region.is_empty() || FILE.iter().flat_map(|file| &file.country).any(|c| c.code == region);
        if !is_known {
            return Err(AppError::invalid(
                "region",
                "There are no lines of this country here. Choose another, or add your own.",
            ));
        }
        let extra: Vec<String> = form
            .extra
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| clean_line("extra", line.trim(), 1, EXTRA_LENGTH))
            .collect::<AppResult<_>>()?;
        if extra.len() > EXTRA_MAX {
            return Err(AppError::invalid("extra", format!("At most {EXTRA_MAX} lines fit on the card.")));
        }
        Ok(Self { region, extra })
    }

    /// For the form.
    #[must_use]
    pub fn form(&self) -> HelpForm {
        HelpForm { region: self.region.clone(), extra: self.extra.join("\n") }
    }
}

/// Codes and names of the countries whose lines are known, by name.
#[must_use]
pub fn countries() -> Vec<(String, String)> {
    let countries = FILE.iter().flat_map(|file| &file.country);
    let mut all: Vec<_> = countries.map(|country| (country.code.clone(), country.name.clone())).collect();
    all.sort_by(|a, b| a.1.cmp(&b.1));
    all
}

/// The month up to which all numbers are known to have been right.
#[must_use]
pub fn known_until() -> String {
    let lines = FILE.iter().flat_map(|file| file.country.iter().flat_map(|c| &c.lines).chain([&file.international]));
    lines.map(|line| line.seen.clone()).min().unwrap_or_default()
}

fn is_in(zone: &str, pattern: &str) -> bool {
    pattern.strip_suffix('*').map_or(zone == pattern, |start| zone.starts_with(start))
}

/// The card as it is kept: plain text, one help line in each line that begins with a dash. `language` is that of the person's
/// line, as two letters.
#[must_use]
pub fn card(language: &str, setting: &Setting, timezone: &str) -> String {
    let Some(file) = FILE.as_ref() else { return String::from("https://findahelpline.com") };
    let by_language = |wanted: &str| file.words.iter().find(|words| words.language == wanted);
    let Some(words) = by_language(language).or_else(|| by_language("en")) else {
        return file.international.web.clone();
    };
    let by_code = |code: &str| file.country.iter().find(|country| country.code == code);
    let by_zone = || file.country.iter().find(|country| country.zones.iter().any(|zone| is_in(timezone, zone)));
    let country = by_code(&setting.region).or_else(by_zone).or_else(|| by_code(&words.country));
    let mut out = format!("{}\n\n{}\n\n", words.title, words.text);
    for line in &setting.extra {
        let _ = writeln!(out, "- {line}");
    }
    let lines = country.into_iter().flat_map(|country| &country.lines).chain([&file.international]);
    for line in lines {
        let number = if line.number.is_empty() { String::new() } else { format!(": {}", line.number) };
        let _ = writeln!(out, "- {}{number} · {}", line.name, line.web);
    }
    let danger = match country {
        Some(country) => words.danger.replace("{number}", &country.emergency),
        None => words.danger_anywhere.clone(),
    };
    let _ = write!(out, "\n{danger}");
    out
}

/// The card as HTML: numbers that can be called, addresses that can be opened.
#[must_use]
pub fn html(card: &str) -> String {
    let mut out = String::new();
    let mut is_listing = false;
    for (number, line) in card.lines().filter(|line| !line.trim().is_empty()).enumerate() {
        let item = line.strip_prefix("- ");
        if item.is_some() != is_listing {
            out.push_str(if is_listing { "</ul>" } else { "<ul>" });
            is_listing = !is_listing;
        }
        match item {
            Some(item) => {
                let _ = write!(out, "<li>{}</li>", entry(item));
            }
            None if number == 0 => {
                let _ = write!(out, "<p><strong>{}</strong></p>", escape(line));
            }
            None => {
                let _ = write!(out, "<p>{}</p>", callable(line));
            }
        }
    }
    if is_listing {
        out.push_str("</ul>");
    }
    out
}

/// `Name: number · address`, of which all but the name may be missing.
fn entry(item: &str) -> String {
    let (said, web) = item.split_once(" · ").unwrap_or((item, ""));
    let mut out = callable(said);
    let web = web.trim();
    if !web.is_empty() {
        let shown = web.trim_start_matches("https://").trim_start_matches("http://").trim_start_matches("www.");
        if web.starts_with("https://") || web.starts_with("http://") {
            let _ = write!(
                out,
                " · <a href=\"{}\" rel=\"external noopener noreferrer nofollow\">{}</a>",
                escape(web),
                escape(shown)
            );
        } else {
            let _ = write!(out, " · {}", escape(web));
        }
    }
    out
}

/// Text whose last word after a colon is a number, as a link that calls it.
fn callable(text: &str) -> String {
    let split =
        [": ", "：", " : "].iter().find_map(|mark| text.rsplit_once(*mark).map(|(name, number)| (name, *mark, number)));
    let Some((name, mark, number)) = split else { return escape(text) };
    let number = number.trim();
    let bare = number.trim_end_matches(['.', '。']);
    let digits: String = bare.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
    let is_number =
        digits.len() >= 2 && bare.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-' | '+' | '(' | ')' | '/'));
    if !is_number {
        return escape(text);
    }
    let rest = number.get(bare.len()..).unwrap_or_default();
    format!("{}{mark}<a href=\"tel:{digits}\">{}</a>{rest}", escape(name), escape(bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_a_source_and_a_date() {
        let file = FILE.as_ref().expect("the file can be read");
        assert!(file.country.len() > 20);
        let lines = file.country.iter().flat_map(|c| &c.lines).chain([&file.international]);
        for line in lines {
            assert!(line.web.starts_with("https://"), "{}", line.name);
            assert!(line.seen.len() == 7 && line.seen.starts_with("20"), "{}", line.name);
        }
        for country in &file.country {
            assert!(
                country.code.len() == 2 && !country.zones.is_empty() && !country.lines.is_empty(),
                "{}",
                country.code
            );
            assert!(country.lines.iter().all(|line| !line.number.is_empty()), "{}", country.code);
            for zone in country.zones.iter().filter(|zone| zone.contains('/') && !zone.ends_with('*')) {
                assert!(zone.parse::<chrono_tz::Tz>().is_ok(), "{zone}");
            }
        }
        for language in ["en", "de", "fr", "es", "it", "pt", "nl", "pl", "ru", "ja", "zh", "ko"] {
            let words =
                file.words.iter().find(|w| w.language == language).expect("words in each language of the rules");
            assert!(words.danger.contains("{number}"), "{language}");
            assert!(words.country.is_empty() || file.country.iter().any(|c| c.code == words.country), "{language}");
        }
    }

    #[test]
    fn the_country_is_set_or_guessed() {
        let auto = Setting::default();
        let set = |region: &str| Setting { region: region.into(), ..Setting::default() };
        for (language, setting, zone, wanted, other) in [
            ("en", auto.clone(), "America/New_York", "988", "Samaritans"),
            ("en", auto.clone(), "America/Indiana/Knox", "988lifeline", "988.ca"),
            ("en", auto.clone(), "Europe/London", "116 123", "988"),
            ("de", auto.clone(), "Europe/Vienna", "142", "0800 1110111"),
            ("de", auto.clone(), "UTC", "0800 1110111", "3114"),
            ("fr", auto.clone(), "", "3114", "988"),
            ("en", set("AU"), "America/New_York", "13 11 14", "988"),
            ("es", auto.clone(), "UTC", "findahelpline.com", "024"),
            ("xx", auto, "Mars/Olympus", "findahelpline.com", "988"),
        ] {
            let card = card(language, &setting, zone);
            assert!(card.contains(wanted) && !card.contains(other), "{language} {zone}: {card}");
            assert!(card.contains("findahelpline.com"));
        }
    }

    #[test]
    fn numbers_can_be_called_and_nothing_is_markup() {
        let setting = Setting {
            extra: vec!["House <b>team</b>: +49 (30) 123-4 · https://x.example/?a=\"1\"".into(), "Talk to us".into()],
            ..Setting::default()
        };
        let html = html(&card("de", &setting, "Europe/Berlin"));
        for part in [
            "<p><strong>Du bist wichtig",
            "<a href=\"tel:08001110111\">0800 1110111</a>",
            "<a href=\"tel:116123\">116 123</a>",
            "<a href=\"tel:+49301234\">+49 (30) 123-4</a>",
            "<a href=\"tel:112\">112</a>.",
            "House &lt;b&gt;team&lt;/b&gt;",
            "<li>Talk to us</li>",
            "findahelpline.com</a></li></ul><p>",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert!(!html.contains("?a=\"1\""));
    }

    #[test]
    fn what_admins_set_is_checked() {
        let form = |region: &str, extra: &str| Setting::check(&HelpForm { region: region.into(), extra: extra.into() });
        assert_eq!(
            form(" de ", "A: 1\n\n B: 2 \n").unwrap(),
            Setting { region: "DE".into(), extra: vec!["A: 1".into(), "B: 2".into()] }
        );
        assert!(form("XX", "").is_err() && form("", &"x\n".repeat(6)).is_err() && form("", &"x".repeat(201)).is_err());
        assert_eq!(Setting::read(serde_json::json!("nonsense")), Setting::default());
    }
}
