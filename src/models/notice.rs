//! A line that says how the model stands while it cannot answer yet.
//!
//! It is plain text where there are no scripts; hydrated, it looks again every two seconds until the model answers.
#![expect(missing_docs, reason = "the macro makes a struct of each function's arguments")]

#[cfg(feature = "hydrate")]
use super::ModelState;
use super::ModelStatus;
use crate::error::AppError;
use leptos::prelude::*;
#[cfg(feature = "hydrate")]
use std::time::Duration;

/// How the model stands that answers in a conversation, or, without one, where nothing was chosen yet; with `summons` the one that
/// writes those.
#[server(prefix = "/fn", endpoint = "models/status", input = server_fn::codec::GetUrl)]
pub async fn look_at_model(
    #[server(default)] conversation: String,
    #[server(default)] summons: bool,
) -> Result<ModelStatus, AppError> {
    crate::error::reply(async {
        let ctx = crate::server::ctx()?;
        if summons {
            return super::status::of_summons(&ctx).await;
        }
        super::status::here(&ctx, conversation.trim().parse().ok()).await
    })
    .await
}

/// How the model stands, where that matters to whoever wants to talk: that it is still being loaded, or cannot be used.
#[component]
pub fn ModelNotice(
    /// How it stood when the page was made.
    status: ModelStatus,
    /// The conversation; empty while there is none.
    #[prop(optional, into)]
    conversation: String,
    /// It is about the model that writes summons.
    #[prop(optional)]
    summons: bool,
    /// Hears how it stands whenever that was looked at. How far a download is, is said there, if there is somebody who hears it.
    #[prop(optional)]
    changed: Option<Callback<ModelStatus>>,
) -> impl IntoView {
    let now = RwSignal::new(status);
    let told_there = changed.is_some();
    watch(now, (conversation, summons), changed);
    view! {
        <div class="model-notice">
            {move || {
                let status = now.get();
                let is_told = told_there && status.download().is_some();
                (!status.sentence.is_empty() && !is_told)
                    .then(|| view! { <p class="note" role="status">{status.sentence} {status.manage.then(|| better("See the models of this machine"))}</p> })
            }}
        </div>
    }
}

/// Where admins choose another file.
fn better(words: &'static str) -> impl IntoView {
    view! { " " <a class="link" rel="external" href="/admin/models#files">{words}</a> }
}

/// Looks again while the model cannot answer yet.
#[cfg(feature = "hydrate")]
fn watch(now: RwSignal<ModelStatus>, of: (String, bool), changed: Option<Callback<ModelStatus>>) {
    Effect::new(move |_| {
        let waits = now.with(|status| matches!(status.state, ModelState::Downloading | ModelState::Loading));
        if !waits {
            return;
        }
        let (conversation, summons) = of.clone();
        let handle = set_timeout_with_handle(
            move || {
                leptos::task::spawn_local(async move {
                    let found = look_at_model(conversation, summons).await;
                    // Without an answer it is looked again all the same.
                    if let (Ok(found), Some(changed)) = (&found, changed) {
                        let _ = changed.try_run(found.clone());
                    }
                    let _ = now.try_update(|status| {
                        if let Ok(found) = found {
                            *status = found;
                        }
                    });
                });
            },
            Duration::from_secs(2),
        );
        if let Ok(handle) = handle {
            on_cleanup(move || handle.clear());
        }
    });
}

#[cfg(not(feature = "hydrate"))]
fn watch(_: RwSignal<ModelStatus>, _: (String, bool), _: Option<Callback<ModelStatus>>) {}
