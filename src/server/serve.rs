//! Start and end of the process: settings, database, migrations, model, listener, graceful shutdown.

use super::{
    backup,
    config::{Cli, Command, Config},
    database::Database,
    db::Db,
    drafts::ForgetDrafts,
    events::Hub,
    files::{Files, sweep::Sweep},
    postgres::{pg_ledger, pg_open, pg_run_main},
    router,
    state::{AppState, Node},
    telemetry::{self, figures},
    transport::{self, Limits},
    vault::Vault,
};
use crate::{
    accounts::guests::EraseGuests,
    ai::{
        SharedModel,
        local::{LocalConfig, LocalModel},
        remote::Timeouts,
    },
    chat::notes::summary::SumUp,
    kit::jobs::{self, Jobs, Kinds, Pace},
    models::{environment::Environment, files::Library, meter::CloseCalls, registry::Registry},
};
use clap::Parser;
use leptos::config::{LeptosOptions, get_configuration};
use std::{
    net::SocketAddr,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

// From the first signal to the end of the process: at most 22 seconds, and the private PostgreSQL's own stop, which takes
// a fraction of one.

/// Longest wait for what was begun, seconds that the operator asked for included.
const DRAIN_LIMIT: Duration = Duration::from_secs(12);
/// Longest wait for answers on their way.
const ANSWERS_LIMIT: Duration = Duration::from_secs(3);
/// Longest wait for work that was told to end.
const TASKS_LIMIT: Duration = Duration::from_secs(5);
/// Twenty-four hours.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// Sixty seconds.
const MINUTE: Duration = Duration::from_secs(60);
/// Longest wait for connections to the database.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// The whole process. Errors are told in one plain sentence.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Serve(config) => with_runtime(config, serve),
        Command::Migrate(config) => with_runtime(config, |config| async move {
            let database = Database::open(&config.place).await?;
            database.migrate().await?;
            database.close().await;
            Ok(())
        }),
        Command::Backup(args) => with_logged_runtime(false, backup::backup(args)).and_then(|done| done),
        Command::Restore(args) => with_logged_runtime(false, backup::restore(args)).and_then(|done| done),
        Command::RotateKeys(config) => with_runtime(config, rotate_keys),
        // Before any runtime: it forks PostgreSQL from the main thread.
        Command::PgRun(args) => return pg_run_main(args),
        Command::PgOpen(args) => return with_logged_runtime(false, pg_open(args)).unwrap_or(ExitCode::FAILURE),
        Command::PgLedger(args) => return with_logged_runtime(false, pg_ledger(args)).unwrap_or(ExitCode::FAILURE),
        Command::Voice(args) => with_logged_runtime(false, crate::chat::voice::run(args)).and_then(|r| r),
        Command::Summons(args) => with_logged_runtime(false, crate::ocs::summon::trial::run(args)).and_then(|r| r),
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
    telemetry::start_log(log_json);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| format!("cannot start: {e}"))?;
    let result = runtime.block_on(body);
    runtime.shutdown_timeout(Duration::from_secs(2));
    Ok(result)
}

/// Serves until a signal, in three steps: everything as usual; no longer ready, but finishing what was begun; the end.
async fn serve(config: Config) -> Result<(), String> {
    let options = site_options()?;
    config.check()?;
    let files = transport::raise_open_files();
    figures::start();
    let listener = listen(config.addr, "SOULFORGE_ADDR").await?;
    let operators = match config.metrics_addr {
        Some(addr) => Some(listen(addr, "SOULFORGE_METRICS_ADDR").await?),
        None => None,
    };
    let database = Database::open(&config.place).await?;
    database.migrate().await?;
    let db = Db::new(database.connections(), config.pool);
    let chosen = crate::models::store::local_file(&db).await.map_err(|e| e.to_string())?;
    let started_with = LocalConfig::from(&config);
    let path = Library::new(&config).wanted(chosen.as_deref());
    let otherwise = started_with.path.clone();
    let model: SharedModel = Arc::new(LocalModel::load_or(LocalConfig { path, ..started_with }, otherwise));
    let state = state(options, config, db, model)?;

    accounts_first_admin(&state).await?;
    crate::models::environment::write(&state).await.map_err(|e| e.to_string())?;
    state.library.resume(&state, &state.models.outgoing().await.map_err(|e| e.to_string())?);
    crate::models::calls::watch(&state);
    crate::chat::run::recover(&state).await.map_err(|e| e.to_string())?;
    crate::ocs::summon::run::watch(&state);
    jobs::start(&state);
    hear_others(&state);
    tokio::spawn(figures::upkeep());
    super::erased::write_down(&state);
    let limits = Limits::new(&state.config, files);
    if let Some(listener) = operators {
        // Answers to the end: whoever watches wants to see how the process goes.
        let watched =
            transport::serve(listener, figures::operators(state.clone()), limits.clone(), CancellationToken::new());
        tokio::spawn(watched);
    }
    tracing::info!(node = %state.node.0, "SoulForge is at {}", state.config.origin());

    let server = transport::serve(listener, router::router(state.clone()), limits, state.shutdown.clone());
    let watch = async {
        let reason = tokio::select! {
            () = signalled() => None,
            () = database.failed() => Some("the private database could not be kept running; its log is in the data folder"),
        };
        state.draining.cancel();
        if reason.is_none() {
            tokio::select! {
                () = drain(&state) => {}
                () = signalled() => tracing::info!("stopping at once"),
                () = database.failed() => {}
            }
        }
        state.shutdown.cancel();
        reason
    };
    let ((), reason) = tokio::join!(limited(server, state.shutdown.clone()), watch);
    state.tasks.close();
    if tokio::time::timeout(TASKS_LIMIT, state.tasks.wait()).await.is_err() {
        tracing::warn!(tasks = state.tasks.len(), "some work did not end in time; what it had kept is kept");
    }
    let _ = tokio::time::timeout(CLOSE_LIMIT, state.db.close()).await;
    database.close().await;
    tracing::info!("stopped");
    reason.map_or(Ok(()), |r| Err(r.to_owned()))
}

/// Where the site's files are. Never a guess: without an answer the framework would serve the folder that the process
/// happens to have been started in.
fn site_options() -> Result<LeptosOptions, String> {
    match (get_configuration(Some("Leptos.toml")), std::env::var("LEPTOS_SITE_ROOT")) {
        (Ok(file), _) => Ok(file.leptos_options),
        (Err(_), Ok(root)) => {
            Ok(LeptosOptions::builder().output_name("soulforge").site_root(root).hash_files(true).build())
        }
        (Err(error), Err(_)) => Err(format!(
            "the site's files cannot be found: start in the folder that has Leptos.toml, or set LEPTOS_SITE_ROOT ({error})"
        )),
    }
}

async fn listen(addr: SocketAddr, setting: &str) -> Result<tokio::net::TcpListener, String> {
    tokio::net::TcpListener::bind(addr)
        .await
        .map_err(|e| format!("cannot listen on {addr}: {e}; set {setting} to another address"))
}

/// Waits for replies, summons and jobs under way, but not for ever: what is not done then is interrupted with its words kept.
async fn drain(state: &AppState) {
    tracing::info!("stopping");
    let began = Instant::now();
    tokio::time::sleep(Duration::from_secs(state.config.drain)).await;
    let mut said = false;
    while began.elapsed() < DRAIN_LIMIT {
        let under_way = state.runs.count() + state.summons.count() + state.jobs.count();
        if under_way == 0 {
            return;
        }
        if !said {
            said = true;
            tracing::info!(under_way, "waiting for what was begun to be finished; another signal stops at once");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Seals all keys again under a new master key.
async fn rotate_keys(config: Config) -> Result<(), String> {
    let vault = Vault::open(&config.place.data, config.master_key.as_ref())?;
    let database = Database::open(&config.place).await?;
    let db = Db::new(database.connections(), 2);
    let done = crate::models::rotate(&db, &vault, true).await;
    db.close().await;
    database.close().await;
    tracing::info!(keys = done?, "all keys are sealed under the new master key");
    Ok(())
}

/// Lets the server answer what it has begun to, but not for ever.
async fn limited(server: impl Future<Output = ()>, shutdown: CancellationToken) {
    let late = async {
        shutdown.cancelled().await;
        tokio::time::sleep(ANSWERS_LIMIT).await;
    };
    tokio::select! {
        () = server => {}
        () = late => {}
    }
}

async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// Puts the parts together; tests do the same with their own database and model.
///
/// # Errors
/// When the data folder cannot be used.
pub fn state(leptos: LeptosOptions, config: Config, db: Db, model: SharedModel) -> Result<AppState, String> {
    figures::start();
    let files = Files::local(&config.place.data.join("files"))?;
    let hub = Arc::new(Hub::default());
    let vault = Arc::new(Vault::open(&config.place.data, config.master_key.as_ref())?);
    let library = Arc::new(Library::new(&config));
    let environment = Environment::read(&config);
    let patience = Timeouts { first_token: Duration::from_secs(config.model_wait), ..Timeouts::default() };
    let models =
        Registry::new(db.clone(), Arc::clone(&vault), Arc::clone(&model), environment, Arc::clone(&library), patience);
    Ok(AppState {
        leptos,
        files,
        db,
        model,
        models,
        library,
        vault,
        config: Arc::new(config),
        jobs: Arc::new(Jobs::new(hub.bell.clone(), plans(kinds()), Pace::default())),
        runs: Arc::new(crate::chat::run::Runs::new(hub.bell.clone())),
        summons: Arc::new(crate::ocs::summon::run::Summons::new(hub.bell.clone())),
        hub,
        banners: Arc::default(),
        visitors: Arc::default(),
        passes: Arc::default(),
        crowd: Arc::default(),
        node: Node(uuid::Uuid::now_v7()),
        draining: CancellationToken::new(),
        shutdown: CancellationToken::new(),
        tasks: TaskTracker::new(),
    })
}

/// The jobs of all rooms.
pub fn kinds() -> Kinds {
    Kinds::default().with::<SumUp>()
}

/// What comes round by itself.
fn plans(kinds: Kinds) -> Kinds {
    kinds
        .every::<ForgetDrafts>(MINUTE)
        .every::<CloseCalls>(MINUTE)
        .every::<EraseGuests>(60 * MINUTE)
        .every::<Sweep>(DAY)
        .every::<jobs::Tidy>(DAY)
}

/// Listens to what other processes on the same database do.
pub fn hear_others(state: &AppState) {
    super::bell::start(state, |app, heard| {
        app.runs.hear(heard);
        app.summons.hear(heard);
        app.jobs.hear(heard);
    });
}

async fn accounts_first_admin(state: &AppState) -> Result<(), String> {
    if let Some(link) = crate::accounts::store::first_admin_link(state).await.map_err(|e| e.to_string())? {
        tracing::info!("no admin yet: open {link} to become the first one (once, and only while there is none)");
    }
    Ok(())
}
