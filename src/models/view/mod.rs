//! Pages that the server draws alone: the admin's part, one's own use, one's own keys.
//!
//! Nothing here runs in the browser, so nothing here is downloaded by it. Forms are plain; what is refused comes back
//! with the page, as everywhere. `public/try.js` adds the words of a trial as they come.

mod files;
mod frame;
mod list;
mod model;
mod overview;
mod own;
mod provider;
mod settings;
mod usage;

pub use frame::{AdminFrame, ConfirmFirst, Figures};
pub use model::ModelPage;
pub use overview::{AdminPage, ModelsAdminPage};
pub use own::OwnKeysPage;
pub use provider::ProviderPage;
pub use usage::UsagePage;

use crate::{
    error::AppResult,
    server::{Ctx, ctx},
    ui::load,
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use serde::{Serialize, de::DeserializeOwned};

/// Addresses of the pages, as the server's router knows them.
pub const PATHS: &[&str] = &[
    "/admin",
    "/admin/home",
    "/admin/models",
    "/admin/models/provider/{id}",
    "/admin/models/model/{id}",
    "/admin/safety",
    "/settings/usage",
    "/settings/models",
];

/// A page whose data is read by `fetch` and drawn by `show`; whoever may not see it is told so, or led to sign in.
pub fn loaded<T, F>(
    here: String,
    fetch: impl Fn(Ctx) -> F + Clone + Send + Sync + 'static,
    show: impl Fn(T) -> AnyView + Clone + Send + Sync + 'static,
) -> AnyView
where
    T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    F: Future<Output = AppResult<T>> + Send + 'static,
{
    let data = load(
        || (),
        move |()| {
            let fetch = fetch.clone();
            async move { fetch(ctx()?).await }
        },
    );
    view! {
        <Suspense fallback=|| ()>
            {move || {
                let (show, here) = (show.clone(), here.clone());
                Suspend::new(async move {
                    match data.await {
                        Ok(found) => show(found),
                        Err(error) => crate::accounts::view::refused(error, &here),
                    }
                })
            }}
        </Suspense>
    }
    .into_any()
}

/// A word after success, told by `?saved=` in the address.
pub fn saved(key: &'static str, words: &'static str) -> Signal<Option<String>> {
    let query = use_query_map();
    Signal::derive(move || query.with(|q| q.get("saved").is_some_and(|s| s == key)).then(|| words.to_owned()))
}

/// A size in memory or on the disk.
fn megabytes(bytes: u64) -> String {
    match bytes {
        0..10_000_000 => format!("{:.1} MB", bytes_in(bytes, 1e6)),
        10_000_000..2_000_000_000 => crate::models::files::megabytes(bytes),
        _ => format!("{:.1} GB", bytes_in(bytes, 1e9)),
    }
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn bytes_in(bytes: u64, unit: f64) -> f64 {
    bytes as f64 / unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_readable() {
        assert_eq!(megabytes(1_500_000), "1.5 MB");
        assert_eq!(megabytes(144_811_456), "145 MB");
        assert_eq!(megabytes(4_680_000_000), "4.7 GB");
    }
}
