//! What a sentence says for certain: who is named, how they are spoken of, how old they are. Only what leaves no doubt is
//! read here; the rest is the model's to understand.

use super::tongue::{self, Tongue};
use crate::ocs::{AgeBand, Pronoun};

/// What a sentence says for certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// Its language.
    pub tongue: Tongue,
    /// The name of whom it is about.
    pub name: Option<String>,
    /// Names of others in it, which are not theirs.
    pub others: Vec<String>,
    /// How they are spoken of.
    pub pronoun: Option<Pronoun>,
    /// How old they are.
    pub age: Option<AgeBand>,
}

/// Words that a name can begin a sentence before: "Nyx, a thief", "Rosa is a nurse".
const ARTICLES: &[&str] = &[
    "a", "an", "the", "ein", "eine", "einen", "der", "die", "das", "un", "une", "le", "la", "el", "una", "uno", "il",
    "lo", "um", "uma", "o", "een", "who", "an", "once", "die", "qui", "que", "che",
];

/// Words that a sentence begins with which are no names, though they stand in capitals there.
const NO_NAMES: &[&str] = &[
    "a", "an", "the", "my", "our", "some", "somebody", "someone", "two", "three", "once", "imagine", "please", "make",
    "create", "write", "summon", "give", "ein", "eine", "der", "die", "das", "mein", "meine", "zwei", "ich", "un",
    "une", "le", "la", "les", "l", "mon", "ma", "deux", "des", "el", "los", "las", "una", "unos", "mi", "dos", "il",
    "lo", "i", "gli", "uno", "due", "um", "uma", "o", "os", "as", "een", "de", "het", "she", "he", "they", "it", "sie",
    "er", "elle", "ella", "él", "lui", "lei", "her", "his", "their", "old", "young", "grumpy", "shy", "sad", "lonely",
    "tired", "retired", "immortal", "exiled", "cursed", "blind",
];

/// Words that come before a name.
const NAMING: &[&str] = &[
    " named ",
    " called ",
    " by the name of ",
    " known as ",
    " namens ",
    " genannt ",
    " mit namen ",
    " nommé ",
    " nommée ",
    " appelé ",
    " appelée ",
    " prénommée ",
    " prénommé ",
    " llamado ",
    " llamada ",
    " de nombre ",
    " chiamato ",
    " chiamata ",
    " di nome ",
    " chamado ",
    " chamada ",
    " genaamd ",
];

/// Words that say outright how the one it is about is called.
const CALLED: &[&str] = &[
    "her name is ",
    "his name is ",
    "their name is ",
    "its name is ",
    "name: ",
    "ihr name ist ",
    "sein name ist ",
    "er heißt ",
    "sie heißt ",
    "elle s'appelle ",
    "il s'appelle ",
    "se llama ",
    "si chiama ",
    "chama-se ",
];

/// Words after which a name is somebody else's: what comes before is no longer the one it is about.
const OTHERS: &[&str] = &[
    "who", "whose", "with", "keeps", "has", "and", "her", "his", "their", "owns", "loves", "mit", "hat", "und",
    "deren", "dessen", "der", "die", "ihr", "ihre", "ihrem", "sein", "seine", "seinem", "avec", "qui", "et", "son",
    "sa", "dont", "con", "que", "y", "su", "cuya", "cuyo", "che", "e", "suo", "sua", "com", "met", "zijn", "haar",
];

/// Small words inside of names.
const PARTICLES: &[&str] = &[
    "of", "the", "von", "van", "der", "den", "de", "la", "du", "del", "della", "di", "da", "le", "al", "el", "bin",
    "ibn", "y", "zu",
];

impl Given {
    /// Reads a sentence.
    #[must_use]
    pub fn read(sentence: &str) -> Self {
        let tongue = tongue::of(sentence).unwrap_or(tongue::ENGLISH);
        let mut others = Vec::new();
        let outright = outright(sentence);
        let named = named(sentence, &mut others);
        let name = outright.or_else(|| leading(sentence)).or(named).filter(|name| !others.contains(name));
        Self { name, others, pronoun: pronoun(sentence, tongue), age: age(sentence), tongue }
    }
}

/// "Her name is Rosa Marquez."
fn outright(sentence: &str) -> Option<String> {
    CALLED.iter().find_map(|words| {
        let (_, after) = split_folded(sentence, words)?;
        name_at(after)
    })
}

/// The text before and after some words, whatever their case.
fn split_folded<'a>(text: &'a str, words: &str) -> Option<(&'a str, &'a str)> {
    text.char_indices().find_map(|(at, _)| {
        let rest = text.get(at..)?;
        let mut left = rest.chars();
        let fits = words.chars().all(|w| left.next().is_some_and(|c| c.to_lowercase().eq(w.to_lowercase())));
        fits.then(|| (text.get(..at).unwrap_or_default(), left.as_str()))
    })
}

/// "A keeper named Rosa": the name is hers. "A keeper with a heron called Minister": it is not.
fn named(sentence: &str, others: &mut Vec<String>) -> Option<String> {
    let mut own = None;
    for words in NAMING {
        let mut rest = sentence;
        let mut passed = String::new();
        while let Some((before, after)) = split_folded(rest, words) {
            passed.push_str(before);
            if let Some(name) = name_at(after) {
                let lower = passed.to_lowercase();
                let mut before = lower.split(|c: char| !(c.is_alphanumeric() || c == '\''));
                // The relative "die" and "der" follow a comma; an article at the beginning does not.
                let elsewhere =
                    lower.contains([',', ';']) || before.by_ref().skip(1).any(|word| OTHERS.contains(&word));
                if elsewhere {
                    others.push(name);
                } else if own.is_none() {
                    own = Some(name);
                }
            }
            passed.push_str(words);
            rest = after;
        }
    }
    own
}

/// "Captain Isolde Marrow keeps a tide clock", "Nyx, a clever thief", "Rosa is a nurse".
fn leading(sentence: &str) -> Option<String> {
    let name = name_at(sentence)?;
    let first = name.split(' ').next()?.to_lowercase();
    if NO_NAMES.contains(&first.trim_end_matches('.')) {
        return None;
    }
    let rest =
        sentence.trim_start_matches(['"', '“', '„', '«']).get(name.len()..)?.trim_start_matches(['"', '”', '“', '»']);
    let next: String = rest
        .trim_start_matches([' ', ',', ':', '–', '—', '-', '('])
        .chars()
        .take_while(|c| c.is_alphabetic())
        .collect::<String>()
        .to_lowercase();
    let set_off = rest.trim_start().starts_with([',', ':', '–', '—', '(', '-']);
    let is = matches!(next.as_str(), "is" | "ist" | "est" | "es" | "è" | "was" | "war" | "é");
    let several = name.split(' ').filter(|w| w.chars().next().is_some_and(char::is_uppercase)).count() > 1;
    // One word alone may be anything, unless it is set off or said to be somebody.
    ((set_off && (ARTICLES.contains(&next.as_str()) || several)) || is || (several && !next.is_empty())).then_some(name)
}

/// The name that a text begins with: words in capitals, and small ones between them. Scripts without capitals have none
/// that could be told.
fn name_at(text: &str) -> Option<String> {
    let text = text.trim_start().trim_start_matches(['"', '“', '„', '«', '*']);
    let mut name: Vec<&str> = Vec::new();
    let mut open: Vec<&str> = Vec::new();
    for word in text.split(' ').take(7) {
        let bare = word.trim_end_matches([',', ';', ':', '!', '?', ')', '"', '”', '“', '»', '*']);
        let bare = bare.strip_suffix("'s").or_else(|| bare.strip_suffix("’s")).unwrap_or(bare);
        let is_rank = crate::ocs::is_rank(bare);
        let bare = if is_rank || bare.chars().filter(|c| c.is_alphabetic()).count() == 1 {
            bare
        } else {
            bare.trim_end_matches('.')
        };
        let capital = bare.chars().next().is_some_and(|c| c.is_uppercase());
        if capital {
            name.append(&mut open);
            name.push(bare);
        } else if !name.is_empty() && PARTICLES.contains(&bare) {
            open.push(bare);
        } else {
            break;
        }
        if bare.len() != word.len() && !(is_rank && bare.ends_with('.')) {
            break;
        }
    }
    let name = name.join(" ");
    let letters = name.chars().filter(|c| c.is_alphabetic()).count();
    (letters > 1 && name.chars().count() <= 60).then_some(name)
}

/// Words for women and men, with which a sentence says who it is about.
const WOMEN: &[&str] = &[
    "woman",
    "girl",
    "lady",
    "queen",
    "princess",
    "witch",
    "sorceress",
    "priestess",
    "empress",
    "grandmother",
    "mother",
    "sister",
    "aunt",
    "widow",
    "nun",
    "goddess",
    "duchess",
    "countess",
    "mermaid",
    "waitress",
    "actress",
    "heiress",
    "huntress",
    "frau",
    "mädchen",
    "hexe",
    "königin",
    "prinzessin",
    "großmutter",
    "mutter",
    "witwe",
    "femme",
    "fille",
    "sorcière",
    "reine",
    "princesse",
    "mère",
    "mujer",
    "bruja",
    "reina",
    "princesa",
    "abuela",
    "donna",
    "strega",
    "regina",
    "principessa",
    "nonna",
    "ragazza",
    "chica",
    "niña",
    "mulher",
    "bruxa",
    "vrouw",
    "heks",
];
const MEN: &[&str] = &[
    "man",
    "boy",
    "gentleman",
    "king",
    "prince",
    "wizard",
    "priest",
    "emperor",
    "grandfather",
    "father",
    "brother",
    "uncle",
    "widower",
    "monk",
    "duke",
    "waiter",
    "mann",
    "junge",
    "könig",
    "prinz",
    "zauberer",
    "großvater",
    "vater",
    "mönch",
    "homme",
    "garçon",
    "roi",
    "père",
    "moine",
    "hombre",
    "rey",
    "príncipe",
    "abuelo",
    "monje",
    "uomo",
    "principe",
    "nonno",
    "monaco",
    "ragazzo",
    "chico",
    "niño",
    "homem",
    "jongen",
];

/// How they are spoken of, where the sentence says so: by the noun it begins with, by an article that tells, or by its only
/// pronoun.
fn pronoun(sentence: &str, tongue: Tongue) -> Option<Pronoun> {
    let lower = sentence.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !(c.is_alphabetic() || c == '\'')).filter(|w| !w.is_empty()).collect();
    let stops = [
        "who", "with", "and", "mit", "qui", "avec", "que", "con", "che", "whose", "in", "from", "of", "at", "de", "di",
        "und",
    ];
    let head = |word: &&&str| !stops.contains(*word);
    let said = words.iter().take_while(head).take(7).find_map(|word| {
        WOMEN.contains(word).then_some(Pronoun::She).or_else(|| MEN.contains(word).then_some(Pronoun::He))
    });
    if said.is_some() {
        return said;
    }
    let first = words.first().copied().unwrap_or_default();
    match (tongue.code, first) {
        ("de", "eine") | ("fr", "une") | ("es" | "it", "una") | ("pt", "uma") => return Some(Pronoun::She),
        ("de", "ein") if words.iter().skip(1).take(1).any(|w| w.ends_with("er")) => return Some(Pronoun::He),
        _ => {}
    }
    if ["ja", "zh"].contains(&tongue.code) {
        let she = ["彼女", "少女", "女の子", "魔女", "お婆", "おばあ", "姫", "她", "女孩", "女人"]
            .iter()
            .any(|w| lower.contains(w));
        let he = ["彼は", "少年", "男の子", "お爺", "おじいさん", "王子", "他是", "男孩", "男人"]
            .iter()
            .any(|w| lower.contains(w));
        return match (she, he) {
            (true, false) => Some(Pronoun::She),
            (false, true) => Some(Pronoun::He),
            _ => None,
        };
    }
    if tongue.code != "en" {
        return None;
    }
    let any = |list: &[&str]| words.iter().any(|word| list.contains(word));
    let (she, he) = (any(&["she", "her", "hers", "herself"]), any(&["he", "him", "his", "himself"]));
    // "Who lost their shadow" is about one; "knows all their mothers" is not.
    let their = words
        .iter()
        .zip(words.iter().skip(1))
        .any(|(before, word)| *word == "their" && !matches!(*before, "all" | "of" | "by" | "with"));
    match (she, he, their || any(&["nonbinary", "themself", "theirs"])) {
        (true, false, _) => Some(Pronoun::She),
        (false, true, _) => Some(Pronoun::He),
        (false, false, true) => Some(Pronoun::They),
        _ => None,
    }
}

/// "of fifty", "12-year-old", "aged 70", "60 Jahre".
fn age(sentence: &str) -> Option<AgeBand> {
    let lower = sentence.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    words.iter().enumerate().find_map(|(at, word)| {
        let years: u32 = word.parse().ok()?;
        let next = words.get(at + 1).copied().unwrap_or_default();
        let before = at.checked_sub(1).and_then(|at| words.get(at)).copied().unwrap_or_default();
        let old = words.get(at + 2).is_some_and(|w| matches!(*w, "old" | "alt"));
        let of_age = matches!(before, "aged" | "age")
            || old
            || (matches!(next, "ans" | "años" | "anni" | "anos") && before != "de");
        of_age.then_some(match years {
            0..=12 => AgeBand::Child,
            13..=17 => AgeBand::Teen,
            18..=59 => AgeBand::Adult,
            60..=130 => AgeBand::Elder,
            _ => AgeBand::Ageless,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_given_are_kept_and_others_stay_theirs() {
        for (sentence, name, others) in [
            ("Nyx, a clever thief with a mechanical cat", Some("Nyx"), vec![]),
            ("Captain Isolde Marrow keeps the last tide clock", Some("Captain Isolde Marrow"), vec![]),
            ("Dr. Amara Okafor, a surgeon on a space station", Some("Dr. Amara Okafor"), vec![]),
            ("An exiled queen of fifty who keeps a three-legged heron called Minister", None, vec!["Minister"]),
            ("A baker named Tobias who is afraid of yeast", Some("Tobias"), vec![]),
            ("A baker with a cat named Tobias", None, vec!["Tobias"]),
            ("Eine Wirtin namens Grete Sturm, die jede Lüge hört", Some("Grete Sturm"), vec![]),
            ("Ein mürrischer alter Uhrmacher aus Prag, der mit Raben spricht", None, vec![]),
            ("Ein Schmied, der einen Hund namens Amboss hat", None, vec!["Amboss"]),
            ("Une vieille sorcière nommée Maëlle qui vend des tempêtes", Some("Maëlle"), vec![]),
            ("Una bruja con un gato llamado Trueno", None, vec!["Trueno"]),
            ("A shy lighthouse keeper who collects storms", None, vec![]),
            ("Rosa is a nurse on a night ferry", Some("Rosa"), vec![]),
            ("Ludwig von der Aue, ein Bienenzüchter", Some("Ludwig von der Aue"), vec![]),
            ("A painter. Her name is Ines Duarte and she lives in Porto", Some("Ines Duarte"), vec![]),
            ("Grumpy clockmaker from Prague", None, vec![]),
            ("Lighthouse keepers never sleep", None, vec![]),
        ] {
            let given = Given::read(sentence);
            assert_eq!(given.name.as_deref(), name, "{sentence}");
            assert_eq!(given.others, others, "{sentence}");
        }
    }

    #[test]
    fn pronouns_are_read_where_the_sentence_says_them() {
        for (sentence, wanted) in [
            ("An exiled queen who argues with a king about his taxes", Some(Pronoun::She)),
            ("An old fisherman who lost his boat", Some(Pronoun::He)),
            ("A thief who lost her shadow", Some(Pronoun::She)),
            ("A thief who lost their shadow", Some(Pronoun::They)),
            ("A nurse who loves him and hates her", None),
            ("Ein mürrischer alter Uhrmacher aus Prag", Some(Pronoun::He)),
            ("Eine Wirtin, die jede Lüge hört", Some(Pronoun::She)),
            ("une vieille sorcière bretonne", Some(Pronoun::She)),
            ("嘘しか言えない少女", Some(Pronoun::She)),
            ("A tired god of small rivers", None),
        ] {
            assert_eq!(Given::read(sentence).pronoun, wanted, "{sentence}");
        }
    }

    #[test]
    fn ages_are_read_where_they_are_said() {
        for (sentence, wanted) in [
            ("A 12-year-old who talks with crows", Some(AgeBand::Child)),
            ("A boy aged 16 who mends radios", Some(AgeBand::Teen)),
            ("A widow, 71 years old, who races pigeons", Some(AgeBand::Elder)),
            ("A vampire, 400 years old, who faints at blood", Some(AgeBand::Ageless)),
            ("A keeper of 12 clocks", None),
        ] {
            assert_eq!(Given::read(sentence).age, wanted, "{sentence}");
        }
    }
}
