//! Server functions of the personas room. Each works as a plain form, too.

#![expect(missing_docs, reason = "the macro makes a struct of each function's arguments")]

use super::{PersonaForm, UserPersona};
use crate::error::AppError;
use leptos::{prelude::*, server_fn::codec::GetUrl};

/// The signed-in person's personas.
#[server(prefix = "/fn", endpoint = "personas/list_personas", input = GetUrl)]
pub async fn list_personas() -> Result<Vec<UserPersona>, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let me = ctx.require()?.id;
        let mut tx = ctx.begin().await?;
        super::store::list(&mut tx, me).await
    })
    .await
}

/// Keeps a new persona, or changes one.
#[server(prefix = "/fn", endpoint = "personas/save_persona")]
pub async fn save_persona(#[server(default)] form: PersonaForm) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        ctx.require_write()?;
        let form = form.check()?;
        let id = match form.id.as_str() {
            "" => None,
            id => Some(id.parse().map_err(|_| AppError::NotFound)?),
        };
        super::store::save(&ctx, id, &form).await?;
        Ok(())
    })
    .await
}

/// Deletes a persona.
#[server(prefix = "/fn", endpoint = "personas/delete_persona")]
pub async fn delete_persona(id: String) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        super::store::delete(&ctx, id.parse().map_err(|_| AppError::NotFound)?).await
    })
    .await
}
