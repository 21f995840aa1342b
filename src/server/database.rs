//! The database of this process: somebody else's by `DATABASE_URL`, or a private cluster.

use super::{
    config::Place,
    db::Connections,
    files::close_folder,
    postgres::{Cluster, ClusterConfig},
};
use secrecy::ExposeSecret;
use sqlx::{Connection, Executor, PgConnection, postgres::PgConnectOptions};

/// A database that was found or started.
pub struct Database {
    owner: PgConnectOptions,
    cluster: Option<Cluster>,
}

impl Database {
    /// Finds or starts it.
    ///
    /// # Errors
    /// A sentence that says what is missing and which setting helps.
    pub async fn open(place: &Place) -> Result<Self, String> {
        close_data(&place.data)?;
        if let Some(url) = &place.database_url {
            let owner: PgConnectOptions =
                url.expose_secret().parse().map_err(|e| format!("DATABASE_URL is not a PostgreSQL address: {e}"))?;
            return Ok(Self { owner: owner.application_name("soulforge"), cluster: None });
        }
        let binaries = place.pg_dir.clone().ok_or(
            "there is no database: set DATABASE_URL to a PostgreSQL 16 or newer with pgvector, or SOULFORGE_PG_DIR to the folder of a private one (make run does that)",
        )?;
        let config = ClusterConfig { binaries, data: place.data.join("pg") };
        let cluster = Cluster::open(config).await.map_err(|e| e.to_string())?;
        Ok(Self { owner: cluster.options("sf_owner"), cluster: Some(cluster) })
    }

    /// How the two pools connect.
    #[must_use]
    pub fn connections(&self) -> Connections {
        match &self.cluster {
            Some(cluster) => {
                Connections { app: cluster.options("sf_app"), worker: cluster.options("sf_worker"), set_role: false }
            }
            None => Connections { app: self.owner.clone(), worker: self.owner.clone(), set_role: true },
        }
    }

    /// The private cluster, if that is what it is.
    #[must_use]
    pub fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_ref()
    }

    /// A connection of the owner, who may change the tables.
    ///
    /// # Errors
    /// A sentence.
    pub async fn owner(&self) -> Result<PgConnection, String> {
        PgConnection::connect_with(&self.owner).await.map_err(|e| format!("the database cannot be reached: {e}"))
    }

    /// A connection of `sf_backup`, who may read everything.
    ///
    /// # Errors
    /// A sentence.
    pub async fn reader(&self) -> Result<PgConnection, String> {
        let away = |e: sqlx::Error| format!("the database cannot be reached: {e}");
        match &self.cluster {
            Some(cluster) => PgConnection::connect_with(&cluster.options("sf_backup")).await.map_err(away),
            None => {
                let mut connection = self.owner().await?;
                connection.execute("set role sf_backup").await.map_err(|e| {
                    format!("the role sf_backup cannot be used: {e}; docs/database.md says how to make it by hand")
                })?;
                Ok(connection)
            }
        }
    }

    /// Checks version and extension, makes the roles where they are missing, applies the migrations, seeds.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    pub async fn migrate(&self) -> Result<(), String> {
        let mut owner = self.owner().await?;
        super::migrate::run(&mut owner).await?;
        crate::ocs::seed::run(&mut owner).await.map_err(|e| format!("the first characters could not be made: {e}"))?;
        owner.close().await.map_err(|e| e.to_string())
    }

    /// Resolves when the private cluster cannot be kept running.
    pub async fn failed(&self) {
        match &self.cluster {
            Some(cluster) => cluster.failed().await,
            None => std::future::pending().await,
        }
    }

    /// Stops the private cluster, if this process keeps it running.
    pub async fn close(self) {
        if let Some(cluster) = self.cluster {
            cluster.stop().await;
        }
    }
}

/// Makes the data folder, and closes it to other accounts of the machine. Started by root, PostgreSQL runs as another account,
/// which has to pass through the folder: then nobody else can look into it, and what lies in it is closed by itself.
fn close_data(data: &std::path::Path) -> Result<(), String> {
    std::fs::create_dir_all(data).map_err(|e| format!("cannot create {}: {e}", data.display()))?;
    let by_root = rustix::process::geteuid().is_root();
    close_folder(data, if by_root { 0o711 } else { 0o700 });
    for inner in ["files", "backups"].map(|name| data.join(name)) {
        if inner.is_dir() {
            close_folder(&inner, 0o700);
        }
    }
    Ok(())
}
