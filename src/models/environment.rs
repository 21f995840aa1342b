//! The quick start: providers and models that the operator named in environment variables.
//!
//! They become rows at each start, so that they can be chosen and priced like all others; their keys stay where they are.
//! A node whose environment does not name them cannot use them, and says so on the admin's page.

use super::store::Kind;
use crate::{
    error::AppResult,
    ids::{ModelId, ProviderId},
    server::{AppState, config::Config},
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Id of the provider that `ANTHROPIC_API_KEY` makes.
pub const ANTHROPIC: ProviderId = ProviderId(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0011));
/// Id of the provider that `OPENAI_API_KEY` or `OPENAI_BASE_URL` makes.
pub const OPENAI: ProviderId = ProviderId(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0012));

/// A provider of the environment.
#[derive(Clone, Debug)]
pub struct EnvProvider {
    /// Always the same, so that all nodes agree.
    pub id: ProviderId,
    /// What it speaks.
    pub kind: Kind,
    /// As people read it.
    pub name: &'static str,
    /// Where it is.
    pub base_url: String,
    /// Its key, if it wants one.
    pub key: Option<SecretString>,
    /// Its models, as it calls them.
    pub models: Vec<String>,
}

/// What the environment names.
#[derive(Clone, Debug, Default)]
pub struct Environment(pub Vec<EnvProvider>);

impl Environment {
    /// From the settings of the process.
    #[must_use]
    pub fn read(config: &Config) -> Self {
        let named = |models: &[String]| -> Vec<String> {
            models.iter().map(|m| m.trim().to_owned()).filter(|m| !m.is_empty()).collect()
        };
        let given = |key: &Option<SecretString>| key.clone().filter(|k| !k.expose_secret().is_empty());
        let mut found = Vec::new();
        if let Some(key) = given(&config.anthropic_api_key) {
            found.push(EnvProvider {
                id: ANTHROPIC,
                kind: Kind::Anthropic,
                name: "Anthropic (environment)",
                base_url: Kind::Anthropic.usual_url().to_owned(),
                key: Some(key),
                models: named(&config.anthropic_model),
            });
        }
        let key = given(&config.openai_api_key);
        let base_url = config.openai_base_url.as_deref().map(str::trim).filter(|u| !u.is_empty());
        if key.is_some() || base_url.is_some() {
            found.push(EnvProvider {
                id: OPENAI,
                kind: Kind::OpenAi,
                name: if base_url.is_some() { "OpenAI-compatible (environment)" } else { "OpenAI (environment)" },
                base_url: base_url.unwrap_or(Kind::OpenAi.usual_url()).to_owned(),
                key,
                models: named(&config.openai_model),
            });
        }
        Self(found)
    }

    /// The provider with this id, if this process has it.
    #[must_use]
    pub fn get(&self, id: ProviderId) -> Option<&EnvProvider> {
        self.0.iter().find(|p| p.id == id)
    }

    /// The first of the named models: what conversations get when no default is set.
    #[must_use]
    pub fn first_model(&self) -> Option<ModelId> {
        self.0.iter().find_map(|p| p.models.first().map(|m| model_id(p.id, m)))
    }
}

/// Id of a model of the environment, the same on all nodes.
#[must_use]
pub fn model_id(provider: ProviderId, name: &str) -> ModelId {
    let digest = Sha256::digest(format!("{provider}/{name}"));
    let mut bytes = [0_u8; 16];
    for (to, from) in bytes.iter_mut().zip(digest) {
        *to = from;
    }
    ModelId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// Writes what the environment names into the tables, where it is missing or different.
///
/// # Errors
/// When the database cannot be reached.
pub async fn write(app: &AppState) -> AppResult<()> {
    let environment = app.models.environment();
    if environment.0.is_empty() {
        return Ok(());
    }
    let mut tx = app.db.system().await?;
    for provider in &environment.0 {
        super::store::write_env_provider(&mut tx, provider).await?;
        tracing::info!(
            provider = provider.name,
            models = provider.models.join(", "),
            "models of the environment are ready to be chosen"
        );
    }
    tx.commit().await?;
    app.models.forget();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_same_everywhere() {
        assert_eq!(model_id(OPENAI, "gpt-5-mini"), model_id(OPENAI, "gpt-5-mini"));
        assert_ne!(model_id(OPENAI, "gpt-5-mini"), model_id(ANTHROPIC, "gpt-5-mini"));
        assert_ne!(model_id(OPENAI, "a"), model_id(OPENAI, "b"));
    }
}
