//! What admins set about who may come in: guests, joining, the youngest age. One row of `system_config`.

use serde::{Deserialize, Serialize};

/// Key of the row.
pub const KEY: &str = "accounts";
/// Youngest age that can be set: below it the laws of most countries want a parent's word.
pub const AGE_FLOOR: u32 = 10;
/// From this age on people count as grown.
pub const GROWN: u32 = 18;

/// Who may make an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Joining {
    /// Everybody.
    #[default]
    Open,
    /// Whoever has an invitation.
    Invited,
    /// Nobody.
    Closed,
}

impl Joining {
    /// As in forms and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Invited => "invited",
            Self::Closed => "closed",
        }
    }

    /// From a form.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Open, Self::Invited, Self::Closed].into_iter().find(|j| j.as_str() == word)
    }
}

/// What is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Doors {
    /// Messages a day for a guest's device; 0 lets no guest in.
    pub guest_lines: u32,
    /// Messages a day for all guests of one network address.
    pub guest_lines_address: u32,
    /// Who may make an account.
    pub joining: Joining,
    /// Years of the youngest who may.
    pub minimum_age: u32,
}

impl Default for Doors {
    fn default() -> Self {
        Self { guest_lines: 12, guest_lines_address: 40, joining: Joining::Open, minimum_age: 13 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_keeps_its_default() {
        let some: Doors = serde_json::from_str(r#"{"guest_lines": 0, "joining": "invited"}"#).unwrap();
        assert_eq!(some, Doors { guest_lines: 0, joining: Joining::Invited, ..Doors::default() });
        for joining in [Joining::Open, Joining::Invited, Joining::Closed] {
            assert_eq!(Joining::parse(joining.as_str()), Some(joining));
            assert_eq!(serde_json::to_value(joining).unwrap(), joining.as_str());
        }
        assert_eq!(Joining::parse("perhaps"), None);
    }
}
