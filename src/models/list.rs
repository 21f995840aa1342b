//! The list of a provider's models, fetched for the admin who adds one of them, and the part of it that a page shows.

use super::store::{self, Kind, ModelView, Prices, ProviderView};
use crate::{
    ai::remote::{Catalogue, Listed},
    error::{AppError, AppResult},
    ids::{ModelId, ProviderId},
    server::Ctx,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Models that a page shows at a time; the rest is found by a part of its name.
const SHOWN: usize = 50;

/// Fetches a provider's list and keeps it for the page that shows it; gives where.
///
/// # Errors
/// `NotFound` for everybody but admins; `ConfirmPassword`; `Invalid` for providers whose models are not added here; `Unavailable` with what the
/// provider did instead.
pub async fn fetch(ctx: &Ctx, provider: &str) -> AppResult<(ProviderId, Uuid)> {
    let me = ctx.require_admin_change()?.id;
    let provider = store::provider(ctx, provider.trim().parse().map_err(|_| AppError::NotFound)?).await?;
    if provider.source != "admin" {
        return Err(AppError::invalid("", "The models of this provider are not added here."));
    }
    let found = ctx.app.models.models_of(provider.id).await?;
    Ok((provider.id, store::keep_for_page(&ctx.app.db, me, &found).await?))
}

/// A model of the list on the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the list, for choosing it.
    pub at: u32,
    /// As the provider describes it.
    pub model: Listed,
    /// It was added already.
    pub added: Option<ModelId>,
}

/// What a page shows of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Where the list is kept.
    pub id: String,
    /// What was looked for.
    pub find: String,
    /// The first of those that were found.
    pub entries: Vec<Entry>,
    /// How many were found.
    pub found: u32,
    /// How many there are.
    pub all: u32,
    /// The provider has still more.
    pub is_cut: bool,
    /// Entries of it that have no name which could be used.
    pub left_out: u32,
}

impl Shown {
    /// The models of a list whose id or name holds every word of `find`.
    #[must_use]
    pub fn of(list: &Catalogue, id: &str, find: &str, provider: &ProviderView) -> Self {
        let words: Vec<String> = find.split_whitespace().map(str::to_lowercase).collect();
        let holds = |m: &Listed| {
            let text = format!("{} {}", m.id, m.name).to_lowercase();
            words.iter().all(|w| text.contains(w))
        };
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let found: Vec<(usize, &Listed)> = list.models.iter().enumerate().filter(|(_, m)| holds(m)).collect();
        Self {
            id: id.to_owned(),
            find: find.chars().take(100).collect(),
            found: number(found.len()),
            all: number(list.models.len()),
            is_cut: list.is_cut,
            left_out: list.left_out,
            entries: found
                .into_iter()
                .take(SHOWN)
                .map(|(at, model)| Entry {
                    at: number(at),
                    added: provider.models.iter().find(|m| m.remote_name == model.id).map(|m| m.id),
                    model: model.clone(),
                })
                .collect(),
        }
    }
}

/// A model of a list as the form of a new one begins with it.
#[must_use]
pub fn begun(model: &Listed, provider: &ProviderView) -> ModelView {
    let anthropic = provider.kind == Kind::Anthropic;
    let context = model.context.unwrap_or(if anthropic { 200_000 } else { 32_768 });
    // A reply stands in its context: one as long as all of it would leave no room for what it answers.
    let max_output = model.max_output.unwrap_or(4096);
    let max_output = if max_output < context { max_output } else { context / 2 };
    let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    let prices = model.prices.unwrap_or_default();
    ModelView {
        id: ModelId(Uuid::nil()),
        provider_id: provider.id,
        remote_name: model.id.clone(),
        name: model.name.clone(),
        tools: model.tools.unwrap_or(anthropic),
        vision: model.vision.unwrap_or(false),
        thinking: false,
        prompt_cache: anthropic,
        prefill: false,
        context: number(context),
        max_output: number(max_output),
        prices: Prices {
            prompt: prices.prompt,
            cached: prices.cached,
            cache_write: prices.cache_write,
            reply: prices.reply,
        },
        enabled: true,
        sort: 0,
        trouble: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider() -> ProviderView {
        let model = begun(&Listed { id: "b-large".into(), ..Listed::default() }, &empty());
        ProviderView { models: vec![model], ..empty() }
    }

    fn empty() -> ProviderView {
        ProviderView {
            id: ProviderId(Uuid::nil()),
            kind: Kind::OpenAi,
            name: "Acme".into(),
            base_url: String::new(),
            source: "admin".into(),
            has_key: false,
            last_four: String::new(),
            enabled: true,
            health: "unknown".into(),
            health_note: String::new(),
            health_at: None,
            models: Vec::new(),
        }
    }

    #[test]
    fn a_part_of_the_name_finds_models() {
        let named = |id: &str, name: &str| Listed { id: id.into(), name: name.into(), ..Listed::default() };
        let mut list =
            Catalogue { models: vec![named("a-small", "Small"), named("b-large", "Big One")], ..Catalogue::default() };
        let of = |list: &Catalogue, find: &str| {
            let shown = Shown::of(list, "k", find, &provider());
            shown.entries.iter().map(|e| (e.at, e.added.is_some())).collect::<Vec<_>>()
        };
        assert_eq!(of(&list, ""), [(0, false), (1, true)]);
        assert_eq!(of(&list, "LARGE big"), [(1, true)]);
        assert_eq!(of(&list, "small big"), []);
        list.models.extend((0..100).map(|n| named(&format!("c-{n}"), "")));
        let shown = Shown::of(&list, "k", "", &provider());
        assert_eq!((shown.entries.len(), shown.found, shown.all), (50, 102, 102));
    }

    #[test]
    fn a_new_model_begins_with_what_is_known() {
        let told = Listed { context: Some(8192), max_output: Some(8192), tools: Some(true), ..Listed::default() };
        let view = begun(&told, &empty());
        assert_eq!((view.context, view.max_output, view.tools), (8192, 4096, true));
        let view = begun(&Listed::default(), &ProviderView { kind: Kind::Anthropic, ..empty() });
        assert_eq!((view.context, view.max_output, view.tools, view.prompt_cache), (200_000, 4096, true, true));
    }
}
