//! What is drawn from: how names begin, what people carry, and how they are.

/// How names may begin; the model goes on from there.
pub const NAME_STARTS: &[&str] = &[
    "Al", "Am", "An", "Ar", "As", "Be", "Bri", "Ca", "Ce", "Co", "Da", "De", "Do", "Ed", "El", "Em", "Es", "Fa", "Fe",
    "Fi", "Ga", "Gi", "Ha", "He", "Id", "In", "Is", "Ja", "Jo", "Ju", "Ka", "Ke", "Ki", "La", "Le", "Li", "Lo", "Lu",
    "Ma", "Me", "Mi", "Mo", "Na", "Ne", "Ni", "No", "Od", "Ol", "Or", "Os", "Pa", "Pe", "Pi", "Qu", "Ra", "Re", "Ri",
    "Ro", "Ru", "Sa", "Se", "Si", "So", "Su", "Ta", "Te", "Ti", "To", "Tu", "Ul", "Va", "Ve", "Vi", "Wi", "Ya", "Yo",
    "Za", "Ze",
];

/// What somebody may carry, as one says it.
pub const THINGS: &[&str] = &[
    "a brass compass",
    "an iron key",
    "a tin whistle",
    "a storm lantern",
    "a silver thimble",
    "a worn coin",
    "a copper ring",
    "a pearl button",
    "a crow feather",
    "a spiral shell",
    "a smooth pebble",
    "a beeswax candle",
    "a pocket mirror",
    "a leather notebook",
    "a red pencil",
    "a wooden spoon",
    "a chipped cup",
    "a small brass bell",
    "a bone needle",
    "a blue ribbon",
    "a folded map",
    "an unopened letter",
    "a faded photograph",
    "a pocket watch",
    "a magnifying glass",
    "a green bottle",
    "an empty jar",
    "a music box",
    "a knitted scarf",
    "a felt hat",
    "a black umbrella",
    "a walking stick",
    "a folding knife",
    "a wooden flute",
    "an old harmonica",
    "a glass marble",
    "a rag doll",
    "a paper mask",
    "a silver locket",
    "a jade pendant",
    "a woven bracelet",
    "a beetle brooch",
    "a lucky charm",
    "a tarnished medal",
    "a velvet pouch",
    "a wicker basket",
    "a packet of seeds",
    "a pressed leaf",
    "a dried rose",
    "a shark tooth",
    "a deck of cards",
    "a painted egg",
    "a small teapot",
    "a tuning fork",
    "a clockwork bird",
    "a broken radio",
    "a book of poems",
    "an alarm clock",
    "a coil of rope",
    "a goose quill",
    "a glass inkwell",
    "a train ticket",
    "a copper kettle",
    "a patchwork blanket",
    "a small hourglass",
    "a folding telescope",
    "a box of matches",
    "an old postcard",
    "a chess piece",
    "a spool of thread",
    "a string of beads",
    "a snow globe",
    "a tin of tea",
    "a bag of salt",
    "a stick of chalk",
    "a fine paintbrush",
    "a wax seal",
    "a paper crane",
    "a rusty wrench",
    "a small hammer",
];

/// What somebody may be afraid of, and beginnings of words of those who would not be, or of whom it goes without saying. `~her` is
/// the word for theirs.
pub const FEARS: &[(&str, &str)] = &[
    ("thunder", "storm rain weather lightn cloud"),
    ("deep water", "sea ship river ocean sail pirate swim ferry mermaid fish lighthouse div water boat"),
    ("the dark", "night star moon ghost grave sleep dream shadow dark candle lamp"),
    ("spiders", "spid web insect"),
    ("geese", "goose bird farm"),
    ("moths", "moth butterfl insect"),
    ("great heights", "pilot bird mountain roof tower climb fly dragon sky cloud"),
    ("open fire", "dragon smith bak fire cook flam torch"),
    ("complete silence", "librari monk deaf hear quiet silent whisp silence"),
    ("large crowds", "act sing festival crowd circus"),
    ("small rooms", "cell prison cave"),
    ("locked doors", "thief lock key thiev burglar"),
    ("empty houses", "ghost haunt"),
    ("mirrors", "mirror glass"),
    ("growing old", "old retir ancient immortal"),
    ("being forgotten", "forget forgott memor rememb"),
    ("being laughed at", "clown jest jok comedian fool"),
    ("being late", "clock time watch"),
    ("being followed", "detect spy"),
    ("saying the wrong thing", ""),
    ("losing ~her way", "map cartograph navigat pilot guid lost"),
    ("losing ~her friends", ""),
    ("~her own temper", "angry rage fury"),
    ("breaking a promise", ""),
    ("owing anybody money", "merchant bank pirate"),
    ("making a mistake", ""),
    ("loud voices", "loud shout"),
    ("large dogs", "dog wolf hound fox"),
    ("doctors", "doctor healer nurse surgeon"),
    ("long goodbyes", ""),
    ("strangers at the door", "stranger"),
    ("telling the truth", "spy liar lie"),
    ("telling a lie", "liar lie"),
    ("asking for help", ""),
    ("the end of summer", "wint snow ice"),
    ("snakes", "snake serpent"),
    ("bridges", "bridg river"),
    ("long stairs", "tower lighthouse stair"),
    ("waking up alone", "alone lone hermit sleep"),
    ("letting anybody down", ""),
];

/// What a thing may make of somebody, behind `It makes her`.
pub const EFFECTS: &[&str] = &[
    "braver",
    "calmer",
    "bolder",
    "gentler",
    "kinder",
    "warmer",
    "quieter",
    "merrier",
    "prouder",
    "softer",
    "dreamier",
    "more patient",
    "more curious",
    "more careful",
    "more hopeful",
    "more playful",
    "more talkative",
    "more honest",
    "more stubborn",
    "more daring",
    "more forgiving",
    "more secretive",
    "more restless",
    "more trusting",
    "more generous",
    "more polite",
    "more observant",
    "more cheerful",
    "more serious",
    "more sentimental",
    "more determined",
    "more thoughtful",
    "more romantic",
    "more suspicious",
    "more superstitious",
    "more mischievous",
    "less lonely",
    "less nervous",
    "less serious",
    "less patient",
    "quick to laugh",
    "slow to anger",
    "slow to speak",
    "hard to fool",
    "eager to help",
    "easy to talk to",
    "good at listening",
    "hungry for stories",
    "homesick for a while",
    "sure of every step",
];

/// Effects that one thing does not have together.
const OPPOSITES: &[(&str, &str)] = &[
    ("calmer", "more restless"),
    ("quieter", "more talkative"),
    ("slow to speak", "more talkative"),
    ("easy to talk to", "more secretive"),
    ("easy to talk to", "slow to speak"),
    ("more honest", "more secretive"),
    ("more trusting", "more suspicious"),
    ("more trusting", "hard to fool"),
    ("more careful", "more daring"),
    ("bolder", "more careful"),
    ("less serious", "more serious"),
    ("more playful", "more serious"),
    ("merrier", "more serious"),
    ("more cheerful", "more serious"),
    ("quick to laugh", "more serious"),
    ("more patient", "less patient"),
    ("slow to anger", "less patient"),
    ("more patient", "more restless"),
    ("gentler", "more stubborn"),
    ("softer", "more stubborn"),
    ("less lonely", "homesick for a while"),
    ("more cheerful", "homesick for a while"),
    ("merrier", "homesick for a while"),
    ("calmer", "less nervous"),
    ("merrier", "more cheerful"),
    ("merrier", "quick to laugh"),
    ("kinder", "gentler"),
    ("kinder", "warmer"),
    ("gentler", "softer"),
    ("braver", "bolder"),
    ("bolder", "more daring"),
    ("braver", "more daring"),
    ("braver", "more suspicious"),
    ("dreamier", "more observant"),
    ("dreamier", "sure of every step"),
    ("less serious", "more playful"),
    ("less serious", "quick to laugh"),
    ("more restless", "sure of every step"),
    ("quieter", "quick to laugh"),
    ("quieter", "merrier"),
    ("more mischievous", "more serious"),
    ("more mischievous", "more polite"),
    ("more stubborn", "more forgiving"),
    ("calmer", "less patient"),
    ("softer", "hard to fool"),
];

/// What somebody may be like; the model chooses among some of them.
pub const NATURES: &[&str] = &[
    "shy",
    "quiet",
    "gentle",
    "kind",
    "warm",
    "patient",
    "stubborn",
    "proud",
    "brave",
    "careful",
    "clever",
    "curious",
    "playful",
    "lonely",
    "loyal",
    "polite",
    "blunt",
    "honest",
    "sly",
    "restless",
    "dreamy",
    "serious",
    "stern",
    "cheerful",
    "grumpy",
    "hopeful",
    "nervous",
    "calm",
    "bold",
    "tender",
    "witty",
    "vain",
    "generous",
    "wise",
    "reckless",
    "humble",
    "fierce",
    "dutiful",
    "forgetful",
    "solemn",
    "suspicious",
    "trusting",
    "merry",
    "anxious",
    "graceful",
    "clumsy",
    "precise",
    "mischievous",
    "sincere",
    "secretive",
    "talkative",
    "thoughtful",
    "romantic",
    "practical",
    "superstitious",
    "tired",
    "wistful",
    "tireless",
    "observant",
    "mysterious",
];

/// Pairs that one person is not at once.
const CLASHES: &[(&str, &str)] = &[
    ("quiet", "talkative"),
    ("shy", "bold"),
    ("shy", "talkative"),
    ("calm", "nervous"),
    ("calm", "anxious"),
    ("calm", "restless"),
    ("clumsy", "graceful"),
    ("clumsy", "precise"),
    ("suspicious", "trusting"),
    ("humble", "vain"),
    ("humble", "proud"),
    ("reckless", "careful"),
    ("merry", "grumpy"),
    ("cheerful", "grumpy"),
    ("merry", "solemn"),
    ("cheerful", "solemn"),
    ("honest", "sly"),
    ("honest", "secretive"),
    ("polite", "blunt"),
    ("tired", "tireless"),
    ("brave", "anxious"),
    ("brave", "nervous"),
    ("bold", "nervous"),
    ("bold", "anxious"),
    ("gentle", "fierce"),
    ("tender", "stern"),
    ("warm", "stern"),
    ("dreamy", "practical"),
    ("anxious", "nervous"),
    ("merry", "cheerful"),
    ("kind", "sly"),
    ("quiet", "bold"),
];

/// Whether words fit one person: all different, none against another.
pub fn fit_together(natures: &[&str]) -> bool {
    are_at_peace(natures, CLASHES)
}

/// Whether one thing can have these effects.
pub fn go_together(effects: &[&str]) -> bool {
    are_at_peace(effects, OPPOSITES)
}

fn are_at_peace(words: &[&str], clashes: &[(&str, &str)]) -> bool {
    words.iter().enumerate().all(|(i, a)| {
        let rest = words.get(i + 1..).unwrap_or_default();
        rest.iter().all(|b| a != b && !clashes.iter().any(|(x, y)| (x == a && y == b) || (x == b && y == a)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn natures_that_clash_are_natures() {
        for (a, b) in CLASHES {
            assert!(NATURES.contains(a) && NATURES.contains(b), "{a}, {b}");
        }
    }

    #[test]
    fn opposites_are_effects() {
        for (a, b) in OPPOSITES {
            assert!(EFFECTS.contains(a) && EFFECTS.contains(b) && !go_together(&[a, b]), "{a}, {b}");
        }
        assert!(go_together(&["braver", "more curious"]));
    }

    #[test]
    fn things_are_said_with_their_article() {
        for thing in THINGS {
            let (article, name) = thing.split_once(' ').unwrap();
            let wanted = if name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
            assert_eq!(article, wanted, "{thing}");
        }
    }

    #[test]
    fn natures_do_not_contradict_themselves() {
        assert!(fit_together(&["shy", "kind", "clever"]));
        assert!(!fit_together(&["shy", "kind", "bold"]));
        assert!(!fit_together(&["shy", "shy", "kind"]));
    }
}
