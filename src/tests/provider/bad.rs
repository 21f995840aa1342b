//! Everything that goes wrong, in both protocols.

use super::{Act, BOTH, KEY, ScriptedProvider, Speaks, ask, hello, listen, request};
use crate::ai::{Chunk, FinishReason, Message, ModelError};
use serde_json::json;
use std::{
    io,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn a_provider_that_is_down_cannot_be_reached() {
    let provider = ScriptedProvider::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dead = listener.local_addr().unwrap();
    drop(listener);
    provider.outgoing().set_local_hosts(vec!["127.0.0.1".into()]);
    for speaks in BOTH {
        let model = provider.model_with(speaks, |e| {
            e.base_url = format!("http://{dead}").parse().unwrap();
            e.model = format!("{speaks:?}");
        });
        let heard = ask(&model).await;
        assert_eq!(heard.error, Some(ModelError::Unreachable { provider: "Acme".into() }));
        assert!(!heard.error.unwrap().to_string().contains("127.0.0.1"));
    }
}

#[tokio::test]
async fn a_slow_provider_is_given_up() {
    let provider = ScriptedProvider::start().await;
    let hasty = |speaks| {
        provider.model_with(speaks, |e| {
            e.timeouts.first_token = Duration::from_millis(300);
            e.timeouts.between_tokens = Duration::from_millis(200);
            e.timeouts.total = Duration::from_secs(2);
        })
    };
    for speaks in BOTH {
        for waits in [
            vec![Act::Wait(Duration::from_secs(20))],
            vec![Act::raw(": hello\n\n"), Act::Wait(Duration::from_secs(20))],
            vec![Act::EndlessPing],
        ] {
            provider.plays(waits);
            let began = Instant::now();
            let heard = ask(&hasty(speaks)).await;
            assert_eq!(heard.kind(), "timeout", "{speaks:?} {heard:?}");
            assert!(began.elapsed() < Duration::from_secs(2));
        }
        // Silence after some words: they stay.
        provider.plays(vec![Act::text("Hello "), Act::Wait(Duration::from_secs(20))]);
        let heard = ask(&hasty(speaks)).await;
        assert_eq!((heard.text.as_str(), heard.kind()), ("Hello ", "timeout"));
        // Slow, but never silent for long.
        let mut slow: Vec<Act> = (0..6).flat_map(|_| [Act::text("x"), Act::Wait(Duration::from_millis(100))]).collect();
        slow.push(Act::End("stop"));
        provider.plays(slow);
        assert_eq!(ask(&hasty(speaks)).await.text, "xxxxxx");
    }
    let before = provider.count();
    provider.plays(vec![Act::Wait(Duration::from_secs(20))]);
    let patient = provider.model_with(Speaks::OpenAi, |e| e.timeouts.total = Duration::from_millis(200));
    assert_eq!(ask(&patient).await.kind(), "timeout");
    assert_eq!(provider.count(), before + 1, "silence is not asked again");
}

#[tokio::test]
async fn an_answer_that_breaks_off_keeps_its_words() {
    let provider = ScriptedProvider::start().await;
    for speaks in BOTH {
        let half: &[u8] = b"data: {\"type\":\"content_block_delta\",\"choices\":[{\"delta\":{\"con";
        for end in [vec![Act::raw(half), Act::Break], vec![Act::raw(half)], vec![Act::Break], vec![]] {
            let mut acts = vec![Act::text("Hello "), Act::text("the")];
            acts.extend(end);
            provider.plays(acts);
            let heard = ask(&provider.model(speaks)).await;
            assert_eq!(heard.text, "Hello the");
            assert_eq!(heard.kind(), "bad_response", "{heard:?}");
            assert!(heard.error.unwrap().to_string().contains("in the middle"));
        }
        // Before the first word it is tried again, and the receipt says so.
        let again = provider.model_with(speaks, |e| e.model = "again".into());
        provider.both(|_, before| if before % 2 == 0 { vec![Act::Break] } else { hello() });
        if provider.count() % 2 == 1 {
            ask(&again).await;
        }
        let heard = ask(&again).await;
        assert_eq!(heard.text, "Hello there.");
        assert!(heard.note().starts_with("Acme answered at try 2"), "{}", heard.note());
        assert!(matches!(heard.chunks.iter().rev().nth(1), Some(Chunk::Via { model, .. }) if model == "again"));
    }
}

#[tokio::test]
async fn a_web_page_is_no_answer() {
    let provider = ScriptedProvider::start().await;
    let page = "\n<!doctype html><html><title>Sign in to proxy-7.corp</title></html>";
    for speaks in BOTH {
        provider.plays(vec![Act::Header("content-type", "text/html".into()), Act::raw(page)]);
        let heard = ask(&provider.model(speaks)).await;
        assert_eq!(heard.kind(), "bad_response");
        assert!(!heard.error.unwrap().to_string().contains("proxy-7"));
        for nothing in ["", "hello", "{\"hello\": 1}", "{\"choices\"", "data: hello\n\n", "[]"] {
            provider.plays(vec![Act::raw(nothing)]);
            let heard = ask(&provider.model_with(speaks, |e| e.model = nothing.into())).await;
            assert_eq!((heard.text.as_str(), heard.kind()), ("", "bad_response"), "{speaks:?} {nothing}");
        }
        provider.plays(vec![Act::Status(502), Act::raw(page)]);
        let before = provider.count();
        let heard = ask(&provider.model_with(speaks, |e| e.model = "page".into())).await;
        assert_eq!(heard.kind(), "overloaded");
        assert_eq!(provider.count(), before + 3, "three tries");
    }
}

#[tokio::test]
async fn refusals_are_final() {
    let provider = ScriptedProvider::start().await;
    let cases = [
        (400, "invalid_request_error", "rejected"),
        (401, "authentication_error", "auth"),
        (402, "billing_error", "rejected"),
        (403, "permission_error", "rejected"),
        (404, "not_found_error", "rejected"),
        (413, "request_too_large", "too_long"),
        (429, "insufficient_quota", "rejected"),
        (307, "moved", "bad_response"),
    ];
    for speaks in BOTH {
        for (status, kind, wanted) in cases {
            provider.plays(vec![
                Act::Status(status),
                Act::Header("location", format!("http://{}/elsewhere", provider.address)),
                Act::Fail(kind, "no".into()),
            ]);
            let before = provider.count();
            let heard = ask(&provider.model(speaks)).await;
            assert_eq!(heard.kind(), wanted, "{speaks:?} {status}");
            assert_eq!(provider.count(), before + 1, "{status} is not asked again, a redirect is not followed");
        }
    }
}

#[tokio::test]
async fn a_limit_is_waited_for_when_that_is_soon() {
    let provider = ScriptedProvider::start().await;
    let limited = move |name: &'static str, value: String| {
        vec![Act::Status(429), Act::Header(name, value), Act::Fail("rate_limit_error", "slow down".into())]
    };
    for speaks in BOTH {
        let start = provider.count();
        provider.both(move |_, n| if n == start { limited("retry-after", "1".into()) } else { hello() });
        let began = Instant::now();
        let heard = ask(&provider.model(speaks)).await;
        assert_eq!(heard.text, "Hello there.");
        assert!(began.elapsed() >= Duration::from_secs(1));
        assert!(heard.note().contains("took no more requests"), "{}", heard.note());

        let model = provider.model(speaks);
        provider.plays(limited("retry-after", "900".into()));
        let heard = ask(&model).await;
        assert_eq!(heard.error, Some(ModelError::RateLimited { provider: "Acme".into(), retry_after: Some(900) }));
        assert!(heard.error.unwrap().to_string().ends_with("try again in 15 minutes"));
        let later = (chrono::Utc::now() + chrono::TimeDelta::seconds(60)).format("%a, %d %b %Y %H:%M:%S GMT");
        provider.plays(limited("retry-after", later.to_string()));
        let heard = ask(&model).await;
        assert!(
            matches!(heard.error, Some(ModelError::RateLimited { retry_after: Some(50..=60), .. })),
            "{:?}",
            heard.error
        );
        let count = provider.count();
        provider.plays(vec![Act::Status(429), Act::Header("x-should-retry", "false".into())]);
        assert_eq!(ask(&model).await.kind(), "rate_limited");
        assert_eq!(provider.count(), count + 1);
    }
}

#[tokio::test]
async fn a_provider_with_too_much_to_do_is_asked_again() {
    let provider = ScriptedProvider::start().await;
    for speaks in BOTH {
        for status in [500, 529] {
            let start = provider.count();
            provider.both(move |_, n| {
                if n < start + 2 {
                    vec![Act::Status(status), Act::Fail("overloaded_error", "Overloaded".into())]
                } else {
                    hello()
                }
            });
            let heard = ask(&provider.model(speaks)).await;
            assert_eq!(heard.text, "Hello there.");
            assert_eq!(
                heard.note(),
                "Acme answered at try 3; before that it had too much to do, then had too much to do."
            );
        }
    }
}

#[tokio::test]
async fn a_failure_in_mid_stream_ends_it_or_is_tried_again() {
    let provider = ScriptedProvider::start().await;
    for speaks in BOTH {
        provider.plays(vec![
            Act::text("Hello "),
            Act::Fail("overloaded_error", "Overloaded".into()),
            Act::text("more"),
        ]);
        let before = provider.count();
        let heard = ask(&provider.model(speaks)).await;
        assert_eq!((heard.text.as_str(), heard.kind()), ("Hello ", "overloaded"));
        assert_eq!(provider.count(), before + 1, "words were shown");

        let start = provider.count();
        provider.both(move |_, n| {
            if n == start {
                return vec![Act::Thought("hm".into()), Act::Fail("overloaded_error", "Overloaded".into())];
            }
            hello()
        });
        assert_eq!(ask(&provider.model(speaks)).await.text, "Hello there.");

        provider.plays(vec![Act::text("I "), Act::End("refused")]);
        let heard = ask(&provider.model(speaks)).await;
        assert_eq!((heard.text.as_str(), heard.kind()), ("I ", "refused"));
    }
}

#[tokio::test]
async fn a_tool_call_with_broken_json_says_so() {
    let provider = ScriptedProvider::start().await;
    for speaks in BOTH {
        provider.plays(vec![Act::Tool("t1", "look", vec!["{\"to\": \"Mi", "ra\" oops"]), Act::End("tools")]);
        let mut wish = request();
        wish.tools = vec![crate::ai::ToolSpec {
            name: "look".into(),
            description: "Looks.".into(),
            parameters: json!({ "type": "object" }),
        }];
        let heard = listen(provider.model(speaks).reply(wish, CancellationToken::new())).await;
        assert_eq!(heard.reason(), FinishReason::ToolUse);
        let call =
            heard.chunks.iter().find_map(|c| if let Chunk::ToolCall(call) = c { Some(call) } else { None }).unwrap();
        assert!(call.arguments.is_null());
        assert!(call.fault.as_deref().unwrap().contains("not valid JSON"), "{call:?}");
    }
}

#[tokio::test]
async fn a_million_tokens_are_too_many_both_ways() {
    let provider = ScriptedProvider::start().await;
    for speaks in BOTH {
        let mut wish = request();
        wish.messages.push(Message::user("word ".repeat(1_000_000)));
        let before = provider.count();
        let heard = listen(provider.model(speaks).reply(wish, CancellationToken::new())).await;
        assert!(matches!(heard.error, Some(ModelError::TooLong { context: 32_000, .. })), "{:?}", heard.error);
        assert_eq!(provider.count(), before, "nobody is asked");

        provider.plays(vec![
            Act::Status(400),
            Act::Fail("invalid_request_error", "This model's maximum context length is 8192 tokens.".into()),
        ]);
        assert_eq!(ask(&provider.model(speaks)).await.kind(), "too_long");

        provider.plays(vec![Act::Endless("word ".repeat(200))]);
        let heard = ask(&provider.model(speaks)).await;
        assert_eq!(heard.reason(), FinishReason::Length);
        assert!(heard.text.len() < 10_000, "{}", heard.text.len());
        assert!(heard.finish().reply_tokens > 500);
    }
}

#[tokio::test]
async fn an_endless_stream_ends() {
    let provider = ScriptedProvider::start().await;
    for speaks in BOTH {
        provider.plays(vec![Act::EndlessThought]);
        let model = provider.model_with(speaks, |e| e.timeouts.total = Duration::from_millis(500));
        assert_eq!(ask(&model).await.kind(), "timeout");

        // One frame without end.
        provider.plays(vec![Act::text("Hi"), Act::raw("data: "), Act::raw("a".repeat(2 << 20))]);
        let heard = ask(&provider.model(speaks)).await;
        assert_eq!((heard.text.as_str(), heard.reason()), ("Hi", FinishReason::Length));
        provider.plays(vec![Act::raw("data: "), Act::raw("a".repeat(2 << 20))]);
        assert_eq!(ask(&provider.model(speaks)).await.kind(), "bad_response");
        // A whole answer without end.
        provider.plays(vec![Act::raw("{\"a\": \""), Act::raw("a".repeat(9 << 20))]);
        assert_eq!(ask(&provider.model_with(speaks, |e| e.model = "whole".into())).await.kind(), "bad_response");
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(provider.dropped() >= 2, "connections are closed");
}

#[tokio::test]
async fn characters_survive_packets_and_bytes_that_are_none_do_no_harm() {
    let provider = ScriptedProvider::start().await;
    for speaks in BOTH {
        let frame = match speaks {
            Speaks::OpenAi => "data: {\"choices\":[{\"delta\":{\"content\":\"Grüße 👋 世界\"}}]}\n\n",
            Speaks::Anthropic => {
                "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"Grüße 👋 世界\"}}\n\n"
            }
        };
        let mut acts: Vec<Act> = frame.bytes().map(|b| Act::Raw(vec![b])).collect();
        acts.push(Act::End("stop"));
        provider.plays(acts);
        assert_eq!(ask(&provider.model(speaks)).await.text, "Grüße 👋 世界");

        let broken: Vec<u8> = frame.bytes().map(|b| if b == b'G' { 0xff } else { b }).collect();
        provider.plays(vec![Act::raw(broken), Act::text(" Yes."), Act::End("stop")]);
        assert_eq!(ask(&provider.model(speaks)).await.text, "\u{fffd}rüße 👋 世界 Yes.");
    }
}

#[tokio::test]
async fn whoever_cancels_hangs_up_at_once() {
    let provider = ScriptedProvider::start().await;
    for (n, speaks) in BOTH.into_iter().enumerate() {
        provider.plays(vec![Act::text("Hello "), Act::Gate(Arc::new(Notify::new()))]);
        let cancel = CancellationToken::new();
        let mut reply = provider.model(speaks).reply(request(), cancel.clone());
        while !matches!(reply.recv().await, Some(Ok(Chunk::Text(_)))) {}
        cancel.cancel();
        match reply.recv().await {
            Some(Ok(Chunk::Done(finish))) => assert_eq!(finish.reason, FinishReason::Cancelled),
            other => panic!("{other:?}"),
        }
        hung_up(&provider, n * 3 + 1).await;

        let mut reply = provider.model(speaks).reply(request(), CancellationToken::new());
        while !matches!(reply.recv().await, Some(Ok(Chunk::Text(_)))) {}
        drop(reply);
        hung_up(&provider, n * 3 + 2).await;

        // While the head is waited for.
        provider.plays(vec![Act::Gate(Arc::new(Notify::new()))]);
        let cancel = CancellationToken::new();
        let reply = provider.model(speaks).reply(request(), cancel.clone());
        let asked = provider.count();
        while provider.count() == asked {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cancel.cancel();
        assert_eq!(listen(reply).await.reason(), FinishReason::Cancelled);
        hung_up(&provider, n * 3 + 3).await;
    }
}

async fn hung_up(provider: &ScriptedProvider, times: usize) {
    let began = Instant::now();
    while provider.dropped() < times {
        assert!(began.elapsed() < Duration::from_secs(2), "the connection is still open");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Everything that is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_key_is_never_shown_and_never_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let provider = ScriptedProvider::start().await;
    let mut shown = String::new();
    for speaks in BOTH {
        let echo = format!("Incorrect API key provided: {KEY}. Header: Bearer {KEY}");
        for acts in [
            vec![Act::Status(401), Act::Fail("authentication_error", echo.clone())],
            vec![Act::Status(400), Act::Fail(KEY, echo.clone())],
            vec![Act::Status(500), Act::raw(format!("panic: {echo}"))],
            vec![Act::Status(403), Act::Header("retry-after", KEY.into()), Act::raw(format!("<html>{echo}</html>"))],
            vec![Act::text("Hi "), Act::Fail("api_error", echo.clone())],
            vec![Act::Fail(KEY, echo.clone())],
            vec![Act::raw(format!("data: {echo}\n\n"))],
            vec![Act::Break],
        ] {
            provider.plays(acts);
            let heard = ask(&provider.model_with(speaks, |e| e.model = format!("m{}", shown.len()))).await;
            let error = heard.error.expect("a failure");
            shown.push_str(&format!("{error} {error:?} {:?}\n", heard.chunks));
        }
        let endpoint = provider.endpoint(speaks);
        shown.push_str(&format!("{endpoint:?} {:?}", provider.model(speaks).info()));
    }
    let logged = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(logged.contains("a provider failed"), "something was logged");
    for (what, text) in [("shown", &shown), ("logged", &logged)] {
        // What the test's own server logs is the server's.
        let ours: String = text.lines().filter(|l| !l.contains("hyper::proto") && !l.contains("axum")).collect();
        assert!(!ours.contains("canary"), "{what}: {}", ours.get(..ours.len().min(2000)).unwrap_or_default());
    }
}
