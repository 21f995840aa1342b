//! The account menu and the switch of themes, for the page frame.

use crate::{
    accounts::{
        Me, Theme,
        api::{SetTheme, SignOut},
    },
    ui::{Icon, IconName, Initials},
};
use leptos::{prelude::*, server_fn::ServerFn};

/// Light, dark, or as the device says: three buttons of one small form.
#[component]
pub fn ThemeSwitch(
    /// The theme in force.
    theme: Theme,
) -> impl IntoView {
    let action = ServerAction::<SetTheme>::new();
    let chosen = move || action.value().get().and_then(Result::ok).unwrap_or(theme);
    Effect::new(move |_| {
        if let Some(Ok(theme)) = action.value().get()
            && let Some(root) = document().document_element()
        {
            let _ = root.set_attribute("data-theme", theme.as_str());
        }
    });
    let button = move |theme: Theme, icon: IconName, label: &'static str| {
        view! {
            <button type="submit" name="theme" value=theme.as_str() aria-pressed=move || (chosen() == theme).to_string()>
                <Icon name=icon />
                {label}
            </button>
        }
    };
    view! {
        <div class="theme-switch" role="group" aria-label="Theme">
            <ActionForm action=action>
                {button(Theme::Light, IconName::Sun, "Light")}
                {button(Theme::Dark, IconName::Moon, "Dark")}
                {button(Theme::System, IconName::Monitor, "System")}
            </ActionForm>
        </div>
    }
}

/// Signs out. A plain form on purpose: afterwards the whole page is new.
#[component]
pub fn SignOutButton(
    /// Classes of the button.
    #[prop(into)]
    class: String,
) -> impl IntoView {
    view! {
        <form method="post" action=SignOut::url()>
            <button type="submit" class=class>
                <Icon name=IconName::LogOut />
                "Sign out"
            </button>
        </form>
    }
}

/// Who is signed in, and what they can do about it. Opens without scripts.
#[component]
pub fn AccountMenu(
    /// The person.
    me: Me,
    /// The theme in force.
    theme: Theme,
) -> impl IntoView {
    view! {
        <details class="account-menu">
            <summary class="door">
                <Initials name=me.display_name.clone() src=me.avatar_url />
                <span class="who"><b>{me.display_name}</b><span>{format!("@{}", me.username)}</span></span>
                <Icon name=IconName::ChevronDown />
            </summary>
            <div class="account-menu-body">
                <a class="door" href=format!("/u/{}", me.username)><Icon name=IconName::User />"Your page"</a>
                <a class="door" href="/settings"><Icon name=IconName::Settings />"Settings"</a>
                <ThemeSwitch theme=theme />
                <SignOutButton class="door" />
            </div>
        </details>
    }
}
