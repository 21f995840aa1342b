//! Plain routes of summoning: the public JSON contract and the stream.

use super::{
    Finished, JobStatus, SummonForm, SummonPage, run,
    store::{self, Begun},
};
use crate::{
    error::{AppError, AppResult},
    ids::{JobId, UserId},
    ocs::{Oc, page_url},
    server::{
        AppState, Ctx,
        api::{ApiResult, ErrorBody, JsonBody},
        events::Event,
        limits::{self, Action},
        pass::{self, Pass},
    },
};
use axum::{
    Json, Router,
    extract::{Path, Query, RawQuery},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use futures::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;
use utoipa::{OpenApi, ToSchema};

/// Summoning's part of the public contract.
#[derive(OpenApi)]
#[openapi(
    paths(summon, job_events, stop_job),
    components(schemas(NewSummon, Summoned, Finished, JobStatus)),
    tags((name = "summon", description = "From a sentence to a character"))
)]
pub struct Api;

/// The routes.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/oc/summon", post(summon))
        .route("/api/jobs/{id}/events", get(job_events))
        .route("/api/jobs/{id}/stop", post(stop_job))
        .route("/summon/join", get(join))
}

/// A sentence to summon from.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewSummon {
    /// Who it should be, 10 to 500 characters.
    pub description: String,
    /// A mood, for example `calm`.
    #[serde(default)]
    pub mood: Option<String>,
    /// Where they should live, at most 120 characters.
    #[serde(default)]
    pub setting: Option<String>,
    /// Show the character to everybody at once; otherwise it stays a draft of yours.
    #[serde(default = "yes")]
    pub publish: bool,
}

const fn yes() -> bool {
    true
}

/// The first post of a summoned character.
#[derive(Debug, Serialize, ToSchema)]
pub struct SummonedPost {
    /// Its title.
    pub title: String,
    /// Its text.
    pub content: String,
}

/// A summoned character.
#[derive(Debug, Serialize, ToSchema)]
pub struct Summoned {
    /// The whole character, as `GET /api/ocs/{id}` gives it.
    #[serde(flatten)]
    pub oc: Oc,
    /// The job that made it.
    pub job_id: JobId,
    /// Its introductory post.
    pub post: Option<SummonedPost>,
}

/// Keeps the sentence and begins, unless this key was used before.
///
/// # Errors
/// `Invalid` for a field, `TooMany`, `Conflict` for a key that was used for another sentence.
pub async fn begin(ctx: &Ctx, form: &SummonForm, publish: bool, key: Option<&str>) -> AppResult<Begun> {
    let me = ctx.require_write()?.id;
    let form = form.check()?;
    if key.is_some_and(|k| k.chars().count() > 200) {
        return Err(AppError::invalid("key", "An idempotency key has at most 200 characters."));
    }
    let mut tx = ctx.begin().await?;
    if let Some(key) = key
        && let Some(begun) = store::begun_with(&mut tx, me, &form, key).await?
    {
        return Ok(begun);
    }
    drop(tx);
    limits::take(&ctx.app, Action::Summon, &me.to_string()).await?;
    let mut tx = ctx.begin().await?;
    let begun = store::begin(&mut tx, me, &form, publish, key).await?;
    tx.commit().await?;
    if begun.is_new {
        run::start(&ctx.app, begun.id).await?;
    }
    Ok(begun)
}

/// A job of the asker's, and its attempt.
///
/// # Errors
/// `NotFound` for an unknown id and for somebody else's.
pub async fn find(ctx: &Ctx, id: &str) -> AppResult<(SummonPage, i32)> {
    ctx.require()?;
    let id: JobId = id.trim().parse().map_err(|_| AppError::NotFound)?;
    // What is wrong with the models is said by the work itself.
    let writer = ctx.app.models.for_summon().await.ok().and_then(|order| order.into_iter().next());
    let mut tx = ctx.begin().await?;
    store::page(&mut tx, id, writer.map(|w| w.name).unwrap_or_default()).await
}

/// Stops a job of the asker's. What has arrived is kept.
///
/// # Errors
/// `NotFound` for somebody else's.
pub async fn stop(ctx: &Ctx, id: JobId) -> AppResult<()> {
    let me = ctx.require_write()?.id;
    store::stop(&ctx.app, me, id).await?;
    run::cancel(&ctx.app, id);
    Ok(())
}

/// Goes on with a job of the asker's.
///
/// # Errors
/// `NotFound` for somebody else's, `TooMany`.
pub async fn resume(ctx: &Ctx, id: JobId) -> AppResult<()> {
    let me = ctx.require_write()?.id;
    let (page, _) = find(ctx, &id.to_string()).await?;
    if page.status.is_open() || page.status == JobStatus::Done {
        return Ok(());
    }
    limits::take(&ctx.app, Action::Summon, &me.to_string()).await?;
    run::start(&ctx.app, id).await
}

/// A sentence of somebody who has not signed in.
#[derive(Debug, Deserialize)]
pub struct Joining {
    #[serde(default)]
    idea: String,
    /// They have an account.
    #[serde(default)]
    known: String,
}

/// Leads to sign-up (or sign-in) with the sentence, and from there back to where it was written.
pub async fn join(ctx: Ctx, Query(Joining { idea, known }): Query<Joining>) -> Redirect {
    let idea: String = idea.chars().filter(|c| !c.is_control()).take(super::SENTENCE_MAX).collect();
    let mut back = String::from("/summon");
    if !idea.trim().is_empty() {
        back.push('?');
        back.push_str(&url::form_urlencoded::Serializer::new(String::new()).append_pair("idea", idea.trim()).finish());
    }
    if ctx.require().is_ok() {
        return Redirect::to(&back);
    }
    let page = if known.is_empty() { "/sign-up" } else { "/sign-in" };
    let next = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", &back).finish();
    Redirect::to(&format!("{page}?{next}"))
}

/// The last event of a stream: nothing follows it.
fn is_last(event: &Event) -> bool {
    matches!(event.name, "done" | "failed" | "stopped" | "interrupted")
}

/// The events of a job after the one with id `seen`: from memory if this process works on it, else from its row.
///
/// # Errors
/// `NotFound` for somebody else's.
pub async fn events(ctx: &Ctx, id: JobId, seen: u64) -> AppResult<impl Stream<Item = Event> + Send + 'static + use<>> {
    let (page, attempt) = find(ctx, &id.to_string()).await?;
    if let Some(topic) = ctx.app.hub.get(run::topic_id(id, attempt)) {
        return Ok(topic.follow(seen).boxed());
    }
    let me = ctx.require()?.id;
    Ok(from_row(ctx.app.clone(), me, page).boxed())
}

/// The parts of a row, then those that follow, until the job ends. Another process writes it, or did.
fn from_row(app: AppState, me: UserId, first: SummonPage) -> impl Stream<Item = Event> + Send + 'static {
    let (sender, receiver) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move {
        let mut page = first;
        let mut further = app.summons.watch(page.id);
        let mut shown = Vec::new();
        let mut count = 0;
        let mut send = async |name: &'static str, data: String| {
            count += 1;
            sender.send(Event { id: count, name, data }).await.is_ok()
        };
        loop {
            for part in page.arrived.parts() {
                if !shown.contains(&part) {
                    let data = serde_json::to_string(&part).unwrap_or_default();
                    if !send("field", data).await {
                        return;
                    }
                    shown.push(part);
                }
            }
            let last = match (page.status, page.oc_id) {
                (JobStatus::Queued | JobStatus::Running, _) => None,
                (JobStatus::Done, Some(oc_id)) => {
                    Some(("done", json!(Finished { oc_id, url: page_url(&page.slug), slug: page.slug.clone() })))
                }
                (JobStatus::Done, None) => Some(("failed", json!({"message": "The character was deleted."}))),
                (JobStatus::Failed, _) => Some(("failed", json!({"message": page.error}))),
                (JobStatus::Stopped, _) => Some(("stopped", json!({}))),
                (JobStatus::Interrupted, _) => Some(("interrupted", json!({}))),
            };
            if let Some((name, data)) = last {
                send(name, data.to_string()).await;
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
                Ok(()) = further.changed() => {}
                () = app.shutdown.cancelled() => return,
            }
            let read = async {
                let mut tx = app.db.begin(me).await?;
                store::page(&mut tx, page.id, String::new()).await
            };
            match read.await {
                Ok((next, _)) => page = next,
                Err(AppError::NotFound) => return,
                // The database is away for a moment.
                Err(_) => {}
            }
        }
    });
    tokio_stream::wrappers::ReceiverStream::new(receiver)
}

fn stream(ctx: &Ctx, pass: Pass, events: impl Stream<Item = Event> + Send + 'static) -> Response {
    pass::guarded(&ctx.app, pass, "summon", events.map(axum::response::sse::Event::from))
}

/// Summon a character from a sentence.
///
/// Answers when the character is whole (about 40 seconds with the local model); as `text/event-stream`, each part comes as a
/// `field` event as soon as it is there, and `done` has the address. Closing the connection stops nothing. The same
/// `Idempotency-Key` gives the same character again.
#[utoipa::path(
    post, path = "/api/oc/summon", tag = "summon",
    params(("Idempotency-Key" = Option<String>, Header, description = "At most 200 characters; makes asking twice summon once")),
    request_body = NewSummon,
    responses(
        (status = 201, description = "The whole character; as `text/event-stream`, the stream (200)", body = Summoned),
        (status = 401, body = ErrorBody),
        (status = 409, description = "The key was used for another sentence, or the summon was stopped", body = ErrorBody),
        (status = 413, body = ErrorBody), (status = 422, body = ErrorBody), (status = 429, body = ErrorBody),
        (status = 503, description = "The model cannot be used, or wrote nothing whole; the sentence is kept as a job", body = ErrorBody)
    )
)]
pub async fn summon(ctx: Ctx, headers: HeaderMap, JsonBody(body): JsonBody<NewSummon>) -> ApiResult<Response> {
    let key = headers.get("idempotency-key").map(|v| v.to_str().unwrap_or_default().trim().to_owned());
    let form = SummonForm {
        description: body.description,
        mood: body.mood.unwrap_or_default(),
        setting: body.setting.unwrap_or_default(),
    };
    let begun = begin(&ctx, &form, body.publish, key.as_deref().filter(|k| !k.is_empty())).await?;
    let events = events(&ctx, begun.id, 0).await?;
    let wants_stream =
        headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/event-stream"));
    if wants_stream {
        let pass = Pass::of(&ctx, &headers)?;
        let mut response = stream(&ctx, pass, events);
        if let Ok(id) = HeaderValue::try_from(begun.id.to_string()) {
            response.headers_mut().insert(HeaderName::from_static("x-job-id"), id);
        }
        return Ok(response);
    }
    let mut events = std::pin::pin!(events);
    let mut last = None;
    while let Some(event) = events.next().await {
        if is_last(&event) {
            last = Some(event);
            break;
        }
    }
    match last.as_ref().map(|event| event.name) {
        Some("done") => {
            let summoned = summoned(&ctx, begun.id).await?;
            let url = HeaderValue::try_from(format!("/api/ocs/{}", summoned.oc.id))
                .unwrap_or(HeaderValue::from_static("/api/ocs"));
            Ok((StatusCode::CREATED, [(header::LOCATION, url)], Json(summoned)).into_response())
        }
        Some("failed") => {
            let (page, _) = find(&ctx, &begun.id.to_string()).await?;
            Err(AppError::unavailable(page.error).into())
        }
        Some("stopped") => Err(AppError::conflict("", "This summon was stopped.").into()),
        _ => {
            Err(AppError::unavailable("The summon was interrupted. What has arrived is kept; it can be continued.")
                .into())
        }
    }
}

async fn summoned(ctx: &Ctx, id: JobId) -> AppResult<Summoned> {
    let (page, _) = find(ctx, &id.to_string()).await?;
    let oc_id = page.oc_id.ok_or(AppError::NotFound)?;
    let mut tx = ctx.begin().await?;
    let mut oc = crate::ocs::store::find(&mut tx, oc_id).await?;
    oc.url = format!("{}{}", ctx.app.config.origin(), page_url(&oc.slug));
    let post = page.arrived.sheet.introduction.map(|(title, content)| SummonedPost { title, content });
    Ok(Summoned { oc, job_id: id, post })
}

fn job_id(text: &str) -> AppResult<JobId> {
    text.parse().map_err(|_| AppError::NotFound)
}

/// Follow a job.
///
/// Events: `step` {text}, `queued` {place, seconds}, `progress` {percent, seconds}, `draft` {oc_id, slug, portrait_url}, `field`
/// {name, value} (a field of the character, `items`, or `filled`: those that no model wrote), and one of `done`
/// {oc_id, slug, url}, `failed` {message}, `stopped`, `interrupted` at the end. Ids count from 1. `reconnect` means that this
/// process is ending, `signed_out` that the session or token is.
#[utoipa::path(
    get, path = "/api/jobs/{id}/events", tag = "summon",
    params(
        ("id" = Uuid, Path, description = "The job"),
        ("after" = Option<u64>, Query, description = "Go on after the event with this id"),
        ("Last-Event-ID" = Option<u64>, Header, description = "As `after`; sent by browsers that reconnect")
    ),
    responses(
        (status = 200, description = "The stream", content_type = "text/event-stream"),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)
    )
)]
pub async fn job_events(
    ctx: Ctx,
    headers: HeaderMap,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> ApiResult<Response> {
    let pass = Pass::of(&ctx, &headers)?;
    let id = job_id(&id)?;
    let header = headers.get("last-event-id").and_then(|v| v.to_str().ok()).and_then(|v| v.trim().parse().ok());
    let query = query.unwrap_or_default();
    let asked = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "after");
    let seen = header.or_else(|| asked.and_then(|(_, id)| id.parse().ok())).unwrap_or(0);
    let events = events(&ctx, id, seen).await?;
    Ok(stream(&ctx, pass, events))
}

/// Stop a job.
///
/// What has arrived is kept, and the summon can be continued on its page.
#[utoipa::path(
    post, path = "/api/jobs/{id}/stop", tag = "summon",
    params(("id" = Uuid, Path, description = "The job")),
    responses((status = 204, description = "It stops, or had ended"), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub async fn stop_job(ctx: Ctx, Path(id): Path<String>) -> ApiResult<StatusCode> {
    ctx.require()?;
    stop(&ctx, job_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
