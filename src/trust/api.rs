//! Server functions about help lines.
#![expect(missing_docs, reason = "the macro makes a struct of each function's arguments")]

use super::HelpForm;
use crate::error::AppError;
use leptos::prelude::*;

/// Sets whose help lines the card names.
#[server(prefix = "/fn", endpoint = "trust/save_help")]
pub async fn save_help(form: HelpForm) -> Result<(), AppError> {
    use super::store;
    use crate::{error::reply, server::ctx};
    reply(async {
        store::save(&ctx()?, &form).await?;
        leptos_axum::redirect("/admin/safety?saved=help");
        Ok(())
    })
    .await
}
