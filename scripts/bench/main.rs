//! The tools of `scripts/bench.py`: a load generator, a bare handler to compare with, a scripted provider, and runs of the
//! local model and of the row level security without the site around them. Each prints one line of JSON.
//!
//! An example of the package and not a program of its own, so that it is compiled with the server's dependencies and only
//! when somebody measures.
#![expect(
    clippy::indexing_slicing,
    reason = "answers of the own provider are indexed as JSON; a benchmark that is wrong may stop"
)]
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

mod bare;
mod http;
mod model;
mod provider;
mod relay;
mod wall;

use std::{collections::HashMap, error::Error, process::ExitCode};

/// What goes wrong here ends the run and is told as it is.
pub type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// `--name value` pairs.
pub struct Flags(HashMap<String, String>);

impl Flags {
    /// A text; empty if absent.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// A number, or this one if absent.
    pub fn number(&self, name: &str, default: u64) -> Outcome<u64> {
        self.0.get(name).map_or(Ok(default), |v| Ok(v.parse()?))
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let mut flags = HashMap::new();
    while let (Some(name), Some(value)) = (arguments.next(), arguments.next()) {
        flags.insert(name.trim_start_matches("--").to_owned(), value);
    }
    let flags = Flags(flags);
    let done =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Into::into).and_then(|runtime| {
            runtime.block_on(async {
                match command.as_str() {
                    "load" => http::load(&flags).await,
                    "park" => http::park(&flags).await,
                    "bare" => bare::serve(&flags).await,
                    "provider" => provider::serve(&flags).await,
                    "relay" => relay::measure(&flags).await,
                    "model" => model::measure(&flags).await,
                    "wall" => wall::measure(&flags).await,
                    other => Err(format!("there is no measurement called {other:?}").into()),
                }
            })
        });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{}", serde_json::json!({ "error": error.to_string() }));
            ExitCode::FAILURE
        }
    }
}

/// The value below which this share of the sorted values lies; 0 for none.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
    #[expect(clippy::cast_precision_loss, reason = "lists are short")]
    let place = (share * (sorted.len().saturating_sub(1)) as f64).round() as usize;
    sorted.get(place).copied().unwrap_or_default()
}

/// Median, 99th percentile, mean, largest and number of some times.
pub fn summary(mut values: Vec<f64>) -> serde_json::Value {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "lists are short")]
    let mean = if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 };
    serde_json::json!({
        "p50": quantile(&values, 0.5), "p95": quantile(&values, 0.95), "p99": quantile(&values, 0.99), "mean": mean,
        "max": values.last().copied().unwrap_or_default(), "count": values.len(),
    })
}
