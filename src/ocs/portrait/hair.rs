//! Hair: what falls behind the head, the fringe, and the locks that lie before the shoulders.

use std::f64::consts::PI;
use std::fmt::Write as _;

use super::Bust;
use super::canvas::{CX, W, put};
use super::traits::{Fringe, Hair, Headgear};

/// The dome of the hair from the left temple over the head to the right one; the fringe closes it.
const DOME: &str = "M-64 226C-76 150 -54 113 0 113C54 113 76 150 64 226";
/// The same, close to the skull.
const CLOSE: &str = "M-60 212C-67 150 -48 123 0 123C48 123 67 150 60 212";

impl Bust<'_> {
    /// A path written for a head of middle width, stretched to this one.
    fn on_head(&self, d: &str) -> String {
        put(d, self.f.fit(), 0.0)
    }

    /// Whether cloth hides all of the hair.
    fn hair_hidden(&self) -> bool {
        matches!(self.t.headgear, Some(Headgear::Headscarf | Headgear::Turban | Headgear::Helmet))
    }

    /// Hair behind the head.
    pub(super) fn hair_behind(&mut self) {
        if self.hair_hidden() {
            return;
        }
        let (deep, light) = (self.p.hair_deep, self.p.hair);
        let under_hood = self.t.headgear == Some(Headgear::Hood);
        let d = match self.t.hair {
            Hair::Bald | Hair::Crop | Hair::Mohawk => return,
            Hair::Short
            | Hair::Slick
            | Hair::Spiky
            | Hair::Braid
            | Hair::Braids
            | Hair::Buns
            | Hair::Bun
            | Hair::Ponytail => {
                if !under_hood {
                    self.tied();
                }
                let cap = self.on_head("M-65 244C-80 150 -56 112 0 112C56 112 80 150 65 244C40 268 -40 268 -65 244Z");
                self.c.paper(&cap, deep, light, 3.0);
                return;
            }
            Hair::Long => {
                "M-64 190C-80 130 -52 110 0 110C52 110 80 130 64 190C70 260 80 330 96 396C40 416 -40 416 -96 396C-80 330 -70 260 -64 190Z"
            }
            Hair::Wavy => {
                "M-64 190C-82 128 -54 108 0 108C54 108 82 128 64 190C82 214 70 240 84 264C100 290 82 312 98 340C110 364 96 390 80 402C30 420 -30 420 -80 402C-96 390 -110 364 -98 340C-82 312 -100 290 -84 264C-70 240 -82 214 -64 190Z"
            }
            Hair::Bob => {
                "M-64 196C-84 128 -56 108 0 108C56 108 84 128 64 196C80 236 82 270 74 304C58 318 34 314 22 306L-22 306C-34 314 -58 318 -74 304C-82 270 -80 236 -64 196Z"
            }
            Hair::Mane => {
                "M0 100C-20 92 -40 104 -50 116C-72 112 -86 136 -84 154C-104 164 -102 190 -94 204C-114 220 -108 248 -98 258C-112 280 -104 304 -92 312C-98 336 -84 352 -74 356C-50 372 50 372 74 356C84 352 98 336 92 312C104 304 112 280 98 258C108 248 114 220 94 204C102 190 104 164 84 154C86 136 72 112 50 116C40 104 20 92 0 100Z"
            }
            Hair::Curly | Hair::Afro => {
                self.cloud();
                return;
            }
            Hair::Locs => {
                self.locs_behind();
                return;
            }
        };
        let fill = self.c.gradient(false, &[(0.0, deep), (0.5, deep), (1.0, light)]);
        let d = self.on_head(d);
        self.c.paper(&d, fill, light, 4.0);
        if self.t.hair == Hair::Long || self.t.hair == Hair::Wavy {
            let strands = self.on_head(
                "M-72 250C-76 300 -80 340 -86 384M72 250C76 300 80 340 86 384M-60 270C-62 320 -64 350 -68 390",
            );
            self.c.line(&strands, light, 2.4, 0.55);
        }
    }

    /// What is bound up behind the head.
    fn tied(&mut self) {
        let (hair, deep) = (self.p.hair, self.p.hair_deep);
        match self.t.hair {
            Hair::Ponytail => {
                let tail = self.on_head(
                    "M10 116C60 84 122 118 124 190C126 250 104 300 120 356C86 330 66 280 78 220C84 180 60 150 10 140Z",
                );
                self.c.paper(&tail, deep, hair, 4.0);
                let strands =
                    self.on_head("M40 120C94 116 108 170 102 220C96 270 98 300 106 330M34 128C80 130 92 176 88 220");
                self.c.line(&strands, self.p.hair_light, 2.4, 0.5);
            }
            Hair::Bun => {
                let bun = self.on_head("M-34 96C-40 64 -16 52 0 52C20 52 40 66 34 96C28 122 -28 122 -34 96Z");
                self.c.paper(&bun, hair, self.p.hair_light, 4.0);
                self.c.line(
                    &self.on_head("M-22 86C-12 66 14 66 24 84M-26 98C-10 82 12 82 28 98"),
                    self.p.hair_light,
                    2.6,
                    0.6,
                );
                self.c.line(&self.on_head("M-48 62L46 102"), self.p.trim, 4.6, 1.0);
                self.c.disc(CX - 50.0 * self.f.fit(), 61.0, 7.0, self.p.trim, 1.0);
            }
            Hair::Buns => {
                for s in [-1.0, 1.0] {
                    let bun = put(
                        "M38 122C28 92 50 70 72 80C96 90 96 122 76 138C58 150 44 142 38 122Z",
                        s * self.f.fit(),
                        0.0,
                    );
                    self.c.paper(&bun, hair, self.p.hair_light, 3.0);
                    let curl = put("M52 120C48 100 62 90 74 98M56 130C70 134 82 122 80 110", s * self.f.fit(), 0.0);
                    self.c.line(&curl, self.p.hair_light, 2.6, 0.6);
                }
            }
            _ => {}
        }
    }

    /// Curls as one cloud of rounds.
    fn cloud(&mut self) {
        let mut pick = self.pick("curls");
        let afro = self.t.hair == Hair::Afro;
        let (rx, ry, cy, from, to) = if afro { (92.0, 92.0, 186.0, 0.72, 2.28) } else { (76.0, 86.0, 204.0, 0.8, 2.2) };
        let count = 15_u8;
        let fit = self.f.fit();
        let mut d = String::new();
        for i in 0..count {
            let a = PI * (from + (to - from) * f64::from(i) / f64::from(count - 1));
            let (x, y) = (CX + rx * 1.16 * fit * a.cos(), cy + ry * 1.16 * a.sin());
            let r = W(pick.between(17.0, 24.0));
            let _ =
                if i == 0 { write!(d, "M{} {}", W(x), W(y)) } else { write!(d, "A{r} {r} 0 0 1 {} {}", W(x), W(y)) };
        }
        d.push_str("Q200 330 ");
        let a = PI * from;
        let _ = write!(d, "{} {}Z", W(CX + rx * 1.16 * fit * a.cos()), W(cy + ry * 1.16 * a.sin()));
        let fill = self.c.gradient(true, &[(0.0, self.p.hair), (0.6, self.p.hair_deep), (1.0, self.p.hair_deep)]);
        self.c.paper(&d, fill, self.p.hair_light, 4.0);
        let mut curls = String::new();
        for _ in 0..14 {
            let a = PI * pick.between(from, to);
            let far = pick.between(0.86, 1.08);
            let (x, y) = (CX + rx * far * self.f.fit() * a.cos(), cy + ry * far * a.sin());
            let _ = write!(
                curls,
                "M{} {}a9 9 0 0 1 {} {}",
                W(x),
                W(y),
                W(pick.between(8.0, 15.0)),
                W(pick.between(-5.0, 9.0))
            );
        }
        self.c.line(&curls, self.p.hair_light, 2.4, 0.55);
    }

    fn locs_behind(&mut self) {
        let mut pick = self.pick("locs");
        let mut d = String::new();
        for i in 0..11_u8 {
            let x = -72.0 + 14.4 * f64::from(i);
            let end = 330.0 + pick.between(0.0, 56.0);
            let bow = x * 1.28 + pick.between(-5.0, 5.0);
            let _ = write!(d, "M{} {}C{} {} {} {} {} {}", x * 0.5, 150.0, x * 1.25, 180.0, bow, 260.0, bow * 1.04, end);
        }
        let d = self.on_head(&d);
        self.c.cords(&d, self.p.hair_deep, self.p.hair, 16.0);
        let cap = self.on_head("M-66 240C-82 146 -56 108 0 108C56 108 82 146 66 240C40 262 -40 262 -66 240Z");
        self.c.paper(&cap, self.p.hair_deep, self.p.hair, 2.0);
    }

    /// The outline of the hair over the forehead, when there is any.
    pub(super) fn fringe_path(&self) -> Option<String> {
        if self.hair_hidden() {
            return None;
        }
        let end = match (self.t.hair, self.t.fringe) {
            (Hair::Bald, _) => return None,
            (Hair::Crop, _) => return Some(self.on_head(&format!("{CLOSE}C58 190 54 172 34 164Q0 157 -34 164C-54 172 -58 190 -60 212Z"))),
            (Hair::Mohawk, _) => return Some(self.on_head(&format!("{CLOSE}C56 196 50 178 36 166Q20 160 0 162Q-20 160 -36 166C-50 178 -56 196 -60 212Z"))),
            (Hair::Spiky, _) => return Some(self.on_head(
                "M-62 222L-78 178L-68 176L-84 138L-58 142L-64 104L-34 122L-28 82L-4 114L18 76L30 112L58 92L58 128L86 118L74 158L90 168L70 182L64 222C62 200 56 186 46 178L34 192L24 172L8 194L-4 172L-20 196L-30 174L-44 192C-56 190 -60 204 -62 222Z",
            )),
            (Hair::Curly | Hair::Afro, _) => return Some(self.curl_line()),
            (_, Fringe::Swept) => "C63 194 46 178 24 150C-2 186 -48 184 -64 226Z",
            (_, Fringe::Curtain) => "C62 200 44 178 2 147C-42 178 -60 200 -64 226Z",
            (_, Fringe::Bangs) => "C64 210 60 204 56 200Q46 194 40 201Q30 195 24 203Q12 196 4 203Q-6 196 -14 203Q-24 196 -32 202Q-42 195 -50 201C-58 206 -62 214 -64 226Z",
            (_, Fringe::Wisps) => "C63 206 58 192 50 184L44 204L32 180L20 206L6 178L-6 209L-20 180L-30 205L-42 184L-52 208C-58 206 -62 214 -64 226Z",
            (_, Fringe::Peak) => "C61 194 54 174 38 165Q16 158 0 176Q-16 158 -38 165C-54 174 -61 194 -64 226Z",
            (_, Fringe::Veil) => "C62 196 50 172 34 149C30 200 2 232 -40 268C-60 262 -66 244 -64 226Z",
            (_, Fringe::High) => "C61 194 56 172 34 163Q0 154 -34 163C-56 172 -61 194 -64 226Z",
        };
        Some(self.on_head(&format!("{DOME}{end}")))
    }

    /// Curls along the hairline.
    fn curl_line(&self) -> String {
        let mut pick = self.pick("hairline");
        let mut d = String::new();
        // Over the head from temple to temple, then back along the forehead, both in bumps.
        for i in 0..=9_u8 {
            let a = PI * (0.98 + 1.04 * f64::from(i) / 9.0);
            let (x, y) = (CX + 67.0 * self.f.fit() * a.cos(), 206.0 + 82.0 * a.sin());
            let r = W(pick.between(13.0, 19.0));
            let _ =
                if i == 0 { write!(d, "M{} {}", W(x), W(y)) } else { write!(d, "A{r} {r} 0 0 1 {} {}", W(x), W(y)) };
        }
        for i in (0..=8_u8).rev() {
            let a = PI * (1.03 + 0.94 * f64::from(i) / 8.0);
            let (x, y) = (CX + 58.0 * self.f.fit() * a.cos(), 214.0 + 46.0 * a.sin());
            let r = W(pick.between(10.0, 14.0));
            let _ = write!(d, "A{r} {r} 0 0 1 {} {}", W(x), W(y));
        }
        d.push('Z');
        d
    }

    /// The fringe with the light on it.
    pub(super) fn fringe(&mut self) {
        let Some(d) = self.fringe_path() else { return };
        let (hair, deep, light) = (self.p.hair, self.p.hair_deep, self.p.hair_light);
        if self.t.hair == Hair::Mohawk {
            self.c.soft(&d, deep, 0.8);
            let crest = self
                .on_head("M-26 178C-34 140 -40 96 -20 58L-10 86L2 44L12 82L30 56C42 96 36 140 26 178Q0 164 -26 178Z");
            self.c.paper(&crest, hair, light, 3.0);
            self.c.line(
                &self.on_head("M-14 164C-20 130 -18 106 -14 92M2 160C0 126 2 100 4 84M16 164C20 130 22 106 22 92"),
                light,
                3.0,
                0.6,
            );
            return;
        }
        if self.t.hair == Hair::Crop {
            self.c.soft(&d, deep, 0.92);
            self.c.line(&self.on_head("M-42 156C-34 136 -20 129 0 128"), light, 4.0, 0.4);
            return;
        }
        let curls = matches!(self.t.hair, Hair::Curly | Hair::Afro);
        let stops =
            if curls { [(0.0, hair), (0.6, hair), (1.0, deep)] } else { [(0.0, light), (0.42, hair), (1.0, deep)] };
        let fill = self.c.gradient(true, &stops);
        self.c.paper(&d, fill, light, 2.5);
        let strands = match (self.t.hair, self.t.fringe) {
            (Hair::Curly | Hair::Afro, _) => {
                "M-50 166Q-44 150 -34 154M-34 140Q-24 130 -14 138M-14 156Q-4 146 6 154M6 136Q18 128 26 138M24 152Q34 146 42 156M40 142Q50 144 52 156"
            }
            (Hair::Spiky, _) => "M-54 160L-40 132M-22 150L-16 112M10 148L16 106M38 152L48 120",
            (Hair::Locs, _) => {
                "M-46 176C-44 140 -30 122 -16 116M-22 160C-20 138 -12 122 -4 116M4 158C4 136 4 124 4 116M28 162C26 140 20 124 14 116M48 178C46 146 36 126 24 118"
            }
            (_, Fringe::Swept | Fringe::Veil) => {
                "M-54 196C-34 186 -6 172 14 140M-56 176C-40 166 -18 154 -2 128M44 174C40 160 36 148 30 138"
            }
            (_, Fringe::Curtain) => {
                "M-52 194C-44 172 -26 156 -6 142M-54 172C-46 150 -30 136 -12 128M52 194C44 172 26 156 8 142M54 172C46 150 30 136 14 128"
            }
            (_, Fringe::Bangs | Fringe::Wisps) => {
                "M-42 188C-44 160 -36 136 -22 124M-18 190C-20 160 -14 138 -6 124M12 190C14 160 10 138 8 124M38 188C40 160 34 138 24 126"
            }
            _ => {
                "M-44 164C-42 142 -30 126 -12 118M-20 158C-16 140 -8 126 0 118M20 158C18 140 12 128 8 118M46 166C44 144 34 128 20 120"
            }
        };
        let strands = self.on_head(strands);
        self.c.line(&strands, light, 2.2, 0.6);
        if matches!(
            self.t.hair,
            Hair::Long | Hair::Wavy | Hair::Bob | Hair::Short | Hair::Braid | Hair::Buns | Hair::Slick
        ) {
            let sheen = self.on_head("M-50 160C-40 132 -16 122 14 124C-10 132 -32 146 -42 172Z");
            self.c.soft(&sheen, light, 0.75);
        }
    }

    /// Locks before the shoulders.
    pub(super) fn hair_front(&mut self) {
        if self.hair_hidden() {
            return;
        }
        let (hair, deep, light) = (self.p.hair, self.p.hair_deep, self.p.hair_light);
        match self.t.hair {
            Hair::Long => {
                for (s, fill) in [(-1.0, hair), (1.0, deep)] {
                    let d = put(
                        "M58 196C70 214 68 250 70 284C74 336 92 380 84 432C72 420 52 392 50 340C49 300 58 262 54 226Z",
                        s * self.f.fit(),
                        0.0,
                    );
                    self.c.paper(&d, fill, light, 3.5);
                    self.c.line(&put("M63 230C62 280 66 340 78 404", s * self.f.fit(), 0.0), light, 2.2, 0.6);
                }
            }
            Hair::Wavy => {
                for (s, fill) in [(-1.0, hair), (1.0, deep)] {
                    let d = put(
                        "M58 192C74 214 58 240 72 264C88 292 70 316 84 344C94 366 88 390 76 402C60 392 52 366 60 344C46 318 64 290 52 264C46 242 56 222 54 206Z",
                        s * self.f.fit(),
                        0.0,
                    );
                    self.c.paper(&d, fill, light, 3.5);
                    self.c.line(
                        &put("M62 222C60 244 72 262 68 284C64 312 76 330 76 356", s * self.f.fit(), 0.0),
                        light,
                        2.2,
                        0.6,
                    );
                }
            }
            Hair::Braid => self.plait(1.0, 6),
            Hair::Braids => {
                self.plait(-1.0, 5);
                self.plait(1.0, 5);
            }
            Hair::Mane => {
                for (s, fill) in [(-1.0, hair), (1.0, deep)] {
                    let d = put(
                        "M58 190L82 214L68 222L90 256L70 262L84 300L62 298L66 326C50 300 52 250 54 214Z",
                        s * self.f.fit(),
                        0.0,
                    );
                    self.c.paper(&d, fill, light, 3.0);
                }
            }
            Hair::Bob => {
                for (s, fill) in [(-1.0, hair), (1.0, deep)] {
                    let d = put(
                        "M57 198C76 222 76 270 66 304C58 312 46 308 42 302C56 280 58 250 53 214Z",
                        s * self.f.fit(),
                        0.0,
                    );
                    self.c.paper(&d, fill, light, 2.5);
                }
            }
            Hair::Locs => {
                let mut d = String::new();
                for s in [-1.0, 1.0] {
                    for (x, end) in [(58.0, 352.0), (70.0, 330.0)] {
                        let _ = write!(
                            d,
                            "M{} 196C{} 240 {} 290 {} {end}",
                            s * (x - 4.0),
                            s * (x + 6.0),
                            s * (x + 2.0),
                            s * (x + 8.0)
                        );
                    }
                }
                let d = self.on_head(&d);
                self.c.cords(&d, hair, light, 13.0);
                for s in [-1.0, 1.0] {
                    self.c.line(&put("M58 316L70 314", s * self.f.fit(), 0.0), self.p.trim, 6.0, 1.0);
                }
            }
            _ => {}
        }
    }

    /// One plait over a shoulder.
    fn plait(&mut self, s: f64, links: u8) {
        let fit = s * self.f.fit();
        let (hair, light) = (self.p.hair, self.p.hair_light);
        let start = put("M52 196C66 210 70 232 70 256L50 262C56 238 54 218 52 196Z", fit, 0.0);
        self.c.paper(&start, hair, light, 2.5);
        let (mut plait, mut seams) = (String::new(), String::new());
        for i in (0..links).rev() {
            let t = f64::from(i);
            let (x, y, w) = (60.0 + t * 2.2, 252.0 + t * 25.0, 17.0 - t * 0.9);
            let _ = write!(
                plait,
                "M{x} {}C{} {y} {} {} {x} {}C{} {} {} {y} {x} {}Z",
                y - 4.0,
                x + w * 1.5,
                x + w,
                y + 26.0,
                y + 34.0,
                x - w,
                y + 26.0,
                x - w * 1.5,
                y - 4.0
            );
            let _ = write!(seams, "M{} {}Q{x} {} {} {}", x - w, y + 14.0, y + 22.0, x + 1.0, y + 32.0);
            let _ = write!(seams, "M{} {}Q{} {} {x} {}", x + w, y + 14.0, x + w * 0.6, y + 24.0, y + 32.0);
        }
        self.c.paper(&put(&plait, fit, 0.0), hair, light, 3.0);
        self.c.line(&put(&seams, fit, 0.0), self.p.hair_deep, 2.4, 0.9);
        let t = f64::from(links);
        let (x, y) = (60.0 + t * 2.2, 252.0 + t * 25.0);
        self.c.paper(
            &put(
                &format!(
                    "M{} {}L{} {}L{} {}L{} {}Z",
                    x - 9.0,
                    y + 4.0,
                    x + 9.0,
                    y + 4.0,
                    x + 8.0,
                    y + 13.0,
                    x - 8.0,
                    y + 13.0
                ),
                fit,
                0.0,
            ),
            self.p.trim,
            self.p.trim,
            1.5,
        );
        self.c.fill(
            &put(&format!("M{} {}L{} {}L{x} {}Z", x - 8.0, y + 13.0, x + 8.0, y + 13.0, y + 36.0), fit, 0.0),
            self.p.hair_deep,
        );
    }
}
