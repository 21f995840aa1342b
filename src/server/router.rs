//! Every route and layer in one readable list.

use super::{AppState, drafts, guard, hosts, pages, request, telemetry, visitors};
use crate::{
    accounts, admin,
    app::{plain_shell, shell},
    cards, chat, legal, models, ocs, personas,
};
use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{Method, StatusCode},
    middleware,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use leptos_axum::LeptosRoutes;
use tower_http::{catch_panic::CatchPanicLayer, request_id::PropagateRequestIdLayer, services::ServeDir};

/// The whole site.
pub fn router(state: AppState) -> Router {
    let site = state.leptos.site_root.to_string();
    let files = ServeDir::new(&site).precompressed_br().precompressed_gzip().append_index_html_on_directories(false);
    // Files are only read; whatever else is asked of a path is for the app.
    let files = files.call_fallback_on_method_not_allowed(true);

    let app = routes(&state)
        .fallback(|State(state): State<AppState>, request: Request| async move {
            if let Some(page) = without_slash(&request) {
                return Redirect::permanent(&page).into_response();
            }
            let mut response = pages::draw(&state, request, shell).await;
            if response.status().is_success() {
                *response.status_mut() = StatusCode::NOT_FOUND;
            }
            response
        })
        .layer(DefaultBodyLimit::max(guard::BODY_LIMIT))
        .layer(middleware::from_fn(guard::one_shape_of_errors))
        .layer(middleware::from_fn_with_state(state.clone(), drafts::keep_refused_forms))
        .layer(middleware::from_fn_with_state(state.clone(), request::load))
        .layer(middleware::from_fn_with_state(state.clone(), visitors::forget))
        .layer(middleware::from_fn_with_state(state.clone(), guard::same_origin))
        .layer(middleware::from_fn(guard::limit_body))
        .layer(middleware::from_fn(telemetry::name_route))
        .with_state(state.clone());

    // Files first: they need no identity and no database.
    Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(telemetry::figures::ready).with_state(state.clone()))
        .fallback_service(files.fallback(app))
        .layer(middleware::from_fn(guard::compress))
        .layer(CatchPanicLayer::custom(guard::panic_response))
        .layer(middleware::from_fn_with_state(state.clone(), hosts::known))
        .layer(middleware::from_fn_with_state(state, guard::headers))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(middleware::from_fn(telemetry::figures::measure))
        .layer(middleware::from_fn(telemetry::trace))
        .layer(middleware::from_fn(telemetry::check_request_id))
}

/// The rooms' routes and the pages, without the layers around them. The generated tests read their paths from here.
pub fn routes(state: &AppState) -> Router<AppState> {
    Router::new()
        .merge(accounts::routes::routes())
        .merge(ocs::routes::routes())
        .merge(cards::routes::routes())
        .merge(ocs::summon::routes::routes())
        .merge(chat::routes::routes())
        .merge(chat::history::routes::routes())
        .merge(chat::notes::routes::routes())
        .merge(personas::routes::routes())
        .merge(chat::tree_routes::routes())
        .merge(models::routes::routes())
        .merge(legal::routes::routes())
        .merge(admin::routes::routes())
        .merge(super::openapi::routes())
        .route("/metrics", get(telemetry::figures::for_admins))
        // The server functions, and then the pages.
        .leptos_routes_with_context(state, Vec::new(), pages::set_policy, || ())
        .leptos_routes_with_handler(pages::list(), visitors::page)
}

/// Where an address with a slash too much at its end leads: `/characters/` to `/characters`. Only plain addresses, so that nothing
/// else can be made of them: `//other.example/` is another site's.
fn without_slash(request: &Request) -> Option<String> {
    let uri = request.uri();
    let path = uri.path().strip_suffix('/').filter(|path| !path.is_empty())?;
    let is_plain =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.~%".contains(c));
    // Programs are told that they are wrong; pages are for people.
    let is_page = !["/api", "/fn", "/avatars"].iter().any(|start| path.starts_with(start));
    let is_ours = is_page && path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_plain));
    let may_move = matches!(*request.method(), Method::GET | Method::HEAD);
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    (is_ours && may_move).then(|| format!("{path}{query}"))
}

/// A page that the server draws alone: the same frame and the same policy, and nothing for the browser to run.
pub async fn plain_page(state: &AppState, request: Request) -> Response {
    pages::draw(state, request, plain_shell).await
}
