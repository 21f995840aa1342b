//! What admins see and set about people: the list, the doors, invitations.

use super::{doors, storage_limits};
use crate::{
    accounts::{
        Invitation, Listed, PeopleList,
        doors::{Doors, KEY},
        forms::{DoorsForm, InviteForm},
        storage::StorageLimit,
    },
    error::{AppError, AppResult},
    ids::UserId,
    server::{
        Ctx, Tx, Viewer, audit, session,
        settings::{self, audit_by},
    },
};
use serde_json::json;
use uuid::Uuid;

/// People on one page of the list; the search finds the others.
const SHOWN: i64 = 50;
/// Invitations that are listed.
const INVITATIONS: i64 = 100;

/// The viewer, who must be an admin.
fn admin(ctx: &Ctx) -> AppResult<&Viewer> {
    let viewer = ctx.require()?;
    viewer.require_admin()?;
    Ok(viewer)
}

/// People with an account whose name, display name or e-mail holds `q`, those who were here last first.
///
/// # Errors
/// `SignInRequired`; `NotFound` for everybody but admins.
pub async fn people(ctx: &Ctx, q: &str) -> AppResult<PeopleList> {
    let viewer = admin(ctx)?;
    let q: String = q.trim().chars().take(100).collect();
    // When somebody was last here stands in a row that only they see.
    let mut tx = ctx.app.db.system().await?;
    let (people, more) = people_listed(&mut tx, &q).await?;
    Ok(PeopleList { people, more, q, fresh: viewer.is_fresh(), made: None })
}

/// The page of [`people`], and whether there are more.
pub(crate) async fn people_listed(tx: &mut Tx, q: &str) -> AppResult<(Vec<Listed>, bool)> {
    let rows = sqlx::query!(
        r#"select p.user_id, p.username, p.display_name, u.email, p.is_active, p.created_at, v.last_active_at,
               (select max(case r.role when 'admin' then 2 else 1 end) from user_roles r where r.user_id = u.user_id) as role
           from users u join profiles p using (user_id) join profile_private v using (user_id)
           where u.kind = 'person' and ($1 = '' or position(lower($1) in p.username_key) > 0
               or position(lower($1) in lower(p.display_name)) > 0 or position(lower($1) in lower(u.email)) > 0)
           order by v.seen_on desc, v.user_id limit $2"#,
        q,
        SHOWN + 1
    )
    .fetch_all(&mut **tx)
    .await?;
    let more = rows.len() > usize::try_from(SHOWN).unwrap_or(usize::MAX);
    let mut rows: Vec<_> = rows.into_iter().take(usize::try_from(SHOWN).unwrap_or(usize::MAX)).collect();
    // The index knows days; within the page it is the moment that counts.
    rows.sort_by_key(|row| std::cmp::Reverse(row.last_active_at));
    let people = rows
        .into_iter()
        .map(|r| Listed {
            id: UserId(r.user_id),
            username: r.username,
            display_name: r.display_name,
            email: r.email,
            role: crate::accounts::Role::from_rank(r.role),
            is_active: r.is_active,
            joined: r.created_at.into(),
            last_seen: r.last_active_at.into(),
        })
        .collect();
    Ok((people, more))
}

/// Suspends somebody, or takes that back: a suspended account is signed out everywhere, its tokens do not work, its page is not there
/// and nobody can sign in to it. Everything in it stays; its characters are drafts from then on. What is being written for them stops.
///
/// # Errors
/// `NotFound` for an unknown account, and for everybody but admins; `ConfirmPassword`; `Conflict` for an admin's.
pub async fn suspend(ctx: &Ctx, id: UserId, lift: bool) -> AppResult<()> {
    let viewer = ctx.require_admin_change()?;
    let mut tx = ctx.app.db.system().await?;
    let row = sqlx::query!(
        r#"update profiles p set is_active = $2 from users u
           where u.user_id = p.user_id and p.user_id = $1 and u.kind = 'person' and u.leaving_at is null
           returning p.username, exists (select from user_roles r where r.user_id = p.user_id and r.role = 'admin') as "is_admin!""#,
        id.0,
        lift
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(AppError::NotFound)?;
    if row.is_admin {
        return Err(AppError::conflict("", "Admins can't be suspended. Take the role away first."));
    }
    let action = if lift { "accounts.reinstate" } else { "accounts.suspend" };
    audit_by(&mut tx, viewer.id, action, &row.username, json!({})).await?;
    if !lift {
        crate::ocs::store::hide_all_of(&mut tx, id).await?;
    }
    tx.commit().await?;
    if !lift {
        for run in super::stop_runs_of(&ctx.app, id).await? {
            ctx.app.runs.stop(run);
        }
    }
    Ok(())
}

/// What is set about who may come in and how much they may store, for an admin's forms, and the invitations that are out.
///
/// # Errors
/// `SignInRequired`; `NotFound` for everybody but admins.
pub async fn doors_page(ctx: &Ctx) -> AppResult<(Doors, Vec<Invitation>, Vec<StorageLimit>, bool)> {
    let viewer = admin(ctx)?;
    let mut tx = ctx.begin().await?;
    let set = doors(&mut tx).await?;
    let rows = sqlx::query!(
        r#"select invitation_id, note, uses_left, expires_at, expires_at > now() and uses_left > 0 as "is_good!"
           from invitations order by created_at desc, invitation_id limit $1"#,
        INVITATIONS
    )
    .fetch_all(&mut *tx)
    .await?;
    let invitations = rows
        .into_iter()
        .map(|r| Invitation {
            id: r.invitation_id.to_string(),
            note: r.note,
            uses_left: u32::try_from(r.uses_left).unwrap_or(0),
            until: r.expires_at.into(),
            is_good: r.is_good,
        })
        .collect();
    Ok((set, invitations, storage_limits(&mut tx).await?, viewer.is_fresh()))
}

/// Sets who may come in.
///
/// # Errors
/// `NotFound` for everybody but admins; `ConfirmPassword`; `Invalid` with the field.
pub async fn save_doors(ctx: &Ctx, form: &DoorsForm) -> AppResult<()> {
    let viewer = ctx.require_admin_change()?;
    let set = form.check()?;
    let mut tx = ctx.begin().await?;
    let before = doors(&mut tx).await?;
    settings::set(&mut tx, viewer.id, "accounts.set", KEY, &before, &set).await?;
    tx.commit().await
}

/// Makes an invitation and gives its link, told this once.
///
/// # Errors
/// As [`save_doors`].
pub async fn invite(ctx: &Ctx, form: &InviteForm) -> AppResult<String> {
    let viewer = ctx.require_admin_change()?;
    let (note, uses, days) = form.check()?;
    let (token, hash) = session::new_token();
    let mut tx = ctx.begin().await?;
    sqlx::query!(
        "insert into invitations (token_hash, note, uses_left, expires_at, created_by)
         values ($1, $2, $3, now() + make_interval(days => $4), $5)",
        hash,
        note,
        uses,
        days,
        viewer.id.0
    )
    .execute(&mut *tx)
    .await?;
    audit(&mut tx, "accounts.invite", &note, json!({ "uses": uses, "days": days })).await?;
    tx.commit().await?;
    Ok(format!("{}/sign-up?invite={token}", ctx.app.config.origin()))
}

/// Takes an invitation back.
///
/// # Errors
/// `NotFound` for an unknown one, and for everybody but admins.
pub async fn revoke_invitation(ctx: &Ctx, id: &str) -> AppResult<()> {
    let viewer = ctx.require_write()?;
    viewer.require_admin()?;
    let id: Uuid = id.trim().parse().map_err(|_| AppError::NotFound)?;
    let mut tx = ctx.begin().await?;
    let note = sqlx::query_scalar!("delete from invitations where invitation_id = $1 returning note", id)
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(AppError::NotFound)?;
    audit(&mut tx, "accounts.uninvite", &note, json!({})).await?;
    tx.commit().await
}
