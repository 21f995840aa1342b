//! The local model without the site around it: how fast it reads and writes when it answers one, four and eight.

use crate::{Flags, Outcome};
use serde_json::json;
use soulforge::ai::{
    ChatModel, Chunk, Message, Request,
    local::{LocalConfig, LocalModel},
};
use std::{sync::Arc, time::Instant};
use tokio_util::sync::CancellationToken;

/// Sentences that make prompts differ from each other from the first word on, so that no prefix is reused.
const SCENES: [&str; 8] = [
    "The lighthouse keeper of Harrow Point collects storms in glass jars and counts them at night.",
    "A clockmaker in the lower town repairs hours that people have lost and gives them back on Sundays.",
    "Two sisters sail a library from island to island and lend books to whoever waves from the shore.",
    "The last cartographer of the salt desert draws rivers that begin to flow a year later.",
    "An old fox teaches arithmetic to crows behind the mill and is paid in buttons.",
    "The glassblower's apprentice has learned to blow bells that ring before something happens.",
    "In the winter palace a gardener grows frost in pots and sells it in summer.",
    "The ferryman of the underground lake speaks only in questions and never forgets a face.",
];

/// `model --file GGUF --threads N [--tokens 96]`.
pub async fn measure(flags: &Flags) -> Outcome {
    let tokens = u32::try_from(flags.number("tokens", 96)?)?;
    let defaults = LocalConfig::new(flags.text("file"));
    let threads = u32::try_from(flags.number("threads", u64::from(defaults.threads))?)?;
    let model = Arc::new(LocalModel::load(LocalConfig { parallel: 8, threads, ..defaults }));
    // Loading is not measured.
    one(Arc::clone(&model), 0, "warm up", 4).await?;
    let mut figures = serde_json::Map::new();
    for (round, count) in [1_usize, 4, 8].into_iter().enumerate() {
        let began = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..count {
            tasks.spawn(one(
                Arc::clone(&model),
                n,
                ["first", "second", "third"].get(round).copied().unwrap_or(""),
                tokens,
            ));
        }
        let mut replies = Vec::new();
        while let Some(done) = tasks.join_next().await {
            replies.push(done??);
        }
        let last_first = replies.iter().map(|r| r.first).max().unwrap_or(began);
        let end = replies.iter().map(|r| r.end).max().unwrap_or(began);
        let read: u32 = replies.iter().map(|r| r.read).sum();
        let written: u32 = replies.iter().map(|r| r.written).sum();
        figures.insert(
            count.to_string(),
            json!({
                "prompt_tokens": read, "prompt_rate": f64::from(read) / (last_first - began).as_secs_f64(),
                // The first token of each comes with its prompt.
                "reply_tokens": written,
                "reply_rate": f64::from(written.saturating_sub(u32::try_from(count)?)) / (end - last_first).as_secs_f64(),
            }),
        );
    }
    println!("{}", json!({ "threads": threads, "at_once": figures }));
    Ok(())
}

struct Read {
    first: Instant,
    end: Instant,
    read: u32,
    written: u32,
}

async fn one(model: Arc<LocalModel>, n: usize, round: &str, tokens: u32) -> Outcome<Read> {
    let scene = SCENES.get(n % SCENES.len()).copied().unwrap_or_default();
    let ask = format!("Chapter {round} {n}. {} Write a long story about it.", [scene; 10].join(" "));
    let mut request = Request::new(vec![
        Message::system(format!("{round} {n}: you write long stories and never stop early.")),
        Message::user(ask),
    ]);
    request.max_tokens = tokens;
    request.sampling.seed = Some(u32::try_from(n)?);
    let mut chunks = model.reply(request, CancellationToken::new());
    let mut first = None;
    while let Some(chunk) = chunks.recv().await {
        match chunk? {
            Chunk::Text(_) => first = first.or(Some(Instant::now())),
            Chunk::Done(finish) => {
                let end = Instant::now();
                let read = finish.prompt_tokens.saturating_sub(finish.cached_tokens);
                return Ok(Read { first: first.unwrap_or(end), end, read, written: finish.reply_tokens });
            }
            _ => {}
        }
    }
    Err("the reply ended without its end".into())
}
