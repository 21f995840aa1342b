//! Getting back in without the password: recovery codes, and the one-time link that an admin makes for somebody.

use super::entry::{Entered, account_called, enter, entered, note, settle_guest, take_tries};
use crate::{
    accounts::{Made, forms::RecoverForm, rules},
    error::{AppError, AppResult},
    ids::UserId,
    server::{
        AppState, Ctx, Tx,
        limits::{self, Action},
        passwords, session, settings,
    },
};
use sha2::{Digest, Sha256};

/// How many codes somebody has.
pub const CODES: usize = 10;
/// Letters of a code: no I, L, O or U, which pass for others or make words.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Letters of a code, five bits each.
const LENGTH: usize = 16;
/// Hours for which an admin's link is good.
const LINK_HOURS: i32 = 24;

/// A code as it is told: `7KQ2-M9XD-04HT-RRBE`, 80 random bits.
fn new_code() -> String {
    let bytes: [u8; LENGTH] = rand::random();
    let letters = bytes.iter().filter_map(|b| LETTERS.get(usize::from(b % 32)));
    let mut code = String::with_capacity(LENGTH + LENGTH / 4);
    for (n, letter) in letters.enumerate() {
        if n > 0 && n % 4 == 0 {
            code.push('-');
        }
        code.push(char::from(*letter));
    }
    code
}

/// What is kept of a code. Typed in small letters, with spaces, or with letters that look alike, it is the same code.
fn hash_code(typed: &str) -> Vec<u8> {
    let plain: String = typed
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            c => c,
        })
        .collect();
    Sha256::digest(plain.as_bytes()).to_vec()
}

/// Makes ten codes for somebody and forgets the ones before. The only time that they are told.
///
/// # Errors
/// When the database cannot be reached.
pub async fn make_codes(tx: &mut Tx, user: UserId) -> AppResult<Vec<String>> {
    let codes: Vec<String> = std::iter::repeat_with(new_code).take(CODES).collect();
    let hashes: Vec<Vec<u8>> = codes.iter().map(|code| hash_code(code)).collect();
    sqlx::query!("delete from recovery_codes where user_id = $1", user.0).execute(&mut **tx).await?;
    sqlx::query!(
        "insert into recovery_codes (user_id, code_hash) select $1, hash from unnest($2::bytea[]) hash",
        user.0,
        &hashes
    )
    .execute(&mut **tx)
    .await?;
    Ok(codes)
}

/// Makes ten new codes. The password must be fresh.
///
/// # Errors
/// `ConfirmPassword`; `SignInRequired`.
pub async fn renew_codes(ctx: &Ctx) -> AppResult<Vec<String>> {
    let viewer = ctx.require_write()?;
    viewer.require_fresh()?;
    let mut tx = ctx.app.db.system().await?;
    let codes = make_codes(&mut tx, viewer.id).await?;
    note(&mut tx, viewer.id, "new_recovery_codes").await?;
    tx.commit().await?;
    Ok(codes)
}

/// Whether these are codes of the viewer that still work: what a cookie carries may have come from anywhere.
///
/// # Errors
/// `SignInRequired`.
pub async fn are_own_codes(ctx: &Ctx, codes: &[String]) -> AppResult<bool> {
    let viewer = ctx.require()?;
    let hashes: Vec<Vec<u8>> = codes.iter().take(CODES + 1).map(|code| hash_code(code)).collect();
    let mut tx = ctx.app.db.system().await?;
    let own = sqlx::query_scalar!(
        r#"select count(*) as "n!" from recovery_codes where user_id = $1 and code_hash = any($2)"#,
        viewer.id.0,
        &hashes
    )
    .fetch_one(&mut *tx)
    .await?;
    Ok(codes.len() == CODES && usize::try_from(own) == Ok(CODES))
}

/// How many codes somebody has left.
///
/// # Errors
/// `SignInRequired`.
pub async fn codes_left(ctx: &Ctx) -> AppResult<u32> {
    let viewer = ctx.require()?;
    let mut tx = ctx.app.db.system().await?;
    let left = sqlx::query_scalar!(r#"select count(*) as "n!" from recovery_codes where user_id = $1"#, viewer.id.0)
        .fetch_one(&mut *tx)
        .await?;
    Ok(u32::try_from(left).unwrap_or(0))
}

/// Sets a new password with a recovery code, ends every session and API token, and signs this device in. An unknown name
/// and a wrong code get the same answer.
///
/// # Errors
/// `Invalid` with the field; `TooMany`.
pub async fn recover(ctx: &Ctx, form: &RecoverForm) -> AppResult<Entered> {
    let app = &ctx.app;
    limits::take_address(app, Action::SignIn, &ctx.info).await?;
    let login = form.login.trim();
    if login.is_empty() {
        return Err(AppError::invalid("login", "Enter your username or e-mail."));
    }
    if form.code.trim().is_empty() {
        return Err(AppError::invalid("code", "Enter one of your recovery codes."));
    }
    let mut tx = app.db.system().await?;
    let row = sqlx::query!(
        r#"select u.user_id, u.email, p.username, p.is_active,
               exists (select from recovery_codes c where c.user_id = u.user_id and c.code_hash = $2) as "good!"
           from users u join profiles p using (user_id) where u.user_id = $1 and u.kind = 'person'"#,
        account_called(&mut tx, login).await?,
        hash_code(&form.code)
    )
    .fetch_optional(&mut *tx)
    .await?;
    drop(tx);
    take_tries(ctx, row.as_ref().map(|r| UserId(r.user_id)), login).await?;
    let row = row.filter(|r| r.good).ok_or_else(wrong_code)?;
    if !row.is_active {
        return Err(closed());
    }
    // The code is good and is not spent on a password that will not do.
    new_password(&form.password, &row.username, &row.email).await?;
    let hash = passwords::hash(&form.password).await?;
    settle_guest(ctx).await?;
    let id = UserId(row.user_id);
    let mut tx = app.db.system().await?;
    // Two at once with the same code: the row goes to one of them.
    let spent =
        sqlx::query!("delete from recovery_codes where user_id = $1 and code_hash = $2", id.0, hash_code(&form.code))
            .execute(&mut *tx)
            .await?;
    if spent.rows_affected() == 0 {
        return Err(wrong_code());
    }
    let token = set_password(ctx, &mut tx, id, &hash, "recover").await?;
    tx.commit().await?;
    tracing::info!(user.id = %id, "a recovery code was used");
    Ok(entered(ctx, id, token))
}

fn wrong_code() -> AppError {
    AppError::invalid("", "Wrong username or recovery code. Each code works once.")
}

pub(super) fn closed() -> AppError {
    AppError::forbidden("This account is closed. Please write to the people who run this site.")
}

async fn new_password(password: &str, username: &str, email: &str) -> AppResult<()> {
    rules::password("password", password, username, email)?;
    passwords::judge("password", password, username, email).await
}

/// Puts a new password in place; whoever was signed in before is out, and so are their programs.
async fn set_password(ctx: &Ctx, tx: &mut Tx, id: UserId, hash: &str, action: &str) -> AppResult<String> {
    sqlx::query!("update users set password_hash = $2 where user_id = $1", id.0, hash).execute(&mut **tx).await?;
    sqlx::query!("delete from sessions where user_id = $1", id.0).execute(&mut **tx).await?;
    sqlx::query!("delete from api_tokens where user_id = $1", id.0).execute(&mut **tx).await?;
    sqlx::query!("delete from one_time_tokens where user_id = $1 and purpose = 'reset_password'", id.0)
        .execute(&mut **tx)
        .await?;
    enter(ctx, tx, id, action).await
}

/// Makes a one-time link with which somebody sets a new password; an older one of theirs is void. For admins whose
/// password is fresh.
///
/// # Errors
/// `NotFound` for everybody else and for unknown people; `ConfirmPassword`.
pub async fn make_link(ctx: &Ctx, user: UserId) -> AppResult<Made> {
    let viewer = ctx.require_write()?;
    viewer.require_admin()?;
    viewer.require_fresh()?;
    let mut tx = ctx.app.db.system().await?;
    let name = sqlx::query_scalar!(
        "select p.username from profiles p join users u using (user_id) where u.user_id = $1 and u.kind = 'person'",
        user.0
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(AppError::NotFound)?;
    let (token, hash) = session::new_token();
    sqlx::query!("delete from one_time_tokens where user_id = $1 and purpose = 'reset_password'", user.0)
        .execute(&mut *tx)
        .await?;
    sqlx::query!(
        "insert into one_time_tokens (token_hash, purpose, user_id, expires_at)
         values ($1, 'reset_password', $2, now() + make_interval(hours => $3))",
        hash,
        user.0,
        LINK_HOURS
    )
    .execute(&mut *tx)
    .await?;
    settings::audit_by(&mut tx, viewer.id, "accounts.reset_link", &name, serde_json::json!({})).await?;
    note(&mut tx, user, "reset_link_made").await?;
    tx.commit().await?;
    Ok(Made { link: format!("{}/reset/{token}", ctx.app.config.origin()), whom: name })
}

/// Whose link this is, while it is good.
///
/// # Errors
/// `NotFound` for one that was used, replaced or is too old.
pub async fn link_of(app: &AppState, token: &str) -> AppResult<String> {
    let mut tx = app.db.system().await?;
    let name = sqlx::query_scalar!(
        "select p.username from one_time_tokens t join profiles p using (user_id)
         where t.token_hash = $1 and t.purpose = 'reset_password' and t.expires_at > now()",
        session::hash_token(token)
    );
    name.fetch_optional(&mut *tx).await?.ok_or(AppError::NotFound)
}

/// Sets a new password by a one-time link, ends every session and API token, and signs this device in.
///
/// # Errors
/// `NotFound` for a link that is no longer good; `Invalid` with the field; `TooMany`.
pub async fn reset(ctx: &Ctx, token: &str, password: &str) -> AppResult<Entered> {
    limits::take_address(&ctx.app, Action::SignIn, &ctx.info).await?;
    let kept = session::hash_token(token);
    let mut tx = ctx.app.db.system().await?;
    let row = sqlx::query!(
        "select u.user_id, u.email, p.username, p.is_active
         from one_time_tokens t join users u using (user_id) join profiles p using (user_id)
         where t.token_hash = $1 and t.purpose = 'reset_password' and t.expires_at > now()",
        kept
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(AppError::NotFound)?;
    drop(tx);
    if !row.is_active {
        return Err(closed());
    }
    new_password(password, &row.username, &row.email).await?;
    let hash = passwords::hash(password).await?;
    settle_guest(ctx).await?;
    let id = UserId(row.user_id);
    let mut tx = ctx.app.db.system().await?;
    // Two at once: the row goes to one of them.
    let spent = sqlx::query!("delete from one_time_tokens where token_hash = $1", kept).execute(&mut *tx).await?;
    if spent.rows_affected() == 0 {
        return Err(AppError::NotFound);
    }
    let token = set_password(ctx, &mut tx, id, &hash, "reset").await?;
    tx.commit().await?;
    tracing::info!(user.id = %id, "a one-time link was used");
    Ok(entered(ctx, id, token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_people_write_them() {
        let code = new_code();
        assert_eq!(code.len(), 19, "{code}");
        assert_ne!(code, new_code());
        assert!(code.chars().all(|c| c == '-' || LETTERS.contains(&(c as u8))), "{code}");
        let hash = hash_code("0KQ1-M9XD-04HT-RRBE");
        for typed in ["0kq1 m9xd 04ht rrbe", "OKQI-M9XD-O4HT-RRBE", "okql-m9xd-04ht-rrbe\n"] {
            assert_eq!(hash_code(typed), hash, "{typed}");
        }
        assert_ne!(hash_code("0KQ2-M9XD-04HT-RRBE"), hash);
    }
}
