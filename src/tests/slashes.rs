//! Addresses with a slash at their end.

use super::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_slash_too_much_leads_to_the_page() {
    let app = TestApp::new().await;
    let client = app.client();
    for (path, page) in [
        ("/characters/", "/characters"),
        ("/c/lumina/", "/c/lumina"),
        ("/characters/?sort=name", "/characters?sort=name"),
    ] {
        let answer = client.get(path).await;
        assert_eq!((answer.status, answer.location()), (308, page), "{path}");
        assert_eq!(client.get(page).await.status, 200, "{page}");
    }
    // Nothing that leads to another site, and no page where there is none.
    for path in ["//evil.example/", "/%5cevil.example//"] {
        let answer = client.get(path).await;
        assert_ne!(answer.status, 308, "{path} leads to {}", answer.location());
    }
    assert_eq!(client.get(client.get("/nothing-here/").await.location()).await.status, 404);
    assert_eq!(client.get("/").await.status, 200);
}
