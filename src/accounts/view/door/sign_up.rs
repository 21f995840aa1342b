//! Creating an account.

use super::{
    Script,
    field::{self, Line},
    first_button, given, head, next_of, said,
};
use crate::{
    accounts::{
        Purpose,
        doors::Joining,
        gate::Given,
        store,
        view::{refused, with_next},
    },
    error::AppResult,
    server::ctx,
    ui::{PageTitle, load},
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// What the page must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Door {
    purpose: Purpose,
    joining: Joining,
    is_invited: bool,
    minimum_age: u32,
    is_guest: bool,
}

async fn read(next: String, invite: String) -> AppResult<Door> {
    let ctx = ctx()?;
    let mut tx = ctx.app.db.system().await?;
    let doors = store::doors(&mut tx).await?;
    let is_invited = doors.joining == Joining::Invited && store::is_invited(&mut tx, &invite).await?;
    drop(tx);
    Ok(Door {
        purpose: store::purpose(&ctx, &next).await?,
        joining: doors.joining,
        is_invited,
        minimum_age: doors.minimum_age,
        is_guest: ctx.info.viewer.as_ref().is_some_and(|v| v.is_guest),
    })
}

/// `/sign-up`
#[component]
pub fn SignUpPage() -> impl IntoView {
    let form = given();
    let (next, invite) = (next_of(&form), said(&form, "invite"));
    let (to, token) = (next.clone(), invite.clone());
    let door = load(|| (), move |()| read(to.clone(), token.clone()));
    view! {
        <PageTitle text="Create an account" />
        <Suspense fallback=|| ()>
            {move || {
                let (form, next, invite) = (form.clone(), next.clone(), invite.clone());
                Suspend::new(async move {
                    match door.await {
                        Ok(door) => page(&form, door, next, invite),
                        Err(error) => refused(error, "/sign-up"),
                    }
                })
            }}
        </Suspense>
        <Script />
    }
    .into_any()
}

fn page(form: &Given, door: Door, next: String, invite: String) -> AnyView {
    let Door { purpose, joining, is_invited, minimum_age, is_guest } = door;
    let other = with_next("/sign-in", &next);
    let title = if purpose.to.is_empty() {
        "Create your account".to_owned()
    } else {
        format!("Create an account to {}", purpose.to)
    };
    let (lead, is_open) = match joining {
        Joining::Closed => ("This site is not taking new accounts at the moment.", false),
        Joining::Invited if !is_invited => {
            ("You need an invitation to create an account here. Open the whole link that you were given.", false)
        }
        _ if is_guest => ("It is free, and your chat so far is kept.", true),
        _ => ("Create a free account to start chatting.", true),
    };
    view! {
        <section class="narrow door-page">
            {head(purpose, title, lead.to_owned())}
            {is_open.then(|| fields(form, next, invite, minimum_age))}
            <p class="aside">"Already have an account? " <a href=other>"Sign in"</a></p>
        </section>
    }
    .into_any()
}

fn fields(form: &Given, next: String, invite: String, minimum_age: u32) -> AnyView {
    let labels = [
        ("username", "Username"),
        ("email", "E-mail"),
        ("password", "Password"),
        ("birth_date", "Date of birth"),
        ("terms", "Terms"),
    ];
    let terms = view! {
        "I accept the "
        <a class="link" href="/terms" target="_blank">"terms"</a>
        " and have read the "
        <a class="link" href="/privacy" target="_blank">"privacy notice"</a>
        ". I know that the characters are AI and that what they say is made up."
    }
    .into_any();
    view! {
        <div class="card form">
            <form method="post" action="/sign-up" novalidate=true>
                {first_button()}
                {field::note(form, &labels)}
                <input type="hidden" name="next" value=next />
                <input type="hidden" name="invite" value=invite />
                // Without scripts the time zone can be set later.
                <input type="hidden" name="timezone" value="" data-zone="" />
                {Line {
                    name: "username",
                    label: "Username",
                    hint: "3 to 30 letters, digits and underscores. Others see it.",
                    kind: "text",
                    autocomplete: "username",
                    max: 30,
                }
                    .show(form)}
                {Line { name: "email", label: "E-mail", hint: "For signing in. Nobody else sees it.", kind: "email", autocomplete: "email", max: 254 }
                    .show(form)}
                {field::password(form, "Password", true)}
                {Line {
                    name: "birth_date",
                    label: "Date of birth",
                    hint: "Nobody else sees it.",
                    kind: "date",
                    autocomplete: "bday",
                    max: 10,
                }
                    .show(form)}
                {field::tick(form, "terms", terms)}
                <button class="btn" type="submit">"Create account"</button>
                <p class="meta">{format!("For people aged {minimum_age} or older.")}</p>
            </form>
        </div>
    }
    .into_any()
}
