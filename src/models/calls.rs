//! The calls that this process has under way. Each has a lease in the account; whoever is killed renews none, and the calls that
//! were under way then are closed by the others or by whoever comes next, and charged by what had left the house.

use super::store;
use crate::{error::AppResult, server::AppState};
use dashmap::DashMap;
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

/// How long a call counts as under way without a word from its process, in seconds.
pub const LEASE_SECONDS: f64 = 60.0;
/// How often leases are renewed.
const RENEW_EVERY: Duration = Duration::from_secs(15);

/// The calls of this process.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<DashMap<Uuid, ()>>);

impl Calls {
    /// Renews the lease of a call for as long as what is given back lives.
    pub fn hold(&self, id: Uuid) -> Held {
        self.0.insert(id, ());
        Held { calls: self.clone(), id }
    }

    fn ids(&self) -> Vec<Uuid> {
        self.0.iter().map(|call| *call.key()).collect()
    }
}

/// A call that is under way here.
#[derive(Debug)]
pub struct Held {
    calls: Calls,
    id: Uuid,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.calls.0.remove(&self.id);
    }
}

/// Renews the leases of this process's calls.
async fn renew(app: &AppState) -> AppResult<()> {
    let ids = app.models.calls().ids();
    if ids.is_empty() { Ok(()) } else { store::renew_lines(&app.db, &ids).await }
}

/// Renews the leases of this process's calls, and closes the calls of processes that went away; gives how many.
///
/// # Errors
/// When the database cannot be reached.
pub async fn look_after(app: &AppState) -> AppResult<u64> {
    renew(app).await?;
    store::close_abandoned(&app.db).await
}

/// Renews leases until the process ends.
pub fn watch(app: &AppState) {
    let app_ = app.clone();
    app.tasks.spawn(async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(RENEW_EVERY) => {}
                () = app_.shutdown.cancelled() => return,
            }
            if let Err(error) = renew(&app_).await {
                tracing::warn!(%error, "the leases of calls of models could not be renewed");
            }
        }
    });
}
