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
    /// IANA name of the time zone, filled in by the browser.
    pub timezone: String,
    /// Where to go afterwards; a path of this site.
    pub next: String,
}

impl SignUpForm {
    /// The form with its texts cleaned.
    ///
    /// # Errors
    /// `Invalid` with the field.
    pub fn check(self) -> AppResult<Self> {
        let username = rules::username("username", &self.username)?;
        let email = rules::email("email", &self.email)?;
        rules::password("password", &self.password, &username, &email)?;
        let display_name = clean_line("display_name", &self.display_name, 0, 60)?;
        let display_name = if display_name.is_empty() { username.clone() } else { display_name };
        Ok(Self { username, email, display_name, ..self })
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
    /// Where to go afterwards; a path of this site.
    pub next: String,
}

impl SignInForm {
    /// The form, when something is in it.
    ///
    /// # Errors
    /// `Invalid` with the field.
    pub fn check(self) -> AppResult<Self> {
        let login = self.login.trim().to_owned();
        if login.is_empty() {
            return Err(AppError::invalid("login", "Please fill in your username or e-mail."));
        }
        if self.password.is_empty() {
            return Err(AppError::invalid("password", "Please fill in your password."));
        }
        Ok(Self { login, ..self })
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
