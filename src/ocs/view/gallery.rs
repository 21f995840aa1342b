//! The gallery: all public characters, and one's own drafts among what one searches for.
//!
//! Search, filters, order and page stand in the address. Without scripts it is a plain form and a link to the next page;
//! with them the list follows what is typed, and the next page is put below this one.

use super::CardPlate;
use crate::{
    error::AppError,
    ocs::{GalleryPage as Cards, GalleryQuery, OcKind, Sort, api::get_gallery, style::Mood},
    ui::{Choice, Empty, ErrorView, Icon, IconName, PageTitle, load},
};
use leptos::{html::Input, prelude::*, task::spawn_local};
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};
use std::time::Duration;

/// How long the search waits for the next key.
const PAUSE: Duration = Duration::from_millis(220);

/// The address of a query; empty fields are left out.
fn url_of(query: &GalleryQuery) -> String {
    let fields = [
        ("q", &query.q),
        ("kind", &query.kind),
        ("mood", &query.mood),
        ("owner", &query.owner),
        ("sort", &query.sort),
        ("after", &query.after),
    ];
    let pairs: Vec<String> = fields
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    if pairs.is_empty() { "/characters".to_owned() } else { format!("/characters?{}", pairs.join("&")) }
}

/// Percent-encodes everything but letters, digits and `-_.~`.
pub(super) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// `/characters`
#[component]
pub fn GalleryPage() -> impl IntoView {
    let params = use_query_map();
    let query = Memo::new(move |_| {
        params.with(|p| {
            let get = |name| p.get(name).unwrap_or_default();
            GalleryQuery {
                q: get("q"),
                kind: get("kind"),
                mood: get("mood"),
                owner: get("owner"),
                sort: get("sort"),
                after: get("after"),
            }
        })
    });
    let gone = move || params.with(|p| p.get("gone").is_some());
    let page = load(move || query.get(), get_gallery);
    view! {
        <PageTitle text="Characters" />
        <div class="wrap">
            <div class="head">
                <h1>"Characters"</h1>
                <p class="row-actions">
                    <a class="btn" href="/summon">"Summon a character"</a>
                    <a class="btn ghost" href="/characters/new">"Create by hand"</a>
                </p>
            </div>
            {move || gone().then(|| view! { <p class="note good" role="status">"Character and your chats with it deleted."</p> })}
            <Filters query=query />
            <Transition fallback=|| ()>
                {move || {
                    let asked = query.get();
                    Suspend::new(async move {
                        match page.await {
                            Ok(first) => view! { <List first=first query=asked /> }.into_any(),
                            Err(error @ AppError::Invalid { .. }) => {
                                view! {
                                    <Empty title="This search can't be run" hint=error.to_string()>
                                        <a class="btn ghost" href="/characters">"Show all characters"</a>
                                    </Empty>
                                }
                                    .into_any()
                            }
                            Err(error) => view! { <ErrorView error=error /> }.into_any(),
                        }
                    })
                }}
            </Transition>
        </div>
    }
    .into_any()
}

/// Search, filters and order.
#[component]
fn Filters(
    /// What the address asks for.
    query: Memo<GalleryQuery>,
) -> impl IntoView {
    let input = NodeRef::<Input>::new();
    let navigate = StoredValue::new(use_navigate());
    let go = move |next: GalleryQuery| {
        let options = NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() };
        navigate.with_value(|navigate| navigate(&url_of(&next), options));
    };
    let timer = StoredValue::new(None::<TimeoutHandle>);
    let typed = move |text: String| {
        if let Some(timer) = timer.get_value() {
            timer.clear();
        }
        let search = move || {
            let now = query.get_untracked();
            go(GalleryQuery { q: text, after: String::new(), ..now });
        };
        timer.set_value(set_timeout_with_handle(search, PAUSE).ok());
    };
    // The address may change under the field, by a link or the back button, but never while somebody types in it.
    Effect::new(move |_| {
        let q = query.with(|q| q.q.clone());
        if let Some(input) = input.get() {
            let element: &web_sys::Element = &input;
            if document().active_element().as_ref() != Some(element) {
                input.set_value(&q);
            }
        }
    });
    let pick = move |change: fn(&mut GalleryQuery, String)| {
        move |ev| {
            let mut next = query.get_untracked();
            next.after.clear();
            change(&mut next, event_target_value(&ev));
            go(next);
        }
    };
    let kinds = [Choice::new("", "All kinds")]
        .into_iter()
        .chain(OcKind::ALL.iter().map(|k| Choice::new(k.as_str(), k.label())));
    let moods = [Choice::new("", "Any mood")]
        .into_iter()
        .chain(Mood::ALL.iter().map(|m| Choice::new(m.as_str(), crate::ui::capital(m.as_str()))));
    let sorts = Sort::ALL.iter().map(|s| Choice::new(if *s == Sort::Newest { "" } else { s.as_str() }, s.label()));
    let start = query.get_untracked();
    view! {
        <form class="filters" action="/characters" method="get" role="search" on:submit=move |ev| {
            ev.prevent_default();
            if let Some(input) = input.get_untracked() {
                let now = query.get_untracked();
                go(GalleryQuery { q: input.value(), after: String::new(), ..now });
            }
        }>
            <div class="search">
                <Icon name=IconName::Search />
                <input
                    type="search"
                    name="q"
                    value=start.q
                    maxlength="100"
                    autocomplete="off"
                    placeholder="Search by name, role or personality"
                    aria-label="Search characters"
                    node_ref=input
                    on:input=move |ev| typed(event_target_value(&ev))
                />
            </div>
            {select("kind", "Kind", kinds.collect(), Signal::derive(move || query.with(|q| q.kind.clone())), pick(|q, v| q.kind = v))}
            {select("mood", "Mood", moods.collect(), Signal::derive(move || query.with(|q| q.mood.clone())), pick(|q, v| q.mood = v))}
            {select("sort", "Order", sorts.collect(), Signal::derive(move || query.with(|q| q.sort.clone())), pick(|q, v| q.sort = v))}
            {move || {
                let owner = query.with(|q| q.owner.clone());
                (!owner.is_empty())
                    .then(|| {
                        let all = url_of(&GalleryQuery { owner: String::new(), after: String::new(), ..query.get_untracked() });
                        view! {
                            <span class="tag owner">
                                <input type="hidden" name="owner" value=owner.clone() />
                                {format!("by @{owner}")}
                                <a href=all aria-label="Show all characters"><Icon name=IconName::Close /></a>
                            </span>
                        }
                    })
            }}
            <button class="btn ghost small find-button" type="submit">"Search"</button>
        </form>
    }
}

fn select(
    name: &'static str,
    label: &'static str,
    choices: Vec<Choice>,
    value: Signal<String>,
    change: impl FnMut(leptos::ev::Event) + 'static,
) -> impl IntoView {
    view! {
        <select name=name aria-label=label on:change=change>
            {choices
                .into_iter()
                .map(|c| {
                    let here = c.value.clone();
                    let chosen = value.get_untracked() == here;
                    view! {
                        <option value=c.value selected=chosen prop:selected=move || value.get() == here>
                            {c.label}
                        </option>
                    }
                })
                .collect_view()}
        </select>
    }
}

/// The characters of one page, and those of the pages that were asked for after it.
#[component]
fn List(
    /// The first page.
    first: Cards,
    /// What it answers.
    query: GalleryQuery,
) -> impl IntoView {
    let Cards { cards, next, meant } = first;
    let right = meant.as_ref().map(|meant| {
        let words = format!("No characters match “{}”. Showing those for “{meant}”.", query.q.trim());
        view! { <p class="meta" role="status">{words}</p> }
    });
    // Later pages are of the words that were found.
    let query = GalleryQuery { q: meant.unwrap_or(query.q), ..query };
    let next = RwSignal::new(next);
    let more = RwSignal::new(Vec::new());
    let failed = RwSignal::new(None::<AppError>);
    let loading = RwSignal::new(false);
    let query = StoredValue::new(query);
    let at = move |after: String| GalleryQuery { after, ..query.get_value() };
    let load = move |ev: leptos::ev::MouseEvent| {
        // A click with a key held opens the page elsewhere, as any link does.
        if ev.ctrl_key() || ev.meta_key() || ev.shift_key() {
            return;
        }
        ev.prevent_default();
        ev.stop_propagation();
        let Some(after) = next.get_untracked().filter(|_| !loading.get_untracked()) else { return };
        loading.set(true);
        spawn_local(async move {
            match get_gallery(at(after)).await {
                Ok(page) => {
                    more.update(|m: &mut Vec<_>| m.extend(page.cards));
                    next.set(page.next);
                    failed.set(None);
                }
                Err(error) => failed.set(Some(error)),
            }
            loading.set(false);
        });
    };
    if cards.is_empty() {
        return empty(&query.get_value()).into_any();
    }
    let later = !query.with_value(|q| q.after.is_empty());
    let back = url_of(&at(String::new()));
    view! {
        {later.then(|| view! { <p class="meta"><a href=back>"Back to the first page"</a></p> })}
        {right}
        <div class="awake gallery" id="found">
            {cards.into_iter().enumerate().map(|(n, c)| view! { <CardPlate card=c eager=n < 4 /> }).collect_view()}
            <For each=move || more.get() key=|c| c.id let:card><CardPlate card=card /></For>
        </div>
        {move || failed.get().map(|e| view! { <p class="note bad" role="alert">{e.to_string()}</p> })}
        {move || {
            next.get()
                .map(|after| {
                    view! {
                        <p class="more">
                            <a class="btn ghost" href=url_of(&at(after)) on:click=load aria-busy=move || loading.get().then_some("true")>
                                {move || if loading.get() { "Loading" } else { "Show more" }}
                            </a>
                        </p>
                    }
                })
        }}
    }
    .into_any()
}

fn empty(query: &GalleryQuery) -> impl IntoView {
    let title = if query.q.is_empty() {
        "No characters match".to_owned()
    } else {
        format!("No characters match “{}”", query.q.trim())
    };
    let summon = if query.q.trim().is_empty() {
        "/summon".to_owned()
    } else {
        format!("/summon?idea={}", encode(query.q.trim()))
    };
    view! {
        <Empty title=title hint="Try fewer words or another mood. Or summon them yourself: one sentence is enough.">
            <a class="btn" href=summon>"Summon a character"</a>
            <a class="btn ghost" href="/characters">"Show all characters"</a>
        </Empty>
    }
}
