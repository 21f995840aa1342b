//! From a style to the custom properties of a page, with contrast repaired to WCAG 2.2 AA in both themes.

use super::{Colour, Paint, VisualStyle, contrast};

/// Which of the two faces of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Theme {
    /// Dark ink on light paper.
    Light,
    /// Light ink on dark paper.
    Dark,
}

impl Theme {
    /// The page behind everything.
    pub const fn bg(self) -> Colour {
        match self {
            Self::Light => Colour::from_rgb24(0xf3f4f7),
            Self::Dark => Colour::from_rgb24(0x0f1118),
        }
    }

    /// Cards and fields.
    pub const fn surface(self) -> Colour {
        match self {
            Self::Light => Colour::from_rgb24(0xffffff),
            Self::Dark => Colour::from_rgb24(0x171a24),
        }
    }

    /// Wells and tags.
    pub const fn sunk(self) -> Colour {
        match self {
            Self::Light => Colour::from_rgb24(0xe9ebf0),
            Self::Dark => Colour::from_rgb24(0x0b0d13),
        }
    }
}

/// The colours of one character on one theme. What each is for, and what it promises:
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// `--oc`: buttons, bars, focus. At least 3:1 against page and surface.
    pub oc: Colour,
    /// `--oc-ink`: coloured text. At least 4.5:1 on page, surface, sunk and wash.
    pub oc_ink: Colour,
    /// `--oc-on`: the label on a filled button. At least 4.5:1 on `--oc`.
    pub oc_on: Colour,
    /// `--oc-wash`: your own lines in a chat. 16 % of the primary colour in the surface.
    pub oc_wash: Colour,
    /// `--oc-band`: head of a character's page, three colours at 105 degrees with the second at 70 %.
    pub band: [Colour; 3],
    /// `--band-ink`: the name on the band. At least 4.5:1 on every part of it.
    pub band_ink: Colour,
}

/// The two label inks, white and near black.
const LABELS: [Colour; 2] = [Colour::WHITE, Colour::from_rgb24(0x0b0d16)];
/// The two inks of the band.
const BAND_INKS: [Colour; 2] = [Colour::WHITE, Colour::from_rgb24(0x171a24)];
/// What text must reach; a little above the law so that rounding cannot break it.
const TEXT: f64 = 4.55;
/// What a large shape must reach.
const SHAPE: f64 = 3.05;

impl VisualStyle {
    /// The repaired colours for one theme.
    pub fn tokens(&self, theme: Theme) -> Tokens {
        let (bg, surface) = (theme.bg(), theme.surface());
        let oc_wash = surface.mix(self.primary_color, 0.16);
        let oc = nearest(self.primary_color, |c| {
            contrast(c, bg) >= SHAPE && contrast(c, surface) >= SHAPE && contrast(c, label_on(c)) >= TEXT
        });
        let grounds = [bg, surface, theme.sunk(), oc_wash];
        let oc_ink = nearest(self.primary_color, |c| grounds.iter().all(|ground| contrast(c, *ground) >= TEXT));
        let (band, band_ink) = self.band();
        Tokens { oc, oc_ink, oc_on: label_on(oc), oc_wash, band, band_ink }
    }

    /// A style sheet of custom properties for the elements of `scope`, for light, dark and system themes.
    ///
    /// `scope` is one class, id or element (`.oc-3f2a`, `#stage`, `main`), or empty for the whole page; for anything
    /// else the answer is empty. Nothing of the style's text reaches the output, only its numbers.
    pub fn css(&self, scope: &str) -> String {
        if !scope_is_plain(scope) {
            return String::new();
        }
        let (light, dark) = (self.declarations(Theme::Light), self.declarations(Theme::Dark));
        let (plain, gap) = if scope.is_empty() { (":root,:root[data-theme]", "") } else { (scope, " ") };
        format!(
            "{plain}{{{light}}}:root[data-theme=dark]{gap}{scope}{{{dark}}}\
             @media (prefers-color-scheme:dark){{:root[data-theme=system]{gap}{scope}{{{dark}}}}}"
        )
    }

    /// Name and value of every custom property on one theme, for a preview that sets them one by one.
    pub fn properties(&self, theme: Theme) -> Vec<(&'static str, String)> {
        let Tokens { oc, oc_ink, oc_on, oc_wash, band: [from, over, to], band_ink } = self.tokens(theme);
        let background = match &self.background {
            Paint::Solid(colour) => colour.to_string(),
            Paint::Gradient(gradient) => gradient.to_string(),
        };
        vec![
            ("--oc", oc.to_string()),
            ("--oc-ink", oc_ink.to_string()),
            ("--oc-on", oc_on.to_string()),
            ("--oc-wash", oc_wash.to_string()),
            ("--oc-band", format!("linear-gradient(105deg,{from},{over} 70%,{to})")),
            ("--band-ink", band_ink.to_string()),
            ("--swatch-background", background),
            ("--swatch-background-ink", ink_over(&self.background.colours()).to_string()),
            ("--swatch-primary", self.primary_color.to_string()),
            ("--swatch-primary-ink", ink_over(&[self.primary_color]).to_string()),
            ("--swatch-accent", self.accent_color.to_string()),
            ("--swatch-accent-ink", ink_over(&[self.accent_color]).to_string()),
        ]
    }

    fn declarations(&self, theme: Theme) -> String {
        let list: Vec<String> =
            self.properties(theme).into_iter().map(|(name, value)| format!("{name}:{value}")).collect();
        list.join(";")
    }

    /// The band and its ink. The ink that needs the smaller repair wins; then the stops move away from it together,
    /// so that the band keeps its shape, until every part of it carries the name.
    fn band(&self) -> ([Colour; 3], Colour) {
        let (first, last) = (self.background.first(), self.background.last());
        let stops = [first, last.mix(self.primary_color, 0.75), self.primary_color.mix(self.accent_color, 0.35)];
        let repaired = |ink: Colour| {
            let away = if ink == Colour::WHITE { Colour::BLACK } else { Colour::WHITE };
            let carries = |band: &[Colour; 3]| worst_on_band(band, ink) >= TEXT;
            let step = (0..=100_u8).find(|step| carries(&toward(stops, away, *step))).unwrap_or(100);
            (step, toward(stops, away, step), ink)
        };
        let [white, dark] = BAND_INKS.map(repaired);
        let (_, band, ink) = if dark.0 < white.0 { dark } else { white };
        (band, ink)
    }
}

/// All three colours moved towards one, in hundredths.
fn toward(stops: [Colour; 3], to: Colour, step: u8) -> [Colour; 3] {
    stops.map(|colour| colour.mix(to, f64::from(step) / 100.0))
}

/// Smallest contrast of `ink` on the band, looked at in sixteen places of each half: between two stops the gradient
/// can be darker than both.
fn worst_on_band([from, over, to]: &[Colour; 3], ink: Colour) -> f64 {
    [(from, over), (over, to)]
        .iter()
        .flat_map(|(a, b)| (0..=16_u8).map(move |at| contrast(a.mix(**b, f64::from(at) / 16.0), ink)))
        .fold(f64::INFINITY, f64::min)
}

/// The colour nearest to `colour`, towards black or white, for which `good` holds.
fn nearest(colour: Colour, good: impl Fn(Colour) -> bool) -> Colour {
    for step in 0..=200_u8 {
        for end in [Colour::BLACK, Colour::WHITE] {
            let candidate = colour.mix(end, f64::from(step) / 200.0);
            if good(candidate) {
                return candidate;
            }
        }
    }
    // Black or white always passes on our own papers; this line is for a paper that does not exist yet.
    if good(Colour::BLACK) { Colour::BLACK } else { Colour::WHITE }
}

/// The label ink that reads better on a fill.
fn label_on(fill: Colour) -> Colour {
    let [white, dark] = LABELS;
    // White first: on saturated fills it reads better than the numbers say.
    if contrast(white, fill) >= TEXT || contrast(white, fill) >= contrast(dark, fill) { white } else { dark }
}

/// White, near black or black: the first that reads on all the colours, else the one with the best worst case.
fn ink_over(colours: &[Colour]) -> Colour {
    let [white, dark] = BAND_INKS;
    let worst = |ink: Colour| colours.iter().map(|colour| contrast(*colour, ink)).fold(f64::INFINITY, f64::min);
    let inks = [white, dark, Colour::BLACK];
    let best = inks.into_iter().max_by(|a, b| worst(*a).total_cmp(&worst(*b))).unwrap_or(white);
    inks.into_iter().find(|ink| worst(*ink) >= TEXT).unwrap_or(best)
}

/// One class, id or element name of at most 64 letters, digits, hyphens and underscores, or nothing.
fn scope_is_plain(scope: &str) -> bool {
    let name = scope.strip_prefix(['.', '#']).unwrap_or(scope);
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let rest = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    scope.is_empty() || (starts_well && rest && name.len() <= 64)
}
