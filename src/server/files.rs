//! Uploaded files, behind one door: a local folder today, any object store by configuration.

use crate::error::{AppError, AppResult};
use bytes::Bytes;
use object_store::{ObjectStore, ObjectStoreExt, local::LocalFileSystem, path::Path};
use std::sync::Arc;

/// The file store; keys are made by us, never by a client.
#[derive(Clone)]
pub struct Files(Arc<dyn ObjectStore>);

impl Files {
    /// A store in a local folder, which is created if it does not exist.
    ///
    /// # Errors
    /// When the folder cannot be created.
    pub fn local(folder: &std::path::Path) -> Result<Self, String> {
        std::fs::create_dir_all(folder).map_err(|e| format!("cannot create {}: {e}", folder.display()))?;
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

    /// Removes a key; an unknown one is fine.
    pub async fn delete(&self, key: &str) {
        if let Err(error) = self.0.delete(&Path::from(key)).await
            && !matches!(error, object_store::Error::NotFound { .. })
        {
            tracing::warn!(%error, key, "a file could not be deleted");
        }
    }
}
