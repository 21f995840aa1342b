//! The private PostgreSQL: a cluster of our own, for whoever has no `DATABASE_URL`.
//!
//! ```text
//! soulforge serve  --pipe-->  soulforge pg-run  --child-->  postgres -D DATA/pg/data
//!  holds .owner               holds .lock                    inherits .lock
//! ```
//!
//! - It is made once, under another name, with checksums, and speaks only through a socket in a closed folder. The
//!   operating system vouches for who connects (peer authentication); there is no password to lose.
//! - It never runs as root: see [`account`].
//! - Any of the three processes may be killed at any time. PostgreSQL killed: the supervisor collects it and starts it
//!   again. The supervisor killed: the kernel asks PostgreSQL to stop, the application starts another supervisor, which
//!   waits for that. The application killed: the supervisor stops PostgreSQL cleanly; a new application waits for that.
//! - A second process of the application uses the running cluster, and keeps it running when the first one has gone.
//! - `scripts/crash_test.py` plays all of this.

mod account;
mod bootstrap;
mod commands;
mod error;
mod keeper;
mod layout;
mod lock;
mod pidfile;
mod place;
mod prepare;
mod proc;
mod settings;
mod supervisor;

pub use self::{
    commands::{PgLedgerArgs, PgOpenArgs, pg_ledger, pg_open},
    error::ClusterError,
    supervisor::{PgRunArgs, pg_run_main},
};

use self::{
    account::Account,
    keeper::{Keeper, State},
    layout::Layout,
};
use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};

/// How long a start may take. Recovery of a large cluster after a crash takes minutes; it is waited for.
const START: Duration = Duration::from_secs(900);

/// Where the programs and the data are.
#[derive(Debug, Clone)]
pub struct ClusterConfig {
    /// The folder with PostgreSQL's `bin`, `lib` and `share`.
    pub binaries: PathBuf,
    /// The folder of the cluster, `DATA/pg`; made when it is missing.
    pub data: PathBuf,
}

/// How the cluster is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Not ready for the first time yet.
    Starting,
    /// Ready for connections.
    Running,
    /// It ended unexpectedly and is coming back; a pool that connects again will get through.
    Restarting,
    /// It cannot be kept running.
    Failed {
        /// Why, in a sentence.
        reason: String,
    },
}

/// A running cluster, kept running by this process or by another one.
///
/// Dropping the handle (or the death of the process) stops PostgreSQL cleanly if this process kept it running, without
/// waiting for it; [`Cluster::stop`] waits.
#[derive(Debug)]
pub struct Cluster {
    layout: Layout,
    state: watch::Receiver<State>,
    stop: Option<oneshot::Sender<()>>,
    keeper: JoinHandle<()>,
}

impl Cluster {
    /// Starts the cluster, making it first if there is none, or joins the one that another process keeps running.
    ///
    /// Returns when roles, database and extensions are there and the settings that guard the data are on.
    pub async fn open(config: ClusterConfig) -> Result<Self, ClusterError> {
        let (binaries, layout, account, us) = settle(config).await?;
        let (sender, state) = watch::channel(State { health: Health::Starting, owner: false });
        let (stop, stopped) = oneshot::channel();
        let keeper = Keeper { binaries, layout: layout.clone(), account, us };
        let keeper = tokio::spawn(keeper.keep(sender, stopped));
        let cluster = Self { layout, state, stop: Some(stop), keeper };
        match cluster.become_ready().await {
            Ok(()) => Ok(cluster),
            Err(error) => {
                cluster.stop().await;
                Err(error)
            }
        }
    }

    /// How to connect as one of `sf_owner`, `sf_app`, `sf_worker` and `sf_backup`.
    pub fn options(&self, role: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(self.layout.run())
            .port(layout::PORT)
            .ssl_mode(PgSslMode::Disable)
            .database(bootstrap::DATABASE)
            .username(role)
            .application_name("soulforge")
    }

    /// The same as an address, for programs that take one.
    pub fn url(&self, role: &str) -> String {
        let folder: String =
            url::form_urlencoded::byte_serialize(self.layout.run().as_os_str().as_encoded_bytes()).collect();
        format!("postgres://{role}@localhost/{}?host={folder}", bootstrap::DATABASE)
    }

    /// How the cluster is at the moment.
    pub fn health(&self) -> Health {
        self.state.borrow().health.clone()
    }

    /// Whether this process keeps the cluster running, rather than using it beside the one that does.
    pub fn is_owner(&self) -> bool {
        self.state.borrow().owner
    }

    /// Resolves with the new health whenever it changes.
    pub async fn changed(&mut self) -> Health {
        if self.state.changed().await.is_err() {
            // The keeper has gone; nothing will change any more.
            std::future::pending::<()>().await;
        }
        self.health()
    }

    /// Resolves when the cluster cannot be kept running. The server had better end then, and be started again.
    pub async fn failed(&self) {
        let mut state = self.state.clone();
        if state.wait_for(|state| matches!(state.health, Health::Failed { .. })).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Stops PostgreSQL cleanly if this process keeps it running, and waits for that.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        if (&mut self.keeper).await.is_err() {
            tracing::error!("the task that keeps PostgreSQL running has panicked");
        }
    }

    /// Waits until the cluster can be used.
    async fn become_ready(&self) -> Result<(), ClusterError> {
        let begun = Instant::now();
        let mut said = Duration::ZERO;
        let mut watched = self.state.clone();
        loop {
            let state = watched.borrow_and_update().clone();
            match (state.health, state.owner) {
                (Health::Failed { reason }, _) => return Err(ClusterError::Failed(reason)),
                (Health::Running, true) => match bootstrap::bootstrap(&self.options("sf_owner")).await {
                    Ok(()) => return Ok(()),
                    // Killed at this very moment: it is coming back.
                    Err(ClusterError::Sql(sqlx::Error::Io(_))) => {}
                    Err(ClusterError::Sql(sqlx::Error::Database(error))) if coming_back(error.code().as_deref()) => {}
                    Err(error) => return Err(error),
                },
                (Health::Running, false) if bootstrap::is_ready(&self.options("sf_app")).await => return Ok(()),
                _ => {}
            }
            let elapsed = begun.elapsed();
            if elapsed > START {
                return Err(ClusterError::Timeout(START.as_secs()));
            }
            if elapsed > said + Duration::from_secs(5) {
                said = elapsed;
                tracing::info!("PostgreSQL is starting, {} seconds so far", elapsed.as_secs());
            }
            // Without the keeper there is no change to wait for, but there is the pause.
            if !matches!(timeout(Duration::from_millis(100), watched.changed()).await, Ok(Ok(()))) {
                sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// Whether an error of PostgreSQL's only says that it is starting or stopping.
fn coming_back(code: Option<&str>) -> bool {
    matches!(code, Some("57P01" | "57P02" | "57P03"))
}

/// Finds programs, folder and accounts. Everything here asks the file system, so it runs beside the event loop.
async fn settle(config: ClusterConfig) -> Result<(PathBuf, Layout, Account, Account), ClusterError> {
    let found = tokio::task::spawn_blocking(move || {
        let us = Account::current()?;
        let (layout, account) = place::settle(&config.data, &us)?;
        let binaries = place::programs(&config.binaries, &account)?;
        Ok((binaries, layout, account, us))
    });
    found.await.unwrap_or_else(|error| Err(ClusterError::Account(error.to_string())))
}

/// A short name made from bytes, the same in every process.
fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}
