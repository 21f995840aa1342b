//! A database for each test, gone when the test has ended.

use crate::server::migrate;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use std::sync::{LazyLock, mpsc};
use tokio::sync::OnceCell;
use uuid::Uuid;

/// A migrated and seeded database of one test's own. When the last holder lets go of it, also by a panic, it is dropped.
pub struct Database {
    name: String,
}

impl Database {
    /// A copy of the template, which the first test of the process makes.
    ///
    /// Copied file by file: through the log, which is the default, every copy would also cost its own size in WAL.
    pub async fn new() -> Self {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let template = TEMPLATE.get_or_init(make_template).await;
        let name = format!("test_{}", Uuid::now_v7().simple());
        let mut admin = PgConnection::connect_with(&server()).await.expect("the test cluster");
        let copy = format!("create database {name} template {template} strategy file_copy");
        admin.execute(AssertSqlSafe(copy)).await.expect("a copy of the template");
        Self { name }
    }

    /// How its owner connects, who sees everything.
    pub fn owner(&self) -> PgConnectOptions {
        server().database(&self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Nobody waits: a test that ends has no time to lose, and its runtime may be on its way out. What the process has
        // not dropped when it ends goes with the cluster.
        let _ = JANITOR.send(std::mem::take(&mut self.name));
    }
}

/// Drops databases one after the other, on a thread and a connection of its own.
static JANITOR: LazyLock<mpsc::Sender<String>> = LazyLock::new(|| {
    let (names, dropped) = mpsc::channel::<String>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut admin = PgConnection::connect_with(&server()).await.expect("the test cluster");
            for name in dropped {
                // Connections of tasks that outlive the test by a moment are ended.
                let gone = admin.execute(AssertSqlSafe(format!("drop database {name} with (force)"))).await;
                if let Err(error) = gone {
                    tracing::warn!(%error, "the database {name} stays");
                }
            }
        });
    });
    names
});

fn server() -> PgConnectOptions {
    let url = std::env::var("TEST_DATABASE_URL")
        .expect("TEST_DATABASE_URL must name a scratch PostgreSQL (a superuser); `make test` starts one and sets it");
    url.parse().expect("TEST_DATABASE_URL")
}

async fn make_template() -> String {
    let name = format!("template_{}", Uuid::now_v7().simple());
    let mut admin = PgConnection::connect_with(&server()).await.expect("the test cluster");
    admin.execute(AssertSqlSafe(format!("create database {name}"))).await.expect("a new database");
    let mut owner = PgConnection::connect_with(&server().database(&name)).await.expect("the template");
    migrate::run(&mut owner).await.expect("migrations");
    crate::ocs::seed::run(&mut owner).await.expect("seeds");
    owner.close().await.expect("closing");
    name
}
