//! Pages: which there are, and how each is drawn, within a time limit and whole or not at all.

use super::{AppState, api, guard, telemetry::figures};
use crate::{
    app::{App, ELSEWHERE},
    error::AppError,
};
use axum::{
    body::{Body, to_bytes},
    extract::{MatchedPath, Request},
    http::{HeaderValue, header},
    response::Response,
};
use leptos::prelude::*;
use leptos_axum::{
    AxumRouteListing, ResponseOptions, generate_route_list_with_exclusions, render_app_async_with_context,
};
use std::{sync::OnceLock, time::Duration};
use tokio_util::sync::CancellationToken;

/// The addresses of the app's pages, without those that the server draws alone.
///
/// Found once a process, before there is anything that could draw a page. While the framework walks the routes it tells
/// every resource of the process not to load, and one that begins at that moment, for a page on another thread, never
/// does: that page would wait for ever (leptos-rs/leptos #4773).
#[must_use]
pub fn list() -> Vec<AxumRouteListing> {
    static PAGES: OnceLock<Vec<AxumRouteListing>> = OnceLock::new();
    let elsewhere = || Some(ELSEWHERE.map(str::to_owned).to_vec());
    PAGES.get_or_init(|| generate_route_list_with_exclusions(App, elsewhere())).clone()
}

/// Draws a page. One that takes longer than the operator's limit is given up and answered with 503, so that nobody waits
/// for a page that will not come.
pub async fn draw<V: IntoView + 'static>(
    state: &AppState,
    request: Request,
    shell: impl Fn(LeptosOptions) -> V + Clone + Send + Sync + 'static,
) -> Response {
    let headers = request.headers().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let (context, options) = (state.clone(), state.leptos.clone());
    let lost = CancellationToken::new();
    let hears = Hears(lost.clone());
    let handler = render_app_async_with_context(
        move || {
            provide_context(context.clone());
            provide_context(hears.clone());
            set_policy();
        },
        move || shell(options.clone()),
    );
    let drawn = handler(request);
    let limit = Duration::from_secs(state.config.page_limit);
    tokio::select! {
        response = async { whole(drawn.await).await } => response,
        () = lost.cancelled() => {
            tracing::warn!("a page was given up: what it waits for has panicked");
            figures::page_given_up(route, "panic");
            api::unavailable(&headers, &AppError::Internal)
        }
        () = tokio::time::sleep(limit) => {
            tracing::warn!(limit_s = limit.as_secs(), "a page was given up: it took too long");
            figures::page_given_up(route, "slow");
            let error = AppError::unavailable("This page takes too long at the moment. Please try again soon.");
            api::unavailable(&headers, &error)
        }
    }
}

/// Reads a page's body to its end, which comes when the last thing that the page loads is there.
async fn whole(response: Response) -> Response {
    let (parts, body) = response.into_parts();
    match to_bytes(body, usize::MAX).await {
        Ok(bytes) => Response::from_parts(parts, Body::from(bytes)),
        Err(error) => {
            tracing::error!(%error, "a page broke off");
            guard::panic_response(Box::new(()))
        }
    }
}

/// Runs at the start of each page and each server function: the policy's nonce must be the one that the page's scripts
/// carry.
pub fn set_policy() {
    if let (Some(nonce), Some(response)) = (leptos::nonce::use_nonce(), use_context::<ResponseOptions>())
        && let Ok(policy) = HeaderValue::try_from(guard::page_policy(
            &nonce,
            use_context::<AppState>().is_some_and(|app| app.config.csp_report.is_some()),
        ))
    {
        response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
    }
}

/// The page that is being drawn, for what it loads: told when that will never come.
#[derive(Clone)]
struct Hears(CancellationToken);

/// Tells the page when it is dropped in a panic.
struct Tells(Option<Hears>);

impl Drop for Tells {
    fn drop(&mut self) {
        if let Some(Hears(lost)) = self.0.take()
            && std::thread::panicking()
        {
            lost.cancel();
        }
    }
}

/// What a page loads, watched: it runs in a task of its own, and when it panics there, nothing else would tell the page.
pub fn watched<T>(read: impl Future<Output = T> + Send + 'static) -> impl Future<Output = T> + Send + 'static {
    let tells = Tells(use_context::<Hears>());
    async move {
        let _tells = tells;
        read.await
    }
}
