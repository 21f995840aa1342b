//! How the local model stands, and how far a file is that somebody fetches for it.
//!
//! Whoever fetches a model (the set-up script, or the models page) keeps a small JSON file beside it, `NAME.progress`. The
//! engine only reads it: as long as it is written to, replies wait for the model instead of failing.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// How the local model stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There is no file to load, and nobody fetches one.
    Absent,
    /// The file is on its way, both in bytes.
    Downloading {
        /// What is here.
        done: u64,
        /// What there will be.
        total: u64,
    },
    /// The file is being read.
    Loading,
    /// It answers.
    Ready,
    /// It cannot be used. The reason is for admins: it may name a path.
    Failed {
        /// Why.
        reason: String,
    },
}

/// What stands in the file beside a model that is being fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Bytes that are here.
    pub done: u64,
    /// Bytes there will be; 0 when that is not known yet.
    pub total: u64,
    /// When this was written, in seconds since 1970.
    pub at: u64,
    /// Why it stopped.
    #[serde(default)]
    pub failed: Option<String>,
}

impl Progress {
    /// Seconds after which somebody who writes nothing counts as gone.
    const PATIENCE: u64 = 20;

    /// Where it is kept.
    #[must_use]
    pub fn beside(model: &Path) -> PathBuf {
        let mut name = model.file_name().unwrap_or_default().to_owned();
        name.push(".progress");
        model.with_file_name(name)
    }

    /// What is written beside a model, if anything is.
    #[must_use]
    pub fn read(model: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(Self::beside(model)).ok()?).ok()
    }

    /// Whether somebody is at it.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.failed.is_none() && now().saturating_sub(self.at) < Self::PATIENCE
    }
}

/// Seconds since 1970.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// How a file stands that is not there.
pub(super) fn without_file(path: &Path) -> Standing {
    if path.as_os_str().is_empty() {
        return Standing::Absent;
    }
    match Progress::read(path) {
        Some(progress) if progress.is_alive() => Standing::Downloading { done: progress.done, total: progress.total },
        Some(Progress { failed: Some(why), .. }) => Standing::Failed { reason: why },
        _ => Standing::Absent,
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn a_file_on_its_way_is_told_as_long_as_somebody_fetches_it() {
        let folder = std::env::temp_dir().join(format!("sf-standing-{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir_all(&folder).unwrap();
        let model = folder.join("m.gguf");
        assert_eq!(without_file(&model), Standing::Absent);
        let write = |text: String| std::fs::write(folder.join("m.gguf.progress"), text).unwrap();
        // As the set-up script writes it.
        write(format!(r#"{{"done": 420, "total": 1117, "at": {}, "failed": null}}"#, now()));
        assert_eq!(without_file(&model), Standing::Downloading { done: 420, total: 1117 });
        write(format!(r#"{{"done": 420, "total": 1117, "at": {}, "failed": null}}"#, now() - 60));
        assert_eq!(without_file(&model), Standing::Absent, "whoever wrote it is gone");
        write(format!(r#"{{"done": 420, "total": 1117, "at": {}, "failed": "The disk is full."}}"#, now()));
        assert_eq!(without_file(&model), Standing::Failed { reason: "The disk is full.".into() });
        write("half a li".into());
        assert_eq!(without_file(&model), Standing::Absent);
        assert_eq!(without_file(Path::new("")), Standing::Absent);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
