//! The form of an operator who edits a page.
#![expect(missing_docs, reason = "the macro makes a struct of each function's arguments")]

use super::PageForm;
use crate::error::AppError;
use leptos::prelude::*;

/// Keeps another text of a page.
#[server(prefix = "/fn", endpoint = "legal/save_page")]
pub async fn save_page(form: PageForm) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let page = super::store::save(&ctx()?, &form).await?;
        leptos_axum::redirect(&format!("/admin/pages/{}?saved=page", page.as_str()));
        Ok(())
    })
    .await
}
