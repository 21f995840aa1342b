//! From what is known to what is drawn: the hash of the seed fills every gap, leaning on mood and atmosphere.

use super::traits::{
    Age, Air, Beard, Build, Ears, Eyes, Eyewear, Fringe, Garb, Ground, Hair, HairColour, Halo, Headgear, Mark, Mouth,
    Skin, Traits, Wings,
};
use crate::ocs::style::{Atmosphere, Mood, Seeded, VisualStyle};

/// Every choice of one portrait.
pub(super) struct Chosen {
    pub halo: Halo,
    pub air: Air,
    pub ground: Ground,
    pub hair: Hair,
    pub fringe: Fringe,
    pub hair_colour: Option<HairColour>,
    pub headgear: Option<Headgear>,
    pub eyes: Eyes,
    pub eye_colour: Option<HairColour>,
    pub mouth: Mouth,
    pub garb: Garb,
    pub marks: Vec<Mark>,
    pub beard: Beard,
    pub eyewear: Eyewear,
    pub earring: bool,
    pub ears: Ears,
    pub skin: Skin,
    pub build: Build,
    pub age: Age,
    pub wings: Option<Wings>,
    /// The slant of the brows: up to 1.0 for angry, down to -1.0 for sad.
    pub brow: f64,
    /// Whether the light comes from the right.
    pub mirrored: bool,
}

/// Skins that people have.
const HUMAN: [Skin; 12] = [
    Skin::Porcelain,
    Skin::Fair,
    Skin::Rosy,
    Skin::Sand,
    Skin::Honey,
    Skin::Olive,
    Skin::Tan,
    Skin::Bronze,
    Skin::Sienna,
    Skin::Umber,
    Skin::Cocoa,
    Skin::Ebony,
];

/// Skins that nobody has, here.
const OTHER: [Skin; 8] =
    [Skin::Azure, Skin::Moss, Skin::Lilac, Skin::Ash, Skin::Coral, Skin::Jade, Skin::Crimson, Skin::Spectral];

impl Chosen {
    /// Fills what the traits leave open.
    pub(super) fn new(seed: &str, style: &VisualStyle, traits: &Traits) -> Self {
        let mut pick = Seeded::new(seed, "traits");
        let halo = pick.of(Halo::ALL).copied().unwrap_or(Halo::Moon);
        let air = drawn_air(&mut pick, style.atmosphere);
        let ground = drawn_ground(&mut pick, style.atmosphere);
        let build = traits.build.or_else(|| pick.of(Build::ALL).copied()).unwrap_or(Build::Even);
        let drawn_age = pick.weighted(&[(Age::Young, 3), (Age::Grown, 7), (Age::Elder, 1)]).unwrap_or(Age::Grown);
        let age = traits.age.unwrap_or(drawn_age);
        let hair = traits.hair.unwrap_or_else(|| drawn_hair(&mut pick, build));
        let headgear = traits.headgear;
        let hair = tucked(hair, headgear);
        let fringe = traits.fringe.unwrap_or_else(|| drawn_fringe(&mut pick, hair));
        let skin = traits.skin.unwrap_or_else(|| drawn_skin(&mut pick, style.atmosphere));
        let eyes = drawn_eyes(&mut pick, style.mood);
        let mouth = drawn_mouth(&mut pick, style.mood);
        let garb = pick.of(Garb::ALL).copied().unwrap_or(Garb::Clasp);
        let wide = matches!(garb, Garb::Ruff | Garb::Fur | Garb::Scarf | Garb::Beads | Garb::Sailor | Garb::Hoodie);
        let garb = if wide && headgear == Some(Headgear::Headscarf) { Garb::Robe } else { garb };
        let drawn_marks = drawn_marks(&mut pick, style.atmosphere, skin);
        let drawn_beard = drawn_beard(&mut pick, build, age);
        let drawn_wear = pick
            .weighted(&[(Eyewear::None, 40), (Eyewear::Round, 4), (Eyewear::Square, 2), (Eyewear::Monocle, 1)])
            .unwrap_or(Eyewear::None);
        let earring = pick.chance(0.22);
        let fay = matches!(style.atmosphere, Atmosphere::Fantasy | Atmosphere::Arcane);
        let drawn_ears = if pick.chance(if fay { 0.3 } else { 0.05 }) { Ears::Pointed } else { Ears::Round };
        Self {
            halo: traits.halo.unwrap_or(halo),
            air: traits.air.unwrap_or(air),
            ground: traits.ground.unwrap_or(ground),
            hair,
            fringe,
            hair_colour: traits.hair_colour,
            headgear,
            eyes: traits.eyes.unwrap_or(eyes),
            eye_colour: traits.eye_colour,
            mouth: traits.mouth.unwrap_or(mouth),
            garb: traits.garb.unwrap_or(garb),
            marks: if traits.marks.is_empty() { drawn_marks } else { traits.marks.clone() },
            beard: traits.beard.unwrap_or(drawn_beard),
            eyewear: traits.eyewear.unwrap_or(drawn_wear),
            earring: traits.earring || earring,
            ears: traits.ears.unwrap_or(drawn_ears),
            skin,
            build,
            age,
            wings: traits.wings,
            brow: drawn_brow(&mut pick, style.mood),
            mirrored: pick.chance(0.5),
        }
    }
}

/// Tall hair does not fit under a hat.
fn tucked(hair: Hair, headgear: Option<Headgear>) -> Hair {
    let hat = matches!(
        headgear,
        Some(
            Headgear::WitchHat
                | Headgear::Tricorn
                | Headgear::TopHat
                | Headgear::Helmet
                | Headgear::Beret
                | Headgear::Bandana
                | Headgear::Turban
        )
    );
    let cowl = matches!(headgear, Some(Headgear::Hood));
    match hair {
        Hair::Curly | Hair::Afro | Hair::Mane if cowl => Hair::Wavy,
        Hair::Spiky | Hair::Mohawk | Hair::Bun | Hair::Buns | Hair::Ponytail | Hair::Locs if cowl => Hair::Short,
        Hair::Bun | Hair::Ponytail if hat => Hair::Braid,
        Hair::Buns if hat => Hair::Braids,
        Hair::Afro | Hair::Curly if hat => Hair::Wavy,
        Hair::Spiky | Hair::Mohawk | Hair::Slick if hat => Hair::Short,
        other => other,
    }
}

fn drawn_air(pick: &mut Seeded, atmosphere: Atmosphere) -> Air {
    let leaning: &[Air] = match atmosphere {
        Atmosphere::Ancient => &[Air::Dust, Air::Leaves, Air::Mist],
        Atmosphere::Arcane => &[Air::Stars, Air::Fireflies, Air::Embers],
        Atmosphere::Cosmic => &[Air::Stars, Air::Dust],
        Atmosphere::Cosy => &[Air::Fireflies, Air::Dust, Air::Snow, Air::Leaves],
        Atmosphere::Cyberpunk | Atmosphere::Urban => &[Air::Rain, Air::Dust, Air::Mist],
        Atmosphere::Dreamy => &[Air::Petals, Air::Mist, Air::Bubbles, Air::Stars, Air::Feathers],
        Atmosphere::Fantasy => &[Air::Fireflies, Air::Leaves, Air::Petals, Air::Feathers, Air::Embers],
        Atmosphere::Festive => &[Air::Petals, Air::Embers, Air::Stars],
        Atmosphere::Gothic => &[Air::Feathers, Air::Mist, Air::Rain],
        Atmosphere::Intense => &[Air::Embers, Air::Rain, Air::Dust],
        Atmosphere::Nautical => &[Air::Waves, Air::Bubbles, Air::Rain],
        Atmosphere::Noir => &[Air::Rain, Air::Mist],
        Atmosphere::Pastoral => &[Air::Leaves, Air::Petals, Air::Fireflies, Air::Dust],
        Atmosphere::Peaceful => &[Air::Mist, Air::Waves, Air::Petals, Air::Leaves, Air::Fireflies],
        Atmosphere::Stormy => &[Air::Rain],
        Atmosphere::Wild => &[Air::Leaves, Air::Embers, Air::Feathers, Air::Rain],
        Atmosphere::Wintry => &[Air::Snow],
    };
    let list = if pick.chance(0.7) { leaning } else { Air::ALL };
    pick.of(list).copied().unwrap_or(Air::Mist)
}

fn drawn_ground(pick: &mut Seeded, atmosphere: Atmosphere) -> Ground {
    let leaning = match atmosphere {
        Atmosphere::Ancient | Atmosphere::Gothic => Ground::Ruins,
        Atmosphere::Cyberpunk | Atmosphere::Urban | Atmosphere::Noir => Ground::Skyline,
        Atmosphere::Wild | Atmosphere::Fantasy => Ground::Forest,
        Atmosphere::Pastoral | Atmosphere::Cosy => Ground::Hills,
        Atmosphere::Intense | Atmosphere::Stormy => Ground::Crags,
        _ => Ground::Open,
    };
    if pick.chance(0.45) { leaning } else { pick.of(Ground::ALL).copied().unwrap_or(Ground::Open) }
}

fn drawn_hair(pick: &mut Seeded, build: Build) -> Hair {
    let list: &[(Hair, u32)] = match build {
        Build::Soft => &[
            (Hair::Long, 6),
            (Hair::Wavy, 6),
            (Hair::Bob, 5),
            (Hair::Braid, 4),
            (Hair::Braids, 2),
            (Hair::Ponytail, 4),
            (Hair::Bun, 4),
            (Hair::Buns, 2),
            (Hair::Short, 3),
            (Hair::Curly, 5),
            (Hair::Afro, 3),
            (Hair::Locs, 3),
            (Hair::Mane, 2),
            (Hair::Crop, 1),
        ],
        Build::Even => &[
            (Hair::Long, 3),
            (Hair::Wavy, 4),
            (Hair::Bob, 3),
            (Hair::Braid, 3),
            (Hair::Ponytail, 3),
            (Hair::Bun, 2),
            (Hair::Short, 5),
            (Hair::Curly, 4),
            (Hair::Afro, 3),
            (Hair::Spiky, 4),
            (Hair::Mohawk, 2),
            (Hair::Locs, 3),
            (Hair::Mane, 3),
            (Hair::Slick, 3),
            (Hair::Crop, 3),
        ],
        Build::Strong => &[
            (Hair::Short, 7),
            (Hair::Slick, 5),
            (Hair::Spiky, 5),
            (Hair::Crop, 5),
            (Hair::Curly, 4),
            (Hair::Mohawk, 3),
            (Hair::Locs, 4),
            (Hair::Mane, 4),
            (Hair::Wavy, 3),
            (Hair::Bun, 2),
            (Hair::Ponytail, 2),
            (Hair::Bald, 3),
            (Hair::Long, 2),
            (Hair::Afro, 2),
        ],
    };
    pick.weighted(list).unwrap_or(Hair::Short)
}

fn drawn_fringe(pick: &mut Seeded, hair: Hair) -> Fringe {
    let list: &[Fringe] = match hair {
        Hair::Long | Hair::Wavy => &[Fringe::Swept, Fringe::Curtain, Fringe::Bangs, Fringe::Wisps, Fringe::Veil],
        Hair::Bob => &[Fringe::Swept, Fringe::Curtain, Fringe::Bangs, Fringe::Veil],
        Hair::Braid | Hair::Braids | Hair::Buns => &[Fringe::Curtain, Fringe::Bangs, Fringe::Swept, Fringe::High],
        Hair::Ponytail | Hair::Bun => &[Fringe::High, Fringe::Swept, Fringe::Wisps, Fringe::Peak, Fringe::Curtain],
        Hair::Short => &[Fringe::Swept, Fringe::Wisps, Fringe::Bangs, Fringe::Curtain],
        Hair::Mane => &[Fringe::Wisps, Fringe::Swept, Fringe::Curtain],
        Hair::Locs => &[Fringe::High, Fringe::Curtain],
        Hair::Slick => &[Fringe::Peak, Fringe::High],
        _ => &[Fringe::High],
    };
    pick.of(list).copied().unwrap_or(Fringe::High)
}

fn drawn_skin(pick: &mut Seeded, atmosphere: Atmosphere) -> Skin {
    let strange = match atmosphere {
        Atmosphere::Fantasy | Atmosphere::Arcane | Atmosphere::Cosmic => 0.12,
        _ => 0.02,
    };
    let list: &[Skin] = if pick.chance(strange) { &OTHER } else { &HUMAN };
    pick.of(list).copied().unwrap_or(Skin::Tan)
}

fn drawn_eyes(pick: &mut Seeded, mood: Mood) -> Eyes {
    let leaning: &[Eyes] = match mood {
        Mood::Calm | Mood::Serene | Mood::Mystical => &[Eyes::Closed, Eyes::Open, Eyes::Lidded],
        Mood::Cheerful | Mood::Warm | Mood::Playful => &[Eyes::Open, Eyes::Smiling, Eyes::Wide],
        Mood::Cold | Mood::Stoic | Mood::Dignified | Mood::Brooding => &[Eyes::Lidded, Eyes::Narrow, Eyes::Open],
        Mood::Curious | Mood::Energetic | Mood::Hopeful => &[Eyes::Wide, Eyes::Open],
        Mood::Eerie => &[Eyes::Wide, Eyes::Lidded, Eyes::Glowing],
        Mood::Fierce | Mood::Heroic | Mood::Rebellious | Mood::Mischievous => &[Eyes::Narrow, Eyes::Open],
        Mood::Melancholic | Mood::Wistful | Mood::Romantic => &[Eyes::Lidded, Eyes::Closed, Eyes::Open],
        _ => &[Eyes::Open, Eyes::Lidded, Eyes::Narrow],
    };
    // Most people look at you.
    if pick.chance(0.4) { Eyes::Open } else { pick.of(leaning).copied().unwrap_or(Eyes::Open) }
}

fn drawn_mouth(pick: &mut Seeded, mood: Mood) -> Mouth {
    let leaning: &[Mouth] = match mood {
        Mood::Cheerful | Mood::Playful | Mood::Energetic => &[Mouth::Grin, Mouth::Smile],
        Mood::Warm | Mood::Gentle | Mood::Hopeful | Mood::Romantic | Mood::Serene => &[Mouth::Smile, Mouth::Small],
        Mood::Mischievous | Mood::Rebellious => &[Mouth::Smirk, Mouth::Grin],
        Mood::Fierce | Mood::Brooding | Mood::Cold => &[Mouth::Frown, Mouth::Level],
        Mood::Melancholic | Mood::Wistful => &[Mouth::Frown, Mouth::Small, Mouth::Level],
        Mood::Curious => &[Mouth::Small, Mouth::Smile],
        _ => &[Mouth::Level, Mouth::Smile, Mouth::Smirk, Mouth::Small],
    };
    pick.of(leaning).copied().unwrap_or(Mouth::Level)
}

fn drawn_brow(pick: &mut Seeded, mood: Mood) -> f64 {
    let lean = match mood {
        Mood::Fierce => 0.8,
        Mood::Brooding | Mood::Rebellious | Mood::Dramatic => 0.5,
        Mood::Heroic | Mood::Cold | Mood::Stoic | Mood::Mischievous => 0.3,
        Mood::Melancholic | Mood::Wistful => -0.7,
        Mood::Gentle | Mood::Hopeful | Mood::Romantic => -0.35,
        _ => 0.0,
    };
    lean + pick.between(-0.2, 0.2)
}

fn drawn_marks(pick: &mut Seeded, atmosphere: Atmosphere, skin: Skin) -> Vec<Mark> {
    let strange = matches!(
        atmosphere,
        Atmosphere::Fantasy | Atmosphere::Arcane | Atmosphere::Wild | Atmosphere::Cosmic | Atmosphere::Ancient
    );
    let mut marks = Vec::new();
    let plain: &[Mark] = if HUMAN.contains(&skin) {
        &[Mark::Freckles, Mark::Mole, Mark::Scar, Mark::Freckles, Mark::Vitiligo]
    } else {
        &[Mark::Freckles, Mark::Scar]
    };
    let worn: &[Mark] = &[Mark::Gem, Mark::Stripes, Mark::Paint, Mark::Crest, Mark::Dots];
    if pick.chance(0.26) {
        marks.extend(pick.of(plain));
    }
    if pick.chance(if strange { 0.4 } else { 0.1 }) {
        marks.extend(pick.of(worn));
    }
    if skin == Skin::Metal {
        marks = vec![Mark::Circuit];
    }
    marks
}

fn drawn_beard(pick: &mut Seeded, build: Build, age: Age) -> Beard {
    if build != Build::Strong || age == Age::Young {
        return Beard::None;
    }
    pick.weighted(&[
        (Beard::None, 11),
        (Beard::Stubble, 4),
        (Beard::Moustache, 2),
        (Beard::Goatee, 3),
        (Beard::Full, 4),
        (Beard::Great, 1),
    ])
    .unwrap_or(Beard::None)
}
