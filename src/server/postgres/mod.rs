//! The private cluster.

use sqlx::postgres::PgConnectOptions;
use std::path::PathBuf;

/// Where it lives.
pub struct ClusterConfig {
    /// Folder with `bin`, `lib`, `share`.
    pub binaries: PathBuf,
    /// Folder for the data.
    pub data: PathBuf,
}

/// A running cluster.
pub struct Cluster {}

impl Cluster {
    /// Starts it.
    ///
    /// # Errors
    /// When it cannot start.
    pub async fn open(_: ClusterConfig) -> Result<Self, String> {
        Err("not built yet".into())
    }
    /// Options for a role.
    #[must_use]
    pub fn options(&self, role: &str) -> PgConnectOptions {
        PgConnectOptions::new().username(role)
    }
    /// Resolves when it failed for good.
    pub async fn failed(&self) {
        std::future::pending().await
    }
    /// Stops it.
    pub async fn stop(self) {}
}
