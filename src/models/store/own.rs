//! What a person reads and writes about models: the choice for a conversation, keys of their own, what they may choose.

use super::Kind;
use crate::{
    ai::remote::{Outgoing, check_url},
    error::{AppError, AppResult},
    ids::{ConversationId, ModelId, UserId, UserKeyId},
    models::{
        Choices, ModelStatus,
        forms::{self, OwnKeyForm},
        registry::sentence,
    },
    server::{Ctx, Tx},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

/// Before the id of an own key, where one of the choices is sent.
const OWN: &str = "own:";

/// A person's own key as they see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnKey {
    /// Its id.
    pub id: UserKeyId,
    /// What the provider speaks.
    pub kind: Kind,
    /// Where the API is.
    pub base_url: String,
    /// The model that is asked for.
    pub model: String,
    /// Prompt and reply together, in tokens.
    pub context: i32,
    /// The key's last four characters.
    pub last_four: String,
}

/// The page of own keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnKeys {
    /// Admins allow them.
    pub allowed: bool,
    /// Whether the password was typed within the last five minutes.
    pub fresh: bool,
    /// At most one for each protocol.
    pub keys: Vec<OwnKey>,
}

/// A person's own keys.
///
/// # Errors
/// When the database cannot be reached.
pub async fn own_keys(tx: &mut Tx, user: UserId) -> AppResult<Vec<OwnKey>> {
    let rows = sqlx::query!(
        "select user_key_id, kind, base_url, model, context_tokens, key_last_four from user_keys where user_id = $1 order by kind",
        user.0
    );
    Ok(rows
        .fetch_all(&mut **tx)
        .await?
        .into_iter()
        .filter_map(|r| {
            Some(OwnKey {
                id: UserKeyId(r.user_key_id),
                kind: Kind::parse(&r.kind)?,
                base_url: r.base_url,
                model: r.model,
                context: r.context_tokens,
                last_four: r.key_last_four,
            })
        })
        .collect())
}

/// The page of own keys.
///
/// # Errors
/// `SignInRequired`.
pub async fn own_keys_page(ctx: &Ctx) -> AppResult<OwnKeys> {
    let viewer = ctx.require()?;
    let allowed = ctx.app.models.current().await?.settings.own_keys;
    let mut tx = ctx.begin().await?;
    Ok(OwnKeys { allowed, fresh: viewer.is_fresh(), keys: own_keys(&mut tx, viewer.id).await? })
}

/// Adds or changes one's own key. It may lead out of the network only, whatever hosts admins listed for themselves. The password
/// must be fresh, since the address decides who reads one's conversations.
///
/// # Errors
/// `SignInRequired`; `ConfirmPassword`; `Forbidden` when admins do not allow it; `Invalid` with the field.
pub async fn save_own_key(ctx: &Ctx, form: &OwnKeyForm) -> AppResult<()> {
    let viewer = ctx.require_write()?;
    viewer.require_fresh()?;
    let me = viewer.id;
    if !ctx.app.models.current().await?.settings.own_keys {
        return Err(AppError::forbidden("Own keys are not allowed here."));
    }
    let checked = form.check()?;
    let url = check_url(&checked.base_url, &Outgoing::new(Vec::new()))
        .map_err(|e| AppError::invalid("base_url", sentence(&e.to_string())))?;
    let base_url = url.as_str().trim_end_matches('/');
    let mut tx = ctx.begin().await?;
    let before = own_keys(&mut tx, me).await?.into_iter().find(|k| k.kind == checked.kind);
    match (checked.key, before) {
        (None, None) => return Err(AppError::invalid("secret_key", "Please enter the key.")),
        (None, Some(before)) => {
            if Url::parse(&before.base_url).is_ok_and(|b| b.origin() != url.origin()) {
                return Err(AppError::invalid(
                    "secret_key",
                    "The address leads to another host now. Please enter the key for it.",
                ));
            }
            sqlx::query!(
                "update user_keys set base_url = $2, model = $3, context_tokens = $4 where user_key_id = $1",
                before.id.0,
                base_url,
                checked.model,
                checked.context
            )
            .execute(&mut *tx)
            .await?;
        }
        (Some(key), before) => {
            let id = before.map_or_else(UserKeyId::new, |b| b.id);
            let four = forms::last_four(&key);
            let envelope = ctx.app.vault.seal("user_keys", id.0, &SecretString::from(key)).map_err(|error| {
                tracing::error!(%error, "somebody's key could not be sealed");
                AppError::Internal
            })?;
            sqlx::query!(
                "insert into user_keys (user_key_id, user_id, kind, base_url, model, context_tokens, sealed_key, wrapped_key,
                     master_key_id, key_last_four) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                 on conflict (user_key_id) do update set base_url = $4, model = $5, context_tokens = $6, sealed_key = $7,
                     wrapped_key = $8, master_key_id = $9, key_last_four = $10",
                id.0,
                me.0,
                checked.kind.as_str(),
                base_url,
                checked.model,
                checked.context,
                envelope.sealed,
                envelope.wrapped,
                envelope.key_id,
                four
            )
            .execute(&mut *tx)
            .await?;
        }
    }
    tx.commit().await
}

/// Throws one's own key away. Conversations that chose it get the default.
///
/// # Errors
/// `NotFound` for somebody else's.
pub async fn delete_own_key(ctx: &Ctx, id: &str) -> AppResult<()> {
    let me = ctx.require_write()?.id;
    let id: UserKeyId = id.trim().parse().map_err(|_| AppError::NotFound)?;
    let mut tx = ctx.begin().await?;
    let gone = sqlx::query!("delete from user_keys where user_key_id = $1 and user_id = $2", id.0, me.0)
        .execute(&mut *tx)
        .await?;
    if gone.rows_affected() == 0 {
        return Err(AppError::NotFound);
    }
    tx.commit().await
}

/// What a conversation of the asker's may be answered by, and what was chosen; without a conversation, the default.
///
/// # Errors
/// When the database cannot be reached.
pub async fn choices(ctx: &Ctx, tx: &mut Tx, user: UserId, conversation: Option<ConversationId>) -> AppResult<Choices> {
    let loaded = ctx.app.models.current().await?;
    let own = if loaded.settings.own_keys { own_keys(tx, user).await? } else { Vec::new() };
    let usable: Vec<_> = loaded.entries.iter().filter(|e| e.is_usable()).collect();
    // Without asking the database again: this page holds a connection already.
    let status = |chosen: &str| {
        let order = ctx.app.models.first(&loaded, chosen.parse().ok());
        crate::models::status::seen_by(ctx, crate::models::status::of(&order))
    };
    if usable.len() < 2 && own.is_empty() {
        return Ok(Choices { status: status(""), ..Choices::default() });
    }
    let default = ctx.app.models.default_id().await?.and_then(|id| loaded.get(id)).map(|e| e.label());
    let mut options = vec![(String::new(), format!("Default ({})", default.unwrap_or_else(|| "none".to_owned())))];
    options.extend(usable.iter().map(|e| (e.row.id.to_string(), e.label())));
    options.extend(own.iter().map(|k| (format!("{OWN}{}", k.id), format!("{}, by your own key", k.model))));
    let chosen = match conversation {
        None => String::new(),
        Some(id) => {
            let row = sqlx::query!("select model_id, user_key_id from conversations where conversation_id = $1", id.0)
                .fetch_optional(&mut **tx)
                .await?
                .ok_or(AppError::NotFound)?;
            match (row.user_key_id, row.model_id) {
                (Some(key), _) => format!("{OWN}{key}"),
                (None, Some(model)) => model.to_string(),
                (None, None) => String::new(),
            }
        }
    };
    // What was chosen and cannot be had any more is the default again.
    let chosen = if options.iter().any(|(value, _)| *value == chosen) { chosen } else { String::new() };
    let status = match chosen.strip_prefix(OWN) {
        Some(_) => {
            let name = options.iter().find(|(value, _)| *value == chosen).map(|(_, name)| name.clone());
            ModelStatus { name: name.unwrap_or_default(), ..ModelStatus::default() }
        }
        None => status(&chosen),
    };
    Ok(Choices { chosen, options, status })
}

/// Chooses who answers in a conversation: an entry of [`choices`].
///
/// # Errors
/// `NotFound` for somebody else's conversation; `Invalid` on the field `model`.
pub async fn choose(ctx: &Ctx, conversation: ConversationId, value: &str) -> AppResult<()> {
    let me = ctx.require_write()?.id;
    let mut tx = ctx.begin().await?;
    // Before anything is said about the choice: somebody else's conversation is none.
    crate::chat::store::conversation_of(&mut tx, conversation).await?;
    let offered = choices(ctx, &mut tx, me, Some(conversation)).await?;
    let value = value.trim();
    if !value.is_empty() && !offered.options.iter().any(|(v, _)| v == value) {
        return Err(AppError::invalid("model", "This model cannot be chosen any more. Please take another."));
    }
    let (model, key) = match value.strip_prefix(OWN) {
        Some(key) => (None, key.parse::<UserKeyId>().ok()),
        None => (value.parse::<ModelId>().ok(), None),
    };
    let done = sqlx::query!(
        "update conversations set model_id = $2, user_key_id = $3 where conversation_id = $1 and user_id = $4",
        conversation.0,
        model.map(|m| m.0),
        key.map(|k| k.0),
        me.0
    )
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Err(AppError::NotFound);
    }
    tx.commit().await
}
