//! How long a word is on its way: from the scripted provider straight to a client, and through the site.

use crate::{
    Flags, Outcome,
    http::{Connection, request},
    provider::now,
    summary,
};
use serde_json::{Value, json};
use std::time::Duration;

/// Milliseconds of one reply.
#[derive(Default)]
struct Times {
    /// From asking to the provider's hearing of it.
    asked: Vec<f64>,
    /// From the provider's first piece to the reader.
    first: Vec<f64>,
    /// The same of every later piece.
    later: Vec<f64>,
    /// From asking to the first piece.
    whole: Vec<f64>,
}

impl Times {
    fn add(&mut self, other: Self) {
        self.asked.extend(other.asked);
        self.first.extend(other.first);
        self.later.extend(other.later);
        self.whole.extend(other.whole);
    }

    fn told(self) -> Value {
        json!({ "asked": summary(self.asked), "first": summary(self.first), "later": summary(self.later),
                "whole": summary(self.whole) })
    }
}

#[expect(clippy::cast_precision_loss, reason = "a difference of times")]
fn since(then: u128) -> f64 {
    now().saturating_sub(then) as f64 / 1e6
}

/// `relay --address A --requests FILE [--spread ms]`: FILE has one request a line, `path|headers separated by tabs|body`;
/// all of them are posted, one after the other within the spread, and read to their ends.
pub async fn measure(flags: &Flags) -> Outcome {
    let text = std::fs::read_to_string(flags.text("requests"))?;
    let requests: Vec<&str> = text.lines().filter(|l| !l.is_empty()).collect();
    let spread = Duration::from_millis(flags.number("spread", 2000)?);
    let mut tasks = tokio::task::JoinSet::new();
    for (n, line) in requests.iter().enumerate() {
        let mut parts = line.splitn(3, '|');
        let (path, headers, body) =
            (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let headers: String = headers.split('\t').filter(|h| !h.is_empty()).map(|h| format!("{h}\r\n")).collect();
        let address = flags.text("address").to_owned();
        let bytes = request("POST", &address, path, &headers, body);
        let wait = spread.mul_f64(n as f64 / requests.len() as f64);
        tasks.spawn(async move {
            tokio::time::sleep(wait).await;
            follow(&address, &bytes).await
        });
    }
    let mut all = Times::default();
    let mut whole = 0;
    while let Some(done) = tasks.join_next().await {
        all.add(done??);
        whole += 1;
    }
    let mut told = all.told();
    told["streams"] = json!(whole);
    println!("{told}");
    Ok(())
}

async fn follow(address: &str, request: &[u8]) -> Outcome<Times> {
    let mut connection = Connection::open(address).await?;
    let asked = now();
    let status = connection.ask(request).await?;
    let mut times = Times::default();
    let mut text = String::new();
    let mut told = String::new();
    while let Some(piece) = connection.piece().await? {
        told.push_str(&String::from_utf8_lossy(&piece));
        // Events end with an empty line; only whole ones are looked at.
        while let Some(end) = told.find("\n\n") {
            let event: String = told.drain(..end + 2).collect();
            let Some(data) = event.lines().find_map(|l| l.strip_prefix("data:")) else { continue };
            let Ok(json) = serde_json::from_str::<Value>(data.trim()) else { continue };
            let delta = json["choices"][0]["delta"]["content"].as_str();
            let delta = delta.or_else(|| json["text"].as_str().filter(|_| event.contains("event: delta")));
            let Some(delta) = delta else { continue };
            text.push_str(delta);
            // A word may come in two pieces; it is over when the next begins.
            while let Some(end) = text.find(' ') {
                let word: String = text.drain(..=end).collect();
                read(&mut times, word.trim(), asked);
            }
        }
    }
    if !text.trim().is_empty() {
        read(&mut times, text.trim(), asked);
    }
    if status != 200 || times.first.is_empty() {
        return Err(format!(
            "status {status}, {} words: {}",
            times.later.len(),
            told.chars().take(300).collect::<String>()
        )
        .into());
    }
    Ok(times)
}

fn read(times: &mut Times, word: &str, asked: u128) {
    if let Some(heard) = word.strip_prefix('r').and_then(|w| w.parse::<u128>().ok()) {
        #[expect(clippy::cast_precision_loss, reason = "a difference of times")]
        times.asked.push(heard.saturating_sub(asked) as f64 / 1e6);
    } else if let Some(sent) = word.strip_prefix('s').and_then(|w| w.parse::<u128>().ok()) {
        if times.first.is_empty() {
            times.first.push(since(sent));
            times.whole.push(since(asked));
        } else {
            times.later.push(since(sent));
        }
    }
}
