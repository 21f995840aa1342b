//! What somebody without an account is told under the composer: how much they may still say, and how to keep the talk.

use super::room::Shared;
use crate::{
    accounts::view::{door_to, with_draft},
    app::FrameResource,
};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// A line for guests and strangers; nothing for people with an account.
#[component]
pub fn GuestNote() -> impl IntoView {
    let shared = expect_context::<Shared>();
    let frame = expect_context::<FrameResource>();
    let path = use_location().pathname;
    // Each line changes how many are left.
    Effect::new(move |before: Option<bool>| {
        let answered = shared.send.value().with(Option::is_some) && !shared.send.pending().get();
        if answered && before == Some(false) {
            frame.refetch();
        }
        answered
    });
    let here = move || with_draft(&path.get());
    view! {
        <Transition fallback=|| ()>
            {move || Suspend::new(async move {
                frame
                    .await
                    .ok()
                    .filter(|f| f.me.is_none())
                    .map(|f| {
                        let (words, link) = match f.guest {
                            None => ("You can try this without an account.".to_owned(), "Create a free account"),
                            Some(0) => ("You have used today's free messages.".to_owned(), "Create a free account to keep chatting"),
                            Some(1) => ("1 free message left today.".to_owned(), "Create a free account to keep this chat"),
                            Some(n) => (format!("{n} free messages left today."), "Create a free account to keep this chat"),
                        };
                        view! {
                            <p class="guest-note">
                                <span>{words}</span>
                                " "
                                <a rel="external" href=move || door_to(&here())>{link}</a>
                            </p>
                        }
                    })
            })}
        </Transition>
    }
}
