//! What admins and people type into the forms of this room, and how it is checked.

use super::{
    settings::Budgets,
    store::{Kind, Prices},
};
use crate::{
    error::{AppError, AppResult},
    ids::ModelId,
    text::clean_line,
};
use serde::{Deserialize, Serialize};

/// Most hosts that may be listed.
const HOSTS_MAX: usize = 50;
/// Longest key that is taken, in characters.
const KEY_MAX: usize = 1000;

/// A provider, new or changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProviderForm {
    /// Empty for a new one.
    pub id: String,
    /// `anthropic` or `openai`.
    pub kind: String,
    /// As people read it.
    pub name: String,
    /// Where its API is.
    pub base_url: String,
    /// Its key; empty keeps the one there is.
    pub secret_key: String,
    /// `true` throws the key away.
    pub forget_key: bool,
    /// It may be used.
    pub enabled: bool,
}

/// A provider as it may be kept, but for its address, which the way out judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedProvider {
    /// What it speaks.
    pub kind: Kind,
    /// As people read it.
    pub name: String,
    /// Where its API is.
    pub base_url: String,
    /// A new key.
    pub key: Option<String>,
}

impl ProviderForm {
    /// # Errors
    /// `Invalid` at the field.
    pub fn check(&self) -> AppResult<CheckedProvider> {
        let kind = Kind::parse(&self.kind).filter(|k| *k != Kind::Local);
        Ok(CheckedProvider {
            kind: kind.ok_or_else(|| AppError::invalid("kind", "Please choose what the provider speaks."))?,
            name: clean_line("name", &self.name, 1, 60)?,
            base_url: clean_line("base_url", &self.base_url, 1, 500)?,
            key: check_key(&self.secret_key)?,
        })
    }
}

/// A key as it may be sealed; `None` when nothing was typed. What was typed is in no message.
fn check_key(text: &str) -> AppResult<Option<String>> {
    let key = text.trim();
    if key.is_empty() {
        return Ok(None);
    }
    if key.chars().count() > KEY_MAX || !key.chars().all(|c| c.is_ascii_graphic()) {
        return Err(AppError::invalid(
            "secret_key",
            "This is not a key: keys are letters, digits and signs without blanks.",
        ));
    }
    Ok(Some(key.to_owned()))
}

/// The last four characters of a key, when it is long enough that they give nothing away.
#[must_use]
pub fn last_four(key: &str) -> String {
    let count = key.chars().count();
    if count < 12 { String::new() } else { key.chars().skip(count - 4).collect() }
}

/// A model, new or changed. Numbers come as they were typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelForm {
    /// Empty for a new one.
    pub id: String,
    /// Whose it is; only for a new one.
    pub provider: String,
    /// What the provider calls it.
    pub remote_name: String,
    /// What people choose by; empty takes the provider's name for it.
    pub name: String,
    /// It can use tools.
    pub tools: bool,
    /// It can see pictures.
    pub vision: bool,
    /// It thinks before it speaks.
    pub thinking: bool,
    /// What it has read can be kept, if it is marked.
    pub prompt_cache: bool,
    /// It goes on from words put into its mouth.
    pub prefill: bool,
    /// Prompt and reply together, in tokens.
    pub context_tokens: String,
    /// Longest reply, in tokens.
    pub max_output_tokens: String,
    /// US dollars per million tokens read.
    pub prompt_price: String,
    /// The same for tokens read before.
    pub cached_price: String,
    /// The same for tokens that are kept for the next time.
    pub cache_write_price: String,
    /// The same for tokens written.
    pub reply_price: String,
    /// It may be chosen.
    pub enabled: bool,
    /// Place in lists, the smallest first.
    pub sort: String,
}

/// A model as it may be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedModel {
    /// What the provider calls it.
    pub remote_name: String,
    /// What people choose by.
    pub name: String,
    /// Prompt and reply together, in tokens.
    pub context: i32,
    /// Longest reply, in tokens.
    pub max_output: i32,
    /// What it costs.
    pub prices: Prices,
    /// Place in lists.
    pub sort: i32,
}

impl ModelForm {
    /// # Errors
    /// `Invalid` at the field.
    pub fn check(&self) -> AppResult<CheckedModel> {
        let remote_name = clean_line("remote_name", &self.remote_name, 1, 200)?;
        let name = clean_line("name", &self.name, 0, 80)?;
        let context = number("context_tokens", &self.context_tokens, 512, 10_000_000)?;
        let max_output = number("max_output_tokens", &self.max_output_tokens, 16, 1_000_000)?;
        if max_output >= context {
            return Err(AppError::invalid(
                "max_output_tokens",
                "A reply must be shorter than the context it stands in.",
            ));
        }
        Ok(CheckedModel {
            name: if name.is_empty() { remote_name.chars().take(80).collect() } else { name },
            remote_name,
            context: i32::try_from(context).unwrap_or(i32::MAX),
            max_output: i32::try_from(max_output).unwrap_or(i32::MAX),
            prices: Prices {
                prompt: price("prompt_price", &self.prompt_price)?,
                cached: price("cached_price", &self.cached_price)?,
                cache_write: price("cache_write_price", &self.cache_write_price)?,
                reply: price("reply_price", &self.reply_price)?,
            },
            sort: match self.sort.trim() {
                "" => 0,
                text => i32::try_from(number("sort", text, 0, 10_000)?).unwrap_or(0),
            },
        })
    }
}

fn number(field: &str, text: &str, least: i64, most: i64) -> AppResult<i64> {
    let digits: String = text.trim().chars().filter(|c| !matches!(c, ',' | '_' | ' ' | '\u{a0}')).collect();
    let found = digits.parse::<i64>().ok().filter(|n| (least..=most).contains(n));
    found.ok_or_else(|| AppError::invalid(field, format!("Please give a whole number from {least} to {most}.")))
}

/// US dollars per million tokens, in millionths. Up to six places are exact, since no binary fraction is involved.
fn price(field: &str, text: &str) -> AppResult<i64> {
    let wrong = || AppError::invalid(field, "Please give a price such as 3 or 0.25, in US dollars per million tokens.");
    let text = text.trim().trim_start_matches('$').trim();
    if text.is_empty() {
        return Ok(0);
    }
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |t: &str| t.chars().all(|c| c.is_ascii_digit());
    if whole.is_empty() && part.is_empty() || !is_number(whole) || !is_number(part) || whole.len() > 6 || part.len() > 6
    {
        return Err(wrong());
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| wrong())? };
    let part: i64 = format!("{part:0<6}").parse().map_err(|_| wrong())?;
    Ok(whole * 1_000_000 + part)
}

/// A price as it is typed: `3`, `0.25`.
#[must_use]
pub fn shown_price(micros: i64) -> String {
    let (whole, part) = (micros / 1_000_000, micros % 1_000_000);
    if part == 0 {
        return whole.to_string();
    }
    let part = format!("{part:06}");
    format!("{whole}.{}", part.trim_end_matches('0'))
}

/// Which models answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DefaultsForm {
    /// In conversations without a choice; empty leaves it to the environment or this machine.
    pub chat_model: String,
    /// In summons; empty is this machine.
    pub summon_model: String,
    /// Asked when the model before cannot answer.
    pub fallback_1: String,
    /// Asked after that.
    pub fallback_2: String,
    /// Asked after that.
    pub fallback_3: String,
}

/// Which models answer, as it may be kept if they exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// In conversations without a choice.
    pub chat: Option<ModelId>,
    /// In summons.
    pub summon: Option<ModelId>,
    /// In this order.
    pub fallbacks: Vec<ModelId>,
}

impl DefaultsForm {
    /// # Errors
    /// `Invalid` at the field.
    pub fn check(&self) -> AppResult<Defaults> {
        let read = |field: &str, text: &str| match text.trim() {
            "" => Ok(None),
            text => text
                .parse::<ModelId>()
                .map(Some)
                .map_err(|_| AppError::invalid(field, "Please choose a model from the list.")),
        };
        let mut fallbacks: Vec<ModelId> = Vec::new();
        for (field, text) in
            [("fallback_1", &self.fallback_1), ("fallback_2", &self.fallback_2), ("fallback_3", &self.fallback_3)]
        {
            if let Some(id) = read(field, text)?.filter(|id| !fallbacks.contains(id)) {
                fallbacks.push(id);
            }
        }
        Ok(Defaults {
            chat: read("chat_model", &self.chat_model)?,
            summon: read("summon_model", &self.summon_model)?,
            fallbacks,
        })
    }
}

/// Tokens per day by tier; empty is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BudgetsForm {
    /// Of newcomers.
    pub explorer: String,
    /// Of creators.
    pub creator: String,
    /// Of realm builders.
    pub realm_builder: String,
    /// `yes` counts the model of this machine, too.
    pub count_local: String,
}

impl BudgetsForm {
    /// # Errors
    /// `Invalid` at the field.
    pub fn check(&self) -> AppResult<(Budgets, bool)> {
        let read = |field: &str, text: &str| match text.trim() {
            "" => Ok(None),
            text => number(field, text, 0, 1_000_000_000_000).map(Some),
        };
        let budgets = Budgets {
            explorer: read("explorer", &self.explorer)?,
            creator: read("creator", &self.creator)?,
            realm_builder: read("realm_builder", &self.realm_builder)?,
        };
        Ok((budgets, self.count_local == "yes"))
    }
}

/// What people and admins may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReachForm {
    /// `yes` lets people use keys of their own.
    pub own_keys: String,
    /// Hosts inside the network that providers may have, one per line.
    pub local_hosts: String,
}

impl ReachForm {
    /// # Errors
    /// `Invalid` at the field.
    pub fn check(&self) -> AppResult<(bool, Vec<String>)> {
        let mut hosts: Vec<String> = Vec::new();
        for line in self.local_hosts.split(['\n', ',', ' ', '\r']).map(str::trim).filter(|l| !l.is_empty()) {
            let host = host(line).ok_or_else(|| {
                AppError::invalid(
                    "local_hosts",
                    format!(
                        "“{}” is not a host such as localhost, 127.0.0.1:11434 or ollama.lan.",
                        line.chars().take(60).collect::<String>()
                    ),
                )
            })?;
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        if hosts.len() > HOSTS_MAX {
            return Err(AppError::invalid("local_hosts", format!("Please list at most {HOSTS_MAX} hosts.")));
        }
        Ok((self.own_keys == "yes", hosts))
    }
}

/// A host with or without a port, as addresses write it; `None` for anything else, an address with a path included.
fn host(text: &str) -> Option<String> {
    let url = url::Url::parse(&format!("http://{text}")).ok()?;
    let plain = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && !text.contains(['/', '@', '?', '#', '\\']);
    let host = url.host_str().filter(|h| plain && !h.is_empty())?;
    // Port 80 is http's own, which addresses leave out.
    let port = url.port().or_else(|| text.ends_with(":80").then_some(80));
    Some(port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// A person's own key, new or changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OwnKeyForm {
    /// `anthropic` or `openai`.
    pub kind: String,
    /// Where the API is; empty is the usual place.
    pub base_url: String,
    /// The model that is asked for.
    pub model: String,
    /// Prompt and reply together, in tokens; empty is a careful guess.
    pub context_tokens: String,
    /// The key; empty keeps the one there is.
    pub secret_key: String,
}

/// A person's own key as it may be kept, but for its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedOwnKey {
    /// What the provider speaks.
    pub kind: Kind,
    /// Where the API is.
    pub base_url: String,
    /// The model that is asked for.
    pub model: String,
    /// Prompt and reply together, in tokens.
    pub context: i32,
    /// A new key.
    pub key: Option<String>,
}

impl OwnKeyForm {
    /// # Errors
    /// `Invalid` at the field.
    pub fn check(&self) -> AppResult<CheckedOwnKey> {
        let kind = Kind::parse(&self.kind).filter(|k| *k != Kind::Local);
        let kind = kind.ok_or_else(|| AppError::invalid("kind", "Please choose what the provider speaks."))?;
        let base_url = clean_line("base_url", &self.base_url, 0, 500)?;
        let context = match self.context_tokens.trim() {
            "" if kind == Kind::Anthropic => 200_000,
            "" => 32_768,
            text => number("context_tokens", text, 512, 10_000_000)?,
        };
        Ok(CheckedOwnKey {
            base_url: if base_url.is_empty() { kind.usual_url().to_owned() } else { base_url },
            model: clean_line("model", &self.model, 1, 200)?,
            context: i32::try_from(context).unwrap_or(i32::MAX),
            key: check_key(&self.secret_key)?,
            kind,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact() {
        for (text, micros) in
            [("3", 3_000_000), ("0.25", 250_000), ("$ 15.00", 15_000_000), (".1", 100_000), ("", 0), ("0.000001", 1)]
        {
            assert_eq!(price("p", text).ok(), Some(micros), "{text}");
        }
        for text in ["-1", "1e3", "free", ".", "1.0000001", "1,5", "9999999"] {
            assert_eq!(price("p", text).err().map(|e| e.field().to_owned()).as_deref(), Some("p"), "{text}");
        }
        for micros in [0, 1, 250_000, 3_000_000, 15_100_000] {
            assert_eq!(price("p", &shown_price(micros)).ok(), Some(micros));
        }
    }

    #[test]
    fn hosts_and_nothing_else() {
        for (text, expected) in [
            ("localhost", "localhost"),
            ("127.0.0.1:11434", "127.0.0.1:11434"),
            ("Ollama.LAN", "ollama.lan"),
            ("[::1]:8080", "[::1]:8080"),
            ("proxy:80", "proxy:80"),
        ] {
            assert_eq!(host(text).as_deref(), Some(expected));
        }
        for text in ["http://localhost", "localhost/v1", "a@b", "a b", "host:99999", "?x", "#", ""] {
            assert_eq!(host(text), None, "{text}");
        }
        let form = ReachForm { own_keys: "yes".into(), local_hosts: "localhost\r\n\r\nlocalhost, ollama:11434".into() };
        assert_eq!(form.check().ok(), Some((true, vec!["localhost".to_owned(), "ollama:11434".to_owned()])));
    }

    #[test]
    fn keys_are_checked_without_being_repeated() {
        assert_eq!(check_key("  ").ok(), Some(None));
        assert_eq!(check_key(" sk-abc ").ok(), Some(Some("sk-abc".to_owned())));
        for bad in ["sk abc secret", "schlüssel"] {
            let error = check_key(bad).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(!error.is_empty() && !error.contains("secret") && !error.contains("schl"), "{error}");
        }
        assert_eq!(last_four("sk-0123456789"), "6789");
        assert_eq!(last_four("short"), "");
    }

    #[test]
    fn models_are_checked() {
        let good = ModelForm {
            remote_name: "m".into(),
            context_tokens: "32,768".into(),
            max_output_tokens: "4096".into(),
            ..ModelForm::default()
        };
        let checked = good.check().ok();
        assert_eq!(checked.map(|c| (c.name, c.context)), Some(("m".to_owned(), 32_768)));
        for (form, field) in [
            (ModelForm { remote_name: String::new(), ..good.clone() }, "remote_name"),
            (ModelForm { context_tokens: "many".into(), ..good.clone() }, "context_tokens"),
            (ModelForm { max_output_tokens: "32768".into(), ..good.clone() }, "max_output_tokens"),
            (ModelForm { reply_price: "x".into(), ..good.clone() }, "reply_price"),
            (ModelForm { sort: "-1".into(), ..good.clone() }, "sort"),
        ] {
            assert_eq!(form.check().err().map(|e| e.field().to_owned()).as_deref(), Some(field));
        }
    }

    #[test]
    fn budgets_and_defaults() {
        let form = BudgetsForm {
            explorer: "200,000".into(),
            creator: String::new(),
            realm_builder: "0".into(),
            ..BudgetsForm::default()
        };
        let expected = Budgets { explorer: Some(200_000), creator: None, realm_builder: Some(0) };
        assert_eq!(form.check().ok(), Some((expected, false)));
        assert!(BudgetsForm { creator: "-5".into(), ..BudgetsForm::default() }.check().is_err());
        let id = ModelId(uuid::Uuid::from_u128(5));
        let form = DefaultsForm { fallback_1: id.to_string(), fallback_3: id.to_string(), ..DefaultsForm::default() };
        assert_eq!(form.check().map(|d| d.fallbacks).ok(), Some(vec![id]));
        assert!(DefaultsForm { chat_model: "x".into(), ..DefaultsForm::default() }.check().is_err());
    }
}
