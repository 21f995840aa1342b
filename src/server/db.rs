//! The one door to the database: a transaction that knows who is asking.
//!
//! Row level security reads the identity from a setting that is local to the transaction. sqlx may hand a connection back
//! in the middle of an open transaction when the future of `begin` is dropped (transact-rs/sqlx #4385), and the next
//! user of that connection would then ask under somebody else's name. Two walls against it: `begin` runs in a task of its
//! own, which is never dropped half-way, and each connection is rolled back and reset when it returns to the pool.

use crate::{error::AppResult, ids::UserId};
use sqlx::{
    AssertSqlSafe, Executor, PgConnection, PgPool, Postgres, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{
    ops::{Deref, DerefMut},
    time::Duration,
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
            app: pool(connections.app, set.then_some("set role sf_app"), app_size),
            worker: pool(connections.worker, set.then_some("set role sf_worker"), (app_size / 2).max(3)),
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
        begin(self.app.clone(), format!("begin; select set_config('app.user_id', '{id}', true)")).await
    }

    /// A transaction of the process itself, as `sf_worker`: sign-in, replies under way, sweeping. Never on behalf of a
    /// person's wish that row level security should judge.
    ///
    /// # Errors
    /// As [`Db::begin`].
    pub async fn system(&self) -> AppResult<Tx> {
        begin(self.worker.clone(), "begin".to_owned()).await
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.app.close().await;
        self.worker.close().await;
    }
}

async fn begin(pool: PgPool, statement: String) -> AppResult<Tx> {
    // A dropped JoinHandle does not abort its task, so BEGIN and the identity are always complete or undone together.
    match tokio::spawn(async move { pool.begin_with(AssertSqlSafe(statement)).await }).await {
        Ok(tx) => Ok(Tx(tx?)),
        Err(error) => {
            tracing::error!(%error, "beginning a transaction panicked");
            Err(crate::error::AppError::Internal)
        }
    }
}

fn pool(options: PgConnectOptions, role: Option<&'static str>, size: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(Duration::from_secs(300))
        .after_connect(move |c, _| {
            Box::pin(async move {
                if let Some(role) = role {
                    c.execute(role).await?;
                }
                Ok(())
            })
        })
        .after_release(|c, _| {
            Box::pin(async move {
                // `begin` first, because `rollback` alone outside of a transaction writes a warning each time, here and in
                // the server's log. Where one is open, `begin` only warns; where one has failed, it is an error, and
                // sqlx closes the connection.
                c.execute("begin; rollback; reset all").await?;
                Ok(true)
            })
        })
        .connect_lazy_with(options)
}
