//! Characters in and out as files, over HTTP.

use super::{
    Answer, Client, TestApp,
    avatars::png as square,
    ocs::{made, mira, patch, with},
};
use crate::cards::{
    fixture::{chunk, coded, v2, v2_with, v3},
    read,
};
use axum::{body::Body, http::Request};
use serde_json::{Value, json};

/// A picture of a size that makes a portrait, with a card in it.
fn pictured(card: &Value) -> Vec<u8> {
    let mut file = square(120);
    let mut text = Vec::new();
    chunk(&mut text, "tEXt", &[b"chara\0".as_slice(), &coded(card)].concat());
    let end = file.len() - 12;
    file.splice(end..end, text);
    file
}

/// Sends files as a browser or a program does.
async fn send(client: &Client, path: &str, accept: &str, files: &[(&str, &[u8])]) -> Answer {
    let mut body = Vec::new();
    for (name, bytes) in files {
        let (field, name) = if name.is_empty() { ("text", "") } else { ("file", *name) };
        let name = if name.is_empty() { String::new() } else { format!("; filename=\"{name}\"") };
        body.extend(format!("--b\r\ncontent-disposition: form-data; name=\"{field}\"{name}\r\n\r\n").bytes());
        body.extend_from_slice(bytes);
        body.extend(b"\r\n");
    }
    body.extend(b"--b--\r\n");
    let request = Request::post(path)
        .header("content-type", "multipart/form-data; boundary=b")
        .header("accept", accept)
        .header("sec-fetch-site", "same-origin");
    client.send(request.body(Body::from(body)).unwrap()).await
}

async fn import(client: &Client, files: &[(&str, &[u8])]) -> Value {
    let answer = send(client, "/api/ocs/import", "application/json", files).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()["items"].clone()
}

/// A file of a character, as bytes.
async fn export(client: &Client, id: &Value, format: &str) -> Vec<u8> {
    let path = format!("/api/ocs/{}/export?format={format}", id.as_str().unwrap());
    let request = Request::get(&path).header("accept", "application/json").body(Body::empty()).unwrap();
    let response = client.send_raw(request).await;
    assert_eq!(response.status(), 200, "{path}");
    let name = response.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert!(name.starts_with("attachment; filename=\"") && name.is_ascii(), "{name}");
    axum::body::to_bytes(response.into_body(), 64 << 20).await.unwrap().to_vec()
}

fn note<'a>(item: &'a Value, part: &str) -> Option<&'a Value> {
    item["report"]["lines"].as_array().unwrap().iter().find(|line| line["part"] == part)
}

#[tokio::test]
async fn files_become_characters_and_a_bad_one_stops_nobody() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let card = v2();
    let (picture, text) = (pictured(&card), v3().to_string());
    let files: [(&str, &[u8]); 4] = [
        ("mira.png", &picture),
        ("notes.txt", b"Once upon a time."),
        ("third.json", text.as_bytes()),
        ("", text.as_bytes()),
    ];
    let items = import(&ada, &files).await;
    assert_eq!(items.as_array().unwrap().len(), 4);
    let (mira, bad, third, again) = (&items[0], &items[1], &items[2], &items[3]);
    assert_eq!((mira["file"].as_str(), mira["name"].as_str()), (Some("mira.png"), Some("Mira")));
    assert!(bad["error"].as_str().unwrap().contains("neither JSON nor YAML") && bad["id"].is_null(), "{bad}");
    assert_eq!(mira["report"]["carrier"], "png");
    for (part, fate) in [
        ("description", "kept"),
        ("mes_example", "mapped"),
        ("character_book", "verbatim"),
        ("extensions.other/program", "verbatim"),
        ("picture", "kept"),
    ] {
        assert_eq!(note(mira, part).unwrap_or_else(|| panic!("{part}: {mira}"))["fate"], fate, "{part}");
    }
    assert_eq!(note(again, "name").unwrap()["fate"], "mapped", "the same name twice: {again}");
    assert_ne!(again["name"], third["name"]);

    let oc = ada.get_json(&format!("/api/ocs/{}", mira["id"].as_str().unwrap())).await.json();
    for (field, said) in [
        ("description", json!("{{char}} keeps the lamp.")),
        ("greeting", json!("*She looks up.* Oh.")),
        ("alternate_greetings", json!(["You again.", "Close the door."])),
        ("tags", json!(["sea", "lamp"])),
        ("example_dialogue", json!([{"user": "Who are you?", "oc": "Nobody yet."}])),
        ("system_prompt", json!("{{original}} Be brief.")),
        ("creator_notes", json!("Made at night.")),
        ("post_history_instructions", json!("Stay in the tower.")),
        ("is_public", json!(false)),
        ("has_avatar", json!(true)),
        ("version", json!(1)),
    ] {
        assert_eq!(oc[field], said, "{field}");
    }
    // The picture is of one colour, so that is what the page is drawn in.
    assert_eq!(oc["visual_style"]["primaryColor"], "#5a1ec8");
    let portrait = ada.get(&format!("/portraits/{}", mira["id"].as_str().unwrap())).await;
    assert_eq!(portrait.header("content-type"), "image/jpeg");
    assert_eq!(ada.get(&format!("/c/{}", mira["slug"].as_str().unwrap())).await.status, 200);
}

#[tokio::test]
async fn our_own_exports_come_back_byte_for_byte() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let items = import(&ada, &[("a.png", &pictured(&v2())), ("b.json", v3().to_string().as_bytes())]).await;
    let own = made(&ada, &mira_with_examples()).await;
    for id in [&items[0]["id"], &items[1]["id"], &own["id"]] {
        for format in ["png", "json", "json-v2", "charx"] {
            let first = export(&ada, id, format).await;
            let back = import(&ada, &[("again.bin", &first)]).await;
            assert!(back[0]["error"].is_null(), "{format}: {back}");
            let second = export(&ada, &back[0]["id"], format).await;
            let (first, second) = (read::read(&first).unwrap(), read::read(&second).unwrap());
            assert_eq!(first.original, second.original, "{format}");
            // What was made of it is the same character.
            let fields =
                ["description", "personality", "greeting", "example_dialogue", "tags", "title", "visual_style"];
            let mut both = Vec::new();
            for id in [id, &back[0]["id"]] {
                let oc = ada.get_json(&format!("/api/ocs/{}", id.as_str().unwrap())).await.json();
                both.push(fields.map(|f| oc[f].clone()));
            }
            assert_eq!(both[0], both[1], "{format}");
        }
    }
    // The things that it carries came along.
    let json = String::from_utf8(export(&ada, &own["id"], "json").await).unwrap();
    let back = import(&ada, &[("own.json", json.as_bytes())]).await;
    let oc = ada.get_json(&format!("/api/ocs/{}", back[0]["id"].as_str().unwrap())).await.json();
    assert_eq!(oc["items"][0]["name"], "The Tuesday gale");
}

fn mira_with_examples() -> Value {
    with(
        mira(),
        "example_dialogue",
        json!([{"user": "", "oc": "Mind the step."}, {"user": "A: b", "oc": "One.\nTwo."}]),
    )
}

#[tokio::test]
async fn what_was_changed_here_is_written_and_the_rest_stays_as_it_was() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let long = "word ".repeat(9000);
    let card = v2_with("scenario", json!(format!("  {long}  ")));
    let oc = import(&ada, &[("a.json", card.to_string().as_bytes())]).await[0].clone();
    assert!(note(&oc, "scenario").unwrap()["words"].as_str().unwrap().contains("32000"), "{oc}");
    let changed = patch(&ada, &oc, json!({"greeting": "Come in.", "name": "Mira of Harrow"})).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let written: Value = serde_json::from_slice(&export(&ada, &oc["id"], "json").await).unwrap();
    let data = &written["data"];
    assert_eq!((&data["first_mes"], &data["name"]), (&json!("Come in."), &json!("Mira of Harrow")));
    for field in ["description", "scenario", "mes_example", "creator_notes", "character_version", "tags"] {
        assert_eq!(data[field], card["data"][field], "{field}");
    }
    assert_eq!(data["extensions"]["other/program"], card["data"]["extensions"]["other/program"]);
    assert_eq!(data["character_book"]["entries"][0]["own_key"], json!({"x": 1}));
}

#[tokio::test]
async fn others_get_what_they_may_see() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let (ben, _) = app.person("ben").await;
    let oc = import(&ada, &[("a.png", &pictured(&v2()))]).await[0].clone();
    let path = format!("/api/ocs/{}/export?format=json", oc["id"].as_str().unwrap());
    for stranger in [&ben, &app.client()] {
        assert_eq!(stranger.get_json(&path).await.status, 404);
    }
    assert_eq!(patch(&ada, &oc, json!({"is_public": true})).await.status, 200);
    let seen = ben.get_json(&path).await;
    assert_eq!(seen.status, 200, "{}", seen.text);
    assert!(seen.text.contains("keeps the lamp") && seen.text.contains("Made at night"), "{}", seen.text);
    for private in ["Be brief", "Storms come from", "other/program", "Stay in the tower"] {
        assert!(!seen.text.contains(private), "{private}: {}", seen.text);
    }
    assert!(ada.get_json(&path).await.text.contains("Storms come from"));
    assert_eq!(ada.get_json(&path.replace("=json", "=docx")).await.status, 422);
    assert_eq!(send(&app.client(), "/api/ocs/import", "*/*", &[("a.json", b"{}")]).await.status, 401);
}

#[tokio::test]
async fn nothing_but_bad_files_is_an_error_with_all_reasons() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let young = v2_with("description", json!("A horny schoolgirl.")).to_string();
    let large = vec![b'{'; crate::cards::FILE_MAX + 10];
    let files: [(&str, &[u8]); 3] = [("x.png", &square(40)), ("y.json", young.as_bytes()), ("z.json", &large)];
    let answer = send(&ada, "/api/ocs/import", "application/json", &files).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    let said = answer.json();
    assert_eq!(said["error"]["field"], "file");
    let errors: Vec<&str> = said["items"].as_array().unwrap().iter().map(|i| i["error"].as_str().unwrap()).collect();
    assert!(errors[0].contains("no character card"), "{errors:?}");
    assert!(errors[1].contains("not allowed here"), "{errors:?}");
    assert!(errors[2].contains("32 MB"), "{errors:?}");
    let none = send(&ada, "/api/ocs/import", "application/json", &[]).await;
    assert_eq!((none.status, none.json()["error"]["field"].as_str()), (422, Some("file")));
    let count: i64 = sqlx::query_scalar("select count(*) from oc_cards").fetch_one(&mut app.sql().await).await.unwrap();
    assert_eq!(count, 0);
}

#[tokio::test]
async fn a_card_without_a_picture_or_a_name_is_a_character_too() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let mut card = json!({"name": "", "description": "", "personality": "", "first_mes": "Hello.", "scenario": ""});
    card["tags"] = json!(["NSFW", "Female"]);
    let tiny = crate::cards::fixture::carried(&card);
    let oc = import(&ada, &[("The_Lamp_Keeper.card.png", &tiny)]).await[0].clone();
    assert_eq!(oc["name"], "The Lamp Keeper.card");
    assert_eq!(note(&oc, "picture").unwrap()["fate"], "refused");
    let oc = ada.get_json(&format!("/api/ocs/{}", oc["id"].as_str().unwrap())).await.json();
    assert_eq!((oc["description"].as_str(), oc["has_avatar"].as_bool()), (Some("Hello."), Some(false)));
    assert_eq!((oc["content_rating"].as_str(), oc["pronoun"].as_str()), (Some("mature"), Some("she")));
}

#[tokio::test]
async fn the_page_works_as_a_plain_form_and_tells_what_became_of_each_file() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    assert_eq!(app.client().get("/characters/import").await.location(), "/sign-up?next=/characters/import");
    let page = ada.get("/characters/import").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("multipart/form-data") && page.text.contains("multiple"), "{}", page.text);
    let html = "text/html,*/*;q=0.8";
    let files: [(&str, &[u8]); 2] = [("a <b>.png", &pictured(&v2())), ("bad.json", b"{\"hello\": 1}")];
    let sent = send(&ada, "/characters/import", html, &files).await;
    assert_eq!(sent.status, 303, "{}", sent.text);
    let told = ada.get(sent.location().split('#').next().unwrap()).await.text;
    for words in
        ["1 character imported, 1 failed.", "PNG, Character Card V2", "none of a card", "character_book", "Mira"]
    {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(!told.contains("a <b>"), "names of files are text");
    let (ben, _) = app.person("ben").await;
    let other = ben.get(sent.location().split('#').next().unwrap()).await.text;
    assert!(!other.contains("1 character imported"), "a report is for whoever sent the files");
    let none = send(&ada, "/characters/import", html, &[]).await;
    assert_eq!(none.status, 303);
    assert!(ada.get(none.location()).await.text.contains("Please choose a file first"));
    assert!(ada.get("/characters/mine").await.text.contains("/characters/import"));
}

#[tokio::test]
async fn kept_cards_count_and_go_with_their_character() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let oc = import(&ada, &[("a.json", v2().to_string().as_bytes())]).await[0].clone();
    sqlx::query("update storage_limits set bytes = 900 where kind = 'characters' and tier = 'explorer'")
        .execute(&mut app.sql().await)
        .await
        .unwrap();
    let full = send(&ada, "/api/ocs/import", "application/json", &[("b.json", v3().to_string().as_bytes())]).await;
    assert_eq!(full.status, 422, "{}", full.text);
    assert!(full.json()["items"][0]["error"].as_str().unwrap().starts_with("Characters take "), "{}", full.text);
    let path = format!("/api/ocs/{}", oc["id"].as_str().unwrap());
    assert_eq!(ada.json(axum::http::Method::DELETE, &path, &json!({}), &[]).await.status, 204);
    let count: i64 = sqlx::query_scalar("select count(*) from oc_cards").fetch_one(&mut app.sql().await).await.unwrap();
    assert_eq!(count, 0);
}
