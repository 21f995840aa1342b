//! Two exchanges that show what remembering is: a name and an animal, told and asked for later.
//!
//! A model of one or two billion parameters that has seen this once finds a name ten lines back; without it, it often says
//! that it cannot know. They are said in the character's language, and only in languages that are known here; a character
//! whose own examples show remembering needs none.

/// What is told, what is asked, and the answers.
type Exchange = (&'static str, &'static str);

/// A language: words that are frequent in it and rare in the others, and the two exchanges.
struct Tongue {
    words: &'static [&'static str],
    told: Exchange,
    asked: Exchange,
}

const TONGUES: [Tongue; 4] = [
    Tongue {
        words: &["the", "and", "you", "is", "that", "it", "with", "have", "what", "my"],
        told: (
            "I'm Tove, by the way, and the dog at my feet is called Brisk.",
            "Tove and Brisk. Good names, I will keep both of them.",
        ),
        asked: (
            "Do you still know what my dog is called?",
            "Brisk, of course. And you are Tove, I have not forgotten.",
        ),
    },
    Tongue {
        words: &["der", "die", "und", "ich", "nicht", "ist", "das", "mit", "ein", "du"],
        told: (
            "Ich bin übrigens Tove, und der Hund zu meinen Füßen heißt Flink.",
            "Tove und Flink. Gute Namen, ich merke mir beide.",
        ),
        asked: (
            "Weißt du noch, wie mein Hund heißt?",
            "Flink, natürlich. Und du bist Tove, das habe ich nicht vergessen.",
        ),
    },
    Tongue {
        words: &["le", "les", "et", "je", "est", "une", "des", "pas", "dans", "vous"],
        told: (
            "Au fait, je m'appelle Tove, et le chien à mes pieds s'appelle Filou.",
            "Tove et Filou. De beaux noms, je les garde tous les deux.",
        ),
        asked: ("Tu te souviens du nom de mon chien ?", "Filou, bien sûr. Et toi, tu es Tove, je ne l'ai pas oublié."),
    },
    Tongue {
        words: &["el", "los", "y", "es", "una", "con", "por", "lo", "del", "muy"],
        told: (
            "Por cierto, me llamo Tove, y el perro a mis pies se llama Brinco.",
            "Tove y Brinco. Buenos nombres, guardo los dos.",
        ),
        asked: ("¿Te acuerdas de cómo se llama mi perro?", "Brinco, claro. Y tú eres Tove, no lo he olvidado."),
    },
];

/// The exchanges with the two among them: the telling after the second, the asking after the fifth.
pub(super) fn among(own: Vec<(String, String)>) -> Vec<(String, String)> {
    if shows_remembering(&own) {
        return own;
    }
    let said: Vec<&str> = own.iter().map(|(_, said)| said.as_str()).collect();
    let Some(tongue) = tongue(&said.join(" ")) else { return own };
    let owned = |(asked, said): Exchange| (asked.to_owned(), said.to_owned());
    let mut own = own;
    own.insert(own.len().min(2), owned(tongue.told));
    own.insert(own.len().min(6), owned(tongue.asked));
    own
}

/// Whether the character says a name that a person told it before: one inside a sentence, at least four letters long.
fn shows_remembering(own: &[(String, String)]) -> bool {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphabetic()).filter(|w| w.chars().count() > 3).map(str::to_owned).collect()
    };
    own.iter().enumerate().any(|(at, (told, _))| {
        let inside = told.split_once(' ').map(|(_, rest)| rest).unwrap_or_default();
        let names = words(inside).into_iter().filter(|w| w.starts_with(char::is_uppercase));
        let later = own.iter().skip(at + 1).filter(|(asked, _)| !asked.is_empty());
        names
            .into_iter()
            .any(|name| later.clone().any(|(asked, said)| !asked.contains(&name) && words(said).contains(&name)))
    })
}

/// The language of a text, if one is plainly ahead; `None` for others and for too few words.
fn tongue(text: &str) -> Option<&'static Tongue> {
    let text = text.to_lowercase();
    let words: Vec<&str> = text.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty()).collect();
    let count = |tongue: &Tongue| words.iter().filter(|w| tongue.words.contains(w)).count();
    let mut counts: Vec<(usize, &Tongue)> = TONGUES.iter().map(|tongue| (count(tongue), tongue)).collect();
    counts.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    match counts.as_slice() {
        // Of frequent words a text holds one in ten at least.
        [(first, tongue), (second, _), ..] if *first > 2 * second && first * 12 >= words.len() && *first > 1 => {
            Some(*tongue)
        }
        _ => None,
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    fn lines(said: &[&str]) -> Vec<(String, String)> {
        said.iter().map(|s| ("?".to_owned(), (*s).to_owned())).collect()
    }

    #[test]
    fn remembering_is_shown_in_the_characters_language() {
        for (said, name) in [
            ("The light comes in low and you have to be quick. What is it that you see?", "Brisk"),
            ("Das Eisen ist heiß und ich habe nicht viel Zeit. Mit der Zange geht es.", "Flink"),
            ("Je tisse la nuit et les lampes sont pas loin, dans une boîte.", "Filou"),
            ("El mar es muy frío y los barcos duermen con una luz.", "Brinco"),
        ] {
            let shown = among(lines(&[said, "…", "…", "…", "…", "…"]));
            assert_eq!(shown.len(), 8);
            assert!(shown[2].1.contains(name) && shown[6].1.contains(name), "{shown:?}");
        }
    }

    #[test]
    fn who_shows_it_needs_none() {
        let own = |asked: &str, said: &str| (asked.to_owned(), said.to_owned());
        let mut shown = vec![
            own("I am Tove and this is the dog.", "Tove. What is it that you have there?"),
            own("Who am I?", "You are Tove, and it is late, and the lamp is low."),
        ];
        assert_eq!(among(shown.clone()).len(), 2);
        shown[1].0 = "Am I Tove?".into();
        assert_eq!(among(shown).len(), 4, "a name that is in the question need not be remembered");
    }

    #[test]
    fn other_languages_get_none() {
        for said in ["Ich", "Море холодное, и лодки спят.", "海は冷たい。", "Merja keittää teetä ja meri on kylmä.", ""]
        {
            assert_eq!(among(lines(&[said])).len(), 1, "{said}");
        }
    }
}
