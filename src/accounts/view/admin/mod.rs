//! The admin's pages about people: who is here, and who may come in.

mod doors;
mod people;
mod storage;

pub use doors::DoorsPage;
pub use people::PeoplePage;

use crate::accounts::Made;
use leptos::prelude::*;

/// A link that was made a moment ago, told once.
fn made(made: Made, words: String) -> impl IntoView {
    view! {
        <div class="note good settings-card" role="status">
            <p>{words}</p>
            <p><code class="secret">{made.link}</code></p>
        </div>
    }
}
