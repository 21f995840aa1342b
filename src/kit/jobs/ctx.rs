//! What a job has in its hands while it is done.

use super::{End, Outcome, store};
use crate::{
    error::{AppError, AppResult},
    ids::{JobId, UserId},
    server::{AppState, Tx},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// One attempt at a job.
#[derive(Clone)]
pub struct JobCtx {
    /// The process.
    pub app: AppState,
    /// The job.
    pub id: JobId,
    /// For whom; nobody for the house's own.
    pub user: Option<UserId>,
    /// Which attempt this is, from 1.
    pub attempt: i16,
    /// Nobody wants it any more, somebody else has it, or the process ends. Who does not end by itself soon is dropped.
    pub cancel: CancellationToken,
    pub(super) token: Uuid,
}

/// A call to somebody else that is made once, whatever happens in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Goes along as idempotency key, the same in every attempt.
    pub key: Uuid,
    /// What the other side called it in an earlier attempt: ask for that one instead of making another.
    pub provider_id: Option<String>,
}

impl JobCtx {
    /// A transaction of the process, from the connections of the queue. Short: no model and nobody else is waited for in it.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn begin(&self) -> AppResult<Tx> {
        self.app.db.queue().await
    }

    /// The person whose job it is.
    ///
    /// # Errors
    /// `NotFound` for a job of the house.
    pub fn person(&self) -> AppResult<UserId> {
        self.user.ok_or(AppError::NotFound)
    }

    /// The end: what was done in the transaction holds together with it, or not at all. The transaction may be one of the
    /// process or of a person.
    pub async fn finish(&self, mut tx: Tx) -> Outcome {
        let ended = async {
            if !store::finish(&mut tx, self.id, self.token).await? {
                return Ok(Outcome(End::Lost));
            }
            tx.commit().await?;
            Ok(Outcome(End::Done))
        };
        ended.await.into()
    }

    /// The end of a job that had nothing to write, or whose effects may happen twice.
    pub async fn done(&self) -> Outcome {
        match self.begin().await {
            Ok(tx) => self.finish(tx).await,
            Err(error) => error.into(),
        }
    }

    /// The end of a job that is this work and nothing else, and may happen twice.
    pub async fn after(&self, work: impl Future<Output = AppResult<()>>) -> Outcome {
        match work.await {
            Ok(()) => self.done().await,
            Err(error) => error.into(),
        }
    }

    /// Makes an intermediate transaction hold only if the job is still this attempt's when it commits. Such effects are found
    /// again by the next attempt, which the job has to look for.
    ///
    /// # Errors
    /// `NotFound` when somebody else has the job: give up.
    pub async fn hold(&self, tx: &mut Tx) -> AppResult<()> {
        if store::hold(tx, self.id, self.token).await? { Ok(()) } else { Err(AppError::NotFound) }
    }

    /// Writes down that the job is about to call somebody else, or finds that an earlier attempt has.
    ///
    /// # Errors
    /// `NotFound` when somebody else has the job: make no call.
    pub async fn call(&self, step: &str) -> AppResult<Call> {
        let mut tx = self.begin().await?;
        self.hold(&mut tx).await?;
        let call = store::call(&mut tx, self.id, self.user, step).await?;
        tx.commit().await?;
        Ok(call)
    }

    /// Keeps what the other side calls it.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn called(&self, step: &str, provider_id: &str) -> AppResult<()> {
        let mut tx = self.begin().await?;
        store::called(&mut tx, self.id, step, provider_id).await?;
        tx.commit().await
    }
}
