//! What a provider has, beside the form of a new model. All of it plain: a button, a GET form, links.

use crate::{
    models::{
        api::FetchList,
        forms::shown_price,
        list::{Entry, Shown},
        meter::grouped,
        store::ProviderView,
    },
    ui::{Form, FormNote, Icon, IconName, Submit},
};
use leptos::prelude::*;

/// The provider's list, or the button that fetches it.
#[component]
pub fn ListCard(
    /// Whose it is.
    provider: ProviderView,
    /// The list, once it was fetched.
    list: Option<Shown>,
) -> impl IntoView {
    let fetch = ServerAction::<FetchList>::new();
    let id = provider.id.to_string();
    let again = list.is_some();
    let ask = format!("Ask {} which models it has, and choose one of them.", provider.name);
    view! {
        <div class="card settings-card" id="list">
            <h2>"Its list"</h2>
            {match list {
                Some(list) => entries(list, &id).into_any(),
                None => view! { <p>{ask}</p> }.into_any(),
            }}
            <Form action=fetch>
                <FormNote />
                <input type="hidden" name="id" value=id />
                <Submit label=if again { "Fetch it again" } else { "Fetch the list" } class="ghost small" />
            </Form>
        </div>
    }
}

fn entries(list: Shown, provider: &str) -> impl IntoView {
    let Shown { id, find, entries, found, all, is_cut, left_out } = list;
    let page = format!("/admin/models/model/new?provider={provider}&list={id}");
    let shown = entries.len();
    let words = match (all, found) {
        (0, _) => {
            "The list is empty: this server has no models yet. Download one there, or type the name of a model below."
                .to_owned()
        }
        (_, 0) => "No model of the list is called so.".to_owned(),
        (1, 1) => "One model.".to_owned(),
        (all, found) if usize::try_from(found).is_ok_and(|f| f > shown) => {
            format!("{shown} of {} models. Type a part of a name to find the others.", grouped(found.min(all).into()))
        }
        (all, found) if found < all => format!("{} of {} models.", grouped(found.into()), grouped(all.into())),
        (all, _) => format!("{} models.", grouped(all.into())),
    };
    let missing = match left_out {
        0 => None,
        1 => Some(" One entry is missing: its name is too long, or has signs that no name has.".to_owned()),
        n => Some(format!(
            " {} entries are missing: their names are too long, or have signs that no name has.",
            grouped(n.into())
        )),
    };
    view! {
        <form class="find-model" method="get" action="/admin/models/model/new#list">
            <input type="hidden" name="provider" value=provider.to_owned() />
            <input type="hidden" name="list" value=id />
            <input type="search" name="find" value=find aria-label="A part of the name" placeholder="A part of the name" maxlength="100" />
            <button type="submit" class="btn ghost small">"Find"</button>
        </form>
        <p class="meta">{words} {is_cut.then_some(" The provider has still more; those can be typed.")} {missing}</p>
        {(!entries.is_empty())
            .then(|| {
                view! {
                    <ul class="list listed" aria-label="Models of the list">
                        {entries.into_iter().map(|e| view! { <li>{row(e, &page)}</li> }).collect_view()}
                    </ul>
                }
            })}
    }
}

fn row(entry: Entry, page: &str) -> impl IntoView {
    let Entry { at, model, added } = entry;
    let context = model.context.map(|n| format!("{} tokens of context", grouped(n.into())));
    let prices =
        model.prices.map(|p| format!("${} in, ${} out per million", shown_price(p.prompt), shown_price(p.reply)));
    let name = Some(model.name.clone()).filter(|n| !n.is_empty());
    let facts: Vec<String> = [name, context, prices].into_iter().flatten().collect();
    let href = match added {
        Some(id) => format!("/admin/models/model/{id}"),
        None => format!("{page}&pick={at}#model"),
    };
    view! {
        <a class="list-row" rel="external" href=href>
            <span class="grow">
                <b>{model.id}</b>
                {added.is_some().then(|| view! { " " <span class="tag">"Added"</span> })}
                {(!facts.is_empty()).then(|| view! { <span class="meta block">{facts.join(" · ")}</span> })}
            </span>
            <Icon name=IconName::ChevronRight />
        </a>
    }
}
