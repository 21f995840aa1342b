//! Nothing sexual with minors. Words alone cannot tell everything; they can refuse what says it plainly, in the languages
//! that people write here.

/// What is said to somebody who asked for it.
pub const REFUSAL: &str = "Sexual content with minors is not allowed here.";

/// Words for the young, as whole words.
const YOUNG: &[&str] = &[
    // English
    "child",
    "children",
    "kid",
    "kids",
    "toddler",
    "toddlers",
    "teen",
    "teens",
    "teenage",
    "teenager",
    "teenagers",
    "preteen",
    "underage",
    "minors",
    "schoolgirl",
    "schoolgirls",
    "schoolboy",
    "schoolboys",
    "loli",
    "lolicon",
    "shota",
    "shotacon", // German
    "kinder",
    "mädchen",
    "schülerin",
    "schüler",
    "minderjährig",
    "minderjährige",
    "minderjährigen",
    "minderjähriger",
    // French
    "enfant",
    "enfants",
    "fillette",
    "fillettes",
    "garçonnet",
    "adolescente",
    "adolescent",
    "mineure",
    "écolière",
    "écolier", // Spanish, Portuguese and Italian
    "niña",
    "niño",
    "niñas",
    "niños",
    "menina",
    "menino",
    "colegiala",
    "bambina",
    "bambino",
    "ragazzina",
    "ragazzino",
    "minorenne",
];

/// Words that are said of grown people, too, and what makes them speak of the young.
const YOUNG_AFTER: &[&str] =
    &["girl", "girls", "boy", "boys", "fille", "garçon", "ragazza", "ragazzo", "chica", "chico"];
const LITTLE: &[&str] =
    &["little", "young", "small", "petite", "petit", "jeune", "piccola", "piccolo", "joven", "pequeña"];

/// The same where words are not set apart by blanks.
const YOUNG_WITHIN: &[&str] = &[
    "少女",
    "少年",
    "幼女",
    "子供",
    "子ども",
    "小学生",
    "中学生",
    "高校生",
    "未成年",
    "小女孩",
    "小男孩",
    "女童",
    "男童",
];

/// Words that are sexual and nothing else.
const SEXUAL: &[&str] = &[
    "sex",
    "sexual",
    "sexually",
    "sexy",
    "sexualized",
    "sexualised",
    "erotic",
    "erotica",
    "porn",
    "porno",
    "pornographic",
    "nude",
    "nudes",
    "naked",
    "horny",
    "lewd",
    "lustful",
    "orgasm",
    "orgasms",
    "masturbate",
    "masturbates",
    "masturbating",
    "blowjob",
    "handjob",
    "penis",
    "pussy",
    "vagina",
    "clitoris",
    "tits",
    "nipples",
    "genitals",
    "fuck",
    "fucks",
    "rape",
    "rapes",
    "raped",
    "incest",
    "nsfw",
    "hentai",
    "seduce",
    "seduces",
    "seductive",
    "aroused",
    "slutty",
    "slut",
    "lolicon",
    "shotacon", // German
    "sexuell",
    "sexuelle",
    "sexuellen",
    "erotisch",
    "erotische",
    "nackt",
    "nackte",
    "nackten",
    "nacktes",
    "nackter",
    "geil",
    "ficken",
    "fickt",
    "vergewaltigt",
    "verführt",
    "verführerisch", // French
    "sexe",
    "sexuel",
    "sexuelle",
    "érotique",
    "nue", // Spanish, Portuguese and Italian
    "sexo",
    "erótica",
    "erótico",
    "desnuda",
    "desnudo",
    "nua",
    "follar",
    "sesso",
    "sessuale",
    "erotico",
    "nuda",
    "nudo",
];

/// The same where words are not set apart by blanks.
const SEXUAL_WITHIN: &[&str] = &["セックス", "エロ", "裸", "性的", "淫", "レイプ", "色情", "做爱", "强奸"];

/// Whether a text sets something sexual beside somebody young. `young` says that whom it speaks of is a minor already, or
/// an age is read in the text ("a 15-year-old").
#[must_use]
pub fn sexualises(text: &str, young: bool) -> bool {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let any = |list: &[&str]| words.iter().any(|w| list.contains(w));
    let within = |list: &[&str]| list.iter().any(|w| lower.contains(w));
    let little =
        || words.iter().zip(words.iter().skip(1)).any(|(before, w)| LITTLE.contains(before) && YOUNG_AFTER.contains(w));
    let sexual = any(SEXUAL) || within(SEXUAL_WITHIN);
    sexual && (young || any(YOUNG) || within(YOUNG_WITHIN) || little() || says_an_age_below_eighteen(&words))
}

/// "15 years old", "15-year-old", "15yo", "aged 15", "15 Jahre alt", "15 ans", "15 años", "15歳".
fn says_an_age_below_eighteen(words: &[&str]) -> bool {
    let word = |at: usize| words.get(at).copied().unwrap_or("");
    words.iter().enumerate().any(|(at, digits)| {
        let number: String = digits.chars().take_while(char::is_ascii_digit).collect();
        let Ok(age) = number.parse::<u32>() else { return false };
        let unit = digits.trim_start_matches(|c: char| c.is_ascii_digit());
        let before = at.checked_sub(1).map_or("", word);
        let of_age = match (unit, word(at + 1), word(at + 2)) {
            ("yo" | "歳" | "岁", ..) | ("", "yo" | "jährige" | "jähriger" | "jähriges", _) => true,
            ("", "year" | "years" | "yrs", next) => next == "old",
            ("", "jahre", next) => next == "alt",
            ("", "ans" | "años" | "anos" | "anni", next) => !matches!(next, "d" | "de" | "di"),
            ("", ..) => matches!(before, "aged" | "age"),
            (unit, ..) => unit.starts_with('歳') || unit.starts_with('岁'),
        };
        of_age && age < 18
    })
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::sexualises;

    #[test]
    fn what_says_it_plainly_is_refused() {
        for text in [
            "A sexy schoolgirl who seduces her teacher",
            "a naked 15-year-old boy",
            "she is 16yo and horny",
            "Ein nacktes Mädchen am See",
            "A lewd little girl",
            "une adolescente nue de 16 ans",
            "une fillette nue",
            "裸の少女",
            "An erotic story with a girl aged 12",
        ] {
            assert!(sexualises(text, false), "{text}");
        }
        assert!(sexualises("she is lewd", true));
    }

    #[test]
    fn ordinary_sentences_are_not() {
        for text in [
            "A girl who collects storms in glass jars",
            "A boy of 12 years who talks with crows",
            "A seductive vampire of 300 years",
            "an old man, naked but for a barrel, who philosophises",
            "A mother with 15 years of experience as a sex therapist for adults",
            "She is kind to children",
            "A sexy junge Frau who is kind and seductive",
            "Ein Junge, der mit Raben spricht",
            "Sussex and Essex are where the girl lives",
        ] {
            assert!(!sexualises(text, false), "{text}");
        }
    }
}
