//! Files for tests, made here: cards in every carrier, whole and broken.

use base64::{Engine, engine::general_purpose::STANDARD};
use flate2::{Compression, write::DeflateEncoder, write::ZlibEncoder};
use serde_json::{Value, json};
use std::io::Write;

/// A chunk of a PNG.
pub(crate) type Chunk = (&'static str, Vec<u8>);

/// A card of V1.
pub(crate) fn v1() -> Value {
    json!({
        "name": "Mira", "description": "{{char}} keeps the lamp.", "personality": "Shy.", "scenario": "The tower.",
        "first_mes": "*She looks up.* Oh.", "mes_example": "<START>\n{{user}}: Who are you?\n{{char}}: Nobody yet."
    })
}

/// A card of V2 with a book, without the copy at its root.
pub(crate) fn v2() -> Value {
    let mut data = v1();
    let more = json!({
        "creator_notes": "Made at night.", "system_prompt": "{{original}} Be brief.",
        "post_history_instructions": "Stay in the tower.", "alternate_greetings": ["You again.", "Close the door."],
        "tags": ["sea", "lamp"], "creator": "Wren", "character_version": "1.2",
        "extensions": {"depth_prompt": {"prompt": "It rains.", "depth": 4}, "other/program": {"kept": [1, 2.5, null]}},
        "character_book": {"name": "Harbour", "extensions": {}, "entries": [
            {"keys": ["storm"], "content": "Storms come from the west.", "extensions": {}, "enabled": true,
             "insertion_order": 10, "case_sensitive": false, "own_key": {"x": 1}}
        ]}
    });
    extend(&mut data, more);
    json!({"spec": "chara_card_v2", "spec_version": "2.0", "data": data})
}

/// A card of V3.
pub(crate) fn v3() -> Value {
    let mut card = v2();
    card["spec"] = json!("chara_card_v3");
    card["spec_version"] = json!("3.0");
    let more = json!({
        "name": "Mira the Third", "nickname": "Mi", "group_only_greetings": ["Hello, all of you."], "source": ["https://example.org/1"],
        "creation_date": 1_719_942_734, "modification_date": 1_719_942_735,
        "creator_notes_multilingual": {"de": "Nachts gemacht."},
        "assets": [{"type": "icon", "uri": "ccdefault:", "name": "main", "ext": "png"}]
    });
    extend(&mut card["data"], more);
    card
}

/// Puts the fields of one table into another.
pub(crate) fn extend(into: &mut Value, more: Value) {
    let Value::Object(more) = more else { panic!("a table") };
    into.as_object_mut().unwrap().extend(more);
}

/// A card of V1 with one more field or another value of one.
pub(crate) fn with(field: &str, value: Value) -> Value {
    let mut card = v1();
    card[field] = value;
    card
}

/// A card of V2 with another value in its data.
pub(crate) fn v2_with(field: &str, value: Value) -> Value {
    let mut card = v2();
    card["data"][field] = value;
    card
}

pub(crate) fn coded(value: &Value) -> Vec<u8> {
    STANDARD.encode(value.to_string()).into_bytes()
}

/// A text chunk: a keyword and what stands behind it.
pub(crate) fn text(keyword: &str, value: &[u8]) -> Chunk {
    ("tEXt", [keyword.as_bytes(), b"\0", value].concat())
}

pub(crate) fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::best());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

pub(crate) fn chunk(out: &mut Vec<u8>, kind: &str, data: &[u8]) {
    out.extend_from_slice(&u32::try_from(data.len()).unwrap().to_be_bytes());
    let body = [kind.as_bytes(), data].concat();
    out.extend_from_slice(&body);
    out.extend_from_slice(&crc32fast::hash(&body).to_be_bytes());
}

/// A picture of 2 × 2 pixels with chunks before its pixels and behind them.
pub(crate) fn png(before: &[Chunk], behind: &[Chunk]) -> Vec<u8> {
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut out, "IHDR", &[0, 0, 0, 2, 0, 0, 0, 2, 8, 2, 0, 0, 0]);
    before.iter().for_each(|(kind, data)| chunk(&mut out, kind, data));
    let row = [0, 200, 40, 60, 20, 40, 200];
    chunk(&mut out, "IDAT", &zlib(&[row, row].concat()));
    behind.iter().for_each(|(kind, data)| chunk(&mut out, kind, data));
    chunk(&mut out, "IEND", &[]);
    out
}

/// A PNG whose only extra is a card in `chara`.
pub(crate) fn carried(card: &Value) -> Vec<u8> {
    png(&[text("chara", &coded(card))], &[])
}

/// A file of an archive, and how it is written down.
#[derive(Clone)]
pub(crate) struct Packed {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) attributes: u32,
    /// What the list says of its size, if that is a lie.
    pub(crate) said: Option<u32>,
}

impl Packed {
    pub(crate) fn new(name: &str, bytes: &[u8]) -> Self {
        Self { name: name.to_owned(), bytes: bytes.to_vec(), flags: 0, method: 8, attributes: 0, said: None }
    }
}

/// A ZIP archive behind whatever stands in front.
pub(crate) fn zip(front: &[u8], files: &[Packed]) -> Vec<u8> {
    let (mut out, mut list) = (front.to_vec(), Vec::new());
    for file in files {
        let start = u32::try_from(out.len() - front.len()).unwrap();
        let packed = if file.method == 0 {
            file.bytes.clone()
        } else {
            let mut packer = DeflateEncoder::new(Vec::new(), Compression::best());
            packer.write_all(&file.bytes).unwrap();
            packer.finish().unwrap()
        };
        let mut head = Vec::new();
        for short in [20_u16, file.flags, file.method, 0, 0x21] {
            head.extend_from_slice(&short.to_le_bytes());
        }
        let size = file.said.unwrap_or(u32::try_from(file.bytes.len()).unwrap());
        for long in [crc32fast::hash(&file.bytes), u32::try_from(packed.len()).unwrap(), size] {
            head.extend_from_slice(&long.to_le_bytes());
        }
        head.extend_from_slice(&u16::try_from(file.name.len()).unwrap().to_le_bytes());
        head.extend_from_slice(&[0, 0]);
        list.extend_from_slice(b"PK\x01\x02\x14\x03");
        list.extend_from_slice(&head);
        list.extend_from_slice(&[0; 6]);
        list.extend_from_slice(&file.attributes.to_le_bytes());
        list.extend_from_slice(&start.to_le_bytes());
        list.extend_from_slice(file.name.as_bytes());
        out.extend_from_slice(b"PK\x03\x04");
        out.extend_from_slice(&head);
        out.extend_from_slice(file.name.as_bytes());
        out.extend_from_slice(&packed);
    }
    let (start, count) = (out.len() - front.len(), u16::try_from(files.len()).unwrap());
    out.extend_from_slice(&list);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&[count.to_le_bytes(), count.to_le_bytes()].concat());
    out.extend_from_slice(&u32::try_from(list.len()).unwrap().to_le_bytes());
    out.extend_from_slice(&u32::try_from(start).unwrap().to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out
}

/// The files of a CHARX: an unknown one, a face, another picture, and the card at the end.
pub(crate) fn charx_files(start: &str) -> Vec<Packed> {
    let mut card = v3();
    card["data"]["assets"] = json!([
        {"type": "emotion", "uri": format!("{start}assets/emotion/images/joy.png"), "name": "joy", "ext": "png"},
        {"type": "icon", "uri": format!("{start}assets/icon/images/other.png"), "name": "other", "ext": "png"},
        {"type": "icon", "uri": format!("{start}assets/icon/images/main.png"), "name": "main", "ext": "png"},
        {"type": "background", "uri": "https://example.org/b.png", "name": "main", "ext": "png"}
    ]);
    vec![
        Packed::new("module.risum", b"\x6f\0\0\0"),
        Packed::new("x_meta/main.json", b"{}"),
        Packed::new("assets/icon/images/main.png", &png(&[], &[])),
        Packed::new("assets/icon/images/other.png", b"other"),
        Packed::new("assets/emotion/images/joy.png", b"joy"),
        Packed::new("card.json", card.to_string().as_bytes()),
    ]
}

/// A JPEG that has segments and no picture.
pub(crate) fn jpeg(segments: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = vec![0xff, 0xd8];
    for (kind, data) in segments {
        out.extend_from_slice(&[0xff, *kind]);
        out.extend_from_slice(&u16::try_from(data.len() + 2).unwrap().to_be_bytes());
        out.extend_from_slice(data);
    }
    out.extend_from_slice(&[0xff, 0xd9]);
    out
}

/// A WebP that has chunks and no picture.
pub(crate) fn webp(chunks: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    for (kind, data) in chunks {
        body.extend_from_slice(kind.as_bytes());
        body.extend_from_slice(&u32::try_from(data.len()).unwrap().to_le_bytes());
        body.extend_from_slice(data);
        if data.len() % 2 == 1 {
            body.push(0);
        }
    }
    [b"RIFF", u32::try_from(body.len()).unwrap().to_le_bytes().as_slice(), &body].concat()
}
