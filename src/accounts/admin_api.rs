//! Server functions of the admin's pages about people: plain forms of pages that the server draws alone.
#![expect(missing_docs, reason = "the macro makes a struct of each function's arguments")]

use super::{
    forms::{DoorsForm, InviteForm},
    storage::StorageForm,
};
use crate::{error::AppError, ids::UserId};
use leptos::prelude::*;

/// Sets who may come in.
#[server(prefix = "/fn", endpoint = "accounts/save_doors")]
pub async fn save_doors(form: DoorsForm) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        super::store::save_doors(&ctx()?, &form).await?;
        leptos_axum::redirect("/admin/accounts?saved=doors");
        Ok(())
    })
    .await
}

/// Sets how much people may store.
#[server(prefix = "/fn", endpoint = "accounts/save_storage")]
pub async fn save_storage(form: StorageForm) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        super::store::save_storage(&ctx()?, &form).await?;
        leptos_axum::redirect("/admin/accounts?saved=storage#storage");
        Ok(())
    })
    .await
}

/// Makes an invitation. Its link is shown once, on the page that this leads to.
#[server(prefix = "/fn", endpoint = "accounts/invite")]
pub async fn invite(form: InviteForm) -> Result<(), AppError> {
    use super::{Made, once, store};
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let link = store::invite(&ctx, &form).await?;
        once::send(&ctx, "/admin/accounts", &Made { link, whom: form.note.trim().to_owned() });
        leptos_axum::redirect("/admin/accounts#invitations");
        Ok(())
    })
    .await
}

/// Takes an invitation back.
#[server(prefix = "/fn", endpoint = "accounts/revoke_invitation")]
pub async fn revoke_invitation(id: String) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        super::store::revoke_invitation(&ctx()?, &id).await?;
        leptos_axum::redirect("/admin/accounts#invitations");
        Ok(())
    })
    .await
}

/// Makes a one-time link with which somebody sets a new password. It is shown once, on the page that this leads to.
#[server(prefix = "/fn", endpoint = "accounts/make_reset_link")]
pub async fn make_reset_link(id: UserId) -> Result<(), AppError> {
    use super::{once, store};
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        once::send(&ctx, "/admin/people", &store::make_link(&ctx, id).await?);
        leptos_axum::redirect("/admin/people");
        Ok(())
    })
    .await
}

/// Closes somebody's account until it is opened again (`lift`): they are signed out everywhere and cannot come in.
#[server(prefix = "/fn", endpoint = "accounts/suspend")]
pub async fn suspend(id: UserId, #[server(default)] lift: bool) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        super::store::suspend(&ctx()?, id, lift).await?;
        leptos_axum::redirect("/admin/people");
        Ok(())
    })
    .await
}
