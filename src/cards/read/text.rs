//! Texts of cards: bytes to letters, letters to values.

use super::yaml;
use crate::cards::{Carrier, Refused, TEXT_MAX};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::Value;

/// Padding may be missing, and what is left over in the last letter is nobody's concern.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The refusal of a text that is too long.
pub(super) fn too_long() -> Refused {
    Refused::because("The text of this card is too large: the limit is 4 MB.")
}

/// Bytes behind base64 with or without line breaks and padding, of either alphabet.
pub(super) fn base64(coded: &[u8]) -> Option<Vec<u8>> {
    let letters = coded.iter().filter(|b| !b.is_ascii_whitespace() && **b != 0);
    let letters: Vec<u8> = letters
        .map(|b| match b {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect();
    BASE64.decode(letters).ok().filter(|bytes| !bytes.is_empty())
}

/// Letters of the bytes of a card; what is no UTF-8 becomes U+FFFD, since half a card is better than none.
pub(super) fn utf8(bytes: Vec<u8>) -> Result<String, Refused> {
    if bytes.len() > TEXT_MAX {
        return Err(too_long());
    }
    let text = String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    Ok(text.trim_start_matches('\u{feff}').trim_end_matches('\0').to_owned())
}

/// Reads JSON.
pub(super) fn json(text: &str) -> Result<Value, Refused> {
    if text.len() > TEXT_MAX {
        return Err(too_long());
    }
    crate::lenient::read(text)
        .map_err(|error| Refused::because(format!("The text of this card is no proper JSON (line {}).", error.line())))
}

/// Reads JSON, or YAML where it is none.
pub(super) fn value(text: &str) -> Result<(Carrier, Value), Refused> {
    if text.len() > TEXT_MAX {
        return Err(too_long());
    }
    if text.trim_start().starts_with(['{', '[']) {
        return json(text).map(|value| (Carrier::Json, value));
    }
    yaml::read(text).map(|value| (Carrier::Yaml, value))
}
