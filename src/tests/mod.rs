//! Tests that speak HTTP to the real router, each with a database of its own.
//!
//! `TEST_DATABASE_URL` names a superuser's connection to a scratch cluster (`make test` starts one).

mod accounts;
mod accounts_doors;
mod accounts_guests;
mod accounts_join;
mod accounts_recovery;
mod accounts_suspend;
mod avatars;
mod banners;
mod cards;
mod chat;
mod chat_ends;
mod chat_history;
mod chat_impersonate;
mod chat_prompt;
mod chat_stream;
mod chat_tree;
mod chat_tree_property;
mod chat_ways;
mod client;
mod crisis;
mod database;
mod endpoints;
mod erased;
mod guard;
mod home;
mod jobs;
mod leaving;
mod log;
mod long_replies;
mod model;
mod models;
mod names;
mod ocs;
mod operations;
mod pages;
mod plans;
mod pooler;
mod provider;
mod references;
mod rights;
mod schema;
mod search;
mod secrets;
mod seen;
mod slashes;
mod sse;
mod stored_words;
mod summon;
mod talk;
mod transport;
mod visitors;
mod walls;

pub use client::{Answer, Client};
pub use model::{ScriptedModel, Step};

use crate::{
    ids::UserId,
    kit::{
        self,
        jobs::{Jobs, Pace},
    },
    server::{
        AppState, Db,
        config::{Cli, Command, Config, Place},
        db::Connections,
        router, serve,
    },
};
use clap::Parser;
use database::Database;
use leptos::config::LeptosOptions;
use sqlx::{Connection, PgConnection, Row};
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

/// A password that every rule accepts.
pub const PASSWORD: &str = "violet harbour lantern nine";

/// The day of birth of everybody who does not say otherwise.
pub const BORN: &str = "1990-01-31";

/// A running site with its own database, data folder and scripted model.
pub struct TestApp {
    /// The parts, for looking behind the scenes.
    pub state: AppState,
    /// The model that answers.
    pub model: Arc<ScriptedModel>,
    /// The whole site.
    pub router: axum::Router,
    database: Arc<Database>,
    folder: std::path::PathBuf,
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.state.shutdown.cancel();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl TestApp {
    /// A site with raised limits.
    pub async fn new() -> Self {
        Self::with(&["--limit-factor", "1000"]).await
    }

    /// A site with these further flags of `serve`.
    pub async fn with(flags: &[&str]) -> Self {
        Self::on(Arc::new(Database::new().await), flags)
    }

    /// Another process on the same database, as after a restart or beside it.
    pub fn again(&self) -> Self {
        Self::on(Arc::clone(&self.database), &["--limit-factor", "1000"])
    }

    /// As [`TestApp::again`], with these further flags of `serve`.
    pub fn again_with(&self, flags: &[&str]) -> Self {
        Self::on(Arc::clone(&self.database), flags)
    }

    /// The same browser at this process.
    pub fn as_client(&self, browser: &Client) -> Client {
        let client = self.client();
        for (name, value) in browser.cookies() {
            client.set_cookie(&name, &value);
        }
        client
    }

    fn on(database: Arc<Database>, flags: &[&str]) -> Self {
        let connections = direct(&database);
        Self::over(database, connections, flags)
    }

    /// A process that reaches the database in a way of its own.
    fn over(database: Arc<Database>, connections: Connections, flags: &[&str]) -> Self {
        let (mut state, model, folder) = parts(connections, flags);
        // Without what comes round by itself: tests sweep when they want to.
        let pace = Pace { backoff: Duration::from_millis(10), ..Pace::default() };
        state.jobs = Arc::new(Jobs::new(state.hub.bell.clone(), serve::kinds(), pace));
        kit::jobs::start(&state);
        let router = router::router(state.clone());
        Self { state, model, router, database, folder }
    }

    /// A browser without scripts and without a session.
    pub fn client(&self) -> Client {
        Client::new(self.router.clone())
    }

    /// A browser in which a new person has signed up through the API, and their id.
    pub async fn person(&self, name: &str) -> (Client, UserId) {
        let client = self.client();
        let body = serde_json::json!({
            "username": name, "email": format!("{name}@example.org"), "password": PASSWORD, "birth_date": BORN,
        });
        let answer = client.post_json("/api/accounts", &body).await;
        assert_eq!(answer.status, 201, "sign-up of {name}: {}", answer.text);
        let id = answer.json()["id"].as_str().expect("an id").parse().expect("a uuid");
        (client, id)
    }

    /// The id of one of the house's characters.
    pub async fn oc(&self, slug: &str) -> String {
        let row = sqlx::query("select oc_id::text from ocs where slug = $1").bind(slug);
        row.fetch_one(&mut self.sql().await).await.expect("a character of the house").get(0)
    }

    /// The owner's connection: sees everything.
    pub async fn sql(&self) -> PgConnection {
        PgConnection::connect_with(&self.database.owner()).await.expect("the test database")
    }
}

/// How a process reaches the database where nothing stands in between.
fn direct(database: &Database) -> Connections {
    let owner = database.owner();
    Connections { app: owner.clone(), worker: owner.clone(), direct: owner, forget: false }
}

/// What a process is made of, its model, and its data folder.
fn parts(connections: Connections, flags: &[&str]) -> (AppState, Arc<ScriptedModel>, std::path::PathBuf) {
    let db = Db::new(connections, 8);
    let folder = std::env::temp_dir().join(format!("sf-test-{}", Uuid::now_v7().simple()));
    let config = config(&folder, flags);
    let options = LeptosOptions::builder().output_name("soulforge").site_root("target/site").build();
    let model = Arc::new(ScriptedModel::default());
    let state = serve::state(options, config, db, model.clone()).expect("the data folder");
    (state, model, folder)
}

fn config(folder: &std::path::Path, flags: &[&str]) -> Config {
    let data = folder.display().to_string();
    let mut args = vec!["soulforge", "serve", "--data", &data, "--addr", "127.0.0.1:3000"];
    args.extend(flags);
    match Cli::try_parse_from(args).expect("flags").command {
        Command::Serve(config) => {
            // Tests change rows behind the site's back, of which kept pages do not hear.
            let visitor_pages = if flags.contains(&"--visitor-pages") { config.visitor_pages } else { 0 };
            Config {
                place: Place { database_url: None, owner_url: None, ..config.place },
                url: None,
                visitor_pages,
                ..config
            }
        }
        _ => unreachable!("asked for serve"),
    }
}
