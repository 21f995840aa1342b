//! Who vouches for an archive: whoever has the master key.

use crate::server::vault::Vault;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// What the keys of signatures are derived for.
const PURPOSE: &str = "soulforge/backup/2";

/// As it stands in the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Signature {
    /// Id of the master key.
    key_id: String,
    /// HMAC-SHA256 of the manifest's bytes, in hexadecimal.
    hmac: String,
}

impl Signature {
    /// Of a manifest, with the current master key.
    pub(super) fn of(vault: &Vault, manifest: &[u8]) -> Result<Self, String> {
        let keys = vault.derive(PURPOSE);
        let key = keys.first().ok_or("there is no master key to sign the archive with")?;
        Ok(Self { key_id: key.id.clone(), hmac: hex(&key.mac(manifest)) })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether an archive was written by an installation that has one of our master keys, and its manifest is as it was.
///
/// # Errors
/// A sentence that says why not, and what helps.
pub(super) fn verify(vault: Option<&Vault>, manifest: &[u8], signature: Option<&Signature>) -> Result<(), String> {
    const HELP: &str = "If you know where the archive comes from, say --unsigned. Nothing was changed";
    let signature = signature.ok_or_else(|| format!("the archive is not signed. {HELP}"))?;
    let vault = vault.ok_or_else(|| {
        format!(
            "the archive is signed, and there is no master key here to compare with: put the master.key that belongs to it into \
             the data folder first. {HELP}"
        )
    })?;
    let keys = vault.derive(PURPOSE);
    let key = keys.iter().find(|key| key.id == signature.key_id).ok_or_else(|| {
        format!(
            "the archive is signed with another master key than the one here ({}): put the master.key that belongs to it into \
             the data folder first. {HELP}",
            signature.key_id
        )
    })?;
    if bool::from(hex(&key.mac(manifest)).as_bytes().ct_eq(signature.hmac.as_bytes())) {
        return Ok(());
    }
    Err(format!("the archive was changed after it was signed: do not trust it. {HELP}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_key_and_the_same_manifest_pass() {
        let folder = |name: &str| std::env::temp_dir().join(format!("sf-{name}-{}", uuid::Uuid::now_v7().simple()));
        let (ours, theirs) = (folder("ours"), folder("theirs"));
        let (vault, other) = (Vault::open(&ours, None).unwrap(), Vault::open(&theirs, None).unwrap());
        let signature = Signature::of(&vault, b"{}").unwrap();
        assert_eq!(verify(Some(&vault), b"{}", Some(&signature)), Ok(()));
        let says = |vault: Option<&Vault>, text: &[u8], signature: Option<&Signature>| {
            verify(vault, text, signature).expect_err("refused")
        };
        assert!(says(Some(&vault), b"{ }", Some(&signature)).contains("was changed after"));
        assert!(says(Some(&vault), b"{}", None).contains("is not signed"));
        assert!(says(None, b"{}", Some(&signature)).contains("no master key here"));
        assert!(says(Some(&other), b"{}", Some(&signature)).contains("another master key"));
        // Somebody who writes our key's name under what they made.
        let forged = Signature { key_id: signature.key_id.clone(), ..Signature::of(&other, b"{}").unwrap() };
        assert!(says(Some(&vault), b"{}", Some(&forged)).contains("was changed after"));
        vault.renew().unwrap();
        assert_eq!(verify(Some(&vault), b"{}", Some(&signature)), Ok(()), "an old key of the ring still counts");
        for folder in [ours, theirs] {
            std::fs::remove_dir_all(folder).unwrap();
        }
    }
}
