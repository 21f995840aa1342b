//! Server functions of summoning.
#![expect(missing_docs, reason = "the macro makes a struct of each function's arguments")]

use super::{SummonForm, SummonPage};
use crate::{error::AppError, ids::JobId};
use leptos::{prelude::*, server_fn::codec::GetUrl};

/// Keeps the sentence and begins; leads to the page that shows each part as it arrives.
#[server(prefix = "/fn", endpoint = "ocs/summon")]
pub async fn summon(form: SummonForm, #[server(default)] key: String) -> Result<JobId, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let key = Some(key.trim()).filter(|k| !k.is_empty());
        let id = super::routes::begin(&ctx, &form, false, key).await?.id;
        leptos_axum::redirect(&format!("/summon/{id}"));
        Ok(id)
    })
    .await
}

/// A summon as its owner sees it.
#[server(prefix = "/fn", endpoint = "ocs/get_summon", input = GetUrl)]
pub async fn get_summon(id: String) -> Result<SummonPage, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let (page, _) = super::routes::find(&ctx, &id).await?;
        Ok(page)
    })
    .await
}

/// Stops a summon; what has arrived is kept.
#[server(prefix = "/fn", endpoint = "ocs/stop_summon")]
pub async fn stop_summon(id: JobId) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        super::routes::stop(&ctx, id).await?;
        leptos_axum::redirect(&format!("/summon/{id}"));
        Ok(())
    })
    .await
}

/// Goes on with a summon that was stopped, failed or left behind.
#[server(prefix = "/fn", endpoint = "ocs/continue_summon")]
pub async fn continue_summon(id: JobId) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        super::routes::resume(&ctx, id).await?;
        leptos_axum::redirect(&format!("/summon/{id}"));
        Ok(())
    })
    .await
}

/// Shows a finished draft to everybody and leads to its page.
#[server(prefix = "/fn", endpoint = "ocs/wake_summoned")]
pub async fn wake_summoned(id: JobId) -> Result<(), AppError> {
    use crate::{error::reply, ocs::page_url, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let me = ctx.require_write()?.id;
        let (page, _) = super::routes::find(&ctx, &id.to_string()).await?;
        let oc = page.oc_id.filter(|_| page.status == super::JobStatus::Done).ok_or(AppError::NotFound)?;
        let mut tx = ctx.begin().await?;
        let made = crate::ocs::store::publish(&mut tx, me, oc).await?;
        tx.commit().await?;
        leptos_axum::redirect(&page_url(&made.slug));
        Ok(())
    })
    .await
}
