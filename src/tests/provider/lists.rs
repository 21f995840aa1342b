//! The list of a provider's models: what is asked, what is understood, and everything that is no list.

use super::{Act, BOTH, KEY, ScriptedProvider, Speaks};
use crate::ai::{
    ModelError,
    remote::{Catalogue, Endpoint, anthropic_models, openai_models},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

async fn fetch_with(
    provider: &ScriptedProvider,
    speaks: Speaks,
    change: impl FnOnce(&mut Endpoint),
) -> Result<Catalogue, ModelError> {
    let mut endpoint = provider.endpoint(speaks);
    change(&mut endpoint);
    match speaks {
        Speaks::OpenAi => openai_models(&provider.outgoing(), &endpoint).await,
        Speaks::Anthropic => anthropic_models(&provider.outgoing(), &endpoint).await,
    }
}

async fn fetch(provider: &ScriptedProvider, speaks: Speaks) -> Result<Catalogue, ModelError> {
    fetch_with(provider, speaks, |_| {}).await
}

fn ids(list: &Catalogue) -> Vec<&str> {
    list.models.iter().map(|m| m.id.as_str()).collect()
}

fn list(models: Value) -> Vec<Act> {
    vec![
        Act::Header("content-type", "application/json".into()),
        Act::whole(&json!({ "object": "list", "data": models })),
    ]
}

#[tokio::test]
async fn a_list_is_asked_for_with_the_key_and_sorted() {
    let provider = ScriptedProvider::start().await;
    provider.plays(list(json!([
        { "id": "b-large", "object": "model", "display_name": "Large", "max_input_tokens": 200_000 },
        { "id": "a-small", "object": "model" },
        { "id": "a-small", "object": "model" },
        { "id": "", "object": "model" },
        7
    ])));
    for speaks in BOTH {
        let found = fetch(&provider, speaks).await.expect("a list");
        assert_eq!(ids(&found), ["a-small", "b-large"], "{speaks:?}");
        assert_eq!((found.models[1].name.as_str(), found.models[1].context), ("Large", Some(200_000)));
        assert!(!found.is_cut);
    }
    let asked = provider.asked();
    assert_eq!(asked[0].line, "GET /v1/models");
    assert_eq!(asked[0].headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(asked[1].line, "GET /v1/models?limit=1000");
    assert_eq!(asked[1].headers["x-api-key"], KEY);
    assert!(asked.iter().all(|a| a.body.is_null()));

    // Servers that answer with the list itself, or under another name, and whoever has no key.
    for whole in [json!([{ "id": "m" }]), json!({ "models": [{ "name": "m" }] })] {
        provider.plays(vec![Act::whole(&whole)]);
        for speaks in BOTH {
            let found = fetch_with(&provider, speaks, |e| e.key = None).await.expect("a list");
            assert_eq!(ids(&found), ["m"]);
        }
    }
    assert!(provider.asked().last().unwrap().headers.get("x-api-key").is_none());
}

#[tokio::test]
async fn a_list_in_parts_is_read_to_its_end_and_no_further() {
    let provider = ScriptedProvider::start().await;
    provider.anthropic(|asked, _| {
        let (from, more) = match asked.line.split("after_id=").nth(1) {
            None => (0, true),
            Some("m1") => (2, true),
            Some(_) => (4, false),
        };
        let data = [json!({ "id": format!("m{from}") }), json!({ "id": format!("m{}", from + 1) })];
        vec![Act::whole(&json!({ "data": data, "has_more": more, "last_id": format!("m{}", from + 1) }))]
    });
    let found = fetch(&provider, Speaks::Anthropic).await.expect("a list");
    assert_eq!(ids(&found), ["m0", "m1", "m2", "m3", "m4", "m5"]);
    assert_eq!((provider.count(), found.is_cut), (3, false));

    // One that says for ever that there is more.
    provider.anthropic(|_, n| {
        vec![Act::whole(&json!({ "data": [{ "id": format!("e{n}") }], "has_more": true, "last_id": format!("e{n}") }))]
    });
    let before = provider.count();
    let found = fetch(&provider, Speaks::Anthropic).await.expect("a list");
    assert!(found.is_cut);
    assert_eq!((provider.count() - before, found.models.len()), (5, 5));
    // And one that says so without a next part.
    provider.anthropic(|_, _| vec![Act::whole(&json!({ "data": [{ "id": "m" }], "has_more": true, "last_id": "m" }))]);
    assert_eq!(ids(&fetch(&provider, Speaks::Anthropic).await.expect("a list")), ["m"]);
}

#[tokio::test]
async fn a_huge_list_is_cut_or_refused() {
    let provider = ScriptedProvider::start().await;
    for speaks in BOTH {
        let many: Vec<Value> = (0..3000).map(|n| json!({ "id": format!("m{n}") })).collect();
        provider.plays(list(json!(many)));
        let found = fetch(&provider, speaks).await.expect("a list");
        assert_eq!((found.models.len(), found.is_cut), (2000, true));

        provider.plays(vec![Act::raw("{\"data\": [\""), Act::raw("a".repeat(5 << 20))]);
        let error = fetch(&provider, speaks).await.unwrap_err();
        assert_eq!(error.to_string(), "Acme sent more than any list of models has");
        // Without end: the connection is closed.
        provider.plays(vec![Act::Endless("word ".repeat(2000))]);
        let dropped = provider.dropped();
        assert_eq!(fetch(&provider, speaks).await.unwrap_err().kind(), "bad_response");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(provider.dropped() > dropped);
    }
}

#[tokio::test]
async fn what_is_no_list_is_called_so() {
    let provider = ScriptedProvider::start().await;
    let page = "<!doctype html><title>Sign in to proxy-7.corp</title>";
    let echo = format!("Incorrect API key provided: {KEY}");
    let status = |status: u16, kind: &'static str| vec![Act::Status(status), Act::Fail(kind, echo.clone())];
    let cases = [
        (status(401, "authentication_error"), "auth", "does not accept the key"),
        (status(403, "invalid_api_key"), "auth", "does not accept the key"),
        (status(404, "not_found_error"), "bad_response", "has no list of models at this address"),
        (status(429, "rate_limit_error"), "rate_limited", "takes no more requests"),
        (status(529, "overloaded_error"), "overloaded", "cannot answer at the moment"),
        (vec![Act::Status(502), Act::raw(page)], "overloaded", "cannot answer at the moment"),
        (
            vec![Act::Status(302), Act::Header("location", "http://169.254.169.254/".into())],
            "bad_response",
            "has moved",
        ),
        (vec![Act::raw(format!("\n{page}"))], "bad_response", "answered with a web page"),
        (vec![], "bad_response", "no list of models"),
        (vec![Act::raw("hello")], "bad_response", "no list of models"),
        (vec![Act::raw("{\"data\": 7}")], "bad_response", "no list of models"),
        (vec![Act::raw("{\"data\": [")], "bad_response", "no list of models"),
        (vec![Act::raw(b"{\"data\": [{\"id\": \"\xff\xfe\"}]}")], "bad_response", "no list of models"),
        (vec![Act::raw("{\"data\": ["), Act::Break], "bad_response", "broke off"),
    ];
    for (acts, kind, words) in cases {
        provider.plays(acts);
        for speaks in BOTH {
            let before = provider.count();
            let error = fetch(&provider, speaks).await.unwrap_err();
            let said = error.to_string();
            assert_eq!(error.kind(), kind, "{speaks:?}: {said}");
            assert!(said.contains(words), "{speaks:?}: {said}");
            assert!(!said.contains("canary") && !said.contains("proxy-7"), "{said}");
            assert_eq!(provider.count(), before + 1, "asked once, and nobody else");
        }
    }
    provider.plays(list(json!([])));
    assert_eq!(fetch(&provider, Speaks::OpenAi).await, Ok(Catalogue::default()));
}

#[tokio::test]
async fn a_slow_list_is_given_up_and_one_inside_never_asked_for() {
    let provider = ScriptedProvider::start().await;
    for speaks in BOTH {
        for acts in [vec![Act::Wait(Duration::from_secs(60))], vec![Act::raw("{\"data\": ["), Act::EndlessPing]] {
            provider.plays(acts);
            let began = Instant::now();
            let error = fetch_with(&provider, speaks, |e| e.timeouts.total = Duration::from_millis(300)).await;
            assert_eq!(error.unwrap_err().kind(), "timeout");
            assert!(began.elapsed() < Duration::from_secs(5));
        }
        let before = provider.count();
        provider.outgoing().set_local_hosts(vec![]);
        assert_eq!(fetch(&provider, speaks).await.unwrap_err().kind(), "unavailable");
        provider.outgoing().set_local_hosts(vec![provider.address.to_string()]);
        assert_eq!(provider.count(), before);
        // Nobody listens there.
        let gone = fetch_with(&provider, speaks, |e| {
            e.base_url = "http://127.0.0.1:9/v1".parse().unwrap();
        });
        provider.outgoing().set_local_hosts(vec!["127.0.0.1".into()]);
        assert_eq!(gone.await.unwrap_err().kind(), "unreachable");
        provider.outgoing().set_local_hosts(vec![provider.address.to_string()]);
    }
}
