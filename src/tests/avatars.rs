//! Pictures of people: judged by their bytes, never by their names.

use super::{Answer, Client, TestApp};
use axum::{body::Body, http::Request};

fn multipart(bytes: &[u8], name: &str, kind: &str) -> Body {
    let mut body = format!(
        "--sf\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\ncontent-type: {kind}\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(bytes);
    body.extend_from_slice(b"\r\n--sf--\r\n");
    Body::from(body)
}

/// Uploads a picture as a form does.
pub(super) async fn upload(client: &Client, bytes: &[u8], name: &str, kind: &str, accept: &str) -> Answer {
    let request = Request::post("/settings/avatar")
        .header("content-type", "multipart/form-data; boundary=sf")
        .header("sec-fetch-site", "same-origin")
        .header("accept", accept);
    client.send(request.body(multipart(bytes, name, kind)).unwrap()).await
}

/// A square picture.
pub(super) fn png(side: u32) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(side, side, image::Rgb([90, 30, 200]))
        .write_to(&mut out, image::ImageFormat::Png)
        .unwrap();
    out.into_inner()
}

#[tokio::test]
async fn avatars_are_judged_by_their_bytes() {
    let app = TestApp::new().await;
    let (client, _) = app.person("ada").await;
    let json = "application/json";
    for (bytes, name) in [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>".to_vec(), "a.png"),
        (b"<html><script>alert(1)</script></html>".to_vec(), "../../a.png"),
        (b"GIF89a/*<script>*/=1;alert(1)".to_vec(), "a.gif"),
        (vec![], "a.png"),
    ] {
        let answer = upload(&client, &bytes, name, "image/png", json).await;
        assert_eq!(
            (answer.status, answer.json()["error"]["field"].as_str()),
            (422, Some("file")),
            "{name}: {}",
            answer.text
        );
    }
    let answer = upload(&client, &vec![0; 6 * 1024 * 1024], "a.png", "image/png", json).await;
    assert_eq!(answer.status, 413, "{}", answer.text);
    assert_eq!(upload(&app.client(), &png(8), "a.png", "image/png", json).await.status, 401);

    // A plain form is told on the page.
    let answer = upload(&client, b"<svg/>", "a.svg", "image/svg+xml", "text/html").await;
    assert_eq!(answer.status, 303);
    assert!(client.get(answer.location()).await.text.contains("Please choose a JPEG"));

    let mut polyglot = png(700);
    polyglot.extend_from_slice(b"<script>alert(1)</script>");
    let answer = upload(&client, &polyglot, "a.html", "text/html", "text/html").await;
    assert_eq!((answer.status, answer.location()), (303, "/settings/profile?saved=picture"));
    let address = client.get_json("/api/me").await.json()["avatar_url"].as_str().unwrap().to_owned();
    let picture = app.client().get(&address).await;
    assert_eq!((picture.status, picture.header("content-type")), (200, "image/jpeg"));
    assert!(picture.header("cache-control").contains("immutable"));
    assert!(picture.header("content-security-policy").contains("sandbox"));
    assert!(!picture.text.contains("<script"));
    for path in ["/avatars/..%2f..%2fetc%2fpasswd", "/avatars/none.jpg", "/avatars/..", "/avatars/%00"] {
        assert_ne!(client.get(path).await.status, 200, "{path}");
    }

    client.post_form_from("/fn/accounts/remove_avatar", "/settings/profile", &[]).await;
    assert!(client.get_json("/api/me").await.json()["avatar_url"].is_null());
    assert_eq!(client.get(&address).await.status, 404);
}
