//! Uploaded files, behind one door: a local folder today, any object store by configuration.

pub mod sweep;

use crate::error::{AppError, AppResult};
use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt, local::LocalFileSystem, path::Path};
use std::{os::unix::fs::PermissionsExt, sync::Arc};

/// The file store; keys are made by us, never by a client.
#[derive(Clone)]
pub struct Files(Arc<dyn ObjectStore>);

/// A file that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was written.
    pub written_at: chrono::DateTime<chrono::Utc>,
}

impl Files {
    /// A store in a local folder, which is created if it does not exist. Other accounts of the machine have no business in it.
    ///
    /// # Errors
    /// When the folder cannot be created.
    pub fn local(folder: &std::path::Path) -> Result<Self, String> {
        std::fs::create_dir_all(folder).map_err(|e| format!("cannot create {}: {e}", folder.display()))?;
        close_folder(folder, 0o700);
        let store =
            LocalFileSystem::new_with_prefix(folder).map_err(|e| format!("cannot use {}: {e}", folder.display()))?;
        Ok(Self(Arc::new(store)))
    }

    /// Keeps bytes under a key.
    ///
    /// # Errors
    /// When the store cannot write (full disk, no permission).
    pub async fn put(&self, key: &str, bytes: Bytes) -> AppResult<()> {
        self.0.put(&Path::from(key), bytes.into()).await.map(drop).map_err(|error| {
            tracing::error!(%error, key, "a file could not be written");
            AppError::unavailable("The file could not be kept. Please try again in a moment.")
        })
    }

    /// The bytes under a key.
    ///
    /// # Errors
    /// `NotFound` for an unknown key.
    pub async fn get(&self, key: &str) -> AppResult<Bytes> {
        match self.0.get(&Path::from(key)).await {
            Ok(found) => found.bytes().await.map_err(|error| {
                tracing::error!(%error, key, "a file could not be read");
                AppError::Internal
            }),
            Err(object_store::Error::NotFound { .. }) => Err(AppError::NotFound),
            Err(error) => {
                tracing::error!(%error, key, "a file could not be read");
                Err(AppError::Internal)
            }
        }
    }

    /// Everything below a folder of keys.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list(&self, folder: &str) -> AppResult<Vec<Found>> {
        let found = self.0.list(Some(&Path::from(folder))).try_collect::<Vec<_>>().await.map_err(|error| {
            tracing::error!(%error, folder, "the files could not be listed");
            AppError::Internal
        })?;
        let found = found.into_iter();
        Ok(found.map(|f| Found { key: f.location.to_string(), bytes: f.size, written_at: f.last_modified }).collect())
    }

    /// Removes a key; an unknown one is fine.
    pub async fn delete(&self, key: &str) {
        if let Err(error) = self.0.delete(&Path::from(key)).await
            && !matches!(error, object_store::Error::NotFound { .. })
        {
            tracing::warn!(%error, key, "a file could not be deleted");
        }
    }
}

/// Closes a folder to the machine's other accounts: of its permissions those stay that are in `most`. One that belongs to somebody
/// else stays as it is, with a word in the log.
pub fn close_folder(folder: &std::path::Path, most: u32) {
    let Ok(found) = std::fs::metadata(folder) else { return };
    let mode = found.permissions().mode() & 0o777;
    if mode & most == mode {
        return;
    }
    if let Err(error) = std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode & most)) {
        tracing::warn!(%error, "{} is open to other accounts of this machine and cannot be closed", folder.display());
    }
}
