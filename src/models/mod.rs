//! Models: which of them answers, with whose key, at what price, and within what a person may use.
//!
//! Providers and models are rows that admins write (`store`, pages in `view`); the [`registry`] turns them into what can
//! be asked and agrees with the rows within two seconds on every node. Keys are sealed (`server::vault`) and never come
//! back. The [`meter`] writes every call down and holds people to their daily budgets. What operators set in the
//! environment appears here by itself ([`environment`]).
//!
//! The pages of this room are for few people and are drawn by the server alone: they cost nobody's browser a download,
//! and every form on them is a plain one. Links to them carry `rel="external"`.

#[cfg(feature = "ssr")]
pub mod api;
#[cfg(feature = "ssr")]
pub mod calls;
#[cfg(feature = "ssr")]
pub mod environment;
#[cfg(feature = "ssr")]
pub mod files;
#[cfg(feature = "ssr")]
pub mod forms;
#[cfg(feature = "ssr")]
pub mod gguf;
#[cfg(feature = "ssr")]
pub mod list;
#[cfg(feature = "ssr")]
pub mod meter;
#[cfg(feature = "ssr")]
pub mod metered;
#[cfg(feature = "ssr")]
pub mod money;
pub mod notice;
#[cfg(feature = "ssr")]
pub mod registry;
#[cfg(feature = "ssr")]
pub mod routes;
#[cfg(feature = "ssr")]
pub mod settings;
#[cfg(feature = "ssr")]
pub mod status;
#[cfg(feature = "ssr")]
pub mod store;
#[cfg(feature = "ssr")]
pub mod try_it;
#[cfg(feature = "ssr")]
pub mod view;

use serde::{Deserialize, Serialize};

/// Takes a new master key and wraps every sealed key again under it; gives how many. `forget` throws the old keys away
/// afterwards. Where the keys come from the environment, the new one is there already, before the old one. Safe while the
/// site runs: whoever meets the new key reads the file again.
///
/// # Errors
/// A sentence. Sealed keys are either all as before or all under the new key.
#[cfg(feature = "ssr")]
pub async fn rotate(db: &crate::server::Db, vault: &crate::server::vault::Vault, forget: bool) -> Result<u32, String> {
    if vault.is_file() {
        vault.renew()?;
    }
    let mut tx = db.system().await.map_err(|e| e.to_string())?;
    let count = store::rewrap(&mut tx, vault).await?;
    tx.commit().await.map_err(|e| e.to_string())?;
    if forget && vault.is_file() {
        vault.forget_old()?;
    }
    Ok(count)
}

/// What keeps a model from answering, if anything does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ModelState {
    /// There is none.
    Absent,
    /// Its file is on its way.
    Downloading,
    /// Its file is being read.
    Loading,
    /// Nothing: it answers.
    #[default]
    Ready,
    /// It cannot be used; the admins' page says why.
    Failed,
}

/// How the model that answers stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ModelStatus {
    /// What keeps it from answering.
    pub state: ModelState,
    /// What it is called, for example `Qwen2.5, on this machine`.
    pub name: String,
    /// It runs on this machine.
    pub local: bool,
    /// Bytes of its file that are here, while it is being downloaded.
    pub done: u64,
    /// Bytes of its file; 0 when that is not known.
    pub total: u64,
    /// It is a small one of this machine: short memory, simple answers.
    pub small: bool,
    /// What keeps it from answering, for people; empty when nothing does.
    pub sentence: String,
    /// The asker may choose another file for this machine.
    pub manage: bool,
}

impl ModelStatus {
    /// Megabytes of its file that are here, and all of them, while it is being downloaded.
    #[must_use]
    pub fn download(&self) -> Option<(u32, u32)> {
        let megabytes = |bytes: u64| u32::try_from(bytes / 1_000_000).unwrap_or(u32::MAX);
        (self.state == ModelState::Downloading).then(|| (megabytes(self.done), megabytes(self.total)))
    }
}

/// Which models a conversation can be answered by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choices {
    /// The entry that is chosen; empty is the site's default.
    pub chosen: String,
    /// What is sent, and what is read. Empty when there is nothing to choose.
    pub options: Vec<(String, String)>,
    /// How the one stands that answers now.
    pub status: ModelStatus,
}
