//! Several models as one, and a provider that is left alone.

use super::{Act, BOTH, ScriptedProvider, Speaks, ask, hello, listen, request};
use crate::ai::{Chunk, FinishReason, ModelError, SharedModel, chain};
use crate::tests::{ScriptedModel, Step};
use std::sync::{Arc, atomic::Ordering};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

fn failing(error: ModelError) -> SharedModel {
    let model = ScriptedModel::default();
    model.script(move |_| vec![Step::Fail(error.clone())]);
    Arc::new(model)
}

fn overloaded() -> ModelError {
    ModelError::Overloaded { provider: "Acme".into(), retry_after: None }
}

#[tokio::test]
async fn the_next_model_answers_and_the_reply_says_so() {
    let provider = ScriptedProvider::start().await;
    provider.openai(|_, _| vec![Act::Status(401), Act::Fail("authentication_error", "no".into())]);
    let models = vec![provider.model(Speaks::OpenAi), failing(ModelError::Busy), provider.model(Speaks::Anthropic)];
    let all = chain(models);
    assert_eq!(all.info().name, "acme-1");
    let heard = ask(&all).await;
    assert_eq!(heard.text, "Hello there.");
    let vias: Vec<&Chunk> = heard.chunks.iter().filter(|c| matches!(c, Chunk::Via { .. })).collect();
    assert_eq!(
        vias,
        [&Chunk::Via {
            provider: "Acme".into(),
            model: "acme-1".into(),
            note: "acme-1 (Acme) did not accept its key. Scripted (scripted) had too many people to answer.".into()
        }]
    );
}

#[tokio::test]
async fn what_was_tried_is_told_with_what_was_gone_around() {
    let provider = ScriptedProvider::start().await;
    provider.anthropic(|_, n| if n == 0 { vec![Act::Status(529)] } else { hello() });
    let heard = ask(&chain(vec![failing(overloaded()), provider.model(Speaks::Anthropic)])).await;
    assert_eq!(
        heard.note(),
        "Scripted (scripted) had too much to do. Acme answered at try 2; before that it had too much to do."
    );
}

#[tokio::test]
async fn the_first_answers_when_it_can() {
    let second = Arc::new(ScriptedModel::default());
    let all = chain(vec![Arc::new(ScriptedModel::default()), second.clone()]);
    let heard = ask(&all).await;
    assert_eq!((heard.text.as_str(), heard.note()), ("The lamp is lit. Come in.", ""));
    assert!(second.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn nobody_goes_on_for_another_or_around_a_refusal() {
    let half = ScriptedModel::default();
    half.script(|_| vec![Step::text("Half "), Step::Fail(overloaded())]);
    let second = Arc::new(ScriptedModel::default());
    let heard = ask(&chain(vec![Arc::new(half), second.clone()])).await;
    assert_eq!((heard.text.as_str(), heard.kind()), ("Half ", "overloaded"));

    let refused = ModelError::Refused { provider: "Acme".into() };
    let heard = ask(&chain(vec![failing(refused.clone()), second.clone()])).await;
    assert_eq!(heard.error, Some(refused));
    assert!(second.requests.lock().unwrap().is_empty());
}

#[tokio::test]
async fn when_all_fail_the_last_one_says_why() {
    let heard = ask(&chain(vec![failing(ModelError::Busy), failing(overloaded())])).await;
    assert_eq!(heard.error, Some(overloaded()));
    assert_eq!(ask(&chain(vec![])).await.kind(), "unavailable");
}

#[tokio::test]
async fn cancelling_a_chain_cancels_the_one_that_speaks() {
    let model = ScriptedModel::default();
    model.script(|_| vec![Step::text("Hello "), Step::Gate(Arc::new(Notify::new()))]);
    let cancelled = Arc::clone(&model.cancelled);
    let all = chain(vec![failing(overloaded()), Arc::new(model)]);

    let cancel = CancellationToken::new();
    let mut reply = all.reply(request(), cancel.clone());
    while !matches!(reply.recv().await, Some(Ok(Chunk::Text(_)))) {}
    cancel.cancel();
    assert_eq!(listen(reply).await.reason(), FinishReason::Cancelled);
    assert_eq!(cancelled.load(Ordering::SeqCst), 1);

    let mut reply = all.reply(request(), CancellationToken::new());
    while !matches!(reply.recv().await, Some(Ok(Chunk::Text(_)))) {}
    drop(reply);
    for _ in 0..400 {
        if cancelled.load(Ordering::SeqCst) == 2 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("the model still speaks");
}

#[tokio::test]
async fn a_provider_that_fails_again_and_again_is_left_alone() {
    let provider = ScriptedProvider::start().await;
    for speaks in BOTH {
        let start = provider.count();
        provider.plays(vec![Act::Status(503), Act::Header("retry-after", "0".into())]);
        assert_eq!(provider.outgoing().resting(&provider.endpoint(speaks)), None);
        ask(&provider.model(speaks)).await;
        let heard = ask(&provider.model(speaks)).await;
        assert_eq!(provider.count(), start + 5, "the sixth try is not made");
        assert!(
            matches!(heard.error, Some(ModelError::Overloaded { retry_after: Some(18..=20), .. })),
            "{:?}",
            heard.error
        );

        // A chain does not wait for it.
        let other = ScriptedModel::default();
        let heard = ask(&chain(vec![provider.model(speaks), Arc::new(other)])).await;
        assert_eq!(heard.text, "The lamp is lit. Come in.");
        assert_eq!(provider.count(), start + 5);
        assert!(provider.outgoing().resting(&provider.endpoint(speaks)).is_some());
        // Another model of it is another matter.
        provider.plays(hello());
        assert_eq!(
            ask(&provider.model_with(speaks, |e| e.model = format!("other {speaks:?}"))).await.text,
            "Hello there."
        );
    }
}
