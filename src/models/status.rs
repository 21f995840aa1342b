//! How the model that answers stands, for pages and for programs.

use super::{ModelState, ModelStatus, files::megabytes, registry::Candidate};
use crate::{
    ai::local::Standing,
    error::{AppError, AppResult},
    ids::ConversationId,
    server::Ctx,
};

/// Below so many parameters a model of this machine counts as small.
const SMALL: u64 = 1_000_000_000;

/// How the first of those who may answer stands.
#[must_use]
pub fn of(order: &[Candidate]) -> ModelStatus {
    let Some(first) = order.first() else {
        return told(ModelStatus { state: ModelState::Absent, ..ModelStatus::default() });
    };
    let name = first.label();
    let small = is_tiny(&first.model.info());
    let Some(engine) = first.model.engine() else {
        return ModelStatus { name, small, ..ModelStatus::default() };
    };
    let (state, done, total) = match engine.standing() {
        Standing::Absent => (ModelState::Absent, 0, 0),
        Standing::Downloading { done, total } => (ModelState::Downloading, done, total),
        Standing::Loading => (ModelState::Loading, 0, 0),
        Standing::Ready => (ModelState::Ready, 0, 0),
        Standing::Failed { .. } => (ModelState::Failed, 0, 0),
    };
    let small = small || engine.parameters().is_some_and(|count| count < SMALL);
    told(ModelStatus { state, name, local: true, done, total, small, ..ModelStatus::default() })
}

/// A model on this machine of less than a billion parameters, as its name tells them.
fn is_tiny(info: &crate::ai::ModelInfo) -> bool {
    let billions = |part: &str| {
        let size = |unit: char| part.strip_suffix(unit).and_then(|n| n.parse::<f64>().ok());
        size('B').or_else(|| size('M').map(|millions| millions / 1000.0))
    };
    info.local && info.name.split('-').find_map(billions).is_some_and(|billions| billions < 1.0)
}

/// How the model stands that writes summons.
///
/// # Errors
/// When the database cannot be reached.
pub async fn of_summons(ctx: &Ctx) -> AppResult<ModelStatus> {
    judged(ctx, ctx.app.models.for_summon().await)
}

/// How the model stands that answers in a conversation of the asker's, or where nothing was chosen yet.
///
/// # Errors
/// When the database cannot be reached.
pub async fn here(ctx: &Ctx, conversation: Option<ConversationId>) -> AppResult<ModelStatus> {
    let order = match (&ctx.info.viewer, conversation) {
        (Some(viewer), Some(id)) => ctx.app.models.for_conversation(viewer.id, id).await,
        _ => ctx.app.models.for_new_conversation().await,
    };
    judged(ctx, order)
}

fn judged(ctx: &Ctx, order: AppResult<Vec<Candidate>>) -> AppResult<ModelStatus> {
    match order {
        Ok(order) => Ok(seen_by(ctx, of(&order))),
        Err(AppError::Unavailable { .. }) => Ok(seen_by(ctx, of(&[]))),
        Err(error) => Err(error),
    }
}

/// With whether the asker may do something about it.
#[must_use]
pub fn seen_by(ctx: &Ctx, status: ModelStatus) -> ModelStatus {
    let manage = ctx.info.viewer.as_ref().is_some_and(|viewer| viewer.require_admin().is_ok());
    ModelStatus { manage, ..status }
}

/// With the sentence for people.
fn told(status: ModelStatus) -> ModelStatus {
    let sentence = match status.state {
        ModelState::Ready => String::new(),
        ModelState::Loading => "The model is being loaded. It answers in a moment.".to_owned(),
        ModelState::Downloading if status.total == 0 => {
            "The model is being downloaded. It answers when it is here.".to_owned()
        }
        ModelState::Downloading => {
            let done = megabytes(status.done);
            let done = done.trim_end_matches(" MB");
            format!("The model is being downloaded: {done} of {}. It answers when it is here.", megabytes(status.total))
        }
        ModelState::Absent => {
            "There is no model on this machine yet. Whoever runs this site can choose one.".to_owned()
        }
        ModelState::Failed => {
            "The model on this machine cannot be used at the moment. Whoever runs this site can see why.".to_owned()
        }
    };
    ModelStatus { sentence, ..status }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_in_megabytes() {
        let status = ModelStatus {
            state: ModelState::Downloading,
            done: 420_100_000,
            total: 1_117_320_768,
            ..ModelStatus::default()
        };
        let told = told(status);
        assert!(told.sentence.starts_with("The model is being downloaded: 420 of 1,117 MB."), "{}", told.sentence);
        assert_eq!(of(&[]).state, ModelState::Absent);
    }
}
