//! The least that a page can cost here: an axum handler that returns bytes it holds, with the same headers.

use crate::{Flags, Outcome};
use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use std::{collections::HashMap, sync::Arc};

type Pages = Arc<HashMap<String, (HeaderMap, Bytes)>>;

/// `bare --port P --folder F`: serves `/NAME` from `F/NAME.body` with the lines of `F/NAME.head` as headers.
pub async fn serve(flags: &Flags) -> Outcome {
    let mut pages = HashMap::new();
    for entry in std::fs::read_dir(flags.text("folder"))? {
        let path = entry?.path();
        if path.extension().is_none_or(|e| e != "body") {
            continue;
        }
        let mut headers = HeaderMap::new();
        for line in std::fs::read_to_string(path.with_extension("head"))?.lines() {
            let (name, value) = line.split_once(": ").ok_or("a header without a value")?;
            headers.insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        let name = path.file_stem().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        pages.insert(name, (headers, Bytes::from(std::fs::read(&path)?)));
    }
    let app = Router::new().route("/{name}", get(page)).with_state(Arc::new(pages));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", u16::try_from(flags.number("port", 3991)?)?)).await?;
    println!("{}", serde_json::json!({ "ready": true }));
    Ok(axum::serve(listener, app).await?)
}

async fn page(State(pages): State<Pages>, Path(name): Path<String>) -> Response {
    pages.get(&name).map_or_else(|| StatusCode::NOT_FOUND.into_response(), |page| page.clone().into_response())
}
