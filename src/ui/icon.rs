//! Icons out of one sprite, `public/icons.svg`: no bytes of script per icon.

use leptos::prelude::*;

macro_rules! icons {
    ($($variant:ident = $id:literal),* $(,)?) => {
        /// The icons of the sprite.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant is named after its picture")]
        pub enum IconName { $($variant),* }

        impl IconName {
            /// Id of the symbol in the sprite.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id),* }
            }
            /// All of them; a test compares them with the sprite.
            pub const ALL: &[Self] = &[$(Self::$variant),*];
        }
    };
}

icons! {
    Home = "home", Users = "users", User = "user", Message = "message", Forum = "forum", Globe = "globe", Wand = "wand",
    Library = "library", Route = "route", Search = "search", Bell = "bell", Sun = "sun", Moon = "moon",
    Monitor = "monitor", Settings = "settings", Key = "key", Device = "device", LogOut = "log-out", Plus = "plus",
    Edit = "edit", Trash = "trash", Copy = "copy", Refresh = "refresh", Stop = "stop", Send = "send",
    ChevronLeft = "chevron-left", ChevronRight = "chevron-right", ChevronDown = "chevron-down", More = "more",
    Check = "check", Close = "x", Warning = "warning", Info = "info", Share = "share", Link = "link", Image = "image",
    Upload = "upload", Download = "download", Gift = "gift", History = "history", Shield = "shield", Flame = "flame",
    ThumbUp = "thumb-up", ThumbDown = "thumb-down",
}

/// A picture beside words; hidden from assistive technology, since the words say it.
#[component]
pub fn Icon(
    /// Which one.
    name: IconName,
    /// Classes to add.
    #[prop(optional, into)]
    class: String,
) -> impl IntoView {
    view! {
        <svg class=format!("icon {class}") aria-hidden="true" focusable="false">
            <use href=format!("/icons.svg#{}", name.id())></use>
        </svg>
    }
}
