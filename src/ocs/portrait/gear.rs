//! What is worn on, or grows from, the head. Drawn only when somebody asked for it.

use super::Bust;
use super::canvas::put;
use super::oklch::{at, lighter, lightness};
use super::traits::{Hair, Headgear};
use crate::ocs::style::Colour;

const SIDES: [f64; 2] = [-1.0, 1.0];

/// Where the brim of each hat falls on the forehead, for the shadow under it.
const BRIM: &str = "M-70 150L70 150L70 172Q0 190 -70 172Z";

impl Bust<'_> {
    fn worn(&self, d: &str, s: f64) -> String {
        put(d, s * self.f.fit(), 0.0)
    }

    /// What throws a shadow on the forehead, if anything.
    pub(super) fn brim_path(&self) -> Option<String> {
        let d = match self.t.headgear? {
            Headgear::WitchHat | Headgear::Tricorn | Headgear::TopHat | Headgear::Bandana => BRIM,
            Headgear::Hood => "M-70 150L70 150L66 200C50 160 -50 160 -66 200Z",
            Headgear::Headscarf => "M-70 140L70 140L66 230C60 164 -60 164 -66 230Z",
            Headgear::Turban => "M-70 140L70 140L62 178Q0 172 -62 178Z",
            Headgear::Helmet => "M-70 140L70 140L60 184Q0 186 -60 184Z",
            _ => return None,
        };
        Some(self.worn(d, 1.0))
    }

    /// A dark, horn-like colour that reads against halo and hair.
    fn horn(&self) -> Colour {
        let base = self.p.cloth_deep.mix(Colour::from_rgb24(0x3a2c28), 0.5);
        if lightness(self.p.halo) > 0.55 { at(base, 0.3) } else { at(base.mix(self.p.linen, 0.6), 0.78) }
    }

    /// Parts that lie behind the head.
    pub(super) fn gear_behind(&mut self) {
        let Some(gear) = self.t.headgear else { return };
        let (hair, deep, light) = (self.p.hair, self.p.hair_deep, self.p.hair_light);
        let horn = self.horn();
        match gear {
            Headgear::Horns => {
                for s in SIDES {
                    let d = self.worn("M28 132C54 122 84 108 88 44C112 92 102 136 56 164Z", s);
                    self.c.paper(&d, horn, lighter(horn, 0.1), 4.0);
                    self.c.line(
                        &self.worn(
                            "M54 146C62 138 66 132 68 124M72 134C80 124 84 116 84 108M88 112C92 102 94 94 92 86",
                            s,
                        ),
                        lighter(horn, 0.12),
                        2.6,
                        0.8,
                    );
                }
            }
            Headgear::Antlers => {
                for s in SIDES {
                    let d = self.worn("M30 128C42 104 66 92 78 46M46 104C40 84 44 70 36 50M64 86C88 84 100 72 112 50M74 66C86 58 92 48 94 30", s);
                    self.c.cords(&d, horn, lighter(horn, 0.13), 8.5);
                }
            }
            Headgear::FoxEars => {
                for s in SIDES {
                    self.c.paper(&self.worn("M16 128C30 96 52 66 84 44C96 84 96 130 76 176Z", s), hair, light, 4.0);
                    self.c.fill(&self.worn("M36 126C46 104 58 84 78 66C84 96 82 128 70 156Z", s), deep);
                    self.c.fill(&self.worn("M46 134C50 112 60 96 74 82C78 106 76 130 68 150Z", s), self.p.skin_light);
                    self.c.fill(
                        &self.worn("M66 60C72 54 78 48 84 44C88 60 91 74 91 88C84 76 76 66 66 60Z", s),
                        self.p.ink,
                    );
                }
            }
            Headgear::CatEars => {
                for s in SIDES {
                    self.c.paper(&self.worn("M14 124C24 102 44 78 72 66C86 98 86 134 72 168Z", s), hair, light, 4.0);
                    self.c.fill(&self.worn("M34 122C42 106 52 94 66 86C74 106 74 128 66 148Z", s), self.p.blush);
                }
            }
            Headgear::RabbitEars => {
                for (s, d, inner) in [
                    (
                        -1.0,
                        "M10 126C4 88 12 40 40 22C62 34 62 88 54 132Z",
                        "M22 122C18 90 24 56 38 42C48 56 48 92 44 122Z",
                    ),
                    (
                        1.0,
                        "M10 126C8 88 24 50 64 34C88 46 70 92 54 132Z",
                        "M24 120C26 92 42 66 62 54C70 66 56 96 46 122Z",
                    ),
                ] {
                    self.c.paper(&self.worn(d, s), hair, light, 4.0);
                    self.c.fill(&self.worn(inner, s), self.p.blush);
                }
            }
            Headgear::Antennae => {
                for s in SIDES {
                    let plume = self.worn("M18 118C22 72 56 34 112 26C108 74 72 104 18 118Z", s);
                    self.c.paper(&plume, horn, lighter(horn, 0.1), 3.0);
                    self.c.line(&self.worn("M20 116C40 84 66 54 108 30M40 92L34 66M56 74L54 48M76 56L78 36M44 88L70 92M62 70L88 70M82 50L102 48", s), lighter(horn, 0.14), 2.4, 0.8);
                }
            }
            Headgear::Hood => {
                let d = self.worn("M0 62C66 62 100 110 104 178C108 250 118 330 150 392L-150 392C-118 330 -108 250 -104 178C-100 110 -66 62 0 62Z", 1.0);
                let fill =
                    self.c.gradient(true, &[(0.0, self.p.cloth_light), (0.3, self.p.cloth), (1.0, self.p.cloth_deep)]);
                self.c.paper(&d, fill, self.p.cloth_light, 6.0);
                let hollow = self.worn("M0 96C54 96 82 130 82 190C84 260 74 310 66 352L-66 352C-74 310 -84 260 -82 190C-82 130 -54 96 0 96Z", 1.0);
                self.c.fill(&hollow, lighter(self.p.cloth_deep, -0.08));
            }
            Headgear::Headscarf => {
                let d = self.worn("M0 100C60 100 84 140 82 200C82 260 96 310 120 366C60 400 -60 400 -120 366C-96 310 -82 260 -82 200C-84 140 -60 100 0 100Z", 1.0);
                self.c.paper(&d, self.p.cloth_deep, self.p.cloth, 5.0);
            }
            Headgear::WitchHat => {
                let brim = self.worn("M-138 176C-90 140 90 140 138 176C100 200 -100 200 -138 176Z", 1.0);
                self.c.paper(&brim, lighter(self.p.cloth_deep, -0.06), self.p.cloth, 5.0);
            }
            Headgear::Tricorn => {
                let brim = self.worn("M-126 150C-90 92 90 92 126 150C90 134 -90 134 -126 150Z", 1.0);
                self.c.paper(&brim, lighter(self.p.cloth_deep, -0.08), self.p.cloth, 5.0);
            }
            Headgear::Plume => {
                let d = self.worn("M-20 130C-70 110 -96 64 -70 20C-60 40 -50 44 -38 40C-44 66 -26 90 8 120Z", 1.0);
                self.c.paper(&d, self.p.trim, self.p.glow, 4.0);
                self.c.line(&self.worn("M0 126C-44 104 -66 72 -68 32", 1.0), lighter(self.p.trim, -0.14), 2.4, 0.8);
            }
            _ => {}
        }
    }

    /// Parts that lie on hair and forehead.
    pub(super) fn gear_front(&mut self) {
        let Some(gear) = self.t.headgear else { return };
        let (trim, cloth, deep, light) = (self.p.trim, self.p.cloth, self.p.cloth_deep, self.p.cloth_light);
        match gear {
            Headgear::Crown => {
                let d = self.worn("M-56 146L-64 84L-34 118L-22 72L0 112L22 72L34 118L64 84L56 146Q0 126 -56 146Z", 1.0);
                let gold = self.c.gradient(true, &[(0.0, lighter(trim, 0.1)), (1.0, lighter(trim, -0.08))]);
                self.c.paper(&d, gold, trim, 4.0);
                self.c.line(&self.worn("M-54 138Q0 118 54 138", 1.0), lighter(trim, -0.16), 2.6, 0.9);
                self.c.line(
                    &self.worn("M-64 84L-64 84M-22 72L-22 72M22 72L22 72M64 84L64 84", 1.0),
                    self.p.glow,
                    10.0,
                    1.0,
                );
                self.c.fill(&self.worn("M0 112L8 122L0 133L-8 122Z", 1.0), self.p.cloth);
            }
            Headgear::Circlet => {
                self.c.line(&self.worn("M-62 190Q-30 166 0 176Q30 166 62 190", 1.0), trim, 4.6, 1.0);
                self.c.paper(&self.worn("M0 168L10 182L0 200L-10 182Z", 1.0), self.p.glow, trim, 2.0);
                self.c.fill(&self.worn("M0 168L10 182L0 182Z", 1.0), Colour::WHITE);
            }
            Headgear::RamHorns => {
                let horn = self.horn();
                for s in SIDES {
                    let d = self.worn("M30 132C60 104 112 116 118 164C122 206 92 232 68 214C56 204 60 184 76 184C72 196 80 204 90 198C104 188 102 160 84 152C66 146 48 152 40 166Z", s);
                    self.c.paper(&d, horn, lighter(horn, 0.1), 4.0);
                    self.c.line(
                        &self.worn(
                            "M56 124L58 150M78 120L74 148M98 128L90 152M114 148L98 164M118 172L102 178M112 196L98 192",
                            s,
                        ),
                        lighter(horn, 0.13),
                        2.4,
                        0.8,
                    );
                }
            }
            Headgear::Hood => {
                let d = self.worn(
                    "M0 82C62 82 84 130 80 214C80 168 52 138 0 138C-52 138 -80 168 -80 214C-84 130 -62 82 0 82Z",
                    1.0,
                );
                let fill = self.c.gradient(true, &[(0.0, light), (0.5, cloth), (1.0, deep)]);
                self.c.paper(&d, fill, light, 4.0);
                self.c.line(&self.worn("M-80 212C-80 168 -52 138 0 138C52 138 80 168 80 212", 1.0), trim, 3.0, 0.9);
            }
            Headgear::Headscarf => {
                let d = self.worn("M0 106C56 106 76 146 72 208C72 256 56 300 20 330C60 350 96 352 110 372C70 398 -60 404 -104 372C-90 352 -50 350 -30 326C-60 296 -72 256 -72 208C-76 146 -56 106 0 106ZM0 146C-40 146 -58 176 -57 212C-56 258 -34 304 0 308C34 304 56 258 57 212C58 176 40 146 0 146Z", 1.0);
                self.c.raw("<g fill-rule=\"evenodd\">");
                let fill = self.c.gradient(true, &[(0.0, light), (0.45, cloth), (1.0, deep)]);
                self.c.paper(&d, fill, light, 4.0);
                self.c.close();
                self.c.line(&self.worn("M-56 196C-52 164 -34 147 0 147C34 147 52 164 56 196", 1.0), trim, 3.0, 0.9);
                self.c.line(
                    &self.worn("M-60 300C-20 344 40 340 90 370M-66 330C-40 360 10 362 60 386", 1.0),
                    deep,
                    2.6,
                    0.8,
                );
            }
            Headgear::Turban => {
                let d = self.worn("M-64 186C-86 120 -60 74 0 72C60 74 86 120 64 186C40 164 -40 164 -64 186Z", 1.0);
                self.c.paper(&d, cloth, light, 4.0);
                for (d, fill) in [
                    ("M-66 180C-80 150 -40 122 62 110C78 128 76 156 68 176C30 140 -30 150 -66 180Z", deep),
                    ("M66 180C80 150 40 122 -62 110C-78 128 -76 156 -68 176C-30 140 30 150 66 180Z", cloth),
                    ("M58 120C40 92 0 88 -50 102C-40 84 -20 74 0 72C28 74 50 92 58 120Z", light),
                ] {
                    self.c.paper(&self.worn(d, 1.0), fill, light, 3.0);
                }
                self.c.paper(&self.worn("M0 118L11 134L0 152L-11 134Z", 1.0), trim, trim, 2.0);
            }
            Headgear::WitchHat => {
                let cone = self.worn("M-66 164C-58 110 -46 60 -22 26C2 -2 50 2 74 28C54 24 42 34 42 54C52 90 60 124 66 164C40 178 -40 178 -66 164Z", 1.0);
                let fill = self.c.gradient(true, &[(0.0, light), (0.4, cloth), (1.0, deep)]);
                self.c.paper(&cone, fill, light, 4.0);
                let band = self.worn("M-67 164C-66 152 -64 142 -62 132C-30 146 30 146 61 132C64 142 65 152 66 164C40 178 -40 178 -67 164Z", 1.0);
                self.c.fill(&band, trim);
                let brim = self.worn("M-142 172C-110 158 -86 160 -67 160C-40 178 40 178 67 160C86 160 110 158 142 172C104 204 60 190 0 190C-60 190 -104 204 -142 172Z", 1.0);
                self.c.paper(&brim, cloth, light, 4.0);
            }
            Headgear::Tricorn => {
                let dome = self.worn("M-62 152C-66 100 -40 78 0 78C40 78 66 100 62 152Z", 1.0);
                self.c.paper(&dome, deep, cloth, 3.0);
                let brim = self.worn("M-134 136C-96 132 -50 124 0 92C50 124 96 132 134 136C116 166 66 178 0 178C-66 178 -116 166 -134 136Z", 1.0);
                self.c.paper(&brim, cloth, light, 5.0);
                self.c.line(&self.worn("M-130 138C-96 136 -50 128 0 97C50 128 96 136 130 138", 1.0), trim, 4.0, 1.0);
                self.c.disc(200.0, 146.0, 9.0, trim, 1.0);
                self.c.disc(200.0, 146.0, 4.0, self.p.glow, 1.0);
            }
            Headgear::TopHat => {
                let crown = self.worn("M-56 150L-62 44C-30 34 30 34 62 44L56 150Q0 166 -56 150Z", 1.0);
                let fill = self.c.gradient(true, &[(0.0, light), (0.35, cloth), (1.0, deep)]);
                self.c.paper(&crown, fill, light, 4.0);
                self.c.fill(&self.worn("M-57 148L-58 124Q0 140 58 124L57 148Q0 164 -57 148Z", 1.0), trim);
                let brim =
                    self.worn("M-98 146C-60 158 60 158 98 146C110 160 60 180 0 180C-60 180 -110 160 -98 146Z", 1.0);
                self.c.paper(&brim, cloth, light, 4.0);
            }
            Headgear::Helmet => {
                let steel = at(cloth.mix(Colour::from_rgb24(0xaab3c0), 0.62), 0.7);
                let d = self.worn("M-66 260C-78 150 -60 92 0 92C60 92 78 150 66 260L52 246C54 214 56 196 50 184L10 180L6 216L0 222L-6 216L-10 180L-50 184C-56 196 -54 214 -52 246Z", 1.0);
                let fill =
                    self.c.gradient(true, &[(0.0, lighter(steel, 0.12)), (0.45, steel), (1.0, lighter(steel, -0.16))]);
                self.c.paper(&d, fill, steel, 5.0);
                self.c.line(&self.worn("M0 94L0 178M-64 172C-40 160 40 160 64 172", 1.0), trim, 4.6, 1.0);
                self.c.line(
                    &self.worn("M-54 178L-54 178M54 178L54 178M-62 210L-62 210M62 210L62 210", 1.0),
                    lighter(steel, 0.16),
                    6.0,
                    1.0,
                );
                let crest = self.worn("M-8 98C-20 60 14 36 60 44C44 54 36 70 40 90C26 84 14 88 8 98Z", 1.0);
                self.c.paper(&crest, trim, trim, 3.0);
            }
            Headgear::Wreath => {
                let leaf = at(self.p.trim.mix(Colour::from_rgb24(0x5f8f4e), 0.7), 0.58);
                for (at_x, y, turn) in [
                    (-60.0, 178.0, -1.1),
                    (-46.0, 152.0, -0.8),
                    (-24.0, 138.0, -0.4),
                    (0.0, 134.0, 0.0),
                    (24.0, 138.0, 0.4),
                    (46.0, 152.0, 0.8),
                    (60.0, 178.0, 1.1),
                ] {
                    let (dx, dy) = (f64::cos(turn), f64::sin(turn));
                    for (side, size) in [(-1.0, 19.0), (1.0, 19.0)] {
                        let tip = (at_x + (dx * side - dy * -0.7) * size, y + (dy * side - 0.7) * size);
                        let d = format!(
                            "M{at_x} {y}Q{} {} {} {}Q{} {} {at_x} {y}Z",
                            (at_x + tip.0) / 2.0 - 7.0,
                            (y + tip.1) / 2.0 - 4.0,
                            tip.0,
                            tip.1,
                            (at_x + tip.0) / 2.0 + 7.0,
                            (y + tip.1) / 2.0 + 5.0
                        );
                        let d = self.worn(&d, 1.0);
                        self.c.fill(&d, if side > 0.0 { leaf } else { lighter(leaf, -0.08) });
                    }
                }
                for (x, y, r) in [(-52.0, 164.0, 11.0), (-14.0, 134.0, 13.0), (34.0, 142.0, 11.0), (60.0, 172.0, 8.0)] {
                    let mut d = String::new();
                    for i in 0..5_u8 {
                        let a = std::f64::consts::TAU * f64::from(i) / 5.0;
                        d.push_str(&format!(
                            "M{} {}L{} {}",
                            x + r * 0.6 * a.cos(),
                            y + r * 0.6 * a.sin(),
                            x + r * 0.6 * a.cos(),
                            y + r * 0.6 * a.sin()
                        ));
                    }
                    let d = self.worn(&d, 1.0);
                    self.c.line(&d, if r > 10.0 { trim } else { self.p.linen }, r * 0.95, 1.0);
                    self.c.disc(200.0 + x * self.f.fit(), y, r * 0.36, self.p.glow, 1.0);
                }
            }
            Headgear::Headphones => {
                self.c.line(&self.worn("M-70 214C-86 136 -56 98 0 98C56 98 86 136 70 214", 1.0), deep, 11.0, 1.0);
                self.c.line(&self.worn("M-71 200C-82 136 -54 96 0 96C40 96 66 114 74 150", 1.0), light, 3.4, 0.9);
                for s in SIDES {
                    self.c.paper(
                        &self.worn("M58 198C82 190 94 206 92 228C92 250 80 262 60 256Z", s),
                        cloth,
                        light,
                        4.0,
                    );
                    self.c.fill(&self.worn("M60 200C68 206 68 250 60 256C52 254 52 202 60 200Z", s), deep);
                    self.c.line(&self.worn("M80 214L80 240", s), trim, 4.6, 1.0);
                }
            }
            Headgear::Goggles => {
                self.c.line(&self.worn("M-66 180Q0 148 66 180", 1.0), deep, 13.0, 1.0);
                for s in SIDES {
                    self.c.paper(&self.worn("M4 162C4 138 50 138 52 164C54 190 8 192 4 162Z", s), trim, trim, 3.5);
                    let glass = self.c.gradient(true, &[(0.0, self.p.white), (0.4, self.p.iris), (1.0, self.p.ink)]);
                    self.c.fill(&self.worn("M10 163C10 146 44 146 46 165C47 183 12 184 10 163Z", s), glass);
                }
            }
            Headgear::Bandana => {
                let d = self.worn("M-66 190C-76 126 -46 106 0 106C46 106 76 126 66 190C40 168 -40 168 -66 190Z", 1.0);
                let fill = self.c.gradient(true, &[(0.0, lighter(trim, 0.05)), (1.0, lighter(trim, -0.1))]);
                self.c.paper(
                    &self.worn("M60 176L108 196L96 204L104 226L64 192Z", 1.0),
                    lighter(trim, -0.14),
                    trim,
                    3.0,
                );
                self.c.paper(&d, fill, trim, 4.0);
                self.c.line(&self.worn("M-60 182C-36 160 36 160 60 182", 1.0), lighter(trim, -0.16), 2.6, 0.8);
                self.c.line(&self.worn("M-40 140L-40 140M-14 126L-14 126M14 126L14 126M40 140L40 140M-26 152L-26 152M0 146L0 146M26 152L26 152", 1.0), self.p.linen, 5.6, 0.9);
            }
            Headgear::Beret => {
                let d = self.worn("M-74 160C-104 110 -40 76 20 84C84 90 104 132 72 152C50 136 -30 140 -74 160Z", 1.0);
                let fill = self.c.gradient(true, &[(0.0, light), (0.5, cloth), (1.0, deep)]);
                self.c.line(&self.worn("M6 86L10 72", 1.0), cloth, 5.0, 1.0);
                self.c.paper(&d, fill, light, 5.0);
                self.c.line(&self.worn("M-70 160C-30 142 46 138 68 152", 1.0), deep, 7.0, 1.0);
            }
            Headgear::Plume => {
                self.c.line(&self.worn("M-62 184Q0 150 62 184", 1.0), trim, 8.0, 1.0);
                self.c.line(&self.worn("M-60 182Q0 149 60 182", 1.0), self.p.linen, 2.0, 0.8);
            }
            Headgear::Horns
            | Headgear::Antlers
            | Headgear::FoxEars
            | Headgear::CatEars
            | Headgear::RabbitEars
            | Headgear::Antennae => {
                // Hair grows round what grows from the head; a bald head shows where.
                if self.t.hair == Hair::Bald {
                    let skin = self.p.skin_shade;
                    for s in SIDES {
                        self.c.line(&self.worn("M22 146Q36 136 52 150", s), skin, 3.0, 0.8);
                    }
                }
            }
        }
    }
}
