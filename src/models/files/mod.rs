//! Model files of this machine: which there are, which one is in use, and which are on their way.
//!
//! They are in `models/` in the data folder, where the admin's page fetches them to and where anybody with access to the
//! machine may put one. The file that the process was started with (`SOULFORGE_MODEL`) and those beside it can be chosen,
//! too. What was chosen is a setting, so it survives a restart; a fetch survives it by the record beside its file.

pub mod acts;
pub mod catalogue;
pub mod fetch;
pub mod record;

pub use record::Record;

use super::gguf::{self, ModelFile};
use crate::{
    ai::{
        SharedModel,
        local::{LocalModel, Standing, available_memory},
        remote::Outgoing,
    },
    error::{AppError, AppResult},
    server::{AppState, config::Config},
};
use fetch::{Ended, Pace};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio_util::sync::CancellationToken;

/// Fetches at the same time.
const FETCHES: usize = 3;
/// Most records that are read.
const RECORDS: usize = 40;

/// The model files of this process; one for all.
pub struct Library {
    /// `models/` in the data folder.
    folder: PathBuf,
    /// What the process was started with; empty for nothing.
    started_with: PathBuf,
    context: u32,
    parallel: u32,
    pace: Pace,
    /// Fetches under way, by the name of their file.
    under_way: Mutex<HashMap<String, Running>>,
    /// The setting that the engine was told last.
    applied: Mutex<Option<Option<String>>>,
}

/// A fetch under way.
#[derive(Clone)]
struct Running {
    stop: CancellationToken,
    /// What it brought is not wanted any more.
    discarded: Arc<AtomicBool>,
}

/// A fetch on the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchView {
    /// Name of the file.
    pub name: String,
    /// Where it comes from.
    pub url: String,
    /// Bytes that are here.
    pub done: u64,
    /// Bytes there will be; 0 when that is not known yet.
    pub total: u64,
    /// It is being fetched now.
    pub is_running: bool,
    /// Why it is not; empty while it is.
    pub note: String,
}

/// A model of the catalogue on the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferView {
    /// In forms.
    pub key: String,
    /// As people read it.
    pub name: String,
    /// Where it is published.
    pub url: String,
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// Memory that it needs with one reply at a time, in bytes.
    pub memory: u64,
    /// Tokens it was trained for.
    pub context: u32,
    /// Under which terms.
    pub licence: String,
    /// What it is good for.
    pub good_for: String,
    /// Why this machine cannot hold it; empty when it can.
    pub too_large: String,
    /// Its file is here.
    pub is_here: bool,
    /// It is being fetched, or waits to be gone on with.
    pub is_coming: bool,
}

/// Everything about the files on the admin's page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesView {
    /// How the model stands, as a sentence for admins.
    pub standing: String,
    /// It answers.
    pub is_ready: bool,
    /// Why the file that was chosen is not the one in use; empty otherwise.
    pub trouble: String,
    /// The file in use first.
    pub files: Vec<ModelFile>,
    /// On their way.
    pub fetches: Vec<FetchView>,
    /// What can be fetched.
    pub offers: Vec<OfferView>,
    /// The folder into which files can be put.
    pub folder: String,
    /// Memory free now, in bytes; 0 when the system does not tell.
    pub memory: u64,
    /// Free in that folder, in bytes; 0 when the system does not tell.
    pub disk: u64,
}

impl Library {
    /// Of a process with these settings.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let named = config.model.clone().filter(|path| path.as_os_str() != "none");
        Self {
            folder: config.place.data.join("models"),
            started_with: named.unwrap_or_default(),
            context: config.model_context,
            parallel: config.model_parallel,
            pace: Pace::default(),
            under_way: Mutex::default(),
            applied: Mutex::default(),
        }
    }

    fn under_way(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file of this name: in the data folder, else beside the one that the process was started with.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        let name = record::check_name(name).ok()?;
        let beside = self.started_with.parent().map(|folder| folder.join(&name));
        std::iter::once(self.folder.join(&name)).chain(beside).find(|path| path.is_file())
    }

    /// The file to use for what is set: the one that was chosen if it is here, else the one that the process was started
    /// with.
    #[must_use]
    pub fn wanted(&self, chosen: Option<&str>) -> PathBuf {
        chosen.and_then(|name| self.find(name)).unwrap_or_else(|| self.started_with.clone())
    }

    /// Has the engine use what is set, when that has changed: a file that it waits for meanwhile is not taken from it.
    pub fn apply(&self, model: &SharedModel, chosen: Option<&str>) {
        let Some(engine) = model.engine() else { return };
        let chosen = chosen.map(str::to_owned);
        let before = self.applied.lock().unwrap_or_else(PoisonError::into_inner).replace(chosen.clone());
        let wanted = self.wanted(chosen.as_deref());
        if before != Some(chosen) && !wanted.as_os_str().is_empty() {
            engine.use_file(wanted);
        }
    }

    /// What the page shows.
    pub async fn view(self: &Arc<Self>, model: &SharedModel) -> FilesView {
        let (library, model) = (Arc::clone(self), Arc::clone(model));
        tokio::task::spawn_blocking(move || library.look(&model)).await.unwrap_or_else(|_| FilesView {
            standing: "The files cannot be read at the moment.".to_owned(),
            is_ready: false,
            trouble: String::new(),
            files: Vec::new(),
            fetches: Vec::new(),
            offers: Vec::new(),
            folder: String::new(),
            memory: 0,
            disk: 0,
        })
    }

    fn look(&self, model: &SharedModel) -> FilesView {
        let engine = model.engine();
        let used = engine.map_or_else(|| self.started_with.clone(), |engine| engine.path());
        let standing = engine.map_or(Standing::Ready, LocalModel::standing);
        let fetches = self.fetches();
        let memory = available_memory();
        let disk = free_space(&self.folder);
        let files = gguf::list(&self.places(), &used, &self.folder, self.context, self.parallel);
        let offers = catalogue::OFFERS.iter().map(|offer| self.offer(offer, &fetches, memory, disk)).collect();
        FilesView {
            is_ready: standing == Standing::Ready,
            standing: standing_words(&standing, &used),
            trouble: engine.and_then(LocalModel::trouble).unwrap_or_default(),
            files,
            fetches,
            offers,
            folder: self.folder.display().to_string(),
            memory: memory.unwrap_or(0),
            disk: disk.unwrap_or(0),
        }
    }

    /// The folders in which files can be chosen.
    fn places(&self) -> Vec<PathBuf> {
        let beside = self.started_with.parent().filter(|p| !p.as_os_str().is_empty()).map(Path::to_path_buf);
        std::iter::once(self.folder.clone()).chain(beside).collect()
    }

    fn offer(
        &self,
        offer: &catalogue::Offer,
        fetches: &[FetchView],
        memory: Option<u64>,
        disk: Option<u64>,
    ) -> OfferView {
        let needed = offer.memory(self.context);
        let is_here = self.find(offer.file).is_some();
        let too_large = match (memory, disk) {
            (Some(free), _) if needed > free => {
                format!("Needs {} of memory; {} are free.", megabytes(needed), megabytes(free))
            }
            (_, Some(free)) if !is_here && offer.bytes > free => {
                format!("Needs {} of disk; {} are free.", megabytes(offer.bytes), megabytes(free))
            }
            _ => String::new(),
        };
        OfferView {
            key: offer.key.to_owned(),
            name: offer.name.to_owned(),
            url: offer.url.to_owned(),
            bytes: offer.bytes,
            memory: needed,
            context: offer.context,
            licence: offer.licence.to_owned(),
            good_for: offer.good_for.to_owned(),
            too_large,
            is_here,
            is_coming: fetches.iter().any(|fetch| fetch.name == offer.file),
        }
    }

    /// Everything on its way, by name.
    fn fetches(&self) -> Vec<FetchView> {
        let under_way = self.under_way();
        let mut found: Vec<FetchView> = self
            .records()
            .into_iter()
            .map(|(name, record)| {
                let is_running = under_way.contains_key(&name);
                let note = record.progress.failed.unwrap_or_else(|| "Interrupted.".to_owned());
                FetchView {
                    url: record.url,
                    done: record.progress.done,
                    total: record.progress.total,
                    note: if is_running { String::new() } else { note },
                    is_running,
                    name,
                }
            })
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// The records in the data folder that name where their file comes from.
    fn records(&self) -> Vec<(String, Record)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names
            .filter_map(|name| {
                let name = record::check_name(name.strip_suffix(".progress")?).ok()?;
                let record = Record::read(&self.folder.join(&name)).filter(|record| !record.url.is_empty())?;
                Some((name, record))
            })
            .take(RECORDS)
            .collect()
    }

    /// Begins to fetch a file, or goes on with it. The engine takes it at once when it has no other.
    ///
    /// # Errors
    /// `Conflict` when it is here or on its way already; `Invalid` when too many are.
    pub fn begin(self: &Arc<Self>, app: &AppState, outgoing: Outgoing, name: &str, record: Record) -> AppResult<()> {
        let name = record::check_name(name)?;
        let file = self.folder.join(&name);
        if file.exists() {
            return Err(AppError::conflict("address", "A file of this name is here already."));
        }
        fs::create_dir_all(&self.folder).map_err(|error| {
            AppError::unavailable(format!("The folder {} cannot be made: {error}.", self.folder.display()))
        })?;
        let running = Running { stop: app.shutdown.child_token(), discarded: Arc::default() };
        {
            let mut under_way = self.under_way();
            if under_way.contains_key(&name) {
                return Err(AppError::conflict("address", "This file is on its way already."));
            }
            if under_way.len() >= FETCHES {
                return Err(AppError::invalid(
                    "address",
                    "Three files are on their way already. Wait for one of them.",
                ));
            }
            under_way.insert(name.clone(), running.clone());
        }
        let mut record = record;
        record.progress.failed = None;
        if let Err(error) = record.write(&file) {
            self.under_way().remove(&name);
            return Err(AppError::unavailable(format!(
                "The folder {} cannot be written to: {error}.",
                self.folder.display()
            )));
        }
        if let Some(engine) = app.model.engine().filter(|engine| engine.standing() == Standing::Absent) {
            // Replies wait for it meanwhile.
            engine.use_file(file.clone());
        }
        let (library, app_) = (Arc::clone(self), app.clone());
        app.tasks.spawn(async move { library.run(&app_, &outgoing, name, file, record, running).await });
        Ok(())
    }

    async fn run(
        &self,
        app: &AppState,
        outgoing: &Outgoing,
        name: String,
        file: PathBuf,
        mut record: Record,
        running: Running,
    ) {
        tracing::info!(name, "a model's file is being fetched");
        let ended = fetch::fetch(outgoing, &mut record, &file, self.pace, &running.stop).await;
        let kept = match ended {
            Ok(()) => {
                tracing::info!(name, "a model's file is here");
                Record::remove(&file);
                acts::arrived(app, &name).await;
                Ok(())
            }
            // The process ends: the record stays as one that is under way, so the next process goes on.
            Err(Ended::Stopped) if app.shutdown.is_cancelled() => record.write(&file),
            Err(Ended::Stopped) if running.discarded.load(Ordering::Acquire) => {
                remove(&file);
                Ok(())
            }
            Err(Ended::Stopped) => {
                record.progress.failed = Some("Stopped.".to_owned());
                record.write(&file)
            }
            Err(Ended::Failed(why)) => {
                tracing::warn!(name, why, "a model's file could not be fetched");
                record.progress.failed = Some(why);
                record.write(&file)
            }
        };
        if let Err(error) = kept {
            tracing::warn!(name, %error, "how far a model's file is could not be kept");
        }
        self.under_way().remove(&name);
    }

    /// Goes on with what the last process had begun and nobody stopped.
    pub fn resume(self: &Arc<Self>, app: &AppState, outgoing: &Outgoing) {
        for (name, record) in self.records() {
            if record.progress.failed.is_none()
                && let Err(error) = self.begin(app, outgoing.clone(), &name, record)
            {
                tracing::warn!(name, %error, "a fetch could not be gone on with");
            }
        }
    }

    /// Stops a fetch; it can go on later.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn stop(&self, name: &str) -> AppResult<()> {
        self.under_way().get(name).ok_or(AppError::NotFound)?.stop.cancel();
        Ok(())
    }

    /// A fetch that waits to be gone on with.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn waiting(&self, name: &str) -> AppResult<Record> {
        let name = record::check_name(name).map_err(|_| AppError::NotFound)?;
        Record::read(&self.folder.join(name)).filter(|record| !record.url.is_empty()).ok_or(AppError::NotFound)
    }

    /// Forgets a fetch and what it brought.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn discard(&self, name: &str) -> AppResult<()> {
        self.waiting(name)?;
        if let Some(running) = self.under_way().get(name) {
            running.discarded.store(true, Ordering::Release);
            running.stop.cancel();
            return Ok(());
        }
        remove(&self.folder.join(name));
        Ok(())
    }

    /// Deletes a file of the data folder that is not in use.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for the file in use.
    pub fn delete(&self, model: &SharedModel, name: &str) -> AppResult<()> {
        let name = record::check_name(name).map_err(|_| AppError::NotFound)?;
        let file = self.folder.join(name);
        if !file.is_file() {
            return Err(AppError::NotFound);
        }
        if model.engine().is_some_and(|engine| engine.path() == file) {
            return Err(AppError::invalid("", "This file is in use. Use another one first."));
        }
        fs::remove_file(&file).map_err(|error| AppError::unavailable(format!("The file cannot be deleted: {error}.")))
    }
}

/// Removes what a fetch has left.
fn remove(file: &Path) {
    Record::remove(file);
    let _ = fs::remove_file(record::part_of(file));
}

/// How the model stands, for admins.
fn standing_words(standing: &Standing, used: &Path) -> String {
    let name = used.file_name().unwrap_or_default().to_string_lossy();
    match standing {
        Standing::Absent => "There is no model on this machine yet. Fetch one below.".to_owned(),
        Standing::Downloading { done, total } => {
            format!("{name} is being downloaded: {} of {}.", megabytes(*done), megabytes(*total))
        }
        Standing::Loading => format!("{name} is being loaded."),
        Standing::Ready => format!("{name} answers."),
        Standing::Failed { reason } => reason.clone(),
    }
}

/// Bytes free where a folder is, or will be; `None` when the system does not tell.
#[must_use]
pub fn free_space(folder: &Path) -> Option<u64> {
    let place = folder.ancestors().find(|place| place.exists())?;
    let stat = rustix::fs::statvfs(place).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// A size in whole megabytes: `1,117 MB`.
#[must_use]
pub fn megabytes(bytes: u64) -> String {
    format!(
        "{} MB",
        super::meter::grouped(i64::try_from(bytes.saturating_add(500_000) / 1_000_000).unwrap_or(i64::MAX))
    )
}
