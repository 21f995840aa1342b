//! Characters: who sees them, how they change, how they leave.

use super::{Client, TestApp};
use axum::http::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const LUMINA: &str = "01900000-0000-7000-8000-000000000001";

pub(super) fn mira() -> Value {
    json!({
        "name": "Mira of the Glass Storms",
        "title": "Lighthouse keeper",
        "description": "She keeps the lamp at Harrow Point and collects storms in glass jars.",
        "personality": "Mira listens before she answers. She counts things when she is nervous.",
        "greeting": "Mind the third step. *She lifts the lamp.* It remembers everyone.",
        "alternate_greetings": ["You are late, the tide is not."],
        "example_dialogue": [{"user": "Is that thunder?", "oc": "The small end of it. It is quieter in the jar."}],
        "visual_style": {"background": "#1a1a2e", "primaryColor": "#3d5a99", "accentColor": "#9fd8ff", "mood": "melancholic", "atmosphere": "dreamy"},
        "appearance_tags": ["hood", "rain", "moon"],
        "items": [{"name": "The Tuesday gale", "personality_effects": "Braver when the lamp is lit.", "rarity": "epic"}],
    })
}

pub(super) fn with(mut oc: Value, field: &str, value: Value) -> Value {
    oc[field] = value;
    oc
}

pub(super) async fn made(client: &Client, oc: &Value) -> Value {
    let answer = client.post_json("/api/ocs", oc).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.json()
}

pub(super) fn path(oc: &Value) -> String {
    format!("/api/ocs/{}", oc["id"].as_str().unwrap())
}

/// Its page.
fn page_of(oc: &Value) -> String {
    format!("/c/{}", oc["slug"].as_str().unwrap())
}

pub(super) async fn patch(client: &Client, oc: &Value, change: Value) -> super::Answer {
    client.json(Method::PATCH, &path(oc), &change, &[]).await
}

#[tokio::test]
async fn the_house_has_seven_characters_that_speak() {
    let app = TestApp::new().await;
    let page = app.client().get_json("/api/ocs?sort=name").await.json();
    let names: Vec<&str> = page["items"].as_array().unwrap().iter().map(|o| o["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Elara", "Eliza", "Harmonix", "Kinetix", "Lumina", "Lyra", "Thorne"]);
    let lumina = app.client().get_json(&format!("/api/ocs/{LUMINA}")).await.json();
    assert_eq!(lumina["kind"], "luminor");
    assert_eq!(lumina["title"], "The Vision Crafter");
    assert_eq!(lumina["visual_style"]["primaryColor"], "#4444ff");
    assert_eq!(lumina["items"].as_array().unwrap().len(), 2);
    let home = app.client().get("/").await;
    assert_eq!(home.status, 200);
    assert!(home.text.contains("Matchbox 214"), "the feed shows introductions");
    // A second start makes nobody twice, and nobody who was deleted again.
    let mut sql = app.sql().await;
    sqlx::query("delete from ocs where slug = 'thorne'").execute(&mut sql).await.unwrap();
    crate::ocs::seed::run(&mut sql).await.unwrap();
    assert_eq!(app.client().get("/c/thorne").await.status, 404);
    assert_eq!(app.client().get("/c/lumina").await.status, 200);
}

#[tokio::test]
async fn a_draft_is_its_owners_alone_until_it_is_published() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let (eve, _) = app.person("eve").await;
    let oc = made(&ada, &mira()).await;
    let hidden = page_of(&oc);
    assert!(hidden.starts_with("/c/mira-of-the-glass-storms-"), "{hidden}");
    assert_eq!(oc["is_public"], false);
    assert_eq!(oc["items"][0]["rarity"], "epic");
    let id = oc["id"].as_str().unwrap();
    let mut places = [path(&oc), hidden.clone(), format!("/portraits/{id}"), format!("/themes/{id}.css")];
    for place in &places {
        assert_eq!(ada.get(place).await.status, 200, "{place}");
        assert_eq!(eve.get(place).await.status, 404, "{place}");
        assert_eq!(app.client().get(place).await.status, 404, "{place}");
    }
    assert!(ada.get_json("/api/ocs?owner=ada").await.text.contains(id));
    assert!(!eve.get_json("/api/ocs?owner=ada").await.text.contains(id));
    assert!(!ada.get_json("/api/ocs").await.text.contains(id), "the gallery of everybody has no drafts");

    let published = patch(&ada, &oc, json!({"is_public": true})).await;
    assert_eq!(published.status, 200, "{}", published.text);
    assert_eq!(published.json()["version"], 1, "publishing is no change of its words");
    places[1] = page_of(&published.json());
    assert_eq!(places[1], "/c/mira-of-the-glass-storms", "what is shown has a plain address");
    assert_eq!(ada.get(&hidden).await.location(), places[1], "the owner's links to the draft lead there");
    for place in &places {
        assert_eq!(eve.get(place).await.status, 200, "{place}");
    }
    // The introduction and the event come once, however often it is shown.
    patch(&ada, &oc, json!({"is_public": false})).await;
    assert_eq!(eve.get(&places[1]).await.status, 404);
    patch(&ada, &oc, json!({"is_public": true})).await;
    let mut sql = app.sql().await;
    let posts: i64 = sqlx::query_scalar("select count(*) from forum_posts where oc_id = $1::uuid")
        .bind(id)
        .fetch_one(&mut sql)
        .await
        .unwrap();
    let events: i64 = sqlx::query_scalar("select count(*) from world_events where oc_id = $1::uuid")
        .bind(id)
        .fetch_one(&mut sql)
        .await
        .unwrap();
    assert_eq!((posts, events), (1, 1));
}

#[tokio::test]
async fn strangers_change_nothing() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let (eve, _) = app.person("eve").await;
    let oc = made(&ada, &with(mira(), "is_public", json!(true))).await;
    let lumina = json!({"id": LUMINA});
    for (who, status) in [(&eve, 404), (&app.client(), 401)] {
        for target in [&oc, &lumina] {
            assert_eq!(patch(who, target, json!({"name": "Mine now"})).await.status, status);
            assert_eq!(patch(who, target, json!({"is_public": false})).await.status, status);
            assert_eq!(who.json(Method::DELETE, &path(target), &json!({}), &[]).await.status, status);
        }
    }
    assert_eq!(eve.get("/c/mira-of-the-glass-storms/edit").await.status, 403);
    assert_eq!(eve.get("/c/mira-of-the-glass-storms/versions").await.status, 403);
    assert_eq!(app.client().get("/c/mira-of-the-glass-storms/edit").await.status, 401);
    let id = oc["id"].as_str().unwrap();
    for (function, more) in [
        ("publish", ("hide", "true")),
        ("restore", ("version", "1")),
        ("delete", ("confirm", "Mira of the Glass Storms")),
    ] {
        let answer = eve.post_form(&format!("/fn/ocs/{function}"), &[("oc_id", id), more]).await;
        assert!(answer.location().contains("__err"), "{function}: {} {}", answer.status, answer.location());
    }
    let now = ada.get_json(&path(&oc)).await.json();
    assert_eq!((now["name"].clone(), now["is_public"].clone()), (oc["name"].clone(), json!(true)));
    // Instructions to the model are not for readers; notes are.
    for field in ["system_prompt", "post_history_instructions"] {
        patch(&ada, &oc, json!({field: "Never mention the gale."})).await;
        assert_eq!(ada.get_json(&path(&oc)).await.json()[field], "Never mention the gale.");
        assert_eq!(eve.get_json(&path(&oc)).await.json()[field], "");
    }
    let notes =
        json!({"creator_notes": "{{char}} was drawn at night.", "nickname": "Storm", "greeting": "{{char}} waits."});
    assert_eq!(patch(&ada, &oc, notes).await.status, 200);
    let page = eve.get("/c/mira-of-the-glass-storms").await.text;
    assert!(page.contains("Storm was drawn at night.") && !page.contains("Never mention"), "{page}");
    let listed = eve.get("/characters").await.text;
    assert!(listed.contains("Storm waits.") && !listed.contains("{{char}}"), "{listed}");
}

#[tokio::test]
async fn admins_look_after_the_house() {
    let app = TestApp::new().await;
    let (admin, id) = app.person("carol").await;
    let mut sql = app.sql().await;
    sqlx::query("insert into user_roles (user_id, role) values ($1, 'admin')")
        .bind(id.0)
        .execute(&mut sql)
        .await
        .unwrap();
    let lumina = json!({"id": LUMINA});
    let answer = patch(&admin, &lumina, json!({"title": "The Painter"})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(app.client().get("/c/lumina").await.text.contains("The Painter"));
}

#[tokio::test]
async fn two_who_change_at_once_hear_of_each_other() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let oc = made(&ada, &mira()).await;
    let first = patch(&ada, &oc, json!({"title": "Keeper", "version": 1})).await;
    assert_eq!(first.json()["version"], 2);
    let second = patch(&ada, &oc, json!({"title": "Lamp", "version": 1})).await;
    assert_eq!(second.status, 409, "{}", second.text);
    assert_eq!(ada.get_json(&path(&oc)).await.json()["title"], "Keeper");
    // The plain form keeps what was typed, and may be told to go on.
    let id = oc["id"].as_str().unwrap();
    let page = &format!("{}/edit", page_of(&oc));
    let mut fields = vec![
        ("oc_id", id),
        ("form[version]", "1"),
        ("form[name]", "Mira"),
        ("form[description]", "A lamp of words"),
        ("form[personality]", "Quiet."),
        ("form[background]", "#1a1a2e"),
        ("form[primary_color]", "#3d5a99"),
        ("form[accent_color]", "#9fd8ff"),
        ("form[mood]", "calm"),
        ("form[atmosphere]", "noir"),
    ];
    let refused = ada.post_form_from("/fn/ocs/update", page, &fields).await;
    assert_eq!(refused.status, 302);
    let back = ada.get(refused.location().trim_start_matches("http://127.0.0.1:3000")).await;
    assert!(back.text.contains("A lamp of words"), "what was typed is still there");
    assert!(back.text.contains("Save mine anyway"));
    fields.push(("form[overwrite]", "true"));
    let done = ada.post_form_from("/fn/ocs/update", page, &fields).await;
    assert!(done.location().starts_with("/c/mira-"), "a draft's address follows its name: {}", done.location());
    assert!(!done.location().contains("glass"), "{}", done.location());
    assert_eq!(ada.get_json(&path(&oc)).await.json()["version"], 3);
}

#[tokio::test]
async fn every_version_can_be_brought_back() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let oc = made(&ada, &mira()).await;
    let loud = patch(&ada, &oc, json!({"personality": "Loud.", "name": "Mira the Loud", "scenario": "A cellar."}))
        .await
        .json();
    let versions = format!("{}/versions", page_of(&loud));
    let page = ada.get(&versions).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("Version 1") && page.text.contains("counts things when she is nervous"));
    assert!(
        page.text.contains("Different: name, personality, scenario") && page.text.contains("Loud."),
        "beside what is now"
    );
    let id = oc["id"].as_str().unwrap();
    let done = ada.post_form("/fn/ocs/restore", &[("oc_id", id), ("version", "1")]).await;
    assert!(!done.location().contains("__err"), "{}", done.location());
    let now = ada.get_json(&path(&oc)).await.json();
    for field in ["name", "personality", "greeting", "visual_style", "example_dialogue", "appearance_tags"] {
        assert_eq!(now[field], oc[field], "{field}");
    }
    assert_eq!(now["version"], 3, "bringing back is a change");
    assert!(ada.get(&versions).await.text.contains("Mira the Loud"), "what was replaced is kept as well");
    let unknown = ada.post_form("/fn/ocs/restore", &[("oc_id", id), ("version", "77")]).await;
    assert!(unknown.location().contains("__err"));
}

#[tokio::test]
async fn deleting_takes_what_is_its_own_along() {
    let app = TestApp::new().await;
    let (ada, ada_id) = app.person("ada").await;
    let shown = made(&ada, &with(mira(), "is_public", json!(true))).await;
    let hidden = made(&ada, &with(with(mira(), "name", json!("Nobody")), "is_public", json!(true))).await;
    patch(&ada, &hidden, json!({"is_public": false})).await;
    let mut sql = app.sql().await;
    for oc in [&shown, &hidden] {
        let id = oc["id"].as_str().unwrap();
        sqlx::query("insert into conversations (user_id, oc_id) values ($1, $2::uuid)")
            .bind(ada_id.0)
            .bind(id)
            .execute(&mut sql)
            .await
            .unwrap();
        sqlx::query("insert into memories (oc_id, user_id, content) values ($2::uuid, $1, 'a boat')")
            .bind(ada_id.0)
            .bind(id)
            .execute(&mut sql)
            .await
            .unwrap();
    }
    // The name must be typed.
    let id = shown["id"].as_str().unwrap();
    let wrong = ada.post_form("/fn/ocs/delete", &[("oc_id", id), ("confirm", "mira")]).await;
    assert!(wrong.location().contains("__err"));
    let gone = ada.post_form("/fn/ocs/delete", &[("oc_id", id), ("confirm", "Mira of the Glass Storms")]).await;
    assert_eq!(gone.location(), "/characters?gone=1");
    assert_eq!(ada.json(Method::DELETE, &path(&hidden), &json!({}), &[]).await.status, 204);
    assert_eq!(ada.get_json(&path(&shown)).await.status, 404);
    for table in
        ["conversations", "memories", "oc_versions", "world_events where oc_id not in (select oc_id from seeded_ocs)"]
    {
        let left: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {table}")))
            .fetch_one(&mut sql)
            .await
            .unwrap();
        assert_eq!(left, 0, "{table}");
    }
    let posts: i64 = sqlx::query_scalar("select count(*) from forum_posts where author_id = $1")
        .bind(ada_id.0)
        .fetch_one(&mut sql)
        .await
        .unwrap();
    assert_eq!(posts, 0, "its posts go with it");
    let me = ada.get_json("/api/me").await;
    assert_eq!(me.status, 200);
}

#[tokio::test]
async fn markup_is_text_and_lies_are_refused() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let evil = "</title></textarea><script>alert(1)</script><img src=x onerror=alert(2)>";
    let fields = [
        "creator_notes",
        "post_history_instructions",
        "title",
        "description",
        "personality",
        "greeting",
        "scenario",
        "system_prompt",
        "voice_tone",
    ];
    let mut oc = mira();
    oc["name"] = json!("<script>alert(0)</script>");
    for field in fields {
        oc[field] = json!(if field == "title" { "<b onclick=alert(3)>x</b>" } else { evil });
    }
    oc["alternate_greetings"] = json!([evil]);
    oc["example_dialogue"] = json!([{"user": evil, "oc": evil}]);
    oc["quick_start"] = json!([evil]);
    oc["tags"] = json!(["<i>tag</i>"]);
    oc["items"] = json!([{"name": "<script>", "description": evil, "personality_effects": evil, "rarity": "rare"}]);
    oc["is_public"] = json!(true);
    let oc = made(&ada, &oc).await;
    assert_eq!(oc["description"], evil, "kept as typed");
    let slug = oc["slug"].as_str().unwrap();
    patch(&ada, &oc, json!({"title": "two"})).await;
    for page in [
        "/".to_owned(),
        "/characters".to_owned(),
        format!("/c/{slug}"),
        format!("/c/{slug}/edit"),
        format!("/c/{slug}/versions"),
    ] {
        let answer = ada.get(&page).await;
        assert_eq!(answer.status, 200, "{page}");
        for bad in ["<script>alert", "<img src=x", "<b onclick", "<i>tag", "</title></textarea>"] {
            assert!(!answer.text.contains(bad), "{page} contains {bad}");
        }
    }
    let svg = ada.get(&format!("/portraits/{}", oc["id"].as_str().unwrap())).await;
    assert_eq!(svg.header("content-type"), "image/svg+xml");
    assert!(svg.header("content-security-policy").contains("default-src 'none'"));
    assert!(!svg.text.contains("<script"));

    for (field, value) in [
        ("name", json!("Mi\u{202e}ra")),
        ("name", json!("")),
        ("name", json!("x".repeat(61))),
        ("name", json!("two\nlines")),
        ("description", json!("\u{0}")),
        ("personality", json!(format!("a{}", "\u{301}".repeat(9)))),
        ("greeting", json!("g".repeat(32_001))),
        ("title", json!("a\u{200b}b")),
        ("content_rating", json!("filthy")),
    ] {
        let answer = ada.post_json("/api/ocs", &with(with(mira(), "name", json!("Fine")), field, value.clone())).await;
        assert_eq!(answer.status, 422, "{field} {value}");
        assert_eq!(answer.json()["error"]["field"], field);
    }
}

#[tokio::test]
async fn a_style_is_colours_and_known_words() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let style = mira()["visual_style"].clone();
    for (field, value, named) in [
        ("background", json!("url(https://evil.example)"), "background"),
        ("background", json!("red;} body{display:none"), "background"),
        ("primaryColor", json!("javascript:alert(1)"), "primary_color"),
        ("accentColor", json!(7), "accent_color"),
        ("mood", json!("furious-ish"), "mood"),
        ("atmosphere", json!("</style>"), "atmosphere"),
        ("font", json!("Comic Sans"), "visual_style"),
    ] {
        let answer = ada.post_json("/api/ocs", &with(mira(), "visual_style", with(style.clone(), field, value))).await;
        assert_eq!(answer.status, 422, "{field}: {}", answer.text);
        assert_eq!(answer.json()["error"]["field"], named, "{}", answer.text);
    }
    let gradient = with(style, "background", json!("linear-gradient(105deg, #1a1a2e, #3d5a99 70%)"));
    let oc = made(&ada, &with(mira(), "visual_style", gradient)).await;
    let css = ada.get(&format!("/themes/{}.css?v=1", oc["id"].as_str().unwrap())).await;
    assert!(css.header("content-type").starts_with("text/css"));
    assert!(
        css.header("cache-control").contains("private") && css.header("cache-control").contains("immutable"),
        "a draft is not for shared caches"
    );
    assert!(css.text.contains("--oc:") && css.text.contains("linear-gradient"));
    let preview = app.client().get("/themes/preview.css?background=%3C/style%3E&primary=%23ff0000").await;
    assert_eq!(preview.status, 200);
    assert!(!preview.text.contains("</style"));
}

#[tokio::test]
async fn search_finds_by_name_words_and_beginnings() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    made(&ada, &with(mira(), "is_public", json!(true))).await;
    let client = app.client();
    for (query, name) in [
        ("q=mir", "Mira of the Glass Storms"),
        ("q=glass", "Mira of the Glass Storms"),
        ("q=lighthouse%20kee", "Mira of the Glass Storms"),
        ("q=storm%20jars", "Mira of the Glass Storms"),
        ("q=goose", "Harmonix"),
        ("mood=stoic", "Thorne"),
        ("owner=ADA", "Mira of the Glass Storms"),
        ("q=%27%20%26%20%21%20%7C%20mira%20%3A%2A%20%28", "Mira of the Glass Storms"),
    ] {
        let page = client.get_json(&format!("/api/ocs?{query}")).await;
        assert_eq!(page.status, 200, "{query}: {}", page.text);
        let names: Vec<String> =
            page.json()["items"].as_array().unwrap().iter().map(|o| o["name"].as_str().unwrap().to_owned()).collect();
        assert!(names.contains(&name.to_owned()), "{query} gave {names:?}");
        assert!(names.len() < 8, "{query} gave everybody");
    }
    assert_eq!(client.get_json("/api/ocs?kind=luminor").await.json()["items"].as_array().unwrap().len(), 3);
    assert!(client.get_json("/api/ocs?q=nobodyhasthisname").await.json()["items"].as_array().unwrap().is_empty());
    for wrong in ["kind=dragon", "mood=furious-ish", "sort=random", "after=xyz", "limit=0", "limit=101", "limit=many"] {
        let status = client.get_json(&format!("/api/ocs?{wrong}")).await.status;
        assert!(matches!(status, 400 | 422), "{wrong}: {status}");
    }
    // The page works as a plain form, and an empty result says what to do.
    let page = client.get("/characters?q=goose").await;
    assert!(page.text.contains("Harmonix") && !page.text.contains("/c/thorne"));
    assert!(client.get("/characters?q=nobodyhasthisname").await.text.contains("Summon a character"));
}

#[tokio::test]
async fn pages_of_the_gallery_are_complete_in_every_order() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    for n in 0..31 {
        let oc = with(with(mira(), "name", json!(format!("Twin {}", n % 100))), "is_public", json!(true));
        made(&ada, &with(oc, "items", json!([]))).await;
    }
    // Equal keys are the hard case.
    let mut sql = app.sql().await;
    sqlx::query("update ocs set published_at = '2025-01-01', interaction_count = 3 where name like 'Twin%'")
        .execute(&mut sql)
        .await
        .unwrap();
    for sort in ["newest", "popular", "name"] {
        let (mut seen, mut total, mut after) = (BTreeSet::new(), 0, String::new());
        loop {
            let page = app.client().get_json(&format!("/api/ocs?sort={sort}&limit=7&after={after}")).await.json();
            let items = page["items"].as_array().unwrap().clone();
            total += items.len();
            seen.extend(items.iter().map(|o| o["id"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => after = next.to_owned(),
                None => break,
            }
            assert!(total < 100, "{sort} never ends");
        }
        assert_eq!((seen.len(), total), (38, 38), "{sort}");
    }
    // The page links to the next one.
    let first = app.client().get("/characters?sort=name").await.text;
    let link = first.split("href=\"/characters?").find(|l| l.contains("after=")).expect("a link to more");
    let address = link.split('"').next().unwrap().replace("&amp;", "&");
    let second = app.client().get(&format!("/characters?{address}")).await;
    assert_eq!(second.status, 200);
    assert!(second.text.contains("/c/twin-") && second.text.contains("Back to the first page"));
}

#[tokio::test]
async fn plain_forms_make_and_change_characters() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let stranger = app.client().get("/characters/new").await;
    assert!(
        stranger.status == 401 || stranger.location().starts_with("/sign-"),
        "{} {}",
        stranger.status,
        stranger.location()
    );
    let page = ada.get("/characters/new").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("form[name]") && page.text.contains("form[examples][0][user]"));
    let mut fields = vec![
        ("form[name]", "Pim"),
        ("form[description]", "A courier fox."),
        ("form[personality]", "Quick. Counts letters."),
        ("form[greeting]", "Sign here?"),
        ("form[background]", "#fbead1"),
        ("form[primary_color]", "purple-ish"),
        ("form[accent_color]", "#2f4858"),
        ("form[mood]", "cheerful"),
        ("form[atmosphere]", "urban"),
        ("form[alternate_greetings][0]", "One of them ticks."),
        ("form[alternate_greetings][1]", ""),
        ("form[examples][0][user]", "Hello"),
        ("form[examples][0][oc]", "Three letters."),
        ("form[examples][1][user]", ""),
        ("form[examples][1][oc]", ""),
        ("items[0][name]", "Satchel"),
        ("items[0][effects]", "Never loses a letter."),
        ("items[0][rarity]", "common"),
        ("items[1][name]", ""),
        ("items[1][effects]", ""),
        ("items[1][rarity]", "common"),
    ];
    let refused = ada.post_form_from("/fn/ocs/create", "/characters/new", &fields).await;
    assert!(refused.location().contains("__err"));
    let back = ada.get(refused.location().trim_start_matches("http://127.0.0.1:3000")).await;
    assert!(
        back.text.contains("A courier fox.")
            && back.text.contains("purple-ish")
            && back.text.contains("One of them ticks.")
    );
    for field in &mut fields {
        if field.0 == "form[primary_color]" {
            field.1 = "#d9622b";
        }
    }
    let done = ada.post_form_from("/fn/ocs/create", "/characters/new", &fields).await;
    assert!(done.location().starts_with("/c/pim-"), "{}", done.location());
    let page = ada.get(done.location()).await;
    assert!(
        page.text.contains("This is a draft")
            && page.text.contains("Satchel")
            && page.text.contains("Never loses a letter.")
    );
    let id = ada.get_json("/api/ocs?owner=ada").await.json()["items"][0]["id"].as_str().unwrap().to_owned();
    let shown = ada.post_form("/fn/ocs/publish", &[("oc_id", &id)]).await;
    assert_eq!(shown.location(), "/c/pim");
    let page = app.client().get("/c/pim").await;
    assert_eq!(page.status, 200);
    for wanted in ["og:title", "rel=\"canonical\"", "application/ld+json", "Chat with Pim", "@ada", "sw-primary"] {
        assert!(page.text.contains(wanted), "the page has {wanted}");
    }
    assert!(!page.text.contains("/edit"), "strangers see no way to change it");
    // Things come and go by plain forms, too.
    let thing = [
        ("oc_id", id.as_str()),
        ("item[name]", "Whistle"),
        ("item[effects]", "Answers at once."),
        ("item[rarity]", "rare"),
    ];
    let given = ada.post_form_from("/fn/ocs/add_item", "/c/pim/edit", &thing).await;
    assert!(!given.location().contains("__err"), "{}", given.location());
    let oc = ada.get_json(&format!("/api/ocs/{id}")).await.json();
    let whistle = oc["items"].as_array().unwrap().iter().find(|i| i["name"] == "Whistle").unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for (change, left, equipped) in [("keep", 2, json!(false)), ("carry", 2, json!(true)), ("remove", 1, json!(true))] {
        ada.post_form("/fn/ocs/change_item", &[("oc_id", &id), ("item_id", &whistle), ("change", change)]).await;
        let items = ada.get_json(&format!("/api/ocs/{id}")).await.json()["items"].as_array().unwrap().clone();
        assert_eq!(items.len(), left, "{change}");
        assert_eq!(items.last().unwrap()["is_equipped"], equipped, "{change}");
    }
}

#[tokio::test]
async fn plates_are_drawn_or_uploaded_and_cached_by_version() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let oc = made(&ada, &with(mira(), "is_public", json!(true))).await;
    let id = oc["id"].as_str().unwrap();
    let drawn = app.client().get(&format!("/portraits/{id}?v=1-{}", crate::ocs::DRAWING)).await;
    assert_eq!(drawn.header("content-type"), "image/svg+xml");
    assert!(drawn.header("cache-control").contains("immutable"));
    assert!(drawn.text.contains("Procedural portrait of Mira"));
    let stale = app.client().get(&format!("/portraits/{id}?v=9")).await;
    assert!(stale.header("cache-control").contains("no-cache"), "only the right version is for ever");
    assert_eq!(app.client().get("/portraits/nonsense").await.status, 404);
    assert_eq!(app.client().get(&format!("/themes/{id}")).await.status, 404);

    let mut png = Vec::new();
    image::DynamicImage::new_rgb8(64, 64)
        .write_to(&mut std::io::Cursor::new(&mut png), image::ImageFormat::Png)
        .unwrap();
    let upload = |bytes: Vec<u8>| {
        let mut body = b"--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.png\"\r\ncontent-type: image/png\r\n\r\n".to_vec();
        body.extend(bytes);
        body.extend(b"\r\n--b--\r\n");
        axum::http::Request::post("/c/mira-of-the-glass-storms/avatar")
            .header("content-type", "multipart/form-data; boundary=b")
            .header("origin", "http://127.0.0.1:3000")
            .header("sec-fetch-site", "same-origin")
            .body(axum::body::Body::from(body))
            .unwrap()
    };
    let (eve, _) = app.person("eve").await;
    assert_eq!(eve.send(upload(png.clone())).await.status, 403);
    assert_eq!(ada.send(upload(b"<svg onload=alert(1)>".to_vec())).await.status, 422);
    assert_eq!(ada.send(upload(png)).await.status, 204);
    let now = ada.get_json(&path(&oc)).await.json();
    assert_eq!((now["version"].clone(), now["has_avatar"].clone()), (json!(2), json!(true)));
    let plate = app.client().get(&format!("/portraits/{id}?v=2-{}", crate::ocs::DRAWING)).await;
    assert_eq!(plate.header("content-type"), "image/jpeg");
    let back = ada.post_form("/fn/ocs/remove_plate", &[("oc_id", id)]).await;
    assert!(!back.location().contains("__err"));
    assert_eq!(app.client().get(&format!("/portraits/{id}")).await.header("content-type"), "image/svg+xml");
}
