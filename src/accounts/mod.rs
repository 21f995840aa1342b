//! People: how they sign in, how others see them, what they set.

pub mod api;
#[cfg(feature = "ssr")]
pub mod routes;
#[cfg(feature = "ssr")]
pub mod store;
pub mod view;

use crate::ids::{ConversationId, OcId, UserId};
use serde::{Deserialize, Serialize};

/// What somebody may do beyond their own things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
