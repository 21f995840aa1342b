//! People: how they sign in, how others see them, what they set.
//!
//! How somebody signs in (`users`, `sessions`, `api_tokens`) is kept apart from how others see them (`profiles`). A device
//! is signed in by a random token in a cookie; the database knows its hash. Before a change of e-mail or password, and
//! before leaving for good, the password must have been typed within the last five minutes. Whoever only wants to talk
//! does so as a guest (`guests.rs`); what is posted at the doors is answered in `gate.rs`.

pub mod admin_api;
pub mod api;
#[cfg(feature = "ssr")]
pub mod doors;
pub mod forms;
#[cfg(feature = "ssr")]
pub mod gate;
#[cfg(feature = "ssr")]
pub mod guests;
#[cfg(feature = "ssr")]
pub mod once;
#[cfg(feature = "ssr")]
pub mod routes;
pub mod rules;
pub mod storage;
#[cfg(feature = "ssr")]
pub mod store;
pub mod view;
#[cfg(feature = "ssr")]
pub mod words;

use crate::ids::{ApiTokenId, ConversationId, OcId, SessionId, Stamp, UserId};
use serde::{Deserialize, Serialize};

/// What somebody may do beyond their own things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Their own things.
    #[default]
    User,
    /// Hides and shows what others wrote.
    Moderator,
    /// Runs the place.
    Admin,
}

impl Role {
    /// From the highest rank among a person's rows of `user_roles`: 2 admin, 1 moderator.
    #[must_use]
    pub const fn from_rank(rank: Option<i32>) -> Self {
        match rank {
            Some(2) => Self::Admin,
            Some(1) => Self::Moderator,
            _ => Self::User,
        }
    }
}

/// Light, dark, or as the device says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// Light ground.
    Light,
    /// Dark ground.
    Dark,
    /// As the device says.
    #[default]
    System,
}

impl Theme {
    /// As kept in the cookie, the database and `data-theme`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
            Self::System => "system",
        }
    }
}

impl std::str::FromStr for Theme {
    type Err = ();
    fn from_str(s: &str) -> Result<Self, ()> {
        match s {
            "light" => Ok(Self::Light),
            "dark" => Ok(Self::Dark),
            "system" => Ok(Self::System),
            _ => Err(()),
        }
    }
}

/// What the frame of every page needs to know: one query's worth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Who is signed in.
    pub me: Option<Me>,
    /// Theme in force.
    pub theme: Theme,
    /// The three newest conversations.
    pub lately: Vec<Lately>,
    /// Character whose colours the chrome takes: the one last talked with, or the featured one.
    pub accent: Option<OcId>,
    /// Set for a guest: messages that they have left today.
    pub guest: Option<u32>,
    /// Whether people may use keys of their own for models.
    pub own_keys: bool,
    /// Fields of a refused plain form, by name.
    pub draft: std::collections::BTreeMap<String, String>,
}

/// The person who is signed in, as their own page frame shows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Me {
    /// The account.
    pub id: UserId,
    /// Name in addresses.
    pub username: String,
    /// Name as shown.
    pub display_name: String,
    /// Address of the avatar; `None` shows initials.
    pub avatar_url: Option<String>,
    /// What they may do.
    pub role: Role,
}

/// A line of "Lately with".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lately {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Name of the character.
    pub name: String,
    /// Address of its small plate.
    pub portrait_url: String,
    /// First words of the newest message.
    pub last_line: String,
}

/// One's own profile, for editing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileSettings {
    /// Name in addresses and mentions.
    pub username: String,
    /// Name as shown.
    pub display_name: String,
    /// A few lines about oneself.
    pub bio: String,
    /// Address of the avatar.
    pub avatar_url: Option<String>,
}

/// One's own account, for editing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSettings {
    /// Name that must be typed to delete the account.
    pub username: String,
    /// Address for getting back in.
    pub email: String,
    /// IANA name of the time zone.
    pub timezone: String,
    /// The names to choose from.
    pub zones: Vec<String>,
    /// Whether the password was typed within the last five minutes on this device.
    pub fresh: bool,
    /// How many recovery codes they have left.
    pub codes_left: u32,
    /// Day of birth as `2001-02-28`; empty if it is not known.
    pub birth_date: String,
    /// What is stored of one's own, by kind.
    pub storage: Vec<StorageUse>,
}

/// How much of one kind a person keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageUse {
    /// `Chats`, `Characters`, `Pictures`.
    pub kind: String,
    /// Bytes that are stored.
    pub used: i64,
    /// Bytes that may be stored.
    pub limit: i64,
    /// Both as people read them: `1.5 MB of 200 MB`.
    pub words: String,
}

/// A signed-in device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The session.
    pub id: SessionId,
    /// Browser and system in words.
    pub name: String,
    /// When it was last used.
    pub last_seen: Stamp,
    /// When it signed in.
    pub since: Stamp,
    /// The one that asks.
    pub current: bool,
}

/// A personal API token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Token {
    /// Its id, for revoking.
    pub id: ApiTokenId,
    /// What it is for.
    pub name: String,
    /// Its first characters.
    pub hint: String,
    /// `read`, `write`.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Stamp,
    /// When it was last used.
    pub last_used_at: Option<Stamp>,
    /// When it stops working by itself.
    pub expires_at: Stamp,
    /// It has stopped working.
    pub expired: bool,
}

/// A personal API token just made. The only time its secret is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct NewToken {
    /// Its id, for revoking.
    pub id: ApiTokenId,
    /// What it is for.
    pub name: String,
    /// `read`, `write`.
    pub scopes: Vec<String>,
    /// When it stops working by itself.
    pub expires_at: Stamp,
    /// The secret: send it as `Authorization: Bearer ...`.
    pub token: String,
}

/// The page of API tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Newest first.
    pub tokens: Vec<Token>,
    /// One that was made a moment ago, without scripts.
    pub fresh: Option<NewToken>,
    /// Whether the password was typed within the last five minutes, so that one may be made.
    pub confirmed: bool,
}

/// Everything that opens the account: the page of devices and tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Signed-in devices, last used first.
    pub devices: Vec<Device>,
    /// API tokens, newest first.
    pub tokens: Vec<Token>,
}

/// A person as everybody sees them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Name in addresses and mentions.
    pub username: String,
    /// Name as shown.
    pub display_name: String,
    /// A few lines about themselves.
    pub bio: String,
    /// Address of the avatar.
    pub avatar_url: Option<String>,
    /// When they came.
    pub joined: Stamp,
    /// Their newest public characters.
    pub ocs: Vec<PersonOc>,
    /// How many public characters there are in all.
    pub oc_total: i64,
    /// Whether this is the viewer.
    pub is_me: bool,
}

/// A character on its maker's page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonOc {
    /// Name.
    pub name: String,
    /// Title; may be empty.
    pub title: String,
    /// Address of the page.
    pub url: String,
    /// Address of the plate.
    pub portrait_url: String,
    /// Seen by everybody; a draft is shown to its owner alone.
    pub is_public: bool,
}

/// What the first admin's link leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// Username of who is signed in.
    pub me: Option<String>,
}

/// Somebody in an admin's list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Who.
    pub id: UserId,
    /// Name in addresses.
    pub username: String,
    /// Name as shown.
    pub display_name: String,
    /// Address for getting back in.
    pub email: String,
    /// What they may do.
    pub role: Role,
    /// Whether they may sign in.
    pub is_active: bool,
    /// When they came.
    pub joined: Stamp,
    /// When they were last here.
    pub last_seen: Stamp,
}

/// An admin's list of people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeopleList {
    /// Those who were here last first.
    pub people: Vec<Listed>,
    /// There are others.
    pub more: bool,
    /// What was searched for.
    pub q: String,
    /// Whether the password was typed within the last five minutes.
    pub fresh: bool,
    /// A one-time link that was made a moment ago.
    pub made: Option<Made>,
}

/// A secret that was made a moment ago, told once: a link, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The link.
    pub link: String,
    /// Whom it is for.
    pub whom: String,
}

/// An invitation, without its link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Its id.
    pub id: String,
    /// Whom it is for.
    pub note: String,
    /// How many may still join with it.
    pub uses_left: u32,
    /// Until when.
    pub until: Stamp,
    /// Whether it still opens the door.
    pub is_good: bool,
}

/// A character at the door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Face {
    /// Its name.
    pub name: String,
    /// Address of its plate.
    pub portrait_url: String,
}

/// Why somebody stands at the door.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purpose {
    /// What they want to do, after "Create an account to"; empty if that is not known.
    pub to: String,
    /// Whom they want to talk with.
    pub face: Option<Face>,
    /// What they wrote.
    pub line: Option<String>,
    /// Where the browser keeps what they wrote, if it does.
    pub place: Option<String>,
}
