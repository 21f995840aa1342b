//! Everything that exists once per process. Knows no feature but in `router`.

pub mod api;
pub mod backup;
pub mod bell;
pub mod config;
pub mod database;
pub mod db;
pub mod device;
pub mod events;
pub mod files;
pub mod guard;
pub mod images;
pub mod limits;
pub mod lookout;
pub mod markdown;
pub mod migrate;
pub mod moments;
pub mod openapi;
pub mod pages;
pub mod pass;
pub mod passwords;
pub mod postgres;
pub mod quota;
pub mod request;
pub mod router;
pub mod serve;
pub mod session;
pub mod state;
pub mod telemetry;
pub mod vault;

pub use db::{Db, Identity, Tx};
pub use request::{Ctx, ctx};
pub use session::Viewer;
pub use state::AppState;
