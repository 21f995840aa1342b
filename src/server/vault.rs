//! Secrets at rest: envelopes that the database keeps and cannot open.
//!
//! Each secret is encrypted with XChaCha20-Poly1305 under a data key of its own, and the data key under a master key that
//! lies outside the database: `master.key` in the data folder (mode 0600, made at the first start), or
//! `SOULFORGE_MASTER_KEY`. Both encryptions are bound to the place of the secret (table and row), so an envelope that is
//! copied to another row does not open. Rotating means a new master key in front of the ring and the data keys wrapped
//! again under it; the secrets themselves are not touched.

use base64::{Engine, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    Key, XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};
use std::{
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};
use uuid::Uuid;

/// File of the master keys in the data folder, one base64 key per line, the current one first.
pub const FILE: &str = "master.key";
const NONCE: usize = 24;
const KEY: usize = 32;

/// A secret as the database keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Nonce and ciphertext of the secret.
    pub sealed: Vec<u8>,
    /// Nonce and ciphertext of the data key.
    pub wrapped: Vec<u8>,
    /// Which master key opens the data key.
    pub key_id: String,
}

/// Why an envelope did not open. Says nothing about what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The master key that sealed it is not in the ring.
    #[error("the master key that this was sealed with is not here")]
    UnknownKey,
    /// It was changed, or belongs to another row.
    #[error("this was not sealed for this place, or it was changed")]
    Broken,
}

struct Master {
    id: String,
    key: SecretBox<[u8; KEY]>,
}

impl Master {
    fn new(key: [u8; KEY]) -> Self {
        let digest = Sha256::digest(key);
        let id = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
        Self { id, key: SecretBox::new(Box::new(key)) }
    }

    /// A key for something else than sealing, which says nothing about this one.
    fn derive(&self, purpose: &str) -> Derived {
        let key = mac(self.key.expose_secret(), purpose.as_bytes());
        Derived { id: self.id.clone(), key: SecretBox::new(Box::new(key)) }
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.key.expose_secret()))
    }
}

/// A key that was made of a master key for one purpose.
pub struct Derived {
    /// Which master key it was made of.
    pub id: String,
    key: SecretBox<[u8; KEY]>,
}

impl Derived {
    /// HMAC-SHA256 of a message under this key.
    #[must_use]
    pub fn mac(&self, message: &[u8]) -> [u8; KEY] {
        mac(self.key.expose_secret(), message)
    }
}

/// HMAC-SHA256 (RFC 2104).
fn mac(key: &[u8; KEY], message: &[u8]) -> [u8; KEY] {
    // Any length of key will do, so this cannot fail; without a key there is no code that anybody could make.
    let Ok(mut mac) = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key) else { return rand::random() };
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// The ring of master keys.
pub struct Vault {
    ring: RwLock<Vec<Master>>,
    /// `None` when the keys come from the environment.
    file: Option<PathBuf>,
}

impl Vault {
    /// Takes the keys from `given` (base64, separated by commas, the current one first), or from the data folder, where a
    /// key is made at the first start.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the key or its file.
    pub fn open(data: &Path, given: Option<&SecretString>) -> Result<Self, String> {
        if let Some(given) = given.filter(|g| !g.expose_secret().trim().is_empty()) {
            let ring = read_ring(given.expose_secret(), ',')
                .ok_or("SOULFORGE_MASTER_KEY must be 32 bytes in base64 (or several, separated by commas)")?;
            return Ok(Self { ring: RwLock::new(ring), file: None });
        }
        let file = data.join(FILE);
        if !file.exists() {
            std::fs::create_dir_all(data)
                .map_err(|e| format!("the data folder {} cannot be made: {e}", data.display()))?;
            match make_file(&file, &[rand::random()]) {
                // Another process of the same folder was faster; its key is the one.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                made => made.map_err(|e| format!("the master key {} cannot be written: {e}", file.display()))?,
            }
        }
        let ring = read_file(&file)?;
        Ok(Self { ring: RwLock::new(ring), file: Some(file) })
    }

    /// As [`Vault::open`], but makes no key: `None` where there is none yet.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub fn find(data: &Path, given: Option<&SecretString>) -> Result<Option<Self>, String> {
        let is_given = given.is_some_and(|g| !g.expose_secret().trim().is_empty());
        if is_given || data.join(FILE).exists() { Self::open(data, given).map(Some) } else { Ok(None) }
    }

    /// Keys for another purpose, one for each master key, the current one first. The same purpose gives the same keys.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Vec<Derived> {
        self.with(|ring| ring.iter().map(|master| master.derive(purpose)).collect())
    }

    /// Id of the key that new envelopes are sealed with.
    #[must_use]
    pub fn current_id(&self) -> String {
        self.with(|ring| ring.first().map(|m| m.id.clone())).unwrap_or_default()
    }

    /// Whether the keys are in a file that [`Vault::renew`] can write.
    #[must_use]
    pub const fn is_file(&self) -> bool {
        self.file.is_some()
    }

    /// Seals a secret for one row of one table.
    ///
    /// # Errors
    /// `UnknownKey` when the ring is empty, which it never is after [`Vault::open`].
    pub fn seal(&self, table: &str, row: Uuid, secret: &SecretString) -> Result<Envelope, VaultError> {
        // Somebody may have rotated the file; what is sealed under a key that is about to go would be lost.
        self.read_again();
        let data_key: [u8; KEY] = rand::random();
        let place = place(table, row);
        let sealed = encrypt(&XChaCha20Poly1305::new(&Key::from(data_key)), secret.expose_secret().as_bytes(), &place)?;
        self.wrap(&data_key, &place, sealed)
    }

    /// Opens an envelope of this row.
    ///
    /// # Errors
    /// `UnknownKey` or `Broken`.
    pub fn open_envelope(&self, table: &str, row: Uuid, envelope: &Envelope) -> Result<SecretString, VaultError> {
        let place = place(table, row);
        let data_key = self.unwrap_key(envelope, &place)?;
        let plain = decrypt(&XChaCha20Poly1305::new(&Key::from(data_key)), &envelope.sealed, &place)?;
        String::from_utf8(plain).map(SecretString::from).map_err(|_| VaultError::Broken)
    }

    /// The same secret under the current master key. Gives `None` when it already is.
    ///
    /// # Errors
    /// `UnknownKey` or `Broken`.
    pub fn rewrap(&self, table: &str, row: Uuid, envelope: &Envelope) -> Result<Option<Envelope>, VaultError> {
        if envelope.key_id == self.current_id() {
            return Ok(None);
        }
        let place = place(table, row);
        let data_key = self.unwrap_key(envelope, &place)?;
        self.wrap(&data_key, &place, envelope.sealed.clone()).map(Some)
    }

    /// Puts a new key in front of the ring, in the file and here; the old ones stay until [`Vault::forget_old`].
    ///
    /// # Errors
    /// A sentence, when the keys come from the environment or the file cannot be written.
    pub fn renew(&self) -> Result<(), String> {
        self.write(|keys| keys.insert(0, rand::random()))
    }

    /// Throws away all keys but the current one.
    ///
    /// # Errors
    /// As [`Vault::renew`].
    pub fn forget_old(&self) -> Result<(), String> {
        self.write(|keys| keys.truncate(1))
    }

    fn write(&self, change: impl FnOnce(&mut Vec<[u8; KEY]>)) -> Result<(), String> {
        let file = self.file.as_ref().ok_or("the master key comes from SOULFORGE_MASTER_KEY; change it there")?;
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        let mut keys: Vec<[u8; KEY]> = read_file(file)?.iter().map(|m| *m.key.expose_secret()).collect();
        change(&mut keys);
        let beside = file.with_extension(format!("new-{}", Uuid::new_v4().simple()));
        make_file(&beside, &keys)
            .and_then(|()| std::fs::rename(&beside, file))
            .map_err(|e| format!("the master key {} cannot be written: {e}", file.display()))?;
        *ring = keys.into_iter().map(Master::new).collect();
        Ok(())
    }

    fn wrap(&self, data_key: &[u8; KEY], place: &str, sealed: Vec<u8>) -> Result<Envelope, VaultError> {
        self.with(|ring| {
            let master = ring.first().ok_or(VaultError::UnknownKey)?;
            let wrapped = encrypt(&master.cipher(), data_key, &format!("{place}/{}", master.id))?;
            Ok(Envelope { sealed, wrapped, key_id: master.id.clone() })
        })
    }

    fn unwrap_key(&self, envelope: &Envelope, place: &str) -> Result<[u8; KEY], VaultError> {
        let place = format!("{place}/{}", envelope.key_id);
        let find = |ring: &[Master]| {
            ring.iter().find(|m| m.id == envelope.key_id).map(|m| decrypt(&m.cipher(), &envelope.wrapped, &place))
        };
        let opened = match self.with(find) {
            Some(opened) => opened,
            None => {
                // Somebody may have rotated the file since it was read.
                self.read_again();
                self.with(find).ok_or(VaultError::UnknownKey)?
            }
        }?;
        opened.try_into().map_err(|_| VaultError::Broken)
    }

    fn read_again(&self) {
        if let Some(file) = &self.file
            && let Ok(fresh) = read_file(file)
        {
            *self.ring.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
    }

    fn with<T>(&self, f: impl FnOnce(&[Master]) -> T) -> T {
        f(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What both encryptions are bound to.
fn place(table: &str, row: Uuid) -> String {
    format!("soulforge/1/{table}/{row}")
}

fn encrypt(cipher: &XChaCha20Poly1305, plain: &[u8], place: &str) -> Result<Vec<u8>, VaultError> {
    let nonce: [u8; NONCE] = rand::random();
    let text = cipher
        .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: place.as_bytes() })
        .map_err(|_| VaultError::Broken)?;
    Ok([nonce.as_slice(), &text].concat())
}

fn decrypt(cipher: &XChaCha20Poly1305, sealed: &[u8], place: &str) -> Result<Vec<u8>, VaultError> {
    let (nonce, text) = sealed.split_first_chunk::<NONCE>().ok_or(VaultError::Broken)?;
    cipher.decrypt(&XNonce::from(*nonce), Payload { msg: text, aad: place.as_bytes() }).map_err(|_| VaultError::Broken)
}

fn read_ring(text: &str, separator: char) -> Option<Vec<Master>> {
    let keys = text.split(separator).map(str::trim).filter(|line| !line.is_empty());
    let ring: Option<Vec<Master>> =
        keys.map(|line| STANDARD.decode(line).ok()?.try_into().ok().map(Master::new)).collect();
    ring.filter(|r| !r.is_empty())
}

fn read_file(file: &Path) -> Result<Vec<Master>, String> {
    let text =
        std::fs::read_to_string(file).map_err(|e| format!("the master key {} cannot be read: {e}", file.display()))?;
    read_ring(&text, '\n').ok_or_else(|| {
        format!("the master key {} is damaged; without it sealed keys must be entered again", file.display())
    })
}

/// A new file that only its owner may read.
fn make_file(file: &Path, keys: &[[u8; KEY]]) -> std::io::Result<()> {
    let mut out = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    for key in keys {
        writeln!(out, "{}", STANDARD.encode(key))?;
    }
    out.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            Self(std::env::temp_dir().join(format!("sf-vault-{}", Uuid::now_v7().simple())))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn secret() -> SecretString {
        SecretString::from("sk-test-violet-harbour")
    }

    #[test]
    fn what_is_sealed_opens_in_its_own_place_only() {
        let folder = Folder::new();
        let vault = Vault::open(&folder.0, None).unwrap();
        let (a, b) = (Uuid::now_v7(), Uuid::now_v7());
        let envelope = vault.seal("providers", a, &secret()).unwrap();
        assert_eq!(vault.open_envelope("providers", a, &envelope).unwrap().expose_secret(), "sk-test-violet-harbour");
        for (table, row) in [("providers", b), ("user_keys", a)] {
            assert_eq!(vault.open_envelope(table, row, &envelope).err(), Some(VaultError::Broken));
        }
        // Parts of two envelopes do not make a third.
        let other = vault.seal("providers", b, &secret()).unwrap();
        let mixed = Envelope { wrapped: other.wrapped, ..envelope.clone() };
        assert_eq!(vault.open_envelope("providers", a, &mixed).err(), Some(VaultError::Broken));
        for part in 0..envelope.sealed.len() {
            let mut changed = envelope.clone();
            changed.sealed[part] ^= 1;
            assert!(vault.open_envelope("providers", a, &changed).is_err(), "byte {part}");
        }
        let bytes = [envelope.sealed, envelope.wrapped].concat();
        assert!(!String::from_utf8_lossy(&bytes).contains("violet"));
    }

    #[test]
    fn the_file_is_for_its_owner_and_stays() {
        let folder = Folder::new();
        let first = Vault::open(&folder.0, None).unwrap();
        let mode = std::fs::metadata(folder.0.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let row = Uuid::now_v7();
        let envelope = first.seal("providers", row, &secret()).unwrap();
        let again = Vault::open(&folder.0, None).unwrap();
        assert!(again.open_envelope("providers", row, &envelope).is_ok());
        std::fs::write(folder.0.join(FILE), "not base64 !").unwrap();
        assert!(Vault::open(&folder.0, None).is_err_and(|e| e.contains("damaged")));
    }

    #[test]
    fn rotation_while_another_process_reads() {
        let folder = Folder::new();
        let (vault, other) = (Vault::open(&folder.0, None).unwrap(), Vault::open(&folder.0, None).unwrap());
        let row = Uuid::now_v7();
        let old = vault.seal("providers", row, &secret()).unwrap();
        assert_eq!(vault.rewrap("providers", row, &old).map(|e| e.is_none()), Ok(true));
        vault.renew().unwrap();
        let new = vault.rewrap("providers", row, &old).unwrap().unwrap();
        assert_ne!(new.key_id, old.key_id);
        assert!(new.sealed == old.sealed && new.wrapped != old.wrapped);
        // The other process meets the new key and reads the file again; both envelopes open until the old key is gone.
        assert!(other.open_envelope("providers", row, &new).is_ok());
        assert!(other.open_envelope("providers", row, &old).is_ok());
        vault.forget_old().unwrap();
        assert_eq!(vault.open_envelope("providers", row, &old).err(), Some(VaultError::UnknownKey));
        assert!(vault.open_envelope("providers", row, &new).is_ok());
    }

    #[test]
    fn codes_follow_the_key_the_purpose_and_the_message() {
        // RFC 4231, case 2, with the key filled up to its block as the standard says.
        let mut key = [0; KEY];
        key[..4].copy_from_slice(b"Jefe");
        let code: String = mac(&key, b"what do ya want for nothing?").iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(code, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let folder = Folder::new();
        assert!(Vault::find(&folder.0, None).unwrap().is_none(), "nothing is made");
        let vault = Vault::open(&folder.0, None).unwrap();
        let again = Vault::find(&folder.0, None).unwrap().unwrap();
        let code = |vault: &Vault, purpose: &str, message: &[u8]| vault.derive(purpose)[0].mac(message);
        assert_eq!(code(&vault, "a", b"m"), code(&again, "a", b"m"));
        assert_ne!(code(&vault, "a", b"m"), code(&vault, "b", b"m"));
        assert_ne!(code(&vault, "a", b"m"), code(&vault, "a", b"n"));
        vault.renew().unwrap();
        assert_eq!(vault.derive("a").len(), 2);
        assert_eq!(vault.derive("a")[1].mac(b"m"), code(&again, "a", b"m"), "an old key still knows its own");
    }

    #[test]
    fn keys_from_the_environment() {
        let folder = Folder::new();
        let (one, two) = (STANDARD.encode([1_u8; 32]), STANDARD.encode([2_u8; 32]));
        let row = Uuid::now_v7();
        let first = Vault::open(&folder.0, Some(&one.clone().into())).unwrap();
        let envelope = first.seal("providers", row, &secret()).unwrap();
        assert!(!folder.0.exists(), "no file is made beside a given key");
        let both = Vault::open(&folder.0, Some(&format!("{two},{one}").into())).unwrap();
        assert!(both.rewrap("providers", row, &envelope).unwrap().is_some());
        assert!(both.renew().is_err());
        let second = Vault::open(&folder.0, Some(&two.into())).unwrap();
        assert_eq!(second.open_envelope("providers", row, &envelope).err(), Some(VaultError::UnknownKey));
        for bad in ["short", "AAAA", "*"] {
            assert!(Vault::open(&folder.0, Some(&bad.into())).is_err());
        }
    }
}
