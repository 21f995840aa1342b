//! What holds for every file and every card: nothing panics, and what was read is the same after it was written and read again.

use crate::cards::{
    fixture::{Packed, carried, charx_files, jpeg, png, v1, v2, v3, webp, zip},
    read::{read, reread, shape},
    write,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Values of any kind, as other programs might leave them anywhere.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!("a, b,,c")),
        Just(json!("@@depth 4\n@@@role user\nlore")),
        Just(json!("embeded://assets/icon/main.png")),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(name(), inner, 0..6).prop_map(|m| Value::Object(Map::from_iter(m))),
        ]
    })
}

/// Names of fields, known ones and others.
fn name() -> impl Strategy<Value = String> {
    let known = [
        "name",
        "description",
        "personality",
        "scenario",
        "first_mes",
        "mes_example",
        "creator_notes",
        "system_prompt",
        "post_history_instructions",
        "alternate_greetings",
        "group_only_greetings",
        "tags",
        "creator",
        "source",
        "character_version",
        "extensions",
        "character_book",
        "nickname",
        "creation_date",
        "modification_date",
        "assets",
        "creator_notes_multilingual",
        "entries",
        "keys",
        "key",
        "content",
        "position",
        "id",
        "uid",
        "enabled",
        "disable",
        "insertion_order",
        "order",
        "secondary_keys",
        "use_regex",
        "type",
        "uri",
        "ext",
        "data",
        "spec",
        "spec_version",
        "char_name",
        "char_persona",
        "context",
        "greeting",
        "creatorcomment",
        "mes",
        "chat_metadata",
    ];
    prop_oneof![4 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => "[a-z_]{1,8}"]
}

fn table() -> impl Strategy<Value = Map<String, Value>> {
    proptest::collection::btree_map(name(), anything(), 0..14).prop_map(Map::from_iter)
}

/// The law of writing: what was read is read again, from V3 with every field, from V2 but for the decorators.
fn holds(value: Value) -> Result<(), TestCaseError> {
    let Ok(first) = shape(value) else { return Ok(()) };
    let written = write::v3(&first);
    let again = shape(written.clone()).map_err(|why| TestCaseError::fail(why.to_string()))?;
    prop_assert_eq!(&again.data, &first.data);
    prop_assert_eq!(&again.root, &first.root);
    prop_assert!(again.embedded.is_empty());
    prop_assert_eq!(write::readable(&write::v3(&again)), write::readable(&written));
    let old = write::v2(&first);
    let old_again = shape(old.clone()).map_err(|why| TestCaseError::fail(why.to_string()))?;
    prop_assert_eq!(write::v2(&old_again), old);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn wrapped_cards_come_back(root in table(), data in table(), is_v3 in any::<bool>()) {
        let mut card = Value::Object(root);
        card["spec"] = json!(if is_v3 { "chara_card_v3" } else { "chara_card_v2" });
        card["data"] = Value::Object(data);
        holds(card)?;
    }

    #[test]
    fn flat_cards_come_back(root in table(), name in ".{0,12}") {
        let mut card = Value::Object(root);
        card["name"] = json!(name);
        card["description"] = json!("somebody");
        holds(card)?;
    }

    #[test]
    fn any_json_is_read_or_refused(value in anything()) {
        let _ = read(value.to_string().as_bytes());
        holds(value)?;
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        let _ = read(text.as_bytes());
        let _ = reread(&text);
    }

    #[test]
    fn any_yaml_like_text_is_read_or_refused(text in "(name|greeting|context|[-:&*\\[\\]{}>|'\"# \n]|[a-z]){0,60}") {
        let _ = read(text.as_bytes());
    }

    #[test]
    fn any_bytes_are_read_or_refused(start in 0_usize..6, bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let heads: [&[u8]; 6] = [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"RIFF\0\0\0\0WEBP", b"PK\x03\x04", b"{"];
        let _ = read(&[heads[start], &bytes].concat());
    }
}

/// Files of every carrier, to be damaged.
fn seeds() -> Vec<Vec<u8>> {
    let card = v1().to_string();
    vec![
        carried(&v2()),
        png(&[("zTXt", b"chara\0\0x".to_vec())], &[]),
        zip(b"", &charx_files("embeded://")),
        zip(&jpeg(&[]), &[Packed::new("card.json", card.as_bytes())]),
        jpeg(&[(0xe1, card.as_bytes())]),
        webp(&[("EXIF", card.as_bytes())]),
        v3().to_string().into_bytes(),
        b"name: Ada\ncontext: |\n  a\n  b\ngreeting: [x, {y: z}]\n".to_vec(),
    ]
}

/// What the fuzz targets do, for a while: bytes of good files are changed, cut out, doubled, and nothing panics.
#[test]
fn damaged_files_are_read_or_refused() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below.max(1)).unwrap()).unwrap()
    };
    let mut taken = 0;
    for seed in seeds() {
        for _ in 0..1_500 {
            let mut file = seed.clone();
            for _ in 0..=next(4) {
                let at = next(file.len());
                match next(4) {
                    0 => file[at] = u8::try_from(next(256)).unwrap(),
                    1 => file[at] ^= 1 << next(8),
                    2 => drop(file.drain(at..(at + next(40)).min(file.len()))),
                    _ => {
                        let piece = file[at..(at + next(40)).min(file.len())].to_vec();
                        let to = next(file.len());
                        file.splice(to..to, piece);
                    }
                }
                if file.is_empty() {
                    file.push(0);
                }
            }
            if let Ok(card) = read(&file) {
                taken += 1;
                reread(&card.original).unwrap_or_else(|why| panic!("what was read is read again: {why}"));
            }
        }
    }
    assert!(taken > 500, "most damage is none to the card: {taken}");
}

#[test]
fn our_own_files_come_back_byte_for_byte() {
    let picture = png(&[], &[]);
    for card in [v1(), v2(), v3()] {
        let first = shape(card).unwrap();
        let json = write::readable(&write::v3(&first));
        let in_png = write::png(&picture, &first).unwrap();
        let in_zip = write::charx(&picture, &first).unwrap();
        for file in [json.clone().into_bytes(), in_png.clone(), in_zip.clone()] {
            let again = read(&file).unwrap();
            // A CHARX says where the picture is; the others have it around them.
            let faced = |s: &crate::cards::read::Shape| write::charx(&picture, s).unwrap();
            assert_eq!(faced(&again.shape), in_zip);
            assert_eq!(again.shape.text("name"), first.text("name"));
        }
        assert_eq!(write::png(&picture, &read(&in_png).unwrap().shape).unwrap(), in_png);
        assert_eq!(write::readable(&write::v3(&read(json.as_bytes()).unwrap().shape)), json);
        assert_eq!(read(&in_zip).unwrap().picture, Some(picture.clone()));
        let old = read(&write::v2(&first).to_string().into_bytes()).unwrap();
        assert_eq!(old.shape.data, first.data, "nothing in these is decorated");
    }
}

#[test]
fn decorators_are_for_v3_only() {
    let mut card = v3();
    card["data"]["character_book"]["entries"][0]["content"] = json!("@@depth 4\n@@@role user\nRain.");
    let shape = shape(card).unwrap();
    assert_eq!(write::v2(&shape)["data"]["character_book"]["entries"][0]["content"], "Rain.");
    assert!(write::v3(&shape)["data"]["character_book"]["entries"][0]["content"].as_str().unwrap().starts_with("@@"));
}
