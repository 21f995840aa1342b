//! Locks by `flock`: the kernel lets go of them when the last process that holds them is gone, however it went.

use super::error::ClusterError;
use rustix::{
    fs::{FlockOperation, Mode, OFlags},
    io::Errno,
};
use std::{fs::File, path::Path};

/// Takes the lock at `path` if nobody has it; `None` when somebody has.
///
/// The file is closed on `exec`, so the lock ends with this process. It may lie in a folder of a less trusted account
/// while we are root, hence no link is followed.
pub(super) fn try_lock(path: &Path) -> Result<Option<File>, ClusterError> {
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|error| ClusterError::folder(path)(error.into()))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file.into())),
        Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(None),
        Err(error) => Err(ClusterError::folder(path)(error.into())),
    }
}
