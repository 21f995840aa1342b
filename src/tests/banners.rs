//! Pictures beside links on other sites: who gets them, how long they are kept, and what pages say about them.

use super::{Answer, Client, TestApp};
use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request},
};
use serde_json::{Value, json};
use sqlx::Executor;

const LUMINA: &str = "01900000-0000-7000-8000-000000000001";
const ORIGIN: &str = "http://127.0.0.1:3000";

/// An answer whose body is no text.
struct Picture {
    status: u16,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl Picture {
    async fn of(client: &Client, path: &str, known: Option<&str>) -> Self {
        let mut request = Request::get(path).header("accept", "*/*");
        if let Some(tag) = known {
            request = request.header("if-none-match", tag);
        }
        let (parts, body) = client.send_raw(request.body(Body::empty()).unwrap()).await.into_parts();
        let bytes = to_bytes(body, 64 << 20).await.unwrap().to_vec();
        Self { status: parts.status.as_u16(), headers: parts.headers, bytes }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// Width and height, once it is certain that this is a picture.
    fn size(&self) -> (u32, u32) {
        assert_eq!((self.status, self.header("content-type")), (200, "image/png"));
        assert!(self.bytes.starts_with(b"\x89PNG\r\n\x1a\n"));
        let image = image::load_from_memory(&self.bytes).expect("a whole picture");
        (image.width(), image.height())
    }
}

/// What a page says under a name; the page must say it once.
fn told(page: &Answer, name: &str) -> String {
    let quoted = format!("\"{name}\"");
    let mut found = page.text.match_indices(&quoted).map(|(at, _)| {
        let tag = &page.text[at..at + page.text[at..].find('>').unwrap()];
        let (_, rest) = tag.split_once("content=\"").unwrap_or_else(|| panic!("{tag}"));
        rest.split('"').next().unwrap().to_owned()
    });
    let first = found.next().unwrap_or_else(|| panic!("the page tells its {name}"));
    assert_eq!(found.next(), None, "the page tells its {name} once");
    first
}

async fn made(client: &Client, name: &str, rating: &str, is_public: bool) -> Value {
    let body = json!({
        "name": name, "description": "She keeps the lamp at Harrow Point.", "personality": "Listens first.",
        "greeting": "You again.", "content_rating": rating, "is_public": is_public,
        "visual_style": {"background": "#1a1a2e", "primaryColor": "#3d5a99", "accentColor": "#9fd8ff", "mood": "calm", "atmosphere": "dreamy"},
    });
    let made = client.post_json("/api/ocs", &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json()
}

fn address(oc: &Value) -> String {
    format!("/portraits/{}/banner.png", oc["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_character_has_a_picture_for_links() {
    let app = TestApp::new().await;
    let anybody = app.client();
    let page = anybody.get("/c/lumina").await;
    let image = told(&page, "og:image");
    assert_eq!(image, format!("{ORIGIN}/portraits/{LUMINA}/banner.png?v={}", crate::ocs::banner_version(1)));
    assert_eq!(
        ["og:image:type", "og:image:width", "og:image:height", "og:image:alt", "twitter:card"].map(|n| told(&page, n)),
        ["image/png", "1200", "630", "Drawn portrait of Lumina", "summary_large_image"]
    );
    let (_, data) = page.text.split_once("application/ld+json\">").expect("JSON-LD");
    let data: Value = serde_json::from_str(data.split("</script>").next().unwrap()).expect("JSON");
    assert_eq!(data["mainEntity"]["image"][0], image.as_str());

    let banner = Picture::of(&anybody, image.trim_start_matches(ORIGIN), None).await;
    assert_eq!(banner.size(), (1200, 630));
    assert!(banner.bytes.len() < 600_000, "messengers leave larger ones out: {} bytes", banner.bytes.len());
    assert_eq!(banner.header("cache-control"), "public, max-age=604800, immutable");
    assert_eq!(banner.header("cross-origin-resource-policy"), "cross-origin", "other sites may show it");
    let tag = banner.header("etag");
    assert!(!tag.is_empty());
    let again = Picture::of(&anybody, image.trim_start_matches(ORIGIN), Some(tag)).await;
    assert_eq!((again.status, again.bytes.len(), again.header("etag")), (304, 0, tag));
    for other in ["", "?v=1", "?v=99-1-1"] {
        let plain = Picture::of(&anybody, &format!("/portraits/{LUMINA}/banner.png{other}"), None).await;
        assert_eq!(plain.header("cache-control"), "public, no-cache", "only the right version is for ever");
        assert_eq!(plain.bytes, banner.bytes);
    }
}

#[tokio::test]
async fn whoever_does_not_see_a_character_does_not_see_its_picture() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let (eve, _) = app.person("eve").await;
    let of_sixteen = "update profile_private set birth_date = (now() - interval '16 years')::date
                      where user_id = (select user_id from profiles where username = 'eve')";
    app.sql().await.execute(of_sixteen).await.unwrap();
    let anybody = app.client();
    let draft = made(&ada, "Mira", "general", false).await;
    let mature = made(&ada, "Nocturne", "mature", true).await;
    for oc in [&draft, &mature] {
        // The owner first: that the picture is kept by now must help nobody else.
        let own = Picture::of(&ada, &format!("{}?v={}", address(oc), crate::ocs::banner_version(1)), None).await;
        assert_eq!(own.size(), (1200, 630));
        assert_eq!(own.header("cache-control"), "private, max-age=604800, immutable");
        assert_eq!(own.header("cross-origin-resource-policy"), "same-origin");
        for stranger in [&eve, &anybody] {
            let none = Picture::of(stranger, &address(oc), None).await;
            assert_eq!((none.status, none.header("cache-control")), (404, "no-store"));
            let known = Picture::of(stranger, &address(oc), Some(own.header("etag"))).await;
            assert_eq!(known.status, 404, "the tag is no key");
        }
    }
    for unknown in ["01900000-0000-7000-8000-0000000000ff", "nonsense", "preview.svg"] {
        assert_eq!(Picture::of(&ada, &format!("/portraits/{unknown}/banner.png"), None).await.status, 404, "{unknown}");
    }
    let page = ada.get(&format!("/c/{}", draft["slug"].as_str().unwrap())).await;
    assert!(page.text.contains("noindex") && told(&page, "og:image").contains("/banner.png"));
}

#[tokio::test]
async fn a_changed_character_has_another_picture_at_another_address() {
    let app = TestApp::new().await;
    let (ada, _) = app.person("ada").await;
    let oc = made(&ada, "Mira", "general", true).await;
    let mut seen: Vec<(String, Vec<u8>)> = Vec::new();
    let red = json!({"background": "#3a0a0a", "primaryColor": "#cc3322", "accentColor": "#ffcc66", "mood": "calm", "atmosphere": "dreamy"});
    for step in ["made", "red", "uploaded"] {
        match step {
            "red" => {
                let path = format!("/api/ocs/{}", oc["id"].as_str().unwrap());
                let changed = ada.json(Method::PATCH, &path, &json!({"visual_style": red}), &[]).await;
                assert_eq!(changed.status, 200, "{}", changed.text);
            }
            "uploaded" => {
                let mut body =
                    b"--sf\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\n".to_vec();
                body.extend(super::avatars::png(300));
                body.extend(b"\r\n--sf--\r\n");
                let request = Request::post("/c/mira/avatar")
                    .header("content-type", "multipart/form-data; boundary=sf")
                    .header("sec-fetch-site", "same-origin");
                assert_eq!(ada.send(request.body(Body::from(body)).unwrap()).await.status, 204);
            }
            _ => {}
        }
        let image = told(&app.client().get("/c/mira").await, "og:image").trim_start_matches(ORIGIN).to_owned();
        let banner = Picture::of(&app.client(), &image, None).await;
        assert_eq!(banner.size(), (1200, 630));
        assert!(banner.header("cache-control").contains("immutable"), "{step}");
        assert!(seen.iter().all(|(address, bytes)| *address != image && *bytes != banner.bytes), "{step}");
        seen.push((image, banner.bytes));
    }
    // The uploaded plate stands in the middle: it is all of one colour.
    let shown = image::load_from_memory(&seen[2].1).unwrap().to_rgb8();
    let [r, g, b] = shown.get_pixel(600, 315).0.map(i32::from);
    assert!((r - 90).abs() < 6 && (g - 30).abs() < 6 && (b - 200).abs() < 6, "{r} {g} {b}");
}

#[tokio::test]
async fn every_other_page_has_the_picture_of_the_site() {
    let app = TestApp::new().await;
    let anybody = app.client();
    let image = told(&anybody.get("/").await, "og:image");
    for page in ["/characters", "/summon", "/sign-up", "/developers"] {
        assert_eq!(told(&anybody.get(page).await, "og:image"), image, "{page}");
    }
    let banner =
        Picture::of(&anybody, image.strip_prefix(ORIGIN).expect("an address with the site's origin"), None).await;
    assert_eq!(banner.size(), (1200, 630));
    assert_eq!(banner.header("cache-control"), "public, max-age=604800, immutable");
    let again = Picture::of(&anybody, "/banner.png", Some(banner.header("etag"))).await;
    assert_eq!(again.status, 304);
}
