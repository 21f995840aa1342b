//! Characters: summoned or made by hand, each with a page in its own colours.
//!
//! A character begins as a draft that only its owner sees. Publishing it writes its introduction into the forum and tells
//! the world once. Every change keeps what it replaced, and two people who change it at the same time hear of each other.

#[cfg(feature = "ssr")]
pub mod acts;
pub mod api;
#[cfg(feature = "ssr")]
pub mod banner;
pub mod form;
#[cfg(feature = "ssr")]
pub mod plates;
#[cfg(feature = "ssr")]
pub mod portrait;
#[cfg(feature = "ssr")]
pub mod routes;
#[cfg(feature = "ssr")]
pub mod seed;
pub mod sheet;
#[cfg(feature = "ssr")]
pub mod store;
pub mod style;
pub mod summon;
pub mod view;
mod voice;

pub use form::{ItemForm, OcForm};
pub use sheet::Sheet;
pub use voice::{is_rank, short_name, spoken_line};

use crate::ids::{ForumPostId, ItemId, OcId, Stamp};
use serde::{Deserialize, Serialize};

/// Version of the rules that plates are drawn by. Raise it whenever a drawing changes (a test notices), so that nobody
/// keeps the old ones.
pub const DRAWING: i32 = 1;

/// Address of a character's plate; changes with every version of the character and of the drawing, so it may be kept.
#[must_use]
pub fn portrait_url(id: OcId, version: i32) -> String {
    format!("/portraits/{id}?v={version}-{DRAWING}")
}

/// Version of the rules that banners are composed by, which a test notices as it does for [`DRAWING`].
pub const BANNER: i32 = 1;

/// What stands for a version of a banner in addresses; `version` is the character's.
#[must_use]
pub fn banner_version(version: i32) -> String {
    format!("{version}-{DRAWING}-{BANNER}")
}

/// Address of a character's banner, the picture beside links to it; changes as [`portrait_url`] does.
#[must_use]
pub fn banner_url(id: OcId, version: i32) -> String {
    format!("/portraits/{id}/banner.png?v={}", banner_version(version))
}

/// Address of a character's colours as a stylesheet; the class that carries them is [`theme_class`].
#[must_use]
pub fn theme_url(id: OcId) -> String {
    format!("/themes/{id}.css")
}

/// Class that puts a character's colours on everything inside.
#[must_use]
pub fn theme_class(id: OcId) -> String {
    format!("oc-{}", id.0.simple())
}

/// Address of a character's page.
#[must_use]
pub fn page_url(slug: &str) -> String {
    format!("/c/{slug}")
}

/// Writes an enum that is a known word in the database, in addresses and on the wire.
macro_rules! known_words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal, $label:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// All of them, in the order of a menu.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word in the database and in addresses.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// For reading.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                let known = || Self::ALL.iter().map(|k| k.as_str()).collect::<Vec<_>>().join(", ");
                Self::ALL.iter().copied().find(|k| k.as_str() == text.trim()).ok_or_else(|| format!("Choose one of: {}.", known()))
            }
        }
    };
}

known_words! {
    /// What a character is to the people here.
    OcKind {
        /// Somebody's own.
        #[default]
        Oc = "oc", "Original character";
        /// A guide of makers; the house's own.
        Luminor = "luminor", "Luminor";
        /// A companion on the journey; the house's own.
        Companion = "companion", "Companion";
    }
}

known_words! {
    /// How seldom an item is.
    Rarity {
        /// Many like it.
        #[default]
        Common = "common", "common";
        /// Few like it.
        Rare = "rare", "rare";
        /// Spoken of.
        Epic = "epic", "epic";
        /// The only one.
        Legendary = "legendary", "legendary";
    }
}

known_words! {
    /// For whom a character is.
    ContentRating {
        /// Everybody.
        #[default]
        General = "general", "Everybody";
        /// From about thirteen.
        Teen = "teen", "Teens and older";
        /// Adults only.
        Mature = "mature", "Adults only";
    }
}

known_words! {
    /// How a character is spoken of.
    Pronoun {
        /// She, her, hers.
        She = "she", "she/her";
        /// He, him, his.
        He = "he", "he/him";
        /// They, them, theirs.
        #[default]
        They = "they", "they/them";
        /// It, its.
        It = "it", "it/its";
    }
}

known_words! {
    /// How old a character is, about.
    AgeBand {
        /// Below about thirteen.
        Child = "child", "Child";
        /// Up to seventeen.
        Teen = "teen", "Teenager";
        /// Grown up.
        #[default]
        Adult = "adult", "Adult";
        /// Old.
        Elder = "elder", "Elder";
        /// Gods, machines, rivers.
        Ageless = "ageless", "Ageless";
    }
}

known_words! {
    /// Order of the gallery.
    Sort {
        /// Newest first.
        #[default]
        Newest = "newest", "Newest";
        /// Most talked with first.
        Popular = "popular", "Most talked with";
        /// By name.
        Name = "name", "Name";
    }
}

/// One exchange that shows how a character speaks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ExampleLine {
    /// What somebody says to it.
    #[serde(default)]
    pub user: String,
    /// What it answers.
    #[serde(default)]
    pub oc: String,
}

/// A character in a gallery: a plate, a name, a line in its voice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OcCard {
    /// The character.
    pub id: OcId,
    /// Its name.
    pub name: String,
    /// Its name in addresses.
    pub slug: String,
    /// What it is, in two or three words.
    pub title: String,
    /// What it is to people here.
    pub kind: OcKind,
    /// Something it would say.
    pub line: String,
    /// Address of its plate.
    pub portrait_url: String,
    /// Mood of its style.
    pub mood: String,
    /// Seen by everybody; a draft is its owner's alone.
    pub is_public: bool,
    /// Name of its owner in addresses; empty if it belongs to the house.
    pub owner: String,
}

/// A page of the gallery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GalleryPage {
    /// The characters, at most 24.
    pub cards: Vec<OcCard>,
    /// What to ask for as `after`; `None` on the last page.
    pub next: Option<String>,
    /// What they were found by where nobody answers to the words that were typed: those with a letter put right.
    #[serde(default)]
    pub meant: Option<String>,
}

/// Which characters the gallery shows. Every field may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GalleryQuery {
    /// Words to look for.
    #[serde(default)]
    pub q: String,
    /// An [`OcKind`].
    #[serde(default)]
    pub kind: String,
    /// A mood.
    #[serde(default)]
    pub mood: String,
    /// Username of the owner.
    #[serde(default)]
    pub owner: String,
    /// A [`Sort`].
    #[serde(default)]
    pub sort: String,
    /// Where the page before ended.
    #[serde(default)]
    pub after: String,
}

/// Something a character carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct OcItem {
    /// The thing.
    pub id: ItemId,
    /// What it is called.
    pub name: String,
    /// What it looks like.
    pub description: String,
    /// How carrying it changes its carrier.
    pub personality_effects: String,
    /// How seldom it is.
    pub rarity: Rarity,
    /// Carried now, and not only kept.
    pub is_equipped: bool,
}

/// A whole character, as the API gives it and the edit page takes it: its sheet, and what the site adds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Oc {
    /// The character.
    pub id: OcId,
    /// Its name in addresses.
    pub slug: String,
    /// Address of its page, with the site's origin where the API gives it.
    pub url: String,
    /// What it is to people here.
    pub kind: OcKind,
    /// What the house's own know most about; may be empty.
    pub specialty: String,
    /// Its fields.
    #[serde(flatten)]
    pub sheet: Sheet,
    /// What it carries.
    pub items: Vec<OcItem>,
    /// Address of its plate.
    pub portrait_url: String,
    /// Whether its plate was uploaded and not drawn.
    pub has_avatar: bool,
    /// Seen by everybody.
    pub is_public: bool,
    /// Name of its owner in addresses; empty if it belongs to the house.
    pub owner: String,
    /// Counts the changes.
    pub version: i32,
    /// When it was made.
    pub created_at: Stamp,
    /// When it was last changed.
    pub updated_at: Stamp,
}

/// A character is read through its sheet: `oc.name`.
impl std::ops::Deref for Oc {
    type Target = Sheet;
    fn deref(&self) -> &Sheet {
        &self.sheet
    }
}

/// A post or an event in a character's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Something it wrote in the forum.
    Post {
        /// The post.
        id: ForumPostId,
        /// Its title.
        title: String,
        /// Its first words.
        content: String,
        /// When.
        at: Stamp,
    },
    /// Something that happened to it.
    Event {
        /// What happened.
        description: String,
        /// When.
        at: Stamp,
    },
}

/// Everything a character's page is written from.
#[derive(Clone, Debug, PartialEq)]
pub struct OcPage {
    /// The character, without what only its maker sees.
    pub oc: Oc,
    /// A line in its voice.
    pub line: String,
    /// Name as its maker shows it; empty if it belongs to the house.
    pub owner_name: String,
    /// Its newest posts and events.
    pub traces: Vec<Trace>,
    /// The viewer may change it.
    pub may_edit: bool,
    /// Address of the page with the site's origin.
    pub canonical: String,
    /// What machines read about it: JSON-LD, with `<` escaped.
    pub json_ld: String,
}

/// A character's page as the browser gets it: what it needs to know, and the rest as markup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaf {
    /// The character.
    pub id: OcId,
    /// Address of its page.
    pub url: String,
    /// Seen by everybody.
    pub is_public: bool,
    /// The viewer may change it.
    pub may_edit: bool,
    /// Title of the page.
    pub title: String,
    /// Its first words, for search machines.
    pub description: String,
    /// Address of the page with the site's origin.
    pub canonical: String,
    /// Address of its banner with the site's origin.
    pub image: String,
    /// What the banner shows.
    pub image_alt: String,
    /// Address of its colours.
    pub theme: String,
    /// Class that puts them on the page.
    pub class: String,
    /// Plate, palette and facts.
    pub aside: String,
    /// Name, and what one can do.
    pub top: String,
    /// What there is to read.
    pub text: String,
    /// What machines read about it: JSON-LD, with `<` escaped.
    pub json_ld: String,
}

/// An entry of "Latest posts".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedEntry {
    /// Whose it is.
    pub name: String,
    /// Its page.
    pub slug: String,
    /// Its plate.
    pub portrait_url: String,
    /// Whose character it is, in words: `by @wren`.
    pub byline: String,
    /// Title of the post; empty for an event.
    pub title: String,
    /// The words.
    pub content: String,
    /// When.
    pub at: Stamp,
}

/// What the home page is written from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomePage {
    /// Whom one could talk with first.
    pub featured: Option<OcCard>,
    /// Three plates beside the title.
    pub fan: Vec<OcCard>,
    /// Characters with a line in their voice, chosen for everybody.
    pub cards: Vec<OcCard>,
    /// What is the viewer's; `None` for visitors.
    pub own: Option<HomeOwn>,
    /// What happened lately.
    pub feed: Vec<FeedEntry>,
}

/// A character on the home page by an admin's choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeaturedOc {
    /// The character.
    pub id: OcId,
    /// Its name.
    pub name: String,
    /// Its name in addresses.
    pub slug: String,
    /// Address of its plate.
    pub portrait_url: String,
    /// Username of its owner; empty if it belongs to the house.
    pub owner: String,
    /// A character that was unpublished stays on the list and is not shown.
    pub is_public: bool,
}

/// What is one's own on the home page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeOwn {
    /// Name as shown.
    pub name: String,
    /// The newest chats, at most four.
    pub chats: Vec<HomeChat>,
    /// One's characters, drafts first, at most four.
    pub mine: Vec<OcCard>,
    /// There are more of them.
    pub more_of_mine: bool,
    /// The newest characters of others, at most four.
    pub new: Vec<OcCard>,
}

/// A chat that can be continued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeChat {
    /// The conversation.
    pub id: crate::ids::ConversationId,
    /// Name of the character.
    pub name: String,
    /// What the chat is called; empty without a title.
    pub title: String,
    /// Address of the small plate.
    pub portrait_url: String,
    /// First words of the newest message.
    pub last_line: String,
    /// When it came.
    pub at: Stamp,
}

/// An earlier state of a character.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OcVersion {
    /// Its number.
    pub version: i32,
    /// Its name then.
    pub name: String,
    /// Its description then.
    pub description: String,
    /// Its personality then.
    pub personality: String,
    /// Its greeting then.
    pub greeting: String,
    /// When it was replaced.
    pub replaced_at: Stamp,
    /// Who replaced it; empty if they have left.
    pub replaced_by: String,
    /// What differs from now: columns of a character.
    pub differs: Vec<String>,
}
