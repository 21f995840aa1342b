//! Plain routes of the models room: its server-drawn pages, the stream of a trial, and the public JSON contract.

use super::{
    ModelState, ModelStatus, meter, status,
    store::{self, DayUse},
    try_it, view,
};
use crate::{
    error::AppError,
    ids::{ConversationId, ModelId},
    server::{
        AppState, Ctx,
        api::{ApiResult, ErrorBody, JsonBody},
    },
};
use axum::{
    Json, Router,
    extract::{Path, Query, Request, State},
    http::StatusCode,
    response::Response,
    routing::{get, post, put},
};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

/// The room's part of the public contract.
#[derive(OpenApi)]
#[openapi(
    paths(list_models, model_status, my_usage, choose_model),
    components(schemas(ApiModels, ApiModel, ApiUsage, DayUse, ModelChoice, ModelState, ModelStatus)),
    tags((name = "models", description = "Which model answers, and what it was used for"))
)]
pub struct Api;

/// The room's routes.
pub fn routes() -> Router<AppState> {
    let mut router = Router::new()
        .route("/admin/models/model/{id}/try", post(try_it::try_model))
        .route("/api/models", get(list_models))
        .route("/api/models/status", get(model_status))
        .route("/api/usage", get(my_usage))
        .route("/api/conversations/{id}/model", put(choose_model));
    for path in view::PATHS {
        router = router.route(path, get(page));
    }
    router
}

/// A page that the server draws alone.
async fn page(State(state): State<AppState>, request: Request) -> Response {
    crate::server::router::plain_page(&state, request).await
}

/// The models that one may choose.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiModels {
    /// Who answers where nothing was chosen.
    pub default: Option<ModelId>,
    /// In the order of lists.
    pub items: Vec<ApiModel>,
}

/// A model that may be chosen.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiModel {
    /// Its id.
    pub id: ModelId,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub provider: String,
    /// It runs on this machine.
    pub local: bool,
    /// Prompt and reply together, in tokens.
    pub context: u32,
    /// It counts against the daily budget.
    pub counted: bool,
}

/// One's own use of models.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiUsage {
    /// Tokens that may be used on one day; absent when there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<i64>,
    /// Tokens that counted today, those of replies under way included.
    pub used: i64,
    /// Seconds until the budget begins anew, at midnight UTC.
    pub renews_in: u32,
    /// The last thirty days by day and model, newest first.
    pub days: Vec<DayUse>,
}

/// About which model somebody asks.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct About {
    /// Id of a conversation.
    #[serde(default)]
    conversation: Option<String>,
}

/// Who is to answer in a conversation.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct ModelChoice {
    /// Id of a model, `own:` and the id of an own key, or empty for the default.
    #[serde(default)]
    pub model: String,
}

/// The models that you may choose for a conversation.
#[utoipa::path(
    get, path = "/api/models", tag = "models",
    responses((status = 200, body = ApiModels), (status = 401, body = ErrorBody))
)]
pub async fn list_models(ctx: Ctx) -> ApiResult<Json<ApiModels>> {
    ctx.require()?;
    let loaded = ctx.app.models.current().await?;
    let items = loaded
        .entries
        .iter()
        .filter(|e| e.is_usable())
        .filter_map(|e| {
            let info = e.model.as_ref().ok()?.info();
            Some(ApiModel {
                id: e.row.id,
                name: if info.local { info.name } else { e.row.name.clone() },
                provider: e.provider.clone(),
                local: info.local,
                context: info.context,
                counted: !info.local || loaded.settings.count_local,
            })
        })
        .collect();
    Ok(Json(ApiModels { default: ctx.app.models.default_id().await?, items }))
}

/// How the model that answers stands: whether it is still being downloaded or loaded. Without a conversation of your own,
/// the one that answers where nothing was chosen.
#[utoipa::path(
    get, path = "/api/models/status", tag = "models",
    params(("conversation" = Option<String>, Query, description = "A conversation of yours")),
    responses((status = 200, body = ModelStatus))
)]
pub async fn model_status(ctx: Ctx, Query(about): Query<About>) -> ApiResult<Json<ModelStatus>> {
    let conversation = about.conversation.and_then(|id| id.trim().parse().ok());
    Ok(Json(status::here(&ctx, conversation).await?))
}

/// What you used, and what is left of today's budget.
#[utoipa::path(
    get, path = "/api/usage", tag = "models",
    responses((status = 200, body = ApiUsage), (status = 401, body = ErrorBody))
)]
pub async fn my_usage(ctx: Ctx) -> ApiResult<Json<ApiUsage>> {
    let me = ctx.require()?.id;
    let budgets = ctx.app.models.current().await?.settings.budgets;
    let mut tx = ctx.begin().await?;
    let standing = store::standing(&mut tx, me).await?;
    let days = store::use_of(&mut tx, me, "UTC").await?;
    Ok(Json(ApiUsage {
        budget: budgets.of(standing.tier),
        used: standing.used + standing.reserved,
        renews_in: meter::renewal("UTC").1,
        days,
    }))
}

/// Choose who answers in a conversation.
#[utoipa::path(
    put, path = "/api/conversations/{id}/model", tag = "models",
    params(("id" = Uuid, Path, description = "The conversation")),
    request_body = ModelChoice,
    responses((status = 204, description = "It holds from the next reply on"), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody))
)]
pub async fn choose_model(
    ctx: Ctx,
    Path(conversation): Path<String>,
    JsonBody(body): JsonBody<ModelChoice>,
) -> ApiResult<StatusCode> {
    ctx.require_write()?;
    let conversation: ConversationId = conversation.parse().map_err(|_| AppError::NotFound)?;
    store::choose(&ctx, conversation, &body.model).await?;
    ctx.app.runs.touch(conversation);
    Ok(StatusCode::NO_CONTENT)
}
