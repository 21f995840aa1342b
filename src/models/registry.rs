//! Which models there are, and which of them answers.
//!
//! The registry holds what the rows say, ready to be asked. It looks whether they changed at most every two seconds, and
//! only when somebody asks, so that all nodes agree within that time without a connection of their own. Changes made by
//! this process count at once.

use super::{
    environment::Environment,
    files::Library,
    settings::Settings,
    store::{self, Choice, Kind, LOCAL_MODEL, ModelRow, OwnKeyRow, Prices, ProviderRow, Tokens},
};
use crate::{
    ai::{
        Capabilities, ModelError, ModelInfo, SharedModel,
        local::Standing,
        remote::{
            Catalogue, Endpoint, Outgoing, Timeouts, anthropic, anthropic_models, check_url, openai, openai_models,
        },
    },
    error::{AppError, AppResult},
    ids::{ConversationId, ModelId, ProviderId, UserId, UserKeyId},
    server::{Db, vault::Vault},
};
use chrono::{DateTime, Utc};
use dashmap::DashMap;
use secrecy::SecretString;
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};
use url::Url;

/// How long what is known is believed without looking.
const BELIEVED: Duration = Duration::from_secs(2);
/// Own keys whose connections are kept ready.
const OWN_KEPT: usize = 500;
/// How long a provider may take to list its models.
const LIST_PATIENCE: Duration = Duration::from_secs(20);
/// Longest reply that is asked of a model by somebody's own key.
const OWN_MAX_OUTPUT: u32 = 4096;

/// The models of the site; cheap to clone.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    db: Db,
    vault: Arc<Vault>,
    local: SharedModel,
    environment: Environment,
    library: Arc<Library>,
    known: RwLock<Option<(Instant, Arc<Loaded>)>>,
    /// Held while looking, so that one does it for all.
    looking: tokio::sync::Mutex<()>,
    own: DashMap<UserKeyId, (DateTime<Utc>, SharedModel)>,
    health: super::meter::Health,
    calls: super::calls::Calls,
    /// How long providers may be silent.
    patience: Timeouts,
}

/// One model, ready or with a word of why not.
#[derive(Clone)]
pub struct Entry {
    /// Its row.
    pub row: ModelRow,
    /// Its provider's name.
    pub provider: String,
    /// What its provider speaks.
    pub kind: Kind,
    /// It may be asked.
    pub model: Result<SharedModel, String>,
    /// Enabled, and its provider is.
    pub enabled: bool,
}

impl Entry {
    /// It can answer.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.enabled && self.model.is_ok()
    }

    /// What people choose by; the local model calls itself what its file does.
    #[must_use]
    pub fn label(&self) -> String {
        match (&self.model, self.kind) {
            (Ok(model), Kind::Local) => format!("{}, on this machine", family(&model.info())),
            _ => format!("{}, by {}", self.row.name, self.provider),
        }
    }
}

/// The family says who speaks; size and tuning are for the admin's pages.
fn family(info: &ModelInfo) -> String {
    info.name.split('-').next().filter(|n| n.chars().count() > 2).unwrap_or(&info.name).to_owned()
}

/// A state of the rows, ready to be asked.
pub struct Loaded {
    mark: String,
    /// What is set.
    pub settings: Settings,
    /// In the order of lists.
    pub entries: Vec<Entry>,
    outgoing: Outgoing,
}

impl Loaded {
    /// A model by its id.
    #[must_use]
    pub fn get(&self, id: ModelId) -> Option<&Entry> {
        self.entries.iter().find(|e| e.row.id == id)
    }

    fn usable(&self, id: Option<ModelId>) -> Option<&Entry> {
        self.get(id?).filter(|e| e.is_usable())
    }
}

/// A model that may answer, and how its call is written down.
#[derive(Clone)]
pub struct Candidate {
    /// What is asked.
    pub model: SharedModel,
    /// Its row; `None` for somebody's own key.
    pub model_id: Option<ModelId>,
    /// Its provider's row; `None` for somebody's own key.
    pub provider_id: Option<ProviderId>,
    /// Its provider's name.
    pub provider: String,
    /// Its name as kept with replies.
    pub name: String,
    /// What it costs.
    pub prices: Prices,
    /// It is asked with the person's own key.
    pub own_key: bool,
    /// It counts against the person's daily budget.
    pub counted: bool,
}

impl Candidate {
    /// For reading: who answers.
    #[must_use]
    pub fn label(&self) -> String {
        let info = self.model.info();
        match (info.local, self.own_key) {
            (true, _) => format!("{}, on this machine", family(&info)),
            (_, true) => format!("{}, by your own key", self.name),
            _ => format!("{}, by {}", self.name, self.provider),
        }
    }

    /// What so many tokens of it cost, in millionths of a US dollar.
    #[must_use]
    pub fn cost(&self, tokens: &Tokens) -> i64 {
        self.prices.cost(tokens)
    }
}

impl Registry {
    /// Knows nothing yet; the first question reads the rows.
    #[must_use]
    pub fn new(
        db: Db,
        vault: Arc<Vault>,
        local: SharedModel,
        environment: Environment,
        library: Arc<Library>,
        patience: Timeouts,
    ) -> Self {
        Self(Arc::new(Inner {
            db,
            vault,
            local,
            environment,
            library,
            known: RwLock::new(None),
            looking: tokio::sync::Mutex::new(()),
            own: DashMap::new(),
            health: super::meter::Health::default(),
            calls: super::calls::Calls::default(),
            patience,
        }))
    }

    /// The calls that are under way.
    #[must_use]
    pub fn calls(&self) -> &super::calls::Calls {
        &self.0.calls
    }

    /// What the operator named in the environment of this process.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.0.environment
    }

    /// How providers did last.
    #[must_use]
    pub fn health(&self) -> &super::meter::Health {
        &self.0.health
    }

    /// Looks again at the next question: something was changed here.
    pub fn forget(&self) {
        if let Some((at, _)) = self.0.known.write().unwrap_or_else(PoisonError::into_inner).as_mut() {
            *at = Instant::now().checked_sub(BELIEVED).unwrap_or(*at);
        }
    }

    fn known(&self) -> Option<(Instant, Arc<Loaded>)> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fresh(&self) -> Option<Arc<Loaded>> {
        self.known().filter(|(at, _)| at.elapsed() < BELIEVED).map(|(_, loaded)| loaded)
    }

    /// What the rows say, at most two seconds old. While the database is away, what was known last.
    ///
    /// # Errors
    /// When nothing is known yet and the database cannot be reached.
    pub async fn current(&self) -> AppResult<Arc<Loaded>> {
        if let Some(loaded) = self.fresh() {
            return Ok(loaded);
        }
        let _one = self.0.looking.lock().await;
        if let Some(loaded) = self.fresh() {
            return Ok(loaded);
        }
        let before = self.known().map(|(_, loaded)| loaded);
        let loaded = match (self.look(before.as_ref()).await, before) {
            (Ok(loaded), _) => loaded,
            (Err(error), Some(before)) => {
                tracing::warn!(%error, "the models' rows were not looked at; what was known still holds");
                before
            }
            (Err(error), None) => return Err(error),
        };
        *self.0.known.write().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), Arc::clone(&loaded)));
        Ok(loaded)
    }

    async fn look(&self, before: Option<&Arc<Loaded>>) -> AppResult<Arc<Loaded>> {
        let mark = store::mark(&self.0.db).await?;
        if let Some(before) = before.filter(|b| b.mark == mark) {
            return Ok(Arc::clone(before));
        }
        let rows = store::rows(&self.0.db).await?;
        // What connections have learned about providers (which of them to leave alone for a while) is kept as long as the
        // listed hosts are the same.
        let outgoing = match before.filter(|b| b.settings.local_hosts == rows.settings.local_hosts) {
            Some(before) => before.outgoing.clone(),
            None => Outgoing::new(self.hosts(&rows.settings)),
        };
        let providers: HashMap<ProviderId, (ProviderRow, Result<Door, String>)> =
            rows.providers.into_iter().map(|p| (p.id, (p.clone(), self.door(&p, &outgoing)))).collect();
        let entries = rows
            .models
            .into_iter()
            .filter_map(|row| {
                let (provider, door) = providers.get(&row.provider_id)?;
                Some(Entry {
                    provider: provider.name.clone(),
                    kind: provider.kind,
                    enabled: provider.enabled && row.enabled,
                    model: self.model(provider, door, &row, &outgoing),
                    row,
                })
            })
            .collect();
        self.0.library.apply(&self.0.local, rows.settings.local_file.as_deref());
        Ok(Arc::new(Loaded { mark, settings: rows.settings, entries, outgoing }))
    }

    /// Hosts inside the network that may be reached: those that admins listed, and those that the operator named.
    fn hosts(&self, settings: &Settings) -> Vec<String> {
        let named = self.0.environment.0.iter().filter_map(|p| {
            let url = Url::parse(&p.base_url).ok()?;
            let host = url.host_str()?;
            Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
        });
        settings.local_hosts.iter().cloned().chain(named).collect()
    }

    /// The way out to providers, as admins listed hosts: for checking what they type.
    ///
    /// # Errors
    /// As [`Registry::current`].
    pub async fn outgoing(&self) -> AppResult<Outgoing> {
        Ok(self.current().await?.outgoing.clone())
    }

    fn door(&self, provider: &ProviderRow, outgoing: &Outgoing) -> Result<Door, String> {
        if provider.kind == Kind::Local {
            return Ok(Door::Local);
        }
        let key = if provider.from_environment {
            let named = self.0.environment.get(provider.id);
            named.ok_or("The environment of this process does not name it any more.")?.key.clone()
        } else {
            match &provider.key {
                None => None,
                Some(envelope) => Some(
                    self.0
                        .vault
                        .open_envelope("providers", provider.id.0, envelope)
                        .map_err(|e| format!("Its key cannot be opened ({e}). Please enter it again."))?,
                ),
            }
        };
        let base_url = check_url(&provider.base_url, outgoing).map_err(|e| sentence(&e.to_string()))?;
        Ok(Door::Remote { base_url, key })
    }

    fn model(
        &self,
        provider: &ProviderRow,
        door: &Result<Door, String>,
        row: &ModelRow,
        outgoing: &Outgoing,
    ) -> Result<SharedModel, String> {
        let (base_url, key) = match door.as_ref().map_err(Clone::clone)? {
            Door::Local => return Ok(Arc::clone(&self.0.local)),
            Door::Remote { base_url, key } => (base_url.clone(), key.clone()),
        };
        if let Some(named) = self.0.environment.get(provider.id).filter(|_| provider.from_environment)
            && !named.models.contains(&row.remote_name)
        {
            return Err("The environment of this process does not name it any more.".to_owned());
        }
        let endpoint = Endpoint {
            provider: provider.name.clone(),
            base_url,
            key,
            model: row.remote_name.clone(),
            context: row.context,
            max_output: row.max_output,
            capabilities: row.capabilities,
            timeouts: self.0.patience,
        };
        Ok(speak(provider.kind, outgoing, endpoint))
    }

    /// A model as somebody asks it; the engine of this process gives each person a fair share.
    fn candidate(&self, loaded: &Loaded, entry: &Entry, person: Option<UserId>) -> Option<Candidate> {
        let model = entry.model.as_ref().ok()?;
        let seat = person.and_then(|person| Some(model.engine()?.for_person(person.0)));
        let model = seat.as_ref().unwrap_or(model);
        let is_local = entry.kind == Kind::Local;
        let info = model.info();
        Some(Candidate {
            model: Arc::clone(model),
            model_id: Some(entry.row.id),
            provider_id: Some(entry.row.provider_id),
            provider: if is_local { info.provider } else { entry.provider.clone() },
            name: if is_local { info.name } else { entry.row.name.clone() },
            prices: entry.row.prices,
            own_key: false,
            counted: !is_local || loaded.settings.count_local,
        })
    }

    /// The models in the order in which they are asked: the wanted one, or the default, then the fall-backs.
    /// A local model that is still on its way makes nobody wait who can be answered by another.
    fn order(
        &self,
        loaded: &Loaded,
        wanted: Option<ModelId>,
        default: Option<ModelId>,
        person: Option<UserId>,
    ) -> Vec<Candidate> {
        let first = loaded
            .usable(wanted)
            .or_else(|| loaded.usable(default))
            .or_else(|| loaded.usable(Some(LOCAL_MODEL)))
            .or_else(|| loaded.entries.iter().find(|e| e.is_usable()));
        let rest = loaded.settings.fallbacks.iter().filter_map(|id| loaded.usable(Some(*id)));
        let mut ids = Vec::new();
        let mut order = Vec::new();
        for entry in first.into_iter().chain(rest) {
            if !ids.contains(&entry.row.id) {
                ids.push(entry.row.id);
                order.extend(self.candidate(loaded, entry, person));
            }
        }
        if order.len() > 1 {
            let comes =
                |c: &Candidate| c.model.engine().is_some_and(|e| matches!(e.standing(), Standing::Downloading { .. }));
            order.retain(|candidate| !comes(candidate));
        }
        order
    }

    /// What conversations get that chose nothing: what admins set, else what the environment names, else this machine.
    fn chat_default(&self, loaded: &Loaded) -> Option<ModelId> {
        let set = loaded.settings.chat_model.filter(|id| loaded.usable(Some(*id)).is_some());
        set.or_else(|| self.0.environment.first_model())
    }

    /// Who answers in a conversation, in the order in which they are asked.
    ///
    /// Somebody's own key has no fall-backs: what they chose to send to their own provider goes nowhere else.
    ///
    /// # Errors
    /// `Unavailable` when there is no model at all, or when the own key cannot be used.
    pub async fn for_conversation(&self, user: UserId, conversation: ConversationId) -> AppResult<Vec<Candidate>> {
        let loaded = self.current().await?;
        // Nothing to choose from: no need to ask what was chosen.
        let choice = if loaded.settings.own_keys || loaded.entries.len() > 1 {
            store::choice(&self.0.db, user, conversation).await?
        } else {
            Choice::default()
        };
        if let Some(own) = choice.own.filter(|_| loaded.settings.own_keys) {
            return Ok(vec![self.own(&own)?]);
        }
        some(self.order(&loaded, choice.model, self.chat_default(&loaded), Some(user)))
    }

    /// Who would answer first, as far as the rows say; for showing it.
    #[must_use]
    pub fn first(&self, loaded: &Loaded, wanted: Option<ModelId>) -> Vec<Candidate> {
        let mut order = self.order(loaded, wanted, self.chat_default(loaded), None);
        order.truncate(1);
        order
    }

    /// Who answers where nothing was chosen yet.
    ///
    /// # Errors
    /// `Unavailable` when there is no model at all.
    pub async fn for_new_conversation(&self) -> AppResult<Vec<Candidate>> {
        let loaded = self.current().await?;
        some(self.order(&loaded, None, self.chat_default(&loaded), None))
    }

    /// Who writes summons: what admins set, else whoever answers in conversations.
    ///
    /// # Errors
    /// `Unavailable` when there is no model at all.
    pub async fn for_summon(&self) -> AppResult<Vec<Candidate>> {
        let loaded = self.current().await?;
        some(self.order(&loaded, loaded.settings.summon_model, self.chat_default(&loaded), None))
    }

    /// One model for an admin who tries it, enabled or not.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable` with what is wrong with it.
    pub async fn for_trial(&self, id: ModelId) -> AppResult<Candidate> {
        let loaded = self.current().await?;
        let entry = loaded.get(id).ok_or(AppError::NotFound)?;
        let candidate = self.candidate(&loaded, entry, None);
        candidate.ok_or_else(|| AppError::unavailable(entry.model.as_ref().err().cloned().unwrap_or_default()))
    }

    /// The models that a provider says it has, asked with its key, as the rows are now.
    ///
    /// # Errors
    /// `NotFound` for this machine and for what is gone; `Unavailable` with what the provider did instead.
    pub async fn models_of(&self, id: ProviderId) -> AppResult<Catalogue> {
        let outgoing = self.outgoing().await?;
        let rows = store::rows(&self.0.db).await?;
        let provider = rows.providers.iter().find(|p| p.id == id).ok_or(AppError::NotFound)?;
        let Door::Remote { base_url, key } = self.door(provider, &outgoing).map_err(AppError::unavailable)? else {
            return Err(AppError::NotFound);
        };
        let endpoint = Endpoint {
            provider: provider.name.clone(),
            base_url,
            key,
            model: String::new(),
            context: 0,
            max_output: 0,
            capabilities: Capabilities::default(),
            timeouts: Timeouts { total: LIST_PATIENCE, ..Timeouts::default() },
        };
        let found = match provider.kind {
            Kind::Anthropic => anthropic_models(&outgoing, &endpoint).await,
            _ => openai_models(&outgoing, &endpoint).await,
        };
        found.map_err(|error| match (error, endpoint.key.is_some()) {
            (ModelError::Auth { provider }, true) => AppError::unavailable(format!(
                "{provider} does not accept the key. Enter it again on the provider's page."
            )),
            (ModelError::Auth { provider }, false) => {
                AppError::unavailable(format!("{provider} wants a key. Enter one on the provider's page."))
            }
            (error, _) => AppError::unavailable(sentence(&error.to_string())),
        })
    }

    /// Id of the model that conversations get which chose nothing.
    ///
    /// # Errors
    /// As [`Registry::current`].
    pub async fn default_id(&self) -> AppResult<Option<ModelId>> {
        let loaded = self.current().await?;
        Ok(self.order(&loaded, None, self.chat_default(&loaded), None).first().and_then(|c| c.model_id))
    }

    fn own(&self, row: &OwnKeyRow) -> AppResult<Candidate> {
        let kept = self.0.own.get(&row.id).filter(|kept| kept.0 == row.updated_at).map(|kept| Arc::clone(&kept.1));
        let model = match kept {
            Some(model) => model,
            None => {
                let model = self.own_model(row)?;
                if self.0.own.len() >= OWN_KEPT {
                    self.0.own.clear();
                }
                self.0.own.insert(row.id, (row.updated_at, Arc::clone(&model)));
                model
            }
        };
        Ok(Candidate {
            model,
            model_id: None,
            provider_id: None,
            provider: own_provider(&row.base_url),
            name: row.model.clone(),
            prices: Prices::default(),
            own_key: true,
            counted: false,
        })
    }

    fn own_model(&self, row: &OwnKeyRow) -> AppResult<SharedModel> {
        let key = self.0.vault.open_envelope("user_keys", row.id.0, &row.key).map_err(|error| {
            tracing::warn!(key = %row.id, %error, "somebody's own key cannot be opened");
            AppError::unavailable("Your own key cannot be opened any more. Please enter it again in your settings.")
        })?;
        // Hosts that admins listed are for admins: nobody else sends requests into the network. And every key has a way
        // out of its own, so that a broken one makes nobody else wait.
        let outgoing = Outgoing::new(Vec::new());
        let base_url = check_url(&row.base_url, &outgoing)
            .map_err(|e| AppError::unavailable(format!("The address of your own key cannot be used: {e}.")))?;
        let endpoint = Endpoint {
            provider: own_provider(&row.base_url),
            base_url,
            key: Some(key),
            model: row.model.clone(),
            context: row.context,
            max_output: OWN_MAX_OUTPUT.min(row.context / 2),
            capabilities: Capabilities { prompt_cache: row.kind == Kind::Anthropic, ..Capabilities::default() },
            timeouts: self.0.patience,
        };
        Ok(speak(row.kind, &outgoing, endpoint))
    }
}

/// Where requests to a provider go.
enum Door {
    Local,
    Remote { base_url: Url, key: Option<SecretString> },
}

fn speak(kind: Kind, outgoing: &Outgoing, endpoint: Endpoint) -> SharedModel {
    if kind == Kind::Anthropic { anthropic(outgoing, endpoint) } else { openai(outgoing, endpoint) }
}

fn some(candidates: Vec<Candidate>) -> AppResult<Vec<Candidate>> {
    if candidates.is_empty() {
        return Err(AppError::unavailable("No model is set up. Whoever runs this site can add one."));
    }
    Ok(candidates)
}

/// The host of somebody's own provider.
fn own_provider(base_url: &str) -> String {
    Url::parse(base_url).ok().and_then(|u| u.host_str().map(str::to_owned)).unwrap_or_else(|| "own key".to_owned())
}

/// A fault as a sentence.
#[must_use]
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let mut out: String =
        letters.next().map(|c| c.to_uppercase().collect::<String>() + letters.as_str()).unwrap_or_default();
    if !out.is_empty() && !out.ends_with(['.', '!', '?']) {
        out.push('.');
    }
    out
}
