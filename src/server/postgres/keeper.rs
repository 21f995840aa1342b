//! The task that keeps the cluster running, or takes it over from the process that does.
//!
//! Whoever holds the owner's lock runs the supervisor. Everybody else uses the running cluster and tries the lock once
//! a second: it is free the moment its holder is gone, cleanly or not, and then the cluster is started again by the
//! next one in line. While a former server is still stopping, the new supervisor waits for it.

use super::{
    Health,
    account::Account,
    error::ClusterError,
    layout::Layout,
    lock,
    supervisor::{self, PATIENCE, TRIES},
};
use std::{
    collections::{BTreeSet, VecDeque},
    fs::File,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::UnixStream,
    process::{Child, Command},
    sync::{oneshot, watch},
    time::{sleep, timeout},
};

/// How often a guest looks whether it is its turn.
const TURN: Duration = Duration::from_secs(1);
/// How long a stop may take: the supervisor's own patience and a little more.
const STOP: Duration = Duration::from_secs(75);

/// What everybody who holds the handle can see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub(super) health: Health,
    /// Whether this process keeps the cluster running.
    pub(super) owner: bool,
}

/// What the task needs to know.
#[derive(Debug, Clone)]
pub(super) struct Keeper {
    pub(super) binaries: PathBuf,
    pub(super) layout: Layout,
    /// The account that PostgreSQL runs as.
    pub(super) account: Account,
    /// The account of this process.
    pub(super) us: Account,
}

impl Keeper {
    /// Runs until `stop` is sent or dropped, or the cluster cannot be kept running.
    pub(super) async fn keep(self, state: watch::Sender<State>, mut stop: oneshot::Receiver<()>) {
        let lock = match self.turn(&state, &mut stop).await {
            Ok(Some(lock)) => lock,
            Ok(None) => return,
            Err(error) => return fail(&state, error.to_string()),
        };
        state.send_modify(|state| *state = State { health: Health::Starting, owner: true });
        if let Err(why) = self.own(&state, &mut stop).await {
            fail(&state, why);
        }
        drop(lock);
    }

    /// Waits for the owner's lock; `None` when a stop came first.
    async fn turn(
        &self,
        state: &watch::Sender<State>,
        stop: &mut oneshot::Receiver<()>,
    ) -> Result<Option<File>, ClusterError> {
        loop {
            if let Some(lock) = lock::try_lock(&self.layout.owner_lock())? {
                return Ok(Some(lock));
            }
            let answers = UnixStream::connect(self.layout.socket()).await.is_ok();
            state.send_if_modified(|state| {
                let now = match (answers, &state.health) {
                    (true, _) => Health::Running,
                    (false, Health::Starting) => Health::Starting,
                    (false, _) => Health::Restarting,
                };
                let changed = state.health != now;
                state.health = now;
                changed
            });
            let pause = if answers { TURN } else { TURN / 10 };
            tokio::select! {
                () = sleep(pause) => {}
                _ = &mut *stop => return Ok(None),
            }
        }
    }

    /// Keeps a supervisor running; `Ok` after a stop that was asked for.
    async fn own(&self, state: &watch::Sender<State>, stop: &mut oneshot::Receiver<()>) -> Result<(), String> {
        if self.us.is_root() {
            self.account.take_over(&self.layout).map_err(|error| error.to_string())?;
        }
        let mut ends = VecDeque::new();
        loop {
            let mut supervisor = self.start()?;
            let failed = tokio::select! {
                failed = follow(&mut supervisor, state) => failed,
                _ = &mut *stop => {
                    // It sees the end of its input and stops PostgreSQL.
                    drop(supervisor.stdin.take());
                    return match timeout(STOP, supervisor.wait()).await {
                        Ok(_) => Ok(()),
                        Err(_) => Err(format!("it has not stopped within {} seconds", STOP.as_secs())),
                    };
                }
            };
            if let Some(why) = failed {
                return Err(why);
            }
            state.send_modify(|state| state.health = Health::Restarting);
            if supervisor::give_up(&mut ends, Instant::now()) {
                return Err(format!("its supervisor ended {TRIES} times within {} seconds", PATIENCE.as_secs()));
            }
            tracing::warn!("the supervisor of PostgreSQL has ended: starting another one");
            sleep(supervisor::backoff(ends.len())).await;
        }
    }

    /// Starts the supervisor, as the cluster's account and in a process group of its own: Ctrl-C at a terminal is for
    /// the application, which stops the cluster last.
    fn start(&self) -> Result<Child, String> {
        // Not by its path: the cluster's account may be unable to walk there, and an upgrade may have replaced it.
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("soulforge")
            .arg("pg-run")
            .arg("--binaries")
            .arg(&self.binaries)
            .arg("--root")
            .arg(self.layout.root())
            // Keys and passwords in our environment are not PostgreSQL's business.
            .env_clear()
            .envs([("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC")])
            .current_dir(self.layout.root())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0);
        let accounts = BTreeSet::from([self.us.name.as_str(), self.account.name.as_str(), "root"]);
        for account in accounts {
            command.arg("--account").arg(account);
        }
        if self.us.is_root() {
            // Supplementary groups are dropped along with root's identity.
            command.uid(self.account.uid).gid(self.account.gid);
        }
        command.spawn().map_err(|error| format!("the supervisor cannot be started as {}: {error}", self.account.name))
    }
}

/// Turns the supervisor's lines into health until it ends; `Some` when it gave up.
async fn follow(supervisor: &mut Child, state: &watch::Sender<State>) -> Option<String> {
    let mut failed = None;
    if let Some(output) = supervisor.stdout.take() {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let (word, why) = line.split_once(' ').unwrap_or((line.as_str(), ""));
            let health = match word {
                "waiting" => {
                    tracing::info!("waiting for a former PostgreSQL of this folder to stop");
                    continue;
                }
                "starting" => {
                    tracing::debug!("PostgreSQL is starting");
                    continue;
                }
                "ready" => Health::Running,
                "restarting" => {
                    tracing::warn!("PostgreSQL is started again: {why}");
                    Health::Restarting
                }
                "failed" => {
                    failed = Some(why.to_owned());
                    continue;
                }
                _ => continue,
            };
            state.send_modify(|state| state.health = health);
        }
    }
    let _ = supervisor.wait().await;
    failed
}

fn fail(state: &watch::Sender<State>, reason: String) {
    tracing::error!("the private PostgreSQL does not run: {reason}");
    state.send_modify(|state| state.health = Health::Failed { reason });
}
