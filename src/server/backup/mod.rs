//! Backup and restore: the database and the uploaded files in one archive that says what must be in it.
//!
//! ```text
//! soulforge-20261121T101500Z.tar
//!   files/…          uploaded files, by their keys
//!   keys/master.key  only with --with-keys
//!   database.dump    pg_dump's custom format, of one snapshot
//!   manifest.json    versions, row counts of that snapshot, size and SHA-256 of every entry; last, so that a whole one has it
//! ```
//!
//! A backup is taken while the site serves. Files are copied before the snapshot (what is deleted meanwhile is there) and
//! again after it (what came meanwhile is there), so every row finds its file. A restore happens in one transaction: either
//! the whole archive is there afterwards, or what was there before.

mod archive;
mod dump;
mod restore;

pub use self::{dump::backup, restore::restore};

use super::config::Place;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// The form of the archive.
const FORMAT: u32 = 1;
/// Name of the manifest in the archive.
const MANIFEST: &str = "manifest.json";
/// Name of the database in the archive.
const DUMP: &str = "database.dump";
/// The file in the data folder that opens the secrets in the database.
const KEY_FILE: &str = "master.key";

/// Arguments of `soulforge backup`.
#[derive(Clone, Debug, clap::Args)]
pub struct BackupArgs {
    #[command(flatten)]
    place: Place,
    /// Folder or file to write to. Default: the folder `backups` in the data folder.
    #[arg(long)]
    to: Option<PathBuf>,
    /// Put the master key into the archive, too. Whoever has both reads the providers' keys: keep it apart otherwise.
    #[arg(long)]
    with_keys: bool,
}

/// Arguments of `soulforge restore`.
#[derive(Clone, Debug, clap::Args)]
pub struct RestoreArgs {
    /// The archive.
    file: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Replace a database that is not empty.
    #[arg(long)]
    force: bool,
    /// Only read the archive and compare its sums; the database is not touched.
    #[arg(long)]
    check: bool,
}

/// What must be in an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    /// Form of the archive.
    format: u32,
    /// Version of the program that wrote it.
    soulforge: String,
    /// When the snapshot was taken.
    made_at: chrono::DateTime<chrono::Utc>,
    /// Version of the server that it was taken from.
    postgresql: String,
    /// Role that owned the tables.
    owner: String,
    /// Applied migrations: number and SHA-384 in hexadecimal.
    migrations: BTreeMap<i64, String>,
    /// Rows of every table in the snapshot.
    rows: BTreeMap<String, i64>,
    /// Everything else in the archive.
    entries: Vec<Entry>,
}

/// One file in an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    name: String,
    size: u64,
    sha256: String,
}

/// A `std::io` error as a sentence about a path.
fn about(path: &std::path::Path) -> impl Fn(std::io::Error) -> String + '_ {
    move |error| format!("{}: {error}", path.display())
}

/// Runs work that waits for the disk beside the event loop.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.to_string()))
}
