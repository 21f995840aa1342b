//! Reads streams of server-sent events as a browser does.

use super::Client;
use axum::{
    body::{Body, BodyDataStream},
    http::Request,
};
use futures::StreamExt;
use serde_json::Value;
use std::time::Duration;

/// One event of a stream.
#[derive(Debug)]
pub struct Event {
    /// Its kind.
    pub name: String,
    /// Where the stream goes on after it, in bytes.
    pub id: Option<u64>,
    /// What it says.
    pub data: Value,
}

impl Event {
    /// Its words, if it brings any.
    pub fn text(&self) -> &str {
        self.data["text"].as_str().unwrap_or_default()
    }
}

/// An open stream.
pub struct Events {
    /// The answer's status.
    pub status: u16,
    body: BodyDataStream,
    buffer: Vec<u8>,
}

impl Events {
    /// Asks for a stream, after this event if there is one.
    pub async fn open(client: &Client, path: &str, last: Option<u64>) -> Self {
        let mut request = Request::get(path).header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        Self::of(client.send_raw(request.body(Body::empty()).unwrap()).await)
    }

    /// An answer that is a stream.
    pub fn of(response: axum::response::Response) -> Self {
        let status = response.status().as_u16();
        Self { status, body: response.into_body().into_data_stream(), buffer: Vec::new() }
    }

    /// The next event; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|w| w == b"\n\n") {
                let frame: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let frame = String::from_utf8(frame).expect("whole characters");
                let field =
                    |name: &str| frame.lines().find_map(|l| l.strip_prefix(name)).map(|v| v.trim_start().to_owned());
                let Some(name) = field("event:") else { continue };
                return Some(Event {
                    name,
                    id: field("id:").and_then(|v| v.parse().ok()),
                    data: serde_json::from_str(&field("data:").unwrap_or_default()).expect("JSON"),
                });
            }
            match tokio::time::timeout(Duration::from_secs(15), self.body.next()).await.expect("an event in time") {
                Some(bytes) => self.buffer.extend_from_slice(&bytes.expect("a whole body")),
                None => return None,
            }
        }
    }

    /// Words up to the first event that brings none, and that event.
    pub async fn until_end(&mut self) -> (String, Event) {
        let mut text = String::new();
        loop {
            let event = self.next().await.expect("an end before the stream ends");
            match event.name.as_str() {
                "delta" => text.push_str(event.text()),
                "queued" | "started" | "accepted" => {}
                _ => return (text, event),
            }
        }
    }
}
