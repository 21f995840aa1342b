//! `/admin/jobs`: the work behind the scenes, drawn by the server alone.

use super::{
    JobState, JobView, JobsPage, LaneView,
    api::{CancelJob, PauseQueue, ResumeQueue, RetryJob},
    store,
};
use crate::{
    models::view::{AdminFrame, ConfirmFirst, loaded, saved},
    ui::{Form, FormNote, Time},
};
use leptos::{prelude::*, server_fn::ServerFn};

const HERE: &str = "/admin/jobs";

/// `/admin/jobs`
#[component]
pub fn JobsAdminPage() -> impl IntoView {
    loaded(
        HERE.to_owned(),
        |ctx| async move { store::page(&ctx).await },
        |page: JobsPage| view! { <Jobs page=page /> }.into_any(),
    )
}

/// What went well, whichever of the buttons it was.
fn told() -> Signal<Option<String>> {
    let words = [
        saved("retried", "The job will run again."),
        saved("cancelled", "The job was cancelled."),
        saved("paused", "The queue is paused. Jobs that are running go on."),
        saved("resumed", "The queue is running again."),
    ];
    Signal::derive(move || words.iter().find_map(|word| word.get()))
}

#[component]
fn Jobs(page: JobsPage) -> impl IntoView {
    let JobsPage { lanes, open, dead, plans, fresh } = page;
    // What a refused button says; each row has a form of its own.
    let action = ServerAction::<RetryJob>::new();
    view! {
        <AdminFrame here=HERE title="Background jobs">
            <p>"Work that goes on behind the scenes, over all processes. Reload the page to see it anew."</p>
            <Form action=action><FormNote done=told() /></Form>
            {(!fresh)
                .then(|| {
                    view! {
                        <div class="card settings-card">
                            <ConfirmFirst what="To retry, cancel or pause anything, confirm your password first." here=HERE />
                        </div>
                    }
                })}
            <h2>"Queues"</h2>
            <ul class="list settings-card">{lanes.into_iter().map(|lane| lane_row(lane, fresh)).collect_view()}</ul>
            <h2 id="open">"In the queues"</h2>
            {list(open, fresh, "Nothing is running or waiting.")}
            <h2 id="dead">"Given up"</h2>
            {list(dead, fresh, "Nothing was given up.")}
            <h2>"Regular work"</h2>
            <ul class="list settings-card">
                {plans
                    .into_iter()
                    .map(|(label, next)| {
                        view! {
                            <li class="list-row">
                                <span class="grow"><b>{label}</b><span class="meta">"Next: "<Time at=next /></span></span>
                            </li>
                        }
                    })
                    .collect_view()}
            </ul>
        </AdminFrame>
    }
}

fn lane_row(lane: LaneView, fresh: bool) -> impl IntoView {
    let LaneView { name, ready, waiting, running, dead, oldest, is_paused } = lane;
    let mut counts = format!("{running} running, {ready} ready, {waiting} for later, {dead} given up");
    if ready > 0 {
        counts.push_str(&format!(". The oldest has been ready for {}", span(oldest)));
    }
    let (url, verb) = if is_paused { (ResumeQueue::url(), "Resume") } else { (PauseQueue::url(), "Pause") };
    view! {
        <li class="list-row">
            <span class="grow">
                <b>{name.clone()}</b>
                {is_paused.then(|| view! { " "<span class="tag">"paused"</span> })}
                <span class="meta">{counts}"."</span>
            </span>
            {fresh
                .then(|| {
                    view! {
                        <form method="post" action=url>
                            <input type="hidden" name="lane" value=name.clone() />
                            <button type="submit" class="quiet" aria-label=format!("{verb} {name}")>{verb}</button>
                        </form>
                    }
                })}
        </li>
    }
}

/// `40 s`, `12 min`, `3 h`, `2 days`.
fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn list(jobs: Vec<JobView>, fresh: bool, none: &'static str) -> AnyView {
    if jobs.is_empty() {
        return view! { <p>{none}</p> }.into_any();
    }
    view! { <ul class="list settings-card">{jobs.into_iter().map(|job| row(job, fresh)).collect_view()}</ul> }
        .into_any()
}

fn row(job: JobView, fresh: bool) -> impl IntoView {
    let JobView { id, label, kind, lane, whose, state, at, attempts, most, history } = job;
    let (tag, when) = match state {
        JobState::Running => ("running", "Since "),
        JobState::Failed => ("failed", "Tried again "),
        JobState::Waiting => ("waiting", "Ready "),
        JobState::Dead => ("given up", "On "),
    };
    let whose = if whose.is_empty() { "the site".to_owned() } else { format!("@{whose}") };
    let may_retry = matches!(state, JobState::Failed | JobState::Dead);
    let cancel = if state == JobState::Dead { "Delete" } else { "Cancel" };
    let button = move |url: &'static str, words: &'static str, label: String, class: &'static str| {
        view! {
            <form method="post" action=url>
                <input type="hidden" name="id" value=id.to_string() />
                <button type="submit" class=class aria-label=label>{words}</button>
            </form>
        }
    };
    let last = history.last().map(|(_, error)| error.clone());
    view! {
        <li class="list-row">
            <span class="grow">
                <b>{label.clone()}</b>" "<span class="tag">{tag}</span>
                <span class="meta">{format!("For {whose}, queue {lane}, attempt {attempts} of {most}. {when}")}<Time at=at />"."</span>
                <span class="meta"><code>{kind}</code></span>
                {last.map(|error| view! { <span class="meta">"Last error: "{error}</span> })}
                {(history.len() > 1)
                    .then(|| {
                        view! {
                            <details>
                                <summary class="quiet">"All errors"</summary>
                                <ol>{history.into_iter().map(|(at, error)| view! { <li class="meta"><Time at=at />": "{error}</li> }).collect_view()}</ol>
                            </details>
                        }
                    })}
            </span>
            {(fresh && may_retry).then(|| button(RetryJob::url(), "Retry", format!("Retry {label}"), "quiet"))}
            {fresh.then(|| button(CancelJob::url(), cancel, format!("{cancel} {label}"), "quiet danger"))}
        </li>
    }
}
