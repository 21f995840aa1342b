//! Server functions of summoning.
#![expect(missing_docs, reason = "the macro makes a struct of each function's arguments")]

use super::{Hints, SummonForm, SummonPage};
use crate::{
    error::AppError,
    ids::{JobId, OcId},
};
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

/// Draws a part of a draft anew and leads back: to its summon, or with `page` to its page.
#[server(prefix = "/fn", endpoint = "ocs/redraw")]
pub async fn redraw(oc_id: OcId, part: String, #[server(default)] page: bool) -> Result<(), AppError> {
    use crate::{error::reply, ocs::page_url, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let redrawn = super::redraw::redraw(&ctx, oc_id, &part).await?;
        let to = match redrawn.job.filter(|_| !page) {
            Some(job) => format!("/summon/{job}"),
            None => page_url(&redrawn.made.slug),
        };
        leptos_axum::redirect(&to);
        Ok(())
    })
    .await
}

/// Corrects how a draft is spoken of, and leads back to its summon.
#[server(prefix = "/fn", endpoint = "ocs/set_pronoun")]
pub async fn set_pronoun(oc_id: OcId, pronoun: String) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let redrawn = super::redraw::set_pronoun(&ctx, oc_id, &pronoun).await?;
        let to = match redrawn.job {
            Some(job) => format!("/summon/{job}"),
            None => crate::ocs::page_url(&redrawn.made.slug),
        };
        leptos_axum::redirect(&to);
        Ok(())
    })
    .await
}

/// What the page says before the first word: who writes, and what it is weak at.
#[server(prefix = "/fn", endpoint = "ocs/summon_hints", input = GetUrl)]
pub async fn summon_hints() -> Result<Hints, AppError> {
    use crate::{accounts::Role, error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let writer = ctx.app.models.for_summon().await.ok().and_then(|order| order.into_iter().next());
        let info = writer.map(|w| (w.name.clone(), w.model.info().local)).unwrap_or_default();
        let may_choose = ctx.info.viewer.as_ref().is_some_and(|v| v.role == Role::Admin);
        let status = crate::models::status::of_summons(&ctx).await?;
        Ok(Hints { model: info.0, is_built_in: info.1, status, may_choose })
    })
    .await
}

/// Shows a finished draft to everybody and leads to its page.
#[server(prefix = "/fn", endpoint = "ocs/wake_summoned")]
pub async fn wake_summoned(id: JobId) -> Result<(), AppError> {
    use crate::{error::reply, ocs::page_url, server::ctx};
    reply(async {
        let ctx = ctx()?;
        ctx.require_write()?;
        let (page, _) = super::routes::find(&ctx, &id.to_string()).await?;
        let oc = page.oc_id.filter(|_| page.status == super::JobStatus::Done).ok_or(AppError::NotFound)?;
        let mut tx = ctx.begin().await?;
        let made = crate::ocs::store::publish(&mut tx, oc).await?;
        tx.commit().await?;
        leptos_axum::redirect(&page_url(&made.slug));
        Ok(())
    })
    .await
}
