//! Newtype ids, one per table, and the time stamp that crosses the wire.

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "ssr", derive(sqlx::Type, utoipa::ToSchema))]
        #[cfg_attr(feature = "ssr", sqlx(transparent))]
        #[serde(transparent)]
        pub struct $name(pub uuid::Uuid);

        #[cfg(feature = "ssr")]
        impl $name {
            /// A new id; later ids sort after earlier ones.
            #[must_use]
            pub fn new() -> Self {
                Self(uuid::Uuid::now_v7())
            }
        }

        #[cfg(feature = "ssr")]
        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                s.parse().map(Self)
            }
        }
    )*};
}

ids! {
    /// A person's account.
    UserId;
    /// A signed-in device.
    SessionId;
    /// A personal API token.
    ApiTokenId;
    /// A character.
    OcId;
    /// A thing that characters carry.
    ItemId;
    /// A post of the forum.
    ForumPostId;
    /// Something that happened in the world.
    WorldEventId;
    /// A conversation.
    ConversationId;
    /// A message.
    MessageId;
    /// The making of one reply.
    RunId;
    /// Who a person is to characters.
    PersonaId;
    /// A piece of longer work, for example a summon.
    JobId;
    /// Where models come from.
    ProviderId;
    /// A language model.
    ModelId;
    /// A person's own key to a provider.
    UserKeyId;
}

/// A moment, written by the server: exact for machines, readable for people. The browser needs no calendar of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Stamp {
    /// RFC 3339, UTC.
    pub iso: String,
    /// For reading, for example `14 October` or `14 October 2025`.
    pub text: String,
}

#[cfg(feature = "ssr")]
impl From<chrono::DateTime<chrono::Utc>> for Stamp {
    fn from(at: chrono::DateTime<chrono::Utc>) -> Self {
        use chrono::Datelike;
        let now = chrono::Utc::now();
        let text = if at.year() == now.year() { at.format("%-d %B") } else { at.format("%-d %B %Y") };
        Self { iso: at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true), text: text.to_string() }
    }
}
