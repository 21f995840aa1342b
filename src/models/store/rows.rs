//! What the registry reads and writes, as the process itself.

use super::{Kind, Prices};
use crate::{
    error::{AppError, AppResult},
    ids::{ConversationId, ModelId, ProviderId, UserId, UserKeyId},
    models::{
        environment::{EnvProvider, model_id},
        settings::Settings,
    },
    server::{
        Db, Tx,
        vault::{Envelope, Vault},
    },
};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A provider as the registry needs it.
#[derive(Clone)]
pub struct ProviderRow {
    /// Its id.
    pub id: ProviderId,
    /// What it speaks.
    pub kind: Kind,
    /// As people read it.
    pub name: String,
    /// Where it is.
    pub base_url: String,
    /// Its key comes from the environment.
    pub from_environment: bool,
    /// Its sealed key.
    pub key: Option<Envelope>,
    /// It may be used.
    pub enabled: bool,
}

/// A model as the registry needs it.
#[derive(Clone, Debug)]
pub struct ModelRow {
    /// Its id.
    pub id: ModelId,
    /// Whose it is.
    pub provider_id: ProviderId,
    /// What the provider calls it.
    pub remote_name: String,
    /// What people choose by.
    pub name: String,
    /// What it can do.
    pub capabilities: crate::ai::Capabilities,
    /// Prompt and reply together, in tokens.
    pub context: u32,
    /// Longest reply, in tokens.
    pub max_output: u32,
    /// What it costs.
    pub prices: Prices,
    /// It may be chosen.
    pub enabled: bool,
}

/// Everything the registry is made of.
pub struct Rows {
    /// All providers.
    pub providers: Vec<ProviderRow>,
    /// All models in the order of lists.
    pub models: Vec<ModelRow>,
    /// What is set.
    pub settings: Settings,
}

/// A word that changes with every change of the rows.
///
/// # Errors
/// When the database cannot be reached.
pub async fn mark(db: &Db) -> AppResult<String> {
    let mut tx = db.system().await?;
    // The id of the transaction that wrote a row last: cheap for a few dozen rows, and never late, as times would be.
    let mark = sqlx::query_scalar!(
        r#"select coalesce(string_agg(v.x, ',' order by v.x), '') as "mark!" from (
               select 'p' || provider_id::text || xmin::text as x from providers
               union all select 'm' || model_id::text || xmin::text from models
               union all select 's' || key || xmin::text from system_config where key like 'models.%'
           ) v"#
    );
    Ok(mark.fetch_one(&mut *tx).await?)
}

/// Reads all of it.
///
/// # Errors
/// When the database cannot be reached.
pub async fn rows(db: &Db) -> AppResult<Rows> {
    let mut tx = db.system().await?;
    let providers = sqlx::query!(
        "select provider_id, kind, name, base_url, source, sealed_key, wrapped_key, master_key_id, enabled from providers"
    )
    .fetch_all(&mut *tx)
    .await?;
    let models = sqlx::query!(
        "select model_id, provider_id, remote_name, name, tools, vision, thinking, prompt_cache, prefill, context_tokens,
             max_output_tokens, prompt_price, cached_price, cache_write_price, reply_price, enabled
         from models order by sort, name, model_id"
    )
    .fetch_all(&mut *tx)
    .await?;
    let config = sqlx::query!("select key, value from system_config where key like 'models.%'");
    let config = config.fetch_all(&mut *tx).await?;
    let number = |n: i32| u32::try_from(n).unwrap_or(0);
    Ok(Rows {
        providers: providers
            .into_iter()
            .filter_map(|r| {
                Some(ProviderRow {
                    id: ProviderId(r.provider_id),
                    kind: Kind::parse(&r.kind)?,
                    name: r.name,
                    base_url: r.base_url,
                    from_environment: r.source == "environment",
                    key: envelope(r.sealed_key, r.wrapped_key, r.master_key_id),
                    enabled: r.enabled,
                })
            })
            .collect(),
        models: models
            .into_iter()
            .map(|r| ModelRow {
                id: ModelId(r.model_id),
                provider_id: ProviderId(r.provider_id),
                remote_name: r.remote_name,
                name: r.name,
                capabilities: crate::ai::Capabilities {
                    tools: r.tools,
                    vision: r.vision,
                    thinking: r.thinking,
                    prompt_cache: r.prompt_cache,
                    prefill: r.prefill,
                },
                context: number(r.context_tokens),
                max_output: number(r.max_output_tokens),
                prices: Prices {
                    prompt: r.prompt_price,
                    cached: r.cached_price,
                    cache_write: r.cache_write_price,
                    reply: r.reply_price,
                },
                enabled: r.enabled,
            })
            .collect(),
        settings: Settings::from_rows(config.into_iter().map(|r| (r.key, r.value))),
    })
}

fn envelope(sealed: Option<Vec<u8>>, wrapped: Option<Vec<u8>>, key_id: Option<String>) -> Option<Envelope> {
    Some(Envelope { sealed: sealed?, wrapped: wrapped?, key_id: key_id? })
}

/// A person's own key, with what it opens.
pub struct OwnKeyRow {
    /// Its id.
    pub id: UserKeyId,
    /// What the provider speaks.
    pub kind: Kind,
    /// Where it is.
    pub base_url: String,
    /// The model that is asked for.
    pub model: String,
    /// Prompt and reply together, in tokens.
    pub context: u32,
    /// The sealed key.
    pub key: Envelope,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

/// What a person chose for a conversation.
#[derive(Default)]
pub struct Choice {
    /// A model of the site.
    pub model: Option<ModelId>,
    /// A key of their own.
    pub own: Option<OwnKeyRow>,
}

/// The choice that holds in a conversation of this person's; nothing chosen for somebody else's.
///
/// # Errors
/// When the database cannot be reached.
pub async fn choice(db: &Db, user: UserId, conversation: ConversationId) -> AppResult<Choice> {
    let mut tx = db.system().await?;
    // A key of somebody else's is none: the person who chose must be the one whose it is.
    let row = sqlx::query!(
        r#"select c.model_id, k.user_key_id as "user_key_id?", k.kind as "kind?", k.base_url as "base_url?", k.model as "model?",
               k.context_tokens as "context_tokens?", k.sealed_key as "sealed_key?", k.wrapped_key as "wrapped_key?",
               k.master_key_id as "master_key_id?", k.updated_at as "updated_at?"
           from conversations c left join user_keys k on k.user_key_id = c.user_key_id and k.user_id = c.user_id
           where c.conversation_id = $1 and c.user_id = $2"#,
        conversation.0,
        user.0
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(r) = row else { return Ok(Choice::default()) };
    let own = || {
        Some(OwnKeyRow {
            id: UserKeyId(r.user_key_id?),
            kind: Kind::parse(&r.kind?)?,
            base_url: r.base_url?,
            model: r.model?,
            context: u32::try_from(r.context_tokens?).ok()?,
            key: envelope(r.sealed_key, r.wrapped_key, r.master_key_id)?,
            updated_at: r.updated_at?,
        })
    };
    Ok(Choice { model: r.model_id.map(ModelId), own: own() })
}

/// Writes a provider of the environment and its models, where they are missing or have moved.
///
/// # Errors
/// When the database cannot be reached.
pub async fn write_env_provider(tx: &mut Tx, provider: &EnvProvider) -> AppResult<()> {
    sqlx::query!(
        "insert into providers (provider_id, kind, name, base_url, source) values ($1, $2, $3, $4, 'environment')
         on conflict (provider_id) do update set base_url = excluded.base_url, name = excluded.name
         where providers.base_url <> excluded.base_url or providers.name <> excluded.name",
        provider.id.0,
        provider.kind.as_str(),
        provider.name,
        provider.base_url
    )
    .execute(&mut **tx)
    .await?;
    let anthropic = provider.kind == Kind::Anthropic;
    for name in &provider.models {
        sqlx::query!(
            "insert into models (model_id, provider_id, remote_name, name, tools, prompt_cache, context_tokens, max_output_tokens)
             values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing",
            model_id(provider.id, name).0,
            provider.id.0,
            name,
            name.chars().take(80).collect::<String>(),
            anthropic,
            anthropic,
            if anthropic { 200_000 } else { 32_768 },
            if anthropic { 8192 } else { 4096 }
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Notes how a provider does; at most once a minute while nothing changes.
///
/// # Errors
/// When the database cannot be reached.
pub async fn note_health(db: &Db, provider: ProviderId, trouble: Option<&str>) -> AppResult<()> {
    let health = if trouble.is_some() { "failing" } else { "well" };
    let note: String = trouble.unwrap_or_default().chars().take(300).collect();
    let mut tx = db.system().await?;
    sqlx::query!(
        "update providers set health = $2, health_note = $3, health_at = now()
         where provider_id = $1 and (health <> $2 or health_note <> $3 or health_at < now() - interval '1 minute')",
        provider.0,
        health,
        note
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

/// Wraps every sealed key again under the current master key; gives how many were.
///
/// # Errors
/// When the database cannot be reached, or with a sentence about a row that does not open; nothing has changed then.
pub async fn rewrap(tx: &mut Tx, vault: &Vault) -> Result<u32, String> {
    let failed = |e: sqlx::Error| AppError::from(e).to_string();
    let mut done = 0;
    let rows = sqlx::query!(
        r#"select provider_id, sealed_key as "sealed_key!", wrapped_key as "wrapped_key!", master_key_id as "master_key_id!"
           from providers where sealed_key is not null for update"#
    );
    let rows = rows.fetch_all(&mut **tx).await.map_err(failed)?.into_iter();
    let keys = rows
        .map(|r| (r.provider_id, Envelope { sealed: r.sealed_key, wrapped: r.wrapped_key, key_id: r.master_key_id }));
    for (id, again) in wrapped_again(vault, "providers", keys)? {
        sqlx::query!(
            "update providers set wrapped_key = $2, master_key_id = $3 where provider_id = $1",
            id,
            again.wrapped,
            again.key_id
        )
        .execute(&mut **tx)
        .await
        .map_err(failed)?;
        done += 1;
    }
    let rows = sqlx::query!("select user_key_id, sealed_key, wrapped_key, master_key_id from user_keys for update");
    let rows = rows.fetch_all(&mut **tx).await.map_err(failed)?.into_iter();
    let keys = rows
        .map(|r| (r.user_key_id, Envelope { sealed: r.sealed_key, wrapped: r.wrapped_key, key_id: r.master_key_id }));
    for (id, again) in wrapped_again(vault, "user_keys", keys)? {
        sqlx::query!(
            "update user_keys set wrapped_key = $2, master_key_id = $3 where user_key_id = $1",
            id,
            again.wrapped,
            again.key_id
        )
        .execute(&mut **tx)
        .await
        .map_err(failed)?;
        done += 1;
    }
    Ok(done)
}

/// The keys of a table that another master key wraps, under the current one.
fn wrapped_again(
    vault: &Vault,
    table: &str,
    keys: impl Iterator<Item = (Uuid, Envelope)>,
) -> Result<Vec<(Uuid, Envelope)>, String> {
    let mut out = Vec::new();
    for (id, key) in keys {
        let again = vault.rewrap(table, id, &key).map_err(|e| format!("{table} {id}: {e}"))?;
        out.extend(again.map(|again| (id, again)));
    }
    Ok(out)
}
