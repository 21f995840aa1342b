//! The settings that are ours: `soulforge.conf`, `pg_hba.conf` and `pg_ident.conf`, written anew at each start.
//!
//! `postgresql.conf` includes the first one, so what somebody adds below that line wins. What guards the data (`fsync`,
//! `full_page_writes`, `synchronous_commit`) is nowhere written: it is on unless somebody switches it off, and
//! [`super::bootstrap`] refuses to go on when somebody has.

use super::layout::{Layout, PORT};
use std::{collections::BTreeSet, fs, path::Path};

/// The line in `postgresql.conf` that brings in our file.
pub(super) const INCLUDE: &str = "include 'soulforge.conf'";

/// The roles that people and programs of this machine may become.
const ROLES: [&str; 4] = ["sf_owner", "sf_app", "sf_worker", "sf_backup"];

const MIB: u64 = 1024 * 1024;

/// `soulforge.conf` for a machine with `memory` bytes.
pub(super) fn server(layout: &Layout, memory: u64) -> String {
    let run = quoted(layout.run());
    let log = quoted(&layout.log());
    let buffers = shared_buffers(memory);
    format!(
        "\
# Written by SoulForge at each start. Put settings of your own into postgresql.conf, below the include line.

# A socket in a closed folder is the only way in: there is no port to clash with and none to guard.
listen_addresses = ''
port = {PORT}
unix_socket_directories = {run}
unix_socket_permissions = 0700
max_connections = 60

# A sixth of the memory, not more than a gigabyte: web server and model live here too.
shared_buffers = {buffers}MB
maintenance_work_mem = 64MB
max_wal_size = 1GB
jit = off

# Ready for backups: archiving can be switched to a real command without a restart, and summaries allow incremental ones.
wal_level = replica
archive_mode = on
archive_command = 'true'
summarize_wal = on

# A week of logs, without what people wrote.
logging_collector = on
log_directory = {log}
log_filename = 'postgresql-%a.log'
log_file_mode = 0600
log_rotation_age = 1d
log_rotation_size = 0
log_truncate_on_rotation = on
log_line_prefix = '%m [%p] %q%u@%d '
log_lock_waits = on
log_min_duration_statement = 1s
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
timezone = 'UTC'
log_timezone = 'UTC'
"
    )
}

/// `pg_hba.conf`: only by the socket, only whom the operating system vouches for, only as one of our roles.
pub(super) fn access() -> String {
    format!(
        "# Written by SoulForge at each start.\n\
         local all {} peer map=soulforge\n\
         local replication sf_backup peer map=soulforge\n",
        ROLES.join(",")
    )
}

/// `pg_ident.conf`: which accounts of the machine may be which role.
pub(super) fn identities(accounts: &BTreeSet<String>) -> String {
    let mut text = "# Written by SoulForge at each start: account of the machine, role.\n".to_owned();
    for account in accounts {
        for role in ROLES {
            text.push_str(&format!("soulforge \"{account}\" {role}\n"));
        }
    }
    text
}

/// `postgresql.conf` with our include line, unchanged when it is there.
pub(super) fn with_include(text: &str) -> String {
    if text.lines().any(|line| line.trim() == INCLUDE) {
        return text.to_owned();
    }
    format!("{}\n\n# SoulForge's settings; lines below this one win over them.\n{INCLUDE}\n", text.trim_end())
}

/// Bytes of memory that this process may count on: the machine's, or less in a container.
pub(super) fn memory() -> u64 {
    let info = rustix::system::sysinfo();
    let machine = u64::from(info.mem_unit).saturating_mul(info.totalram);
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    container.map_or(machine, |limit: u64| machine.min(limit))
}

/// Megabytes for PostgreSQL's own cache.
fn shared_buffers(memory: u64) -> u64 {
    (memory / 6 / MIB).clamp(32, 1024)
}

/// A path as a quoted value of a settings file.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_fits_the_machine() {
        assert_eq!(shared_buffers(64 * MIB), 32);
        assert_eq!(shared_buffers(2048 * MIB), 341);
        assert_eq!(shared_buffers(65_536 * MIB), 1024);
        assert!(memory() > 64 * MIB);
    }

    #[test]
    fn durability_is_left_alone() {
        let layout = Layout::new(Path::new("/srv/it's/pg"), 1);
        let text = server(&layout, 2048 * MIB);
        for setting in ["fsync", "full_page_writes", "synchronous_commit", "data_checksums"] {
            assert!(!text.contains(setting), "{setting} must stay as PostgreSQL has it");
        }
        assert!(text.contains("unix_socket_directories = '/srv/it''s/pg/run'"), "{text}");
        assert!(text.contains("listen_addresses = ''"));
    }

    #[test]
    fn the_include_line_comes_once_and_only_once() {
        let once = with_include("a = 1\n");
        assert!(once.ends_with("include 'soulforge.conf'\n"));
        assert_eq!(with_include(&once), once);
        assert!(with_include("# include 'soulforge.conf'\n").contains("\ninclude"), "a comment is not the line");
    }

    #[test]
    fn only_peers_get_in() {
        for line in access().lines().filter(|line| !line.starts_with('#')) {
            assert!(line.starts_with("local ") && line.contains(" peer "), "{line}");
        }
        let text = identities(&["root".to_owned(), "ann".to_owned()].into());
        assert_eq!(text.lines().filter(|line| line.starts_with("soulforge \"ann\" ")).count(), 4);
        assert!(text.contains("soulforge \"root\" sf_worker"));
    }
}
