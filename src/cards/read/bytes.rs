//! Numbers and pieces of a file, without ever reading past its end.

use crate::cards::Refused;
use flate2::read::{DeflateDecoder, ZlibDecoder};
use std::io::Read;

/// The `length` bytes at `at`.
pub(super) fn piece(file: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    file.get(at..at.checked_add(length)?)
}

/// A number of four bytes, the highest first.
pub(super) fn be32(file: &[u8], at: usize) -> Option<usize> {
    let bytes: [u8; 4] = piece(file, at, 4)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(bytes)).ok()
}

/// A number of two bytes, the highest first.
pub(super) fn be16(file: &[u8], at: usize) -> Option<usize> {
    let bytes: [u8; 2] = piece(file, at, 2)?.try_into().ok()?;
    Some(usize::from(u16::from_be_bytes(bytes)))
}

/// A number of four bytes, the lowest first.
pub(super) fn le32(file: &[u8], at: usize) -> Option<u32> {
    let bytes: [u8; 4] = piece(file, at, 4)?.try_into().ok()?;
    Some(u32::from_le_bytes(bytes))
}

/// A number of two bytes, the lowest first.
pub(super) fn le16(file: &[u8], at: usize) -> Option<u16> {
    let bytes: [u8; 2] = piece(file, at, 2)?.try_into().ok()?;
    Some(u16::from_le_bytes(bytes))
}

/// Unpacks what zlib packed, `most` bytes at the most.
///
/// # Errors
/// When it is more, or broken.
pub(super) fn zlib(packed: &[u8], most: usize) -> Result<Vec<u8>, Refused> {
    whole(ZlibDecoder::new(packed), most)
}

/// As [`zlib`], without zlib's frame.
///
/// # Errors
/// As [`zlib`].
pub(super) fn deflated(packed: &[u8], most: usize) -> Result<Vec<u8>, Refused> {
    whole(DeflateDecoder::new(packed), most)
}

fn whole(decoder: impl Read, most: usize) -> Result<Vec<u8>, Refused> {
    let mut out = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    decoder
        .take(limit)
        .read_to_end(&mut out)
        .map_err(|_| Refused::because("A packed part of this file cannot be unpacked."))?;
    if out.len() > most {
        return Err(Refused::because("A packed part of this file is larger than is allowed."));
    }
    Ok(out)
}
