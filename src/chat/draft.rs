//! What is typed and not sent yet, kept in this browser: it survives a reload, and a message that could not go out waits here
//! under its key, so that sending it twice sends it once.
//!
//! In the browser and not on the server, because it must work without a network; signing out clears it (`Clear-Site-Data`). The
//! server compiles functions that keep nothing.

/// Something typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// As it stands in the box.
    pub text: String,
    /// The key under which it was tried to be sent; empty if it was not.
    pub key: String,
    /// It is to be sent as soon as there is a network.
    pub is_waiting: bool,
}

impl Draft {
    /// As it is stored: a line about it, then the text.
    #[must_use]
    pub fn write(&self) -> String {
        format!("{}{}\n{}", if self.is_waiting { '!' } else { '-' }, self.key, self.text)
    }

    /// From what was stored.
    #[must_use]
    pub fn read(stored: &str) -> Option<Self> {
        let (head, text) = stored.split_once('\n')?;
        let (is_waiting, key) = match (head.strip_prefix('!'), head.strip_prefix('-')) {
            (Some(key), _) => (true, key),
            (None, Some(key)) => (false, key),
            (None, None) => return None,
        };
        Some(Self { text: text.to_owned(), key: key.to_owned(), is_waiting })
    }
}

/// The name under which a place's draft is kept; other tabs hear of its changes by it.
#[must_use]
pub fn name(place: &str) -> String {
    format!("draft:{place}")
}

#[cfg(feature = "hydrate")]
mod browser {
    use super::{Draft, name};
    use leptos::prelude::window;

    fn storage() -> Option<web_sys::Storage> {
        // Browsers that keep nothing answer with an error, or with none.
        window().local_storage().ok().flatten()
    }

    /// The draft of a place, if there is one.
    pub fn load(place: &str) -> Option<Draft> {
        Draft::read(&storage()?.get_item(&name(place)).ok()??)
    }

    /// Keeps the draft of a place; an empty one is forgotten.
    pub fn keep(place: &str, draft: &Draft) {
        let Some(storage) = storage() else { return };
        let name = name(place);
        let _full_or_forbidden = if draft.text.trim().is_empty() {
            storage.remove_item(&name)
        } else {
            storage.set_item(&name, &draft.write())
        };
    }

    /// Whether the browser believes that there is a network.
    pub fn is_online() -> bool {
        window().navigator().on_line()
    }
}

#[cfg(feature = "hydrate")]
pub use browser::{is_online, keep, load};

/// Nothing is kept on the server.
#[cfg(not(feature = "hydrate"))]
pub fn load(_: &str) -> Option<Draft> {
    None
}

/// Keeps nothing on the server.
#[cfg(not(feature = "hydrate"))]
pub fn keep(_: &str, _: &Draft) {}

/// The server is where it is.
#[cfg(not(feature = "hydrate"))]
pub fn is_online() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drafts_come_back_as_they_were() {
        for draft in [
            Draft { text: "two\nlines".into(), key: "k1".into(), is_waiting: true },
            Draft { text: "!\n-".into(), ..Draft::default() },
        ] {
            assert_eq!(Draft::read(&draft.write()), Some(draft));
        }
        assert_eq!(Draft::read("nonsense"), None);
        assert_eq!(Draft::read("?x\ny"), None);
    }
}
