//! Files that are read, and what is read out of them.

use crate::cards::{
    Carrier, Fate, Spec,
    fixture::{Packed, carried, charx_files, coded, jpeg, png, text, v1, v2, v2_with, v3, webp, with, zip, zlib},
    read::{Card, read},
};
use serde_json::{Value, json};

/// What one case must be: its name, its file, and what is asked of the card.
type Case = (&'static str, Vec<u8>, fn(&Card));

fn json_of(card: &Value) -> Vec<u8> {
    card.to_string().into_bytes()
}

fn is(card: &Card, name: &str, spec: Spec) {
    assert_eq!((card.shape.text("name"), card.shape.spec), (name, spec));
}

fn told(card: &Card, fate: Fate, part: &str) {
    let mut notes = card.notes.iter().chain(&card.shape.notes);
    assert!(
        notes.any(|n| n.fate == fate && n.part == part),
        "{fate:?} {part}: {:?} {:?}",
        card.notes,
        card.shape.notes
    );
}

fn run(cases: Vec<Case>) {
    for (name, file, ask) in cases {
        let card = read(&file).unwrap_or_else(|why| panic!("{name}: {why}"));
        ask(&card);
    }
}

#[test]
fn pngs() {
    let broken_sum = {
        let mut file = carried(&v1());
        let at = file.windows(5).position(|w| w == b"chara").unwrap();
        let length = coded(&v1()).len();
        file[at + 6 + length] ^= 0xff;
        file
    };
    let folded: Vec<u8> = coded(&v1()).chunks(40).flat_map(|line| [line, b"\r\n"].concat()).collect();
    let unpadded: Vec<u8> = coded(&with("name", json!("Mir"))).into_iter().filter(|b| *b != b'=').collect();
    let url_safe: Vec<u8> = coded(&with("name", json!("Ümlaut ÿÿÿ>>>???")))
        .into_iter()
        .map(|b| match b {
            b'+' => b'-',
            b'/' => b'_',
            b => b,
        })
        .collect();
    let packed = |kind, head: &[u8]| (kind, [b"chara\0".as_slice(), head, &zlib(&coded(&v1()))].concat());
    let cut = {
        let file = carried(&v1());
        let end = file.windows(4).position(|w| w == b"IDAT").unwrap() + 6;
        file[..end].to_vec()
    };
    run(vec![
        ("V1", carried(&v1()), |c| {
            is(c, "Mira", Spec::V1);
            assert_eq!(c.carrier, Carrier::Png);
            assert!(c.picture.is_some() && c.original.contains("Nobody yet"));
        }),
        ("V2", carried(&v2()), |c| is(c, "Mira", Spec::V2)),
        ("behind the pixels", png(&[], &[text("chara", &coded(&v2()))]), |c| is(c, "Mira", Spec::V2)),
        ("only ccv3", png(&[text("ccv3", &coded(&v3()))], &[]), |c| is(c, "Mira the Third", Spec::V3)),
        ("both, the old one first", png(&[text("chara", &coded(&v2())), text("ccv3", &coded(&v3()))], &[]), |c| {
            is(c, "Mira the Third", Spec::V3);
            told(c, Fate::Mapped, "chara");
        }),
        ("a broken ccv3 beside a good chara", png(&[text("ccv3", b"!!!!"), text("chara", &coded(&v2()))], &[]), |c| {
            is(c, "Mira", Spec::V2);
        }),
        ("two of one keyword", png(&[text("chara", b"AAAA"), text("chara", &coded(&v1()))], &[]), |c| {
            is(c, "Mira", Spec::V1);
        }),
        ("keyword in capitals", png(&[text("Chara", &coded(&v1()))], &[]), |c| is(c, "Mira", Spec::V1)),
        ("keyword in small letters CCV3", png(&[text("CCv3", &coded(&v3()))], &[]), |c| {
            is(c, "Mira the Third", Spec::V3)
        }),
        ("zTXt", png(&[packed("zTXt", &[0])], &[]), |c| is(c, "Mira", Spec::V1)),
        ("iTXt, packed", png(&[packed("iTXt", &[1, 0, b'e', b'n', 0, 0])], &[]), |c| is(c, "Mira", Spec::V1)),
        ("iTXt, plain", png(&[("iTXt", [b"chara\0\0\0\0\0".as_slice(), &coded(&v1())].concat())], &[]), |c| {
            is(c, "Mira", Spec::V1);
        }),
        ("base64 in lines", png(&[text("chara", &folded)], &[]), |c| is(c, "Mira", Spec::V1)),
        ("base64 without padding", png(&[text("chara", &unpadded)], &[]), |c| is(c, "Mir", Spec::V1)),
        ("base64 for addresses", png(&[text("chara", &url_safe)], &[]), |c| is(c, "Ümlaut ÿÿÿ>>>???", Spec::V1)),
        ("no base64 at all", png(&[text("chara", v1().to_string().as_bytes())], &[]), |c| is(c, "Mira", Spec::V1)),
        ("a wrong sum", broken_sum, |c| {
            is(c, "Mira", Spec::V1);
            told(c, Fate::Mapped, "chara");
        }),
        ("cut off behind the card", cut, |c| is(c, "Mira", Spec::V1)),
        ("an animation", png(&[("acTL", vec![0, 0, 0, 1, 0, 0, 0, 0]), text("chara", &coded(&v1()))], &[]), |c| {
            is(c, "Mira", Spec::V1)
        }),
        (
            "RisuAI's own chunk and files",
            png(
                &[text("chara", &coded(&v1())), text("risuai", &[7; 3000]), text("chara-ext-asset_:0", b"AAAA")],
                &[text("chara-ext-asset_1", b"AAAA")],
            ),
            |c| {
                is(c, "Mira", Spec::V1);
                told(c, Fate::Refused, "assets");
            },
        ),
    ]);
}

#[test]
fn other_carriers() {
    let card = v1().to_string();
    let exif = [b"Exif\0\0MM\0*{not json} ASCII\0\0\0".as_slice(), card.as_bytes(), b"\0\0tail}"].concat();
    let numbers = card.bytes().map(|b| b.to_string()).collect::<Vec<_>>().join(",");
    run(vec![
        ("WebP, JSON", webp(&[("VP8L", b"abc"), ("EXIF", &exif)]), |c| {
            is(c, "Mira", Spec::V1);
            assert_eq!(c.carrier, Carrier::Webp);
            assert!(c.original.ends_with('}'));
        }),
        ("WebP, numbers of bytes", webp(&[("EXIF", numbers.as_bytes())]), |c| is(c, "Mira", Spec::V1)),
        ("WebP, base64", webp(&[("EXIF", &coded(&v2()))]), |c| is(c, "Mira", Spec::V2)),
        ("JPEG, comment", jpeg(&[(0xe0, b"JFIF\0"), (0xfe, card.as_bytes())]), |c| {
            is(c, "Mira", Spec::V1);
            assert_eq!(c.carrier, Carrier::Jpeg);
        }),
        ("JPEG, EXIF", jpeg(&[(0xe1, &exif)]), |c| is(c, "Mira", Spec::V1)),
        ("CHARX, the card last", zip(b"", &charx_files("embeded://")), |c| {
            is(c, "Mira the Third", Spec::V3);
            assert_eq!(c.carrier, Carrier::Charx);
            assert_eq!(c.picture, Some(png(&[], &[])));
            told(c, Fate::Refused, "assets");
            told(c, Fate::Refused, "module.risum");
            let assets = &c.shape.data["assets"];
            assert_eq!(assets[0]["uri"], "ccdefault:");
            assert_eq!(assets.as_array().unwrap().len(), 2, "a face and an address: {assets}");
        }),
        ("CHARX, embedded://", zip(b"", &charx_files("embedded://")), |c| assert!(c.picture.is_some())),
        ("CHARX, __asset:", zip(b"", &charx_files("__asset:")), |c| assert!(c.picture.is_some())),
        ("CHARX behind a JPEG", zip(&jpeg(&[(0xe0, b"JFIF\0")]), &charx_files("embeded://")), |c| {
            is(c, "Mira the Third", Spec::V3);
            assert_eq!(c.carrier, Carrier::Charx);
        }),
        ("CHARX with V2 in it, stored", zip(b"", &[Packed { method: 0, ..Packed::new("card.json", &json_of(&v2())) }]), |c| {
            is(c, "Mira", Spec::V2);
            assert_eq!(c.picture, None);
        }),
        ("CHARX whose face is missing", zip(b"", &charx_files("embeded://nowhere/")[5..]), |c| {
            assert_eq!(c.picture, None);
        }),
        (
            "YAML",
            b"name: Chiharu Yamada\ncontext: |-\n  A young engineer.\n  She likes lamps.\ngreeting: 'Hi: there'\nyour_name: null\n".to_vec(),
            |c| {
                is(c, "Chiharu Yamada", Spec::WebUi);
                assert_eq!(c.carrier, Carrier::Yaml);
                assert_eq!(c.shape.text("description"), "A young engineer.\nShe likes lamps.");
                assert_eq!(c.shape.text("first_mes"), "Hi: there");
            },
        ),
        ("YAML with marks of a document", b"---\nname: \"Ada\"\ngreeting: >\n  Hello\n  you\n...\n".to_vec(), |c| {
            assert_eq!(c.shape.text("first_mes"), "Hello you\n");
        }),
    ]);
}

#[test]
fn texts() {
    let bom = [b"\xef\xbb\xbf".as_slice(), v1().to_string().as_bytes()].concat();
    let crlf = serde_json::to_string_pretty(&v1()).unwrap().replace('\n', "\r\n").into_bytes();
    let mirror = {
        let mut card = v2();
        card["name"] = json!("Somebody else");
        card["fav"] = json!(true);
        card
    };
    run(vec![
        ("JSON V1", json_of(&v1()), |c| {
            is(c, "Mira", Spec::V1);
            assert_eq!((c.carrier, &c.picture), (Carrier::Json, &None));
        }),
        ("a mark of byte order", bom, |c| is(c, "Mira", Spec::V1)),
        ("CRLF", crlf, |c| is(c, "Mira", Spec::V1)),
        ("emoji and Hangul", json_of(&with("name", json!("수아 👩‍🚀"))), |c| is(c, "수아 👩‍🚀", Spec::V1)),
        ("half an emoji", br#"{"name":"Mi\ud83d","description":"x"}"#.to_vec(), |c| is(c, "Mi\u{fffd}", Spec::V1)),
        ("line breaks in strings", b"{\"name\":\"Mira\",\"description\":\"a\nb\"}".to_vec(), |c| {
            assert_eq!(c.shape.text("description"), "a\nb");
        }),
        ("the copy disagrees", json_of(&mirror), |c| {
            is(c, "Mira", Spec::V2);
            told(c, Fate::Refused, "name");
            assert_eq!(c.shape.root["fav"], true);
        }),
        ("a newer version", json_of(&{ let mut c = v3(); c["spec_version"] = json!("3.1"); c }), |c| {
            is(c, "Mira the Third", Spec::V3);
            told(c, Fate::Verbatim, "spec_version");
        }),
        ("a newer name", json_of(&{ let mut c = v3(); c["spec"] = json!("chara_card_v4"); c }), |c| {
            is(c, "Mira the Third", Spec::V3);
            told(c, Fate::Verbatim, "spec_version");
        }),
        ("data without a spec", json_of(&{ let mut c = v2(); c.as_object_mut().unwrap().remove("spec"); c }), |c| {
            is(c, "Mira", Spec::V2);
        }),
        ("a spec and no data", json_of(&with("spec", json!("chara_card_v2"))), |c| is(c, "Mira", Spec::V1)),
        (
            "Pygmalion",
            br#"{"char_name":"Mira","char_persona":"Shy.","char_greeting":"Oh.","world_scenario":"","example_dialogue":"You: Hi"}"#.to_vec(),
            |c| {
                is(c, "Mira", Spec::Pygmalion);
                assert_eq!((c.shape.text("description"), c.shape.text("mes_example")), ("Shy.", "You: Hi"));
            },
        ),
        ("Pygmalion beside empty new fields", br#"{"name":"","char_name":"Mira","description":""}"#.to_vec(), |c| {
            is(c, "Mira", Spec::Pygmalion);
        }),
        ("old comments", json_of(&with("creatorcomment", json!("By me."))), |c| {
            assert_eq!(c.shape.text("creator_notes"), "By me.");
        }),
        ("V1 with what others add", json_of(&with("talkativeness", json!("0.5"))), |c| {
            assert_eq!(c.shape.root["talkativeness"], "0.5");
        }),
        ("an empty name", json_of(&with("name", json!(""))), |c| is(c, "", Spec::V1)),
        ("no name", br#"{"description":"x"}"#.to_vec(), |c| is(c, "", Spec::V1)),
    ]);
}

#[test]
fn fields() {
    let book = |entry: Value| v2_with("character_book", json!({"entries": [entry]}));
    run(vec![
        ("no book", json_of(&v2_with("character_book", Value::Null)), |c| {
            assert!(!c.shape.data.contains_key("character_book"));
        }),
        ("a book that is none", json_of(&v2_with("character_book", json!("x"))), |c| {
            told(c, Fate::Refused, "character_book")
        }),
        ("a book without extensions", json_of(&v2_with("character_book", json!({"entries": []}))), |c| {
            assert_eq!(c.shape.data["character_book"]["extensions"], json!({}));
        }),
        ("only entries", json_of(&v2_with("character_book", json!([{"keys": "a, b", "content": "c"}]))), |c| {
            assert_eq!(c.shape.data["character_book"]["entries"][0]["keys"], json!(["a", "b"]));
        }),
        (
            "a world file inside",
            json_of(&v2_with(
                "character_book",
                json!({"entries": {"10": {"uid": 10, "key": ["z"], "content": "ten"},
                "2": {"uid": 2, "key": ["y"], "keysecondary": ["q"], "order": 5, "disable": true, "position": 4, "content": "two"}}}),
            )),
            |c| {
                let entries = &c.shape.data["character_book"]["entries"];
                assert_eq!((&entries[0]["content"], &entries[0]["keys"]), (&json!("two"), &json!(["y"])));
                assert_eq!((&entries[0]["enabled"], &entries[0]["insertion_order"]), (&json!(false), &json!(5)));
                assert_eq!((&entries[0]["extensions"]["position"], entries[0].get("position")), (&json!(4), None));
            },
        ),
        ("position as a number", json_of(&book(json!({"keys": ["a"], "content": "c", "position": 1}))), |c| {
            assert_eq!(c.shape.data["character_book"]["entries"][0]["position"], "after_char");
        }),
        ("position as nothing", json_of(&book(json!({"keys": ["a"], "content": "c", "position": ""}))), |c| {
            assert_eq!(c.shape.data["character_book"]["entries"][0].get("position"), None);
        }),
        ("an id as text", json_of(&book(json!({"keys": ["a"], "content": "c", "id": "x-1"}))), |c| {
            assert_eq!(c.shape.data["character_book"]["entries"][0]["id"], "x-1");
        }),
        (
            "a key that would never end",
            json_of(&book(json!({"keys": ["(a+)+$"], "content": "c", "use_regex": true}))),
            |c| {
                assert_eq!(c.shape.data["character_book"]["entries"][0]["keys"], json!(["(a+)+$"]));
            },
        ),
        ("lore that calls itself", json_of(&book(json!({"keys": ["a"], "content": "a a a", "constant": true}))), |c| {
            assert_eq!(c.shape.data["character_book"]["entries"][0]["constant"], true);
        }),
        ("keys of lore that nobody knows", json_of(&v2()), |c| {
            assert_eq!(c.shape.data["character_book"]["entries"][0]["own_key"], json!({"x": 1}));
        }),
        ("one greeting", json_of(&v2_with("alternate_greetings", json!("Again."))), |c| {
            assert_eq!(c.shape.list("alternate_greetings").collect::<Vec<_>>(), ["Again."]);
        }),
        ("greetings that are none", json_of(&v2_with("alternate_greetings", json!(["a", 7, null, {}]))), |c| {
            assert_eq!(c.shape.list("alternate_greetings").collect::<Vec<_>>(), ["a", "7"]);
            told(c, Fate::Refused, "alternate_greetings");
        }),
        ("tags between commas", json_of(&v2_with("tags", json!("sea, lamp ,,night"))), |c| {
            assert_eq!(c.shape.list("tags").collect::<Vec<_>>(), ["sea", "lamp", "night"]);
        }),
        ("a version as a number", json_of(&v2_with("character_version", json!(1.5))), |c| {
            assert_eq!(c.shape.text("character_version"), "1.5");
        }),
        ("a description in pieces", json_of(&v2_with("description", json!(["a", "b"]))), |c| {
            assert_eq!(c.shape.text("description"), "a\nb");
        }),
        ("a description that is a table", json_of(&v2_with("description", json!({"a": 1}))), |c| {
            assert_eq!(c.shape.text("description"), "");
            told(c, Fate::Refused, "description");
        }),
        ("nothing for a text", json_of(&v2_with("scenario", Value::Null)), |c| {
            assert_eq!(c.shape.text("scenario"), "")
        }),
        ("no extensions", json_of(&v2_with("extensions", Value::Null)), |c| {
            assert_eq!(c.shape.data["extensions"], json!({}));
        }),
        ("extensions as a list", json_of(&v2_with("extensions", json!([1]))), |c| told(c, Fate::Refused, "extensions")),
        (
            "V3 without greetings for groups",
            json_of(&{
                let mut c = v3();
                c["data"].as_object_mut().unwrap().remove("group_only_greetings");
                c
            }),
            |c| {
                assert_eq!(c.shape.data["group_only_greetings"], json!([]));
            },
        ),
        (
            "milliseconds",
            json_of(&{
                let mut c = v3();
                c["data"]["creation_date"] = json!(1_719_942_734_577_i64);
                c
            }),
            |c| {
                assert_eq!(c.shape.data["creation_date"], 1_719_942_734);
            },
        ),
        (
            "no date",
            json_of(&{
                let mut c = v3();
                c["data"]["creation_date"] = json!("soon");
                c
            }),
            |c| {
                assert_eq!(c.shape.data.get("creation_date"), None);
            },
        ),
        (
            "an empty nickname",
            json_of(&{
                let mut c = v3();
                c["data"]["nickname"] = json!("");
                c
            }),
            |c| {
                assert_eq!(c.shape.text("nickname"), "");
            },
        ),
        (
            "assets that are none",
            json_of(&{
                let mut c = v3();
                c["data"]["assets"] = json!("x");
                c
            }),
            |c| told(c, Fate::Refused, "assets"),
        ),
    ]);
}
