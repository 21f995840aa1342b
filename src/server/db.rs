//! The one door to the database: a transaction that knows who is asking.
//!
//! Row level security reads the identity from a setting that is local to the transaction. sqlx may hand a connection back
//! in the middle of an open transaction when the future of `begin` is dropped (transact-rs/sqlx #4385), and the next
//! user of that connection would then ask under somebody else's name. Two walls against it: `begin` runs in a task of its
//! own, which is never dropped half-way, and each connection is rolled back when it returns to the pool.
//!
//! Role, person and limits are all set by the one message that begins a transaction, and end with it. Nothing depends on
//! what a connection was told before, so that a pooler in between may give each transaction another one.

use super::telemetry::figures;
use crate::{error::AppResult, ids::UserId};
use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection, PgPool, Postgres, Row, Transaction,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use std::{
    ops::{Deref, DerefMut},
    sync::atomic::{AtomicBool, Ordering},
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
    /// For jobs: their leases must not wait behind sign-ins.
    queue: PgPool,
    /// For replies under way: nor must theirs.
    keeper: PgPool,
    /// One connection that listens; made when somebody does.
    line: PgPool,
    /// What each transaction begins with.
    begin: &'static str,
}

/// How a pool stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolFigures {
    /// `app`, `worker`, `queue` or `keeper`.
    pub name: &'static str,
    /// Open connections.
    pub size: u32,
    /// Those that nobody uses.
    pub idle: u32,
    /// Most connections.
    pub max: u32,
}

/// Connections for jobs: claims, leases, and the transactions of what they do.
const QUEUE_SIZE: u32 = 3;
/// Connections for the words and leases of replies.
const KEEPER_SIZE: u32 = 2;

/// What begins every transaction of a person: what the private cluster also sets for its roles, whose settings hold only
/// for whoever signs in as them. The person's id is put between the quotation marks.
const AS_PERSON: [&str; 2] = [
    "; set local role sf_app; set local app.user_id = '",
    "'; set local statement_timeout = '5s'; set local lock_timeout = '2s'; \
     set local idle_in_transaction_session_timeout = '5s'; \
     select set_config('transaction_timeout', '30s', true) where current_setting('server_version_num')::int >= 170000",
];

/// What begins every transaction of the process itself. Said is also that nobody asks: a connection may have been others' before.
const AS_WORKER: &str = "; set local role sf_worker; set local app.user_id = ''; set local statement_timeout = '60s'; \
     set local lock_timeout = '2s'; set local idle_in_transaction_session_timeout = '60s'";

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
    /// Without a pooler in between, as any role: for whoever listens.
    pub direct: PgConnectOptions,
    /// Each transaction forgets the statements that were prepared by those who had the connection before: behind a pooler that
    /// does not tell them apart.
    pub forget: bool,
}

impl Db {
    /// Makes the pools without connecting yet.
    #[must_use]
    pub fn new(connections: Connections, app_size: u32) -> Self {
        Self {
            app: pool(connections.app, app_size),
            line: pool(connections.direct, 1),
            queue: pool(connections.worker.clone(), QUEUE_SIZE),
            keeper: pool(connections.worker.clone(), KEEPER_SIZE),
            worker: pool(connections.worker, (app_size / 3).max(3)),
            begin: if connections.forget { "begin; deallocate all" } else { "begin" },
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
        begin("app", self.app.clone(), format!("{}{}", self.begin, AS_PERSON.join(&id))).await
    }

    /// A transaction of the process itself, as `sf_worker`: sign-in, replies under way, sweeping. Never on behalf of a
    /// person's wish that row level security should judge.
    ///
    /// # Errors
    /// As [`Db::begin`].
    pub async fn system(&self) -> AppResult<Tx> {
        self.own("worker", &self.worker).await
    }

    /// As [`Db::system`], from the connections of the queue.
    ///
    /// # Errors
    /// As [`Db::begin`].
    pub async fn queue(&self) -> AppResult<Tx> {
        self.own("queue", &self.queue).await
    }

    /// As [`Db::system`], from the connections of whoever keeps replies.
    ///
    /// # Errors
    /// As [`Db::begin`].
    pub async fn keeper(&self) -> AppResult<Tx> {
        self.own("keeper", &self.keeper).await
    }

    async fn own(&self, name: &'static str, pool: &PgPool) -> AppResult<Tx> {
        begin(name, pool.clone(), format!("{}{AS_WORKER}", self.begin)).await
    }

    /// How the pools stand.
    #[must_use]
    pub fn pools(&self) -> [PoolFigures; 4] {
        let pools = [("app", &self.app), ("worker", &self.worker), ("queue", &self.queue), ("keeper", &self.keeper)];
        pools.map(|(name, pool)| PoolFigures {
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
        self.queue.close().await;
        self.keeper.close().await;
        self.worker.close().await;
    }
}

/// Runs a whole transaction, and once more when it met another one and was given up by the database.
///
/// # Errors
/// Those of `work`; `Unavailable` when it met somebody twice.
pub async fn whole<T, W: Future<Output = AppResult<T>>>(mut work: impl FnMut() -> W) -> AppResult<T> {
    match work().await {
        Err(error) if error.is_met() => work().await,
        done => done,
    }
}

/// Set when the server said that it takes no changes.
static DEMOTED: AtomicBool = AtomicBool::new(false);

/// The server takes no changes any more: connections to it are looked at when they come back, and closed if that is still so.
pub fn demoted() {
    DEMOTED.store(true, Ordering::Relaxed);
}

/// Whether this connection's server takes no changes. As soon as one does, none is asked any more.
async fn is_standby(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    if !DEMOTED.load(Ordering::Relaxed) {
        return Ok(false);
    }
    let standby: bool = connection.fetch_one("select pg_is_in_recovery()").await?.get(0);
    if !standby {
        DEMOTED.store(false, Ordering::Relaxed);
    }
    Ok(standby)
}

/// Whether something between us and the server lends connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooled {
    /// A connection is the same one until it is closed.
    No,
    /// Each transaction may get another connection.
    ByTransaction {
        /// A prepared statement is its maker's own all the same.
        keeps_statements: bool,
    },
}

/// How often something is tried that goes well by chance.
const LOOKS: u32 = 20;

/// Looks whether an address is a pooler's, by the processes of the server that answer: a second connection takes one of them
/// for a transaction. It is the first one's if that was lent out, and if it was another, the first may change.
///
/// # Errors
/// When the database cannot be reached.
pub async fn pooled(options: &PgConnectOptions) -> Result<Pooled, sqlx::Error> {
    async fn process(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
        connection.fetch_one("select pg_backend_pid()").await.map(|row| row.get(0))
    }
    let (mut first, mut second) =
        (PgConnection::connect_with(options).await?, PgConnection::connect_with(options).await?);
    let own = process(&mut first).await?;
    for _ in 0..LOOKS {
        second.execute("begin").await?;
        if process(&mut second).await? == own || process(&mut first).await? != own {
            second.execute("rollback").await?;
            return Ok(Pooled::ByTransaction { keeps_statements: keeps_statements(options).await? });
        }
        second.execute("rollback").await?;
    }
    first.close().await?;
    second.close().await?;
    Ok(Pooled::No)
}

/// Whether two who prepare different statements under the same name, as every client does, get each their own.
async fn keeps_statements(options: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    for _ in 0..LOOKS {
        for (statement, answer) in [("select 1 as one", 1), ("select 2 as two", 2)] {
            let mut connection = PgConnection::connect_with(options).await?;
            let said: Result<i32, _> = sqlx::query_scalar(statement).fetch_one(&mut connection).await;
            // The next one may get this connection, and must find it as it would be without us.
            let _ = connection.close().await;
            match said {
                Ok(said) if said == answer => {}
                Ok(_) | Err(sqlx::Error::Database(_)) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(true)
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

fn pool(options: PgConnectOptions, size: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(Duration::from_secs(300))
        .after_release(|c, _| {
            Box::pin(async move {
                // `begin` first, because `rollback` alone outside of a transaction writes a warning each time, here and in
                // the server's log. Where one is open, `begin` only warns; where one has failed, it is an error, and sqlx
                // closes the connection.
                c.execute("begin; rollback").await?;
                Ok(!is_standby(c).await?)
            })
        })
        .connect_lazy_with(options)
}
