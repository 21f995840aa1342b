//! Passwords: Argon2id on few threads, so that pages stay fast while people sign in.

use crate::{
    accounts::rules,
    error::{AppError, AppResult},
};
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use std::{
    sync::{LazyLock, OnceLock},
    time::Duration,
};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;

/// Memory of one hash, KiB; with [`PASSES`] the second of OWASP's equivalent settings.
const MEMORY: u32 = 19 * 1024;
/// Passes over the memory.
const PASSES: u32 = 2;
/// Longest wait for a free thread before the answer is "busy".
const PATIENCE: Duration = Duration::from_secs(10);

/// Half of the cores, at least one: the rest serves pages.
static THREADS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(1, |n| (n.get() / 2).max(1))));

fn hasher() -> AppResult<Argon2<'static>> {
    let params = Params::new(MEMORY, PASSES, 1, None).map_err(|error| {
        tracing::error!(%error, "the parameters of Argon2 are wrong");
        AppError::Internal
    })?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// One spelling for one password, however its letters were typed.
fn normal(password: &str) -> String {
    password.nfc().collect()
}

async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> AppResult<T> + Send + 'static) -> AppResult<T> {
    let permit = tokio::time::timeout(PATIENCE, THREADS.acquire()).await;
    let Ok(Ok(_permit)) = permit else {
        return Err(AppError::unavailable("Many people are signing in just now. Please try again in a moment."));
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "hashing a password panicked");
        AppError::Internal
    })?
}

/// The hash to keep, in PHC form with its parameters and salt.
///
/// # Errors
/// `Unavailable` when too many wait.
pub async fn hash(password: &str) -> AppResult<String> {
    let password = normal(password);
    on_thread(move || hash_now(&password)).await
}

/// Whether a new password is hard enough to guess (`rules::hard_to_guess`), judged where passwords are hashed.
///
/// # Errors
/// `Invalid` at `field`; `Unavailable` when too many wait.
pub async fn judge(field: &str, password: &str, username: &str, email: &str) -> AppResult<()> {
    let [field, password, username, email] = [field, password, username, email].map(str::to_owned);
    on_thread(move || rules::hard_to_guess(&field, &password, &username, &email)).await
}

fn hash_now(password: &str) -> AppResult<String> {
    hasher()?.hash_password(password.as_bytes()).map(|h| h.to_string()).map_err(|error| {
        tracing::error!(%error, "a password could not be hashed");
        AppError::Internal
    })
}

/// What comparing a password with its hash gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Not this password.
    Wrong,
    /// Right.
    Right,
    /// Right, and kept with weaker parameters than today's: hash it again.
    RightButOld,
}

/// Compares a password with a kept hash. Without a hash (nobody of that name) it takes the same time and says `Wrong`.
///
/// # Errors
/// `Unavailable` when too many wait.
pub async fn check(password: &str, kept: Option<String>) -> AppResult<Check> {
    let password = normal(password);
    on_thread(move || {
        let Some(kept) = kept else {
            let _ = compare(&password, dummy()?);
            return Ok(Check::Wrong);
        };
        Ok(compare(&password, &kept))
    })
    .await
}

fn compare(password: &str, kept: &str) -> Check {
    let Ok(hash) = PasswordHash::new(kept) else {
        tracing::error!("a kept password hash cannot be read");
        return Check::Wrong;
    };
    let right = hasher().is_ok_and(|h| h.verify_password(password.as_bytes(), &hash).is_ok());
    if !right {
        return Check::Wrong;
    }
    let is_current = Params::try_from(&hash).is_ok_and(|p| p.m_cost() >= MEMORY && p.t_cost() >= PASSES);
    if is_current { Check::Right } else { Check::RightButOld }
}

/// A hash of nobody's password, made once with today's parameters.
fn dummy() -> AppResult<&'static str> {
    static DUMMY: OnceLock<String> = OnceLock::new();
    if let Some(hash) = DUMMY.get() {
        return Ok(hash);
    }
    let (password, _) = super::session::new_token();
    let hash = hash_now(&password)?;
    Ok(DUMMY.get_or_init(|| hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn knows_the_right_one() {
        let kept = hash("violet harbour lantern nine").await.unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert_eq!(check("violet harbour lantern nine", Some(kept.clone())).await.unwrap(), Check::Right);
        assert_eq!(check("violet harbour lantern Nine", Some(kept)).await.unwrap(), Check::Wrong);
        assert_eq!(check("violet harbour lantern nine", None).await.unwrap(), Check::Wrong);
    }

    #[tokio::test]
    async fn letters_typed_in_two_ways_are_the_same() {
        let kept = hash("zo\u{e9} et la lanterne violette").await.unwrap();
        assert_eq!(check("zoe\u{301} et la lanterne violette", Some(kept)).await.unwrap(), Check::Right);
    }

    #[tokio::test]
    async fn long_pass_phrases_count_to_their_end() {
        let long = "ä violet harbour ".repeat(58);
        let kept = hash(&long).await.unwrap();
        assert_eq!(check(&format!("{long}x"), Some(kept)).await.unwrap(), Check::Wrong);
    }

    #[tokio::test]
    async fn weaker_hashes_are_renewed() {
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8 * 1024, 1, 1, None).unwrap());
        let kept = weak.hash_password(b"violet harbour lantern nine").unwrap().to_string();
        assert_eq!(check("violet harbour lantern nine", Some(kept)).await.unwrap(), Check::RightButOld);
    }
}
