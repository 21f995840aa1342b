//! Who is here: a list with a search, and the way back in for somebody who lost their password.

use super::made;
use crate::{
    accounts::{
        Listed, PeopleList, Role,
        admin_api::{MakeResetLink, Suspend},
        once, store,
    },
    models::view::{AdminFrame, ConfirmFirst, loaded},
    ui::{Empty, Form, FormNote, Time},
};
use leptos::{prelude::*, server_fn::ServerFn};
use leptos_router::hooks::use_query_map;

const HERE: &str = "/admin/people";

/// `/admin/people?q=...`
#[component]
pub fn PeoplePage() -> impl IntoView {
    let q = use_query_map().with_untracked(|q| q.get("q")).unwrap_or_default();
    let fetch = move |ctx: crate::server::Ctx| {
        let q = q.clone();
        async move {
            let made = once::take(&ctx, HERE);
            Ok(PeopleList { made, ..store::people(&ctx, &q).await? })
        }
    };
    loaded(HERE.to_owned(), fetch, |list: PeopleList| page(list).into_any())
}

fn page(list: PeopleList) -> impl IntoView {
    let PeopleList { people, more, q, fresh, made: link } = list;
    let (link_made, suspended) = (ServerAction::<MakeResetLink>::new(), ServerAction::<Suspend>::new());
    let none = people.is_empty();
    view! {
        <AdminFrame here=HERE title="People">
            {link
                .map(|link| {
                    let words = format!("A one-time link for {}. Send it to them: it works once, for 24 hours, and is not shown again.", link.whom);
                    made(link, words)
                })}
            <form class="people-find" method="get" action=HERE role="search">
                <input type="search" name="q" value=q aria-label="Search people" placeholder="Username, name or e-mail" maxlength="100" />
                <button class="btn ghost" type="submit">"Search"</button>
            </form>
            // What a refused form says; each row has one of its own.
            <Form action=link_made><FormNote /></Form>
            <Form action=suspended><FormNote /></Form>
            {(!fresh)
                .then(|| {
                    view! {
                        <div class="card settings-card">
                            <ConfirmFirst what="To make one-time links, which let somebody in without their password, or to suspend somebody, confirm your password first." here=HERE />
                        </div>
                    }
                })}
            {if none {
                view! { <Empty title="Nobody found" hint="Try a part of the username, the name or the e-mail." /> }.into_any()
            } else {
                view! { <ul class="list settings-card">{people.into_iter().map(|p| row(p, fresh)).collect_view()}</ul> }.into_any()
            }}
            {more.then(|| view! { <p class="meta">"There are more. Search to find the others."</p> })}
        </AdminFrame>
    }
}

fn row(person: Listed, fresh: bool) -> impl IntoView {
    let Listed { id, username, display_name, email, role, is_active, joined, last_seen } = person;
    let tag = match (role, is_active) {
        (_, false) => Some("suspended"),
        (Role::Admin, _) => Some("admin"),
        (Role::Moderator, _) => Some("moderator"),
        (Role::User, _) => None,
    };
    let label = format!("Make a one-time link for {username}");
    let may_suspend = fresh && role != Role::Admin;
    let (what, lift) = if is_active { ("Suspend", "false") } else { ("Reinstate", "true") };
    let suspend = format!("{what} {username}");
    view! {
        <li class="list-row">
            <span class="grow">
                <b><a href=format!("/u/{username}") rel="external">{display_name}</a></b>
                {tag.map(|tag| view! { " "<span class="tag">{tag}</span> })}
                <span class="meta">{format!("@{username} · {email}")}</span>
                <span class="meta">"Joined "<Time at=joined />", last here "<Time at=last_seen /></span>
            </span>
            {fresh
                .then(|| {
                    view! {
                        <form method="post" action=MakeResetLink::url()>
                            <input type="hidden" name="id" value=id.to_string() />
                            <button type="submit" class="quiet" aria-label=label>"Make a one-time link"</button>
                        </form>
                    }
                })}
            {may_suspend
                .then(|| {
                    view! {
                        <form method="post" action=Suspend::url()>
                            <input type="hidden" name="id" value=id.to_string() />
                            <input type="hidden" name="lift" value=lift />
                            <button type="submit" class="quiet" class:danger=is_active aria-label=suspend>{what}</button>
                        </form>
                    }
                })}
        </li>
    }
}
