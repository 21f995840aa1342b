//! The database of this process: somebody else's by `DATABASE_URL`, or a private cluster.
//!
//! Behind `DATABASE_URL` may be a pooler that gives each transaction any connection. Everything of people works there, since
//! a transaction carries its role, its person and its limits with it (`db.rs`); what needs a session of its own (migrations
//! under a lock, backups, listening) goes to `SOULFORGE_OWNER_URL`, which must lead to the server itself.

use super::{
    config::Place,
    db::{Connections, Pooled, pooled},
    files::close_folder,
    postgres::{Cluster, ClusterConfig},
};
use secrecy::ExposeSecret;
use sqlx::{Connection, Executor, PgConnection, Row, postgres::PgConnectOptions};

/// Where people are served, when that is another address than the owner's.
struct Serving {
    options: PgConnectOptions,
    /// As [`Connections::forget`].
    forget: bool,
}

/// A database that was found or started.
pub struct Database {
    /// Who may change the tables, at the server itself.
    owner: PgConnectOptions,
    /// Whoever serves people, where that is another address.
    serving: Option<Serving>,
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
            let url = address("DATABASE_URL", url)?;
            return match &place.owner_url {
                Some(owner) => Self::apart(address("SOULFORGE_OWNER_URL", owner)?, url).await,
                None => Self::alone(url).await,
            };
        }
        let binaries = place.pg_dir.clone().ok_or(
            "there is no database: set DATABASE_URL to a PostgreSQL 16 or newer with pgvector, or SOULFORGE_PG_DIR to the folder of a private one (make run does that)",
        )?;
        let config = ClusterConfig { binaries, data: place.data.join("pg") };
        let cluster = Cluster::open(config).await.map_err(|e| e.to_string())?;
        Ok(Self { owner: cluster.options("sf_owner"), serving: None, cluster: Some(cluster) })
    }

    /// One address for everything, which must be no pooler's.
    async fn alone(url: PgConnectOptions) -> Result<Self, String> {
        if looked(&url).await? != Pooled::No {
            return Err("DATABASE_URL leads to a pooler that gives each transaction another connection. Set SOULFORGE_OWNER_URL \
                 to the address of the server itself, for migrations and for what the processes tell each other (docs/operations.md)"
                .into());
        }
        Ok(Self { owner: url, serving: None, cluster: None })
    }

    /// One address for people, which may be a pooler's, and one of the server itself.
    async fn apart(owner: PgConnectOptions, url: PgConnectOptions) -> Result<Self, String> {
        if looked(&owner).await? != Pooled::No {
            return Err("SOULFORGE_OWNER_URL leads to a pooler; it must be the address of the server itself".into());
        }
        let serving = match looked(&url).await? {
            Pooled::ByTransaction { keeps_statements: false } => {
                tracing::info!(
                    "DATABASE_URL is a pooler that mixes prepared statements: none are kept from one transaction to the next"
                );
                Serving { options: url.statement_cache_capacity(0), forget: true }
            }
            Pooled::No | Pooled::ByTransaction { keeps_statements: true } => Serving { options: url, forget: false },
        };
        Ok(Self { owner, serving: Some(serving), cluster: None })
    }

    /// How the two pools connect.
    #[must_use]
    pub fn connections(&self) -> Connections {
        match &self.cluster {
            Some(cluster) => Connections {
                app: cluster.options("sf_app"),
                worker: cluster.options("sf_worker"),
                direct: cluster.options("sf_worker"),
                forget: false,
            },
            None => {
                let (url, forget) = self.serving.as_ref().map_or((&self.owner, false), |s| (&s.options, s.forget));
                Connections { app: url.clone(), worker: url.clone(), direct: self.owner.clone(), forget }
            }
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
        if let Some(serving) = &self.serving {
            may_serve(&mut owner, &serving.options).await?;
        }
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

/// Reads an address. Without what poolers do not know: the server's own number of digits is exact.
fn address(setting: &str, url: &secrecy::SecretString) -> Result<PgConnectOptions, String> {
    let options: PgConnectOptions =
        url.expose_secret().parse().map_err(|e| format!("{setting} is not a PostgreSQL address: {e}"))?;
    Ok(options.application_name("soulforge").extra_float_digits(None))
}

async fn looked(options: &PgConnectOptions) -> Result<Pooled, String> {
    pooled(options).await.map_err(|e| format!("the database cannot be reached: {e}"))
}

/// Lets the role that serves become the two that row level security knows. It needs nothing else, and should own nothing.
async fn may_serve(owner: &mut PgConnection, serving: &PgConnectOptions) -> Result<(), String> {
    let refused = |e: sqlx::Error| {
        format!("the role in DATABASE_URL cannot serve: {e}; docs/database.md says how to make it by hand")
    };
    let mut there = PgConnection::connect_with(serving).await.map_err(refused)?;
    let asked = "select quote_ident(session_user) as name, \
                 pg_has_role(session_user, 'sf_app', 'set') and pg_has_role(session_user, 'sf_worker', 'set') as may";
    let row = there.fetch_one(asked).await.map_err(refused)?;
    if !row.get::<bool, _>("may") {
        // The name is quoted by the server.
        let name: String = row.get("name");
        let grant = format!("grant sf_app, sf_worker to {name} with set true, inherit false");
        owner.execute(sqlx::AssertSqlSafe(grant)).await.map_err(refused)?;
    }
    Ok(())
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
