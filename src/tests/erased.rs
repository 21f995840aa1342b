//! What was erased is listed, and is erased again when a backup has brought it back.

use super::{
    TestApp,
    chat::eventually,
    ocs::{made, mira, path, with},
    rights::plate,
    talk::Talk,
};
use crate::{
    accounts::store::erase_again,
    server::erased::{self, Erased, Kind},
};
use axum::http::Method;
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;

async fn listed(app: &TestApp) -> Vec<(Kind, Uuid)> {
    erased::listed(&mut app.sql().await).await.unwrap().into_iter().map(|e| (e.kind, e.id)).collect()
}

#[tokio::test]
async fn who_and_what_is_erased_is_listed_beside_the_backups() {
    let app = TestApp::new().await;
    let (ada, id) = app.person("ada").await;
    let shown = made(&ada, &with(mira(), "is_public", json!(true))).await;
    let draft = made(&ada, &with(mira(), "name", json!("Draft"))).await;
    let other = made(&ada, &with(mira(), "name", json!("Another"))).await;
    let of = |oc: &serde_json::Value| (Kind::Character, oc["id"].as_str().unwrap().parse::<Uuid>().unwrap());
    assert_eq!(ada.json(Method::DELETE, &path(&other), &json!({}), &[]).await.status, 204);
    assert_eq!(listed(&app).await, [of(&other)]);
    ada.post_form_from("/fn/accounts/delete_account", "/settings/account", &[("form[username]", "ada")]).await;
    let mut wanted = vec![of(&other), of(&draft), (Kind::Account, id.0)];
    let mut found = listed(&app).await;
    wanted.sort_by_key(|e| e.1);
    found.sort_by_key(|e| e.1);
    assert_eq!(found, wanted, "a character that stays is not listed, and neither is a name: {shown}");
    let folder = app.state.config.place.data.join("backups");
    let in_file = || {
        let mut found: Vec<_> =
            erased::read_file(&folder, Some(&app.state.vault)).unwrap().into_iter().map(|e| (e.kind, e.id)).collect();
        found.sort_by_key(|e| e.1);
        found
    };
    eventually("the file is written", async || in_file() == wanted).await;
    let text = std::fs::read_to_string(folder.join(erased::FILE)).unwrap();
    assert!(!text.contains("ada") && !text.contains("Draft"), "ids and times only: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_backup_brings_back_is_erased_again() {
    let app = TestApp::new().await;
    let talk = Talk::begun(&app, "ada", "lumina").await;
    let (stays, leaves) = (app.person("bea").await.0, app.person("cleo").await.0);
    let shown = made(&talk.client, &with(mira(), "is_public", json!(true))).await;
    let draft = made(&talk.client, &with(mira(), "name", json!("Draft"))).await;
    let hers = made(&leaves, &with(mira(), "name", json!("Hers"))).await;
    for (client, oc) in [(&talk.client, &shown), (&talk.client, &draft), (&leaves, &hers)] {
        assert_eq!(plate(client, oc["slug"].as_str().unwrap(), 16).await.status, 204);
    }
    let me: Uuid = talk.client.get_json("/api/me").await.json()["id"].as_str().unwrap().parse().unwrap();
    let id = |oc: &serde_json::Value| oc["id"].as_str().unwrap().parse::<Uuid>().unwrap();
    let at = chrono::Utc::now();
    let gone = [
        Erased { kind: Kind::Account, id: me, at },
        Erased { kind: Kind::Character, id: id(&hers), at },
        Erased { kind: Kind::Account, id: Uuid::from_u128(5), at },
        // The same id as another kind is somebody else.
        Erased { kind: Kind::Character, id: me, at },
    ];
    let mut tx = app.state.db.system().await.unwrap();
    let again = erase_again(&mut tx, &gone).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((again.accounts, again.characters), (1, 1));
    let files: BTreeSet<&String> = again.files.iter().collect();
    assert_eq!(files.len(), 2, "the plates of the draft and of what was erased: {files:?}");
    let mut sql = app.sql().await;
    let left: i64 = sqlx::query_scalar(
        "select (select count(*) from users where user_id = $1) + (select count(*) from messages where user_id = $1)
              + (select count(*) from ocs where owner_id = $1 or oc_id = any($2))",
    )
    .bind(me)
    .bind([id(&draft), id(&hers)].as_slice())
    .fetch_one(&mut sql)
    .await
    .unwrap();
    assert_eq!(left, 0);
    assert_eq!(app.client().get(&format!("/c/{}", shown["slug"].as_str().unwrap())).await.status, 200, "it stays");
    assert_eq!(stays.get_json("/api/me").await.status, 200, "nobody else is touched");
    assert_eq!(leaves.get_json("/api/me").await.status, 200, "only her character was erased");
    // The list is kept whole, for the next backup that is older than all of this; a second time there is nothing to do.
    let list = listed(&app).await;
    assert!(gone.iter().all(|e| list.contains(&(e.kind, e.id))), "{list:?}");
    let mut tx = app.state.db.system().await.unwrap();
    let again = erase_again(&mut tx, &gone).await.unwrap();
    assert_eq!((again.accounts, again.characters, again.files.len()), (0, 0, 0));
}
