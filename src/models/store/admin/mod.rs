//! What admins read and write. Under their own identity, so that the wall judges, too.

mod catalogue;
mod files;
mod providers;
mod settings;
mod week;

pub use catalogue::*;
pub use files::*;
pub use providers::*;
pub use settings::*;
pub use week::*;

use super::{ModelUse, use_of_all};
use crate::{
    error::AppResult,
    ids::{ModelId, Stamp},
    models::{files::FilesView, registry::Candidate},
    server::{Ctx, Viewer},
};
use serde::{Deserialize, Serialize};

/// What is set, for the forms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsView {
    /// In conversations without a choice.
    pub chat_model: Option<ModelId>,
    /// In summons.
    pub summon_model: Option<ModelId>,
    /// In this order.
    pub fallbacks: Vec<ModelId>,
    /// People may use keys of their own.
    pub own_keys: bool,
    /// Hosts inside the network that providers may have.
    pub local_hosts: Vec<String>,
    /// Tokens per day: newcomers, creators, realm builders.
    pub budgets: [Option<i64>; 3],
    /// The model of this machine counts, too.
    pub count_local: bool,
    /// Who answers now where nothing was chosen.
    pub answers: String,
    /// Who writes summons now.
    pub summons: String,
}

/// Everything on the page about models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelsPage {
    /// This machine first, then by name.
    pub providers: Vec<ProviderView>,
    /// What is set.
    pub settings: SettingsView,
    /// The local model's files.
    pub files: FilesView,
    /// Whether the password was typed within the last five minutes.
    pub fresh: bool,
}

/// The front page of the admin's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// People with an account.
    pub people: i64,
    /// Characters.
    pub ocs: i64,
    /// Replies of the last seven days.
    pub replies: i64,
    /// Use of the last seven days by model.
    pub week: Vec<ModelUse>,
    /// The same by person.
    pub by_person: Vec<PersonUse>,
    /// The same by day.
    pub by_day: Vec<DaySum>,
    /// What failed last.
    pub faults: Vec<Fault>,
    /// What admins did last.
    pub audit: Vec<AuditLine>,
}

/// A line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLine {
    /// When.
    pub at: Stamp,
    /// Who; empty for an account that is gone.
    pub who: String,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
}

/// The viewer, who must be an admin.
///
/// # Errors
/// `SignInRequired`; `NotFound` for everybody else.
pub fn admin(ctx: &Ctx) -> AppResult<&Viewer> {
    let viewer = ctx.require()?;
    viewer.require_admin()?;
    Ok(viewer)
}

/// The front page of the admin's part.
///
/// # Errors
/// As [`admin`].
pub async fn overview(ctx: &Ctx) -> AppResult<Overview> {
    let timezone = admin(ctx)?.timezone.as_str();
    let mut tx = ctx.app.db.system().await?;
    let counts = sqlx::query!(
        r#"select (select count(*) from users where kind = 'person') as "people!", (select count(*) from ocs) as "ocs!",
               (select count(*) from runs where created_at > now() - interval '7 days' and status = 'done') as "replies!""#
    )
    .fetch_one(&mut *tx)
    .await?;
    // The walls are between people and their talks; which model failed there, and why, is for those who run the site.
    let faults = faults(&mut tx).await?;
    drop(tx);
    let mut tx = ctx.begin().await?;
    let (by_person, by_day) = (use_by_person(&mut tx).await?, use_by_day(&mut tx, timezone).await?);
    let week = use_of_all(&mut tx).await?;
    let audit = sqlx::query!(
        r#"select a.created_at, coalesce(p.username, '') as "who!", a.action, a.subject
           from audit_log a left join profiles p on p.user_id = a.actor_id
           order by a.created_at desc, a.audit_id desc limit 20"#
    )
    .fetch_all(&mut *tx)
    .await?;
    let audit = audit
        .into_iter()
        .map(|r| AuditLine { at: r.created_at.into(), who: r.who, action: r.action, subject: r.subject })
        .collect();
    let (people, ocs, replies) = (counts.people, counts.ocs, counts.replies);
    Ok(Overview { people, ocs, replies, week, by_person, by_day, faults, audit })
}

/// Everything on the page about models.
///
/// # Errors
/// As [`admin`].
pub async fn models_page(ctx: &Ctx) -> AppResult<ModelsPage> {
    let viewer = admin(ctx)?;
    let loaded = ctx.app.models.current().await?;
    let mut tx = ctx.begin().await?;
    let providers = providers::providers(ctx, &mut tx).await?;
    drop(tx);
    let first = |found: AppResult<Vec<Candidate>>| match found {
        Ok(order) => order.first().map(Candidate::label).unwrap_or_default(),
        Err(error) => error.to_string(),
    };
    let set = &loaded.settings;
    let settings = SettingsView {
        chat_model: set.chat_model,
        summon_model: set.summon_model,
        fallbacks: set.fallbacks.clone(),
        own_keys: set.own_keys,
        local_hosts: set.local_hosts.clone(),
        budgets: [set.budgets.explorer, set.budgets.creator, set.budgets.realm_builder],
        count_local: set.count_local,
        answers: first(ctx.app.models.for_new_conversation().await),
        summons: first(ctx.app.models.for_summon().await),
    };
    let files = ctx.app.library.view(&ctx.app.model).await;
    Ok(ModelsPage { providers, settings, files, fresh: viewer.is_fresh() })
}
