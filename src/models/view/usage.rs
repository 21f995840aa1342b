//! What one used of the models, by day, and what is left of today.

use super::{frame::Figures, loaded};
use crate::{
    accounts::view::settings::SettingsFrame,
    models::{
        meter::{self, grouped},
        money,
        store::{self, DayUse, SHOWN_DAYS},
    },
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

const HERE: &str = "/settings/usage";

#[derive(Clone, Serialize, Deserialize)]
struct Shown {
    budget: Option<i64>,
    used: i64,
    renewal: String,
    counts_local: bool,
    own_keys: bool,
    timezone: String,
    days: Vec<DayUse>,
}

/// `/settings/usage`
#[component]
pub fn UsagePage() -> impl IntoView {
    let fetch = |ctx: crate::server::Ctx| async move {
        let me = ctx.require()?.id;
        let set = ctx.app.models.current().await?.settings.clone();
        let mut tx = ctx.begin().await?;
        let standing = store::standing(&mut tx, me).await?;
        let days = store::use_of(&mut tx, me, &standing.timezone).await?;
        Ok(Shown {
            budget: set.budgets.of(standing.tier),
            used: standing.used + standing.reserved,
            renewal: meter::renewal(&standing.timezone).0,
            counts_local: set.count_local,
            own_keys: set.own_keys,
            timezone: standing.timezone,
            days,
        })
    };
    loaded(HERE.to_owned(), fetch, |shown: Shown| {
        let Shown { budget, used, renewal, counts_local, own_keys, timezone, days } = shown;
        view! {
            <SettingsFrame here=HERE>
                <div class="card settings-card">
                    <h2>"Today"</h2>
                    {today(budget, used, &renewal)}
                    <p class="hint">
                        {if counts_local {
                            "A token is about three quarters of a word. Input and output count; your own keys don't."
                        } else {
                            "A token is about three quarters of a word. Input and output count; the built-in model and your own keys don't."
                        }}
                    </p>
                    {own_keys.then(|| view! { <p><a class="link" rel="external" href="/settings/models">"Use a model key of your own"</a></p> })}
                </div>
                <h2>{format!("The last {SHOWN_DAYS} days")}</h2>
                <p class="hint">{when(&timezone)} " " <a class="link" href="/settings/account">"Change your time zone"</a></p>
                {table(days)}
            </SettingsFrame>
        }
        .into_any()
    })
}

fn today(budget: Option<i64>, used: i64, renewal: &str) -> AnyView {
    let Some(budget) = budget else {
        return view! { <p>{format!("{} tokens counted. There is no limit.", grouped(used))}</p> }.into_any();
    };
    let left = (budget - used).max(0);
    let words = if left == 0 {
        format!("You have used your {} tokens. You get new ones {renewal}.", grouped(budget))
    } else {
        format!("{} of {} tokens are left. You get new ones {renewal}.", grouped(left), grouped(budget))
    };
    view! {
        <p>{words}</p>
        <meter min="0" max=budget.max(1) value=used.min(budget) aria-label="Tokens used today">{format!("{} of {}", grouped(used), grouped(budget))}</meter>
    }
    .into_any()
}

/// Where a day begins and ends.
fn when(timezone: &str) -> String {
    match timezone {
        "UTC" => "Days begin and end at midnight UTC.".to_owned(),
        zone => {
            format!("Days begin and end at midnight in {}.", zone.rsplit('/').next().unwrap_or(zone).replace('_', " "))
        }
    }
}

fn table(days: Vec<DayUse>) -> AnyView {
    if days.is_empty() {
        return view! { <p>"Nothing yet. Every reply and every summon is listed here."</p> }.into_any();
    }
    let rows = days
        .into_iter()
        .map(|d| {
            let by = if d.own_key { format!("{}, your key", d.provider) } else { d.provider };
            vec![
                d.day,
                format!("{} ({by})", d.model),
                grouped(d.calls),
                grouped(d.prompt_tokens),
                grouped(d.cached_tokens),
                grouped(d.reply_tokens),
                grouped(d.counted_tokens),
                money::cost(d.cost_micros, d.local),
            ]
        })
        .collect();
    const COLUMNS: &[&str] = &["Day", "Model", "Requests", "Input", "Cached", "Output", "Counted", "Cost"];
    view! { <Figures label="Use by day and model" columns=COLUMNS words=2 rows=rows /> }.into_any()
}
