//! All SQL of the personas room.

use super::{MOST, PersonaForm, UserPersona};
use crate::{
    error::{AppError, AppResult},
    ids::{PersonaId, UserId},
    server::{Ctx, Tx},
};

/// A person's personas, the default first, then by name.
///
/// # Errors
/// When the database cannot be reached.
pub async fn list(tx: &mut Tx, user: UserId) -> AppResult<Vec<UserPersona>> {
    let rows = sqlx::query_as!(
        UserPersona,
        r#"select persona_id as "id: PersonaId", name, pronouns, description, is_default from personas
           where user_id = $1 order by is_default desc, lower(name), persona_id limit $2"#,
        user.0,
        MOST
    );
    Ok(rows.fetch_all(&mut **tx).await?)
}

/// What characters call a person who has chosen nothing: the default persona's name, or the profile's.
///
/// # Errors
/// When the database cannot be reached.
pub async fn default_name(tx: &mut Tx, user: UserId) -> AppResult<Option<String>> {
    let name = sqlx::query_scalar!("select name from personas where user_id = $1 and is_default", user.0);
    Ok(name.fetch_optional(&mut **tx).await?)
}

/// Keeps a new persona, or changes one (`id`), and gives it as it is kept.
///
/// # Errors
/// `NotFound`, also for somebody else's; `Conflict` when there are too many.
pub async fn save(ctx: &Ctx, id: Option<PersonaId>, form: &PersonaForm) -> AppResult<UserPersona> {
    let me = ctx.require_write()?.id;
    let mut tx = ctx.begin().await?;
    // Of two forms sent together, the later one has the default.
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('personas:' || $1::text, 0))", me.to_string())
        .execute(&mut *tx)
        .await?;
    if form.is_default {
        sqlx::query!("update personas set is_default = false where user_id = $1 and is_default", me.0)
            .execute(&mut *tx)
            .await?;
    }
    let kept =
        match id {
            Some(id) => sqlx::query_as!(
                UserPersona,
                r#"update personas set name = $2, pronouns = $3, description = $4, is_default = $5 where persona_id = $1
                   returning persona_id as "id: PersonaId", name, pronouns, description, is_default"#,
                id.0,
                form.name,
                form.pronouns,
                form.description,
                form.is_default
            )
            .fetch_optional(&mut *tx)
            .await?,
            None => {
                sqlx::query_as!(
                    UserPersona,
                    r#"insert into personas (persona_id, user_id, name, pronouns, description, is_default)
                   select $1, $2, $3, $4, $5, $6 where (select count(*) from personas where user_id = $2) < $7
                   returning persona_id as "id: PersonaId", name, pronouns, description, is_default"#,
                    PersonaId::new().0,
                    me.0,
                    form.name,
                    form.pronouns,
                    form.description,
                    form.is_default,
                    MOST
                )
                .fetch_optional(&mut *tx)
                .await?
            }
        };
    let Some(kept) = kept else {
        return Err(if id.is_some() {
            AppError::NotFound
        } else {
            AppError::conflict("", format!("{MOST} personas are the most. Delete one that you do not use."))
        });
    };
    tx.commit().await?;
    Ok(kept)
}

/// Deletes a persona; conversations that chose it go on with the default.
///
/// # Errors
/// `NotFound`, also for somebody else's.
pub async fn delete(ctx: &Ctx, id: PersonaId) -> AppResult<()> {
    ctx.require_write()?;
    let mut tx = ctx.begin().await?;
    let done = sqlx::query!("delete from personas where persona_id = $1", id.0).execute(&mut *tx).await?;
    tx.commit().await?;
    if done.rows_affected() == 0 { Err(AppError::NotFound) } else { Ok(()) }
}
