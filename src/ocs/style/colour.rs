//! One colour: eight bits each of red, green and blue in sRGB.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A colour in sRGB, written `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Colour {
    /// Red, 0 to 255.
    pub r: u8,
    /// Green, 0 to 255.
    pub g: u8,
    /// Blue, 0 to 255.
    pub b: u8,
}

impl Colour {
    /// White.
    pub const WHITE: Self = Self::new(255, 255, 255);
    /// Black.
    pub const BLACK: Self = Self::new(0, 0, 0);

    /// A colour from its three parts.
    pub const fn new(r: u8, g: u8, b: u8) -> Self {
        Self { r, g, b }
    }

    /// A colour from a number such as `0x3d5a99`; higher bits are ignored.
    pub const fn from_rgb24(rgb: u32) -> Self {
        let [_, r, g, b] = rgb.to_be_bytes();
        Self { r, g, b }
    }

    /// This colour moved towards `other`: 0.0 stays, 1.0 arrives.
    #[must_use]
    pub fn mix(self, other: Self, amount: f64) -> Self {
        let blend = |from: u8, to: u8| {
            let (from, to) = (f64::from(from), f64::from(to));
            to_byte(from + (to - from) * amount.clamp(0.0, 1.0))
        };
        Self { r: blend(self.r, other.r), g: blend(self.g, other.g), b: blend(self.b, other.b) }
    }

    /// Relative luminance, 0.0 (black) to 1.0 (white), as WCAG 2.2 defines it.
    pub fn luminance(self) -> f64 {
        0.2126 * linear(self.r) + 0.7152 * linear(self.g) + 0.0722 * linear(self.b)
    }
}

/// Contrast ratio of two colours, 1.0 to 21.0: WCAG 2.2, "contrast ratio", (L1 + 0.05) / (L2 + 0.05) with the lighter
/// colour above (<https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio>).
pub fn contrast(a: Colour, b: Colour) -> f64 {
    let (a, b) = (a.luminance(), b.luminance());
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// One channel without the sRGB transfer curve (WCAG 2.2, "relative luminance").
pub(crate) fn linear(channel: u8) -> f64 {
    let c = f64::from(channel) / 255.0;
    if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
}

/// The nearest byte. A search rather than a cast, so that nothing is ever cut.
pub(crate) fn to_byte(value: f64) -> u8 {
    let (mut low, mut high) = (0_u8, 255_u8);
    while low < high {
        let middle = low + (high - low) / 2;
        if f64::from(middle) + 0.5 <= value {
            low = middle.saturating_add(1);
        } else {
            high = middle;
        }
    }
    low
}

impl std::fmt::Display for Colour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.r, self.g, self.b)
    }
}

impl std::str::FromStr for Colour {
    type Err = String;

    /// Takes `#rgb` and `#rrggbb` in either case, and nothing else.
    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || {
            let shown = super::quote(text);
            format!("{shown} is not a colour. Write # and six hexadecimal digits, such as #3d5a99.")
        };
        let digits = text.trim().strip_prefix('#').ok_or_else(refuse)?;
        if !matches!(digits.len(), 3 | 6) || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(refuse());
        }
        let number = u32::from_str_radix(digits, 16).map_err(|_| refuse())?;
        if digits.len() == 6 {
            return Ok(Self::from_rgb24(number));
        }
        let [_, _, high, low] = number.to_be_bytes();
        Ok(Self::new((high & 15) * 17, (low >> 4) * 17, (low & 15) * 17))
    }
}

impl Serialize for Colour {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Colour {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
