//! Judging names: whether somebody may be called that, and how readers take it.

use super::{
    check::is_noise,
    idea::Pronoun,
    vocabulary::{STOP_WORDS, stem},
};

/// Points for a name, or `None` if nobody is called that. `topic` holds stems that a name should not repeat.
pub fn judge_name(name: &str, pronoun: Pronoun, topic: &[String]) -> Option<f64> {
    const NOT_NAMES: &[&str] = &[
        "the",
        "and",
        "her",
        "his",
        "name",
        "captain",
        "sir",
        "lady",
        "lord",
        "mr",
        "mrs",
        "miss",
        "doctor",
        "lovely",
        "happy",
        "beauty",
        "anaconda",
        "hitler",
        "adolf",
        "satan",
        "lucifer",
        "jesus",
        "allah",
        "god",
        "none",
        "unknown",
        "alien",
        "robot",
        "dragon",
        "vampire",
        "ghost",
        "knight",
        "witch",
        "pirate",
        "america",
        "elizabeth",
        "stalin",
        "potter",
        "gandalf",
        "frodo",
        "batman",
        "superman",
        "porn",
        "rapist",
    ];
    let parts: Vec<&str> = name.split(' ').collect();
    if parts.is_empty() || parts.len() > 2 {
        return None;
    }
    let mut points = 0.0;
    for part in &parts {
        let length = part.chars().count();
        let lower = part.to_lowercase();
        if !(3..=10).contains(&length)
            || !part.chars().all(|c| c.is_ascii_alphabetic())
            || !part.starts_with(|c: char| c.is_ascii_uppercase())
            || part.chars().skip(1).any(|c| c.is_ascii_uppercase())
            || NOT_NAMES.iter().any(|n| lower == *n || (n.len() > 3 && lower.contains(n)))
            || STOP_WORDS.contains(&lower.as_str())
            || topic.contains(&stem(&lower))
            || !sounds(&lower)
        {
            return None;
        }
        points -= 0.25 * (f64::from(u32::try_from(length).unwrap_or(9)) - 5.5).abs();
    }
    if parts.first().and_then(|first| heard_as(first)).is_some_and(|heard| heard != pronoun && pronoun != Pronoun::They)
    {
        points -= 3.0;
    }
    // A name that could be anybody's leaves readers in doubt.
    if pronoun != Pronoun::They && parts.first().is_some_and(|first| heard_as(first).is_none()) {
        points -= 1.0;
    }
    if let [first, last] = parts.as_slice() {
        points += 0.6;
        if first.eq_ignore_ascii_case(last) || last.to_lowercase().starts_with(&first.to_lowercase()) {
            return None;
        }
    }
    Some(points)
}

/// How most readers take a first name, one they know or by its ending; `None` when it could be anybody's.
pub fn heard_as(name: &str) -> Option<Pronoun> {
    const SHE: &[&str] = &[
        "megan", "meghan", "susan", "joan", "vivian", "lilian", "gillian", "marian", "alison", "sharon", "esther",
        "amber", "ember", "heather", "summer", "pilar", "manon", "marion", "ingrid", "astrid", "sigrid", "enid",
        "carmen", "karen", "ellen", "helen", "gwen", "morgan", "iris", "doris", "agnes", "ines", "mabel", "hazel",
        "ethel", "rachel", "abigail", "sarah", "hannah", "judith", "edith", "ruth", "emily", "mary", "lucy", "amy",
        "ivy", "daisy", "molly", "nelly", "sally", "daphne", "penelope", "chloe", "zoe", "phoebe", "jane", "anne",
        "rose", "eve", "maeve", "niamh", "margot",
    ];
    const HE: &[&str] = &[
        "luca", "ezra", "joshua", "nikola", "elia", "archie", "eddie", "freddie", "maurice", "jamie", "alfie", "sasha",
        "noah", "elijah", "james", "thomas", "henry", "harry", "george", "luke", "jack", "john", "mark", "paul",
        "peter", "david", "silas", "felix", "seamus", "liam", "william", "adam", "tim", "jim", "tom", "finn", "owen",
        "kevin", "martin", "benjamin", "edwin", "alvin", "joseph", "hugh", "ralph", "albert", "ernest", "walter",
        "oscar", "omar", "dave",
    ];
    let name = name.to_lowercase();
    if SHE.contains(&name.as_str()) {
        return Some(Pronoun::She);
    }
    if HE.contains(&name.as_str()) {
        return Some(Pronoun::He);
    }
    let ends = |list: &[&str]| list.iter().any(|e| name.ends_with(e));
    if ends(&["a", "ie", "elle", "ette", "ine", "beth", "een", "lyn", "issy", "ilde", "ise", "ice", "aret"]) {
        Some(Pronoun::She)
    } else if ends(&[
        "o", "us", "os", "or", "ard", "ert", "rick", "iel", "an", "on", "mund", "mond", "as", "ar", "er", "ald", "ix",
    ]) {
        Some(Pronoun::He)
    } else {
        None
    }
}

/// Whether a word can be said: no more than three consonants or two vowels in a row, at its ends no more than two.
fn sounds(word: &str) -> bool {
    let kinds: Vec<bool> = word.chars().map(|c| matches!(c, 'a' | 'e' | 'i' | 'o' | 'u' | 'y')).collect();
    let longest = |vowel: bool| kinds.split(|k| *k != vowel).map(<[bool]>::len).max().unwrap_or(0);
    let start = kinds.iter().take_while(|k| !**k).count();
    let end = kinds.iter().rev().take_while(|k| !**k).count();
    longest(false) <= 3 && (1..=2).contains(&longest(true)) && start <= 2 && end <= 2 && !is_noise(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_can_be_said() {
        for name in ["Mira", "Amara Blackwood", "Ember Vale", "Corvin Hale", "Leila"] {
            assert!(judge_name(name, Pronoun::They, &[]).is_some(), "{name}");
        }
        for name in [
            "Xq",
            "Brrna",
            "The",
            "Mira Mira",
            "mira",
            "Miraaa",
            "MIRA",
            "Mi ra",
            "Gardener Robot",
            "Anaconda",
            "A",
            "",
            "Mira V",
        ] {
            assert!(judge_name(name, Pronoun::They, &[]).is_none(), "{name}");
        }
        assert!(judge_name("Juana", Pronoun::She, &[]) > judge_name("Juana", Pronoun::He, &[]));
        assert!(judge_name("Megan", Pronoun::She, &[]) > judge_name("Megan", Pronoun::He, &[]));
        assert!(judge_name("Marcus", Pronoun::He, &[]) > judge_name("Zahell", Pronoun::He, &[]), "nobody knows");
        assert!(judge_name("Storm", Pronoun::He, &["storm".to_owned()]).is_none());
    }

    proptest! {
        #[test]
        fn any_name_can_be_judged(name in "\\PC{0,40}") {
            let _ = judge_name(&name, Pronoun::She, &[]);
        }
    }
}
