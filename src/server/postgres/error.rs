//! What can go wrong with the private cluster, in words for the person who started it.

use std::{io, path::PathBuf};

/// Why the private PostgreSQL cannot serve. Each text says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The folder given as `pg_dir` holds no PostgreSQL.
    #[error(
        "no PostgreSQL programs in {}: {missing} is missing. Run the set-up again, name another folder in \
         SOULFORGE_PG_DIR, or use a server of your own with DATABASE_URL", dir.display()
    )]
    Binaries {
        /// The folder that was looked into.
        dir: PathBuf,
        /// The file that is not there.
        missing: &'static str,
    },
    /// The operating system account that would run PostgreSQL cannot be used.
    #[error("no operating system account to run PostgreSQL as: {0}")]
    Account(String),
    /// The database folder belongs to somebody else.
    #[error(
        "the database folder {} belongs to {owner}, but this process runs as {us}. Start it as {owner}, or give the \
         folder away with: chown -R {us} {}", path.display(), path.display()
    )]
    WrongOwner {
        /// The folder in question.
        path: PathBuf,
        /// Name (or number) of its owner.
        owner: String,
        /// Name (or number) of the account that this process runs as.
        us: String,
    },
    /// The account that runs PostgreSQL cannot get to a folder.
    #[error(
        "{} cannot be reached by the account {account}, which runs PostgreSQL. Move it out of the closed folder, or \
         choose another place with SOULFORGE_DATA", path.display()
    )]
    Unreachable {
        /// The folder in question.
        path: PathBuf,
        /// The account that runs PostgreSQL.
        account: String,
    },
    /// A file or folder cannot be made, read or written.
    #[error("{}: {source}", path.display())]
    Folder {
        /// The file or folder in question.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// PostgreSQL does not start, or ended too often.
    #[error("the private PostgreSQL does not run: {0}")]
    Failed(String),
    /// A setting that protects the data is switched off.
    #[error(
        "PostgreSQL runs with {setting} = {value}; SoulForge refuses to keep people's data that way. Remove the \
         setting from postgresql.conf and postgresql.auto.conf"
    )]
    Unsafe {
        /// Name of the setting.
        setting: &'static str,
        /// The value found; anything but `on` is refused.
        value: String,
    },
    /// PostgreSQL answered with an error while roles and database were being prepared.
    #[error("preparing the private PostgreSQL: {0}")]
    Sql(#[from] sqlx::Error),
    /// Nothing answered in a quarter of an hour.
    #[error("the private PostgreSQL did not become ready within {0} seconds; its log is in the folder pg/log")]
    Timeout(u64),
}

impl ClusterError {
    /// Names the file or folder that an operation failed on.
    pub(super) fn folder(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Folder { path, source }
    }
}
