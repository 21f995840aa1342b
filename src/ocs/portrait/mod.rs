//! The procedural portrait: a paper-cut bust on an upright plate, drawn by rule.
//!
//! [`svg`] draws the same picture for the same seed, style and traits, always. What [`Traits`] says is drawn; the rest
//! is chosen by the hash of the seed, leaning on mood and atmosphere, and every colour comes from the style, with
//! lightness repaired so that face, hair, cloth and sky stay apart. The picture says what it is: its title reads
//! "Procedural portrait of …".
//!
//! Layers, from far to near: sky, light, halo, ground, air, wings, hair behind, body, neck, garment, head, features,
//! fringe, headgear, locks over the shoulders, air in front. [`canvas`] writes the SVG, [`palette`] mixes the paints,
//! [`choose`] fills the gaps.

mod air;
mod body;
mod canvas;
mod choose;
mod eyes;
mod face;
mod garb;
mod gear;
mod hair;
mod halo;
mod marks;
mod oklch;
mod palette;
mod read;
mod sky;
mod traits;

#[cfg(test)]
mod tests;

pub use traits::{
    Age, Air, Beard, Build, Ears, Eyes, Eyewear, Fringe, Garb, Ground, Hair, HairColour, Halo, Headgear, Mark, Mouth,
    Skin, Traits, Wings,
};

use canvas::{Canvas, escape};
use choose::Chosen;
use face::Face;
use palette::Palette;

use super::style::{Colour, Seeded, VisualStyle};

/// The words of a whole face, so that it is drawn the same whatever is written about the character later: what `traits`
/// says, and what the hash of `seed` would choose. At most twelve, as [`Traits::from_words`] reads them.
pub fn settled(seed: &str, style: &VisualStyle, traits: &Traits) -> Vec<String> {
    let t = Chosen::new(seed, style, traits);
    let mut words: Vec<String> = vec![t.build.to_string(), t.age.to_string(), t.skin.to_string(), t.hair.to_string()];
    words.extend(t.hair_colour.map(|c| format!("{c} hair")));
    words.push(t.garb.to_string());
    words.extend(t.headgear.map(|g| g.to_string()));
    words.extend(t.wings.map(|w| w.to_string()));
    words.push(t.beard.to_string());
    words.push(t.eyewear.to_string());
    words.extend(t.marks.first().map(|m| m.to_string()));
    words.extend(t.earring.then(|| "earring".to_owned()));
    words.extend([t.eyes.to_string(), t.halo.to_string(), t.air.to_string()]);
    words.truncate(12);
    words
}

/// Width of the plate, in its own units.
const WIDTH: f64 = 400.0;
/// Height of the plate, in its own units.
const HEIGHT: f64 = 500.0;
/// The height that stays where it is when the bust is drawn larger.
const STAND: f64 = 330.0;
/// A portrait that grows to this many bytes is drawn again with less detail.
const LARGEST: usize = 11_900;
/// Longest label that is written, in characters.
const LABEL: usize = 60;

/// Everything the parts of a portrait share while it is drawn.
struct Bust<'a> {
    seed: &'a str,
    c: Canvas,
    p: Palette,
    t: Chosen,
    f: Face,
    detail: Detail,
}

/// How much is drawn. A portrait that grows too large is drawn again with less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Everything.
    Full,
    /// Without the finer shadows and edges.
    Plain,
    /// Also without land, air and the shadows of small pieces.
    Bare,
}

impl Bust<'_> {
    /// A stream of choices for one part.
    fn pick(&self, part: &str) -> Seeded {
        Seeded::new(self.seed, part)
    }
}

/// Four consonants that start every id of one portrait, so that several can stand on one page and none spells a word.
fn prefix(mut bits: u64) -> String {
    let letters = "bcdfghjklmnpqrstvwxz";
    let mut out = String::new();
    for _ in 0..4 {
        out.extend(letters.chars().nth(usize::try_from(bits % 20).unwrap_or(0)));
        bits /= 20;
    }
    out
}

/// Draws a portrait as a stand-alone SVG document of 400 by 500 units, under 12 kB.
///
/// `seed` is the character's id or name and decides what `traits` leaves open; `label` is the name to show to people
/// who do not see the picture.
pub fn svg(seed: &str, label: &str, style: &VisualStyle, traits: &Traits) -> String {
    let mut picture = String::new();
    for detail in [Detail::Full, Detail::Plain, Detail::Bare] {
        picture = draw(seed, label, style, traits, detail);
        if picture.len() < LARGEST {
            break;
        }
    }
    picture
}

fn draw(seed: &str, label: &str, style: &VisualStyle, traits: &Traits, detail: Detail) -> String {
    let t = Chosen::new(seed, style, traits);
    let p = Palette::mix(seed, style, &t);
    let f = Face::new(seed, &t);
    let mut hash = Seeded::new(seed, &format!("{style:?}{traits:?}"));
    let id = prefix(hash.bits());
    let c = Canvas::new(id.clone(), detail);
    let shadow = p.ink.mix(Colour::BLACK, 0.35);
    let mut bust = Bust { seed, c, p, t, f, detail };

    let label: String = label.chars().take(LABEL).collect();
    let title = format!("Procedural portrait of {}", escape(&label));
    bust.c.raw(&format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"{id}\" \
         fill=\"{shadow}\" stroke-linecap=\"round\" stroke-linejoin=\"round\"><title id=\"{id}\">{title}</title>"
    ));
    if bust.t.mirrored {
        bust.c.raw("<g transform=\"matrix(-1 0 0 1 400 0)\">");
    }
    bust.layers();
    if bust.t.mirrored {
        bust.c.close();
    }
    bust.c.finish()
}

impl Bust<'_> {
    /// Everything, from far to near.
    fn layers(&mut self) {
        self.sky();
        self.halo();
        if self.detail != Detail::Bare {
            self.ground();
            self.air_behind();
        }
        let (scale, aside) = self.f.stand;
        let (turn, x, y) = self.f.tilt;
        self.c.open_scaled(scale, canvas::CX, STAND, aside);
        self.wings();
        self.c.open_turned(turn, x, y);
        self.gear_behind();
        self.hair_behind();
        self.c.close();
        self.body();
        self.neck();
        self.garb();
        self.c.open_turned(turn, x, y);
        self.head();
        self.features();
        self.fringe();
        self.gear_front();
        self.hair_front();
        self.c.close();
        self.c.close();
        if self.detail != Detail::Bare {
            self.air_in_front();
        }
    }
}
