//! Pages whose code the browser fetches when it first needs one of them: a visitor who looks at characters does not load
//! the settings. Pages that are opened together share one part, named after their room.
//!
//! A new page is a line in its part below and a route in `app.rs` with `view={Lazy::<lazy::Name>::new()}`.

use crate::{accounts, chat, developers, ocs, personas};
use leptos::{lazy, prelude::*};
use leptos_router::LazyRoute;

/// One part of the browser's module, and a route for each of its pages.
macro_rules! part {
    ($load:ident, $preload:ident, $pages:ident { $($page:ident = $view:path),* $(,)? }) => {
        /// The pages of this part.
        #[derive(Clone, Copy, Debug)]
        enum $pages {
            $($page),*
        }

        #[lazy]
        fn $load(page: $pages) -> AnyView {
            match page {
                $($pages::$page => {
                    use $view as Page;
                    view! { <Page /> }.into_any()
                })*
            }
        }

        $(
            /// A page that is fetched when it is needed.
            pub struct $page;

            impl LazyRoute for $page {
                fn data() -> Self {
                    Self
                }

                async fn view(_: Self) -> AnyView {
                    $load($pages::$page).await
                }

                async fn preload() {
                    #[cfg(target_arch = "wasm32")]
                    $preload().await;
                }
            }
        )*
    };
}

part!(chat_part, __preload_chat_part, ChatPages {
    Conversations = chat::view::ConversationsPage,
    ImportChat = chat::view::ImportPage,
    Talk = chat::view::TalkPage,
    Chat = chat::view::ChatPage,
});

part!(making_part, __preload_making_part, MakingPages {
    NewSummon = ocs::summon::view::NewSummonPage,
    SummonJob = ocs::summon::view::SummonJobPage,
    New = ocs::view::NewPage,
    Edit = ocs::view::EditPage,
    Versions = ocs::view::VersionsPage,
});

part!(people_part, __preload_people_part, PeoplePages {
    Confirm = accounts::view::ConfirmPage,
    Goodbye = accounts::view::GoodbyePage,
    Setup = accounts::view::SetupPage,
    Settings = accounts::view::settings::SettingsPage,
    Profile = accounts::view::settings::ProfilePage,
    Account = accounts::view::settings::AccountPage,
    Appearance = accounts::view::settings::AppearancePage,
    Devices = accounts::view::settings::DevicesPage,
    Tokens = accounts::view::settings::TokensPage,
    Developers = developers::view::DevelopersPage,
    Person = accounts::view::PersonPage,
    Personas = personas::view::PersonasPage,
    Notes = chat::notes::view::NotesPage,
    Receipt = chat::notes::view::ReceiptPage,
});

part!(browse_part, __preload_browse_part, BrowsePages {
    Gallery = ocs::view::GalleryPage,
    Mine = ocs::view::MinePage,
});
