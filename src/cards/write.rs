//! Cards as files: JSON of V3 and V2, PNG with both, CHARX. The same character is always the same bytes.

use super::{
    Refused,
    read::{
        Shape,
        shape::{TEXTS, face_of},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, write::DeflateEncoder};
use serde_json::{Map, Value, json};
use std::io::Write;

/// Where a CHARX has its picture.
const FACE: &str = "assets/icon/images/main.png";

/// A card as JSON of V3.
#[must_use]
pub fn v3(shape: &Shape) -> Value {
    let mut root = shape.root.clone();
    root.insert("spec".to_owned(), json!("chara_card_v3"));
    root.insert("spec_version".to_owned(), json!("3.0"));
    root.insert("data".to_owned(), Value::Object(shape.data.clone()));
    Value::Object(root)
}

/// A card as JSON of V2, with the copy at the root that programs of V1 read. Decorators of lore are instructions to programs of V3
/// and would be read aloud by others.
#[must_use]
pub fn v2(shape: &Shape) -> Value {
    let mut data = shape.data.clone();
    if let Some(Value::Array(entries)) = data.get_mut("character_book").and_then(|b| b.get_mut("entries")) {
        for content in entries.iter_mut().filter_map(|e| e.get_mut("content")) {
            *content = Value::String(undecorated(content.as_str().unwrap_or_default()).to_owned());
        }
    }
    let mut root = shape.root.clone();
    for name in TEXTS {
        root.insert(name.to_owned(), data.get(name).cloned().unwrap_or_else(|| json!("")));
    }
    root.insert("spec".to_owned(), json!("chara_card_v2"));
    root.insert("spec_version".to_owned(), json!("2.0"));
    root.insert("data".to_owned(), Value::Object(data));
    Value::Object(root)
}

/// Lore without the lines `@@name value` at its head.
fn undecorated(content: &str) -> &str {
    let mut rest = content;
    while rest.starts_with("@@") {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
    rest
}

/// JSON for people: with line breaks.
#[must_use]
pub fn readable(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

/// A picture with the card in it, as V2 and as V3.
///
/// # Errors
/// When the picture is no PNG.
pub fn png(picture: &[u8], shape: &Shape) -> Result<Vec<u8>, Refused> {
    let broken = || Refused::because("The picture of this character is no PNG.");
    if !picture.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Err(broken());
    }
    let end = picture.windows(4).rposition(|w| w == b"IEND").and_then(|at| at.checked_sub(4)).ok_or_else(broken)?;
    let (head, tail) = picture.split_at_checked(end).ok_or_else(broken)?;
    let mut out = head.to_vec();
    for (keyword, value) in [("chara", v2(shape)), ("ccv3", v3(shape))] {
        let mut data = keyword.as_bytes().to_vec();
        data.push(0);
        data.extend_from_slice(STANDARD.encode(value.to_string()).as_bytes());
        chunk(&mut out, *b"tEXt", &data);
    }
    out.extend_from_slice(tail);
    Ok(out)
}

/// Adds a chunk to a PNG.
fn chunk(out: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&kind);
    sum.update(data);
    out.extend_from_slice(&u32::try_from(data.len()).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(&kind);
    out.extend_from_slice(data);
    out.extend_from_slice(&sum.finalize().to_be_bytes());
}

/// An archive with the card and its picture.
///
/// # Errors
/// When something is too large for an archive.
pub fn charx(picture: &[u8], shape: &Shape) -> Result<Vec<u8>, Refused> {
    let mut card = v3(shape);
    if let Some(data) = card.get_mut("data").and_then(Value::as_object_mut) {
        with_face(data);
    }
    archive(&[("card.json", readable(&card).as_bytes()), (FACE, picture)])
}

/// The list of assets with the picture as the character's face, in the place where another stood.
fn with_face(data: &mut Map<String, Value>) {
    let face = json!({"type": "icon", "uri": format!("embeded://{FACE}"), "name": "main", "ext": "png"});
    let list = data.entry("assets").or_insert_with(|| json!([]));
    let Value::Array(list) = list else { return };
    match list.iter_mut().find(|asset| face_of(asset)) {
        Some(place) => *place = face,
        None => list.insert(0, face),
    }
}

/// A ZIP archive; its dates are the first that there are, so that the same files are the same bytes.
fn archive(files: &[(&str, &[u8])]) -> Result<Vec<u8>, Refused> {
    let too_large = || Refused::because("This character is too large for an archive.");
    let (mut out, mut list) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let start = u32::try_from(out.len()).map_err(|_| too_large())?;
        let mut packer = DeflateEncoder::new(Vec::new(), Compression::default());
        let packed = packer.write_all(bytes).and_then(|()| packer.finish()).map_err(|_| too_large())?;
        let number = |n: usize| u32::try_from(n).map_err(|_| too_large());
        // Version, flags (the name is UTF-8), method, time, date.
        let mut head = Vec::new();
        for short in [20_u16, 0x0800, 8, 0, 0x21] {
            head.extend_from_slice(&short.to_le_bytes());
        }
        for long in [crc32fast::hash(bytes), number(packed.len())?, number(bytes.len())?] {
            head.extend_from_slice(&long.to_le_bytes());
        }
        head.extend_from_slice(&u16::try_from(name.len()).map_err(|_| too_large())?.to_le_bytes());
        head.extend_from_slice(&[0, 0]);
        list.extend_from_slice(b"PK\x01\x02\x14\x00");
        list.extend_from_slice(&head);
        // No comment, the first disk, no attributes.
        list.extend_from_slice(&[0; 10]);
        list.extend_from_slice(&start.to_le_bytes());
        list.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"PK\x03\x04");
        out.extend_from_slice(&head);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(&packed);
    }
    let count = u16::try_from(files.len()).map_err(|_| too_large())?;
    let (start, length) = (u32::try_from(out.len()), u32::try_from(list.len()));
    let (start, length) = (start.map_err(|_| too_large())?, length.map_err(|_| too_large())?);
    out.extend_from_slice(&list);
    out.extend_from_slice(b"PK\x05\x06\x00\x00\x00\x00");
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&start.to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    Ok(out)
}
