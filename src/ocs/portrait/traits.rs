//! The words a portrait understands. Each list is closed: a menu, a grammar and a test can offer all of it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ocs::style::words;

words!(
    /// What stands behind the head.
    Halo, "a halo", {
        Moon = "moon", Crescent = "crescent", Sun = "sun", Rays = "rays", Ring = "ring",
        Constellation = "constellation", Gear = "gear", Window = "window", Blossom = "blossom", Scales = "scales",
        Eclipse = "eclipse", Diamond = "diamond", Peaks = "peaks", Laurel = "laurel",
    }
);
words!(
    /// What is in the air.
    Air, "an air", {
        Rain = "rain", Embers = "embers", Leaves = "leaves", Mist = "mist", Waves = "waves", Snow = "snow",
        Petals = "petals", Fireflies = "fireflies", Stars = "stars", Bubbles = "bubbles", Feathers = "feathers",
        Dust = "dust",
    }
);
words!(
    /// What lies at the foot of the sky.
    Ground, "a ground", {
        Open = "open", Hills = "hills", Forest = "forest", Skyline = "skyline", Ruins = "ruins", Crags = "crags",
    }
);
words!(
    /// How the hair is worn.
    Hair, "a hair style", {
        Long = "long", Wavy = "wavy", Bob = "bob", Braid = "braid", Braids = "braids", Ponytail = "ponytail",
        Bun = "bun", Buns = "buns", Short = "short", Crop = "crop", Curly = "curly", Afro = "afro", Spiky = "spiky",
        Mohawk = "mohawk", Locs = "locs", Mane = "mane", Slick = "slick", Bald = "bald",
    }
);
words!(
    /// How the hair falls over the forehead.
    Fringe, "a fringe", {
        Swept = "swept", Curtain = "curtain", Bangs = "bangs", Wisps = "wisps", High = "high", Peak = "peak",
        Veil = "veil",
    }
);
words!(
    /// The colour of the hair.
    HairColour, "a hair colour", {
        Black = "black", Brown = "brown", Chestnut = "chestnut", Auburn = "auburn", Copper = "copper",
        Blond = "blond", Grey = "grey", Silver = "silver", White = "white", Blue = "blue", Teal = "teal",
        Green = "green", Pink = "pink", Violet = "violet", Red = "red",
    }
);
words!(
    /// What is worn on, or grows from, the head. Never drawn unless asked for.
    Headgear, "headgear", {
        Crown = "crown", Circlet = "circlet", Horns = "horns", RamHorns = "ramhorns", Antlers = "antlers",
        FoxEars = "foxears", CatEars = "catears", RabbitEars = "rabbitears", Antennae = "antennae", Hood = "hood",
        WitchHat = "witchhat", Tricorn = "tricorn", TopHat = "tophat", Helmet = "helmet", Wreath = "wreath",
        Headphones = "headphones", Goggles = "goggles", Turban = "turban", Headscarf = "headscarf",
        Bandana = "bandana", Plume = "plume", Beret = "beret",
    }
);
words!(
    /// How the eyes are held.
    Eyes, "an eye shape", {
        Open = "bright", Wide = "wide", Narrow = "narrow", Lidded = "lidded", Closed = "closed",
        Smiling = "smiling", Glowing = "glowing",
    }
);
words!(
    /// How the mouth is held.
    Mouth, "a mouth", {
        Level = "level", Smile = "smile", Grin = "grin", Smirk = "smirk", Frown = "frown", Small = "pursed",
    }
);
words!(
    /// What is worn about the neck and shoulders.
    Garb, "a garment", {
        Wrap = "wrap", Collar = "collar", Clasp = "clasp", Scarf = "scarf", Armour = "armour", Robe = "robe",
        Knit = "knit", Coat = "coat", Ruff = "ruff", Fur = "fur", Hoodie = "hoodie", Beads = "beads",
        Apron = "apron", Sailor = "sailor",
    }
);
words!(
    /// What marks the face. Several may be worn.
    Mark, "a mark", {
        Freckles = "freckles", Scar = "scar", Mole = "mole", Gem = "gem", Stripes = "stripes", Paint = "warpaint",
        Crest = "crest", Vitiligo = "vitiligo", Tears = "tears", Circuit = "circuit", Whiskers = "whiskers",
        Dots = "dots",
    }
);
words!(
    /// Hair on the face.
    Beard, "a beard", {
        None = "shaven", Stubble = "stubble", Moustache = "moustache", Goatee = "goatee", Full = "beard",
        Great = "greatbeard",
    }
);
words!(
    /// What is worn over the eyes.
    Eyewear, "eyewear", {
        None = "barefaced", Round = "glasses", Square = "spectacles", Monocle = "monocle", Patch = "eyepatch",
        Visor = "visor",
    }
);
words!(
    /// The shape of the ears.
    Ears, "an ear shape", { Round = "rounded", Pointed = "pointed", Fins = "fins", Bolts = "bolts" }
);
words!(
    /// The skin: tones from all over the world, then tones from none.
    Skin, "a skin", {
        Porcelain = "porcelain", Fair = "fair", Rosy = "rosy", Sand = "sand", Honey = "honey", Olive = "olive",
        Tan = "tan", Bronze = "bronze", Sienna = "sienna", Umber = "umber", Cocoa = "cocoa", Ebony = "ebony",
        Azure = "azure", Moss = "moss", Lilac = "lilac", Ash = "ash", Metal = "metal", Coral = "coral",
        Jade = "jade", Crimson = "crimson", Spectral = "spectral", Gilded = "gilded",
    }
);
words!(
    /// The build of the face.
    Build, "a build", { Soft = "soft", Even = "even", Strong = "strong" }
);
words!(
    /// How much life the face has seen.
    Age, "an age", { Young = "young", Grown = "grown", Elder = "elder" }
);
words!(
    /// What grows from the back. Never drawn unless asked for.
    Wings, "wings", { Feathered = "feathered", Butterfly = "butterfly", Bat = "batwinged" }
);

/// What is known about a portrait; whatever is not is drawn by the hash of its seed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Traits {
    /// Behind the head.
    pub halo: Option<Halo>,
    /// In the air.
    pub air: Option<Air>,
    /// At the foot of the sky.
    pub ground: Option<Ground>,
    /// How the hair is worn.
    pub hair: Option<Hair>,
    /// How it falls over the forehead.
    pub fringe: Option<Fringe>,
    /// Its colour.
    pub hair_colour: Option<HairColour>,
    /// On the head; none when absent.
    pub headgear: Option<Headgear>,
    /// How the eyes are held.
    pub eyes: Option<Eyes>,
    /// Their colour, from the same list as the hair's.
    pub eye_colour: Option<HairColour>,
    /// How the mouth is held.
    pub mouth: Option<Mouth>,
    /// About the neck and shoulders.
    pub garb: Option<Garb>,
    /// On the face; drawn by the hash when empty.
    pub marks: Vec<Mark>,
    /// Hair on the face.
    pub beard: Option<Beard>,
    /// Over the eyes.
    pub eyewear: Option<Eyewear>,
    /// An earring.
    pub earring: bool,
    /// The ears.
    pub ears: Option<Ears>,
    /// The skin.
    pub skin: Option<Skin>,
    /// The build of the face.
    pub build: Option<Build>,
    /// Its age.
    pub age: Option<Age>,
    /// From the back; none when absent.
    pub wings: Option<Wings>,
}

impl Traits {
    /// Every word of every list, for a grammar that lets a model choose some. [`Traits::from_words`] reads them back.
    pub fn vocabulary() -> Vec<&'static str> {
        fn of<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> Vec<&'static str> {
            all.iter().copied().map(word).collect()
        }
        let mut words = [
            of(Halo::ALL, Halo::as_str),
            of(Air::ALL, Air::as_str),
            of(Ground::ALL, Ground::as_str),
            of(Hair::ALL, Hair::as_str),
            of(Fringe::ALL, Fringe::as_str),
            of(Headgear::ALL, Headgear::as_str),
            of(Eyes::ALL, Eyes::as_str),
            of(Mouth::ALL, Mouth::as_str),
            of(Garb::ALL, Garb::as_str),
            of(Mark::ALL, Mark::as_str),
            of(Beard::ALL, Beard::as_str),
            of(Eyewear::ALL, Eyewear::as_str),
            of(Ears::ALL, Ears::as_str),
            of(Skin::ALL, Skin::as_str),
            of(Build::ALL, Build::as_str),
            of(Age::ALL, Age::as_str),
            of(Wings::ALL, Wings::as_str),
        ]
        .concat();
        words.sort_unstable();
        words.dedup();
        words
    }
}
