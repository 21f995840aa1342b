//! Cards in text chunks of a PNG: `chara` and `ccv3`, plain (`tEXt`), packed (`zTXt`) or international (`iTXt`).

use super::{
    Found,
    bytes::{be32, piece, zlib},
    text,
};
use crate::cards::{Fate, Note, Refused, TEXT_MAX};

/// The first bytes of every PNG.
pub(super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Text of a card in base64 is this much longer, and line breaks may stand in it.
const CODED_MAX: usize = TEXT_MAX * 3 / 2;

/// Most cards of one kind that are looked at in a picture: unpacked, each may be a thousand times as large as its chunk.
const CARDS_MAX: usize = 4;

/// A text chunk as it stands in the file: its kind, and what follows the keyword.
type Chunk<'a> = (&'a [u8], &'a [u8]);

/// What the text chunks hold.
#[derive(Default)]
struct Chunks<'a> {
    /// Those of `ccv3`, and those of `chara`, in the order of the file.
    ccv3: Vec<Chunk<'a>>,
    chara: Vec<Chunk<'a>>,
    assets: usize,
    notes: Vec<Note>,
}

/// The text of the card in a PNG. Of two, that of the newer version is the card.
///
/// # Errors
/// When there is none, or it cannot be read.
pub(super) fn find(file: &[u8]) -> Result<Found, Refused> {
    let (chunks, is_cut) = chunks(file);
    let Chunks { ccv3, chara, assets, mut notes } = chunks;
    if assets > 0 {
        let words = format!("{assets} files inside of the picture are not kept.");
        notes.push(Note::new(Fate::Refused, "assets", words));
    }
    let both = !ccv3.is_empty() && !chara.is_empty();
    let mut wrong = None;
    for (n, (kind, rest)) in ccv3.into_iter().chain(chara).enumerate() {
        // One after the other, so that only one is in memory.
        let text = content(kind, rest).and_then(|coded| decoded(&coded));
        match text.and_then(|text| text::json(&text).map(|value| (text, value))) {
            Ok((text, value)) if super::looks_like_a_card(&value) => {
                if n == 0 && both {
                    notes.push(Note::new(
                        Fate::Mapped,
                        "chara",
                        "The file holds two versions; the newer one was read.",
                    ));
                }
                return Ok(Found { text, notes });
            }
            Ok((_, value)) => wrong = wrong.or(super::shape(value).err()),
            Err(why) => wrong = wrong.or(Some(why)),
        }
    }
    Err(wrong.unwrap_or_else(|| {
        Refused::because(if is_cut {
            "This picture is cut off, and there is no character card in what is left of it."
        } else {
            "There is no character card in this picture."
        })
    }))
}

/// All text chunks, and whether the file ends before its end.
fn chunks(file: &[u8]) -> (Chunks<'_>, bool) {
    let mut found = Chunks::default();
    let mut at = SIGNATURE.len();
    while let (Some(length), Some(kind)) = (be32(file, at), piece(file, at + 4, 4)) {
        let Some(data) = piece(file, at + 8, length) else { return (found, true) };
        let sum = be32(file, at + 8 + length);
        match kind {
            b"IEND" => return (found, false),
            b"tEXt" | b"zTXt" | b"iTXt" => take(&mut found, kind, data, sum),
            _ => {}
        }
        at += 12 + length;
    }
    (found, true)
}

fn take<'a>(found: &mut Chunks<'a>, kind: &'a [u8], data: &'a [u8], sum: Option<usize>) {
    let Some(end) = data.iter().take(80).position(|b| *b == 0) else { return };
    let (Some(keyword), Some(rest)) = (data.get(..end), data.get(end + 1..)) else { return };
    let keyword = String::from_utf8_lossy(keyword).to_ascii_lowercase();
    if keyword.starts_with("chara-ext-asset_") {
        found.assets += 1;
    }
    let known = match keyword.as_str() {
        "ccv3" => &mut found.ccv3,
        "chara" => &mut found.chara,
        _ => return,
    };
    if known.len() >= CARDS_MAX {
        return;
    }
    known.push((kind, rest));
    let mut crc = crc32fast::Hasher::new();
    crc.update(kind);
    crc.update(data);
    if sum != usize::try_from(crc.finalize()).ok() {
        let words =
            "The sum of this part does not fit, so the file was damaged or written carelessly; it was read anyway.";
        found.notes.push(Note::new(Fate::Mapped, keyword.clone(), words));
    }
}

/// The bytes of a text chunk behind its keyword.
fn content(kind: &[u8], rest: &[u8]) -> Result<Vec<u8>, Refused> {
    let broken = || Refused::because("The text of the card in this picture is broken.");
    match kind {
        // One byte names the method; there is but one.
        b"zTXt" => zlib(rest.get(1..).ok_or_else(broken)?, CODED_MAX),
        b"iTXt" => {
            let is_packed = rest.first() == Some(&1);
            // The language and the translated keyword, each up to a zero byte.
            let mut parts = rest.get(2..).ok_or_else(broken)?.splitn(3, |b| *b == 0);
            let text = parts.nth(2).ok_or_else(broken)?;
            if is_packed { zlib(text, CODED_MAX) } else { plain(text) }
        }
        _ => plain(rest),
    }
}

fn plain(text: &[u8]) -> Result<Vec<u8>, Refused> {
    if text.len() > CODED_MAX { Err(text::too_long()) } else { Ok(text.to_vec()) }
}

/// The text behind base64, or the text itself where a program left base64 out.
fn decoded(coded: &[u8]) -> Result<String, Refused> {
    if coded.starts_with(b"rcc||") {
        return Err(Refused::because("This card is encrypted by RisuAI and can be read there only."));
    }
    let is_json = coded.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{');
    let bytes = if is_json { Some(coded.to_vec()) } else { text::base64(coded) };
    let bytes = bytes.ok_or_else(|| Refused::because("The text of the card in this picture is no base64."))?;
    text::utf8(bytes)
}
