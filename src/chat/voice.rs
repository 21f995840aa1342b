//! `soulforge voice`: talks with characters of the house and prints them, for judging a model by reading.
//!
//! The prompt, the sampling and the way replies are finished are those of the site; only the database is missing. With a
//! seed the talks are the same each time.

use super::{
    Sender,
    prompt::{self, Guest, Notes, Scene, Turn},
};
use crate::{
    accounts::guests::NAME as GUEST,
    ai::{
        ChatModel, Chunk, Finish, FinishReason,
        local::{LocalConfig, LocalModel},
    },
    ocs::{seed, store::Persona},
};
use clap::Args;
use futures::{StreamExt, stream};
use std::{
    fmt::Write as _,
    io::Write as _,
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// Ten talks of ten lines, as newcomers write them: names and animals to remember, other languages, sums, hugs, worries.
const TALKS: [[&str; 10]; 10] = [
    [
        "Hi, I'm Rosa. Nice to meet you!",
        "do you like cats? my cat is called Pixel",
        "she knocked over my coffee this morning lol",
        "*hugs you*",
        "whats 2+2",
        "I have a test tomorrow and my teacher hates me",
        "im kinda sad today",
        "tell me something funny",
        "can you remember the name of my cat?",
        "What is my name?",
    ],
    [
        "who are you exactly? are you an AI?",
        "what is that next to you?",
        "I broke my favourite cup this morning.",
        "can you mend it?",
        "my grandmother gave it to me, her name was Ilse",
        "what would you do in my place?",
        "ok. do you have any family?",
        "give me a list of three things to do this weekend",
        "who gave me the cup?",
        "thank you, good night",
    ],
    [
        "Hallo! Wie geht es dir heute?",
        "Ich heiße Jonas und wohne in Bremen.",
        "Was machst du am liebsten, wenn es regnet?",
        "Erzähl mir kurz von deinem Zuhause.",
        "Tu parles aussi français ?",
        "J'ai un chien qui s'appelle Filou. Et toi, tu aimes les animaux ?",
        "¿Qué te gusta comer?",
        "Cuéntame algo de tu trabajo.",
        "Sorry, back to English. What is my dog called?",
        "Weißt du noch, wo ich wohne?",
    ],
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
        "Hi! My name is Tom.",
        "What's that in your hand?",
        "It's raining here.",
        "I don't know what to do with my evening.",
        "Do you like music?",
        "My sister Nina is visiting tomorrow.",
        "We had a fight last year.",
        "You are funny.",
        "What would you say to her?",
        "Do you remember her name? And mine?",
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
        "When do I have to be finished, again?",
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
        "What should I cook tonight?",
        "I only have eggs and an onion.",
        "What colour was my bicycle?",
        "You're the best.",
    ],
    [
        "yo",
        "bored",
        "idk what do you wanna talk about",
        "lol ok",
        "*sits down next to you and looks around*",
        "what is a switchboard?",
        "do you remember what i said at the start?",
        "im 15 btw",
        "write me a short poem about the rain",
        "ok bye",
    ],
    [
        "My clock stopped. Can you mend it?",
        "It was my father's. He was called Henrik.",
        "I miss him.",
        "*wipes a tear*",
        "What do you do when you miss somebody?",
        "Did you ever lose something you loved?",
        "Let's talk about something else. What's your favourite season?",
        "Mine is autumn, because of the smell.",
        "What was my father called?",
        "Thanks, I feel better.",
    ],
];

/// What the command takes.
#[derive(Clone, Debug, Args)]
pub struct VoiceArgs {
    /// Characters of the house, by name; all of them when none is named.
    #[arg(long = "character")]
    pub characters: Vec<String>,
    /// How many of the ten talks.
    #[arg(long, default_value_t = 10)]
    pub talks: usize,
    /// The first of them, from 1.
    #[arg(long, default_value_t = 1)]
    pub from: usize,
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
    #[arg(long, env = "SOULFORGE_MODEL_CONTEXT", default_value_t = 4096)]
    pub context: u32,
    /// Repeats the same words each time; another number gives others.
    #[arg(long, default_value_t = 1)]
    pub seed: u32,
    /// How many talks are held at the same time: quicker in all, though each reply takes longer.
    #[arg(long, default_value_t = 1)]
    pub together: u32,
    /// Tries another temperature than the site's.
    #[arg(long)]
    pub temperature: Option<f32>,
}

/// What the replies cost.
#[derive(Default)]
struct Figures {
    /// Milliseconds to the first word of replies in a talk that had begun.
    first: Vec<u128>,
    prompt: u64,
    cached: u64,
    reply: u64,
    writing: Duration,
}

/// Holds the talks and prints each when it has ended.
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
    let model = LocalModel::load(LocalConfig {
        threads: args.threads.unwrap_or(defaults.threads),
        context_per_reply: args.context,
        parallel: args.together.clamp(1, 16),
        ..defaults
    });
    let mut figures = Figures::default();
    let (model, args) = (&model, &args);
    let talks = personas.iter().flat_map(|persona| {
        let talks = (1_u32..).zip(&TALKS).skip(args.from.saturating_sub(1)).take(args.talks);
        talks.map(move |(number, lines)| {
            let lines = lines.get(..args.turns.min(lines.len())).unwrap_or_default();
            talk(model, args, persona.clone(), number, lines)
        })
    });
    let mut held = stream::iter(talks).buffered(args.together.max(1) as usize);
    while let Some(talk) = held.next().await {
        let (text, replies) = talk?;
        print(&text)?;
        replies.into_iter().for_each(|reply| figures.note(&reply));
    }
    print(&figures.told())
}

fn print(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|e| e.to_string())
}

/// A talk with a character that has said its greeting.
fn scene_with(persona: Persona) -> Scene {
    let person = GUEST.to_owned();
    let greeting = prompt::fill(persona.greeting.trim(), persona.called(), &person);
    Scene {
        persona,
        person,
        guest: Guest::default(),
        notes: Notes::default(),
        events: Vec::new(),
        memories: Vec::new(),
        history: vec![Turn { by: Sender::Oc, content: greeting }],
        has_older: false,
    }
}

/// How a reply came.
struct Came {
    /// Whether the talk had begun before it.
    later: bool,
    first: Duration,
    whole: Duration,
    finish: Finish,
}

/// Holds one talk; gives it as Markdown, with what each reply cost.
async fn talk(
    model: &dyn ChatModel,
    args: &VoiceArgs,
    persona: Persona,
    number: u32,
    lines: &[&str],
) -> Result<(String, Vec<Came>), String> {
    let name = persona.name.clone();
    let mut scene = scene_with(persona);
    let greeting = scene.history.first().map(|turn| turn.content.as_str()).unwrap_or_default();
    let mut text = format!("## {name}, talk {number}\n\n{greeting}\n");
    let mut replies = Vec::new();
    for (turn, line) in (0_u32..).zip(lines) {
        scene.history.push(Turn { by: Sender::User, content: (*line).to_owned() });
        let mut request = prompt::build(&scene, &model.info(), &|t: &str| model.count_tokens(t), "").request;
        request.sampling.seed = Some(args.seed.wrapping_mul(1000).wrapping_add(number * 100 + turn));
        request.sampling.temperature = args.temperature.unwrap_or(request.sampling.temperature);
        let asked = Instant::now();
        let mut first = None;
        let mut reply = model.reply(request, CancellationToken::new());
        let (mut said, mut end) = (String::new(), None);
        while let Some(chunk) = reply.recv().await {
            match chunk.map_err(|e| e.to_string())? {
                Chunk::Text(text) => {
                    first.get_or_insert_with(|| asked.elapsed());
                    said.push_str(&text);
                }
                Chunk::Done(finish) => end = Some(finish),
                _ => {}
            }
        }
        let was_cut = end.as_ref().is_some_and(|f| f.reason == FinishReason::Length);
        let said = prompt::finished(said.trim_start(), 0, was_cut);
        if let Some(finish) = end {
            replies.push(Came { later: turn > 0, first: first.unwrap_or_default(), whole: asked.elapsed(), finish });
        }
        let _ = write!(text, "\n> {line}\n\n{said}\n");
        scene.history.push(Turn { by: Sender::Oc, content: said });
    }
    Ok((text, replies))
}

impl Figures {
    fn note(&mut self, Came { later, first, whole, finish }: &Came) {
        if *later {
            self.first.push(first.as_millis());
            self.prompt += u64::from(finish.prompt_tokens);
            self.cached += u64::from(finish.cached_tokens);
        }
        self.reply += u64::from(finish.reply_tokens);
        self.writing += whole.saturating_sub(*first);
    }

    /// As a paragraph.
    fn told(&self) -> String {
        let mut first = self.first.clone();
        first.sort_unstable();
        let at = |percent: usize| first.get(first.len() * percent / 100).copied().unwrap_or_default();
        let mut told = String::new();
        let _ = write!(
            told,
            "{} replies after the first of a talk: first word after {} ms at the median, {} ms at nine in ten; {} of {} tokens of \
             their prompts were known. {} tokens written in {:.1} s.",
            first.len(),
            at(50),
            at(90),
            self.cached,
            self.prompt,
            self.reply,
            self.writing.as_secs_f64()
        );
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ai::Message;

    #[test]
    fn talks_are_whole_and_ask_for_what_was_told() {
        for talk in TALKS {
            assert!(talk.iter().all(|line| !line.trim().is_empty()));
        }
        assert!(TALKS[0][1].contains("Pixel") && TALKS[0][8].contains("name of my cat"));
    }

    #[test]
    fn figures_are_told() {
        let mut figures = Figures::default();
        let finish = Finish {
            reason: FinishReason::End,
            prompt_tokens: 1000,
            cached_tokens: 970,
            cache_write_tokens: 0,
            reply_tokens: 30,
        };
        let came = |later, first, whole| Came {
            later,
            first: Duration::from_millis(first),
            whole: Duration::from_millis(whole),
            finish: finish.clone(),
        };
        figures.note(&came(false, 9000, 10_000));
        figures.note(&came(true, 400, 2400));
        let told = figures.told();
        assert!(told.starts_with("1 replies after the first of a talk: first word after 400 ms"), "{told}");
        assert!(told.contains("970 of 1000 tokens") && told.ends_with("60 tokens written in 3.0 s."), "{told}");
    }

    /// The next message of a talk costs its own tokens, not those of the sheet, the examples and the talk.
    #[tokio::test]
    async fn model_reads_only_what_is_new() {
        let file =
            std::env::var_os("SOULFORGE_MODEL").map(PathBuf::from).expect("SOULFORGE_MODEL must name a GGUF file");
        let model = LocalModel::load(LocalConfig { context_per_reply: 2048, parallel: 1, ..LocalConfig::new(file) });
        // Until the model is loaded tokens are only estimated, and another number of examples may fit.
        let mut first = model.reply(crate::ai::Request::new(vec![Message::user("Hello")]), CancellationToken::new());
        while first.recv().await.is_some() {}
        let mut scene = scene_with(seed::house().expect("the house").remove(0));
        for (turn, line) in TALKS[0].iter().take(4).enumerate() {
            scene.history.push(Turn { by: Sender::User, content: (*line).to_owned() });
            let mut request = prompt::build(&scene, &model.info(), &|t: &str| model.count_tokens(t), "").request;
            request.max_tokens = 20;
            request.sampling.seed = Some(7);
            let mut reply = model.reply(request, CancellationToken::new());
            let (mut said, mut end) = (String::new(), None);
            while let Some(chunk) = reply.recv().await {
                match chunk.expect("a reply") {
                    Chunk::Text(text) => said.push_str(&text),
                    Chunk::Done(finish) => end = Some(finish),
                    _ => {}
                }
            }
            let end = end.expect("an end");
            // The line, the marks around it, and at most the reply before it, which may be read with other seams.
            let fresh = end.prompt_tokens - end.cached_tokens;
            assert!(turn == 0 || fresh < 80, "{fresh} of {} tokens were read again", end.prompt_tokens);
            assert!(end.prompt_tokens > 600, "{end:?}");
            scene.history.push(Turn { by: Sender::Oc, content: prompt::finished(said.trim_start(), 0, true) });
        }
    }
}
