//! The search beside every page, and what people typed wrong.

use super::TestApp;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn the_search_suggests_whom_one_may_see_and_forgives_a_slip() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let draft = json!({"name": "Umbra Quill", "description": "A fencer of shadows.", "personality": "Dry."});
    assert_eq!(ada.post_json("/api/ocs", &draft).await.status, 201);
    let stranger = app.client();
    let suggested = async |client: &super::Client, q: &str| client.get_json(&format!("/fn/ocs/suggest?q={q}")).await;

    let found = suggested(&stranger, "lum").await;
    assert!(found.status == 200 && found.text.contains("/c/lumina"), "{} {}", found.status, found.text);
    assert!(!found.text.contains("Did you mean") && !found.text.contains("/c/thorne"), "{}", found.text);
    assert!(suggested(&ada, "umbra").await.text.contains("Umbra Quill"), "one's own draft");
    assert!(!suggested(&stranger, "umbra").await.text.contains("Umbra"), "and nobody else's");
    for nothing in ["", "xqzvwk", "%3Cb%3E"] {
        assert!(!suggested(&stranger, nothing).await.text.contains("/c/xq"), "{nothing}");
    }
    assert_eq!(suggested(&stranger, "xqzvwk").await.text, "\"\"");

    // A letter too few, two exchanged: told, and only to people.
    for slip in ["lumnia", "lumna"] {
        let found = suggested(&stranger, slip).await.text;
        assert!(found.contains("Did you mean “lumina”?") && found.contains("/c/lumina"), "{slip}: {found}");
    }
    let page = stranger.get("/characters?q=lumnia").await.text;
    assert!(page.contains("Showing those for “lumina”.") && page.contains("/c/lumina"), "{page}");
    assert_eq!(stranger.get_json("/api/ocs?q=lumnia").await.json()["items"], json!([]));
    // A draft's words are no hint to others.
    let page = stranger.get("/characters?q=umbara").await.text;
    assert!(!page.contains("Showing those for"), "{page}");
}
