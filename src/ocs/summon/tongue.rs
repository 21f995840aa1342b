//! In which language a text is written: by its script, then by the small words that every sentence has.

/// A language that sentences are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tongue {
    /// ISO 639-1.
    pub code: &'static str,
    /// Its English name.
    pub english: &'static str,
    /// Words that nearly every sentence of it has some of, in lower case; empty for those that have a script of their own.
    words: &'static [&'static str],
}

/// English, which is also what is assumed where nothing can be told.
pub const ENGLISH: Tongue = Tongue {
    code: "en",
    english: "English",
    words: &[
        "the", "a", "an", "of", "and", "who", "is", "in", "with", "to", "her", "his", "she", "he", "they", "for",
        "that", "but", "by", "from", "has", "at", "on", "their", "as", "i", "you", "it", "my", "not", "are", "was",
        "one", "this", "what",
    ],
};

/// Languages of the Latin script.
const LATIN: [Tongue; 9] = [
    ENGLISH,
    Tongue {
        code: "de",
        english: "German",
        words: &[
            "der", "die", "das", "ein", "eine", "einer", "einem", "einen", "und", "mit", "aus", "ist", "nicht", "sie",
            "er", "ich", "von", "im", "auf", "zu", "den", "dem", "für", "sich", "wie", "aber", "hat", "ihr", "sein",
            "seine", "ihre", "wenn", "es",
        ],
    },
    Tongue {
        code: "fr",
        english: "French",
        words: &[
            "le", "la", "les", "un", "une", "des", "du", "de", "et", "qui", "est", "dans", "avec", "pour", "sur",
            "elle", "il", "je", "que", "pas", "son", "sa", "ses", "au", "aux", "en", "mais", "par", "ne", "se", "ce",
            "d", "l", "qu",
        ],
    },
    Tongue {
        code: "es",
        english: "Spanish",
        words: &[
            "el", "la", "los", "las", "un", "una", "de", "del", "y", "que", "es", "en", "con", "por", "para", "su",
            "sus", "se", "al", "no", "lo", "pero", "ella", "él", "yo", "como", "más", "muy", "quien",
        ],
    },
    Tongue {
        code: "it",
        english: "Italian",
        words: &[
            "il", "lo", "la", "i", "gli", "le", "un", "una", "uno", "di", "del", "della", "e", "che", "è", "in", "con",
            "per", "non", "si", "suo", "sua", "ma", "nel", "nella", "dei", "lei", "lui", "ha", "sono", "io", "da",
            "al",
        ],
    },
    Tongue {
        code: "pt",
        english: "Portuguese",
        words: &[
            "o", "a", "os", "as", "um", "uma", "de", "do", "da", "dos", "das", "e", "que", "é", "em", "com", "por",
            "para", "seu", "sua", "não", "ela", "ele", "eu", "no", "na", "mas", "ao",
        ],
    },
    Tongue {
        code: "nl",
        english: "Dutch",
        words: &[
            "de", "het", "een", "en", "van", "die", "is", "met", "in", "op", "voor", "niet", "zij", "hij", "ik",
            "zijn", "haar", "dat", "aan", "maar", "uit", "ze", "als",
        ],
    },
    Tongue {
        code: "pl",
        english: "Polish",
        words: &[
            "i", "w", "z", "na", "nie", "się", "jest", "który", "która", "do", "że", "ale", "jak", "o", "od", "jego",
            "jej",
        ],
    },
    Tongue {
        code: "sv",
        english: "Swedish",
        words: &[
            "och", "en", "ett", "som", "är", "i", "på", "med", "för", "inte", "hon", "han", "av", "till", "men", "sin",
            "den",
        ],
    },
];

const fn of_script(code: &'static str, english: &'static str) -> Tongue {
    Tongue { code, english, words: &[] }
}

/// The language of a text; `None` when too little of it says so.
#[must_use]
pub fn of(text: &str) -> Option<Tongue> {
    by_script(text).or_else(|| by_words(text))
}

fn by_script(text: &str) -> Option<Tongue> {
    let count = |from: char, to: char| text.chars().filter(|c| (from..=to).contains(c)).count();
    let letters = text.chars().filter(|c| c.is_alphabetic()).count().max(1);
    // A word in another script does not make a text.
    let much = |n: usize| n * 3 > letters;
    let (kana, han) = (count('\u{3040}', '\u{30ff}'), count('\u{4e00}', '\u{9fff}'));
    if much(kana + han) {
        return Some(if kana > 0 { of_script("ja", "Japanese") } else { of_script("zh", "Chinese") });
    }
    let cyrillic = count('\u{0400}', '\u{04ff}');
    if much(cyrillic) {
        let ukrainian = text.contains(['і', 'ї', 'є', 'ґ']);
        return Some(if ukrainian { of_script("uk", "Ukrainian") } else { of_script("ru", "Russian") });
    }
    [
        ('\u{ac00}', '\u{d7af}', of_script("ko", "Korean")),
        ('\u{0600}', '\u{06ff}', of_script("ar", "Arabic")),
        ('\u{0590}', '\u{05ff}', of_script("he", "Hebrew")),
        ('\u{0370}', '\u{03ff}', of_script("el", "Greek")),
        ('\u{0900}', '\u{097f}', of_script("hi", "Hindi")),
        ('\u{0e00}', '\u{0e7f}', of_script("th", "Thai")),
    ]
    .into_iter()
    .find(|(from, to, _)| much(count(*from, *to)))
    .map(|(.., tongue)| tongue)
}

fn by_words(text: &str) -> Option<Tongue> {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty()).collect();
    // A word that many languages have says little.
    let worth = |word: &str| 1.0 / LATIN.iter().filter(|t| t.words.contains(&word)).count().max(1) as f64;
    let score = |tongue: &Tongue| words.iter().filter(|w| tongue.words.contains(w)).map(|w| worth(w)).sum::<f64>();
    let mut scores: Vec<(f64, Tongue)> = LATIN.iter().map(|tongue| (score(tongue), *tongue)).collect();
    scores.sort_by(|a, b| b.0.total_cmp(&a.0));
    match scores.as_slice() {
        [(best, tongue), (next, _), ..] if *best >= 0.9 && best > next => Some(*tongue),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn sentences_are_told_apart() {
        for (text, code) in [
            ("A shy lighthouse keeper who collects storms in glass jars", "en"),
            ("Nyx, a clever thief with a mechanical cat", "en"),
            ("Ein mürrischer alter Uhrmacher aus Prag, der mit Raben spricht", "de"),
            ("Eine Wirtin, die jede Lüge hört", "de"),
            ("une vieille sorcière bretonne qui vend des tempêtes", "fr"),
            ("Un gardien de phare qui a peur de l'eau", "fr"),
            ("Una bruja vieja que vende tormentas en el mercado", "es"),
            ("Un vecchio liutaio che parla con i suoi violini", "it"),
            ("Um pescador que não sabe nadar e conversa com o mar", "pt"),
            ("Een oude molenaar die niet van de wind houdt", "nl"),
            ("嘘しか言えない狐の古本屋", "ja"),
            ("一个害怕安静的幽灵图书管理员", "zh"),
            ("Старый часовщик, который говорит с воронами", "ru"),
            ("바다를 무서워하는 등대지기", "ko"),
        ] {
            assert_eq!(of(text).map(|t| t.code), Some(code), "{text}");
        }
        for text in ["Vesper Quill", "!!!", "", "Lumina 42"] {
            assert_eq!(of(text), None, "{text}");
        }
        assert_eq!(of("A fox called 狐 who lives in the market").map(|t| t.code), Some("en"));
    }
}
