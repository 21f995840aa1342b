//! Light or dark.

use super::{
    super::{menu::ThemeSwitch, refused},
    SettingsFrame,
};
use crate::app::FrameResource;
use leptos::prelude::*;

/// `/settings/appearance`; open to everybody, since the theme is kept on the device.
#[component]
pub fn AppearancePage() -> impl IntoView {
    let frame = expect_context::<FrameResource>();
    view! {
        <Suspense fallback=|| ()>
            {move || Suspend::new(async move {
                match frame.await {
                    Ok(frame) => {
                        view! {
                            <SettingsFrame here="/settings/appearance">
                                <div class="card settings-card">
                                    <h2>"Theme"</h2>
                                    <p>"System follows your device. Your choice holds here at once, and on other devices from your next sign-in there."</p>
                                    <ThemeSwitch theme=frame.theme />
                                </div>
                            </SettingsFrame>
                        }
                            .into_any()
                    }
                    Err(error) => refused(error, "/settings/appearance"),
                }
            })}
        </Suspense>
    }
    .into_any()
}
