//! Names of characters: unique among those that everybody sees, and nobody's to find out before.

use super::{
    TestApp,
    ocs::{made, mira, patch, path, with},
};
use axum::http::Method;
use serde_json::{Value, json};

/// What a refused name is told, and the free one that it offers.
fn refused_name(answer: &super::Answer) -> (String, String) {
    assert_eq!(answer.status, 409, "{}", answer.text);
    let error = answer.json()["error"].clone();
    assert_eq!(error["field"], "name");
    let message = error["message"].as_str().unwrap().to_owned();
    let offered = message.split(" already. ").nth(1).and_then(|m| m.strip_suffix(" is free.")).expect("an offer");
    (message.clone(), offered.to_owned())
}

#[tokio::test]
async fn a_taken_name_is_refused_with_a_free_one() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let (eve, _) = app.person("eve").await;
    made(&ada, &with(mira(), "is_public", json!(true))).await;
    // In other letters as well, and of the house; a draft may be called so until it is shown.
    for name in ["MIRA OF THE GLASS STORMS", "lumina"] {
        let draft = made(&eve, &with(mira(), "name", json!(name))).await;
        let (message, offered) = refused_name(&patch(&eve, &draft, json!({"is_public": true})).await);
        assert!(message.starts_with("There is a public character called"), "{message}");
        assert_eq!(eve.get_json(&path(&draft)).await.json()["is_public"], false);
        // By the page's form, too.
        let id = draft["id"].as_str().unwrap();
        let form = eve.post_form("/fn/ocs/publish", &[("oc_id", id)]).await;
        assert!(form.location().contains("__err"), "{}", form.location());
        // Under the offered name, and then nobody else under that.
        let shown = patch(&eve, &draft, json!({"name": offered, "is_public": true})).await;
        assert_eq!(shown.status, 200, "{}", shown.text);
        refused_name(
            &ada.post_json("/api/ocs", &with(with(mira(), "name", json!(offered)), "is_public", json!(true))).await,
        );
    }
    // What is shown is not renamed into another that is; one's own drafts are told apart as well.
    let third =
        made(&eve, &with(with(mira(), "name", json!("Mira, of the Glass Storms")), "is_public", json!(true))).await;
    assert_eq!(third["slug"], "mira-of-the-glass-storms-2", "addresses of one name are told apart");
    refused_name(&patch(&eve, &third, json!({"name": "Lumina"})).await);
    made(&eve, &with(mira(), "name", json!("Twice"))).await;
    let (message, _) = refused_name(&eve.post_json("/api/ocs", &with(mira(), "name", json!("twice"))).await);
    assert!(message.starts_with("You have a character"), "{message}");
    // Two at once get different answers and not two characters of one name.
    let (one, two) = (
        made(&ada, &with(mira(), "name", json!("Once"))).await,
        made(&eve, &with(mira(), "name", json!("Once"))).await,
    );
    let (a, b) =
        tokio::join!(patch(&ada, &one, json!({"is_public": true})), patch(&eve, &two, json!({"is_public": true})));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{} {}", a.text, b.text);
}

/// Whatever one tries: what somebody else calls a draft makes no difference.
#[tokio::test]
async fn names_of_drafts_cannot_be_found_out() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let (eve, _) = app.person("eve").await;
    let (ben, _) = app.person("ben").await;
    let secret = made(&ada, &with(mira(), "name", json!("Wisteria Null"))).await;
    // Shown once and hidden again is a draft of a known address, and its name is free.
    let once = made(&ada, &with(with(mira(), "name", json!("Marigold Null")), "is_public", json!(true))).await;
    patch(&ada, &once, json!({"is_public": false})).await;
    let letters = |slug: &Value| {
        let slug = slug.as_str().unwrap();
        let (name, rest) = slug.rsplit_once('-').unwrap_or((slug, ""));
        (name.replace("wisteria", "x").replace("nobody", "x").replace("marigold", "x"), rest.len())
    };
    for is_public in [false, true] {
        let mut told = Vec::new();
        for (who, name) in [(&eve, "Wisteria Null"), (&ben, "Nobody Null")] {
            let oc = made(who, &with(with(mira(), "name", json!(name)), "is_public", json!(is_public))).await;
            let shape: Vec<String> = oc.as_object().unwrap().keys().cloned().collect();
            told.push((letters(&oc["slug"]), shape));
            assert_eq!(who.json(Method::DELETE, &path(&oc), &json!({}), &[]).await.status, 204);
        }
        assert_eq!(told[0], told[1], "a taken name looks like any other (public: {is_public})");
    }
    let again = made(&eve, &with(with(mira(), "name", json!("Marigold Null")), "is_public", json!(true))).await;
    let (message, _) = refused_name(&patch(&ada, &once, json!({"is_public": true})).await);
    assert!(message.contains("Marigold Null"), "{message}");
    assert_ne!(again["slug"], once["slug"], "an address that was known is not given away");
    // And the draft itself can still be shown under its name.
    assert_eq!(patch(&ada, &secret, json!({"is_public": true})).await.json()["slug"], "wisteria-null");
}
