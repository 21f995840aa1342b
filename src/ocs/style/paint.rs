//! A background: one colour, or a linear gradient kept as numbers.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::Colour;

/// What a background is filled with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Paint {
    /// One colour.
    Solid(Colour),
    /// A linear gradient.
    Gradient(Gradient),
}

/// A linear gradient of two to four colours. Its parts are private so that one out of range cannot exist.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Gradient {
    angle: u16,
    stops: Vec<Stop>,
}

/// One colour of a gradient and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stop {
    /// The colour.
    pub colour: Colour,
    /// Where along the gradient, in percent; spread evenly when absent.
    pub at: Option<u8>,
}

/// Longest text that is looked at: four stops with room to breathe.
const LONGEST: usize = 160;

impl Gradient {
    /// A gradient of `angle` degrees (0 to 360, 0 is upwards, as in CSS) with two to four stops in rising order.
    pub fn new(angle: u16, stops: Vec<Stop>) -> Result<Self, String> {
        if angle > 360 {
            return Err("A gradient's angle is a whole number from 0 to 360 degrees.".to_owned());
        }
        if !(2..=4).contains(&stops.len()) {
            return Err("A gradient has two to four colours.".to_owned());
        }
        let mut last = 0;
        for at in stops.iter().filter_map(|stop| stop.at) {
            if at > 100 || at < last {
                return Err("The places in a gradient are whole percents from 0 to 100 that rise.".to_owned());
            }
            last = at;
        }
        Ok(Self { angle, stops })
    }

    /// The angle in degrees, 0 to 360.
    pub fn angle(&self) -> u16 {
        self.angle
    }

    /// The stops, two to four.
    pub fn stops(&self) -> &[Stop] {
        &self.stops
    }
}

impl Paint {
    /// The colour that leads: the only one, or the first of a gradient.
    pub fn first(&self) -> Colour {
        self.colours().first().copied().unwrap_or(Colour::BLACK)
    }

    /// The last colour: the only one, or the last of a gradient.
    pub fn last(&self) -> Colour {
        self.colours().last().copied().unwrap_or(Colour::BLACK)
    }

    /// All colours, one to four.
    pub fn colours(&self) -> Vec<Colour> {
        match self {
            Self::Solid(colour) => vec![*colour],
            Self::Gradient(gradient) => gradient.stops.iter().map(|stop| stop.colour).collect(),
        }
    }

    /// Reads text, or `{"angle": 105, "stops": [{"colour": "#aabbcc", "at": 0}, …]}`.
    pub fn from_json(value: &Value) -> Result<Self, String> {
        match value {
            Value::String(text) => text.parse(),
            Value::Object(map) => {
                let angle = map.get("angle").and_then(Value::as_u64).and_then(|angle| u16::try_from(angle).ok());
                let stops = map.get("stops").and_then(Value::as_array);
                let (Some(angle), Some(stops)) = (angle, stops) else {
                    return Err("A gradient has a whole number as angle and a list of stops.".to_owned());
                };
                let stops: Result<Vec<Stop>, String> = stops.iter().take(5).map(stop_from_json).collect();
                Gradient::new(angle, stops?).map(Self::Gradient)
            }
            _ => Err("must be a colour or a gradient.".to_owned()),
        }
    }
}

fn stop_from_json(value: &Value) -> Result<Stop, String> {
    let colour = value.get("colour").or_else(|| value.get("color")).unwrap_or(value);
    let Value::String(colour) = colour else {
        return Err("Each stop of a gradient has a colour.".to_owned());
    };
    let at = match value.get("at") {
        None | Some(Value::Null) => None,
        Some(at) => {
            let at = at.as_u64().and_then(|at| u8::try_from(at).ok());
            Some(at.ok_or("The places in a gradient are whole percents from 0 to 100 that rise.")?)
        }
    };
    Ok(Stop { colour: colour.parse()?, at })
}

impl From<Colour> for Paint {
    fn from(colour: Colour) -> Self {
        Self::Solid(colour)
    }
}

impl std::fmt::Display for Gradient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "linear-gradient({}deg", self.angle)?;
        for stop in &self.stops {
            write!(f, ", {}", stop.colour)?;
            if let Some(at) = stop.at {
                write!(f, " {at}%")?;
            }
        }
        write!(f, ")")
    }
}

impl std::fmt::Display for Paint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Solid(colour) => colour.fmt(f),
            Self::Gradient(gradient) => gradient.fmt(f),
        }
    }
}

impl std::str::FromStr for Paint {
    type Err = String;

    /// Takes a colour or `linear-gradient(105deg, #aabbcc, #ddeeff 70%)`, and nothing else.
    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || {
            format!(
                "{} is not a background. Write a colour such as #1a1a2e, or a gradient such as linear-gradient(105deg, \
                 #1a1a2e, #3d5a99 70%).",
                super::quote(text)
            )
        };
        if text.len() > LONGEST {
            return Err(refuse());
        }
        let text = text.trim();
        let Some(inner) = text.strip_prefix("linear-gradient(").and_then(|rest| rest.strip_suffix(')')) else {
            return text.parse().map(Self::Solid).map_err(|_: String| refuse());
        };
        let mut parts = inner.split(',').map(str::trim);
        let angle = parts.next().and_then(|part| part.strip_suffix("deg")).ok_or_else(refuse)?;
        let angle = digits(angle).ok_or_else(refuse)?;
        let mut stops = Vec::new();
        for part in parts {
            let (colour, at) = match part.split_once(' ') {
                None => (part, None),
                Some((colour, at)) => {
                    let at = at.trim().strip_suffix('%').and_then(digits).and_then(|at| u8::try_from(at).ok());
                    (colour, Some(at.ok_or_else(refuse)?))
                }
            };
            stops.push(Stop { colour: colour.parse()?, at });
        }
        Gradient::new(angle, stops).map(Self::Gradient)
    }
}

/// A whole number of one to three digits: no sign, no point.
fn digits(text: &str) -> Option<u16> {
    let plain = matches!(text.len(), 1..=3) && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

impl Serialize for Paint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Paint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_json(&value).map_err(serde::de::Error::custom)
    }
}
