//! Replies that come as they should.

use super::{Act, BOTH, KEY, ScriptedProvider, Speaks, ask, hello, listen, request};
use crate::ai::{Chunk, FinishReason, Message, ToolCall, ToolSpec};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

fn gift() -> ToolSpec {
    ToolSpec {
        name: "gift_item".into(),
        description: "Gives a thing to somebody.".into(),
        parameters: json!({ "type": "object", "properties": { "to": { "type": "string" } }, "required": ["to"] }),
    }
}

#[tokio::test]
async fn a_reply_comes_in_pieces_with_its_cost() {
    let provider = ScriptedProvider::start().await;
    for speaks in BOTH {
        let heard = ask(&provider.model(speaks)).await;
        assert_eq!(heard.text, "Hello there.", "{speaks:?}");
        assert_eq!(heard.chunks.first(), Some(&Chunk::Started));
        let finish = heard.finish();
        assert_eq!((finish.reason, finish.prompt_tokens, finish.cached_tokens), (FinishReason::End, 120, 100));
        assert_eq!(
            (finish.reply_tokens, finish.cache_write_tokens),
            (9, if speaks == Speaks::Anthropic { 5 } else { 0 })
        );
        assert_eq!(heard.note(), "");
    }
    let asked = provider.asked();
    assert_eq!(asked[0].line, "POST /v1/chat/completions");
    assert_eq!(asked[0].headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(asked[0].body["messages"][0], json!({ "role": "system", "content": "You are Mira." }));
    assert_eq!(asked[0].body["max_tokens"], 220);
    assert_eq!(asked[1].line, "POST /v1/messages");
    assert_eq!(asked[1].headers["x-api-key"], KEY);
    assert_eq!(asked[1].headers["anthropic-version"], "2023-06-01");
    assert_eq!(asked[1].body["system"][0]["cache_control"]["type"], "ephemeral");
    assert!(asked.iter().all(|a| a.headers["user-agent"].to_str().unwrap().starts_with("SoulForge/")));
}

#[tokio::test]
async fn words_are_passed_on_as_they_come() {
    let provider = ScriptedProvider::start().await;
    for speaks in BOTH {
        let gate = Arc::new(Notify::new());
        provider.plays(vec![Act::text("One. "), Act::Gate(gate.clone()), Act::text("Two."), Act::End("stop")]);
        let mut reply = provider.model(speaks).reply(request(), CancellationToken::new());
        assert_eq!(reply.recv().await, Some(Ok(Chunk::Started)));
        assert_eq!(reply.recv().await, Some(Ok(Chunk::Text("One. ".into()))));
        gate.notify_one();
        assert_eq!(reply.recv().await, Some(Ok(Chunk::Text("Two.".into()))));
        assert!(matches!(reply.recv().await, Some(Ok(Chunk::Done(_)))));
        assert_eq!(reply.recv().await, None);
    }
}

#[tokio::test]
async fn tools_are_called_and_answered() {
    let provider = ScriptedProvider::start().await;
    provider.plays(vec![
        Act::text("Here."),
        Act::Tool("t1", "gift_item", vec!["{\"to\"", ": \"Mi", "ra\"}"]),
        Act::Tool("t2", "gift_item", vec![]),
        Act::End("tools"),
    ]);
    for speaks in BOTH {
        let mut wish = request();
        wish.tools = vec![gift()];
        let heard = listen(provider.model(speaks).reply(wish.clone(), CancellationToken::new())).await;
        let calls: Vec<ToolCall> = heard
            .chunks
            .iter()
            .filter_map(|c| if let Chunk::ToolCall(call) = c { Some(call.clone()) } else { None })
            .collect();
        assert_eq!(heard.reason(), FinishReason::ToolUse);
        assert_eq!(calls.len(), 2);
        assert_eq!(
            (calls[0].id.as_str(), &calls[0].arguments, &calls[0].fault),
            ("t1", &json!({ "to": "Mira" }), &None)
        );
        assert_eq!(calls[1].fault.as_deref(), Some("“to” is missing."));

        wish.messages.push(Message::calling(heard.text, calls.clone()));
        wish.messages.push(Message::tool("t1", "Mira thanks you."));
        wish.messages.push(Message::tool("t2", calls[1].fault.clone().unwrap()));
        listen(provider.model(speaks).reply(wish, CancellationToken::new())).await;
    }
    let asked = provider.asked();
    assert_eq!(asked[0].body["tools"][0]["function"]["name"], "gift_item");
    assert_eq!(
        asked[1].body["messages"][3],
        json!({ "role": "tool", "tool_call_id": "t1", "content": "Mira thanks you." })
    );
    assert_eq!(asked[2].body["tools"][0]["input_schema"]["required"][0], "to");
    assert_eq!(asked[3].body["messages"][2]["content"][0]["tool_use_id"], "t1");
    assert_eq!(asked[3].body["messages"][2]["content"][1]["content"], "“to” is missing.");
}

#[tokio::test]
async fn that_a_tool_is_called_decides_and_not_what_is_said_about_the_end() {
    let provider = ScriptedProvider::start().await;
    provider.plays(vec![Act::Tool("", "gift_item", vec!["{\"to\": \"Mira\"}"]), Act::End("stop")]);
    for speaks in BOTH {
        let mut wish = request();
        wish.tools = vec![gift()];
        let heard = listen(provider.model(speaks).reply(wish, CancellationToken::new())).await;
        assert_eq!(heard.reason(), FinishReason::ToolUse, "{speaks:?}");
        let call = heard.chunks.iter().find_map(|c| if let Chunk::ToolCall(call) = c { Some(call) } else { None });
        let call = call.expect("a call");
        assert_eq!((call.id.as_str(), &call.arguments, &call.fault), ("call_0", &json!({ "to": "Mira" }), &None));
    }
}

#[tokio::test]
async fn a_model_without_tools_is_not_told_of_them() {
    let provider = ScriptedProvider::start().await;
    for speaks in BOTH {
        let mut wish = request();
        wish.tools = vec![gift()];
        let model = provider.model_with(speaks, |e| e.capabilities.tools = false);
        listen(model.reply(wish, CancellationToken::new())).await;
    }
    assert!(provider.asked().iter().all(|a| a.body.get("tools").is_none()));
}

#[tokio::test]
async fn thoughts_are_not_shown_and_have_room() {
    let provider = ScriptedProvider::start().await;
    provider.plays(vec![Act::Thought("They said hello.".into()), Act::text("Hello."), Act::End("stop")]);
    for speaks in BOTH {
        let heard = ask(&provider.model_with(speaks, |e| e.capabilities.thinking = true)).await;
        assert_eq!(heard.text, "Hello.");
    }
    assert_eq!(provider.asked()[0].body["max_tokens"], 4000, "as much as the model can");
    provider.plays(vec![Act::text("<think>They said "), Act::text("hello.</think>\n\nHello."), Act::End("stop")]);
    assert_eq!(ask(&provider.model(Speaks::OpenAi)).await.text, "Hello.");
}

#[tokio::test]
async fn a_cut_reply_goes_on_where_it_was() {
    let provider = ScriptedProvider::start().await;
    for speaks in BOTH {
        let mut wish = request();
        wish.prefill = "The lamp is ".into();
        provider.plays(vec![Act::text(" lit."), Act::End("stop")]);
        let heard = listen(provider.model(speaks).reply(wish.clone(), CancellationToken::new())).await;
        assert_eq!(heard.text, "lit.");
        let last = provider.asked().last().unwrap().body["messages"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(last["role"], "assistant");

        // A model that takes no words into its mouth is asked, and may repeat them.
        provider.plays(vec![Act::text("The lamp"), Act::text(" is lit."), Act::End("stop")]);
        let model = provider.model_with(speaks, |e| e.capabilities.prefill = false);
        let heard = listen(model.reply(wish, CancellationToken::new())).await;
        assert_eq!(heard.text, "lit.");
        let last = provider.asked().last().unwrap().body["messages"].as_array().unwrap().last().unwrap().clone();
        assert!(last.to_string().contains("<begun>The lamp is</begun>"), "{last}");
    }
}

#[tokio::test]
async fn stop_texts_hold_wherever_they_are_cut() {
    let provider = ScriptedProvider::start().await;
    provider.plays(vec![Act::text("Hello.\nA"), Act::text("nn: hi"), Act::text(" you"), Act::Endless("x".into())]);
    for speaks in BOTH {
        let mut wish = request();
        wish.stop = vec!["\nAnn:".into(), "\n".repeat(3)];
        let heard = listen(provider.model(speaks).reply(wish, CancellationToken::new())).await;
        assert_eq!((heard.text.as_str(), heard.reason()), ("Hello.", FinishReason::Stop));
    }
}

#[tokio::test]
async fn servers_of_all_habits_are_understood() {
    let provider = ScriptedProvider::start().await;
    let model = provider.model(Speaks::OpenAi);
    let says = async |bytes: &str| {
        provider.plays(vec![Act::raw(bytes)]);
        ask(&model).await
    };
    // No [DONE], no blank lines, no space, CRLF, comments, no usage.
    let heard = says(": hi\r\ndata:{\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\r\ndata:{\"choices\":[{\"delta\":{\"content\":\"lo\"},\"finish_reason\":\"stop\"}]}").await;
    assert_eq!(heard.text, "Hello");
    let finish = heard.finish();
    assert!(finish.prompt_tokens > 5 && finish.reply_tokens > 0, "estimated: {finish:?}");
    // [DONE] without a reason.
    assert_eq!(
        says("data: {\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}\n\ndata: [DONE]\n\n").await.reason(),
        FinishReason::End
    );
    // Whole answers of both protocols.
    let whole = json!({ "choices": [{ "message": { "role": "assistant", "content": "Hello" }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 3, "completion_tokens": 1 } });
    let heard = says(&format!("\n  {whole}")).await;
    assert_eq!((heard.text.as_str(), heard.finish().prompt_tokens), ("Hello", 3));
    provider.plays(vec![
        Act::Header("content-type", "application/json".into()),
        Act::whole(
            &json!({ "content": [{ "type": "thinking", "thinking": "hm" }, { "type": "text", "text": "Hello" }],
            "stop_reason": "max_tokens", "usage": { "input_tokens": 3, "output_tokens": 1 } }),
        ),
    ]);
    let heard = ask(&provider.model(Speaks::Anthropic)).await;
    assert_eq!((heard.text.as_str(), heard.reason()), ("Hello", FinishReason::Length));
}

#[tokio::test]
async fn a_server_that_never_hangs_up_is_not_waited_for() {
    let provider = ScriptedProvider::start().await;
    provider.openai(|_, _| {
        vec![
            Act::raw("data: {\"choices\":[{\"delta\":{\"content\":\"Hello\"},\"finish_reason\":\"stop\"}]}\n\n"),
            Act::Wait(Duration::from_secs(60)),
        ]
    });
    let began = std::time::Instant::now();
    let heard = ask(&provider.model(Speaks::OpenAi)).await;
    assert_eq!((heard.text.as_str(), heard.reason()), ("Hello", FinishReason::End));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[tokio::test]
async fn wishes_that_a_model_does_not_know_are_left_out_from_then_on() {
    let provider = ScriptedProvider::start().await;
    provider.openai(|asked, _| {
        let refuse = |text: &str| vec![Act::Status(400), Act::Fail("invalid_request_error", text.to_owned())];
        if asked.body.get("stream_options").is_some() {
            refuse("Unrecognized request argument supplied: stream_options")
        } else if asked.body.get("max_tokens").is_some() {
            refuse("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        } else if asked.body.get("temperature").is_some() {
            refuse("temperature is not supported with this model")
        } else {
            hello()
        }
    });
    let model = provider.model(Speaks::OpenAi);
    assert_eq!(ask(&model).await.text, "Hello there.");
    assert_eq!(provider.count(), 4);
    assert_eq!(ask(&provider.model(Speaks::OpenAi)).await.text, "Hello there.", "made anew, it still knows");
    assert_eq!(provider.count(), 5);

    provider.anthropic(|asked, _| {
        if asked.body["messages"].as_array().unwrap().last().unwrap()["role"] == "assistant" {
            let text = "This model does not support assistant message prefill.".to_owned();
            return vec![Act::Status(400), Act::Fail("invalid_request_error", text)];
        }
        vec![Act::text("lit."), Act::End("stop")]
    });
    let mut wish = request();
    wish.prefill = "The lamp is".into();
    let heard = listen(provider.model(Speaks::Anthropic).reply(wish, CancellationToken::new())).await;
    assert_eq!(heard.text, " lit.");
}
