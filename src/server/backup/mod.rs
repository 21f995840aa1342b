//! Backup and restore: the database and the uploaded files in one archive that says what must be in it.
//!
//! ```text
//! soulforge-20261121T101500Z.tar
//!   files/…                   uploaded files, by their keys
//!   keys/master.key           only with --with-keys
//!   tables/public.users.copy  the rows of one table, as `copy … to stdout` writes them; all tables of one snapshot
//!   manifest.json             versions, tables with columns and row counts, size and SHA-256 of every other entry
//!   manifest.sig              HMAC-SHA256 of the manifest under a key derived from the master key; last, so that a whole one has it
//! ```
//!
//! Beside the archives lies `erased.txt`: ids of accounts and characters that are gone, which a restore erases again (src/server/erased.rs).
//!
//! A backup is taken while the site serves. Files are copied before the snapshot (what is deleted meanwhile is there) and
//! again after it (what came meanwhile is there), so every row finds its file.
//!
//! An archive holds data and no statements. A restore makes the tables by the migrations of this program, and the rows are copied
//! into those of them that it knows, as a role that may do nothing else; nothing that stands in an archive is ever executed. It
//! happens in one transaction: either the whole archive is there afterwards, or what was there before.

mod archive;
mod dump;
mod load;
mod restore;
mod signature;

pub use self::{dump::backup, restore::restore};

use super::config::{Place, secret};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// The form of the archive.
const FORMAT: u32 = 2;
/// Name of the manifest in the archive.
const MANIFEST: &str = "manifest.json";
/// Name of the manifest's signature in the archive.
const SIGNATURE: &str = "manifest.sig";
/// Folder of the tables in the archive.
const TABLES: &str = "tables";
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
    /// Master keys, where they are not in the data folder. The archive is signed with the first.
    #[arg(long, env = "SOULFORGE_MASTER_KEY", hide_env_values = true, hide = true, value_parser = secret)]
    master_key: Option<SecretString>,
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
    /// Only read the archive, compare its sums and its signature; the database is not touched.
    #[arg(long)]
    check: bool,
    /// Take an archive that was not signed with a master key of this installation. Whoever wrote it decides what everybody reads here
    /// and who is an admin.
    #[arg(long)]
    unsigned: bool,
    /// Master keys, where they are not in the data folder.
    #[arg(long, env = "SOULFORGE_MASTER_KEY", hide_env_values = true, hide = true, value_parser = secret)]
    master_key: Option<SecretString>,
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
    /// Columns of every table, in the order of its rows.
    columns: BTreeMap<String, Vec<String>>,
    /// The last number that each sequence gave.
    sequences: BTreeMap<String, i64>,
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

/// Name of a table in the archive.
fn table_file(table: &str) -> String {
    format!("{TABLES}/{table}.copy")
}

/// A `std::io` error as a sentence about a path.
fn about(path: &std::path::Path) -> impl Fn(std::io::Error) -> String + '_ {
    move |error| format!("{}: {error}", path.display())
}

/// Runs work that waits for the disk beside the event loop.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.to_string()))
}
