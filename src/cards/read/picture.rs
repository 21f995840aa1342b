//! Cards in the metadata of JPEG and WebP pictures, as early programs wrote them: JSON in a comment of EXIF, plain or as a list
//! of numbers of its bytes, or in base64.

use super::{
    Found,
    bytes::{be16, le32, piece},
    text,
};
use crate::cards::{Refused, TEXT_MAX};
use serde_json::Value;

/// How many braces are tried as the beginning of a card.
const TRIES: usize = 24;

/// The card in a JPEG's segments.
///
/// # Errors
/// When there is none.
pub(super) fn in_jpeg(file: &[u8]) -> Result<Found, Refused> {
    let mut at = 2;
    while let (Some(0xff), Some(kind), Some(length)) = (file.get(at), file.get(at + 1), be16(file, at + 2)) {
        // The picture itself begins: nothing follows that a card would stand in.
        if matches!(kind, 0xda | 0xd9) || length < 2 {
            break;
        }
        if matches!(kind, 0xe0..=0xef | 0xfe)
            && let Some(text) = piece(file, at + 4, length - 2).and_then(within)
        {
            return Ok(Found { text, notes: Vec::new() });
        }
        at += 2 + length;
    }
    Err(Refused::because("There is no character card in this picture."))
}

/// The card in a WebP's chunks.
///
/// # Errors
/// When there is none.
pub(super) fn in_webp(file: &[u8]) -> Result<Found, Refused> {
    let mut at = 12;
    while let (Some(kind), Some(length)) = (piece(file, at, 4), le32(file, at + 4)) {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Some(data) = piece(file, at + 8, length) else { break };
        if matches!(kind, b"EXIF" | b"XMP ")
            && let Some(text) = within(data)
        {
            return Ok(Found { text, notes: Vec::new() });
        }
        // Chunks begin at even places.
        at += 8 + length + length % 2;
    }
    Err(Refused::because("There is no character card in this picture."))
}

/// The first card in bytes that hold other things, too.
fn within(data: &[u8]) -> Option<String> {
    if data.len() > TEXT_MAX {
        return None;
    }
    plain(data).or_else(|| runs(data, |b| b.is_ascii_digit() || *b == b',').find_map(listed)).or_else(|| {
        let is_letter = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'-' | b'_');
        runs(data, is_letter).find_map(|run| plain(&text::base64(run)?))
    })
}

/// JSON that begins at one of the first braces.
fn plain(data: &[u8]) -> Option<String> {
    let braces = data.iter().enumerate().filter(|(_, b)| **b == b'{').map(|(at, _)| at);
    braces.take(TRIES).find_map(|at| {
        let rest = data.get(at..)?;
        let mut stream = serde_json::Deserializer::from_slice(rest).into_iter::<Value>();
        let value = stream.next()?.ok().filter(super::looks_like_a_card)?;
        drop(value);
        rest.get(..stream.byte_offset()).and_then(|json| String::from_utf8(json.to_vec()).ok())
    })
}

/// Long stretches of bytes of one kind.
fn runs<'d>(data: &'d [u8], is_part: impl Fn(&u8) -> bool + Copy + 'd) -> impl Iterator<Item = &'d [u8]> {
    data.split(move |b| !is_part(b)).filter(|run| run.len() > 60).take(TRIES)
}

/// A card as the numbers of its bytes: `123,34,110,…`.
fn listed(run: &[u8]) -> Option<String> {
    let numbers = std::str::from_utf8(run).ok()?.split(',').filter(|n| !n.is_empty());
    let bytes: Option<Vec<u8>> = numbers.map(|n| n.parse().ok()).collect();
    plain(&bytes?)
}
