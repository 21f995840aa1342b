//! Server functions of the admin's page about jobs: plain forms of a page that the server draws alone.
#![expect(missing_docs, reason = "the macro makes a struct of each function's arguments")]

use crate::{error::AppError, ids::JobId};
use leptos::prelude::*;

/// Tries a failed job at once, or a dead one from the beginning.
#[server(prefix = "/fn", endpoint = "admin/retry_job")]
pub async fn retry_job(id: JobId) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        super::store::retry(&ctx()?, id).await?;
        leptos_axum::redirect("/admin/jobs?saved=retried");
        Ok(())
    })
    .await
}

/// Takes a job out of the queue, also while it is done, or from among the dead.
#[server(prefix = "/fn", endpoint = "admin/cancel_job")]
pub async fn cancel_job(id: JobId) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        super::store::cancel(&ctx()?, id).await?;
        leptos_axum::redirect("/admin/jobs?saved=cancelled");
        Ok(())
    })
    .await
}

/// Takes nothing from a queue until it is resumed. What is running goes on.
#[server(prefix = "/fn", endpoint = "admin/pause_queue")]
pub async fn pause_queue(lane: String) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        super::store::set_paused(&ctx()?, &lane, true).await?;
        leptos_axum::redirect("/admin/jobs?saved=paused");
        Ok(())
    })
    .await
}

/// Takes jobs from a paused queue again.
#[server(prefix = "/fn", endpoint = "admin/resume_queue")]
pub async fn resume_queue(lane: String) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        super::store::set_paused(&ctx()?, &lane, false).await?;
        leptos_axum::redirect("/admin/jobs?saved=resumed");
        Ok(())
    })
    .await
}
