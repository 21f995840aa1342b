//! How much people may store: what an admin sets, in megabytes by tier and kind.

use serde::{Deserialize, Serialize};

/// Most megabytes that can be set: a million is a terabyte.
#[cfg(feature = "ssr")]
const MOST: i64 = 1_000_000;
/// Bytes of a megabyte.
pub const MEGABYTE: i64 = 1_000_000;

/// The tiers as in the database, and as they are called.
pub const TIERS: [(&str, &str); 3] =
    [("explorer", "Explorers"), ("creator", "Creators"), ("realm_builder", "Realm builders")];
/// The kinds as in the database, and as they are called.
pub const KINDS: [(&str, &str); 3] =
    [("conversations", "Chats"), ("characters", "Characters"), ("pictures", "Pictures")];

/// One limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageLimit {
    /// As in [`TIERS`].
    pub tier: String,
    /// As in [`KINDS`].
    pub kind: String,
    /// Bytes that may be stored.
    pub bytes: i64,
}

/// What people may store, in whole megabytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StorageForm {
    /// Chats of explorers.
    pub explorer_conversations: String,
    /// Characters of explorers.
    pub explorer_characters: String,
    /// Pictures of explorers.
    pub explorer_pictures: String,
    /// Chats of creators.
    pub creator_conversations: String,
    /// Characters of creators.
    pub creator_characters: String,
    /// Pictures of creators.
    pub creator_pictures: String,
    /// Chats of realm builders.
    pub realm_builder_conversations: String,
    /// Characters of realm builders.
    pub realm_builder_characters: String,
    /// Pictures of realm builders.
    pub realm_builder_pictures: String,
}

#[cfg(feature = "ssr")]
impl StorageForm {
    /// All limits.
    ///
    /// # Errors
    /// `Invalid` with the field.
    pub fn check(&self) -> crate::error::AppResult<Vec<StorageLimit>> {
        let texts = [
            [&self.explorer_conversations, &self.explorer_characters, &self.explorer_pictures],
            [&self.creator_conversations, &self.creator_characters, &self.creator_pictures],
            [&self.realm_builder_conversations, &self.realm_builder_characters, &self.realm_builder_pictures],
        ];
        let fields = TIERS
            .iter()
            .zip(texts)
            .flat_map(|((tier, _), texts)| KINDS.iter().zip(texts).map(move |((kind, _), text)| (*tier, *kind, text)));
        fields
            .map(|(tier, kind, text)| {
                let megabytes: Option<i64> = text.trim().parse().ok().filter(|n| (0..=MOST).contains(n));
                let wrong = format!("Enter a whole number from 0 to {MOST}.");
                let megabytes =
                    megabytes.ok_or_else(|| crate::error::AppError::invalid(format!("{tier}_{kind}"), wrong))?;
                Ok(StorageLimit { tier: tier.to_owned(), kind: kind.to_owned(), bytes: megabytes * MEGABYTE })
            })
            .collect()
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn limits_are_whole_megabytes() {
        let form = |text: &str| {
            let text = text.to_owned();
            StorageForm {
                explorer_conversations: "0".into(),
                explorer_characters: " 12 ".into(),
                explorer_pictures: "1000000".into(),
                creator_conversations: "1".into(),
                creator_characters: "1".into(),
                creator_pictures: text,
                realm_builder_conversations: "1".into(),
                realm_builder_characters: "1".into(),
                realm_builder_pictures: "1".into(),
            }
        };
        let set = form("7").check().unwrap();
        let of = |tier: &str, kind: &str| set.iter().find(|l| l.tier == tier && l.kind == kind).map(|l| l.bytes);
        assert_eq!(set.len(), 9);
        assert_eq!(of("explorer", "conversations"), Some(0));
        assert_eq!(of("explorer", "characters"), Some(12_000_000));
        assert_eq!(of("explorer", "pictures"), Some(1_000_000_000_000));
        assert_eq!(of("creator", "pictures"), Some(7_000_000));
        for wrong in ["", "-1", "1000001", "a", "1.5", "99999999999999999999"] {
            assert_eq!(form(wrong).check().unwrap_err().field(), "creator_pictures", "{wrong}");
        }
    }
}
