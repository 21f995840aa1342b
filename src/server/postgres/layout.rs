//! Where the files of the cluster are.
//!
//! ```text
//! DATA/pg/            mode 0700, owned by the account that runs PostgreSQL
//!   .owner            flock of the process that keeps the cluster running
//!   .lock             flock of the supervisor, inherited by every process of PostgreSQL
//!   data/             the cluster; data.new while it is being made
//!   run/              the socket (elsewhere when the path is too long for one)
//!   log/              start.log of the last start, postgresql-<weekday>.log of the server
//! ```

use super::digest;
use std::path::{Path, PathBuf};

/// A socket's path must fit into `sockaddr_un`: 108 bytes on Linux, 104 elsewhere.
const LONGEST_SOCKET_PATH: usize = 99;

/// PostgreSQL's default port: only a part of the socket's name here.
pub(super) const PORT: u16 = 5432;

/// The folders and files of one cluster.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    root: PathBuf,
    run: PathBuf,
}

impl Layout {
    /// The layout below `root` (an absolute path) for a cluster that runs as `uid`.
    ///
    /// Two processes must come to the same answer, so the fall-back for long paths does not look at the environment.
    pub(super) fn new(root: &Path, uid: u32) -> Self {
        let inside = root.join("run");
        let run = if socket_in(&inside).as_os_str().len() <= LONGEST_SOCKET_PATH {
            inside
        } else {
            let name = digest(root.as_os_str().as_encoded_bytes());
            PathBuf::from(format!("/tmp/soulforge-{uid}-{name}"))
        };
        Self { root: root.to_owned(), run }
    }

    /// `DATA/pg`.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The finished cluster.
    pub(super) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// A cluster that is being made; never looked at when it is found at start.
    pub(super) fn unfinished(&self) -> PathBuf {
        self.root.join("data.new")
    }

    /// The folder of the socket.
    pub(super) fn run(&self) -> &Path {
        &self.run
    }

    /// The socket itself.
    pub(super) fn socket(&self) -> PathBuf {
        socket_in(&self.run)
    }

    /// PostgreSQL's note of who holds the socket.
    pub(super) fn socket_lock(&self) -> PathBuf {
        self.run.join(format!(".s.PGSQL.{PORT}.lock"))
    }

    /// PostgreSQL's note of who runs the cluster.
    pub(super) fn pid_file(&self) -> PathBuf {
        self.data().join("postmaster.pid")
    }

    /// The folder of logs.
    pub(super) fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// What PostgreSQL and initdb said before the log collector took over.
    pub(super) fn start_log(&self) -> PathBuf {
        self.log().join("start.log")
    }

    /// Held by the process that keeps the cluster running.
    pub(super) fn owner_lock(&self) -> PathBuf {
        self.root.join(".owner")
    }

    /// Held as long as the supervisor or any process of PostgreSQL lives.
    pub(super) fn cluster_lock(&self) -> PathBuf {
        self.root.join(".lock")
    }
}

fn socket_in(run: &Path) -> PathBuf {
    run.join(format!(".s.PGSQL.{PORT}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_moves_the_socket_to_a_short_one() {
        let short = Layout::new(Path::new("/srv/soulforge/pg"), 7);
        assert_eq!(short.run(), Path::new("/srv/soulforge/pg/run"));

        let root = PathBuf::from(format!("/srv/{}/pg", "long".repeat(30)));
        let long = Layout::new(&root, 7);
        assert!(long.socket().as_os_str().len() <= LONGEST_SOCKET_PATH);
        assert!(long.run().starts_with("/tmp"));
        assert_eq!(long.run(), Layout::new(&root, 7).run(), "both processes agree");
        assert_ne!(long.run(), Layout::new(&root.join("other"), 7).run());
    }
}
