//! The eyes.

use super::Bust;
use super::canvas::{CX, map};
use super::oklch::{at, lighter, lightness};
use super::traits::{Age, Build, Eyes, Eyewear};

impl Bust<'_> {
    /// Both eyes. A patch hides the one on the shaded side.
    pub(super) fn eyes(&mut self) {
        for s in [-1.0, 1.0] {
            if s > 0.0 && self.t.eyewear == Eyewear::Patch {
                continue;
            }
            self.eye(s);
        }
    }

    fn eye(&mut self, s: f64) {
        let f = &self.f;
        // The eye on the far side of a turned face is a little narrower.
        let near = 1.0 - s * f.turn * 0.011;
        let (x, y, size, slant) = (CX + f.turn + s * f.gap, f.eye_y, f.eye, f.slant);
        let place = |d: &str| map(d, |dx, dy| (x + s * dx * size * near, y + dy * size - slant * (dx / 13.0)));
        let (ink, iris, white) = (self.p.ink, self.p.iris, self.p.white);
        let lashes = self.t.build != Build::Strong;
        let crease = self.p.skin_line;
        match self.t.eyes {
            Eyes::Closed => {
                self.c.line(&place("M-13 1Q0 10 13.500 0"), ink, 3.6, 1.0);
                if lashes {
                    self.c.line(&place("M8 5L11 9M12.500 1.500L17 4"), ink, 2.4, 1.0);
                }
                self.c.line(&place("M-11 -6Q1 -10 12 -6"), crease, 1.8, 0.45);
                return;
            }
            Eyes::Smiling => {
                self.c.line(&place("M-13 4Q0 -9 13.500 4"), ink, 3.8, 1.0);
                if lashes {
                    self.c.line(&place("M12 1L17 0"), ink, 2.4, 1.0);
                }
                self.c.line(&place("M-9 11Q1 14 11 10"), crease, 1.8, 0.5);
                return;
            }
            Eyes::Glowing => {
                let glow = lighter(self.p.glow, 0.02);
                self.c.soft(&place("M-19 1Q0 -20 20 0Q0 18 -19 1Z"), iris, 0.4);
                self.c.fill(&place("M-14 1Q-2 -12 14.500 -1Q2 9 -14 1Z"), glow);
                self.c.line(&place("M-14 1Q-2 -12 14.500 -1"), ink, 2.8, 1.0);
                return;
            }
            Eyes::Open | Eyes::Wide | Eyes::Narrow | Eyes::Lidded => {}
        }
        // The upper edge, the lower edge, and where the iris sits in it.
        let (up, low, r, iris_y) = match self.t.eyes {
            Eyes::Wide => (-13.5, 9.0, 7.6, -1.5),
            Eyes::Narrow => (-7.0, 5.2, 6.0, -0.8),
            Eyes::Lidded => (-6.5, 8.0, 6.8, 0.2),
            _ => (-11.0, 7.6, 7.0, -1.0),
        };
        let almond = place(&format!("M-13.500 1.500C-9 {up} 7 {up} 14 -0.500C9 {low} -6 {low} -13.500 1.500Z"));
        self.c.open_clip(&almond);
        self.c.fill(&place("M-20 -20L20 -20L20 20L-20 20Z"), white);
        let (ix, iy) = (x + f_look(self.f.turn) + s * 0.4, y + iris_y * size);
        self.c.disc(ix, iy, r * size, at(iris, lightness(iris) - 0.16), 1.0);
        self.c.disc(ix, iy + 0.6, (r - 1.6) * size, iris, 1.0);
        self.c.disc(ix, iy, r * 0.45 * size, ink, 1.0);
        self.c.close();
        self.c.disc(ix - 2.2 * size, iy - 2.6 * size, 1.7 * size, super::super::style::Colour::WHITE, 0.95);
        // The upper lid is a shape, thick in the outer third.
        let lid = format!(
            "M-14.500 2C-9 {} 7 {} 14 -1{}C8 {} -8 {} -14.500 2Z",
            up - 2.4,
            up - 3.2,
            if lashes { "L19 -5L14.500 1.500" } else { "L15.500 0" },
            up + 1.6,
            up + 1.6
        );
        self.c.fill(&place(&lid), ink);
        let fold = if self.t.eyes == Eyes::Lidded { -8.0 } else { -4.2 };
        let crease_line = format!("M-11 {}C-5 {} 6 {} 14 {}", up * 0.5 + fold, up + fold, up + fold, up * 0.35 + fold);
        self.c.line(&place(&crease_line), crease, 1.9, 0.6);
        self.c.line(&place(&format!("M-7 {}Q2 {} 10 {}", low * 0.66, low * 0.98, low * 0.5)), crease, 1.5, 0.5);
        if self.t.age == Age::Elder {
            self.c.line(&place("M-10 13Q0 18 11 12M18 0L24 -3M18 4L24 5"), self.p.skin_shade, 2.0, 0.9);
        }
    }
}

/// The eyes look where the face is turned.
fn f_look(turn: f64) -> f64 {
    turn * 0.22
}
