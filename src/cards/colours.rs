//! Colours of a character out of its picture: what there is most of, what stands out of that, and what answers it.

use crate::ocs::style::{Colour, Paint, VisualStyle};
use image::RgbImage;
use std::collections::BTreeMap;

/// Neighbouring shades are one colour: sixteen steps a channel.
const STEP: u8 = 16;

/// A colour of a picture.
struct Shade {
    colour: Colour,
    /// Its share of the picture, 0 to 1.
    share: f64,
    /// 0 to 1.
    saturation: f64,
    /// 0 to 1.
    lightness: f64,
    /// Degrees.
    hue: f64,
}

/// The same mood and atmosphere in the colours of a picture; `None` where there are none in it.
pub(super) fn of_picture(picture: &RgbImage, style: &VisualStyle) -> Option<VisualStyle> {
    let shades = shades(picture);
    let ground = most(&shades, |s| s.share * (1.2 - s.lightness))?;
    // Skin and wood are in every picture; what is vivid is the character's own.
    let vivid = |s: &Shade| s.share.sqrt() * s.saturation.powi(2) * (1.0 - (s.lightness - 0.5).abs());
    let primary = most(&shades, |s| vivid(s) * apart(s, ground))?;
    let accent = most(&shades, |s| vivid(s) * apart(s, ground) * apart(s, primary) * (0.2 + turn(s, primary) / 180.0));
    let mut primary_colour = primary.colour;
    if primary.saturation < 0.12 {
        // A grey picture: the ground carries it, and the suggested colour gives it one.
        primary_colour = style.primary_color.mix(primary.colour, 0.35);
    }
    let accent = accent.filter(|a| a.saturation > 0.15 && turn(a, primary) > 12.0).map(|a| a.colour);
    Some(VisualStyle {
        background: Paint::Solid(ground.colour.mix(Colour::BLACK, if ground.lightness < 0.6 { 0.45 } else { 0.0 })),
        primary_color: primary_colour,
        accent_color: accent.unwrap_or_else(|| style.accent_color.mix(primary_colour, 0.25)),
        ..style.clone()
    })
}

/// The colours of a picture, each the mean of its neighbours.
fn shades(picture: &RgbImage) -> Vec<Shade> {
    let mut sums: BTreeMap<[u8; 3], ([u32; 3], u32)> = BTreeMap::new();
    for pixel in picture.pixels() {
        let place = sums.entry(pixel.0.map(|c| c / STEP)).or_default();
        for (sum, channel) in place.0.iter_mut().zip(pixel.0) {
            *sum += u32::from(channel);
        }
        place.1 += 1;
    }
    let all = f64::from(picture.width() * picture.height()).max(1.0);
    let shades = sums.into_values().map(|(sums, count)| {
        let [r, g, b] = sums.map(|sum| u8::try_from(sum / count.max(1)).unwrap_or(u8::MAX));
        let (saturation, lightness, hue) = hsl(r, g, b);
        Shade { colour: Colour::new(r, g, b), share: f64::from(count) / all, saturation, lightness, hue }
    });
    // A few pixels are noise.
    shades.filter(|s| s.share > 0.002).collect()
}

fn most(shades: &[Shade], weight: impl Fn(&Shade) -> f64) -> Option<&Shade> {
    shades.iter().max_by(|a, b| weight(a).total_cmp(&weight(b)))
}

/// How far two colours are apart, 0 to 1.
fn apart(a: &Shade, b: &Shade) -> f64 {
    let step = |a: u8, b: u8| (f64::from(a) - f64::from(b)).abs() / 255.0;
    let (a, b) = (a.colour, b.colour);
    (step(a.r, b.r) + step(a.g, b.g) + step(a.b, b.b)) / 3.0
}

/// How far two hues are apart, degrees, 0 to 180.
fn turn(a: &Shade, b: &Shade) -> f64 {
    let turn = (a.hue - b.hue).abs();
    turn.min(360.0 - turn)
}

/// Saturation, lightness and hue.
fn hsl(r: u8, g: u8, b: u8) -> (f64, f64, f64) {
    let [r, g, b] = [r, g, b].map(|c| f64::from(c) / 255.0);
    let (high, low) = (r.max(g).max(b), r.min(g).min(b));
    let (lightness, chroma) = (f64::midpoint(high, low), high - low);
    if chroma < 0.001 {
        return (0.0, lightness, 0.0);
    }
    let saturation = chroma / (1.0 - (2.0 * lightness - 1.0).abs()).max(0.001);
    let hue = if high <= r {
        (g - b) / chroma
    } else if high <= g {
        2.0 + (b - r) / chroma
    } else {
        4.0 + (r - g) / chroma
    };
    (saturation, lightness, (hue * 60.0).rem_euclid(360.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn near(a: Colour, b: Colour) -> bool {
        [(a.r, b.r), (a.g, b.g), (a.b, b.b)].iter().all(|(a, b)| a.abs_diff(*b) < 40)
    }

    #[test]
    fn a_picture_gives_its_colours() {
        let (night, cloak, lamp) = (Rgb([20, 24, 60]), Rgb([190, 30, 40]), Rgb([240, 200, 60]));
        let picture = RgbImage::from_fn(60, 60, |x, y| match (x, y) {
            (20..40, 20..) => cloak,
            (45..52, 5..15) => lamp,
            _ => night,
        });
        let style = of_picture(&picture, &VisualStyle::suggest("Mira")).unwrap();
        let Paint::Solid(ground) = style.background else { panic!("one colour") };
        assert!(near(ground, Colour::new(11, 13, 33)), "{ground}");
        assert!(near(style.primary_color, Colour::new(190, 30, 40)), "{}", style.primary_color);
        assert!(near(style.accent_color, Colour::new(240, 200, 60)), "{}", style.accent_color);
        assert_eq!(style.mood, VisualStyle::suggest("Mira").mood);
    }

    #[test]
    fn a_grey_picture_leaves_the_suggested_colours() {
        let suggested = VisualStyle::suggest("Mira");
        let grey = RgbImage::from_fn(40, 40, |x, _| Rgb([u8::try_from(x * 5).unwrap(); 3]));
        let style = of_picture(&grey, &suggested).unwrap();
        assert_ne!(style.background, suggested.background);
        assert!(hsl(style.primary_color.r, style.primary_color.g, style.primary_color.b).0 > 0.1);
        assert_eq!(of_picture(&RgbImage::new(0, 0), &suggested), None);
    }
}
