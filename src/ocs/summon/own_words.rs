//! The asker's clause turned round: `who collects storms` in the character's own mouth is `I collect storms`.

/// Words between `who` and the verb.
const ADVERBS: &[&str] = &[
    "never",
    "always",
    "only",
    "now",
    "still",
    "once",
    "often",
    "sometimes",
    "also",
    "just",
    "secretly",
    "quietly",
    "not",
];

/// What follows `who` or `that`, as the character would say it after `I`.
pub(super) fn own_words_of(phrase: &str) -> Option<String> {
    let lower = phrase.to_lowercase();
    let (at, mark) = [" who ", " that "].iter().filter_map(|m| lower.find(m).map(|at| (at, m.len()))).min()?;
    let clause = phrase.get(at + mark..)?;
    let clause = clause.split(['.', ';', '!', '?']).next().unwrap_or(clause);
    let all: Vec<&str> = clause.split(' ').collect();
    // "a thief that nobody saw": the character is not the one who acts.
    let first = all.first()?.to_lowercase();
    let others = ["nobody", "everyone", "everybody", "people", "the", "a", "an", "he", "she", "they", "no"];
    if all.len() < 2 || others.contains(&first.as_str()) {
        return None;
    }
    let mut out: Vec<String> = Vec::new();
    let mut verb_next = true;
    for (i, word) in all.iter().enumerate() {
        let bare = word.trim_end_matches(',');
        let comma = if bare.len() < word.len() { "," } else { "" };
        let lower = bare.to_lowercase();
        let adverb = ADVERBS.contains(&lower.as_str()) || (lower.ends_with("ly") && lower.len() > 4);
        let said = if verb_next && !adverb {
            verb_next = false;
            first_person_verb(&lower).unwrap_or_else(|| bare.to_owned())
        } else {
            match lower.as_str() {
                "is" | "has" | "does" | "was"
                    if out.last().is_some_and(|w| matches!(w.as_str(), "and" | "but" | "now")) =>
                {
                    first_person_verb(&lower).unwrap_or_else(|| bare.to_owned())
                }
                "her" | "his" | "their" | "its" => {
                    // "talks to her" at the end speaks of somebody else.
                    if i + 1 == all.len() || comma == "," { return None } else { "my".to_owned() }
                }
                "herself" | "himself" | "themself" | "themselves" | "itself" => "myself".to_owned(),
                "she" | "he" | "they" => return None,
                _ if out.last().is_some_and(|w| matches!(w.as_str(), "and" | "but")) && is_common_verb(&lower) => {
                    first_person_verb(&lower).unwrap_or_else(|| bare.to_owned())
                }
                _ => bare.to_owned(),
            }
        };
        out.push(format!("{said}{comma}"));
    }
    let said = out.join(" ");
    (said.chars().count() <= 160 && !verb_next).then(|| said.trim_end_matches([',', ' ']).to_owned())
}

/// `collects` gives `collect`; `None` for a verb that stays as it is.
fn first_person_verb(verb: &str) -> Option<String> {
    let irregular = match verb {
        "is" | "are" => "am",
        "was" | "were" => "was",
        "has" => "have",
        "does" => "do",
        "goes" => "go",
        "can" | "could" | "must" | "will" | "would" | "should" | "may" | "might" | "had" | "did" => return None,
        _ => "",
    };
    if !irregular.is_empty() {
        return Some(irregular.to_owned());
    }
    if verb.ends_with("ss") || verb.ends_with("us") || !verb.ends_with('s') {
        return None;
    }
    if let Some(base) = verb.strip_suffix("ies") {
        return Some(if base.chars().count() <= 1 { format!("{base}ie") } else { format!("{base}y") });
    }
    for ending in ["sses", "shes", "ches", "xes", "zzes", "oes"] {
        if verb.ends_with(ending) {
            return verb.strip_suffix("es").map(str::to_owned);
        }
    }
    verb.strip_suffix('s').map(str::to_owned)
}

/// Third-person verbs that may follow `and` without being a plural.
fn is_common_verb(word: &str) -> bool {
    const VERBS: &[&str] = &[
        "writes",
        "keeps",
        "runs",
        "collects",
        "sells",
        "talks",
        "speaks",
        "sings",
        "plays",
        "loves",
        "hates",
        "fears",
        "hides",
        "waits",
        "watches",
        "knows",
        "wants",
        "makes",
        "bakes",
        "teaches",
        "lives",
        "sleeps",
        "dreams",
        "walks",
        "reads",
        "tells",
        "gives",
        "takes",
        "carries",
        "steals",
        "fixes",
        "mends",
        "paints",
        "grows",
        "feeds",
        "finds",
        "loses",
        "forgets",
        "remembers",
        "never",
        "refuses",
        "tries",
        "believes",
        "thinks",
        "feels",
        "works",
        "wears",
        "brings",
        "builds",
        "breaks",
        "counts",
        "draws",
        "drinks",
        "eats",
        "fights",
        "guards",
        "hunts",
        "leaves",
        "learns",
        "lies",
        "listens",
        "needs",
        "pretends",
        "repairs",
        "saves",
        "searches",
        "seeks",
        "travels",
        "wanders",
        "whispers",
        "wishes",
    ];
    VERBS.contains(&word)
}
