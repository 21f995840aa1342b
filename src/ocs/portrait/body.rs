//! Wings, shoulders and neck.

use super::Bust;
use super::canvas::{CX, map, put};
use super::oklch::lighter;
use super::traits::{Garb, Wings};

impl Bust<'_> {
    /// What grows from the back.
    pub(super) fn wings(&mut self) {
        let Some(wings) = self.t.wings else { return };
        for s in [-1.0, 1.0] {
            let place = |d: &str| put(d, s, 0.0);
            match wings {
                Wings::Feathered => {
                    let (white, shade) = (self.p.white, self.p.white.mix(self.p.sky[1], 0.4));
                    self.c.paper(
                        &place("M60 400C120 380 200 330 210 210C190 250 160 250 140 300C120 330 90 350 60 400Z"),
                        shade,
                        white,
                        4.0,
                    );
                    for (d, mix) in [
                        ("M70 420C140 410 190 370 206 300C180 330 150 330 130 360C110 384 90 396 70 420Z", 0.25),
                        ("M64 408C120 380 180 330 198 236C172 272 144 276 126 316C108 346 84 370 64 408Z", 0.1),
                        ("M62 400C100 360 150 300 160 190C138 226 116 240 104 286C92 326 74 360 62 400Z", 0.0),
                    ] {
                        self.c.paper(&place(d), white.mix(shade, mix * 3.0), white, 3.0);
                    }
                }
                Wings::Butterfly => {
                    let (a, b) = (self.p.trim, lighter(self.p.trim, -0.12));
                    self.c.paper(&place("M50 390C110 380 190 430 178 480C140 500 70 460 50 390Z"), b, a, 4.0);
                    self.c.paper(&place("M50 380C60 280 130 160 206 150C214 240 170 380 50 380Z"), a, a, 4.0);
                    self.c.soft(&place("M70 360C84 290 130 210 186 186C188 250 150 340 70 360Z"), self.p.glow, 0.55);
                    self.c.line(&place("M54 376C90 320 130 250 190 176M54 378C100 350 150 310 190 240"), b, 3.0, 0.8);
                }
                Wings::Bat => {
                    let (a, b) = (self.p.cloth_deep, self.p.cloth);
                    self.c.paper(&place("M50 390C70 290 120 190 200 140C190 180 204 220 210 250C190 250 172 270 170 300C150 300 130 320 126 348C100 344 70 360 50 390Z"), a, b, 4.0);
                    self.c.line(&place("M52 386C90 300 140 210 198 144M56 380C100 330 140 290 208 250M60 376C90 350 120 320 168 300"), b, 4.0, 0.9);
                }
            }
        }
    }

    /// Shoulders in the colour of the garment, or bare.
    pub(super) fn body(&mut self) {
        let d = self.body_path();
        let bare = self.t.garb == Garb::Beads;
        let (light, deep) = if bare { (self.p.skin, self.p.skin_shade) } else { (self.p.cloth, self.p.cloth_deep) };
        let fill = self.c.gradient(true, &[(0.0, light), (0.35, light), (1.0, deep)]);
        let edge = if bare { self.p.skin_light } else { self.p.cloth_light };
        self.c.paper(&d, fill, edge, 6.0);
    }

    /// The outline of the shoulders.
    pub(super) fn body_path(&self) -> String {
        let sw = self.f.shoulder;
        let d = format!(
            "M-{sw} 520C-{sw} 430 -{} 390 -{} 374L-26 350L26 350L{} 374C{} 390 {sw} 430 {sw} 520Z",
            sw - 30.0,
            sw * 0.55,
            sw * 0.55,
            sw - 30.0
        );
        put(&d, 1.0, 0.0)
    }

    /// Light on the shoulder towards it.
    pub(super) fn shoulder_light(&mut self) {
        let sw = self.f.shoulder - 1.5;
        let rim = format!("M-{sw} 518C-{sw} 430 -{} 391 -{} 376", sw - 30.0, sw * 0.57);
        self.c.line(&put(&rim, 1.0, 0.0), self.p.glow, 2.6, 0.5);
    }

    /// The neck, and what the head throws on it.
    pub(super) fn neck(&mut self) {
        let n = self.f.neck;
        // How far the shoulders show beside the neck.
        let bare = match self.t.garb {
            Garb::Beads => 40.0,
            Garb::Apron | Garb::Sailor => 16.0,
            _ => 4.0,
        };
        let d = format!(
            "M-{n} 262L-{n} 322C-{n} 346 -{} 356 -{} 366L0 424L{} 366C{} 356 {n} 346 {n} 322L{n} 262Z",
            n + bare * 0.3,
            n + bare,
            n + bare,
            n + bare * 0.3
        );
        let d = put(&d, 1.0, 0.0);
        let shade = self.p.skin_shade;
        let base = self.p.skin.mix(shade, 0.35);
        self.c.fill(&d, base);
        self.c.open_clip(&d);
        let (degrees, x, y) = self.f.tilt;
        let (jaw, low) = (self.f.jaw + 4.0, self.f.chin_y + 20.0);
        let cast =
            format!("M-{jaw} 262C-{jaw} {} -20 {low} 5 {low}C30 {low} {jaw} {} {jaw} 262Z", low - 14.0, low - 14.0);
        let cast = map(&cast, |x, y| (CX + x, y));
        self.c.open_turned(degrees, x, y);
        self.c.fill(&cast, shade);
        self.c.close();
        self.c.soft(&put(&format!("M{} 250L{} 330L60 372L60 250Z", n * 0.5, n * 0.42), 1.0, 0.0), shade, 0.7);
        self.c.close();
        // Collarbones.
        if bare > 30.0 {
            self.c.line(&put("M-52 372Q-26 374 -10 386M52 372Q26 374 10 386", 1.0, 0.0), shade, 3.0, 0.8);
        }
    }
}
