//! What stands beside a file that is being fetched, and which names, sums and addresses may stand there.

use crate::{
    ai::local::{self, Progress, parts},
    error::{AppError, AppResult},
};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    path::{Path, PathBuf},
};
use url::Url;

/// Longest name of a file.
const NAME_MAX: usize = 120;

/// A fetch, as it is kept beside its file. The engine reads the progress, we the rest after a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// How far it is.
    #[serde(flatten)]
    pub progress: Progress,
    /// Where it comes from.
    #[serde(default)]
    pub url: String,
    /// The sum it must have.
    #[serde(default)]
    pub sha256: String,
    /// The size it must have, where that is known beforehand.
    #[serde(default)]
    pub bytes: Option<u64>,
}

impl Record {
    /// What is kept beside a file.
    #[must_use]
    pub fn read(file: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(Progress::beside(file)).ok()?).ok()
    }

    /// Keeps it; it is there as a whole or as it was before.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn write(&mut self, file: &Path) -> std::io::Result<()> {
        self.progress.at = local::now();
        let place = Progress::beside(file);
        let mut new = place.clone().into_os_string();
        new.push(".new");
        fs::write(&new, serde_json::to_vec(self).map_err(std::io::Error::other)?)?;
        fs::rename(&new, place)
    }

    /// Forgets it.
    pub fn remove(file: &Path) {
        let _ = fs::remove_file(Progress::beside(file));
    }
}

/// Where the bytes of a file are gathered.
#[must_use]
pub fn part_of(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    file.with_file_name(name)
}

/// A name that a file may have: no folder, nothing hidden, and `.gguf` at its end.
///
/// # Errors
/// `Invalid` on the field `address`.
pub fn check_name(name: &str) -> Result<String, AppError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name = name.trim();
    if name.is_empty() || name.len() > NAME_MAX || name.starts_with('.') || !name.chars().all(plain) {
        return Err(AppError::invalid("address", "The address must end with the name of a file, in plain letters."));
    }
    if !name.to_ascii_lowercase().ends_with(".gguf") {
        return Err(AppError::invalid("address", "The address must lead to a GGUF file: its name ends with .gguf."));
    }
    Ok(name.to_owned())
}

/// The name of the file at an address.
///
/// # Errors
/// `Invalid` on the field `address`.
pub fn name_of(url: &Url) -> AppResult<String> {
    let last = url.path_segments().and_then(|mut all| all.next_back()).unwrap_or_default();
    let name = check_name(last)?;
    if parts(&name).is_some() {
        return Err(AppError::invalid(
            "address",
            "This model has several parts. Put all of them into the folder yourself, named as they are published.",
        ));
    }
    Ok(name)
}

/// A SHA-256 sum in small letters.
///
/// # Errors
/// `Invalid` on the field `sha256`.
pub fn check_sum(text: &str) -> Result<String, AppError> {
    let text = text.trim().trim_start_matches("sha256:").to_ascii_lowercase();
    if text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit()) {
        return Ok(text);
    }
    Err(AppError::invalid(
        "sha256",
        "The SHA-256 sum has 64 digits and letters from a to f; the page of the file shows it.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_the_folder() {
        for name in ["a.gguf", "Qwen2.5-1.5B_x.GGUF"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        let long = format!("{}.gguf", "a".repeat(NAME_MAX));
        for name in ["", "a", "a.bin", "../a.gguf", "a/b.gguf", ".a.gguf", "a b.gguf", "ä.gguf", "a.gguf\n.gguf", &long]
        {
            assert!(check_name(name).is_err(), "{name}");
        }
        let name = |text: &str| name_of(&Url::parse(text).unwrap());
        assert_eq!(name("https://x.example/a/b.gguf"), Ok("b.gguf".into()));
        assert!(name("https://x.example/").is_err());
        assert!(name("https://x.example/m-00001-of-00002.gguf").is_err(), "one part of several");
        assert!(name("https://x.example/%2e%2e%2fa.gguf").is_err());
    }

    #[test]
    fn sums_are_read_as_people_copy_them() {
        let sum = "0123456789abcdef".repeat(4);
        assert_eq!(check_sum(&format!(" sha256:{} ", sum.to_uppercase().replace("SHA", "sha"))), Ok(sum));
        for bad in ["", "abc", &"g".repeat(64)] {
            assert!(check_sum(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_record_is_read_again() {
        let folder = std::env::temp_dir().join(format!("sf-record-{}", uuid::Uuid::now_v7().simple()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("m.gguf");
        let progress = Progress { done: 5, total: 10, failed: Some("It broke.".into()), ..Progress::default() };
        let mut record =
            Record { progress, url: "https://x.example/m.gguf".into(), sha256: "ab".into(), bytes: Some(10) };
        record.write(&file).unwrap();
        assert_eq!(Record::read(&file), Some(record.clone()));
        assert_eq!(Progress::read(&file), Some(record.progress));
        Record::remove(&file);
        assert_eq!(Record::read(&file), None);
        fs::remove_dir_all(&folder).unwrap();
    }
}
