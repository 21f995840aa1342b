//! People as others see them.

use super::avatar_url;
use crate::{
    accounts::{Person, PersonOc},
    error::{AppError, AppResult},
    ids::{OcId, UserId},
    ocs::portrait_url,
    server::{Ctx, Tx},
};
use uuid::Uuid;

/// Characters shown on a person's page; the gallery has the rest.
const SHOWN: i64 = 12;

/// A person by username.
///
/// # Errors
/// `NotFound` for an unknown or closed account.
pub async fn person(ctx: &Ctx, username: &str) -> AppResult<Person> {
    let mut tx = ctx.begin().await?;
    person_called(&mut tx, username, ctx.user_id()).await
}

/// As [`person`], asked by `viewer`.
pub(crate) async fn person_called(tx: &mut Tx, username: &str, viewer: Option<UserId>) -> AppResult<Person> {
    let row = sqlx::query!(
        r#"select user_id, username, display_name, bio, avatar_key, created_at,
               (select count(*) from ocs o where o.owner_id = p.user_id and o.is_public) as "oc_total!"
           from profiles p where username_key = lower($1) and left(username, 1) <> '~'"#,
        username
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(AppError::NotFound)?;
    let is_me = viewer.is_some_and(|id| id.0 == row.user_id);
    // One's own drafts stand first, where one looks for them.
    let ocs = sqlx::query!(
        "select oc_id, name, slug, title, version, is_public from ocs
         where owner_id = $1 and (is_public or $3) order by is_public, oc_id desc limit $2",
        row.user_id,
        SHOWN,
        is_me
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(Person {
        is_me,
        username: row.username,
        display_name: row.display_name,
        bio: row.bio,
        avatar_url: avatar_url(row.avatar_key.as_ref()),
        joined: row.created_at.into(),
        oc_total: row.oc_total,
        ocs: ocs
            .into_iter()
            .map(|o| PersonOc {
                url: format!("/c/{}", o.slug),
                portrait_url: portrait_url(OcId(o.oc_id), o.version),
                name: o.name,
                title: o.title,
                is_public: o.is_public,
            })
            .collect(),
    })
}

/// An account as its owner's programs see it.
///
/// # Errors
/// `NotFound` for an unknown account.
pub async fn account_of(ctx: &Ctx, id: Uuid) -> AppResult<crate::accounts::routes::Account> {
    let mut tx = ctx.app.db.begin(crate::ids::UserId(id)).await?;
    let row = sqlx::query!(
        r#"select p.username, p.display_name, p.bio, p.avatar_key, u.email, u.timezone, u.created_at,
               (select max(case r.role when 'admin' then 2 else 1 end) from user_roles r where r.user_id = u.user_id) as role
           from users u join profiles p using (user_id) where u.user_id = $1"#,
        id
    )
    .fetch_one(&mut *tx)
    .await?;
    Ok(crate::accounts::routes::Account {
        id: crate::ids::UserId(id),
        url: format!("/u/{}", row.username),
        username: row.username,
        display_name: row.display_name,
        bio: row.bio,
        email: row.email,
        role: crate::accounts::Role::from_rank(row.role),
        timezone: row.timezone,
        avatar_url: avatar_url(row.avatar_key.as_ref()),
        created_at: row.created_at.into(),
        recovery_codes: Vec::new(),
    })
}
