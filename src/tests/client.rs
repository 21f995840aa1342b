//! A small browser: keeps cookies, follows nothing by itself.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, header},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tower::ServiceExt;

/// Keeps cookies between requests; clones share them.
#[derive(Clone)]
pub struct Client {
    router: Router,
    cookies: Arc<Mutex<BTreeMap<String, String>>>,
    /// Sent as a bearer token with every request, when set.
    pub bearer: Option<String>,
}

/// What came back, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body as text.
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("not JSON ({e}): {}", self.text))
    }

    /// A header's value, empty if absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// Where it redirects to, empty if nowhere.
    pub fn location(&self) -> &str {
        self.header("location")
    }
}

impl Client {
    pub(super) fn new(router: Router) -> Self {
        Self { router, cookies: Arc::default(), bearer: None }
    }

    /// The cookies as they would be sent.
    pub fn cookies(&self) -> BTreeMap<String, String> {
        self.cookies.lock().unwrap().clone()
    }

    /// Sets or replaces a cookie.
    pub fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    /// Sends a request as it is, with cookies, and gives the response before its body is read.
    pub async fn send_raw(&self, mut request: Request<Body>) -> axum::response::Response {
        let cookies: Vec<String> = self.cookies().iter().map(|(k, v)| format!("{k}={v}")).collect();
        if !cookies.is_empty() && !request.headers().contains_key(header::COOKIE) {
            request.headers_mut().insert(header::COOKIE, cookies.join("; ").parse().unwrap());
        }
        if let Some(token) = &self.bearer {
            request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        }
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        for value in response.headers().get_all(header::SET_COOKIE) {
            let cookie = cookie::Cookie::parse(value.to_str().unwrap()).unwrap();
            let mut jar = self.cookies.lock().unwrap();
            if cookie.value().is_empty() {
                jar.remove(cookie.name());
            } else {
                jar.insert(cookie.name().to_owned(), cookie.value().to_owned());
            }
        }
        response
    }

    /// Sends a request and reads the answer to its end.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.send_raw(request).await;
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 64 << 20).await.expect("the body");
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// A page as a browser asks for it.
    pub async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path).header("accept", "text/html,*/*;q=0.8").header("sec-fetch-site", "none");
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// A JSON route.
    pub async fn get_json(&self, path: &str) -> Answer {
        self.send(Request::get(path).header("accept", "application/json").body(Body::empty()).unwrap()).await
    }

    /// Posts JSON as a program does.
    pub async fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.json(Method::POST, path, body, &[]).await
    }

    /// Any method with a JSON body and further headers.
    pub async fn json(&self, method: Method, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Posts a form as a browser without scripts does.
    pub async fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_form_from(path, "/", fields).await
    }

    /// As [`Client::post_form`], from a page: refused forms come back there.
    pub async fn post_form_from(&self, path: &str, page: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(path)
            .header("accept", "text/html,*/*;q=0.8")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", "http://127.0.0.1:3000")
            .header("sec-fetch-site", "same-origin")
            .header("referer", format!("http://127.0.0.1:3000{page}"));
        self.send(request.body(Body::from(body)).unwrap()).await
    }
}
