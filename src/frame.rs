//! The frame around every page: rail, bar and tabs of phones, search, account, recent chats.

use crate::{
    accounts::{self, Frame},
    app::FrameResource,
    error::AppError,
    ui::{Icon, IconName, Initials, Mini, focus_heading_on_arrival, load},
};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// A door of the house: path, name, icon. Shown when its room exists.
const DOORS: &[(&str, &str, IconName)] = &[
    ("/", "Home", IconName::Home),
    ("/characters", "Characters", IconName::User),
    ("/summon", "Summon", IconName::Wand),
    ("/conversations", "Chats", IconName::Message),
];

/// One's own characters: a door for those who can have some.
const MINE: &(&str, &str, IconName) = &("/characters/mine", "Your characters", IconName::Users);
/// The same among the tabs, where there is little room.
const MINE_TAB: &(&str, &str, IconName) = &("/characters/mine", "Yours", IconName::Users);

/// Paths that stand behind a door besides its own.
fn is_behind(door: &str, path: &str) -> bool {
    match door {
        "/" => path == "/",
        "/characters" => {
            (path.starts_with("/characters") && !path.starts_with("/characters/mine")) || path.starts_with("/c/")
        }
        "/conversations" => {
            path.starts_with("/conversations") || path.starts_with("/chat/") || path.starts_with("/talk/")
        }
        other => path.starts_with(other),
    }
}

/// Rail at the left (wide), tabs at the bottom (narrow), the page between them.
#[component]
pub fn PageFrame(
    /// The page.
    children: Children,
) -> impl IntoView {
    let path = use_location().pathname;
    // Read again with every page: signing in or talking with somebody new shows at once.
    let frame: FrameResource = load(move || path.get(), |_| accounts::api::get_frame());
    provide_context(frame);
    focus_heading_on_arrival(path);
    let door = move |(href, name, icon): &'static (&'static str, &'static str, IconName), class: &'static str| {
        view! {
            <a class=class href=*href aria-current=move || is_behind(href, &path.get()).then_some("page")>
                <Icon name=*icon />
                {*name}
            </a>
        }
    };
    view! {
        <a class="skip" href="#main">"Skip to the page"</a>
        <div class="shell" class:in-chat=move || path.with(|p| is_talk(p))>
            <header class="rail">
                <a class="brand" href="/"><Icon name=IconName::Flame />"SoulForge"</a>
                <crate::find::Find />
                <nav aria-label="Main">
                    {DOORS.iter().map(|d| door(d, "door")).collect_view()}
                    <Transition fallback=|| ()>{move || Suspend::new(async move { is_member(frame.await).then(|| door(MINE, "door")) })}</Transition>
                </nav>
                <Transition fallback=|| ()>{move || Suspend::new(async move { frame.await.map(|f| view! { <Lately frame=f.clone() /><Foot frame=f /> }).ok() })}</Transition>
            </header>
            <div class="topbar">
                <a class="brand" href="/"><Icon name=IconName::Flame />"SoulForge"</a>
                <a class="icon-btn" href="/characters" aria-label="Search characters"><Icon name=IconName::Search /></a>
                <Transition fallback=|| ()>{move || Suspend::new(async move { frame.await.map(|f| view! { <Face frame=f /> }).ok() })}</Transition>
            </div>
            <main id="main" tabindex="-1">{children()}</main>
            {move || (!is_talk(&path.get())).then(|| view! { <SmallPrint /> })}
            <nav class="tabs" aria-label="Main, short">
                {DOORS.iter().map(|d| door(d, "")).collect_view()}
                <Transition fallback=|| ()>{move || Suspend::new(async move { is_member(frame.await).then(|| door(MINE_TAB, "")) })}</Transition>
            </nav>
        </div>
    }
}

/// Whether a path is that of a talk, which has the whole screen of a phone.
fn is_talk(path: &str) -> bool {
    path.strip_prefix("/chat/")
        .or(path.strip_prefix("/talk/"))
        .is_some_and(|rest| !rest.trim_end_matches('/').contains('/'))
}

/// What an operator must say, at the foot of every page.
#[component]
fn SmallPrint() -> impl IntoView {
    use crate::legal::Page;
    view! {
        <footer class="small-print">
            <p>"Characters are AI. What they say is made up."</p>
            <nav aria-label="About this site">
                {Page::ALL.map(|page| view! { <a href=page.path() rel="external">{page.title()}</a> }).collect_view()}
            </nav>
        </footer>
    }
}

/// Whether somebody is signed in who can have characters.
fn is_member(frame: Result<Frame, AppError>) -> bool {
    frame.is_ok_and(|f| f.me.is_some())
}

/// At the right of the bar on phones: one's own face, which leads to the settings, or the ways in.
#[component]
fn Face(
    /// What is known about the viewer.
    frame: Frame,
) -> impl IntoView {
    match frame.me {
        Some(me) => view! {
            <a class="icon-btn" href="/settings" aria-label="Your account and settings">
                <Initials name=me.display_name src=me.avatar_url />
            </a>
        }
        .into_any(),
        None => view! {
            <a class="quiet" href="/sign-in" rel="external">"Sign in"</a>
            <a class="btn small" href="/sign-up" rel="external">"Join"</a>
        }
        .into_any(),
    }
}

/// The newest conversations, and the colours of the character of the first.
#[component]
fn Lately(
    /// What is known about the viewer.
    frame: Frame,
) -> impl IntoView {
    view! {
        {frame.accent.map(|id| view! { <link rel="stylesheet" href=format!("{}?as=shell", crate::ocs::theme_url(id)) /> })}
        {(!frame.lately.is_empty()).then(|| view! { <p class="lab">"Recent chats"</p> })}
        {frame
            .lately
            .into_iter()
            .map(|l| {
                view! {
                    <a class="door" href=format!("/chat/{}", l.conversation_id)>
                        <Mini src=l.portrait_url />
                        <span class="who"><b>{l.name}</b><span>{l.last_line}</span></span>
                    </a>
                }
            })
            .collect_view()}
    }
}

/// Who is signed in, at the foot of the rail.
#[component]
fn Foot(
    /// What is known about the viewer.
    frame: Frame,
) -> impl IntoView {
    view! {
        <div class="foot">
            {match frame.me {
                Some(me) => view! { <accounts::view::AccountMenu me=me theme=frame.theme /> }.into_any(),
                None => {
                    view! {
                        <a class="door" href="/sign-in" rel="external"><Icon name=IconName::User />"Sign in"</a>
                        <a class="btn small" href="/sign-up" rel="external">"Join SoulForge"</a>
                    }
                        .into_any()
                }
            }}
        </div>
    }
}

/// What a page shows when its data could not be had.
pub fn fault(error: AppError) -> AnyView {
    view! { <crate::ui::ErrorView error=error /> }.into_any()
}
