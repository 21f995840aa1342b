//! Pages that are kept for visitors: never a person's, never older than a change, never with another's policy.

use super::{Client, TestApp};
use axum::{body::Body, extract::Request};
use serde_json::json;

const KEPT: [&str; 4] = ["--limit-factor", "1000", "--visitor-pages", "60000"];
const PAGES: [&str; 4] = ["/", "/characters", "/c/lumina", "/u/canary"];

/// The nonce of a page: the same in its policy and in its scripts.
fn nonce(page: &super::client::Answer) -> String {
    let policy = page.header("content-security-policy").to_owned();
    let nonce = policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).unwrap_or_default();
    assert!(nonce.len() > 16 && page.text.contains(nonce), "{policy}");
    nonce.to_owned()
}

#[tokio::test]
async fn a_crowd_of_visitors_is_given_one_drawing_and_nobody_elses() {
    let app = TestApp::with(&KEPT).await;
    let (canary, _) = app.person("canary").await;
    let (other, _) = app.person("other").await;
    for path in PAGES {
        // A person first, so that theirs would be what is kept.
        let own = canary.get(path).await;
        let first = app.client().get(path).await;
        assert_eq!((own.status, first.status), (200, 200), "{path}");
        assert_eq!(nonce(&first), nonce(&app.client().get(path).await), "{path} is drawn once for visitors");
        assert_ne!(nonce(&own), nonce(&first), "{path} of a person is their own");
        if path != "/u/canary" {
            assert!(
                own.text.contains("canary") && !first.text.contains("canary"),
                "{path} shows a visitor who was there"
            );
        }
        let theirs = other.get(path).await;
        assert!(theirs.text.contains("other") && nonce(&theirs) != nonce(&first), "{path} of another person is theirs");
        assert_eq!(first.header("cache-control"), "no-store");
        assert_eq!(first.header("set-cookie"), "");
    }
}

#[tokio::test]
async fn only_what_nobody_is_told_by_is_kept() {
    let app = TestApp::with(&KEPT).await;
    let visitor = app.client();
    let of = async |client: &Client, path: &str| nonce(&client.get(path).await);
    let kept = of(&visitor, "/").await;
    for (cookie, value) in [("sf_form", "x".repeat(40)), ("sf_device", "y".repeat(40)), ("anything", "z".to_owned())] {
        let known = app.client();
        known.set_cookie(cookie, &value);
        assert_ne!(of(&known, "/").await, kept, "{cookie}");
    }
    let dark = app.client();
    dark.set_cookie("sf_theme", "dark");
    let night = of(&dark, "/").await;
    assert!(night != kept && night == of(&dark, "/").await, "each theme has its own");
    assert_ne!(of(&visitor, "/?page=2").await, kept);
    let signing_up = of(&visitor, "/sign-up").await;
    assert_ne!(of(&visitor, "/sign-up").await, signing_up, "forms are not kept");
    let gone = visitor.get("/c/nobody-at-all").await;
    assert_eq!((gone.status, visitor.get("/c/nobody-at-all").await.status), (404, 404));
}

#[tokio::test]
async fn a_change_is_seen_by_the_next_visitor() {
    let app = TestApp::with(&KEPT).await;
    let (ada, _) = app.person("ada").await;
    let body =
        json!({"name": "Pip Marrow", "description": "d", "personality": "p", "greeting": "Hi.", "is_public": true});
    assert_eq!(app.client().get("/c/pip-marrow").await.status, 404);
    let made = ada.post_json("/api/ocs", &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let page = app.client().get("/c/pip-marrow").await;
    assert_eq!(page.status, 200, "{}", page.text);
    let path = format!("/api/ocs/{}", made.json()["id"].as_str().unwrap_or_default());
    let etag = ada.get_json(&path).await.json()["version"].clone();
    let change = json!({"title": "keeper of kept pages", "version": etag});
    let changed = ada.json(axum::http::Method::PATCH, &path, &change, &[]).await;
    assert!(changed.status < 300, "{}", changed.text);
    assert!(app.client().get("/c/pip-marrow").await.text.contains("keeper of kept pages"));
}

#[tokio::test]
async fn what_is_kept_is_sent_compressed_to_whoever_reads_that() {
    let app = TestApp::with(&KEPT).await;
    let ask = |accepts: &'static str| {
        let request = Request::get("/c/lumina").header("accept", "text/html").header("accept-encoding", accepts);
        let client = app.client();
        async move { client.send_raw(request.body(Body::empty()).unwrap()).await }
    };
    for (accepts, is) in [("br", Some("br")), ("gzip", Some("gzip")), ("identity", None), ("gzip, br", Some("br"))] {
        let response = ask(accepts).await;
        let encoding = response.headers().get("content-encoding").and_then(|v| v.to_str().ok()).map(str::to_owned);
        assert_eq!(encoding.as_deref(), is, "{accepts}");
        assert!(response.headers().get_all("vary").iter().any(|v| v.as_bytes() == b"accept-encoding"), "{accepts}");
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let plain = match is {
            Some("br") => {
                let mut out = Vec::new();
                std::io::copy(&mut brotli::Decompressor::new(&body[..], 4096), &mut out).unwrap();
                out
            }
            Some(_) => continue,
            None => body.to_vec(),
        };
        assert!(String::from_utf8(plain).unwrap().contains("</html>"), "{accepts}");
    }
}
