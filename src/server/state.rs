//! What every request can reach.

use super::{config::Config, crowd::Crowd, db::Db, events::Hub, files::Files, pass::Passes, vault::Vault};
use crate::{
    ai::SharedModel,
    kit::jobs::Jobs,
    models::{files::Library, registry::Registry},
};
use axum::extract::FromRef;
use leptos::config::LeptosOptions;
use std::sync::Arc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The parts of a serving process; cheap to clone.
#[derive(Clone, FromRef)]
pub struct AppState {
    /// What the framework needs to find the site's files.
    pub leptos: LeptosOptions,
    /// What the operator set.
    pub config: Arc<Config>,
    /// The database.
    pub db: Db,
    /// The model of this process, which needs no key and no network.
    pub model: SharedModel,
    /// All models there are, and which of them answers.
    pub models: Registry,
    /// The model files of this machine.
    pub library: Arc<Library>,
    /// Opens what the database keeps sealed.
    pub vault: Arc<Vault>,
    /// Uploaded files.
    pub files: Files,
    /// Live topics that streams read from.
    pub hub: Arc<Hub>,
    /// The rights by which streams are open in this process.
    pub passes: Arc<Passes>,
    /// How many streams, files and connections are open for whom.
    pub crowd: Arc<Crowd>,
    /// Work that outlives its request.
    pub jobs: Arc<Jobs>,
    /// Replies under way in this process.
    pub runs: Arc<crate::chat::run::Runs>,
    /// Summons under way in this process.
    pub summons: Arc<crate::ocs::summon::run::Summons>,
    /// Pictures for links on other sites, drawn once for a crowd.
    pub banners: Arc<crate::ocs::banner::Banners>,
    /// Pages that visitors asked for a moment ago.
    pub visitors: Arc<super::visitors::Visitors>,
    /// This process, in leases.
    pub node: Node,
    /// The process is about to end: not ready any more, finishing what it began.
    #[from_ref(skip)]
    pub draining: CancellationToken,
    /// Ends streams and background work.
    pub shutdown: CancellationToken,
    /// Work that outlives its request; awaited at shutdown.
    pub tasks: TaskTracker,
}

/// Id of a serving process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node(pub uuid::Uuid);
