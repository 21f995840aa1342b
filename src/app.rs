//! The document, the route table, and the frame that every page stands in.

use crate::{
    accounts::{Frame, Theme},
    error::AppError,
    lazy, ocs,
    ui::{Draft, ErrorView, Loaded},
};
use leptos::prelude::*;
use leptos_meta::provide_meta_context;
#[cfg(feature = "ssr")]
use leptos_meta::{HashedStylesheet, MetaTags};
use leptos_router::{
    Lazy, SsrMode,
    components::{Route, Router, Routes},
    path,
};

/// The HTML around the app. Runs on the server only.
#[cfg(feature = "ssr")]
pub fn shell(options: LeptosOptions) -> impl IntoView {
    document(options.clone(), view! { <HydrationScripts options=options /> }, false, || view! { <App /> })
}

/// The HTML around a page that the server draws alone: nothing runs in the browser.
#[cfg(feature = "ssr")]
pub fn plain_shell(options: LeptosOptions) -> impl IntoView {
    document(options, (), true, || view! { <PlainApp /> })
}

#[cfg(feature = "ssr")]
fn document<V: IntoView + 'static>(
    options: LeptosOptions,
    scripts: impl IntoView + 'static,
    is_plain: bool,
    body: impl FnOnce() -> V + 'static,
) -> impl IntoView {
    let theme = use_context::<axum::http::request::Parts>()
        .and_then(|p| p.extensions.get::<crate::server::request::RequestInfo>().map(|i| i.theme))
        .unwrap_or_default();
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme.as_str() data-plain=is_plain>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <link rel="manifest" href="/site.webmanifest" />
                <link rel="preload" href="/fonts/hanken-grotesk.e007f427.woff2" r#as="font" r#type="font/woff2" crossorigin="anonymous" />
                <link rel="preload" href="/fonts/literata.0ec22d46.woff2" r#as="font" r#type="font/woff2" crossorigin="anonymous" />
                <HashedStylesheet options=options id="leptos" />
                {scripts}
                {preview()}
                <MetaTags />
            </head>
            <body>{body()}</body>
        </html>
    }
}

/// What other sites and messengers show beside a link, for pages that say nothing about it themselves.
#[cfg(feature = "ssr")]
fn preview() -> Option<impl IntoView> {
    let path = use_context::<axum::http::request::Parts>()?.uri.path().to_owned();
    // A character's page has a picture of its own.
    let is_own = path.strip_prefix("/c/").is_some_and(|rest| !rest.trim_end_matches('/').contains('/'));
    let origin = use_context::<crate::server::AppState>()?.config.origin();
    let image = format!("{origin}/banner.png?v={}", ocs::banner_version(0));
    let tag = |name: &'static str, content: &str| {
        leptos::html::meta().attr("property", name).attr("content", content.to_owned())
    };
    (!is_own).then(|| {
        [
            tag("og:site_name", "SoulForge"),
            tag("og:image", &image),
            tag("og:image:type", "image/png"),
            tag("og:image:width", "1200"),
            tag("og:image:height", "630"),
            tag("og:image:alt", "Three drawn characters of SoulForge"),
            tag("twitter:card", "summary_large_image"),
        ]
        .collect_view()
    })
}

/// The pages that the server draws alone, in the same frame as all others: those where people arrive who have fetched
/// nothing yet, and those for few. They cost nobody's browser a download; links to them carry `rel="external"`.
#[cfg(feature = "ssr")]
#[component]
pub fn PlainApp() -> impl IntoView {
    use crate::models::view;
    provide_meta_context();
    let draft = use_context::<axum::http::request::Parts>()
        .and_then(|p| p.extensions.get::<crate::server::request::RequestInfo>().map(|i| i.draft.clone()));
    provide_context(Draft(draft.unwrap_or_default()));
    view! {
        <Router>
            <crate::frame::PageFrame>
                <Routes fallback=|| view! { <ErrorView error=AppError::NotFound /> }>
                    <Route path=path!("/sign-in") view=crate::accounts::view::SignInPage ssr=SsrMode::Async />
                    <Route path=path!("/sign-up") view=crate::accounts::view::SignUpPage ssr=SsrMode::Async />
                    <Route path=path!("/forgot") view=crate::accounts::view::ForgotPage ssr=SsrMode::Async />
                    <Route path=path!("/reset/:token") view=crate::accounts::view::ResetPage ssr=SsrMode::Async />
                    <Route path=path!("/welcome") view=crate::accounts::view::WelcomePage ssr=SsrMode::Async />
                    <Route path=path!("/admin") view=view::AdminPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/home") view=crate::ocs::view::FeaturedPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/people") view=crate::accounts::view::admin::PeoplePage ssr=SsrMode::Async />
                    <Route path=path!("/admin/accounts") view=crate::accounts::view::admin::DoorsPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/pages") view=crate::legal::view::PagesPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/pages/:page") view=crate::legal::view::EditPage ssr=SsrMode::Async />
                    <Route path=path!("/characters/import") view=crate::cards::view::ImportPage ssr=SsrMode::Async />
                    <Route path=path!("/terms") view=crate::legal::view::LegalPage ssr=SsrMode::Async />
                    <Route path=path!("/privacy") view=crate::legal::view::LegalPage ssr=SsrMode::Async />
                    <Route path=path!("/contact") view=crate::legal::view::LegalPage ssr=SsrMode::Async />
                    <Route path=path!("/about-ai") view=crate::legal::view::LegalPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/models") view=view::ModelsAdminPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/models/provider/:id") view=view::ProviderPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/models/model/:id") view=view::ModelPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/safety") view=crate::trust::view::SafetyAdminPage ssr=SsrMode::Async />
                    <Route path=path!("/admin/jobs") view=crate::admin::view::JobsAdminPage ssr=SsrMode::Async />
                    <Route path=path!("/settings/usage") view=view::UsagePage ssr=SsrMode::Async />
                    <Route path=path!("/settings/models") view=view::OwnKeysPage ssr=SsrMode::Async />
                </Routes>
            </crate::frame::PageFrame>
        </Router>
    }
}

/// Addresses in [`App`] that the server answers with a page of [`PlainApp`].
#[cfg(feature = "ssr")]
pub const ELSEWHERE: [&str; 2] = ["/sign-in", "/sign-up"];

/// A page that only the server draws: whoever is led there inside the app asks for it.
#[component]
fn Elsewhere() -> impl IntoView {
    let location = leptos_router::hooks::use_location();
    Effect::new(move |_| {
        let (path, query) = (location.pathname.get_untracked(), location.search.get_untracked());
        let _ = window().location().replace(&format!("{path}{}{query}", if query.is_empty() { "" } else { "?" }));
    });
}

/// The frame's data, for every component that needs to know who is signed in. Read it under a `Suspense`.
pub type FrameResource = Loaded<Result<Frame, AppError>>;

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
                    <Route path=path!("/conversations") view={Lazy::<lazy::Conversations>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/conversations/import") view={Lazy::<lazy::ImportChat>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/talk/:slug") view={Lazy::<lazy::Talk>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/chat/:id") view={Lazy::<lazy::Chat>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/chat/:id/notes") view={Lazy::<lazy::Notes>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/chat/:id/receipt/:run") view={Lazy::<lazy::Receipt>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/summon") view={Lazy::<lazy::NewSummon>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/summon/:id") view={Lazy::<lazy::SummonJob>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/") view=ocs::view::HomePage ssr=SsrMode::Async />
                    <Route path=path!("/characters") view={Lazy::<lazy::Gallery>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/characters/mine") view={Lazy::<lazy::Mine>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/characters/new") view={Lazy::<lazy::New>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/c/:slug") view=ocs::view::ProfilePage ssr=SsrMode::Async />
                    <Route path=path!("/c/:slug/edit") view={Lazy::<lazy::Edit>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/c/:slug/versions") view={Lazy::<lazy::Versions>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/sign-in") view=Elsewhere />
                    <Route path=path!("/sign-up") view=Elsewhere />
                    <Route path=path!("/confirm") view={Lazy::<lazy::Confirm>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/goodbye") view={Lazy::<lazy::Goodbye>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/setup/:token") view={Lazy::<lazy::Setup>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/settings") view={Lazy::<lazy::Settings>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/settings/profile") view={Lazy::<lazy::Profile>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/settings/personas") view={Lazy::<lazy::Personas>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/settings/account") view={Lazy::<lazy::Account>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/settings/appearance") view={Lazy::<lazy::Appearance>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/settings/devices") view={Lazy::<lazy::Devices>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/settings/tokens") view={Lazy::<lazy::Tokens>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/developers") view={Lazy::<lazy::Developers>::new()} ssr=SsrMode::Async />
                    <Route path=path!("/u/:username") view={Lazy::<lazy::Person>::new()} ssr=SsrMode::Async />
                </Routes>
            </crate::frame::PageFrame>
        </Router>
    }
}
