//! E-mail, password, time zone, and leaving for good.

use super::{
    super::{done, follow, refused, with_next},
    SettingsFrame,
};
use crate::{
    accounts::{
        AccountSettings, StorageUse,
        api::{ChangeEmail, ChangePassword, ChangeTimezone, DeleteAccount, SetBirthDate, get_account_settings},
    },
    ui::{Check, Choice, Form, FormNote, PasswordInput, Select, Submit, TextInput, load},
};
use leptos::prelude::*;

const HERE: &str = "/settings/account";

/// The actions of the page.
#[derive(Clone, Copy)]
struct Actions {
    email: ServerAction<ChangeEmail>,
    password: ServerAction<ChangePassword>,
    timezone: ServerAction<ChangeTimezone>,
    delete: ServerAction<DeleteAccount>,
    birth: ServerAction<SetBirthDate>,
    birth_done: Signal<Option<String>>,
    email_done: Signal<Option<String>>,
    password_done: Signal<Option<String>>,
    timezone_done: Signal<Option<String>>,
    recovered: Signal<Option<String>>,
}

/// `/settings/account`
#[component]
pub fn AccountPage() -> impl IntoView {
    let (email, password) = (ServerAction::<ChangeEmail>::new(), ServerAction::<ChangePassword>::new());
    let (timezone, delete) = (ServerAction::<ChangeTimezone>::new(), ServerAction::<DeleteAccount>::new());
    let birth = ServerAction::<SetBirthDate>::new();
    follow(delete.value());
    let actions = Actions {
        email,
        password,
        timezone,
        delete,
        birth,
        birth_done: done(birth.value(), "birth", "Saved."),
        email_done: done(email.value(), "email", "Your e-mail is changed."),
        password_done: done(
            password.value(),
            "password",
            "Your password is changed. All other devices are signed out.",
        ),
        timezone_done: done(timezone.value(), "timezone", "Saved."),
        recovered: done(
            timezone.value(),
            "recovered",
            "Your new password is set. All other devices and API tokens were signed out.",
        ),
    };
    let account = load(|| (), |()| get_account_settings());
    view! {
        <Suspense fallback=|| ()>
            {move || Suspend::new(async move {
                match account.await {
                    Ok(account) => page(actions, account).into_any(),
                    Err(error) => refused(error, HERE),
                }
            })}
        </Suspense>
    }
    .into_any()
}

fn page(actions: Actions, account: AccountSettings) -> impl IntoView {
    let AccountSettings { username, email, timezone, zones, fresh, codes_left, birth_date, storage } = account;
    let zones = zones.into_iter().map(|z| Choice::new(z.clone(), z.replace('_', " "))).collect::<Vec<_>>();
    view! {
        <SettingsFrame here=HERE>
            {move || actions.recovered.get().map(|words| view! { <p class="note good" role="status">{words}</p> })}
            <div class="card settings-card">
                <h2>"Time zone"</h2>
                <Form action=actions.timezone>
                    <FormNote done=actions.timezone_done />
                    <Select name="timezone" label="Time zone" value=timezone choices=zones hint="Used for dates and times." />
                    <Submit label="Save" class="ghost" />
                </Form>
            </div>
            <div class="card settings-card">
                <h2>"Date of birth"</h2>
                <Form action=actions.birth>
                    <FormNote done=actions.birth_done />
                    <TextInput name="date" label="Date of birth" kind="date" value=birth_date autocomplete="bday" max=10 hint="Nobody else sees it. Adult characters are shown only if you are 18 or older." />
                    <Submit label="Save" class="ghost" />
                </Form>
            </div>
            <div class="card settings-card">
                <h2>"Storage used"</h2>
                <ul class="list">{storage.into_iter().map(stored).collect_view()}</ul>
            </div>
            {if fresh { sensitive(actions, username, email, codes_left).into_any() } else { ask(email, codes_left).into_any() }}
        </SettingsFrame>
    }
}

/// How much of one kind is stored.
fn stored(found: StorageUse) -> impl IntoView {
    let StorageUse { kind, used, limit, words } = found;
    let id = format!("storage-{}", kind.to_lowercase());
    view! {
        <li class="list-row">
            <span class="grow"><b id=id.clone()>{kind}</b><span class="meta block">{words}</span></span>
            <meter aria-labelledby=id min=0 max=limit value=used></meter>
        </li>
    }
}

/// What needs the password first, named but closed.
fn ask(email: String, codes_left: u32) -> impl IntoView {
    view! {
        <div class="card settings-card">
            <h2>"E-mail, password, recovery codes"</h2>
            <p>
                "Your e-mail is "<b>{email}</b>". To change it or your password, to make new recovery codes, or to delete the account, confirm your password first."
            </p>
            <p>{left(codes_left)}</p>
            <p class="row-actions"><a class="btn" href=with_next("/confirm", HERE)>"Confirm your password"</a></p>
        </div>
    }
}

/// How many recovery codes there are, in words.
fn left(codes: u32) -> String {
    match codes {
        0 => "You have no recovery codes. Without one, a forgotten password locks you out.".to_owned(),
        1 => "You have 1 recovery code left. Make new ones soon.".to_owned(),
        n => format!("You have {n} recovery codes left."),
    }
}

fn sensitive(actions: Actions, username: String, email: String, codes_left: u32) -> impl IntoView {
    view! {
        <div class="card settings-card">
            <h2>"Recovery codes"</h2>
            <p>{left(codes_left)}" Each sets a new password once, if you forget yours. New codes replace the old ones."</p>
            // Plain on purpose: the codes are shown on a page that the server draws alone.
            <form method="post" action="/welcome/codes">
                <button class="btn ghost" type="submit">"Make new recovery codes"</button>
            </form>
        </div>
        <div class="card settings-card">
            <h2>"E-mail"</h2>
            <Form action=actions.email>
                <FormNote done=actions.email_done />
                <TextInput name="form[email]" label="E-mail" value=email kind="email" autocomplete="email" required=true max=254 />
                <Submit label="Change e-mail" class="ghost" />
            </Form>
        </div>
        <div class="card settings-card">
            <h2>"Password"</h2>
            <Form action=actions.password>
                <FormNote done=actions.password_done />
                <PasswordInput name="form[password]" label="New password" hint="At least 15 characters. All other devices are signed out." autocomplete="new-password" />
                <PasswordInput name="form[password_again]" label="The same again" autocomplete="new-password" />
                <Check name="form[tokens_too]" label="Revoke my API tokens as well" checked=true />
                <Submit label="Change password" class="ghost" />
            </Form>
        </div>
        <div class="card settings-card">
            <h2>"Delete account"</h2>
            <p>
                "Your profile, chats, settings and drafts are deleted at once and cannot be brought back. "
                "Published characters stay, without your name, unless you delete them as well."
            </p>
            <Form action=actions.delete>
                <FormNote />
                <Check name="form[characters_too]" label="Delete my published characters as well" />
                <TextInput name="form[username]" label=format!("Type {username} to confirm") required=true max=30 />
                <Submit label="Delete my account" class="danger" />
            </Form>
        </div>
    }
}
