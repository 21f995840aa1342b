//! What is in the air, behind the bust and, sparsely, before it.

use std::fmt::Write as _;

use super::Bust;
use super::canvas::W;
use super::oklch::lighter;
use super::traits::Air;
use crate::ocs::style::{Colour, Seeded};

/// A place beside the face: the middle of the plate is left free.
fn aside(pick: &mut Seeded) -> (f64, f64) {
    let y = pick.between(8.0, 492.0);
    let x = if pick.chance(0.5) { pick.between(4.0, 96.0) } else { pick.between(304.0, 396.0) };
    (x, y)
}

/// Points that a line with round ends turns into discs.
fn points(pick: &mut Seeded, count: u8, place: impl Fn(&mut Seeded) -> (f64, f64)) -> String {
    let mut d = String::new();
    for _ in 0..count {
        let (x, y) = place(pick);
        let _ = write!(d, "M{} {}h0", W(x), W(y));
    }
    d
}

fn anywhere(pick: &mut Seeded) -> (f64, f64) {
    (pick.between(0.0, 400.0), pick.between(0.0, 500.0))
}

/// Leaves or petals of `size`, each turned its own way.
fn blades(pick: &mut Seeded, count: u8, size: f64, slim: f64, place: impl Fn(&mut Seeded) -> (f64, f64)) -> String {
    let mut d = String::new();
    for _ in 0..count {
        let (x, y) = place(pick);
        let (a, s) = (pick.between(0.0, std::f64::consts::TAU), size * pick.between(0.6, 1.15));
        let (dx, dy) = (a.cos() * s, a.sin() * s);
        let (nx, ny) = (-dy * slim, dx * slim);
        let _ = write!(
            d,
            "M{} {}q{} {} {} {}q{} {} {} {}Z",
            W(x),
            W(y),
            W(dx + nx),
            W(dy + ny),
            W(2.0 * dx),
            W(2.0 * dy),
            W(-dx - nx * 0.6),
            W(-dy - ny * 0.6),
            W(-2.0 * dx),
            W(-2.0 * dy)
        );
    }
    d
}

impl Bust<'_> {
    /// The light that particles are drawn in: bright by night, the accent by day.
    fn spark_colour(&self) -> Colour {
        if self.p.night { self.p.glow } else { self.p.trim }
    }

    /// Air behind the bust.
    pub(super) fn air_behind(&mut self) {
        let mut pick = self.pick("air");
        let spark = self.spark_colour();
        match self.t.air {
            Air::Rain => {
                let mut d = String::new();
                for _ in 0..44 {
                    let (x, y) = anywhere(&mut pick);
                    let l = pick.between(12.0, 36.0);
                    let _ = write!(d, "M{} {}l{} {}", W(x), W(y), W(-l * 0.26), W(l));
                }
                self.c.line(&d, lighter(self.p.glow, 0.04), 1.5, 0.5);
            }
            Air::Embers | Air::Dust | Air::Fireflies | Air::Stars | Air::Snow => {
                let colour = match self.t.air {
                    Air::Snow => Colour::WHITE,
                    Air::Stars if self.p.night => lighter(self.p.glow, 0.06),
                    _ => spark,
                };
                let low = matches!(self.t.air, Air::Embers | Air::Fireflies);
                let place = |pick: &mut Seeded| {
                    let (x, y) = anywhere(pick);
                    (x, if low { y.max(pick.between(0.0, 500.0)) } else { y })
                };
                for (count, width, opacity) in [(22, 2.4, 0.55), (13, 4.4, 0.75), (5, 7.5, 0.85)] {
                    let d = points(&mut pick, count, place);
                    self.c.line(&d, colour, width, opacity);
                }
                if self.t.air == Air::Fireflies {
                    let d = points(&mut pick, 6, aside);
                    self.c.line(&d, colour, 26.0, 0.16);
                    self.c.line(&d, colour, 12.0, 0.3);
                    self.c.line(&d, lighter(colour, 0.1), 5.0, 1.0);
                }
            }
            Air::Leaves | Air::Petals | Air::Feathers => {
                let (size, slim) = match self.t.air {
                    Air::Petals => (7.5, 0.62),
                    Air::Feathers => (15.0, 0.34),
                    _ => (13.0, 0.42),
                };
                let count = if self.t.air == Air::Feathers { 9 } else { 17 };
                let d = blades(&mut pick, count, size, slim, anywhere);
                self.c.soft(&d, spark, 0.7);
            }
            Air::Mist | Air::Waves => self.bands(),
            Air::Bubbles => {
                for _ in 0..9 {
                    let (x, y) = aside(&mut pick);
                    let r = pick.between(5.0, 19.0);
                    self.c.circle(x, y, r, lighter(self.p.glow, 0.03), 1.8, 0.7);
                    self.c.disc(x - r * 0.35, y - r * 0.4, r * 0.2, Colour::WHITE, 0.8);
                }
            }
        }
    }

    /// Mist or waves: four bands of paper that come nearer.
    fn bands(&mut self) {
        let mut pick = self.pick("bands");
        let mist = self.t.air == Air::Mist;
        let [_, middle, low] = self.p.sky;
        for k in 0..4_u8 {
            let step = f64::from(k);
            let y = 322.0 + 44.0 * step;
            let (amp, count) = if mist { (pick.between(10.0, 24.0), 2_u8) } else { (9.0, 7) };
            let width = 400.0 / f64::from(count);
            let mut d = format!("M-30 {}", W(y));
            let shift = pick.between(-28.0, 0.0);
            for i in 0..=count {
                let sign = if (i + k) % 2 == 0 { -1.0 } else { 1.0 };
                let x = shift + width * f64::from(i);
                let sharp = if mist { sign * amp } else { -amp };
                let _ = write!(d, "Q{} {} {} {}", W(x + width / 2.0), W(y + sharp * 2.0), W(x + width), W(y));
            }
            d.push_str("V500H-30Z");
            if mist {
                self.c.soft(&d, lighter(low, 0.05), 0.36);
            } else {
                let colour = lighter(low.mix(self.p.cloth, 0.14 + 0.13 * step), -0.012 * step);
                self.c.paper(&d, colour.mix(middle, 0.2), colour, 2.5);
            }
        }
    }

    /// A little of the same air before the bust, never on the face.
    pub(super) fn air_in_front(&mut self) {
        let mut pick = self.pick("front");
        let spark = self.spark_colour();
        match self.t.air {
            Air::Rain => {
                let mut d = String::new();
                for _ in 0..12 {
                    let (x, y) = aside(&mut pick);
                    let l = pick.between(20.0, 44.0);
                    let _ = write!(d, "M{} {}l{} {}", W(x), W(y), W(-l * 0.26), W(l));
                }
                self.c.line(&d, lighter(self.p.glow, 0.06), 2.0, 0.55);
            }
            Air::Leaves | Air::Petals | Air::Feathers => {
                let (size, slim) = match self.t.air {
                    Air::Petals => (10.0, 0.62),
                    Air::Feathers => (23.0, 0.32),
                    _ => (18.0, 0.42),
                };
                let d = blades(&mut pick, 4, size, slim, |pick| {
                    let (x, y) = aside(pick);
                    (x, 250.0 + y / 2.0)
                });
                let fill = lighter(spark, -0.06);
                self.c.paper(&d, fill, fill, 4.0);
            }
            Air::Embers | Air::Snow | Air::Fireflies => {
                let colour = if self.t.air == Air::Snow { Colour::WHITE } else { spark };
                let d = points(&mut pick, 7, aside);
                self.c.line(&d, colour, 7.0, 0.9);
            }
            _ => {}
        }
    }
}
