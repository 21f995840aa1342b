//! Browsers that have been signed in to an account before.
//!
//! Whoever knows somebody's name can spend that account's tries to sign in, from many addresses at once, so that its owner is kept
//! out. A browser in which the owner has signed in before has tries of its own: it shows a cookie that only this server can make. The
//! cookie opens nothing, and the database knows nothing of it.

use super::{config::Config, session::hash_token, vault::Vault};
use crate::ids::UserId;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;

/// What the keys of these cookies are derived for.
const PURPOSE: &str = "soulforge/device/1";
/// Accounts that one browser is remembered with; the oldest goes first.
const MOST: usize = 5;
/// Bytes of a browser's id, and of a proof.
const LENGTH: usize = 16;
/// Seconds for which a browser is remembered.
const YEAR: u32 = 365 * 24 * 3600;

/// Name of the cookie.
#[must_use]
pub fn cookie_name(config: &Config) -> &'static str {
    if config.secure() { "__Host-sf-device" } else { "sf_device" }
}

/// `Set-Cookie` value that keeps `value` in the browser.
#[must_use]
pub fn cookie(config: &Config, value: &str) -> String {
    let secure = if config.secure() { "; Secure" } else { "" };
    format!("{}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={YEAR}{secure}", cookie_name(config))
}

/// What a browser is called where its tries are counted, if its cookie proves that it has been signed in to this account. The cookie
/// itself cannot be made of it.
#[must_use]
pub fn known(vault: &Vault, cookie: &str, user: UserId) -> Option<String> {
    let (id, proofs) = parts(cookie)?;
    let expected = proofs_of(vault, id, user);
    let is_known = proofs
        .iter()
        .filter_map(|p| URL_SAFE_NO_PAD.decode(p).ok())
        .any(|proof| expected.iter().any(|e| bool::from(e.as_slice().ct_eq(&proof))));
    is_known.then(|| hash_token(id).iter().take(12).map(|byte| format!("{byte:02x}")).collect())
}

/// The cookie's value after this browser has been signed in to an account.
#[must_use]
pub fn remember(vault: &Vault, cookie: &str, user: UserId) -> String {
    let fresh = URL_SAFE_NO_PAD.encode(rand::random::<[u8; LENGTH]>());
    let (id, before) = parts(cookie).unwrap_or((&fresh, Vec::new()));
    let ours: Vec<String> = proofs_of(vault, id, user).iter().map(|p| URL_SAFE_NO_PAD.encode(p)).collect();
    let others = before.into_iter().filter(|p| !ours.iter().any(|o| o == p));
    let proofs = ours.iter().take(1).map(String::as_str).chain(others).take(MOST);
    std::iter::once(id).chain(proofs).collect::<Vec<_>>().join(".")
}

/// A browser's id and its proofs, if the cookie has the form of one.
fn parts(cookie: &str) -> Option<(&str, Vec<&str>)> {
    let mut parts = cookie.split('.');
    let is_word = |part: &&str| URL_SAFE_NO_PAD.decode(part).is_ok_and(|bytes| bytes.len() == LENGTH);
    let id = parts.next().filter(is_word)?;
    Some((id, parts.filter(is_word).take(MOST).collect()))
}

/// What proves it, under each master key, the current one first.
fn proofs_of(vault: &Vault, id: &str, user: UserId) -> Vec<Vec<u8>> {
    let message = format!("{id}/{user}");
    vault.derive(PURPOSE).iter().map(|key| key.mac(message.as_bytes()).into_iter().take(LENGTH).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_known_to_the_accounts_it_was_signed_in_to() {
        let folder = std::env::temp_dir().join(format!("sf-device-{}", uuid::Uuid::now_v7().simple()));
        let vault = Vault::open(&folder, None).unwrap();
        let users: Vec<UserId> = (0..7).map(|_| UserId::new()).collect();
        let mut cookie = String::new();
        for user in &users {
            assert_eq!(known(&vault, &cookie, *user), None);
            cookie = remember(&vault, &cookie, *user);
            assert!(known(&vault, &cookie, *user).is_some());
            assert_eq!(remember(&vault, &cookie, *user), cookie, "once more says nothing new");
        }
        assert_eq!(known(&vault, &cookie, users[0]), None, "the oldest of many is forgotten");
        assert_eq!(known(&vault, &cookie, users[6]), known(&vault, &cookie, users[2]), "one browser, one id");
        // Neither another browser's id nor anything made up helps.
        let (id, proof) = cookie.split_once('.').unwrap();
        let other = remember(&vault, "", users[0]);
        let mixed = format!("{}.{proof}", other.split('.').next().unwrap());
        for forged in ["", "a.b", &mixed, id, &format!("{id}.{}", URL_SAFE_NO_PAD.encode([0; LENGTH]))] {
            assert_eq!(known(&vault, forged, users[6]), None, "{forged}");
        }
        // A rotated master key forgets nobody.
        vault.renew().unwrap();
        assert!(known(&vault, &cookie, users[6]).is_some());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
