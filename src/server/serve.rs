//! Start and end of the process: settings, database, migrations, model, listener, graceful shutdown.

use super::{
    config::{Cli, Command, Config},
    db::{Connections, Db},
    events::Hub,
    files::Files,
    postgres::{pg_ledger, pg_open, pg_run_main},
    router,
    state::{AppState, Node},
};
use crate::ai::SharedModel;
use clap::Parser;
use leptos::config::{LeptosOptions, get_configuration};
use sqlx::{Connection, PgConnection, postgres::PgConnectOptions};
use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing_subscriber::EnvFilter;

/// Longest time from the first signal to the end of the process.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(25);

/// The whole process. Errors are told in one plain sentence.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Serve(config) => with_runtime(config, serve),
        Command::Migrate(config) => with_runtime(config, |config| async move {
            let database = Database::open(&config).await?;
            database.migrate().await?;
            database.close().await;
            Ok(())
        }),
        // Before any runtime: it forks PostgreSQL from the main thread.
        Command::PgRun(args) => return pg_run_main(args),
        Command::PgOpen(args) => return with_logged_runtime(false, pg_open(args)).unwrap_or(ExitCode::FAILURE),
        Command::PgLedger(args) => return with_logged_runtime(false, pg_ledger(args)).unwrap_or(ExitCode::FAILURE),
        Command::Quantize { source, target } => {
            crate::ai::local::quantize_q8(&source, &target).map_err(|e| e.to_string())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            tracing::error!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn with_runtime<F: Future<Output = Result<(), String>>>(
    config: Config,
    body: impl FnOnce(Config) -> F,
) -> Result<(), String> {
    with_logged_runtime(config.log_json, body(config))?
}

/// Runs a command with a log on standard error and all cores.
fn with_logged_runtime<T>(log_json: bool, body: impl Future<Output = T>) -> Result<T, String> {
    let filter =
        EnvFilter::try_from_env("SOULFORGE_LOG").unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,tower_http=info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if log_json {
        log.json().init()
    } else {
        log.with_target(false).init()
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| format!("cannot start: {e}"))?;
    let result = runtime.block_on(body);
    runtime.shutdown_timeout(Duration::from_secs(2));
    Ok(result)
}

/// The database of this process: somebody else's by `DATABASE_URL`, or a private cluster.
pub struct Database {
    owner: PgConnectOptions,
    connections: Option<Connections>,
    cluster: Option<super::postgres::Cluster>,
}

impl Database {
    /// Finds or starts it.
    ///
    /// # Errors
    /// A sentence that says what is missing and which setting helps.
    pub async fn open(config: &Config) -> Result<Self, String> {
        if let Some(url) = &config.database_url {
            let owner: PgConnectOptions =
                url.parse().map_err(|e| format!("DATABASE_URL is not a PostgreSQL address: {e}"))?;
            let connections = Connections { app: owner.clone(), worker: owner.clone(), set_role: true };
            return Ok(Self { owner, connections: Some(connections), cluster: None });
        }
        let binaries = config.pg_dir.clone().ok_or(
            "there is no database: set DATABASE_URL to a PostgreSQL 16 or newer with pgvector, or SOULFORGE_PG_DIR to the folder of a private one (make run does that)",
        )?;
        let cluster =
            super::postgres::Cluster::open(super::postgres::ClusterConfig { binaries, data: config.data.join("pg") })
                .await
                .map_err(|e| e.to_string())?;
        let owner = cluster.options("sf_owner");
        let connections =
            Connections { app: cluster.options("sf_app"), worker: cluster.options("sf_worker"), set_role: false };
        Ok(Self { owner, connections: Some(connections), cluster: Some(cluster) })
    }

    /// Checks version and extension, makes the roles where they are missing, applies the migrations, seeds.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    pub async fn migrate(&self) -> Result<(), String> {
        let mut owner = PgConnection::connect_with(&self.owner)
            .await
            .map_err(|e| format!("the database cannot be reached: {e}"))?;
        super::migrate::run(&mut owner).await?;
        crate::ocs::seed::run(&mut owner).await.map_err(|e| format!("the first characters could not be made: {e}"))?;
        owner.close().await.map_err(|e| e.to_string())
    }

    async fn close(self) {
        if let Some(cluster) = self.cluster {
            cluster.stop().await;
        }
    }
}

async fn serve(config: Config) -> Result<(), String> {
    let options = get_configuration(Some("Leptos.toml"))
        .map_or_else(|_| LeptosOptions::builder().output_name("soulforge").build(), |file| file.leptos_options);
    let listener = tokio::net::TcpListener::bind(config.addr)
        .await
        .map_err(|e| format!("cannot listen on {}: {e}; set SOULFORGE_ADDR to another address", config.addr))?;
    let mut database = Database::open(&config).await?;
    database.migrate().await?;
    let connections = database.connections.take().ok_or("the database was opened twice")?;
    let db = Db::new(connections, config.pool);
    let model: SharedModel = Arc::new(crate::ai::local::LocalModel::load((&config).into()));
    let state = state(options, config, db, model)?;

    accounts_first_admin(&state).await?;
    crate::chat::run::recover(&state).await.map_err(|e| e.to_string())?;
    crate::ocs::summon::run::watch(&state);
    tracing::info!("SoulForge is at {}", state.config.origin());

    let app = router::router(state.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let signal = state.shutdown.clone();
    let server = axum::serve(listener, app).with_graceful_shutdown(async move { signal.cancelled().await });
    let shutdown = state.shutdown.clone();
    let failed = async {
        match &database.cluster {
            Some(cluster) => cluster.failed().await,
            None => std::future::pending().await,
        }
    };
    let watch = async {
        let reason = tokio::select! {
            () = signalled() => None,
            () = failed => Some("the private database could not be kept running; its log is in the data folder"),
        };
        shutdown.cancel();
        reason
    };
    let (served, reason) = tokio::time::timeout(Duration::from_secs(u64::MAX / 4), async {
        tokio::join!(limited(server.into_future(), state.shutdown.clone()), watch)
    })
    .await
    .map_err(|e| e.to_string())?;
    state.tasks.close();
    let _ = tokio::time::timeout(Duration::from_secs(10), state.tasks.wait()).await;
    state.db.close().await;
    database.close().await;
    served?;
    reason.map_or(Ok(()), |r| Err(r.to_owned()))
}

/// Lets the server drain, but not for ever.
async fn limited(server: impl Future<Output = std::io::Result<()>>, shutdown: CancellationToken) -> Result<(), String> {
    let late = async {
        shutdown.cancelled().await;
        tokio::time::sleep(SHUTDOWN_LIMIT.saturating_sub(Duration::from_secs(12))).await;
    };
    tokio::select! {
        served = server => served.map_err(|e| e.to_string()),
        () = late => Ok(()),
    }
}

async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("stopping");
}

/// Puts the parts together; tests do the same with their own database and model.
///
/// # Errors
/// When the data folder cannot be used.
pub fn state(leptos: LeptosOptions, config: Config, db: Db, model: SharedModel) -> Result<AppState, String> {
    let files = Files::local(&config.data.join("files"))?;
    Ok(AppState {
        leptos,
        files,
        db,
        model,
        config: Arc::new(config),
        hub: Arc::new(Hub::default()),
        runs: Arc::default(),
        summons: Arc::default(),
        node: Node(uuid::Uuid::now_v7()),
        shutdown: CancellationToken::new(),
        tasks: TaskTracker::new(),
    })
}

async fn accounts_first_admin(state: &AppState) -> Result<(), String> {
    if let Some(link) = crate::accounts::store::first_admin_link(state).await.map_err(|e| e.to_string())? {
        tracing::info!("no admin yet: open {link} to become the first one (once, and only while there is none)");
    }
    Ok(())
}
