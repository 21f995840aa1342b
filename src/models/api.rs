//! Server functions of the models room: plain forms of pages that the server draws alone. Each leads back to a page.
#![expect(missing_docs, reason = "the macro makes a struct of each function's arguments")]

use super::{
    files::acts,
    forms::{BudgetsForm, DefaultsForm, ModelForm, OwnKeyForm, ProviderForm, ReachForm},
    store,
};
use crate::{
    error::{AppError, reply},
    server::ctx,
};
use leptos::prelude::*;

/// Adds or changes a provider.
#[server(prefix = "/fn", endpoint = "models/save_provider")]
pub async fn save_provider(form: ProviderForm) -> Result<(), AppError> {
    reply(async {
        let id = store::save_provider(&ctx()?, &form).await?;
        leptos_axum::redirect(&format!("/admin/models/provider/{id}?saved=provider"));
        Ok(())
    })
    .await
}

/// Removes a provider with its models and its key.
#[server(prefix = "/fn", endpoint = "models/delete_provider")]
pub async fn delete_provider(id: String) -> Result<(), AppError> {
    reply(async {
        store::delete_provider(&ctx()?, &id).await?;
        leptos_axum::redirect("/admin/models?saved=removed");
        Ok(())
    })
    .await
}

/// Fetches the list of a provider's models for the page on which one of them is added.
#[server(prefix = "/fn", endpoint = "models/fetch_list")]
pub async fn fetch_list(id: String) -> Result<(), AppError> {
    reply(async {
        let (provider, list) = super::list::fetch(&ctx()?, &id).await?;
        leptos_axum::redirect(&format!("/admin/models/model/new?provider={provider}&list={list}#list"));
        Ok(())
    })
    .await
}

/// Adds or changes a model.
#[server(prefix = "/fn", endpoint = "models/save_model")]
pub async fn save_model(form: ModelForm) -> Result<(), AppError> {
    reply(async {
        let id = store::save_model(&ctx()?, &form).await?;
        leptos_axum::redirect(&format!("/admin/models/model/{id}?saved=model"));
        Ok(())
    })
    .await
}

/// Removes a model.
#[server(prefix = "/fn", endpoint = "models/delete_model")]
pub async fn delete_model(id: String) -> Result<(), AppError> {
    reply(async {
        let provider = store::delete_model(&ctx()?, &id).await?;
        leptos_axum::redirect(&format!("/admin/models/provider/{provider}?saved=removed"));
        Ok(())
    })
    .await
}

/// Sets which models answer.
#[server(prefix = "/fn", endpoint = "models/save_defaults")]
pub async fn save_defaults(form: DefaultsForm) -> Result<(), AppError> {
    reply(async {
        store::save_defaults(&ctx()?, &form).await?;
        leptos_axum::redirect("/admin/models?saved=defaults#defaults");
        Ok(())
    })
    .await
}

/// Sets the daily budgets.
#[server(prefix = "/fn", endpoint = "models/save_budgets")]
pub async fn save_budgets(form: BudgetsForm) -> Result<(), AppError> {
    reply(async {
        store::save_budgets(&ctx()?, &form).await?;
        leptos_axum::redirect("/admin/models?saved=budgets#budgets");
        Ok(())
    })
    .await
}

/// Sets whether people may use keys of their own, and which hosts of the network may be reached.
#[server(prefix = "/fn", endpoint = "models/save_reach")]
pub async fn save_reach(form: ReachForm) -> Result<(), AppError> {
    reply(async {
        store::save_reach(&ctx()?, &form).await?;
        leptos_axum::redirect("/admin/models?saved=reach#reach");
        Ok(())
    })
    .await
}

/// Does something with a file of this machine's model: `use`, `delete`, `fetch` (one of the catalogue), `stop`, `resume`,
/// `discard`.
#[server(prefix = "/fn", endpoint = "models/file")]
pub async fn act_on_file(act: String, name: String) -> Result<(), AppError> {
    reply(async {
        let ctx = ctx()?;
        match act.as_str() {
            "use" => acts::use_file(&ctx, &name).await?,
            "delete" => acts::delete(&ctx, &name).await?,
            "fetch" => acts::fetch_offer(&ctx, &name).await?,
            "stop" => acts::stop(&ctx, &name)?,
            "resume" => acts::resume(&ctx, &name).await?,
            "discard" => acts::discard(&ctx, &name).await?,
            _ => return Err(AppError::NotFound),
        }
        leptos_axum::redirect("/admin/models?saved=file#files");
        Ok(())
    })
    .await
}

/// Fetches a model file from an address.
#[server(prefix = "/fn", endpoint = "models/fetch_address")]
pub async fn fetch_address(address: String, sha256: String) -> Result<(), AppError> {
    reply(async {
        acts::fetch_address(&ctx()?, &address, &sha256).await?;
        leptos_axum::redirect("/admin/models?saved=file#files");
        Ok(())
    })
    .await
}

/// Adds or changes one's own key.
#[server(prefix = "/fn", endpoint = "models/save_own_key")]
pub async fn save_own_key(form: OwnKeyForm) -> Result<(), AppError> {
    reply(async {
        store::save_own_key(&ctx()?, &form).await?;
        leptos_axum::redirect("/settings/models?saved=key");
        Ok(())
    })
    .await
}

/// Throws one's own key away.
#[server(prefix = "/fn", endpoint = "models/delete_own_key")]
pub async fn delete_own_key(id: String) -> Result<(), AppError> {
    reply(async {
        store::delete_own_key(&ctx()?, &id).await?;
        leptos_axum::redirect("/settings/models?saved=gone");
        Ok(())
    })
    .await
}
