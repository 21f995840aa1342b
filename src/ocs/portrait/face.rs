//! The head: its shape, its shading, brows, nose and mouth.

use super::Bust;
use super::canvas::{CX, put};
use super::choose::Chosen;
use super::oklch::{at, lightness};
use super::traits::{Age, Build, Ears, Hair, Headgear, Mouth};
use crate::ocs::style::Seeded;

/// The measures of one face, in units of the plate and relative to its axis.
pub(super) struct Face {
    /// Half the width at the cheeks.
    pub w: f64,
    /// Half the width at the jaw.
    pub jaw: f64,
    /// Height of the jaw's corner.
    pub jaw_y: f64,
    /// How blunt the chin is.
    pub chin: f64,
    /// Height of the chin.
    pub chin_y: f64,
    /// Height of the eyes.
    pub eye_y: f64,
    /// Half the distance between the eyes.
    pub gap: f64,
    /// Size of the eyes, about 1.
    pub eye: f64,
    /// How far the outer corners of the eyes rise.
    pub slant: f64,
    /// How far the face is turned: the features move by this.
    pub turn: f64,
    /// The tilt of the head in degrees, and the point it turns about.
    pub tilt: (f64, f64, f64),
    /// Which nose, 0 to 5.
    pub nose: u32,
    /// Thickness of the brows.
    pub brow: f64,
    /// Half the width of the neck.
    pub neck: f64,
    /// Half the width of the shoulders.
    pub shoulder: f64,
    /// Half the width of the mouth.
    pub mouth: f64,
    /// How large the bust is drawn, and how far from the middle it stands.
    pub stand: (f64, f64),
}

/// Whether something stands so high on the head that the bust must not be drawn larger.
fn tall(t: &Chosen) -> bool {
    matches!(
        t.headgear,
        Some(
            Headgear::WitchHat
                | Headgear::TopHat
                | Headgear::RabbitEars
                | Headgear::Antlers
                | Headgear::Plume
                | Headgear::FoxEars
                | Headgear::Horns
                | Headgear::Antennae
        )
    ) || matches!(t.hair, Hair::Bun | Hair::Mohawk)
}

impl Face {
    /// Draws the measures.
    pub(super) fn new(seed: &str, t: &Chosen) -> Self {
        let mut pick = Seeded::new(seed, "face");
        let young = if t.age == Age::Young { 1.0 } else { 0.0 };
        let (w, jaw, chin, chin_y, neck, shoulder, eye, brow) = match t.build {
            Build::Soft => (pick.between(55.5, 59.5), pick.between(37.0, 43.0), 15.0, 302.0, 23.5, 132.0, 1.1, 3.6),
            Build::Even => (pick.between(56.5, 60.5), pick.between(41.0, 47.0), 20.0, 305.0, 26.5, 144.0, 1.02, 4.6),
            Build::Strong => (pick.between(58.0, 62.0), pick.between(47.5, 53.0), 26.0, 309.0, 34.0, 164.0, 0.94, 6.2),
        };
        Self {
            w,
            jaw: jaw - 1.5 * young,
            jaw_y: pick.between(265.0, 271.0),
            chin: chin + pick.between(-4.0, 6.0),
            chin_y: chin_y + pick.between(-3.0, 5.0) - 5.0 * young,
            eye_y: 221.0 + pick.between(-2.0, 2.5) + 3.0 * young,
            gap: pick.between(25.5, 28.5),
            eye: eye + pick.between(-0.07, 0.1) + 0.08 * young,
            slant: pick.between(-2.2, 3.4),
            turn: pick.between(-6.5, 6.5),
            tilt: (pick.between(-5.0, 5.0), CX, 340.0),
            nose: pick.below(6),
            brow: brow + pick.between(-0.9, 1.3),
            neck: neck + pick.between(-1.0, 1.5),
            shoulder: shoulder + pick.between(-8.0, 10.0),
            mouth: pick.between(12.5, 16.5),
            stand: (if tall(t) { 1.02 } else { pick.between(1.08, 1.15) }, pick.between(-9.0, 9.0)),
        }
    }

    /// The outline of the head, ears and hair apart.
    pub(super) fn outline(&self) -> String {
        let Self { w, jaw, jaw_y, chin, chin_y, .. } = *self;
        let d = format!(
            "M-{w} 210C-{} 158 -{} 131 0 131C{} 131 {} 158 {w} 210C{w} 236 {} {} {jaw} {jaw_y}C{} {} {chin} {chin_y} 0 \
             {chin_y}C-{chin} {chin_y} -{} {} -{jaw} {jaw_y}C-{} {} -{w} 236 -{w} 210Z",
            w + 1.0,
            w * 0.8,
            w * 0.8,
            w + 1.0,
            jaw + 5.0,
            jaw_y - 14.0,
            jaw - 7.0,
            jaw_y + 18.0,
            jaw - 7.0,
            jaw_y + 18.0,
            jaw + 5.0,
            jaw_y - 14.0,
        );
        super::canvas::map(&d, |x, y| (CX + x, y))
    }

    /// How much hair and hats are stretched to fit this head.
    pub(super) fn fit(&self) -> f64 {
        self.w / 59.0
    }
}

impl Bust<'_> {
    /// Ears, head and its shading.
    pub(super) fn head(&mut self) {
        self.ears();
        let outline = self.f.outline();
        self.c.paper(&outline, self.p.skin, self.p.skin_light, 3.0);
        self.c.open_clip(&outline);
        let Face { w, jaw, jaw_y, chin_y, turn, .. } = self.f;
        let side = format!(
            "M{} 120L{} 140C{} 190 {} 238 {} {}C{} {} 14 {} -6 {}L{} {}Z",
            w + 10.0,
            w * 0.66,
            w * 0.93,
            w * 0.74,
            jaw * 0.8,
            jaw_y,
            jaw * 0.62,
            chin_y - 8.0,
            chin_y - 3.0,
            chin_y + 6.0,
            w + 20.0,
            chin_y + 10.0
        );
        self.c.soft(&put(&side, 1.0, 0.0), self.p.skin_shade, 0.62);
        let rim = format!("M-{w} 190C-{w} 236 -{} {} -{jaw} {jaw_y}", jaw + 5.0, jaw_y - 14.0);
        self.c.line(&put(&rim, 1.0, 0.0), self.p.skin_light, 6.0, 0.75);
        // What the hair and the hat throw on the forehead.
        for cast in [self.fringe_path(), self.brim_path()].into_iter().flatten() {
            self.c.cast(&cast, 2.0, 9.0, self.p.skin_shade, 0.85);
        }
        let blush = self.p.blush;
        let warm = self.c.glow(&[(0.0, blush, 0.55), (1.0, blush, 0.0)]);
        for s in [-1.0, 1.0] {
            let (x, y) = (CX + turn * 0.6 + s * (self.f.gap + 9.0), self.f.eye_y + 31.0);
            self.c.disc(x, y, 18.0, &warm, 1.0);
        }
        self.marks_on_skin();
        self.c.close();
    }

    /// Whether the hair or the hat leaves the ears free.
    fn ears_free(&self) -> bool {
        let covered = matches!(
            self.t.headgear,
            Some(Headgear::Hood | Headgear::Headscarf | Headgear::Helmet | Headgear::Headphones)
        );
        let hair = matches!(self.t.hair, Hair::Long | Hair::Wavy | Hair::Bob | Hair::Curly | Hair::Afro | Hair::Mane);
        !covered && (!hair || self.t.ears != Ears::Round)
    }

    fn ears(&mut self) {
        if !self.ears_free() {
            return;
        }
        let w = self.f.w;
        for s in [-1.0, 1.0] {
            let skin = if s < 0.0 { self.p.skin } else { self.p.skin_shade.mix(self.p.skin, 0.45) };
            let (shape, inner) = match self.t.ears {
                Ears::Round => ("M-4 208C9 197 14 214 10 232C8 247 -1 250 -5 242Z", "M0 214C7 210 8 222 5 232"),
                Ears::Pointed => ("M-4 210C8 196 24 190 40 170C40 202 24 232 -5 244Z", "M2 218C14 210 24 202 32 190"),
                Ears::Fins => (
                    "M-5 206L30 176Q26 194 42 202Q28 212 36 230Q20 228 16 244Q4 240 -5 244Z",
                    "M0 216L26 190M2 224L32 206M2 232L26 226",
                ),
                Ears::Bolts => ("M-5 206L11 202Q15 220 11 240L-5 238Z", "M5 214L5 230"),
            };
            let place = |d: &str| super::canvas::map(d, |x, y| (CX + s * (w + x), y));
            let shape = place(shape);
            if self.t.ears == Ears::Round {
                self.c.fill(&shape, skin);
            } else {
                self.c.paper(&shape, skin, self.p.skin_light, 2.0);
            }
            self.c.line(&place(inner), self.p.skin_line, 2.2, 0.5);
            if self.t.earring && self.t.ears == Ears::Round {
                let (x, trim) = (CX + s * (w + 4.0), self.p.trim);
                self.c.circle(x, 256.0, 7.0, trim, 3.0, 1.0);
            } else if self.t.earring && s < 0.0 {
                self.c.disc(CX + s * (w + 10.0), 232.0, 4.0, self.p.trim, 1.0);
            }
        }
    }

    /// Everything that makes it somebody.
    pub(super) fn features(&mut self) {
        self.nose();
        self.mouth();
        self.eyes();
        self.brows();
        self.beard();
        self.marks_over();
        self.eyewear();
    }

    fn nose(&mut self) {
        let turn = self.f.turn;
        let way = if turn >= 0.0 { 1.0 } else { -1.0 };
        let dy = (self.f.chin_y - 305.0) * 0.3 + self.f.eye_y - 221.0;
        let place = |d: &str| super::canvas::map(d, |x, y| (CX + turn + way * x, y + dy));
        let (shade, line) = (self.p.skin_shade, self.p.skin_line);
        match self.f.nose {
            0 => {
                self.c.soft(&place("M3 218C5 236 11 246 11 252C9 259 -1 260 -6 256C1 255 4 250 2 242Z"), shade, 0.95);
                self.c.line(&place("M-5 256Q2 260 9 255"), line, 2.2, 0.7);
            }
            1 => self.c.line(&place("M3 224Q6 240 10 249Q8 257 -3 255"), line, 2.8, 0.7),
            2 => {
                self.c.soft(&place("M4 228C6 240 15 246 14 252C10 259 2 258 -2 256Z"), shade, 0.9);
                self.c.line(&place("M-12 250Q-12 257 -5 256M-5 256Q0 260 5 256M5 256Q13 257 13 250"), line, 2.4, 0.65);
            }
            3 => {
                self.c.soft(&place("M5 240C10 246 11 250 9 254C5 258 0 257 -3 255Z"), shade, 0.9);
                self.c.line(&place("M-7 252Q-1 259 7 253"), line, 2.6, 0.7);
            }
            4 => {
                self.c.soft(&place("M2 212C7 222 15 240 13 250C11 259 0 260 -5 256C3 254 5 248 2 238Z"), shade, 0.95);
                self.c.line(&place("M-5 256Q3 261 11 254"), line, 2.2, 0.7);
            }
            _ => {
                self.c.soft(&place("M2 214C3 234 8 250 8 254C6 260 -2 260 -5 258C1 256 3 250 2 242Z"), shade, 0.9);
                self.c.line(&place("M-6 257Q0 261 6 257"), line, 2.2, 0.7);
            }
        }
    }

    fn mouth(&mut self) {
        let (turn, half) = (self.f.turn * 0.85, self.f.mouth);
        let y = 278.0 + (self.f.chin_y - 305.0) * 0.55;
        let (lips, line) = (self.p.lips, self.p.skin_line);
        // How far the corners rise, left and right.
        let (left, right, half) = match self.t.mouth {
            Mouth::Level => (0.3, 0.3, half),
            Mouth::Smile => (4.2, 4.2, half + 1.0),
            Mouth::Grin => (5.0, 5.0, half + 2.5),
            Mouth::Smirk => (0.0, 5.0, half),
            Mouth::Frown => (-3.2, -3.2, half - 1.0),
            Mouth::Small => (0.8, 0.8, half * 0.66),
        };
        let place = |d: &str| super::canvas::map(d, |x, dy| (CX + turn + x, y + dy));
        if self.t.mouth == Mouth::Grin {
            let h = half;
            let open = format!("M-{h} -5Q0 1 {h} -5Q{} 13 0 13.500Q-{} 13 -{h} -5Z", h * 0.72, h * 0.72);
            let teeth = format!(
                "M-{} -3.300Q0 2 {} -3.300Q{} 4 0 5Q-{} 4 -{} -3.300Z",
                h - 3.0,
                h - 3.0,
                h * 0.6,
                h * 0.6,
                h - 3.0
            );
            self.c.fill(&place(&open), at(line, lightness(line) - 0.06));
            self.c.fill(&place(&teeth), self.p.white);
            self.c.line(&place(&format!("M-{} 15Q0 20 {} 15", h * 0.5, h * 0.5)), self.p.skin_shade, 2.4, 0.9);
            return;
        }
        let thick = if self.t.build == Build::Strong { 0.62 } else { 1.0 };
        let (up, low) = (4.4 * thick, 8.6 * thick);
        let dip = (left + right) * 0.28;
        let upper = format!(
            "M-{half} {}Q-{} {} -3.500 {}Q0 {} 3.500 {}Q{} {} {half} {}Q0 {} -{half} {}Z",
            -left,
            half * 0.5,
            -up + dip,
            -up + dip,
            -up * 0.55 + dip,
            -up + dip,
            half * 0.5,
            -up + dip,
            -right,
            dip * 2.0 + 1.6,
            -left
        );
        let lower = format!(
            "M-{} {}Q0 {} {} {}Q0 {} -{} {}Z",
            half * 0.84,
            1.0 - left * 0.72,
            low * 1.75 + dip,
            half * 0.84,
            1.0 - right * 0.72,
            dip * 2.0 + 2.6,
            half * 0.84,
            1.0 - left * 0.72
        );
        self.c.fill(&place(&lower), lips.mix(self.p.skin, 0.32));
        self.c.fill(&place(&upper), lips);
        let seam = format!("M-{half} {}Q0 {} {half} {}", -left, dip * 2.0 + 1.6, -right);
        self.c.line(&place(&seam), line, 2.2, 0.85);
        let under = format!("M-{} {}Q0 {} {} {}", half * 0.42, low + 5.0, low + 7.5, half * 0.42, low + 5.0);
        self.c.line(&place(&under), self.p.skin_shade, 2.2, 0.8);
        if self.t.age == Age::Elder {
            let folds = "M-17 -18Q-26 -8 -25 4M17 -18Q26 -8 25 4";
            self.c.line(&place(folds), self.p.skin_shade, 2.4, 0.9);
        }
    }

    fn brows(&mut self) {
        let skin = lightness(self.p.skin);
        let hair = lightness(self.p.hair_deep);
        let colour = if self.t.age == Age::Elder && skin < 0.7 {
            self.p.hair_light
        } else {
            at(self.p.hair_deep, hair.min(skin - 0.2).max(0.14))
        };
        let (thick, lean) = (self.f.brow, self.t.brow);
        let lift = match self.t.eyes {
            super::Eyes::Wide | super::Eyes::Smiling => 4.0,
            super::Eyes::Narrow => -2.0,
            _ => 0.0,
        };
        for s in [-1.0, 1.0] {
            let inner = -18.5 + lean * 6.0;
            let outer = -18.0 - lean * 3.5 - self.f.slant * 0.4;
            let arch = -27.0 + lean * 2.0;
            let d = format!("M-15 {}Q-1 {} 18 {}Q1 {} -14 {}Z", inner, arch, outer, arch + thick * 1.5, inner + thick);
            let (x, y) = (CX + self.f.turn + s * self.f.gap, self.f.eye_y - lift);
            self.c.fill(&super::canvas::map(&d, |dx, dy| (x + s * dx, y + dy)), colour);
        }
    }
}
