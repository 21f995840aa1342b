//! What an operator can set: flags of the command line, each also an environment variable.

use super::{
    backup::{BackupArgs, RestoreArgs},
    postgres::{PgLedgerArgs, PgOpenArgs, PgRunArgs},
};
use clap::{Args, Parser, Subcommand};
use secrecy::SecretString;
use std::{net::SocketAddr, path::PathBuf};

/// SoulForge, a home for original characters.
#[derive(Debug, Parser)]
#[command(name = "soulforge", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the one binary can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the site.
    Serve(Config),
    /// Apply the migrations and stop.
    Migrate(Config),
    /// Write the database and the uploaded files into one archive. Works while the site serves.
    Backup(BackupArgs),
    /// Bring back what `backup` wrote. Stop the site first.
    Restore(RestoreArgs),
    /// Talk with characters of the house and print what they say, for judging a model by reading (docs/voice.md).
    Voice(crate::chat::voice::VoiceArgs),
    /// Summon characters from a set of sentences and print them, for judging a model by reading (docs/summons.md).
    Summons(crate::ocs::summon::trial::SummonsArgs),
    /// Seal all keys again under a new master key. With a PostgreSQL of your own the site may run meanwhile.
    RotateKeys(Config),
    /// Keep the private PostgreSQL running for the process that starts this one.
    #[command(hide = true)]
    PgRun(PgRunArgs),
    /// Open the private PostgreSQL and wait: for scripts and tests.
    #[command(hide = true)]
    PgOpen(PgOpenArgs),
    /// Write to the private PostgreSQL without end: for the test that kills it.
    #[command(hide = true)]
    PgLedger(PgLedgerArgs),
    /// Write a model file again as `Q8_0`, which reads prompts faster.
    #[command(hide = true)]
    Quantize {
        /// GGUF file to read.
        source: PathBuf,
        /// GGUF file to write.
        target: PathBuf,
    },
}

/// Settings of a serving process.
#[derive(Clone, Debug, Args)]
pub struct Config {
    /// Address to listen on.
    #[arg(long, env = "SOULFORGE_ADDR", default_value = "127.0.0.1:3000")]
    pub addr: SocketAddr,

    /// How people reach the site, for example `https://soulforge.example`. Decides about secure cookies and about which
    /// origin may post. Default: `http://` and the address.
    #[arg(long, env = "SOULFORGE_URL")]
    pub url: Option<url::Url>,

    /// Where its database and files are.
    #[command(flatten)]
    pub place: Place,

    /// Connections to the database for pages.
    #[arg(long, env = "SOULFORGE_POOL", default_value_t = 12)]
    pub pool: u32,

    /// GGUF file of the local model, until admins choose another one on the models page. Empty or `none`: no model.
    #[arg(long, env = "SOULFORGE_MODEL")]
    pub model: Option<PathBuf>,

    /// Threads that the local model computes with. Default: half of the machine's cores, at most 8.
    #[arg(long, env = "SOULFORGE_MODEL_THREADS")]
    pub model_threads: Option<u32>,

    /// Replies that the local model writes at the same time; fewer where the memory holds fewer.
    #[arg(long, env = "SOULFORGE_MODEL_PARALLEL", default_value_t = 4)]
    pub model_parallel: u32,

    /// Context in tokens that one reply of the local model may fill.
    #[arg(long, env = "SOULFORGE_MODEL_CONTEXT", default_value_t = 4096)]
    pub model_context: u32,

    /// Master keys that seal the providers' keys in the database: 32 bytes in base64, or several separated by commas, the
    /// current one first. Without it they are in `master.key` in the data folder.
    #[arg(long, env = "SOULFORGE_MASTER_KEY", hide_env_values = true, hide = true, value_parser = secret)]
    pub master_key: Option<SecretString>,

    /// A key of Anthropic's API: its models can be chosen then.
    #[arg(long, env = "ANTHROPIC_API_KEY", hide_env_values = true, hide = true, value_parser = secret)]
    pub anthropic_api_key: Option<SecretString>,

    /// Models to offer with that key, separated by commas.
    #[arg(long, env = "SOULFORGE_ANTHROPIC_MODEL", value_delimiter = ',', default_value = "claude-sonnet-4-6")]
    pub anthropic_model: Vec<String>,

    /// A key of OpenAI's API or of a compatible server.
    #[arg(long, env = "OPENAI_API_KEY", hide_env_values = true, hide = true, value_parser = secret)]
    pub openai_api_key: Option<SecretString>,

    /// Address of a server that is compatible with OpenAI's, for example `http://127.0.0.1:11434/v1`.
    #[arg(long, env = "OPENAI_BASE_URL")]
    pub openai_base_url: Option<String>,

    /// Models to offer from there, separated by commas.
    #[arg(long, env = "SOULFORGE_OPENAI_MODEL", value_delimiter = ',', default_value = "gpt-5-mini")]
    pub openai_model: Vec<String>,

    /// Seconds that a provider may take until its first word. A large model on a slow machine may need more.
    #[arg(long, env = "SOULFORGE_MODEL_WAIT", default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=540))]
    pub model_wait: u64,

    /// Addresses of proxies whose `X-Forwarded-For` is believed, separated by commas.
    #[arg(long, env = "SOULFORGE_TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<std::net::IpAddr>,

    /// Another address to listen on, for `/metrics`, `/livez` and `/readyz` only. Whoever reaches it reads the figures.
    #[arg(long, env = "SOULFORGE_METRICS_ADDR")]
    pub metrics_addr: Option<SocketAddr>,

    /// Seconds to go on serving after SIGTERM while `/readyz` says no, so that a proxy sends people elsewhere; at most 10.
    #[arg(long, env = "SOULFORGE_DRAIN", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=10))]
    pub drain: u64,

    /// Seconds that a page may take to be made. After them it is given up and answered with 503.
    #[arg(long, env = "SOULFORGE_PAGE_LIMIT", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub page_limit: u64,

    /// Milliseconds for which a page drawn for a visitor is given to other visitors as well; 0 draws each anew.
    #[arg(long, env = "SOULFORGE_VISITOR_PAGES", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(0..=60_000))]
    pub visitor_pages: u64,

    /// What one connection and one person may hold.
    #[command(flatten)]
    pub bounds: Bounds,

    /// Where browsers report what the policy of a page has stopped, for example `https://reports.example/csp`.
    #[arg(long, env = "SOULFORGE_CSP_REPORT")]
    pub csp_report: Option<url::Url>,

    /// Write the log as JSON lines, a line for every request among them.
    #[arg(long, env = "SOULFORGE_LOG_JSON", default_value_t = false, action = clap::ArgAction::Set)]
    pub log_json: bool,

    /// Multiplies every rate limit; tests raise it.
    #[arg(long, env = "SOULFORGE_LIMIT_FACTOR", default_value_t = 1.0, hide = true)]
    pub limit_factor: f64,
}

/// What one connection may take its time for, and how many there may be.
#[derive(Clone, Debug, Args)]
pub struct Bounds {
    /// Seconds in which the head of a request must have arrived; also how long a new connection may be silent.
    #[arg(long, env = "SOULFORGE_HEAD_SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub head_seconds: u64,

    /// Seconds that a connection may wait for its next request.
    #[arg(long, env = "SOULFORGE_IDLE_SECONDS", default_value_t = 75, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub idle_seconds: u64,

    /// Seconds that we wait for each 256 kB of a body.
    #[arg(long, env = "SOULFORGE_BODY_SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub body_seconds: u64,

    /// Seconds in which a reader must take something of an answer that waits for it.
    #[arg(long, env = "SOULFORGE_READER_SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub reader_seconds: u64,

    /// Connections from one address at the same time. Those of trusted proxies are not counted.
    #[arg(long, env = "SOULFORGE_CONNECTIONS_PER_ADDRESS", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections_per_address: u32,

    /// Open streams of one person, over all their tabs and devices.
    #[arg(long, env = "SOULFORGE_STREAMS_PER_PERSON", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub streams_per_person: u32,

    /// Files that are being written for one person at the same time.
    #[arg(long, env = "SOULFORGE_EXPORTS_PER_PERSON", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub exports_per_person: u32,
}

/// Where this installation's database and files are: what backups and restores need to know.
#[derive(Clone, Debug, Args)]
pub struct Place {
    /// Folder for everything that must be kept: the private database, uploaded files.
    #[arg(long, env = "SOULFORGE_DATA", default_value = "data")]
    pub data: PathBuf,

    /// A PostgreSQL 16 or newer with pgvector. Without it a private one is run inside the data folder.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_parser = secret)]
    pub database_url: Option<SecretString>,

    /// The same database as `DATABASE_URL`, at the server itself and as its owner: for migrations, backups and what processes tell
    /// each other. Needed where `DATABASE_URL` is a pooler's address; its role may then be one that owns nothing.
    #[arg(long, env = "SOULFORGE_OWNER_URL", hide_env_values = true, value_parser = secret)]
    pub owner_url: Option<SecretString>,

    /// Folder with the private PostgreSQL's `bin`, `lib` and `share`.
    #[arg(long, env = "SOULFORGE_PG_DIR")]
    pub pg_dir: Option<PathBuf>,
}

/// A secret on its way from the environment; never fails, so that no message can show it.
#[expect(clippy::unnecessary_wraps, reason = "the parser of flags wants a result")]
pub(super) fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(text.trim()))
}

impl Config {
    /// What the flags alone cannot say.
    ///
    /// # Errors
    /// A sentence that says what is wrong with a setting.
    pub fn check(&self) -> Result<(), String> {
        let Some(url) = &self.url else { return Ok(()) };
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(format!("SOULFORGE_URL must be an address like https://soulforge.example, and not {url}"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(format!(
                "SOULFORGE_URL has a path, and SoulForge can only be served at the top of an address: set it to {}",
                url.origin().ascii_serialization()
            ));
        }
        Ok(())
    }

    /// How many may be open at the same time, when the setting says so many: tests raise it with the limits of rates.
    #[must_use]
    pub fn most(&self, setting: u32) -> u32 {
        let most = f64::from(setting) * self.limit_factor.max(1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range")]
        let most = most.clamp(1.0, f64::from(u32::MAX)) as u32;
        most
    }

    /// Origin of the site, without a slash at the end: `http://127.0.0.1:3000`.
    #[must_use]
    pub fn origin(&self) -> String {
        self.url.as_ref().map_or_else(|| format!("http://{}", self.addr), |u| u.origin().ascii_serialization())
    }

    /// Whether people come over https, so that cookies may insist on it.
    #[must_use]
    pub fn secure(&self) -> bool {
        self.url.as_ref().is_some_and(|u| u.scheme() == "https")
    }
}
