//! The paints of one portrait: from the three colours of a style to sky, light, skin, hair, cloth and ink, each kept
//! apart from what it lies on. Faces must read at 30 pixels, where only lightness is left.

use super::choose::Chosen;
use super::oklch::{at, distance, lighter, lightness, tone};
use super::traits::{Age, HairColour, Skin};
use crate::ocs::style::{Colour, Seeded, VisualStyle};

/// All paints of one portrait.
pub(super) struct Palette {
    /// The sky from top to bottom.
    pub sky: [Colour; 3],
    /// Light in the air and on edges.
    pub glow: Colour,
    /// The disc behind the head.
    pub halo: Colour,
    /// Its darker side.
    pub halo_low: Colour,
    /// Skin in the light.
    pub skin: Colour,
    /// Skin in shade.
    pub skin_shade: Colour,
    /// Lines on skin.
    pub skin_line: Colour,
    /// Skin where the light falls.
    pub skin_light: Colour,
    /// Cheeks.
    pub blush: Colour,
    /// Lips.
    pub lips: Colour,
    /// Hair.
    pub hair: Colour,
    /// Its strands in the light.
    pub hair_light: Colour,
    /// Its depth.
    pub hair_deep: Colour,
    /// The garment.
    pub cloth: Colour,
    /// Its folds.
    pub cloth_deep: Colour,
    /// Its edges in the light.
    pub cloth_light: Colour,
    /// A second, lighter cloth: shirts and linings.
    pub linen: Colour,
    /// Ornaments.
    pub trim: Colour,
    /// Eyes and brows.
    pub ink: Colour,
    /// The iris.
    pub iris: Colour,
    /// The white of the eye.
    pub white: Colour,
    /// Whether the sky is dark.
    pub night: bool,
}

const fn rgb(number: u32) -> Colour {
    Colour::from_rgb24(number)
}

/// The colour of a skin before the light of the scene falls on it.
fn skin_of(skin: Skin) -> Colour {
    rgb(match skin {
        Skin::Porcelain => 0xf6e0d3,
        Skin::Fair => 0xf3cfb4,
        Skin::Rosy => 0xefbba1,
        Skin::Sand => 0xe6b88f,
        Skin::Honey => 0xd9a066,
        Skin::Olive => 0xc79a68,
        Skin::Tan => 0xc08453,
        Skin::Bronze => 0xa96e40,
        Skin::Sienna => 0x925a36,
        Skin::Umber => 0x7d4a2e,
        Skin::Cocoa => 0x683b27,
        Skin::Ebony => 0x573124,
        Skin::Azure => 0x7ea2dc,
        Skin::Moss => 0x8eaa68,
        Skin::Lilac => 0xb79cdc,
        Skin::Ash => 0xb4b6c2,
        Skin::Metal => 0xaab6c2,
        Skin::Coral => 0xe58c76,
        Skin::Jade => 0x74bba2,
        Skin::Crimson => 0xbf4d4d,
        Skin::Spectral => 0xcfe7ec,
        Skin::Gilded => 0xdcb860,
    })
}

/// A natural or dyed hair colour.
fn hair_of(colour: HairColour) -> Colour {
    rgb(match colour {
        HairColour::Black => 0x211d26,
        HairColour::Brown => 0x513424,
        HairColour::Chestnut => 0x77482b,
        HairColour::Auburn => 0x8f3c26,
        HairColour::Copper => 0xc8652f,
        HairColour::Blond => 0xe0bd67,
        HairColour::Grey => 0x93939c,
        HairColour::Silver => 0xd0d4de,
        HairColour::White => 0xf0ece6,
        HairColour::Blue => 0x3f66b8,
        HairColour::Teal => 0x2f9096,
        HairColour::Green => 0x4f8a52,
        HairColour::Pink => 0xe487a9,
        HairColour::Violet => 0x7d57b5,
        HairColour::Red => 0xb02f35,
    })
}

impl Palette {
    /// Mixes the paints.
    pub(super) fn mix(seed: &str, style: &VisualStyle, chosen: &Chosen) -> Self {
        let mut pick = Seeded::new(seed, "palette");
        let (primary, accent) = (style.primary_color, style.accent_color);
        let grounds = style.background.colours();
        let first = style.background.first();
        let last = style.background.last();
        let night = lightness(first) < 0.55;
        let top = if night { first.mix(Colour::BLACK, 0.18) } else { first.mix(Colour::WHITE, 0.2) };
        let middle = if grounds.len() > 1 { last.mix(primary, 0.3) } else { first.mix(primary, 0.5) };
        // Two colours far apart in hue meet in grey; some of the chroma is given back.
        let middle = tone(middle, lightness(middle), 1.15, 0.2);
        let glow = at(accent.mix(Colour::WHITE, 0.3), lightness(accent).max(0.82));
        let low = middle.mix(glow, if night { 0.3 } else { 0.22 });
        let sky = [top, middle, low];

        let halo = halo_against(middle, glow, accent, primary, night);
        let skin = skin_of(chosen.skin).mix(glow, 0.07).mix(primary, 0.05);
        let skin = at(skin, lightness(skin).clamp(0.43, 0.93));
        let deep = lightness(skin);
        let skin_shade = tone(skin.mix(primary, 0.16).mix(rgb(0x7a2b3a), 0.08), deep - 0.115, 1.05, 0.16);
        let skin_line = tone(skin.mix(rgb(0x3a1020), 0.35), (deep - 0.27).max(0.2), 1.0, 0.14);
        let skin_light = tone(skin.mix(glow, 0.3), (deep + 0.07).min(0.975), 1.0, 0.14);
        let hair = hair_against(&mut pick, chosen, skin, halo, middle, primary, accent);
        let hair_l = lightness(hair);
        let hair_light = tone(hair.mix(glow, 0.18), hair_l + if hair_l > 0.8 { 0.05 } else { 0.1 }, 1.1, 0.2);
        let hair_deep = tone(hair.mix(primary, 0.12), (hair_l - 0.11).max(0.1), 1.0, 0.18);
        let cloth = cloth_against(primary, skin, low, hair);
        let cloth_l = lightness(cloth);
        let lips_base = if human(chosen.skin) { rgb(0xb5414d) } else { accent };
        // Deep skins have lips close to their own tone; pale ones show the red.
        let contrast = ((deep - 0.4) * 0.42).clamp(0.055, 0.16);
        let lips = tone(skin.mix(lips_base, 0.16 + contrast * 1.7), deep - contrast, 1.05, 0.14);
        let ink = tone(cloth.mix(hair_deep, 0.4), 0.2_f64.min(deep - 0.26), 0.7, 0.07);
        let iris_base = chosen.eye_colour.map_or(accent, |colour| match colour {
            HairColour::Black => rgb(0x4a2e22),
            HairColour::Brown => rgb(0x7a4a28),
            HairColour::Blond | HairColour::Copper => rgb(0xd08a28),
            other => hair_of(other),
        });
        let iris = tone(iris_base, lightness(iris_base).clamp(0.46, 0.72), 1.15, 0.22);
        let white = rgb(0xfbf8f4).mix(skin, 0.08);
        Self {
            sky,
            glow,
            halo,
            halo_low: halo.mix(middle, 0.3),
            skin,
            skin_shade,
            skin_line,
            skin_light,
            blush: tone(
                skin.mix(if human(chosen.skin) { rgb(0xd8434e) } else { primary }, 0.32),
                deep - 0.05,
                1.1,
                0.15,
            ),
            lips,
            hair,
            hair_light,
            hair_deep,
            cloth,
            cloth_deep: tone(cloth, cloth_l - 0.1, 1.0, 0.18),
            cloth_light: tone(cloth.mix(glow, 0.08), cloth_l + 0.1, 1.05, 0.18),
            linen: linen_beside(skin, tone(glow.mix(cloth, 0.14), 0.92, 0.7, 0.06), cloth),
            trim: apart(accent, cloth, 0.2),
            ink,
            iris,
            white,
            night,
        }
    }
}

/// Whether the skin is one that people have.
pub(super) fn human(skin: Skin) -> bool {
    matches!(
        skin,
        Skin::Porcelain
            | Skin::Fair
            | Skin::Rosy
            | Skin::Sand
            | Skin::Honey
            | Skin::Olive
            | Skin::Tan
            | Skin::Bronze
            | Skin::Sienna
            | Skin::Umber
            | Skin::Cocoa
            | Skin::Ebony
    )
}

/// Moves a colour in lightness, whichever way is shorter, until it is `gap` away from another.
fn apart(colour: Colour, from: Colour, gap: f64) -> Colour {
    let (own, other) = (lightness(colour), lightness(from));
    if (own - other).abs() >= gap {
        return colour;
    }
    let up = own >= other;
    let target = if (up && other + gap <= 0.96) || other - gap < 0.12 { other + gap } else { other - gap };
    at(colour, target)
}

/// The disc: lighter than a dark sky; on a light sky a deep accent or a paler light, whichever stands out.
fn halo_against(sky: Colour, glow: Colour, accent: Colour, primary: Colour, night: bool) -> Colour {
    let sky_l = lightness(sky);
    if night {
        return tone(glow.mix(sky, 0.08), (sky_l + 0.38).clamp(0.74, 0.92), 1.1, 0.16);
    }
    let warm = accent.mix(Colour::WHITE, 0.25);
    let pale = at(glow, 0.96);
    if sky_l < 0.8 {
        return pale;
    }
    let deep = if distance(warm, sky) >= 0.12 { warm } else { primary.mix(Colour::WHITE, 0.3) };
    apart(deep, sky, 0.13)
}

/// Hair that reads against the face and against what is behind the head.
fn hair_against(
    pick: &mut Seeded,
    chosen: &Chosen,
    skin: Colour,
    halo: Colour,
    sky: Colour,
    primary: Colour,
    accent: Colour,
) -> Colour {
    let fits = |hair: Colour| {
        let face = (lightness(hair) - lightness(skin)).abs() / 0.17;
        let behind = distance(hair, halo).min(distance(hair, sky) * 1.6) / 0.14;
        face.min(behind)
    };
    if let Some(colour) = chosen.hair_colour {
        return apart(hair_of(colour), skin, 0.15);
    }
    let natural = [
        HairColour::Black,
        HairColour::Brown,
        HairColour::Chestnut,
        HairColour::Auburn,
        HairColour::Copper,
        HairColour::Blond,
        HairColour::Grey,
        HairColour::White,
    ];
    let mut candidates: Vec<Colour> = if chosen.age == Age::Elder {
        [HairColour::Silver, HairColour::White, HairColour::Grey].map(hair_of).to_vec()
    } else if pick.chance(0.55) {
        let own = pick.below(6);
        let first = usize::try_from(own).unwrap_or(0);
        natural.iter().cycle().skip(first).take(natural.len()).map(|colour| hair_of(*colour)).collect()
    } else {
        let light = at(accent, lightness(accent).max(0.74));
        let mut own = vec![
            light,
            tone(accent, 0.42, 0.9, 0.14),
            tone(primary, 0.33, 0.9, 0.13),
            tone(primary, 0.66, 1.0, 0.16),
            hair_of(HairColour::Black),
            hair_of(HairColour::White),
        ];
        own.rotate_left(usize::try_from(pick.below(4)).unwrap_or(0));
        own
    };
    for candidate in &mut candidates {
        *candidate = candidate.mix(primary, 0.07);
    }
    let good = candidates.iter().copied().find(|hair| fits(*hair) >= 1.0);
    let best = candidates.iter().copied().max_by(|a, b| fits(*a).total_cmp(&fits(*b)));
    apart(good.or(best).unwrap_or(primary), skin, 0.15)
}

/// A light cloth that does not pass for skin.
fn linen_beside(skin: Colour, linen: Colour, cloth: Colour) -> Colour {
    let tinted = tone(cloth, 0.84, 0.55, 0.07);
    if distance(linen, skin) >= 0.1 {
        linen
    } else if distance(tinted, skin) >= 0.075 {
        tinted
    } else {
        tone(cloth, 0.72, 0.6, 0.08)
    }
}

/// The garment in the primary hue, at the lightness that keeps it from face, hair and sky.
fn cloth_against(primary: Colour, skin: Colour, sky: Colour, hair: Colour) -> Colour {
    let own = lightness(primary);
    let score = |cloth: Colour| {
        let step = lightness(cloth) - own;
        // Rather deeper than paler: pastel is not what somebody meant by their colour.
        let away = if step > 0.0 { step * 2.6 } else { -step * 1.2 };
        let from_sky = distance(cloth, sky) / 0.16;
        let from_skin = distance(cloth, skin) / 0.18;
        let from_hair = distance(cloth, hair) / 0.1;
        from_sky.min(1.3) + from_skin.min(1.3) + from_hair.min(1.0) * 0.6 - away
    };
    let steps = [0.3, 0.34, 0.38, 0.43, 0.48, 0.54, 0.62, 0.7];
    let cloth = steps
        .into_iter()
        .map(|l| tone(primary, l, 1.0, 0.17))
        .max_by(|a, b| score(*a).total_cmp(&score(*b)))
        .unwrap_or(primary);
    lighter(cloth, 0.0)
}
