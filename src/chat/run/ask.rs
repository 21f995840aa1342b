//! One model asked for one reply: the prompt made for it, its words taken as they come, and what is noted about it.

use super::{FLUSH_BYTES, Finished, Live, Phase, REPLY_MAX, Speaker, explain, readable};
use crate::{
    ai::{Chunk, Finish, FinishReason, ModelError},
    chat::{
        prompt::{self, Prompt},
        store::{self, Start},
    },
    error::{AppError, AppResult},
    models::{
        meter::{self, Ending, Purpose, Spent},
        registry::Candidate,
    },
    server::AppState,
};
use std::time::Instant;

/// What came of asking one model.
pub(super) enum Asked {
    /// The run ends with this.
    Ended(Finished, Option<Finish>),
    /// It could not say a word; another may.
    Passed(ModelError),
}

/// Asks one model. The prompt is made for it: what a large one can read would drown a small one.
pub(super) async fn ask(
    app: &AppState,
    start: &Start,
    live: &Live,
    began: Instant,
    candidate: &Candidate,
    speaker: &mut Speaker,
) -> Asked {
    let failed = |message: String| Asked::Ended(Finished::Failed(message), None);
    let prompt = match read_prompt(app, start, candidate).await {
        Ok(prompt) => prompt,
        Err(AppError::NotFound) => return failed("This character is not here any more.".into()),
        Err(error) => return failed(error.to_string()),
    };
    speaker.model.clone_from(&candidate.name);
    (speaker.was_sent, speaker.spent) = (false, None);
    let size = meter::estimate(candidate, &prompt.request.messages);
    let longest = i64::from(prompt.request.max_tokens);
    let subject = Some(start.run_id.0);
    // Neither waits for the other's commit; the person waits for both.
    let ((), admitted) = tokio::join!(
        note_receipt(app, start, &prompt, candidate, &speaker.fell),
        meter::begin(app, start.user_id, Purpose::Chat, subject, candidate, size, longest)
    );
    match admitted {
        Ok(ticket) => speaker.ticket = Some(ticket),
        Err(error) => return failed(error.to_string()),
    }
    // Dropping the answer would stop the model, too; the token says it at once.
    let cancel = live.stop.child_token();
    let _cancelled_in_any_case = cancel.clone().drop_guard();
    let mut reply = candidate.model.reply(prompt.request, cancel);
    let before = live.length();
    let mut room = REPLY_MAX.saturating_sub(live.text().chars().count());
    loop {
        let trouble = match reply.recv().await {
            Some(Ok(Chunk::Queued { place })) => {
                live.set(Phase::Queued(place));
                continue;
            }
            Some(Ok(Chunk::Started)) => {
                speaker.was_sent = true;
                live.set(Phase::Started);
                continue;
            }
            Some(Ok(Chunk::Spent(spent))) => {
                speaker.spent = Some(spent);
                continue;
            }
            Some(Ok(Chunk::TakeBack)) => {
                live.take_back(before);
                room = REPLY_MAX.saturating_sub(live.text().chars().count());
                continue;
            }
            Some(Ok(Chunk::Via { note, .. })) => {
                speaker.fell.push(note);
                note_fall(app, start, candidate, &speaker.fell).await;
                continue;
            }
            Some(Ok(Chunk::ToolCall(_))) => continue,
            Some(Ok(Chunk::Text(text))) => {
                let mut text = readable(&text, live.last());
                if text.is_empty() {
                    continue;
                }
                // Before it grows: what is too long for its row would be lost as a whole.
                let is_full = text.chars().count() >= room;
                if let Some((at, _)) = text.char_indices().nth(room) {
                    text.truncate(at);
                }
                room = room.saturating_sub(text.chars().count());
                if speaker.first_token_ms.is_none() {
                    speaker.first_token_ms = Some(i32::try_from(began.elapsed().as_millis()).unwrap_or(i32::MAX));
                    app.models.health().note(app, candidate, None);
                }
                let (before, length) = live.add(&text);
                if before / FLUSH_BYTES != length / FLUSH_BYTES {
                    app.runs.bulk.notify_one();
                }
                if is_full {
                    return Asked::Ended(Finished::Written(FinishReason::Length), None);
                }
                continue;
            }
            // Another one may find words; where a reply goes on, nothing more is an answer, too.
            Some(Ok(Chunk::Done(finish)))
                if start.kept.is_empty()
                    && finish.reason != FinishReason::Cancelled
                    && live.text().trim().is_empty() =>
            {
                speaker.spent = Some(finish);
                ModelError::NoWords { provider: candidate.provider.clone(), in_thoughts: false }
            }
            Some(Ok(Chunk::Done(finish))) => return Asked::Ended(Finished::Written(finish.reason), Some(finish)),
            Some(Err(error)) => error,
            None => ModelError::Failed("it ended without a word of why; please try again".into()),
        };
        app.models.health().note(app, candidate, Some(&trouble));
        let spoke = live.length() > before;
        // What a model declines is not for another one to say.
        if spoke || matches!(trouble, ModelError::Refused { .. }) {
            return Asked::Ended(Finished::Failed(explain(&trouble)), speaker.spent.take());
        }
        // Whoever fails has said what it cost.
        speaker.was_sent = false;
        if let Some(ticket) = speaker.ticket.take() {
            let spent = speaker.spent.take();
            ticket.settle(app, Ending::Failed, Spent::of(spent.as_ref(), false, ""), None).await;
        }
        return Asked::Passed(trouble);
    }
}

/// Why a model did not answer, for the receipt.
pub(super) fn fell(candidate: &Candidate, error: &ModelError) -> String {
    let text = error.to_string();
    // What to do about it is for those who wait; somebody else answers.
    let why = text.split(';').next().unwrap_or_default().trim_end_matches('.');
    format!("Fell back from {} because {why}.", candidate.label())
}

async fn note_receipt(app: &AppState, start: &Start, prompt: &Prompt, candidate: &Candidate, fell: &[String]) {
    if let Err(error) = store::note_receipt(&app.db, start.run_id, &prompt.receipt).await {
        tracing::warn!(run = %start.run_id, %error, "the receipt of a prompt was not kept");
    }
    if !fell.is_empty() {
        note_fall(app, start, candidate, fell).await;
    }
}

async fn note_fall(app: &AppState, start: &Start, candidate: &Candidate, fell: &[String]) {
    if let Err(error) = store::note_fall(&app.db, start.run_id, &candidate.label(), &fell.join(" ")).await {
        tracing::warn!(run = %start.run_id, %error, "who answered instead was not kept");
    }
}

async fn read_prompt(app: &AppState, start: &Start, candidate: &Candidate) -> AppResult<Prompt> {
    let mut tx = app.db.begin(start.user_id).await?;
    let persona = crate::ocs::store::persona(&mut tx, start.oc_id).await?;
    let scene = store::scene(&mut tx, start.user_id, persona, start.answers).await?;
    drop(tx);
    let count = |text: &str| candidate.model.count_tokens(text);
    let is_own = scene.persona.owner_id == Some(start.user_id);
    let mut prompt = prompt::build(&scene, &candidate.model.info(), &count, &start.kept);
    if !is_own {
        prompt.receipt.keep_private();
    }
    Ok(prompt)
}
