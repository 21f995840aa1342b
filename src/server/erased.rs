//! What was erased stays erased: a list of the ids of accounts and characters that are gone, in the database and in a file beside the
//! backups, by which a restore erases them again.
//!
//! The file is for the day on which the database is lost. Its lines carry a code that only somebody with the master key can write, so
//! that nobody who merely reaches the folder can have others erased by the next restore.

use super::{AppState, files::close_folder, vault::Vault};
use crate::error::AppResult;
use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::PgConnection;
use std::{
    collections::HashSet,
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{Mutex, PoisonError},
};
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// Name of the file in a folder of backups.
pub const FILE: &str = "erased.txt";
/// What the keys of the codes are derived for.
const PURPOSE: &str = "soulforge/erased/1";
/// One writer at a time, so that nothing is listed twice.
static WRITING: Mutex<()> = Mutex::new(());

/// What was erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Somebody's account with everything private in it.
    Account,
    /// A character with everything that is only its own.
    Character,
}

impl Kind {
    /// As in the database and in the file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Character => "character",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Account, Self::Character].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// One that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// What it was.
    pub kind: Kind,
    /// Its id.
    pub id: Uuid,
    /// When it was erased.
    pub at: DateTime<Utc>,
}

impl Erased {
    fn text(&self) -> String {
        format!("{} {} {}", self.kind.as_str(), self.id, self.at.to_rfc3339_opts(SecondsFormat::Secs, true))
    }

    /// As a line of the file, with its code.
    fn line(&self, vault: &Vault) -> Result<String, String> {
        let keys = vault.derive(PURPOSE);
        let key = keys.first().ok_or("there is no master key to sign with")?;
        let text = self.text();
        Ok(format!("{text} {}\n", hex(&key.mac(text.as_bytes()))))
    }

    /// From a line of the file. `None` for one that is none; `Some(Err)` for one that nobody with our key wrote.
    fn read(line: &str, vault: Option<&Vault>) -> Option<Result<Self, ()>> {
        let (text, code) = line.trim().rsplit_once(' ')?;
        let mut words = text.split(' ');
        let kind = Kind::parse(words.next()?)?;
        let id = words.next()?.parse().ok()?;
        let at = words.next()?.parse().ok()?;
        let is_ours = vault.is_some_and(|vault| {
            vault
                .derive(PURPOSE)
                .iter()
                .any(|key| hex(&key.mac(text.as_bytes())).as_bytes().ct_eq(code.as_bytes()).into())
        });
        Some(if is_ours { Ok(Self { kind, id, at }) } else { Err(()) })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Everything that the database lists.
///
/// # Errors
/// When the database cannot be reached.
pub async fn listed(tx: &mut PgConnection) -> Result<Vec<Erased>, sqlx::Error> {
    let rows = sqlx::query!("select kind, id, erased_at from erased order by erased_at, id").fetch_all(tx).await?;
    let erased = |(kind, id, at)| Some(Erased { kind: Kind::parse(kind)?, id, at });
    Ok(rows.iter().filter_map(|row| erased((row.kind.as_str(), row.id, row.erased_at))).collect())
}

/// What the file in a folder lists. Lines that nobody with a master key of ours wrote are passed over, with a word in the log.
///
/// # Errors
/// A sentence, when the file is there and cannot be read.
pub fn read_file(folder: &Path, vault: Option<&Vault>) -> Result<Vec<Erased>, String> {
    let file = folder.join(FILE);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{}: {error}", file.display())),
    };
    let read: Vec<Result<Erased, ()>> = text.lines().filter_map(|line| Erased::read(line, vault)).collect();
    let strange = read.iter().filter(|line| line.is_err()).count();
    if strange > 0 {
        tracing::warn!(lines = strange, "{} has lines that were not written with a master key of ours", file.display());
    }
    Ok(read.into_iter().flatten().collect())
}

/// Writes what a folder's file lacks to its end; gives how many lines that were.
///
/// # Errors
/// A sentence, when the file cannot be written.
pub fn add_to_file(folder: &Path, vault: &Vault, erased: &[Erased]) -> Result<usize, String> {
    if erased.is_empty() {
        return Ok(0);
    }
    let file = folder.join(FILE);
    let about = |error: std::io::Error| format!("{}: {error}", file.display());
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    if !folder.as_os_str().is_empty() && !folder.is_dir() {
        fs::create_dir_all(folder).map_err(about)?;
        close_folder(folder, 0o700);
    }
    let there: HashSet<(Kind, Uuid)> = read_file(folder, Some(vault))?.iter().map(|e| (e.kind, e.id)).collect();
    let new: Vec<&Erased> = erased.iter().filter(|e| !there.contains(&(e.kind, e.id))).collect();
    let lines = new.iter().map(|e| e.line(vault)).collect::<Result<String, String>>()?;
    if new.is_empty() {
        return Ok(0);
    }
    let mut out = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&file).map_err(about)?;
    out.write_all(lines.as_bytes()).and_then(|()| out.sync_all()).map_err(about)?;
    Ok(new.len())
}

/// Brings the file in the data folder up to the database, beside whatever else is done. A file that cannot be written is no reason to
/// keep what somebody wants erased.
pub fn write_down(app: &AppState) {
    let app_ = app.clone();
    app.tasks.spawn(async move {
        if let Err(error) = write_all(&app_).await {
            tracing::error!(%error, "the list of what was erased could not be written; a restore may bring it back");
        }
    });
}

async fn write_all(app: &AppState) -> Result<(), String> {
    let list = async || -> AppResult<Vec<Erased>> { Ok(listed(&mut *app.db.system().await?).await?) };
    let erased = list().await.map_err(|e| e.to_string())?;
    let (folder, vault) = (app.config.place.data.join("backups"), app.vault.clone());
    let written = tokio::task::spawn_blocking(move || add_to_file(&folder, &vault, &erased));
    written.await.map_err(|e| e.to_string())?.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_written_with_our_key_count() {
        let folder = |name: &str| std::env::temp_dir().join(format!("sf-{name}-{}", Uuid::now_v7().simple()));
        let (ours, theirs) = (folder("erased"), folder("theirs"));
        let (vault, other) = (Vault::open(&ours, None).unwrap(), Vault::open(&theirs, None).unwrap());
        let at = "2026-11-21T10:00:00Z".parse().unwrap();
        let ada = Erased { kind: Kind::Account, id: Uuid::from_u128(1), at };
        let lumina = Erased { kind: Kind::Character, id: Uuid::from_u128(1), at };
        assert_eq!(read_file(&ours, Some(&vault)), Ok(Vec::new()), "no file is an empty list");
        let both = [ada.clone(), lumina.clone()];
        assert_eq!(add_to_file(&ours, &vault, &both[..1]), Ok(1));
        assert_eq!(add_to_file(&ours, &vault, &both), Ok(1), "what is there is not written again");
        // Somebody who reaches the folder and has no key, or changes who it is about.
        let file = ours.join(FILE);
        let mut text = fs::read_to_string(&file).unwrap();
        text.push_str(&Erased { id: Uuid::from_u128(2), ..ada.clone() }.line(&other).unwrap());
        text.push_str(&ada.line(&vault).unwrap().replace("-000000000001", "-000000000003"));
        text.push_str("nonsense\n\naccount\n");
        fs::write(&file, text).unwrap();
        assert_eq!(read_file(&ours, Some(&vault)), Ok(both.to_vec()));
        assert_eq!(read_file(&ours, Some(&other)).unwrap().len(), 1);
        assert_eq!(read_file(&ours, None), Ok(Vec::new()));
        vault.renew().unwrap();
        assert_eq!(read_file(&ours, Some(&vault)), Ok(both.to_vec()), "an old key of the ring still counts");
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions()) & 0o777, 0o600);
        for folder in [ours, theirs] {
            fs::remove_dir_all(folder).unwrap();
        }
    }
}
