//! What is worn about the neck and the shoulders.

use std::fmt::Write as _;

use super::Bust;
use super::canvas::{CX, N, W, put};
use super::oklch::{at, lighter, lightness};
use super::traits::Garb;
use crate::ocs::style::Colour;

/// Left and right of a shape that is written for the right side.
const SIDES: [f64; 2] = [-1.0, 1.0];

impl Bust<'_> {
    /// Draws the garment. Widths follow the neck, so that collars sit close.
    pub(super) fn garb(&mut self) {
        // Open fronts reach to the edge of the shoulders, and no farther.
        let open = matches!(self.t.garb, Garb::Wrap | Garb::Clasp | Garb::Robe | Garb::Coat);
        if open {
            let body = self.body_path();
            self.c.open_clip(&body);
        }
        match self.t.garb {
            Garb::Wrap => self.wrap(),
            Garb::Collar => self.collar(),
            Garb::Clasp => self.clasp(),
            Garb::Scarf => self.scarf(),
            Garb::Armour => self.armour(),
            Garb::Robe => self.robe(),
            Garb::Knit => self.knit(),
            Garb::Coat => self.coat(),
            Garb::Ruff => self.ruff(),
            Garb::Fur => self.fur(),
            Garb::Hoodie => self.hoodie(),
            Garb::Beads => self.beads(),
            Garb::Apron => self.apron(),
            Garb::Sailor => self.sailor(),
        }
        if open {
            self.c.close();
        }
        if !matches!(self.t.garb, Garb::Armour | Garb::Fur) {
            self.shoulder_light();
        }
    }

    /// A piece on both sides; the shaded side a little darker.
    fn both(&mut self, d: &str, fill: Colour, depth: f64) {
        let wide = self.spread();
        for s in SIDES {
            let fill = if s > 0.0 { lighter(fill, -0.035) } else { fill };
            self.c.paper(&put(d, s * wide, 0.0), fill, self.p.cloth_light, depth);
        }
    }

    /// How much collars are stretched for this neck.
    fn spread(&self) -> f64 {
        0.72 + self.f.neck / 95.0
    }

    fn across(&self, d: &str) -> String {
        put(d, self.spread(), 0.0)
    }

    fn wrap(&mut self) {
        let linen = self.across("M-34 362L0 402L34 362L40 500L-40 500Z");
        self.c.fill(&linen, self.p.linen.mix(self.p.cloth, 0.15));
        let (cloth, trim) = (self.p.cloth, self.p.cloth_light);
        let right = self.across("M40 330L200 330L200 520L-24 520L-14 452Z");
        self.c.paper(&right, lighter(cloth, -0.03), trim, 4.0);
        let band = self.across("M40 340L62 352L0 474L-22 460Z");
        self.c.paper(&band, trim, trim, 2.5);
        let left = self.across("M-40 330L-200 330L-200 520L70 520L14 446Z");
        self.c.paper(&left, cloth, trim, 5.0);
        let band = self.across("M-40 340L-62 352L28 500L66 500Z");
        self.c.paper(&band, trim, trim, 2.5);
        let edge = self.across("M-43 342L58 500");
        self.c.line(&edge, self.p.trim, 2.5, 0.9);
    }

    fn collar(&mut self) {
        let front = self.across("M-40 352L0 398L40 352L58 366L16 500L-16 500L-58 366Z");
        self.c.paper(&front, lighter(self.p.cloth, 0.04), self.p.cloth_light, 3.0);
        self.both(
            "M22 316C34 330 40 338 46 342C50 366 34 388 2 404L0 386C16 368 24 346 22 316Z",
            self.p.cloth_light,
            4.0,
        );
        let trim = self.p.trim;
        for y in [418.0, 446.0, 474.0] {
            self.c.disc(CX, y, 5.0, trim, 1.0);
        }
        for s in SIDES {
            let d = put("M24 320C38 340 44 344 47 348C48 366 30 386 4 400", s * self.spread(), 0.0);
            self.c.line(&d, trim, 2.2, 0.9);
        }
    }

    fn clasp(&mut self) {
        let under = self.across("M-40 350Q0 398 40 350L70 500L-70 500Z");
        self.c.paper(&under, self.p.cloth_deep, self.p.cloth, 3.0);
        self.both("M32 330L200 330L200 520L38 520C40 460 34 428 10 402C26 388 34 366 32 330Z", self.p.cloth, 6.0);
        self.both(
            "M28 332C40 346 62 356 84 362C76 388 44 406 8 410L4 396C22 384 30 360 28 332Z",
            self.p.cloth_light,
            4.0,
        );
        let trim = self.p.trim;
        self.c.paper("M200 386L216 402L200 418L184 402Z", trim, trim, 3.0);
        self.c.disc(CX, 402.0, 6.0, self.p.linen, 1.0);
        for s in SIDES {
            self.c.line(&put("M16 402Q60 402 84 372", s * self.spread(), 0.0), trim, 2.6, 0.85);
        }
    }

    fn scarf(&mut self) {
        let (a, b) = (self.p.cloth_light, self.p.cloth);
        let scarf = self.p.trim.mix(a, 0.35);
        let deep = lighter(scarf, -0.1);
        let tail = self.across("M14 384L54 376L74 482L66 480L60 488L52 482L44 490L38 484L30 490Z");
        self.c.paper(&tail, deep, b, 5.0);
        let low = self.across(
            "M-58 346C-44 372 44 372 58 346C78 362 76 394 44 404C14 412 -22 412 -48 402C-76 392 -78 362 -58 346Z",
        );
        self.c.paper(&low, scarf, a, 5.0);
        let high = self.across(
            "M-44 322C-30 344 30 344 44 322C62 336 62 360 44 368C16 380 -18 380 -44 368C-62 360 -62 336 -44 322Z",
        );
        self.c.paper(&high, lighter(scarf, 0.04), a, 4.0);
        let folds = self
            .across("M-50 346Q-20 362 24 358M-58 374Q-20 394 30 388M28 398L40 470M44 396L56 466M36 342Q48 348 52 342");
        self.c.line(&folds, deep, 2.8, 0.9);
    }

    fn armour(&mut self) {
        let steel = self.p.cloth.mix(Colour::from_rgb24(0xa7b0bd), 0.62);
        let steel = at(steel, lightness(steel).max(0.6));
        let (light, deep, trim) = (lighter(steel, 0.12), lighter(steel, -0.14), self.p.trim);
        let plate = self.across("M-76 372C-40 388 40 388 76 372L104 500L-104 500Z");
        let shine = self.c.gradient(true, &[(0.0, light), (0.4, steel), (1.0, deep)]);
        self.c.paper(&plate, &shine, light, 4.0);
        self.c.line(&self.across("M0 392L0 500M-52 420Q0 452 52 420"), deep, 3.0, 0.8);
        for (dy, scale) in [(26.0, 1.12), (0.0, 1.0)] {
            let d = "M58 368C104 356 152 384 164 440C132 426 96 432 68 448C56 420 52 392 58 368Z";
            for s in SIDES {
                let sw = self.f.shoulder / 150.0 * scale;
                let fill = if s > 0.0 { deep } else { steel };
                let d = put(d, s * sw, dy);
                self.c.paper(&d, fill, light, 4.0);
                let rim = put("M164 440C132 426 96 432 68 448", s * sw, dy);
                self.c.line(&rim, trim, 3.4, 1.0);
            }
        }
        let gorget = self.across("M-38 322C-24 342 24 342 38 322L60 364C32 398 -32 398 -60 364Z");
        self.c.paper(&gorget, &shine, light, 4.0);
        self.c.line(&self.across("M-38 324C-24 344 24 344 38 324M-58 364C-30 394 30 394 58 364"), trim, 3.0, 1.0);
        let mut rivets = String::new();
        for x in [-34.0, -12.0, 12.0, 34.0_f64] {
            let y = 376.0 - x * x * 0.008;
            let _ = write!(rivets, "M{} {}h0", N(CX + x * self.spread()), N(y - 4.0));
        }
        self.c.line(&rivets, light, 5.0, 1.0);
    }

    fn robe(&mut self) {
        let shirt = self.across("M-30 352L0 396L30 352L44 500L-44 500Z");
        self.c.fill(&shirt, self.p.linen);
        self.c.line(&self.across("M0 398L0 500"), self.p.cloth, 2.0, 0.4);
        self.both("M28 330L200 330L200 520L22 520C24 452 20 420 8 398C22 384 30 362 28 330Z", self.p.cloth, 5.0);
        self.both(
            "M28 336L56 352C58 392 50 440 52 500L18 500C22 450 16 420 6 400C22 382 30 360 28 336Z",
            self.p.cloth_light,
            3.0,
        );
        let trim = self.p.trim;
        for s in SIDES {
            let wide = s * self.spread();
            self.c.line(&put("M54 354C56 392 48 440 50 500", wide, 0.0), trim, 2.4, 0.9);
            let mut d = String::new();
            for k in 0..4_u8 {
                let y = 398.0 + 28.0 * f64::from(k);
                let _ = write!(d, "M34 {}L41 {}L34 {}L27 {}Z", y - 9.0, y, y + 9.0, y);
            }
            self.c.fill(&put(&d, wide, 0.0), trim);
        }
    }

    fn knit(&mut self) {
        let (light, cloth) = (self.p.cloth_light, self.p.cloth);
        let yoke = self.across(
            "M-42 352C-20 376 20 376 42 352C66 362 92 372 112 388C70 436 -70 436 -112 388C-92 372 -66 362 -42 352Z",
        );
        self.c.paper(&yoke, lighter(cloth, 0.04), light, 3.0);
        let mut zig = String::new();
        for row in [0.0, 15.0] {
            for i in 0..=18_u8 {
                let x = -90.0 + 10.0 * f64::from(i);
                let y = 398.0 + row - x * x * 0.0022 + if i % 2 == 0 { 0.0 } else { 8.0 };
                let _ = write!(zig, "{}{x} {y}", if i == 0 { 'M' } else { 'L' });
            }
        }
        self.c.line(&self.across(&zig), self.p.trim, 3.0, 0.85);
        let neck = self.across(
            "M-36 312C-20 330 20 330 36 312C40 330 44 348 48 360C22 386 -22 386 -48 360C-44 348 -40 330 -36 312Z",
        );
        self.c.paper(&neck, light, light, 4.0);
        let ribs = self.across("M-24 328L-30 366M-10 332L-13 374M4 333L4 376M18 330L22 371M31 322L37 364");
        self.c.line(&ribs, cloth, 2.4, 0.8);
    }

    fn coat(&mut self) {
        let shirt = self.across("M-34 350L0 396L34 350L36 500L-36 500Z");
        self.c.fill(&shirt, self.p.linen);
        let tie = self.p.trim;
        self.c.paper(&self.across("M-9 394L9 394L6 408L16 490L0 500L-16 490L-6 408Z"), tie, tie, 2.0);
        self.both("M26 326L40 340L30 392L4 392C18 374 26 352 26 326Z", self.p.linen, 3.0);
        self.both("M44 330L200 330L200 520L16 520L26 470Z", self.p.cloth, 5.0);
        self.both("M44 344L84 366L70 402L84 412L24 494C30 450 42 394 44 344Z", self.p.cloth_light, 4.0);
        let trim = self.p.trim;
        self.c.disc(CX - 62.0, 438.0, 5.0, trim, 1.0);
    }

    fn ruff(&mut self) {
        let linen = self.p.linen;
        let deep = linen.mix(self.p.cloth, 0.4);
        let panel = self.across("M-26 380L26 380L20 500L-20 500Z");
        self.c.paper(&panel, self.p.cloth_light, self.p.cloth_light, 3.0);
        for y in [428.0, 456.0, 484.0] {
            self.c.disc(CX, y, 4.6, self.p.trim, 1.0);
        }
        for (rx, ry, y, r, fill) in [(88.0, 27.0, 366.0, 13.0, deep), (80.0, 22.0, 358.0, 13.0, linen)] {
            // The lower half of an oval, in pleats.
            let mut d = String::new();
            for i in 0..=12_u8 {
                let a = std::f64::consts::PI * (1.06 - 1.12 * f64::from(i) / 12.0);
                let (x, y) = (CX + rx * 1.1 * a.cos(), y + ry * 1.4 * a.sin());
                let _ = if i == 0 {
                    write!(d, "M{} {}", W(x), W(y))
                } else {
                    write!(d, "A{r} {r} 0 0 0 {} {}", W(x), W(y))
                };
            }
            d.push('Z');
            self.c.paper(&d, fill, linen, 3.0);
        }
        self.c.fill(&self.across("M-80 344C-50 324 50 324 80 344C70 386 -70 386 -80 344Z"), linen);
        let folds = self.across(
            "M-70 356L-30 346M-58 372L-26 354M-34 382L-16 360M0 386L0 362M34 382L16 360M58 372L26 354M70 356L30 346",
        );
        self.c.line(&folds, deep, 2.6, 0.9);
        let n = self.f.neck;
        let d = format!("M-{} 318L{} 318L{n} 340C20 356 -20 356 -{n} 340Z", n, n);
        self.c.fill(&put(&d, 1.0, 0.0), self.p.skin_shade);
    }

    fn fur(&mut self) {
        let mut pick = self.pick("fur");
        let fur = self.p.linen.mix(self.p.hair, 0.3).mix(self.p.cloth, 0.1);
        let front = self.across("M-30 360L0 404L30 360L26 500L-26 500Z");
        self.c.fill(&front, self.p.cloth_light);
        self.c.line(&self.across("M0 406L0 500"), self.p.cloth_deep, 2.6, 0.8);
        for (reach, fill) in [(1.0, lighter(fur, -0.12)), (0.72, fur)] {
            // A mantle whose lower edge is tufts.
            for s in SIDES {
                let mut d = String::from("M26 338");
                let (from, to) = ((128.0 * reach + 30.0, 396.0), (8.0, 430.0 + 22.0 * reach));
                let _ = write!(d, "C50 350 {} 362 {} {}", 90.0 * reach, from.0, from.1);
                let tufts = 8_u8;
                for i in 1..=tufts {
                    let t = f64::from(i) / f64::from(tufts);
                    let x = from.0 + (to.0 - from.0) * t;
                    let y = from.1 + (to.1 - from.1) * t + (std::f64::consts::PI * t).sin() * 34.0 * reach;
                    let tuft = pick.between(9.0, 17.0);
                    let _ = write!(
                        d,
                        "Q{} {} {} {}Q{} {} {} {}",
                        x + 15.0,
                        y + tuft * 0.5,
                        x + 6.0,
                        y + tuft,
                        x + 2.0,
                        y + tuft * 0.7,
                        x,
                        y
                    );
                }
                d.push_str("C26 390 32 366 26 338Z");
                let fill = if s > 0.0 { lighter(fill, -0.03) } else { fill };
                self.c.paper(&put(&d, s * self.spread(), 0.0), fill, fur, 4.0);
            }
        }
        self.c.paper("M200 420L211 432L200 446L189 432Z", self.p.trim, self.p.trim, 2.5);
    }

    fn hoodie(&mut self) {
        let (light, cloth) = (self.p.cloth_light, self.p.cloth);
        let shirt = self.across("M-34 352Q0 402 34 352L30 412L-30 412Z");
        self.c.fill(&shirt, self.p.linen);
        self.c.paper(&self.across("M-36 372C-24 408 24 408 36 372L60 420L40 500L-40 500L-60 420Z"), cloth, light, 2.0);
        self.both("M22 318C44 318 76 336 88 366C92 386 60 404 14 414L6 398C24 378 30 350 22 318Z", light, 5.0);
        self.c.line(&self.across("M40 332C60 346 66 366 50 386M-40 332C-60 346 -66 366 -50 386"), cloth, 2.8, 0.8);
        self.c.line(
            &self.across("M-16 406C-20 430 -18 446 -20 464M16 406C20 426 17 440 19 456"),
            self.p.linen,
            3.6,
            1.0,
        );
        self.c.disc(CX - 20.0 * self.spread(), 466.0, 4.0, self.p.trim, 1.0);
        self.c.disc(CX + 19.0 * self.spread(), 458.0, 4.0, self.p.trim, 1.0);
        self.c.line("M200 418L200 500", self.p.cloth_deep, 2.6, 0.7);
    }

    fn beads(&mut self) {
        let sw = self.f.shoulder;
        let gown = format!(
            "M-{} 500C-{} 470 -{} 446 -{} 430C-60 446 -30 452 0 438C30 452 60 446 {} 430C{} 446 {} 470 {} 500Z",
            sw * 0.86,
            sw * 0.84,
            sw * 0.8,
            sw * 0.74,
            sw * 0.74,
            sw * 0.8,
            sw * 0.84,
            sw * 0.86
        );
        let fill = self.c.gradient(true, &[(0.0, self.p.cloth), (1.0, self.p.cloth_deep)]);
        self.c.paper(&put(&gown, 1.0, 0.0), fill, self.p.cloth_light, 5.0);
        let hem = format!("M-{} 432C-60 448 -30 454 0 440C30 454 60 448 {} 432", sw * 0.74, sw * 0.74);
        self.c.line(&put(&hem, 1.0, 0.0), self.p.trim, 3.4, 1.0);
        let (mut d, mut low) = (String::new(), String::new());
        for i in 0..15_u8 {
            let t = f64::from(i) / 7.0 - 1.0;
            let _ = write!(d, "M{} {}h0", N(CX + 54.0 * t * self.spread()), N(396.0 - 30.0 * t * t));
        }
        for i in 0..7_u8 {
            let t = f64::from(i) / 3.0 - 1.0;
            let _ = write!(low, "M{} {}h0", N(CX + 26.0 * t * self.spread()), N(412.0 - 12.0 * t * t));
        }
        self.c.line(&d, self.p.trim, 8.0, 1.0);
        self.c.line(&low, self.p.linen, 5.0, 1.0);
        self.c.disc(CX, 416.0, 8.0, self.p.trim, 1.0);
    }

    fn apron(&mut self) {
        let shirt = self.p.linen.mix(self.p.cloth, 0.12);
        let sw = self.f.shoulder;
        let sleeves = format!(
            "M-{sw} 500C-{sw} 424 -{} 390 -{} 374L-30 352Q0 400 30 352L{} 374C{} 390 {sw} 424 {sw} 500Z",
            sw - 30.0,
            sw * 0.55,
            sw * 0.55,
            sw - 30.0
        );
        self.c.paper(&put(&sleeves, 1.0, 0.0), shirt, self.p.white, 3.0);
        self.both("M26 330L44 346L34 386L6 398C20 376 28 356 26 330Z", lighter(shirt, 0.03), 3.0);
        let cloth = self.p.cloth;
        self.both("M62 358L84 368L74 436L50 430Z", lighter(cloth, -0.03), 3.0);
        let bib = self.across("M-72 424C-40 432 40 432 72 424L92 500L-92 500Z");
        self.c.paper(&bib, cloth, self.p.cloth_light, 4.0);
        let stitch = self.across("M-66 432C-38 439 38 439 66 432");
        self.c.raw("<g stroke-dasharray=\"7 6\">");
        self.c.line(&stitch, self.p.cloth_light, 2.4, 1.0);
        self.c.close();
        for s in SIDES {
            self.c.disc(CX + s * 62.0 * self.spread(), 430.0, 6.0, self.p.trim, 1.0);
        }
        self.c.line("M200 400L200 424", lighter(shirt, -0.14), 2.4, 0.8);
    }

    fn sailor(&mut self) {
        let collar = self.p.linen;
        let trim = self.p.trim;
        let shirt = self.across("M-32 354L0 420L32 354L20 440L-20 440Z");
        self.c.fill(&shirt, collar);
        self.c.line(&self.across("M-22 376L22 376M-16 392L16 392M-10 406L10 406"), self.p.cloth, 4.0, 0.9);
        self.both(
            "M30 338C52 350 92 362 132 384C128 412 110 428 92 432C60 430 24 444 0 452L0 420C18 398 32 368 30 338Z",
            self.p.cloth_light,
            5.0,
        );
        for s in SIDES {
            let d =
                put("M34 346C54 358 88 370 122 390C118 408 106 418 90 421C62 420 30 430 4 440", s * self.spread(), 0.0);
            self.c.line(&d, collar, 2.6, 0.95);
        }
        self.both("M0 440C20 430 34 448 30 492C16 486 6 466 0 452Z", trim, 3.0);
        self.c.disc(CX, 446.0, 10.0, lighter(trim, -0.08), 1.0);
    }
}
