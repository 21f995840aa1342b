//! Who sees a character, and under which address: ratings, renaming, and what counts as a change.

use super::{Client, TestApp};
use serde_json::json;
use sqlx::{Executor, Row};

/// A public character; its id and its name in addresses.
async fn awake(client: &Client, name: &str, rating: &str) -> (String, String) {
    let body = json!({
        "name": name, "description": "She keeps the lamp at Harrow Point.", "personality": "Listens before she answers.",
        "greeting": "*She looks up.* You again.", "content_rating": rating, "is_public": true,
    });
    let made = client.post_json("/api/ocs", &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    (made.json()["id"].as_str().unwrap().to_owned(), made.json()["slug"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn mature_characters_are_for_people_of_age() {
    let app = TestApp::new().await;
    let (owner, _) = app.person("ada").await;
    let (id, slug) = awake(&owner, "Nocturne", "mature").await;
    let (teen_id, _) = awake(&owner, "Evensong", "teen").await;

    let (reader, ben) = app.person("ben").await;
    let unsaid = "update profile_private set birth_date = null where user_id = $1";
    sqlx::query(unsaid).bind(ben.0).execute(&mut app.sql().await).await.unwrap();
    let born = |date: String| {
        let reader = reader.clone();
        async move { reader.post_form_from("/fn/accounts/set_birth_date", "/settings/account", &[("date", &date)]).await }
    };
    // (whoever looks, sees the mature one, sees the teen one)
    let look = async |client: &Client| {
        let mut seen = Vec::new();
        for (id, slug) in [(&id, Some(&slug)), (&teen_id, None)] {
            let whole = client.get_json(&format!("/api/ocs/{id}")).await.status == 200;
            let listed = client.get_json("/api/ocs?q=harrow&limit=100").await.text.contains(id.as_str());
            let plate = client.get(&format!("/portraits/{id}")).await.status == 200;
            let banner = client.get(&format!("/portraits/{id}/banner.png")).await.status == 200;
            assert_eq!((whole, listed, banner), (plate, whole, plate), "page, list and pictures of {id} agree");
            if let Some(slug) = slug {
                assert_eq!(client.get(&format!("/c/{slug}")).await.status == 200, whole, "the page of {slug}");
            }
            let talk =
                client.post_json(&format!("/api/chat/{id}/message"), &json!({ "content": "Hello" })).await.status;
            assert!(talk == if whole { 202 } else { 404 } || talk == 401 || talk == 409, "talking to {id}: {talk}");
            seen.push(whole);
        }
        (seen[0], seen[1])
    };
    assert_eq!(look(&owner).await, (true, true), "the owner");
    assert_eq!(look(&app.client()).await, (false, true), "nobody in particular");
    assert_eq!(look(&reader).await, (false, true), "somebody whose age is not known");
    let year = |ago: i32| format!("{}-01-01", chrono::Datelike::year(&chrono::Utc::now()) - ago);
    assert!(born(year(19)).await.location().contains("saved=birth"), "the date is kept");
    assert_eq!(look(&reader).await, (true, true), "somebody of age");
    born(year(16)).await;
    assert_eq!(look(&reader).await, (false, true), "somebody of sixteen, though they talked before");
    for date in [year(19), String::new()] {
        let location = born(date.clone()).await.location().to_owned();
        assert!(location.contains("__err="), "nobody grows up by typing {date:?}: {location}");
        assert_eq!(look(&reader).await, (false, true), "still sixteen after {date:?}");
    }
    born(year(9)).await;
    assert_eq!(look(&reader).await, (false, false), "a child");
    for wrong in ["yesterday", "1850-01-01", "2999-01-01", "2001-02-30"] {
        let refused = born(wrong.to_owned()).await;
        assert!(refused.location().contains("__err="), "{wrong}: {}", refused.location());
    }
}

#[tokio::test]
async fn a_new_name_gets_a_new_address_and_the_old_one_leads_there() {
    let app = TestApp::new().await;
    let (owner, _) = app.person("ada").await;
    let (id, slug) = awake(&owner, "Mira Harrow", "general").await;
    let rename = async |name: &str| {
        let answer =
            owner.json(axum::http::Method::PATCH, &format!("/api/ocs/{id}"), &json!({ "name": name }), &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["slug"].as_str().unwrap().to_owned()
    };
    assert_eq!(slug, "mira-harrow");
    assert_eq!(rename("Mira of the Lamps").await, "mira-of-the-lamps");
    let old = app.client().get("/c/mira-harrow").await;
    assert_eq!((old.status, old.location()), (301, "/c/mira-of-the-lamps"), "{}", old.text);
    // A script that asks for the page gets it, and no redirect that it would follow into a page.
    let asked = app.client().get_json("/fn/ocs/page?slug=mira-harrow").await;
    assert_eq!((asked.status, asked.json()["url"].as_str()), (200, Some("/c/mira-of-the-lamps")));
    // Nobody else gets it, and whoever had it gets it back.
    let (stranger, _) = app.person("ben").await;
    let (_, theirs) = awake(&stranger, "Mira Harrow", "general").await;
    assert_eq!(theirs, "mira-harrow-2", "the old address is not given away");
    assert_eq!(rename("Mira, of the lamps").await, "mira-of-the-lamps", "another spelling keeps its address");
    assert_eq!(rename("Mira Harrow!").await, "mira-harrow");
    assert_eq!(app.client().get("/c/mira-of-the-lamps").await.location(), "/c/mira-harrow");
    assert_eq!(app.client().get("/c/mira-harrow").await.status, 200);
    // Hidden again, its earlier address says nothing either.
    owner.json(axum::http::Method::PATCH, &format!("/api/ocs/{id}"), &json!({ "is_public": false }), &[]).await;
    assert_eq!(app.client().get("/c/mira-of-the-lamps").await.status, 404);
    assert_eq!(owner.get("/c/mira-of-the-lamps").await.status, 301);
}

#[tokio::test]
async fn being_talked_with_is_no_change_of_a_character() {
    let app = TestApp::new().await;
    let (owner, _) = app.person("ada").await;
    let (id, _) = awake(&owner, "Mira", "general").await;
    let mut sql = app.sql().await;
    sql.execute("alter table ocs disable trigger ocs_touch; update ocs set updated_at = '2020-01-01'; alter table ocs enable trigger ocs_touch")
        .await
        .unwrap();
    let mut changed = async |statement: &'static str| -> bool {
        sqlx::query(statement).execute(&mut sql).await.unwrap();
        let row = sqlx::query("select updated_at > '2020-01-01' from ocs where oc_id = $1::uuid").bind(&id);
        row.fetch_one(&mut sql).await.unwrap().get(0)
    };
    assert!(!changed("update ocs set interaction_count = interaction_count + 1").await);
    assert!(!changed("update ocs set like_count = like_count + 1, rating_sum = 5, rating_count = 1").await);
    assert!(changed("update ocs set title = 'keeper of the lamp'").await);
}
