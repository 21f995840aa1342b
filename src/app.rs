//! The document, the route table, and the frame that every page stands in.

use crate::{
    accounts::{self, Frame, Theme},
    developers,
    error::AppError,
    ocs,
    ui::{Draft, ErrorView},
};
use leptos::prelude::*;
use leptos_meta::provide_meta_context;
#[cfg(feature = "ssr")]
use leptos_meta::{HashedStylesheet, MetaTags};
use leptos_router::{
    SsrMode,
    components::{Route, Router, Routes},
    path,
};

/// The HTML around the app. Runs on the server only.
#[cfg(feature = "ssr")]
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let theme = use_context::<axum::http::request::Parts>()
        .and_then(|p| p.extensions.get::<crate::server::request::RequestInfo>().map(|i| i.theme))
        .unwrap_or_default();
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme.as_str()>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <link rel="preload" href="/fonts/hanken-grotesk.woff2" r#as="font" r#type="font/woff2" crossorigin="anonymous" />
                <link rel="preload" href="/fonts/literata.woff2" r#as="font" r#type="font/woff2" crossorigin="anonymous" />
                <HashedStylesheet options=options.clone() id="leptos" />
                <HydrationScripts options=options />
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

/// The frame's data, for every component that needs to know who is signed in. Read it under a `Suspense`.
pub type FrameResource = Resource<Result<Frame, AppError>>;

/// The theme in force; the account menu changes it.
#[derive(Clone, Copy)]
pub struct ThemeChoice(pub RwSignal<Theme>);

/// The app: the same tree on the server and in the browser.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    // What a refused plain form held; written into the page by the server, read from there by the browser.
    let draft = SharedValue::new(|| {
        #[cfg(feature = "ssr")]
        {
            use_context::<axum::http::request::Parts>()
                .and_then(|p| p.extensions.get::<crate::server::request::RequestInfo>().map(|i| i.draft.clone()))
                .unwrap_or_default()
        }
        #[cfg(not(feature = "ssr"))]
        std::collections::BTreeMap::<String, String>::new()
    });
    provide_context(Draft(draft.into_inner()));

    view! {
        <Router>
            <crate::frame::PageFrame>
                <Routes fallback=|| view! { <ErrorView error=AppError::NotFound /> }>
                    <Route path=path!("/conversations") view=crate::chat::view::ConversationsPage ssr=SsrMode::Async />
                    <Route path=path!("/talk/:slug") view=crate::chat::view::TalkPage ssr=SsrMode::Async />
                    <Route path=path!("/chat/:id") view=crate::chat::view::ChatPage ssr=SsrMode::Async />
                    <Route path=path!("/summon") view=crate::ocs::summon::view::NewSummonPage ssr=SsrMode::Async />
                    <Route path=path!("/summon/:id") view=crate::ocs::summon::view::SummonJobPage ssr=SsrMode::Async />
                    <Route path=path!("/") view=ocs::view::HomePage ssr=SsrMode::Async />
                    <Route path=path!("/characters") view=ocs::view::GalleryPage ssr=SsrMode::Async />
                    <Route path=path!("/characters/new") view=ocs::view::NewPage ssr=SsrMode::Async />
                    <Route path=path!("/c/:slug") view=ocs::view::ProfilePage ssr=SsrMode::Async />
                    <Route path=path!("/c/:slug/edit") view=ocs::view::EditPage ssr=SsrMode::Async />
                    <Route path=path!("/c/:slug/versions") view=ocs::view::VersionsPage ssr=SsrMode::Async />
                    <Route path=path!("/sign-in") view=accounts::view::SignInPage ssr=SsrMode::Async />
                    <Route path=path!("/sign-up") view=accounts::view::SignUpPage ssr=SsrMode::Async />
                    <Route path=path!("/confirm") view=accounts::view::ConfirmPage ssr=SsrMode::Async />
                    <Route path=path!("/goodbye") view=accounts::view::GoodbyePage ssr=SsrMode::Async />
                    <Route path=path!("/setup/:token") view=accounts::view::SetupPage ssr=SsrMode::Async />
                    <Route path=path!("/settings") view=accounts::view::settings::SettingsPage ssr=SsrMode::Async />
                    <Route path=path!("/settings/profile") view=accounts::view::settings::ProfilePage ssr=SsrMode::Async />
                    <Route path=path!("/settings/account") view=accounts::view::settings::AccountPage ssr=SsrMode::Async />
                    <Route path=path!("/settings/appearance") view=accounts::view::settings::AppearancePage ssr=SsrMode::Async />
                    <Route path=path!("/settings/devices") view=accounts::view::settings::DevicesPage ssr=SsrMode::Async />
                    <Route path=path!("/settings/tokens") view=accounts::view::settings::TokensPage ssr=SsrMode::Async />
                    <Route path=path!("/developers") view=developers::view::DevelopersPage ssr=SsrMode::Async />
                    <Route path=path!("/u/:username") view=accounts::view::PersonPage ssr=SsrMode::Async />
                </Routes>
            </crate::frame::PageFrame>
        </Router>
    }
}
