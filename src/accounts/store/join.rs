//! Joining: a stranger's new account, or a guest's row that becomes one.

use super::{
    entry::{Entered, enter, entered, timezone},
    guests::add_guest,
    recovery,
};
use crate::{
    accounts::{
        doors::{Doors, Joining},
        forms::SignUpForm,
    },
    error::{AppError, AppResult, OnConstraint},
    ids::UserId,
    server::{
        Ctx, Tx,
        limits::{self, Action},
        passwords, session,
    },
};
use chrono::{NaiveDate, Utc};

/// Somebody who has just joined.
#[derive(Debug)]
pub struct Joined {
    /// Who, and what their browser keeps.
    pub entered: Entered,
    /// Ten recovery codes, told this once.
    pub codes: Vec<String>,
}

/// Everything that is wrong with a form, field by field; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub Vec<AppError>);

impl From<AppError> for Refused {
    fn from(error: AppError) -> Self {
        Self(vec![error])
    }
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        Self(vec![error.into()])
    }
}

impl From<Refused> for AppError {
    /// The first, for answers that carry one.
    fn from(refused: Refused) -> Self {
        refused.0.into_iter().next().unwrap_or(Self::Internal)
    }
}

/// Makes an account and signs its device in. A guest's row becomes the account, with its talks.
///
/// # Errors
/// All fields that are wrong at once; `Forbidden` where nobody may join; `TooMany`.
pub async fn sign_up(ctx: &Ctx, form: SignUpForm) -> Result<Joined, Refused> {
    limits::take_address(&ctx.app, Action::SignUpTry, &ctx.info).await?;
    let mut tx = ctx.app.db.system().await?;
    let doors = super::doors(&mut tx).await?;
    let (form, mut faults) = form.check(doors.minimum_age, Utc::now().date_naive());
    faults.extend(taken(&mut tx, &form, &faults).await?);
    if doors.joining != Joining::Open {
        faults.extend(uninvited(&mut tx, &doors, &form.invite).await?);
    }
    drop(tx);
    // Whoever learns that an address has an account pays as if they had joined: there are not many such answers.
    if faults.iter().any(|f| f.field() == "email" && f.status() == 409) {
        limits::take_address(&ctx.app, Action::SignUp, &ctx.info).await?;
    }
    if !faults.iter().any(|f| f.field() == "password") {
        let judged = passwords::judge("password", &form.password, &form.username, &form.email).await;
        faults.extend(judged.err());
    }
    if !faults.is_empty() {
        return Err(Refused(faults));
    }
    limits::take_address(&ctx.app, Action::SignUp, &ctx.info).await?;
    let hash = passwords::hash(&form.password).await?;

    let mut tx = ctx.app.db.system().await?;
    if doors.joining == Joining::Invited {
        spend_invitation(&mut tx, &form.invite).await?;
    }
    let guest = ctx.info.viewer.as_ref().filter(|v| v.is_guest).map(|v| v.id);
    let id = match guest {
        Some(id) => id,
        None => add_guest(&mut tx, ctx).await?,
    };
    become_person(&mut tx, id, ctx, &form, &hash).await?;
    let birth: Option<NaiveDate> = form.birth_date.trim().parse().ok();
    super::keep_birth_date(&mut tx, id, birth).await?;
    let codes = recovery::make_codes(&mut tx, id).await?;
    let token = enter(ctx, &mut tx, id, "sign_up").await?;
    tx.commit().await?;
    Ok(Joined { entered: entered(ctx, id, token), codes })
}

/// Turns a guest's row into an account.
async fn become_person(tx: &mut Tx, id: UserId, ctx: &Ctx, form: &SignUpForm, hash: &str) -> AppResult<()> {
    let done = sqlx::query!(
        "update users set kind = 'person', email = $2, password_hash = $3, timezone = $4, theme_preference = $5,
             terms_accepted_at = now(), created_at = now()
         where user_id = $1 and kind = 'guest'",
        id.0,
        form.email,
        hash,
        timezone(&form.timezone),
        ctx.info.theme.as_str()
    )
    .execute(&mut **tx)
    .await
    .on_constraint("users_email_key", email_taken)?;
    if done.rows_affected() == 0 {
        // Two forms of one guest at once: the first has made the account.
        return Err(AppError::conflict("", "You have an account already. Please sign in."));
    }
    sqlx::query!(
        "update profiles set username = $2, display_name = $3, created_at = now() where user_id = $1",
        id.0,
        form.username,
        form.display_name
    )
    .execute(&mut **tx)
    .await
    .on_constraint("profiles_username_key", username_taken)?;
    Ok(())
}

/// Which of username and address somebody has already; what cannot be one is not looked for.
async fn taken(tx: &mut Tx, form: &SignUpForm, faults: &[AppError]) -> AppResult<Vec<AppError>> {
    let good = |field: &str| !faults.iter().any(|f| f.field() == field);
    let username = if good("username") { form.username.as_str() } else { "" };
    let email = if good("email") { form.email.as_str() } else { "" };
    let found = sqlx::query!(
        r#"select exists (select from profiles where username_key = lower($1)) as "name!",
               exists (select from users where lower(email) = lower($2)) as "email!""#,
        username,
        email
    )
    .fetch_one(&mut **tx)
    .await?;
    let taken = [found.name.then(username_taken), found.email.then(email_taken)];
    Ok(taken.into_iter().flatten().collect())
}

/// Whether a username is free.
///
/// # Errors
/// When the database cannot be reached.
pub async fn is_free(ctx: &Ctx, username: &str) -> AppResult<bool> {
    let mut tx = ctx.app.db.system().await?;
    let free = sqlx::query_scalar!(
        r#"select not exists (select from profiles where username_key = lower($1)) as "free!""#,
        username
    );
    Ok(free.fetch_one(&mut *tx).await?)
}

/// Why somebody may not join, if they may not.
async fn uninvited(tx: &mut Tx, doors: &Doors, invite: &str) -> AppResult<Option<AppError>> {
    if doors.joining == Joining::Closed {
        return Ok(Some(AppError::forbidden("This site is not taking new accounts at the moment.")));
    }
    Ok((!is_invited(tx, invite).await?).then(not_invited))
}

/// Whether an invitation is good.
///
/// # Errors
/// When the database cannot be reached.
pub async fn is_invited(tx: &mut Tx, invite: &str) -> AppResult<bool> {
    let good = sqlx::query_scalar!(
        r#"select exists (select from invitations where token_hash = $1 and uses_left > 0 and expires_at > now()) as "good!""#,
        session::hash_token(invite)
    );
    Ok(good.fetch_one(&mut **tx).await?)
}

async fn spend_invitation(tx: &mut Tx, invite: &str) -> AppResult<()> {
    let spent = sqlx::query!(
        "update invitations set uses_left = uses_left - 1 where token_hash = $1 and uses_left > 0 and expires_at > now()",
        session::hash_token(invite)
    )
    .execute(&mut **tx)
    .await?;
    if spent.rows_affected() == 0 { Err(not_invited()) } else { Ok(()) }
}

fn not_invited() -> AppError {
    AppError::forbidden("You need an invitation to create an account here. Open the whole link that you were given.")
}

/// The answer to a username that somebody has.
#[must_use]
pub fn username_taken() -> AppError {
    AppError::conflict("username", "This username is taken. Choose another.")
}

/// The answer to an address that somebody has.
pub(super) fn email_taken() -> AppError {
    AppError::conflict("email", "There is an account with this e-mail already. Sign in instead?")
}
