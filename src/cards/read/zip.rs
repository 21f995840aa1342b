//! ZIP archives, read strictly. A CHARX needs two files out of one, stored or deflated, and the archive may stand behind a
//! picture; what archives can do beyond that is refused, and so is whatever tells two readers two different things.

use super::bytes::{deflated, le16, le32, piece};
use crate::cards::{ENTRIES_MAX, ENTRY_MAX, RATIO_MAX, Refused, UNPACKED_MAX};
use std::collections::HashSet;

/// Small files may be packed better than [`RATIO_MAX`] without being a trick.
const RATIO_FREE: u64 = 64 * 1024;
/// Longest name of a file inside.
const NAME_MAX: usize = 255;

/// A file inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name with folders, separated by `/`.
    pub name: String,
    /// Its size, bytes.
    pub size: usize,
    method: u16,
    sum: u32,
    packed: usize,
    at: usize,
}

/// An archive whose list of files was read and found sound.
#[derive(Debug)]
pub struct Archive<'f> {
    file: &'f [u8],
    /// Its files and folders, in the order of its list.
    pub entries: Vec<Entry>,
}

fn broken() -> Refused {
    Refused::because("This archive is broken or cut off.")
}

impl<'f> Archive<'f> {
    /// Reads the list of an archive; it may have something else in front of it.
    ///
    /// # Errors
    /// For what is broken, encrypted, too large, too many, or named so that it would land elsewhere.
    pub fn open(file: &'f [u8]) -> Result<Self, Refused> {
        let end = end(file).ok_or_else(broken)?;
        let number = |at| le16(file, end + at).ok_or_else(broken);
        let place = |at| le32(file, end + at).ok_or_else(broken);
        let (disk, count, length, start) = (number(4)?, number(10)?, place(12)?, place(16)?);
        if disk != 0 || count != number(8)? || count == u16::MAX || length == u32::MAX || start == u32::MAX {
            return Err(Refused::because("Archives in parts, or of more than 4 GB, are not read."));
        }
        if usize::from(count) > ENTRIES_MAX {
            return Err(Refused::because(format!(
                "There are too many files in this archive: the limit is {ENTRIES_MAX}."
            )));
        }
        let (length, start) = (usize::try_from(length), usize::try_from(start));
        let (Ok(length), Ok(start)) = (length, start) else { return Err(broken()) };
        let list = end.checked_sub(length).ok_or_else(broken)?;
        // Whatever stands in front moves all places.
        let moved = list.checked_sub(start).ok_or_else(broken)?;
        let mut archive = Self { file, entries: Vec::new() };
        let mut names = HashSet::new();
        let mut at = list;
        let mut sum = 0_u64;
        for _ in 0..count {
            let (entry, next) = entry(file, at, moved)?;
            if next > end {
                return Err(broken());
            }
            sum = sum.saturating_add(u64::try_from(entry.size).unwrap_or(u64::MAX));
            if sum > UNPACKED_MAX {
                return Err(Refused::because("This archive unpacks to more than is allowed: the limit is 200 MB."));
            }
            if !names.insert(entry.name.to_lowercase()) {
                return Err(Refused::because("Two files of this archive have the same name."));
            }
            archive.entries.push(entry);
            at = next;
        }
        Ok(archive)
    }

    /// A file by its name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.name == name)
    }

    /// The bytes of a file inside, `most` at the most.
    ///
    /// # Errors
    /// When there are more, or they are not what the list says.
    pub fn unpack(&self, entry: &Entry, most: usize) -> Result<Vec<u8>, Refused> {
        if entry.size > most.min(ENTRY_MAX) {
            return Err(Refused::because(format!("“{}” in this archive is too large.", entry.name)));
        }
        let head = piece(self.file, entry.at, 30).filter(|h| h.starts_with(b"PK\x03\x04")).ok_or_else(broken)?;
        let (name, extra) = (le16(head, 26).ok_or_else(broken)?, le16(head, 28).ok_or_else(broken)?);
        let data = entry.at + 30 + usize::from(name) + usize::from(extra);
        let packed = piece(self.file, data, entry.packed).ok_or_else(broken)?;
        let bytes = match entry.method {
            0 => packed.to_vec(),
            _ => deflated(packed, entry.size)?,
        };
        if bytes.len() != entry.size || crc32fast::hash(&bytes) != entry.sum {
            return Err(broken());
        }
        Ok(bytes)
    }
}

/// Where the end of the list is told: looked for from the end of the file, since a comment may follow it.
fn end(file: &[u8]) -> Option<usize> {
    let last = file.len().checked_sub(22)?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    (first..=last).rev().find(|at| {
        piece(file, *at, 4) == Some(b"PK\x05\x06")
            && le16(file, at + 20).is_some_and(|comment| at + 22 + usize::from(comment) <= file.len())
    })
}

/// One line of the list, and where the next one begins.
fn entry(file: &[u8], at: usize, moved: usize) -> Result<(Entry, usize), Refused> {
    let head = piece(file, at, 46).filter(|h| h.starts_with(b"PK\x01\x02")).ok_or_else(broken)?;
    let short = |at| le16(head, at).ok_or_else(broken);
    let long = |at| le32(head, at).ok_or_else(broken);
    let (flags, method, sum) = (short(8)?, short(10)?, long(16)?);
    let (packed, size, attributes, start) = (long(20)?, long(24)?, long(38)?, long(42)?);
    let (name_length, extra, comment) = (usize::from(short(28)?), usize::from(short(30)?), usize::from(short(32)?));
    let name = piece(file, at + 46, name_length).ok_or_else(broken)?;
    let name = name_of(name)?;
    if flags & 1 != 0 || method == 99 {
        return Err(Refused::because("This archive is encrypted."));
    }
    if !matches!(method, 0 | 8) || (method == 0 && packed != size) {
        return Err(Refused::because("This archive is packed in a way that is not read here: only “deflate” is."));
    }
    // The upper half is what Unix says of a file: a link leads out of the archive.
    if (attributes >> 16) & 0o170_000 == 0o120_000 {
        return Err(Refused::because("There are links in this archive."));
    }
    if u64::from(size) > u64::from(packed).saturating_mul(RATIO_MAX).saturating_add(RATIO_FREE) {
        return Err(Refused::because("This archive unpacks to far more than it is, as only tricks do."));
    }
    let at_start = usize::try_from(start).ok().and_then(|s| s.checked_add(moved)).ok_or_else(broken)?;
    let size = usize::try_from(size).map_err(|_| broken())?;
    let packed = usize::try_from(packed).map_err(|_| broken())?;
    Ok((Entry { name, size, method, sum, packed, at: at_start }, at + 46 + name_length + extra + comment))
}

/// A name that stays inside of the archive's folder.
fn name_of(bytes: &[u8]) -> Result<String, Refused> {
    let name = String::from_utf8_lossy(bytes).into_owned();
    let is_outside = name.starts_with('/')
        || name.contains(['\\', '\0'])
        || name.chars().nth(1) == Some(':')
        || name.split('/').any(|part| matches!(part, ".." | "."));
    if name.is_empty() || name.len() > NAME_MAX || is_outside {
        return Err(Refused::because("A file of this archive has a name that leads out of it."));
    }
    Ok(name)
}
