//! Server functions of the developers' page.

use super::Docs;
use crate::error::AppError;
use leptos::{prelude::*, server_fn::codec::GetUrl};

/// The public API, described for people.
#[server(prefix = "/fn", endpoint = "developers/docs", input = GetUrl)]
pub async fn get_docs() -> Result<Docs, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        super::read::docs(&crate::server::openapi::DOCUMENT, &ctx.app.config.origin())
    })
    .await
}
