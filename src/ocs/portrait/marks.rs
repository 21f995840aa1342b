//! Marks of life and of choice: freckles and scars, paint and gems; beards; what is worn over the eyes.

use std::fmt::Write as _;

use super::Bust;
use super::canvas::{CX, N, map};
use super::oklch::{at, lightness};
use super::traits::{Beard, Eyewear, Headgear, Mark};

impl Bust<'_> {
    /// Marks in the skin, drawn within the outline of the face.
    pub(super) fn marks_on_skin(&mut self) {
        let (turn, y) = (self.f.turn, self.f.eye_y);
        let place = |d: &str| map(d, |x, dy| (CX + turn * 0.8 + x, y + dy));
        let marks = self.t.marks.clone();
        for mark in marks {
            let mut pick = self.pick(mark.as_str());
            match mark {
                Mark::Freckles => {
                    let mut d = String::new();
                    for i in 0..22_u8 {
                        let s = if i % 2 == 0 { 1.0 } else { -1.0 };
                        let x = CX + turn * 0.8 + s * pick.between(4.0, 44.0);
                        let _ = write!(d, "M{} {}h0", N(x), N(y + pick.between(17.0, 36.0)));
                    }
                    self.c.line(&d, self.p.skin_line, 2.6, 0.55);
                }
                Mark::Vitiligo => {
                    let pale = at(self.p.skin, (lightness(self.p.skin) + 0.12).min(0.94));
                    let d = "M-62 -30C-40 -34 -34 -12 -42 4C-36 22 -52 40 -66 34ZM-6 62C6 54 24 60 22 74C30 92 2 96 -8 84C-20 76 -16 66 -6 62Z\
                             M20 -60C34 -66 52 -52 48 -40C40 -30 24 -36 20 -60Z";
                    self.c.soft(&place(d), pale, 0.9);
                }
                Mark::Paint => {
                    let d = "M-70 12C-40 14 -20 16 0 15C20 16 40 14 70 12L70 21C40 24 20 25 0 24C-20 25 -40 24 -70 21Z";
                    self.c.soft(&place(d), self.p.trim, 0.8);
                    self.c.line(&place("M-40 29L-44 46M-30 30L-32 44M40 29L44 46M30 30L32 44"), self.p.trim, 4.0, 0.8);
                }
                Mark::Circuit => {
                    let d = "M-64 -34L-40 -34L-30 -24M-60 34L-44 34L-36 44L-36 60M52 -44L38 -44L38 -30M58 44L44 52L44 66M0 -90L0 -62";
                    self.c.line(&place(d), self.p.skin_line, 2.0, 0.6);
                    self.c.line(
                        &place("M-30 -24L-30 -24M-36 60L-36 60M38 -30L38 -30M44 66L44 66M0 -62L0 -62"),
                        self.p.trim,
                        7.0,
                        1.0,
                    );
                }
                Mark::Whiskers => {
                    self.c.soft(
                        &place("M-70 84C-58 50 -26 44 -8 48L0 40L8 48C26 44 58 50 70 84Z"),
                        self.p.skin_light,
                        0.75,
                    );
                }
                _ => {}
            }
        }
    }

    /// Marks that lie over eyes and nose.
    pub(super) fn marks_over(&mut self) {
        let (turn, y) = (self.f.turn, self.f.eye_y);
        let place = |d: &str| map(d, |x, dy| (CX + turn + x, y + dy));
        let trim = self.p.trim;
        let covered = matches!(self.t.headgear, Some(Headgear::Circlet | Headgear::Bandana | Headgear::Turban));
        let marks = self.t.marks.clone();
        for mark in marks {
            match mark {
                Mark::Scar => {
                    let light = at(self.p.skin, (lightness(self.p.skin) + 0.11).min(0.96));
                    self.c.line(&place("M18 -32L25 -14M28 10L36 34"), light, 4.0, 1.0);
                    self.c.line(&place("M20 -32L27 -14M30 10L38 34"), self.p.skin_line, 1.4, 0.7);
                }
                Mark::Mole => self.c.line(&place("M21 46L21 46"), self.p.ink, 4.6, 0.9),
                Mark::Gem if !covered => {
                    self.c.fill(&place("M0 -46L7 -35L0 -22L-7 -35Z"), trim);
                    self.c.fill(&place("M0 -46L7 -35L0 -35Z"), self.p.white);
                }
                Mark::Stripes => {
                    self.c.line(&place("M-50 18L-34 24M-49 28L-35 33M50 18L34 24M49 28L35 33"), trim, 4.2, 0.95);
                }
                Mark::Crest if !covered => {
                    self.c.line(&place("M-11 -44Q0 -24 11 -44"), trim, 3.6, 1.0);
                    self.c.line(&place("M0 -45L0 -45"), trim, 6.0, 1.0);
                }
                Mark::Tears => {
                    self.c.fill(&place("M-27 13Q-21 26 -27 31Q-33 26 -27 13ZM27 13Q33 26 27 31Q21 26 27 13Z"), trim)
                }
                Mark::Dots => {
                    self.c.line(
                        &place("M-40 16L-40 16M-29 19L-29 19M-18 17L-18 17M40 16L40 16M29 19L29 19M18 17L18 17"),
                        trim,
                        4.4,
                        1.0,
                    );
                }
                Mark::Whiskers => {
                    self.c.fill(&place("M-9 29Q0 26 9 29Q5 38 0 38Q-5 38 -9 29Z"), self.p.ink);
                    self.c.line(
                        &place("M-24 40L-52 35M-24 45L-51 48M24 40L52 35M24 45L51 48"),
                        self.p.skin_line,
                        1.6,
                        0.6,
                    );
                }
                _ => {}
            }
        }
    }

    /// Hair on the face, around the mouth that is already drawn.
    pub(super) fn beard(&mut self) {
        let kind = self.t.beard;
        if kind == Beard::None {
            return;
        }
        let f = &self.f;
        let (turn, down, jaw, w) = (f.turn * 0.85, (f.chin_y - 305.0) * 0.55, f.jaw, f.w);
        let (chin_y, jaw_y) = (f.chin_y, f.jaw_y);
        let place = |d: &str| map(d, |x, y| (CX + turn + x, y + down));
        let hair = self.p.hair;
        let moustache = "M0 262C7 259 18 264 27 274C18 275 9 271 0 270C-9 271 -18 275 -27 274C-18 264 -7 259 0 262Z";
        // The beard follows the jaw from ear to ear, and leaves the mouth free.
        let rim = |drop: f64, wide: f64| {
            let d = format!(
                "M-{w} 214C-{} 236 -{} {} -{} {}C-{} {} -{wide} {} 0 {}C{wide} {} {} {} {} {}C{} {} {} 236 {w} 214L{} 222C{} 250 \
                 {} 258 20 264Q0 256 -20 264C-{} 258 -{} 250 -{} 222Z\
                 M-19 272C-10 268 10 268 19 272C19 284 12 290 0 290C-12 290 -19 284 -19 272Z",
                w + 1.0,
                jaw + 8.0,
                jaw_y - 14.0,
                jaw + 3.0,
                jaw_y + 2.0,
                jaw - 4.0,
                jaw_y + 20.0,
                chin_y + drop,
                chin_y + drop,
                chin_y + drop,
                jaw - 4.0,
                jaw_y + 20.0,
                jaw + 3.0,
                jaw_y + 2.0,
                jaw + 8.0,
                jaw_y - 14.0,
                w + 1.0,
                w - 7.0,
                w - 10.0,
                jaw - 8.0,
                jaw - 8.0,
                w - 10.0,
                w - 7.0,
            );
            map(&d, |x, y| (CX + x, y))
        };
        let full = |bust: &mut Self, drop: f64, wide: f64| {
            let d = rim(drop, wide);
            bust.c.raw("<g fill-rule=\"evenodd\">");
            bust.c.paper(&d, hair, bust.p.hair_light, 2.5);
            bust.c.close();
            bust.c.fill(&place(moustache), hair);
            let strands = "M-34 268Q-28 290 -14 302M34 268Q28 290 14 302M-12 294Q-8 302 -4 308M12 294Q8 302 4 308";
            bust.c.line(&place(strands), bust.p.hair_light, 2.0, 0.6);
            bust.c.line(&place("M-22 271Q-10 265 0 267Q10 265 22 271"), bust.p.hair_light, 1.8, 0.6);
        };
        match kind {
            Beard::None => {}
            Beard::Stubble => {
                let d = rim(1.0, self.f.chin);
                self.c.raw("<g fill-rule=\"evenodd\">");
                self.c.soft(&d, self.p.hair_deep, 0.26);
                self.c.close();
                self.c.soft(&place(moustache), self.p.hair_deep, 0.26);
            }
            Beard::Moustache => {
                self.c.paper(
                    &place(
                        "M0 262C8 258 22 262 34 276C24 277 9 273 0 270C-9 273 -24 277 -34 276C-22 262 -8 258 0 262Z",
                    ),
                    hair,
                    hair,
                    1.5,
                );
                self.c.line(&place("M-24 271Q-10 264 0 266Q10 264 24 271"), self.p.hair_light, 1.8, 0.7);
            }
            Beard::Goatee => {
                self.c.fill(&place(moustache), hair);
                self.c.paper(
                    &place("M-16 290C-10 294 10 294 16 290C17 306 8 324 0 328C-8 324 -17 306 -16 290Z"),
                    hair,
                    hair,
                    2.0,
                );
            }
            Beard::Full => full(self, 15.0, 28.0),
            Beard::Great => {
                let d = "M-54 262C-60 316 -34 366 0 398C34 366 60 316 54 262C30 300 -30 300 -54 262Z";
                self.c.paper(&place(d), self.p.hair_deep, self.p.hair_light, 3.0);
                full(self, 34.0, 34.0);
                self.c.line(
                    &place("M-26 312Q-18 344 -6 372M26 312Q18 344 6 372M0 318L0 384"),
                    self.p.hair_light,
                    2.2,
                    0.6,
                );
            }
        }
    }

    /// Glasses, patch or visor.
    pub(super) fn eyewear(&mut self) {
        let f = &self.f;
        let (x, y, gap, w) = (CX + f.turn, f.eye_y, f.gap, f.w);
        let (frame, glass) = (self.p.ink, self.p.white);
        let place = |d: &str| map(d, |dx, dy| (x + dx, y + dy));
        match self.t.eyewear {
            Eyewear::None => {}
            Eyewear::Round => {
                for s in [-1.0, 1.0] {
                    self.c.disc(x + s * gap, y, 20.0, glass, 0.16);
                    self.c.circle(x + s * gap, y, 20.0, frame, 3.0, 1.0);
                    self.c.line(&place(&format!("M{} -4L{} -10", s * gap - 10.0, s * gap - 4.0)), glass, 2.4, 0.75);
                }
                let (inner, outer) = (gap - 20.0, gap + 20.0);
                self.c.line(
                    &place(&format!("M-{inner} -3Q0 -8 {inner} -3M-{outer} -4L-{w} -8M{outer} -4L{w} -8")),
                    frame,
                    3.0,
                    1.0,
                );
            }
            Eyewear::Square => {
                let mut d = String::new();
                for s in [-1.0, 1.0] {
                    let (a, b) = (s * (gap - 20.0), s * (gap + 20.0));
                    let _ = write!(
                        d,
                        "M{a} -14Q{} -17 {b} -15L{} 10Q{} 15 {} 14Q{a} 12 {a} -14Z",
                        s * gap,
                        b - s * 2.0,
                        s * gap,
                        a + s * 6.0
                    );
                }
                let d = place(&d);
                self.c.soft(&d, glass, 0.16);
                self.c.line(&d, frame, 3.4, 1.0);
                let (inner, outer) = (gap - 20.0, gap + 20.0);
                self.c.line(
                    &place(&format!("M-{inner} -6Q0 -10 {inner} -6M-{outer} -9L-{w} -10M{outer} -9L{w} -10")),
                    frame,
                    3.0,
                    1.0,
                );
            }
            Eyewear::Monocle => {
                self.c.disc(x - gap, y, 19.0, glass, 0.2);
                self.c.circle(x - gap, y, 19.0, self.p.trim, 3.2, 1.0);
                self.c.line(
                    &place(&format!("M-{} 8Q-{} 60 -{} 110", gap + 17.0, gap + 30.0, gap + 22.0)),
                    self.p.trim,
                    1.8,
                    0.9,
                );
            }
            Eyewear::Patch => {
                self.c.line(
                    &place(&format!("M-{w} -44Q{} -24 {} -12M{} 4L{w} 12", gap * 0.2, gap, gap + 10.0)),
                    frame,
                    4.0,
                    1.0,
                );
                self.c.paper(
                    &place(&format!(
                        "M{} -13Q{gap} -20 {} -11Q{} 12 {gap} 20Q{} 12 {} -13Z",
                        gap - 18.0,
                        gap + 19.0,
                        gap + 20.0,
                        gap - 18.0,
                        gap - 18.0
                    )),
                    frame,
                    frame,
                    2.0,
                );
            }
            Eyewear::Visor => {
                let d = format!("M-{w} -13Q0 -22 {w} -13L{} 10Q0 22 -{} 10Z", w - 3.0, w - 3.0);
                self.c.paper(&place(&d), self.p.ink, self.p.trim, 2.5);
                self.c.line(&place(&format!("M-{} -3Q0 -9 {} -3", w - 10.0, w - 10.0)), self.p.trim, 5.0, 1.0);
            }
        }
    }
}
