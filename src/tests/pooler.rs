//! Behind a pooler of transactions: PgBouncer lends each transaction another connection of the server, and all the same
//! nobody sees what is not theirs, no statement runs in another role, and none without a limit.
//!
//! `TEST_PGBOUNCER` names the program; `make test` finds or installs it, and says so where it cannot be had.

use super::{TestApp, database::Database, talk::Talk};
use crate::{
    ids::UserId,
    server::{
        Db, Identity,
        db::{Connections, Pooled, pooled},
    },
};
use sqlx::{Connection, Executor, PgConnection, Row, postgres::PgConnectOptions};
use std::{
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::PathBuf,
    process::{Child, Command},
    sync::Arc,
    time::Duration,
};
use uuid::Uuid;

/// Connections of the server that are lent; fewer than borrow them.
const LENT: usize = 4;
/// Those who borrow, and transactions of each.
const TASKS: u64 = 9;
const TURNS: u64 = 60;
const PEOPLE: u64 = 20;

/// A pooler of one database, gone with this.
struct Pooler {
    process: Child,
    folder: PathBuf,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Pooler {
    const PORT: u16 = 6432;

    /// None when there is no such program here.
    async fn before(server: &PgConnectOptions, lent: usize) -> Option<Self> {
        let program = std::env::var("TEST_PGBOUNCER").ok().filter(|p| !p.is_empty())?;
        let socket = server.get_socket().expect("the test cluster listens on a socket").clone();
        let folder = std::env::temp_dir().join(format!("sf-pool-{}", Uuid::now_v7().simple()));
        std::fs::create_dir(&folder).expect("a folder");
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).expect("an open folder");
        let settings = format!(
            "[databases]\n* = host={} port={} user={}\n[pgbouncer]\nlisten_addr =\nlisten_port = {}\nunix_socket_dir = {}\n\
             auth_type = any\npool_mode = transaction\ndefault_pool_size = {lent}\nmax_client_conn = 100\nlogfile = {}\n",
            socket.display(),
            server.get_port(),
            server.get_username(),
            Self::PORT,
            folder.display(),
            folder.join("log").display(),
        );
        std::fs::write(folder.join("ini"), settings).expect("its settings");
        let mut command = Command::new(program);
        command
            .arg("-q")
            .arg(folder.join("ini"))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        // It does not run as root, and only the cluster's own account reaches the socket.
        let owner = std::fs::metadata(&socket).expect("the socket's folder");
        if rustix::process::geteuid().is_root() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        let process = command.spawn().expect("PgBouncer starts");
        let pooler = Self { process, folder };
        for _ in 0..200 {
            if pooler.folder.join(format!(".s.PGSQL.{}", Self::PORT)).exists() {
                return Some(pooler);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let log = std::fs::read_to_string(pooler.folder.join("log")).unwrap_or_default();
        panic!("PgBouncer does not listen: {log}");
    }

    fn options(&self, server: &PgConnectOptions) -> PgConnectOptions {
        // As the server makes its own of an address behind a pooler.
        server.clone().socket(&self.folder).port(Self::PORT).extra_float_digits(None).statement_cache_capacity(0)
    }
}

fn person(n: u64) -> UserId {
    UserId(format!("00000000-0000-7000-9000-{n:012}").parse().expect("a uuid"))
}

/// What a transaction that asks for `who` (`None`: the process itself) is not allowed to be, in words.
async fn wrong(db: &Db, who: Option<Identity>) -> Option<String> {
    let mut tx = match who {
        Some(who) => db.begin(who).await.expect("a transaction"),
        None => db.system().await.expect("a transaction"),
    };
    let state = "select current_user::text, current_setting('statement_timeout'), current_setting('app.user_id')";
    let state = sqlx::query(state).fetch_one(&mut *tx).await.expect("its state");
    let state: [String; 3] = [state.get(0), state.get(1), state.get(2)];
    let owners: Vec<Uuid> =
        sqlx::query_scalar("select user_id from api_tokens").fetch_all(&mut *tx).await.expect("rows");
    tx.commit().await.expect("a commit");
    let (wanted, rows) = match who {
        Some(Identity::User(id)) => (["sf_app".to_owned(), "5s".to_owned(), id.to_string()], vec![id.0]),
        Some(Identity::Anonymous) => (["sf_app".to_owned(), "5s".to_owned(), String::new()], vec![]),
        None => (["sf_worker".to_owned(), "1min".to_owned(), String::new()], vec![]),
    };
    let seen = who.is_none() && owners.len() as u64 == PEOPLE || owners == rows;
    (state != wanted || !seen).then(|| format!("{who:?} was {state:?} and saw {} rows", owners.len()))
}

/// How often a role that was set once for a connection was another's: the measure of the test itself.
async fn mixed(options: &PgConnectOptions) -> usize {
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let options = options.clone();
        tasks.spawn(async move {
            let role = if task % 3 == 0 { "sf_worker" } else { "sf_app" };
            let mut connection = PgConnection::connect_with(&options).await.expect("a connection");
            connection.execute(sqlx::AssertSqlSafe(format!("set role {role}"))).await.expect("the role");
            let mut wrong = 0;
            for _ in 0..TURNS {
                connection.execute("begin").await.expect("begin");
                let found: String = connection.fetch_one("select current_user::text").await.expect("a row").get(0);
                wrong += usize::from(found != role);
                connection.execute("commit").await.expect("commit");
            }
            // The connections of the server go on to others.
            let _ = connection.execute("reset role").await;
            wrong
        });
    }
    tasks.join_all().await.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_of_transactions_lends_nobody_a_role_or_rows() {
    let database = Database::new().await;
    let server = database.owner();
    let Some(pooler) = Pooler::before(&server, LENT).await else {
        tracing::warn!("skipped: TEST_PGBOUNCER names no program");
        return;
    };
    let options = pooler.options(&server);
    assert_eq!(pooled(&options).await.expect("an answer"), Pooled::ByTransaction { keeps_statements: false });
    assert_eq!(pooled(&server).await.expect("an answer"), Pooled::No);

    let mut sql = PgConnection::connect_with(&server).await.expect("the database");
    sql.execute(sqlx::AssertSqlSafe(format!(
        "insert into users (user_id, email) select ('00000000-0000-7000-9000-' || lpad(n::text, 12, '0'))::uuid, 'pool' || n || '@example.org' from generate_series(1, {PEOPLE}) n;
         insert into api_tokens (user_id, name, token_hash, hint, scopes) select user_id, 'n', sha256(email::bytea), 'h', array['read'] from users where email like 'pool%'",
    )))
    .await
    .expect("people");
    assert!(mixed(&options).await > 0, "the pooler lends nothing, so this test would find nothing");

    let db =
        Db::new(Connections { app: options.clone(), worker: options.clone(), direct: server.clone(), forget: true }, 6);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let db = db.clone();
        tasks.spawn(async move {
            let mut found = Vec::new();
            for turn in 0..TURNS {
                let who = match (task + turn) % 5 {
                    0 => None,
                    1 => Some(Identity::Anonymous),
                    _ => Some(Identity::User(person(1 + (task * 7 + turn * 3) % PEOPLE))),
                };
                found.extend(wrong(&db, who).await);
            }
            found
        });
    }
    let found: Vec<String> = tasks.join_all().await.into_iter().flatten().collect();
    assert!(found.is_empty(), "{} of {}: {found:#?}", found.len(), TASKS * TURNS);
    db.close().await;
}

/// The whole site, statements of every kind included, where nothing but the listening goes to the server itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_site_works_behind_a_pooler() {
    let database = Arc::new(Database::new().await);
    let server = database.owner();
    let Some(pooler) = Pooler::before(&server, 4 * LENT).await else {
        tracing::warn!("skipped: TEST_PGBOUNCER names no program");
        return;
    };
    let options = pooler.options(&server);
    let connections = Connections { app: options.clone(), worker: options, direct: server, forget: true };
    let app = TestApp::over(database, connections, &["--limit-factor", "1000"]);
    let begin = |name| Talk::begun(&app, name, "lumina");
    let talks = futures::future::join4(begin("ada"), begin("bob"), begin("cleo"), begin("dan")).await;
    for talk in <[Talk; 4]>::from(talks) {
        talk.say("And then?").await;
        let listed = talk.client.get_json("/api/conversations").await.json();
        let ids: Vec<&str> =
            listed["items"].as_array().expect("a list").iter().filter_map(|c| c["id"].as_str()).collect();
        assert_eq!(ids, [talk.id.as_str()]);
        assert_eq!(talk.lines().await.len(), 5);
    }
    app.state.db.close().await;
}
