//! One attempt at a summon: from the sentence to the finished draft.

use super::{
    Finished, Part,
    ask::Asked,
    store::{self, Claim},
    write::{Halt, Hear, Writer},
};
use crate::{
    ai::{SharedModel, chain},
    error::AppError,
    models::meter::{self, Ending, Purpose},
    ocs::{Sheet, page_url, portrait_url},
    server::{AppState, events::Topic},
};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How often the time that is left is said.
const EVERY: Duration = Duration::from_millis(1500);
/// How long one place in the queue takes, about: a reply of the chat, or a piece of a summon beside others.
const PLACE: u64 = 8;

fn wrong(error: AppError) -> Halt {
    Halt::Failed(error.to_string())
}

/// One attempt.
pub(super) struct Attempt {
    app: AppState,
    claim: Claim,
    topic: Arc<Topic>,
    cancel: CancellationToken,
}

impl Attempt {
    /// Takes up the work where the claim's progress stands.
    pub(super) const fn new(app: AppState, claim: Claim, topic: Arc<Topic>, cancel: CancellationToken) -> Self {
        Self { app, claim, topic, cancel }
    }

    /// Finds who writes, has it written, and writes down what it took.
    pub(super) async fn run(self) -> Result<Finished, Halt> {
        let app = self.app.clone();
        let order = app.models.for_summon().await.map_err(wrong)?;
        let Some(first) = order.first() else { return Err(wrong(AppError::Internal)) };
        let (user, job) = (self.claim.user, Some(self.claim.id.0));
        let ticket =
            meter::begin(&app, user, Purpose::Summon, job, first, meter::SUMMON_TOKENS, 0).await.map_err(wrong)?;
        let (model, tally) = meter::counting(chain(order.iter().map(|c| c.model.clone()).collect()));
        let result = self.work(model).await;
        let ending = match &result {
            Ok(_) => Ending::Done,
            Err(Halt::Stopped) => Ending::Stopped,
            Err(Halt::Shutdown) => Ending::Interrupted,
            Err(Halt::Failed(_)) => Ending::Failed,
        };
        ticket.settle_tally(&app, ending, &tally).await;
        result
    }

    async fn work(self, model: SharedModel) -> Result<Finished, Halt> {
        let Self { app, claim, topic, cancel } = self;
        let asked = Asked {
            sentence: claim.sentence.clone(),
            mood: claim.wishes.mood.parse().ok(),
            setting: claim.wishes.setting.clone(),
            seed: format!("{}-{}", claim.id, claim.attempt),
        };
        let mut arrived = claim.arrived.clone();
        let mut teller = Teller { app, claim, topic, told: None };
        for part in arrived.parts() {
            teller.show(&part);
        }
        teller.step();
        let mut writer = Writer::new(model, cancel, asked);
        writer.write(&mut arrived, &mut teller).await?;
        teller.finish().await
    }
}

/// Keeps what arrives and shows it.
struct Teller {
    app: AppState,
    claim: Claim,
    topic: Arc<Topic>,
    /// When the time that is left was last said.
    told: Option<Instant>,
}

impl Hear for Teller {
    fn queued(&mut self, place: u32) {
        // The first in line is next: its turn is about to come.
        let seconds = u64::from(place.saturating_sub(1)) * PLACE;
        self.topic.push("queued", json!({"place": place, "seconds": seconds}).to_string());
    }

    fn progress(&mut self, percent: u32, left: Duration) {
        if self.told.is_none_or(|told| told.elapsed() >= EVERY) {
            self.told = Some(Instant::now());
            let seconds = left.as_secs();
            self.topic.push("progress", json!({"percent": percent, "seconds": seconds}).to_string());
        }
    }

    async fn part(&mut self, part: Part) -> Result<(), Halt> {
        self.claim.arrived.take(&part).map_err(wrong)?;
        self.keep(&part).await?;
        if self.claim.oc.is_none()
            && ["name", "visual_style", "appearance_tags"].iter().all(|f| self.claim.arrived.has(f))
        {
            self.reserve().await?;
        }
        self.step();
        Ok(())
    }
}

impl Teller {
    fn step(&self) {
        self.topic.push("step", json!({"text": self.claim.arrived.next_step()}).to_string());
    }

    fn show(&self, part: &Part) {
        match serde_json::to_string(part) {
            Ok(data) => self.topic.push("field", data),
            Err(error) => tracing::error!(%error, "a part could not be written as JSON"),
        }
    }

    async fn keep(&self, part: &Part) -> Result<(), Halt> {
        if !store::keep(&self.app, &self.claim).await.map_err(wrong)? {
            return Err(Halt::Stopped);
        }
        self.show(part);
        self.app.summons.tell(self.claim.id);
        Ok(())
    }

    /// The draft that carries name and look, under a name that is free. From here on its face does not change.
    async fn reserve(&mut self) -> Result<(), Halt> {
        let sheet = Sheet {
            description: self.claim.sentence.clone(),
            personality: self.claim.sentence.clone(),
            ..self.claim.arrived.sheet.clone()
        };
        let (made, name) = store::reserve(&self.app, self.claim.user, &sheet).await.map_err(wrong)?;
        self.claim.oc = Some(made.id);
        if name != self.claim.arrived.sheet.name {
            let part = Part::new("name", json!(name));
            self.claim.arrived.take(&part).map_err(wrong)?;
            self.show(&part);
        }
        if !store::keep(&self.app, &self.claim).await.map_err(wrong)? {
            return Err(Halt::Stopped);
        }
        let draft = json!({"oc_id": made.id, "slug": made.slug, "portrait_url": portrait_url(made.id, made.version)});
        self.topic.push("draft", draft.to_string());
        Ok(())
    }

    /// The finished draft, and its first post if it was asked for.
    async fn finish(self) -> Result<Finished, Halt> {
        let Some(oc) = self.claim.oc else { return Err(Halt::Failed(AppError::Internal.to_string())) };
        let gone = |error: AppError| match error {
            AppError::NotFound => Halt::Failed("The draft was deleted meanwhile.".into()),
            other => wrong(other),
        };
        let mut tx = self.app.db.begin(self.claim.user).await.map_err(wrong)?;
        store::complete(&mut tx, self.claim.user, oc, &self.claim.arrived).await.map_err(gone)?;
        if self.claim.wishes.publish {
            crate::ocs::store::publish(&mut tx, oc).await.map_err(gone)?;
        }
        let made = crate::ocs::store::find(&mut tx, oc).await.map_err(gone)?;
        tx.commit().await.map_err(wrong)?;
        Ok(Finished { oc_id: oc, url: page_url(&made.slug), slug: made.slug })
    }
}
