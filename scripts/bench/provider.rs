//! A provider of the `OpenAI` protocol that writes the time instead of words: each piece says when it was sent, so whoever
//! reads it knows how long it was on its way.

use crate::{Flags, Outcome};
use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// How it writes.
#[derive(Clone, Copy)]
struct Pace {
    first: Duration,
    between: Duration,
    pieces: u64,
}

/// Now, in nanoseconds; all parts run on one machine.
pub fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
}

/// `provider --port P [--first ms] [--between ms] [--pieces N]`.
pub async fn serve(flags: &Flags) -> Outcome {
    let pace = Pace {
        first: Duration::from_millis(flags.number("first", 200)?),
        between: Duration::from_millis(flags.number("between", 50)?),
        pieces: flags.number("pieces", 80)?,
    };
    let models = || async { Json(json!({ "object": "list", "data": [{ "id": "clock", "object": "model" }] })) };
    let app =
        Router::new().route("/v1/chat/completions", post(complete)).route("/v1/models", get(models)).with_state(pace);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", u16::try_from(flags.number("port", 3992)?)?)).await?;
    println!("{}", json!({ "ready": true }));
    Ok(axum::serve(listener, app).await?)
}

fn frame(data: &Value) -> Result<Bytes, Infallible> {
    Ok(Bytes::from(format!("data: {data}\n\n")))
}

fn piece(text: &str) -> Value {
    json!({ "id": "c", "object": "chat.completion.chunk", "model": "clock",
            "choices": [{ "index": 0, "delta": { "role": "assistant", "content": text }, "finish_reason": null }] })
}

async fn complete(State(pace): State<Pace>, Json(asked): Json<Value>) -> Response {
    let arrived = now();
    if asked["stream"] != true {
        let message = json!({ "role": "assistant", "content": "Tick." });
        let choices = json!([{ "index": 0, "message": message, "finish_reason": "stop" }]);
        return Json(json!({ "id": "c", "object": "chat.completion", "model": "clock", "choices": choices,
                            "usage": { "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 } }))
        .into_response();
    }
    let (sender, receiver) = mpsc::channel(8);
    tokio::spawn(async move {
        let began = tokio::time::Instant::now() + pace.first;
        for n in 0..pace.pieces {
            tokio::time::sleep_until(began + pace.between * u32::try_from(n).unwrap_or_default()).await;
            let text = if n == 0 { format!("r{arrived} s{} ", now()) } else { format!("s{} ", now()) };
            if sender.send(frame(&piece(&text))).await.is_err() {
                return;
            }
        }
        let mut last = piece("");
        last["choices"] = json!([{ "index": 0, "delta": {}, "finish_reason": "stop" }]);
        let _ = sender.send(frame(&last)).await;
        let usage =
            json!({ "prompt_tokens": 100, "completion_tokens": pace.pieces, "total_tokens": pace.pieces + 100 });
        let _ = sender
            .send(frame(&json!({ "id": "c", "object": "chat.completion.chunk", "model": "clock",
                                           "choices": [], "usage": usage })))
            .await;
        let _ = sender.send(Ok(Bytes::from_static(b"data: [DONE]\n\n"))).await;
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(ReceiverStream::new(receiver))).into_response()
}
