//! A person as everybody sees them.

use crate::{
    accounts::{Person, api::get_person},
    ui::{Empty, ErrorView, Initials, PageTitle, Plate, Time, load},
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

/// `/u/{username}`
#[component]
pub fn PersonPage() -> impl IntoView {
    let params = use_params_map();
    let username = Memo::new(move |_| params.with(|p| p.get("username")).unwrap_or_default());
    let person = load(move || username.get(), get_person);
    view! {
        <Transition fallback=|| ()>
            {move || Suspend::new(async move {
                match person.await {
                    Ok(person) => page(person).into_any(),
                    Err(error) => view! { <ErrorView error=error /> }.into_any(),
                }
            })}
        </Transition>
    }
    .into_any()
}

fn page(person: Person) -> impl IntoView {
    let Person { username, display_name, bio, avatar_url, joined, ocs, oc_total, is_me, .. } = person;
    let more = i64::try_from(ocs.len()).is_ok_and(|shown| oc_total > shown);
    let empty = ocs.is_empty();
    let nothing = if is_me {
        ("No characters yet", "Describe someone in a sentence, make them yours, and publish them when you like.")
    } else {
        ("No public characters yet", "When they publish one, it will be here.")
    };
    view! {
        <PageTitle text=display_name.clone() />
        <section class="wrap">
            <header class="person-head">
                <Initials name=display_name.clone() src=avatar_url class="large" />
                <div>
                    <h1>{display_name}</h1>
                    <p class="meta">{format!("@{username} · joined ")}<Time at=joined /></p>
                    {is_me.then(|| view! { <p class="row-actions mt-3"><a class="btn ghost small" href="/settings/profile">"Edit your profile"</a></p> })}
                </div>
            </header>
            <div class="person-bio">
                {bio.split("\n\n").filter(|p| !p.trim().is_empty()).map(|p| view! { <p>{p.to_owned()}</p> }).collect_view()}
            </div>
            <div class="sec">
                <h2>"Characters"</h2>
                {if is_me {
                    view! { <a href="/characters/mine">"All of yours"</a> }.into_any()
                } else {
                    more.then(|| view! { <a href=format!("/characters?owner={username}")>{format!("All {oc_total}")}</a> }).into_any()
                }}
            </div>
            {if empty {
                view! {
                    <Empty title=nothing.0 hint=nothing.1>
                        {is_me.then(|| view! { <a class="btn" href="/summon">"Summon a character"</a> })}
                        {(!is_me).then(|| view! { <a class="btn ghost" href="/characters">"Browse characters"</a> })}
                    </Empty>
                }
                    .into_any()
            } else {
                view! {
                    <div class="awake">
                        {ocs
                            .into_iter()
                            .map(|oc| {
                                view! {
                                    <a href=oc.url>
                                        <figure>
                                            <Plate src=oc.portrait_url />
                                            <figcaption>
                                                <h3 class="name">{oc.name}</h3>
                                                {(!oc.is_public).then(|| view! { " " <span class="tag">"Draft"</span> })}
                                                <p class="meta">{oc.title}</p>
                                            </figcaption>
                                        </figure>
                                    </a>
                                }
                            })
                            .collect_view()}
                    </div>
                }
                    .into_any()
            }}
        </section>
    }
}
