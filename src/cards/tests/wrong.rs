//! Files that are refused, each with a sentence that says why.

use crate::cards::{
    LORE_MAX, TEXT_MAX,
    fixture::{Packed, carried, charx_files, coded, jpeg, png, text, v1, v2, v2_with, webp, zip, zlib},
    read::read,
};
use serde_json::json;

fn one(packed: Packed) -> Vec<u8> {
    zip(b"", &[packed, Packed::new("card.json", v2().to_string().as_bytes())])
}

#[test]
fn files_that_are_no_cards() {
    let encrypted = text("chara", b"rcc||rccv1||AAAA||BBBB||CCCC");
    let bomb = ("zTXt", [b"chara\0\0".as_slice(), &zlib(&vec![b'A'; TEXT_MAX * 2])].concat());
    let long = text("chara", &vec![b'A'; TEXT_MAX * 2]);
    let lore: Vec<_> = (0..=LORE_MAX).map(|_| json!({"keys": [], "content": ""})).collect();
    let deep = format!("{{\"name\":\"a\",\"description\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    for (name, file, why) in [
        ("nothing", Vec::new(), "empty"),
        ("blanks", b" \r\n\t ".to_vec(), "empty"),
        ("a picture without a card", png(&[], &[]), "no character card"),
        ("a picture that is cut off", png(&[], &[])[..30].to_vec(), "cut off"),
        ("only the signature", b"\x89PNG\r\n\x1a\n".to_vec(), "cut off"),
        ("a length that lies", [b"\x89PNG\r\n\x1a\n".as_slice(), b"\xff\xff\xff\xfftEXtchara\0"].concat(), "cut off"),
        ("encrypted", png(&[encrypted], &[]), "encrypted by RisuAI"),
        ("packed a thousand times", png(&[bomb], &[]), "larger than is allowed"),
        ("8 MB of text", png(&[long], &[]), "4 MB"),
        ("base64 of nothing", png(&[text("chara", b"")], &[]), "no base64"),
        ("base64 of noise", png(&[text("chara", b"/////w==")], &[]), "no proper JSON"),
        ("iTXt without its parts", png(&[("iTXt", b"chara\0\x01".to_vec())], &[]), "broken"),
        ("zTXt that is not packed", png(&[("zTXt", b"chara\0\0abc".to_vec())], &[]), "cannot be unpacked"),
        (
            "other JSON in a card's chunk",
            png(&[text("chara", &coded(&json!({"a": 1})))], &[]),
            "none of a card's fields",
        ),
        ("a JPEG without a card", jpeg(&[(0xe0, b"JFIF\0")]), "no character card"),
        ("a JPEG that ends in a segment", b"\xff\xd8\xff\xe1\xff\xff{".to_vec(), "no character card"),
        ("a WebP without a card", webp(&[("VP8L", b"abc"), ("EXIF", b"{\"name\":1}")]), "no character card"),
        ("a WebP that lies", b"RIFF\xff\xff\xff\xffWEBPEXIF\xff\xff\xff\xff{".to_vec(), "no character card"),
        ("binary", vec![0xfe, 0x01, 0x80, 0xff], "neither a picture"),
        ("prose", b"Once upon a time there was a lamp.".to_vec(), "neither JSON nor YAML"),
        ("cut JSON", br#"{"name":"Mira","descr"#.to_vec(), "no proper JSON"),
        ("a list", b"[1,2,3]".to_vec(), "none of a card's fields"),
        ("a table of something else", br#"{"hello":"world"}"#.to_vec(), "none of a card's fields"),
        ("deep JSON", deep.into_bytes(), "no proper JSON"),
        ("a lorebook of V3", br#"{"spec":"lorebook_v3","data":{"entries":[]}}"#.to_vec(), "a lorebook"),
        ("a world file", br#"{"entries":{"0":{"key":["a"],"content":"b"}}}"#.to_vec(), "a lorebook"),
        ("a chat", br#"{"chat_metadata":{},"user_name":"a"}"#.to_vec(), "a chat"),
        (
            "too much lore",
            v2_with("character_book", json!({"entries": lore})).to_string().into_bytes(),
            "the limit is 5000",
        ),
        ("YAML with references", b"name: &a x\ngreeting: *a\n".to_vec(), "references"),
        ("YAML that is deep", format!("name: {}", "[".repeat(200)).into_bytes(), "nested too deeply"),
        ("YAML that is a list", b"- a\n- b\n".to_vec(), "neither JSON nor YAML"),
        ("YAML of something else", b"version: 3\nservices: {}\n".to_vec(), "none of a card's fields"),
    ] {
        let refused = read(&file).expect_err(name).to_string();
        assert!(refused.contains(why), "{name}: {refused}");
    }
}

#[test]
fn archives_that_are_not_read() {
    let good = zip(b"", &charx_files("embeded://"));
    let many: Vec<Packed> = (0..600).map(|n| Packed::new(&format!("{n}"), b"")).collect();
    let half = good[..good.len() / 2].to_vec();
    let damaged = {
        let mut file = one(Packed::new("a", b"x"));
        let at = file.windows(9).position(|w| w == b"card.json").unwrap() + 20;
        file[at] ^= 0x55;
        file
    };
    for (name, file, why) in [
        ("no card", zip(b"", &[Packed::new("a.txt", b"x")]), "no card.json"),
        ("a card in a folder", zip(b"", &[Packed::new("x/card.json", b"{}")]), "no card.json"),
        ("Voxta", zip(b"", &[Packed::new("Characters/1/character.json", b"{}")]), "Voxta"),
        ("no archive", b"PK\x03\x04 and nothing".to_vec(), "broken"),
        ("cut off", half, "broken"),
        ("damaged", damaged, "unpack"),
        ("out of its folder", one(Packed::new("../../etc/passwd", b"x")), "leads out"),
        ("from the root", one(Packed::new("/etc/passwd", b"x")), "leads out"),
        ("a drive", one(Packed::new("C:/x", b"x")), "leads out"),
        ("a backslash", one(Packed::new("..\\x", b"x")), "leads out"),
        ("a name with a zero", one(Packed::new("a\0b", b"x")), "leads out"),
        ("no name", one(Packed::new("", b"x")), "leads out"),
        ("a link", one(Packed { attributes: 0o120_777 << 16, ..Packed::new("l", b"/etc/passwd") }), "links"),
        ("encrypted", one(Packed { flags: 1, ..Packed::new("a", b"x") }), "encrypted"),
        ("twice", one(Packed::new("card.json", b"{}")), "same name"),
        ("twice, in capitals", one(Packed::new("CARD.json", b"{}")), "same name"),
        ("too many files", zip(b"", &many), "too many files"),
        ("a bomb", one(Packed::new("b", &vec![0; 9_000_000])), "tricks"),
        (
            "a size that lies upwards",
            zip(b"", &[Packed { said: Some(900), ..Packed::new("card.json", b"{}") }]),
            "broken",
        ),
        (
            "a size that lies downwards",
            zip(b"", &[Packed { said: Some(3), ..Packed::new("card.json", b"{   }") }]),
            "larger",
        ),
        ("another way to pack", one(Packed { method: 12, ..Packed::new("a", b"x") }), "deflate"),
        (
            "in parts",
            {
                let mut f = good.clone();
                let at = f.len() - 18;
                f[at] = 1;
                f
            },
            "in parts",
        ),
        ("stored with two sizes", one(Packed { method: 0, said: Some(9), ..Packed::new("a", b"x") }), "deflate"),
        ("a card that is no text", zip(b"", &[Packed::new("card.json", b"\xff\xfe")]), "no text"),
    ] {
        let refused = read(&file).expect_err(name).to_string();
        assert!(refused.contains(why), "{name}: {refused}");
    }
}

#[test]
fn a_file_that_is_too_large_is_not_looked_at() {
    let mut file = carried(&v1());
    file.resize(crate::cards::FILE_MAX + 1, 0);
    assert!(read(&file).unwrap_err().to_string().contains("32 MB"));
}
