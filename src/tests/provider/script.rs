//! A provider on a local port that does what a test wrote for it, in both protocols.

use crate::ai::remote::{Endpoint, Outgoing, Timeouts, anthropic, openai};
use crate::ai::{Capabilities, Chunk, Finish, FinishReason, Message, ModelError, Reply, Request, SharedModel};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri},
    response::Response,
};
use serde_json::{Value, json};
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// The key that the endpoints of a scripted provider have.
pub const KEY: &str = "sk-canary-0123456789abcdefghij";

/// One thing that the provider does.
#[derive(Clone)]
pub enum Act {
    /// Answers with this status; only before anything else.
    Status(u16),
    /// Adds a line to the head; only before anything else.
    Header(&'static str, String),
    /// Says this.
    Text(String),
    /// Thinks this.
    Thought(String),
    /// Calls a tool: id, name, and the arguments in pieces.
    Tool(&'static str, &'static str, Vec<&'static str>),
    /// Sends bytes as they are.
    Raw(Vec<u8>),
    /// Sends a failure inside the stream: its kind and its message.
    Fail(&'static str, String),
    /// Ends the reply for this reason: `stop`, `length`, `tools`, `refused`. What comes behind it is its cost.
    End(&'static str),
    /// Waits.
    Wait(Duration),
    /// Waits until the test lets it go on.
    Gate(Arc<Notify>),
    /// Breaks the connection off.
    Break,
    /// Says this again and again, without end.
    Endless(String),
    /// Thinks without end.
    EndlessThought,
    /// Shows that it is there, without end, and says nothing.
    EndlessPing,
}

impl Act {
    /// Says this.
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// Sends this as it is.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self::Raw(bytes.as_ref().to_vec())
    }

    /// Sends this as the whole answer.
    pub fn whole(value: &Value) -> Self {
        Self::Raw(value.to_string().into_bytes())
    }
}

/// A reply of two pieces.
pub fn hello() -> Vec<Act> {
    vec![Act::text("Hello "), Act::text("there."), Act::End("stop")]
}

/// Either protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// Chat Completions.
    OpenAi,
    /// Messages.
    Anthropic,
}

/// Both of them.
pub const BOTH: [Speaks; 2] = [Speaks::OpenAi, Speaks::Anthropic];

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `POST /v1/messages` and the like.
    pub line: String,
    /// Its head.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Value,
}

type Script = Arc<dyn Fn(&Asked, usize) -> Vec<Act> + Send + Sync>;

struct Stage {
    openai: Mutex<Script>,
    anthropic: Mutex<Script>,
    asked: Mutex<Vec<Asked>>,
    dropped: AtomicUsize,
}

/// A provider that answers by script, remembers what it was asked, and counts who hung up.
pub struct ScriptedProvider {
    /// Where it listens.
    pub address: SocketAddr,
    stage: Arc<Stage>,
    stop: CancellationToken,
    outgoing: Outgoing,
}

impl Drop for ScriptedProvider {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl ScriptedProvider {
    /// Listens on a free port and says hello until told otherwise.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let script: Script = Arc::new(|_, _| hello());
        let stage = Arc::new(Stage {
            openai: Mutex::new(script.clone()),
            anthropic: Mutex::new(script),
            asked: Mutex::default(),
            dropped: AtomicUsize::new(0),
        });
        let router = Router::new().fallback(play).with_state(Arc::clone(&stage));
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            let served = axum::serve(listener, router);
            tokio::select! {
                _ = served => {}
                () = stopped.cancelled() => {}
            }
        });
        let outgoing = Outgoing::new(vec![address.to_string()]);
        Self { address, stage, stop, outgoing }
    }

    /// What it does from now on when it is asked by Chat Completions. The script gets the request and how many came
    /// before it.
    pub fn openai(&self, script: impl Fn(&Asked, usize) -> Vec<Act> + Send + Sync + 'static) {
        *self.stage.openai.lock().unwrap() = Arc::new(script);
    }

    /// The same for the Messages API.
    pub fn anthropic(&self, script: impl Fn(&Asked, usize) -> Vec<Act> + Send + Sync + 'static) {
        *self.stage.anthropic.lock().unwrap() = Arc::new(script);
    }

    /// The same for both.
    pub fn both(&self, script: impl Fn(&Asked, usize) -> Vec<Act> + Clone + Send + Sync + 'static) {
        self.openai(script.clone());
        self.anthropic(script);
    }

    /// Does this for every request of either protocol.
    pub fn plays(&self, acts: Vec<Act>) {
        self.both(move |_, _| acts.clone());
    }

    /// Everything it was asked.
    pub fn asked(&self) -> Vec<Asked> {
        self.stage.asked.lock().unwrap().clone()
    }

    /// How often it was asked.
    pub fn count(&self) -> usize {
        self.stage.asked.lock().unwrap().len()
    }

    /// How many hung up before the script was at its end.
    pub fn dropped(&self) -> usize {
        self.stage.dropped.load(Ordering::SeqCst)
    }

    /// What may be reached: this provider alone.
    pub fn outgoing(&self) -> Outgoing {
        self.outgoing.clone()
    }

    /// The base address for a protocol.
    pub fn base(&self, speaks: Speaks) -> url::Url {
        let path = if speaks == Speaks::OpenAi { "/v1" } else { "" };
        format!("http://{}{path}", self.address).parse().expect("an address")
    }

    /// One model of it, with all capabilities but thinking.
    pub fn endpoint(&self, speaks: Speaks) -> Endpoint {
        Endpoint {
            provider: "Acme".into(),
            base_url: self.base(speaks),
            key: Some(KEY.to_owned().into()),
            model: "acme-1".into(),
            context: 32_000,
            max_output: 4000,
            capabilities: Capabilities { tools: true, prompt_cache: true, prefill: true, ..Capabilities::default() },
            timeouts: Timeouts {
                connect: Duration::from_secs(2),
                first_token: Duration::from_secs(5),
                between_tokens: Duration::from_secs(5),
                total: Duration::from_secs(30),
            },
        }
    }

    /// That model.
    pub fn model(&self, speaks: Speaks) -> SharedModel {
        self.model_with(speaks, |_| {})
    }

    /// That model, changed.
    pub fn model_with(&self, speaks: Speaks, change: impl FnOnce(&mut Endpoint)) -> SharedModel {
        let mut endpoint = self.endpoint(speaks);
        change(&mut endpoint);
        match speaks {
            Speaks::OpenAi => openai(&self.outgoing, endpoint),
            Speaks::Anthropic => anthropic(&self.outgoing, endpoint),
        }
    }
}

/// What was heard of a reply.
#[derive(Debug, Default)]
pub struct Heard {
    /// All text.
    pub text: String,
    /// Everything else, in order.
    pub chunks: Vec<Chunk>,
    /// How it failed.
    pub error: Option<ModelError>,
}

impl Heard {
    /// Why and at what cost it ended.
    pub fn finish(&self) -> Finish {
        match self.chunks.last() {
            Some(Chunk::Done(finish)) => finish.clone(),
            _ => panic!("it did not end well: {self:?}"),
        }
    }

    /// Why it ended.
    pub fn reason(&self) -> FinishReason {
        self.finish().reason
    }

    /// The kind of its failure, empty when there is none.
    pub fn kind(&self) -> &'static str {
        self.error.as_ref().map_or("", ModelError::kind)
    }

    /// The note about who answered, empty when there is none.
    pub fn note(&self) -> &str {
        let mut notes = self.chunks.iter().filter_map(|c| match c {
            Chunk::Via { note, .. } => Some(note.as_str()),
            _ => None,
        });
        notes.next_back().unwrap_or_default()
    }
}

/// Hears a reply to its end.
pub async fn listen(mut reply: Reply) -> Heard {
    let mut heard = Heard::default();
    while let Some(chunk) = reply.recv().await {
        assert!(
            heard.error.is_none() && !matches!(heard.chunks.last(), Some(Chunk::Done(_))),
            "after the end: {chunk:?}"
        );
        match chunk {
            Ok(Chunk::Text(text)) => {
                assert!(!text.is_empty());
                heard.text.push_str(&text);
            }
            Ok(Chunk::TakeBack) => {
                heard.text.clear();
                heard.chunks.push(Chunk::TakeBack);
            }
            Ok(chunk) => heard.chunks.push(chunk),
            Err(error) => heard.error = Some(error),
        }
    }
    heard
}

/// Asks for a short reply.
pub async fn ask(model: &SharedModel) -> Heard {
    listen(model.reply(request(), CancellationToken::new())).await
}

/// A short talk.
pub fn request() -> Request {
    Request::new(vec![Message::system("You are Mira."), Message::user("Hello")])
}

async fn play(State(stage): State<Arc<Stage>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let asked =
        Asked { line: format!("{method} {uri}"), headers, body: serde_json::from_slice(&body).unwrap_or(Value::Null) };
    // The lists of both protocols may have the same address.
    let speaks = match uri.path().ends_with("/messages") || asked.headers.contains_key("anthropic-version") {
        true => Speaks::Anthropic,
        false => Speaks::OpenAi,
    };
    let before = {
        let mut all = stage.asked.lock().unwrap();
        all.push(asked.clone());
        all.len() - 1
    };
    let script = match speaks {
        Speaks::OpenAi => stage.openai.lock().unwrap().clone(),
        Speaks::Anthropic => stage.anthropic.lock().unwrap().clone(),
    };
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert("content-type", HeaderValue::from_static("text/event-stream"));
    let mut acts = Vec::new();
    for act in script(&asked, before) {
        match act {
            Act::Status(status) => *response.status_mut() = StatusCode::from_u16(status).expect("a status"),
            Act::Header(name, value) => {
                let value = HeaderValue::from_str(&value).expect("a header");
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
            other => acts.push(other),
        }
    }
    let is_good = response.status() == StatusCode::OK;
    let (sender, receiver) = mpsc::channel::<Result<Bytes, io::Error>>(1);
    tokio::spawn(async move {
        let played = perform(acts, speaks, is_good, &sender);
        tokio::select! {
            () = played => {}
            () = sender.closed() => { stage.dropped.fetch_add(1, Ordering::SeqCst); }
        }
    });
    *response.body_mut() = Body::from_stream(ReceiverStream::new(receiver));
    response
}

async fn perform(acts: Vec<Act>, speaks: Speaks, is_good: bool, out: &mpsc::Sender<Result<Bytes, io::Error>>) {
    let mut voice = Wire { speaks, blocks: 0, begun: false };
    let send = async |bytes: Vec<u8>| drop(out.send(Ok(Bytes::from(bytes))).await);
    for act in acts {
        match act {
            Act::Raw(bytes) => send(bytes).await,
            // A failure has a body, not a stream.
            Act::Fail(kind, message) if !is_good => send(failure(kind, &message).to_string().into_bytes()).await,
            Act::Wait(time) => tokio::time::sleep(time).await,
            Act::Gate(gate) => gate.notified().await,
            Act::Break => {
                // What was sent before must be on its way before the connection goes.
                tokio::time::sleep(Duration::from_millis(30)).await;
                drop(out.send(Err(io::Error::other("broken off"))).await);
                return;
            }
            Act::Endless(text) => loop {
                send(voice.frames(&Act::Text(text.clone()))).await;
                // Whoever hung up must be noticed.
                tokio::task::yield_now().await;
            },
            Act::EndlessThought => loop {
                send(voice.frames(&Act::Thought("hm ".into()))).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            },
            Act::EndlessPing => loop {
                send(b": waiting\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n".to_vec()).await;
                tokio::time::sleep(Duration::from_millis(5)).await;
            },
            other => send(voice.frames(&other)).await,
        }
    }
}

fn failure(kind: &str, message: &str) -> Value {
    json!({ "type": "error", "error": { "type": kind, "code": kind, "message": message } })
}

/// Writes acts as frames.
struct Wire {
    speaks: Speaks,
    blocks: u64,
    begun: bool,
}

impl Wire {
    fn frames(&mut self, act: &Act) -> Vec<u8> {
        let values = match self.speaks {
            Speaks::OpenAi => self.openai(act),
            Speaks::Anthropic => self.anthropic(act),
        };
        let mut text = String::new();
        for value in values {
            if self.speaks == Speaks::Anthropic {
                text.push_str(&format!("event: {}\n", value["type"].as_str().unwrap_or_default()));
            }
            text.push_str(&format!("data: {value}\n\n"));
        }
        if self.speaks == Speaks::OpenAi && matches!(act, Act::End(_)) {
            text.push_str("data: [DONE]\n\n");
        }
        text.into_bytes()
    }

    fn openai(&mut self, act: &Act) -> Vec<Value> {
        let chunk = |delta: Value, finish: Value| {
            json!({ "id": "c", "object": "chat.completion.chunk", "model": "acme-1", "usage": null,
                "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] })
        };
        match act {
            Act::Text(text) => vec![chunk(json!({ "content": text }), Value::Null)],
            Act::Thought(text) => vec![chunk(json!({ "reasoning_content": text, "content": null }), Value::Null)],
            Act::Tool(id, name, pieces) => {
                let index = self.blocks;
                self.blocks += 1;
                let first = json!({ "tool_calls": [{ "index": index, "id": id, "type": "function",
                    "function": { "name": name, "arguments": "" } }] });
                let piece = |text: &&str| {
                    chunk(json!({ "tool_calls": [{ "index": index, "function": { "arguments": text } }] }), Value::Null)
                };
                std::iter::once(chunk(first, Value::Null)).chain(pieces.iter().map(piece)).collect()
            }
            Act::Fail(kind, message) => vec![failure(kind, message)],
            Act::End(why) => {
                let why = match *why {
                    "tools" => "tool_calls",
                    "refused" => "content_filter",
                    other => other,
                };
                vec![
                    chunk(json!({}), json!(why)),
                    json!({ "id": "c", "choices": [], "usage": { "prompt_tokens": 120, "completion_tokens": 9,
                        "prompt_tokens_details": { "cached_tokens": 100 } } }),
                ]
            }
            _ => Vec::new(),
        }
    }

    fn anthropic(&mut self, act: &Act) -> Vec<Value> {
        let mut out = Vec::new();
        if !std::mem::replace(&mut self.begun, true) {
            out.push(json!({ "type": "message_start", "message": { "id": "m", "type": "message", "content": [],
                "usage": { "input_tokens": 15, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 5, "output_tokens": 1 } } }));
        }
        let index = self.blocks;
        let mut block = |start: Value, deltas: Vec<Value>| {
            out.push(json!({ "type": "content_block_start", "index": index, "content_block": start }));
            out.extend(
                deltas.into_iter().map(|d| json!({ "type": "content_block_delta", "index": index, "delta": d })),
            );
            out.push(json!({ "type": "content_block_stop", "index": index }));
            self.blocks += 1;
        };
        match act {
            Act::Text(text) => {
                block(json!({ "type": "text", "text": "" }), vec![json!({ "type": "text_delta", "text": text })]);
            }
            Act::Thought(text) => block(
                json!({ "type": "thinking", "thinking": "", "signature": "" }),
                vec![
                    json!({ "type": "thinking_delta", "thinking": text }),
                    json!({ "type": "signature_delta", "signature": "c2ln" }),
                ],
            ),
            Act::Tool(id, name, pieces) => block(
                json!({ "type": "tool_use", "id": id, "name": name, "input": {} }),
                pieces.iter().map(|p| json!({ "type": "input_json_delta", "partial_json": p })).collect(),
            ),
            Act::Fail(kind, message) => out.push(failure(kind, message)),
            Act::End(why) => {
                let why = match *why {
                    "tools" => "tool_use",
                    "refused" => "refusal",
                    "length" => "max_tokens",
                    _ => "end_turn",
                };
                out.push(json!({ "type": "message_delta", "delta": { "stop_reason": why }, "usage": { "output_tokens": 9 } }));
                out.push(json!({ "type": "message_stop" }));
            }
            _ => {}
        }
        out
    }
}
