//! What the supervisor does before it starts PostgreSQL: make the cluster once, write our settings, clear the way.
//!
//! All of it runs as the account of the cluster, never as root, and with the cluster's lock held.

use super::{
    layout::Layout,
    pidfile::{self, Verdict},
    place, proc, settings,
    supervisor::PgRunArgs,
};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// How long the backends of a killed postmaster may take to notice and end.
const LEFTOVERS: Duration = Duration::from_secs(10);

/// Makes the cluster if there is none, checks its version and writes our settings. The error is a sentence.
pub(super) fn prepare(args: &PgRunArgs, layout: &Layout) -> Result<(), String> {
    make_run_folder(layout)?;
    let programs = version_of(&args.binaries)?;
    if !layout.data().exists() {
        make_cluster(args, layout)?;
    }
    let version_file = layout.data().join("PG_VERSION");
    let cluster = fs::read_to_string(&version_file).map_err(|error| {
        format!("{} is not a cluster of PostgreSQL ({}: {error})", layout.data().display(), version_file.display())
    })?;
    if cluster.trim() != programs {
        return Err(format!(
            "the database in {} was made by PostgreSQL {}, the programs in {} are PostgreSQL {programs}. Use programs \
             of version {}, or upgrade the database with pg_upgrade; nothing has been changed",
            layout.data().display(),
            cluster.trim(),
            args.binaries.display(),
            cluster.trim(),
        ));
    }
    write_settings(args, layout, &layout.data())
}

/// Looks at the pid files of a former start and moves left-overs aside. The error is a sentence.
pub(super) fn clear_way(layout: &Layout) -> Result<(), String> {
    let data = layout.data();
    let until = Instant::now() + LEFTOVERS;
    let noted = fs::read_to_string(layout.pid_file()).ok().and_then(|text| pidfile::parse(&text));
    let mut servers = proc::postgres_in(&data);
    // Without their postmaster they are about to end; with it, there is nothing to wait for.
    while !servers.is_empty()
        && !noted.as_ref().is_some_and(|file| servers.contains(&file.pid))
        && Instant::now() < until
    {
        std::thread::sleep(Duration::from_millis(20));
        servers = proc::postgres_in(&data);
    }
    for path in [layout.pid_file(), layout.socket_lock()] {
        let Ok(bytes) = fs::read(&path) else { continue };
        match pidfile::judge(&String::from_utf8_lossy(&bytes), &data, proc::look, &servers) {
            Verdict::Clear => {}
            Verdict::Serving(pid) => {
                return Err(format!(
                    "process {pid} already serves {}, but SoulForge did not start it: stop it first (pg_ctl stop -D {})",
                    data.display(),
                    data.display()
                ));
            }
            Verdict::MoveAside(why) => {
                let aside = path.with_extension(format!("stale-{}", seconds_now()));
                fs::rename(&path, &aside).map_err(|error| format!("{}: {error}", path.display()))?;
                let _ = writeln!(
                    std::io::stderr(),
                    "soulforge pg-run: {} is a left-over ({why}): moved to {}",
                    path.display(),
                    aside.display()
                );
            }
        }
    }
    Ok(())
}

/// The folder of the socket, checked: in the shared `/tmp` somebody else might have made one of that name.
fn make_run_folder(layout: &Layout) -> Result<(), String> {
    for folder in [layout.run(), layout.log().as_path()] {
        place::make_folder(folder).map_err(|error| error.to_string())?;
    }
    let run = layout.run();
    let found = fs::symlink_metadata(run).map_err(|error| format!("{}: {error}", run.display()))?;
    if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
        return Err(format!("{} is not ours: remove it, or choose a shorter path in SOULFORGE_DATA", run.display()));
    }
    fs::set_permissions(run, PermissionsExt::from_mode(0o700)).map_err(|error| format!("{}: {error}", run.display()))
}

/// The major version of the programs, as it stands in `PG_VERSION`.
fn version_of(binaries: &Path) -> Result<String, String> {
    let server = binaries.join("bin/postgres");
    let asked = Command::new(&server)
        .arg("--version")
        .env("LD_LIBRARY_PATH", place::library_path(binaries))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{} cannot be run: {error}", server.display()))?;
    let text = String::from_utf8_lossy(&asked.stdout).into_owned();
    major(&text).ok_or_else(|| {
        let said = String::from_utf8_lossy(&asked.stderr).into_owned();
        format!("{} does not run on this machine: {}", server.display(), one_line(&format!("{text}{said}")))
    })
}

/// `postgres (PostgreSQL) 18.6` to `18`.
fn major(version: &str) -> Option<String> {
    let number = version.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    Some(digits)
}

/// Makes the cluster under another name and renames it when it is whole: a half-made one never looks finished.
fn make_cluster(args: &PgRunArgs, layout: &Layout) -> Result<(), String> {
    let (new, data) = (layout.unfinished(), layout.data());
    let io = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    if new.exists() {
        fs::remove_dir_all(&new).map_err(|error| io(&new, error))?;
    }
    let log = File::create(layout.start_log()).map_err(|error| io(&layout.start_log(), error))?;
    let output = log.try_clone().map_err(|error| io(&layout.start_log(), error))?;
    let made = Command::new(args.binaries.join("bin/initdb"))
        .arg("--pgdata")
        .arg(&new)
        // The built-in locale keeps indexes whole when the C library changes how it sorts.
        .args(["--username=sf_owner", "--auth-local=peer", "--auth-host=reject", "--encoding=UTF8"])
        .args(["--locale-provider=builtin", "--locale=C.UTF-8", "--data-checksums", "--no-instructions"])
        .env("LD_LIBRARY_PATH", place::library_path(&args.binaries))
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(log)
        .status()
        .map_err(|error| format!("initdb cannot be run: {error}"))?;
    if !made.success() {
        let said = fs::read_to_string(layout.start_log()).unwrap_or_default();
        return Err(format!("initdb failed: {}", last_error(&said)));
    }
    write_settings(args, layout, &new)?;
    fs::rename(&new, &data).map_err(|error| io(&data, error))?;
    // The rename itself must survive a power cut.
    File::open(layout.root()).and_then(|root| root.sync_all()).map_err(|error| io(layout.root(), error))
}

fn write_settings(args: &PgRunArgs, layout: &Layout, data: &Path) -> Result<(), String> {
    let accounts: BTreeSet<String> = args.accounts.iter().cloned().collect();
    let main = data.join("postgresql.conf");
    let text = fs::read_to_string(&main).map_err(|error| format!("{}: {error}", main.display()))?;
    for (name, text) in [
        ("postgresql.conf", settings::with_include(&text)),
        ("soulforge.conf", settings::server(layout, settings::memory())),
        ("pg_hba.conf", settings::access()),
        ("pg_ident.conf", settings::identities(&accounts)),
    ] {
        write_whole(&data.join(name), &text).map_err(|error| format!("{}: {error}", data.join(name).display()))?;
    }
    Ok(())
}

/// Replaces a file so that a crash leaves the old or the new text, never half of one.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|found| found == text) {
        return Ok(());
    }
    let new = path.with_extension("conf.new");
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)
}

/// The last complaint in a text of PostgreSQL's, on one line.
pub(super) fn last_error(log: &str) -> String {
    let complaint = |line: &&str| ["FATAL:", "PANIC:", "error:", "ERROR:"].iter().any(|word| line.contains(word));
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let found = lines.iter().rev().copied().find(|line| complaint(line)).or_else(|| lines.last().copied());
    found.map_or_else(|| "it said nothing".to_owned(), one_line)
}

/// A text in one line of bearable length.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(400).collect()
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions() {
        assert_eq!(major("postgres (PostgreSQL) 18.6\n").as_deref(), Some("18"));
        assert_eq!(major("postgres (PostgreSQL) 19beta1\n").as_deref(), Some("19"));
        assert_eq!(major("cannot open shared object file"), None);
    }

    #[test]
    fn finds_the_complaint_in_a_log() {
        let log = "LOG:  starting\nFATAL:  could not map memory\nHINT:  buy some\nLOG:  database system is shut down\n";
        assert_eq!(last_error(log), "FATAL: could not map memory");
        assert_eq!(last_error("only this\n\n"), "only this");
        assert_eq!(last_error(""), "it said nothing");
    }
}
