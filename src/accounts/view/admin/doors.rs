//! Who may come in: guests, joining, the youngest age, invitations; and how much they may store.

use super::{made, storage};
use crate::{
    accounts::{
        Invitation, Made,
        admin_api::{Invite, RevokeInvitation, SaveDoors},
        doors::{Doors, Joining},
        once,
        storage::StorageLimit,
        store,
    },
    models::view::{AdminFrame, ConfirmFirst, loaded, saved},
    ui::{Choice, Form, FormNote, Select, Submit, TextInput, Time},
};
use leptos::{prelude::*, server_fn::ServerFn};
use serde::{Deserialize, Serialize};

const HERE: &str = "/admin/accounts";

/// What the page shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Page {
    doors: Doors,
    invitations: Vec<Invitation>,
    storage: Vec<StorageLimit>,
    fresh: bool,
    link: Option<Made>,
}

/// `/admin/accounts`
#[component]
pub fn DoorsPage() -> impl IntoView {
    let fetch = |ctx: crate::server::Ctx| async move {
        let link = once::take(&ctx, HERE);
        let (doors, invitations, storage, fresh) = store::doors_page(&ctx).await?;
        Ok(Page { doors, invitations, storage, fresh, link })
    };
    loaded(HERE.to_owned(), fetch, |page: Page| show(page).into_any())
}

fn show(page: Page) -> impl IntoView {
    let Page { doors, invitations, storage, fresh, link } = page;
    view! {
        <AdminFrame here=HERE title="Accounts and guests">
            {if fresh {
                settings(doors).into_any()
            } else {
                view! {
                    <div class="card settings-card">
                        <p>{told(doors)}</p>
                        <ConfirmFirst what="To change who may come in, confirm your password first." here=HERE />
                    </div>
                }
                    .into_any()
            }}
            <h2 id="invitations">"Invitations"</h2>
            <p>"With an invitation, people can create an account while sign-up is by invitation only."</p>
            {link
                .map(|link| {
                    made(link, "The invitation is ready. Copy its link now: it is not shown again.".to_owned())
                })}
            {fresh.then(invite)}
            {(!invitations.is_empty())
                .then(|| view! { <ul class="list settings-card">{invitations.into_iter().map(row).collect_view()}</ul> })}
            <h2 id="storage">"Storage per account"</h2>
            <p>"What is stored already stays, even above the limit. People see theirs in Settings, Account."</p>
            {if fresh { storage::settings(&storage).into_any() } else { storage::told(&storage).into_any() }}
        </AdminFrame>
    }
}

/// What holds now, in words.
fn told(doors: Doors) -> String {
    let guests = match doors.guest_lines {
        0 => "Guests may not chat.".to_owned(),
        n => format!("Guests may send {n} messages a day, and {} from one network address.", doors.guest_lines_address),
    };
    let joining = match doors.joining {
        Joining::Open => "Sign-up is open",
        Joining::Invited => "Sign-up is by invitation",
        Joining::Closed => "Sign-up is closed",
    };
    format!("{guests} {joining}, for people aged {} or older.", doors.minimum_age)
}

fn settings(doors: Doors) -> impl IntoView {
    let save = ServerAction::<SaveDoors>::new();
    let joining = [
        Choice::new("open", "Open to everybody"),
        Choice::new("invited", "By invitation only"),
        Choice::new("closed", "Closed"),
    ];
    view! {
        <div class="card settings-card">
            <Form action=save>
                <FormNote done=saved("doors", "Saved.") />
                <TextInput name="form[guest_lines]" label="Guest messages a day" value=doors.guest_lines.to_string() max=4 required=true
                    hint="Per device. 0 turns guests off: visitors are asked to create an account instead." />
                <TextInput name="form[guest_lines_address]" label="Guest messages a day from one network address" value=doors.guest_lines_address.to_string()
                    max=6 required=true hint="For all guests of one household or network together." />
                <Select name="form[joining]" label="New accounts" value=doors.joining.as_str() choices=joining.to_vec() />
                <TextInput name="form[minimum_age]" label="Minimum age" value=doors.minimum_age.to_string() max=2 required=true
                    hint="Years. Adult characters need 18 in any case." />
                <Submit label="Save" />
            </Form>
        </div>
    }
}

fn invite() -> impl IntoView {
    let action = ServerAction::<Invite>::new();
    view! {
        <div class="card settings-card">
            <Form action=action>
                <FormNote />
                <TextInput name="form[note]" label="For whom (only admins see it)" max=100 />
                <TextInput name="form[uses]" label="How many people" value="1" max=4 required=true />
                <TextInput name="form[days]" label="Valid for days" value="7" max=3 required=true />
                <Submit label="Make an invitation" class="ghost" />
            </Form>
        </div>
    }
}

fn row(invitation: Invitation) -> impl IntoView {
    let Invitation { id, note, uses_left, until, is_good } = invitation;
    let name = if note.is_empty() { "Invitation".to_owned() } else { note };
    let label = format!("Revoke {name}");
    view! {
        <li class="list-row">
            <span class="grow">
                <b>{name}</b>
                <span class="meta">
                    {if is_good { format!("{uses_left} left, until ") } else { "No longer valid, ended ".to_owned() }}
                    <Time at=until />
                </span>
            </span>
            <form method="post" action=RevokeInvitation::url()>
                <input type="hidden" name="id" value=id />
                <button type="submit" class="quiet danger" aria-label=label>"Revoke"</button>
            </form>
        </li>
    }
}
