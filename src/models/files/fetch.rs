//! One file from its address onto the disk: resumed where it broke off, measured against the free space, checked by its sum.

use super::{
    megabytes,
    record::{Record, part_of},
};
use crate::ai::remote::{DownloadFault, Opened, Outgoing, check_url};
use sha2::{Digest, Sha256};
use std::{
    io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio::{
    fs::{self, File, OpenOptions},
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
};
use tokio_util::sync::CancellationToken;

/// Room that is left on the disk beside a model, in bytes.
const SPARE: u64 = 200_000_000;
/// The largest file that is taken, in bytes.
const LARGEST: u64 = 200_000_000_000;
/// How often progress is kept.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// How patient a fetch is; tests are less so.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Longest wait for the next bytes.
    pub silence: Duration,
    /// Pause before the first new try; it doubles up to thirty times as much.
    pub pause: Duration,
    /// Tries in a row that bring nothing.
    pub tries: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { silence: Duration::from_secs(60), pause: Duration::from_secs(2), tries: 6 }
    }
}

/// Why a fetch ended without its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Somebody stopped it, or the process ends; it can go on.
    Stopped,
    /// It failed, with a sentence for the admin.
    Failed(String),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::StorageFull {
            return Self::Failed("The disk is full.".to_owned());
        }
        Self::Failed(format!("The file cannot be written: {error}."))
    }
}

/// Fetches what a record names into `file`, keeping the record up to date.
///
/// # Errors
/// When it was stopped or failed. What was fetched is kept, but for a file with the wrong sum or size.
pub async fn fetch(
    outgoing: &Outgoing,
    record: &mut Record,
    file: &Path,
    pace: Pace,
    stop: &CancellationToken,
) -> Result<(), Ended> {
    let url = check_url(&record.url, outgoing).map_err(|fault| Ended::Failed(fault.to_string()))?;
    let mut part = Part::open(part_of(file)).await?;
    record.progress.total = record.bytes.unwrap_or(record.progress.total);
    record.progress.done = part.length;
    record.write(file)?;
    let (mut fruitless, mut pause) = (0, pace.pause);
    loop {
        let before = part.length;
        if record.progress.total > 0 && part.length == record.progress.total && record.bytes.is_some() {
            break;
        }
        let opened = tokio::select! {
            opened = outgoing.open_file(&url, part.length, pace.silence) => opened,
            () = stop.cancelled() => return Err(Ended::Stopped),
        };
        let outcome = match opened {
            Ok(opened) => read(opened, record, file, &mut part, pace, stop).await?,
            Err(DownloadFault::Range) if part.length > 0 => {
                // It is another file by now, or the server cannot go on in the middle.
                part.clear().await?;
                Some(DownloadFault::Broken("The server could not go on where it broke off."))
            }
            Err(fault) => Some(fault),
        };
        let Some(fault) = outcome else { break };
        if !fault.may_pass() {
            return Err(Ended::Failed(fault.to_string()));
        }
        fruitless = if part.length > before { 0 } else { fruitless + 1 };
        if fruitless >= pace.tries {
            return Err(Ended::Failed(format!("{fault} It was tried {fruitless} times.")));
        }
        pause = if fruitless == 0 { pace.pause } else { (pause * 2).min(pace.pause * 30) };
        tracing::info!(file = %file.display(), done = part.length, %fault, "a model's file broke off and is asked for again");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return Err(Ended::Stopped),
        }
    }
    finish(record, file, part).await
}

/// Reads an answer to its end. `Some` is a fault after which another try may help.
async fn read(
    mut opened: Opened,
    record: &mut Record,
    file: &Path,
    part: &mut Part,
    pace: Pace,
    stop: &CancellationToken,
) -> Result<Option<DownloadFault>, Ended> {
    if let (Some(total), Some(bytes)) = (opened.total, record.bytes)
        && total != bytes
    {
        return Err(Ended::Failed(format!(
            "The file at this address has {total} bytes, and it should have {bytes}. It is another one."
        )));
    }
    let total = opened.total.or(record.bytes);
    if opened.from != part.length {
        part.clear().await?;
    }
    if let Some(total) = total {
        check_space(&part.path, total, part.length)?;
        record.progress.total = total;
    }
    record.progress.done = part.length;
    record.write(file)?;
    let most = total.unwrap_or(LARGEST).min(LARGEST);
    let mut noted = Instant::now();
    loop {
        let bytes = tokio::select! {
            bytes = opened.chunk(pace.silence) => bytes,
            () = stop.cancelled() => {
                part.flush().await?;
                return Err(Ended::Stopped);
            }
        };
        let bytes = match bytes {
            Ok(Some(bytes)) => bytes,
            Ok(None) => break,
            Err(fault) => {
                part.flush().await?;
                return Ok(Some(fault));
            }
        };
        part.add(bytes.as_ref()).await?;
        if part.length > most {
            part.clear().await?;
            return Err(Ended::Failed("The server sent more than it had announced.".to_owned()));
        }
        record.progress.done = part.length;
        if noted.elapsed() >= NOTE_EVERY {
            noted = Instant::now();
            record.write(file)?;
            // Where no length was announced, and where others fill the disk meanwhile.
            check_space(&part.path, part.length, part.length)?;
        }
    }
    part.flush().await?;
    match total {
        Some(total) if part.length < total => Ok(Some(DownloadFault::Broken("The connection broke off."))),
        _ => Ok(None),
    }
}

/// Compares the sum and gives the file its name.
async fn finish(record: &Record, file: &Path, mut part: Part) -> Result<(), Ended> {
    part.file.sync_all().await?;
    let found = part.sum();
    if found != record.sha256 {
        let _ = fs::remove_file(&part.path).await;
        return Err(Ended::Failed(format!(
            "It is not the file it should be: its SHA-256 sum is {found}. Nothing of it was kept."
        )));
    }
    fs::rename(&part.path, file).await?;
    Ok(())
}

/// Whether what is missing has room.
fn check_space(place: &Path, total: u64, here: u64) -> Result<(), Ended> {
    let folder = place.parent().unwrap_or(place);
    let Some(free) = super::free_space(folder) else { return Ok(()) };
    let needed = total.saturating_sub(here).saturating_add(SPARE);
    if needed > free {
        return Err(Ended::Failed(format!(
            "The disk has no room for it: {} more are needed, and {} are free.",
            megabytes(needed),
            megabytes(free)
        )));
    }
    Ok(())
}

/// What is here of a file, and the sum of it so far.
struct Part {
    path: PathBuf,
    file: File,
    length: u64,
    digest: Sha256,
}

impl Part {
    async fn open(path: PathBuf) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).await?;
        let (mut digest, mut length) = (Sha256::new(), 0);
        let mut buffer = vec![0_u8; 1 << 20];
        loop {
            let read = file.read(&mut buffer).await?;
            if read == 0 {
                break;
            }
            digest.update(buffer.get(..read).unwrap_or_default());
            length += read as u64;
        }
        Ok(Self { path, file, length, digest })
    }

    async fn add(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        // A web page instead of a model is told apart by its first bytes.
        if self.length == 0 && bytes.len() >= 4 && !bytes.starts_with(b"GGUF") {
            return Err(Ended::Failed("What is at this address is no GGUF file.".to_owned()));
        }
        self.file.write_all(bytes).await?;
        self.digest.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.file.flush().await
    }

    async fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0).await?;
        self.file.rewind().await?;
        self.length = 0;
        self.digest = Sha256::new();
        Ok(())
    }

    fn sum(&mut self) -> String {
        let digest = std::mem::take(&mut self.digest).finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
