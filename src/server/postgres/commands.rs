//! Hidden commands for tests and scripts: open the cluster and wait, or write to it without end.

use super::{Cluster, ClusterConfig, ClusterError, Health};
use sqlx::{Connection, PgConnection};
use std::{io::Write, path::PathBuf, process::ExitCode, time::Duration};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};

/// Arguments of `soulforge pg-open`.
#[derive(Debug, Clone, clap::Args)]
pub struct PgOpenArgs {
    /// The data folder; the cluster is kept in its folder `pg`.
    #[arg(long, env = "SOULFORGE_DATA")]
    data: PathBuf,
    /// The folder with PostgreSQL's bin, lib and share.
    #[arg(long, env = "SOULFORGE_PG_DIR")]
    pg_dir: PathBuf,
}

/// Arguments of `soulforge pg-ledger`.
#[derive(Debug, Clone, clap::Args)]
pub struct PgLedgerArgs {
    #[command(flatten)]
    open: PgOpenArgs,
}

impl PgOpenArgs {
    async fn open(&self) -> Result<Cluster, ClusterError> {
        let config = ClusterConfig { binaries: self.pg_dir.clone(), data: self.data.join("pg") };
        Cluster::open(config).await
    }
}

/// Opens the cluster, prints `ready …`, then each change of health, until it is told to stop.
pub async fn pg_open(args: PgOpenArgs) -> ExitCode {
    let cluster = match args.open().await {
        Ok(cluster) => cluster,
        Err(error) => return refuse(&error),
    };
    print(&format!("ready owner={} url={}", cluster.is_owner(), cluster.url("sf_owner")));
    wait(cluster).await
}

/// Opens the cluster and writes row after row as its owner, printing `ack N` for each one that was committed.
///
/// When the connection is lost it connects again and goes on, as a pool would.
pub async fn pg_ledger(args: PgLedgerArgs) -> ExitCode {
    let cluster = match args.open.open().await {
        Ok(cluster) => cluster,
        Err(error) => return refuse(&error),
    };
    let options = cluster.options("sf_owner");
    print(&format!("ready owner={} url={}", cluster.is_owner(), cluster.url("sf_owner")));
    tokio::spawn(async move {
        loop {
            let Err(error) = write(&options).await;
            print(&format!("lost {error}"));
            sleep(Duration::from_millis(20)).await;
        }
    });
    wait(cluster).await
}

/// Writes until the connection breaks.
async fn write(options: &sqlx::postgres::PgConnectOptions) -> Result<std::convert::Infallible, sqlx::Error> {
    let mut connection = PgConnection::connect_with(options).await?;
    let table =
        "create schema if not exists crash; create table if not exists crash.crash_ledger (id bigint primary key)";
    sqlx::raw_sql(table).execute(&mut connection).await?;
    let last: i64 =
        sqlx::query_scalar("select coalesce(max(id), 0) from crash.crash_ledger").fetch_one(&mut connection).await?;
    for id in last + 1.. {
        sqlx::query("insert into crash.crash_ledger (id) values ($1)").bind(id).execute(&mut connection).await?;
        print(&format!("ack {id}"));
    }
    Err(sqlx::Error::WorkerCrashed)
}

/// Reports until a signal comes or the cluster has failed, then stops it.
async fn wait(mut cluster: Cluster) -> ExitCode {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        cluster.stop().await;
        return ExitCode::FAILURE;
    };
    let code = loop {
        tokio::select! {
            health = cluster.changed() => {
                print(&match &health {
                    Health::Failed { reason } => format!("failed {reason}"),
                    other => format!("health {other:?} owner={}", cluster.is_owner()).to_lowercase(),
                });
                if matches!(health, Health::Failed { .. }) {
                    break ExitCode::FAILURE;
                }
            }
            _ = terminate.recv() => break ExitCode::SUCCESS,
            _ = interrupt.recv() => break ExitCode::SUCCESS,
        }
    };
    cluster.stop().await;
    print("stopped");
    code
}

fn refuse(error: &ClusterError) -> ExitCode {
    print(&format!("refused {error}"));
    ExitCode::FAILURE
}

/// A line at once, and no panic when nobody reads it.
fn print(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
