//! Lightness, chroma and hue as the eye orders them: Oklab (Björn Ottosson, 2020,
//! <https://bottosson.github.io/posts/oklab/>) in polar form. The portrait repairs lightness here, so that a blue and a
//! yellow of "the same" lightness really are.

use crate::ocs::style::{Colour, linear, to_byte};

/// A colour as lightness 0 to 1, and two opponent axes of about -0.4 to 0.4.
#[derive(Debug, Clone, Copy)]
struct Lab {
    l: f64,
    a: f64,
    b: f64,
}

fn lab(colour: Colour) -> Lab {
    let (r, g, b) = (linear(colour.r), linear(colour.g), linear(colour.b));
    let l = (0.412_221_470_8 * r + 0.536_332_536_3 * g + 0.051_445_992_9 * b).cbrt();
    let m = (0.211_903_498_2 * r + 0.680_699_545_1 * g + 0.107_396_956_6 * b).cbrt();
    let s = (0.088_302_461_9 * r + 0.281_718_837_6 * g + 0.629_978_700_5 * b).cbrt();
    Lab {
        l: 0.210_454_255_3 * l + 0.793_617_785_0 * m - 0.004_072_046_8 * s,
        a: 1.977_998_495_1 * l - 2.428_592_205_0 * m + 0.450_593_709_9 * s,
        b: 0.025_904_037_1 * l + 0.782_771_766_2 * m - 0.808_675_766_0 * s,
    }
}

/// The three channels without their transfer curve; outside 0 to 1 the colour does not exist in sRGB.
fn channels(c: Lab) -> [f64; 3] {
    let l = (c.l + 0.396_337_777_4 * c.a + 0.215_803_757_3 * c.b).powi(3);
    let m = (c.l - 0.105_561_345_8 * c.a - 0.063_854_172_8 * c.b).powi(3);
    let s = (c.l - 0.089_484_177_5 * c.a - 1.291_485_548_0 * c.b).powi(3);
    [
        4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
        -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
        -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s,
    ]
}

fn encode(c: f64) -> u8 {
    let c = c.clamp(0.0, 1.0);
    to_byte(255.0 * if c <= 0.003_130_8 { 12.92 * c } else { 1.055 * c.powf(1.0 / 2.4) - 0.055 })
}

/// Lightness as seen, 0.0 (black) to 1.0 (white).
pub(super) fn lightness(colour: Colour) -> f64 {
    lab(colour).l
}

/// How far apart two colours look; about 0.02 is just seen, black and white are 1.0 apart.
pub(super) fn distance(a: Colour, b: Colour) -> f64 {
    let (a, b) = (lab(a), lab(b));
    ((a.l - b.l).powi(2) + (a.a - b.a).powi(2) + (a.b - b.b).powi(2)).sqrt()
}

/// The same hue at another lightness, with chroma times `chroma` but at most `most`.
pub(super) fn tone(colour: Colour, lightness: f64, chroma: f64, most: f64) -> Colour {
    let from = lab(colour);
    let own = from.a.hypot(from.b);
    let wanted = (own * chroma).min(most);
    let scale = if own < 1e-6 { 0.0 } else { wanted / own };
    // Less chroma until it exists.
    let fitting = (0..=20_u8).map(|step| scale * (1.0 - f64::from(step) / 20.0)).find_map(|scale| {
        let lab = Lab { l: lightness.clamp(0.0, 1.0), a: from.a * scale, b: from.b * scale };
        let found = channels(lab);
        found.iter().all(|c| (-0.002..=1.002).contains(c)).then_some(found)
    });
    let [r, g, b] = fitting.unwrap_or([lightness.powi(3); 3]);
    Colour::new(encode(r), encode(g), encode(b))
}

/// The same hue and chroma at another lightness.
pub(super) fn at(colour: Colour, lightness: f64) -> Colour {
    tone(colour, lightness, 1.0, 0.4)
}

/// Lighter (or, below zero, darker) by a step.
pub(super) fn lighter(colour: Colour, by: f64) -> Colour {
    at(colour, lightness(colour) + by)
}
