//! From what people write about a character to the words of its portrait.

use super::traits::{
    Age, Air, Beard, Build, Ears, Eyes, Eyewear, Garb, Ground, Hair, HairColour, Halo, Headgear, Mark, Mouth, Skin,
    Traits, Wings,
};

/// Longest text that is read, in characters: what comes later rarely says how somebody looks.
const LONGEST: usize = 6_000;

/// Words that take the next one back, or hand it to somebody else: "no beard", "her fox".
const NOT_HERS: &[&str] = &[
    "no",
    "not",
    "without",
    "never",
    "his",
    "her",
    "their",
    "its",
    "my",
    "pet",
    "has",
    "have",
    "keeps",
    "owns",
    "feeds",
    "hunts",
    "fears",
    "loves",
    "hates",
    "chases",
    "raises",
    "befriends",
    "like",
];

impl Traits {
    /// Reads a description, a list of words, or both.
    ///
    /// A part between commas that is exactly one known word is taken as such ("antlers, rain, moss"). Everything else is
    /// read as prose, where colours count only beside "hair", "eyes" or "skin" and animals only when they are not
    /// somebody's pet.
    pub fn from_words(text: &str) -> Self {
        let text: String = text.chars().take(LONGEST).collect::<String>().to_lowercase();
        let mut traits = Self::default();
        for part in text.split([',', ';', '\n', '.']).map(str::trim) {
            traits.take_tag(part);
        }
        let words: Vec<&str> = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).collect();
        traits.take_colours(&words);
        for (at, word) in words.iter().enumerate() {
            let before = |back: usize| at.checked_sub(back).and_then(|at| words.get(at)).copied().unwrap_or("");
            let next = words.get(at + 1).copied().unwrap_or("");
            if matches!(before(1), "no" | "not" | "without" | "never" | "isn" | "hardly") {
                continue;
            }
            let hers = !(1..=3).any(|back| NOT_HERS.contains(&before(back)));
            traits.take_word(word, next, hers);
        }
        traits.take_build(&words);
        traits
    }

    /// A tag that is one word of the lists.
    fn take_tag(&mut self, tag: &str) {
        if tag.is_empty() || tag.contains(' ') {
            return;
        }
        set(&mut self.halo, tag.parse().ok());
        set(&mut self.air, tag.parse().ok());
        set(&mut self.ground, tag.parse().ok());
        set(&mut self.hair, tag.parse().ok());
        set(&mut self.fringe, tag.parse().ok());
        set(&mut self.headgear, tag.parse().ok());
        set(&mut self.eyes, tag.parse().ok());
        set(&mut self.mouth, tag.parse().ok());
        set(&mut self.garb, tag.parse().ok());
        set(&mut self.beard, tag.parse().ok());
        set(&mut self.eyewear, tag.parse().ok());
        set(&mut self.ears, tag.parse().ok());
        set(&mut self.skin, tag.parse().ok());
        set(&mut self.build, tag.parse().ok());
        set(&mut self.age, tag.parse().ok());
        set(&mut self.wings, tag.parse().ok());
        if let Ok(mark) = tag.parse() {
            self.mark(mark);
        }
    }

    fn mark(&mut self, mark: Mark) {
        if !self.marks.contains(&mark) && self.marks.len() < 3 {
            self.marks.push(mark);
        }
    }

    /// "long black hair", "hair as red as rust", "green eyes", "blue-skinned".
    fn take_colours(&mut self, words: &[&str]) {
        for (at, word) in words.iter().enumerate() {
            let near = || {
                let from = at.saturating_sub(4);
                let back = words.get(from..at).unwrap_or(&[]).iter().rev();
                let on = words.get(at + 1..).unwrap_or(&[]).iter().take(4);
                back.chain(on).copied()
            };
            match *word {
                "hair" | "haired" | "curls" | "braid" | "braids" | "locks" | "mane" => {
                    set(&mut self.hair_colour, near().take(5).find_map(colour));
                    for word in near().take(4) {
                        set(&mut self.hair, hair_word(word));
                    }
                }
                "eyes" | "eyed" | "gaze" => set(&mut self.eye_colour, near().take(4).find_map(colour)),
                "skin" | "skinned" | "complexion" | "fur" | "furred" | "scaled" => {
                    set(&mut self.skin, near().take(3).find_map(skin_word));
                }
                _ => {}
            }
        }
    }

    /// One word of prose. `hers` is false when it seems to belong to somebody else.
    fn take_word(&mut self, word: &str, next: &str, hers: bool) {
        set(&mut self.halo, halo_word(word));
        set(&mut self.air, air_word(word));
        set(&mut self.ground, ground_word(word));
        set(&mut self.garb, garb_word(word));
        set(&mut self.hair, plain_hair_word(word));
        set(&mut self.eyes, eyes_word(word));
        set(&mut self.mouth, mouth_word(word));
        set(&mut self.beard, beard_word(word));
        set(&mut self.eyewear, eyewear_word(word));
        set(&mut self.age, age_word(word));
        if word == "earring" || word == "earrings" {
            self.earring = true;
        }
        if let Some(mark) = mark_word(word) {
            self.mark(mark);
        }
        set(&mut self.headgear, worn_word(word, next));
        set(&mut self.wings, wings_word(word));
        if hers {
            self.take_kin(word, next);
        }
    }

    /// What somebody is: an animal, a machine, a being, a calling.
    fn take_kin(&mut self, word: &str, next: &str) {
        match word {
            "fox" | "foxes" | "kitsune" | "vulpine" | "wolf" | "werewolf" | "jackal" | "coyote" | "dog" => {
                set(&mut self.headgear, Some(Headgear::FoxEars));
                self.mark(Mark::Whiskers);
            }
            "cat" | "catgirl" | "catboy" | "feline" | "tabby" | "lynx" | "tiger" | "lioness" | "panther" => {
                set(&mut self.headgear, Some(Headgear::CatEars));
                self.mark(Mark::Whiskers);
            }
            "rabbit" | "bunny" | "hare" => {
                set(&mut self.headgear, Some(Headgear::RabbitEars));
                self.mark(Mark::Whiskers);
            }
            "moth" | "mothfolk" | "bee" | "insect" | "beetle" | "butterfly" if next != "wings" => {
                set(&mut self.headgear, Some(Headgear::Antennae));
            }
            "stag" | "deer" | "faun" | "fawn" | "elk" => set(&mut self.headgear, Some(Headgear::Antlers)),
            "ram" | "goat" | "sheep" | "satyr" => set(&mut self.headgear, Some(Headgear::RamHorns)),
            "demon" | "devil" | "imp" | "tiefling" | "oni" | "dragon" | "minotaur" => {
                set(&mut self.headgear, Some(Headgear::Horns));
                set(&mut self.ears, Some(Ears::Pointed));
            }
            "elf" | "elven" | "elvish" | "fairy" | "fae" | "faerie" | "goblin" | "vampire" | "pixie" => {
                set(&mut self.ears, Some(Ears::Pointed));
                match word {
                    "fairy" | "pixie" => set(&mut self.wings, Some(Wings::Butterfly)),
                    "goblin" => set(&mut self.skin, Some(Skin::Moss)),
                    "vampire" => set(&mut self.skin, Some(Skin::Porcelain)),
                    _ => {}
                }
            }
            "orc" | "ogre" | "troll" => {
                set(&mut self.ears, Some(Ears::Pointed));
                set(&mut self.skin, Some(Skin::Moss));
                set(&mut self.build, Some(Build::Strong));
            }
            "robot" | "android" | "automaton" | "cyborg" | "golem" | "machine" | "clockwork" | "droid" => {
                set(&mut self.skin, Some(Skin::Metal));
                set(&mut self.ears, Some(Ears::Bolts));
                set(&mut self.eyes, Some(Eyes::Glowing));
                self.mark(Mark::Circuit);
            }
            "mermaid" | "merfolk" | "merman" | "siren" | "selkie" | "nereid" => {
                set(&mut self.ears, Some(Ears::Fins));
                set(&mut self.skin, Some(Skin::Jade));
                set(&mut self.air, Some(Air::Bubbles));
            }
            "ghost" | "spirit" | "spectre" | "specter" | "phantom" | "wraith" => {
                set(&mut self.skin, Some(Skin::Spectral));
            }
            "dryad" | "treant" => {
                set(&mut self.skin, Some(Skin::Moss));
                set(&mut self.headgear, Some(Headgear::Wreath));
            }
            "angel" | "angelic" | "seraph" | "valkyrie" | "harpy" => {
                set(&mut self.wings, Some(Wings::Feathered));
            }
            "alien" => set(&mut self.skin, Some(Skin::Azure)),
            "witch" | "wizard" | "warlock" => set(&mut self.headgear, Some(Headgear::WitchHat)),
            "pirate" | "corsair" | "buccaneer" | "privateer" => {
                set(&mut self.headgear, Some(Headgear::Tricorn));
                set(&mut self.garb, Some(Garb::Coat));
                self.earring = true;
            }
            "king" | "queen" | "prince" | "princess" | "monarch" | "emperor" | "empress" => {
                set(&mut self.headgear, Some(Headgear::Crown));
            }
            "knight" | "paladin" | "soldier" | "templar" => set(&mut self.garb, Some(Garb::Armour)),
            "smith" | "blacksmith" | "baker" | "cook" | "gardener" | "potter" => {
                set(&mut self.garb, Some(Garb::Apron));
            }
            "sailor" | "boatswain" | "ferryman" => set(&mut self.garb, Some(Garb::Sailor)),
            "monk" | "priest" | "priestess" | "mage" | "sorcerer" | "sorceress" | "sage" => {
                set(&mut self.garb, Some(Garb::Robe));
            }
            "samurai" | "ronin" | "ninja" | "geisha" => set(&mut self.garb, Some(Garb::Wrap)),
            "aviator" | "mechanic" | "inventor" | "tinkerer" => set(&mut self.headgear, Some(Headgear::Goggles)),
            "painter" => set(&mut self.headgear, Some(Headgear::Beret)),
            _ => {}
        }
    }

    /// Pronouns and words for people lean the build of the face one way or the other; a mixed text leans it neither way.
    fn take_build(&mut self, words: &[&str]) {
        let count = |list: &[&str]| words.iter().filter(|word| list.contains(word)).count();
        let soft = count(&[
            "she",
            "her",
            "hers",
            "herself",
            "woman",
            "girl",
            "lady",
            "queen",
            "princess",
            "mother",
            "daughter",
            "sister",
            "maiden",
            "priestess",
            "empress",
            "grandmother",
            "goddess",
        ]);
        let strong = count(&[
            "he",
            "him",
            "his",
            "himself",
            "man",
            "boy",
            "king",
            "prince",
            "father",
            "son",
            "brother",
            "emperor",
            "grandfather",
            "god",
            "gentleman",
        ]);
        if soft > strong * 2 {
            set(&mut self.build, Some(Build::Soft));
        } else if strong > soft * 2 {
            set(&mut self.build, Some(Build::Strong));
        }
    }
}

/// The first word that speaks of a thing decides it.
fn set<T>(slot: &mut Option<T>, found: Option<T>) {
    if slot.is_none() {
        *slot = found;
    }
}

fn colour(word: &str) -> Option<HairColour> {
    Some(match word {
        "black" | "raven" | "ebony" | "jet" | "onyx" | "dark" | "obsidian" => HairColour::Black,
        "brown" | "brunette" | "hazel" | "mousy" | "umber" => HairColour::Brown,
        "chestnut" | "tawny" | "russet" => HairColour::Chestnut,
        "auburn" | "mahogany" => HairColour::Auburn,
        "copper" | "ginger" | "orange" | "rust" | "amber" | "fiery" => HairColour::Copper,
        "blond" | "blonde" | "golden" | "gold" | "flaxen" | "yellow" | "straw" | "honey" => HairColour::Blond,
        "grey" | "gray" | "greying" | "ashen" => HairColour::Grey,
        "silver" | "silvery" | "platinum" => HairColour::Silver,
        "white" | "snowy" | "pale" => HairColour::White,
        "blue" | "azure" | "indigo" | "navy" | "sapphire" => HairColour::Blue,
        "teal" | "turquoise" | "cyan" | "aqua" => HairColour::Teal,
        "green" | "emerald" | "mossy" | "jade" => HairColour::Green,
        "pink" | "rose" | "magenta" => HairColour::Pink,
        "violet" | "purple" | "lavender" | "lilac" | "amethyst" => HairColour::Violet,
        "red" | "crimson" | "scarlet" | "ruby" => HairColour::Red,
        _ => return None,
    })
}

fn hair_word(word: &str) -> Option<Hair> {
    Some(match word {
        "long" | "flowing" | "straight" | "waist" => Hair::Long,
        "wavy" | "waves" | "windswept" => Hair::Wavy,
        "short" | "cropped" | "neat" => Hair::Short,
        "curly" | "curls" | "curled" => Hair::Curly,
        "spiky" | "spiked" | "messy" | "tousled" => Hair::Spiky,
        "slick" | "slicked" | "combed" => Hair::Slick,
        "wild" | "shaggy" | "unkempt" | "untamed" => Hair::Mane,
        _ => return None,
    })
}

/// Words that speak of hair without the word "hair" beside them.
fn plain_hair_word(word: &str) -> Option<Hair> {
    Some(match word {
        "bob" => Hair::Bob,
        "braid" | "braided" | "plait" => Hair::Braid,
        "braids" | "plaits" | "pigtails" => Hair::Braids,
        "ponytail" => Hair::Ponytail,
        "bun" | "chignon" | "topknot" => Hair::Bun,
        "curls" | "ringlets" => Hair::Curly,
        "afro" => Hair::Afro,
        "mohawk" | "undercut" => Hair::Mohawk,
        "locs" | "dreadlocks" | "dreads" => Hair::Locs,
        "bald" | "hairless" => Hair::Bald,
        "buzzcut" | "buzzed" => Hair::Crop,
        _ => return None,
    })
}

fn skin_word(word: &str) -> Option<Skin> {
    Some(match word {
        "pale" | "porcelain" | "white" | "pallid" | "alabaster" => Skin::Porcelain,
        "fair" | "light" => Skin::Fair,
        "rosy" | "ruddy" | "freckled" => Skin::Rosy,
        "golden" | "honey" | "warm" => Skin::Honey,
        "olive" => Skin::Olive,
        "tan" | "tanned" | "sunburnt" | "weathered" => Skin::Tan,
        "bronze" | "bronzed" | "copper" => Skin::Bronze,
        "brown" => Skin::Sienna,
        "dark" | "deep" | "umber" => Skin::Cocoa,
        "black" | "ebony" => Skin::Ebony,
        "blue" | "azure" => Skin::Azure,
        "green" | "mossy" | "moss" => Skin::Moss,
        "lilac" | "purple" | "violet" | "lavender" => Skin::Lilac,
        "grey" | "gray" | "ashen" | "stone" => Skin::Ash,
        "metal" | "steel" | "silver" | "chrome" => Skin::Metal,
        "coral" | "orange" => Skin::Coral,
        "jade" | "teal" | "sea" => Skin::Jade,
        "red" | "crimson" => Skin::Crimson,
        "translucent" | "glowing" => Skin::Spectral,
        "gold" | "gilded" => Skin::Gilded,
        _ => return None,
    })
}

fn halo_word(word: &str) -> Option<Halo> {
    Some(match word {
        "moon" | "moonlight" | "moonlit" | "lunar" => Halo::Moon,
        "crescent" => Halo::Crescent,
        "sun" | "sunlight" | "solar" | "sunny" => Halo::Sun,
        "dawn" | "sunrise" | "radiant" => Halo::Rays,
        "halo" | "orbit" | "echo" | "sound" | "music" => Halo::Ring,
        "star" | "stars" | "starlight" | "constellation" | "astronomer" => Halo::Constellation,
        "gear" | "gears" | "clock" | "clockwork" | "machine" | "inventor" | "engine" => Halo::Gear,
        "cathedral" | "chapel" | "window" | "library" | "archive" | "archivist" | "glass" => Halo::Window,
        "flower" | "flowers" | "lotus" | "blossom" | "garden" | "gardener" | "rose" => Halo::Blossom,
        "scales" | "tide" | "tides" | "sea" | "ocean" | "river" => Halo::Scales,
        "eclipse" | "void" | "shadow" | "shadows" => Halo::Eclipse,
        "crystal" | "jewel" | "diamond" | "prism" => Halo::Diamond,
        "mountain" | "mountains" | "peak" | "summit" => Halo::Peaks,
        "laurel" | "poet" | "champion" | "harvest" => Halo::Laurel,
        _ => return None,
    })
}

fn air_word(word: &str) -> Option<Air> {
    Some(match word {
        "rain" | "rainy" | "storm" | "storms" | "thunder" | "stormy" => Air::Rain,
        "ember" | "embers" | "fire" | "flame" | "flames" | "forge" | "smith" | "volcano" => Air::Embers,
        "leaf" | "leaves" | "autumn" | "forest" | "woods" | "growth" => Air::Leaves,
        "mist" | "fog" | "misty" | "smoke" | "haze" => Air::Mist,
        "wave" | "waves" | "sea" | "ocean" | "lake" | "harbour" | "harbor" => Air::Waves,
        "snow" | "snowy" | "winter" | "frost" | "ice" | "blizzard" => Air::Snow,
        "petal" | "petals" | "cherry" | "spring" | "blossom" => Air::Petals,
        "firefly" | "fireflies" | "lantern" | "lanterns" | "dusk" => Air::Fireflies,
        "star" | "stars" | "cosmos" | "cosmic" | "galaxy" | "night" => Air::Stars,
        "bubble" | "bubbles" | "underwater" => Air::Bubbles,
        "feather" | "feathers" | "raven" | "crow" | "wings" => Air::Feathers,
        "dust" | "desert" | "sand" | "pollen" | "books" | "attic" => Air::Dust,
        _ => return None,
    })
}

fn ground_word(word: &str) -> Option<Ground> {
    Some(match word {
        "forest" | "woods" | "grove" | "woodland" => Ground::Forest,
        "hill" | "hills" | "meadow" | "valley" | "village" | "farm" => Ground::Hills,
        "city" | "street" | "streets" | "neon" | "town" | "rooftops" => Ground::Skyline,
        "ruin" | "ruins" | "temple" | "palace" | "castle" | "ancient" => Ground::Ruins,
        "cliff" | "cliffs" | "mountain" | "mountains" | "canyon" | "crags" => Ground::Crags,
        _ => return None,
    })
}

fn garb_word(word: &str) -> Option<Garb> {
    Some(match word {
        "kimono" | "wrap" | "sash" => Garb::Wrap,
        "collar" | "uniform" | "tunic" => Garb::Collar,
        "cloak" | "cape" | "mantle" | "brooch" => Garb::Clasp,
        "scarf" | "shawl" => Garb::Scarf,
        "armour" | "armor" | "armoured" | "armored" | "breastplate" => Garb::Armour,
        "robe" | "robes" | "vestments" => Garb::Robe,
        "sweater" | "jumper" | "knit" | "knitted" | "cardigan" | "turtleneck" => Garb::Knit,
        "coat" | "jacket" | "suit" | "waistcoat" | "trenchcoat" => Garb::Coat,
        "ruff" | "courtier" => Garb::Ruff,
        "furs" | "pelt" | "pelts" => Garb::Fur,
        "hoodie" | "skater" => Garb::Hoodie,
        "necklace" | "beads" | "pearls" | "gown" => Garb::Beads,
        "apron" | "overalls" => Garb::Apron,
        _ => return None,
    })
}

fn eyes_word(word: &str) -> Option<Eyes> {
    Some(match word {
        "blind" | "sleepy" | "sleeping" | "dreamer" | "dreaming" | "meditating" => Eyes::Closed,
        "squinting" | "suspicious" | "sly" => Eyes::Narrow,
        "weary" | "tired" | "bored" | "drowsy" | "languid" => Eyes::Lidded,
        "innocent" | "astonished" | "wondering" => Eyes::Wide,
        "laughs" | "laughing" | "jolly" => Eyes::Smiling,
        _ => return None,
    })
}

fn mouth_word(word: &str) -> Option<Mouth> {
    Some(match word {
        "grins" | "grinning" | "laughs" | "jolly" => Mouth::Grin,
        "smiles" | "smiling" | "kind" | "cheerful" | "friendly" => Mouth::Smile,
        "smirks" | "smirking" | "cocky" | "sardonic" => Mouth::Smirk,
        "frowns" | "grumpy" | "stern" | "scowls" | "gruff" => Mouth::Frown,
        _ => return None,
    })
}

fn beard_word(word: &str) -> Option<Beard> {
    Some(match word {
        "beard" | "bearded" => Beard::Full,
        "dwarf" | "dwarven" => Beard::Great,
        "moustache" | "mustache" | "moustached" => Beard::Moustache,
        "goatee" => Beard::Goatee,
        "stubble" | "unshaven" => Beard::Stubble,
        _ => return None,
    })
}

fn eyewear_word(word: &str) -> Option<Eyewear> {
    Some(match word {
        "glasses" | "bespectacled" => Eyewear::Round,
        "spectacles" => Eyewear::Square,
        "monocle" => Eyewear::Monocle,
        "eyepatch" => Eyewear::Patch,
        "visor" => Eyewear::Visor,
        _ => return None,
    })
}

fn age_word(word: &str) -> Option<Age> {
    Some(match word {
        "old" | "elder" | "elderly" | "aged" | "grandmother" | "grandfather" | "crone" | "wizened" => Age::Elder,
        "young" | "youth" | "teenager" | "apprentice" | "student" => Age::Young,
        _ => return None,
    })
}

fn mark_word(word: &str) -> Option<Mark> {
    Some(match word {
        "freckles" | "freckled" => Mark::Freckles,
        "scar" | "scars" | "scarred" => Mark::Scar,
        "mole" => Mark::Mole,
        "bindi" | "gem" => Mark::Gem,
        "tattoo" | "tattoos" | "tattooed" | "stripes" => Mark::Stripes,
        "warpaint" | "barbarian" => Mark::Paint,
        "vitiligo" => Mark::Vitiligo,
        "circuit" | "circuits" => Mark::Circuit,
        "whiskers" => Mark::Whiskers,
        "jester" | "clown" | "mime" => Mark::Tears,
        _ => return None,
    })
}

/// What is worn on the head, wherever it is said.
fn worn_word(word: &str, next: &str) -> Option<Headgear> {
    Some(match (word, next) {
        ("crown" | "crowned", _) => Headgear::Crown,
        ("circlet" | "tiara" | "diadem", _) => Headgear::Circlet,
        ("horns" | "horned", _) => Headgear::Horns,
        ("antlers" | "antler" | "antlered", _) => Headgear::Antlers,
        ("fox" | "wolf", "ears" | "eared") => Headgear::FoxEars,
        ("cat", "ears" | "eared") => Headgear::CatEars,
        ("rabbit" | "bunny", "ears" | "eared") => Headgear::RabbitEars,
        ("antennae" | "antenna", _) => Headgear::Antennae,
        ("hood" | "hooded" | "cowl", _) => Headgear::Hood,
        ("pointed" | "pointy" | "witch" | "wizard", "hat") => Headgear::WitchHat,
        ("tricorn" | "tricorne", _) => Headgear::Tricorn,
        ("top", "hat") | ("tophat", _) => Headgear::TopHat,
        ("helmet" | "helm" | "visored", _) => Headgear::Helmet,
        ("wreath" | "garland", _) | ("flower", "crown") => Headgear::Wreath,
        ("headphones" | "headset", _) => Headgear::Headphones,
        ("goggles", _) => Headgear::Goggles,
        ("turban", _) => Headgear::Turban,
        ("headscarf" | "hijab" | "kerchief", _) => Headgear::Headscarf,
        ("bandana" | "headband", _) => Headgear::Bandana,
        ("plume" | "plumed", _) => Headgear::Plume,
        ("beret", _) => Headgear::Beret,
        _ => return None,
    })
}

fn wings_word(word: &str) -> Option<Wings> {
    Some(match word {
        "winged" | "wings" => Wings::Feathered,
        "batwinged" => Wings::Bat,
        _ => return None,
    })
}
