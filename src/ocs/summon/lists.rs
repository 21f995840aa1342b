//! What is drawn from: how names begin, what people carry, and how they are.

/// How names may begin; the model goes on from there.
pub const NAME_STARTS: &[&str] = &[
    "Al", "Am", "An", "Ar", "As", "Be", "Bri", "Ca", "Ce", "Co", "Da", "De", "Do", "Ed", "El", "Em", "Es", "Fa", "Fe",
    "Fi", "Ga", "Gi", "Ha", "He", "Id", "In", "Is", "Ja", "Jo", "Ju", "Ka", "Ke", "Ki", "La", "Le", "Li", "Lo", "Lu",
    "Ma", "Me", "Mi", "Mo", "Na", "Ne", "Ni", "No", "Od", "Ol", "Or", "Os", "Pa", "Pe", "Pi", "Qu", "Ra", "Re", "Ri",
    "Ro", "Ru", "Sa", "Se", "Si", "So", "Su", "Ta", "Te", "Ti", "To", "Tu", "Ul", "Va", "Ve", "Vi", "Wi", "Ya", "Yo",
    "Za", "Ze",
];

/// How a thing is.
pub const KINDS: &[&str] = &[
    "brass", "silver", "copper", "wooden", "glass", "broken", "cracked", "rusty", "dented", "folded", "faded", "blue",
    "red", "green", "painted", "smooth", "heavy", "stolen", "borrowed", "burnt", "bent", "velvet", "leather", "stone",
    "black", "white", "crooked", "carved", "worn", "warm", "cold", "striped", "yellow",
];

/// What somebody may carry.
pub const THINGS: &[&str] = &[
    "compass",
    "key",
    "whistle",
    "lantern",
    "thimble",
    "coin",
    "ring",
    "button",
    "feather",
    "shell",
    "pebble",
    "candle",
    "mirror",
    "notebook",
    "pencil",
    "spoon",
    "cup",
    "bell",
    "needle",
    "ribbon",
    "map",
    "letter",
    "photograph",
    "watch",
    "lens",
    "bottle",
    "jar",
    "box",
    "scarf",
    "glove",
    "hat",
    "coat",
    "umbrella",
    "cane",
    "knife",
    "flute",
    "harmonica",
    "drum",
    "marble",
    "doll",
    "mask",
    "locket",
    "pendant",
    "bracelet",
    "brooch",
    "charm",
    "medal",
    "pin",
    "belt",
    "pouch",
    "basket",
    "seed",
    "leaf",
    "flower",
    "tooth",
    "bone",
    "claw",
    "horn",
    "egg",
    "teapot",
    "wrench",
    "gear",
    "spring",
    "radio",
    "lamp",
    "book",
    "clock",
    "rope",
    "net",
    "quill",
    "inkwell",
    "stamp",
    "ticket",
    "kettle",
    "blanket",
    "pillow",
    "hourglass",
    "telescope",
    "music-box",
    "matchbox",
    "postcard",
    "chess-piece",
    "die",
    "thread",
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

/// Whether three words fit one person: all different, none against another.
pub fn fit_together(natures: &[&str]) -> bool {
    natures.iter().enumerate().all(|(i, a)| {
        natures
            .iter()
            .skip(i + 1)
            .all(|b| a != b && !CLASHES.iter().any(|(x, y)| (x == a && y == b) || (x == b && y == a)))
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
    fn natures_do_not_contradict_themselves() {
        assert!(fit_together(&["shy", "kind", "clever"]));
        assert!(!fit_together(&["shy", "kind", "bold"]));
        assert!(!fit_together(&["shy", "shy", "kind"]));
    }
}
