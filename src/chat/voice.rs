//! `soulforge voice`: talks with characters of the house and prints them, for judging a model by reading.
//!
//! The prompt, the sampling and the way replies are finished are those of the site; only the database is missing. With a
//! seed the talks are the same each time.

use super::{
    Sender,
    prompt::{self, Guest, Notes, Scene, Turn},
};
use crate::{
    ai::{
        ChatModel, Chunk, FinishReason,
        local::{LocalConfig, LocalModel},
    },
    ocs::{seed, store::Persona},
};
use clap::Args;
use std::{fmt::Write as _, io::Write as _, path::PathBuf, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Small talk of five kinds, ten lines each.
const TALKS: [[&str; 10]; 5] = [
    [
        "Hello, how are you today?",
        "What did you do this morning?",
        "I had a rough day at work.",
        "Do you have any friends?",
        "What is your favourite food?",
        "Tell me something about the place where you live.",
        "I am a bit scared of the dark.",
        "What do you think about love?",
        "Can you give me some advice?",
        "I have to go to bed now. Good night!",
    ],
    [
        "Hi! Nice to meet you.",
        "What's that in your hand?",
        "It's raining here.",
        "I don't know what to do with my evening.",
        "Do you like music?",
        "My sister is visiting tomorrow.",
        "We had a fight last year.",
        "You are funny.",
        "What would you say to her?",
        "Thanks, I feel better.",
    ],
    [
        "Good morning.",
        "I didn't sleep well.",
        "I have to finish something by Friday.",
        "I'm afraid it won't be good.",
        "Have you ever failed at something?",
        "How did you go on?",
        "My boss wants it to be perfect.",
        "Should I just give up?",
        "Okay, where do I begin?",
        "I'll try that.",
    ],
    [
        "Who are you?",
        "Where are we?",
        "What's the best thing you own?",
        "Tell me a story.",
        "And then what happened?",
        "What makes you laugh?",
        "What are you afraid of?",
        "If you could go anywhere, where would you go?",
        "Would you take me along?",
        "See you tomorrow.",
    ],
    [
        "Hey, it's me again.",
        "Guess what, I bought a bicycle.",
        "It is red.",
        "I fell off it, though.",
        "Only my knee hurts.",
        "Do you believe in luck?",
        "My cat is called Biscuit.",
        "What should I cook tonight?",
        "I only have eggs and an onion.",
        "You're the best.",
    ],
];

/// What the command takes.
#[derive(Clone, Debug, Args)]
pub struct VoiceArgs {
    /// Characters of the house, by name; all of them when none is named.
    #[arg(long = "character")]
    pub characters: Vec<String>,
    /// How many of the five talks.
    #[arg(long, default_value_t = 5)]
    pub talks: usize,
    /// How many lines of each talk.
    #[arg(long, default_value_t = 10)]
    pub turns: usize,
    /// GGUF file of the model.
    #[arg(long, env = "SOULFORGE_MODEL")]
    pub model: PathBuf,
    /// Threads that it computes with.
    #[arg(long, env = "SOULFORGE_MODEL_THREADS")]
    pub threads: Option<u32>,
    /// Context in tokens.
    #[arg(long, env = "SOULFORGE_MODEL_CONTEXT", default_value_t = 2048)]
    pub context: u32,
    /// Repeats the same words each time; another number gives others.
    #[arg(long, default_value_t = 1)]
    pub seed: u32,
    /// Tries another guidance than the site's.
    #[arg(long)]
    pub guidance: Option<f32>,
    /// Tries another temperature than the site's.
    #[arg(long)]
    pub temperature: Option<f32>,
    /// Draws each sentence so many times and keeps the best, instead of as often as the site.
    #[arg(long)]
    pub takes: Option<u32>,
    /// Tries another least share of the likeliest word than the site's.
    #[arg(long)]
    pub min_p: Option<f32>,
}

/// Holds the talks and prints them.
///
/// # Errors
/// A sentence that says what is missing.
pub async fn run(args: VoiceArgs) -> Result<(), String> {
    let mut personas = seed::house().map_err(|e| e.to_string())?;
    if !args.characters.is_empty() {
        for wanted in &args.characters {
            if !personas.iter().any(|p| p.name.eq_ignore_ascii_case(wanted)) {
                return Err(format!("no character of the house is called {wanted}"));
            }
        }
        personas.retain(|p| args.characters.iter().any(|c| c.eq_ignore_ascii_case(&p.name)));
    }
    let defaults = LocalConfig::new(&args.model);
    let model = Arc::new(LocalModel::load(LocalConfig {
        threads: args.threads.unwrap_or(defaults.threads),
        context_per_reply: args.context,
        queue_limit: 1000,
        // One after the other: how often sentences are drawn depends on how many replies are written.
        parallel: 1,
        ..defaults
    }));
    let mut tasks = Vec::new();
    for persona in personas {
        for (number, lines) in (0_u32..).zip(TALKS.iter().take(args.talks)) {
            let lines: Vec<&'static str> = lines.iter().copied().take(args.turns).collect();
            let (model, args, persona) = (Arc::clone(&model), args.clone(), persona.clone());
            tasks.push(tokio::spawn(async move { talk(&*model, &args, persona, number, &lines).await }));
        }
    }
    for task in tasks {
        let said = task.await.map_err(|e| e.to_string())??;
        writeln!(std::io::stdout(), "{said}").map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// One talk as Markdown.
async fn talk(
    model: &dyn ChatModel,
    args: &VoiceArgs,
    persona: Persona,
    number: u32,
    lines: &[&str],
) -> Result<String, String> {
    let person = "Ada".to_owned();
    let greeting = prompt::fill(persona.greeting.trim(), &persona.name, &person);
    let mut out = format!("## {}, talk {}\n\n{greeting}\n", persona.name, number + 1);
    let mut scene = Scene {
        persona,
        person,
        guest: Guest::default(),
        notes: Notes::default(),
        events: Vec::new(),
        memories: Vec::new(),
        history: vec![Turn { by: Sender::Oc, content: greeting }],
        has_older: false,
    };
    for (turn, line) in (0_u32..).zip(lines) {
        scene.history.push(Turn { by: Sender::User, content: (*line).to_owned() });
        let mut request = prompt::build(&scene, &model.info(), &|t: &str| model.count_tokens(t), "").request;
        let sampling = &mut request.sampling;
        sampling.seed = Some(args.seed.wrapping_mul(1000).wrapping_add(number * 100 + turn));
        sampling.guidance = args.guidance.unwrap_or(sampling.guidance);
        sampling.temperature = args.temperature.unwrap_or(sampling.temperature);
        sampling.min_p = args.min_p.unwrap_or(sampling.min_p);
        if let Some(takes) = &mut request.takes {
            takes.count = args.takes.unwrap_or(takes.count);
        }
        let mut reply = model.reply(request, CancellationToken::new());
        let (mut said, mut was_cut) = (String::new(), false);
        while let Some(chunk) = reply.recv().await {
            match chunk.map_err(|e| e.to_string())? {
                Chunk::Text(text) => said.push_str(&text),
                Chunk::Done(finish) => was_cut = finish.reason == FinishReason::Length,
                _ => {}
            }
        }
        let said = prompt::finished(said.trim_start(), 0, was_cut);
        let _ = write!(out, "\n> {line}\n\n{said}\n");
        scene.history.push(Turn { by: Sender::Oc, content: said });
    }
    Ok(out)
}
