//! The one door to the database: a transaction that knows who is asking.
//!
//! Row level security reads the identity from a setting that is local to the transaction. sqlx may hand a connection back
//! in the middle of an open transaction when the future of `begin` is dropped (transact-rs/sqlx #4385), and the next
//! user of that connection would then ask under somebody else's name. Two walls against it: `begin` runs in a task of its
//! own, which is never dropped half-way, and each connection is rolled back and reset when it returns to the pool.

use super::telemetry::figures;
use crate::{error::AppResult, ids::UserId};
use sqlx::{
    AssertSqlSafe, Executor, PgConnection, PgPool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use std::{
    ops::{Deref, DerefMut},
    time::{Duration, Instant},
};

/// Who is asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Nobody has signed in.
    Anonymous,
    /// This person.
    User(UserId),
}

impl From<UserId> for Identity {
    fn from(id: UserId) -> Self {
        Self::User(id)
    }
}

/// The pools of one process.
#[derive(Clone)]
pub struct Db {
    app: PgPool,
    worker: PgPool,
    /// One connection that listens; made when somebody does.
    line: PgPool,
}

/// How a pool stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolFigures {
    /// `app` or `worker`.
    pub name: &'static str,
    /// Open connections.
    pub size: u32,
    /// Those that nobody uses.
    pub idle: u32,
    /// Most connections.
    pub max: u32,
}

/// What the private cluster sets for its roles, for connections that become those roles by `set role`: settings of a role
/// hold only for whoever signs in as it. Said again after each reset, which would take them away.
const APP_ROLE: Role = Role {
    enter: "set role sf_app",
    limits: "set statement_timeout = '5s'; set lock_timeout = '2s'; set idle_in_transaction_session_timeout = '5s'; \
             select set_config('transaction_timeout', '30s', false) where current_setting('server_version_num')::int >= 170000",
};

/// As [`APP_ROLE`], for the process's own work.
const WORKER_ROLE: Role = Role {
    enter: "set role sf_worker",
    limits: "set statement_timeout = '60s'; set lock_timeout = '2s'; set idle_in_transaction_session_timeout = '60s'",
};

/// A role that a connection becomes, and its limits.
#[derive(Clone, Copy)]
struct Role {
    enter: &'static str,
    limits: &'static str,
}

/// A transaction under one identity. Dropping it rolls back.
pub struct Tx(Transaction<'static, Postgres>);

impl Tx {
    /// Makes what was done durable.
    ///
    /// # Errors
    /// When the database refuses or cannot be reached; nothing was done then.
    pub async fn commit(self) -> AppResult<()> {
        Ok(self.0.commit().await?)
    }
}

impl Deref for Tx {
    type Target = PgConnection;
    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}

/// How each of the two pools connects.
pub struct Connections {
    /// As `sf_app`, or as a role that may become it.
    pub app: PgConnectOptions,
    /// As `sf_worker`, or as a role that may become it.
    pub worker: PgConnectOptions,
    /// The connecting role is not the wanted one itself: `set role` after connecting.
    pub set_role: bool,
}

impl Db {
    /// Makes the pools without connecting yet.
    #[must_use]
    pub fn new(connections: Connections, app_size: u32) -> Self {
        let set = connections.set_role;
        Self {
            app: pool(connections.app, set.then_some(APP_ROLE), app_size),
            line: pool(connections.worker.clone(), set.then_some(WORKER_ROLE), 1),
            worker: pool(connections.worker, set.then_some(WORKER_ROLE), (app_size / 2).max(3)),
        }
    }

    /// A transaction in which row level security sees `who`.
    ///
    /// # Errors
    /// When no connection comes free in time or the database cannot be reached.
    pub async fn begin(&self, who: impl Into<Identity>) -> AppResult<Tx> {
        let id = match who.into() {
            Identity::User(id) => id.to_string(),
            Identity::Anonymous => String::new(),
        };
        begin("app", self.app.clone(), format!("begin; select set_config('app.user_id', '{id}', true)")).await
    }

    /// A transaction of the process itself, as `sf_worker`: sign-in, replies under way, sweeping. Never on behalf of a
    /// person's wish that row level security should judge.
    ///
    /// # Errors
    /// As [`Db::begin`].
    pub async fn system(&self) -> AppResult<Tx> {
        begin("worker", self.worker.clone(), "begin".to_owned()).await
    }

    /// How the pools stand.
    #[must_use]
    pub fn pools(&self) -> [PoolFigures; 2] {
        [("app", &self.app), ("worker", &self.worker)].map(|(name, pool)| PoolFigures {
            name,
            size: pool.size(),
            idle: u32::try_from(pool.num_idle()).unwrap_or(u32::MAX),
            max: pool.options().get_max_connections(),
        })
    }

    /// A connection of its own that hears what is notified on a channel.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn listener(&self, channel: &str) -> Result<PgListener, sqlx::Error> {
        let mut listener = PgListener::connect_with(&self.line).await?;
        listener.listen(channel).await?;
        Ok(listener)
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.line.close().await;
        self.app.close().await;
        self.worker.close().await;
    }
}

async fn begin(name: &'static str, pool: PgPool, statement: String) -> AppResult<Tx> {
    let began = Instant::now();
    // A dropped JoinHandle does not abort its task, so BEGIN and the identity are always complete or undone together.
    match tokio::spawn(async move { pool.begin_with(AssertSqlSafe(statement)).await }).await {
        Ok(tx) => {
            let timed_out = matches!(tx, Err(sqlx::Error::PoolTimedOut));
            figures::database_wait(name, began.elapsed(), timed_out);
            Ok(Tx(tx?))
        }
        Err(error) => {
            tracing::error!(%error, "beginning a transaction panicked");
            Err(crate::error::AppError::Internal)
        }
    }
}

fn pool(options: PgConnectOptions, role: Option<Role>, size: u32) -> PgPool {
    // `begin` first, because `rollback` alone outside of a transaction writes a warning each time, here and in the
    // server's log. Where one is open, `begin` only warns; where one has failed, it is an error, and sqlx closes the
    // connection.
    const RESET: &str = "begin; rollback; reset all";
    let reset = role.map_or_else(|| RESET.to_owned(), |role| format!("{RESET}; {}", role.limits));
    PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(Duration::from_secs(300))
        .after_connect(move |c, _| {
            Box::pin(async move {
                if let Some(role) = role {
                    c.execute(role.enter).await?;
                    c.execute(role.limits).await?;
                }
                Ok(())
            })
        })
        .after_release(move |c, _| {
            let reset = reset.clone();
            Box::pin(async move {
                // Made of constants above.
                c.execute(AssertSqlSafe(reset)).await?;
                Ok(true)
            })
        })
        .connect_lazy_with(options)
}
