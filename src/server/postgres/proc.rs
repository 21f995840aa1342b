//! Looking at other processes through `/proc`.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

/// What is known of a process number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Process {
    /// No such process.
    Gone,
    /// Ended, but its parent has not asked how: it still answers to `kill(pid, 0)`.
    Zombie,
    /// Alive; what cannot be read (another account's process) is `None`.
    Alive { exe: Option<PathBuf>, cwd: Option<PathBuf> },
}

/// Looks at process `pid`.
pub(super) fn look(pid: u32) -> Process {
    let home = PathBuf::from(format!("/proc/{pid}"));
    let Ok(stat) = fs::read_to_string(home.join("stat")) else { return Process::Gone };
    // The name is in brackets and may hold anything, brackets too: the state follows the last one.
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    if matches!(state, Some('Z' | 'X')) {
        return Process::Zombie;
    }
    Process::Alive { exe: fs::read_link(home.join("exe")).ok(), cwd: fs::read_link(home.join("cwd")).ok() }
}

/// The processes of a PostgreSQL that have `data` as their working folder: postmaster and backends all do.
pub(super) fn postgres_in(data: &Path) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| match look(*pid) {
            Process::Alive { exe, cwd } => cwd.as_deref() == Some(data) && exe.as_deref().is_none_or(is_postgres),
            Process::Gone | Process::Zombie => false,
        })
        .collect()
}

/// Whether a path names PostgreSQL's server; one replaced on disk reads `postgres (deleted)`.
pub(super) fn is_postgres(exe: &Path) -> bool {
    exe.file_name().and_then(OsStr::to_str).is_some_and(|name| name == "postgres" || name == "postgres (deleted)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_at_itself_and_at_nobody() {
        let Process::Alive { exe, cwd } = look(std::process::id()) else { panic!("we are alive") };
        assert_eq!(exe, std::env::current_exe().ok());
        assert_eq!(cwd, std::env::current_dir().ok());
        assert_eq!(look(u32::MAX), Process::Gone);
    }

    #[test]
    fn sees_a_zombie() {
        let mut child = std::process::Command::new("true").spawn().expect("runs");
        while look(child.id()) != Process::Zombie {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        child.wait().expect("waits");
        assert_eq!(look(child.id()), Process::Gone);
    }

    #[test]
    fn knows_the_server_by_its_name() {
        assert!(is_postgres(Path::new("/a/bin/postgres")));
        assert!(is_postgres(Path::new("/a/bin/postgres (deleted)")));
        assert!(!is_postgres(Path::new("/a/bin/postgresql-tool")));
    }
}
