//! PostgreSQL's pid files, and when one of them is a left-over.
//!
//! PostgreSQL ignores `postmaster.pid` when its process is gone, but refuses to start when the number belongs to *any*
//! live process of the same account. Numbers come round again after a reboot or in a container, so that happens. The
//! rule here: move such a file aside only if its process is clearly not a server of this folder and no server of this
//! folder lives. Nothing is deleted, nobody is killed by a number from a file.

use super::proc::{Process, is_postgres};
use std::path::{Path, PathBuf};

/// The lines of `postmaster.pid` that matter here. The socket's lock file begins the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PidFile {
    /// Process number of the postmaster.
    pub(super) pid: u32,
    /// The data folder it serves.
    pub(super) data: PathBuf,
    /// When it started, in seconds since 1970.
    pub(super) started: u64,
    /// `starting`, `ready`, `stopping` or `standby`; missing until the server has begun to listen.
    pub(super) status: Option<String>,
}

/// Reads a pid file; `None` when it is empty, cut short or not one.
pub(super) fn parse(text: &str) -> Option<PidFile> {
    let mut lines = text.lines();
    // A standalone backend writes its number negative: it counts as one who runs the cluster.
    let pid = lines.next()?.trim().trim_start_matches('-').parse().ok().filter(|pid| *pid > 0)?;
    let data = PathBuf::from(lines.next()?);
    let started = lines.next()?.trim().parse().ok()?;
    // Line 4 port, 5 socket folder, 6 listen address, 7 shared memory key, 8 status.
    let status = lines.nth(4).map(|line| line.trim().to_owned()).filter(|line| !line.is_empty());
    Some(PidFile { pid, data, started, status })
}

/// What to do about a pid file before PostgreSQL is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing in the way.
    Clear,
    /// A left-over that PostgreSQL would stumble over: rename it, for the reason given.
    MoveAside(String),
    /// A live server of this folder: do not start a second one.
    Serving(u32),
}

/// Judges the text of a pid file of the cluster in `data`.
///
/// `look` tells of a process; `servers` are the live processes of a PostgreSQL in this folder.
pub(super) fn judge(text: &str, data: &Path, look: impl Fn(u32) -> Process, servers: &[u32]) -> Verdict {
    if let Some(pid) = servers.first() {
        return Verdict::Serving(*pid);
    }
    let Some(file) = parse(text) else {
        return Verdict::MoveAside("it is empty or unreadable".to_owned());
    };
    match look(file.pid) {
        Process::Gone => Verdict::Clear,
        Process::Zombie => Verdict::MoveAside(format!("process {} has ended, unnoticed by its parent", file.pid)),
        Process::Alive { exe, cwd } if cwd.as_deref() == Some(data) && exe.as_deref().is_none_or(is_postgres) => {
            Verdict::Serving(file.pid)
        }
        Process::Alive { .. } => Verdict::MoveAside(format!("process {} is not a server of this folder", file.pid)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = "/srv/pg/data";
    const FILE: &str = "4711\n/srv/pg/data\n1795263000\n5432\n/srv/pg/run\n\n  1234   5678\nready   \n";

    fn alive(exe: &str, cwd: &str) -> Process {
        Process::Alive { exe: Some(exe.into()), cwd: Some(cwd.into()) }
    }

    fn verdict(text: &str, process: &Process, servers: &[u32]) -> Verdict {
        judge(text, Path::new(DATA), |_| process.clone(), servers)
    }

    #[test]
    fn reads_what_postgres_writes() {
        let file = parse(FILE).expect("a pid file");
        let status = Some("ready".to_owned());
        assert_eq!(file, PidFile { pid: 4711, data: DATA.into(), started: 1_795_263_000, status });
        let early = parse("4711\n/srv/pg/data\n1795263000\n5432\n").expect("one that was begun");
        assert_eq!(early.status, None);
        assert_eq!(parse("-12\n/srv/pg/data\n1795263000\n").map(|file| file.pid), Some(12), "a standalone backend");
    }

    #[test]
    fn refuses_what_is_none() {
        for text in
            ["", "\n", "0\n/d\n1\n", "abc\n/d\n1\n", "12", "12\n/d", "12\n/d\nyesterday\n", "99999999999\n/d\n1\n"]
        {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn leaves_a_dead_process_to_postgres() {
        assert_eq!(verdict(FILE, &Process::Gone, &[]), Verdict::Clear);
    }

    #[test]
    fn moves_away_what_postgres_would_stumble_over() {
        for process in [
            Process::Zombie,
            alive("/usr/bin/sleep", "/"),
            alive("/usr/bin/vim", DATA),
            alive("/a/bin/postgres", "/srv/other/data"),
            Process::Alive { exe: None, cwd: None },
        ] {
            assert!(matches!(verdict(FILE, &process, &[]), Verdict::MoveAside(_)), "{process:?}");
        }
        assert!(matches!(verdict("", &Process::Gone, &[]), Verdict::MoveAside(_)));
        assert!(matches!(verdict("garbage", &alive("/a/bin/postgres", DATA), &[]), Verdict::MoveAside(_)));
    }

    #[test]
    fn never_touches_a_live_server() {
        assert_eq!(verdict(FILE, &alive("/a/bin/postgres", DATA), &[]), Verdict::Serving(4711));
        assert_eq!(verdict(FILE, &alive("/a/bin/postgres (deleted)", DATA), &[]), Verdict::Serving(4711));
        assert_eq!(verdict(FILE, &Process::Alive { exe: None, cwd: Some(DATA.into()) }, &[]), Verdict::Serving(4711));
        assert_eq!(verdict(FILE, &Process::Gone, &[99]), Verdict::Serving(99), "a backend still lives");
        assert_eq!(verdict("", &Process::Gone, &[99]), Verdict::Serving(99));
    }
}
