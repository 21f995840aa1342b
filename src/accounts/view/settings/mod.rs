//! Settings: one page each, beside a list of them.

mod account;
mod appearance;
mod devices;
mod profile;
mod tokens;

pub use account::AccountPage;
pub use appearance::AppearancePage;
pub use devices::DevicesPage;
pub use profile::ProfilePage;
pub use tokens::TokensPage;

use super::{menu::SignOutButton, refused};
use crate::{
    accounts::{Frame, Role},
    app::FrameResource,
    error::AppError,
    ui::{Icon, IconName, Initials, PageTitle, Sections},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

/// The pages: path, name, what is there, icon. Those about models are drawn by the server alone.
const PAGES: &[(&str, &str, &str, IconName)] = &[
    ("/settings/profile", "Profile", "Name, picture and a few lines about you", IconName::User),
    ("/settings/personas", "Personas", "Who you are to the characters", IconName::Message),
    ("/settings/account", "Account", "E-mail, password, recovery codes, date of birth", IconName::Shield),
    ("/settings/appearance", "Appearance", "Light or dark", IconName::Sun),
    ("/settings/devices", "Devices and tokens", "Everything that opens your account", IconName::Device),
    ("/settings/tokens", "API tokens", "Let your own programs use this site", IconName::Key),
    ("/settings/usage", "Usage", "What you used today, and what is left", IconName::History),
    (OWN_KEYS, OWN_KEYS_NAME, "Your own key for OpenAI, Anthropic or another provider of models", IconName::Wand),
];

/// How a link to a page is followed: those that the server draws alone are fetched whole.
fn way(path: &str) -> Option<&'static str> {
    ["/settings/usage", "/settings/models", "/admin"].contains(&path).then_some("external")
}

/// Path of the page about own keys, shown where the operator lets people use some.
const OWN_KEYS: &str = "/settings/models";
const OWN_KEYS_NAME: &str = "Model keys";

/// The list of settings beside one of them.
#[component]
pub fn SettingsFrame(
    /// Path of the page.
    here: &'static str,
    /// The page.
    children: Children,
) -> impl IntoView {
    let title = PAGES.iter().find(|p| p.0 == here).map_or("Settings", |p| p.1);
    let frame = expect_context::<FrameResource>();
    let own_keys = view! {
        <Suspense fallback=|| ()>
            {move || Suspend::new(async move {
                frame
                    .await
                    .is_ok_and(|f| f.own_keys)
                    .then(|| {
                        view! {
                            <a class="door" href=OWN_KEYS rel="external" aria-current=(OWN_KEYS == here).then_some("page")>
                                <Icon name=IconName::Wand />
                                {OWN_KEYS_NAME}
                            </a>
                        }
                    })
            })}
        </Suspense>
    }
    .into_any();
    view! {
        <PageTitle text=title />
        <Sections
            label="Settings"
            class="wrap settings"
            links=PAGES
                .iter()
                .filter(|page| page.0 != OWN_KEYS)
                .map(|(path, name, _, icon)| (*path, *name, *icon, way(path)))
                .collect()
            here=here
            more=own_keys
            title=title.to_owned()
        >
            {children()}
        </Sections>
    }
}

/// `/settings`: who one is, and the way to each page.
#[component]
pub fn SettingsPage() -> impl IntoView {
    let frame = expect_context::<FrameResource>();
    view! {
        <PageTitle text="Settings" />
        <Suspense fallback=|| ()>
            {move || Suspend::new(async move {
                match frame.await {
                    Ok(frame) if frame.me.is_some() => overview(frame).into_any(),
                    Ok(_) => refused(AppError::SignInRequired, "/settings"),
                    Err(error) => refused(error, "/settings"),
                }
            })}
        </Suspense>
    }
    .into_any()
}

fn overview(frame: Frame) -> impl IntoView {
    let query = use_query_map();
    let admin = move || query.with(|q| q.get("admin").is_some());
    let own_keys = frame.own_keys;
    frame.me.map(|me| {
        let is_admin = me.role == Role::Admin;
        view! {
            <section class="wrap settings-home">
                <header class="person-head">
                    <Initials name=me.display_name.clone() src=me.avatar_url class="large" />
                    <div>
                        <h1>{me.display_name}</h1>
                        <p class="meta">{format!("@{}", me.username)}{is_admin.then_some(" · admin")}</p>
                    </div>
                </header>
                {move || (is_admin && admin()).then(|| view! { <p class="note good mb-4">"You are the first admin. Nobody else can use that link now."</p> })}
                <div class="list">
                    {PAGES
                        .iter()
                        .filter(|page| own_keys || page.0 != OWN_KEYS)
                        .map(|(path, name, what, icon)| {
                            view! {
                                <a class="list-row" href=*path rel=way(path)>
                                    <Icon name=*icon />
                                    <span class="grow"><b>{*name}</b><span class="meta block">{*what}</span></span>
                                    <Icon name=IconName::ChevronRight />
                                </a>
                            }
                        })
                        .collect_view()}
                </div>
                <div class="row-actions mt-6">
                    {is_admin.then(|| view! { <a class="btn" rel="external" href="/admin">"Administration"</a> })}
                    <a class="btn ghost" href=format!("/u/{}", me.username)>"See your page"</a>
                    <a class="btn ghost" href="/developers">"For developers"</a>
                    <SignOutButton class="btn ghost" />
                </div>
            </section>
        }
    })
}
