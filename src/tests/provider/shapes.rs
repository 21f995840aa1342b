//! What servers send beside what the protocols say: thoughts in the text, halves of characters, words after the end, failures on
//! odd lines, answers without a word.

use super::{Act, ScriptedProvider, Speaks, ask, script::Heard};
use crate::ai::{Chunk, FinishReason, ModelError, chain};
use serde_json::{Value, json};
use std::time::Duration;

/// A piece of text, as a frame of Chat Completions.
fn c(text: &str) -> Act {
    frame(&json!({ "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": null }] }))
}

fn frame(value: &Value) -> Act {
    Act::raw(format!("data: {value}\n\n"))
}

fn finish(reason: &str) -> Act {
    frame(&json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": reason }] }))
}

fn done() -> Act {
    Act::raw("data: [DONE]\n\n")
}

fn stop() -> Vec<Act> {
    vec![finish("stop"), done()]
}

/// What is heard of one model of its own that sends these.
async fn heard(provider: &ScriptedProvider, name: &str, acts: Vec<Act>) -> Heard {
    provider.openai(move |_, _| acts.clone());
    ask(&provider.model_with(Speaks::OpenAi, |e| e.model = name.to_owned())).await
}

#[tokio::test]
async fn thoughts_in_the_text_are_never_the_answer() {
    let provider = ScriptedProvider::start().await;
    let harmony =
        "<|channel|>analysis<|message|>They greet me.<|end|><|start|>assistant<|channel|>final<|message|>Good evening.";
    for pieces in [
        vec!["The visitor greets me. ", "</think>", "\n\nGood evening."],
        vec!["The visitor greets me. </thi", "nk>Good ", "evening."],
        vec![harmony],
        vec![
            "<|chan",
            "nel|>analysis<|message|>Hm.<|end|><|start|>assi",
            "stant<|channel|>final<|message|>Good ",
            "evening.",
        ],
        vec!["<thinking>Hm.</thinking>Good evening."],
        vec!["<thought>Hm.</th", "ought>\nGood evening."],
        vec!["[THINK]Hm.[/THINK]Good evening."],
        vec!["Hm, they say good evening.</think>Good evening."],
    ] {
        let acts = pieces.iter().map(|piece| c(piece)).chain(stop()).collect();
        let heard = heard(&provider, "thinks", acts).await;
        assert_eq!((heard.text.as_str(), heard.kind()), ("Good evening.", ""), "{pieces:?}");
    }
    // In fields of their own, by themselves or as parts of the text.
    for delta in [
        json!({ "reasoning_content": "Hm." }),
        json!({ "reasoning": "Hm." }),
        json!({ "content": [{ "type": "thinking", "thinking": [{ "type": "text", "text": "Hm." }] }] }),
        json!({ "content": [{ "type": "reasoning", "text": "Hm." }, { "type": "text", "text": "" }] }),
    ] {
        let thought = frame(&json!({ "choices": [{ "index": 0, "delta": delta }] }));
        let acts = [thought, c("Good evening.")].into_iter().chain(stop()).collect();
        assert_eq!(heard(&provider, "parts", acts).await.text, "Good evening.", "{delta}");
    }
    // What was shown and was a thought is paid for.
    let acts = [c("One two three four five six seven. "), c("</think>"), c("Yes.")].into_iter().chain(stop()).collect();
    let heard = heard(&provider, "paid", acts).await;
    assert!(heard.chunks.contains(&Chunk::TakeBack) && heard.finish().reply_tokens > 6, "{heard:?}");
}

#[tokio::test]
async fn halves_of_characters_and_loose_json_are_read() {
    let provider = ScriptedProvider::start().await;
    let raw = |text: &str| {
        Act::raw(format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"))
    };
    for (pieces, wanted) in [
        (vec!["Hi \\ud83d", "\\ude0a friend."], "Hi 😊 friend."),
        (vec!["Hi \\ud83d"], "Hi \u{fffd}"),
        (vec!["\\ude0a Hi"], "\u{fffd} Hi"),
        (vec!["Hi \\ud83d", " there"], "Hi \u{fffd} there"),
    ] {
        let acts: Vec<Act> = pieces.iter().map(|piece| raw(piece)).chain(stop()).collect();
        let heard = heard(&provider, "halves", acts).await;
        assert_eq!((heard.text.as_str(), heard.kind()), (wanted, ""), "{pieces:?}");
    }
    let loose = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"},\"logprobs\":NaN}]}\n\n";
    assert_eq!(heard(&provider, "nan", vec![Act::raw(loose), finish("stop"), done()]).await.text, "Hi");
    // The other protocol has the same reader.
    let event = |text: &str| {
        Act::raw(format!(
            "data: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}}}\n\n"
        ))
    };
    provider.anthropic(move |_, _| vec![event("Hi \\ud83d"), event("\\ude0a"), Act::End("stop")]);
    assert_eq!(ask(&provider.model(Speaks::Anthropic)).await.text, "Hi 😊");
    // A mark of byte order before an answer that is not streamed.
    let whole = json!({ "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": "Hi" } }] });
    let acts = vec![Act::raw(format!("\u{feff}{whole}"))];
    assert_eq!(heard(&provider, "bom", acts).await.text, "Hi");
}

#[tokio::test]
async fn what_comes_after_the_end_spoils_nothing_and_is_not_lost() {
    let provider = ScriptedProvider::start().await;
    for (n, after) in
        ["data: stream complete\n\n", "data: {broken\n\n", "data: {\"error\":{\"message\":\"late\"}}\n\n", ": bye\n\n"]
            .into_iter()
            .enumerate()
    {
        let acts = vec![c("Good evening."), finish("stop"), Act::raw(after)];
        let heard = heard(&provider, &format!("after-{n}"), acts).await;
        assert_eq!((heard.text.as_str(), heard.kind()), ("Good evening.", ""), "{after}");
    }
    provider.anthropic(|_, _| vec![Act::text("Good evening."), Act::End("stop"), Act::raw("data: [DONE]\n\n")]);
    let heard_there = ask(&provider.model(Speaks::Anthropic)).await;
    assert_eq!((heard_there.text.as_str(), heard_there.kind()), ("Good evening.", ""));
    // Words that are late belong to it.
    let late =
        vec![c("Good evening, "), finish("stop"), Act::Wait(Duration::from_millis(3500)), c("traveller."), done()];
    assert_eq!(heard(&provider, "late", late).await.text, "Good evening, traveller.");
    // All of it once more, as the last chunk of some servers has it, is not said twice.
    let again = frame(
        &json!({ "choices": [{ "index": 0, "message": { "content": "Good evening." }, "finish_reason": "stop" }] }),
    );
    assert_eq!(heard(&provider, "again", vec![c("Good "), c("evening."), again, done()]).await.text, "Good evening.");
}

#[tokio::test]
async fn failures_on_odd_lines_are_seen_and_not_tried_again() {
    let provider = ScriptedProvider::start().await;
    let error = "{\"code\":400,\"message\":\"the request exceeds the available context size\",\"type\":\"invalid_request_error\"}";
    for (n, text) in [
        format!("error: {error}\n\ndata: [DONE]\n\n"),
        format!("event: error\ndata: {error}\n\n"),
        format!("data: {{\"error\":{error}}}\n\n"),
        format!("{{\"error\":{error}}}\n"),
    ]
    .into_iter()
    .enumerate()
    {
        let before = provider.count();
        let heard = heard(&provider, &format!("odd-{n}"), vec![Act::raw(&text)]).await;
        assert_eq!((heard.kind(), provider.count() - before), ("too_long", 1), "{text}");
    }
}

#[tokio::test]
async fn wishes_that_are_not_known_are_left_out_whatever_the_refusal_looks_like() {
    let provider = ScriptedProvider::start().await;
    let gemini = json!([{ "error": { "code": 400, "message": "Invalid JSON payload received. Unknown name \"stream_options\": Cannot find field.", "status": "INVALID_ARGUMENT" } }]);
    let pydantic = json!({ "detail": [{ "type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted" }] });
    for (n, (status, refusal)) in [(400, gemini), (422, pydantic)].into_iter().enumerate() {
        provider.openai(move |asked, _| match asked.body.get("stream_options") {
            Some(_) => vec![Act::Status(status), Act::whole(&refusal)],
            None => vec![c("Hi"), finish("stop"), done()],
        });
        let heard = ask(&provider.model_with(Speaks::OpenAi, |e| e.model = format!("strict-{n}"))).await;
        assert_eq!((heard.text.as_str(), heard.kind()), ("Hi", ""));
        let last = provider.asked().pop().unwrap();
        assert!(last.body.get("stream_options").is_none() && last.body.get("temperature").is_some());
    }
    // One after the other, until the request does.
    provider.openai(|asked, _| {
        let has_system = asked.body["messages"][0]["role"] == "system";
        match ["stop", "top_p", "stream_options"].into_iter().find(|name| asked.body.get(*name).is_some()) {
            Some(name) => vec![
                Act::Status(400),
                Act::whole(
                    &json!({ "error": { "message": format!("Unrecognized request argument supplied: {name}") } }),
                ),
            ],
            None if has_system => {
                vec![Act::Status(400), Act::whole(&json!({ "error": { "message": "System role not supported" } }))]
            }
            None => vec![c("Hi"), finish("stop"), done()],
        }
    });
    let model = provider.model_with(Speaks::OpenAi, |e| e.model = "bare".into());
    let mut request = super::request();
    request.stop = vec!["\nAda:".into()];
    request.sampling.seed = Some(7);
    let heard = super::listen(model.reply(request, Default::default())).await;
    assert_eq!((heard.text.as_str(), heard.kind()), ("Hi", ""));
    let last = provider.asked().pop().unwrap().body;
    assert_eq!(last["messages"][0]["content"], "You are Mira.\n\nHello");
}

#[tokio::test]
async fn an_answer_without_words_is_none() {
    let provider = ScriptedProvider::start().await;
    let thought = || frame(&json!({ "choices": [{ "index": 0, "delta": { "reasoning_content": "Hm." } }] }));
    let call = frame(&json!({ "choices": [{ "index": 0, "delta": { "content": "" } }] }));
    for (name, acts, in_thoughts) in [
        ("thought", vec![thought(), finish("stop"), done()], false),
        ("thought-length", vec![thought(), finish("length"), done()], true),
        ("marked-length", vec![c("<think>Hm. "), finish("length"), done()], true),
        ("blank", vec![c(" \n"), finish("stop"), done()], false),
        ("nothing", vec![call, finish("stop"), done()], false),
    ] {
        let before = provider.count();
        let heard = heard(&provider, name, acts).await;
        assert_eq!(heard.error, Some(ModelError::NoWords { provider: "Acme".into(), in_thoughts }), "{name}");
        assert_eq!(provider.count(), before + 1, "{name} is not asked again");
        let spent = heard.chunks.iter().find_map(|c| if let Chunk::Spent(spent) = c { Some(spent) } else { None });
        assert!(spent.is_some_and(|spent| spent.prompt_tokens > 5), "{name}: it was read all the same: {heard:?}");
    }
    // Another one is asked.
    provider.openai(move |asked, _| match asked.body["model"].as_str() {
        Some("a") => vec![thought(), finish("stop"), done()],
        _ => vec![c("Good evening."), finish("stop"), done()],
    });
    let model = |name: &str| provider.model_with(Speaks::OpenAi, |e| e.model = name.to_owned());
    let heard = ask(&chain(vec![model("a"), model("b")])).await;
    assert_eq!((heard.text.as_str(), heard.note()), ("Good evening.", "a (Acme) found no words."));
    // Where a reply goes on, nothing more is an answer.
    provider.openai(|_, _| vec![finish("stop"), done()]);
    let mut more = super::request();
    more.prefill = "Good".into();
    let heard = super::listen(model("c").reply(more, Default::default())).await;
    assert_eq!((heard.reason(), heard.kind()), (FinishReason::End, ""));
}

#[tokio::test]
async fn compressed_answers_are_told_once() {
    let provider = ScriptedProvider::start().await;
    let packed = [0x1f_u8, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3];
    for (name, acts) in [
        ("said", vec![Act::Header("content-encoding", "gzip".into()), Act::raw(packed)]),
        ("unsaid", vec![Act::raw(packed)]),
    ] {
        let before = provider.count();
        let heard = heard(&provider, name, acts).await;
        let told = heard.error.map(|e| e.to_string()).unwrap_or_default();
        assert!(told.contains("compressed") && provider.count() == before + 1, "{name}: {told}");
    }
}
