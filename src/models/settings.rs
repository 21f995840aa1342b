//! What admins set for the whole site: one row of `system_config` per key.

use crate::ids::ModelId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Everything that is set about models.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Answers in conversations without a choice of their own.
    pub chat_model: Option<ModelId>,
    /// Writes summons.
    pub summon_model: Option<ModelId>,
    /// Asked one after the other when a model cannot answer.
    pub fallbacks: Vec<ModelId>,
    /// Whether people may use keys of their own.
    pub own_keys: bool,
    /// Hosts (`host` or `host:port`) that providers may have although they are inside the network.
    pub local_hosts: Vec<String>,
    /// Tokens a person may use on one day.
    pub budgets: Budgets,
    /// Whether the model of this machine counts against the budget.
    pub count_local: bool,
    /// Name of the file that the model of this machine is read from; `None` is the one that the process was started with.
    pub local_file: Option<String>,
}

/// What a person has grown into; kept in `profiles.tier`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// Newcomers.
    Explorer,
    /// Creators.
    Creator,
    /// Realm builders.
    RealmBuilder,
}

impl Tier {
    /// From the database.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word {
            "creator" => Self::Creator,
            "realm_builder" => Self::RealmBuilder,
            _ => Self::Explorer,
        }
    }
}

/// Tokens per day by tier; `None` is no limit.
///
/// There is one from the beginning: whoever sets a key in the environment and lets strangers join would otherwise pay
/// for whatever they ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budgets {
    /// Of newcomers.
    pub explorer: Option<i64>,
    /// Of creators.
    pub creator: Option<i64>,
    /// Of realm builders.
    pub realm_builder: Option<i64>,
}

impl Default for Budgets {
    fn default() -> Self {
        Self { explorer: Some(200_000), creator: Some(1_000_000), realm_builder: Some(5_000_000) }
    }
}

impl Budgets {
    /// Of one tier.
    #[must_use]
    pub const fn of(&self, tier: Tier) -> Option<i64> {
        match tier {
            Tier::Explorer => self.explorer,
            Tier::Creator => self.creator,
            Tier::RealmBuilder => self.realm_builder,
        }
    }
}

/// Key of the default for conversations.
pub const CHAT: &str = "models.chat";
/// Key of the default for summons.
pub const SUMMON: &str = "models.summon";
/// Key of the fall-back order.
pub const FALLBACKS: &str = "models.fallbacks";
/// Key of the switch for own keys.
pub const OWN_KEYS: &str = "models.own_keys";
/// Key of the listed hosts.
pub const LOCAL_HOSTS: &str = "models.local_hosts";
/// Key of the budgets.
pub const BUDGETS: &str = "models.budgets";
/// Key of the switch that counts the local model.
pub const COUNT_LOCAL: &str = "models.count_local";
/// Key of the file of this machine's model.
pub const LOCAL_FILE: &str = "models.local_file";

impl Settings {
    /// From the rows; what is missing or cannot be read keeps its default.
    #[must_use]
    pub fn from_rows(rows: impl IntoIterator<Item = (String, Value)>) -> Self {
        fn read<T: serde::de::DeserializeOwned>(into: &mut T, key: &str, value: Value) {
            match serde_json::from_value(value) {
                Ok(value) => *into = value,
                Err(error) => tracing::warn!(key, %error, "a setting cannot be read and keeps its default"),
            }
        }
        let mut settings = Self::default();
        for (key, value) in rows {
            match key.as_str() {
                CHAT => read(&mut settings.chat_model, &key, value),
                SUMMON => read(&mut settings.summon_model, &key, value),
                FALLBACKS => read(&mut settings.fallbacks, &key, value),
                OWN_KEYS => read(&mut settings.own_keys, &key, value),
                LOCAL_HOSTS => read(&mut settings.local_hosts, &key, value),
                BUDGETS => read(&mut settings.budgets, &key, value),
                COUNT_LOCAL => read(&mut settings.count_local, &key, value),
                LOCAL_FILE => read(&mut settings.local_file, &key, value),
                _ => {}
            }
        }
        settings
    }

    /// The value under a key, as it is kept.
    #[must_use]
    pub fn value(&self, key: &str) -> Value {
        match key {
            CHAT => json!(self.chat_model),
            SUMMON => json!(self.summon_model),
            FALLBACKS => json!(self.fallbacks),
            OWN_KEYS => json!(self.own_keys),
            LOCAL_HOSTS => json!(self.local_hosts),
            BUDGETS => json!(self.budgets),
            COUNT_LOCAL => json!(self.count_local),
            LOCAL_FILE => json!(self.local_file),
            _ => Value::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again() {
        let settings = Settings {
            chat_model: Some(ModelId(uuid::Uuid::from_u128(7))),
            fallbacks: vec![ModelId(uuid::Uuid::from_u128(8))],
            own_keys: true,
            local_hosts: vec!["ollama:11434".into()],
            budgets: Budgets { explorer: None, ..Budgets::default() },
            count_local: true,
            summon_model: None,
            local_file: Some("m.gguf".into()),
        };
        let keys = [CHAT, SUMMON, FALLBACKS, OWN_KEYS, LOCAL_HOSTS, BUDGETS, COUNT_LOCAL, LOCAL_FILE];
        let rows = keys.map(|key| (key.to_owned(), settings.value(key)));
        assert_eq!(Settings::from_rows(rows), settings);
        let odd = [(OWN_KEYS.to_owned(), json!("perhaps")), ("other".to_owned(), json!(1))];
        assert_eq!(Settings::from_rows(odd), Settings::default());
    }
}
