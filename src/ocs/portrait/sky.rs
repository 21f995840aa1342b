//! What is far away: sky, light, and the land at the foot of it.

use std::fmt::Write as _;

use super::canvas::W;
use super::oklch::{lightness, tone};
use super::traits::Ground;
use super::{Bust, HEIGHT, WIDTH};

impl Bust<'_> {
    /// The sky and the light that falls from behind the head.
    pub(super) fn sky(&mut self) {
        let [top, middle, low] = self.p.sky;
        let sky = self.c.gradient(false, &[(0.0, top), (0.7, middle), (1.0, low)]);
        self.c.raw(&format!("<path d=\"M0 0H{WIDTH}V{HEIGHT}H0Z\" fill=\"{sky}\"/>"));
        let glow = self.p.glow;
        let strength = if self.p.night { 0.62 } else { 0.85 };
        let light = self.c.glow(&[(0.0, glow, strength), (0.5, glow, strength * 0.36), (1.0, glow, 0.0)]);
        self.c.raw(&format!("<circle cx=\"200\" cy=\"196\" r=\"235\" fill=\"{light}\"/>"));
    }

    /// Two layers of land on both sides of the shoulders.
    pub(super) fn ground(&mut self) {
        let mut pick = self.pick("ground");
        let [_, middle, low] = self.p.sky;
        let down = if self.p.night { -0.05 } else { -0.09 };
        let far = low.mix(middle, 0.5);
        let far = tone(far, lightness(far) + down * 0.6, 0.85, 0.13);
        let near = middle.mix(self.p.cloth, 0.2);
        let near = tone(near, lightness(near) + down * 1.5, 0.8, 0.12);
        let layers = [(far, 318.0), (near, 372.0)];
        for (at, (colour, y)) in layers.into_iter().enumerate() {
            let near = at == 1;
            let y = y + pick.between(-14.0, 14.0);
            let mut d = format!("M0 500V{}", W(y));
            match self.t.ground {
                Ground::Open => return,
                Ground::Hills => {
                    let (a, b) = (pick.between(-46.0, -8.0), pick.between(4.0, 34.0));
                    let _ = write!(d, "C70 {} 130 {} 200 {}", W(y + a), W(y + a), W(y + b * 0.5));
                    let _ = write!(d, "S330 {} 400 {}", W(y - b), W(y + a * 0.4));
                }
                Ground::Forest => {
                    let mut x = 0.0;
                    while x < WIDTH {
                        let width = pick.between(20.0, 34.0).round();
                        let height = pick.between(30.0, 74.0) * if near { 1.1 } else { 0.8 };
                        let _ = write!(d, "l{} {}l{} {}", W(width / 2.0), W(-height), W(width / 2.0 - 4.0), W(height));
                        x += width - 4.0;
                    }
                }
                Ground::Skyline => {
                    let mut x = 0.0;
                    while x < WIDTH {
                        let width = pick.between(16.0, 38.0);
                        let height = pick.between(0.0, if near { 64.0 } else { 96.0 });
                        let _ = write!(d, "V{}H{}", W(y - height), W((x + width).min(WIDTH)));
                        if pick.chance(0.2) {
                            let _ = write!(d, "h-6v-14h-2v14");
                        }
                        x += width;
                    }
                }
                Ground::Ruins => {
                    let mut x = 4.0;
                    while x < WIDTH {
                        let width = pick.between(17.0, 25.0);
                        let height = pick.between(16.0, if near { 70.0 } else { 118.0 });
                        let _ = write!(d, "H{}V{}h-4v-7H{}v7h-4V{}", W(x), W(y - height), W(x + width), W(y));
                        x += width + pick.between(20.0, 44.0);
                    }
                }
                Ground::Crags => {
                    let mut x = 0.0;
                    while x < WIDTH {
                        let width = pick.between(34.0, 72.0);
                        let height = pick.between(20.0, 78.0) * if near { 0.7 } else { 1.0 };
                        let _ = write!(
                            d,
                            "L{} {}L{} {}",
                            W(x + width * 0.45),
                            W(y - height),
                            W(x + width),
                            W(y + pick.between(-8.0, 8.0))
                        );
                        x += width;
                    }
                }
            }
            let _ = write!(d, "L400 {}V500Z", W(y));
            self.c.paper(&d, colour, colour, 3.0);
        }
        if self.t.ground == Ground::Skyline {
            self.windows();
        }
    }

    /// Lit windows of a town.
    fn windows(&mut self) {
        let mut pick = self.pick("windows");
        let mut d = String::new();
        for _ in 0..12 {
            let side = if pick.chance(0.5) { pick.between(6.0, 110.0) } else { pick.between(290.0, 392.0) };
            let _ = write!(d, "M{} {}h3v4h-3Z", W(side), W(pick.between(330.0, 480.0)));
        }
        let lit = if lightness(self.p.glow) > 0.7 { self.p.glow } else { self.p.white };
        self.c.soft(&d, lit, 0.6);
    }
}
