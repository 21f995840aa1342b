//! What people fill in: the fields, and what each must hold.
//!
//! `check` gives back the form with its texts cleaned; it needs no database.

use super::rules;
use crate::{
    error::{AppError, AppResult},
    text::{clean_line, clean_text},
};
use serde::{Deserialize, Serialize};

/// Joining.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SignUpForm {
    /// Name in addresses and mentions.
    pub username: String,
    /// Address for getting back in.
    pub email: String,
    /// Fifteen characters or more.
    pub password: String,
    /// Name as shown; empty takes the username.
    pub display_name: String,
    /// Day of birth, `2001-02-28`.
    pub birth_date: String,
    /// IANA name of the time zone, filled in by the browser.
    pub timezone: String,
    /// Token of an invitation, where one is needed.
    pub invite: String,
    /// The terms are accepted.
    pub terms: bool,
}

#[cfg(feature = "ssr")]
impl SignUpForm {
    /// The form with its texts cleaned, and everything that is wrong with it, field by field. How hard the password is to
    /// guess, and whether names are taken, are other questions.
    pub fn check(self, minimum_age: u32, today: chrono::NaiveDate) -> (Self, Vec<AppError>) {
        let mut faults = Vec::new();
        let mut clean = |result: AppResult<String>, typed: &str| {
            result.unwrap_or_else(|fault| {
                faults.push(fault);
                typed.trim().to_owned()
            })
        };
        let username = clean(rules::username("username", &self.username), &self.username);
        let email = clean(rules::email("email", &self.email), &self.email);
        let shown = clean(clean_line("display_name", &self.display_name, 0, 60), &self.display_name);
        let display_name = if shown.is_empty() { username.clone() } else { shown };
        let birth = rules::birth_date("birth_date", &self.birth_date, today)
            .and_then(|day| rules::old_enough("birth_date", day, minimum_age, today));
        let password = rules::password("password", &self.password, &username, &email);
        let terms = if self.terms {
            Ok(())
        } else {
            Err(AppError::invalid("terms", "Please accept the terms to create an account."))
        };
        faults.extend([password, birth, terms].into_iter().filter_map(Result::err));
        (Self { username, email, display_name, ..self }, faults)
    }
}

/// Coming back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SignInForm {
    /// Username or e-mail.
    pub login: String,
    /// The password.
    pub password: String,
}

impl SignInForm {
    /// The form, when something is in it.
    ///
    /// # Errors
    /// `Invalid` with the field.
    pub fn check(self) -> AppResult<Self> {
        let login = self.login.trim().to_owned();
        if login.is_empty() {
            return Err(AppError::invalid("login", "Enter your username or e-mail."));
        }
        if self.password.is_empty() {
            return Err(AppError::invalid("password", "Enter your password."));
        }
        Ok(Self { login, ..self })
    }
}

/// The way back from a lost password: a recovery code and a new password.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecoverForm {
    /// Username or e-mail.
    pub login: String,
    /// One of the ten codes.
    pub code: String,
    /// The new password.
    pub password: String,
}

/// What admins set about who may come in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DoorsForm {
    /// Messages a day for a guest's device.
    pub guest_lines: String,
    /// Messages a day for all guests of one address.
    pub guest_lines_address: String,
    /// `open`, `invited`, `closed`.
    pub joining: String,
    /// Years of the youngest.
    pub minimum_age: String,
}

#[cfg(feature = "ssr")]
impl DoorsForm {
    /// What is to hold.
    ///
    /// # Errors
    /// `Invalid` with the field.
    pub fn check(&self) -> AppResult<super::doors::Doors> {
        use super::doors::{AGE_FLOOR, Doors, Joining};
        let number = |field: &str, text: &str, low: u32, high: u32| {
            let number = text.trim().parse().ok().filter(|n| (low..=high).contains(n));
            number.ok_or_else(|| AppError::invalid(field, format!("Enter a whole number from {low} to {high}.")))
        };
        Ok(Doors {
            guest_lines: number("guest_lines", &self.guest_lines, 0, 1000)?,
            guest_lines_address: number("guest_lines_address", &self.guest_lines_address, 1, 100_000)?,
            joining: Joining::parse(&self.joining)
                .ok_or_else(|| AppError::invalid("joining", "Choose who may create an account."))?,
            minimum_age: number("minimum_age", &self.minimum_age, AGE_FLOOR, 99)?,
        })
    }
}

/// A new invitation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InviteForm {
    /// Whom it is for, for admins only.
    pub note: String,
    /// How many may join with it.
    pub uses: String,
    /// For how many days.
    pub days: String,
}

impl InviteForm {
    /// Note, uses and days.
    ///
    /// # Errors
    /// `Invalid` with the field.
    pub fn check(&self) -> AppResult<(String, i32, i32)> {
        let number = |field: &str, text: &str, high: i32| {
            let number = text.trim().parse().ok().filter(|n| (1..=high).contains(n));
            number.ok_or_else(|| AppError::invalid(field, format!("Enter a whole number from 1 to {high}.")))
        };
        Ok((
            clean_line("note", &self.note, 0, 100)?,
            number("uses", &self.uses, 1000)?,
            number("days", &self.days, 365)?,
        ))
    }
}

/// Typing the password again before something sensitive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfirmForm {
    /// The password.
    pub password: String,
    /// Where to go afterwards; a path of this site.
    pub next: String,
}

/// How others see one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProfileForm {
    /// Name in addresses and mentions.
    pub username: String,
    /// Name as shown.
    pub display_name: String,
    /// A few lines about oneself.
    pub bio: String,
}

impl ProfileForm {
    /// The form with its texts cleaned; `now` is the username so far, which may stay whatever the rules are today.
    ///
    /// # Errors
    /// `Invalid` with the field.
    pub fn check(self, now: &str) -> AppResult<Self> {
        let username =
            if self.username.trim() == now { now.to_owned() } else { rules::username("username", &self.username)? };
        Ok(Self {
            username,
            display_name: clean_line("display_name", &self.display_name, 1, 60)?,
            bio: clean_text("bio", &self.bio, 0, 2000)?,
        })
    }
}

/// A new address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EmailForm {
    /// The address.
    pub email: String,
}

/// A new password.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PasswordForm {
    /// Fifteen characters or more.
    pub password: String,
    /// The same again.
    pub password_again: String,
    /// Revoke all API tokens as well.
    pub tokens_too: bool,
}

/// Days after which an API token ends when nothing else is chosen.
pub const TOKEN_DAYS: u16 = 90;
/// Most days that an API token may work.
pub const TOKEN_DAYS_MAX: u16 = 365;

/// For how many days an API token is to work.
///
/// # Errors
/// `Invalid` with the field.
pub fn token_days(field: &str, days: u16) -> AppResult<u16> {
    if (1..=TOKEN_DAYS_MAX).contains(&days) {
        Ok(days)
    } else {
        Err(AppError::invalid(field, format!("A token works for 1 to {TOKEN_DAYS_MAX} days.")))
    }
}

/// A new API token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenForm {
    /// What it is for.
    pub name: String,
    /// `read`, or `write` for both.
    pub access: String,
    /// Days until it ends.
    pub days: u16,
}

impl Default for TokenForm {
    fn default() -> Self {
        Self { name: String::new(), access: String::new(), days: TOKEN_DAYS }
    }
}

impl TokenForm {
    /// The cleaned name, the scopes, and the days.
    ///
    /// # Errors
    /// `Invalid` with the field.
    pub fn check(&self) -> AppResult<(String, Vec<String>, u16)> {
        let scopes: &[&str] = match self.access.as_str() {
            "read" => &["read"],
            "write" => &["read", "write"],
            _ => return Err(AppError::invalid("access", "Please choose what the token may do.")),
        };
        let name = clean_line("name", &self.name, 1, 60)?;
        Ok((name, scopes.iter().map(|s| (*s).to_owned()).collect(), token_days("days", self.days)?))
    }
}

/// Leaving for good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeleteForm {
    /// One's own username, typed out.
    pub username: String,
    /// Take the published characters along.
    pub characters_too: bool,
}
