//! What stands behind the head.

use std::f64::consts::{PI, TAU};
use std::fmt::Write as _;

use super::Bust;
use super::canvas::{CX, N, W};
use super::oklch::lighter;
use super::traits::Halo;

/// Height of the middle of the halo.
const CY: f64 = 194.0;

/// A point on a circle about the middle of the halo, 0 to the right, clockwise.
fn polar(angle: f64, r: f64) -> (f64, f64) {
    (CX + r * angle.cos(), CY + r * angle.sin())
}

/// A full circle as a path.
fn ring_path(x: f64, y: f64, r: f64) -> String {
    let (left, y, r, across) = (N(x - r), N(y), N(r), N(2.0 * r));
    format!("M{left} {y}a{r} {r} 0 1 0 {across} 0a{r} {r} 0 1 0 -{across} 0Z")
}

/// A star with four long points.
fn spark(x: f64, y: f64, r: f64) -> String {
    let (x, y, r, near, far) = (N(x), N(y - r), N(r), N(r * 0.16), N(r * 0.84));
    format!("M{x} {y}q{near} {far} {r} {r}q-{far} {near} -{r} {r}q-{near} -{far} -{r} -{r}q{far} -{near} {r} -{r}Z")
}

impl Bust<'_> {
    /// Draws the halo.
    pub(super) fn halo(&mut self) {
        match self.t.halo {
            Halo::Moon => self.moon(),
            Halo::Crescent => self.crescent(),
            Halo::Sun => self.sun(),
            Halo::Rays => self.rays(),
            Halo::Ring => self.rings(),
            Halo::Constellation => self.constellation(),
            Halo::Gear => self.gear_wheel(),
            Halo::Window => self.window(),
            Halo::Blossom => self.blossom(),
            Halo::Scales => self.scales(),
            Halo::Eclipse => self.eclipse(),
            Halo::Diamond => self.diamond(),
            Halo::Peaks => self.peaks(),
            Halo::Laurel => self.laurel(),
        }
    }

    fn moon(&mut self) {
        let mut pick = self.pick("halo");
        let x = CX + if pick.chance(0.5) { 36.0 } else { -36.0 };
        let y = CY - pick.between(10.0, 26.0);
        let face = self.c.gradient(true, &[(0.0, lighter(self.p.halo, 0.03)), (1.0, self.p.halo_low)]);
        self.c.paper(&ring_path(x, y, 136.0), face, self.p.halo, 5.0);
        for _ in 0..5 {
            let (angle, far) = (pick.between(0.0, TAU), pick.between(70.0, 112.0));
            let r = pick.between(6.0, 19.0);
            self.c.disc(x + far * angle.cos(), y + far * angle.sin(), r, self.p.halo_low, 0.55);
        }
    }

    fn crescent(&mut self) {
        let mut pick = self.pick("halo");
        let lean = pick.between(-0.9, -0.3);
        // Where two circles of radius 150 and 128 meet, with their middles 44 apart.
        let (big, small, apart) = (150.0_f64, 128.0_f64, 44.0_f64);
        let along = (big * big - small * small + apart * apart) / (2.0 * apart);
        let half = (big * big - along * along).max(0.0).sqrt();
        let half_angle = half.atan2(along);
        let (ax, ay) = polar(lean - half_angle, big);
        let (bx, by) = polar(lean + half_angle, big);
        let d = format!(
            "M{} {}A{big} {big} 0 1 0 {} {}A{small} {small} 0 1 1 {} {}Z",
            N(ax),
            N(ay),
            N(bx),
            N(by),
            N(ax),
            N(ay)
        );
        let soft = self.p.halo;
        self.c.disc(CX, CY, 150.0, soft, 0.16);
        self.c.paper(&d, soft, soft, 5.0);
        for _ in 0..6 {
            let (x, y) = polar(lean + pick.between(-0.9, 0.9), pick.between(40.0, 185.0));
            let d = spark(x, y, pick.between(4.0, 9.0));
            self.c.fill(&d, self.p.glow);
        }
    }

    fn sun(&mut self) {
        let mut pick = self.pick("halo");
        let count = 2 * (8 + pick.below(5));
        let bent = pick.chance(0.4);
        let mut rays = String::new();
        for i in 0..count {
            let a = TAU * f64::from(i) / f64::from(count) - PI / 2.0;
            let tip = if i % 2 == 0 { 182.0 } else { 160.0 };
            let half = 0.62 * PI / f64::from(count);
            let ((ax, ay), (bx, by)) = (polar(a - half, 131.0), polar(a + half, 131.0));
            let (tx, ty) = polar(a + if bent { half * 1.1 } else { 0.0 }, tip);
            if bent {
                let (qx, qy) = polar(a - half * 0.5, 156.0);
                let (rx, ry) = polar(a + half * 1.4, 148.0);
                let _ = write!(
                    rays,
                    "M{} {}Q{} {} {} {}Q{} {} {} {}Z",
                    W(ax),
                    W(ay),
                    W(qx),
                    W(qy),
                    W(tx),
                    W(ty),
                    W(rx),
                    W(ry),
                    W(bx),
                    W(by)
                );
            } else {
                let _ = write!(rays, "M{} {}L{} {}L{} {}Z", W(ax), W(ay), W(tx), W(ty), W(bx), W(by));
            }
        }
        self.c.soft(&rays, self.p.halo, 0.92);
        let face = self.c.gradient(true, &[(0.0, lighter(self.p.halo, 0.03)), (1.0, self.p.halo_low)]);
        self.c.paper(&ring_path(CX, CY, 121.0), face, self.p.halo, 4.0);
        self.c.circle(CX, CY, 109.0, self.p.halo_low, 2.5, 0.8);
    }

    fn rays(&mut self) {
        let mut pick = self.pick("halo");
        let count = 14 + 2 * pick.below(5);
        let start = pick.unit();
        let mut d = String::new();
        for i in 0..count {
            let a = TAU * (f64::from(i) + start) / f64::from(count);
            let half = PI / f64::from(count) * 0.5;
            let ((ax, ay), (bx, by)) = (polar(a - half, 420.0), polar(a + half, 420.0));
            let _ = write!(d, "M{CX} {CY}L{} {}L{} {}Z", W(ax), W(ay), W(bx), W(by));
        }
        self.c.soft(&d, self.p.halo, if self.p.night { 0.2 } else { 0.42 });
        self.c.paper(&ring_path(CX, CY, 118.0), self.p.halo, self.p.halo, 4.0);
        self.c.circle(CX, CY, 133.0, self.p.halo, 4.0, 0.85);
    }

    fn rings(&mut self) {
        let mut pick = self.pick("halo");
        self.c.disc(CX, CY, 148.0, self.p.halo, 0.14);
        let sets: [[(f64, f64, f64); 3]; 3] = [
            [(150.0, 3.0, 0.95), (134.0, 11.0, 0.55), (112.0, 2.5, 0.85)],
            [(156.0, 7.0, 0.7), (138.0, 2.0, 0.9), (124.0, 14.0, 0.4)],
            [(146.0, 14.0, 0.8), (128.0, 3.0, 0.7), (164.0, 1.5, 0.8)],
        ];
        let set = pick.of(&sets).copied().unwrap_or_default();
        for (r, width, opacity) in set {
            self.c.circle(CX, CY, r, self.p.halo, width, opacity);
        }
        let (outer, _, _) = set.first().copied().unwrap_or_default();
        let start = pick.between(0.0, TAU);
        for i in 0..3_u8 {
            let (x, y) = polar(start + TAU * f64::from(i) / 3.0, outer);
            self.c.disc(x, y, 9.0 - 2.0 * f64::from(i), self.p.glow, 1.0);
        }
    }

    fn constellation(&mut self) {
        let mut pick = self.pick("halo");
        self.c.disc(CX, CY, 150.0, self.p.halo, if self.p.night { 0.13 } else { 0.3 });
        let count = 8 + pick.below(4);
        let mut line = String::new();
        let mut stars = String::new();
        for i in 0..count {
            // From the left shoulder over the head to the right one.
            let a = PI * (0.92 + 1.16 * f64::from(i) / f64::from(count - 1)) + pick.between(-0.07, 0.07);
            let (x, y) = polar(a, pick.between(122.0, 186.0));
            let _ = write!(line, "{}{} {}", if i == 0 { 'M' } else { 'L' }, N(x), N(y));
            stars.push_str(&spark(x, y, pick.between(7.0, 15.0)));
        }
        let ink = if self.p.night { self.p.glow } else { self.p.halo };
        self.c.line(&line, ink, 1.6, 0.75);
        self.c.fill(&stars, ink);
        let mut dust = String::new();
        for _ in 0..16 {
            let (x, y) = polar(pick.between(PI, TAU), pick.between(60.0, 215.0));
            let _ = write!(dust, "M{} {}h0", N(x), N(y));
        }
        self.c.line(&dust, ink, 2.6, 0.7);
    }

    fn gear_wheel(&mut self) {
        let mut pick = self.pick("halo");
        let teeth = 10 + 2 * pick.below(4);
        let mut d = String::new();
        for i in 0..teeth {
            let step = TAU / f64::from(teeth);
            let a = step * f64::from(i);
            let corners = [(0.0, 136.0), (0.12, 158.0), (0.42, 158.0), (0.54, 136.0)];
            for (at, r) in corners {
                let (x, y) = polar(a + step * at, r);
                let _ = write!(d, "{}{} {}", if d.is_empty() { 'M' } else { 'L' }, W(x), W(y));
            }
        }
        d.push('Z');
        let face = self.c.gradient(true, &[(0.0, self.p.halo), (1.0, self.p.halo_low)]);
        self.c.paper(&d, face, self.p.halo, 5.0);
        self.c.circle(CX, CY, 116.0, self.p.sky[1], 9.0, 0.5);
        let mut bolts = String::new();
        for i in 0..8_u8 {
            let (x, y) = polar(TAU * f64::from(i) / 8.0 + 0.2, 133.0);
            let _ = write!(bolts, "M{} {}h0", W(x), W(y));
        }
        self.c.line(&bolts, self.p.sky[1], 7.0, 0.55);
    }

    fn window(&mut self) {
        let mut pick = self.pick("halo");
        let (halo, low, sky) = (self.p.halo, self.p.halo_low, self.p.sky[0]);
        if pick.chance(0.5) {
            // A lancet window.
            let d = "M84 420V178C84 104 150 60 200 26C250 60 316 104 316 178V420Z";
            let pane = self.c.gradient(false, &[(0.0, halo), (1.0, low)]);
            self.c.paper(d, pane, halo, 5.0);
            self.c.line(
                "M200 30V420M84 178H316M84 262H316M84 346H316M142 74V420M258 74V420M142 178Q142 120 200 96Q258 120 258 178",
                sky,
                3.0,
                0.45,
            );
            self.c.line(d, low, 6.0, 1.0);
        } else {
            // A rose window.
            let mut petals = String::new();
            for i in 0..12_u8 {
                let a = TAU * f64::from(i) / 12.0;
                let (x, y) = polar(a, 118.0);
                let _ = write!(petals, "M{} {}h0", N(x), N(y));
            }
            self.c.paper(&ring_path(CX, CY, 152.0), low, halo, 5.0);
            self.c.line(&petals, halo, 44.0, 1.0);
            self.c.circle(CX, CY, 148.0, halo, 5.0, 1.0);
            self.c.disc(CX, CY, 90.0, halo, 1.0);
        }
    }

    fn blossom(&mut self) {
        let mut pick = self.pick("halo");
        let count = 8 + pick.below(5);
        let pointed = pick.chance(0.5);
        for (length, start, fill) in [(168.0, 0.5, self.p.halo_low), (146.0, 0.0, self.p.halo)] {
            let mut d = String::new();
            for i in 0..count {
                let step = TAU / f64::from(count);
                let a = step * (f64::from(i) + start) - PI / 2.0;
                let width = step * 0.62;
                let (tx, ty) = polar(a, length);
                let reach = if pointed { 0.72 } else { 1.02 };
                let ((ax, ay), (bx, by)) = (polar(a - width, length * reach), polar(a + width, length * reach));
                let _ = write!(d, "M{CX} {CY}Q{} {} {} {}Q{} {} {CX} {CY}Z", W(ax), W(ay), W(tx), W(ty), W(bx), W(by));
            }
            self.c.paper(&d, fill, self.p.halo, 3.5);
        }
        self.c.disc(CX, CY, 92.0, self.p.halo_low, 0.7);
    }

    fn scales(&mut self) {
        let (halo, low) = (self.p.halo, self.p.halo_low);
        let disc = ring_path(CX, CY - 4.0, 152.0);
        self.c.paper(&disc, low, halo, 5.0);
        let scales = self.c.pattern(
            58,
            &format!(
                "<g fill=\"none\" stroke=\"{halo}\" stroke-width=\"4\"><path d=\"M3 29a26 26 0 0 1 52 0M-26 58a26 26 0 0 1 \
                 52 0M32 58a26 26 0 0 1 52 0\"/><path stroke-width=\"2.5\" opacity=\".7\" d=\"M14 29a15 15 0 0 1 30 0M-15 \
                 58a15 15 0 0 1 30 0M43 58a15 15 0 0 1 30 0\"/></g>"
            ),
        );
        self.c.fill(&disc, scales);
        self.c.circle(CX, CY - 4.0, 152.0, halo, 4.0, 1.0);
    }

    fn eclipse(&mut self) {
        let dark = if self.p.night { self.p.sky[0] } else { self.p.cloth };
        let corona = self.c.glow(&[(0.62, self.p.glow, 0.95), (0.78, self.p.glow, 0.4), (1.0, self.p.glow, 0.0)]);
        self.c.raw(&format!("<circle cx=\"200\" cy=\"186\" r=\"206\" fill=\"{corona}\"/>"));
        self.c.disc(CX, CY - 8.0, 132.0, lighter(dark.mix(self.p.sky[1], 0.35), 0.0), 1.0);
        self.c.circle(CX, CY - 8.0, 132.0, self.p.halo, 4.0, 1.0);
        let (x, y) = polar(-0.75, 132.0);
        self.c.fill(&spark(x, y - 8.0, 26.0), self.p.glow);
    }

    fn diamond(&mut self) {
        let mut pick = self.pick("halo");
        let square = |r: f64, lean: f64| {
            let mut d = String::new();
            for i in 0..4_u8 {
                let (x, y) = polar(PI / 2.0 * f64::from(i) + lean, r);
                let _ = write!(d, "{}{} {}", if i == 0 { 'M' } else { 'L' }, N(x), N(y));
            }
            d + "Z"
        };
        let lean = if pick.chance(0.5) { PI / 4.0 } else { 0.0 };
        let face = self.c.gradient(true, &[(0.0, self.p.halo), (1.0, self.p.halo_low)]);
        self.c.paper(&square(188.0, PI / 2.0 + lean), face, self.p.halo, 5.0);
        self.c.line(&square(168.0, PI / 2.0 + lean), self.p.sky[1], 2.5, 0.55);
        self.c.line(&square(188.0, PI / 4.0 + lean), self.p.halo, 4.0, 0.8);
    }

    fn peaks(&mut self) {
        let mut pick = self.pick("halo");
        let x = CX + pick.between(-70.0, 70.0);
        self.c.disc(x, 92.0, 52.0, self.p.glow, 0.95);
        let fade = self.p.sky[2];
        for (shift, top, fill) in [(-62.0, 96.0, self.p.halo_low), (54.0, 64.0, self.p.halo)] {
            let (x, top) = (CX + shift + pick.between(-16.0, 16.0), top + pick.between(-12.0, 12.0));
            let d = format!(
                "M{} {top}L{} {}L{} 500H{}L{} {}Z",
                N(x),
                N(x + 60.0),
                N(top + 92.0),
                N(x + 300.0),
                N(x - 310.0),
                N(x - 74.0),
                N(top + 84.0),
                top = N(top)
            );
            let paint = self.c.gradient(false, &[(0.0, fill), (0.75, fade)]);
            self.c.paper(&d, paint, fill, 4.0);
            let cap = format!("M{} {}l34 52l-14 12l-16 -14l-12 20l-16 -18l-18 8Z", N(x), N(top));
            self.c.fill(&cap, self.p.white);
        }
    }

    fn laurel(&mut self) {
        self.c.disc(CX, CY, 140.0, self.p.halo, if self.p.night { 0.16 } else { 0.4 });
        let mut leaves = String::new();
        for side in [-1.0, 1.0] {
            for i in 0..8_u8 {
                let a = PI / 2.0 + side * (0.5 + 0.29 * f64::from(i));
                let along = a + side * PI / 2.0;
                for (out, turn) in [(11.0, 0.6), (-11.0, -0.6)] {
                    let (x, y) = polar(a, 148.0 + out * 0.4);
                    let heading = along - side * turn;
                    let (dx, dy) = (heading.cos(), heading.sin());
                    let long = 38.0 - 1.4 * f64::from(i);
                    let (tx, ty) = (x + dx * long, y + dy * long);
                    let (nx, ny) = (-dy * 11.0, dx * 11.0);
                    let (mx, my) = (x + dx * long * 0.45, y + dy * long * 0.45);
                    let _ = write!(
                        leaves,
                        "M{} {}Q{} {} {} {}Q{} {} {} {}Z",
                        W(x),
                        W(y),
                        W(mx + nx),
                        W(my + ny),
                        W(tx),
                        W(ty),
                        W(mx - nx),
                        W(my - ny),
                        W(x),
                        W(y)
                    );
                }
            }
        }
        self.c.soft(&leaves, self.p.halo, 0.95);
    }
}
