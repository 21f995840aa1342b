//! The database of this process: somebody else's by `DATABASE_URL`, or a private cluster.

use super::{
    config::Place,
    db::Connections,
    postgres::{Cluster, ClusterConfig},
};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{Connection, Executor, PgConnection, postgres::PgConnectOptions};
use std::path::PathBuf;
use tokio::process::Command;

/// A database that was found or started.
pub struct Database {
    owner: PgConnectOptions,
    cluster: Option<Cluster>,
    url: Option<SecretString>,
    /// Folder with PostgreSQL's programs, for a database of somebody else's.
    programs: Option<PathBuf>,
}

impl Database {
    /// Finds or starts it.
    ///
    /// # Errors
    /// A sentence that says what is missing and which setting helps.
    pub async fn open(place: &Place) -> Result<Self, String> {
        if let Some(url) = &place.database_url {
            let owner: PgConnectOptions =
                url.expose_secret().parse().map_err(|e| format!("DATABASE_URL is not a PostgreSQL address: {e}"))?;
            return Ok(Self {
                owner: owner.application_name("soulforge"),
                cluster: None,
                url: Some(url.clone()),
                programs: place.pg_dir.clone(),
            });
        }
        let binaries = place.pg_dir.clone().ok_or(
            "there is no database: set DATABASE_URL to a PostgreSQL 16 or newer with pgvector, or SOULFORGE_PG_DIR to the folder of a private one (make run does that)",
        )?;
        let config = ClusterConfig { binaries, data: place.data.join("pg") };
        let cluster = Cluster::open(config).await.map_err(|e| e.to_string())?;
        Ok(Self { owner: cluster.options("sf_owner"), cluster: Some(cluster), url: None, programs: None })
    }

    /// How the two pools connect.
    #[must_use]
    pub fn connections(&self) -> Connections {
        match &self.cluster {
            Some(cluster) => {
                Connections { app: cluster.options("sf_app"), worker: cluster.options("sf_worker"), set_role: false }
            }
            None => Connections { app: self.owner.clone(), worker: self.owner.clone(), set_role: true },
        }
    }

    /// The private cluster, if that is what it is.
    #[must_use]
    pub fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_ref()
    }

    /// A connection of the owner, who may change the tables.
    ///
    /// # Errors
    /// A sentence.
    pub async fn owner(&self) -> Result<PgConnection, String> {
        PgConnection::connect_with(&self.owner).await.map_err(|e| format!("the database cannot be reached: {e}"))
    }

    /// A connection of `sf_backup`, who may read everything.
    ///
    /// # Errors
    /// A sentence.
    pub async fn reader(&self) -> Result<PgConnection, String> {
        let away = |e: sqlx::Error| format!("the database cannot be reached: {e}");
        match &self.cluster {
            Some(cluster) => PgConnection::connect_with(&cluster.options("sf_backup")).await.map_err(away),
            None => {
                let mut connection = self.owner().await?;
                connection.execute("set role sf_backup").await.map_err(|e| {
                    format!("the role sf_backup cannot be used: {e}; docs/database.md says how to make it by hand")
                })?;
                Ok(connection)
            }
        }
    }

    /// One of PostgreSQL's client programs, told how to connect as the owner: the private cluster's own, those of
    /// `SOULFORGE_PG_DIR`, or those on the path.
    ///
    /// # Errors
    /// A sentence.
    pub fn program(&self, name: &str) -> Result<Command, String> {
        if let Some(cluster) = &self.cluster {
            return Ok(cluster.program(name));
        }
        let mut command = match &self.programs {
            Some(folder) => {
                let mut command = Command::new(folder.join("bin").join(name));
                command.env("LD_LIBRARY_PATH", super::postgres::library_path(folder));
                command
            }
            None => Command::new(name),
        };
        // By the environment: what stands in a command line, everybody on the machine can read.
        let url = self.url.as_ref().ok_or("there is no address of the database")?;
        command.envs(connection_environment(url.expose_secret())?);
        Ok(command)
    }

    /// Checks version and extension, makes the roles where they are missing, applies the migrations, seeds.
    ///
    /// # Errors
    /// A sentence that says what is missing.
    pub async fn migrate(&self) -> Result<(), String> {
        let mut owner = self.owner().await?;
        super::migrate::run(&mut owner).await?;
        crate::ocs::seed::run(&mut owner).await.map_err(|e| format!("the first characters could not be made: {e}"))?;
        owner.close().await.map_err(|e| e.to_string())
    }

    /// Resolves when the private cluster cannot be kept running.
    pub async fn failed(&self) {
        match &self.cluster {
            Some(cluster) => cluster.failed().await,
            None => std::future::pending().await,
        }
    }

    /// Stops the private cluster, if this process keeps it running.
    pub async fn close(self) {
        if let Some(cluster) = self.cluster {
            cluster.stop().await;
        }
    }
}

/// An address as the variables that PostgreSQL's programs read.
fn connection_environment(url: &str) -> Result<Vec<(&'static str, String)>, String> {
    let url = url::Url::parse(url).map_err(|e| format!("DATABASE_URL is not an address: {e}"))?;
    let plain = |text: &str| {
        url::form_urlencoded::parse(format!("v={}", text.replace('+', "%2B")).as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    let mut found = vec![
        ("PGHOST", plain(url.host_str().unwrap_or_default())),
        ("PGPORT", url.port().map(|port| port.to_string()).unwrap_or_default()),
        ("PGUSER", plain(url.username())),
        ("PGPASSWORD", plain(url.password().unwrap_or_default())),
        ("PGDATABASE", plain(url.path().trim_start_matches('/'))),
    ];
    for (name, value) in url.query_pairs() {
        let variable = match name.as_ref() {
            "host" => "PGHOST",
            "port" => "PGPORT",
            "user" => "PGUSER",
            "password" => "PGPASSWORD",
            "dbname" => "PGDATABASE",
            "sslmode" | "ssl-mode" => "PGSSLMODE",
            "sslrootcert" | "ssl-root-cert" => "PGSSLROOTCERT",
            "sslcert" | "ssl-cert" => "PGSSLCERT",
            "sslkey" | "ssl-key" => "PGSSLKEY",
            _ => continue,
        };
        found.retain(|(known, _)| *known != variable);
        found.push((variable, value.into_owned()));
    }
    found.retain(|(_, value)| !value.is_empty());
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_variables() {
        let found = connection_environment("postgres://forge:p%40ss+word@db.example:6543/soul?sslmode=require")
            .expect("an address");
        for (name, value) in [
            ("PGHOST", "db.example"),
            ("PGPORT", "6543"),
            ("PGUSER", "forge"),
            ("PGPASSWORD", "p@ss+word"),
            ("PGDATABASE", "soul"),
            ("PGSSLMODE", "require"),
        ] {
            assert!(found.contains(&(name, value.to_owned())), "{name} in {found:?}");
        }
        let found =
            connection_environment("postgres://sf_owner@localhost/soulforge?host=%2Ftmp%2Fsf").expect("an address");
        assert!(found.contains(&("PGHOST", "/tmp/sf".to_owned())), "{found:?}");
        assert_eq!(found.iter().filter(|(name, _)| *name == "PGHOST").count(), 1);
    }
}
