//! Which account of the machine runs PostgreSQL, which refuses to run as root.
//!
//! An ordinary account runs it itself. Root hands it to the account that owns the cluster already, else to `soulforge`
//! (made when it is missing), else to `nobody`, saying so.

use super::{error::ClusterError, layout::Layout};
use std::{
    fs, io,
    os::unix::fs::{MetadataExt, lchown},
    path::Path,
    process::{Command, Stdio},
};

/// The account made for the cluster when everything runs as root.
const SERVICE: &str = "soulforge";

/// An account of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// The account of this process.
    pub(super) fn current() -> Result<Self, ClusterError> {
        let uid = rustix::process::geteuid().as_raw();
        lookup(&uid.to_string()).ok_or_else(|| {
            ClusterError::Account(format!(
                "number {uid} has no entry in /etc/passwd, and PostgreSQL needs a name. Run as an account with a \
                 name, or use a server of your own with DATABASE_URL"
            ))
        })
    }

    /// Whether this account is root.
    pub(super) fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// The account to run the cluster below `root` as, for a process that runs as `self`.
    pub(super) fn for_cluster(&self, root: &Path) -> Result<Self, ClusterError> {
        if !self.is_root() {
            return Ok(self.clone());
        }
        let owner = fs::metadata(root.join("data")).or_else(|_| fs::metadata(root)).map(|found| found.uid());
        if let Some(owner) = owner.ok().filter(|uid| *uid != 0).and_then(|uid| lookup(&uid.to_string())) {
            return Ok(owner);
        }
        if let Some(service) = lookup(SERVICE).or_else(make_service_account) {
            return Ok(service);
        }
        let nobody = lookup("nobody").filter(|account| !account.is_root()).ok_or_else(|| {
            ClusterError::Account(format!(
                "PostgreSQL must not run as root, and the account {SERVICE} is missing and cannot be made"
            ))
        })?;
        tracing::warn!(
            "PostgreSQL must not run as root and the account {SERVICE} cannot be made: it runs as nobody. Make the \
             account by hand to keep the database apart from other programs of nobody"
        );
        Ok(nobody)
    }

    /// Refuses a cluster that belongs to another account, when we cannot change that.
    pub(super) fn must_own(&self, path: &Path) -> Result<(), ClusterError> {
        match fs::metadata(path) {
            Ok(found) if found.uid() != self.uid => Err(ClusterError::WrongOwner {
                path: path.to_owned(),
                owner: name_of(found.uid()),
                us: self.name.clone(),
            }),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(ClusterError::folder(path)(error)),
        }
    }

    /// Whether this account may walk into `path` (a folder or a program) and use it, as far as mode bits tell.
    pub(super) fn reaches(&self, path: &Path) -> bool {
        path.ancestors().all(|part| {
            fs::metadata(part).is_ok_and(|found| {
                let execute = match found {
                    _ if found.uid() == self.uid => 0o100,
                    _ if found.gid() == self.gid => 0o010,
                    _ => 0o001,
                };
                found.mode() & execute != 0
            })
        })
    }

    /// As root: gives what lies below `root` to this account. Links are given, not followed.
    pub(super) fn take_over(&self, layout: &Layout) -> Result<(), ClusterError> {
        let root = layout.root();
        if fs::metadata(layout.data()).is_ok_and(|found| found.uid() == 0) {
            tracing::warn!(
                "the database folder belongs to root, under whom PostgreSQL does not run: giving it to {}",
                self.name
            );
            give(&layout.data(), self)?;
        }
        // The small parts are few; the data itself is only walked in the case above.
        for entry in fs::read_dir(root).map_err(ClusterError::folder(root))?.flatten() {
            if entry.path() != layout.data() {
                give(&entry.path(), self)?;
            }
        }
        lchown(root, Some(self.uid), Some(self.gid)).map_err(ClusterError::folder(root))
    }
}

/// Gives `path` and everything below it away.
fn give(path: &Path, to: &Account) -> Result<(), ClusterError> {
    let found = fs::symlink_metadata(path).map_err(ClusterError::folder(path))?;
    if found.is_dir() {
        for entry in fs::read_dir(path).map_err(ClusterError::folder(path))? {
            give(&entry.map_err(ClusterError::folder(path))?.path(), to)?;
        }
    }
    if found.uid() != to.uid {
        lchown(path, Some(to.uid), Some(to.gid)).map_err(ClusterError::folder(path))?;
    }
    Ok(())
}

/// The account of a name or number: from `/etc/passwd`, else from the machine's directory service.
fn lookup(key: &str) -> Option<Account> {
    let local = fs::read_to_string("/etc/passwd").ok().and_then(|text| find(&text, key));
    local.or_else(|| {
        let asked = Command::new("getent").args(["passwd", key]).stdin(Stdio::null()).stderr(Stdio::null()).output();
        find(&String::from_utf8_lossy(&asked.ok()?.stdout), key)
    })
}

/// Finds a name or number in the text of `/etc/passwd`.
fn find(passwd: &str, key: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let mut parts = line.split(':');
        let (name, uid, gid) = (parts.next()?, parts.nth(1)?, parts.next()?);
        (name == key || uid == key)
            .then(|| Some(Account { name: name.to_owned(), uid: uid.parse().ok()?, gid: gid.parse().ok()? }))
            .flatten()
    })
}

fn name_of(uid: u32) -> String {
    lookup(&uid.to_string()).map_or_else(|| format!("account number {uid}"), |account| account.name)
}

/// Makes the service account. A second process may do the same at the same moment, so what counts is the result.
fn make_service_account() -> Option<Account> {
    let made = Command::new("useradd")
        .args(["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"])
        .args(["--shell", "/usr/sbin/nologin", "--comment", "SoulForge database", SERVICE])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let account = lookup(SERVICE);
    if account.is_some() && made.is_ok_and(|status| status.success()) {
        tracing::info!("made the system account {SERVICE}: PostgreSQL must not run as root");
    }
    account
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1001:Ann,,,:/home/ann:/bin/sh\nbroken:x:y:z\n";

    #[test]
    fn finds_accounts_by_name_and_number() {
        let ann = Account { name: "ann".into(), uid: 1000, gid: 1001 };
        assert_eq!(find(PASSWD, "ann"), Some(ann.clone()));
        assert_eq!(find(PASSWD, "1000"), Some(ann));
        assert_eq!(find(PASSWD, "an"), None);
        assert_eq!(find(PASSWD, "broken"), None);
        assert_eq!(lookup("root").map(|root| root.uid), Some(0));
    }

    #[test]
    fn an_ordinary_account_runs_its_own_cluster() {
        let ann = Account { name: "ann".into(), uid: 1000, gid: 1001 };
        assert_eq!(ann.for_cluster(Path::new("/nowhere")).expect("itself"), ann);
        assert!(ann.must_own(Path::new("/nowhere")).is_ok(), "nothing there yet");
        let refused = ann.must_own(Path::new("/")).expect_err("root's");
        assert!(refused.to_string().contains("belongs to root"), "{refused}");
    }

    #[test]
    fn a_closed_folder_is_out_of_reach() {
        let nobody = Account { name: "nobody".into(), uid: 65_534, gid: 65_534 };
        let base = std::env::temp_dir().join(format!("sf-reach-{}", std::process::id()));
        let inner = base.join("inner");
        fs::create_dir_all(&inner).expect("made");
        let mode = |mode| fs::set_permissions(&base, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("set");
        mode(0o755);
        assert!(nobody.reaches(&inner));
        mode(0o700);
        assert_eq!(nobody.reaches(&inner), rustix::process::geteuid().as_raw() == nobody.uid);
        fs::remove_dir_all(&base).expect("removed");
    }
}
